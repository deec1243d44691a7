---------------------------------------------------------------------------------------------------
-- identity: reconciling with the citizen database (doc/identity.md)
---------------------------------------------------------------------------------------------------

CREATE FUNCTION ehr_internal.create_identity_population() RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE TABLE IF NOT EXISTS ehr_store.population_task (
		task bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		source text NOT NULL,
		kind text NOT NULL CHECK (kind IN ('confirm', 'correct', 'contradict', 'merge', 'death')),
		subject bigint NOT NULL,
		other bigint,
		fields text[] NOT NULL DEFAULT '{}',
		finding bytea NOT NULL,
		proposal jsonb NOT NULL DEFAULT '{}',
		state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'done', 'refused', 'moot')),
		opened timestamptz NOT NULL DEFAULT now(),
		decided timestamptz,
		decided_by text,
		reason text,
		CONSTRAINT population_task_said UNIQUE (subject, source, kind, finding)
	);
	CREATE INDEX IF NOT EXISTS population_task_open ON ehr_store.population_task (kind, task) WHERE state = 'open';
	COMMENT ON TABLE ehr_store.population_task IS 'what a batch of the citizen database said of a source patient and its person: work for a clerk, and what was decided';
	COMMENT ON COLUMN ehr_store.population_task.kind IS 'confirm: number and person agree; correct: the same person, some field differs; contradict: the number is somebody else''s; merge: subject and other are one person; death: the person has died';
	COMMENT ON COLUMN ehr_store.population_task.finding IS 'hash of what was said: the same said again is no new task, whatever was decided';
	COMMENT ON COLUMN ehr_store.population_task.proposal IS 'the values of the citizen database that a decision would apply';

	GRANT EXECUTE ON FUNCTION ehr.reconcile_population(regclass, text), ehr.reconcile_population_lines(text, text) TO ehr_ingest;
	GRANT EXECUTE ON FUNCTION ehr.population_tasks(text, int), ehr.decide_population(bigint, bool, text),
		ehr.decide_population_all(text, text, bool, text, int) TO ehr_app;
END
$$;
COMMENT ON FUNCTION ehr_internal.create_identity_population() IS 'tables and grants of reconciling with the citizen database';

---------------------------------------------------------------------------------------------------
-- Reading a batch. No error holds a value: a line that cannot be used is counted and left out.
---------------------------------------------------------------------------------------------------

CREATE FUNCTION ehr_internal.population_day(written text) RETURNS text
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	day text := btrim(written);
	part text[];
BEGIN
	IF day IS NULL OR day = '' THEN RETURN NULL; END IF;
	IF day ~ '^\d{1,2}/\d{1,2}/\d{4}$' THEN
		part := string_to_array(day, '/');
		day := part[3] || '-' || lpad(part[2], 2, '0') || '-' || lpad(part[1], 2, '0');
	ELSIF day ~ '^\d{8}$' THEN
		day := left(day, 4) || '-' || substr(day, 5, 2) || '-' || right(day, 2);
	ELSIF day !~ '^\d{4}(-\d\d(-\d\d)?)?$' THEN
		RETURN NULL;
	END IF;
	-- the days of a month, without an error that would tell the value
	IF left(day, 4) = '0000' OR coalesce(nullif(substr(day, 6, 2), ''), '01') NOT BETWEEN '01' AND '12' THEN RETURN NULL; END IF;
	IF length(day) = 10 AND (right(day, 2) = '00' OR right(day, 2)::int > CASE substr(day, 6, 2)
			WHEN '02' THEN 28 + (left(day, 4)::int % 4 = 0 AND (left(day, 4)::int % 100 <> 0 OR left(day, 4)::int % 400 = 0))::int
			WHEN '04' THEN 30 WHEN '06' THEN 30 WHEN '09' THEN 30 WHEN '11' THEN 30 ELSE 31 END) THEN
		RETURN NULL;
	END IF;
	RETURN day;
END
$$;
COMMENT ON FUNCTION ehr_internal.population_day(text) IS 'a day as the citizen database writes it (yyyy, yyyy-mm-dd, yyyymmdd, dd/mm/yyyy) as a FHIR date; null when it is none';

CREATE TYPE ehr_internal.population_line AS (
	line int,
	refused text,
	number text,
	previous text,
	features bytea,				-- with the number
	features_before bytea,		-- with the previous number
	said jsonb					-- FHIR values: name, birthDate, gender, died, issued
);
COMMENT ON TYPE ehr_internal.population_line IS 'a row of the citizen database, read';

CREATE FUNCTION ehr_internal.read_population(lines text) RETURNS SETOF ehr_internal.population_line
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	WITH raw AS (
		SELECT t.n::int AS line, j, btrim(j ->> 'citizen_number') AS number, nullif(btrim(j ->> 'previous_number'), '') AS previous,
			nullif(btrim(normalize(j ->> 'full_name')), '') AS name,
			CASE WHEN lower(btrim(j ->> 'sex')) IN ('male', 'm', 'nam', '1') THEN 'male'
				WHEN lower(btrim(normalize(j ->> 'sex'))) IN ('female', 'f', 'nữ', 'nu', '2') THEN 'female' END AS gender
		FROM string_to_table(lines, E'\n') WITH ORDINALITY AS t (text, n), LATERAL (SELECT t.text::jsonb) AS x (j)
		WHERE t.text <> ''),
	day AS MATERIALIZED (
		SELECT r.*, ehr_internal.population_day(r.j ->> 'birth_date') AS birth, ehr_internal.population_day(r.j ->> 'died_on') AS died,
			ehr_internal.population_day(r.j ->> 'issued_on') AS issued
		FROM raw r),
	clean AS (
		SELECT r.*,
			CASE WHEN r.number !~ '^\d{12}$' OR r.number IS NULL THEN 'citizen_number: 12 digits'
				WHEN r.previous !~ '^(\d{9}|\d{12})$' THEN 'previous_number: 9 or 12 digits'
				WHEN r.birth IS NULL AND btrim(r.j ->> 'birth_date') <> '' THEN 'birth_date: a day'
				WHEN r.died IS NULL AND btrim(r.j ->> 'died_on') <> '' THEN 'died_on: a day'
				WHEN r.issued IS NULL AND btrim(r.j ->> 'issued_on') <> '' THEN 'issued_on: a day'
				WHEN r.gender IS NULL AND btrim(r.j ->> 'sex') <> '' THEN 'sex: male or female' END AS refused
		FROM day r)
	SELECT c.line, c.refused, c.number, nullif(c.previous, c.number),
		ehr_internal.match_row(c.name, c.birth, c.gender, c.number, NULL, c.j ->> 'phone', c.j ->> 'ward_code', NULL, c.j ->> 'address'),
		ehr_internal.match_row(c.name, c.birth, c.gender, c.previous, NULL, c.j ->> 'phone', c.j ->> 'ward_code', NULL, c.j ->> 'address'),
		jsonb_strip_nulls(jsonb_build_object('number', c.number, 'previous', nullif(c.previous, c.number), 'name', c.name, 'birthDate', c.birth,
			'gender', c.gender, 'died', c.died, 'issued', c.issued))
	FROM clean c;
EXCEPTION WHEN data_exception THEN	-- PostgreSQL's own error would quote the line
	RAISE invalid_text_representation USING MESSAGE = 'a row of the citizen database is not a JSON object',
		DETAIL = 'Rule "json-object" is broken.';
END
$$;
COMMENT ON FUNCTION ehr_internal.read_population(text) IS 'reads a batch of the citizen database, a JSON object a line';

---------------------------------------------------------------------------------------------------
-- What a batch says of our persons
---------------------------------------------------------------------------------------------------

-- The fields in which a source patient, by the levels of a comparison, says something else.
CREATE FUNCTION ehr_internal.population_fields(explained jsonb, reissued bool) RETURNS text[]
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	RETURN ARRAY(
		SELECT v.field FROM jsonb_array_elements(explained -> 'fields') AS f
			JOIN (VALUES ('name', 'name', '{marked,folded}'::text[]), ('birth', 'birthDate', '{same,same_new_year}'), ('sex', 'gender', '{same}')) AS v (name, field, agree)
				ON v.name = f ->> 'field' AND f ->> 'level' <> ALL (v.agree)
		UNION ALL SELECT 'identifier' WHERE reissued
		ORDER BY 1);
COMMENT ON FUNCTION ehr_internal.population_fields(jsonb, bool) IS 'FHIR elements of a Patient that the citizen database says otherwise';

CREATE FUNCTION ehr_internal.population_patient(source text, number text) RETURNS bigint
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (SELECT k.key FROM ehr_store.resource_key k
		WHERE k.type = ehr_internal.type_number('Patient') AND k.id = ehr_internal.scoped_id(source, 'population:' || number));
END
$$;
COMMENT ON FUNCTION ehr_internal.population_patient(text, text) IS 'subject of what the citizen database itself said of a number, once it was applied';

CREATE TYPE ehr_internal.population_finding AS (
	line int,
	kind text,
	subject bigint,
	other bigint,
	fields text[],
	finding bytea,
	proposal jsonb
);
COMMENT ON TYPE ehr_internal.population_finding IS 'what a row of the citizen database says of a source patient';

-- Findings of a batch: one for the person that a number belongs to, one for each source patient that has it wrongly, one
-- for each further person that is the same, one for a death.
CREATE FUNCTION ehr_internal.population_findings(read_lines ehr_internal.population_line[], source text)
	RETURNS TABLE (line int, kind text, subject bigint, other bigint, fields text[])
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_custom_plan	-- a plan made without the arrays takes them for short
AS $$
DECLARE
	m record;
	t record;
	reviewed_from float8;
BEGIN
	SELECT q.model, q.rows::float8 AS rows INTO m FROM ehr_store.match_model q;
	SELECT * INTO t FROM ehr_internal.match_thresholds();
	reviewed_from := t.review_from;
	RETURN QUERY
	WITH line AS MATERIALIZED (
		SELECT l.*, ehr_internal.population_patient(source, l.number) AS own_patient FROM unnest(read_lines) AS l),
	by_number AS (		-- source patients that came with the number, or with the one before it
		SELECT l.line, i.subject, bool_or(i.value = l.number) AS current, bool_or(i.own) AS own
		FROM line l CROSS JOIN LATERAL unnest(ARRAY[l.number, l.previous]) AS v (value)
			JOIN ehr_internal.match_system s ON s.feature IN ('citizen', 'old')
			JOIN ehr_store.person_identifier i ON i.system = s.system AND i.value = v.value
		WHERE i.subject IS DISTINCT FROM l.own_patient GROUP BY 1, 2),
	by_features AS (	-- of numbers that nobody came with: who has name and birth date, and no number
		SELECT l.line, f.subject
		FROM line l CROSS JOIN LATERAL ehr_internal.match_keys(l.features) AS k
			JOIN ehr_store.match_feature f ON f.k4 = k[4]
		WHERE k[4] IS NOT NULL AND f.k1 IS NULL AND NOT EXISTS (SELECT FROM by_number b WHERE b.line = l.line)),
	holder AS (
		SELECT b.line, b.subject, b.current, true AS numbered, b.own FROM by_number b
		UNION ALL SELECT b.line, b.subject, false, false, false FROM by_features b),
	compared AS MATERIALIZED (
		SELECT h.line, h.subject, h.current, h.numbered, h.own, ehr_internal.person_root(p.person) AS root, e.x AS explained,
			CASE WHEN e.x ? 'veto' THEN 0 ELSE (e.x ->> 'probability')::float8 END AS probability
		FROM holder h JOIN line l ON l.line = h.line
			JOIN ehr_store.match_feature f ON f.subject = h.subject
			JOIN ehr_store.person_link p ON p.subject = h.subject
			CROSS JOIN LATERAL (SELECT ehr_internal.match_explain(m.model, m.rows, CASE WHEN h.current OR NOT h.numbered THEN l.features ELSE l.features_before END,
				NULL, f.features, NULL)) AS e (x)),
	agreeing AS MATERIALIZED (		-- the best source patient of each person; the person to whom the number belongs first
		SELECT c.*, row_number() OVER (PARTITION BY c.line ORDER BY c.current DESC, c.numbered DESC, c.probability DESC, c.root) AS place
		FROM (SELECT DISTINCT ON (c.line, c.root) c.* FROM compared c
			WHERE c.probability >= CASE WHEN c.numbered THEN reviewed_from ELSE t.link_from END
			ORDER BY c.line, c.root, c.current DESC, c.probability DESC, c.subject) AS c)
	SELECT a.line, CASE WHEN cardinality(d.fields) = 0 THEN 'confirm' ELSE 'correct' END, a.subject, NULL::bigint, d.fields
	FROM agreeing a JOIN line l ON l.line = a.line
		CROSS JOIN LATERAL (SELECT ehr_internal.population_fields(a.explained, NOT a.current OR l.previous IS NOT NULL)) AS d (fields)
	WHERE a.place = 1
	UNION ALL
	SELECT c.line, 'contradict', c.subject, NULL, '{identifier}'
	FROM compared c WHERE c.own AND c.probability < reviewed_from
	UNION ALL
	SELECT a.line, 'merge', least(a.subject, b.subject), greatest(a.subject, b.subject), '{}'
	FROM agreeing a JOIN agreeing b ON b.line = a.line AND b.place > 1 WHERE a.place = 1 AND b.numbered
	UNION ALL
	SELECT a.line, 'death', a.subject, NULL, '{deceasedDateTime}'
	FROM agreeing a JOIN line l ON l.line = a.line
	WHERE a.place = 1 AND l.said ? 'died' AND NOT EXISTS (
		SELECT FROM ehr_internal.subjects_of_person(a.root) AS s JOIN ehr_store.resource r ON r.key = s
		WHERE NOT r.deleted AND (r.doc::jsonb ->> 'deceasedDateTime' LIKE (l.said ->> 'died') || '%'));
END
$$;
COMMENT ON FUNCTION ehr_internal.population_findings(ehr_internal.population_line[], text) IS 'what rows of the citizen database say of our persons';

CREATE FUNCTION ehr.reconcile_population_lines(lines text, source text) RETURNS jsonb
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.reconcile_population_lines(text, text) IS 'compares rows of the citizen database, a JSON object a line, with our persons; opens tasks and returns the counts';

CREATE FUNCTION ehr_internal.reconcile_population_lines(lines text, source text) RETURNS jsonb
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	few CONSTANT int := 500;	-- rows at a time: the planner knows nothing of arrays
	caller text := ehr_internal.require_registrar('{department,admin}');
	read_lines ehr_internal.population_line[] := ARRAY(SELECT l FROM ehr_internal.read_population(lines) AS l ORDER BY l.line);
	usable ehr_internal.population_line[];
	counts jsonb[] := '{}';
	refused jsonb;
BEGIN
	usable := ARRAY(SELECT l FROM unnest(read_lines) AS l WHERE l.refused IS NULL ORDER BY l.line);
	FOR i IN 0 .. cardinality(usable) / few LOOP
		counts := counts || ehr_internal.reconcile_population_some(usable[i * few + 1 : (i + 1) * few], source, caller);
	END LOOP;
	SELECT jsonb_object_agg(r.refused, r.n) INTO refused
	FROM (SELECT l.refused, count(*) AS n FROM unnest(read_lines) AS l WHERE l.refused IS NOT NULL GROUP BY 1) AS r;
	RETURN jsonb_build_object('rows', cardinality(read_lines), 'refused', coalesce(refused, '{}'))
		|| (SELECT jsonb_object_agg(q.name, q.n) FROM (SELECT e.key AS name, sum(e.value::int) AS n FROM unnest(counts) AS c, jsonb_each_text(c) AS e GROUP BY 1) AS q);
END
$$;
COMMENT ON FUNCTION ehr_internal.reconcile_population_lines(text, text) IS 'implementation of ehr.reconcile_population_lines';

CREATE FUNCTION ehr_internal.reconcile_population_some(read_lines ehr_internal.population_line[], source text, caller text) RETURNS jsonb
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_custom_plan	-- a plan made without the arrays takes them for short
AS $$
DECLARE
	findings ehr_internal.population_finding[];
	counts jsonb;
	opened int;
	mooted int;
BEGIN
	findings := ARRAY(
		SELECT ROW(f.line, f.kind, f.subject, f.other, f.fields,
			sha256(convert_to(concat_ws(' ', (CASE f.kind WHEN 'death' THEN l.said ELSE l.said - 'died' END)::text, f.fields::text, f.other::text), 'UTF8')),
			CASE f.kind WHEN 'confirm' THEN '{}' ELSE l.said END)::ehr_internal.population_finding
		FROM ehr_internal.population_findings(read_lines, source) AS f JOIN unnest(read_lines) AS l ON l.line = f.line
		ORDER BY f.subject, f.kind);

	-- what is no longer said of a patient of whom this batch tells
	UPDATE ehr_store.population_task t SET state = 'moot', decided = now(), decided_by = caller
	WHERE t.state = 'open' AND t.source = reconcile_population_some.source
		AND t.subject IN (SELECT f.subject FROM unnest(findings) AS f)
		AND NOT EXISTS (SELECT FROM unnest(findings) AS f WHERE f.subject = t.subject AND f.kind = t.kind AND f.finding = t.finding);
	GET DIAGNOSTICS mooted = ROW_COUNT;
	INSERT INTO ehr_store.population_task (source, kind, subject, other, fields, finding, proposal, state, decided, decided_by)
	SELECT reconcile_population_some.source, f.kind, f.subject, f.other, f.fields, f.finding, f.proposal,
		CASE f.kind WHEN 'confirm' THEN 'done' ELSE 'open' END, CASE f.kind WHEN 'confirm' THEN now() END, CASE f.kind WHEN 'confirm' THEN caller END
	FROM unnest(findings) AS f
	ON CONFLICT ON CONSTRAINT population_task_said DO NOTHING;
	GET DIAGNOSTICS opened = ROW_COUNT;

	SELECT jsonb_object_agg(v.kind, (SELECT count(*) FROM unnest(findings) AS f WHERE f.kind = v.kind)) INTO counts
	FROM (VALUES ('confirm'), ('correct'), ('contradict'), ('merge'), ('death')) AS v (kind);
	RETURN counts || jsonb_build_object('new_tasks', opened, 'moot', mooted,
		'unknown', (SELECT count(*) FROM unnest(read_lines) AS l WHERE NOT EXISTS (SELECT FROM unnest(findings) AS f WHERE f.line = l.line)));
END
$$;
COMMENT ON FUNCTION ehr_internal.reconcile_population_some(ehr_internal.population_line[], text, text) IS 'reconciles some rows of the citizen database; returns the counts';

-- Runs with the caller's own rights: a table, view or policy of his can do no more than he may.
CREATE FUNCTION ehr.reconcile_population(rows regclass, source text) RETURNS jsonb
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	chunk text;
	receipts jsonb := '[]';
BEGIN
	IF NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = rows AND a.attname = 'citizen_number' AND a.attnum > 0 AND NOT a.attisdropped) THEN
		RAISE undefined_column USING MESSAGE = 'the table of the citizen database lacks a column',
			DETAIL = 'Column "citizen_number" is needed.',
			HINT = 'doc/identity.md lists the columns; they are read as text.';
	END IF;
	FOR chunk IN EXECUTE format(
		'SELECT string_agg(x.line, E''\n'' ORDER BY x.n) FROM (SELECT row_to_json(t)::text AS line,
			row_number() OVER (ORDER BY t.citizen_number::text COLLATE "C") AS n FROM %s AS t) AS x
		GROUP BY (x.n - 1) / 20000 ORDER BY (x.n - 1) / 20000',
		rows)
	LOOP
		receipts := receipts || ehr.reconcile_population_lines(chunk, source);
	END LOOP;
	RETURN (SELECT jsonb_build_object('refused', coalesce((SELECT jsonb_object_agg(q.rule, q.n) FROM (SELECT e.key AS rule, sum(e.value::int) AS n
				FROM jsonb_array_elements(receipts) AS r, jsonb_each_text(r -> 'refused') AS e GROUP BY 1) AS q), '{}'))
			|| coalesce((SELECT jsonb_object_agg(q.name, q.n) FROM (SELECT e.key AS name, sum(e.value::int) AS n
				FROM jsonb_array_elements(receipts) AS r, jsonb_each_text(r - 'refused') AS e GROUP BY 1) AS q), '{}'));
END
$$;
COMMENT ON FUNCTION ehr.reconcile_population(regclass, text) IS
	'compares a batch of the citizen database with our persons: confirms, corrects, contradicts, tells of deaths and of persons who are one, each as a task; the same batch again changes nothing';

---------------------------------------------------------------------------------------------------
-- Working the tasks off
---------------------------------------------------------------------------------------------------

CREATE FUNCTION ehr.population_tasks(of_kind text DEFAULT NULL, max_rows int DEFAULT 50)
	RETURNS TABLE (task bigint, source text, kind text, patient text, person ehr.person, other ehr.person, fields text[], opened timestamptz)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 50
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.population_tasks(text, int) IS 'open tasks from the citizen database, the oldest first; which fields differ, not what they say';

CREATE FUNCTION ehr_internal.population_tasks(of_kind text, max_rows int)
	RETURNS TABLE (task bigint, source text, kind text, patient text, person ehr.person, other ehr.person, fields text[], opened timestamptz)
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM ehr_internal.require_registrar('{facility,department,admin}');
	RETURN QUERY
	SELECT t.task, t.source, t.kind, k.id, ehr_internal.person_of_subject(t.subject)::ehr.person, ehr_internal.person_of_subject(t.other)::ehr.person,
		t.fields, t.opened
	FROM ehr_store.population_task t JOIN ehr_store.resource_key k ON k.key = t.subject
	WHERE t.state = 'open' AND (of_kind IS NULL OR t.kind = of_kind) AND ehr_internal.may_register(array_remove(ARRAY[t.subject, t.other], NULL))
	ORDER BY t.task LIMIT max_rows;
END
$$;
COMMENT ON FUNCTION ehr_internal.population_tasks(text, int) IS 'implementation of ehr.population_tasks';

-- What the citizen database says becomes a source Patient of its own, linked to the person: no other source's chart is
-- touched, the golden record takes it up by date and rank (ehr_store.source_rank), and what was said can be told apart.
CREATE FUNCTION ehr_internal.write_population_patient(said jsonb, source text, target bigint, by text, reason text) RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	written bigint;
	before jsonb := (SELECT r.doc::jsonb FROM ehr_store.resource r WHERE r.key = ehr_internal.population_patient(source, said ->> 'number') AND NOT r.deleted);
	official jsonb := (SELECT jsonb_object_agg(s.feature, s.system) FROM ehr_internal.match_system s WHERE s.official);
	ended text := coalesce(said ->> 'issued', current_date::text);
BEGIN
	written := ehr_internal.store_write(jsonb_strip_nulls(jsonb_build_object('resourceType', 'Patient',
		'id', ehr_internal.scoped_id(source, 'population:' || (said ->> 'number')),
		'identifier', jsonb_build_array(jsonb_build_object('use', 'official', 'system', official -> 'citizen', 'value', said -> 'number',
				'period', CASE WHEN said ? 'issued' THEN jsonb_build_object('start', said -> 'issued') END))
			|| CASE WHEN said ? 'previous' THEN jsonb_build_array(jsonb_build_object('use', 'old',
				'system', official -> CASE length(said ->> 'previous') WHEN 12 THEN 'citizen' ELSE 'old' END, 'value', said -> 'previous',
				'period', coalesce(jsonb_path_query_first(before, '$.identifier[*] ? (@.use == "old" && @.value == $v).period', jsonb_build_object('v', said -> 'previous')),
					jsonb_build_object('end', ended)))) ELSE '[]' END,
		'name', CASE WHEN said ? 'name' THEN jsonb_build_array(jsonb_build_object('use', 'official', 'text', said -> 'name')) END,
		'gender', said -> 'gender', 'birthDate', said -> 'birthDate', 'deceasedDateTime', coalesce(said -> 'died', before -> 'deceasedDateTime'))),
		source, source);
	PERFORM ehr_internal.refresh_features(ARRAY[written]);
	INSERT INTO ehr_store.person_link (subject, person, method) VALUES (written, target, 'manual') ON CONFLICT (subject) DO NOTHING;
	PERFORM ehr_internal.link_manually(written, target, by, reason);
END
$$;
COMMENT ON FUNCTION ehr_internal.write_population_patient(jsonb, text, bigint, text, text) IS 'stores what the citizen database says as a source Patient of the person';

CREATE FUNCTION ehr_internal.close_population_task(task_id bigint, accept bool, by text, reason text) RETURNS text
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	t record;
	target bigint;
BEGIN
	SELECT p.* INTO t FROM ehr_store.population_task p WHERE p.task = task_id FOR UPDATE;
	IF NOT FOUND THEN
		RAISE no_data_found USING MESSAGE = 'there is no such task';
	END IF;
	IF t.state <> 'open' THEN RETURN t.state; END IF;
	target := ehr_internal.person_beside(t.subject);
	IF accept THEN
		CASE t.kind
			WHEN 'correct', 'death' THEN
				PERFORM ehr_internal.write_population_patient(t.proposal, t.source, target, by, reason);
			WHEN 'contradict' THEN
				UPDATE ehr_store.person_identifier i SET own = false, disowned = by
				WHERE i.subject = t.subject AND i.value IN (t.proposal ->> 'number', t.proposal ->> 'previous')
					AND i.system IN (SELECT s.system FROM ehr_internal.match_system s WHERE s.feature IN ('citizen', 'old'));
			WHEN 'merge' THEN
				PERFORM ehr_internal.call_same(ARRAY(SELECT ehr_internal.subjects_of_person(ehr_internal.person_root(target))),
					ARRAY(SELECT ehr_internal.subjects_of_person(ehr_internal.person_root(ehr_internal.person_beside(t.other)))), by, reason);
				PERFORM ehr_internal.redirect_person(target, ehr_internal.person_beside(t.other), reason, by);
			ELSE
				NULL;
		END CASE;
	END IF;
	UPDATE ehr_store.population_task p SET state = CASE WHEN accept THEN 'done' ELSE 'refused' END, decided = now(), decided_by = by,
		reason = close_population_task.reason
	WHERE p.task = task_id RETURNING p.state INTO t.state;
	RETURN t.state;
END
$$;
COMMENT ON FUNCTION ehr_internal.close_population_task(bigint, bool, text, text) IS 'decides a task and does what it says; returns its state';

CREATE FUNCTION ehr.decide_population(task bigint, accept bool, reason text) RETURNS text
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.decide_population(bigint, bool, text) IS 'decides a task from the citizen database: accepted, it is applied; returns done or refused, or how it was decided before';

CREATE FUNCTION ehr_internal.decide_population(task bigint, accept bool, reason text) RETURNS text
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM ehr_internal.require_own_patients(array_remove(ARRAY[t.subject, t.other], NULL)) FROM ehr_store.population_task t WHERE t.task = decide_population.task;
	RETURN ehr_internal.close_population_task(task, accept, ehr_internal.require_registrar('{facility,department,admin}'), reason);
END
$$;
COMMENT ON FUNCTION ehr_internal.decide_population(bigint, bool, text) IS 'implementation of ehr.decide_population';

CREATE FUNCTION ehr.decide_population_all(source text, of_kind text, accept bool, reason text, max_rows int DEFAULT 1000) RETURNS int
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.decide_population_all(text, text, bool, text, int) IS 'decides the open tasks of one kind from one source, the oldest first; returns how many';

CREATE FUNCTION ehr_internal.decide_population_all(source text, of_kind text, accept bool, reason text, max_rows int) RETURNS int
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	caller text := ehr_internal.require_registrar('{department,admin}');
BEGIN
	RETURN (SELECT count(ehr_internal.close_population_task(q.task, accept, caller, reason))
		FROM (SELECT t.task FROM ehr_store.population_task t
			WHERE t.state = 'open' AND t.source = decide_population_all.source AND t.kind = of_kind ORDER BY t.task LIMIT max_rows) AS q);
END
$$;
COMMENT ON FUNCTION ehr_internal.decide_population_all(text, text, bool, text, int) IS 'implementation of ehr.decide_population_all';

REVOKE EXECUTE ON FUNCTION ehr.reconcile_population(regclass, text), ehr.reconcile_population_lines(text, text), ehr.population_tasks(text, int),
	ehr.decide_population(bigint, bool, text), ehr.decide_population_all(text, text, bool, text, int) FROM PUBLIC;
