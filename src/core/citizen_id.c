/*
 * citizen_id.c
 *		The 12-digit personal number (CCCD).
 */
#include "citizen_id.h"

typedef struct Province
{
	int			code;
	int			valid_from;		/* yyyymmdd */
	int			valid_to;		/* the first day on which it no longer held */
	int			successor;		/* the number of the province into which it went; 0 for none */
	const char *name;
} Province;

#include "provinces_data.h"

#define NPROVINCES	((int) (sizeof(provinces) / sizeof(provinces[0])))
#define MAX_AGE		125			/* nobody is known to have become older than 122 */

static const char *const problem_names[CITIZEN_ID_NPROBLEMS] = {
	[CITIZEN_ID_EMPTY] = "empty",
	[CITIZEN_ID_NOT_DIGITS] = "not digits",
	[CITIZEN_ID_OLD_CARD] = "nine digits: former identity card",
	[CITIZEN_ID_LENGTH] = "length",
	[CITIZEN_ID_PLACEHOLDER] = "placeholder",
	[CITIZEN_ID_PREFIX_UNKNOWN] = "prefix unknown",
	[CITIZEN_ID_CENTURY_FUTURE] = "century in the future",
	[CITIZEN_ID_YEAR_FUTURE] = "birth year in the future",
	[CITIZEN_ID_AGE] = "birth year too long ago",
};

CoreStatus
citizen_id_parse(const char *text, size_t len, int64_t *id)
{
	int64_t		value = 0;
	size_t		i;

	if (len != CITIZEN_ID_DIGITS)
		return CORE_INVALID;
	for (i = 0; i < len; i++)
	{
		if (text[i] < '0' || text[i] > '9')
			return CORE_INVALID;
		value = value * 10 + (text[i] - '0');
	}
	*id = value;
	return CORE_OK;
}

void
citizen_id_print(int64_t id, char out[CITIZEN_ID_DIGITS])
{
	int			i;

	for (i = CITIZEN_ID_DIGITS - 1; i >= 0; i--)
	{
		out[i] = (char) ('0' + id % 10);
		id /= 10;
	}
}

int
citizen_id_prefix(int64_t id)
{
	return (int) (id / 1000000000);
}

static int
century_digit(int64_t id)
{
	return (int) (id / 100000000 % 10);
}

bool
citizen_id_female(int64_t id)
{
	return century_digit(id) % 2 == 1;
}

int
citizen_id_birth_year(int64_t id)
{
	return 1900 + 100 * (century_digit(id) / 2) + (int) (id / 1000000 % 100);
}

/* The row of a number on a day; for day 0 the first one. */
static const Province *
find_province(int code, int day)
{
	int			i;

	for (i = 0; i < NPROVINCES; i++)
		if (provinces[i].code == code &&
			(day == 0 || (day >= provinces[i].valid_from && day < provinces[i].valid_to)))
			return &provinces[i];
	return NULL;
}

const char *
citizen_id_province(int prefix, int day, int *code)
{
	const Province *p = find_province(prefix, 0);

	/* each merger leads to a number that may itself have been merged by that day */
	while (p != NULL && day != 0 && day >= p->valid_to)
	{
		int			from = p->valid_to;
		int			to = p->successor != 0 ? p->successor : p->code;

		p = find_province(to, from);
	}
	if (p == NULL)
		return NULL;
	if (code != NULL)
		*code = p->code;
	return p->name;
}

const char *
citizen_id_problem_name(CitizenIdProblem problem)
{
	return problem_names[problem];
}

/* One digit throughout, or each one more than the one before (9 is followed by 0). */
static bool
is_placeholder(int64_t id)
{
	char		d[CITIZEN_ID_DIGITS];
	int			same = 0;
	int			up = 0;
	int			i;

	citizen_id_print(id, d);
	for (i = 1; i < CITIZEN_ID_DIGITS; i++)
	{
		same += d[i] == d[i - 1];
		up += (d[i] - '0') == (d[i - 1] - '0' + 1) % 10;
	}
	return same == CITIZEN_ID_DIGITS - 1 || up == CITIZEN_ID_DIGITS - 1;
}

unsigned
citizen_id_number_problems(int64_t id, int as_of_year)
{
	unsigned	bits = 0;
	int			year = citizen_id_birth_year(id);

	if (is_placeholder(id))
		bits |= 1u << CITIZEN_ID_PLACEHOLDER;
	if (find_province(citizen_id_prefix(id), 0) == NULL)
		bits |= 1u << CITIZEN_ID_PREFIX_UNKNOWN;
	if (year / 100 > as_of_year / 100)
		bits |= 1u << CITIZEN_ID_CENTURY_FUTURE;
	else if (year > as_of_year)
		bits |= 1u << CITIZEN_ID_YEAR_FUTURE;
	else if (as_of_year - year > MAX_AGE)
		bits |= 1u << CITIZEN_ID_AGE;
	return bits;
}

unsigned
citizen_id_problems(const char *text, size_t len, int as_of_year)
{
	int64_t		id;
	unsigned	bits = 0;
	size_t		i;

	if (len == 0)
		return 1u << CITIZEN_ID_EMPTY;
	for (i = 0; i < len; i++)
		if (text[i] < '0' || text[i] > '9')
			bits = 1u << CITIZEN_ID_NOT_DIGITS;
	if (len == 9 && bits == 0)
		return 1u << CITIZEN_ID_OLD_CARD;
	if (len != CITIZEN_ID_DIGITS)
		bits |= 1u << CITIZEN_ID_LENGTH;
	if (bits != 0 || citizen_id_parse(text, len, &id) != CORE_OK)
		return bits;
	return citizen_id_number_problems(id, as_of_year);
}

bool
citizen_id_agrees(int64_t id, CitizenIdSex sex, int birth_year)
{
	if (sex != CITIZEN_ID_ANY_SEX && citizen_id_female(id) != (sex == CITIZEN_ID_FEMALE))
		return false;
	return birth_year == 0 || citizen_id_birth_year(id) == birth_year;
}
