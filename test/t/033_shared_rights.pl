# Rights that one connection loads and others take over (src/consent/shared_rights.c): that nothing is loaded twice, that each session
# reads its own and no more, and that nothing is taken over which is not committed, older than a withdrawal, or of another store.
use strict;
use warnings;

use EhrTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'no ehr-token (make tools)' unless -x (($ENV{EHR_BUILD} // 'build') . '/bin/ehr-token');

my $persons = 40;
my $node = ehr_node('shared', 'track_functions = pl', 'max_connections = 30');
sub uuid { return sprintf 'aaaaaaaa-0000-4000-8000-%012d', $_[0]; }
sub su { return $node->safe_psql('city', $_[0]); }
# doctor dN has consent of person N, whose record has 1 + N % 3 rows
sub make_store
{
	su(qq{
		SET client_min_messages = warning; CREATE EXTENSION ehr; SELECT ehr.create_store(); SELECT ehr.add_session_key('test', '@{[issuer()]}');
		DO \$\$ BEGIN CREATE ROLE app LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END \$\$; GRANT ehr_query, ehr_app TO app;
		INSERT INTO ehr_store.person (key, id) OVERRIDING SYSTEM VALUE SELECT 900000 + i, ('aaaaaaaa-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid FROM generate_series(1, $persons) AS i;
		SELECT ehr_internal.store_write(jsonb_build_object('resourceType', 'Patient', 'id', 'p' || i), '79001') FROM generate_series(1, $persons) AS i;
		INSERT INTO ehr_store.person_link (subject, person, method) SELECT key, 900000 + substr(id, 2)::int, 'new' FROM ehr_store.resource_key;
		SELECT ehr_internal.store_write(jsonb_build_object('resourceType', 'Observation', 'id', 'o' || i || '-' || j, 'status', 'final', 'code', '{"text": "t"}'::jsonb,
			'subject', jsonb_build_object('reference', 'Patient/p' || i)), '79001') FROM generate_series(1, $persons) AS i, generate_series(1, i % 3) AS j;
	});
}
sub consents
{
	su("INSERT INTO ehr_store.consent (person, deny, grantee, scope, labels, purpose, valid, given_by)
		SELECT 900000 + i, false, 'practitioner:d' || i, 'all', -1, 'TREAT', '[2025-01-01,)', 'test' FROM generate_series(1, $persons) AS i");
}
sub rows_of { return 1 + $_[0] % 3; }
# psql as the application, in a connection of its own, whose numbers are told before it ends
sub app { my ($sql) = @_; my ($ret, $out, $err) = $node->psql('city', "$sql;\nSELECT FROM pg_stat_force_next_flush() \\gset\n", extra_params => [ '-U', 'app' ], on_error_stop => 0); return ($out, $err); }
my @doctor = (ehr_org => '79009', ehr_purpose => 'TREAT');
sub log_in { my ($out) = app(join "\n", map { "SELECT ehr.login('" . token(@$_) . "');" } @_); return split /\n/, $out; }
my $count = "SELECT count(*), coalesce(min(id) FILTER (WHERE type = ehr_internal.type_number('Patient')), '') FROM ehr_store.resource";
$count = "SELECT count(*), coalesce(min(id) FILTER (WHERE id ~ '^p'), '') FROM ehr_store.resource";
sub transaction { return "BEGIN;\nSELECT FROM ehr.attach('$_[0]') \\gset\n$count;\nCOMMIT;\n"; }
# how often the rights of some principal were asked of SQL
sub loads { return $node->safe_psql('city', "SELECT coalesce(sum(calls), 0) FROM pg_stat_user_functions WHERE funcname = 'compiled_rights'"); }

$node->safe_psql('postgres', 'CREATE DATABASE city');
make_store();
consents();
my @handle = log_in(map { [ 'clinician', "d$_", @doctor ] } 1 .. $persons);
is(scalar(grep { length == 64 } @handle), $persons, "$persons doctors log in");
my $expected = join "\n", map { rows_of($_) . "|p$_" } 1 .. $persons;

# --- one connection, more sessions than it keeps
my $turn = join '', map { transaction($_) } @handle;
my ($out, $err) = app($turn . $turn . $turn);
is($out, "$expected\n$expected\n$expected", 'each doctor reads the own patient, three times in turn over one connection') or diag($err);
is(loads(), $persons, 'and the rights of each are loaded once');
# --- another connection
($out, $err) = app($turn);
is($out, $expected, 'the same over another connection') or diag($err);
is(loads(), $persons, 'which loads nothing');

# --- who else may take them
my ($again, $purpose, $org, $kind) = log_in([ 'clinician', 'd1', @doctor ], [ 'clinician', 'd1', ehr_org => '79009', ehr_purpose => 'HRESCH' ],
	[ 'clinician', 'd1', ehr_org => '79008', ehr_purpose => 'TREAT' ], [ 'facility', 'd1', @doctor ]);
is((app(transaction($again)))[0], rows_of(1) . '|p1', 'a second session of a doctor');
is(loads(), $persons, 'takes what the first one loaded');
is((app(transaction($purpose)))[0], '0|', 'X17: for another purpose the consent does not hold');
is((app(transaction($kind)))[0], '0|', 'X17: nor for a session of another kind');
is((app(transaction($org)))[0], rows_of(1) . '|p1', 'in another hospital it does');
is(loads(), $persons + 3, 'each has rights of its own');

# --- a withdrawal reaches a connection that takes rights which were loaded before it
su("DELETE FROM ehr_store.consent WHERE grantee = 'practitioner:d2'");
is((app(transaction($handle[1])))[0], '0|', 'X17: after a withdrawal the rights taken over are brought up to now');
my $before = loads();
is((app(transaction($handle[1])))[0], '0|', '... and so for the next connection');
is(loads(), $before, '... which takes them as they are now');
su("INSERT INTO ehr_store.consent (person, deny, grantee, scope, labels, purpose, valid, given_by) VALUES (900002, false, 'practitioner:d2', 'all', -1, 'TREAT', '[2025-01-01,)', 'test')");
is((app(transaction($handle[1])))[0], rows_of(2) . '|p2', 'after a new consent, too');
# a period that begins and ends between two connections
su("UPDATE ehr_store.consent SET valid = tstzrange(now(), now() + interval '1 s') WHERE grantee = 'practitioner:d3'");
is((app(transaction($handle[2])))[0], rows_of(3) . '|p3', 'a consent for a second');
sleep 2;
is((app(transaction($handle[2])))[0], '0|', 'has ended for the connection that takes the rights afterwards');

# --- what is not committed stays with its transaction
my ($citizen, $fresh) = log_in([ 'citizen', uuid(4) ], [ 'clinician', 'd99', @doctor ]);
($out, $err) = app("BEGIN;\nSELECT FROM ehr.attach('$citizen') \\gset\nSELECT FROM ehr.grant_consent('@{[uuid(4)]}', 'practitioner:d99') \\gset\nSELECT FROM ehr.attach('$fresh') \\gset\n$count;\nROLLBACK");
is($out, rows_of(4) . '|p4', 'a consent that is rolled back holds in its transaction') or diag($err);
is((app(transaction($fresh)))[0], '0|', 'X17: ... and for no other connection');

# --- a station: its nurses have the same rights, but one who has a duty, or has opened a record
su(qq{
	INSERT INTO ehr_store.organisation_unit (org, unit, unit_from, valid, basis) SELECT '79s01', u.code, u.valid_from, '[2025-07-01,)', 'test' FROM ehr_store.unit u WHERE u.code = '26740' AND u.valid_to = 'infinity';
	INSERT INTO ehr_store.patient_fact (subject, born_first, born_last, dead, unit, unit_from)
	SELECT k.key, '1980-01-01', '1980-01-01', false, u.code, u.valid_from FROM ehr_store.resource_key k, ehr_store.unit u WHERE k.id ~ '^p[0-9]\$' AND u.code = '26740' AND u.valid_to = 'infinity'
	ON CONFLICT (subject) DO UPDATE SET unit = excluded.unit, unit_from = excluded.unit_from});
my @nurse = map { [ 'station', "nurse-$_", ehr_org => '79s01', ehr_purpose => 'TREAT' ] } 1 .. 3;
my @at_station = log_in(@nurse);
my $residents = 'SELECT count(*) FROM ehr_store.resource';
sub residents { return (app("BEGIN;\nSELECT FROM ehr.attach('$_[0]') \\gset\n$residents;\nCOMMIT"))[0]; }
$before = loads();
my $seen = residents($at_station[0]);
cmp_ok($seen, '>=', 9, "a nurse reads the Patients of $seen residents");
is(residents($at_station[1]), $seen, '... and so does another nurse');
is(loads(), $before + 1, '... of whom the rights are not loaded again');
su(q{SELECT ehr_internal.store_write('{"resourceType": "Patient", "id": "p7", "gender": "female"}', '79001')});
is(residents($at_station[1]), $seen - 1, 'X17: a resident who moves away is gone for those who take the rights afterwards');
su("INSERT INTO ehr_store.duty (practitioner, org, unit, unit_from, labels, basis, valid, assigned_by)
	SELECT 'nurse-3', '79s01', code, valid_from, -1, 'test', tstzrange(now(), now() + interval '1 day'), 'test' FROM ehr_store.unit WHERE code = '26740' AND valid_to = 'infinity'");
su("INSERT INTO ehr_store.compiled_right (consent, line, relation, grantee, person, deny, depth, labels, valid) VALUES (gen_random_uuid(), 0, 'emergency', 'practitioner:nurse-2', 900001, false, 0, 0, tstzrange(now(), now() + interval '1 day'))");
residents($_) for @at_station;
is(su("SELECT string_agg(ehr_internal.rights_sub('station', n, '79s01'), ',') FROM unnest('{nurse-1,nurse-2,nurse-3}'::text[]) AS n"), ',nurse-2,nurse-3', 'who has a duty or an emergency has rights of the own');
# whoever has none: the sub changes nothing of what there is
is(su(q{
	SELECT count(*) FILTER (WHERE alike), count(*) FILTER (WHERE alike AND differ) FROM (
		SELECT ehr_internal.rights_sub(kind, sub, org) = '' AS alike, ehr_internal.grantees_of(kind, sub, org) <> ehr_internal.grantees_of(kind, '', org) OR
			ARRAY(SELECT c::text FROM ehr_internal.compiled_rights(kind, sub, org, 'TREAT') AS c ORDER BY 1) <>
			ARRAY(SELECT c::text FROM ehr_internal.compiled_rights(kind, '', org, 'TREAT') AS c ORDER BY 1) AS differ
		FROM unnest('{citizen,clinician,facility,station,department,insurer,auditor,admin}'::text[]) AS kind,
			unnest('{d1,d2,nurse-1,nurse-2,nurse-3,aaaaaaaa-0000-4000-8000-000000000001}'::text[]) AS sub, unnest('{79001,79009,79s01,79}'::text[]) AS org) AS x}),
	'114|0', 'the rights of 114 principals do not follow from their sub');

# --- another store in the same database
su('DROP SCHEMA ehr_store CASCADE; DROP EXTENSION ehr CASCADE');
make_store();
my ($first) = log_in([ 'clinician', 'd1', @doctor ]);
is((app(transaction($first)))[0], '0|', 'X17: a store made anew knows nothing of the consents of the one before');
is((app(transaction($handle[4])))[0], '0|', '... nor does a session that began before');

# --- little room, and none
for my $room ('1MB', '0')
{
	$node->append_conf('postgresql.conf', "ehr.rights_cache = $room");
	$node->restart;
	consents() if $room eq '1MB';
	my @sessions = log_in(map { [ 'clinician', 'd' . ($_ % $persons + 1), ehr_org => "h$_", ehr_purpose => 'TREAT' ] } 1 .. 300);
	my $wanted = join "\n", map { rows_of($_ % $persons + 1) . '|p' . ($_ % $persons + 1) } 1 .. 300;
	$before = loads();
	my $all = join '', map { transaction($_) } @sessions;
	is((app($all . $all))[0], "$wanted\n$wanted", "300 sessions in turn with ehr.rights_cache = $room");
	my $loaded = loads() - $before;
	cmp_ok($loaded, $room eq '0' ? '==' : '<=', 600, "are loaded $loaded times");
}
$node->stop;
done_testing();
