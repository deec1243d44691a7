/*
 * insurance_no.c
 *		Health insurance numbers, packed into 8 bytes.
 */
#include "insurance_no.h"

#define CITIZEN_FORM	(INT64_C(1) << 62)
#define NUMBER_SHIFT	20
#define FRONT_MASK		((INT64_C(1) << NUMBER_SHIFT) - 1)
#define NUMBER_MASK		((INT64_C(1) << 40) - 1)
#define NUMBER_END		INT64_C(10000000000)	/* 10 digits */
#define CITIZEN_END		INT64_C(1000000000000)	/* 12 digits */
#define FRONT_END		(26 * 26 * 1000)

/* Reads n digits; -1 when one is none. */
static int64_t
read_digits(const char *s, int n)
{
	int64_t		value = 0;
	int			i;

	for (i = 0; i < n; i++)
	{
		if (s[i] < '0' || s[i] > '9')
			return -1;
		value = value * 10 + (s[i] - '0');
	}
	return value;
}

static void
print_digits(int64_t value, int n, char *out)
{
	while (n > 0)
	{
		out[--n] = (char) ('0' + value % 10);
		value /= 10;
	}
}

static bool
is_letter(char c)
{
	return c >= 'A' && c <= 'Z';
}

CoreStatus
insurance_no_parse(const char *text, size_t len, int64_t *no, InsuranceNoFault *fault)
{
	char		s[INSURANCE_NO_SIZE];
	int64_t		front = 0;
	int64_t		number;
	size_t		i;
	int			n = 0;

	*fault = INSURANCE_NO_LENGTH;
	for (i = 0; i < len; i++)
	{
		char		c = text[i];

		if (c == ' ' || c == '-' || c == '\t')
			continue;
		if (n == INSURANCE_NO_SIZE)
			return CORE_INVALID;
		s[n++] = c >= 'a' && c <= 'z' ? (char) (c - 'a' + 'A') : c;
	}
	if (n != 10 && n != 12 && n != 15)
		return CORE_INVALID;
	if (n == 15)
	{
		*fault = INSURANCE_NO_OBJECT;
		if (!is_letter(s[0]) || !is_letter(s[1]))
			return CORE_INVALID;
		front = read_digits(s + 2, 3);
	}
	number = n == 15 ? read_digits(s + 5, 10) : read_digits(s, n);
	*fault = INSURANCE_NO_DIGITS;
	if (front < 0 || number < 0)
		return CORE_INVALID;
	if (n == 15)
		front += 1 + ((s[0] - 'A') * 26 + (s[1] - 'A')) * 1000;
	*no = (n == 12 ? CITIZEN_FORM : 0) | number << NUMBER_SHIFT | front;
	*fault = INSURANCE_NO_FINE;
	return CORE_OK;
}

int
insurance_no_print(int64_t no, char out[INSURANCE_NO_SIZE])
{
	int64_t		number = no >> NUMBER_SHIFT & NUMBER_MASK;
	int			front = (int) (no & FRONT_MASK) - 1;

	if (no & CITIZEN_FORM)
	{
		print_digits(number, 12, out);
		return 12;
	}
	if (front < 0)
	{
		print_digits(number, 10, out);
		return 10;
	}
	out[0] = (char) ('A' + front / 26000);
	out[1] = (char) ('A' + front / 1000 % 26);
	print_digits(front % 1000, 3, out + 2);
	print_digits(number, 10, out + 5);
	return 15;
}

bool
insurance_no_is_valid(int64_t no)
{
	int64_t		number = no >> NUMBER_SHIFT & NUMBER_MASK;
	int64_t		front = no & FRONT_MASK;

	if (no < 0 || (no & ~(CITIZEN_FORM | NUMBER_MASK << NUMBER_SHIFT | FRONT_MASK)) != 0)
		return false;
	if (no & CITIZEN_FORM)
		return front == 0 && number < CITIZEN_END;
	return front <= FRONT_END && number < NUMBER_END;
}

bool
insurance_no_citizen_id(int64_t no, int64_t *citizen_id)
{
	if (!(no & CITIZEN_FORM))
		return false;
	*citizen_id = no >> NUMBER_SHIFT & NUMBER_MASK;
	return true;
}

bool
insurance_no_identifies(int64_t no)
{
	int			front = (int) (no & FRONT_MASK) - 1;

	if ((no >> NUMBER_SHIFT & NUMBER_MASK) == 0)
		return false;
	return front < 0 || front / 100 != ('T' - 'A') * 260 + ('E' - 'A') * 10 + 1;
}
