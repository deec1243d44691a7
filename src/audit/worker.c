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

#include <fcntl.h>
#include <unistd.h>

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
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
#include "as_owner.h"
#include "audit/audit.h"
#include "audit/spool.h"
#include "audit/tree.h"
#include "vault/vault.h"

#define LOOK_EVERY 200			/* ms between two looks of a worker */
#define EXPORT_MOST 1000		/* roots that are written to their file at once */
#define EXPORT_AGAIN 10000		/* ms before that is tried again after it failed */
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

static void
begin_work(const char *activity)
{
	/* while it may wait for a lock, the worker can be ended as any backend can */
	pqsignal(SIGTERM, die);
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	pgstat_report_activity(STATE_RUNNING, activity);
}

static void
end_work(void)
{
	PopActiveSnapshot();
	CommitTransactionCommand();
	pgstat_report_stat(false);
	pgstat_report_activity(STATE_IDLE, NULL);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
}

static AuditImport
import_once(AuditSlot *slot)
{
	AuditImport done;

	begin_work("importing audit entries");
	done = audit_import_batch(slot);
	end_work();
	slot->no_store = done.no_store;
	if (done.no_store)
		return done;
	if (done.total != 0)
		advance_imported(slot, done.total);
	slot->all_seen |= done.all_seen;
	ConditionVariableBroadcast(&slot->moved);
	return done;
}

/* ------------------------------------------------------------------ signed roots */

static void
wants_root(AuditSlot *slot)
{
	if (audit_root_period > 0 && vault_available() && pg_atomic_read_u64(&slot->root_due) == 0)
		pg_atomic_write_u64(&slot->root_due, (uint64) TimestampTzPlusMilliseconds(GetCurrentTimestamp(), audit_root_period * INT64CONST(1000)));
}

static bool
is_due(pg_atomic_uint64 *when)
{
	uint64		due = pg_atomic_read_u64(when);

	return due != 0 && (uint64) GetCurrentTimestamp() >= due;
}

/* appends lines to ehr.audit_root_file; false, with a line in the log, when that cannot be done */
static bool
append_roots(const char *lines)
{
	size_t		length = strlen(lines);
	int			fd = OpenTransientFilePerm(audit_root_file, O_WRONLY | O_CREAT | O_APPEND | PG_BINARY, 0644);
	ssize_t		written = 0;
	bool		done;

	errno = fd < 0 ? errno : 0;
	done = fd >= 0 && (written = write(fd, lines, length)) == (ssize_t) length && pg_fsync(fd) == 0;
	if (!done)
		ereport(LOG,
				(errcode_for_file_access(),
				 errmsg("could not append signed roots of the audit log to \"%s\": %m", audit_root_file),
				 errhint("Roots stay in ehr_store.audit_root and are appended later.")));
	/* half a line must not swallow the next root (nothing is cut off: other databases append here, too) */
	if (written > 0 && written < (ssize_t) length)
		(void) !write(fd, "\n", 1);
	if (fd >= 0)
		CloseTransientFile(fd);
	return done;
}

/*
 * Appends roots to their file, and says when to look again: 0 when none are
 * left.  One is marked as exported after it was written: it may be there
 * twice, none is left out.
 */
static TimestampTz
export_roots(void)
{
	EhrRoleSwitch saved;
	StringInfoData lines;
	int64		last = 0;
	TimestampTz again = 0;

	if (audit_root_file[0] == '\0')
		return 0;
	initStringInfo(&lines);
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	ehr_become_owner(&saved, EHR_AS_SYSTEM);
	if (SPI_execute("SELECT r.number, ehr_internal.audit_root_line(r.number) FROM ehr_store.audit_root r WHERE r.exported IS NULL"
					" ORDER BY r.number LIMIT " CppAsString2(EXPORT_MOST), false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the roots of the audit log");
	if (SPI_processed == EXPORT_MOST)
		again = GetCurrentTimestamp();
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		null;

		last = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &null));
		appendStringInfo(&lines, "%s\n", SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2));
	}
	if (last > 0 && !append_roots(lines.data))
		again = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), EXPORT_AGAIN);
	else if (last > 0)
	{
		Oid			types[1] = {INT8OID};
		Datum		values[1] = {Int64GetDatum(last)};

		if (SPI_execute_with_args("UPDATE ehr_store.audit_root SET exported = pg_catalog.clock_timestamp()"
								  " WHERE exported IS NULL AND number OPERATOR(pg_catalog.<=) $1", 1, types, values, NULL, false, 0) != SPI_OK_UPDATE)
			elog(ERROR, "could not mark roots as exported");
	}
	ehr_become_caller(&saved);
	SPI_finish();
	return again;
}

static void
seal_once(AuditSlot *slot)
{
	pg_atomic_write_u64(&slot->root_due, 0);
	begin_work("signing a root of the audit log");
	if (audit_store_exists() && vault_available())
		(void) audit_seal_log();
	end_work();
}

static void
export_once(AuditSlot *slot)
{
	TimestampTz again = 0;

	/* before it looks: what is signed from here on asks again */
	pg_atomic_write_u64(&slot->export_due, 0);
	begin_work("exporting roots of the audit log");
	if (audit_store_exists())
		again = export_roots();
	end_work();
	if (again != 0)
		pg_atomic_write_u64(&slot->export_due, (uint64) again);
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
	/* whether the last run left something unsigned, or signed and not exported, is not known */
	wants_root(slot);
	pg_atomic_write_u64(&slot->export_due, (uint64) last_work);
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
		{
			last_work = GetCurrentTimestamp();
			wants_root(slot);
		}
		if (is_due(&slot->root_due))
			seal_once(slot);
		if (is_due(&slot->export_due))
			export_once(slot);
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
			if (!still_there(slot) || !(wanted || has_news(slot) || is_due(&slot->root_due) || is_due(&slot->export_due)))
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
