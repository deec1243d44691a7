-- types: units of measure (UCUM)

CREATE FUNCTION ehr.ucum_valid(unit text) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_ucum_valid';
COMMENT ON FUNCTION ehr.ucum_valid(text) IS 'whether a text is a unit of UCUM (case sensitive), as mg/dL or mm[Hg]';

CREATE FUNCTION ehr.convert_quantity(value numeric, from_unit text, to_unit text) RETURNS numeric
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 3
	AS 'MODULE_PATHNAME', 'ehr_convert_quantity';
COMMENT ON FUNCTION ehr.convert_quantity(numeric, text, text) IS 'a quantity in another unit of UCUM: exact where the answer is a decimal, else with 34 digits';
