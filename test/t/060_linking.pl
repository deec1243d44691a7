# Linking at size: 100,000 rows of five seeds against the truth, all through the core; one of them through the server,
# with the receipt recounted from the file, the same persons whatever the order of arrival, and how late rows fare that
# come one by one. EHR_SEEDS (default 1) names the seeds that go through the server.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = abs_path(dirname(__FILE__) . '/../..');
my $bin = ($ENV{TESTDATADIR} // "$top/build") . '/bin';
my $dir = tempdir(CLEANUP => 1);
my $rows = 100000;

is(system("CFLAGS='-O2' '$top/test/data/build' '$bin'"), 0, 'the generator builds') or BAIL_OUT('no programs');
my @core = map { "'$top/src/core/$_'" } qw(citizen_id.c insurance_no.c phone.c utf8.c vn_text.c compare_text.c match_block.c match_cluster.c
	match_compare.c match_count.c match_link.c match_model.c match_row.c match_sort.c match_train.c);
is(system("cc -O2 -I'$top/src/core' '$top/test/tools/match_csv.c' @core -lm -o '$bin/match_csv'"), 0, 'the core alone builds into a program');

sub generate
{
	my ($seed) = @_;
	return if -e "$dir/truth$seed.csv";
	system("'$bin/vaccinations' --rows $rows --seed $seed --tables '$top/test/data/tables' --out '$dir/rows$seed.csv' --truth '$dir/truth$seed.csv' >'$dir/log'") == 0
		or die 'the generator failed';
}

for my $seed (1 .. 5)
{
	generate($seed);
	my $line = `'$bin/match_csv' '$dir/rows$seed.csv' '$dir/truth$seed.csv'`;
	my ($precision, $recall) = $line =~ /precision ([0-9.]+) recall ([0-9.]+)/;
	cmp_ok($precision // 0, '>=', 0.99, "seed $seed, core: precision");
	cmp_ok($recall // 0, '>=', 0.95, "seed $seed, core: recall");
	note($line);
}

my $node = PostgreSQL::Test::Cluster->new('linking');
$node->init;
$node->append_conf('postgresql.conf', <<'CONF');
shared_preload_libraries = 'ehr'
fsync = off
shared_buffers = 256MB
work_mem = 64MB
max_wal_size = 2GB
jit = off
CONF
$node->start;

my $columns = 'record_id, full_name, birth_date, sex, phone, citizen_number, insurance_number, address, ward_code, district_code,'
	. ' province_code, vaccine_code, vaccine_name, dose_number, vaccinated_on, lot, facility_code, disease';

# a database with the rows of a seed in table stage, in the given order
sub fresh
{
	my ($db, $seed) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $db");
	$node->safe_psql($db, 'CREATE EXTENSION ehr; SELECT ehr.create_store()');
	$node->safe_psql($db, 'CREATE TABLE stage (' . join(', ', map { "$_ text" } split /,\s*/, $columns) . ');'
		. 'CREATE TABLE truth (record_id text, person_id int);'
		. "\\copy truth FROM '$dir/truth$seed.csv' CSV HEADER\n\\copy stage FROM '$dir/rows$seed.csv' CSV HEADER\n");
}

my $found = q{SELECT btrim(b.value) AS record_id, ehr_internal.person_root(l.person) AS person
	FROM ehr_store.resource r JOIN ehr_store.business_key b ON b.key = r.key JOIN ehr_store.person_link l ON l.subject = r.subject
	WHERE r.type = ehr_internal.type_number('Immunization')};
my $pairs = 'SELECT coalesce(sum(n * (n - 1) / 2), 0) FROM (SELECT count(*) AS n FROM';

sub score
{
	my ($db) = @_;
	my ($both, $linked, $real) = map { $node->safe_psql($db, $_) }
		"$pairs ($found) f JOIN truth t USING (record_id) GROUP BY person, person_id) x",
		"$pairs ($found) f GROUP BY person) x", "$pairs truth GROUP BY person_id) x";
	return ($both / $linked, $both / $real);
}

for my $seed (split / /, $ENV{EHR_SEEDS} // '1')
{
	my $db = "seed$seed";
	generate($seed);
	fresh($db, $seed);
	my $receipt = $node->safe_psql($db, q{CREATE TABLE receipt AS SELECT ehr.ingest_immunizations('stage', 'register') AS r; SELECT r FROM receipt});
	my %n = map { $_ => $node->safe_psql($db, "SELECT r ->> '$_' FROM receipt") } qw(rows sent mapped kept quarantined persons resources);
	my ($precision, $recall) = score($db);
	note("seed $seed: $receipt precision $precision recall $recall");
	cmp_ok($precision, '>=', 0.99, "seed $seed, server: precision");
	cmp_ok($recall, '>=', 0.95, "seed $seed, server: recall");

	# fields that are not empty, counted from the file by a reader of the test's own
	open(my $file, '<', "$dir/rows$seed.csv") or die $!;
	my $header = <$file>;
	my $sent = 0;
	while (my $line = <$file>)
	{
		chomp $line;
		while ($line =~ /\G(?:"((?:[^"]|"")*)"|([^,]*))(,|$)/g)
		{
			$sent++ if ($1 // $2) ne '';
			last if $3 eq '';
		}
	}
	is($n{sent}, $sent, 'elements sent are those of the file');
	is($n{sent}, $n{mapped} + $n{kept} + $n{quarantined}, 'sent = mapped + kept + quarantined');
	is($n{rows}, $rows, 'every row was read');
	is($node->safe_psql($db, 'SELECT count(*) FROM ehr_store.resource WHERE NOT ehr.is_valid(doc::jsonb)'), 0, 'all resources are valid');
	is($node->safe_psql($db, "SELECT r FROM (SELECT ehr.ingest_immunizations('stage', 'register') AS r) x WHERE r <> (SELECT r FROM receipt)"), '', 'the same rows again change nothing');

	# in bulk again: nothing moves
	$node->safe_psql($db, "CREATE TABLE before AS $found");
	$node->safe_psql($db, 'CALL ehr.link_all()');
	is($node->safe_psql($db, "SELECT count(*) FROM before b JOIN ($found) f USING (record_id) WHERE b.person <> f.person"), 0, 'linking in bulk again moves nobody');
	next if $seed ne '1';

	# the last 2,000 rows come one by one into what the others made
	fresh('late', $seed);
	$node->safe_psql('late', q{CREATE TABLE late AS SELECT * FROM stage WHERE record_id::int > 98000; DELETE FROM stage WHERE record_id::int > 98000;
		SELECT ehr.ingest_immunizations('stage', 'register')});
	my $s = $node->safe_psql('late', q{SELECT count(*) FROM (SELECT ehr.ingest_immunization_lines(string_agg(row_to_json(t)::text, E'\n'), 'register') FROM late t) x});
	$node->safe_psql('late', q{SELECT ehr_internal.link_subjects(ARRAY(SELECT f.subject FROM ehr_store.match_feature f
		WHERE NOT EXISTS (SELECT FROM ehr_store.person_link l WHERE l.subject = f.subject)))});
	($precision, $recall) = score('late');
	note("last 2,000 one by one: precision $precision recall $recall");
	cmp_ok($precision, '>=', 0.99, 'rows linked one by one: precision');
	cmp_ok($recall, '>=', 0.95, 'rows linked one by one: recall');
}

$node->stop;
done_testing();
