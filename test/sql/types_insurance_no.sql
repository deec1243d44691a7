-- type insurance_no: three forms, one equality
SET search_path = ehr, public;
BEGIN;

SELECT 'DN4791234567890'::insurance_no, 'dn 4 79 12345-67890'::insurance_no, '1234567890'::insurance_no, '079090001234'::insurance_no;
\set SHOW_CONTEXT always
SAVEPOINT s; SELECT 'DN479123456789'::insurance_no; \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
SELECT 'D44791234567890'::insurance_no; \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
SELECT 'DN479123456789X'::insurance_no; \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
SELECT '12345 6789o'::insurance_no; \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
SELECT ''::insurance_no; \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
CREATE TEMP TABLE cover (n int, no insurance_no);
SAVEPOINT s;
COPY cover FROM stdin;
1	DN4791234567890
2	DN479X
\.
ROLLBACK TO s;

-- card and 10 digits are equal when the last ten digits are; 12 digits equal only themselves
INSERT INTO cover VALUES (1, 'DN4791234567890'), (2, '1234567890'), (3, 'HT3011234567890'), (4, '001234567890'), (5, 'DN4791234567891'), (6, '001234567890'), (7, NULL);
SELECT a.n, b.n, a.no = b.no AS equal, same_card(a.no, b.no) FROM cover a JOIN cover b ON a.n < b.n AND b.n < 7 ORDER BY 1, 2;
SELECT array_agg(n ORDER BY n) FROM cover GROUP BY no ORDER BY 1;
SET enable_hashagg = off;
SELECT array_agg(n ORDER BY n) FROM cover GROUP BY no ORDER BY 1;
RESET enable_hashagg;
SET enable_mergejoin = off; SET enable_nestloop = off;
SELECT count(*) AS by_hash FROM cover a JOIN cover b ON a.no = b.no;
SET enable_mergejoin = on; SET enable_hashjoin = off;
SELECT count(*) AS by_merge FROM cover a JOIN cover b ON a.no = b.no;
RESET enable_mergejoin; RESET enable_nestloop; RESET enable_hashjoin;
-- the card that is stored comes back, whatever form is asked for
INSERT INTO cover SELECT 100 + i, ('GD4' || lpad((i % 60)::text, 2, '0') || lpad((i * 7919)::text, 10, '0'))::insurance_no FROM generate_series(1, 5000) AS i;
CREATE INDEX ON cover (no);
ANALYZE cover;
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT n, no FROM cover WHERE no = '1234567890';
SELECT n, no FROM cover WHERE no = '1234567890' ORDER BY n;
SELECT n, no FROM cover WHERE no = 'XX9990000007919';
RESET enable_seqscan;
SELECT most_common_vals IS NULL AND histogram_bounds IS NULL AS no_values FROM pg_stats WHERE tablename = 'cover' AND attname = 'no';

-- what a number tells
SELECT no, no::citizen_id, identifies_person(no) FROM unnest('{079090001234,1234567890,DN4791234567890,TE1791234567890,TE2791234567890,0000000000}'::insurance_no[]) AS no;

-- binary round trip keeps the card
\set binary `mktemp -u /tmp/ehr_insurance_no.XXXXXX`
COPY cover TO :'binary' (FORMAT binary);
CREATE TEMP TABLE cover_copy (LIKE cover);
COPY cover_copy FROM :'binary' (FORMAT binary);
SELECT count(*), count(*) FILTER (WHERE NOT same_card(a.no, b.no)) AS changed FROM cover a JOIN cover_copy b USING (n);
\set remove `rm -f /tmp/ehr_insurance_no.*`
SELECT count(*) FROM cover WHERE NOT same_card(no, no::text::insurance_no);

-- binary values that are no numbers are refused, by each of the three types
\set bad `printf 'PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\0\1\0\0\0\10\377\377\377\377\377\377\377\377\377\377' > /tmp/ehr_types_bad.bin; chmod 644 /tmp/ehr_types_bad.bin`
CREATE TEMP TABLE one_citizen (v citizen_id); CREATE TEMP TABLE one_insurance (v insurance_no); CREATE TEMP TABLE one_icd (v icd10);
SAVEPOINT s;
COPY one_citizen FROM '/tmp/ehr_types_bad.bin' (FORMAT binary); \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
COPY one_insurance FROM '/tmp/ehr_types_bad.bin' (FORMAT binary); \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
COPY one_icd FROM '/tmp/ehr_types_bad.bin' (FORMAT binary); \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
\set remove `rm -f /tmp/ehr_types_bad.bin`

ROLLBACK;
