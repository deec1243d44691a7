-- validate: every issue of a document, against FHIR R4 and against loaded definitions.

CREATE FUNCTION ehr.validate(resource jsonb, profile text DEFAULT NULL) RETURNS ehr.fhir
	LANGUAGE c STABLE PARALLEL SAFE COST 100
	AS 'MODULE_PATHNAME', 'fhir_validate';
COMMENT ON FUNCTION ehr.validate(jsonb, text) IS 'OperationOutcome with every issue of a document: structure, invariants, references, bindings, answers, loaded profiles; never a value';

CREATE FUNCTION ehr.validate(resource text) RETURNS ehr.fhir
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 100
	AS 'MODULE_PATHNAME', 'fhir_validate_text';
COMMENT ON FUNCTION ehr.validate(text) IS 'the same of a document as it was sent: sees keys that stand twice and text that is not JSON';

CREATE FUNCTION ehr_internal.invariants()
	RETURNS TABLE (type text, key text, severity text, human text, expression text, checked boolean)
	LANGUAGE c IMMUTABLE PARALLEL SAFE ROWS 230
	AS 'MODULE_PATHNAME', 'fhir_invariants_list';
COMMENT ON FUNCTION ehr_internal.invariants() IS 'invariants of R4 that are asked as expressions; checked: false where the expression is beyond the subset of FHIRPath';

-- Loaded definitions. They are configuration, hold no personal data and are dumped with the database.

CREATE TABLE ehr.definition (
	kind text COLLATE "C" NOT NULL,
	url text COLLATE "C" NOT NULL,
	version text COLLATE "C" NOT NULL DEFAULT '',
	loaded timestamptz NOT NULL DEFAULT clock_timestamp(),
	doc jsonb NOT NULL,
	PRIMARY KEY (kind, url, version)
);
COMMENT ON TABLE ehr.definition IS 'definitions that ehr.load_definition took: profiles, extensions, questionnaires, search parameters, value sets';

CREATE TABLE ehr.canonical_alias (
	alias text COLLATE "C" PRIMARY KEY,
	url text COLLATE "C" NOT NULL CHECK (url <> alias)
);
COMMENT ON TABLE ehr.canonical_alias IS 'further canonical URLs of definitions: alias is looked up as url';

GRANT SELECT ON ehr.definition, ehr.canonical_alias TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('ehr.definition', '');
SELECT pg_catalog.pg_extension_config_dump('ehr.canonical_alias', '');

CREATE FUNCTION ehr_internal.definition_changed() RETURNS trigger
	LANGUAGE c
	AS 'MODULE_PATHNAME', 'ehr_definition_changed';
COMMENT ON FUNCTION ehr_internal.definition_changed() IS 'tells all backends to forget what they keep of loaded definitions';

CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON ehr.definition
	FOR EACH STATEMENT EXECUTE FUNCTION ehr_internal.definition_changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON ehr.canonical_alias
	FOR EACH STATEMENT EXECUTE FUNCTION ehr_internal.definition_changed();

-- Who may load is whom the owner of the database grants it to: EXECUTE here, and INSERT and UPDATE on the tables.
CREATE FUNCTION ehr.load_definition(resource jsonb) RETURNS text
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	kind text := resource ->> 'resourceType';
	url text := resource ->> 'url';
	version text := coalesce(resource ->> 'version', '');
	faults text;
BEGIN
	IF kind IS NULL OR kind <> ALL (ARRAY['StructureDefinition', 'ValueSet', 'CodeSystem', 'ConceptMap', 'SearchParameter', 'Questionnaire', 'Measure', 'ImplementationGuide']) THEN
		RAISE EXCEPTION 'this type of resource is no definition' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Load StructureDefinition, ValueSet, CodeSystem, ConceptMap, SearchParameter, Questionnaire, Measure or ImplementationGuide.';
	END IF;
	SELECT string_agg((issue #>> '{expression,0}') || ': ' || (issue #>> '{details,text}'), '; ') INTO faults
	FROM jsonb_array_elements(ehr.validate(resource) -> 'issue') AS i(issue)
	WHERE issue ->> 'severity' IN ('error', 'fatal') AND issue #>> '{details,coding,0,code}' !~ '^(profile-|map-|filter-|coding-|supplement-|concept-unknown|constraint-expression|discriminator-path|element-path|urn)';
	IF faults IS NOT NULL THEN
		RAISE EXCEPTION 'the definition is not valid' USING ERRCODE = 'check_violation', DETAIL = left(faults, 1000) || '.',
			HINT = 'ehr.validate lists all faults.';
	END IF;
	IF url IS NULL THEN
		RAISE EXCEPTION 'a definition needs a canonical URL' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	IF kind = 'StructureDefinition' AND resource ->> 'derivation' IS DISTINCT FROM 'constraint' THEN
		RAISE EXCEPTION 'only profiles and extensions can be loaded' USING ERRCODE = 'feature_not_supported',
			HINT = 'The types of FHIR R4 are compiled in; a profile has derivation "constraint".';
	END IF;
	INSERT INTO ehr.definition AS d (kind, url, version, doc) VALUES (kind, url, version, resource)
	ON CONFLICT ON CONSTRAINT definition_pkey DO UPDATE SET doc = excluded.doc, loaded = excluded.loaded;
	-- terminology has tables of its own
	IF kind = 'CodeSystem' AND to_regprocedure('ehr.load_code_system(jsonb, date, date)') IS NOT NULL THEN
		PERFORM ehr.load_code_system(resource);
	ELSIF kind = 'ValueSet' AND to_regprocedure('ehr.load_value_set(jsonb)') IS NOT NULL THEN
		PERFORM ehr.load_value_set(resource);
	ELSIF kind = 'ConceptMap' AND to_regprocedure('ehr.load_concept_map(jsonb)') IS NOT NULL THEN
		PERFORM ehr.load_concept_map(resource);
	END IF;
	RETURN url || CASE WHEN version <> '' THEN '|' || version ELSE '' END;
END $$;
COMMENT ON FUNCTION ehr.load_definition(jsonb) IS 'takes a profile, extension, value set, code system, concept map, search parameter, questionnaire, measure or implementation guide; gives back its canonical URL';
REVOKE EXECUTE ON FUNCTION ehr.load_definition(jsonb) FROM PUBLIC;

CREATE FUNCTION ehr.snapshot(url text) RETURNS jsonb
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 1000
	AS 'MODULE_PATHNAME', 'ehr_snapshot';
COMMENT ON FUNCTION ehr.snapshot(text) IS 'a loaded profile with its snapshot, generated from its differential and those it derives from; null: not loaded';
