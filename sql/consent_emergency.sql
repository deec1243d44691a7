---------------------------------------------------------------------------------------------------
-- Break-glass: reading without consent in an emergency (doc/consent.md). What is done stands in the audit log, so that it is told
-- to the citizen and reviewed even when the transaction rolls back.
---------------------------------------------------------------------------------------------------

CREATE FUNCTION ehr_internal.break_glass_allowed(principal jsonb) RETURNS bool
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN EXISTS (SELECT FROM ehr_store.access_rule r
			WHERE r.kind = principal ->> 'kind' AND r.relation = 'emergency' AND r.operation = 'read' AND r.valid @> clock_timestamp())
		AND EXISTS (SELECT FROM ehr_store.break_glass_user u
			WHERE u.valid @> clock_timestamp() AND u.org = principal ->> 'org' AND coalesce(u.practitioner = principal ->> 'sub', true));
END
$$;
COMMENT ON FUNCTION ehr_internal.break_glass_allowed(jsonb) IS 'is a principal among those who may break the glass?';

CREATE FUNCTION ehr.break_glass(person uuid, reason text, minutes int DEFAULT 30) RETURNS timestamptz
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.break_glass(uuid, text, int) IS 'an authorised clinician opens a record in an emergency, for some minutes and a reason that the citizen and the reviewer read; returns when it closes';

-- The log is written first: nothing opens that is not told.
CREATE FUNCTION ehr_internal.break_glass(person uuid, reason text, minutes int) RETURNS timestamptz
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	principal jsonb := ehr_internal.require_session();
	limits ehr_store.break_glass_limit;
	whose bigint := (SELECT p.key FROM ehr_store.person p WHERE p.id::uuid = break_glass.person);
	subjects bigint[] := ARRAY(SELECT ehr_internal.subjects_of_person(ehr_internal.person_root(whose)));
	new_id uuid := gen_random_uuid();
	until timestamptz;
	recent bigint;
BEGIN
	SELECT * INTO STRICT limits FROM ehr_store.break_glass_limit;
	IF NOT ehr_internal.break_glass_allowed(principal) THEN
		PERFORM ehr_internal.audit_note('break_glass_refused', NULL, subjects);
		RAISE insufficient_privilege USING MESSAGE = 'not among those who may break the glass',
			DETAIL = 'An administrator authorises practitioners with ehr.allow_break_glass().';
	END IF;
	IF reason IS NULL OR length(btrim(reason)) NOT BETWEEN limits.min_reason AND 500
		OR reason ~ '[\x01-\x1f\x7f\u0080-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]' THEN
		RAISE invalid_parameter_value USING MESSAGE = 'breaking the glass needs a reason',
			DETAIL = format('A reason has %s to 500 characters and neither control nor direction characters.', limits.min_reason);
	END IF;
	IF minutes IS NULL OR minutes NOT BETWEEN 1 AND limits.max_minutes THEN
		RAISE invalid_parameter_value USING MESSAGE = 'the glass is broken for a limited time',
			DETAIL = format('From 1 to %s minutes.', limits.max_minutes);
	END IF;
	-- the same for a person who is not there: who is, is not told to who may not know
	PERFORM ehr_internal.audit_note('break_glass', format('%s for %s minutes: %s', new_id, minutes, btrim(reason)), subjects);
	until := clock_timestamp() + make_interval(mins => minutes);
	IF whose IS NOT NULL THEN
		INSERT INTO ehr_store.compiled_right (consent, line, relation, grantee, person, deny, purposes, labels, valid, basis)
		SELECT new_id, 0, 'emergency', 'practitioner:' || (principal ->> 'sub'), whose, false, '{TREAT,ETREAT,BTG}', r.labels, tstzrange(clock_timestamp(), until), r.basis
		FROM ehr_store.access_rule r WHERE r.kind = principal ->> 'kind' AND r.relation = 'emergency' AND r.operation = 'read';
	END IF;
	PERFORM ehr_internal.audit_catch_up();
	SELECT count(*) INTO recent FROM ehr_store.audit_event e
	WHERE e.kind = 'break_glass' AND e.sub = principal ->> 'sub' AND e.at > clock_timestamp() - make_interval(hours => limits.alarm_hours);
	-- a transaction with an old snapshot does not see what it has logged just now, but what it has opened
	recent := greatest(recent, (SELECT count(*) FROM ehr_store.compiled_right c
		WHERE c.grantee = 'practitioner:' || (principal ->> 'sub') AND c.relation = 'emergency'
			AND lower(c.valid) > clock_timestamp() - make_interval(hours => limits.alarm_hours)));
	IF recent >= limits.alarm_count THEN
		PERFORM ehr_internal.audit_note('break_glass_alarm', format('%s times in %s hours', recent, limits.alarm_hours));
	END IF;
	RETURN until;
END
$$;
COMMENT ON FUNCTION ehr_internal.break_glass(uuid, text, int) IS 'implementation of ehr.break_glass';

CREATE FUNCTION ehr.allow_break_glass(org text, practitioner text, basis text, until timestamptz DEFAULT NULL) RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.allow_break_glass(text, text, text, timestamptz) IS 'administrators: authorises a practitioner of a facility (null: all of its clinicians) to break the glass';

CREATE FUNCTION ehr_internal.allow_break_glass(org text, practitioner text, basis text, until timestamptz) RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM ehr_internal.require_session(ARRAY['admin']);
	IF coalesce(org, '') = '' OR coalesce(btrim(basis), '') = '' OR until <= clock_timestamp() THEN
		RAISE invalid_parameter_value USING MESSAGE = 'an authorisation needs an organisation, a basis, and an end in the future';
	END IF;
	INSERT INTO ehr_store.break_glass_user (org, practitioner, basis, valid) VALUES (org, practitioner, basis, tstzrange(clock_timestamp(), until));
	PERFORM ehr_internal.audit_note('rule', 'break-glass ' || org || coalesce(' ' || practitioner, ''));
END
$$;
COMMENT ON FUNCTION ehr_internal.allow_break_glass(text, text, text, timestamptz) IS 'implementation of ehr.allow_break_glass';

CREATE FUNCTION ehr.disallow_break_glass(org text, practitioner text) RETURNS bool
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.disallow_break_glass(text, text) IS 'administrators: ends an authorisation at once (practitioner null: that of all clinicians); what the named practitioner has open closes too; false when there is none';

CREATE FUNCTION ehr_internal.disallow_break_glass(org text, practitioner text) RETURNS bool
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM ehr_internal.require_session(ARRAY['admin']);
	UPDATE ehr_store.break_glass_user u SET valid = tstzrange(lower(u.valid), clock_timestamp())
	WHERE u.org = disallow_break_glass.org AND u.practitioner IS NOT DISTINCT FROM disallow_break_glass.practitioner
		AND coalesce(upper(u.valid) > clock_timestamp(), true);
	IF NOT FOUND THEN RETURN false; END IF;
	UPDATE ehr_store.compiled_right c SET valid = tstzrange(lower(c.valid), clock_timestamp())
	WHERE c.relation = 'emergency' AND c.grantee = 'practitioner:' || disallow_break_glass.practitioner AND c.valid @> clock_timestamp();
	PERFORM ehr_internal.audit_note('rule', 'end of break-glass ' || org || coalesce(' ' || practitioner, ''));
	RETURN true;
END
$$;
COMMENT ON FUNCTION ehr_internal.disallow_break_glass(text, text) IS 'implementation of ehr.disallow_break_glass';

-- What the citizen is told, until it is acknowledged.
CREATE FUNCTION ehr.notices(person uuid)
	RETURNS TABLE (notice text, at timestamptz, what text, who text, organisation text, reason text, acknowledged timestamptz)
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE ROWS 10
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.notices(uuid) IS 'what a citizen must be told: emergencies in which the record was opened; for the citizen and who decides for him';

CREATE FUNCTION ehr_internal.notices(person uuid)
	RETURNS TABLE (notice text, at timestamptz, what text, who text, organisation text, reason text, acknowledged timestamptz)
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	whose bigint := ehr_internal.consenting_person(person, '{"list": true}');
BEGIN
	PERFORM ehr_internal.audit_catch_up();
	RETURN QUERY
	SELECT e.chain || '.' || e.seq, e.at, e.kind, e.sub, e.org, substr(e.detail, strpos(e.detail, ': ') + 2), n.at
	FROM ehr_store.audit_event e LEFT JOIN ehr_store.notice_seen n ON n.chain = e.chain AND n.seq = e.seq
	WHERE e.kind = 'break_glass' AND e.subjects && ARRAY(SELECT ehr_internal.subjects_of_person(ehr_internal.person_root(whose))) AND e.subjects <> '{}'
	ORDER BY e.at DESC;
END
$$;
COMMENT ON FUNCTION ehr_internal.notices(uuid) IS 'implementation of ehr.notices';

CREATE FUNCTION ehr.acknowledge_notices(person uuid) RETURNS bigint
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.acknowledge_notices(uuid) IS 'the citizen has read the notices; returns how many were new';

CREATE FUNCTION ehr_internal.acknowledge_notices(person uuid) RETURNS bigint
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	whose bigint := ehr_internal.consenting_person(person, '{"list": true}');
	n bigint;
BEGIN
	PERFORM ehr_internal.require_session(ARRAY['citizen']);
	PERFORM ehr_internal.audit_catch_up();
	INSERT INTO ehr_store.notice_seen (chain, seq)
	SELECT e.chain, e.seq FROM ehr_store.audit_event e
	WHERE e.kind = 'break_glass' AND e.subjects && ARRAY(SELECT ehr_internal.subjects_of_person(ehr_internal.person_root(whose))) AND e.subjects <> '{}'
	ON CONFLICT DO NOTHING;
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN n;
END
$$;
COMMENT ON FUNCTION ehr_internal.acknowledge_notices(uuid) IS 'implementation of ehr.acknowledge_notices';

-- The reviewer's queue: every use, refused use and alarm until somebody has judged it.
CREATE FUNCTION ehr.break_glass_reviews(open_only bool DEFAULT true)
	RETURNS TABLE (review text, at timestamptz, kind text, who text, organisation text, detail text, verdict text, reviewed timestamptz, reviewed_by text)
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE ROWS 100
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.break_glass_reviews(bool) IS 'auditors: uses of break-glass, refused ones and alarms, alarms first, with what was judged; names no patient';

CREATE FUNCTION ehr_internal.break_glass_reviews(open_only bool)
	RETURNS TABLE (review text, at timestamptz, kind text, who text, organisation text, detail text, verdict text, reviewed timestamptz, reviewed_by text)
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM ehr_internal.require_session(ARRAY['auditor']);
	PERFORM ehr_internal.audit_catch_up();
	RETURN QUERY
	SELECT e.chain || '.' || e.seq, e.at, e.kind, e.sub, e.org, e.detail, r.verdict, r.at, r.by
	FROM ehr_store.audit_event e LEFT JOIN ehr_store.break_glass_review r ON r.chain = e.chain AND r.seq = e.seq
	WHERE e.kind IN ('break_glass', 'break_glass_refused', 'break_glass_alarm') AND (NOT open_only OR r.seq IS NULL)
	ORDER BY e.kind <> 'break_glass_alarm', e.at;
END
$$;
COMMENT ON FUNCTION ehr_internal.break_glass_reviews(bool) IS 'implementation of ehr.break_glass_reviews';

CREATE FUNCTION ehr.review_break_glass(review text, justified bool, remark text) RETURNS bool
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.review_break_glass(text, bool, text) IS 'auditors: judges a use of break-glass, once; false when there is none that is open';

CREATE FUNCTION ehr_internal.review_break_glass(review text, justified bool, remark text) RETURNS bool
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	principal jsonb := ehr_internal.require_session(ARRAY['auditor']);
BEGIN
	IF justified IS NULL OR coalesce(btrim(remark), '') = '' THEN
		RAISE invalid_parameter_value USING MESSAGE = 'a review needs a verdict and a remark';
	END IF;
	INSERT INTO ehr_store.break_glass_review (chain, seq, verdict, remark, by)
	SELECT e.chain, e.seq, CASE WHEN justified THEN 'justified' ELSE 'not justified' END, remark, principal ->> 'sub'
	FROM ehr_store.audit_event e
	WHERE e.chain || '.' || e.seq = review_break_glass.review AND e.kind IN ('break_glass', 'break_glass_refused', 'break_glass_alarm')
	ON CONFLICT DO NOTHING;
	IF FOUND THEN PERFORM ehr_internal.audit_note('review', 'break-glass ' || review); END IF;
	RETURN FOUND;
END
$$;
COMMENT ON FUNCTION ehr_internal.review_break_glass(text, bool, text) IS 'implementation of ehr.review_break_glass';

CREATE FUNCTION ehr_internal.create_consent_emergency() RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE TABLE IF NOT EXISTS ehr_store.break_glass_user (
		org text NOT NULL,
		practitioner text,
		basis text NOT NULL,
		valid tstzrange NOT NULL
	);
	COMMENT ON TABLE ehr_store.break_glass_user IS 'who is authorised to break the glass';
	CREATE TABLE IF NOT EXISTS ehr_store.break_glass_limit (
		one bool PRIMARY KEY DEFAULT true CHECK (one),
		max_minutes int NOT NULL DEFAULT 60 CHECK (max_minutes > 0),
		min_reason int NOT NULL DEFAULT 10 CHECK (min_reason > 0),
		alarm_count int NOT NULL DEFAULT 5 CHECK (alarm_count > 0),
		alarm_hours int NOT NULL DEFAULT 24 CHECK (alarm_hours > 0)
	);
	COMMENT ON TABLE ehr_store.break_glass_limit IS 'how long, with how much of a reason, and how often before it is an alarm';
	INSERT INTO ehr_store.break_glass_limit DEFAULT VALUES ON CONFLICT DO NOTHING;
	CREATE TABLE IF NOT EXISTS ehr_store.break_glass_review (
		chain int2 NOT NULL,
		seq bigint NOT NULL,
		verdict text NOT NULL,
		remark text NOT NULL,
		by text NOT NULL,
		at timestamptz NOT NULL DEFAULT now(),
		PRIMARY KEY (chain, seq)
	);
	COMMENT ON TABLE ehr_store.break_glass_review IS 'what auditors judged of entries of the audit log about break-glass';
	CREATE TABLE IF NOT EXISTS ehr_store.notice_seen (
		chain int2 NOT NULL,
		seq bigint NOT NULL,
		at timestamptz NOT NULL DEFAULT now(),
		PRIMARY KEY (chain, seq)
	);
	COMMENT ON TABLE ehr_store.notice_seen IS 'entries of the audit log that the citizen concerned has read';
	CREATE INDEX IF NOT EXISTS audit_event_glass ON ehr_store.audit_event (sub, at) WHERE kind LIKE 'break\_glass%';
	INSERT INTO ehr_store.access_rule (kind, relation, operation, labels, basis, verified) VALUES
		('clinician', 'emergency', 'read', -1, 'Law 91/2025 Art. 19 k1a (life and health); Law on Medical Examination and Treatment', false)
	ON CONFLICT DO NOTHING;
	GRANT EXECUTE ON FUNCTION ehr.break_glass(uuid, text, int), ehr.notices(uuid), ehr.acknowledge_notices(uuid) TO ehr_app, ehr_query;
	GRANT EXECUTE ON FUNCTION ehr.allow_break_glass(text, text, text, timestamptz), ehr.disallow_break_glass(text, text) TO ehr_admin;
	GRANT EXECUTE ON FUNCTION ehr.break_glass_reviews(bool), ehr.review_break_glass(text, bool, text) TO ehr_auditor;
END
$$;
COMMENT ON FUNCTION ehr_internal.create_consent_emergency() IS 'tables and rules of break-glass';

REVOKE EXECUTE ON FUNCTION ehr.break_glass(uuid, text, int), ehr.notices(uuid), ehr.acknowledge_notices(uuid), ehr.allow_break_glass(text, text, text, timestamptz), ehr.disallow_break_glass(text, text),
	ehr.break_glass_reviews(bool), ehr.review_break_glass(text, bool, text) FROM PUBLIC;
