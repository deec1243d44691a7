# doc/errors.md names every SQLSTATE that the code raises, and no other.
use strict;
use warnings;
use Test::More;

my $top = $ENV{EHR_TOP} // '.';
my ($header) = grep { -e } map { "$_/utils/errcodes.h" } split(/\n/, qx(ls -d /usr/include/postgresql/*/server 2>/dev/null));
plan(skip_all => 'no header of PostgreSQL error codes here') unless $header;

sub slurp
{
	my ($file) = @_;
	open(my $fh, '<:encoding(UTF-8)', $file) or die "$file: $!";
	local $/;
	return scalar <$fh>;
}

# name of a condition, as PL/pgSQL writes it, to its state
my (%state, %short);
my $text = slurp($header);
while ($text =~ /^#define ERRCODE_(\w+)\s+MAKE_SQLSTATE\('(.)','(.)','(.)','(.)','(.)'\)/mg)
{
	my ($name, $code) = (lc $1, "$2$3$4$5$6");
	$state{$name} = $code;
	# PL/pgSQL leaves the class's letters out
	$short{$name} = $code if $name =~ s/^(?:t_r|e_r_i_e|e_r_e|s_r_e|s_e)_//;
}
%state = (%short, %state);
ok(keys %state > 200, 'the header is read');

my %raised;
for my $file (glob("$top/src/*.c $top/src/*/*.c"))
{
	my $code = slurp($file);
	$raised{ $state{ lc $1 } // "unknown $1" } .= " $file" while $code =~ /\bERRCODE_([A-Z_0-9]+)/g;
}
for my $file (glob("$top/sql/*.sql"))
{
	my $code = slurp($file);
	while ($code =~ /\bRAISE\s+(?:EXCEPTION\s+)?([a-z_]+)\s+USING/g)
	{
		$raised{ $state{$1} // "unknown $1" } .= " $file";
	}
	while ($code =~ /\bERRCODE\s*=\s*'(\w+)'/g)
	{
		$raised{ $state{$1} // ($1 =~ /^[0-9A-Z]{5}$/ ? $1 : "unknown $1") } .= " $file";
	}
}
ok(keys %raised > 20, 'the code is read');

my %listed;
my $page = slurp("$top/doc/errors.md");
while ($page =~ /^\| ([0-9A-Z]{5}) \| (\w+) \|/mg)
{
	$listed{$1} = $2;
	is($state{$2}, $1, "$1 is $2") unless $listed{"seen $1"}++;
}
delete @listed{ grep { /^seen / } keys %listed };
is(join(' ', grep { !$listed{$_} } sort keys %raised), '', 'every state that is raised is on the page');
is(join(' ', grep { !$raised{$_} } sort keys %listed), '', 'every state on the page is raised somewhere');
done_testing();
