-- fhir: the type of a FHIR R4 resource, stored as jsonb, validated on the way in.

CREATE TYPE ehr.fhir;

CREATE FUNCTION ehr_internal.fhir_in(cstring, oid, integer) RETURNS ehr.fhir
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100
	AS 'MODULE_PATHNAME', 'fhir_in';
COMMENT ON FUNCTION ehr_internal.fhir_in(cstring, oid, integer) IS 'I/O';

CREATE FUNCTION ehr_internal.fhir_out(ehr.fhir) RETURNS cstring
	LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE COST 10
	AS 'jsonb_out';
COMMENT ON FUNCTION ehr_internal.fhir_out(ehr.fhir) IS 'I/O';

CREATE FUNCTION ehr_internal.fhir_recv(internal, oid, integer) RETURNS ehr.fhir
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 100
	AS 'MODULE_PATHNAME', 'fhir_recv';
COMMENT ON FUNCTION ehr_internal.fhir_recv(internal, oid, integer) IS 'I/O';

CREATE FUNCTION ehr_internal.fhir_send(ehr.fhir) RETURNS bytea
	LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE COST 10
	AS 'jsonb_send';
COMMENT ON FUNCTION ehr_internal.fhir_send(ehr.fhir) IS 'I/O';

CREATE FUNCTION ehr_internal.fhir_typmod_in(cstring[]) RETURNS integer
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'fhir_typmod_in';
COMMENT ON FUNCTION ehr_internal.fhir_typmod_in(cstring[]) IS 'I/O of the type modifier';

CREATE FUNCTION ehr_internal.fhir_typmod_out(integer) RETURNS cstring
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'fhir_typmod_out';
COMMENT ON FUNCTION ehr_internal.fhir_typmod_out(integer) IS 'I/O of the type modifier';

CREATE FUNCTION ehr_internal.fhir_typanalyze(internal) RETURNS boolean
	LANGUAGE c STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'fhir_typanalyze';
COMMENT ON FUNCTION ehr_internal.fhir_typanalyze(internal) IS 'statistics of a fhir column: share of NULLs and width, no value';

CREATE FUNCTION ehr_internal.fhir_subscript_handler(internal) RETURNS internal
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'fhir_subscript_handler';
COMMENT ON FUNCTION ehr_internal.fhir_subscript_handler(internal) IS 'jsonb subscripting with every assignment validated';

CREATE TYPE ehr.fhir (
	INPUT = ehr_internal.fhir_in,
	OUTPUT = ehr_internal.fhir_out,
	RECEIVE = ehr_internal.fhir_recv,
	SEND = ehr_internal.fhir_send,
	TYPMOD_IN = ehr_internal.fhir_typmod_in,
	TYPMOD_OUT = ehr_internal.fhir_typmod_out,
	ANALYZE = ehr_internal.fhir_typanalyze,
	SUBSCRIPT = ehr_internal.fhir_subscript_handler,
	LIKE = jsonb,
	CATEGORY = 'U'
);
COMMENT ON TYPE ehr.fhir IS 'FHIR R4 resource: a jsonb that is structurally valid; fhir(Patient) holds Patients only';
UPDATE pg_catalog.pg_type SET typanalyze = 'ehr_internal.fhir_typanalyze'::pg_catalog.regproc WHERE oid = 'ehr.fhir[]'::pg_catalog.regtype;

-- Casts. A fhir is a jsonb wherever one is asked for; a jsonb becomes a fhir by assignment and is validated.

CREATE FUNCTION ehr_internal.fhir_coerce(ehr.fhir, integer, boolean) RETURNS ehr.fhir
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2
	AS 'MODULE_PATHNAME', 'fhir_coerce';
COMMENT ON FUNCTION ehr_internal.fhir_coerce(ehr.fhir, integer, boolean) IS 'cast to fhir(T): checks the resource type';

CREATE FUNCTION ehr_internal.fhir_from_jsonb(jsonb, integer, boolean) RETURNS ehr.fhir
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 50
	AS 'MODULE_PATHNAME', 'fhir_from_jsonb';
COMMENT ON FUNCTION ehr_internal.fhir_from_jsonb(jsonb, integer, boolean) IS 'cast: validates';

CREATE FUNCTION ehr_internal.fhir_to_json(ehr.fhir) RETURNS json
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10
	AS 'MODULE_PATHNAME', 'fhir_to_json';
COMMENT ON FUNCTION ehr_internal.fhir_to_json(ehr.fhir) IS 'cast; lets to_jsonb(row) and json_agg nest the document';

CREATE CAST (ehr.fhir AS jsonb) WITHOUT FUNCTION AS IMPLICIT;
CREATE CAST (jsonb AS ehr.fhir) WITH FUNCTION ehr_internal.fhir_from_jsonb(jsonb, integer, boolean) AS ASSIGNMENT;
CREATE CAST (ehr.fhir AS ehr.fhir) WITH FUNCTION ehr_internal.fhir_coerce(ehr.fhir, integer, boolean) AS IMPLICIT;
CREATE CAST (ehr.fhir AS json) WITH FUNCTION ehr_internal.fhir_to_json(ehr.fhir) AS ASSIGNMENT;

-- What a document is

CREATE FUNCTION ehr.resource_type(ehr.fhir) RETURNS text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'fhir_resource_type';
COMMENT ON FUNCTION ehr.resource_type(ehr.fhir) IS 'resource type of a document';

CREATE FUNCTION ehr.resource_id(ehr.fhir) RETURNS text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'fhir_resource_id';
COMMENT ON FUNCTION ehr.resource_id(ehr.fhir) IS 'logical id of a document, NULL where it has none';

CREATE FUNCTION ehr_internal.type_number(text) RETURNS int2
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'fhir_number_of_type';
COMMENT ON FUNCTION ehr_internal.type_number(text) IS 'frozen number of a FHIR resource type (Account 1 ... VisionPrescription 148), NULL for other names';

CREATE FUNCTION ehr_internal.type_name(int2) RETURNS text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'fhir_name_of_type';
COMMENT ON FUNCTION ehr_internal.type_name(int2) IS 'FHIR resource type of a frozen number, NULL for other numbers';

CREATE FUNCTION ehr.is_valid(jsonb) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 50
	AS 'MODULE_PATHNAME', 'fhir_is_valid';
COMMENT ON FUNCTION ehr.is_valid(jsonb) IS 'whether a document is a structurally valid FHIR R4 resource';
