-- type icd10: lenient in, one form out, order of the book, containment and ranges
SET search_path = ehr, public;
BEGIN;

SELECT c, c::icd10 FROM unnest('{E119,e11.9,E11.9†,E11.9*," E11.9 ",E11.-,E11,M1001,Z99.89,U07.1}'::text[]) AS c;
SAVEPOINT s; SELECT 'E1'::icd10; \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
SELECT '119'::icd10; \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
SELECT 'E11..9'::icd10; \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
SELECT 'E11.99999'::icd10; \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
SELECT 'I10-I15'::icd10; \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
SELECT ''::icd10; \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;

SELECT c FROM unnest('{Z99.9,E12,E11.9,A00,E11,M10.01,E11.0,A00.00,A00.0}'::icd10[]) AS c ORDER BY c;
SELECT a, b, a <@ b AS within, b @> a AS contains FROM unnest('{E11,E11.9,E11.91,E12}'::icd10[]) AS a, unnest('{E11,E11.9}'::icd10[]) AS b ORDER BY b, a;
SELECT c, chapter(c), block(c), category(c) FROM unnest('{A00.1,C50.9,D48,E11.9,F99,I10,O95,U07.1,Y98,U60}'::icd10[]) AS c;
SELECT c, icd10_within(c, 'I10-I15') AS htn, icd10_within(c, 'F00-F03,G30') AS dementia, icd10_within(c, 'i10 ; e11.0-e11.2') AS mixed
FROM unnest('{I09.9,I10,I15.9,I16,F00,F03.1,F04,G30.0,G31,E11.2,E11.25,E11.3}'::icd10[]) AS c;
SAVEPOINT s;
SELECT icd10_within('I10', 'I15-I10'); \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
SELECT icd10_within('I10', ''); \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
SELECT icd10_within('I10', repeat('A00,', 32) || 'A00'); \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
SELECT icd10_within(NULL, 'I10'), icd10_within('I10', NULL);

-- every category of a chapter lies in one block, and blocks do not overlap
SELECT count(*) AS categories, count(DISTINCT block(c)) AS blocks, count(DISTINCT chapter(c)) AS chapters
FROM (SELECT (chr(65 + l) || lpad(d::text, 2, '0'))::icd10 FROM generate_series(0, 25) AS l, generate_series(0, 99) AS d) AS all_codes (c)
WHERE block(c) IS NOT NULL;

-- containment in a constant is a range of the index, and estimated as one; so it is under row security
CREATE TABLE types_icd10_diagnosis (n int, code icd10);
INSERT INTO types_icd10_diagnosis SELECT i, (chr(65 + i % 26) || lpad((i / 26 % 100)::text, 2, '0') || '.' || i % 10)::icd10 FROM generate_series(1, 26000) AS i;
CREATE INDEX ON types_icd10_diagnosis (code);
ANALYZE types_icd10_diagnosis;
EXPLAIN (COSTS OFF) SELECT count(*) FROM types_icd10_diagnosis WHERE code <@ 'E11';
EXPLAIN (COSTS OFF) SELECT count(*) FROM types_icd10_diagnosis WHERE 'E11' @> code;
EXPLAIN (COSTS OFF) SELECT count(*) FROM types_icd10_diagnosis WHERE icd10_within(code, 'F00-F03,G30');
-- a bound that is known when the query runs: a parameter, the other table of a join, both with the index
PREPARE within(icd10) AS SELECT count(*) FROM types_icd10_diagnosis WHERE code <@ $1;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE within('E11');
EXECUTE within('E11'); EXECUTE within('E11.1'); EXECUTE within(NULL);
RESET plan_cache_mode;
CREATE TABLE types_icd10_group (g icd10); INSERT INTO types_icd10_group VALUES ('E11'), ('A00.1'), ('Z99'), ('E11.1');
SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_material = off;
-- (what stands around the index scan differs from PostgreSQL to PostgreSQL)
CREATE FUNCTION pg_temp.index_scans(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		IF line ~ 'Index' THEN RETURN NEXT regexp_replace(line, '^[ >-]*', ''); END IF;
	END LOOP;
END $$;
SELECT pg_temp.index_scans('SELECT g, count(*) FROM types_icd10_group JOIN types_icd10_diagnosis ON code <@ g GROUP BY g');
SELECT pg_temp.index_scans('SELECT g, count(*) FROM types_icd10_group JOIN types_icd10_diagnosis ON g @> code GROUP BY g');
SELECT g, count(*), count(*) = (SELECT count(*) FROM types_icd10_diagnosis d WHERE starts_with(d.code::text, g::text)) AS as_text FROM types_icd10_group JOIN types_icd10_diagnosis ON code <@ g GROUP BY g ORDER BY g;
SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on; SET LOCAL enable_seqscan = on; SET LOCAL enable_bitmapscan = on; SET LOCAL enable_material = on;
-- an expression, by its index, and estimated by the expression's histogram: within a factor of 2 of the truth
CREATE TABLE types_icd10_doc (doc jsonb);
INSERT INTO types_icd10_doc SELECT jsonb_build_object('code', code::text) FROM types_icd10_diagnosis;
CREATE INDEX ON types_icd10_doc (((doc ->> 'code')::icd10));
ANALYZE types_icd10_doc;
EXPLAIN (COSTS OFF) SELECT count(*) FROM types_icd10_doc WHERE (doc ->> 'code')::icd10 <@ 'E11';
CREATE FUNCTION pg_temp.estimate(query text) RETURNS float8 LANGUAGE plpgsql AS $$ DECLARE plan json; BEGIN EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan; RETURN plan #>> '{0,Plan,Plan Rows}'; END $$;
SELECT q, pg_temp.estimate('SELECT FROM types_icd10_doc WHERE ' || q) / (SELECT count(*) FROM types_icd10_diagnosis WHERE code <@ 'E11') BETWEEN 0.5 AND 2 AS near
FROM unnest(ARRAY[$$(doc ->> 'code')::icd10 <@ 'E11'$$, $$'E11' @> (doc ->> 'code')::icd10$$]) AS q;
-- BRIN and hash
CREATE TABLE types_icd10_sorted AS SELECT * FROM types_icd10_diagnosis ORDER BY code;
CREATE INDEX types_icd10_brin ON types_icd10_sorted USING brin (code) WITH (pages_per_range = 4);
CREATE INDEX types_icd10_hash ON types_icd10_sorted USING hash (code);
ANALYZE types_icd10_sorted;
SET LOCAL enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM types_icd10_sorted WHERE code <@ 'E11';
EXPLAIN (COSTS OFF) SELECT count(*) FROM types_icd10_sorted WHERE code = 'E11.1';
SELECT (SELECT count(*) FROM types_icd10_sorted WHERE code <@ 'E11') = (SELECT count(*) FROM types_icd10_diagnosis WHERE code <@ 'E11') AS brin, (SELECT count(*) FROM types_icd10_sorted WHERE code = 'E11.1') AS hash;
SET LOCAL enable_seqscan = on;
-- these are not ranges
EXPLAIN (COSTS OFF) SELECT count(*) FROM types_icd10_diagnosis WHERE code @> 'E11.9';
EXPLAIN (COSTS OFF) SELECT count(*) FROM types_icd10_diagnosis a WHERE icd10_within(code, 'nonsense');
SELECT (SELECT count(*) FROM types_icd10_diagnosis WHERE code <@ 'E11') AS index, (SELECT count(*) FROM types_icd10_diagnosis WHERE code::text ~ '^E11') AS text,
	(SELECT count(*) FROM types_icd10_diagnosis WHERE icd10_within(code, 'F00-F03,G30')) AS index, (SELECT count(*) FROM types_icd10_diagnosis WHERE code::text ~ '^F0[0-3]|^G30') AS text;
-- the same without the planner's help
SELECT count(*) FROM types_icd10_diagnosis, (VALUES ('E11'::icd10), ('G30')) AS v (c) WHERE code <@ c;
SELECT count(*) FROM types_icd10_diagnosis, (VALUES ('F00-F03'), ('G30')) AS v (r) WHERE icd10_within(code, r);
ALTER TABLE types_icd10_diagnosis ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON types_icd10_diagnosis USING (n::text ~ '7$');
CREATE ROLE regress_types_reader; GRANT SELECT ON types_icd10_diagnosis TO regress_types_reader;
SET LOCAL ROLE regress_types_reader;
EXPLAIN (COSTS OFF) SELECT count(*) FROM types_icd10_diagnosis WHERE code <@ 'E11';
RESET ROLE;
EXPLAIN (COSTS OFF) SELECT count(*) FROM types_icd10_diagnosis WHERE code >= 'E11' ORDER BY 1;

-- binary and text round trip
\set binary `mktemp -u /tmp/ehr_icd10.XXXXXX`
COPY types_icd10_diagnosis TO :'binary' (FORMAT binary);
CREATE TEMP TABLE diagnosis_copy (n int, code icd10);
COPY diagnosis_copy FROM :'binary' (FORMAT binary);
\set remove `rm -f /tmp/ehr_icd10.*`
SELECT count(*), count(*) FILTER (WHERE a.code <> b.code) AS changed FROM types_icd10_diagnosis a JOIN diagnosis_copy b USING (n);
SELECT count(*) FROM types_icd10_diagnosis WHERE code <> code::text::icd10;

ROLLBACK;
