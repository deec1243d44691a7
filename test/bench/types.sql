-- What citizen_id costs, beside bigint. Run by test/bench/parts/types, which sets:
--   numbers  file to write, for citizen IDs
--   rounds   measurements of each; the median counts
\set ON_ERROR_STOP on
\set QUIET on
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
SET max_parallel_maintenance_workers = 0;
SET max_parallel_workers_per_gather = 0;
SET bench.numbers = :'numbers';

-- A million different numbers, in no order
CREATE TABLE numbers AS SELECT lpad(((i * 7919::bigint * 104729) % 999999999989)::text, 12, '0') AS n FROM generate_series(1, 1000000) AS i;
COPY (SELECT '1' || substr(n, 2) FROM numbers) TO :'numbers';
CREATE TABLE as_citizen_id (id ehr.citizen_id);
CREATE TABLE as_bigint (id bigint);
CALL measure('COPY', :rounds * 2 + 1, E'citizen_id: TRUNCATE as_citizen_id\nCOPY as_citizen_id FROM @numbers', E'bigint: TRUNCATE as_bigint\nCOPY as_bigint FROM @numbers');
VACUUM (FREEZE, ANALYZE) as_citizen_id, as_bigint;
SET work_mem = '256MB';
CALL measure('sort', :rounds * 2 + 1,
	'citizen_id: SELECT count(*) FROM (SELECT id FROM as_citizen_id ORDER BY id OFFSET 0) AS s',
	'bigint: SELECT count(*) FROM (SELECT id FROM as_bigint ORDER BY id OFFSET 0) AS s');
CALL measure('index', :rounds * 2 + 1,
	E'citizen_id: DROP INDEX IF EXISTS as_citizen_id_id_idx\nCREATE INDEX ON as_citizen_id (id)',
	E'bigint: DROP INDEX IF EXISTS as_bigint_id_idx\nCREATE INDEX ON as_bigint (id)');
SET enable_mergejoin = off; SET enable_nestloop = off;
CALL measure('join', :rounds * 2 + 1,
	'citizen_id: SELECT count(*) FROM as_citizen_id a JOIN as_citizen_id b ON a.id OPERATOR(ehr.=) b.id',
	'bigint: SELECT count(*) FROM as_bigint a JOIN as_bigint b ON a.id = b.id');
