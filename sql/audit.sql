---------------------------------------------------------------------------------------------------
-- audit: who read what, and the proof that it stands as it was written (doc/audit.md)
---------------------------------------------------------------------------------------------------

CREATE FUNCTION ehr_internal.audit_note(kind text, detail text DEFAULT NULL, subjects bigint[] DEFAULT NULL) RETURNS void
	LANGUAGE c VOLATILE PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'ehr_audit_note';
COMMENT ON FUNCTION ehr_internal.audit_note(text, text, bigint[]) IS 'records an event in the audit log: durable on return, also when the transaction rolls back; the detail must hold no personal data';

CREATE FUNCTION ehr_internal.audit_catch_up(milliseconds int DEFAULT 5000) RETURNS void
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_audit_catch_up';
COMMENT ON FUNCTION ehr_internal.audit_catch_up(int) IS 'returns when everything recorded before the call is in ehr_store.audit_event; waits that long for the worker, then imports itself';
-- ehr_backup may use the schema, for pg_dump, and must not write the log
REVOKE EXECUTE ON FUNCTION ehr_internal.audit_note(text, text, bigint[]), ehr_internal.audit_catch_up(int) FROM PUBLIC;

CREATE FUNCTION ehr_internal.audit_hash(previous bytea, chain int2, seq bigint, at timestamptz, kind text, intent bigint, query_id bigint,
	sub text, org text, purpose text, sid text, role text, relations text, detail text, subjects bigint[]) RETURNS bytea
	LANGUAGE c IMMUTABLE PARALLEL SAFE COST 10
	AS 'MODULE_PATHNAME', 'ehr_audit_hash';
COMMENT ON FUNCTION ehr_internal.audit_hash(bytea, int2, bigint, timestamptz, text, bigint, bigint, text, text, text, text, text, text, text, bigint[])
	IS 'hash of the chain after this entry (doc/audit.md draws it); null when the row cannot be an entry';

CREATE FUNCTION ehr.audit_status(OUT preloaded bool, OUT served bool, OUT launcher int, OUT worker int, OUT durability text,
	OUT directory text, OUT writable bool, OUT waiting bigint, OUT spool_bytes bigint, OUT spool_limit bigint)
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_audit_status';
COMMENT ON FUNCTION ehr.audit_status() IS 'state of the audit writer: its processes, the spool''s folder, bytes that could not be imported within two seconds, bytes in files and their limit';
REVOKE EXECUTE ON FUNCTION ehr.audit_status() FROM PUBLIC;

CREATE FUNCTION ehr_internal.create_audit() RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE TABLE IF NOT EXISTS ehr_store.audit_event (
		chain int2 NOT NULL,
		seq bigint NOT NULL,
		at timestamptz NOT NULL,
		kind text NOT NULL,
		intent bigint NOT NULL,
		query_id bigint NOT NULL,
		sub text,
		org text,
		purpose text,
		sid text,
		role text,
		relations text,
		detail text,
		subjects bigint[] NOT NULL,
		hash bytea NOT NULL,
		PRIMARY KEY (chain, seq)
	);
	COMMENT ON TABLE ehr_store.audit_event IS 'the audit log: one row an entry, chained by hash; kind admit names persons shown under an earlier intent';
	COMMENT ON COLUMN ehr_store.audit_event.intent IS 'number of the entry, or of the intent under which the subjects were shown';
	COMMENT ON COLUMN ehr_store.audit_event.subjects IS 'source patients concerned';
	COMMENT ON COLUMN ehr_store.audit_event.hash IS 'SHA-256 over the previous hash and this entry: ehr_internal.audit_hash()';
	CREATE INDEX IF NOT EXISTS audit_event_subjects ON ehr_store.audit_event USING gin (subjects);
	CREATE INDEX IF NOT EXISTS audit_event_intent ON ehr_store.audit_event (intent);
	CREATE INDEX IF NOT EXISTS audit_event_at ON ehr_store.audit_event USING brin (at);

	CREATE TABLE IF NOT EXISTS ehr_store.audit_position (
		chain int2 PRIMARY KEY,
		segment bigint NOT NULL,
		place bigint NOT NULL,
		seq bigint NOT NULL,
		hash bytea NOT NULL,
		spool text NOT NULL
	);
	COMMENT ON TABLE ehr_store.audit_position IS 'how far the spool of a cluster and database is imported, and the head of the chain';
	-- at the end of what is there, when the row was lost
	INSERT INTO ehr_store.audit_position (chain, segment, place, seq, hash, spool)
	SELECT 0, 0, 0, coalesce(e.seq, 0), coalesce(e.hash, decode(repeat('00', 32), 'hex')), ''
	FROM (SELECT 1) AS one LEFT JOIN (SELECT seq, hash FROM ehr_store.audit_event WHERE chain = 0 ORDER BY seq DESC LIMIT 1) AS e ON true
	ON CONFLICT DO NOTHING;

	GRANT EXECUTE ON FUNCTION ehr.audit_verify(), ehr.audit_status() TO ehr_auditor, ehr_admin;
END
$$;
COMMENT ON FUNCTION ehr_internal.create_audit() IS 'makes the tables of the audit log';

CREATE FUNCTION ehr_internal.audit_verify()
	RETURNS TABLE (chain int2, seq bigint, problem text)
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	WITH linked AS (
		SELECT e.chain, e.seq, e.hash, lag(e.seq, 1, 0::bigint) OVER w AS previous_seq,
			ehr_internal.audit_hash(coalesce(lag(e.hash) OVER w, decode(repeat('00', 32), 'hex')), e.chain, e.seq, e.at, e.kind, e.intent, e.query_id,
				e.sub, e.org, e.purpose, e.sid, e.role, e.relations, e.detail, e.subjects) AS expected
		FROM ehr_store.audit_event e
		WINDOW w AS (PARTITION BY e.chain ORDER BY e.seq)
	)
	SELECT l.chain, l.seq, CASE WHEN l.seq <> l.previous_seq + 1
		THEN format('entries %s to %s are missing', l.previous_seq + 1, l.seq - 1)
		ELSE 'the entry or the one before it was changed' END
	FROM linked l
	WHERE l.seq <> l.previous_seq + 1 OR l.hash IS DISTINCT FROM l.expected
	UNION ALL
	SELECT p.chain, p.seq, 'the end of the chain is not the entry that was written last'
	FROM ehr_store.audit_position p
	LEFT JOIN LATERAL (SELECT e.seq, e.hash FROM ehr_store.audit_event e WHERE e.chain = p.chain ORDER BY e.seq DESC LIMIT 1) AS last ON true
	WHERE p.seq <> coalesce(last.seq, 0) OR (last.seq IS NOT NULL AND p.hash <> last.hash)
	UNION ALL
	SELECT e.chain, e.seq, format('%s: %s', e.kind, e.detail)
	FROM ehr_store.audit_event e
	WHERE e.kind IN ('spool_damage', 'spool_gap', 'spool_foreign')
	ORDER BY 1, 2;
END
$$;
COMMENT ON FUNCTION ehr_internal.audit_verify() IS 'implementation of ehr.audit_verify';

CREATE FUNCTION ehr.audit_verify()
	RETURNS TABLE (chain int2, seq bigint, problem text)
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.audit_verify() IS 'problems of the audit log: changed, missing or cut-off entries, and damage that the import met; no row means none';
REVOKE EXECUTE ON FUNCTION ehr.audit_verify() FROM PUBLIC;
