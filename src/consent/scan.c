/*
 * scan.c
 *		Sequential scans of the store, judged page by page.
 *
 * A scan of a great table waits for memory: rows lie apart, and each is first
 * touched when row security asks about it.  Row by row these waits come one
 * after the other; here all rows of a page are asked for at once, those that
 * nobody may see are dropped before the executor hears of them, and the rest
 * are handed on one by one.
 *
 * The plan is PostgreSQL's, a SeqScan with ehr.may_read_row() among its
 * conditions.  Once it is started, the node's function is replaced by
 * next_row(), which takes the visible rows of a page from the heap's scan,
 * looks at each (first_look() in row.h) and leaves to ehr.may_read_row() what
 * that does not decide.  Nothing is shown that the condition would not: a row
 * is noted for the audit log when it is handed on, and when session or rights
 * have changed since the page was looked at, the rest of the page is asked
 * about one by one.  Row by row stay: scans that may run backward, snapshots
 * that heap does not read by page, tables of other access methods, rows that
 * are locked or checked again.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/relscan.h"
#include "access/tableam.h"
#include "access/tupmacs.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "nodes/nodeFuncs.h"
#include "pgstat.h"
#include "storage/buf_internals.h"
#include "storage/bufmgr.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "consent/rights.h"
#include "consent/row.h"
#include "consent/scan.h"

/* key, subject, more_subjects, type, labels, author, happened */
#define QUESTIONS 7
#define ASK_SUBJECT 1
#define ASK_MORE 2
#define ASK_LABELS 4
#define ASK_AUTHOR 5

/* Where the columns of the first look lie in a row of which none up to the author is null. */
typedef struct Layout
{
	bool		usable;
	bits8		all;			/* of the null bitmap's first byte: the columns up to the author */
	int			more;			/* column number - 1 of more_subjects */
	uint32		subject;		/* offsets */
	uint32		labels;
	uint32		author;
} Layout;

/* A row of the current page that is not hidden at first look. */
typedef struct Candidate
{
	OffsetNumber offset;
	uint8		look;			/* FirstLook */
	bool		known;			/* what follows is */
	bool		plain;
	bool		own;
	int64		subject;
	uint64		cell;
} Candidate;

typedef struct PageScan
{
	dlist_node	link;
	MemoryContextCallback gone;
	SeqScanState *node;
	ExecProcNodeMtd row_by_row; /* as it would be without us */
	ExprState  *before;			/* the conditions before ehr.may_read_row(): a row that fails them is not noted; NULL: none */
	ExprState  *rest;			/* those behind it */
	AttrNumber	column[QUESTIONS];
	AttrNumber	last_column;
	Layout		layout;
	bool		take_pages;		/* pages may be taken without the heap's scan looking for them */
	struct Whereabouts *where;	/* NULL: nothing is remembered */
	/* the current page, and what it was judged by */
	const Rights *rights;
	uint64		generation;
	int			n;
	int			next;
	HeapTupleData tuple;
	Candidate	candidate[MaxHeapTuplesPerPage];
} PageScan;

/* The scans that run now, those used last in front. */
static dlist_head scans = DLIST_STATIC_INIT(scans);

static PageScan *
scan_of(PlanState *node)
{
	dlist_iter	iter;

	dlist_foreach(iter, &scans)
	{
		PageScan   *s = dlist_container(PageScan, link, iter.cur);

		if (s->node == (SeqScanState *) node)
		{
			dlist_move_head(&scans, &s->link);
			return s;
		}
	}
	elog(ERROR, "a scan of health records is not known");
	return NULL;
}

/* ---- looking at a page ---- */

/*
 * Where pages of the tables scanned last were found: a scan remembers it for
 * the next one.  A hint; who takes a page looks whether it is still there.
 */
typedef struct Whereabouts
{
	Oid			table;
	Oid			file;			/* a table that was written anew has another */
	BlockNumber n;
	Buffer	   *buffer;			/* of each block; 0: not known */
	int			users;			/* scans that run */
	uint64		last_used;
} Whereabouts;

#define KEPT_WHEREABOUTS	4
#define MOST_BLOCKS			(1 << 20)	/* of tables above 8 GB nothing is remembered */

static Whereabouts kept_whereabouts[KEPT_WHEREABOUTS];

/* Those of a table, else those longest unused, emptied. NULL: all are in use, or the table is too great. */
static Whereabouts *
whereabouts_of(Relation rel, BlockNumber n)
{
	static uint64 uses = 0;
	Whereabouts *best = NULL;

	if (n > MOST_BLOCKS)
		return NULL;
	for (int i = 0; i < KEPT_WHEREABOUTS; i++)
	{
		Whereabouts *w = &kept_whereabouts[i];

		if (w->table == RelationGetRelid(rel) && w->file == rel->rd_rel->relfilenode && (n <= w->n || w->users > 0))
		{
			w->last_used = ++uses;
			return w;
		}
		if (w->users == 0 && (best == NULL || w->last_used < best->last_used))
			best = w;
	}
	if (best == NULL)
		return NULL;
	if (best->buffer != NULL)
		pfree(best->buffer);
	memset(best, 0, sizeof(Whereabouts));
	best->buffer = MemoryContextAllocZero(TopMemoryContext, n * sizeof(Buffer) + 1);
	best->table = RelationGetRelid(rel);
	best->file = rel->rd_rel->relfilenode;
	best->n = n;
	best->last_used = ++uses;
	return best;
}

/* The shared buffer where a block behind the current one may lie: where it was, else as far behind the current one. 0: none. */
static inline Buffer
expected_buffer(const PageScan *s, const HeapScanDesc heap, BlockNumber block)
{
	const Whereabouts *w = s->where;
	Buffer		buffer = w != NULL && block < w->n ? w->buffer[block] : 0;

	if (buffer == 0)
		buffer = heap->rs_cbuf + (int) (block - heap->rs_cblock);
	return block < heap->rs_nblocks && buffer > 0 && buffer <= NBuffers ? buffer : 0;
}

/* Lets the rows of the next page come while this one is worked at, and the header of a later one. */
static void
fetch_next_page(const PageScan *s, const HeapScanDesc heap)
{
	Buffer		next = expected_buffer(s, heap, heap->rs_cblock + 1);
	Buffer		later = expected_buffer(s, heap, heap->rs_cblock + 3);

	if (next > 0 && GetBufferDescriptor(next - 1)->tag.blockNum == heap->rs_cblock + 1)
		fetch_rows((const char *) BufferGetBlock(next));
	if (later > 0)
	{
		__builtin_prefetch((const char *) BufferGetBlock(later));
		__builtin_prefetch(GetBufferDescriptor(later - 1));
	}
}

static inline bool
not_null(const bits8 *bits, int column)
{
	return (bits[column / 8] >> (column % 8) & 1) != 0;
}

/*
 * Reads of a row what the first look asks for.  False when it does not lie
 * where it mostly does: then ehr.may_read_row() is to decide.
 */
static inline bool
read_row(const Layout *l, HeapTupleHeader row, Candidate *c)
{
	const char *data = (const char *) row + row->t_hoff;
	const text *author = (const text *) (data + l->author);
	bool		more = true;

	if (HeapTupleHeaderGetNatts(row) <= l->more)
		return false;
	if (row->t_infomask & HEAP_HASNULL)
	{
		if ((row->t_bits[0] & l->all) != l->all)
			return false;
		more = not_null(row->t_bits, l->more);
	}
	if (!VARATT_IS_SHORT(author) || VARATT_IS_EXTERNAL(author))
		return false;
	memcpy(&c->subject, data + l->subject, sizeof(int64));
	c->plain = !more && *(const int32 *) (data + l->labels) == 0;
	c->own = own_facility(author);
	c->cell = subject_cell(&rights_now->cells, c->subject);
	__builtin_prefetch(&rights_now->cells.words[c->cell / 32]);
	return true;
}

static void
judge_page(PageScan *s, const HeapScanDesc heap)
{
	Page		page = BufferGetPage(heap->rs_cbuf);
	int			end = heap->rs_ntuples;
	int			n = 0;
	int			kept = 0;

	s->rights = rights_now;
	s->generation = rights_generation;
	if (s->where != NULL && heap->rs_cblock < s->where->n && !BufferIsLocal(heap->rs_cbuf))
		s->where->buffer[heap->rs_cblock] = heap->rs_cbuf;
	fetch_next_page(s, heap);
	for (int i = heap->rs_cindex; i < end; i++)
	{
		Candidate  *c = &s->candidate[n++];

		c->offset = heap->rs_vistuples[i];
		c->look = LOOK_CLOSER;
		c->known = s->layout.usable &&
			read_row(&s->layout, (HeapTupleHeader) PageGetItem(page, PageGetItemId(page, c->offset)), c);
	}
	for (int i = 0; i < n; i++)
	{
		Candidate	c = s->candidate[i];

		if (c.known)
		{
			c.look = first_look(c.cell, c.plain, c.own);
			/* an exact cell is the place of its subject's bit, too */
			__builtin_prefetch(&rights_now->noted[c.cell / 64], 1);
		}
		s->candidate[kept] = c;
		kept += c.look != LOOK_HIDDEN;
	}
	s->n = kept;
	s->next = 0;
}

/* ---- the scan ---- */

/* Are the pages shared ones, that lie where they are until others need the room? */
static bool
stays_in_place(const HeapScanDesc heap)
{
	return heap->rs_strategy == NULL && heap->rs_base.rs_parallel == NULL && !RelationUsesLocalBuffers(heap->rs_base.rs_rd);
}

#ifdef EHR_HEAP_SCANS_BLOCK_BY_BLOCK

/*
 * To find the next page in the table of shared buffers takes longer than all
 * that is done with its rows.  Where it lies where it is expected and is
 * visible as a whole, it is taken from there, and the heap's scan told that it
 * is the current one.  False: the heap's scan is to go on itself.
 */
static bool
take_next_page(PageScan *s, HeapScanDesc heap)
{
	Relation	rel = heap->rs_base.rs_rd;
	BlockNumber block = heap->rs_cblock + 1;
	Buffer		next;
	Page		page;
	bool		visible;
	int			n = 0;

	if (!heap->rs_inited || !s->take_pages || block == heap->rs_startblock)
		return false;
	next = expected_buffer(s, heap, block);
	if (next == 0 || GetBufferDescriptor(next - 1)->tag.blockNum != block ||
		!ReadRecentBuffer(ehr_relation_locator(rel), MAIN_FORKNUM, block, next))
		return false;
	page = BufferGetPage(next);
	LockBuffer(next, BUFFER_LOCK_SHARE);
	visible = PageIsAllVisible(page);
	for (OffsetNumber i = FirstOffsetNumber; visible && i <= PageGetMaxOffsetNumber(page); i++)
	{
		heap->rs_vistuples[n] = i;
		n += ItemIdIsNormal(PageGetItemId(page, i));
	}
	LockBuffer(next, BUFFER_LOCK_UNLOCK);
	if (!visible)
	{
		ReleaseBuffer(next);
		return false;
	}
	CHECK_FOR_INTERRUPTS();
	pgstat_count_buffer_read(rel);
	pgstat_count_buffer_hit(rel);
	ReleaseBuffer(heap->rs_cbuf);
	heap->rs_cbuf = next;
	heap->rs_cblock = block;
	heap->rs_ntuples = n;
	heap->rs_cindex = 0;
	return true;
}

/* Not where the heap's scan reads other pages than its own or looks at more than visibility. */
static bool
may_take_pages(const HeapScanDesc heap)
{
	return stays_in_place(heap) && heap->rs_numblocks == InvalidBlockNumber &&
		!heap->rs_base.rs_snapshot->takenDuringRecovery && !IsolationIsSerializable() && old_snapshot_threshold < 0;
}

#else
#define take_next_page(s, heap) false
#define may_take_pages(heap) false
#endif

static TableScanDesc
begin_scan(PageScan *s)
{
	ScanState  *node = &s->node->ss;

	if (node->ss_currentScanDesc == NULL)
	{
		node->ss_currentScanDesc = table_beginscan(node->ss_currentRelation, node->ps.state->es_snapshot, 0, NULL);
		s->take_pages = may_take_pages((HeapScanDesc) node->ss_currentScanDesc);
		if (stays_in_place((HeapScanDesc) node->ss_currentScanDesc))
			s->where = whereabouts_of(node->ss_currentRelation, ((HeapScanDesc) node->ss_currentScanDesc)->rs_nblocks);
		if (s->where != NULL)
			s->where->users++;
	}
	return node->ss_currentScanDesc;
}

/* Goes on to the next page that has candidates. */
static bool
next_page(PageScan *s, TableScanDesc scan, TupleTableSlot *slot)
{
	HeapScanDesc heap = (HeapScanDesc) scan;

	do
	{
		if (!take_next_page(s, heap) && !table_scan_getnextslot(scan, ForwardScanDirection, slot))
			return false;
		if (!rights_ready())
		{
			/* nobody is shown anything */
			s->n = s->next = 0;
			s->rights = NULL;
		}
		else
			judge_page(s, heap);
		/* what is left of the page is ours: the heap's scan goes on behind it */
		heap->rs_cindex = heap->rs_ntuples - 1;
	} while (s->n == 0);
	return true;
}

/* Puts the row into the slot as the heap's scan would. */
static inline void
store_row(PageScan *s, const HeapScanDesc heap, OffsetNumber offset, TupleTableSlot *slot)
{
	Page		page = BufferGetPage(heap->rs_cbuf);
	ItemId		item = PageGetItemId(page, offset);

	s->tuple.t_data = (HeapTupleHeader) PageGetItem(page, item);
	s->tuple.t_len = ItemIdGetLength(item);
	s->tuple.t_tableOid = RelationGetRelid(heap->rs_base.rs_rd);
	ItemPointerSet(&s->tuple.t_self, heap->rs_cblock, offset);
	ExecStoreBufferHeapTuple(&s->tuple, slot, heap->rs_cbuf);
}

/* The condition itself, on the row in the slot. */
static bool
ask(PageScan *s, TupleTableSlot *slot)
{
	LOCAL_FCINFO(fcinfo, QUESTIONS);
	MemoryContext caller = MemoryContextSwitchTo(s->node->ss.ps.ps_ExprContext->ecxt_per_tuple_memory);
	bool		answer;

	InitFunctionCallInfoData(*fcinfo, NULL, QUESTIONS, InvalidOid, NULL, NULL);
	slot_getsomeattrs(slot, s->last_column);
	for (int i = 0; i < QUESTIONS; i++)
	{
		fcinfo->args[i].value = slot->tts_values[s->column[i] - 1];
		fcinfo->args[i].isnull = slot->tts_isnull[s->column[i] - 1];
	}
	answer = DatumGetBool(ehr_may_read_row(fcinfo));
	MemoryContextSwitchTo(caller);
	return answer;
}

/* The next row that may be read, in the slot; false at the end. */
static bool
next_readable(PageScan *s, TableScanDesc scan, TupleTableSlot *slot)
{
	HeapScanDesc heap = (HeapScanDesc) scan;
	ExprContext *context = s->node->ss.ps.ps_ExprContext;

	/* it begins, or begins again */
	if (!heap->rs_inited)
		s->n = s->next = 0;
	for (;;)
	{
		Candidate  *c;
		bool		as_judged;

		if (s->next == s->n && !next_page(s, scan, slot))
			return false;
		c = &s->candidate[s->next++];
		store_row(s, heap, c->offset, slot);
		if (s->before != NULL)
		{
			ResetExprContext(context);
			context->ecxt_scantuple = slot;
			if (!ExecQual(s->before, context))
				continue;
		}
		as_judged = rights_ready() && rights_now == s->rights && rights_generation == s->generation;
		if (as_judged && c->look == LOOK_SHOWN)
		{
			note_bit(c->subject, c->cell);
			return true;
		}
		ResetExprContext(context);
		if (ask(s, slot))
			return true;
	}
}

/* Leaves the node to PostgreSQL, where its scan cannot be read by page. */
static TupleTableSlot *
go_row_by_row(PageScan *s)
{
	ExecSetExecProcNode(&s->node->ss.ps, s->row_by_row);
	return s->row_by_row(&s->node->ss.ps);
}

/* What ExecScan() does, on rows that may be read. */
static TupleTableSlot *
next_row(PlanState *node)
{
	PageScan   *s = scan_of(node);
	ExprContext *context = node->ps_ExprContext;
	ProjectionInfo *projection = node->ps_ProjInfo;
	TupleTableSlot *slot = s->node->ss.ss_ScanTupleSlot;
	TableScanDesc scan = begin_scan(s);

	if (unlikely((scan->rs_flags & SO_ALLOW_PAGEMODE) == 0 || node->state->es_epq_active != NULL))
		return go_row_by_row(s);
	if (unlikely(!ScanDirectionIsForward(node->state->es_direction)))
		elog(ERROR, "a scan of health records was to run backward");
	/* nothing is computed from the row here: what count(*) asks for */
	if (s->rest == NULL && projection == NULL)
		return next_readable(s, scan, slot) ? slot : ExecClearTuple(slot);
	for (;;)
	{
		ResetExprContext(context);
		if (!next_readable(s, scan, slot))
			return projection != NULL ? ExecClearTuple(projection->pi_state.resultslot) : ExecClearTuple(slot);
		context->ecxt_scantuple = slot;
		if (s->rest == NULL || ExecQual(s->rest, context))
			return projection != NULL ? ExecProject(projection) : slot;
		InstrCountFiltered1(s->node, 1);
	}
}

/* ---- which scans ---- */

/* The columns that a call of ehr.may_read_row() asks for, where they are columns of the scanned table. */
static bool
columns_asked(PageScan *s, const FuncExpr *call, Index scanned)
{
	ListCell   *lc;
	int			i = 0;

	if (list_length(call->args) != QUESTIONS)
		return false;
	foreach(lc, call->args)
	{
		const Var  *var = lfirst(lc);

		if (!IsA(var, Var) || var->varno != (int) scanned || var->varattno <= 0)
			return false;
		s->column[i++] = var->varattno;
		s->last_column = Max(s->last_column, var->varattno);
	}
	return true;
}

static bool
is_may_read_row(const Node *clause)
{
	FmgrInfo	function;

	if (!IsA(clause, FuncExpr) || list_length(((const FuncExpr *) clause)->args) != QUESTIONS)
		return false;
	/* what the function does counts, not its name: somebody may have replaced it */
	fmgr_info(((const FuncExpr *) clause)->funcid, &function);
	return function.fn_addr == ehr_may_read_row;
}

/* Columns of fixed width lie at the same place in each row where none before them is null. */
static void
find_layout(PageScan *s, TupleDesc desc)
{
	Layout	   *l = &s->layout;
	AttrNumber	author = s->column[ASK_AUTHOR];
	uint32		offset = 0;

	if (author > BITS_PER_BYTE || s->column[ASK_SUBJECT] >= author || s->column[ASK_LABELS] >= author)
		return;
	for (int i = 0; i < author - 1; i++)
	{
		Form_pg_attribute a = TupleDescAttr(desc, i);

		if (a->attlen <= 0)
			return;
		offset = att_align_nominal(offset, a->attalign);
		if (i == s->column[ASK_SUBJECT] - 1)
			l->subject = offset;
		if (i == s->column[ASK_LABELS] - 1)
			l->labels = offset;
		offset += a->attlen;
	}
	l->author = offset;
	l->all = (bits8) ((1 << author) - 1);
	l->more = s->column[ASK_MORE] - 1;
	l->usable = true;
}

static void
forget_scan(void *arg)
{
	PageScan   *s = arg;

	if (s->where != NULL)
		s->where->users--;
	dlist_delete(&s->link);
}

/* Conditions from .. to - 1 of a list, prepared; NULL for none. */
static ExprState *
conditions(const List *qual, int from, int to, PlanState *node)
{
	List	   *part = NIL;

	for (int i = from; i < to; i++)
		part = lappend(part, list_nth(qual, i));
	return part != NIL ? ExecInitQual(part, node) : NULL;
}

static void
take_over(SeqScanState *node)
{
	Scan	   *plan = (Scan *) node->ss.ps.plan;
	List	   *qual = plan->plan.qual;
	int			n = list_length(qual);
	int			at = 0;
	MemoryContext caller;
	PageScan   *s;

	while (at < n && !is_may_read_row(list_nth(qual, at)))
		at++;
	if (at == n || node->ss.ss_currentRelation->rd_tableam != GetHeapamTableAmRoutine())
		return;
	caller = MemoryContextSwitchTo(node->ss.ps.state->es_query_cxt);
	s = palloc0(sizeof(PageScan));
	if (columns_asked(s, list_nth(qual, at), plan->scanrelid))
	{
		s->node = node;
		find_layout(s, RelationGetDescr(node->ss.ss_currentRelation));
		s->before = conditions(qual, 0, at, &node->ss.ps);
		s->rest = conditions(qual, at + 1, n, &node->ss.ps);
		s->row_by_row = node->ss.ps.ExecProcNodeReal;
		ExecSetExecProcNode(&node->ss.ps, next_row);
		s->gone.func = forget_scan;
		s->gone.arg = s;
		dlist_push_head(&scans, &s->link);
		MemoryContextRegisterResetCallback(CurrentMemoryContext, &s->gone);
	}
	else
		pfree(s);
	MemoryContextSwitchTo(caller);
}

static bool
visit(PlanState *node, void *context)
{
	if (IsA(node, SeqScanState))
		take_over((SeqScanState *) node);
	return planstate_tree_walker(node, visit, context);
}

void
scan_by_page(QueryDesc *query, int eflags)
{
	if ((eflags & (EXEC_FLAG_EXPLAIN_ONLY | EXEC_FLAG_BACKWARD)) == 0 && query->planstate != NULL)
		(void) visit(query->planstate, NULL);
}
