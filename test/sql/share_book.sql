-- The health book out of given resources (doc/share.md); who may see what is in share_phr.
SET search_path = ehr, public, pg_catalog;
\pset format unaligned
\pset tuples_only on

-- values read aloud, by the shape of each data type
SELECT v, ehr_internal.book_value(v) FROM jsonb_array_elements('[
	"1980-02-03", "1980-02", "1980", "2024-05-01T08:30:00+07:00", "male", "free text", true, 1.5, 1.23456, [],
	{"text": "Tăng huyết áp", "coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "I10"}]}, {"coding": [{"code": "I10", "display": "Cao HA"}, {"code": "AMB"}]},
	{"coding": [{"display": "no code"}]}, {"family": "Nguyễn", "given": ["Văn", "An"]}, {"text": "Lê Thị Bình", "family": "Lê"},
	{"line": ["1 Lê Lợi", "P. Bến Nghé"], "city": "TP. Hồ Chí Minh"}, {"start": "2024-05-01", "end": "2024-05-03"}, {"start": "2024-05-01"}, {"end": "2024-05-03"},
	{"value": 5.4, "unit": "mmol/L", "comparator": "<"}, {"value": 37, "code": "Cel"}, {"low": {"value": 1}, "high": {"value": 2, "unit": "g"}},
	{"numerator": {"value": 1}, "denominator": {"value": 128}}, {"reference": "Patient/1", "display": "Mẹ"}, {"identifier": {"value": "79001"}}, {"system": "phone", "value": "0901"},
	{"code": {"text": "HA tâm thu"}, "valueQuantity": {"value": 140, "unit": "mmHg"}}, {}, null]') AS v;

CREATE TEMPORARY TABLE report (author text, doc jsonb);
\copy report FROM stdin WITH (DELIMITER '|')
79001|{"resourceType":"Immunization","id":"i1","status":"completed","vaccineCode":{"coding":[{"system":"urn:ehr:vaccine","code":"MR"}],"text":"Sởi - Rubella"},"patient":{"reference":"Patient/p1"},"occurrenceDateTime":"2020-05-01T08:00:00+07:00","lotNumber":"A12","meta":{"versionId":"1","lastUpdated":"2020-05-01T02:00:00.000Z"}}
01002|{"resourceType":"Immunization","id":"i2","status":"completed","vaccineCode":{"coding":[{"system":"urn:ehr:vaccine","code":"MR"}]},"patient":{"reference":"Patient/p2"},"occurrenceDateTime":"2020-05-01","meta":{"versionId":"1","lastUpdated":"2021-05-01T02:00:00.000Z"}}
01002|{"resourceType":"Immunization","id":"i3","status":"completed","vaccineCode":{"coding":[{"system":"urn:ehr:vaccine","code":"MR"}]},"patient":{"reference":"Patient/p2"},"occurrenceDateTime":"2020-06-01"}
01002|{"resourceType":"Immunization","id":"i4","status":"not-done","vaccineCode":{"coding":[{"system":"urn:ehr:vaccine","code":"MR"}]},"patient":{"reference":"Patient/p2"},"occurrenceDateTime":"2020-05-01"}
79001|{"resourceType":"Encounter","id":"e1","status":"finished","class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB"},"subject":{"reference":"Patient/p1"},"period":{"start":"2024-05-01T08:00:00+07:00","end":"2024-05-01T09:00:00+07:00"},"serviceProvider":{"reference":"Organization/o1"},"diagnosis":[{"condition":{"reference":"Condition/c1"}}],"partOf":{"reference":"Encounter/elsewhere"}}
79001|{"resourceType":"Condition","id":"c1","code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10","code":"I10"}],"text":"Tăng huyết áp <nguyên phát> & \\"khác\\""},"subject":{"reference":"Patient/p1"},"encounter":{"reference":"Encounter/e1"},"recordedDate":"2024-05-01"}
79001|{"resourceType":"Observation","id":"b1","status":"final","category":[{"coding":[{"code":"vital-signs"}]}],"code":{"text":"Huyết áp"},"subject":{"reference":"Patient/p1"},"effectiveDateTime":"2024-05-01","component":[{"code":{"text":"tâm thu"},"valueQuantity":{"value":150,"unit":"mmHg"}},{"code":{"text":"tâm trương"},"valueQuantity":{"value":95,"unit":"mmHg"}}]}
79001|{"resourceType":"Observation","id":"b2","status":"final","code":{"text":"Glucose"},"subject":{"reference":"Patient/p1"},"effectiveDateTime":"2024-05-01","valueQuantity":{"value":5.40,"unit":"mmol/L"}}
79001|{"resourceType":"AllergyIntolerance","id":"a1","code":{"text":"Penicillin"},"patient":{"reference":"Patient/p1"},"criticality":"high","reaction":[{"manifestation":[{"text":"Phản vệ"}]}]}
01002|{"resourceType":"AllergyIntolerance","id":"a2","code":{"text":"Penicillin"},"patient":{"reference":"Patient/p2"},"criticality":"low"}
79001|{"resourceType":"MedicationRequest","id":"m1","status":"active","intent":"order","medicationCodeableConcept":{"text":"Amlodipin 5 mg"},"subject":{"reference":"Patient/p1"},"authoredOn":"2024-05-01","dosageInstruction":[{"text":"Ngày uống 1 viên, sáng"}]}
79001|{"resourceType":"Claim","id":"x1","status":"active","type":{"text":"x"},"use":"claim","patient":{"reference":"Patient/p1"},"created":"2024-05-01","provider":{"reference":"Organization/o1"},"priority":{"text":"x"},"insurance":[{"sequence":1,"focal":true,"coverage":{"reference":"Coverage/1"}}]}
\.
CREATE FUNCTION pg_temp.book() RETURNS jsonb LANGUAGE sql AS $$
	SELECT ehr_internal.book_bundle('6f1c1f43-9f0f-4c0b-8ad5-7f1b0c7c3a10',
		'{"resourceType":"Patient","id":"p1","name":[{"use":"official","text":"Nguyễn Văn An"},{"use":"old","text":"An"}],"birthDate":"1980-02-03","gender":"male","link":[{"type":"seealso","other":{"reference":"Patient/p1"}}],"managingOrganization":{"reference":"Organization/o1"}}',
		(SELECT jsonb_agg(jsonb_build_object('author', author, 'doc', doc) ORDER BY random()) FROM report),
		'[{"resourceType":"Organization","id":"o1","name":"Bệnh viện A"}]', '{Patient/p1,Patient/p2}', '2026-11-22 10:00:00+07') $$;
CREATE TEMPORARY TABLE book AS SELECT pg_temp.book() AS b;

SELECT ehr_internal.book_text(b) FROM book;

-- a valid document: Composition first, each entry under its own URN, the patient's once, references to what is in it resolved
SELECT is_valid(b), b->>'type', b#>>'{identifier,system}', b#>>'{identifier,value}' LIKE 'urn:uuid:%', b->>'timestamp' FROM book;
SELECT e#>>'{resource,resourceType}', e#>>'{resource,id}', e->>'fullUrl' FROM book, jsonb_array_elements(b->'entry') AS e;
SELECT count(*) = count(DISTINCT e->>'fullUrl') AND bool_and(e->>'fullUrl' ~ '^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$')
FROM book, jsonb_array_elements(b->'entry') AS e;
SELECT DISTINCT r #>> '{}' AS not_in_the_book FROM book, jsonb_path_query(b, '$.**.reference') AS r
WHERE NOT EXISTS (SELECT FROM jsonb_array_elements(b->'entry') AS e WHERE e->>'fullUrl' = r #>> '{}');
-- two reports of one vaccination are one entry that names both and says what both said
SELECT jsonb_pretty(e->'resource') FROM book, jsonb_array_elements(b->'entry') AS e WHERE e#>>'{resource,id}' = 'i1';
-- the graver statement about an allergy stands
SELECT e#>>'{resource,criticality}' FROM book, jsonb_array_elements(b->'entry') AS e WHERE e#>>'{resource,resourceType}' = 'AllergyIntolerance';
-- a narrative is XML and hides nothing in it
SELECT s#>>'{text,div}', (s#>>'{text,div}')::xml IS DOCUMENT FROM book, jsonb_array_elements(b#>'{entry,0,resource,section}') AS s WHERE s->>'title' LIKE 'Bệnh%';
SELECT s->>'title', s#>>'{code,coding,0,code}', jsonb_array_length(s->'entry'), s#>>'{emptyReason,coding,0,code}' FROM book, jsonb_array_elements(b#>'{entry,0,resource,section}') AS s;
-- the same resources in another order make the same document
SELECT bool_and(pg_temp.book() = b) FROM book, generate_series(1, 5);
-- nothing but the patient
SELECT is_valid(b), jsonb_array_length(b->'entry'), ehr_internal.book_text(b) FROM ehr_internal.book_bundle('6f1c1f43-9f0f-4c0b-8ad5-7f1b0c7c3a10', '{"resourceType":"Patient"}', '[]', '[]', '{}', '2026-11-22 10:00:00+07') AS b;
