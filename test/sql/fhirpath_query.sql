-- Running expressions: the functions, their errors, variables, indexes.
SET search_path = public, ehr;
CREATE TABLE path_doc (id int, doc jsonb);
INSERT INTO path_doc VALUES
	(1, '{"resourceType": "Patient", "id": "a", "active": true, "birthDate": "1980-05-17", "name": [{"use": "official", "family": "Nguyễn", "given": ["Văn", "An"]}, {"given": ["An"]}]}'),
	(2, '{"resourceType": "Patient", "id": "b", "birthDate": "1980", "_birthDate": {"extension": [{"url": "x", "valueString": "about"}]}, "name": [{"family": "Trần", "_given": [null, {"id": "g"}], "given": ["Bình", null]}]}'),
	(3, '{"resourceType": "Observation", "id": "o", "status": "final", "code": {"text": "w"}, "valueQuantity": {"value": 61.50, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"}, "effectiveDateTime": "2024-03-01T08:00:00+07:00"}'),
	(4, '{"no": "resource", "list": [1, 2.50, "x", null, [3]]}'),
	(5, '"scalar"'), (6, '[1, 2]'), (7, 'null');

SELECT id, fhirpath_query(doc, 'name.given') FROM path_doc ORDER BY id;
SELECT id, fhirpath_query_array(doc, 'name.given | value.value | list') FROM path_doc ORDER BY id;
SELECT id, fhirpath_query_first(doc, 'name.given') FROM path_doc ORDER BY id;
SELECT id, fhirpath_exists(doc, 'birthDate.extension') AS exists, fhirpath_match(doc, 'active') AS match, doc ?~ 'name.where(given = ''Bình'')' AS operator FROM path_doc ORDER BY id;
SELECT id, fhirpath_text(doc, 'birthDate') AS text, fhirpath_date(doc, 'birthDate') AS date, fhirpath_numeric(doc, 'value') AS numeric,
	fhirpath_boolean(doc, 'active') AS boolean, fhirpath_timestamptz(doc, 'effective') AT TIME ZONE 'UTC' AS "timestamptz (UTC)"
FROM path_doc ORDER BY id;
-- several items, errors of types: NULL
SELECT fhirpath_text(doc, 'name.given') AS several, fhirpath_numeric(doc, 'name.family') AS no_number, fhirpath_text(doc, '1 + ''a''') AS failed FROM path_doc WHERE id = 1;
-- a set that is not read to its end, one after the other, and none
SELECT id, (SELECT f FROM fhirpath_query(doc, 'name.given') AS f LIMIT 1) FROM path_doc WHERE id < 3 ORDER BY id;
SELECT fhirpath_query(doc, 'name.given'), fhirpath_query(doc, 'name.family') FROM path_doc WHERE id = 1;
SELECT id, f FROM path_doc, fhirpath_query(doc, 'name.family') AS f WHERE id < 4;
-- an expression from the table, another one for each row
SELECT id, fhirpath_query_array(doc, p) FROM path_doc, (VALUES ('id'::fhirpath), ('resourceType'), ('name.count()')) AS t(p) WHERE id < 3 ORDER BY id, p::text;

-- variables
SELECT fhirpath_query_array('{"a": 5}', '%x + a', '{"x": 2}') AS one, fhirpath_query_array('{"a": 5}', '%x.count()', '{"%x": [1, 2, 3]}') AS three,
	fhirpath_query_array('{"a": 5}', '%context.a + %resource.a', '{"resource": {"a": 7}}') AS given;
SELECT fhirpath_query_array('{"telecom": [{"system": "phone"}]}', 'telecom.system is code', '{"%type": "Patient.contact"}') AS typed,
	fhirpath_query_array('{"resourceType": "Observation", "valueString": "x"}', 'value', '{"%model": "none"}') AS no_model;

-- what other rooms know: value sets and profiles; {} for those that nobody knows
SELECT fhirpath_query_array(d, 'gender.memberOf(''http://hl7.org/fhir/ValueSet/administrative-gender'')') AS member,
	fhirpath_query_array(d, 'id.memberOf(''http://hl7.org/fhir/ValueSet/administrative-gender'')') AS no_member,
	fhirpath_query_array(d, 'gender.memberOf(''http://example.org/vs'')') AS unknown,
	fhirpath_query_array(d, 'conformsTo(''http://hl7.org/fhir/StructureDefinition/Person'')') AS other_type,
	fhirpath_query_array(d, 'conformsTo(''http://example.org/profile'')') AS unknown_profile
FROM (VALUES ('{"resourceType": "Patient", "id": "x", "gender": "male"}'::jsonb)) AS t(d);

-- errors; with silent, none
\set VERBOSITY sqlstate
SELECT fhirpath_query('{"a": [1, 2]}', 'a + 1');
SELECT fhirpath_query('{"a": "x"}', 'a + 1');
SELECT fhirpath_query('{}', '%unknown');
SELECT fhirpath_query('{}', '''x''.matches(''('')');
SELECT fhirpath_query('{"a": "x"}', 'a.conformsTo(1)');
SELECT fhirpath_text('{"a": "x"}', 'a.memberOf(''http://example.org/vs'')');
SELECT fhirpath_query('{}', 'a', '[]');
SELECT fhirpath_text('{}', 'now()');
SELECT fhirpath_text('{}', '%x');
SELECT '{}'::jsonb ?~ 'resolve()';
SET ehr.fhirpath_step_limit = 1000;
SELECT fhirpath_query('{"a": [1, 2, 3, 4, 5, 6, 7, 8, 9]}', 'a.select(%context.a).select(%context.a).select(%context.a).count()');
RESET ehr.fhirpath_step_limit;
\set VERBOSITY default
SELECT fhirpath_query_array('{"a": "x"}', 'a + 1', '{}', true) AS silent, fhirpath_match('{"a": "x"}', 'a + 1', silent => true) AS match;

-- immutable: indexes and generated columns
CREATE INDEX path_doc_born ON path_doc (fhirpath_date(doc, 'birthDate'));
ALTER TABLE path_doc ADD COLUMN family text GENERATED ALWAYS AS (fhirpath_text(doc, 'name.family')) STORED;
SELECT id, family FROM path_doc WHERE family IS NOT NULL ORDER BY id;
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM path_doc WHERE fhirpath_date(doc, 'birthDate') = '1980-05-17';
RESET enable_seqscan;
DROP TABLE path_doc;

-- as PostgreSQL's own jsonpath has it, on documents of many forms
CREATE TEMP TABLE path_form AS
SELECT jsonb_build_object('resourceType', 'Patient', 'n', n,
	'name', (SELECT coalesce(jsonb_agg(jsonb_build_object('use', CASE (n + i) % 3 WHEN 0 THEN 'official' ELSE 'usual' END,
		'given', (SELECT coalesce(jsonb_agg('g' || (n * 7 + i * 3 + j) % 11), '[]') FROM generate_series(1, (n + i) % 4) AS j), 'family', 'f' || n % 5)), '[]')
		FROM generate_series(1, n % 40) AS i)) || (SELECT jsonb_object_agg('key' || k, k * n) FROM generate_series(1, 1 + n % 70) AS k) AS doc
FROM generate_series(0, 400) AS n;
SELECT count(*) AS documents,
	count(*) FILTER (WHERE ehr.fhirpath_query_array(doc, 'name.given') = jsonb_path_query_array(doc, '$.name[*].given[*]')) AS path,
	count(*) FILTER (WHERE ehr.fhirpath_query_array(doc, 'name.where(use = ''official'').given') = jsonb_path_query_array(doc, '$.name[*] ? (@.use == "official").given[*]')) AS filtered,
	count(*) FILTER (WHERE ehr.fhirpath_query_array(doc, 'name.where(given.exists($this = ''g3'')).family') = jsonb_path_query_array(doc, '$.name[*] ? (exists(@.given[*] ? (@ == "g3"))).family')) AS nested,
	count(*) FILTER (WHERE ehr.fhirpath_query_array(doc, 'name[2].given') = jsonb_path_query_array(doc, '$.name[2].given[*]')) AS indexed,
	count(*) FILTER (WHERE ehr.fhirpath_query_array(doc, 'key37 | key64') = jsonb_path_query_array(doc, '$.key37') || jsonb_path_query_array(doc, '$.key64') OR (doc -> 'n')::int = 0) AS large,
	count(*) FILTER (WHERE ehr.fhirpath_exists(doc, 'name.where(family = ''f3'')') = jsonb_path_exists(doc, '$.name[*] ? (@.family == "f3")')) AS found,
	count(*) FILTER (WHERE ehr.fhirpath_query_first(doc, 'name.given.count()')::int = jsonb_array_length(jsonb_path_query_array(doc, '$.name[*].given[*]'))) AS counted
FROM path_form;

-- whether many strings are distinct is told by sorting
SELECT count(*) FILTER (WHERE ehr.fhirpath_match(doc, 'name.given.isDistinct()')) AS distinct_names,
	count(*) FILTER (WHERE ehr.fhirpath_match(doc, 'name.given.isDistinct()') <> ehr.fhirpath_match(doc, 'name.given.distinct().count() = name.given.count()')) AS otherwise,
	count(*) FILTER (WHERE ehr.fhirpath_match(doc, 'name.select(family & ''-'' & given.first()).isDistinct()') <> ehr.fhirpath_match(doc, 'name.select(family & ''-'' & given.first()).distinct().count() = name.select(family & ''-'' & given.first()).count()')) AS otherwise_joined
FROM path_form;
-- quantities in units of another system than UCUM compare in the same unit
SELECT a, b, ehr.fhirpath_query_array(jsonb_build_object('resourceType', 'Observation', 'referenceRange', jsonb_build_array(jsonb_build_object('low', a, 'high', b))),
	'referenceRange.select(low < high)') FROM (VALUES
	('{"value": 1, "system": "http://x", "code": "TAB"}'::jsonb, '{"value": 2.0, "system": "http://x", "code": "TAB"}'::jsonb), ('{"value": 3, "system": "http://x", "code": "TAB"}', '{"value": 2, "system": "http://x", "code": "TAB"}'),
	('{"value": 1, "system": "http://x", "code": "TAB"}', '{"value": 2, "system": "http://x", "code": "CAP"}'), ('{"value": 1, "system": "http://x", "code": "TAB"}', '{"value": 2, "system": "http://y", "code": "TAB"}'),
	('{"value": 1, "system": "http://x", "code": "TAB", "comparator": "<"}', '{"value": 2, "system": "http://x", "code": "TAB"}'), ('{"value": 1, "system": "http://x"}', '{"value": 2, "system": "http://x"}'),
	('{"system": "http://x", "code": "TAB"}', '{"value": 2, "system": "http://x", "code": "TAB"}')) v(a, b);
-- what doubles at every step comes to the limit, and so does what gives out a variable's items for each of them
SELECT ehr.fhirpath_query(jsonb_build_object('x', (SELECT jsonb_agg(i) FROM generate_series(1, 5000) AS i)), 'defineVariable(''n'', x).x.select(%n.count()).count()');
SELECT ehr.fhirpath_query('{"a": 1}', ('a' || repeat('.select($this.combine($this))', 40) || '.count()')::ehr.fhirpath);

-- compressed and external values, several expressions to one row
CREATE TEMP TABLE path_toast (kind text, doc jsonb);
INSERT INTO path_toast SELECT 'compressed', jsonb_build_object('resourceType', 'Patient', 'id', 'p' || i, 'text', repeat('x', 3000), 'birthDate', '1980-01-0' || i) FROM generate_series(1, 3) AS i;
ALTER TABLE path_toast ALTER doc SET STORAGE external;
INSERT INTO path_toast SELECT 'external', jsonb_build_object('resourceType', 'Patient', 'id', 'p' || i, 'text', repeat('x', 3000), 'birthDate', '1980-01-0' || i) FROM generate_series(1, 3) AS i;
SELECT kind, ehr.fhirpath_text(doc, 'id'), ehr.fhirpath_date(doc, 'birthDate'), ehr.fhirpath_query(doc, 'text.length()') FROM path_toast ORDER BY 1, 2;
SELECT a.kind, ehr.fhirpath_query(a.doc, 'id'), ehr.fhirpath_query(b.doc, 'birthDate') FROM path_toast AS a, path_toast AS b WHERE a.doc ->> 'id' = 'p1' AND b.doc ->> 'id' = 'p2' ORDER BY 1, 2, 3;
DROP TABLE path_form, path_toast;
-- an object is no number, alone neither
SELECT e AS expression, ehr.fhirpath_query_array('{"a": {"b": 1}, "c": [{"b": 1}, {"b": 2}]}', e::ehr.fhirpath, silent => true) AS silent
FROM (VALUES ('a.sum()'), ('a.sum() + ''x'''), ('a.avg()'), ('a.min()'), ('c.sum()'), ('c.max()'), ('c.b.sum()'), ('a | a.sum()'), ('-a'), ('a.abs()')) AS t(e);
SELECT ehr.fhirpath_query_array('{"a": {"b": 1}}', 'a.sum()');
-- parsing units is work that counts
SET ehr.fhirpath_step_limit = 5000;
SELECT ehr.fhirpath_query(jsonb_build_object('x', (SELECT jsonb_agg(i) FROM generate_series(1, 100) AS i)), 'x.all(iif($this > 0, 1 ''m/s'') = 1 ''m/s'')');
SELECT ehr.fhirpath_query(jsonb_build_object('x', (SELECT jsonb_agg(i) FROM generate_series(1, 100) AS i)), 'x.all(iif($this > 0, 1 ''m/s'') = 3.6 ''km/h'')');
RESET ehr.fhirpath_step_limit;
RESET search_path;
