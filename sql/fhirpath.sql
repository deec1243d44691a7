-- fhirpath: FHIRPath expressions as a type, parsed once, and the functions that run them.

CREATE TYPE ehr.fhirpath;

CREATE FUNCTION ehr_internal.fhirpath_in(cstring, oid, integer) RETURNS ehr.fhirpath
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'fhirpath_in';
COMMENT ON FUNCTION ehr_internal.fhirpath_in(cstring, oid, integer) IS 'I/O';

CREATE FUNCTION ehr_internal.fhirpath_out(ehr.fhirpath) RETURNS cstring
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'fhirpath_out';
COMMENT ON FUNCTION ehr_internal.fhirpath_out(ehr.fhirpath) IS 'I/O';

CREATE FUNCTION ehr_internal.fhirpath_recv(internal, oid, integer) RETURNS ehr.fhirpath
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'fhirpath_recv';
COMMENT ON FUNCTION ehr_internal.fhirpath_recv(internal, oid, integer) IS 'I/O';

CREATE FUNCTION ehr_internal.fhirpath_send(ehr.fhirpath) RETURNS bytea
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'fhirpath_send';
COMMENT ON FUNCTION ehr_internal.fhirpath_send(ehr.fhirpath) IS 'I/O';

CREATE TYPE ehr.fhirpath (
	INPUT = ehr_internal.fhirpath_in,
	OUTPUT = ehr_internal.fhirpath_out,
	RECEIVE = ehr_internal.fhirpath_recv,
	SEND = ehr_internal.fhirpath_send,
	TYPMOD_IN = ehr_internal.fhir_typmod_in,
	TYPMOD_OUT = ehr_internal.fhir_typmod_out,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = int4,
	STORAGE = extended,
	CATEGORY = 'U'
);
COMMENT ON TYPE ehr.fhirpath IS 'FHIRPath expression (N1 with the additions of R4), parsed; fhirpath(Patient) takes none that is wrong with every Patient';

CREATE FUNCTION ehr_internal.fhirpath_coerce(ehr.fhirpath, integer, boolean) RETURNS ehr.fhirpath
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'fhirpath_coerce';
COMMENT ON FUNCTION ehr_internal.fhirpath_coerce(ehr.fhirpath, integer, boolean) IS 'cast to fhirpath with a type modifier: strict mode';
CREATE CAST (ehr.fhirpath AS ehr.fhirpath) WITH FUNCTION ehr_internal.fhirpath_coerce(ehr.fhirpath, integer, boolean) AS IMPLICIT;
COMMENT ON CAST (ehr.fhirpath AS ehr.fhirpath) IS 'strict mode: to an expression for one resource type';

CREATE FUNCTION ehr.fhirpath_problem(path ehr.fhirpath, type text) RETURNS text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'fhirpath_problem';
COMMENT ON FUNCTION ehr.fhirpath_problem(ehr.fhirpath, text) IS 'strict mode: what is wrong with a FHIRPath expression for every document of a FHIR type, NULL for nothing';

CREATE FUNCTION ehr_internal.fhirpath_exists_support(internal) RETURNS internal
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'fhirpath_exists_support';
COMMENT ON FUNCTION ehr_internal.fhirpath_exists_support(internal) IS 'planner support: index condition and selectivity of a FHIRPath expression';

CREATE FUNCTION ehr_internal.fhirpath_sel(internal, oid, internal, integer) RETURNS float8
	LANGUAGE c STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'fhirpath_sel';
COMMENT ON FUNCTION ehr_internal.fhirpath_sel(internal, oid, internal, integer) IS 'restriction selectivity of the operator ?~';

-- Stable: they know the clock, terminology, profiles, other resources and the caller's variables.

CREATE FUNCTION ehr.fhirpath_query(target jsonb, path ehr.fhirpath, vars jsonb DEFAULT '{}', silent boolean DEFAULT false) RETURNS SETOF jsonb
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 5 ROWS 2
	AS 'MODULE_PATHNAME', 'fhirpath_query';
COMMENT ON FUNCTION ehr.fhirpath_query(jsonb, ehr.fhirpath, jsonb, boolean) IS 'the items that a FHIRPath expression finds in a document';

CREATE FUNCTION ehr.fhirpath_query_array(target jsonb, path ehr.fhirpath, vars jsonb DEFAULT '{}', silent boolean DEFAULT false) RETURNS jsonb
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 5
	AS 'MODULE_PATHNAME', 'fhirpath_query_array';
COMMENT ON FUNCTION ehr.fhirpath_query_array(jsonb, ehr.fhirpath, jsonb, boolean) IS 'the items that a FHIRPath expression finds, as one JSON array';

CREATE FUNCTION ehr.fhirpath_query_first(target jsonb, path ehr.fhirpath, vars jsonb DEFAULT '{}', silent boolean DEFAULT false) RETURNS jsonb
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 5
	AS 'MODULE_PATHNAME', 'fhirpath_query_first';
COMMENT ON FUNCTION ehr.fhirpath_query_first(jsonb, ehr.fhirpath, jsonb, boolean) IS 'the first item that a FHIRPath expression finds, NULL where there is none';

CREATE FUNCTION ehr.fhirpath_exists(target jsonb, path ehr.fhirpath, vars jsonb DEFAULT '{}', silent boolean DEFAULT false) RETURNS boolean
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 5 SUPPORT ehr_internal.fhirpath_exists_support
	AS 'MODULE_PATHNAME', 'fhirpath_exists_sql';
COMMENT ON FUNCTION ehr.fhirpath_exists(jsonb, ehr.fhirpath, jsonb, boolean) IS 'whether a FHIRPath expression finds any item';

CREATE FUNCTION ehr.fhirpath_match(target jsonb, path ehr.fhirpath, vars jsonb DEFAULT '{}', silent boolean DEFAULT false) RETURNS boolean
	LANGUAGE c STABLE STRICT PARALLEL SAFE COST 5
	AS 'MODULE_PATHNAME', 'fhirpath_match';
COMMENT ON FUNCTION ehr.fhirpath_match(jsonb, ehr.fhirpath, jsonb, boolean) IS 'the result of a FHIRPath expression as a criterion, NULL for the empty collection';

-- Immutable: of the document alone; NULL where the expression fails, finds nothing or several items.

CREATE FUNCTION ehr.fhirpath_text(target jsonb, path ehr.fhirpath) RETURNS text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5
	AS 'MODULE_PATHNAME', 'fhirpath_text';
COMMENT ON FUNCTION ehr.fhirpath_text(jsonb, ehr.fhirpath) IS 'the one item that a FHIRPath expression finds, as text; for indexes';

CREATE FUNCTION ehr.fhirpath_numeric(target jsonb, path ehr.fhirpath) RETURNS numeric
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5
	AS 'MODULE_PATHNAME', 'fhirpath_numeric';
COMMENT ON FUNCTION ehr.fhirpath_numeric(jsonb, ehr.fhirpath) IS 'the one number that a FHIRPath expression finds, or that of a Quantity; for indexes';

CREATE FUNCTION ehr.fhirpath_boolean(target jsonb, path ehr.fhirpath) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5
	AS 'MODULE_PATHNAME', 'fhirpath_boolean';
COMMENT ON FUNCTION ehr.fhirpath_boolean(jsonb, ehr.fhirpath) IS 'the result of a FHIRPath expression as a criterion; for indexes';

CREATE FUNCTION ehr.fhirpath_date(target jsonb, path ehr.fhirpath) RETURNS date
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5
	AS 'MODULE_PATHNAME', 'fhirpath_date';
COMMENT ON FUNCTION ehr.fhirpath_date(jsonb, ehr.fhirpath) IS 'the day of the one date that a FHIRPath expression finds, NULL for a year or month alone; for indexes';

CREATE FUNCTION ehr.fhirpath_timestamptz(target jsonb, path ehr.fhirpath) RETURNS timestamptz
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5
	AS 'MODULE_PATHNAME', 'fhirpath_timestamptz';
COMMENT ON FUNCTION ehr.fhirpath_timestamptz(jsonb, ehr.fhirpath) IS 'the first instant of the one date that a FHIRPath expression finds, in UTC where it has no zone; for indexes';

CREATE FUNCTION ehr_internal.fhirpath_exists_operator(jsonb, ehr.fhirpath) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5 SUPPORT ehr_internal.fhirpath_exists_support
	AS 'MODULE_PATHNAME', 'fhirpath_exists_operator';
COMMENT ON FUNCTION ehr_internal.fhirpath_exists_operator(jsonb, ehr.fhirpath) IS 'implementation of the operator ?~';

CREATE OPERATOR ehr.?~ (
	FUNCTION = ehr_internal.fhirpath_exists_operator,
	LEFTARG = jsonb,
	RIGHTARG = ehr.fhirpath,
	RESTRICT = ehr_internal.fhirpath_sel,
	JOIN = contjoinsel
);
COMMENT ON OPERATOR ehr.?~ (jsonb, ehr.fhirpath) IS 'whether a FHIRPath expression finds any item in the document';
