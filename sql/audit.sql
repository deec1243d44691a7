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

CREATE FUNCTION ehr_internal.audit_entry(at timestamptz, kind text, intent bigint, query_id bigint, sub text, org text, purpose text,
	sid text, role text, relations text, detail text, name text, subjects bigint[]) RETURNS bytea
	LANGUAGE c IMMUTABLE PARALLEL SAFE COST 10
	AS 'MODULE_PATHNAME', 'ehr_audit_entry';
COMMENT ON FUNCTION ehr_internal.audit_entry(timestamptz, text, bigint, bigint, text, text, text, text, text, text, text, text, bigint[])
	IS 'canonical form of an entry, which the chain and the tree hash (src/core/audit_spool.h draws it); null when the row cannot be an entry';

CREATE FUNCTION ehr_internal.audit_hash(previous bytea, chain int2, seq bigint, entry bytea) RETURNS bytea
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10
	AS 'MODULE_PATHNAME', 'ehr_audit_hash';
COMMENT ON FUNCTION ehr_internal.audit_hash(bytea, int2, bigint, bytea) IS 'hash of the chain after this entry (doc/audit.md); null when the previous hash cannot be one';

CREATE FUNCTION ehr.audit_status(OUT preloaded bool, OUT served bool, OUT launcher int, OUT worker int, OUT durability text,
	OUT directory text, OUT writable bool, OUT waiting bigint, OUT spool_bytes bigint, OUT spool_limit bigint)
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_audit_status';
COMMENT ON FUNCTION ehr.audit_status() IS 'state of the audit writer: its processes, the spool''s folder, bytes that could not be imported within two seconds, bytes in files and their limit';
REVOKE EXECUTE ON FUNCTION ehr.audit_status() FROM PUBLIC;

-- Tables -------------------------------------------------------------------------------------------

-- A month of the log. The import calls it when the month changes; nothing is ever put into an earlier month.
CREATE FUNCTION ehr_internal.audit_partition(part int) RETURNS void
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	SET client_min_messages = warning
AS $$
DECLARE
	name text := 'audit_event_' || part;
BEGIN
	IF to_regclass('ehr_store.' || name) IS NOT NULL THEN RETURN; END IF;
	EXECUTE format('CREATE TABLE ehr_store.%I (LIKE ehr_store.audit_event INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS)', name);
	EXECUTE format('COMMENT ON TABLE ehr_store.%I IS %L', name, 'the audit log of the month ' || part);
	EXECUTE format('ALTER TABLE ehr_store.%I OWNER TO ehr_owner', name);
	EXECUTE format('ALTER TABLE ehr_store.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
	EXECUTE format('GRANT SELECT ON ehr_store.%I TO ehr_backup', name);
	-- attached, not made as a partition: that would lock out whoever reads the log
	EXECUTE format('ALTER TABLE ehr_store.audit_event ATTACH PARTITION ehr_store.%I FOR VALUES FROM (%s) TO (%s)', name, part, part + 1);
END
$$;
COMMENT ON FUNCTION ehr_internal.audit_partition(int) IS 'makes the part of ehr_store.audit_event for a month (yyyymm), where it is not there yet';

CREATE FUNCTION ehr_internal.audit_stack(size bigint) RETURNS bytea
	LANGUAGE c STABLE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_audit_stack';
COMMENT ON FUNCTION ehr_internal.audit_stack(bigint) IS 'the whole subtrees of the tree over the first entries, from the left; null when entries are missing';

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
		name text,
		subjects bigint[] NOT NULL,
		hash bytea NOT NULL,
		part int NOT NULL,
		PRIMARY KEY (chain, seq, part)
	) PARTITION BY RANGE (part);
	COMMENT ON TABLE ehr_store.audit_event IS 'the audit log: one row an entry, chained by hash; kind admit names persons shown under an earlier intent';
	COMMENT ON COLUMN ehr_store.audit_event.intent IS 'number of the entry, or of the intent under which the subjects were shown';
	COMMENT ON COLUMN ehr_store.audit_event.name IS 'the human''s name, as the token said';
	COMMENT ON COLUMN ehr_store.audit_event.subjects IS 'source patients concerned';
	COMMENT ON COLUMN ehr_store.audit_event.hash IS 'SHA-256 over the previous hash and this entry: ehr_internal.audit_hash()';
	COMMENT ON COLUMN ehr_store.audit_event.part IS 'month in which it was recorded (yyyymm): the partition, which never goes back';
	-- most entries concern nobody yet: who looks a person up says so, too
	CREATE INDEX IF NOT EXISTS audit_event_subjects ON ehr_store.audit_event USING gin (subjects) WHERE subjects <> '{}';
	CREATE INDEX IF NOT EXISTS audit_event_intent ON ehr_store.audit_event (intent);
	CREATE INDEX IF NOT EXISTS audit_event_at ON ehr_store.audit_event USING brin (at);

	CREATE TABLE IF NOT EXISTS ehr_store.audit_tree (
		level int2 NOT NULL,
		index bigint NOT NULL,
		hash bytea NOT NULL,
		PRIMARY KEY (level, index)
	);
	COMMENT ON TABLE ehr_store.audit_tree IS 'whole nodes of the Merkle tree over the log (RFC 6962), of levels 8, 16, 24 ...; single leaves where their entries are retired';

	CREATE TABLE IF NOT EXISTS ehr_store.audit_retired (
		part int PRIMARY KEY,
		first_seq bigint NOT NULL,
		last_seq bigint NOT NULL,
		hash bytea NOT NULL,
		tree bytea NOT NULL,
		at timestamptz NOT NULL DEFAULT clock_timestamp(),
		by text NOT NULL DEFAULT session_user
	);
	COMMENT ON TABLE ehr_store.audit_retired IS 'months of the log that were removed when their time was over, and where chain and tree stood at their end';

	CREATE TABLE IF NOT EXISTS ehr_store.audit_position (
		chain int2 PRIMARY KEY,
		segment bigint NOT NULL,
		place bigint NOT NULL,
		seq bigint NOT NULL,
		hash bytea NOT NULL,
		tree bytea NOT NULL,
		part int NOT NULL,
		spool text NOT NULL
	);
	COMMENT ON TABLE ehr_store.audit_position IS 'how far the spool of a cluster and database is imported, and the head of the chain';
	COMMENT ON COLUMN ehr_store.audit_position.tree IS 'whole subtrees of the tree over the first seq entries, from the left';
	-- at the end of what is there, when the row was lost
	INSERT INTO ehr_store.audit_position (chain, segment, place, seq, hash, tree, part, spool)
	SELECT 0, 0, 0, coalesce(e.seq, r.last_seq, 0), coalesce(e.hash, r.hash, decode(repeat('00', 32), 'hex')),
		coalesce(ehr_internal.audit_stack(coalesce(e.seq, r.last_seq, 0)), ''), coalesce(e.part, r.part, 0), ''
	FROM (SELECT 1) AS one
	LEFT JOIN (SELECT seq, hash, part FROM ehr_store.audit_event WHERE chain = 0 ORDER BY seq DESC LIMIT 1) AS e ON true
	LEFT JOIN (SELECT last_seq, hash, part FROM ehr_store.audit_retired ORDER BY part DESC LIMIT 1) AS r ON true
	WHERE NOT EXISTS (SELECT FROM ehr_store.audit_position);

	CREATE TABLE IF NOT EXISTS ehr_store.audit_log (
		one bool PRIMARY KEY DEFAULT true CHECK (one),
		id uuid NOT NULL DEFAULT gen_random_uuid()
	);
	COMMENT ON TABLE ehr_store.audit_log IS 'name of this log in its signed roots';
	INSERT INTO ehr_store.audit_log DEFAULT VALUES ON CONFLICT DO NOTHING;

	CREATE TABLE IF NOT EXISTS ehr_store.audit_root (
		number bigint PRIMARY KEY,
		size bigint NOT NULL,
		at timestamptz NOT NULL,
		root bytea NOT NULL,
		previous bytea NOT NULL,
		key bytea NOT NULL,
		signature bytea NOT NULL,
		exported timestamptz
	);
	COMMENT ON TABLE ehr_store.audit_root IS 'signed roots of the tree over the log: size entries and no other stood in it then';
	COMMENT ON COLUMN ehr_store.audit_root.exported IS 'when the root was written to ehr.audit_root_file';
	CREATE INDEX IF NOT EXISTS audit_root_size ON ehr_store.audit_root (size);
	CREATE INDEX IF NOT EXISTS audit_root_new ON ehr_store.audit_root (number) WHERE exported IS NULL;

	CREATE TABLE IF NOT EXISTS ehr_store.retention_rule (
		name text PRIMARY KEY,
		what text NOT NULL CHECK (what IN ('record', 'log', 'incident')),
		keep interval NOT NULL,
		test text,
		valid daterange NOT NULL DEFAULT '[2000-01-01,)',
		basis text NOT NULL,
		verified bool NOT NULL
	);
	COMMENT ON TABLE ehr_store.retention_rule IS 'how long something has to be kept, by which law; longer is always allowed';
	COMMENT ON COLUMN ehr_store.retention_rule.test IS 'for records: label:BIT, icd:RANGES, deceased, or null for every record';
	COMMENT ON COLUMN ehr_store.retention_rule.verified IS 'whether the article was read in the text of the law';
	INSERT INTO ehr_store.retention_rule (name, what, keep, test, basis, verified) VALUES
		('ordinary record', 'record', '10 years', NULL, 'inpatient and outpatient records (Ministry of Health circular on retention, primary text not seen)', false),
		('accident', 'record', '15 years', 'icd:S00-T98,V01-Y98', 'accidents at work and in daily life (the same)', false),
		('mental health', 'record', '20 years', 'icd:F00-F99', 'mental patients (the same)', false),
		('death', 'record', '30 years', 'deceased', 'patients who died (the same)', false),
		('access log', 'log', '6 months', NULL, 'Decree 165/2025: logs of core data, at least 6 months', false),
		('incident file', 'incident', '5 years', NULL, 'Law 91/2025, Decree 356/2025: the file of a breach', false)
	ON CONFLICT DO NOTHING;

	GRANT EXECUTE ON FUNCTION ehr.audit_verify(), ehr.audit_status(), ehr.audit_root(),
		ehr.audit_consistency(bigint, bigint), ehr.audit_export(bigint, bigint) TO ehr_auditor;
	GRANT EXECUTE ON FUNCTION ehr.audit_verify(), ehr.audit_status(), ehr.audit_root(), ehr.audit_consistency(bigint, bigint),
		ehr.audit_retire(date) TO ehr_admin;
END
$$;
COMMENT ON FUNCTION ehr_internal.create_audit() IS 'makes the tables of the audit log';

-- The proof ----------------------------------------------------------------------------------------

CREATE FUNCTION ehr_internal.audit_check()
	RETURNS TABLE (chain int2, seq bigint, problem text)
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_audit_check';
COMMENT ON FUNCTION ehr_internal.audit_check() IS 'hashes the whole log anew: chain, tree, roots and their signatures';

CREATE FUNCTION ehr_internal.audit_verify()
	RETURNS TABLE (chain int2, seq bigint, problem text)
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	SELECT c.chain, c.seq, c.problem FROM ehr_internal.audit_check() AS c
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
COMMENT ON FUNCTION ehr.audit_verify() IS 'problems of the audit log: changed, missing or cut-off entries, roots that do not fit, and damage that the import met; no row means none';
REVOKE EXECUTE ON FUNCTION ehr.audit_verify() FROM PUBLIC;

CREATE FUNCTION ehr_internal.audit_seal() RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_audit_seal';
COMMENT ON FUNCTION ehr_internal.audit_seal() IS 'signs the root over what is imported, unless the last one covers it already; returns the number of the last root, null for an empty log';

CREATE FUNCTION ehr_internal.audit_exports() RETURNS bool
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_audit_exports';
COMMENT ON FUNCTION ehr_internal.audit_exports() IS 'is there a file to which signed roots are written (ehr.audit_root_file, which is for superusers to see)?';

CREATE FUNCTION ehr_internal.audit_inclusion(seq bigint, size bigint) RETURNS text
	LANGUAGE c STABLE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_audit_inclusion';
COMMENT ON FUNCTION ehr_internal.audit_inclusion(bigint, bigint) IS 'line of the proof that an entry stands in the tree of this size';

CREATE FUNCTION ehr_internal.audit_consistency_line(old_size bigint, size bigint) RETURNS text
	LANGUAGE c STABLE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_audit_consistency_line';
COMMENT ON FUNCTION ehr_internal.audit_consistency_line(bigint, bigint) IS 'line of the proof that the tree of one size grew into that of another';

CREATE FUNCTION ehr_internal.audit_root_line(number bigint) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT concat_ws(' ', 'root', replace(l.id::text, '-', ''), r.number, r.size,
		(extract(epoch FROM r.at) * 1000000 - 946684800000000)::bigint, encode(r.root, 'hex'), encode(r.previous, 'hex'), encode(r.key, 'hex'), encode(r.signature, 'hex'))
	FROM ehr_store.audit_root r, ehr_store.audit_log l WHERE r.number = audit_root_line.number
$$;
COMMENT ON FUNCTION ehr_internal.audit_root_line(bigint) IS 'a signed root as a line of text (src/core/audit_root.h)';

CREATE FUNCTION ehr_internal.audit_entry_line(seq bigint) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 'entry ' || e.seq || ' ' || encode(ehr_internal.audit_entry(e.at, e.kind, e.intent, e.query_id, e.sub, e.org, e.purpose, e.sid, e.role,
		e.relations, e.detail, e.name, e.subjects), 'hex')
	FROM ehr_store.audit_event e WHERE e.chain = 0 AND e.seq = audit_entry_line.seq
$$;
COMMENT ON FUNCTION ehr_internal.audit_entry_line(bigint) IS 'an entry as a line of text (src/core/audit_root.h)';

CREATE FUNCTION ehr.audit_root()
	RETURNS TABLE (number bigint, size bigint, at timestamptz, root bytea, previous bytea, key bytea, signature bytea, line text)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.audit_root() IS 'signs the root of the log as it stands now and returns it: the last root when nothing was added since; no row for an empty log';
REVOKE EXECUTE ON FUNCTION ehr.audit_root() FROM PUBLIC;

CREATE FUNCTION ehr_internal.audit_root()
	RETURNS TABLE (number bigint, size bigint, at timestamptz, root bytea, previous bytea, key bytea, signature bytea, line text)
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 1
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	last bigint;
BEGIN
	PERFORM ehr_internal.audit_catch_up();
	last := ehr_internal.audit_seal();
	RETURN QUERY SELECT r.number, r.size, r.at, r.root, r.previous, r.key, r.signature, ehr_internal.audit_root_line(r.number)
		FROM ehr_store.audit_root r WHERE r.number = last;
END
$$;
COMMENT ON FUNCTION ehr_internal.audit_root() IS 'implementation of ehr.audit_root';

-- Entry, path, root: what somebody needs who has the public key and ehr_verify, and not the database.
CREATE FUNCTION ehr_internal.audit_proof_lines(event bigint) RETURNS SETOF text
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	entry text := ehr_internal.audit_entry_line(event);
	last bigint;
	root record;
BEGIN
	IF entry IS NULL THEN
		RAISE no_data_found USING MESSAGE = 'there is no such entry in the audit log';
	END IF;
	SELECT r.number, r.size INTO root FROM ehr_store.audit_root r WHERE r.size >= event ORDER BY r.size LIMIT 1;
	IF NOT FOUND THEN
		last := ehr_internal.audit_seal();
		SELECT r.number, r.size INTO root FROM ehr_store.audit_root r WHERE r.number = last;
	END IF;
	RETURN NEXT entry;
	RETURN NEXT ehr_internal.audit_inclusion(event, root.size);
	RETURN NEXT ehr_internal.audit_root_line(root.number);
END
$$;
COMMENT ON FUNCTION ehr_internal.audit_proof_lines(bigint) IS 'entry, path and root that prove an entry, as lines for ehr_verify';

CREATE FUNCTION ehr.audit_proof(event bigint) RETURNS SETOF text
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE ROWS 3
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.audit_proof(bigint) IS 'proof that an entry stands in the signed log, as lines for ehr_verify: for the citizen whom it concerns, and for auditors';
REVOKE EXECUTE ON FUNCTION ehr.audit_proof(bigint) FROM PUBLIC;

CREATE FUNCTION ehr.audit_consistency(from_root bigint, to_root bigint) RETURNS SETOF text
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE ROWS 3
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.audit_consistency(bigint, bigint) IS 'proof that the log of one root only grew until another, as lines for ehr_verify';
REVOKE EXECUTE ON FUNCTION ehr.audit_consistency(bigint, bigint) FROM PUBLIC;

CREATE FUNCTION ehr_internal.audit_consistency(from_root bigint, to_root bigint) RETURNS SETOF text
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	old bigint := (SELECT r.size FROM ehr_store.audit_root r WHERE r.number = from_root);
	new bigint := (SELECT r.size FROM ehr_store.audit_root r WHERE r.number = to_root);
BEGIN
	IF old IS NULL OR new IS NULL OR old > new THEN
		RAISE no_data_found USING MESSAGE = 'there are no such roots of the audit log, one before the other';
	END IF;
	RETURN NEXT ehr_internal.audit_root_line(from_root);
	RETURN NEXT ehr_internal.audit_root_line(to_root);
	RETURN NEXT ehr_internal.audit_consistency_line(old, new);
END
$$;
COMMENT ON FUNCTION ehr_internal.audit_consistency(bigint, bigint) IS 'implementation of ehr.audit_consistency';

CREATE FUNCTION ehr.audit_export(from_event bigint DEFAULT NULL, to_event bigint DEFAULT NULL) RETURNS SETOF text
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 100000
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.audit_export(bigint, bigint) IS 'the log, or a part of it, with its signed roots, as lines for ehr_verify';
REVOKE EXECUTE ON FUNCTION ehr.audit_export(bigint, bigint) FROM PUBLIC;

CREATE FUNCTION ehr_internal.audit_export(from_event bigint, to_event bigint) RETURNS SETOF text
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	kept bigint := (SELECT coalesce(max(r.last_seq), 0) + 1 FROM ehr_store.audit_retired r);
	first bigint := greatest(from_event, kept);
	last bigint;
	hash bytea;
	tree bytea;
BEGIN
	IF to_event IS NULL THEN
		PERFORM ehr_internal.audit_catch_up();
		IF (ehr.vault_status()).usable THEN PERFORM ehr_internal.audit_seal(); END IF;
	END IF;
	last := least(to_event, (SELECT max(e.seq) FROM ehr_store.audit_event e));
	hash := coalesce((SELECT e.hash FROM ehr_store.audit_event e WHERE e.chain = 0 AND e.seq = first - 1),
		(SELECT r.hash FROM ehr_store.audit_retired r WHERE r.last_seq = first - 1), decode(repeat('00', 32), 'hex'));
	tree := ehr_internal.audit_stack(first - 1);
	RETURN NEXT concat_ws(' ', 'start', first - 1, encode(hash, 'hex'),
		(SELECT string_agg(encode(substr(tree, i * 32 + 1, 32), 'hex'), ' ' ORDER BY i) FROM generate_series(0, length(tree) / 32 - 1) AS i));
	-- a root stands behind the entry that it ends with
	RETURN QUERY
	SELECT l.line FROM (
		SELECT e.seq AS place, 0 AS behind, 'entry ' || e.seq || ' ' || encode(ehr_internal.audit_entry(e.at, e.kind, e.intent, e.query_id, e.sub, e.org,
			e.purpose, e.sid, e.role, e.relations, e.detail, e.name, e.subjects), 'hex') AS line
		FROM ehr_store.audit_event e WHERE e.chain = 0 AND e.seq BETWEEN first AND last
		UNION ALL
		SELECT r.size, r.number, ehr_internal.audit_root_line(r.number) FROM ehr_store.audit_root r WHERE r.size BETWEEN first - 1 AND last) AS l
	ORDER BY l.place, l.behind;
END
$$;
COMMENT ON FUNCTION ehr_internal.audit_export(bigint, bigint) IS 'implementation of ehr.audit_export';

-- Retention ----------------------------------------------------------------------------------------

CREATE FUNCTION ehr.audit_retire(before date) RETURNS TABLE (part int, entries bigint)
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE ROWS 12
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.audit_retire(date) IS 'removes the months of the log that ended before a day, when the law lets them go and a signed root covers them; proofs of what stays go on to hold';
REVOKE EXECUTE ON FUNCTION ehr.audit_retire(date) FROM PUBLIC;

CREATE FUNCTION ehr_internal.audit_retire(before date) RETURNS TABLE (part int, entries bigint)
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	keep interval := (SELECT max(r.keep) FROM ehr_store.retention_rule r WHERE r.what = 'log' AND r.valid @> current_date);
	p record;
	month int;
BEGIN
	IF keep IS NULL OR before > current_date - keep THEN
		RAISE object_not_in_prerequisite_state USING MESSAGE = 'the audit log has to be kept longer',
			DETAIL = format('ehr_store.retention_rule: %s.', coalesce(keep::text, 'no rule, so nothing may go'));
	END IF;
	-- nothing is imported meanwhile
	PERFORM FROM ehr_store.audit_position FOR UPDATE;
	FOREACH month IN ARRAY ARRAY(SELECT DISTINCT e.part FROM ehr_store.audit_event e
		WHERE e.part < (extract(year FROM before) * 100 + extract(month FROM before))::int
			AND e.part < (SELECT q.part FROM ehr_store.audit_position q WHERE q.chain = 0) ORDER BY 1)
	LOOP
		SELECT month AS part, min(e.seq) AS first_seq, max(e.seq) AS last_seq, count(*) AS n INTO p FROM ehr_store.audit_event e WHERE e.part = month;
		IF NOT EXISTS (SELECT FROM ehr_store.audit_root r WHERE r.size >= p.last_seq) THEN
			RAISE object_not_in_prerequisite_state USING MESSAGE = 'no signed root covers this part of the audit log yet',
				DETAIL = format('The month is %s.', p.part), HINT = 'SELECT * FROM ehr.audit_root() signs one.';
		END IF;
		INSERT INTO ehr_store.audit_retired (part, first_seq, last_seq, hash, tree)
		SELECT p.part, p.first_seq, p.last_seq, e.hash, ehr_internal.audit_stack(p.last_seq)
		FROM ehr_store.audit_event e WHERE e.chain = 0 AND e.seq = p.last_seq;
		-- the tree keeps nodes of 256 leaves: of the last, ragged one the leaves are needed
		INSERT INTO ehr_store.audit_tree (level, index, hash)
		SELECT 0, e.seq - 1, ehr_internal.audit_leaf(e.seq, ehr_internal.audit_entry(e.at, e.kind, e.intent, e.query_id, e.sub, e.org, e.purpose, e.sid,
			e.role, e.relations, e.detail, e.name, e.subjects))
		FROM ehr_store.audit_event e
		WHERE e.chain = 0 AND e.part = p.part AND e.seq BETWEEN p.last_seq - p.last_seq % 256 + 1 AND p.last_seq
		ON CONFLICT DO NOTHING;
		EXECUTE format('DROP TABLE ehr_store.%I', 'audit_event_' || p.part);
		part := month;
		entries := p.n;
		RETURN NEXT;
	END LOOP;
	PERFORM ehr_internal.audit_note('retire', 'audit log before ' || before);
END
$$;
COMMENT ON FUNCTION ehr_internal.audit_retire(date) IS 'implementation of ehr.audit_retire';

CREATE FUNCTION ehr_internal.audit_leaf(seq bigint, entry bytea) RETURNS bytea
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_audit_leaf';
COMMENT ON FUNCTION ehr_internal.audit_leaf(bigint, bytea) IS 'leaf of an entry in the tree: SHA-256(0x00, chain, seq, entry)';
