---------------------------------------------------------------------------------------------------
-- Family and age: who may read and decide for somebody else, by age, until when (doc/consent.md, "Family and age")
---------------------------------------------------------------------------------------------------

-- The day on which somebody reaches an age; who was born on 29 February does on 1 March.
CREATE FUNCTION ehr_internal.birthday(born date, years int) RETURNS date
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	RETURN CASE WHEN extract(month FROM born) = 2 AND extract(day FROM born) = 29
		THEN (born - 1 + make_interval(years => years))::date + 1 ELSE (born + make_interval(years => years))::date END;
COMMENT ON FUNCTION ehr_internal.birthday(date, int) IS 'the day on which who was born on a day reaches an age in years';

-- What is known of a patient that rules of access ask for. Several records of a person may differ: then the stricter holds.
CREATE FUNCTION ehr_internal.patient_written(resource_key bigint, doc jsonb, removed bool) RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	birth text := doc ->> 'birthDate';
	first date := ehr_internal.first_day(birth);
	last date := CASE length(birth) WHEN 4 THEN first + interval '1 year - 1 day' WHEN 7 THEN first + interval '1 month - 1 day' ELSE first END;
	gone bool := coalesce(doc -> 'deceasedBoolean' = 'true' OR doc ? 'deceasedDateTime', false);
	lives record;
	whose bigint := (SELECT l.person FROM ehr_store.person_link l WHERE l.subject = resource_key);
BEGIN
	IF removed THEN
		DELETE FROM ehr_store.patient_fact f WHERE f.subject = resource_key;
		PERFORM ehr_internal.consent_concerns(whose, NULL), ehr_internal.compile_family(whose);
		RETURN;
	END IF;
	SELECT u.unit, u.unit_from INTO lives FROM ehr_internal.commune_of(doc) AS u;
	INSERT INTO ehr_store.patient_fact AS f (subject, born_first, born_last, dead, unit, unit_from)
	VALUES (resource_key, first, last, gone, lives.unit, lives.unit_from)
	ON CONFLICT (subject) DO UPDATE
	SET born_first = excluded.born_first, born_last = excluded.born_last, dead = excluded.dead, unit = excluded.unit, unit_from = excluded.unit_from
	WHERE (f.born_first, f.born_last, f.dead, f.unit, f.unit_from)
		IS DISTINCT FROM (excluded.born_first, excluded.born_last, excluded.dead, excluded.unit, excluded.unit_from);
	IF FOUND THEN
		PERFORM ehr_internal.consent_concerns(whose, NULL), ehr_internal.compile_family(whose),
			ehr_internal.consent_concerns(whose, 'unit:' || u.code)
		FROM (SELECT ehr_internal.unit_then(lives.unit, lives.unit_from, ehr_internal.today()) AS code) AS u;
	END IF;
END
$$;
COMMENT ON FUNCTION ehr_internal.patient_written(bigint, jsonb, bool) IS 'notes birth date, death and commune of a Patient that was just written';

-- Which unit a commune's code of an address means, only where there is no doubt: the address says of what time it is, or the code
-- means the same unit of today in every list.
CREATE FUNCTION ehr_internal.commune_meant(code text, told date, OUT unit text, OUT unit_from date)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	SELECT u.code, u.valid_from INTO unit, unit_from
	FROM ehr_store.unit u
	WHERE u.code = commune_meant.code AND u.level = 'commune'
		AND (CASE WHEN told IS NOT NULL THEN told >= u.valid_from AND told < u.valid_to
			ELSE (SELECT count(DISTINCT coalesce(ehr_internal.unit_then(o.code, o.valid_from, ehr_internal.today()), '?')) = 1
				FROM ehr_store.unit o WHERE o.code = commune_meant.code) END)
	ORDER BY u.valid_from DESC LIMIT 1;
END
$$;
COMMENT ON FUNCTION ehr_internal.commune_meant(text, date) IS 'the unit that a commune''s code of a day, or of an unknown one, means beyond doubt; null otherwise';

-- What an address says: the first code that is a commune of any list, and of what time it is.
CREATE FUNCTION ehr_internal.commune_named(doc jsonb, OUT code text, OUT told date)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT doc ? 'address' THEN RETURN; END IF;
	SELECT c.code #>> '{}' INTO code
	FROM ehr_internal.unit_path p, jsonb_path_query(doc, p.path) WITH ORDINALITY AS c (code, n)
	-- a sub-query, not EXISTS, which would be planned as a join that reads all units
	WHERE p.finds = 'commune' AND (SELECT true FROM ehr_store.unit u WHERE u.code = c.code #>> '{}' AND u.level = 'commune' LIMIT 1)
	ORDER BY p.ordinal, c.n LIMIT 1;
	told := ehr_internal.first_day(doc #>> '{address,0,period,start}');
	IF told IS NULL AND doc @? 'lax $.address[*].district' THEN
		told := (SELECT max(u.valid_to) - 1 FROM ehr_store.unit u WHERE u.level = 'district' AND u.valid_to < 'infinity');
	END IF;
END
$$;
COMMENT ON FUNCTION ehr_internal.commune_named(jsonb) IS 'the commune''s code of a Patient''s address, and a day on which the address held';

CREATE FUNCTION ehr_internal.commune_of(doc jsonb, OUT unit text, OUT unit_from date)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	SELECT m.unit, m.unit_from INTO unit, unit_from
	FROM ehr_internal.commune_named(doc) AS n, ehr_internal.commune_meant(n.code, n.told) AS m;
END
$$;
COMMENT ON FUNCTION ehr_internal.commune_of(jsonb) IS 'commune of a Patient, when it is beyond doubt; null otherwise';

-- patient_written for many new Patients at once, of whom nobody has a right yet: each place is looked up once.
CREATE FUNCTION ehr_internal.note_patients(keys bigint[]) RETURNS bigint
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	n bigint;
BEGIN
	WITH said AS MATERIALIZED (
		SELECT r.key, r.doc::jsonb ->> 'birthDate' AS birth, ehr_internal.first_day(r.doc::jsonb ->> 'birthDate') AS first,
			coalesce(r.doc::jsonb -> 'deceasedBoolean' = 'true' OR r.doc::jsonb ? 'deceasedDateTime', false) AS dead, c.code, c.told
		FROM ehr_store.resource r CROSS JOIN LATERAL ehr_internal.commune_named(r.doc::jsonb) AS c
		WHERE r.key = ANY (keys) AND r.type = ehr_internal.type_number('Patient') AND NOT r.deleted
	), place AS MATERIALIZED (
		SELECT d.code, d.told, m.unit, m.unit_from FROM (SELECT DISTINCT s.code, s.told FROM said s) AS d
		CROSS JOIN LATERAL ehr_internal.commune_meant(d.code, d.told) AS m
	)
	INSERT INTO ehr_store.patient_fact (subject, born_first, born_last, dead, unit, unit_from)
	SELECT s.key, s.first, CASE length(s.birth) WHEN 4 THEN s.first + interval '1 year - 1 day' WHEN 7 THEN s.first + interval '1 month - 1 day' ELSE s.first END,
		s.dead, p.unit, p.unit_from
	FROM said s JOIN place p ON p.code IS NOT DISTINCT FROM s.code AND p.told IS NOT DISTINCT FROM s.told
	ON CONFLICT (subject) DO NOTHING;
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN n;
END
$$;
COMMENT ON FUNCTION ehr_internal.note_patients(bigint[]) IS 'notes birth date, death and commune of Patients that were just written in bulk';

-- Earliest and latest day on which a person may have been born, by all records; dead when one says so.
CREATE FUNCTION ehr_internal.person_age(person bigint, OUT born_first date, OUT born_last date, OUT dead bool)
	LANGUAGE plpgsql STABLE STRICT PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	SELECT min(f.born_first), max(f.born_last), coalesce(bool_or(f.dead), false) INTO born_first, born_last, dead
	FROM ehr_store.person_link l JOIN ehr_store.patient_fact f ON f.subject = l.subject
	WHERE l.person = ANY (ehr_internal.person_cluster(ARRAY[person_age.person]));
END
$$;
COMMENT ON FUNCTION ehr_internal.person_age(bigint) IS 'what all records of a person say about birth and death';

CREATE FUNCTION ehr_internal.may_be_below(subjects bigint[], years int) RETURNS bool
	LANGUAGE plpgsql STABLE STRICT PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN EXISTS (
		SELECT FROM unnest(subjects) AS s LEFT JOIN ehr_store.patient_fact f ON f.subject = s
		WHERE coalesce(ehr_internal.midnight(ehr_internal.birthday(f.born_last, years)) > clock_timestamp(), true));
END
$$;
COMMENT ON FUNCTION ehr_internal.may_be_below(bigint[], int) IS 'is one of the patients below an age, or of unknown age?';

-- When an age rule surely holds for a person: from the latest to the earliest birthday that there may be. Empty when it never surely does.
CREATE FUNCTION ehr_internal.age_window(born_first date, born_last date, from_age int, to_age int) RETURNS tstzrange
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	RETURN CASE
		WHEN (from_age > 0 AND born_last IS NULL) OR (to_age IS NOT NULL AND born_first IS NULL) THEN 'empty'::tstzrange
		WHEN from_age > 0 AND to_age IS NOT NULL AND ehr_internal.birthday(born_last, from_age) >= ehr_internal.birthday(born_first, to_age) THEN 'empty'::tstzrange
		ELSE tstzrange(CASE WHEN from_age > 0 THEN ehr_internal.midnight(ehr_internal.birthday(born_last, from_age)) END,
			ehr_internal.midnight(ehr_internal.birthday(born_first, to_age))) END;
COMMENT ON FUNCTION ehr_internal.age_window(date, date, int, int) IS 'the time in which a person is surely of an age from from_age up to, not including, to_age';

-- May somebody decide for a person, now: alone, together (with the child, or the child with the representative), or not (null)?
-- Who has no birth date in any record decides for himself like an adult: the token's issuer knows him.
CREATE FUNCTION ehr_internal.decides(sub text, whose bigint) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	me bigint := ehr_internal.own_person('citizen', sub);
	a record;
	judged text;
BEGIN
	IF me IS NULL OR whose IS NULL THEN RETURN NULL; END IF;
	SELECT * INTO a FROM ehr_internal.person_age(whose);
	IF me = ehr_internal.person_root(whose) THEN
		IF a.born_first IS NULL THEN RETURN 'alone'; END IF;
		SELECT r.decides INTO judged FROM ehr_store.age_rule r
		WHERE r.relation = 'self' AND r.valid @> clock_timestamp()
			AND ehr_internal.age_window(a.born_first, a.born_last, r.from_age, r.to_age) @> clock_timestamp();
		-- near a birthday that is not known to the day
		RETURN CASE WHEN NOT FOUND THEN 'together' ELSE nullif(judged, 'no') END;
	END IF;
	IF a.dead THEN RETURN NULL; END IF;
	RETURN (SELECT min(r.decides)		-- alone before together
		FROM ehr_store.representation e JOIN ehr_store.age_rule r ON r.relation = e.relation
		WHERE e.person = ANY (ehr_internal.person_cluster(ARRAY[whose])) AND e.by_person = ANY (ehr_internal.person_cluster(ARRAY[me]))
			AND e.valid @> clock_timestamp() AND r.valid @> clock_timestamp() AND r.decides <> 'no'
			AND ehr_internal.age_window(a.born_first, a.born_last, r.from_age, r.to_age) @> clock_timestamp());
END
$$;
COMMENT ON FUNCTION ehr_internal.decides(text, bigint) IS 'alone, together or null: may a citizen decide for a person now?';

CREATE FUNCTION ehr_internal.decides_alone(sub text, whose bigint) RETURNS bool
	LANGUAGE sql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$ SELECT coalesce(ehr_internal.decides($1, $2) = 'alone', false) $$;
COMMENT ON FUNCTION ehr_internal.decides_alone(text, bigint) IS 'may a citizen decide alone for a person now?';

-- Rows of compiled_right of everybody who acts for a person: periods of representation cut with those of the age rules.
CREATE FUNCTION ehr_internal.compile_family(of_person bigint) RETURNS void
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	cluster bigint[] := ehr_internal.person_cluster(ARRAY[of_person]);
BEGIN
	DELETE FROM ehr_store.compiled_right c USING ehr_store.representation e WHERE e.person = ANY (cluster) AND c.consent = e.representation;
	INSERT INTO ehr_store.compiled_right (consent, line, relation, grantee, person, deny, types, labels, facilities, documents, valid, basis)
	SELECT e.representation, row_number() OVER (PARTITION BY e.representation ORDER BY r.from_age), CASE e.relation WHEN 'delegate' THEN 'delegation' ELSE 'family' END,
		'person:' || p.id, e.person, false, e.types, e.labels & r.labels, e.facilities, e.documents,
		e.valid * r.valid * ehr_internal.age_window(a.born_first, a.born_last, r.from_age, r.to_age), coalesce(e.basis, r.basis)
	FROM ehr_store.representation e
	JOIN ehr_store.person p ON p.key = e.by_person
	CROSS JOIN LATERAL ehr_internal.person_age(e.person) AS a
	JOIN ehr_store.age_rule r ON r.relation = e.relation AND r.reads AND (r.after_death OR NOT a.dead)
	WHERE e.person = ANY (cluster)
		AND NOT isempty(e.valid * r.valid * ehr_internal.age_window(a.born_first, a.born_last, r.from_age, r.to_age));
END
$$;
COMMENT ON FUNCTION ehr_internal.compile_family(bigint) IS 'makes the compiled rights of those who act for a person anew: after a change of birth date, death, representation or age rules';

CREATE FUNCTION ehr_internal.add_representation(person uuid, by_person uuid, relation text, scope text, basis text, until timestamptz, evidence jsonb, recorded_by text)
	RETURNS uuid
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	whose bigint := (SELECT p.key FROM ehr_store.person p WHERE p.id::uuid = add_representation.person);
	who bigint := (SELECT p.key FROM ehr_store.person p WHERE p.id::uuid = add_representation.by_person);
	compiled record;
	new_id uuid;
BEGIN
	IF whose IS NULL OR who IS NULL OR ehr_internal.person_root(whose) = ehr_internal.person_root(who) THEN
		RAISE invalid_parameter_value USING MESSAGE = 'a representation needs two known persons';
	END IF;
	IF until <= clock_timestamp() THEN
		RAISE invalid_parameter_value USING MESSAGE = 'a representation cannot end in the past';
	END IF;
	SELECT * INTO compiled FROM ehr_internal.parse_scope(scope);
	INSERT INTO ehr_store.representation AS r (person, by_person, relation, scope, types, labels, facilities, documents, valid, basis, evidence, recorded_by)
	VALUES (whose, who, relation, scope, compiled.types, compiled.labels, compiled.facilities, compiled.documents,
		tstzrange(clock_timestamp(), until), basis, evidence, recorded_by)
	RETURNING r.representation INTO new_id;
	PERFORM ehr_internal.compile_family(whose);
	PERFORM ehr_internal.audit_note('represent', 'representation ' || new_id, ARRAY(SELECT ehr_internal.subjects_of_person(ehr_internal.person_root(whose))));
	RETURN new_id;
END
$$;
COMMENT ON FUNCTION ehr_internal.add_representation(uuid, uuid, text, text, text, timestamptz, jsonb, text) IS 'writes a representation and what follows from it';

CREATE FUNCTION ehr.delegate(person uuid, to_person uuid, scope text DEFAULT 'all', until timestamptz DEFAULT NULL, evidence jsonb DEFAULT NULL) RETURNS uuid
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.delegate(uuid, uuid, text, timestamptz, jsonb) IS 'an adult citizen lets another citizen read the own record, or a part of it, with the own login; without until for a year';

CREATE FUNCTION ehr_internal.delegate(person uuid, to_person uuid, scope text, until timestamptz, evidence jsonb) RETURNS uuid
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	principal jsonb := ehr_internal.require_session(ARRAY['citizen']);
	me bigint := ehr_internal.own_person('citizen', principal ->> 'sub');
BEGIN
	-- nobody hands on what was entrusted to him: only for oneself, and only who decides alone
	IF me IS DISTINCT FROM ehr_internal.person_root((SELECT p.key FROM ehr_store.person p WHERE p.id::uuid = delegate.person))
		OR NOT ehr_internal.decides_alone(principal ->> 'sub', me) THEN
		RAISE insufficient_privilege USING MESSAGE = 'only the citizen delegates, for himself and of full age';
	END IF;
	RETURN ehr_internal.add_representation(person, to_person, 'delegate', scope, NULL, coalesce(until, clock_timestamp() + interval '1 year'),
		coalesce(evidence, jsonb_build_object('session', principal ->> 'sid')), 'citizen:' || (principal ->> 'sub'));
END
$$;
COMMENT ON FUNCTION ehr_internal.delegate(uuid, uuid, text, timestamptz, jsonb) IS 'implementation of ehr.delegate';

CREATE FUNCTION ehr.add_representative(person uuid, to_person uuid, relation text, basis text, until timestamptz DEFAULT NULL, evidence jsonb DEFAULT NULL) RETURNS uuid
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.add_representative(uuid, uuid, text, text, timestamptz, jsonb) IS 'administrators: records a parent, guardian or legal representative with basis and evidence; what they may follows from the age rules';

CREATE FUNCTION ehr_internal.add_representative(person uuid, to_person uuid, relation text, basis text, until timestamptz, evidence jsonb) RETURNS uuid
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	principal jsonb := ehr_internal.require_session(ARRAY['admin']);
BEGIN
	IF relation IS NULL OR relation NOT IN ('parent', 'guardian', 'representative') THEN
		RAISE invalid_parameter_value USING MESSAGE = 'a representative is a parent, guardian or representative';
	END IF;
	IF coalesce(btrim(basis), '') = '' OR evidence IS NULL OR evidence IN ('{}', 'null') THEN
		RAISE insufficient_privilege USING MESSAGE = 'a representation needs its basis and evidence',
			HINT = 'Name the birth certificate, decision or court order, and pass its hash as evidence.';
	END IF;
	RETURN ehr_internal.add_representation(person, to_person, relation, 'all; label:*', basis, until, evidence, 'admin:' || (principal ->> 'sub'));
END
$$;
COMMENT ON FUNCTION ehr_internal.add_representative(uuid, uuid, text, text, timestamptz, jsonb) IS 'implementation of ehr.add_representative';

CREATE FUNCTION ehr.end_representation(representation uuid) RETURNS bool
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.end_representation(uuid) IS 'ends a representation or delegation at once: by the citizen who gave it, by who has it, or by an administrator; false when there is none';

CREATE FUNCTION ehr_internal.end_representation(representation uuid) RETURNS bool
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	principal jsonb := ehr_internal.require_session(ARRAY['citizen', 'admin']);
	me bigint := ehr_internal.own_person(principal ->> 'kind', principal ->> 'sub');
	whose bigint;
BEGIN
	UPDATE ehr_store.representation e SET valid = tstzrange(lower(e.valid), clock_timestamp()), ended_by = (principal ->> 'kind') || ':' || (principal ->> 'sub')
	WHERE e.representation = end_representation.representation AND coalesce(upper(e.valid) > clock_timestamp(), true)
		AND (principal ->> 'kind' = 'admin' OR ehr_internal.person_root(e.by_person) = me
			OR (e.relation = 'delegate' AND ehr_internal.person_root(e.person) = me))
	RETURNING e.person INTO whose;
	IF NOT FOUND THEN RETURN false; END IF;
	PERFORM ehr_internal.compile_family(whose);
	PERFORM ehr_internal.audit_note('represent', 'end of representation ' || representation,
		ARRAY(SELECT ehr_internal.subjects_of_person(ehr_internal.person_root(whose))));
	RETURN true;
END
$$;
COMMENT ON FUNCTION ehr_internal.end_representation(uuid) IS 'implementation of ehr.end_representation';

CREATE FUNCTION ehr.representatives(person uuid)
	RETURNS TABLE (representation uuid, representative uuid, relation text, scope text, since timestamptz, until timestamptz, basis text)
	LANGUAGE c STABLE STRICT PARALLEL UNSAFE ROWS 5
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.representatives(uuid) IS 'who acts or acted for a citizen, the newest first; for that citizen, who decides for him, and administrators';

CREATE FUNCTION ehr_internal.representatives(person uuid)
	RETURNS TABLE (representation uuid, representative uuid, relation text, scope text, since timestamptz, until timestamptz, basis text)
	LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	whose bigint := ehr_internal.consenting_person(person, '{"list": true}');
BEGIN
	RETURN QUERY
	SELECT e.representation, p.id::uuid, e.relation, e.scope, lower(e.valid), upper(e.valid), e.basis
	FROM ehr_store.representation e JOIN ehr_store.person p ON p.key = e.by_person
	WHERE e.person = ANY (ehr_internal.person_cluster(ARRAY[whose]))
	ORDER BY lower(e.valid) DESC, e.representation;
END
$$;
COMMENT ON FUNCTION ehr_internal.representatives(uuid) IS 'implementation of ehr.representatives';

-- The other one agrees to what a child or its representative has decided.
CREATE FUNCTION ehr.confirm_consent(consent uuid) RETURNS bool
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.confirm_consent(uuid) IS 'agrees to a grant that takes two (child and representative), or to a Consent resource that somebody else wrote; false when there is nothing to agree to';

CREATE FUNCTION ehr_internal.confirm_consent(consent uuid) RETURNS bool
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	principal jsonb := ehr_internal.require_session(ARRAY['citizen']);
	me bigint := ehr_internal.own_person('citizen', principal ->> 'sub');
	c record;
BEGIN
	SELECT g.*, ehr_internal.person_root(g.person) AS root INTO c FROM ehr_store.consent g
	WHERE g.id = confirm_consent.consent AND g.status = 'pending' FOR UPDATE;
	IF FOUND THEN
		-- not the one who gave it: of child and representative, the other
		IF ehr_internal.decides(principal ->> 'sub', c.root) IS NULL
			OR (me = c.root) = (ehr_internal.own_person('citizen', substr(c.given_by, 9)) = c.root) THEN
			RETURN false;
		END IF;
		UPDATE ehr_store.consent g SET status = 'active', confirmed_by = 'citizen:' || (principal ->> 'sub') WHERE g.id = c.id;
		PERFORM ehr_internal.audit_note('grant', 'consent ' || consent, ARRAY(SELECT ehr_internal.subjects_of_person(c.root)));
		RETURN true;
	END IF;
	SELECT d.key, l.person, ehr_internal.person_root(l.person) AS root, ehr_internal.person_root(s.key) AS signer,
		ehr_internal.decides(principal ->> 'sub', ehr_internal.person_root(l.person)) AS judged,
		ehr_internal.decides(s.id::text, ehr_internal.person_root(l.person)) IS NOT NULL AS still INTO c
	FROM ehr_store.consent_document d JOIN ehr_store.person_link l ON l.subject = d.subject LEFT JOIN ehr_store.person s ON s.key = d.signed_by
	WHERE d.consent = confirm_consent.consent AND (d.trusted AND d.given_for = l.person) IS NOT TRUE FOR UPDATE OF d;
	IF NOT FOUND OR c.judged IS NULL THEN RETURN false; END IF;
	IF c.judged = 'alone' OR (c.still AND (me = c.root) <> (c.signer = c.root)) THEN
		UPDATE ehr_store.consent_document d SET trusted = true, given = clock_timestamp(), given_for = c.person WHERE d.key = c.key;
		PERFORM ehr_internal.compile_consent(c.key);
	ELSIF c.still THEN
		RETURN false;		-- he, or another one of his side, has agreed already
	ELSE
		UPDATE ehr_store.consent_document d SET signed_by = me WHERE d.key = c.key;
	END IF;
	PERFORM ehr_internal.audit_note('grant', 'consent ' || consent, ARRAY(SELECT ehr_internal.subjects_of_person(c.root)));
	RETURN true;
END
$$;
COMMENT ON FUNCTION ehr_internal.confirm_consent(uuid) IS 'implementation of ehr.confirm_consent';

CREATE FUNCTION ehr_internal.age_rules_changed() RETURNS trigger
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM ehr_internal.compile_family(e.person) FROM (SELECT DISTINCT e.person FROM ehr_store.representation e) AS e;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION ehr_internal.age_rules_changed() IS 'trigger on ehr_store.age_rule: what everybody who acts for somebody may, by the new rules';

CREATE FUNCTION ehr_internal.create_consent_family() RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE TABLE IF NOT EXISTS ehr_store.patient_fact (
		subject bigint PRIMARY KEY,
		born_first date,
		born_last date,
		dead bool NOT NULL,
		unit text,
		unit_from date
	);
	COMMENT ON TABLE ehr_store.patient_fact IS 'what rules of access ask about a source patient: days on which he may have been born, death, commune';
	COMMENT ON COLUMN ehr_store.patient_fact.unit IS 'with unit_from a row of ehr_store.unit, only where it is beyond doubt';
	CREATE INDEX IF NOT EXISTS patient_fact_unit ON ehr_store.patient_fact (unit, unit_from) WHERE unit IS NOT NULL;

	CREATE TABLE IF NOT EXISTS ehr_store.age_rule (
		relation text NOT NULL CHECK (relation IN ('self', 'parent', 'guardian', 'representative', 'delegate')),
		from_age int NOT NULL CHECK (from_age >= 0),
		to_age int CHECK (to_age > from_age),
		reads bool NOT NULL,
		labels int NOT NULL DEFAULT -1,
		decides text NOT NULL CHECK (decides IN ('alone', 'together', 'no')),
		after_death bool NOT NULL DEFAULT false,
		basis text NOT NULL,
		verified bool NOT NULL,
		valid tstzrange NOT NULL DEFAULT '[2000-01-01 00:00+07,)',
		PRIMARY KEY (relation, from_age, valid)
	);
	COMMENT ON TABLE ehr_store.age_rule IS 'what somebody may for a person of an age, and by which law; ages are reached at midnight in Asia/Ho_Chi_Minh';
	COMMENT ON COLUMN ehr_store.age_rule.labels IS 'sensitivity labels that may be read';
	COMMENT ON COLUMN ehr_store.age_rule.decides IS 'about consents: alone, together with the child (of self: with the representative), or not';
	INSERT INTO ehr_store.age_rule (relation, from_age, to_age, reads, labels, decides, basis, verified)
	SELECT * FROM (VALUES
		('self', 0, 7, true, -1, 'no', 'Law 91/2025: below 7 the representative', false),
		('self', 7, 18, true, -1, 'together', 'Law 91/2025: from 7 on child and representative', false),
		('self', 18, NULL, true, -1, 'alone', 'Civil Code 2015 Art. 20', false),
		('parent', 0, 7, true, -1, 'alone', 'Civil Code 2015 Art. 136; Law 91/2025', false),
		('parent', 7, 18, true, ~((1 << 2) | (1 << 6)), 'together', 'Law 91/2025; sensitive data of older children closed: no source', false),
		('guardian', 0, 7, true, -1, 'alone', 'Civil Code 2015 Art. 47, 136; Law 91/2025', false),
		('guardian', 7, 18, true, ~((1 << 2) | (1 << 6)), 'together', 'Law 91/2025; sensitive data of older children closed: no source', false),
		('representative', 0, NULL, true, -1, 'alone', 'Civil Code 2015 Art. 136; Law on Medical Examination and Treatment Art. 8', false),
		('delegate', 18, NULL, true, -1, 'no', 'Civil Code 2015 Art. 138', false)) AS v (relation, from_age, to_age, reads, labels, decides, basis, verified)
	WHERE NOT EXISTS (SELECT FROM ehr_store.age_rule r WHERE r.relation = v.relation);

	CREATE TABLE IF NOT EXISTS ehr_store.representation (
		representation uuid PRIMARY KEY DEFAULT gen_random_uuid(),
		person bigint NOT NULL,
		by_person bigint NOT NULL,
		relation text NOT NULL CHECK (relation IN ('parent', 'guardian', 'representative', 'delegate')),
		scope text NOT NULL,
		types int2[],
		labels int NOT NULL,
		facilities text[],
		documents bigint[],
		valid tstzrange NOT NULL,
		basis text,
		evidence jsonb NOT NULL,
		recorded_by text NOT NULL,
		ended_by text,
		CHECK (person <> by_person)
	);
	COMMENT ON TABLE ehr_store.representation IS 'who acts for whom: parents, guardians, representatives, delegates, with scope and period';
	CREATE INDEX IF NOT EXISTS representation_person ON ehr_store.representation (person);
	CREATE INDEX IF NOT EXISTS representation_by ON ehr_store.representation (by_person);

	IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'ehr_store.age_rule'::regclass AND tgname = 'age_rules_changed') THEN
		CREATE TRIGGER age_rules_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON ehr_store.age_rule
			FOR EACH STATEMENT EXECUTE FUNCTION ehr_internal.age_rules_changed();
	END IF;

	-- Patients that were stored before there was this table
	IF NOT EXISTS (SELECT FROM ehr_store.patient_fact) THEN
		PERFORM ehr_internal.note_patients(ARRAY(SELECT r.key FROM ehr_store.resource r WHERE r.type = ehr_internal.type_number('Patient')));
	END IF;

	INSERT INTO ehr_store.access_rule (kind, relation, operation, basis, verified)
	SELECT 'citizen', v.relation, 'read', v.basis, false
	FROM (VALUES ('family', 'ehr_store.age_rule'), ('delegation', 'Civil Code 2015 Art. 138')) AS v (relation, basis)
	ON CONFLICT DO NOTHING;
	INSERT INTO ehr_store.access_rule (kind, relation, operation, types, basis, verified)
	VALUES ('citizen', 'family', 'write', ARRAY[ehr_internal.type_number('Consent')], 'ehr_store.age_rule', false)
	ON CONFLICT DO NOTHING;

	GRANT EXECUTE ON FUNCTION ehr.delegate(uuid, uuid, text, timestamptz, jsonb), ehr.end_representation(uuid), ehr.representatives(uuid),
		ehr.confirm_consent(uuid) TO ehr_app, ehr_query;
	GRANT EXECUTE ON FUNCTION ehr.add_representative(uuid, uuid, text, text, timestamptz, jsonb), ehr.end_representation(uuid), ehr.representatives(uuid) TO ehr_admin;
END
$$;
COMMENT ON FUNCTION ehr_internal.create_consent_family() IS 'tables and rules of family and age';

REVOKE EXECUTE ON FUNCTION ehr.delegate(uuid, uuid, text, timestamptz, jsonb), ehr.add_representative(uuid, uuid, text, text, timestamptz, jsonb),
	ehr.end_representation(uuid), ehr.representatives(uuid), ehr.confirm_consent(uuid) FROM PUBLIC;
