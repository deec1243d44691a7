-- Input of fhir: what is not JSON, limits, duplicate keys; and no value in any error.
\set SHOW_CONTEXT always
BEGIN;
CREATE TEMP TABLE doc (d ehr.fhir);
CREATE FUNCTION pg_temp.refusal(t text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE state text; message text; detail text;
BEGIN
	PERFORM t::ehr.fhir;
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = returned_sqlstate, message = message_text, detail = pg_exception_detail;
	RETURN state || ' ' || message || ' / ' || detail;
END $$;

SELECT t AS text, pg_temp.refusal(t) FROM (VALUES
	(''), ('  '), ('{'), ('}'), ('{"a"}'), ('{"a":}'), ('{"a":1,}'), ('{a:1}'), ('{"a":1'), ('{"a":tru}'), ('{"a":nul'),
	('{"a":01}'), ('{"a":1.}'), ('{"a":.5}'), ('{"a":1e}'), ('{"a":+1}'), ('{"a":NaN}'), ('{"a":-}'), ('{"a":0x10}'),
	('{"a":"\x"}'), ('{"a":"\u12"}'), ('{"a":"\ud800"}'), ('{"a":"\udc00"}'), ('{"a":"\ud800\u0041"}'), ('{"a":"\u0000"}'),
	(E'{"a":"\t"}'), ('{"a":"b'), ('{"a":"b\'), ('{"a":1} x'), ('{"a":1}{'), ('[1,]'), ('[1 2]'), ('["a":1]'), ('{"a" 1}'),
	('null'), ('true'), ('1'), ('"x"'), ('[]'), ('[{"resourceType":"Patient"}]'), ('{}'), ('{"resourceType":1}'),
	('{"resourceType":"patient"}'), ('{"resourceType":"Resource"}'), ('{"resourceType":"DomainResource"}'), ('{"resourceType":null}'),
	('{"resourceType":"Patient"}'), (E' \n\r\t{ "resourceType" : "Patient" } ')) v(t);
-- a byte order mark is read over
SELECT pg_temp.refusal(U&'\FEFF{"resourceType":"Patient"}'), pg_temp.refusal(U&'{"resourceType":"Patient"\FEFF}');

-- keys that stand twice are seen at any depth, also when they are escaped
SELECT pg_temp.refusal(t) FROM (VALUES
	('{"resourceType":"Patient","active":true,"active":true}'),
	('{"resourceType":"Patient","resourceType":"Patient"}'),
	('{"resourceType":"Patient","name":[{"family":"a"},{"family":"b","use":"usual","family":"c"}]}'),
	('{"resourceType":"Patient","id":"a","\u0069d":"b"}'),
	('{"resourceType":"Patient","x":1,"x":1}')) v(t);

-- numbers have limits that no number of medicine meets
SELECT left(n, 20) AS number, pg_temp.refusal('{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":' || n || '}}')
FROM (VALUES ('1e400'), ('1e995'), ('1e996'), ('1e-400'), ('1e-99999999999999999999'), ('1e131072'), (repeat('1', 1000)), (repeat('1', 1001))) v(n);

-- what was accepted is accepted again when it is printed
SELECT left(n, 20) AS number, octet_length(d #>> '{valueQuantity,value}') AS digits, d::text::ehr.fhir = d AS again
FROM (VALUES ('1e995'), ('1e-400'), ('-1.5e-3'), (repeat('1', 1000))) v(n),
	LATERAL CAST('{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":' || n || '}}' AS ehr.fhir) d;

-- depth: 64 elements, 256 brackets
SELECT n, left(pg_temp.refusal('{"resourceType":"Basic","code":{"text":"x"},"extension":[' || repeat('{"url":"a","extension":[', n) ||
	'{"url":"a","valueBoolean":true}' || repeat(']}', n) || ']}'), 60) FROM (VALUES (60), (61), (62), (63), (123), (126), (127), (200)) v(n);
SELECT pg_temp.refusal(repeat('[', 1000000));
SELECT pg_temp.refusal('{"resourceType":"Patient","name":' || repeat('[', 256) || repeat(']', 256) || '}');

-- strings: at most 1 M characters, counted as characters
SELECT n, pg_temp.refusal('{"resourceType":"Basic","code":{"text":"' || repeat('ế', n) || '"}}') FROM (VALUES (1048576), (1048577)) v(n);

-- many keys in one object, in the worst order, stay fast
SELECT pg_temp.refusal('{"resourceType":"Patient",' || string_agg('"k' || lpad((200000 - i)::text, 6, '0') || '":1', ',') || '}')
	FROM generate_series(1, 200000) i;

-- an unknown element is named where its name is a plain identifier; what could be a person's name or number is not
SELECT k AS key, pg_temp.refusal(jsonb_build_object('resourceType', 'Patient', k, 1)::text) FROM (VALUES ('naem'), ('birth_date'), ('Nguyen Van A'), ('Nguyễn'), ('079090000001'),
	('GD4790900000001'), ('a-b'), ('x@y.vn'), (''), ('"'), (repeat('a', 64)), (repeat('a', 65))) AS v(k);

-- no part of a value in message, detail, hint or context
SAVEPOINT s;
INSERT INTO doc VALUES ('{"resourceType":"Patient","gender":"Secret Nguyen"}');
ROLLBACK TO s;
INSERT INTO doc VALUES ('{"resourceType":"Patient","Secret Nguyen 079":"x"}');
ROLLBACK TO s;
COPY doc FROM stdin;
{"resourceType":"Patient","id":"ok"}
{"resourceType":"Patient","birthDate":"Secret Nguyen"}
\.
ROLLBACK TO s;
COPY doc FROM stdin;
{"resourceType":"Patient","birthDate":"Secret Nguyen"
\.
ROLLBACK TO s;
DO $$ BEGIN INSERT INTO doc VALUES ('{"resourceType":"Patient","birthDate":"Secret Nguyen"}'); END $$;
ROLLBACK TO s;
SELECT '{"resourceType":"Patient","birthDate":"Secret Nguyen"}'::jsonb::ehr.fhir;
ROLLBACK;
