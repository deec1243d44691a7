---------------------------------------------------------------------------------------------------
-- The default table beyond own, authored and consented: jurisdiction, residents, duties, referrals, figures (doc/consent.md)
---------------------------------------------------------------------------------------------------

-- Units that an organisation is in charge of now, as they are called today. A department is known by its province's code itself.
CREATE FUNCTION ehr_internal.units_of(org text) RETURNS text[]
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN ARRAY(
		SELECT DISTINCT ehr_internal.unit_then(o.unit, o.unit_from, ehr_internal.today()) FROM ehr_store.organisation_unit o
		WHERE o.org = units_of.org AND o.valid @> clock_timestamp()
			AND ehr_internal.unit_then(o.unit, o.unit_from, ehr_internal.today()) IS NOT NULL
		UNION
		SELECT u.code FROM ehr_store.unit u
		WHERE u.code = units_of.org AND u.level = 'province' AND u.valid_from <= ehr_internal.today() AND u.valid_to > ehr_internal.today());
END
$$;
COMMENT ON FUNCTION ehr_internal.units_of(text) IS 'administrative units that an organisation is in charge of';

CREATE FUNCTION ehr_internal.units_around(units text[], on_day date DEFAULT ehr_internal.today()) RETURNS text[]
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN ARRAY(
		WITH RECURSIVE up AS (
			SELECT u.code, u.parent FROM ehr_store.unit u WHERE u.code = ANY (units) AND u.valid_from <= on_day AND u.valid_to > on_day
			UNION
			SELECT u.code, u.parent FROM up JOIN ehr_store.unit u ON u.code = up.parent AND u.valid_from <= on_day AND u.valid_to > on_day)
		SELECT up.code FROM up);
END
$$;
COMMENT ON FUNCTION ehr_internal.units_around(text[], date) IS 'units, and those that they lie in, on a day';

-- Every commune, of today's list and of those before, that lies in one of these units today: a merged commune goes to the one into
-- which all or most of it went.
CREATE FUNCTION ehr_internal.communes_within(units text[], on_day date DEFAULT ehr_internal.today())
	RETURNS TABLE (unit text, unit_from date)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED ROWS 20
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	WITH RECURSIVE inside AS (
		SELECT u.code, u.level, u.valid_from FROM ehr_store.unit u WHERE u.code = ANY (units) AND u.valid_from <= on_day AND u.valid_to > on_day
		UNION
		SELECT u.code, u.level, u.valid_from FROM inside JOIN ehr_store.unit u ON u.parent = inside.code AND u.valid_from <= on_day AND u.valid_to > on_day
	), back AS (
		SELECT i.code, i.valid_from FROM inside i WHERE i.level = 'commune'
		UNION
		SELECT u.code, u.valid_from FROM back JOIN ehr_store.unit u ON u.successor = back.code AND u.valid_to = back.valid_from
	)
	SELECT back.code, back.valid_from FROM back;
END
$$;
COMMENT ON FUNCTION ehr_internal.communes_within(text[], date) IS 'communes of all times that lie in units of a day';

-- Rights that follow from where somebody lives: rows as of ehr_internal.compiled_rights().
CREATE FUNCTION ehr_internal.resident_rights(kind text, sub text, org text, purpose_used text, persons bigint[])
	RETURNS TABLE (relation text, person bigint, subject bigint, consent uuid, types int2[], labels int, starts timestamptz, ends timestamptz, basis text)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED ROWS 1000
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_custom_plan		-- one for all residents, one by the index for a few persons
AS $$
BEGIN
	RETURN QUERY
	WITH held AS (
		SELECT 'resident'::text AS relation, md5('resident')::uuid AS consent, ehr_internal.units_of(org) AS units, NULL::int2[] AS types, -1 AS labels,
			tstzrange(NULL, NULL) AS valid, NULL::text AS basis
		UNION ALL
		SELECT 'duty', d.duty, ARRAY[ehr_internal.unit_then(d.unit, d.unit_from, ehr_internal.today())], d.types, d.labels, d.valid, d.basis
		FROM ehr_store.duty d
		WHERE d.practitioner = resident_rights.sub AND d.org = resident_rights.org AND coalesce(upper(d.valid) > clock_timestamp(), true)
	), ruled AS (
		SELECT h.relation, h.consent, h.units, ehr_internal.both(h.types, r.types) AS types, h.labels & r.labels AS labels, h.valid * r.valid AS valid,
			coalesce(h.basis, r.basis) AS basis
		FROM held h JOIN ehr_store.access_rule r ON r.kind = resident_rights.kind AND r.operation = 'read' AND r.relation = h.relation
			AND (r.purposes IS NULL OR purpose_used = ANY (r.purposes))
	-- materialized, or what is the same for all residents is worked out for each
	), place AS MATERIALIZED (
		SELECT u.relation, u.consent, u.types, u.labels, lower(u.valid) AS starts, upper(u.valid) AS ends, u.basis, c.unit AS commune, c.unit_from
		FROM ruled u, ehr_internal.communes_within(u.units) AS c WHERE NOT isempty(u.valid)
	)
	SELECT p.relation, l.person, l.subject, p.consent, p.types, p.labels, p.starts, p.ends, p.basis
	FROM place p
	JOIN ehr_store.patient_fact f ON f.unit = p.commune AND f.unit_from = p.unit_from
	JOIN ehr_store.person_link l ON l.subject = f.subject
	WHERE persons IS NULL OR l.person = ANY (persons);
END
$$;
COMMENT ON FUNCTION ehr_internal.resident_rights(text, text, text, text, bigint[]) IS 'what stations and named duties read of residents of their units';

CREATE FUNCTION ehr.set_organisation_unit(org text, unit text, basis text, until timestamptz DEFAULT NULL) RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.set_organisation_unit(text, text, text, timestamptz) IS 'administrators: puts an organisation in charge of an administrative unit, named by its code of today';

CREATE FUNCTION ehr_internal.set_organisation_unit(org text, unit text, basis text, until timestamptz) RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	from_day date := (SELECT u.valid_from FROM ehr_store.unit u WHERE u.code = set_organisation_unit.unit AND u.valid_from <= ehr_internal.today() AND u.valid_to > ehr_internal.today());
BEGIN
	PERFORM ehr_internal.require_session(ARRAY['admin']);
	IF from_day IS NULL OR coalesce(org, '') = '' OR coalesce(btrim(basis), '') = '' THEN
		RAISE invalid_parameter_value USING MESSAGE = 'jurisdiction needs an organisation, a unit of today and a basis';
	END IF;
	INSERT INTO ehr_store.organisation_unit (org, unit, unit_from, valid, basis) VALUES (org, unit, from_day, tstzrange(clock_timestamp(), until), basis);
	PERFORM ehr_internal.audit_note('rule', 'jurisdiction ' || org || ' ' || unit);
END
$$;
COMMENT ON FUNCTION ehr_internal.set_organisation_unit(text, text, text, timestamptz) IS 'implementation of ehr.set_organisation_unit';

CREATE FUNCTION ehr.end_organisation_unit(org text, unit text) RETURNS bool
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.end_organisation_unit(text, text) IS 'administrators: an organisation is no longer in charge of a unit (code of today), at once; false when it is not';

CREATE FUNCTION ehr_internal.end_organisation_unit(org text, unit text) RETURNS bool
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM ehr_internal.require_session(ARRAY['admin']);
	UPDATE ehr_store.organisation_unit o SET valid = tstzrange(lower(o.valid), clock_timestamp())
	WHERE o.org = end_organisation_unit.org AND coalesce(upper(o.valid) > clock_timestamp(), true)
		AND ehr_internal.unit_then(o.unit, o.unit_from, ehr_internal.today()) = end_organisation_unit.unit;
	IF FOUND THEN PERFORM ehr_internal.audit_note('rule', 'end of jurisdiction ' || org || ' ' || unit); END IF;
	RETURN FOUND;
END
$$;
COMMENT ON FUNCTION ehr_internal.end_organisation_unit(text, text) IS 'implementation of ehr.end_organisation_unit';

CREATE FUNCTION ehr.assign_duty(practitioner text, org text, unit text, scope text, basis text, until timestamptz) RETURNS uuid
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.assign_duty(text, text, text, text, text, timestamptz) IS 'administrators: gives a named official of a department records of a unit''s residents, for a duty with a legal basis and an end';

CREATE FUNCTION ehr_internal.assign_duty(practitioner text, org text, unit text, scope text, basis text, until timestamptz) RETURNS uuid
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	principal jsonb := ehr_internal.require_session(ARRAY['admin']);
	from_day date := (SELECT u.valid_from FROM ehr_store.unit u WHERE u.code = assign_duty.unit AND u.valid_from <= ehr_internal.today() AND u.valid_to > ehr_internal.today());
	compiled record;
	new_id uuid;
BEGIN
	IF from_day IS NULL OR coalesce(practitioner, '') = '' OR coalesce(org, '') = '' OR coalesce(btrim(basis), '') = '' OR until IS NULL OR until <= clock_timestamp() THEN
		RAISE invalid_parameter_value USING MESSAGE = 'a duty needs an official, an organisation, a unit of today, a basis and an end';
	END IF;
	-- nobody is in charge of what his organisation is not
	IF NOT unit = ANY (ehr_internal.units_of(org)) AND NOT ehr_internal.units_around(ARRAY[unit]) && ehr_internal.units_of(org) THEN
		RAISE insufficient_privilege USING MESSAGE = 'the organisation is not in charge of this unit';
	END IF;
	SELECT * INTO compiled FROM ehr_internal.parse_scope(scope);
	IF compiled.facilities IS NOT NULL OR compiled.documents IS NOT NULL THEN
		RAISE invalid_parameter_value USING MESSAGE = 'the scope of a duty is of types and labels';
	END IF;
	INSERT INTO ehr_store.duty AS d (practitioner, org, unit, unit_from, types, labels, basis, valid, assigned_by)
	VALUES (practitioner, org, unit, from_day, compiled.types, compiled.labels, basis, tstzrange(clock_timestamp(), until), 'admin:' || (principal ->> 'sub'))
	RETURNING d.duty INTO new_id;
	PERFORM ehr_internal.audit_note('rule', 'duty ' || new_id);
	RETURN new_id;
END
$$;
COMMENT ON FUNCTION ehr_internal.assign_duty(text, text, text, text, text, timestamptz) IS 'implementation of ehr.assign_duty';

CREATE FUNCTION ehr.end_duty(duty uuid) RETURNS bool
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.end_duty(uuid) IS 'administrators: ends a duty at once; false when there is none';

CREATE FUNCTION ehr_internal.end_duty(duty uuid) RETURNS bool
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM ehr_internal.require_session(ARRAY['admin']);
	UPDATE ehr_store.duty d SET valid = tstzrange(lower(d.valid), clock_timestamp())
	WHERE d.duty = end_duty.duty AND coalesce(upper(d.valid) > clock_timestamp(), true);
	IF FOUND THEN PERFORM ehr_internal.audit_note('rule', 'end of duty ' || duty); END IF;
	RETURN FOUND;
END
$$;
COMMENT ON FUNCTION ehr_internal.end_duty(uuid) IS 'implementation of ehr.end_duty';

-- Referrals: the documents that a facility wrote and lists, for the one that goes on treating. The receiver has nothing to refer on.
CREATE FUNCTION ehr.open_referral(person uuid, grantee text, documents text[], reason text, until timestamptz DEFAULT NULL) RETURNS uuid
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.open_referral(uuid, text, text[], text, timestamptz) IS 'a facility opens listed documents (Type/id) that it wrote about a person to a facility or practitioner; without until for 30 days';

CREATE FUNCTION ehr_internal.open_referral(person uuid, grantee text, documents text[], reason text, until timestamptz) RETURNS uuid
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	principal jsonb := ehr_internal.require_session(ARRAY['clinician', 'facility', 'station']);
	whose bigint := (SELECT p.key FROM ehr_store.person p WHERE p.id::uuid = open_referral.person);
	listed bigint[];
	new_id uuid;
BEGIN
	IF grantee IS NULL OR grantee !~ '^(practitioner|facility):[!-~]{1,64}$' OR coalesce(btrim(reason), '') = '' OR until <= clock_timestamp()
		OR coalesce(cardinality(documents), 0) NOT BETWEEN 1 AND 1000 THEN
		RAISE invalid_parameter_value USING MESSAGE = 'a referral needs a receiver, 1 to 1000 documents, a reason, and an end in the future',
			DETAIL = 'A receiver is facility:CODE or practitioner:ID, a document Type/id.';
	END IF;
	listed := ARRAY(
		SELECT DISTINCT r.key FROM unnest(documents) AS n JOIN ehr_store.resource r
			ON r.type = ehr_internal.type_number(split_part(n, '/', 1)) AND r.id = split_part(n, '/', 2) AND NOT r.deleted
		WHERE r.author = principal ->> 'org' AND r.more_subjects IS NULL
			AND r.subject IN (SELECT l.subject FROM ehr_store.person_link l WHERE l.person = ANY (ehr_internal.person_cluster(ARRAY[whose]))));
	-- the same answer for what is not there, of somebody else, or not the facility's own
	IF cardinality(listed) <> (SELECT count(DISTINCT n) FROM unnest(documents) AS n) THEN
		RAISE insufficient_privilege USING MESSAGE = 'a facility refers only documents about the person that it wrote itself';
	END IF;
	INSERT INTO ehr_store.referral AS f (person, from_org, from_sub, grantee, documents, reason, valid)
	VALUES (whose, principal ->> 'org', principal ->> 'sub', grantee, listed, reason, tstzrange(clock_timestamp(), coalesce(until, clock_timestamp() + interval '30 days')))
	RETURNING f.referral INTO new_id;
	INSERT INTO ehr_store.compiled_right (consent, line, relation, grantee, person, deny, purposes, labels, documents, valid)
	SELECT f.referral, 0, 'referral', f.grantee, f.person, false, '{TREAT,ETREAT}',
		coalesce((SELECT r.labels FROM ehr_store.access_rule r WHERE r.kind = 'clinician' AND r.relation = 'referral' AND r.operation = 'read'), 0), f.documents, f.valid
	FROM ehr_store.referral f WHERE f.referral = new_id;
	PERFORM ehr_internal.audit_note('refer', 'referral ' || new_id, ARRAY(SELECT ehr_internal.subjects_of_person(ehr_internal.person_root(whose))));
	RETURN new_id;
END
$$;
COMMENT ON FUNCTION ehr_internal.open_referral(uuid, text, text[], text, timestamptz) IS 'implementation of ehr.open_referral';

CREATE FUNCTION ehr.close_referral(referral uuid) RETURNS bool
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.close_referral(uuid) IS 'ends a referral at once: by the facility that opened it, by the receiver, or by the citizen; false when there is none';

CREATE FUNCTION ehr_internal.close_referral(referral uuid) RETURNS bool
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	principal jsonb := ehr_internal.require_session(ARRAY['clinician', 'facility', 'station', 'citizen']);
	whose bigint;
BEGIN
	UPDATE ehr_store.referral f SET valid = tstzrange(lower(f.valid), clock_timestamp()), closed_by = (principal ->> 'kind') || ':' || (principal ->> 'sub')
	WHERE f.referral = close_referral.referral AND upper(f.valid) > clock_timestamp()
		AND CASE principal ->> 'kind'
			WHEN 'citizen' THEN ehr_internal.decides(principal ->> 'sub', ehr_internal.person_root(f.person)) IS NOT NULL
			ELSE f.from_org = principal ->> 'org'
				OR f.grantee = ANY (ehr_internal.grantees_of(principal ->> 'kind', principal ->> 'sub', principal ->> 'org')) END
	RETURNING f.person INTO whose;
	IF NOT FOUND THEN RETURN false; END IF;
	DELETE FROM ehr_store.compiled_right c WHERE c.consent = referral;
	PERFORM ehr_internal.audit_note('refer', 'end of referral ' || referral, ARRAY(SELECT ehr_internal.subjects_of_person(ehr_internal.person_root(whose))));
	RETURN true;
END
$$;
COMMENT ON FUNCTION ehr_internal.close_referral(uuid) IS 'implementation of ehr.close_referral';

-- Figures: for which unit may the session count? Returns the unit to count for, or raises 42501. A unit is named as of the day of the report.
CREATE FUNCTION ehr_internal.require_figures(unit text, on_day date) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	principal jsonb := ehr_internal.require_session();
	rule text;
	own text[];
	asked text;
BEGIN
	SELECT r.relation INTO rule FROM ehr_store.access_rule r
	WHERE r.kind = principal ->> 'kind' AND r.operation = 'count' AND r.valid @> clock_timestamp() ORDER BY r.relation LIMIT 1;
	IF NOT FOUND THEN
		RAISE insufficient_privilege USING MESSAGE = 'not allowed for this kind of session',
			DETAIL = format('The function is for sessions of kind %s.', (SELECT string_agg(DISTINCT r.kind, ', ' ORDER BY r.kind) FROM ehr_store.access_rule r WHERE r.operation = 'count'));
	END IF;
	IF rule = 'all' THEN RETURN unit; END IF;
	own := ehr_internal.units_of(principal ->> 'org');
	IF unit IS NULL AND cardinality(own) = 1
		AND EXISTS (SELECT FROM ehr_store.unit u WHERE u.code = own[1] AND u.valid_from <= on_day AND u.valid_to > ehr_internal.today()) THEN
		RETURN own[1];
	END IF;
	-- what was called so on that day, as it is called today
	asked := (SELECT ehr_internal.unit_then(u.code, u.valid_from, ehr_internal.today()) FROM ehr_store.unit u
		WHERE u.code = unit AND u.valid_from <= on_day AND u.valid_to > on_day);
	IF asked IS NULL OR NOT ehr_internal.units_around(ARRAY[asked]) && own THEN
		RAISE insufficient_privilege USING MESSAGE = 'not allowed to count for this unit',
			DETAIL = 'Figures are for the units that the session''s organisation is in charge of, and for those within them.',
			HINT = 'An administrator registers an organisation with ehr.set_organisation_unit().';
	END IF;
	RETURN unit;
END
$$;
COMMENT ON FUNCTION ehr_internal.require_figures(text, date) IS 'the unit for which the session may count, or error 42501';

CREATE FUNCTION ehr_internal.create_consent_defaults() RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	t text;
BEGIN
	CREATE TABLE IF NOT EXISTS ehr_store.organisation_unit (
		org text NOT NULL,
		unit text NOT NULL,
		unit_from date NOT NULL,
		valid tstzrange NOT NULL,
		basis text NOT NULL
	);
	COMMENT ON TABLE ehr_store.organisation_unit IS 'which organisation is in charge of which unit; the unit is named as of unit_from and followed through reforms';
	CREATE INDEX IF NOT EXISTS organisation_unit_org ON ehr_store.organisation_unit (org);

	CREATE TABLE IF NOT EXISTS ehr_store.duty (
		duty uuid PRIMARY KEY DEFAULT gen_random_uuid(),
		practitioner text NOT NULL,
		org text NOT NULL,
		unit text NOT NULL,
		unit_from date NOT NULL,
		types int2[],
		labels int NOT NULL,
		basis text NOT NULL,
		valid tstzrange NOT NULL,
		assigned_by text NOT NULL
	);
	COMMENT ON TABLE ehr_store.duty IS 'named officials who read records of residents for a duty by law';

	CREATE TABLE IF NOT EXISTS ehr_store.referral (
		referral uuid PRIMARY KEY DEFAULT gen_random_uuid(),
		person bigint NOT NULL,
		from_org text NOT NULL,
		from_sub text NOT NULL,
		grantee text NOT NULL,
		documents bigint[] NOT NULL,
		reason text NOT NULL,
		valid tstzrange NOT NULL,
		closed_by text
	);
	COMMENT ON TABLE ehr_store.referral IS 'documents that a facility opened to the one that goes on treating';
	CREATE INDEX IF NOT EXISTS referral_person ON ehr_store.referral (person);

	COMMENT ON COLUMN ehr_store.access_rule.types IS 'resource types that the relation covers, of residents and duties; null for any';
	COMMENT ON COLUMN ehr_store.access_rule.purposes IS 'purposes of use for which the relation holds, of residents and duties; null for any';
	COMMENT ON COLUMN ehr_store.access_rule.operation IS 'count: figures about persons; relation jurisdiction for the own units and those within, all for any';
	INSERT INTO ehr_store.access_rule (kind, relation, operation, labels, types, purposes, basis, verified) VALUES
		('clinician', 'referral', 'read', 0, NULL, NULL, 'Law on Medical Examination and Treatment Art. 69; Decree 102/2025 Art. 10', false),
		('facility', 'referral', 'read', 0, NULL, NULL, 'Law on Medical Examination and Treatment Art. 69; Decree 102/2025 Art. 10', false),
		('station', 'referral', 'read', 0, NULL, NULL, 'Law on Medical Examination and Treatment Art. 69; Decree 102/2025 Art. 10', false),
		('station', 'resident', 'read', 0, ARRAY(SELECT ehr_internal.type_number(n) FROM unnest('{Patient,AllergyIntolerance,CarePlan,CareTeam,Condition,
			EpisodeOfCare,Flag,Immunization,ImmunizationRecommendation,MedicationStatement,RelatedPerson}'::text[]) AS n), '{TREAT,ETREAT,PUBHLTH}',
			'Law on Medical Examination and Treatment; Decision 831/2017 (primary care of residents)', false),
		('department', 'duty', 'read', 0, NULL, '{PUBHLTH}', 'the duty''s own', false),
		('station', 'jurisdiction', 'count', 0, NULL, NULL, 'TT 23/2025/TT-BYT', false),
		('department', 'jurisdiction', 'count', 0, NULL, NULL, 'TT 23/2025/TT-BYT', false),
		('admin', 'all', 'count', 0, NULL, NULL, 'operation of the system', true)
	ON CONFLICT DO NOTHING;

	FOREACH t IN ARRAY '{organisation_unit,duty}'::text[]
	LOOP
		IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = to_regclass('ehr_store.' || t) AND tgname = 'consent_changed') THEN
			EXECUTE format('CREATE TRIGGER consent_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON ehr_store.%I
				FOR EACH STATEMENT EXECUTE FUNCTION ehr_internal.consent_changed_trigger()', t);
		END IF;
	END LOOP;

	GRANT EXECUTE ON FUNCTION ehr.set_organisation_unit(text, text, text, timestamptz), ehr.end_organisation_unit(text, text), ehr.assign_duty(text, text, text, text, text, timestamptz),
		ehr.end_duty(uuid) TO ehr_admin;
	GRANT EXECUTE ON FUNCTION ehr.open_referral(uuid, text, text[], text, timestamptz), ehr.close_referral(uuid) TO ehr_app, ehr_query;
END
$$;
COMMENT ON FUNCTION ehr_internal.create_consent_defaults() IS 'tables and rules of jurisdiction, duties and referrals';

REVOKE EXECUTE ON FUNCTION ehr.set_organisation_unit(text, text, text, timestamptz), ehr.end_organisation_unit(text, text), ehr.assign_duty(text, text, text, text, text, timestamptz), ehr.end_duty(uuid),
	ehr.open_referral(uuid, text, text[], text, timestamptz), ehr.close_referral(uuid) FROM PUBLIC;
