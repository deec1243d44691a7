-- A unit with many residents, each with one row, and the station that is in charge of it. :residents
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS ehr;
SELECT ehr.create_store();
DO $$ BEGIN CREATE ROLE bench_app LOGIN IN ROLE ehr_query; EXCEPTION WHEN duplicate_object THEN ALTER ROLE bench_app LOGIN; END $$;
GRANT ehr_query TO bench_app;
SELECT min(u.code) AS here FROM ehr_store.unit u WHERE u.parent = '79' AND u.level = 'commune' AND u.valid_to = 'infinity' \gset
INSERT INTO ehr_store.person (founder) SELECT NULL FROM generate_series(1, :residents);
INSERT INTO ehr_store.resource_key (type, id) SELECT ehr_internal.type_number('Patient'), 's' || i FROM generate_series(1, :residents) AS i;
INSERT INTO ehr_store.resource (key, type, id, version, subject, labels, author, epoch, seq, doc)
SELECT key, type, id, 1, key, 0, '79001', 1, key, jsonb_build_object('resourceType', 'Patient', 'id', id)::ehr.fhir FROM ehr_store.resource_key;
INSERT INTO ehr_store.patient_fact (subject, born_first, born_last, dead, unit, unit_from)
SELECT k.key, '1980-01-01', '1980-01-01', false, u.code, u.valid_from FROM ehr_store.resource_key k, ehr_store.unit u WHERE u.code = :'here' AND u.valid_to = 'infinity';
INSERT INTO ehr_store.person_link (subject, person, method)
SELECT k.key, p.key, 'new' FROM (SELECT key, row_number() OVER (ORDER BY key) AS n FROM ehr_store.resource_key) AS k JOIN (SELECT key, row_number() OVER (ORDER BY key) AS n FROM ehr_store.person) AS p USING (n);
INSERT INTO ehr_store.organisation_unit (org, unit, unit_from, valid, basis) SELECT '79s01', u.code, u.valid_from, '[2020-01-01,)', 'bench' FROM ehr_store.unit u WHERE u.code = :'here' AND u.valid_to = 'infinity';
VACUUM ANALYZE;
