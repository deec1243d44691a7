-- What erase_person leaves: every table of the store is searched for what was known of the person.
\set VERBOSITY terse
-- rows that hold a text anywhere, table by table (bytes as text, too)
CREATE FUNCTION ehr_test.where_is(what text) RETURNS TABLE (relation text, held bigint) LANGUAGE plpgsql AS $$
DECLARE
	t record;
BEGIN
	FOR t IN SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'ehr_store'::regnamespace AND c.relkind IN ('r', 'm')
		AND c.relname NOT LIKE 'audit_event%' ORDER BY 1
	LOOP
		EXECUTE format('SELECT count(*) FROM ehr_store.%I AS r WHERE r::text ~* $1 OR r::text ~* $2', t.relname) INTO held USING what, encode(what::bytea, 'hex');
		relation := t.relname;
		IF held > 0 THEN RETURN NEXT; END IF;
	END LOOP;
END $$;

SELECT ehr.create_view('er_patients', '{"resource": "Patient", "select": [{"column": [{"name": "id", "path": "id"}, {"name": "family", "path": "name.first().family"}]}]}', true);
-- one bundle about the person alone, one about two
SELECT ehr.ingest_bundle('{"resourceType": "Bundle", "type": "transaction", "entry": [
	{"resource": {"resourceType": "Patient", "id": "er1", "name": [{"family": "Zyxone", "given": ["Erased"]}], "birthDate": "1941-02-03", "gender": "female",
		"identifier": [{"system": "https://zyxone.example.vn/mrn", "value": "ZYXONE-1"}], "telecom": [{"system": "phone", "value": "+84900zyxone"}]}, "request": {"method": "PUT", "url": "Patient/er1"}},
	{"resource": {"resourceType": "Condition", "id": "er1c", "subject": {"reference": "Patient/er1"}, "code": {"text": "Zyxone fever"}, "recordedDate": "1980-01-01"}, "request": {"method": "PUT", "url": "Condition/er1c"}}]}', 'er-src') - 'payload' AS alone;
SELECT ehr.ingest_bundle('{"resourceType": "Bundle", "type": "transaction", "entry": [
	{"resource": {"resourceType": "Condition", "id": "er1d", "subject": {"reference": "Patient/er1"}, "code": {"text": "shared payload"}, "recordedDate": "1981-01-01"}, "request": {"method": "PUT", "url": "Condition/er1d"}},
	{"resource": {"resourceType": "Patient", "id": "er2", "name": [{"family": "Zyxtwo"}], "gender": "male"}, "request": {"method": "PUT", "url": "Patient/er2"}}]}', 'er-src') - 'payload' AS together;
SELECT r.key AS s1, p.id AS one FROM ehr_store.resource r JOIN ehr_store.person_link l ON l.subject = r.key JOIN ehr_store.person p ON p.key = l.person
WHERE r.doc::jsonb #>> '{name,0,family}' = 'Zyxone' \gset
SELECT r.key AS s2, p.id AS two FROM ehr_store.resource r JOIN ehr_store.person_link l ON l.subject = r.key JOIN ehr_store.person p ON p.key = l.person
WHERE r.doc::jsonb #>> '{name,0,family}' = 'Zyxtwo' \gset
SELECT (SELECT subject = :s1 FROM ehr_store.payload WHERE source = 'er-src' ORDER BY payload LIMIT 1) AS one_alone, count(*) FILTER (WHERE subject IS NULL) AS several FROM ehr_store.payload WHERE source = 'er-src';
-- an older version, a task of the citizen database
SELECT ehr_internal.store_write(jsonb_set(doc::jsonb, '{gender}', '"other"'), author) > 0 AS versioned FROM ehr_store.resource WHERE key = :s1;
INSERT INTO ehr_store.population_task (source, kind, subject, finding, proposal) VALUES ('er-citizens', 'correct', :s1, '\x01', '{"family": "Zyxone"}');
SELECT ehr.refresh_view('er_patients') >= 0 AS refreshed;
SELECT relation FROM ehr_test.where_is('Zyxone');
SELECT count(*) > 0 AS facts FROM ehr_store.patient_fact WHERE subject = :s1;

-- erased, and a refresh brings nothing back
BEGIN;
SELECT ehr_test.login('admin', 'ad');
SELECT ehr.erase_person(:'one', 'request of the citizen') - 'notices' - 'keys' AS erased;
COMMIT;
SELECT relation FROM ehr_test.where_is('Zyxone');
SELECT count(*) AS facts FROM ehr_store.patient_fact WHERE subject = :s1;
SELECT ehr.refresh_view('er_patients') >= 0 AS refreshed;
SELECT relation FROM ehr_test.where_is('Zyxone');
SELECT count(*) AS of_the_view FROM ehr_store.er_patients WHERE family ~ '^Zyx';
-- the other one's stay, and with them the payload that holds both
SELECT relation, held FROM ehr_test.where_is('Zyxtwo') WHERE relation IN ('er_patients', 'payload', 'resource');
SELECT relation FROM ehr_test.where_is('er1d');

-- the other one goes, too; the payload about both stays: it is nobody's alone
BEGIN;
SELECT ehr_test.login('admin', 'ad');
SELECT ehr.erase_person(:'two', 'request of the citizen') -> 'er_patients' AS of_the_view;
COMMIT;
SELECT relation FROM ehr_test.where_is('Zyxtwo');

-- how long the law keeps what, to the day; rules are rows, and one that nobody knows keeps everything
CREATE FUNCTION ehr_test.erased(patient jsonb, document jsonb, remove bool DEFAULT false) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	subject bigint := ehr_internal.store_write('{"resourceType": "Patient", "id": "er-law"}'::jsonb || patient, 'D1');
	whose uuid := '00000000-0000-4000-8000-000000940003';
BEGIN
	INSERT INTO ehr_store.person (key, id) OVERRIDING SYSTEM VALUE VALUES (940003, whose);
	INSERT INTO ehr_store.person_link (subject, person, method) VALUES (subject, 940003, 'manual');
	PERFORM ehr_internal.store_write('{"resourceType": "Condition", "id": "er-law-c", "subject": {"reference": "Patient/er-law"}}'::jsonb || document, 'D1');
	-- removed is not out of reach of the law
	IF remove THEN PERFORM ehr_internal.store_remove('Condition', 'er-law-c', 'D1'); END IF;
	PERFORM ehr_test.login('admin', 'ad');
	PERFORM ehr.erase_person(whose, 'test');
	RAISE EXCEPTION 'undone' USING ERRCODE = 'ZZ000', DETAIL = 'erased';
EXCEPTION WHEN SQLSTATE 'ZZ000' OR object_not_in_prerequisite_state THEN
	DECLARE detail text; BEGIN GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL; RETURN detail; END;
END $$;
CREATE FUNCTION ehr_test.of(code text, years int, days int) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('code', jsonb_build_object('coding', jsonb_build_array(jsonb_build_object('system', 'http://hl7.org/fhir/sid/icd-10', 'code', code))),
		'recordedDate', to_char(current_date - make_interval(years => years) + make_interval(days => days), 'YYYY-MM-DD')) $$;
SELECT code, years, ehr_test.erased('{}', ehr_test.of(code, years, 1)) AS day_before, ehr_test.erased('{}', ehr_test.of(code, years, 0)) AS day
FROM (VALUES ('I10', 10), ('S72.0', 10), ('S72.0', 15), ('W01', 15), ('F32.1', 15), ('F32.1', 20), ('E11.9', 10)) AS v (code, years);
SELECT ehr_test.erased(jsonb_build_object('deceasedDateTime', to_char(current_date - interval '30 years' + interval '1 day', 'YYYY-MM-DD')), ehr_test.of('I10', 40, 0)) AS day_before,
	ehr_test.erased(jsonb_build_object('deceasedDateTime', to_char(current_date - interval '30 years', 'YYYY-MM-DD')), ehr_test.of('I10', 40, 0)) AS day,
	ehr_test.erased('{"deceasedBoolean": true}', ehr_test.of('I10', 40, 0)) AS day_unknown;
SELECT ehr_test.erased('{}', ehr_test.of('F32.1', 20, 1), true) AS removed_day_before, ehr_test.erased('{}', ehr_test.of('F32.1', 20, 0), true) AS removed_day;
BEGIN;
UPDATE ehr_store.retention_rule SET keep = '12 years' WHERE name = 'ordinary record';
SELECT ehr_test.erased('{}', ehr_test.of('I10', 10, -1)) AS changed;
UPDATE ehr_store.retention_rule SET valid = daterange('2000-01-01', current_date) WHERE name = 'ordinary record';
SELECT ehr_test.erased('{}', ehr_test.of('I10', 0, 0)) AS ended;
INSERT INTO ehr_store.retention_rule VALUES ('odd', 'record', '100 years', 'astrology:leo', DEFAULT, 'test', false);
SELECT ehr_test.erased('{}', ehr_test.of('I10', 50, 0)) AS unknown_test;
ROLLBACK;

SELECT ehr.drop_view('er_patients');
DROP FUNCTION ehr_test.erased(jsonb, jsonb, bool), ehr_test.of(text, int, int);
SELECT count(*) AS left_over FROM ehr_store.erasable WHERE relation = 'er_patients';
DELETE FROM ehr_store.payload WHERE source = 'er-src';
DELETE FROM ehr_store.person_link WHERE subject IN (:s1, :s2);
DELETE FROM ehr_store.person WHERE id IN (:'one', :'two');
DROP FUNCTION ehr_test.where_is(text);
