/*
 * progress.c
 *		View ehr.progress: one slot in shared memory for each process with long work.
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "progress.h"

#define SLOTS 64

typedef struct ProgressSlot
{
	pg_atomic_uint32 pid;		/* 0 = free */
	Oid			database;
	TimestampTz started;
	char		work[32];
	char		phase[32];
	pg_atomic_uint64 done;
	int64		total;
} ProgressSlot;

static ProgressSlot *slots = NULL;
static ProgressSlot *mine = NULL;
static shmem_request_hook_type prev_shmem_request_hook = NULL;
static shmem_startup_hook_type prev_shmem_startup_hook = NULL;

static void
request(void)
{
	if (prev_shmem_request_hook)
		prev_shmem_request_hook();
	RequestAddinShmemSpace(SLOTS * sizeof(ProgressSlot));
}

static void
startup(void)
{
	bool		found;
	int			i;

	if (prev_shmem_startup_hook)
		prev_shmem_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	slots = ShmemInitStruct("ehr progress", SLOTS * sizeof(ProgressSlot), &found);
	if (!found)
	{
		memset(slots, 0, SLOTS * sizeof(ProgressSlot));
		for (i = 0; i < SLOTS; i++)
		{
			pg_atomic_init_u32(&slots[i].pid, 0);
			pg_atomic_init_u64(&slots[i].done, 0);
		}
	}
	LWLockRelease(AddinShmemInitLock);
}

void
progress_init(void)
{
	prev_shmem_request_hook = shmem_request_hook;
	shmem_request_hook = request;
	prev_shmem_startup_hook = shmem_startup_hook;
	shmem_startup_hook = startup;
}

static void
at_xact_end(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT || event == XACT_EVENT_COMMIT)
		progress_end();
}

static void
at_exit(int code, Datum arg)
{
	progress_end();
}

void
progress_begin(const char *work, const char *phase, int64 total)
{
	static bool registered = false;
	int			i;

	if (slots == NULL)
		return;
	if (!registered)
	{
		RegisterXactCallback(at_xact_end, NULL);
		before_shmem_exit(at_exit, 0);
		registered = true;
	}
	for (i = 0; mine == NULL && i < SLOTS; i++)
	{
		uint32		free = 0;

		if (pg_atomic_compare_exchange_u32(&slots[i].pid, &free, (uint32) MyProcPid))
		{
			mine = &slots[i];
			mine->started = GetCurrentTimestamp();
			mine->database = MyDatabaseId;
		}
	}
	if (mine == NULL)
		return;
	strlcpy(mine->work, work, sizeof mine->work);
	strlcpy(mine->phase, phase, sizeof mine->phase);
	mine->total = total;
	pg_atomic_write_u64(&mine->done, 0);
}

void
progress_at(int64 done)
{
	if (mine != NULL)
		pg_atomic_write_u64(&mine->done, (uint64) done);
}

void
progress_end(void)
{
	if (mine != NULL)
		pg_atomic_write_u32(&mine->pid, 0);
	mine = NULL;
}

PG_FUNCTION_INFO_V1(ehr_running_work);

/*
 * ehr.running_work(OUT pid int, OUT work text, OUT phase text, OUT done bigint,
 * OUT total bigint, OUT started timestamptz) → setof record: long work in this
 * database.  VOLATILE.
 */
Datum
ehr_running_work(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	int			i;

	InitMaterializedSRF(fcinfo, 0);
	for (i = 0; slots != NULL && i < SLOTS; i++)
	{
		uint32		pid = pg_atomic_read_u32(&slots[i].pid);
		ProgressSlot slot = slots[i];
		Datum		values[6];
		bool		nulls[6] = {false, false, false, false, slot.total <= 0, false};

		if (pid == 0 || slot.database != MyDatabaseId)
			continue;
		/* written while we look: never longer than the field */
		slot.work[sizeof slot.work - 1] = slot.phase[sizeof slot.phase - 1] = '\0';
		values[0] = Int32GetDatum((int32) pid);
		values[1] = CStringGetTextDatum(slot.work);
		values[2] = CStringGetTextDatum(slot.phase);
		values[3] = Int64GetDatum((int64) pg_atomic_read_u64(&slots[i].done));
		values[4] = Int64GetDatum(slot.total);
		values[5] = TimestampTzGetDatum(slot.started);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	PG_RETURN_NULL();
}
