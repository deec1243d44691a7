-- Data of test/bench/parts/consent: patients of 5 rows of about 1 kB each, every twentieth of 105, in no order; a doctor with
-- consents of half of them, one with 200, and beside them the same decisions as a plain table, for a policy in SQL.
-- Variables: rows, patients
\set ON_ERROR_STOP on
SET client_min_messages = warning;
SET synchronous_commit = off;
SET bench.rows = :'rows';
SET bench.patients = :'patients';
SELECT ehr.create_store();

-- as if patient after patient had come with their rows: keys of patients lie among all others
INSERT INTO ehr_store.person (key, id) OVERRIDING SYSTEM VALUE
SELECT i, ('00000000-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid FROM generate_series(1, :patients) AS i;
INSERT INTO ehr_store.person_link (subject, person, method)
SELECT 11 * i, i, 'new' FROM generate_series(1, :patients) AS i;

DO $$
DECLARE
	doc jsonb := '{"resourceType": "Observation", "status": "final", "code": {"coding": [{"system": "http://loinc.org", "code": "8480-6", "display": "Systolic blood pressure"}]}}';
	observation int2 := ehr_internal.type_number('Observation');
	rows int := current_setting('bench.rows');
	patients int := current_setting('bench.patients');
BEGIN
	doc := jsonb_set(doc, '{note}', jsonb_build_array(jsonb_build_object('text', (SELECT string_agg(md5(i::text), ' ') FROM generate_series(1, 21) AS i))));
	INSERT INTO ehr_store.resource (key, type, id, version, subject, labels, author, recorded, happened, epoch, doc)
	SELECT 11 * patients + 11 + i, observation, 'o' || i, 1, 11 * CASE WHEN j < rows / 2 THEN 20 * (j / 100) + 1 ELSE (j - rows / 2) / 5 + 1 END, 0,
		(79001 + i * 31 % 20)::text, '2025-01-01'::timestamptz + i * interval '10 s', '2025-01-01'::date + i / 10000, 1, doc::ehr.fhir
	FROM generate_series(0, rows - 1) AS i, LATERAL (SELECT i::bigint * 7919 % rows AS j) AS spread;
END $$;

INSERT INTO ehr_store.consent (person, deny, grantee, scope, labels, purpose, valid, given_by)
SELECT i, false, 'practitioner:many', 'all', -1, 'TREAT', '[2025-01-01,)', 'bench' FROM generate_series(1, :patients, 2) AS i;
INSERT INTO ehr_store.consent (person, deny, grantee, scope, labels, purpose, valid, given_by)
SELECT i * 503 % :patients + 1, false, 'practitioner:few', 'all', -1, 'TREAT', '[2025-01-01,)', 'bench' FROM generate_series(1, 200) AS i;
-- of others, so that the tables are of a city's size
INSERT INTO ehr_store.consent (person, deny, grantee, scope, labels, purpose, valid, given_by)
SELECT i, false, 'practitioner:other' || i % 500, 'all', 0, 'TREAT', '[2025-01-01,)', 'bench' FROM generate_series(1, :patients) AS i;

-- the same decision in SQL, on a table of the same rows
CREATE TABLE public.plain_consent AS
SELECT l.subject, substr(c.grantee, 14) AS who FROM ehr_store.consent c JOIN ehr_store.person_link l USING (person);
CREATE UNIQUE INDEX ON public.plain_consent (subject, who);
CREATE INDEX ON public.plain_consent (who, subject);
CREATE ROLE bench_sql NOLOGIN;
CREATE ROLE bench_app NOLOGIN IN ROLE ehr_query, ehr_app;
GRANT SELECT ON public.plain_consent TO bench_sql;
GRANT INSERT ON figure TO bench_sql, bench_app;
CREATE TABLE public.plain (LIKE ehr_store.resource INCLUDING ALL);
INSERT INTO public.plain SELECT * FROM ehr_store.resource;
ALTER TABLE public.plain ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON public.plain TO bench_sql;
CREATE POLICY readers ON public.plain FOR SELECT USING (EXISTS (SELECT FROM public.plain_consent c WHERE c.subject = plain.subject AND c.who = 'many'));

-- the figures are CPU time of this backend, of whatever role
ALTER FUNCTION cpu() SECURITY DEFINER;
VACUUM (FREEZE, ANALYZE);
CHECKPOINT;
