/*
 * match_block.c
 *		Blocking by sort.
 */
#include "match_block.h"

#include <string.h>

enum Part
{
	PART_NUMBER = 1, PART_INSURANCE = 2, PART_PHONE = 4, PART_NAME = 8, PART_SURNAME = 16, PART_GIVEN = 32,
	PART_BIRTH = 64, PART_YEAR = 128, PART_DISTRICT = 256, PART_COMMUNE = 512, PART_HOUSE = 1024
};

const MatchRule match_rules[MATCH_RULES] = {
	{"number", PART_NUMBER, {PART_NAME, PART_BIRTH, PART_PHONE}},
	{"insurance", PART_INSURANCE, {PART_NAME, PART_BIRTH, PART_PHONE}},
	{"phone", PART_PHONE, {PART_NAME, PART_BIRTH, PART_GIVEN | PART_YEAR}},
	{"surname_given_birth", PART_SURNAME | PART_GIVEN | PART_BIRTH, {PART_COMMUNE, PART_NAME | PART_DISTRICT, PART_PHONE}},
	{"name_year_district", PART_NAME | PART_YEAR | PART_DISTRICT, {PART_COMMUNE, PART_BIRTH, PART_PHONE}},
	{"name_commune", PART_NAME | PART_COMMUNE, {PART_YEAR, PART_HOUSE, PART_PHONE}},
	{"birth_commune", PART_BIRTH | PART_COMMUNE, {PART_GIVEN, PART_HOUSE, PART_PHONE}},
};

/* The value of one feature; 0 = missing. */
static uint64_t
part_value(const MatchRow *r, int part)
{
	switch (part)
	{
		case PART_NUMBER:
			return r->number == 0 ? 0 : r->number * 4 + r->number_kind;
		case PART_INSURANCE:
			return r->insurance;
		case PART_PHONE:
			return r->phone;
		case PART_NAME:
			return r->flags & MATCH_NEWBORN ? r->name ^ 1 : r->name;
		case PART_SURNAME:
			return r->flags & MATCH_NEWBORN ? 0 : r->surname;
		case PART_GIVEN:
			return r->flags & MATCH_NEWBORN ? 0 : r->given;
		case PART_BIRTH:
			return r->birth % 10000 == 0 ? 0 : r->birth;
		case PART_YEAR:
			return r->birth / 10000;
		case PART_DISTRICT:
			return r->district;
		case PART_COMMUNE:
			return r->commune;
		default:
			return r->house;
	}
}

static uint64_t
parts_key(const MatchRow *r, uint16_t parts)
{
	uint64_t	key = 0x9e3779b97f4a7c15;

	while (parts != 0)
	{
		uint16_t	part = parts & -parts;
		uint64_t	v = part_value(r, part);

		if (v == 0)
			return 0;
		key = (key ^ v ^ part) * UINT64_C(0xff51afd7ed558ccd);
		key ^= key >> 32;
		parts ^= part;
	}
	return key | 1;
}

uint64_t
match_rule_key(const MatchRow *row, const MatchRule *rule)
{
	return parts_key(row, rule->parts);
}

#define EQUAL(field, part) ((uint16_t) (((a->field != 0) & (a->field == b->field)) ? part : 0))

/* Which features are there and equal: part_value of both, without a branch a feature. */
static uint16_t
equal_parts(const MatchRow *a, const MatchRow *b)
{
	bool		newborn = (a->flags | b->flags) & MATCH_NEWBORN;
	uint16_t	equal = 0;

	equal |= a->number_kind == b->number_kind ? EQUAL(number, PART_NUMBER) : 0;
	equal |= EQUAL(insurance, PART_INSURANCE);
	equal |= EQUAL(phone, PART_PHONE);
	equal |= ((a->flags ^ b->flags) & MATCH_NEWBORN) == 0 ? EQUAL(name, PART_NAME) : 0;
	equal |= newborn ? 0 : EQUAL(surname, PART_SURNAME) | EQUAL(given, PART_GIVEN);
	equal |= a->birth % 10000 != 0 ? EQUAL(birth, PART_BIRTH) : 0;
	equal |= a->birth != 0 && a->birth / 10000 == b->birth / 10000 ? PART_YEAR : 0;
	equal |= EQUAL(district, PART_DISTRICT) | EQUAL(commune, PART_COMMUNE) | EQUAL(house, PART_HOUSE);
	return equal;
}

static bool
has_all(uint16_t set, uint16_t parts)
{
	return parts != 0 && (set & parts) == parts;
}

/* Several processes set bits of one row at a time. */
static void
note_state(const MatchBlocking *b, uint32_t row, int bit)
{
	__atomic_fetch_or(&b->state[row], (uint16_t) (1u << bit), __ATOMIC_RELAXED);
}

CoreStatus
match_blocking_start(MatchBlocking *b, const CoreContext *cx, MatchRow *rows, uint32_t n, uint16_t *state, size_t memory)
{
	memset(b, 0, sizeof *b);
	b->cx = cx;
	b->rows = rows;
	b->n = n;
	b->state = state;
	b->room = memory / (2 * sizeof *b->keys);
	if (b->room > n)
		b->room = n;
	if (b->room < 1024)
		b->room = 1024;
	return CORE_OK;
}

void
match_blocking_end(MatchBlocking *b)
{
	if (b->keys != NULL)
		b->cx->free(b->cx->arg, b->keys);
	if (b->sub != NULL)
		b->cx->free(b->cx->arg, b->sub);
	b->keys = b->sub = NULL;
}

static CoreStatus
reserve(const CoreContext *cx, KeyRow **keys, size_t *room, size_t n)
{
	KeyRow	   *more;

	if (*keys != NULL && n <= *room)
		return CORE_OK;
	if (*keys != NULL)
		cx->free(cx->arg, *keys);
	*keys = NULL;
	n = n > *room ? n : *room;
	more = cx->alloc(cx->arg, 2 * n * sizeof *more);
	if (more == NULL)
		return CORE_NO_MEMORY;
	*keys = more;
	*room = n;
	return CORE_OK;
}

/* ---- grouping by a key, in as many passes as the memory asks for ---- */

typedef uint64_t (*KeyFn) (const MatchRow *row, int which);
typedef CoreStatus (*RunFn) (MatchBlocking *b, const KeyRow *run, size_t n, int which, void *arg);

#define SLICES 1024
#define SLICE_OF(key) ((key) >> 54)

static CoreStatus
run_pass(MatchBlocking *b, KeyFn key_of, int which, unsigned from, unsigned to, RunFn fn, void *arg)
{
	CoreStatus	status = CORE_OK;
	size_t		m = 0;
	size_t		run;
	size_t		i;

	for (i = 0; i < b->n; i++)
	{
		uint64_t	key = key_of(&b->rows[i], which);

		if (key == 0 || SLICE_OF(key) < from || SLICE_OF(key) >= to)
			continue;
		b->keys[m].key = key;
		b->keys[m++].row = (uint32_t) i;
	}
	if (core_interrupted(b->cx))
		return CORE_INTERRUPTED;
	match_sort(b->keys, b->keys + b->room, m);
	for (i = 0; status == CORE_OK && i < m; i += run)
	{
		run = match_run(b->keys, i, m);
		if (core_interrupted(b->cx))
			return CORE_INTERRUPTED;
		status = fn(b, b->keys + i, run, which, arg);
	}
	return status;
}

/* Gives all rows with one key together, in order of keys, rows in order. */
static CoreStatus
group_rows(MatchBlocking *b, KeyFn key_of, int which, RunFn fn, void *arg)
{
	uint32_t	slice[SLICES] = {0};
	CoreStatus	status;
	unsigned	from,
				to;
	uint32_t	i;

	if (b->n <= b->room)
	{
		status = reserve(b->cx, &b->keys, &b->room, b->n);
		return status != CORE_OK ? status : run_pass(b, key_of, which, 0, SLICES, fn, arg);
	}
	for (i = 0; i < b->n; i++)
	{
		uint64_t	key = key_of(&b->rows[i], which);

		if (key != 0)
			slice[SLICE_OF(key)]++;
	}
	for (from = 0; from < SLICES; from = to)
	{
		size_t		rows = slice[from];

		for (to = from + 1; to < SLICES && rows + slice[to] <= b->room; to++)
			rows += slice[to];
		status = reserve(b->cx, &b->keys, &b->room, rows);
		if (status == CORE_OK)
			status = run_pass(b, key_of, which, from, to, fn, arg);
		if (status != CORE_OK)
			return status;
	}
	return CORE_OK;
}

/* ---- finding blocks ---- */

static uint64_t
rule_key(const MatchRow *row, int rule)
{
	return parts_key(row, match_rules[rule].parts);
}

typedef struct Finding
{
	MatchBlockFn fn;
	void	   *arg;
	uint32_t   *row;
	size_t		room;
} Finding;

/* A large block: its rows are marked, and those too whose part of it is still too large. */
static CoreStatus
mark_large(MatchBlocking *b, const KeyRow *run, size_t n, int rule)
{
	CoreStatus	status = reserve(b->cx, &b->sub, &b->sub_room, n);
	bool		windowed = false;
	size_t		i;
	int			k;

	if (status != CORE_OK)
		return status;
	b->stats.refined[rule]++;
	for (i = 0; i < n; i++)
		note_state(b, run[i].row, rule);
	for (k = 0; k < MATCH_REFINES; k++)
	{
		size_t		m = 0;
		size_t		same;

		for (i = 0; i < n; i++)
		{
			b->sub[m].key = parts_key(&b->rows[run[i].row], match_rules[rule].refine[k]);
			b->sub[m].row = run[i].row;
			m += b->sub[m].key != 0;
		}
		match_sort(b->sub, b->sub + b->sub_room, m);
		for (i = 0; i < m; i += same)
		{
			size_t		j;

			same = match_run(b->sub, i, m);
			if (same <= MATCH_BLOCK_MAX)
				continue;
			windowed = true;
			for (j = i; j < i + same; j++)
				note_state(b, b->sub[j].row, rule + 8);
		}
	}
	b->stats.windowed[rule] += windowed;
	return CORE_OK;
}

static CoreStatus
found_run(MatchBlocking *b, const KeyRow *run, size_t n, int rule, void *arg)
{
	Finding    *f = arg;
	CoreStatus	status = CORE_OK;
	uint16_t	shared = n > UINT16_MAX ? UINT16_MAX : (uint16_t) n;
	size_t		i;

	for (i = 0; i < n && match_rules[rule].parts == PART_PHONE; i++)
		b->rows[run[i].row].phone_rows = shared;
	for (i = 0; i < n && match_rules[rule].parts == PART_NUMBER; i++)
		b->rows[run[i].row].number_rows = shared;
	if (n < 2)
		return CORE_OK;
	b->stats.blocks[rule]++;
	b->stats.within[rule] += n <= MATCH_BLOCK_MAX ? (uint64_t) n * (n - 1) / 2 : (uint64_t) n * MATCH_WINDOW;
	if (n > b->stats.largest[rule])
		b->stats.largest[rule] = (uint32_t) n;
	if (n > MATCH_BLOCK_MAX)
		status = mark_large(b, run, n, rule);
	if (n > f->room)
	{
		if (f->row != NULL)
			b->cx->free(b->cx->arg, f->row);
		f->room = n < 1024 ? 1024 : n;
		f->row = b->cx->alloc(b->cx->arg, f->room * sizeof *f->row);
		if (f->row == NULL)
			return CORE_NO_MEMORY;
	}
	for (i = 0; i < n; i++)
		f->row[i] = run[i].row;
	return status == CORE_OK ? f->fn(f->arg, f->row, (uint32_t) n) : status;
}

CoreStatus
match_block_find(MatchBlocking *b, int rule, MatchBlockFn fn, void *arg)
{
	Finding		f = {fn, arg, NULL, 0};
	CoreStatus	status = group_rows(b, rule_key, rule, found_run, &f);

	if (f.row != NULL)
		b->cx->free(b->cx->arg, f.row);
	return status;
}

/* ---- pairs ---- */

typedef struct Giving
{
	MatchBlocking *b;
	MatchPairFn fn;
	void	   *arg;
	int			rule;
	int			refine;			/* -1 = whole block */
} Giving;

/* Does an earlier rule, or an earlier refinement of this one, give the pair? */
static bool
given_before(const Giving *g, uint32_t x, uint32_t y)
{
	const MatchBlocking *b = g->b;
	uint16_t	equal = equal_parts(&b->rows[x], &b->rows[y]);
	uint16_t	state = b->state[x] | b->state[y];
	int			r,
				k;

	for (r = 0; r <= g->rule; r++)
	{
		int			refines = r < g->rule ? MATCH_REFINES : g->refine;

		if (!has_all(equal, match_rules[r].parts))
			continue;
		if (r < g->rule && !(state >> r & 1))
			return true;
		/* windows do not give all pairs: rather twice than never */
		if (state >> (r + 8) & 1)
			continue;
		for (k = 0; k < refines; k++)
			if (has_all(equal, match_rules[r].refine[k]))
				return true;
	}
	return false;
}

static CoreStatus
give(const Giving *g, uint32_t x, uint32_t y)
{
	if (given_before(g, x, y))
		return CORE_OK;
	g->b->stats.pairs[g->rule]++;
	return x < y ? g->fn(g->arg, x, y) : g->fn(g->arg, y, x);
}

static CoreStatus
give_within(const Giving *g, const KeyRow *a, size_t n, size_t reach)
{
	size_t		i,
				j;

	for (i = 0; i < n; i++)
		for (j = i + 1; j < n && j - i <= reach; j++)
		{
			CoreStatus	status = give(g, a[i].row, a[j].row);

			if (status != CORE_OK)
				return status;
		}
	return CORE_OK;
}

static CoreStatus
give_window(const Giving *g, KeyRow *a, size_t n)
{
	size_t		i;

	for (i = 0; i < n; i++)
	{
		const MatchRow *r = &g->b->rows[a[i].row];

		a[i].key = r->name ^ (uint64_t) r->birth * UINT64_C(0xff51afd7ed558ccd);
	}
	match_sort(a, g->b->sub + g->b->sub_room, n);
	return give_within(g, a, n, MATCH_WINDOW);
}

/* Cuts a large block by further features. */
static CoreStatus
give_refined(Giving *g, const uint32_t *row, uint32_t n)
{
	MatchBlocking *b = g->b;
	CoreStatus	status = reserve(b->cx, &b->sub, &b->sub_room, n);
	size_t		i;

	for (g->refine = 0; status == CORE_OK && g->refine < MATCH_REFINES; g->refine++)
	{
		size_t		m = 0;
		size_t		run;

		for (i = 0; i < n; i++)
		{
			b->sub[m].key = parts_key(&b->rows[row[i]], match_rules[g->rule].refine[g->refine]);
			b->sub[m].row = row[i];
			m += b->sub[m].key != 0;
		}
		match_sort(b->sub, b->sub + b->sub_room, m);
		for (i = 0; status == CORE_OK && i < m; i += run)
		{
			if (core_interrupted(b->cx))
				return CORE_INTERRUPTED;
			run = match_run(b->sub, i, m);
			status = run <= MATCH_BLOCK_MAX ? give_within(g, b->sub + i, run, run) : give_window(g, b->sub + i, run);
		}
	}
	return status;
}

CoreStatus
match_block_pairs(MatchBlocking *b, int rule, const uint32_t *row, uint32_t n, MatchPairFn fn, void *arg)
{
	Giving		g = {b, fn, arg, rule, -1};
	uint32_t	i,
				j;

	if (n > MATCH_BLOCK_MAX)
		return give_refined(&g, row, n);
	for (i = 0; i < n; i++)
		for (j = i + 1; j < n; j++)
		{
			CoreStatus	status = give(&g, row[i], row[j]);

			if (status != CORE_OK)
				return status;
		}
	return CORE_OK;
}

/* ---- homes ---- */

static uint64_t
home_key(const MatchRow *r, int which)
{
	uint64_t	key;

	if (r->street == 0)
		return 0;
	key = (r->street ^ r->house * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xff51afd7ed558ccd) ^ r->commune;
	return key == 0 ? 1 : key;
}

static CoreStatus
home_run(MatchBlocking *b, const KeyRow *run, size_t n, int which, void *arg)
{
	*(double *) arg += (double) n * (n - 1) / 2;
	return CORE_OK;
}

CoreStatus
match_home_pairs(MatchBlocking *b, double *pairs)
{
	*pairs = 0;
	return group_rows(b, home_key, 0, home_run, pairs);
}

void
match_block_stats_add(MatchBlockStats *to, const MatchBlockStats *from)
{
	int			r;

	for (r = 0; r < MATCH_RULES; r++)
	{
		to->pairs[r] += from->pairs[r];
		to->within[r] += from->within[r];
		to->blocks[r] += from->blocks[r];
		to->refined[r] += from->refined[r];
		to->windowed[r] += from->windowed[r];
		if (from->largest[r] > to->largest[r])
			to->largest[r] = from->largest[r];
	}
}
