---------------------------------------------------------------------------------------------------
-- api: what applications call (doc/api.md)
---------------------------------------------------------------------------------------------------

CREATE FUNCTION ehr_internal.rename_references(resource jsonb, names jsonb) RETURNS jsonb
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10
	AS 'MODULE_PATHNAME', 'ehr_rename_references';
COMMENT ON FUNCTION ehr_internal.rename_references(jsonb, jsonb) IS 'a resource in which every string that is a key of names is replaced by its value';

CREATE FUNCTION ehr_internal.require_may_write(resource jsonb, principal jsonb) RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	type_no int2 := ehr_internal.type_number(resource ->> 'resourceType');
	resource_key bigint := ehr_internal.key_of(type_no, resource ->> 'id');
	concerned bigint;
	current_row record;
BEGIN
	-- the key's row stands for the resource: what is checked here is what will be replaced
	PERFORM FROM ehr_store.resource_key k WHERE k.key = resource_key FOR UPDATE;
	-- what stands there now must be the caller's own to change, and what comes must be the caller's to write
	SELECT r.subject, r.more_subjects, r.author INTO current_row FROM ehr_store.resource r WHERE r.key = resource_key;
	IF FOUND AND current_row.author IS DISTINCT FROM ehr_internal.author_of(principal) THEN
		RAISE insufficient_privilege USING MESSAGE = 'not allowed to write this resource',
			DETAIL = 'Only its author may replace a resource.';
	END IF;
	FOREACH concerned IN ARRAY coalesce(ehr_internal.subjects_of(resource), ARRAY[NULL::bigint])
		|| CASE WHEN current_row.author IS NOT NULL THEN current_row.subject || current_row.more_subjects ELSE '{}' END
	LOOP
		IF ehr.may_write(concerned, type_no, principal ->> 'org') IS NOT TRUE THEN
			RAISE insufficient_privilege USING MESSAGE = 'not allowed to write this resource',
				DETAIL = 'The session may not write for the patient that the resource is about.';
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION ehr_internal.require_may_write(jsonb, jsonb) IS 'error 42501 unless the session may write the resource in place of what stands there';

-- The version just written, as it is given out.
CREATE FUNCTION ehr_internal.stored(resource_key bigint) RETURNS ehr.fhir
	LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$ SELECT ehr_internal.with_version(r.doc::jsonb, r.version, r.recorded)::ehr.fhir FROM ehr_store.resource r WHERE r.key = $1 $$;
COMMENT ON FUNCTION ehr_internal.stored(bigint) IS 'current version of a resource with its server-made meta';

-- The author of what a session writes: its facility, else the kind of session and its subject.
CREATE FUNCTION ehr_internal.author_of(principal jsonb) RETURNS text
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	RETURN coalesce(principal ->> 'org', (principal ->> 'kind') || ':' || (principal ->> 'sub'));
COMMENT ON FUNCTION ehr_internal.author_of(jsonb) IS 'author recorded for what a session writes';

CREATE FUNCTION ehr.post(resource ehr.fhir, if_none_exist text DEFAULT NULL) RETURNS ehr.fhir
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.post(ehr.fhir, text) IS 'creates a resource under a new id; if_none_exist ''identifier=system|value'' makes it conditional (FHIR create)';

CREATE FUNCTION ehr_internal.post(resource ehr.fhir, if_none_exist text) RETURNS ehr.fhir
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	principal jsonb := ehr_internal.require_session();
	doc jsonb := jsonb_set(resource::jsonb, '{id}', to_jsonb(gen_random_uuid()::text));
	found_key bigint;
	written bigint;
BEGIN
	IF resource IS NULL THEN
		RAISE null_value_not_allowed USING MESSAGE = 'resource must not be null';
	END IF;
	IF if_none_exist IS NOT NULL THEN
		found_key := ehr_internal.claim_identifier(ehr_internal.type_number(doc ->> 'resourceType'), if_none_exist, true);
		IF found_key IS NOT NULL THEN
			RETURN ehr_internal.stored(found_key);
		END IF;
	END IF;
	PERFORM ehr_internal.require_may_write(doc, principal);
	written := ehr_internal.write_and_link(doc, ehr_internal.author_of(principal));
	RETURN ehr_internal.stored(written);
END
$$;
COMMENT ON FUNCTION ehr_internal.post(ehr.fhir, text) IS 'implementation of ehr.post';

-- Only identifier=system|value can be asked for. Returns the key of the resource that has the identifier; null when
-- none has, and then nobody else can create one before this transaction has ended. visible: what the session may not
-- read counts as not there, so that the answer does not tell of it.
CREATE FUNCTION ehr_internal.claim_identifier(type_no int2, query text, visible bool) RETURNS bigint
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	parts text[] := regexp_match(query, '^identifier=([^|&]*)\|([^|&]+)$');
	keys bigint[];
BEGIN
	IF parts IS NULL THEN
		RAISE feature_not_supported USING MESSAGE = 'condition is not supported',
			DETAIL = 'A condition has the form identifier=system|value.';
	END IF;
	INSERT INTO ehr_store.conditional_create AS c (type, system, value) VALUES (type_no, parts[1], parts[2])
	ON CONFLICT (type, system, value) DO UPDATE SET value = excluded.value;
	SELECT array_agg(b.key) INTO keys FROM ehr_store.business_key b JOIN ehr_store.resource r ON r.key = b.key
	WHERE b.type = type_no AND b.system = parts[1] AND b.value = parts[2]
		AND (NOT visible OR ehr.may_read_row(r.key, r.subject, r.more_subjects, r.type, r.labels, r.author, r.happened));
	IF cardinality(keys) > 1 THEN
		RAISE cardinality_violation USING MESSAGE = 'the condition matches more than one resource';
	END IF;
	RETURN keys[1];
END
$$;
COMMENT ON FUNCTION ehr_internal.claim_identifier(int2, text, bool) IS 'resource that an identifier condition names; keeps others from creating it meanwhile';

CREATE FUNCTION ehr_internal.write_and_link(resource jsonb, author text, source text DEFAULT NULL, expected int DEFAULT NULL) RETURNS bigint
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	written bigint := ehr_internal.store_write(resource, author, source, expected);
BEGIN
	IF resource ->> 'resourceType' = 'Patient' THEN
		PERFORM ehr_internal.link_subjects(ARRAY[written]);
	END IF;
	RETURN written;
END
$$;
COMMENT ON FUNCTION ehr_internal.write_and_link(jsonb, text, text, int) IS 'ehr_internal.store_write, and for a Patient the search for its person';

CREATE FUNCTION ehr.put(resource ehr.fhir, if_match int DEFAULT NULL) RETURNS ehr.fhir
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.put(ehr.fhir, int) IS 'stores a resource under its own id as a new version (FHIR update); if_match: the version it must replace, else 40001';

CREATE FUNCTION ehr_internal.put(resource ehr.fhir, if_match int) RETURNS ehr.fhir
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	principal jsonb := ehr_internal.require_session();
	written bigint;
BEGIN
	IF resource IS NULL OR resource::jsonb ->> 'id' IS NULL THEN
		RAISE null_value_not_allowed USING MESSAGE = 'a resource to be put needs an id',
			HINT = 'Use ehr.post for a resource without one.';
	END IF;
	-- what the session may not read has no version, as if there were none
	IF if_match IS NOT NULL AND NOT EXISTS (
		SELECT FROM ehr_store.resource r
		WHERE r.type = ehr_internal.type_number(resource::jsonb ->> 'resourceType') AND r.id = resource::jsonb ->> 'id'
			AND ehr.may_read_row(r.key, r.subject, r.more_subjects, r.type, r.labels, r.author, r.happened)) THEN
		RAISE serialization_failure USING MESSAGE = 'the resource has another version than expected',
			DETAIL = 'The version given with if_match is not the current one.',
			HINT = 'Read the resource again and repeat the change on its current version.';
	END IF;
	PERFORM ehr_internal.require_may_write(resource::jsonb, principal);
	written := ehr_internal.write_and_link(resource::jsonb, ehr_internal.author_of(principal), NULL, if_match);
	RETURN ehr_internal.stored(written);
END
$$;
COMMENT ON FUNCTION ehr_internal.put(ehr.fhir, int) IS 'implementation of ehr.put';

CREATE FUNCTION ehr.remove(type text, id text) RETURNS bool
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.remove(text, text) IS 'marks a resource as deleted (FHIR delete); false when there is none that the session may change';

CREATE FUNCTION ehr_internal.remove(type text, id text) RETURNS bool
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	principal jsonb := ehr_internal.require_session();
	found_row record;
BEGIN
	PERFORM FROM ehr_store.resource_key k
	WHERE k.type = ehr_internal.type_number(remove.type) AND k.id = remove.id FOR UPDATE;
	SELECT r.subject, r.more_subjects, r.author INTO found_row FROM ehr_store.resource r
	WHERE r.type = ehr_internal.type_number(remove.type) AND r.id = remove.id AND NOT r.deleted;
	IF NOT FOUND OR found_row.author IS DISTINCT FROM ehr_internal.author_of(principal) OR (SELECT bool_and(ehr.may_write(s, ehr_internal.type_number(remove.type), principal ->> 'org')) IS NOT TRUE
		FROM unnest(found_row.subject || coalesce(found_row.more_subjects, '{}')) AS s) THEN
		RETURN false;
	END IF;
	RETURN ehr_internal.store_remove(remove.type, remove.id, ehr_internal.author_of(principal));
END
$$;
COMMENT ON FUNCTION ehr_internal.remove(text, text) IS 'implementation of ehr.remove';

CREATE FUNCTION ehr.get(type text, id text, version int DEFAULT NULL) RETURNS ehr.fhir
	LANGUAGE c STABLE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_owner';
COMMENT ON FUNCTION ehr.get(text, text, int) IS 'a resource, or one of its versions; null when there is none that the session may read';

CREATE FUNCTION ehr_internal.get(type text, id text, version int) RETURNS ehr.fhir
	LANGUAGE plpgsql STABLE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (SELECT ehr_internal.with_version(r.doc::jsonb, r.version, r.recorded)::ehr.fhir
		FROM ehr_store.resource r
		WHERE r.type = ehr_internal.type_number(get.type) AND r.id = get.id AND r.version = coalesce(get.version, r.version)
		UNION ALL
		SELECT ehr_internal.with_version(h.doc::jsonb, h.version, h.recorded)::ehr.fhir
		FROM ehr_store.resource_history h
		WHERE h.type = ehr_internal.type_number(get.type) AND h.id = get.id AND h.version = get.version);
END
$$;
COMMENT ON FUNCTION ehr_internal.get(text, text, int) IS 'implementation of ehr.get';

CREATE FUNCTION ehr.history(type text, id text)
	RETURNS TABLE (version int, recorded timestamptz, deleted bool, author text, resource ehr.fhir)
	LANGUAGE c STABLE STRICT PARALLEL UNSAFE ROWS 5
	AS 'MODULE_PATHNAME', 'ehr_as_owner';
COMMENT ON FUNCTION ehr.history(text, text) IS 'every version of a resource that the session may read, the newest first';

CREATE FUNCTION ehr_internal.history(type text, id text)
	RETURNS TABLE (version int, recorded timestamptz, deleted bool, author text, resource ehr.fhir)
	LANGUAGE plpgsql STABLE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	SELECT v.version, v.recorded, v.deleted, v.author, ehr_internal.with_version(v.doc::jsonb, v.version, v.recorded)::ehr.fhir
	FROM (SELECT r.* FROM ehr_store.resource r
		WHERE r.type = ehr_internal.type_number(history.type) AND r.id = history.id
		UNION ALL
		SELECT h.* FROM ehr_store.resource_history h
		WHERE h.type = ehr_internal.type_number(history.type) AND h.id = history.id) AS v
	ORDER BY v.version DESC;
END
$$;
COMMENT ON FUNCTION ehr_internal.history(text, text) IS 'implementation of ehr.history';

CREATE FUNCTION ehr.as_of(type text, id text, at timestamptz) RETURNS ehr.fhir
	LANGUAGE c STABLE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_owner';
COMMENT ON FUNCTION ehr.as_of(text, text, timestamptz) IS 'a resource as it stood at a moment; null when there was none that the session may read';

CREATE FUNCTION ehr_internal.as_of(type text, id text, at timestamptz) RETURNS ehr.fhir
	LANGUAGE plpgsql STABLE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (SELECT h.resource FROM ehr_internal.history(as_of.type, as_of.id) AS h
		WHERE h.recorded <= as_of.at ORDER BY h.version DESC LIMIT 1);
END
$$;
COMMENT ON FUNCTION ehr_internal.as_of(text, text, timestamptz) IS 'implementation of ehr.as_of';

-- A position is epoch.transaction.sequence. Only versions below the oldest transaction that still runs are given out:
-- none can appear later below a position that a reader has passed.
CREATE FUNCTION ehr.changes(after text DEFAULT '0.0.0', max_rows int DEFAULT 1000)
	RETURNS TABLE ("position" text, type text, id text, version int, deleted bool, recorded timestamptz, resource ehr.fhir)
	LANGUAGE c STABLE PARALLEL UNSAFE ROWS 1000
	AS 'MODULE_PATHNAME', 'ehr_as_owner';
COMMENT ON FUNCTION ehr.changes(text, int) IS 'versions written after a position, in an order without gaps; only those that the session may read';

CREATE FUNCTION ehr_internal.changes(after text, max_rows int)
	RETURNS TABLE ("position" text, type text, id text, version int, deleted bool, recorded timestamptz, resource ehr.fhir)
	LANGUAGE plpgsql STABLE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	parts text[] := regexp_match(after, '^(\d{1,9})\.(\d{1,19})\.(\d{1,18})$');
	horizon xid8 := pg_snapshot_xmin(pg_current_snapshot());
	this_epoch int := (SELECT e.epoch FROM ehr_store.epoch e, pg_control_system() AS c WHERE e.system_identifier = c.system_identifier);
BEGIN
	IF parts IS NULL THEN
		RAISE invalid_parameter_value USING MESSAGE = 'not a position of the change feed',
			HINT = 'Pass the position of the last row that was read, or leave it out to begin.';
	END IF;
	RETURN QUERY
	SELECT format('%s.%s.%s', c.epoch, c.txid, c.seq), ehr_internal.type_name(c.type), c.id, c.version, c.deleted, c.recorded,
		ehr_internal.with_version(c.doc::jsonb, c.version, c.recorded)::ehr.fhir
	FROM (
		(SELECT r.* FROM ehr_store.resource r
		WHERE (r.epoch, r.txid, r.seq) > (parts[1]::int, parts[2]::xid8, parts[3]::bigint)
			AND (r.epoch IS DISTINCT FROM this_epoch OR r.txid < horizon)
		ORDER BY r.epoch, r.txid, r.seq LIMIT max_rows)
		UNION ALL
		(SELECT h.* FROM ehr_store.resource_history h
		WHERE (h.epoch, h.txid, h.seq) > (parts[1]::int, parts[2]::xid8, parts[3]::bigint)
			AND (h.epoch IS DISTINCT FROM this_epoch OR h.txid < horizon)
		ORDER BY h.epoch, h.txid, h.seq LIMIT max_rows)) AS c
	ORDER BY c.epoch, c.txid, c.seq LIMIT max_rows;
END
$$;
COMMENT ON FUNCTION ehr_internal.changes(text, int) IS 'implementation of ehr.changes';

-- What each entry of a batch, transaction or collection asks for: its method, and the name its resource will have.
-- scope: a source, under which posted entries get ids that come out the same when the bundle is sent again; null for new
-- random ids.
CREATE FUNCTION ehr_internal.bundle_entries(bundle jsonb, scope text)
	RETURNS TABLE (entry int, method text, type text, id text, full_url text, if_match int, if_none_exist text, resource jsonb)
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	bad int;
BEGIN
	RETURN QUERY
	SELECT e.n::int, m.method, coalesce(e.item -> 'resource' ->> 'resourceType', u.part[1]),
		CASE m.method WHEN 'POST' THEN CASE WHEN scope IS NULL THEN gen_random_uuid()::text
				ELSE ehr_internal.scoped_id(scope, coalesce(e.item ->> 'fullUrl', e.item -> 'resource' ->> 'id', e.n::text)) END
			ELSE u.part[2] END,
		e.item ->> 'fullUrl',
		(regexp_match(e.item -> 'request' ->> 'ifMatch', '^(?:W/)?"?(\d{1,9})"?$'))[1]::int,
		e.item -> 'request' ->> 'ifNoneExist',
		e.item -> 'resource'
	FROM jsonb_array_elements(CASE WHEN jsonb_typeof(bundle -> 'entry') = 'array' THEN bundle -> 'entry' ELSE '[]' END)
			WITH ORDINALITY AS e (item, n),
		LATERAL (SELECT coalesce(e.item -> 'request' ->> 'method', CASE WHEN e.item ? 'resource' THEN 'POST' END)) AS m (method),
		LATERAL (SELECT regexp_match(e.item -> 'request' ->> 'url', '^([A-Z][A-Za-z]*)/([A-Za-z0-9.-]+)$')) AS u (part);
END
$$;
COMMENT ON FUNCTION ehr_internal.bundle_entries(jsonb, text) IS 'entries of a Bundle with the method and the name that each will have';

-- One entry. names: what temporary names stand for. principal: whose rights are checked; null when the caller has checked
-- for all.
CREATE FUNCTION ehr_internal.apply_entry(item jsonb, names jsonb, author text, source text, principal jsonb, OUT status text, OUT key bigint)
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	method text := item ->> 'method';
	resource jsonb := nullif(item -> 'resource', 'null');
BEGIN
	IF method = 'DELETE' AND item ->> 'id' IS NOT NULL THEN
		IF principal IS NULL THEN
			PERFORM ehr_internal.store_remove(item ->> 'type', item ->> 'id', author);
		ELSE
			PERFORM ehr_internal.remove(item ->> 'type', item ->> 'id');
		END IF;
		status := '204';
		RETURN;
	END IF;
	IF method IS NULL OR method NOT IN ('POST', 'PUT') THEN
		RAISE feature_not_supported USING MESSAGE = 'entry asks for something that bundles do not support here',
			DETAIL = 'Entries are POST, PUT or DELETE by type and id.';
	END IF;
	IF resource IS NULL OR item ->> 'id' IS NULL THEN
		RAISE invalid_parameter_value USING MESSAGE = 'entry has no resource or no usable request.url';
	END IF;
	IF method = 'POST' AND item ->> 'if_none_exist' IS NOT NULL THEN
		key := ehr_internal.claim_identifier(ehr_internal.type_number(item ->> 'type'), item ->> 'if_none_exist', principal IS NOT NULL);
		status := '200';
	END IF;
	IF key IS NULL THEN
		resource := ehr_internal.rename_references(jsonb_set(resource, '{id}', item -> 'id'), names);
		IF principal IS NOT NULL THEN
			PERFORM ehr_internal.require_may_write(resource, principal);
		END IF;
		key := ehr_internal.store_write(resource, author, source, (item ->> 'if_match')::int);
		status := CASE method WHEN 'POST' THEN '201' ELSE '200' END;
	END IF;
END
$$;
COMMENT ON FUNCTION ehr_internal.apply_entry(jsonb, jsonb, text, text, jsonb) IS 'carries out one entry of a Bundle';

-- Entries in FHIR's order (DELETE, POST, PUT), temporary names resolved within the bundle. all_or_nothing: a fault ends it
-- all with an error that names the entry; otherwise the entry gets status 422 and its rule and place, and the rest goes on.
CREATE FUNCTION ehr_internal.apply_bundle(bundle jsonb, author text, source text, principal jsonb, all_or_nothing bool)
	RETURNS TABLE (entry int, status text, type text, id text, key bigint, rule text, place text)
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	entries jsonb := (SELECT coalesce(jsonb_agg(to_jsonb(e) ORDER BY e.entry), '[]') FROM ehr_internal.bundle_entries(bundle, source) AS e);
	names jsonb := (SELECT coalesce(jsonb_object_agg(e ->> 'full_url', (e ->> 'type') || '/' || (e ->> 'id')), '{}')
		FROM jsonb_array_elements(entries) AS e WHERE e ->> 'full_url' IS NOT NULL AND e ->> 'id' IS NOT NULL);
	item jsonb;
	patients bigint[] := '{}';
BEGIN
	FOR item IN
		SELECT e FROM jsonb_array_elements(entries) AS e
		ORDER BY array_position('{DELETE,POST,PUT}', e ->> 'method'), (e ->> 'entry')::int
	LOOP
		entry := item -> 'entry'; type := item ->> 'type'; id := item ->> 'id'; rule := NULL; place := NULL;
		IF all_or_nothing THEN
			SELECT a.status, a.key INTO status, key FROM ehr_internal.apply_entry(item, names, author, source, principal) AS a;
		ELSE
			BEGIN
				SELECT a.status, a.key INTO status, key FROM ehr_internal.apply_entry(item, names, author, source, principal) AS a;
			EXCEPTION WHEN data_exception OR integrity_constraint_violation OR feature_not_supported OR cardinality_violation THEN
				GET STACKED DIAGNOSTICS rule = MESSAGE_TEXT, place = PG_EXCEPTION_DETAIL;
				status := '422'; key := NULL;
			END;
		END IF;
		IF type = 'Patient' AND key IS NOT NULL THEN patients := patients || key; END IF;
		RETURN NEXT;
	END LOOP;
	IF cardinality(patients) > 0 THEN
		PERFORM ehr_internal.link_subjects(patients);
	END IF;
EXCEPTION WHEN data_exception OR integrity_constraint_violation OR feature_not_supported OR cardinality_violation THEN
	GET STACKED DIAGNOSTICS rule = MESSAGE_TEXT, place = PG_EXCEPTION_DETAIL;
	RAISE EXCEPTION USING ERRCODE = SQLSTATE, MESSAGE = format('Bundle.entry[%s]: %s', entry - 1, rule), DETAIL = place;
END
$$;
COMMENT ON FUNCTION ehr_internal.apply_bundle(jsonb, text, text, jsonb, bool) IS 'carries out the entries of a Bundle';

CREATE FUNCTION ehr.transaction(bundle ehr.fhir) RETURNS ehr.fhir
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.transaction(ehr.fhir) IS 'carries out a transaction Bundle, all or nothing, and returns the transaction-response';

CREATE FUNCTION ehr_internal.transaction(bundle ehr.fhir) RETURNS ehr.fhir
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	principal jsonb := ehr_internal.require_session();
	done jsonb;
BEGIN
	IF bundle::jsonb ->> 'resourceType' <> 'Bundle' OR bundle::jsonb ->> 'type' <> 'transaction' THEN
		RAISE invalid_parameter_value USING MESSAGE = 'not a Bundle of type transaction';
	END IF;
	SELECT jsonb_agg(to_jsonb(a) ORDER BY a.entry) INTO done
	FROM ehr_internal.apply_bundle(bundle::jsonb, ehr_internal.author_of(principal), NULL, principal, true) AS a;
	RETURN (SELECT jsonb_strip_nulls(jsonb_build_object('resourceType', 'Bundle', 'type', 'transaction-response', 'entry',
			jsonb_agg(jsonb_build_object('response', jsonb_build_object('status', a.status, 'location',
				CASE WHEN r.key IS NOT NULL THEN format('%s/%s/_history/%s', a.type, r.id, r.version) END)) ORDER BY a.entry)))::ehr.fhir
		FROM jsonb_to_recordset(done) AS a (entry int, status text, type text, key bigint)
			LEFT JOIN ehr_store.resource r ON r.key = a.key);
END
$$;
COMMENT ON FUNCTION ehr_internal.transaction(ehr.fhir) IS 'implementation of ehr.transaction';

CREATE FUNCTION ehr_internal.create_api() RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	GRANT EXECUTE ON FUNCTION ehr.post(ehr.fhir, text), ehr.put(ehr.fhir, int), ehr.remove(text, text), ehr.get(text, text, int),
		ehr.history(text, text), ehr.as_of(text, text, timestamptz), ehr.changes(text, int), ehr.transaction(ehr.fhir),
		ehr.patch(text, text, jsonb, int)
		TO ehr_app, ehr_query;
	GRANT EXECUTE ON FUNCTION ehr.self_check(), ehr.store_facts() TO ehr_admin;
	GRANT SELECT ON ehr.catalog_problem TO ehr_admin;
END
$$;
COMMENT ON FUNCTION ehr_internal.create_api() IS 'grants of room api';

REVOKE EXECUTE ON FUNCTION ehr.post(ehr.fhir, text), ehr.put(ehr.fhir, int), ehr.remove(text, text), ehr.get(text, text, int),
	ehr.history(text, text), ehr.as_of(text, text, timestamptz), ehr.changes(text, int), ehr.transaction(ehr.fhir) FROM PUBLIC;

-- The clocks of data subjects' requests (sql/data/api.dsr_sla.tsv; functions in sql/api_dsr.sql).
CREATE TABLE ehr_internal.dsr_sla (
	request text PRIMARY KEY,
	title text NOT NULL,
	ack_working_days int NOT NULL,
	days int NOT NULL,
	days_third_party int NOT NULL,
	extension_days int NOT NULL,
	refusal_grounds text,
	basis text NOT NULL,
	verified bool NOT NULL DEFAULT false
);
COMMENT ON TABLE ehr_internal.dsr_sla IS 'kinds of data subjects'' requests, and the days in which each is to be acknowledged and decided';
