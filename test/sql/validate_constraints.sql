-- Constraints of profiles in the whole of FHIRPath, and the invariants that are written in C against their published expressions.
-- Nothing stays: one transaction.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
BEGIN;
-- severity, rule and place of every issue besides the missing narrative
CREATE FUNCTION pg_temp.issues(doc jsonb, profile text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(string_agg(concat_ws(' ', issue ->> 'severity', issue ->> 'code', issue #>> '{details,coding,0,code}', issue #>> '{expression,0}'), E'\n' ORDER BY n), 'fine')
	FROM jsonb_array_elements(ehr.validate(doc, profile) -> 'issue') WITH ORDINALITY i(issue, n)
	WHERE issue #>> '{details,coding,0,code}' <> 'dom-6' AND issue ->> 'code' <> 'informational'
$$;
-- a profile with one constraint on one element of a type
CREATE FUNCTION pg_temp.constrain(name text, path text, expression text, severity text DEFAULT 'error') RETURNS void LANGUAGE sql AS $$
	SELECT ehr.load_definition(jsonb_build_object('resourceType', 'StructureDefinition', 'url', 'http://example.vn/' || name, 'name', initcap(name),
		'status', 'active', 'kind', 'resource', 'abstract', false, 'type', split_part(path, '.', 1), 'derivation', 'constraint',
		'baseDefinition', 'http://hl7.org/fhir/StructureDefinition/' || split_part(path, '.', 1),
		'differential', jsonb_build_object('element', jsonb_build_array(jsonb_build_object('id', path, 'path', path, 'constraint',
			jsonb_build_array(jsonb_build_object('key', name || '-1', 'severity', severity, 'human', 'x', 'expression', expression)))))))
$$;
-- an expression asked of an element of a document, as a constraint of a profile
CREATE FUNCTION pg_temp.ask(path text, expression text, doc jsonb) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_temp.constrain('c', path, expression);
	RETURN pg_temp.issues(doc, 'http://example.vn/c');
END $$;
\set patient '{"resourceType":"Patient","id":"p","gender":"female","birthDate":"1990-05-06","name":[{"family":"A","given":["B","C"]},{"text":"D"}],"text":{"status":"generated","div":"<div xmlns=\\"http://www.w3.org/1999/xhtml\\">x</div>"}}'
\set team '{"resourceType":"Observation","status":"final","code":{"text":"x"},"contained":[{"resourceType":"Patient","id":"p","gender":"male"},{"resourceType":"Group","id":"g","type":"person","actual":true,"member":[{"entity":{"reference":"#p"}}]}],"subject":{"reference":"#g"}}'
\set bundle '{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"http://example.vn/Observation/o","resource":{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/p"}}},{"fullUrl":"http://example.vn/Patient/p","resource":{"resourceType":"Patient","id":"p","gender":"female"}}]}'

-- functions that no invariant of R4 uses
SELECT e, pg_temp.ask('Patient', e, :'patient') FROM (VALUES
	('name.given.last() = ''C'' and name[0].given[1] = ''C'''), ('birthDate <= today() and now() > @2020'), ('(today() - 10 years) > birthDate'),
	('name.family.lower().replace(''a'', ''x'').length() = 1'), ('name.repeat(given).count() = 2 and name.exists($index = 1 and text = ''D'')'),
	('defineVariable(''n'', name.given).select(%n.count() = 2).first()'), ('name.given.trace(''given'').aggregate($total & $this, '''') = ''BC'''),
	('text.`div`.htmlChecks()'), ('name.given.join('','').matches(''^B,'')'), ('name.given.exists(matchesFull(''[A-C]''))'), ('1.5 * 2 = 3 and 7 div 2 = 3 and 7 mod 2 = 1'),
	('gender.type().name = ''code'' and birthDate is date'), ('4 ''g'' < 1 ''kg'''), ('name.all($this.conformsTo(''http://hl7.org/fhir/StructureDefinition/HumanName''))'),
	-- not true: {} and false; nothing to be compared: it holds; what FHIRPath cannot decide
	('{}'), ('name.family = ''B'''), ('maritalStatus.text.startsWith(''x'')'), ('@1990-05 <= birthDate'), ('@1990 < birthDate'),
	('name.given = name.given and name.given.single() = ''B'''), ('name.given.lower() = ''b'''),
	-- no FHIRPath
	('name.given.'), ('name.shout()'), ('%nobody.exists()')) v(e);

-- %context, %resource, %rootResource; resolve() in contained resources and in a Bundle
SELECT pg_temp.ask('Observation.subject', '%context.reference = ''#g'' and %resource.status = ''final'' and %rootResource.id.empty()', :'team');
SELECT pg_temp.ask('Observation.subject', 'resolve().ofType(Group).member.entity.resolve().gender = ''male''', :'team');
SELECT pg_temp.ask('Observation.subject', 'resolve() is Patient', :'team');
SELECT pg_temp.ask('Observation.contained', '%resource is Observation and (gender.exists() implies %context is Patient) and %rootResource is Observation', :'team');
SELECT pg_temp.ask('Observation.contained.id', '%resource.is(Observation).not() and %rootResource is Observation', :'team');
SELECT pg_temp.ask('Bundle', 'entry.resource.ofType(Observation).all(subject.resolve().gender = ''female'')', :'bundle');
SELECT pg_temp.ask('Bundle.entry.resource', '%resource is Bundle and %context.id.exists()', :'bundle');
SELECT pg_temp.constrain('o', 'Observation.subject', 'resolve().gender = ''male''', 'warning');
SELECT pg_temp.issues(jsonb_set(:'bundle', '{entry,0,resource,meta}', '{"profile":["http://example.vn/o"]}'));
-- the same documents as text
SELECT count(*) FILTER (WHERE issue #>> '{details,coding,0,code}' = 'o-1') FROM jsonb_array_elements(ehr.validate(jsonb_set(:'bundle', '{entry,0,resource,meta}', '{"profile":["http://example.vn/o"]}')::text) -> 'issue') issue;
SELECT issue #>> '{details,coding,0,code}', issue #>> '{expression,0}' FROM jsonb_array_elements(ehr.validate('{"resourceType":"Patient","active":true,"name":[{"period":{"end":"2019-01-01","start":"2020-01-01","_start":{"id":"s"}}}],"active":true}'::text) -> 'issue') issue;
SELECT issue #>> '{details,coding,0,code}', issue ->> 'code' FROM jsonb_array_elements(ehr.validate('{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueRange":{"low":{"value":1e999999},"high":{"value":2}}}'::text) -> 'issue') issue;

-- memberOf() and conformsTo() know what is loaded, also when one leads into the other
SELECT ehr.load_definition('{"resourceType":"CodeSystem","url":"http://example.vn/cs","status":"active","content":"complete","concept":[{"code":"a"},{"code":"b"}]}') IS NOT NULL,
	ehr.load_definition('{"resourceType":"ValueSet","url":"http://example.vn/vs","status":"active","compose":{"include":[{"system":"http://example.vn/cs"}]}}') IS NOT NULL;
SELECT pg_temp.ask('Observation.code', 'memberOf(''http://example.vn/vs'')', jsonb_set(:'team', '{code}', '{"coding":[{"system":"http://example.vn/cs","code":"b"}]}'));
SELECT pg_temp.ask('Observation.code', 'memberOf(''http://example.vn/vs'')', jsonb_set(:'team', '{code}', '{"coding":[{"system":"http://example.vn/cs","code":"c"}]}'));
SELECT pg_temp.constrain('born', 'Patient', 'birthDate.exists() and name.exists(period.start < period.end).not()');
SELECT pg_temp.ask('Bundle', 'entry.resource.ofType(Patient).all(conformsTo(''http://example.vn/born''))', :'bundle');
SELECT pg_temp.ask('Bundle', 'entry.resource.ofType(Patient).all(conformsTo(''http://example.vn/born''))', jsonb_set(:'bundle', '{entry,1,resource,birthDate}', '"1990-01-01"'));
SELECT pg_temp.ask('Bundle', 'entry.resource.ofType(Patient).all(conformsTo(''http://example.vn/nobody''))', :'bundle');
SELECT pg_temp.ask('Observation.code', 'memberOf(''http://example.vn/none'')', jsonb_set(:'team', '{code}', '{"coding":[{"system":"http://example.vn/cs","code":"b"}]}'));
SELECT pg_temp.ask('Observation.code', 'memberOf(''http://example.vn/vs'')', :'team');
-- a profile that asks for itself comes to an end, and so does an expression that grows without end
SELECT pg_temp.ask('Patient', 'conformsTo(''http://example.vn/c'')', :'patient');
SELECT pg_temp.ask('Patient', 'name' || repeat('.combine(%resource.descendants()).select($this.combine($this))', 40) || '.count() > 1', :'patient');

-- invariants written in C: of each document the published expression (dom-3 with ofType() for as() of several items), and what validate() says (ref-1: "#" alone leads to the container, R4 references.html, which the expression does not know)
CREATE TEMPORARY TABLE by_hand (key text, published ehr.fhirpath, rules text) ON COMMIT DROP;
INSERT INTO by_hand VALUES
	('dom-3', $$contained.where((('#'+id in (%resource.descendants().reference | %resource.descendants().ofType(canonical) | %resource.descendants().ofType(uri) | %resource.descendants().ofType(url))) or descendants().where(reference = '#').exists() or descendants().where(as(canonical) = '#').exists() or descendants().where(as(canonical) = '#').exists()).not()).trace('unmatched', id).empty()$$, 'dom-3'),
	('ref-1', $$descendants().ofType(Reference).where(reference.exists()).all(reference.startsWith('#').not() or (reference.substring(1).trace('url') in %rootResource.contained.id.trace('ids')))$$, 'ref-1'),
	('ele-1', $$descendants().all(hasValue() or (children().count() > id.count()))$$, 'only-id|empty-object'),
	('ext-1', $$descendants().ofType(Extension).all(extension.exists() != value.exists())$$, 'extension-(both|none)'),
	('txt-1', $$text.`div`.all(htmlChecks())$$, 'xhtml-.*');
CREATE TEMPORARY TABLE document (n int GENERATED ALWAYS AS IDENTITY, doc jsonb) ON COMMIT DROP;
INSERT INTO document (doc) VALUES
	(:'patient'), (:'team'), (jsonb_set(:'team', '{subject,reference}', '"#x"')), (:'team'::jsonb - 'subject'), (:'team'::jsonb - 'contained'),
	(jsonb_set(:'team', '{subject}', '{"reference":"#p"}')), (jsonb_set(:'team', '{contained,1,member,0,entity}', '{"reference":"#"}') - 'subject'),
	(jsonb_set(:'team', '{subject}', '{"reference":"#p"}') #- '{contained,1}'), (jsonb_set(:'team', '{derivedFrom}', '[{"reference":"#p"},{"display":"x"}]')),
	('{"resourceType":"Patient","contact":[{"id":"x"}]}'), ('{"resourceType":"Patient","_birthDate":{"id":"x"}}'), ('{"resourceType":"Patient","contact":[{"id":"x","gender":"male"}]}'),
	('{"resourceType":"Patient","maritalStatus":{}}'), ('{"resourceType":"Patient","name":[{"given":["a",null],"_given":[null,{"extension":[{"url":"http://x","valueCode":"x"}]}]}]}'),
	('{"resourceType":"Patient","extension":[{"url":"http://x"}]}'), ('{"resourceType":"Patient","extension":[{"url":"http://x","valueCode":"x","extension":[{"url":"y","valueCode":"x"}]}]}'),
	('{"resourceType":"Patient","extension":[{"url":"http://x","extension":[{"url":"y","valueCode":"x"}]}]}'), ('{"resourceType":"Patient","name":[{"extension":[{"url":"http://x"}]}]}'),
	('{"resourceType":"Patient","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><script>x</script></div>"}}'),
	('{"resourceType":"Patient","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"> </div>"}}'),
	('{"resourceType":"Patient","text":{"status":"generated","div":"<p>x</p>"}}'), ('{"resourceType":"Patient","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><b>x</div>"}}');
SELECT key, count(*) FILTER (WHERE holds) AS holds, count(*) FILTER (WHERE NOT holds) AS broken, string_agg(n::text, ' ' ORDER BY n) FILTER (WHERE holds = said) AS otherwise
FROM (SELECT key, n, ehr.fhirpath_match(doc, published) AS holds,
	EXISTS (SELECT FROM jsonb_array_elements(ehr.validate(doc) -> 'issue') i WHERE i #>> '{details,coding,0,code}' ~ ('^(' || rules || ')$')) AS said FROM by_hand, document) v GROUP BY key ORDER BY key;
ROLLBACK;
