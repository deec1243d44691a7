/*
 * access.c
 *		May this session read this row?  The rights of the attached session,
 *		compiled into a hash of subjects, and the functions that row security
 *		asks.
 *
 * The rights come from ehr_internal.compiled_rights() (sql/consent.sql), which
 * holds the rules; here is only what has to be fast.  They are loaded under
 * the latest snapshot, whatever the transaction's isolation, and again when
 * the shared generation has moved (consent or links changed and committed),
 * when a period begins or ends, and at every statement of a transaction that
 * changed consent itself, so that one sees one's own changes and not those
 * that were rolled back.
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

#include "audit/audit.h"
#include "compat.h"
#include "consent/access.h"
#include "consent/session.h"
#include "store/as_owner.h"

#define TYPE_WORDS	4			/* 256 FHIR type numbers; R4 has 148 */

/* One grant or denial as it bears on one subject. */
typedef struct Right
{
	bool		deny;
	bool		all_types;
	uint64		types[TYPE_WORDS];
	int32		labels;			/* grant: labels it covers; denial: labels it is about, 0 all rows */
	int64		document;		/* resource key, 0 for any */
	const char *author;			/* facility, NULL for any */
} Right;

typedef struct SubjectEntry
{
	int64		subject;
	uint32		first;			/* its rights: rights[first .. first + count) */
	uint32		count;
	int32		open_labels;	/* labels covered by a grant of everything */
	bool		open;			/* there is such a grant and no denial */
	uint64		admitted;		/* the intent under which it was noted last */
	char		status;			/* simplehash's own */
} SubjectEntry;

static inline uint32
hash_subject(int64 subject)
{
	uint64		h = (uint64) subject * UINT64CONST(0x9E3779B97F4A7C15);

	return (uint32) (h >> 32);
}

#define SH_PREFIX subjects
#define SH_ELEMENT_TYPE SubjectEntry
#define SH_KEY_TYPE int64
#define SH_KEY subject
#define SH_HASH_KEY(tb, key) hash_subject(key)
#define SH_EQUAL(tb, a, b) ((a) == (b))
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

typedef struct Rights
{
	MemoryContext context;
	char		sid[17];
	uint64		last_used;
	uint64		losses;			/* changes when something was lost */
	uint64		generation;
	TimestampTz next_change;	/* when a period begins or ends */
	bool		authored;		/* reads what its own facility wrote */
	char		org[33];
	size_t		org_len;
	bool		shared;			/* reads what is about no patient, of ... */
	uint64		shared_types[TYPE_WORDS];
	subjects_hash *subjects;
	Right	   *rights;
	uint32		n_rights;
	uint32		max_rights;
} Rights;

/*
 * A pooled connection serves many sessions in turn: the rights of the last few
 * are kept.  loaded is the one in use, and always one of them.
 */
#define KEPT_RIGHTS 16
static Rights *kept[KEPT_RIGHTS];
static Rights *loaded = NULL;	/* NULL: nothing loaded */
static uint64 uses = 0;
static bool checked = false;	/* loaded is what this statement goes by */
static bool nobody = true;		/* there is no valid session */
static bool changed_here = false;	/* this transaction changed consent */
static uint64 losses = 0;

uint64		access_intent = 0;

void
access_recheck(void)
{
	checked = false;
}

uint64
access_losses(void)
{
	return loaded != NULL ? loaded->losses : 0;
}

/* ---- one decision ---- */

static inline bool
has_type(const uint64 types[TYPE_WORDS], int16 type)
{
	return type >= 0 && type < TYPE_WORDS * 64 && (types[type / 64] >> (type % 64) & 1) != 0;
}

/* A row as the policies hand it over. What is unknown (null) is the worst case. */
typedef struct Row
{
	int64		key;			/* 0: not known */
	int16		type;			/* -1: not known */
	int32		labels;			/* -1: not known, so every label */
	const char *author;			/* NULL: not known */
	size_t		author_len;
} Row;

static inline bool
author_is(const Row *row, const char *name, size_t len)
{
	return row->author != NULL && row->author_len == len && memcmp(row->author, name, len) == 0;
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
static bool
consented(const SubjectEntry *entry, const Row *row)
{
	bool		granted = false;

	if (entry->open && (row->labels & ~entry->open_labels) == 0)
		return true;
	for (uint32 i = 0; i < entry->count; i++)
	{
		const Right *r = &loaded->rights[entry->first + i];

		if (r->deny ? denies(r, row) : grants(r, row))
		{
			if (r->deny)
				return false;
			granted = true;
		}
	}
	return granted;
}

/* Notes that a row of this subject is shown; the intent is durable before the first. */
static void
note_admitted(int64 subject, SubjectEntry *entry)
{
	if (access_intent == 0)
	{
		AuditIntent intent = {"decide"};

		audit_principal(&intent);
		access_intent = audit_intent(&intent);
	}
	if (entry != NULL)
	{
		if (entry->admitted == access_intent)
			return;
		entry->admitted = access_intent;
	}
	audit_admit(access_intent, subject);
}

static bool
may_read_subject(int64 subject, const Row *row)
{
	SubjectEntry *entry = subjects_lookup(loaded->subjects, subject);

	if (!(entry != NULL && consented(entry, row)) &&
		!(loaded->authored && author_is(row, loaded->org, loaded->org_len)))
		return false;
	note_admitted(subject, entry);
	return true;
}

/* A row about no patient: of a type that never is, or the own facility's. */
static bool
may_read_unowned(const Row *row)
{
	return (loaded->shared && has_type(loaded->shared_types, row->type)) ||
		(loaded->authored && author_is(row, loaded->org, loaded->org_len));
}

/* Makes sure that the rights are those of now; false when there is no session. */
static inline bool
ready(void)
{
	if (unlikely(!checked))
		(void) access_refresh();
	return !nobody;
}

/* ---- SQL functions ---- */

PG_FUNCTION_INFO_V1(ehr_may_read);
PG_FUNCTION_INFO_V1(ehr_may_read_row);
PG_FUNCTION_INFO_V1(ehr_readable);
PG_FUNCTION_INFO_V1(ehr_consent_changed);
PG_FUNCTION_INFO_V1(ehr_consent_changed_trigger);

/* Reads type, labels and author from three arguments in a row. */
static inline void
row_from_args(FunctionCallInfo fcinfo, int at, Row *row)
{
	row->type = PG_ARGISNULL(at) ? -1 : PG_GETARG_INT16(at);
	row->labels = PG_ARGISNULL(at + 1) ? -1 : PG_GETARG_INT32(at + 1);
	row->author = NULL;
	row->author_len = 0;
	if (!PG_ARGISNULL(at + 2))
	{
		text	   *author = PG_GETARG_TEXT_PP(at + 2);

		row->author = VARDATA_ANY(author);
		row->author_len = VARSIZE_ANY_EXHDR(author);
	}
}

/* ehr.may_read(subject bigint, type int2, labels int, author text) → bool */
Datum
ehr_may_read(PG_FUNCTION_ARGS)
{
	Row			row;

	if (!ready())
		PG_RETURN_BOOL(false);
	row.key = 0;
	row_from_args(fcinfo, 1, &row);
	if (PG_ARGISNULL(0))
		PG_RETURN_BOOL(may_read_unowned(&row));
	PG_RETURN_BOOL(may_read_subject(PG_GETARG_INT64(0), &row));
}

/*
 * ehr.may_read_row(key bigint, subject bigint, more_subjects bigint[], type int2, labels int, author text) → bool
 *
 * may_read with the resource's key, which a grant or denial of one document
 * needs, and for every subject that the row is about.
 */
Datum
ehr_may_read_row(PG_FUNCTION_ARGS)
{
	Row			row;

	if (!ready())
		PG_RETURN_BOOL(false);
	row.key = PG_ARGISNULL(0) ? 0 : PG_GETARG_INT64(0);
	row_from_args(fcinfo, 3, &row);
	if (!PG_ARGISNULL(2))
	{
		ArrayType  *more = PG_GETARG_ARRAYTYPE_P(2);
		int			n = ArrayGetNItems(ARR_NDIM(more), ARR_DIMS(more));
		int64	   *subject = (int64 *) ARR_DATA_PTR(more);

		if (ARR_HASNULL(more))
			PG_RETURN_BOOL(false);
		for (int i = 0; i < n; i++)
			if (!may_read_subject(subject[i], &row))
				PG_RETURN_BOOL(false);
	}
	if (PG_ARGISNULL(1))
		PG_RETURN_BOOL(may_read_unowned(&row));
	PG_RETURN_BOOL(may_read_subject(PG_GETARG_INT64(1), &row));
}

static int
compare_int64(const void *a, const void *b)
{
	int64		x = DatumGetInt64(*(const Datum *) a);
	int64		y = DatumGetInt64(*(const Datum *) b);

	return x < y ? -1 : x > y;
}

/* ehr.readable() → bigint[]: subjects of which the session's own or consented rights show something */
Datum
ehr_readable(PG_FUNCTION_ARGS)
{
	subjects_iterator iterator;
	SubjectEntry *entry;
	Datum	   *values;
	int			n = 0;

	if (!ready())
		PG_RETURN_ARRAYTYPE_P(construct_empty_array(INT8OID));
	values = palloc(sizeof(Datum) * Max(loaded->subjects->members, 1));
	subjects_start_iterate(loaded->subjects, &iterator);
	while ((entry = subjects_iterate(loaded->subjects, &iterator)) != NULL)
	{
		bool		granted = false;

		for (uint32 i = 0; i < entry->count; i++)
			granted |= !loaded->rights[entry->first + i].deny;
		if (granted)
			values[n++] = Int64GetDatum(entry->subject);
	}
	qsort(values, n, sizeof(Datum), compare_int64);
	PG_RETURN_ARRAYTYPE_P(construct_array(values, n, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
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

static void
add_right(Rights *r, int64 subject, const Datum *values, const bool *nulls)
{
	bool		found;
	SubjectEntry *entry = subjects_insert(r->subjects, subject, &found);
	Right	   *right;

	if (!found)
	{
		entry->first = r->n_rights;
		entry->count = 0;
		entry->open = false;
		entry->open_labels = 0;
		entry->admitted = 0;
	}
	/* rows come in the order of their subject, so an entry's rights stand together */
	Assert(entry->first + entry->count == r->n_rights);
	if (r->n_rights == r->max_rights)
	{
		r->max_rights *= 2;
		r->rights = repalloc_huge(r->rights, sizeof(Right) * (Size) r->max_rights);
	}
	right = &r->rights[r->n_rights++];
	entry->count++;
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
add_row(Rights *r, const Datum *values, const bool *nulls, TimestampTz now)
{
	char		relation = TextDatumGetCString(values[COL_RELATION])[0];

	if (!in_force(r, values, nulls, now))
		return;
	switch (relation)
	{
		case 'a':				/* authored */
			r->authored = r->org_len > 0;
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
 * Which subjects have a grant of everything and no denial: one look decides.
 * Labels of two grants do not add up to a grant of both, so one grant is taken.
 */
static void
find_open(Rights *r)
{
	subjects_iterator iterator;
	SubjectEntry *entry;

	subjects_start_iterate(r->subjects, &iterator);
	while ((entry = subjects_iterate(r->subjects, &iterator)) != NULL)
	{
		bool		denied = false;

		for (uint32 i = 0; i < entry->count; i++)
		{
			const Right *right = &r->rights[entry->first + i];
			bool		everything = right->all_types && right->document == 0 && right->author == NULL;

			denied |= right->deny;
			if (everything && (!entry->open || (entry->open_labels & ~right->labels) == 0))
			{
				entry->open = true;
				entry->open_labels = right->labels;
			}
		}
		entry->open &= !denied;
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
	r->max_rights = 64;
	r->rights = MemoryContextAlloc(context, sizeof(Right) * r->max_rights);
	r->subjects = subjects_create(context, 64, NULL);
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
same_rights(const Rights *a, const SubjectEntry *x, const Rights *b, const SubjectEntry *y)
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
	subjects_iterator iterator;
	SubjectEntry *entry;

	if (strcmp(old->sid, new->sid) != 0 || (old->authored && !new->authored) ||
		memcmp(old->shared_types, new->shared_types, sizeof(old->shared_types)) != 0)
		return true;
	subjects_start_iterate(old->subjects, &iterator);
	while ((entry = subjects_iterate(old->subjects, &iterator)) != NULL)
	{
		SubjectEntry *now = subjects_lookup(new->subjects, entry->subject);

		if (now == NULL)
			return true;
		if (!same_rights(old, entry, new, now) && !(now->open && now->open_labels == -1))
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
	}
	PG_CATCH();
	{
		MemoryContextDelete(r->context);
		PG_RE_THROW();
	}
	PG_END_TRY();
	find_open(r);
	place = place_of(p.sid);
	r->losses = *place == NULL || something_lost(*place, r) ? ++losses : (*place)->losses;
	if (*place != NULL)
		MemoryContextDelete((*place)->context);
	*place = loaded = r;
}

const Principal *
access_refresh(void)
{
	const Principal *p;
	uint64		generation;

	session_require_preload();
	checked = false;			/* stays so if anything below fails */
	p = session_principal();
	nobody = p == NULL;
	if (nobody)
	{
		checked = true;
		return NULL;
	}

	/* the generation is read first: what changes while we load is loaded the next time */
	generation = pg_atomic_read_u64(&consent_shared->generation);
	loaded = *place_of(p->sid);
	if (loaded != NULL && strcmp(loaded->sid, p->sid) == 0 &&
		(IsInParallelMode() ||
		 (loaded->generation == generation && !changed_here && GetCurrentTimestamp() < loaded->next_change)))
	{
		loaded->last_used = ++uses;
		checked = true;
		return p;
	}
	if (IsInParallelMode())
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("consent cannot be looked up inside a parallel query"),
				 errhint("Do not mark functions that read health records PARALLEL SAFE, or SET max_parallel_workers_per_gather = 0.")));
	AcceptInvalidationMessages();
	load_rights(p, generation);
	loaded->last_used = ++uses;
	checked = true;
	return session_principal();
}

/* ---- changes ---- */

/* Without preload nobody can have a session, so nobody needs to know. */
static void
mark_changed(void)
{
	changed_here = consent_shared != NULL;
	checked = false;
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
			checked = false;
			access_intent = 0;
			break;
		case XACT_EVENT_ABORT:
			/* what was loaded may hold changes that have just been undone */
			for (int i = 0; changed_here && i < KEPT_RIGHTS; i++)
				if (kept[i] != NULL)
					kept[i]->generation = 0;
			changed_here = false;
			checked = false;
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
