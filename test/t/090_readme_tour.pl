# The tour of README.md and README.vi.md, followed line by line: each block of SQL prints what the page says.
use strict;
use warnings;
use utf8;
use Encode qw(decode encode);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = $ENV{EHR_TOP};
my $build = $ENV{EHR_BUILD};

my $node = PostgreSQL::Test::Cluster->new('tour');
$node->init;
$node->append_conf('postgresql.conf', <<'CONF');
shared_preload_libraries = 'ehr'
ehr.token_issuer = 'https://issuer.example'
ehr.token_audience = 'ehr'
log_statement = 'none'
timezone = 'Asia/Ho_Chi_Minh'
CONF
$node->start;
chdir $top or die "$top: $!";

for my $page ('README.md', 'README.vi.md')
{
	open(my $fh, '<:encoding(UTF-8)', $page) or die "$page: $!";
	my $text = do { local $/; <$fh> };
	my (@sql, @says);
	while ($text =~ /^```sql\n(.*?)^```\n\n```text\n(.*?)^```\n/msg)
	{
		push @sql, $1;
		push @says, $2;
	}
	cmp_ok(scalar(@sql), '>=', 5, "$page has a tour");

	# the programs and the key lie elsewhere here
	my $script = join('', map { "\\echo \@\@$_\n$sql[$_]" } 0 .. $#sql) . "\\echo \@\@end\n";
	$script =~ s{build/bin/tour\.jwk}{$PostgreSQL::Test::Utils::tmp_check/tour.jwk}g;
	$script =~ s{build/bin/}{$build/bin/}g;
	my $out = '';
	IPC::Run::run([ 'psql', '-X', '-d', $node->connstr('postgres'), '-U', getpwuid($<) ], '<', \encode('UTF-8', $script), '>&', \$out);
	$out = decode('UTF-8', $out);
	for my $i (0 .. $#sql)
	{
		my ($printed) = $out =~ /^\@\@$i\n(.*?)^\@\@/ms;
		$printed //= '(nothing)';
		for ($printed, $says[$i])
		{
			s/ as user "\w+"//g;
			s/[ \t]+$//mg;
			s/\s+\z//;
		}
		is(encode('UTF-8', $printed), encode('UTF-8', $says[$i]), "$page, block " . ($i + 1));
	}
	$node->safe_psql('postgres', 'DROP DATABASE tour');
	$node->safe_psql('postgres', 'DROP ROLE tour_app');
}
$node->stop;
done_testing();
