-- Type fhir: modifier, casts, subscripts, I/O, statistics.
\set SHOW_CONTEXT always
SET search_path = ehr, public;
BEGIN;
CREATE SCHEMA fhir_type;
SET LOCAL search_path = fhir_type, ehr, public;

-- numbers of resource types are frozen
SELECT ehr_internal.type_number('Account') AS first, ehr_internal.type_number('Patient') AS patient,
	ehr_internal.type_number('VisionPrescription') AS last, ehr_internal.type_number('patient') AS folded,
	ehr_internal.type_name(1::int2) AS one, ehr_internal.type_name(148::int2) AS hundred_forty_eight,
	ehr_internal.type_name(0::int2) AS zero, ehr_internal.type_name(149::int2) AS beyond;
SELECT count(*) AS types, md5(string_agg(n || ' ' || ehr_internal.type_name(n::int2), ',' ORDER BY n)) AS frozen
	FROM generate_series(1, 148) n;
SELECT bool_and(ehr_internal.type_number(ehr_internal.type_name(n::int2)) = n) AS both_ways FROM generate_series(1, 148) n;

-- the modifier is printed quoted, since some names are keywords
CREATE TABLE t (id int, any_type fhir, patient fhir(patient), grp fhir('Group'), list fhir(Observation)[]);
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 1 ORDER BY attnum;
SAVEPOINT s;
CREATE TABLE bad (a fhir(Patent));
ROLLBACK TO s;
CREATE TABLE bad (a fhir(DomainResource));
ROLLBACK TO s;
CREATE TABLE bad (a fhir(Patient, Group));
ROLLBACK TO s;

-- every way into a column obeys the modifier
INSERT INTO t (id, patient, grp) VALUES (1, '{"resourceType": "Patient", "id": "p1", "active": true}',
	'{"resourceType": "Group", "type": "person", "actual": true}');
INSERT INTO t (id, patient) VALUES (2, '{"resourceType": "Group", "type": "person", "actual": true}');
ROLLBACK TO s;
INSERT INTO t (id, patient, any_type) VALUES (1, '{"resourceType": "Patient", "id": "p1", "active": true}', '{"resourceType": "Basic", "code": {"text": "x"}}');
SAVEPOINT s;
UPDATE t SET patient = any_type;
ROLLBACK TO s;
UPDATE t SET patient = '{"resourceType": "Basic", "code": {"text": "x"}}'::jsonb;
ROLLBACK TO s;
UPDATE t SET list = ARRAY['{"resourceType": "Patient"}']::fhir[];
ROLLBACK TO s;
DO $$ DECLARE v fhir(Patient); BEGIN v := '{"resourceType": "Basic", "code": {"text": "x"}}'; END $$;
ROLLBACK TO s;
ALTER TABLE t ALTER any_type TYPE fhir(Patient);
ROLLBACK TO s;
COPY t (patient) FROM stdin;
{"resourceType": "Patient", "id": "p2"}
{"resourceType": "Basic", "code": {"text": "x"}}
\.
ROLLBACK TO s;
SELECT '{"resourceType": "Patient", "id": "x"}'::jsonb::fhir(patient) AS jsonb_to_patient;
SELECT '{"resourceType": "Patient", "id": "x"}'::fhir::fhir('Group');
ROLLBACK TO s;

-- a fhir is a jsonb: operators, functions, nesting
SELECT patient ->> 'id' AS arrow, patient @> '{"active": true}' AS contains, jsonb_typeof(patient['active']) AS subscript,
	resource_type(patient), resource_id(patient), resource_id(any_type) AS no_id FROM t;
SELECT to_jsonb(x) AS row_to_jsonb FROM (SELECT patient FROM t) x;
SELECT json_agg(patient) AS agg FROM t;
SELECT jsonb_build_object('a', patient) AS built FROM t;
SELECT pg_typeof(patient || '{"active": false}'::jsonb) AS concat_is_jsonb FROM t;
SELECT count(*) AS groups FROM (SELECT patient FROM t UNION SELECT patient FROM t) x;
SELECT a.id FROM t a JOIN t b ON a.patient = b.patient ORDER BY a.patient;
CREATE INDEX ON t USING gin (patient jsonb_path_ops);
CREATE INDEX ON t ((patient ->> 'id'));
CREATE UNIQUE INDEX ON t (patient);

-- stored as jsonb is, to the last byte
SELECT bool_and(pg_column_size(d::fhir) = pg_column_size(d::jsonb) AND d::fhir::jsonb = d::jsonb AND d::fhir::text = d::jsonb::text) AS same
FROM (VALUES
	('{"resourceType":"Patient","id":"a","name":[{"family":"Nguyễn","given":["Văn","An"]}],"multipleBirthInteger":2}'),
	('{"resourceType":"Observation","status":"final","code":{"text":"\u1ea4\ud83d\ude00\n\"\\\/"},"valueQuantity":{"value":-12.50}}'),
	('{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":1.5e3}}'),
	('{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":0.00}}'),
	('{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":123456789012345678901234567890.123}}'),
	('{"resourceType":"Patient","multipleBirthBoolean":false,"deceasedBoolean":true}')) v(d);
-- decimals keep their precision
SELECT d::fhir #>> '{valueQuantity,value}' AS value FROM (VALUES
	('{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":1.50}}'),
	('{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":-0.010}}'),
	('{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":100}}')) v(d);

-- subscript assignment is validated too, and cannot change the type
UPDATE t SET patient['active'] = 'false';
SELECT patient FROM t;
UPDATE t SET patient['active'] = '"no"';
ROLLBACK TO s;
UPDATE t SET patient['resourceType'] = '"Basic"';
ROLLBACK TO s;
UPDATE t SET any_type = '{"resourceType": "Patient"}', patient = NULL;
UPDATE t SET any_type['resourceType'] = '"Person"';
ROLLBACK TO s;
UPDATE t SET grp['resourceType'] = '"Patient"';
ROLLBACK TO s;
UPDATE t SET any_type = NULL;
UPDATE t SET any_type['resourceType'] = '"Patient"';
SELECT any_type FROM t;
ROLLBACK TO s;
DO $$ DECLARE v fhir(Person); BEGIN v['resourceType'] := '"Person"'; RAISE NOTICE '%', v; v['resourceType'] := '"Patient"'; END $$;
ROLLBACK TO s;
UPDATE t SET patient['naem'] = '[]';
ROLLBACK TO s;
UPDATE t SET patient['name'][0]['family'] = '"Tran"';
SELECT patient['name'][0]['family'] AS family, patient['name'][5] AS none FROM t;

-- binary format: a version byte, then JSON
SELECT substr(ehr_internal.fhir_send(any_type), 1, 1) AS version, substr(ehr_internal.fhir_send(any_type), 2, 1) AS brace FROM t;

-- ANALYZE keeps no document
ANALYZE t;
SELECT attname, null_frac, n_distinct, most_common_vals IS NULL AND histogram_bounds IS NULL AS no_values
	FROM pg_stats WHERE schemaname = 'fhir_type' AND attname IN ('patient', 'any_type') ORDER BY attname;
ROLLBACK;
