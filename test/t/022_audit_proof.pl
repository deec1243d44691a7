# Proofs of the audit log: signed roots on time and in their file, ehr_verify on what is exported, forks, months that go, crashes.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use EhrTest;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $dir = PostgreSQL::Test::Utils::tempdir_short();
open my $key_file, '>', "$dir/root.key" or die $!;
print $key_file '42' x 32;
close $key_file;
chmod 0600, "$dir/root.key";
my $roots = "$dir/roots.txt";
my $node = ehr_node('proof', "ehr.vault_key_file = '$dir/root.key'", "ehr.audit_root_period = 1", "ehr.audit_root_file = '$roots'", 'restart_after_crash = on',
	'log_min_messages = info', 'max_connections = 40');
my $db = 'postgres';
sub sql { return $node->safe_psql($db, $_[0]); }
sub note_some { my ($kind, $n) = @_; sql(qq{SELECT ehr_internal.audit_note('$kind', 'n ' || i, ARRAY[i]) FROM generate_series(1, $n) AS i}); return; }
sub problems { return sql(q{SELECT ehr_internal.audit_catch_up(); SELECT problem FROM ehr_internal.audit_verify()}) =~ s/^\n//r; }
sql(q{CREATE EXTENSION ehr; SELECT ehr.create_store()});

# the program that make installs
my $bin = $node->config_data('--bindir');
my ($program) = grep { -x } ("$bin/ehr_verify", ($ENV{EHR_TOP} // '.') . '/src/verify/ehr_verify');
ok($program, 'ehr_verify is installed');
my $key;
sub verify
{
	my ($text, @files) = @_;
	my ($out, $err);
	IPC::Run::run([ $program, '--key', $key, @files ], '<', \$text, '>', \$out, '2>', \$err);
	return ($? >> 8, "$out$err");
}
sub export { return sql(q{SELECT * FROM ehr_internal.audit_export(} . join(', ', map { $_ // 'NULL' } @_[ 0, 1 ]) . ')') . "\n"; }
sub holds { my ($name, $text, @files) = @_; my ($status, $out) = verify($text, @files); is($status, 0, $name) or diag $out; return $out; }
sub fails { my ($name, $expect, $text, @files) = @_; my ($status, $out) = verify($text, @files); is($status, 1, $name); like($out, $expect, '  with the reason'); return; }

# --- roots are signed on time, and written to their file
note_some('first', 1000);
ok($node->poll_query_until($db, q{SELECT count(*) > 0 FROM ehr_store.audit_root WHERE size >= 1000 AND exported IS NOT NULL}), 'a root is signed without being asked for');
like(slurp_file($roots), qr/^root [0-9a-f]{32} \d+ \d+ \d+ [0-9a-f]{64} [0-9a-f]{64} [0-9a-f]{64} [0-9a-f]{128}\n/, 'and appended to the file');
note_some('later', 10);
usleep(6_000_000);
is(sql(q{SELECT max(size) = (SELECT max(seq) FROM ehr_store.audit_event) FROM ehr_store.audit_root}), 't', 'one for what comes later, after the worker had ended');
# (looking into the tables is itself an entry)
usleep(6_000_000);
my $quiet = slurp_file($roots);
usleep(2_500_000);
is(slurp_file($roots), $quiet, 'and none when nothing was added');
$key = sql(q{SELECT encode(key, 'hex') FROM ehr_store.audit_root LIMIT 1});

# --- the verifier
my $log = export();
like(holds('the exported log', $log), qr/entries, \d+ roots/, 'what was checked is said');
holds('the log beside the roots that were kept elsewhere', $log, $roots, '-');
holds('a part of it', export(500, undef));
holds('an entry\'s proof', sql('SELECT * FROM ehr_internal.audit_proof_lines(77)') . "\n");
holds('proofs of many entries', sql('SELECT l FROM generate_series(1, 1000, 37) AS i, ehr_internal.audit_proof_lines(i) AS l') . "\n");
holds('consistency of all roots', sql('SELECT l FROM ehr_store.audit_root a, ehr_store.audit_root b, ehr_internal.audit_consistency(a.number, b.number) AS l WHERE a.number < b.number') . "\n");
my @lines = split /\n/, $log;
my ($tenth) = grep { $lines[$_] =~ /^entry 10 / } 0 .. $#lines;
sub with { my ($change) = @_; my @copy = @lines; $change->(\@copy); return join("\n", @copy) . "\n"; }
fails('a changed entry', qr/root 1 does not belong to these entries/, with(sub { $_[0][$tenth] =~ s/(.)$/$1 eq '0' ? '1' : '0'/e }));
fails('a removed entry', qr/entry 11 follows entry 9/, with(sub { splice @{ $_[0] }, $tenth, 1 }));
fails('entries in another order', qr/follows/, with(sub { @{ $_[0] }[ $tenth, $tenth + 1 ] = @{ $_[0] }[ $tenth + 1, $tenth ] }));
fails('an added entry', qr/does not belong|stands behind the entry/, with(sub { splice @{ $_[0] }, 1, 0, $_[0][1]; s/^entry (\d+) /'entry ' . ($1 + 1) . ' '/e for @{ $_[0] }[ 2 .. $#{ $_[0] } ] }));
fails('a log whose start was moved', qr/follows/, with(sub { shift @{ $_[0] }; unshift @{ $_[0] }, 'start 1 ' . '00' x 32 . ' ' . '00' x 32 }));
fails('a changed root', qr/signature of root 1 does not hold/, with(sub { s/^(root \w+ 1 \d+ )(\d)/$1 . ($2 == 8 ? 7 : 8)/e for @{ $_[0] } }));
fails('no root at all', qr/no signed root covers/, with(sub { @{ $_[0] } = grep { !/^root/ } @{ $_[0] } }));
fails('nonsense', qr/not a line/, $log . "entry\n");
my $right = $key;
$key = 'ab' x 32;
fails('the key of somebody else', qr/a key that was not given/, $log);
$key = $right;
my $proof = sql('SELECT * FROM ehr_internal.audit_proof_lines(77)') . "\n";
fails('a proof of another entry', qr/proof of entry 78 does not hold/, $proof =~ s/^(entry|inclusion) 77 /$1 78 /mgr);
fails('a proof with another hash', qr/does not hold/, $proof =~ s/^(inclusion 77 \d+ )(\w)/$1 . ($2 eq 'a' ? 'b' : 'a')/mer);
my ($nothing) = verify('');
is($nothing, 2, 'nothing at all is not called sound');

# --- tampering in the database, chain and all: the roots tell
sql(q{SELECT * FROM ehr_internal.audit_root()});
my $rewrite = q{
	UPDATE ehr_store.audit_event SET purpose = 'FORGED' WHERE seq = 500;
	WITH RECURSIVE again AS (
		SELECT e.seq, e.hash FROM ehr_store.audit_event e WHERE e.seq = 499
		UNION ALL
		SELECT e.seq, ehr_internal.audit_hash(a.hash, 0::int2, e.seq, ehr_internal.audit_entry(e.at, e.kind, e.intent, e.query_id, e.sub, e.org, e.purpose, e.sid, e.role, e.relations, e.detail, e.name, e.subjects))
		FROM again a JOIN ehr_store.audit_event e ON e.seq = a.seq + 1)
	UPDATE ehr_store.audit_event e SET hash = a.hash FROM again a WHERE a.seq = e.seq;
	UPDATE ehr_store.audit_position SET hash = (SELECT hash FROM ehr_store.audit_event ORDER BY seq DESC LIMIT 1);};
my $tampered = sql("BEGIN; LOCK TABLE ehr_store.audit_position; $rewrite SELECT problem FROM ehr_internal.audit_verify(); ROLLBACK");
unlike($tampered, qr/the entry or the one before it was changed/, '(in which the chain alone finds nothing)');
like($tampered, qr/root \d+ does not belong to these entries/, 'a log whose whole chain was written anew is found by its roots');
like(sql(q{BEGIN; UPDATE ehr_store.audit_root SET size = size - 1 WHERE number = 1; SELECT problem FROM ehr_internal.audit_verify(); ROLLBACK}), qr/signature of root 1 does not hold/, 'a changed root is found');
like(sql(q{BEGIN; DELETE FROM ehr_store.audit_root WHERE number = 1; SELECT problem FROM ehr_internal.audit_verify(); ROLLBACK}), qr/root 2 does not follow/, 'a removed root is found');
like(sql(q{BEGIN; UPDATE ehr_store.audit_tree SET hash = set_byte(hash, 0, get_byte(hash, 0) # 1) WHERE level = 8 AND index = 0; SELECT problem FROM ehr_internal.audit_verify(); ROLLBACK}), qr/node 0 of level 8/, 'a changed node of the tree is found');
like(sql(q{BEGIN; INSERT INTO ehr_store.audit_event SELECT 1, seq, at, kind, intent, query_id, sub, org, purpose, sid, role, relations, detail, name, subjects, hash, part FROM ehr_store.audit_event WHERE seq = 1; SELECT problem FROM ehr_internal.audit_verify(); ROLLBACK}), qr/chain that nobody writes/, 'and so is another chain');
like(sql(q{BEGIN; UPDATE ehr_store.audit_root SET exported = NULL, at = at - interval '1 hour' WHERE number = 1; SELECT detail FROM ehr.self_check() WHERE check_name = 'audit roots' AND NOT ok; ROLLBACK}),
	qr/^1 signed roots could not be written to ehr.audit_root_file/m, 'a root that does not come into its file is told by self_check()');
is(problems(), '', 'nothing of it stayed');

# --- E06: an older backup is restored and goes on: the roots kept elsewhere tell
sql(q{SELECT * FROM ehr_internal.audit_root()});
$node->stop;
system('cp', '-a', $node->data_dir, "$dir/older") == 0 or die;
$node->start;
note_some('after the backup', 300);
sql(q{SELECT * FROM ehr_internal.audit_root()});
ok($node->poll_query_until($db, q{SELECT count(*) = 0 FROM ehr_store.audit_root WHERE exported IS NULL}), 'roots are in their file');
$node->stop;
rename $node->data_dir, "$dir/newer" or die $!;
rename "$dir/older", $node->data_dir or die $!;
my $kept = slurp_file($roots);
open my $own, '>', "$dir/kept.txt" or die $!;
print $own $kept;
close $own;
$node->start;
note_some('another story', 400);
sql(q{SELECT * FROM ehr_internal.audit_root()});
ok($node->poll_query_until($db, q{SELECT count(*) = 0 FROM ehr_store.audit_root WHERE exported IS NULL}), 'its roots are in the file, too');
fails('E06: a restored backup that went on', qr/the log was forked|does not belong to these entries/, export(), "$dir/kept.txt", '-');
is(problems(), '', '(which the database alone cannot know)');
$node->stop;
system('rm', '-rf', $node->data_dir) == 0 or die;
rename "$dir/newer", $node->data_dir or die $!;
$node->start;
holds('the log that was not turned back', export(), "$dir/kept.txt", '-');

# --- months: entries of the past, removed when their time is over; proofs of the rest go on
$node->append_conf('postgresql.conf', 'ehr.audit_root_period = 0');
$node->reload;
sql(q{CREATE DATABASE months});
$db = 'months';
sql(q{CREATE EXTENSION ehr; SELECT ehr.create_store()});
# (the import takes the month from the entry: the clock is wound forward by moving what is there into the past)
note_some('long ago', 700);
is(problems(), '', 'whole');
sql(q{ALTER TABLE ehr_store.audit_event DETACH PARTITION ehr_store.audit_event_} . sql('SELECT max(part) FROM ehr_store.audit_event') . q{;
	DO $$ DECLARE p text := (SELECT 'audit_event_' || part FROM ehr_store.audit_position); BEGIN
		EXECUTE format('ALTER TABLE ehr_store.%I RENAME TO audit_event_202001', p);
		UPDATE ehr_store.audit_event_202001 SET part = 202001;
		ALTER TABLE ehr_store.audit_event ATTACH PARTITION ehr_store.audit_event_202001 FOR VALUES FROM (202001) TO (202002);
		UPDATE ehr_store.audit_position SET part = 202001;
	END $$});
note_some('today', 500);
is(problems(), '', 'an entry of another month makes a part of its own');
is(sql(q{SELECT count(*) FROM pg_inherits WHERE inhparent = 'ehr_store.audit_event'::regclass}), 2, 'there are two');
is(sql(q{SELECT count(*) FROM pg_class WHERE relname LIKE 'audit_event_2%' AND relkind = 'r' AND relnamespace = 'ehr_store'::regnamespace AND relrowsecurity AND relforcerowsecurity AND relowner = 'ehr_owner'::regrole AND obj_description(oid, 'pg_class') IS NOT NULL}), 2, 'secured like all tables');
sub refusal { my ($ret, $out, $err) = $node->psql($db, $_[0], extra_params => [ '-v', 'VERBOSITY=verbose' ]); return $ret == 0 ? "no error: $out" : $err; }
like(refusal(q{SELECT * FROM ehr_internal.audit_retire(current_date)}), qr/55000: the audit log has to be kept longer/, 'what the law keeps stays');
like(refusal(q{SELECT * FROM ehr_internal.audit_retire('2020-06-01')}), qr/55000: no signed root covers/, 'what no root covers stays');
sql(q{SELECT * FROM ehr_internal.audit_root()});
$key = sql(q{SELECT encode(key, 'hex') FROM ehr_store.audit_root LIMIT 1});
ok($node->poll_query_until($db, q{SELECT count(*) = 0 FROM ehr_store.audit_root WHERE exported IS NULL}), 'a root that was asked for is exported, though none are made by the clock');
is(scalar(grep { index(slurp_file($roots), $_) >= 0 } split /\n/, sql(q{SELECT ehr_internal.audit_root_line(number) FROM ehr_store.audit_root})), sql('SELECT count(*) FROM ehr_store.audit_root'),
	'as it stands');
sql(q{BEGIN; SELECT ehr_internal.audit_note('not yet'); SELECT * FROM ehr_internal.audit_root(); ROLLBACK});
sql(q{BEGIN; SET synchronous_commit = off; SELECT ehr_internal.audit_note('now'); SELECT * FROM ehr_internal.audit_root(); SELECT pg_sleep(0.5); COMMIT});
ok($node->poll_query_until($db, q{SELECT count(*) = 0 FROM ehr_store.audit_root WHERE exported IS NULL}), 'and when its transaction has committed');
is(sql(q{SELECT count(*) FROM ehr_store.audit_root}), 2, 'no other is signed for it');
# a file that cannot be written: tried again
rename $roots, "$roots.away" or die $!;
mkdir $roots or die $!;
sql(q{SELECT ehr_internal.audit_note('unwritable'); SELECT * FROM ehr_internal.audit_root()});
for (1 .. 100) { last if slurp_file($node->logfile) =~ /could not append signed roots/; usleep(100_000); }
is(sql(q{SELECT count(*) FROM ehr_store.audit_root WHERE exported IS NULL}), 1, 'a root that cannot be exported waits');
rmdir $roots or die $!;
rename "$roots.away", $roots or die $!;
ok($node->poll_query_until($db, q{SELECT count(*) = 0 FROM ehr_store.audit_root WHERE exported IS NULL}), '  and goes out when its file is there again');
my $before = export();
my $retired = sql(q{SELECT * FROM ehr_internal.audit_retire('2020-06-01')});
like($retired, qr/^202001\|(\d+)$/, 'a month goes');
my ($gone) = $retired =~ /\|(\d+)/;
is(sql('SELECT min(seq) FROM ehr_store.audit_event'), $gone + 1, 'its entries are gone');
is(problems(), '', 'the rest is whole');
note_some('tomorrow', 300);
sql(q{SELECT * FROM ehr_internal.audit_root()});
is(problems(), '', 'and goes on');
like(holds('the rest as an export', export()), qr/begins behind entry $gone/, 'which says where it begins');
holds('proofs of what stayed', sql(qq{SELECT l FROM generate_series($gone + 1, $gone + 700, 13) AS i, ehr_internal.audit_proof_lines(i) AS l}) . "\n");
holds('consistency over the gap', sql('SELECT * FROM ehr_internal.audit_consistency(1, 2)') . "\n");
holds('the older export with the later roots', $before . join('', map { "$_\n" } grep { /^root/ } split /\n/, export()));
like(refusal(q{SELECT * FROM ehr_internal.audit_proof_lines(5)}), qr/P0002/, 'a retired entry has no proof any more');
sql(q{DELETE FROM ehr_store.audit_position; SELECT ehr.create_store()});
is(problems(), '', 'a lost position is made again, tree and all');
$db = 'postgres';

# --- kill -9 loops: what was acknowledged is there, the chain and the tree are whole, roots never fork
$node->append_conf('postgresql.conf', "ehr.audit_root_period = 1\nehr.audit_segment_size = 64");
$node->restart;
my $acknowledged = 0;
for my $round (1 .. 6)
{
	my @clients = map { $node->background_psql($db, on_error_stop => 0) } 1 .. 4;
	my @pids = map { $_->query_safe('SELECT pg_backend_pid()') } @clients;
	for my $c (@clients) { $c->query_safe(qq{SELECT ehr_internal.audit_note('acked', 'n', ARRAY[i]) FROM generate_series(1, 50) AS i}); $acknowledged += 50; }
	# the next batch is under way when they die
	for my $c (@clients) { $c->{stdin} .= "SELECT ehr_internal.audit_note('unknown', 'n', ARRAY[i]) FROM generate_series(1, 5000) AS i;\n"; eval { $c->{run}->pump_nb; }; }
	usleep(int rand 60_000);
	if ($round % 2) { kill 'KILL', $pids[ int rand 4 ]; }
	else { my ($pid) = split /\n/, slurp_file($node->data_dir . '/postmaster.pid'); kill 'KILL', $pid; usleep(200_000); }
	eval { $_->{run}->kill_kill } for @clients;
	usleep(300_000);
	if ($round % 2) { $node->poll_query_until($db, 'SELECT true') or die 'the server did not come up'; }
	else
	{
		# its children end by themselves
		for (1 .. 100) { last unless grep { kill 0, $_ } @pids; usleep(100_000); }
		$node->{_pid} = undef;
		$node->start;
	}
	sql('SELECT ehr_internal.audit_catch_up()');
	is(sql(q{SELECT count(*) FROM ehr_store.audit_event WHERE kind = 'acked'}), $acknowledged, "round $round: what was acknowledged is there, once");
	is(problems(), '', '  and all is whole');
}
sql(q{SELECT * FROM ehr_internal.audit_root()});
$key = sql(q{SELECT encode(key, 'hex') FROM ehr_store.audit_root LIMIT 1});
holds('the log after all crashes, with the roots of all times', export(), "$dir/kept.txt", '-');
# the file has roots of two databases, and those of the backup that went on
my $log_id = sql(q{SELECT replace(id::text, '-', '') FROM ehr_store.audit_log});
my $months_key = $node->safe_psql('months', q{SELECT encode(key, 'hex') FROM ehr_store.audit_root LIMIT 1});
fails('E06: the file of all roots', qr/the log was forked/, '', '--key', $months_key, '--log', $log_id, $roots);
ok($node->poll_query_until('months', q{SELECT count(*) = 0 FROM ehr_store.audit_root WHERE exported IS NULL}), 'the roots of the other database are in the file, too');
my ($status, $said) = verify('', '--key', $months_key, '--log', $node->safe_psql('months', q{SELECT replace(id::text, '-', '') FROM ehr_store.audit_log}), $roots);
is($status, 0, 'and of the other database alone') or diag $said;

$node->stop;
done_testing();
