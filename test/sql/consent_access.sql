-- Who may read and write what: the published default, consents and denials, seen through row security.
\set VERBOSITY terse
-- two citizens; A is known by two source patients, B by one, patient x belongs to nobody yet
INSERT INTO ehr_store.person (key, id) OVERRIDING SYSTEM VALUE VALUES
	(900001, 'aaaaaaaa-0000-4000-8000-000000000001'), (900002, 'bbbbbbbb-0000-4000-8000-000000000002'),
	(900003, 'aaaaaaaa-0000-4000-8000-000000000003');
CREATE FUNCTION ehr_test.put(resource jsonb, author text) RETURNS bigint LANGUAGE sql RETURN ehr_internal.store_write(resource, author);
SELECT ehr_test.put('{"resourceType": "Patient", "id": "ca-a1"}', '79001') AS a1 \gset
SELECT ehr_test.put('{"resourceType": "Patient", "id": "ca-a2"}', '79002') AS a2 \gset
SELECT ehr_test.put('{"resourceType": "Patient", "id": "ca-b1"}', '79001') AS b1 \gset
SELECT ehr_test.put('{"resourceType": "Patient", "id": "ca-x"}', '79003') AS x \gset
INSERT INTO ehr_store.person_link (subject, person, method) VALUES (:a1, 900001, 'manual'), (:a2, 900001, 'manual'), (:b1, 900002, 'manual');
SELECT count(ehr_test.put(r::jsonb, author)) AS written FROM (VALUES
	('{"resourceType": "Observation", "id": "ca-o1", "status": "final", "code": {"text": "t"}, "subject": {"reference": "Patient/ca-a1"}}', '79001'),
	('{"resourceType": "Condition", "id": "ca-hiv", "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "B20"}]}, "subject": {"reference": "Patient/ca-a1"}}', '79001'),
	('{"resourceType": "Condition", "id": "ca-c2", "code": {"text": "t"}, "subject": {"reference": "Patient/ca-a2"}}', '79002'),
	('{"resourceType": "Observation", "id": "ca-ob", "status": "final", "code": {"text": "t"}, "subject": {"reference": "Patient/ca-b1"}}', '79002'),
	('{"resourceType": "Account", "id": "ca-both", "status": "active", "subject": [{"reference": "Patient/ca-a1"}, {"reference": "Patient/ca-b1"}]}', '79003'),
	('{"resourceType": "Observation", "id": "ca-ox", "status": "final", "code": {"text": "t"}, "subject": {"reference": "Patient/ca-x"}}', '79003'),
	('{"resourceType": "Observation", "id": "ca-none", "status": "final", "code": {"text": "t"}}', '79002'),
	('{"resourceType": "Organization", "id": "ca-org", "name": "n"}', '79002')) AS v (r, author);

CREATE FUNCTION ehr_test.seen() RETURNS text LANGUAGE sql
	AS $$ SELECT coalesce(string_agg(substr(id, 4), ' ' ORDER BY id), '-') FROM ehr_store.resource WHERE id LIKE 'ca-%' $$;
-- what somebody sees, in a session that ends with the call
CREATE FUNCTION ehr_test.as_seen_by(kind text, sub text, org text DEFAULT NULL, purpose text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	PERFORM ehr_test.login(kind, sub, org, purpose);
	result := ehr_test.seen();
	PERFORM ehr.detach();
	RETURN result;
END $$;
\set a aaaaaaaa-0000-4000-8000-000000000001
\set b bbbbbbbb-0000-4000-8000-000000000002
\c - regress_ehr_query
\set VERBOSITY terse

-- the default table, without any consent
SELECT ehr_test.seen() AS nobody;
SELECT v.*, ehr_test.as_seen_by(kind, sub, org, purpose) AS sees
FROM (VALUES
	('citizen', :'a', NULL, 'PATRQT'), ('citizen', upper(:'a'), NULL, NULL), ('citizen', :'b', NULL, NULL),
	('citizen', 'no-uuid', NULL, NULL), ('citizen', 'cccccccc-0000-4000-8000-000000000009', NULL, NULL),
	('clinician', 'dr-1', '79001', 'TREAT'), ('clinician', 'dr-2', '79002', 'TREAT'), ('clinician', 'dr-9', '79009', 'TREAT'), ('clinician', 'dr-0', NULL, 'TREAT'),
	('facility', 'his', '79001', 'TREAT'), ('station', 'st', '79003', 'TREAT'), ('department', 'soyt', '79', 'PUBHLTH'),
	('insurer', 'bhxh', '79001', 'HPAYMT'), ('auditor', 'au', '79001', NULL), ('admin', 'ad', '79001', NULL), ('wizard', :'a', '79001', 'TREAT')) AS v (kind, sub, org, purpose);
-- the same by the functions
BEGIN;
SELECT ehr_test.login('clinician', 'dr-9', '79009', 'TREAT');
SELECT ehr.get('Observation', 'ca-o1'), ehr.explain_access('Observation', 'ca-o1'), ehr.get('Observation', 'ca-nothing');
SELECT count(*) FROM ehr.history('Observation', 'ca-o1');
COMMIT;

-- a grant opens what its scope says, for its purpose and grantee, and to nobody else
CREATE TEMP TABLE scope_case (n int GENERATED ALWAYS AS IDENTITY, grantee text, scope text, purpose text);
INSERT INTO scope_case (grantee, scope, purpose) VALUES
	('practitioner:dr-9', 'all', 'TREAT'), ('practitioner:dr-9', 'all', 'treatment'), ('practitioner:dr-9', 'all; label:HIV', 'TREAT'), ('practitioner:dr-9', 'label:*', 'TREAT'),
	('practitioner:dr-9', 'label:mental health', 'TREAT'), ('practitioner:dr-9', 'type:Condition', 'TREAT'), ('practitioner:dr-9', 'type:Condition,Patient; label:HIV', 'TREAT'),
	('practitioner:dr-9', 'facility:79002', 'TREAT'), ('practitioner:dr-9', 'type:Patient; facility:79002, 79003', 'TREAT'), ('practitioner:dr-9', 'document:Condition/ca-c2', 'TREAT'),
	('practitioner:dr-9', 'document:Condition/ca-hiv', 'TREAT'), ('practitioner:dr-9', 'document:Condition/ca-hiv; label:HIV', 'TREAT'), ('practitioner:dr-9', 'document:Observation/ca-ob', 'TREAT'),
	('facility:79009', 'all', 'TREAT'), ('anybody', 'all', 'TREAT'), ('practitioner:dr-8', 'all', 'TREAT'), ('practitioner:dr-9', 'all', 'HRESCH'), ('insurer:79009', 'all', 'TREAT'),
	('person:' || :'b', 'all', 'FAMRQT');
DO $$
DECLARE
	c record;
	id uuid;
BEGIN
	FOR c IN SELECT * FROM scope_case ORDER BY n LOOP
		PERFORM ehr_test.login('citizen', 'aaaaaaaa-0000-4000-8000-000000000001');
		id := ehr.grant_consent('aaaaaaaa-0000-4000-8000-000000000001', c.grantee, c.scope, c.purpose);
		RAISE NOTICE '% | % | % | dr-9: % | dr-9 paying: % | insurer: % | citizen B: %', c.grantee, c.scope, c.purpose,
			ehr_test.as_seen_by('clinician', 'dr-9', '79009', 'TREAT'), ehr_test.as_seen_by('clinician', 'dr-9', '79009', 'HPAYMT'),
			ehr_test.as_seen_by('insurer', 'x', '79009', 'TREAT'), ehr_test.as_seen_by('citizen', 'bbbbbbbb-0000-4000-8000-000000000002', NULL, 'FAMRQT');
		PERFORM ehr_test.login('citizen', 'aaaaaaaa-0000-4000-8000-000000000001');
		PERFORM ehr.withdraw_consent(id);
	END LOOP;
	RAISE NOTICE 'after all withdrawals: %', ehr_test.as_seen_by('clinician', 'dr-9', '79009', 'TREAT');
END $$;

-- an insurer needs the hash of a written request besides
DO $$
DECLARE
	id uuid;
BEGIN
	PERFORM ehr_test.login('citizen', 'aaaaaaaa-0000-4000-8000-000000000001');
	id := ehr.grant_consent('aaaaaaaa-0000-4000-8000-000000000001', 'insurer:79009', 'type:Patient', 'HPAYMT', evidence => '{"form": "paper", "sha256": "ab"}');
	RAISE NOTICE 'insurer: %', ehr_test.as_seen_by('insurer', 'x', '79009', 'HPAYMT');
	PERFORM ehr_test.login('citizen', 'aaaaaaaa-0000-4000-8000-000000000001');
	PERFORM ehr.withdraw_consent(id);
END $$;

-- an account of two patients needs both
DO $$
DECLARE
	one uuid;
	two uuid;
BEGIN
	PERFORM ehr_test.login('citizen', 'aaaaaaaa-0000-4000-8000-000000000001');
	one := ehr.grant_consent('aaaaaaaa-0000-4000-8000-000000000001', 'practitioner:dr-9', 'type:Account', 'TREAT');
	RAISE NOTICE 'A alone: %', ehr_test.as_seen_by('clinician', 'dr-9', '79009', 'TREAT');
	PERFORM ehr_test.login('citizen', 'bbbbbbbb-0000-4000-8000-000000000002');
	two := ehr.grant_consent('bbbbbbbb-0000-4000-8000-000000000002', 'practitioner:dr-9', 'type:Account', 'TREAT');
	RAISE NOTICE 'A and B: %', ehr_test.as_seen_by('clinician', 'dr-9', '79009', 'TREAT');
	PERFORM ehr_test.login('citizen', 'bbbbbbbb-0000-4000-8000-000000000002');
	PERFORM ehr.withdraw_consent(two);
	PERFORM ehr_test.login('citizen', 'aaaaaaaa-0000-4000-8000-000000000001');
	PERFORM ehr.withdraw_consent(one);
END $$;

-- a denial outweighs every grant, in any order, but neither the own view nor what the own facility wrote
DO $$
DECLARE
	c record;
	grant_id uuid;
	deny_id uuid;
BEGIN
	FOR c IN SELECT * FROM (VALUES ('anybody', 'all', NULL), ('facility:79009', 'type:Condition', NULL), ('practitioner:dr-9', 'document:Observation/ca-o1', 'TREAT'),
		('practitioner:dr-9', 'facility:79002', NULL), ('practitioner:dr-9', 'label:HIV', NULL), ('practitioner:dr-9', 'all', 'HPAYMT'), ('practitioner:dr-8', 'all', NULL)) AS v (grantee, scope, purpose)
	LOOP
		PERFORM ehr_test.login('citizen', 'aaaaaaaa-0000-4000-8000-000000000001');
		deny_id := ehr.deny_consent('aaaaaaaa-0000-4000-8000-000000000001', c.grantee, c.scope, c.purpose);
		grant_id := ehr.grant_consent('aaaaaaaa-0000-4000-8000-000000000001', 'practitioner:dr-9', 'label:*', 'TREAT');
		RAISE NOTICE 'denied % | % | % : dr-9 % | dr-1 of 79001 % | citizen %', c.grantee, c.scope, c.purpose,
			ehr_test.as_seen_by('clinician', 'dr-9', '79009', 'TREAT'), ehr_test.as_seen_by('clinician', 'dr-1', '79001', 'TREAT'),
			ehr_test.as_seen_by('citizen', 'aaaaaaaa-0000-4000-8000-000000000001');
		PERFORM ehr_test.login('citizen', 'aaaaaaaa-0000-4000-8000-000000000001');
		PERFORM ehr.withdraw_consent(grant_id), ehr.withdraw_consent(deny_id);
	END LOOP;
END $$;

-- a grant ends by the clock, without anybody's doing
DO $$
BEGIN
	PERFORM ehr_test.login('citizen', 'aaaaaaaa-0000-4000-8000-000000000001');
	PERFORM ehr.grant_consent('aaaaaaaa-0000-4000-8000-000000000001', 'practitioner:dr-9', 'type:Patient', 'TREAT', clock_timestamp() + interval '0.5 s');
	PERFORM ehr_test.login('clinician', 'dr-9', '79009', 'TREAT');
	RAISE NOTICE 'before: %', ehr_test.seen();
	PERFORM pg_sleep(0.6);
	RAISE NOTICE 'after: %', ehr_test.seen();
END $$;

-- who may decide
CREATE FUNCTION pg_temp.try(kind text, sub text, what text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	PERFORM ehr_test.login(kind, sub, '79001', 'TREAT');
	EXECUTE 'SELECT (' || what || ')::text' INTO answer;
	PERFORM ehr.detach();
	RETURN left(answer, 20);
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT kind, pg_temp.try(kind, sub, $$ehr.grant_consent('aaaaaaaa-0000-4000-8000-000000000001', 'practitioner:dr-1') IS NOT NULL$$) AS grants,
	pg_temp.try(kind, sub, $$ehr.grant_consent('aaaaaaaa-0000-4000-8000-000000000001', 'practitioner:dr-1', evidence => '{"form": "paper", "sha256": "ab"}') IS NOT NULL$$) AS with_evidence,
	pg_temp.try(kind, sub, $$(SELECT count(*) > 0 FROM ehr.consents('aaaaaaaa-0000-4000-8000-000000000001'))$$) AS lists
FROM (VALUES ('citizen', :'a'), ('citizen', :'b'), ('clinician', 'dr-1'), ('facility', 'f'), ('station', 's'), ('department', 'd'), ('insurer', 'i'), ('auditor', 'u'), ('admin', 'a')) AS v (kind, sub);
SELECT ehr.grant_consent(:'a', 'practitioner:dr-1');
SELECT what, pg_temp.try('citizen', :'a', format('ehr.grant_consent(%L, %s)', :'a', what)) AS answer
FROM (VALUES ($$'dr-1'$$), ($$'practitioner:'$$), ($$'role:x'$$), ($$NULL$$), ($$'anybody', 'everything'$$), ($$'anybody', ''$$), ($$'anybody', ' '$$), ($$'anybody', NULL$$), ($$'anybody', 'all;'$$), ($$'anybody', 'type:'$$), ($$'anybody', 'label: '$$), ($$'anybody', 'type:Patient,'$$), ($$'anybody', 'document:Nothing/x'$$), ($$'anybody', 'type:Nothing'$$), ($$'anybody', 'label:secret'$$),
	($$'anybody', 'document:x'$$), ($$'anybody', 'facility:'$$), ($$'anybody', 'all', 'FUN'$$), ($$'anybody', 'all', NULL$$), ($$'anybody', 'all', 'TREAT', now() - interval '1 s'$$)) AS v (what);
-- an administrator may end a grant, and opens nothing by ending a denial; nobody ends another's
DO $$
DECLARE
	grant_id uuid;
	deny_id uuid;
BEGIN
	PERFORM ehr_test.login('citizen', 'aaaaaaaa-0000-4000-8000-000000000001');
	grant_id := ehr.grant_consent('aaaaaaaa-0000-4000-8000-000000000001', 'practitioner:dr-9');
	deny_id := ehr.deny_consent('aaaaaaaa-0000-4000-8000-000000000001', 'practitioner:dr-9');
	PERFORM ehr_test.login('citizen', 'bbbbbbbb-0000-4000-8000-000000000002');
	RAISE NOTICE 'another citizen: % %', ehr.withdraw_consent(grant_id), ehr.withdraw_consent(deny_id);
	PERFORM ehr_test.login('admin', 'ad');
	RAISE NOTICE 'administrator: % %', ehr.withdraw_consent(grant_id), ehr.withdraw_consent(deny_id);
	PERFORM ehr_test.login('citizen', 'aaaaaaaa-0000-4000-8000-000000000001');
	RAISE NOTICE 'the citizen: % %', ehr.withdraw_consent(grant_id), ehr.withdraw_consent(deny_id);
END $$;
BEGIN;
SELECT ehr_test.login('citizen', :'a');
SELECT decision, grantee, scope, purpose, status, count(*) FROM ehr.consents(:'a') GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5 LIMIT 5;
COMMIT;

-- writing
\c - postgres
\set VERBOSITY terse
CREATE FUNCTION ehr_test.writes(kind text, sub text, org text, subject bigint) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	PERFORM ehr_test.login(kind, sub, org, 'TREAT');
	SELECT string_agg(format('%s:%s', coalesce(a, 'self'), ehr.may_write(subject, 96::int2, a)), ' ' ORDER BY a) INTO result FROM unnest(ARRAY['79001', '79002', NULL]) AS a;
	PERFORM ehr.detach();
	RETURN result;
END $$;
SELECT kind, org, ehr_test.writes(kind, sub, org, :a1) AS a1, ehr_test.writes(kind, sub, org, :b1) AS b1, ehr_test.writes(kind, sub, org, NULL) AS no_patient
FROM (VALUES ('citizen', :'a', NULL), ('clinician', 'dr-1', '79001'), ('clinician', 'dr-0', NULL), ('facility', 'f', '79002'), ('station', 's', '79001'), ('department', 'd', '79001'), ('insurer', 'i', '79001'), ('admin', 'ad', '79001'), ('wizard', 'w', '79001')) AS v (kind, sub, org);
SELECT ehr.may_write(:a1, 96::int2, '79001') AS nobody;

-- nobody changes or removes what another wrote, nor takes it over to another patient (attack B14)
CREATE FUNCTION ehr_test.tries(kind text, sub text, org text, what text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	PERFORM ehr_test.login(kind, sub, org, 'TREAT');
	EXECUTE 'SELECT ' || what INTO answer;
	PERFORM ehr.detach();
	RETURN left(answer, 8);
EXCEPTION WHEN insufficient_privilege THEN
	RETURN SQLERRM;
END $$;
BEGIN;
SELECT kind, org, ehr_test.tries(kind, sub, org, $$ehr.put('{"resourceType": "Observation", "id": "ca-o1", "status": "final", "code": {"text": "changed"}, "subject": {"reference": "Patient/ca-a1"}}')::jsonb ->> 'status'$$) AS changes,
	ehr_test.tries(kind, sub, org, $$ehr.put('{"resourceType": "Patient", "id": "ca-a1", "gender": "male"}')::jsonb ->> 'gender'$$) AS changes_patient,
	ehr_test.tries(kind, sub, org, $$ehr.remove('Condition', 'ca-c2')$$) AS removes
FROM (VALUES ('citizen', :'a', NULL), ('citizen', :'b', NULL), ('clinician', 'dr-2', '79002'), ('clinician', 'dr-9', '79009'), ('facility', 'f', '79009'), ('admin', 'ad', '79001'), ('clinician', 'dr-1', '79001')) AS v (kind, sub, org);
SELECT ehr_test.tries('citizen', :'b', NULL, $$ehr.put('{"resourceType": "Observation", "id": "ca-own", "status": "final", "code": {"text": "t"}, "subject": {"reference": "Patient/ca-b1"}}')::jsonb ->> 'status'$$) AS own,
	ehr_test.tries('citizen', :'b', NULL, $$ehr.put('{"resourceType": "Observation", "id": "ca-own", "status": "final", "code": {"text": "t"}, "subject": {"reference": "Patient/ca-a1"}}')::jsonb ->> 'status'$$) AS moved,
	ehr_test.tries('citizen', :'a', NULL, $$ehr.put('{"resourceType": "Observation", "id": "ca-own", "status": "final", "code": {"text": "t"}, "subject": {"reference": "Patient/ca-a1"}}')::jsonb ->> 'status'$$) AS taken,
	ehr_test.tries('citizen', :'b', NULL, $$ehr.remove('Observation', 'ca-own')$$) AS removed;
ROLLBACK;

-- merged persons: the record is one; a denial of either holds for both (attack C16)
BEGIN;
INSERT INTO ehr_store.person_link (subject, person, method) VALUES (:x, 900003, 'manual');
SELECT ehr_internal.redirect_person(900001, 900003, 'test', 'test') AS merge \gset
SET ROLE regress_ehr_query;
SELECT ehr_test.as_seen_by('citizen', :'a') AS kept, ehr_test.as_seen_by('citizen', 'aaaaaaaa-0000-4000-8000-000000000003') AS merged;
SELECT count(ehr_test.login('citizen', 'aaaaaaaa-0000-4000-8000-000000000003'));
SELECT ehr.grant_consent('aaaaaaaa-0000-4000-8000-000000000003', 'practitioner:dr-9') IS NOT NULL AS granted;
SELECT count(ehr_test.login('citizen', :'a'));
SELECT ehr.deny_consent(:'a', 'practitioner:dr-9', 'type:Condition') IS NOT NULL AS denied;
SELECT ehr_test.as_seen_by('clinician', 'dr-9', '79009', 'TREAT');
RESET ROLE;
SELECT ehr_internal.undo_merge(:merge, 'test', 'test') AS undone;
SET ROLE regress_ehr_query;
SELECT ehr_test.as_seen_by('citizen', :'a') AS kept, ehr_test.as_seen_by('citizen', 'aaaaaaaa-0000-4000-8000-000000000003') AS unmerged;
SELECT ehr_test.as_seen_by('clinician', 'dr-9', '79009', 'TREAT') AS grant_of_the_unmerged;
ROLLBACK;

-- a rule that a DBA ends is not applied any more
BEGIN;
UPDATE ehr_store.access_rule SET valid = '[2000-01-01,2020-01-01)' WHERE kind = 'clinician' AND relation = 'authored' AND operation = 'read';
SET ROLE regress_ehr_query;
SELECT ehr_test.as_seen_by('clinician', 'dr-1', '79001', 'TREAT');
ROLLBACK;
SET ROLE regress_ehr_query;
SELECT ehr_test.as_seen_by('clinician', 'dr-1', '79001', 'TREAT');
RESET ROLE;
-- unknown labels, type or author are the worst case
BEGIN;
SELECT ehr_test.login('clinician', 'dr-9', '79009', 'TREAT');
SELECT ehr.may_read(:a1, NULL, 0, '79001'), ehr.may_read(:a1, 96::int2, NULL, '79001'), ehr.may_read(:a1, 96::int2, 0, NULL);
ROLLBACK;
-- leave nothing behind
DELETE FROM ehr_store.consent WHERE person BETWEEN 900001 AND 900003;
DELETE FROM ehr_store.person_link WHERE person BETWEEN 900001 AND 900003;
DELETE FROM ehr_store.person WHERE key BETWEEN 900001 AND 900003;
DELETE FROM ehr_store.resource WHERE id LIKE 'ca-%';
DELETE FROM ehr_store.resource_history WHERE id LIKE 'ca-%';
DELETE FROM ehr_store.resource_key WHERE id LIKE 'ca-%';
