# doc/fhirpath.md: every example gives what the page says, and every function of the engine has one.
use strict;
use warnings;
use Encode ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = $ENV{EHR_TOP} // '.';
sub slurp_page { open(my $file, '<:encoding(UTF-8)', "$top/$_[0]") or die "$_[0]: $!"; local $/; return scalar <$file>; }

my $node = PostgreSQL::Test::Cluster->new('fhirpath');
$node->init(extra => [ "-E", "UTF8", "--locale=C.UTF-8" ]);
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'ehr'");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION ehr');

my $page = slurp_page('doc/fhirpath.md');
my ($document) = $page =~ /```json\n(.*?)\n```/s;
ok(defined $document, 'the page has the document of its examples');

my (@examples, %shown);
for my $row ($page =~ /^\| (.*) \|$/mg)
{
	my @cells = map { s/\\\|/|/gr } split / (?<!\\)\| /, $row;
	next unless @cells == 4 && $cells[2] =~ /\A`(.*)`\z/;
	my $expression = $1;
	push @examples, [ $expression, $cells[3] =~ s/\A`|`\z//gr ];
	$shown{$1} = 1 while $cells[0] =~ /(\w+)\(/g;
}
cmp_ok(scalar @examples, '>', 100, 'the page has examples');

my $sql = join("\n", map { "SELECT ehr.fhirpath_query_array(\$d\$$document\$d\$, \$e\$$_->[0]\$e\$);" } @examples);
my @results = split /\n/, $node->safe_psql('postgres', Encode::encode('UTF-8', $sql));
for my $i (0 .. $#examples)
{
	is(Encode::decode('UTF-8', $results[$i] // ''), $examples[$i][1], Encode::encode('UTF-8', $examples[$i][0]));
}

for my $source (glob("$top/src/core/fhirpath_functions*.c"))
{
	my $text = slurp_page($source =~ s/\A\Q$top\E\///r);
	while ($text =~ /^\t\{"(\w+)", \d+, [\w]+, [\w| ]+, \w+, \w+, \w+\},?$/mg)
	{
		ok($shown{$1} || $page =~ /\b$1\(/, "the page shows $1()");
	}
}

# doc/patch.md: every statement gives what stands below it
my ($patches) = slurp_page('doc/patch.md') =~ /```sql\n(.*?)```/s;
my @statements = $patches =~ /(SELECT .*?;)\n-- (.*?)\n/gs;
cmp_ok(scalar @statements, '>=', 6, 'the page on patches has examples');
while (my ($statement, $result) = splice(@statements, 0, 2))
{
	is(Encode::decode('UTF-8', $node->safe_psql('postgres', Encode::encode('UTF-8', $statement))), $result, Encode::encode('UTF-8', substr($statement, 0, 60)));
}

# hostile expressions: a clear error, and soon
my %hostile = (
	'a nested expression' => [ "repeat('(', 1000) || '1' || repeat(')', 1000)", 'nested too deeply' ],
	'a long chain' => [ "'a' || repeat('.a', 1000)", 'nested too deeply' ],
	'a sum of many terms' => [ "'1' || repeat(' + 1', 1000)", 'nested too deeply' ],
	'a string of 10 MB' => [ "'''' || repeat('x', 10000000) || ''''", 'too long' ]);
for my $what (sort keys %hostile)
{
	my ($out, $err);
	$node->psql('postgres', "SELECT ($hostile{$what}[0])::text::ehr.fhirpath", stdout => \$out, stderr => \$err);
	like($err, qr/$hostile{$what}[1]/, "$what is refused");
}

done_testing();
