---------------------------------------------------------------------------------------------------
-- types: citizen_id, insurance_no, icd10, Vietnamese text (doc/types.md)
---------------------------------------------------------------------------------------------------

CREATE FUNCTION ehr_internal.private_typanalyze(internal) RETURNS bool
	LANGUAGE c STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_private_typanalyze';
COMMENT ON FUNCTION ehr_internal.private_typanalyze(internal) IS 'statistics without values, for types whose values name persons';

-- citizen_id: the number as an int8, with the comparison, hash and sort support of bigint

CREATE TYPE ehr.citizen_id;

CREATE FUNCTION ehr_internal.citizen_id_in(cstring) RETURNS ehr.citizen_id
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_citizen_id_in';
COMMENT ON FUNCTION ehr_internal.citizen_id_in(cstring) IS 'I/O';

CREATE FUNCTION ehr_internal.citizen_id_out(ehr.citizen_id) RETURNS cstring
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_citizen_id_out';
COMMENT ON FUNCTION ehr_internal.citizen_id_out(ehr.citizen_id) IS 'I/O';

CREATE FUNCTION ehr_internal.citizen_id_recv(internal) RETURNS ehr.citizen_id
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_citizen_id_recv';
COMMENT ON FUNCTION ehr_internal.citizen_id_recv(internal) IS 'I/O';

CREATE FUNCTION ehr_internal.citizen_id_send(ehr.citizen_id) RETURNS bytea
	LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE
	AS 'int8send';
COMMENT ON FUNCTION ehr_internal.citizen_id_send(ehr.citizen_id) IS 'I/O';

CREATE TYPE ehr.citizen_id (
	INPUT = ehr_internal.citizen_id_in,
	OUTPUT = ehr_internal.citizen_id_out,
	RECEIVE = ehr_internal.citizen_id_recv,
	SEND = ehr_internal.citizen_id_send,
	ANALYZE = ehr_internal.private_typanalyze,
	LIKE = int8,
	CATEGORY = 'U'
);
COMMENT ON TYPE ehr.citizen_id IS '12-digit personal number (CCCD)';
-- The array type that CREATE TYPE makes with it would keep elements; ALTER TYPE does not reach it.
UPDATE pg_catalog.pg_type SET typanalyze = 'ehr_internal.private_typanalyze'::pg_catalog.regproc WHERE oid = 'ehr.citizen_id[]'::pg_catalog.regtype;

CREATE FUNCTION ehr_internal.citizen_id_eq(ehr.citizen_id, ehr.citizen_id) RETURNS bool
	LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'int8eq';
COMMENT ON FUNCTION ehr_internal.citizen_id_eq(ehr.citizen_id, ehr.citizen_id) IS 'implementation of = operator';

CREATE FUNCTION ehr_internal.citizen_id_ne(ehr.citizen_id, ehr.citizen_id) RETURNS bool
	LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'int8ne';
COMMENT ON FUNCTION ehr_internal.citizen_id_ne(ehr.citizen_id, ehr.citizen_id) IS 'implementation of <> operator';

CREATE FUNCTION ehr_internal.citizen_id_lt(ehr.citizen_id, ehr.citizen_id) RETURNS bool
	LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'int8lt';
COMMENT ON FUNCTION ehr_internal.citizen_id_lt(ehr.citizen_id, ehr.citizen_id) IS 'implementation of < operator';

CREATE FUNCTION ehr_internal.citizen_id_le(ehr.citizen_id, ehr.citizen_id) RETURNS bool
	LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'int8le';
COMMENT ON FUNCTION ehr_internal.citizen_id_le(ehr.citizen_id, ehr.citizen_id) IS 'implementation of <= operator';

CREATE FUNCTION ehr_internal.citizen_id_gt(ehr.citizen_id, ehr.citizen_id) RETURNS bool
	LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'int8gt';
COMMENT ON FUNCTION ehr_internal.citizen_id_gt(ehr.citizen_id, ehr.citizen_id) IS 'implementation of > operator';

CREATE FUNCTION ehr_internal.citizen_id_ge(ehr.citizen_id, ehr.citizen_id) RETURNS bool
	LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'int8ge';
COMMENT ON FUNCTION ehr_internal.citizen_id_ge(ehr.citizen_id, ehr.citizen_id) IS 'implementation of >= operator';

CREATE OPERATOR ehr.= (
	FUNCTION = ehr_internal.citizen_id_eq, LEFTARG = ehr.citizen_id, RIGHTARG = ehr.citizen_id,
	COMMUTATOR = OPERATOR(ehr.=), NEGATOR = OPERATOR(ehr.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES
);
COMMENT ON OPERATOR ehr.= (ehr.citizen_id, ehr.citizen_id) IS 'equal';

CREATE OPERATOR ehr.<> (
	FUNCTION = ehr_internal.citizen_id_ne, LEFTARG = ehr.citizen_id, RIGHTARG = ehr.citizen_id,
	COMMUTATOR = OPERATOR(ehr.<>), NEGATOR = OPERATOR(ehr.=), RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR ehr.<> (ehr.citizen_id, ehr.citizen_id) IS 'not equal';

CREATE OPERATOR ehr.< (
	FUNCTION = ehr_internal.citizen_id_lt, LEFTARG = ehr.citizen_id, RIGHTARG = ehr.citizen_id,
	COMMUTATOR = OPERATOR(ehr.>), NEGATOR = OPERATOR(ehr.>=), RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR ehr.< (ehr.citizen_id, ehr.citizen_id) IS 'less than';

CREATE OPERATOR ehr.<= (
	FUNCTION = ehr_internal.citizen_id_le, LEFTARG = ehr.citizen_id, RIGHTARG = ehr.citizen_id,
	COMMUTATOR = OPERATOR(ehr.>=), NEGATOR = OPERATOR(ehr.>), RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR ehr.<= (ehr.citizen_id, ehr.citizen_id) IS 'less than or equal';

CREATE OPERATOR ehr.> (
	FUNCTION = ehr_internal.citizen_id_gt, LEFTARG = ehr.citizen_id, RIGHTARG = ehr.citizen_id,
	COMMUTATOR = OPERATOR(ehr.<), NEGATOR = OPERATOR(ehr.<=), RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR ehr.> (ehr.citizen_id, ehr.citizen_id) IS 'greater than';

CREATE OPERATOR ehr.>= (
	FUNCTION = ehr_internal.citizen_id_ge, LEFTARG = ehr.citizen_id, RIGHTARG = ehr.citizen_id,
	COMMUTATOR = OPERATOR(ehr.<=), NEGATOR = OPERATOR(ehr.<), RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR ehr.>= (ehr.citizen_id, ehr.citizen_id) IS 'greater than or equal';

CREATE FUNCTION ehr_internal.citizen_id_cmp(ehr.citizen_id, ehr.citizen_id) RETURNS int
	LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'btint8cmp';
COMMENT ON FUNCTION ehr_internal.citizen_id_cmp(ehr.citizen_id, ehr.citizen_id) IS 'less-equal-greater';

CREATE FUNCTION ehr_internal.citizen_id_sortsupport(internal) RETURNS void
	LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE
	AS 'btint8sortsupport';
COMMENT ON FUNCTION ehr_internal.citizen_id_sortsupport(internal) IS 'sort support';

CREATE FUNCTION ehr_internal.citizen_id_hash(ehr.citizen_id) RETURNS int
	LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'hashint8';
COMMENT ON FUNCTION ehr_internal.citizen_id_hash(ehr.citizen_id) IS 'hash';

CREATE FUNCTION ehr_internal.citizen_id_hash_extended(ehr.citizen_id, bigint) RETURNS bigint
	LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'hashint8extended';
COMMENT ON FUNCTION ehr_internal.citizen_id_hash_extended(ehr.citizen_id, bigint) IS 'hash';

CREATE OPERATOR CLASS ehr.citizen_id_ops DEFAULT FOR TYPE ehr.citizen_id USING btree AS
	OPERATOR 1 ehr.<,
	OPERATOR 2 ehr.<=,
	OPERATOR 3 ehr.=,
	OPERATOR 4 ehr.>=,
	OPERATOR 5 ehr.>,
	FUNCTION 1 ehr_internal.citizen_id_cmp(ehr.citizen_id, ehr.citizen_id),
	FUNCTION 2 ehr_internal.citizen_id_sortsupport(internal),
	FUNCTION 4 btequalimage(oid);
COMMENT ON OPERATOR CLASS ehr.citizen_id_ops USING btree IS 'order of the number';

CREATE OPERATOR CLASS ehr.citizen_id_ops DEFAULT FOR TYPE ehr.citizen_id USING hash AS
	OPERATOR 1 ehr.=,
	FUNCTION 1 ehr_internal.citizen_id_hash(ehr.citizen_id),
	FUNCTION 2 ehr_internal.citizen_id_hash_extended(ehr.citizen_id, bigint);
COMMENT ON OPERATOR CLASS ehr.citizen_id_ops USING hash IS 'equality';

CREATE OPERATOR CLASS ehr.citizen_id_minmax_ops DEFAULT FOR TYPE ehr.citizen_id USING brin AS
	OPERATOR 1 ehr.<,
	OPERATOR 2 ehr.<=,
	OPERATOR 3 ehr.=,
	OPERATOR 4 ehr.>=,
	OPERATOR 5 ehr.>,
	FUNCTION 1 brin_minmax_opcinfo(internal),
	FUNCTION 2 brin_minmax_add_value(internal, internal, internal, internal),
	FUNCTION 3 brin_minmax_consistent(internal, internal, internal),
	FUNCTION 4 brin_minmax_union(internal, internal, internal);
COMMENT ON OPERATOR CLASS ehr.citizen_id_minmax_ops USING brin IS 'smallest and largest value of a range of pages';

CREATE FUNCTION ehr.citizen_id_problems(number text, as_of date DEFAULT current_date) RETURNS text[]
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2
	AS 'MODULE_PATHNAME', 'ehr_citizen_id_problems';
COMMENT ON FUNCTION ehr.citizen_id_problems(text, date) IS 'what is wrong with a citizen ID, seen on a day; empty when nothing is';

CREATE FUNCTION ehr.province_code(id ehr.citizen_id) RETURNS text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_citizen_id_province_code';
COMMENT ON FUNCTION ehr.province_code(ehr.citizen_id) IS 'first three digits: province or country where the birth was registered';

CREATE FUNCTION ehr.province_name(id ehr.citizen_id, as_of date DEFAULT NULL) RETURNS text
	LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_citizen_id_province_name';
COMMENT ON FUNCTION ehr.province_name(ehr.citizen_id, date) IS 'province where the birth was registered, by its name on a day, or by the name that went with the number; null when it is none';

CREATE FUNCTION ehr.sex(id ehr.citizen_id) RETURNS text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_citizen_id_sex';
COMMENT ON FUNCTION ehr.sex(ehr.citizen_id) IS 'male or female, from the fourth digit';

CREATE FUNCTION ehr.birth_year(id ehr.citizen_id) RETURNS int
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_citizen_id_birth_year';
COMMENT ON FUNCTION ehr.birth_year(ehr.citizen_id) IS 'birth year, from the fourth to sixth digit';

CREATE FUNCTION ehr.agrees_with(id ehr.citizen_id, sex text, birth date) RETURNS bool
	LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_citizen_id_agrees_with';
COMMENT ON FUNCTION ehr.agrees_with(ehr.citizen_id, text, date) IS 'whether sex and birth year in the number are the given ones; null is not known and agrees';

-- insurance_no: card (15 characters), number (10 digits) or citizen form (12 digits); drawn in src/core/insurance_no.h

CREATE TYPE ehr.insurance_no;

CREATE FUNCTION ehr_internal.insurance_no_in(cstring) RETURNS ehr.insurance_no
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_insurance_no_in';
COMMENT ON FUNCTION ehr_internal.insurance_no_in(cstring) IS 'I/O';

CREATE FUNCTION ehr_internal.insurance_no_out(ehr.insurance_no) RETURNS cstring
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_insurance_no_out';
COMMENT ON FUNCTION ehr_internal.insurance_no_out(ehr.insurance_no) IS 'I/O';

CREATE FUNCTION ehr_internal.insurance_no_recv(internal) RETURNS ehr.insurance_no
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_insurance_no_recv';
COMMENT ON FUNCTION ehr_internal.insurance_no_recv(internal) IS 'I/O';

CREATE FUNCTION ehr_internal.insurance_no_send(ehr.insurance_no) RETURNS bytea
	LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE
	AS 'int8send';
COMMENT ON FUNCTION ehr_internal.insurance_no_send(ehr.insurance_no) IS 'I/O';

CREATE TYPE ehr.insurance_no (
	INPUT = ehr_internal.insurance_no_in,
	OUTPUT = ehr_internal.insurance_no_out,
	RECEIVE = ehr_internal.insurance_no_recv,
	SEND = ehr_internal.insurance_no_send,
	ANALYZE = ehr_internal.private_typanalyze,
	LIKE = int8,
	CATEGORY = 'U'
);
COMMENT ON TYPE ehr.insurance_no IS 'health insurance number: 15-character card, 10 digits, or 12 digits; card and 10 digits are equal when the last ten digits are';
UPDATE pg_catalog.pg_type SET typanalyze = 'ehr_internal.private_typanalyze'::pg_catalog.regproc WHERE oid = 'ehr.insurance_no[]'::pg_catalog.regtype;

CREATE FUNCTION ehr_internal.insurance_no_eq(ehr.insurance_no, ehr.insurance_no) RETURNS bool
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'MODULE_PATHNAME', 'ehr_insurance_no_eq';
COMMENT ON FUNCTION ehr_internal.insurance_no_eq(ehr.insurance_no, ehr.insurance_no) IS 'implementation of = operator';

CREATE FUNCTION ehr_internal.insurance_no_ne(ehr.insurance_no, ehr.insurance_no) RETURNS bool
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'MODULE_PATHNAME', 'ehr_insurance_no_ne';
COMMENT ON FUNCTION ehr_internal.insurance_no_ne(ehr.insurance_no, ehr.insurance_no) IS 'implementation of <> operator';

CREATE FUNCTION ehr_internal.insurance_no_lt(ehr.insurance_no, ehr.insurance_no) RETURNS bool
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'MODULE_PATHNAME', 'ehr_insurance_no_lt';
COMMENT ON FUNCTION ehr_internal.insurance_no_lt(ehr.insurance_no, ehr.insurance_no) IS 'implementation of < operator';

CREATE FUNCTION ehr_internal.insurance_no_le(ehr.insurance_no, ehr.insurance_no) RETURNS bool
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'MODULE_PATHNAME', 'ehr_insurance_no_le';
COMMENT ON FUNCTION ehr_internal.insurance_no_le(ehr.insurance_no, ehr.insurance_no) IS 'implementation of <= operator';

CREATE FUNCTION ehr_internal.insurance_no_gt(ehr.insurance_no, ehr.insurance_no) RETURNS bool
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'MODULE_PATHNAME', 'ehr_insurance_no_gt';
COMMENT ON FUNCTION ehr_internal.insurance_no_gt(ehr.insurance_no, ehr.insurance_no) IS 'implementation of > operator';

CREATE FUNCTION ehr_internal.insurance_no_ge(ehr.insurance_no, ehr.insurance_no) RETURNS bool
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'MODULE_PATHNAME', 'ehr_insurance_no_ge';
COMMENT ON FUNCTION ehr_internal.insurance_no_ge(ehr.insurance_no, ehr.insurance_no) IS 'implementation of >= operator';

CREATE OPERATOR ehr.= (
	FUNCTION = ehr_internal.insurance_no_eq, LEFTARG = ehr.insurance_no, RIGHTARG = ehr.insurance_no,
	COMMUTATOR = OPERATOR(ehr.=), NEGATOR = OPERATOR(ehr.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES
);
COMMENT ON OPERATOR ehr.= (ehr.insurance_no, ehr.insurance_no) IS 'equal';

CREATE OPERATOR ehr.<> (
	FUNCTION = ehr_internal.insurance_no_ne, LEFTARG = ehr.insurance_no, RIGHTARG = ehr.insurance_no,
	COMMUTATOR = OPERATOR(ehr.<>), NEGATOR = OPERATOR(ehr.=), RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR ehr.<> (ehr.insurance_no, ehr.insurance_no) IS 'not equal';

CREATE OPERATOR ehr.< (
	FUNCTION = ehr_internal.insurance_no_lt, LEFTARG = ehr.insurance_no, RIGHTARG = ehr.insurance_no,
	COMMUTATOR = OPERATOR(ehr.>), NEGATOR = OPERATOR(ehr.>=), RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR ehr.< (ehr.insurance_no, ehr.insurance_no) IS 'less than';

CREATE OPERATOR ehr.<= (
	FUNCTION = ehr_internal.insurance_no_le, LEFTARG = ehr.insurance_no, RIGHTARG = ehr.insurance_no,
	COMMUTATOR = OPERATOR(ehr.>=), NEGATOR = OPERATOR(ehr.>), RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR ehr.<= (ehr.insurance_no, ehr.insurance_no) IS 'less than or equal';

CREATE OPERATOR ehr.> (
	FUNCTION = ehr_internal.insurance_no_gt, LEFTARG = ehr.insurance_no, RIGHTARG = ehr.insurance_no,
	COMMUTATOR = OPERATOR(ehr.<), NEGATOR = OPERATOR(ehr.<=), RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR ehr.> (ehr.insurance_no, ehr.insurance_no) IS 'greater than';

CREATE OPERATOR ehr.>= (
	FUNCTION = ehr_internal.insurance_no_ge, LEFTARG = ehr.insurance_no, RIGHTARG = ehr.insurance_no,
	COMMUTATOR = OPERATOR(ehr.<=), NEGATOR = OPERATOR(ehr.<), RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR ehr.>= (ehr.insurance_no, ehr.insurance_no) IS 'greater than or equal';

CREATE FUNCTION ehr_internal.insurance_no_cmp(ehr.insurance_no, ehr.insurance_no) RETURNS int
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'MODULE_PATHNAME', 'ehr_insurance_no_cmp';
COMMENT ON FUNCTION ehr_internal.insurance_no_cmp(ehr.insurance_no, ehr.insurance_no) IS 'less-equal-greater';

CREATE FUNCTION ehr_internal.insurance_no_sortsupport(internal) RETURNS void
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_insurance_no_sortsupport';
COMMENT ON FUNCTION ehr_internal.insurance_no_sortsupport(internal) IS 'sort support';

CREATE FUNCTION ehr_internal.insurance_no_hash(ehr.insurance_no) RETURNS int
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'MODULE_PATHNAME', 'ehr_insurance_no_hash';
COMMENT ON FUNCTION ehr_internal.insurance_no_hash(ehr.insurance_no) IS 'hash';

CREATE FUNCTION ehr_internal.insurance_no_hash_extended(ehr.insurance_no, bigint) RETURNS bigint
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'MODULE_PATHNAME', 'ehr_insurance_no_hash_extended';
COMMENT ON FUNCTION ehr_internal.insurance_no_hash_extended(ehr.insurance_no, bigint) IS 'hash';

CREATE OPERATOR CLASS ehr.insurance_no_ops DEFAULT FOR TYPE ehr.insurance_no USING btree AS
	OPERATOR 1 ehr.<,
	OPERATOR 2 ehr.<=,
	OPERATOR 3 ehr.=,
	OPERATOR 4 ehr.>=,
	OPERATOR 5 ehr.>,
	FUNCTION 1 ehr_internal.insurance_no_cmp(ehr.insurance_no, ehr.insurance_no),
	FUNCTION 2 ehr_internal.insurance_no_sortsupport(internal);
COMMENT ON OPERATOR CLASS ehr.insurance_no_ops USING btree IS 'order of the insurance number, whatever is before it';

CREATE OPERATOR CLASS ehr.insurance_no_ops DEFAULT FOR TYPE ehr.insurance_no USING hash AS
	OPERATOR 1 ehr.=,
	FUNCTION 1 ehr_internal.insurance_no_hash(ehr.insurance_no),
	FUNCTION 2 ehr_internal.insurance_no_hash_extended(ehr.insurance_no, bigint);
COMMENT ON OPERATOR CLASS ehr.insurance_no_ops USING hash IS 'equality';

CREATE OPERATOR CLASS ehr.insurance_no_minmax_ops DEFAULT FOR TYPE ehr.insurance_no USING brin AS
	OPERATOR 1 ehr.<,
	OPERATOR 2 ehr.<=,
	OPERATOR 3 ehr.=,
	OPERATOR 4 ehr.>=,
	OPERATOR 5 ehr.>,
	FUNCTION 1 brin_minmax_opcinfo(internal),
	FUNCTION 2 brin_minmax_add_value(internal, internal, internal, internal),
	FUNCTION 3 brin_minmax_consistent(internal, internal, internal),
	FUNCTION 4 brin_minmax_union(internal, internal, internal);
COMMENT ON OPERATOR CLASS ehr.insurance_no_minmax_ops USING brin IS 'smallest and largest value of a range of pages';

CREATE FUNCTION ehr.same_card(a ehr.insurance_no, b ehr.insurance_no) RETURNS bool
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_insurance_no_same_card';
COMMENT ON FUNCTION ehr.same_card(ehr.insurance_no, ehr.insurance_no) IS 'whether two numbers are the same in every character';

CREATE FUNCTION ehr.identifies_person(number ehr.insurance_no) RETURNS bool
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_insurance_no_identifies_person';
COMMENT ON FUNCTION ehr.identifies_person(ehr.insurance_no) IS 'whether the number says who somebody is: not for temporary cards of newborns (TE1...) and zeros';

CREATE FUNCTION ehr_internal.insurance_no_citizen_id(ehr.insurance_no) RETURNS ehr.citizen_id
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_insurance_no_citizen_id';
COMMENT ON FUNCTION ehr_internal.insurance_no_citizen_id(ehr.insurance_no) IS 'cast: citizen ID of the 12-digit form, null for the other forms';

CREATE CAST (ehr.insurance_no AS ehr.citizen_id) WITH FUNCTION ehr_internal.insurance_no_citizen_id(ehr.insurance_no);
COMMENT ON CAST (ehr.insurance_no AS ehr.citizen_id) IS 'the 12-digit form''s citizen ID; null for a card or a 10-digit number';

-- icd10: the characters from the highest byte on, with the comparison, hash and sort support of bigint

CREATE TYPE ehr.icd10;

CREATE FUNCTION ehr_internal.icd10_in(cstring) RETURNS ehr.icd10
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_icd10_in';
COMMENT ON FUNCTION ehr_internal.icd10_in(cstring) IS 'I/O';

CREATE FUNCTION ehr_internal.icd10_out(ehr.icd10) RETURNS cstring
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_icd10_out';
COMMENT ON FUNCTION ehr_internal.icd10_out(ehr.icd10) IS 'I/O';

CREATE FUNCTION ehr_internal.icd10_recv(internal) RETURNS ehr.icd10
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_icd10_recv';
COMMENT ON FUNCTION ehr_internal.icd10_recv(internal) IS 'I/O';

CREATE FUNCTION ehr_internal.icd10_send(ehr.icd10) RETURNS bytea
	LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE
	AS 'int8send';
COMMENT ON FUNCTION ehr_internal.icd10_send(ehr.icd10) IS 'I/O';

CREATE TYPE ehr.icd10 (
	INPUT = ehr_internal.icd10_in,
	OUTPUT = ehr_internal.icd10_out,
	RECEIVE = ehr_internal.icd10_recv,
	SEND = ehr_internal.icd10_send,
	LIKE = int8,
	CATEGORY = 'U'
);
COMMENT ON TYPE ehr.icd10 IS 'ICD-10 code; E11 < E11.0 < E11.9 < E12';

CREATE FUNCTION ehr_internal.icd10_eq(ehr.icd10, ehr.icd10) RETURNS bool
	LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'int8eq';
COMMENT ON FUNCTION ehr_internal.icd10_eq(ehr.icd10, ehr.icd10) IS 'implementation of = operator';

CREATE FUNCTION ehr_internal.icd10_ne(ehr.icd10, ehr.icd10) RETURNS bool
	LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'int8ne';
COMMENT ON FUNCTION ehr_internal.icd10_ne(ehr.icd10, ehr.icd10) IS 'implementation of <> operator';

CREATE FUNCTION ehr_internal.icd10_lt(ehr.icd10, ehr.icd10) RETURNS bool
	LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'int8lt';
COMMENT ON FUNCTION ehr_internal.icd10_lt(ehr.icd10, ehr.icd10) IS 'implementation of < operator';

CREATE FUNCTION ehr_internal.icd10_le(ehr.icd10, ehr.icd10) RETURNS bool
	LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'int8le';
COMMENT ON FUNCTION ehr_internal.icd10_le(ehr.icd10, ehr.icd10) IS 'implementation of <= operator';

CREATE FUNCTION ehr_internal.icd10_gt(ehr.icd10, ehr.icd10) RETURNS bool
	LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'int8gt';
COMMENT ON FUNCTION ehr_internal.icd10_gt(ehr.icd10, ehr.icd10) IS 'implementation of > operator';

CREATE FUNCTION ehr_internal.icd10_ge(ehr.icd10, ehr.icd10) RETURNS bool
	LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'int8ge';
COMMENT ON FUNCTION ehr_internal.icd10_ge(ehr.icd10, ehr.icd10) IS 'implementation of >= operator';

CREATE OPERATOR ehr.= (
	FUNCTION = ehr_internal.icd10_eq, LEFTARG = ehr.icd10, RIGHTARG = ehr.icd10,
	COMMUTATOR = OPERATOR(ehr.=), NEGATOR = OPERATOR(ehr.<>), RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES
);
COMMENT ON OPERATOR ehr.= (ehr.icd10, ehr.icd10) IS 'equal';

CREATE OPERATOR ehr.<> (
	FUNCTION = ehr_internal.icd10_ne, LEFTARG = ehr.icd10, RIGHTARG = ehr.icd10,
	COMMUTATOR = OPERATOR(ehr.<>), NEGATOR = OPERATOR(ehr.=), RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR ehr.<> (ehr.icd10, ehr.icd10) IS 'not equal';

CREATE OPERATOR ehr.< (
	FUNCTION = ehr_internal.icd10_lt, LEFTARG = ehr.icd10, RIGHTARG = ehr.icd10,
	COMMUTATOR = OPERATOR(ehr.>), NEGATOR = OPERATOR(ehr.>=), RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR ehr.< (ehr.icd10, ehr.icd10) IS 'less than';

CREATE OPERATOR ehr.<= (
	FUNCTION = ehr_internal.icd10_le, LEFTARG = ehr.icd10, RIGHTARG = ehr.icd10,
	COMMUTATOR = OPERATOR(ehr.>=), NEGATOR = OPERATOR(ehr.>), RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR ehr.<= (ehr.icd10, ehr.icd10) IS 'less than or equal';

CREATE OPERATOR ehr.> (
	FUNCTION = ehr_internal.icd10_gt, LEFTARG = ehr.icd10, RIGHTARG = ehr.icd10,
	COMMUTATOR = OPERATOR(ehr.<), NEGATOR = OPERATOR(ehr.<=), RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR ehr.> (ehr.icd10, ehr.icd10) IS 'greater than';

CREATE OPERATOR ehr.>= (
	FUNCTION = ehr_internal.icd10_ge, LEFTARG = ehr.icd10, RIGHTARG = ehr.icd10,
	COMMUTATOR = OPERATOR(ehr.<=), NEGATOR = OPERATOR(ehr.<), RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR ehr.>= (ehr.icd10, ehr.icd10) IS 'greater than or equal';

CREATE FUNCTION ehr_internal.icd10_cmp(ehr.icd10, ehr.icd10) RETURNS int
	LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'btint8cmp';
COMMENT ON FUNCTION ehr_internal.icd10_cmp(ehr.icd10, ehr.icd10) IS 'less-equal-greater';

CREATE FUNCTION ehr_internal.icd10_sortsupport(internal) RETURNS void
	LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE
	AS 'btint8sortsupport';
COMMENT ON FUNCTION ehr_internal.icd10_sortsupport(internal) IS 'sort support';

CREATE FUNCTION ehr_internal.icd10_hash(ehr.icd10) RETURNS int
	LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'hashint8';
COMMENT ON FUNCTION ehr_internal.icd10_hash(ehr.icd10) IS 'hash';

CREATE FUNCTION ehr_internal.icd10_hash_extended(ehr.icd10, bigint) RETURNS bigint
	LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'hashint8extended';
COMMENT ON FUNCTION ehr_internal.icd10_hash_extended(ehr.icd10, bigint) IS 'hash';

CREATE OPERATOR CLASS ehr.icd10_ops DEFAULT FOR TYPE ehr.icd10 USING btree AS
	OPERATOR 1 ehr.<,
	OPERATOR 2 ehr.<=,
	OPERATOR 3 ehr.=,
	OPERATOR 4 ehr.>=,
	OPERATOR 5 ehr.>,
	FUNCTION 1 ehr_internal.icd10_cmp(ehr.icd10, ehr.icd10),
	FUNCTION 2 ehr_internal.icd10_sortsupport(internal),
	FUNCTION 4 btequalimage(oid);
COMMENT ON OPERATOR CLASS ehr.icd10_ops USING btree IS 'order of the book: E11 < E11.0 < E11.9 < E12';

CREATE OPERATOR CLASS ehr.icd10_ops DEFAULT FOR TYPE ehr.icd10 USING hash AS
	OPERATOR 1 ehr.=,
	FUNCTION 1 ehr_internal.icd10_hash(ehr.icd10),
	FUNCTION 2 ehr_internal.icd10_hash_extended(ehr.icd10, bigint);
COMMENT ON OPERATOR CLASS ehr.icd10_ops USING hash IS 'equality';

CREATE OPERATOR CLASS ehr.icd10_minmax_ops DEFAULT FOR TYPE ehr.icd10 USING brin AS
	OPERATOR 1 ehr.<,
	OPERATOR 2 ehr.<=,
	OPERATOR 3 ehr.=,
	OPERATOR 4 ehr.>=,
	OPERATOR 5 ehr.>,
	FUNCTION 1 brin_minmax_opcinfo(internal),
	FUNCTION 2 brin_minmax_add_value(internal, internal, internal, internal),
	FUNCTION 3 brin_minmax_consistent(internal, internal, internal),
	FUNCTION 4 brin_minmax_union(internal, internal, internal);
COMMENT ON OPERATOR CLASS ehr.icd10_minmax_ops USING brin IS 'smallest and largest value of a range of pages';

CREATE FUNCTION ehr_internal.icd10_contained_support(internal) RETURNS internal
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_icd10_contained_support';
COMMENT ON FUNCTION ehr_internal.icd10_contained_support(internal) IS 'planner support: makes comparisons out of containment in a constant';

CREATE FUNCTION ehr_internal.icd10_contained(ehr.icd10, ehr.icd10) RETURNS bool
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	SUPPORT ehr_internal.icd10_contained_support
	AS 'MODULE_PATHNAME', 'ehr_icd10_contained';
COMMENT ON FUNCTION ehr_internal.icd10_contained(ehr.icd10, ehr.icd10) IS 'implementation of <@ operator';

CREATE FUNCTION ehr_internal.icd10_contains_support(internal) RETURNS internal
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_icd10_contains_support';
COMMENT ON FUNCTION ehr_internal.icd10_contains_support(internal) IS 'planner support: makes comparisons out of containment in a constant';

CREATE FUNCTION ehr_internal.icd10_contains(ehr.icd10, ehr.icd10) RETURNS bool
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	SUPPORT ehr_internal.icd10_contains_support
	AS 'MODULE_PATHNAME', 'ehr_icd10_contains';
COMMENT ON FUNCTION ehr_internal.icd10_contains(ehr.icd10, ehr.icd10) IS 'implementation of @> operator';

CREATE FUNCTION ehr_internal.icd10_last_within(ehr.icd10) RETURNS ehr.icd10
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF
	AS 'MODULE_PATHNAME', 'ehr_icd10_last_within';
COMMENT ON FUNCTION ehr_internal.icd10_last_within(ehr.icd10) IS 'upper end of what a code contains, for index conditions';

CREATE FUNCTION ehr_internal.icd10_contained_sel(internal, oid, internal, integer) RETURNS float8
	LANGUAGE c STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_icd10_contained_sel';
COMMENT ON FUNCTION ehr_internal.icd10_contained_sel(internal, oid, internal, integer) IS 'selectivity of <@, out of the histogram';

CREATE FUNCTION ehr_internal.icd10_contains_sel(internal, oid, internal, integer) RETURNS float8
	LANGUAGE c STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_icd10_contains_sel';
COMMENT ON FUNCTION ehr_internal.icd10_contains_sel(internal, oid, internal, integer) IS 'selectivity of @>, out of the histogram';

CREATE OPERATOR ehr.<@ (
	FUNCTION = ehr_internal.icd10_contained, LEFTARG = ehr.icd10, RIGHTARG = ehr.icd10,
	COMMUTATOR = OPERATOR(ehr.@>), RESTRICT = ehr_internal.icd10_contained_sel, JOIN = contjoinsel
);
COMMENT ON OPERATOR ehr.<@ (ehr.icd10, ehr.icd10) IS 'is the same code or a subdivision of it';

CREATE OPERATOR ehr.@> (
	FUNCTION = ehr_internal.icd10_contains, LEFTARG = ehr.icd10, RIGHTARG = ehr.icd10,
	COMMUTATOR = OPERATOR(ehr.<@), RESTRICT = ehr_internal.icd10_contains_sel, JOIN = contjoinsel
);
COMMENT ON OPERATOR ehr.@> (ehr.icd10, ehr.icd10) IS 'is the same code or has it as a subdivision';

CREATE FUNCTION ehr.icd10_within(code ehr.icd10, ranges text) RETURNS bool
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2
	SUPPORT ehr_internal.icd10_contained_support
	AS 'MODULE_PATHNAME', 'ehr_icd10_within_ranges';
COMMENT ON FUNCTION ehr.icd10_within(ehr.icd10, text) IS 'whether a code lies in one of the codes and ranges of a list such as F00-F03,G30';

CREATE FUNCTION ehr.chapter(code ehr.icd10) RETURNS text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_icd10_chapter';
COMMENT ON FUNCTION ehr.chapter(ehr.icd10) IS 'Roman number of the chapter; null outside all chapters';

CREATE FUNCTION ehr.block(code ehr.icd10) RETURNS text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_icd10_block';
COMMENT ON FUNCTION ehr.block(ehr.icd10) IS 'block, as in E10-E14; null outside all blocks';

CREATE FUNCTION ehr.category(code ehr.icd10) RETURNS ehr.icd10
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_icd10_category';
COMMENT ON FUNCTION ehr.category(ehr.icd10) IS 'three-character category of a code';

-- Vietnamese text

CREATE FUNCTION ehr.fold_text(value text) RETURNS text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5
	AS 'MODULE_PATHNAME', 'ehr_fold_text';
COMMENT ON FUNCTION ehr.fold_text(text) IS 'unmarked capitals and digits, words separated by one blank';

CREATE FUNCTION ehr.fold_name(name text) RETURNS text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5
	AS 'MODULE_PATHNAME', 'ehr_fold_name';
COMMENT ON FUNCTION ehr.fold_name(text) IS 'a name in unmarked capitals: no titles, i and y written one way; for comparing across sources that lose marks';

CREATE FUNCTION ehr.exact_name(name text) RETURNS text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5
	AS 'MODULE_PATHNAME', 'ehr_exact_name';
COMMENT ON FUNCTION ehr.exact_name(text) IS 'a name in capitals with marks: NFC, tone on the traditional vowel, i and y written one way; for exact comparison';

CREATE FUNCTION ehr.name_key(name text) RETURNS text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5
	AS 'MODULE_PATHNAME', 'ehr_name_key';
COMMENT ON FUNCTION ehr.name_key(text) IS 'fold_name with the words in order, so that word order does not matter; null for an empty name and one of more than 64 words';

CREATE FUNCTION ehr.name_kind(name text) RETURNS text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5
	AS 'MODULE_PATHNAME', 'ehr_name_kind';
COMMENT ON FUNCTION ehr.name_kind(text) IS 'person, newborn (named after the mother) or none (no name given)';

CREATE FUNCTION ehr.normalize_phone(number text) RETURNS text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2
	AS 'MODULE_PATHNAME', 'ehr_normalize_phone';
COMMENT ON FUNCTION ehr.normalize_phone(text) IS 'telephone number in one form: todays prefixes, leading 0, + for other countries; null for what is no number';
