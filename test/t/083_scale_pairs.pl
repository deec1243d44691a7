# Vaccination rows of known truth: pairwise precision and recall, by the matcher alone at 100,000 rows for each of five seeds, and
# through the database for a sixth at 40,000 rows, which finds what the matcher alone finds. The figures are printed.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use EhrTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($precision_needed, $recall_needed) = (0.99, 0.95);
my $top = EhrTest::top();
my $dir = scratch();
my $bin = build_generators();
my @core = (glob("$top/src/core/match_*.c"), map { "$top/src/core/$_.c" } qw(citizen_id compare_text insurance_no phone utf8 vn_text));
is(system('cc', '-O2', "-I$top/src/core", "$top/test/tools/match_csv.c", @core, '-lm', '-o', "$bin/match_csv"), 0, 'the matcher builds without a server');

sub rows
{
	my ($n, $seed) = @_;
	my ($rows, $truth) = ("$dir/rows.csv", "$dir/truth.csv");
	EhrTest::captured("$bin/vaccinations", '--rows', $n, '--seed', $seed, '--out', $rows, '--truth', $truth);
	return ($rows, $truth);
}
sub scored
{
	my ($name, $precision, $recall) = @_;
	note "$name: precision $precision, recall $recall";
	cmp_ok($precision, '>=', $precision_needed, "$name: precision $precision");
	cmp_ok($recall, '>=', $recall_needed, "$name: recall $recall");
}

# precision, recall and persons of the matcher without a server
sub alone
{
	my ($out) = EhrTest::captured("$bin/match_csv", @_);
	return $out =~ /persons (\d+) precision (\d\.\d+) recall (\d\.\d+)/ ? ($2, $3, $1) : die $out;
}

for my $seed (1 .. 5)
{
	my ($rows, $truth) = rows(100_000, $seed);
	scored("seed $seed, 100000 rows, matcher alone", (alone($rows, $truth))[ 0, 1 ]);
}

# --- through the database: rows in, persons out
my $node = ehr_node('pairs', 'shared_buffers = 128MB', 'work_mem = 32MB');
my $db = 'postgres';
my ($rows, $truth) = rows(40_000, 6);
my ($header) = split /\n/, slurp_file($rows);
my $columns = join ', ', map { "$_ text" } split /,/, $header;
$node->safe_psql($db, "CREATE EXTENSION ehr; SELECT ehr.create_store(); CREATE ROLE feed LOGIN IN ROLE ehr_ingest; CREATE TABLE public.vaccination_rows ($columns); GRANT SELECT ON public.vaccination_rows TO feed;
\\copy public.vaccination_rows FROM '$rows' WITH (FORMAT csv, HEADER)");
my $receipt = $node->safe_psql($db, q{SELECT ehr.ingest_immunizations('public.vaccination_rows', 'vaccinations')}, extra_params => [ '-U', 'feed' ]);
like($receipt, qr/"rows": 40000/, 'every row is taken in');
append_to_file("$dir/found.csv", "record_id,cluster\n" . $node->safe_psql($db, q{
	SELECT v.record_id || ',' || ehr_internal.person_root(l.person)
	FROM public.vaccination_rows v
	JOIN ehr_store.resource_key k ON k.type = ehr_internal.type_number('Patient') AND k.id = ehr_internal.scoped_id('vaccinations', 'patient:' || v.record_id)
	JOIN ehr_store.person_link l ON l.subject = k.key}) . "\n");

my $score = EhrTest::captured("$bin/score_pairs", '--truth', $truth, '--found', "$dir/found.csv", '--rows', $rows);
note $score;
my ($precision, $recall) = $score =~ /^found\s+(\d\.\d+)\s+(\d\.\d+)/m;
scored('seed 6, 40000 rows, through the database', $precision, $recall);
my ($alone_precision, $alone_recall) = alone($rows, $truth);
cmp_ok(abs($precision - $alone_precision) + abs($recall - $alone_recall), '<', 0.002, "the matcher alone: precision $alone_precision, recall $alone_recall");
# the naive rules that the demo prints are worse
for my $rule ('same ID', 'same name and birth date')
{
	my ($p, $r) = $score =~ /^$rule\s+(\d\.\d+)\s+(\d\.\d+)/m;
	cmp_ok(2 * $p * $r / ($p + $r), '<', 2 * $precision * $recall / ($precision + $recall) - 0.1, "\"$rule\": precision $p, recall $r");
}
my ($persons) = $receipt =~ /"persons": (\d+)/;
is($persons, $node->safe_psql($db, q{SELECT count(DISTINCT ehr_internal.person_root(l.person)) FROM ehr_store.person_link l}), "the receipt tells the persons: $persons");

$node->stop;
done_testing();
