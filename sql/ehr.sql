-- ehr: electronic health records inside PostgreSQL.
-- Put together at build time from sql/*.sql, one file a room, in the order of doc/architecture.md.
\echo Use "CREATE EXTENSION ehr" to load this file. \quit

-- Implementations behind the API. Nothing here is callable by ordinary roles:
-- create_store() grants USAGE to ehr_owner alone.
CREATE SCHEMA ehr_internal;
REVOKE ALL ON SCHEMA ehr_internal FROM PUBLIC;
COMMENT ON SCHEMA ehr_internal IS 'implementations behind the functions of schema ehr; not to be called by applications';

CREATE FUNCTION ehr.version() RETURNS text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_version';
COMMENT ON FUNCTION ehr.version() IS 'version of the loaded ehr library';

GRANT USAGE ON SCHEMA ehr TO PUBLIC;
