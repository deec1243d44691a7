/*
 * match_settle.c
 *		A neighbourhood formed anew, as linking in bulk forms it.
 *
 * Where a guard refuses, what becomes of a row depends on the pairs around it:
 * a later record may fit one of two linked ones better than these each other,
 * and refuse the other.  Clusters of different neighbourhoods have nothing to do
 * with each other: a neighbourhood is all rows that can be reached along pairs
 * which score enough to be linked.  So its clusters are made by the code of
 * linking in bulk, out of its rows alone, and what is linked is changed to that.
 *
 * Persons that somebody decided on (linked or merged by hand) stay whole, and
 * pairs that somebody decided are two persons are kept apart.
 */
#include "postgres.h"

#include <math.h>

#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "compat.h"
#include "core/match_link.h"
#include "identity/identity.h"
#include "identity/match_online.h"
#include "identity/match_query.h"

/* A larger neighbourhood is left as it is. */
#define SETTLE_MOST 300

#define SETTLE_REASON "a later record fits better"

static void *
settle_alloc(void *arg, size_t size)
{
	return palloc_extended(size, MCXT_ALLOC_NO_OOM | MCXT_ALLOC_HUGE);
}

static void
settle_free(void *arg, void *p)
{
	pfree(p);
}

static bool
settle_interrupted(void *arg)
{
	return QueryCancelPending || ProcDiePending;
}

static const CoreContext settle_core = {settle_alloc, settle_free, settle_interrupted, NULL, 100};

/* ---- the rows ---- */

static bool
has_person(const MatchMembers *rows, int64 person)
{
	uint32		i;

	for (i = 0; i < rows->n; i++)
		if (rows->member[i].person == person)
			return true;
	return false;
}

/* The row itself, all rows that are reached from it, and the whole persons that these are; false when they are too many. */
static bool
gather(const MatchSearch *with, const MatchRow *own, int64 own_subject, MatchMembers *rows)
{
	MatchSearch s = *with;
	MatchMember *first;
	uint32		i;
	uint32		k;

	rows->n = 0;
	first = match_add_member(rows);
	first->row = *own;
	first->row.subject = own_subject;
	first->person = 0;
	for (i = 0; i < rows->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		match_search(&s, &rows->member[i].row, rows->member[i].row.subject, match_bits(EHR_MATCH_LINK));
		/* with its shares now */
		s.own.subject = rows->member[i].row.subject;
		rows->member[i].row = s.own;
		for (k = 0; k < s.n; k++)
			if (match_probability(s.found[k].bits) >= EHR_MATCH_LINK && !has_person(rows, s.found[k].person))
				match_add_members(rows, s.found[k].person);
		pfree(s.found);
		if (rows->n > SETTLE_MOST)
			return false;
	}
	return true;
}

static int
by_number(const void *a, const void *b)
{
	int64		x = *(const int64 *) a;
	int64		y = *(const int64 *) b;

	return x < y ? -1 : x > y;
}

/* Nobody registers what could be a neighbour meanwhile; false when all of it was ours already. */
static bool
lock_rows(const MatchMembers *rows)
{
	int64	   *key = palloc((rows->n * MATCH_RULES + 1) * sizeof *key);
	int64	   *person = palloc((rows->n + 1) * sizeof *person);
	uint32		keys = 0;
	uint32		i;
	bool		more = false;
	int			rule;

	for (i = 0; i < rows->n; i++)
	{
		person[i] = rows->member[i].person;
		for (rule = 0; rule < MATCH_RULES; rule++)
		{
			key[keys] = (int64) match_rule_key(&rows->member[i].row, &match_rules[rule]);
			keys += key[keys] != 0;
		}
	}
	qsort(key, keys, sizeof *key, by_number);
	qsort(person, rows->n, sizeof *person, by_number);
	for (i = 0; i < keys; i++)
		if (i == 0 || key[i] != key[i - 1])
			more |= match_lock(MATCH_LOCK_BLOCK, key[i], false);
	for (i = 0; i < rows->n; i++)
		if (person[i] != 0 && (i == 0 || person[i] != person[i - 1]))
			more |= match_lock(MATCH_LOCK_PERSON, person[i], false);
	pfree(key);
	pfree(person);
	return more;
}

/* ---- their clusters ---- */

static bool
share_a_key(const MatchRow *a, const MatchRow *b)
{
	int			rule;

	for (rule = 0; rule < MATCH_RULES; rule++)
	{
		uint64_t	key = match_rule_key(a, &match_rules[rule]);

		if (key != 0 && key == match_rule_key(b, &match_rules[rule]))
			return true;
	}
	return false;
}

static CoreStatus
keep_edge(void *arg, const MatchEdge *edge, bool link)
{
	return link ? match_edge_push(&settle_core, arg, edge) : CORE_OK;
}

/* Rows of one person that no pair holds together now, though one did when it was linked: they part only where they refuse. */
static void
add_glue(const MatchRow *rows, const int64 *person, uint32 n, MatchEdgeList *links)
{
	MatchForest forest;
	size_t		given = links->n;
	size_t		e;
	uint32		i;
	uint32		k;

	if (match_forest_make(&settle_core, &forest, n) != CORE_OK)
		elog(ERROR, "out of memory");
	for (e = 0; e < given; e++)
		if (person[links->edge[e].a] == person[links->edge[e].b])
			match_forest_join(&forest, links->edge[e].a, links->edge[e].b);
	for (i = 0; i < n; i++)
		for (k = i + 1; k < n; k++)
		{
			MatchEdge	edge = {i, k, (float) match_bits(EHR_MATCH_LINK)};

			if (person[i] != 0 && person[i] == person[k] && match_forest_join(&forest, i, k) &&
				match_edge_push(&settle_core, links, &edge) != CORE_OK)
				elog(ERROR, "out of memory");
		}
	match_forest_free(&settle_core, &forest);
}

static bool
by_hand(int64 person)
{
	Datum		value = Int64GetDatum(person);
	MatchResult said = match_ask(QUERY_BY_HAND, &value, NULL, 1);
	bool		yes = said.n > 0;

	match_asked(&said);
	return yes;
}

typedef struct Decisions
{
	int64_t		(*apart)[2];
	size_t		n;
} Decisions;

static int
by_pair(const void *a, const void *b)
{
	const int64_t *x = a;
	const int64_t *y = b;

	if (x[0] != y[0])
		return x[0] < y[0] ? -1 : 1;
	return x[1] < y[1] ? -1 : x[1] > y[1];
}

/* What somebody decided on pairs of the rows: joined ones get one mark (MatchRow.person), others are listed. */
static void
read_decisions(MatchRow *rows, uint32 n, Decisions *d)
{
	size_t		room = 16;
	uint32		i;
	uint32		k;
	uint32		j;

	d->n = 0;
	d->apart = palloc(room * sizeof *d->apart);
	for (i = 0; i < n; i++)
	{
		Datum		value = Int64GetDatum(rows[i].subject);
		MatchResult decided = match_ask(QUERY_DECIDED, &value, NULL, 0);
		uint64		r;
		bool		isnull;

		for (r = 0; r < decided.n; r++)
		{
			int64		other = match_int(&decided, r, 1);
			int64		mark;

			for (k = 0; k < n && rows[k].subject != other; k++)
				;
			if (k == n || other < rows[i].subject)
				continue;
			if (!DatumGetBool(match_cell(&decided, r, 2, &isnull)))
			{
				if (d->n == room)
					d->apart = repalloc(d->apart, (room *= 2) * sizeof *d->apart);
				d->apart[d->n][0] = rows[i].subject;
				d->apart[d->n++][1] = other;
				continue;
			}
			/* one mark for all that have one of the two */
			mark = rows[k].person;
			for (j = 0; j < n; j++)
				if (rows[j].person == mark)
					rows[j].person = rows[i].person;
		}
		match_asked(&decided);
	}
	qsort(d->apart, d->n, sizeof *d->apart, by_pair);
}

/* Marks of what stays together: a number for each row, one number for each person that somebody decided on. */
static void
mark_fixed(MatchRow *rows, const int64 *person, uint32 n)
{
	uint32		i;
	uint32		k;

	for (i = 0; i < n; i++)
	{
		for (k = 0; k < i && (person[i] == 0 || person[k] != person[i]); k++)
			;
		rows[i].person = k == i ? (int64) i + 1 : by_hand(person[i]) ? rows[k].person : (int64) i + 1;
	}
}

/* ---- what is linked, changed to that ---- */

typedef struct Settling
{
	MatchRow   *row;			/* in canonical order */
	int64	   *person;			/* before; 0 = none yet */
	uint32	   *cluster;
	int64	   *home;			/* by cluster: the person that it is */
	int64	   *alone;			/* by row: the person that it was made when it was taken apart; 0 = not taken */
	uint32		n;
} Settling;

static uint32
rows_of(const Settling *s, int64 person, uint32 cluster)
{
	uint32		n = 0;
	uint32		i;

	for (i = 0; i < s->n; i++)
		n += s->person[i] == person && s->cluster[i] == cluster;
	return n;
}

/* Each cluster keeps the person that most of its rows are, and that no other cluster has more rows of. */
static void
choose_homes(Settling *s)
{
	bool	   *taken = palloc0((s->n + 1) * sizeof *taken);	/* by the first row of a person */
	uint32		i;

	for (;;)
	{
		uint32		best = 0;
		uint32		best_row = 0;

		for (i = 0; i < s->n; i++)
		{
			uint32		first;
			uint32		rows;

			for (first = 0; s->person[first] != s->person[i]; first++)
				;
			if (s->person[i] == 0 || taken[first] || s->home[s->cluster[i]] != 0)
				continue;
			rows = rows_of(s, s->person[i], s->cluster[i]);
			if (rows > best || (rows == best && s->person[i] < s->person[best_row]))
			{
				best = rows;
				best_row = i;
			}
		}
		if (best == 0)
			break;
		s->home[s->cluster[best_row]] = s->person[best_row];
		for (i = 0; s->person[i] != s->person[best_row]; i++)
			;
		taken[i] = true;
	}
	pfree(taken);
}

static int64
take_apart(int64 subject)
{
	Datum		value[2] = {Int64GetDatum(subject), CStringGetTextDatum(SETTLE_REASON)};
	MatchResult apart = match_ask(QUERY_TAKE_APART, value, NULL, 0);
	int64		person = match_int(&apart, 0, 1);

	match_asked(&apart);
	return person;
}

static void
redirect(int64 a, int64 b)
{
	Datum		value[3] = {Int64GetDatum(a), Int64GetDatum(b), CStringGetTextDatum(SETTLE_REASON)};
	MatchResult done = match_ask(QUERY_REDIRECT, value, NULL, 0);

	match_asked(&done);
}

static void
change_links(Settling *s)
{
	uint32		i;
	uint32		k;

	for (i = 0; i < s->n; i++)
	{
		bool		whole = true;

		if (s->person[i] == 0 || s->home[s->cluster[i]] == s->person[i])
			continue;
		/* a person all of whose rows go the same way goes as it is */
		for (k = 0; k < s->n && whole; k++)
			whole = s->person[k] != s->person[i] || s->cluster[k] == s->cluster[i];
		s->alone[i] = whole ? s->person[i] : take_apart(s->row[i].subject);
	}
	for (i = 0; i < s->n; i++)
	{
		int64	   *home = &s->home[s->cluster[i]];

		if (s->alone[i] == 0)
			continue;
		if (*home == 0)
			*home = s->alone[i];
		else if (*home != s->alone[i])
			redirect(*home, s->alone[i]);
	}
}

/* ---- all of it ---- */

/* The likeliest of the rows that the new one is together with. */
static void
best_beside(const Settling *s, const MatchEdgeList *links, int64 own_subject, int64 *beside, double *bits)
{
	uint32		own;
	uint32		i;
	size_t		e;

	for (own = 0; s->row[own].subject != own_subject; own++)
		;
	*beside = 0;
	*bits = -INFINITY;
	for (e = 0; e < links->n; e++)
	{
		const MatchEdge *edge = &links->edge[e];
		uint32		other = edge->a == own ? edge->b : edge->a;

		if ((edge->a == own || edge->b == own) && s->cluster[other] == s->cluster[own] && edge->bits > *bits)
		{
			*beside = s->row[other].subject;
			*bits = edge->bits;
		}
	}
	/* together by what somebody decided */
	for (i = 0; i < s->n && *beside == 0; i++)
		if (i != own && s->cluster[i] == s->cluster[own])
			*beside = s->row[i].subject;
}

static void
add_reviews(const Settling *s, const MatchEdgeList *links)
{
	size_t		e;

	for (e = 0; e < links->n; e++)
		if (s->cluster[links->edge[e].a] != s->cluster[links->edge[e].b])
			match_add_review(s->row[links->edge[e].a].subject, s->row[links->edge[e].b].subject, links->edge[e].bits);
}

bool
match_settle(MatchSearch *search, const MatchRow *own, int64 own_subject, int64 *beside, double *bits)
{
	MatchMembers rows = {NULL, 0, 0};
	MatchEdgeList links = {NULL, 0, 0};
	MatchScorer scorer = {NULL, &search->model, match_bits(EHR_MATCH_LINK), match_bits(EHR_MATCH_LINK), keep_edge, &links, 0, 0, 0};
	MatchOptions options = match_options_default;
	MatchEdgeList reviews = {NULL, 0, 0};
	MatchOutcome out;
	Decisions	decisions;
	Settling	s;
	uint32		i;
	uint32		k;

	/* what was found before all of it was locked may have changed */
	do
	{
		if (!gather(search, own, own_subject, &rows))
			return false;
	} while (lock_rows(&rows));

	s.n = rows.n;
	s.row = palloc(s.n * sizeof *s.row);
	s.person = palloc(s.n * sizeof *s.person);
	s.cluster = palloc(s.n * sizeof *s.cluster);
	s.home = palloc0(s.n * sizeof *s.home);
	s.alone = palloc0(s.n * sizeof *s.alone);
	for (i = 0; i < s.n; i++)
		s.row[i] = rows.member[i].row;
	if (match_order_rows(&settle_core, s.row, s.n) != CORE_OK)
		elog(ERROR, "out of memory");
	for (i = 0; i < s.n; i++)
	{
		for (k = 0; rows.member[k].row.subject != s.row[i].subject; k++)
			;
		s.person[i] = rows.member[k].person;
	}
	scorer.rows = s.row;
	for (i = 0; i < s.n; i++)
		for (k = i + 1; k < s.n; k++)
			if (share_a_key(&s.row[i], &s.row[k]) && match_score_pair(&scorer, i, k) != CORE_OK)
				elog(ERROR, "out of memory");
	add_glue(s.row, s.person, s.n, &links);
	mark_fixed(s.row, s.person, s.n);
	read_decisions(s.row, s.n, &decisions);
	options.apart = (const int64_t (*)[2]) decisions.apart;
	options.napart = decisions.n;
	memset(&out, 0, sizeof out);
	CHECK_FOR_INTERRUPTS();
	if (match_form_clusters(&settle_core, s.row, s.n, &options, &links, &reviews, &out) != CORE_OK)
		elog(ERROR, "could not form clusters");
	for (i = 0; i < s.n; i++)
		s.cluster[i] = match_forest_root(&out.forest, i);
	choose_homes(&s);
	change_links(&s);
	best_beside(&s, &links, own_subject, beside, bits);
	add_reviews(&s, &links);
	match_outcome_free(&settle_core, &out);
	return true;
}
