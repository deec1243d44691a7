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

-- The log as FHIR AuditEvents, in the way of IHE's Basic Audit Log Patterns: a resource an intent or event, with the human, the
-- facility, the purpose, and an entity for each patient that was shown.
CREATE TABLE ehr_internal.audit_kind (
	kind text PRIMARY KEY,
	type_system text NOT NULL,
	type_code text NOT NULL,
	type_display text NOT NULL,
	subtype text,
	action text NOT NULL CHECK (action IN ('C', 'R', 'U', 'D', 'E'))
);
COMMENT ON TABLE ehr_internal.audit_kind IS 'how a kind of entry is called in a FHIR AuditEvent; others are executed objects';
INSERT INTO ehr_internal.audit_kind VALUES
	('read', 'http://terminology.hl7.org/CodeSystem/audit-event-type', 'rest', 'RESTful Operation', 'read', 'R'),
	('read unbound', 'http://dicom.nema.org/resources/ontology/DCM', '110106', 'Export', NULL, 'R'),
	('copy', 'http://dicom.nema.org/resources/ontology/DCM', '110106', 'Export', NULL, 'R'),
	('disclose', 'http://dicom.nema.org/resources/ontology/DCM', '110106', 'Export', NULL, 'R'),
	('grant', 'http://terminology.hl7.org/CodeSystem/audit-event-type', 'rest', 'RESTful Operation', 'create', 'C'),
	('deny', 'http://terminology.hl7.org/CodeSystem/audit-event-type', 'rest', 'RESTful Operation', 'create', 'C'),
	('withdraw', 'http://terminology.hl7.org/CodeSystem/audit-event-type', 'rest', 'RESTful Operation', 'update', 'U'),
	('erase', 'http://terminology.hl7.org/CodeSystem/audit-event-type', 'rest', 'RESTful Operation', 'delete', 'D');

CREATE FUNCTION ehr.audit_events(from_event bigint DEFAULT 1, max_rows int DEFAULT 1000) RETURNS SETOF ehr.fhir
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE ROWS 1000
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.audit_events(bigint, int) IS 'the audit log from an entry on as FHIR AuditEvents (IHE BALP), id audit-N of entry N; for auditors';
REVOKE EXECUTE ON FUNCTION ehr.audit_events(bigint, int) FROM PUBLIC;

CREATE FUNCTION ehr_internal.audit_event_of(seq bigint, at timestamptz, kind text, intent bigint, sub text, org text, purpose text, sid text, role text,
		relations text, detail text, name text) RETURNS jsonb
	LANGUAGE plpgsql STABLE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	k ehr_internal.audit_kind;
	purposes jsonb := CASE WHEN purpose <> '' THEN jsonb_build_array(jsonb_build_object('coding', jsonb_build_array(jsonb_build_object(
		'system', 'http://terminology.hl7.org/CodeSystem/v3-ActReason', 'code', purpose)))) END;
	patients jsonb;
BEGIN
	SELECT * INTO k FROM ehr_internal.audit_kind a WHERE a.kind = audit_event_of.kind;
	SELECT jsonb_agg(jsonb_build_object('what', jsonb_build_object('reference', 'Patient/' || p.id),
			'type', jsonb_build_object('system', 'http://terminology.hl7.org/CodeSystem/audit-entity-type', 'code', '1', 'display', 'Person'),
			'role', jsonb_build_object('system', 'http://terminology.hl7.org/CodeSystem/object-role', 'code', '1', 'display', 'Patient')) ORDER BY p.id)
	INTO patients
	FROM (SELECT DISTINCT r.id FROM ehr_store.audit_event e, unnest(e.subjects) AS s JOIN ehr_store.resource_key r ON r.key = s
		WHERE e.intent = audit_event_of.intent) AS p;
	RETURN jsonb_strip_nulls(jsonb_build_object('resourceType', 'AuditEvent', 'id', 'audit-' || seq,
		'type', CASE WHEN k.kind IS NULL THEN jsonb_build_object('system', 'http://terminology.hl7.org/CodeSystem/audit-event-type', 'code', 'object', 'display', 'Object')
			ELSE jsonb_build_object('system', k.type_system, 'code', k.type_code, 'display', k.type_display) END,
		'subtype', CASE WHEN k.subtype IS NOT NULL THEN jsonb_build_array(jsonb_build_object('system', 'http://hl7.org/fhir/restful-interaction', 'code', k.subtype)) END,
		'action', coalesce(k.action, 'E'),
		'recorded', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
		'outcome', '0',
		'purposeOfEvent', purposes,
		'agent', jsonb_build_array(
			jsonb_build_object(
				'type', jsonb_build_object('coding', jsonb_build_array(jsonb_build_object('system', 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType', 'code', 'IRCP'))),
				'who', jsonb_build_object('identifier', jsonb_build_object('value', coalesce(sub, 'role ' || role)), 'display', coalesce(nullif(name, ''), sub, role)),
				'requestor', true,
				'policy', CASE WHEN sid <> '' THEN jsonb_build_array('urn:ehr:session:' || sid) END,
				'purposeOfUse', purposes))
			|| CASE WHEN org <> '' THEN jsonb_build_array(jsonb_build_object(
				'type', jsonb_build_object('coding', jsonb_build_array(jsonb_build_object('system', 'http://terminology.hl7.org/CodeSystem/v3-RoleClass', 'code', 'PROV'))),
				'who', jsonb_build_object('identifier', jsonb_build_object('value', org)), 'requestor', false)) ELSE '[]' END,
		'source', jsonb_build_object('observer', jsonb_build_object('display', 'ehr'),
			'type', jsonb_build_array(jsonb_build_object('system', 'http://terminology.hl7.org/CodeSystem/security-source-type', 'code', '4', 'display', 'Application Server'))),
		'entity', coalesce(patients, '[]') || jsonb_build_array(jsonb_build_object(
			'what', jsonb_build_object('identifier', jsonb_build_object('value', 'entry ' || seq)),
			'type', jsonb_build_object('system', 'http://terminology.hl7.org/CodeSystem/audit-entity-type', 'code', '2', 'display', 'System Object'),
			'description', concat_ws(': ', kind, coalesce(detail, relations))))));
END
$$;
COMMENT ON FUNCTION ehr_internal.audit_event_of(bigint, timestamptz, text, bigint, text, text, text, text, text, text, text, text) IS 'an entry of the log as a FHIR AuditEvent';

CREATE FUNCTION ehr_internal.audit_events(from_event bigint, max_rows int) RETURNS SETOF ehr.fhir
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM ehr_internal.require_session(ARRAY['auditor']);
	PERFORM ehr_internal.audit_catch_up();
	RETURN QUERY
	SELECT ehr_internal.audit_event_of(e.seq, e.at, e.kind, e.intent, e.sub, e.org, e.purpose, e.sid, e.role, e.relations, e.detail, e.name)::ehr.fhir
	FROM (SELECT * FROM ehr_store.audit_event x WHERE x.chain = 0 AND x.seq >= from_event AND x.kind <> 'admit' ORDER BY x.seq LIMIT greatest(max_rows, 0)) AS e
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
