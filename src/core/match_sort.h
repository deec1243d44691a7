/*
 * match_sort.h
 *		Sorting rows by a 64-bit key: grouping is all that matching needs.
 */
#ifndef EHR_CORE_MATCH_SORT_H
#define EHR_CORE_MATCH_SORT_H

#include "core.h"

typedef struct KeyRow
{
	uint64_t	key;
	uint32_t	row;
} KeyRow;

/* Sorts a by key, stably, in linear time; spare has room for n. */
extern void match_sort(KeyRow *a, KeyRow *spare, size_t n);

/* How many entries from a[from] on share its key. */
static inline size_t
match_run(const KeyRow *a, size_t from, size_t n)
{
	size_t		to = from + 1;

	while (to < n && a[to].key == a[from].key)
		to++;
	return to - from;
}

#endif							/* EHR_CORE_MATCH_SORT_H */
