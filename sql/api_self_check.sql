---------------------------------------------------------------------------------------------------
-- self_check(): what is wrong with an installation, and the command that mends it (doc/audit.md)
---------------------------------------------------------------------------------------------------

-- What the catalogs show. A row is a problem; the mend can be pasted into psql unless it begins with "--".
CREATE VIEW ehr.catalog_problem (check_name, detail, mend) AS
WITH store AS (
	SELECT c.oid, c.oid::regclass AS name, c.relkind, c.relowner, c.relrowsecurity, c.relforcerowsecurity, c.relacl
	FROM pg_class c WHERE c.relnamespace = to_regnamespace('ehr_store') AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
), func AS (
	SELECT p.oid, p.oid::regprocedure AS name, CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END AS what, n.nspname,
		p.prosecdef, p.proowner, p.prosrc, p.proconfig, p.prokind, l.lanname, p.proacl
	FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
	WHERE n.nspname IN ('ehr', 'ehr_internal', 'ehr_store') AND p.prokind IN ('f', 'p')
), expected_role (name, bypass) AS (
	VALUES ('ehr_owner', false), ('ehr_app', false), ('ehr_query', false), ('ehr_ingest', false), ('ehr_auditor', false), ('ehr_admin', false), ('ehr_backup', true)
)
SELECT 'roles', format('role %s is missing', e.name), 'SELECT ehr.create_store()'
FROM expected_role e WHERE to_regrole(e.name) IS NULL
UNION ALL
SELECT 'roles', format('role %s is a superuser', r.rolname), format('ALTER ROLE %I NOSUPERUSER', r.rolname)
FROM pg_roles r JOIN expected_role e ON e.name = r.rolname WHERE r.rolsuper
UNION ALL
SELECT 'roles', format('role %s is not bound by row security', r.rolname), format('ALTER ROLE %I NOBYPASSRLS', r.rolname)
FROM pg_roles r JOIN expected_role e ON e.name = r.rolname WHERE r.rolbypassrls AND NOT e.bypass
UNION ALL
SELECT 'roles', format('role %s can log in', r.rolname), format('ALTER ROLE %I NOLOGIN', r.rolname)
FROM pg_roles r WHERE r.rolname = 'ehr_owner' AND r.rolcanlogin
UNION ALL
SELECT 'roles', format('role %s is a member of ehr_owner and can act as the store''s owner', m.member::regrole), format('REVOKE ehr_owner FROM %s', m.member::regrole)
FROM pg_auth_members m WHERE m.roleid = to_regrole('ehr_owner')
	AND NOT (SELECT r.rolsuper FROM pg_roles r WHERE r.oid = m.member)
UNION ALL
SELECT 'ownership', 'schema ehr_store does not belong to ehr_owner', 'ALTER SCHEMA ehr_store OWNER TO ehr_owner'
FROM pg_namespace n WHERE n.nspname = 'ehr_store' AND n.nspowner IS DISTINCT FROM to_regrole('ehr_owner')
UNION ALL
SELECT 'ownership', format('%s does not belong to ehr_owner', s.name),
	format('ALTER %s %s OWNER TO ehr_owner', CASE s.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, s.name)
FROM store s WHERE s.relowner IS DISTINCT FROM to_regrole('ehr_owner')
UNION ALL
SELECT 'row security', format('table %s does not %s row security', s.name, CASE WHEN s.relrowsecurity THEN 'force' ELSE 'have' END),
	format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', s.name)
FROM store s WHERE s.relkind IN ('r', 'p') AND NOT (s.relrowsecurity AND s.relforcerowsecurity)
UNION ALL
SELECT 'row security', format('foreign table %s cannot have row security', s.name), format('DROP FOREIGN TABLE %s', s.name)
FROM store s WHERE s.relkind = 'f'
UNION ALL
SELECT DISTINCT 'views', CASE v.relkind WHEN 'm' THEN format('materialized view %s keeps rows of the store without row security', v.oid::regclass)
		ELSE format('view %s reads the store as its owner %s, whom row security does not bind', v.oid::regclass, v.relowner::regrole) END,
	CASE v.relkind WHEN 'm' THEN format('DROP MATERIALIZED VIEW %s', v.oid::regclass) ELSE format('ALTER VIEW %s SET (security_invoker = true)', v.oid::regclass) END
FROM pg_depend d JOIN pg_rewrite w ON w.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
	JOIN pg_class v ON v.oid = w.ev_class JOIN store s ON s.oid = d.refobjid AND d.refclassid = 'pg_class'::regclass
WHERE v.oid <> s.oid AND s.relkind IN ('r', 'p')
	AND (v.relkind = 'm' OR v.relkind = 'v' AND NOT coalesce(v.reloptions, '{}') && '{security_invoker=true,security_invoker=on,security_invoker=1}'
		AND (SELECT r.rolsuper OR r.rolbypassrls FROM pg_roles r WHERE r.oid = v.relowner))
UNION ALL
SELECT 'privileges', format('%s may %s %s', CASE a.grantee WHEN 0 THEN 'everybody' ELSE 'role ' || a.grantee::regrole END, a.privilege_type, s.name),
	format('REVOKE %s ON %s FROM %s', a.privilege_type, s.name, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END)
FROM store s, aclexplode(s.relacl) AS a
WHERE a.grantee IS DISTINCT FROM to_regrole('ehr_owner') AND a.grantee <> s.relowner AND (a.grantee = 0 OR a.privilege_type NOT IN ('SELECT', 'USAGE'))
UNION ALL
SELECT 'privileges', format('%s may use schema ehr_internal', CASE a.grantee WHEN 0 THEN 'everybody' ELSE 'role ' || a.grantee::regrole END),
	format('REVOKE ALL ON SCHEMA ehr_internal FROM %s', CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END)
FROM pg_namespace n, aclexplode(n.nspacl) AS a
WHERE n.nspname = 'ehr_internal' AND a.grantee <> n.nspowner
	AND NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = a.grantee AND r.rolname IN ('ehr_owner', 'ehr_backup'))
UNION ALL
SELECT 'functions', format('everybody may call %s', f.name), format('REVOKE EXECUTE ON %s %s FROM PUBLIC', f.what, f.name)
FROM func f WHERE (f.prosrc IN ('ehr_as_owner', 'ehr_as_system') OR f.oid IN (to_regprocedure('ehr.create_store()'), to_regprocedure('ehr.upgrade_store()')))
	AND (f.proacl IS NULL OR EXISTS (SELECT FROM aclexplode(f.proacl) AS a WHERE a.grantee = 0 AND a.privilege_type = 'EXECUTE'))
UNION ALL
SELECT 'functions', format('%s runs with the rights of its owner', f.name), format('ALTER %s %s SECURITY INVOKER', f.what, f.name)
FROM func f WHERE f.prosecdef AND (f.nspname <> 'ehr_store' OR f.proowner IS DISTINCT FROM to_regrole('ehr_owner'))
UNION ALL
SELECT 'functions', format('%s looks names up in the caller''s search_path', f.name), format('ALTER %s %s SET search_path = pg_catalog, pg_temp', f.what, f.name)
FROM func f WHERE f.lanname IN ('sql', 'plpgsql')
	AND NOT coalesce(f.proconfig, '{}') @> ARRAY['search_path=pg_catalog, pg_temp']
	-- a procedure that commits cannot have a SET clause: it sets the path itself
	AND NOT (f.prokind = 'p' AND f.prosrc LIKE '%set\_config(''search\_path'', ''pg\_catalog, pg\_temp'', true)%')
UNION ALL
SELECT 'publications', format('publication %s sends %I.%I out past row security', t.pubname, t.schemaname, t.tablename), format('DROP PUBLICATION %I', t.pubname)
FROM pg_publication_tables t WHERE t.schemaname = 'ehr_store';
COMMENT ON VIEW ehr.catalog_problem IS 'problems of the installation that the catalogs show; part of ehr.self_check()';

-- What only the owner of the store can see, as counts.
CREATE FUNCTION ehr.store_facts() RETURNS jsonb
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.store_facts() IS 'counts that only the owner of the store can see; part of ehr.self_check()';
REVOKE EXECUTE ON FUNCTION ehr.store_facts() FROM PUBLIC;

CREATE FUNCTION ehr_internal.store_facts() RETURNS jsonb
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN jsonb_build_object('version', (SELECT i.version FROM ehr_store.store_info i),
		'keys', (SELECT count(*) FROM ehr_store.session_key k WHERE k.valid @> clock_timestamp()),
		'wrapped_elsewhere', CASE WHEN (ehr.vault_status()).usable THEN (SELECT count(*) FROM ehr_store.vault_key k
			WHERE k.wrapped IS NOT NULL AND k.root <> ehr_internal.vault_root()) END,
		'vault_ready', EXISTS (SELECT FROM ehr_store.vault_key k WHERE k.kind = 'i' AND k.wrapped IS NOT NULL)
			AND NOT EXISTS (SELECT FROM ehr_store.key_rotation r WHERE r.finished IS NULL),
		-- entries that should have been signed by now
		'unsigned', (SELECT count(*) FROM (SELECT FROM ehr_store.audit_event e
			WHERE e.chain = 0 AND e.seq > (SELECT coalesce(max(r.size), 0) FROM ehr_store.audit_root r)
				AND e.at < clock_timestamp() - interval '1 minute' - 2 * nullif(current_setting('ehr.audit_root_period', true)::interval, '0')
			LIMIT 1000) AS u),
		'unexported', (SELECT count(*) FROM ehr_store.audit_root r
			WHERE r.exported IS NULL AND r.at < clock_timestamp() - interval '1 minute' AND ehr_internal.audit_exports()),
		'requests_late', (SELECT count(*) FROM ehr_store.dsr_request q
			WHERE q.decided IS NULL AND clock_timestamp() > least(q.due, CASE WHEN q.acknowledged IS NULL THEN q.ack_due END)),
		'incidents_late', (SELECT count(*) FROM ehr_store.incident i WHERE i.notified IS NULL AND clock_timestamp() > i.notify_by),
		'persons', (SELECT jsonb_object_agg(p.problem, p.found) FROM ehr_internal.person_problems() AS p));
END
$$;
COMMENT ON FUNCTION ehr_internal.store_facts() IS 'implementation of ehr.store_facts';

CREATE FUNCTION ehr.self_check()
	RETURNS TABLE (check_name text, ok bool, detail text, mend text)
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	audit record;
	vault record;
	facts jsonb := '{}';
	no_store text;
BEGIN
	SELECT * INTO audit FROM ehr.audit_status();
	SELECT * INTO vault FROM ehr.vault_status();
	BEGIN
		facts := ehr.store_facts();
	EXCEPTION WHEN OTHERS THEN
		no_store := SQLERRM;
	END;

	RETURN QUERY
	WITH checked (n, name, meaning) AS (VALUES
		(1, 'preload', 'the library is loaded when the server starts'),
		(2, 'version', 'library, extension and store are of one version'),
		(3, 'encoding', 'the database is in UTF-8'),
		(4, 'durability', 'the server keeps what it has acknowledged'),
		(5, 'session keys', 'tokens can be verified'),
		(6, 'audit writer', 'the audit launcher runs and serves this database'),
		(7, 'audit spool', 'the audit spool can be written'),
		(8, 'audit import', 'the audit log is up to date'),
		(9, 'roles', 'the roles of ehr are there, with the attributes they must have'),
		(10, 'ownership', 'everything in the store belongs to ehr_owner'),
		(11, 'row security', 'every table of the store forces row security'),
		(12, 'views', 'no view shows the store past row security'),
		(13, 'privileges', 'nobody may do more with the store''s tables than select under row security'),
		(14, 'functions', 'no function of ehr is open to everybody that should not be, or can be led astray'),
		(15, 'publications', 'no publication sends the store''s rows out'),
		(16, 'server log', 'values that applications send are not written to the server log'),
		(17, 'vault key', 'the vault''s root key is there and its memory locked'),
		(18, 'vault keys', 'the vault''s keys are wrapped by the current root key'),
		(19, 'audit roots', 'what is in the audit log is covered by signed roots'),
		(20, 'requests', 'requests of data subjects are answered in time'),
		(21, 'incidents', 'the authority was told of breaches in time'),
		(22, 'persons', 'every source patient is one person, every person has a source patient, and what was merged leads to one')
	), problem (name, detail, mend) AS (
		SELECT 'preload', 'ehr is not in shared_preload_libraries, so there is no session, no consent and no audit',
			format('ALTER SYSTEM SET shared_preload_libraries = %s; -- and restart',
				concat_ws(', ', nullif(current_setting('shared_preload_libraries'), ''), 'ehr'))
		WHERE NOT audit.preloaded
		UNION ALL
		SELECT 'version', format('the library is %s, the extension %s', ehr.version(), e.extversion), 'ALTER EXTENSION ehr UPDATE -- after a restart with the new library'
		FROM pg_extension e WHERE e.extname = 'ehr' AND e.extversion <> ehr.version()
		UNION ALL
		SELECT 'version', format('the library is %s, the store %s', ehr.version(), facts ->> 'version'), 'SELECT ehr.upgrade_store()'
		WHERE facts ->> 'version' <> ehr.version()
		UNION ALL
		SELECT 'version', 'the store cannot be used: ' || no_store, CASE WHEN to_regnamespace('ehr_store') IS NULL THEN 'SELECT ehr.create_store()' ELSE '-- see the other rows' END
		WHERE no_store IS NOT NULL
		UNION ALL
		SELECT 'encoding', 'the database is in ' || current_setting('server_encoding'), '-- dump it and restore it into one that is made with ENCODING UTF8'
		WHERE current_setting('server_encoding') <> 'UTF8'
		UNION ALL
		SELECT 'durability', format('%s is off: what was acknowledged can be lost', s.name), format('ALTER SYSTEM SET %I = on; SELECT pg_reload_conf()', s.name)
		FROM pg_settings s WHERE s.name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND s.setting = 'off'
		UNION ALL
		SELECT 'session keys', 'no key is valid now, so nobody can log in', '-- SELECT ehr.add_session_key(kid, jwk) with the public key of who issues the tokens'
		WHERE facts ->> 'keys' = '0'
		UNION ALL
		SELECT 'session keys', format('%s is not set: tokens for another system would be taken', s.name), format('-- ALTER SYSTEM SET %s = ...; SELECT pg_reload_conf()', s.name)
		FROM pg_settings s WHERE s.name IN ('ehr.token_issuer', 'ehr.token_audience') AND s.setting = ''
		UNION ALL
		SELECT 'audit writer', 'ehr.database does not name this database, so no health record can be read in it', 'ALTER SYSTEM SET "ehr.database" = ''*''; -- and restart'
		WHERE NOT audit.served
		UNION ALL
		SELECT 'audit writer', 'the audit launcher does not run, so entries stay in the spool', '-- see the server log; it is started again every 5 seconds'
		WHERE audit.preloaded AND audit.launcher IS NULL
		UNION ALL
		SELECT 'audit spool', format('the server cannot write to %s, so reads are refused', audit.directory),
			format('-- make %s a folder that the server''s user owns, with mode 0700 and room for %s', audit.directory, pg_size_pretty(audit.spool_limit))
		WHERE NOT audit.writable
		UNION ALL
		SELECT 'audit spool', format('%s of %s are used; when it is full, reads are refused', pg_size_pretty(audit.spool_bytes), pg_size_pretty(audit.spool_limit)),
			'-- see "audit import"; or ALTER SYSTEM SET ehr.audit_spool_limit'
		WHERE audit.spool_bytes > audit.spool_limit / 4 * 3
		UNION ALL
		SELECT 'audit import', format('%s wait in the spool and are not imported within two seconds', pg_size_pretty(audit.waiting)),
			'-- see the server log for errors of "ehr audit worker"; raise max_worker_processes if none is free'
		WHERE audit.waiting > 0 AND audit.served
		UNION ALL
		SELECT p.check_name, p.detail, p.mend FROM ehr.catalog_problem p
		UNION ALL
		SELECT 'server log', format('%s is %s, so bound values are logged when a statement fails', s.name, s.setting), format('ALTER SYSTEM SET %I = 0; SELECT pg_reload_conf()', s.name)
		FROM pg_settings s WHERE s.name = 'log_parameter_max_length_on_error' AND s.setting <> '0'
		UNION ALL
		SELECT 'server log', format('%s is %s, so statements are logged, and bound values with them', s.name, s.setting), 'ALTER SYSTEM SET log_parameter_max_length = 0; SELECT pg_reload_conf()'
		FROM pg_settings s WHERE current_setting('log_parameter_max_length') <> '0'
			AND (s.name = 'log_statement' AND s.setting IN ('mod', 'all') OR s.name IN ('log_min_duration_statement', 'log_min_duration_sample') AND s.setting <> '-1')
		UNION ALL
		SELECT 'vault key', coalesce(vault.problem, 'the vault has no root key, so nothing can be sealed and no root of the audit log signed'),
			'-- set ehr.vault_key_file or ehr.vault_key_command (doc/vault.md) and restart the server'
		WHERE audit.preloaded AND NOT vault.usable
		UNION ALL
		SELECT 'vault key', 'the memory of the root key could not be locked, so it may be written to swap space',
			'-- raise the limit on locked memory (ulimit -l) of the server''s user, and restart the server'
		WHERE vault.usable AND NOT vault.locked
		UNION ALL
		SELECT 'vault keys', format('%s keys are wrapped by another root key than the current one', facts ->> 'wrapped_elsewhere'), 'SELECT * FROM ehr.rotate_keys()'
		WHERE facts ->> 'wrapped_elsewhere' <> '0'
		UNION ALL
		SELECT 'vault keys', 'the vault has not all its keys, or a rotation was not finished', 'SELECT * FROM ehr.rotate_keys()'
		WHERE vault.usable AND facts ->> 'vault_ready' = 'false'
		UNION ALL
		SELECT 'audit roots', 'entries of the audit log wait longer for a signed root than ehr.audit_root_period says',
			'-- see the server log for errors of "ehr audit worker"; SELECT * FROM ehr.audit_root() signs one'
		WHERE vault.usable AND facts ->> 'unsigned' <> '0'
		UNION ALL
		SELECT 'audit roots', format('%s signed roots could not be written to ehr.audit_root_file', facts ->> 'unexported'),
			'-- make the file writable for the server; they are written within ten seconds. The server log has the reason'
		WHERE facts ->> 'unexported' <> '0'
		UNION ALL
		SELECT 'requests', format('%s requests of data subjects are late', facts ->> 'requests_late'),
			'-- SELECT * FROM ehr.dsr_clock(), then ehr.dsr_decide(...), in an administrator''s session'
		WHERE facts ->> 'requests_late' <> '0'
		UNION ALL
		SELECT 'incidents', format('the 72 hours of %s incidents are over', facts ->> 'incidents_late'),
			'-- tell the authority, then ehr.incident_note(incident, ''notify_authority'', ...)'
		WHERE facts ->> 'incidents_late' <> '0'
		UNION ALL
		SELECT 'persons', format('%s: %s times', p.key, p.value),
			CASE p.key WHEN 'a source patient without a person' THEN '-- CALL ehr.link_all()'
				ELSE '-- SELECT * FROM ehr_internal.person_problems() names them; restore what is missing from a backup, or delete the links and CALL ehr.link_all()' END
		FROM jsonb_each_text(coalesce(nullif(facts -> 'persons', 'null'), '{}')) AS p
	)
	SELECT c.name, p.name IS NULL, coalesce(p.detail, c.meaning), p.mend
	FROM checked c LEFT JOIN problem p ON p.name = c.name
	ORDER BY c.n, p.detail;
END
$$;
COMMENT ON FUNCTION ehr.self_check() IS 'what is wrong with the installation: each check with its result, and the command that mends it';
REVOKE EXECUTE ON FUNCTION ehr.self_check() FROM PUBLIC;
