-- Merge of documents: rules by example (doc/merge.md). The algebra is in test/t/merge_properties.pl.
SET search_path = ehr, public, pg_catalog;
\pset format unaligned
\pset tuples_only on
\set a '{"resourceType":"Patient","id":"b","meta":{"versionId":"7","lastUpdated":"2024-05-01T07:00:00+07:00","source":"urn:h1","tag":[{"system":"urn:ehr:source-rank","code":"50"}]},"gender":"male","birthDate":"1980","telecom":[{"system":"phone","value":"0901"},{"system":"phone","value":"0902"},{"system":"phone","value":"0901"}],"name":[{"text":"Nguyen Van An"}]}'
\set b '{"resourceType":"Patient","id":"a","meta":{"lastUpdated":"2022-05-01T00:00:00Z","source":"urn:h2"},"gender":"female","birthDate":"1980-02-03","telecom":[{"system":"phone","value":"0903"},{"system":"phone","value":"0902","use":"home"}],"name":[{"use":"official","text":"NGUYEN VAN AN"},{"use":"old","text":"Le An"}]}'

-- a document alone: its origin goes to meta, what it says twice is said once, its version is no longer its own
SELECT jsonb_pretty(fhir_normalize(:'a')::jsonb);

-- two documents: the newer one counts, the older one adds; the fuller date is older but compatible
SELECT jsonb_pretty((:'a'::fhir + :'b'::fhir)::jsonb);
SELECT x->>'element' AS element, x->>'reason' AS reason, x#>'{kept,value}' AS kept, x#>'{other,value}' AS other
FROM jsonb_array_elements(merge_conflicts(:'a', :'b')) AS x;
SELECT x->>'element', x#>>'{stated,value}', x#>>'{stated,recorded}', x#>>'{stated,rank}', x#>>'{stated,source}', x->>'alternative'
FROM jsonb_array_elements(merge_origins(:'a'::fhir + :'b'::fhir)) AS x;

-- the source of a document as the caller knows it; marks in the document are then not believed
SELECT fhir_normalize(:'b', 'urn:registry', 90)->'meta';
SELECT fhir_normalize('{"resourceType":"Patient","gender":"male","_gender":{"extension":[{"url":"urn:ehr:origin","valueString":"2999-01-01T00:00:00Z 99 0 urn:forged"}]}}', 'urn:h1');

-- recency, then rank, then completeness, then source, then bytes
CREATE FUNCTION pg_temp.who(a jsonb, b jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT (m->>'gender') || ' ' || (SELECT string_agg(x->>'reason', ',') FROM jsonb_array_elements(ehr.merge_conflicts(d1, d2)) x)
	FROM (SELECT '{"resourceType":"Patient"}' || a AS d1, '{"resourceType":"Patient"}' || b AS d2) d, LATERAL (SELECT d1::ehr.fhir OPERATOR(ehr.+) d2::ehr.fhir AS m) r $$;
SELECT pg_temp.who('{"gender":"male","meta":{"lastUpdated":"2024-01-01T00:00:00Z"}}', '{"gender":"female","meta":{"lastUpdated":"2024-01-01T00:00:00.1Z"}}');
SELECT pg_temp.who('{"gender":"male","meta":{"lastUpdated":"2024-01-01T00:00:00+07:00"}}', '{"gender":"female","meta":{"lastUpdated":"2024-01-01T00:00:00Z"}}');
SELECT pg_temp.who('{"gender":"male","meta":{"tag":[{"system":"urn:ehr:source-rank","code":"9"}]}}', '{"gender":"female","meta":{"tag":[{"system":"urn:ehr:source-rank","code":"10"}]}}');
SELECT pg_temp.who('{"gender":"male"}', '{"gender":"female","_gender":{"extension":[{"url":"urn:x","valueString":"y"}]}}');
SELECT pg_temp.who('{"gender":"male","meta":{"source":"urn:b"}}', '{"gender":"unknown","meta":{"source":"urn:a"}}');
SELECT pg_temp.who('{"gender":"male"}', '{"gender":"female"}');

-- dates: every order of three gives the fuller date of the year that counts
CREATE FUNCTION pg_temp.born(date text, at text) RETURNS fhir LANGUAGE sql AS $$
	SELECT jsonb_build_object('resourceType', 'Patient', 'birthDate', date, 'meta', jsonb_build_object('lastUpdated', at || '-01-01T00:00:00Z'))::ehr.fhir $$;
SELECT string_agg(DISTINCT d->>'birthDate', ' ') FROM (
	SELECT merge(x ORDER BY p) AS d FROM generate_series(1, 6) AS o, LATERAL (VALUES
		(pg_temp.born('1980', '2023'), (ARRAY[1,1,2,2,3,3])[o]), (pg_temp.born('1980-05-01', '2021'), (ARRAY[2,3,1,3,1,2])[o]),
		(pg_temp.born('1990', '2022'), (ARRAY[3,2,3,1,2,1])[o])) AS v (x, p) GROUP BY o) AS s;
-- the dates that did not count are kept, since a later document may make them count
SELECT (pg_temp.born('1980', '2023') + pg_temp.born('1990-05-01', '2021'))->'_birthDate';
SELECT (pg_temp.born('1980', '2023') + pg_temp.born('1990-05-01', '2021') + pg_temp.born('1990', '2024'))->'birthDate';

-- deaths and allergies are not lost to a newer statement
SELECT ('{"resourceType":"Patient","meta":{"lastUpdated":"2020-01-01T00:00:00Z"},"deceasedBoolean":true}'::fhir
	+ '{"resourceType":"Patient","meta":{"lastUpdated":"2024-01-01T00:00:00Z"},"deceasedBoolean":false}'::fhir)->'deceasedBoolean';
SELECT ('{"resourceType":"Patient","meta":{"lastUpdated":"2020-01-01T00:00:00Z"},"deceasedDateTime":"2019"}'::fhir
	+ '{"resourceType":"Patient","meta":{"lastUpdated":"2024-01-01T00:00:00Z"},"deceasedBoolean":true}'::fhir)::jsonb - 'meta';
SELECT ('{"resourceType":"AllergyIntolerance","patient":{"reference":"Patient/1"},"meta":{"lastUpdated":"2020-01-01T00:00:00Z"},"criticality":"high","reaction":[{"manifestation":[{"text":"shock"}]}]}'::fhir
	+ '{"resourceType":"AllergyIntolerance","patient":{"reference":"Patient/1"},"meta":{"lastUpdated":"2024-01-01T00:00:00Z"},"criticality":"low","reaction":[{"manifestation":[{"text":"rash"}]}]}'::fhir)::jsonb - 'meta';

-- a dosage is taken whole, never half of one and half of another
SELECT ('{"resourceType":"MedicationRequest","status":"active","intent":"order","subject":{"reference":"Patient/1"},"medicationCodeableConcept":{"text":"A"},"meta":{"lastUpdated":"2024-01-01T00:00:00Z"},"dosageInstruction":[{"text":"1 a day"},{"text":"after meals"}]}'::fhir
	+ '{"resourceType":"MedicationRequest","status":"active","intent":"order","subject":{"reference":"Patient/1"},"medicationReference":{"reference":"Medication/1"},"meta":{"lastUpdated":"2020-01-01T00:00:00Z"},"dosageInstruction":[{"text":"2 a day"}]}'::fhir)::jsonb - 'meta';

-- contained resources of two documents keep apart although both are called #o
SELECT jsonb_pretty(m::jsonb - 'meta'), is_valid(m) FROM (SELECT
	'{"resourceType":"Patient","contained":[{"resourceType":"Organization","id":"o","name":"A"}],"managingOrganization":{"reference":"#o"},"meta":{"lastUpdated":"2024-01-01T00:00:00Z"}}'::fhir
	+ '{"resourceType":"Patient","contained":[{"resourceType":"Organization","id":"o","name":"B"}],"generalPractitioner":[{"reference":"#o"}]}'::fhir AS m) AS s;

-- refused
SELECT '{"resourceType":"Patient"}'::fhir + '{"resourceType":"Basic","code":{"text":"x"}}'::fhir;
SELECT merge_conflicts('[]', '{"resourceType":"Patient"}');
SELECT merge_conflicts('{"a":1}', '{"resourceType":"Patient"}');
SELECT fhir_normalize('{"resourceType":"Patient"}', '');
SELECT fhir_normalize('{"resourceType":"Patient"}', 'urn:a b');
SELECT fhir_normalize('{"resourceType":"Patient"}', NULL, -1);

-- a mark that is none is dropped; hostile shapes do not break it
SELECT fhir_normalize('{"resourceType":"Patient","gender":"male","_gender":{"extension":[{"url":"urn:ehr:origin","valueString":"soon"}]}}')::jsonb - 'meta';
SELECT merge_conflicts('{"resourceType":"Patient","birthDate":1,"name":5,"extension":[3],"telecom":[null,1,[2]],"_telecom":7,"meta":[],"contained":[1]}',
	'{"resourceType":"Patient","birthDate":[],"name":{},"extension":{},"telecom":{},"meta":1,"_birthDate":[{"extension":3}],"deceasedBoolean":{}}') IS NOT NULL;
SELECT NULL::fhir + '{"resourceType":"Patient"}'::fhir IS NULL, fhir_normalize(NULL) IS NULL;

-- one phone in two periods is two statements, one identifier is one; a relative's death is not taken back either
SELECT jsonb_path_query_array(m::jsonb, '$.telecom[*].period'), jsonb_array_length(m::jsonb -> 'identifier') FROM (SELECT
	'{"resourceType":"Patient","meta":{"lastUpdated":"2024-01-01T00:00:00Z"},"telecom":[{"system":"phone","value":"1","period":{"start":"2024"}}],"identifier":[{"system":"urn:a","value":"1"}]}'::fhir
	+ '{"resourceType":"Patient","meta":{"lastUpdated":"2020-01-01T00:00:00Z"},"telecom":[{"system":"phone","value":"1","period":{"start":"2015","end":"2018"}}],"identifier":[{"system":"urn:a","value":"1","use":"old"}]}'::fhir AS m) AS s;
SELECT ('{"resourceType":"FamilyMemberHistory","status":"completed","patient":{"reference":"Patient/1"},"relationship":{"text":"mother"},"meta":{"lastUpdated":"2020-01-01T00:00:00Z"},"deceasedDate":"2019"}'::fhir
	+ '{"resourceType":"FamilyMemberHistory","status":"completed","patient":{"reference":"Patient/1"},"relationship":{"text":"mother"},"meta":{"lastUpdated":"2024-01-01T00:00:00Z"},"deceasedBoolean":false}'::fhir)->'deceasedDate';

-- the rules, as data
SELECT r ->> 'type', r ->> 'element', r ->> 'rule', r -> 'key', r -> 'safety', r ->> 'prefers' FROM jsonb_array_elements(merge_rules()) AS r;
