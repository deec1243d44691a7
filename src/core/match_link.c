/*
 * match_link.c
 *		Bulk linking, phase by phase.
 */
#include "match_link.h"

#include <math.h>
#include <string.h>

#include "match_sort.h"

#define SAMPLE_MAX 300000		/* candidate pairs to train on */
#define RANDOM_PAIRS 300000
#define SORT_MEMORY ((size_t) 1 << 32)

const MatchOptions match_options_default = {0.9, 0.5, NULL, NULL, 0, SORT_MEMORY};

/* ---- canonical order ---- */

/* Rows with one key: by all of their content. */
static void
settle_ties(const MatchRow *rows, KeyRow *keys, size_t n)
{
	size_t		i,
				j;

	for (i = 1; i < n; i++)
	{
		KeyRow		x = keys[i];

		for (j = i; j > 0 && keys[j - 1].key == x.key && rows[keys[j - 1].row].content > rows[x.row].content; j--)
			keys[j] = keys[j - 1];
		keys[j] = x;
	}
}

CoreStatus
match_order_rows(const CoreContext *cx, MatchRow *rows, uint32_t n)
{
	KeyRow	   *keys = cx->alloc(cx->arg, 2 * ((size_t) n + 1) * sizeof *keys);
	uint32_t	i;

	if (keys == NULL)
		return CORE_NO_MEMORY;
	for (i = 0; i < n; i++)
	{
		keys[i].key = (rows[i].name & UINT64_C(0xffffffff00000000)) | rows[i].content >> 32;
		keys[i].row = i;
	}
	match_sort(keys, keys + n, n);
	settle_ties(rows, keys, n);
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

CoreStatus
match_sample_start(const CoreContext *cx, MatchSample *sample, const MatchRow *rows, uint64_t within)
{
	double		rate = within > SAMPLE_MAX ? (double) SAMPLE_MAX / (double) within : 1;

	memset(sample, 0, sizeof *sample);
	sample->rows = rows;
	sample->limit = rate >= 1 ? UINT64_MAX : (uint64_t) ldexp(rate, 64);
	sample->vector = cx->alloc(cx->arg, SAMPLE_MAX * sizeof *sample->vector);
	sample->lot = cx->alloc(cx->arg, SAMPLE_MAX * sizeof *sample->lot);
	if (sample->vector != NULL && sample->lot != NULL)
		return CORE_OK;
	match_sample_end(cx, sample);
	return CORE_NO_MEMORY;
}

void
match_sample_end(const CoreContext *cx, MatchSample *sample)
{
	if (sample->vector != NULL)
		cx->free(cx->arg, sample->vector);
	if (sample->lot != NULL)
		cx->free(cx->arg, sample->lot);
	sample->vector = NULL;
	sample->lot = NULL;
}

static CoreStatus
sample_pair(void *arg, uint32_t a, uint32_t b)
{
	MatchSample *s = arg;
	uint64_t	lot = s->drawn != UINT64_MAX ? s->drawn : mixed(((uint64_t) a << 32) + b);
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
		if (lot > s->limit || s->n == SAMPLE_MAX)
			return CORE_OK;
	}
	s->lot[s->n] = lot;
	match_compare(&s->rows[a], &s->rows[b], &s->vector[s->n++]);
	return CORE_OK;
}

CoreStatus
match_sample_block(MatchSample *sample, MatchBlocking *b, int rule, const uint32_t *row, uint32_t n)
{
	/* small blocks go in whole, of large ones each pair has a lot of its own */
	sample->drawn = n > MATCH_BLOCK_MAX ? UINT64_MAX : mixed(((uint64_t) rule << 32) + row[0] + UINT64_C(0x5bd1e995)) >> 1 << 1;
	if (sample->drawn != UINT64_MAX && sample->drawn > sample->limit)
		return CORE_OK;
	return match_block_pairs(b, rule, row, n, sample_pair, sample);
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

CoreStatus
match_sample_train(const CoreContext *cx, MatchSample *sample, uint32_t n, const MatchCounts *counts, MatchModel *model)
{
	MatchVector *random = cx->alloc(cx->arg, RANDOM_PAIRS * sizeof *random);
	MatchTraining t = {sample->vector, sample->n, ldexp((double) sample->limit, -64), random, 0, *counts, n};

	if (random == NULL)
		return CORE_NO_MEMORY;
	t.nrandom = random_pairs(sample->rows, n, random);
	match_train(model, &t);
	cx->free(cx->arg, random);
	return CORE_OK;
}

/* ---- scoring ---- */

CoreStatus
match_edge_push(const CoreContext *cx, MatchEdgeList *list, const MatchEdge *edge)
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
	list->edge[list->n++] = *edge;
	return CORE_OK;
}

CoreStatus
match_score_pair(void *arg, uint32_t a, uint32_t b)
{
	MatchScorer *s = arg;
	MatchVector v;
	MatchVeto	veto;
	MatchEdge	edge = {a, b, 0};
	double		bits;

	match_compare(&s->rows[a], &s->rows[b], &v);
	bits = match_score(s->model, &v);
	edge.bits = (float) bits;
	s->candidates++;
	if (bits < s->review_bits)
		return CORE_OK;
	veto = match_veto(&s->rows[a], &s->rows[b], &v);
	if (veto != VETO_NONE)
	{
		s->vetoed += bits >= s->link_bits;
		return veto == VETO_STRANGERS ? s->fn(s->arg, &edge, false) : CORE_OK;
	}
	s->linked += bits >= s->link_bits;
	return s->fn(s->arg, &edge, bits >= s->link_bits);
}

/* ---- clusters ---- */

typedef struct Joining
{
	const MatchRow *rows;
	const MatchOptions *options;
} Joining;

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
	const Joining *j = arg;
	MatchVector v;

	if (j->options->napart > 0 && kept_apart(j->options, j->rows[a].subject, j->rows[b].subject))
		return false;
	match_compare(&j->rows[a], &j->rows[b], &v);
	return match_veto(&j->rows[a], &j->rows[b], &v) == VETO_NONE && !match_contradicts(&v);
}

/* Rows that are one person's already stay so. */
static CoreStatus
join_known(const CoreContext *cx, const MatchRow *rows, MatchForest *forest, uint32_t n)
{
	KeyRow	   *keys;
	uint32_t	known = 0;
	uint32_t	m = 0;
	uint32_t	i;

	for (i = 0; i < n; i++)
		known += rows[i].person != 0;
	if (known < 2)
		return CORE_OK;
	keys = cx->alloc(cx->arg, 2 * (size_t) known * sizeof *keys);
	if (keys == NULL)
		return CORE_NO_MEMORY;
	for (i = 0; i < n; i++)
		if (rows[i].person != 0)
		{
			keys[m].key = (uint64_t) rows[i].person;
			keys[m++].row = i;
		}
	match_sort(keys, keys + known, m);
	for (i = 1; i < m; i++)
		if (keys[i].key == keys[i - 1].key)
			match_forest_join(forest, keys[i].row, keys[i - 1].row);
	cx->free(cx->arg, keys);
	return CORE_OK;
}

CoreStatus
match_form_clusters(const CoreContext *cx, const MatchRow *rows, uint32_t n, const MatchOptions *options,
					MatchEdgeList *links, MatchEdgeList *reviews, MatchOutcome *out)
{
	Joining		j = {rows, options};
	CoreStatus	status = match_forest_make(cx, &out->forest, n);
	size_t		i;

	if (status != CORE_OK)
		return status;
	out->best = cx->alloc(cx->arg, ((size_t) n + 1) * sizeof *out->best);
	if (out->best == NULL)
		return CORE_NO_MEMORY;
	for (i = 0; i < n; i++)
		out->best[i] = -INFINITY;
	status = join_known(cx, rows, &out->forest, n);
	if (status == CORE_OK)
		status = match_cluster(cx, &out->forest, links->edge, links->n, may_join, &j, &out->refused);
	for (i = 0; status == CORE_OK && i < links->n; i++)
	{
		MatchEdge  *e = &links->edge[i];

		if (match_forest_root(&out->forest, e->a) == match_forest_root(&out->forest, e->b))
		{
			if (e->bits > out->best[e->a])
				out->best[e->a] = e->bits;
			if (e->bits > out->best[e->b])
				out->best[e->b] = e->bits;
		}
		else
			status = match_edge_push(cx, reviews, e);
	}
	return status;
}

/* ---- all in one process ---- */

/* Blocks of one rule: their sizes and rows, one after the other. */
typedef struct BlockList
{
	const CoreContext *cx;
	uint32_t   *word;
	size_t		n;
	size_t		room;
} BlockList;

static CoreStatus
keep_block(void *arg, const uint32_t *row, uint32_t n)
{
	BlockList  *l = arg;

	if (l->n + n + 1 > l->room)
	{
		size_t		room = 2 * l->room + n + 1024;
		uint32_t   *more = l->cx->alloc(l->cx->arg, room * sizeof *more);

		if (more == NULL)
			return CORE_NO_MEMORY;
		if (l->word != NULL)
		{
			memcpy(more, l->word, l->n * sizeof *more);
			l->cx->free(l->cx->arg, l->word);
		}
		l->word = more;
		l->room = room;
	}
	l->word[l->n++] = n;
	memcpy(l->word + l->n, row, n * sizeof *row);
	l->n += n;
	return CORE_OK;
}

typedef struct Sink
{
	const CoreContext *cx;
	MatchEdgeList links;
	MatchEdgeList reviews;
} Sink;

static CoreStatus
sink_edge(void *arg, const MatchEdge *edge, bool link)
{
	Sink	   *s = arg;

	return match_edge_push(s->cx, link ? &s->links : &s->reviews, edge);
}

static CoreStatus
train(const CoreContext *cx, MatchBlocking *b, const BlockList *lists, const MatchCounts *counts, MatchModel *model)
{
	MatchSample sample;
	CoreStatus	status;
	uint64_t	within = 0;
	size_t		i;
	int			rule;

	for (rule = 0; rule < MATCH_RULES; rule++)
		within += b->stats.within[rule];
	status = match_sample_start(cx, &sample, b->rows, within);
	if (status != CORE_OK)
		return status;
	for (rule = 0; rule < MATCH_RULES; rule++)
		for (i = 0; status == CORE_OK && i < lists[rule].n; i += lists[rule].word[i] + 1)
			status = match_sample_block(&sample, b, rule, lists[rule].word + i + 1, lists[rule].word[i]);
	if (status == CORE_OK)
		status = match_sample_train(cx, &sample, b->n, counts, model);
	match_sample_end(cx, &sample);
	memset(b->stats.pairs, 0, sizeof b->stats.pairs);
	return status;
}

static CoreStatus
link_blocks(const CoreContext *cx, MatchBlocking *b, BlockList *lists, const MatchOptions *options, Sink *sink, MatchOutcome *out)
{
	MatchScorer scorer = {b->rows, &out->model, match_bits(options->link), match_bits(options->review), sink_edge, sink, 0, 0, 0};
	MatchCounts counts = {0};
	CoreStatus	status = CORE_OK;
	size_t		i;
	int			rule;

	for (rule = 0; rule < MATCH_RULES && status == CORE_OK; rule++)
		status = match_block_find(b, rule, keep_block, &lists[rule]);
	if (status == CORE_OK)
		status = match_count_rows(cx, b->rows, b->n, &counts, 0, NULL, NULL);
	if (status == CORE_OK)
		status = match_home_pairs(b, &counts.home_pairs);
	if (status != CORE_OK)
		return status;
	if (options->model != NULL)
		out->model = *options->model;
	else if (b->n < MATCH_TRAIN_ROWS)
		match_model_default(&out->model, b->n < MATCH_LEAST_ROWS ? MATCH_LEAST_ROWS : b->n);
	else
		status = train(cx, b, lists, &counts, &out->model);
	for (rule = 0; rule < MATCH_RULES; rule++)
		for (i = 0; status == CORE_OK && i < lists[rule].n; i += lists[rule].word[i] + 1)
		{
			if (core_interrupted(cx))
				return CORE_INTERRUPTED;
			status = match_block_pairs(b, rule, lists[rule].word + i + 1, lists[rule].word[i], match_score_pair, &scorer);
		}
	out->blocks = b->stats;
	out->candidates = scorer.candidates;
	out->vetoed = scorer.vetoed;
	out->linked = scorer.linked;
	return status;
}

CoreStatus
match_link(const CoreContext *cx, MatchRow *rows, uint32_t n, const MatchOptions *options, MatchOutcome *out)
{
	BlockList	lists[MATCH_RULES] = {{NULL}};
	Sink		sink = {cx, {NULL, 0, 0}, {NULL, 0, 0}};
	MatchBlocking b;
	uint16_t   *state = cx->alloc(cx->arg, ((size_t) n + 1) * sizeof *state);
	CoreStatus	status = state == NULL ? CORE_NO_MEMORY : CORE_OK;
	int			rule;

	memset(out, 0, sizeof *out);
	memset(&b, 0, sizeof b);
	for (rule = 0; rule < MATCH_RULES; rule++)
		lists[rule].cx = cx;
	if (status == CORE_OK)
	{
		memset(state, 0, n * sizeof *state);
		status = match_order_rows(cx, rows, n);
	}
	if (status == CORE_OK)
		status = match_blocking_start(&b, cx, rows, n, state, options->memory);
	if (status == CORE_OK)
	{
		status = link_blocks(cx, &b, lists, options, &sink, out);
		match_blocking_end(&b);
	}
	for (rule = 0; rule < MATCH_RULES; rule++)
		if (lists[rule].word != NULL)
			cx->free(cx->arg, lists[rule].word);
	if (state != NULL)
		cx->free(cx->arg, state);
	if (status == CORE_OK)
		status = match_form_clusters(cx, rows, n, options, &sink.links, &sink.reviews, out);
	if (sink.links.edge != NULL)
		cx->free(cx->arg, sink.links.edge);
	out->review = sink.reviews.edge;
	out->nreview = sink.reviews.n;
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
