---------------------------------------------------------------------------------------------------
-- access_log: the audit log as the citizen sees it (doc/audit.md). It needs the session and the person's source
-- patients, so it stands here and not in room audit, which lies above both.
---------------------------------------------------------------------------------------------------

-- A citizen sees the own log; an auditor any.
CREATE FUNCTION ehr_internal.access_log(person uuid)
	RETURNS TABLE (at timestamptz, kind text, who text, organisation text, purpose text, what text, name text, event bigint)
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE ROWS 100
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	principal jsonb := ehr_internal.require_session(ARRAY['citizen', 'auditor']);
BEGIN
	-- nobody looks as one who is dead
	IF principal ->> 'kind' = 'citizen' AND (lower(principal ->> 'sub') IS DISTINCT FROM access_log.person::text
		OR ehr_internal.own_person('citizen', principal ->> 'sub') IS NULL) THEN
		RAISE insufficient_privilege USING MESSAGE = 'not allowed to read this access log',
			DETAIL = 'A citizen may read the own one only.';
	END IF;
	PERFORM ehr_internal.audit_catch_up();
	RETURN QUERY
	SELECT e.at, i.kind, i.sub, i.org, i.purpose, coalesce(i.detail, i.relations), i.name, e.seq
	FROM (SELECT a.intent, a.kind = 'admit' AS admit, min(a.at) AS at, min(a.seq) AS seq
		FROM ehr_store.audit_event a
		WHERE a.subjects && ehr_internal.subjects_of_person(access_log.person) AND a.subjects <> '{}'
		GROUP BY 1, 2) AS e
	JOIN LATERAL (SELECT * FROM ehr_store.audit_event r
		WHERE r.intent = e.intent AND r.kind <> 'admit' ORDER BY r.seq LIMIT 1) AS i ON true
	ORDER BY e.at DESC;
END
$$;
COMMENT ON FUNCTION ehr_internal.access_log(uuid) IS 'implementation of ehr.access_log';

CREATE FUNCTION ehr.access_log(person uuid)
	RETURNS TABLE (at timestamptz, kind text, who text, organisation text, purpose text, what text, name text, event bigint)
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE ROWS 100
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.access_log(uuid) IS 'who looked at a person''s record, and when and why, newest first: for that citizen, and for auditors';
REVOKE EXECUTE ON FUNCTION ehr.access_log(uuid) FROM PUBLIC;

-- Whoever may see an entry may have it proved.
CREATE FUNCTION ehr_internal.audit_proof(event bigint) RETURNS SETOF text
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	principal jsonb := ehr_internal.require_session(ARRAY['citizen', 'auditor']);
	me bigint := ehr_internal.own_person(principal ->> 'kind', principal ->> 'sub');
BEGIN
	IF principal ->> 'kind' = 'citizen' AND NOT EXISTS (SELECT FROM ehr_store.audit_event e
		WHERE e.chain = 0 AND e.seq = event AND e.subjects && ARRAY(SELECT ehr_internal.subjects_of_person(me))) THEN
		RAISE insufficient_privilege USING MESSAGE = 'not allowed to read this access log',
			DETAIL = 'A citizen may read the own one only.';
	END IF;
	-- persons shown stand apart from the intent that tells who looked: both are proved
	RETURN QUERY
	SELECT l FROM (SELECT event AS seq
		UNION SELECT i.seq FROM ehr_store.audit_event e JOIN ehr_store.audit_event i ON i.intent = e.intent AND i.kind <> 'admit'
			WHERE e.chain = 0 AND e.seq = event AND e.kind = 'admit') AS s,
		ehr_internal.audit_proof_lines(s.seq) AS l;
END
$$;
COMMENT ON FUNCTION ehr_internal.audit_proof(bigint) IS 'implementation of ehr.audit_proof';

-- The log as FHIR AuditEvents after IHE's Basic Audit Log Patterns (BALP): Query and PatientQuery for reads, PrivacyDisclosure.Source for what
-- is given away, Create, Update and Delete for what changes. As these ask, a resource names one patient: an entry that concerns several gives several.
CREATE TABLE ehr_internal.audit_kind (
	kind text PRIMARY KEY,
	pattern text NOT NULL,
	subtype text,
	action text NOT NULL CHECK (action IN ('C', 'R', 'U', 'D', 'E'))
);
COMMENT ON TABLE ehr_internal.audit_kind IS 'how a kind of entry is called in a FHIR AuditEvent; others are executed objects';
COMMENT ON COLUMN ehr_internal.audit_kind.pattern IS 'of ehr_internal.audit_pattern';
INSERT INTO ehr_internal.audit_kind VALUES
	('read', 'query', 'search-type', 'E'), ('decide', 'query', 'search-type', 'E'),
	('read unbound', 'disclose', 'disclose', 'R'), ('copy', 'disclose', 'disclose', 'R'), ('disclose', 'disclose', 'disclose', 'R'),
	('grant', 'rest', 'create', 'C'), ('deny', 'rest', 'create', 'C'), ('withdraw', 'rest', 'update', 'U'), ('erase', 'rest', 'delete', 'D');

CREATE TABLE ehr_internal.audit_pattern (
	pattern text PRIMARY KEY,
	type jsonb NOT NULL,
	subtype_system text,
	client text NOT NULL,
	server text NOT NULL,
	entity_role jsonb
);
COMMENT ON TABLE ehr_internal.audit_pattern IS 'patterns of BALP: type, and the roles of client, server and of what was asked for';
INSERT INTO ehr_internal.audit_pattern
SELECT p.pattern, jsonb_build_object('system', p.type_system, 'code', p.type_code, 'display', p.type_display), p.subtype_system, p.client, p.server,
	CASE WHEN p.role IS NOT NULL THEN jsonb_build_object('system', 'http://terminology.hl7.org/CodeSystem/object-role', 'code', p.role, 'display', p.role_display) END
FROM (VALUES
	('query', 'http://terminology.hl7.org/CodeSystem/audit-event-type', 'rest', 'RESTful Operation', 'http://hl7.org/fhir/restful-interaction', '110153', '110152', '24', 'Query'),
	('rest', 'http://terminology.hl7.org/CodeSystem/audit-event-type', 'rest', 'RESTful Operation', 'http://hl7.org/fhir/restful-interaction', '110153', '110152', '4', 'Domain Resource'),
	('disclose', 'http://dicom.nema.org/resources/ontology/DCM', '110106', 'Export', 'http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle', '110152', '110153', '3', 'Report'),
	('other', 'http://terminology.hl7.org/CodeSystem/audit-event-type', 'object', 'Object', NULL, '110153', '110152', NULL, NULL))
	AS p (pattern, type_system, type_code, type_display, subtype_system, client, server, role, role_display);

CREATE FUNCTION ehr.audit_events(from_event bigint DEFAULT 1, max_rows int DEFAULT 1000) RETURNS SETOF ehr.fhir
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE ROWS 1000
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.audit_events(bigint, int) IS 'the audit log from an entry on, max_rows entries, as FHIR AuditEvents (IHE BALP): one a patient, with id audit-N-KEY, or audit-N for entry N that concerns none; for auditors';
REVOKE EXECUTE ON FUNCTION ehr.audit_events(bigint, int) FROM PUBLIC;

-- Whoever took part: client and server in the roles of the pattern, and the human whom the session names.
CREATE FUNCTION ehr_internal.audit_agents(client text, server text, sub text, org text, purposes jsonb, sid text, role text, name text) RETURNS jsonb
	LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT jsonb_build_array(
		jsonb_build_object('type', ehr_internal.dicom_role(client), 'who', jsonb_build_object('identifier', jsonb_build_object('value', coalesce(nullif(org, ''), 'role ' || role))),
			'requestor', coalesce(sub, '') = '', 'network', jsonb_build_object('address', 'urn:ehr:role:' || role, 'type', '5')),
		jsonb_build_object('type', ehr_internal.dicom_role(server), 'who', jsonb_build_object('display', 'ehr'),
			'requestor', false, 'network', jsonb_build_object('address', 'urn:ehr:database:' || current_database(), 'type', '5')))
		|| CASE WHEN sub <> '' THEN jsonb_build_array(jsonb_build_object(
			'type', jsonb_build_object('coding', jsonb_build_array(jsonb_build_object('system', 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType', 'code', 'IRCP', 'display', 'information recipient'))),
			'who', jsonb_build_object('identifier', jsonb_build_object('value', sub), 'display', coalesce(nullif(name, ''), sub)),
			'name', nullif(name, ''),
			'requestor', true,
			'policy', CASE WHEN sid <> '' THEN jsonb_build_array('urn:ehr:session:' || sid) END,
			'purposeOfUse', purposes)) ELSE '[]' END
$$;
COMMENT ON FUNCTION ehr_internal.audit_agents(text, text, text, text, jsonb, text, text, text) IS 'agents of a FHIR AuditEvent: client, server and user of BALP';

CREATE FUNCTION ehr_internal.dicom_role(code text) RETURNS jsonb
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT jsonb_build_object('coding', jsonb_build_array(jsonb_build_object('system', 'http://dicom.nema.org/resources/ontology/DCM', 'code', code,
		'display', CASE code WHEN '110153' THEN 'Source Role ID' ELSE 'Destination Role ID' END)))
$$;
COMMENT ON FUNCTION ehr_internal.dicom_role(text) IS 'a DICOM role as a CodeableConcept';

CREATE FUNCTION ehr_internal.audit_event_of(seq bigint, at timestamptz, kind text, intent bigint, sub text, org text, purpose text, sid text, role text,
		relations text, detail text, name text) RETURNS SETOF jsonb
	LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 1
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	k ehr_internal.audit_kind;
	p ehr_internal.audit_pattern;
	purposes jsonb := CASE WHEN purpose <> '' THEN jsonb_build_array(jsonb_build_object('coding', jsonb_build_array(jsonb_build_object(
		'system', 'http://terminology.hl7.org/CodeSystem/v3-ActReason', 'code', purpose)))) END;
	event jsonb;
	entity jsonb;
BEGIN
	SELECT * INTO k FROM ehr_internal.audit_kind a WHERE a.kind = audit_event_of.kind;
	SELECT * INTO p FROM ehr_internal.audit_pattern a WHERE a.pattern = coalesce(k.pattern, 'other');
	-- what was asked for: of a query the relations, as BALP has the search; of everything else the entry
	entity := jsonb_build_object('type', jsonb_build_object('system', 'http://terminology.hl7.org/CodeSystem/audit-entity-type', 'code', '2', 'display', 'System Object'),
		'role', p.entity_role, 'description', concat_ws(': ', kind, coalesce(detail, relations)))
		|| CASE WHEN k.pattern = 'query' THEN jsonb_build_object('query', translate(encode(convert_to(coalesce(detail, relations, kind), 'UTF8'), 'base64'), E'\n', ''))
			ELSE jsonb_build_object('what', jsonb_build_object('identifier', jsonb_build_object('value', 'entry ' || seq))) END;
	event := jsonb_build_object('resourceType', 'AuditEvent',
		'type', p.type,
		'subtype', CASE WHEN k.subtype IS NOT NULL THEN jsonb_build_array(jsonb_build_object('system', p.subtype_system, 'code', k.subtype)) END,
		'action', coalesce(k.action, 'E'),
		'recorded', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
		'outcome', '0',
		'purposeOfEvent', purposes,
		'agent', ehr_internal.audit_agents(p.client, p.server, sub, org, purposes, sid, role, name),
		'source', jsonb_build_object('observer', jsonb_build_object('display', 'ehr'),
			'type', jsonb_build_array(jsonb_build_object('system', 'http://terminology.hl7.org/CodeSystem/security-source-type', 'code', '4', 'display', 'Application Server'))));
	RETURN QUERY
	SELECT jsonb_strip_nulls(event || jsonb_build_object('id', concat_ws('-', 'audit', seq, r.key), 'entity', CASE WHEN r.key IS NULL THEN '[]' ELSE jsonb_build_array(jsonb_build_object(
			'what', jsonb_build_object('reference', 'Patient/' || r.id),
			'type', jsonb_build_object('system', 'http://terminology.hl7.org/CodeSystem/audit-entity-type', 'code', '1', 'display', 'Person'),
			'role', jsonb_build_object('system', 'http://terminology.hl7.org/CodeSystem/object-role', 'code', '1', 'display', 'Patient'))) END || entity))
	FROM (SELECT) AS one
	LEFT JOIN (SELECT DISTINCT t.key, t.id FROM ehr_store.audit_event e, unnest(e.subjects) AS s JOIN ehr_store.resource_key t ON t.key = s
		WHERE e.intent = audit_event_of.intent) AS r ON true
	ORDER BY r.key;
END
$$;
COMMENT ON FUNCTION ehr_internal.audit_event_of(bigint, timestamptz, text, bigint, text, text, text, text, text, text, text, text) IS 'an entry of the log as FHIR AuditEvents, one for each patient whom it concerns';

CREATE FUNCTION ehr_internal.audit_events(from_event bigint, max_rows int) RETURNS SETOF ehr.fhir
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM ehr_internal.require_session(ARRAY['auditor']);
	PERFORM ehr_internal.audit_catch_up();
	RETURN QUERY
	SELECT v::ehr.fhir
	FROM (SELECT * FROM ehr_store.audit_event x WHERE x.chain = 0 AND x.seq >= from_event AND x.kind <> 'admit' ORDER BY x.seq LIMIT greatest(max_rows, 0)) AS e,
		ehr_internal.audit_event_of(e.seq, e.at, e.kind, e.intent, e.sub, e.org, e.purpose, e.sid, e.role, e.relations, e.detail, e.name) AS v
	ORDER BY e.seq;
END
$$;
COMMENT ON FUNCTION ehr_internal.audit_events(bigint, int) IS 'implementation of ehr.audit_events';

CREATE FUNCTION ehr_internal.create_api_access_log() RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	GRANT EXECUTE ON FUNCTION ehr.access_log(uuid), ehr.audit_proof(bigint) TO ehr_app, ehr_query, ehr_auditor;
	GRANT EXECUTE ON FUNCTION ehr.audit_events(bigint, int) TO ehr_auditor;
END
$$;
COMMENT ON FUNCTION ehr_internal.create_api_access_log() IS 'grants of the access log';
