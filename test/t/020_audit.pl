# The audit log: what survives what. Each case first writes entries, then breaks something, then counts.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

# $PGDATA/ehr_audit is looked at from outside, so everything runs as the user that owns it.
my $node = PostgreSQL::Test::Cluster->new('audit');
$node->init;
$node->append_conf('postgresql.conf', <<'CONF');
shared_preload_libraries = 'ehr'
fsync = off
max_connections = 40
restart_after_crash = on
log_min_messages = info
CONF
$node->start;
my $db = 'postgres';
$node->safe_psql($db, q{CREATE EXTENSION ehr; SELECT ehr.create_store()});

sub sql { return $node->safe_psql($db, $_[0]); }

# entries of a kind in the table, after everything recorded is imported
sub count_of
{
	my ($kind) = @_;
	sql(q{SELECT ehr_internal.audit_catch_up()});
	return sql(qq{SELECT count(*) FROM ehr_store.audit_event WHERE kind = '$kind'});
}

sub problems { return sql(q{SELECT ehr_internal.audit_catch_up(); SELECT * FROM ehr_internal.audit_verify()}) =~ s/^\n//r; }

sub spool_files
{
	my $oid = sql(qq{SELECT oid FROM pg_database WHERE datname = '$db'});
	my $dir = $node->data_dir . "/ehr_audit/$oid";
	return map { "$dir/$_" } sort grep { /\.spool$/ } slurp_dir($dir);
}

# checks that fail, apart from those that the test itself breaks
sub failed_checks { return sql(q{SELECT string_agg(check_name, ' ') FROM ehr.self_check() WHERE NOT ok AND check_name NOT IN ('durability', 'session keys', 'server log', 'vault key')}); }

sub wait_up { $node->poll_query_until($db, 'SELECT true') or die 'the server did not come up again'; }

# --- transactions
sql(q{BEGIN; SELECT ehr_internal.audit_note('rolled_back'); ROLLBACK});
is(count_of('rolled_back'), 1, 'an entry survives ROLLBACK');

my ($ret, $out, $err) = $node->psql($db, q{BEGIN; SELECT ehr_internal.audit_note('failed'); SELECT 1/0; COMMIT});
is(count_of('failed'), 1, 'an entry survives an error');

sql(q{BEGIN; SAVEPOINT s; SELECT ehr_internal.audit_note('savepoint'); ROLLBACK TO s; COMMIT});
is(count_of('savepoint'), 1, 'an entry survives ROLLBACK TO SAVEPOINT');

sql(q{BEGIN READ ONLY; SELECT ehr_internal.audit_note('read_only'); COMMIT});
is(count_of('read_only'), 1, 'an entry can be written in a READ ONLY transaction');

sql(q{BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE; SELECT ehr_internal.audit_note('deferrable'); COMMIT});
is(count_of('deferrable'), 1, 'and in a deferrable one');

# --- kill -9 of the backend right after the entry
my $victim = $node->background_psql($db, on_error_stop => 0);
my $pid = $victim->query_safe(q{SELECT pg_backend_pid()});
$victim->query_safe(q{BEGIN; SELECT ehr_internal.audit_note('killed_backend') FROM generate_series(1, 10)});
kill 'KILL', $pid;
eval { $victim->quit };
usleep(500_000);
wait_up();
is(count_of('killed_backend'), 10, 'entries survive kill -9 of their backend, whose transaction is lost');

# --- immediate stop of the cluster
sql(q{SELECT ehr_internal.audit_note('immediate') FROM generate_series(1, 500)});
$node->stop('immediate');
$node->start;
is(count_of('immediate'), 500, 'entries survive an immediate stop of the server');

# --- the worker dies at any moment: nothing twice, nothing lost
my $expected = 0;
for my $round (1 .. 6)
{
	sql(q{SELECT ehr_internal.audit_note('worker_killed') FROM generate_series(1, 3000)});
	$expected += 3000;
	my $worker = sql(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'ehr audit worker' LIMIT 1});
	if ($worker)
	{
		# half of the rounds end it in an orderly way, half take the server down with it
		kill $round % 2 ? 'TERM' : 'KILL', $worker;
		usleep(200_000);
		wait_up();
	}
}
is(count_of('worker_killed'), $expected, 'entries are imported exactly once though the worker is killed');
is(sql(q{SELECT count(DISTINCT intent) FROM ehr_store.audit_event WHERE kind = 'worker_killed'}), $expected, 'each has a number of its own');
is(problems(), '', 'the chain is whole');

# the launcher too
my $launcher = sql(q{SELECT launcher FROM ehr.audit_status()});
kill 'TERM', $launcher;
$node->poll_query_until($db, qq{SELECT launcher <> $launcher FROM ehr.audit_status() WHERE launcher IS NOT NULL});
sql(q{SELECT ehr_internal.audit_note('launcher_ended')});
is(count_of('launcher_ended'), 1, 'entries are imported after the launcher was ended');

# --- eight clients
$node->pgbench('--client=8 --jobs=2 --transactions=250 --no-vacuum', 0, [qr{actually processed: 2000/2000}], [qr{^$}], 'eight clients write at once',
	{ '020_audit_note' => q{SELECT ehr_internal.audit_note('concurrent', NULL, ARRAY[:client_id]);} });
is(count_of('concurrent'), 2000, 'no entry of eight clients is lost');
is(sql(q{SELECT count(*) FROM ehr_store.audit_event e, unnest(subjects) WHERE kind = 'concurrent'}), 2000, 'with its subject');
is(problems(), '', 'the chain is whole');

# --- segments: a new one when full, old ones are removed
$node->append_conf('postgresql.conf', 'ehr.audit_segment_size = 64');
$node->reload;
sql(q{SELECT ehr_internal.audit_note('rotate', repeat('x', 300)) FROM generate_series(1, 1500)});
is(count_of('rotate'), 1500, 'entries of many segments are imported');
$node->poll_query_until($db, q{SELECT spool_bytes < 70 * 1024 FROM ehr.audit_status()});
ok(scalar(spool_files()) <= 2, 'imported segments are removed');

# --- a torn end: the server died while it wrote
$node->stop;
my ($last) = (spool_files_of_stopped())[-1];
sub spool_files_of_stopped
{
	my ($dir) = grep { -d } glob($node->data_dir . '/ehr_audit/*');
	return map { "$dir/$_" } sort grep { /\.spool$/ } slurp_dir($dir);
}
append_to_file($last, "EHRa\0\0\0\x50half a frame");
$node->start;
sql(q{SELECT ehr_internal.audit_note('after_torn')});
is(count_of('after_torn'), 1, 'a torn end does not stop the import');
is(count_of('spool_torn'), 1, 'and is noted');
is(problems(), '', 'but is no problem');

# --- a damaged stretch in the middle: what is behind it is imported, and it is told
# (the position is locked until the server stops, so that nothing is imported before)
my $holder = $node->background_psql($db, on_error_stop => 0);
$holder->query_safe(q{BEGIN; LOCK TABLE ehr_store.audit_position});
sql(q{SELECT ehr_internal.audit_note('damage', 'entry ' || i) FROM generate_series(1, 50) AS i});
$node->stop('immediate');
eval { $holder->quit };
($last) = (spool_files_of_stopped())[-1];
my $bytes = slurp_file($last);
my $at = index($bytes, 'entry 25');
ok($at > 0, 'the entry is in the spool, not yet imported');
open my $fh, '+<:raw', $last or die $!;
seek $fh, $at, 0;
print $fh 'ENTRY 25';
close $fh;
$node->start;
is(count_of('damage'), 49, 'entries before and behind a damaged one are imported');
like(problems(), qr/spool_damage: segment [0-9a-f]{16}: bytes \d+ to \d+/, 'the damage is reported');
ok(scalar(glob($node->data_dir . '/ehr_audit/*/*.damaged')), 'the damaged file is kept');

# --- the same in a backlog that is read in several pieces: one entry near its begin, a stretch greater than any entry, one near its end
$node->append_conf('postgresql.conf', 'ehr.audit_segment_size = 8192');
$node->reload;
my $damages = sql(q{SELECT count(*) FROM ehr_store.audit_event WHERE kind = 'spool_damage'});
$holder = $node->background_psql($db, on_error_stop => 0);
$holder->query_safe(q{BEGIN; LOCK TABLE ehr_store.audit_position});
sql(q{SELECT ehr_internal.audit_note('backlog', 'entry ' || i || repeat('.', 1900)) FROM generate_series(1, 3000) AS i});
$node->stop('immediate');
eval { $holder->quit };
($last) = (spool_files_of_stopped())[-1];
$bytes = slurp_file($last);
cmp_ok(length $bytes, '>', 5_000_000, 'a backlog of several megabytes');
$node->append_conf('postgresql.conf', 'ehr.audit_segment_size = 64');
open $fh, '+<:raw', $last or die $!;
for my $damage ([ 'entry 100.', 'X' ], [ 'entry 1200.', 'Y' x 100_000 ], [ 'entry 2900.', 'Z' ])
{
	seek $fh, index($bytes, $damage->[0]), 0;
	print $fh $damage->[1];
}
close $fh;
my $hit = int((100_000 - 1) / (index($bytes, 'entry 1201.') - index($bytes, 'entry 1200.'))) + 1;
$node->start;
my $there = count_of('backlog');
ok($there == 3000 - 2 - $hit || $there == 3000 - 3 - $hit, "all but $hit to $hit + 1 and two others are imported: $there");
is(sql(q{SELECT count(DISTINCT detail) FROM ehr_store.audit_event WHERE kind = 'backlog'}), $there, 'each once');
is(sql(q{SELECT count(*) FROM ehr_store.audit_event WHERE kind = 'spool_damage'}), $damages + 3, 'and three damages are told');
is(sql(q{SELECT count(*) FROM ehr_internal.audit_verify() WHERE problem NOT LIKE 'spool_%'}), 0, 'in a chain that is whole');

# --- a file taken away
$node->stop;
unlink $_ for spool_files_of_stopped();
$node->start;
sql(q{SELECT ehr_internal.audit_note('after_gap')});
is(count_of('after_gap'), 1, 'entries are recorded after the spool was taken away');
like(problems(), qr/spool_gap/, 'which is reported');
# while the server runs
unlink $_ for spool_files_of_stopped();
sql(q{SELECT ehr_internal.audit_note('while_running')}) for 1 .. 3;
usleep(500_000);
sql(q{SELECT ehr_internal.audit_note('gap_again')}) for 1 .. 3;
cmp_ok(count_of('gap_again'), '>=', 1, 'and when it is taken away under a running server');

# --- tampering with the table
sql(q{SELECT ehr_internal.audit_note('tamper', 'entry ' || i) FROM generate_series(1, 5) AS i});
count_of('tamper');
my $base = problems();
for my $case (
	[ 'a changed entry', q{UPDATE ehr_store.audit_event SET purpose = 'TREAT' WHERE kind = 'tamper' AND detail = 'entry 3'}, qr/was changed/ ],
	[ 'a removed entry', q{DELETE FROM ehr_store.audit_event WHERE kind = 'tamper' AND detail = 'entry 3'}, qr/are missing/ ],
	[ 'a cut-off end', q{DELETE FROM ehr_store.audit_event WHERE seq > (SELECT max(seq) - 2 FROM ehr_store.audit_event)}, qr/end of the chain/ ],
	[ 'a NULL made an empty text', q{UPDATE ehr_store.audit_event SET org = '' WHERE kind = 'tamper' AND detail = 'entry 3'}, qr/was changed/ ],
	[ 'a subject more', q{UPDATE ehr_store.audit_event SET subjects = subjects || 7::bigint WHERE kind = 'tamper' AND detail = 'entry 3'}, qr/was changed/ ],
	[ 'an added entry', q{INSERT INTO ehr_store.audit_event SELECT chain, seq + 1, at, 'forged', intent, query_id, sub, org, purpose, sid, role, relations, detail, name, subjects, hash, part FROM ehr_store.audit_event ORDER BY seq DESC LIMIT 1}, qr/was changed|end of the chain/ ])
{
	my ($name, $change, $expect) = @$case;
	# (nothing is imported meanwhile)
	like(sql(qq{BEGIN; LOCK TABLE ehr_store.audit_position; $change; SELECT * FROM ehr_internal.audit_verify(); ROLLBACK}), $expect, "audit_verify finds $name");
}
is(problems(), $base, 'and nothing more once it is undone');

# --- fail closed: the spool cannot be written
my ($dir) = grep { -d } glob($node->data_dir . '/ehr_audit/*');
$node->restart;
chmod 0500, $dir;
($ret, $out, $err) = $node->psql($db, q{SELECT ehr_internal.audit_note('refused')});
isnt($ret, 0, 'nothing goes on when the spool cannot be written');
like($err, qr/ehr\.audit_directory/, 'the error names the setting');
is(failed_checks(), 'audit spool', 'self_check() shows it');
chmod 0700, $dir;
sql(q{SELECT ehr_internal.audit_note('accepted')});
is(count_of('accepted'), 1, 'and goes on when it can again');
is(count_of('refused'), 0, 'the refused entry is not there');

# --- fail closed: nobody imports and the spool is full
$node->append_conf('postgresql.conf', 'ehr.audit_spool_limit = 16');
$node->reload;
$holder = $node->background_psql($db);
$holder->query_safe(q{BEGIN; LOCK TABLE ehr_store.audit_position});
($ret, $out, $err) = $node->psql($db, q{SELECT ehr_internal.audit_note('flood', repeat('x', 1900)) FROM generate_series(1, 12000)});
isnt($ret, 0, 'entries are refused when the spool is full');
like($err, qr/ehr\.audit_spool_limit/, 'the error names the setting');
$holder->query_safe(q{ROLLBACK});
$holder->quit;
ok($node->poll_query_until($db, q{SELECT spool_bytes < spool_limit FROM ehr.audit_status()}, 't'), 'the spool empties when the import goes on');
sql(q{SELECT ehr_internal.audit_note('after_flood')});
is(count_of('after_flood'), 1, 'and entries are accepted again');

# --- databases
$node->safe_psql('postgres', 'CREATE DATABASE second');
$db = 'second';
sql(q{CREATE EXTENSION ehr; SELECT ehr_internal.audit_note('before_store')});
sql(q{SELECT ehr.create_store()});
is(count_of('before_store'), 1, 'a second database has a log of its own, also for what came before its store');
$db = 'postgres';
is(count_of('before_store'), 0, 'the first one does not see it');
$node->safe_psql('postgres', 'DROP DATABASE second');
pass('a database can be dropped while its worker idles');

$node->append_conf('postgresql.conf', "ehr.database = 'other, postgres2'");
$node->restart;
($ret, $out, $err) = $node->psql($db, q{SELECT ehr_internal.audit_note('not_served')});
isnt($ret, 0, 'a database that ehr.database does not name is refused');
like($err, qr/ehr\.database/, 'the error names the setting');
is(failed_checks(), 'audit writer', 'self_check() shows it');
$node->append_conf('postgresql.conf', "ehr.database = 'other, postgres'");
$node->restart;
sql(q{SELECT ehr_internal.audit_note('served')});
is(count_of('served'), 1, 'one that it names is served');
is(failed_checks(), '', 'self_check() finds nothing');

# --- not preloaded
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$node->restart;
($ret, $out, $err) = $node->psql($db, q{SELECT ehr_internal.audit_note('not_preloaded')});
like($err, qr/shared_preload_libraries/, 'without preload the error names that setting');
is(failed_checks(), 'preload', 'self_check() shows it');
is(sql(q{SELECT mend FROM ehr.self_check() WHERE check_name = 'preload'}), 'ALTER SYSTEM SET shared_preload_libraries = ehr; -- and restart', 'with the command that mends it');

$node->stop;
done_testing();
