# FHIR Consent against an independent reading of doc/consent.md (test/tools/consent_oracle.py): 100,000 random documents and requests;
# the rows that sessions load against the evaluator; the shared examples.
use strict;
use warnings;

use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

use EhrTest;

plan skip_all => 'no Python' if system("python3 -c '' 2>/dev/null") != 0;
my $top = EhrTest::top();
my $oracle = "python3 -B $top/test/tools/consent_oracle.py";
my $cases = $ENV{EHR_CONSENT_CASES} // 100_000;
my $seed = $ENV{EHR_CONSENT_SEED} // 20261122;
my $node = ehr_node('trees');
$node->safe_psql('postgres', 'CREATE EXTENSION ehr; SELECT ehr.create_store()');
my $file = scratch() . '/cases.tsv';
system("$oracle generate $cases $seed > $file") == 0 or die 'the oracle failed';
chomp(my $words = `$oracle vocabulary`);

# --- the evaluator and the oracle
my $answer = $node->safe_psql('postgres', qq{
	CREATE TABLE trial (n bigint GENERATED ALWAYS AS IDENTITY, consent jsonb, request jsonb, decision text, node int, depth int);
	COPY trial (consent, request, decision, node, depth) FROM '$file' WITH (FORMAT csv, DELIMITER E'\\t', QUOTE E'\\x01');
	CREATE FUNCTION judged(consent jsonb, request jsonb, words jsonb) RETURNS text LANGUAGE plpgsql AS \$\$
	DECLARE d jsonb;
	BEGIN
		d := ehr_internal.consent_decide(ehr_internal.consent_compile(consent, words), request);
		RETURN concat_ws(' ', d ->> 'decision', d ->> 'node', d ->> 'depth');
	EXCEPTION WHEN check_violation THEN
		RETURN 'refused -1 0';
	END \$\$;
	SELECT concat_ws(' ', count(*), count(*) FILTER (WHERE is_same), count(*) FILTER (WHERE decision = 'permit'), count(*) FILTER (WHERE decision = 'deny'),
		count(*) FILTER (WHERE decision = 'refused'), max(depth), coalesce(min(n) FILTER (WHERE NOT is_same)::text, '-'))
	FROM (SELECT t.*, judged(consent, request, '$words') = concat_ws(' ', decision, node, depth) AS is_same FROM trial t) AS j});
my ($all, $same, $permits, $denials, $refused, $depth, $first) = split / /, $answer;
is($same, $all, "C01: seed $seed: the evaluator decides as the oracle, in $all cases ($permits permits, $denials denials, $refused refused; depth $depth; first difference: $first)");
is($all, $cases, 'all cases were looked at');
cmp_ok($permits, '>', $cases / 20, 'many permit');
cmp_ok($denials, '>', $cases / 5, 'many deny');
cmp_ok($depth, '>=', 7, 'deep provisions decide');

# --- a damaged form never permits
is($node->safe_psql('postgres', qq{
	CREATE FUNCTION survives(form bytea, request jsonb) RETURNS text LANGUAGE plpgsql AS \$\$
	BEGIN
		RETURN ehr_internal.consent_decide(form, request) ->> 'decision';
	EXCEPTION WHEN data_corrupted THEN
		RETURN 'refused';
	END \$\$;
	WITH form AS (SELECT ehr_internal.consent_compile(consent, '$words') AS f, request FROM trial WHERE decision = 'deny' AND depth >= 3 AND length(consent::text) < 3000 ORDER BY n LIMIT 10)
	SELECT count(*) FILTER (WHERE survives(substr(f, 1, i), request) <> 'refused') FROM form, generate_series(0, length(f) - 1) AS i}), '0', 'a form that is cut off anywhere is refused');

# --- the rows that sessions load, against the evaluator
$node->safe_psql('postgres', q{
	INSERT INTO ehr_store.person (key, id) OVERRIDING SYSTEM VALUE VALUES (900071, 'aaaaaaaa-0000-4000-8000-000000000071');
	SELECT ehr_internal.store_write('{"resourceType": "Patient", "id": "p1"}', '79001');
	INSERT INTO ehr_store.person_link (subject, person, method) SELECT key, 900071, 'manual' FROM ehr_store.resource_key WHERE id = 'p1';
	SELECT ehr_internal.store_write(r::jsonb, a) FROM (VALUES
		('{"resourceType": "Encounter", "id": "e1", "status": "finished", "class": {"code": "AMB"}, "subject": {"reference": "Patient/p1"}, "period": {"start": "2024-02-29", "end": "2024-03-02"}}', '79001'),
		('{"resourceType": "Observation", "id": "o1", "status": "final", "code": {"coding": [{"system": "http://loinc.org", "code": "1-1"}]}, "subject": {"reference": "Patient/p1"}, "encounter": {"reference": "Encounter/e1"}, "effectiveDateTime": "2025-06-30T23:59:59+07:00", "performer": [{"reference": "Practitioner/dr-1"}]}', '79001'),
		('{"resourceType": "Condition", "id": "c1", "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "B20"}, {"system": "http://loinc.org", "code": "2-2"}]}, "subject": {"reference": "Patient/p1"}, "recordedDate": "2025"}', '79002'),
		('{"resourceType": "Condition", "id": "c2", "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "F20"}]}, "subject": {"reference": "Patient/p1"}, "encounter": {"reference": "Encounter/e1"}}', '79001'),
		('{"resourceType": "Immunization", "id": "i1", "status": "completed", "vaccineCode": {"coding": [{"system": "http://loinc.org", "code": "3-3"}]}, "patient": {"reference": "Patient/p1"}, "occurrenceDateTime": "2024"}', '79002')) AS v (r, a);
	-- rows against evaluator, of one document for four principals
	CREATE FUNCTION compare(doc jsonb) RETURNS TABLE (purpose text, row_says text, evaluator_says text) LANGUAGE plpgsql AS $$
	DECLARE
		who jsonb;
		patient bigint := (SELECT key FROM ehr_store.resource_key WHERE id = 'p1');
		f bytea := ehr_internal.consent_compile(doc, ehr_internal.consent_vocabulary());
		names jsonb;
	BEGIN
		DELETE FROM ehr_store.consent_document;
		DELETE FROM ehr_store.compiled_right;
		INSERT INTO ehr_store.consent_document (key, consent, subject, form, trusted, evidenced, given, given_for) VALUES (-7, gen_random_uuid(), patient, f, true, false, now(), 900071);
		PERFORM ehr_internal.compile_consent(-7);
		FOR who IN SELECT jsonb_build_object('kind', k, 'sub', s, 'org', o, 'purpose', p) FROM (VALUES
			('clinician', 'dr-1', '79003', 'TREAT'), ('clinician', 'dr-3', '79002', 'TREAT'), ('station', 'st', '79009', 'BTG'), ('clinician', 'dr-2', '79009', 'HRESCH')) AS v (k, s, o, p) LOOP
			names := CASE who ->> 'kind' WHEN 'clinician' THEN jsonb_build_array('Practitioner/' || (who ->> 'sub')) ELSE '[]' END || jsonb_build_array('Organization/' || (who ->> 'org'));
			RETURN QUERY
			SELECT who ->> 'purpose', CASE WHEN a.because @> '[{"decision": "deny"}]' THEN 'deny' WHEN a.because @> '[{"decision": "permit"}]' THEN 'permit' ELSE 'none' END,
				ehr_internal.consent_decide(f, ehr_internal.document_facts(r.type, r.id, r.author, r.labels, r.doc::jsonb, true)
					|| jsonb_build_object('now', (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, 'action', 'access', 'purpose', who ->> 'purpose', 'actors', names, 'kinds', jsonb_build_array(who ->> 'kind'),
						'referred_by', (SELECT coalesce(jsonb_agg(ehr_internal.type_name(o.type) || '/' || o.id), '[]') FROM ehr_store.resource o
							WHERE o.doc::jsonb @? format('lax $.**.reference ? (@ == "%s")', ehr_internal.type_name(r.type) || '/' || r.id)::jsonpath))) ->> 'decision'
			FROM ehr_store.resource r, ehr_internal.access_reasons(who, ARRAY[r.key]) AS a
			WHERE r.subject = patient;
		END LOOP;
	END $$;});
my $documents = $ENV{EHR_CONSENT_DOCUMENTS} // 120;
# only for treatment all must be the same: a permit that names no purpose is for care
$answer = $node->safe_psql('postgres', qq{
	CREATE TABLE compared AS
	SELECT t.n, jsonb_path_exists(t.consent, 'strict \$.provision.**.provision[*].**.actor') AS nested_actors,
		c.*
	FROM (SELECT * FROM trial WHERE decision <> 'refused' AND length(consent::text) < 2500 AND consent -> 'provision' IS NOT NULL ORDER BY n LIMIT $documents) AS t, compare(t.consent) AS c;
	SELECT concat_ws(' ', count(*), count(*) FILTER (WHERE row_says = 'permit'), count(*) FILTER (WHERE row_says = 'deny'),
		count(*) FILTER (WHERE row_says = 'permit' AND evaluator_says <> 'permit'), count(*) FILTER (WHERE evaluator_says = 'deny' AND row_says <> 'deny'),
		count(*) FILTER (WHERE NOT nested_actors AND purpose = 'TREAT' AND row_says <> evaluator_says),
		count(*) FILTER (WHERE row_says <> evaluator_says)) FROM compared});
my ($rows, $open, $closed, $too_open, $not_closed, $other, $stricter) = split / /, $answer;
is($too_open, 0, "of $rows decisions about rows ($open permits, $closed denials) none opens what the document does not");
is($not_closed, 0, 'none leaves open what the document denies');
is($other, 0, "for treatment, and where provisions within others name no actors, all are the same ($stricter are stricter in all)");
cmp_ok($open, '>', $rows / 50, 'many rows are permitted');

# --- the shared examples load
SKIP:
{
	my $suite = ($ENV{EHR_SUITES} // "$top/../shared/suites") . '/consent';
	skip("no $suite", 2) unless -d $suite;
	my @files = glob("$suite/cases/*.json");
	my $loaded = 0;
	my @decides;
	for my $path (@files)
	{
		my $out = $node->safe_psql('postgres', qq{SELECT ehr_internal.store_write(convert_from(pg_read_binary_file('$path'), 'UTF8')::jsonb || jsonb_build_object('id', 'example-$loaded'), '79001') IS NOT NULL});
		$loaded++ if $out eq 't';
	}
	is($loaded, scalar @files, 'every shared example is stored and compiled');
	# as their narratives want it: withhold; who is meant to be let in by an OPTOUT is not, since two examples mean the contrary by it
	is($node->safe_psql('postgres', q{SELECT string_agg(r.doc::jsonb ->> 'id' || ' ' || length(d.form), ',' ORDER BY r.id) IS NOT NULL FROM ehr_store.consent_document d JOIN ehr_store.resource r ON r.key = d.key}), 't', 'and stands among the compiled ones');
}
done_testing();
