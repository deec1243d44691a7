-- FHIR Bundles as payloads.

CREATE FUNCTION ehr_internal.count_scalars(document jsonb) RETURNS int
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	RETURN (SELECT count(*)::int FROM jsonb_path_query(document, 'strict $.**') AS v WHERE jsonb_typeof(v) NOT IN ('object', 'array'));
COMMENT ON FUNCTION ehr_internal.count_scalars(jsonb) IS 'elements of a JSON payload: its strings, numbers, booleans and nulls';

CREATE FUNCTION ehr.ingest_bundle(bundle jsonb, source text) RETURNS jsonb
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.ingest_bundle(jsonb, text) IS
	'takes in a FHIR Bundle: a transaction all or nothing, other types entry by entry; returns the receipt, the same when it is sent again';

CREATE FUNCTION ehr.ingest_bundle(bundle text, source text) RETURNS jsonb
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.ingest_bundle(text, text) IS
	'the same for a text, such as a literal; what is no JSON is refused without a word of it in the error or the log';

CREATE FUNCTION ehr_internal.ingest_bundle(bundle text, source text) RETURNS jsonb
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	parsed jsonb;
BEGIN
	BEGIN
		parsed := bundle;
	EXCEPTION WHEN data_exception THEN
		-- PostgreSQL's own error quotes the text
		RAISE invalid_text_representation USING MESSAGE = 'the bundle is not JSON', DETAIL = 'Rule "json" is broken.';
	END;
	RETURN ehr_internal.ingest_bundle(parsed, source);
END
$$;
COMMENT ON FUNCTION ehr_internal.ingest_bundle(text, text) IS 'implementation of ehr.ingest_bundle';

-- Counting: an element sent is a scalar of the payload. Those of stored resources are mapped, those of refused resources
-- quarantined, those of the envelope (fullUrl, request, type) kept with the payload.
CREATE FUNCTION ehr_internal.ingest_bundle(bundle jsonb, source text) RETURNS jsonb
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	bundle_body bytea := convert_to(bundle::text, 'UTF8');
	payload_no bigint;
	known jsonb;
BEGIN
	IF bundle ->> 'resourceType' IS DISTINCT FROM 'Bundle' OR jsonb_typeof(bundle -> 'entry') IS DISTINCT FROM 'array' THEN
		RAISE invalid_parameter_value USING MESSAGE = 'not a FHIR Bundle with entries';
	END IF;
	INSERT INTO ehr_store.payload AS p (kind, source, sha256, body) VALUES ('bundle', ingest_bundle.source, sha256(bundle_body), bundle_body)
	ON CONFLICT ON CONSTRAINT payload_kind_source_sha256_key DO NOTHING RETURNING p.payload INTO payload_no;
	IF payload_no IS NULL THEN
		SELECT p.receipt INTO known FROM ehr_store.payload p
		WHERE p.kind = 'bundle' AND p.source = ingest_bundle.source AND p.sha256 = sha256(bundle_body);
		RETURN known;
	END IF;
	RETURN ehr_internal.take_in_bundle(payload_no, bundle, source);
END
$$;
COMMENT ON FUNCTION ehr_internal.ingest_bundle(jsonb, text) IS 'implementation of ehr.ingest_bundle';

-- Also behind ehr.replay: whatever was quarantined of the payload is tried again, and the receipt renewed.
CREATE FUNCTION ehr_internal.take_in_bundle(payload_no bigint, bundle jsonb, source text) RETURNS jsonb
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	atomic bool := bundle ->> 'type' = 'transaction';
	applied jsonb;
	rule text;
	place text;
	sent int := ehr_internal.count_scalars(bundle);
	mapped int := 0;
	quarantined int := 0;
	new_receipt jsonb;
BEGIN
	UPDATE ehr_store.quarantine q SET state = 'superseded', closed = now() WHERE q.payload = payload_no AND q.state = 'open';
	BEGIN
		SELECT coalesce(jsonb_agg(to_jsonb(a)), '[]') INTO applied FROM ehr_internal.apply_bundle(bundle, source, source, NULL, atomic) AS a;
	EXCEPTION WHEN data_exception OR integrity_constraint_violation OR feature_not_supported OR cardinality_violation THEN
		GET STACKED DIAGNOSTICS rule = MESSAGE_TEXT, place = PG_EXCEPTION_DETAIL;
		-- the place is a path and a rule, never a value
		INSERT INTO ehr_store.quarantine (payload, dossier, kind, element, rule, elements)
		SELECT payload_no, 0, 'bundle', left(concat_ws(' ', substring(rule FROM '^Bundle\.entry\[\d+\]'), place), 1000),
			regexp_replace(rule, '^Bundle\.entry\[\d+\]: ', ''), coalesce(sum(ehr_internal.count_scalars(e -> 'resource')), 0)
		FROM jsonb_array_elements(bundle -> 'entry') AS e;
		applied := '[]';
	END;
	INSERT INTO ehr_store.quarantine (payload, dossier, kind, element, rule, elements)
	SELECT payload_no, a.entry, 'bundle', left(concat_ws(' ', format('Bundle.entry[%s]', a.entry - 1), a.place), 1000), a.rule,
		ehr_internal.count_scalars(bundle -> 'entry' -> (a.entry - 1) -> 'resource')
	FROM jsonb_to_recordset(applied) AS a (entry int, status text, rule text, place text)
	WHERE a.status = '422';

	SELECT coalesce(sum(ehr_internal.count_scalars(bundle -> 'entry' -> (a.entry - 1) -> 'resource')), 0) INTO mapped
	FROM jsonb_to_recordset(applied) AS a (entry int, status text) WHERE a.status <> '422';
	SELECT coalesce(sum(q.elements), 0) INTO quarantined FROM ehr_store.quarantine q WHERE q.payload = payload_no AND q.state = 'open';

	new_receipt := jsonb_build_object('payload', payload_no, 'sent', sent, 'mapped', mapped, 'kept', sent - mapped - quarantined,
		'quarantined', quarantined,
		'resources', (SELECT count(DISTINCT a.key) FROM jsonb_to_recordset(applied) AS a (key bigint)),
		'persons', (SELECT count(DISTINCT l.person) FROM jsonb_to_recordset(applied) AS a (key bigint) JOIN ehr_store.person_link l ON l.subject = a.key));
	UPDATE ehr_store.payload p SET receipt = new_receipt, subject = (
		SELECT CASE WHEN count(DISTINCT s) = 1 AND quarantined = 0 THEN min(s) END
		FROM jsonb_to_recordset(applied) AS a (key bigint) JOIN ehr_store.resource r ON r.key = a.key, unnest(r.subject || coalesce(r.more_subjects, '{}')) AS s)
	WHERE p.payload = payload_no;
	RETURN new_receipt;
END
$$;
COMMENT ON FUNCTION ehr_internal.take_in_bundle(bigint, jsonb, text) IS 'writes what a Bundle payload holds, quarantines what it must, and receipts it';

REVOKE EXECUTE ON FUNCTION ehr.ingest_bundle(jsonb, text), ehr.ingest_bundle(text, text) FROM PUBLIC;

CREATE FUNCTION ehr_internal.create_intake_bundle() RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	GRANT EXECUTE ON FUNCTION ehr.ingest_bundle(jsonb, text), ehr.ingest_bundle(text, text) TO ehr_ingest;
END
$$;
COMMENT ON FUNCTION ehr_internal.create_intake_bundle() IS 'grants of the intake of bundles';
