/*
 * Union-find with guards against a brute-force clusterer that keeps sets as
 * label arrays, on random graphs with random vetoes; edges in random order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "match_cluster.h"
#include "match_sort.h"

#define N_MAX 40

static uint64_t seed = 7;

static uint32_t
next(uint32_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t) (seed >> 33) % below;
}

static void *
plain_alloc(void *arg, size_t size)
{
	return malloc(size);
}

static void
plain_free(void *arg, void *p)
{
	free(p);
}

static const CoreContext core = {plain_alloc, plain_free, NULL, NULL, 100};

static bool veto[N_MAX][N_MAX];

static bool
may_join(void *arg, uint32_t a, uint32_t b)
{
	return !veto[a][b];
}

static void
shuffle(MatchEdge *e, int n)
{
	int			i;

	for (i = n - 1; i > 0; i--)
	{
		int			j = (int) next((uint32_t) i + 1);
		MatchEdge	x = e[i];

		e[i] = e[j];
		e[j] = x;
	}
}

/* best edge first, by repeated search; clusters as labels */
static void
naive_cluster(int *label, int n, const MatchEdge *edges, int nedges)
{
	bool		done[400] = {false};
	int			k,
				i,
				j;

	for (i = 0; i < n; i++)
		label[i] = i;
	for (k = 0; k < nedges; k++)
	{
		int			best = -1;
		bool		clash = false;
		int			la,
					lb;

		for (i = 0; i < nedges; i++)
			if (!done[i] && (best < 0 || edges[i].bits > edges[best].bits ||
							 (edges[i].bits == edges[best].bits &&
							  (edges[i].a < edges[best].a || (edges[i].a == edges[best].a && edges[i].b < edges[best].b)))))
				best = i;
		done[best] = true;
		la = label[edges[best].a];
		lb = label[edges[best].b];
		if (la == lb)
			continue;
		for (i = 0; i < n; i++)
			for (j = 0; j < n; j++)
				if (label[i] == la && label[j] == lb && veto[i][j])
					clash = true;
		for (i = 0; i < n && !clash; i++)
			if (label[i] == lb)
				label[i] = la;
	}
}

static void
test_cluster_against_brute_force(void **state)
{
	int			round;

	for (round = 0; round < 3000; round++)
	{
		uint32_t	n = 2 + next(N_MAX - 2);
		int			nedges = (int) next(2 * n);
		MatchEdge	edges[400];
		int			label[N_MAX];
		MatchForest forest;
		uint64_t	refused;
		uint32_t	i,
					j;
		int			k;

		memset(veto, 0, sizeof veto);
		for (k = 0; k < (int) next(n); k++)
		{
			i = next(n);
			j = next(n);
			veto[i][j] = veto[j][i] = i != j;
		}
		for (k = 0; k < nedges; k++)
		{
			edges[k].a = next(n);
			edges[k].b = next(n);
			edges[k].bits = (float) next(5);
		}
		naive_cluster(label, (int) n, edges, nedges);
		for (k = 0; k < 3; k++)
		{
			shuffle(edges, nedges);
			assert_int_equal(match_forest_make(&core, &forest, n), CORE_OK);
			assert_int_equal(match_cluster(&core, &forest, edges, (size_t) nedges, may_join, NULL, &refused), CORE_OK);
			for (i = 0; i < n; i++)
				for (j = 0; j < n; j++)
					assert_int_equal(match_forest_root(&forest, i) == match_forest_root(&forest, j), label[i] == label[j]);
			match_forest_free(&core, &forest);
		}
	}
}

static int
by_key(const void *x, const void *y)
{
	const KeyRow *a = x;
	const KeyRow *b = y;

	if (a->key != b->key)
		return a->key < b->key ? -1 : 1;
	return a->row < b->row ? -1 : a->row > b->row;
}

static void
test_sort_against_qsort(void **state)
{
	static const size_t sizes[] = {0, 1, 2, 47, 48, 49, 1000, 30000};
	size_t		s;
	size_t		i;

	for (s = 0; s < sizeof sizes / sizeof *sizes; s++)
	{
		size_t		n = sizes[s];
		KeyRow	   *a = calloc(n + 1, sizeof *a);
		KeyRow	   *b = calloc(n + 1, sizeof *b);
		KeyRow	   *spare = calloc(n + 1, sizeof *spare);

		for (i = 0; i < n; i++)
		{
			a[i].key = s % 2 ? (uint64_t) next(1u << 31) * next(1u << 31) : next(300);
			a[i].row = (uint32_t) i;
			b[i] = a[i];
		}
		match_sort(a, spare, n);
		qsort(b, n, sizeof *b, by_key);
		for (i = 0; i < n; i++)
			assert_true(a[i].key == b[i].key && a[i].row == b[i].row);
		free(a);
		free(b);
		free(spare);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cluster_against_brute_force),
		cmocka_unit_test(test_sort_against_qsort),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
