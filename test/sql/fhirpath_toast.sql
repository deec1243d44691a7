-- stored documents: the whole value is detoasted once a row, however many expressions look at it, and not at all where its beginning answers
\set QUIET on
SET search_path = public, ehr;
CREATE TEMP TABLE stored (n int, doc jsonb);
ALTER TABLE stored ALTER doc SET STORAGE EXTERNAL;
CREATE FUNCTION pg_temp.make(n int, kb int) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('resourceType', CASE WHEN n % 7 = 6 THEN 'Basic' ELSE 'DocumentReference' END, 'id', 'd' || n, 'status', CASE WHEN n % 5 = 0 THEN NULL ELSE 'current' END,
		'date', '2024-03-01T10:00:00Z', 'type', jsonb_build_object('coding', jsonb_build_array(jsonb_build_object('code', 'a' || n), jsonb_build_object('code', 'b')), 'text', '[]'::jsonb),
		'meta', jsonb_build_object('versionId', n, 'tag', jsonb_build_array(jsonb_build_object('code', n * 1.50))), 'subject', jsonb_build_object('reference', 'Patient/' || n),
		'content', jsonb_build_array(jsonb_build_object('attachment', jsonb_build_object('data', (SELECT string_agg(md5(format('%s %s', n, i)), '') FROM generate_series(1, kb * 32) AS i)))))
$$;
INSERT INTO stored SELECT n, pg_temp.make(n, n * 5) FROM generate_series(1, 20) AS n;
-- siblings and a resource inside, which a prefix leaves to the evaluator
INSERT INTO stored SELECT 21, pg_temp.make(21, 40) || '{"_id": {"extension": [{"url": "u"}]}, "_status": {"id": "s"}, "meta": {"resourceType": "Patient", "versionId": "x"}}';
INSERT INTO stored SELECT 22, pg_temp.make(22, 40) || '{"id": null, "_id": {"extension": [{"url": "u"}]}, "status": ["a", null, "b"], "type": [{"coding": {"code": 1}}, "x"]}';

-- whatever lies where: the same answers from pieces, compressed values, and values that lie open
CREATE TEMP TABLE compressed (n int, doc jsonb COMPRESSION pglz);
INSERT INTO compressed SELECT n, doc || '{}' FROM stored;
CREATE TEMP VIEW asked AS
	SELECT 'external' AS how, n, e, fhirpath_text(doc, e::fhirpath) AS text, fhirpath_numeric(doc, e::fhirpath) AS number, fhirpath_date(doc, e::fhirpath) AS date, doc OPERATOR(ehr.?~) e::fhirpath AS there, fhirpath_exists(doc, e::fhirpath) AS exists
	FROM stored, unnest('{id,status,date,type.coding.code,type.coding.first().code,type.coding[1].code,type.text,meta.versionId,meta.tag.code,type,subject.reference,content.attachment.data.length(),DocumentReference.id,photo,resourceType}'::text[]) AS e
	UNION ALL
	SELECT 'compressed', n, e, fhirpath_text(doc, e::fhirpath), fhirpath_numeric(doc, e::fhirpath), fhirpath_date(doc, e::fhirpath), doc OPERATOR(ehr.?~) e::fhirpath, fhirpath_exists(doc, e::fhirpath)
	FROM compressed, unnest('{id,status,date,type.coding.code,type.coding.first().code,type.coding[1].code,type.text,meta.versionId,meta.tag.code,type,subject.reference,content.attachment.data.length(),DocumentReference.id,photo,resourceType}'::text[]) AS e
	UNION ALL
	SELECT 'open', n, e, fhirpath_text(doc, e::fhirpath), fhirpath_numeric(doc, e::fhirpath), fhirpath_date(doc, e::fhirpath), doc OPERATOR(ehr.?~) e::fhirpath, fhirpath_exists(doc, e::fhirpath)
	FROM (SELECT n, doc || '{}' AS doc FROM stored OFFSET 0) AS o, unnest('{id,status,date,type.coding.code,type.coding.first().code,type.coding[1].code,type.text,meta.versionId,meta.tag.code,type,subject.reference,content.attachment.data.length(),DocumentReference.id,photo,resourceType}'::text[]) AS e;
SELECT e, count(*), count(text) AS texts, count(number) AS numbers, count(date) AS dates, count(*) FILTER (WHERE there) AS there, count(DISTINCT (how)) AS hows,
	max(differing) AS differing FROM (SELECT *, (SELECT count(*) FROM asked b WHERE b.n = a.n AND b.e = a.e AND (b.text, b.number, b.date, b.there, b.exists) IS DISTINCT FROM (a.text, a.number, a.date, a.there, a.exists)) AS differing FROM asked AS a WHERE n IN (4, 6, 10, 21, 22)) AS x
GROUP BY e ORDER BY e;

-- pages that a query reads tell what is fetched of external values
CREATE FUNCTION pg_temp.pages(query text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, SUMMARY OFF, FORMAT JSON) ' || query INTO plan;
	RETURN (plan -> 0 -> 'Plan' ->> 'Local Hit Blocks')::int + (plan -> 0 -> 'Plan' ->> 'Local Read Blocks')::int;
END $$;
-- once a row: five expressions read what one does
SELECT pg_temp.pages('SELECT fhirpath_text(doc, ''DocumentReference.id'') FROM stored') =
	pg_temp.pages('SELECT fhirpath_text(doc, ''DocumentReference.id''), fhirpath_text(doc, ''DocumentReference.subject.reference''), fhirpath_date(doc, ''DocumentReference.date''), fhirpath_exists(doc, ''DocumentReference.photo''), doc OPERATOR(ehr.?~) ''DocumentReference.content'' FROM stored') AS once;
SELECT pg_temp.pages('SELECT fhirpath_text(doc, ''DocumentReference.id'') FROM stored') = pg_temp.pages('SELECT doc ->> ''id'' FROM stored') AS as_jsonb;
SELECT pg_temp.pages('SELECT doc ->> ''id'', doc ->> ''status'' FROM stored') > 1.5 * pg_temp.pages('SELECT doc ->> ''id'' FROM stored') AS jsonb_twice;
-- the beginning: a fraction of the pages, for several expressions too
SELECT pg_temp.pages('SELECT fhirpath_text(doc, ''id'') FROM stored') < 0.5 * pg_temp.pages('SELECT doc ->> ''id'' FROM stored') AS less;
SELECT pg_temp.pages('SELECT fhirpath_text(doc, ''id'') FROM stored') =
	pg_temp.pages('SELECT fhirpath_text(doc, ''id''), fhirpath_date(doc, ''date''), fhirpath_text(doc, ''type.coding.first().code''), doc OPERATOR(ehr.?~) ''meta'' FROM stored') AS once;
-- where the whole is needed after all, prefixes are given up: a few more pages at most
SELECT pg_temp.pages('SELECT fhirpath_text(doc, ''id''), fhirpath_text(doc, ''subject.reference'') FROM stored') < 1.3 * pg_temp.pages('SELECT doc ->> ''id'' FROM stored') AS given_up;
DROP VIEW asked;
DROP TABLE stored, compressed;
