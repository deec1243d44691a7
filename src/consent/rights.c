/*
 * rights.c
 *		Compiling the rights of the attached session, and knowing when they are
 *		no longer those of now.
 *
 * The rights come from ehr_internal.compiled_rights() (sql/consent.sql), which
 * holds the rules.  They are loaded under the latest snapshot, whatever the
 * transaction's isolation, and again when the shared generation has moved
 * (consent or links changed and committed), when a period begins or ends, and
 * at every statement of a transaction that changed consent itself, so that one
 * sees one's own changes and not those that were rolled back.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/sinval.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "consent/access.h"
#include "consent/rights.h"
#include "as_owner.h"

/*
 * A pooled connection serves many sessions in turn: the rights of the last few
 * are kept.  rights_now is one of them.
 */
#define KEPT_RIGHTS 16
static Rights *kept[KEPT_RIGHTS];
static uint64 uses = 0;
static uint64 losses = 0;
static bool changed_here = false;	/* this transaction changed consent */

Rights	   *rights_now = NULL;
bool		rights_checked = false;

PG_FUNCTION_INFO_V1(ehr_consent_changed);
PG_FUNCTION_INFO_V1(ehr_consent_changed_trigger);

void
access_recheck(void)
{
	rights_checked = false;
}

uint64
access_losses(void)
{
	return rights_now != NULL ? rights_now->losses : 0;
}

/* ---- loading ---- */

static const char load_sql[] =
"SELECT c.relation, c.subject, c.deny, c.types, c.labels, c.author, c.document, c.starts, c.ends "
"FROM ehr_internal.compiled_rights($1, $2, $3, $4) AS c ORDER BY c.subject";

enum LoadColumn
{
	COL_RELATION, COL_SUBJECT, COL_DENY, COL_TYPES, COL_LABELS, COL_AUTHOR, COL_DOCUMENT, COL_STARTS, COL_ENDS,
	LOAD_COLUMNS
};

/* Sets the bits of an int2[]. */
static void
set_types(uint64 types[TYPE_WORDS], Datum array)
{
	ArrayType  *a = DatumGetArrayTypeP(array);
	int			n = ArrayGetNItems(ARR_NDIM(a), ARR_DIMS(a));
	int16	   *type = (int16 *) ARR_DATA_PTR(a);

	if (ARR_HASNULL(a))
		elog(ERROR, "compiled rights have a null type");
	for (int i = 0; i < n; i++)
		if (type[i] >= 0 && type[i] < TYPE_WORDS * 64)
			types[type[i] / 64] |= UINT64CONST(1) << (type[i] % 64);
}

/*
 * Is the row in force now?  Notes when that will change.
 */
static bool
in_force(Rights *r, const Datum *values, const bool *nulls, TimestampTz now)
{
	TimestampTz starts = nulls[COL_STARTS] ? DT_NOBEGIN : DatumGetTimestampTz(values[COL_STARTS]);
	TimestampTz ends = nulls[COL_ENDS] ? DT_NOEND : DatumGetTimestampTz(values[COL_ENDS]);

	if (starts > now && starts < r->next_change)
		r->next_change = starts;
	if (ends > now && ends < r->next_change)
		r->next_change = ends;
	return starts <= now && now < ends;
}

/* Where another element goes in an array of the rights' context that may have to grow. */
static void *
room_for_one(void *array, uint32 used, uint32 *max, Size size)
{
	if (used < *max)
		return array;
	*max *= 2;
	return repalloc_huge(array, size * (Size) *max);
}

/* Rows come in the order of their subject, so a subject's rights stand together. */
static void
add_right(Rights *r, int64 subject, const Datum *values, const bool *nulls)
{
	Right	   *right;
	Subject    *s;

	if (r->n_subjects == 0 || r->subjects[r->n_subjects - 1].subject != subject)
	{
		r->subjects = room_for_one(r->subjects, r->n_subjects, &r->max_subjects, sizeof(Subject));
		s = &r->subjects[r->n_subjects++];
		memset(s, 0, sizeof(Subject));
		s->subject = subject;
		s->first = r->n_rights;
	}
	s = &r->subjects[r->n_subjects - 1];
	r->rights = room_for_one(r->rights, r->n_rights, &r->max_rights, sizeof(Right));
	right = &r->rights[r->n_rights++];
	s->count++;

	memset(right, 0, sizeof(Right));
	right->deny = DatumGetBool(values[COL_DENY]);
	right->all_types = nulls[COL_TYPES];
	if (!nulls[COL_TYPES])
		set_types(right->types, values[COL_TYPES]);
	right->labels = nulls[COL_LABELS] ? 0 : DatumGetInt32(values[COL_LABELS]);
	right->document = nulls[COL_DOCUMENT] ? 0 : DatumGetInt64(values[COL_DOCUMENT]);
	if (!nulls[COL_AUTHOR])
		right->author = MemoryContextStrdup(r->context, TextDatumGetCString(values[COL_AUTHOR]));
}

static void
set_authored(Rights *r)
{
	if (r->org_len == 0)
		return;
	r->authored = true;
	if (r->author == NULL)
	{
		r->author = MemoryContextAlloc(r->context, VARHDRSZ + r->org_len);
		SET_VARSIZE(r->author, VARHDRSZ + r->org_len);
		memcpy(VARDATA(r->author), r->org, r->org_len);
	}
}

static void
add_row(Rights *r, const Datum *values, const bool *nulls, TimestampTz now)
{
	char		relation = TextDatumGetCString(values[COL_RELATION])[0];

	if (!in_force(r, values, nulls, now))
		return;
	switch (relation)
	{
		case 'a':				/* authored */
			set_authored(r);
			break;
		case 's':				/* shared: what is about no patient */
			r->shared = true;
			set_types(r->shared_types, values[COL_TYPES]);
			break;
		default:				/* own, consent */
			if (!nulls[COL_SUBJECT])
				add_right(r, DatumGetInt64(values[COL_SUBJECT]), values, nulls);
	}
}

/*
 * What one look at a subject decides: is there a grant of everything and no
 * denial?  Labels of two grants do not add up to a grant of both, so one grant
 * is taken.
 */
static void
judge_subject(const Rights *r, Subject *s)
{
	bool		denied = false;

	for (uint32 i = 0; i < s->count; i++)
	{
		const Right *right = &r->rights[s->first + i];
		bool		everything = right->all_types && right->document == 0 && right->author == NULL;

		denied |= right->deny;
		s->granted |= !right->deny;
		if (everything && !right->deny && (!s->open || (s->open_labels & ~right->labels) == 0))
		{
			s->open = true;
			s->open_labels = right->labels;
		}
	}
	s->open &= !denied;
}

static void
index_subjects(Rights *r)
{
	for (uint32 i = 0; i < r->n_subjects; i++)
	{
		Subject    *s = &r->subjects[i];

		judge_subject(r, s);
		subject_add(&r->set, s->subject, i | (s->open ? SUBJECT_OPEN : 0));
	}
}

static Rights *
new_rights(const Principal *p, uint64 generation)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "ehr compiled rights", ALLOCSET_DEFAULT_SIZES);
	Rights	   *r = MemoryContextAllocZero(context, sizeof(Rights));

	r->context = context;
	r->generation = generation;
	r->next_change = DT_NOEND;
	strlcpy(r->sid, p->sid, sizeof(r->sid));
	strlcpy(r->org, p->org, sizeof(r->org));
	r->org_len = strlen(r->org);
	r->max_rights = r->max_subjects = 16;
	r->rights = MemoryContextAlloc(context, sizeof(Right) * r->max_rights);
	r->subjects = MemoryContextAlloc(context, sizeof(Subject) * r->max_subjects);
	subject_set_init(&r->set, context);
	return r;
}

/* Fetches the rows of compiled_rights() under the latest snapshot, as the owner in system mode. */
static void
fetch_rights(Rights *r, const Principal *p)
{
	static SPIPlanPtr plan = NULL;
	TimestampTz now = GetCurrentTimestamp();
	EhrRoleSwitch saved;
	Datum		args[4];
	Portal		portal;

	ehr_become_owner(&saved, EHR_AS_SYSTEM);
	PushActiveSnapshot(GetLatestSnapshot());
	SPI_connect();
	if (plan == NULL)
	{
		Oid			types[4] = {TEXTOID, TEXTOID, TEXTOID, TEXTOID};
		SPIPlanPtr	made = SPI_prepare(load_sql, 4, types);

		if (made == NULL || SPI_keepplan(made) != 0)
			elog(ERROR, "could not prepare the loading of rights");
		plan = made;
	}
	args[0] = CStringGetTextDatum(p->kind);
	args[1] = CStringGetTextDatum(p->sub);
	args[2] = CStringGetTextDatum(p->org);
	args[3] = CStringGetTextDatum(p->purpose);
	portal = SPI_cursor_open(NULL, plan, args, NULL, true);
	do
	{
		SPI_cursor_fetch(portal, true, 1000);
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			Datum		values[LOAD_COLUMNS];
			bool		nulls[LOAD_COLUMNS];

			heap_deform_tuple(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, values, nulls);
			add_row(r, values, nulls, now);
		}
		SPI_freetuptable(SPI_tuptable);
		CHECK_FOR_INTERRUPTS();
	} while (SPI_processed > 0);
	SPI_cursor_close(portal);
	SPI_finish();
	PopActiveSnapshot();
	ehr_become_caller(&saved);
}

static bool
same_rights(const Rights *a, const Subject *x, const Rights *b, const Subject *y)
{
	if (x->count != y->count)
		return false;
	for (uint32 i = 0; i < x->count; i++)
	{
		Right		r = a->rights[x->first + i];
		Right		s = b->rights[y->first + i];

		if ((r.author == NULL) != (s.author == NULL) ||
			(r.author != NULL && strcmp(r.author, s.author) != 0))
			return false;
		r.author = s.author = NULL;
		if (memcmp(&r, &s, sizeof(Right)) != 0)
			return false;
	}
	return true;
}

/*
 * Could the old rights show a row that the new ones do not?  May answer yes
 * where the change is subtle and took nothing: then an open cursor ends early.
 */
static bool
something_lost(const Rights *old, const Rights *new)
{
	if (strcmp(old->sid, new->sid) != 0 || (old->authored && !new->authored) ||
		memcmp(old->shared_types, new->shared_types, sizeof(old->shared_types)) != 0)
		return true;
	for (uint32 i = 0; i < old->n_subjects; i++)
	{
		const Subject *before = &old->subjects[i];
		const SubjectSlot *slot = subject_find(&new->set, before->subject);
		const Subject *after = slot ? &new->subjects[slot->more & SUBJECT_INDEX] : NULL;

		if (after == NULL ||
			(!same_rights(old, before, new, after) && !(after->open && after->open_labels == -1)))
			return true;
	}
	return false;
}

/* The place of the session's rights: where they are, else a free one, else that of the longest unused. */
static Rights **
place_of(const char *sid)
{
	Rights	  **best = &kept[0];

	for (int i = 0; i < KEPT_RIGHTS; i++)
	{
		Rights	   *r = kept[i];

		if (r != NULL && strcmp(r->sid, sid) == 0)
			return &kept[i];
		if (*best != NULL && (r == NULL || r->last_used < (*best)->last_used))
			best = &kept[i];
	}
	return best;
}

static void
load_rights(const Principal *principal, uint64 generation)
{
	Principal	p = *principal;
	Rights	   *r = new_rights(&p, generation);
	Rights	  **place;

	PG_TRY();
	{
		fetch_rights(r, &p);
		index_subjects(r);
	}
	PG_CATCH();
	{
		MemoryContextDelete(r->context);
		PG_RE_THROW();
	}
	PG_END_TRY();
	place = place_of(p.sid);
	r->losses = *place == NULL || something_lost(*place, r) ? ++losses : (*place)->losses;
	if (*place != NULL)
		MemoryContextDelete((*place)->context);
	*place = rights_now = r;
}

static bool
still_good(const Rights *r, uint64 generation)
{
	/* in parallel mode nothing can be loaded: the statement goes on with what it began with */
	return IsInParallelMode() ||
		(r->generation == generation && !changed_here && GetCurrentTimestamp() < r->next_change);
}

const Principal *
access_refresh(void)
{
	const Principal *p;
	uint64		generation;
	Rights	   *r;

	session_require_preload();
	rights_checked = false;		/* stays so if anything below fails */
	rights_now = NULL;
	p = session_principal();
	if (p == NULL)
	{
		rights_checked = true;
		return NULL;
	}

	/* the generation is read first: what changes while we load is loaded the next time */
	generation = pg_atomic_read_u64(&consent_shared->generation);
	r = *place_of(p->sid);
	if (r != NULL && strcmp(r->sid, p->sid) == 0 && still_good(r, generation))
		rights_now = r;
	else if (IsInParallelMode())
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("consent cannot be looked up inside a parallel query"),
				 errhint("Do not mark functions that read health records PARALLEL SAFE, or SET max_parallel_workers_per_gather = 0.")));
	else
	{
		AcceptInvalidationMessages();
		load_rights(p, generation);
		p = session_principal();
		if (p == NULL)
			rights_now = NULL;
	}
	if (rights_now != NULL)
		rights_now->last_used = ++uses;
	rights_checked = true;
	return p;
}

/* ---- changes ---- */

/* Without preload nobody can have a session, so nobody needs to know. */
static void
mark_changed(void)
{
	changed_here = consent_shared != NULL;
	rights_checked = false;
}

/* ehr_internal.consent_changed() → void: for rooms that change who may read what without the triggers */
Datum
ehr_consent_changed(PG_FUNCTION_ARGS)
{
	mark_changed();
	PG_RETURN_VOID();
}

/* statement trigger on the tables that compiled_rights() reads */
Datum
ehr_consent_changed_trigger(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("ehr_internal.consent_changed_trigger() is a trigger function")));
	mark_changed();
	return PointerGetDatum(NULL);
}

/*
 * The generation moves after the commit is visible to others and before the
 * client hears of it: whoever starts a statement after that answer reloads.
 */
static void
access_xact_callback(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_PREPARE:
			if (changed_here)
				ereport(ERROR,
						(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						 errmsg("cannot PREPARE a transaction that changed consent or links of patients"),
						 errdetail("Other sessions would not hear of its commit.")));
			break;
		case XACT_EVENT_COMMIT:
			if (changed_here)
				pg_atomic_fetch_add_u64(&consent_shared->generation, 1);
			changed_here = false;
			rights_checked = false;
			access_intent = 0;
			break;
		case XACT_EVENT_ABORT:
			/* what was loaded may hold changes that have just been undone */
			for (int i = 0; changed_here && i < KEPT_RIGHTS; i++)
				if (kept[i] != NULL)
					kept[i]->generation = 0;
			changed_here = false;
			rights_checked = false;
			access_intent = 0;
			break;
		default:
			break;
	}
}

void
access_init(void)
{
	RegisterXactCallback(access_xact_callback, NULL);
}
