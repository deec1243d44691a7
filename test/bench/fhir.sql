-- What type fhir costs, beside jsonb. Run by test/bench/parts/fhir, which sets:
--   source   file with one resource a line, readable by the server
--   rounds   measurements of each; the median counts
\set ON_ERROR_STOP on
\set QUIET on
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
SET max_parallel_maintenance_workers = 0;
SET max_parallel_workers_per_gather = 0;
SET bench.source = :'source';

-- (a) COPY
CREATE TABLE as_jsonb (doc jsonb);
CREATE TABLE as_fhir (doc ehr.fhir);
ALTER TABLE as_jsonb ALTER doc SET COMPRESSION lz4;
ALTER TABLE as_fhir ALTER doc SET COMPRESSION lz4;
CALL measure('copy', :rounds,
	E'fhir: TRUNCATE as_fhir\nCOPY as_fhir FROM @source (FORMAT csv, DELIMITER E''\\x02'', QUOTE E''\\x01'')',
	E'jsonb: TRUNCATE as_jsonb\nCOPY as_jsonb FROM @source (FORMAT csv, DELIMITER E''\\x02'', QUOTE E''\\x01'')');

-- (b) validation of stored values
CALL measure('validate', :rounds,
	'is_valid: SELECT count(*) FROM as_fhir WHERE ehr.is_valid(doc)',
	'validate: SELECT count(ehr.validate(doc)) FROM as_fhir',
	'read: SELECT count(*) FROM as_fhir WHERE doc ? ''none''');
