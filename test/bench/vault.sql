-- What a blind index and a sealed value cost, beside libsodium alone and a call that does nothing. Run by test/bench/parts/vault:
--   rounds   measurements of each; the median counts
--   peers    library of test/bench/vault_peers.c
\set ON_ERROR_STOP on
\set QUIET on
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
SET max_parallel_workers_per_gather = 0;
SELECT ehr.create_store();
CREATE FUNCTION noop_index(text, text) RETURNS bytea LANGUAGE c STABLE STRICT AS :'peers', 'noop_index';
CREATE FUNCTION noop_seal(text, text) RETURNS bytea LANGUAGE c VOLATILE STRICT AS :'peers', 'noop_seal';
CREATE FUNCTION sodium_index(int) RETURNS int LANGUAGE c VOLATILE STRICT AS :'peers', 'sodium_index';
CREATE FUNCTION sodium_seal(int) RETURNS int LANGUAGE c VOLATILE STRICT AS :'peers', 'sodium_seal';
CREATE TABLE numbers AS SELECT lpad(((i * 7919::bigint * 104729) % 999999999989)::text, 12, '0') AS n FROM generate_series(1, 200000) AS i;
CREATE TABLE large (v text);
ALTER TABLE large ALTER v SET STORAGE EXTERNAL;
INSERT INTO large SELECT substr(repeat(md5(g::text), 32), 1, 1024) FROM generate_series(1, 100) AS g;
VACUUM ANALYZE numbers, large;
CALL measure('index', :rounds,
	'blind_index: SELECT count(ehr.blind_index(n, ''cccd'')) FROM numbers',
	'call: SELECT count(noop_index(n, ''cccd'')) FROM numbers',
	'sodium: SELECT sodium_index(200000)');
CALL measure('seal', :rounds,
	'seal: SELECT count(ehr.seal(v, ''p/1234567'')) FROM large, generate_series(1, 1000)',
	'call: SELECT count(noop_seal(v, ''p/1234567'')) FROM large, generate_series(1, 1000)',
	'sodium: SELECT sodium_seal(100000)');
CREATE TABLE sealed AS SELECT ehr.seal(v, 'p/1234567') AS s FROM large;
CALL measure('unseal', :rounds,
	'unseal: SELECT count(ehr.unseal(s, ''p/1234567'')) FROM sealed, generate_series(1, 1000)');
