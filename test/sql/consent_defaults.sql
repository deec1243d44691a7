-- The published default table: every kind of session, own and other unit, read, write and count; the reform of 2025; referrals; duties.
\set VERBOSITY terse
SET timezone = 'Asia/Ho_Chi_Minh';
\set a aaaaaaaa-0000-4000-8000-000000000051
\set b bbbbbbbb-0000-4000-8000-000000000052
\set c cccccccc-0000-4000-8000-000000000053
\set d dddddddd-0000-4000-8000-000000000054
-- a commune of province 79, one that became part of it under another code, and a commune of province 01
SELECT n.code AS here, u.code AS old FROM ehr_store.unit u JOIN ehr_store.unit n ON n.code = u.successor AND n.valid_from = u.valid_to AND n.parent = '79' AND n.valid_to = 'infinity'
WHERE u.level = 'commune' AND u.code <> n.code ORDER BY n.code, u.code LIMIT 1 \gset
SELECT min(u.code) AS there FROM ehr_store.unit u WHERE u.parent = '01' AND u.level = 'commune' AND u.valid_to = 'infinity' \gset
SELECT :'here' AS here, :'old' AS old, :'there' AS there;
INSERT INTO ehr_store.person (key, id) OVERRIDING SYSTEM VALUE VALUES (900051, :'a'), (900052, :'b'), (900053, :'c'), (900054, :'d');
CREATE FUNCTION ehr_test.keep(resource jsonb, author text) RETURNS bigint LANGUAGE sql RETURN ehr_internal.store_write(resource, author);
CREATE FUNCTION ehr_test.living(id text, commune text, since text) RETURNS jsonb LANGUAGE sql RETURN jsonb_build_object('resourceType', 'Patient', 'id', id,
	'address', jsonb_build_array(jsonb_strip_nulls(jsonb_build_object('extension', jsonb_build_array(jsonb_build_object('url', 'urn:ehr:unit', 'valueCode', commune)),
		'period', CASE WHEN since IS NOT NULL THEN jsonb_build_object('start', since) END))));
-- a lives here by today's name, b by the name before the reform, c elsewhere, d by an old code that says not of what time it is
SELECT ehr_test.keep(ehr_test.living('dt-a', :'here', '2026-01-01'), '79001') AS a1, ehr_test.keep(ehr_test.living('dt-b', :'old', '2020-01-01'), '79001') AS b1,
	ehr_test.keep(ehr_test.living('dt-c', :'there', '2026-01-01'), '79001') AS c1, ehr_test.keep('{"resourceType": "Patient", "id": "dt-d"}', '79001') AS d1 \gset
INSERT INTO ehr_store.person_link (subject, person, method) VALUES (:a1, 900051, 'manual'), (:b1, 900052, 'manual'), (:c1, 900053, 'manual'), (:d1, 900054, 'manual');
SELECT count(ehr_test.keep(jsonb_build_object('resourceType', t, 'id', 'dt-' || p || n) || more || jsonb_build_object(CASE t WHEN 'Immunization' THEN 'patient' ELSE 'subject' END, jsonb_build_object('reference', 'Patient/dt-' || p)), '79001')) AS written
FROM unnest('{a,b,c,d}'::text[]) AS p, (VALUES ('Observation', 'o', '{"status": "final", "code": {"text": "t"}}'::jsonb), ('Condition', 'i10', '{"code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "I10"}]}}'),
	('Condition', 'b20', '{"code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "B20"}]}}'), ('Immunization', 'v', '{"status": "completed", "vaccineCode": {"text": "v"}, "occurrenceDateTime": "2026-01-01"}')) AS v (t, n, more);
SELECT f.subject IN (:a1, :b1) AS near, f.unit IN (:'here', :'old') AS unit, f.unit_from FROM ehr_store.patient_fact f WHERE f.subject IN (:a1, :b1, :c1, :d1) ORDER BY f.subject;
CREATE FUNCTION ehr_test.who(kind text, sub text, org text, purpose text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	PERFORM ehr_test.login(kind, sub, org, purpose);
	SELECT coalesce(string_agg(substr(id, 4), ' ' ORDER BY id COLLATE "C"), '-') INTO result FROM ehr_store.resource WHERE id LIKE 'dt-%';
	PERFORM ehr.detach();
	RETURN result;
END $$;
-- the station of this commune, and one of the other
SELECT ehr_test.login('admin', 'ad', NULL, 'HOPERAT', 'session');
SELECT ehr.set_organisation_unit('79s01', :'here', 'QD 1/2026'), ehr.set_organisation_unit('01s01', :'there', 'QD 2/2026');
SELECT ehr.set_organisation_unit('79s01', 'nowhere', 'x');
SELECT ehr.detach();
SELECT ehr_internal.units_of('79s01') AS station, ehr_internal.units_of('79') AS department, ehr_internal.units_of('79001') AS facility;

\c - regress_ehr_query
\set VERBOSITY terse
\set a aaaaaaaa-0000-4000-8000-000000000051
\set b bbbbbbbb-0000-4000-8000-000000000052
-- read: who sees what of whom; the unit's own and another's
SELECT v.kind, v.org, ehr_test.who(v.kind, v.sub, v.org, v.purpose) AS sees
FROM (VALUES ('citizen', :'a', NULL, 'PATRQT'), ('citizen', :'b', NULL, 'PATRQT'), ('clinician', 'dr-9', '79009', 'TREAT'), ('clinician', 'dr-s', '79s01', 'TREAT'), ('facility', 'f', '79009', 'TREAT'), ('station', 's1', '79s01', 'TREAT'),
	('station', 's1', '79s01', 'HRESCH'), ('station', 's2', '01s01', 'TREAT'), ('station', 's3', '79s99', 'TREAT'), ('department', 'd', '79', 'PUBHLTH'), ('department', 'd', '01', 'PUBHLTH'), ('insurer', 'i', '79', 'HPAYMT'),
	('auditor', 'u', '79', NULL), ('admin', 'ad', '79', NULL)) AS v (kind, sub, org, purpose);
SELECT ehr_test.who('clinician', 'dr-1', '79001', 'TREAT') LIKE '%a ab20 ai10 ao av b %' AS author_sees_all;
-- write: in the own facility's name only, a citizen for himself only
CREATE FUNCTION pg_temp.writes(kind text, sub text, org text, patient text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM ehr_test.login(kind, sub, org, 'TREAT');
	PERFORM ehr.put(jsonb_build_object('resourceType', 'Observation', 'id', 'dt-w' || patient, 'status', 'final', 'code', '{"text": "t"}'::jsonb, 'subject', jsonb_build_object('reference', 'Patient/' || patient))::ehr.fhir);
	RAISE SQLSTATE 'DONE1';
EXCEPTION WHEN SQLSTATE 'DONE1' THEN
	RETURN 'yes';
WHEN insufficient_privilege THEN
	RETURN 'no';
END $$;
SELECT v.kind, v.org, pg_temp.writes(v.kind, v.sub, v.org, 'dt-a') AS own_unit, pg_temp.writes(v.kind, v.sub, v.org, 'dt-c') AS other_unit
FROM (VALUES ('citizen', :'a', NULL), ('clinician', 'dr-9', '79009'), ('facility', 'f', '79009'), ('station', 's1', '79s01'), ('station', 's3', '79s99'), ('department', 'd', '79'), ('insurer', 'i', '79'), ('auditor', 'u', '79'), ('admin', 'ad', '79')) AS v (kind, sub, org);
-- count: figures of the own unit and of those within
CREATE FUNCTION pg_temp.counts(kind text, sub text, org text, unit text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM ehr_test.login(kind, sub, org, 'PUBHLTH');
	RETURN 'yes, ' || count(*) || ' rows' FROM ehr.report('disease_by_commune', jsonb_strip_nulls(jsonb_build_object('groups', 'HTN', 'unit', unit, 'as_of', '2026-02-01'))) AS r;
EXCEPTION WHEN insufficient_privilege THEN
	RETURN 'no';
END $$;
RESET ROLE;
SET ROLE regress_ehr_query;
SELECT v.kind, v.org, pg_temp.counts(v.kind, v.sub, v.org, :'here') AS own_unit, pg_temp.counts(v.kind, v.sub, v.org, '79') AS province, pg_temp.counts(v.kind, v.sub, v.org, '01') AS other_unit, pg_temp.counts(v.kind, v.sub, v.org, NULL) AS unsaid
FROM (VALUES ('citizen', :'a', NULL), ('clinician', 'dr-9', '79009'), ('facility', 'f', '79009'), ('station', 's1', '79s01'), ('station', 's3', '79s99'), ('department', 'd', '79'), ('department', 'd', '01'), ('insurer', 'i', '79'), ('auditor', 'u', '79'), ('admin', 'ad', '79')) AS v (kind, sub, org);

-- a resident who closes the record is closed to the station; who moves away too, at the station's next statement
BEGIN;
SELECT ehr_test.login('citizen', :'a');
SELECT ehr.close_record(:'a', 'all', 'unit:79') IS NOT NULL AS closed_to_the_province;
SELECT ehr_test.who('station', 's1', '79s01', 'TREAT') AS station;
ROLLBACK;
BEGIN;
SELECT ehr_test.login('citizen', :'b');
SELECT ehr.grant_consent(:'b', 'unit:79', 'type:Observation') IS NOT NULL AS granted_to_the_province;
SELECT ehr_test.who('clinician', 'dr-s', '79s01', 'TREAT') AS here, ehr_test.who('clinician', 'dr-t', '01s01', 'TREAT') AS there;
ROLLBACK;
\c - postgres
\set VERBOSITY terse
BEGIN;
SELECT ehr_test.login('station', 's1', '79s01', 'TREAT');
SET LOCAL ROLE regress_ehr_query;
SELECT count(*) FROM ehr_store.resource WHERE id LIKE 'dt-a%';
RESET ROLE;
SELECT ehr_test.keep(ehr_test.living('dt-a', :'there', '2026-03-01'), '79001') IS NOT NULL AS moved;
SET LOCAL ROLE regress_ehr_query;
SELECT count(*) FROM ehr_store.resource WHERE id LIKE 'dt-a%';
ROLLBACK;

-- referrals: only listed documents, only the own ones, for a time, not handed on (attack C14)
\c - regress_ehr_query
\set VERBOSITY terse
\set a aaaaaaaa-0000-4000-8000-000000000051
BEGIN;
SELECT ehr_test.login('clinician', 'dr-1', '79001', 'TREAT');
SELECT ehr.open_referral(:'a', 'facility:79009', '{Observation/dt-ao,Condition/dt-ab20}', 'further tests') AS referral \gset
SELECT ehr_test.who('clinician', 'dr-9', '79009', 'TREAT') AS receiver, ehr_test.who('facility', 'f', '79009', 'TREAT') AS its_system, ehr_test.who('clinician', 'dr-9', '79009', 'HRESCH') AS for_research, ehr_test.who('clinician', 'dr-8', '79008', 'TREAT') AS another;
SAVEPOINT s;
SELECT ehr_test.login('clinician', 'dr-9', '79009', 'TREAT');
SELECT ehr.open_referral(:'a', 'facility:79008', '{Observation/dt-ao}', 'handed on');
ROLLBACK TO s;
SELECT ehr_test.login('clinician', 'dr-1', '79001', 'TREAT');
SAVEPOINT s;
SELECT ehr.open_referral(:'a', 'facility:79008', '{Observation/dt-co}', 'of somebody else');
ROLLBACK TO s;
SELECT ehr.open_referral(:'a', 'facility:79008', '{Observation/dt-none}', 'of nobody');
ROLLBACK TO s;
SELECT ehr.open_referral(:'a', 'anybody', '{Observation/dt-ao}', 'to everybody');
ROLLBACK TO s;
SELECT ehr.open_referral(:'a', 'facility:79009', '{Observation/dt-ao}', 'over', now() - interval '1 s');
ROLLBACK TO s;
-- the citizen's denial stands against it
SELECT ehr_test.login('citizen', :'a');
SELECT ehr.close_record(:'a', 'document:Observation/dt-ao') IS NOT NULL AS closed;
SELECT ehr_test.who('clinician', 'dr-9', '79009', 'TREAT') AS receiver;
ROLLBACK TO s;
SELECT ehr_test.login('clinician', 'dr-8', '79008', 'TREAT');
SELECT ehr.close_referral(:'referral') AS by_another;
SELECT ehr_test.login('citizen', :'a');
SELECT ehr.close_referral(:'referral') AS by_the_citizen;
SELECT ehr_test.who('clinician', 'dr-9', '79009', 'TREAT') AS receiver;
ROLLBACK;

-- duties: a named official of the department, for types, with a basis, in the own units
\c - postgres
\set VERBOSITY terse
BEGIN;
SELECT ehr_test.login('admin', 'ad', NULL, 'HOPERAT');
SELECT ehr.assign_duty('of-1', '79', :'here', 'type:Condition,Patient', 'TT 15/2026: notifiable diseases', now() + interval '30 days') AS duty \gset
SAVEPOINT s;
SELECT ehr.assign_duty('of-1', '79', :'there', 'all', 'x', now() + interval '30 days');
ROLLBACK TO s;
SELECT ehr.assign_duty('of-1', '79', :'here', 'all', '', now() + interval '30 days');
ROLLBACK TO s;
SELECT ehr.assign_duty('of-1', '79', :'here', 'all', 'x', NULL);
ROLLBACK TO s;
SET LOCAL ROLE regress_ehr_query;
SELECT ehr_test.who('department', 'of-1', '79', 'PUBHLTH') AS official, ehr_test.who('department', 'of-2', '79', 'PUBHLTH') AS another, ehr_test.who('department', 'of-1', '01', 'PUBHLTH') AS elsewhere, ehr_test.who('clinician', 'of-1', '79', 'PUBHLTH') AS as_clinician;
SELECT ehr_test.login('department', 'of-1', '79', 'PUBHLTH');
SELECT (ehr.explain_access('Condition', 'dt-ai10') -> 'because' -> 0) - 'consent' AS because;
RESET ROLE;
SELECT ehr_test.login('admin', 'ad', NULL, 'HOPERAT');
SELECT ehr.end_duty(:'duty'), ehr.end_duty(:'duty') AS again;
SET LOCAL ROLE regress_ehr_query;
SELECT ehr_test.who('department', 'of-1', '79', 'PUBHLTH') AS official;
ROLLBACK;
-- who is no longer in charge reads nothing from the next statement
BEGIN;
SELECT ehr_test.login('admin', 'ad', NULL, 'HOPERAT');
SELECT ehr.end_organisation_unit('79s01', :'here') AS ended, ehr.end_organisation_unit('79s01', :'here') AS again;
SET LOCAL ROLE regress_ehr_query;
SELECT ehr_test.who('station', 's1', '79s01', 'TREAT') AS station;
ROLLBACK;
-- every rule has its source
SELECT kind, relation, operation, labels, needs_evidence, verified, basis <> '' AS sourced FROM ehr_store.access_rule ORDER BY kind COLLATE "C", operation COLLATE "C", relation COLLATE "C";

-- leave nothing behind
DELETE FROM ehr_store.compiled_right WHERE person BETWEEN 900051 AND 900054;
DELETE FROM ehr_store.patient_fact WHERE subject IN (:a1, :b1, :c1, :d1);
DELETE FROM ehr_store.consent WHERE person BETWEEN 900051 AND 900054;
DELETE FROM ehr_store.organisation_unit;
DELETE FROM ehr_store.person_link WHERE person BETWEEN 900051 AND 900054;
DELETE FROM ehr_store.person WHERE key BETWEEN 900051 AND 900054;
DELETE FROM ehr_store.resource WHERE id LIKE 'dt-%';
DELETE FROM ehr_store.resource_history WHERE id LIKE 'dt-%';
DELETE FROM ehr_store.resource_key WHERE id LIKE 'dt-%';
SELECT ehr_internal.rebuild_facts();
