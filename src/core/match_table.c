/*
 * match_table.c
 *		Linking the rows of any table: rows, candidates, clusters.  What is learnt
 *		from them is in match_table_train.c.
 */
#include "match_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "match_row.h"
#include "match_sort.h"
#include "match_table_train.h"

#define TEXT_MAX 1000
#define ARENA_BYTES 65536

/* Blocks larger than this are left to other rules. */
#define BLOCK_EQUAL 120			/* two fields are equal */
#define BLOCK_NEAR 40			/* of at least one field a part only */
#define BLOCK_GIVEN 2000		/* of a rule that the definition gives */
#define PAIRS_A_ROW 150			/* so many candidates are enough */
#define PAIRS_LEAST 1000000

#define KEPT (-6.0)				/* bits of a pair that is given out */
#define KEYS_MAX 3				/* ways in which a field can be a part of a key */

struct TableArena
{
	struct TableArena *next;
	size_t		used;
	char		bytes[ARENA_BYTES];
};

/* ---- rows ---- */

CoreStatus
match_table_start(MatchTable *t, const CoreContext *cx, const TableField *field, int fields)
{
	memset(t, 0, sizeof *t);
	if (fields < 1 || fields > TABLE_FIELDS_MAX)
		return CORE_INVALID;
	t->cx = cx;
	t->threshold = NAN;
	t->fields = fields;
	memcpy(t->field, field, fields * sizeof *field);
	return CORE_OK;
}

void *
table_alloc(const MatchTable *t, size_t n, size_t size)
{
	return t->cx->alloc(t->cx->arg, (n + 1) * size);
}

void
table_free(const MatchTable *t, void *p)
{
	if (p != NULL)
		t->cx->free(t->cx->arg, p);
}

static CoreStatus
more_rows(MatchTable *t)
{
	uint32_t	room = t->room == 0 ? 1024 : 2 * t->room;
	TableText  *value = table_alloc(t, (size_t) room * t->fields, sizeof *value);
	uint32_t   *source = table_alloc(t, room, sizeof *source);

	if (value == NULL || source == NULL)
	{
		table_free(t, value);
		table_free(t, source);
		return CORE_NO_MEMORY;
	}
	if (t->n > 0)
	{
		memcpy(value, t->value, (size_t) t->n * t->fields * sizeof *value);
		memcpy(source, t->source, t->n * sizeof *source);
	}
	table_free(t, t->value);
	table_free(t, t->source);
	t->value = value;
	t->source = source;
	t->room = room;
	return CORE_OK;
}

static CoreStatus
keep_text(MatchTable *t, TableText *to, const char *s, size_t n)
{
	struct TableArena *a = t->arena;

	if (a == NULL || a->used + n > ARENA_BYTES)
	{
		a = t->cx->alloc(t->cx->arg, sizeof *a);
		if (a == NULL)
			return CORE_NO_MEMORY;
		a->next = t->arena;
		a->used = 0;
		t->arena = a;
	}
	memcpy(a->bytes + a->used, s, n);
	to->s = a->bytes + a->used;
	to->n = (uint32_t) n;
	a->used += n;
	return CORE_OK;
}

CoreStatus
match_table_add(MatchTable *t, const char *const *value, uint32_t source)
{
	char		normal[2 * TEXT_MAX + 16];
	CoreStatus	status = t->n == t->room ? more_rows(t) : CORE_OK;
	TableText  *row;
	int			f;

	if (status != CORE_OK)
		return status;
	row = t->value + (size_t) t->n * t->fields;
	for (f = 0; f < t->fields && status == CORE_OK; f++)
	{
		size_t		len = value[f] == NULL ? 0 : strnlen(value[f], TEXT_MAX);
		size_t		n;

		/* no half characters */
		while (len == TEXT_MAX && len > 0 && ((unsigned char) value[f][len - 1] & 0x80))
			len--;
		n = len == 0 ? 0 : table_normal(t->field[f].kind, value[f], len, normal);
		row[f].s = NULL;
		row[f].n = 0;
		if (n > 0)
			status = keep_text(t, &row[f], normal, n);
	}
	if (status == CORE_OK)
		t->source[t->n++] = source;
	return status;
}

/* ---- keys ---- */

static uint64_t
mix(uint64_t a, uint64_t b)
{
	uint64_t	h = (a ^ b * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xff51afd7ed558ccd);

	return (h ^ h >> 32) | 1;
}

/* Letters that are heard alike, vowels left out: the first letter and up to three classes. */
static uint64_t
sound_key(const char *s, size_t n)
{
	/* B F P V = 1, C G J K Q S X Z = 2, D T = 3, L = 4, M N = 5, R = 6 */
	static const char classes[] = "01230120022455012623010202";
	char		key[4] = {0};
	int			m = 0;
	char		last = 0;
	size_t		i;

	for (i = 0; i < n && s[i] != ' ' && m < 4; i++)
	{
		char		c = s[i] >= 'A' && s[i] <= 'Z' ? classes[s[i] - 'A'] : s[i];

		if (m == 0)
			key[m++] = s[i];
		else if (c != '0' && c != last)
			key[m++] = c;
		last = c;
	}
	return match_hash(key, 4);
}

/* The field's k-th key of a row: 0 the value, 1 and 2 parts of it; 0 = none. */
static uint64_t
field_key(const MatchTable *t, uint32_t row, int f, int k)
{
	const TableText *v = &t->value[(size_t) row * t->fields + f];
	TableKind	kind = t->field[f].kind;
	size_t		half = (v->n + 1) / 2;
	size_t		i;

	if (v->s == NULL)
		return 0;
	if (k == 0)
		return match_hash(v->s, v->n);
	switch (kind)
	{
		case TABLE_NAME:
			return k == 1 ? mix(sound_key(v->s, v->n), 11) : v->n < 4 ? 0 : mix(match_hash(v->s + v->n - 3, 3), 12);
		case TABLE_DATE:
			if (v->n != 8)
				return 0;
			return k == 1 ? mix(match_hash(v->s, 4), 13) : memcmp(v->s + 4, "0000", 4) == 0 ? 0 : mix(match_hash(v->s + 4, 4), 14);
		case TABLE_ID:
			return v->n < 4 ? 0 : k == 1 ? mix(match_hash(v->s, half), 15) : mix(match_hash(v->s + half, v->n - half), 16);
		case TABLE_CODE:
			return k == 1 && v->n > 2 ? mix(match_hash(v->s, half), 17) : 0;
		case TABLE_TEXT:
			/* the first word with letters; the first number */
			for (i = 0; i < v->n; i++)
				if ((i == 0 || v->s[i - 1] == ' ') && (v->s[i] >= '0' && v->s[i] <= '9') == (k == 2))
				{
					size_t		to = i;

					while (to < v->n && v->s[to] != ' ')
						to++;
					if (to - i > 2 || k == 2)
						return mix(match_hash(v->s + i, to - i), 18 + k);
				}
			return 0;
		default:
			return 0;
	}
}

/* ---- candidates ---- */

typedef struct PairSet
{
	const MatchTable *t;
	uint64_t   *slot;			/* a << 32 | b, 0 = free: a < b, so b is never 0 */
	size_t		mask;
	size_t		n;
	size_t		most;
} PairSet;

static bool
set_add(PairSet *s, uint32_t a, uint32_t b)
{
	uint64_t	pair = a < b ? (uint64_t) a << 32 | b : (uint64_t) b << 32 | a;
	size_t		at = mix(pair, 7) >> 8 & s->mask;

	while (s->slot[at] != 0 && s->slot[at] != pair)
		at = (at + 1) & s->mask;
	if (s->slot[at] == pair)
		return true;
	if (s->n >= s->most)
		return false;
	s->slot[at] = pair;
	s->n++;
	return true;
}

static bool
may_pair(const MatchTable *t, uint32_t a, uint32_t b)
{
	return t->source[a] == 0 || t->source[a] != t->source[b];
}

/* All pairs of the blocks of one rule. */
static void
take_blocks(MatchTable *t, PairSet *set, KeyRow *keys, size_t m, size_t most)
{
	size_t		i,
				x,
				y,
				run;

	match_sort(keys, keys + t->n + 1, m);
	for (i = 0; i < m; i += run)
	{
		run = match_run(keys, i, m);
		if (run > most)
		{
			t->skipped++;
			continue;
		}
		for (x = i; x < i + run; x++)
			for (y = x + 1; y < i + run; y++)
				if (may_pair(t, keys[x].row, keys[y].row) && !set_add(set, keys[x].row, keys[y].row))
					return;
	}
}

/* key[c * n + row]: column c of keys */
static void
take_rule(MatchTable *t, PairSet *set, KeyRow *keys, const uint64_t *x, const uint64_t *y, size_t most)
{
	size_t		m = 0;
	uint32_t	i;

	for (i = 0; i < t->n; i++)
		if (x[i] != 0 && (y == NULL || y[i] != 0))
		{
			keys[m].key = y == NULL ? x[i] : mix(x[i], y[i]);
			keys[m++].row = i;
		}
	if (m > 1)
		take_blocks(t, set, keys, m, most);
}

/* The definition's own rules. */
static CoreStatus
take_given_rules(MatchTable *t, PairSet *set, KeyRow *keys, const uint64_t *column)
{
	int			r,
				f;
	uint32_t	i;

	for (r = 0; r < t->rules; r++)
	{
		size_t		m = 0;

		if (core_interrupted(t->cx))
			return CORE_INTERRUPTED;
		for (i = 0; i < t->n; i++)
		{
			uint64_t	key = 1;

			for (f = 0; f < t->fields && key != 0; f++)
				if (t->rule[r] >> f & 1)
				{
					uint64_t	part = column[(size_t) f * KEYS_MAX * t->n + i];

					key = part == 0 ? 0 : mix(key, part);
				}
			if (key != 0)
			{
				keys[m].key = key;
				keys[m++].row = i;
			}
		}
		take_blocks(t, set, keys, m, BLOCK_GIVEN);
	}
	return CORE_OK;
}

/* Rules from the surest to the vaguest: pass 0 both fields equal and single ones, 1 one equal and a part, 2 parts. */
static CoreStatus
take_rules(MatchTable *t, PairSet *set, KeyRow *keys, const uint64_t *column)
{
	int			pass,
				f,
				g,
				j,
				k;

	if (t->rules > 0)
		return take_given_rules(t, set, keys, column);
	for (f = 0; f < t->fields; f++)
		if (t->field[f].kind != TABLE_EXACT)
			take_rule(t, set, keys, column + (size_t) f * KEYS_MAX * t->n, NULL, BLOCK_NEAR);
	for (pass = 0; pass < 3; pass++)
		for (f = 0; f < t->fields; f++)
			for (g = f + 1; g < t->fields; g++)
				for (j = 0; j < KEYS_MAX; j++)
					for (k = 0; k < KEYS_MAX; k++)
					{
						if ((j > 0) + (k > 0) != pass)
							continue;
						if (core_interrupted(t->cx))
							return CORE_INTERRUPTED;
						take_rule(t, set, keys, column + ((size_t) f * KEYS_MAX + j) * t->n,
								  column + ((size_t) g * KEYS_MAX + k) * t->n, pass == 0 ? BLOCK_EQUAL : BLOCK_NEAR);
					}
	return CORE_OK;
}

static CoreStatus
find_candidates(MatchTable *t, PairSet *set)
{
	size_t		room = 1024;
	KeyRow	   *keys = table_alloc(t, 2 * ((size_t) t->n + 1), sizeof *keys);
	uint64_t   *column = table_alloc(t, (size_t) t->fields * KEYS_MAX * t->n, sizeof *column);
	CoreStatus	status = CORE_NO_MEMORY;
	uint32_t	i;
	int			f,
				k;

	set->t = t;
	set->n = 0;
	set->most = (size_t) t->n * PAIRS_A_ROW < PAIRS_LEAST ? PAIRS_LEAST : (size_t) t->n * PAIRS_A_ROW;
	if ((double) set->most > (double) t->n * (t->n - 1.0) / 2)
		set->most = (size_t) t->n * (t->n - 1) / 2;
	while (room < set->most + set->most / 2)
		room *= 2;
	set->mask = room - 1;
	set->slot = table_alloc(t, room, sizeof *set->slot);
	if (keys != NULL && column != NULL && set->slot != NULL)
	{
		memset(set->slot, 0, room * sizeof *set->slot);
		for (f = 0; f < t->fields; f++)
			for (k = 0; k < KEYS_MAX; k++)
				for (i = 0; i < t->n; i++)
					column[((size_t) f * KEYS_MAX + k) * t->n + i] = field_key(t, i, f, k);
		status = take_rules(t, set, keys, column);
	}
	table_free(t, keys);
	table_free(t, column);
	t->candidates = set->n;
	return status;
}

/* ---- comparing ---- */

void
table_compare_rows(const MatchTable *t, uint32_t a, uint32_t b, uint8_t *level)
{
	const TableText *x = t->value + (size_t) a * t->fields;
	const TableText *y = t->value + (size_t) b * t->fields;
	int			f;

	for (f = 0; f < t->fields; f++)
		level[f] = x[f].s == NULL || y[f].s == NULL ? TABLE_MISSING :
			table_compare(&t->field[f], x[f].s, x[f].n, y[f].s, y[f].n);
	for (f = 0; f < t->fields; f++)
	{
		int			g = t->field[f].swap;

		/* both changed places: said once */
		if (g < 0 || level[f] == TABLE_MISSING || level[g] == TABLE_MISSING || level[f] == 0 || level[g] == 0)
			continue;
		if (table_compare(&t->field[f], x[f].s, x[f].n, y[g].s, y[g].n) <= 1 &&
			table_compare(&t->field[f], x[g].s, x[g].n, y[f].s, y[f].n) <= 1)
		{
			level[f] = 1;
			level[g] = TABLE_MISSING;
		}
	}
}

static int
better_pair(const void *x, const void *y)
{
	const TablePair *a = x;
	const TablePair *b = y;

	if (a->bits != b->bits)
		return a->bits > b->bits ? -1 : 1;
	if (a->a != b->a)
		return a->a < b->a ? -1 : 1;
	return a->b < b->b ? -1 : a->b > b->b;
}

/* ---- clusters ---- */

#define ASKED 400				/* pairs of members looked at before two clusters join */
#define AGAINST (-2.5)			/* a pair says no more than this against: what a row has wrong it has in all its pairs; */
#define IN_FAVOUR 12.0			/* and this in favour */

typedef struct Joining
{
	const MatchTable *t;
	const TableTrained *trained;
	const MatchForest *forest;
} Joining;

static bool
clusters_agree(const Joining *j, uint32_t a, uint32_t b)
{
	uint8_t		level[TABLE_FIELDS_MAX];
	double		sum = 0;
	int			asked = 0;
	uint32_t	x = a;

	do
	{
		uint32_t	y = b;

		do
		{
			double		bits;

			if (!may_pair(j->t, x, y))
				return false;
			table_compare_rows(j->t, x, y, level);
			bits = table_score(j->t, j->trained, x, y, level, NULL);
			sum += bits < AGAINST ? AGAINST : bits > IN_FAVOUR ? IN_FAVOUR : bits;
			y = j->forest->next[y];
		} while (y != b && ++asked < ASKED);
		x = j->forest->next[x];
	} while (x != a && asked < ASKED);
	return sum >= 0;
}

static CoreStatus
form_clusters(MatchTable *t, const TableTrained *trained, TableOutcome *out)
{
	Joining		j = {t, trained, &out->forest};
	CoreStatus	status = match_forest_make(t->cx, &out->forest, t->n);
	size_t		i;

	if (status != CORE_OK)
		return status;
	out->best = table_alloc(t, t->n, sizeof *out->best);
	if (out->best == NULL)
		return CORE_NO_MEMORY;
	for (i = 0; i < t->n; i++)
		out->best[i] = -INFINITY;
	for (i = 0; i < out->npairs && out->pair[i].bits >= trained->model.threshold; i++)
	{
		const TablePair *p = &out->pair[i];
		uint32_t	a = match_forest_root(&out->forest, p->a);
		uint32_t	b = match_forest_root(&out->forest, p->b);

		if (i % 1024 == 0 && core_interrupted(t->cx))
			return CORE_INTERRUPTED;
		if (a != b && (out->forest.size[a] + out->forest.size[b] > 2 || !may_pair(t, p->a, p->b)) && !clusters_agree(&j, p->a, p->b))
		{
			t->refused++;
			continue;
		}
		match_forest_join(&out->forest, a, b);
		out->best[p->a] = fmaxf(out->best[p->a], p->bits);
		out->best[p->b] = fmaxf(out->best[p->b], p->bits);
	}
	return CORE_OK;
}

/* ---- all ---- */

static CoreStatus
score_all(MatchTable *t, const TablePairs *pairs, const TableTrained *trained, TableOutcome *out)
{
	size_t		i;

	out->pair = table_alloc(t, pairs->n, sizeof *out->pair);
	if (out->pair == NULL)
		return CORE_NO_MEMORY;
	for (i = 0; i < pairs->n; i++)
	{
		TablePair	p = {(uint32_t) (pairs->pair[i] >> 32), (uint32_t) pairs->pair[i], 0};

		p.bits = (float) table_score(t, trained, p.a, p.b, pairs->level + i * t->fields, NULL);
		if (p.bits > KEPT)
			out->pair[out->npairs++] = p;
	}
	qsort(out->pair, out->npairs, sizeof *out->pair, better_pair);
	return CORE_OK;
}

CoreStatus
match_table_link(MatchTable *t, const TableModel *model, TableOutcome *out)
{
	PairSet		set = {0};
	TablePairs	pairs = {0};
	TableTrained trained;
	CoreStatus	status = find_candidates(t, &set);
	size_t		i,
				k = 0;

	memset(out, 0, sizeof *out);
	memset(&trained, 0, sizeof trained);
	if (status == CORE_OK)
	{
		/* the set becomes the list, in the order of rows */
		for (i = 0; i <= set.mask; i++)
			if (set.slot[i] != 0)
				set.slot[k++] = set.slot[i];
		pairs.pair = set.slot;
		pairs.n = k;
		pairs.level = table_alloc(t, k * t->fields, 1);
		if (pairs.level == NULL)
			status = CORE_NO_MEMORY;
	}
	for (i = 0; status == CORE_OK && i < k; i++)
	{
		table_compare_rows(t, (uint32_t) (pairs.pair[i] >> 32), (uint32_t) pairs.pair[i], pairs.level + i * t->fields);
		if (i % 4096 == 0 && core_interrupted(t->cx))
			status = CORE_INTERRUPTED;
	}
	if (status == CORE_OK)
		status = table_train(t, &pairs, model, &trained);
	if (status == CORE_OK)
		status = score_all(t, &pairs, &trained, out);
	if (status == CORE_OK)
	{
		if (model == NULL)
			table_choose_threshold(&trained, out);
		if (!isnan(t->threshold))
			trained.model.threshold = t->threshold;
		status = form_clusters(t, &trained, out);
	}
	out->model = trained.model;
	table_free_trained(t, &trained);
	table_free(t, pairs.level);
	table_free(t, set.slot);
	if (status != CORE_OK)
		match_table_free_outcome(t, out);
	return status;
}

void
match_table_free_outcome(MatchTable *t, TableOutcome *out)
{
	match_forest_free(t->cx, &out->forest);
	table_free(t, out->pair);
	table_free(t, out->best);
	out->pair = NULL;
	out->best = NULL;
}
