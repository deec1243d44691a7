/*
 * insurance_no_type.c
 *		Type insurance_no, its operators and functions.
 *
 * A value is an int8 as drawn in core/insurance_no.h; equality looks at its
 * upper part only, so equal values may print differently (no deduplication in
 * btree).  Binary format: the int8.
 */
#include "postgres.h"

#include "fmgr.h"
#include "libpq/pqformat.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/sortsupport.h"

#include "compat.h"
#include "core/insurance_no.h"
#include "quiet.h"

PG_FUNCTION_INFO_V1(ehr_insurance_no_in);
PG_FUNCTION_INFO_V1(ehr_insurance_no_out);
PG_FUNCTION_INFO_V1(ehr_insurance_no_recv);
PG_FUNCTION_INFO_V1(ehr_insurance_no_eq);
PG_FUNCTION_INFO_V1(ehr_insurance_no_ne);
PG_FUNCTION_INFO_V1(ehr_insurance_no_lt);
PG_FUNCTION_INFO_V1(ehr_insurance_no_le);
PG_FUNCTION_INFO_V1(ehr_insurance_no_gt);
PG_FUNCTION_INFO_V1(ehr_insurance_no_ge);
PG_FUNCTION_INFO_V1(ehr_insurance_no_cmp);
PG_FUNCTION_INFO_V1(ehr_insurance_no_sortsupport);
PG_FUNCTION_INFO_V1(ehr_insurance_no_hash);
PG_FUNCTION_INFO_V1(ehr_insurance_no_hash_extended);
PG_FUNCTION_INFO_V1(ehr_insurance_no_same_card);
PG_FUNCTION_INFO_V1(ehr_insurance_no_identifies_person);
PG_FUNCTION_INFO_V1(ehr_insurance_no_citizen_id);

static const char *const fault_details[] = {
	[INSURANCE_NO_FINE] = "",
	[INSURANCE_NO_LENGTH] = "An insurance number has 15 characters (card), 10 digits or 12 digits; this value has another length.",
	[INSURANCE_NO_OBJECT] = "A card begins with two letters.",
	[INSURANCE_NO_DIGITS] = "An insurance number consists of digits, after the two letters of a card; this value has other characters.",
};

Datum
ehr_insurance_no_in(PG_FUNCTION_ARGS)
{
	const char *text = PG_GETARG_CSTRING(0);
	int64_t		no;
	InsuranceNoFault fault;

	if (insurance_no_parse(text, strlen(text), &no, &fault) != CORE_OK)
	{
		ehr_quiet(fcinfo->context);
		ehr_ereturn(fcinfo->context, (Datum) 0,
					(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
					 errmsg("invalid input for type %s", "insurance_no"),
					 errdetail("%s", fault_details[fault]),
					 ehr_quiet_context()));
	}
	PG_RETURN_INT64(no);
}

Datum
ehr_insurance_no_out(PG_FUNCTION_ARGS)
{
	char	   *text = palloc(INSURANCE_NO_SIZE + 1);

	text[insurance_no_print(PG_GETARG_INT64(0), text)] = '\0';
	PG_RETURN_CSTRING(text);
}

Datum
ehr_insurance_no_recv(PG_FUNCTION_ARGS)
{
	int64		no = pq_getmsgint64((StringInfo) PG_GETARG_POINTER(0));

	if (!insurance_no_is_valid(no))
	{
		ehr_quiet(NULL);
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary value for type %s", "insurance_no"),
				 errdetail("The eight bytes are no packed insurance number."),
				 ehr_quiet_context()));
	}
	PG_RETURN_INT64(no);
}

#define COMPARISON(name, op) \
Datum \
ehr_insurance_no_##name(PG_FUNCTION_ARGS) \
{ \
	PG_RETURN_BOOL(insurance_no_compare(PG_GETARG_INT64(0), PG_GETARG_INT64(1)) op 0); \
}

COMPARISON(eq, ==)
COMPARISON(ne, !=)
COMPARISON(lt, <)
COMPARISON(le, <=)
COMPARISON(gt, >)
COMPARISON(ge, >=)

Datum
ehr_insurance_no_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(insurance_no_compare(PG_GETARG_INT64(0), PG_GETARG_INT64(1)));
}

static int
compare_datums(Datum a, Datum b, SortSupport ssup)
{
	return insurance_no_compare(DatumGetInt64(a), DatumGetInt64(b));
}

Datum
ehr_insurance_no_sortsupport(PG_FUNCTION_ARGS)
{
	((SortSupport) PG_GETARG_POINTER(0))->comparator = compare_datums;
	PG_RETURN_VOID();
}

Datum
ehr_insurance_no_hash(PG_FUNCTION_ARGS)
{
	return DirectFunctionCall1(hashint8, Int64GetDatum(insurance_no_key(PG_GETARG_INT64(0))));
}

Datum
ehr_insurance_no_hash_extended(PG_FUNCTION_ARGS)
{
	return DirectFunctionCall2(hashint8extended, Int64GetDatum(insurance_no_key(PG_GETARG_INT64(0))),
							   PG_GETARG_DATUM(1));
}

/* same_card(a, b) → bool: the same in every character, not only in the insurance number */
Datum
ehr_insurance_no_same_card(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(PG_GETARG_INT64(0) == PG_GETARG_INT64(1));
}

/* identifies_person(insurance_no) → bool: false for the temporary cards of newborns */
Datum
ehr_insurance_no_identifies_person(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(insurance_no_identifies(PG_GETARG_INT64(0)));
}

/* cast to citizen_id: the 12-digit form's number; null for a card or a 10-digit number, which hold none */
Datum
ehr_insurance_no_citizen_id(PG_FUNCTION_ARGS)
{
	int64_t		id;

	if (!insurance_no_citizen_id(PG_GETARG_INT64(0), &id))
		PG_RETURN_NULL();
	PG_RETURN_INT64(id);
}
