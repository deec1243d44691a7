/*
 * match_cluster.c
 *		Union-find with guards.
 */
#include "match_cluster.h"

#include <stdlib.h>

CoreStatus
match_forest_make(const CoreContext *cx, MatchForest *forest, uint32_t n)
{
	uint32_t	i;

	forest->n = n;
	forest->parent = cx->alloc(cx->arg, ((size_t) n + 1) * 3 * sizeof *forest->parent);
	if (forest->parent == NULL)
		return CORE_NO_MEMORY;
	forest->next = forest->parent + n;
	forest->size = forest->next + n;
	for (i = 0; i < n; i++)
	{
		forest->parent[i] = forest->next[i] = i;
		forest->size[i] = 1;
	}
	return CORE_OK;
}

void
match_forest_free(const CoreContext *cx, MatchForest *forest)
{
	if (forest->parent != NULL)
		cx->free(cx->arg, forest->parent);
	forest->parent = NULL;
}

uint32_t
match_forest_root(MatchForest *forest, uint32_t x)
{
	uint32_t   *parent = forest->parent;

	while (parent[x] != x)
	{
		parent[x] = parent[parent[x]];
		x = parent[x];
	}
	return x;
}

bool
match_forest_join(MatchForest *forest, uint32_t a, uint32_t b)
{
	uint32_t	swap;

	a = match_forest_root(forest, a);
	b = match_forest_root(forest, b);
	if (a == b)
		return false;
	if (forest->size[a] < forest->size[b] || (forest->size[a] == forest->size[b] && a > b))
	{
		swap = a;
		a = b;
		b = swap;
	}
	forest->parent[b] = a;
	forest->size[a] += forest->size[b];
	swap = forest->next[a];
	forest->next[a] = forest->next[b];
	forest->next[b] = swap;
	return true;
}

static bool
clusters_may_join(const MatchForest *forest, uint32_t a, uint32_t b, MatchJoinFn may_join, void *arg)
{
	uint32_t	x = a;
	int			asked = 0;

	do
	{
		uint32_t	y = b;

		do
		{
			if (asked++ == MATCH_JOIN_ASKED)
				return true;
			if (!may_join(arg, x, y))
				return false;
			y = forest->next[y];
		} while (y != b);
		x = forest->next[x];
	} while (x != a);
	return true;
}

static int
better_first(const void *x, const void *y)
{
	const MatchEdge *a = x;
	const MatchEdge *b = y;

	if (a->bits != b->bits)
		return a->bits > b->bits ? -1 : 1;
	if (a->a != b->a)
		return a->a < b->a ? -1 : 1;
	return a->b < b->b ? -1 : a->b > b->b;
}

CoreStatus
match_cluster(const CoreContext *cx, MatchForest *forest, MatchEdge *edges, size_t nedges,
			  MatchJoinFn may_join, void *arg, uint64_t *refused)
{
	size_t		i;

	*refused = 0;
	qsort(edges, nedges, sizeof *edges, better_first);
	for (i = 0; i < nedges; i++)
	{
		uint32_t	a = match_forest_root(forest, edges[i].a);
		uint32_t	b = match_forest_root(forest, edges[i].b);

		if (i % 4096 == 0 && core_interrupted(cx))
			return CORE_INTERRUPTED;
		if (a == b)
			continue;
		if (clusters_may_join(forest, edges[i].a, edges[i].b, may_join, arg))
			match_forest_join(forest, a, b);
		else
			(*refused)++;
	}
	return CORE_OK;
}
