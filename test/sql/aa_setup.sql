-- Runs first: the extension and its store, in the database of all regression tests.
\set ECHO none
SET client_min_messages = warning;
CREATE EXTENSION ehr;
SELECT ehr.create_store();
\set ECHO all
SELECT extname, extrelocatable, extnamespace::regnamespace FROM pg_extension WHERE extname = 'ehr';
-- roles as doc/store.md lists them
SELECT rolname, rolsuper, rolbypassrls, rolcanlogin FROM pg_roles WHERE rolname LIKE 'ehr\_%' ORDER BY 1;
-- running it again changes nothing
SELECT ehr.create_store();
SELECT version = ehr.version() AS current, upgraded FROM ehr_store.store_info;
