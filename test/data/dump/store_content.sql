-- Content of the fixture with a store: written through the API by a clinician, a feed, a citizen and an administrator.
-- Needs ehr_test (test/sql/ab_session.sql). Nothing is anybody's, no key is kept.
\set QUIET on
SET client_min_messages = warning;
CREATE ROLE fixture_app LOGIN IN ROLE ehr_query, ehr_ingest;
\c - fixture_app
SELECT ehr_test.login('clinician', 'dr-fixture', '79001', 'TREAT', 'session') \g /dev/null
SELECT ehr.put(format('{"resourceType":"Patient","id":"fixture-%s","gender":"%s","birthDate":"%s","name":[{"text":"%s"}],"identifier":[{"system":"https://moh.gov.vn/cccd","value":"%s"}]}', n, sex, birth, name, number)::ehr.fhir)
FROM (VALUES (1, 'female', '1980-05-17', 'Nguyễn Thị Hòa', '079180001234'), (2, 'female', '1980-05-17', 'Nguyễn Thị Hoà Bình', '001180004321'), (3, 'male', '1975-11-30', 'Phạm Văn Nam', '079075007777'))
	AS p(n, sex, birth, name, number) \g /dev/null
SELECT ehr.put('{"resourceType":"Encounter","id":"fixture-e","status":"finished","class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"AMB"},"subject":{"reference":"Patient/fixture-1"}}') \g /dev/null
SELECT ehr.put('{"resourceType":"Condition","id":"fixture-c","code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10","code":"B24"}]},"subject":{"reference":"Patient/fixture-1"}}') \g /dev/null
SELECT ehr.put('{"resourceType":"Observation","id":"fixture-o","status":"preliminary","code":{"text":"x"},"subject":{"reference":"Patient/fixture-2"},"valueQuantity":{"value":1.50,"unit":"kg"}}') \g /dev/null
SELECT ehr.put('{"resourceType":"Observation","id":"fixture-o","status":"final","code":{"text":"Đặng"},"subject":{"reference":"Patient/fixture-2"},"valueQuantity":{"value":1.500,"unit":"kg"}}') \g /dev/null
SELECT ehr.post('{"resourceType":"Observation","status":"final","code":{"text":"posted"},"subject":{"reference":"Patient/fixture-3"},"valueInteger":7}') \g /dev/null
SELECT ehr.put('{"resourceType":"Observation","id":"fixture-gone","status":"final","code":{"text":"gone"},"subject":{"reference":"Patient/fixture-3"}}') \g /dev/null
SELECT ehr.remove('Observation', 'fixture-gone') \g /dev/null
\c - fixture_app
SELECT ehr.ingest_bundle('{"resourceType":"Bundle","type":"transaction","entry":[
	{"fullUrl":"urn:uuid:11111111-1111-4111-8111-111111111111","resource":{"resourceType":"Patient","name":[{"text":"Trần Thị Mới"}]},"request":{"method":"POST","url":"Patient"}},
	{"fullUrl":"urn:uuid:11111111-1111-4111-8111-111111111112","resource":{"resourceType":"Observation","status":"final","code":{"text":"sent"},"subject":{"reference":"urn:uuid:11111111-1111-4111-8111-111111111111"}},"request":{"method":"POST","url":"Observation"}}]}'::jsonb, 'fixture-feed') \g /dev/null
\c - postgres
SELECT ehr.person_of('079180001234'::ehr.citizen_id) AS a, ehr.person_of('001180004321'::ehr.citizen_id) AS b, ehr.person_of('079075007777'::ehr.citizen_id) AS c \gset
SELECT ehr.merge_persons(:'a', :'b', 'one card shown') \g /dev/null
\c - fixture_app
SELECT ehr_test.login('citizen', :'a', NULL, 'PATRQT', 'session') \g /dev/null
SELECT ehr.grant_consent(:'a', 'practitioner:fixture-granted') \g /dev/null
SELECT ehr.grant_consent(:'a', 'practitioner:fixture-withdrawn') AS consent \gset
SELECT ehr.withdraw_consent(:'consent') \g /dev/null
\c - fixture_app
SELECT ehr_test.login('citizen', :'c', NULL, 'PATRQT', 'session') \g /dev/null
SELECT ehr.grant_consent(:'c', 'facility:88888') \g /dev/null
\c - postgres
SELECT ehr_internal.audit_catch_up() \g /dev/null
-- no key of a session goes into the dump
DELETE FROM ehr_store.session_key;
SET client_min_messages = warning;
DROP SCHEMA ehr_test CASCADE;
