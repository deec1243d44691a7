-- api: patch, a change of a stored resource by JSON Patch or FHIRPath Patch (doc/patch.md)

CREATE FUNCTION ehr.patch(type text, id text, patch jsonb, if_match int DEFAULT NULL) RETURNS ehr.fhir
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.patch(text, text, jsonb, int) IS 'changes a resource by a JSON Patch (an array) or a FHIRPath Patch (Parameters) and stores the new version (FHIR patch); if_match: the version it must change, else 40001';

-- The patch sees the resource as ehr.get gives it out. What the session may not read is not there for it.
CREATE FUNCTION ehr_internal.patch(type text, id text, patch jsonb, if_match int) RETURNS ehr.fhir
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	principal jsonb := ehr_internal.require_session();
	type_no int2 := ehr_internal.type_number(patch.type);
	found_row record;
	changed jsonb;
	written bigint;
BEGIN
	IF patch.type IS NULL OR patch.id IS NULL OR patch.patch IS NULL THEN
		RAISE null_value_not_allowed USING MESSAGE = 'type, id and patch must not be null';
	END IF;
	-- the key's row stands for the resource: what is changed here is what will be replaced
	PERFORM FROM ehr_store.resource_key k WHERE k.type = type_no AND k.id = patch.id FOR UPDATE;
	SELECT r.* INTO found_row FROM ehr_store.resource r WHERE r.type = type_no AND r.id = patch.id AND NOT r.deleted;
	IF NOT FOUND OR ehr.may_read_row(found_row.key, found_row.subject, found_row.more_subjects, found_row.type, found_row.labels, found_row.author, found_row.happened) IS NOT TRUE THEN
		RAISE no_data_found USING MESSAGE = 'there is no such resource';
	END IF;
	PERFORM ehr_internal.require_may_write(found_row.doc::jsonb, principal);
	IF if_match IS NOT NULL AND if_match <> found_row.version THEN
		RAISE serialization_failure USING MESSAGE = 'the resource has another version than expected',
			DETAIL = 'The version given with if_match is not the current one.',
			HINT = 'Read the resource again and repeat the change on its current version.';
	END IF;
	changed := ehr_internal.with_version(found_row.doc::jsonb, found_row.version, found_row.recorded);
	IF jsonb_typeof(patch.patch) = 'array' THEN
		changed := ehr.json_patch(changed, patch.patch);
	ELSIF patch.patch ->> 'resourceType' = 'Parameters' THEN
		changed := ehr.fhirpath_patch(changed, patch.patch);
	ELSE
		RAISE invalid_parameter_value USING MESSAGE = 'not a patch',
			DETAIL = 'A patch is an array of JSON Patch operations, or a Parameters resource of FHIRPath Patch.';
	END IF;
	changed := (changed::ehr.fhir)::jsonb;		-- refuses what is no FHIR
	IF changed ->> 'resourceType' IS DISTINCT FROM patch.type OR changed ->> 'id' IS DISTINCT FROM patch.id THEN
		RAISE invalid_parameter_value USING MESSAGE = 'a patch may not change type or id of a resource';
	END IF;
	PERFORM ehr_internal.require_may_write(changed, principal);
	written := ehr_internal.write_and_link(changed, ehr_internal.author_of(principal), NULL, if_match);
	RETURN ehr_internal.stored(written);
END
$$;
COMMENT ON FUNCTION ehr_internal.patch(text, text, jsonb, int) IS 'implementation of ehr.patch';

REVOKE EXECUTE ON FUNCTION ehr.patch(text, text, jsonb, int) FROM PUBLIC;
