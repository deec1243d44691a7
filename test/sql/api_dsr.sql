-- Requests of data subjects: clocks, decisions, notices to recipients, family secrets, erasure, incidents.
\set VERBOSITY terse
INSERT INTO ehr_store.person (key, id) OVERRIDING SYSTEM VALUE VALUES
	(920001, '00000000-0000-4000-8000-000000920001'), (920002, '00000000-0000-4000-8000-000000920002'), (920003, '00000000-0000-4000-8000-000000920003');
\set pa '00000000-0000-4000-8000-000000920001'
\set pb '00000000-0000-4000-8000-000000920002'
\set pc '00000000-0000-4000-8000-000000920003'
SELECT count(ehr_internal.store_write(('{"resourceType": "Patient", "id": "dsr-' || p || '", "gender": "female"}')::jsonb, 'D1')) AS patients FROM unnest('{a,b}'::text[]) AS p;
SELECT key AS a FROM ehr_store.resource WHERE id = 'dsr-a' \gset
SELECT key AS b FROM ehr_store.resource WHERE id = 'dsr-b' \gset
INSERT INTO ehr_store.person_link (subject, person, method) VALUES (:a, 920001, 'manual'), (:b, 920002, 'manual');
SELECT count(ehr_internal.store_write(d::jsonb, 'D1')) AS documents FROM (VALUES
	('{"resourceType": "Condition", "id": "dsr-a-old", "subject": {"reference": "Patient/dsr-a"}, "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "I10"}]}, "recordedDate": "2001-05-01"}'),
	('{"resourceType": "Condition", "id": "dsr-b-new", "subject": {"reference": "Patient/dsr-b"}, "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "I10"}]}, "recordedDate": "2024-05-01"}'),
	('{"resourceType": "Condition", "id": "dsr-b-mind", "subject": {"reference": "Patient/dsr-b"}, "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "F32.1"}]}, "recordedDate": "2010-05-01"}')) AS v (d);

-- the calendar: Friday evening in Vietnam, holidays, a worked Saturday
SELECT ehr_internal.deadline('2026-08-28 22:00+07', 2, true) AT TIME ZONE 'Asia/Ho_Chi_Minh' AS two_working_days,
	ehr_internal.deadline('2026-08-28 17:30+00', 2, true) AT TIME ZONE 'Asia/Ho_Chi_Minh' AS from_saturday_in_vietnam,
	ehr_internal.deadline('2026-08-28 22:00+07', 15, false) AT TIME ZONE 'Asia/Ho_Chi_Minh' AS fifteen_days;
SELECT ehr.load_holidays('{2026-09-01,2026-09-02}', 'National Day');
SELECT ehr_internal.deadline('2026-08-31 22:00+07', 2, true) AT TIME ZONE 'Asia/Ho_Chi_Minh' AS over_the_holiday;
SELECT ehr.load_holidays('{2026-09-05}', 'worked instead', true);
SELECT ehr_internal.deadline('2026-09-04 22:00+07', 2, true) AT TIME ZONE 'Asia/Ho_Chi_Minh' AS with_a_worked_saturday;
DELETE FROM ehr_store.holiday;
SELECT request, ack_working_days, days, days_third_party, extension_days FROM ehr_internal.dsr_sla ORDER BY 1;

-- who may ask
SELECT ehr.dsr_open(:'pa', 'access');
BEGIN; SELECT ehr_test.login('citizen', :'pb'); SELECT ehr.dsr_open(:'pa', 'access'); ROLLBACK;
BEGIN; SELECT ehr_test.login('admin', 'ad'); SELECT ehr.dsr_open(:'pa', 'access'); ROLLBACK;
BEGIN; SELECT ehr_test.login('citizen', :'pa'); SELECT ehr.dsr_open(:'pa', 'sell'); ROLLBACK;

-- access
BEGIN;
SELECT ehr_test.login('citizen', :'pa');
SELECT ehr.dsr_open(:'pa', 'access', 'all that you have') AS access \gset
SELECT kind, details, state, due - opened > interval '10 days' AND due - opened <= interval '11 days' AS ten_days, acknowledged FROM ehr.dsr_requests(:'pa');
SELECT ehr.dsr_copy(:'access');
ROLLBACK;
BEGIN;
SELECT ehr_test.login('citizen', :'pa');
SELECT ehr.dsr_open(:'pa', 'access', 'all that you have') AS access \gset
SELECT ehr.dsr_decide(:'access', 'grant');
COMMIT;
BEGIN;
SELECT ehr_test.login('citizen', :'pa');
SELECT ehr.dsr_open(:'pa', 'access', 'all that you have') AS access \gset
COMMIT;
SELECT position('all that you have'::bytea IN details) AS plain, length(details) FROM ehr_store.dsr_request WHERE id = :'access';
BEGIN;
SELECT ehr_test.login('admin', 'ad');
SELECT kind, late FROM ehr.dsr_clock() WHERE request = :'access';
SELECT details FROM ehr.dsr_requests(:'pa');
SELECT ehr.dsr_decide(:'access', 'acknowledge') - 'due';
SELECT (ehr.dsr_decide(:'access', 'third_party') ->> 'due')::timestamptz - opened > interval '15 days' AS longer FROM ehr_store.dsr_request WHERE id = :'access';
SAVEPOINT s;
SELECT ehr.dsr_decide(:'access', 'extend');
ROLLBACK TO s;
SELECT (ehr.dsr_decide(:'access', 'extend', 'many documents') ->> 'due')::timestamptz - opened > interval '25 days' AS longer FROM ehr_store.dsr_request WHERE id = :'access';
SAVEPOINT s;
SELECT ehr.dsr_decide(:'access', 'extend', 'again');
ROLLBACK TO s;
SELECT ehr.dsr_decide(:'access', 'perhaps');
ROLLBACK TO s;
SELECT ehr.dsr_decide(:'access', 'refuse');
ROLLBACK TO s;
SELECT ehr.dsr_decide(:'access', 'grant') - 'due';
SELECT ehr.dsr_decide(:'access', 'refuse', 'too late');
ROLLBACK TO s;
SELECT ehr.dsr_decide(:'access', 'grant') - 'due';
COMMIT;

-- a family secret: left out until the member consents
BEGIN; SELECT ehr_test.login('clinician', 'dr-x', 'OTHER', 'TREAT'); SELECT ehr.mark_family_secret('Condition', 'dsr-a-old', ARRAY[:'pc'::uuid]); ROLLBACK;
BEGIN; SELECT ehr_test.login('clinician', 'dr-d', 'D1', 'TREAT'); SELECT ehr.mark_family_secret('Condition', 'dsr-a-old', ARRAY[:'pc'::uuid]); COMMIT;
BEGIN;
SELECT ehr_test.login('citizen', :'pa');
SELECT c -> 'withheld_for_family' AS withheld, jsonb_path_query_array(c, '$.documents[*].id') AS documents FROM ehr.dsr_copy(:'access') AS c;
SELECT ehr.record_disclosure(:'pa', 'facility:X1', 'the record', 'TREAT');
ROLLBACK;
BEGIN; SELECT ehr_test.login('citizen', :'pb'); SELECT ehr.family_secret_consent('Condition', 'dsr-a-old', true); ROLLBACK;
BEGIN; SELECT ehr_test.login('citizen', :'pc'); SELECT ehr.family_secret_consent('Condition', 'dsr-a-old', true); COMMIT;
BEGIN;
SELECT ehr_test.login('citizen', :'pa');
SELECT c -> 'withheld_for_family' AS withheld, jsonb_path_query_array(c, '$.documents[*].id') AS documents FROM ehr.dsr_copy(:'access') AS c;
COMMIT;

-- disclosures: an insurer needs the written request
BEGIN; SELECT ehr_test.login('facility', 'his', 'D1', 'HPAYMT'); SELECT ehr.record_disclosure(:'pa', 'insurer:I1', 'a bill', 'HPAYMT'); ROLLBACK;
BEGIN; SELECT ehr_test.login('facility', 'his', 'D1', 'HPAYMT'); SELECT ehr.record_disclosure(:'pa', 'nobody', 'a bill', 'HPAYMT'); ROLLBACK;
BEGIN;
SELECT ehr_test.login('citizen', :'pa');
SELECT ehr.grant_consent(:'pa', 'insurer:I1', 'all', 'HPAYMT', NULL, '{"sha256": "00"}') AS insurer \gset
SELECT ehr.grant_consent(:'pa', 'practitioner:dr-f', 'all', 'TREAT') AS doctor \gset
COMMIT;
BEGIN; SELECT ehr_test.login('facility', 'his', 'D1', 'HPAYMT'); SELECT ehr.record_disclosure(:'pa', 'insurer:I1', 'a bill', 'HPAYMT', 'contract') > 0 AS recorded; COMMIT;

-- a doctor elsewhere reads under the consent
BEGIN; SELECT ehr_test.login('clinician', 'dr-f', 'F9', 'TREAT'); SET LOCAL ROLE regress_ehr_query; SELECT count(*) FROM ehr_store.resource WHERE subject = :a; COMMIT;
-- and is told of the withdrawal, the insurer is not
BEGIN; SELECT ehr_test.login('citizen', :'pa'); SELECT ehr.withdraw_consent(:'doctor'); COMMIT;
SELECT recipient, cause, consent = :'doctor' AS by_this_consent, acknowledged IS NULL AS open FROM ehr_store.recipient_notice WHERE person = :'pa' ORDER BY 1;
BEGIN; SELECT ehr_test.login('clinician', 'other', 'F8', 'TREAT'); SELECT count(*) FROM ehr.open_notices(); ROLLBACK;
BEGIN;
SELECT ehr_test.login('clinician', 'dr-f', 'F9', 'TREAT');
SELECT notice AS n, person = :'pa' AS person, cause FROM ehr.open_notices() \gset
SELECT :'person' AS of_the_citizen, :'cause' AS cause, ehr.acknowledge_notice(:n), ehr.acknowledge_notice(:n) AS again;
COMMIT;
-- everything: every earlier recipient
BEGIN; SELECT ehr_test.login('citizen', :'pa'); SELECT ehr.dsr_open(:'pa', 'withdraw') AS withdraw \gset
COMMIT;
BEGIN; SELECT ehr_test.login('admin', 'ad'); SELECT ehr.dsr_decide(:'withdraw', 'grant') - 'due'; COMMIT;
SELECT recipient, cause, acknowledged IS NULL AS open FROM ehr_store.recipient_notice WHERE person = :'pa' ORDER BY 1, 3;
BEGIN; SELECT ehr_test.login('citizen', :'pa'); SELECT recipient, what, told IS NOT NULL AS told, acknowledged IS NOT NULL AS acknowledged FROM ehr.disclosures(:'pa'); ROLLBACK;

-- restriction closes the record
BEGIN; SELECT ehr_test.login('citizen', :'pb'); SELECT ehr.dsr_open(:'pb', 'restrict', 'no more') AS restrict \gset
COMMIT;
BEGIN; SELECT ehr_test.login('admin', 'ad'); SELECT ehr.dsr_decide(:'restrict', 'grant') - 'due' - 'consent'; COMMIT;
SELECT deny, grantee, scope, evidence ->> 'request' = :'restrict' AS by_request FROM ehr_store.consent WHERE person = 920002;

-- correction: asked for, acknowledged, granted, made by the author of the document, done; the earlier version stays
BEGIN;
SELECT ehr_test.login('citizen', :'pb');
SELECT ehr.dsr_open(:'pb', 'correct', 'it was the other knee') AS correct \gset
SELECT ehr_test.login('admin', 'ad');
SELECT ehr.dsr_decide(:'correct', 'acknowledge') - 'due' AS acknowledged;
SELECT ehr.dsr_decide(:'correct', 'grant') - 'due' AS granted;
SELECT ehr_test.login('clinician', 'dr-d', 'D1', 'TREAT');
SELECT (ehr.put('{"resourceType": "Condition", "id": "dsr-b-new", "subject": {"reference": "Patient/dsr-b"}, "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "I11"}]}, "recordedDate": "2024-05-01"}') ->> 'id') AS corrected;
SELECT ehr_test.login('admin', 'ad');
SELECT ehr.dsr_decide(:'correct', 'done') - 'due' AS done;
SELECT ehr_test.login('citizen', :'pb');
SELECT kind, state FROM ehr.dsr_requests(:'pb') WHERE request = :'correct';
SELECT count(*) AS versions FROM ehr_store.resource_history WHERE id = 'dsr-b-new';
ROLLBACK;
-- objection and protection close as restriction does
BEGIN;
SELECT ehr_test.login('citizen', :'pa');
SELECT ehr.dsr_open(:'pa', k) AS request, k AS kind INTO TEMP asked FROM unnest('{object,protect}'::text[]) AS k;
SELECT ehr_test.login('admin', 'ad');
SELECT kind, (ehr.dsr_decide(request, 'grant') ->> 'state') AS state FROM asked ORDER BY kind;
SELECT count(*) AS denials FROM ehr_store.consent WHERE person = 920001 AND deny AND status = 'active';
ROLLBACK;
-- clocks that have run out: acknowledgement and decision, in the list and in self_check()
BEGIN;
SELECT ehr_test.login('citizen', :'pb');
SELECT ehr.dsr_open(:'pb', 'access') AS late \gset
UPDATE ehr_store.dsr_request SET opened = opened - interval '40 days', due = due - interval '40 days' WHERE id = :'late';
SELECT ehr_test.login('auditor', 'au');
SELECT kind, late FROM ehr.dsr_clock() WHERE request = :'late';
SELECT ok FROM ehr.self_check() WHERE check_name ~ 'request';
ROLLBACK;

-- erasure: the law keeps b's records, by two rules; the request is refused with that reason
SELECT rule, keep_until, documents FROM ehr_internal.retention_of(920002) ORDER BY 1;
BEGIN; SELECT ehr_test.login('citizen', :'pb'); SELECT ehr.dsr_open(:'pb', 'erase') AS erase \gset
COMMIT;
\set VERBOSITY default
BEGIN; SELECT ehr_test.login('admin', 'ad'); SELECT ehr.dsr_decide(:'erase', 'grant'); ROLLBACK;
\set VERBOSITY terse
BEGIN; SELECT ehr_test.login('admin', 'ad'); SELECT ehr.dsr_decide(:'erase', 'refuse', 'medical records are kept 10 years') - 'due'; COMMIT;
BEGIN; SELECT ehr_test.login('citizen', :'pb'); SELECT kind, state, reason FROM ehr.dsr_requests(:'pb') ORDER BY kind; ROLLBACK;
BEGIN; SELECT ehr_test.login('citizen', :'pa'); SELECT ehr.erase_person(:'pa', 'mine'); ROLLBACK;
-- those of a are old enough: keys destroyed, rows gone, what was sealed cannot be opened, and the log says so
SELECT rule, keep_until FROM ehr_internal.retention_of(920001) ORDER BY 1;
SELECT details AS sealed FROM ehr_store.dsr_request WHERE id = :'access' \gset
BEGIN; SELECT ehr_test.login('admin', 'ad'); SELECT ehr.erase_person(:'pa', 'request of the citizen'); COMMIT;
SELECT count(*) AS documents FROM ehr_store.resource WHERE id LIKE 'dsr-a%';
SELECT ehr.unseal(:'sealed', 'dsr_request.details/' || :'access');
BEGIN; SELECT ehr_test.login('citizen', :'pa'); SELECT kind, details FROM ehr.dsr_requests(:'pa') ORDER BY kind; ROLLBACK;
SELECT ehr_internal.audit_catch_up();
SELECT kind, detail FROM ehr_store.audit_event WHERE kind = 'erase';

-- incidents
BEGIN; SELECT ehr_test.login('clinician', 'dr', 'D1', 'TREAT'); SELECT ehr.incident_open('loss', 'a lost laptop'); ROLLBACK;
BEGIN;
SELECT ehr_test.login('admin', 'ad');
SELECT ehr.incident_open('loss', 'a lost laptop', clock_timestamp() - interval '80 hours', 12) AS incident \gset
SELECT kind, notify_by - detected AS clock, late, keep_until, entries FROM ehr.incidents();
SAVEPOINT s;
SELECT ehr.incident_note(:incident, 'close');
ROLLBACK TO s;
SELECT ehr.incident_note(:incident, 'contain', 'the disk was encrypted');
SELECT ehr.incident_note(:incident, 'notify_authority', 'letter 1');
SELECT ehr.incident_note(:incident, 'close');
SELECT late, keep_until - closed::date BETWEEN 1825 AND 1827 AS five_years, jsonb_array_length(entries) AS steps FROM ehr.incidents();
SELECT ehr.purge_incidents() AS purged;
UPDATE ehr_store.incident SET closed = now() - interval '6 years';
SELECT ehr.purge_incidents() AS purged;
ROLLBACK;

-- as it was
DELETE FROM ehr_store.recipient_notice WHERE person IN (:'pa', :'pb', :'pc');
DELETE FROM ehr_store.disclosure WHERE person IN (:'pa', :'pb', :'pc');
DELETE FROM ehr_store.dsr_request WHERE person IN (:'pa', :'pb', :'pc');
DELETE FROM ehr_store.consent WHERE person BETWEEN 920001 AND 920003;
DELETE FROM ehr_store.person_link WHERE subject IN (:a, :b);
DELETE FROM ehr_store.vault_key WHERE person IN (:'pa', :'pb', :'pc');
DELETE FROM ehr_store.person WHERE key BETWEEN 920001 AND 920003;
DELETE FROM ehr_store.resource WHERE id LIKE 'dsr-%';
DELETE FROM ehr_store.resource_key WHERE id LIKE 'dsr-%';
