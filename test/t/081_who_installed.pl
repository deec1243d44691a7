# No function shows a hidden row, whoever installed the extension: every function of schema ehr is called by every role that may call
# it, without a session and with sessions that have no consent, and nothing that comes back or stands in the server's log has a value
# of a hidden record.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use EhrCalls;
use EhrTest;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = ehr_node('installed');
my %hidden = (name => 'Zzqxhidden', number => '079185123457', phone => '0918273645', street => 'Zzqxstreet', illness => 'Zzqxillness');
my $marks = join '|', @hidden{qw(name street illness)}, lc $hidden{name}, uc $hidden{name}, substr($hidden{number}, 1), substr($hidden{phone}, 1);
my $system = 'https://moh.gov.vn/cccd';

# --- who installs: a superuser that is not postgres, and one whose search_path leads every name astray
$node->safe_psql('postgres', q{
	CREATE ROLE "Chief of IT" SUPERUSER LOGIN;
	CREATE ROLE misled SUPERUSER LOGIN;
	ALTER ROLE misled SET search_path = trap, pg_catalog, public;
	CREATE DATABASE chief; CREATE DATABASE misled});
# what a wrong search_path would find first: names that the extension uses, each of which leaves a note and fails
my $trap = q{
	CREATE SCHEMA trap; GRANT USAGE ON SCHEMA trap TO PUBLIC;
	CREATE SEQUENCE trap.sprung; GRANT ALL ON SEQUENCE trap.sprung TO PUBLIC;
	CREATE FUNCTION trap.spring() RETURNS bool LANGUAGE plpgsql AS $f$ BEGIN PERFORM nextval('trap.sprung'); RAISE 'the trap is sprung'; END $f$;
	CREATE FUNCTION trap.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT CASE WHEN trap.spring() THEN pg_catalog.now() END';
	CREATE FUNCTION trap.count(bigint) RETURNS bigint LANGUAGE sql AS 'SELECT CASE WHEN trap.spring() THEN 1::bigint END';
	CREATE FUNCTION trap.format(text, text) RETURNS text LANGUAGE sql AS 'SELECT trap.spring()::text';
	CREATE FUNCTION trap.format(text, name) RETURNS text LANGUAGE sql AS 'SELECT trap.spring()::text';
	CREATE FUNCTION trap.lower(text) RETURNS text LANGUAGE sql AS 'SELECT trap.spring()::text';
	CREATE FUNCTION trap.length(text) RETURNS int LANGUAGE sql AS 'SELECT trap.spring()::int';
	CREATE FUNCTION trap.to_regrole(text) RETURNS regrole LANGUAGE sql AS 'SELECT CASE WHEN trap.spring() THEN NULL::regrole END';
	CREATE FUNCTION trap.jsonb_build_object(text, text) RETURNS jsonb LANGUAGE sql AS 'SELECT to_jsonb(trap.spring())';
	CREATE FUNCTION trap.same(text, text) RETURNS bool LANGUAGE sql AS 'SELECT trap.spring()';
	CREATE FUNCTION trap.same(int8, int8) RETURNS bool LANGUAGE sql AS 'SELECT trap.spring()';
	CREATE FUNCTION trap.same(int2, int2) RETURNS bool LANGUAGE sql AS 'SELECT trap.spring()';
	CREATE FUNCTION trap.same(jsonb, text) RETURNS text LANGUAGE sql AS 'SELECT trap.spring()::text';
	CREATE OPERATOR trap.= (LEFTARG = text, RIGHTARG = text, FUNCTION = trap.same);
	CREATE OPERATOR trap.= (LEFTARG = int8, RIGHTARG = int8, FUNCTION = trap.same);
	CREATE OPERATOR trap.= (LEFTARG = int2, RIGHTARG = int2, FUNCTION = trap.same);
	CREATE OPERATOR trap.->> (LEFTARG = jsonb, RIGHTARG = text, FUNCTION = trap.same);
	CREATE TABLE trap.resource (x int); CREATE TABLE trap.person (x int); CREATE TABLE trap.pg_roles (x int); CREATE TABLE trap.pg_class (x int)};
$node->safe_psql('misled', $trap);
my %installer = (chief => 'Chief of IT', misled => 'misled');
for my $db (sort keys %installer)
{
	$node->safe_psql($db, 'CREATE EXTENSION ehr; SELECT ehr.create_store(); SELECT ehr.add_session_key(\'test\', \'' . issuer() . '\')',
		extra_params => [ '-U', $installer{$db} ]);
	is($node->safe_psql($db, q{SELECT pg_get_userbyid(proowner) FROM pg_proc WHERE oid = 'ehr.get(text,text,int)'::regprocedure}), $installer{$db}, "$db: installed by \"$installer{$db}\"");
}
my %role = (app => 'ehr_app', query => 'ehr_query', feed => 'ehr_ingest', auditor => 'ehr_auditor', manager => 'ehr_admin', ordinary => undef);
$node->safe_psql('postgres', join '; ', map { "CREATE ROLE $_ LOGIN" . ($role{$_} ? " IN ROLE $role{$_}" : '') } sort keys %role);

# --- a hidden record, by each way into the store
my $patient = qq{{"resourceType": "Patient", "identifier": [{"system": "$system", "value": "$hidden{number}"}], "name": [{"text": "Trần Thị $hidden{name}"}],
	"telecom": [{"system": "phone", "value": "$hidden{phone}"}], "gender": "female", "birthDate": "1985-03-02", "address": [{"text": "12 $hidden{street}"}]}};
my $condition = qq{"resourceType": "Condition", "code": {"text": "$hidden{illness}", "coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "I10"}]}};
sub entry { my ($n, $resource) = @_; my ($type) = $resource =~ /"resourceType": "(\w+)"/; return qq{{"fullUrl": "urn:uuid:0000000$n-0000-4000-8000-000000000000", "resource": $resource, "request": {"method": "POST", "url": "$type"}}}; }
sub bundle { my ($type, @entries) = @_; return '{"resourceType": "Bundle", "type": "' . $type . '", "entry": [' . join(', ', @entries) . ']}'; }
my $record = bundle('transaction', entry(1, $patient), entry(2, qq{{$condition, "subject": {"reference": "urn:uuid:00000001-0000-4000-8000-000000000000"}}}));
my $refused = bundle('transaction', entry(3, $patient), entry(4, qq{{$condition, "subject": {"reference": "urn:uuid:00000003-0000-4000-8000-000000000000"}, "recordedDate": "$hidden{name}"}}));
my $row = qq{{"record_id": "r1", "full_name": "Trần Thị $hidden{name}", "birth_date": "1985-03-02", "sex": "female", "phone": "$hidden{phone}", "citizen_number": "$hidden{number}",
	"address": "12 $hidden{street}", "ward_code": "26821", "vaccine_code": "43", "vaccine_name": "V", "dose_number": "1", "vaccinated_on": "2020-01-01", "facility_code": "79226"}} =~ s/\n\s*//gr;

my %session = (
	doctor => [ 'clinician', 'dr', ehr_org => '99999', ehr_purpose => 'TREAT' ], insurer => [ 'insurer', 'in', ehr_org => '01', ehr_purpose => 'HPAYMT' ],
	department => [ 'department', 'dep', ehr_org => '79', ehr_purpose => 'PUBHLTH' ], auditor => [ 'auditor', 'au', ehr_purpose => 'HOPERAT' ], admin => [ 'admin', 'ad', ehr_purpose => 'HOPERAT' ],
	citizen => [ 'citizen', 'eeeeeeee-0000-4000-8000-00000000000e', ehr_purpose => 'PATRQT' ], nobody => undef);
my %seats = (app => [qw(nobody doctor citizen department insurer)], query => [qw(nobody doctor)], feed => [qw(nobody doctor)], auditor => [qw(nobody auditor)],
	manager => [qw(nobody admin)], ordinary => [qw(nobody doctor)]);
my $total = 0;

for my $db (sort keys %installer)
{
	$node->safe_psql($db, 'SELECT ehr.ingest_bundle(' . quoted($record) . ", 'hidden-feed')");
	$node->safe_psql($db, 'SELECT ehr.ingest_bundle(' . quoted($refused) . ", 'hidden-feed')");
	$node->safe_psql($db, 'SELECT ehr.link_new(ARRAY[(ehr.ingest_immunization_lines(' . quoted($row) . ", 'hidden-feed') ->> 'payload')::bigint])");
	$node->safe_psql($db, 'CREATE TABLE public.empty_rows (record_id text, full_name text); GRANT SELECT ON public.empty_rows TO PUBLIC');
	my %h = (number => $hidden{number}, phone => $hidden{phone}, system => $system);
	@h{qw(subject id person type)} = split /\|/, $node->safe_psql($db, qq{SELECT i.subject, k.id, p.id, k.type FROM ehr_store.person_identifier i JOIN ehr_store.resource_key k ON k.key = i.subject
		JOIN ehr_store.person_link l ON l.subject = i.subject JOIN ehr_store.person p ON p.key = l.person WHERE i.value = '$hidden{number}' ORDER BY 1 LIMIT 1});
	$h{condition} = $node->safe_psql($db, q{SELECT id FROM ehr_store.resource WHERE type = ehr_internal.type_number('Condition') LIMIT 1});
	cmp_ok($node->safe_psql($db, q{SELECT count(*) FROM ehr_store.resource WHERE doc::jsonb::text LIKE '%Zzqxhidden%'}), '>=', 2, "$db: a hidden record is planted");
	isnt($node->safe_psql($db, q{SELECT count(*) FROM ehr_store.quarantine WHERE state = 'open'}), '0', "$db: a hidden payload is in quarantine");

	my $log_from = -s $node->logfile;
	for my $role (sort keys %seats)
	{
		my @calls = calls($node, $db, $role, \%h);
		my @tables = map { "SELECT t::text FROM $_ AS t" } split /\n/, $node->safe_psql($db, q{SELECT oid::regclass FROM pg_class WHERE relnamespace IN ('ehr_store'::regnamespace, 'ehr_internal'::regnamespace) AND relkind IN ('r', 'v')});
		for my $who (@{ $seats{$role} })
		{
			next if $db eq 'misled' && $who eq 'insurer';
			my $login = $session{$who} ? 'SELECT FROM ehr.login(\'' . token(@{ $session{$who} }) . "', 'session');\n" : '';
			# in the other database callers look names up as its installer does
			my $path = $db eq 'misled' ? "SET search_path = trap, pg_catalog, ehr;\n" : '';
			my @statements = (@calls, @tables);
			my (@bad, @unexpected);
			for my $pair (answers($node, $db, $role, $login . $path, @statements))
			{
				my ($statement, $answer) = @$pair;
				# what the caller put in may come back to him: only values that he did not have count, and psql quotes his line
				$answer =~ s/^LINE \d+: .*\n.*\n//mg;
				my @got = grep { index(lc $statement, lc $_) < 0 } $answer =~ /($marks)/ig;
				push @bad, "$statement: @got" if @got;
				push @unexpected, "$statement: $answer" if $answer =~ /ERROR:  (XX|42P01|42883|42702|42804|P0001|2F|42703: column)/;
			}
			$total += @calls;
			is_deeply(\@bad, [], "$db: " . scalar(@calls) . " calls as $role, session $who: no hidden value");
			is_deeply(\@unexpected, [], "$db: $role, session $who: no error but those meant");
		}
	}
	my @logged = grep { /$marks/i && !/ STATEMENT:  / && !/^\t/ } split /\n/, substr(slurp_file($node->logfile), $log_from);
	is_deeply(\@logged, [], "$db: nor in the server's log");
	# the store's own reading does see what is hidden, so the marks would be found
	like(as_session($node, $db, 'app', [ 'citizen', $h{person}, ehr_purpose => 'PATRQT' ], "SELECT ehr.phr('$h{person}')"), qr/$hidden{name}/, "$db: the citizen reads it");
	is($node->safe_psql($db, 'SELECT is_called FROM trap.sprung'), 'f', "$db: the trap was never sprung") if $db eq 'misled';
}
note "$total calls";

# --- an owner whom row security does not bind: no function works
for my $attribute ('SUPERUSER', 'BYPASSRLS')
{
	$node->safe_psql('postgres', "ALTER ROLE ehr_owner $attribute");
	my @works;
	for my $role (qw(app query feed auditor manager))
	{
		my $h = { id => 'x', condition => 'y', subject => 1, person => '00000000-0000-4000-8000-000000000000', type => 1, number => $hidden{number}, phone => $hidden{phone}, system => $system };
		my %stands_behind = map { $_ => 1 } split /\n/, $node->safe_psql('chief', q{SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'ehr'::regnamespace AND prosrc IN ('ehr_as_owner', 'ehr_as_system')});
		for my $call (grep { /ehr\.(\w+)\(/ && $stands_behind{$1} } calls($node, 'chief', $role, $h))
		{
			my $name = $1 if $call =~ /ehr\.(\w+)\(/;
			next if $stands_behind{$name}++ > 1;
			my ($ret, $out, $err) = $node->psql('chief', $call, extra_params => [ '-U', $role, '-v', 'VERBOSITY=verbose' ]);
			push @works, "$role: $call: $err" unless $err =~ /ERROR:  42501: the owner of the health record store is not bound by row security/;
		}
	}
	is_deeply(\@works, [], "ehr_owner with $attribute: every function is refused with 42501");
	my ($ret, $out, $err) = $node->psql('chief', 'SELECT ehr.create_store()', extra_params => [ '-U', 'Chief of IT', '-v', 'VERBOSITY=verbose' ]);
	like($err, qr/42501/, 'create_store() too');
	like($node->safe_psql('chief', q{SELECT mend FROM ehr.self_check() WHERE check_name = 'roles' AND NOT ok}), qr/ALTER ROLE ehr_owner NO$attribute/, 'and self_check() tells what to do');
	$node->safe_psql('postgres', "ALTER ROLE ehr_owner NO$attribute");
}

$node->stop;
done_testing();
