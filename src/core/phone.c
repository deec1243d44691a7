/*
 * phone.c
 *		Vietnamese telephone numbers.
 */
#include <string.h>

#include "phone.h"
#include "phone_data.h"

#define MAX_DIGITS	20

/*
 * The digits of one number in in[0 .. len - 1]; -1 when anything but
 * formatting characters stands between them.  *plus: it begins with +.
 */
static int
read_digits(const char *in, size_t len, char digits[MAX_DIGITS], bool *plus)
{
	size_t		i;
	int			n = 0;

	*plus = false;
	for (i = 0; i < len; i++)
	{
		if (in[i] >= '0' && in[i] <= '9')
		{
			if (n == MAX_DIGITS)
				return -1;
			digits[n++] = in[i];
		}
		else if (in[i] == '+' && n == 0 && !*plus)
			*plus = true;
		/* a no-break blank is two bytes */
		else if (in[i] == '\xC2' && i + 1 < len && in[i + 1] == '\xA0')
			i++;
		else if (in[i] == '\0' || strchr(" .-()_\t", in[i]) == NULL)
			return -1;
	}
	return n;
}

/* Takes n digits that follow the leading 0: mobile 9, mobile before 2018 10, landline 2 and 9 more. */
static CoreStatus
national(const char *digits, int n, char *out, size_t *out_len)
{
	size_t		i;

	out[0] = '0';
	if (n == 10 && digits[0] == '1')
	{
		for (i = 0; i < sizeof(phone_prefixes) / sizeof(phone_prefixes[0]); i++)
			if (memcmp(phone_prefixes[i].old_prefix + 1, digits, 3) == 0)
			{
				memcpy(out, phone_prefixes[i].new_prefix, 3);
				memcpy(out + 3, digits + 3, 7);
				*out_len = 10;
				return CORE_OK;
			}
		return CORE_INVALID;
	}
	if ((n == 9 && strchr("35789", digits[0]) != NULL) || (n == 10 && digits[0] == '2'))
	{
		memcpy(out + 1, digits, (size_t) n);
		*out_len = (size_t) n + 1;
		return CORE_OK;
	}
	return CORE_INVALID;
}

static CoreStatus
normalize_one(const char *in, size_t len, char *out, size_t *out_len)
{
	char		digits[MAX_DIGITS];
	bool		plus;
	int			n = read_digits(in, len, digits, &plus);
	const char *d = digits;

	if (n <= 0)
		return CORE_INVALID;
	if (!plus && n > 2 && memcmp(d, "00", 2) == 0)
	{
		plus = true;
		d += 2;
		n -= 2;
	}
	if (n > 2 && memcmp(d, "84", 2) == 0 && (plus || n > 10))
	{
		/* +84 (0) 903 ... is written too */
		d += 2;
		n -= 2;
		if (d[0] == '0')
		{
			d++;
			n--;
		}
		return n > 0 ? national(d, n, out, out_len) : CORE_INVALID;
	}
	if (plus)
	{
		if (n < 8 || n > 15 || d[0] == '0')
			return CORE_INVALID;
		out[0] = '+';
		memcpy(out + 1, d, (size_t) n);
		*out_len = (size_t) n + 1;
		return CORE_OK;
	}
	/* spreadsheets lose the leading 0 */
	if (d[0] == '0')
	{
		d++;
		n--;
	}
	return n > 0 ? national(d, n, out, out_len) : CORE_INVALID;
}

CoreStatus
phone_normalize(const char *in, size_t len, char *out, size_t *out_len)
{
	size_t		at = 0;

	while (at <= len)
	{
		size_t		end = at;

		while (end < len && strchr("/;,", in[end]) == NULL)
			end++;
		if (normalize_one(in + at, end - at, out, out_len) == CORE_OK)
			return CORE_OK;
		at = end + 1;
	}
	return CORE_INVALID;
}
