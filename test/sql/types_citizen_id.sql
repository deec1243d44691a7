-- type citizen_id: input, order, indexes, parts
SET search_path = ehr, public;
BEGIN;

-- text in and out
SELECT '000000000001'::citizen_id, '999999999999'::citizen_id, '079090001234'::citizen_id::text;
\set SHOW_CONTEXT always
SAVEPOINT s; SELECT '07909000123'::citizen_id; \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
SELECT '0790900012345'::citizen_id; \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
SELECT ' 79090001234'::citizen_id; \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
SELECT '07909000123x'::citizen_id; \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
SELECT '٠٧٩٠٩٠٠٠١٢٣٤'::citizen_id; \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
SELECT ''::citizen_id; \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
-- no value in what COPY and PL/pgSQL add
CREATE TEMP TABLE person (id citizen_id PRIMARY KEY, note text);
SAVEPOINT s;
COPY person FROM stdin;
079090001234	a
07909000123	b
\.
ROLLBACK TO s;
DO $$ DECLARE c ehr.citizen_id; BEGIN c := 'B1234567'; END $$; \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;

-- order, hash join, distinct
INSERT INTO person SELECT lpad((i * 7919 % 100000 * 9973)::text, 12, '0')::citizen_id, 'n' FROM generate_series(1, 20000) AS i;
ANALYZE person;
SELECT min(id::text), max(id::text), count(DISTINCT id) FROM person;
SELECT bool_and(ordered) FROM (SELECT lag(id) OVER w < id AND lag(id::text COLLATE "C") OVER w < id::text AS ordered FROM person WINDOW w AS (ORDER BY id)) AS o;
SET enable_mergejoin = off; SET enable_nestloop = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM person a JOIN (SELECT id FROM person OFFSET 0) b ON a.id = b.id;
SELECT count(*) FROM person a JOIN person b ON a.id = b.id;
RESET enable_mergejoin; RESET enable_nestloop;
EXPLAIN (COSTS OFF) SELECT * FROM person WHERE id = '000079090001';
EXPLAIN (COSTS OFF) SELECT * FROM person WHERE id >= '000079090001' AND id < '000079099999';
-- index entries of one value are merged; statistics keep no number
SELECT most_common_vals IS NULL AND histogram_bounds IS NULL AS no_values, n_distinct <> 0 AS distinct_known
FROM pg_stats WHERE schemaname <> 'ehr_store' AND tablename = 'person' AND attname = 'id';

-- binary and text round trip
CREATE TEMP TABLE person_copy (LIKE person);
\set binary `mktemp -u /tmp/ehr_citizen_id.XXXXXX`
COPY person TO :'binary' (FORMAT binary);
COPY person_copy FROM :'binary' (FORMAT binary);
SELECT count(*) FROM (TABLE person EXCEPT TABLE person_copy) AS d;
\set remove `rm -f /tmp/ehr_citizen_id.*`
SELECT count(*) FROM person WHERE id IS DISTINCT FROM id::text::citizen_id;
-- parts
SELECT province_code(i), province_name(i), province_name(i, '2025-06-30') AS before, province_name(i, '2025-07-01') AS after, sex(i), birth_year(i)
FROM unnest('{079090001234,010390001234,015190001234,003201001234,092999123456}'::citizen_id[]) AS i;
-- nothing wrong; form; content
SELECT n, citizen_id_problems(n, '2026-11-22')
FROM unnest('{079090001234,"",123456789,0790900012,B1234567,07909000123A,003090001234,079227001234,079427001234,079000001234,111111111111,012345678901}'::text[]) AS n;
SELECT citizen_id_problems('079227001234', '2026-12-31'), citizen_id_problems('079227001234', '2027-01-01'), citizen_id_problems(NULL, '2027-01-01'), citizen_id_problems('079227001234', 'infinity');
SELECT s, agrees_with('079190001234', s, '1990-05-01') AS same_year, agrees_with('079190001234', s, '1991-05-01') AS other_year, agrees_with('079190001234', s, NULL) AS no_date
FROM unnest('{male,female,1,2,nam,Nữ,NU,F,other,unknown,NULL}'::text[]) AS s;
SELECT agrees_with(NULL, 'male', NULL), agrees_with('079190001234', NULL, 'infinity');

-- the opposite of each operator, and what the catalogue says of them
SELECT count(*) FILTER (WHERE (a < b) <> (a::text < b::text)) AS lt, count(*) FILTER (WHERE (a <= b) <> (a::text <= b::text)) AS le,
	count(*) FILTER (WHERE (a = b) <> (a::text = b::text)) AS eq, count(*) FILTER (WHERE (a <> b) <> (a::text <> b::text)) AS ne,
	count(*) FILTER (WHERE (a >= b) <> (a::text >= b::text)) AS ge, count(*) FILTER (WHERE (a > b) <> (a::text > b::text)) AS gt
FROM unnest('{000000000000,000000000001,079090001234,999999999999}'::citizen_id[]) AS a, unnest('{000000000000,000000000001,079090001234,999999999999}'::citizen_id[]) AS b;
SELECT amname, opcname, opfmethod IS NOT NULL AS has_family FROM pg_opclass JOIN pg_opfamily f ON f.oid = opcfamily JOIN pg_am a ON a.oid = opcmethod
WHERE opcintype IN ('citizen_id'::regtype, 'insurance_no'::regtype, 'icd10'::regtype) ORDER BY opcname, amname;
-- operators that may be index conditions under row security
SELECT oprleft::regtype AS type, string_agg(oprname || CASE WHEN proleakproof THEN '' ELSE ' leaks' END, ' ' ORDER BY oprname)
FROM pg_operator JOIN pg_proc p ON p.oid = oprcode WHERE oprleft IN ('citizen_id'::regtype, 'insurance_no'::regtype, 'icd10'::regtype) GROUP BY 1 ORDER BY 1;
-- families are complete
SELECT count(*) AS classes, bool_and(amvalidate(oid)) FROM pg_opclass WHERE opcnamespace = 'ehr'::regnamespace AND opcintype IN ('citizen_id'::regtype, 'insurance_no'::regtype, 'icd10'::regtype);

ROLLBACK;
