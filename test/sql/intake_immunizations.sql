-- Vaccination rows: every element accounted for, bad rows in quarantine with rule and place, the same rows twice change
-- nothing, a corrected row makes a new version. Nothing stays behind.
\set SHOW_CONTEXT never
\pset null '-'
SET search_path = pg_catalog, pg_temp;
BEGIN;
CREATE TEMPORARY TABLE stage (record_id text, full_name text, birth_date text, sex text, phone text, citizen_number text, insurance_number text,
	address text, ward_code text, district_code text, province_code text, vaccine_code text, vaccine_name text, dose_number text,
	vaccinated_on text, lot text, facility_code text, disease text, remark text);
INSERT INTO stage VALUES
	('ii-1', 'Nguyễn Thị Hòa', '1980-05-17', 'female', '0903 123 456', '079180001234', 'HT3797950568567', '12/3 Lê Lợi', '27088', '769', '79', 'FLU', 'Vaxigrip', '1', '2024-03-01', 'L1', '79001', 'influenza', NULL),
	('ii-2', 'NGUYEN THI HOA', '1980-00-00', 'Nữ', '+84903123456', '79180001234', '', '', NULL, NULL, NULL, 'FLU', NULL, '2', '02/03/2025', '', '79002', 'influenza; measles', 'seen at home'),
	('ii-3', 'Trần Văn Nam', '1975-13-01', 'X', NULL, '024128183', NULL, NULL, NULL, NULL, NULL, NULL, 'VAT', 'two', '2024-03-01', NULL, '79001', 'tetanus', NULL),
	('ii-4', 'Lê Văn Tám', '1975', 'male', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'VAT', NULL, '1', '2024-02-30', NULL, '79001', NULL, NULL),
	('ii-5', 'Lê Văn Tám', '1975', 'male', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '1', '2024-02-28', NULL, '79001', NULL, NULL),
	('', 'Lê Văn Tám', '1975', 'male', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'VAT', NULL, '1', '2024-02-28', NULL, '79001', NULL, NULL),
	('ii-1', 'Somebody Else', '1975', 'male', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'VAT', NULL, '1', '2024-02-28', NULL, '79001', NULL, NULL),
	('ii-7', E'Control \u0001 letter', '1975', 'male', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'VAT', NULL, '1', '2024-02-28', NULL, '79001', NULL, '  ');

-- elements sent: counted here, from the table
SELECT count(*) AS sent FROM stage AS s, jsonb_each_text(to_jsonb(s)) AS e WHERE e.value <> '';
CREATE TEMPORARY TABLE receipt AS SELECT ehr.ingest_immunizations('stage', 'test-register') AS r;
SELECT r - 'payloads' AS receipt, (r ->> 'sent')::int = (r ->> 'mapped')::int + (r ->> 'kept')::int + (r ->> 'quarantined')::int AS balanced FROM receipt;
SELECT q.line, q.element, q.rule, q.value_class, q.elements, q.state FROM ehr_store.quarantine q, receipt WHERE q.payload = (r #>> '{payloads,0}')::bigint ORDER BY q.line, q.element;
SELECT e.dossier AS line, e.elements FROM ehr_store.payload_element e, receipt WHERE e.payload = (r #>> '{payloads,0}')::bigint ORDER BY 1;

-- what became of the first row, and whose it is
SELECT jsonb_pretty(r.doc::jsonb - 'id' #- '{patient,reference}') AS doc, r.author, r.version
FROM ehr_store.resource r WHERE r.doc::jsonb #>> '{meta,source}' = 'urn:ehr:source:test-register'
	AND r.subject = (SELECT i.subject FROM ehr_store.person_identifier i WHERE i.value = 'HT3797950568567') ORDER BY r.type;
SELECT count(*) AS resources, count(DISTINCT r.subject) AS subjects, count(DISTINCT ehr_internal.person_root(l.person)) AS persons
FROM ehr_store.resource r JOIN ehr_store.person_link l ON l.subject = r.subject WHERE r.doc::jsonb #>> '{meta,source}' = 'urn:ehr:source:test-register';
SELECT count(*) AS not_valid FROM ehr_store.resource r WHERE r.doc::jsonb #>> '{meta,source}' = 'urn:ehr:source:test-register' AND NOT ehr.is_valid(r.doc::jsonb);
SELECT count(*) AS without_feature FROM ehr_store.resource r WHERE r.doc::jsonb #>> '{meta,source}' = 'urn:ehr:source:test-register'
	AND r.type = ehr_internal.type_number('Patient')
	AND NOT EXISTS (SELECT FROM ehr_store.match_feature f WHERE f.subject = r.key AND f.features = ehr_internal.patient_features(r.doc::jsonb));

SELECT r.doc::jsonb ->> 'birthDate' AS birth_date, r.doc::jsonb #> '{protocolApplied,0,targetDisease}' AS diseases FROM ehr_store.resource r
WHERE r.doc::jsonb #>> '{meta,source}' = 'urn:ehr:source:test-register' AND r.author = '79002' ORDER BY r.type;

-- again: the same receipt, nothing written
SELECT ehr.ingest_immunizations('stage', 'test-register') = r AS same_receipt FROM receipt;
SELECT max(r.version) AS versions, count(*) AS resources FROM ehr_store.resource r WHERE r.doc::jsonb #>> '{meta,source}' = 'urn:ehr:source:test-register';
-- a row is corrected: a new version of that resource alone
UPDATE stage SET dose_number = '2' WHERE record_id = 'ii-3';
SELECT ehr.ingest_immunizations('stage', 'test-register') - 'payloads' AS receipt;
SELECT ehr_internal.type_name(r.type) AS type, r.version, count(*) FROM ehr_store.resource r WHERE r.doc::jsonb #>> '{meta,source}' = 'urn:ehr:source:test-register' GROUP BY 1, 2 ORDER BY 1, 2;

-- a code list grows: what was quarantined for it is taken in again; here nothing has changed, so it is again
SELECT ehr.replay(q.quarantine) ->> 'quarantined' AS quarantined FROM ehr_store.quarantine q, receipt
WHERE q.payload = (r #>> '{payloads,0}')::bigint AND q.rule = 'not a positive number';
SELECT q.state, count(*) FROM ehr_store.quarantine q, receipt WHERE q.payload = (r #>> '{payloads,0}')::bigint GROUP BY 1 ORDER BY 1;

-- a table that lacks a column; one that holds nothing; a caller without the right to the table, and one without the right to take in
CREATE TEMPORARY TABLE lacking (record_id text);
SAVEPOINT s;
SELECT ehr.ingest_immunizations('lacking', 'test-register');
ROLLBACK TO s;
TRUNCATE stage;
SELECT ehr.ingest_immunizations('stage', 'test-register') AS nothing;
CREATE FUNCTION ehr_test.reach() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT count(*)::text FROM ehr_store.person); END $$;
CREATE ROLE regress_ehr_ingest IN ROLE ehr_ingest;
SET LOCAL ROLE regress_ehr_ingest;
SAVEPOINT s;
SELECT ehr.ingest_immunizations('stage', 'test-register');
ROLLBACK TO s;
-- a view runs as its reader: what it calls may no more than the caller
CREATE TEMPORARY VIEW trap AS SELECT ehr_test.reach() AS record_id, '2024-01-01'::text AS vaccinated_on;
SELECT ehr.ingest_immunizations('trap', 'test-register');
ROLLBACK TO s;
RESET ROLE;
SET LOCAL ROLE regress_ehr_app;
SELECT ehr.ingest_immunizations('stage', 'test-register');
ROLLBACK TO s;
ROLLBACK;
