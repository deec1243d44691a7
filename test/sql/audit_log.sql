-- Who looked: what the citizen's access log shows, and to whom.
\set VERBOSITY terse
INSERT INTO ehr_store.person (key, id) OVERRIDING SYSTEM VALUE VALUES
	(910001, 'aaaaaaaa-1111-4000-8000-000000000001'), (910002, 'bbbbbbbb-1111-4000-8000-000000000002');
SELECT ehr_internal.store_write('{"resourceType": "Patient", "id": "al-a"}', '79001') AS a \gset
SELECT ehr_internal.store_write('{"resourceType": "Patient", "id": "al-b"}', '79001') AS b \gset
SELECT ehr_internal.store_write('{"resourceType": "Observation", "id": "al-o", "status": "final", "code": {"text": "t"}, "subject": {"reference": "Patient/al-a"}}', '79001') > 0 AS written;
INSERT INTO ehr_store.person_link (subject, person, method) VALUES (:a, 910001, 'manual'), (:b, 910002, 'manual');
\set person_a '\'aaaaaaaa-1111-4000-8000-000000000001\''
\set person_b '\'bbbbbbbb-1111-4000-8000-000000000002\''

-- what somebody finds in a person's access log
CREATE FUNCTION ehr_test.log_of(kind text, sub text, person uuid) RETURNS TABLE (kind_of_entry text, who text, organisation text, purpose text, what text)
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM ehr_test.login(log_of.kind, log_of.sub);
	RETURN QUERY SELECT l.kind, l.who, l.organisation, l.purpose, l.what FROM ehr.access_log(person) AS l ORDER BY l.at;
	PERFORM ehr.detach();
END $$;
\c - regress_ehr_query
\set VERBOSITY terse

-- reads that leave a trace: rolled back, failed, read only, by cursor, in a function, in parallel
BEGIN;
SELECT ehr_test.login('clinician', 'dr-rollback', '79001', 'TREAT');
SELECT id FROM ehr_store.resource WHERE id LIKE 'al-%' ORDER BY 1;
ROLLBACK;
BEGIN;
SELECT ehr_test.login('clinician', 'dr-error', '79001', 'TREAT');
SELECT id, 1 / (key - key) FROM ehr_store.resource WHERE id = 'al-o';
ROLLBACK;
BEGIN READ ONLY;
SELECT ehr_test.login('clinician', 'dr-readonly', '79001', 'TREAT');
SELECT id FROM ehr_store.resource WHERE id = 'al-o';
COMMIT;
BEGIN;
SELECT ehr_test.login('clinician', 'dr-cursor', '79001', 'TREAT');
DECLARE c CURSOR FOR SELECT id FROM ehr_store.resource WHERE id LIKE 'al-%' ORDER BY id;
FETCH 1 FROM c;
ROLLBACK;
BEGIN;
SELECT ehr_test.login('clinician', 'dr-function', '79001', 'TREAT');
SELECT ehr.get('Observation', 'al-o') IS NOT NULL AS found;
ROLLBACK;
BEGIN;
SELECT ehr_test.login('clinician', 'dr-parallel', '79001', 'TREAT');
SET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0; SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL parallel_leader_participation = off;
SELECT count(*) FROM ehr_store.resource WHERE id LIKE 'al-%';
ROLLBACK;
-- a read that shows nothing of anybody
BEGIN;
SELECT ehr_test.login('clinician', 'dr-nothing', '79009', 'TREAT');
SELECT count(*) FROM ehr_store.resource WHERE id LIKE 'al-%';
COMMIT;

SELECT * FROM ehr_test.log_of('citizen', :person_a, :person_a);
SELECT * FROM ehr_test.log_of('citizen', :person_b, :person_b);
-- an auditor sees any; all others see none
SELECT count(*) FROM ehr_test.log_of('auditor', 'au', :person_a);
SELECT * FROM ehr_test.log_of('citizen', :person_b, :person_a);
SELECT * FROM ehr_test.log_of('clinician', 'dr-rollback', :person_a);
SELECT * FROM ehr.access_log(:person_a);
-- nobody is no error
SELECT * FROM ehr_test.log_of('auditor', 'au', 'cccccccc-1111-4000-8000-000000000003');
-- a grant and a withdrawal are in it
DO $$
DECLARE
	id uuid;
BEGIN
	PERFORM ehr_test.login('citizen', 'bbbbbbbb-1111-4000-8000-000000000002');
	id := ehr.grant_consent('bbbbbbbb-1111-4000-8000-000000000002', 'practitioner:dr-9', 'all', 'TREAT');
	PERFORM ehr.withdraw_consent(id);
END $$;
SELECT kind_of_entry, who FROM ehr_test.log_of('citizen', :person_b, :person_b);

-- the tables themselves show nothing, and a read of them as superuser is recorded
SELECT count(*) FROM ehr_store.audit_event;
SELECT * FROM ehr.audit_verify();
\c - postgres
SELECT ehr_internal.audit_catch_up();
SELECT count(*) > 0 AS seen FROM ehr_store.audit_event;
COPY (SELECT count(*) > 0 FROM ehr_store.audit_event) TO stdout;
SELECT ehr_internal.audit_catch_up();
SELECT kind, role, relations FROM ehr_store.audit_event WHERE kind = 'read unbound' ORDER BY seq DESC LIMIT 2;
-- every read has its intent before the persons, and the chain is whole
SELECT count(*) AS persons_without_intent FROM ehr_store.audit_event a WHERE a.kind = 'admit'
	AND NOT EXISTS (SELECT FROM ehr_store.audit_event i WHERE i.intent = a.intent AND i.kind <> 'admit' AND i.seq < a.seq);
SELECT * FROM ehr.audit_verify();
-- entries hold names and keys, no document
SELECT count(*) AS with_documents FROM ehr_store.audit_event WHERE detail LIKE '%resourceType%' OR relations LIKE '%resourceType%';

-- events
BEGIN;
SELECT ehr_internal.audit_note('test event', 'a detail', ARRAY[:a, :b]);
SELECT ehr_internal.audit_note('test event', 'many', (SELECT array_agg(g) FROM generate_series(1, 1300) AS g));
SELECT ehr_internal.audit_note('test event', repeat('đ', 1500), '{}');
ROLLBACK;
SELECT ehr_internal.audit_note(NULL);
SELECT ehr_internal.audit_note('test event', 'x', ARRAY[1, NULL]);
SELECT ehr_internal.audit_catch_up();
SELECT left(detail, 10) AS detail, count(*) AS entries, count(DISTINCT intent) AS numbers, sum(cardinality(subjects)) AS subjects, max(octet_length(detail)) AS bytes
FROM ehr_store.audit_event WHERE kind = 'test event' GROUP BY 1 ORDER BY 1;
-- the human's name, and the proof of an entry for whom it concerns
\c - regress_ehr_query
\set VERBOSITY terse
BEGIN;
DO $$ BEGIN PERFORM ehr.login(ehr_test.token('clinician', 'dr-named', '79001', 'TREAT', '{"name": "BS. Lê Thị Hoa"}')); END $$;
SELECT id FROM ehr_store.resource WHERE id = 'al-o';
COMMIT;
BEGIN;
SELECT ehr_test.login('citizen', :person_a);
SELECT who, name, event AS named FROM ehr.access_log(:person_a) WHERE who = 'dr-named' \gset
SELECT :'who' AS who, :'name' AS name;
SELECT split_part(l, ' ', 1) AS line FROM ehr.audit_proof(:named) AS l;
ROLLBACK;
BEGIN; SELECT ehr_test.login('citizen', :person_b); SELECT ehr.audit_proof(:named); ROLLBACK;
BEGIN; SELECT ehr_test.login('clinician', 'dr-named', '79001', 'TREAT'); SELECT ehr.audit_proof(:named); ROLLBACK;
\c - postgres
\set VERBOSITY terse

-- as FHIR: every entry is a valid AuditEvent, and of the shape that BALP asks for: client and server once, the query or the data, one patient
BEGIN; SELECT ehr_test.login('citizen', :person_a); SELECT ehr.audit_events(); ROLLBACK;
BEGIN;
CREATE FUNCTION ehr_test.balp(name text, action text, client text, entity text, more text) RETURNS text LANGUAGE sql AS $$
	SELECT ehr.load_definition(jsonb_build_object('resourceType', 'StructureDefinition', 'url', 'https://example.vn/balp-' || name, 'name', initcap(name), 'status', 'active', 'kind', 'resource',
		'abstract', false, 'type', 'AuditEvent', 'baseDefinition', 'http://hl7.org/fhir/StructureDefinition/AuditEvent', 'derivation', 'constraint', 'differential', jsonb_build_object('element',
		format('[{"id":"AuditEvent.subtype","path":"AuditEvent.subtype","min":1},
		{"id":"AuditEvent.action","path":"AuditEvent.action","min":1,"fixedCode":%1$s},
		{"id":"AuditEvent.outcome","path":"AuditEvent.outcome","min":1,"fixedCode":"0"},
		{"id":"AuditEvent.agent","path":"AuditEvent.agent","min":2,"slicing":{"discriminator":[{"type":"pattern","path":"type"}],"rules":"open"}},
		{"id":"AuditEvent.agent:client","path":"AuditEvent.agent","sliceName":"client","min":1,"max":"1"},
		{"id":"AuditEvent.agent:client.type","path":"AuditEvent.agent.type","min":1,"patternCodeableConcept":{"coding":[{"system":"http://dicom.nema.org/resources/ontology/DCM","code":%2$s}]}},
		{"id":"AuditEvent.agent:client.who","path":"AuditEvent.agent.who","min":1},
		{"id":"AuditEvent.agent:client.network","path":"AuditEvent.agent.network","min":1},
		{"id":"AuditEvent.agent:server","path":"AuditEvent.agent","sliceName":"server","min":1,"max":"1"},
		{"id":"AuditEvent.agent:server.type","path":"AuditEvent.agent.type","min":1,"patternCodeableConcept":{"coding":[{"system":"http://dicom.nema.org/resources/ontology/DCM","code":%3$s}]}},
		{"id":"AuditEvent.agent:server.who","path":"AuditEvent.agent.who","min":1,"patternReference":{"display":"ehr"}},
		{"id":"AuditEvent.agent:server.network","path":"AuditEvent.agent.network","min":1},
		{"id":"AuditEvent.agent:user","path":"AuditEvent.agent","sliceName":"user","min":0,"max":"1"},
		{"id":"AuditEvent.agent:user.type","path":"AuditEvent.agent.type","min":1,"patternCodeableConcept":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/v3-ParticipationType","code":"IRCP"}]}},
		{"id":"AuditEvent.agent:user.requestor","path":"AuditEvent.agent.requestor","fixedBoolean":true},
		{"id":"AuditEvent.agent:user.network","path":"AuditEvent.agent.network","max":"0"},
		{"id":"AuditEvent.entity","path":"AuditEvent.entity","min":1,"slicing":{"discriminator":[{"type":"pattern","path":"type"}],"rules":"open"}},
		{"id":"AuditEvent.entity:data","path":"AuditEvent.entity","sliceName":"data","min":1,"max":"1"},
		{"id":"AuditEvent.entity:data.type","path":"AuditEvent.entity.type","min":1,"patternCoding":{"system":"http://terminology.hl7.org/CodeSystem/audit-entity-type","code":"2"}},
		{"id":"AuditEvent.entity:data.role","path":"AuditEvent.entity.role","min":1,"patternCoding":{"system":"http://terminology.hl7.org/CodeSystem/object-role","code":%4$s}},
		%5$s,
		{"id":"AuditEvent.entity:patient","path":"AuditEvent.entity","sliceName":"patient","min":0,"max":"1"},
		{"id":"AuditEvent.entity:patient.type","path":"AuditEvent.entity.type","min":1,"patternCoding":{"system":"http://terminology.hl7.org/CodeSystem/audit-entity-type","code":"1"}},
		{"id":"AuditEvent.entity:patient.role","path":"AuditEvent.entity.role","min":1,"patternCoding":{"system":"http://terminology.hl7.org/CodeSystem/object-role","code":"1"}},
		{"id":"AuditEvent.entity:patient.what","path":"AuditEvent.entity.what","min":1,"type":[{"code":"Reference","targetProfile":["http://hl7.org/fhir/StructureDefinition/Patient"]}]}]',
		to_jsonb(action), to_jsonb(client), to_jsonb(CASE client WHEN '110153' THEN '110152' ELSE '110153' END), to_jsonb(entity), more)::jsonb))) $$;
SELECT ehr_test.balp('query', 'E', '110153', '24', '{"id":"AuditEvent.entity:data.what","path":"AuditEvent.entity.what","max":"0"}, {"id":"AuditEvent.entity:data.query","path":"AuditEvent.entity.query","min":1}') AS query,
	ehr_test.balp('create', 'C', '110153', '4', '{"id":"AuditEvent.entity:data.what","path":"AuditEvent.entity.what","min":1}') AS create,
	ehr_test.balp('disclose', 'R', '110152', '3', '{"id":"AuditEvent.entity:data.what","path":"AuditEvent.entity.what","min":1}') AS disclose;
SELECT ehr_internal.audit_note('disclose', 'to somebody', ARRAY[:a, :b]), ehr_internal.audit_note('grant', 'a consent', ARRAY[:a]);
SELECT ehr_test.login('auditor', 'au');
CREATE TEMP TABLE al_events AS SELECT e::jsonb AS e, CASE WHEN e::jsonb ->> 'action' = 'R' THEN 'disclose' WHEN e::jsonb ->> 'action' = 'C' THEN 'create'
	WHEN e::jsonb #>> '{subtype,0,code}' = 'search-type' THEN 'query' END AS pattern FROM ehr.audit_events(1, 100000) AS e;
SELECT count(*) > 10 AS many, count(DISTINCT e ->> 'id') = count(*) AS each_once, bool_or(pattern = 'query') AS queries, bool_or(pattern = 'create') AS creates, bool_or(pattern = 'disclose') AS disclosures FROM al_events;
SELECT DISTINCT i ->> 'severity' AS severity, i #>> '{expression,0}' AS where, i #>> '{details,text}' AS what
FROM al_events, jsonb_array_elements(ehr.validate(e)::jsonb -> 'issue') AS i WHERE i ->> 'severity' IN ('error', 'fatal');
SELECT DISTINCT pattern, i ->> 'severity' AS severity, i #>> '{expression,0}' AS where, i #>> '{details,text}' AS what
FROM al_events, jsonb_array_elements(ehr.validate(e, 'https://example.vn/balp-' || pattern)::jsonb -> 'issue') AS i WHERE pattern IS NOT NULL AND i ->> 'severity' IN ('error', 'fatal');
-- (the profiles see what is wrong)
SELECT count(DISTINCT pattern) FROM al_events, jsonb_array_elements(ehr.validate(e #- '{agent,1}', 'https://example.vn/balp-' || pattern)::jsonb -> 'issue') AS i WHERE pattern IS NOT NULL AND i ->> 'severity' = 'error';
SELECT count(*) AS of_two_patients FROM al_events WHERE e #>> '{entity,1,description}' = 'disclose: to somebody';
SELECT jsonb_pretty(e - 'id' - 'recorded' #- '{agent,2,policy}' #- '{agent,1,network}') AS a_read FROM al_events WHERE e #>> '{agent,2,who,identifier,value}' = 'dr-named' AND pattern = 'query' LIMIT 1;
ROLLBACK;

-- the canonical form tells rows apart that look alike, and the hash their places
SELECT count(DISTINCT h) AS hashes FROM (VALUES
	(ehr_internal.audit_entry('epoch', 'k', 1, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '{}')),
	(ehr_internal.audit_entry('epoch', 'k', 1, 1, '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '{}')),
	(ehr_internal.audit_entry('epoch', 'k', 1, 1, 'ab', '', NULL, NULL, NULL, NULL, NULL, NULL, '{}')),
	(ehr_internal.audit_entry('epoch', 'k', 1, 1, 'a', 'b', NULL, NULL, NULL, NULL, NULL, NULL, '{}')),
	(ehr_internal.audit_entry('epoch', 'k', 1, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'a', '{}')),
	(ehr_internal.audit_entry('epoch', 'k', 1, 1, NULL, NULL, NULL, NULL, NULL, NULL, 'a', NULL, '{}')),
	(ehr_internal.audit_entry('epoch', 'k', 1, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '{1}'))) AS v (h);
SELECT count(DISTINCT h) AS hashes FROM (VALUES
	(ehr_internal.audit_hash(decode(repeat('00', 32), 'hex'), 0::int2, 1, '\x01')),
	(ehr_internal.audit_hash(decode(repeat('00', 32), 'hex'), 1::int2, 1, '\x01')),
	(ehr_internal.audit_hash(decode(repeat('00', 32), 'hex'), 0::int2, 2, '\x01')),
	(ehr_internal.audit_hash(decode(repeat('01', 32), 'hex'), 0::int2, 1, '\x01')),
	(ehr_internal.audit_hash(decode(repeat('00', 32), 'hex'), 0::int2, 1, '\x02'))) AS v (h);
-- what cannot be an entry has none
SELECT ehr_internal.audit_hash('\x00', 0::int2, 1, '\x01'),
	ehr_internal.audit_entry('epoch', repeat('k', 3000), 1, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '{}'),
	ehr_internal.audit_entry('epoch', 'k', NULL, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '{}'),
	ehr_internal.audit_entry('epoch', 'k', 1, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, array_fill(1::bigint, ARRAY[600]));

-- a session that imports itself, whatever its client's encoding, and entries with many, one and no persons
SET client_encoding = latin1;
DO $$ BEGIN
	FOR i IN 1 .. 30 LOOP
		PERFORM ehr_internal.audit_note('encoded', 'Nguy' || chr(7877) || 'n ' || chr(220), CASE i % 3 WHEN 1 THEN ARRAY[i] WHEN 2 THEN ARRAY(SELECT generate_series(1, 600)) END);
		PERFORM ehr_internal.audit_catch_up(0);
	END LOOP;
END $$;
SHOW client_encoding;
RESET client_encoding;
SELECT count(*), count(DISTINCT detail), bool_and(ascii(substr(detail, 5)) = 7877 AND ascii(right(detail, 1)) = 220) AS right, sum(cardinality(subjects)) FROM ehr_store.audit_event WHERE kind = 'encoded';
SELECT count(*) FROM ehr_store.audit_event WHERE kind = 'encoded' AND subjects && ARRAY[600::bigint] AND subjects <> '{}';
SELECT * FROM ehr_internal.audit_verify();
-- a trigger of the DBA's on the log sees what is imported
BEGIN;
SELECT count(*) FROM (SELECT FROM ehr_store.audit_position FOR UPDATE) AS p;
CREATE FUNCTION ehr_test.see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'seen: %', NEW.detail; RETURN NEW; END $$;
GRANT USAGE ON SCHEMA ehr_test TO ehr_owner;
CREATE TRIGGER see AFTER INSERT ON ehr_store.audit_event FOR EACH ROW WHEN (NEW.kind = 'watched') EXECUTE FUNCTION ehr_test.see();
SELECT ehr_internal.audit_note('watched', 'by a trigger');
SELECT ehr_internal.audit_catch_up(0);
ROLLBACK;

-- as it was
DELETE FROM ehr_store.consent WHERE person BETWEEN 910001 AND 910002;
DELETE FROM ehr_store.person_link WHERE subject IN (:a, :b);
DELETE FROM ehr_store.person WHERE key IN (910001, 910002);
DELETE FROM ehr_store.resource WHERE id LIKE 'al-%';
DELETE FROM ehr_store.resource_key WHERE id LIKE 'al-%';
DROP FUNCTION ehr_test.log_of(text, text, uuid);
