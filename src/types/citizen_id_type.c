/*
 * citizen_id_type.c
 *		Type citizen_id and its functions.
 *
 * A value is the number as an int8, so comparison, hashing and sort support are
 * those of bigint (sql/types.sql).  Binary format: the int8.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "datatype/timestamp.h"
#include "fmgr.h"
#include "libpq/pqformat.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"

#include "compat.h"
#include "core/citizen_id.h"
#include "quiet.h"

PG_FUNCTION_INFO_V1(ehr_citizen_id_in);
PG_FUNCTION_INFO_V1(ehr_citizen_id_out);
PG_FUNCTION_INFO_V1(ehr_citizen_id_recv);
PG_FUNCTION_INFO_V1(ehr_citizen_id_problems);
PG_FUNCTION_INFO_V1(ehr_citizen_id_province_code);
PG_FUNCTION_INFO_V1(ehr_citizen_id_province_name);
PG_FUNCTION_INFO_V1(ehr_citizen_id_sex);
PG_FUNCTION_INFO_V1(ehr_citizen_id_birth_year);
PG_FUNCTION_INFO_V1(ehr_citizen_id_agrees_with);

/* 12 digits or 22P02; nothing else is asked of a number, so that a dump restores on any day. */
Datum
ehr_citizen_id_in(PG_FUNCTION_ARGS)
{
	const char *text = PG_GETARG_CSTRING(0);
	size_t		len = strlen(text);
	int64_t		id;

	if (citizen_id_parse(text, len, &id) != CORE_OK)
	{
		ehr_quiet(fcinfo->context);
		ehr_ereturn(fcinfo->context, (Datum) 0,
					(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
					 errmsg("invalid input for type %s", "citizen_id"),
					 strspn(text, "0123456789") == len ?
					 errdetail("A citizen ID has 12 digits; this value has another length.") :
					 errdetail("A citizen ID consists of 12 digits; this value has other characters."),
					 ehr_quiet_context()));
	}
	PG_RETURN_INT64(id);
}

Datum
ehr_citizen_id_out(PG_FUNCTION_ARGS)
{
	char	   *text = palloc(CITIZEN_ID_DIGITS + 1);

	citizen_id_print(PG_GETARG_INT64(0), text);
	text[CITIZEN_ID_DIGITS] = '\0';
	PG_RETURN_CSTRING(text);
}

Datum
ehr_citizen_id_recv(PG_FUNCTION_ARGS)
{
	int64		id = pq_getmsgint64((StringInfo) PG_GETARG_POINTER(0));

	if (!citizen_id_in_range(id))
	{
		ehr_quiet(NULL);
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid binary value for type %s", "citizen_id"),
				 errdetail("A citizen ID has at most 12 digits."),
				 ehr_quiet_context()));
	}
	PG_RETURN_INT64(id);
}

/* yyyymmdd; out of the calendar's range: the nearest day that the tables know. */
static int
day_number(DateADT date)
{
	int			year;
	int			month;
	int			day;

	if (DATE_IS_NOBEGIN(date))
		return 1;
	if (DATE_IS_NOEND(date))
		return 99991231;
	j2date(date + POSTGRES_EPOCH_JDATE, &year, &month, &day);
	if (year < 1)
		return 1;
	return Min(year, 9999) * 10000 + month * 100 + day;
}

/* citizen_id_problems(text, as_of date) → text[]: what is wrong with a number, in words; empty when nothing is */
Datum
ehr_citizen_id_problems(PG_FUNCTION_ARGS)
{
	text	   *number = PG_GETARG_TEXT_PP(0);
	unsigned	bits = citizen_id_problems(VARDATA_ANY(number), VARSIZE_ANY_EXHDR(number),
										   day_number(PG_GETARG_DATEADT(1)) / 10000);
	Datum		words[CITIZEN_ID_NPROBLEMS];
	int			n = 0;
	int			i;

	for (i = 0; i < CITIZEN_ID_NPROBLEMS; i++)
		if (bits & (1u << i))
			words[n++] = CStringGetTextDatum(citizen_id_problem_name((CitizenIdProblem) i));
	if (n == 0)
		PG_RETURN_ARRAYTYPE_P(construct_empty_array(TEXTOID));
	PG_RETURN_ARRAYTYPE_P(construct_array(words, n, TEXTOID, -1, false, TYPALIGN_INT));
}

/* province_code(citizen_id) → text: the first three digits */
Datum
ehr_citizen_id_province_code(PG_FUNCTION_ARGS)
{
	char		text[CITIZEN_ID_DIGITS];

	citizen_id_print(PG_GETARG_INT64(0), text);
	PG_RETURN_TEXT_P(cstring_to_text_with_len(text, 3));
}

/*
 * province_name(citizen_id, as_of date) → text: the province where the birth
 * was registered, by its name on that day; by the name that went with the number for a
 * null day.  Null for a prefix that is no province.
 */
Datum
ehr_citizen_id_province_name(PG_FUNCTION_ARGS)
{
	const char *name;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	name = citizen_id_province(citizen_id_prefix(PG_GETARG_INT64(0)),
							   PG_ARGISNULL(1) ? 0 : day_number(PG_GETARG_DATEADT(1)), NULL);
	if (name == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(name));
}

/* sex(citizen_id) → text, as FHIR's administrative-gender writes it */
Datum
ehr_citizen_id_sex(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(citizen_id_female(PG_GETARG_INT64(0)) ? "female" : "male"));
}

Datum
ehr_citizen_id_birth_year(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(citizen_id_birth_year(PG_GETARG_INT64(0)));
}

/*
 * The ways in which sex is written: FHIR, the claims' GIOI_TINH (1 male,
 * 2 female), forms.  Anything else is taken for not known.
 */
static const struct
{
	const char *word;
	CitizenIdSex sex;
}			sex_words[] = {
	{"male", CITIZEN_ID_MALE}, {"female", CITIZEN_ID_FEMALE},
	{"1", CITIZEN_ID_MALE}, {"2", CITIZEN_ID_FEMALE},
	{"nam", CITIZEN_ID_MALE}, {"n\xE1\xBB\xAF", CITIZEN_ID_FEMALE}, {"nu", CITIZEN_ID_FEMALE},
	{"m", CITIZEN_ID_MALE}, {"f", CITIZEN_ID_FEMALE},
};

static CitizenIdSex
read_sex(text *value)
{
	int			len = VARSIZE_ANY_EXHDR(value);
	int			i;

	for (i = 0; i < lengthof(sex_words); i++)
		if (len == strlen(sex_words[i].word) && pg_strncasecmp(VARDATA_ANY(value), sex_words[i].word, len) == 0)
			return sex_words[i].sex;
	return CITIZEN_ID_ANY_SEX;
}

/*
 * agrees_with(citizen_id, sex text, birth date) → bool: whether sex digit,
 * century and year agree with a person.  A null sex or date is not known and agrees.
 */
Datum
ehr_citizen_id_agrees_with(PG_FUNCTION_ARGS)
{
	CitizenIdSex sex;
	int			year = 0;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	sex = PG_ARGISNULL(1) ? CITIZEN_ID_ANY_SEX : read_sex(PG_GETARG_TEXT_PP(1));
	if (!PG_ARGISNULL(2) && !DATE_NOT_FINITE(PG_GETARG_DATEADT(2)))
		year = day_number(PG_GETARG_DATEADT(2)) / 10000;
	PG_RETURN_BOOL(citizen_id_agrees(PG_GETARG_INT64(0), sex, year));
}
