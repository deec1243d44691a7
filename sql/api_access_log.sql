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
	IF principal ->> 'kind' = 'citizen' AND principal ->> 'sub' IS DISTINCT FROM access_log.person::text THEN
		RAISE insufficient_privilege USING MESSAGE = 'not allowed to read this access log',
			DETAIL = 'A citizen may read the own one only.';
	END IF;
	PERFORM ehr_internal.audit_catch_up();
	RETURN QUERY
	SELECT e.at, i.kind, i.sub, i.org, i.purpose, coalesce(i.detail, i.relations), i.name, e.seq
	FROM (SELECT a.intent, a.kind = 'admit' AS admit, min(a.at) AS at, min(a.seq) AS seq
		FROM ehr_store.audit_event a
		WHERE a.subjects && ehr_internal.subjects_of_person(access_log.person)
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

CREATE FUNCTION ehr_internal.create_api_access_log() RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	GRANT EXECUTE ON FUNCTION ehr.access_log(uuid), ehr.audit_proof(bigint) TO ehr_app, ehr_query, ehr_auditor;
END
$$;
COMMENT ON FUNCTION ehr_internal.create_api_access_log() IS 'grants of the access log';
