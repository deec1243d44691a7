-- What a restored fixture with a store answers, as a superuser; columns by name, so that later versions may have more.
SET timezone = 'UTC';
SELECT ehr_internal.type_name(type), id, version, deleted, subject, more_subjects, labels, author, epoch, seq, md5(doc::text) FROM ehr_store.resource ORDER BY key;
SELECT ehr_internal.type_name(type), id, version, deleted, subject, labels, author, md5(doc::text) FROM ehr_store.resource_history ORDER BY key, version;
SELECT key, ehr_internal.type_name(type), id FROM ehr_store.resource_key ORDER BY key;
SELECT key, id, merged_into FROM ehr_store.person ORDER BY key;
SELECT subject, person, method, ehr_internal.person_root(person) FROM ehr_store.person_link ORDER BY subject;
SELECT merge, a, b, kept, gone, reason, by, undone FROM ehr_store.person_merge ORDER BY merge;
SELECT md5(system || ' ' || value), subject, own FROM ehr_store.person_identifier ORDER BY 1, 2;
SELECT id, person, deny, grantee, scope, labels, purpose, valid, status, given_by FROM ehr_store.consent ORDER BY person, grantee COLLATE "C", id;
SELECT kind, source, encode(sha256, 'hex'), encode(sha256(body), 'hex') = encode(sha256, 'hex'), md5(receipt::text) FROM ehr_store.payload ORDER BY payload;
SELECT count(*), md5(string_agg(u::text, ' ' ORDER BY u::text COLLATE "C")) FROM (SELECT code, level, name, parent, valid_from, valid_to FROM ehr_store.unit) AS u;
SELECT kind, count(*) FROM ehr_store.audit_event WHERE kind <> 'read unbound' GROUP BY 1 ORDER BY 1;
SELECT * FROM ehr_internal.audit_verify();
-- every table belongs to the owner and forces row security
SELECT count(*) FILTER (WHERE relname IN ('resource', 'resource_history', 'person', 'consent', 'audit_event')), count(*) FILTER (WHERE NOT (relrowsecurity AND relforcerowsecurity AND relowner = 'ehr_owner'::regrole))
FROM pg_catalog.pg_class WHERE relnamespace = 'ehr_store'::regnamespace AND relkind IN ('r', 'p');
SELECT polrelid::regclass, polcmd, pg_catalog.pg_get_expr(polqual, polrelid) <> 'true' FROM pg_catalog.pg_policy WHERE polrelid IN ('ehr_store.resource'::regclass, 'ehr_store.resource_history'::regclass) ORDER BY 1, polname;
SELECT rolname, rolsuper, rolbypassrls, rolcanlogin FROM pg_catalog.pg_roles WHERE rolname ~ '^(ehr|fixture)_' ORDER BY 1;
SELECT roleid::regrole::text, member::regrole::text FROM pg_catalog.pg_auth_members WHERE member = 'fixture_app'::regrole ORDER BY 1;
SELECT r.name, pg_catalog.has_table_privilege(r.name, 'ehr_store.resource', 'SELECT'), pg_catalog.has_table_privilege(r.name, 'ehr_store.resource', 'INSERT'), pg_catalog.has_function_privilege(r.name, 'ehr.put(ehr.fhir, int)', 'EXECUTE'),
	pg_catalog.has_schema_privilege(r.name, 'ehr_internal', 'USAGE')
FROM (VALUES ('ehr_app'), ('ehr_query'), ('ehr_ingest'), ('ehr_backup'), ('fixture_app')) AS r(name);
