/*
 * state.c
 *		The state of aggregate merge: documents that wait to be merged.
 *
 * A state that is a document has to be taken apart and put together for every
 * row, which makes a large group quadratic.  So the state is an expanded
 * object: rows are only copied to its end, and merged all at once when somebody
 * asks for the flat form, or when what waits has outgrown the merged part by
 * far (then every document is taken apart a bounded number of times).  Its flat
 * form is a document in normal form, which is what goes to parallel workers
 * and other nodes.
 */
#include "postgres.h"

#include "fmgr.h"
#include "nodes/memnodes.h"
#include "utils/expandeddatum.h"
#include "utils/memutils.h"

#include "compat.h"
#include "fhir/fhir.h"
#include "merge/merge.h"

#define MERGE_STATE_MAGIC	0x6d657267
#define SMALL_HEAP			(64 * 1024)	/* bytes that may always wait */
#define WORK_BLOCK			(64 * 1024)	/* kept from group to group */
#define HEAP_PER_MERGED		4		/* and as many times the merged document */

typedef struct MergeState
{
	ExpandedObjectHeader hdr;
	int			magic;
	Jsonb	  **waiting;		/* the first may be what the others are merged into */
	int			nwaiting;
	int			size;
	Size		bytes;			/* of what waits */
	Size		limit;			/* merge when bytes exceed it */
	bool		merged;			/* one document, in normal form */
} MergeState;

static Size get_flat_size(ExpandedObjectHeader *eohptr);
static void flatten_into(ExpandedObjectHeader *eohptr, void *result, Size allocated_size);

static const ExpandedObjectMethods merge_state_methods = {get_flat_size, flatten_into};

/* The child of a context that has this mark, made where there is none. */
static MemoryContext
child_context(MemoryContext parent, const char *mark, Size block)
{
	MemoryContext child;

	for (child = parent->firstchild; child != NULL; child = child->nextchild)
		if (child->ident != NULL && strcmp(child->ident, mark) == 0)
			return child;
	child = AllocSetContextCreate(parent, "ehr merge", ALLOCSET_DEFAULT_MINSIZE, block, ALLOCSET_DEFAULT_MAXSIZE);
	MemoryContextSetIdentifier(child, mark);
	return child;
}

/* Merges what waits into one document. */
static void
merge_waiting(MergeState *state)
{
	MemoryContext work;
	MemoryContext caller;
	Jsonb	   *merged;

	if (state->merged)
		return;
	work = child_context(state->hdr.eoh_context, "ehr merge work", WORK_BLOCK);
	MemoryContextReset(work);
	caller = MemoryContextSwitchTo(work);
	merged = merge_doc_write(merge_many(state->waiting, state->nwaiting));

	MemoryContextSwitchTo(state->hdr.eoh_context);
	for (int i = 0; i < state->nwaiting; i++)
		pfree(state->waiting[i]);
	state->nwaiting = 0;
	state->waiting[state->nwaiting++] = memcpy(palloc(VARSIZE(merged)), merged, VARSIZE(merged));
	state->bytes = VARSIZE(merged);
	state->limit = Max(SMALL_HEAP, HEAP_PER_MERGED * state->bytes);
	state->merged = true;
	MemoryContextSwitchTo(caller);
	MemoryContextReset(work);
}

static Size
get_flat_size(ExpandedObjectHeader *eohptr)
{
	MergeState *state = (MergeState *) eohptr;

	Assert(state->magic == MERGE_STATE_MAGIC);
	merge_waiting(state);
	return VARSIZE(state->waiting[0]);
}

static void
flatten_into(ExpandedObjectHeader *eohptr, void *result, Size allocated_size)
{
	MergeState *state = (MergeState *) eohptr;

	Assert(state->merged && allocated_size == VARSIZE(state->waiting[0]));
	memcpy(result, state->waiting[0], allocated_size);
}

/*
 * All groups of an aggregation keep their states in one child of its context:
 * with a child each, PostgreSQL's accounting of a hash table's memory walks
 * through all of them whenever a group is added.  (A state is never deleted but
 * with the aggregation's context.  It may not lie in that context itself: the
 * executor would copy a state whose context is not a child of its own.)
 */
static MemoryContext
states_context(MemoryContext parent)
{
	return child_context(parent, "ehr merge states", ALLOCSET_DEFAULT_INITSIZE);
}

static MergeState *
new_state(MemoryContext parent)
{
	MemoryContext context = states_context(parent);
	MergeState *state = MemoryContextAllocZero(context, sizeof(MergeState));

	EOH_init_header(&state->hdr, &merge_state_methods, context);
	state->magic = MERGE_STATE_MAGIC;
	state->size = 8;
	state->waiting = MemoryContextAlloc(context, sizeof(Jsonb *) * state->size);
	state->limit = SMALL_HEAP;
	return state;
}

/* Adds a document; doc may be toasted. */
static void
add_document(MergeState *state, Datum doc)
{
	MemoryContext caller = MemoryContextSwitchTo(state->hdr.eoh_context);
	Jsonb	   *copy = (Jsonb *) PG_DETOAST_DATUM_COPY(doc);

	if (state->nwaiting > 0)
		merge_check_types(state->waiting[0], copy);
	if (state->nwaiting == state->size)
	{
		state->size *= 2;
		state->waiting = repalloc(state->waiting, sizeof(Jsonb *) * state->size);
	}
	state->waiting[state->nwaiting++] = copy;
	state->bytes += VARSIZE(copy);
	state->merged = false;
	MemoryContextSwitchTo(caller);
	if (state->bytes > state->limit)
		merge_waiting(state);
}

PG_FUNCTION_INFO_V1(ehr_merge_step);

/*
 * ehr_internal.merge_step(state fhir, doc fhir) → fhir: transition and combine
 * function of the aggregate.  NULLs are left out; one document alone is brought
 * into normal form too.
 */
Datum
ehr_merge_step(PG_FUNCTION_ARGS)
{
	MemoryContext parent;
	MergeState *state;

	if (!AggCheckCallContext(fcinfo, &parent))
		elog(ERROR, "merge_step called outside an aggregate");
	if (PG_ARGISNULL(1))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	if (!PG_ARGISNULL(0) && VARATT_IS_EXTERNAL_EXPANDED_RW(DatumGetPointer(PG_GETARG_DATUM(0))))
	{
		state = (MergeState *) DatumGetEOHP(PG_GETARG_DATUM(0));
		if (state->magic != MERGE_STATE_MAGIC)
			elog(ERROR, "unexpected kind of merge state");
	}
	else
	{
		state = new_state(parent);
		if (!PG_ARGISNULL(0))
			add_document(state, PG_GETARG_DATUM(0));
	}
	add_document(state, PG_GETARG_DATUM(1));
	PG_RETURN_DATUM(EOHPGetRWDatum(&state->hdr));
}
