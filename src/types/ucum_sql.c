/*
 * ucum_sql.c
 *		Units of measure for SQL: ehr.ucum_valid, ehr.convert_quantity.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#include "compat.h"
#include "core/decimal.h"
#include "core/ucum.h"

PG_FUNCTION_INFO_V1(ehr_ucum_valid);
PG_FUNCTION_INFO_V1(ehr_convert_quantity);

/* ehr.ucum_valid(unit text) → boolean */
Datum
ehr_ucum_valid(PG_FUNCTION_ARGS)
{
	text	   *unit = PG_GETARG_TEXT_PP(0);

	PG_RETURN_BOOL(ucum_valid(VARDATA_ANY(unit), VARSIZE_ANY_EXHDR(unit)));
}

/* The unit of a text; 22023 for what is none. */
static void
parse_unit(const text *unit, const char *which, UcumUnit *result)
{
	size_t		position = 0;
	CoreStatus	status = ucum_parse(VARDATA_ANY(unit), VARSIZE_ANY_EXHDR(unit), result, &position);

	if (status == CORE_INVALID)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("not a unit of UCUM"),
				 errdetail("The text of %s cannot be read from byte %zu on.", which, position + 1)));
	if (status != CORE_OK)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("unit of UCUM too long"),
				 errdetail("The text of %s has too many characters, powers or parentheses.", which)));
}

static void
check_range(CoreStatus status)
{
	if (status == CORE_INVALID)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("value out of range"),
				 errdetail("It is no number, or one that the other unit has no value for.")));
	if (status != CORE_OK)
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("value out of range"),
				 errdetail("Quantities are converted with up to %d digits.", DECIMAL_DIGITS)));
}

/* ehr.convert_quantity(value numeric, from_unit text, to_unit text) → numeric */
Datum
ehr_convert_quantity(PG_FUNCTION_ARGS)
{
	struct varlena *value = (struct varlena *) PG_GETARG_NUMERIC(0);
	UcumUnit	from,
				to;
	Decimal		number;
	unsigned char payload[DECIMAL_NUMERIC_SIZE];
	size_t		len;
	struct varlena *result;

	parse_unit(PG_GETARG_TEXT_PP(1), "from_unit", &from);
	parse_unit(PG_GETARG_TEXT_PP(2), "to_unit", &to);
	if (!ucum_commensurable(&from, &to))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("units do not measure the same"),
				 errdetail("A quantity converts between units of the same dimension only.")));
	check_range(decimal_from_numeric(VARDATA(value), VARSIZE(value) - VARHDRSZ, &number));
	check_range(ucum_convert(&number, &from, &to, &number, NULL));
	len = decimal_to_numeric(&number, payload);
	result = palloc(VARHDRSZ + len);
	SET_VARSIZE(result, VARHDRSZ + len);
	memcpy(VARDATA(result), payload, len);
	PG_RETURN_NUMERIC((Numeric) result);
}
