---------------------------------------------------------------------------------------------------
-- identity: comparators (doc/identity.md). Immutable, on their arguments alone.
---------------------------------------------------------------------------------------------------

CREATE FUNCTION ehr.jaro_winkler(a text, b text) RETURNS float8
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 3
	AS 'MODULE_PATHNAME', 'ehr_jaro_winkler';
COMMENT ON FUNCTION ehr.jaro_winkler(text, text) IS 'Jaro-Winkler similarity of two texts, 0 to 1, letter by letter; fold names first (ehr.fold_name)';

CREATE FUNCTION ehr.edit_distance(a text, b text) RETURNS int
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5
	AS 'MODULE_PATHNAME', 'ehr_edit_distance';
COMMENT ON FUNCTION ehr.edit_distance(text, text) IS 'insertions, deletions, substitutions and swaps of neighbours between two texts; of texts longer than 255 letters the beginnings';

CREATE FUNCTION ehr.typing_distance(a text, b text) RETURNS float8
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 20
	AS 'MODULE_PATHNAME', 'ehr_typing_distance';
COMMENT ON FUNCTION ehr.typing_distance(text, text) IS 'cost of typing one Vietnamese name for another: wrong marks 1/4, keys beside the right one 1/2, swapped neighbours 3/4, other letters 1';

CREATE FUNCTION ehr.name_similarity(a text, b text) RETURNS float8
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10
	AS 'MODULE_PATHNAME', 'ehr_name_similarity';
COMMENT ON FUNCTION ehr.name_similarity(text, text) IS 'how far the words of two names are the same whatever their order, initials and slips counting less: 0 to 1';

CREATE FUNCTION ehr.compare_names(a text, b text) RETURNS text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10
	AS 'MODULE_PATHNAME', 'ehr_compare_names';
COMMENT ON FUNCTION ehr.compare_names(text, text) IS 'level of two names in the matching model (doc/identity.md); null when one is no name';

CREATE FUNCTION ehr.compare_birth_dates(a text, b text) RETURNS text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5
	AS 'MODULE_PATHNAME', 'ehr_compare_birth_dates';
COMMENT ON FUNCTION ehr.compare_birth_dates(text, text) IS 'level of two birth dates in the matching model: equal, swapped, one slip and so on; null when one is none';

CREATE FUNCTION ehr.compare_numbers(a text, b text) RETURNS text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5
	AS 'MODULE_PATHNAME', 'ehr_compare_numbers';
COMMENT ON FUNCTION ehr.compare_numbers(text, text) IS 'level of two identity numbers in the matching model; null for an old and a new one, which cannot be compared';
