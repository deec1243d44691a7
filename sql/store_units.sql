---------------------------------------------------------------------------------------------------
-- Administrative units, and where an address names one (doc/report.md). Consent asks them for jurisdiction, reports count by them.
---------------------------------------------------------------------------------------------------

-- Where an address names its unit. The first code that is a commune of the list in force counts; where there is none the first
-- province, by code or by name.
CREATE TABLE ehr_internal.unit_path (
	ordinal int PRIMARY KEY,
	finds text NOT NULL CHECK (finds IN ('commune', 'province', 'province name')),
	path jsonpath NOT NULL,
	shipped bool NOT NULL DEFAULT false
);
COMMENT ON TABLE ehr_internal.unit_path IS 'paths from a Patient to the administrative units of its addresses';
SELECT pg_catalog.pg_extension_config_dump('ehr_internal.unit_path', 'WHERE NOT shipped');
INSERT INTO ehr_internal.unit_path VALUES
	(1, 'commune', 'lax $.address[*].extension[*] ? (@.url == "urn:ehr:unit").valueCode', true),
	(2, 'commune', 'lax $.address[*].extension[*] ? (@.url == "urn:ehr:extension:administrative-unit").valueCoding.code', true),
	(3, 'province', 'lax $.address[*].extension[*] ? (@.url == "urn:ehr:extension:administrative-unit").valueCoding ? (@.system == "urn:ehr:vn:province").code', true),
	(4, 'province name', 'lax $.address[*].state', true),
	(5, 'province name', 'lax $.address[*].city', true);


-- A list is lines of level (P, D, C), code, code of the parent, name, code of the successor, separated by tabs. What it names
-- ends what had the same code before; a complete list ends everything that was in force.
CREATE FUNCTION ehr_internal.load_units(list text, valid_from date, complete bool) RETURNS bigint
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	loaded bigint;
BEGIN
	CREATE TEMP TABLE unit_list ON COMMIT DROP AS
	SELECT f[1] AS level, f[2] AS code, nullif(f[3], '') AS parent, f[4] AS name, nullif(f[5], '') AS successor
	FROM regexp_split_to_table(list, E'\n') AS line, string_to_array(line, E'\t') AS f
	WHERE line <> '';
	UPDATE ehr_store.unit u SET valid_to = load_units.valid_from
	WHERE u.valid_to = 'infinity' AND u.valid_from < load_units.valid_from
		AND (complete OR EXISTS (SELECT FROM pg_temp.unit_list l WHERE l.code = u.code));
	INSERT INTO ehr_store.unit (code, level, name, parent, valid_from, successor)
	SELECT l.code, CASE l.level WHEN 'P' THEN 'province' WHEN 'D' THEN 'district' WHEN 'C' THEN 'commune' END, l.name, l.parent,
		load_units.valid_from, l.successor
	FROM pg_temp.unit_list l;
	GET DIAGNOSTICS loaded = ROW_COUNT;
	DROP TABLE pg_temp.unit_list;
	RETURN loaded;
END
$$;
COMMENT ON FUNCTION ehr_internal.load_units(text, date, bool) IS 'takes a list of units that is in force from a day on; complete: units that it does not name end on that day';

CREATE FUNCTION ehr_internal.unit_then(code text, valid_from date, as_of date) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
	WITH RECURSIVE way AS (
		SELECT u.code, u.valid_from, u.valid_to, u.successor, 0 AS depth FROM ehr_store.unit u
		WHERE u.code = $1 AND u.valid_from = $2
		UNION ALL
		-- the unit into which it went; the same one where it only got a new name
		SELECT n.code, n.valid_from, n.valid_to, n.successor, way.depth + 1
		FROM way JOIN ehr_store.unit n ON n.code = coalesce(way.successor, CASE WHEN length(way.code) = 2 THEN way.code END)
			AND n.valid_from = way.valid_to
		WHERE way.valid_to <= as_of AND way.depth < 50)
	SELECT way.code FROM way WHERE as_of >= way.valid_from AND as_of < way.valid_to
$$;
COMMENT ON FUNCTION ehr_internal.unit_then(text, date, date) IS 'code, on a day, of the unit that a code meant from valid_from on; null when that is not known';

CREATE FUNCTION ehr_internal.province_of(code text, valid_from date) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
	WITH RECURSIVE up AS (
		SELECT u.code, u.level, u.parent FROM ehr_store.unit u WHERE u.code = $1 AND u.valid_from = $2
		UNION ALL
		SELECT u.code, u.level, u.parent FROM up JOIN ehr_store.unit u ON u.code = up.parent AND u.valid_from <= $2 AND u.valid_to > $2)
	SELECT up.code FROM up WHERE up.level = 'province'
$$;
COMMENT ON FUNCTION ehr_internal.province_of(text, date) IS 'province of the unit that a code meant from valid_from on';

CREATE FUNCTION ehr_internal.first_day(value text) RETURNS date
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_first_day';
COMMENT ON FUNCTION ehr_internal.first_day(text) IS 'first day of a FHIR date or dateTime of any precision; null for what is no calendar day';

CREATE FUNCTION ehr_internal.midnight(day date) RETURNS timestamptz
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	RETURN day::timestamp AT TIME ZONE 'Asia/Ho_Chi_Minh';
COMMENT ON FUNCTION ehr_internal.midnight(date) IS 'when a day begins in Vietnam';

CREATE FUNCTION ehr_internal.today() RETURNS date
	LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	RETURN (clock_timestamp() AT TIME ZONE 'Asia/Ho_Chi_Minh')::date;
COMMENT ON FUNCTION ehr_internal.today() IS 'the day that it is in Vietnam';

CREATE FUNCTION ehr_internal.create_store_units() RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	folder text;
BEGIN
	CREATE TABLE IF NOT EXISTS ehr_store.unit (
		code text NOT NULL,
		level text NOT NULL CHECK (level IN ('province', 'district', 'commune')),
		name text NOT NULL,
		parent text,
		valid_from date NOT NULL,
		valid_to date NOT NULL DEFAULT 'infinity',
		successor text,
		PRIMARY KEY (code, valid_from),
		CHECK (valid_from < valid_to)
	);
	COMMENT ON TABLE ehr_store.unit IS 'administrative units; a code means this unit in [valid_from, valid_to), and may mean another one later';
	COMMENT ON COLUMN ehr_store.unit.successor IS 'code, from valid_to on, of the unit into which all or most of it went; null when not known';

	IF NOT EXISTS (SELECT FROM ehr_store.unit) THEN
		folder := (SELECT c.setting FROM pg_config() c WHERE c.name = 'SHAREDIR') || '/extension/';
		PERFORM ehr_internal.load_units(pg_read_file(folder || 'ehr_units_2025_06.tsv'), '-infinity', true);
		PERFORM ehr_internal.load_units(pg_read_file(folder || 'ehr_units_2025_07.tsv'), '2025-07-01', true);
		PERFORM ehr_internal.load_units(pg_read_file(folder || 'ehr_units_2026_04.tsv'), '2026-04-30', false);
		ANALYZE ehr_store.unit;
	END IF;
	IF NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = 'ehr_store.unit'::regclass) THEN
		CREATE POLICY anybody ON ehr_store.unit FOR SELECT USING (true);
	END IF;
	GRANT SELECT ON ehr_store.unit TO ehr_query;
END
$$;
COMMENT ON FUNCTION ehr_internal.create_store_units() IS 'table and lists of administrative units';

