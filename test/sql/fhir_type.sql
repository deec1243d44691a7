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

-- the modifier on every other route: domains, arrays, assignment to elements, parameters, results, casts, defaults, composite types, MERGE
CREATE DOMAIN patient AS fhir(Patient);
CREATE TABLE routes (d patient, l fhir(Patient)[], p fhir(Patient));
CREATE TABLE defaults (p fhir(Patient) DEFAULT '{"resourceType": "Group", "type": "person", "actual": true}');
CREATE TYPE held AS (p fhir(Patient));
CREATE FUNCTION pg_temp.route(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE command;
	RETURN 'taken';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT n, pg_temp.route(replace(command, '@', '{"resourceType": "Patient", "id": "x"}')) AS right_type,
	pg_temp.route(replace(command, '@', '{"resourceType": "Group", "type": "person", "actual": true}')) AS wrong_type
FROM (VALUES (1, $$INSERT INTO routes (d) VALUES ('@')$$), (2, $$INSERT INTO routes (d) SELECT '@'::fhir$$), (3, $$SELECT '@'::patient$$),
	(4, $$INSERT INTO routes (l) VALUES (ARRAY['@']::fhir(Patient)[])$$), (5, $$SELECT ('{' || to_json('@'::text) || '}')::fhir(Patient)[]$$),
	(6, $$INSERT INTO routes (l) SELECT ARRAY['@'::jsonb]::fhir[]$$), (7, $$INSERT INTO routes (l[2]) VALUES ('@')$$),
	(8, $$DO 'DECLARE v fhir_type.patient; BEGIN v := ''@''; END'$$), (9, $$DO 'DECLARE v ehr.fhir(Patient); w ehr.fhir := ''@''; BEGIN v := w; END'$$),
	(10, $$DO 'DECLARE v ehr.fhir(Patient)[]; BEGIN v[1] := ''@''::ehr.fhir; END'$$), (11, $$DO 'DECLARE v fhir_type.held; BEGIN v.p := ''@''; END'$$),
	(12, $$DO 'DECLARE v ehr.fhir(Patient); BEGIN SELECT ''@''::ehr.fhir INTO v; END'$$), (13, $$SELECT ROW('@')::held$$),
	(14, $$SELECT CAST('@'::jsonb AS fhir(Patient))$$), (15, $$SELECT p FROM jsonb_to_record('{"p": @}') AS x(p fhir(Patient))$$),
	(16, $$CREATE TABLE a (p) AS SELECT '@'::fhir; ALTER TABLE a ALTER p TYPE fhir(Patient); DROP TABLE a$$),
	(17, $$CREATE TABLE a (p) AS SELECT '@'::jsonb; ALTER TABLE a ALTER p TYPE fhir(Patient) USING p; DROP TABLE a$$),
	(18, $$CREATE TABLE a (p) AS SELECT ARRAY['@'::fhir]; ALTER TABLE a ALTER p TYPE fhir(Patient)[]; DROP TABLE a$$),
	(19, $$MERGE INTO routes USING (SELECT '@'::fhir AS s) q ON false WHEN NOT MATCHED THEN INSERT (p) VALUES (q.s)$$),
	(20, $$INSERT INTO routes (p) VALUES ('@') ON CONFLICT DO NOTHING$$), (21, $$UPDATE routes SET p = '@'::jsonb$$)) AS v(n, command) ORDER BY n;
SELECT pg_temp.route('INSERT INTO defaults DEFAULT VALUES') AS wrong_default;
-- the two names that are keywords, and others that are keywords somewhere
SELECT format_type('fhir'::regtype, ehr_internal.type_number(n)::int) AS type, pg_temp.route(format('CREATE TABLE k (p ehr.fhir(%L)); DROP TABLE k', n)) AS quoted,
	pg_temp.route(format('CREATE TABLE k (p %s); DROP TABLE k', format_type('fhir'::regtype, ehr_internal.type_number(n)::int))) AS as_printed
FROM unnest('{Group,Binary,List,Schedule,Location,Person,Parameters}'::text[]) n;

-- equality, hashing, order: the type's own, those of jsonb
SELECT a = b AS same, a <> b AS other, a < b AS less, a > b AS more, jsonb_hash(a) = jsonb_hash(b) AS same_hash
FROM (VALUES ('{"resourceType":"Patient","id":"a","active":true}'::fhir, '{"active":true,"id":"a","resourceType":"Patient"}'::fhir),
	('{"resourceType":"Patient","id":"a"}', '{"resourceType":"Patient","id":"b"}')) v(a, b);
SELECT count(DISTINCT d) AS distinct_ones, (SELECT string_agg(d ->> 'id', ' ' ORDER BY d) FROM (VALUES ('{"resourceType":"Patient","id":"b"}'::fhir), ('{"resourceType":"Patient","id":"a"}')) x(d)) AS ordered
FROM (VALUES ('{"resourceType":"Patient","id":"a"}'::fhir), ('{"id":"a","resourceType":"Patient"}'), ('{"resourceType":"Patient","id":"b"}')) v(d);
SET LOCAL enable_sort = off; SET LOCAL enable_hashagg = on;
SELECT d ->> 'id' AS id, count(*) FROM (VALUES ('{"resourceType":"Patient","id":"a"}'::fhir), ('{"id":"a","resourceType":"Patient"}')) v(d) GROUP BY d;
SET LOCAL enable_mergejoin = off; SET LOCAL enable_nestloop = off;
SELECT count(*) AS hash_joined FROM (VALUES ('{"resourceType":"Patient","id":"a"}'::fhir)) a(d) JOIN (VALUES ('{"id":"a","resourceType":"Patient"}'::fhir)) b(d) USING (d);
RESET enable_sort; RESET enable_hashagg; RESET enable_mergejoin; RESET enable_nestloop;

-- indexes made for jsonb are used for a fhir column
CREATE TABLE indexed (p fhir(Patient) COMPRESSION lz4);
INSERT INTO indexed SELECT jsonb_build_object('resourceType', 'Patient', 'id', 'p' || n, 'active', n % 2 = 0, 'name', jsonb_build_array(jsonb_build_object('family', 'f' || n))) FROM generate_series(1, 500) n;
CREATE INDEX by_path ON indexed USING gin (p jsonb_path_ops);
CREATE INDEX by_key ON indexed USING gin (p);
CREATE INDEX by_id ON indexed ((p ->> 'id'));
CREATE INDEX by_family ON indexed ((p #>> '{name,0,family}'));
SET LOCAL enable_seqscan = off;
CREATE FUNCTION pg_temp.index_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE plan json; found bigint;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT json, COSTS off) ' || query INTO plan;
	EXECUTE 'SELECT count(*) FROM (' || query || ') q' INTO found;
	RETURN found || ' by ' || substring(plan::text FROM '"Index Name": "([^"]*)"');
END $$;
SELECT pg_temp.index_of(q) FROM (VALUES ($$SELECT FROM indexed WHERE p @> '{"id": "p7"}'$$), ($$SELECT FROM indexed WHERE p @? '$.name[*] ? (@.family == "f9")'$$),
	($$SELECT FROM indexed WHERE p ? 'active'$$), ($$SELECT FROM indexed WHERE p ->> 'id' = 'p3'$$), ($$SELECT FROM indexed WHERE p #>> '{name,0,family}' = 'f4'$$)) v(q);
RESET enable_seqscan;

-- large documents are stored out of line, compressed as the column says, and come back whole
CREATE TABLE large (p fhir(Patient) COMPRESSION lz4);
SELECT jsonb_build_object('resourceType', 'Patient', 'name', jsonb_agg(jsonb_build_object('family', md5(n::text), 'text', repeat('x', 50)))) AS doc FROM generate_series(1, 3000) n \gset
INSERT INTO large VALUES (:'doc');
SELECT pg_column_compression(p) AS compression, pg_column_size(p) > 100000 AND pg_column_size(p) < length(p::text) AS smaller, p = :'doc'::jsonb AS same,
	pg_relation_size((SELECT reltoastrelid FROM pg_class WHERE oid = 'large'::regclass)) > 0 AS toasted FROM large;

-- ANALYZE keeps no document: of columns, arrays, domains and domains over arrays
CREATE DOMAIN patients AS fhir(Patient)[];
CREATE TABLE analyzed (p fhir(Patient), l fhir(Patient)[], d patient, dl patients, n int);
INSERT INTO analyzed SELECT d, ARRAY[d, d], d, ARRAY[d]::fhir[], n % 3 FROM generate_series(1, 200) n, LATERAL (SELECT jsonb_build_object('resourceType', 'Patient', 'id', 'a' || n % 5)::fhir AS d) x;
ANALYZE analyzed;
SELECT attname, null_frac, most_common_vals IS NULL AND histogram_bounds IS NULL AND most_common_elems IS NULL AS no_values
	FROM pg_stats WHERE schemaname = 'fhir_type' AND tablename = 'analyzed' AND attname <> 'n' ORDER BY attname;
ROLLBACK TO s;
-- ANALYZE keeps no document
ANALYZE t;
SELECT attname, null_frac, n_distinct, most_common_vals IS NULL AND histogram_bounds IS NULL AS no_values
	FROM pg_stats WHERE schemaname = 'fhir_type' AND attname IN ('patient', 'any_type') ORDER BY attname;
ROLLBACK;
