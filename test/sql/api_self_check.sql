-- self_check(): a sound installation, then each thing broken, reported, and mended by the command that the row gives.
\set VERBOSITY terse
SELECT check_name, ok FROM ehr.self_check() WHERE check_name <> 'durability';

-- for each case: how the break shows, and what is left when its mend has been run
CREATE FUNCTION ehr_test.break_and_mend(break text) RETURNS TABLE (check_name text, detail text, mend text) LANGUAGE plpgsql AS $$
DECLARE
	r record;
	by_hand bool := false;
BEGIN
	CREATE TEMP TABLE sound AS SELECT c.check_name, c.detail FROM ehr.self_check() AS c WHERE NOT c.ok;
	EXECUTE break;
	FOR r IN SELECT c.* FROM ehr.self_check() AS c WHERE NOT c.ok AND (c.check_name, c.detail) NOT IN (SELECT s.check_name, s.detail FROM sound s) LOOP
		check_name := r.check_name; detail := r.detail; mend := r.mend;
		RETURN NEXT;
		IF r.mend NOT LIKE '--%' AND r.mend NOT LIKE 'ALTER SYSTEM%' THEN
			EXECUTE r.mend;
		ELSE
			by_hand := true;
		END IF;
	END LOOP;
	IF NOT FOUND THEN
		check_name := 'NOT FOUND'; RETURN NEXT;
	END IF;
	FOR r IN SELECT c.* FROM ehr.self_check() AS c WHERE NOT c.ok AND NOT by_hand AND (c.check_name, c.detail) NOT IN (SELECT s.check_name, s.detail FROM sound s) LOOP
		check_name := 'NOT MENDED'; detail := r.detail; mend := r.mend;
		RETURN NEXT;
	END LOOP;
	DROP TABLE sound;
END $$;
\set ON_ERROR_ROLLBACK on
SET client_min_messages = warning;
BEGIN;
\x on
SELECT * FROM ehr_test.break_and_mend('ALTER ROLE ehr_app SUPERUSER');
SELECT * FROM ehr_test.break_and_mend('ALTER ROLE ehr_query BYPASSRLS');
SELECT * FROM ehr_test.break_and_mend('ALTER ROLE ehr_owner LOGIN');
SELECT * FROM ehr_test.break_and_mend('ALTER ROLE ehr_owner BYPASSRLS');
SELECT * FROM ehr_test.break_and_mend('GRANT ehr_owner TO ehr_ingest');
SELECT * FROM ehr_test.break_and_mend('ALTER TABLE ehr_store.store_info OWNER TO postgres');
SELECT * FROM ehr_test.break_and_mend('ALTER SCHEMA ehr_store OWNER TO ehr_admin');
SELECT * FROM ehr_test.break_and_mend('ALTER TABLE ehr_store.resource NO FORCE ROW LEVEL SECURITY');
SELECT * FROM ehr_test.break_and_mend('ALTER TABLE ehr_store.consent DISABLE ROW LEVEL SECURITY');
SELECT * FROM ehr_test.break_and_mend('CREATE TABLE ehr_store.of_the_dba (a int); ALTER TABLE ehr_store.of_the_dba OWNER TO ehr_owner');
SELECT * FROM ehr_test.break_and_mend('CREATE VIEW ehr_test.all_of_it AS SELECT doc FROM ehr_store.resource');
SELECT * FROM ehr_test.break_and_mend('CREATE MATERIALIZED VIEW ehr_test.copy_of_it AS SELECT doc FROM ehr_store.resource WITH NO DATA');
SELECT * FROM ehr_test.break_and_mend('GRANT SELECT ON ehr_store.person TO PUBLIC');
SELECT * FROM ehr_test.break_and_mend('GRANT INSERT, TRUNCATE ON ehr_store.consent TO ehr_app');
SELECT * FROM ehr_test.break_and_mend('GRANT USAGE ON SCHEMA ehr_internal TO ehr_app');
SELECT * FROM ehr_test.break_and_mend('GRANT EXECUTE ON FUNCTION ehr.access_log(uuid) TO PUBLIC');
SELECT * FROM ehr_test.break_and_mend('GRANT EXECUTE ON FUNCTION ehr.create_store() TO PUBLIC');
SELECT * FROM ehr_test.break_and_mend('ALTER FUNCTION ehr.get(text, text, int) SECURITY DEFINER');
SELECT * FROM ehr_test.break_and_mend('ALTER FUNCTION ehr_internal.access_log(uuid) SET search_path = public');
-- one quoted name, as a known fix elsewhere had it
SELECT * FROM ehr_test.break_and_mend('ALTER FUNCTION ehr_internal.access_log(uuid) SET search_path = "pg_catalog, pg_temp"');
SET LOCAL client_min_messages = error;
SELECT * FROM ehr_test.break_and_mend('CREATE PUBLICATION everything FOR TABLE ehr_store.person');
SELECT * FROM ehr_test.break_and_mend('DELETE FROM ehr_store.session_key');
SELECT * FROM ehr_test.break_and_mend('DELETE FROM ehr_store.vault_key WHERE kind = ''i''');
SELECT * FROM ehr_test.break_and_mend('INSERT INTO ehr_store.key_rotation (up_to, root) VALUES (0, 0)');
SELECT * FROM ehr_test.break_and_mend('INSERT INTO ehr_store.incident (kind, summary, detected, notify_by, opened_by) VALUES (''k'', ''s'', now() - interval ''4 days'', now() - interval ''1 day'', ''x'')');
SELECT * FROM ehr_test.break_and_mend('INSERT INTO ehr_store.dsr_request (id, person, request, opened, opened_by, ack_due, due) VALUES (gen_random_uuid(), gen_random_uuid(), ''access'', now() - interval ''5 days'', ''x'', now() - interval ''2 days'', now() + interval ''5 days'')');
SELECT * FROM ehr_test.break_and_mend('SET LOCAL synchronous_commit = off');
SELECT * FROM ehr_test.break_and_mend('SET LOCAL log_parameter_max_length_on_error = 100');
SELECT * FROM ehr_test.break_and_mend('SET LOCAL log_statement = ''all''');
ROLLBACK;
\x off
UPDATE ehr_store.store_info SET version = '0.0.1';
SELECT check_name, replace(detail, ehr.version(), 'this version') AS detail, mend FROM ehr.self_check() WHERE check_name = 'version';
SELECT ehr.upgrade_store();
SELECT check_name, ok, detail, mend FROM ehr.self_check() WHERE check_name = 'version';
-- an import that cannot go on
BEGIN;
LOCK TABLE ehr_store.audit_position;
SELECT ehr_internal.audit_note('stuck');
SELECT check_name, regexp_replace(detail, '^[0-9]+', 'N') AS detail, mend FROM ehr.self_check() WHERE check_name = 'audit import';
ROLLBACK;
SELECT check_name, ok, detail FROM ehr.self_check() WHERE check_name = 'audit import';
-- for administrators, and not for everybody
SET ROLE ehr_admin;
SELECT count(*) > 10 AS checks FROM ehr.self_check();
SET ROLE ehr_app;
SELECT * FROM ehr.self_check();
RESET ROLE;
DROP FUNCTION ehr_test.break_and_mend(text);
