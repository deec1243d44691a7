/*
 * match_parallel.c
 *		Finding blocks and scoring pairs in several processes.
 *
 * The leader and as many parallel workers as come take tasks from a counter;
 * with none the leader does all.  Workers read no table: the rows lie in a
 * mapped temporary file, results go into temporary files.
 *
 *		b<rule>.<piece>		blocks: number of rows, rows, number of rows, …
 *		v<participant>		values that several rows share
 *		e<participant>		scored pairs
 */
#include "postgres.h"

#include <fcntl.h>

#include "access/parallel.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "optimizer/cost.h"
#include "port/atomics.h"
#include "storage/buffile.h"
#include "storage/shm_toc.h"
#include "storage/spin.h"
#include "utils/memutils.h"

#include "compat.h"
#include "identity/match_bulk.h"
#include "progress.h"

#define KEY_SHARED UINT64CONST(0xE4A0000000000001)
#define PIECE_WORDS ((size_t) 1024 * 1024)
#define VALUE_LEAST 3

typedef enum JobPhase
{
	JOB_FIND, JOB_SCORE
} JobPhase;

typedef struct JobShared
{
	JobPhase	phase;
	FileSet		files;
	MatchJob	job;			/* its pointers are the leader's */
	Size		memory;			/* of one process */
	int			ntasks;
	pg_atomic_uint32 next;
	slock_t		mutex;			/* of the sums in job */
} JobShared;

/* One process at work. */
typedef struct Participant
{
	JobShared  *shared;
	FileSet    *files;
	MatchRow   *rows;
	uint16	   *state;
	int			number;			/* 0 = leader */
	MatchMemory memory;
	CoreContext core;
	MatchBlocking blocking;
	BufFile    *out;			/* v or e, made at the first line */
} Participant;

typedef struct ValueLine
{
	uint64		value;
	uint32		kind;
	uint32		rows;
} ValueLine;

typedef struct EdgeLine
{
	MatchEdge	edge;
	uint32		link;
} EdgeLine;

extern PGDLLEXPORT void ehr_match_worker(dsm_segment *seg, shm_toc *toc);

void
match_check(CoreStatus status)
{
	CHECK_FOR_INTERRUPTS();
	if (status == CORE_NO_MEMORY)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory while linking"),
				 errhint("Lower ehr.match_memory, so that more is kept in temporary files.")));
	if (status == CORE_INTERRUPTED)
		ereport(ERROR, (errcode(ERRCODE_QUERY_CANCELED), errmsg("linking was interrupted")));
	if (status != CORE_OK)
		elog(ERROR, "linking failed with status %d", (int) status);
}

/* ---- finding blocks ---- */

typedef struct BlockWriter
{
	Participant *p;
	int			rule;
	BufFile    *file;
	size_t		words;
	uint32		pieces;
} BlockWriter;

static void
write_line(Participant *p, char kind, void *line, size_t size)
{
	if (p->out == NULL)
	{
		char		name[24];

		snprintf(name, sizeof name, "%c%d", kind, p->number);
		p->out = BufFileCreateFileSet(p->files, name);
	}
	BufFileWrite(p->out, line, size);
}

static void
end_piece(BlockWriter *w)
{
	if (w->file == NULL)
		return;
	BufFileExportFileSet(w->file);
	BufFileClose(w->file);
	w->file = NULL;
	w->words = 0;
}

static CoreStatus
write_block(void *arg, const uint32_t *row, uint32_t n)
{
	BlockWriter *w = arg;
	const MatchRow *first = &w->p->rows[row[0]];

	if (w->file == NULL)
	{
		char		name[24];

		snprintf(name, sizeof name, "b%d.%u", w->rule, w->pieces++);
		w->file = BufFileCreateFileSet(w->p->files, name);
	}
	BufFileWrite(w->file, &n, sizeof n);
	BufFileWrite(w->file, unconstify(uint32_t *, row), n * sizeof *row);
	w->words += n + 1;
	if (w->words >= PIECE_WORDS)
		end_piece(w);
	if (n >= VALUE_LEAST && (w->rule == 0 || w->rule == 2))
	{
		MatchCountKind kind = w->rule == 0 ? COUNT_NUMBER : COUNT_PHONE;
		ValueLine	line = {match_count_key(first, kind), kind, n};

		write_line(w->p, 'v', &line, sizeof line);
	}
	return CORE_OK;
}

static void
find_task(Participant *p, int task)
{
	JobShared  *shared = p->shared;
	BlockWriter w = {p, task, NULL, 0, 0};
	double		homes;

	if (task == MATCH_RULES)
	{
		match_check(match_home_pairs(&p->blocking, &homes));
		shared->job.home_pairs = homes;
		return;
	}
	match_check(match_block_find(&p->blocking, task, write_block, &w));
	end_piece(&w);
	shared->job.pieces[task] = w.pieces;
}

/* ---- scoring ---- */

uint32 *
match_job_blocks(FileSet *files, int rule, uint32 piece, size_t *words)
{
	char		name[24];
	BufFile    *file;
	int64		size;
	uint32	   *word;

	snprintf(name, sizeof name, "b%d.%u", rule, piece);
	file = BufFileOpenFileSet(files, name, O_RDONLY, false);
	size = BufFileSize(file);
	word = MemoryContextAllocHuge(CurrentMemoryContext, size);
	if (BufFileRead(file, word, size) != (size_t) size)
		elog(ERROR, "a temporary file of linking is shorter than it was");
	BufFileClose(file);
	*words = size / sizeof *word;
	return word;
}

static CoreStatus
write_edge(void *arg, const MatchEdge *edge, bool link)
{
	EdgeLine	line = {*edge, link};

	write_line(arg, 'e', &line, sizeof line);
	return CORE_OK;
}

static void
score_task(Participant *p, int task)
{
	JobShared  *shared = p->shared;
	MatchScorer scorer = {p->rows, &shared->job.model, shared->job.link_bits, shared->job.review_bits, write_edge, p, 0, 0, 0};
	uint32		piece = (uint32) task;
	uint32	   *word;
	size_t		words;
	size_t		i;
	int			rule = 0;

	while (piece >= shared->job.pieces[rule])
		piece -= shared->job.pieces[rule++];
	word = match_job_blocks(p->files, rule, piece, &words);
	for (i = 0; i < words; i += word[i] + 1)
	{
		if (INTERRUPTS_PENDING_CONDITION())
			CHECK_FOR_INTERRUPTS();
		match_check(match_block_pairs(&p->blocking, rule, word + i + 1, word[i], match_score_pair, &scorer));
	}
	pfree(word);
	SpinLockAcquire(&shared->mutex);
	shared->job.candidates += scorer.candidates;
	shared->job.vetoed += scorer.vetoed;
	shared->job.linked += scorer.linked;
	SpinLockRelease(&shared->mutex);
}

/* ---- tasks ---- */

static void
take_tasks(Participant *p)
{
	JobShared  *shared = p->shared;
	uint32		task;

	match_memory_start(&p->memory, CurrentMemoryContext, p->files, shared->memory);
	/* files of one process are not another's */
	p->memory.numbered = (p->number + 1) * 1000000;
	p->core = match_memory_core(&p->memory);
	match_check(match_blocking_start(&p->blocking, &p->core, p->rows, shared->job.n, p->state, shared->memory));
	while ((task = pg_atomic_fetch_add_u32(&shared->next, 1)) < (uint32) shared->ntasks)
	{
		if (p->number == 0)
			progress_at(task);
		if (shared->phase == JOB_FIND)
			find_task(p, task);
		else
			score_task(p, task);
	}
	match_blocking_end(&p->blocking);
	match_memory_end(&p->memory);
	SpinLockAcquire(&shared->mutex);
	match_block_stats_add(&shared->job.stats, &p->blocking.stats);
	SpinLockRelease(&shared->mutex);
	if (p->out != NULL)
	{
		BufFileExportFileSet(p->out);
		BufFileClose(p->out);
	}
}

void
ehr_match_worker(dsm_segment *seg, shm_toc *toc)
{
	JobShared  *shared = shm_toc_lookup(toc, KEY_SHARED, false);
	Participant p = {shared, &shared->files};
	MatchMap	rows,
				state;

	p.number = ParallelWorkerNumber + 1;
	match_map_open(p.files, &rows, "rows", shared->job.n * sizeof(MatchRow));
	match_map_open(p.files, &state, "state", shared->job.n * sizeof(uint16));
	p.rows = rows.base;
	p.state = state.base;
	take_tasks(&p);
	match_map_close(&rows);
	match_map_close(&state);
}

static void
run_job(MatchJob *job, JobPhase phase, int ntasks, MatchMeanwhile meanwhile, void *arg)
{
	int			wanted = Min(Min(max_parallel_maintenance_workers, ntasks - 1), 16);
	ParallelContext *pcxt;
	JobShared  *shared;
	Participant p;

	EnterParallelMode();
	pcxt = CreateParallelContext("ehr", "ehr_match_worker", Max(wanted, 0));
	shm_toc_estimate_chunk(&pcxt->estimator, sizeof *shared);
	shm_toc_estimate_keys(&pcxt->estimator, 1);
	InitializeParallelDSM(pcxt);
	shared = shm_toc_allocate(pcxt->toc, sizeof *shared);
	memset(shared, 0, sizeof *shared);
	shared->phase = phase;
	shared->files = *job->files;
	shared->job = *job;
	shared->memory = job->memory / (pcxt->nworkers + 1);
	shared->ntasks = ntasks;
	pg_atomic_init_u32(&shared->next, 0);
	SpinLockInit(&shared->mutex);
	shm_toc_insert(pcxt->toc, KEY_SHARED, shared);
	LaunchParallelWorkers(pcxt);

	if (meanwhile != NULL)
		meanwhile(arg);
	memset(&p, 0, sizeof p);
	p.shared = shared;
	p.files = job->files;
	p.rows = job->rows;
	p.state = job->state;
	take_tasks(&p);
	WaitForParallelWorkersToFinish(pcxt);
	job->workers = Max(job->workers, pcxt->nworkers_launched);
	memcpy(job->pieces, shared->job.pieces, sizeof job->pieces);
	job->home_pairs = shared->job.home_pairs;
	job->stats = shared->job.stats;
	job->candidates = shared->job.candidates;
	job->vetoed = shared->job.vetoed;
	job->linked = shared->job.linked;
	DestroyParallelContext(pcxt);
	ExitParallelMode();
}

void
match_job_find(MatchJob *job, MatchMeanwhile meanwhile, void *arg)
{
	run_job(job, JOB_FIND, MATCH_RULES + 1, meanwhile, arg);
}

void
match_job_score(MatchJob *job)
{
	int			tasks = 0;
	int			rule;

	for (rule = 0; rule < MATCH_RULES; rule++)
		tasks += job->pieces[rule];
	run_job(job, JOB_SCORE, tasks, NULL, NULL);
}

/* ---- what the participants wrote ---- */

static BufFile *
open_lines(MatchJob *job, char kind, int number)
{
	char		name[24];

	snprintf(name, sizeof name, "%c%d", kind, number);
	return BufFileOpenFileSet(job->files, name, O_RDONLY, true);
}

void
match_job_edges(MatchJob *job, MatchEdgeFn fn, void *arg)
{
	EdgeLine	line;
	int			k;

	for (k = 0; k <= job->workers; k++)
	{
		BufFile    *file = open_lines(job, 'e', k);

		while (file != NULL && BufFileRead(file, &line, sizeof line) == sizeof line)
			match_check(fn(arg, &line.edge, line.link));
		if (file != NULL)
			BufFileClose(file);
	}
}

void
match_job_values(MatchJob *job, MatchValueFn fn, void *arg)
{
	ValueLine	line;
	int			k;

	for (k = 0; k <= job->workers; k++)
	{
		BufFile    *file = open_lines(job, 'v', k);

		while (file != NULL && BufFileRead(file, &line, sizeof line) == sizeof line)
			match_check(fn(arg, line.kind, line.value, line.rows));
		if (file != NULL)
			BufFileClose(file);
	}
}
