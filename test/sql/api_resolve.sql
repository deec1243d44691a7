-- resolve() asks the store as the caller would: what he may not read, and what is not there, is no item
SET search_path = ehr, public;
\set VERBOSITY terse
BEGIN;
SELECT ehr_internal.store_write('{"resourceType": "Patient", "id": "resolve-1", "gender": "female"}', 'V0001') IS NOT NULL AND
	ehr_internal.store_write('{"resourceType": "Patient", "id": "resolve-1", "gender": "other"}', 'V0001') IS NOT NULL AND
	ehr_internal.store_write('{"resourceType": "Patient", "id": "resolve-2", "gender": "male"}', 'V0002') IS NOT NULL AND
	ehr_internal.store_write('{"resourceType": "Observation", "id": "resolve-o", "status": "final", "code": {"text": "x"}, "subject": {"reference": "Patient/resolve-1"}, "performer": [{"reference": "Patient/resolve-2"}]}', 'V0001') IS NOT NULL AS stored;
CREATE TEMPORARY TABLE asked (n int, reference text);
INSERT INTO asked VALUES (1, 'Patient/resolve-1'), (2, 'Patient/resolve-1/_history/1'), (3, 'Patient/resolve-1/_history/3'), (4, 'Patient/resolve-1/_history/'),
	(5, 'Patient/resolve-1/history/1'), (6, 'Patient/resolve-1/_history/1x'), (7, 'Patient/resolve-1/_history/9999999999'), (8, 'Patient/'), (9, 'Patient//'), (10, 'Patient'),
	(11, 'Nobody/resolve-1'), (12, 'http://example.org/fhir/Patient/resolve-1'), (13, 'urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0'), (14, 'Patient/resolve-2'), (15, 'Patient/none'), (16, '');
GRANT SELECT ON asked TO PUBLIC;
CREATE FUNCTION pg_temp.resolved() RETURNS TABLE (n int, items jsonb) LANGUAGE sql SET search_path = ehr, pg_catalog
	AS $$ SELECT n, fhirpath_query_array(jsonb_build_object('r', reference), 'r.resolve().gender') FROM asked ORDER BY n $$;
SET LOCAL ROLE ehr_query;
SELECT count(*) FILTER (WHERE items <> '[]') AS nobody FROM pg_temp.resolved();
SELECT ehr_test.login('facility', 'his', 'V0001', 'TREAT');
SELECT * FROM pg_temp.resolved() WHERE items <> '[]';
SELECT fhirpath_query_array(doc::jsonb, 'subject.resolve().gender | performer.resolve().gender | subject.resolve().meta.versionId') AS items FROM ehr_store.resource WHERE id = 'resolve-o';
SELECT v FROM ehr_store.resource, view_rows('{"resource": "Observation", "select": [{"column": [{"name": "gender", "path": "subject.resolve().gender"}]}]}', doc::jsonb) AS v WHERE id = 'resolve-o';
SELECT fhirpath_query_array(doc::jsonb, 'subject.resolve() is Patient') FROM ehr_store.resource WHERE id = 'resolve-o';
-- who may not call get() is told nothing
RESET ROLE;
CREATE ROLE resolve_test;
GRANT USAGE ON SCHEMA ehr TO resolve_test;
SET LOCAL ROLE resolve_test;
SELECT count(*) FILTER (WHERE items <> '[]') AS no_right FROM pg_temp.resolved();
ROLLBACK;
