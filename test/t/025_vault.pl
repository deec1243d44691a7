# The vault: root keys that must be refused, locked memory, nothing in the clear on disk, rotation through crashes, other hosts.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use EhrTest;
use File::Path qw(make_path);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $keys = PostgreSQL::Test::Utils::tempdir_short();
sub key_file
{
	my ($name, $text, $mode) = @_;
	my $path = "$keys/$name";
	unlink $path;
	open my $file, '>', $path or die $!;
	print $file $text;
	close $file;
	chmod $mode // 0600, $path or die $!;
	return $path;
}
sub random_key { open my $random, '<:raw', '/dev/urandom' or die $!; read $random, my $bytes, 32; return unpack 'H*', $bytes; }

my $node = ehr_node('vault', 'autovacuum = off', 'restart_after_crash = on', 'log_min_messages = info');
my $data = $node->data_dir;
my $db = 'postgres';
sub sql { return $node->safe_psql($db, $_[0]); }
# the error of a statement: its state and texts
sub refusal { my ($ret, $out, $err) = $node->psql($db, $_[0], extra_params => [ '-v', 'VERBOSITY=verbose' ]); return $ret == 0 ? "no error: $out" : $err; }
sub set_key { my ($name, $value) = @_; $node->adjust_conf('postgresql.conf', $_, undef) for qw(ehr.vault_key_file ehr.vault_key_command); $node->append_conf('postgresql.conf', "$name = '$value'") if $name; $node->restart; }

# --- no key
sql(q{CREATE EXTENSION ehr; SELECT ehr.create_store()});
for my $call ("ehr.seal('x', 'p/1')", "ehr.unseal('\\x00', 'p/1')", "ehr.blind_index('x', 'p')", 'ehr_internal.audit_seal()', 'ehr_internal.rotate_keys(NULL)')
{
	like(refusal("SELECT $call"), qr/55000: the vault has no root key\n.*ehr\.vault_key_file or ehr\.vault_key_command/s, "without a key: $call names the settings");
}
like(sql(q{SELECT mend FROM ehr.self_check() WHERE check_name = 'vault key' AND NOT ok}), qr/ehr\.vault_key_file/, 'and so does self_check()');
is(sql(q{SELECT count(*) FROM ehr_store.resource}), 0, 'what is not sealed can be read');

# --- keys that must be refused: the server starts, the vault does not
my $good = random_key();
make_path("$keys/folder");
key_file('outside', $good);
my $inside = "$data/root.key";
open my $file, '>', $inside or die $!; print $file $good; close $file; chmod 0600, $inside;
symlink $inside, "$keys/link_to_inside";
for my $case (
	[ 'a file inside the data directory', $inside, qr/lies in the data directory/ ],
	[ 'a link into the data directory', "$keys/link_to_inside", qr/lies in the data directory/ ],
	[ 'the same by a detour', "$data/../" . (split '/', $data)[-1] . '/root.key', qr/lies in the data directory/ ],
	[ 'a file that others may read', key_file('group', $good, 0640), qr/can be read by others/ ],
	[ 'a file that all may read', key_file('world', $good, 0604), qr/can be read by others/ ],
	[ 'a key one digit too short', key_file('short', substr($good, 1)), qr/64 hexadecimal digits/ ],
	[ 'a key one digit too long', key_file('long', $good . 'a'), qr/64 hexadecimal digits/ ],
	[ 'a key of other characters', key_file('letters', 'x' x 64), qr/64 hexadecimal digits/ ],
	[ 'an empty file', key_file('empty', ''), qr/64 hexadecimal digits/ ],
	[ 'nine keys', key_file('nine', join("\n", map { random_key() } 1 .. 9)), qr/more than 8 keys/ ],
	[ 'a missing file', "$keys/nowhere", qr/does not exist/ ],
	[ 'a folder', "$keys/folder", qr/no regular file/ ],
	[ 'a relative path', 'root.key', qr/not absolute/ ])
{
	my ($name, $path, $expect) = @$case;
	set_key('ehr.vault_key_file', $path);
	my $error = refusal(q{SELECT ehr.seal('x', 'p/1')});
	like($error, qr/F0000: the vault's root key cannot be used/, "$name is refused");
	like($error, $expect, '  with the reason');
	like($error, qr/HINT: .*ehr\.vault_key_file/, '  and the setting');
}
like(slurp_file($node->logfile), qr/LOG:  the vault's root key cannot be used/, 'the log has it too');
unlink $inside;
for my $case ([ 'exit 3', qr/failed/ ], [ 'echo nonsense', qr/64 hexadecimal digits/ ], [ "echo $good; exit 1", qr/failed/ ])
{
	set_key('ehr.vault_key_command', $case->[0]);
	like(refusal(q{SELECT ehr.seal('x', 'p/1')}), $case->[1], "a command is refused: $case->[0]" =~ s/$good/KEY/r);
}
$node->append_conf('postgresql.conf', "ehr.vault_key_file = '$keys/outside'");
$node->restart;
like(refusal(q{SELECT ehr.seal('x', 'p/1')}), qr/Both ehr\.vault_key_file and ehr\.vault_key_command are set/, 'both settings are refused');
like(refusal(q{SET ehr.vault_key_file = '/tmp/other'}), qr/55P02/, 'nobody changes it at run time');
is($node->safe_psql($db, q{SELECT count(*) FROM pg_settings WHERE name LIKE 'ehr.vault%'}, extra_params => [ '-U', $node->safe_psql($db, 'CREATE ROLE plain LOGIN; SELECT $$plain$$') ]), 0, 'an ordinary role does not see where it is');

# --- a good one, by command and by file
set_key('ehr.vault_key_command', "cat $keys/outside");
sql(q{SELECT ehr.create_store()});
my $sealed = sql(q{SELECT ehr.seal('opened', 'p/1')});
is(sql("SELECT ehr.unseal('$sealed', 'p/1')"), 'opened', 'a command gives the key');
set_key('ehr.vault_key_file', "$keys/outside");
is(sql("SELECT ehr.unseal('$sealed', 'p/1')"), 'opened', 'and so does a file');

# --- memory is locked; the key is in no log, no setting and no file
sub locked_kb { my ($pid) = @_; return slurp_file("/proc/$pid/status") =~ /^VmLck:\s+(\d+) kB/m ? $1 : 0; }
SKIP:
{
	skip 'the system lets no memory be locked here', 2 unless sql('SELECT locked FROM ehr.vault_status()') eq 't' && -e '/proc/self/status';
	cmp_ok(locked_kb((split /\n/, slurp_file("$data/postmaster.pid"))[0]), '>', 0, 'the root key\'s memory is locked');
	my $session = $node->background_psql($db);
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	$session->query_safe(q{SELECT ehr.seal('x', 'p/1')});
	cmp_ok(locked_kb($pid), '>', 0, 'and that of a backend\'s keys');
	$session->quit;
}
my $marker = '079' . join '', map { int rand 10 } 1 .. 9;
sql(qq{CREATE TABLE ehr_store.vt (id int PRIMARY KEY, v bytea, person uuid); COMMENT ON TABLE ehr_store.vt IS 'test'; ALTER TABLE ehr_store.vt OWNER TO ehr_owner;
	INSERT INTO ehr_store.sealed_column VALUES ('vt', 'v', 'id', 'person');
	INSERT INTO ehr_store.vt SELECT g, ehr.seal('$marker' || g, 'vt.v/' || g, CASE WHEN g <= 10 THEN '00000000-0000-4000-8000-000000000007'::uuid END),
		CASE WHEN g <= 10 THEN '00000000-0000-4000-8000-000000000007'::uuid END FROM generate_series(1, 3000) AS g; CHECKPOINT});
my $hits = qx(grep -rlaF -e $marker -e $good "$data" "@{[$node->logfile]}" 2>/dev/null);
is($hits, '', 'neither value nor key stands in a table, the WAL or the log');
$hits = qx(grep -rlaF "vt.v" "$data/pg_wal" 2>/dev/null);
isnt($hits, '', '(what is not sealed would be found)');
is(sql(q{SELECT count(*) FROM pg_settings WHERE setting ~ '[0-9a-f]{64}'}), 0, 'nor in a setting');

# --- rotation of the root key, through crashes
my $all_open = qq{SELECT count(*) FROM ehr_store.vt WHERE ehr.unseal(v, 'vt.v/' || id) = '$marker' || id};
my $index = sql(q{SELECT ehr.blind_index('x', 'p')});
my $public = sql(q{SELECT key FROM ehr_internal.audit_root()});
my $new = random_key();
key_file('outside', "$new\n$good\n");
$node->restart;
is(sql($all_open), 3000, 'values open before the rotation');
like(sql(q{SELECT mend FROM ehr.self_check() WHERE check_name = 'vault keys' AND NOT ok}), qr/rotate_keys/, 'self_check() says that it is due');
my $old_keys = sql('SELECT max(id) FROM ehr_store.vault_key');
sub opened { my ($ret, $out, $err) = $node->psql($db, $all_open); return $ret == 0 ? $out : $err; }
my $crashes = 0;
for my $round (1 .. 40)
{
	my $session = $node->background_psql($db, on_error_stop => 0);
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	my $left = $session->query_safe('SELECT remaining FROM ehr_internal.rotate_keys(400)');
	if ($left == 0) { $session->quit; last; }
	# the next step dies somewhere: with its backend, or with the whole server
	$session->{stdin} .= "SELECT remaining FROM ehr_internal.rotate_keys(400);\n";
	eval { $session->{run}->pump_nb; };
	usleep(int rand 30_000);
	if ($round % 3 == 0) { $node->stop('immediate'); $node->start; } else { kill 'KILL', $pid; }
	eval { $session->{run}->kill_kill };
	usleep(300_000);
	$node->poll_query_until($db, 'SELECT true') or die 'the server did not come up';
	$crashes++;
	is(opened(), 3000, "D07: every value opens after crash $crashes") if $round % 3 == 0 || $round < 3;
}
cmp_ok($crashes, '>', 3, "$crashes crashes");
is(sql('SELECT remaining FROM ehr_internal.rotate_keys(100000) LIMIT 1'), 0, 'D07: the rotation came to its end');
is(opened(), 3000, 'D07: every value opens');
is(sql("SELECT count(*) FROM ehr_store.vt WHERE ehr_internal.sealed_key(v) <= $old_keys"), 0, 'under a new key');
is(sql('SELECT count(*) FROM ehr_store.vault_key WHERE root <> ehr_internal.vault_root()'), 0, 'no key hangs on the old root');
is(sql(q{SELECT ehr.blind_index('x', 'p')}), $index, 'blind indexes are the same');
is(sql("SELECT ehr.unseal('$sealed', 'p/1')"), 'opened', 'and a value that is kept elsewhere opens');
key_file('outside', $new);
$node->restart;
is(sql($all_open), 3000, 'the old root key is not needed any more');
sql(q{SELECT ehr_internal.audit_note('after')});
is(sql(q{SELECT key FROM ehr_internal.audit_root()}), $public, 'roots of the log are signed by the same key');

# --- the wrong root key
key_file('outside', random_key());
$node->restart;
my $wrong = refusal("SELECT ehr.unseal('$sealed', 'p/1')");
like($wrong, qr/55000: the vault's keys were wrapped under another root key\nDETAIL:.*[0-9a-f]{16}.*\nHINT:.*ehr\.vault_key_file/s, 'D08: another root key is told, with what to do');
like(refusal(q{SELECT ehr.blind_index('x', 'p')}), qr/55000/, 'also for blind indexes');
key_file('outside', $new);
$node->restart;
is(sql($all_open), 3000, 'D08: nothing is lost by it');
sql(q{UPDATE ehr_store.vault_key SET wrapped = set_byte(wrapped, 40, get_byte(wrapped, 40) # 1) WHERE kind = 'i'});
like(refusal(q{SELECT ehr.blind_index('x', 'p')}), qr/XX001: a key of the vault is damaged/, 'a damaged key is told');
sql(q{UPDATE ehr_store.vault_key SET wrapped = set_byte(wrapped, 40, get_byte(wrapped, 40) # 1) WHERE kind = 'i'});
# a key that stands in another key's row
like(refusal(q{BEGIN; UPDATE ehr_store.vault_key a SET wrapped = b.wrapped FROM ehr_store.vault_key b WHERE a.kind = 'i' AND b.kind = 's'; SELECT ehr.blind_index('x', 'p')}), qr/XX001: a key of the vault is damaged/, 'and one put into another\'s place');

# --- erasure reaches every session at its next statement, in the middle of a transaction too
my $reader = $node->background_psql($db, on_error_stop => 0);
$reader->query_safe('BEGIN');
my ($of_person) = sql(q{SELECT v FROM ehr_store.vt WHERE id = 1});
is($reader->query_safe("SELECT ehr.unseal('$of_person', 'vt.v/1')"), "${marker}1", 'a session that holds the person\'s key');
cmp_ok(sql(q{SELECT ehr_internal.destroy_person_keys('{00000000-0000-4000-8000-000000000007}', 'test')}), '>=', 2, 'the keys are destroyed, retired ones too');
$reader->query("SELECT ehr.unseal('$of_person', 'vt.v/1')");
like($reader->{stderr}, qr/the key of this value has been destroyed/, 'cannot open it any more');
eval { $reader->quit };
is(sql("SELECT count(*) FROM ehr_store.vt WHERE id > 10 AND ehr.unseal(v, 'vt.v/' || id) = '$marker' || id"), 2990, 'others\' values open');
is(sql('SELECT remaining FROM ehr_internal.rotate_keys(NULL)'), 0, 'what cannot be opened does not stand in a rotation\'s way');

$node->stop;
done_testing();
