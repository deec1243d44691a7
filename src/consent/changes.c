/*
 * changes.c
 *		The log of changes of consent: who must look rights up again.
 *
 * Row triggers on the tables that ehr_internal.compiled_rights() reads collect
 * whom a transaction concerns; its commit puts that into a ring in shared
 * memory.  The ring moves after the commit is visible to others and before the
 * client hears of it: whoever starts a statement after that answer finds it.
 * A session that finds nothing about its grantees or persons loads nothing.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "commands/trigger.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "compat.h"
#include "consent/access.h"
#include "consent/changes.h"
#include "consent/session.h"

#define RING_CHANGES	32768	/* a power of two */
#define MOST_HERE		8192	/* a transaction with more concerns everybody */

typedef struct Ring
{
	pg_atomic_uint64 end;		/* changes ever logged */
	Change		change[RING_CHANGES];
} Ring;

static Ring *ring = NULL;

static struct
{
	Change	   *change;			/* in TopMemoryContext, kept for the next transaction */
	int			n;
	int			max;
	bool		all;
	uint64		count;
}			here;

PG_FUNCTION_INFO_V1(ehr_consent_changed);
PG_FUNCTION_INFO_V1(ehr_consent_concerns);
PG_FUNCTION_INFO_V1(ehr_consent_concerns_all);
PG_FUNCTION_INFO_V1(ehr_consent_changed_trigger);

Size
changes_shmem_size(void)
{
	return MAXALIGN(sizeof(Ring));
}

void
changes_shmem_init(void)
{
	bool		found;

	ring = ShmemInitStruct("ehr changes", sizeof(Ring), &found);
	if (!found)
		pg_atomic_init_u64(&ring->end, 1);
}

uint32
change_name(const char *grantee, Size len)
{
	uint32		name = hash_bytes((const unsigned char *) grantee, (int) len);

	return name != 0 ? name : 1;
}

/* ---- reading ---- */

uint64
changes_end(void)
{
	return pg_atomic_read_u64(&ring->end);
}

uint64
changes_since(uint64 from, void (*concern) (const Change *change, void *arg), void *arg, bool *all)
{
	uint64		end;

	LWLockAcquire(consent_shared->changes_lock, LW_SHARED);
	end = changes_end();
	if (end - from > RING_CHANGES)
		*all = true;
	for (uint64 i = from; i < end && !*all; i++)
	{
		const Change *c = &ring->change[i % RING_CHANGES];

		if (c->database != MyDatabaseId)
			continue;
		if (c->person == 0)
			*all = true;
		else
			concern(c, arg);
	}
	LWLockRelease(consent_shared->changes_lock);
	return end;
}

bool
changes_here(void (*concern) (const Change *change, void *arg), void *arg, bool *all)
{
	*all |= here.all;
	for (int i = 0; i < here.n && !*all; i++)
		concern(&here.change[i], arg);
	return here.all || here.n > 0;
}

uint64
changes_here_count(void)
{
	return here.all || here.n > 0 ? here.count : 0;
}

/* ---- collecting ---- */

/* Without preload nobody can have a session, so nobody needs to know. */
static void
note_all(void)
{
	if (consent_shared == NULL)
		return;
	here.all = true;
	here.count++;
	access_recheck();
}

static void
note_person(int64 person, uint32 grantee)
{
	Change		c = {MyDatabaseId, grantee, person};

	if (consent_shared == NULL)
		return;
	here.count++;
	access_recheck();
	if (here.all || (here.n > 0 && memcmp(&here.change[here.n - 1], &c, sizeof(c)) == 0))
		return;
	if (here.n == MOST_HERE)
	{
		here.all = true;
		return;
	}
	if (here.n == here.max)
	{
		int			max = here.max == 0 ? 64 : 2 * here.max;

		here.change = here.max == 0 ? MemoryContextAlloc(TopMemoryContext, max * sizeof(Change))
			: repalloc(here.change, max * sizeof(Change));
		here.max = max;
	}
	here.change[here.n++] = c;
}

/* ehr_internal.consent_changed() → void: for rooms that change who may read what without the triggers */
Datum
ehr_consent_changed(PG_FUNCTION_ARGS)
{
	note_all();
	PG_RETURN_VOID();
}

/*
 * ehr_internal.consent_concerns(person bigint, grantee text) → void: what this
 * session may read of a person changes; grantee null: for all who know of it
 */
Datum
ehr_consent_concerns(PG_FUNCTION_ARGS)
{
	if (PG_ARGISNULL(0))
		PG_RETURN_VOID();
	if (PG_ARGISNULL(1))
		note_person(PG_GETARG_INT64(0), 0);
	else
	{
		text	   *name = PG_GETARG_TEXT_PP(1);

		note_person(PG_GETARG_INT64(0), change_name(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name)));
	}
	PG_RETURN_VOID();
}

/*
 * ehr_internal.consent_concerns_all() → void: this transaction concerns
 * everybody.
 */
Datum
ehr_consent_concerns_all(PG_FUNCTION_ARGS)
{
	note_all();
	PG_RETURN_VOID();
}

static bool
get_column(TriggerData *trigger, HeapTuple tuple, const char *name, Datum *value)
{
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	int			column = SPI_fnumber(desc, name);
	bool		isnull = true;

	if (column > 0)
		*value = heap_getattr(tuple, column, desc, &isnull);
	return !isnull;
}

/*
 * Whom a row concerns: `person` and, where it has one, `grantee`; a person's
 * own row, by `key` and `merged_into`.
 */
static void
note_row(TriggerData *trigger, HeapTuple tuple)
{
	Datum		value;
	uint32		grantee = 0;

	if (get_column(trigger, tuple, "grantee", &value))
	{
		text	   *name = DatumGetTextPP(value);

		grantee = change_name(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));
	}
	if (get_column(trigger, tuple, "person", &value))
		note_person(DatumGetInt64(value), grantee);
	else
	{
		if (!get_column(trigger, tuple, "key", &value))
		{
			note_all();
			return;
		}
		note_person(DatumGetInt64(value), 0);
		if (get_column(trigger, tuple, "merged_into", &value))
			note_person(DatumGetInt64(value), 0);
	}
}

/*
 * Row trigger on tables that name persons, statement trigger on those that
 * concern everybody, and for TRUNCATE.
 */
Datum
ehr_consent_changed_trigger(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("ehr_internal.consent_changed_trigger() is a trigger function")));
	if (!TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
	{
		note_all();
		return PointerGetDatum(NULL);
	}
	note_row(trigger, trigger->tg_trigtuple);
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
		note_row(trigger, trigger->tg_newtuple);
	return PointerGetDatum(NULL);
}

/* ---- at the end of the transaction ---- */

/* Runs after the commit is visible: must not fail. */
static void
tell_others(void)
{
	static const Change everybody_here = {0};
	uint64		end;

	LWLockAcquire(consent_shared->changes_lock, LW_EXCLUSIVE);
	end = changes_end();
	for (int i = 0; i < here.n && !here.all; i++)
		ring->change[end++ % RING_CHANGES] = here.change[i];
	if (here.all)
	{
		Change	   *c = &ring->change[end++ % RING_CHANGES];

		*c = everybody_here;
		c->database = MyDatabaseId;
	}
	pg_atomic_write_u64(&ring->end, end);
	LWLockRelease(consent_shared->changes_lock);
}

static void
changes_xact_callback(XactEvent event, void *arg)
{
	bool		changed = here.all || here.n > 0;

	switch (event)
	{
		case XACT_EVENT_PRE_PREPARE:
			if (changed)
				ereport(ERROR,
						(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						 errmsg("cannot PREPARE a transaction that changed consent or links of patients"),
						 errdetail("Other sessions would not hear of its commit.")));
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_ABORT:
			if (changed && event == XACT_EVENT_COMMIT)
				tell_others();
			if (changed)
				access_forget_own_changes(event == XACT_EVENT_COMMIT);
			here.all = false;
			here.n = 0;
			access_recheck();
			access_intent = 0;
			break;
		default:
			break;
	}
}

void
changes_init(void)
{
	RegisterXactCallback(changes_xact_callback, NULL);
}
