-- A policy that a DBA made narrower is asked as it stands: only the shipped one becomes a single question
BEGIN;
SELECT ehr_internal.store_write(jsonb_build_object('resourceType', 'Organization', 'id', 'cp-' || n, 'name', 'x'), '79071') IS NOT NULL AS stored FROM generate_series(1, 2) AS n;
CREATE FUNCTION pg_temp.seen() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	PERFORM ehr_test.login('clinician', 'dr-71', '79072', 'TREAT');
	SET LOCAL ROLE regress_ehr_query;
	SELECT string_agg(id, ' ' ORDER BY id) INTO answer FROM ehr_store.resource WHERE id LIKE 'cp-%';
	RESET ROLE;
	PERFORM ehr.detach();
	RETURN answer;
END $$;
SELECT pg_temp.seen() AS shipped;
SAVEPOINT s;
ALTER POLICY readers ON ehr_store.resource USING (ehr.row_consented(key, subject, more_subjects, type, labels, author, happened)
	OR ehr.row_authored(subject, more_subjects, author)
	OR (subject IS NULL AND ehr.row_shared(type) AND id <> 'cp-2'));
SELECT pg_temp.seen() AS narrower;
ROLLBACK TO s;
ALTER POLICY readers ON ehr_store.resource USING (ehr.row_consented(key, subject, more_subjects, type, labels, author, happened)
	OR ehr.row_authored(subject, more_subjects, author)
	OR (author IS NULL AND ehr.row_shared(type)));
SELECT pg_temp.seen() IS NULL AS of_another_column;
ROLLBACK TO s;
ALTER POLICY readers ON ehr_store.resource USING (ehr.row_consented(key, subject, more_subjects, type, labels, author, happened)
	OR ehr.row_authored(subject, more_subjects, 'nobody')
	OR (subject IS NULL AND ehr.row_shared(type)));
SELECT pg_temp.seen() AS of_another_author;
ROLLBACK TO s;
SELECT pg_temp.seen() AS shipped;
ROLLBACK;
