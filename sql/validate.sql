-- validate: every issue of a document, against FHIR R4 and against loaded profiles.

CREATE FUNCTION ehr.validate(resource jsonb, profile text DEFAULT NULL) RETURNS ehr.fhir
	LANGUAGE c STABLE PARALLEL SAFE COST 100
	AS 'MODULE_PATHNAME', 'fhir_validate';
COMMENT ON FUNCTION ehr.validate(jsonb, text) IS 'OperationOutcome with every issue of a document: structure, invariants, references, bindings, questionnaire, profiles; rule, FHIRPath and hint, never a value';

CREATE FUNCTION ehr.validate(resource text) RETURNS ehr.fhir
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 100
	AS 'MODULE_PATHNAME', 'fhir_validate_text';
COMMENT ON FUNCTION ehr.validate(text) IS 'the same of a document as it was sent: sees keys that stand twice and text that is not JSON';
