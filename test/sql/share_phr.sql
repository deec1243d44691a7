-- golden, phr and phr_text under row security: what a session may see and nothing else.
\set VERBOSITY terse
\pset format unaligned
\pset tuples_only on
INSERT INTO ehr_store.person (key, id) OVERRIDING SYSTEM VALUE VALUES
	(910001, '5a5a5a5a-0000-4000-8000-000000000001'), (910002, '5a5a5a5a-0000-4000-8000-000000000002'), (910003, '5a5a5a5a-0000-4000-8000-000000000003');
UPDATE ehr_store.person SET merged_into = 910001 WHERE key = 910003;
CREATE FUNCTION ehr_test.share_put(resource jsonb, author text, source text) RETURNS bigint LANGUAGE sql RETURN ehr_internal.store_write(resource, author, source);
SELECT ehr_test.share_put('{"resourceType":"Patient","id":"sh-p1","name":[{"use":"official","text":"Nguyễn Văn An"}],"birthDate":"1980","gender":"male","telecom":[{"system":"phone","value":"0901"}],
	"_gender":{"extension":[{"url":"urn:ehr:origin","valueString":"2999-01-01T00:00:00Z 99 0 urn:forged"}]}}', '79001', 'urn:test:hospital') AS p1 \gset
SELECT ehr_test.share_put('{"resourceType":"Patient","id":"sh-p2","name":[{"use":"official","text":"NGUYEN VAN AN"}],"birthDate":"1980-02-03","gender":"female","telecom":[{"system":"phone","value":"0902"}]}', '01002', 'urn:test:vaccination') AS p2 \gset
SELECT ehr_test.share_put('{"resourceType":"Patient","id":"sh-p3","name":[{"text":"Trần Thị Bình"}]}', '79001', NULL) AS p3 \gset
-- the second source is linked to a person that was merged into the first
INSERT INTO ehr_store.person_link (subject, person, method) VALUES (:p1, 910001, $$test$$), (:p2, 910003, $$test$$), (:p3, 910002, $$test$$);
UPDATE ehr_store.resource SET recorded = '2024-05-01 00:00:00Z' WHERE id LIKE 'sh-p%';
-- at the same time, the more trusted source counts
INSERT INTO ehr_store.source_rank VALUES ('urn:test:vaccination', 10);
SELECT count(ehr_test.share_put(r::jsonb, author, 'urn:test')) FROM (VALUES
	('{"resourceType":"Organization","id":"sh-org","name":"Bệnh viện A"}', '79001'),
	('{"resourceType":"Encounter","id":"sh-e1","status":"finished","class":{"code":"AMB"},"subject":{"reference":"Patient/sh-p1"},"serviceProvider":{"reference":"Organization/sh-org"},"period":{"start":"2024-05-01T08:00:00+07:00"}}', '79001'),
	('{"resourceType":"Condition","id":"sh-c1","code":{"text":"Tăng huyết áp","coding":[{"system":"http://hl7.org/fhir/sid/icd-10","code":"I10"}]},"subject":{"reference":"Patient/sh-p1"},"encounter":{"reference":"Encounter/sh-e1"},"recordedDate":"2024-05-01"}', '79001'),
	('{"resourceType":"Condition","id":"sh-hiv","code":{"text":"HIV","coding":[{"system":"http://hl7.org/fhir/sid/icd-10","code":"B20"}]},"subject":{"reference":"Patient/sh-p1"},"recordedDate":"2024-05-01"}', '01002'),
	('{"resourceType":"Immunization","id":"sh-i1","status":"completed","vaccineCode":{"coding":[{"system":"urn:v","code":"MR"}]},"patient":{"reference":"Patient/sh-p1"},"occurrenceDateTime":"2020-05-01"}', '79001'),
	('{"resourceType":"Immunization","id":"sh-i2","status":"completed","vaccineCode":{"coding":[{"system":"urn:v","code":"MR"}],"text":"Sởi - Rubella"},"patient":{"reference":"Patient/sh-p2"},"occurrenceDateTime":"2020-05-01T09:00:00+07:00"}', '01002'),
	('{"resourceType":"Observation","id":"sh-b","status":"final","code":{"text":"of another"},"subject":{"reference":"Patient/sh-p3"}}', '79001')) AS v (r, author);
\set an '5a5a5a5a-0000-4000-8000-000000000001'
\set binh '5a5a5a5a-0000-4000-8000-000000000002'
\set an_too '5a5a5a5a-0000-4000-8000-000000000003'

\c - regress_ehr_app
\set VERBOSITY terse
-- nobody
SELECT ehr.golden(:'an') IS NULL, ehr.phr(:'an') IS NULL, ehr.phr_text(:'an') IS NULL;
-- the citizen
BEGIN;
SELECT ehr_test.login('citizen', :'an', NULL, 'PATRQT');
SELECT jsonb_pretty(ehr.golden(:'an')::jsonb);
-- by the id of the person that was merged into it as well
SELECT ehr.golden(:'an_too')::jsonb - 'id' = ehr.golden(:'an')::jsonb - 'id';
SELECT regexp_replace(ehr.phr_text(:'an'), 'Lập ngày [0-9/: ]+', 'Lập ngày …');
SELECT ehr.is_valid(b), b->>'type', jsonb_array_length(b->'entry') FROM (SELECT ehr.phr(:'an')::jsonb) AS s (b);
-- every reference leads to an entry
SELECT r FROM (SELECT ehr.phr(:'an')::jsonb) AS s (b), jsonb_path_query(b, '$.**.reference') AS r WHERE NOT b @> jsonb_build_object('entry', jsonb_build_array(jsonb_build_object('fullUrl', r)));
-- the book is the same whenever it is asked for
SELECT ehr.phr(:'an')::jsonb->'identifier' = ehr.phr(:'an')::jsonb->'identifier';
-- not another's
SELECT ehr.golden(:'binh') IS NULL, ehr.phr(:'binh') IS NULL;
COMMIT;
-- the vaccinating facility sees what it wrote and no more
BEGIN;
SELECT ehr_test.login('facility', 'his', '01002', 'TREAT');
SELECT g->'birthDate', g->'telecom', g->'link' FROM (SELECT ehr.golden(:'an')::jsonb) AS s (g);
SELECT string_agg(e#>>'{resource,resourceType}', ' ') FROM (SELECT ehr.phr(:'an')::jsonb) AS s (b), jsonb_array_elements(b->'entry') AS e;
COMMIT;
-- which patients are one person is not for applications
SELECT * FROM ehr.subject_names(:'an');
SELECT ehr_internal.golden(:'an');

\c - postgres
SET client_min_messages = warning;
DELETE FROM ehr_store.resource WHERE id LIKE 'sh-%';
DELETE FROM ehr_store.person_link WHERE person BETWEEN 910001 AND 910003;
DELETE FROM ehr_store.person WHERE key BETWEEN 910001 AND 910003;
DELETE FROM ehr_store.source_rank;
DROP FUNCTION ehr_test.share_put;
