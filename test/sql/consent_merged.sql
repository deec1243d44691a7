-- Consent of merged persons: the stricter of both, and after unmerge each has its own again. Everything is rolled back.
\pset null '-'
\set VERBOSITY terse
BEGIN;
INSERT INTO ehr_store.person (key, id) OVERRIDING SYSTEM VALUE VALUES
	(920001, 'aaaaaaaa-0000-4000-8000-000000920001'), (920002, 'aaaaaaaa-0000-4000-8000-000000920002'), (920003, 'aaaaaaaa-0000-4000-8000-000000920003');
SELECT count(ehr_internal.store_write(jsonb_build_object('resourceType', 'Patient', 'id', 'cm-' || n), '7901')) FROM unnest('{a,b,c}'::text[]) AS n;
INSERT INTO ehr_store.person_link (subject, person, method)
SELECT k.key, 920000 + strpos('abc', right(k.id, 1)), 'manual' FROM ehr_store.resource_key k WHERE k.id LIKE 'cm-_';
SELECT count(ehr_internal.store_write(jsonb_build_object('resourceType', 'Observation', 'id', 'cm-o' || n, 'status', 'final', 'code', '{"text": "t"}'::jsonb,
	'subject', jsonb_build_object('reference', 'Patient/cm-' || n)), '7901')) FROM unnest('{a,b,c}'::text[]) AS n;
CREATE FUNCTION pg_temp.seen_by(kind text, sub text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	PERFORM ehr_test.login(kind, sub, CASE kind WHEN 'clinician' THEN '79099' END, 'TREAT');
	result := (SELECT coalesce(string_agg(right(id, 1), ' ' ORDER BY id), '-') FROM ehr_store.resource WHERE id LIKE 'cm-o_');
	PERFORM ehr.detach();
	RETURN result;
END $$;
CREATE FUNCTION pg_temp.decide(person text, deny bool, grantee text DEFAULT 'practitioner:dr') RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
	whose uuid := 'aaaaaaaa-0000-4000-8000-00000092000' || strpos('abc', person);
	result uuid;
BEGIN
	PERFORM ehr_test.login('citizen', whose::text);
	result := CASE WHEN deny THEN ehr.deny_consent(whose, grantee) ELSE ehr.grant_consent(whose, grantee) END;
	PERFORM ehr.detach();
	RETURN result;
END $$;
CREATE FUNCTION pg_temp.withdraw(person text, consent uuid) RETURNS bool LANGUAGE plpgsql AS $$
DECLARE
	result bool;
BEGIN
	PERFORM ehr_test.login('citizen', 'aaaaaaaa-0000-4000-8000-00000092000' || strpos('abc', person));
	result := ehr.withdraw_consent(consent);
	PERFORM ehr.detach();
	RETURN result;
END $$;
CREATE FUNCTION pg_temp.merge(a text, b text) RETURNS bigint LANGUAGE sql AS $$
	SELECT ehr_internal.redirect_person(920000 + strpos('abc', a), 920000 + strpos('abc', b), 'test', 'test') $$;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA pg_temp TO PUBLIC;

-- a has let the doctor read, b has said nothing: merged, the doctor reads of a what he did, and of b nothing; c denies, too
SET LOCAL ROLE regress_ehr_query;
SELECT pg_temp.decide('a', false) IS NOT NULL AS a_grants, pg_temp.seen_by('clinician', 'dr') AS dr;
RESET ROLE;
SELECT pg_temp.merge('a', 'b') AS ab \gset
SET LOCAL ROLE regress_ehr_query;
SELECT pg_temp.seen_by('clinician', 'dr') AS dr, pg_temp.seen_by('citizen', 'aaaaaaaa-0000-4000-8000-000000920001') AS a, pg_temp.seen_by('citizen', 'aaaaaaaa-0000-4000-8000-000000920002') AS b;
-- what is granted for the merged record, by either name, covers it; a denial of either holds for both
SELECT pg_temp.decide('b', false, 'practitioner:dr-2') IS NOT NULL AS b_grants_another, pg_temp.seen_by('clinician', 'dr-2') AS dr_2;
SELECT pg_temp.decide('b', true) AS denial \gset
SELECT pg_temp.seen_by('clinician', 'dr') AS denied, pg_temp.seen_by('clinician', 'dr-2') AS dr_2;
SELECT pg_temp.withdraw('b', :'denial') AS withdrawn, pg_temp.seen_by('clinician', 'dr') AS dr;
RESET ROLE;
-- unmerged, each has its own: a its grant, b the one that was given under its name
SELECT ehr_internal.undo_merge(:ab, 'test', 'test') AS unmerged;
SET LOCAL ROLE regress_ehr_query;
SELECT pg_temp.seen_by('clinician', 'dr') AS dr, pg_temp.seen_by('clinician', 'dr-2') AS dr_2,
	pg_temp.seen_by('citizen', 'aaaaaaaa-0000-4000-8000-000000920001') AS a, pg_temp.seen_by('citizen', 'aaaaaaaa-0000-4000-8000-000000920002') AS b;
RESET ROLE;
-- merged again, the grant of the time before does not come back over the other
SELECT pg_temp.merge('a', 'b') AS ab \gset
SET LOCAL ROLE regress_ehr_query;
SELECT pg_temp.seen_by('clinician', 'dr') AS dr, pg_temp.seen_by('clinician', 'dr-2') AS dr_2;
-- one who denies everybody, merged from the other end: nobody reads any of the three, each reads all
SELECT pg_temp.decide('c', true, 'anybody') AS closed \gset
RESET ROLE;
SELECT pg_temp.merge('c', 'b') AS bc \gset
SET LOCAL ROLE regress_ehr_query;
SELECT pg_temp.seen_by('clinician', 'dr') AS dr, pg_temp.seen_by('clinician', 'dr-2') AS dr_2, pg_temp.seen_by('citizen', 'aaaaaaaa-0000-4000-8000-000000920003') AS c;
RESET ROLE;
-- the first merge goes: b stays with c
SELECT ehr_internal.undo_merge(:ab, 'test', 'test') AS unmerged;
SET LOCAL ROLE regress_ehr_query;
SELECT pg_temp.seen_by('clinician', 'dr') AS dr, pg_temp.seen_by('clinician', 'dr-2') AS dr_2,
	pg_temp.seen_by('citizen', 'aaaaaaaa-0000-4000-8000-000000920001') AS a, pg_temp.seen_by('citizen', 'aaaaaaaa-0000-4000-8000-000000920003') AS c;
-- the golden record of either never holds what is the other's
SELECT count(ehr_test.login('citizen', 'aaaaaaaa-0000-4000-8000-000000920001'));
SELECT g #> '{link}' AS links_of_a, ehr.golden('aaaaaaaa-0000-4000-8000-000000920002') IS NULL AS b_is_closed FROM (SELECT ehr.golden('aaaaaaaa-0000-4000-8000-000000920001')::jsonb AS g) AS s;
SELECT count(ehr_test.login('citizen', 'aaaaaaaa-0000-4000-8000-000000920002'));
SELECT jsonb_path_query_array(ehr.golden('aaaaaaaa-0000-4000-8000-000000920003')::jsonb, '$.link[*].other.reference') AS links_of_c;
RESET ROLE;
ROLLBACK;
