-- Doctors with consents of 200 patients each, out of :patients, each with one row.
SET client_min_messages = warning;
SET synchronous_commit = off;
SELECT ehr.create_store();
DO $$ BEGIN CREATE ROLE bench_app LOGIN; EXCEPTION WHEN duplicate_object THEN ALTER ROLE bench_app LOGIN; END $$;
GRANT ehr_query, ehr_app TO bench_app;
INSERT INTO ehr_store.person (key, id) OVERRIDING SYSTEM VALUE
SELECT i, ('00000000-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid FROM generate_series(1, :patients) AS i;
INSERT INTO ehr_store.person_link (subject, person, method) SELECT 11 * i, i, 'new' FROM generate_series(1, :patients) AS i;
INSERT INTO ehr_store.resource (key, type, id, version, subject, labels, author, epoch, doc)
SELECT 11 * i + 1, ehr_internal.type_number('Observation'), 'o' || i, 1, 11 * i, 0, '79001', 1, '{"resourceType": "Basic", "code": {"text": "x"}}'::ehr.fhir
FROM generate_series(1, :patients) AS i;
INSERT INTO ehr_store.consent (person, deny, grantee, scope, labels, purpose, valid, given_by)
SELECT (i * 503 + d * 7919) % :patients + 1, false, 'practitioner:d' || d, 'all', -1, 'TREAT', '[2025-01-01,)', 'bench'
FROM generate_series(1, 200) AS i, generate_series(1, :doctors) AS d;
CREATE TABLE handle (doctor int PRIMARY KEY, handle text);
GRANT SELECT ON handle TO bench_app;
VACUUM ANALYZE;
