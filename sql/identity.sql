---------------------------------------------------------------------------------------------------
-- identity: which person is a source patient? (doc/identity.md)
---------------------------------------------------------------------------------------------------

CREATE DOMAIN ehr.person AS uuid;
COMMENT ON DOMAIN ehr.person IS 'a person: random, stable for life, never derived from a number; after a merge every old one still resolves';

-- Which identifier and code systems carry what matching looks at. Data: a DBA adds rows of his own.
CREATE TABLE ehr_internal.match_system (
	system text PRIMARY KEY,
	feature text NOT NULL CHECK (feature IN ('citizen', 'old', 'other', 'insurance', 'ward', 'district')),
	shipped bool NOT NULL DEFAULT false,
	official bool NOT NULL DEFAULT false
);
COMMENT ON TABLE ehr_internal.match_system IS 'systems of identifiers and administrative codes that matching reads from a Patient, and as what; official: under which the citizen database''s own numbers are written';
SELECT pg_catalog.pg_extension_config_dump('ehr_internal.match_system', 'WHERE NOT shipped');

INSERT INTO ehr_internal.match_system VALUES
	('https://moh.gov.vn/cccd', 'citizen', true),
	('http://fhir.vn/sid/cccd', 'citizen', true),
	('http://moh.gov.vn/fhir/core/sid/citizen_id', 'citizen', true),
	('urn:ehr:vn:cmnd', 'old', true),
	('http://moh.gov.vn/fhir/core/sid/passport_number', 'other', true),
	('urn:ehr:vn:identity-document', 'other', true),
	('urn:ehr:vn:bhyt-card', 'insurance', true),
	('urn:ehr:vn:bhxh-number', 'insurance', true),
	('urn:ehr:vn:ward', 'ward', true),
	('urn:ehr:vn:district', 'district', true);
UPDATE ehr_internal.match_system SET official = true WHERE system IN ('https://moh.gov.vn/cccd', 'urn:ehr:vn:cmnd');

---------------------------------------------------------------------------------------------------
-- Tables
---------------------------------------------------------------------------------------------------

CREATE FUNCTION ehr_internal.create_identity() RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE TABLE IF NOT EXISTS ehr_store.person (
		key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		id uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE,
		merged_into bigint REFERENCES ehr_store.person CHECK (merged_into < key),	-- so that no ring can be
		founder bigint,
		created timestamptz NOT NULL DEFAULT now()
	);
	CREATE INDEX IF NOT EXISTS person_merged ON ehr_store.person (merged_into) WHERE merged_into IS NOT NULL;
	COMMENT ON TABLE ehr_store.person IS 'persons; one that was merged points to the one it is';
	COMMENT ON COLUMN ehr_store.person.founder IS 'the source patient for whom the person was made';

	CREATE TABLE IF NOT EXISTS ehr_store.person_link (
		subject bigint PRIMARY KEY,
		person bigint NOT NULL,
		method text NOT NULL,
		score real,
		at timestamptz NOT NULL DEFAULT now()
	);
	CREATE INDEX IF NOT EXISTS person_link_person ON ehr_store.person_link (person);
	-- no foreign key: it costs more than all else of linking millions
	COMMENT ON TABLE ehr_store.person_link IS 'the person that a source patient is';
	COMMENT ON COLUMN ehr_store.person_link.method IS 'new: nobody like it was known; match: scored; bulk: scored in bulk; manual: somebody said so';
	COMMENT ON COLUMN ehr_store.person_link.score IS 'log2 of the odds of the best pair that the link rests on';

	CREATE TABLE IF NOT EXISTS ehr_store.person_identifier (
		system text NOT NULL,
		value text NOT NULL,
		subject bigint NOT NULL,
		valid_from date,
		valid_to date,
		source text,
		own bool NOT NULL DEFAULT true,
		disowned text,
		PRIMARY KEY (system, value, subject)
	);
	CREATE INDEX IF NOT EXISTS person_identifier_subject ON ehr_store.person_identifier (subject);
	COMMENT ON TABLE ehr_store.person_identifier IS 'identifiers that source patients came with, past ones too';
	COMMENT ON COLUMN ehr_store.person_identifier.own IS 'false for a citizen number that contradicts birth year or sex: a parent''s on a child';
	COMMENT ON COLUMN ehr_store.person_identifier.disowned IS 'who found that the number is somebody else''s; then it is not the patient''s own, whatever the patient says';

	GRANT EXECUTE ON FUNCTION ehr.person_of(text, text), ehr.person_of(ehr.citizen_id), ehr.person_of(ehr.insurance_no),
		ehr.identifiers(ehr.person) TO ehr_app, ehr_query, ehr_ingest;
	PERFORM ehr_internal.create_identity_match();
END
$$;
COMMENT ON FUNCTION ehr_internal.create_identity() IS 'tables and grants of room identity';

---------------------------------------------------------------------------------------------------
-- Persons and their subjects
---------------------------------------------------------------------------------------------------

-- Whose is a person that was merged: the one it was merged into in the end. A person points to an older one only, so
-- the way up ends.
CREATE FUNCTION ehr_internal.person_root(person bigint) RETURNS bigint
	LANGUAGE plpgsql STABLE STRICT PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	here bigint := person;
	up bigint;
BEGIN
	LOOP
		SELECT p.merged_into INTO up FROM ehr_store.person p WHERE p.key = here;
		IF NOT FOUND THEN RETURN NULL; END IF;
		IF up IS NULL THEN RETURN here; END IF;
		here := up;
	END LOOP;
END
$$;
COMMENT ON FUNCTION ehr_internal.person_root(bigint) IS 'the person that this one is now, after merges';

CREATE FUNCTION ehr_internal.persons_merged_into(person bigint) RETURNS SETOF bigint
	LANGUAGE plpgsql STABLE STRICT PARALLEL RESTRICTED ROWS 3
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	WITH RECURSIVE down (key) AS (
		SELECT persons_merged_into.person
		UNION ALL
		SELECT p.key FROM down JOIN ehr_store.person p ON p.merged_into = down.key)
	SELECT down.key FROM down;
END
$$;
COMMENT ON FUNCTION ehr_internal.persons_merged_into(bigint) IS 'a person and all that were merged into it';

CREATE FUNCTION ehr_internal.subjects_of_person(person bigint) RETURNS SETOF bigint
	LANGUAGE plpgsql STABLE STRICT PARALLEL RESTRICTED ROWS 10
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	WITH RECURSIVE down (key) AS (
		SELECT subjects_of_person.person
		UNION ALL
		SELECT p.key FROM down JOIN ehr_store.person p ON p.merged_into = down.key)
	SELECT l.subject FROM down JOIN ehr_store.person_link l ON l.person = down.key;
END
$$;
COMMENT ON FUNCTION ehr_internal.subjects_of_person(bigint) IS 'source patients of a person and of all that were merged into it';

CREATE FUNCTION ehr_internal.person_key(person uuid) RETURNS bigint
	LANGUAGE plpgsql STABLE STRICT PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (SELECT ehr_internal.person_root(p.key) FROM ehr_store.person p WHERE p.id = person);
END
$$;
COMMENT ON FUNCTION ehr_internal.person_key(uuid) IS 'key of the person that an id stands for after all merges; null for an unknown id';

CREATE FUNCTION ehr_internal.subjects_of_person(person uuid) RETURNS bigint[]
	LANGUAGE plpgsql STABLE STRICT PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (SELECT coalesce(array_agg(s), '{}') FROM ehr_internal.subjects_of_person(ehr_internal.person_key(person)) AS s);
END
$$;
COMMENT ON FUNCTION ehr_internal.subjects_of_person(uuid) IS 'source patients of a person, by its id or that of one merged into it';

CREATE FUNCTION ehr_internal.person_of_subject(subject bigint) RETURNS uuid
	LANGUAGE plpgsql STABLE STRICT PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (SELECT p.id FROM ehr_store.person_link l JOIN ehr_store.person p ON p.key = ehr_internal.person_root(l.person)
		WHERE l.subject = person_of_subject.subject);
END
$$;
COMMENT ON FUNCTION ehr_internal.person_of_subject(bigint) IS 'id of the person that a source patient is';

-- Who may ask which person somebody is: staff under a session, or a login that takes in data. A citizen knows himself.
CREATE FUNCTION ehr_internal.require_registrar(kinds text[] DEFAULT '{clinician,facility,station,department,insurer,admin}') RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	principal jsonb := ehr.session();
	-- the caller's role: here the owner's is current
	caller text := coalesce(nullif(current_setting('role'), 'none'), session_user);
BEGIN
	IF principal ->> 'kind' = ANY (kinds) THEN
		RETURN concat_ws(':', principal ->> 'kind', principal ->> 'org', principal ->> 'sub');
	END IF;
	IF principal IS NULL AND pg_has_role(caller, 'ehr_ingest', 'MEMBER') THEN
		RETURN caller;
	END IF;
	RAISE insufficient_privilege USING MESSAGE = 'not allowed to look up or change persons',
		DETAIL = format('The function is for sessions of kind %s, and for members of ehr_ingest without a session.', array_to_string(kinds, ', ')),
		HINT = 'Call ehr.login(token), or ehr.attach(handle) in this transaction.';
END
$$;
COMMENT ON FUNCTION ehr_internal.require_registrar(text[]) IS 'who calls, or error 42501 when the caller may not ask for persons';

-- Whose a Patient is decides who reads it as the own record: a facility decides that only where it has itself written each of them.
CREATE FUNCTION ehr_internal.may_register(patients bigint[]) RETURNS bool
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	principal jsonb := ehr.session();
BEGIN
	RETURN principal ->> 'kind' IS DISTINCT FROM 'facility'
		OR NOT EXISTS (SELECT FROM unnest(patients) AS s LEFT JOIN ehr_store.resource r ON r.key = s WHERE r.author IS DISTINCT FROM principal ->> 'org');
END
$$;
COMMENT ON FUNCTION ehr_internal.may_register(bigint[]) IS 'may the session say whose these source patients are? a facility of its own ones only';

CREATE FUNCTION ehr_internal.require_own_patients(patients bigint[]) RETURNS void
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT ehr_internal.may_register(patients) THEN
		RAISE insufficient_privilege USING MESSAGE = 'a facility says only whose its own patients are',
			DETAIL = 'Other source patients are concerned, too: the department or an administrator decides.';
	END IF;
END
$$;
COMMENT ON FUNCTION ehr_internal.require_own_patients(bigint[]) IS 'error 42501 for a facility when it has not written each of these Patients';

CREATE FUNCTION ehr.person_of(system text, value text) RETURNS ehr.person
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.person_of(text, text) IS 'the person with an identifier; null when nobody has it, error 21000 when several persons have';

CREATE FUNCTION ehr_internal.person_of(system text, value text) RETURNS ehr.person
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM ehr_internal.require_registrar();
	RETURN ehr_internal.person_with(ARRAY[person_of.system], person_of.value);
END
$$;
COMMENT ON FUNCTION ehr_internal.person_of(text, text) IS 'implementation of ehr.person_of';

CREATE FUNCTION ehr.person_of(citizen ehr.citizen_id) RETURNS ehr.person
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.person_of(ehr.citizen_id) IS 'the person with a citizen number; null when nobody has it, error 21000 when several persons have';

CREATE FUNCTION ehr_internal.person_of(citizen ehr.citizen_id) RETURNS ehr.person
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM ehr_internal.require_registrar();
	RETURN ehr_internal.person_with(ARRAY(SELECT s.system FROM ehr_internal.match_system s WHERE s.feature = 'citizen'), citizen::text);
END
$$;
COMMENT ON FUNCTION ehr_internal.person_of(ehr.citizen_id) IS 'implementation of ehr.person_of';

CREATE FUNCTION ehr.person_of(insurance ehr.insurance_no) RETURNS ehr.person
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.person_of(ehr.insurance_no) IS 'the person with an insurance number, on whatever card; null when nobody has it, error 21000 when several persons have';

-- Cards come and go; the block key of the number behind them finds them all.
CREATE FUNCTION ehr_internal.person_of(insurance ehr.insurance_no) RETURNS ehr.person
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	k bigint[] := ehr_internal.match_keys(ehr_internal.match_row(NULL, NULL, NULL, NULL, insurance::text, NULL, NULL, NULL, NULL));
	roots bigint[];
BEGIN
	PERFORM ehr_internal.require_registrar();
	SELECT array_agg(DISTINCT ehr_internal.person_root(l.person)) INTO roots
	FROM ehr_store.match_feature f JOIN ehr_store.person_link l ON l.subject = f.subject
	WHERE f.k2 = k[2] OR (k[2] IS NULL AND f.k1 = k[1]);
	RETURN ehr_internal.only_person(roots);
END
$$;
COMMENT ON FUNCTION ehr_internal.person_of(ehr.insurance_no) IS 'implementation of ehr.person_of';

CREATE FUNCTION ehr_internal.only_person(roots bigint[]) RETURNS uuid
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF cardinality(roots) > 1 THEN
		RAISE cardinality_violation USING MESSAGE = 'more than one person has this identifier',
			HINT = 'Call ehr.match(patient) to see them with reasons; ehr.merge_persons makes them one.';
	END IF;
	RETURN (SELECT p.id FROM ehr_store.person p WHERE p.key = roots[1]);
END
$$;
COMMENT ON FUNCTION ehr_internal.only_person(bigint[]) IS 'id of the one person in a list, null for an empty one, error 21000 for a longer one';

-- A number that a patient came with but that must be a relative's does not count.
CREATE FUNCTION ehr_internal.person_with(systems text[], value text) RETURNS uuid
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	roots bigint[];
BEGIN
	SELECT array_agg(DISTINCT ehr_internal.person_root(l.person)) INTO roots
	FROM ehr_store.person_identifier i JOIN ehr_store.person_link l ON l.subject = i.subject
	WHERE i.system = ANY (systems) AND i.value = person_with.value AND i.own;
	RETURN ehr_internal.only_person(roots);
END
$$;
COMMENT ON FUNCTION ehr_internal.person_with(text[], text) IS 'the person with an identifier in one of several systems';

CREATE FUNCTION ehr.identifiers(person ehr.person)
	RETURNS TABLE (system text, value text, valid_from date, valid_to date, source text)
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE ROWS 5
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.identifiers(ehr.person) IS 'identifiers of a person with their validity, past ones too; those from sources that the session may read';

CREATE FUNCTION ehr_internal.identifiers(person ehr.person)
	RETURNS TABLE (system text, value text, valid_from date, valid_to date, source text)
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- what one source no longer says may stand in another's record still; but of two citizen numbers the one that somebody
	-- says has ended when the other began has ended
	RETURN QUERY
	WITH known AS (
		SELECT i.system, i.value, min(i.valid_from) AS began, max(i.valid_to) AS ended, bool_or(i.valid_to IS NULL) AS stands, min(i.source) AS source,
			bool_or(m.feature = 'citizen') AS citizen
		FROM ehr_internal.subjects_of_person(ehr_internal.person_key(identifiers.person)) AS s
			JOIN ehr_store.person_identifier i ON i.subject = s
			JOIN ehr_store.resource r ON r.key = s
			LEFT JOIN ehr_internal.match_system m ON m.system = i.system
		WHERE i.own AND ehr.may_read(r.subject, r.type, r.labels, r.author)
		GROUP BY i.system, i.value)
	SELECT k.system, k.value, k.began,
		CASE WHEN k.stands AND NOT (k.citizen AND EXISTS (SELECT FROM known n WHERE n.citizen AND n.value <> k.value AND n.began >= k.ended)) THEN NULL ELSE k.ended END,
		k.source
	FROM known k ORDER BY 1, 2;
END
$$;
COMMENT ON FUNCTION ehr_internal.identifiers(ehr.person) IS 'implementation of ehr.identifiers';

REVOKE EXECUTE ON FUNCTION ehr.person_of(text, text), ehr.person_of(ehr.citizen_id), ehr.person_of(ehr.insurance_no), ehr.identifiers(ehr.person)
	FROM PUBLIC;
