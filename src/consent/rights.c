/*
 * rights.c
 *		Loading the rights of the attached session, and knowing when they are no
 *		longer those of now.
 *
 * The rights come from ehr_internal.compiled_rights() (sql/consent.sql), which
 * holds the rules.  They are loaded under the latest snapshot, whatever the
 * transaction's isolation.  When the log of changes (changes.c) names one of
 * the session's persons or grantees, what bears on these persons is loaded
 * again and the rest is kept; when a period begins or ends nothing is loaded,
 * as the image holds the periods.  A transaction that changes consent itself
 * sees its own changes, and not those that were rolled back.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "storage/dsm.h"
#include "storage/proc.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/formatting.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/uuid.h"

#include "compat.h"
#include "consent/access.h"
#include "consent/changes.h"
#include "consent/rights.h"
#include "consent/shared_rights.h"
#include "as_owner.h"

/*
 * A pooled connection serves many sessions in turn: the rights of the last few
 * are kept, those of others found with other connections (shared_rights.c).
 * rights_now is one of them.
 */
#define KEPT_RIGHTS 16
#define KEPT_BYTES	(64 * 1024 * 1024)
static Rights *kept[KEPT_RIGHTS];
static uint64 uses = 0;
static uint64 losses = 0;

/* More persons than that at a time are not picked out: all is loaded again. */
#define MOST_PERSONS 1000

Rights	   *rights_now = NULL;
bool		rights_checked = false;
uint64		rights_generation = 0;

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

/* ---- known persons ---- */

static bool
is_known(const KnownPersons *known, int64 person)
{
	uint32		i = subject_hash(person) & known->mask;

	while (known->persons[i] != 0 && known->persons[i] != person)
		i = (i + 1) & known->mask;
	return known->persons[i] == person;
}

static void
know_person(KnownPersons *known, int64 person, MemoryContext context)
{
	uint32		i;

	if (person == 0 || is_known(known, person))
		return;
	if (known->n >= (known->mask + 1) / 2)
	{
		KnownPersons grown = *known;

		grown.mask = 2 * known->mask + 1;
		grown.n = 0;
		grown.persons = MemoryContextAllocExtended(context, sizeof(int64) * ((Size) grown.mask + 1),
												   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
		for (i = 0; i <= known->mask; i++)
			know_person(&grown, known->persons[i], context);
		pfree(known->persons);
		*known = grown;
	}
	i = subject_hash(person) & known->mask;
	while (known->persons[i] != 0)
		i = (i + 1) & known->mask;
	known->persons[i] = person;
	known->n++;
}

static KnownPersons *
new_known(MemoryContext context)
{
	KnownPersons *known = MemoryContextAllocZero(context, sizeof(KnownPersons));

	known->mask = 63;
	known->persons = MemoryContextAllocZero(context, sizeof(int64) * 64);
	return known;
}

/* Persons of whom something concerns a session. */
typedef struct Concerned
{
	const KnownPersons *known;
	int64	   *persons;
	int			n;
	bool		many;
} Concerned;

static void
note_concerned(const Change *change, void *arg)
{
	Concerned  *c = arg;
	bool		ours = change->grantee == 0 ? is_known(c->known, change->person) : c->known->n_grantees > MOST_GRANTEES;

	for (int i = 0; i < Min(c->known->n_grantees, MOST_GRANTEES) && !ours; i++)
		ours = change->grantee == c->known->grantee[i];
	if (!ours)
		return;
	if (c->n == MOST_PERSONS)
		c->many = true;
	else
		c->persons[c->n++] = change->person;
}

/* ---- loading ---- */

static const char load_sql[] =
"SELECT c.relation, c.person, c.subject, c.consent, c.deny, c.depth, c.types, c.labels, c.author, c.document, "
"c.data_from, c.data_until, c.starts, c.ends "
"FROM ehr_internal.compiled_rights($1, $2, $3, $4, $5) AS c ORDER BY c.subject, c.consent";

enum LoadColumn
{
	COL_RELATION, COL_PERSON, COL_SUBJECT, COL_CONSENT, COL_DENY, COL_DEPTH, COL_TYPES, COL_LABELS, COL_AUTHOR, COL_DOCUMENT,
	COL_DATA_FROM, COL_DATA_UNTIL, COL_STARTS, COL_ENDS,
	LOAD_COLUMNS
};

/* Sets the bits of an int2[]. */
static void
set_types(TypeSet *set, Datum array)
{
	ArrayType  *a = DatumGetArrayTypeP(array);
	int			n = ArrayGetNItems(ARR_NDIM(a), ARR_DIMS(a));
	int16	   *type = (int16 *) ARR_DATA_PTR(a);

	if (ARR_HASNULL(a))
		elog(ERROR, "compiled rights have a null type");
	memset(set, 0, sizeof(TypeSet));
	for (int i = 0; i < n; i++)
		if (type[i] >= 0 && type[i] < TYPE_WORDS * 64)
			set->words[type[i] / 64] |= UINT64CONST(1) << (type[i] % 64);
}

static void
add_row(RightsLoading *l, const Datum *values, const bool *nulls, TimestampTz now)
{
	RightRow	row;
	TypeSet		types;

	row.relation = TextDatumGetCString(values[COL_RELATION]);
	row.person = nulls[COL_PERSON] ? 0 : DatumGetInt64(values[COL_PERSON]);
	row.subject = nulls[COL_SUBJECT] ? 0 : DatumGetInt64(values[COL_SUBJECT]);
	row.consent = nulls[COL_CONSENT] ? NULL : (const char *) DatumGetUUIDP(values[COL_CONSENT])->data;
	row.deny = DatumGetBool(values[COL_DENY]);
	row.depth = DatumGetInt16(values[COL_DEPTH]);
	row.types = nulls[COL_TYPES] ? NULL : &types;
	if (row.types != NULL)
		set_types(&types, values[COL_TYPES]);
	row.labels = nulls[COL_LABELS] ? 0 : DatumGetInt32(values[COL_LABELS]);
	row.author = nulls[COL_AUTHOR] ? NULL : TextDatumGetCString(values[COL_AUTHOR]);
	row.document = nulls[COL_DOCUMENT] ? 0 : DatumGetInt64(values[COL_DOCUMENT]);
	row.data_from = nulls[COL_DATA_FROM] ? PG_INT32_MIN : DatumGetDateADT(values[COL_DATA_FROM]);
	row.data_until = nulls[COL_DATA_UNTIL] ? PG_INT32_MAX : DatumGetDateADT(values[COL_DATA_UNTIL]);
	row.starts = nulls[COL_STARTS] ? DT_NOBEGIN : DatumGetTimestampTz(values[COL_STARTS]);
	row.ends = nulls[COL_ENDS] ? DT_NOEND : DatumGetTimestampTz(values[COL_ENDS]);
	rights_add(l, &row, now);
}

static SPIPlanPtr
prepare(const char *sql, int n, Oid *types)
{
	SPIPlanPtr	plan = SPI_prepare(sql, n, types);

	if (plan == NULL || SPI_keepplan(plan) != 0)
		elog(ERROR, "could not prepare the loading of rights");
	return plan;
}

/* Asks a query of kind, sub and org; its plan is kept in *plan. SPI is connected. */
static void
ask_of_principal(SPIPlanPtr *plan, const char *sql, const Principal *p)
{
	Oid			types[3] = {TEXTOID, TEXTOID, TEXTOID};
	Datum		args[3] = {CStringGetTextDatum(p->kind), CStringGetTextDatum(p->sub), CStringGetTextDatum(p->org)};

	if (*plan == NULL)
		*plan = prepare(sql, 3, types);
	if (SPI_execute_plan(*plan, args, NULL, true, 0) != SPI_OK_SELECT || SPI_processed == 0)
		elog(ERROR, "could not look up the names of a session");
}

/* The names that the session goes by, its units among them. SPI is connected. */
static void
fetch_grantees(KnownPersons *known, const Principal *p)
{
	static SPIPlanPtr plan = NULL;

	ask_of_principal(&plan, "SELECT n FROM pg_catalog.unnest(ehr_internal.grantees_of($1, $2, $3)) AS n", p);
	known->n_grantees = (int) Min(SPI_processed, MOST_GRANTEES + 1);
	for (int i = 0; i < known->n_grantees && i < MOST_GRANTEES; i++)
	{
		bool		isnull;
		text	   *name = DatumGetTextPP(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull));

		known->grantee[i] = change_name(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
	}
	SPI_freetuptable(SPI_tuptable);
}

/* The principal that the rights of p follow from: of a station's nurses mostly the same one. SPI is connected. */
static Principal
fetch_owner_of_rights(const Principal *p)
{
	static SPIPlanPtr plan = NULL;
	Principal	owner = *p;
	bool		isnull;

	ask_of_principal(&plan, "SELECT ehr_internal.rights_sub($1, $2, $3)", p);
	strlcpy(owner.sub, TextDatumGetCString(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull)), sizeof(owner.sub));
	SPI_freetuptable(SPI_tuptable);
	return owner;
}

/* Fetches the rows of compiled_rights(); persons: NULL for all. SPI is connected. */
static void
fetch_rights(RightsLoading *l, MemoryContext loading, KnownPersons *known, MemoryContext known_context, const Principal *p,
			 ArrayType *persons, TimestampTz now)
{
	static SPIPlanPtr plan = NULL;
	static const char no_nulls[] = "     ";
	Datum		args[5];
	Portal		portal;

	if (plan == NULL)
	{
		Oid			types[5] = {TEXTOID, TEXTOID, TEXTOID, TEXTOID, INT8ARRAYOID};

		plan = prepare(load_sql, 5, types);
	}
	args[0] = CStringGetTextDatum(p->kind);
	args[1] = CStringGetTextDatum(p->sub);
	args[2] = CStringGetTextDatum(p->org);
	args[3] = CStringGetTextDatum(p->purpose);
	args[4] = PointerGetDatum(persons);
	portal = SPI_cursor_open(NULL, plan, args, persons == NULL ? "    n" : no_nulls, true);
	do
	{
		SPI_cursor_fetch(portal, true, 1000);
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			Datum		values[LOAD_COLUMNS];
			bool		nulls[LOAD_COLUMNS];

			heap_deform_tuple(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, values, nulls);
			MemoryContextSwitchTo(loading);
			add_row(l, values, nulls, now);
			if (!nulls[COL_PERSON])
				know_person(known, DatumGetInt64(values[COL_PERSON]), known_context);
		}
		SPI_freetuptable(SPI_tuptable);
		CHECK_FOR_INTERRUPTS();
	} while (SPI_processed > 0);
	SPI_cursor_close(portal);
}

static int
compare_persons(const void *a, const void *b)
{
	int64		x = *(const int64 *) a;
	int64		y = *(const int64 *) b;

	return (x > y) - (x < y);
}

/* The persons concerned and all that are one with them, ascending. SPI is connected. */
static ArrayType *
fetch_cluster(const int64 *persons, int n)
{
	static SPIPlanPtr plan = NULL;
	Datum	   *values = palloc(n * sizeof(Datum));
	Datum		arg;
	ArrayType  *result;
	bool		isnull;

	if (plan == NULL)
	{
		Oid			type = INT8ARRAYOID;

		plan = prepare("SELECT ehr_internal.person_cluster($1)", 1, &type);
	}
	for (int i = 0; i < n; i++)
		values[i] = Int64GetDatum(persons[i]);
	arg = PointerGetDatum(construct_array(values, n, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	if (SPI_execute_plan(plan, &arg, NULL, true, 1) != SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not look up persons");
	result = DatumGetArrayTypePCopy(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	qsort(ARR_DATA_PTR(result), ArrayGetNItems(ARR_NDIM(result), ARR_DIMS(result)), sizeof(int64), compare_persons);
	return result;
}

/* Queries are run as the owner of the store, under the latest snapshot. SPI changes the memory context. */
static void
begin_asking(EhrRoleSwitch *saved)
{
	ehr_become_owner(saved, EHR_AS_SYSTEM);
	PushActiveSnapshot(GetLatestSnapshot());
	SPI_connect();
}

static void
end_asking(EhrRoleSwitch *saved)
{
	SPI_finish();
	PopActiveSnapshot();
	ehr_become_caller(saved);
}

/*
 * Makes r the rights of p: all of them, or, with old, what bears on the
 * persons concerned, and the rest from old.  Returns whose they are.
 */
static Principal
build_rights(Rights *r, const Principal *p, const Rights *old, const Concerned *concerned)
{
	MemoryContext loading = AllocSetContextCreate(CurrentMemoryContext, "ehr loading rights", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(loading);
	TimestampTz now = GetCurrentTimestamp();
	RightsLoading *l = rights_loading(p->sid, p->org);
	EhrRoleSwitch saved;
	ArrayType  *persons = NULL;
	Principal	owner;

	begin_asking(&saved);
	if (old != NULL)
	{
		persons = fetch_cluster(concerned->persons, concerned->n);
		MemoryContextSwitchTo(loading);
		rights_keep(l, old, (int64 *) ARR_DATA_PTR(persons), ArrayGetNItems(ARR_NDIM(persons), ARR_DIMS(persons)));
	}
	else
		fetch_grantees(r->known, p);
	fetch_rights(l, loading, r->known, r->context, p, persons, now);
	owner = fetch_owner_of_rights(p);
	end_asking(&saved);
	MemoryContextSwitchTo(loading);
	rights_attach(r, rights_finish(l, r->context, now));
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(loading);
	return owner;
}

/* ---- what is kept ---- */

/* The place of the session's rights: where they are, else a free one, else that of the longest unused. */
static Rights **
place_of(const char *sid)
{
	static Rights **last = &kept[0];	/* mostly the same again */
	Rights	  **best = &kept[0];

	if (*last != NULL && strcmp((*last)->image->sid, sid) == 0)
		return last;
	for (int i = 0; i < KEPT_RIGHTS; i++)
	{
		Rights	   *r = kept[i];

		if (r != NULL && strcmp(r->image->sid, sid) == 0)
			return last = &kept[i];
		if (*best != NULL && (r == NULL || r->last_used < (*best)->last_used))
			best = &kept[i];
	}
	return best;
}

/* Makes what goes with an attached image in this process alone. */
static void
prepare_rights(Rights *r)
{
	const RightsImage *image = r->image;

	r->n_noted = (image->exact ? image->n_cells : image->n_subjects) / 64 + 1;
	r->noted = MemoryContextAllocExtended(r->context, r->n_noted * sizeof(uint64), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	r->noted_intent = 0;
	if (image->authored)
	{
		r->author = MemoryContextAlloc(r->context, VARHDRSZ + image->org_len);
		SET_VARSIZE(r->author, VARHDRSZ + image->org_len);
		memcpy(VARDATA(r->author), image->org, image->org_len);
	}
}

static void
drop_rights(Rights *r)
{
	if (r->published != NULL)
		dsm_detach(r->published);
	MemoryContextDelete(r->context);
}

/* Gone with the caller's memory unless they are kept. */
static Rights *
new_rights(void)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "ehr rights", ALLOCSET_DEFAULT_SIZES);
	Rights	   *r = MemoryContextAllocZero(context, sizeof(Rights));

	r->context = context;
	return r;
}

/* Drops the longest unused but r, until all kept are no more than KEPT_BYTES. */
static void
drop_unused(const Rights *r)
{
	Size		total = 0;

	for (int i = 0; i < KEPT_RIGHTS; i++)
		total += kept[i] != NULL ? kept[i]->image->size : 0;
	while (total > KEPT_BYTES)
	{
		Rights	  **oldest = NULL;

		for (int i = 0; i < KEPT_RIGHTS; i++)
			if (kept[i] != NULL && kept[i] != r && (oldest == NULL || kept[i]->last_used < (*oldest)->last_used))
				oldest = &kept[i];
		if (oldest == NULL)
			return;
		total -= (*oldest)->image->size;
		drop_rights(*oldest);
		*oldest = NULL;
	}
}

/* Rights made just now take the place of what was kept of the session, or of another one. */
static void
keep_rights(Rights *r)
{
	Rights	  **place = place_of(r->image->sid);
	const Rights *old = *place;

	if (old != NULL && strcmp(old->image->sid, r->image->sid) != 0)
		old = NULL;
	r->losses = old == NULL || rights_lost(old, r) ? ++losses : old->losses;
	if (*place != NULL)
		drop_rights(*place);
	MemoryContextSetParent(r->context, TopMemoryContext);
	*place = rights_now = r;
	rights_generation++;
	drop_unused(r);
}

/* The set of persons only grows until all is loaded again. */
static KnownPersons *
copy_known(const KnownPersons *known, MemoryContext context)
{
	KnownPersons *copy = MemoryContextAlloc(context, sizeof(KnownPersons));

	*copy = *known;
	copy->persons = MemoryContextAllocHuge(context, sizeof(int64) * ((Size) known->mask + 1));
	memcpy(copy->persons, known->persons, sizeof(int64) * ((Size) known->mask + 1));
	return copy;
}

/* Loads the rights of p: all, or with old, what concerns persons and the rest from there. Changes up to position are known then. */
static void
load_rights(const Principal *principal, const Rights *old, const Concerned *concerned, uint64 position)
{
	Principal	p = *principal;
	Principal	owner;
	Rights	   *r = new_rights();

	r->position = position;
	r->own_changes = changes_here_count();
	r->loaded = old != NULL ? old->loaded : GetCurrentTimestamp();
	r->known = old != NULL ? copy_known(old->known, r->context) : new_known(r->context);
	owner = build_rights(r, &p, old, concerned);
	r->personal = owner.sub[0] != '\0' || (old != NULL && old->personal);
	if (r->personal)
		owner = p;
	prepare_rights(r);
	shared_rights_offer(&owner, r);
	keep_rights(r);
}

/* The rights of p that another connection has loaded, as old as they are; NULL: there are none. */
static Rights *
take_rights(const Principal *p)
{
	uint64		position = changes_end();
	Principal	owner = *p;
	Rights	   *r = new_rights();
	EhrRoleSwitch saved;

	begin_asking(&saved);
	owner = fetch_owner_of_rights(&owner);
	end_asking(&saved);
	if (!shared_rights_take(&owner, r))
	{
		MemoryContextDelete(r->context);
		return NULL;
	}
	/* whose they are was asked then */
	r->position = Min(r->position, position);
	r->personal = owner.sub[0] != '\0';
	prepare_rights(r);
	keep_rights(r);
	return r;
}

/*
 * Brings kept rights up to now. Not in parallel mode, where the statement
 * goes on with what it began with.
 */
static void
renew_rights(Rights *r, const Principal *p, TimestampTz now)
{
	bool		all = r->position == 0 || now >= r->image->reload_at;
	uint64		position = changes_end();
	Concerned	concerned = {r->known};

	rights_now = r;
	if (!all && (position != r->position || changes_here_count() != r->own_changes))
	{
		concerned.persons = palloc(MOST_PERSONS * sizeof(int64));
		position = changes_since(r->position, note_concerned, &concerned, &all);
		(void) changes_here(note_concerned, &concerned, &all);
		r->position = position;
		r->own_changes = changes_here_count();
	}
	all |= concerned.many;
	if (all || concerned.n > 0)
	{
		/* should the loading fail, all of it is tried again */
		r->position = 0;
		AcceptInvalidationMessages();
		load_rights(p, all ? NULL : r, all ? NULL : &concerned, position);
	}
	else if (now >= r->image->next_change)
	{
		rights_generation++;
		if (rights_look_at_periods(r->image, now))
			r->losses = ++losses;
		if (r->published != NULL)
			dsm_detach(r->published);
		r->published = NULL;
	}
	if (concerned.persons != NULL)
		pfree(concerned.persons);
}

const Principal *
access_refresh(void)
{
	const Principal *p;
	TimestampTz now;
	Rights	   *r;

	session_require_preload();
	rights_checked = false;		/* stays so if anything below fails */
	rights_now = NULL;
	if (IsParallelWorker())
		return rights_of_leader();
	now = session_attached() ? GetCurrentTimestamp() : 0;
	p = session_attached() ? session_principal_at(now) : NULL;
	if (p == NULL)
	{
		rights_checked = true;
		return NULL;
	}

	r = *place_of(p->sid);
	if (r != NULL && strcmp(r->image->sid, p->sid) != 0)
		r = NULL;
	if (IsInParallelMode())
	{
		if (r == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("consent cannot be looked up inside a parallel query"),
					 errhint("SET max_parallel_workers_per_gather = 0.")));
		rights_now = r;
	}
	else if (r != NULL || (r = take_rights(p)) != NULL)
		renew_rights(r, p, now);
	else
	{
		/* the position is read first: what changes while we load is loaded the next time */
		uint64		position = changes_end();

		AcceptInvalidationMessages();
		load_rights(p, NULL, NULL, position);
	}
	/* loading looks at other principals' entries, not at ours, but it takes time */
	if (rights_now != r)
		p = session_principal();
	if (p == NULL)
		rights_now = NULL;
	else
		rights_now->last_used = ++uses;
	rights_checked = true;
	return p;
}

/* What was loaded may hold changes of a transaction that has ended. */
void
access_forget_own_changes(bool committed)
{
	for (int i = 0; i < KEPT_RIGHTS; i++)
	{
		if (kept[i] == NULL || kept[i]->own_changes == 0)
			continue;
		kept[i]->own_changes = 0;
		if (!committed)
			kept[i]->position = 0;
	}
}

/* ---- parallel workers ---- */

static pg_atomic_uint32 *
published_by(PGPROC *proc)
{
	int			i = (int) (proc - ProcGlobal->allProcs);

	return i >= 0 && i < consent_shared->n_published ? &consent_shared->published[i] : NULL;
}

void
rights_publish(void)
{
	pg_atomic_uint32 *place = published_by(MyProc);
	Rights	   *r = rights_now;

	if (place == NULL || IsParallelWorker())
		return;
	if (r != NULL && r->published == NULL)
	{
		r->published = dsm_create(r->image->size, 0);
		memcpy(dsm_segment_address(r->published), r->image, r->image->size);
		dsm_pin_mapping(r->published);
	}
	pg_atomic_write_u32(place, r == NULL ? DSM_HANDLE_INVALID : dsm_segment_handle(r->published));
}

/*
 * The leader's rights, as it published them before the statement began: so
 * that all of a statement goes by the same ones, whatever the clock says.
 */
const Principal *
rights_of_leader(void)
{
	static Rights *mine = NULL;
	static Principal leader;
	pg_atomic_uint32 *place = MyProc->lockGroupLeader != NULL ? published_by(MyProc->lockGroupLeader) : NULL;
	dsm_handle	handle = place != NULL ? pg_atomic_read_u32(place) : DSM_HANDLE_INVALID;

	if (!session_attached() || handle == DSM_HANDLE_INVALID)
	{
		rights_checked = true;
		return NULL;
	}
	if (mine == NULL)
	{
		Rights	   *r = new_rights();

		r->published = dsm_attach(handle);
		if (r->published == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("the leader of a parallel query has gone")));
		dsm_pin_mapping(r->published);
		rights_attach(r, dsm_segment_address(r->published));
		prepare_rights(r);
		MemoryContextSetParent(r->context, TopMemoryContext);
		mine = r;
	}
	strlcpy(leader.sid, mine->image->sid, sizeof(leader.sid));
	rights_now = mine;
	rights_checked = true;
	return &leader;
}
