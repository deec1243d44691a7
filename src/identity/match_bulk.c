/*
 * match_bulk.c
 *		Linking in bulk, step by step.
 *
 * Each step is a transaction of its own (ehr_internal.link_step) and leaves in
 * ehr_store.link_work what the next ones need, so that a run goes on where it
 * was stopped, in whatever process.  What took long to make, rows in temporary
 * files and edges in memory, is kept between the steps for as long as the
 * process goes on with the same run; else it is made anew.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "commands/sequence.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "compat.h"
#include "identity/identity.h"
#include "identity/match_bulk.h"
#include "identity/match_store.h"
#include "progress.h"

#define FETCH_ROWS 10000
#define VALUE_LEAST EHR_MATCH_VALUE_LEAST
#define CHUNK_BYTES ((Size) 1024 * 1024)
#define PERSON_BATCH 65536
#define IN_DOUBT 10.0			/* bits beyond which a decision tells nothing of the odds */

int			ehr_match_memory = 1024 * 1024;

void
ehr_match_init(void)
{
	DefineCustomIntVariable("ehr.match_memory",
							"Memory for linking in bulk, of all its processes together.",
							"What needs more is kept in temporary files.",
							&ehr_match_memory, 1024 * 1024, 8 * 1024, MAX_KILOBYTES, PGC_USERSET, GUC_UNIT_KB, NULL, NULL, NULL);
}

/* What a row of ehr_store.link_work holds. */
typedef enum WorkKind
{
	WORK_LINKS = 1, WORK_REVIEWS, WORK_MODEL, WORK_VALUES, WORK_CLUSTERS
} WorkKind;

typedef struct BulkRun
{
	int64		run;
	MemoryContext cxt;
	FileSet		files;
	MatchMap	rows;
	MatchMap	state;
	MatchMemory memory;
	CoreContext core;
	MatchJob	job;
	bool		found;			/* blocks are found and shares set */
	bool		scored;
	MatchEdgeList links;		/* rows by number */
	MatchEdgeList reviews;
} BulkRun;

static BulkRun *bulk = NULL;

/* ---- the run that this process keeps ---- */

static void
bulk_drop(void)
{
	BulkRun    *b = bulk;

	if (b == NULL)
		return;
	bulk = NULL;
	match_memory_end(&b->memory);
	match_map_close(&b->rows);
	match_map_close(&b->state);
	FileSetDeleteAll(&b->files);
	MemoryContextDelete(b->cxt);
}

static void
bulk_xact(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT)
		bulk_drop();
}

static void
bulk_exit(int code, Datum arg)
{
	bulk_drop();
}

static void
bulk_open(int64 run)
{
	static bool registered = false;
	MemoryContext cxt;

	if (bulk != NULL && bulk->run == run)
		return;
	bulk_drop();
	if (!registered)
	{
		RegisterXactCallback(bulk_xact, NULL);
		before_shmem_exit(bulk_exit, 0);
		registered = true;
	}
	cxt = AllocSetContextCreate(TopMemoryContext, "ehr bulk linking", ALLOCSET_DEFAULT_SIZES);
	bulk = MemoryContextAllocZero(cxt, sizeof *bulk);
	bulk->cxt = cxt;
	bulk->run = run;
	FileSetInit(&bulk->files);
	match_memory_start(&bulk->memory, cxt, &bulk->files, (Size) ehr_match_memory * 1024);
	bulk->core = match_memory_core(&bulk->memory);
	bulk->job.files = &bulk->files;
	bulk->job.memory = (Size) ehr_match_memory * 1024;
	bulk->job.link_bits = match_bits(EHR_MATCH_LINK);
	bulk->job.review_bits = match_bits(EHR_MATCH_REVIEW);
}

/* ---- rows in ---- */

static MatchRow *
next_row(BulkRun *b)
{
	Size		need = ((Size) b->job.n + 1) * sizeof(MatchRow);

	if (b->job.n == PG_UINT32_MAX / 4)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many patients to link at once")));
	if (need > b->rows.size)
		match_map_grow(&b->files, &b->rows, Max(need, b->rows.size + b->rows.size / 2));
	return (MatchRow *) b->rows.base + b->job.n++;
}

static Oid
store_table(const char *name)
{
	return get_relname_relid(name, get_namespace_oid("ehr_store", false));
}

/* Nobody has a person yet: the feature rows as they lie. */
static void
scan_rows(BulkRun *b)
{
	Relation	rel = table_open(store_table("match_feature"), AccessShareLock);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	AttrNumber	subject = get_attnum(RelationGetRelid(rel), "subject");
	AttrNumber	features = get_attnum(RelationGetRelid(rel), "features");
	TableScanDesc scan = table_beginscan(rel, GetActiveSnapshot(), 0, NULL);

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		isnull;
		int64		key = DatumGetInt64(slot_getattr(slot, subject, &isnull));
		MatchRow   *row = next_row(b);

		ehr_match_row_load(row, DatumGetByteaPP(slot_getattr(slot, features, &isnull)));
		row->subject = key;
		if (b->job.n % FETCH_ROWS == 0)
		{
			CHECK_FOR_INTERRUPTS();
			progress_at(b->job.n);
		}
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	table_close(rel, NoLock);
}

static const char rows_query[] =
"SELECT f.subject, f.features, CASE WHEN p.merged_into IS NULL THEN p.key ELSE ehr_internal.person_root(p.key) END"
" FROM ehr_store.match_feature f LEFT JOIN ehr_store.person_link l ON l.subject OPERATOR(pg_catalog.=) f.subject"
" LEFT JOIN ehr_store.person p ON p.key OPERATOR(pg_catalog.=) l.person";

static void
query_rows(BulkRun *b)
{
	Portal		portal = SPI_cursor_open_with_args(NULL, rows_query, 0, NULL, NULL, NULL, true, 0);

	do
	{
		uint64		i;

		SPI_cursor_fetch(portal, true, FETCH_ROWS);
		for (i = 0; i < SPI_processed; i++)
		{
			HeapTuple	tuple = SPI_tuptable->vals[i];
			TupleDesc	desc = SPI_tuptable->tupdesc;
			bool		isnull;
			Datum		person;
			MatchRow   *row = next_row(b);
			int64		subject = DatumGetInt64(SPI_getbinval(tuple, desc, 1, &isnull));

			ehr_match_row_load(row, DatumGetByteaPP(SPI_getbinval(tuple, desc, 2, &isnull)));
			person = SPI_getbinval(tuple, desc, 3, &isnull);
			row->subject = subject;
			row->person = isnull ? 0 : DatumGetInt64(person);
		}
		SPI_freetuptable(SPI_tuptable);
		CHECK_FOR_INTERRUPTS();
		progress_at(b->job.n);
	} while (SPI_processed > 0);
	SPI_cursor_close(portal);
}

static void
need_rows(BulkRun *b)
{
	if (b->job.rows != NULL)
		return;
	progress_begin("link_all", "reading patients", 0);
	match_map_create(&b->files, &b->rows, "rows", (Size) 65536 * sizeof(MatchRow));
	if (SPI_execute("SELECT FROM ehr_store.person_link LIMIT 1", true, 1) == SPI_OK_SELECT && SPI_processed == 0)
		scan_rows(b);
	else
		query_rows(b);
	b->job.rows = b->rows.base;
	match_check(match_order_rows(&b->core, b->job.rows, b->job.n));
}

/* ---- work on its way ---- */

typedef struct WorkWriter
{
	int64		run;
	WorkKind	kind;
	int			part;
	bytea	   *data;
	Size		len;
} WorkWriter;

static void
work_begin(WorkWriter *w, int64 run, WorkKind kind)
{
	w->run = run;
	w->kind = kind;
	w->part = 0;
	w->len = 0;
	w->data = MemoryContextAlloc(bulk->cxt, VARHDRSZ + CHUNK_BYTES);
}

static void
work_flush(WorkWriter *w)
{
	Oid			types[4] = {INT8OID, INT2OID, INT4OID, BYTEAOID};
	Datum		values[4];

	if (w->len == 0)
		return;
	SET_VARSIZE(w->data, VARHDRSZ + w->len);
	values[0] = Int64GetDatum(w->run);
	values[1] = Int16GetDatum(w->kind);
	values[2] = Int32GetDatum(w->part++);
	values[3] = PointerGetDatum(w->data);
	if (SPI_execute_with_args("INSERT INTO ehr_store.link_work (run, kind, part, data) VALUES ($1, $2, $3, $4)",
							  4, types, values, NULL, false, 0) != SPI_OK_INSERT)
		elog(ERROR, "could not keep the work of linking");
	w->len = 0;
}

static void
work_put(WorkWriter *w, const void *bytes, Size len)
{
	if (w->len + len > CHUNK_BYTES)
		work_flush(w);
	memcpy(VARDATA(w->data) + w->len, bytes, len);
	w->len += len;
}

static void
work_end(WorkWriter *w)
{
	work_flush(w);
	pfree(w->data);
}

typedef void (*WorkFn) (void *arg, const char *data, Size len);

static void
work_read(int64 run, WorkKind kind, WorkFn fn, void *arg)
{
	Oid			types[2] = {INT8OID, INT2OID};
	Datum		values[2] = {Int64GetDatum(run), Int16GetDatum(kind)};
	Portal		portal = SPI_cursor_open_with_args(NULL,
												   "SELECT w.data FROM ehr_store.link_work w WHERE w.run OPERATOR(pg_catalog.=) $1"
												   " AND w.kind OPERATOR(pg_catalog.=) $2 ORDER BY w.part",
												   2, types, values, NULL, true, 0);

	for (;;)
	{
		bool		isnull;
		Datum		value;
		bytea	   *data;

		SPI_cursor_fetch(portal, true, 1);
		if (SPI_processed == 0)
			break;
		value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
		data = DatumGetByteaP(value);
		fn(arg, VARDATA(data), VARSIZE(data) - VARHDRSZ);
		if (PointerGetDatum(data) != value)
			pfree(data);
		SPI_freetuptable(SPI_tuptable);
		CHECK_FOR_INTERRUPTS();
	}
	SPI_cursor_close(portal);
}

/* ---- 1: rows, blocks, frequencies, model ---- */

typedef struct ValueLine
{
	uint64		value;
	uint32		kind;
	uint32		rows;
} ValueLine;

typedef struct Counting
{
	BulkRun    *b;
	MatchCounts counts;
	WorkWriter *values;			/* NULL: they are kept already */
} Counting;

static CoreStatus
keep_value(void *arg, MatchCountKind kind, uint64_t value, uint32_t rows)
{
	ValueLine	line = {value, kind, rows};

	work_put(((Counting *) arg)->values, &line, sizeof line);
	return CORE_OK;
}

/* SPI cannot write while the process is in parallel mode: values wait in a file of the leader's. */
typedef struct Waiting
{
	Counting   *c;
	ValueLine  *line;
	Size		n;
	Size		room;
} Waiting;

static CoreStatus
wait_value(void *arg, MatchCountKind kind, uint64_t value, uint32_t rows)
{
	Waiting    *w = arg;

	if (w->n == w->room)
	{
		w->room = w->room == 0 ? 65536 : 2 * w->room;
		w->line = w->line == NULL ? MemoryContextAllocHuge(w->c->b->cxt, w->room * sizeof *w->line) :
			repalloc_huge(w->line, w->room * sizeof *w->line);
	}
	w->line[w->n].value = value;
	w->line[w->n].kind = kind;
	w->line[w->n++].rows = rows;
	return CORE_OK;
}

static void
count_meanwhile(void *arg)
{
	Waiting    *w = arg;
	BulkRun    *b = w->c->b;

	match_check(match_count_rows(&b->core, b->job.rows, b->job.n, &w->c->counts, VALUE_LEAST,
								 w->c->values == NULL ? NULL : wait_value, w));
}

static void
need_blocks(BulkRun *b, Counting *c)
{
	Waiting		w = {c, NULL, 0, 0};
	Size		i;

	if (b->found)
		return;
	need_rows(b);
	match_map_create(&b->files, &b->state, "state", (Size) b->job.n * sizeof(uint16));
	b->job.state = b->state.base;
	progress_begin("link_all", "finding blocks", MATCH_RULES + 1);
	match_job_find(&b->job, count_meanwhile, &w);
	c->counts.home_pairs = b->job.home_pairs;
	for (i = 0; i < w.n; i++)
		keep_value(c, w.line[i].kind, w.line[i].value, w.line[i].rows);
	if (w.line != NULL)
		pfree(w.line);
	if (c->values != NULL)
		match_job_values(&b->job, keep_value, c);
	b->found = true;
}

static void
learn_model(BulkRun *b, const MatchCounts *counts)
{
	MatchBlocking blocking;
	MatchSample sample;
	uint64		within = 0;
	uint32		piece;
	int			rule;

	for (rule = 0; rule < MATCH_RULES; rule++)
		within += b->job.stats.within[rule];
	match_check(match_sample_start(&b->core, &sample, b->job.rows, within));
	match_check(match_blocking_start(&blocking, &b->core, b->job.rows, b->job.n, b->job.state, 0));
	for (rule = 0; rule < MATCH_RULES; rule++)
		for (piece = 0; piece < b->job.pieces[rule]; piece++)
		{
			size_t		words;
			size_t		i;
			uint32	   *word = match_job_blocks(&b->files, rule, piece, &words);

			for (i = 0; i < words; i += word[i] + 1)
				match_check(match_sample_block(&sample, &blocking, rule, word + i + 1, word[i]));
			pfree(word);
		}
	match_check(match_sample_train(&b->core, &sample, b->job.n, counts, &b->job.model));
	match_blocking_end(&blocking);
	match_sample_end(&b->core, &sample);
}

typedef void (*FigureFn) (void *arg, const char *name, int64 value);

/* Subjects become rows again. */
typedef struct Finder
{
	BulkRun    *b;
	KeyRow	   *subject;
	MatchEdgeList *list;
} Finder;

static bool
find_subject(const Finder *f, int64 subject, uint32 *row)
{
	uint32		from = 0;
	uint32		to = f->b->job.n;

	while (from < to)
	{
		uint32		at = from + (to - from) / 2;

		if (f->subject[at].key < (uint64) subject)
			from = at + 1;
		else
			to = at;
	}
	if (from == f->b->job.n || f->subject[from].key != (uint64) subject)
		return false;
	*row = f->subject[from].row;
	return true;
}

static KeyRow *
by_subject(BulkRun *b)
{
	KeyRow	   *keys = b->core.alloc(b->core.arg, 2 * ((Size) b->job.n + 1) * sizeof *keys);
	uint32		i;

	if (keys == NULL)
		match_check(CORE_NO_MEMORY);
	for (i = 0; i < b->job.n; i++)
	{
		keys[i].key = (uint64) b->job.rows[i].subject;
		keys[i].row = i;
	}
	match_sort(keys, keys + b->job.n + 1, b->job.n);
	return keys;
}

static const char decided_query[] =
"SELECT r.a, r.b, r.state OPERATOR(pg_catalog.=) 'same' FROM ehr_store.match_review r"
" WHERE r.state OPERATOR(pg_catalog.=) ANY ('{same,different}'::pg_catalog.text[]) ORDER BY r.decided DESC LIMIT 100000";

/* Clerks' decisions on pairs that are in doubt move the odds: core/match_train.h. */
static uint64
learn_decisions(BulkRun *b)
{
	Finder		f = {b};
	MatchVector *pairs;
	bool	   *same;
	uint64		n = 0;
	uint64		i;

	if (SPI_execute(decided_query, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the decisions");
	if (SPI_processed == 0)
		return 0;
	f.subject = by_subject(b);
	pairs = MemoryContextAllocHuge(CurrentMemoryContext, SPI_processed * sizeof *pairs);
	same = MemoryContextAllocHuge(CurrentMemoryContext, SPI_processed * sizeof *same);
	for (i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;
		uint32		x,
					y;

		if (!find_subject(&f, DatumGetInt64(SPI_getbinval(tuple, desc, 1, &isnull)), &x) ||
			!find_subject(&f, DatumGetInt64(SPI_getbinval(tuple, desc, 2, &isnull)), &y))
			continue;
		match_compare(&b->job.rows[x], &b->job.rows[y], &pairs[n]);
		if (match_veto(&b->job.rows[x], &b->job.rows[y], &pairs[n]) != VETO_NONE || fabs(match_score(&b->job.model, &pairs[n])) > IN_DOUBT)
			continue;
		same[n++] = DatumGetBool(SPI_getbinval(tuple, desc, 3, &isnull));
	}
	SPI_freetuptable(SPI_tuptable);
	b->core.free(b->core.arg, f.subject);
	match_train_decided(&b->job.model, pairs, same, n);
	return n;
}

static void
step_train(BulkRun *b, FigureFn figure, void *arg)
{
	WorkWriter	values,
				model;
	Counting	c = {b, {0}, &values};
	uint8_t		stored[MATCH_MODEL_STORED];
	uint32		n;
	int			rule;

	work_begin(&values, b->run, WORK_VALUES);
	need_blocks(b, &c);
	work_end(&values);
	n = b->job.n;
	if (n < MATCH_TRAIN_ROWS)
		match_model_default(&b->job.model, Max(n, MATCH_LEAST_ROWS));
	else
		learn_model(b, &c.counts);
	figure(arg, "decisions", (int64) learn_decisions(b));
	match_model_store(&b->job.model, stored);
	work_begin(&model, b->run, WORK_MODEL);
	work_put(&model, stored, sizeof stored);
	work_end(&model);
	figure(arg, "subjects", n);
	for (rule = 0; rule < MATCH_RULES; rule++)
	{
		figure(arg, "refined", b->job.stats.refined[rule]);
		figure(arg, "windowed", b->job.stats.windowed[rule]);
	}
}

/* ---- 2: scores ---- */

static void
read_model(void *arg, const char *data, Size len)
{
	if (match_model_load(arg, (const uint8_t *) data, len) != CORE_OK)
		elog(ERROR, "the model of the run is damaged");
}

static CoreStatus
take_edge(void *arg, const MatchEdge *edge, bool link)
{
	BulkRun    *b = arg;

	return match_edge_push(&b->core, link ? &b->links : &b->reviews, edge);
}

/* An edge outside this process names subjects. */
typedef struct EdgeLine
{
	int64		a;
	int64		b;
	float		bits;
	uint32		unused;
} EdgeLine;

static void
keep_edges(BulkRun *b, WorkKind kind, const MatchEdgeList *list)
{
	WorkWriter	w;
	size_t		i;

	work_begin(&w, b->run, kind);
	for (i = 0; i < list->n; i++)
	{
		EdgeLine	line = {b->job.rows[list->edge[i].a].subject, b->job.rows[list->edge[i].b].subject, list->edge[i].bits, 0};

		work_put(&w, &line, sizeof line);
	}
	work_end(&w);
}

static void
step_score(BulkRun *b, FigureFn figure, void *arg)
{
	Counting	c = {b, {0}, NULL};

	need_blocks(b, &c);
	work_read(b->run, WORK_MODEL, read_model, &b->job.model);
	progress_begin("link_all", "comparing pairs", 0);
	match_job_score(&b->job);
	match_job_edges(&b->job, take_edge, b);
	keep_edges(b, WORK_LINKS, &b->links);
	b->scored = true;
	figure(arg, "candidates", b->job.candidates);
	figure(arg, "linked", b->job.linked);
	figure(arg, "vetoed", b->job.vetoed);
	figure(arg, "workers", b->job.workers);
	/* reviews are kept when it is known which links a guard refuses */
}

/* ---- 3: clusters ---- */

static void
read_edges(void *arg, const char *data, Size len)
{
	Finder	   *f = arg;
	Size		at;

	for (at = 0; at + sizeof(EdgeLine) <= len; at += sizeof(EdgeLine))
	{
		EdgeLine	line;
		MatchEdge	edge;

		memcpy(&line, data + at, sizeof line);
		if (!find_subject(f, line.a, &edge.a) || !find_subject(f, line.b, &edge.b))
			continue;
		if (edge.a > edge.b)
		{
			uint32		swap = edge.a;

			edge.a = edge.b;
			edge.b = swap;
		}
		edge.bits = line.bits;
		match_check(match_edge_push(&f->b->core, f->list, &edge));
	}
}

static void
need_edges(BulkRun *b)
{
	Finder		f = {b};

	if (b->scored)
		return;
	need_rows(b);
	f.subject = by_subject(b);
	f.list = &b->links;
	work_read(b->run, WORK_LINKS, read_edges, &f);
	f.list = &b->reviews;
	work_read(b->run, WORK_REVIEWS, read_edges, &f);
	b->core.free(b->core.arg, f.subject);
	b->scored = true;
}

static const char apart_query[] =
"SELECT LEAST(r.a, r.b), GREATEST(r.a, r.b) FROM ehr_store.match_review r WHERE r.state OPERATOR(pg_catalog.=) 'different' ORDER BY 1, 2";

static void
read_apart(MatchOptions *options)
{
	int64_t		(*apart)[2];
	uint64		i;

	if (SPI_execute(apart_query, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the decisions");
	apart = MemoryContextAllocHuge(CurrentMemoryContext, (SPI_processed + 1) * sizeof *apart);
	for (i = 0; i < SPI_processed; i++)
	{
		bool		isnull;

		apart[i][0] = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull));
		apart[i][1] = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2, &isnull));
	}
	options->apart = (const int64_t (*)[2]) apart;
	options->napart = SPI_processed;
	SPI_freetuptable(SPI_tuptable);
}

static Size
put_varint(uint8 *out, uint64 v)
{
	Size		n = 0;

	for (; v >= 0x80; v >>= 7)
		out[n++] = (uint8) v | 0x80;
	out[n++] = (uint8) v;
	return n;
}

static const uint8 *
take_varint(const uint8 *in, uint64 *v)
{
	int			shift = 0;

	for (*v = 0; *in & 0x80; shift += 7)
		*v |= (uint64) (*in++ & 0x7f) << shift;
	*v |= (uint64) *in++ << shift;
	return in;
}

/*
 * Clusters whose rows are one known person's already need nothing.  The others
 * are kept in order of their least subject, each line: rows that follow of the
 * same cluster, subject less the cluster's, bits.
 */
static uint64
keep_clusters(BulkRun *b, MatchOutcome *out, uint64 *persons)
{
	KeyRow	   *order = by_subject(b);
	uint32	   *count = b->core.alloc(b->core.arg, ((Size) b->job.n + 1) * sizeof *count);
	uint64		kept = 0;
	WorkWriter	w;
	uint32		i;

	if (count == NULL)
		match_check(CORE_NO_MEMORY);
	memset(count, 0, ((Size) b->job.n + 1) * sizeof *count);
	work_begin(&w, b->run, WORK_CLUSTERS);
	*persons = 0;
	/* in order of subjects the first row of a cluster is its least */
	for (i = 0; i < b->job.n; i++)
	{
		uint32		first = order[i].row;
		uint32		root = match_forest_root(&out->forest, first);
		int64		cluster = b->job.rows[first].subject;
		bool		known = b->job.rows[first].person != 0;
		uint32		row;

		if (i % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		if (count[root]++ > 0)
			continue;
		(*persons)++;
		for (row = out->forest.next[first]; row != first && known; row = out->forest.next[row])
			known = b->job.rows[row].person == b->job.rows[first].person;
		if (known)
			continue;
		row = first;
		do
		{
			uint8		line[40];
			Size		len = put_varint(line, cluster);

			len += put_varint(line + len, (uint64) (b->job.rows[row].subject - cluster));
			memcpy(line + len, &out->best[row], sizeof(float));
			work_put(&w, line, len + sizeof(float));
			kept++;
			row = out->forest.next[row];
		} while (row != first);
	}
	work_end(&w);
	b->core.free(b->core.arg, count);
	b->core.free(b->core.arg, order);
	return kept;
}

/* Pairs that came into one cluster by others need no clerk. */
static void
drop_settled(BulkRun *b, MatchForest *forest)
{
	size_t		kept = 0;
	size_t		i;

	for (i = 0; i < b->reviews.n; i++)
		if (match_forest_root(forest, b->reviews.edge[i].a) != match_forest_root(forest, b->reviews.edge[i].b))
			b->reviews.edge[kept++] = b->reviews.edge[i];
	b->reviews.n = kept;
}

static void
step_cluster(BulkRun *b, FigureFn figure, void *arg)
{
	MatchOptions options = match_options_default;
	MatchOutcome out = {0};
	uint64		persons;
	uint64		kept;

	need_edges(b);
	progress_begin("link_all", "forming persons", 0);
	read_apart(&options);
	match_check(match_form_clusters(&b->core, b->job.rows, b->job.n, &options, &b->links, &b->reviews, &out));
	drop_settled(b, &out.forest);
	keep_edges(b, WORK_REVIEWS, &b->reviews);
	kept = keep_clusters(b, &out, &persons);
	match_outcome_free(&b->core, &out);
	figure(arg, "refused", out.refused);
	figure(arg, "persons", persons);
	figure(arg, "to_link", kept);
}

/* ---- 4: persons and links ---- */

typedef struct ClusterLine
{
	int64		subject;
	int64		cluster;
	float		bits;
} ClusterLine;

typedef void (*ClusterFn) (void *arg, const ClusterLine *line);

typedef struct ClusterReader
{
	ClusterFn	fn;
	void	   *arg;
} ClusterReader;

static void
read_clusters(void *arg, const char *data, Size len)
{
	ClusterReader *r = arg;
	const uint8 *at = (const uint8 *) data;
	const uint8 *end = at + len;

	while (at < end)
	{
		ClusterLine line;
		uint64		v;

		at = take_varint(at, &v);
		line.cluster = (int64) v;
		at = take_varint(at, &v);
		line.subject = line.cluster + (int64) v;
		memcpy(&line.bits, at, sizeof line.bits);
		at += sizeof line.bits;
		r->fn(r->arg, &line);
	}
}

typedef struct Person
{
	pg_uuid_t	id;
	int64		key;
	int64		founder;
} Person;

typedef struct Link
{
	ClusterLine line;
	int64		person;
} Link;

typedef struct Storing
{
	MatchCopy	persons;
	MatchCopy	links;
	Oid			sequence;
	Person	   *person;			/* a batch */
	int			npersons;
	Link	   *link;
	Size		nlinks;
	Size		room;
	int64		cluster;		/* the last line's */
	uint64		all_persons;
	uint64		all_links;
	TimestampTz now;
} Storing;

static int
by_id(const void *a, const void *b)
{
	return memcmp(&((const Person *) a)->id, &((const Person *) b)->id, UUID_LEN);
}

static int
by_link_subject(const void *a, const void *b)
{
	int64		x = ((const Link *) a)->line.subject;
	int64		y = ((const Link *) b)->line.subject;

	return x < y ? -1 : x > y;
}

/* A batch in the order that the indexes like best: of ids for persons, of subjects for links. */
static void
store_batch(Storing *s)
{
	Size		i;
	int			k;
	pg_uuid_t  *ids = palloc(Max(s->npersons, 1) * sizeof *ids);

	if (!pg_strong_random(ids, s->npersons * sizeof *ids))
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate random values")));
	for (k = 0; k < s->npersons; k++)
	{
		ids[k].data[6] = (ids[k].data[6] & 0x0f) | 0x40;
		ids[k].data[8] = (ids[k].data[8] & 0x3f) | 0x80;
		s->person[k].id = ids[k];
	}
	pfree(ids);
	qsort(s->person, s->npersons, sizeof *s->person, by_id);
	for (k = 0; k < s->npersons; k++)
	{
		match_copy_row(&s->persons);
		match_copy_int(&s->persons, s->person[k].key, 8);
		match_copy_bytes(&s->persons, &s->person[k].id, UUID_LEN);
		match_copy_int(&s->persons, s->person[k].founder, 8);
		match_copy_int(&s->persons, s->now, 8);
	}
	match_copy_flush(&s->persons);
	qsort(s->link, s->nlinks, sizeof *s->link, by_link_subject);
	for (i = 0; i < s->nlinks; i++)
	{
		const Link *l = &s->link[i];
		union
		{
			float		f;
			uint32		i;
		}			bits = {l->line.bits};
		bool		alone = isinf(l->line.bits);

		match_copy_row(&s->links);
		match_copy_int(&s->links, l->line.subject, 8);
		match_copy_int(&s->links, l->person, 8);
		match_copy_bytes(&s->links, alone ? "new" : "bulk", alone ? 3 : 4);
		if (alone)
			match_copy_null(&s->links);
		else
			match_copy_int(&s->links, bits.i, 4);
		match_copy_int(&s->links, s->now, 8);
	}
	match_copy_flush(&s->links);
	s->all_persons += s->npersons;
	s->all_links += s->nlinks;
	s->npersons = 0;
	s->nlinks = 0;
	progress_at((int64) s->all_links);
	CHECK_FOR_INTERRUPTS();
}

static void
store_line(void *arg, const ClusterLine *line)
{
	Storing    *s = arg;

	if (line->cluster != s->cluster)
	{
		if (s->npersons == PERSON_BATCH)
			store_batch(s);
		s->cluster = line->cluster;
		s->person[s->npersons].key = nextval_internal(s->sequence, false);
		s->person[s->npersons++].founder = line->cluster;
	}
	if (s->nlinks == s->room)
	{
		s->room *= 2;
		s->link = repalloc_huge(s->link, s->room * sizeof *s->link);
	}
	s->link[s->nlinks].line = *line;
	s->link[s->nlinks++].person = s->person[s->npersons - 1].key;
}

/*
 * All that is to be linked is new: persons and links go in as they come.  The
 * caller has seen to it that nobody else links meanwhile, and that nobody of
 * the run has a person.
 */
static void
step_store(int64 run, FigureFn figure, void *arg)
{
	static const char *const person_columns[] = {"key", "id", "founder", "created"};
	static const char *const link_columns[] = {"subject", "person", "method", "score", "at"};
	Storing		s = {{0}};
	ClusterReader reader = {store_line, &s};

	match_copy_begin(&s.persons, "person", person_columns, lengthof(person_columns));
	match_copy_begin(&s.links, "person_link", link_columns, lengthof(link_columns));
	s.sequence = store_table("person_key_seq");
	s.person = MemoryContextAllocHuge(CurrentMemoryContext, PERSON_BATCH * sizeof *s.person);
	s.room = 2 * PERSON_BATCH;
	s.link = MemoryContextAllocHuge(CurrentMemoryContext, s.room * sizeof *s.link);
	s.cluster = -1;
	s.now = GetCurrentTimestamp();
	progress_begin("link_all", "storing links", 0);
	work_read(run, WORK_CLUSTERS, read_clusters, &reader);
	store_batch(&s);
	match_copy_end(&s.persons);
	match_copy_end(&s.links);
	figure(arg, "persons_created", s.all_persons);
	figure(arg, "persons_merged", 0);
	figure(arg, "subjects_linked", s.all_links);
}

/* ---- 5: what was learnt ---- */

typedef struct Values
{
	ValueLine  *line;
	Size		n;
	Size		room;
} Values;

static void
read_values(void *arg, const char *data, Size len)
{
	Values	   *v = arg;
	Size		n = len / sizeof(ValueLine);

	if (v->n + n > v->room)
	{
		v->room = 2 * (v->n + n);
		v->line = v->line == NULL ? MemoryContextAllocHuge(CurrentMemoryContext, v->room * sizeof *v->line) :
			repalloc_huge(v->line, v->room * sizeof *v->line);
	}
	memcpy(v->line + v->n, data, n * sizeof(ValueLine));
	v->n += n;
}

static int
by_value(const void *a, const void *b)
{
	const ValueLine *x = a;
	const ValueLine *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return (int64) x->value < (int64) y->value ? -1 : (int64) x->value > (int64) y->value;
}

static void
step_learn(int64 run, FigureFn figure, void *arg)
{
	static const char *const columns[] = {"kind", "value", "rows"};
	Values		v = {NULL, 0, 0};
	MatchCopy	copy;
	Size		i,
				same;

	work_read(run, WORK_VALUES, read_values, &v);
	if (v.n > 0)
		qsort(v.line, v.n, sizeof *v.line, by_value);
	match_copy_begin(&copy, "match_frequency", columns, lengthof(columns));
	for (i = 0; i < v.n; i += same)
	{
		uint64		rows = 0;

		/* numbers of several kinds can have one value */
		for (same = 0; i + same < v.n && by_value(&v.line[i], &v.line[i + same]) == 0; same++)
			rows += v.line[i + same].rows;
		match_copy_row(&copy);
		match_copy_int(&copy, v.line[i].kind, 2);
		match_copy_int(&copy, (int64) v.line[i].value, 8);
		match_copy_int(&copy, (int64) Min(rows, PG_INT32_MAX), 4);
	}
	match_copy_end(&copy);
	figure(arg, "values", v.n);
}

/* ---- for SQL ---- */

static void
put_figure(void *arg, const char *name, int64 value)
{
	ReturnSetInfo *rsinfo = arg;
	Datum		values[2] = {CStringGetTextDatum(name), Int64GetDatum(value)};
	bool		nulls[2] = {false, false};

	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

PG_FUNCTION_INFO_V1(ehr_match_bulk);

/*
 * ehr_internal.match_bulk(run bigint, step text, OUT figure text, OUT value
 * bigint) → setof record: does one step of a run (train, score, cluster, store,
 * learn; or drop what the process keeps of it).  VOLATILE; called in system
 * mode, with the tables' locks held as ehr_internal.link_step does.
 */
Datum
ehr_match_bulk(PG_FUNCTION_ARGS)
{
	static void (*const steps[]) (BulkRun *, FigureFn, void *) = {step_train, step_score, step_cluster};
	static const char *const names[] = {"train", "score", "cluster"};
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	int64		run = PG_GETARG_INT64(0);
	char	   *step = text_to_cstring(PG_GETARG_TEXT_PP(1));
	int			i;

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	for (i = 0; i < (int) lengthof(steps); i++)
		if (strcmp(step, names[i]) == 0)
		{
			bulk_open(run);
			steps[i] (bulk, put_figure, rsinfo);
		}
	if (strcmp(step, "store") == 0)
		step_store(run, put_figure, rsinfo);
	else if (strcmp(step, "learn") == 0)
		step_learn(run, put_figure, rsinfo);
	if (strcmp(step, "cluster") == 0 || strcmp(step, "drop") == 0)
		bulk_drop();
	SPI_finish();
	PG_RETURN_NULL();
}

static void
put_cluster(void *arg, const ClusterLine *line)
{
	ReturnSetInfo *rsinfo = arg;
	Datum		values[3] = {Int64GetDatum(line->subject), Int64GetDatum(line->cluster), Float4GetDatum(line->bits)};
	bool		nulls[3] = {false, false, isinf(line->bits)};

	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

static void
put_edges(void *arg, const char *data, Size len)
{
	Size		at;

	for (at = 0; at + sizeof(EdgeLine) <= len; at += sizeof(EdgeLine))
	{
		EdgeLine	edge;
		ClusterLine line;

		memcpy(&edge, data + at, sizeof edge);
		line.subject = edge.a;
		line.cluster = edge.b;
		line.bits = edge.bits;
		put_cluster(arg, &line);
	}
}

PG_FUNCTION_INFO_V1(ehr_match_work);

/*
 * ehr_internal.match_work(run bigint, what text, OUT a bigint, OUT b bigint,
 * OUT bits real) → setof record: reviews (pairs of subjects) or clusters
 * (subject and cluster) of a run.  VOLATILE.
 */
Datum
ehr_match_work(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	int64		run = PG_GETARG_INT64(0);
	char	   *what = text_to_cstring(PG_GETARG_TEXT_PP(1));
	ClusterReader reader = {put_cluster, rsinfo};

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	if (strcmp(what, "reviews") == 0)
		work_read(run, WORK_REVIEWS, put_edges, rsinfo);
	else
		work_read(run, WORK_CLUSTERS, read_clusters, &reader);
	SPI_finish();
	PG_RETURN_NULL();
}
