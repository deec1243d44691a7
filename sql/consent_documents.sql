---------------------------------------------------------------------------------------------------
-- FHIR Consent resources: compiled at write into rows of ehr_store.compiled_right (doc/consent.md, "FHIR Consent")
---------------------------------------------------------------------------------------------------

CREATE FUNCTION ehr_internal.consent_compile(consent jsonb, vocabulary jsonb) RETURNS bytea
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100
	AS 'MODULE_PATHNAME', 'ehr_consent_compile';
COMMENT ON FUNCTION ehr_internal.consent_compile(jsonb, jsonb) IS 'a Consent in its compact form; 23514 when its provisions break a rule';

CREATE FUNCTION ehr_internal.consent_decide(form bytea, request jsonb) RETURNS jsonb
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 20
	AS 'MODULE_PATHNAME', 'ehr_consent_decide';
COMMENT ON FUNCTION ehr_internal.consent_decide(bytea, jsonb) IS 'what a compiled Consent decides about a request: decision, and the provision that decides with its depth';

CREATE FUNCTION ehr_internal.consent_covers_row(form bytea, node int, facts jsonb) RETURNS bool
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 20
	AS 'MODULE_PATHNAME', 'ehr_consent_covers_row';
COMMENT ON FUNCTION ehr_internal.consent_covers_row(bytea, int, jsonb) IS 'does a provision bear on a row, whoever asks and whenever?';

CREATE FUNCTION ehr_internal.consent_provisions(form bytea)
	RETURNS TABLE (node int, depth int2, deny bool, uncertain bool, starts timestamptz, ends timestamptz, recipients text[],
		actions text[], purposes text[], labels int, normal bool, types int2[], authors text[], finer bool)
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 5
	AS 'MODULE_PATHNAME', 'ehr_consent_provisions';
COMMENT ON FUNCTION ehr_internal.consent_provisions(bytea) IS 'the provisions of a compiled Consent in preorder; a criterion is null when it excludes nothing';

-- Codes of a Consent that are understood. Whatever is not here is unknown: no permit, but a denial.
CREATE TABLE ehr_internal.consent_code (
	list text NOT NULL CHECK (list IN ('role', 'action', 'securityLabel', 'policy')),
	system text NOT NULL,
	code text NOT NULL,
	means text NOT NULL,
	shipped bool NOT NULL DEFAULT false,
	PRIMARY KEY (list, system, code)
);
COMMENT ON TABLE ehr_internal.consent_code IS 'codes of a FHIR Consent that are understood; roles mean recipient, author or a kind of session, labels a name of ehr_internal.sensitivity_label, * or normal';
SELECT pg_catalog.pg_extension_config_dump('ehr_internal.consent_code', 'WHERE NOT shipped');
INSERT INTO ehr_internal.consent_code SELECT v.list, 'http://terminology.hl7.org/CodeSystem/' || v.system, c, coalesce(v.means, c), true
FROM (VALUES
	('role', 'v3-ParticipationType', 'PRCP,IRCP', 'recipient'),
	('role', 'v3-ParticipationType', 'AUT,CST', 'author'),
	('action', 'consentaction', 'collect,access,use,disclose,correct', NULL),
	('securityLabel', 'v3-ActCode', 'HIV', 'HIV'),
	('securityLabel', 'v3-ActCode', 'PSY,MH', 'mental health'),
	('securityLabel', 'v3-ActCode', 'SEX,STD', 'sexual and reproductive health'),
	('securityLabel', 'v3-ActCode', 'GDIS', 'genetics'),
	('securityLabel', 'v3-ActCode', 'ETH,SUD,ETHUD,OPIOIDUD', 'substance use'),
	('securityLabel', 'v3-Confidentiality', 'R,V', 'restricted'),
	('securityLabel', 'v3-Confidentiality', 'N,M,L,U', 'normal'),
	('policy', 'v3-ActCode', 'OPTOUT', 'deny')) AS v (list, system, codes, means), regexp_split_to_table(v.codes, ',') AS c;
INSERT INTO ehr_internal.consent_code VALUES ('securityLabel', 'urn:ehr:label', '*', '*', true);
INSERT INTO ehr_internal.consent_code
SELECT 'role', 'urn:ehr:kind', k, k, true FROM unnest('{citizen,clinician,facility,station,department,insurer}'::text[]) AS k;

CREATE FUNCTION ehr_internal.consent_vocabulary() RETURNS jsonb
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (
		SELECT jsonb_object_agg(l.list, l.words)
		FROM (SELECT c.list, jsonb_object_agg(c.system || '|' || c.code, coalesce(b.bit, c.means)) AS words
			FROM ehr_internal.consent_code c
			LEFT JOIN LATERAL (SELECT min(s.bit)::text AS bit FROM ehr_internal.sensitivity_label s
				WHERE c.list = 'securityLabel' AND lower(s.name) = lower(c.means)) AS b ON true
			GROUP BY c.list
			UNION ALL
			SELECT 'purpose', jsonb_object_agg('http://terminology.hl7.org/CodeSystem/v3-ActReason|' || p.code, p.code)
			FROM ehr_store.purpose_of_use p) AS l);
END
$$;
COMMENT ON FUNCTION ehr_internal.consent_vocabulary() IS 'what ehr_internal.consent_compile() understands, from the tables';

-- When what a resource tells of happened: the first path that finds something.
CREATE TABLE ehr_internal.data_time (
	ordinal int PRIMARY KEY,
	starts jsonpath NOT NULL,
	ends jsonpath NOT NULL,
	shipped bool NOT NULL DEFAULT false
);
COMMENT ON TABLE ehr_internal.data_time IS 'where a resource says of what time its data is, for dataPeriod of a Consent';
SELECT pg_catalog.pg_extension_config_dump('ehr_internal.data_time', 'WHERE NOT shipped');
INSERT INTO ehr_internal.data_time
SELECT n, ('$.' || coalesce(nullif(split_part(p, ' ', 1), ''), p))::jsonpath, ('$.' || coalesce(nullif(split_part(p, ' ', 2), ''), p))::jsonpath, true
FROM unnest('{effectiveDateTime,effectivePeriod.start effectivePeriod.end,effectiveInstant,occurrenceDateTime,occurrencePeriod.start occurrencePeriod.end,
	performedDateTime,performedPeriod.start performedPeriod.end,onsetDateTime,onsetPeriod.start onsetPeriod.end,period.start period.end,
	servicedDate,started,whenHandedOver,whenPrepared,authoredOn,recordedDate,assertedDate,date,issued,created,sent,start end}'::text[])
	WITH ORDINALITY AS v (p, n);

-- What a Consent may ask about a row, as the request of ehr_internal.consent_decide(). deny: a denial looks at all codings, a permit
-- at what says what the resource is.
CREATE FUNCTION ehr_internal.document_facts(type int2, id text, author text, labels int, doc jsonb, deny bool) RETURNS jsonb
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	facts jsonb := jsonb_build_object('type', ehr_internal.type_name(type), 'self', ehr_internal.type_name(type) || '/' || id, 'labels', labels);
	whole jsonb;
BEGIN
	IF doc IS NULL THEN RETURN facts; END IF;
	SELECT jsonb_build_object('start', s.v, 'end', e.v) INTO whole
	FROM ehr_internal.data_time t, jsonb_path_query_first(doc, t.starts) AS s (v), jsonb_path_query_first(doc, t.ends) AS e (v)
	WHERE s.v IS NOT NULL ORDER BY t.ordinal LIMIT 1;
	RETURN facts || jsonb_build_object(
		'data', whole,
		'codes', (SELECT coalesce(jsonb_agg(DISTINCT (c ->> 'system') || '|' || (c ->> 'code')), '[]')
			FROM jsonb_path_query(doc, CASE WHEN deny THEN 'lax $.**.coding[*]'
				ELSE 'lax $.keyvalue() ? (@.key == "code" || @.key == "vaccineCode" || @.key == "medicationCodeableConcept" || @.key == "type").value.coding[*]' END::jsonpath) AS c
			WHERE c ->> 'system' IS NOT NULL AND c ->> 'code' IS NOT NULL),
		'authors', (SELECT coalesce(jsonb_agg(DISTINCT a.name), '[]')
			FROM (SELECT 'Organization/' || author AS name WHERE author IS NOT NULL
				UNION
				SELECT regexp_replace(r #>> '{}', '/_history/.*$', '') FROM jsonb_path_query(doc,
					'lax $.keyvalue() ? (@.key == "author" || @.key == "performer" || @.key == "recorder" || @.key == "asserter" || @.key == "requester" || @.key == "participant").value.**.reference') AS r
				WHERE starts_with(r #>> '{}', 'Practitioner/')) AS a),
		'refers', (SELECT coalesce(jsonb_agg(DISTINCT regexp_replace(r #>> '{}', '/_history/.*$', '')), '[]')
			FROM jsonb_path_query(doc, 'lax $.**.reference') AS r WHERE jsonb_typeof(r) = 'string'));
END
$$;
COMMENT ON FUNCTION ehr_internal.document_facts(int2, text, text, int, jsonb, bool) IS 'what a FHIR Consent may ask about one version of a resource';

-- Keys of the patients' resources that a provision bears on: in a denial when any version does, in a permit when all do.
CREATE FUNCTION ehr_internal.documents_covered(form bytea, node int, deny bool, subjects bigint[]) RETURNS bigint[]
	LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (
		WITH row_now AS MATERIALIZED (
			SELECT r.key, r.type, r.id FROM ehr_store.resource r WHERE r.subject = ANY (subjects)
			UNION
			SELECT r.key, r.type, r.id FROM ehr_store.resource r WHERE r.more_subjects && subjects
		), version AS MATERIALIZED (
			SELECT n.key, v.doc IS NULL AS empty, ehr_internal.document_facts(n.type, n.id, v.author, v.labels, v.doc, deny) AS facts
			FROM row_now n CROSS JOIN LATERAL (
				SELECT r.author, r.labels, r.doc::jsonb AS doc FROM ehr_store.resource r WHERE r.key = n.key
				UNION ALL
				SELECT h.author, h.labels, h.doc::jsonb FROM ehr_store.resource_history h WHERE h.key = n.key) AS v
		), referring AS (
			SELECT t.name, jsonb_agg(DISTINCT v.facts -> 'self') AS by
			FROM version v, jsonb_array_elements_text(v.facts -> 'refers') AS t (name) GROUP BY t.name
		), judged AS (
			SELECT v.key, ehr_internal.consent_covers_row(form, node,
				v.facts || jsonb_build_object('referred_by', coalesce(f.by, '[]'))) AS covered
			FROM version v LEFT JOIN referring f ON f.name = v.facts ->> 'self'
			WHERE NOT v.empty OR NOT EXISTS (SELECT FROM version o WHERE o.key = v.key AND NOT o.empty)
		)
		SELECT array_agg(g.key ORDER BY g.key)
		FROM (SELECT j.key FROM judged j GROUP BY j.key
			HAVING CASE WHEN deny THEN bool_or(j.covered) ELSE bool_and(j.covered) END) AS g);
END
$$;
COMMENT ON FUNCTION ehr_internal.documents_covered(bytea, int, bool, bigint[]) IS 'keys of resources that a provision bears on; null for none';

-- The names under which sessions ask, from names of a Consent's actors. Unlinked patients cannot log in.
CREATE FUNCTION ehr_internal.grantees_named(names text[]) RETURNS text[]
	LANGUAGE plpgsql STABLE STRICT PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN ARRAY(
		SELECT DISTINCT n.kind || g.name
		FROM (SELECT coalesce(substring(x FROM '^[a-z]+@'), '') AS kind, split_part(regexp_replace(x, '^[a-z]+@', ''), '/', 1) AS type,
				split_part(regexp_replace(x, '^[a-z]+@', ''), '/', 2) AS id FROM unnest(names) AS x) AS n
		CROSS JOIN LATERAL (
			SELECT 'practitioner:' || n.id WHERE n.type = 'Practitioner'
			UNION ALL SELECT 'unit:' || substr(n.id, 6) WHERE n.type = 'Organization' AND n.id LIKE 'unit-%'
			UNION ALL SELECT p || n.id FROM unnest('{facility:,insurer:}'::text[]) AS p WHERE n.type = 'Organization' AND n.id NOT LIKE 'unit-%'
			UNION ALL SELECT 'person:' || ehr_internal.person_of_subject(k.key) FROM ehr_store.resource_key k
				WHERE n.type = 'Patient' AND k.type = ehr_internal.type_number('Patient') AND k.id = n.id) AS g (name)
		WHERE g.name IS NOT NULL);
END
$$;
COMMENT ON FUNCTION ehr_internal.grantees_named(text[]) IS 'grantees that the actors of a Consent are';

-- What all provisions from the root to one say together. sure: names that must hold for a permit; maybe: of a denial.
CREATE TYPE ehr_internal.provision_so_far AS (
	dead bool, starts timestamptz, ends timestamptz, sure text[], maybe text[], purposes text[], types int2[], facilities text[],
	labels int, normal bool, exact bool
);
COMMENT ON TYPE ehr_internal.provision_so_far IS 'criteria of a provision and of those around it, together';

CREATE FUNCTION ehr_internal.both(a anyarray, b anyarray) RETURNS anyarray
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$ SELECT CASE WHEN a IS NULL THEN b WHEN b IS NULL THEN a ELSE ARRAY(SELECT unnest(a) INTERSECT SELECT unnest(b)) END $$;
COMMENT ON FUNCTION ehr_internal.both(anyarray, anyarray) IS 'what is in both lists; null is everything';

-- A provision added to what stands around it. Practitioner and facility may be the same session, two facilities may not.
CREATE FUNCTION ehr_internal.provision_within(around ehr_internal.provision_so_far, p record) RETURNS ehr_internal.provision_so_far
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	so_far ehr_internal.provision_so_far := around;
	names text[] := ehr_internal.grantees_named(p.recipients);
	facilities text[];
BEGIN
	so_far.starts := greatest(so_far.starts, p.starts);
	so_far.ends := least(so_far.ends, p.ends);
	so_far.purposes := ehr_internal.both(so_far.purposes, p.purposes);
	so_far.types := ehr_internal.both(so_far.types, p.types);
	IF p.authors IS NOT NULL THEN
		so_far.exact := so_far.exact AND NOT EXISTS (SELECT FROM unnest(p.authors) AS a WHERE a NOT LIKE 'Organization/%');
		facilities := ARRAY(SELECT substr(a, 14) FROM unnest(p.authors) AS a WHERE a LIKE 'Organization/%');
		IF so_far.exact THEN so_far.facilities := ehr_internal.both(so_far.facilities, facilities); END IF;
	END IF;
	IF names IS NOT NULL THEN
		so_far.maybe := CASE WHEN around.maybe IS NULL THEN names ELSE ARRAY(
			SELECT n FROM unnest(names) AS n WHERE n = ANY (around.maybe)
				OR EXISTS (SELECT FROM unnest(around.maybe) AS m WHERE split_part(m, ':', 1) <> split_part(n, ':', 1))) END;
		so_far.sure := ehr_internal.both(around.sure, names);
	END IF;
	so_far.exact := so_far.exact AND NOT coalesce(p.finer, false);
	so_far.dead := so_far.dead OR so_far.starts >= so_far.ends OR cardinality(so_far.maybe) = 0 OR cardinality(so_far.purposes) = 0
		OR cardinality(so_far.types) = 0 OR (so_far.exact AND cardinality(so_far.facilities) = 0)
		OR coalesce(NOT 'access' = ANY (p.actions), false)
		OR (NOT p.deny AND coalesce(p.uncertain, false));
	RETURN so_far;
END
$$;
COMMENT ON FUNCTION ehr_internal.provision_within(ehr_internal.provision_so_far, record) IS 'criteria of a provision together with those of the provisions around it';

-- Can the labels be said with one mask? Sets the mask of a row of compiled_right; null when they cannot.
CREATE FUNCTION ehr_internal.row_labels(around ehr_internal.provision_so_far, deny bool, labels int, normal bool) RETURNS int
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	RETURN CASE
		WHEN around.labels IS NULL AND labels IS NULL THEN 0
		WHEN around.labels IS NULL THEN CASE WHEN normal IS NOT TRUE = deny THEN labels END
		WHEN labels IS NULL AND deny AND around.normal IS NOT TRUE THEN around.labels END;
COMMENT ON FUNCTION ehr_internal.row_labels(ehr_internal.provision_so_far, bool, int, bool) IS 'labels of a compiled right for a provision within others; null when they take a look at the rows';

-- The rows of one Consent anew. A Consent that nobody may rely on for permits (trusted) only closes.
CREATE FUNCTION ehr_internal.compile_consent(consent_key bigint) RETURNS void
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	d ehr_store.consent_document;
	p record;
	way ehr_internal.provision_so_far[];
	around ehr_internal.provision_so_far;
	so_far ehr_internal.provision_so_far;
	whose bigint;
	subjects bigint[];
	mask int;
	listed bigint[];
	finer bool := false;
	relied_on bool;
BEGIN
	-- changed, not only locked: who compiles it at the same time under an older snapshot fails and comes again
	UPDATE ehr_store.consent_document c SET compiled = clock_timestamp() WHERE c.key = consent_key RETURNING c.* INTO d;
	DELETE FROM ehr_store.compiled_right r WHERE r.consent = d.consent;
	SELECT l.person INTO whose FROM ehr_store.person_link l WHERE l.subject = d.subject;
	IF whose IS NULL THEN RETURN; END IF;		-- compiled when the patient is known to be somebody
	-- what somebody permits for himself does not go over to who the patient is said to be later
	relied_on := coalesce(d.trusted AND d.given_for = whose, false);
	subjects := ARRAY(SELECT l.subject FROM ehr_store.person_link l WHERE l.person = ANY (ehr_internal.person_cluster(ARRAY[whose])));
	FOR p IN SELECT * FROM ehr_internal.consent_provisions(d.form) LOOP
		around := CASE WHEN p.depth = 1 THEN ROW(false, '-infinity', 'infinity', NULL, NULL, NULL, NULL, NULL, NULL, NULL, true)::ehr_internal.provision_so_far
			ELSE way[p.depth - 1] END;
		so_far := ehr_internal.provision_within(around, p);
		mask := ehr_internal.row_labels(around, p.deny, p.labels, p.normal);
		IF p.labels IS NOT NULL THEN
			so_far.exact := so_far.exact AND around.labels IS NULL;
			so_far.labels := p.labels;
			so_far.normal := p.normal;
		END IF;
		way[p.depth] := so_far;
		CONTINUE WHEN so_far.dead OR (NOT p.deny AND (NOT relied_on OR cardinality(so_far.sure) = 0));
		listed := NULL;
		IF mask IS NULL OR NOT so_far.exact THEN
			finer := true;
			listed := ehr_internal.documents_covered(d.form, p.node, p.deny, subjects);
			CONTINUE WHEN listed IS NULL;
		END IF;
		INSERT INTO ehr_store.compiled_right (consent, line, relation, grantee, person, deny, depth, purposes, types, labels, facilities, documents, valid, evidenced, basis, given)
		-- consent is for a purpose: a permit that names none is for care
		SELECT d.consent, p.node, 'consent', g, whose, p.deny, p.depth,
			coalesce(so_far.purposes, CASE WHEN NOT p.deny THEN ARRAY['TREAT', 'ETREAT'] END), CASE WHEN listed IS NULL THEN so_far.types END,
			CASE WHEN listed IS NULL THEN mask WHEN p.deny THEN 0 ELSE -1 END, CASE WHEN listed IS NULL THEN so_far.facilities END, listed,
			tstzrange(so_far.starts, so_far.ends), d.evidenced, NULL, d.given
		FROM unnest(coalesce(CASE WHEN p.deny THEN so_far.maybe ELSE so_far.sure END, '{anybody}')) AS g;
	END LOOP;
	UPDATE ehr_store.consent_document c SET per_document = finer WHERE c.key = consent_key AND c.per_document <> finer;
END
$$;
COMMENT ON FUNCTION ehr_internal.compile_consent(bigint) IS 'makes the compiled rights of a Consent resource anew';

CREATE FUNCTION ehr_internal.recompile_consents() RETURNS bigint
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	d record;
	n bigint := 0;
BEGIN
	FOR d IN SELECT c.key, r.doc::jsonb AS doc FROM ehr_store.consent_document c JOIN ehr_store.resource r ON r.key = c.key AND NOT r.deleted LOOP
		UPDATE ehr_store.consent_document c SET form = ehr_internal.consent_compile(d.doc, ehr_internal.consent_vocabulary()) WHERE c.key = d.key;
		PERFORM ehr_internal.compile_consent(d.key);
		n := n + 1;
	END LOOP;
	RETURN n;
END
$$;
COMMENT ON FUNCTION ehr_internal.recompile_consents() IS 'compiles all Consent resources anew: after a change of codes, purposes or labels';

-- May this session's Consent open anything? That of the citizen, or of who may decide for him; others only close.
CREATE FUNCTION ehr_internal.consent_trusted(subject bigint) RETURNS bool
	LANGUAGE plpgsql STABLE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	principal jsonb := ehr.session();
	whose bigint;
BEGIN
	IF principal ->> 'kind' IS DISTINCT FROM 'citizen' THEN RETURN false; END IF;
	SELECT ehr_internal.person_root(l.person) INTO whose FROM ehr_store.person_link l WHERE l.subject = consent_trusted.subject;
	RETURN coalesce(ehr_internal.decides_alone(principal ->> 'sub', whose), false);
END
$$;
COMMENT ON FUNCTION ehr_internal.consent_trusted(bigint) IS 'may the session decide alone for this patient?';

-- Who agrees to this patient's Consent in this session when two must agree, child and representative: his person; null else.
CREATE FUNCTION ehr_internal.consent_signer(subject bigint) RETURNS bigint
	LANGUAGE plpgsql STABLE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	principal jsonb := ehr.session();
	whose bigint := (SELECT ehr_internal.person_root(l.person) FROM ehr_store.person_link l WHERE l.subject = consent_signer.subject);
BEGIN
	IF principal ->> 'kind' IS DISTINCT FROM 'citizen' OR ehr_internal.decides(principal ->> 'sub', whose) IS DISTINCT FROM 'together' THEN
		RETURN NULL;
	END IF;
	RETURN ehr_internal.own_person('citizen', principal ->> 'sub');
END
$$;
COMMENT ON FUNCTION ehr_internal.consent_signer(bigint) IS 'person of a citizen''s session that may decide for this patient together with another one';

CREATE FUNCTION ehr_internal.form_denies(form bytea) RETURNS bool
	LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN EXISTS (SELECT FROM ehr_internal.consent_provisions(form) AS p WHERE p.deny);
END
$$;
COMMENT ON FUNCTION ehr_internal.form_denies(bytea) IS 'has a compiled Consent a denial anywhere?';

-- What is closed is opened by who decides alone: neither child nor representative replaces or removes a Consent that denies.
CREATE FUNCTION ehr_internal.require_may_open(resource_key bigint) RETURNS void
	LANGUAGE plpgsql STABLE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	principal jsonb := ehr.session();
BEGIN
	IF principal ->> 'kind' = 'citizen' AND EXISTS (
		SELECT FROM ehr_store.consent_document c LEFT JOIN ehr_store.person_link l ON l.subject = c.subject
		WHERE c.key = resource_key AND ehr_internal.form_denies(c.form)
			AND NOT ehr_internal.decides_alone(principal ->> 'sub', ehr_internal.person_root(l.person))) THEN
		RAISE insufficient_privilege USING MESSAGE = 'what was closed is opened by who decides alone',
			DETAIL = 'A Consent that denies something is neither replaced nor removed by a child or who represents it.';
	END IF;
END
$$;
COMMENT ON FUNCTION ehr_internal.require_may_open(bigint) IS 'error 42501 when a citizen''s session that does not decide alone changes a Consent that denies';

CREATE FUNCTION ehr_internal.consent_written(resource_key bigint, doc jsonb, subjects bigint[], removed bool) RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	compiled bytea;
BEGIN
	PERFORM ehr_internal.require_may_open(resource_key);
	-- waits for documents of the patient that are being written, and they for it: each must know of the other
	UPDATE ehr_store.patient_fact f SET dead = f.dead WHERE f.subject = ANY (subjects);
	IF removed THEN
		DELETE FROM ehr_store.compiled_right r USING ehr_store.consent_document c WHERE c.key = resource_key AND r.consent = c.consent;
		DELETE FROM ehr_store.consent_document c WHERE c.key = resource_key;
		RETURN;
	END IF;
	compiled := ehr_internal.consent_compile(doc, ehr_internal.consent_vocabulary());
	IF cardinality(subjects) IS DISTINCT FROM 1 AND doc ->> 'status' = 'active' AND length(compiled) > 3 THEN
		RAISE check_violation USING MESSAGE = 'a Consent''s provisions cannot be decided by',
			DETAIL = 'Consent.patient: names no patient of this server, as Patient/id.';
	END IF;
	IF subjects IS NULL THEN RETURN; END IF;
	INSERT INTO ehr_store.consent_document AS c (key, consent, subject, form, trusted, evidenced, signed_by, given, given_for)
	VALUES (resource_key, md5('Consent/' || (doc ->> 'id'))::uuid, subjects[1], compiled, ehr_internal.consent_trusted(subjects[1]),
		doc #>> '{sourceAttachment,data}' IS NOT NULL, ehr_internal.consent_signer(subjects[1]), clock_timestamp(), (SELECT l.person FROM ehr_store.person_link l WHERE l.subject = subjects[1]))
	ON CONFLICT (key) DO UPDATE SET subject = excluded.subject, form = excluded.form, trusted = excluded.trusted, evidenced = excluded.evidenced,
		signed_by = excluded.signed_by, given = excluded.given, given_for = excluded.given_for;
	PERFORM ehr_internal.compile_consent(resource_key);
	IF current_setting('transaction_isolation') <> 'read committed'
		AND EXISTS (SELECT FROM ehr_store.consent_document c WHERE c.key = resource_key AND c.per_document) THEN
		RAISE feature_not_supported USING MESSAGE = 'a Consent that looks at single documents is written in READ COMMITTED',
			DETAIL = 'An older snapshot does not know all documents of the patient.';
	END IF;
END
$$;
COMMENT ON FUNCTION ehr_internal.consent_written(bigint, jsonb, bigint[], bool) IS 'a Consent was stored or removed: what it decides holds from now on';

-- Ends a Consent resource: its next version is inactive. A denial that an administrator may not end stays.
CREATE FUNCTION ehr_internal.withdraw_document(consent uuid, principal jsonb) RETURNS bigint
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	d record;
BEGIN
	SELECT r.doc::jsonb AS doc, r.author, c.form, l.person, ehr_internal.person_root(l.person) AS root INTO d
	FROM ehr_store.consent_document c JOIN ehr_store.resource r ON r.key = c.key JOIN ehr_store.person_link l ON l.subject = c.subject
	WHERE c.consent = withdraw_document.consent AND length(c.form) > 3;
	-- of child and representative one is enough to end what only grants
	IF NOT FOUND OR principal ->> 'kind' <> 'citizen' OR ehr_internal.decides(principal ->> 'sub', d.root) IS NULL
		OR (ehr_internal.form_denies(d.form) AND NOT ehr_internal.decides_alone(principal ->> 'sub', d.root)) THEN
		RETURN NULL;
	END IF;
	PERFORM ehr_internal.store_write(jsonb_set(d.doc, '{status}', '"inactive"'), d.author);
	RETURN d.person;
END
$$;
COMMENT ON FUNCTION ehr_internal.withdraw_document(uuid, jsonb) IS 'makes a Consent resource inactive for who decides about the record; returns the person, null when there is nothing to end';

-- New or changed resources of patients with a Consent that looks at single documents.
CREATE FUNCTION ehr_internal.consents_again(subjects bigint[]) RETURNS void
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	persons bigint[] := ARRAY(SELECT l.person FROM ehr_store.person_link l WHERE l.subject = ANY (subjects));
BEGIN
	-- mostly nobody was merged with anybody
	IF EXISTS (SELECT FROM ehr_store.person p WHERE p.key = ANY (persons) AND p.merged_into IS NOT NULL)
		OR EXISTS (SELECT FROM ehr_store.person p WHERE p.merged_into = ANY (persons)) THEN
		persons := ehr_internal.person_cluster(persons);
	END IF;
	PERFORM ehr_internal.compile_consent(c.key)
	FROM ehr_store.person_link l JOIN ehr_store.consent_document c ON c.subject = l.subject
	WHERE l.person = ANY (persons) AND c.per_document;
END
$$;
COMMENT ON FUNCTION ehr_internal.consents_again(bigint[]) IS 'compiles anew the Consents of patients that look at single documents';

-- What follows a write in room consent; ehr_internal.store_write and store_remove call it.
CREATE FUNCTION ehr_internal.after_write(resource_key bigint, type_no int2, doc jsonb, subjects bigint[], removed bool) RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF type_no = ehr_internal.type_number('Consent') THEN
		PERFORM ehr_internal.consent_written(resource_key, doc, subjects, removed);
	ELSIF type_no = ehr_internal.type_number('Patient') THEN
		PERFORM ehr_internal.patient_written(resource_key, doc, removed);
	ELSE
		PERFORM FROM ehr_store.patient_fact f WHERE f.subject = ANY (subjects) FOR SHARE;
	END IF;
	IF subjects IS NOT NULL AND EXISTS (SELECT FROM ehr_store.consent_document c WHERE c.per_document) THEN
		PERFORM ehr_internal.consents_again(subjects);
	END IF;
END
$$;
COMMENT ON FUNCTION ehr_internal.after_write(bigint, int2, jsonb, bigint[], bool) IS 'brings consents and what is known of patients up to a resource just written';

-- One link of a registration, or millions of link_all: of very many everybody looks again, whatever their unit.
CREATE FUNCTION ehr_internal.links_changed() RETURNS trigger
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	many CONSTANT bool := (SELECT count(*) FROM (SELECT FROM changed_links LIMIT 1001) AS n) > 1000;
BEGIN
	-- this runs at every registration, and most have none of all this
	IF EXISTS (SELECT FROM changed_links n JOIN ehr_store.consent_document c ON c.subject = n.subject) THEN
		UPDATE ehr_store.patient_fact f SET dead = f.dead
		WHERE f.subject IN (SELECT c.subject FROM ehr_store.consent_document c JOIN changed_links n ON n.subject = c.subject);
		PERFORM ehr_internal.compile_consent(c.key) FROM ehr_store.consent_document c WHERE c.subject IN (SELECT n.subject FROM changed_links n);
	END IF;
	-- residents of a station, and who acts for a person, when its patients become known
	IF many THEN
		PERFORM ehr_internal.consent_concerns_all();
	ELSE
		PERFORM ehr_internal.consent_concerns(n.person, 'unit:' || ehr_internal.unit_then(f.unit, f.unit_from, ehr_internal.today()))
		FROM changed_links n JOIN ehr_store.patient_fact f ON f.subject = n.subject WHERE f.unit IS NOT NULL;
	END IF;
	IF EXISTS (SELECT FROM ehr_store.representation) THEN
		-- in bulk: only those whom somebody acts for, and of merged persons those whose other identities somebody acts for
		PERFORM ehr_internal.compile_family(c.person)
		FROM (
			SELECT n.person FROM changed_links n JOIN ehr_store.representation e ON e.person = n.person
			UNION
			SELECT n.person FROM changed_links n JOIN ehr_store.person p ON p.key = n.person AND p.merged_into IS NOT NULL
			UNION
			SELECT n.person FROM changed_links n JOIN ehr_store.person p ON p.merged_into = n.person) AS c
		WHERE EXISTS (SELECT FROM ehr_store.representation e WHERE e.person = ANY (ehr_internal.person_cluster(ARRAY[c.person])));
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION ehr_internal.links_changed() IS 'trigger on ehr_store.person_link: Consents of patients who are somebody else now, or for the first time';

CREATE FUNCTION ehr_internal.persons_merged() RETURNS trigger
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	cluster bigint[] := ehr_internal.person_cluster(array_remove(ARRAY[NEW.key, OLD.merged_into, NEW.merged_into], NULL));
BEGIN
	PERFORM ehr_internal.compile_consent(c.key)
	FROM ehr_store.consent_document c JOIN ehr_store.person_link l ON l.subject = c.subject WHERE c.per_document AND l.person = ANY (cluster);
	PERFORM ehr_internal.compile_family(e.person) FROM (SELECT DISTINCT e.person FROM ehr_store.representation e WHERE e.person = ANY (cluster)) AS e;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION ehr_internal.persons_merged() IS 'trigger on ehr_store.person: after a merge or its undoing Consents look at all documents of who is one now, and age is that of all records';

CREATE FUNCTION ehr_internal.create_consent_documents() RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE TABLE IF NOT EXISTS ehr_store.consent_document (
		key bigint PRIMARY KEY,
		consent uuid NOT NULL UNIQUE,
		subject bigint NOT NULL,
		form bytea NOT NULL,
		trusted bool NOT NULL,
		evidenced bool NOT NULL,
		per_document bool NOT NULL DEFAULT false,
		compiled timestamptz NOT NULL DEFAULT now(),
		signed_by bigint,
		given timestamptz,
		given_for bigint
	);
	-- a store of before there were these columns: what is relied on is so for who the patient is now
	IF NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = 'ehr_store.consent_document'::regclass AND a.attname = 'given_for') THEN
		ALTER TABLE ehr_store.consent_document ADD COLUMN signed_by bigint, ADD COLUMN given timestamptz, ADD COLUMN given_for bigint;
		UPDATE ehr_store.consent_document d SET given = r.recorded, given_for = l.person
		FROM ehr_store.resource r, ehr_store.person_link l WHERE r.key = d.key AND l.subject = d.subject;
		UPDATE ehr_store.compiled_right c SET given = d.given FROM ehr_store.consent_document d WHERE d.consent = c.consent;
	END IF;
	COMMENT ON COLUMN ehr_store.consent_document.given IS 'when it was written or confirmed';
	COMMENT ON COLUMN ehr_store.consent_document.given_for IS 'who the patient was then: its permits are of that person alone';
	COMMENT ON COLUMN ehr_store.consent_document.signed_by IS 'of two that must agree, child and representative, the one that has';
	COMMENT ON TABLE ehr_store.consent_document IS 'Consent resources, compiled (src/core/consent_tree.h); their rows in compiled_right are made of this';
	COMMENT ON COLUMN ehr_store.consent_document.trusted IS 'written or confirmed by who may decide for the patient; else only its denials count';
	COMMENT ON COLUMN ehr_store.consent_document.per_document IS 'some provisions look at single documents, so a new document compiles it again';
	CREATE INDEX IF NOT EXISTS consent_document_subject ON ehr_store.consent_document (subject);
	CREATE INDEX IF NOT EXISTS consent_document_finer ON ehr_store.consent_document (subject) WHERE per_document;
	CREATE INDEX IF NOT EXISTS resource_more_subjects ON ehr_store.resource USING gin (more_subjects) WHERE more_subjects IS NOT NULL;
	IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'ehr_store.person_link'::regclass AND tgname = 'links_added') THEN
		CREATE TRIGGER links_added AFTER INSERT ON ehr_store.person_link REFERENCING NEW TABLE AS changed_links
			FOR EACH STATEMENT EXECUTE FUNCTION ehr_internal.links_changed();
		CREATE TRIGGER links_changed AFTER UPDATE ON ehr_store.person_link REFERENCING NEW TABLE AS changed_links
			FOR EACH STATEMENT EXECUTE FUNCTION ehr_internal.links_changed();
		CREATE TRIGGER persons_merged AFTER UPDATE OF merged_into ON ehr_store.person
			FOR EACH ROW WHEN (OLD.merged_into IS DISTINCT FROM NEW.merged_into) EXECUTE FUNCTION ehr_internal.persons_merged();
	END IF;
END
$$;
COMMENT ON FUNCTION ehr_internal.create_consent_documents() IS 'tables of FHIR Consent resources';
