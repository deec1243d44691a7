-- terminology: loading, $expand, $lookup, $validate-code, $translate, $subsumes; compared with the definitions written out by hand
SET search_path = ehr, public;
SET datestyle = iso;
BEGIN;

-- without anything loaded: the value sets of R4's required bindings
SELECT url, system, code, value_set_has(url, system, code) FROM (VALUES
	('http://hl7.org/fhir/ValueSet/administrative-gender', 'http://hl7.org/fhir/administrative-gender', 'female'),
	('http://hl7.org/fhir/ValueSet/administrative-gender|4.0.1', NULL, 'female'),
	('http://hl7.org/fhir/ValueSet/administrative-gender', 'http://hl7.org/fhir/administrative-gender', 'Female'),
	('http://hl7.org/fhir/ValueSet/administrative-gender', 'http://example.org', 'female'),
	('http://hl7.org/fhir/ValueSet/event-timing', 'http://terminology.hl7.org/CodeSystem/v3-TimingEvent', 'HS'),
	('http://hl7.org/fhir/ValueSet/event-timing', 'http://hl7.org/fhir/event-timing', 'HS'),
	('http://hl7.org/fhir/ValueSet/event-timing', NULL, 'MORN'),
	('http://hl7.org/fhir/ValueSet/ucum-units', 'http://unitsofmeasure.org', 'mg'),
	('http://hl7.org/fhir/ValueSet/ucum-units', 'http://example.org', 'mg'),
	('http://example.org/none', NULL, 'x')) AS v (url, system, code);
SELECT system, code FROM expand('http://hl7.org/fhir/ValueSet/administrative-gender');
SELECT validate_code('http://hl7.org/fhir/ValueSet/administrative-gender', NULL, 'male') AS good,
	validate_code('http://hl7.org/fhir/ValueSet/administrative-gender', NULL, 'm') AS bad,
	validate_code('http://example.org/none', NULL, 'm') AS unknown, validate_code(NULL, 'http://example.org/none', 'm') AS unknown_system;
-- the same seen from both sides: every code that a set lists is in it, with its system and without
SELECT count(*) AS sets, sum(codes) AS codes, sum(wrong) AS wrong FROM (
	SELECT u, count(c.code) AS codes, count(*) FILTER (WHERE NOT r4_value_set_has(u, c.system, c.code) OR NOT r4_value_set_has(u, NULL, c.code) OR r4_value_set_has(u, 'x', c.code)) AS wrong
	FROM unnest('{http://hl7.org/fhir/ValueSet/all-types,http://hl7.org/fhir/ValueSet/task-intent,http://hl7.org/fhir/ValueSet/currencies,http://hl7.org/fhir/ValueSet/event-timing,http://hl7.org/fhir/ValueSet/resource-types}'::text[]) AS u
		LEFT JOIN LATERAL r4_value_set(u) AS c ON true GROUP BY u) AS s WHERE codes > 0;

-- a code system with all three ways of writing a hierarchy: nested, property parent, property child; a concept with two parents
SELECT load_code_system('{"resourceType": "CodeSystem", "url": "http://example.org/animals", "version": "1.0", "name": "Animals", "status": "active", "content": "complete",
	"valueSet": "http://example.org/animals/vs",
	"concept": [
		{"code": "animal", "display": "Animal", "property": [{"code": "notSelectable", "valueBoolean": true}], "concept": [
			{"code": "mammal", "display": "Động vật có vú", "property": [{"code": "child", "valueCode": "bat"}], "concept": [
				{"code": "dog", "display": "Chó", "designation": [{"language": "en", "value": "Dog"}], "property": [{"code": "legs", "valueInteger": 4}]},
				{"code": "whale", "display": "Cá voi", "property": [{"code": "legs", "valueInteger": 0}, {"code": "home", "valueCoding": {"system": "http://example.org/homes", "code": "sea"}}]}]},
			{"code": "flier", "display": "Flying animal", "concept": [{"code": "eagle", "display": "Eagle", "property": [{"code": "legs", "valueInteger": 2}]}]}]},
		{"code": "bat", "display": "Dơi", "property": [{"code": "parent", "valueCode": "flier"}, {"code": "legs", "valueInteger": 2}]},
		{"code": "dodo", "display": "Dodo", "property": [{"code": "parent", "valueCode": "animal"}, {"code": "status", "valueCode": "retired"}]}]}');
SELECT key, string_agg(ancestor || CASE WHEN direct THEN '' ELSE '*' END, ' ' ORDER BY ancestor) FROM concept_ancestor JOIN code_system ON id = system WHERE url = 'http://example.org/animals' GROUP BY key ORDER BY key;
SELECT code, jsonb_pretty(lookup('http://example.org/animals', code)) FROM unnest('{bat,dodo,dog,unicorn}'::text[]) AS code;
SELECT a, b, subsumes('http://example.org/animals', a, b) FROM (VALUES ('animal', 'bat'), ('bat', 'flier'), ('dog', 'dog'), ('dog', 'bat'), ('dog', 'unicorn')) AS v (a, b);
SELECT code FROM expand('http://example.org/animals/vs');

-- value sets: each filter operator, listed codes, exclude, imports; membership, expansion and the rule written in SQL agree
SELECT load_value_set(jsonb_build_object('resourceType', 'ValueSet', 'status', 'active', 'url', 'http://example.org/vs/' || name, 'compose', compose::jsonb)) AS rules, name
FROM (VALUES
	('isa', '{"include": [{"system": "http://example.org/animals", "filter": [{"property": "concept", "op": "is-a", "value": "mammal"}]}]}'),
	('below', '{"include": [{"system": "http://example.org/animals", "filter": [{"property": "concept", "op": "descendent-of", "value": "mammal"}]}]}'),
	('not', '{"include": [{"system": "http://example.org/animals", "filter": [{"property": "concept", "op": "is-not-a", "value": "mammal"}]}]}'),
	('above', '{"include": [{"system": "http://example.org/animals", "filter": [{"property": "concept", "op": "generalizes", "value": "bat"}]}]}'),
	('four', '{"include": [{"system": "http://example.org/animals", "filter": [{"property": "legs", "op": "=", "value": "4"}]}]}'),
	('few', '{"include": [{"system": "http://example.org/animals", "filter": [{"property": "legs", "op": "in", "value": "0,2"}]}]}'),
	('notfew', '{"include": [{"system": "http://example.org/animals", "filter": [{"property": "legs", "op": "not-in", "value": "0,2"}]}]}'),
	('legs', '{"include": [{"system": "http://example.org/animals", "filter": [{"property": "legs", "op": "exists", "value": "true"}]}]}'),
	('nolegs', '{"include": [{"system": "http://example.org/animals", "filter": [{"property": "legs", "op": "exists", "value": "false"}]}]}'),
	('d', '{"include": [{"system": "http://example.org/animals", "filter": [{"property": "code", "op": "regex", "value": "d.*"}]}]}'),
	('sea', '{"include": [{"system": "http://example.org/animals", "filter": [{"property": "home", "op": "=", "value": "sea"}]}]}'),
	('child', '{"include": [{"system": "http://example.org/animals", "filter": [{"property": "parent", "op": "=", "value": "flier"}]}]}'),
	('two', '{"include": [{"system": "http://example.org/animals", "filter": [{"property": "concept", "op": "is-a", "value": "mammal"}, {"property": "legs", "op": "=", "value": "2"}]}]}'),
	('listed', '{"include": [{"system": "http://example.org/animals", "concept": [{"code": "whale", "display": "Whale"}, {"code": "dog"}]}, {"system": "http://example.org/other", "concept": [{"code": "x", "display": "Ex"}]}]}'),
	('all', '{"include": [{"system": "http://example.org/animals"}]}'),
	('land', '{"include": [{"system": "http://example.org/animals"}], "exclude": [{"system": "http://example.org/animals", "filter": [{"property": "concept", "op": "is-a", "value": "flier"}]}, {"system": "http://example.org/animals", "concept": [{"code": "whale"}]}]}'),
	('import', '{"include": [{"valueSet": ["http://example.org/vs/four"]}, {"valueSet": ["http://example.org/vs/few"]}]}'),
	('both', '{"include": [{"valueSet": ["http://example.org/vs/isa", "http://example.org/vs/few"]}]}'),
	('cut', '{"include": [{"system": "http://example.org/animals", "valueSet": ["http://example.org/vs/isa"], "filter": [{"property": "legs", "op": "exists", "value": "true"}]}], "exclude": [{"valueSet": ["http://example.org/vs/four"]}]}'),
	('gone', '{"include": [{"system": "http://example.org/not-loaded"}]}')) AS v (name, compose);
SELECT name, string_agg(e.code, ' ') AS codes FROM unnest('{isa,below,not,above,four,few,notfew,legs,nolegs,d,sea,child,two,listed,all,land,import,both,cut}'::text[]) WITH ORDINALITY AS v (name, n),
	LATERAL expand('http://example.org/vs/' || name) AS e GROUP BY name, n ORDER BY n;
SELECT count(*) AS asked, count(*) FILTER (WHERE member <> listed) AS differ FROM (
	SELECT value_set_has(v.url, s.url, c.code) AS member, EXISTS (SELECT FROM expand(v.url) AS e WHERE e.code = c.code AND e.system = s.url) AS listed
	FROM value_set v, concept c JOIN code_system s ON s.id = c.system WHERE v.url LIKE 'http://example.org/vs/%' AND v.url NOT LIKE '%gone') AS both_ways;
SELECT value_set_has('http://example.org/vs/gone', 'http://example.org/not-loaded', 'a') AS cannot_tell, value_set_has('http://example.org/vs/gone', 'http://example.org/animals', 'dog') AS other_system,
	value_set_has('http://example.org/vs/all', 'http://example.org/animals', 'animal') AS abstract;
SELECT validate_code('http://example.org/vs/gone', 'http://example.org/not-loaded', 'a');
-- text filter and number of rows
SELECT code, display FROM expand('http://example.org/vs/all', 'ca');
SELECT code, display FROM expand('http://example.org/vs/all', 'vu') UNION ALL SELECT code, display FROM expand('http://example.org/vs/all', 'D') ORDER BY 1;
SELECT code FROM expand('http://example.org/vs/all', max_rows => 2);
SELECT validate_code('http://example.org/vs/all', 'http://example.org/animals', 'dog', 'dog') AS designation, validate_code(NULL, 'http://example.org/animals', 'dog', 'Cat') AS wrong,
	validate_code(NULL, 'http://example.org/animals', 'cat') AS no_code, validate_code('http://example.org/vs/listed', NULL, 'x', 'Ex') AS listed;

-- an expansion that came with the value set stands in for systems that are not loaded
SELECT load_value_set('{"resourceType": "ValueSet", "status": "active", "url": "http://example.org/vs/expanded", "version": "2.0",
	"compose": {"include": [{"system": "http://example.org/not-loaded", "filter": [{"property": "concept", "op": "is-a", "value": "r"}]}]},
	"expansion": {"timestamp": "2026-01-01", "contains": [{"system": "http://example.org/not-loaded", "code": "r", "abstract": true, "contains": [{"system": "http://example.org/not-loaded", "code": "s", "display": "Ess"}]}]}}');
SELECT * FROM expand('http://example.org/vs/expanded');
SELECT value_set_has('http://example.org/vs/expanded', 'http://example.org/not-loaded', 's'), value_set_has('http://example.org/vs/expanded|2.0', 'http://example.org/not-loaded', 'r'), value_set_has('http://example.org/vs/expanded|1.0', NULL, 's');

-- ICD-10 from a table: two versions by validity, hierarchy out of the codes, blocks and chapters where the list has them
CREATE TABLE icd_2019 (code text, display text);
INSERT INTO icd_2019 VALUES ('IV', 'chapter'), ('E10-E14', 'block'), ('E11', 'old name'), ('e119', 'no complications'), ('E11.91', NULL), ('I10', NULL), ('IX', NULL), ('I10-I15', NULL), ('G63.2*', NULL), ('A90', NULL);
CREATE TABLE icd_2026 (code text, display text, valid_from date, property jsonb);
INSERT INTO icd_2026 VALUES ('E11', 'new name', NULL, NULL), ('E11.9', NULL, '2027-01-01', '[{"code": "flag", "valueBoolean": true}]');
SELECT load_code_system('http://hl7.org/fhir/sid/icd-10', '2019', '2019-01-01', '2026-07-01', 'icd_2019', 'icd10'), load_code_system('http://hl7.org/fhir/sid/icd-10', '2026', '2026-07-01', NULL, 'icd_2026', 'icd10');
SELECT key, string_agg(ancestor || CASE WHEN direct THEN '' ELSE '*' END, ' ' ORDER BY ancestor) FROM concept_ancestor JOIN code_system ON id = system WHERE version = '2019' GROUP BY key ORDER BY key;
-- the closure is containment as type icd10 has it
SELECT count(*) AS pairs, count(*) FILTER (WHERE (a.key::icd10 <@ b.key::icd10 AND a.key <> b.key) <> EXISTS (SELECT FROM concept_ancestor x WHERE x.system = a.system AND x.key = a.key AND x.ancestor = b.key)) AS differ
FROM concept a JOIN concept b USING (system) JOIN code_system s ON s.id = a.system WHERE s.hierarchy = 'icd10' AND a.key ~ '^[A-Z][0-9]' AND b.key ~ '^[A-Z][0-9]' AND a.key !~ '-' AND b.key !~ '-';
SELECT day, lookup('http://hl7.org/fhir/sid/icd-10', 'E11', day) ->> 'display' AS e11, lookup('http://hl7.org/fhir/sid/icd-10', 'e119†', day) - 'property' AS "e11.9", validate_code(NULL, 'http://hl7.org/fhir/sid/icd-10', 'E11.9', at => day) -> 'result' AS valid
FROM unnest('{2019-01-01,2026-06-30,2026-07-01,2027-01-01}'::date[]) AS day;
SELECT subsumes('http://hl7.org/fhir/sid/icd-10|2019', 'IV', 'E11.91'), subsumes('http://hl7.org/fhir/sid/icd-10|2019', 'E1191', 'e11'), subsumes('http://hl7.org/fhir/sid/icd-10|2019', 'e11.9*', 'E119');
SELECT load_value_set('{"resourceType": "ValueSet", "status": "active", "url": "http://example.org/vs/diabetes", "compose": {"include": [{"system": "http://hl7.org/fhir/sid/icd-10", "filter": [{"property": "concept", "op": "is-a", "value": "E11"}]}]}}');
SELECT day, string_agg(code, ' ') FROM unnest('{2020-01-01,2026-08-01,2027-01-01}'::date[]) AS day, expand('http://example.org/vs/diabetes', at => day) GROUP BY day ORDER BY day;
-- the same version again replaces
SELECT load_code_system('http://hl7.org/fhir/sid/icd-10', '2026', '2026-07-01', NULL, 'icd_2026', 'icd10'), (SELECT count(*) FROM code_system WHERE url = 'http://hl7.org/fhir/sid/icd-10');
-- versions without dates: the highest number counts
SELECT load_code_system(jsonb_build_object('resourceType', 'CodeSystem', 'url', 'http://example.org/v', 'version', v, 'status', 'active', 'content', 'fragment', 'caseSensitive', false, 'concept', '[{"code": "Abc", "display": "d"}]'::jsonb)) FROM unnest('{4.0.9,4.0.10,draft}'::text[]) AS v;
SELECT lookup('http://example.org/v', 'aBC') AS latest, lookup('http://example.org/v|draft', 'ABC') ->> 'version' AS named, validate_code(NULL, 'http://example.org/v', 'zz') AS fragment;

-- the closure against a recursive query on random trees
CREATE TABLE tree AS SELECT 'c' || i AS code, CASE WHEN i > 5 THEN 'c' || 1 + (i * 7919) % (i - 1) END AS parent FROM generate_series(1, 500) AS i;
SELECT load_code_system('http://example.org/tree', '1', NULL, NULL, 'tree');
WITH RECURSIVE up (code, ancestor) AS (SELECT code, parent FROM tree WHERE parent IS NOT NULL UNION ALL SELECT up.code, t.parent FROM up JOIN tree t ON t.code = up.ancestor WHERE t.parent IS NOT NULL),
	made AS (SELECT key, ancestor FROM concept_ancestor JOIN code_system ON id = system WHERE url = 'http://example.org/tree')
SELECT (SELECT count(*) FROM up) > 1000 AS many, (SELECT count(*) FROM (TABLE up EXCEPT TABLE made) AS a) AS missing, (SELECT count(*) FROM (TABLE made EXCEPT TABLE up) AS a) AS too_many;

-- concept maps; pg_catalog.translate(text, text, text) hides ours unless it is named with its schema
SELECT load_concept_map('{"resourceType": "ConceptMap", "url": "http://example.org/map", "status": "active", "group": [
	{"source": "http://example.org/animals", "target": "http://example.org/latin", "element": [
		{"code": "dog", "target": [{"code": "canis", "display": "Canis", "equivalence": "equivalent"}, {"code": "lupus", "equivalence": "wider", "product": [{"property": "p", "value": "v"}]}]},
		{"code": "dodo", "target": [{"equivalence": "unmatched"}]}], "unmapped": {"mode": "fixed", "code": "animal"}},
	{"source": "http://example.org/v", "target": "http://example.org/w", "unmapped": {"mode": "provided"}, "element": [{"code": "none", "target": [{"equivalence": "unmatched"}]}]},
	{"source": "http://example.org/o", "target": "http://example.org/w", "unmapped": {"mode": "other-map", "url": "http://example.org/map2"}, "element": [{"code": "none", "target": [{"equivalence": "unmatched"}]}]}]}'),
	load_concept_map('{"resourceType": "ConceptMap", "url": "http://example.org/map2", "status": "active", "group": [{"target": "http://example.org/z", "element": [{"code": "q", "target": [{"code": "zz", "equivalence": "equal"}]}]}]}');
SELECT s, c, ehr.translate('http://example.org/map', 'http://example.org/' || s, c) FROM (VALUES ('animals', 'dog'), ('animals', 'dodo'), ('animals', 'eel'), ('v', 'abc'), ('o', 'q'), ('o', 'r'), ('none', 'q')) AS v (s, c);

-- refusals: SQLSTATE and place
CREATE FUNCTION pg_temp.refusal(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE state text; message text; detail text;
BEGIN
	EXECUTE command;
	RETURN 'taken';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = returned_sqlstate, message = message_text, detail = pg_exception_detail;
	RETURN concat_ws(' | ', state, message, nullif(detail, ''));
END $$;
CREATE TABLE no_code (kod text); CREATE TABLE null_code (code text); INSERT INTO null_code VALUES (NULL);
CREATE TABLE twice (code text, parent text); INSERT INTO twice VALUES ('E11.9', NULL), ('e119', NULL);
CREATE TABLE orphan (code text, parent text); INSERT INTO orphan VALUES ('a', 'b'); CREATE TABLE circle (code text, parent text); INSERT INTO circle VALUES ('a', 'b'), ('b', 'a');
SELECT what, pg_temp.refusal(command) FROM (VALUES
	('no FHIR', $$SELECT ehr.load_code_system('{"resourceType": "CodeSystem", "url": "u", "status": "active", "content": "complete", "concept": [{"display": "x"}]}')$$),
	('another type', $$SELECT ehr.load_code_system('{"resourceType": "ValueSet", "status": "active"}')$$),
	('no url', $$SELECT ehr.load_code_system('{"resourceType": "CodeSystem", "status": "active", "content": "complete"}')$$),
	('supplement', $$SELECT ehr.load_code_system('{"resourceType": "CodeSystem", "url": "u", "status": "active", "content": "supplement"}')$$),
	('code twice', $$SELECT ehr.load_code_system('{"resourceType": "CodeSystem", "url": "u", "status": "active", "content": "complete", "concept": [{"code": "a", "concept": [{"code": "b"}, {"code": "a"}]}]}')$$),
	('no parent', $$SELECT ehr.load_code_system('{"resourceType": "CodeSystem", "url": "u", "status": "active", "content": "complete", "concept": [{"code": "a", "property": [{"code": "x", "valueString": "y"}, {"code": "parent", "valueCode": "b"}]}]}')$$),
	('circle', $$SELECT ehr.load_code_system('{"resourceType": "CodeSystem", "url": "u", "status": "active", "content": "complete", "concept": [{"code": "a", "concept": [{"code": "b", "property": [{"code": "child", "valueCode": "a"}]}]}]}')$$),
	('dates', $$SELECT ehr.load_code_system('u', '1', '2020-01-01', '2020-01-01', 'tree')$$),
	('hierarchy', $$SELECT ehr.load_code_system('u', '1', NULL, NULL, 'tree', 'icd9')$$),
	('no column', $$SELECT ehr.load_code_system('u', '1', NULL, NULL, 'no_code')$$),
	('null code', $$SELECT ehr.load_code_system('u', '1', NULL, NULL, 'null_code')$$),
	('one code written twice', $$SELECT ehr.load_code_system('u', '1', NULL, NULL, 'twice', 'icd10')$$),
	('orphan', $$SELECT ehr.load_code_system('u', '1', NULL, NULL, 'orphan')$$),
	('circle', $$SELECT ehr.load_code_system('u', '1', NULL, NULL, 'circle')$$),
	('value set without url', $$SELECT ehr.load_value_set('{"resourceType": "ValueSet", "status": "active"}')$$),
	('rule of nothing', $$SELECT ehr.load_value_set('{"resourceType": "ValueSet", "url": "u", "status": "active", "compose": {"include": [{"system": "s"}, {"version": "1"}]}}')$$),
	('codes and filters', $$SELECT ehr.load_value_set('{"resourceType": "ValueSet", "url": "u", "status": "active", "compose": {"include": [{"system": "s", "concept": [{"code": "c"}], "filter": [{"property": "concept", "op": "is-a", "value": "x"}]}]}}')$$),
	('operator', $$SELECT ehr.load_value_set('{"resourceType": "ValueSet", "url": "u", "status": "active", "compose": {"include": [{"system": "s", "filter": [{"property": "concept", "op": "like", "value": "x"}]}]}}')$$),
	('regex', $$SELECT ehr.load_value_set('{"resourceType": "ValueSet", "url": "u", "status": "active", "compose": {"include": [{"system": "s", "filter": [{"property": "code", "op": "regex", "value": "(a"}]}]}}')$$),
	('made of itself', $$SELECT ehr.load_value_set('{"resourceType": "ValueSet", "url": "http://example.org/vs/four", "status": "active", "compose": {"include": [{"system": "s"}], "exclude": [{"valueSet": ["http://example.org/vs/isa", "http://example.org/vs/cut"]}]}}')$$),
	('map in a circle', $$SELECT ehr.load_concept_map('{"resourceType": "ConceptMap", "url": "http://example.org/map2", "status": "active", "group": [{"element": [{"code": "q", "target": [{"equivalence": "equal", "code": "q"}]}], "unmapped": {"mode": "other-map", "url": "http://example.org/map"}}]}')$$),
	('expand unknown', $$SELECT ehr.expand('http://example.org/none')$$),
	('expand without its system', $$SELECT ehr.expand('http://example.org/vs/gone')$$),
	('expand a grammar', $$SELECT ehr.expand('http://hl7.org/fhir/ValueSet/ucum-units')$$),
	('lookup unknown', $$SELECT ehr.lookup('http://example.org/none', 'a')$$),
	('lookup on a day', $$SELECT ehr.lookup('http://hl7.org/fhir/sid/icd-10', 'E11', '2018-12-31')$$),
	('subsumes unknown', $$SELECT ehr.subsumes('http://example.org/none', 'a', 'b')$$),
	('translate unknown', $$SELECT ehr.translate('http://example.org/none', 's', 'b')$$)) AS v (what, command);
SELECT lookup(NULL, 'a'), subsumes('u', NULL, 'b'), ehr.translate('m', 's', NULL), validate_code(NULL, NULL, 'x');

-- anybody may ask, nobody but the owner may load
CREATE ROLE regress_terminology;
GRANT USAGE ON SCHEMA ehr TO regress_terminology;
SET LOCAL ROLE regress_terminology;
SELECT validate_code('http://example.org/vs/isa', 'http://example.org/animals', 'bat'), (SELECT count(*) FROM expand('http://example.org/vs/land')), subsumes('http://example.org/animals', 'mammal', 'bat'),
	ehr.translate('http://example.org/map', 'http://example.org/animals', 'dodo') -> 'result' AS translated, lookup('http://example.org/animals', 'bat') ->> 'display' AS display;
SELECT pg_temp.refusal($$SELECT ehr.load_value_set('{"resourceType": "ValueSet", "status": "active", "url": "u"}')$$);
RESET ROLE;
ROLLBACK;
