-- patch: by JSON Patch and FHIRPath Patch, with if_match, history and the same rights as put
SET search_path = ehr, public;
\set VERBOSITY terse
CREATE ROLE api_patch_app LOGIN IN ROLE ehr_query;
GRANT USAGE ON SCHEMA ehr_test TO api_patch_app;
SET ROLE api_patch_app;
-- nobody
SELECT patch('Patient', 'api-patch-1', '[]');
SELECT ehr_test.login('clinician', 'dr-patch', '79781', 'TREAT', 'session');
SELECT put('{"resourceType": "Patient", "id": "api-patch-1", "gender": "male", "name": [{"family": "A"}]}') #>> '{meta,versionId}' AS version;
SELECT patch('Patient', 'api-patch-1', '[{"op": "replace", "path": "/gender", "value": "female"}]') - 'meta' AS patched;
SELECT patch('Patient', 'api-patch-1', '{"resourceType": "Parameters", "parameter": [{"name": "operation", "part": [{"name": "type", "valueCode": "add"},
	{"name": "path", "valueString": "Patient.name[0]"}, {"name": "name", "valueString": "given"}, {"name": "value", "valueString": "B"}]}]}', 2) -> 'name' AS patched;
SELECT patch('Patient', 'api-patch-1', '[{"op": "test", "path": "/meta/versionId", "value": "3"}, {"op": "add", "path": "/active", "value": true}]') #>> '{meta,versionId}' AS version;
-- the same content makes no version
SELECT patch('Patient', 'api-patch-1', '[]') #>> '{meta,versionId}' AS version;
SELECT version, deleted, author, resource - 'meta' AS resource FROM history('Patient', 'api-patch-1');
-- what is refused leaves all as it was
SELECT patch('Patient', 'api-patch-1', '[]', 3);
SELECT patch('Patient', 'api-patch-1', '[{"op": "test", "path": "/gender", "value": "male"}]');
SELECT patch('Patient', 'api-patch-1', '[{"op": "remove", "path": "/active"}, {"op": "remove", "path": "/birthDate"}]');
SELECT patch('Patient', 'api-patch-1', '[{"op": "add", "path": "/gendr", "value": "x"}]');
SELECT patch('Patient', 'api-patch-1', '[{"op": "replace", "path": "/id", "value": "api-patch-2"}]');
SELECT patch('Patient', 'api-patch-1', '[{"op": "remove", "path": "/id"}]');
SELECT patch('Patient', 'api-patch-1', '[{"op": "replace", "path": "", "value": {"resourceType": "Basic", "id": "api-patch-1", "code": {"text": "x"}}}]');
SELECT patch('Patient', 'api-patch-1', '{}');
SELECT patch('Patient', 'api-patch-1', '7');
SELECT patch('Patient', 'api-patch-1', NULL);
SELECT patch('Patient', 'api-patch-none', '[]');
SELECT patch('Nonsense', 'api-patch-1', '[]');
SELECT get('Patient', 'api-patch-1') #>> '{meta,versionId}' AS version;
SELECT put('{"resourceType": "Observation", "id": "api-patch-o", "status": "final", "code": {"text": "x"}, "subject": {"reference": "Patient/api-patch-1"}}') IS NOT NULL AS stored;
-- others: for who may not read it, it is not there; who may not write it does not see it through a patch
SELECT ehr_test.login('clinician', 'dr-other', '79782', 'TREAT', 'session');
SELECT put('{"resourceType": "Patient", "id": "api-patch-other"}') IS NOT NULL AS stored;
SELECT patch('Patient', 'api-patch-1', '[{"op": "test", "path": "/gender", "value": "female"}]');
SELECT patch('Patient', 'api-patch-1', '[]');
SELECT patch('Observation', 'api-patch-o', '[]');
SELECT ehr_test.login('clinician', 'dr-patch', '79781', 'TREAT', 'session');
-- about whom it is may change as with put: the session may write for both
SELECT patch('Observation', 'api-patch-o', '[{"op": "replace", "path": "/subject/reference", "value": "Patient/api-patch-other"}]') #>> '{subject,reference}' AS subject;
-- deleted: not there
SELECT remove('Observation', 'api-patch-o');
SELECT patch('Observation', 'api-patch-o', '[]');
RESET ROLE;
DISCARD ALL;
-- as it was
CREATE TEMPORARY TABLE mine AS SELECT key FROM ehr_store.resource WHERE author IN ('79781', '79782');
DELETE FROM ehr_store.person_identifier WHERE subject IN (SELECT key FROM mine);
DELETE FROM ehr_store.match_feature WHERE subject IN (SELECT key FROM mine);
DELETE FROM ehr_store.person_link WHERE subject IN (SELECT key FROM mine);
DELETE FROM ehr_store.person WHERE founder IN (SELECT key FROM mine);
DELETE FROM ehr_store.business_key WHERE key IN (SELECT key FROM mine);
DELETE FROM ehr_store.resource_history WHERE key IN (SELECT key FROM mine);
DELETE FROM ehr_store.resource WHERE key IN (SELECT key FROM mine);
DROP OWNED BY api_patch_app;
DROP ROLE api_patch_app;
