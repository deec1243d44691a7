---------------------------------------------------------------------------------------------------
-- identity: comparing source patients, finding the person of a new one, the review queue (doc/identity.md)
---------------------------------------------------------------------------------------------------

-- Feature rows, scores, explanations: C, on their arguments alone

CREATE FUNCTION ehr_internal.match_row(name text, birth text, sex text, number text, insurance text, phone text,
	commune text, district text, address text) RETURNS bytea
	LANGUAGE c IMMUTABLE PARALLEL SAFE COST 20
	AS 'MODULE_PATHNAME', 'ehr_match_row';
COMMENT ON FUNCTION ehr_internal.match_row(text, text, text, text, text, text, text, text, text) IS 'packed feature row of a patient; what cannot be read is missing in it';

CREATE FUNCTION ehr_internal.match_keys(features bytea) RETURNS bigint[]
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5
	AS 'MODULE_PATHNAME', 'ehr_match_keys';
COMMENT ON FUNCTION ehr_internal.match_keys(bytea) IS 'block keys of a feature row, one for each blocking rule; null where a feature is missing';

CREATE FUNCTION ehr_internal.match_values(features bytea) RETURNS bigint[]
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5
	AS 'MODULE_PATHNAME', 'ehr_match_values';
COMMENT ON FUNCTION ehr_internal.match_values(bytea) IS 'values of a feature row whose frequency counts, in the order of ehr_store.match_frequency.kind';

CREATE FUNCTION ehr_internal.match_number(features bytea) RETURNS bigint
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5
	AS 'MODULE_PATHNAME', 'ehr_match_number';
COMMENT ON FUNCTION ehr_internal.match_number(bytea) IS 'citizen number of a feature row, unless it contradicts birth year or sex';

CREATE FUNCTION ehr_internal.match_bits(model bytea, rows float8, a bytea, a_counts int[], b bytea, b_counts int[]) RETURNS float8
	LANGUAGE c IMMUTABLE PARALLEL SAFE COST 10
	AS 'MODULE_PATHNAME', 'ehr_match_bits';
COMMENT ON FUNCTION ehr_internal.match_bits(bytea, float8, bytea, int[], bytea, int[]) IS 'log2 of the odds that two feature rows are one person; -Infinity when they cannot be';

CREATE FUNCTION ehr_internal.match_explain(model bytea, rows float8, a bytea, a_counts int[], b bytea, b_counts int[]) RETURNS jsonb
	LANGUAGE c IMMUTABLE PARALLEL SAFE COST 20
	AS 'MODULE_PATHNAME', 'ehr_match_explain';
COMMENT ON FUNCTION ehr_internal.match_explain(bytea, float8, bytea, int[], bytea, int[]) IS 'score of two feature rows with the weight of each field and a sentence; holds no value of either';

CREATE FUNCTION ehr_internal.match_model_json(model bytea) RETURNS jsonb
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 50
	AS 'MODULE_PATHNAME', 'ehr_match_model_json';
COMMENT ON FUNCTION ehr_internal.match_model_json(bytea) IS 'a stored model in words: prior, and m, u and weight of each level of each field';

CREATE FUNCTION ehr_internal.match_probability(bits float8) RETURNS float8
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_match_probability';
COMMENT ON FUNCTION ehr_internal.match_probability(float8) IS 'bits of odds as a probability';

---------------------------------------------------------------------------------------------------
-- Tables
---------------------------------------------------------------------------------------------------

CREATE FUNCTION ehr_internal.create_identity_match() RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE TABLE IF NOT EXISTS ehr_store.match_feature (
		subject bigint PRIMARY KEY,
		features bytea NOT NULL,
		k1 bigint, k2 bigint, k3 bigint, k4 bigint, k5 bigint, k6 bigint, k7 bigint
	);
	ALTER TABLE ehr_store.match_feature ALTER features SET STORAGE PLAIN;
	COMMENT ON TABLE ehr_store.match_feature IS 'feature row of each source patient with its block keys: what matching works on';
	CREATE INDEX IF NOT EXISTS match_feature_k1 ON ehr_store.match_feature (k1) WHERE k1 IS NOT NULL;
	CREATE INDEX IF NOT EXISTS match_feature_k2 ON ehr_store.match_feature (k2) WHERE k2 IS NOT NULL;
	CREATE INDEX IF NOT EXISTS match_feature_k3 ON ehr_store.match_feature (k3) WHERE k3 IS NOT NULL;
	CREATE INDEX IF NOT EXISTS match_feature_k4 ON ehr_store.match_feature (k4) WHERE k4 IS NOT NULL;
	CREATE INDEX IF NOT EXISTS match_feature_k5 ON ehr_store.match_feature (k5) WHERE k5 IS NOT NULL;
	CREATE INDEX IF NOT EXISTS match_feature_k6 ON ehr_store.match_feature (k6) WHERE k6 IS NOT NULL;
	CREATE INDEX IF NOT EXISTS match_feature_k7 ON ehr_store.match_feature (k7) WHERE k7 IS NOT NULL;

	CREATE TABLE IF NOT EXISTS ehr_store.match_frequency (
		kind int2 NOT NULL,
		value bigint NOT NULL,
		rows int NOT NULL,
		PRIMARY KEY (kind, value)
	);
	COMMENT ON TABLE ehr_store.match_frequency IS 'how many feature rows have a value (hashed): 0 name, 1 surname, 2 middle, 3 given, 4 birth date, 5 year, 6 phone, 7 number';

	CREATE TABLE IF NOT EXISTS ehr_store.match_model (
		one bool PRIMARY KEY DEFAULT true CHECK (one),
		model bytea NOT NULL,
		rows bigint NOT NULL,
		trained timestamptz NOT NULL DEFAULT now()
	);
	COMMENT ON TABLE ehr_store.match_model IS 'the parameters learnt by the last link_all; without a row the shipped ones hold';

	CREATE TABLE IF NOT EXISTS ehr_store.match_review (
		review bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		a bigint NOT NULL,
		b bigint NOT NULL,
		score real,
		state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'same', 'different', 'moot')),
		opened timestamptz NOT NULL DEFAULT now(),
		decided timestamptz,
		decided_by text,
		reason text,
		CHECK (a < b),
		UNIQUE (a, b)
	);
	CREATE INDEX IF NOT EXISTS match_review_open ON ehr_store.match_review (score DESC) WHERE state = 'open';
	CREATE INDEX IF NOT EXISTS match_review_b ON ehr_store.match_review (b);
	COMMENT ON TABLE ehr_store.match_review IS 'pairs of source patients for a clerk to look at, and what was decided; a decision is never overturned by matching';

	CREATE TABLE IF NOT EXISTS ehr_store.link_run (
		run bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		step int NOT NULL DEFAULT 0,
		started timestamptz NOT NULL DEFAULT now(),
		finished timestamptz,
		figures jsonb NOT NULL DEFAULT '{}'
	);
	COMMENT ON TABLE ehr_store.link_run IS 'runs of link_all: the step reached, and what it found';

	CREATE TABLE IF NOT EXISTS ehr_store.link_work (
		run bigint NOT NULL,
		kind int2 NOT NULL,
		part int NOT NULL,
		data bytea NOT NULL,
		PRIMARY KEY (run, kind, part)
	);
	ALTER TABLE ehr_store.link_work ALTER data SET STORAGE EXTERNAL;
	COMMENT ON TABLE ehr_store.link_work IS 'what the steps of a run of link_all leave for the next ones: 1 links, 2 reviews, 3 model, 4 frequencies, 5 clusters';

	GRANT EXECUTE ON FUNCTION ehr.match(jsonb, int, float8), ehr.explain_match(jsonb, jsonb) TO ehr_app, ehr_query, ehr_ingest;
	GRANT EXECUTE ON FUNCTION ehr.decide_match(bigint, bool, text), ehr.open_reviews(int) TO ehr_app;
	GRANT EXECUTE ON FUNCTION ehr.link_step() TO ehr_ingest;
	GRANT EXECUTE ON FUNCTION ehr.train_persons() TO ehr_ingest, ehr_admin;
	GRANT EXECUTE ON PROCEDURE ehr.link_all() TO ehr_ingest;
END
$$;
COMMENT ON FUNCTION ehr_internal.create_identity_match() IS 'tables and grants of matching';

---------------------------------------------------------------------------------------------------
-- From a Patient to its features
---------------------------------------------------------------------------------------------------

CREATE FUNCTION ehr_internal.patient_features(patient jsonb) RETURNS bytea
	LANGUAGE c STABLE STRICT PARALLEL RESTRICTED COST 50
	AS 'MODULE_PATHNAME', 'ehr_patient_features';
COMMENT ON FUNCTION ehr_internal.patient_features(jsonb) IS 'feature row of a FHIR Patient';

CREATE FUNCTION ehr_internal.match_counts(features bytea, model_rows float8) RETURNS int[]
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- nothing counted yet
	IF model_rows IS NULL THEN RETURN NULL; END IF;
	RETURN (SELECT array_agg(coalesce(q.rows, 0) ORDER BY v.n)
		FROM unnest(ehr_internal.match_values(features)) WITH ORDINALITY AS v (value, n)
			LEFT JOIN ehr_store.match_frequency q ON q.kind = v.n - 1 AND q.value = v.value);
END
$$;
COMMENT ON FUNCTION ehr_internal.match_counts(bytea, float8) IS 'how frequent the values of a feature row are; null before the first link_all';

-- Feature rows and identifiers of Patients as they stand now.
CREATE FUNCTION ehr_internal.refresh_features(subjects bigint[]) RETURNS void
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'ehr_refresh_features';
COMMENT ON FUNCTION ehr_internal.refresh_features(bigint[]) IS 'makes feature rows and identifiers of Patients anew from their documents';

CREATE FUNCTION ehr_internal.day_of(value text) RETURNS date
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	RETURN CASE WHEN value ~ '^\d{4}-\d{2}-\d{2}' THEN make_date(left(value, 4)::int, substr(value, 6, 2)::int, substr(value, 9, 2)::int)
		WHEN value ~ '^\d{4}-\d{2}$' THEN make_date(left(value, 4)::int, substr(value, 6, 2)::int, 1)
		WHEN value ~ '^\d{4}$' THEN make_date(value::int, 1, 1) END;
COMMENT ON FUNCTION ehr_internal.day_of(text) IS 'first day of a FHIR date or dateTime';

---------------------------------------------------------------------------------------------------
-- Linking as patients arrive
---------------------------------------------------------------------------------------------------

-- Persons that a feature row may be, each with its best subject; none whose rows speak against it, or whom somebody
-- decided that own_subject is not.
CREATE FUNCTION ehr_internal.match_persons(features bytea, own_subject bigint DEFAULT NULL, OUT person bigint, OUT subject bigint, OUT bits float8)
	RETURNS SETOF record
	LANGUAGE c VOLATILE PARALLEL UNSAFE COST 10000 ROWS 3
	AS 'MODULE_PATHNAME', 'ehr_match_persons';
COMMENT ON FUNCTION ehr_internal.match_persons(bytea, bigint) IS 'persons that a feature row may be, the likeliest first';

-- Do no two of their source patients speak against each other?
CREATE FUNCTION ehr_internal.may_be_one(a bigint, b bigint) RETURNS bool
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN NOT EXISTS (
		SELECT FROM ehr_internal.subjects_of_person(a) AS x JOIN ehr_store.match_feature f ON f.subject = x,
			ehr_internal.subjects_of_person(b) AS y JOIN ehr_store.match_feature g ON g.subject = y
		WHERE ehr_internal.match_bits(NULL, NULL, f.features, NULL, g.features, NULL) = '-Infinity'
			OR EXISTS (SELECT FROM ehr_store.match_review r WHERE r.state = 'different' AND r.a = least(x, y) AND r.b = greatest(x, y)));
END
$$;
COMMENT ON FUNCTION ehr_internal.may_be_one(bigint, bigint) IS 'whether two persons can be one as far as their source patients tell';

-- Thresholds as the C code ships them: src/identity/identity.h.
CREATE FUNCTION ehr_internal.match_thresholds(OUT link_from float8, OUT review_from float8)
	LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_match_thresholds';
COMMENT ON FUNCTION ehr_internal.match_thresholds() IS 'probabilities from which patients are linked, and shown to a clerk';

-- Registrations that could be of one person wait for each other: their block keys are locked, of very many at once
-- everything is.
CREATE FUNCTION ehr_internal.lock_blocks(subjects bigint[]) RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	everything CONSTANT bigint := 5496842381;	-- any number that no block key is likely to be
BEGIN
	IF cardinality(subjects) > 50 THEN
		PERFORM pg_advisory_xact_lock(everything);
		RETURN;
	END IF;
	PERFORM pg_advisory_xact_lock_shared(everything);
	PERFORM pg_advisory_xact_lock(k.key)
	FROM (SELECT DISTINCT v.key FROM ehr_store.match_feature f, unnest(ARRAY[f.k1, f.k2, f.k3, f.k4, f.k5, f.k6, f.k7]) AS v (key)
		WHERE f.subject = ANY (subjects) AND v.key IS NOT NULL ORDER BY 1) AS k;
END
$$;
COMMENT ON FUNCTION ehr_internal.lock_blocks(bigint[]) IS 'lets concurrent registrations of patients that share a block key wait for each other until commit';

-- Makes feature rows and identifiers, locks as lock_blocks does, and finds each a person or founds one (src/identity/match_register.c).
CREATE FUNCTION ehr_internal.link_subjects(subjects bigint[]) RETURNS int
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 10000
	AS 'MODULE_PATHNAME', 'ehr_link_subjects';
COMMENT ON FUNCTION ehr_internal.link_subjects(bigint[]) IS 'finds the person of each source patient just written, or makes one; returns how many persons they are';

---------------------------------------------------------------------------------------------------
-- Asking
---------------------------------------------------------------------------------------------------

CREATE FUNCTION ehr.match(patient jsonb, max_rows int DEFAULT 10, threshold float8 DEFAULT 0.5)
	RETURNS TABLE (person ehr.person, score float8, grade text, why jsonb)
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE ROWS 3
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.match(jsonb, int, float8) IS 'persons that a FHIR Patient may be, with probability, grade and reasons; stores nothing';

CREATE FUNCTION ehr_internal.match(patient jsonb, max_rows int, threshold float8)
	RETURNS TABLE (person ehr.person, score float8, grade text, why jsonb)
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	own_features bytea := ehr_internal.patient_features(patient);
BEGIN
	PERFORM ehr_internal.require_registrar();
	RETURN QUERY
	SELECT p.id::ehr.person, ehr_internal.match_probability(m.bits),
		CASE WHEN ehr_internal.match_probability(m.bits) >= t.link_from THEN 'certain'
			WHEN ehr_internal.match_probability(m.bits) >= t.review_from THEN 'probable' ELSE 'possible' END,
		ehr_internal.match_explain(q.model, q.rows, own_features, ehr_internal.match_counts(own_features, q.rows),
			f.features, ehr_internal.match_counts(f.features, q.rows))
	FROM ehr_internal.match_persons(own_features) AS m
		JOIN ehr_store.person p ON p.key = m.person
		JOIN ehr_store.match_feature f ON f.subject = m.subject
		LEFT JOIN ehr_store.match_model q ON true
		CROSS JOIN ehr_internal.match_thresholds() AS t
	WHERE ehr_internal.match_probability(m.bits) >= threshold
	ORDER BY m.bits DESC, m.person LIMIT max_rows;
END
$$;
COMMENT ON FUNCTION ehr_internal.match(jsonb, int, float8) IS 'implementation of ehr.match';

CREATE FUNCTION ehr.explain_match(a jsonb, b jsonb) RETURNS jsonb
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.explain_match(jsonb, jsonb) IS 'how two FHIR Patients compare: level and weight of each field, score, and a sentence for a clerk';

CREATE FUNCTION ehr_internal.explain_match(a jsonb, b jsonb) RETURNS jsonb
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	x bytea := ehr_internal.patient_features(a);
	y bytea := ehr_internal.patient_features(b);
	m record;
BEGIN
	SELECT q.model, q.rows::float8 AS rows INTO m FROM ehr_store.match_model q;
	RETURN ehr_internal.match_explain(m.model, m.rows, x, ehr_internal.match_counts(x, m.rows), y, ehr_internal.match_counts(y, m.rows));
END
$$;
COMMENT ON FUNCTION ehr_internal.explain_match(jsonb, jsonb) IS 'implementation of ehr.explain_match';

---------------------------------------------------------------------------------------------------
-- Review queue
---------------------------------------------------------------------------------------------------

CREATE FUNCTION ehr.open_reviews(max_rows int DEFAULT 50)
	RETURNS TABLE (review bigint, a ehr.person, b ehr.person, score float8, why jsonb)
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.open_reviews(int) IS 'pairs of persons that a clerk should look at, the likeliest first, with reasons';

CREATE FUNCTION ehr_internal.open_reviews(max_rows int)
	RETURNS TABLE (review bigint, a ehr.person, b ehr.person, score float8, why jsonb)
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM ehr_internal.require_registrar('{facility,department,admin}');
	RETURN QUERY
	SELECT r.review, ehr_internal.person_of_subject(r.a)::ehr.person, ehr_internal.person_of_subject(r.b)::ehr.person, r.score::float8,
		ehr_internal.match_explain(m.model, m.rows, f.features, ehr_internal.match_counts(f.features, m.rows),
			g.features, ehr_internal.match_counts(g.features, m.rows))
	FROM ehr_store.match_review r
		JOIN ehr_store.match_feature f ON f.subject = r.a JOIN ehr_store.match_feature g ON g.subject = r.b
		LEFT JOIN ehr_store.match_model m ON true
	WHERE r.state = 'open' AND ehr_internal.may_register(ARRAY[r.a, r.b]) ORDER BY r.score DESC, r.review LIMIT max_rows;
END
$$;
COMMENT ON FUNCTION ehr_internal.open_reviews(int) IS 'implementation of ehr.open_reviews';

CREATE FUNCTION ehr.decide_match(review bigint, same bool, reason text) RETURNS bigint
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.decide_match(bigint, bool, text) IS 'decides a pair of the review queue; same: merges the persons and returns the merge';

CREATE FUNCTION ehr_internal.decide_match(review bigint, same bool, reason text) RETURNS bigint
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	caller text := ehr_internal.require_registrar('{facility,department,admin}');
	pair record;
BEGIN
	PERFORM ehr_internal.require_own_patients(ARRAY[r.a, r.b]) FROM ehr_store.match_review r WHERE r.review = decide_match.review;
	UPDATE ehr_store.match_review r SET state = CASE WHEN same THEN 'same' ELSE 'different' END, decided = now(),
		decided_by = caller, reason = decide_match.reason
	WHERE r.review = decide_match.review RETURNING r.a, r.b INTO pair;
	IF NOT FOUND THEN
		RAISE no_data_found USING MESSAGE = 'there is no such review';
	END IF;
	RETURN CASE WHEN same THEN ehr_internal.redirect_person(ehr_internal.person_beside(pair.a), ehr_internal.person_beside(pair.b), reason, caller) END;
END
$$;
COMMENT ON FUNCTION ehr_internal.decide_match(bigint, bool, text) IS 'implementation of ehr.decide_match';

REVOKE EXECUTE ON FUNCTION ehr.match(jsonb, int, float8), ehr.explain_match(jsonb, jsonb), ehr.decide_match(bigint, bool, text), ehr.open_reviews(int) FROM PUBLIC;
