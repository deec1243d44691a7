/*
 * match_table_train.c
 *		What match_table.c learns from the rows: see match_table.h.
 */
#include "match_table_train.h"

#include <math.h>
#include <string.h>

#include "match_model.h"
#include "match_row.h"
#include "match_sort.h"

#define ROUNDS 25
#define RANDOM_PAIRS 500000
#define TRAIN_PAIRS 1000000		/* more candidates are thinned out */
#define FEW_JOINT 5				/* strangers who agree in both: fewer show nothing */
#define TOGETHER 4.0			/* so many times more often than by chance */

typedef struct Training
{
	const MatchTable *t;
	const TablePairs *pairs;
	TableTrained *out;
	size_t		step;			/* of the candidates every step-th is looked at */
	uint8_t    *random;			/* levels of random pairs */
	uint32_t	(*random_pair)[2];
	size_t		nrandom;
	double		all;			/* pairs that could be */
	double		told[TABLE_FIELDS_MAX]; /* share of pairs with both values there */
	double		equal[TABLE_FIELDS_MAX];	/* pairs of all rows with equal values */
	double		both[TABLE_FIELDS_MAX][TABLE_FIELDS_MAX];	/* with equal values in two fields */
} Training;

static uint64_t
mixed(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* ---- counting ---- */

static uint64_t
value_hash(const MatchTable *t, uint32_t row, int f)
{
	const TableText *v = &t->value[(size_t) row * t->fields + f];

	return v->s == NULL ? 0 : match_hash(v->s, v->n);
}

/* Rows by f's value, or f's and g's: how many pairs agree, and each row's number of companions. */
static double
count_pairs(const MatchTable *t, KeyRow *keys, int f, int g, uint32_t *rows)
{
	double		pairs = 0;
	size_t		m = 0;
	size_t		i,
				k,
				run;

	for (i = 0; i < t->n; i++)
	{
		uint64_t	x = value_hash(t, (uint32_t) i, f);
		uint64_t	y = g < 0 ? 1 : value_hash(t, (uint32_t) i, g);

		if (x == 0 || y == 0)
			continue;
		keys[m].key = g < 0 ? x : mixed(x ^ y * UINT64_C(0x9e3779b97f4a7c15));
		keys[m++].row = (uint32_t) i;
	}
	match_sort(keys, keys + t->n + 1, m);
	for (i = 0; i < m; i += run)
	{
		run = match_run(keys, i, m);
		pairs += (double) run * (run - 1) / 2;
		for (k = i; rows != NULL && k < i + run; k++)
			rows[(size_t) keys[k].row * t->fields + f] = (uint32_t) run;
	}
	return pairs;
}

static CoreStatus
count_all(Training *g)
{
	const MatchTable *t = g->t;
	KeyRow	   *keys = table_alloc(t, 2 * ((size_t) t->n + 1), sizeof *keys);
	int			f,
				h;

	if (keys == NULL)
		return CORE_NO_MEMORY;
	for (f = 0; f < t->fields; f++)
	{
		g->equal[f] = count_pairs(t, keys, f, -1, g->out->rows);
		for (h = 0; h < f; h++)
			g->both[f][h] = g->both[h][f] = count_pairs(t, keys, f, h, NULL);
	}
	table_free(t, keys);
	return CORE_OK;
}

static void
draw_random(Training *g)
{
	const MatchTable *t = g->t;
	uint64_t	draw = 0;
	double		told[TABLE_FIELDS_MAX] = {0};
	size_t		tries;
	int			f;

	for (tries = 0; tries < 4 * RANDOM_PAIRS && g->nrandom < RANDOM_PAIRS; tries++)
	{
		uint32_t	a = (uint32_t) (mixed(++draw * UINT64_C(0x9e3779b97f4a7c15)) % t->n);
		uint32_t	b = (uint32_t) (mixed(++draw * UINT64_C(0x9e3779b97f4a7c15)) % t->n);
		uint8_t    *level = g->random + g->nrandom * t->fields;

		if (a == b || (t->source[a] != 0 && t->source[a] == t->source[b]))
			continue;
		table_compare_rows(t, a, b, level);
		for (f = 0; f < t->fields; f++)
			told[f] += level[f] != TABLE_MISSING;
		g->random_pair[g->nrandom][0] = a;
		g->random_pair[g->nrandom++][1] = b;
	}
	for (f = 0; f < t->fields; f++)
		g->told[f] = (told[f] + 1) / (g->nrandom + 1);
	/* of all pairs of rows so many could be matches */
	g->all = (double) t->n * (t->n - 1) / 2 * ((double) g->nrandom / (tries == 0 ? 1 : tries));
}

/* ---- the score ---- */

static double
greater(double a, double b)
{
	return a > b ? a : b;
}

/* How likely a stranger has the value too, the pair's own two rows left out. */
static double
share_of(double rows, double least, double n)
{
	return (greater(rows - 2, 0) + least) / n;
}

double
table_score(const MatchTable *t, const TableTrained *trained, uint32_t a, uint32_t b, const uint8_t *level)
{
	const TableModel *m = &trained->model;
	double		odds = m->prior / (1 - m->prior);
	double		bits = log2(odds);
	double		ratio = 1;
	int			f;

	for (f = 0; f < t->fields; f++)
	{
		int			l = level[f];
		int			p = m->parent[f];
		size_t		at = (size_t) a * t->fields + f;
		double		share;

		if (l == TABLE_MISSING)
			continue;
		if (l > 0)
		{
			ratio *= m->m[f][l] / m->u[f][l];
			continue;
		}
		share = share_of(trained->rows[at], trained->least[f], t->n);
		if (p >= 0 && level[p] == 0)
		{
			double		given = share_of(trained->joint[at], trained->least_joint[f], t->n) /
				share_of(trained->rows[(size_t) a * t->fields + p], trained->least[p], t->n);

			ratio *= exp2(m->with_parent[f]) / (given > 1 ? 1 : given);
		}
		else
			ratio *= m->m[f][0] / (share > 1 ? 1 : share);
	}
	return bits + log2(ratio);
}

/* ---- expectation and maximization ---- */

typedef struct Sums
{
	double		match[TABLE_FIELDS_MAX][TABLE_LEVELS];
	double		other[TABLE_FIELDS_MAX][TABLE_LEVELS];
	double		match_told[TABLE_FIELDS_MAX];
	double		other_told[TABLE_FIELDS_MAX];
	double		both[TABLE_FIELDS_MAX][TABLE_FIELDS_MAX];	/* matches equal in two fields */
	double		matches;
} Sums;

static void
add_match(const Training *g, Sums *s, const uint8_t *level, double p, double weight)
{
	int			f,
				h;

	s->matches += weight * p;
	for (f = 0; f < g->t->fields; f++)
	{
		if (level[f] == TABLE_MISSING)
			continue;
		s->match[f][level[f]] += weight * p;
		s->match_told[f] += weight * p;
		for (h = 0; level[f] == 0 && h < f; h++)
			if (level[h] == 0)
			{
				s->both[f][h] += weight * p;
				s->both[h][f] += weight * p;
			}
	}
}

static void
expect(const Training *g, Sums *s)
{
	const MatchTable *t = g->t;
	size_t		i;
	int			f;

	memset(s, 0, sizeof *s);
	for (i = 0; i < g->pairs->n; i += g->step)
	{
		const uint8_t *level = g->pairs->level + i * t->fields;
		double		p = match_probability(table_score(t, g->out, (uint32_t) (g->pairs->pair[i] >> 32), (uint32_t) g->pairs->pair[i], level));

		if (p > 1e-6)
			add_match(g, s, level, p, (double) g->step);
	}
	for (i = 0; i < g->nrandom; i++)
	{
		const uint8_t *level = g->random + i * t->fields;
		double		p = match_probability(table_score(t, g->out, g->random_pair[i][0], g->random_pair[i][1], level));

		for (f = 0; f < t->fields; f++)
			if (level[f] != TABLE_MISSING)
			{
				s->other[f][level[f]] += 1 - p;
				s->other_told[f] += 1 - p;
			}
	}
}

/* What a level is among matches before anything is known: equal mostly. */
static double
first_m(int level, int levels)
{
	return level == 0 ? 0.8 : level == levels - 1 ? 0.06 : 0.14 / (levels - 2 > 0 ? levels - 2 : 1);
}

static void
maximize(Training *g, const Sums *s)
{
	const MatchTable *t = g->t;
	TableModel *m = &g->out->model;
	int			f,
				l;

	for (f = 0; f < t->fields; f++)
	{
		int			levels = table_levels(t->field[f].kind);
		double		pairs = g->all * g->told[f];
		double		strangers = greater(g->equal[f] - s->match[f][0], 0) + 0.5;

		for (l = 0; l < levels; l++)
		{
			m->m[f][l] = (s->match[f][l] + 2 * first_m(l, levels)) / (s->match_told[f] + 2);
			m->u[f][l] = (s->other[f][l] + 0.5) / (s->other_told[f] + 0.5 * levels);
		}
		/* equal values are counted over all pairs, not in a sample */
		m->u[f][0] = strangers / (pairs + 1);
		if (m->u[f][0] > 1)
			m->u[f][0] = 1;
		g->out->least[f] = fmin(1, m->u[f][0] * t->n);
	}
	m->prior = (s->matches + 1) / (g->all + 2);
	if (m->prior > 0.5)
		m->prior = 0.5;
}

/* ---- fields that go together ---- */

static int
root_of(const int *group, int f)
{
	while (group[f] != f)
		f = group[f];
	return f;
}

/* Hangs field f and all that it is joined with under parent. */
static void
hang(TableModel *m, bool (*joined)[TABLE_FIELDS_MAX], int f, int parent)
{
	int			h;

	m->parent[f] = parent;
	for (h = 0; h < m->fields; h++)
		if (h != parent && joined[f][h])
			hang(m, joined, h, f);
}

static CoreStatus
find_tree(Training *g, const Sums *s)
{
	const MatchTable *t = g->t;
	TableModel *m = &g->out->model;
	KeyRow	   *keys = table_alloc(t, 2 * ((size_t) t->n + 1), sizeof *keys);
	bool		joined[TABLE_FIELDS_MAX][TABLE_FIELDS_MAX] = {{false}};
	bool		seen[TABLE_FIELDS_MAX] = {false};
	int			group[TABLE_FIELDS_MAX];
	int			f,
				h;

	if (keys == NULL)
		return CORE_NO_MEMORY;
	for (f = 0; f < t->fields; f++)
		group[f] = f;
	for (;;)
	{
		double		most = 0;
		int			x = -1,
					y = -1;

		for (f = 0; f < t->fields; f++)
			for (h = 0; h < f; h++)
			{
				double		strangers = g->both[f][h] - s->both[f][h];
				double		u = strangers / (g->all * g->told[f] * g->told[h] + 1);
				double		times = u / (m->u[f][0] * m->u[h][0]);

				if (root_of(group, f) == root_of(group, h) || strangers < FEW_JOINT || times < TOGETHER)
					continue;
				if (u * log2(times) > most)
				{
					most = u * log2(times);
					x = f;
					y = h;
				}
			}
		if (x < 0)
			break;
		joined[x][y] = joined[y][x] = true;
		group[root_of(group, x)] = root_of(group, y);
	}
	for (f = 0; f < t->fields; f++)
		if (!seen[root_of(group, f)])
		{
			seen[root_of(group, f)] = true;
			hang(m, joined, f, -1);
		}
	for (f = 0; f < t->fields; f++)
		if (m->parent[f] >= 0)
			count_pairs(t, keys, f, m->parent[f], g->out->joint);
	table_free(t, keys);
	return CORE_OK;
}

static void
set_joint(Training *g, const Sums *s)
{
	TableModel *m = &g->out->model;
	int			f;

	for (f = 0; f < m->fields; f++)
	{
		int			p = m->parent[f];
		double		strangers;

		if (p < 0)
			continue;
		strangers = greater(g->both[f][p] - s->both[f][p], 0) + 0.5;
		g->out->least_joint[f] = fmin(g->out->least[p], strangers / (g->all * g->told[f] * g->told[p] + 1) * g->t->n);
		/* of matches that agree in the parent, how many agree here too */
		m->with_parent[f] = log2((s->both[f][p] + 2 * m->m[f][0]) / (s->match[p][0] * s->match_told[f] / greater(s->matches, 1) + 2));
		if (m->with_parent[f] > 0)
			m->with_parent[f] = 0;
	}
}

static CoreStatus
learn(Training *g)
{
	TableModel *m = &g->out->model;
	CoreStatus	status = CORE_OK;
	Sums		s;
	int			round,
				f,
				l;

	/* to begin with everybody is a stranger, and a row in ten has a match */
	memset(&s, 0, sizeof s);
	for (f = 0; f < m->fields; f++)
	{
		size_t		i;

		for (i = 0; i < g->nrandom; i++)
			if (g->random[i * m->fields + f] != TABLE_MISSING)
			{
				s.other[f][g->random[i * m->fields + f]]++;
				s.other_told[f]++;
			}
	}
	maximize(g, &s);
	for (f = 0; f < m->fields; f++)
		for (l = 0; l < table_levels(g->t->field[f].kind); l++)
			m->m[f][l] = first_m(l, table_levels(g->t->field[f].kind));
	m->prior = fmin(0.5, 0.1 * g->t->n / (g->all + 1));
	for (round = 0; round < 2 * ROUNDS && status == CORE_OK; round++)
	{
		if (core_interrupted(g->t->cx))
			return CORE_INTERRUPTED;
		expect(g, &s);
		maximize(g, &s);
		if (round == ROUNDS)
			status = find_tree(g, &s);
		if (round >= ROUNDS)
			set_joint(g, &s);
	}
	g->out->matches = s.matches;
	return status;
}

CoreStatus
table_train(const MatchTable *t, const TablePairs *pairs, const TableModel *given, TableTrained *out)
{
	Training	g = {t, pairs, out};
	CoreStatus	status = CORE_NO_MEMORY;
	size_t		cells = (size_t) t->n * t->fields;
	int			f;

	g.step = pairs->n / TRAIN_PAIRS + 1;
	g.random = table_alloc(t, (size_t) RANDOM_PAIRS * t->fields, 1);
	g.random_pair = table_alloc(t, RANDOM_PAIRS, sizeof *g.random_pair);
	out->rows = table_alloc(t, cells, sizeof *out->rows);
	out->joint = table_alloc(t, cells, sizeof *out->joint);
	out->model.fields = t->fields;
	for (f = 0; f < TABLE_FIELDS_MAX; f++)
		out->model.parent[f] = -1;
	if (g.random != NULL && g.random_pair != NULL && out->rows != NULL && out->joint != NULL)
	{
		memset(out->rows, 0, cells * sizeof *out->rows);
		memset(out->joint, 0, cells * sizeof *out->joint);
		status = count_all(&g);
		if (status == CORE_OK && t->n > 1)
		{
			draw_random(&g);
			status = learn(&g);
		}
	}
	if (status == CORE_OK && given != NULL)
		out->model = *given;
	table_free(t, g.random);
	table_free(t, g.random_pair);
	return status;
}

void
table_free_trained(const MatchTable *t, TableTrained *trained)
{
	table_free(t, trained->rows);
	table_free(t, trained->joint);
	trained->rows = trained->joint = NULL;
}

void
table_choose_threshold(TableTrained *trained, const TableOutcome *out)
{
	double		all = 0;
	double		linked = 0;
	double		best = 0;
	size_t		i;

	for (i = 0; i < out->npairs; i++)
		all += match_probability(out->pair[i].bits);
	trained->model.threshold = 0;
	for (i = 0; i < out->npairs && out->pair[i].bits > -3; i++)
	{
		double		f1;

		linked += match_probability(out->pair[i].bits);
		f1 = 2 * linked / (i + 1 + all);
		if (f1 > best)
		{
			best = f1;
			trained->model.threshold = out->pair[i].bits;
		}
	}
}
