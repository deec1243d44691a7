-- A view over Observations, beside SQL by hand. Run by test/bench/parts/views, which sets:
--   source        file with one resource a line, readable by the server
--   observations  how many
--   rounds        measurements of each; the median counts
\set ON_ERROR_STOP on
\set QUIET on
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
SET max_parallel_workers_per_gather = 0;
CREATE TABLE line (doc jsonb);
COPY line FROM :'source' (FORMAT csv, DELIMITER E'\x02', QUOTE E'\x01');
CREATE TABLE observation (doc jsonb COMPRESSION lz4);
CREATE TABLE original AS SELECT row_number() OVER (ORDER BY doc ->> 'id') - 1 AS i, doc FROM line WHERE doc ->> 'resourceType' = 'Observation';
INSERT INTO observation
SELECT o.doc || jsonb_build_object('id', format('o%s', n))
FROM generate_series(0, :observations - 1) AS n JOIN original o ON o.i = n % (SELECT count(*) FROM original);
VACUUM (FREEZE, ANALYZE) observation;
CREATE VIEW by_view AS SELECT v.* FROM observation r CROSS JOIN LATERAL ehr.view_record('{"resource": "Observation", "select": [{"column": [
	{"name": "id", "path": "id", "type": "id"}, {"name": "status", "path": "status", "type": "code"},
	{"name": "category", "path": "category.first().coding.first().code", "type": "code"},
	{"name": "system", "path": "code.coding.first().system", "type": "uri"}, {"name": "code", "path": "code.coding.first().code", "type": "code"},
	{"name": "subject", "path": "subject.reference", "type": "string"}, {"name": "effective", "path": "effective.ofType(dateTime)", "type": "dateTime"},
	{"name": "issued", "path": "issued", "type": "string"}, {"name": "value", "path": "value.ofType(Quantity).value", "type": "decimal"},
	{"name": "unit", "path": "value.ofType(Quantity).unit", "type": "string"}]}]}', r.doc)
	AS v (id text, status text, category text, system text, code text, subject text, effective text, issued text, value numeric, unit text);
CREATE VIEW by_hand AS SELECT doc ->> 'id' AS id, doc ->> 'status' AS status, doc -> 'category' -> 0 -> 'coding' -> 0 ->> 'code' AS category,
	doc -> 'code' -> 'coding' -> 0 ->> 'system' AS system, doc -> 'code' -> 'coding' -> 0 ->> 'code' AS code, doc -> 'subject' ->> 'reference' AS subject,
	doc ->> 'effectiveDateTime' AS effective, doc ->> 'issued' AS issued, (doc -> 'valueQuantity' ->> 'value')::numeric AS value, doc -> 'valueQuantity' ->> 'unit' AS unit
FROM observation;
CREATE VIEW nested_by_view AS SELECT v.* FROM observation r CROSS JOIN LATERAL ehr.view_record('{"resource": "Observation", "select": [
	{"column": [{"name": "id", "path": "id", "type": "id"}]}, {"forEach": "code.coding", "column": [{"name": "system", "path": "system"}, {"name": "code", "path": "code"}, {"name": "display", "path": "display"}]}]}', r.doc)
	AS v (id text, system text, code text, display text);
CREATE VIEW nested_by_hand AS SELECT o.doc ->> 'id' AS id, c ->> 'system' AS system, c ->> 'code' AS code, c ->> 'display' AS display
FROM observation o, jsonb_array_elements(o.doc -> 'code' -> 'coding') AS c;
-- the same rows, or the figures mean nothing
DO $$
BEGIN
	IF EXISTS (TABLE by_view EXCEPT ALL TABLE by_hand) OR EXISTS (TABLE by_hand EXCEPT ALL TABLE by_view) OR NOT EXISTS (TABLE by_view)
		OR EXISTS (TABLE nested_by_view EXCEPT ALL TABLE nested_by_hand) OR EXISTS (TABLE nested_by_hand EXCEPT ALL TABLE nested_by_view) THEN
		RAISE 'view and hand-written query differ';
	END IF;
END $$;
CALL measure('views', :rounds,
	'view: SELECT count(id), count(status), count(category), count(system), count(code), count(subject), count(effective), count(issued), sum(value), count(unit) FROM by_view',
	'hand: SELECT count(id), count(status), count(category), count(system), count(code), count(subject), count(effective), count(issued), sum(value), count(unit) FROM by_hand',
	'read: SELECT count(*) FROM observation WHERE doc ? ''none''',
	'nested: SELECT count(id), count(system), count(code), count(display) FROM nested_by_view',
	'nested by hand: SELECT count(id), count(system), count(code), count(display) FROM nested_by_hand');
