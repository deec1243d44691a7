---------------------------------------------------------------------------------------------------
-- store: resource tables, versions, keys, change feed (doc/store.md)
---------------------------------------------------------------------------------------------------

CREATE FUNCTION ehr_internal.current_epoch() RETURNS int
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_current_epoch';
COMMENT ON FUNCTION ehr_internal.current_epoch() IS 'number of the cluster that the store lives in now; comes before the transaction in the order of changes';

CREATE FUNCTION ehr_internal.scoped_id(source text, local_id text) RETURNS text
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	RETURN left(encode(sha256(convert_to(source || E'\x1f' || local_id, 'UTF8')), 'hex'), 32);
COMMENT ON FUNCTION ehr_internal.scoped_id(text, text) IS 'resource id for what a source calls local_id; two sources never share one';

CREATE FUNCTION ehr_internal.source_uri(source text) RETURNS text
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	RETURN CASE WHEN source ~ '^[a-z][a-z0-9+.-]*:' THEN '' ELSE 'urn:ehr:source:' END || regexp_replace(source, '\s', '%20', 'g');
COMMENT ON FUNCTION ehr_internal.source_uri(text) IS 'a sender as meta.source: its own URI, else a URN of its name';

-- Where a resource names the patient that it is about: the parameter patient, subject or beneficiary of
-- R4's Patient compartment, as a jsonpath to the literal references. A row for each type that has one.
CREATE TABLE ehr_internal.subject_path (
	type int2 PRIMARY KEY,
	path jsonpath NOT NULL
);
COMMENT ON TABLE ehr_internal.subject_path IS 'path from a resource to the references of the patients it is about (R4 Patient compartment)';

INSERT INTO ehr_internal.subject_path
SELECT ehr_internal.type_number(t), ('$.' || p || '.reference')::jsonpath
FROM (VALUES
	('patient', '{AllergyIntolerance,BodyStructure,Claim,ClaimResponse,Consent,CoverageEligibilityRequest,CoverageEligibilityResponse,DetectedIssue,EpisodeOfCare,ExplanationOfBenefit,FamilyMemberHistory,Immunization,ImmunizationEvaluation,ImmunizationRecommendation,MolecularSequence,NutritionOrder,RelatedPerson,SupplyDelivery,VisionPrescription}'::text[]),
	('subject', '{Account,AdverseEvent,Basic,CarePlan,CareTeam,ChargeItem,ClinicalImpression,Communication,CommunicationRequest,Composition,Condition,DeviceRequest,DeviceUseStatement,DiagnosticReport,DocumentManifest,DocumentReference,Encounter,Flag,Goal,ImagingStudy,Invoice,List,MeasureReport,Media,MedicationAdministration,MedicationDispense,MedicationRequest,MedicationStatement,Observation,Procedure,QuestionnaireResponse,RequestGroup,RiskAssessment,ServiceRequest,Specimen}'),
	('beneficiary', '{Coverage}'),
	('candidate', '{EnrollmentRequest}'),
	('individual', '{ResearchSubject}'),
	('deliverTo', '{SupplyRequest}'),
	('actor', '{AppointmentResponse,Schedule}'),
	('participant.actor', '{Appointment}'),
	('member.entity', '{Group}'),
	('link.target', '{Person}'),
	('target', '{Provenance}')) AS v (p, types), unnest(v.types) AS t;

INSERT INTO ehr_internal.subject_path VALUES
	(ehr_internal.type_number('AuditEvent'), '$.**{1 to 4} ? (exists (@.reference)).reference');

-- Sensitivity labels: a bit each, set at write from codes. Data, so that a DBA can add a code system.
CREATE TABLE ehr_internal.sensitivity_label (
	bit int2 NOT NULL,
	name text NOT NULL,
	code_system text NOT NULL,
	first_code text NOT NULL,
	last_code text NOT NULL,
	basis text NOT NULL,
	shipped bool NOT NULL DEFAULT false
);
SELECT pg_catalog.pg_extension_config_dump('ehr_internal.sensitivity_label', 'WHERE NOT shipped');
COMMENT ON TABLE ehr_internal.sensitivity_label IS 'codes that make a resource sensitive: inclusive ranges of a code system, and the label''s bit in ehr_store.resource.labels';

INSERT INTO ehr_internal.sensitivity_label SELECT l.*, true FROM (VALUES
	(0, 'HIV', 'http://hl7.org/fhir/sid/icd-10', 'B20', 'B24', 'Law 71/2020 Art. 30'),
	(0, 'HIV', 'http://hl7.org/fhir/sid/icd-10', 'Z21', 'Z21', 'Law 71/2020 Art. 30'),
	(0, 'HIV', 'http://hl7.org/fhir/sid/icd-10', 'O98.7', 'O98.7', 'Law 71/2020 Art. 30'),
	(0, 'HIV', 'http://hl7.org/fhir/sid/icd-10', 'R75', 'R75', 'Law 71/2020 Art. 30'),
	(0, 'HIV', 'http://terminology.hl7.org/CodeSystem/v3-ActCode', 'HIV', 'HIV', 'label of the sender'),
	(1, 'mental health', 'http://hl7.org/fhir/sid/icd-10', 'F20', 'F99', 'Law 91/2025, sensitive data'),
	(1, 'mental health', 'http://terminology.hl7.org/CodeSystem/v3-ActCode', 'PSY', 'PSY', 'label of the sender'),
	(1, 'mental health', 'http://terminology.hl7.org/CodeSystem/v3-ActCode', 'MH', 'MH', 'label of the sender'),
	(2, 'sexual and reproductive health', 'http://hl7.org/fhir/sid/icd-10', 'A50', 'A64', 'Law 91/2025, sensitive data'),
	(2, 'sexual and reproductive health', 'http://hl7.org/fhir/sid/icd-10', 'O03', 'O08', 'Law 91/2025, sensitive data'),
	(2, 'sexual and reproductive health', 'http://hl7.org/fhir/sid/icd-10', 'Z30', 'Z30', 'Law 91/2025, sensitive data'),
	(2, 'sexual and reproductive health', 'http://hl7.org/fhir/sid/icd-10', 'Z70', 'Z70', 'Law 91/2025, sensitive data'),
	(2, 'sexual and reproductive health', 'http://terminology.hl7.org/CodeSystem/v3-ActCode', 'SEX', 'SEX', 'label of the sender'),
	(2, 'sexual and reproductive health', 'http://terminology.hl7.org/CodeSystem/v3-ActCode', 'STD', 'STD', 'label of the sender'),
	(3, 'genetics', 'http://hl7.org/fhir/sid/icd-10', 'Z14', 'Z15', 'Law 91/2025, sensitive data'),
	(3, 'genetics', 'http://terminology.hl7.org/CodeSystem/v3-ActCode', 'GDIS', 'GDIS', 'label of the sender'),
	(4, 'substance use', 'http://hl7.org/fhir/sid/icd-10', 'F10', 'F19', 'Law 91/2025, sensitive data'),
	(4, 'substance use', 'http://hl7.org/fhir/sid/icd-10', 'Z71.4', 'Z72.2', 'Law 91/2025, sensitive data'),
	(4, 'substance use', 'http://terminology.hl7.org/CodeSystem/v3-ActCode', 'ETH', 'ETH', 'label of the sender'),
	(4, 'substance use', 'http://terminology.hl7.org/CodeSystem/v3-ActCode', 'SUD', 'SUD', 'label of the sender'),
	(5, 'restricted', 'http://terminology.hl7.org/CodeSystem/v3-Confidentiality', 'R', 'R', 'label of the sender'),
	(5, 'restricted', 'http://terminology.hl7.org/CodeSystem/v3-Confidentiality', 'V', 'V', 'label of the sender'),
	(6, 'minors', 'http://hl7.org/fhir/sid/icd-10', 'T74', 'T74', 'Law on Children 2016 Art. 21, 33; unverified'),
	(6, 'minors', 'http://hl7.org/fhir/sid/icd-10', 'Y06', 'Y07', 'Law on Children 2016 Art. 21, 33; unverified')) AS l;

-- Labels that come with the source, not with a code: a clinic whose every record tells what the patient has; and codes that are
-- sensitive below an age only.
CREATE TABLE ehr_internal.sensitivity_source (
	bit int2 NOT NULL,
	author text,
	source text,
	type int2,
	basis text NOT NULL,
	shipped bool NOT NULL DEFAULT false,
	CHECK (author IS NOT NULL OR source IS NOT NULL OR type IS NOT NULL)
);
COMMENT ON TABLE ehr_internal.sensitivity_source IS 'facilities (author), senders (meta.source) or resource types all of whose resources carry a label; what is null does not matter';
SELECT pg_catalog.pg_extension_config_dump('ehr_internal.sensitivity_source', 'WHERE NOT shipped');
INSERT INTO ehr_internal.sensitivity_source VALUES
	(3, NULL, NULL, ehr_internal.type_number('MolecularSequence'), 'Law 91/2025, sensitive data', true);

CREATE TABLE ehr_internal.sensitivity_age (
	bit int2 NOT NULL,
	code_system text NOT NULL,
	first_code text NOT NULL,
	last_code text NOT NULL,
	below_age int NOT NULL,
	basis text NOT NULL,
	shipped bool NOT NULL DEFAULT false
);
COMMENT ON TABLE ehr_internal.sensitivity_age IS 'codes that make a resource sensitive when its patient is below an age, or of unknown age, when it is written';
SELECT pg_catalog.pg_extension_config_dump('ehr_internal.sensitivity_age', 'WHERE NOT shipped');
INSERT INTO ehr_internal.sensitivity_age VALUES
	(6, 'http://hl7.org/fhir/sid/icd-10', 'O00', 'O99', 18, 'Law on Children 2016 Art. 21; unverified', true),
	(6, 'http://hl7.org/fhir/sid/icd-10', 'Z30', 'Z39', 18, 'Law on Children 2016 Art. 21; unverified', true);

-- By name in doc/consent.md; "minors" is about children as victims or as mothers.

-- A code lies in a range when it does so up to the length of the bound: B20.5 lies in B20-B24. Dots and case do not matter. A coding at
-- any depth counts: a diagnosis inside of a claim, a component of an observation.
CREATE FUNCTION ehr_internal.labels_of(resource jsonb, author text, subjects bigint[]) RETURNS int
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	codings jsonb := jsonb_path_query_array(resource, 'lax $.**.coding ? (@.code <> "")') || coalesce(resource -> 'meta' -> 'security', '[]');
BEGIN
	RETURN coalesce((
		SELECT bit_or(1 << r.bit)
		FROM (SELECT DISTINCT c ->> 'system' AS system, upper(replace(c ->> 'code', '.', '')) COLLATE "C" AS code FROM jsonb_array_elements(codings) AS c) AS c
		JOIN (SELECT l.bit, l.code_system, l.first_code, l.last_code, NULL::int AS below_age FROM ehr_internal.sensitivity_label l
			UNION ALL
			SELECT a.bit, a.code_system, a.first_code, a.last_code, a.below_age FROM ehr_internal.sensitivity_age a) AS r ON r.code_system = c.system
		WHERE left(c.code, length(replace(r.first_code, '.', ''))) >= upper(replace(r.first_code, '.', '')) COLLATE "C"
			AND left(c.code, length(replace(r.last_code, '.', ''))) <= upper(replace(r.last_code, '.', '')) COLLATE "C"
			AND CASE WHEN r.below_age IS NULL THEN true ELSE coalesce(ehr_internal.may_be_below(subjects, r.below_age), false) END), 0)
		| coalesce((
		SELECT bit_or(1 << s.bit) FROM ehr_internal.sensitivity_source s
		WHERE coalesce(s.author = labels_of.author, s.author IS NULL)
			AND coalesce(s.source = resource #>> '{meta,source}', s.source IS NULL)
			AND (s.type IS NULL OR s.type = ehr_internal.type_number(resource ->> 'resourceType'))), 0);
END
$$;
COMMENT ON FUNCTION ehr_internal.labels_of(jsonb, text, bigint[]) IS 'sensitivity labels of a resource by this author about these patients, as bits of ehr_internal.sensitivity_label';

CREATE FUNCTION ehr_internal.labels_of(resource jsonb) RETURNS int
	LANGUAGE plpgsql STABLE STRICT PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN ehr_internal.labels_of(resource, NULL, NULL);
END
$$;
COMMENT ON FUNCTION ehr_internal.labels_of(jsonb) IS 'sensitivity labels of a resource by its codes, source and type alone';

-- The first of these elements that a resource has says when what it tells of happened; in order of preference.
CREATE FUNCTION ehr_internal.happened(resource jsonb) RETURNS date
	LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	SET timezone = 'Asia/Ho_Chi_Minh'
AS $$
DECLARE
	said text := coalesce(resource ->> 'effectiveDateTime', resource #>> '{effectivePeriod,start}', resource ->> 'effectiveInstant',
		resource ->> 'performedDateTime', resource #>> '{performedPeriod,start}', resource ->> 'occurrenceDateTime',
		resource #>> '{occurrencePeriod,start}', resource ->> 'onsetDateTime', resource #>> '{onsetPeriod,start}', resource #>> '{period,start}',
		resource ->> 'recordedDate', resource ->> 'authoredOn', resource ->> 'whenHandedOver', resource ->> 'started', resource #>> '{billablePeriod,start}',
		resource ->> 'date', resource ->> 'created', resource ->> 'issued');
BEGIN
	RETURN CASE WHEN said ~ '^[1-9][0-9]{3}-[01][0-9]-[0-3][0-9]$' THEN said::date
		WHEN said ~ '^[1-9][0-9]{3}-[01][0-9]-[0-3][0-9]T' THEN said::timestamptz::date END;
EXCEPTION WHEN datetime_field_overflow OR invalid_datetime_format THEN
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION ehr_internal.happened(jsonb) IS 'the day in Vietnam that a resource tells of; null when it names none or not a whole day';

-- Roles and schema; then each room makes what it keeps. Safe to run again.
CREATE FUNCTION ehr.create_store() RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	SET client_min_messages = warning
AS $$
DECLARE
	r record;
	room text;
BEGIN
	FOR r IN SELECT * FROM (VALUES
		('ehr_owner', 'NOLOGIN NOBYPASSRLS', 'owns schema ehr_store and everything in it'),
		('ehr_app', 'NOLOGIN', 'may call the API of ehr'),
		('ehr_query', 'NOLOGIN', 'may also select from the row-secured tables of ehr, under a session'),
		('ehr_ingest', 'NOLOGIN', 'may call the intake functions of ehr'),
		('ehr_auditor', 'NOLOGIN', 'may read the audit log of ehr'),
		('ehr_admin', 'NOLOGIN', 'may manage keys and settings of ehr; sees no personal rows'),
		('ehr_backup', 'NOLOGIN BYPASSRLS', 'for pg_dump of ehr_store')) AS v (name, attributes, meaning)
	LOOP
		IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r.name) THEN
			EXECUTE format('CREATE ROLE %I %s', r.name, r.attributes);
			EXECUTE format('COMMENT ON ROLE %I IS %L', r.name, r.meaning);
		END IF;
	END LOOP;

	IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'ehr_owner' AND (rolsuper OR rolbypassrls)) THEN
		RAISE insufficient_privilege USING MESSAGE = 'role ehr_owner is not bound by row security',
			HINT = 'Run ALTER ROLE ehr_owner NOSUPERUSER NOBYPASSRLS.';
	END IF;

	CREATE SCHEMA IF NOT EXISTS ehr_store;
	COMMENT ON SCHEMA ehr_store IS 'health records: tables made by ehr.create_store(), owned by ehr_owner';
	ALTER SCHEMA ehr_store OWNER TO ehr_owner;
	GRANT USAGE ON SCHEMA ehr_internal TO ehr_owner;
	-- only what it could not call else: a dump names each function with a grant, and its restore fails where a later version has none of that name
	FOR r IN SELECT p.oid::regprocedure AS function FROM pg_proc p
		WHERE p.pronamespace IN ('ehr'::regnamespace, 'ehr_internal'::regnamespace) AND NOT has_function_privilege('ehr_owner', p.oid, 'EXECUTE')
	LOOP
		EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO ehr_owner', r.function);
	END LOOP;
	GRANT SELECT ON ALL TABLES IN SCHEMA ehr_internal TO ehr_owner;
	GRANT USAGE ON SCHEMA ehr_store TO ehr_query, ehr_backup;
	-- a dump holds the rules that a DBA added to the extension's own tables, too
	GRANT USAGE ON SCHEMA ehr_internal TO ehr_backup;
	FOR r IN SELECT t::regclass AS rel FROM pg_extension e, unnest(e.extconfig) AS t WHERE e.extname = 'ehr'
	LOOP
		EXECUTE format('GRANT SELECT ON %s TO ehr_backup', r.rel);
	END LOOP;

	-- what a room keeps is made by ehr_internal.create_ROOM() and create_ROOM_PART()
	FOREACH room IN ARRAY ARRAY['store', 'vault', 'audit', 'identity', 'consent', 'api', 'views', 'intake', 'share', 'report']
	LOOP
		FOR r IN
			SELECT p.proname FROM pg_proc p
			WHERE p.pronamespace = 'ehr_internal'::regnamespace AND p.pronargs = 0
				AND (p.proname = 'create_' || room OR p.proname LIKE 'create\_' || room || '\_%')
			ORDER BY length(p.proname), p.proname
		LOOP
			EXECUTE format('SELECT ehr_internal.%I()', r.proname);
		END LOOP;
	END LOOP;

	PERFORM ehr_internal.secure_store();
	IF (ehr.vault_status()).usable THEN
		PERFORM ehr_internal.vault_prepare();
	END IF;
	PERFORM ehr_internal.current_epoch();	-- else the first two writers would wait for each other
	GRANT SELECT ON ALL TABLES IN SCHEMA ehr_store TO ehr_backup;
	GRANT SELECT ON ALL SEQUENCES IN SCHEMA ehr_store TO ehr_backup;
	INSERT INTO ehr_store.store_info AS i (version) VALUES (ehr.version())
	ON CONFLICT (one) DO UPDATE SET version = excluded.version, upgraded = now()
	WHERE i.version <> excluded.version;
END
$$;
COMMENT ON FUNCTION ehr.create_store() IS 'makes the roles, schema ehr_store and its tables; may be run again';
REVOKE EXECUTE ON FUNCTION ehr.create_store() FROM PUBLIC;

CREATE FUNCTION ehr.upgrade_store() RETURNS void
	LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$ SELECT ehr.create_store() $$;
COMMENT ON FUNCTION ehr.upgrade_store() IS 'brings the store''s tables to the installed version';
REVOKE EXECUTE ON FUNCTION ehr.upgrade_store() FROM PUBLIC;

-- Everything in ehr_store belongs to ehr_owner and forces row security, on its owner too. A table for which
-- its room made no policy shows nobody anything.
CREATE FUNCTION ehr_internal.secure_store() RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	r record;
BEGIN
	FOR r IN
		SELECT c.oid::regclass AS rel, c.relkind, c.relowner, c.relrowsecurity AND c.relforcerowsecurity AS forced
		FROM pg_class c
		WHERE c.relnamespace = 'ehr_store'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
			AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i') AND c.relkind = 'S')
	LOOP
		IF r.relowner <> 'ehr_owner'::regrole THEN
			EXECUTE format('ALTER TABLE %s OWNER TO ehr_owner', r.rel);
		END IF;
		IF r.relkind IN ('r', 'p') AND NOT r.forced THEN
			EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', r.rel);
		END IF;
	END LOOP;
	FOR r IN
		SELECT p.oid::regprocedure AS proc, p.prokind
		FROM pg_proc p WHERE p.pronamespace = 'ehr_store'::regnamespace AND p.proowner <> 'ehr_owner'::regrole
	LOOP
		EXECUTE format('ALTER ROUTINE %s OWNER TO ehr_owner', r.proc);
	END LOOP;
END
$$;
COMMENT ON FUNCTION ehr_internal.secure_store() IS 'gives every object of ehr_store to ehr_owner and forces row security on every table';

CREATE FUNCTION ehr_internal.create_store() RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE TABLE IF NOT EXISTS ehr_store.store_info (
		one bool PRIMARY KEY DEFAULT true CHECK (one),
		version text NOT NULL,
		created timestamptz NOT NULL DEFAULT now(),
		upgraded timestamptz
	);
	COMMENT ON TABLE ehr_store.store_info IS 'version of ehr that the tables of the store are made for';

	CREATE TABLE IF NOT EXISTS ehr_store.epoch (
		epoch int PRIMARY KEY,
		system_identifier bigint NOT NULL UNIQUE
	);
	COMMENT ON TABLE ehr_store.epoch IS 'clusters that the store has lived in, in order';

	CREATE TABLE IF NOT EXISTS ehr_store.resource_key (
		key bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
		type int2 NOT NULL,
		id text NOT NULL,
		UNIQUE (type, id)
	);
	COMMENT ON TABLE ehr_store.resource_key IS 'the name of every resource that exists or is referred to; the key of a Patient is a subject';

	CREATE SEQUENCE IF NOT EXISTS ehr_store.change_seq;

	CREATE TABLE IF NOT EXISTS ehr_store.resource (
		-- first what row security asks every row for, so that it lies in one cache line
		key bigint PRIMARY KEY,
		subject bigint,
		labels int NOT NULL DEFAULT 0,
		type int2 NOT NULL,
		author text NOT NULL,
		more_subjects bigint[],
		happened date,
		version int NOT NULL,
		id text NOT NULL,
		recorded timestamptz NOT NULL DEFAULT now(),
		epoch int NOT NULL,
		txid xid8 NOT NULL DEFAULT pg_current_xact_id(),
		seq bigint NOT NULL DEFAULT nextval('ehr_store.change_seq'),
		deleted bool NOT NULL DEFAULT false,
		doc ehr.fhir COMPRESSION lz4
	);
	COMMENT ON TABLE ehr_store.resource IS 'the current version of each resource';
	COMMENT ON COLUMN ehr_store.resource.subject IS 'key of the source Patient it is about; null when it is about no patient';
	COMMENT ON COLUMN ehr_store.resource.more_subjects IS 'the further patients it is about, of whom a reader needs all';
	COMMENT ON COLUMN ehr_store.resource.labels IS 'sensitivity labels, bits of ehr_internal.sensitivity_label';
	COMMENT ON COLUMN ehr_store.resource.happened IS 'the day that it tells of, in Vietnam; null when it says none';
	COMMENT ON COLUMN ehr_store.resource.author IS 'code of the facility that wrote this version';
	COMMENT ON COLUMN ehr_store.resource.txid IS 'with epoch before it and seq behind it the place in the order of changes';

	CREATE TABLE IF NOT EXISTS ehr_store.resource_history (
		LIKE ehr_store.resource INCLUDING DEFAULTS INCLUDING COMMENTS INCLUDING COMPRESSION,
		PRIMARY KEY (key, version)
	);
	COMMENT ON TABLE ehr_store.resource_history IS 'superseded versions of resources';

	CREATE UNIQUE INDEX IF NOT EXISTS resource_name ON ehr_store.resource (type, id);
	CREATE UNIQUE INDEX IF NOT EXISTS resource_history_name ON ehr_store.resource_history (type, id, version);
	CREATE INDEX IF NOT EXISTS resource_subject ON ehr_store.resource (subject, type, recorded DESC);
	CREATE INDEX IF NOT EXISTS resource_change ON ehr_store.resource (epoch, txid, seq);
	CREATE INDEX IF NOT EXISTS resource_history_change ON ehr_store.resource_history (epoch, txid, seq);

	CREATE TABLE IF NOT EXISTS ehr_store.business_key (
		type int2 NOT NULL,
		system text NOT NULL,
		value text NOT NULL,
		key bigint NOT NULL,
		PRIMARY KEY (type, system, value, key)
	);
	COMMENT ON TABLE ehr_store.business_key IS 'identifiers of stored resources, for conditional create and conditional references';
	CREATE INDEX IF NOT EXISTS business_key_key ON ehr_store.business_key (key);

	CREATE TABLE IF NOT EXISTS ehr_store.conditional_create (
		type int2 NOT NULL,
		system text NOT NULL,
		value text NOT NULL,
		PRIMARY KEY (type, system, value)
	);
	COMMENT ON TABLE ehr_store.conditional_create IS 'a row to wait on, so that two conditional creates of the same thing make one';

	IF NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = 'ehr_store.epoch'::regclass) THEN
		CREATE POLICY anybody ON ehr_store.epoch FOR SELECT USING (true);
		CREATE POLICY anybody ON ehr_store.store_info FOR SELECT USING (true);
	END IF;
	GRANT SELECT ON ehr_store.resource, ehr_store.resource_history TO ehr_query;
END
$$;
COMMENT ON FUNCTION ehr_internal.create_store() IS 'tables of room store';

---------------------------------------------------------------------------------------------------
-- Writing a version. All callers have checked that they may; everything here runs in system mode.
---------------------------------------------------------------------------------------------------

CREATE FUNCTION ehr_internal.key_of(type int2, id text) RETURNS bigint
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	found_key bigint;
BEGIN
	LOOP
		SELECT k.key INTO found_key FROM ehr_store.resource_key k WHERE k.type = key_of.type AND k.id = key_of.id;
		IF FOUND THEN RETURN found_key; END IF;
		INSERT INTO ehr_store.resource_key AS k (type, id) VALUES (key_of.type, key_of.id)
		ON CONFLICT ON CONSTRAINT resource_key_type_id_key DO NOTHING RETURNING k.key INTO found_key;
		IF FOUND THEN RETURN found_key; END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION ehr_internal.key_of(int2, text) IS 'key of a resource by type and id, made when it is not known yet';

CREATE FUNCTION ehr_internal.subjects_of(resource jsonb) RETURNS bigint[]
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	type_no int2 := ehr_internal.type_number(resource ->> 'resourceType');
	patient int2 := ehr_internal.type_number('Patient');
	where_to_look jsonpath;
	reference text;
	subjects bigint[];
BEGIN
	IF type_no = patient THEN
		RETURN ARRAY[ehr_internal.key_of(patient, resource ->> 'id')];
	END IF;
	SELECT p.path INTO where_to_look FROM ehr_internal.subject_path p WHERE p.type = type_no;
	IF NOT FOUND THEN RETURN NULL; END IF;
	FOR reference IN SELECT r.item #>> '{}' FROM jsonb_path_query(resource, where_to_look) AS r (item)
	LOOP
		IF starts_with(reference, 'Patient/') THEN	-- Patient/ID or Patient/ID/_history/VERSION
			subjects := subjects || ehr_internal.key_of(patient, split_part(reference, '/', 2));
		END IF;
	END LOOP;
	IF cardinality(subjects) > 1 THEN
		subjects := ARRAY(SELECT DISTINCT s FROM unnest(subjects) AS s ORDER BY s);
	END IF;
	RETURN subjects;
END
$$;
COMMENT ON FUNCTION ehr_internal.subjects_of(jsonb) IS 'keys of the Patients that a resource is about, or null';

-- Version and time are the server's own: they stand in columns and are put into meta when a document is given out.
CREATE FUNCTION ehr_internal.without_version(resource jsonb) RETURNS jsonb
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	RETURN CASE WHEN (resource -> 'meta') ?| ARRAY['versionId', 'lastUpdated']
		THEN CASE WHEN (resource -> 'meta') - 'versionId' - 'lastUpdated' = '{}' THEN resource - 'meta'
			ELSE jsonb_set(resource, '{meta}', (resource -> 'meta') - 'versionId' - 'lastUpdated') END
		ELSE resource END;
COMMENT ON FUNCTION ehr_internal.without_version(jsonb) IS 'a resource without meta.versionId and meta.lastUpdated';

CREATE FUNCTION ehr_internal.with_version(resource jsonb, version int, recorded timestamptz) RETURNS jsonb
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	SET timezone = 'UTC'
	RETURN jsonb_set(resource, '{meta}', coalesce(resource -> 'meta', '{}')
		|| jsonb_build_object('versionId', version::text, 'lastUpdated', to_char(recorded, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')));
COMMENT ON FUNCTION ehr_internal.with_version(jsonb, int, timestamptz) IS 'a resource with the server''s meta.versionId and meta.lastUpdated';

-- The current row goes to the history, and the new version takes its place. expected: the version that must be current
-- (If-Match), null for any. source: where it came from, put into meta.source when the resource names none. Returns the
-- key; unchanged content makes no version.
CREATE FUNCTION ehr_internal.supersede(resource_key bigint) RETURNS void
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	WITH gone AS (DELETE FROM ehr_store.resource r WHERE r.key = resource_key RETURNING r.*)
	INSERT INTO ehr_store.resource_history SELECT gone.* FROM gone;
END
$$;
COMMENT ON FUNCTION ehr_internal.supersede(bigint) IS 'moves the current version of a resource into the history';

CREATE FUNCTION ehr_internal.index_business_keys(resource_key bigint, type_no int2, resource jsonb) RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	DELETE FROM ehr_store.business_key b WHERE b.key = resource_key;
	INSERT INTO ehr_store.business_key (type, system, value, key)
	SELECT DISTINCT type_no, coalesce(i ->> 'system', ''), i ->> 'value', resource_key
	FROM jsonb_path_query(resource, 'lax $.identifier[*] ? (exists (@.value))') AS i;
END
$$;
COMMENT ON FUNCTION ehr_internal.index_business_keys(bigint, int2, jsonb) IS 'renews the rows of ehr_store.business_key for a resource';

CREATE FUNCTION ehr_internal.store_write(resource jsonb, author text, source text DEFAULT NULL, expected int DEFAULT NULL) RETURNS bigint
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	type_no int2;
	new_doc jsonb;
	new_key bigint;
	subjects bigint[];
	old record;
BEGIN
	IF source IS NOT NULL AND resource -> 'meta' -> 'source' IS NULL THEN
		resource := jsonb_set(resource, '{meta}', coalesce(resource -> 'meta', '{}')
			|| jsonb_build_object('source', ehr_internal.source_uri(source)));
	END IF;
	new_doc := (resource::ehr.fhir)::jsonb;		-- refuses what is no FHIR
	type_no := ehr_internal.type_number(new_doc ->> 'resourceType');
	IF new_doc ->> 'id' IS NULL THEN
		RAISE null_value_not_allowed USING MESSAGE = 'a resource to be stored needs an id';
	END IF;
	new_key := ehr_internal.key_of(type_no, new_doc ->> 'id');
	subjects := ehr_internal.subjects_of(new_doc);
	-- the key's row stands for the resource while it is written, so that two first versions wait for each other
	PERFORM FROM ehr_store.resource_key k WHERE k.key = new_key FOR UPDATE;
	SELECT * INTO old FROM ehr_store.resource r WHERE r.key = new_key;
	IF expected IS NOT NULL AND expected IS DISTINCT FROM (CASE WHEN old.deleted THEN NULL ELSE old.version END) THEN
		RAISE serialization_failure USING MESSAGE = 'the resource has another version than expected',
			DETAIL = 'The version given with if_match is not the current one.',
			HINT = 'Read the resource again and repeat the change on its current version.';
	END IF;
	IF old.key IS NOT NULL AND NOT old.deleted
		AND ehr_internal.without_version(old.doc::jsonb) = ehr_internal.without_version(new_doc) THEN
		RETURN new_key;
	END IF;
	PERFORM ehr_internal.supersede(new_key);
	INSERT INTO ehr_store.resource (key, type, id, version, subject, more_subjects, labels, author, happened, epoch, doc)
	VALUES (new_key, type_no, new_doc ->> 'id', coalesce(old.version, 0) + 1, subjects[1],
		CASE WHEN cardinality(subjects) > 1 THEN subjects[2:] END,
		ehr_internal.labels_of(new_doc, author, subjects), author, ehr_internal.happened(new_doc), ehr_internal.current_epoch(), new_doc);
	PERFORM ehr_internal.index_business_keys(new_key, type_no, new_doc);
	PERFORM ehr_internal.after_write(new_key, type_no, new_doc, subjects, false);
	RETURN new_key;
END
$$;
COMMENT ON FUNCTION ehr_internal.store_write(jsonb, text, text, int) IS 'stores a resource as the new current version and returns its key; the same content again changes nothing';


-- A tombstone takes the place of the current version. Returns false when there was none.
CREATE FUNCTION ehr_internal.store_remove(type text, id text, author text) RETURNS bool
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	old record;
BEGIN
	SELECT k.key INTO old FROM ehr_store.resource_key k
	WHERE k.type = ehr_internal.type_number(store_remove.type) AND k.id = store_remove.id FOR UPDATE;
	SELECT r.* INTO old FROM ehr_store.resource r WHERE r.key = old.key;
	IF NOT FOUND OR old.deleted THEN RETURN false; END IF;
	PERFORM ehr_internal.supersede(old.key);
	INSERT INTO ehr_store.resource (key, type, id, version, subject, more_subjects, labels, author, happened, epoch, deleted)
	VALUES (old.key, old.type, old.id, old.version + 1, old.subject, old.more_subjects, old.labels, store_remove.author, old.happened,
		ehr_internal.current_epoch(), true);
	DELETE FROM ehr_store.business_key b WHERE b.key = old.key;
	PERFORM ehr_internal.after_write(old.key, old.type, NULL, old.subject || coalesce(old.more_subjects, '{}'), true);
	RETURN true;
END
$$;
COMMENT ON FUNCTION ehr_internal.store_remove(text, text, text) IS 'marks a resource as deleted; its versions stay in the history';
