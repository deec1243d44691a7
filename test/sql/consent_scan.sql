-- Great scans look at rows page by page: they must show and note what the questions of the policy say of each row, in whatever state the pages are.
\set VERBOSITY terse
SELECT setseed(0.42) IS NOT NULL AS seeded;
INSERT INTO ehr_store.person (key, id) OVERRIDING SYSTEM VALUE SELECT 930000 + i, ('dddddddd-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid FROM generate_series(1, 60) AS i;
INSERT INTO ehr_store.person_link (subject, person, method) SELECT 93000000 + i * 7, 930000 + i, 'manual' FROM generate_series(1, 60) AS i;
-- of all shapes: no subject, several, labels, authors short and long, nothing known of the day
INSERT INTO ehr_store.resource (key, subject, more_subjects, labels, type, author, happened, version, id, epoch, doc)
SELECT 94000000 + i, CASE WHEN random() < 0.9 THEN 93000000 + 7 * (1 + floor(random() * 70))::int END,
	CASE WHEN random() < 0.1 THEN ARRAY[93000000 + 7 * (1 + floor(random() * 60))::int] END,
	CASE WHEN random() < 0.2 THEN floor(random() * 64)::int ELSE 0 END, (1 + floor(random() * 148))::int2,
	CASE WHEN random() < 0.05 THEN repeat('9', 200) WHEN random() < 0.2 THEN '79083' ELSE (79080 + floor(random() * 10))::text END,
	CASE WHEN random() < 0.7 THEN date '2025-01-01' + i END, 1, 'csc-' || i, 1,
	('{"resourceType": "Basic", "code": {"text": "' || repeat('x', 1 + floor(random() * 300)::int) || '"}}')::ehr.fhir
FROM generate_series(1, 1500) AS i;
INSERT INTO ehr_store.consent (person, deny, grantee, scope, types, labels, facilities, purpose, valid, given_by)
SELECT 930000 + i, random() < 0.15, CASE WHEN i % 3 = 0 THEN 'anybody' ELSE 'practitioner:dr-scan' END, 'made here',
	CASE WHEN random() < 0.2 THEN ARRAY[3, 20, 90, 91, 92]::int2[] END, CASE WHEN random() < 0.3 THEN -1 ELSE 0 END,
	CASE WHEN random() < 0.2 THEN '{79081,79083}'::text[] END, 'TREAT', '[2025-01-01,)', 'test'
FROM generate_series(1, 60) AS i, generate_series(1, 2) AS j WHERE random() < 0.7;

-- Keys that somebody sees (s), and of whom the log tells then; as row security has it in a plan, and as the three questions have it for each row.
CREATE FUNCTION ehr_test.scan(s text, query text, by_questions bool) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	who text[] := string_to_array(s, ' ');
	answer text;
BEGIN
	PERFORM ehr_test.login(who[1], who[2], who[3], 'TREAT');
	IF NOT by_questions THEN
		SET LOCAL ROLE regress_ehr_query;
	END IF;
	EXECUTE replace(query, '@resource', CASE WHEN by_questions THEN
		'(SELECT * FROM ehr_store.resource WHERE ehr.row_consented(key, subject, more_subjects, type, labels, author, happened)
			OR ehr.row_authored(subject, more_subjects, author) OR (subject IS NULL AND ehr.row_shared(type))) AS r' ELSE 'ehr_store.resource AS r' END) INTO answer;
	RESET ROLE;
	PERFORM ehr.detach();
	RETURN answer;
END $$;
CREATE FUNCTION ehr_test.scans_agree() RETURNS TABLE (session text, query text, something bool, as_the_questions bool) LANGUAGE plpgsql AS $$
DECLARE
	seen text;
BEGIN
	SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_material = off;
	FOR session, query IN SELECT s, q FROM unnest('{clinician dr-scan 79083,clinician dr-scan 79999,clinician dr-none 79081,citizen dddddddd-0000-4000-8000-000000000007}'::text[]) WITH ORDINALITY AS s (s, n),
		(VALUES (1, 'SELECT string_agg(key::text, '' '' ORDER BY key) FROM @resource WHERE id LIKE ''csc-%'''),
			(2, 'SELECT string_agg(octet_length(doc::text) || author, '' '' ORDER BY key) FROM @resource WHERE id LIKE ''csc-%'' AND version = 1::int8 AND type > 20::int2 AND labels % 2 = 0'),
			(3, 'SELECT string_agg(n::text, '' '') FROM generate_series(1, 3) AS g, LATERAL (SELECT count(*) AS n FROM @resource WHERE r.id LIKE ''csc-%'' AND r.key % 3 + 1 >= g) AS s'),
			(4, 'SELECT count(*)::text FROM (SELECT r.key FROM @resource WHERE r.id LIKE ''csc-10_'' OFFSET 0) AS a, LATERAL (SELECT r.key FROM @resource WHERE r.id LIKE ''csc-2__'' AND r.key > a.key OFFSET 0) AS b')) AS q (m, q)
		ORDER BY n, m
	LOOP
		seen := ehr_test.scan(session, query, false);
		something := seen <> '0';
		as_the_questions := seen IS NOT DISTINCT FROM ehr_test.scan(session, query, true);
		query := substr(query, 8, 20);
		RETURN NEXT;
	END LOOP;
END $$;
-- as written, made visible to all, and mixed
SELECT * FROM ehr_test.scans_agree();
VACUUM ehr_store.resource;
SELECT count(*) FILTER (WHERE as_the_questions) AS agree, count(*) FROM ehr_test.scans_agree();
UPDATE ehr_store.resource SET labels = 1 - labels WHERE id LIKE 'csc-%' AND key % 50 < 5 AND labels < 2;
DELETE FROM ehr_store.resource WHERE id LIKE 'csc-%7';
SELECT count(*) FILTER (WHERE as_the_questions) AS agree, count(*) FROM ehr_test.scans_agree();
VACUUM ehr_store.resource;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT count(*) FILTER (WHERE as_the_questions) AS agree, count(*) FROM ehr_test.scans_agree();
COMMIT;
BEGIN;
SELECT ehr_test.login('clinician', 'dr-scan', '79083', 'TREAT');
SELECT string_agg(key::text, ' ' ORDER BY key) AS by_questions FROM ehr_store.resource WHERE id LIKE 'csc-%' AND
	(ehr.row_consented(key, subject, more_subjects, type, labels, author, happened) OR ehr.row_authored(subject, more_subjects, author) OR (subject IS NULL AND ehr.row_shared(type))) \gset
SET LOCAL ROLE regress_ehr_query;
SET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0; SET LOCAL min_parallel_table_scan_size = 0; SET LOCAL parallel_leader_participation = off;
SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off;
SELECT string_agg(key::text, ' ' ORDER BY key) = :'by_questions' AS in_parallel_too, count(*) > 100 AS many FROM ehr_store.resource WHERE id LIKE 'csc-%';
COMMIT;

-- the log tells of those whose rows were handed on, not of all of the page
CREATE FUNCTION ehr_test.noted(kind_of_query text, query text) RETURNS TABLE (kind text, noted bigint, shown bigint) LANGUAGE plpgsql AS $$
DECLARE
	before bigint;
BEGIN
	PERFORM ehr_internal.audit_catch_up();
	SELECT coalesce(max(seq), 0) INTO before FROM ehr_store.audit_event;
	shown := ehr_test.scan('clinician dr-scan 79083', query, false);
	PERFORM ehr_internal.audit_catch_up();
	SELECT count(DISTINCT s) INTO noted FROM ehr_store.audit_event a, unnest(a.subjects) AS s WHERE a.seq > before AND a.kind = 'admit';
	kind := kind_of_query;
	RETURN NEXT;
END $$;
SET enable_indexscan = off; SET enable_bitmapscan = off;
SELECT * FROM ehr_test.noted('some', 'SELECT count(DISTINCT subject) FROM (SELECT subject FROM @resource WHERE subject IS NOT NULL AND more_subjects IS NULL LIMIT 3) AS l') WHERE noted BETWEEN shown AND 6;
SELECT count(*) AS by_type FROM ehr_test.noted('by type', 'SELECT count(DISTINCT s) FROM (SELECT unnest(subject || more_subjects) AS s FROM @resource WHERE type = 3::int2) AS l') WHERE noted = shown AND shown BETWEEN 2 AND 30;
SELECT count(*) AS whole FROM ehr_test.noted('all', 'SELECT count(DISTINCT s) FROM (SELECT unnest(subject || more_subjects) AS s FROM @resource) AS l') WHERE noted = shown AND shown > 20;
RESET enable_indexscan; RESET enable_bitmapscan;

-- whose session ends within a statement, or between two pieces, sees no further row of a page
\c - regress_ehr_query
SET enable_indexscan = off; SET enable_bitmapscan = off;
BEGIN;
SELECT ehr_test.login('clinician', 'dr-scan', '79083', 'TREAT');
SELECT count(*) > 100 AS many FROM ehr_store.resource WHERE id LIKE 'csc-%';
SELECT count(*) FROM (SELECT id, ehr.detach() FROM ehr_store.resource WHERE id LIKE 'csc-%' OFFSET 0) AS d;
COMMIT;
BEGIN;
SELECT ehr_test.login('clinician', 'dr-scan', '79083', 'TREAT');
DECLARE c NO SCROLL CURSOR FOR SELECT id ~ 'csc' AS ours FROM ehr_store.resource WHERE id LIKE 'csc-%';
FETCH 2 FROM c;
SELECT ehr.detach();
FETCH 2 FROM c;
COMMIT;
-- backward, too
BEGIN;
SELECT ehr_test.login('clinician', 'dr-scan', '79083', 'TREAT');
DECLARE c SCROLL CURSOR FOR SELECT id FROM ehr_store.resource WHERE id LIKE 'csc-%';
MOVE FORWARD ALL IN c;
MOVE BACKWARD ALL IN c;
COMMIT;
-- nothing about a scan stays behind when it fails
BEGIN;
SELECT ehr_test.login('clinician', 'dr-scan', '79083', 'TREAT');
SAVEPOINT s;
SELECT 1 / (key - key) FROM ehr_store.resource WHERE id LIKE 'csc-%';
ROLLBACK TO s;
SELECT count(*) > 100 AS many FROM ehr_store.resource WHERE id LIKE 'csc-%';
COMMIT;

\c - postgres
DELETE FROM ehr_store.resource WHERE id LIKE 'csc-%';
DELETE FROM ehr_store.consent WHERE person BETWEEN 930001 AND 930060;
DELETE FROM ehr_store.person_link WHERE person BETWEEN 930001 AND 930060;
DELETE FROM ehr_store.person WHERE key BETWEEN 930001 AND 930060;
DROP FUNCTION ehr_test.scan, ehr_test.scans_agree, ehr_test.noted;
