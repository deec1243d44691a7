-- What a statement may do with rows that a session shows: nothing that outlives it or tells of hidden ones.
\set VERBOSITY terse
INSERT INTO ehr_store.person (key, id) OVERRIDING SYSTEM VALUE VALUES (900011, 'aaaaaaaa-0000-4000-8000-000000000011');
SELECT ehr_internal.store_write('{"resourceType": "Patient", "id": "cs-1"}', '79001') AS p \gset
SELECT count(ehr_internal.store_write(jsonb_build_object('resourceType', 'Observation', 'id', 'cs-o' || i, 'status', 'final',
	'code', '{"text": "t"}'::jsonb, 'subject', '{"reference": "Patient/cs-1"}'::jsonb), '79001')) FROM generate_series(1, 20) AS i;
INSERT INTO ehr_store.person_link (subject, person, method) VALUES (:p, 900011, 'manual');
CREATE TABLE ehr_test.elsewhere (id text);
GRANT ALL ON ehr_test.elsewhere TO PUBLIC;
CREATE VIEW ehr_test.mine WITH (security_invoker) AS SELECT * FROM ehr_store.resource WHERE id LIKE 'cs-%';
GRANT SELECT ON ehr_test.mine TO PUBLIC;
GRANT CREATE ON SCHEMA ehr_test TO regress_ehr_query;
\c - regress_ehr_query
SET client_min_messages = error;
BEGIN;
SELECT ehr_test.login('citizen', 'aaaaaaaa-0000-4000-8000-000000000011', scope => 'session');
COMMIT;
\set VERBOSITY default
SELECT count(*) FROM ehr_test.mine;

-- EXPLAIN (attack B07)
EXPLAIN SELECT * FROM ehr_store.resource WHERE id = 'x';
EXPLAIN (ANALYZE) SELECT * FROM ehr_store.resource WHERE id = 'x';
\set VERBOSITY terse
EXPLAIN SELECT * FROM ehr_test.mine;
PREPARE p AS SELECT count(*) FROM ehr_test.mine;
EXPLAIN EXECUTE p;
EXPLAIN (COSTS OFF) SELECT 1 WHERE EXISTS (SELECT FROM ehr_store.resource_history);
EXPLAIN CREATE TABLE ehr_test.x AS SELECT * FROM ehr_test.mine;
EXPLAIN (COSTS OFF) SELECT 1;

-- copies
\set VERBOSITY default
CREATE TEMP TABLE x AS SELECT id FROM ehr_test.mine;
\set VERBOSITY terse
SELECT id INTO TEMP x FROM ehr_test.mine;
CREATE TEMP TABLE x AS EXECUTE p;
CREATE TEMP TABLE x AS SELECT ehr.get('Observation', 'cs-o1');
CREATE TABLE ehr_test.x AS SELECT * FROM ehr.history('Observation', 'cs-o1');
CREATE MATERIALIZED VIEW ehr_test.x AS SELECT id FROM ehr_test.mine;
CREATE TEMP TABLE x (id text);
INSERT INTO x SELECT id FROM ehr_test.mine;
INSERT INTO x SELECT ehr.get('Observation', 'cs-o1')::text;
WITH w AS (INSERT INTO x SELECT id FROM ehr_test.mine RETURNING 1) SELECT count(*) FROM w;
UPDATE x SET id = (SELECT min(id) FROM ehr_test.mine);
MERGE INTO x USING ehr_test.mine m ON x.id = m.id WHEN NOT MATCHED THEN INSERT VALUES (m.id);
INSERT INTO ehr_test.elsewhere SELECT id FROM ehr_test.mine;
DO $$ BEGIN INSERT INTO ehr_test.elsewhere SELECT ehr.get('Observation', 'cs-o1')::text; END $$;
BEGIN;
DECLARE c CURSOR WITH HOLD FOR SELECT id FROM ehr_test.mine;
ROLLBACK;
BEGIN;
DECLARE c CURSOR WITH HOLD FOR SELECT ehr.get('Observation', 'cs-o1');
COMMIT;
COPY ehr_test.mine TO STDOUT;
COPY (SELECT count(*) FROM ehr_test.mine) TO STDOUT;
INSERT INTO ehr_store.resource DEFAULT VALUES;
-- what has nothing to do with health records goes on as ever
CREATE TEMP TABLE y AS SELECT 1 AS i;
INSERT INTO y SELECT ehr_internal.type_number('Patient') WHERE false;
INSERT INTO y VALUES (2);
BEGIN;
DECLARE c CURSOR WITH HOLD FOR SELECT * FROM y;
COMMIT;
FETCH ALL c;
CLOSE c;
TABLE x;
TABLE ehr_test.elsewhere;

-- no way round the tables
UPDATE ehr_store.resource SET subject = subject;
DELETE FROM ehr_store.resource;
TRUNCATE ehr_store.resource;
LOCK TABLE ehr_store.resource IN ACCESS EXCLUSIVE MODE;
SELECT * FROM ehr_store.consent;
SELECT * FROM ehr_store.person_link;
SET row_security = off;
SELECT count(*) FROM ehr_store.resource;
RESET row_security;
SET ROLE ehr_owner;
SELECT ehr_internal.compiled_rights('citizen', 'x', NULL, NULL);
SELECT ehr_internal.consent_changed();

-- a function of the caller's on the rows is not asked before the policy (attack: leaky function)
CREATE FUNCTION pg_temp.leak(text) RETURNS bool LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN RAISE WARNING 'saw %', $1; RETURN true; END $$;
SELECT ehr.detach();
SET client_min_messages = warning;
SELECT count(*) FROM ehr_store.resource WHERE pg_temp.leak(id);

-- cursors: what a session opened, no other and nobody reads on
BEGIN;
SELECT ehr_test.login('citizen', 'aaaaaaaa-0000-4000-8000-000000000011');
DECLARE c CURSOR FOR SELECT id FROM ehr_test.mine ORDER BY id;
DECLARE f SCROLL CURSOR FOR SELECT version FROM ehr.history('Observation', 'cs-o1');
FETCH 2 FROM c;
FETCH 1 FROM f;
SELECT ehr.detach();
FETCH 2 FROM c;
FETCH BACKWARD 1 FROM f;
FETCH FIRST FROM f;
SELECT ehr_test.login('clinician', 'dr-1', '79001', 'TREAT');
FETCH 2 FROM c;
COMMIT;

-- prepared statements, generic plans too, follow the session (attack B16)
SET plan_cache_mode = force_generic_plan;
EXECUTE p;
BEGIN;
SELECT ehr_test.login('citizen', 'aaaaaaaa-0000-4000-8000-000000000011');
EXECUTE p;
SELECT ehr.detach();
EXECUTE p;
SELECT ehr_test.login('clinician', 'dr-2', '79002', 'TREAT');
EXECUTE p;
COMMIT;
EXECUTE p;

-- parallel plans: workers see what their leader sees, whether it reads or not, and in functions
SET parallel_leader_participation = off; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2;
CREATE FUNCTION ehr_test.count_all() RETURNS bigint LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$ BEGIN RETURN (SELECT count(*) FROM ehr_store.resource WHERE id LIKE 'cs-%'); END $$;
SELECT set_config(CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'debug_parallel_query' ELSE 'force_parallel_mode' END, 'on', false);
BEGIN;
SELECT ehr_test.login('citizen', 'aaaaaaaa-0000-4000-8000-000000000011');
SELECT ehr.session() ->> 'kind' AS seen_by_a_worker;
SELECT count(*) FROM ehr_store.resource r WHERE r.id LIKE 'cs-%';
SELECT count(*) FROM generate_series(1, 3) AS i, ehr_store.resource r WHERE r.id LIKE 'cs-%';
SELECT ehr_test.count_all();
SELECT cardinality(ehr.readable());
COMMIT;
SELECT count(*) FROM ehr_store.resource r;
SELECT ehr_test.count_all();
SELECT cardinality(ehr.readable());
-- another session in the same backend; and one that sees nothing
BEGIN;
SELECT ehr_test.login('clinician', 'dr-1', '79001', 'TREAT');
SELECT count(*) FROM ehr_store.resource r WHERE r.id LIKE 'cs-%';
SELECT ehr_test.login('clinician', 'dr-2', '79002', 'TREAT');
SELECT count(*) FROM ehr_store.resource r WHERE r.id LIKE 'cs-%';
SELECT ehr_test.count_all();
COMMIT;
RESET parallel_leader_participation; RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size;
\c - postgres
DROP FUNCTION ehr_test.count_all();
DROP VIEW ehr_test.mine;
DROP TABLE ehr_test.elsewhere;
DELETE FROM ehr_store.person_link WHERE person = 900011;
DELETE FROM ehr_store.person WHERE key = 900011;
DELETE FROM ehr_store.resource WHERE id LIKE 'cs-%';
DELETE FROM ehr_store.resource_key WHERE id LIKE 'cs-%';
