# Terminology that was loaded goes with a dump, works where there is no store, and holds real lists: HL7's own code systems and value sets.
use strict;
use warnings;

use File::Temp qw(tempdir);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $suites = $ENV{EHR_SUITES} // "$ENV{EHR_TOP}/../shared/suites";
my $node = PostgreSQL::Test::Cluster->new('terminology');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'ehr'\nfsync = off\n");
$node->start;
my $db = 'postgres';
sub sql { return $node->safe_psql($db, $_[0]); }

sql(q{
	CREATE EXTENSION ehr;
	-- an ICD-10 of the size of the real one: 26 letters, 100 categories each, with ten subdivisions
	CREATE TABLE icd AS
	SELECT chr(64 + l) || lpad(c::text, 2, '0') || coalesce('.' || s, '') AS code, 'name ' || l || c || coalesce(s::text, '') AS display
	FROM generate_series(1, 26) AS l, generate_series(0, 99) AS c, unnest('{NULL,0,1,2,3,4,5,6,7,8,9}'::int[]) AS s;
	SELECT ehr.load_code_system('http://hl7.org/fhir/sid/icd-10', '2019', '2019-01-01', '2026-07-01', 'icd', 'icd10');
	SELECT ehr.load_code_system('http://hl7.org/fhir/sid/icd-10', '2026', '2026-07-01', NULL, 'icd', 'icd10');
	SELECT ehr.load_value_set('{"resourceType": "ValueSet", "status": "active", "url": "urn:diabetes", "compose": {"include": [{"system": "http://hl7.org/fhir/sid/icd-10", "filter": [{"property": "concept", "op": "is-a", "value": "E11"}]}]}}');
	SELECT ehr.load_concept_map('{"resourceType": "ConceptMap", "url": "urn:map", "status": "active", "group": [{"source": "urn:a", "target": "urn:b", "element": [{"code": "x", "target": [{"code": "y", "equivalence": "equal"}]}]}]}');
});
my $questions = q{
	SELECT count(*) FROM ehr.concept;
	SELECT string_agg(code, ' ' ORDER BY code) FROM ehr.expand('urn:diabetes');
	SELECT ehr.lookup('http://hl7.org/fhir/sid/icd-10', 'e119', '2020-01-01');
	SELECT ehr.validate_code('urn:diabetes', 'http://hl7.org/fhir/sid/icd-10', 'E11.9'), ehr.validate_code('urn:diabetes', 'http://hl7.org/fhir/sid/icd-10', 'E12.9');
	SELECT ehr.subsumes('http://hl7.org/fhir/sid/icd-10', 'E11', 'E11.9'), ehr.translate('urn:map', 'urn:a', 'x');
};
my $answers = sql($questions);
# a question by the hierarchy is one look-up in an index, not a walk through the hierarchy (which took 10 ms)
my $ms = sql(q{
	DO $$
	DECLARE start timestamptz := clock_timestamp();
	BEGIN
		PERFORM count(ehr.value_set_has('urn:diabetes', 'http://hl7.org/fhir/sid/icd-10', code)) FROM (SELECT code FROM icd LIMIT 1000) AS i;
		PERFORM set_config('test.ms', (extract(epoch FROM clock_timestamp() - start))::text, false);
	END $$;
	SELECT current_setting('test.ms')});
cmp_ok($ms, '<', 4, "value_set_has by a filter: $ms ms a code");
like($answers, qr/^57200\nE11 E11\.0 .* E11\.9\n/, '28,600 concepts in two versions');

my $dump = tempdir(CLEANUP => 1) . '/dump';
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, $db ], 'pg_dump');
sql('CREATE DATABASE restored');
$node->command_ok([ 'pg_restore', '-d', 'restored', '--exit-on-error', $dump ], 'pg_restore');
is($node->safe_psql('restored', $questions), $answers, 'a restored database answers the same');
is($node->safe_psql('restored', "SELECT ehr.load_value_set('{\"resourceType\": \"ValueSet\", \"status\": \"active\", \"url\": \"urn:new\"}'); SELECT max(id) FROM ehr.value_set"), "0\n2", 'loading goes on after a restore');

# HL7's definitions: each code system and value set loads, and each required binding's value set expands to what is compiled in
SKIP: {
	skip "the suites are not there: $suites", 3 unless -d "$suites/fhir-r4-core";
	my $dir = tempdir(CLEANUP => 1);
	system_or_bail('tar', '-C', $dir, '-xzf', "$suites/fhir-r4-core/hl7.fhir.r4.core-4.0.1.tgz", '--wildcards', '*/CodeSystem-*.json', '*/ValueSet-*.json');
	system_or_bail('chmod', '-R', 'a+rX', $dir);
	my $refused = sql(qq{
		CREATE FUNCTION load(kind text, path text) RETURNS text LANGUAGE plpgsql AS \$\$
		DECLARE doc jsonb := convert_from(pg_read_binary_file(path), 'UTF8')::jsonb; detail text;
		BEGIN
			IF kind = 'CodeSystem' THEN PERFORM ehr.load_code_system(doc); ELSE PERFORM ehr.load_value_set(doc); END IF;
			RETURN NULL;
		EXCEPTION WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS detail = pg_exception_detail;
			RETURN format('%s: %s %s %s', doc ->> 'url', SQLSTATE, SQLERRM, detail);
		END \$\$;
		SELECT r FROM unnest('{CodeSystem,ValueSet}'::text[]) AS kind, LATERAL (SELECT load(kind, '$dir/package/' || f) AS r FROM pg_ls_dir('$dir/package') AS f WHERE f LIKE kind || '-%' ORDER BY f) AS l WHERE r IS NOT NULL});
	my @refused = split /\n/, $refused;
	note("refused: $_") for @refused;
	note(sql(q{SELECT (SELECT count(*) FROM ehr.code_system) || ' code systems, ' || (SELECT count(*) FROM ehr.concept) || ' concepts, ' || (SELECT count(*) FROM ehr.concept_ancestor) || ' pairs, ' || (SELECT count(*) FROM ehr.value_set) || ' value sets'}));
	cmp_ok(scalar @refused, '<=', 20, 'nearly all of HL7\'s code systems and value sets are taken');
	is($node->psql('restored', 'SELECT 1'), 0, 'the server is there');
	my $differ = sql(q{
		CREATE FUNCTION codes(url text) RETURNS text[] LANGUAGE plpgsql AS $$
		BEGIN
			RETURN ARRAY(SELECT DISTINCT e.code FROM ehr.expand(url) AS e ORDER BY 1);
		EXCEPTION WHEN undefined_object THEN
			RETURN NULL;
		END $$;
		SELECT url, cardinality(mine), cardinality(compiled) FROM (
			SELECT v.url, codes(v.url) AS mine, ARRAY(SELECT DISTINCT c.code FROM ehr.r4_value_set(v.url) AS c ORDER BY 1) AS compiled FROM ehr.value_set v
			WHERE EXISTS (SELECT FROM ehr.r4_value_set(v.url))) AS both_ways
		WHERE mine IS NOT NULL AND mine <> compiled ORDER BY 1});
	note("differ from the compiled sets:\n$differ");
	is(scalar(split /\n/, $differ), 0, 'expansion of each loaded value set is what HL7\'s package of expansions, compiled in, has');
}
$node->stop;
done_testing();
