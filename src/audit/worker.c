/*
 * worker.c
 *		The background workers that bring the spool into the database.
 *
 * A launcher starts a worker for each database whose spool holds something
 * new, as soon as an entry asks for it or at the next look; a worker that has
 * had nothing to do for some seconds ends, so that it stands in nobody's way
 * (DROP DATABASE waits for up to five).  Neither is needed for an entry to be
 * durable: that is the spool's part.
 */
#include "postgres.h"

#include <unistd.h>

#include "access/xact.h"
#include "access/xlog.h"
#include "commands/dbcommands.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "compat.h"
#include "audit/audit.h"
#include "audit/spool.h"

#define LOOK_EVERY 200			/* ms between two looks of a worker */
#define IDLE_END 3000			/* ms without work after which it ends */
#define LAUNCHER_LOOK 10000		/* ms between two looks of the launcher */
#define RETRY_WANTED 500		/* ms before a worker that ended is started again for somebody who asks */

PGDLLEXPORT void ehr_audit_launcher_main(Datum arg);
PGDLLEXPORT void ehr_audit_worker_main(Datum arg);

static shmem_request_hook_type previous_shmem_request = NULL;
static shmem_startup_hook_type previous_shmem_startup = NULL;
static bool am_writer = false;

bool
audit_is_writer(void)
{
	return am_writer;
}

static bool
has_news(AuditSlot *slot)
{
	return !slot->all_seen || pg_atomic_read_u64(&slot->imported) < pg_atomic_read_u64(&slot->written);
}

static void
advance_imported(AuditSlot *slot, uint64 total)
{
	/* only the worker and, at its start, nobody else writes it */
	if (total > pg_atomic_read_u64(&slot->imported))
		pg_atomic_write_u64(&slot->imported, total);
}

static void
start_process(void)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	BackgroundWorkerUnblockSignals();
}

static void
sleep_for(long ms)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, ms, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	if (ShutdownRequestPending)
		proc_exit(1);			/* not 0, with which the launcher would never come back */
	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
}

/* ------------------------------------------------------------------ the worker of one database */

static void
worker_gone(int code, Datum arg)
{
	AuditSlot  *slot = (AuditSlot *) DatumGetPointer(arg);

	slot->worker_pid = 0;
	slot->worker_latch = NULL;
	pg_atomic_write_u32(&slot->worker, AUDIT_WORKER_NONE);
}

static AuditImport
import_once(AuditSlot *slot)
{
	AuditImport done;

	/* while it may wait for a lock, the worker can be ended as any backend can */
	pqsignal(SIGTERM, die);
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	pgstat_report_activity(STATE_RUNNING, "importing audit entries");
	done = audit_import_batch(slot);
	PopActiveSnapshot();
	CommitTransactionCommand();
	pgstat_report_stat(false);
	pgstat_report_activity(STATE_IDLE, NULL);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);

	slot->no_store = done.no_store;
	if (done.no_store)
		return done;
	if (done.total != 0)
		advance_imported(slot, done.total);
	slot->all_seen |= done.all_seen;
	ConditionVariableBroadcast(&slot->moved);
	return done;
}

/* removes the files that are imported, once that itself is on disk */
static void
remove_imported(AuditSlot *slot, uint64 segment)
{
	static uint64 removed = 0;

	if (segment == removed)
		return;
	XLogFlush(XactLastCommitEnd);
	StartTransactionCommand();
	audit_remove_before(slot, segment);
	CommitTransactionCommand();
	removed = segment;
}

void
ehr_audit_worker_main(Datum arg)
{
	Oid			database = DatumGetObjectId(arg);
	AuditFailure failure;
	AuditSlot  *slot = audit_slot(database, &failure);
	TimestampTz last_work;

	if (slot == NULL)
		proc_exit(1);
	am_writer = true;
	start_process();
	slot->worker_pid = MyProcPid;
	slot->worker_latch = MyLatch;
	pg_atomic_write_u32(&slot->worker, AUDIT_WORKER_RUNNING);
	before_shmem_exit(worker_gone, PointerGetDatum(slot));
	BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, BGWORKER_BYPASS_ALLOWCONN);
	/* a lost commit is imported again: the position is lost with it */
	SetConfigOption("synchronous_commit", "off", PGC_SUSET, PGC_S_OVERRIDE);
	SetConfigOption("search_path", "pg_catalog, pg_temp", PGC_SUSET, PGC_S_OVERRIDE);

	last_work = GetCurrentTimestamp();
	for (;;)
	{
		AuditImport done = {0};

		if (has_news(slot))
		{
			done = import_once(slot);
			if (done.no_store)
				break;
			remove_imported(slot, done.segment);
		}
		if (done.entries > 0)
			last_work = GetCurrentTimestamp();
		if (done.entries > 0 && has_news(slot))
		{
			CHECK_FOR_INTERRUPTS();
			continue;
		}
		if (TimestampDifferenceExceeds(last_work, GetCurrentTimestamp(), IDLE_END))
		{
			/* from here on an entry asks for a new worker; what came before that is seen now */
			pg_atomic_write_u32(&slot->worker, AUDIT_WORKER_NONE);
			pg_memory_barrier();
			if (!has_news(slot))
				break;
			pg_atomic_write_u32(&slot->worker, AUDIT_WORKER_RUNNING);
			last_work = GetCurrentTimestamp();
		}
		sleep_for(LOOK_EVERY);
	}
	proc_exit(0);
}

/* ------------------------------------------------------------------ the launcher */

static void
launcher_gone(int code, Datum arg)
{
	audit_shared->launcher_pid = 0;
	audit_shared->launcher_latch = NULL;
}

/* makes slots for the spools that earlier runs of the server left */
static void
find_spools(void)
{
	DIR		   *dir = AllocateDir(audit_directory);
	struct dirent *de;

	if (dir == NULL)
		return;
	while ((de = ReadDirExtended(dir, audit_directory, LOG)) != NULL)
	{
		char	   *end;
		unsigned long database = strtoul(de->d_name, &end, 10);
		AuditFailure failure;

		if (*end == '\0' && database > 0 && database <= PG_UINT32_MAX &&
			SearchSysCacheExists1(DATABASEOID, ObjectIdGetDatum((Oid) database)))
			(void) audit_slot((Oid) database, &failure);
	}
	FreeDir(dir);
}

/* false: no such database any more, so nothing can be imported and nobody writes: the slot is free again */
static bool
still_there(AuditSlot *slot)
{
	char	   *name = get_database_name(slot->database);

	if (name == NULL)
	{
		LWLockAcquire(audit_shared->control, LW_EXCLUSIVE);
		slot->database = InvalidOid;
		LWLockRelease(audit_shared->control);
		return false;
	}
	return audit_serves(name);
}

static void
start_worker(AuditSlot *slot, BackgroundWorkerHandle **handle)
{
	BackgroundWorker worker;
	MemoryContext old;
	pid_t		pid;

	if (*handle != NULL && GetBackgroundWorkerPid(*handle, &pid) != BGWH_STOPPED)
		return;
	if (*handle != NULL)
		pfree(*handle);
	*handle = NULL;
	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_notify_pid = MyProcPid;
	worker.bgw_main_arg = ObjectIdGetDatum(slot->database);
	strlcpy(worker.bgw_library_name, "ehr", BGW_MAXLEN);
	strlcpy(worker.bgw_function_name, "ehr_audit_worker_main", BGW_MAXLEN);
	strlcpy(worker.bgw_type, "ehr audit worker", BGW_MAXLEN);
	snprintf(worker.bgw_name, BGW_MAXLEN, "ehr audit worker for database %u", slot->database);
	old = MemoryContextSwitchTo(TopMemoryContext);
	if (!RegisterDynamicBackgroundWorker(&worker, handle))
	{
		*handle = NULL;
		ereport(LOG,
				(errmsg("no background worker is free to import audit entries of database %u", slot->database),
				 errhint("Raise max_worker_processes. Entries are safe in the spool until then.")));
	}
	MemoryContextSwitchTo(old);
}

void
ehr_audit_launcher_main(Datum arg)
{
	static BackgroundWorkerHandle *handles[AUDIT_MAX_DATABASES];
	static TimestampTz tried[AUDIT_MAX_DATABASES];

	start_process();
	audit_shared->launcher_pid = MyProcPid;
	audit_shared->launcher_latch = MyLatch;
	before_shmem_exit(launcher_gone, (Datum) 0);
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);

	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	find_spools();
	CommitTransactionCommand();

	for (;;)
	{
		long		sleep = LAUNCHER_LOOK;

		StartTransactionCommand();
		(void) GetTransactionSnapshot();
		for (int i = 0; i < AUDIT_MAX_DATABASES; i++)
		{
			AuditSlot  *slot = &audit_shared->slots[i];
			bool		wanted = pg_atomic_read_u32(&slot->worker) == AUDIT_WORKER_WANTED;

			if (!OidIsValid(slot->database) || slot->worker_pid != 0)
				continue;
			if (!still_there(slot) || !(wanted || has_news(slot)))
				continue;
			/* one that failed is not started again at once */
			if (!TimestampDifferenceExceeds(tried[i], GetCurrentTimestamp(), wanted ? RETRY_WANTED : LAUNCHER_LOOK / 2))
			{
				sleep = Min(sleep, wanted ? RETRY_WANTED : LAUNCHER_LOOK);
				continue;
			}
			tried[i] = GetCurrentTimestamp();
			start_worker(slot, &handles[i]);
		}
		CommitTransactionCommand();
		sleep_for(sleep);
	}
}

/* ------------------------------------------------------------------ start-up */

static void
shmem_request(void)
{
	if (previous_shmem_request)
		previous_shmem_request();
	audit_spool_shmem_request();
}

static void
shmem_startup(void)
{
	if (previous_shmem_startup)
		previous_shmem_startup();
	audit_spool_shmem_startup();
}

void
audit_init(void)
{
	BackgroundWorker launcher;

	if (!process_shared_preload_libraries_in_progress)
		return;
	audit_spool_init();
	previous_shmem_request = shmem_request_hook;
	shmem_request_hook = shmem_request;
	previous_shmem_startup = shmem_startup_hook;
	shmem_startup_hook = shmem_startup;

	memset(&launcher, 0, sizeof(launcher));
	launcher.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	launcher.bgw_start_time = BgWorkerStart_RecoveryFinished;
	launcher.bgw_restart_time = 5;
	strlcpy(launcher.bgw_library_name, "ehr", BGW_MAXLEN);
	strlcpy(launcher.bgw_function_name, "ehr_audit_launcher_main", BGW_MAXLEN);
	strlcpy(launcher.bgw_name, "ehr audit launcher", BGW_MAXLEN);
	strlcpy(launcher.bgw_type, "ehr audit launcher", BGW_MAXLEN);
	RegisterBackgroundWorker(&launcher);
}
