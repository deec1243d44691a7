-- Break-glass: who may, reason, time, notice, review, alarm; and that it is told although the transaction rolls back.
\set VERBOSITY terse
\set a aaaaaaaa-0000-4000-8000-000000000081
INSERT INTO ehr_store.person (key, id) OVERRIDING SYSTEM VALUE VALUES (900081, :'a');
SELECT ehr_internal.store_write('{"resourceType": "Patient", "id": "em-a"}', '79001') AS a1 \gset
INSERT INTO ehr_store.person_link (subject, person, method) VALUES (:a1, 900081, 'manual');
SELECT count(ehr_internal.store_write(r::jsonb, '79001')) AS written FROM (VALUES
	('{"resourceType": "Observation", "id": "em-o", "status": "final", "code": {"text": "t"}, "subject": {"reference": "Patient/em-a"}}'),
	('{"resourceType": "Condition", "id": "em-hiv", "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "B20"}]}, "subject": {"reference": "Patient/em-a"}}')) AS v (r);
CREATE FUNCTION ehr_test.em(sub text, org text, purpose text DEFAULT 'TREAT') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	PERFORM ehr_test.login('clinician', sub, org, purpose);
	SELECT coalesce(string_agg(substr(id, 4), ' ' ORDER BY id COLLATE "C"), '-') INTO result FROM ehr_store.resource WHERE id LIKE 'em-%';
	PERFORM ehr.detach();
	RETURN result;
END $$;
CREATE FUNCTION ehr_test.break(kind text, sub text, org text, reason text, minutes int, person text DEFAULT 'aaaaaaaa-0000-4000-8000-000000000081') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	until timestamptz;
BEGIN
	PERFORM ehr_test.login(kind, sub, org, 'TREAT');
	until := ehr.break_glass(person::uuid, reason, minutes);
	PERFORM ehr.detach();
	RETURN 'until ' || round(extract(epoch FROM until - clock_timestamp()) / 60) || ' minutes from now';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
BEGIN;
SELECT ehr_test.login('admin', 'ad', NULL, 'HOPERAT');
SELECT ehr.allow_break_glass('79009', 'dr-em', 'roster 1/2026'), ehr.allow_break_glass('79008', NULL, 'emergency hospital');
SAVEPOINT s;
SELECT ehr.allow_break_glass('79008', NULL, '');
ROLLBACK TO s;
COMMIT;
\c - regress_ehr_query
\set VERBOSITY terse
\set a aaaaaaaa-0000-4000-8000-000000000081
-- who may, and how
SELECT ehr_test.break('clinician', 'dr-other', '79009', 'unconscious after an accident', 30) AS not_authorised, ehr_test.break('facility', 'dr-em', '79009', 'unconscious after an accident', 30) AS no_clinician,
	ehr_test.break('citizen', :'a', NULL, 'unconscious after an accident', 30) AS citizen, ehr_test.break('clinician', 'dr-em', '79007', 'unconscious after an accident', 30) AS another_facility;
SELECT ehr_test.break('clinician', 'dr-em', '79009', NULL, 30) AS no_reason, ehr_test.break('clinician', 'dr-em', '79009', '         x', 30) AS short_reason, ehr_test.break('clinician', 'dr-em', '79009', repeat('x', 501), 30) AS long_reason,
	ehr_test.break('clinician', 'dr-em', '79009', E'line one\nline two of it', 30) AS two_lines, ehr_test.break('clinician', 'dr-em', '79009', U&'right to left \202E and back', 30) AS direction,
	ehr_test.break('clinician', 'dr-em', '79009', 'unconscious after an accident', 61) AS too_long, ehr_test.break('clinician', 'dr-em', '79009', 'unconscious after an accident', 0) AS no_time;
-- the citizen has closed everything; the emergency opens it all the same, and only to the one
BEGIN;
SELECT ehr_test.login('citizen', :'a');
SELECT ehr.close_record(:'a') IS NOT NULL AS closed;
SELECT ehr_test.em('dr-em', '79009') AS before;
SELECT ehr_test.break('clinician', 'dr-em', '79009', 'unconscious after an accident', 30);
SELECT ehr_test.em('dr-em', '79009') AS emergency, ehr_test.em('dr-2', '79009') AS colleague, ehr_test.em('dr-em', '79009', 'HRESCH') AS other_purpose;
SELECT ehr_test.login('clinician', 'dr-em', '79009', 'TREAT');
SELECT ehr.explain_access('Condition', 'em-hiv') -> 'because' -> 0 ->> 'relation' AS because;
-- but not against a denial of this very purpose
SELECT ehr_test.login('citizen', :'a');
SELECT ehr.deny_consent(:'a', 'anybody', 'label:HIV', 'BTG') IS NOT NULL AS even_then;
SELECT ehr_test.em('dr-em', '79009') AS emergency;
ROLLBACK;
-- rolled back: nothing is open, and everything is told
SELECT ehr_test.em('dr-em', '79009') AS after_rollback;
BEGIN;
SELECT ehr_test.login('citizen', :'a');
SELECT what, who, organisation, reason, acknowledged IS NULL AS new FROM ehr.notices(:'a');
SELECT kind, who FROM ehr.access_log(:'a') WHERE kind LIKE 'break_glass%' ORDER BY at DESC LIMIT 1;
SELECT ehr.acknowledge_notices(:'a') AS read, ehr.acknowledge_notices(:'a') AS again;
SELECT acknowledged IS NULL AS new FROM ehr.notices(:'a');
COMMIT;
-- when the glass closes the denials hold again, also for what was granted otherwise
\c - postgres
\set VERBOSITY terse
BEGIN;
SELECT ehr_test.login('citizen', :'a');
SELECT ehr.grant_consent(:'a', 'practitioner:dr-em', 'type:Observation') IS NOT NULL AS granted, ehr.close_record(:'a') IS NOT NULL AS closed;
SELECT ehr_test.break('clinician', 'dr-em', '79009', 'unconscious after an accident', 1);
UPDATE ehr_store.compiled_right SET valid = tstzrange(lower(valid), clock_timestamp() + interval '0.7 s') WHERE relation = 'emergency';
SELECT ehr_test.login('clinician', 'dr-em', '79009', 'TREAT');
SET LOCAL ROLE regress_ehr_query;
SELECT count(*) AS open FROM ehr_store.resource WHERE id LIKE 'em-%';
SELECT pg_sleep(0.8);
SELECT count(*) AS closed FROM ehr_store.resource WHERE id LIKE 'em-%';
ROLLBACK;
-- authorisation ended: what is open closes
BEGIN;
SELECT ehr_test.break('clinician', 'dr-em', '79009', 'unconscious after an accident', 5);
SELECT ehr_test.login('admin', 'ad', NULL, 'HOPERAT');
SELECT ehr.disallow_break_glass('79009', 'dr-em') AS ended, ehr.disallow_break_glass('79009', 'dr-em') AS again;
SELECT ehr_test.break('clinician', 'dr-em', '79009', 'unconscious after an accident', 5) AS anew;
SET LOCAL ROLE regress_ehr_query;
SELECT ehr_test.em('dr-em', '79009') AS sees;
ROLLBACK;
-- a person who is not there gets the same answer
SELECT ehr_test.break('clinician', 'dr-em', '79009', 'unconscious after an accident', 30, 'eeeeeeee-0000-4000-8000-00000000ffff') AS nobody;
-- often: an alarm, in front of the queue
DO $$
BEGIN
	FOR i IN 1 .. 5 LOOP
		PERFORM ehr_test.break('clinician', 'dr-many', '79008', 'looking around number ' || i, 5);
	END LOOP;
END $$;
BEGIN;
SELECT ehr_test.login('auditor', 'au');
SELECT kind, who, organisation, CASE kind WHEN 'break_glass' THEN regexp_replace(detail, '^[0-9a-f-]+', 'ID') ELSE detail END AS detail, count(*)
FROM ehr.break_glass_reviews() WHERE who IN ('dr-em', 'dr-many', 'dr-other') GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 4;
SELECT kind AS first FROM ehr.break_glass_reviews() LIMIT 1;
SELECT review FROM ehr.break_glass_reviews() WHERE who = 'dr-many' AND kind = 'break_glass_alarm' LIMIT 1 \gset
SELECT ehr.review_break_glass(:'review', false, 'no such patients that night') AS judged, ehr.review_break_glass(:'review', true, 'once more') AS again, ehr.review_break_glass('0.0', true, 'x') AS none;
SELECT count(*) FILTER (WHERE review = :'review') AS still_open FROM ehr.break_glass_reviews();
SELECT verdict, reviewed_by FROM ehr.break_glass_reviews(false) WHERE review = :'review';
COMMIT;
SELECT ehr_test.login('clinician', 'dr-em', '79009', 'TREAT', 'session');
SELECT ehr.break_glass_reviews();
SELECT ehr.review_break_glass('0.1', true, 'mine');
SELECT ehr.allow_break_glass('79009', 'dr-em', 'mine');
SELECT ehr.notices(:'a');
SELECT ehr.detach();
-- leave nothing behind
DELETE FROM ehr_store.compiled_right WHERE person = 900081;
DELETE FROM ehr_store.break_glass_user;
DELETE FROM ehr_store.break_glass_review;
DELETE FROM ehr_store.notice_seen;
DELETE FROM ehr_store.patient_fact WHERE subject = :a1;
DELETE FROM ehr_store.consent WHERE person = 900081;
DELETE FROM ehr_store.person_link WHERE person = 900081;
DELETE FROM ehr_store.person WHERE key = 900081;
DELETE FROM ehr_store.resource WHERE id LIKE 'em-%';
DELETE FROM ehr_store.resource_history WHERE id LIKE 'em-%';
DELETE FROM ehr_store.resource_key WHERE id LIKE 'em-%';
