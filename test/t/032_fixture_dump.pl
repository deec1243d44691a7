# Dumps that earlier builds wrote restore into this one, with all that was in them (test/data/dump), and what is loaded in
# a database changes nothing in what type fhir takes.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use EhrTest;
use File::Compare qw(compare);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = $ENV{EHR_TOP};
my $folder = "$top/test/data/dump";

my $node = PostgreSQL::Test::Cluster->new('fixture');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'ehr'\nfsync = off\n");
$node->start;

my @dumps = sort map { s{.*/(.*)\.sql$}{$1}r } grep { -e s/sql$/answers/r } glob("$folder/*.sql");
cmp_ok(scalar @dumps, '>=', 1, 'dumps: ' . join(', ', @dumps));
for my $dump (@dumps)
{
	$node->safe_psql('postgres', qq(CREATE DATABASE "$dump"));
	$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $dump, '-o', '/dev/null', '-f', "$folder/$dump.sql" ], "$dump is restored");
	my $answers = $node->basedir . "/$dump.answers";
	run_log([ 'psql', '-X', '-q', '-A', '-t', '-d', $node->connstr($dump), '-o', $answers, '-f', "$folder/questions.sql" ]);
	is(compare($answers, "$folder/$dump.answers"), 0, "$dump: the same rows, types, indexes, definitions and outcomes") or diag(slurp_file($answers));
	like($node->psql($dump, "INSERT INTO public.kept (id, any_type, p) SELECT 200, any_type, any_type FROM public.kept WHERE id = 16") == 3 ? 'refused' : 'taken',
		qr/refused/, "$dump: modifiers hold after the restore");
}

# Everything that the restored database holds, and single elements of it left out: a database without any definition takes
# and refuses the same, to the word. validate() alone knows the difference.
my $database = $dumps[-1];
$node->safe_psql('postgres', 'CREATE DATABASE bare');
$node->safe_psql('bare', 'CREATE EXTENSION ehr');
my $function = q{
	CREATE FUNCTION public.refusal(t text) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE detail text;
	BEGIN
		PERFORM t::ehr.fhir;
		RETURN 'taken';
	EXCEPTION WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS detail = pg_exception_detail;
		RETURN concat_ws(' ', SQLSTATE, SQLERRM, detail);
	END $$};
$node->safe_psql($_, $function) for $database, 'bare';
my $documents = $node->basedir . '/documents';
my $count = $node->safe_psql($database, qq{
	CREATE TABLE public.document AS
	SELECT DISTINCT doc::text AS t FROM (
		SELECT any_type::jsonb AS doc FROM public.kept
		UNION ALL SELECT any_type::jsonb - key FROM public.kept, jsonb_object_keys(any_type) AS key
		UNION ALL SELECT jsonb_set(any_type, ARRAY[key], '"x"') FROM public.kept, jsonb_object_keys(any_type) AS key
		UNION ALL SELECT jsonb_set(any_type, '{photo}', '[{"url":"http://x"}]') FROM public.kept
		UNION ALL SELECT jsonb_set(any_type, '{meta}', '{"profile":["http://example.vn/patient"]}') FROM public.kept) AS d;
	COPY public.document TO '$documents';
	SELECT count(*) FROM public.document});
cmp_ok($count, '>', 400, "$count documents");
$node->safe_psql('bare', "CREATE TABLE public.document (t text); COPY public.document FROM '$documents'");
my %answers = map { $_ => $node->safe_psql($_, q{SELECT md5(t), public.refusal(t) FROM public.document ORDER BY t COLLATE "C"}) } $database, 'bare';
is($answers{$database}, $answers{bare}, 'with and without definitions the type takes and refuses the same');
like($answers{bare}, qr/taken/, 'some are taken');
like($answers{bare}, qr/23514/, 'some are refused');
my %outcomes = map { $_ => $node->safe_psql($_, q{SELECT count(*) FROM public.document, jsonb_array_elements(ehr.validate(t) -> 'issue') AS i WHERE i #>> '{details,coding,0,code}' IN ('profile-max', 'profile-type', 'profile-min')}) } $database, 'bare';
cmp_ok($outcomes{$database}, '>', 10, "definitions are what validate() asks: $outcomes{$database} issues");
is($outcomes{bare}, 0, 'and without them none');

$node->stop;

# Those with a store: in a new cluster the roles, then the dump, whose CREATE EXTENSION makes this build's, then upgrade_store().
# Rows, owners, row security and privileges are as they were, and sessions read what they read.
my @stores = sort map { s{.*/(.*)[.]sql[.]xz$}{$1}r } glob("$folder/*-store.sql.xz");
cmp_ok(scalar @stores, '>=', 1, 'dumps with a store: ' . join(', ', @stores));
for my $dump (@stores)
{
	my $new = ehr_node($dump);
	my $file = scratch() . "/$dump.sql";
	my $answers = scratch() . "/$dump.answers";
	my $db = 'city';
	my $count = 'SELECT count(*) FROM ehr_store.resource WHERE subject IS NOT NULL';
	system_or_bail('sh', '-c', "xz -dc '$folder/$dump.sql.xz' >'$file'");
	$new->safe_psql('postgres', q{DO $$ BEGIN IF to_regrole('postgres') IS NULL THEN CREATE ROLE postgres SUPERUSER; END IF; END $$});
	$new->safe_psql('postgres', "CREATE DATABASE $db");
	$new->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $db, '-o', '/dev/null', '-f', $file ], "$dump is restored");
	$new->safe_psql($db, 'SELECT ehr.upgrade_store()');
	run_log([ 'psql', '-X', '-q', '-A', '-t', '-d', $new->connstr($db), '-o', $answers, '-f', "$folder/store_questions.sql" ]);
	is(compare($answers, "$folder/$dump.answers"), 0, "E12: $dump: the same rows, documents, owners, row security, roles, and a log whose chain is whole") or diag(slurp_file($answers));
	is($new->safe_psql($db, q{SELECT version = ehr.version() FROM ehr_store.store_info}), 't', "$dump: the store is of this build's version");
	is($new->safe_psql($db, q{SELECT check_name, detail FROM ehr.self_check() WHERE NOT ok AND check_name NOT IN ('durability', 'vault key', 'session keys')}), '', "$dump: self_check() finds nothing");

	$new->safe_psql($db, "SELECT ehr.add_session_key('test', '" . issuer() . "')");
	my $person = $new->safe_psql($db, q{SELECT p.id FROM ehr_store.person p WHERE p.key = (SELECT ehr_internal.person_root(l.person) FROM ehr_store.resource_key k JOIN ehr_store.person_link l ON l.subject = k.key WHERE k.id = 'fixture-2')});
	my %doctor = map { $_ => [ 'clinician', "fixture-$_", ehr_org => '99999', ehr_purpose => 'TREAT' ] } qw(granted withdrawn);
	my $all = as_session($new, $db, 'fixture_app', [ 'citizen', $person, ehr_purpose => 'PATRQT' ], $count);
	is($all, '5', "$dump: the citizen of two merged persons reads the rows of both");
	# a label needs a consent of its own
	is(as_session($new, $db, 'fixture_app', $doctor{granted}, $count), '4', "$dump: the doctor with consent too, but for what is labelled");
	is(as_session($new, $db, 'fixture_app', $doctor{withdrawn}, $count), '0', "$dump: the one whose consent was withdrawn reads nothing");
	is(as_session($new, $db, 'fixture_app', undef, $count), '0', "$dump: nor does nobody");
	like(as_session($new, $db, 'fixture_app', [ 'clinician', 'dr-fixture', ehr_org => '79001', ehr_purpose => 'TREAT' ],
		q{SELECT ehr.put('{"resourceType":"Observation","id":"fixture-o","status":"amended","code":{"text":"x"},"subject":{"reference":"Patient/fixture-2"}}') #>> '{meta,versionId}'}), qr/^3$/, "$dump: writing goes on");
	$new->stop;
}
done_testing();
