-- Every object of the extension keeps the rules of doc/architecture.md: comments, volatility, search_path, privileges,
-- ownership, row security. A new object that breaks one fails here.
BEGIN;
SET search_path = public, pg_catalog;
SELECT plan(17);

CREATE TEMPORARY VIEW member AS
SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON d.refobjid = e.oid AND d.refclassid = 'pg_extension'::regclass
WHERE e.extname = 'ehr' AND d.deptype = 'e';
CREATE TEMPORARY VIEW func AS
SELECT p.*, p.oid::regprocedure::text AS signature, l.lanname FROM pg_proc p JOIN member m ON m.objid = p.oid AND m.classid = 'pg_proc'::regclass
	JOIN pg_language l ON l.oid = p.prolang;

SELECT is_empty($$ SELECT signature FROM func WHERE prosecdef $$, 'no function is SECURITY DEFINER');

SELECT is_empty($$ SELECT signature FROM func WHERE lanname IN ('sql', 'plpgsql') AND prokind <> 'p'
	AND NOT coalesce(proconfig, '{}') @> ARRAY['search_path=pg_catalog, pg_temp'] $$, 'every SQL and PL/pgSQL function pins its search_path');

-- A procedure that commits cannot have a SET clause.
SELECT is_empty($$ SELECT signature FROM func WHERE lanname IN ('sql', 'plpgsql') AND prokind = 'p'
	AND NOT coalesce(proconfig, '{}') @> ARRAY['search_path=pg_catalog, pg_temp']
	AND prosrc !~ 'set_config\(''search_path'', ''pg_catalog, pg_temp'', true\)' $$, 'every procedure pins its search_path');

SELECT is_empty($$ SELECT pg_describe_object(m.classid, m.objid, 0) FROM member m
	WHERE m.classid IN ('pg_proc'::regclass, 'pg_type'::regclass, 'pg_operator'::regclass, 'pg_opclass'::regclass, 'pg_namespace'::regclass)
		AND obj_description(m.objid, m.classid::regclass::name) IS NULL
		AND NOT EXISTS (SELECT FROM pg_type t WHERE m.classid = 'pg_type'::regclass AND t.oid = m.objid AND (t.typelem <> 0 OR t.typtype = 'c')) $$,
	'every function, type, operator and operator class has a comment');

SELECT is_empty($$ SELECT c.oid::regclass FROM pg_class c JOIN member m ON m.objid = c.oid AND m.classid = 'pg_class'::regclass
	WHERE c.relkind IN ('r', 'v') AND obj_description(c.oid, 'pg_class') IS NULL $$, 'every table of the extension has a comment');

SELECT is_empty($$ SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace = 'ehr_store'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
	AND obj_description(c.oid, 'pg_class') IS NULL $$, 'every table of the store has a comment');

SELECT is_empty($$ SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace = 'ehr_store'::regnamespace AND c.relkind IN ('r', 'p')
	AND NOT (c.relrowsecurity AND c.relforcerowsecurity) $$, 'every table of the store forces row security');

SELECT is_empty($$ SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace = 'ehr_store'::regnamespace AND c.relowner <> 'ehr_owner'::regrole
	AND c.relkind IN ('r', 'p', 'v', 'm', 'S') $$, 'everything in the store belongs to ehr_owner');

SELECT is_empty($$ SELECT c.oid::regclass, a.grantee::regrole, a.privilege_type FROM pg_class c, aclexplode(c.relacl) a
	WHERE c.relnamespace = 'ehr_store'::regnamespace AND a.grantee <> 'ehr_owner'::regrole
		AND NOT (a.grantee <> 0 AND a.privilege_type = 'SELECT' AND a.grantee::regrole::text LIKE 'ehr\_%') $$,
	'nobody but the owner may do more than SELECT on tables of the store');

SELECT is_empty($$ SELECT signature FROM func WHERE prosrc IN ('ehr_as_owner', 'ehr_as_system') AND has_function_privilege('public', oid, 'EXECUTE') $$,
	'no function that reaches into the store may be called by PUBLIC');

SELECT is_empty($$ SELECT f.signature FROM func f WHERE prosrc IN ('ehr_as_owner', 'ehr_as_system')
	AND NOT EXISTS (SELECT FROM func i WHERE i.pronamespace = 'ehr_internal'::regnamespace AND i.proname = f.proname AND i.proargtypes = f.proargtypes) $$,
	'every such function has its implementation');

SELECT is_empty($$ SELECT i.signature FROM func i JOIN func f ON i.pronamespace = 'ehr_internal'::regnamespace AND i.proname = f.proname AND i.proargtypes = f.proargtypes
	WHERE f.prosrc IN ('ehr_as_owner', 'ehr_as_system') GROUP BY 1 HAVING count(DISTINCT f.prosrc) > 1 $$,
	'no implementation stands behind both modes');

SELECT is_empty($$ SELECT signature FROM func WHERE proleakproof AND (provolatile <> 'i' OR lanname NOT IN ('c', 'internal')) $$,
	'leakproof functions are immutable and in C');

SELECT is_empty($$ SELECT c.oid::regclass, p.polname FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
	WHERE c.relnamespace = 'ehr_store'::regnamespace AND p.polcmd <> 'r' $$, 'no policy lets anybody write past the functions');

-- A policy that asks nobody anything makes a table public: those that may are named here.
SELECT is_empty($$ SELECT c.oid::regclass FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
	WHERE c.relnamespace = 'ehr_store'::regnamespace AND pg_get_expr(p.polqual, p.polrelid) = 'true' AND 0 = ANY (p.polroles)
		AND c.relname NOT IN ('epoch', 'store_info', 'unit', 'report_definition', 'source_rank', 'view_definition') $$,
	'no other table of the store is open to everybody');

SELECT is_empty($$ SELECT signature FROM func WHERE pronamespace = 'ehr'::regnamespace AND has_function_privilege('public', oid, 'EXECUTE')
	AND lanname IN ('sql', 'plpgsql') AND prosrc ~ 'ehr_store' $$, 'no function that PUBLIC may call names a table of the store');

SELECT is_empty($$ SELECT signature FROM func WHERE proname ~ '^(may_read|row_|readable)' AND pronamespace = 'ehr'::regnamespace AND (proparallel <> 's' OR provolatile <> 's') $$,
	'what policies ask is stable and safe in parallel workers');

SELECT * FROM finish();
ROLLBACK;
