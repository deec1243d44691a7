-- Loaded definitions: cardinality, types, fixed and pattern values, constraints, slicing by each discriminator, derivation,
-- aliases, extensions, questionnaires. Nothing stays: one transaction.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
BEGIN;
-- severity, rule and place of every issue besides the missing narrative
CREATE FUNCTION pg_temp.issues(doc jsonb, profile text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(string_agg(concat_ws(' ', issue ->> 'severity', issue #>> '{details,coding,0,code}', issue #>> '{expression,0}'), E'\n' ORDER BY n), 'fine')
	FROM jsonb_array_elements(ehr.validate(doc, profile) -> 'issue') WITH ORDINALITY i(issue, n)
	WHERE issue #>> '{details,coding,0,code}' <> 'dom-6' AND issue ->> 'code' <> 'informational' OR issue #>> '{details,coding,0,code}' = 'profile-must-support'
$$;
CREATE FUNCTION pg_temp.profile(name text, type text, base text, elements text) RETURNS text LANGUAGE sql AS $$
	SELECT ehr.load_definition(jsonb_build_object('resourceType', 'StructureDefinition', 'url', 'http://example.vn/' || name, 'name', initcap(name),
		'status', 'active', 'kind', CASE WHEN type IN ('Extension', 'Identifier') THEN 'complex-type' ELSE 'resource' END, 'abstract', false, 'type', type,
		'baseDefinition', base, 'derivation', 'constraint', 'context', CASE WHEN type = 'Extension' THEN '[{"type":"element","expression":"Element"}]'::jsonb END,
		'differential', jsonb_build_object('element', elements::jsonb)) - CASE WHEN type = 'Extension' THEN '' ELSE 'context' END)
$$;

-- a profile of Patient: cardinality, fixed and pattern values, must-support, length, a slice by value
SELECT pg_temp.profile('patient', 'Patient', 'http://hl7.org/fhir/StructureDefinition/Patient', $$[
	{"id":"Patient","path":"Patient","constraint":[{"key":"vn-1","severity":"error","human":"a name or a number","expression":"name.exists() or identifier.exists()"}]},
	{"id":"Patient.identifier","path":"Patient.identifier","slicing":{"discriminator":[{"type":"value","path":"system"}],"rules":"open"}},
	{"id":"Patient.identifier:cccd","path":"Patient.identifier","sliceName":"cccd","min":1,"max":"1"},
	{"id":"Patient.identifier:cccd.system","path":"Patient.identifier.system","min":1,"fixedUri":"http://example.vn/cccd"},
	{"id":"Patient.identifier:cccd.value","path":"Patient.identifier.value","min":1,"maxLength":12},
	{"id":"Patient.birthDate","path":"Patient.birthDate","min":1},
	{"id":"Patient.photo","path":"Patient.photo","max":"0"},
	{"id":"Patient.gender","path":"Patient.gender","mustSupport":true},
	{"id":"Patient.deceased[x]","path":"Patient.deceased[x]","type":[{"code":"dateTime"}]},
	{"id":"Patient.maritalStatus","path":"Patient.maritalStatus","patternCodeableConcept":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-MaritalStatus"}]}},
	{"id":"Patient.managingOrganization","path":"Patient.managingOrganization","type":[{"code":"Reference","targetProfile":["http://hl7.org/fhir/StructureDefinition/Organization"]}]}]$$);
\set good '{"resourceType":"Patient","identifier":[{"system":"http://example.vn/cccd","value":"079090000001"},{"system":"http://example.vn/other"}],"birthDate":"1990-01-01","gender":"male","deceasedDateTime":"2020","maritalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-MaritalStatus","code":"M"},{"system":"urn:x","code":"y"}]}}'
SELECT pg_temp.issues(:'good', 'http://example.vn/patient');
SELECT pg_temp.issues(:'good'::jsonb - 'birthDate', 'http://example.vn/patient');
SELECT pg_temp.issues(:'good'::jsonb - 'gender', 'http://example.vn/patient');
SELECT pg_temp.issues(:'good'::jsonb - 'identifier', 'http://example.vn/patient');
SELECT pg_temp.issues(:'good'::jsonb - 'deceasedDateTime' || '{"deceasedBoolean":true}', 'http://example.vn/patient');
SELECT pg_temp.issues(:'good'::jsonb || '{"photo":[{"url":"http://x"}]}', 'http://example.vn/patient');
SELECT pg_temp.issues(:'good'::jsonb || '{"maritalStatus":{"coding":[{"system":"urn:x","code":"M"}]}}', 'http://example.vn/patient');
SELECT pg_temp.issues(jsonb_set(:'good', '{identifier,0,value}', '"0790900000012"'), 'http://example.vn/patient');
SELECT pg_temp.issues(jsonb_set(:'good', '{identifier,1,system}', '"http://example.vn/cccd"'), 'http://example.vn/patient');
-- another type, a profile that nobody loaded, one that the document declares itself
SELECT pg_temp.issues('{"resourceType":"Basic","code":{"text":"x"}}', 'http://example.vn/patient');
SELECT pg_temp.issues(:'good', 'http://example.vn/nobody');
SELECT pg_temp.issues(:'good'::jsonb - 'birthDate' || '{"meta":{"profile":["http://example.vn/patient","http://example.vn/nobody"]}}');
-- a profile speaks of validate() only: the type takes the document as before
SELECT ehr.is_valid(:'good'::jsonb - 'birthDate');

-- derivation: what the base asks for holds too, and its slice is narrowed
SELECT pg_temp.profile('child', 'Patient', 'http://example.vn/patient', $$[
	{"id":"Patient","path":"Patient"},
	{"id":"Patient.identifier:cccd","path":"Patient.identifier","sliceName":"cccd","max":"0","min":0},
	{"id":"Patient.birthDate","path":"Patient.birthDate","mustSupport":true}]$$);
SELECT pg_temp.issues(:'good', 'http://example.vn/child');
SELECT pg_temp.issues('{"resourceType":"Patient","name":[{"text":"x"}],"gender":"male"}', 'http://example.vn/child');
-- the snapshot: all elements in R4's order, each with what the chain says of it; loaded alone it judges sound
-- documents as the differentials do (of others it repeats what the structure's walk has said)
SELECT ehr.snapshot('http://example.vn/nobody') IS NULL;
SELECT concat_ws(' ', e ->> 'id', e ->> 'min' || '..' || (e ->> 'max'), e #>> '{base,path}', e ->> 'mustSupport', e ->> 'fixedUri', e #>> '{type,0,code}', e #>> '{constraint,0,key}')
FROM jsonb_array_elements(ehr.snapshot('http://example.vn/child') #> '{snapshot,element}') AS x(e)
WHERE e ->> 'id' ~ '^Patient$|identifier|birthDate|photo|gender|deceased|link';
SELECT ehr.load_definition(ehr.snapshot('http://example.vn/' || p) - 'differential' || jsonb_build_object('url', 'http://example.vn/alone-' || p)) FROM unnest('{patient,child}'::text[]) p;
SELECT count(*) AS documents, count(*) FILTER (WHERE pg_temp.issues(doc, 'http://example.vn/' || p) <> 'fine') AS not_fine,
	count(*) FILTER (WHERE pg_temp.issues(doc, 'http://example.vn/' || p) <> pg_temp.issues(doc, 'http://example.vn/alone-' || p)) AS differ
FROM unnest('{patient,child}'::text[]) p, LATERAL (
	SELECT :'good'::jsonb - key FROM jsonb_object_keys(:'good') AS key WHERE key <> 'resourceType'
	UNION ALL SELECT :'good'::jsonb || change FROM (VALUES ('{"photo":[{"url":"http://x"}]}'::jsonb), ('{"deceasedBoolean":true}'), ('{"birthDate":"1990"}'),
		('{"identifier":[{"system":"http://example.vn/cccd"}]}'), ('{"identifier":[{"system":"http://example.vn/cccd","value":"0790900000012"}]}'),
		('{"managingOrganization":{"reference":"Patient/1"}}'), ('{"link":[{"type":"seealso"}]}'), ('{"maritalStatus":{"text":"x"}}')) AS c(change)
	UNION ALL SELECT :'good'::jsonb - 'deceasedDateTime' || '{"deceasedBoolean":true}') AS d(doc)
WHERE ehr.is_valid(doc);
-- an alias: two canonicals, one profile
INSERT INTO ehr.canonical_alias VALUES ('http://other.vn/benh-nhan', 'http://example.vn/patient');
SELECT pg_temp.issues(:'good'::jsonb - 'birthDate', 'http://other.vn/benh-nhan');
-- derived from itself, from something absent
SELECT pg_temp.profile('loop', 'Patient', 'http://example.vn/loop', '[{"id":"Patient","path":"Patient"}]');
SELECT pg_temp.issues(:'good', 'http://example.vn/loop');
SELECT pg_temp.profile('orphan', 'Patient', 'http://example.vn/absent', '[{"id":"Patient.name","path":"Patient.name","min":1}]');
SELECT pg_temp.issues(:'good', 'http://example.vn/orphan');

SAVEPOINT s;
SELECT ehr.snapshot('http://example.vn/loop');
ROLLBACK TO s;
SELECT ehr.snapshot('http://example.vn/orphan');
ROLLBACK TO s;
-- slicing: ordered, closed, openAtEnd; by pattern, exists, type, profile
SELECT pg_temp.profile('pressure', 'Observation', 'http://hl7.org/fhir/StructureDefinition/Observation', $$[
	{"id":"Observation.value[x]","path":"Observation.value[x]","max":"0"},
	{"id":"Observation.component","path":"Observation.component","slicing":{"discriminator":[{"type":"pattern","path":"code"}],"ordered":true,"rules":"closed"}},
	{"id":"Observation.component:systolic","path":"Observation.component","sliceName":"systolic","min":1,"max":"1"},
	{"id":"Observation.component:systolic.code","path":"Observation.component.code","patternCodeableConcept":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]}},
	{"id":"Observation.component:diastolic","path":"Observation.component","sliceName":"diastolic","min":1,"max":"1"},
	{"id":"Observation.component:diastolic.code","path":"Observation.component.code","patternCodeableConcept":{"coding":[{"system":"http://loinc.org","code":"8462-4"}]}},
	{"id":"Observation.component:diastolic.value[x]","path":"Observation.component.value[x]","type":[{"code":"Quantity"}]}]$$);
CREATE FUNCTION pg_temp.pressure(VARIADIC codes text[]) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('resourceType', 'Observation', 'status', 'final', 'code', '{"text":"x"}'::jsonb, 'component',
		(SELECT jsonb_agg(jsonb_build_object('code', jsonb_build_object('coding', jsonb_build_array(jsonb_build_object('system', 'http://loinc.org', 'code', c))), 'valueString', 'x')) FROM unnest(codes) c))
$$;
SELECT pg_temp.issues(pg_temp.pressure('8480-6', '8462-4') #- '{component,1,valueString}', 'http://example.vn/pressure');
SELECT pg_temp.issues(pg_temp.pressure('8480-6', '8462-4'), 'http://example.vn/pressure');
SELECT pg_temp.issues(pg_temp.pressure('8462-4', '8480-6') #- '{component,0,valueString}', 'http://example.vn/pressure');
SELECT pg_temp.issues(pg_temp.pressure('8480-6', '8867-4'), 'http://example.vn/pressure');
SELECT pg_temp.profile('ended', 'Patient', 'http://hl7.org/fhir/StructureDefinition/Patient', $$[
	{"id":"Patient.identifier","path":"Patient.identifier","slicing":{"discriminator":[{"type":"exists","path":"period"}],"rules":"openAtEnd"}},
	{"id":"Patient.identifier:dated","path":"Patient.identifier","sliceName":"dated"},
	{"id":"Patient.identifier:dated.period","path":"Patient.identifier.period","min":1},
	{"id":"Patient.identifier:dated.value","path":"Patient.identifier.value","min":1}]$$);
SELECT pg_temp.issues('{"resourceType":"Patient","identifier":[{"period":{"start":"2020"},"value":"1"},{"system":"x:y"}]}', 'http://example.vn/ended');
SELECT pg_temp.issues('{"resourceType":"Patient","identifier":[{"system":"x:y"},{"period":{"start":"2020"}}]}', 'http://example.vn/ended');
SELECT pg_temp.profile('typed', 'Observation', 'http://hl7.org/fhir/StructureDefinition/Observation', $$[
	{"id":"Observation.value[x]","path":"Observation.value[x]","slicing":{"discriminator":[{"type":"type","path":"$this"}],"rules":"closed"}},
	{"id":"Observation.value[x]:valueQuantity","path":"Observation.value[x]","sliceName":"valueQuantity","type":[{"code":"Quantity"}]},
	{"id":"Observation.value[x]:valueQuantity.unit","path":"Observation.value[x].unit","min":1}]$$);
SELECT pg_temp.issues('{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":1,"unit":"kg"}}', 'http://example.vn/typed');
SELECT pg_temp.issues('{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":1}}', 'http://example.vn/typed');
SELECT pg_temp.issues('{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueString":"1"}', 'http://example.vn/typed');
-- one type of a choice named by its key: a closed slice of it, with or without the slice's name; within a slice the choice itself
SELECT pg_temp.profile('named', 'Observation', 'http://hl7.org/fhir/StructureDefinition/Observation', $$[
	{"id":"Observation.valueQuantity","path":"Observation.valueQuantity"},
	{"id":"Observation.valueQuantity.unit","path":"Observation.valueQuantity.unit","min":1},
	{"id":"Observation.component","path":"Observation.component","slicing":{"discriminator":[{"type":"value","path":"code"}],"rules":"open"}},
	{"id":"Observation.component:a","path":"Observation.component","sliceName":"a"},
	{"id":"Observation.component:a.code","path":"Observation.component.code","patternCodeableConcept":{"text":"a"}},
	{"id":"Observation.component:a.valueQuantity","path":"Observation.component.valueQuantity","min":1}]$$);
SELECT pg_temp.profile('named2', 'Observation', 'http://hl7.org/fhir/StructureDefinition/Observation', $$[
	{"id":"Observation.value[x]:quantity","path":"Observation.valueQuantity","sliceName":"quantity"},
	{"id":"Observation.valueString","path":"Observation.valueString","sliceName":"valueString","maxLength":3},
	{"id":"Observation.effectiveDateTime","path":"Observation.effectiveDateTime","min":1}]$$);
SELECT pg_temp.profile('named3', 'Observation', 'http://hl7.org/fhir/StructureDefinition/Observation', $$[
	{"id":"Observation.value[x]","path":"Observation.value[x]","min":1},
	{"id":"Observation.valueQuantity","path":"Observation.valueQuantity"},
	{"id":"Observation.valueQuantity.unit","path":"Observation.valueQuantity.unit","min":1}]$$);
SELECT p, e ->> 'id' AS id, e ->> 'min' AS min, e #>> '{slicing,rules}' AS rules, e ->> 'sliceName' AS slice, jsonb_path_query_array(e, '$.type[*].code') AS types
FROM unnest(ARRAY['named', 'named2', 'named3']) WITH ORDINALITY AS p(p, o), jsonb_array_elements(ehr.snapshot('http://example.vn/' || p) #> '{snapshot,element}') WITH ORDINALITY AS x(e, n)
WHERE e ->> 'id' ~ '(value|effective)[[]x[]](:[^.]*)?$' AND (jsonb_array_length(e -> 'type') < 3 OR e ? 'slicing') ORDER BY o, n;
CREATE TEMP TABLE chosen AS SELECT n, '{"resourceType":"Observation","status":"final","code":{"text":"x"}}'::jsonb || more::jsonb AS doc FROM unnest(ARRAY[
	'{}', '{"valueQuantity":{"value":1,"unit":"kg"}}', '{"valueQuantity":{"value":1},"effectiveDateTime":"2020"}', '{"valueString":"long","effectivePeriod":{"start":"2020"}}',
	'{"valueString":"abc","effectiveDateTime":"2020"}', '{"valueBoolean":true}', '{"component":[{"code":{"text":"a"},"valueString":"x"},{"code":{"text":"b"},"valueString":"x"}]}',
	'{"component":[{"code":{"text":"a"},"valueQuantity":{"value":1}},{"code":{"text":"a"}}]}']) WITH ORDINALITY AS c(more, n);
SELECT p, n, i ->> 'severity' AS severity, i #>> '{details,coding,0,code}' AS rule, i #>> '{expression,0}' AS path
FROM unnest(ARRAY['named', 'named2', 'named3']) WITH ORDINALITY AS p(p, o), chosen, jsonb_array_elements(ehr.validate(doc, 'http://example.vn/' || p) -> 'issue') AS i
WHERE i #>> '{details,coding,0,code}' LIKE 'profile%' ORDER BY o, n, rule, path;
-- the snapshot, loaded alone, judges the same
CREATE TEMP TABLE judged AS SELECT p, n, ehr.validate(doc, 'http://example.vn/' || p) -> 'issue' AS issues FROM unnest(ARRAY['named', 'named2', 'named3']) AS p, chosen;
UPDATE ehr.definition SET doc = ehr.snapshot(url) - 'differential' WHERE url LIKE 'http://example.vn/named%';
SELECT p, n FROM judged JOIN chosen USING (n)
WHERE (SELECT jsonb_agg(i ORDER BY i::text) FROM jsonb_array_elements(issues) i) IS DISTINCT FROM
	(SELECT jsonb_agg(i ORDER BY i::text) FROM jsonb_array_elements(ehr.validate(doc, 'http://example.vn/' || p) -> 'issue') i);
SELECT pg_temp.profile('card', 'Identifier', 'http://hl7.org/fhir/StructureDefinition/Identifier', $$[
	{"id":"Identifier.system","path":"Identifier.system","min":1,"fixedUri":"http://example.vn/card"}, {"id":"Identifier.value","path":"Identifier.value","min":1}]$$);
SELECT pg_temp.profile('carded', 'Patient', 'http://hl7.org/fhir/StructureDefinition/Patient', $$[
	{"id":"Patient.identifier","path":"Patient.identifier","slicing":{"discriminator":[{"type":"profile","path":"$this"}],"rules":"open"}},
	{"id":"Patient.identifier:card","path":"Patient.identifier","sliceName":"card","min":1,"type":[{"code":"Identifier","profile":["http://example.vn/card"]}]}]$$);
SELECT pg_temp.issues('{"resourceType":"Patient","identifier":[{"system":"http://example.vn/card","value":"1"}]}', 'http://example.vn/carded');
SELECT pg_temp.issues('{"resourceType":"Patient","identifier":[{"system":"http://example.vn/card"}]}', 'http://example.vn/carded');
-- targets of references, and a type's own profile
SELECT pg_temp.profile('seen', 'Observation', 'http://hl7.org/fhir/StructureDefinition/Observation', $$[
	{"id":"Observation.subject","path":"Observation.subject","type":[{"code":"Reference","targetProfile":["http://example.vn/patient"]}]}]$$);
SELECT pg_temp.issues('{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/1"}}', 'http://example.vn/seen');
SELECT pg_temp.issues('{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Group/1"}}', 'http://example.vn/seen');

-- extensions: sliced by url without saying so; the definition counts wherever the extension stands
SELECT pg_temp.profile('ethnicity', 'Extension', 'http://hl7.org/fhir/StructureDefinition/Extension', $$[
	{"id":"Extension.url","path":"Extension.url","fixedUri":"http://example.vn/ethnicity"},
	{"id":"Extension.value[x]","path":"Extension.value[x]","min":1,"type":[{"code":"code"}]}]$$);
SELECT pg_temp.profile('ethnic', 'Patient', 'http://hl7.org/fhir/StructureDefinition/Patient', $$[
	{"id":"Patient.extension:ethnicity","path":"Patient.extension","sliceName":"ethnicity","min":1,"type":[{"code":"Extension","profile":["http://example.vn/ethnicity"]}]}]$$);
SELECT pg_temp.issues('{"resourceType":"Patient","extension":[{"url":"http://example.vn/ethnicity","valueCode":"01"}]}', 'http://example.vn/ethnic');
SELECT pg_temp.issues('{"resourceType":"Patient","extension":[{"url":"http://example.vn/other","valueCode":"01"}]}', 'http://example.vn/ethnic');
SELECT pg_temp.issues('{"resourceType":"Patient","name":[{"extension":[{"url":"http://example.vn/ethnicity","valueString":"01"}]}]}');
-- R4's own extensions are known without being loaded
SELECT pg_temp.issues('{"resourceType":"Patient","extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-birthPlace","valueString":"x"}]}');

-- a profile within itself, and many slices over many values
SELECT pg_temp.profile('inner', 'Bundle', 'http://hl7.org/fhir/StructureDefinition/Bundle', $$[
	{"id":"Bundle.type","path":"Bundle.type","fixedCode":"collection"},
	{"id":"Bundle.entry.resource","path":"Bundle.entry.resource","type":[{"code":"Bundle","profile":["http://example.vn/inner"]}]}]$$);
SELECT pg_temp.issues((SELECT ('{"resourceType":"Bundle","type":"collection"' || repeat(',"entry":[{"resource":{"resourceType":"Bundle","type":"collection"', n) || ',"entry":[{"resource":{"resourceType":"Bundle","type":"batch"}}]' || repeat('}}]', n) || '}')::jsonb FROM (VALUES (2)) v(n)), 'http://example.vn/inner');
SELECT pg_temp.profile('wide', 'Patient', 'http://hl7.org/fhir/StructureDefinition/Patient',
	(SELECT jsonb_build_array('{"id":"Patient.identifier","path":"Patient.identifier","slicing":{"discriminator":[{"type":"value","path":"system"}],"rules":"open"}}'::jsonb)
		|| jsonb_agg(jsonb_build_object('id', 'Patient.identifier:s' || n, 'path', 'Patient.identifier', 'sliceName', 's' || n))
		|| jsonb_agg(jsonb_build_object('id', 'Patient.identifier:s' || n || '.system', 'path', 'Patient.identifier.system', 'fixedUri', 'http://s/' || n)) FROM generate_series(1, 300) n)::text);
SELECT pg_temp.issues((SELECT jsonb_build_object('resourceType', 'Patient', 'identifier', jsonb_agg(jsonb_build_object('system', 'http://s/' || n))) FROM generate_series(1, 300) n), 'http://example.vn/wide');

-- answers and their questionnaire, loaded or contained
SELECT ehr.load_definition('{"resourceType":"Questionnaire","url":"http://example.vn/q","version":"2","status":"active","item":[
	{"linkId":"1","type":"group","item":[{"linkId":"1.1","type":"integer","required":true},{"linkId":"1.2","type":"string","maxLength":3}]},
	{"linkId":"2","type":"choice","answerOption":[{"valueCoding":{"system":"http://x","code":"a"}},{"valueCoding":{"system":"http://x","code":"b"}}],"item":[{"linkId":"2.1","type":"text"}]},
	{"linkId":"3","type":"boolean","required":true,"enableWhen":[{"question":"1.1","operator":"exists","answerBoolean":true}]},
	{"linkId":"4","type":"display"}]}');
CREATE FUNCTION pg_temp.answers(items text) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('resourceType', 'QuestionnaireResponse', 'status', 'completed', 'questionnaire', 'http://example.vn/q|2', 'item', items::jsonb)
$$;
SELECT pg_temp.issues(pg_temp.answers('[{"linkId":"1","item":[{"linkId":"1.1","answer":[{"valueInteger":3}]},{"linkId":"1.2","answer":[{"valueString":"abc"}]}]},
	{"linkId":"2","answer":[{"valueCoding":{"system":"http://x","code":"a"},"item":[{"linkId":"2.1","answer":[{"valueString":"x"}]}]}]},{"linkId":"3","answer":[{"valueBoolean":true}]}]'));
SELECT pg_temp.issues(pg_temp.answers('[{"linkId":"2","answer":[{"valueCoding":{"system":"http://x","code":"c"}}]},{"linkId":"1","item":[{"linkId":"1.2","answer":[{"valueString":"abcd"}]},{"linkId":"2.1"}]}]'));
SELECT pg_temp.issues(pg_temp.answers('[{"linkId":"1","item":[{"linkId":"1.1","answer":[{"valueString":"3"},{"valueInteger":3}]}]},{"linkId":"4","answer":[{"valueString":"x"}]}]'));
SELECT pg_temp.issues(pg_temp.answers('[{"linkId":"1","item":[{"linkId":"1.1","answer":[{"valueString":"3"}]}]}, {"linkId":"1"}]'));
SELECT pg_temp.issues('{"resourceType":"QuestionnaireResponse","status":"completed","questionnaire":"#q","contained":[{"resourceType":"Questionnaire","id":"q","status":"active","item":[{"linkId":"a","type":"date"}]}],"item":[{"linkId":"a","answer":[{"valueDate":"2020"}]},{"linkId":"b"}]}');

-- a profile narrows what the one it derives from says: not another fixed value, no wider cardinality
SELECT pg_temp.issues('{"resourceType":"StructureDefinition","url":"http://example.vn/wider","name":"W","status":"active","kind":"resource","abstract":false,"type":"Patient",
	"baseDefinition":"http://example.vn/patient","derivation":"constraint","differential":{"element":[{"id":"Patient","path":"Patient"},
	{"id":"Patient.identifier:cccd","path":"Patient.identifier","sliceName":"cccd","max":"2"},
	{"id":"Patient.identifier:cccd.system","path":"Patient.identifier.system","fixedUri":"http://example.vn/other"},
	{"id":"Patient.identifier:cccd.value","path":"Patient.identifier.value","min":1},
	{"id":"Patient.birthDate","path":"Patient.birthDate","min":0},
	{"id":"Patient.name","path":"Patient.name","min":1}]}}');
-- an implementation guide's global profile: every resource of the type, without being asked or declared
SELECT ehr.load_definition('{"resourceType":"ImplementationGuide","url":"http://example.vn/ig","name":"Ig","status":"active","packageId":"example.vn","fhirVersion":["4.0.1"],
	"global":[{"type":"Patient","profile":"http://example.vn/patient"}]}');
SELECT pg_temp.issues(:'good'::jsonb - 'birthDate');
SELECT pg_temp.issues(:'good'::jsonb - 'birthDate' || '{"meta":{"profile":["http://example.vn/patient"]}}');
SELECT pg_temp.issues('{"resourceType":"Basic","code":{"text":"x"}}');
DELETE FROM ehr.definition WHERE kind = 'ImplementationGuide';
SELECT pg_temp.issues(:'good'::jsonb - 'birthDate');
-- a concept map maps what is in its source, into its target
SELECT ehr.load_definition('{"resourceType":"ValueSet","url":"http://example.vn/from","status":"active","compose":{"include":[{"system":"urn:from","concept":[{"code":"a"},{"code":"b"}]}]}}');
SELECT ehr.load_definition('{"resourceType":"ValueSet","url":"http://example.vn/to","status":"active","compose":{"include":[{"system":"urn:to","concept":[{"code":"x"}]}]}}');
\set map '{"resourceType":"ConceptMap","url":"http://example.vn/map","status":"active","sourceCanonical":"http://example.vn/from","targetCanonical":"http://example.vn/to","group":[{"source":"urn:from","target":"urn:to","element":[{"code":"a","target":[{"code":"x","equivalence":"equal"}]},{"code":"c","target":[{"code":"y","equivalence":"equal"}]}]}]}'
SELECT pg_temp.issues(:'map');
SELECT pg_temp.issues(:'map'::jsonb - 'sourceCanonical' - 'targetCanonical');
-- which value sets are loaded is noticed at once, also after a rollback
SAVEPOINT loaded;
DELETE FROM ehr.value_set WHERE url = 'http://example.vn/from';
SELECT pg_temp.issues(:'map');
ROLLBACK TO loaded;
SELECT pg_temp.issues(:'map');

-- what cannot be loaded
SAVEPOINT s;
SELECT ehr.load_definition('{"resourceType":"Patient"}');
ROLLBACK TO s;
SELECT ehr.load_definition('{"resourceType":"Questionnaire","status":"active"}');
ROLLBACK TO s;
SELECT ehr.load_definition('{"resourceType":"ValueSet","url":"http://x","status":"nonsense"}');
ROLLBACK TO s;
SELECT ehr.load_definition('{"resourceType":"StructureDefinition","url":"http://x","name":"X","status":"active","kind":"resource","abstract":false,"type":"Patient","derivation":"specialization","baseDefinition":"http://hl7.org/fhir/StructureDefinition/DomainResource","differential":{"element":[{"id":"Patient","path":"Patient"}]}}');
ROLLBACK TO s;
-- only whom it is granted to
SET LOCAL ROLE pg_monitor;
SELECT ehr.load_definition('{"resourceType":"Questionnaire","url":"http://x","status":"active"}');
ROLLBACK;
-- gone with the transaction, also from this backend's memory
SELECT issue #>> '{details,coding,0,code}' FROM jsonb_array_elements(ehr.validate('{"resourceType":"Patient","text":{"status":"empty","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"}}', 'http://example.vn/patient') -> 'issue') i(issue);
