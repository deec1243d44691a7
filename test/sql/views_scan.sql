-- view_record() in FROM: a scan of its own, whose rows are those of the function
\set QUIET on
SET search_path = public, ehr;
CREATE TEMP TABLE o AS SELECT n, jsonb_build_object('resourceType', CASE WHEN n = 7 THEN 'Patient' ELSE 'Observation' END, 'id', 'o' || n, 'status', 'final',
	'valueQuantity', jsonb_build_object('value', n * 1.50, 'unit', 'kg'), 'note', jsonb_build_array(jsonb_build_object('text', repeat('x', n * 500)), jsonb_build_object('text', 'b')),
	'code', jsonb_build_object('coding', (SELECT coalesce(jsonb_agg(jsonb_build_object('code', format('c%s', i))), '[]') FROM generate_series(1, n % 3) AS i))) AS doc
FROM generate_series(1, 12) AS n;
INSERT INTO o VALUES (13, NULL), (14, '{"resourceType": "Observation", "status": "final", "_status": {"id": "s"}, "code": {"coding": [{"code": "with sibling"}]}}');
\set definition '{"resource": "Observation", "select": [{"column": [{"name": "id", "path": "id"}, {"name": "value", "path": "value.ofType(Quantity).value", "type": "decimal"}, {"name": "length", "path": "note[0].text.length()", "type": "integer"}, {"name": "notes", "path": "note.text", "collection": true}]}, {"forEachOrNull": "code.coding", "column": [{"name": "code", "path": "code"}, {"name": "i", "path": "%rowIndex", "type": "integer"}]}]}'
CREATE TEMP VIEW flat AS SELECT o.n, v.* FROM o CROSS JOIN LATERAL view_record(:'definition', o.doc) AS v (id text, value numeric, length int, notes text[], code text, i int);

EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM flat WHERE code = 'c1';
SELECT n, id, value, length, array_length(notes, 1) AS notes, left(notes[1], 3) AS note, code, i FROM flat ORDER BY n, i;
SELECT count(*), count(code), sum(value) FROM flat;
SELECT n, code FROM flat WHERE i = 1 ORDER BY n;

-- the same rows as the function itself gives, which whole rows ask for
CREATE TEMP TABLE by_function AS SELECT o.n, v::text AS v FROM o CROSS JOIN LATERAL view_record(:'definition', o.doc) AS v (id text, value numeric, length int, notes text[], code text, i int);
EXPLAIN (COSTS OFF) SELECT v FROM o CROSS JOIN LATERAL view_record(:'definition', o.doc) AS v (id text, value numeric, length int, notes text[], code text, i int);
SELECT count(*) FROM (SELECT n, v FROM by_function EXCEPT ALL SELECT n, (id, value, length, notes, code, i)::text FROM flat) AS d;
SELECT count(*) FROM (SELECT n, (id, value, length, notes, code, i)::text FROM flat EXCEPT ALL SELECT n, v FROM by_function) AS d;
SELECT code, k FROM o CROSS JOIN LATERAL ROWS FROM (view_record(:'definition', o.doc) AS (id text, value numeric, length int, notes text[], code text, i int)) WITH ORDINALITY AS v (id, value, length, notes, code, i, k) WHERE n = 5;

-- wherever a resource can come from: an expression, a constant, a parameter, a row that is looked at again and again
SELECT v.code FROM o CROSS JOIN LATERAL view_record(:'definition', o.doc || jsonb_build_object('code', '{"coding": [{"code": "p"}, {"code": "q"}]}'::jsonb)) AS v (id text, value numeric, length int, notes text[], code text, i int) WHERE n = 2;
SELECT v.code FROM view_record('{"resource": "Patient", "select": [{"column": [{"name": "code", "path": "id"}]}]}', '{"resourceType": "Patient", "id": "constant"}') AS v (code text);
PREPARE of (jsonb, jsonb) AS SELECT v.code FROM view_record($1, $2) AS v (code text);
SET plan_cache_mode = force_generic_plan;
EXECUTE of ('{"resource": "Patient", "select": [{"column": [{"name": "code", "path": "id"}]}]}', '{"resourceType": "Patient", "id": "parameter"}');
EXECUTE of ('{"resource": "Patient", "select": [{"column": [{"name": "code", "path": "gender"}]}]}', '{"resourceType": "Patient", "gender": "other"}');
EXECUTE of (NULL, '{"resourceType": "Patient", "gender": "other"}');
EXECUTE of ('{"resource": "Patient", "select": [{"column": [{"name": "code", "path": "gender"}]}]}', NULL);
RESET plan_cache_mode;
SELECT n, (SELECT string_agg(v.code, ',') FROM view_record(:'definition', o.doc) AS v (id text, value numeric, length int, notes text[], code text, i int)) AS codes FROM o WHERE n < 6 ORDER BY n;
-- another definition for each row
SELECT d.path, v.x FROM (VALUES ('id'), ('status'), ('code.coding.code.first()')) AS d (path) CROSS JOIN o
	CROSS JOIN LATERAL view_record(jsonb_build_object('resource', 'Observation', 'select', jsonb_build_array(jsonb_build_object('column', jsonb_build_array(jsonb_build_object('name', 'x', 'path', d.path))))), o.doc) AS v (x text)
WHERE n IN (4, 7) ORDER BY 1;
-- rows that are kept while others come
SELECT a.code, b.code FROM flat AS a JOIN flat AS b ON b.n = a.n + 3 AND b.i = a.i WHERE a.n = 2 ORDER BY 1;
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT code FROM flat WHERE n IN (2, 5) ORDER BY n, i;
FETCH 3 FROM c;
FETCH BACKWARD 2 FROM c;
ROLLBACK;
SELECT count(*) FROM flat, generate_series(1, 3);
UPDATE o SET doc = jsonb_set(o.doc, '{status}', to_jsonb(v.code)) FROM o AS other CROSS JOIN LATERAL view_record(:'definition', other.doc) AS v (id text, value numeric, length int, notes text[], code text, i int)
WHERE other.n = o.n AND v.i = 0 AND v.code IS NOT NULL AND o.n < 3 RETURNING o.n, o.doc -> 'status';
SELECT n, code FROM flat WHERE n = 2 FOR UPDATE OF flat;

-- what is wrong with a definition or a column list shows as with the function; what is not asked for is not computed
\set SHOW_CONTEXT never
SELECT v.code FROM o CROSS JOIN LATERAL view_record(:'definition', o.doc) AS v (code text); \echo :LAST_ERROR_SQLSTATE
SELECT v.code FROM o CROSS JOIN LATERAL view_record('{"resource": "Observation"}', o.doc) AS v (code text); \echo :LAST_ERROR_SQLSTATE
\set several '{"resource": "Observation", "select": [{"column": [{"name": "id", "path": "id"}, {"name": "codes", "path": "code.coding.code"}]}]}'
SELECT v.codes FROM o CROSS JOIN LATERAL view_record(:'several', o.doc) AS v (id text, codes text); \echo :LAST_ERROR_SQLSTATE
SELECT count(v.id) FROM o CROSS JOIN LATERAL view_record(:'several', o.doc) AS v (id text, codes text);

-- who may not call the function may not scan by it
BEGIN;
REVOKE EXECUTE ON FUNCTION ehr.view_record(jsonb, jsonb) FROM PUBLIC;
SET LOCAL ROLE ehr_query;
SELECT v.code FROM view_record('{"resource": "Patient", "select": [{"column": [{"name": "code", "path": "id"}]}]}', '{"resourceType": "Patient"}') AS v (code text); \echo :LAST_ERROR_SQLSTATE
ROLLBACK;
DROP VIEW flat;
DROP TABLE o, by_function;
