-- What breaks an invariant of persons is found, and self_check() says so: each planted, looked at and taken back.
\set VERBOSITY terse
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE FUNCTION pg_temp.register(id text, name text, born text) RETURNS bool LANGUAGE sql AS $$
	SELECT ehr_internal.write_and_link(jsonb_build_object('resourceType', 'Patient', 'id', id, 'name', jsonb_build_array(jsonb_build_object('text', name)), 'birthDate', born), '79001') > 0 $$;
CREATE FUNCTION pg_temp.subject(name text) RETURNS bigint LANGUAGE sql AS $$ SELECT key FROM ehr_store.resource_key WHERE id = 'ip-' || name AND type = ehr_internal.type_number('Patient') $$;
CREATE FUNCTION pg_temp.person(name text) RETURNS bigint LANGUAGE sql AS $$ SELECT person FROM ehr_store.person_link WHERE subject = pg_temp.subject(name) $$;
CREATE FUNCTION pg_temp.person_id(name text) RETURNS ehr.person LANGUAGE sql AS $$ SELECT id FROM ehr_store.person WHERE key = pg_temp.person(name) $$;
SELECT pg_temp.register('ip-a', 'Đoàn Quốc Bảo', '1971-01-17'), pg_temp.register('ip-b', 'Hồ Ngọc Diệp', '1982-02-18'), pg_temp.register('ip-c', 'Tạ Minh Khôi', '1993-03-19');
SELECT ehr.merge_persons(pg_temp.person_id('a'), pg_temp.person_id('b'), 'test') IS NOT NULL AS merged;
-- problems and what self_check() makes of them; the keys are those of the planted ones
CREATE TEMP TABLE sound AS SELECT problem FROM ehr_internal.person_problems();
SELECT * FROM sound;
CREATE FUNCTION pg_temp.plant(act text, VARIADIC planted bigint[]) RETURNS TABLE (problem text, found bigint, as_planted bool, in_self_check bool, mend text) LANGUAGE plpgsql AS $$
BEGIN
	SET LOCAL session_replication_role = replica;
	EXECUTE act;
	SET LOCAL session_replication_role = origin;
	RETURN QUERY SELECT p.problem, p.found, plant.planted && p.keys, c.detail IS NOT NULL, left(c.mend, 60)
		FROM ehr_internal.person_problems() AS p LEFT JOIN ehr.self_check() AS c ON c.check_name = 'persons' AND NOT c.ok AND c.detail = format('%s: %s times', p.problem, p.found)
		ORDER BY p.problem;
END $$;
SELECT ok FROM ehr.self_check() WHERE check_name = 'persons';
SAVEPOINT s;
-- links without a person, or of a patient that is not there
SELECT * FROM pg_temp.plant(format('DELETE FROM ehr_store.person WHERE key = %s', pg_temp.person('c')), pg_temp.subject('c'));
ROLLBACK TO s;
SELECT * FROM pg_temp.plant(format('INSERT INTO ehr_store.person_link (subject, person, method) VALUES (-7, %s, ''new'')', pg_temp.person('c')), -7);
ROLLBACK TO s;
SELECT * FROM pg_temp.plant('INSERT INTO ehr_store.person_identifier (system, value, subject) VALUES (''urn:x'', ''1'', -7)', -7);
ROLLBACK TO s;
-- nobody
SELECT * FROM pg_temp.plant('INSERT INTO ehr_store.person (key, founder) OVERRIDING SYSTEM VALUE VALUES (1000000000000, NULL)', 1000000000000);
ROLLBACK TO s;
SELECT * FROM pg_temp.plant(format('DELETE FROM ehr_store.person_link WHERE subject = %s', pg_temp.subject('c')), pg_temp.subject('c'), pg_temp.person('c'));
ROLLBACK TO s;
-- two that stand where one should: a merge without its redirect; a redirect that nobody asked for
SELECT * FROM pg_temp.plant(format('UPDATE ehr_store.person SET merged_into = NULL WHERE key = %s', pg_temp.person('b')), pg_temp.person('b'));
ROLLBACK TO s;
SELECT * FROM pg_temp.plant(format('UPDATE ehr_store.person SET merged_into = %s WHERE key = %s', pg_temp.person('a'), pg_temp.person('c')), pg_temp.person('c'));
ROLLBACK TO s;
SELECT * FROM pg_temp.plant(format('UPDATE ehr_store.person SET merged_into = 0 WHERE key = %s', pg_temp.person('c')), pg_temp.person('c'));
ROLLBACK TO s;
-- a ring: the table refuses it; with the check gone it is found, and nobody walks it for ever
UPDATE ehr_store.person SET merged_into = pg_temp.person('b') WHERE key = pg_temp.person('a');
ROLLBACK TO s;
SELECT count(*) FROM (SELECT conname FROM pg_constraint WHERE conrelid = 'ehr_store.person'::regclass AND contype = 'c' AND pg_get_constraintdef(oid) LIKE '%merged_into < key%') c;
ALTER TABLE ehr_store.person DROP CONSTRAINT person_check;
SELECT * FROM pg_temp.plant(format('UPDATE ehr_store.person SET merged_into = %s WHERE key = %s', pg_temp.person('b'), pg_temp.person('a')), pg_temp.person('a'));
ROLLBACK TO s;
SELECT problem FROM ehr_internal.person_problems();
ROLLBACK;
