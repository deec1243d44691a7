# The attacks of doc/attacks.md on consent, keys, the log, figures and the server itself, one subtest each, named by its id
# (test/perl/EhrAttacks.pm).
use strict;
use warnings;

use EhrAttacks;
use EhrTest;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

plan skip_all => "no $tool (make tools)" unless -x $tool;
my $keys = PostgreSQL::Test::Utils::tempdir_short();
open my $key_file, '>', "$keys/root.key" or die $!;
print $key_file '42' x 32;
close $key_file;
chmod 0600, "$keys/root.key" or die $!;
attacks_node('attacks_data', "ehr.vault_key_file = '$keys/root.key'", 'max_connections = 90', 'restart_after_crash = on');

# as(WHO, SQL): what a session prints and says, until the end of its connection
sub as { my ($who, $sql) = @_; return app("SELECT FROM ehr.login('" . token(@$who) . "', 'session') \\gset\n$sql"); }
sub says { my ($who, $sql) = @_; return (as($who, $sql))[0]; }
sub state_of { my ($who, $sql) = @_; my ($out, $err) = as($who, "\\set VERBOSITY sqlstate\n$sql"); return $err =~ /ERROR:  (\w{5})/ ? $1 : "no error: $out"; }
my @p2 = ('citizen', $p2, ehr_purpose => 'PATRQT');
my @other = ('clinician', 'dr-7', ehr_org => '79007', ehr_purpose => 'TREAT', name => 'Dr Seven');
my @author = ('clinician', 'dr-0', ehr_org => '79001', ehr_purpose => 'TREAT');
my @admin = ('admin', 'ad', ehr_purpose => 'HOPERAT');
my $of_p2 = q{SELECT count(*) FROM ehr_store.resource WHERE id LIKE 'p2%'};
# ends what stands of P2
sub reopen { su("DELETE FROM ehr_store.consent WHERE person = 900002; SELECT count(ehr_internal.store_remove('Consent', k.id, '79001')) FROM ehr_store.resource_key k JOIN ehr_store.resource r ON r.key = k.key WHERE k.type = ehr_internal.type_number('Consent') AND NOT r.deleted"); return; }
sub consent
{
	my ($id, $provision, %more) = @_;
	return encode_json({ resourceType => 'Consent', id => $id, status => 'active', scope => { coding => [ { system => 'http://terminology.hl7.org/CodeSystem/consentscope', code => 'patient-privacy' } ] },
		category => [ { coding => [ { system => 'http://loinc.org', code => '59284-0' } ] } ], patient => { reference => 'Patient/p2' }, policyRule => { text => 'as stated' }, provision => $provision, %more });
}
sub put_consent { return as(\@p2, "SELECT ehr.put('" . consent(@_) . "') IS NOT NULL"); }
my %actor = (actor => [ { role => { coding => [ { system => 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType', code => 'PRCP' } ] }, reference => { reference => 'Practitioner/dr-7' } } ]);

# ---- C: consent

attack C02 => 'a permit and a denial of the same kind, in any order', sub {
	my %sql = (permit => "SELECT ehr.grant_consent('$p2', 'practitioner:dr-7') IS NOT NULL;", deny => "SELECT ehr.deny_consent('$p2', 'practitioner:dr-7') IS NOT NULL;");
	for my $order ([ 'permit', 'deny' ], [ 'deny', 'permit' ])
	{
		as(\@p2, join "\n", map { $sql{$_} } @$order);
		is(says(\@other, $of_p2), '0', "@$order: the denial");
		reopen();
		put_consent("c-$_", { type => $_, %actor }) for @$order;
		is(says(\@other, $of_p2), '0', "@$order as Consents: the denial");
		reopen();
	}
	as(\@p2, $sql{permit});
	is(says(\@other, $of_p2), '10', 'the permit alone opens');
	reopen();
};

attack C03 => 'Consents that are not active', sub {
	for my $status (qw(draft proposed rejected inactive entered-in-error))
	{
		put_consent('c', { type => 'permit', %actor }, status => $status);
		is(says(\@other, $of_p2), '0', "$status: no permit");
	}
	put_consent('c', { type => 'permit', %actor });
	is(says(\@other, $of_p2), '10', 'active: a permit');
	put_consent('d', { type => 'deny', %actor }, status => 'entered-in-error');
	is(says(\@other, $of_p2), '10', 'a denial that was entered in error vanishes');
	put_consent('d', { type => 'deny', %actor });
	is(says(\@other, $of_p2), '0', 'active: a denial');
	reopen();
};

attack C04 => 'the edges of periods', sub {
	my $ends = sub {
		my ($period) = @_;
		my $doc = consent('c', { type => 'permit', period => $period });
		return su("SELECT starts AT TIME ZONE 'UTC', ends AT TIME ZONE 'UTC' FROM ehr_internal.consent_provisions(ehr_internal.consent_compile('$doc', ehr_internal.consent_vocabulary()))");
	};
	is($ends->({ start => '2024-02-29', end => '2024-02-29' }), '2024-02-28 17:00:00|2024-02-29 17:00:00', 'a leap day, in Vietnam');
	is($ends->({ start => '2025', end => '2025-06' }), '2024-12-31 17:00:00|2025-06-30 17:00:00', 'a year and a month');
	is($ends->({ start => '2025-01-01T00:00:00+07:00', end => '2025-01-01T23:59:59+07:00' }), '2024-12-31 17:00:00|2025-01-01 17:00:00', 'up to the end of its last second');
	is($ends->({ start => '2025-01-01' }), '2024-12-31 17:00:00|infinity', 'without an end');
	# from its start on, up to and not including its end
	su(q{INSERT INTO ehr_store.consent (person, deny, grantee, scope, labels, purpose, valid, given_by)
		VALUES (900002, false, 'practitioner:dr-7', 'all', -1, 'TREAT', tstzrange(clock_timestamp() + interval '1 s', clock_timestamp() + interval '2.5 s'), 'test')});
	my ($start, $end) = split /\|/, su("SELECT extract(epoch FROM lower(valid)), extract(epoch FROM upper(valid)) FROM ehr_store.consent WHERE person = 900002");
	is(says(\@other, "$of_p2;\nSELECT pg_sleep(greatest(0, $start - extract(epoch FROM clock_timestamp()))) \\g /dev/null\n$of_p2;\nSELECT pg_sleep(greatest(0, $end - extract(epoch FROM clock_timestamp()))) \\g /dev/null\n$of_p2"),
		"0\n10\n0", 'before, in and after a period, in one connection');
	reopen();
};

attack C06 => 'what a Consent says in words that are not understood', sub {
	my %unknown = (purpose => { purpose => [ { system => 'http://terminology.hl7.org/CodeSystem/v3-ActReason', code => 'FUN' } ] }, class => { class => [ { system => 'urn:unknown', code => 'x' } ] },
		label => { securityLabel => [ { system => 'urn:unknown', code => 'x' } ] }, action => { action => [ { coding => [ { system => 'urn:unknown', code => 'x' } ] } ] }, code => { code => [ { text => 'x' } ] });
	for my $what (sort keys %unknown)
	{
		put_consent('c', { type => 'permit', %actor, %{ $unknown{$what} } });
		is(says(\@other, $of_p2), '0', "an unknown $what permits nothing");
		put_consent('c', { type => 'permit', %actor });
		put_consent('d', { type => 'deny', %actor, %{ $unknown{$what} } });
		is(says(\@other, $of_p2), '0', "and denies");
		reopen();
	}
	my (undef, $err) = as(\@p2, "SELECT ehr.grant_consent('$p2', 'practitioner:dr-7', 'all', 'FUN')");
	like($err, qr/known purpose/, 'nor is one granted for an unknown purpose');
};

attack C10 => 'birthdays', sub {
	my $guardian = 'cccccccc-0000-4000-8000-000000000003';
	su(qq{INSERT INTO ehr_store.person (key, id) OVERRIDING SYSTEM VALUE VALUES (900003, '$guardian');
		INSERT INTO ehr_store.representation (person, by_person, relation, scope, labels, valid, basis, evidence, recorded_by) VALUES (900002, 900003, 'parent', 'all', -1, '[2000-01-01,)', 'test', '{"x": 1}', 'test')});
	my $today = q{(clock_timestamp() AT TIME ZONE 'Asia/Ho_Chi_Minh')::date};
	for my $case ([ '17 years and 364 days', "to_char($today - interval '18 years' + interval '1 day', 'YYYY-MM-DD')", 10, 'together' ], [ '18 years today', "to_char($today - interval '18 years', 'YYYY-MM-DD')", 0, 'alone' ],
		[ 'the year alone', "to_char($today - interval '18 years', 'YYYY')", 0, 'together' ], [ 'no birth date', 'NULL', 0, 'alone' ])
	{
		my ($what, $born, $rows, $child) = @$case;
		su("SELECT ehr_internal.store_write(jsonb_strip_nulls(jsonb_build_object('resourceType', 'Patient', 'id', 'p2', 'birthDate', $born)), '79001')");
		is(says([ 'citizen', $guardian, ehr_purpose => 'FAMRQT' ], $of_p2), $rows, "$what: the parent reads $rows rows");
		is(su("SELECT ehr_internal.decides('$p2', 900002)"), $child, "... and the child decides $child");
	}
	is(su("SELECT upper(ehr_internal.age_window('2008-07-15', '2008-07-15', 7, 18)) AT TIME ZONE 'UTC'"), '2026-07-14 17:00:00', 'at midnight in Vietnam');
	su(q{DELETE FROM ehr_store.representation; SELECT ehr_internal.store_write('{"resourceType": "Patient", "id": "p2"}', '79001')});
};

attack C13 => 'an emergency that is rolled back', sub {
	su(q{INSERT INTO ehr_store.break_glass_user (org, practitioner, basis, valid) VALUES ('79007', 'dr-7', 'test', '[2020-01-01,)')});
	is(says(\@other, "BEGIN;\nSELECT FROM ehr.break_glass('$p2', 'unconscious after an accident', 5) \\gset\n$of_p2;\nROLLBACK;\n$of_p2"), "10\n0", 'open in the transaction, and not after its rollback');
	is(says(\@p2, "SELECT what, who, organisation, reason, acknowledged IS NULL FROM ehr.notices('$p2')"), 'break_glass|dr-7|79007|unconscious after an accident|t', 'the citizen is told all the same');
	is(says(\@p2, "SELECT count(*) > 0 FROM ehr.access_log('$p2') WHERE who = 'dr-7' AND kind = 'read'"), 't', 'with what was read');
	is(su(q{SELECT ehr_internal.audit_catch_up(); SELECT count(*) FROM ehr_store.audit_event e WHERE e.kind = 'break_glass'}) =~ s/^\n//r, '1', 'and it is in the reviewers\' queue');
	su('DELETE FROM ehr_store.break_glass_user');
};

attack C14 => 'more than was referred', sub {
	my $referral = says(\@author, "SELECT ehr.open_referral('$p2', 'facility:79007', '{Observation/p2-o1}', 'further tests')");
	is(says(\@other, q{SELECT string_agg(id, ' ') FROM ehr_store.resource WHERE id LIKE 'p2%'}), 'p2-o1', 'the listed document, and no other');
	is(says([ 'clinician', 'dr-8', ehr_org => '79008', ehr_purpose => 'TREAT' ], $of_p2), '0', 'no other facility');
	is(says([ @other[ 0 .. 3 ], ehr_purpose => 'HRESCH' ], $of_p2), '0', 'no other purpose');
	is(state_of(\@other, "SELECT ehr.open_referral('$p2', 'facility:79008', '{Observation/p2-o1}', 'handed on')"), '42501', 'it is not handed on');
	is(state_of(\@author, "SELECT ehr.open_referral('$p2', 'facility:79007', '{Observation/p1-o1}', 'of another patient')"), '42501', 'nor of another patient');
	says(\@author, "SELECT ehr.close_referral('$referral')");
	is(says(\@other, $of_p2), '0', 'closed: nothing');
};

attack C15 => 'an application\'s token that may less than its citizen', sub {
	my @claims = ('ehr_org=79009', 'ehr_purpose=TREAT');
	for my $scope ('patient/Observation.rs?category=laboratory', 'patient/Observation.rs', 'openid patient/*.rs', 'user/Condition.r', 'system/*.cruds', 'patient/*.*')
	{
		login_refused(tool_token('EdDSA', @claims, "scope=$scope"), "scope $scope: a session would be wider, so there is none");
	}
	isnt((app("SELECT ehr.login('" . tool_token('EdDSA', @claims, 'scope=openid profile offline_access') . "')"))[0], '', 'scopes that are about no data say nothing');
	# what was begun with consent ends with it, whatever the token says
	su("UPDATE ehr_store.consent SET status = 'withdrawn', withdrawn = now() WHERE grantee = 'practitioner:dr-1'");
	is(says(\@doctor, $count), '0', 'a new token after the withdrawal opens nothing');
	su("UPDATE ehr_store.consent SET status = 'active', withdrawn = NULL WHERE grantee = 'practitioner:dr-1'");
};

attack C16 => 'merged patients with opposite decisions', sub {
	as(\@p2, "SELECT ehr.deny_consent('$p2', 'practitioner:dr-1')");
	is(says(\@doctor, $count), '10', 'apart: what one granted');
	my $merge = su("SELECT ehr_internal.redirect_person(900001, 900002, 'test', 'test')");
	is(says(\@doctor, $count), '0', 'merged: the stricter');
	su("SELECT ehr_internal.undo_merge($merge, 'test', 'test')");
	is(says(\@doctor, $count), '10', 'parted: as before');
	reopen();
};

attack C17 => 'a closed record and the facility that wrote it', sub {
	as(\@p2, "SELECT ehr.grant_consent('$p2', 'practitioner:dr-7'), ehr.close_record('$p2')");
	is(says(\@author, $of_p2), '10', 'the facility reads what it wrote');
	is(says(\@other, $of_p2), '0', 'nobody else does');
	reopen();
};

# ---- D: keys

attack D01 => 'ciphertext in another place', sub {
	my ($a, $b) = split /\n/, su(q{SELECT ehr.seal('value', 'table.column/' || i, CASE i WHEN 1 THEN '00000000-0000-4000-8000-000000000007'::uuid END) FROM generate_series(1, 2) AS i});
	is(su("SELECT ehr.unseal('$a', 'table.column/1')"), 'value', 'in its place it opens');
	for my $case ([ 'another row', $a, 'table.column/2' ], [ 'another column', $a, 'table.other/1' ], [ 'another table', $b, 'other.column/2' ], [ 'another person\'s row', $b, 'table.column/1' ],
		[ 'the header of another', substr($b, 0, 22) . substr($a, 22), 'table.column/1' ])
	{
		my ($what, $sealed, $context) = @$case;
		my ($ret, $out, $err) = $node->psql($db, "SELECT ehr.unseal('$sealed', '$context')");
		like($err, qr/the sealed value cannot be opened/, $what);
	}
};

attack D03 => 'ciphertext of every length', sub {
	is(su(q{CREATE FUNCTION free.opened(v bytea) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN ehr.unseal(v, 'p/1'); EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE; END $$;
		WITH s AS (SELECT ehr.seal('a value of some length', 'p/1') AS v)
		SELECT string_agg(DISTINCT free.opened(substr(v, 1, n)), ' '), string_agg(DISTINCT free.opened(v || decode(repeat('00', m), 'hex')), ' ') FROM s, generate_series(0, length(v) - 1) AS n, generate_series(1, 20) AS m}),
		'22023|22023', 'cut off or made longer anywhere: the same error');
	is(su(q{WITH s AS (SELECT ehr.seal('a value of some length', 'p/1') AS v) SELECT string_agg(DISTINCT free.opened(set_bit(v, n, 1 - get_bit(v, n))), ' ') FROM s, generate_series(0, length(v) * 8 - 1) AS n}), '22023', 'with any bit changed');
	is(su(q{CREATE TABLE free.kept (how text, v bytea, plain text);
		ALTER TABLE free.kept ALTER v SET STORAGE external;
		INSERT INTO free.kept SELECT 'external', ehr.seal(p, 'p/1'), p FROM repeat(md5('x'), 3000) AS p;
		ALTER TABLE free.kept ALTER v SET STORAGE main;
		INSERT INTO free.kept SELECT 'compressed', ehr.seal(p, 'p/1'), p FROM repeat('x', 1500) AS p;
		INSERT INTO free.kept SELECT 'short header', ehr.seal(p, 'p/1'), p FROM repeat('x', 5) AS p;
		INSERT INTO free.kept SELECT 'nothing', ehr.seal('', 'p/1'), '';
		SELECT count(*) FROM free.kept WHERE ehr.unseal(v, 'p/1') = plain; DROP TABLE free.kept; DROP FUNCTION free.opened}) =~ s/^\n+|\n+$//gr, '4', 'out of line, compressed, short and empty ones open');
};

attack D05 => 'the value on disk', sub {
	my $marker = '0790' . join '', map { int rand 10 } 1 .. 8;
	su("CREATE TABLE free.sealed AS SELECT ehr.seal('$marker', 'p/' || i) AS v FROM generate_series(1, 100) AS i; ANALYZE free.sealed; CHECKPOINT");
	my $dump = scratch() . '/sealed.dump';
	command_ok([ 'pg_dump', '-h', $node->host, '-p', $node->port, '-f', $dump, '-t', 'free.sealed', $db ], 'a dump');
	is(scalar(qx(grep -rlaF -e $marker -e @{[unpack 'H*', $marker]} "@{[$node->data_dir]}" "@{[$node->logfile]}" "$dump" 2>/dev/null)), '', 'stands in no table, no WAL, no statistic, no log, no dump');
	su("CREATE TABLE free.plain AS SELECT '$marker' AS v; CHECKPOINT");
	isnt(scalar(qx(grep -rlaF $marker "@{[$node->data_dir]}" 2>/dev/null)), '', '(where it is not sealed it is found)');
	su('DROP TABLE free.plain, free.sealed');
};

# ---- E: the log

# how many reads of dr-1 stand in P1's log
sub looks { return says([ 'citizen', $p1, ehr_purpose => 'PATRQT' ], "SELECT count(*) FROM ehr.access_log('$p1') WHERE who = 'dr-1' AND kind = 'read'"); }
my $slow = 'SELECT id, pg_sleep(0.1) FROM ehr_store.resource';

attack E01 => 'a look that leaves no transaction behind', sub {
	my $before = looks();
	my $one_more = sub { my $now = looks(); is($now - $before, 1, "$_[0]: in the log"); $before = $now; };
	doctor("BEGIN;\n$count;\nROLLBACK");
	$one_more->('rolled back');
	doctor("SELECT count(*), 1 / (count(*) - 10) FROM ehr_store.resource");
	$one_more->('a statement that fails');
	doctor("SET statement_timeout = '600ms';\n$slow");
	$one_more->('a statement that is stopped');
	for my $end ('TERM', 'KILL')
	{
		my $reader = $node->background_psql($db, extra_params => [ '-U', 'app' ], on_error_stop => 0);
		my $pid = $reader->query('SELECT pg_backend_pid()');
		$reader->query("BEGIN;\nSELECT FROM ehr.login('" . token(@doctor) . "') \\gset\n");
		is($reader->query("DECLARE c CURSOR FOR SELECT id FROM ehr_store.resource; FETCH 1 FROM c") =~ /p1/ ? 'row' : '', 'row', "$end: a row has come");
		kill $end, $pid;
		eval { $reader->quit };
		sleep 0.3;
		$node->poll_query_until($db, 'SELECT true') or die 'the server did not come up';
		$one_more->("$end after the first row");
	}
};

attack E02 => 'a look by another way', sub {
	su('CREATE TABLE free.target (n bigint); GRANT ALL ON free.target TO app; CREATE FUNCTION free.looking() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM FROM ehr_store.resource; RETURN NEW; END $$; CREATE TRIGGER looking BEFORE INSERT ON free.target FOR EACH ROW EXECUTE FUNCTION free.looking()');
	my @ways = ([ 'a READ ONLY transaction', "BEGIN READ ONLY;\n$count;\nCOMMIT" ], [ 'a cursor', "BEGIN;\nDECLARE c CURSOR FOR SELECT id FROM ehr_store.resource;\nFETCH 1 FROM c;\nCOMMIT" ],
		[ 'EXISTS', 'SELECT EXISTS (SELECT FROM ehr_store.resource)' ], [ 'a join', 'SELECT count(*) FROM ehr_store.resource a JOIN ehr_store.resource b ON a.key = b.key' ],
		[ 'a function', "SELECT ehr.get('Observation', 'p1-o1')" ], [ 'COPY', 'COPY (SELECT id FROM ehr_store.resource) TO STDOUT' ], [ 'a DO block', 'DO $$ BEGIN PERFORM FROM ehr_store.resource; END $$' ],
		[ 'a prepared statement', "PREPARE p AS $count;\nEXECUTE p" ], [ 'history', "SELECT count(*) FROM ehr.history('Observation', 'p1-o1')" ]);
	my $before = looks();
	for my $way (@ways)
	{
		doctor($way->[1]);
		my $now = looks();
		is($now - $before, 1, "$way->[0]: in the log once");
		$before = $now;
	}
	# copies are refused, so a trigger is no way either; what is refused stays refused
	is(state_of(\@doctor, 'INSERT INTO free.target VALUES (1) RETURNING n'), '42501', 'a trigger that reads while a row is written is refused');
	su('DROP TABLE free.target; DROP FUNCTION free.looking');
};

attack E03 => 'changing what was logged', sub {
	doctor($count);
	su('SELECT ehr_internal.audit_catch_up()');
	refused($_, 42501) for "UPDATE ehr_store.audit_event SET sub = 'x'", 'DELETE FROM ehr_store.audit_event', 'TRUNCATE ehr_store.audit_event', "INSERT INTO ehr_store.audit_event (chain, seq) VALUES (0, 1)",
		'ALTER TABLE ehr_store.audit_event DISABLE TRIGGER ALL', 'SET session_replication_role = replica', 'SELECT * FROM ehr_store.audit_event', "SELECT ehr_internal.audit_note('x')";
	my $rows = su('SELECT count(*) FROM ehr_store.audit_event');
	su("SET ROLE ehr_owner; UPDATE ehr_store.audit_event SET sub = 'x'; DELETE FROM ehr_store.audit_event");
	is(su("SELECT count(*) >= $rows AND bool_and(sub IS DISTINCT FROM 'x') FROM ehr_store.audit_event"), 't', 'row security binds the owner here too');
	# a superuser can: it is found
	for my $change ("UPDATE ehr_store.audit_event SET purpose = 'HRESCH' WHERE seq = 2", 'DELETE FROM ehr_store.audit_event WHERE seq = 2', 'DELETE FROM ehr_store.audit_event WHERE seq > (SELECT max(seq) - 2 FROM ehr_store.audit_event)',
		"SET session_replication_role = replica; UPDATE ehr_store.audit_event SET subjects = '{}' WHERE subjects <> '{}'")
	{
		isnt(su("BEGIN; LOCK TABLE ehr_store.audit_position; $change; SELECT problem FROM ehr_internal.audit_verify(); ROLLBACK"), '', "a superuser's $change is found" =~ s/ehr_store\.//r);
	}
	is(su('SELECT problem FROM ehr_internal.audit_verify()'), '', 'and what was not changed is whole');
};

attack E05 => 'sixty-four writers, aborts and a crash', sub {
	my ($out, $err);
	append_to_file(scratch() . '/writer.sql', "\\set r random(1, 3)\nBEGIN;\nSELECT ehr_internal.audit_note('e05', 'client ' || :client_id, ARRAY[:client_id]);\n\\if :r = 1\nROLLBACK;\n\\else\nCOMMIT;\n\\endif\n" =~ s/\\if :r = 1/\\set one (:r = 1)\n\\if :one/r);
	IPC::Run::run([ 'pgbench', '-n', '-h', $node->host, '-p', $node->port, '-c', '64', '-j', '2', '-t', '10', '-f', scratch() . '/writer.sql', $db ], '>', \$out, '2>', \$err);
	like($out, qr{actually processed: 640/640}, 'all have written');
	$node->stop('immediate');
	$node->start;
	is(su("SELECT ehr_internal.audit_catch_up(); SELECT count(*), count(DISTINCT intent), count(DISTINCT subjects) FROM ehr_store.audit_event WHERE kind = 'e05'") =~ s/^\n//r, '640|640|64', 'no entry is lost, none is there twice');
	is(su('SELECT problem FROM ehr_internal.audit_verify()'), '', 'one chain, without fork or gap');
};

attack E09 => 'text that means something to who reads the log', sub {
	su(q{INSERT INTO ehr_store.break_glass_user (org, practitioner, basis, valid) VALUES ('79007', 'dr-7', 'test', '[2020-01-01,)')});
	my %bad = ('a line break' => q{E'unconscious\nerased by admin'}, 'a return' => q{E'unconscious\rerased'}, 'right to left' => q{U&'unconscious \202E drawkcab'}, 'an isolate' => q{U&'unconscious \2067 text'}, 'escape' => q{E'unconscious \x1b[2J'},
		'a line separator' => q{U&'unconscious \2028 text'}, 'a megabyte' => q{repeat('x', 1048576)});
	is(state_of(\@other, "SELECT ehr.break_glass('$p2', $bad{$_}, 5)"), '22023', "a reason with $_") for sort keys %bad;
	like(state_of(\@other, "SELECT ehr.break_glass('$p2', convert_from('\\xff', 'UTF8') || 'unconscious after', 5)"), qr/22021/, 'a reason that is no UTF-8');
	su('DELETE FROM ehr_store.break_glass_user');
	login_refused(token('clinician', 'dr-1', name => "Dr\nOne"), 'a name with a line break in a token');
	# what the log keeps otherwise stays one entry, and what follows keeps its place
	su(qq{SELECT ehr_internal.audit_note('e09', E'one\\nread|dr-9|\\t' || repeat('x', 100000), NULL)});
	is(su("SELECT ehr_internal.audit_catch_up(); SELECT count(*), count(*) FILTER (WHERE sub = 'dr-9') FROM ehr_store.audit_event WHERE kind = 'e09'; SELECT problem FROM ehr_internal.audit_verify()") =~ s/^\n//r, '1|0', 'a line break in an entry makes no other entry');
};

attack E10 => 'the log of others, and nameless readers', sub {
	doctor($count);
	is(state_of(\@p2, "SELECT ehr.access_log('$p1')"), '42501', 'another citizen\'s log');
	is(state_of(\@doctor, "SELECT ehr.access_log('$p1')"), '42501', 'a clinician\'s look into it');
	is(says(\@p2, "SELECT count(*) FROM ehr.access_log('$p2') WHERE who = 'dr-1'"), '0', 'the own log has no entry about others');
	my $event = says([ 'citizen', $p1 ], "SELECT event FROM ehr.access_log('$p1') WHERE who = 'dr-1' LIMIT 1");
	is(state_of(\@p2, "SELECT ehr.audit_proof($event)"), '42501', 'nor is a proof of others\' entries given');
	is(says([ 'citizen', $p1 ], "SELECT DISTINCT who, organisation, purpose, name FROM ehr.access_log('$p1') WHERE who = 'dr-1' AND kind = 'read'"), 'dr-1|79009|TREAT|Dr One', 'who looked is a human with a name');
	login_refused(tool_token('EdDSA', 'sub=', 'ehr_org=79009'), 'nobody looks without a name of his own');
};

attack E11 => 'locks in the way of the log', sub {
	my $holder = $node->background_psql($db, extra_params => [ '-U', 'app' ], on_error_stop => 0);
	$holder->query('BEGIN; SELECT count(pg_advisory_lock(i)) FROM generate_series(-100, 100) AS i; SELECT count(pg_advisory_lock(i, j)) FROM generate_series(0, 20) AS i, generate_series(0, 20) AS j');
	for my $table (qw(audit_event audit_position audit_root audit_tree))
	{
		refused("BEGIN; LOCK TABLE ehr_store.$table IN $_ MODE", 42501) for 'ACCESS EXCLUSIVE', 'ACCESS SHARE';
	}
	my $start = time;
	doctor($count);
	su('SELECT ehr_internal.audit_catch_up()');
	cmp_ok(time - $start, '<', 5, 'a read and its entry wait for nobody');
	$holder->quit;
};

# ---- F: figures

attack F01 => 'figures of few', sub {
	my ($here, $near) = split /\n/, su(q{SELECT u.code FROM ehr_store.unit u WHERE u.parent = '79' AND u.level = 'commune' AND u.valid_to = 'infinity' AND NOT EXISTS (SELECT FROM ehr_store.unit o WHERE o.code = u.code AND o.valid_from <> u.valid_from) ORDER BY 1 LIMIT 2});
	($here, $near) = split /\n/, su(q{SELECT u.code FROM ehr_store.unit u WHERE u.parent = '79' AND u.level = 'commune' AND u.valid_to = 'infinity' ORDER BY 1 LIMIT 2}) unless $near;
	su(qq{SELECT count(ehr_internal.store_write(jsonb_build_object('resourceType', 'Patient', 'id', 'f-' || n, 'address', jsonb_build_array(jsonb_build_object('period', jsonb_build_object('start', '2026-01-01'),
			'extension', jsonb_build_array(jsonb_build_object('url', 'urn:ehr:unit', 'valueCode', CASE WHEN n <= 8 THEN '$here' ELSE '$near' END))))), 'T1')) FROM generate_series(1, 20) AS n;
		SELECT count(ehr_internal.store_write(jsonb_build_object('resourceType', 'Condition', 'id', 'f-c' || n, 'recordedDate', '2026-02-01', 'subject', jsonb_build_object('reference', 'Patient/f-' || n),
			'code', '{"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "I10"}]}'::jsonb), 'T1')) FROM unnest('{1,2,3,9,10,11,12,13,14,15}'::int[]) AS n});
	my @department = ('department', 'dep', ehr_org => '79', ehr_purpose => 'PUBHLTH');
	my $figures = sub { my (%p) = @_; return says(\@department, "SELECT r ->> 'unit', r ->> 'persons' FROM ehr.report('disease_by_commune', '" . encode_json({ groups => 'HTN', as_of => '2026-11-22', %p }) . "') AS r ORDER BY 1"); };
	my $communes = $figures->();
	unlike($communes, qr/\|[1-4]$/m, 'no cell below five');
	like($figures->(level => 'province'), qr/\|10$/m, 'the province\'s figure is there');
	unlike($communes, qr/\|7$/m, 'so the other commune\'s is not: it would give the hidden one away');
	unlike($figures->(noted_to => '2026-02-01'), qr/\|[1-4]$/m, 'nor by a narrower range');
	is(state_of(\@department, q{SELECT ehr.report('disease_by_commune', '{"min_cell": 1}')}), '22023', 'the limit is not the caller\'s');
	refused('SELECT count(*) FROM ehr_store.fact_condition', 42501, 'nor are the facts behind the figures');
	su(q{SELECT count(ehr_internal.store_remove(CASE WHEN id LIKE 'f-c%' THEN 'Condition' ELSE 'Patient' END, id, 'T1')) FROM ehr_store.resource WHERE id LIKE 'f-%' AND NOT deleted});
};

# ---- G: functions and the library

attack G01 => 'every function with everything', sub {
	# as a login role and as the superuser; nothing crashes, nothing is an internal error
	my $call = q{
		DO $do$
		DECLARE
			f record; v text; a text; told text; asked int := 0;
			given text[] := ARRAY['NULL', 'empty', 'great', 'odd'];
		BEGIN
			FOR f IN SELECT p.oid, p.pronamespace::regnamespace || '.' || quote_ident(p.proname) AS name, p.proargtypes::oid[] AS types FROM pg_proc p
				WHERE p.pronamespace IN ('ehr'::regnamespace, 'ehr_internal'::regnamespace) AND p.prokind = 'f' AND has_function_privilege(p.oid, 'EXECUTE') AND has_schema_privilege(p.pronamespace, 'USAGE')
					AND p.prorettype NOT IN ('trigger'::regtype, 'internal'::regtype, 'event_trigger'::regtype) AND NOT p.proargtypes::oid[] && ARRAY['internal', 'cstring', 'anyarray', 'record', 'anyelement']::regtype[]::oid[]
					AND p.proname !~ '^(create_|upgrade_store|drop_|audit_retire|audit_repartition)'
					-- what lies behind the functions in SQL is called by them alone
					AND (p.pronamespace = 'ehr'::regnamespace OR p.prolang = (SELECT l.oid FROM pg_language l WHERE l.lanname = 'c')) ORDER BY 2, 1
			LOOP
				FOREACH v IN ARRAY given LOOP
					a := (SELECT coalesce(string_agg(CASE v WHEN 'NULL' THEN 'NULL' ELSE CASE t::regtype::text
							WHEN 'text' THEN CASE v WHEN 'empty' THEN quote_literal('') WHEN 'great' THEN 'repeat(''ab\{"[(.'', 40000)' ELSE quote_literal(E'\u1EA0\x01''"\\{}[]$^') END
							WHEN 'bytea' THEN CASE v WHEN 'empty' THEN quote_literal('') WHEN 'great' THEN 'decode(repeat(''01ff'', 40000), ''hex'')' ELSE quote_literal('\x00') END
							WHEN 'jsonb' THEN CASE v WHEN 'empty' THEN quote_literal('{}') WHEN 'great' THEN '(repeat(''['', 3000) || repeat('']'', 3000))' ELSE quote_literal('{"resourceType": 7, "a": [null, -1e300, "\u0001"], "": {}}') END
							WHEN 'integer' THEN CASE v WHEN 'empty' THEN '0' WHEN 'great' THEN '2147483647' ELSE '(-2147483648)' END
							WHEN 'bigint' THEN CASE v WHEN 'empty' THEN '0' WHEN 'great' THEN '9223372036854775807' ELSE '(-9223372036854775808)' END
							WHEN 'smallint' THEN CASE v WHEN 'empty' THEN '0' WHEN 'great' THEN '32767' ELSE '(-32768)' END
							WHEN 'bigint[]' THEN CASE v WHEN 'empty' THEN quote_literal('{}') WHEN 'great' THEN 'array_fill(9223372036854775807, ARRAY[1000])' ELSE quote_literal('{{1,NULL},{-1,2}}') END
							WHEN 'text[]' THEN CASE v WHEN 'empty' THEN quote_literal('{}') WHEN 'great' THEN 'array_fill(repeat(''x'', 100), ARRAY[1000])' ELSE quote_literal('[0:0]={NULL}') END
							WHEN 'date' THEN CASE v WHEN 'empty' THEN quote_literal('-infinity') WHEN 'great' THEN quote_literal('5874897-12-31') ELSE quote_literal('4713-01-01 BC') END
							WHEN 'timestamp with time zone' THEN CASE v WHEN 'empty' THEN quote_literal('-infinity') WHEN 'great' THEN quote_literal('294276-12-31') ELSE quote_literal('4713-01-01 BC') END
							WHEN 'double precision' THEN CASE v WHEN 'empty' THEN '0' WHEN 'great' THEN quote_literal('1e308') ELSE quote_literal('NaN') END
							WHEN 'boolean' THEN CASE v WHEN 'empty' THEN 'false' ELSE 'true' END
							ELSE 'NULL' END END || '::' || t::regtype, ', ' ORDER BY n), '')
						FROM unnest(f.types) WITH ORDINALITY AS u (t, n));
					EXIT WHEN v <> 'NULL' AND cardinality(f.types) = 0;
					BEGIN
						asked := asked + 1;
						EXECUTE format('SELECT count(*) FROM (SELECT * FROM %s(%s) LIMIT 3) AS x', f.name, a);
						RAISE SQLSTATE 'UNDO1';
					EXCEPTION
						WHEN SQLSTATE 'UNDO1' THEN NULL;
						WHEN OTHERS THEN
							IF SQLSTATE = 'XX000' AND SQLERRM !~ 'called outside an aggregate' THEN told := concat_ws('; ', told, f.name || ' ' || v || ': ' || SQLERRM); END IF;
					END;
				END LOOP;
			END LOOP;
			RAISE WARNING 'asked % internal: %', asked, coalesce(told, 'none');
		END $do$};
	my ($out, $err) = doctor("SET statement_timeout = '60s'; SET client_min_messages = warning;\n$call");
	like($err, qr/asked [1-9]\d{2,} internal: none/, 'as an application');
	my ($ret, $o, $e) = $node->psql($db, "SET statement_timeout = '60s'; SET client_min_messages = warning;\n$call");
	like($e, qr/asked [1-9]\d{2,} internal: none/, 'as a superuser') or diag(substr $e, -500);
	is(su('SELECT 1'), '1', 'the server is up');
};

attack G03 => 'sizes near their limits', sub {
	# counts and lengths inside a value that say more than it has
	is(su(q{CREATE FUNCTION free.decided(form bytea) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN coalesce(ehr_internal.consent_decide(form, '{}')::text, 'null'); EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE; END $$;
		WITH f AS (SELECT ehr_internal.consent_compile('} . consent('c', { type => 'permit', %actor, provision => [ { type => 'deny', class => [ { system => 'http://hl7.org/fhir/resource-types', code => 'Observation' } ] } ] }) . q{', ehr_internal.consent_vocabulary()) AS v)
		SELECT count(*) > 100, bool_and(free.decided(set_byte(v, n, b)) !~ '^(XX000|53)') FROM f, generate_series(0, length(v) - 1) AS n, unnest('{0,127,128,255}'::int[]) AS b}) =~ s/^\n//r, 't|t', 'a compiled Consent with any byte at its extremes');
	for my $call (q{ehr.seal('x', 'p/' || repeat('x', 70000))}, q{ehr.unseal(ehr.seal('x', 'p/1'), 'p/' || repeat('x', 70000))}, q{ehr.blind_index('x', repeat('x', 70000))}, q{ehr_internal.age_window('5874897-01-01', '5874897-01-01', 2147483647, 2147483647)},
		q{ehr_internal.audit_consistency_line(-9223372036854775808, 9223372036854775807)}, q{ehr_internal.audit_inclusion(9223372036854775807, 9223372036854775807)})
	{
		my ($ret, $out, $err) = $node->psql($db, "\\set VERBOSITY sqlstate\nSELECT $call");
		like($err, qr/ERROR:  (22|54|XX001)/, substr($call, 0, 60) . ' is refused');
	}
	is(su('DROP FUNCTION free.decided; SELECT 1'), '1', 'the server is up');
};

attack G08 => 'what takes long can be stopped, and leaves nothing', sub {
	for my $call (qq{ehr.validate((SELECT '{"resourceType": "Bundle", "type": "collection", "entry": [' || rtrim(repeat('{"resource": {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}},', 20000), ',') || ']}'))},
		q{ehr.fhirpath_query_array((SELECT jsonb_build_object('resourceType', 'Basic', 'extension', jsonb_agg(jsonb_build_object('valueInteger', i))) FROM generate_series(1, 20000) AS i), 'extension.where(%resource.extension.where(value > 100000).exists())')},
		q{(SELECT count(ehr_internal.audit_note('g08', repeat('x', 1000))) FROM generate_series(1, 100000000))})
	{
		my $start = time;
		my ($ret, $out, $err) = $node->psql($db, "SET ehr.fhirpath_step_limit = 2147483647; SET statement_timeout = '200ms';\nSELECT $call");
		cmp_ok(time - $start, '<', 3, substr($call, 0, 50) . ' stops' . ($err =~ /statement timeout/ ? '' : ' (or ends)'));
	}
	# the memory of a connection over many calls
	my $session = $node->background_psql($db, extra_params => [ '-U', 'app' ], on_error_stop => 0);
	my $pid = $session->query('SELECT pg_backend_pid()');
	$session->query("SELECT FROM ehr.login('" . token(@doctor) . "', 'session') \\gset\n");
	my $rss = sub { return slurp_file("/proc/$pid/status") =~ /^RssAnon:\s+(\d+)/m ? $1 : 0; };
	my $loop = sub { $session->query("DO \$\$ BEGIN FOR i IN 1 .. $_[0] LOOP PERFORM ehr.may_read(1, 96::int2, 0, '79001'), ehr.session(), ehr.get('Observation', 'p1-o1'); END LOOP; END \$\$"); };
	$loop->(300);
	my $before = $rss->();
	$loop->(1500);
	cmp_ok($rss->() - $before, '<', 4000, 'kB more after 1,500 further calls');
	$session->quit;
};

attack G09 => 'functions that run with more rights than their caller', sub {
	is(su(q{SELECT string_agg(p.oid::regprocedure::text, ' ') FROM pg_proc p WHERE p.pronamespace::regnamespace::text ~ '^ehr' AND p.prosecdef}), '', 'no function is SECURITY DEFINER');
	is(su(q{SELECT string_agg(p.oid::regprocedure::text, ' ') FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang WHERE p.pronamespace::regnamespace::text ~ '^ehr' AND l.lanname IN ('sql', 'plpgsql') AND p.prokind = 'f'
		AND NOT coalesce(p.proconfig, '{}') @> ARRAY['search_path=pg_catalog, pg_temp']}), '', 'every function in SQL pins two schemas, each by its name');
	is(su(q{SELECT string_agg(p.oid::regprocedure::text, ' ') FROM pg_proc p WHERE p.pronamespace = 'ehr'::regnamespace AND p.prosrc IN ('ehr_as_owner', 'ehr_as_system') AND has_function_privilege('public', p.oid, 'EXECUTE')}), '', 'none that reaches the store is PUBLIC\'s');
	# these put in names of relations as regclass prints them, lists of quoted names, numbers and words of their own; a further one is to be looked at
	is(su(q{SELECT string_agg(DISTINCT p.proname, ' ' ORDER BY p.proname) FROM pg_proc p WHERE p.pronamespace::regnamespace::text ~ '^ehr' AND p.prosrc ~ 'EXECUTE\s+format\(\s*E?''[^'']*%(\d\$)?s'}),
		'audit_partition create_consent create_store create_view drop_view erase_rows load_code_system next_terminology_id refresh_one_view reseal_column secure_store', 'what is put into a statement by %s was looked at');
	is(su(q{SELECT has_schema_privilege('app', 'ehr_internal', 'USAGE'), has_schema_privilege('public', 'ehr_store', 'CREATE'), has_schema_privilege('app', 'ehr', 'CREATE')}), 'f|f|f', 'nor does anybody reach what lies behind, or put something beside it');
};

attack G10 => 'the library', sub {
	my ($so) = grep { -e } $node->config_data('--pkglibdir') . '/ehr.so';
	my $undefined = qx(nm -D --undefined-only "$so");
	unlike($undefined, qr/\bU json_object(\@|$)/m, 'calls no json_object, which PostgreSQL has too');
	like($undefined, qr/__stack_chk_fail/, 'guards its stack');
	my $headers = qx(readelf -W -l "$so");
	like($headers, qr/GNU_STACK.*RW /, 'its stack is not executable');
	like($headers, qr/GNU_RELRO/, 'its tables are read-only after loading');
	like(qx(readelf -W -d "$so"), qr/BIND_NOW|NOW/, '... all of them');
	unlike(qx(readelf -W -d "$so"), qr/RPATH|RUNPATH|TEXTREL/, 'no path of its own to libraries, no writable code');
};

# ---- further ones

attack X06 => 'handles that nobody was given', sub {
	my $handle = handle(\@doctor);
	my ($out, $err) = app(qq{DO \$\$
		DECLARE h text := '$handle'; taken int := 0;
		BEGIN
			FOR i IN 1 .. length(h) LOOP
				BEGIN
					PERFORM ehr.attach(overlay(h PLACING CASE substr(h, i, 1) WHEN '0' THEN '1' ELSE '0' END FROM i));
					taken := taken + 1;
				EXCEPTION WHEN invalid_authorization_specification THEN NULL;
				END;
			END LOOP;
			RAISE NOTICE 'of %, taken %', length(h), taken;
		END \$\$});
	like($err, qr/of 64, taken 0/, 'with any digit changed');
	for my $other (substr($handle, 0, 63), "${handle}0", uc $handle, " $handle", '', '0' x 64, 'f' x 64)
	{
		next if $other eq $handle;
		is((app("\\set VERBOSITY sqlstate\nSELECT ehr.attach('$other')"))[1] =~ /ERROR:  (\w+)/ ? $1 : 'taken', '28000', 'a handle of ' . length($other) . ' characters');
	}
	$node->safe_psql('postgres', "CREATE DATABASE other; ALTER DATABASE other OWNER TO app");
	$node->safe_psql('other', 'CREATE EXTENSION ehr; SELECT ehr.create_store()');
	my ($ret, $o, $e) = $node->psql('other', "SELECT ehr.attach('$handle')", extra_params => [ '-U', 'app' ]);
	like($e, qr/session handle refused/, 'in another database');
	$node->safe_psql('postgres', 'DROP DATABASE other');
};

attack X10 => 'links that end while a session lasts', sub {
	my $reader = $node->background_psql($db, extra_params => [ '-U', 'app' ], on_error_stop => 0);
	$reader->query("SELECT FROM ehr.login('" . token('citizen', $p1) . "', 'session') \\gset\n");
	is($reader->query($count), '10', 'a citizen');
	su("UPDATE ehr_store.person_link SET person = 900002 WHERE person = 900001");
	is($reader->query($count), '0', 'whose patient was somebody else\'s reads nothing from the next statement');
	su(q{UPDATE ehr_store.person_link SET person = 900001 WHERE subject = (SELECT key FROM ehr_store.resource_key WHERE id = 'p1')});
	is($reader->query($count), '10', 'and again when that was a mistake');
	$reader->quit;
};

attack X11 => 'a facility that consents for the citizen', sub {
	my $own = consent('x11', { type => 'permit', actor => [ { role => { coding => [ { system => 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType', code => 'PRCP' } ] }, reference => { reference => 'Organization/79007' } } ] });
	is(says(\@other, "SELECT ehr.put('$own') IS NOT NULL"), 't', 'it writes a Consent about a patient of others');
	is(says(\@other, q{SELECT count(*) FROM ehr_store.resource WHERE id LIKE 'p2%'}), '0', 'which opens nothing to it');
	is(says(\@other, q{SELECT ehr.confirm_consent(md5('Consent/x11')::uuid)}), '', 'it cannot confirm it');
	is(state_of(\@other, "SELECT ehr.grant_consent('$p2', 'facility:79007')"), '42501', 'nor grant itself anything');
	is(state_of(\@admin, "SELECT ehr.grant_consent('$p2', 'facility:79007')"), '42501', 'nor does an administrator without evidence');
	su(q{SELECT ehr_internal.store_remove('Consent', 'x11', '79007')});
};

attack X12 => 'a Patient made up to live where one is in charge', sub {
	my $here = su(q{SELECT min(u.code) FROM ehr_store.unit u WHERE u.parent = '79' AND u.level = 'commune' AND u.valid_to = 'infinity'});
	su("INSERT INTO ehr_store.organisation_unit (org, unit, unit_from, valid, basis) SELECT '79s01', u.code, u.valid_from, '[2020-01-01,)', 'test' FROM ehr_store.unit u WHERE u.code = '$here' AND u.valid_to = 'infinity'");
	my @station = ('station', 's1', ehr_org => '79s01', ehr_purpose => 'TREAT');
	says(\@station, qq{SELECT ehr.put('{"resourceType": "Patient", "id": "x12", "birthDate": "2024-01-01", "address": [{"extension": [{"url": "urn:ehr:unit", "valueCode": "$here"}], "period": {"start": "2026-01-01"}}]}') IS NOT NULL});
	su(q{INSERT INTO ehr_store.person_link (subject, person, method) SELECT key, 900002, 'new' FROM ehr_store.resource_key WHERE id = 'x12' ON CONFLICT (subject) DO UPDATE SET person = 900002});
	is(says(\@station, q{SELECT string_agg(id, ' ') FROM ehr_store.resource WHERE subject IS NOT NULL}), 'x12', 'it sees its own Patient, and nothing of the person it was linked to');
	su(q{DELETE FROM ehr_store.person_link WHERE subject = (SELECT key FROM ehr_store.resource_key WHERE id = 'x12'); SELECT ehr_internal.store_remove('Patient', 'x12', '79s01'); DELETE FROM ehr_store.organisation_unit});
};

attack X13 => 'sessions of kinds without rules', sub {
	for my $kind (qw(admin auditor insurer department nurse Citizen superuser))
	{
		is(says([ $kind, $kind eq 'Citizen' ? $p1 : 'dr-1', ehr_org => '79001', ehr_purpose => 'TREAT' ], 'SELECT count(*) FROM ehr_store.resource WHERE subject IS NOT NULL'), '0', "$kind of the hospital that wrote it reads no patient");
	}
	for my $sub ('*', '%', "$p1 ", "{$p1}", substr($p1, 1), "' OR true --")
	{
		is(says([ 'citizen', $sub ], 'SELECT count(*) FROM ehr_store.resource WHERE subject IS NOT NULL') || '0', '0', "a citizen by the name of $sub is nobody");
	}
};

attack X14 => 'the dead', sub {
	su(q{SELECT ehr_internal.store_write('{"resourceType": "Patient", "id": "p2", "deceasedBoolean": true}', '79001')});
	is(says(\@p2, $of_p2), '0', 'nobody reads as one who is dead');
	is(state_of(\@p2, $_), '42501', $_ =~ s/'.*/.../r) for "SELECT ehr.access_log('$p2')", "SELECT ehr.consents('$p2')", "SELECT ehr.notices('$p2')", "SELECT ehr.grant_consent('$p2', 'practitioner:dr-7')", "SELECT ehr.dsr_open('$p2', 'access')", "SELECT ehr.delegate('$p2', '$p1')";
	su(q{SELECT ehr_internal.store_write('{"resourceType": "Patient", "id": "p2"}', '79001')});
};

attack X15 => 'a facility that makes a patient somebody else', sub {
	my @his = ('facility', 'his', ehr_org => '79007', ehr_purpose => 'TREAT');
	is(state_of(\@his, $_), '42501', $_ =~ s/'[0-9a-f]{8}-.*?'/'...'/gr) for "SELECT ehr.relink('p2', '$p1', 'mine')", "SELECT ehr.unlink('p2', 'mine')", "SELECT ehr.merge_persons('$p2', '$p1', 'the same')";
	is(state_of(\@doctor, "SELECT ehr.relink('p2', '$p1', 'mine')"), '42501', 'nor does a clinician');
	is(says([ 'citizen', $p1 ], q{SELECT count(*) FROM ehr_store.resource WHERE id LIKE 'p2%'}), '0', 'whose record it is has not changed');
	# the one that wrote it may
	isnt(says([ 'facility', 'his', ehr_org => '79001', ehr_purpose => 'TREAT' ], "BEGIN;\nSELECT ehr.relink('p2', '$p1', 'entered under a wrong number');\nROLLBACK"), '', 'the hospital that wrote the Patient says whose it is');
	# a pair to be judged that is not its own is not shown either
	su(q{INSERT INTO ehr_store.match_review (a, b, score, state) SELECT a.key, b.key, 5, 'open' FROM ehr_store.resource_key a, ehr_store.resource_key b WHERE a.id = 'p1' AND b.id = 'p2'});
	is(says(\@his, 'SELECT count(*) FROM ehr.open_reviews()'), '0', 'pairs of others are not in its queue');
	is(state_of(\@his, 'SELECT ehr.decide_match((SELECT 1), true, $$mine$$)'), su("SELECT CASE WHEN EXISTS (SELECT FROM ehr_store.match_review WHERE review = 1) THEN '42501' ELSE 'P0002' END"), 'nor decided by it');
	su('DELETE FROM ehr_store.match_review');
};

attack X16 => 'a Consent that goes over to somebody else with the patient it is about', sub {
	# a facility writes a Patient of its accomplice, who consents; then it says that this Patient is somebody else
	su(q{SELECT ehr_internal.store_write('{"resourceType": "Patient", "id": "x16"}', '79007'); INSERT INTO ehr_store.person_link (subject, person, method) SELECT key, 900001, 'new' FROM ehr_store.resource_key WHERE id = 'x16' ON CONFLICT (subject) DO UPDATE SET person = 900001});
	# in force from a time on that lies behind the relinking
	my $begins = su(q{SELECT to_char((clock_timestamp() + interval '2 s') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')});
	my $permit = consent('x16c', { type => 'permit', %actor, period => { start => $begins } }, patient => { reference => 'Patient/x16' });
	is(says([ 'citizen', $p1 ], "SELECT ehr.put('$permit') IS NOT NULL"), 't', 'the accomplice consents');
	isnt(says([ 'facility', 'his', ehr_org => '79007', ehr_purpose => 'TREAT' ], "SELECT ehr.relink('x16', '$p2', 'entered under a wrong number')"), '', 'the facility relinks its Patient');
	sleep 2.1;
	is(says(\@other, $of_p2), '0', 'nothing of the other one\'s record is open when it begins');
	is(says(\@p2, q{SELECT ehr.confirm_consent(md5('Consent/x16c')::uuid)}), 't', 'only the other one agrees to it');
	is(says(\@other, $of_p2), '10', 'and then it is open');
	su(q{SELECT ehr_internal.store_remove('Consent', 'x16c', 'x'); DELETE FROM ehr_store.person_link WHERE subject = (SELECT key FROM ehr_store.resource_key WHERE id = 'x16'); SELECT ehr_internal.store_remove('Patient', 'x16', '79007')});
};

no_such_attack();
$node->stop;
done_testing();
