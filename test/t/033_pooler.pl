# Behind PgBouncer in transaction mode, where transactions of many clients share one connection (attack A15).
use strict;
use warnings;

use EhrTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($bouncer) = grep { defined && -x } $ENV{EHR_PGBOUNCER}, (map { "$_/pgbouncer" } split(/:/, $ENV{PATH}), '/usr/sbin');
plan skip_all => 'there is no pgbouncer: apt-get install pgbouncer, or EHR_PGBOUNCER=its path' unless $bouncer;
plan skip_all => 'no ehr-token (make tools)' unless -x (($ENV{EHR_BUILD} // 'build') . '/bin/ehr-token');

my $node = ehr_node('pooled', 'max_connections = 30');
$node->safe_psql('postgres', 'CREATE DATABASE city');
$node->safe_psql('city', "CREATE EXTENSION ehr; SELECT ehr.create_store(); SELECT ehr.add_session_key('test', '" . issuer() . "'); CREATE ROLE app LOGIN IN ROLE ehr_query, ehr_app; ALTER ROLE app SET ehr.connection_sessions = off");
my @person = map { sprintf 'aaaaaaaa-0000-4000-8000-%012d', $_ } 1 .. 4;
for my $i (1 .. 4)
{
	$node->safe_psql('city', qq{
		INSERT INTO ehr_store.person (key, id) OVERRIDING SYSTEM VALUE VALUES (90000$i, '$person[$i - 1]');
		SELECT ehr_internal.store_write('{"resourceType": "Patient", "id": "p$i"}', '79001');
		INSERT INTO ehr_store.person_link (subject, person, method) SELECT key, 90000$i, 'new' FROM ehr_store.resource_key WHERE id = 'p$i';
		SELECT ehr_internal.store_write(jsonb_build_object('resourceType', 'Observation', 'id', 'p$i-o' || i, 'status', 'final', 'code', '{"text": "t"}'::jsonb,
			'subject', '{"reference": "Patient/p$i"}'::jsonb), '79001') FROM generate_series(1, $i) AS i});
}

my ($dir, $port) = (PostgreSQL::Test::Utils::tempdir_short(), $node->port + 1);
append_to_file("$dir/users", qq{"app" ""\n});
append_to_file("$dir/ini", "[databases]\ncity = host=@{[$node->host]} port=@{[$node->port]} dbname=city\n[pgbouncer]\nlisten_addr =\nlisten_port = $port\nunix_socket_dir = $dir\nauth_type = trust\nauth_file = $dir/users\n"
	. "pool_mode = transaction\ndefault_pool_size = 1\nmax_client_conn = 50\nlogfile = $dir/log\npidfile = $dir/pid\nserver_reset_query = DISCARD ALL\nignore_startup_parameters = extra_float_digits,options\n");
my ($out, $err) = ('', '');
my $running = IPC::Run::start([ $bouncer, "$dir/ini" ], '>', \$out, '2>', \$err);
for (1 .. 50) { last if -S "$dir/.s.PGSQL.$port"; select undef, undef, undef, 0.1; }
ok(-S "$dir/.s.PGSQL.$port", 'the pooler runs') or diag($err);

sub psql_through { my ($sql) = @_; my ($o, $e) = ('', ''); IPC::Run::run([ 'psql', '-X', '-q', '-A', '-t', '-h', $dir, '-p', $port, '-U', 'app', 'city' ], '<', \$sql, '>', \$o, '2>', \$e); chomp $o; return ($o, $e); }
my $count = 'SELECT count(*) FROM ehr_store.resource';
my @handle = map { (psql_through("SELECT ehr.login('" . token('citizen', $_) . "')"))[0] } @person;
is(scalar(grep { length == 64 } @handle), 4, 'four citizens log in over the one connection');
is((psql_through("SELECT ehr.session() IS NULL;\n$count"))[0], "t\n0", 'A15: the next client is nobody');
is((psql_through("BEGIN;\nSELECT FROM ehr.attach('$handle[2]') \\gset\n$count;\nCOMMIT;\n$count"))[0], "4\n0", 'A15: a transaction is one citizen\'s');

# many clients at once: each transaction sees its own citizen's rows, and statements between them none
my $script = "$dir/script";
append_to_file($script, "\\set i random(1, 4)\n\\if :i = 1\n\\set handle '$handle[0]'\n");
my $text = "\\set i random(1, 4)\n";
for my $i (1 .. 4)
{
	$text .= "\\if :i = $i\nBEGIN;\nSELECT ehr.attach('$handle[$i - 1]');\n$count \\gset\nSELECT 1 / (:count = $i + 1)::int;\n" . ($i % 2 ? 'COMMIT' : 'ROLLBACK') . ";\n$count \\gset\nSELECT 1 / (:count = 0)::int;\n\\endif\n";
}
unlink $script;
append_to_file($script, $text);
my ($bo, $be);
ok(IPC::Run::run([ 'pgbench', '-n', '-h', $dir, '-p', $port, '-U', 'app', '-c', '12', '-j', '2', '-t', '60', '-f', $script, 'city' ], '>', \$bo, '2>', \$be), 'A15: twelve clients, 720 transactions: nobody sees another\'s rows') or diag($be);
like($bo, qr{720/720}, 'all of them ran');

# a session that would stay on the connection
my ($so, $se) = psql_through("SELECT ehr.attach('$handle[0]', 'session')");
like($se, qr/a session ends with its transaction here/, 'none may stay on a shared connection');
like((psql_through('SET ehr.connection_sessions = on'))[1], qr/permission denied/, 'whatever the client sets');
is((psql_through($count))[0], '0', 'and none does');
# an error in the middle, a client that goes away in the middle
psql_through("BEGIN;\nSELECT ehr.attach('$handle[0]');\nSELECT 1 / 0;");
is((psql_through($count))[0], '0', 'nothing stays after an error');
my $victim = IPC::Run::start([ 'psql', '-X', '-q', '-h', $dir, '-p', $port, '-U', 'app', 'city', '-c', "BEGIN; SELECT ehr.attach('$handle[0]'); SELECT pg_sleep(20)" ], '>', \my $vo, '2>', \my $ve);
select undef, undef, undef, 0.5;
$victim->signal('KILL');
eval { $victim->finish };
$node->safe_psql('city', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app' AND state = 'active'");
is((psql_through($count))[0], '0', 'nor after a client was killed');
# logout of one ends him on all
is((psql_through("BEGIN;\nSELECT FROM ehr.attach('$handle[3]') \\gset\nSELECT FROM ehr.logout() \\gset\nCOMMIT;\nSELECT 1"))[0], '1', 'a logout');
like((psql_through("SELECT ehr.attach('$handle[3]')"))[1], qr/session handle refused/, 'ends the handle');

$running->signal('TERM');
eval { $running->finish };
$node->stop;
done_testing();
