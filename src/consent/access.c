/*
 * access.c
 *		May this session read this row?  What row security asks, by the rights
 *		that rights.c has compiled.
 *
 * The policy of a table asks in three ways, each of which an index can answer
 * (support.c, sql/consent.sql): is the row the session's by own right or
 * consent, is it the own facility's, is it about no patient.  Each notes whom
 * it admits for the audit log.
 *
 * Every row of a great table passes here, so what decides most rows (somebody
 * else's; an open subject without sensitive rows) is looked at first, and in
 * as few cache lines as can be.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/bufpage.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"

#include "audit/audit.h"
#include "compat.h"
#include "consent/access.h"
#include "consent/rights.h"
#include "consent/row.h"

uint64		access_intent = 0;

/* A row as the policies hand it over. What is unknown (null) is the worst case. */
typedef struct Row
{
	int64		key;			/* 0: not known */
	int16		type;			/* -1: not known */
	int32		labels;			/* -1: not known, so every label */
	bool		day_known;
	int32		day;			/* when what it tells of happened */
	text	   *author;			/* NULL: not known */
} Row;

/* ---- the decision ---- */

static inline bool
has_author(const Right *r, const Row *row)
{
	const char *name = rights_now->texts + r->author - 1;

	return author_is(row->author, name, strlen(name));
}

static inline bool
any_day(const Right *r)
{
	return r->data_from == PG_INT32_MIN && r->data_until == PG_INT32_MAX;
}

/* A grant must cover the row in every respect; what is not known is not covered. */
static bool
grants(const Right *r, const Row *row)
{
	return (r->types == 0 || has_type(&rights_now->type_sets[r->types - 1], row->type)) &&
		(row->labels & ~r->labels) == 0 &&
		(r->document == 0 || r->document == row->key) &&
		(any_day(r) || (row->day_known && r->data_from <= row->day && row->day < r->data_until)) &&
		(r->author == 0 || (row->author != NULL && has_author(r, row)));
}

/* A denial holds unless the row is known to lie outside of it. */
static bool
denies(const Right *r, const Row *row)
{
	return (r->types == 0 || row->type < 0 || has_type(&rights_now->type_sets[r->types - 1], row->type)) &&
		(r->labels == 0 || (row->labels & r->labels) != 0) &&
		(r->document == 0 || row->key == 0 || r->document == row->key) &&
		(any_day(r) || !row->day_known || (r->data_from <= row->day && row->day < r->data_until)) &&
		(r->author == 0 || row->author == NULL || has_author(r, row));
}

/* In a consent the deepest provision that matches decides; a consent that denies outweighs all that grant. */
static pg_noinline bool
weigh(const Subject *s, const Row *row)
{
	const Right *right = &rights_now->rights[s->first];
	const Right *end = right + s->count;
	TimestampTz now = rights_now->image->as_of;
	bool		granted = false;

	while (right < end)
	{
		uint32		consent = right->consent;
		int			depth = -1;
		bool		deny = false;

		for (; right < end && right->consent == consent; right++)
		{
			if (right->depth < depth || !right_in_force(right, now) ||
				!(right->deny ? denies(right, row) : grants(right, row)))
				continue;
			deny = right->deny || (right->depth == depth && deny);
			depth = right->depth;
		}
		if (depth >= 0 && deny)
			return false;
		granted |= depth >= 0;
	}
	return granted;
}

static const SubjectSlot *
find_subject(int64 subject)
{
	if (cell_state(&rights_now->cells, subject_cell(&rights_now->cells, subject)) == CELL_NONE)
		return NULL;
	return subject_find(rights_now->slots, rights_now->mask, subject);
}

/* By own right or consent. */
static inline bool
consented(const SubjectSlot *slot, const Row *row)
{
	if (slot == NULL)
		return false;
	if ((slot->more & SUBJECT_OPEN) != 0 && (row->labels & ~slot->open_labels) == 0)
		return true;
	return weigh(&rights_now->subjects[slot->more & SUBJECT_INDEX], row);
}

/* ---- the audit log ---- */

/* Makes sure that an intent is durable before the first row is shown; the executor hook mostly has. */
pg_noinline void
access_begin_showing(void)
{
	AuditIntent intent = {"decide"};

	access_intent = access_current_intent();
	if (access_intent != 0)
		return;
	audit_principal(&intent);
	access_intent = audit_intent(&intent);
}

pg_noinline void
access_begin_noting(void)
{
	memset(rights_now->noted, 0, rights_now->n_noted * sizeof(uint64));
	rights_now->noted_intent = access_intent;
}

static void
note_slot(const SubjectSlot *slot)
{
	note_bit(slot->subject, rights_now->cells.exact ? subject_cell(&rights_now->cells, slot->subject) : slot->more & SUBJECT_INDEX);
}

/*
 * The same for a subject of which the session has no right but as author.  A
 * small table remembers who was noted last in each place.
 */
static inline void
note_subject(int64 subject)
{
	static int64 noted[4096];
	static uint64 noted_intent = 0;
	int64	   *place = &noted[subject_hash(subject) % lengthof(noted)];

	if (unlikely(access_intent == 0))
		access_begin_showing();
	if (unlikely(access_intent != noted_intent))
	{
		memset(noted, 0, sizeof(noted));
		noted_intent = access_intent;
	}
	if (*place == subject)
		return;
	audit_admit(access_intent, subject);
	*place = subject;
}

/* ---- SQL functions ---- */

PG_FUNCTION_INFO_V1(ehr_may_read);
PG_FUNCTION_INFO_V1(ehr_may_read_row);
PG_FUNCTION_INFO_V1(ehr_row_consented);
PG_FUNCTION_INFO_V1(ehr_row_author);
PG_FUNCTION_INFO_V1(ehr_row_authored);
PG_FUNCTION_INFO_V1(ehr_row_shared);
PG_FUNCTION_INFO_V1(ehr_readable);

/* Reads type, labels and author from three arguments in a row. */
static inline void
row_from_args(FunctionCallInfo fcinfo, int at, Row *row)
{
	row->type = PG_ARGISNULL(at) ? -1 : PG_GETARG_INT16(at);
	row->labels = PG_ARGISNULL(at + 1) ? -1 : PG_GETARG_INT32(at + 1);
	row->author = PG_ARGISNULL(at + 2) ? NULL : PG_GETARG_TEXT_PP(at + 2);
	row->day_known = false;
	row->key = 0;
}

/* Of (key, subject, more_subjects, type, labels, author, happened) all but the subjects. */
static inline void
stored_row_from_args(FunctionCallInfo fcinfo, Row *row)
{
	row_from_args(fcinfo, 3, row);
	row->key = PG_ARGISNULL(0) ? 0 : PG_GETARG_INT64(0);
	row->day_known = !PG_ARGISNULL(6);
	if (row->day_known)
		row->day = PG_GETARG_DATEADT(6);
}

static bool
show_consented(int64 subject, const Row *row)
{
	const SubjectSlot *slot = find_subject(subject);

	if (!consented(slot, row))
		return false;
	note_slot(slot);
	return true;
}

static bool
show_authored(int64 subject, const Row *row)
{
	note_subject(subject);
	return true;
}

/* Calls show(subject) for each further subject; all must be shown. */
static bool
all_more(FunctionCallInfo fcinfo, int at, bool (*show) (int64, const Row *), const Row *row)
{
	ArrayType  *more;
	int64	   *subject;
	int			n;

	if (PG_ARGISNULL(at))
		return true;
	more = PG_GETARG_ARRAYTYPE_P(at);
	if (ARR_HASNULL(more))
		return false;
	n = ArrayGetNItems(ARR_NDIM(more), ARR_DIMS(more));
	subject = (int64 *) ARR_DATA_PTR(more);
	for (int i = 0; i < n; i++)
		if (!show(subject[i], row))
			return false;
	return true;
}

/* A row about no patient: of a type that never is, or the own facility's. */
static bool
may_read_unowned(const Row *row)
{
	return (rights_now->image->shared && has_type(&rights_now->image->shared_types, row->type)) || own_facility(row->author);
}

/*
 * ehr.may_read(subject bigint, type int2, labels int, author text) → bool
 *
 * The whole decision for a row of which neither key nor day is known.
 */
Datum
ehr_may_read(PG_FUNCTION_ARGS)
{
	Row			row;

	if (!rights_ready())
		PG_RETURN_BOOL(false);
	row_from_args(fcinfo, 1, &row);
	if (PG_ARGISNULL(0))
		PG_RETURN_BOOL(may_read_unowned(&row));
	if (show_consented(PG_GETARG_INT64(0), &row))
		PG_RETURN_BOOL(true);
	PG_RETURN_BOOL(own_facility(row.author) && show_authored(PG_GETARG_INT64(0), &row));
}

/*
 * A scan of a great table waits for memory at each row, since rows lie apart
 * and are first touched here.  When rows come page by page, all rows of a page
 * are asked for at its first one.
 */
static pg_noinline void
fetch_page(const char *page)
{
	fetch_rows(page);
}

static inline void
fetch_ahead(const void *value)
{
	static uintptr_t last_page = 0;
	static bool again = false;	/* the last page was asked about twice in a row */
	uintptr_t	offset = (uintptr_t) value - (uintptr_t) BufferBlocks;

	if (offset / BLCKSZ == last_page)
		again = true;
	else if (offset < (uintptr_t) NBuffers * BLCKSZ)
	{
		last_page = offset / BLCKSZ;
		if (again)
			fetch_page(BufferBlocks + last_page * BLCKSZ);
		again = false;
	}
}

static pg_noinline bool
consented_in_detail(FunctionCallInfo fcinfo)
{
	const SubjectSlot *slot = find_subject(PG_GETARG_INT64(1));
	Row			row;

	if (slot == NULL)
		return false;
	stored_row_from_args(fcinfo, &row);
	if (!consented(slot, &row) || !all_more(fcinfo, 2, show_consented, &row))
		return false;
	note_slot(slot);
	return true;
}

/*
 * ehr.row_consented(key bigint, subject bigint, more_subjects bigint[], type int2, labels int, author text, happened date) → bool
 *
 * Is every subject of the row the session's by own right or consent?  True
 * only for subjects in ehr.readable(): support.c makes an index condition of
 * that.
 */
Datum
ehr_row_consented(PG_FUNCTION_ARGS)
{
	uint64		cell;
	unsigned	state;

	if (!rights_ready() || PG_ARGISNULL(1))
		PG_RETURN_BOOL(false);
	if (!PG_ARGISNULL(5))
		fetch_ahead(PG_GETARG_POINTER(5));
	cell = subject_cell(&rights_now->cells, PG_GETARG_INT64(1));
	state = cell_state(&rights_now->cells, cell);
	if (state == CELL_NONE)
		PG_RETURN_BOOL(false);
	if (state == CELL_OPEN && PG_ARGISNULL(2) && !PG_ARGISNULL(4) && PG_GETARG_INT32(4) == 0)
	{
		note_bit(PG_GETARG_INT64(1), cell);
		PG_RETURN_BOOL(true);
	}
	PG_RETURN_BOOL(consented_in_detail(fcinfo));
}

/*
 * ehr.may_read_row(key bigint, subject bigint, more_subjects bigint[], type int2, labels int, author text, happened date) → bool
 *
 * The whole decision for a stored resource, as row_consented(), row_authored()
 * and row_shared() make it together; what support.c puts in their place.
 */
static pg_noinline bool
may_read_in_detail(FunctionCallInfo fcinfo)
{
	Row			row;

	stored_row_from_args(fcinfo, &row);
	if (PG_ARGISNULL(1))
		return may_read_unowned(&row);
	if (own_facility(row.author))
		return show_authored(PG_GETARG_INT64(1), &row) && all_more(fcinfo, 2, show_authored, &row);
	return all_more(fcinfo, 2, show_consented, &row) && show_consented(PG_GETARG_INT64(1), &row);
}

Datum
ehr_may_read_row(PG_FUNCTION_ARGS)
{
	uint64		cell;
	FirstLook	look;

	if (!rights_ready())
		PG_RETURN_BOOL(false);
	if (PG_ARGISNULL(1) || PG_ARGISNULL(5))
		PG_RETURN_BOOL(may_read_in_detail(fcinfo));
	fetch_ahead(PG_GETARG_POINTER(5));
	cell = subject_cell(&rights_now->cells, PG_GETARG_INT64(1));
	look = first_look(cell, PG_ARGISNULL(2) && !PG_ARGISNULL(4) && PG_GETARG_INT32(4) == 0,
					  own_facility(PG_GETARG_TEXT_PP(5)));
	if (look == LOOK_SHOWN)
		note_bit(PG_GETARG_INT64(1), cell);
	PG_RETURN_BOOL(look == LOOK_CLOSER ? may_read_in_detail(fcinfo) : look == LOOK_SHOWN);
}

/* ehr.row_author() → text: the facility whose rows the session reads as their author; null for none */
Datum
ehr_row_author(PG_FUNCTION_ARGS)
{
	if (!rights_ready() || rights_now->author == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(rights_now->author);
}

/*
 * ehr.row_authored(subject bigint, more_subjects bigint[], author text) → bool
 *
 * Did the own facility write the row?  True only where author = row_author().
 */
Datum
ehr_row_authored(PG_FUNCTION_ARGS)
{
	if (!rights_ready() || PG_ARGISNULL(2) || !own_facility(PG_GETARG_TEXT_PP(2)))
		PG_RETURN_BOOL(false);
	if (!PG_ARGISNULL(0))
		note_subject(PG_GETARG_INT64(0));
	PG_RETURN_BOOL(all_more(fcinfo, 1, show_authored, NULL));
}

/* ehr.row_shared(type int2) → bool: may a row about no patient be read for its type? */
Datum
ehr_row_shared(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(rights_ready() && !PG_ARGISNULL(0) && rights_now->image->shared &&
				   has_type(&rights_now->image->shared_types, PG_GETARG_INT16(0)));
}

/* ehr.readable() → bigint[]: subjects of which own right or consent show something, ascending */
Datum
ehr_readable(PG_FUNCTION_ARGS)
{
	Datum	   *values;
	uint32		subjects;
	int			n = 0;

	if (!rights_ready())
		PG_RETURN_ARRAYTYPE_P(construct_empty_array(INT8OID));
	subjects = rights_now->image->n_subjects;
	values = palloc(sizeof(Datum) * Max(subjects, 1));
	for (uint32 i = 0; i < subjects; i++)
		if (rights_now->subjects[i].granted)
			values[n++] = Int64GetDatum(rights_now->subjects[i].subject);
	PG_RETURN_ARRAYTYPE_P(construct_array(values, n, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}
