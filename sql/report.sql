---------------------------------------------------------------------------------------------------
-- report: figures about persons (doc/report.md)
---------------------------------------------------------------------------------------------------

-- What an immunization is against, when it does not say so itself (protocolApplied.targetDisease).
CREATE TABLE ehr_internal.vaccine_disease (
	vaccine text NOT NULL,
	disease text NOT NULL,
	shipped bool NOT NULL DEFAULT false,
	PRIMARY KEY (vaccine, disease)
);
COMMENT ON TABLE ehr_internal.vaccine_disease IS 'diseases that a vaccine code, local or CVX, stands for';
SELECT pg_catalog.pg_extension_config_dump('ehr_internal.vaccine_disease', 'WHERE NOT shipped');
INSERT INTO ehr_internal.vaccine_disease
SELECT v, d, true
FROM (VALUES
	('HepB0,08', 'hepatitis-b'), ('BCG,19', 'tuberculosis'),
	('DPT-HepB-Hib,198', 'diphtheria,tetanus,pertussis,hepatitis-b,hib'), ('DPT4,01', 'diphtheria,tetanus,pertussis'),
	('bOPV,178', 'polio'), ('IPV,10', 'polio'), ('Rota,119,116,122', 'rotavirus'), ('PCV,133,152', 'pneumococcal'),
	('MCV1,05', 'measles'), ('MR2,04', 'measles,rubella'), ('JE,39,134', 'japanese-encephalitis'),
	('Td,09,138', 'tetanus,diphtheria'), ('TT,35,112', 'tetanus'), ('HPV,62,165', 'hpv'), ('Typhoid,101', 'typhoid'),
	('Cholera,26', 'cholera'), ('COVID-19,207,208,210,505,510', 'covid-19')) AS t (vaccines, diseases),
	regexp_split_to_table(vaccines, ',') AS v, regexp_split_to_table(diseases, ',') AS d;

-- Groups of diagnoses for health programmes: codes and ranges only.
CREATE TABLE ehr_internal.disease_group (
	code text PRIMARY KEY,
	name text NOT NULL,
	ranges text NOT NULL CHECK (ehr.icd10_within('A00', ranges) IS NOT NULL),
	on_demand bool NOT NULL DEFAULT false,
	basis text,
	shipped bool NOT NULL DEFAULT false
);
COMMENT ON TABLE ehr_internal.disease_group IS 'groups of ICD-10 codes that reports count by; on_demand: only when asked for by name';
SELECT pg_catalog.pg_extension_config_dump('ehr_internal.disease_group', 'WHERE NOT shipped');
INSERT INTO ehr_internal.disease_group (code, name, ranges, on_demand, basis, shipped) SELECT v.*, true FROM (VALUES
	('HTN', 'Tăng huyết áp', 'I10-I15', false, 'QD 5904/2019'),
	('DM', 'Đái tháo đường', 'E10-E14', false, 'QD 5904/2019'),
	('COPD', 'Bệnh phổi tắc nghẽn mạn tính', 'J44', false, NULL),
	('ASTHMA', 'Hen phế quản', 'J45-J46', false, NULL),
	('CANCER', 'Ung thư', 'C00-C97', false, NULL),
	('CVD', 'Bệnh tim mạch', 'I00-I99', false, 'QD 155/2022'),
	('IHD', 'Bệnh tim thiếu máu cục bộ', 'I20-I25', false, NULL),
	('STROKE', 'Đột quỵ', 'I60-I69', false, NULL),
	('SCHIZO', 'Tâm thần phân liệt', 'F20-F29', true, 'QD 155/2022'),
	('EPIL', 'Động kinh', 'G40-G41', false, 'QD 155/2022'),
	('DEPR', 'Trầm cảm', 'F32-F33', true, 'QD 155/2022'),
	('DEMENTIA', 'Sa sút trí tuệ', 'F00-F03,G30', false, 'QD 155/2022'),
	('CKD', 'Bệnh thận mạn', 'N18', false, NULL),
	('HIV', 'HIV/AIDS', 'B20-B24,Z21', true, 'Law 71/2020 Art. 30'),
	('TB', 'Lao', 'A15-A19,B90', false, NULL),
	('COVID', 'COVID-19', 'U07-U10', false, NULL),
	('PREG', 'Thai sản', 'O00-O99,Z32-Z39', true, NULL),
	('INJURY', 'Tai nạn thương tích', 'S00-T98,V01-Y98', false, NULL),
	('PREMATURE_NCD', 'Bệnh không lây nhiễm (SDG 3.4.1)', 'I00-I99,C00-C97,E10-E14,J30-J98', false, NULL)) AS v;

CREATE FUNCTION ehr_internal.create_report() RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE TABLE IF NOT EXISTS ehr_store.report_definition (
		name text NOT NULL,
		valid_from date NOT NULL DEFAULT '-infinity',
		valid_to date NOT NULL DEFAULT 'infinity',
		title text NOT NULL,
		basis text NOT NULL,
		parameters jsonb NOT NULL DEFAULT '{}',
		query text NOT NULL,
		min_cell int NOT NULL DEFAULT 5,
		shipped bool NOT NULL DEFAULT false,
		PRIMARY KEY (name, valid_from)
	);
	COMMENT ON TABLE ehr_store.report_definition IS 'reports: a query on $1 (the parameters) that returns figures as jsonb, never rows about one person';
	COMMENT ON COLUMN ehr_store.report_definition.basis IS 'what asks for the report: law, circular, decision';
	COMMENT ON COLUMN ehr_store.report_definition.min_cell IS 'counts of fewer persons are not told; the query finds it among the parameters';
	COMMENT ON COLUMN ehr_store.report_definition.parameters IS 'name to {"type", "default"}; type is date, integer, text, or a list of the texts allowed';

	-- What reports need to know of a document, so that each version is opened once.
	CREATE TABLE IF NOT EXISTS ehr_store.fact_state (
		one bool PRIMARY KEY DEFAULT true CHECK (one),
		epoch int NOT NULL DEFAULT 0,
		txid xid8 NOT NULL DEFAULT '0'
	);
	COMMENT ON TABLE ehr_store.fact_state IS 'everything before this place in the order of changes is in the fact tables';
	CREATE TABLE IF NOT EXISTS ehr_store.fact_patient (
		key bigint PRIMARY KEY,
		version int NOT NULL,
		recorded timestamptz NOT NULL,
		unit text,
		unit_from date,
		dated bool NOT NULL,
		born date,
		sex text
	);
	COMMENT ON TABLE ehr_store.fact_patient IS 'of each source Patient: commune (a row of ehr_store.unit), birth date, sex';
	COMMENT ON COLUMN ehr_store.fact_patient.dated IS 'whether the document itself tells from which list of units its code is';
	CREATE TABLE IF NOT EXISTS ehr_store.fact_condition (
		key bigint NOT NULL,
		version int NOT NULL,
		subject bigint NOT NULL,
		code ehr.icd10 NOT NULL,
		noted date,
		PRIMARY KEY (key, code)
	);
	CREATE INDEX IF NOT EXISTS fact_condition_subject ON ehr_store.fact_condition (subject);
	COMMENT ON TABLE ehr_store.fact_condition IS 'of each Condition that is not refuted: ICD-10 codes and day';
	CREATE TABLE IF NOT EXISTS ehr_store.fact_immunization (
		key bigint NOT NULL,
		version int NOT NULL,
		subject bigint NOT NULL,
		disease text NOT NULL,
		given date,
		PRIMARY KEY (key, disease)
	);
	CREATE INDEX IF NOT EXISTS fact_immunization_subject ON ehr_store.fact_immunization (subject);
	COMMENT ON TABLE ehr_store.fact_immunization IS 'of each completed Immunization: diseases it is against, and day';
	INSERT INTO ehr_store.fact_state DEFAULT VALUES ON CONFLICT DO NOTHING;

	DELETE FROM ehr_store.report_definition WHERE shipped;
	INSERT INTO ehr_store.report_definition (name, title, basis, parameters, query, shipped)
	SELECT s.name, s.title, s.basis, s.parameters, s.query, true FROM ehr_internal.shipped_report s
	ON CONFLICT DO NOTHING;		-- a definition of the database's own comes before a shipped one

	IF NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = 'ehr_store.report_definition'::regclass) THEN
		CREATE POLICY anybody ON ehr_store.report_definition FOR SELECT USING (true);
	END IF;
	GRANT SELECT ON ehr_store.report_definition TO ehr_query;
	GRANT EXECUTE ON FUNCTION ehr.report(text, jsonb) TO ehr_app, ehr_query, ehr_admin;
END
$$;
COMMENT ON FUNCTION ehr_internal.create_report() IS 'tables of room report and the shipped reports';

---------------------------------------------------------------------------------------------------
-- Facts: a document is opened once a version, when the first report after it is made
---------------------------------------------------------------------------------------------------

-- Takes what changed since last time. Rows of transactions that were still running then are looked at again. The keys go through an
-- array, which the planner takes for short: each step is a look-up by index, whatever it knows of tables that were just filled.
CREATE FUNCTION ehr_internal.refresh_facts() RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	seen ehr_store.fact_state;
	settled xid8 := pg_snapshot_xmin(pg_current_snapshot());
	patient int2 := ehr_internal.type_number('Patient');
	condition int2 := ehr_internal.type_number('Condition');
	immunization int2 := ehr_internal.type_number('Immunization');
	-- an address with a district is of a list that still had them
	last_with_districts date := (SELECT max(u.valid_to) - 1 FROM ehr_store.unit u WHERE u.level = 'district' AND u.valid_to < 'infinity');
	changed bigint[];
	added bigint;
	all_added bigint := 0;
BEGIN
	SELECT * INTO seen FROM ehr_store.fact_state FOR UPDATE;

	SELECT array_agg(r.key) INTO changed FROM ehr_store.resource r
	WHERE (r.epoch, r.txid) >= (seen.epoch, seen.txid) AND r.type IN (patient, condition, immunization);
	SELECT array_agg(r.key) INTO changed FROM unnest(changed) AS k (key) JOIN ehr_store.resource r ON r.key = k.key
	WHERE r.deleted
		OR NOT EXISTS (SELECT FROM ehr_store.fact_patient f WHERE f.key = r.key AND f.version = r.version)
		AND NOT EXISTS (SELECT FROM ehr_store.fact_condition f WHERE f.key = r.key AND f.version = r.version)
		AND NOT EXISTS (SELECT FROM ehr_store.fact_immunization f WHERE f.key = r.key AND f.version = r.version);

	-- what is new about a patient may tell from which list his commune is
	changed := ARRAY(
		SELECT k.key FROM unnest(changed) AS k (key)
		UNION
		SELECT r.subject FROM unnest(changed) AS k (key) JOIN ehr_store.resource r ON r.key = k.key
		WHERE r.type <> patient AND r.subject IS NOT NULL
			AND NOT EXISTS (SELECT FROM ehr_store.fact_patient f WHERE f.key = r.subject AND f.dated));

	DELETE FROM ehr_store.fact_patient f USING unnest(changed) AS k (key) WHERE f.key = k.key;
	DELETE FROM ehr_store.fact_condition f USING unnest(changed) AS k (key) WHERE f.key = k.key;
	DELETE FROM ehr_store.fact_immunization f USING unnest(changed) AS k (key) WHERE f.key = k.key;

	INSERT INTO ehr_store.fact_condition (key, version, subject, code, noted)
	SELECT r.key, r.version, r.subject, code.icd10,
		ehr_internal.first_day(coalesce(r.doc::jsonb ->> 'onsetDateTime', r.doc::jsonb #>> '{onsetPeriod,start}', r.doc::jsonb ->> 'recordedDate'))
	FROM unnest(changed) AS k (key) JOIN ehr_store.resource r ON r.key = k.key, jsonb_path_query(r.doc::jsonb, 'lax $.code.coding[*] ? (@.system like_regex "icd-?10" flag "i").code') AS c,
		LATERAL (SELECT CASE WHEN c #>> '{}' ~* '^[A-Z][0-9][0-9A-Z](\.?[0-9A-Z]{1,4})?$' THEN (c #>> '{}')::ehr.icd10 END OFFSET 0) AS code (icd10)
	WHERE r.type = condition AND NOT r.deleted AND r.subject IS NOT NULL
		AND NOT r.doc::jsonb @? 'lax $.verificationStatus.coding[*].code ? (@ == "refuted" || @ == "entered-in-error")'
		AND code.icd10 IS NOT NULL
	ON CONFLICT DO NOTHING;
	GET DIAGNOSTICS added = ROW_COUNT;
	all_added := all_added + added;

	INSERT INTO ehr_store.fact_immunization (key, version, subject, disease, given)
	SELECT r.key, r.version, r.subject, f.disease, ehr_internal.first_day(r.doc::jsonb ->> 'occurrenceDateTime')
	FROM unnest(changed) AS k (key) JOIN ehr_store.resource r ON r.key = k.key, LATERAL (
		SELECT btrim(unnest(string_to_array(d #>> '{}', ';'))) AS disease FROM jsonb_path_query(r.doc::jsonb, 'lax $.protocolApplied[*].targetDisease[*].coding[*].code') AS d
		UNION ALL
		-- what the vaccine is against, where the document does not say it
		SELECT v.disease FROM jsonb_path_query(r.doc::jsonb, 'lax $.vaccineCode.coding[*].code') AS c
			JOIN ehr_internal.vaccine_disease v ON v.vaccine = c #>> '{}'
		WHERE NOT r.doc::jsonb @? 'lax $.protocolApplied[*].targetDisease[*].coding[*].code') AS f
	WHERE r.type = immunization AND NOT r.deleted AND r.subject IS NOT NULL
		AND r.doc::jsonb ->> 'status' = 'completed'
	ON CONFLICT DO NOTHING;		-- a disease said twice; to sort that out in the query would cost more
	GET DIAGNOSTICS added = ROW_COUNT;
	all_added := all_added + added;

	-- An address that begins on a day, or that has a district, is of the list of that time; any other of the list in force at the
	-- latest event that the same source tells of the patient, or of the newest when there is none.
	INSERT INTO ehr_store.fact_patient (key, version, recorded, unit, unit_from, dated, born, sex)
	SELECT d.key, d.version, d.recorded, u.code, u.valid_from, told.day IS NOT NULL, d.born, d.sex
	FROM (
		SELECT r.key, r.version, r.recorded, ehr_internal.first_day(r.doc::jsonb ->> 'birthDate') AS born, r.doc::jsonb ->> 'gender' AS sex,
			ehr_internal.first_day(r.doc::jsonb #>> '{address,0,period,start}') AS begun, r.doc::jsonb @? 'lax $.address[*].district' AS in_district,
			(SELECT array_agg(c.code #>> '{}' ORDER BY p.ordinal, c.n)
				FROM ehr_internal.unit_path p, jsonb_path_query(r.doc::jsonb, p.path) WITH ORDINALITY AS c (code, n) WHERE p.finds = 'commune') AS codes
		FROM unnest(changed) AS k (key) JOIN ehr_store.resource r ON r.key = k.key
		WHERE r.type = patient AND NOT r.deleted
		OFFSET 0) AS d
	CROSS JOIN LATERAL (SELECT coalesce(d.begun, CASE WHEN d.in_district THEN last_with_districts END,
		(SELECT last_with_districts FROM unnest(d.codes) AS x JOIN ehr_store.unit v ON v.code = x AND v.level = 'district' LIMIT 1)) OFFSET 0) AS told (day)
	CROSS JOIN LATERAL (SELECT coalesce(told.day, (SELECT max(f.given) FROM ehr_store.fact_immunization f WHERE f.subject = d.key),
		(SELECT max(f.noted) FROM ehr_store.fact_condition f WHERE f.subject = d.key)) OFFSET 0) AS t (day)
	LEFT JOIN LATERAL (
		SELECT w.code, w.valid_from
		FROM unnest(d.codes) WITH ORDINALITY AS c (code, n) JOIN ehr_store.unit w ON w.code = c.code AND w.level = 'commune'
		WHERE t.day IS NULL OR (t.day >= w.valid_from AND t.day < w.valid_to)
		ORDER BY c.n, w.valid_from DESC
		LIMIT 1) AS u ON true;
	GET DIAGNOSTICS added = ROW_COUNT;
	all_added := all_added + added;

	-- those without a known commune may have a province
	WITH province AS MATERIALIZED (
		SELECT u.code, u.valid_from, u.valid_to, regexp_replace(ehr.fold_text(u.name), '^(THANH PHO|TINH|TP) ', '') AS name
		FROM ehr_store.unit u WHERE u.level = 'province')
	UPDATE ehr_store.fact_patient f SET unit = u.code, unit_from = u.valid_from
	FROM unnest(changed) AS k (key) JOIN ehr_store.resource r ON r.key = k.key AND r.type = patient
	CROSS JOIN LATERAL (SELECT coalesce(ehr_internal.first_day(r.doc::jsonb #>> '{address,0,period,start}'),
		(SELECT max(i.given) FROM ehr_store.fact_immunization i WHERE i.subject = r.key),
		(SELECT max(c.noted) FROM ehr_store.fact_condition c WHERE c.subject = r.key)) OFFSET 0) AS t (day)
	CROSS JOIN LATERAL (
		SELECT w.code, w.valid_from
		FROM (SELECT p.ordinal, c.n, CASE p.finds WHEN 'province' THEN regexp_replace(c.found #>> '{}', '^0(?=..$)', '') END AS code,
				CASE p.finds WHEN 'province name' THEN regexp_replace(ehr.fold_text(c.found #>> '{}'), '^(THANH PHO|TINH|TP) ', '') END AS name
			FROM ehr_internal.unit_path p, jsonb_path_query(r.doc::jsonb, p.path) WITH ORDINALITY AS c (found, n)
			WHERE p.finds <> 'commune'
			OFFSET 0) AS sought
		JOIN province w ON w.name = sought.name
			OR w.code = sought.code AND (t.day IS NULL OR (t.day >= w.valid_from AND t.day < w.valid_to))
		ORDER BY sought.ordinal, sought.n, w.valid_from DESC
		LIMIT 1) AS u
	WHERE f.key = k.key AND f.unit IS NULL;

	UPDATE ehr_store.fact_state SET epoch = ehr_internal.current_epoch(), txid = settled;
	-- the report that follows is planned on tables that may just have been filled
	IF all_added > 1000 + (SELECT sum(greatest(c.reltuples, 0)) / 10 FROM pg_class c
		WHERE c.oid IN ('ehr_store.fact_patient'::regclass, 'ehr_store.fact_condition'::regclass, 'ehr_store.fact_immunization'::regclass)) THEN
		ANALYZE ehr_store.fact_patient, ehr_store.fact_condition, ehr_store.fact_immunization;
	END IF;
END
$$;
COMMENT ON FUNCTION ehr_internal.refresh_facts() IS 'brings the fact tables of reports up to the current versions of resources';

CREATE FUNCTION ehr_internal.rebuild_facts() RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	DELETE FROM ehr_store.fact_patient;
	DELETE FROM ehr_store.fact_condition;
	DELETE FROM ehr_store.fact_immunization;
	UPDATE ehr_store.fact_state SET epoch = 0, txid = '0';
	PERFORM ehr_internal.refresh_facts();
END
$$;
COMMENT ON FUNCTION ehr_internal.rebuild_facts() IS 'makes the fact tables anew, after unit lists or vaccine codes changed';

-- Every source Patient with its person and that person's commune, birth date and sex: those of the latest record that has one.
-- A patient whom nobody has linked yet is a person of his own (negative key). unit is a commune of the list in force on the day; a
-- province where the commune is not known; null where neither is.
CREATE FUNCTION ehr_internal.report_subject(as_of date, level text)
	RETURNS TABLE (subject bigint, person bigint, unit text, born date, sex text)
	LANGUAGE sql STABLE PARALLEL SAFE ROWS 100000
	SET search_path = pg_catalog, pg_temp
AS $$
	WITH RECURSIVE up AS (
		SELECT p.key, p.merged_into AS into, 1 AS depth FROM ehr_store.person p WHERE p.merged_into IS NOT NULL
		UNION ALL
		SELECT up.key, p.merged_into, up.depth + 1 FROM up JOIN ehr_store.person p ON p.key = up.into
		WHERE p.merged_into IS NOT NULL AND up.depth < 1000),
	root AS (
		SELECT DISTINCT ON (up.key) up.key, up.into FROM up ORDER BY up.key, up.depth DESC),
	place AS (
		SELECT known.unit, known.unit_from,
			CASE WHEN level = 'province' THEN ehr_internal.unit_then(province.code, province.valid_from, as_of)
				ELSE coalesce(ehr_internal.unit_then(known.unit, known.unit_from, as_of),
					ehr_internal.unit_then(province.code, province.valid_from, as_of)) END AS code
		FROM (SELECT DISTINCT f.unit, f.unit_from FROM ehr_store.fact_patient f WHERE f.unit IS NOT NULL) AS known
		LEFT JOIN LATERAL (
			SELECT u.code, u.valid_from FROM ehr_store.unit u
			WHERE u.code = ehr_internal.province_of(known.unit, known.unit_from) AND u.valid_from <= known.unit_from
			ORDER BY u.valid_from DESC LIMIT 1) AS province ON true)
	SELECT f.key, person.key,
		first_value(place.code) OVER (PARTITION BY person.key ORDER BY place.code IS NULL, f.recorded DESC, f.key),
		first_value(f.born) OVER (PARTITION BY person.key ORDER BY f.born IS NULL, f.recorded DESC, f.key),
		first_value(f.sex) OVER (PARTITION BY person.key ORDER BY f.sex IS NULL, f.recorded DESC, f.key)
	FROM ehr_store.fact_patient f
	LEFT JOIN ehr_store.person_link l ON l.subject = f.key
	LEFT JOIN root ON root.key = l.person
	LEFT JOIN place ON place.unit = f.unit AND place.unit_from = f.unit_from
	CROSS JOIN LATERAL (SELECT coalesce(root.into, l.person, -f.key)) AS person (key)
$$;
COMMENT ON FUNCTION ehr_internal.report_subject(date, text) IS 'source patients with their persons, and the persons'' unit on a day, birth date and sex; for reports';

---------------------------------------------------------------------------------------------------
-- Shipped reports
---------------------------------------------------------------------------------------------------

CREATE TABLE ehr_internal.shipped_report (
	name text PRIMARY KEY,
	title text NOT NULL,
	basis text NOT NULL,
	parameters jsonb NOT NULL,
	query text NOT NULL
);
COMMENT ON TABLE ehr_internal.shipped_report IS 'reports that come with the extension; create_store() puts them into ehr_store.report_definition';

INSERT INTO ehr_internal.shipped_report VALUES
('immunization_coverage', 'Immunization coverage by commune',
	'TT 23/2025/TT-BYT, registers A2.1 and A2.2; TT 10/2024/TT-BYT with TT 52/2025 and TT 13/2026 (diseases)',
	'{"as_of": {"type": "date"}, "level": {"type": ["commune", "province"], "default": "commune"}, "doses": {"type": "integer", "default": 1},
	  "disease": {"type": "text"}, "unit": {"type": "text"}, "born_from": {"type": "date"}, "born_to": {"type": "date"}}',
$query$
	WITH ask AS (
		SELECT ($1 ->> 'as_of')::date AS as_of, $1 ->> 'level' AS level, ($1 ->> 'doses')::int AS doses, $1 ->> 'disease' AS disease,
			$1 ->> 'unit' AS unit, ($1 ->> 'born_from')::date AS born_from, ($1 ->> 'born_to')::date AS born_to, ($1 ->> 'min_cell')::int AS min_cell),
	subject AS MATERIALIZED (
		SELECT s.* FROM ask, ehr_internal.report_subject(ask.as_of, ask.level) AS s
		WHERE (ask.born_from IS NULL OR s.born >= ask.born_from) AND (ask.born_to IS NULL OR s.born <= ask.born_to)
			AND coalesce(s.born <= ask.as_of, true)),
	population AS (
		SELECT s.unit, count(DISTINCT s.person) AS persons FROM subject s GROUP BY s.unit),
	-- one dose a day and disease, however many sources report it
	vaccinated AS (
		SELECT p.unit, p.disease, count(*) AS persons
		FROM (SELECT s.person, s.unit, f.disease
			FROM ask, subject s JOIN ehr_store.fact_immunization f ON f.subject = s.subject
			WHERE coalesce(f.given <= ask.as_of, true) AND (ask.disease IS NULL OR f.disease = ask.disease)
			GROUP BY s.person, s.unit, f.disease, ask.doses
			HAVING count(DISTINCT coalesce(f.given, '-infinity')) >= ask.doses) AS p
		GROUP BY p.unit, p.disease),
	cell AS (
		SELECT p.unit, d.disease, p.persons, coalesce(v.persons, 0) AS vaccinated
		FROM population p
		CROSS JOIN (SELECT DISTINCT f.disease FROM ask, ehr_store.fact_immunization f WHERE ask.disease IS NULL OR f.disease = ask.disease) AS d
		LEFT JOIN vaccinated v ON v.unit IS NOT DISTINCT FROM p.unit AND v.disease = d.disease)
	SELECT jsonb_build_object('unit', c.unit, 'name', u.name, 'level', u.level, 'province', coalesce(u.parent, u.code), 'disease', c.disease, 'doses', ask.doses,
		'persons', CASE WHEN NOT few.population THEN c.persons END,
		'vaccinated', CASE WHEN NOT few.population AND NOT few.vaccinated THEN c.vaccinated END,
		'share', CASE WHEN NOT few.population AND NOT few.vaccinated THEN round(c.vaccinated::numeric / c.persons, 4) END)
	FROM ask, cell c
	CROSS JOIN LATERAL (SELECT c.persons < ask.min_cell,
		(c.vaccinated BETWEEN 1 AND ask.min_cell - 1) OR (c.persons - c.vaccinated BETWEEN 1 AND ask.min_cell - 1)) AS few (population, vaccinated)
	LEFT JOIN LATERAL (SELECT x.code, x.name, x.level, x.parent FROM ehr_store.unit x
		WHERE x.code = c.unit AND x.valid_from <= ask.as_of AND x.valid_to > ask.as_of) AS u ON true
	WHERE ask.unit IS NULL OR ask.unit IN (c.unit, u.parent)
	ORDER BY c.unit, c.disease
$query$),
('disease_by_commune', 'Persons with a diagnosis by commune and disease group',
	'TT 15/2026/TT-BYT (noncommunicable diseases and mental health); QD 5904/2019/QD-BYT; QD 155/2022/QD-TTg',
	'{"as_of": {"type": "date"}, "level": {"type": ["commune", "province"], "default": "commune"}, "groups": {"type": "text"}, "ranges": {"type": "text"},
	  "unit": {"type": "text"}, "noted_from": {"type": "date"}, "noted_to": {"type": "date"}}',
$query$
	WITH ask AS (
		SELECT ($1 ->> 'as_of')::date AS as_of, $1 ->> 'level' AS level, regexp_split_to_array($1 ->> 'groups', '\s*[,;]\s*') AS groups, $1 ->> 'ranges' AS ranges,
			$1 ->> 'unit' AS unit, ($1 ->> 'noted_from')::date AS noted_from, ($1 ->> 'noted_to')::date AS noted_to, ($1 ->> 'min_cell')::int AS min_cell),
	asked_group AS (
		SELECT g.code, g.ranges FROM ask, ehr_internal.disease_group g
		WHERE CASE WHEN ask.groups IS NOT NULL THEN g.code = ANY (ask.groups) ELSE ask.ranges IS NULL AND NOT g.on_demand END
		UNION ALL
		SELECT ask.ranges, ask.ranges FROM ask WHERE ask.ranges IS NOT NULL),
	grouped AS (
		SELECT c.code, g.code AS in_group FROM (SELECT DISTINCT f.code FROM ehr_store.fact_condition f) AS c, asked_group g
		WHERE ehr.icd10_within(c.code, g.ranges)),
	subject AS MATERIALIZED (
		SELECT s.* FROM ask, ehr_internal.report_subject(ask.as_of, ask.level) AS s),
	population AS (
		SELECT s.unit, count(DISTINCT s.person) AS persons FROM subject s GROUP BY s.unit),
	cell AS (
		SELECT s.unit, g.in_group, count(DISTINCT s.person) AS n
		FROM ask, subject s JOIN ehr_store.fact_condition f ON f.subject = s.subject JOIN grouped g ON g.code OPERATOR(ehr.=) f.code
		WHERE coalesce(f.noted <= least(ask.as_of, ask.noted_to), ask.noted_to IS NULL)
			AND (ask.noted_from IS NULL OR f.noted >= ask.noted_from)
		GROUP BY s.unit, g.in_group),
	placed AS (
		SELECT c.*, p.persons AS population, u.name, u.level, coalesce(u.parent, u.code) AS province,
			c.n < ask.min_cell OR p.persons < ask.min_cell AS few
		FROM ask, cell c JOIN population p ON p.unit IS NOT DISTINCT FROM c.unit
		LEFT JOIN LATERAL (SELECT x.code, x.name, x.level, x.parent FROM ehr_store.unit x
			WHERE x.code = c.unit AND x.valid_from <= ask.as_of AND x.valid_to > ask.as_of) AS u ON true),
	-- a single hidden cell of a province could be had from the province's total: the smallest of the others is hidden with it
	guarded AS (
		SELECT p.*, count(*) FILTER (WHERE p.few) OVER (PARTITION BY p.in_group, p.sum_over) AS hidden,
			row_number() OVER (PARTITION BY p.in_group, p.sum_over, p.few ORDER BY p.n, p.unit) AS rank
		FROM (SELECT placed.*, CASE WHEN ask.level = 'commune' THEN placed.province END AS sum_over FROM ask, placed) AS p)
	SELECT jsonb_build_object('unit', g.unit, 'name', g.name, 'level', g.level, 'province', g.province, 'group', g.in_group,
		'persons', CASE WHEN NOT h.hide THEN g.n END,
		'population', CASE WHEN g.population >= ask.min_cell THEN g.population END,
		'share', CASE WHEN NOT h.hide THEN round(g.n::numeric / g.population, 4) END,
		'suppressed', h.hide)
	FROM ask, guarded g CROSS JOIN LATERAL (SELECT g.few OR (g.hidden = 1 AND g.rank = 1)) AS h (hide)
	WHERE ask.unit IS NULL OR ask.unit IN (g.unit, g.province)
	ORDER BY g.unit, g.in_group
$query$);

---------------------------------------------------------------------------------------------------
-- The function
---------------------------------------------------------------------------------------------------

-- Parameters with their defaults filled in; 22023 for one that the report does not know or that is of another type.
CREATE FUNCTION ehr_internal.report_parameters(known jsonb, given jsonb) RETURNS jsonb
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	complete jsonb := '{}';
	p record;
	value jsonb;
	fits bool;
BEGIN
	IF jsonb_typeof(given) <> 'object' OR EXISTS (SELECT FROM jsonb_object_keys(given) AS k WHERE NOT known ? k) THEN
		RAISE invalid_parameter_value USING MESSAGE = 'the report does not have this parameter',
			HINT = format('Its parameters are %s.', (SELECT string_agg(k, ', ' ORDER BY k) FROM jsonb_object_keys(known) AS k));
	END IF;
	FOR p IN SELECT k.key AS name, k.value -> 'type' AS type, k.value -> 'default' AS standard FROM jsonb_each(known) AS k LOOP
		value := coalesce(nullif(given -> p.name, 'null'), p.standard);
		CONTINUE WHEN value IS NULL;
		fits := CASE
			WHEN jsonb_typeof(p.type) = 'array' THEN p.type @> jsonb_build_array(value)
			WHEN p.type = '"integer"' THEN value #>> '{}' ~ '^\d{1,6}$'
			WHEN p.type = '"date"' THEN value #>> '{}' ~ '^\d{4}-\d\d-\d\d$' AND ehr_internal.first_day(value #>> '{}') IS NOT NULL
			ELSE jsonb_typeof(value) = 'string' END;
		IF NOT fits THEN
			RAISE invalid_parameter_value USING MESSAGE = 'wrong value for a parameter of the report',
				DETAIL = format('Parameter %s is %s.', p.name, CASE WHEN jsonb_typeof(p.type) = 'array'
					THEN 'one of ' || (SELECT string_agg(t, ', ') FROM jsonb_array_elements_text(p.type) AS t)
					ELSE 'of type ' || (p.type #>> '{}') END);
		END IF;
		complete := complete || jsonb_build_object(p.name, value);
	END LOOP;
	RETURN complete;
END
$$;
COMMENT ON FUNCTION ehr_internal.report_parameters(jsonb, jsonb) IS 'parameters of a report with defaults filled in, or error 22023';

CREATE FUNCTION ehr.report(name text, params jsonb DEFAULT '{}') RETURNS SETOF jsonb
	LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.report(text, jsonb) IS 'figures of a report (ehr_store.report_definition) for sessions of departments, stations and administrators';
REVOKE EXECUTE ON FUNCTION ehr.report(text, jsonb) FROM PUBLIC;

CREATE FUNCTION ehr_internal.report(name text, params jsonb) RETURNS SETOF jsonb
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	definition ehr_store.report_definition;
	day date;
	unit text;
BEGIN
	day := coalesce(ehr_internal.first_day(params ->> 'as_of'), current_date);
	unit := ehr_internal.require_figures(params ->> 'unit', day);
	IF unit IS NOT NULL THEN params := coalesce(params, '{}') || jsonb_build_object('unit', unit); END IF;
	SELECT d.* INTO definition FROM ehr_store.report_definition d
	WHERE d.name = report.name AND d.valid_from <= day AND d.valid_to > day ORDER BY d.valid_from DESC LIMIT 1;
	IF NOT FOUND THEN
		RAISE undefined_object USING MESSAGE = 'there is no such report on this day',
			HINT = format('There are %s.', (SELECT string_agg(DISTINCT d.name, ', ' ORDER BY d.name) FROM ehr_store.report_definition d
				WHERE d.valid_from <= day AND d.valid_to > day));
	END IF;
	-- on a standby and in a read-only transaction the figures are those of the last refresh
	IF NOT current_setting('transaction_read_only')::bool THEN
		PERFORM ehr_internal.refresh_facts();
	END IF;
	RETURN QUERY EXECUTE definition.query
		USING ehr_internal.report_parameters(definition.parameters, jsonb_build_object('as_of', day) || jsonb_strip_nulls(coalesce(params, '{}')))
			|| jsonb_build_object('min_cell', definition.min_cell);
END
$$;
COMMENT ON FUNCTION ehr_internal.report(text, jsonb) IS 'implementation of ehr.report';
