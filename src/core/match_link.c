/*
 * match_link.c
 *		Bulk linking, phase by phase.
 */
#include "match_link.h"

#include <math.h>
#include <string.h>

#include "match_sort.h"
#include "match_train.h"

#define SAMPLE_MAX 300000		/* candidate pairs to train on */
#define RANDOM_PAIRS 300000
#define TRAIN_ROWS 2000			/* fewer teach nothing: the shipped parameters do */

const MatchOptions match_options_default = {0.9, 0.5, NULL, NULL, 0};

/* ---- canonical order ---- */

static CoreStatus
order_rows(const CoreContext *cx, MatchRow *rows, uint32_t n)
{
	KeyRow	   *keys = cx->alloc(cx->arg, 2 * ((size_t) n + 1) * sizeof *keys);
	uint32_t	i;

	if (keys == NULL)
		return CORE_NO_MEMORY;
	for (i = 0; i < n; i++)
	{
		keys[i].key = rows[i].content;
		keys[i].row = i;
	}
	match_sort(keys, keys + n, n);
	/* moves rows along the cycles of the permutation */
	for (i = 0; i < n; i++)
	{
		MatchRow	first;
		uint32_t	to = i;

		if (keys[i].row == i)
			continue;
		first = rows[i];
		while (keys[to].row != i)
		{
			uint32_t	from = keys[to].row;

			rows[to] = rows[from];
			keys[to].row = to;
			to = from;
		}
		rows[to] = first;
		keys[to].row = to;
	}
	cx->free(cx->arg, keys);
	return CORE_OK;
}

/* ---- training ---- */

static uint64_t
mixed(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

typedef struct Sample
{
	const MatchRow *rows;
	MatchVector *vector;
	uint64_t   *lot;			/* a pair is in the sample when its lot is below the limit */
	size_t		n;
	uint64_t	limit;
} Sample;

static CoreStatus
sample_pair(void *arg, uint32_t a, uint32_t b)
{
	Sample	   *s = arg;
	uint64_t	lot = mixed(s->rows[a].content * 31 + s->rows[b].content);
	size_t		kept = 0;
	size_t		i;

	if (lot > s->limit)
		return CORE_OK;
	if (s->n == SAMPLE_MAX)
	{
		/* full: go on with half the rate */
		s->limit >>= 1;
		for (i = 0; i < s->n; i++)
			if (s->lot[i] <= s->limit)
			{
				s->lot[kept] = s->lot[i];
				s->vector[kept++] = s->vector[i];
			}
		s->n = kept;
		if (lot > s->limit)
			return CORE_OK;
	}
	s->lot[s->n] = lot;
	match_compare(&s->rows[a], &s->rows[b], &s->vector[s->n++]);
	return CORE_OK;
}

static size_t
random_pairs(const MatchRow *rows, uint32_t n, MatchVector *vector)
{
	uint64_t	draw = 0;
	size_t		k;

	if (n < 2)
		return 0;
	for (k = 0; k < RANDOM_PAIRS; k++)
	{
		uint32_t	a = (uint32_t) (mixed(++draw * UINT64_C(0x9e3779b97f4a7c15)) % n);
		uint32_t	b = (uint32_t) (mixed(++draw * UINT64_C(0x9e3779b97f4a7c15)) % (n - 1));

		match_compare(&rows[a], &rows[b < a ? b : b + 1], &vector[k]);
	}
	return k;
}

static CoreStatus
train(const CoreContext *cx, const MatchRow *rows, uint32_t n, const MatchCounts *counts, MatchOutcome *out)
{
	MatchVector *random = cx->alloc(cx->arg, RANDOM_PAIRS * sizeof *random);
	Sample		s = {rows, NULL, NULL, 0, UINT64_MAX};
	CoreStatus	status = CORE_NO_MEMORY;

	s.vector = cx->alloc(cx->arg, SAMPLE_MAX * sizeof *s.vector);
	s.lot = cx->alloc(cx->arg, SAMPLE_MAX * sizeof *s.lot);
	if (random != NULL && s.vector != NULL && s.lot != NULL)
		status = match_block(cx, rows, n, sample_pair, &s, &out->blocks);
	if (status == CORE_OK)
	{
		MatchTraining t = {s.vector, s.n, ldexp((double) s.limit, -64), random, 0, *counts, n};

		t.nrandom = random_pairs(rows, n, random);
		match_train(&out->model, &t);
	}
	if (s.lot != NULL)
		cx->free(cx->arg, s.lot);
	if (s.vector != NULL)
		cx->free(cx->arg, s.vector);
	if (random != NULL)
		cx->free(cx->arg, random);
	return status;
}

/* ---- scoring ---- */

typedef struct EdgeList
{
	MatchEdge  *edge;
	size_t		n;
	size_t		room;
} EdgeList;

typedef struct Scoring
{
	const CoreContext *cx;
	const MatchRow *rows;
	MatchOutcome *out;
	const MatchOptions *options;
	double		link_bits;
	double		review_bits;
	EdgeList	links;
	EdgeList	reviews;
} Scoring;

static CoreStatus
push_edge(const CoreContext *cx, EdgeList *list, uint32_t a, uint32_t b, double bits)
{
	if (list->n == list->room)
	{
		size_t		room = list->room == 0 ? 1024 : list->room * 2;
		MatchEdge  *more = cx->alloc(cx->arg, room * sizeof *more);

		if (more == NULL)
			return CORE_NO_MEMORY;
		if (list->edge != NULL)
		{
			memcpy(more, list->edge, list->n * sizeof *more);
			cx->free(cx->arg, list->edge);
		}
		list->edge = more;
		list->room = room;
	}
	list->edge[list->n].a = a;
	list->edge[list->n].b = b;
	list->edge[list->n++].bits = (float) bits;
	return CORE_OK;
}

static CoreStatus
score_pair(void *arg, uint32_t a, uint32_t b)
{
	Scoring    *s = arg;
	MatchVector v;
	MatchVeto	veto;
	double		bits;

	match_compare(&s->rows[a], &s->rows[b], &v);
	bits = match_score(&s->out->model, &v);
	s->out->candidates++;
	if (bits < s->review_bits)
		return CORE_OK;
	veto = match_veto(&s->rows[a], &s->rows[b], &v);
	if (veto != VETO_NONE)
	{
		s->out->vetoed += bits >= s->link_bits;
		return veto == VETO_STRANGERS ? push_edge(s->cx, &s->reviews, a, b, bits) : CORE_OK;
	}
	return push_edge(s->cx, bits >= s->link_bits ? &s->links : &s->reviews, a, b, bits);
}

/* Did somebody decide that these are two persons? */
static bool
kept_apart(const MatchOptions *o, int64_t a, int64_t b)
{
	size_t		from = 0;
	size_t		to = o->napart;
	int64_t		lesser = a < b ? a : b;
	int64_t		greater = a < b ? b : a;

	while (from < to)
	{
		size_t		at = from + (to - from) / 2;
		const int64_t *p = o->apart[at];

		if (p[0] == lesser && p[1] == greater)
			return true;
		if (p[0] < lesser || (p[0] == lesser && p[1] < greater))
			from = at + 1;
		else
			to = at;
	}
	return false;
}

static bool
may_join(void *arg, uint32_t a, uint32_t b)
{
	const Scoring *s = arg;
	MatchVector v;

	if (s->options->napart > 0 && kept_apart(s->options, s->rows[a].subject, s->rows[b].subject))
		return false;
	match_compare(&s->rows[a], &s->rows[b], &v);
	return match_veto(&s->rows[a], &s->rows[b], &v) == VETO_NONE && !match_contradicts(&v);
}

/* Rows that are one person's already stay so. */
static CoreStatus
join_known(const Scoring *s, MatchForest *forest, uint32_t n)
{
	KeyRow	   *keys = s->cx->alloc(s->cx->arg, 2 * ((size_t) n + 1) * sizeof *keys);
	uint32_t	m = 0;
	uint32_t	i;

	if (keys == NULL)
		return CORE_NO_MEMORY;
	for (i = 0; i < n; i++)
		if (s->rows[i].person != 0)
		{
			keys[m].key = (uint64_t) s->rows[i].person;
			keys[m++].row = i;
		}
	match_sort(keys, keys + n, m);
	for (i = 1; i < m; i++)
		if (keys[i].key == keys[i - 1].key)
			match_forest_join(forest, keys[i].row, keys[i - 1].row);
	s->cx->free(s->cx->arg, keys);
	return CORE_OK;
}

static CoreStatus
form_clusters(Scoring *s, uint32_t n)
{
	MatchOutcome *out = s->out;
	CoreStatus	status = match_forest_make(s->cx, &out->forest, n);
	size_t		i;

	if (status != CORE_OK)
		return status;
	out->best = s->cx->alloc(s->cx->arg, ((size_t) n + 1) * sizeof *out->best);
	if (out->best == NULL)
		return CORE_NO_MEMORY;
	for (i = 0; i < n; i++)
		out->best[i] = -INFINITY;
	status = join_known(s, &out->forest, n);
	if (status == CORE_OK)
		status = match_cluster(s->cx, &out->forest, s->links.edge, s->links.n, may_join, s, &out->refused);
	for (i = 0; status == CORE_OK && i < s->links.n; i++)
	{
		MatchEdge  *e = &s->links.edge[i];

		if (match_forest_root(&out->forest, e->a) == match_forest_root(&out->forest, e->b))
		{
			if (e->bits > out->best[e->a])
				out->best[e->a] = e->bits;
			if (e->bits > out->best[e->b])
				out->best[e->b] = e->bits;
		}
		else
			status = push_edge(s->cx, &s->reviews, e->a, e->b, e->bits);
	}
	return status;
}

CoreStatus
match_link(const CoreContext *cx, MatchRow *rows, uint32_t n, const MatchOptions *options, MatchOutcome *out)
{
	Scoring		s = {cx, rows, out, options, match_bits(options->link), match_bits(options->review), {0}, {0}};
	MatchCounts counts;
	CoreStatus	status;

	memset(out, 0, sizeof *out);
	status = order_rows(cx, rows, n);
	if (status == CORE_OK)
		status = match_count_rows(cx, rows, n, &counts);
	if (status == CORE_OK)
	{
		if (options->model != NULL)
			out->model = *options->model;
		else if (n < TRAIN_ROWS)
			match_model_default(&out->model, n < MATCH_LEAST_ROWS ? MATCH_LEAST_ROWS : n);
		else
			status = train(cx, rows, n, &counts, out);
	}
	if (status == CORE_OK)
		status = match_block(cx, rows, n, score_pair, &s, &out->blocks);
	if (status == CORE_OK)
		status = form_clusters(&s, n);
	out->linked = s.links.n;
	if (s.links.edge != NULL)
		cx->free(cx->arg, s.links.edge);
	out->review = s.reviews.edge;
	out->nreview = s.reviews.n;
	if (status != CORE_OK)
		match_outcome_free(cx, out);
	return status;
}

void
match_outcome_free(const CoreContext *cx, MatchOutcome *out)
{
	match_forest_free(cx, &out->forest);
	if (out->best != NULL)
		cx->free(cx->arg, out->best);
	if (out->review != NULL)
		cx->free(cx->arg, out->review);
	out->best = NULL;
	out->review = NULL;
}
