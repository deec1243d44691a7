# The attacks of doc/attacks.md on sessions and row security, one subtest each, named by its id (test/perl/EhrAttacks.pm).
use strict;
use warnings;

use EhrAttacks;
use EhrTest;
use IO::Socket::UNIX;
use JSON::PP;
use Math::BigInt;
use MIME::Base64 qw(encode_base64url decode_base64url);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

plan skip_all => "no $tool (make tools)" unless -x $tool;
attacks_node('attacks', 'log_statement = all', 'log_parameter_max_length = 0', 'log_parameter_max_length_on_error = 0', 'max_prepared_transactions = 5', 'wal_level = logical');

# ---- A: sessions and tokens

attack A01 => 'settings make nobody somebody', sub {
	my $handle = handle(\@doctor);
	for my $try ("SET ehr.session = '$handle'", "SELECT set_config('ehr.session', '$handle', false)", "ALTER ROLE app SET ehr.session = '$handle'", "ALTER DATABASE $db SET ehr.session = '$handle'",
		"SET ehr.sub = 'dr-1'", "SELECT set_config('ehr.session', '$handle', true), x FROM generate_series(1, 3) AS x", "UPDATE pg_settings SET setting = '$handle' WHERE name = 'ehr.session'")
	{
		my ($out, $err) = app("BEGIN;\n$try;\n$count;\nCOMMIT;\n$count");
		unlike($out, qr/^1[0-9]$/m, $try =~ s/\Q$handle\E/.../r);
	}
	local $ENV{PGOPTIONS} = "-c ehr.session=$handle";
	my ($ret, $out, $err) = $node->psql($db, $count, extra_params => [ '-U', 'app' ]);
	unlike($out, qr/^1[0-9]$/m, 'PGOPTIONS');
	delete local $ENV{PGOPTIONS};
	# not even with a superuser's privileges
	($ret, $out, $err) = $node->psql($db, "SELECT set_config('ehr.session', '$handle', false); SET ROLE app; $count", on_error_stop => 0);
	unlike($out, qr/^1[0-9]$/m, 'a superuser');
};

attack A03 => 'without a token nothing', sub {
	for my $relation (qw(resource resource_history))
	{
		is_deeply([ app("SELECT count(*) FROM ehr_store.$relation WHERE subject IS NOT NULL") ], [ '0', '' ], $relation);
	}
	is_deeply([ app("SELECT ehr.get('Observation', 'p1-o1') IS NULL, count(*) FROM ehr.history('Observation', 'p1-o1')") ], [ 't|0', '' ], 'as if there were none');
	my (undef, $err) = app(qq{SELECT ehr.put('{"resourceType": "Patient", "id": "p1"}')});
	like($err, qr/ERROR/, 'no writing');
	unlike($err, qr/HIDDENWORD|p1-o/, 'no hint');
};

attack A04 => 'the header does not choose the algorithm', sub {
	my $x = decode_json(issuer())->{x};
	for my $alg ('none', 'None', 'HS256', 'ES256', 'RS256', 'eddsa', 'EDDSA', 'ed25519', 'EdDSA ', 'Ed448')
	{
		login_refused(tool_token($alg), "alg $alg, signed with the right key");
	}
	for my $header ('{"alg":"none","kid":"test"}', '{"kid":"test"}', '{"alg":null,"kid":"test"}', '{"alg":"EdDSA"}', '{"alg":"EdDSA","kid":"other"}', '{"alg":"EdDSA","kid":"test","crit":["b64"],"b64":false}', '{"alg":"EdDSA","alg":"none","kid":"test"}')
	{
		my (undef, $p, $s) = parts(token(@doctor));
		login_refused(join('.', encode_base64url($header), encode_base64url($p), $_), "$header, " . ($_ eq '' ? 'no signature' : 'a signature')) for '', encode_base64url($s);
	}
	# the public key's bytes as a shared secret
	my $secret = scratch() . '/hs.jwk';
	open my $f, '>', $secret or die $!; print $f qq({"kty":"oct","k":"$x"}); close $f;
	login_refused(EhrTest::captured($tool, 'sign', '--key', $secret, '--kid', 'test', 'iss=https://id.example.vn', 'aud=ehr', 'ehr_kind=clinician', 'sub=dr-1'), 'HS256 with the public key');
	isnt(handle(\@doctor), '', 'a token as it should be is taken');
	isnt((app("SELECT ehr.login('" . tool_token('Ed25519') . "')"))[0], '', 'under either name of its algorithm');
};

attack A05 => 'no bit of a token may change', sub {
	my $t = token(@doctor);
	my ($out, $err) = app(qq{DO \$\$
		DECLARE t bytea := '$t'; bad bytea; taken int := 0; asked int := 0;
		BEGIN
			FOR i IN 0 .. length(t) * 8 - 1 LOOP
				bad := set_bit(t, i, 1 - get_bit(t, i));
				CONTINUE WHEN bad !~~ '%' AND get_byte(bad, i / 8) = 0;
				BEGIN
					asked := asked + 1;
					PERFORM ehr.login(convert_from(bad, 'LATIN1'));
					taken := taken + 1;
				EXCEPTION WHEN OTHERS THEN NULL;
				END;
			END LOOP;
			RAISE NOTICE 'asked %, taken %', asked, taken;
		END \$\$});
	like($err, qr/asked [1-9][0-9]{3}, taken 0/, 'every bit');
};

attack A06 => 'malleable signatures and weak keys', sub {
	my $t = token(@doctor);
	my ($h, $p, $s) = split /\./, $t;
	my $raw = decode_base64url($s);
	my $l = Math::BigInt->new('7237005577332262213973186563042994240857116359379907606001950938285454250989');
	my $big = Math::BigInt->from_hex(unpack 'H*', scalar reverse substr $raw, 32)->badd($l);
	my $high = scalar reverse pack 'H*', sprintf '%064s', $big->to_hex;
	login_refused("$h.$p." . encode_base64url(substr($raw, 0, 32) . $high), 'S + L');
	login_refused("$h.$p." . encode_base64url("\0" x 64), 'a signature of zeros');
	login_refused("$h.$p." . encode_base64url(("\xff" x 32) . substr($raw, 32)), 'R that is no point');
	for my $weak ("\0" x 32, "\1" . "\0" x 31, ("\xff" x 31) . "\x7f", pack('H*', '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05'), pack('H*', 'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f'))
	{
		my ($ret, $out, $err) = $node->psql($db, q[SELECT ehr.add_session_key('weak', '{"kty":"OKP","crv":"Ed25519","x":"] . encode_base64url($weak) . q["}')]);
		like($err, qr/cannot be used/, 'weak key ' . unpack 'H*', $weak);
	}
};

attack A07 => 'one spelling of a token', sub {
	my $t = token(@doctor);
	my ($h, $p, $s) = split /\./, $t;
	my $last = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
	# 64 bytes end in a character of which four bits say nothing
	my $other = substr $last, index($last, substr $s, -1) ^ 1, 1;
	my %bad = ('padding' => "$h.$p.$s==", 'padding inside' => "$h=.$p.$s", 'trailing bits' => "$h.$p." . substr($s, 0, -1) . $other, 'a space before' => " $t", 'a line break behind' => "$t\n", 'a line break inside' => "$h\n.$p.$s",
		'two dots' => "$h.$p", 'four dots' => "$t..", 'an empty part' => "$h..$s", 'plus and slash' => "$h.$p." . ($s =~ tr/_-/\/+/r), 'the signature cut' => "$h.$p." . substr($s, 0, -4), 'nine kilobytes' => "$h." . ('A' x 9000) . ".$s");
	$bad{'plus and slash'} = "+$t" if $bad{'plus and slash'} eq $t;
	login_refused($bad{$_}, $_) for sort keys %bad;
	isnt((app("SELECT ehr.login('$t')"))[0], '', 'and then the token itself is taken');
};

attack A09 => 'a session ends at its token\'s exp', sub {
	my $t = EhrTest::captured($tool, 'sign', '--key', scratch() . '/issuer.jwk', '--kid', 'test', '--ttl', '2', 'iss=https://id.example.vn', 'aud=ehr', 'ehr_kind=clinician', 'sub=dr-1', 'ehr_org=79009', 'ehr_purpose=TREAT');
	my ($out) = app("SELECT FROM ehr.login('$t', 'session') \\gset\nPREPARE p AS $count;\nEXECUTE p;\nSELECT pg_sleep(3) \\g /dev/null\n$count;\nEXECUTE p;\nSELECT ehr.session() IS NULL, ehr.get('Observation', 'p1-o1') IS NULL");
	is($out, "10\n0\n0\nt|t", 'rows before, none after');
};

attack A12 => 'a token is good for one login', sub {
	my $t = token(@doctor);
	isnt((app("SELECT ehr.login('$t')"))[0], '', 'one');
	login_refused($t, 'in a second backend');
	my $undone = token(@doctor);
	app("BEGIN; SELECT ehr.login('$undone'); ROLLBACK");
	login_refused($undone, 'nor after a rollback');
	$node->restart;
	login_refused($t, 'after a restart');
	$node->stop('immediate');
	$node->start;
	login_refused($t, 'after a crash');
};

attack A16 => 'what resets a connection ends its session', sub {
	for my $reset ('DISCARD ALL', 'RESET ALL')
	{
		is((doctor("$count;\n$reset;\n$count;\nSELECT ehr.session() IS NULL"))[0], "10\n0\nt", $reset);
	}
	# another role: the same session or nobody's, never another's
	is((doctor("SET ROLE ehr_app;\nSELECT ehr.session() ->> 'sub';\nRESET ROLE;\nRESET SESSION AUTHORIZATION;\nSELECT ehr.session() ->> 'sub'"))[0], "dr-1\ndr-1", 'SET ROLE changes nothing about it');
	my $handle = handle(\@doctor);
	my ($out, $err) = app("SELECT ehr.attach('$handle', 'session');\n$count", 'peer');
	like($err, qr/session handle refused/, 'a handle is the login role\'s alone');
	is($out, '0', 'and another\'s is nobody');
};

attack A17 => 'rollback, savepoint, error and two-phase commit', sub {
	my $handle = handle(\@doctor);
	is((app("BEGIN;\nSAVEPOINT s;\nSELECT FROM ehr.attach('$handle') \\gset\n$count;\nROLLBACK TO s;\n$count;\nCOMMIT;\n$count"))[0], "10\n0\n0", 'ROLLBACK TO');
	is((app("BEGIN;\nSELECT FROM ehr.attach('$handle', 'session') \\gset\nSELECT 1 / 0;\nROLLBACK;\n$count"))[0], '0', 'an error');
	my (undef, $err) = app("BEGIN;\nSELECT FROM ehr.attach('$handle') \\gset\nPREPARE TRANSACTION 'x'");
	like($err, qr/cannot PREPARE a transaction that has a session/, 'PREPARE TRANSACTION');
	is(su('SELECT count(*) FROM pg_prepared_xacts'), '0', 'none is left');
};

attack A19 => 'tokens do not stand where peers look', sub {
	my $t = token(@doctor);
	my $one = $node->background_psql($db, extra_params => [ '-U', 'app' ], on_error_stop => 0);
	$one->query("SELECT ehr.login('$t', 'session')");
	my $key = substr $t, 0, 60;
	is((app("SELECT count(*) FROM pg_stat_activity WHERE strpos(query, '$key') > 0 AND pid <> pg_backend_pid()"))[0], '0', 'pg_stat_activity of the same role');
	is((app("SELECT count(*) FROM pg_settings WHERE setting LIKE '%' || substr('$t', 10, 30) || '%'"))[0], '0', 'pg_settings');
	$one->quit;
	# as drivers send it, refused and taken
	my $from = -s $node->logfile;
	append_to_file(scratch() . '/login.sql', "SELECT ehr.login(:token);\n");
	for my $token (token(@doctor), token(@doctor) =~ s/.$//r)
	{
		my ($o, $e);
		IPC::Run::run([ 'pgbench', '-n', '-h', $node->host, '-p', $node->port, '-U', 'app', '-M', 'extended', '-t', '1', '-D', "token=$token", '-f', scratch() . '/login.sql', $db ], '>', \$o, '2>', \$e);
	}
	my $log = substr slurp_file($node->logfile), $from;
	like($log, qr/ehr\.login\(\$1\)/, 'bound logins are in the log');
	unlike($log, qr/eyJ/, 'without the token');
};

# ---- B: row security

attack B02 => 'what may run before row security', sub {
	is(su(q{SELECT string_agg(p.oid::regprocedure::text, ' ') FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
		WHERE p.proleakproof AND p.pronamespace IN ('ehr'::regnamespace, 'ehr_internal'::regnamespace) AND (l.lanname NOT IN ('c', 'internal') OR p.provolatile <> 'i')}), '', 'leakproof functions are C and immutable');
	# a user's function on rows is asked after the policy, however cheap it says that it is
	my ($out, $err) = app(q{CREATE FUNCTION free.leak(text) RETURNS bool LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN RAISE WARNING 'saw %', $1; RETURN true; END $$;
		SELECT count(*) FROM ehr_store.resource WHERE free.leak(id) AND subject IS NOT NULL});
	unlike($err, qr/saw p/, 'a cheap function sees no hidden row');
};

attack B05 => 'hidden and absent answer alike', sub {
	for my $call (q{ehr.get('Observation', 'ID')}, q{ehr.get('Observation', 'ID', 1)}, q{(SELECT count(*) FROM ehr.history('Observation', 'ID'))}, q{ehr.remove('Observation', 'ID')},
		q{ehr.explain_access('Observation', 'ID')}, q{ehr.put('{"resourceType": "Observation", "id": "ID", "status": "final", "code": {"text": "t"}}', 7)})
	{
		my @answer = map { my $c = $call =~ s/ID/$_/r; my ($out, $err) = doctor("\\set VERBOSITY sqlstate\nBEGIN;\nSELECT $c;\nROLLBACK"); "$out $err" =~ s/psql:<stdin>:\d+: //r } 'p2-o1', 'p9-o1';
		is($answer[0], $answer[1], $call);
	}
	# a reference to a hidden patient is taken or refused as one to an absent patient
	my @answer = map { my ($out, $err) = doctor(qq{\\set VERBOSITY verbose\nBEGIN;\nSELECT ehr.post('{"resourceType": "Observation", "status": "final", "code": {"text": "t"}, "subject": {"reference": "Patient/$_"}}') IS NOT NULL;\nROLLBACK}); "$out $err" } 'p2', 'p9';
	is($answer[0], $answer[1], 'a reference to a hidden and to an absent patient');
};

attack B06 => 'errors name no values', sub {
	for my $sql (q{SELECT ehr.post('{"resourceType": "Patient", "gender": "HIDDENWORD"}')}, q{SELECT '{"resourceType": "Patient", "birthDate": "HIDDENWORD"}'::ehr.fhir},
		q{INSERT INTO ehr_store.resource (key, type, id, version, author, epoch) VALUES (1, 1, 'HIDDENWORD', 1, 'x', 1)})
	{
		my ($out, $err) = doctor("\\set VERBOSITY verbose\n$sql");
		like($err, qr/ERROR/, "refused: $sql" =~ s/HIDDENWORD/.../r);
		unlike($err =~ s/^(LINE|QUERY|STATEMENT).*$//mgr, qr/HIDDENWORD|Failing row|Key \(/, 'without the value');
	}
};

attack B07 => 'EXPLAIN', sub {
	refused("EXPLAIN SELECT * FROM ehr_store.resource WHERE id = 'p2-o1'", 42501);
	refused("EXPLAIN (ANALYZE) SELECT * FROM ehr_store.resource WHERE id = 'p2-o1'", 42501);
	refused("PREPARE p AS $count; EXPLAIN EXECUTE p", 42501);
	refused("EXPLAIN SELECT 1 WHERE EXISTS (SELECT FROM ehr_store.resource_history)", 42501);
	refused("DO \$\$ DECLARE t text; BEGIN FOR t IN EXPLAIN ANALYZE $count LOOP RAISE NOTICE '%', t; END LOOP; END \$\$", 42501);
	refused("LOAD 'auto_explain'", 42501);
};

attack B08 => 'statistics', sub {
	is((doctor("SELECT count(*) FROM pg_stats WHERE schemaname = 'ehr_store' AND tablename <> 'store_info'"))[0], '0', 'pg_stats');
	refused('SELECT * FROM pg_statistic', 42501);
	refused('SELECT * FROM pg_statistic_ext_data', 42501);
	refused("SELECT * FROM pgstattuple('ehr_store.resource')", '42(501|883)');
};

attack B09 => 'what lies behind a table', sub {
	my $toast = su("SELECT reltoastrelid::regclass FROM pg_class WHERE oid = 'ehr_store.resource'::regclass");
	refused("SELECT * FROM $toast", 42501);
	# a child of a table of the store is protected as soon as create_store() has run
	su('CREATE TABLE ehr_store.child () INHERITS (ehr_store.resource); INSERT INTO ehr_store.child SELECT * FROM ehr_store.resource WHERE id = \'p2-o1\'; GRANT SELECT ON ehr_store.child TO ehr_query; SELECT ehr_internal.secure_store()');
	is((doctor('SELECT count(*) FROM ehr_store.child'))[0], '0', 'a child by itself');
	su('DROP TABLE ehr_store.child');
};

attack B11 => 'the owner', sub {
	is(su("SET ROLE ehr_owner; $count"), '0', 'row security binds the owner');
	is(su("SET ROLE ehr_owner; SELECT count(*) FROM ehr_store.consent"), '0', 'of every table');
	my ($ret, $out, $err) = $node->psql($db, 'ALTER ROLE ehr_owner BYPASSRLS');
	($ret, $out, $err) = $node->psql($db, "SELECT ehr.get('Observation', 'p1-o1')");
	like($err, qr/not bound by row security/, 'an owner that it does not bind is not used');
	su('ALTER ROLE ehr_owner NOBYPASSRLS');
};

attack B12 => 'row_security off', sub {
	refused("SET row_security = off;\n$count", 42501);
	my ($o, $e);
	ok(!IPC::Run::run([ 'pg_dump', '-h', $node->host, '-p', $node->port, '-U', 'app', '--data-only', '-t', 'ehr_store.resource', $db ], '>', \$o, '2>', \$e), 'pg_dump as an application');
	unlike($o, qr/HIDDENWORD/, 'dumps nothing');
	IPC::Run::run([ 'pg_dump', '-h', $node->host, '-p', $node->port, '-U', 'app', '--data-only', '--enable-row-security', '-t', 'ehr_store.resource', $db ], '>', \$o, '2>', \$e);
	unlike($o, qr/HIDDENWORD/, 'nor with --enable-row-security');
};

attack B13 => 'COPY and files', sub {
	is((app('COPY ehr_store.resource TO STDOUT'))[0], '', 'COPY shows nobody nothing');
	unlike((doctor('COPY (SELECT id FROM ehr_store.resource) TO STDOUT'))[0], qr/p2/, 'nor a session hidden rows');
	refused($_, 42501) for 'COPY ehr_store.resource FROM STDIN', "COPY ehr_store.resource TO PROGRAM 'cat'", "COPY (SELECT 1) TO '/tmp/x'", "SELECT pg_read_file('PG_VERSION')", "SELECT lo_export(1, '/tmp/x')";
};

attack B14 => 'writing round the functions', sub {
	refused($_, 42501) for 'UPDATE ehr_store.resource SET subject = 1', "UPDATE ehr_store.resource r SET author = 'x' FROM ehr_store.resource s WHERE s.key = r.key RETURNING r.*",
		"MERGE INTO ehr_store.resource r USING (SELECT 1) AS x ON true WHEN MATCHED THEN UPDATE SET labels = 0", 'BEGIN; DECLARE c CURSOR FOR SELECT * FROM ehr_store.resource; FETCH c; UPDATE ehr_store.resource SET labels = 0 WHERE CURRENT OF c',
		"INSERT INTO ehr_store.consent (person, deny, grantee, scope, labels, purpose, valid, given_by) VALUES (900002, false, 'practitioner:dr-1', 'all', -1, 'TREAT', '[,)', 'x')",
		"INSERT INTO ehr_store.compiled_right (consent, line, grantee, person, deny, valid) VALUES (gen_random_uuid(), 0, 'practitioner:dr-1', 900002, false, '[,)')", 'SELECT * FROM ehr_store.resource FOR UPDATE';
	# with table rights that a DBA gave away there is still no policy that lets a row in or changes one
	su('GRANT INSERT, UPDATE, DELETE ON ehr_store.resource TO app');
	my ($out, $err) = doctor("UPDATE ehr_store.resource SET subject = 1;\nDELETE FROM ehr_store.resource;\nINSERT INTO ehr_store.resource (key, type, id, version, author, epoch, seq) VALUES (1, 1, 'x', 1, 'x', 1, 1)");
	like($err, qr/violates row-level security/, 'INSERT with a grant');
	is(su("SELECT count(*) FROM ehr_store.resource WHERE id LIKE 'p_-o%'"), '18', 'UPDATE and DELETE with a grant touch nothing');
	su('REVOKE INSERT, UPDATE, DELETE ON ehr_store.resource FROM app');
	# through the functions: another's row, and a row moved to another patient
	refused(q{SELECT ehr.put('{"resourceType": "Observation", "id": "p2-o1", "status": "final", "code": {"text": "t"}, "subject": {"reference": "Patient/p1"}}')}, 42501, 'taking a hidden row over to another patient');
	my $mine = (doctor(q{SELECT ehr.post('{"resourceType": "Observation", "status": "final", "code": {"text": "t"}, "subject": {"reference": "Patient/p1"}}') ->> 'id'}))[0];
	my $theirs = as_session($node, $db, 'app', [ 'clinician', 'dr-2', ehr_org => '79002', ehr_purpose => 'TREAT' ],
		qq{SELECT count(*) FROM ehr_store.resource WHERE id = '$mine'});
	is($theirs, '0', 'another facility does not see it');
	my ($o, $e) = app("SELECT FROM ehr.login('" . token('clinician', 'dr-2', ehr_org => '79002', ehr_purpose => 'TREAT') . "', 'session') \\gset\n\\set VERBOSITY sqlstate\n" . qq{SELECT ehr.put('{"resourceType": "Observation", "id": "$mine", "status": "final", "code": {"text": "t"}, "subject": {"reference": "Patient/p2"}}')});
	like($e, qr/42501/, 'nor moves it to another patient');
	su("DELETE FROM ehr_store.resource WHERE id = '$mine'");
};

attack B15 => 'commands that tell or hurt', sub {
	refused($_, 42501) for 'DELETE FROM ehr_store.resource', 'TRUNCATE ehr_store.resource', 'BEGIN; LOCK TABLE ehr_store.resource IN ACCESS EXCLUSIVE MODE', 'BEGIN; LOCK TABLE ehr_store.resource IN SHARE MODE', 'CREATE STATISTICS free.s ON subject, labels FROM ehr_store.resource',
		'CREATE TRIGGER t AFTER INSERT ON ehr_store.resource FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()', 'CREATE RULE r AS ON SELECT TO ehr_store.resource DO INSTEAD SELECT 1', 'CREATE POLICY p ON ehr_store.resource USING (true)',
		'CREATE INDEX ON ehr_store.resource (id)', 'ALTER TABLE ehr_store.resource DISABLE ROW LEVEL SECURITY', 'CREATE TABLE free.f (k bigint REFERENCES ehr_store.resource)', 'CREATE TABLE free.i () INHERITS (ehr_store.resource)', 'COMMENT ON TABLE ehr_store.resource IS NULL';
	my (undef, $err) = doctor('ANALYZE ehr_store.resource; VACUUM ehr_store.resource; CLUSTER ehr_store.resource USING resource_pkey');
	like($err, qr/(only .* owner|permission denied|skipping)/, 'ANALYZE, VACUUM, CLUSTER');
};

attack B16 => 'plans that last', sub {
	my ($other, $citizen) = (handle([ 'clinician', 'dr-2', ehr_org => '79002', ehr_purpose => 'TREAT' ]), handle([ 'citizen', $p2 ]));
	my $doctor = handle(\@doctor);
	my $sql = "CREATE FUNCTION pg_temp.inlined() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM ehr_store.resource'; CREATE FUNCTION pg_temp.kept() RETURNS bigint LANGUAGE plpgsql AS \$\$ BEGIN RETURN (SELECT count(*) FROM ehr_store.resource); END \$\$;\n";
	for my $mode (qw(force_generic_plan force_custom_plan auto))
	{
		my $script = "$sql SET plan_cache_mode = $mode;\nPREPARE p AS $count;\nPREPARE c AS WITH w AS MATERIALIZED (SELECT * FROM ehr_store.resource) SELECT count(*) FROM w WHERE EXISTS (SELECT FROM w);\n";
		$script .= "BEGIN;\nSELECT FROM ehr.attach('$_') \\gset\nEXECUTE p;\nEXECUTE c;\nSELECT pg_temp.inlined();\nSELECT pg_temp.kept();\nCOMMIT;\nEXECUTE p;\nSELECT pg_temp.kept();\n" for ($doctor, $other, $citizen) x 3;
		my $got = (app($script))[0];
		is($got, join("\n", (map { ($_) x 4, 0, 0 } (10, 0, 10) x 3)), $mode);
	}
	# as another role of the same connection
	is((doctor("PREPARE p AS $count;\nEXECUTE p;\nSET ROLE ehr_query;\nEXECUTE p;\nSELECT ehr.detach() \\g /dev/null\nEXECUTE p;\nRESET ROLE;\nEXECUTE p"))[0], "10\n10\n0\n0", 'SET ROLE between');
};

attack B18 => 'a snapshot that is older than the withdrawal', sub {
	my $doctor = $node->background_psql($db, extra_params => [ '-U', 'app' ], on_error_stop => 0);
	for my $level ('REPEATABLE READ', 'SERIALIZABLE')
	{
		su("UPDATE ehr_store.consent SET status = 'active', withdrawn = NULL WHERE grantee = 'practitioner:dr-1'");
		$doctor->query("BEGIN ISOLATION LEVEL $level");
		$doctor->query("SELECT FROM ehr.login('" . token(@doctor) . "') \\gset");
		is($doctor->query($count), '10', "$level: before");
		my $snapshot = $doctor->query('SELECT pg_export_snapshot()');
		$doctor->query("DECLARE c CURSOR FOR SELECT id FROM ehr_store.resource ORDER BY id; FETCH 1 FROM c");
		su("UPDATE ehr_store.consent SET status = 'withdrawn', withdrawn = now() WHERE grantee = 'practitioner:dr-1'");
		is($doctor->query($count), '0', "$level: after");
		is($doctor->query('FETCH 5 FROM c'), '', "$level: nor at the next FETCH");
		my $handle = handle(\@doctor);
		is((app("BEGIN ISOLATION LEVEL $level;\nSET TRANSACTION SNAPSHOT '$snapshot';\nSELECT FROM ehr.attach('$handle') \\gset\n$count;\nCOMMIT"))[0], '0', "$level: nor by an exported snapshot");
		$doctor->query('ROLLBACK');
	}
	$doctor->quit;
	su("UPDATE ehr_store.consent SET status = 'active', withdrawn = NULL WHERE grantee = 'practitioner:dr-1'");
};

attack B19 => 'replication', sub {
	refused($_, 42501) for 'CREATE PUBLICATION p FOR TABLE ehr_store.resource', 'CREATE PUBLICATION p FOR ALL TABLES', "SELECT pg_create_logical_replication_slot('s', 'test_decoding')", "SELECT pg_logical_slot_get_changes('s', NULL, NULL)", "CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p";
};

attack B21 => 'numbers that count', sub {
	refused($_, 42501) for 'SELECT last_value FROM ehr_store.change_seq', 'SELECT last_value FROM ehr_store.resource_key_key_seq', "SELECT nextval('ehr_store.change_seq')", "SELECT currval('ehr_store.change_seq')", 'SELECT * FROM ehr_store.resource_key';
	like((doctor("SELECT ehr.session() ->> 'sid'"))[0], qr/^[0-9a-f]{16}$/, 'names of sessions are random');
	is(su("SELECT count(*) FROM ehr_store.person WHERE key < 900000 AND substr(id::text, 15, 1) <> '4'"), '0', 'ids of persons are random');
};

attack B24 => 'time of hidden and absent', sub {
	my %us;
	for (1 .. 3)
	{
		for my $id ('p2-o1', 'p9-o1')
		{
			my ($out, $err) = doctor("DO \$\$ DECLARE start timestamptz := clock_timestamp(); BEGIN FOR i IN 1 .. 5000 LOOP PERFORM FROM ehr_store.resource WHERE type = 96 AND id = '$id'; END LOOP; RAISE NOTICE 'us %', extract(epoch FROM clock_timestamp() - start) * 200; END \$\$");
			push @{ $us{$id} }, $err =~ /us ([0-9.]+)/;
		}
	}
	my ($hidden, $absent) = map { (sort { $a <=> $b } @{ $us{$_} })[0] } 'p2-o1', 'p9-o1';
	diag(sprintf 'hidden %.2f us, absent %.2f us: reported, not judged (doc/attacks.md)', $hidden, $absent);
	ok($hidden > 0 && $absent > 0, 'measured');
};

# ---- further ones that the list does not name

attack X01 => 'views and functions that lend a superuser\'s sight', sub {
	su("CREATE VIEW free.lent AS SELECT id FROM ehr_store.resource; CREATE FUNCTION free.lent_too() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER AS \$\$ BEGIN RETURN (SELECT count(*) FROM ehr_store.resource); END \$\$; GRANT SELECT ON free.lent TO app");
	refused('SELECT * FROM free.lent', 42501);
	refused('SELECT free.lent_too()', 42501);
	is((app('SELECT count(*) FROM free.lent'))[0], '', 'nor without a session');
	su('DROP VIEW free.lent; DROP FUNCTION free.lent_too()');
};

attack X02 => 'copies that outlive the session', sub {
	refused($_, 42501) for 'CREATE TEMP TABLE x AS SELECT id FROM ehr_store.resource', "SELECT id INTO TEMP x FROM ehr_store.resource", 'CREATE MATERIALIZED VIEW free.x AS SELECT id FROM ehr_store.resource', "CREATE TEMP TABLE x AS SELECT ehr.get('Observation', 'p1-o1')",
		'CREATE TEMP TABLE x (id text); INSERT INTO x SELECT id FROM ehr_store.resource', 'CREATE TEMP TABLE x (id text); WITH w AS (INSERT INTO x SELECT id FROM ehr_store.resource RETURNING 1) SELECT 1 FROM w',
		'BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT id FROM ehr_store.resource; COMMIT';
};

# the least of the extended protocol, to take a result in pieces
sub wire
{
	my ($socket, @messages) = @_;
	print $socket join '', map { my ($type, $body) = @$_; ($type // '') . pack('N', 4 + length $body) . $body } @messages;
	$socket->flush;
	my @answers;
	while (read $socket, my $head, 5)
	{
		my ($type, $len) = unpack 'aN', $head;
		my $body = '';
		read $socket, $body, $len - 4 if $len > 4;
		push @answers, [ $type, $body ];
		last if $type eq 'Z';
	}
	return @answers;
}

attack X03 => 'the rest of a result that lies in a portal', sub {
	my $socket = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $node->host . '/.s.PGSQL.' . $node->port) or die $!;
	wire($socket, [ undef, pack('N', 196608) . "user\0app\0database\0$db\0\0" ]);
	wire($socket, [ Q => "BEGIN\0" ]);
	wire($socket, [ Q => "SELECT ehr.login('" . token(@doctor) . "')\0" ]);
	wire($socket, [ Q => "PREPARE q AS SELECT id FROM ehr_store.resource\0" ]);
	wire($socket, [ Q => "DECLARE c CURSOR FOR SELECT id FROM ehr_store.resource\0" ]);
	my $piece = sub { my ($statement, $portal, $rows) = @_; return ([ P => "\0$statement\0" . pack('n', 0) ], [ B => "$portal\0\0" . pack('nnn', 0, 0, 0) ], [ E => "$portal\0" . pack('N', $rows) ], [ S => '' ]); };
	my $rows = sub { return scalar grep { $_->[0] eq 'D' } @_; };
	is($rows->(wire($socket, $piece->('EXECUTE q', 'whole', 0))), 10, 'EXECUTE, taken whole');
	is($rows->(wire($socket, $piece->('SELECT id FROM ehr_store.resource', 'direct', 3))), 3, 'a query, in pieces');
	is($rows->(wire($socket, $piece->('EXECUTE q', 'kept', 3))), 3, 'EXECUTE, in pieces');
	is($rows->(wire($socket, $piece->('FETCH 8 FROM c', 'fetched', 8))), 8, 'FETCH, taken whole');
	su("UPDATE ehr_store.consent SET status = 'withdrawn', withdrawn = now() WHERE grantee = 'practitioner:dr-1'");
	is($rows->(wire($socket, [ E => "direct\0" . pack('N', 3) ], [ S => '' ])), 0, 'no more of the query after the withdrawal');
	my @answers = wire($socket, [ E => "kept\0" . pack('N', 3) ], [ S => '' ]);
	is($rows->(@answers), 0, 'no more of EXECUTE either');
	ok((grep { $_->[0] eq 'E' && $_->[1] =~ /C55000/ } @answers), 'and that is an error, not an end');
	su("UPDATE ehr_store.consent SET status = 'active', withdrawn = NULL WHERE grantee = 'practitioner:dr-1'");
};

attack X04 => 'objects in the way of names', sub {
	# a temporary table or a function of the caller's in front of ours
	my ($out) = doctor("CREATE TEMP TABLE resource (id text); CREATE TEMP TABLE consent (id text); CREATE FUNCTION pg_temp.may_read_row(bigint, bigint, bigint[], int2, int, text, date) RETURNS bool LANGUAGE sql AS 'SELECT true';
		CREATE SCHEMA IF NOT EXISTS free; CREATE FUNCTION free.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT now() - interval ''9 years'''; SET search_path = pg_temp, free, ehr_store, ehr, pg_catalog;
		SELECT count(*) FROM ehr_store.resource;\nSELECT ehr.get('Observation', 'p2-o1') IS NULL");
	is($out, "10\nt", 'ours are meant');
};

attack X05 => 'parallel workers', sub {
	my $parallel = 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET force_parallel_mode = on; SET enable_indexscan = off; SET enable_bitmapscan = off; SET parallel_leader_participation = off;';
	$parallel =~ s/force_parallel_mode/debug_parallel_query/ if $node->pg_version >= 16;
	is((app("$parallel $count"))[0], '0', 'without a session');
	is((doctor("$parallel $count"))[0], '10', 'as a doctor');
	my $before = su("SELECT ehr_internal.audit_catch_up(); SELECT count(*) FROM ehr_store.audit_event WHERE kind IN ('read', 'decide')") =~ s/^\n//r;
	doctor("$parallel $count");
	is((su("SELECT ehr_internal.audit_catch_up(); SELECT count(*) FROM ehr_store.audit_event WHERE kind IN ('read', 'decide')") =~ s/^\n//r) - $before, 1, 'one entry');
	is(su("SELECT count(DISTINCT s) FROM ehr_store.audit_event e, unnest(subjects) AS s WHERE kind = 'admit' AND e.intent = (SELECT max(intent) FROM ehr_store.audit_event WHERE kind = 'read')"), '1', 'with the patient whom a worker saw');
};

no_such_attack();
$node->stop;
done_testing();
