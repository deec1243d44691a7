/*
 * first_day.c
 *		Days of FHIR dates.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"

#include "compat.h"

PG_FUNCTION_INFO_V1(ehr_first_day);

/* The number in n digits at *s, which moves on; -1 when they are no digits. */
static int
take_number(const char **s, const char *end, int n)
{
	int			value = 0;

	if (end - *s < n)
		return -1;
	for (; n > 0; n--, (*s)++)
	{
		if (**s < '0' || **s > '9')
			return -1;
		value = value * 10 + (**s - '0');
	}
	return value;
}

/* "-" and two digits; 1 at the end of the text, -1 for anything else */
static int
take_part(const char **s, const char *end)
{
	if (*s == end)
		return 1;
	if (**s != '-')
		return -1;
	(*s)++;
	return take_number(s, end, 2);
}

/*
 * ehr_internal.first_day(text) → date: first day of a FHIR date or dateTime of
 * any precision; null for what is no calendar day.
 */
Datum
ehr_first_day(PG_FUNCTION_ARGS)
{
	text	   *value = PG_GETARG_TEXT_PP(0);
	const char *s = VARDATA_ANY(value);
	const char *end = s + VARSIZE_ANY_EXHDR(value);
	int			year = take_number(&s, end, 4);
	int			month = take_part(&s, end);
	int			day = take_part(&s, end);

	if (year < 1 || month < 1 || month > MONTHS_PER_YEAR || day < 1 || day > day_tab[isleap(year)][month - 1] ||
		(s < end && *s != 'T'))
		PG_RETURN_NULL();
	PG_RETURN_DATEADT(date2j(year, month, day) - POSTGRES_EPOCH_JDATE);
}
