-- What the fhir type and citizen_id cost, beside jsonb and bigint. Run by test/bench/run, which sets:
--   source   file with one resource a line, readable by the server
--   numbers  file to write, for citizen IDs
--   rounds   measurements of each; the median counts
-- CPU time is the backend's own, from the kernel (/proc/self/schedstat). What is compared takes turns.
\set ON_ERROR_STOP on
\set QUIET on
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
SET max_parallel_maintenance_workers = 0;
SET max_parallel_workers_per_gather = 0;
SET bench.source = :'source';
SET bench.numbers = :'numbers';
CREATE EXTENSION IF NOT EXISTS ehr;
CREATE TABLE figure (part text, what text, round int, ns bigint);

CREATE FUNCTION cpu() RETURNS bigint LANGUAGE sql VOLATILE AS
	$$ SELECT split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::bigint $$;

-- Runs each command once a round, in turn; a command of several lines is prepared by all but the last.
CREATE PROCEDURE measure(part text, rounds int, VARIADIC commands text[]) LANGUAGE plpgsql AS $$
DECLARE
	command text;
	steps text[];
	source text := quote_literal(current_setting('bench.source'));
	numbers text := quote_literal(current_setting('bench.numbers'));
	start bigint;
BEGIN
	FOR round IN 0 .. rounds LOOP
		FOREACH command IN ARRAY commands LOOP
			steps := string_to_array(replace(replace(split_part(command, ': ', 2), '@source', source), '@numbers', numbers), E'\n');
			FOR i IN 1 .. array_length(steps, 1) - 1 LOOP
				EXECUTE steps[i];
			END LOOP;
			COMMIT;
			start := cpu();
			EXECUTE steps[array_length(steps, 1)];
			COMMIT;
			IF round > 0 THEN
				INSERT INTO figure VALUES (part, split_part(command, ': ', 1), round, cpu() - start);
			END IF;
		END LOOP;
	END LOOP;
END $$;

-- (a) COPY
CREATE TABLE as_jsonb (doc jsonb);
CREATE TABLE as_fhir (doc ehr.fhir);
ALTER TABLE as_jsonb ALTER doc SET COMPRESSION lz4;
ALTER TABLE as_fhir ALTER doc SET COMPRESSION lz4;
CALL measure('copy', :rounds,
	E'fhir: TRUNCATE as_fhir\nCOPY as_fhir FROM @source (FORMAT csv, DELIMITER E''\\x02'', QUOTE E''\\x01'')',
	E'jsonb: TRUNCATE as_jsonb\nCOPY as_jsonb FROM @source (FORMAT csv, DELIMITER E''\\x02'', QUOTE E''\\x01'')');

-- (b) validation of stored values
CALL measure('validate', :rounds,
	'is_valid: SELECT count(*) FROM as_fhir WHERE ehr.is_valid(doc)',
	'validate: SELECT count(ehr.validate(doc)) FROM as_fhir',
	'read: SELECT count(*) FROM as_fhir WHERE doc ? ''none''');

-- (c) citizen_id and bigint: a million different numbers, in no order
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

CREATE VIEW median AS SELECT part, what, percentile_disc(0.5) WITHIN GROUP (ORDER BY ns) / 1e6 AS ms FROM figure GROUP BY part, what;
-- of two that took turns: the median of the rounds' ratios, so that a busy minute weighs on both
CREATE VIEW ratio AS SELECT part, a.what, b.what AS than, round(percentile_cont(0.5) WITHIN GROUP (ORDER BY a.ns::float8 / b.ns)::numeric, 2) AS ratio
FROM figure a JOIN figure b USING (part, round) GROUP BY part, a.what, b.what;
