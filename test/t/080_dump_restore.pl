# pg_dump and pg_restore, into another database of the cluster and into a new cluster: the same figures, the same refusals, and
# a change feed, sequences and an audit log that go on from there.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use EhrCalls;
use EhrTest;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $old = ehr_node('old');
my $new = ehr_node('new');
my $dir = scratch();

# --- a small demo
$old->safe_psql('postgres', 'CREATE DATABASE city');
$old->safe_psql('city', 'CREATE EXTENSION ehr; SELECT ehr.create_store(); SELECT ehr.add_session_key(\'test\', \'' . issuer() . '\')');
$old->safe_psql('city', 'CREATE ROLE feed LOGIN IN ROLE ehr_ingest; CREATE ROLE app LOGIN IN ROLE ehr_app; CREATE ROLE query LOGIN IN ROLE ehr_query; CREATE ROLE backup LOGIN IN ROLE ehr_backup');
# transaction numbers of the old cluster run ahead of those of the new one
$old->safe_psql('city', 'DO $$ BEGIN FOR i IN 1..20000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$');
my $receipts = load_payloads($old, 'city', 'feed', dossiers => 30, patients => 5, rows => 2000);
cmp_ok(scalar @{ $receipts->{bundles} }, '==', 5, 'five bundles are in');
my $mapped = 0;
$mapped += $_->{mapped} for map { @$_ } values %$receipts;
cmp_ok($mapped, '>', 10000, "payloads are in: $mapped elements mapped");

# rules that a database administrator added, and one that he changed
my @own_rules = (
	q{INSERT INTO ehr_internal.claims_code (list, code, target, valid_from) SELECT list, 'OWN', target, '2026-01-01' FROM ehr_internal.claims_code LIMIT 1},
	q{INSERT INTO ehr_internal.identifier_system (name, uri, valid_from) VALUES ('cccd', 'https://own.example/cccd', '2126-01-01')},
	q{INSERT INTO ehr_internal.match_system (system, feature) VALUES ('https://own.example/match', 'other')},
	q{INSERT INTO ehr_internal.sensitivity_label (bit, name, code_system, first_code, last_code, basis) VALUES (7, 'own', 'https://own.example/codes', 'X1', 'X9', 'own')},
	q{UPDATE ehr_store.access_rule SET valid = tstzrange('2000-01-01', '2100-01-01') WHERE kind = 'department'});
$old->safe_psql('city', $_) for @own_rules;

# views that a database administrator made, one of them kept as a table
my $view = '{"resource": "Patient", "name": "people", "select": [{"column": [{"name": "id", "path": "getResourceKey()"}, {"name": "born", "path": "birthDate"}]}]}';
$old->safe_psql('city', "SELECT ehr.create_view('people', '$view'), ehr.create_view('people_kept', '$view', true)");

# two people with a record, and their decisions
my ($citizen, $person, $other, $other_person);
{
	my @people = split /\n/, $old->safe_psql('city', q{
		SELECT p.id FROM ehr_store.person p JOIN ehr_store.person_link l ON ehr_internal.person_root(l.person) = p.key
		JOIN ehr_store.resource r ON r.subject = l.subject
		WHERE p.merged_into IS NULL GROUP BY p.id ORDER BY count(*) DESC, p.id LIMIT 2});
	($person, $other_person) = @people;
	($citizen, $other) = map { [ 'citizen', $_, ehr_purpose => 'PATRQT' ] } @people;
}
my %doctor = map { $_ => [ 'clinician', $_, ehr_org => '99999', ehr_purpose => 'TREAT' ] } qw(none granted withdrawn denied ended hiv);
sub decide { my ($sql) = @_; return as_session($old, 'city', 'app', $citizen, $sql); }
decide("SELECT ehr.grant_consent('$person', 'practitioner:granted')");
my $consent = decide("SELECT ehr.grant_consent('$person', 'practitioner:withdrawn')");
decide("SELECT ehr.withdraw_consent('$consent')");
decide("SELECT ehr.grant_consent('$person', 'practitioner:denied'); SELECT ehr.deny_consent('$person', 'practitioner:denied', 'type:Condition')");
decide("SELECT ehr.grant_consent('$person', 'practitioner:ended', 'all', 'TREAT', clock_timestamp() + interval '0.2 s'); SELECT pg_sleep(0.3)");
as_session($old, 'city', 'app', $other, "SELECT ehr.grant_consent('$other_person', 'facility:88888')");

# a facility that wrote something, whose clinician reads the change feed to its end
my $author = $old->safe_psql('city', q{SELECT r.author FROM ehr_store.resource r JOIN ehr_store.claims_dossier d ON d.facility = r.author GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1});
my $clerk = [ 'clinician', 'clerk', ehr_org => $author, ehr_purpose => 'TREAT' ];
my $department = [ 'department', 'dep', ehr_org => '79', ehr_purpose => 'PUBHLTH' ];
sub feed { my ($node, $db, $after) = @_; return split /\n/, as_session($node, $db, 'app', $clerk, "SELECT position, type || '/' || id, version FROM ehr.changes('$after', 1000000)"); }
my @fed = feed($old, 'city', '0.0.0');
my ($position) = split /\|/, $fed[-1];
cmp_ok(scalar @fed, '>', 50, "the change feed has @{[scalar @fed]} versions for the clinician, up to $position");

# --- what is compared, line by line
sub same_lines
{
	my ($got, $expected, $name) = @_;
	my (%got, %expected);
	$got{$_}++ for split /\n/, $got;
	$expected{$_}++ for split /\n/, $expected;
	my @differ = map { ($got{$_} // 0) > ($expected{$_} // 0) ? "got       $_" : "expected  $_" } grep { ($got{$_} // 0) != ($expected{$_} // 0) } sort keys %{ { %got, %expected } };
	ok(!@differ && %expected, $name) or diag(join "\n", @differ > 20 ? @differ[ 0 .. 19 ] : @differ);
}
# every row of every table, but for the log, which this reading itself adds to
sub contents
{
	my ($node, $db) = @_;
	my $tables = $node->safe_psql($db, q{SELECT c.oid::regclass FROM pg_class c WHERE relkind IN ('r', 'p') AND relnamespace IN ('ehr_store'::regnamespace, 'ehr_internal'::regnamespace)
		AND relname !~ '^audit_'});
	return $node->safe_psql($db, join ' UNION ALL ', map { "SELECT '$_', count(*), md5(string_agg(t::text, E'\\n' ORDER BY t::text COLLATE \"C\")) FROM $_ t" } split /\n/, $tables);
}
# owners, privileges, row security, policies, triggers, settings of functions
sub protection
{
	my ($node, $db) = @_;
	return $node->safe_psql($db, q{
		SELECT 'relation', c.oid::regclass, c.relkind, pg_get_userbyid(c.relowner), c.relrowsecurity, c.relforcerowsecurity, c.relpersistence,
			(SELECT string_agg(a::text, ' ' ORDER BY a::text COLLATE "C") FROM unnest(c.relacl) a)
		FROM pg_class c WHERE relnamespace::regnamespace::text ~ '^ehr' AND relkind IN ('r', 'p', 'v', 'S', 'i')});
}
sub catalog
{
	my ($node, $db) = @_;
	return $node->safe_psql($db, q{
		SELECT 'schema', nspname, pg_get_userbyid(nspowner), (SELECT string_agg(a::text, ' ' ORDER BY a::text COLLATE "C") FROM unnest(nspacl) a) FROM pg_namespace WHERE nspname ~ '^ehr' ORDER BY 2;
		SELECT 'function', p.oid::regprocedure, pg_get_userbyid(p.proowner), p.proconfig, (SELECT string_agg(a::text, ' ' ORDER BY a::text COLLATE "C") FROM unnest(p.proacl) a)
			FROM pg_proc p WHERE pronamespace::regnamespace::text ~ '^ehr';
		SELECT 'policy', polrelid::regclass, polname, polcmd, (SELECT string_agg(pg_get_userbyid(r), ' ' ORDER BY 1) FROM unnest(polroles) r), pg_get_expr(polqual, polrelid) FROM pg_policy;
		SELECT 'trigger', tgrelid::regclass, tgname, tgenabled, tgfoid::regprocedure FROM pg_trigger WHERE NOT tgisinternal;
		SELECT 'index', pg_get_indexdef(indexrelid), indisvalid FROM pg_index WHERE indrelid::regclass::text ~ '^ehr' ORDER BY 2;
		SELECT 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint WHERE conrelid::regclass::text ~ '^ehr';
		SELECT 'sequence', sequencename, last_value FROM pg_sequences WHERE schemaname ~ '^ehr' ORDER BY 2;
		SELECT 'roles', rolname, rolsuper, rolbypassrls, rolcanlogin, rolinherit FROM pg_roles WHERE rolname ~ '^ehr' ORDER BY 2;
		SELECT 'member', roleid::regrole, member::regrole FROM pg_auth_members WHERE roleid::regrole::text ~ '^ehr'});
}
# the figures that the demo prints
sub figures
{
	my ($node, $db) = @_;
	my $figures = $node->safe_psql($db, q{
		SELECT ehr_internal.type_name(type), count(*), count(*) FILTER (WHERE deleted) FROM ehr_store.resource GROUP BY 1 ORDER BY 1;
		SELECT kind, count(*), sum((receipt -> 'sent')::int), sum((receipt -> 'mapped')::int), sum((receipt -> 'kept')::int), sum((receipt -> 'quarantined')::int) FROM ehr_store.payload GROUP BY 1 ORDER BY 1;
		SELECT rule, count(*), sum(elements), state FROM ehr_store.quarantine GROUP BY 1, 4 ORDER BY 1, 4;
		SELECT count(*), count(*) FILTER (WHERE merged_into IS NULL) FROM ehr_store.person});
	for my $report (q{'immunization_coverage', '{"disease": "covid-19", "doses": 2}'}, q{'disease_by_commune', '{}'}, q{'disease_by_commune', '{"level": "province"}'})
	{
		my $rows = as_session($node, $db, 'app', $department, "SELECT r FROM ehr.report($report) AS r");
		$figures .= "\nreport $report\n$rows";
	}
	# the document apart from the time when it was made
	$figures .= "\nbook " . as_session($node, $db, 'app', $citizen, qq{
		SELECT md5(regexp_replace(((ehr.phr('$person')::jsonb) - 'timestamp' - 'signature' #- '{entry,0,resource,date}')::text, '"lastUpdated": "[^"]*"', '', 'g')), length(ehr.phr('$person')::text) > 1000});
	$figures .= "\ntext " . as_session($node, $db, 'app', $citizen, "SELECT md5(regexp_replace(ehr.phr_text('$person'), 'Lập ngày [^\\n]*', ''))");
	$figures .= "\ngolden " . as_session($node, $db, 'app', $citizen, "SELECT md5(ehr.golden('$person')::text)");
	return $figures;
}
my $count = 'SELECT count(*) FROM ehr_store.resource WHERE subject IS NOT NULL';
sub refusals
{
	my ($node, $db) = @_;
	my %seen = (nobody => as_session($node, $db, 'query', undef, $count), ordinary => ($node->psql($db, $count, extra_params => ['-U', 'nobody_special']))[0] != 0);
	$seen{$_} = as_session($node, $db, 'query', $doctor{$_}, "$count; SELECT count(*) FROM ehr_store.resource WHERE subject IS NOT NULL AND type = 36") for keys %doctor;
	$seen{citizen} = as_session($node, $db, 'query', $citizen, $count);
	$seen{other} = as_session($node, $db, 'query', $other, $count);
	$seen{clerk} = as_session($node, $db, 'query', $clerk, $count);
	$seen{department} = as_session($node, $db, 'query', $department, $count);
	$seen{facility} = as_session($node, $db, 'query', [ 'facility', 'f', ehr_org => '88888', ehr_purpose => 'TREAT' ], $count);
	$seen{consents} = as_session($node, $db, 'app', $citizen, "SELECT * FROM ehr.consents('$person') c ORDER BY c::text");
	return \%seen;
}
$old->safe_psql('city', 'CREATE ROLE nobody_special LOGIN');

my $figures = figures($old, 'city');
my $refusals = refusals($old, 'city');
my $all = $refusals->{citizen};
cmp_ok($all, '>', 5, "the citizen reads $all rows");
is($refusals->{granted} =~ s/\n.*//r, $all, 'so does the doctor with consent');
is($refusals->{$_}, "0\n0", "a doctor reads nothing: $_") for qw(none withdrawn ended hiv);
cmp_ok($refusals->{denied} =~ s/\n.*//r, '<', $all, 'a doctor reads less where something is denied');
is($refusals->{department}, '0', 'nor does the department');
$old->safe_psql('city', 'SELECT ehr_internal.audit_catch_up()');
my $contents = contents($old, 'city');
my ($protection, $catalog) = (protection($old, 'city'), catalog($old, 'city'));
my $log = $old->safe_psql('city', q{SELECT count(*) FROM ehr_store.audit_event WHERE kind <> 'read unbound'});

# Every table and view of the store, for a role that a DBA let select from all of them: a clinician without consents sees rows of
# none of them, nor does nobody. What is listed is for everybody: a new table without row security of its own must be put here, or fails.
my %for_everybody = map { $_ => 1 } qw(epoch store_info unit report_definition source_rank view_definition);
sub shows_nothing
{
	my ($node, $db, $where) = @_;
	$node->safe_psql($db, 'GRANT SELECT ON ALL TABLES IN SCHEMA ehr_store TO query');
	my @relations = split /\n/, $node->safe_psql($db, q{SELECT relname FROM pg_class WHERE relnamespace = 'ehr_store'::regnamespace AND relkind IN ('r', 'p', 'v', 'm') ORDER BY 1});
	my $counts = 'SELECT jsonb_object_agg(name, n) FROM (' . join(' UNION ALL ', map { "SELECT '$_' AS name, (SELECT count(*) FROM ehr_store.\"$_\"" . (/^resource(_history)?$/ ? ' WHERE subject IS NOT NULL' : '') . ') AS n' } @relations) . ') AS counted';
	my %filled = %{ decode_json($node->safe_psql($db, $counts)) };
	cmp_ok(scalar(grep { $filled{$_} > 0 } @relations), '>', 15, "$where: many tables have rows");
	for my $who ([ 'nobody', undef ], [ 'a clinician without consents', $doctor{none} ])
	{
		my %seen = %{ decode_json((split /\n/, as_session($node, $db, 'query', $who->[1], $counts))[-1]) };
		is_deeply([ grep { $seen{$_} > 0 && !$for_everybody{$_} } @relations ], [], "$where: $who->[0] sees no row of any table, granted or not");
	}
	$node->safe_psql($db, 'REVOKE SELECT ON ALL TABLES IN SCHEMA ehr_store FROM query');
}

# Every function that an application may call, with arguments that are about the person with most rows: nothing that comes back to
# nobody, or to a clinician without consents, is of that record.
sub calls_show_nothing
{
	my ($node, $db, $where) = @_;
	my %h;
	@h{qw(subject id type system number phone)} = split /\|/, $node->safe_psql($db, qq{SELECT r.subject, r.id, r.type, d #>> '{identifier,0,system}', d #>> '{identifier,0,value}', coalesce(jsonb_path_query_first(d, '\$.telecom[*].value') #>> '{}', '0900000000')
		FROM ehr_store.resource r JOIN ehr_store.person_link l ON l.subject = r.key, LATERAL (SELECT r.doc::jsonb AS d) AS j WHERE ehr_internal.person_root(l.person) = (SELECT p.key FROM ehr_store.person p WHERE p.id::uuid = '$person') AND d #>> '{identifier,0,value}' <> '' ORDER BY r.key LIMIT 1});
	$h{person} = $person;
	my @marks = split /\n/, $node->safe_psql($db, qq{SELECT DISTINCT m FROM ehr_store.resource r JOIN ehr_store.person_link l ON l.subject = r.subject,
		LATERAL (SELECT r.id AS m UNION ALL SELECT i #>> '{}' FROM jsonb_path_query(r.doc::jsonb, '\$.name[*].text') AS i UNION ALL SELECT i #>> '{}' FROM jsonb_path_query(r.doc::jsonb, '\$.identifier[*].value') AS i) AS v
		WHERE ehr_internal.person_root(l.person) = (SELECT p.key FROM ehr_store.person p WHERE p.id::uuid = '$person') AND length(m) > 7});
	$h{condition} = $node->safe_psql($db, qq{SELECT coalesce(min(id) FILTER (WHERE type = 36), min(id)) FROM ehr_store.resource WHERE subject = $h{subject}});
	my $marks = join '|', map { quotemeta } @marks;
	cmp_ok(scalar @marks, '>', 5, "$where: " . scalar(@marks) . ' values tell of the record');
	for my $role ('app', 'query')
	{
		my @calls = calls($node, $db, $role, \%h);
		for my $who ([ 'nobody', undef ], [ 'a clinician without consents', $doctor{none} ])
		{
			my $login = $who->[1] ? 'SELECT FROM ehr.login(\'' . token(@{ $who->[1] }) . "', 'session');\n" : '';
			my @bad;
			for my $pair (answers($node, $db, $role, $login, @calls))
			{
				my ($statement, $answer) = @$pair;
				$answer =~ s/^LINE \d+: .*\n.*\n//mg;
				my @got = grep { index($statement, $_) < 0 } $answer =~ /($marks)/g;
				push @bad, "$statement: @got" if @got;
			}
			is_deeply(\@bad, [], "$where: " . scalar(@calls) . " calls as $role, $who->[0]: no value of the record");
		}
	}
	like(as_session($node, $db, 'app', $citizen, "SELECT ehr.phr('$person')"), qr/$marks/, "$where: which the citizen sees");
}

# --- dump: as the role for it, and as superuser; roles first
# (the staging table is not the store's; whoever made it lets the role read it)
$old->safe_psql('city', 'GRANT SELECT ON public.vaccination_rows TO ehr_backup');
my @from = ('-h', $old->host, '-p', $old->port);
my @to = ('-h', $new->host, '-p', $new->port);
command_ok([ 'pg_dump', @from, '-U', 'backup', '--role=ehr_backup', '-Fc', '-f', "$dir/backup.dump", 'city' ], 'pg_dump as ehr_backup');
command_ok([ 'pg_dump', @from, '-Fc', '-f', "$dir/superuser.dump", 'city' ], 'pg_dump as superuser');
# a function that a dump names must be there in every later version: of the internal ones only those two
my ($statements) = run_command([ 'pg_restore', '-s', '-f', '-', "$dir/superuser.dump" ]);
my %named = map { $_ => 1 } $statements =~ /^(?:GRANT|REVOKE) .* ON FUNCTION ehr_internal\.(\w+)/mg;
is(join(' ', sort keys %named), 'audit_catch_up audit_note', 'privileges of internal functions in the dump');
command_fails([ 'pg_dump', @from, '-U', 'query', '-Fc', '-f', "$dir/none.dump", 'city' ], 'a role that row security binds cannot dump');
command_ok([ 'pg_dumpall', @from, '--roles-only', '-f', "$dir/roles.sql" ], 'the roles');

# --- restore
$old->safe_psql('postgres', 'CREATE DATABASE again');
command_ok([ 'pg_restore', @from, '--exit-on-error', '-d', 'again', "$dir/backup.dump" ], "ehr_backup's dump into another database of the cluster");
$new->psql('postgres', "\\i $dir/roles.sql", on_error_stop => 0);	# postgres is there
$new->safe_psql('postgres', 'CREATE DATABASE city');
command_ok([ 'pg_restore', @to, '--exit-on-error', '--single-transaction', '-d', 'city', "$dir/superuser.dump" ], "the superuser's dump into a new cluster");

for my $case ([ 'the same cluster', $old, 'again' ], [ 'a new cluster', $new, 'city' ])
{
	my ($where, $node, $db) = @$case;
	same_lines(contents($node, $db), $contents, "$where: every row of every table is as it was");
	same_lines(protection($node, $db), $protection, "$where: owners, privileges and row security too");
	same_lines(catalog($node, $db), $catalog, "$where: schemas, functions, policies, triggers, indexes, sequences and roles too");
	is($node->safe_psql($db, q{SELECT count(*) FROM pg_class WHERE relnamespace = 'ehr_store'::regnamespace AND relkind IN ('r', 'p')
		AND NOT (relrowsecurity AND relforcerowsecurity AND relowner = 'ehr_owner'::regrole)}), '0', "$where: every table forces row security and belongs to ehr_owner");
	is_deeply(refusals($node, $db), $refusals, "X09: $where: the same rows for everybody, the same refusals");
	same_lines(figures($node, $db), $figures, "$where: the same figures");
	shows_nothing($node, $db, $where);
	calls_show_nothing($node, $db, $where) if $db eq 'city';
	is($node->safe_psql($db, q{SELECT check_name, detail FROM ehr.self_check() WHERE NOT ok AND check_name NOT IN ('durability', 'vault key')}), '', "$where: self_check() finds nothing");
	# the log
	is($node->safe_psql($db, 'SELECT ehr_internal.audit_catch_up(); SELECT * FROM ehr_internal.audit_verify()'), "\n" x 0, "$where: the chain of the audit log is whole");
	cmp_ok($node->safe_psql($db, q{SELECT count(*) FROM ehr_store.audit_event WHERE kind <> 'read unbound'}), '>', $log, "$where: and goes on");
}

# --- the new cluster goes on
my ($ran_ahead, $behind) = map { $_->safe_psql('city', 'SELECT pg_current_xact_id()') } $old, $new;
cmp_ok($behind, '<', $ran_ahead, "its transaction numbers ($behind) are behind those of the old one ($ran_ahead)");
is_deeply([ feed($new, 'city', $position) ], [], 'a consumer that had read everything has nothing to read');
is_deeply([ feed($new, 'city', '0.0.0') ], \@fed, 'one that begins reads the same versions in the same order');
my $highest = $old->safe_psql('city', 'SELECT max(key) FROM ehr_store.resource_key');
my $patient = $new->safe_psql('city', qq{SELECT k.id FROM ehr_store.resource r JOIN ehr_store.resource_key k ON k.key = r.subject WHERE r.author = '$author' AND NOT r.deleted AND r.type = ehr_internal.type_number('Encounter') ORDER BY 1 LIMIT 1});
my @posted;
for my $i (1 .. 3)
{
	my $id = as_session($new, 'city', 'app', $clerk, qq{SELECT ehr.post('{"resourceType": "Observation", "status": "final", "code": {"text": "after restore"}, "valueInteger": $i, "subject": {"reference": "Patient/$patient"}}') ->> 'id'});
	push @posted, "Observation/$id";
}
my @after = feed($new, 'city', $position);
is_deeply([ map { (split /\|/)[1] } @after ], \@posted, 'from the old position on a consumer gets the new versions, in order, and nothing else');
like((split /\|/, $after[0])[0], qr/^2\./, 'in an epoch of their own');
is_deeply([ (feed($new, 'city', '0.0.0'))[ 0 .. $#fed ] ], \@fed, 'everything old comes before them');
is_deeply([ map { (split /\|/)[1] } feed($new, 'city', (split /\|/, $after[0])[0]) ], [ @posted[ 1, 2 ] ], 'and from a new position on it goes on');
is($new->safe_psql('city', "SELECT count(*) FROM ehr_store.resource_key WHERE key > $highest AND id = ANY ('{@{[join ',', map { s/.*\///r } @posted]}}')"), '3', 'their keys are fresh');
my ($seen_before, $seen_after) = ($refusals->{clerk}, as_session($new, 'city', 'query', $clerk, $count));
is($seen_after, $seen_before + 3, 'the clinician reads them');

# payloads: what was taken in is known, what is new is taken in
my $again = load_payloads($new, 'city', 'feed', dossiers => 30, patients => 5, rows => 2000);
is_deeply($again->{$_}, $receipts->{$_}, "$_ sent again: the receipts of the first time") for qw(claims bundles);
is($again->{immunizations}[0]{sent}, $receipts->{immunizations}[0]{sent}, 'vaccination rows too');
is($new->safe_psql('city', 'SELECT count(*) FROM ehr_store.payload'), $old->safe_psql('city', 'SELECT count(*) FROM ehr_store.payload'), 'and no payload more');
my $receipt = $new->safe_psql('city', q{SELECT ehr.ingest_bundle('{"resourceType": "Bundle", "type": "transaction", "entry": [{"fullUrl": "urn:uuid:11111111-1111-4111-8111-111111111111", "resource": {"resourceType": "Patient", "name": [{"text": "Trần Thị Mới"}]}, "request": {"method": "POST", "url": "Patient"}}]}', 'new-feed') ->> 'resources'}, extra_params => [ '-U', 'feed' ]);
is($receipt, '1', 'a new payload is taken in');

# decisions: a withdrawal closes, in the restored database only
my $granted = as_session($new, 'city', 'app', $citizen, "SELECT consent FROM ehr.consents('$person') WHERE grantee = 'practitioner:granted'");
as_session($new, 'city', 'app', $citizen, "SELECT ehr.withdraw_consent('$granted')");
is(as_session($new, 'city', 'query', $doctor{granted}, $count), '0', 'a consent withdrawn after the restore is withdrawn');
is(as_session($old, 'city', 'query', $doctor{granted}, $count), $all, 'there alone');

# create_store() again finds everything in its place
$new->safe_psql('city', 'SELECT ehr.create_store()');
same_lines(protection($new, 'city'), $protection, 'create_store() again changes no owner, privilege or row security');
is($new->safe_psql('city', q{SELECT * FROM ehr_internal.audit_verify()}), '', 'the log is whole at the end');

$_->stop for $old, $new;
done_testing();
