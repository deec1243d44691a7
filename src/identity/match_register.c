/*
 * match_register.c
 *		A source patient that comes in finds its person, or founds one.
 *
 * Feature row and identifiers are made from the document; the block keys are
 * locked, so that registrations which could be of one person wait for each
 * other; candidates are scored; then one of:
 *
 *	- nobody scores enough: a new person;
 *	- those who do, and all other patients of their persons, agree with the row
 *	  and with each other: they are one person, merged where they were several;
 *	- some refuse: the neighbourhood is settled as linking in bulk would do
 *	  (match_settle.c).
 *
 * In the first two cases that is what linking in bulk makes of the same rows:
 * a guard that kept clusters apart without the row still does with it.  So
 * clusters do not depend on the order of arrival.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "compat.h"
#include "identity/identity.h"
#include "identity/match_online.h"
#include "identity/match_query.h"

/* What ehr_internal.lock_blocks locks for everything, and from how many patients on. */
#define LOCK_EVERYTHING INT64CONST(5496842381)
#define LOCK_MOST 50

typedef struct Arrival
{
	int64		subject;
	MatchRow	row;
	bool		there;			/* it has a feature row */
	bool		fresh;			/* that was made just now: nobody else can have linked it */
	bool		changed;		/* it has a person, and says something else than before */
} Arrival;

/* ---- locks ---- */

bool
match_lock(MatchLock kind, int64 key, bool shared)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) ((uint64) key >> 32), (uint32) key, kind);
	return LockAcquire(&tag, shared ? ShareLock : ExclusiveLock, false, false) != LOCKACQUIRE_ALREADY_HELD;
}

static int
by_number(const void *a, const void *b)
{
	int64		x = *(const int64 *) a;
	int64		y = *(const int64 *) b;

	return x < y ? -1 : x > y;
}

static void
lock_arrivals(const Arrival *arrival, int n)
{
	int64	   *key;
	int			keys = 0;
	int			i;
	int			rule;

	if (n > LOCK_MOST)
	{
		match_lock(MATCH_LOCK_BLOCK, LOCK_EVERYTHING, false);
		return;
	}
	match_lock(MATCH_LOCK_BLOCK, LOCK_EVERYTHING, true);
	key = palloc((n * MATCH_RULES + 1) * sizeof *key);
	for (i = 0; i < n; i++)
		for (rule = 0; arrival[i].there && rule < MATCH_RULES; rule++)
		{
			key[keys] = (int64) match_rule_key(&arrival[i].row, &match_rules[rule]);
			keys += key[keys] != 0;
		}
	/* in one order, so that two never wait for each other */
	qsort(key, keys, sizeof *key, by_number);
	for (i = 0; i < keys; i++)
		if (i == 0 || key[i] != key[i - 1])
			match_lock(MATCH_LOCK_BLOCK, key[i], false);
}

/* ---- feature rows and identifiers ---- */

static void
put_features(int64 subject, const MatchRow *row, const bytea *features)
{
	Datum		value[2 + MATCH_RULES];
	char		nulls[2 + MATCH_RULES + 1] = {0};
	MatchResult done;
	int			rule;

	value[0] = Int64GetDatum(subject);
	value[1] = PointerGetDatum(features);
	nulls[0] = nulls[1] = ' ';
	for (rule = 0; rule < MATCH_RULES; rule++)
	{
		uint64_t	key = match_rule_key(row, &match_rules[rule]);

		value[2 + rule] = Int64GetDatum((int64) key);
		nulls[2 + rule] = key == 0 ? 'n' : ' ';
	}
	done = match_ask(QUERY_PUT_FEATURES, value, nulls, 0);
	match_asked(&done);
}

/* A citizen number that contradicts the patient is a relative's; one of before may contradict what was corrected since. */
static bool
is_own(const MatchIdentifier *id, const MatchRow *row)
{
	char		number[24];

	if (id->feature == NULL || strcmp(id->feature, "citizen") != 0 || id->ended)
		return true;
	if (row->number_kind != NUMBER_CITIZEN || row->flags & MATCH_NUMBER_DOUBTFUL)
		return false;
	snprintf(number, sizeof number, "%012llu", (unsigned long long) row->number);
	return strcmp(id->value, number) == 0;
}

static void
add_identifier(int64 subject, const MatchIdentifier *id, const MatchRow *row, Datum author, bool anonymous)
{
	Datum		value[7] = {CStringGetTextDatum(id->system), CStringGetTextDatum(id->value), Int64GetDatum(subject), 0, 0, author, BoolGetDatum(is_own(id, row))};
	char		nulls[8] = {' ', ' ', ' ', 'n', 'n', anonymous ? 'n' : ' ', ' ', 0};
	MatchResult done;

	if (id->start != NULL)
	{
		value[3] = CStringGetTextDatum(id->start);
		nulls[3] = ' ';
	}
	if (id->end != NULL)
	{
		value[4] = CStringGetTextDatum(id->end);
		nulls[4] = ' ';
	}
	done = match_ask(QUERY_ADD_IDENTIFIER, value, nulls, 0);
	match_asked(&done);
}

/* Identifiers of a patient that had none before go in as they are; else SQL compares, ends and adds. */
static void
put_identifiers(int64 subject, const MatchPatient *patient, const MatchRow *row, Datum author, bool anonymous)
{
	Datum		value = Int64GetDatum(subject);
	MatchResult known = match_ask(QUERY_HAS_IDENTIFIERS, &value, NULL, 1);
	bool		simple = known.n == 0;
	int			i;
	int			k;

	match_asked(&known);
	for (i = 0; simple && i < patient->nidentifiers; i++)
		for (k = 0; simple && k < i; k++)
			simple = strcmp(patient->identifier[i].value, patient->identifier[k].value) != 0 ||
				strcmp(patient->identifier[i].system, patient->identifier[k].system) != 0;
	for (i = 0; simple && i < patient->nidentifiers; i++)
		add_identifier(subject, &patient->identifier[i], row, author, anonymous);
	if (!simple)
	{
		known = match_ask(QUERY_SYNC_IDENTIFIERS, &value, NULL, 0);
		match_asked(&known);
	}
}

/* Makes feature row and identifiers anew from the document, where there is one, and tells what there was before. */
static void
refresh(Arrival *a)
{
	Datum		value = Int64GetDatum(a->subject);
	MatchResult known = match_ask(QUERY_KNOWN, &value, NULL, 1);
	MatchResult document = match_ask(QUERY_PATIENT, &value, NULL, 1);
	Datum		before;
	bool		linked;
	bool		isnull;

	match_cell(&known, 0, 2, &isnull);
	linked = !isnull;
	before = match_cell(&known, 0, 1, &isnull);
	a->there = !isnull;
	a->fresh = a->changed = false;
	if (a->there)
		ehr_match_row_load(&a->row, DatumGetByteaPP(before));
	if (document.n > 0)
	{
		Jsonb	   *doc = DatumGetJsonbP(match_cell(&document, 0, 1, &isnull));
		Datum		author = match_cell(&document, 0, 2, &isnull);
		MatchPatient patient;
		uint8_t		stored[MATCH_STORED_MAX];
		bytea	   *features;
		bool		same = false;

		match_patient_read(&doc->root, VARSIZE(doc) - VARHDRSZ, &patient);
		match_row_make(&a->row, &patient.in);
		features = ehr_bytes(stored, match_row_store(&a->row, stored));
		if (a->there)
		{
			bytea	   *old = DatumGetByteaPP(before);

			same = VARSIZE_ANY_EXHDR(old) == VARSIZE_ANY_EXHDR(features) &&
				memcmp(VARDATA_ANY(old), VARDATA_ANY(features), VARSIZE_ANY_EXHDR(features)) == 0;
		}
		if (!same)
			put_features(a->subject, &a->row, features);
		put_identifiers(a->subject, &patient, &a->row, author, isnull);
		a->fresh = !a->there && !linked;
		a->changed = a->there && linked && !same;
		a->there = true;
	}
	a->row.subject = a->subject;
	match_asked(&document);
	match_asked(&known);
}

/* ---- the review queue ---- */

void
match_add_review(int64 a, int64 b, double bits)
{
	Datum		value[3] = {Int64GetDatum(a), Int64GetDatum(b), Float4GetDatum((float4) bits)};
	MatchResult done = match_ask(QUERY_ADD_REVIEW, value, isinf(bits) ? "  n" : NULL, 0);

	match_asked(&done);
}

/* Persons that the row may be, and is not linked to: the best pair of each.  One number on somebody else is shown whatever it scores. */
static void
add_reviews(const MatchSearch *s, int64 person)
{
	uint32		alike = 0;
	uint32		i;
	uint32		k;

	for (i = 0; i < s->n; i++)
	{
		const MatchFound *f = &s->found[i];
		bool		enough = match_probability(f->bits) >= EHR_MATCH_REVIEW;
		int64		root;

		for (k = 0; k < i && s->found[k].person != f->person; k++)
			;
		if (k < i || !(enough || f->same_number))
			continue;
		root = match_root(f->leaf);
		if (root == person || (!enough && alike++ >= 5))
			continue;
		match_add_review(s->own_subject, f->subject, enough ? f->bits : -INFINITY);
	}
}

/* ---- finding the person ---- */

/* Did somebody decide that the row is not one person with one of these? */
static bool
kept_apart(int64 subject, const MatchMembers *others)
{
	Datum		value = Int64GetDatum(subject);
	MatchResult decided = match_ask(QUERY_DECIDED, &value, NULL, 0);
	bool		apart = false;
	bool		isnull;
	uint64		d;
	uint32		i;

	for (d = 0; d < decided.n && !apart; d++)
		for (i = 0; i < others->n && !apart; i++)
			apart = others->member[i].row.subject == match_int(&decided, d, 1) && !DatumGetBool(match_cell(&decided, d, 2, &isnull));
	match_asked(&decided);
	return apart;
}

/* Does any of these speak against the row, or two of them, of different persons, against each other? */
static bool
all_agree(const MatchRow *own, int64 subject, const MatchMembers *m, int persons)
{
	uint32		i;
	uint32		k;

	for (i = 0; i < m->n; i++)
		if (m->member[i].row.subject != subject && match_rows_refuse(own, &m->member[i].row))
			return false;
	if (kept_apart(subject, m))
		return false;
	for (i = 0; persons > 1 && i < m->n; i++)
	{
		for (k = 0; k < i; k++)
			if (m->member[i].person != m->member[k].person && match_rows_refuse(&m->member[i].row, &m->member[k].row))
				return false;
		if (kept_apart(m->member[i].row.subject, m))
			return false;
	}
	return true;
}

/*
 * Candidates that score enough to be linked, and their persons locked against
 * other registrations; returns how many persons they are.
 */
static int
lock_matches(MatchSearch *s, uint32 *matches, MatchMembers *members)
{
	int64	   *root = palloc((s->n + 1) * sizeof *root);
	bool		moved = true;
	int			n = 0;
	int			i;

	for (*matches = 0; *matches < s->n && match_probability(s->found[*matches].bits) >= EHR_MATCH_LINK; (*matches)++)
		;
	while (moved)
	{
		moved = false;
		for (n = 0; n < (int) *matches; n++)
			root[n] = s->found[n].person;
		qsort(root, n, sizeof *root, by_number);
		for (i = 0; i < n; i++)
			if (i == 0 || root[i] != root[i - 1])
				match_lock(MATCH_LOCK_PERSON, root[i], false);
		/* who held them may have merged them */
		for (i = 0; i < n; i++)
		{
			int64		now = i > 0 && s->found[i].leaf == s->found[i - 1].leaf ? s->found[i - 1].person : match_root(s->found[i].leaf);

			moved |= now != s->found[i].person;
			s->found[i].person = now;
		}
	}
	for (i = 0; i < n; i++)
		root[i] = s->found[i].person;
	qsort(root, n, sizeof *root, by_number);
	n = 0;
	for (i = 0; i < (int) *matches; i++)
		if (i == 0 || root[i] != root[i - 1])
		{
			match_add_members(members, root[i]);
			n++;
		}
	pfree(root);
	return n;
}

static int64
leaf_of(int64 subject)
{
	Datum		value = Int64GetDatum(subject);
	MatchResult link = match_ask(QUERY_LINK, &value, NULL, 1);
	int64		leaf = match_int(&link, 0, 1);

	match_asked(&link);
	return leaf;
}

static int64
new_person(int64 founder)
{
	Datum		value = Int64GetDatum(founder);
	MatchResult person = match_ask(QUERY_NEW_PERSON, &value, NULL, 0);
	int64		key = match_int(&person, 0, 1);

	match_asked(&person);
	return key;
}

static void
merge_matches(const MatchSearch *s, uint32 matches)
{
	uint32		i;
	uint32		k;

	for (i = 1; i < matches; i++)
	{
		Datum		value[3] = {Int64GetDatum(s->found[0].leaf), Int64GetDatum(s->found[i].leaf), 0};
		MatchResult done;

		for (k = 0; k < i && s->found[k].person != s->found[i].person; k++)
			;
		if (k < i)
			continue;
		/* two persons that turn out to be one */
		value[2] = CStringGetTextDatum("matched through a third record");
		done = match_ask(QUERY_REDIRECT, value, NULL, 0);
		match_asked(&done);
	}
}

/* The likeliest person all of whose patients agree with the row, where all together cannot be looked at; 0 = none. */
static int64
first_that_agrees(const MatchSearch *s, uint32 matches, double *bits)
{
	uint32		i;

	for (i = 0; i < matches; i++)
	{
		MatchMembers members = {NULL, 0, 0};
		bool		agree;

		match_add_members(&members, s->found[i].person);
		agree = all_agree(&s->own, s->own_subject, &members, 1);
		pfree(members.member);
		if (agree)
		{
			*bits = s->found[i].bits;
			return s->found[i].leaf;
		}
	}
	return 0;
}

static void
link_arrival(MatchSearch *s, const Arrival *a)
{
	MatchMembers members = {NULL, 0, 0};
	Datum		value[4];
	MatchResult done;
	int64		person = 0;
	double		bits = -INFINITY;
	uint32		matches;
	int			persons;

	match_search(s, &a->row, a->subject, match_bits(EHR_MATCH_REVIEW));
	persons = lock_matches(s, &matches, &members);
	if (persons > 0)
	{
		int64		beside = 0;

		if (all_agree(&s->own, a->subject, &members, persons))
		{
			merge_matches(s, matches);
			person = s->found[0].leaf;
			bits = s->found[0].bits;
		}
		else if (!match_settle(s, &s->own, a->subject, &beside, &bits))
			person = first_that_agrees(s, matches, &bits);
		else if (beside != 0)
			person = leaf_of(beside);
	}
	value[2] = CStringGetTextDatum(person == 0 ? "new" : "match");
	if (person == 0)
		person = new_person(a->subject);
	value[0] = Int64GetDatum(a->subject);
	value[1] = Int64GetDatum(person);
	value[3] = Float4GetDatum((float4) bits);
	done = match_ask(QUERY_ADD_LINK, value, isinf(bits) ? "   n" : NULL, 0);
	match_asked(&done);
	if (s->n > 0)
		add_reviews(s, match_root(person));
	if (members.member != NULL)
		pfree(members.member);
	pfree(s->found);
}

/* ---- many, one after the other ---- */

/* What one leaves in memory goes before the next. */
static MemoryContext
start_work(MemoryContext *work)
{
	*work = AllocSetContextCreate(CurrentMemoryContext, "matching of a patient", ALLOCSET_DEFAULT_SIZES);
	return MemoryContextSwitchTo(*work);
}

static void
refresh_all(Arrival *arrival, int n)
{
	MemoryContext work;
	MemoryContext before = start_work(&work);
	int			i;

	for (i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		refresh(&arrival[i]);
		MemoryContextReset(work);
	}
	MemoryContextSwitchTo(before);
	MemoryContextDelete(work);
}

static bool
is_linked(int64 subject)
{
	Datum		value = Int64GetDatum(subject);
	MatchResult link = match_ask(QUERY_LINK, &value, NULL, 1);
	bool		linked = link.n > 0;

	match_asked(&link);
	return linked;
}

static void
link_all(const Arrival *arrival, int n)
{
	MemoryContext work;
	MemoryContext before = start_work(&work);
	MatchSearch search;
	bool		started = false;
	int			i;

	for (i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!arrival[i].there || (!arrival[i].fresh && is_linked(arrival[i].subject)))
			continue;
		if (!started)
			match_search_start(&search);
		started = true;
		link_arrival(&search, &arrival[i]);
		MemoryContextReset(work);
	}
	MemoryContextSwitchTo(before);
	MemoryContextDelete(work);
}

/* ---- for SQL ---- */

/* The elements of a bigint[] that are not null, in order, each once. */
static int
subjects_of(ArrayType *array, Arrival **out)
{
	Datum	   *value;
	bool	   *nulls;
	int64	   *subject;
	int			found;
	int			n = 0;
	int			i;

	deconstruct_array(array, INT8OID, 8, FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &value, &nulls, &found);
	subject = palloc((found + 1) * sizeof *subject);
	for (i = 0; i < found; i++)
		if (!nulls[i])
			subject[n++] = DatumGetInt64(value[i]);
	qsort(subject, n, sizeof *subject, by_number);
	found = n;
	*out = palloc((found + 1) * sizeof **out);
	for (n = 0, i = 0; i < found; i++)
		if (i == 0 || subject[i] != subject[i - 1])
			(*out)[n++].subject = subject[i];
	return n;
}

PG_FUNCTION_INFO_V1(ehr_refresh_features);

/*
 * ehr_internal.refresh_features(bigint[]) → void: feature rows and identifiers
 * of Patients anew from their documents.  VOLATILE STRICT; called in system mode.
 */
Datum
ehr_refresh_features(PG_FUNCTION_ARGS)
{
	Arrival    *arrival;
	int			n = subjects_of(PG_GETARG_ARRAYTYPE_P(0), &arrival);

	SPI_connect();
	refresh_all(arrival, n);
	SPI_finish();
	PG_RETURN_VOID();
}

/* How many persons the subjects are. */
static int
count_persons(const Arrival *arrival, int n)
{
	int64	   *root = palloc((n + 1) * sizeof *root);
	int			roots = 0;
	int			persons = 0;
	int			i;

	for (i = 0; i < n; i++)
	{
		Datum		value = Int64GetDatum(arrival[i].subject);
		MatchResult link = match_ask(QUERY_LINK, &value, NULL, 1);
		bool		merged = true;

		if (link.n > 0)
		{
			int64		up = DatumGetInt64(match_cell(&link, 0, 2, &merged));

			root[roots++] = merged ? match_int(&link, 0, 1) : match_root(up);
		}
		match_asked(&link);
	}
	qsort(root, roots, sizeof *root, by_number);
	for (i = 0; i < roots; i++)
		persons += i == 0 || root[i] != root[i - 1];
	return persons;
}

PG_FUNCTION_INFO_V1(ehr_link_subjects);

/*
 * ehr_internal.link_subjects(bigint[]) → int: finds the person of each source
 * patient just written, or makes one; returns how many persons they are.
 * VOLATILE STRICT; called in system mode.
 */
Datum
ehr_link_subjects(PG_FUNCTION_ARGS)
{
	Arrival    *arrival;
	int			n = subjects_of(PG_GETARG_ARRAYTYPE_P(0), &arrival);
	int			persons;
	int			i;

	SPI_connect();
	refresh_all(arrival, n);
	lock_arrivals(arrival, n);
	for (i = 0; i < n; i++)
		if (arrival[i].changed)
		{
			Datum		value = Int64GetDatum(arrival[i].subject);
			MatchResult done = match_ask(QUERY_RENEW, &value, NULL, 0);

			match_asked(&done);
		}
	link_all(arrival, n);
	/* that of one that is here is one person */
	persons = n == 1 && arrival[0].there ? 1 : count_persons(arrival, n);
	SPI_finish();
	PG_RETURN_INT32(persons);
}
