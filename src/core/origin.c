/*
 * origin.c
 *		Where and when an element of a record was stated.  See origin.h.
 */
#include "origin.h"

#include <string.h>

#define FRACTION_DIGITS 9

/* Reads exactly `digits` digits; -1 when there is something else. */
static int
fixed_number(const char *text, int digits)
{
	int			n = 0;

	for (int i = 0; i < digits; i++)
	{
		if (text[i] < '0' || text[i] > '9')
			return -1;
		n = n * 10 + (text[i] - '0');
	}
	return n;
}

/* Writes exactly `digits` digits: this is called for every element, and printf is slow. */
static void
put_number(char *text, int n, int digits)
{
	while (--digits >= 0)
	{
		text[digits] = (char) ('0' + n % 10);
		n /= 10;
	}
}

/* Writes a number that is not negative; gives its length. */
static size_t
put_decimal(char *text, int32_t n)
{
	int			digits = 1;

	for (int32_t rest = n; rest >= 10; rest /= 10)
		digits++;
	put_number(text, n, digits);
	return digits;
}

static int
days_of_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool		leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

/* Moves a date by one day forward or backward. */
static void
step_day(int *year, int *month, int *day, int step)
{
	*day += step;
	if (*day < 1)
	{
		if (--*month < 1)
		{
			*month = 12;
			--*year;
		}
		*day = days_of_month(*year, *month);
	}
	else if (*day > days_of_month(*year, *month))
	{
		*day = 1;
		if (++*month > 12)
		{
			*month = 1;
			++*year;
		}
	}
}

/* The zone's minutes east of UTC; false unless "Z" or "+hh:mm" is all of text. */
static bool
zone_minutes(const char *text, size_t len, int *minutes)
{
	int			hour;
	int			minute;

	*minutes = 0;
	if (len == 1 && text[0] == 'Z')
		return true;
	if (len != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':')
		return false;
	hour = fixed_number(text + 1, 2);
	minute = fixed_number(text + 4, 2);
	if (hour < 0 || hour > 14 || minute < 0 || minute > 59)
		return false;
	*minutes = (text[0] == '-' ? -1 : 1) * (hour * 60 + minute);
	return true;
}

bool
origin_time(const char *text, size_t len, char time[ORIGIN_TIME_SIZE])
{
	int			year,
				month,
				day,
				hour,
				minute,
				second,
				zone,
				kept = 0;
	size_t		at = 19;
	char		fraction[FRACTION_DIGITS];

	time[0] = '\0';
	if (len < 20 || text[4] != '-' || text[7] != '-' || text[10] != 'T' ||
		text[13] != ':' || text[16] != ':')
		return false;
	year = fixed_number(text, 4);
	month = fixed_number(text + 5, 2);
	day = fixed_number(text + 8, 2);
	hour = fixed_number(text + 11, 2);
	minute = fixed_number(text + 14, 2);
	second = fixed_number(text + 17, 2);
	if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_of_month(year, month) ||
		hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
		return false;

	if (text[at] == '.')
	{
		size_t		start = ++at;

		for (; at < len && text[at] >= '0' && text[at] <= '9'; at++)
			if (at - start < FRACTION_DIGITS)
				fraction[kept++] = text[at];
		if (at == start)
			return false;
		while (kept > 0 && fraction[kept - 1] == '0')
			kept--;
	}
	if (!zone_minutes(text + at, len - at, &zone))
		return false;

	minute += hour * 60 - zone;
	if (minute < 0 || minute >= 24 * 60)
	{
		step_day(&year, &month, &day, minute < 0 ? -1 : 1);
		minute += minute < 0 ? 24 * 60 : -24 * 60;
	}
	if (year < 1 || year > 9999)
		return false;
	memcpy(time, "0000-00-00T00:00:00", 20);
	put_number(time, year, 4);
	put_number(time + 5, month, 2);
	put_number(time + 8, day, 2);
	put_number(time + 11, minute / 60, 2);
	put_number(time + 14, minute % 60, 2);
	put_number(time + 17, second, 2);
	if (kept > 0)
	{
		time[19] = '.';
		memcpy(time + 20, fraction, kept);
		time[20 + kept] = '\0';
	}
	return true;
}

int
origin_compare_when(const Origin *a, const Origin *b)
{
	/* fixed width down to the second, then a fraction without trailing zeros */
	int			cmp = strcmp(a->time, b->time);

	if (cmp != 0)
		return cmp;
	return (a->rank > b->rank) - (a->rank < b->rank);
}

int
origin_compare_source(const Origin *a, const Origin *b)
{
	size_t		common = a->source_len < b->source_len ? a->source_len : b->source_len;
	int			cmp = common > 0 ? memcmp(a->source, b->source, common) : 0;

	if (cmp != 0)
		return cmp;
	return (a->source_len > b->source_len) - (a->source_len < b->source_len);
}

int
origin_compare(const Origin *a, const Origin *b)
{
	int			cmp = origin_compare_when(a, b);

	return cmp != 0 ? cmp : origin_compare_source(a, b);
}

size_t
origin_size(const Origin *origin)
{
	/* time and Z, two numbers of at most 11 characters, three blanks, zero */
	return ORIGIN_TIME_SIZE + 1 + 2 * 11 + 3 + origin->source_len + 1;
}

size_t
origin_print(const Origin *origin, int32_t place, char *buf)
{
	size_t		len = strlen(origin->time);

	memcpy(buf, origin->time, len);
	buf[len++] = origin->time[0] ? 'Z' : '-';
	buf[len++] = ' ';
	len += put_decimal(buf + len, origin->rank);
	buf[len++] = ' ';
	len += put_decimal(buf + len, place);
	if (origin->source_len > 0)
	{
		buf[len++] = ' ';
		memcpy(buf + len, origin->source, origin->source_len);
		len += origin->source_len;
	}
	buf[len] = '\0';
	return len;
}

/* Reads a canonical number up to the next blank or the end. */
static bool
read_number(const char **at, const char *end, int32_t *number)
{
	const char *p = *at;
	int64_t		n = 0;

	while (p < end && *p >= '0' && *p <= '9' && p - *at < 10)
		n = n * 10 + (*p++ - '0');
	if (p == *at || (**at == '0' && p - *at > 1) || n > INT32_MAX)
		return false;
	*number = (int32_t) n;
	*at = p;
	return true;
}

bool
origin_read(const char *text, size_t len, Origin *origin, int32_t *place)
{
	const char *end = text + len;
	const char *at = memchr(text, ' ', len);

	memset(origin, 0, sizeof(*origin));
	if (at == NULL)
		return false;
	if (!(at - text == 1 && *text == '-'))
	{
		/* canonical only if writing it again gives the same */
		if (!origin_time(text, at - text, origin->time) ||
			strlen(origin->time) + 1 != (size_t) (at - text) ||
			memcmp(origin->time, text, strlen(origin->time)) != 0)
			return false;
	}
	at++;
	if (!read_number(&at, end, &origin->rank) || at == end || *at++ != ' ' ||
		!read_number(&at, end, place))
		return false;
	if (at == end)
		return true;
	if (*at++ != ' ' || at == end)
		return false;
	origin->source = at;
	origin->source_len = end - at;
	return true;
}
