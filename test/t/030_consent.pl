# Sessions and consent from outside: restarts, kills, pooled connections, logs, dumps, a server without preload.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $tool = ($ENV{EHR_BUILD} // 'build') . '/bin/ehr-token';
plan skip_all => "no $tool (make tools)" unless -x $tool;

my $node = PostgreSQL::Test::Cluster->new('consent');
$node->init;
$node->append_conf('postgresql.conf', <<'CONF');
shared_preload_libraries = 'ehr'
ehr.token_issuer = 'https://id.example.vn'
ehr.token_audience = 'ehr'
fsync = off
restart_after_crash = on
log_min_duration_statement = 0
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
CONF
$node->start;
my $db = 'postgres';
sub sql { return $node->safe_psql($db, $_[0]); }

# --- keys and tokens as an issuer makes them
my $dir = $ENV{TESTDATADIR} // '/tmp';
my $jwk = "$dir/issuer.jwk";
sub tool { my $out = `$tool @_`; die "$tool @_" if $?; chomp $out; return $out; }
open my $f, '>', $jwk or die $!;
print $f tool('keygen');
close $f;
my $public = tool("public --key $jwk");
sub token { my ($kind, $sub, @more) = @_; return tool("sign --key $jwk --kid issuer-1 iss=https://id.example.vn aud=ehr ehr_kind=$kind sub=$sub @more"); }
my ($a, $b) = ('aaaaaaaa-0000-4000-8000-000000000001', 'bbbbbbbb-0000-4000-8000-000000000002');
my @doctor = ('clinician', 'dr-9', 'ehr_org=79009', 'ehr_purpose=TREAT');

sql("CREATE EXTENSION ehr; SELECT ehr.create_store(); SELECT ehr.add_session_key('issuer-1', '$public')");
sql("CREATE ROLE app LOGIN IN ROLE ehr_query");
sql(qq{
	INSERT INTO ehr_store.person (key, id) OVERRIDING SYSTEM VALUE VALUES (900001, '$a'), (900002, '$b');
	SELECT ehr_internal.store_write(jsonb_build_object('resourceType', 'Patient', 'id', p), '79001') FROM unnest('{pa,pb}'::text[]) AS p;
	INSERT INTO ehr_store.person_link (subject, person, method) SELECT key, CASE id WHEN 'pa' THEN 900001 ELSE 900002 END, 'new' FROM ehr_store.resource_key WHERE id IN ('pa', 'pb');
	SELECT ehr_internal.store_write(jsonb_build_object('resourceType', 'Observation', 'id', 'o' || i, 'status', 'final',
		'code', jsonb_build_object('text', 't'), 'subject', jsonb_build_object('reference', 'Patient/pa')), '79001') FROM generate_series(1, 9) AS i;
});

# one connection, kept open as a pooler keeps it; parameters go in as psql variables
my $app = $node->background_psql($db, extra_params => ['-U', 'app'], on_error_stop => 0);
sub app { my $out = $app->query($_[0]); return $out; }
my $count = 'SELECT count(*) FROM ehr_store.resource';

# --- the next client of a pooled connection is nobody
for my $end ('COMMIT', 'ROLLBACK', 'SELECT 1/0; COMMIT', 'DISCARD ALL')
{
	my $scope = $end eq 'DISCARD ALL' ? 'session' : 'transaction';
	my $t = token('citizen', $a);
	app('BEGIN') unless $scope eq 'session';
	app("SELECT ehr.login('$t', '$scope') \\gset");
	is(app($count), '10', "a citizen reads the own record, before $end");
	app($end);
	is(app("SELECT ehr.session() IS NULL, ($count)"), 't|0', "the next client is nobody after $end");
}

# --- a handle in every transaction, as behind a pooler, by several clients in turn
my %handle;
for my $who ([ 'a', 'citizen', $a ], [ 'b', 'citizen', $b ], [ 'd', @doctor ])
{
	my ($name, @claims) = @$who;
	$handle{$name} = app("SELECT ehr.login('" . token(@claims) . "')");
}
my %expected = (a => 10, b => 1, d => 0);
my $wrong = 0;
for my $i (1 .. 60)
{
	my $name = (qw(a b d))[ ($i * 7) % 3 ];
	app('BEGIN');
	app("SELECT ehr.attach('$handle{$name}')");
	$wrong++ if app($count) ne $expected{$name};
	app($i % 2 ? 'COMMIT' : 'ROLLBACK');
	$wrong++ if app($count) ne '0';
}
is($wrong, 0, 'sixty transactions of three clients over one connection, each sees its own');

# --- a withdrawal reaches another connection's rights at once
app('BEGIN'); app("SELECT ehr.attach('$handle{a}')");
my $consent = app("SELECT ehr.grant_consent('$a', 'practitioner:dr-9')");
app('COMMIT');
my $doc = $node->background_psql($db, extra_params => ['-U', 'app'], on_error_stop => 0);
$doc->query('BEGIN ISOLATION LEVEL REPEATABLE READ');
$doc->query("SELECT ehr.attach('$handle{d}')");
is($doc->query($count), '10', 'the doctor reads after the grant');
app('BEGIN'); app("SELECT ehr.attach('$handle{a}')"); app("SELECT ehr.withdraw_consent('$consent')"); app('COMMIT');
is($doc->query($count), '0', 'and nothing after the withdrawal, in the same REPEATABLE READ transaction');
$doc->query('COMMIT');

# --- every look is in the citizen's log, however it ended (attacks E01, E02)
app('BEGIN'); app("SELECT ehr.attach('$handle{a}')");
$consent = app("SELECT ehr.grant_consent('$a', 'practitioner:dr-9', 'type:Observation')");
app('COMMIT');
my $looks = "SELECT count(*) FROM ehr.access_log('$a') WHERE who = 'dr-9' AND kind = 'read'";
sub looks { app('BEGIN'); app("SELECT ehr.attach('$handle{a}')"); my $n = app($looks); app('COMMIT'); return $n; }
my $looked = looks();
for my $case (
	[ 'a plain read', $count ], [ 'a read in a READ ONLY transaction', "SET TRANSACTION READ ONLY; $count" ], [ 'a read by a function', "SELECT ehr.get('Observation', 'o1') IS NOT NULL" ],
	[ 'a read that fails afterwards', "SELECT count(*), 1 / (count(*) - 9) FROM ehr_store.resource" ], [ 'FETCH 1', 'DECLARE c CURSOR FOR SELECT id FROM ehr_store.resource; FETCH 1 FROM c' ],
	[ 'EXISTS', 'SELECT EXISTS (SELECT FROM ehr_store.resource)' ], [ 'COPY', 'COPY (SELECT id FROM ehr_store.resource) TO STDOUT' ],
	[ 'a function in a DO block', "DO \$\$ BEGIN PERFORM ehr.history('Observation', 'o2'); END \$\$" ])
{
	my ($what, $statement) = @$case;
	$doc->query('BEGIN'); $doc->query("SELECT ehr.attach('$handle{d}')"); $doc->query($statement); $doc->query('ROLLBACK');
	my $now = looks();
	is($now - $looked, 1, "$what, rolled back, is in the log once");
	$looked = $now;
}
$doc->query('BEGIN'); $doc->query("SELECT ehr.attach('$handle{d}')"); $doc->query("SELECT ehr.get('Patient', 'pa'), ehr.get('Patient', 'pb')"); $doc->query('COMMIT');
is(looks() - $looked, 0, 'what was not shown is not');
app('BEGIN'); app("SELECT ehr.attach('$handle{a}')"); app("SELECT ehr.withdraw_consent('$consent')"); app('COMMIT');
my $unbound = q{SELECT ehr_internal.audit_catch_up(); SELECT count(*) FROM ehr_store.audit_event WHERE kind = 'read unbound' AND relations LIKE '%resource%'};
my $before = sql($unbound) =~ s/^\n//r;
sql('SELECT count(*) FROM ehr_store.resource');
sql('COPY ehr_store.resource TO STDOUT');
is((sql($unbound) =~ s/^\n//r) - $before, 2, 'reads and COPY of a superuser are logged');

# --- logout elsewhere ends an attached session
$doc->query('BEGIN');
$doc->query("SELECT ehr.attach('$handle{b}')");
is($doc->query($count), '1', 'attached on two connections');
app('BEGIN'); app("SELECT ehr.attach('$handle{b}')"); app('SELECT ehr.logout()'); app('COMMIT');
is($doc->query("SELECT ehr.session() IS NULL, ($count)"), 't|0', 'a logout ends the session on the other one too');
$doc->query('ROLLBACK');

# --- what other sessions of the same role see (attack A19)
my $t = token(@doctor);
app("SELECT ehr.login('$t', 'session') \\gset");
is($doc->query("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%' || substr('$t', 1, 40) || '%' AND pid <> pg_backend_pid()"), '0', 'no token in pg_stat_activity');
app('SELECT ehr.detach()');
# bound parameters, as drivers send them, refused and accepted: not in the log, not even with every statement logged
my $log_before = -s $node->logfile;
append_to_file("$dir/login.sql", "SELECT ehr.login(:token);\n");
for my $token (token(@doctor), token(@doctor) =~ s/.$//r)
{
	my ($o, $e);
	IPC::Run::run([ 'pgbench', '-n', '-h', $node->host, '-p', $node->port, '-U', 'app', '-M', 'extended', '-t', '1', '-D', "token=$token", '-f', "$dir/login.sql", $db ], '>', \$o, '2>', \$e);
}
my $bound = substr(slurp_file($node->logfile), $log_before);
like($bound, qr/ehr\.login\(\$1\)/, 'logins with a bound token are in the log');
like($bound, qr/token refused/, 'one of them as refused');
unlike($bound, qr/eyJ/, 'without the token');

# --- the policy is answered by indexes, although it is a function (seen through auto_explain: EXPLAIN is refused)
SKIP:
{
	skip 'no auto_explain', 3 if $node->psql($db, q{LOAD 'auto_explain'}) != 0;
	my $doctor_token = token(@doctor);
	my ($r, $rows, $plan) = $node->psql($db, qq{
		BEGIN; SELECT ehr.login('$doctor_token'); LOAD 'auto_explain';
		SET client_min_messages = log; SET auto_explain.log_min_duration = 0; SET enable_seqscan = off; SET ROLE app;
		SELECT count(*) FROM ehr_store.resource; COMMIT});
	like($plan, qr/Index Cond: \(subject = ANY \(ehr\.readable\(\)\)\)/, 'consented rows by the index on subject');
	like($plan, qr/Index Cond: \(author = ehr\.row_author\(\)\)/, 'authored rows by the index on author');
	like($plan, qr/Index Cond: \(subject IS NULL\)/, 'rows about no patient by the index on subject');
}

# --- replay: not in another session, not after a restart, not after a crash (attack A12)
$t = token(@doctor);
isnt(app("SELECT ehr.login('$t')"), '', 'a token is good');
my ($ret, $out, $err) = $node->psql($db, "SELECT ehr.login('$t')", extra_params => ['-U', 'app']);
like($err, qr/token refused/, 'for one login');
$app->quit; $doc->quit;
$node->restart;
($ret, $out, $err) = $node->psql($db, "SELECT ehr.login('$t')", extra_params => ['-U', 'app']);
like($err, qr/token refused/, 'not for another after a restart');
($ret, $out, $err) = $node->psql($db, "SELECT ehr.attach('$handle{a}')", extra_params => ['-U', 'app']);
like($err, qr/session handle refused/, 'a handle ends with the server');
$t = token(@doctor);
my $h = $node->safe_psql($db, "SELECT ehr.login('$t')", extra_params => ['-U', 'app']);
my $victim = $node->background_psql($db, on_error_stop => 0);
kill 'KILL', $victim->query_safe('SELECT pg_backend_pid()');
eval { $victim->quit };
usleep(300_000);
$node->poll_query_until($db, 'SELECT true') or die;
($ret, $out, $err) = $node->psql($db, "SELECT ehr.login('$t')", extra_params => ['-U', 'app']);
like($err, qr/token refused/, 'not for another after kill -9 of a backend');
($ret, $out, $err) = $node->psql($db, "SELECT ehr.attach('$h')", extra_params => ['-U', 'app']);
like($err, qr/session handle refused/, 'and the handle is void');
# a torn record at the end of the file does no harm
append_to_file($node->data_dir . '/ehr_spent_tokens', 'torn');
$node->restart;
my $t2 = token(@doctor);
isnt($node->safe_psql($db, "SELECT ehr.login('$t2')", extra_params => ['-U', 'app']), '', 'a torn record is skipped');
$node->restart;
for my $spent ($t, $t2)
{
	($ret, $out, $err) = $node->psql($db, "SELECT ehr.login('$spent')", extra_params => ['-U', 'app']);
	like($err, qr/token refused/, 'the records before and after it hold');
}

# --- connection packet and configuration (attack A01)
for my $try ('-c ehr.session=x', '-c ehr.sub=x', '-c ehr.token_issuer=x')
{
	local $ENV{PGOPTIONS} = $try;
	($ret, $out, $err) = $node->psql($db, 'SELECT ehr.session() IS NULL', extra_params => ['-U', 'app']);
	ok($ret != 0 || $out eq 't', "PGOPTIONS $try makes nobody somebody");
}
$node->append_conf('postgresql.conf', "ehr.session = 'x'");
$node->reload;
usleep(200_000);
is($node->safe_psql($db, 'SELECT ehr.session() IS NULL'), 't', 'nor does the configuration file');
$node->adjust_conf('postgresql.conf', 'ehr.session', undef);
$node->reload;

# --- no token, no handle, no key in the log beyond the statements that this test itself wrote there as text
my $log = slurp_file($node->logfile);
my @lines = grep { /eyJ|\b[0-9a-f]{64}\b/ && !/LOG:.*statement: / } split /\n/, $log;
is(scalar @lines, 0, 'no message, detail or context has a token or handle') or diag("@lines[0..2]");

# --- without preload: an error that names the setting
$node->adjust_conf('postgresql.conf', 'shared_preload_libraries', "''");
$node->restart;
($ret, $out, $err) = $node->psql($db, "SELECT ehr.login('x')", extra_params => ['-U', 'app']);
like($err, qr/shared_preload_libraries/, 'login without preload names the setting');
($ret, $out, $err) = $node->psql($db, $count, extra_params => ['-U', 'app']);
like($err, qr/shared_preload_libraries/, 'so does reading');
is($out, '', 'and nothing is read');
is($node->safe_psql($db, q{SELECT '{"resourceType": "Patient"}'::ehr.fhir IS NOT NULL}), 't', 'types work without');

# --- dump and restore: the same refusals
$node->adjust_conf('postgresql.conf', 'shared_preload_libraries', "'ehr'");
$node->restart;
command_ok([ 'pg_dump', '-Fc', '-f', "$dir/consent.dump", '-h', $node->host, '-p', $node->port, $db ], 'dump');
$node->safe_psql($db, 'CREATE DATABASE restored');
command_ok([ 'pg_restore', '-h', $node->host, '-p', $node->port, '-d', 'restored', "$dir/consent.dump" ], 'restore');
my $restored = $node->background_psql('restored', extra_params => ['-U', 'app'], on_error_stop => 0);
is($restored->query($count), '0', 'restored: nobody reads nothing');
for my $case ([ 0, @doctor ], [ 10, 'citizen', $a ], [ 1, 'citizen', $b ])
{
	my ($n, @claims) = @$case;
	$restored->query('BEGIN');
	$restored->query("SELECT ehr.login('" . token(@claims) . "') \\gset");
	is($restored->query($count), $n, "restored: a $claims[0] reads $n");
	$restored->query('COMMIT');
}
$restored->quit;
is($node->safe_psql('restored', q{SELECT count(*) FROM pg_trigger WHERE tgname = 'consent_changed'}),
	$node->safe_psql($db, q{SELECT count(*) FROM pg_trigger WHERE tgname = 'consent_changed'}), 'the triggers are there');

$node->stop;
done_testing();
