-- Rows of vaccination registers: one source Patient and one Immunization a row, set by set.

INSERT INTO ehr_internal.identifier_system (name, uri, version, valid_from, valid_to, shipped) VALUES
	('vaccination-record', 'urn:ehr:vn:vaccination-record', NULL, '-infinity', 'infinity', true),
	('vaccine', 'urn:ehr:vn:vaccine', NULL, '-infinity', 'infinity', true),
	('vaccine-disease', 'urn:ehr:vn:vaccine-disease', NULL, '-infinity', 'infinity', true);

CREATE FUNCTION ehr_internal.register_day(written text) RETURNS text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_register_day';
COMMENT ON FUNCTION ehr_internal.register_day(text) IS 'a day as registers write it (yyyy, yyyy-mm-dd, dd/mm/yyyy, yyyymmdd) as a FHIR date; null when it is none';

-- Columns that a row may have, and what they become. A column that is not here is kept with the payload.
CREATE TABLE ehr_internal.immunization_column (
	name text PRIMARY KEY,
	required bool NOT NULL DEFAULT false,
	becomes text NOT NULL
);
COMMENT ON TABLE ehr_internal.immunization_column IS 'columns of a staging table of vaccination rows, and the FHIR elements that they become';

INSERT INTO ehr_internal.immunization_column VALUES
	('record_id', true, 'Immunization.identifier'),
	('full_name', false, 'Patient.name.text'),
	('birth_date', false, 'Patient.birthDate'),
	('sex', false, 'Patient.gender'),
	('phone', false, 'Patient.telecom'),
	('citizen_number', false, 'Patient.identifier'),
	('insurance_number', false, 'Patient.identifier'),
	('address', false, 'Patient.address.text'),
	('ward_code', false, 'Patient.address.extension'),
	('district_code', false, 'Patient.address.extension'),
	('province_code', false, 'Patient.address.extension'),
	('vaccine_code', false, 'Immunization.vaccineCode.coding'),
	('vaccine_name', false, 'Immunization.vaccineCode.text'),
	('dose_number', false, 'Immunization.protocolApplied.doseNumber'),
	('vaccinated_on', true, 'Immunization.occurrenceDateTime'),
	('lot', false, 'Immunization.lotNumber'),
	('facility_code', false, 'Immunization.performer, author'),
	('disease', false, 'Immunization.protocolApplied.targetDisease');

-- One line read: values that can be used, and what is wrong with the others; then what is made of it.
CREATE TYPE ehr_internal.immunization_line AS (
	line int,
	sent int,			-- elements: columns that are not empty
	problems text[],	-- 'column: rule', one for each element that is quarantined
	refused text,		-- why the whole line is
	extra jsonb,		-- columns that nothing is made of
	record_id text,
	facility text,
	vaccine_code text,
	number text,
	number_system text,
	insurance text,
	insurance_system text,
	patient_id text,
	immunization_id text,
	patient jsonb,
	immunization jsonb,
	features bytea
);
COMMENT ON TYPE ehr_internal.immunization_line IS 'a row of a vaccination register and the resources made of it';

-- A register holds rows of many years: a system that has ended (districts, 1 July 2025) is still that of older rows.
CREATE FUNCTION ehr_internal.immunization_systems() RETURNS jsonb
	LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	RETURN (SELECT jsonb_object_agg('@' || n.name, n.uri)
		FROM (SELECT DISTINCT ON (i.name) i.name, i.uri FROM ehr_internal.identifier_system i
			WHERE i.valid_from <= current_date ORDER BY i.name, i.valid_from DESC, i.shipped) AS n);
COMMENT ON FUNCTION ehr_internal.immunization_systems() IS 'URIs of identifier and code systems for vaccination rows, by @name';

-- Set by set and without a function call a row, which would cost more than the work. s: system URIs as '@name'.
CREATE FUNCTION ehr_internal.read_immunizations(lines text, source text) RETURNS ehr_internal.immunization_line[]
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	s jsonb := ehr_internal.immunization_systems();
	meta jsonb := jsonb_build_object('source', ehr_internal.source_uri(source));
	columns text[] := ARRAY(SELECT c.name FROM ehr_internal.immunization_column c);
	scope_patient text := source || E'\x1fpatient:';
	scope_immunization text := source || E'\x1fimmunization:';
BEGIN
	RETURN ARRAY(
	WITH sent AS MATERIALIZED (
		SELECT t.n::int AS line, t.line::jsonb AS j FROM unnest(string_to_array(lines, E'\n')) WITH ORDINALITY AS t (line, n)),
	trimmed AS MATERIALIZED (
		SELECT t.line, t.j,
			nullif(btrim(t.j ->> 'record_id'), '') AS record_id, nullif(btrim(t.j ->> 'full_name'), '') AS full_name,
			nullif(btrim(t.j ->> 'birth_date'), '') AS birth_date, lower(nullif(btrim(t.j ->> 'sex'), '')) AS sex,
			nullif(btrim(t.j ->> 'phone'), '') AS phone, nullif(btrim(t.j ->> 'address'), '') AS address,
			-- spreadsheets take the leading zero away
			regexp_replace(nullif(translate(t.j ->> 'citizen_number', E' \t.-', ''), ''), '^(\d{11}|\d{8})$', '0\1') AS number,
			upper(nullif(translate(t.j ->> 'insurance_number', E' \t.-', ''), '')) AS insurance,
			nullif(btrim(t.j ->> 'ward_code'), '') AS ward, nullif(btrim(t.j ->> 'district_code'), '') AS district,
			nullif(btrim(t.j ->> 'province_code'), '') AS province,
			nullif(btrim(t.j ->> 'vaccine_code'), '') AS vaccine_code, nullif(btrim(t.j ->> 'vaccine_name'), '') AS vaccine_name,
			nullif(btrim(t.j ->> 'dose_number'), '') AS dose_number, nullif(btrim(t.j ->> 'vaccinated_on'), '') AS vaccinated_on,
			nullif(btrim(t.j ->> 'lot'), '') AS lot, nullif(btrim(t.j ->> 'facility_code'), '') AS facility,
			nullif(btrim(t.j ->> 'disease'), '') AS disease
		FROM sent t),
	value AS MATERIALIZED (
		SELECT t.*, ehr_internal.register_day(t.birth_date) AS birth, ehr_internal.register_day(t.vaccinated_on) AS occurred,
			CASE WHEN t.sex IN ('male', 'm', 'nam', '1') THEN 'male' WHEN t.sex IN ('female', 'f', 'nữ', 'nu', '2', '0') THEN 'female'
				WHEN t.sex IN ('other', 'khác', '3') THEN 'other' WHEN t.sex = 'unknown' THEN 'unknown' END AS gender,
			CASE WHEN t.dose_number ~ '^[1-9]\d{0,2}$' THEN t.dose_number::int END AS dose,
			CASE length(t.number) WHEN 12 THEN CASE WHEN t.number ~ '^\d+$' THEN 'cccd' ELSE 'other-document' END
				WHEN 9 THEN CASE WHEN t.number ~ '^\d+$' THEN 'cmnd' ELSE 'other-document' END
				WHEN 8 THEN CASE WHEN t.number ~ '^[A-Za-z]\d+$' THEN 'passport' ELSE 'other-document' END
				ELSE 'other-document' END AS number_system,
			CASE WHEN length(t.insurance) = 10 THEN 'insurance-number' ELSE 'insurance-card' END AS insurance_system,
			left(encode(sha256(convert_to(scope_patient || t.record_id, 'UTF8')), 'hex'), 32) AS patient_id,
			left(encode(sha256(convert_to(scope_immunization || t.record_id, 'UTF8')), 'hex'), 32) AS immunization_id,
			row_number() OVER (PARTITION BY t.record_id ORDER BY t.line) AS again
		FROM trimmed t)
	SELECT ROW(v.line,
		c.sent,
		array_remove(ARRAY[
			CASE WHEN v.birth_date IS NOT NULL AND v.birth IS NULL THEN 'birth_date: not a day' END,
			CASE WHEN v.sex IS NOT NULL AND v.gender IS NULL THEN 'sex: not in list' END,
			CASE WHEN v.dose_number IS NOT NULL AND v.dose IS NULL THEN 'dose_number: not a positive number' END], NULL),
		CASE WHEN v.record_id IS NULL THEN 'record_id: missing'
			WHEN v.again > 1 THEN 'record_id: repeated'
			WHEN v.vaccinated_on IS NULL THEN 'vaccinated_on: missing'
			WHEN v.occurred IS NULL OR length(v.occurred) < 10 THEN 'vaccinated_on: not a day'
			WHEN v.vaccine_code IS NULL AND v.vaccine_name IS NULL THEN 'vaccine_code: missing' END,
		c.extra,
		v.record_id, v.facility, v.vaccine_code, v.number, v.number_system, v.insurance, v.insurance_system, v.patient_id, v.immunization_id,
		jsonb_strip_nulls(jsonb_build_object('resourceType', 'Patient', 'id', v.patient_id, 'meta', meta,
			'identifier', nullif(
				CASE WHEN v.number IS NULL THEN '[]' ELSE jsonb_build_array(jsonb_build_object('system', s -> ('@' || v.number_system), 'value', v.number)) END
				|| CASE WHEN v.insurance IS NULL THEN '[]' ELSE jsonb_build_array(jsonb_build_object('system', s -> ('@' || v.insurance_system), 'value', v.insurance)) END, '[]'),
			'name', CASE WHEN v.full_name IS NOT NULL THEN jsonb_build_array(jsonb_build_object('use', 'official', 'text', v.full_name)) END,
			'telecom', CASE WHEN v.phone IS NOT NULL THEN jsonb_build_array(jsonb_build_object('system', 'phone', 'value', v.phone)) END,
			'gender', v.gender, 'birthDate', v.birth,
			'address', CASE WHEN coalesce(v.address, v.ward, v.district, v.province) IS NOT NULL THEN jsonb_build_array(jsonb_build_object(
				'use', 'home', 'text', v.address, 'country', 'VN', 'extension', nullif(
					CASE WHEN v.province IS NULL THEN '[]' ELSE jsonb_build_array(jsonb_build_object('url', s -> '@ext-administrative-unit',
						'valueCoding', jsonb_build_object('system', s -> '@province', 'code', v.province))) END
					|| CASE WHEN v.district IS NULL THEN '[]' ELSE jsonb_build_array(jsonb_build_object('url', s -> '@ext-administrative-unit',
						'valueCoding', jsonb_build_object('system', s -> '@district', 'code', v.district))) END
					|| CASE WHEN v.ward IS NULL THEN '[]' ELSE jsonb_build_array(jsonb_build_object('url', s -> '@ext-administrative-unit',
						'valueCoding', jsonb_build_object('system', s -> '@ward', 'code', v.ward))) END, '[]'))) END,
			'managingOrganization', CASE WHEN v.facility IS NOT NULL THEN jsonb_build_object('identifier',
				jsonb_build_object('system', s -> '@facility', 'value', v.facility)) END)),
		jsonb_strip_nulls(jsonb_build_object('resourceType', 'Immunization', 'id', v.immunization_id, 'meta', meta,
			'identifier', jsonb_build_array(jsonb_build_object('system', s -> '@vaccination-record', 'value', v.record_id)),
			'status', 'completed',
			'vaccineCode', jsonb_build_object('text', v.vaccine_name,
				'coding', CASE WHEN v.vaccine_code IS NOT NULL THEN jsonb_build_array(jsonb_build_object('system', s -> '@vaccine', 'code', v.vaccine_code)) END),
			'patient', jsonb_build_object('reference', 'Patient/' || v.patient_id),
			'occurrenceDateTime', v.occurred, 'lotNumber', v.lot,
			'performer', CASE WHEN v.facility IS NOT NULL THEN jsonb_build_array(jsonb_build_object('actor',
				jsonb_build_object('identifier', jsonb_build_object('system', s -> '@facility', 'value', v.facility)))) END,
			'protocolApplied', CASE WHEN v.dose IS NOT NULL THEN jsonb_build_array(jsonb_build_object('doseNumberPositiveInt', v.dose,
				'targetDisease', (SELECT jsonb_agg(jsonb_build_object('coding',
						jsonb_build_array(jsonb_build_object('system', s -> '@vaccine-disease', 'code', btrim(d)))))
					FROM string_to_table(v.disease, ';') AS d WHERE btrim(d) <> ''))) END)),
		ehr_internal.match_row(v.full_name, v.birth, v.gender, v.number, v.insurance, v.phone, v.ward, v.district, v.address)
		)::ehr_internal.immunization_line
	FROM value v, LATERAL (
		SELECT count(*)::int AS sent, jsonb_object_agg(e.key, e.value) FILTER (
			WHERE e.key <> ALL (columns) OR (e.key = 'disease' AND v.dose IS NULL) OR btrim(e.value) = '') AS extra
		FROM jsonb_each_text(v.j) AS e WHERE e.value <> '') AS c
	ORDER BY v.line);
END
$$;
COMMENT ON FUNCTION ehr_internal.read_immunizations(text, text) IS 'reads a payload of vaccination rows and makes the resources';

-- ---------------------------------------------------------------------------
-- From the staging table to payloads. This function runs with the caller's own rights: a table, view or policy of
-- his can do no more than he may. What it reads goes on as text.
-- ---------------------------------------------------------------------------

CREATE FUNCTION ehr.ingest_immunizations(rows regclass, source text) RETURNS jsonb
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	chunk text;
	receipt jsonb;
	receipts jsonb := '[]';
	missing text;
BEGIN
	SELECT c INTO missing FROM unnest(ehr.immunization_columns(true)) AS c
	WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = rows AND a.attname = c AND a.attnum > 0 AND NOT a.attisdropped) LIMIT 1;
	IF missing IS NOT NULL THEN
		RAISE undefined_column USING MESSAGE = 'the table of vaccination rows lacks a column',
			DETAIL = format('Column "%s" is needed.', missing),
			HINT = 'doc/intake.md lists the columns; they are read as text.';
	END IF;
	-- a fixed order and size of payloads, so that the same table again makes the same ones
	FOR chunk IN EXECUTE format(
		'SELECT string_agg(x.line, E''\n'' ORDER BY x.n) FROM (SELECT y.line, row_number() OVER (ORDER BY y.record_id COLLATE "C", y.line COLLATE "C") AS n
			FROM (SELECT t.record_id::text AS record_id, row_to_json(t)::text AS line FROM %s AS t) AS y) AS x
		GROUP BY (x.n - 1) / 20000 ORDER BY (x.n - 1) / 20000',
		rows)
	LOOP
		receipts := receipts || ehr.ingest_immunization_lines(chunk, source);
	END LOOP;
	SELECT jsonb_build_object(
		'payloads', coalesce(jsonb_agg(r -> 'payload'), '[]'),
		'rows', coalesce(sum((r ->> 'rows')::int), 0),
		'sent', coalesce(sum((r ->> 'sent')::int), 0), 'mapped', coalesce(sum((r ->> 'mapped')::int), 0),
		'kept', coalesce(sum((r ->> 'kept')::int), 0), 'quarantined', coalesce(sum((r ->> 'quarantined')::int), 0),
		'resources', coalesce(sum((r ->> 'resources')::int), 0)) INTO receipt
	FROM jsonb_array_elements(receipts) AS r;
	RETURN receipt || jsonb_build_object('persons', ehr.link_new(ARRAY(SELECT (p #>> '{}')::bigint FROM jsonb_array_elements(receipt -> 'payloads') AS p)));
END
$$;
COMMENT ON FUNCTION ehr.ingest_immunizations(regclass, text) IS
	'takes in the rows of a staging table of vaccinations, finds their persons, and returns the receipt; the same rows again change nothing';

CREATE FUNCTION ehr.immunization_columns(required bool) RETURNS text[]
	LANGUAGE c STABLE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.immunization_columns(bool) IS 'columns that a staging table of vaccinations may have, or must have';

CREATE FUNCTION ehr_internal.immunization_columns(required bool) RETURNS text[]
	LANGUAGE plpgsql STABLE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN ARRAY(SELECT c.name FROM ehr_internal.immunization_column c WHERE c.required OR NOT immunization_columns.required ORDER BY 1);
END
$$;
COMMENT ON FUNCTION ehr_internal.immunization_columns(bool) IS 'implementation of ehr.immunization_columns';

CREATE FUNCTION ehr.ingest_immunization_lines(lines text, source text) RETURNS jsonb
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.ingest_immunization_lines(text, text) IS 'takes in one payload of vaccination rows, a JSON object a line, without finding persons yet; returns its receipt';

-- PostgreSQL's own error would quote the line.
CREATE FUNCTION ehr_internal.require_json_lines(lines text) RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	line record;
	kind text := 'object';
BEGIN
	BEGIN
		IF NOT EXISTS (SELECT FROM string_to_table(lines, E'\n') AS t WHERE jsonb_typeof(t::jsonb) <> 'object') THEN
			RETURN;
		END IF;
	EXCEPTION WHEN data_exception THEN
		NULL;	-- one of them is no JSON: which?
	END;
	FOR line IN SELECT t.text, t.n FROM string_to_table(lines, E'\n') WITH ORDINALITY AS t (text, n)
	LOOP
		BEGIN
			kind := jsonb_typeof(line.text::jsonb);
		EXCEPTION WHEN data_exception THEN
			kind := 'no JSON';
		END;
		IF kind <> 'object' THEN
			RAISE invalid_text_representation USING MESSAGE = 'a vaccination row is not a JSON object',
				DETAIL = format('Rule "json-object" is broken in line %s.', line.n);
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION ehr_internal.require_json_lines(text) IS 'raises 22P02 with the number of the first line that is not a JSON object';

CREATE FUNCTION ehr_internal.ingest_immunization_lines(lines text, source text) RETURNS jsonb
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	payload_body bytea := convert_to(lines, 'UTF8');
	payload_no bigint;
	known jsonb;
BEGIN
	PERFORM ehr_internal.require_json_lines(lines);
	INSERT INTO ehr_store.payload AS p (kind, source, sha256, body)
	VALUES ('immunizations', ingest_immunization_lines.source, sha256(payload_body), payload_body)
	ON CONFLICT ON CONSTRAINT payload_kind_source_sha256_key DO NOTHING RETURNING p.payload INTO payload_no;
	IF payload_no IS NULL THEN
		SELECT p.receipt INTO known FROM ehr_store.payload p
		WHERE p.kind = 'immunizations' AND p.source = ingest_immunization_lines.source AND p.sha256 = sha256(payload_body);
		RETURN known;
	END IF;
	RETURN ehr_internal.take_in_immunizations(payload_no, lines, source);
END
$$;
COMMENT ON FUNCTION ehr_internal.ingest_immunization_lines(text, text) IS 'implementation of ehr.ingest_immunization_lines';

-- ---------------------------------------------------------------------------
-- From a payload to resources
-- ---------------------------------------------------------------------------

CREATE FUNCTION ehr_internal.take_in_immunizations(payload_no bigint, lines text, source text) RETURNS jsonb
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	read_lines ehr_internal.immunization_line[];
	texts text[] := string_to_array(lines, E'\n');
	came timestamptz := (SELECT p.received FROM ehr_store.payload p WHERE p.payload = payload_no);
	new_receipt jsonb;
	written int;
BEGIN
	read_lines := ehr_internal.read_immunizations(lines, source);
	BEGIN
		written := ehr_internal.write_immunizations(read_lines, source, came);
	EXCEPTION WHEN data_exception OR integrity_constraint_violation THEN
		-- some line makes no valid FHIR: find which
		read_lines := ARRAY(
			SELECT CASE WHEN l.refused IS NULL AND NOT (ehr.is_valid(l.patient) AND ehr.is_valid(l.immunization))
				THEN jsonb_populate_record(l, '{"refused": "row: not valid FHIR"}') ELSE l END
			FROM unnest(read_lines) AS l ORDER BY l.line);
		written := ehr_internal.write_immunizations(read_lines, source, came);
	END;

	-- what an earlier attempt at this payload left behind
	UPDATE ehr_store.quarantine q SET state = 'superseded', closed = now() WHERE q.payload = payload_no AND q.state = 'open';
	DELETE FROM ehr_store.payload_element e WHERE e.payload = payload_no;
	INSERT INTO ehr_store.quarantine (payload, dossier, kind, record, line, element, rule, value_class, elements)
	SELECT payload_no, l.line, 'immunizations', l.line, l.line, split_part(l.refused, ': ', 1), split_part(l.refused, ': ', 2), NULL, l.sent
	FROM unnest(read_lines) AS l WHERE l.refused IS NOT NULL
	UNION ALL
	SELECT payload_no, l.line, 'immunizations', l.line, l.line, split_part(p, ': ', 1), split_part(p, ': ', 2),
		ehr_internal.value_class(texts[l.line]::jsonb ->> split_part(p, ': ', 1)), 1
	FROM unnest(read_lines) AS l, unnest(l.problems) AS p WHERE l.refused IS NULL;
	INSERT INTO ehr_store.payload_element (payload, dossier, file, record, kind, elements)
	SELECT payload_no, l.line, 0, l.line, 'immunizations', l.extra FROM unnest(read_lines) AS l WHERE l.refused IS NULL AND l.extra IS NOT NULL;

	SELECT jsonb_build_object('payload', payload_no, 'rows', count(*), 'sent', coalesce(sum(c.sent), 0),
		'mapped', coalesce(sum(c.sent - c.kept - c.quarantined), 0), 'kept', coalesce(sum(c.kept), 0), 'quarantined', coalesce(sum(c.quarantined), 0),
		'resources', written) INTO new_receipt
	FROM (SELECT l.sent, CASE WHEN l.refused IS NOT NULL THEN l.sent ELSE cardinality(l.problems) END AS quarantined,
			CASE WHEN l.refused IS NULL THEN (SELECT count(*) FROM jsonb_object_keys(l.extra)) ELSE 0 END AS kept
		FROM unnest(read_lines) AS l) AS c;
	UPDATE ehr_store.payload p SET receipt = new_receipt WHERE p.payload = payload_no;
	RETURN new_receipt;
END
$$;
COMMENT ON FUNCTION ehr_internal.take_in_immunizations(bigint, text, text) IS 'writes what a payload of vaccination rows holds, quarantines what it must, and receipts it';

-- Rows that are new go in set by set; a row that is there already is written as a new version where it differs, unless
-- something newer than the payload stands there (the payload is being replayed).
CREATE FUNCTION ehr_internal.write_immunizations(read_lines ehr_internal.immunization_line[], source text, received timestamptz) RETURNS int
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	s jsonb := ehr_internal.immunization_systems();
	patient_type int2 := ehr_internal.type_number('Patient');
	immunization_type int2 := ehr_internal.type_number('Immunization');
	this_epoch int := ehr_internal.current_epoch();
	old_one ehr_internal.immunization_line;
	rewritten int := 0;
	new_rows int;
BEGIN
	FOR old_one IN
		SELECT l.* FROM unnest(read_lines) AS l
			JOIN ehr_store.resource_key k ON k.type = patient_type AND k.id = l.patient_id
		WHERE l.refused IS NULL AND NOT EXISTS (
			SELECT FROM ehr_store.resource p JOIN ehr_store.resource i ON i.type = immunization_type AND i.id = l.immunization_id
			WHERE p.key = k.key AND ((p.doc::jsonb = l.patient AND i.doc::jsonb = l.immunization)
				OR p.recorded > received OR i.recorded > received))
	LOOP
		PERFORM ehr_internal.store_write(old_one.immunization, coalesce(old_one.facility, source)),
			ehr_internal.refresh_features(ARRAY[ehr_internal.store_write(old_one.patient, coalesce(old_one.facility, source))]);
		rewritten := rewritten + 2;
	END LOOP;

	WITH line AS MATERIALIZED (
		SELECT n.*, nextval('ehr_store.resource_key_key_seq') AS patient_key, nextval('ehr_store.resource_key_key_seq') AS immunization_key,
			coalesce(n.facility, source) AS author
		FROM unnest(read_lines) AS n
		WHERE n.refused IS NULL AND NOT EXISTS (SELECT FROM ehr_store.resource_key k WHERE k.type = patient_type AND k.id = n.patient_id)),
	label AS (
		SELECT v.author, v.code, ehr_internal.labels_of(jsonb_build_object('resourceType', 'Patient', 'meta', m.meta), v.author, NULL) AS of_patient,
			ehr_internal.labels_of(jsonb_build_object('resourceType', 'Immunization', 'meta', m.meta, 'vaccineCode', jsonb_build_object('coding',
				jsonb_build_array(jsonb_build_object('system', s -> '@vaccine', 'code', v.code)))), v.author, NULL) AS labels
		FROM (SELECT DISTINCT n.author, n.vaccine_code AS code FROM line n) AS v,
			(SELECT jsonb_build_object('source', ehr_internal.source_uri(source)) AS meta) AS m),
	key AS (
		INSERT INTO ehr_store.resource_key (key, type, id)
		SELECT n.patient_key, patient_type, n.patient_id FROM line n
		UNION ALL SELECT n.immunization_key, immunization_type, n.immunization_id FROM line n),
	resource AS (
		INSERT INTO ehr_store.resource (key, type, id, version, subject, labels, author, happened, epoch, doc)
		SELECT n.patient_key, patient_type, n.patient_id, 1, n.patient_key, b.of_patient, n.author, NULL, this_epoch, n.patient::ehr.fhir
		FROM line n JOIN label b ON b.author = n.author AND b.code IS NOT DISTINCT FROM n.vaccine_code
		UNION ALL
		SELECT n.immunization_key, immunization_type, n.immunization_id, 1, n.patient_key, b.labels, n.author,
			CASE WHEN length(n.immunization ->> 'occurrenceDateTime') = 10 THEN (n.immunization ->> 'occurrenceDateTime')::date END,
			this_epoch, n.immunization::ehr.fhir
		FROM line n JOIN label b ON b.author = n.author AND b.code IS NOT DISTINCT FROM n.vaccine_code),
	identifier AS (
		SELECT patient_type AS type, n.patient_key AS key, s ->> ('@' || n.number_system) AS system, n.number AS value, n.patient_key AS subject,
			n.number_system <> 'cccd' OR n.number = lpad(ehr_internal.match_number(n.features)::text, 12, '0') AS own, n.author AS source
		FROM line n WHERE n.number IS NOT NULL
		UNION ALL
		SELECT patient_type, n.patient_key, s ->> ('@' || n.insurance_system), n.insurance, n.patient_key, true, n.author
		FROM line n WHERE n.insurance IS NOT NULL
		UNION ALL
		SELECT immunization_type, n.immunization_key, s ->> '@vaccination-record', n.record_id, NULL, NULL, NULL FROM line n),
	business AS (
		INSERT INTO ehr_store.business_key (type, system, value, key) SELECT i.type, i.system, i.value, i.key FROM identifier i),
	known AS (
		INSERT INTO ehr_store.person_identifier (system, value, subject, source, own)
		SELECT i.system, i.value, i.subject, i.source, coalesce(i.own, false) FROM identifier i WHERE i.subject IS NOT NULL)
	INSERT INTO ehr_store.match_feature (subject, features, k1, k2, k3, k4, k5, k6, k7)
	SELECT n.patient_key, n.features, k[1], k[2], k[3], k[4], k[5], k[6], k[7]
	FROM line n, ehr_internal.match_keys(n.features) AS k;
	GET DIAGNOSTICS new_rows = ROW_COUNT;
	PERFORM ehr_internal.note_patients(ARRAY(SELECT k.key FROM unnest(read_lines) AS n JOIN ehr_store.resource_key k ON k.type = patient_type AND k.id = n.patient_id
		WHERE n.refused IS NULL));
	RETURN new_rows * 2 + rewritten;
END
$$;
COMMENT ON FUNCTION ehr_internal.write_immunizations(ehr_internal.immunization_line[], text, timestamptz) IS 'stores Patients and Immunizations of vaccination rows with identifiers and feature rows; returns how many resources';

-- ---------------------------------------------------------------------------
-- Persons of what came in
-- ---------------------------------------------------------------------------

CREATE FUNCTION ehr.link_new(payloads bigint[]) RETURNS int
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.link_new(bigint[]) IS 'finds the persons of source patients that have none, one by one or in bulk as their number asks; returns how many persons the rows of the payloads are';

CREATE FUNCTION ehr_internal.link_new(payloads bigint[]) RETURNS int
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	waiting bigint[];
	few CONSTANT int := 500;
BEGIN
	waiting := ARRAY(SELECT f.subject FROM ehr_store.match_feature f
		WHERE NOT EXISTS (SELECT FROM ehr_store.person_link l WHERE l.subject = f.subject) ORDER BY 1);
	IF cardinality(waiting) > few AND cardinality(waiting) > (SELECT count(*) FROM ehr_store.match_feature) / 100 THEN
		LOOP
			EXIT WHEN ehr_internal.link_step() = 0;
		END LOOP;
	ELSIF cardinality(waiting) > 0 THEN
		PERFORM ehr_internal.link_subjects(waiting);
	END IF;
	RETURN (SELECT count(DISTINCT ehr_internal.person_root(l.person))
		FROM ehr_store.payload p
			CROSS JOIN string_to_table(convert_from(p.body, 'UTF8'), E'\n') AS line
			JOIN ehr_store.resource_key k ON k.type = ehr_internal.type_number('Patient')
				AND k.id = ehr_internal.scoped_id(p.source, 'patient:' || btrim(line::json ->> 'record_id'))
			JOIN ehr_store.person_link l ON l.subject = k.key
		WHERE p.payload = ANY (payloads));
END
$$;
COMMENT ON FUNCTION ehr_internal.link_new(bigint[]) IS 'implementation of ehr.link_new';

REVOKE EXECUTE ON FUNCTION ehr.ingest_immunizations(regclass, text), ehr.ingest_immunization_lines(text, text),
	ehr.immunization_columns(bool), ehr.link_new(bigint[]) FROM PUBLIC;

CREATE FUNCTION ehr_internal.create_intake_immunizations() RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	GRANT EXECUTE ON FUNCTION ehr.ingest_immunizations(regclass, text), ehr.ingest_immunization_lines(text, text),
		ehr.immunization_columns(bool), ehr.link_new(bigint[]) TO ehr_ingest;
END
$$;
COMMENT ON FUNCTION ehr_internal.create_intake_immunizations() IS 'grants of the intake of vaccination rows';
