-- Who may what of whom: every kind of session x the own unit's and another unit's record x read, write and count, against a table
-- that was written from the law's summary and doc/consent.md, not from what the code answers. Only differences are shown.
\set VERBOSITY terse
SET timezone = 'Asia/Ho_Chi_Minh';
\set a aaaaaaaa-0000-4000-8000-000000000091
\set c cccccccc-0000-4000-8000-000000000093
SELECT min(u.code) FILTER (WHERE u.parent = '79') AS here, min(u.code) FILTER (WHERE u.parent = '01') AS there FROM ehr_store.unit u WHERE u.level = 'commune' AND u.valid_to = 'infinity' \gset
INSERT INTO ehr_store.person (key, id) OVERRIDING SYSTEM VALUE VALUES (900091, :'a'), (900093, :'c');
CREATE FUNCTION ehr_test.mx(resource jsonb, author text) RETURNS bigint LANGUAGE sql RETURN ehr_internal.store_write(resource, author);
-- a lives here, hospital 79001 wrote the record; c lives in another province, 01001 did
SELECT ehr_test.mx(jsonb_build_object('resourceType', 'Patient', 'id', 'mx-' || p, 'address', jsonb_build_array(jsonb_build_object('period', '{"start": "2026-01-01"}'::jsonb,
	'extension', jsonb_build_array(jsonb_build_object('url', 'urn:ehr:unit', 'valueCode', u))))), author) IS NOT NULL AS written
FROM (VALUES ('a', :'here', '79001'), ('c', :'there', '01001')) AS v (p, u, author);
INSERT INTO ehr_store.person_link (subject, person, method) SELECT key, CASE id WHEN 'mx-a' THEN 900091 ELSE 900093 END, 'manual' FROM ehr_store.resource_key WHERE id IN ('mx-a', 'mx-c');
-- a diagnosis of primary care, a sensitive one, what a station does not read, and one that a sender marked
SELECT count(ehr_test.mx(jsonb_build_object('resourceType', t, 'id', 'mx-' || p || n, 'subject', jsonb_build_object('reference', 'Patient/mx-' || p)) || more, author)) AS written
FROM (VALUES ('a', '79001'), ('c', '01001')) AS w (p, author), (VALUES ('Condition', 'P', '{"code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "I10"}]}}'::jsonb),
	('Condition', 'S', '{"code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "B20"}]}}'), ('Observation', 'O', '{"status": "final", "code": {"text": "t"}}'),
	('Observation', 'M', '{"status": "final", "code": {"text": "t"}, "meta": {"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}]}}')) AS v (t, n, more);
INSERT INTO ehr_store.organisation_unit (org, unit, unit_from, valid, basis)
SELECT o, u.code, u.valid_from, '[2020-01-01,)', 'test' FROM (VALUES ('79s1', :'here'), ('01s1', :'there')) AS v (o, c) JOIN ehr_store.unit u ON u.code = v.c AND u.valid_to = 'infinity';
SELECT ehr_internal.refresh_facts() IS NOT NULL AS facts;

-- reads: the Patient (I), primary care (P), sensitive (S), marked by the sender (M), another type (O); writes: a row of its own about whom;
-- counts: the figures of the commune. own: the unit, facility or person is the session's.
CREATE TABLE ehr_test.expected (kind text, sub text, org text, purpose text, own_reads text, other_reads text, own_writes bool, other_writes bool, own_counts bool, other_counts bool);
INSERT INTO ehr_test.expected VALUES
	('citizen',		'aaaaaaaa-0000-4000-8000-000000000091', NULL, 'PATRQT',	'IMOPS', '',	true, false,	false, false),
	('citizen',		'aaaaaaaa-0000-4000-8000-000000000091', NULL, NULL,		'IMOPS', '',	true, false,	false, false),
	('citizen',		'bbbbbbbb-0000-4000-8000-0000000000ff', NULL, 'PATRQT',	'', '',			false, false,	false, false),
	('citizen',		'nobody', NULL, 'PATRQT',								'', '',			false, false,	false, false),
	('clinician',	'dr-1', '79001', 'TREAT',								'IMOPS', '',	true, true,		false, false),
	('clinician',	'dr-1', '79001', NULL,									'IMOPS', '',	true, true,		false, false),
	('clinician',	'dr-9', '79009', 'TREAT',								'', '',			true, true,		false, false),
	('clinician',	'dr-9', '79009', 'BTG',									'', '',			true, true,		false, false),
	('clinician',	'dr-9', NULL, 'TREAT',									'', '',			false, false,	false, false),
	('clinician',	'dr-s', '79s1', 'TREAT',								'', '',			true, true,		false, false),
	('facility',	'his', '79001', 'TREAT',								'IMOPS', '',	true, true,		false, false),
	('facility',	'his', '79009', 'TREAT',								'', '',			true, true,		false, false),
	('station',		's', '79s1', 'TREAT',									'IP', '',		true, true,		true, false),
	('station',		's', '79s1', 'PUBHLTH',									'IP', '',		true, true,		true, false),
	('station',		's', '79s1', 'HRESCH',									'', '',			true, true,		true, false),
	('station',		's', '79s1', NULL,										'', '',			true, true,		true, false),
	('station',		's', '79s9', 'TREAT',									'', '',			true, true,		false, false),
	('department',	'd', '79', 'PUBHLTH',									'', '',			false, false,	true, false),
	('department',	'd', '79', 'TREAT',										'', '',			false, false,	true, false),
	('department',	'd', '99', 'PUBHLTH',									'', '',			false, false,	false, false),
	('insurer',		'i', '79', 'HPAYMT',									'', '',			false, false,	false, false),
	('insurer',		'i', '79001', 'TREAT',									'', '',			false, false,	false, false),
	('auditor',		'u', '79', 'HOPERAT',									'', '',			false, false,	false, false),
	('auditor',		'u', '79001', 'TREAT',									'', '',			false, false,	false, false),
	('admin',		'ad', '79', 'HOPERAT',									'', '',			false, false,	true, true),
	('admin',		'ad', '79001', 'TREAT',									'', '',			false, false,	true, true),
	('nurse',		'n', '79001', 'TREAT',									'', '',			false, false,	false, false),
	('nobody',		NULL, NULL, NULL,										'', '',			false, false,	false, false);
GRANT SELECT ON ehr_test.expected TO PUBLIC;
-- the mirror: sessions of the other province see the same of the other record
INSERT INTO ehr_test.expected SELECT kind, 'cccccccc-0000-4000-8000-000000000093', NULL, purpose, other_reads, own_reads, other_writes, own_writes, other_counts, own_counts
	FROM ehr_test.expected WHERE sub LIKE 'aaaa%'
UNION ALL
SELECT kind, sub, regexp_replace(org, '^79', '01'), purpose, other_reads, own_reads, CASE WHEN kind IN ('clinician', 'facility', 'station') AND org IS NOT NULL THEN true ELSE other_writes END,
	CASE WHEN kind IN ('clinician', 'facility', 'station') AND org IS NOT NULL THEN true ELSE own_writes END, other_counts, own_counts
	FROM ehr_test.expected WHERE org LIKE '79%';

\c - regress_ehr_query
\set VERBOSITY terse
SELECT min(u.code) FILTER (WHERE u.parent = '79') AS here, min(u.code) FILTER (WHERE u.parent = '01') AS there FROM ehr_store.unit u WHERE u.level = 'commune' AND u.valid_to = 'infinity' \gset
-- letters of what is read of a record: from the table, from the table one by one, from ehr.get and from ehr.history
CREATE FUNCTION pg_temp.reads(p text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	ways text[];
BEGIN
	ways := ARRAY[
		(SELECT coalesce(string_agg(coalesce(nullif(substr(id, 5), ''), 'I'), '' ORDER BY coalesce(nullif(substr(id, 5), ''), 'I') COLLATE "C"), '') FROM ehr_store.resource WHERE id LIKE 'mx-' || p || '%' AND id NOT LIKE '%w'),
		(SELECT coalesce(string_agg(n, '' ORDER BY n COLLATE "C"), '') FROM unnest('{I,M,O,P,S}'::text[]) AS n WHERE ehr.get(CASE n WHEN 'I' THEN 'Patient' WHEN 'P' THEN 'Condition' WHEN 'S' THEN 'Condition' ELSE 'Observation' END, 'mx-' || p || CASE n WHEN 'I' THEN '' ELSE n END) IS NOT NULL),
		(SELECT coalesce(string_agg(n, '' ORDER BY n COLLATE "C"), '') FROM unnest('{I,M,O,P,S}'::text[]) AS n WHERE EXISTS (SELECT FROM ehr.history(CASE n WHEN 'I' THEN 'Patient' WHEN 'P' THEN 'Condition' WHEN 'S' THEN 'Condition' ELSE 'Observation' END, 'mx-' || p || CASE n WHEN 'I' THEN '' ELSE n END))),
		(SELECT coalesce(string_agg(n, '' ORDER BY n COLLATE "C"), '') FROM unnest('{I,M,O,P,S}'::text[]) AS n WHERE ehr.explain_access(CASE n WHEN 'I' THEN 'Patient' WHEN 'P' THEN 'Condition' WHEN 'S' THEN 'Condition' ELSE 'Observation' END, 'mx-' || p || CASE n WHEN 'I' THEN '' ELSE n END) IS NOT NULL)];
	RETURN CASE WHEN ways[1] = ALL (ways) THEN ways[1] ELSE 'not the same by all ways: ' || ways::text END;
END $$;
CREATE FUNCTION pg_temp.writes(p text) RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
	PERFORM ehr.put(jsonb_build_object('resourceType', 'Observation', 'id', 'mx-' || p || 'w', 'status', 'final', 'code', '{"text": "t"}'::jsonb, 'subject', jsonb_build_object('reference', 'Patient/mx-' || p))::ehr.fhir);
	RAISE SQLSTATE 'DONE1';
EXCEPTION WHEN SQLSTATE 'DONE1' THEN
	RETURN true;
WHEN insufficient_privilege THEN
	RETURN false;
END $$;
-- nor is what stands there replaced, removed or patched, unless it is the session's own facility's
CREATE FUNCTION pg_temp.replaces(p text) RETURNS bool LANGUAGE plpgsql AS $$
DECLARE
	done bool := false;
BEGIN
	BEGIN
		PERFORM ehr.put(jsonb_build_object('resourceType', 'Observation', 'id', 'mx-' || p || 'O', 'status', 'amended', 'code', '{"text": "t"}'::jsonb, 'subject', jsonb_build_object('reference', 'Patient/mx-' || p))::ehr.fhir);
		RAISE SQLSTATE 'DONE1';
	EXCEPTION WHEN SQLSTATE 'DONE1' THEN done := true; WHEN insufficient_privilege THEN NULL;
	END;
	BEGIN
		IF ehr.remove('Observation', 'mx-' || p || 'O') THEN RAISE SQLSTATE 'DONE1'; END IF;
	EXCEPTION WHEN SQLSTATE 'DONE1' THEN done := true; WHEN insufficient_privilege THEN NULL;
	END;
	BEGIN
		PERFORM ehr.patch('Observation', 'mx-' || p || 'O', '[{"op": "replace", "path": "/status", "value": "amended"}]');
		RAISE SQLSTATE 'DONE1';
	EXCEPTION WHEN SQLSTATE 'DONE1' THEN done := true; WHEN insufficient_privilege OR no_data_found THEN NULL;
	END;
	RETURN done;
END $$;
CREATE FUNCTION pg_temp.counts(unit text) RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
	PERFORM FROM ehr.report('disease_by_commune', jsonb_build_object('groups', 'HTN', 'unit', unit, 'as_of', '2026-02-01'));
	RETURN true;
EXCEPTION WHEN insufficient_privilege THEN
	RETURN false;
END $$;
CREATE FUNCTION pg_temp.answers(e ehr_test.expected, here text, there text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	IF e.kind <> 'nobody' THEN PERFORM ehr_test.login(e.kind, e.sub, e.org, e.purpose); END IF;
	answer := format('%s|%s|%s|%s|%s|%s|%s|%s', pg_temp.reads('a'), pg_temp.reads('c'), pg_temp.writes('a'), pg_temp.writes('c'), pg_temp.counts(here), pg_temp.counts(there), pg_temp.replaces('a'), pg_temp.replaces('c'));
	PERFORM ehr.detach();
	RETURN answer;
END $$;
WITH asked AS MATERIALIZED (
	SELECT e.*, pg_temp.answers(e, :'here', :'there') AS answer,
		format('%s|%s|%s|%s|%s|%s|%s|%s', own_reads, other_reads, own_writes, other_writes, own_counts, other_counts,
			coalesce(kind IN ('clinician', 'facility') AND org = '79001', false), coalesce(kind IN ('clinician', 'facility') AND org = '01001', false)) AS wanted
	FROM ehr_test.expected e
)
SELECT kind, sub, org, purpose, answer, wanted FROM asked WHERE answer IS DISTINCT FROM wanted ORDER BY 1, 2, 3, 4;
SELECT count(*) AS sessions, count(DISTINCT kind) AS kinds FROM ehr_test.expected;

-- labels that codes, senders' marks and sources set at write, against a list of its own
\c - postgres
\set VERBOSITY terse
WITH wanted (what, label, coding) AS (VALUES
	('HIV disease', 'HIV', 'B20'), ('HIV disease, subcode', 'HIV', 'B24.9'), ('carrier', 'HIV', 'Z21'), ('HIV in pregnancy', 'HIV', 'O98.7'), ('laboratory evidence', 'HIV', 'R75'), ('not: other viral disease', NULL, 'B25'), ('not: B19', NULL, 'B19.9'),
	('schizophrenia', 'mental health', 'F20.0'), ('unspecified', 'mental health', 'F99'), ('depression', 'mental health', 'f32.1'), ('alcohol', 'substance use', 'F10.2'), ('opioids', 'substance use', 'F11'), ('counselling', 'substance use', 'Z71.4'),
	('syphilis', 'sexual and reproductive health', 'A51'), ('gonorrhoea', 'sexual and reproductive health', 'A54.9'), ('abortion', 'sexual and reproductive health', 'O04'), ('contraception', 'sexual and reproductive health', 'Z30'), ('not: tuberculosis', NULL, 'A15'),
	('genetic carrier', 'genetics', 'Z14.8'), ('abuse of a child', 'minors', 'T74.1'), ('not: hypertension', NULL, 'I10'), ('not: diabetes', NULL, 'E11.9')
), labelled AS (
	SELECT what, label, (SELECT string_agg(DISTINCT l.name, '+' ORDER BY l.name) FROM ehr_internal.sensitivity_label l
		WHERE (ehr_internal.labels_of(jsonb_build_object('resourceType', 'Condition', 'code', jsonb_build_object('coding', jsonb_build_array(jsonb_build_object('system', 'http://hl7.org/fhir/sid/icd-10', 'code', coding)))), 'x', NULL) >> l.bit) & 1 = 1) AS got
	FROM wanted)
SELECT what, label, got FROM labelled WHERE label IS DISTINCT FROM got;
-- a girl who gives birth; the same of a woman; of unknown age
SELECT count(ehr_internal.store_write(jsonb_strip_nulls(jsonb_build_object('resourceType', 'Patient', 'id', 'mx-' || id, 'birthDate', born)), '79001')) AS patients
FROM (VALUES ('17', to_char(now() - interval '17 years 300 days', 'YYYY-MM-DD')), ('19', to_char(now() - interval '19 years', 'YYYY-MM-DD')), ('unknown', NULL)) AS v (id, born);
SELECT substr(k.id, 4) AS age, (ehr_internal.labels_of('{"resourceType": "Condition", "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "O80"}]}}', 'x', ARRAY[k.key]) >> 6) & 1 AS minors
FROM ehr_store.resource_key k WHERE k.id IN ('mx-17', 'mx-19', 'mx-unknown') ORDER BY 1;

-- leave nothing behind
DROP TABLE ehr_test.expected CASCADE;
DELETE FROM ehr_store.patient_fact WHERE subject IN (SELECT key FROM ehr_store.resource_key WHERE id LIKE 'mx-%');
DELETE FROM ehr_store.organisation_unit;
DELETE FROM ehr_store.person_link WHERE person IN (900091, 900093);
DELETE FROM ehr_store.person WHERE key IN (900091, 900093);
DELETE FROM ehr_store.resource WHERE id LIKE 'mx-%';
DELETE FROM ehr_store.resource_history WHERE id LIKE 'mx-%';
DELETE FROM ehr_store.resource_key WHERE id LIKE 'mx-%';
SELECT ehr_internal.rebuild_facts();
