/*
 * fhir_unit.h
 *		What the unit tests of FHIR's core share: a context that counts and can fail, mutations.
 */
#ifndef FHIR_UNIT_H
#define FHIR_UNIT_H

#include <stdlib.h>
#include <string.h>

#include "core.h"

typedef struct TestMemory
{
	long		fail_at;		/* the allocation that fails; -1: none */
	long		count;
	bool		interrupt;
} TestMemory;

static inline void *
unit_alloc(void *arg, size_t size)
{
	TestMemory *m = arg;

	return m->count++ == m->fail_at ? NULL : malloc(size);
}

static inline void
unit_free(void *arg, void *ptr)
{
	(void) arg;
	free(ptr);
}

static inline bool
unit_interrupted(void *arg)
{
	return ((TestMemory *) arg)->interrupt;
}

#define TEST_CONTEXT(memory) {unit_alloc, unit_free, unit_interrupted, (memory), 256}

/* Changes a text of *len bytes in a buffer of size bytes at a few places. */
static inline void
mutate(char *text, size_t *len, size_t size, const char *alphabet, unsigned *seed)
{
	for (int changes = 1 + rand_r(seed) % 3; changes > 0; changes--)
	{
		size_t		at = *len > 0 ? rand_r(seed) % *len : 0;
		char		c = alphabet[rand_r(seed) % strlen(alphabet)];
		size_t		n;

		switch (rand_r(seed) % 4)
		{
			case 0:
				if (*len > 0)
					text[at] = c;
				break;
			case 1:
				n = 1 + rand_r(seed) % 8;
				if (at + n <= *len)
				{
					memmove(text + at, text + at + n, *len - at - n);
					*len -= n;
				}
				break;
			case 2:
				if (*len < size)
				{
					memmove(text + at + 1, text + at, *len - at);
					text[at] = c;
					(*len)++;
				}
				break;
			default:		/* a piece of the text again, elsewhere */
				n = 1 + rand_r(seed) % 16;
				if (*len > n && *len + n <= size)
				{
					size_t		from = rand_r(seed) % (*len - n);
					char		piece[16];

					memcpy(piece, text + from, n);
					memmove(text + at + n, text + at, *len - at);
					memcpy(text + at, piece, n);
					*len += n;
				}
		}
	}
}

#endif							/* FHIR_UNIT_H */
