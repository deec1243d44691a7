---------------------------------------------------------------------------------------------------
-- consent: session, consent, row security (doc/consent.md)
---------------------------------------------------------------------------------------------------

-- Sessions -----------------------------------------------------------------------------------------

CREATE FUNCTION ehr.login(token text, scope text DEFAULT 'transaction') RETURNS text
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'ehr_login';
COMMENT ON FUNCTION ehr.login(text, text) IS 'verifies a signed token, attaches its session to this transaction (or connection) and returns a handle to attach it again';

CREATE FUNCTION ehr.attach(handle text, scope text DEFAULT 'transaction') RETURNS void
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 10
	AS 'MODULE_PATHNAME', 'ehr_attach';
COMMENT ON FUNCTION ehr.attach(text, text) IS 'attaches a session by the handle that ehr.login returned';

CREATE FUNCTION ehr.detach() RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_detach';
COMMENT ON FUNCTION ehr.detach() IS 'this connection acts for nobody any more; the session''s handle stays good';

CREATE FUNCTION ehr.logout() RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_logout';
COMMENT ON FUNCTION ehr.logout() IS 'ends the attached session for good, on every connection';

CREATE FUNCTION ehr.session() RETURNS jsonb
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_session';
COMMENT ON FUNCTION ehr.session() IS 'the own identity: kind, sub, org, purpose, name, sid, expires; null without a session';

CREATE FUNCTION ehr.end_sessions(sub text) RETURNS bigint
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_end_sessions';
COMMENT ON FUNCTION ehr.end_sessions(text) IS 'ends every session of this subject in this database at once; returns how many there were';
REVOKE EXECUTE ON FUNCTION ehr.end_sessions(text) FROM PUBLIC;

CREATE FUNCTION ehr_internal.key_problem(jwk text) RETURNS text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_key_problem';
COMMENT ON FUNCTION ehr_internal.key_problem(text) IS 'why a JWK cannot verify tokens; null when it can';

CREATE FUNCTION ehr.add_session_key(kid text, jwk jsonb, valid tstzrange DEFAULT NULL) RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.add_session_key(text, jsonb, tstzrange) IS 'accepts tokens signed with this key (public Ed25519 or shared HS256 JWK) under the header kid, while valid (default: from now on)';
REVOKE EXECUTE ON FUNCTION ehr.add_session_key(text, jsonb, tstzrange) FROM PUBLIC;

CREATE FUNCTION ehr_internal.add_session_key(kid text, jwk jsonb, valid tstzrange) RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	problem text := ehr_internal.key_problem(jwk::text);
BEGIN
	IF kid IS NULL OR jwk IS NULL OR kid !~ '^[!-~]{1,128}$' THEN
		RAISE invalid_parameter_value USING MESSAGE = 'a session key needs a kid of 1 to 128 printable ASCII characters and a JWK';
	END IF;
	IF problem IS NOT NULL THEN
		RAISE invalid_parameter_value USING MESSAGE = 'the key cannot be used to verify tokens', DETAIL = problem;
	END IF;
	INSERT INTO ehr_store.session_key AS k (kid, jwk, valid)
	VALUES (kid, jwk::text, coalesce(valid, tstzrange(clock_timestamp(), NULL)));
	-- who can make tokens can be anybody: that a key came or went is in the log, also when it is rolled back
	PERFORM ehr_internal.audit_note('rule', 'session key ' || kid);
EXCEPTION WHEN unique_violation THEN
	RAISE unique_violation USING MESSAGE = 'there is a session key of that kid',
		DETAIL = 'A kid names one key for ever.', HINT = 'Give the new key another kid and end the old one with ehr.end_session_key.';
END
$$;
COMMENT ON FUNCTION ehr_internal.add_session_key(text, jsonb, tstzrange) IS 'implementation of ehr.add_session_key';

CREATE FUNCTION ehr.end_session_key(kid text, at timestamptz DEFAULT now()) RETURNS bool
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.end_session_key(text, timestamptz) IS 'no token signed with this key is accepted from then on; sessions that are open go on until they expire';
REVOKE EXECUTE ON FUNCTION ehr.end_session_key(text, timestamptz) FROM PUBLIC;

CREATE FUNCTION ehr_internal.end_session_key(kid text, at timestamptz) RETURNS bool
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	UPDATE ehr_store.session_key k
	SET valid = CASE WHEN lower(k.valid) >= at THEN 'empty' ELSE k.valid * tstzrange(NULL, at) END
	WHERE k.kid = end_session_key.kid;
	IF NOT FOUND THEN RETURN false; END IF;
	PERFORM ehr_internal.audit_note('rule', 'end of session key ' || kid);
	RETURN true;
END
$$;
COMMENT ON FUNCTION ehr_internal.end_session_key(text, timestamptz) IS 'implementation of ehr.end_session_key';

-- Decisions ----------------------------------------------------------------------------------------

CREATE FUNCTION ehr.may_read(subject bigint, type int2, labels int, author text) RETURNS bool
	LANGUAGE c STABLE PARALLEL SAFE COST 10
	AS 'MODULE_PATHNAME', 'ehr_may_read';
COMMENT ON FUNCTION ehr.may_read(bigint, int2, int, text) IS 'may the session read a row about this subject, of this type, with these labels, by this author? false without a session';

CREATE FUNCTION ehr.may_read_row(key bigint, subject bigint, more_subjects bigint[], type int2, labels int, author text, happened date) RETURNS bool
	LANGUAGE c STABLE PARALLEL SAFE COST 12
	AS 'MODULE_PATHNAME', 'ehr_may_read_row';
COMMENT ON FUNCTION ehr.may_read_row(bigint, bigint, bigint[], int2, int, text, date) IS 'ehr.may_read for a stored resource: knows single documents and when what they tell of happened, and asks for every subject';

-- The three questions of a policy; each alone lets an index be used.
CREATE FUNCTION ehr_internal.row_consented_support(internal) RETURNS internal
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_row_consented_support';
COMMENT ON FUNCTION ehr_internal.row_consented_support(internal) IS 'tells the planner that ehr.row_consented() implies subject = ANY (ehr.readable())';

CREATE FUNCTION ehr.row_consented(key bigint, subject bigint, more_subjects bigint[], type int2, labels int, author text, happened date) RETURNS bool
	LANGUAGE c STABLE PARALLEL SAFE COST 12 SUPPORT ehr_internal.row_consented_support
	AS 'MODULE_PATHNAME', 'ehr_row_consented';
COMMENT ON FUNCTION ehr.row_consented(bigint, bigint, bigint[], int2, int, text, date) IS 'for policies: is every patient of the row the session''s by own right or consent?';

CREATE FUNCTION ehr_internal.row_authored_support(internal) RETURNS internal
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_row_authored_support';
COMMENT ON FUNCTION ehr_internal.row_authored_support(internal) IS 'tells the planner that ehr.row_authored() implies author = ehr.row_author()';

CREATE FUNCTION ehr.row_author() RETURNS text
	LANGUAGE c STABLE PARALLEL SAFE COST 1
	AS 'MODULE_PATHNAME', 'ehr_row_author';
COMMENT ON FUNCTION ehr.row_author() IS 'for policies: the facility whose rows the session reads as their author; null for none';

CREATE FUNCTION ehr.row_authored(subject bigint, more_subjects bigint[], author text) RETURNS bool
	LANGUAGE c STABLE PARALLEL SAFE COST 10 SUPPORT ehr_internal.row_authored_support
	AS 'MODULE_PATHNAME', 'ehr_row_authored';
COMMENT ON FUNCTION ehr.row_authored(bigint, bigint[], text) IS 'for policies: did the session''s own facility write the row? notes its patients as shown';

CREATE FUNCTION ehr.row_shared(type int2) RETURNS bool
	LANGUAGE c STABLE PARALLEL SAFE COST 2
	AS 'MODULE_PATHNAME', 'ehr_row_shared';
COMMENT ON FUNCTION ehr.row_shared(int2) IS 'for policies: may a row about no patient be read for its type?';

CREATE FUNCTION ehr.readable() RETURNS bigint[]
	LANGUAGE c STABLE PARALLEL SAFE COST 100
	AS 'MODULE_PATHNAME', 'ehr_readable';
COMMENT ON FUNCTION ehr.readable() IS 'subjects of which the session may read something by own right or consent, ascending';

CREATE FUNCTION ehr.may_write(subject bigint, type int2, author text) RETURNS bool
	LANGUAGE c STABLE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.may_write(bigint, int2, text) IS 'may the session write a row about this subject (null: about no patient) in the name of this author (null: itself)?';

CREATE FUNCTION ehr_internal.consent_changed() RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_consent_changed';
COMMENT ON FUNCTION ehr_internal.consent_changed() IS 'when this transaction commits, every session looks its rights up again';

CREATE FUNCTION ehr_internal.consent_concerns(person bigint, grantee text) RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_consent_concerns';
COMMENT ON FUNCTION ehr_internal.consent_concerns(bigint, text) IS 'when this transaction commits, sessions of this name (null: that have rights on the person) look up what they may read of a person again';

CREATE FUNCTION ehr_internal.consent_concerns_all() RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_consent_concerns_all';
COMMENT ON FUNCTION ehr_internal.consent_concerns_all() IS 'when this transaction commits, all sessions look up what they may read again';

CREATE FUNCTION ehr_internal.consent_changed_trigger() RETURNS trigger
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_consent_changed_trigger';
COMMENT ON FUNCTION ehr_internal.consent_changed_trigger() IS 'trigger on every table that ehr_internal.compiled_rights() reads: tells the sessions concerned';

-- The person of a session of kind citizen; null for other kinds.
CREATE FUNCTION ehr_internal.own_person(kind text, sub text) RETURNS bigint
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	found_person bigint;
BEGIN
	IF kind = 'citizen' AND sub ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' THEN
		found_person := ehr_internal.person_root((SELECT p.key FROM ehr_store.person p WHERE p.id::uuid = own_person.sub::uuid));
		-- nobody acts as one who is dead
		IF NOT (SELECT a.dead FROM ehr_internal.person_age(found_person) AS a) THEN
			RETURN found_person;
		END IF;
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION ehr_internal.own_person(text, text) IS 'person of a citizen''s session';

-- anybody, the person or practitioner, the facility or insurer, the units that it is in charge of and those around; each
-- also as one of that kind alone: clinician@facility:79001
CREATE FUNCTION ehr_internal.grantees_of(kind text, sub text, org text) RETURNS text[]
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	names text[] := array_remove(ARRAY[
		CASE WHEN kind = 'citizen' THEN 'person:' || lower(sub) END,
		CASE WHEN kind = 'clinician' THEN 'practitioner:' || sub END,
		CASE WHEN kind = 'insurer' THEN 'insurer:' || nullif(org, '')
			WHEN kind IN ('clinician', 'facility', 'station') THEN 'facility:' || nullif(org, '') END], NULL);
BEGIN
	IF kind IN ('clinician', 'facility', 'station') AND org <> '' THEN
		names := names || ARRAY(SELECT 'unit:' || u FROM unnest(ehr_internal.units_around(ehr_internal.units_of(org))) AS u);
	END IF;
	RETURN ARRAY['anybody'] || names || ARRAY(SELECT kind || '@' || n FROM unnest(names) AS n);
END
$$;
COMMENT ON FUNCTION ehr_internal.grantees_of(text, text, text) IS 'the names under which consents may mean this principal';

CREATE FUNCTION ehr_internal.glass_of(sub text) RETURNS bigint[]
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	opened bigint[] := ARRAY(SELECT c.person FROM ehr_store.compiled_right c
		WHERE c.grantee = 'practitioner:' || sub AND c.relation = 'emergency' AND c.valid @> clock_timestamp());
BEGIN
	RETURN CASE WHEN opened = '{}' THEN opened ELSE ehr_internal.person_cluster(opened) END;
END
$$;
COMMENT ON FUNCTION ehr_internal.glass_of(text) IS 'persons whose record a practitioner has opened in an emergency and not yet closed';

CREATE FUNCTION ehr_internal.glass_until(sub text, person bigint) RETURNS timestamptz
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (SELECT max(upper(c.valid)) FROM ehr_store.compiled_right c
		WHERE c.grantee = 'practitioner:' || sub AND c.relation = 'emergency' AND c.valid @> clock_timestamp()
			AND c.person = ANY (ehr_internal.person_cluster(ARRAY[glass_until.person])));
END
$$;
COMMENT ON FUNCTION ehr_internal.glass_until(text, bigint) IS 'when a record that was opened in an emergency closes';

CREATE FUNCTION ehr_internal.purpose_code(purpose text) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (SELECT p.code FROM ehr_store.purpose_of_use p WHERE p.code = upper(purpose) OR p.name = lower(purpose));
END
$$;
COMMENT ON FUNCTION ehr_internal.purpose_code(text) IS 'code of a purpose of use given by code or name; null when it is unknown';

-- Every identity that is one person now with one of these, after merges: what a change of one of them concerns.
CREATE FUNCTION ehr_internal.person_cluster(persons bigint[]) RETURNS bigint[]
	LANGUAGE plpgsql STABLE STRICT PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN ARRAY(
		WITH RECURSIVE up (key, merged_into, depth) AS (
			SELECT p.key, p.merged_into, 0 FROM ehr_store.person p WHERE p.key = ANY (persons)
			UNION ALL
			SELECT p.key, p.merged_into, up.depth + 1 FROM up JOIN ehr_store.person p ON p.key = up.merged_into WHERE up.depth < 1000
		), down (key, depth) AS (
			SELECT DISTINCT up.key, 0 FROM up WHERE up.merged_into IS NULL
			UNION ALL
			SELECT p.key, down.depth + 1 FROM down JOIN ehr_store.person p ON p.merged_into = down.key WHERE down.depth < 1000
		)
		SELECT down.key FROM down
		UNION
		SELECT unnest(persons));
END
$$;
COMMENT ON FUNCTION ehr_internal.person_cluster(bigint[]) IS 'all identities of the persons that these identities are, after merges, and these';

-- Decisions in force now or later that mean one of these grantees, where a rule admits them for this kind of principal.
-- merged: the person is one with another, after merges; given: since when the decision holds. emergency: also denials of the purpose BTG (of_emergencies).
CREATE FUNCTION ehr_internal.decisions_for(kind text, grantees text[], purpose_used text, persons bigint[], emergency bool)
	RETURNS TABLE (consent uuid, relation text, person bigint, merged bool, given timestamptz, of_emergencies bool, deny bool, depth int2, types int2[], labels int, facilities text[],
		documents bigint[], data daterange, starts timestamptz, ends timestamptz, basis text)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED ROWS 1000
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_custom_plan		-- a plan for few decisions takes minutes for many
AS $$
BEGIN
	RETURN QUERY
	SELECT d.consent, d.relation, d.person,
		p.merged_into IS NOT NULL OR EXISTS (SELECT FROM ehr_store.person q WHERE q.merged_into = d.person), coalesce(d.given, lower(d.valid)),
		coalesce('BTG' = ANY (d.purposes), false),
		d.deny, d.depth, d.types, d.labels, d.facilities, d.documents, d.data,
		lower(CASE WHEN d.deny THEN d.valid ELSE d.valid * r.valid END), upper(CASE WHEN d.deny THEN d.valid ELSE d.valid * r.valid END),
		coalesce(d.basis, r.basis)
	FROM (
		SELECT c.id AS consent, 'consent' AS relation, c.person, c.deny, 0::int2 AS depth, c.types, c.labels, c.facilities,
			c.documents, NULL::daterange AS data, c.valid, NULL::text AS basis,
			CASE WHEN c.purpose IS NOT NULL THEN ARRAY[c.purpose] END AS purposes, c.evidence ->> 'sha256' IS NOT NULL AS evidenced, NULL::timestamptz AS given
		FROM ehr_store.consent c
		WHERE c.grantee = ANY (grantees) AND c.status = 'active' AND (persons IS NULL OR c.person = ANY (persons))
		UNION ALL
		SELECT c.consent, c.relation, c.person, c.deny, c.depth, c.types, c.labels, c.facilities,
			c.documents, c.data, c.valid, c.basis, c.purposes, c.evidenced, c.given
		FROM ehr_store.compiled_right c
		WHERE c.grantee = ANY (grantees) AND (persons IS NULL OR c.person = ANY (persons))) AS d
	LEFT JOIN ehr_store.access_rule r ON r.kind = decisions_for.kind AND r.operation = 'read' AND r.relation = d.relation
	LEFT JOIN ehr_store.person p ON p.key = d.person
	WHERE NOT isempty(d.valid) AND coalesce(upper(d.valid) > clock_timestamp(), true)
		AND CASE WHEN d.deny THEN d.purposes IS NULL OR purpose_used IS NULL OR purpose_used = ANY (d.purposes) OR (emergency AND 'BTG' = ANY (d.purposes))
			ELSE r.kind IS NOT NULL AND (d.purposes IS NULL OR purpose_used = ANY (d.purposes))
				AND (d.evidenced OR NOT r.needs_evidence) AND NOT isempty(d.valid * r.valid) END;
END
$$;
COMMENT ON FUNCTION ehr_internal.decisions_for(text, text[], text, bigint[], bool) IS 'decisions about reading that mean a principal';

-- The rules of doc/consent.md, as rows for one principal. relation: own, authored, shared, or what compiled_right says. A row
-- with deny outweighs others (src/consent/rights.h). Rows that begin later are there too: the reader of the rows looks at starts
-- and ends. A row without a subject, of own and of decisions, names a person who has no source patient yet. persons: only
-- what bears on these identities, of which whole clusters must be given; null for all.
CREATE FUNCTION ehr_internal.compiled_rights(kind text, sub text, org text, purpose text, persons bigint[] DEFAULT NULL)
	RETURNS TABLE (relation text, person bigint, subject bigint, consent uuid, deny bool, depth int2, types int2[], labels int,
		author text, document bigint, data_from date, data_until date, starts timestamptz, ends timestamptz, basis text)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED ROWS 1000
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	me bigint := ehr_internal.own_person(kind, sub);
	-- records that the session has opened in an emergency: until that ends, no denial but one of that very purpose holds
	glass bigint[] := CASE WHEN EXISTS (SELECT FROM ehr_store.access_rule r WHERE r.kind = compiled_rights.kind AND r.relation = 'emergency' AND r.operation = 'read')
		THEN ehr_internal.glass_of(sub) ELSE '{}' END;
	mine bigint[] := CASE WHEN me IS NULL THEN '{}' ELSE ehr_internal.person_cluster(ARRAY[me]) END;
	grantees text[] := ehr_internal.grantees_of(kind, sub, org);
	purpose_used text := ehr_internal.purpose_code(purpose);
BEGIN
	-- what needs no subject
	RETURN QUERY
	SELECT r.relation, NULL::bigint, NULL::bigint, NULL::uuid, false, 0::int2,
		CASE r.relation WHEN 'shared' THEN ARRAY(SELECT s.type FROM ehr_internal.shared_type s) END,
		r.labels, NULL::text, NULL::bigint, NULL::date, NULL::date, lower(r.valid), upper(r.valid), r.basis
	FROM ehr_store.access_rule r
	WHERE r.kind = compiled_rights.kind AND r.operation = 'read' AND r.relation IN ('authored', 'shared');

	RETURN QUERY
	SELECT r.relation, m.key, l.subject, NULL::uuid, false, 0::int2, NULL::int2[], r.labels, NULL::text, NULL::bigint,
		NULL::date, NULL::date, lower(r.valid), upper(r.valid), r.basis
	FROM ehr_store.access_rule r, unnest(mine) AS m (key) LEFT JOIN ehr_store.person_link l ON l.person = m.key
	WHERE r.kind = compiled_rights.kind AND r.operation = 'read' AND r.relation = 'own'
		AND (persons IS NULL OR m.key = ANY (persons));

	-- what is one's own no decision narrows
	RETURN QUERY
	SELECT m.relation, member.one, l.subject, m.consent, m.deny, m.depth, m.types, m.labels, f.code, d.key, lower(m.data), upper(m.data),
		CASE WHEN m.deny AND NOT m.of_emergencies AND member.one = ANY (glass) THEN greatest(m.starts, ehr_internal.glass_until(sub, member.one)) ELSE m.starts END,
		m.ends, m.basis
	FROM ehr_internal.decisions_for(kind, grantees, purpose_used, persons, glass <> '{}') AS m
	-- of merged persons the stricter of both, as room identity says it
	CROSS JOIN LATERAL unnest(CASE WHEN m.merged THEN ehr_internal.persons_reached(m.person, m.deny, m.given) ELSE ARRAY[m.person] END) AS member (one)
	LEFT JOIN ehr_store.person_link l ON l.person = member.one
	LEFT JOIN LATERAL unnest(m.facilities) AS f (code) ON true
	LEFT JOIN LATERAL unnest(m.documents) AS d (key) ON true
	WHERE member.one <> ALL (mine);

	-- where the session's organisation is in charge of
	IF EXISTS (SELECT FROM ehr_store.access_rule r WHERE r.kind = compiled_rights.kind AND r.operation = 'read' AND r.relation IN ('resident', 'duty')) THEN
		RETURN QUERY
		SELECT d.relation, d.person, d.subject, d.consent, false, 0::int2, d.types, d.labels, NULL::text, NULL::bigint, NULL::date, NULL::date,
			d.starts, d.ends, d.basis
		FROM ehr_internal.resident_rights(kind, sub, org, purpose_used, persons) AS d;
	END IF;
END
$$;
COMMENT ON FUNCTION ehr_internal.compiled_rights(text, text, text, text, bigint[]) IS 'what a principal may read: one row per rule or provision and subject';

-- Sessions with the same kind, organisation and purpose have the same rights, unless something of them follows from who is asking.
CREATE FUNCTION ehr_internal.rights_sub(kind text, sub text, org text) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN CASE WHEN kind IN ('citizen', 'clinician')
			OR EXISTS (SELECT FROM ehr_store.duty d WHERE d.practitioner = sub AND d.org = rights_sub.org)
			OR EXISTS (SELECT FROM ehr_store.compiled_right c WHERE c.grantee = 'practitioner:' || sub)
		THEN sub ELSE '' END;
END
$$;
COMMENT ON FUNCTION ehr_internal.rights_sub(text, text, text) IS 'the sub that a principal''s rights follow from; empty when all of its organisation have the same';

CREATE FUNCTION ehr_internal.may_write(subject bigint, type int2, author text) RETURNS bool
	LANGUAGE plpgsql STABLE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	principal jsonb := ehr.session();
	me bigint := ehr_internal.own_person(principal ->> 'kind', principal ->> 'sub');
BEGIN
	RETURN principal IS NOT NULL AND EXISTS (
		SELECT FROM ehr_store.access_rule r
		WHERE r.kind = principal ->> 'kind' AND r.operation = 'write' AND r.valid @> clock_timestamp()
			AND CASE r.relation
				WHEN 'authored' THEN author = principal ->> 'org'
				WHEN 'own' THEN author IS NULL AND subject IN (SELECT s FROM ehr_internal.subjects_of_person(me) AS s)
				-- who decides about a person's consents writes them down
				WHEN 'family' THEN author IS NULL AND may_write.type = ANY (r.types) AND EXISTS (SELECT FROM ehr_store.person_link l
					WHERE l.subject = may_write.subject AND ehr_internal.decides(principal ->> 'sub', ehr_internal.person_root(l.person)) IS NOT NULL)
				ELSE false END);
END
$$;
COMMENT ON FUNCTION ehr_internal.may_write(bigint, int2, text) IS 'implementation of ehr.may_write';

-- Resource types that are never about a patient: directories and definitions, open to every session.
CREATE TABLE ehr_internal.shared_type (type int2 PRIMARY KEY);
COMMENT ON TABLE ehr_internal.shared_type IS 'resource types that hold no personal health data; readable in every session when they name no patient';
INSERT INTO ehr_internal.shared_type
SELECT ehr_internal.type_number(t) FROM unnest('{ActivityDefinition,CapabilityStatement,CatalogEntry,ChargeItemDefinition,
	CodeSystem,CompartmentDefinition,ConceptMap,DeviceDefinition,Endpoint,EventDefinition,ExampleScenario,GraphDefinition,
	HealthcareService,ImplementationGuide,InsurancePlan,Library,Location,Measure,Medication,MedicationKnowledge,
	MessageDefinition,NamingSystem,ObservationDefinition,OperationDefinition,Organization,OrganizationAffiliation,
	PlanDefinition,Practitioner,PractitionerRole,Questionnaire,SearchParameter,SpecimenDefinition,StructureDefinition,
	StructureMap,Substance,TerminologyCapabilities,ValueSet}'::text[]) AS t;

-- Consents -----------------------------------------------------------------------------------------

-- A scope is terms separated by semicolons; a term is all, or type:, facility:, document: or label: and a list of values
-- separated by commas. Values of a term are alternatives, terms are all required; label: adds sensitive rows, label:* all.
CREATE FUNCTION ehr_internal.parse_scope(scope text, OUT types int2[], OUT labels int, OUT facilities text[], OUT documents bigint[])
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	term text;
	name text;
	item text;
	bit_of int;
	part text[];
	type_no int2;
BEGIN
	labels := 0;
	-- what says nothing must never mean everything: an empty scope or list is an error
	FOREACH term IN ARRAY CASE btrim(scope) WHEN '' THEN '{""}' ELSE coalesce(string_to_array(scope, ';'), '{""}') END
	LOOP
		term := btrim(term);
		CONTINUE WHEN term = 'all';
		name := substring(term FROM '^(type|facility|document|label):.*[^[:space:]]');
		IF name IS NULL THEN
			RAISE invalid_parameter_value USING MESSAGE = 'the scope of a consent has an unknown term',
				DETAIL = 'Terms are all, type:, facility:, document: and label:, separated by semicolons.',
				HINT = 'For example: all; label:HIV   or: type:Observation,DiagnosticReport; facility:79001';
		END IF;
		FOREACH item IN ARRAY string_to_array(substr(term, strpos(term, ':') + 1), ',')
		LOOP
			item := btrim(item);
			CASE name
				WHEN 'type' THEN
					type_no := ehr_internal.type_number(item);
					IF type_no IS NULL THEN
						RAISE invalid_parameter_value USING MESSAGE = 'the scope of a consent names an unknown resource type';
					END IF;
					types := types || type_no;
				WHEN 'facility' THEN
					IF item !~ '^[!-~]{1,32}$' THEN
						RAISE invalid_parameter_value USING MESSAGE = 'the scope of a consent names no facility code after facility:';
					END IF;
					facilities := facilities || item;
				WHEN 'document' THEN
					part := regexp_match(item, '^([A-Z][A-Za-z]{1,63})/([A-Za-z0-9.-]{1,64})$');
					IF part IS NULL OR ehr_internal.type_number(part[1]) IS NULL THEN
						RAISE invalid_parameter_value USING MESSAGE = 'the scope of a consent names no resource after document:',
							DETAIL = 'A document is named as Type/id.';
					END IF;
					documents := documents || ehr_internal.key_of(ehr_internal.type_number(part[1]), part[2]);
				ELSE
					IF item = '*' THEN
						labels := -1;
					ELSE
						SELECT 1 << min(l.bit) INTO bit_of FROM ehr_internal.sensitivity_label l WHERE lower(l.name) = lower(item);
						IF bit_of IS NULL THEN
							RAISE invalid_parameter_value USING MESSAGE = 'the scope of a consent names an unknown label',
								DETAIL = format('Labels are %s, and * for all.', (SELECT string_agg(DISTINCT l.name, ', ') FROM ehr_internal.sensitivity_label l));
						END IF;
						labels := labels | bit_of;
					END IF;
			END CASE;
		END LOOP;
	END LOOP;
END
$$;
COMMENT ON FUNCTION ehr_internal.parse_scope(text) IS 'the compiled form of a consent''s scope';

-- The person, when the session may decide for it: the citizen for himself, who represents him, an administrator on written evidence.
CREATE FUNCTION ehr_internal.consenting_person(person uuid, evidence jsonb) RETURNS bigint
	LANGUAGE plpgsql STABLE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	principal jsonb := ehr_internal.require_session(ARRAY['citizen', 'admin']);
	found_person bigint;
BEGIN
	-- the decision stays with the identity it was made under, so that an unmerge takes it along
	SELECT p.key INTO found_person FROM ehr_store.person p WHERE p.id::uuid = consenting_person.person;
	IF principal ->> 'kind' = 'admin' AND (evidence IS NULL OR evidence IN ('{}', 'null')) THEN
		RAISE insufficient_privilege USING MESSAGE = 'an administrator needs evidence to record a decision of a citizen',
			HINT = 'Pass the evidence: form, date, and hash of the signed request.';
	END IF;
	IF found_person IS NULL OR (principal ->> 'kind' = 'citizen'
		AND ehr_internal.decides(principal ->> 'sub', ehr_internal.person_root(found_person)) IS NULL) THEN
		RAISE insufficient_privilege USING MESSAGE = 'only the citizen decides about the own record';
	END IF;
	RETURN found_person;
END
$$;
COMMENT ON FUNCTION ehr_internal.consenting_person(uuid, jsonb) IS 'key of the person, or 42501 when the session may not decide for it';

CREATE FUNCTION ehr_internal.record_consent(person uuid, deny bool, grantee text, scope text, purpose text, until timestamptz, evidence jsonb) RETURNS uuid
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	whose bigint := ehr_internal.consenting_person(person, evidence);
	principal jsonb := ehr.session();
	compiled record;
	purpose_used text := ehr_internal.purpose_code(purpose);
	new_id uuid;
BEGIN
	IF grantee IS NULL OR grantee !~ '^(anybody|(practitioner|facility|insurer|person|unit):[!-~]{1,64})$' THEN
		RAISE invalid_parameter_value USING MESSAGE = 'a consent names no valid grantee',
			DETAIL = 'A grantee is practitioner:ID, facility:CODE, unit:CODE, insurer:CODE, person:UUID or anybody.';
	END IF;
	IF purpose_used IS NULL AND NOT (deny AND purpose IS NULL) THEN
		RAISE invalid_parameter_value USING MESSAGE = 'a consent needs a known purpose',
			DETAIL = format('Purposes are %s.', (SELECT string_agg(p.code, ', ' ORDER BY p.code) FROM ehr_store.purpose_of_use p));
	END IF;
	IF until <= clock_timestamp() THEN
		RAISE invalid_parameter_value USING MESSAGE = 'a consent cannot end in the past';
	END IF;
	SELECT * INTO compiled FROM ehr_internal.parse_scope(scope);
	INSERT INTO ehr_store.consent AS c (person, deny, grantee, scope, types, labels, facilities, documents, purpose, valid, status, given_by, evidence)
	VALUES (whose, deny, CASE WHEN grantee LIKE 'person:%' THEN lower(grantee) ELSE grantee END, scope,
		compiled.types, compiled.labels, compiled.facilities, compiled.documents,
		purpose_used, tstzrange(clock_timestamp(), until),
		-- what takes child and representative waits for the other one; closing does not
		CASE WHEN NOT deny AND principal ->> 'kind' = 'citizen' AND NOT ehr_internal.decides_alone(principal ->> 'sub', ehr_internal.person_root(whose))
			THEN 'pending' ELSE 'active' END, (principal ->> 'kind') || ':' || (principal ->> 'sub'),
		coalesce(evidence, jsonb_build_object('session', principal ->> 'sid')))
	RETURNING c.id INTO new_id;
	PERFORM ehr_internal.audit_note(CASE WHEN deny THEN 'deny' ELSE 'grant' END, 'consent ' || new_id,
		ARRAY(SELECT ehr_internal.subjects_of_person(ehr_internal.person_root(whose))));
	RETURN new_id;
END
$$;
COMMENT ON FUNCTION ehr_internal.record_consent(uuid, bool, text, text, text, timestamptz, jsonb) IS 'writes a grant or a denial';

CREATE FUNCTION ehr.grant_consent(person uuid, grantee text, scope text DEFAULT 'all', purpose text DEFAULT 'TREAT',
		until timestamptz DEFAULT NULL, evidence jsonb DEFAULT NULL) RETURNS uuid
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.grant_consent(uuid, text, text, text, timestamptz, jsonb) IS 'the citizen lets a grantee read the record, or a part of it, for one purpose; returns the consent''s id';

CREATE FUNCTION ehr_internal.grant_consent(person uuid, grantee text, scope text, purpose text, until timestamptz, evidence jsonb) RETURNS uuid
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN ehr_internal.record_consent(person, false, grantee, scope, purpose, until, evidence);
END
$$;
COMMENT ON FUNCTION ehr_internal.grant_consent(uuid, text, text, text, timestamptz, jsonb) IS 'implementation of ehr.grant_consent';

CREATE FUNCTION ehr.deny_consent(person uuid, grantee text DEFAULT 'anybody', scope text DEFAULT 'all', purpose text DEFAULT NULL,
		until timestamptz DEFAULT NULL, evidence jsonb DEFAULT NULL) RETURNS uuid
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.deny_consent(uuid, text, text, text, timestamptz, jsonb) IS 'the citizen closes the record, or a part of it, to a grantee, whatever was granted; returns the consent''s id';

CREATE FUNCTION ehr_internal.deny_consent(person uuid, grantee text, scope text, purpose text, until timestamptz, evidence jsonb) RETURNS uuid
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN ehr_internal.record_consent(person, true, grantee, scope, purpose, until, evidence);
END
$$;
COMMENT ON FUNCTION ehr_internal.deny_consent(uuid, text, text, text, timestamptz, jsonb) IS 'implementation of ehr.deny_consent';

CREATE FUNCTION ehr.withdraw_consent(consent uuid) RETURNS bool
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.withdraw_consent(uuid) IS 'ends a consent (or a denial) of the own record at once; false when there is none that is active';

CREATE FUNCTION ehr_internal.withdraw_consent(consent uuid) RETURNS bool
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	principal jsonb := ehr_internal.require_session(ARRAY['citizen', 'admin']);
	whose bigint;
BEGIN
	-- an administrator may end grants on request, but opens nothing by ending a denial
	UPDATE ehr_store.consent c
	SET status = 'withdrawn', withdrawn = clock_timestamp(), withdrawn_by = (principal ->> 'kind') || ':' || (principal ->> 'sub')
	WHERE c.id = withdraw_consent.consent AND c.status IN ('active', 'pending')
		AND CASE WHEN principal ->> 'kind' = 'admin' THEN NOT c.deny
			-- one of two is enough to end a grant, not to open what was closed
			WHEN c.deny THEN ehr_internal.decides_alone(principal ->> 'sub', ehr_internal.person_root(c.person))
			ELSE ehr_internal.decides(principal ->> 'sub', ehr_internal.person_root(c.person)) IS NOT NULL END
	RETURNING c.person INTO whose;
	IF NOT FOUND THEN
		whose := ehr_internal.withdraw_document(consent, principal);
		IF whose IS NULL THEN RETURN false; END IF;
	END IF;
	PERFORM ehr_internal.audit_note('withdraw', 'consent ' || consent,
		ARRAY(SELECT ehr_internal.subjects_of_person(ehr_internal.person_root(whose))));
	RETURN true;
END
$$;
COMMENT ON FUNCTION ehr_internal.withdraw_consent(uuid) IS 'implementation of ehr.withdraw_consent';

CREATE FUNCTION ehr.consents(person uuid)
	RETURNS TABLE (consent uuid, decision text, grantee text, scope text, purpose text, given timestamptz, until timestamptz,
		status text, withdrawn timestamptz, given_by text)
	LANGUAGE c STABLE STRICT PARALLEL UNSAFE ROWS 10
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.consents(uuid) IS 'what a citizen has granted and denied, the newest first; for the citizen and for administrators';

CREATE FUNCTION ehr_internal.consents(person uuid)
	RETURNS TABLE (consent uuid, decision text, grantee text, scope text, purpose text, given timestamptz, until timestamptz,
		status text, withdrawn timestamptz, given_by text)
	LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	whose bigint := ehr_internal.person_root(ehr_internal.consenting_person(person, '{"list": true}'));
BEGIN
	RETURN QUERY
	SELECT c.id, CASE WHEN c.deny THEN 'deny' ELSE 'permit' END, c.grantee, c.scope, c.purpose, lower(c.valid), upper(c.valid),
		CASE WHEN c.status = 'active' AND NOT c.valid @> clock_timestamp() THEN 'ended' ELSE c.status END, c.withdrawn, c.given_by
	FROM ehr_store.consent c
	WHERE c.person = ANY (ehr_internal.person_cluster(ARRAY[whose]))
	UNION ALL
	SELECT d.consent, 'resource', NULL, 'Consent/' || r.id, NULL, r.recorded, NULL,
		CASE WHEN length(d.form) <= 3 THEN 'ended' WHEN d.trusted AND d.given_for = l.person THEN 'active' WHEN d.signed_by IS NOT NULL THEN 'pending' ELSE 'not confirmed' END, NULL, r.author
	FROM ehr_store.person_link l JOIN ehr_store.consent_document d ON d.subject = l.subject JOIN ehr_store.resource r ON r.key = d.key
	WHERE l.person = ANY (ehr_internal.person_cluster(ARRAY[whose]))
	ORDER BY 6 DESC, 1;
END
$$;
COMMENT ON FUNCTION ehr_internal.consents(uuid) IS 'implementation of ehr.consents';

CREATE FUNCTION ehr.explain_access(type text, id text) RETURNS jsonb
	LANGUAGE c STABLE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.explain_access(text, text) IS 'why the session may read a resource: the rules and consents; null when it may not, as when there is none';

CREATE FUNCTION ehr_internal.explain_access(type text, id text) RETURNS jsonb
	LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	principal jsonb := ehr.session();
	r record;
BEGIN
	SELECT s.key, s.type, s.subject, s.more_subjects, s.labels, s.author, s.happened INTO r FROM ehr_store.resource s
	WHERE s.type = ehr_internal.type_number(explain_access.type) AND s.id = explain_access.id;
	IF NOT FOUND OR NOT ehr.may_read_row(r.key, r.subject, r.more_subjects, r.type, r.labels, r.author, r.happened) THEN
		RETURN NULL;
	END IF;
	RETURN jsonb_build_object('allowed', true, 'because',
		(SELECT a.because FROM ehr_internal.access_reasons(principal, ARRAY[r.key]) AS a));
END
$$;
COMMENT ON FUNCTION ehr_internal.explain_access(text, text) IS 'implementation of ehr.explain_access';

-- Tables -------------------------------------------------------------------------------------------

CREATE FUNCTION ehr_internal.create_consent() RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	t text;
	events text;
BEGIN
	CREATE TABLE IF NOT EXISTS ehr_store.session_key (
		kid text PRIMARY KEY,
		jwk text NOT NULL,
		valid tstzrange NOT NULL,
		added timestamptz NOT NULL DEFAULT now(),
		added_by text NOT NULL DEFAULT session_user
	);
	COMMENT ON TABLE ehr_store.session_key IS 'keys that verify session tokens';

	CREATE TABLE IF NOT EXISTS ehr_store.purpose_of_use (
		code text PRIMARY KEY CHECK (code = upper(code)),
		name text NOT NULL UNIQUE CHECK (name = lower(name)),
		meaning text NOT NULL
	);
	COMMENT ON TABLE ehr_store.purpose_of_use IS 'purposes for which records are read (HL7 v3 PurposeOfUse)';
	INSERT INTO ehr_store.purpose_of_use VALUES
		('TREAT', 'treatment', 'care of the patient'),
		('ETREAT', 'emergency treatment', 'care in an emergency'),
		('BTG', 'break the glass', 'access without consent in an emergency, with a reason'),
		('HPAYMT', 'payment', 'payment for care, health insurance'),
		('HOPERAT', 'operations', 'running a facility'),
		('PUBHLTH', 'public health', 'duties of public health by law'),
		('HRESCH', 'research', 'research'),
		('PATRQT', 'patient request', 'at the request of the patient'),
		('FAMRQT', 'family request', 'at the request of the family')
	ON CONFLICT DO NOTHING;

	CREATE TABLE IF NOT EXISTS ehr_store.access_rule (
		kind text NOT NULL,
		relation text NOT NULL CHECK (relation ~ '^[a-z_]+$'),
		operation text NOT NULL CHECK (operation IN ('read', 'write', 'count')),
		labels int NOT NULL DEFAULT -1,
		types int2[],
		purposes text[],
		needs_evidence bool NOT NULL DEFAULT false,
		basis text NOT NULL,
		verified bool NOT NULL,
		valid tstzrange NOT NULL DEFAULT '[2000-01-01 00:00+07,)',
		PRIMARY KEY (kind, relation, operation)
	);
	COMMENT ON TABLE ehr_store.access_rule IS 'the published default: what each kind of session may do, and by which law';
	COMMENT ON COLUMN ehr_store.access_rule.relation IS 'own: the citizen''s record; authored: what the own facility wrote; shared: what is about no patient; consent and others: decisions of that relation';
	COMMENT ON COLUMN ehr_store.access_rule.labels IS 'sensitivity labels that the relation itself covers; for consent the consent says it';
	COMMENT ON COLUMN ehr_store.access_rule.needs_evidence IS 'only consents whose evidence has the sha256 of a written request';
	COMMENT ON COLUMN ehr_store.access_rule.verified IS 'whether the article was read in the text of the law';
	INSERT INTO ehr_store.access_rule (kind, relation, operation, needs_evidence, basis, verified) VALUES
		('citizen', 'own', 'read', false, 'Law 91/2025 (rights of the data subject); Decree 102/2025 Art. 9', false),
		('citizen', 'own', 'write', false, 'Decision 831/2017 (own entries in the health book)', false),
		('citizen', 'consent', 'read', false, 'Law 91/2025 (consent); Law on Medical Examination and Treatment Art. 8', false),
		('clinician', 'authored', 'read', false, 'Law on Medical Examination and Treatment Art. 69', false),
		('clinician', 'authored', 'write', false, 'Law on Medical Examination and Treatment Art. 69', false),
		('clinician', 'consent', 'read', false, 'Decree 102/2025 Art. 9 k2b', false),
		('facility', 'authored', 'read', false, 'Law on Medical Examination and Treatment Art. 69', false),
		('facility', 'authored', 'write', false, 'Law on Medical Examination and Treatment Art. 69', false),
		('facility', 'consent', 'read', false, 'Decree 102/2025 Art. 9 k2b', false),
		('station', 'authored', 'read', false, 'Law on Medical Examination and Treatment Art. 69', false),
		('station', 'authored', 'write', false, 'Law on Medical Examination and Treatment Art. 69', false),
		('station', 'consent', 'read', false, 'Decree 102/2025 Art. 9 k2b', false),
		('insurer', 'consent', 'read', true, 'Law 91/2025 Art. 26 k2 (written request)', false)
	ON CONFLICT DO NOTHING;
	INSERT INTO ehr_store.access_rule (kind, relation, operation, basis, verified)
	SELECT k, 'shared', 'read', 'no personal data', true
	FROM unnest('{citizen,clinician,facility,station,insurer,department,auditor,admin}'::text[]) AS k
	ON CONFLICT DO NOTHING;

	CREATE TABLE IF NOT EXISTS ehr_store.consent (
		id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
		person bigint NOT NULL,
		deny bool NOT NULL,
		grantee text NOT NULL,
		scope text NOT NULL,
		types int2[],
		labels int NOT NULL,
		facilities text[],
		documents bigint[],
		purpose text,
		valid tstzrange NOT NULL,
		status text NOT NULL DEFAULT 'active' CHECK (status IN ('pending', 'active', 'withdrawn')),
		given_by text NOT NULL,
		evidence jsonb,
		withdrawn timestamptz,
		withdrawn_by text,
		confirmed_by text,
		CHECK (deny OR purpose IS NOT NULL),
		CHECK ((status = 'withdrawn') = (withdrawn IS NOT NULL))
	);
	COMMENT ON TABLE ehr_store.consent IS 'grants and denials of citizens, as given (scope) and compiled (types, labels, facilities, documents)';
	CREATE INDEX IF NOT EXISTS consent_grantee ON ehr_store.consent (grantee) WHERE status = 'active';
	CREATE INDEX IF NOT EXISTS resource_author ON ehr_store.resource (author);
	CREATE INDEX IF NOT EXISTS consent_person ON ehr_store.consent (person);

	IF NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = 'ehr_store.resource'::regclass AND polname = 'readers') THEN
		FOREACH t IN ARRAY '{resource,resource_history}'::text[]
		LOOP
			EXECUTE format('CREATE POLICY readers ON ehr_store.%I FOR SELECT
				USING (ehr.row_consented(key, subject, more_subjects, type, labels, author, happened)
					OR ehr.row_authored(subject, more_subjects, author)
					OR (subject IS NULL AND ehr.row_shared(type)))', t);
		END LOOP;
	END IF;

	CREATE TABLE IF NOT EXISTS ehr_store.compiled_right (
		consent uuid NOT NULL,
		line int NOT NULL,
		relation text NOT NULL DEFAULT 'consent' CHECK (relation NOT IN ('own', 'authored', 'shared')),
		grantee text NOT NULL,
		person bigint NOT NULL,
		deny bool NOT NULL,
		depth int2 NOT NULL DEFAULT 0 CHECK (depth >= 0),
		purposes text[],
		types int2[],
		labels int NOT NULL DEFAULT 0,
		facilities text[],
		documents bigint[],
		data daterange,
		valid tstzrange NOT NULL,
		evidenced bool NOT NULL DEFAULT false,
		basis text,
		given timestamptz,
		PRIMARY KEY (consent, line, grantee, person)
	);
	ALTER TABLE ehr_store.compiled_right ADD COLUMN IF NOT EXISTS given timestamptz;
	COMMENT ON COLUMN ehr_store.compiled_right.given IS 'when it was decided, where valid may begin at another time: a grant holds for those who were one with the person then';
	COMMENT ON TABLE ehr_store.compiled_right IS 'decisions about reading, compiled: one provision as it bears on one grantee and one person (src/consent/rights.h)';
	COMMENT ON COLUMN ehr_store.compiled_right.relation IS 'the rule of ehr_store.access_rule that must admit a permit';
	COMMENT ON COLUMN ehr_store.compiled_right.depth IS 'nesting: of the matching provisions of one consent the deepest decides, of two the denial';
	CREATE INDEX IF NOT EXISTS compiled_right_grantee ON ehr_store.compiled_right (grantee, person);
	CREATE INDEX IF NOT EXISTS compiled_right_person ON ehr_store.compiled_right (person);

	-- whatever compiled_rights() reads tells the sessions which it concerns when it changes: by rows where they name a person,
	-- all of them where a table holds rules
	FOR t, events IN VALUES ('consent', 'INSERT OR UPDATE OR DELETE'), ('compiled_right', 'INSERT OR UPDATE OR DELETE'),
		('person', 'DELETE OR UPDATE OF merged_into'), ('person_link', 'INSERT OR UPDATE OR DELETE')
	LOOP
		IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = ('ehr_store.' || t)::regclass AND tgname = 'consent_changed') THEN
			EXECUTE format('CREATE TRIGGER consent_changed AFTER %s ON ehr_store.%I FOR EACH ROW EXECUTE FUNCTION ehr_internal.consent_changed_trigger()', events, t);
		END IF;
	END LOOP;
	FOR t, events IN VALUES ('access_rule', 'INSERT OR UPDATE OR DELETE OR TRUNCATE'), ('purpose_of_use', 'INSERT OR UPDATE OR DELETE OR TRUNCATE'),
		('consent', 'TRUNCATE'), ('compiled_right', 'TRUNCATE'), ('person', 'TRUNCATE'), ('person_link', 'TRUNCATE')
	LOOP
		IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = ('ehr_store.' || t)::regclass AND tgname = 'consent_changed_all') THEN
			EXECUTE format('CREATE TRIGGER consent_changed_all AFTER %s ON ehr_store.%I FOR EACH STATEMENT EXECUTE FUNCTION ehr_internal.consent_changed_trigger()', events, t);
		END IF;
	END LOOP;

	GRANT EXECUTE ON FUNCTION ehr.add_session_key(text, jsonb, tstzrange), ehr.end_session_key(text, timestamptz), ehr.end_sessions(text)
		TO ehr_admin;
	GRANT EXECUTE ON FUNCTION ehr.grant_consent(uuid, text, text, text, timestamptz, jsonb),
		ehr.deny_consent(uuid, text, text, text, timestamptz, jsonb), ehr.withdraw_consent(uuid), ehr.consents(uuid)
		TO ehr_app, ehr_query, ehr_admin;
	GRANT EXECUTE ON FUNCTION ehr.explain_access(text, text) TO ehr_app, ehr_query;
END
$$;
COMMENT ON FUNCTION ehr_internal.create_consent() IS 'tables, policies and triggers of room consent';

REVOKE EXECUTE ON FUNCTION ehr.grant_consent(uuid, text, text, text, timestamptz, jsonb),
	ehr.deny_consent(uuid, text, text, text, timestamptz, jsonb), ehr.withdraw_consent(uuid), ehr.consents(uuid),
	ehr.explain_access(text, text), ehr.may_write(bigint, int2, text) FROM PUBLIC;

-- Who calls, or 42501. kinds: who may, null for anybody with a session.
CREATE FUNCTION ehr_internal.require_session(kinds text[] DEFAULT NULL) RETURNS jsonb
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	principal jsonb := ehr.session();
BEGIN
	IF principal IS NULL THEN
		RAISE insufficient_privilege USING MESSAGE = 'no session',
			DETAIL = 'This function acts for somebody who has logged in.',
			HINT = 'Call ehr.login(token), or ehr.attach(handle) in this transaction.';
	END IF;
	IF NOT principal ->> 'kind' = ANY (kinds) THEN
		RAISE insufficient_privilege USING MESSAGE = 'not allowed for this kind of session',
			DETAIL = format('The function is for sessions of kind %s.', array_to_string(kinds, ', '));
	END IF;
	RETURN principal;
END
$$;
COMMENT ON FUNCTION ehr_internal.require_session(text[]) IS 'the session, or error 42501 when there is none or it is of another kind';
