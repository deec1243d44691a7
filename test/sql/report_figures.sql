-- units through the reform of 2025; reports count persons, and hide small numbers
\set SHOW_CONTEXT never
SET datestyle = iso;
BEGIN;
-- nobody without a session
SAVEPOINT s;
SELECT ehr.report('disease_by_commune'); \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
-- nor citizens, clinicians and insurers
SET LOCAL ROLE ehr_app;
SELECT ehr_test.login('citizen', gen_random_uuid()::text);
SELECT ehr.report('disease_by_commune'); \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
SELECT ehr_test.login('clinician', 'dr-1', '79001', 'TREAT');
SELECT ehr.report('disease_by_commune'); \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
-- nor a department a report that there is not
SET LOCAL ROLE ehr_app;
SELECT ehr_test.login('department', 'dep-1', '79', 'PUBHLTH');
SELECT ehr.report('everybody'); \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;

-- units: numbers of the lists; a code that means two communes; where units went
SELECT level, valid_from, valid_to, count(*) FROM ehr_store.unit GROUP BY 1, 2, 3 ORDER BY 2, 1, 3;
SELECT u.code, u.name, u.parent, u.valid_from, u.successor FROM ehr_store.unit u WHERE u.code IN ('26737', '26734') ORDER BY 1, 4;
SELECT ehr_internal.unit_then('26734', '-infinity', '2025-06-30') AS before, ehr_internal.unit_then('26734', '-infinity', '2025-07-01') AS after,
	ehr_internal.unit_then('10', '-infinity', '2026-01-01') AS lao_cai, ehr_internal.unit_then('75', '-infinity', '2026-05-01') AS dong_nai,
	ehr_internal.unit_then('26737', '2025-07-01', '2025-01-01') AS not_yet, ehr_internal.unit_then('none', '-infinity', 'today') AS unknown;
-- every successor is a unit of the next list, in the province into which its own went
SELECT count(*) AS successors, count(n.code) AS found, count(*) FILTER (WHERE u.level = 'commune'
	AND ehr_internal.unit_then(ehr_internal.province_of(u.code, u.valid_from), '-infinity', '2025-07-01') IS DISTINCT FROM ehr_internal.province_of(n.code, n.valid_from)) AS elsewhere
FROM ehr_store.unit u LEFT JOIN ehr_store.unit n ON n.code = u.successor AND n.valid_from = u.valid_to WHERE u.successor IS NOT NULL;

-- people: 12 in commune 26737 (two of them by old codes), 3 in 26740, 8 in Hanoi, one of unknown address
CREATE FUNCTION pg_temp.patient(n int, address jsonb) RETURNS bigint LANGUAGE sql
AS $$ SELECT ehr_internal.store_write(jsonb_strip_nulls(jsonb_build_object('resourceType', 'Patient', 'id', 'report-test-' || n, 'gender', 'female',
	'birthDate', (1950 + n)::text, 'address', address)), 'T0001') $$;
CREATE FUNCTION pg_temp.unit(code text) RETURNS jsonb LANGUAGE sql
AS $$ SELECT jsonb_build_array(jsonb_build_object('extension', jsonb_build_array(jsonb_build_object('url', 'urn:ehr:unit', 'valueCode', code)))) $$;
SELECT count(pg_temp.patient(n, CASE WHEN n <= 10 THEN pg_temp.unit('26737') WHEN n <= 13 THEN pg_temp.unit('26740') WHEN n <= 21 THEN pg_temp.unit('00004') END))
FROM generate_series(1, 22) AS n;
-- the form of claims, with a district; and an address that begins before the reform
SELECT count(pg_temp.patient(23, '[{"extension": [{"url": "urn:ehr:extension:administrative-unit", "valueCoding": {"code": "079"}},
	{"url": "urn:ehr:extension:administrative-unit", "valueCoding": {"code": "760"}},
	{"url": "urn:ehr:extension:administrative-unit", "valueCoding": {"code": "26734"}}]}]'));
SELECT count(pg_temp.patient(24, '[{"period": {"start": "2020"}, "extension": [{"url": "urn:ehr:unit", "valueCode": "26734"}]}]'));
-- 25 is 1 again, in another system and by way of a merged person; he has no address there
SELECT count(pg_temp.patient(25, NULL));
WITH p AS (INSERT INTO ehr_store.person (founder) SELECT NULL FROM generate_series(1, 2) RETURNING key)
INSERT INTO ehr_store.person_link (subject, person, method)
SELECT ehr_internal.key_of(ehr_internal.type_number('Patient'), id), key, 'manual'
FROM (SELECT key, row_number() OVER (ORDER BY key) FROM p) AS p JOIN (VALUES (1, 'report-test-1'), (2, 'report-test-25')) AS v (n, id) ON n = row_number;
UPDATE ehr_store.person SET merged_into = (SELECT person FROM ehr_store.person_link WHERE subject = ehr_internal.key_of(ehr_internal.type_number('Patient'), 'report-test-1'))
WHERE key = (SELECT person FROM ehr_store.person_link WHERE subject = ehr_internal.key_of(ehr_internal.type_number('Patient'), 'report-test-25'));

CREATE FUNCTION pg_temp.dose(n int, id text, day text, more jsonb) RETURNS bigint LANGUAGE sql
AS $$ SELECT ehr_internal.store_write('{"resourceType": "Immunization", "status": "completed"}'::jsonb || jsonb_build_object('id', 'report-test-' || id,
	'patient', jsonb_build_object('reference', 'Patient/report-test-' || n), 'occurrenceDateTime', day) || more, 'T0001') $$;
CREATE TEMP TABLE vaccine AS SELECT '{"vaccineCode": {"coding": [{"code": "COVID-19"}]}}'::jsonb AS covid,
	'{"vaccineCode": {"coding": [{"code": "x"}]}, "protocolApplied": [{"doseNumberPositiveInt": 1, "targetDisease": [{"coding": [{"code": "measles"}]}, {"coding": [{"code": "rubella"}]}]}]}'::jsonb AS mr;
-- 7 of the 12 have one covid dose; 1 has a second one, reported twice, once under the other patient
SELECT count(pg_temp.dose(n, 'c' || n, '2021-08-0' || n, covid)) FROM generate_series(1, 7) AS n, vaccine;
SELECT count(pg_temp.dose(n, 'c2' || n, '2021-09-15T08:00:00+07:00', covid)) FROM unnest('{1,25}'::int[]) AS n, vaccine;
SELECT count(pg_temp.dose(8, 'refused', '2021-08-01', covid || '{"status": "not-done"}')) FROM vaccine;
SELECT count(pg_temp.dose(n, 'm' || n, '2024', mr)) FROM generate_series(14, 21) AS n, vaccine;

CREATE FUNCTION pg_temp.diagnosis(n int, id text, code text, more jsonb DEFAULT '{}') RETURNS bigint LANGUAGE sql
AS $$ SELECT ehr_internal.store_write(jsonb_build_object('resourceType', 'Condition', 'id', 'report-test-' || id, 'recordedDate', '2026-03-01',
	'subject', jsonb_build_object('reference', 'Patient/report-test-' || n),
	'code', jsonb_build_object('coding', jsonb_build_array(jsonb_build_object('system', 'http://hl7.org/fhir/sid/icd-10', 'code', code)))) || more, 'T0001') $$;
-- commune 26737: diabetes 6, hypertension 5 (one person twice); Tan Dinh's neighbour: 2; Hanoi: hypertension 7
SELECT count(pg_temp.diagnosis(n, 'd' || n, 'E11.' || n)) FROM generate_series(1, 6) AS n;
SELECT count(pg_temp.diagnosis(n, 'h' || n, 'I10')) FROM generate_series(4, 8) AS n;
SELECT count(pg_temp.diagnosis(4, 'h4again', 'I11.9†')), count(pg_temp.diagnosis(25, 'd25', 'E119'));
SELECT count(pg_temp.diagnosis(n, 'n' || n, 'I15')) FROM generate_series(11, 12) AS n;
SELECT count(pg_temp.diagnosis(n, 'k' || n, 'i15.0')) FROM generate_series(14, 20) AS n;
SELECT count(pg_temp.diagnosis(9, 'no', 'I10', '{"verificationStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": "refuted"}]}}')), count(pg_temp.diagnosis(10, 'odd', 'not a code'));

-- what ehr.report runs, without the session
CREATE FUNCTION pg_temp.figures(report text, params jsonb DEFAULT '{}') RETURNS SETOF jsonb LANGUAGE plpgsql
AS $$
DECLARE
	d ehr_store.report_definition;
BEGIN
	SELECT * INTO d FROM ehr_store.report_definition r WHERE r.name = report;
	PERFORM ehr_internal.refresh_facts();
	RETURN QUERY EXECUTE d.query USING ehr_internal.report_parameters(d.parameters, '{"as_of": "2026-11-22"}' || params) || jsonb_build_object('min_cell', d.min_cell);
END
$$;
SELECT f ->> 'unit' AS unit, f ->> 'name' AS name, f ->> 'disease' AS disease, f ->> 'persons' AS persons, f ->> 'vaccinated' AS vaccinated, f ->> 'share' AS share
FROM pg_temp.figures('immunization_coverage') AS f WHERE coalesce(f ->> 'province', '79') IN ('01', '79');
-- two doses, one disease; the person's own province; a birth cohort
SELECT f - '{doses,disease}'::text[] AS figures FROM pg_temp.figures('immunization_coverage', '{"doses": 2, "disease": "covid-19", "unit": "79"}') AS f;
SELECT f - '{doses,disease}'::text[] AS figures FROM pg_temp.figures('immunization_coverage', '{"disease": "covid-19", "level": "province", "unit": "79"}') AS f;
SELECT f - '{doses,disease}'::text[] AS figures FROM pg_temp.figures('immunization_coverage', '{"disease": "covid-19", "unit": "79", "born_from": "1952-01-01", "born_to": "1956-12-31"}') AS f;
-- on a day before the reform the old communes are reported; later codes do not exist yet
SELECT f ->> 'unit' AS unit, f ->> 'name' AS name, f ->> 'level' AS level, f ->> 'persons' AS persons
FROM pg_temp.figures('immunization_coverage', '{"disease": "covid-19", "as_of": "2025-06-30"}') AS f;

SELECT f ->> 'unit' AS unit, f ->> 'group' AS "group", f ->> 'persons' AS persons, f ->> 'population' AS population, f ->> 'share' AS share, f ->> 'suppressed' AS suppressed
FROM pg_temp.figures('disease_by_commune', '{"groups": "HTN, DM"}') AS f;
-- the hidden 2 of commune 26740 and the 5 of its neighbour cannot be told from the province's total
SELECT f ->> 'unit' AS unit, f ->> 'group' AS "group", f ->> 'persons' AS persons FROM pg_temp.figures('disease_by_commune', '{"groups": "HTN", "level": "province"}') AS f;
SELECT f ->> 'unit' AS unit, f ->> 'group' AS "group", f ->> 'persons' AS persons FROM pg_temp.figures('disease_by_commune', '{"ranges": "E10-E14,I15", "unit": "01"}') AS f;
SELECT count(*) FROM pg_temp.figures('disease_by_commune', '{"groups": "DM", "noted_from": "2026-03-02"}');
SELECT string_agg(DISTINCT f ->> 'group', ' ' ORDER BY f ->> 'group') AS by_default FROM pg_temp.figures('disease_by_commune') AS f;

-- the same through the function, by a department that may select nothing
SAVEPOINT s;
SET LOCAL ROLE ehr_app;
SELECT ehr_test.login('department', 'dep-1', '79', 'PUBHLTH');
SELECT f ->> 'unit' AS unit, f ->> 'group' AS "group", f ->> 'persons' AS persons FROM ehr.report('disease_by_commune', '{"groups": "HTN,DM"}') AS f;
SELECT f ->> 'unit' AS unit, f ->> 'persons' AS persons, f ->> 'vaccinated' AS vaccinated FROM ehr.report('immunization_coverage', '{"disease": "covid-19", "unit": "79"}') AS f;
SELECT count(*) FROM ehr_store.fact_patient; \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;

-- a commune's code without a day: the list of the latest event decides, and does so when the event comes later
SELECT count(pg_temp.patient(30, pg_temp.unit('26737')));
CREATE FUNCTION pg_temp.list_of(n int) RETURNS date LANGUAGE sql
AS $$ SELECT ehr_internal.refresh_facts(); SELECT f.unit_from FROM ehr_store.fact_patient f WHERE f.key = ehr_internal.key_of(ehr_internal.type_number('Patient'), 'report-test-' || n) $$;
SELECT pg_temp.list_of(30) AS newest;
SELECT count(pg_temp.dose(30, 'late', '2021-08-01', covid)) FROM vaccine;
SELECT pg_temp.list_of(30) AS by_event;
SELECT ehr_internal.store_remove('Patient', 'report-test-30', 'T0001'), ehr_internal.store_remove('Immunization', 'report-test-late', 'T0001');

-- no commune, but a province: by code, whose meaning depends on the day (15 was Yen Bai), or by name
SELECT count(pg_temp.patient(n, a)) FROM (VALUES
	(31, '[{"extension": [{"url": "urn:ehr:extension:administrative-unit", "valueCoding": {"system": "urn:ehr:vn:province", "code": "015"}}], "period": {"start": "2020-01-01"}}]'::jsonb),
	(32, '[{"extension": [{"url": "urn:ehr:extension:administrative-unit", "valueCoding": {"system": "urn:ehr:vn:province", "code": "15"}}], "period": {"start": "2026-01-01"}}]'),
	(33, '[{"city": "TP. Ho Chi Minh"}]'), (34, '[{"state": "Tỉnh Bình Dương"}]'), (35, '[{"city": "Paris"}]')) AS v (n, a);
SELECT ehr_internal.refresh_facts();
SELECT p.n, f.unit, f.unit_from, ehr_internal.unit_then(f.unit, f.unit_from, '2026-11-22') AS now
FROM generate_series(31, 35) AS p (n) JOIN ehr_store.fact_patient f ON f.key = ehr_internal.key_of(ehr_internal.type_number('Patient'), 'report-test-' || n) ORDER BY 1;

-- a changed, a removed and a new document: figures follow
SELECT count(pg_temp.diagnosis(1, 'd1', 'A00'));
SELECT ehr_internal.store_remove('Condition', 'report-test-d2', 'T0001');
SELECT count(pg_temp.diagnosis(n, 'd' || n, 'E10')) FROM generate_series(8, 10) AS n;
SELECT f ->> 'unit' AS unit, f ->> 'persons' AS persons FROM pg_temp.figures('disease_by_commune', '{"groups": "DM"}') AS f;
CREATE TEMP TABLE before AS SELECT * FROM ehr_store.fact_condition;
SELECT ehr_internal.rebuild_facts();
SELECT count(*) AS facts, (SELECT count(*) FROM (TABLE before EXCEPT TABLE ehr_store.fact_condition) AS d) AS differ FROM ehr_store.fact_condition f WHERE f.key >= (SELECT min(key) FROM before);

-- parameters
SAVEPOINT s;
SELECT pg_temp.figures('disease_by_commune', '{"min_cell": 0}'); \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
SELECT pg_temp.figures('disease_by_commune', '{"level": "street"}'); \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
SELECT pg_temp.figures('disease_by_commune', '{"as_of": "2026-02-30"}'); \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
SELECT pg_temp.figures('immunization_coverage', '{"doses": "two"}'); \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
-- the tables behind are for nobody else
SELECT relname, relforcerowsecurity, (SELECT count(*) FROM pg_policy WHERE polrelid = c.oid) AS policies
FROM pg_class c WHERE relnamespace = 'ehr_store'::regnamespace AND (relname LIKE 'fact\_%' AND relkind = 'r' OR relname IN ('unit', 'report_definition')) ORDER BY 1;
ROLLBACK;
