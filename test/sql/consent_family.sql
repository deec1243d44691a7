-- Family and age: parents, guardians, representatives, delegates; birthdays at midnight in Vietnam; no proxy of a proxy; death.
\set VERBOSITY terse
SET timezone = 'UTC';
\set child cccccccc-0000-4000-8000-000000000061
\set parent aaaaaaaa-0000-4000-8000-000000000062
\set other bbbbbbbb-0000-4000-8000-000000000063
\set adult dddddddd-0000-4000-8000-000000000064
INSERT INTO ehr_store.person (key, id) OVERRIDING SYSTEM VALUE VALUES (900061, :'child'), (900062, :'parent'), (900063, :'other'), (900064, :'adult');
CREATE FUNCTION ehr_test.hold(resource jsonb) RETURNS bigint LANGUAGE sql RETURN ehr_internal.store_write(resource, '79001');
-- a Patient born so that an age is reached on a day counted from today in Vietnam
CREATE FUNCTION ehr_test.born(id text, years int, days int DEFAULT 0) RETURNS bigint LANGUAGE sql
	RETURN ehr_test.hold(jsonb_build_object('resourceType', 'Patient', 'id', id, 'birthDate', to_char((clock_timestamp() AT TIME ZONE 'Asia/Ho_Chi_Minh')::date - make_interval(years => years) + make_interval(days => days), 'YYYY-MM-DD')));
SELECT ehr_test.born('fa-child', 5) AS child_key, ehr_test.born('fa-parent', 35) AS parent_key, ehr_test.hold('{"resourceType": "Patient", "id": "fa-other"}') AS other_key, ehr_test.born('fa-adult', 60) AS adult_key \gset
INSERT INTO ehr_store.person_link (subject, person, method) VALUES (:child_key, 900061, 'manual'), (:parent_key, 900062, 'manual'), (:other_key, 900063, 'manual'), (:adult_key, 900064, 'manual');
SELECT count(ehr_test.hold(r::jsonb)) AS written FROM (VALUES
	('{"resourceType": "Observation", "id": "fa-c-o", "status": "final", "code": {"text": "t"}, "subject": {"reference": "Patient/fa-child"}}'),
	('{"resourceType": "Condition", "id": "fa-c-sex", "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "A54"}]}, "subject": {"reference": "Patient/fa-child"}}'),
	('{"resourceType": "Observation", "id": "fa-p-o", "status": "final", "code": {"text": "t"}, "subject": {"reference": "Patient/fa-parent"}}'),
	('{"resourceType": "Observation", "id": "fa-a-o", "status": "final", "code": {"text": "t"}, "subject": {"reference": "Patient/fa-adult"}}'),
	('{"resourceType": "Condition", "id": "fa-a-hiv", "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "B20"}]}, "subject": {"reference": "Patient/fa-adult"}}')) AS v (r);
CREATE FUNCTION ehr_test.citizen(sub text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	PERFORM ehr_test.login('citizen', sub, NULL, 'FAMRQT');
	SET LOCAL ROLE regress_ehr_query;
	SELECT coalesce(string_agg(substr(id, 4), ' ' ORDER BY id COLLATE "C"), '-') INTO result FROM ehr_store.resource WHERE id LIKE 'fa-%';
	RESET ROLE;
	PERFORM ehr.detach();
	RETURN result;
END $$;
-- what fails says why; nothing stays
CREATE FUNCTION ehr_test.attempt(kind text, sub text, what text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	PERFORM ehr_test.login(kind, sub, '79001', 'TREAT');
	EXECUTE 'SELECT (' || what || ')::text' INTO answer;
	PERFORM ehr.detach();
	RETURN CASE WHEN answer ~ '^[0-9a-f]{8}-' THEN 'done' ELSE answer END;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
-- who records a parent: an administrator with basis and evidence
SELECT ehr_test.attempt('citizen', :'parent', format('ehr.add_representative(%L, %L, %L, %L)', :'child', :'parent', 'parent', 'x')) AS by_the_parent,
	ehr_test.attempt('admin', 'ad', format('ehr.add_representative(%L, %L, %L, %L)', :'child', :'parent', 'parent', 'x')) AS without_evidence,
	ehr_test.attempt('admin', 'ad', format('ehr.add_representative(%L, %L, %L, %L, evidence => %L)', :'child', :'parent', 'aunt', 'x', '{"sha256": "00"}')) AS no_relation,
	ehr_test.attempt('admin', 'ad', format('ehr.add_representative(%L, %L, %L, %L, evidence => %L)', :'child', :'child', 'parent', 'x', '{"sha256": "00"}')) AS of_oneself,
	ehr_test.attempt('admin', 'ad', format('ehr.add_representative(%L, %L, %L, %L, evidence => %L)', :'child', :'parent', 'parent', 'birth certificate 1/2021', '{"sha256": "00"}')) AS recorded;
SELECT ehr_test.citizen(:'parent') AS parent, ehr_test.citizen(:'other') AS other, ehr_test.citizen(:'child') AS child;

-- the age of the child: what parent and child see, and who decides; the day before a birthday and the birthday itself
CREATE FUNCTION ehr_test.deciding(sub text, whose bigint) RETURNS text LANGUAGE sql AS $$ SELECT coalesce(ehr_internal.decides(sub, whose), 'not') $$;
BEGIN;
DO $$
DECLARE
	v record;
BEGIN
	FOR v IN SELECT * FROM (VALUES (0, 0), (7, 1), (7, 0), (16, 0), (18, 1), (18, 0), (18, -1), (40, 0)) AS v (years, days) LOOP
		PERFORM ehr_test.born('fa-child', v.years, v.days);
		RAISE NOTICE '% years in % days: parent sees % | parent decides % | child %', v.years, v.days, ehr_test.citizen('aaaaaaaa-0000-4000-8000-000000000062'),
			ehr_test.deciding('aaaaaaaa-0000-4000-8000-000000000062', 900061), ehr_test.deciding('cccccccc-0000-4000-8000-000000000061', 900061);
	END LOOP;
END $$;
-- known only to the year, by two records that differ, or not at all: the stricter
SELECT ehr_test.hold(jsonb_build_object('resourceType', 'Patient', 'id', 'fa-child', 'birthDate', to_char(now() - interval '18 years', 'YYYY'))) IS NOT NULL AS year_only;
SELECT ehr_test.citizen(:'parent') AS parent_sees, ehr_test.deciding(:'parent', 900061) AS parent_decides, ehr_test.deciding(:'child', 900061) AS child_decides;
SELECT ehr_test.born('fa-child', 5) IS NOT NULL AS five, ehr_test.born('fa-child2', 20) AS second \gset
INSERT INTO ehr_store.person_link (subject, person, method) VALUES (:second, 900061, 'manual');
SELECT ehr_test.citizen(:'parent') AS parent_sees, ehr_test.deciding(:'parent', 900061) AS parent_decides, ehr_test.deciding(:'child', 900061) AS child_decides;
ROLLBACK;
BEGIN;
SELECT ehr_test.hold('{"resourceType": "Patient", "id": "fa-child"}') IS NOT NULL AS unknown;
SELECT ehr_test.citizen(:'parent') AS parent_sees, ehr_test.deciding(:'parent', 900061) AS parent_decides, ehr_test.deciding(:'child', 900061) AS child_decides;
ROLLBACK;
-- the windows themselves: midnight in Vietnam, whatever the session's zone; 29 February
SELECT ehr_internal.age_window('2008-07-15', '2008-07-15', 7, 18) AS from_7_to_18, ehr_internal.age_window('2008-01-01', '2008-12-31', 7, 18) AS year_only,
	ehr_internal.age_window('2008-01-01', '2019-12-31', 0, 7) AS two_records, ehr_internal.age_window(NULL, NULL, 7, 18) AS unknown, ehr_internal.age_window(NULL, NULL, 0, NULL) AS any_age,
	ehr_internal.birthday('2008-02-29', 18) AS in_2026, ehr_internal.birthday('2008-02-29', 20) AS in_2028, ehr_internal.birthday('2008-02-28', 18) AS the_28th;
SELECT lower(c.valid) IS NOT NULL AS begins, to_char(upper(c.valid) AT TIME ZONE 'Asia/Ho_Chi_Minh', 'HH24:MI:SS') AS ends_at, c.labels FROM ehr_store.compiled_right c WHERE c.person = 900061 ORDER BY c.line;

-- a grant for a child of 10 takes two, in either order; closing takes one; opening what was closed takes who decides alone
BEGIN;
SELECT ehr_test.born('fa-child', 10) IS NOT NULL AS ten;
SELECT ehr_test.attempt('citizen', :'parent', format('ehr.grant_consent(%L, %L)', :'child', 'practitioner:dr-9')) AS by_the_parent;
SELECT id AS pending, status FROM ehr_store.consent WHERE person = 900061 \gset
SELECT :'status' AS status, ehr_test.attempt('citizen', :'parent', format('ehr.confirm_consent(%L)', :'pending')) AS parent_again, ehr_test.attempt('citizen', :'other', format('ehr.confirm_consent(%L)', :'pending')) AS another,
	ehr_test.attempt('citizen', :'child', format('ehr.confirm_consent(%L)', :'pending')) AS child, ehr_test.attempt('citizen', :'child', format('ehr.confirm_consent(%L)', :'pending')) AS child_again;
SELECT status, given_by = 'citizen:' || :'parent' AS given, confirmed_by = 'citizen:' || :'child' AS confirmed FROM ehr_store.consent WHERE person = 900061;
SELECT ehr_test.attempt('citizen', :'child', format('ehr.withdraw_consent(%L)', :'pending')) AS child_withdraws;
SELECT ehr_test.attempt('citizen', :'child', format('ehr.close_record(%L)', :'child')) AS child_closes;
SELECT id AS closed FROM ehr_store.consent WHERE person = 900061 AND deny \gset
SELECT ehr_test.citizen(:'parent') AS parent_sees, ehr_test.citizen(:'child') AS child_sees, ehr_test.attempt('citizen', :'parent', format('ehr.withdraw_consent(%L)', :'closed')) AS parent_opens;
ROLLBACK;
-- two parents in conflict: one closes, it is closed
BEGIN;
SELECT ehr_test.attempt('admin', 'ad', format('ehr.add_representative(%L, %L, %L, %L, evidence => %L)', :'child', :'other', 'parent', 'birth certificate 1/2021', '{"sha256": "00"}')) AS second_parent;
SELECT ehr_test.attempt('citizen', :'parent', format('ehr.grant_consent(%L, %L)', :'child', 'practitioner:dr-9')) AS one_grants, ehr_test.attempt('citizen', :'other', format('ehr.deny_consent(%L, %L)', :'child', 'practitioner:dr-9')) AS the_other_denies;
SELECT ehr_test.login('clinician', 'dr-9', '79009', 'TREAT');
SET LOCAL ROLE regress_ehr_query;
SELECT count(*) FROM ehr_store.resource WHERE id LIKE 'fa-%';
RESET ROLE;
-- a safeguarding block: an administrator closes the child's record to one parent
SELECT ehr_test.attempt('admin', 'ad', format('ehr.deny_consent(%L, %L, evidence => %L)', :'child', 'person:' || :'other', '{"order": "court 5/2026"}')) AS block, ehr_test.citizen(:'other') AS blocked, ehr_test.citizen(:'parent') AS not_blocked,
	ehr_test.attempt('admin', 'ad', format('(SELECT bool_or(ehr.withdraw_consent(c.consent)) FROM ehr.consents(%L) AS c WHERE c.grantee = %L)', :'child', 'person:' || :'other')) AS ended_by_admin;
ROLLBACK;

-- delegation: by an adult for himself, with scope and end; ended by either; not handed on
SELECT ehr_test.attempt('citizen', :'adult', format('ehr.delegate(%L, %L, %L, now() + interval %L)', :'adult', :'other', 'type:Observation', '1 day')) AS delegated,
	ehr_test.attempt('citizen', :'child', format('ehr.delegate(%L, %L)', :'child', :'other')) AS by_a_child, ehr_test.attempt('citizen', :'parent', format('ehr.delegate(%L, %L)', :'child', :'other')) AS proxy_of_a_proxy,
	ehr_test.attempt('citizen', :'other', format('ehr.delegate(%L, %L)', :'adult', :'parent')) AS handed_on, ehr_test.attempt('clinician', 'dr-1', format('ehr.delegate(%L, %L)', :'adult', :'other')) AS by_a_clinician,
	ehr_test.attempt('citizen', :'other', format('ehr.grant_consent(%L, %L)', :'adult', 'practitioner:dr-9')) AS delegate_decides, ehr_test.attempt('citizen', :'adult', format('ehr.delegate(%L, %L, until => now() - interval %L)', :'adult', :'other', '1 s')) AS over;
SELECT ehr_test.citizen(:'other') AS delegate_sees, ehr_test.citizen(:'parent') AS parent_sees;
-- the delegate has a child of his own represented: nobody reaches the adult through it
BEGIN;
SELECT ehr_test.attempt('admin', 'ad', format('ehr.add_representative(%L, %L, %L, %L, evidence => %L)', :'other', :'parent', 'representative', 'court 1/2026', '{"sha256": "00"}')) AS representative_of_the_delegate;
SELECT ehr_test.citizen(:'parent') AS sees;
ROLLBACK;
BEGIN;
SELECT representation AS delegation FROM ehr_store.representation WHERE relation = 'delegate' \gset
SELECT ehr_test.attempt('citizen', :'parent', format('ehr.end_representation(%L)', :'delegation')) AS another, ehr_test.attempt('citizen', :'adult', format('ehr.end_representation(%L)', :'delegation')) AS the_citizen, ehr_test.citizen(:'other') AS after;
ROLLBACK;
SELECT relation, scope, until IS NOT NULL AS ends, representative = :'other' AS other FROM (SELECT ehr_test.login('citizen', :'adult', NULL, NULL, 'session')) AS l, ehr.representatives(:'adult');
SELECT ehr.detach();
-- a guardian for a time: the right ends by itself, and at once when an administrator ends it
BEGIN;
SELECT ehr_test.attempt('admin', 'ad', format('ehr.add_representative(%L, %L, %L, %L, now() + interval %L, %L)', :'child', :'other', 'guardian', 'decision 3/2026', '1.5 s', '{"sha256": "00"}')) AS guardian, ehr_test.citizen(:'other') AS sees;
SELECT pg_sleep(1.5) IS NOT NULL AS later;
SELECT ehr_test.citizen(:'other') AS over, ehr_test.attempt('citizen', :'other', format('ehr.grant_consent(%L, %L)', :'child', 'practitioner:dr-9')) AS decides;
SELECT ehr_test.attempt('admin', 'ad', format('ehr.add_representative(%L, %L, %L, %L, NULL, %L)', :'child', :'other', 'guardian', 'decision 4/2026', '{"sha256": "00"}')) AS guardian;
SELECT representation AS guardianship FROM ehr_store.representation WHERE relation = 'guardian' AND upper_inf(valid) \gset
SELECT ehr_test.citizen(:'other') AS sees, ehr_test.attempt('citizen', :'parent', format('ehr.end_representation(%L)', :'guardianship')) AS by_the_parent, ehr_test.attempt('admin', 'ad', format('ehr.end_representation(%L)', :'guardianship')) AS by_an_administrator,
	ehr_test.citizen(:'other') AS ended;
ROLLBACK;
-- death: nobody acts as the dead one, the delegation is over
BEGIN;
SELECT ehr_test.citizen(:'adult') AS alive;
SELECT ehr_test.hold('{"resourceType": "Patient", "id": "fa-adult", "birthDate": "1960-01-01", "deceasedDateTime": "2026-01-01"}') IS NOT NULL AS died;
SELECT ehr_test.citizen(:'adult') AS dead, ehr_test.citizen(:'other') AS delegate, ehr_test.attempt('citizen', :'adult', format('ehr.grant_consent(%L, %L)', :'adult', 'practitioner:dr-9')) AS grants;
SELECT ehr_test.hold('{"resourceType": "Patient", "id": "fa-adult", "birthDate": "1960-01-01"}') IS NOT NULL AS mistake;
SELECT ehr_test.citizen(:'adult') AS alive, ehr_test.citizen(:'other') AS delegate;
ROLLBACK;
-- a DBA changes a rule: it holds at once
BEGIN;
UPDATE ehr_store.age_rule SET reads = false WHERE relation = 'parent';
SELECT ehr_test.citizen(:'parent') AS parent;
ROLLBACK;
-- every rule has its source, and says whether it was read
SELECT relation, from_age, to_age, reads, decides, after_death, verified, basis <> '' AS sourced FROM ehr_store.age_rule ORDER BY relation COLLATE "C", from_age;
-- leave nothing behind
DELETE FROM ehr_store.compiled_right WHERE person BETWEEN 900061 AND 900064;
DELETE FROM ehr_store.representation WHERE person BETWEEN 900061 AND 900064;
DELETE FROM ehr_store.patient_fact WHERE subject IN (:child_key, :parent_key, :other_key, :adult_key);
DELETE FROM ehr_store.consent WHERE person BETWEEN 900061 AND 900064;
DELETE FROM ehr_store.person_link WHERE person BETWEEN 900061 AND 900064;
DELETE FROM ehr_store.person WHERE key BETWEEN 900061 AND 900064;
DELETE FROM ehr_store.resource WHERE id LIKE 'fa-%';
DELETE FROM ehr_store.resource_history WHERE id LIKE 'fa-%';
DELETE FROM ehr_store.resource_key WHERE id LIKE 'fa-%';
