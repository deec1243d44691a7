-- Merging and unmerging of two persons with 100,000 resources each, and of two with 1,000 source patients each; the first read
-- after it; reconciling a batch of the citizen database. Run by test/bench/parts/persons: lines of what, figure, relation and
-- requirement. Times are the clock's, the commit included, medians of 21.
\set QUIET on
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
SELECT ehr.create_store() \gset
CREATE SCHEMA bench_persons;
SET search_path = bench_persons, pg_catalog, public;
-- persons 1 and 2: a patient with 100,000 observations each; 3 and 4: 1,000 patients each
INSERT INTO ehr_store.person (key) OVERRIDING SYSTEM VALUE SELECT i FROM generate_series(1, 4) AS i;
INSERT INTO ehr_store.resource_key (key, type, id) SELECT i, ehr_internal.type_number('Patient'), 'p' || i FROM generate_series(1, 4000) AS i;
INSERT INTO ehr_store.resource (key, type, id, version, subject, author, epoch, doc)
SELECT i, ehr_internal.type_number('Patient'), 'p' || i, 1, i, '79001', 1, jsonb_build_object('resourceType', 'Patient', 'id', 'p' || i,
	'name', jsonb_build_array(jsonb_build_object('text', 'Nguyen Van ' || i % 3)), 'birthDate', '1980-01-0' || 1 + i % 9)::ehr.fhir
FROM generate_series(1, 4000) AS i;
INSERT INTO ehr_store.person_link (subject, person, method) SELECT i, CASE WHEN i <= 2 THEN i WHEN i % 2 = 1 THEN 3 ELSE 4 END, 'new' FROM generate_series(1, 2002) AS i;
INSERT INTO ehr_store.resource (key, type, id, version, subject, author, epoch, doc)
SELECT 100000 + i, ehr_internal.type_number('Observation'), 'o' || i, 1, 1 + i % 2, '79001', 1, jsonb_build_object('resourceType', 'Observation', 'id', 'o' || i,
	'status', 'final', 'code', jsonb_build_object('text', 'HR'), 'valueQuantity', jsonb_build_object('value', i % 200), 'subject', jsonb_build_object('reference', 'Patient/p' || 1 + i % 2))::ehr.fhir
FROM generate_series(1, 200000) AS i;
-- 20,000 persons that the citizen database knows
INSERT INTO ehr_store.person (key) OVERRIDING SYSTEM VALUE SELECT 10000 + i FROM generate_series(1, 20000) AS i;
CREATE TABLE citizen AS SELECT 20000000 + i AS key, lpad((79080 * 1000000::bigint + i)::text, 12, '0') AS number,
	'Nguyễn ' || chr(65 + i % 26) || chr(97 + i / 26 % 26) || ' Văn ' || chr(65 + i / 676 % 26) || chr(97 + i % 7) AS name, '1980-0' || 1 + i % 9 || '-1' || i % 10 AS born FROM generate_series(1, 20000) AS i;
INSERT INTO ehr_store.resource_key (key, type, id) SELECT key, ehr_internal.type_number('Patient'), 'c' || key FROM citizen;
INSERT INTO ehr_store.resource (key, type, id, version, subject, author, epoch, doc)
SELECT key, ehr_internal.type_number('Patient'), 'c' || key, 1, key, '79001', 1, jsonb_build_object('resourceType', 'Patient', 'id', 'c' || key, 'birthDate', CASE WHEN key % 10 = 0 THEN left(born, 4) ELSE born END, 'gender', 'male',
	'name', jsonb_build_array(jsonb_build_object('text', name)), 'identifier', jsonb_build_array(jsonb_build_object('system', 'https://moh.gov.vn/cccd', 'value', number)))::ehr.fhir FROM citizen;
SELECT ehr_internal.refresh_features(ARRAY(SELECT key FROM citizen)) \gset
INSERT INTO ehr_store.person_link (subject, person, method) SELECT key, 10000 + key - 20000000, 'new' FROM citizen;
CREATE TABLE batch AS SELECT number AS citizen_number, name AS full_name, born AS birth_date, 'Nam' AS sex, CASE WHEN key % 50 = 0 THEN '2024-01-01' END AS died_on FROM citizen;
VACUUM ANALYZE;

CREATE TABLE took (what text, ms numeric);
CREATE PROCEDURE there_and_back(a int, b int, name text) LANGUAGE plpgsql AS $$
DECLARE
	a_id ehr.person := (SELECT id FROM ehr_store.person WHERE key = a);
	b_id ehr.person := (SELECT id FROM ehr_store.person WHERE key = b);
	started timestamptz;
	merge_id bigint;
	n bigint;
BEGIN
	FOR i IN 1..21 LOOP
		started := clock_timestamp();
		merge_id := ehr.merge_persons(a_id, b_id, 'bench');
		COMMIT;
		INSERT INTO took VALUES (name || ' merge', extract(epoch FROM clock_timestamp() - started) * 1000);
		IF i <= 3 THEN
			started := clock_timestamp();
			n := (SELECT count(*) FROM ehr_internal.subjects_of_person(ehr_internal.person_root(b)) AS s JOIN ehr_store.resource r ON r.subject = s);
			INSERT INTO took VALUES (name || ' read', extract(epoch FROM clock_timestamp() - started) * 1000);
			IF n <> (SELECT count(*) FROM ehr_store.resource r JOIN ehr_store.person_link l ON l.subject = r.subject WHERE l.person IN (a, b)) THEN RAISE 'not merged'; END IF;
		END IF;
		started := clock_timestamp();
		PERFORM ehr.unmerge(merge_id);
		COMMIT;
		INSERT INTO took VALUES (name || ' unmerge', extract(epoch FROM clock_timestamp() - started) * 1000);
	END LOOP;
END $$;
CREATE TABLE before AS SELECT md5(string_agg(r.key || ' ' || r.ctid::text || ' ' || r.xmin::text, ',' ORDER BY r.key)) AS charts,
	(SELECT md5(string_agg(p.key || '>' || coalesce(p.merged_into::text, ''), ',' ORDER BY p.key)) FROM ehr_store.person p) AS persons FROM ehr_store.resource r;
CALL there_and_back(1, 2, '100,000 resources each');
CALL there_and_back(3, 4, '1,000 source patients each');
CREATE TABLE after AS SELECT md5(string_agg(r.key || ' ' || r.ctid::text || ' ' || r.xmin::text, ',' ORDER BY r.key)) AS charts,
	(SELECT md5(string_agg(p.key || '>' || coalesce(p.merged_into::text, ''), ',' ORDER BY p.key)) FROM ehr_store.person p) AS persons FROM ehr_store.resource r;
DO $$
DECLARE
	started timestamptz := clock_timestamp();
BEGIN
	PERFORM ehr.reconcile_population('bench_persons.batch', 'citizens');
	INSERT INTO took VALUES ('reconcile', extract(epoch FROM clock_timestamp() - started) * 1000);
	started := clock_timestamp();
	PERFORM ehr.reconcile_population('bench_persons.batch', 'citizens');
	INSERT INTO took VALUES ('again', extract(epoch FROM clock_timestamp() - started) * 1000);
END $$;
CREATE VIEW median AS SELECT what, percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) AS ms, max(ms) AS worst FROM took GROUP BY what;
CREATE FUNCTION ms(name text) RETURNS text LANGUAGE sql AS $$ SELECT round(m.ms::numeric, 2)::text FROM median m WHERE m.what = name $$;
SELECT concat_ws(E'\t', what, figure, relation, required) FROM (VALUES
	('two persons with 100,000 resources each: merge, ms', ms('100,000 resources each merge'), '<=', '50'),
	('  unmerge, ms', ms('100,000 resources each unmerge'), '<=', '50'),
	('  the slowest of both, ms', (SELECT round(max(worst), 2)::text FROM median WHERE what LIKE '100,000%merge'), NULL, NULL),
	('  rows of the merged record counted afterwards, ms', ms('100,000 resources each read'), NULL, NULL),
	('two persons with 1,000 source patients each: merge, ms', ms('1,000 source patients each merge'), '<=', '50'),
	('  unmerge, ms', ms('1,000 source patients each unmerge'), '<=', '50'),
	('rows of charts written by 84 merges and unmerges', (SELECT CASE WHEN a.charts = b.charts THEN 0 ELSE 1 END::text FROM before b, after a), '<=', '0'),
	('persons in another state than before', (SELECT CASE WHEN a.persons = b.persons THEN 0 ELSE 1 END::text FROM before b, after a), '<=', '0'),
	('reconcile_population, 20,000 rows of the citizen database: rows a second', (SELECT round(20000 / (ms / 1000))::text FROM median WHERE what = 'reconcile'), NULL, NULL),
	('  tasks: ' || (SELECT string_agg(kind || ' ' || n, ', ' ORDER BY kind) FROM (SELECT kind, count(*) AS n FROM ehr_store.population_task GROUP BY 1) AS s), (SELECT count(*)::text FROM ehr_store.population_task), NULL, NULL),
	('  the same batch again: rows a second', (SELECT round(20000 / (ms / 1000))::text FROM median WHERE what = 'again'), NULL, NULL)) AS line (what, figure, relation, required);
