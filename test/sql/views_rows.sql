-- SQL on FHIR: rows, columns, refusals; views of the store under row security
\set SHOW_CONTEXT never
SET datestyle = iso;
SET timezone = 'Asia/Ho_Chi_Minh';
SET search_path = ehr, public;
BEGIN;
CREATE TEMP TABLE example AS SELECT '{"resourceType": "Patient", "id": "a", "active": true, "birthDate": "1980-05-17", "multipleBirthInteger": 2,
	"name": [{"use": "official", "family": "Nguyen", "given": ["Van", "An"]}, {"use": "nickname", "given": ["Ti"]}],
	"contact": [{"name": {"family": "Tran"}, "telecom": [{"system": "phone", "value": "1"}, {"system": "email", "value": "2"}]}, {"name": {"family": "Le"}}],
	"link": [{"other": {"reference": "Patient/b"}, "type": "seealso"}]}'::jsonb AS doc;

-- columns of one row; types; names of a collection
SELECT v FROM example, view_rows('{"resource": "Patient", "select": [{"column": [
	{"name": "id", "path": "getResourceKey()"}, {"name": "active", "path": "active", "type": "boolean"},
	{"name": "born", "path": "birthDate", "type": "date"}, {"name": "birth", "path": "multipleBirth.ofType(integer)", "type": "integer"},
	{"name": "family", "path": "name.where(use = ''official'').family"}, {"name": "given", "path": "name.given", "collection": true},
	{"name": "none", "path": "maritalStatus.text"}, {"name": "other", "path": "link.other.getReferenceKey(Patient)"}]}]}', doc) AS v;
-- another type, and a condition that is not met: no rows
SELECT count(*) FROM example, view_rows('{"resource": "Observation", "select": [{"column": [{"name": "id", "path": "id"}]}]}', doc);
SELECT count(*) FROM example, view_rows('{"resource": "Patient", "where": [{"path": "active.not()"}], "select": [{"column": [{"name": "id", "path": "id"}]}]}', doc);
-- forEach times forEach; forEachOrNull below it; unionAll; constants; %rowIndex
SELECT v FROM example, view_rows('{"resource": "Patient", "constant": [{"name": "kind", "valueCode": "phone"}], "select": [
	{"forEach": "name", "column": [{"name": "use", "path": "use", "type": "code"}, {"name": "n", "path": "%rowIndex", "type": "integer"}]},
	{"forEach": "contact", "column": [{"name": "contact", "path": "name.family"}],
	 "select": [{"forEachOrNull": "telecom.where(system = %kind)", "column": [{"name": "phone", "path": "value"}]}]}]}', doc) AS v;
SELECT v FROM example, view_rows('{"resource": "Patient", "select": [{"column": [{"name": "id", "path": "id"}], "unionAll": [
	{"forEach": "name.given", "column": [{"name": "what", "path": "''given''"}, {"name": "value", "path": "$this"}]},
	{"forEach": "contact", "column": [{"name": "what", "path": "''contact''"}, {"name": "value", "path": "name.family"}]}]}]}', doc) AS v;
-- a tree, walked down
SELECT v FROM view_rows('{"resource": "QuestionnaireResponse", "select": [{"repeat": ["item", "answer.item"], "column": [{"name": "link", "path": "linkId"}, {"name": "n", "path": "%rowIndex"}]}]}',
	'{"resourceType": "QuestionnaireResponse", "status": "completed", "item": [{"linkId": "1", "answer": [{"valueString": "x", "item": [{"linkId": "1.1"}]}], "item": [{"linkId": "1.2"}]}, {"linkId": "2"}]}') AS v;

-- the types that columns have, and values that are not precise enough for them
SELECT * FROM view_columns('{"resource": "Observation", "select": [{"column": [
	{"name": "id", "path": "id", "type": "id", "description": "name of the observation"}, {"name": "amount", "path": "value.ofType(Quantity).value", "type": "decimal"},
	{"name": "issued", "path": "issued", "type": "instant"}, {"name": "day", "path": "effective.ofType(dateTime)", "type": "dateTime", "tag": [{"name": "ansi/type", "value": "DATE"}]},
	{"name": "codes", "path": "code.coding.code", "type": "code", "collection": true}, {"name": "code", "path": "code", "type": "CodeableConcept"},
	{"name": "plain", "path": "status"}]}]}');
SELECT v.* FROM (VALUES (1, '2024-02'), (2, '2024-02-29'), (3, '2024-02-29T23:30:00+07:00')) AS t (n, at), view_record('{"resource": "Observation", "select": [{"column": [
	{"name": "text", "path": "effective.ofType(dateTime)"},
	{"name": "day", "path": "effective.ofType(dateTime)", "tag": [{"name": "ansi/type", "value": "DATE"}]},
	{"name": "local", "path": "effective.ofType(dateTime)", "tag": [{"name": "ansi/type", "value": "TIMESTAMP"}]},
	{"name": "moment", "path": "effective.ofType(dateTime)", "type": "instant"},
	{"name": "amount", "path": "value.ofType(Quantity).value", "type": "decimal"},
	{"name": "flag", "path": "status = ''final''", "type": "boolean"},
	{"name": "codes", "path": "code.coding.code", "collection": true},
	{"name": "code", "path": "code", "type": "CodeableConcept"}]}]}',
	jsonb_build_object('resourceType', 'Observation', 'status', 'final', 'effectiveDateTime', at, 'valueQuantity', '{"value": 1.50}'::jsonb,
		'code', '{"coding": [{"code": "a"}, {"code": "b"}]}'::jsonb)) AS v (text text, day date, local timestamp, moment timestamptz, amount numeric, flag boolean, codes text[], code jsonb) ORDER BY n;

-- refused with the path of the fault
CREATE FUNCTION pg_temp.refusal(definition jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE rule text;
BEGIN
	PERFORM * FROM view_columns(definition);
	RETURN 'taken';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS rule = PG_EXCEPTION_DETAIL;
	RETURN SQLSTATE || ' ' || rule;
END $$;
SELECT n, pg_temp.refusal(d::jsonb) FROM (VALUES
	(1, '[]'), (2, '{}'), (3, '{"resource": "Patientt", "select": [{"column": [{"name": "a", "path": "id"}]}]}'),
	(4, '{"resource": "Patient"}'), (5, '{"resource": "Patient", "select": {}}'), (6, '{"resource": "Patient", "select": [{}]}'),
	(7, '{"resource": "Patient", "select": [{"column": [{"name": "a b", "path": "id"}]}]}'),
	(8, '{"resource": "Patient", "select": [{"column": [{"name": "a"}]}]}'), (9, '{"resource": "Patient", "select": [{"column": [{"path": "id"}]}]}'),
	(10, '{"resource": "Patient", "select": [{"column": [{"name": "a", "path": "id"}, {"name": "a", "path": "id"}]}]}'),
	(11, '{"resource": "Patient", "select": [{"column": [{"name": "a", "path": "name.."}]}]}'),
	(12, '{"resource": "Patient", "select": [{"column": [{"name": "a", "path": "%b"}]}]}'),
	(13, '{"resource": "Patient", "select": [{"forEach": "name", "repeat": ["contact"], "column": [{"name": "a", "path": "id"}]}]}'),
	(14, '{"resource": "Patient", "select": [{"forEach": 1, "column": [{"name": "a", "path": "id"}]}]}'),
	(15, '{"resource": "Patient", "select": [{"unionAll": [{"column": [{"name": "a", "path": "id"}]}, {"column": [{"name": "b", "path": "id"}]}]}]}'),
	(16, '{"resource": "Patient", "select": [{"unionAll": [{"column": [{"name": "a", "path": "id"}]}, {"column": [{"name": "a", "path": "id"}, {"name": "b", "path": "id"}]}]}]}'),
	(17, '{"resource": "Patient", "select": [{"column": [{"name": "a", "path": "id", "type": "strin"}]}]}'),
	(18, '{"resource": "Patient", "select": [{"column": [{"name": "a", "path": "id", "tag": [{"name": "ansi/type", "value": "BLOB"}]}]}]}'),
	(19, '{"resource": "Patient", "where": [{"path": 1}], "select": [{"column": [{"name": "a", "path": "id"}]}]}'),
	(20, '{"resource": "Patient", "constant": [{"name": "c"}], "select": [{"column": [{"name": "a", "path": "id"}]}]}'),
	(21, '{"resource": "Patient", "select": [{"column": [{"name": "a", "path": "nosuch()"}]}]}')) AS v (n, d) ORDER BY n;
-- found only in the data: several values, a condition that is no boolean, a value of another type
SAVEPOINT s;
SELECT view_rows('{"resource": "Patient", "select": [{"column": [{"name": "a", "path": "name.given"}]}]}', doc) FROM example; \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
SELECT view_rows('{"resource": "Patient", "where": [{"path": "name.family"}], "select": [{"column": [{"name": "a", "path": "id"}]}]}', doc) FROM example; \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
SELECT v.* FROM example, view_record('{"resource": "Patient", "select": [{"column": [{"name": "a", "path": "id", "type": "integer"}]}]}', doc) AS v (a int); \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
SELECT v.* FROM example, view_record('{"resource": "Patient", "select": [{"column": [{"name": "a", "path": "id"}]}]}', doc) AS v (a int); \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
-- paths may ask the clock, in the session's zone, and the value sets that are loaded
SELECT (r ->> 'now')::timestamptz = date_trunc('milliseconds', now()) AS now, r ->> 'day' = current_date::text AS day, r ->> 'member' AS member, r ->> 'other' AS other
FROM view_rows('{"resource": "Patient", "select": [{"column": [{"name": "now", "path": "now()"}, {"name": "day", "path": "today()"},
	{"name": "member", "path": "gender.memberOf(''http://hl7.org/fhir/ValueSet/administrative-gender'')"},
	{"name": "other", "path": "id.memberOf(''http://hl7.org/fhir/ValueSet/administrative-gender'')"}]}]}', '{"resourceType": "Patient", "id": "a", "gender": "female"}') AS v (r);
-- null definitions and resources make no rows
SELECT count(*) FROM view_rows(NULL, '{}');

-- in the store: a plain view and a materialized one show a session the same, and what is not its own to nobody
SELECT ehr_internal.store_write('{"resourceType": "Patient", "id": "views-test-1", "gender": "female", "birthDate": "1980"}', 'V0001') IS NOT NULL,
	ehr_internal.store_write('{"resourceType": "Patient", "id": "views-test-2", "gender": "male"}', 'V0002') IS NOT NULL;
SELECT create_view('views_test', d), create_view('views_test_kept', d, true)
FROM (SELECT '{"resource": "Patient", "description": "who was born when", "select": [{"column": [{"name": "id", "path": "id", "type": "id"}, {"name": "gender", "path": "gender", "description": "administrative gender"}]}]}'::jsonb) AS v (d);
SELECT obj_description('ehr_store.views_test'::regclass), (SELECT col_description(attrelid, attnum) FROM pg_attribute WHERE attrelid = 'ehr_store.views_test_kept'::regclass AND attname = 'gender'), refresh_view('views_test_kept');
SAVEPOINT s;
SELECT create_view('views_test', '{}'); \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
SELECT create_view('Views', '{}'); \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
SELECT create_view('by_day', '{"resource": "Patient", "select": [{"column": [{"name": "day", "path": "today()"}]}]}', true); \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
SELECT refresh_view('views_test'); \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
SET LOCAL ROLE ehr_query;
SELECT (SELECT count(*) FROM ehr_store.views_test) AS nobody, (SELECT count(*) FROM ehr_store.views_test_kept) AS nobody_kept;
SELECT ehr_test.login('facility', 'his', 'V0001', 'TREAT');
SELECT * FROM ehr_store.views_test WHERE id LIKE 'views-test%';
SELECT id, gender FROM ehr_store.views_test_kept WHERE id LIKE 'views-test%';
SELECT create_view('mine', '{}'); \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
-- a changed resource, and one that was removed
SELECT ehr_internal.store_write('{"resourceType": "Patient", "id": "views-test-1", "gender": "other"}', 'V0001') IS NOT NULL;
SELECT refresh_view() > 0 AS refreshed;
SET LOCAL ROLE ehr_query;
SELECT ehr_test.login('facility', 'his', 'V0001', 'TREAT');
SELECT id, gender FROM ehr_store.views_test_kept WHERE id LIKE 'views-test%';
SELECT remove('Patient', 'views-test-1') IS NOT NULL;
RESET ROLE;
SELECT refresh_view() >= 0 AS refreshed;
SELECT id, gender FROM ehr_store.views_test_kept WHERE id LIKE 'views-test%';
SELECT drop_view('views_test'), drop_view('views_test_kept');
SELECT drop_view('views_test'); \echo :LAST_ERROR_SQLSTATE
ROLLBACK;
