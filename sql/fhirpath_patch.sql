-- fhirpath: JSON Patch and FHIRPath Patch on documents (doc/patch.md).

CREATE FUNCTION ehr.json_patch(target jsonb, patch jsonb) RETURNS jsonb
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10
	AS 'MODULE_PATHNAME', 'ehr_json_patch';
COMMENT ON FUNCTION ehr.json_patch(jsonb, jsonb) IS 'a document changed by a JSON Patch (RFC 6902), all operations or an error';

CREATE FUNCTION ehr.fhirpath_patch(target jsonb, patch jsonb) RETURNS jsonb
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100
	AS 'MODULE_PATHNAME', 'ehr_fhirpath_patch';
COMMENT ON FUNCTION ehr.fhirpath_patch(jsonb, jsonb) IS 'a resource changed by a FHIRPath Patch (Parameters of operations), validated; all operations or an error';
