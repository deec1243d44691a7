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
#define LEAST_ROUNDS 5
#define SETTLED 2e-4
#define RANDOM_PAIRS 500000		/* and no more than so many a row: */
#define RANDOM_A_ROW 50
#define TRAIN_PAIRS 1000000		/* more candidates are thinned out */
#define FEW_JOINT 5				/* strangers who agree in both: fewer show nothing */
#define MOST_MATCHES 0.25		/* of those who agree in both fewer strangers may be matches not known */
#define TOGETHER 4.0			/* so many times more often than by chance */
#define CHANGE_TOGETHER 0.5		/* correlation of two fields that change together, */
#define CHANGE_LEAST 0.02		/* in at least so many matches, */
#define CHANGE_MOST 0.4			/* if they are no more than this of what tells who is who */

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
	size_t		wanted = (size_t) t->n * RANDOM_A_ROW < RANDOM_PAIRS ? (size_t) t->n * RANDOM_A_ROW : RANDOM_PAIRS;
	size_t		tries;
	int			f;

	for (tries = 0; tries < 4 * wanted && g->nrandom < wanted; tries++)
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
table_score(const MatchTable *t, const TableTrained *trained, uint32_t a, uint32_t b, const uint8_t *level, TableKinship *kin)
{
	const TableModel *m = &trained->model;
	double		match = m->prior;	/* both relative to strangers */
	double		relative = m->relatives;
	double		stranger = 1 - m->prior - m->relatives;
	double		grouped[TABLE_FIELDS_MAX];
	int			f;

	for (f = 0; f < t->fields; f++)
		grouped[f] = 1;
	for (f = 0; f < t->fields; f++)
	{
		int			l = level[f];
		int			p = m->parent[f];
		double	   *to = m->group[f] < 0 ? &match : &grouped[m->group[f]];
		size_t		at = (size_t) a * t->fields + f;
		double		share;

		if (l == TABLE_MISSING)
			continue;
		if (l > 0)
		{
			*to *= m->m[f][l] / m->u[f][l];
			relative *= m->h[f][l] / m->u[f][l];
			continue;
		}
		share = share_of(trained->rows[at], trained->least[f], t->n);
		if (p >= 0 && level[p] == 0)
		{
			share = share_of(trained->joint[at], trained->least_joint[f], t->n) /
				share_of(trained->rows[(size_t) a * t->fields + p], trained->least[p], t->n);
			*to *= exp2(m->with_parent[f]) / (share > 1 ? 1 : share);
		}
		else
			*to *= m->m[f][0] / (share > 1 ? 1 : share);
		relative *= m->h[f][0] / (share > 1 ? 1 : share);
	}
	for (f = 0; f < t->fields; f++)
		if (m->group[f] == f)
		{
			double		either = m->changed[f] + (1 - m->changed[f]) * grouped[f];

			match *= either;
			if (kin != NULL)
				kin->changed[f] = m->changed[f] / either;
		}
	if (kin != NULL)
		kin->relatives = relative / (stranger + relative + match);
	return log2(match) - log2(stranger + relative);
}

/* ---- expectation and maximization ---- */

/* What is seen of a class of pairs. */
typedef struct ClassSums
{
	double		level[TABLE_FIELDS_MAX][TABLE_LEVELS];
	double		told[TABLE_FIELDS_MAX]; /* of those that have not changed */
	double		there[TABLE_FIELDS_MAX];	/* of all */
	double		both[TABLE_FIELDS_MAX][TABLE_FIELDS_MAX];	/* equal in two fields */
	double		changed[TABLE_FIELDS_MAX];	/* by a group's first field */
	double		asked[TABLE_FIELDS_MAX];	/* that have a field of the group */
	double		pairs;
} ClassSums;

typedef struct Sums
{
	ClassSums	match;
	ClassSums	relative;
	ClassSums	other;			/* of random pairs */
} Sums;

/* weight of a pair, and of a field in it (NULL = the same) */
static void
add_pair(ClassSums *s, int fields, const uint8_t *level, double weight, const double *field_weight)
{
	int			f,
				h;

	s->pairs += weight;
	for (f = 0; f < fields; f++)
	{
		double		w = field_weight == NULL ? weight : field_weight[f];

		if (level[f] == TABLE_MISSING)
			continue;
		s->level[f][level[f]] += w;
		s->told[f] += w;
		s->there[f] += weight;
		for (h = 0; level[f] == 0 && h < f; h++)
			if (level[h] == 0)
			{
				double		least = field_weight == NULL ? w : fmin(w, field_weight[h]);

				s->both[f][h] += least;
				s->both[h][f] += least;
			}
	}
}

/* A match: fields of groups that have changed say nothing of m. */
static void
add_match(const TableModel *m, ClassSums *s, const uint8_t *level, double weight, const TableKinship *kin)
{
	double		field_weight[TABLE_FIELDS_MAX];
	bool		asked[TABLE_FIELDS_MAX] = {false};
	int			f;

	for (f = 0; f < m->fields; f++)
	{
		field_weight[f] = m->group[f] < 0 ? weight : weight * (1 - kin->changed[m->group[f]]);
		if (m->group[f] >= 0 && level[f] != TABLE_MISSING)
			asked[m->group[f]] = true;
	}
	for (f = 0; f < m->fields; f++)
		if (asked[f])
		{
			s->asked[f] += weight;
			s->changed[f] += weight * kin->changed[f];
		}
	add_pair(s, m->fields, level, weight, field_weight);
}

static void
expect(const Training *g, Sums *s)
{
	const MatchTable *t = g->t;
	TableKinship kin;
	size_t		i;

	memset(s, 0, sizeof *s);
	for (i = 0; i < g->pairs->n; i += g->step)
	{
		const uint8_t *level = g->pairs->level + i * t->fields;
		double		p = match_probability(table_score(t, g->out, (uint32_t) (g->pairs->pair[i] >> 32), (uint32_t) g->pairs->pair[i], level, &kin));

		if (p > 1e-6)
			add_match(&g->out->model, &s->match, level, p * (double) g->step, &kin);
		if (kin.relatives > 1e-6)
			add_pair(&s->relative, t->fields, level, kin.relatives * (double) g->step, NULL);
	}
	for (i = 0; i < g->nrandom; i++)
	{
		const uint8_t *level = g->random + i * t->fields;
		double		p = match_probability(table_score(t, g->out, g->random_pair[i][0], g->random_pair[i][1], level, &kin));

		add_pair(&s->other, t->fields, level, greater(1 - p - kin.relatives, 0), NULL);
	}
}

/* What a level is among matches before anything is known: equal mostly. */
static double
first_m(int level, int levels)
{
	return level == 0 ? 0.8 : level == levels - 1 ? 0.06 : 0.14 / (levels - 2 > 0 ? levels - 2 : 1);
}

/* Among relatives: equal or quite other. */
static double
first_h(int level, int levels)
{
	return level == 0 ? 0.45 : level == levels - 1 ? 0.45 : 0.1 / (levels - 2 > 0 ? levels - 2 : 1);
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
		int			levels = table_levels(&t->field[f]);
		double		pairs = g->all * g->told[f];
		double		strangers = greater(g->equal[f] - s->match.level[f][0] - s->relative.level[f][0], 0) + 0.5;

		for (l = 0; l < levels; l++)
		{
			m->m[f][l] = (s->match.level[f][l] + 2 * first_m(l, levels)) / (s->match.told[f] + 2);
			m->h[f][l] = (s->relative.level[f][l] + 2 * first_h(l, levels)) / (s->relative.told[f] + 2);
			m->u[f][l] = (s->other.level[f][l] + 0.5) / (s->other.told[f] + 0.5 * levels);
		}
		/* equal values are counted over all pairs; unless most are matches, of whom some are not known */
		m->u[f][0] = fmin(strangers / (pairs + 1), (s->other.level[f][0] + 1) / (s->other.told[f] + 1));
		g->out->least[f] = fmin(1, m->u[f][0] * t->n);
		if (m->group[f] == f)
			m->changed[f] = (s->match.changed[f] + 0.2) / (s->match.asked[f] + 2);
	}
	m->prior = fmin(0.5, (s->match.pairs + 1) / (g->all + 2));
	if (m->relatives > 0)
		m->relatives = fmin(0.3, (s->relative.pairs + 0.1) / (g->all + 2));
}

/* Pairs of strangers who agree in both fields. */
static double
strangers_in_both(const Training *g, const Sums *s, int f, int h)
{
	return g->both[f][h] - s->match.both[f][h] - s->relative.both[f][h];
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

/* Rows that share a field's value and its parent's. */
static CoreStatus
count_joint(Training *g)
{
	const MatchTable *t = g->t;
	KeyRow	   *keys = table_alloc(t, 2 * ((size_t) t->n + 1), sizeof *keys);
	int			f;

	if (keys == NULL)
		return CORE_NO_MEMORY;
	for (f = 0; f < t->fields; f++)
		if (g->out->model.parent[f] >= 0)
			count_pairs(t, keys, f, g->out->model.parent[f], g->out->joint);
	table_free(t, keys);
	return CORE_OK;
}

static CoreStatus
find_tree(Training *g, const Sums *s)
{
	const MatchTable *t = g->t;
	TableModel *m = &g->out->model;
	bool		joined[TABLE_FIELDS_MAX][TABLE_FIELDS_MAX] = {{false}};
	bool		seen[TABLE_FIELDS_MAX] = {false};
	int			group[TABLE_FIELDS_MAX];
	int			f,
				h;

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
				double		strangers = strangers_in_both(g, s, f, h);
				double		u = strangers / (g->all * g->told[f] * g->told[h] + 1);
				double		times = u / (m->u[f][0] * m->u[h][0]);

				if (root_of(group, f) == root_of(group, h) || strangers < FEW_JOINT ||
					strangers < MOST_MATCHES * g->both[f][h] || times < TOGETHER)
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
	return count_joint(g);
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
		strangers = greater(strangers_in_both(g, s, f, p), 0) + 0.5;
		g->out->least_joint[f] = fmin(g->out->least[p], strangers / (g->all * g->told[f] * g->told[p] + 1) * g->t->n);
		/* of matches that agree in the parent, how many agree here too */
		m->with_parent[f] = log2((s->match.both[f][p] + 2 * m->m[f][0]) / (s->match.level[p][0] * s->match.there[f] / greater(s->match.pairs, 1) + 2));
		if (m->with_parent[f] > 0)
			m->with_parent[f] = 0;
	}
}

/* ---- fields that change together ---- */

/* A level that speaks against. */
static bool
has_changed(const TableModel *m, int f, int level)
{
	return level != TABLE_MISSING && level > 0 && m->m[f][level] < m->u[f][level];
}

/* What agreement in a field tells; in one that goes with another, little more than that one. */
static double
bits_of_field(const TableModel *m, int f)
{
	double		bits = greater(log2(m->m[f][0] / m->u[f][0]), 0);

	return m->parent[f] < 0 ? bits : greater(bits + log2(m->u[f][0]) / 2, 0);
}

static double
correlation(double all, double x, double y, double both)
{
	return (both * all - x * y) / sqrt(x * (all - x) * y * (all - y) + 1e-9);
}

/* Groups of fields, by what the matches known so far have changed; false = there are none. */
static bool
find_groups(Training *g)
{
	const MatchTable *t = g->t;
	TableModel *m = &g->out->model;
	double		told[TABLE_FIELDS_MAX][TABLE_FIELDS_MAX] = {{0}};	/* both are there */
	double		one[TABLE_FIELDS_MAX][TABLE_FIELDS_MAX] = {{0}};	/* and the first has changed */
	double		two[TABLE_FIELDS_MAX][TABLE_FIELDS_MAX] = {{0}};	/* and both */
	int			group[TABLE_FIELDS_MAX];
	int			members[TABLE_FIELDS_MAX] = {0};
	double		weight[TABLE_FIELDS_MAX] = {0};
	bool		personal[TABLE_FIELDS_MAX] = {false};
	double		all = 0;
	bool		any = false;
	size_t		i;
	int			f,
				h;

	for (i = 0; i < g->pairs->n; i += g->step)
	{
		const uint8_t *level = g->pairs->level + i * t->fields;
		double		p = match_probability(table_score(t, g->out, (uint32_t) (g->pairs->pair[i] >> 32), (uint32_t) g->pairs->pair[i], level, NULL));

		for (f = 0; p > 0.5 && f < t->fields; f++)
			for (h = 0; h < t->fields; h++)
				if (h != f && level[f] != TABLE_MISSING && level[h] != TABLE_MISSING)
				{
					bool		changed = has_changed(m, f, level[f]);

					told[f][h] += p;
					one[f][h] += changed ? p : 0;
					two[f][h] += changed && has_changed(m, h, level[h]) ? p : 0;
				}
	}
	for (f = 0; f < t->fields; f++)
		group[f] = f;
	for (f = 0; f < t->fields; f++)
		for (h = 0; h < f; h++)
			if (two[f][h] > CHANGE_LEAST * told[f][h] && two[f][h] > FEW_JOINT &&
				correlation(told[f][h], one[f][h], one[h][f], two[f][h]) > CHANGE_TOGETHER)
				group[root_of(group, f)] = root_of(group, h);
	for (f = 0; f < t->fields; f++)
	{
		h = root_of(group, f);
		all += bits_of_field(m, f);
		members[h]++;
		weight[h] += bits_of_field(m, f);
		personal[h] |= t->field[f].kind == TABLE_DATE || t->field[f].kind == TABLE_ID;
	}
	/* who has changed what he is known by is somebody else */
	for (f = 0; f < t->fields; f++)
	{
		h = root_of(group, f);
		m->group[f] = members[h] > 1 && weight[h] < all * CHANGE_MOST && !personal[h] ? h : -1;
		any |= m->group[f] >= 0;
	}
	return any;
}

/* Before anything is known: everybody is a stranger, and a row in ten has a match. */
static void
begin(Training *g, bool relatives)
{
	TableModel *m = &g->out->model;
	Sums		s;
	size_t		i;
	int			f,
				l;

	memset(&s, 0, sizeof s);
	for (i = 0; i < g->nrandom; i++)
		add_pair(&s.other, m->fields, g->random + i * m->fields, 1, NULL);
	m->relatives = 0;
	maximize(g, &s);
	for (f = 0; f < m->fields; f++)
	{
		m->with_parent[f] = 0;
		m->changed[f] = 0.1;
		for (l = 0; l < table_levels(&g->t->field[f]); l++)
			m->m[f][l] = first_m(l, table_levels(&g->t->field[f]));
	}
	m->prior = fmin(0.5, 0.1 * g->t->n / (g->all + 1));
	if (relatives)
		m->relatives = m->prior / 2;
}

/*
 * A class of relatives is one when at least two fields in which matches agree
 * are to it as they are to strangers.  Else it holds the worse of the matches:
 * those who have moved, say, who are to matches as relatives are, the other way
 * round.  Dates and numbers that identify tell which: relatives have their own.
 * Where there are none, what differs must tell more than what agrees.
 */
static bool
are_relatives(const MatchTable *t, const TableModel *m)
{
	double		strange_bits = 0;
	double		alike_bits = 0;
	int			strange = 0;
	int			alike = 0;
	int			personal = 0;
	int			f;

	for (f = 0; f < m->fields; f++)
	{
		if ((t->field[f].kind == TABLE_DATE || t->field[f].kind == TABLE_ID) && m->m[f][0] > 0.4)
		{
			personal++;
			if (m->h[f][0] > m->m[f][0] / 2)
				return false;
		}
		if (m->m[f][0] > 0.4 && m->u[f][0] < 0.1 && m->h[f][0] < 0.1 + 2 * m->u[f][0] && m->h[f][0] < m->m[f][0] / 5)
		{
			strange++;
			strange_bits += bits_of_field(m, f);
		}
		else if (m->h[f][0] > 0.4 && m->u[f][0] < 0.1)
		{
			alike++;
			alike_bits += bits_of_field(m, f);
		}
	}
	return strange >= 2 && alike >= 1 && (personal > 0 || strange_bits > alike_bits);
}

/* Rounds of expectation and maximization, from the beginning; with the tree where there is one. */
static CoreStatus
learn_classes(Training *g, Sums *s, bool relatives)
{
	double		before = 0;
	int			round;

	begin(g, relatives);
	for (round = 0; round < ROUNDS; round++)
	{
		if (core_interrupted(g->t->cx))
			return CORE_INTERRUPTED;
		expect(g, s);
		maximize(g, s);
		set_joint(g, s);
		/* nothing moves any more */
		if (round > LEAST_ROUNDS && fabs(s->match.pairs + s->relative.pairs - before) < SETTLED * before)
			break;
		before = s->match.pairs + s->relative.pairs;
	}
	g->out->matches = s->match.pairs;
	return CORE_OK;
}

/*
 * First without relatives, to see which fields go together: neighbours would
 * pass for relatives.  Then with both; and when it is known who is one, with the
 * fields that change together.
 */
static CoreStatus
learn(Training *g)
{
	bool		relatives = true;
	CoreStatus	status;
	Sums		s;

	status = learn_classes(g, &s, false);
	if (status == CORE_OK)
		status = find_tree(g, &s);
	if (status == CORE_OK)
		status = learn_classes(g, &s, true);
	if (status == CORE_OK && !are_relatives(g->t, &g->out->model))
	{
		relatives = false;
		status = learn_classes(g, &s, false);
	}
	if (status == CORE_OK && find_groups(g))
		status = learn_classes(g, &s, relatives);
	return status;
}

/* A model learnt before: only the frequencies are of the rows at hand. */
static CoreStatus
take_model(Training *g, const TableModel *given)
{
	TableTrained *out = g->out;
	CoreStatus	status;
	int			f;

	out->model = *given;
	status = count_joint(g);
	for (f = 0; f < given->fields; f++)
	{
		out->least[f] = fmin(1, given->u[f][0] * g->t->n);
		out->least_joint[f] = out->least[f];
	}
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
		out->model.parent[f] = out->model.group[f] = -1;
	if (g.random != NULL && g.random_pair != NULL && out->rows != NULL && out->joint != NULL)
	{
		memset(out->rows, 0, cells * sizeof *out->rows);
		memset(out->joint, 0, cells * sizeof *out->joint);
		status = count_all(&g);
		if (status == CORE_OK && given != NULL)
			status = take_model(&g, given);
		else if (status == CORE_OK && t->n > 1)
		{
			draw_random(&g);
			status = learn(&g);
		}
	}
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
