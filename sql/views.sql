---------------------------------------------------------------------------------------------------
-- views: SQL on FHIR (doc/views.md)
---------------------------------------------------------------------------------------------------

CREATE FUNCTION ehr.view_rows(view_definition jsonb, resource jsonb) RETURNS SETOF jsonb
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 100 ROWS 1
	AS 'MODULE_PATHNAME', 'view_rows';
COMMENT ON FUNCTION ehr.view_rows(jsonb, jsonb) IS 'rows that a ViewDefinition (SQL on FHIR v2) makes of a resource, as objects; none of a resource of another type';

CREATE FUNCTION ehr.view_record(view_definition jsonb, resource jsonb) RETURNS SETOF record
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 100 ROWS 1
	AS 'MODULE_PATHNAME', 'view_record';
COMMENT ON FUNCTION ehr.view_record(jsonb, jsonb) IS 'the same rows with typed columns, which the caller''s column definition list must name as view_columns() does';

CREATE FUNCTION ehr.view_columns(view_definition jsonb)
	RETURNS TABLE (name text, type text, description text)
	LANGUAGE c STABLE STRICT PARALLEL SAFE ROWS 10
	AS 'MODULE_PATHNAME', 'view_columns';
COMMENT ON FUNCTION ehr.view_columns(jsonb) IS 'columns of a ViewDefinition with the types that they have in PostgreSQL, in order';

CREATE FUNCTION ehr_internal.view_resource(view_definition jsonb) RETURNS text
	LANGUAGE c STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'view_resource';
COMMENT ON FUNCTION ehr_internal.view_resource(jsonb) IS 'resource type that a ViewDefinition is about';

CREATE FUNCTION ehr_internal.view_depends_on_more(view_definition jsonb) RETURNS bool
	LANGUAGE c STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'view_depends_on_more';
COMMENT ON FUNCTION ehr_internal.view_depends_on_more(jsonb) IS 'whether rows of a ViewDefinition can change though their resource does not: by the clock, value sets, profiles or other resources';

CREATE FUNCTION ehr_internal.view_column_list(view_definition jsonb) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	RETURN (SELECT string_agg(format('%I %s', c.name, c.type), ', ' ORDER BY c.n)
		FROM ehr.view_columns(view_definition) WITH ORDINALITY AS c (name, type, description, n));
COMMENT ON FUNCTION ehr_internal.view_column_list(jsonb) IS 'columns of a ViewDefinition as a column definition list';

CREATE FUNCTION ehr.view_sql(view_definition jsonb) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	RETURN (SELECT format(E'SELECT v.*\nFROM ehr_store.resource r\nCROSS JOIN LATERAL ehr.view_record(%L::jsonb, r.doc::jsonb) AS v (%s)\nWHERE r.type = %s::int2 AND NOT r.deleted',
			view_definition, ehr_internal.view_column_list(view_definition),
			ehr_internal.type_number(ehr_internal.view_resource(view_definition))));
COMMENT ON FUNCTION ehr.view_sql(jsonb) IS 'the query over the store that a ViewDefinition stands for; row security applies to whoever runs it';

---------------------------------------------------------------------------------------------------
-- Views in the store
---------------------------------------------------------------------------------------------------

CREATE FUNCTION ehr_internal.create_views() RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE TABLE IF NOT EXISTS ehr_store.view_definition (
		name name PRIMARY KEY,
		definition jsonb NOT NULL,
		materialized bool NOT NULL,
		epoch int NOT NULL DEFAULT 0,
		txid xid8 NOT NULL DEFAULT '0',
		created timestamptz NOT NULL DEFAULT now(),
		refreshed timestamptz
	);
	COMMENT ON TABLE ehr_store.view_definition IS 'ViewDefinitions behind the views that create_view made';
	COMMENT ON COLUMN ehr_store.view_definition.txid IS 'with epoch: everything before this place in the order of changes is in a materialized view';
	IF NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = 'ehr_store.view_definition'::regclass) THEN
		CREATE POLICY anybody ON ehr_store.view_definition FOR SELECT USING (true);
	END IF;
	-- ehr.erase_person takes a person's rows out of the materialized ones, too
	INSERT INTO ehr_store.erasable (relation, name, holds, place)
	SELECT v.name, '_key', 'key', 0 FROM ehr_store.view_definition v WHERE v.materialized ON CONFLICT DO NOTHING;
	GRANT SELECT ON ehr_store.view_definition TO ehr_query, ehr_admin;
	GRANT EXECUTE ON FUNCTION ehr.create_view(text, jsonb, bool), ehr.drop_view(text), ehr.refresh_view(text) TO ehr_admin;
END
$$;
COMMENT ON FUNCTION ehr_internal.create_views() IS 'table and grants of room views';

-- What the policies of ehr_store.resource ask about: a materialized view has these columns too, with _ before their names.
CREATE FUNCTION ehr_internal.view_policy_columns() RETURNS TABLE (name name, type text)
	LANGUAGE sql STABLE PARALLEL SAFE ROWS 7
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a
	WHERE a.attrelid = 'ehr_store.resource'::regclass AND a.attname = ANY ('{key,type,subject,more_subjects,labels,author,happened}')
	ORDER BY a.attnum
$$;
COMMENT ON FUNCTION ehr_internal.view_policy_columns() IS 'columns of ehr_store.resource that decide who may read a row';

CREATE FUNCTION ehr.create_view(name text, view_definition jsonb, materialized bool DEFAULT false) RETURNS regclass
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.create_view(text, jsonb, bool) IS 'makes a view ehr_store.name with typed columns of a ViewDefinition; materialized: a table under the same row security, which refresh_view keeps fresh';

CREATE FUNCTION ehr_internal.create_view(name text, view_definition jsonb, materialized bool) RETURNS regclass
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	c record;
	kind text := CASE WHEN materialized THEN 'TABLE' ELSE 'VIEW' END;
BEGIN
	IF name !~ '^[a-z][a-z0-9_]{0,62}$' THEN
		RAISE invalid_name USING MESSAGE = 'not a name for a view',
			DETAIL = 'A view''s name has at most 63 small letters, digits and underscores and begins with a letter.';
	END IF;
	IF to_regclass('ehr_store.' || name) IS NOT NULL THEN
		RAISE duplicate_table USING MESSAGE = format('ehr_store.%s exists', name),
			HINT = 'Choose another name, or drop the view with ehr.drop_view(name) first.';
	END IF;
	IF materialized AND ehr_internal.view_depends_on_more(view_definition) THEN
		RAISE feature_not_supported USING MESSAGE = 'a materialized view cannot depend on more than each resource itself',
			DETAIL = 'The definition asks for the clock, value sets, profiles or other resources, whose changes would not be seen.',
			HINT = 'Make a plain view of it.';
	END IF;
	IF materialized THEN
		EXECUTE format('CREATE TABLE ehr_store.%I (%s, %s)', name,
			(SELECT string_agg(format('_%s %s', p.name, p.type), ', ') FROM ehr_internal.view_policy_columns() AS p), ehr_internal.view_column_list(view_definition));
		EXECUTE format('CREATE INDEX ON ehr_store.%I (_key)', name);
		EXECUTE format('CREATE INDEX ON ehr_store.%I (_subject)', name);
		EXECUTE format('ALTER TABLE ehr_store.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
		-- who may read the resource may read its rows
		FOR c IN SELECT p.polname, pg_get_expr(p.polqual, p.polrelid) AS condition FROM pg_policy p
			WHERE p.polrelid = 'ehr_store.resource'::regclass AND p.polcmd IN ('r', '*')
		LOOP
			EXECUTE format('CREATE POLICY %I ON ehr_store.%I FOR SELECT USING (%s)', c.polname, name,
				regexp_replace(c.condition, (SELECT format('\m(%s)\M', string_agg(p.name, '|')) FROM ehr_internal.view_policy_columns() AS p), '_\1', 'g'));
		END LOOP;
	ELSE
		EXECUTE format('CREATE VIEW ehr_store.%I WITH (security_invoker = true) AS %s', name, ehr.view_sql(view_definition));
	END IF;
	EXECUTE format('COMMENT ON %s ehr_store.%I IS %L', kind, name,
		coalesce(view_definition ->> 'description', view_definition ->> 'title', format('ViewDefinition %s of %s', coalesce(view_definition ->> 'name', name), view_definition ->> 'resource')));
	FOR c IN SELECT * FROM ehr.view_columns(view_definition) v WHERE v.description IS NOT NULL
	LOOP
		EXECUTE format('COMMENT ON COLUMN ehr_store.%I.%I IS %L', name, c.name, c.description);
	END LOOP;
	EXECUTE format('GRANT SELECT ON ehr_store.%I TO ehr_query, ehr_backup', name);		-- pg_dump takes them along
	INSERT INTO ehr_store.view_definition (name, definition, materialized) VALUES (name, view_definition, materialized);
	IF materialized THEN
		INSERT INTO ehr_store.erasable (relation, name, holds, place) VALUES (name, '_key', 'key', 0) ON CONFLICT DO NOTHING;
		PERFORM ehr_internal.refresh_one_view(name);
	END IF;
	RETURN format('ehr_store.%I', name)::regclass;
END
$$;
COMMENT ON FUNCTION ehr_internal.create_view(text, jsonb, bool) IS 'implementation of ehr.create_view';

-- Rows of what was written since the last time, anew: the old ones go, those of the current versions come.
CREATE FUNCTION ehr_internal.refresh_one_view(name text) RETURNS bigint
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	seen record;
	settled xid8 := pg_snapshot_xmin(pg_current_snapshot());
	added bigint;
BEGIN
	SELECT v.* INTO seen FROM ehr_store.view_definition v WHERE v.name = refresh_one_view.name FOR UPDATE;
	IF NOT FOUND OR NOT seen.materialized THEN
		RAISE undefined_object USING MESSAGE = 'there is no such materialized view',
			HINT = 'ehr_store.view_definition lists them.';
	END IF;
	EXECUTE format('DELETE FROM ehr_store.%I v USING ehr_store.resource r WHERE r.key = v._key AND (r.epoch, r.txid) >= ($1, $2)', name)
	USING seen.epoch, seen.txid;
	EXECUTE format('INSERT INTO ehr_store.%I SELECT %s, v.*
		FROM ehr_store.resource r CROSS JOIN LATERAL ehr.view_record($1, r.doc::jsonb) AS v (%s)
		WHERE r.type = $2 AND NOT r.deleted AND (r.epoch, r.txid) >= ($3, $4)',
		name, (SELECT string_agg('r.' || p.name, ', ') FROM ehr_internal.view_policy_columns() AS p), ehr_internal.view_column_list(seen.definition))
	USING seen.definition, ehr_internal.type_number(ehr_internal.view_resource(seen.definition)), seen.epoch, seen.txid;
	GET DIAGNOSTICS added = ROW_COUNT;
	UPDATE ehr_store.view_definition v SET epoch = ehr_internal.current_epoch(), txid = settled, refreshed = now()
	WHERE v.name = refresh_one_view.name;
	RETURN added;
END
$$;
COMMENT ON FUNCTION ehr_internal.refresh_one_view(text) IS 'brings a materialized view up to the current versions of resources and returns the number of rows written';

CREATE FUNCTION ehr.refresh_view(name text DEFAULT NULL) RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.refresh_view(text) IS 'brings a materialized view, or all of them, up to date with what was committed; returns the number of rows written';

CREATE FUNCTION ehr_internal.refresh_view(name text) RETURNS bigint
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF name IS NOT NULL THEN
		RETURN ehr_internal.refresh_one_view(name);
	END IF;
	RETURN (SELECT coalesce(sum(ehr_internal.refresh_one_view(v.name)), 0) FROM (SELECT d.name FROM ehr_store.view_definition d WHERE d.materialized ORDER BY d.name) AS v);
END
$$;
COMMENT ON FUNCTION ehr_internal.refresh_view(text) IS 'implementation of ehr.refresh_view';

CREATE FUNCTION ehr.drop_view(name text) RETURNS void
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.drop_view(text) IS 'drops a view that create_view made';

CREATE FUNCTION ehr_internal.drop_view(name text) RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	was_table bool;
BEGIN
	DELETE FROM ehr_store.view_definition v WHERE v.name = drop_view.name RETURNING v.materialized INTO was_table;
	IF NOT FOUND THEN
		RAISE undefined_object USING MESSAGE = 'there is no such view',
			HINT = 'ehr_store.view_definition lists them.';
	END IF;
	DELETE FROM ehr_store.erasable e WHERE e.relation = drop_view.name AND was_table;
	EXECUTE format('DROP %s ehr_store.%I', CASE WHEN was_table THEN 'TABLE' ELSE 'VIEW' END, name);
END
$$;
COMMENT ON FUNCTION ehr_internal.drop_view(text) IS 'implementation of ehr.drop_view';

REVOKE EXECUTE ON FUNCTION ehr.create_view(text, jsonb, bool), ehr.drop_view(text), ehr.refresh_view(text) FROM PUBLIC;
