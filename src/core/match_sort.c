/*
 * match_sort.c
 *		Radix sort, least significant byte first; insertion sort for few.
 */
#include "match_sort.h"

#include <string.h>

#define FEW 48

static void
sort_few(KeyRow *a, size_t n)
{
	size_t		i,
				j;

	for (i = 1; i < n; i++)
	{
		KeyRow		x = a[i];

		for (j = i; j > 0 && a[j - 1].key > x.key; j--)
			a[j] = a[j - 1];
		a[j] = x;
	}
}

void
match_sort(KeyRow *a, KeyRow *spare, size_t n)
{
	size_t		count[8][256];
	KeyRow	   *from = a;
	KeyRow	   *to = spare;
	size_t		i;
	int			digit;

	if (n <= FEW)
	{
		sort_few(a, n);
		return;
	}
	memset(count, 0, sizeof count);
	for (i = 0; i < n; i++)
		for (digit = 0; digit < 8; digit++)
			count[digit][a[i].key >> digit * 8 & 0xff]++;
	for (digit = 0; digit < 8; digit++)
	{
		size_t	   *c = count[digit];
		size_t		at = 0;
		KeyRow	   *swap = from;

		/* a byte that is the same everywhere needs no pass */
		if (c[a[0].key >> digit * 8 & 0xff] == n)
			continue;
		for (i = 0; i < 256; i++)
		{
			size_t		here = c[i];

			c[i] = at;
			at += here;
		}
		for (i = 0; i < n; i++)
			to[c[from[i].key >> digit * 8 & 0xff]++] = from[i];
		from = to;
		to = swap;
	}
	if (from != a)
		memcpy(a, from, n * sizeof *a);
}
