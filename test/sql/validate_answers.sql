-- Questionnaires in full: enableWhen, R4's extensions of questions, value sets; reports against their Measure. Nothing stays.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
BEGIN;
CREATE FUNCTION pg_temp.issues(doc jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(string_agg(concat_ws(' ', issue #>> '{details,coding,0,code}', issue #>> '{expression,0}'), ', ' ORDER BY n), 'fine')
	FROM jsonb_array_elements(ehr.validate(doc) -> 'issue') WITH ORDINALITY i(issue, n)
	WHERE issue ->> 'severity' IN ('error', 'fatal')
$$;
-- one question with the keys and extensions {name: value}, and answers to it
CREATE FUNCTION pg_temp.asked(question jsonb, extensions jsonb, VARIADIC answers text[]) RETURNS text LANGUAGE sql AS $$
	SELECT pg_temp.issues(jsonb_build_object('resourceType', 'QuestionnaireResponse', 'status', 'completed', 'questionnaire', '#q',
		'contained', jsonb_build_array(jsonb_build_object('resourceType', 'Questionnaire', 'id', 'q', 'status', 'active',
			'item', jsonb_build_array(jsonb_build_object('linkId', 'a') || question || CASE WHEN extensions = '[]' THEN '{}' ELSE jsonb_build_object('extension',
				(SELECT jsonb_agg(jsonb_build_object('url', 'http://hl7.org/fhir/StructureDefinition/' || (e ->> 'name')) || (e - 'name')) FROM jsonb_array_elements(extensions) e)) END))),
		'item', jsonb_build_array(jsonb_build_object('linkId', 'a') || CASE WHEN answers = '{}' THEN '{}' ELSE jsonb_build_object('answer', (SELECT jsonb_agg(x::jsonb) FROM unnest(answers) x)) END)))
$$;

-- bounds: numbers exactly, dates as far as both are precise
SELECT pg_temp.asked('{"type":"decimal"}', '[{"name":"minValue","valueDecimal":1.5},{"name":"maxValue","valueDecimal":20}]', format('{"valueDecimal":%s}', v)) FROM unnest('{1.49,1.50,20.000,20.0001}'::text[]) v;
SELECT pg_temp.asked('{"type":"date"}', '[{"name":"minValue","valueDate":"2020-06"}]', format('{"valueDate":"%s"}', v)) FROM unnest('{2020-05-31,2020-06-01,2020,2021}'::text[]) v;
SELECT pg_temp.asked('{"type":"time"}', '[{"name":"maxValue","valueTime":"12:00:00"}]', format('{"valueTime":"%s"}', v)) FROM unnest('{11:59:59,12:00:00,12:00:01}'::text[]) v;
SELECT pg_temp.asked('{"type":"decimal"}', '[{"name":"maxDecimalPlaces","valueInteger":2}]', format('{"valueDecimal":%s}', v)) FROM unnest('{5,5.12,-5.123}'::text[]) v;
-- length, form
SELECT pg_temp.asked('{"type":"string","maxLength":4}', '[{"name":"minLength","valueInteger":3}]', format('{"valueString":"%s"}', v)) FROM unnest('{ấy,abc,nước,abcde}'::text[]) v;
SELECT pg_temp.asked('{"type":"string"}', '[{"name":"regex","valueString":"[0-9]{3}"}]', format('{"valueString":"%s"}', v)) FROM unnest('{123,1234,abc}'::text[]) v;
-- how often
SELECT pg_temp.asked('{"type":"string","repeats":true}', '[{"name":"questionnaire-minOccurs","valueInteger":2},{"name":"questionnaire-maxOccurs","valueInteger":3}]', VARIADIC array_fill('{"valueString":"x"}'::text, ARRAY[n])) FROM generate_series(0, 4) n;
-- media types and size of attachments, by their size and by their data
SELECT pg_temp.asked('{"type":"attachment"}', '[{"name":"mimeType","valueCode":"image/gif"},{"name":"mimeType","valueCode":"image/png"},{"name":"maxSize","valueDecimal":5}]', v)
FROM (VALUES ('{"valueAttachment":{"contentType":"image/png","size":5}}'), ('{"valueAttachment":{"contentType":"text/plain"}}'), ('{"valueAttachment":{"contentType":"image/gif","size":6}}'),
	('{"valueAttachment":{"contentType":"image/gif","data":"MTIzNDU="}}'), ('{"valueAttachment":{"contentType":"image/gif","data":"MTIzNDU2"}}')) t(v);
-- units, listed and by value set (R4's own: known without being loaded)
SELECT pg_temp.asked('{"type":"quantity"}', '[{"name":"questionnaire-unitOption","valueCoding":{"system":"http://unitsofmeasure.org","code":"km","display":"kilometer"}}]', v)
FROM (VALUES ('{"valueQuantity":{"value":1,"system":"http://unitsofmeasure.org","code":"km"}}'), ('{"valueQuantity":{"value":1,"unit":"kilometer"}}'), ('{"valueQuantity":{"value":1,"unit":"kg","system":"http://unitsofmeasure.org","code":"kg"}}'),
	('{"valueQuantity":{"value":1}}')) t(v);
SELECT pg_temp.asked('{"type":"quantity"}', '[{"name":"questionnaire-unitValueSet","valueCanonical":"http://hl7.org/fhir/ValueSet/age-units"}]', format('{"valueQuantity":{"value":1,"system":"http://unitsofmeasure.org","code":"%s"}}', v)) FROM unnest('{a,m}'::text[]) v;
-- where references lead
SELECT pg_temp.asked('{"type":"reference"}', '[{"name":"questionnaire-referenceResource","valueCode":"Patient"}]', format('{"valueReference":{"reference":"%s"}}', v)) FROM unnest('{Patient/1,Organization/1,https://example.vn/fhir/Patient/1,https://example.vn/Chicken/1,urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7}'::text[]) v;
-- choices: listed options of any type, one that excludes all others, value sets; what is no option is free text only where that is open
\set options '"repeats":true,"answerOption":[{"valueCoding":{"system":"http://x","code":"a"}},{"valueInteger":3},{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/questionnaire-optionExclusive","valueBoolean":true}],"valueCoding":{"system":"http://x","code":"none"}}]'
SELECT pg_temp.asked(format('{"type":"%s",%s}', type, :'options')::jsonb, '[]', VARIADIC answers) FROM unnest('{choice,open-choice}'::text[]) type,
	(VALUES (1, '{"{\"valueCoding\":{\"system\":\"http://x\",\"code\":\"a\"}}","{\"valueInteger\":3}"}'::text[]), (2, '{"{\"valueCoding\":{\"system\":\"http://x\",\"code\":\"none\"}}"}'), (3, '{"{\"valueCoding\":{\"system\":\"http://x\",\"code\":\"none\"}}","{\"valueInteger\":3}"}'),
	(4, '{"{\"valueString\":\"free\"}"}'), (5, '{"{\"valueInteger\":4}"}'), (6, '{"{\"valueDate\":\"2020\"}"}')) t(n, answers) ORDER BY type, n;
SELECT pg_temp.asked('{"type":"choice","answerValueSet":"http://hl7.org/fhir/ValueSet/administrative-gender"}', '[]', v)
FROM (VALUES ('{"valueCoding":{"system":"http://hl7.org/fhir/administrative-gender","code":"female"}}'), ('{"valueCoding":{"system":"http://hl7.org/fhir/administrative-gender","code":"f"}}'), ('{"valueCoding":{"code":"female"}}'), ('{"valueString":"female"}')) t(v);
-- a code that is abstract is no type of a question
SELECT pg_temp.asked('{"type":"question"}', '[]', '{"valueString":"x"}');

-- enableWhen: the nearest occurrence of the question counts; what is disabled has no answers, what is enabled and required has some
CREATE FUNCTION pg_temp.enabled(behavior text, conditions text, items text) RETURNS text LANGUAGE sql AS $$
	SELECT pg_temp.issues(jsonb_build_object('resourceType', 'QuestionnaireResponse', 'status', 'completed', 'questionnaire', '#q',
		'contained', jsonb_build_array(jsonb_build_object('resourceType', 'Questionnaire', 'id', 'q', 'status', 'active', 'item', format('[
			{"linkId":"n","type":"integer","repeats":true},{"linkId":"c","type":"choice","answerOption":[{"valueCoding":{"system":"http://x","code":"a"}},{"valueCoding":{"system":"http://x","code":"b"}}]},
			{"linkId":"g","type":"group","repeats":true,"item":[{"linkId":"m","type":"boolean"},{"linkId":"then","type":"string","required":true,"enableWhen":[{"question":"m","operator":"=","answerBoolean":true}]}]},
			{"linkId":"z","type":"string","required":true,"enableBehavior":"%s","enableWhen":%s}]', behavior, conditions)::jsonb)),
		'item', items::jsonb))
$$;
\set over '[{"question":"n","operator":">","answerInteger":5},{"question":"c","operator":"=","answerCoding":{"system":"http://x","code":"a"}}]'
SELECT behavior, n, pg_temp.enabled(behavior, :'over', items) FROM unnest('{all,any}'::text[]) behavior, (VALUES
	(1, '[{"linkId":"n","answer":[{"valueInteger":6}]},{"linkId":"c","answer":[{"valueCoding":{"system":"http://x","code":"a"}}]}]'),
	(2, '[{"linkId":"n","answer":[{"valueInteger":6}]},{"linkId":"c","answer":[{"valueCoding":{"system":"http://x","code":"a"}}]},{"linkId":"z","answer":[{"valueString":"x"}]}]'),
	(3, '[{"linkId":"n","answer":[{"valueInteger":5},{"valueInteger":6}]},{"linkId":"z","answer":[{"valueString":"x"}]}]'),
	(4, '[{"linkId":"n","answer":[{"valueInteger":5}]},{"linkId":"z","answer":[{"valueString":"x"}]}]'),
	(5, '[{"linkId":"n","answer":[{"valueInteger":5}]}]')) t(n, items) ORDER BY behavior, n;
SELECT op, pg_temp.enabled('all', format('[{"question":"n","operator":"%s","answer%s":%s}]', op, kind, value), '[{"linkId":"n","answer":[{"valueInteger":5}]},{"linkId":"z","answer":[{"valueString":"x"}]}]')
FROM (VALUES ('exists', 'Boolean', 'true'), ('exists', 'Boolean', 'false'), ('=', 'Integer', '5'), ('!=', 'Integer', '5'), ('!=', 'Integer', '4'), ('<', 'Integer', '6'), ('<=', 'Integer', '4'), ('>=', 'Integer', '5')) t(op, kind, value);
-- each group asks itself first; without an answer "!=" cannot be told, and nothing is said
SELECT pg_temp.enabled('all', '[{"question":"n","operator":"exists","answerBoolean":true}]', '[{"linkId":"g","item":[{"linkId":"m","answer":[{"valueBoolean":false}]}]},{"linkId":"g","item":[{"linkId":"m","answer":[{"valueBoolean":true}]}]},{"linkId":"g","item":[{"linkId":"m","answer":[{"valueBoolean":false}]},{"linkId":"then","answer":[{"valueString":"x"}]}]}]');
SELECT pg_temp.enabled('all', '[{"question":"n","operator":"!=","answerInteger":4}]', items) FROM unnest('{"[{\"linkId\":\"z\",\"answer\":[{\"valueString\":\"x\"}]}]","[{\"linkId\":\"z\"}]"}'::text[]) items;

-- a report and its measure
SELECT ehr.load_definition('{"resourceType":"Measure","url":"http://example.vn/measure","status":"active","scoring":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/measure-scoring","code":"proportion"}]},
	"group":[{"code":{"coding":[{"system":"http://x","code":"g1"}]},"population":[{"code":{"coding":[{"system":"http://x","code":"all"}]},"criteria":{"language":"text/cql","expression":"a"}},{"code":{"coding":[{"system":"http://x","code":"some"}]},"criteria":{"language":"text/cql","expression":"b"}}],
		"stratifier":[{"component":[{"code":{"coding":[{"system":"http://x","code":"age"}]},"criteria":{"language":"text/cql","expression":"c"}},{"code":{"coding":[{"system":"http://x","code":"sex"}]},"criteria":{"language":"text/cql","expression":"d"}}]}]},
	{"code":{"coding":[{"system":"http://x","code":"g2"}]},"population":[{"criteria":{"language":"text/cql","expression":"e"}}]}]}');
CREATE FUNCTION pg_temp.report(status text, groups text) RETURNS text LANGUAGE sql AS $$
	SELECT pg_temp.issues(jsonb_build_object('resourceType', 'MeasureReport', 'status', status, 'type', 'summary', 'measure', 'http://example.vn/measure', 'period', '{"start":"2025"}'::jsonb, 'group', groups::jsonb))
$$;
\set g1 '{"code":{"coding":[{"system":"http://x","code":"g1"}]},"population":[{"code":{"coding":[{"system":"http://x","code":"all"}]},"count":4},{"code":{"coding":[{"system":"http://x","code":"some"}]},"count":2}],"measureScore":{"value":0.5},"stratifier":[{"code":[{"text":"by age"}],"stratum":[{"component":[{"code":{"coding":[{"system":"http://x","code":"age"}]},"value":{"text":"old"}},{"code":{"coding":[{"system":"http://x","code":"sex"}]},"value":{"text":"f"}}]}]}]}'
\set g2 '{"code":{"coding":[{"system":"http://x","code":"g2"}]},"population":[{"count":1}]}'
SELECT pg_temp.report('complete', format('[%s,%s]', :'g1', :'g2'));
SELECT pg_temp.report('complete', format('[%s]', :'g1'));
SELECT pg_temp.report('pending', format('[%s]', :'g1'));
SELECT pg_temp.report('pending', format('[%s,%s]', :'g1', :'g1'));
SELECT pg_temp.report('pending', '[{"code":{"text":"nobody''s"}}]');
SELECT pg_temp.report('complete', format('[%s,%s]', jsonb_set(:'g1', '{measureScore,value}', '50'), :'g2'));
SELECT pg_temp.report('complete', format('[%s,%s]', jsonb_set(:'g1', '{measureScore}', '{"value":50,"unit":"%"}'), :'g2'));
SELECT pg_temp.report('complete', format('[%s,%s]', :'g1'::jsonb #- '{population,0}', :'g2'));
SELECT pg_temp.report('complete', format('[%s,%s]', jsonb_set(:'g1', '{population,0,code,coding,0,system}', '"http://y"'), :'g2'));
SELECT pg_temp.report('pending', format('[%s]', jsonb_set(:'g1', '{stratifier,0,stratum,0,component,1,code,coding,0,code}', '"age"')));
SELECT pg_temp.report('pending', format('[%s]', jsonb_set(:'g1', '{stratifier,0,stratum,0,component,1,code,coding,0,code}', '"height"')));
-- a canonical that names something else
SELECT pg_temp.issues('{"resourceType":"QuestionnaireResponse","status":"in-progress","questionnaire":"http://example.vn/measure"}');
SELECT pg_temp.issues('{"resourceType":"QuestionnaireResponse","status":"in-progress","questionnaire":"http://hl7.org/fhir/ValueSet/x"}');
SELECT pg_temp.issues('{"resourceType":"QuestionnaireResponse","status":"in-progress","questionnaire":"http://hl7.org/fhir/Questionnaire/x"}');
ROLLBACK;
