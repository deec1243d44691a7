# Linking in bulk is cut off by kill -9 in each of its steps and goes on where it was: the same source patients are one
# person as when it runs through. With no worker, and with next to no memory, the same again.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use EhrTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep time);

my $rows = $ENV{EHR_RESUME_ROWS} // 20_000;
my $top = EhrTest::top();
my $dir = scratch();
my $bin = build_generators();
EhrTest::captured("$bin/vaccinations", '--rows', $rows, '--seed', 11, '--out', "$dir/rows.csv", '--truth', "$dir/truth.csv");

my $node = ehr_node('resume', 'shared_buffers = 128MB', 'restart_after_crash = on', 'max_parallel_maintenance_workers = 2');
my ($header) = split /\n/, slurp_file("$dir/rows.csv");
my $columns = join ', ', map { "$_ text" } split /,/, $header;

# a database with the feature rows of the file
sub fresh
{
	my ($db) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $db");
	$node->safe_psql($db, "CREATE EXTENSION ehr; SELECT ehr.create_store(); CREATE TABLE stage ($columns);
\\copy stage FROM '$dir/rows.csv' WITH (FORMAT csv, HEADER)
INSERT INTO ehr_store.match_feature SELECT s.record_id::bigint, f, k[1], k[2], k[3], k[4], k[5], k[6], k[7] FROM stage s,
	ehr_internal.match_row(full_name, birth_date, sex, citizen_number, insurance_number, phone, ward_code, district_code, address) f, ehr_internal.match_keys(f) k");
}

# the partition, as one value: each subject with the least of its person's
sub partition
{
	my ($db) = @_;
	return $node->safe_psql($db, q{SELECT md5(string_agg(subject || ':' || least, ' ' ORDER BY subject)) || ' ' || count(DISTINCT least)
		FROM (SELECT l.subject, min(l.subject) OVER (PARTITION BY ehr_internal.person_root(l.person)) AS least FROM ehr_store.person_link l) x});
}

fresh('whole');
$node->safe_psql('whole', 'CALL ehr.link_all()');
my $whole = partition('whole');
like($whole, qr/^\w{32} \d+$/, "through at once: $whole");
is($node->safe_psql('whole', q{SELECT step || ' ' || (figures ->> 'subjects') || ' ' || (figures ->> 'subjects_linked') || ' ' || (SELECT count(*) FROM ehr_store.person) FROM ehr_store.link_run}),
	"5 $rows $rows " . (split ' ', $whole)[1], 'every subject has a person, every cluster one');
is($node->safe_psql('whole', 'SELECT count(*) FROM ehr_store.link_work'), '0', 'nothing is left on the way');
is($node->safe_psql('whole', 'SELECT ehr.self_check()') =~ /fail/i ? 'fail' : 'ok', 'ok', 'self_check has nothing to say')
	if $node->safe_psql('whole', q{SELECT count(*) FROM pg_proc WHERE proname = 'self_check' AND prorettype = 'jsonb'::regtype}) eq '1';

# --- cut off in each step, at its very end: the step waits for a lock before it commits
sub behind
{
	my ($sql) = @_;
	my $pid = fork() // die $!;
	return $pid if $pid;
	open(STDERR, '>', '/dev/null');
	open(STDOUT, '>', '/dev/null');
	exec($node->installed_command('psql'), '-X', '-d', $node->connstr('cut'), map { ('-c', $_) } @$sql);
}

fresh('cut');
$node->safe_psql('cut', 'INSERT INTO ehr_store.link_run DEFAULT VALUES');
for my $step (0 .. 4)
{
	my $locker = behind([ 'BEGIN', 'LOCK TABLE ehr_store.link_run IN SHARE MODE', 'SELECT pg_sleep(600)' ]);
	$node->poll_query_until('cut', q{SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'ehr_store.link_run'::regclass AND mode = 'ShareLock' AND granted)}) or die 'no lock';
	my $linker = behind(['CALL ehr.link_all()']);
	$node->poll_query_until('cut', q{SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'ehr_store.link_run'::regclass AND NOT granted)}) or die 'it does not wait';
	my ($at, $backend) = split ' ', $node->safe_psql('cut', q{SELECT (SELECT max(step) FROM ehr_store.link_run) || ' ' || pid FROM pg_locks WHERE relation = 'ehr_store.link_run'::regclass AND NOT granted});
	my $killed = $backend > 1 ? kill('KILL', $backend) : 0;
	waitpid($_, 0) for $linker, $locker;
	$node->poll_query_until('postgres', 'SELECT true') or die 'no recovery';
	ok($killed && $at == $step, "killed at the end of step $step");
	is($node->safe_psql('cut', 'SELECT max(step) FROM ehr_store.link_run'), $step, 'what it did is gone');
	my $links = $node->safe_psql('cut', 'SELECT count(*) FROM ehr_store.person_link');
	is($links, $step < 4 ? 0 : $rows, "all or nothing is linked: $links");
	# another process does the step
	is($node->safe_psql('cut', 'SELECT ehr.link_step()'), ($step + 1) % 5, 'it goes on with that step') if $step < 4;
}
$node->safe_psql('cut', 'CALL ehr.link_all()');
is(partition('cut'), $whole, 'after five kills the same persons');
is($node->safe_psql('cut', 'SELECT count(*) FROM ehr_store.person p WHERE NOT EXISTS (SELECT FROM ehr_store.person_link l WHERE l.person = p.key)'), '0', 'and no person without a patient');
is($node->safe_psql('cut', q{SELECT count(*) FROM pg_ls_dir('base/pgsql_tmp', true, false)}), '0', 'no temporary file stays behind');

# --- no worker, little memory, other order
fresh('alone');
$node->safe_psql('alone', q{SET max_parallel_maintenance_workers = 0; SET ehr.match_memory = '8MB'; CALL ehr.link_all()});
is(partition('alone'), $whole, 'alone and with 8 MB the same persons');
is($node->safe_psql('alone', q{SELECT figures ->> 'workers' FROM ehr_store.link_run}), '0', 'there was no worker');
fresh('backwards');
$node->safe_psql('backwards', 'CREATE TABLE f AS SELECT * FROM ehr_store.match_feature; TRUNCATE ehr_store.match_feature; INSERT INTO ehr_store.match_feature SELECT * FROM f ORDER BY md5(subject::text); CALL ehr.link_all()');
is(partition('backwards'), $whole, 'rows in another order: the same persons');

$node->stop;
done_testing();
