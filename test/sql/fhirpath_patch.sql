-- JSON Patch and FHIRPath Patch on documents: what they do, and what they refuse
SET search_path = ehr, public;
\set VERBOSITY default
\set SHOW_CONTEXT never
-- JSON Patch: the operations
SELECT json_patch('{"a": 1}', '[]') AS nothing;
SELECT json_patch('{"a": {"b": [1, 2]}}', '[{"op": "add", "path": "/a/b/-", "value": 3}, {"op": "add", "path": "/a/b/0", "value": 0}]') AS added;
SELECT json_patch('{"a": 1, "b": 2}', '[{"op": "remove", "path": "/a"}]') AS removed;
SELECT json_patch('{"a": [1, 2, 3]}', '[{"op": "replace", "path": "/a/1", "value": {"x": null}}]') AS replaced;
SELECT json_patch('{"a": {"x": 1}, "b": {}}', '[{"op": "move", "from": "/a/x", "path": "/b/y"}, {"op": "copy", "from": "/b", "path": "/c"}, {"op": "remove", "path": "/b/y"}]') AS moved;
SELECT json_patch('{"a": [1, 2, 3]}', '[{"op": "move", "from": "/a/0", "path": "/a/2"}]') AS reordered;
SELECT json_patch('{"a": 1}', '[{"op": "move", "from": "/a", "path": "/a"}]') AS unmoved;
SELECT json_patch('{"a": 1}', '[{"op": "add", "path": "", "value": [1]}, {"op": "add", "path": "/1", "value": 2}]') AS another;
SELECT json_patch('1', '[{"op": "replace", "path": "", "value": "x"}]') AS scalar;
SELECT json_patch('{"a/b": {"m~n": {"~1": 1, "": 2}}}', '[{"op": "test", "path": "/a~1b/m~0n/~01", "value": 1}, {"op": "test", "path": "/a~1b/m~0n/", "value": 2.00}, {"op": "remove", "path": "/a~1b/m~0n/"}]') AS escaped;
SELECT json_patch('{"a": {"x": 1, "yy": [1, {"z": null}]}}', '[{"op": "test", "path": "/a", "value": {"yy": [1.0, {"z": null}], "x": 1}}]') AS equal;
-- members that are not known do not count
SELECT json_patch('{}', '[{"op": "add", "path": "/a", "value": 1, "comment": "x", "from": 7}]') AS added;
-- what is refused
SELECT json_patch('{"a": 1}', '[{"op": "test", "path": "/a", "value": "1"}]');
SELECT json_patch('{"a": 1}', '[{"op": "add", "path": "/b/c", "value": 1}]');
SELECT json_patch('{"a": 1}', '[{"op": "add", "path": "/a/c", "value": 1}]');
SELECT json_patch('{"a": 1}', '[{"op": "remove", "path": "/b"}]');
SELECT json_patch('{"a": 1}', '[{"op": "replace", "path": "/b", "value": 1}]');
SELECT json_patch('{"a": [1]}', '[{"op": "add", "path": "/a/2", "value": 1}]');
SELECT json_patch('{"a": [1]}', '[{"op": "replace", "path": "/a/1", "value": 1}]');
SELECT json_patch('{"a": [1]}', '[{"op": "remove", "path": "/a/-"}]');
SELECT json_patch('{"a": [1, 2]}', '[{"op": "remove", "path": "/a/01"}]');
SELECT json_patch('{"a": [1, 2]}', '[{"op": "remove", "path": "/a/-1"}]');
SELECT json_patch('{"a": [1, 2]}', '[{"op": "remove", "path": "/a/99999999999999999999"}]');
SELECT json_patch('{"a": {"b": 1}}', '[{"op": "move", "from": "/a", "path": "/a/b"}]');
SELECT json_patch('{"a": 1}', '[{"op": "copy", "from": "/x", "path": "/b"}]');
SELECT json_patch('{"a": 1}', '[{"op": "remove", "path": ""}]');
SELECT json_patch('{"a": 1}', '{"op": "remove", "path": "/a"}');
SELECT json_patch('{"a": 1}', '[7]');
SELECT json_patch('{"a": 1}', '[{"path": "/a"}]');
SELECT json_patch('{"a": 1}', '[{"op": "delete", "path": "/a"}]');
SELECT json_patch('{"a": 1}', '[{"op": "remove"}]');
SELECT json_patch('{"a": 1}', '[{"op": "remove", "path": "a"}]');
SELECT json_patch('{"a": 1}', '[{"op": "remove", "path": "/a~2"}]');
SELECT json_patch('{"a": 1}', '[{"op": "remove", "path": "/a~"}]');
SELECT json_patch('{"a": 1}', '[{"op": "add", "path": "/b"}]');
SELECT json_patch('{"a": 1}', '[{"op": "move", "path": "/b"}]');
-- what doubles again and again
SELECT json_patch('{"a": [1]}', (SELECT jsonb_agg(jsonb_build_object('op', 'copy', 'from', '/a', 'path', '/a/-')) FROM generate_series(1, 40)));
-- as far as nothing was changed, it is the document itself; a patch made by hand and its reverse
SELECT bool_and(json_patch(json_patch(d, f), b) = d) AS back
FROM (VALUES ('{"x": [1, {"y": 2}], "z": "t"}'::jsonb,
		'[{"op": "add", "path": "/x/1", "value": "new"}, {"op": "move", "from": "/z", "path": "/x/0"}]'::jsonb,
		'[{"op": "move", "from": "/x/0", "path": "/z"}, {"op": "remove", "path": "/x/1"}]'::jsonb)) AS v (d, f, b);

-- FHIRPath Patch
CREATE FUNCTION pg_temp.op(type text, path text, name text, value jsonb, a int DEFAULT NULL, b int DEFAULT NULL) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('resourceType', 'Parameters', 'parameter', jsonb_build_array(jsonb_build_object('name', 'operation', 'part',
		jsonb_build_array(jsonb_build_object('name', 'type', 'valueCode', type), jsonb_build_object('name', 'path', 'valueString', path))
		|| CASE WHEN name IS NOT NULL THEN jsonb_build_array(jsonb_build_object('name', 'name', 'valueString', name)) ELSE '[]' END
		|| CASE WHEN value IS NOT NULL THEN jsonb_build_array(value || '{"name": "value"}') ELSE '[]' END
		|| CASE WHEN type = 'insert' THEN jsonb_build_array(jsonb_build_object('name', 'index', 'valueInteger', a)) ELSE '[]' END
		|| CASE WHEN type = 'move' THEN jsonb_build_array(jsonb_build_object('name', 'source', 'valueInteger', a), jsonb_build_object('name', 'destination', 'valueInteger', b)) ELSE '[]' END)))
$$;
\set patient '{"resourceType": "Patient", "active": true, "deceasedBoolean": true, "birthDate": "1970-03-30", "_birthDate": {"extension": [{"url": "http://x", "valueString": "v"}]}, "name": [{"family": "Chalmers", "given": ["Peter", "James"], "_given": [null, {"id": "j"}]}, {"use": "usual", "given": ["Jim"]}], "contact": [{"gender": "male"}]}'
-- values that take no room stand at one address: each is found
SELECT fhirpath_patch(:'patient', pg_temp.op('delete', 'Patient.active', NULL, NULL)) - '{name,contact,_birthDate}'::text[] AS active_gone;
SELECT fhirpath_patch(:'patient', pg_temp.op('delete', 'Patient.deceased', NULL, NULL)) - '{name,contact,_birthDate}'::text[] AS deceased_gone;
SELECT fhirpath_patch(:'patient', pg_temp.op('replace', 'Patient.active', NULL, '{"valueBoolean": false}')) - '{name,contact,_birthDate}'::text[] AS not_active;
-- a choice changes its name
SELECT fhirpath_patch(:'patient', pg_temp.op('replace', 'Patient.deceased', NULL, '{"valueDateTime": "2020"}')) - '{name,contact,_birthDate}'::text[] AS died;
SELECT fhirpath_patch('{"resourceType": "Observation", "status": "final", "code": {"text": "x"}}', pg_temp.op('add', 'Observation', 'value', '{"valueQuantity": {"value": 1.50, "code": "kg"}}')) AS added;
SELECT fhirpath_patch('{"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "valueString": "y"}', pg_temp.op('add', 'Observation', 'value', '{"valueQuantity": {"value": 1}}'));
SELECT fhirpath_patch(:'patient', pg_temp.op('replace', 'Patient.deceased', NULL, '{"valueQuantity": {"value": 1}}'));
-- both halves of a primitive
SELECT fhirpath_patch(:'patient', pg_temp.op('delete', 'Patient.birthDate', NULL, NULL)) ? '_birthDate' AS half_left;
SELECT fhirpath_patch(:'patient', pg_temp.op('delete', 'Patient.birthDate.extension', NULL, NULL)) -> '_birthDate' AS extension_gone;
SELECT fhirpath_patch(:'patient', pg_temp.op('add', 'Patient.birthDate', 'extension', '{"part": [{"name": "url", "valueUri": "http://y"}, {"name": "value", "valueInteger": 7}]}')) -> '_birthDate' AS extensions;
SELECT fhirpath_patch(:'patient', pg_temp.op('add', 'Patient.name[1].given[0]', 'id', '{"valueString": "i"}')) #> '{name,1}' AS with_id;
SELECT fhirpath_patch(:'patient', pg_temp.op('replace', 'Patient.name[0].given[0]', NULL, '{"valueString": "Petr", "_valueString": {"id": "p"}}')) #> '{name,0}' AS replaced;
SELECT fhirpath_patch(:'patient', pg_temp.op('delete', 'Patient.name[0].given[0]', NULL, NULL)) #> '{name,0}' AS first_gone;
SELECT fhirpath_patch(:'patient', pg_temp.op('delete', 'Patient.name[0].given[1]', NULL, NULL)) #> '{name,0}' AS second_gone;
SELECT fhirpath_patch(:'patient', pg_temp.op('insert', 'Patient.name[0].given', NULL, '{"valueString": "Paul"}', 1)) #> '{name,0}' AS inserted;
SELECT fhirpath_patch(:'patient', pg_temp.op('move', 'Patient.name[0].given', NULL, NULL, 1, 0)) #> '{name,0}' AS moved;
SELECT fhirpath_patch('{"resourceType": "Patient", "_birthDate": {"id": "b"}}', pg_temp.op('delete', 'Patient.birthDate', NULL, NULL)) AS only_half;
-- lists: to the end, to the front, the last one of them, one chosen by what it holds
SELECT fhirpath_patch(:'patient', pg_temp.op('add', 'Patient.name[1]', 'given', '{"valueString": "J"}')) #> '{name,1}' AS appended;
SELECT fhirpath_patch(:'patient', pg_temp.op('insert', 'Patient.identifier', NULL, '{"valueIdentifier": {"value": "1"}}', 0)) -> 'identifier' AS first;
SELECT fhirpath_patch(:'patient', pg_temp.op('insert', 'Patient.name', NULL, '{"valueHumanName": {"text": "t"}}', 2)) #> '{name,2}' AS last;
SELECT fhirpath_patch(:'patient', pg_temp.op('delete', 'Patient.name.where(use = ''usual'')', NULL, NULL)) #> '{name,1}' AS gone;
SELECT fhirpath_patch(:'patient', pg_temp.op('delete', 'Patient.contact.gender', NULL, NULL)) ? 'contact' AS empty_contact;
SELECT fhirpath_patch(:'patient', pg_temp.op('delete', 'Patient.photo', NULL, NULL)) = :'patient' AS was_not_there;
SELECT fhirpath_patch(:'patient', pg_temp.op('add', 'Patient', 'contact', '{"part": [{"name": "name", "valueHumanName": {"text": "a"}}, {"name": "telecom", "valueContactPoint": {"value": "1"}}, {"name": "telecom", "valueContactPoint": {"value": "2"}}]}')) #> '{contact,1}' AS contact;
-- inside a contained resource
SELECT fhirpath_patch('{"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "contained": [{"resourceType": "Patient", "id": "p"}]}', pg_temp.op('add', 'Observation.contained[0]', 'gender', '{"valueCode": "male"}')) #> '{contained,0}' AS contained;
SELECT fhirpath_patch('{"resourceType": "Bundle", "type": "collection"}', pg_temp.op('add', 'Bundle', 'entry', '{"part": [{"name": "fullUrl", "valueUri": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"}, {"name": "resource", "resource": {"resourceType": "Patient"}}]}')) -> 'entry' AS entry;
-- what is refused
SELECT fhirpath_patch(:'patient', pg_temp.op('replace', 'Patient.gender', NULL, '{"valueCode": "male"}'));
SELECT fhirpath_patch(:'patient', pg_temp.op('replace', 'Patient.name', NULL, '{"valueHumanName": {"text": "x"}}'));
SELECT fhirpath_patch(:'patient', pg_temp.op('delete', 'Patient', NULL, NULL));
SELECT fhirpath_patch(:'patient', pg_temp.op('replace', 'Patient', NULL, '{"resource": {"resourceType": "Patient"}}'));
SELECT fhirpath_patch(:'patient', pg_temp.op('delete', '''x''', NULL, NULL));
SELECT fhirpath_patch(:'patient', pg_temp.op('delete', 'Patient.birthDate.toString()', NULL, NULL));
SELECT fhirpath_patch(:'patient', pg_temp.op('delete', 'Patient.name.where(', NULL, NULL));
SELECT fhirpath_patch(:'patient', pg_temp.op('delete', 'Patient.name.where(today() > @2020).first()', NULL, NULL));
SELECT fhirpath_patch(:'patient', pg_temp.op('add', 'Patient', 'birthDate', '{"valueDate": "2000"}'));
SELECT fhirpath_patch(:'patient', pg_temp.op('add', 'Patient', 'colour', '{"valueString": "red"}'));
SELECT fhirpath_patch(:'patient', pg_temp.op('add', 'Patient', NULL, '{"valueString": "red"}'));
SELECT fhirpath_patch(:'patient', pg_temp.op('add', 'Patient', 'gender', NULL));
SELECT fhirpath_patch(:'patient', pg_temp.op('add', 'Patient', 'gender', '{}'));
SELECT fhirpath_patch(:'patient', pg_temp.op('add', 'Patient', 'gender', '{"valueCode": "purple"}'));
SELECT fhirpath_patch(:'patient', pg_temp.op('add', 'Patient', 'contact', '{"part": [{"name": "colour", "valueString": "red"}]}'));
SELECT fhirpath_patch(:'patient', pg_temp.op('add', 'Patient', 'contact', '{"part": [{"name": "gender", "valueCode": "male"}, {"name": "gender", "valueCode": "male"}]}'));
SELECT fhirpath_patch(:'patient', pg_temp.op('insert', 'Patient.name', NULL, '{"valueHumanName": {"text": "t"}}', 3));
SELECT fhirpath_patch(:'patient', pg_temp.op('insert', 'Patient.name', NULL, '{"valueHumanName": {"text": "t"}}', -1));
SELECT fhirpath_patch(:'patient', pg_temp.op('insert', 'Patient.name', NULL, '{"valueHumanName": {"text": "t"}}'));
SELECT fhirpath_patch(:'patient', pg_temp.op('insert', 'Patient.identifier', NULL, '{"valueIdentifier": {"value": "1"}}', 1));
SELECT fhirpath_patch(:'patient', pg_temp.op('insert', 'Patient.name.given', NULL, '{"valueString": "t"}', 0));
SELECT fhirpath_patch(:'patient', pg_temp.op('insert', 'Patient.birthDate', NULL, '{"valueDate": "2000"}', 0));
SELECT fhirpath_patch(:'patient', pg_temp.op('move', 'Patient.name', NULL, NULL, 0, 2));
SELECT fhirpath_patch(:'patient', pg_temp.op('move', 'Patient.photo', NULL, NULL, 0, 0));
SELECT fhirpath_patch(:'patient', pg_temp.op('rename', 'Patient.name', NULL, NULL));
SELECT fhirpath_patch(:'patient', '{"resourceType": "Patient"}');
SELECT fhirpath_patch(:'patient', '[]');
SELECT fhirpath_patch(:'patient', '{"resourceType": "Parameters", "parameter": [{"name": "x"}]}');
SELECT fhirpath_patch(:'patient', '{"resourceType": "Parameters", "parameter": [{"name": "operation", "part": [{"name": "type", "valueCode": "delete"}]}]}');
SELECT fhirpath_patch(:'patient', '{"resourceType": "Parameters", "parameter": [{"name": "operation", "part": [{"name": "colour"}]}]}');
SELECT fhirpath_patch('{"a": 1}', '{"resourceType": "Parameters"}');
SELECT fhirpath_patch('[]', pg_temp.op('delete', 'Patient.name', NULL, NULL));
-- a fault in the second operation leaves nothing of the first
SELECT fhirpath_patch(:'patient', jsonb_set(pg_temp.op('delete', 'Patient.active', NULL, NULL), '{parameter,1}', pg_temp.op('delete', 'Patient.name', NULL, NULL) #> '{parameter,0}'));
