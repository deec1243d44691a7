-- Room intake: payloads in, FHIR resources out, nothing lost between. See doc/intake.md.

-- ---------------------------------------------------------------------------
-- Data: what claims XML means. Rows of the extension have shipped = true; a
-- DBA adds rows of his own (a later valid_from wins), which pg_dump keeps.
-- ---------------------------------------------------------------------------

CREATE TABLE ehr_internal.identifier_system (
	name text NOT NULL,
	uri text NOT NULL,
	version text,
	valid_from date NOT NULL DEFAULT '-infinity',
	valid_to date NOT NULL DEFAULT 'infinity',
	shipped boolean NOT NULL DEFAULT false,
	PRIMARY KEY (name, valid_from, shipped)
);
COMMENT ON TABLE ehr_internal.identifier_system IS 'URIs of identifier and code systems by name; valid in [valid_from, valid_to)';

CREATE TABLE ehr_internal.claims_form (
	kind text PRIMARY KEY,
	root text NOT NULL,
	record text
);
COMMENT ON TABLE ehr_internal.claims_form IS 'kinds of inner claims files (LOAIHOSO): root element and the element that is one record';

CREATE TABLE ehr_internal.claims_field (
	kind text NOT NULL,
	element text NOT NULL,
	type text NOT NULL DEFAULT 'text',
	list text,
	need text CHECK (need IN ('record', 'dossier')),
	max_length int,
	valid_from date NOT NULL DEFAULT '-infinity',
	valid_to date NOT NULL DEFAULT 'infinity',
	shipped boolean NOT NULL DEFAULT false,
	PRIMARY KEY (kind, element, valid_from, shipped)
);
COMMENT ON TABLE ehr_internal.claims_field IS
	'elements of claims files: how a value is read, the list its code is of, what falls with it when it is missing (need)';

CREATE TABLE ehr_internal.claims_code (
	list text NOT NULL,
	code text NOT NULL,
	target jsonb,
	valid_from date NOT NULL DEFAULT '-infinity',
	valid_to date NOT NULL DEFAULT 'infinity',
	shipped boolean NOT NULL DEFAULT false,
	PRIMARY KEY (list, code, valid_from, shipped)
);
COMMENT ON TABLE ehr_internal.claims_code IS 'closed code lists of claims files and what their codes are in FHIR';

CREATE TABLE ehr_internal.claims_template (
	name text NOT NULL,
	ordinal int NOT NULL,
	kind text NOT NULL,
	type text NOT NULL,
	key text NOT NULL,
	needs text[] NOT NULL DEFAULT '{}',
	lacks text[] NOT NULL DEFAULT '{}',
	only_if jsonb NOT NULL DEFAULT '{}',
	unless jsonb,
	each text[] NOT NULL DEFAULT '{}',
	shared boolean NOT NULL DEFAULT false,
	defaults jsonb NOT NULL DEFAULT '{}',
	template jsonb NOT NULL,
	valid_from date NOT NULL DEFAULT '-infinity',
	valid_to date NOT NULL DEFAULT 'infinity',
	shipped boolean NOT NULL DEFAULT false,
	PRIMARY KEY (name, valid_from, shipped)
);
COMMENT ON TABLE ehr_internal.claims_template IS
	'FHIR resources made of one record of a claims file, in the language of ehr_internal.fill';
COMMENT ON COLUMN ehr_internal.claims_template.key IS 'what tells the resource from others of its type and facility; its id is made of it';
COMMENT ON COLUMN ehr_internal.claims_template.each IS 'lists of the record of which each item makes a resource; the first says how many';
COMMENT ON COLUMN ehr_internal.claims_template.shared IS
	'the resource is the patient''s rather than the dossier''s: the latest encounter says what is in it';

SELECT pg_catalog.pg_extension_config_dump('ehr_internal.identifier_system', 'WHERE NOT shipped');
SELECT pg_catalog.pg_extension_config_dump('ehr_internal.claims_field', 'WHERE NOT shipped');
SELECT pg_catalog.pg_extension_config_dump('ehr_internal.claims_code', 'WHERE NOT shipped');
SELECT pg_catalog.pg_extension_config_dump('ehr_internal.claims_template', 'WHERE NOT shipped');

-- ---------------------------------------------------------------------------
-- C: reading and filling
-- ---------------------------------------------------------------------------

CREATE TYPE ehr_internal.claims_leaf AS (
	dossier int,        -- from 1; 0: the envelope
	file int,           -- from 1 in its dossier; 0: the dossier itself
	kind text,          -- LOAIHOSO
	record int,         -- from 1 in its file; 0: outside of any record
	line int,           -- of the inner file
	element text,       -- path below the record
	value text,
	problem text,       -- why the file cannot be read
	finding text,       -- what is unusual about the file
	from_byte bigint,   -- of a dossier: its place in the payload
	to_byte bigint
);
COMMENT ON TYPE ehr_internal.claims_leaf IS 'an element of a claims payload that carries text, or a note about a file or dossier';

CREATE FUNCTION ehr_internal.claims_read(payload bytea, kinds text[], records text[])
	RETURNS SETOF ehr_internal.claims_leaf
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100000 ROWS 1000
	AS 'MODULE_PATHNAME', 'ehr_claims_read';
COMMENT ON FUNCTION ehr_internal.claims_read(bytea, text[], text[]) IS
	'a claims payload as rows; kinds and records say which element is one record of which kind of file';

CREATE FUNCTION ehr_internal.claims_value(type text, sent text, OUT value jsonb, OUT finding text, OUT problem text)
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_claims_value';
COMMENT ON FUNCTION ehr_internal.claims_value(text, text) IS
	'the value of a claims element by its type: the value kept, how the sent form deviates, or why it cannot be read';

CREATE FUNCTION ehr_internal.value_class(value text) RETURNS text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_value_class';
COMMENT ON FUNCTION ehr_internal.value_class(text) IS 'the shape of a value without its content (99999999): what may be logged of it';

CREATE FUNCTION ehr_internal.fill(template jsonb, vars jsonb, OUT filled jsonb, OUT used text[])
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 20
	AS 'MODULE_PATHNAME', 'ehr_fill';
COMMENT ON FUNCTION ehr_internal.fill(jsonb, jsonb) IS 'a template with its names replaced by values; which names found a place';

CREATE FUNCTION ehr_internal.fill_text(template text, vars jsonb) RETURNS text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_fill_text';
COMMENT ON FUNCTION ehr_internal.fill_text(text, jsonb) IS 'a text with ${NAME} replaced by values; NULL when one of them is missing';

-- ---------------------------------------------------------------------------
-- Tables
-- ---------------------------------------------------------------------------

CREATE FUNCTION ehr_internal.create_intake() RETURNS void
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
	CREATE TABLE IF NOT EXISTS ehr_store.payload (
		payload bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		kind text NOT NULL,
		source text NOT NULL,
		sha256 bytea NOT NULL,
		body bytea NOT NULL,
		received timestamptz NOT NULL DEFAULT now(),
		receipt jsonb,
		UNIQUE (kind, source, sha256)
	);
	COMMENT ON TABLE ehr_store.payload IS 'everything that was sent, as it came, with the receipt that was given for it';
	ALTER TABLE ehr_store.payload ADD COLUMN IF NOT EXISTS subject bigint;
	COMMENT ON COLUMN ehr_store.payload.subject IS 'the one source patient whom all of a bundle is about, with whom it is erased; null: several, or not known';
	CREATE INDEX IF NOT EXISTS payload_subject ON ehr_store.payload (subject) WHERE subject IS NOT NULL;

	CREATE TABLE IF NOT EXISTS ehr_store.quarantine (
		quarantine bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		payload bigint NOT NULL REFERENCES ehr_store.payload ON DELETE CASCADE,
		dossier int NOT NULL,
		file int NOT NULL DEFAULT 0,
		kind text,
		record int NOT NULL DEFAULT 0,
		line int,
		element text,
		rule text NOT NULL,
		value_class text,
		elements int NOT NULL,
		from_byte bigint,
		to_byte bigint,
		state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'replayed', 'superseded')),
		opened timestamptz NOT NULL DEFAULT now(),
		closed timestamptz,
		attempts int NOT NULL DEFAULT 1
	);
	CREATE INDEX IF NOT EXISTS quarantine_payload ON ehr_store.quarantine (payload, dossier);
	COMMENT ON TABLE ehr_store.quarantine IS
		'what could not be taken in: place, broken rule, shape of the value (never the value), elements that it stands for';

	CREATE TABLE IF NOT EXISTS ehr_store.payload_element (
		payload bigint NOT NULL REFERENCES ehr_store.payload ON DELETE CASCADE,
		dossier int NOT NULL,
		file int NOT NULL,
		record int NOT NULL,
		kind text,
		elements jsonb NOT NULL,
		PRIMARY KEY (payload, dossier, file, record)
	);
	COMMENT ON TABLE ehr_store.payload_element IS 'elements that were read and have no place in FHIR yet, as they came';

	CREATE TABLE IF NOT EXISTS ehr_store.claims_dossier (
		payload bigint NOT NULL REFERENCES ehr_store.payload ON DELETE CASCADE,
		dossier int NOT NULL,
		facility text,
		ma_lk text,
		patient text,
		admitted text,
		state text NOT NULL CHECK (state IN ('current', 'replaced', 'refused')),
		sent int NOT NULL,
		mapped int NOT NULL,
		kept int NOT NULL,
		quarantined int NOT NULL,
		findings jsonb NOT NULL,
		resources text[] NOT NULL,
		PRIMARY KEY (payload, dossier)
	);
	CREATE UNIQUE INDEX IF NOT EXISTS claims_dossier_current ON ehr_store.claims_dossier (facility, ma_lk) WHERE state = 'current';
	CREATE INDEX IF NOT EXISTS claims_dossier_patient ON ehr_store.claims_dossier (patient);
	COMMENT ON TABLE ehr_store.claims_dossier IS 'dossiers of claims payloads: what became of them, and the resources that each made';

	-- the quarantine holds no personal value: those who send and those who mend may see it
	IF NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = 'ehr_store.quarantine'::regclass) THEN
		CREATE POLICY quarantine_menders ON ehr_store.quarantine FOR SELECT TO ehr_ingest, ehr_admin USING (true);
	END IF;
	GRANT USAGE ON SCHEMA ehr_store TO ehr_ingest, ehr_admin;
	GRANT SELECT ON ehr_store.quarantine TO ehr_ingest, ehr_admin;

	GRANT EXECUTE ON FUNCTION ehr.ingest_claims(bytea, text), ehr.ingest_claims(text, text), ehr.replay(bigint) TO ehr_ingest;
END
$body$;
COMMENT ON FUNCTION ehr_internal.create_intake() IS 'makes the tables of room intake; run by create_store';

-- ---------------------------------------------------------------------------
-- From elements to records
-- ---------------------------------------------------------------------------

CREATE TYPE ehr_internal.claims_record AS (
	file int,
	kind text,
	record int,
	line int,
	sent jsonb,       -- element → text as it came; a repeated element is "NAME#2"
	vals jsonb,       -- element → value, of those that could be read
	problems jsonb,   -- [{element, line, rule, value_class}] of those that could not
	findings text[]
);
COMMENT ON TYPE ehr_internal.claims_record IS 'one record of a claims file with its elements read';

CREATE FUNCTION ehr_internal.claims_day(leaves ehr_internal.claims_leaf[], filed date) RETURNS date
	LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $body$
	SELECT coalesce(
		(SELECT left(v.value ->> 0, 10)::date
		 FROM unnest(leaves) l, ehr_internal.claims_value('datetime', l.value) v
		 WHERE l.kind = 'XML1' AND l.element IN ('NGAY_RA', 'NGAY_VAO') AND v.value IS NOT NULL
		 ORDER BY l.element LIMIT 1),
		filed)
$body$;
COMMENT ON FUNCTION ehr_internal.claims_day(ehr_internal.claims_leaf[], date) IS
	'the day whose rules and code lists hold for a dossier: the encounter''s end, else its beginning, else the day of filing';

CREATE FUNCTION ehr_internal.claims_records(leaves ehr_internal.claims_leaf[], day date)
	RETURNS SETOF ehr_internal.claims_record
	LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $body$
	WITH field AS (
		SELECT DISTINCT ON (kind, element) * FROM ehr_internal.claims_field
		WHERE valid_from <= day AND day < valid_to
		ORDER BY kind, element, valid_from DESC, shipped
	), code AS (
		SELECT DISTINCT ON (list, code) * FROM ehr_internal.claims_code
		WHERE valid_from <= day AND day < valid_to
		ORDER BY list, code, valid_from DESC, shipped
	), leaf AS (
		SELECT l.*, row_number() OVER (PARTITION BY l.file, l.record, l.element ORDER BY l.line) AS again
		FROM unnest(leaves) l
		WHERE l.dossier > 0 AND l.file > 0 AND l.element IS NOT NULL
	), typed AS (
		SELECT l.*, v.finding AS deviation,
			l.element || CASE WHEN l.again > 1 THEN '#' || l.again ELSE '' END AS name,
			CASE WHEN v.problem IS NOT NULL THEN v.problem
				WHEN f.list IS NOT NULL AND c.code IS NULL THEN 'not-in-list' END AS rule,
			CASE WHEN f.list IS NULL THEN v.value
				ELSE jsonb_strip_nulls(jsonb_build_object('code', v.value, 'target', c.target)) END AS val,
			char_length(l.value) > f.max_length AS long,
			f.element IS NULL AS unknown
		FROM leaf l
		LEFT JOIN field f ON f.kind = l.kind AND f.element = l.element AND l.again = 1
		LEFT JOIN LATERAL ehr_internal.claims_value(f.type, l.value) v ON f.type IS NOT NULL
		LEFT JOIN code c ON c.list = f.list AND c.code = v.value ->> 0
	)
	SELECT file, min(kind), record, min(line),
		jsonb_object_agg(name, value),
		coalesce(jsonb_object_agg(element, val) FILTER (WHERE rule IS NULL AND NOT unknown), '{}'),
		coalesce(jsonb_agg(jsonb_build_object('element', name, 'line', line, 'rule', rule,
			'value_class', ehr_internal.value_class(value)) ORDER BY line) FILTER (WHERE rule IS NOT NULL), '[]'),
		array_remove(array_agg(deviation) || array_agg(CASE WHEN long THEN 'longer-than-format' END)
			|| array_agg(CASE WHEN again > 1 THEN 'repeated-element' WHEN unknown THEN 'unknown-element' END), NULL)
	FROM typed
	GROUP BY file, record
	ORDER BY min(kind) <> 'XML1', file, record
$body$;
COMMENT ON FUNCTION ehr_internal.claims_records(ehr_internal.claims_leaf[], date) IS
	'the records of one dossier, XML1 first, each element read by the rules of the day';

CREATE FUNCTION ehr_internal.claims_missing(kind text, vals jsonb, day date) RETURNS text
	LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $body$
	SELECT f.element
	FROM (SELECT DISTINCT ON (c.element) c.element, c.need FROM ehr_internal.claims_field c
		WHERE c.kind = $1 AND c.valid_from <= day AND day < c.valid_to
		ORDER BY c.element, c.valid_from DESC, c.shipped) f
	WHERE f.need IS NOT NULL AND NOT vals ? f.element
	ORDER BY f.element LIMIT 1
$body$;
COMMENT ON FUNCTION ehr_internal.claims_missing(text, jsonb, date) IS 'the first element without which a record cannot be taken in';

-- ---------------------------------------------------------------------------
-- From records to resources
-- ---------------------------------------------------------------------------

CREATE FUNCTION ehr_internal.claims_systems(day date) RETURNS jsonb
	LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $body$
	SELECT jsonb_strip_nulls(jsonb_object_agg('@' || name, uri) || jsonb_object_agg('@' || name || '-version', version))
	FROM (SELECT DISTINCT ON (name) * FROM ehr_internal.identifier_system
		WHERE valid_from <= day AND day < valid_to ORDER BY name, valid_from DESC, shipped) s
$body$;
COMMENT ON FUNCTION ehr_internal.claims_systems(date) IS 'URIs of identifier and code systems on a day, as names for templates';

CREATE TYPE ehr_internal.claims_resource AS (
	name text,
	type text,
	id text,
	shared boolean,
	doc jsonb,
	used text[]
);
COMMENT ON TYPE ehr_internal.claims_resource IS 'a resource made of a record and the elements that found a place in it';

CREATE FUNCTION ehr_internal.claims_id(facility text, type text, key text) RETURNS text
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $body$
	SELECT ehr_internal.scoped_id(facility, type || ':' || key)
$body$;
COMMENT ON FUNCTION ehr_internal.claims_id(text, text, text) IS 'the id of a resource out of a facility''s dossier: the same whenever it is sent';

-- claims_resources: common holds the names that all records of a dossier share
-- ('@sender', '@ref:patient' ...). A template with each makes one resource for
-- each item of the first of its lists.
CREATE FUNCTION ehr_internal.claims_resources(r ehr_internal.claims_record, facility text, common jsonb, day date)
	RETURNS SETOF ehr_internal.claims_resource
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
	t ehr_internal.claims_template;
	made ehr_internal.claims_resource;
	vars jsonb;
	key text;
	refs jsonb;
BEGIN
	FOR t IN
		SELECT DISTINCT ON (ordinal, name) * FROM ehr_internal.claims_template c
		WHERE c.kind = r.kind AND valid_from <= day AND day < valid_to
			AND r.vals ?& needs AND NOT r.vals ?| lacks AND r.vals @> only_if AND (r.vals @> unless) IS NOT TRUE
		ORDER BY ordinal, name, valid_from DESC, shipped
	LOOP
		refs := '[]';
		FOR i IN 0 .. CASE WHEN t.each = '{}' THEN 0 ELSE jsonb_array_length(r.vals -> t.each[1]) - 1 END LOOP
			vars := common || t.defaults || r.vals;
			IF t.each <> '{}' THEN
				SELECT vars || jsonb_object_agg(e, coalesce(r.vals -> e -> i, 'null')) INTO vars FROM unnest(t.each) e;
			END IF;
			key := ehr_internal.fill_text(t.key, vars);
			CONTINUE WHEN key IS NULL;
			made.name := t.name;
			made.shared := t.shared;
			made.type := t.type;
			made.id := ehr_internal.claims_id(facility, t.type, key);
			SELECT f.filled, f.used INTO made.doc, made.used
			FROM ehr_internal.fill(t.template, vars || jsonb_build_object('@id', made.id)) f;
			CONTINUE WHEN made.doc IS NULL;
			refs := refs || to_jsonb(t.type || '/' || made.id);
			RETURN NEXT made;
		END LOOP;
		common := common || jsonb_build_object('@ref:' || t.name, CASE WHEN t.each = '{}' THEN refs -> 0 ELSE refs END);
	END LOOP;
END
$body$;
COMMENT ON FUNCTION ehr_internal.claims_resources(ehr_internal.claims_record, text, jsonb, date) IS
	'the resources that the templates of the day make of one record';

-- claims_stt numbers the rows of a file: by STT where it tells them apart, else by their place.
CREATE FUNCTION ehr_internal.claims_stt(records ehr_internal.claims_record[], r ehr_internal.claims_record) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $body$
	SELECT CASE WHEN count(*) = 1 THEN r.vals ->> 'STT' ELSE '#' || r.record END
	FROM unnest(records) o
	WHERE o.kind = r.kind AND o.vals ->> 'STT' = r.vals ->> 'STT'
$body$;
COMMENT ON FUNCTION ehr_internal.claims_stt(ehr_internal.claims_record[], ehr_internal.claims_record) IS
	'what names a row of a claims file within its dossier';

-- ---------------------------------------------------------------------------
-- One dossier
-- ---------------------------------------------------------------------------

-- What is wrong with a dossier as a whole: {file, kind, line, element, rule, value_class}, or NULL.
CREATE FUNCTION ehr_internal.claims_refusal(leaves ehr_internal.claims_leaf[], records ehr_internal.claims_record[],
	sender text, day date) RETURNS jsonb
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
	l ehr_internal.claims_leaf;
	one ehr_internal.claims_record := records[1];
	missing text;
	problem jsonb;
BEGIN
	SELECT * INTO l FROM unnest(leaves) x WHERE x.problem IS NOT NULL ORDER BY file LIMIT 1;
	IF FOUND THEN
		RETURN jsonb_build_object('file', l.file, 'kind', l.kind, 'line', l.line, 'rule', l.problem);
	END IF;
	IF one.kind IS DISTINCT FROM 'XML1' OR one.record IS DISTINCT FROM 1 THEN
		RETURN jsonb_build_object('kind', 'XML1', 'rule', 'required-missing');
	END IF;
	IF records[2].kind = 'XML1' THEN
		RETURN jsonb_build_object('file', records[2].file, 'kind', 'XML1', 'line', records[2].line, 'rule', 'more-than-one');
	END IF;
	missing := ehr_internal.claims_missing('XML1', one.vals, day);
	IF missing IS NOT NULL THEN
		SELECT p INTO problem FROM jsonb_array_elements(one.problems) p WHERE p ->> 'element' = missing;
		RETURN coalesce(problem, jsonb_build_object('element', missing, 'rule', 'required-missing', 'line', one.line))
			|| jsonb_build_object('file', one.file, 'kind', 'XML1', 'record', 1);
	END IF;
	IF one.vals ->> 'MA_CSKCB' <> sender THEN
		RETURN jsonb_build_object('file', one.file, 'kind', 'XML1', 'record', 1, 'line', one.line,
			'element', 'MA_CSKCB', 'rule', 'another-facility');
	END IF;
	RETURN NULL;
END
$body$;
COMMENT ON FUNCTION ehr_internal.claims_refusal(ehr_internal.claims_leaf[], ehr_internal.claims_record[], text, date) IS
	'the first reason to refuse a whole dossier, or NULL';

-- What is wrong with one record: its problem, which takes the whole record with it, or NULL.
CREATE FUNCTION ehr_internal.claims_record_refusal(r ehr_internal.claims_record, ma_lk text, day date) RETURNS jsonb
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
	missing text := ehr_internal.claims_missing(r.kind, r.vals, day);
	problem jsonb;
BEGIN
	IF missing IS NOT NULL THEN
		SELECT p INTO problem FROM jsonb_array_elements(r.problems) p WHERE p ->> 'element' = missing;
		RETURN coalesce(problem, jsonb_build_object('element', missing, 'rule', 'required-missing', 'line', r.line));
	END IF;
	IF r.vals ->> 'MA_LK' <> ma_lk THEN
		RETURN jsonb_build_object('element', 'MA_LK', 'rule', 'another-dossier', 'line', r.line);
	END IF;
	RETURN NULL;
END
$body$;
COMMENT ON FUNCTION ehr_internal.claims_record_refusal(ehr_internal.claims_record, text, date) IS
	'the first reason to refuse a record of a dossier, or NULL';

CREATE TYPE ehr_internal.claims_made AS (
	resources ehr_internal.claims_resource[],
	problems jsonb,    -- [{file, kind, record, line, element, rule, value_class, elements}]
	kept jsonb,        -- [{file, kind, record, elements: {name: text}}]
	mapped int
);
COMMENT ON TYPE ehr_internal.claims_made IS 'what a dossier comes to before anything is written';

CREATE FUNCTION ehr_internal.claims_make(records ehr_internal.claims_record[], common jsonb, day date)
	RETURNS ehr_internal.claims_made
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
	facility text := records[1].vals ->> 'MA_CSKCB';
	ma_lk text := records[1].vals ->> 'MA_LK';
	out ehr_internal.claims_made;
	r ehr_internal.claims_record;
	made ehr_internal.claims_resource[];
	place jsonb;
	problem jsonb;
	used text[];
	kept jsonb;
BEGIN
	out := ROW('{}', '[]', '[]', 0);
	FOREACH r IN ARRAY records LOOP
		place := jsonb_build_object('file', r.file, 'kind', r.kind, 'record', r.record);
		IF r.kind <> 'XML1' THEN
			problem := ehr_internal.claims_record_refusal(r, ma_lk, day);
			IF problem IS NOT NULL THEN
				out.problems := out.problems || (place || problem
					|| jsonb_build_object('elements', (SELECT count(*) FROM jsonb_object_keys(r.sent))));
				CONTINUE;
			END IF;
		END IF;
		SELECT out.problems || coalesce(jsonb_agg(place || p || '{"elements": 1}'), '[]') INTO out.problems
		FROM jsonb_array_elements(r.problems) p;

		SELECT coalesce(array_agg(m), '{}') INTO made
		FROM ehr_internal.claims_resources(r, facility,
			common || jsonb_build_object('@stt', coalesce(ehr_internal.claims_stt(records, r), '#' || r.record)), day) m;
		out.resources := out.resources || made;

		SELECT coalesce(array_agg(DISTINCT u), '{}') INTO used FROM unnest(made) m, unnest(m.used) u WHERE r.vals ? u;
		out.mapped := out.mapped + cardinality(used);
		SELECT jsonb_object_agg(s.key, s.value) INTO kept FROM jsonb_each(r.sent) s
		WHERE s.key <> ALL (used)
			AND NOT EXISTS (SELECT FROM jsonb_array_elements(r.problems) p WHERE p ->> 'element' = s.key);
		IF kept IS NOT NULL THEN
			out.kept := out.kept || (place || jsonb_build_object('elements', kept));
		END IF;
	END LOOP;
	RETURN out;
END
$body$;
COMMENT ON FUNCTION ehr_internal.claims_make(ehr_internal.claims_record[], jsonb, date) IS
	'resources, problems and unmapped elements of a dossier''s records';

-- claims_write writes the resources of a dossier, removes those that an earlier sending of it made and this one does
-- not, and returns the keys of the patients touched. What is shared between the dossiers of a patient (his own data, his
-- cards) is left as the latest encounter made it; a patient himself is never removed.
CREATE FUNCTION ehr_internal.claims_write(made ehr_internal.claims_resource[], facility text, ma_lk text, admitted text,
	source text, earlier text[]) RETURNS bigint[]
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
	m ehr_internal.claims_resource;
	patient_id text := (SELECT id FROM unnest(made) WHERE type = 'Patient');
	subjects bigint[] := '{}';
	key bigint;
	gone text;
BEGIN
	FOREACH m IN ARRAY made LOOP
		CONTINUE WHEN m.shared AND EXISTS (
			SELECT FROM ehr_store.claims_dossier d
			WHERE d.patient = patient_id AND d.state = 'current' AND d.admitted > claims_write.admitted
				AND d.ma_lk <> claims_write.ma_lk AND m.type || '/' || m.id = ANY (d.resources));
		key := ehr_internal.store_write(m.doc, facility, source);
		IF m.type = 'Patient' THEN
			subjects := subjects || key;
		END IF;
	END LOOP;
	FOR gone IN
		SELECT unnest(earlier) EXCEPT SELECT type || '/' || id FROM unnest(made) ORDER BY 1
	LOOP
		CONTINUE WHEN gone LIKE 'Patient/%' OR EXISTS (
			SELECT FROM ehr_store.claims_dossier d
			WHERE d.patient = patient_id AND d.state = 'current' AND d.ma_lk <> claims_write.ma_lk
				AND gone = ANY (d.resources));
		PERFORM ehr_internal.store_remove(split_part(gone, '/', 1), split_part(gone, '/', 2), facility);
	END LOOP;
	RETURN subjects;
END
$body$;
COMMENT ON FUNCTION ehr_internal.claims_write(ehr_internal.claims_resource[], text, text, text, text, text[]) IS
	'writes a dossier''s resources; what an earlier sending made and this one does not is removed';

-- claims_settle brings the quarantine of a dossier in line with the problems found just now: those found again stay
-- open, those gone are replayed, new ones are added.
CREATE FUNCTION ehr_internal.claims_settle(payload_no bigint, dossier_no int, problems jsonb, from_byte bigint, to_byte bigint)
	RETURNS void
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $body$
BEGIN
	UPDATE ehr_store.quarantine q
	SET attempts = q.attempts + 1,
		state = CASE WHEN p.rule IS NULL THEN 'replayed' ELSE 'open' END,
		closed = CASE WHEN p.rule IS NULL THEN now() END,
		elements = coalesce(p.elements, q.elements)
	FROM ehr_store.quarantine o
	LEFT JOIN jsonb_to_recordset(problems) AS p(file int, record int, element text, rule text, elements int)
		ON coalesce(p.file, 0) = o.file AND coalesce(p.record, 0) = o.record
			AND p.element IS NOT DISTINCT FROM o.element AND p.rule = o.rule
	WHERE q.quarantine = o.quarantine AND o.payload = payload_no AND o.dossier = dossier_no AND o.state = 'open';

	INSERT INTO ehr_store.quarantine (payload, dossier, file, kind, record, line, element, rule, value_class, elements,
		from_byte, to_byte)
	SELECT payload_no, dossier_no, coalesce(p.file, 0), p.kind, coalesce(p.record, 0), p.line, p.element, p.rule,
		p.value_class, p.elements, claims_settle.from_byte, claims_settle.to_byte
	FROM jsonb_to_recordset(problems) AS p(file int, kind text, record int, line int, element text, rule text,
		value_class text, elements int)
	WHERE NOT EXISTS (
		SELECT FROM ehr_store.quarantine o
		WHERE o.payload = payload_no AND o.dossier = dossier_no AND o.state = 'open'
			AND o.file = coalesce(p.file, 0) AND o.record = coalesce(p.record, 0)
			AND o.element IS NOT DISTINCT FROM p.element AND o.rule = p.rule);
END
$body$;
COMMENT ON FUNCTION ehr_internal.claims_settle(bigint, int, jsonb, bigint, bigint) IS
	'the quarantine of a dossier after it was taken in, or tried to be';

CREATE FUNCTION ehr_internal.claims_findings(leaves ehr_internal.claims_leaf[], records ehr_internal.claims_record[])
	RETURNS jsonb
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $body$
	SELECT coalesce(jsonb_object_agg(finding, n), '{}')
	FROM (SELECT finding, count(*) AS n
		FROM (SELECT l.finding FROM unnest(leaves) l
			UNION ALL SELECT f FROM unnest(records) r, unnest(r.findings) f) x
		WHERE finding IS NOT NULL GROUP BY finding) y
$body$;
COMMENT ON FUNCTION ehr_internal.claims_findings(ehr_internal.claims_leaf[], ehr_internal.claims_record[]) IS
	'how often a dossier deviates from the format in which way: {"decimal-comma": 12}';

-- claims_common: the names that all templates of a dossier share; '@ref:NAME' is the reference to the resource that
-- the XML1 template NAME makes in any case (that is, one that needs nothing).
CREATE FUNCTION ehr_internal.claims_common(one ehr_internal.claims_record, day date) RETURNS jsonb
	LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $body$
	SELECT ehr_internal.claims_systems(day)
		|| jsonb_build_object('@sender', one.vals -> 'MA_CSKCB')
		|| (SELECT jsonb_object_agg('@ref:' || t.name,
				t.type || '/' || ehr_internal.claims_id(one.vals ->> 'MA_CSKCB', t.type, ehr_internal.fill_text(t.key, one.vals)))
			FROM ehr_internal.claims_template t
			WHERE t.kind = 'XML1' AND t.each = '{}' AND t.needs = '{}' AND t.valid_from <= day AND day < t.valid_to)
$body$;
COMMENT ON FUNCTION ehr_internal.claims_common(ehr_internal.claims_record, date) IS
	'system URIs, facility and references that the templates of all records of a dossier share';

CREATE FUNCTION ehr_internal.claims_set_aside(payload_no bigint, dossier_no int) RETURNS void
	LANGUAGE sql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $body$
	UPDATE ehr_store.claims_dossier SET state = 'replaced'
	WHERE payload = payload_no AND dossier = dossier_no AND state = 'current';
	UPDATE ehr_store.quarantine SET state = 'superseded', closed = now()
	WHERE payload = payload_no AND dossier = dossier_no AND state = 'open';
$body$;
COMMENT ON FUNCTION ehr_internal.claims_set_aside(bigint, int) IS 'a dossier that a later sending of it has replaced: nothing of it is open any more';

CREATE FUNCTION ehr_internal.claims_keep(payload_no bigint, dossier_no int, kept jsonb) RETURNS int
	LANGUAGE sql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $body$
	DELETE FROM ehr_store.payload_element WHERE payload = payload_no AND dossier = dossier_no;
	INSERT INTO ehr_store.payload_element (payload, dossier, file, record, kind, elements)
	SELECT payload_no, dossier_no, k.file, k.record, k.kind, k.elements
	FROM jsonb_to_recordset(kept) AS k(file int, record int, kind text, elements jsonb);
	SELECT count(*)::int FROM jsonb_array_elements(kept) k, jsonb_object_keys(k -> 'elements');
$body$;
COMMENT ON FUNCTION ehr_internal.claims_keep(bigint, int, jsonb) IS 'stores the unmapped elements of a dossier and returns how many they are';

-- claims_take takes in one dossier, wholly or not at all, and returns the keys of the patients touched.
-- Only data errors (classes 22 and 23) are the dossier's own fault and put it in quarantine; any other error, such as
-- a deadlock or a full disk, is raised and leaves the payload untaken.
CREATE FUNCTION ehr_internal.claims_take(payload_no bigint, dossier_no int, leaves ehr_internal.claims_leaf[],
	source text, sender text, filed date) RETURNS bigint[]
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
	day date := ehr_internal.claims_day(leaves, filed);
	records ehr_internal.claims_record[] := ARRAY(SELECT r FROM ehr_internal.claims_records(leaves, day) r);
	place ehr_internal.claims_leaf;
	refusal jsonb := ehr_internal.claims_refusal(leaves, records, sender, day);
	one jsonb := records[1].vals;
	common jsonb;
	made ehr_internal.claims_made := ROW('{}', '[]', '[]', 0);
	earlier record;
	subjects bigint[] := '{}';
	sent int := (SELECT count(*) FROM unnest(leaves) l WHERE l.file > 0 AND (l.element IS NOT NULL OR l.problem IS NOT NULL));
	kept int;
	detail text;
	constraint_name text;
BEGIN
	SELECT * INTO place FROM unnest(leaves) l WHERE l.file = 0 AND l.from_byte IS NOT NULL;
	IF refusal IS NULL THEN
		-- dossiers of a facility are taken in one after the other
		PERFORM pg_advisory_xact_lock(hashtextextended('ehr claims ' || (one ->> 'MA_CSKCB'), 0));
		SELECT d.payload, d.dossier, d.resources INTO earlier FROM ehr_store.claims_dossier d
		WHERE d.facility = one ->> 'MA_CSKCB' AND d.ma_lk = one ->> 'MA_LK' AND d.state = 'current';
		IF (earlier.payload, earlier.dossier) > (payload_no, dossier_no) THEN
			PERFORM ehr_internal.claims_set_aside(payload_no, dossier_no);
			RETURN subjects;
		END IF;
		common := ehr_internal.claims_common(records[1], day);
		BEGIN
			made := ehr_internal.claims_make(records, common, day);
			subjects := ehr_internal.claims_write(made.resources, one ->> 'MA_CSKCB', one ->> 'MA_LK',
				one ->> 'NGAY_VAO', source, earlier.resources);
		EXCEPTION WHEN data_exception OR integrity_constraint_violation THEN
			-- the detail of a refused resource names place and rule; those of PostgreSQL's own errors may hold values
			GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, constraint_name = CONSTRAINT_NAME;
			refusal := jsonb_build_object('rule', 'sqlstate-' || SQLSTATE, 'element',
				CASE WHEN SQLSTATE = '23514' AND constraint_name = '' THEN left(detail, 200) END);
		END;
	END IF;
	IF refusal IS NOT NULL THEN
		made := ROW('{}', jsonb_build_array(refusal || jsonb_build_object('elements', sent)), '[]', 0);
		subjects := '{}';
	ELSIF earlier.payload IS NOT NULL AND (earlier.payload, earlier.dossier) <> (payload_no, dossier_no) THEN
		PERFORM ehr_internal.claims_set_aside(earlier.payload, earlier.dossier);
	END IF;

	PERFORM ehr_internal.claims_settle(payload_no, dossier_no, made.problems, place.from_byte, place.to_byte);
	kept := ehr_internal.claims_keep(payload_no, dossier_no, made.kept);
	DELETE FROM ehr_store.claims_dossier d WHERE d.payload = payload_no AND d.dossier = dossier_no;
	INSERT INTO ehr_store.claims_dossier (payload, dossier, facility, ma_lk, patient, admitted, state,
		sent, mapped, kept, quarantined, findings, resources)
	VALUES (payload_no, dossier_no, one ->> 'MA_CSKCB', one ->> 'MA_LK',
		split_part(common ->> '@ref:patient', '/', 2), one ->> 'NGAY_VAO',
		CASE WHEN refusal IS NULL THEN 'current' ELSE 'refused' END,
		sent, made.mapped, kept, (SELECT coalesce(sum((p ->> 'elements')::int), 0) FROM jsonb_array_elements(made.problems) p),
		ehr_internal.claims_findings(leaves, records),
		ARRAY(SELECT DISTINCT m.type || '/' || m.id FROM unnest(made.resources) m ORDER BY 1));
	RETURN subjects;
END
$body$;
COMMENT ON FUNCTION ehr_internal.claims_take(bigint, int, ehr_internal.claims_leaf[], text, text, date) IS
	'takes in one dossier, wholly or not at all';

-- ---------------------------------------------------------------------------
-- Payloads
-- ---------------------------------------------------------------------------

CREATE FUNCTION ehr_internal.claims_receipt(payload_no bigint, persons int, envelope_findings jsonb) RETURNS jsonb
	LANGUAGE sql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $body$
	SELECT jsonb_build_object('payload', payload_no, 'kind', 'claims', 'dossiers', count(*),
		'refused', count(*) FILTER (WHERE state = 'refused'),
		'sent', coalesce(sum(sent), 0), 'mapped', coalesce(sum(mapped), 0), 'kept', coalesce(sum(kept), 0),
		'quarantined', coalesce(sum(quarantined), 0), 'resources', coalesce(sum(cardinality(resources)), 0),
		'persons', persons,
		'findings', (SELECT coalesce(jsonb_object_agg(key, n), '{}')
			FROM (SELECT f.key, sum(f.value::int) AS n
				FROM (SELECT findings FROM ehr_store.claims_dossier WHERE payload = payload_no
					UNION ALL SELECT envelope_findings) x, jsonb_each_text(x.findings) f
				GROUP BY f.key) y))
	FROM ehr_store.claims_dossier WHERE payload = payload_no
$body$;
COMMENT ON FUNCTION ehr_internal.claims_receipt(bigint, int, jsonb) IS 'the receipt of a claims payload: the sum over its dossiers';

-- claims_run reads a payload and takes in its dossiers, or the one asked for; returns its receipt, which it stores too.
CREATE FUNCTION ehr_internal.claims_run(payload_no bigint, only_dossier int) RETURNS jsonb
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
	p ehr_store.payload;
	d record;
	forms record;
	sender text;
	filed date;
	announced int;
	dossiers int := 0;
	envelope_findings jsonb := '{}';
	subjects bigint[] := '{}';
	persons int := 0;
	new_receipt jsonb;
BEGIN
	SELECT * INTO p FROM ehr_store.payload WHERE payload = payload_no;
	SELECT array_agg(kind) AS kinds, array_agg(record) AS records INTO forms FROM ehr_internal.claims_form;
	FOR d IN
		SELECT l.dossier, array_agg(l) AS leaves FROM ehr_internal.claims_read(p.body, forms.kinds, forms.records) l
		GROUP BY l.dossier ORDER BY l.dossier
	LOOP
		IF d.dossier = 0 THEN
			SELECT min(btrim(l.value)) FILTER (WHERE l.element = 'THONGTINDONVI/MACSKCB'),
				min((ehr_internal.claims_value('date', l.value)).value ->> 0) FILTER (WHERE l.element = 'THONGTINHOSO/NGAYLAP'),
				min((ehr_internal.claims_value('integer', l.value)).value ->> 0) FILTER (WHERE l.element = 'THONGTINHOSO/SOLUONGHOSO')
			INTO sender, filed, announced FROM unnest(d.leaves) l;
			CONTINUE;
		END IF;
		dossiers := dossiers + 1;
		CONTINUE WHEN d.dossier <> only_dossier;
		subjects := subjects || ehr_internal.claims_take(payload_no, d.dossier, d.leaves, p.source, sender,
			coalesce(filed, p.received::date));
	END LOOP;
	IF announced <> dossiers THEN
		envelope_findings := '{"dossier-count": 1}';
	END IF;
	IF subjects <> '{}' THEN
		persons := ehr_internal.link_subjects(ARRAY(SELECT DISTINCT s FROM unnest(subjects) s ORDER BY s));
	END IF;
	IF only_dossier IS NOT NULL THEN
		persons := (p.receipt ->> 'persons')::int;
	END IF;
	new_receipt := ehr_internal.claims_receipt(payload_no, persons, envelope_findings);
	UPDATE ehr_store.payload SET receipt = new_receipt WHERE payload = payload_no;
	RETURN new_receipt;
END
$body$;
COMMENT ON FUNCTION ehr_internal.claims_run(bigint, int) IS 'takes in the dossiers of a stored payload (NULL: all) and gives its receipt';

CREATE FUNCTION ehr_internal.ingest_claims(payload bytea, source text) RETURNS jsonb
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
	no bigint;
	receipt jsonb;
BEGIN
	IF payload IS NULL OR coalesce(btrim(source), '') = '' THEN
		RAISE EXCEPTION 'claims payload and source must be given' USING ERRCODE = 'null_value_not_allowed';
	END IF;
	INSERT INTO ehr_store.payload AS p (kind, source, sha256, body)
	VALUES ('claims', ingest_claims.source, sha256(ingest_claims.payload), ingest_claims.payload)
	ON CONFLICT ON CONSTRAINT payload_kind_source_sha256_key DO NOTHING
	RETURNING p.payload INTO no;
	IF no IS NOT NULL THEN
		RETURN ehr_internal.claims_run(no, NULL);
	END IF;
	SELECT p.receipt INTO receipt FROM ehr_store.payload p
	WHERE p.kind = 'claims' AND p.source = ingest_claims.source AND p.sha256 = sha256(ingest_claims.payload);
	IF receipt IS NULL THEN
		RAISE EXCEPTION 'the same claims payload is being taken in by another session'
			USING ERRCODE = 'serialization_failure', HINT = 'Send it again.';
	END IF;
	RETURN receipt;
END
$body$;
COMMENT ON FUNCTION ehr_internal.ingest_claims(bytea, text) IS 'implementation of ehr.ingest_claims';

CREATE FUNCTION ehr_internal.ingest_claims(payload text, source text) RETURNS jsonb
	LANGUAGE sql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $body$
	SELECT ehr_internal.ingest_claims(convert_to(payload, 'UTF8'), source)
$body$;
COMMENT ON FUNCTION ehr_internal.ingest_claims(text, text) IS 'implementation of ehr.ingest_claims';

CREATE FUNCTION ehr_internal.replay(quarantine_id bigint) RETURNS jsonb
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $body$
DECLARE
	q ehr_store.quarantine;
	p ehr_store.payload;
BEGIN
	SELECT * INTO q FROM ehr_store.quarantine WHERE quarantine = quarantine_id;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'quarantine row % does not exist', quarantine_id USING ERRCODE = 'no_data_found';
	END IF;
	SELECT * INTO p FROM ehr_store.payload WHERE payload = q.payload FOR UPDATE;
	SELECT * INTO q FROM ehr_store.quarantine WHERE quarantine = quarantine_id;
	IF q.state <> 'open' THEN
		RETURN p.receipt;
	END IF;
	CASE p.kind
		WHEN 'claims' THEN RETURN ehr_internal.claims_run(q.payload, q.dossier);
		WHEN 'bundle' THEN RETURN ehr_internal.take_in_bundle(q.payload, convert_from(p.body, 'UTF8')::jsonb, p.source);
		WHEN 'immunizations' THEN
			PERFORM ehr_internal.take_in_immunizations(q.payload, convert_from(p.body, 'UTF8'), p.source), ehr_internal.link_new('{}');
			RETURN (SELECT r.receipt FROM ehr_store.payload r WHERE r.payload = q.payload);
		ELSE RAISE EXCEPTION 'payloads of kind "%" cannot be replayed', p.kind USING ERRCODE = 'feature_not_supported';
	END CASE;
END
$body$;
COMMENT ON FUNCTION ehr_internal.replay(bigint) IS 'implementation of ehr.replay';

-- ---------------------------------------------------------------------------
-- API
-- ---------------------------------------------------------------------------

CREATE FUNCTION ehr.ingest_claims(payload bytea, source text) RETURNS jsonb
	LANGUAGE c VOLATILE COST 100000
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.ingest_claims(bytea, text) IS
	'takes in a claims file (GIAMDINHHS XML) and gives a receipt: sent = mapped + kept + quarantined';

CREATE FUNCTION ehr.ingest_claims(payload text, source text) RETURNS jsonb
	LANGUAGE c VOLATILE COST 100000
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.ingest_claims(text, text) IS
	'takes in a claims file (GIAMDINHHS XML) and gives a receipt: sent = mapped + kept + quarantined';

CREATE FUNCTION ehr.replay(quarantine_id bigint) RETURNS jsonb
	LANGUAGE c VOLATILE STRICT COST 100000
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.replay(bigint) IS
	'tries once more what went to quarantine, from the payload as it came, and gives the payload''s receipt as it is now';

REVOKE EXECUTE ON FUNCTION ehr.ingest_claims(bytea, text), ehr.ingest_claims(text, text), ehr.replay(bigint) FROM PUBLIC;
