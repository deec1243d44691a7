-- FHIR Consent resources: compiled at write, decided in row security as by the evaluator, withdrawn at once.
\set VERBOSITY terse
SET timezone = 'Asia/Ho_Chi_Minh';
\set a aaaaaaaa-0000-4000-8000-000000000041
\set b bbbbbbbb-0000-4000-8000-000000000042
INSERT INTO ehr_store.person (key, id) OVERRIDING SYSTEM VALUE VALUES (900041, :'a'), (900042, :'b');
CREATE FUNCTION ehr_test.write(resource jsonb, author text) RETURNS bigint LANGUAGE sql RETURN ehr_internal.store_write(resource, author);
SELECT ehr_test.write('{"resourceType": "Patient", "id": "cd-a"}', '79001') AS a1 \gset
SELECT ehr_test.write('{"resourceType": "Patient", "id": "cd-b"}', '79001') AS b1 \gset
INSERT INTO ehr_store.person_link (subject, person, method) VALUES (:a1, 900041, 'manual'), (:b1, 900042, 'manual');
SELECT count(ehr_test.write(r::jsonb, author)) AS written FROM (VALUES
	('{"resourceType": "Encounter", "id": "cd-e1", "status": "finished", "class": {"code": "AMB"}, "subject": {"reference": "Patient/cd-a"}}', '79001'),
	('{"resourceType": "Observation", "id": "cd-o1", "status": "final", "code": {"coding": [{"system": "http://loinc.org", "code": "1-1"}]}, "subject": {"reference": "Patient/cd-a"}, "encounter": {"reference": "Encounter/cd-e1"}, "effectiveDateTime": "2024-03-01"}', '79001'),
	('{"resourceType": "Observation", "id": "cd-o2", "status": "final", "code": {"coding": [{"system": "http://loinc.org", "code": "2-2"}]}, "subject": {"reference": "Patient/cd-a"}, "effectiveDateTime": "2025-03-01", "performer": [{"reference": "Practitioner/dr-5"}]}', '79002'),
	('{"resourceType": "Condition", "id": "cd-hiv", "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "B20"}]}, "subject": {"reference": "Patient/cd-a"}}', '79001'),
	('{"resourceType": "Condition", "id": "cd-f20", "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "F20"}]}, "subject": {"reference": "Patient/cd-a"}}', '79001')) AS v (r, author);
-- what a principal sees, in a session of its own
CREATE FUNCTION ehr_test.sees(kind text, sub text, org text, purpose text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	PERFORM ehr_test.login(kind, sub, org, purpose);
	SELECT coalesce(string_agg(substr(id, 4), ' ' ORDER BY id COLLATE "C"), '-') INTO result FROM ehr_store.resource WHERE id LIKE 'cd-%' AND id NOT LIKE 'cd-consent%';
	PERFORM ehr.detach();
	RETURN result;
END $$;
CREATE FUNCTION ehr_test.consent(provision jsonb, more jsonb DEFAULT '{}', patient text DEFAULT 'cd-a') RETURNS jsonb LANGUAGE sql RETURN jsonb_build_object('resourceType', 'Consent', 'id', 'cd-consent', 'status', 'active',
	'scope', '{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]}'::jsonb,
	'category', '[{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}]'::jsonb, 'patient', jsonb_build_object('reference', 'Patient/' || patient),
	'policyRule', '{"text": "as stated"}'::jsonb, 'provision', provision) || more;
-- an actor, a class, a code ... in short
CREATE FUNCTION ehr_test.actor(reference text, role text DEFAULT 'PRCP') RETURNS jsonb LANGUAGE sql RETURN jsonb_build_object('role',
	jsonb_build_object('coding', jsonb_build_array(CASE WHEN role IN ('clinician', 'station') THEN jsonb_build_object('system', 'urn:ehr:kind', 'code', role)
		ELSE jsonb_build_object('system', 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType', 'code', role) END)), 'reference', jsonb_build_object('reference', reference));
CREATE FUNCTION ehr_test.class(name text) RETURNS jsonb LANGUAGE sql RETURN jsonb_build_object('system', 'http://hl7.org/fhir/resource-types', 'code', name);
CREATE FUNCTION ehr_test.label(name text) RETURNS jsonb LANGUAGE sql RETURN jsonb_build_object('system', CASE WHEN name IN ('N', 'R') THEN 'http://terminology.hl7.org/CodeSystem/v3-Confidentiality' ELSE 'http://terminology.hl7.org/CodeSystem/v3-ActCode' END, 'code', name);
\c - regress_ehr_query
\set VERBOSITY terse
\set a aaaaaaaa-0000-4000-8000-000000000041

-- the citizen puts a Consent; what dr-9 of 79009 and dr-8 of 79002 see, and dr-9 for research; then it is withdrawn
CREATE TEMP TABLE tried (n int GENERATED ALWAYS AS IDENTITY, what text, consent jsonb);
GRANT SELECT ON tried TO PUBLIC;
INSERT INTO tried (what, consent) VALUES
	('permit to a practitioner', ehr_test.consent(jsonb_build_object('type', 'permit', 'actor', jsonb_build_array(ehr_test.actor('Practitioner/dr-9'))))),
	('permit to a facility', ehr_test.consent(jsonb_build_object('type', 'permit', 'actor', jsonb_build_array(ehr_test.actor('Organization/79009'))))),
	('permit to clinicians of a facility', ehr_test.consent(jsonb_build_object('type', 'permit', 'actor', jsonb_build_array(ehr_test.actor('Organization/79009', 'clinician'))))),
	('permit to stations of that name', ehr_test.consent(jsonb_build_object('type', 'permit', 'actor', jsonb_build_array(ehr_test.actor('Organization/79009', 'station'))))),
	('permit to anybody, for treatment', ehr_test.consent('{"type": "permit", "purpose": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "TREAT"}]}')),
	('permit for research', ehr_test.consent('{"type": "permit", "purpose": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HRESCH"}]}')),
	('permit for a purpose that is not understood', ehr_test.consent('{"type": "permit", "purpose": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "FUN"}]}')),
	('permit of another action', ehr_test.consent('{"type": "permit", "action": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentaction", "code": "correct"}]}]}')),
	('permit of a class', ehr_test.consent(jsonb_build_object('type', 'permit', 'class', jsonb_build_array(ehr_test.class('Observation'))))),
	('permit of a label', ehr_test.consent(jsonb_build_object('type', 'permit', 'securityLabel', jsonb_build_array(ehr_test.label('HIV'))))),
	('permit of a label and what has none', ehr_test.consent(jsonb_build_object('type', 'permit', 'securityLabel', jsonb_build_array(ehr_test.label('HIV'), ehr_test.label('N'))))),
	('permit of a code', ehr_test.consent('{"type": "permit", "code": [{"coding": [{"system": "http://loinc.org", "code": "2-2"}]}]}')),
	('permit of data of 2024', ehr_test.consent('{"type": "permit", "dataPeriod": {"start": "2024", "end": "2024"}}')),
	('permit of an instance', ehr_test.consent('{"type": "permit", "data": [{"meaning": "instance", "reference": {"reference": "Observation/cd-o2"}}]}')),
	('permit of an episode and what depends on it', ehr_test.consent('{"type": "permit", "data": [{"meaning": "dependents", "reference": {"reference": "Encounter/cd-e1"}}]}')),
	('permit of an observation and what it refers to', ehr_test.consent('{"type": "permit", "data": [{"meaning": "related", "reference": {"reference": "Observation/cd-o1"}}]}')),
	('permit of what a facility wrote', ehr_test.consent(jsonb_build_object('type', 'permit', 'actor', jsonb_build_array(ehr_test.actor('Organization/79002', 'AUT'))))),
	('permit of what a practitioner wrote', ehr_test.consent('{"type": "permit", "data": [{"meaning": "authoredby", "reference": {"reference": "Practitioner/dr-5"}}]}')),
	('permit in the past', ehr_test.consent('{"type": "permit", "period": {"end": "2020"}}')),
	('permit with an exception', ehr_test.consent(jsonb_build_object('type', 'permit', 'provision', jsonb_build_array(jsonb_build_object('type', 'deny', 'class', jsonb_build_array(ehr_test.class('Observation'))))))),
	('exception to the exception', ehr_test.consent(jsonb_build_object('type', 'permit', 'provision', jsonb_build_array(jsonb_build_object('type', 'deny', 'class', jsonb_build_array(ehr_test.class('Observation')),
		'provision', '[{"type": "permit", "code": [{"coding": [{"system": "http://loinc.org", "code": "1-1"}]}]}]'::jsonb))))),
	('denial but to one', ehr_test.consent(jsonb_build_object('type', 'deny', 'provision', jsonb_build_array(jsonb_build_object('type', 'permit', 'actor', jsonb_build_array(ehr_test.actor('Practitioner/dr-9'))))))),
	('root without type', ehr_test.consent('{"period": {"start": "2020"}}')),
	('modifier that is not understood', ehr_test.consent('{"type": "permit"}', '{"modifierExtension": [{"url": "urn:x", "valueBoolean": true}]}')),
	('not active', ehr_test.consent('{"type": "permit"}', '{"status": "proposed"}')),
	('of another scope', ehr_test.consent('{"type": "permit"}', '{"scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "research"}]}}'));
DO $$
DECLARE
	t record;
	id uuid;
BEGIN
	FOR t IN SELECT * FROM tried ORDER BY n LOOP
		PERFORM ehr_test.login('citizen', 'aaaaaaaa-0000-4000-8000-000000000041');
		PERFORM ehr.put(t.consent::ehr.fhir);
		RAISE NOTICE '%: dr-9 % | dr-8 % | research %', t.what, ehr_test.sees('clinician', 'dr-9', '79009', 'TREAT'), ehr_test.sees('clinician', 'dr-8', '79002', 'TREAT'), ehr_test.sees('clinician', 'dr-9', '79009', 'HRESCH');
		PERFORM ehr_test.login('citizen', 'aaaaaaaa-0000-4000-8000-000000000041');
		PERFORM ehr.withdraw_consent(consent) FROM ehr.consents('aaaaaaaa-0000-4000-8000-000000000041') WHERE status = 'active';
	END LOOP;
	RAISE NOTICE 'in the end: dr-9 %', ehr_test.sees('clinician', 'dr-9', '79009', 'TREAT');
END $$;

-- a denial in a Consent outweighs a simple grant, however deep another Consent permits (attack C02)
DO $$
DECLARE
	g uuid;
BEGIN
	PERFORM ehr_test.login('citizen', 'aaaaaaaa-0000-4000-8000-000000000041');
	g := ehr.grant_consent('aaaaaaaa-0000-4000-8000-000000000041', 'practitioner:dr-9', 'label:*');
	PERFORM ehr.put(ehr_test.consent('{"type": "deny", "code": [{"coding": [{"system": "http://loinc.org", "code": "1-1"}]}]}')::ehr.fhir);
	RAISE NOTICE 'without one code: %', ehr_test.sees('clinician', 'dr-9', '79009', 'TREAT');
	PERFORM ehr_test.login('citizen', 'aaaaaaaa-0000-4000-8000-000000000041');
	PERFORM ehr.put(ehr_test.consent(jsonb_build_object('type', 'deny', 'class', jsonb_build_array(jsonb_build_object('system', 'urn:unknown', 'code', 'x'))))::ehr.fhir);
	RAISE NOTICE 'a denial of something unknown: %', ehr_test.sees('clinician', 'dr-9', '79009', 'TREAT');
	PERFORM ehr_test.login('citizen', 'aaaaaaaa-0000-4000-8000-000000000041');
	PERFORM ehr.put(ehr_test.consent(jsonb_build_object('type', 'deny', 'securityLabel', jsonb_build_array(ehr_test.label('PSY'))))::ehr.fhir);
	RAISE NOTICE 'without a label: %', ehr_test.sees('clinician', 'dr-9', '79009', 'TREAT');
	PERFORM ehr_test.login('citizen', 'aaaaaaaa-0000-4000-8000-000000000041');
	PERFORM ehr.put(ehr_test.consent('{"type": "deny"}', '{"status": "entered-in-error"}')::ehr.fhir);
	RAISE NOTICE 'entered in error: %', ehr_test.sees('clinician', 'dr-9', '79009', 'TREAT');
	PERFORM ehr_test.login('citizen', 'aaaaaaaa-0000-4000-8000-000000000041');
	PERFORM ehr.withdraw_consent(g);
END $$;

-- closing: what comes later is closed with the episode it belongs to
BEGIN;
SELECT ehr_test.login('citizen', :'a');
SELECT ehr.grant_consent(:'a', 'practitioner:dr-9') IS NOT NULL AS granted;
SELECT ehr.close_record(:'a', 'episode:Encounter/cd-e1') AS closed \gset
SELECT ehr_test.sees('clinician', 'dr-9', '79009', 'TREAT');
SELECT ehr_test.login('clinician', 'dr-1', '79001', 'TREAT');
SELECT ehr.put('{"resourceType": "Observation", "id": "cd-o3", "status": "final", "code": {"text": "t"}, "subject": {"reference": "Patient/cd-a"}, "encounter": {"reference": "Encounter/cd-e1"}}') IS NOT NULL AS later;
SELECT ehr_test.sees('clinician', 'dr-9', '79009', 'TREAT');
SELECT ehr_test.login('citizen', :'a');
SELECT ehr.withdraw_consent(:'closed');
SELECT ehr_test.sees('clinician', 'dr-9', '79009', 'TREAT');
SELECT ehr_test.login('citizen', :'a');
SELECT ehr.close_record(:'a', 'document:Observation/cd-o2') IS NOT NULL AS document;
SELECT ehr_test.sees('clinician', 'dr-9', '79009', 'TREAT');
SELECT ehr_test.login('citizen', :'a');
SELECT ehr.close_record(:'a', 'facility:79001', 'facility:79009') IS NOT NULL AS facility;
SELECT ehr_test.sees('clinician', 'dr-9', '79009', 'TREAT');
SELECT ehr_test.login('citizen', :'a');
SELECT ehr.close_record(:'a') IS NOT NULL AS everything;
SELECT ehr_test.sees('clinician', 'dr-9', '79009', 'TREAT') AS dr_9, ehr_test.sees('clinician', 'dr-1', '79001', 'TREAT') AS author, ehr_test.sees('citizen', :'a', NULL, NULL) AS citizen;
ROLLBACK;

-- who writes a Consent decides whether it opens: a facility's only closes until the citizen confirms it
BEGIN;
SELECT ehr_test.login('clinician', 'dr-1', '79001', 'TREAT');
SELECT ehr.put((ehr_test.consent(jsonb_build_object('type', 'permit', 'actor', jsonb_build_array(ehr_test.actor('Practitioner/dr-9')))) || '{"id": "cd-consent-f"}')::ehr.fhir) IS NOT NULL AS by_a_facility;
SELECT ehr_test.sees('clinician', 'dr-9', '79009', 'TREAT');
SELECT ehr_test.login('citizen', 'bbbbbbbb-0000-4000-8000-000000000042');
SELECT ehr.confirm_consent(md5('Consent/cd-consent-f')::uuid) AS by_another;
SELECT ehr_test.login('citizen', :'a');
SELECT consent = md5('Consent/cd-consent-f')::uuid AS listed, status FROM ehr.consents(:'a') WHERE scope = 'Consent/cd-consent-f';
SELECT ehr.confirm_consent(md5('Consent/cd-consent-f')::uuid) AS by_the_citizen;
SELECT ehr_test.sees('clinician', 'dr-9', '79009', 'TREAT');
-- the facility writes it anew: not confirmed any more
SELECT ehr_test.login('clinician', 'dr-1', '79001', 'TREAT');
SELECT ehr.put((ehr_test.consent(jsonb_build_object('type', 'permit')) || '{"id": "cd-consent-f"}')::ehr.fhir) IS NOT NULL AS anew;
SELECT ehr_test.sees('clinician', 'dr-9', '79009', 'TREAT');
ROLLBACK;
-- a child of ten: its Consent takes two, whoever writes it; the representative writes one in its own name; what is closed neither of them opens
\c - postgres
\set VERBOSITY terse
BEGIN;
INSERT INTO ehr_store.person (key, id) OVERRIDING SYSTEM VALUE VALUES (900043, 'cccccccc-0000-4000-8000-000000000043'), (900044, 'dddddddd-0000-4000-8000-000000000044');
INSERT INTO ehr_store.representation (person, by_person, relation, scope, labels, valid, basis, evidence, recorded_by)
SELECT 900041, k, 'parent', 'all; label:*', -1, '[2000-01-01,)', 'birth certificate', '{"sha256": "00"}', 'test' FROM unnest('{900043,900044}'::bigint[]) AS k;
CREATE FUNCTION ehr_test.as_age(years int) RETURNS text LANGUAGE sql AS $$ SELECT ehr_test.write(jsonb_build_object('resourceType', 'Patient', 'id', 'cd-a', 'birthDate', to_char(now() - make_interval(years => years) - interval '30 days', 'YYYY-MM-DD')), '79001'); SELECT years || ' years' $$;
-- what a citizen answers: true, false, or the error
CREATE FUNCTION ehr_test.says(who text, what text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	PERFORM ehr_test.login('citizen', CASE who WHEN 'child' THEN 'aaaaaaaa-0000-4000-8000-000000000041' WHEN 'mother' THEN 'cccccccc-0000-4000-8000-000000000043' WHEN 'father' THEN 'dddddddd-0000-4000-8000-000000000044'
		ELSE 'bbbbbbbb-0000-4000-8000-000000000042' END);
	EXECUTE 'SELECT (' || what || ')::text' INTO answer;
	RETURN answer;
EXCEPTION WHEN insufficient_privilege THEN
	RETURN 'refused: ' || SQLERRM;
END $$;
CREATE FUNCTION ehr_test.put_by(who text, id text, type text, more jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
	SELECT ehr_test.says(who, format('ehr.put(%L) IS NOT NULL', ehr_test.consent(jsonb_build_object('type', type, 'actor', jsonb_build_array(ehr_test.actor('Practitioner/dr-9')))) || jsonb_build_object('id', id) || more)) $$;
CREATE FUNCTION ehr_test.dr_9() RETURNS text LANGUAGE plpgsql AS $$ DECLARE seen text; BEGIN SET LOCAL ROLE regress_ehr_query; seen := ehr_test.sees('clinician', 'dr-9', '79009', 'TREAT'); RESET ROLE; RETURN seen; END $$;
CREATE FUNCTION ehr_test.status(name text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM ehr_test.login('admin', 'ad'); RETURN (SELECT c.status FROM ehr.consents('aaaaaaaa-0000-4000-8000-000000000041') AS c WHERE c.scope = 'Consent/' || name); END $$;
SELECT ehr_test.as_age(10);
SELECT ehr_test.put_by('child', 'cd-consent-c', 'permit') AS by_the_child, ehr_test.status('cd-consent-c'), ehr_test.dr_9() AS sees;
SELECT ehr_test.says('child', $$ehr.confirm_consent(md5('Consent/cd-consent-c')::uuid)$$) AS child_again, ehr_test.says('other', $$ehr.confirm_consent(md5('Consent/cd-consent-c')::uuid)$$) AS another,
	ehr_test.says('mother', $$ehr.confirm_consent(md5('Consent/cd-consent-c')::uuid)$$) AS mother, ehr_test.status('cd-consent-c'), ehr_test.dr_9() AS sees;
-- either of them ends it
SELECT ehr_test.says('father', $$ehr.withdraw_consent(md5('Consent/cd-consent-c')::uuid)$$) AS father_ends, ehr_test.status('cd-consent-c'), ehr_test.dr_9() AS sees;
-- written by the mother: the other parent is not the other one, the child is
SELECT ehr_test.put_by('mother', 'cd-consent-m', 'permit') AS by_the_mother, ehr_test.says('father', $$ehr.confirm_consent(md5('Consent/cd-consent-m')::uuid)$$) AS father, ehr_test.dr_9() AS sees,
	ehr_test.says('child', $$ehr.confirm_consent(md5('Consent/cd-consent-m')::uuid)$$) AS child, ehr_test.dr_9() AS sees_now;
SELECT ehr_test.put_by('child', 'cd-consent-m', 'permit') AS child_replaces, ehr_test.put_by('other', 'cd-consent-x', 'permit') AS by_another;
-- a new version is to be agreed to anew
SELECT ehr_test.put_by('mother', 'cd-consent-m', 'permit', '{"policyRule": {"text": "stated anew"}}') AS anew, ehr_test.status('cd-consent-m'), ehr_test.dr_9() AS sees;
-- written by a facility: both agree
SELECT ehr_test.write(ehr_test.consent(jsonb_build_object('type', 'permit', 'actor', jsonb_build_array(ehr_test.actor('Practitioner/dr-9')))) || '{"id": "cd-consent-f"}', '79001') IS NOT NULL AS by_a_facility, ehr_test.status('cd-consent-f'),
	ehr_test.says('mother', $$ehr.confirm_consent(md5('Consent/cd-consent-f')::uuid)$$) AS mother, ehr_test.status('cd-consent-f') AS then_, ehr_test.dr_9() AS sees,
	ehr_test.says('child', $$ehr.confirm_consent(md5('Consent/cd-consent-f')::uuid)$$) AS child, ehr_test.dr_9() AS sees_now;
-- a denial of one holds at once, and neither replaces, ends or removes it
SELECT ehr_test.put_by('child', 'cd-consent-d', 'deny') AS child_denies, ehr_test.dr_9() AS sees;
SELECT ehr_test.put_by('child', 'cd-consent-d', 'permit') AS child_replaces, ehr_test.says('child', $$ehr.remove('Consent', 'cd-consent-d')$$) AS child_removes, ehr_test.says('mother', $$ehr.withdraw_consent(md5('Consent/cd-consent-d')::uuid)$$) AS mother_ends,
	ehr_test.says('child', $$ehr.patch('Consent', 'cd-consent-d', '[{"op": "replace", "path": "/status", "value": "inactive"}]') IS NOT NULL$$) AS child_patches, ehr_test.dr_9() AS sees;
-- the parent writes Consents about the child, and nothing else
SELECT ehr_test.says('mother', $$ehr.put('{"resourceType": "Observation", "id": "cd-om", "status": "final", "code": {"text": "t"}, "subject": {"reference": "Patient/cd-a"}}') IS NOT NULL$$) AS an_observation;
-- of age: he alone
SELECT ehr_test.as_age(18);
SELECT ehr_test.says('child', $$ehr.withdraw_consent(md5('Consent/cd-consent-d')::uuid)$$) AS ends_the_denial, ehr_test.dr_9() AS sees, ehr_test.put_by('mother', 'cd-consent-n', 'permit') AS mother_writes,
	ehr_test.says('mother', $$ehr.withdraw_consent(md5('Consent/cd-consent-f')::uuid)$$) AS mother_ends;
-- below seven: the parent alone, the child not at all
SELECT ehr_test.as_age(5);
SELECT ehr_test.put_by('mother', 'cd-consent-5', 'permit') AS mother, ehr_test.status('cd-consent-5'), ehr_test.put_by('mother', 'cd-consent-6', 'deny') AS mother_denies, ehr_test.dr_9() AS sees, ehr_test.says('child', $$ehr.withdraw_consent(md5('Consent/cd-consent-6')::uuid)$$) AS child_ends,
	ehr_test.put_by('mother', 'cd-consent-6', 'permit') AS mother_replaces, ehr_test.dr_9() AS sees_now;
-- after death nobody
SELECT ehr_test.write('{"resourceType": "Patient", "id": "cd-a", "birthDate": "2020-01-01", "deceasedBoolean": true}', '79001') IS NOT NULL AS died;
SELECT ehr_test.put_by('mother', 'cd-consent-7', 'permit') AS mother, ehr_test.says('mother', $$ehr.withdraw_consent(md5('Consent/cd-consent-5')::uuid)$$) AS ends;
ROLLBACK;
-- persons merged: a denial of one closes the documents of both, a grant opens those of its giver; parted again each has its own (attack C16)
\c - postgres
\set VERBOSITY terse
BEGIN;
SELECT ehr_test.login('citizen', 'bbbbbbbb-0000-4000-8000-000000000042');
SELECT ehr.put(ehr_test.consent('{"type": "deny", "code": [{"coding": [{"system": "http://loinc.org", "code": "1-1"}]}]}', '{"id": "cd-consent-b"}', 'cd-b')::ehr.fhir) IS NOT NULL AS b_closes_a_code;
SELECT ehr_test.login('citizen', 'aaaaaaaa-0000-4000-8000-000000000041');
SELECT ehr.grant_consent('aaaaaaaa-0000-4000-8000-000000000041', 'practitioner:dr-9') IS NOT NULL AS a_grants;
SET LOCAL ROLE regress_ehr_query;
SELECT ehr_test.sees('clinician', 'dr-9', '79009', 'TREAT') AS apart;
RESET ROLE;
SELECT ehr_internal.redirect_person(900041, 900042, 'test', 'test') AS merge \gset
SET LOCAL ROLE regress_ehr_query;
SELECT ehr_test.sees('clinician', 'dr-9', '79009', 'TREAT') AS merged;
RESET ROLE;
SELECT ehr_internal.undo_merge(:merge, 'test', 'test');
SET LOCAL ROLE regress_ehr_query;
SELECT ehr_test.sees('clinician', 'dr-9', '79009', 'TREAT') AS parted;
ROLLBACK;
\c - regress_ehr_query
\set VERBOSITY terse
\set a aaaaaaaa-0000-4000-8000-000000000041
-- an insurer needs the written request in it
BEGIN;
SELECT ehr_test.login('citizen', :'a');
SELECT ehr.put(ehr_test.consent(jsonb_build_object('type', 'permit', 'actor', jsonb_build_array(ehr_test.actor('Organization/01')), 'purpose', '[{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HPAYMT"}]'::jsonb))::ehr.fhir) IS NOT NULL AS put;
SELECT ehr_test.sees('insurer', 'i', '01', 'HPAYMT');
SELECT ehr_test.login('citizen', :'a');
SELECT ehr.put(ehr_test.consent(jsonb_build_object('type', 'permit', 'actor', jsonb_build_array(ehr_test.actor('Organization/01')), 'purpose', '[{"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HPAYMT"}]'::jsonb), '{"sourceAttachment": {"data": "c2lnbmVk"}}')::ehr.fhir) IS NOT NULL AS put;
SELECT ehr_test.sees('insurer', 'i', '01', 'HPAYMT');
ROLLBACK;

-- refused at write, with path and rule
\set VERBOSITY default
CREATE FUNCTION pg_temp.refused(provision jsonb, patient text DEFAULT 'cd-a') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	d text;
BEGIN
	PERFORM ehr_test.login('citizen', 'aaaaaaaa-0000-4000-8000-000000000041');
	PERFORM ehr.put(ehr_test.consent(provision, '{}', patient)::ehr.fhir);
	RETURN 'taken';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS d = PG_EXCEPTION_DETAIL;
	RETURN SQLSTATE || ' ' || SQLERRM || ': ' || d;
END $$;
CREATE FUNCTION pg_temp.nested(depth int) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	p jsonb := jsonb_build_object('type', CASE depth % 2 WHEN 0 THEN 'deny' ELSE 'permit' END);
BEGIN
	FOR i IN REVERSE depth - 1 .. 1 LOOP
		p := jsonb_build_object('type', CASE i % 2 WHEN 0 THEN 'deny' ELSE 'permit' END, 'provision', jsonb_build_array(p));
	END LOOP;
	RETURN p;
END $$;
SELECT pg_temp.refused(p) FROM unnest(ARRAY['{"type": "permit", "provision": [{"type": "deny"}, {"type": "permit"}]}', '{"type": "permit", "provision": [{"type": "deny", "provision": [{}]}]}',
	'{"type": "permit", "period": {"start": "2025", "end": "2024"}}', '{"type": "deny", "dataPeriod": {"start": "2025-01-02", "end": "2025-01-01"}}',
	'{"type": "permit", "period": {"start": "2025-01-01", "end": "2025-01-01"}}']::jsonb[]) AS p;
SELECT pg_temp.refused(pg_temp.nested(8)) AS eight, pg_temp.refused(pg_temp.nested(9)) AS nine;
SELECT pg_temp.refused(jsonb_build_object('type', 'permit', 'provision', (SELECT jsonb_agg('{"type": "deny"}'::jsonb) FROM generate_series(1, 256)))) AS too_many;
SELECT pg_temp.refused('{"type": "permit"}', 'nobody/x');
\set VERBOSITY terse

-- simulated, and then seen; explained
BEGIN;
SELECT ehr_test.login('citizen', :'a');
SELECT type, substr(id, 4) AS id, now_allowed, then_allowed, jsonb_array_length(because) FROM ehr.simulate_consent(ehr_test.consent(jsonb_build_object('type', 'permit', 'actor', jsonb_build_array(ehr_test.actor('Practitioner/dr-9')), 'class', jsonb_build_array(ehr_test.class('Observation')))), '{"kind": "clinician", "sub": "dr-9", "org": "79009", "purpose": "TREAT"}');
SELECT count(*) FILTER (WHERE now_allowed), count(*) FROM ehr.simulate_consent(NULL, '{"kind": "clinician", "sub": "dr-1", "org": "79001", "purpose": "TREAT"}');
SELECT ehr_test.sees('clinician', 'dr-9', '79009', 'TREAT') AS nothing_stays;
SELECT ehr_test.login('citizen', 'bbbbbbbb-0000-4000-8000-000000000042');
SAVEPOINT s;
SELECT count(*) FROM ehr.simulate_consent(ehr_test.consent('{"type": "permit"}'), '{"kind": "clinician", "sub": "dr-9"}');
ROLLBACK TO s;
SELECT ehr_test.login('citizen', :'a');
SELECT ehr.put(ehr_test.consent(jsonb_build_object('type', 'permit', 'actor', jsonb_build_array(ehr_test.actor('Practitioner/dr-9'))))::ehr.fhir) IS NOT NULL AS put;
SELECT ehr_test.login('clinician', 'dr-9', '79009', 'TREAT');
SELECT ehr.explain_access('Observation', 'cd-o1'), ehr.explain_access('Condition', 'cd-hiv'), ehr.explain_access('Condition', 'cd-nothing');
ROLLBACK;

\c - postgres
\set VERBOSITY terse
-- compiled rights decide as the evaluator does, for everybody and every row: random documents of the oracle's kind are in t/032
-- labels of a resource: by code at any depth, source, type and age; anew after a change of the tables
SELECT ehr_internal.labels_of('{"resourceType": "Claim", "diagnosis": [{"diagnosisCodeableConcept": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "b20.1"}]}}]}') AS hiv_in_a_claim,
	ehr_internal.labels_of('{"resourceType": "Condition", "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "O987"}]}}') AS hiv_without_dot,
	ehr_internal.labels_of('{"resourceType": "MolecularSequence"}', 'x', NULL) AS genetics,
	ehr_internal.labels_of('{"resourceType": "Condition", "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "O80"}]}}', 'x', ARRAY[-5]::bigint[]) AS birth_of_unknown_age,
	ehr_internal.labels_of('{"resourceType": "Condition", "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "I10"}]}}', 'x', ARRAY[-5]::bigint[]) AS none;
INSERT INTO ehr_internal.sensitivity_label (bit, name, code_system, first_code, last_code, basis) VALUES (1, 'mental health', 'http://loinc.org', '2-2', '2-2', 'test');
INSERT INTO ehr_internal.sensitivity_source (bit, author, basis) VALUES (4, '79001', 'test');
SELECT id, labels FROM ehr_store.resource WHERE id LIKE 'cd-%' AND id NOT LIKE 'cd-consent%' ORDER BY id COLLATE "C";
CALL ehr.relabel(2);
SELECT id, labels FROM ehr_store.resource WHERE id LIKE 'cd-%' AND id NOT LIKE 'cd-consent%' ORDER BY id COLLATE "C";
DELETE FROM ehr_internal.sensitivity_label WHERE basis = 'test';
DELETE FROM ehr_internal.sensitivity_source WHERE basis = 'test';
CALL ehr.relabel();
SELECT string_agg(labels::text, ' ' ORDER BY id COLLATE "C") FROM ehr_store.resource WHERE id LIKE 'cd-%' AND id NOT LIKE 'cd-consent%';

-- leave nothing behind
DROP FUNCTION ehr_test.sees(text, text, text, text);
DELETE FROM ehr_store.compiled_right WHERE person IN (900041, 900042);
DELETE FROM ehr_store.consent_document WHERE subject IN (:a1, :b1);
DELETE FROM ehr_store.patient_fact WHERE subject IN (:a1, :b1);
DELETE FROM ehr_store.consent WHERE person IN (900041, 900042);
DELETE FROM ehr_store.person_link WHERE person IN (900041, 900042);
DELETE FROM ehr_store.person WHERE key IN (900041, 900042);
DELETE FROM ehr_store.resource WHERE id LIKE 'cd-%';
DELETE FROM ehr_store.resource_history WHERE id LIKE 'cd-%';
DELETE FROM ehr_store.resource_key WHERE id LIKE 'cd-%';
