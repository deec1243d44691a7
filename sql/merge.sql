-- Room merge: merging FHIR documents element by element.  See doc/merge.md.

CREATE FUNCTION ehr.fhir_merge(ehr.fhir, ehr.fhir) RETURNS ehr.fhir
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100
	AS 'MODULE_PATHNAME', 'ehr_fhir_merge';
COMMENT ON FUNCTION ehr.fhir_merge(ehr.fhir, ehr.fhir) IS
	'merge of two documents that describe the same thing, in normal form; the function behind operator +';

CREATE OPERATOR ehr.+ (
	LEFTARG = ehr.fhir, RIGHTARG = ehr.fhir, FUNCTION = ehr.fhir_merge, COMMUTATOR = OPERATOR(ehr.+)
);
COMMENT ON OPERATOR ehr.+ (ehr.fhir, ehr.fhir) IS 'merge of two documents that describe the same thing';

CREATE FUNCTION ehr_internal.merge_step(ehr.fhir, ehr.fhir) RETURNS ehr.fhir
	LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE COST 100
	AS 'MODULE_PATHNAME', 'ehr_merge_step';
COMMENT ON FUNCTION ehr_internal.merge_step(ehr.fhir, ehr.fhir) IS
	'transition and combine function of aggregate ehr.merge';

-- The state's flat form is a document: that is what goes to parallel workers and other nodes. In memory it is what
-- waits to be merged, up to some 64 kB a group.
CREATE AGGREGATE ehr.merge(ehr.fhir) (
	SFUNC = ehr_internal.merge_step, STYPE = ehr.fhir, COMBINEFUNC = ehr_internal.merge_step,
	SSPACE = 16384, PARALLEL = SAFE
);
COMMENT ON AGGREGATE ehr.merge(ehr.fhir) IS
	'merge of documents that describe the same thing, the same whatever the order; NULLs are left out';

CREATE FUNCTION ehr.fhir_normalize(doc ehr.fhir, source text DEFAULT NULL, rank int DEFAULT NULL) RETURNS ehr.fhir
	LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE COST 100
	AS 'MODULE_PATHNAME', 'ehr_fhir_normalize';
COMMENT ON FUNCTION ehr.fhir_normalize(ehr.fhir, text, int) IS
	'a document in the normal form of merge; with a source or rank, every element is held to be stated by that source';

CREATE FUNCTION ehr.merge_conflicts(jsonb, jsonb) RETURNS jsonb
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100
	AS 'MODULE_PATHNAME', 'ehr_merge_conflicts';
COMMENT ON FUNCTION ehr.merge_conflicts(jsonb, jsonb) IS
	'statements of two documents that a merge sets aside: element, what is kept, what is not, and why';

CREATE FUNCTION ehr.merge_origins(jsonb) RETURNS jsonb
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100
	AS 'MODULE_PATHNAME', 'ehr_merge_origins';
COMMENT ON FUNCTION ehr.merge_origins(jsonb) IS 'who stated each element of a document, and when';

CREATE FUNCTION ehr.merge_rules() RETURNS jsonb
	LANGUAGE c IMMUTABLE PARALLEL SAFE COST 100
	AS 'MODULE_PATHNAME', 'ehr_merge_rules';
COMMENT ON FUNCTION ehr.merge_rules() IS
	'the rules by which elements survive: type, element, rule, key, safety classes; what is not named is the greatest where it occurs once and the union by content where it repeats';
