-- post, put, get, remove, history, as_of, transaction, changes: through a session and row security
SET search_path = ehr, public;
\set VERBOSITY terse
CREATE ROLE api_test_app LOGIN IN ROLE ehr_query;
GRANT USAGE ON SCHEMA ehr_test TO api_test_app;
SELECT coalesce(max(position), '0.0.0') AS before FROM (SELECT format('%s.%s.%s', epoch, txid, seq) AS position FROM ehr_store.resource ORDER BY epoch DESC, txid DESC, seq DESC LIMIT 1) AS p \gset
SET ROLE api_test_app;
-- nobody
SELECT ehr.put('{"resourceType": "Patient", "id": "api-1"}');
SELECT ehr.get('Patient', 'api-1');
SELECT count(*) FROM ehr.history('Patient', 'api-1');
SELECT count(*) FROM ehr.changes();
SELECT ehr_test.login('clinician', 'dr-api', '79777', 'TREAT', 'session');
-- versions
SELECT put('{"resourceType": "Patient", "id": "api-1", "gender": "male"}') #>> '{meta,versionId}' AS version;
SELECT put('{"resourceType": "Patient", "id": "api-1", "gender": "male"}') #>> '{meta,versionId}' AS unchanged;
SELECT put('{"resourceType": "Patient", "id": "api-1", "gender": "male", "meta": {"versionId": "77", "lastUpdated": "2020-01-01T00:00:00Z"}}') #>> '{meta,versionId}' AS "the server's own";
SELECT put('{"resourceType": "Patient", "id": "api-1", "gender": "female"}', 1) #>> '{meta,versionId}' AS version;
SELECT put('{"resourceType": "Patient", "id": "api-1", "gender": "other"}', 1);
SELECT version, deleted, author, resource ->> 'gender' AS gender FROM history('Patient', 'api-1');
SELECT get('Patient', 'api-1') ->> 'gender' AS now, get('Patient', 'api-1', 1) ->> 'gender' AS first, get('Patient', 'api-1', 9) IS NULL AS none;
SELECT as_of('Patient', 'api-1', recorded) ->> 'gender' AS then, version FROM history('Patient', 'api-1');
SELECT as_of('Patient', 'api-1', '2020-01-01') IS NULL AS not_yet;
SELECT put('{"resourceType": "Patient", "gender": "male"}');
SELECT post('{"resourceType": "Patient", "gendr": "male"}');
-- deleted, and there again
SELECT put('{"resourceType": "Observation", "id": "api-o", "status": "final", "code": {"text": "x"}, "subject": {"reference": "Patient/api-1"}}') IS NOT NULL AS stored;
SELECT remove('Observation', 'api-o'), remove('Observation', 'api-none');
SELECT get('Observation', 'api-o') IS NULL AS gone, get('Observation', 'api-o', 1) IS NOT NULL AS kept;
SELECT remove('Observation', 'api-o') AS again;
SELECT put('{"resourceType": "Observation", "id": "api-o", "status": "amended", "code": {"text": "x"}, "subject": {"reference": "Patient/api-1"}}') #>> '{meta,versionId}' AS version;
SELECT version, deleted, resource IS NULL AS empty FROM history('Observation', 'api-o');
-- conditional create
SELECT post('{"resourceType": "Patient", "identifier": [{"system": "urn:api", "value": "7"}]}', 'identifier=urn:api|7') ->> 'id' AS first \gset
SELECT post('{"resourceType": "Patient", "identifier": [{"system": "urn:api", "value": "7"}]}', 'identifier=urn:api|7') ->> 'id' = :'first' AS same;
SELECT post('{"resourceType": "Patient"}', 'name=x');
-- another facility cannot tell that it is there: its own is made
SELECT ehr_test.login('clinician', 'dr-elsewhere', '79778', 'TREAT', 'session');
SELECT get('Patient', 'api-1') IS NULL AS hidden;
SELECT post('{"resourceType": "Patient", "identifier": [{"system": "urn:api", "value": "7"}]}', 'identifier=urn:api|7') ->> 'id' <> :'first' AS other;
SELECT put('{"resourceType": "Patient", "id": "api-1", "gender": "unknown"}');
SELECT remove('Patient', 'api-1') AS removed;
SELECT count(*) FROM changes(:'before') WHERE id = 'api-1';
-- transaction: all or nothing, temporary names resolved
SELECT ehr_test.login('clinician', 'dr-api', '79777', 'TREAT', 'session');
SELECT jsonb_path_query_array(r, '$.entry[*].response.status') AS statuses, r #>> '{entry,0,response,location}' AS location
FROM transaction('{"resourceType": "Bundle", "type": "transaction", "entry": [
	{"fullUrl": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", "request": {"method": "PUT", "url": "Patient/api-2"}, "resource": {"resourceType": "Patient", "id": "api-2"}},
	{"fullUrl": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e1", "request": {"method": "POST", "url": "Condition"}, "resource": {"resourceType": "Condition", "subject": {"reference": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"}}}]}') AS r;
SELECT doc ->> 'resourceType' AS type, doc #>> '{subject,reference}' AS subject FROM ehr_store.resource WHERE doc #>> '{subject,reference}' = 'Patient/api-2';
SELECT transaction('{"resourceType": "Bundle", "type": "transaction", "entry": [
	{"request": {"method": "PUT", "url": "Patient/api-3"}, "resource": {"resourceType": "Patient", "id": "api-3"}},
	{"request": {"method": "PATCH", "url": "Patient/api-2"}}]}');
SELECT get('Patient', 'api-3') IS NULL AS nothing_half;
SELECT transaction('{"resourceType": "Bundle", "type": "batch"}');
-- the feed: in order, whole, and from where the reader stopped
SELECT array_agg(type || ' ' || CASE WHEN id LIKE 'api-%' THEN id ELSE '?' END || ' ' || version || CASE WHEN deleted THEN ' deleted' ELSE '' END) AS feed FROM changes(:'before');
SELECT count(*) AS pages_agree FROM (SELECT array_agg(position) AS whole FROM changes(:'before')) AS w,
	LATERAL (WITH RECURSIVE page (n, position, seen) AS (
		SELECT 0, :'before', '{}'::text[]
		UNION ALL SELECT n + 1, c.last, seen || c.positions FROM page, LATERAL (SELECT array_agg(position) AS positions, (array_agg(position))[count(*)] AS last FROM changes(page.position, 3)) AS c
		WHERE c.last IS NOT NULL)
		SELECT seen FROM page ORDER BY n DESC LIMIT 1) AS p WHERE p.seen = w.whole;
SELECT changes('yesterday');
-- sensitivity: set at write from the codes
SELECT put('{"resourceType": "Condition", "id": "api-hiv", "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "B20.5"}]}, "subject": {"reference": "Patient/api-1"}}') IS NOT NULL AS stored;
SELECT labels FROM ehr_store.resource WHERE id = 'api-hiv';
RESET ROLE;
DISCARD ALL;
-- as it was
CREATE TEMPORARY TABLE mine AS SELECT key FROM ehr_store.resource WHERE author IN ('79777', '79778');
DELETE FROM ehr_store.person_identifier WHERE subject IN (SELECT key FROM mine);
DELETE FROM ehr_store.match_feature WHERE subject IN (SELECT key FROM mine);
DELETE FROM ehr_store.person_link WHERE subject IN (SELECT key FROM mine);
DELETE FROM ehr_store.person WHERE founder IN (SELECT key FROM mine);
DELETE FROM ehr_store.business_key WHERE key IN (SELECT key FROM mine);
DELETE FROM ehr_store.resource_history WHERE key IN (SELECT key FROM mine);
DELETE FROM ehr_store.resource WHERE key IN (SELECT key FROM mine);
DROP OWNED BY api_test_app;
DROP ROLE api_test_app;
