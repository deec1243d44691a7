/*
 * code_form.c
 *		The form of codes of systems that check themselves.
 */
#include "code_form.h"

#include <stdint.h>
#include <string.h>

static bool
is_digit(char ch)
{
	return ch >= '0' && ch <= '9';
}

/* -- SNOMED CT ------------------------------------------------------------- */

/* Verhoeff's dihedral group of order 10, and his permutations by place */
static const uint8_t dihedral[10][10] = {
	{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 2, 3, 4, 0, 6, 7, 8, 9, 5}, {2, 3, 4, 0, 1, 7, 8, 9, 5, 6}, {3, 4, 0, 1, 2, 8, 9, 5, 6, 7},
	{4, 0, 1, 2, 3, 9, 5, 6, 7, 8}, {5, 9, 8, 7, 6, 0, 4, 3, 2, 1}, {6, 5, 9, 8, 7, 1, 0, 4, 3, 2}, {7, 6, 5, 9, 8, 2, 1, 0, 4, 3},
	{8, 7, 6, 5, 9, 3, 2, 1, 0, 4}, {9, 8, 7, 6, 5, 4, 3, 2, 1, 0},
};
static const uint8_t permuted[8][10] = {
	{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 5, 7, 6, 2, 8, 3, 0, 9, 4}, {5, 8, 0, 3, 7, 9, 6, 1, 4, 2}, {8, 9, 1, 6, 0, 4, 3, 5, 2, 7},
	{9, 4, 5, 3, 1, 2, 6, 8, 7, 0}, {4, 2, 8, 6, 5, 7, 3, 9, 0, 1}, {2, 7, 9, 3, 8, 0, 6, 4, 1, 5}, {7, 0, 4, 6, 9, 1, 3, 2, 5, 8},
};

bool
sct_id_valid(const char *text, size_t len)
{
	unsigned	check = 0;

	if (len < 6 || len > 18 || text[0] == '0')
		return false;
	for (size_t i = 0; i < len; i++)
	{
		char		ch = text[len - 1 - i];

		if (!is_digit(ch))
			return false;
		check = dihedral[check][permuted[i % 8][ch - '0']];
	}
	return check == 0;
}

/* Bytes of a literal in an expression: #number, "text", |term|; 0: none begins here */
static size_t
literal_length(const char *text, size_t len)
{
	size_t		i = 1;

	if (text[0] == '#')
	{
		while (i < len && (is_digit(text[i]) || text[i] == '.' || text[i] == '-' || text[i] == '+'))
			i++;
		return i;
	}
	if (text[0] != '"' && text[0] != '|')
		return 0;
	while (i < len && text[i] != text[0])
		i++;
	return i < len ? i + 1 : len;
}

bool
sct_code_valid(const char *text, size_t len)
{
	size_t		ids = 0;
	size_t		i = 0;

	if (sct_id_valid(text, len))
		return true;
	while (i < len)
	{
		size_t		literal = literal_length(text + i, len - i);
		size_t		begin = i;

		if (literal > 0)
			i += literal;
		else if (strchr(" \t+,:={}()<>$", text[i]) != NULL && text[i] != '\0')
			i++;
		else
		{
			while (i < len && is_digit(text[i]))
				i++;
			if (!sct_id_valid(text + begin, i - begin))
				return false;
			ids++;
		}
	}
	return ids > 0;
}

/* -- LOINC ----------------------------------------------------------------- */

bool
loinc_code_valid(const char *text, size_t len)
{
	static const char *const kinds[] = {"LP", "LA", "LL", "LG"};
	unsigned	sum = 0;
	size_t		digits;
	bool		part = false;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
	{
		if (len > 2 && memcmp(text, kinds[i], 2) == 0)
		{
			text += 2;
			len -= 2;
			part = true;
			break;
		}
	}
	if (len < 3 || len > 10 || text[len - 2] != '-' || !is_digit(text[len - 1]))
		return false;
	digits = len - 2;
	for (size_t i = 0; i < digits; i++)
	{
		char		ch = text[digits - 1 - i];
		unsigned	value;

		if (!is_digit(ch))
			return false;
		value = (unsigned) (ch - '0') * (i % 2 == 0 ? 2 : 1);
		sum += value / 10 + value % 10;
	}
	return part || (10 - sum % 10) % 10 == (unsigned) (text[len - 1] - '0');
}

/* -- systems --------------------------------------------------------------- */

bool
code_form_valid(const char *system, size_t system_len, const char *code, size_t code_len)
{
	static const struct
	{
		const char *system;
		size_t		len;
		bool		(*valid) (const char *text, size_t len);
	}			forms[] = {
		{"http://loinc.org", 16, loinc_code_valid},
		{"http://snomed.info/sct", 22, sct_code_valid},
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
	{
		if (system_len == forms[i].len && memcmp(system, forms[i].system, system_len) == 0)
			return forms[i].valid(code, code_len);
	}
	return true;
}
