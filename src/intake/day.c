/*
 * day.c
 *		Days as registers write them, as FHIR dates.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/datetime.h"

#include "compat.h"

/* n digits at s; -1 when they are not */
static int
digits_at(const char *s, int n)
{
	int			v = 0;

	while (n-- > 0)
	{
		if (*s < '0' || *s > '9')
			return -1;
		v = v * 10 + (*s++ - '0');
	}
	return v;
}

PG_FUNCTION_INFO_V1(ehr_register_day);

/*
 * ehr_internal.register_day(text) → text: yyyy, yyyy-mm-dd, yyyymmdd, dd/mm/yyyy
 * (or with dots or hyphens) as a FHIR date, yyyy-00-00 as its year; NULL for anything else and for days
 * that no calendar has.  IMMUTABLE STRICT.
 */
Datum
ehr_register_day(PG_FUNCTION_ARGS)
{
	char	   *s = text_to_cstring(PG_GETARG_TEXT_PP(0));
	size_t		len = strlen(s);
	int			year,
				month,
				day;

	if (len == 4)
	{
		year = digits_at(s, 4);
		month = day = 0;
	}
	else if (len == 10 && s[4] == '-' && s[7] == '-')
	{
		year = digits_at(s, 4);
		month = digits_at(s + 5, 2);
		day = digits_at(s + 8, 2);
	}
	else if (len == 10 && s[2] == s[5] && strchr("/.-", s[2]) != NULL)
	{
		day = digits_at(s, 2);
		month = digits_at(s + 3, 2);
		year = digits_at(s + 6, 4);
	}
	else if (len == 8)
	{
		year = digits_at(s, 4);
		month = digits_at(s + 4, 2);
		day = digits_at(s + 6, 2);
	}
	else
		PG_RETURN_NULL();
	if (year >= 1 && month == 0 && day == 0)
		PG_RETURN_TEXT_P(cstring_to_text(psprintf("%04d", year)));
	if (year < 1 || month < 1 || month > MONTHS_PER_YEAR || day < 1 || day > day_tab[isleap(year)][month - 1])
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("%04d-%02d-%02d", year, month, day)));
}
