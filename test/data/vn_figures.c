/*-------------------------------------------------------------------------
 *
 * vn_figures.c
 *		How hard the rows are, and how good an answer is: counts of pairs.
 *
 *-------------------------------------------------------------------------
 */
#include "vn_figures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGIT_BITS 11
#define DIGITS ((64 + DIGIT_BITS - 1) / DIGIT_BITS)
#define BUCKETS (1 << DIGIT_BITS)

/* Least significant digit first; a digit that all keys share costs one look. */
void
sort_items(Item *items, size_t n)
{
	static size_t count[DIGITS][BUCKETS];
	Item	   *spare = need(n * sizeof(Item));
	Item	   *from = items,
			   *to = spare;

	memset(count, 0, sizeof count);
	for (size_t i = 0; i < n; i++)
		for (int d = 0; d < DIGITS; d++)
			count[d][items[i].key >> (d * DIGIT_BITS) & (BUCKETS - 1)]++;
	for (int d = 0; d < DIGITS; d++)
	{
		size_t		sum = 0;
		Item	   *swap = from;

		if (n == 0 || count[d][from[0].key >> (d * DIGIT_BITS) & (BUCKETS - 1)] == n)
			continue;
		for (int b = 0; b < BUCKETS; b++)
		{
			size_t		c = count[d][b];

			count[d][b] = sum;
			sum += c;
		}
		for (size_t i = 0; i < n; i++)
			to[count[d][from[i].key >> (d * DIGIT_BITS) & (BUCKETS - 1)]++] = from[i];
		from = to;
		to = swap;
	}
	if (from != items)
		memcpy(items, from, n * sizeof(Item));
	free(spare);
}

static uint64_t
pairs_of(uint64_t n)
{
	return n * (n - 1) / 2;
}

/* Pairs with the same person among one group; sorts the group. */
static uint64_t
true_pairs(Item *group, size_t n)
{
	uint64_t	pairs = 0;
	size_t		start = 0;

	if (n < 2)
		return 0;
	/* a small group needs no sorting machine */
	if (n <= 16)
	{
		for (size_t i = 1; i < n; i++)
			for (size_t j = 0; j < i; j++)
				pairs += group[i].value == group[j].value;
		return pairs;
	}
	for (size_t i = 0; i < n; i++)
		group[i].key = group[i].value;
	sort_items(group, n);
	for (size_t i = 1; i <= n; i++)
		if (i == n || group[i].key != group[start].key)
		{
			pairs += pairs_of(i - start);
			start = i;
		}
	return pairs;
}

PairCount
count_pairs(const uint64_t *keys, const uint32_t *persons, size_t n)
{
	PairCount	c = {0};
	Item	   *items = need(n * sizeof(Item));
	size_t		m = 0;

	for (size_t i = 0; i < n; i++)
		items[i] = (Item){persons[i], persons[i]};
	sort_items(items, n);
	for (size_t start = 0, i = 1; i <= n; i++)
		if (i == n || items[i].key != items[start].key)
		{
			c.truth += pairs_of(i - start);
			start = i;
		}
	for (size_t i = 0; i < n; i++)
		if (keys[i])
			items[m++] = (Item){keys[i], persons[i]};
	c.groups = n - m;
	sort_items(items, m);
	for (size_t start = 0, i = 1; m > 0 && i <= m; i++)
		if (i == m || items[i].key != items[start].key)
		{
			c.groups++;
			c.found += pairs_of(i - start);
			c.right += true_pairs(items + start, i - start);
			start = i;
		}
	free(items);
	return c;
}

double
precision(const PairCount *c)
{
	return c->found ? (double) c->right / (double) c->found : 1.0;
}

double
recall(const PairCount *c)
{
	return c->truth ? (double) c->right / (double) c->truth : 1.0;
}

double
f1(const PairCount *c)
{
	return c->found + c->truth ? 2.0 * (double) c->right / (double) (c->found + c->truth) : 1.0;
}

uint64_t
text_key(const char *text)
{
	uint64_t	h = UINT64_C(0xcbf29ce484222325);

	if (*text == '\0')
		return 0;
	for (; *text; text++)
		h = (h ^ (unsigned char) *text) * UINT64_C(0x100000001b3);
	h = mix64(h);
	return h ? h : 1;
}

uint64_t
join_keys(uint64_t a, uint64_t b)
{
	uint64_t	h = mix64(a ^ mix64(b + UINT64_C(0x9e3779b97f4a7c15)));

	return a == 0 || b == 0 ? 0 : h ? h : 1;
}

/* The digits of a text; at most 31. */
static size_t
digits_of(char *to, const char *text)
{
	size_t		n = 0;

	for (; *text && n < 31; text++)
		if (*text >= '0' && *text <= '9')
			to[n++] = *text;
	to[n] = '\0';
	return n;
}

uint64_t
id_key(const char *text)
{
	static const char counting[] = "01234567890123456789012345678901234567890";
	char		digits[32];
	size_t		n = digits_of(digits, text);

	if (n < 9 || strspn(digits, (char[]) {digits[0], '\0'}) == n || strncmp(digits, counting + (digits[0] - '0'), n) == 0)
		return 0;
	return text_key(digits);
}

uint64_t
phone_key(const Tables *tables, const char *text)
{
	char		raw[34];
	char	   *digits = raw + 1;
	size_t		n = digits_of(digits, text);

	if ((n == 11 || n == 12) && strncmp(digits, "84", 2) == 0)
	{
		digits++;
		n--;
	}
	else if ((n == 9 || n == 10) && *digits != '0')
	{
		digits--;
		n++;
	}
	if (n < 9)
		return 0;
	*digits = '0';
	if (n == 11)
		for (uint32_t i = 0; i < tables->n_prefixes; i++)
		{
			const char *before = tables->prefixes[i].before_2018;

			if (before && strncmp(digits, before, 4) == 0)
			{
				digits++;
				memcpy(digits, tables->prefixes[i].now, 3);
				break;
			}
		}
	return text_key(digits);
}

uint64_t
date_key(const char *text)
{
	if (strlen(text) != 10 || strncmp(text + 5, "00", 2) == 0 || strncmp(text + 8, "00", 2) == 0)
		return 0;
	return text_key(text);
}

uint64_t
name_key(const char *text)
{
	char		folded[512];

	if (strlen(text) >= sizeof folded)
		return text_key(text);
	text_fold(folded, text);
	return text_key(folded);
}

uint64_t
short_name_key(const char *text)
{
	char		folded[512];
	char	   *first_end,
			   *last;

	if (strlen(text) >= sizeof folded)
		return 0;
	text_fold(folded, text);
	first_end = strchr(folded, ' ');
	last = strrchr(folded, ' ');
	if (!last)
		return 0;
	memmove(first_end, last, strlen(last) + 1);
	return text_key(folded);
}

enum
{
	K_ID, K_PHONE, K_DATE, K_NAME, K_NAME_DATE, K_SHORT_NAME_DATE, K_NAME_WARD, KEYS
};

struct Figures
{
	const Tables *tables;
	uint64_t	rows,
				added;
	uint32_t   *persons;
	uint64_t   *keys[KEYS];
};

static const char *const key_names[KEYS] = {
	"ID", "phone", "full birth date", "name without marks", "name and birth date", "surname, given name and birth date",
	"name and ward",
};

Figures *
figures_start(const Tables *tables, uint64_t rows)
{
	Figures    *f = need(sizeof *f);

	f->tables = tables;
	f->rows = rows;
	f->persons = need(rows * sizeof(uint32_t));
	for (int k = 0; k < KEYS; k++)
		f->keys[k] = need(rows * sizeof(uint64_t));
	return f;
}

void
figures_add(Figures *f, uint32_t person, const char *name, const char *birth_date,
			const char *phone, const char *id, const char *ward)
{
	uint64_t	i = f->added++;
	uint64_t	date = date_key(birth_date);

	f->persons[i] = person;
	f->keys[K_ID][i] = id_key(id);
	f->keys[K_PHONE][i] = phone_key(f->tables, phone);
	f->keys[K_DATE][i] = date;
	f->keys[K_NAME][i] = name_key(name);
	f->keys[K_NAME_DATE][i] = join_keys(f->keys[K_NAME][i], date);
	f->keys[K_SHORT_NAME_DATE][i] = join_keys(short_name_key(name), date);
	f->keys[K_NAME_WARD][i] = join_keys(f->keys[K_NAME][i], text_key(ward));
}

void
figures_print(const Figures *f)
{
	for (int k = 0; k < KEYS; k++)
	{
		PairCount	c = count_pairs(f->keys[k], f->persons, f->added);

		if (k == 0)
			printf("true pairs\t%llu\n", (unsigned long long) c.truth);
		printf("%s\tagree %.2f %%\tprecision alone %.4f\n", key_names[k], 100 * recall(&c), precision(&c));
	}
}
