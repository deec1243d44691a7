---------------------------------------------------------------------------------------------------
-- Why, and what if: explain_access, simulate_consent; closing parts of a record; labels anew (doc/consent.md)
---------------------------------------------------------------------------------------------------

-- The decision of src/consent/access.c told with its reasons, for a principal and some rows. What decides: own, authored and shared
-- for themselves; else in each consent the deepest provision, of two as deep the denial; of the consents one denial.
CREATE FUNCTION ehr_internal.access_reasons(principal jsonb, keys bigint[])
	RETURNS TABLE (key bigint, allowed bool, because jsonb)
	LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 100
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	WITH r AS MATERIALIZED (
		SELECT s.key, s.type, s.subject, s.more_subjects, s.labels, s.author, s.happened FROM ehr_store.resource s WHERE s.key = ANY (keys)
	), concerned AS MATERIALIZED (
		SELECT r.key, s.subject FROM r, unnest(r.subject || coalesce(r.more_subjects, '{}')) AS s (subject) WHERE s.subject IS NOT NULL
	), rights AS MATERIALIZED (
		SELECT c.* FROM ehr_internal.compiled_rights(principal ->> 'kind', principal ->> 'sub', principal ->> 'org', principal ->> 'purpose',
			(SELECT coalesce(ehr_internal.person_cluster(array_agg(DISTINCT l.person)), '{}') FROM concerned o JOIN ehr_store.person_link l ON l.subject = o.subject)) AS c
		WHERE coalesce(c.starts <= clock_timestamp(), true) AND coalesce(c.ends > clock_timestamp(), true)
	), plain AS (
		SELECT r.key, c.relation, c.basis FROM r JOIN rights c ON CASE c.relation
			WHEN 'authored' THEN r.author = principal ->> 'org'
			WHEN 'shared' THEN r.subject IS NULL AND r.type = ANY (c.types) END
	), matching AS (
		SELECT o.key, o.subject, c.relation, c.consent, c.depth, bool_or(c.deny) AS deny, min(c.basis) AS basis
		FROM concerned o JOIN r ON r.key = o.key JOIN rights c ON c.subject = o.subject
		WHERE (c.types IS NULL OR r.type = ANY (c.types)) AND (c.author IS NULL OR c.author = r.author) AND (c.document IS NULL OR c.document = r.key)
			-- as in access.c: a denial holds unless the row is known to lie outside of it
			AND coalesce(r.happened >= c.data_from, c.deny OR c.data_from IS NULL) AND coalesce(r.happened < c.data_until, c.deny OR c.data_until IS NULL)
			AND CASE WHEN c.deny THEN c.labels = 0 OR r.labels & c.labels <> 0 ELSE r.labels & ~c.labels = 0 END
		GROUP BY o.key, o.subject, c.relation, c.consent, c.depth
	), decided AS (
		SELECT DISTINCT ON (m.key, m.subject, m.consent) m.* FROM matching m ORDER BY m.key, m.subject, m.consent, m.depth DESC, m.deny DESC
	), of_subject AS (
		SELECT o.key, o.subject, coalesce(bool_or(d.relation = 'own'), false) OR (count(d.key) > 0 AND NOT bool_or(d.deny)) AS opened
		FROM concerned o LEFT JOIN decided d ON d.key = o.key AND d.subject = o.subject GROUP BY o.key, o.subject
	)
	SELECT r.key,
		EXISTS (SELECT FROM plain p WHERE p.key = r.key) OR coalesce((SELECT bool_and(s.opened) FROM of_subject s WHERE s.key = r.key), false),
		(SELECT coalesce(jsonb_agg(DISTINCT b.reason), '[]')
			FROM (SELECT jsonb_strip_nulls(jsonb_build_object('relation', p.relation, 'basis', p.basis)) AS reason FROM plain p WHERE p.key = r.key
				UNION ALL
				SELECT jsonb_strip_nulls(jsonb_build_object('relation', d.relation, 'consent', d.consent, 'basis', d.basis, 'decision', CASE WHEN d.deny THEN 'deny' ELSE 'permit' END))
				FROM decided d WHERE d.key = r.key) AS b)
	FROM r;
END
$$;
COMMENT ON FUNCTION ehr_internal.access_reasons(jsonb, bigint[]) IS 'whether a principal may read rows, and by which rules and consents';

CREATE FUNCTION ehr.simulate_consent(consent jsonb, principal jsonb)
	RETURNS TABLE (type text, id text, now_allowed bool, then_allowed bool, because jsonb)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 100
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.simulate_consent(jsonb, jsonb) IS 'what a principal (kind, sub, org, purpose) may read of the own record now, and what if this Consent were given; without a Consent: who may read what, and why';

CREATE FUNCTION ehr_internal.simulate_consent(consent jsonb, principal jsonb)
	RETURNS TABLE (type text, id text, now_allowed bool, then_allowed bool, because jsonb)
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	asking jsonb := ehr_internal.require_session(ARRAY['citizen']);
	patient bigint;
	whose bigint := ehr_internal.own_person('citizen', asking ->> 'sub');
	keys bigint[];
	before jsonb;
	after jsonb;
BEGIN
	IF jsonb_typeof(principal) IS DISTINCT FROM 'object' OR principal ->> 'kind' IS NULL THEN
		RAISE invalid_parameter_value USING MESSAGE = 'a principal has a kind, and sub, org and purpose';
	END IF;
	IF consent IS NOT NULL THEN
		consent := (consent::ehr.fhir)::jsonb;
		SELECT k.key INTO patient FROM ehr_store.resource_key k
		WHERE k.type = ehr_internal.type_number('Patient') AND 'Patient/' || k.id = consent #>> '{patient,reference}';
		SELECT ehr_internal.person_root(l.person) INTO whose FROM ehr_store.person_link l WHERE l.subject = patient;
	END IF;
	IF ehr_internal.decides(asking ->> 'sub', whose) IS NULL THEN
		RAISE insufficient_privilege USING MESSAGE = 'only the citizen decides about the own record';
	END IF;
	keys := ARRAY(SELECT r.key FROM ehr_store.resource r WHERE NOT r.deleted AND r.subject IN (SELECT ehr_internal.subjects_of_person(whose)));
	before := (SELECT jsonb_object_agg(a.key, to_jsonb(a)) FROM ehr_internal.access_reasons(principal, keys) AS a);
	after := before;
	IF consent IS NOT NULL THEN
		BEGIN
			INSERT INTO ehr_store.consent_document (key, consent, subject, form, trusted, evidenced, given, given_for)
			VALUES (-1, gen_random_uuid(), patient, ehr_internal.consent_compile(consent, ehr_internal.consent_vocabulary()), true,
				consent #>> '{sourceAttachment,data}' IS NOT NULL, clock_timestamp(), (SELECT l.person FROM ehr_store.person_link l WHERE l.subject = patient));
			PERFORM ehr_internal.compile_consent(-1);
			-- a new version of a Consent that is there takes its place
			DELETE FROM ehr_store.compiled_right c USING ehr_store.consent_document d, ehr_store.resource_key k
			WHERE k.type = ehr_internal.type_number('Consent') AND k.id = simulate_consent.consent ->> 'id' AND d.key = k.key AND c.consent = d.consent;
			after := (SELECT jsonb_object_agg(a.key, to_jsonb(a)) FROM ehr_internal.access_reasons(principal, keys) AS a);
			RAISE SQLSTATE 'EHRSI';		-- undoes the trial
		EXCEPTION WHEN SQLSTATE 'EHRSI' THEN
			NULL;
		END;
	END IF;
	RETURN QUERY
	SELECT ehr_internal.type_name(r.type), r.id, (before -> r.key::text ->> 'allowed')::bool, (after -> r.key::text ->> 'allowed')::bool, after -> r.key::text -> 'because'
	FROM ehr_store.resource r WHERE r.key = ANY (keys) ORDER BY 1, 2;
END
$$;
COMMENT ON FUNCTION ehr_internal.simulate_consent(jsonb, jsonb) IS 'implementation of ehr.simulate_consent';

-- Closing: everything, a facility, a document, or an episode with all that refers to it, also what comes later.
CREATE FUNCTION ehr.close_record(person uuid, what text DEFAULT 'all', grantee text DEFAULT 'anybody', until timestamptz DEFAULT NULL) RETURNS uuid
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.close_record(uuid, text, text, timestamptz) IS 'the citizen closes all, facility:CODE, document:Type/id or episode:Encounter/id to a grantee; withdraw_consent opens it again';

CREATE FUNCTION ehr_internal.close_record(person uuid, what text, grantee text, until timestamptz) RETURNS uuid
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	episode text[] := regexp_match(what, '^episode:((?:Encounter|EpisodeOfCare)/[A-Za-z0-9.-]{1,64})$');
	named text[] := regexp_match(grantee, '^(practitioner|facility|unit):([A-Za-z0-9.-]{1,59})$');
	whose bigint;
	principal jsonb;
	patient text;
	doc jsonb;
BEGIN
	IF episode IS NULL THEN
		IF what IS NULL OR what !~ '^(all|facility:.*|document:.*)$' THEN
			RAISE invalid_parameter_value USING MESSAGE = 'a record is closed as all, facility:CODE, document:Type/id or episode:Encounter/id';
		END IF;
		RETURN ehr_internal.record_consent(person, true, grantee, what, NULL, until, NULL);
	END IF;
	principal := ehr_internal.require_session(ARRAY['citizen']);
	whose := ehr_internal.consenting_person(person, NULL);
	IF grantee IS DISTINCT FROM 'anybody' AND named IS NULL THEN
		RAISE invalid_parameter_value USING MESSAGE = 'a consent names no valid grantee',
			DETAIL = 'An episode is closed to practitioner:ID, facility:CODE, unit:CODE or anybody.';
	END IF;
	SELECT k.id INTO patient FROM ehr_internal.subjects_of_person(ehr_internal.person_root(whose)) AS s
		JOIN ehr_store.resource_key k ON k.key = s ORDER BY k.key LIMIT 1;
	IF patient IS NULL THEN
		RAISE insufficient_privilege USING MESSAGE = 'only the citizen decides about the own record';
	END IF;
	doc := jsonb_build_object('resourceType', 'Consent', 'id', gen_random_uuid()::text, 'status', 'active',
		'scope', '{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]}'::jsonb,
		'category', '[{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}]'::jsonb,
		'patient', jsonb_build_object('reference', 'Patient/' || patient),
		'dateTime', to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
		'policyRule', '{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "OPTOUT"}]}'::jsonb,
		'provision', jsonb_strip_nulls(jsonb_build_object('type', 'deny',
			'period', CASE WHEN until IS NOT NULL THEN jsonb_build_object('end', to_char(until AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')) END,
			'actor', CASE WHEN named IS NOT NULL THEN jsonb_build_array(jsonb_build_object(
				'role', '{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]}'::jsonb,
				'reference', jsonb_build_object('reference', CASE named[1] WHEN 'practitioner' THEN 'Practitioner/' WHEN 'unit' THEN 'Organization/unit-' ELSE 'Organization/' END || named[2]))) END,
			'data', jsonb_build_array(jsonb_build_object('meaning', 'dependents', 'reference', jsonb_build_object('reference', episode[1]))))));
	PERFORM ehr_internal.store_write(doc, ehr_internal.author_of(principal));
	PERFORM ehr_internal.audit_note('deny', 'consent ' || md5('Consent/' || (doc ->> 'id'))::uuid,
		ARRAY(SELECT ehr_internal.subjects_of_person(ehr_internal.person_root(whose))));
	RETURN md5('Consent/' || (doc ->> 'id'))::uuid;
END
$$;
COMMENT ON FUNCTION ehr_internal.close_record(uuid, text, text, timestamptz) IS 'implementation of ehr.close_record';

-- After a change of the tables of labels. Keys in ascending order; returns the last one looked at, null at the end.
CREATE FUNCTION ehr.relabel_step(after bigint, max_rows int DEFAULT 10000) RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.relabel_step(bigint, int) IS 'sets the labels of some resources and their past versions anew; returns the key to go on after, null at the end';

CREATE FUNCTION ehr_internal.relabel_step(after bigint, max_rows int) RETURNS bigint
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	keys bigint[] := ARRAY(SELECT r.key FROM ehr_store.resource r WHERE r.key > coalesce(after, 0) ORDER BY r.key LIMIT greatest(coalesce(max_rows, 10000), 1));
	changed bigint[];
BEGIN
	WITH anew AS MATERIALIZED (
		SELECT r.key, ehr_internal.labels_of(r.doc::jsonb, r.author, r.subject || coalesce(r.more_subjects, '{}')) AS labels
		FROM ehr_store.resource r WHERE r.key = ANY (keys) AND r.doc IS NOT NULL
	), done AS (
		UPDATE ehr_store.resource r SET labels = n.labels FROM anew n WHERE r.key = n.key AND r.labels <> n.labels
		RETURNING r.subject, r.more_subjects
	)
	SELECT array_agg(DISTINCT s) INTO changed FROM done d, unnest(d.subject || coalesce(d.more_subjects, '{}')) AS s WHERE s IS NOT NULL;
	UPDATE ehr_store.resource_history h
	SET labels = ehr_internal.labels_of(h.doc::jsonb, h.author, h.subject || coalesce(h.more_subjects, '{}'))
	WHERE h.key = ANY (keys) AND h.doc IS NOT NULL
		AND h.labels <> ehr_internal.labels_of(h.doc::jsonb, h.author, h.subject || coalesce(h.more_subjects, '{}'));
	-- a tombstone keeps what its last version had
	UPDATE ehr_store.resource r SET labels = h.labels
	FROM ehr_store.resource_history h
	WHERE r.key = ANY (keys) AND r.deleted AND h.key = r.key AND h.version = r.version - 1 AND r.labels <> h.labels;
	PERFORM ehr_internal.consents_again(changed);
	RETURN keys[cardinality(keys)];
END
$$;
COMMENT ON FUNCTION ehr_internal.relabel_step(bigint, int) IS 'implementation of ehr.relabel_step';

CREATE PROCEDURE ehr.relabel(max_rows int DEFAULT 10000)
	LANGUAGE plpgsql
AS $$
DECLARE
	place pg_catalog.int8 := 0;
BEGIN
	LOOP
		-- for this transaction; each of the following begins with the caller's own again
		PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
		place := ehr.relabel_step(place, max_rows);
		EXIT WHEN place IS NULL;
		COMMIT;
	END LOOP;
END
$$;
COMMENT ON PROCEDURE ehr.relabel(int) IS 'sets the sensitivity labels of all resources anew, in transactions of so many: after a change of ehr_internal.sensitivity_label and the like';

CREATE FUNCTION ehr_internal.create_consent_explain() RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	GRANT EXECUTE ON FUNCTION ehr.simulate_consent(jsonb, jsonb), ehr.close_record(uuid, text, text, timestamptz) TO ehr_app, ehr_query;
	GRANT EXECUTE ON FUNCTION ehr.relabel_step(bigint, int) TO ehr_admin;
	GRANT EXECUTE ON PROCEDURE ehr.relabel(int) TO ehr_admin;
END
$$;
COMMENT ON FUNCTION ehr_internal.create_consent_explain() IS 'grants of explaining, closing and labelling';

REVOKE EXECUTE ON FUNCTION ehr.simulate_consent(jsonb, jsonb), ehr.close_record(uuid, text, text, timestamptz), ehr.relabel_step(bigint, int) FROM PUBLIC;
REVOKE EXECUTE ON PROCEDURE ehr.relabel(int) FROM PUBLIC;
