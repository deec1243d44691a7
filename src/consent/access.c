/*
 * access.c
 *		May this session read this row?  What row security asks, by the rights
 *		that rights.c has compiled.
 *
 * The policy of a table asks in three ways, each of which an index can answer
 * (support.c, sql/consent.sql): is the row the session's by own right or
 * consent, is it the own facility's, is it about no patient.  Each notes whom
 * it admits for the audit log.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "audit/audit.h"
#include "compat.h"
#include "consent/access.h"
#include "consent/rights.h"

uint64		access_intent = 0;

/* A row as the policies hand it over. What is unknown (null) is the worst case. */
typedef struct Row
{
	int64		key;			/* 0: not known */
	int16		type;			/* -1: not known */
	int32		labels;			/* -1: not known, so every label */
	text	   *author;			/* NULL: not known */
} Row;

static inline bool
author_is(const Row *row, const char *name, size_t len)
{
	return row->author != NULL && VARSIZE_ANY_EXHDR(row->author) == len &&
		memcmp(VARDATA_ANY(row->author), name, len) == 0;
}

/* A grant must cover the row in every respect; what is not known is not covered. */
static bool
grants(const Right *r, const Row *row)
{
	return (r->all_types || has_type(r->types, row->type)) &&
		(row->labels & ~r->labels) == 0 &&
		(r->document == 0 || r->document == row->key) &&
		(r->author == NULL || author_is(row, r->author, strlen(r->author)));
}

/* A denial holds unless the row is known to lie outside of it. */
static bool
denies(const Right *r, const Row *row)
{
	return (r->all_types || row->type < 0 || has_type(r->types, row->type)) &&
		(r->labels == 0 || (row->labels & r->labels) != 0) &&
		(r->document == 0 || row->key == 0 || r->document == row->key) &&
		(r->author == NULL || row->author == NULL || author_is(row, r->author, strlen(r->author)));
}

/* A denial that matches outweighs every grant. */
static pg_noinline bool
weigh(const Subject *s, const Row *row)
{
	bool		granted = false;

	if (s->open && (row->labels & ~s->open_labels) == 0)
		return true;
	for (uint32 i = 0; i < s->count; i++)
	{
		const Right *r = &rights_now->rights[s->first + i];

		if (r->deny ? denies(r, row) : grants(r, row))
		{
			if (r->deny)
				return false;
			granted = true;
		}
	}
	return granted;
}

/* By own right or consent. */
static inline bool
consented(const SubjectSlot *slot, const Row *row)
{
	if (slot == NULL)
		return false;
	if ((slot->more & SUBJECT_OPEN) != 0 && row->labels == 0)
		return true;
	return weigh(&rights_now->subjects[slot->more & SUBJECT_INDEX], row);
}

static inline bool
own_facility(const Row *row)
{
	return rights_now->authored && author_is(row, rights_now->org, rights_now->org_len);
}

/* ---- the audit log ---- */

/* Makes sure that an intent is durable before the first row is shown; the executor hook mostly has. */
static pg_noinline void
begin_showing(void)
{
	AuditIntent intent = {"decide"};

	audit_principal(&intent);
	access_intent = audit_intent(&intent);
}

/*
 * Notes that a row of this subject is shown.  The slot remembers under which
 * intent it was noted last, so that a statement notes a subject once.
 */
static inline void
note(int64 subject, SubjectSlot *slot)
{
	static uint64 round_intent = 0;
	static uint32 round = 0;

	if (unlikely(access_intent == 0))
		begin_showing();
	if (unlikely(access_intent != round_intent))
	{
		round_intent = access_intent;
		round++;
	}
	if (slot != NULL)
	{
		if (slot->noted == round)
			return;
		slot->noted = round;
	}
	audit_admit(access_intent, subject);
}

static bool
show_consented(int64 subject, const Row *row)
{
	SubjectSlot *slot = subject_find(&rights_now->set, subject);

	if (!consented(slot, row))
		return false;
	note(subject, slot);
	return true;
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

static bool
show_authored(int64 subject, const Row *row)
{
	note(subject, NULL);
	return true;
}

/* A row about no patient: of a type that never is, or the own facility's. */
static bool
may_read_unowned(const Row *row)
{
	return (rights_now->shared && has_type(rights_now->shared_types, row->type)) || own_facility(row);
}

/*
 * ehr.may_read(subject bigint, type int2, labels int, author text) → bool
 *
 * The whole decision for a row of which the key is not known.
 */
Datum
ehr_may_read(PG_FUNCTION_ARGS)
{
	Row			row;

	if (!rights_ready())
		PG_RETURN_BOOL(false);
	row.key = 0;
	row_from_args(fcinfo, 1, &row);
	if (PG_ARGISNULL(0))
		PG_RETURN_BOOL(may_read_unowned(&row));
	if (show_consented(PG_GETARG_INT64(0), &row))
		PG_RETURN_BOOL(true);
	PG_RETURN_BOOL(own_facility(&row) && show_authored(PG_GETARG_INT64(0), &row));
}

/*
 * ehr.may_read_row(key bigint, subject bigint, more_subjects bigint[], type int2, labels int, author text) → bool
 *
 * The whole decision for a stored resource, as the three functions below make
 * it together.
 */
Datum
ehr_may_read_row(PG_FUNCTION_ARGS)
{
	Row			row;

	if (!rights_ready())
		PG_RETURN_BOOL(false);
	row.key = PG_ARGISNULL(0) ? 0 : PG_GETARG_INT64(0);
	row_from_args(fcinfo, 3, &row);
	if (PG_ARGISNULL(1))
		PG_RETURN_BOOL(may_read_unowned(&row));
	if (own_facility(&row))
		PG_RETURN_BOOL(show_authored(PG_GETARG_INT64(1), &row) && all_more(fcinfo, 2, show_authored, &row));
	PG_RETURN_BOOL(all_more(fcinfo, 2, show_consented, &row) && show_consented(PG_GETARG_INT64(1), &row));
}

/*
 * ehr.row_consented(key bigint, subject bigint, more_subjects bigint[], type int2, labels int, author text) → bool
 *
 * Is every subject of the row the session's by own right or consent?  True
 * only for subjects in ehr.readable(): support.c makes an index condition of
 * that.
 */
Datum
ehr_row_consented(PG_FUNCTION_ARGS)
{
	SubjectSlot *slot;
	Row			row;

	if (!rights_ready() || PG_ARGISNULL(1))
		PG_RETURN_BOOL(false);
	/* most rows of a great table are of somebody else: nothing more is looked at */
	slot = subject_find(&rights_now->set, PG_GETARG_INT64(1));
	if (slot == NULL)
		PG_RETURN_BOOL(false);
	row.key = PG_ARGISNULL(0) ? 0 : PG_GETARG_INT64(0);
	row_from_args(fcinfo, 3, &row);
	if (!consented(slot, &row) || !all_more(fcinfo, 2, show_consented, &row))
		PG_RETURN_BOOL(false);
	note(PG_GETARG_INT64(1), slot);
	PG_RETURN_BOOL(true);
}

/* ehr.row_author() → text: the facility whose rows the session reads as their author; null for none */
Datum
ehr_row_author(PG_FUNCTION_ARGS)
{
	if (!rights_ready() || !rights_now->authored)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(rights_now->author);
}

/* ehr.row_authored(subject bigint, more_subjects bigint[], author text) → bool */
Datum
ehr_row_authored(PG_FUNCTION_ARGS)
{
	Row			row = {0};

	if (!rights_ready() || PG_ARGISNULL(2))
		PG_RETURN_BOOL(false);
	row.author = PG_GETARG_TEXT_PP(2);
	if (!own_facility(&row))
		PG_RETURN_BOOL(false);
	if (!PG_ARGISNULL(0))
		(void) show_authored(PG_GETARG_INT64(0), &row);
	PG_RETURN_BOOL(all_more(fcinfo, 1, show_authored, &row));
}

/* ehr.row_shared(type int2) → bool: may a row about no patient be read for its type? */
Datum
ehr_row_shared(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(rights_ready() && !PG_ARGISNULL(0) && rights_now->shared &&
				   has_type(rights_now->shared_types, PG_GETARG_INT16(0)));
}

/* ehr.readable() → bigint[]: subjects of which own right or consent show something, ascending */
Datum
ehr_readable(PG_FUNCTION_ARGS)
{
	Datum	   *values;
	int			n = 0;

	if (!rights_ready())
		PG_RETURN_ARRAYTYPE_P(construct_empty_array(INT8OID));
	values = palloc(sizeof(Datum) * Max(rights_now->n_subjects, 1));
	for (uint32 i = 0; i < rights_now->n_subjects; i++)
		if (rights_now->subjects[i].granted)
			values[n++] = Int64GetDatum(rights_now->subjects[i].subject);
	PG_RETURN_ARRAYTYPE_P(construct_array(values, n, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}
