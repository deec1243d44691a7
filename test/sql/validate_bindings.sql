-- Bindings to loaded value sets: a profile's by its strength, R4's own as warnings. Nothing stays: one transaction.
\pset format unaligned
\pset tuples_only on
BEGIN;
SELECT ehr.load_definition('{"resourceType":"CodeSystem","url":"http://example.vn/ethnic-group","status":"active","content":"complete","concept":[{"code":"01","display":"Kinh"},{"code":"02","display":"Tày"}]}');
SELECT ehr.load_definition('{"resourceType":"ValueSet","url":"http://example.vn/vs/ethnic-group","status":"active","compose":{"include":[{"system":"http://example.vn/ethnic-group"}]}}');
SELECT ehr.load_definition('{"resourceType":"StructureDefinition","url":"http://example.vn/bound","name":"Bound","status":"active","kind":"resource","abstract":false,"type":"Patient",
	"baseDefinition":"http://hl7.org/fhir/StructureDefinition/Patient","derivation":"constraint","differential":{"element":[
	{"id":"Patient.maritalStatus","path":"Patient.maritalStatus","binding":{"strength":"required","valueSet":"http://example.vn/vs/ethnic-group|1"}},
	{"id":"Patient.communication.language","path":"Patient.communication.language","binding":{"strength":"extensible","valueSet":"http://example.vn/vs/ethnic-group"}},
	{"id":"Patient.contact.relationship","path":"Patient.contact.relationship","binding":{"strength":"required","valueSet":"http://example.vn/vs/nobody"}}]}}');
CREATE FUNCTION pg_temp.issues(doc jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(string_agg(concat_ws(' ', issue ->> 'severity', issue #>> '{details,coding,0,code}', issue #>> '{expression,0}'), E'\n' ORDER BY n), 'fine')
	FROM jsonb_array_elements(ehr.validate(doc, 'http://example.vn/bound') -> 'issue') WITH ORDINALITY i(issue, n)
	WHERE issue #>> '{details,coding,0,code}' LIKE 'profile-%'
$$;
SELECT pg_temp.issues('{"resourceType":"Patient","maritalStatus":{"coding":[{"system":"http://x","code":"01"},{"system":"http://example.vn/ethnic-group","code":"02"}]}}');
SELECT pg_temp.issues('{"resourceType":"Patient","maritalStatus":{"coding":[{"system":"http://example.vn/ethnic-group","code":"03"}]}}');
SELECT pg_temp.issues('{"resourceType":"Patient","maritalStatus":{"coding":[{"code":"01"}]},"communication":[{"language":{"text":"x"}}]}');
-- a value set that nobody loaded says nothing
SELECT pg_temp.issues('{"resourceType":"Patient","contact":[{"name":{"text":"x"},"relationship":[{"coding":[{"system":"x:y","code":"z"}]}]}]}');
ROLLBACK;
