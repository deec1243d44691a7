---------------------------------------------------------------------------------------------------
-- dsr: requests of data subjects with the law's clocks, disclosures and notices of withdrawal, family secrets,
-- erasure, incidents (doc/requests.md)
---------------------------------------------------------------------------------------------------

-- The calendar ---------------------------------------------------------------------------------------

CREATE FUNCTION ehr_internal.is_working_day(day date) RETURNS bool
	LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN coalesce((SELECT h.working FROM ehr_store.holiday h WHERE h.day = is_working_day.day), extract(isodow FROM day) < 6);
END
$$;
COMMENT ON FUNCTION ehr_internal.is_working_day(date) IS 'is it a working day? Monday to Friday, unless ehr_store.holiday says otherwise';

-- The last moment of the n-th day after the day of `since`, in Vietnam's time.
CREATE FUNCTION ehr_internal.deadline(since timestamptz, n int, working bool) RETURNS timestamptz
	LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	day date := (since AT TIME ZONE 'Asia/Ho_Chi_Minh')::date;
	left_over int := n;
BEGIN
	WHILE working AND left_over > 0 LOOP
		day := day + 1;
		IF ehr_internal.is_working_day(day) THEN left_over := left_over - 1; END IF;
	END LOOP;
	IF NOT working THEN day := day + n; END IF;
	RETURN (day + 1)::timestamp AT TIME ZONE 'Asia/Ho_Chi_Minh';
END
$$;
COMMENT ON FUNCTION ehr_internal.deadline(timestamptz, int, bool) IS 'end of the n-th day after a moment, of working days or of all days';

CREATE FUNCTION ehr.load_holidays(days date[], name text, working bool DEFAULT false) RETURNS int
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.load_holidays(date[], text, bool) IS 'public holidays, or with working days that are worked though they fall on a weekend; deadlines not yet set follow them';
REVOKE EXECUTE ON FUNCTION ehr.load_holidays(date[], text, bool) FROM PUBLIC;

CREATE FUNCTION ehr_internal.load_holidays(days date[], name text, working bool) RETURNS int
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	n int;
BEGIN
	INSERT INTO ehr_store.holiday AS h (day, name, working)
	SELECT DISTINCT d, load_holidays.name, load_holidays.working FROM unnest(days) AS d WHERE d IS NOT NULL
	ON CONFLICT ON CONSTRAINT holiday_pkey DO UPDATE SET name = excluded.name, working = excluded.working;
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN n;
END
$$;
COMMENT ON FUNCTION ehr_internal.load_holidays(date[], text, bool) IS 'implementation of ehr.load_holidays';

-- Who had the data -----------------------------------------------------------------------------------

-- Everybody who read a person's record or to whom it was disclosed; not the person. sub is the human of a read, consent what a
-- disclosure rested on.
CREATE FUNCTION ehr_internal.recipients_of(whose bigint) RETURNS TABLE (recipient text, sub text, consent uuid)
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE ROWS 20
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	persons uuid[] := ehr_internal.identities_of(whose);
BEGIN
	PERFORM ehr_internal.audit_catch_up();
	RETURN QUERY
	SELECT d.recipient, NULL::text, d.consent FROM ehr_store.disclosure d WHERE d.person = ANY (persons)
	UNION
	SELECT coalesce('facility:' || nullif(i.org, ''), 'practitioner:' || i.sub), i.sub, NULL
	FROM ehr_store.audit_event a JOIN ehr_store.audit_event i ON i.intent = a.intent AND i.kind <> 'admit'
	WHERE a.kind = 'admit' AND a.subjects && ARRAY(SELECT ehr_internal.subjects_of_person(ehr_internal.person_root(whose))) AND a.subjects <> '{}'
		AND i.sub IS NOT NULL AND i.sub <> ALL (persons::text[]);
END
$$;
COMMENT ON FUNCTION ehr_internal.recipients_of(bigint) IS 'who read a person''s record or had it disclosed, by the audit log and the disclosures';

CREATE FUNCTION ehr_internal.identities_of(whose bigint) RETURNS uuid[]
	LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN ARRAY(
		WITH RECURSIVE down (key, id, depth) AS (
			SELECT p.key, p.id::uuid, 0 FROM ehr_store.person p WHERE p.key = ehr_internal.person_root(whose)
			UNION ALL
			SELECT p.key, p.id::uuid, down.depth + 1 FROM down JOIN ehr_store.person p ON p.merged_into = down.key WHERE down.depth < 1000)
		SELECT down.id FROM down);
END
$$;
COMMENT ON FUNCTION ehr_internal.identities_of(bigint) IS 'every uuid that means this person now';

-- A notice to each earlier recipient; one that has an open notice for the same cause gets no second one. grantee: only those that
-- a consent for it let in.
CREATE FUNCTION ehr_internal.notify_recipients(whose bigint, cause text, grantee text, consent_id uuid, request_id uuid) RETURNS int
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	n int;
	root uuid := (SELECT p.id::uuid FROM ehr_store.person p WHERE p.key = ehr_internal.person_root(whose));
	code text := split_part(grantee, ':', 2);
BEGIN
	INSERT INTO ehr_store.recipient_notice (person, recipient, cause, consent, request)
	SELECT root, r.recipient, cause, consent_id, request_id
	-- the log knows facility and human of a read, the consent may have named either
	FROM (SELECT DISTINCT CASE WHEN grantee <> 'anybody' AND code IN (split_part(t.recipient, ':', 2), t.sub) THEN grantee ELSE t.recipient END AS recipient
		FROM ehr_internal.recipients_of(whose) AS t
		WHERE grantee IS NULL OR grantee = 'anybody' OR code IN (split_part(t.recipient, ':', 2), t.sub) OR t.consent = consent_id) AS r
	WHERE NOT EXISTS (SELECT FROM ehr_store.recipient_notice o WHERE o.person = root AND o.recipient = r.recipient
		AND o.cause = notify_recipients.cause AND o.acknowledged IS NULL);
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN n;
END
$$;
COMMENT ON FUNCTION ehr_internal.notify_recipients(bigint, text, text, uuid, uuid) IS 'opens a notice to everybody who had a person''s data';

-- Whichever way a consent is withdrawn, its recipients are told.
CREATE FUNCTION ehr_internal.consent_withdrawn_trigger() RETURNS trigger
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM ehr_internal.notify_recipients(NEW.person, 'withdrawal', NEW.grantee, NEW.id, NULL);
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION ehr_internal.consent_withdrawn_trigger() IS 'trigger on ehr_store.consent: a withdrawal reaches every earlier recipient';

CREATE FUNCTION ehr.record_disclosure(person uuid, recipient text, what text, purpose text, basis text DEFAULT NULL, documents text[] DEFAULT NULL,
		consent uuid DEFAULT NULL) RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.record_disclosure(uuid, text, text, text, text, text[], uuid) IS 'records, before it is done, that data of a person are given to somebody outside; refused where the law lets nobody have them';
REVOKE EXECUTE ON FUNCTION ehr.record_disclosure(uuid, text, text, text, text, text[], uuid) FROM PUBLIC;

CREATE FUNCTION ehr_internal.record_disclosure(person uuid, recipient text, what text, purpose text, basis text, documents text[], consent uuid) RETURNS bigint
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	principal jsonb := ehr_internal.require_session(ARRAY['citizen', 'clinician', 'facility', 'station', 'admin']);
	whose bigint := (SELECT p.key FROM ehr_store.person p WHERE p.id::uuid = record_disclosure.person);
	purpose_used text := ehr_internal.purpose_code(purpose);
	new_id bigint;
BEGIN
	IF recipient IS NULL OR recipient !~ '^(practitioner|facility|insurer|person|authority|researcher):[!-~]{1,64}$' OR what IS NULL OR purpose_used IS NULL THEN
		RAISE invalid_parameter_value USING MESSAGE = 'a disclosure needs a recipient, what is given, and a known purpose',
			DETAIL = 'A recipient is practitioner:ID, facility:CODE, insurer:CODE, person:UUID, authority:CODE or researcher:CODE.';
	END IF;
	IF whose IS NULL OR (principal ->> 'kind' = 'citizen'
		AND ehr_internal.person_root(whose) IS DISTINCT FROM ehr_internal.own_person('citizen', principal ->> 'sub')) THEN
		RAISE insufficient_privilege USING MESSAGE = 'not allowed to disclose data of this person';
	END IF;
	-- nothing to an insurer without the citizen's written request
	IF recipient LIKE 'insurer:%' AND principal ->> 'kind' <> 'citizen' AND NOT EXISTS (
		SELECT FROM ehr_store.consent c
		WHERE ehr_internal.person_root(c.person) = ehr_internal.person_root(whose) AND NOT c.deny AND c.status = 'active' AND c.grantee = recipient
			AND c.purpose = purpose_used AND c.valid @> clock_timestamp() AND c.evidence ->> 'sha256' IS NOT NULL) THEN
		RAISE insufficient_privilege USING MESSAGE = 'nothing may be disclosed to this recipient without the citizen''s written request',
			DETAIL = 'Law 91/2025 Art. 26 k2. The request is a consent for the recipient whose evidence holds the hash of the signed form.';
	END IF;
	IF EXISTS (SELECT FROM ehr_internal.secrets_of(whose) AS s
		WHERE NOT s.consented AND (documents IS NULL OR s.type || '/' || s.id = ANY (documents))) THEN
		RAISE insufficient_privilege USING MESSAGE = 'what is to be disclosed holds a family secret',
			DETAIL = 'Decree 102/2025 Art. 9 k2c: a member of the family has not consented.',
			HINT = 'Name the documents, without those, or have the member call ehr.family_secret_consent.';
	END IF;
	INSERT INTO ehr_store.disclosure AS d (person, recipient, what, documents, purpose, basis, consent, by)
	VALUES (person, recipient, what, documents, purpose_used, basis, consent, concat_ws(':', principal ->> 'kind', principal ->> 'org', principal ->> 'sub'))
	RETURNING d.id INTO new_id;
	PERFORM ehr_internal.audit_note('disclose', format('disclosure %s to %s', new_id, recipient),
		ARRAY(SELECT ehr_internal.subjects_of_person(ehr_internal.person_root(whose))));
	RETURN new_id;
END
$$;
COMMENT ON FUNCTION ehr_internal.record_disclosure(uuid, text, text, text, text, text[], uuid) IS 'implementation of ehr.record_disclosure';

CREATE FUNCTION ehr.open_notices() RETURNS TABLE (notice bigint, person uuid, cause text, opened timestamptz)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 20
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.open_notices() IS 'persons whose data the session''s facility or human once had and has to stop using, not yet acknowledged';
REVOKE EXECUTE ON FUNCTION ehr.open_notices() FROM PUBLIC;

CREATE FUNCTION ehr_internal.names_of_session() RETURNS text[]
	LANGUAGE plpgsql STABLE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	principal jsonb := ehr_internal.require_session(ARRAY['clinician', 'facility', 'station', 'insurer', 'citizen']);
BEGIN
	RETURN array_remove(ARRAY[
		CASE WHEN principal ->> 'kind' IN ('clinician', 'facility', 'station') THEN 'facility:' || nullif(principal ->> 'org', '') END,
		CASE WHEN principal ->> 'kind' = 'insurer' THEN 'insurer:' || nullif(principal ->> 'org', '') END,
		CASE WHEN principal ->> 'kind' = 'citizen' THEN 'person:' || lower(principal ->> 'sub') ELSE 'practitioner:' || (principal ->> 'sub') END], NULL);
END
$$;
COMMENT ON FUNCTION ehr_internal.names_of_session() IS 'the names under which the session may be a recipient';

CREATE FUNCTION ehr_internal.open_notices() RETURNS TABLE (notice bigint, person uuid, cause text, opened timestamptz)
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY SELECT n.id, n.person, n.cause, n.opened FROM ehr_store.recipient_notice n
		WHERE n.recipient = ANY (ehr_internal.names_of_session()) AND n.acknowledged IS NULL ORDER BY n.id;
END
$$;
COMMENT ON FUNCTION ehr_internal.open_notices() IS 'implementation of ehr.open_notices';

CREATE FUNCTION ehr.acknowledge_notice(notice bigint) RETURNS bool
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.acknowledge_notice(bigint) IS 'the recipient says that it has stopped using the data; false when there is no such open notice';
REVOKE EXECUTE ON FUNCTION ehr.acknowledge_notice(bigint) FROM PUBLIC;

CREATE FUNCTION ehr_internal.acknowledge_notice(notice bigint) RETURNS bool
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	UPDATE ehr_store.recipient_notice n SET acknowledged = clock_timestamp(), acknowledged_by = ehr.session() ->> 'sub'
	WHERE n.id = notice AND n.acknowledged IS NULL AND n.recipient = ANY (ehr_internal.names_of_session());
	RETURN FOUND;
END
$$;
COMMENT ON FUNCTION ehr_internal.acknowledge_notice(bigint) IS 'implementation of ehr.acknowledge_notice';

CREATE FUNCTION ehr.disclosures(person uuid) RETURNS TABLE (at timestamptz, recipient text, what text, purpose text, basis text, told timestamptz, acknowledged timestamptz)
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE ROWS 20
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.disclosures(uuid) IS 'to whom the own data were given, and since when they know of a withdrawal and have acknowledged it';
REVOKE EXECUTE ON FUNCTION ehr.disclosures(uuid) FROM PUBLIC;

CREATE FUNCTION ehr_internal.disclosures(person uuid) RETURNS TABLE (at timestamptz, recipient text, what text, purpose text, basis text, told timestamptz, acknowledged timestamptz)
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	whose bigint := ehr_internal.consenting_person(person, '{"list": true}');
	persons uuid[] := ehr_internal.identities_of(whose);
BEGIN
	RETURN QUERY
	SELECT d.at, coalesce(d.recipient, n.recipient), d.what, d.purpose, d.basis, n.opened, n.acknowledged
	FROM (SELECT * FROM ehr_store.disclosure x WHERE x.person = ANY (persons)) AS d
	FULL JOIN (SELECT DISTINCT ON (y.recipient) * FROM ehr_store.recipient_notice y WHERE y.person = ANY (persons) ORDER BY y.recipient, y.id DESC) AS n
		ON n.recipient = d.recipient
	ORDER BY d.at, 2;
END
$$;
COMMENT ON FUNCTION ehr_internal.disclosures(uuid) IS 'implementation of ehr.disclosures';

-- Family secrets -------------------------------------------------------------------------------------

CREATE FUNCTION ehr.mark_family_secret(type text, id text, members uuid[]) RETURNS int
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.mark_family_secret(text, text, uuid[]) IS 'says that a document holds a secret of these members of the family: it is not handed out before each of them has consented';
REVOKE EXECUTE ON FUNCTION ehr.mark_family_secret(text, text, uuid[]) FROM PUBLIC;

CREATE FUNCTION ehr_internal.mark_family_secret(type text, id text, members uuid[]) RETURNS int
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	principal jsonb := ehr_internal.require_session(ARRAY['clinician', 'facility', 'station', 'admin']);
	document record;
	n int;
BEGIN
	SELECT r.key, r.author, r.subject INTO document FROM ehr_store.resource r
	WHERE r.type = ehr_internal.type_number(mark_family_secret.type) AND r.id = mark_family_secret.id AND NOT r.deleted;
	IF NOT FOUND OR (principal ->> 'kind' <> 'admin' AND document.author IS DISTINCT FROM principal ->> 'org') THEN
		RAISE insufficient_privilege USING MESSAGE = 'not allowed to mark this document';
	END IF;
	INSERT INTO ehr_store.family_secret (document, subject, member, marked_by)
	SELECT DISTINCT document.key, document.subject, m, principal ->> 'sub'
	FROM unnest(members) AS m WHERE EXISTS (SELECT FROM ehr_store.person p WHERE p.id::uuid = m)
	ON CONFLICT DO NOTHING;
	GET DIAGNOSTICS n = ROW_COUNT;
	PERFORM ehr_internal.audit_note('family secret', 'marked for ' || n || ' members', ARRAY[document.subject]);
	RETURN n;
END
$$;
COMMENT ON FUNCTION ehr_internal.mark_family_secret(text, text, uuid[]) IS 'implementation of ehr.mark_family_secret';

CREATE FUNCTION ehr.family_secret_consent(type text, id text, given bool) RETURNS bool
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.family_secret_consent(text, text, bool) IS 'a member of the family consents, or no longer, that a document with the family''s secret is handed out; false when it is none of the member''s';
REVOKE EXECUTE ON FUNCTION ehr.family_secret_consent(text, text, bool) FROM PUBLIC;

CREATE FUNCTION ehr_internal.family_secret_consent(type text, id text, given bool) RETURNS bool
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	principal jsonb := ehr_internal.require_session(ARRAY['citizen']);
	me bigint := ehr_internal.own_person('citizen', principal ->> 'sub');
BEGIN
	UPDATE ehr_store.family_secret f SET consented = CASE WHEN given THEN clock_timestamp() END
	WHERE f.document = (SELECT k.key FROM ehr_store.resource_key k
			WHERE k.type = ehr_internal.type_number(family_secret_consent.type) AND k.id = family_secret_consent.id)
		AND f.member = ANY (ehr_internal.identities_of(me));
	IF FOUND THEN
		PERFORM ehr_internal.audit_note('family secret', CASE WHEN given THEN 'consent' ELSE 'no consent' END, ARRAY(SELECT ehr_internal.subjects_of_person(me)));
		RETURN true;
	END IF;
	RETURN false;
END
$$;
COMMENT ON FUNCTION ehr_internal.family_secret_consent(text, text, bool) IS 'implementation of ehr.family_secret_consent';

CREATE FUNCTION ehr_internal.secrets_of(whose bigint) RETURNS TABLE (document bigint, type text, id text, consented bool)
	LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE ROWS 5
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	SELECT f.document, ehr_internal.type_name(k.type), k.id, bool_and(f.consented IS NOT NULL)
	FROM ehr_store.family_secret f JOIN ehr_store.resource_key k ON k.key = f.document
	WHERE f.subject IN (SELECT s FROM ehr_internal.subjects_of_person(ehr_internal.person_root(whose)) AS s)
		AND f.member <> ALL (ehr_internal.identities_of(whose))
	GROUP BY 1, 2, 3;
END
$$;
COMMENT ON FUNCTION ehr_internal.secrets_of(bigint) IS 'documents of a person that hold a secret of the family, and whether all members have consented';

-- Requests -------------------------------------------------------------------------------------------

CREATE FUNCTION ehr.dsr_open(person uuid, request text, details text DEFAULT NULL, scope text DEFAULT 'all', consent uuid DEFAULT NULL,
		evidence jsonb DEFAULT NULL) RETURNS uuid
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.dsr_open(uuid, text, text, text, uuid, jsonb) IS 'a citizen asks for access, correct, withdraw, restrict, object, erase or protect; the law''s clock starts. details are sealed under the citizen''s key';
REVOKE EXECUTE ON FUNCTION ehr.dsr_open(uuid, text, text, text, uuid, jsonb) FROM PUBLIC;

CREATE FUNCTION ehr_internal.dsr_open(person uuid, request text, details text, scope text, consent uuid, evidence jsonb) RETURNS uuid
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	whose bigint := ehr_internal.consenting_person(person, evidence);
	principal jsonb := ehr.session();
	sla ehr_internal.dsr_sla;
	opened timestamptz := clock_timestamp();
	new_id uuid := gen_random_uuid();
BEGIN
	SELECT * INTO sla FROM ehr_internal.dsr_sla s WHERE s.request = dsr_open.request;
	IF NOT FOUND THEN
		RAISE invalid_parameter_value USING MESSAGE = 'there is no such request of a data subject',
			DETAIL = format('Requests are %s.', (SELECT string_agg(s.request, ', ' ORDER BY s.request) FROM ehr_internal.dsr_sla s));
	END IF;
	PERFORM ehr_internal.parse_scope(scope);
	INSERT INTO ehr_store.dsr_request (id, person, request, scope, consent, details, evidence, opened, opened_by, ack_due, due)
	VALUES (new_id, person, dsr_open.request, scope, dsr_open.consent,
		CASE WHEN details IS NOT NULL THEN ehr.seal(details, 'dsr_request.details/' || new_id, person) END,
		evidence, opened, concat_ws(':', principal ->> 'kind', principal ->> 'sub'),
		ehr_internal.deadline(opened, sla.ack_working_days, true), ehr_internal.deadline(opened, sla.days, false));
	PERFORM ehr_internal.audit_note('request', format('%s: %s', dsr_open.request, new_id), ARRAY(SELECT ehr_internal.subjects_of_person(ehr_internal.person_root(whose))));
	RETURN new_id;
END
$$;
COMMENT ON FUNCTION ehr_internal.dsr_open(uuid, text, text, text, uuid, jsonb) IS 'implementation of ehr.dsr_open';

CREATE FUNCTION ehr.dsr_decide(request uuid, decision text, reason text DEFAULT NULL) RETURNS jsonb
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.dsr_decide(uuid, text, text) IS 'an administrator''s step: acknowledge, third_party, extend, grant, done or refuse (with the reason); grant carries out what can be carried out here';
REVOKE EXECUTE ON FUNCTION ehr.dsr_decide(uuid, text, text) FROM PUBLIC;

-- What granting does. Returns what was done, and whether that was all.
CREATE FUNCTION ehr_internal.dsr_carry_out(request_id uuid, whose bigint, OUT effect jsonb, OUT finished bool)
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	r ehr_store.dsr_request;
	withdrawn int;
BEGIN
	SELECT * INTO r FROM ehr_store.dsr_request q WHERE q.id = request_id;
	finished := true;
	CASE r.request
		WHEN 'withdraw' THEN
			SELECT count(*) FILTER (WHERE ehr_internal.withdraw_consent(c.id)) INTO withdrawn FROM ehr_store.consent c
			WHERE ehr_internal.person_root(c.person) = ehr_internal.person_root(whose) AND NOT c.deny AND c.status = 'active'
				AND (r.consent IS NULL OR c.id = r.consent);
			-- of one consent, its own recipients were told by the trigger
			effect := jsonb_build_object('consents', withdrawn,
				'notices', CASE WHEN r.consent IS NULL THEN ehr_internal.notify_recipients(whose, 'withdrawal', NULL, NULL, r.id) END);
		WHEN 'restrict', 'object', 'protect' THEN
			effect := jsonb_build_object(
				'consent', ehr_internal.record_consent(r.person, true, 'anybody', r.scope, NULL, NULL, jsonb_build_object('request', r.id)),
				'notices', ehr_internal.notify_recipients(whose, 'restriction', NULL, NULL, r.id));
		WHEN 'erase' THEN
			effect := ehr_internal.erase_person(r.person, 'request ' || r.id);
		ELSE
			-- access: the citizen fetches it with ehr.dsr_copy; correct: the author of the data writes the new version
			effect := '{}';
			finished := false;
	END CASE;
END
$$;
COMMENT ON FUNCTION ehr_internal.dsr_carry_out(uuid, bigint) IS 'does what a granted request asks for';

CREATE FUNCTION ehr_internal.dsr_decide(request uuid, decision text, reason text) RETURNS jsonb
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	principal jsonb := ehr_internal.require_session(ARRAY['admin']);
	r ehr_store.dsr_request;
	sla ehr_internal.dsr_sla;
	whose bigint;
	now_is timestamptz := clock_timestamp();
	carried record;
BEGIN
	SELECT * INTO r FROM ehr_store.dsr_request q WHERE q.id = dsr_decide.request FOR UPDATE;
	IF NOT FOUND THEN
		RAISE no_data_found USING MESSAGE = 'there is no such request of a data subject';
	END IF;
	SELECT * INTO sla FROM ehr_internal.dsr_sla s WHERE s.request = r.request;
	SELECT p.key INTO whose FROM ehr_store.person p WHERE p.id::uuid = r.person;
	IF r.decided IS NOT NULL AND NOT (decision = 'done' AND r.state = 'granted') THEN
		RAISE object_not_in_prerequisite_state USING MESSAGE = 'the request is decided already', HINT = 'The citizen may open another one.';
	END IF;
	CASE decision
		WHEN 'acknowledge' THEN
			r.acknowledged := coalesce(r.acknowledged, now_is);
		WHEN 'third_party' THEN
			r.third_party := true;
			r.due := ehr_internal.deadline(r.opened, sla.days_third_party + CASE WHEN r.extended THEN sla.extension_days ELSE 0 END, false);
		WHEN 'extend' THEN
			IF r.extended OR now_is >= r.due OR coalesce(btrim(reason), '') = '' THEN
				RAISE object_not_in_prerequisite_state USING MESSAGE = 'the request cannot be extended',
					DETAIL = 'It may be extended once, before it is due, with the reason.';
			END IF;
			r.extended := true;
			r.due := ehr_internal.deadline(r.opened, CASE WHEN r.third_party THEN sla.days_third_party ELSE sla.days END + sla.extension_days, false);
		WHEN 'refuse' THEN
			IF coalesce(btrim(reason), '') = '' THEN
				RAISE invalid_parameter_value USING MESSAGE = 'a request is refused with the reason only',
					DETAIL = coalesce('Grounds: ' || sla.refusal_grounds || '.', 'The law names no grounds for this kind of request.');
			END IF;
			r.state := 'refused';
			r.decided := now_is;
		WHEN 'grant' THEN
			SELECT * INTO carried FROM ehr_internal.dsr_carry_out(r.id, whose);
			r.effect := carried.effect;
			r.state := CASE WHEN carried.finished THEN 'done' ELSE 'granted' END;
			r.decided := now_is;
		WHEN 'done' THEN
			IF r.state <> 'granted' THEN
				RAISE object_not_in_prerequisite_state USING MESSAGE = 'only a request that was granted can be done';
			END IF;
			r.state := 'done';
		ELSE
			RAISE invalid_parameter_value USING MESSAGE = 'there is no such decision about a request',
				DETAIL = 'Decisions are acknowledge, third_party, extend, grant, done and refuse.';
	END CASE;
	-- whatever is decided is an answer
	UPDATE ehr_store.dsr_request q SET acknowledged = coalesce(r.acknowledged, r.decided, now_is), third_party = r.third_party, extended = r.extended,
		due = r.due, state = r.state, decided = r.decided, decided_by = coalesce(q.decided_by, CASE WHEN r.decided IS NOT NULL THEN principal ->> 'sub' END),
		reason = coalesce(dsr_decide.reason, q.reason), effect = r.effect
	WHERE q.id = r.id;
	PERFORM ehr_internal.audit_note('request', format('%s: %s', decision, r.id), ARRAY(SELECT ehr_internal.subjects_of_person(ehr_internal.person_root(whose))));
	RETURN jsonb_build_object('state', r.state, 'due', r.due, 'late', r.decided > r.due) || coalesce(r.effect, '{}');
END
$$;
COMMENT ON FUNCTION ehr_internal.dsr_decide(uuid, text, text) IS 'implementation of ehr.dsr_decide';

CREATE FUNCTION ehr.dsr_requests(person uuid) RETURNS TABLE (request uuid, kind text, details text, state text, opened timestamptz,
		acknowledged timestamptz, due timestamptz, decided timestamptz, reason text)
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE ROWS 10
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.dsr_requests(uuid) IS 'a citizen''s own requests and where they stand, the newest first';
REVOKE EXECUTE ON FUNCTION ehr.dsr_requests(uuid) FROM PUBLIC;

CREATE FUNCTION ehr_internal.dsr_requests(person uuid) RETURNS TABLE (request uuid, kind text, details text, state text, opened timestamptz,
		acknowledged timestamptz, due timestamptz, decided timestamptz, reason text)
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	whose bigint := ehr_internal.consenting_person(person, '{"list": true}');
	own bool := ehr.session() ->> 'kind' = 'citizen';
BEGIN
	-- what the citizen wrote is for the citizen; an administrator handles it by its kind
	RETURN QUERY
	SELECT q.id, q.request, CASE WHEN own AND k.wrapped IS NOT NULL THEN ehr.unseal(q.details, 'dsr_request.details/' || q.id) END,
		q.state, q.opened, q.acknowledged, q.due, q.decided, q.reason
	FROM ehr_store.dsr_request q LEFT JOIN ehr_store.vault_key k ON k.id = ehr_internal.sealed_key(q.details)
	WHERE q.person = ANY (ehr_internal.identities_of(whose))
	ORDER BY q.opened DESC;
END
$$;
COMMENT ON FUNCTION ehr_internal.dsr_requests(uuid) IS 'implementation of ehr.dsr_requests';

CREATE FUNCTION ehr.dsr_clock() RETURNS TABLE (request uuid, kind text, state text, opened timestamptz, ack_due timestamptz, due timestamptz, late bool)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 100
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.dsr_clock() IS 'requests that are not decided, the most urgent first; names no person';
REVOKE EXECUTE ON FUNCTION ehr.dsr_clock() FROM PUBLIC;

CREATE FUNCTION ehr_internal.dsr_clock() RETURNS TABLE (request uuid, kind text, state text, opened timestamptz, ack_due timestamptz, due timestamptz, late bool)
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM ehr_internal.require_session(ARRAY['admin', 'auditor']);
	RETURN QUERY
	SELECT q.id, q.request, q.state, q.opened, CASE WHEN q.acknowledged IS NULL THEN q.ack_due END, q.due,
		clock_timestamp() > q.due OR (q.acknowledged IS NULL AND clock_timestamp() > q.ack_due)
	FROM ehr_store.dsr_request q WHERE q.decided IS NULL
	ORDER BY least(q.due, CASE WHEN q.acknowledged IS NULL THEN q.ack_due END), q.id;
END
$$;
COMMENT ON FUNCTION ehr_internal.dsr_clock() IS 'implementation of ehr.dsr_clock';

-- Access: everything, in the citizen's own session. Documents that need a relative's consent are left out and counted.
CREATE FUNCTION ehr.dsr_copy(request uuid) RETURNS jsonb
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.dsr_copy(uuid) IS 'the copy that a granted request for access entitles the citizen to: documents, consents, disclosures';
REVOKE EXECUTE ON FUNCTION ehr.dsr_copy(uuid) FROM PUBLIC;

CREATE FUNCTION ehr_internal.dsr_copy(request uuid) RETURNS jsonb
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	principal jsonb := ehr_internal.require_session(ARRAY['citizen']);
	me bigint := ehr_internal.own_person('citizen', principal ->> 'sub');
	persons uuid[] := ehr_internal.identities_of(me);
	subjects bigint[] := ARRAY(SELECT ehr_internal.subjects_of_person(me));
	withheld bigint[];
	copy jsonb;
BEGIN
	IF NOT EXISTS (SELECT FROM ehr_store.dsr_request q WHERE q.id = dsr_copy.request AND q.request = 'access' AND q.person = ANY (persons)
		AND q.state IN ('granted', 'done')) THEN
		RAISE insufficient_privilege USING MESSAGE = 'there is no granted request for access of this citizen';
	END IF;
	withheld := ARRAY(SELECT s.document FROM ehr_internal.secrets_of(me) AS s WHERE NOT s.consented);
	copy := jsonb_build_object(
		'documents', (SELECT coalesce(jsonb_agg(ehr_internal.with_version(r.doc::jsonb, r.version, r.recorded) ORDER BY r.type, r.key), '[]')
			FROM ehr_store.resource r
			-- what is about others as well is not the citizen's alone
			WHERE r.subject = ANY (subjects) AND r.more_subjects IS NULL AND NOT r.deleted AND r.key <> ALL (withheld)),
		'withheld_for_family', cardinality(withheld),
		'consents', (SELECT coalesce(jsonb_agg(jsonb_build_object('grantee', c.grantee, 'scope', c.scope, 'purpose', c.purpose, 'deny', c.deny, 'status', c.status, 'valid', c.valid)), '[]')
			FROM ehr_store.consent c WHERE ehr_internal.person_root(c.person) = me),
		'disclosures', (SELECT coalesce(jsonb_agg(jsonb_build_object('at', d.at, 'recipient', d.recipient, 'what', d.what, 'purpose', d.purpose) ORDER BY d.at), '[]')
			FROM ehr_store.disclosure d WHERE d.person = ANY (persons)),
		'recipients', (SELECT coalesce(jsonb_agg(DISTINCT x.recipient), '[]') FROM ehr_internal.recipients_of(me) AS x));
	PERFORM ehr_internal.audit_note('copy', 'request ' || request, subjects);
	UPDATE ehr_store.dsr_request q SET state = 'done' WHERE q.id = dsr_copy.request;
	RETURN copy;
END
$$;
COMMENT ON FUNCTION ehr_internal.dsr_copy(uuid) IS 'implementation of ehr.dsr_copy';

-- Erasure --------------------------------------------------------------------------------------------

-- The latest day that a document speaks of; that of its arrival when it names none. Later is safer.
CREATE FUNCTION ehr_internal.day_of_document(doc jsonb, recorded timestamptz) RETURNS date
	LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	latest text := (SELECT max(left(v #>> '{}', 10)) FROM jsonb_path_query(doc, 'lax $.* ? (@.type() == "string")') AS v
		WHERE v #>> '{}' ~ '^[12][0-9]{3}-[01][0-9]-[0-3][0-9]');
	ended text := (SELECT max(left(v #>> '{}', 10)) FROM jsonb_path_query(doc, 'lax $.*.end') AS v WHERE v #>> '{}' ~ '^[12][0-9]{3}-[01][0-9]-[0-3][0-9]');
BEGIN
	RETURN coalesce(greatest(latest, ended)::date, recorded::date);
EXCEPTION WHEN datetime_field_overflow OR invalid_datetime_format THEN
	RETURN recorded::date;
END
$$;
COMMENT ON FUNCTION ehr_internal.day_of_document(jsonb, timestamptz) IS 'the last day that a resource names, or that of its arrival';

-- Does a rule's test hold for a document?
CREATE FUNCTION ehr_internal.retention_applies(test text, type int2, labels int, doc jsonb) RETURNS bool
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN CASE
		WHEN test IS NULL THEN type <> ehr_internal.type_number('Patient')
		WHEN test = 'deceased' THEN type = ehr_internal.type_number('Patient')
			AND (doc ->> 'deceasedBoolean' = 'true' OR doc ->> 'deceasedDateTime' IS NOT NULL)
		WHEN test LIKE 'label:%' THEN labels & (1 << substr(test, 7)::int) <> 0
		WHEN test LIKE 'icd:%' THEN EXISTS (
			SELECT FROM jsonb_path_query(doc, 'lax $.**.coding[*] ? (@.system like_regex "icd-10")') AS c, string_to_array(substr(test, 5), ',') AS ranges, unnest(ranges) AS one
			WHERE left(c ->> 'code', 3) COLLATE "C" BETWEEN split_part(one, '-', 1) AND split_part(one, '-', 2))
		-- a test that nobody knows keeps everything
		ELSE true END;
END
$$;
COMMENT ON FUNCTION ehr_internal.retention_applies(text, int2, int, jsonb) IS 'does a rule of ehr_store.retention_rule hold for a document?';

CREATE FUNCTION ehr_internal.retention_of(whose bigint) RETURNS TABLE (rule text, keep_until date, basis text, documents bigint)
	LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE ROWS 4
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	root bigint := ehr_internal.person_root(whose);
BEGIN
	RETURN QUERY
	SELECT r.name, max(CASE WHEN r.test = 'deceased' AND d.doc ->> 'deceasedDateTime' ~ '^[12][0-9]{3}-[01][0-9]-[0-3][0-9]'
			THEN left(d.doc ->> 'deceasedDateTime', 10)::date ELSE ehr_internal.day_of_document(d.doc, d.recorded) END + r.keep)::date, r.basis, count(DISTINCT d.key)
	FROM (SELECT s.key, s.type, s.labels, s.doc::jsonb AS doc, s.recorded FROM ehr_store.resource s
			WHERE NOT s.deleted AND s.subject IN (SELECT x FROM ehr_internal.subjects_of_person(root) AS x)
		-- the law asks for what was removed, too: what it said before
		UNION ALL SELECT h.key, h.type, h.labels, h.doc::jsonb, h.recorded FROM ehr_store.resource_history h JOIN ehr_store.resource s ON s.key = h.key
			WHERE s.deleted AND NOT h.deleted AND s.subject IN (SELECT x FROM ehr_internal.subjects_of_person(root) AS x)) AS d
	JOIN ehr_store.retention_rule r ON r.what = 'record' AND r.valid @> current_date AND ehr_internal.retention_applies(r.test, d.type, d.labels, d.doc)
	GROUP BY r.name, r.basis;
END
$$;
COMMENT ON FUNCTION ehr_internal.retention_of(bigint) IS 'until when the law wants a person''s records to be kept, by each rule that applies';

CREATE FUNCTION ehr.erase_person(person uuid, basis text) RETURNS jsonb
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.erase_person(uuid, text) IS 'destroys a person''s keys and removes the records, when no law keeps them; 55000 with the rules when one does';
REVOKE EXECUTE ON FUNCTION ehr.erase_person(uuid, text) FROM PUBLIC;

-- Rows of one table of ehr_store.erasable that belong to these subjects or resources.
CREATE FUNCTION ehr_internal.erase_rows(relation text, name text, holds text, subjects bigint[], keys bigint[], ids text[], persons uuid[]) RETURNS bigint
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	n bigint;
BEGIN
	IF to_regclass(format('ehr_store.%I', relation)) IS NULL THEN RETURN 0; END IF;
	EXECUTE format('DELETE FROM ehr_store.%I WHERE %I = ANY (%s)', relation, name,
		CASE holds WHEN 'subject' THEN '$1' WHEN 'key' THEN '$2' WHEN 'patient' THEN '$3' ELSE '$4' END)
	USING subjects, keys, ids, persons;
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN n;
END
$$;
COMMENT ON FUNCTION ehr_internal.erase_rows(text, text, text, bigint[], bigint[], text[], uuid[]) IS 'removes the rows of a table of the store that belong to an erased person';

CREATE FUNCTION ehr_internal.erase_person(person uuid, basis text) RETURNS jsonb
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	principal jsonb := ehr_internal.require_session(ARRAY['admin']);
	whose bigint := (SELECT p.key FROM ehr_store.person p WHERE p.id::uuid = erase_person.person);
	kept text;
	persons uuid[];
	subjects bigint[];
	keys bigint[];
	ids text[];
	shared bigint;
	result jsonb;
	t record;
BEGIN
	IF whose IS NULL THEN
		RAISE undefined_object USING MESSAGE = 'there is no such person';
	END IF;
	IF coalesce(btrim(basis), '') = '' THEN
		RAISE invalid_parameter_value USING MESSAGE = 'an erasure needs its basis', DETAIL = 'For example the request of the citizen.';
	END IF;
	SELECT string_agg(r.rule, ', ' ORDER BY r.rule) INTO kept FROM ehr_internal.retention_of(whose) AS r WHERE r.keep_until > current_date;
	IF kept IS NOT NULL THEN
		RAISE object_not_in_prerequisite_state USING MESSAGE = 'the law requires these records to be kept',
			DETAIL = format('Rules of ehr_store.retention_rule that apply: %s.', kept), HINT = 'Refuse the request with this reason, and restrict the processing instead.';
	END IF;
	persons := ehr_internal.identities_of(whose);
	subjects := ARRAY(SELECT ehr_internal.subjects_of_person(ehr_internal.person_root(whose)));
	-- first, while it is known who had them
	result := jsonb_build_object('notices', ehr_internal.notify_recipients(whose, 'erasure', NULL, NULL, NULL),
		'keys', ehr_internal.destroy_person_keys(persons, erase_person.basis));
	keys := ARRAY(SELECT r.key FROM ehr_store.resource r WHERE r.subject = ANY (subjects) AND coalesce(r.more_subjects <@ subjects, true));
	ids := ARRAY(SELECT k.id FROM ehr_store.resource_key k WHERE k.key = ANY (subjects));
	SELECT count(*) INTO shared FROM ehr_store.resource r
	WHERE (r.subject = ANY (subjects) OR r.more_subjects && subjects) AND r.key <> ALL (keys);
	-- a payload with several people's data is not this person's to be erased
	IF to_regclass('ehr_store.claims_dossier') IS NOT NULL THEN
		DELETE FROM ehr_store.payload p WHERE p.payload IN (SELECT d.payload FROM ehr_store.claims_dossier d WHERE d.patient = ANY (ids))
			AND NOT EXISTS (SELECT FROM ehr_store.claims_dossier d WHERE d.payload = p.payload AND d.patient <> ALL (ids));
	END IF;
	DELETE FROM ehr_store.conditional_create c USING ehr_store.business_key b
	WHERE b.key = ANY (keys) AND c.type = b.type AND c.system = b.system AND c.value = b.value;
	-- a refresh that is under way would bring rows back
	IF to_regclass('ehr_store.view_definition') IS NOT NULL THEN
		PERFORM FROM ehr_store.view_definition v ORDER BY v.name FOR UPDATE;
	END IF;
	FOR t IN SELECT * FROM ehr_store.erasable ORDER BY place
	LOOP
		result := result || jsonb_build_object(t.relation, coalesce((result ->> t.relation)::bigint, 0)
			+ ehr_internal.erase_rows(t.relation, t.name, t.holds, subjects, keys, ids, persons));
	END LOOP;
	PERFORM ehr_internal.audit_note('erase', erase_person.basis, subjects);
	RETURN result || jsonb_build_object('shared_with_others', shared);
END
$$;
COMMENT ON FUNCTION ehr_internal.erase_person(uuid, text) IS 'implementation of ehr.erase_person';

-- Incidents ------------------------------------------------------------------------------------------

CREATE FUNCTION ehr.incident_open(kind text, summary text, detected timestamptz DEFAULT now(), affected int DEFAULT NULL) RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.incident_open(text, text, timestamptz, int) IS 'opens the file of a breach: the authority is to be told within 72 hours after it was detected';
REVOKE EXECUTE ON FUNCTION ehr.incident_open(text, text, timestamptz, int) FROM PUBLIC;

CREATE FUNCTION ehr_internal.incident_open(kind text, summary text, detected timestamptz, affected int) RETURNS bigint
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	principal jsonb := ehr_internal.require_session(ARRAY['admin', 'auditor']);
	new_id bigint;
BEGIN
	IF coalesce(btrim(kind), '') = '' OR coalesce(btrim(summary), '') = '' OR detected IS NULL OR detected > clock_timestamp() OR affected < 0 THEN
		RAISE invalid_parameter_value USING MESSAGE = 'an incident needs a kind, a summary and the moment when it was detected, which has passed';
	END IF;
	INSERT INTO ehr_store.incident AS i (kind, summary, detected, notify_by, affected, opened_by)
	VALUES (kind, summary, detected, detected + interval '72 hours', affected, principal ->> 'sub') RETURNING i.id INTO new_id;
	PERFORM ehr_internal.audit_note('incident', 'opened ' || new_id);
	RETURN new_id;
END
$$;
COMMENT ON FUNCTION ehr_internal.incident_open(text, text, timestamptz, int) IS 'implementation of ehr.incident_open';

CREATE FUNCTION ehr.incident_note(incident bigint, action text, note text DEFAULT NULL) RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.incident_note(bigint, text, text) IS 'adds to the file of a breach: note, contain, notify_authority, notify_persons or close; nothing in it is ever changed';
REVOKE EXECUTE ON FUNCTION ehr.incident_note(bigint, text, text) FROM PUBLIC;

CREATE FUNCTION ehr_internal.incident_note(incident bigint, action text, note text) RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	principal jsonb := ehr_internal.require_session(ARRAY['admin', 'auditor']);
	file ehr_store.incident;
BEGIN
	SELECT * INTO file FROM ehr_store.incident i WHERE i.id = incident FOR UPDATE;
	IF NOT FOUND THEN
		RAISE no_data_found USING MESSAGE = 'there is no such incident';
	END IF;
	IF action IS NULL OR action NOT IN ('note', 'contain', 'notify_authority', 'notify_persons', 'close') THEN
		RAISE invalid_parameter_value USING MESSAGE = 'there is no such step of an incident',
			DETAIL = 'Steps are note, contain, notify_authority, notify_persons and close.';
	END IF;
	IF file.closed IS NOT NULL AND action <> 'note' OR action = 'close' AND file.notified IS NULL THEN
		RAISE object_not_in_prerequisite_state USING MESSAGE = 'the incident cannot take this step now',
			DETAIL = 'It is closed once, after the authority was told; later there are notes only.';
	END IF;
	INSERT INTO ehr_store.incident_entry (incident, action, note, by) VALUES (incident, action, note, principal ->> 'sub');
	UPDATE ehr_store.incident i SET
		notified = CASE WHEN action = 'notify_authority' THEN coalesce(i.notified, clock_timestamp()) ELSE i.notified END,
		closed = CASE WHEN action = 'close' THEN clock_timestamp() ELSE i.closed END
	WHERE i.id = incident;
	PERFORM ehr_internal.audit_note('incident', action || ' ' || incident);
END
$$;
COMMENT ON FUNCTION ehr_internal.incident_note(bigint, text, text) IS 'implementation of ehr.incident_note';

CREATE FUNCTION ehr.incidents() RETURNS TABLE (incident bigint, kind text, summary text, detected timestamptz, notify_by timestamptz, notified timestamptz,
		closed timestamptz, late bool, keep_until date, entries jsonb)
	LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 10
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.incidents() IS 'files of breaches with their clock and how long they are kept, the newest first';
REVOKE EXECUTE ON FUNCTION ehr.incidents() FROM PUBLIC;

CREATE FUNCTION ehr_internal.incidents() RETURNS TABLE (incident bigint, kind text, summary text, detected timestamptz, notify_by timestamptz, notified timestamptz,
		closed timestamptz, late bool, keep_until date, entries jsonb)
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM ehr_internal.require_session(ARRAY['admin', 'auditor']);
	RETURN QUERY
	SELECT i.id, i.kind, i.summary, i.detected, i.notify_by, i.notified, i.closed, coalesce(i.notified, clock_timestamp()) > i.notify_by,
		ehr_internal.incident_keep_until(i.closed),
		(SELECT coalesce(jsonb_agg(jsonb_build_object('at', e.at, 'action', e.action, 'note', e.note, 'by', e.by) ORDER BY e.id), '[]')
			FROM ehr_store.incident_entry e WHERE e.incident = i.id)
	FROM ehr_store.incident i ORDER BY i.id DESC;
END
$$;
COMMENT ON FUNCTION ehr_internal.incidents() IS 'implementation of ehr.incidents';

CREATE FUNCTION ehr_internal.incident_keep_until(closed timestamptz) RETURNS date
	LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (closed + (SELECT max(r.keep) FROM ehr_store.retention_rule r WHERE r.what = 'incident' AND r.valid @> current_date))::date;
END
$$;
COMMENT ON FUNCTION ehr_internal.incident_keep_until(timestamptz) IS 'until when the file of a closed incident is kept; null while it is open, or without a rule';

CREATE FUNCTION ehr.purge_incidents() RETURNS bigint
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.purge_incidents() IS 'removes the files of breaches whose time is over (5 years after they were closed, by ehr_store.retention_rule)';
REVOKE EXECUTE ON FUNCTION ehr.purge_incidents() FROM PUBLIC;

CREATE FUNCTION ehr_internal.purge_incidents() RETURNS bigint
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	n bigint;
BEGIN
	PERFORM ehr_internal.require_session(ARRAY['admin']);
	DELETE FROM ehr_store.incident i WHERE ehr_internal.incident_keep_until(i.closed) < current_date;
	GET DIAGNOSTICS n = ROW_COUNT;
	PERFORM ehr_internal.audit_note('incident', 'purged ' || n);
	RETURN n;
END
$$;
COMMENT ON FUNCTION ehr_internal.purge_incidents() IS 'implementation of ehr.purge_incidents';

-- Tables ---------------------------------------------------------------------------------------------

CREATE FUNCTION ehr_internal.create_api_dsr() RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE TABLE IF NOT EXISTS ehr_store.holiday (
		day date PRIMARY KEY,
		name text NOT NULL,
		working bool NOT NULL DEFAULT false
	);
	COMMENT ON TABLE ehr_store.holiday IS 'days that are no working days though the week says so, or (working) the other way round';

	CREATE TABLE IF NOT EXISTS ehr_store.disclosure (
		id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		person uuid NOT NULL,
		recipient text NOT NULL,
		what text NOT NULL,
		documents text[],
		purpose text NOT NULL,
		basis text,
		consent uuid,
		at timestamptz NOT NULL DEFAULT clock_timestamp(),
		by text NOT NULL
	);
	CREATE INDEX IF NOT EXISTS disclosure_person ON ehr_store.disclosure (person);
	COMMENT ON TABLE ehr_store.disclosure IS 'what was given to whom outside, by which basis';

	CREATE TABLE IF NOT EXISTS ehr_store.recipient_notice (
		id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		person uuid NOT NULL,
		recipient text NOT NULL,
		cause text NOT NULL CHECK (cause IN ('withdrawal', 'restriction', 'erasure')),
		consent uuid,
		request uuid,
		opened timestamptz NOT NULL DEFAULT clock_timestamp(),
		acknowledged timestamptz,
		acknowledged_by text
	);
	CREATE INDEX IF NOT EXISTS recipient_notice_person ON ehr_store.recipient_notice (person);
	CREATE INDEX IF NOT EXISTS recipient_notice_open ON ehr_store.recipient_notice (recipient) WHERE acknowledged IS NULL;
	COMMENT ON TABLE ehr_store.recipient_notice IS 'who once had a person''s data and has to stop using them: open, or acknowledged';

	CREATE TABLE IF NOT EXISTS ehr_store.family_secret (
		document bigint NOT NULL,
		subject bigint,
		member uuid NOT NULL,
		marked timestamptz NOT NULL DEFAULT clock_timestamp(),
		marked_by text,
		consented timestamptz,
		PRIMARY KEY (document, member)
	);
	CREATE INDEX IF NOT EXISTS family_secret_subject ON ehr_store.family_secret (subject);
	COMMENT ON TABLE ehr_store.family_secret IS 'documents that hold a secret of the family, and which of its members has consented to handing them out';

	CREATE TABLE IF NOT EXISTS ehr_store.dsr_request (
		id uuid PRIMARY KEY,
		person uuid NOT NULL,
		request text NOT NULL,
		scope text NOT NULL DEFAULT 'all',
		consent uuid,
		details bytea,
		evidence jsonb,
		opened timestamptz NOT NULL,
		opened_by text NOT NULL,
		ack_due timestamptz NOT NULL,
		due timestamptz NOT NULL,
		third_party bool NOT NULL DEFAULT false,
		extended bool NOT NULL DEFAULT false,
		acknowledged timestamptz,
		state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'granted', 'done', 'refused')),
		decided timestamptz,
		decided_by text,
		reason text,
		effect jsonb,
		CHECK ((state = 'open') = (decided IS NULL)),
		CHECK (state <> 'refused' OR reason <> '')
	);
	CREATE INDEX IF NOT EXISTS dsr_request_person ON ehr_store.dsr_request (person);
	CREATE INDEX IF NOT EXISTS dsr_request_open ON ehr_store.dsr_request (due) WHERE decided IS NULL;
	COMMENT ON TABLE ehr_store.dsr_request IS 'requests of data subjects and their clocks (ehr_internal.dsr_sla)';
	COMMENT ON COLUMN ehr_store.dsr_request.details IS 'what the citizen wrote, sealed under the citizen''s key';
	INSERT INTO ehr_store.sealed_column (relation, name, key, person) VALUES ('dsr_request', 'details', 'id', 'person') ON CONFLICT DO NOTHING;

	CREATE TABLE IF NOT EXISTS ehr_store.incident (
		id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		kind text NOT NULL,
		summary text NOT NULL,
		detected timestamptz NOT NULL,
		notify_by timestamptz NOT NULL,
		affected int,
		opened timestamptz NOT NULL DEFAULT clock_timestamp(),
		opened_by text NOT NULL,
		notified timestamptz,
		closed timestamptz
	);
	COMMENT ON TABLE ehr_store.incident IS 'files of breaches of data protection';
	CREATE TABLE IF NOT EXISTS ehr_store.incident_entry (
		id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		incident bigint NOT NULL REFERENCES ehr_store.incident ON DELETE CASCADE,
		at timestamptz NOT NULL DEFAULT clock_timestamp(),
		action text NOT NULL,
		note text,
		by text NOT NULL
	);
	COMMENT ON TABLE ehr_store.incident_entry IS 'what was done about a breach, in order; only ever added to';

	CREATE TABLE IF NOT EXISTS ehr_store.erasable (
		relation text NOT NULL,
		name text NOT NULL,
		holds text NOT NULL CHECK (holds IN ('subject', 'key', 'patient', 'person')),
		place int NOT NULL,
		PRIMARY KEY (relation, name)
	);
	COMMENT ON TABLE ehr_store.erasable IS 'where a person''s data stand in the clear: ehr.erase_person removes the rows, in order of place';
	COMMENT ON COLUMN ehr_store.erasable.holds IS 'what the column holds: key of a source patient, key of a resource, id of a source patient, or uuid of a person';
	INSERT INTO ehr_store.erasable VALUES
		('claims_dossier', 'patient', 'patient', 1), ('fact_patient', 'key', 'key', 2), ('fact_condition', 'subject', 'subject', 3),
		('fact_immunization', 'subject', 'subject', 4), ('match_feature', 'subject', 'subject', 5), ('match_review', 'a', 'subject', 6),
		('match_review', 'b', 'subject', 7), ('person_identifier', 'subject', 'subject', 8), ('business_key', 'key', 'key', 9),
		('family_secret', 'subject', 'subject', 10), ('patient_fact', 'subject', 'subject', 10), ('population_task', 'subject', 'subject', 10),
		('population_task', 'other', 'subject', 10), ('payload', 'subject', 'subject', 10), ('resource_history', 'key', 'key', 11), ('resource', 'key', 'key', 12)
	ON CONFLICT DO NOTHING;

	IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'ehr_store.consent'::regclass AND tgname = 'consent_withdrawn') THEN
		CREATE TRIGGER consent_withdrawn AFTER UPDATE OF status ON ehr_store.consent FOR EACH ROW
			WHEN (OLD.status = 'active' AND NEW.status = 'withdrawn' AND NOT NEW.deny)
			EXECUTE FUNCTION ehr_internal.consent_withdrawn_trigger();
	END IF;

	GRANT EXECUTE ON FUNCTION ehr.dsr_open(uuid, text, text, text, uuid, jsonb), ehr.dsr_requests(uuid), ehr.disclosures(uuid),
		ehr.record_disclosure(uuid, text, text, text, text, text[], uuid) TO ehr_app, ehr_query, ehr_admin;
	GRANT EXECUTE ON FUNCTION ehr.dsr_copy(uuid), ehr.open_notices(), ehr.acknowledge_notice(bigint), ehr.mark_family_secret(text, text, uuid[]),
		ehr.family_secret_consent(text, text, bool) TO ehr_app, ehr_query;
	GRANT EXECUTE ON FUNCTION ehr.dsr_decide(uuid, text, text), ehr.dsr_clock(), ehr.erase_person(uuid, text), ehr.load_holidays(date[], text, bool),
		ehr.mark_family_secret(text, text, uuid[]), ehr.incident_open(text, text, timestamptz, int), ehr.incident_note(bigint, text, text), ehr.incidents(),
		ehr.purge_incidents() TO ehr_admin;
	GRANT EXECUTE ON FUNCTION ehr.dsr_clock(), ehr.incident_open(text, text, timestamptz, int), ehr.incident_note(bigint, text, text), ehr.incidents() TO ehr_auditor;
END
$$;
COMMENT ON FUNCTION ehr_internal.create_api_dsr() IS 'tables and grants of data subjects'' requests';
