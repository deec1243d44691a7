-- Compiled rights (src/consent/rights.h): how the rows of ehr_store.compiled_right decide, and who hears of a change.
\set VERBOSITY terse
\set QUIET on
INSERT INTO ehr_store.person (key, id) OVERRIDING SYSTEM VALUE VALUES (900031, 'aaaaaaaa-0000-4000-8000-000000000031'), (900032, 'aaaaaaaa-0000-4000-8000-000000000032');
SELECT count(ehr_internal.store_write(jsonb_build_object('resourceType', 'Patient', 'id', p), '79001')) FROM unnest('{cr-p,cr-q}'::text[]) AS p;
INSERT INTO ehr_store.person_link (subject, person, method) SELECT key, CASE id WHEN 'cr-p' THEN 900031 ELSE 900032 END, 'manual' FROM ehr_store.resource_key WHERE id IN ('cr-p', 'cr-q');
-- o1 of January, o2 of March, o3 without a day, c of March with a label; all of 79001, x of 79002
SELECT count(ehr_internal.store_write(r || '{"subject": {"reference": "Patient/cr-p"}}', CASE r ->> 'id' WHEN 'cr-x' THEN '79002' ELSE '79001' END)) FROM unnest(ARRAY[
	'{"resourceType": "Observation", "id": "cr-o1", "status": "final", "code": {"text": "t"}, "effectiveDateTime": "2025-01-15"}',
	'{"resourceType": "Observation", "id": "cr-o2", "status": "final", "code": {"text": "t"}, "effectiveDateTime": "2025-03-01T01:00:00+07:00"}',
	'{"resourceType": "Observation", "id": "cr-o3", "status": "final", "code": {"text": "t"}, "effectiveDateTime": "2025-03"}',
	'{"resourceType": "Observation", "id": "cr-x", "status": "final", "code": {"text": "t"}, "effectiveDateTime": "2025-02-28T23:00:00+07:00"}',
	'{"resourceType": "Condition", "id": "cr-c", "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "B20"}]}, "recordedDate": "2025-03-02"}']::jsonb[]) AS r;
SELECT id, happened, labels FROM ehr_store.resource WHERE id LIKE 'cr-%' ORDER BY id;

-- a decision of one or more provisions of person 900031 for dr-31
CREATE FUNCTION ehr_test.decide(consent int, line int, deny bool, depth int, grantee text DEFAULT 'practitioner:dr-31', types text[] DEFAULT NULL, labels int DEFAULT 0,
	facilities text[] DEFAULT NULL, documents text[] DEFAULT NULL, data daterange DEFAULT NULL, valid tstzrange DEFAULT '[2025-01-01,)', purposes text[] DEFAULT NULL, relation text DEFAULT 'consent')
RETURNS void LANGUAGE sql AS $$
	INSERT INTO ehr_store.compiled_right (consent, line, relation, grantee, person, deny, depth, purposes, types, labels, facilities, documents, data, valid)
	VALUES (lpad(consent::text, 32, '0')::uuid, line, relation, grantee, 900031, deny, depth::int2, purposes, (SELECT array_agg(ehr_internal.type_number(t)) FROM unnest(types) AS t), labels, facilities,
		(SELECT array_agg(k.key) FROM unnest(documents) AS d JOIN ehr_store.resource_key k ON k.id = d), data, valid)
$$;
-- what a session sees of the patient
CREATE FUNCTION ehr_test.rights_seen(kind text DEFAULT 'clinician', sub text DEFAULT 'dr-31', org text DEFAULT '79031', purpose text DEFAULT 'TREAT') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	PERFORM ehr_test.login(kind, sub, org, purpose);
	SET LOCAL ROLE regress_ehr_query;
	SELECT string_agg(substr(id, 4), ' ' ORDER BY id) INTO answer FROM ehr_store.resource WHERE id LIKE 'cr-%';
	RESET ROLE;
	PERFORM ehr.detach();
	RETURN coalesce(answer, '-');
END $$;
CREATE PROCEDURE ehr_test.forget() LANGUAGE sql AS $$ DELETE FROM ehr_store.compiled_right WHERE person = 900031 $$;
\set QUIET off
SELECT ehr_test.rights_seen() AS sees;
-- a permit, and what it does not name
BEGIN; SELECT ehr_test.decide(1, 0, false, 0); SELECT ehr_test.rights_seen() AS sees, ehr_test.rights_seen(purpose => 'HRESCH') AS any_purpose, ehr_test.rights_seen(sub => 'dr-32') AS another; ROLLBACK;
SELECT ehr_test.rights_seen() AS rolled_back;
BEGIN; SELECT ehr_test.decide(1, 0, false, 0, purposes => '{TREAT}', labels => -1); SELECT ehr_test.rights_seen() AS sees, ehr_test.rights_seen(purpose => 'HRESCH') AS another_purpose, ehr_test.rights_seen(purpose => NULL) AS none; ROLLBACK;
BEGIN; SELECT ehr_test.decide(1, 0, false, 0, types => '{Condition}', labels => 1); SELECT ehr_test.rights_seen() AS sees; ROLLBACK;
BEGIN; SELECT ehr_test.decide(1, 0, false, 0, facilities => '{79002}'); SELECT ehr_test.rights_seen() AS sees; ROLLBACK;
BEGIN; SELECT ehr_test.decide(1, 0, false, 0, documents => '{cr-o1,cr-o3}'); SELECT ehr_test.rights_seen() AS sees; ROLLBACK;
-- the day: half open; unknown is not covered by a permit, and is by a denial
BEGIN; SELECT ehr_test.decide(1, 0, false, 0, data => '[2025-02-28,2025-03-01)'); SELECT ehr_test.rights_seen() AS sees; ROLLBACK;
BEGIN; SELECT ehr_test.decide(1, 0, false, 0, data => '[2025-03-01,)', labels => -1); SELECT ehr_test.rights_seen() AS sees; ROLLBACK;
BEGIN; SELECT ehr_test.decide(1, 0, false, 0), ehr_test.decide(2, 0, true, 0, data => '(,2025-03-01)'); SELECT ehr_test.rights_seen() AS sees; ROLLBACK;
-- exceptions and exceptions to exceptions, in any order of rows; another consent's denial outweighs them
BEGIN; SELECT ehr_test.decide(1, 0, false, 0), ehr_test.decide(1, 1, true, 1, types => '{Observation}'), ehr_test.decide(1, 2, false, 2, documents => '{cr-o1}'); SELECT ehr_test.rights_seen() AS sees; ROLLBACK;
BEGIN; SELECT ehr_test.decide(1, 2, false, 0), ehr_test.decide(1, 1, true, 1, types => '{Observation}'), ehr_test.decide(1, 0, false, 2, documents => '{cr-o1}'); SELECT ehr_test.rights_seen() AS sees; ROLLBACK;
BEGIN; SELECT ehr_test.decide(1, 0, false, 0), ehr_test.decide(1, 1, true, 1, types => '{Observation}'), ehr_test.decide(1, 2, false, 2, documents => '{cr-o1}'), ehr_test.decide(2, 0, true, 0, documents => '{cr-o1}'); SELECT ehr_test.rights_seen() AS sees; ROLLBACK;
-- a base denial for everybody with a permit for one in it
BEGIN; SELECT ehr_test.decide(1, 0, true, 0, grantee => 'anybody'), ehr_test.decide(1, 1, false, 1); SELECT ehr_test.rights_seen() AS sees, ehr_test.rights_seen(sub => 'dr-32') AS another; ROLLBACK;
-- of two at the same depth the denial
BEGIN; SELECT ehr_test.decide(1, 0, false, 3), ehr_test.decide(1, 1, true, 3, types => '{Observation}'); SELECT ehr_test.rights_seen() AS sees; ROLLBACK;
BEGIN; SELECT ehr_test.decide(1, 1, false, 3), ehr_test.decide(1, 0, true, 3, types => '{Observation}'); SELECT ehr_test.rights_seen() AS sees; ROLLBACK;
-- own rights and the own facility's rows are not subject to it
BEGIN; SELECT ehr_test.decide(1, 0, true, 0, grantee => 'anybody'); SELECT ehr_test.rights_seen('citizen', 'aaaaaaaa-0000-4000-8000-000000000031') AS sees, ehr_test.rights_seen(org => '79002') AS author; ROLLBACK;
-- a relation that no rule admits opens nothing, and a denial of it closes; a rule admits it as data
BEGIN;
SELECT ehr_test.decide(1, 0, false, 0, relation => 'tested');
SELECT ehr_test.rights_seen() AS sees;
INSERT INTO ehr_store.access_rule (kind, relation, operation, basis, verified) VALUES ('clinician', 'tested', 'read', 'test', false);
SELECT ehr_test.rights_seen() AS sees;
SELECT ehr_test.decide(2, 0, true, 0, relation => 'unknown', types => '{Patient}');
SELECT ehr_test.rights_seen() AS sees;
ROLLBACK;
-- an insurer needs what was written
BEGIN;
SELECT ehr_test.decide(1, 0, false, 0, grantee => 'insurer:I1', purposes => '{HPAYMT}');
SELECT ehr_test.rights_seen('insurer', 'i', 'I1', 'HPAYMT') AS sees;
UPDATE ehr_store.compiled_right SET evidenced = true;
SELECT ehr_test.rights_seen('insurer', 'i', 'I1', 'HPAYMT') AS sees;
ROLLBACK;

-- periods begin and end while a session lasts, without a change of any row
SELECT ehr_test.decide(1, 0, false, 0, valid => tstzrange(clock_timestamp() + '1.5 s', clock_timestamp() + '3.5 s'));
\c - regress_ehr_query
SELECT ehr_test.login('clinician', 'dr-31', '79031', 'TREAT', 'session');
SELECT count(*) AS before FROM ehr_store.resource WHERE id LIKE 'cr-%';
SELECT pg_sleep(2);
SELECT count(*) AS within FROM ehr_store.resource WHERE id LIKE 'cr-%';
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM ehr_store.resource WHERE id LIKE 'cr-%' ORDER BY id;
FETCH 1 FROM c;
SELECT pg_sleep(2);
FETCH 1 FROM c;
COMMIT;
SELECT count(*) AS behind FROM ehr_store.resource WHERE id LIKE 'cr-%';
\c - postgres

-- links and merges of persons reach a session that lasts; what does not concern it changes nothing for it
CALL ehr_test.forget();
SELECT ehr_test.login('clinician', 'dr-31', '79031', 'TREAT', 'session');
SET ROLE regress_ehr_query;
PREPARE seen AS SELECT string_agg(substr(id, 4), ' ' ORDER BY id) FROM ehr_store.resource WHERE id LIKE 'cr-%';
EXECUTE seen;
RESET ROLE; SELECT ehr_test.decide(1, 0, false, 0); SET ROLE regress_ehr_query;
EXECUTE seen;
-- a grant from before a merge does not reach the other's record, one from after it does, until the merge is taken back
RESET ROLE;
SELECT ehr_internal.redirect_person(900031, 900032, 'test', 'test') AS merge \gset
SET ROLE regress_ehr_query;
EXECUTE seen;
RESET ROLE; SELECT ehr_test.decide(3, 0, false, 0, valid => tstzrange(clock_timestamp(), NULL)); SET ROLE regress_ehr_query;
EXECUTE seen;
RESET ROLE; SELECT ehr_internal.undo_merge(:merge, 'test', 'test'); SET ROLE regress_ehr_query;
EXECUTE seen;
RESET ROLE; UPDATE ehr_store.person_link SET person = 900031 WHERE person = 900032; SET ROLE regress_ehr_query;
EXECUTE seen;
RESET ROLE; DELETE FROM ehr_store.person_link WHERE subject = (SELECT key FROM ehr_store.resource_key WHERE id = 'cr-q'); SET ROLE regress_ehr_query;
EXECUTE seen;
RESET ROLE; SELECT ehr_test.decide(7, 0, true, 0, grantee => 'practitioner:dr-32'); SET ROLE regress_ehr_query;
EXECUTE seen;
RESET ROLE; BEGIN; SELECT ehr_test.decide(8, 0, true, 0, types => '{Patient}'); SET LOCAL ROLE regress_ehr_query;
EXECUTE seen;
ROLLBACK; SET ROLE regress_ehr_query;
EXECUTE seen;
RESET ROLE; BEGIN; SAVEPOINT a; SELECT ehr_test.decide(8, 0, true, 0, types => '{Patient}'); ROLLBACK TO a; SET LOCAL ROLE regress_ehr_query;
EXECUTE seen;
COMMIT;
RESET ROLE; UPDATE ehr_store.compiled_right SET types = '{-1}' WHERE grantee = 'practitioner:dr-31'; SET ROLE regress_ehr_query;
EXECUTE seen;
RESET ROLE; TRUNCATE ehr_store.compiled_right; SET ROLE regress_ehr_query;
EXECUTE seen;
RESET ROLE;
SELECT ehr.detach();

-- many subjects far apart, so that cells are of hash values
BEGIN;
INSERT INTO ehr_store.person_link (subject, person, method) SELECT (i * 1000003::bigint) << 20, 900031, 'manual' FROM generate_series(1, 3000) AS i;
SELECT ehr_test.decide(1, 0, false, 0);
SELECT ehr_test.login('clinician', 'dr-31', '79031', 'TREAT');
SELECT count(*) FILTER (WHERE ehr.may_read((i * 1000003::bigint) << 20, 96::int2, 0, 'x')) AS theirs, count(*) FILTER (WHERE ehr.may_read(((i * 1000003::bigint) << 20) + 1, 96::int2, 0, 'x')) AS others,
	count(*) FILTER (WHERE ehr.may_read(-i, 96::int2, 0, 'x')) AS none FROM generate_series(1, 3000) AS i;
SELECT cardinality(ehr.readable()), ehr.may_read(0, 96::int2, 0, 'x') AS zero, ehr.may_read(9223372036854775807, 96::int2, 0, 'x') AS highest;
ROLLBACK;
-- leave nothing behind
DROP PROCEDURE ehr_test.forget(); DROP FUNCTION ehr_test.rights_seen(text, text, text, text); DROP FUNCTION ehr_test.decide(int, int, bool, int, text, text[], int, text[], text[], daterange, tstzrange, text[], text);
DELETE FROM ehr_store.person_link WHERE person IN (900031, 900032);
DELETE FROM ehr_store.person_merge WHERE a IN (900031, 900032);
DELETE FROM ehr_store.person WHERE key IN (900031, 900032);
DELETE FROM ehr_store.resource WHERE id LIKE 'cr-%';
DELETE FROM ehr_store.resource_key WHERE id LIKE 'cr-%';
