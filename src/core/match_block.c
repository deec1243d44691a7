/*
 * match_block.c
 *		Blocking by sort.
 */
#include "match_block.h"

#include <string.h>

#include "match_sort.h"

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

/* Which features are there and equal. */
static uint16_t
equal_parts(const MatchRow *a, const MatchRow *b)
{
	uint16_t	equal = 0;
	uint16_t	part;

	for (part = 1; part <= PART_HOUSE; part <<= 1)
	{
		uint64_t	v = part_value(a, part);

		if (v != 0 && v == part_value(b, part))
			equal |= part;
	}
	return equal;
}

typedef struct Blocking
{
	const CoreContext *cx;
	const MatchRow *rows;
	MatchPairFn fn;
	void	   *arg;
	MatchBlockStats *stats;
	uint16_t   *state;			/* a row's blocks: bit r = refined by rule r, bit r + 8 = windowed too */
	KeyRow	   *sub;			/* room for one block, twice */
	size_t		sub_room;
	int			rule;
	int			refine;			/* -1 = whole block */
} Blocking;

static bool
has_all(uint16_t set, uint16_t parts)
{
	return parts != 0 && (set & parts) == parts;
}

/* Does an earlier rule, or an earlier refinement of this one, give the pair? */
static bool
given_before(const Blocking *b, uint32_t x, uint32_t y)
{
	uint16_t	equal = equal_parts(&b->rows[x], &b->rows[y]);
	uint16_t	state = b->state[x] | b->state[y];
	int			r,
				k;

	for (r = 0; r <= b->rule; r++)
	{
		int			refines = r < b->rule ? MATCH_REFINES : b->refine;

		if (!has_all(equal, match_rules[r].parts))
			continue;
		if (r < b->rule && !(state >> r & 1))
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
give(const Blocking *b, uint32_t x, uint32_t y)
{
	if (given_before(b, x, y))
		return CORE_OK;
	b->stats->pairs[b->rule]++;
	return x < y ? b->fn(b->arg, x, y) : b->fn(b->arg, y, x);
}

static CoreStatus
give_all(const Blocking *b, const KeyRow *a, size_t n)
{
	size_t		i,
				j;

	for (i = 0; i < n; i++)
		for (j = i + 1; j < n; j++)
		{
			CoreStatus	status = give(b, a[i].row, a[j].row);

			if (status != CORE_OK)
				return status;
		}
	return CORE_OK;
}

static CoreStatus
give_window(Blocking *b, KeyRow *a, size_t n)
{
	size_t		i,
				j;

	b->stats->windowed[b->rule]++;
	for (i = 0; i < n; i++)
	{
		const MatchRow *r = &b->rows[a[i].row];

		b->state[a[i].row] |= 1u << (b->rule + 8);
		a[i].key = r->name ^ (uint64_t) r->birth * UINT64_C(0xff51afd7ed558ccd);
	}
	match_sort(a, b->sub + b->sub_room, n);
	for (i = 0; i < n; i++)
		for (j = i + 1; j < n && j <= i + MATCH_WINDOW; j++)
		{
			CoreStatus	status = give(b, a[i].row, a[j].row);

			if (status != CORE_OK)
				return status;
		}
	return CORE_OK;
}

static CoreStatus
sub_reserve(Blocking *b, size_t n)
{
	KeyRow	   *more;

	if (n <= b->sub_room)
		return CORE_OK;
	more = b->cx->alloc(b->cx->arg, 2 * n * sizeof *more);
	if (more == NULL)
		return CORE_NO_MEMORY;
	if (b->sub != NULL)
		b->cx->free(b->cx->arg, b->sub);
	b->sub = more;
	b->sub_room = n;
	return CORE_OK;
}

/* Cuts a large block by further features. */
static CoreStatus
give_refined(Blocking *b, const KeyRow *a, size_t n)
{
	const MatchRule *rule = &match_rules[b->rule];
	CoreStatus	status = sub_reserve(b, n);
	size_t		i;

	b->stats->refined[b->rule]++;
	for (i = 0; i < n; i++)
		b->state[a[i].row] |= 1u << b->rule;
	for (b->refine = 0; status == CORE_OK && b->refine < MATCH_REFINES; b->refine++)
	{
		size_t		m = 0;
		size_t		run;

		for (i = 0; i < n; i++)
		{
			uint64_t	key = parts_key(&b->rows[a[i].row], rule->refine[b->refine]);

			if (key != 0)
			{
				b->sub[m].key = key;
				b->sub[m++].row = a[i].row;
			}
		}
		match_sort(b->sub, b->sub + b->sub_room, m);
		for (i = 0; status == CORE_OK && i < m; i += run)
		{
			run = match_run(b->sub, i, m);
			status = run <= MATCH_BLOCK_MAX ? give_all(b, b->sub + i, run) : give_window(b, b->sub + i, run);
		}
	}
	b->refine = -1;
	return status;
}

static CoreStatus
run_rule(Blocking *b, KeyRow *keys, KeyRow *spare, uint32_t n)
{
	CoreStatus	status = CORE_OK;
	size_t		m = 0;
	size_t		i;
	size_t		run;

	for (i = 0; i < n; i++)
	{
		uint64_t	key = match_rule_key(&b->rows[i], &match_rules[b->rule]);

		if (key != 0)
		{
			keys[m].key = key;
			keys[m++].row = (uint32_t) i;
		}
	}
	match_sort(keys, spare, m);
	for (i = 0; status == CORE_OK && i < m; i += run)
	{
		run = match_run(keys, i, m);
		if (run < 2)
			continue;
		if (core_interrupted(b->cx))
			return CORE_INTERRUPTED;
		b->stats->blocks[b->rule]++;
		if (run > b->stats->largest[b->rule])
			b->stats->largest[b->rule] = (uint32_t) run;
		status = run <= MATCH_BLOCK_MAX ? give_all(b, keys + i, run) : give_refined(b, keys + i, run);
	}
	return status;
}

CoreStatus
match_block(const CoreContext *cx, const MatchRow *rows, uint32_t n, MatchPairFn fn, void *arg,
			MatchBlockStats *stats)
{
	Blocking	b = {cx, rows, fn, arg, stats, NULL, NULL, 0, 0, -1};
	KeyRow	   *keys = cx->alloc(cx->arg, ((size_t) n + 1) * sizeof *keys);
	KeyRow	   *spare = cx->alloc(cx->arg, ((size_t) n + 1) * sizeof *spare);
	CoreStatus	status = CORE_NO_MEMORY;

	b.state = cx->alloc(cx->arg, ((size_t) n + 1) * sizeof *b.state);
	memset(stats, 0, sizeof *stats);
	if (keys != NULL && spare != NULL && b.state != NULL)
	{
		memset(b.state, 0, n * sizeof *b.state);
		status = CORE_OK;
		for (b.rule = 0; status == CORE_OK && b.rule < MATCH_RULES; b.rule++)
			status = run_rule(&b, keys, spare, n);
	}
	if (b.sub != NULL)
		cx->free(cx->arg, b.sub);
	if (b.state != NULL)
		cx->free(cx->arg, b.state);
	if (spare != NULL)
		cx->free(cx->arg, spare);
	if (keys != NULL)
		cx->free(cx->arg, keys);
	return status;
}
