-- What profiles and definitions ask beyond one element: where references lead, every kind of discriminator, reslicing; filters of value
-- sets, paths of discriminators; a Coding's system and the form of its code; supplements. Nothing stays.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
BEGIN;
CREATE FUNCTION pg_temp.issues(doc jsonb, profile text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(string_agg(concat_ws(' ', issue #>> '{details,coding,0,code}', issue #>> '{expression,0}'), ', ' ORDER BY n), 'fine')
	FROM jsonb_array_elements(ehr.validate(doc, profile) -> 'issue') WITH ORDINALITY i(issue, n)
	WHERE issue ->> 'severity' IN ('error', 'fatal')
$$;
CREATE FUNCTION pg_temp.profile(name text, type text, elements text) RETURNS text LANGUAGE sql AS $$
	SELECT ehr.load_definition(jsonb_build_object('resourceType', 'StructureDefinition', 'url', 'http://example.vn/' || name, 'name', initcap(name), 'status', 'active', 'kind', 'resource',
		'abstract', false, 'type', type, 'baseDefinition', 'http://hl7.org/fhir/StructureDefinition/' || type, 'derivation', 'constraint', 'differential', jsonb_build_object('element', elements::jsonb)))
$$;

-- targets of references by their content: an entry of the Bundle, a contained resource; two that refer to each other end
SELECT pg_temp.profile('numbered', 'Patient', '[{"id":"Patient.identifier","path":"Patient.identifier","min":1},{"id":"Patient.link.other","path":"Patient.link.other","type":[{"code":"Reference","targetProfile":["http://example.vn/numbered"]}]}]');
SELECT pg_temp.profile('of-numbered', 'Observation', '[{"id":"Observation.subject","path":"Observation.subject","type":[{"code":"Reference","targetProfile":["http://example.vn/numbered"]}]}]');
CREATE FUNCTION pg_temp.bundle(reference text, VARIADIC patients text[]) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('resourceType', 'Bundle', 'type', 'collection', 'entry', jsonb_build_array(jsonb_build_object('fullUrl', 'http://x.vn/Observation/o', 'resource',
		jsonb_build_object('resourceType', 'Observation', 'id', 'o', 'meta', '{"profile":["http://example.vn/of-numbered"]}'::jsonb, 'status', 'final', 'code', '{"text":"x"}'::jsonb, 'subject', jsonb_build_object('reference', reference)))) ||
		(SELECT jsonb_agg(jsonb_build_object('fullUrl', 'http://x.vn/Patient/p' || n, 'resource', jsonb_build_object('resourceType', 'Patient', 'id', 'p' || n) || p::jsonb)) FROM unnest(patients) WITH ORDINALITY t(p, n)))
$$;
SELECT reference, pg_temp.issues(pg_temp.bundle(reference, '{"identifier":[{"value":"1"}]}', '{}')) FROM unnest('{Patient/p1,Patient/p2,http://x.vn/Patient/p2,http://x.vn/Patient/p2/_history/1,Patient/elsewhere,Group/g}'::text[]) reference;
SELECT pg_temp.issues(pg_temp.bundle('Patient/p1', '{"identifier":[{"value":"1"}],"link":[{"type":"seealso","other":{"reference":"Patient/p2"}}]}', format('{"identifier":[{"value":"2"}],"link":[{"type":"seealso","other":{"reference":"Patient/%s"}}]}', other)))
FROM unnest('{p1,p3}'::text[]) other;
SELECT pg_temp.issues(pg_temp.bundle('Patient/p1', '{"identifier":[{"value":"1"}],"link":[{"type":"seealso","other":{"reference":"Patient/p2"}}]}', '{}'));
SELECT pg_temp.issues(jsonb_build_object('resourceType', 'Observation', 'contained', jsonb_build_array('{"resourceType":"Patient","id":"p"}'::jsonb || more::jsonb), 'status', 'final', 'code', '{"text":"x"}'::jsonb, 'subject', '{"reference":"#p"}'::jsonb), 'http://example.vn/of-numbered')
FROM unnest('{"{}","{\"identifier\":[{\"value\":\"1\"}]}"}'::text[]) more;
-- aggregation
SELECT pg_temp.profile('held', 'Observation', '[{"id":"Observation.subject","path":"Observation.subject","type":[{"code":"Reference","aggregation":["contained"]}]},{"id":"Observation.encounter","path":"Observation.encounter","type":[{"code":"Reference","aggregation":["referenced"]}]}]');
SELECT pg_temp.issues('{"resourceType":"Observation","contained":[{"resourceType":"Patient","id":"p"}],"status":"final","code":{"text":"x"},"subject":{"reference":"#p"},"encounter":{"reference":"Encounter/1"}}', 'http://example.vn/held');
SELECT pg_temp.issues('{"resourceType":"Observation","contained":[{"resourceType":"Encounter","id":"e","status":"finished","class":{"code":"AMB"}}],"status":"final","code":{"text":"x"},"subject":{"reference":"Patient/1"},"encounter":{"reference":"#e"}}', 'http://example.vn/held');

-- discriminators: each kind, and paths through resolve(), extension() and ofType(); told by what may stand at most once, and is closed
CREATE FUNCTION pg_temp.sliced(name text, by text, path text, slice text) RETURNS text LANGUAGE sql AS $$
	SELECT pg_temp.profile(name, 'Observation', format('[{"id":"Observation.component","path":"Observation.component","slicing":{"discriminator":[{"type":"%s","path":"%s"}],"rules":"closed"}},
		{"id":"Observation.component:s","path":"Observation.component","sliceName":"s"}%s]', by, path, slice))
$$;
CREATE FUNCTION pg_temp.components(name text, VARIADIC parts text[]) RETURNS TABLE (part text, answer text) LANGUAGE sql AS $$
	SELECT p, pg_temp.issues(jsonb_build_object('resourceType', 'Observation', 'status', 'final', 'code', '{"text":"x"}'::jsonb, 'component', jsonb_build_array('{"code":{"text":"c"}}'::jsonb || p::jsonb)), 'http://example.vn/' || name) FROM unnest(parts) p
$$;
SELECT pg_temp.sliced('by-value', 'value', 'code.coding.code', ',{"id":"Observation.component:s.code.coding.code","path":"Observation.component.code.coding.code","fixedCode":"a"}');
SELECT * FROM pg_temp.components('by-value', '{"code":{"coding":[{"code":"a"}]}}', '{"code":{"coding":[{"code":"b"}]}}', '{}');
SELECT pg_temp.sliced('by-pattern', 'pattern', 'code', ',{"id":"Observation.component:s.code","path":"Observation.component.code","patternCodeableConcept":{"coding":[{"code":"a"}]}}');
SELECT * FROM pg_temp.components('by-pattern', '{"code":{"coding":[{"code":"z"},{"code":"a"}]}}', '{"code":{"coding":[{"code":"b"}]}}');
SELECT pg_temp.sliced('by-exists', 'exists', 'interpretation', ',{"id":"Observation.component:s.interpretation","path":"Observation.component.interpretation","min":1}');
SELECT * FROM pg_temp.components('by-exists', '{"interpretation":[{"text":"x"}]}', '{}');
SELECT pg_temp.sliced('by-absence', 'exists', 'interpretation', ',{"id":"Observation.component:s.interpretation","path":"Observation.component.interpretation","max":"0"}');
SELECT * FROM pg_temp.components('by-absence', '{"interpretation":[{"text":"x"}]}', '{}');
SELECT pg_temp.sliced('by-type', 'type', 'value', ',{"id":"Observation.component:s.value[x]","path":"Observation.component.value[x]","type":[{"code":"Quantity"}]}');
SELECT * FROM pg_temp.components('by-type', '{"valueQuantity":{"value":1}}', '{"valueString":"x"}');
SELECT pg_temp.sliced('by-of-type', 'value', 'value.ofType(CodeableConcept).text', ',{"id":"Observation.component:s.value[x]","path":"Observation.component.value[x]","type":[{"code":"CodeableConcept"}]},{"id":"Observation.component:s.value[x].text","path":"Observation.component.value[x].text","fixedString":"t"}');
SELECT * FROM pg_temp.components('by-of-type', '{"valueCodeableConcept":{"text":"t"}}', '{"valueCodeableConcept":{"text":"u"}}', '{"valueString":"t"}');
SELECT pg_temp.sliced('by-extension', 'value', $$extension('http://example.vn/e').value$$, ',{"id":"Observation.component:s.extension","path":"Observation.component.extension","slicing":{"discriminator":[{"type":"value","path":"url"}],"rules":"open"}},
	{"id":"Observation.component:s.extension:e","path":"Observation.component.extension","sliceName":"e"},{"id":"Observation.component:s.extension:e.url","path":"Observation.component.extension.url","fixedUri":"http://example.vn/e"},{"id":"Observation.component:s.extension:e.value[x]","path":"Observation.component.extension.value[x]","fixedCode":"a"}');
SELECT * FROM pg_temp.components('by-extension', '{"extension":[{"url":"http://example.vn/e","valueCode":"a"}]}', '{"extension":[{"url":"http://example.vn/e","valueCode":"b"}]}', '{"extension":[{"url":"http://example.vn/f","valueCode":"a"}]}');
-- of references: by what they lead to, its type, its profile, its content
SELECT pg_temp.profile('performers-' || k, 'Observation', format('[{"id":"Observation.performer","path":"Observation.performer","slicing":{"discriminator":[{"type":"%s","path":"%s"}],"rules":"closed"}},{"id":"Observation.performer:s","path":"Observation.performer","sliceName":"s","type":[{"code":"Reference","targetProfile":["%s"]}]}]', by, path, target))
FROM (VALUES ('type', 'type', 'resolve()', 'http://hl7.org/fhir/StructureDefinition/Patient'), ('profile', 'profile', 'resolve()', 'http://example.vn/numbered'), ('content', 'value', 'resolve().gender', 'http://example.vn/female')) t(k, by, path, target);
SELECT pg_temp.profile('female', 'Patient', '[{"id":"Patient.gender","path":"Patient.gender","min":1,"fixedCode":"female"}]');
SELECT k, patient, pg_temp.issues(jsonb_build_object('resourceType', 'Observation', 'contained', jsonb_build_array('{"id":"p"}'::jsonb || patient::jsonb), 'status', 'final', 'code', '{"text":"x"}'::jsonb, 'performer', '[{"reference":"#p"}]'::jsonb), 'http://example.vn/performers-' || k)
FROM unnest('{type,profile,content}'::text[]) k, unnest('{"{\"resourceType\":\"Patient\"}","{\"resourceType\":\"Patient\",\"gender\":\"female\"}","{\"resourceType\":\"Patient\",\"identifier\":[{\"value\":\"1\"}]}","{\"resourceType\":\"Organization\",\"name\":\"x\"}"}'::text[]) patient;
-- reslicing: the slices a/b and a/c are slices of a, and count within it
SELECT pg_temp.profile('again', 'Patient', '[{"id":"Patient.identifier","path":"Patient.identifier","slicing":{"discriminator":[{"type":"value","path":"system"}],"rules":"open"}},
	{"id":"Patient.identifier:a","path":"Patient.identifier","sliceName":"a","min":1,"slicing":{"discriminator":[{"type":"value","path":"use"}],"rules":"closed"}},{"id":"Patient.identifier:a.system","path":"Patient.identifier.system","fixedUri":"urn:a"},
	{"id":"Patient.identifier:a/old","path":"Patient.identifier","sliceName":"a/old","max":"1"},{"id":"Patient.identifier:a/old.use","path":"Patient.identifier.use","fixedCode":"old"},
	{"id":"Patient.identifier:a/new","path":"Patient.identifier","sliceName":"a/new","min":1},{"id":"Patient.identifier:a/new.use","path":"Patient.identifier.use","fixedCode":"official"}]');
SELECT pg_temp.issues(jsonb_build_object('resourceType', 'Patient', 'identifier', i::jsonb), 'http://example.vn/again') FROM unnest(ARRAY[
	'[{"system":"urn:a","use":"official"},{"system":"urn:a","use":"old"},{"system":"urn:b","use":"old"},{"system":"urn:b","use":"temp"}]',
	'[{"system":"urn:a","use":"old"},{"system":"urn:a","use":"old"}]', '[{"system":"urn:a","use":"official"},{"system":"urn:a","use":"temp"}]', '[{"system":"urn:b","use":"official"}]']) i;

-- StructureDefinition: elements that are not there, discriminators that lead nowhere, constraints that are no FHIRPath
SELECT pg_temp.issues(format('{"resourceType":"StructureDefinition","url":"http://x","name":"X","status":"active","kind":"resource","abstract":false,"type":"Observation","baseDefinition":"http://hl7.org/fhir/StructureDefinition/Observation","derivation":"constraint",
	"differential":{"element":[{"id":"Observation","path":"Observation"},{"id":"e","path":"%s","slicing":{"discriminator":[{"type":"value","path":"%s"}],"rules":"open"},"constraint":[{"key":"x-1","severity":"error","human":"x","expression":"%s"}]}]}}', path, discriminator, expression)::jsonb)
FROM (VALUES ('Observation.component', 'code.coding.code', 'value.exists()'), ('Observation.component', 'value.ofType(Quantity).code', 'true'), ('Observation.component', 'value.coding', 'true'), ('Observation.extension', 'type', 'true'), ('Observation.component', 'extension(''http://x.y'').value', 'true'),
	('Observation.performer', 'resolve().name', 'true'), ('Observation.component', '$this', 'value.exists('), ('Observation.componet', 'code', 'true'), ('Observation.valueQuantity', 'code', 'true'), ('Observation.component', 'code.codes', 'true')) t(path, discriminator, expression);

-- filters of value sets: properties, operators and values that the code system has
SELECT ehr.load_definition('{"resourceType":"CodeSystem","url":"http://example.vn/cs","status":"active","content":"complete","caseSensitive":true,"property":[{"code":"kind","type":"code"},{"code":"other","type":"Coding"},{"code":"flag","type":"boolean"},{"code":"n","type":"integer"}],"filter":[{"code":"near","operator":["="],"value":"x"}],
	"concept":[{"code":"a","concept":[{"code":"b"}]}]}');
SELECT property, op, value, pg_temp.issues(jsonb_build_object('resourceType', 'ValueSet', 'status', 'active', 'compose', jsonb_build_object('include', jsonb_build_array(jsonb_build_object('system', 'http://example.vn/cs', 'filter', jsonb_build_array(jsonb_build_object('property', property, 'op', op, 'value', value)))))))
FROM (VALUES ('kind', '=', 'a'), ('kind', '=', 'z'), ('kind', 'in', 'a,b'), ('kind', 'in', 'a,z'), ('other', '=', 'http://example.vn/cs#b'), ('other', '=', 'http://example.vn/cs|z'), ('other', '=', 'http://nobody|z'), ('flag', '=', 'true'), ('flag', '=', '1'), ('n', '=', 'lt2'),
	('near', '=', 'anything'), ('near', 'in', 'anything'), ('nobody', '=', 'x'), ('concept', 'is-a', 'a'), ('concept', 'descendent-of', 'z'), ('kind', 'exists', 'true'), ('kind', 'exists', 'yes'), ('kind', 'regex', '[ab]'), ('inactive', '=', 'no'), ('parent', '=', 'a')) t(property, op, value);
SELECT pg_temp.issues('{"resourceType":"ValueSet","status":"active","compose":{"include":[{"system":"http://example.vn/cs","concept":[{"code":"a"},{"code":"z"}]},{"system":"http://snomed.info/sct","concept":[{"code":"22298006"},{"code":"1"}]},{"system":"http://loinc.org","concept":[{"code":"8480-6"},{"code":"8480-5"}]}]}}');

-- supplements have the content "supplement", codes of the system that they supplement, and are no system of a Coding
SELECT pg_temp.issues(format('{"resourceType":"CodeSystem","url":"http://example.vn/more","status":"active","caseSensitive":true,%s,"concept":[{"code":"%s"}]}', keys, code)::jsonb)
FROM (VALUES ('"content":"supplement","supplements":"http://example.vn/cs"', 'b'), ('"content":"supplement","supplements":"http://example.vn/cs|1"', 'z'), ('"content":"complete","supplements":"http://example.vn/cs"', 'b'), ('"content":"supplement"', 'b')) t(keys, code);
INSERT INTO ehr.definition (kind, url, doc) VALUES ('CodeSystem', 'http://example.vn/more', '{"resourceType":"CodeSystem","content":"supplement","supplements":"http://example.vn/cs"}');
-- codings
SELECT ehr.load_definition('{"resourceType":"ValueSet","url":"http://example.vn/vs","status":"active","compose":{"include":[{"system":"http://example.vn/cs"}]}}');
SELECT system, code, pg_temp.issues(jsonb_build_object('resourceType', 'Basic', 'code', jsonb_build_object('coding', jsonb_build_array(jsonb_build_object('system', system, 'code', code)))))
FROM (VALUES ('relative', 'x'), ('#local', 'x'), ('http://hl7.org/fhir/ValueSet/observation-codes', 'x'), ('http://example.vn/vs', 'a'), ('http://example.vn/more', 'a'), ('http://example.vn/cs', 'a'), ('http://example.vn/cs', 'z'), ('http://nobody.vn', 'z'),
	('http://snomed.info/sct', '22298006'), ('http://snomed.info/sct', '22298007'), ('http://loinc.org', '8480-6'), ('http://loinc.org', '8480-7'), ('http://hl7.org/fhir/contract-legalstate', 'executed'), ('http://hl7.org/fhir/contract-legalstate', 'nonsense'), ('http://hl7.org/fhir/sid/icd-10', 'nonsense')) t(system, code);
-- an older version of a code system still has its codes
SELECT ehr.load_code_system('{"resourceType":"CodeSystem","url":"http://example.vn/cs","version":"2","status":"active","content":"complete","caseSensitive":true,"concept":[{"code":"new"}]}');
SELECT code, pg_temp.issues(jsonb_build_object('resourceType', 'Basic', 'code', jsonb_build_object('coding', jsonb_build_array(jsonb_build_object('system', 'http://example.vn/cs', 'code', code))))) FROM unnest('{a,new,z}'::text[]) code;
-- urn: URIs
SELECT uri, pg_temp.issues(jsonb_build_object('resourceType', 'Basic', 'code', '{"text":"x"}'::jsonb, 'implicitRules', uri)) FROM unnest('{urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7,urn:uuid:53FEFA32-fcbb-4ff8-8a92-55ee120877b7,urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7x,urn:oid:1.2.3,urn:oid:1.02,urn:other:x}'::text[]) uri;
-- R4's own extensions: where their definition allows them, and whether they modify
SELECT pg_temp.issues(doc::jsonb) FROM unnest(ARRAY[
	'{"resourceType":"Patient","extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-birthPlace","valueAddress":{"text":"x"}}],"name":[{"_family":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/humanname-own-name","valueString":"x"}]}}]}',
	'{"resourceType":"Practitioner","extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-birthPlace","valueAddress":{"text":"x"}}]}',
	'{"resourceType":"Patient","name":[{"_given":[{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/humanname-own-name","valueString":"x"}]}]}]}',
	'{"resourceType":"Patient","_birthDate":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-birthTime","valueDateTime":"2020"}]},"_active":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/data-absent-reason","valueCode":"unknown"}]}}',
	'{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient","contained":[{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},"focus":[{"reference":"#"}],"valueQuantity":{"value":1,"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-birthPlace","valueAddress":{"text":"x"}}]}}]}}]}',
	'{"resourceType":"Questionnaire","status":"active","item":[{"linkId":"a","type":"group","item":[{"linkId":"b","type":"string","extension":[{"url":"http://hl7.org/fhir/StructureDefinition/minLength","valueInteger":1}]}]}]}',
	'{"resourceType":"NutritionOrder","status":"active","intent":"plan","dateTime":"2025","patient":{"reference":"Patient/1"},"oralDiet":{"instruction":"x"},"modifierExtension":[{"url":"http://hl7.org/fhir/StructureDefinition/request-doNotPerform","valueBoolean":true}]}',
	'{"resourceType":"NutritionOrder","status":"active","intent":"plan","dateTime":"2025","patient":{"reference":"Patient/1"},"oralDiet":{"instruction":"x"},"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/request-doNotPerform","valueBoolean":true}]}',
	'{"resourceType":"Patient","modifierExtension":[{"url":"http://hl7.org/fhir/StructureDefinition/patient-birthPlace","valueAddress":{"text":"x"}}]}']) doc;
-- what a search finds has an id, what it says of itself is an OperationOutcome
SELECT pg_temp.issues(jsonb_build_object('resourceType', 'Bundle', 'type', 'searchset', 'entry', jsonb_build_array(jsonb_build_object('resource', resource::jsonb) || mode::jsonb)))
FROM unnest(ARRAY['{"resourceType":"Patient"}', '{"resourceType":"Patient","id":"p"}', '{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"invalid"}]}']) resource, unnest(ARRAY['{}', '{"search":{"mode":"match"}}', '{"search":{"mode":"outcome"}}']) mode;
-- profiles' bindings to R4's own value sets, whole or known by their code systems only
SELECT pg_temp.profile('bound', 'Observation', '[{"id":"Observation.value[x]","path":"Observation.value[x]","type":[{"code":"Quantity"}],"binding":{"strength":"required","valueSet":"http://hl7.org/fhir/ValueSet/age-units|4.0.1"}},{"id":"Observation.bodySite","path":"Observation.bodySite","binding":{"strength":"required","valueSet":"http://hl7.org/fhir/ValueSet/body-site"}}]');
SELECT pg_temp.issues(format('{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":1,"system":"http://unitsofmeasure.org","code":"%s"},"bodySite":{"coding":[{"system":"%s","code":"22298006"}]}}', unit, system)::jsonb, 'http://example.vn/bound')
FROM (VALUES ('a', 'http://snomed.info/sct'), ('m', 'http://snomed.info/sct'), ('mo', 'http://example.vn/sites')) t(unit, system);
ROLLBACK;
