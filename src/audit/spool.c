/*
 * spool.c
 *		The audit spool: appending to it and syncing it.
 *
 * Nothing here raises an error once a slot is at hand (audit_fail does it for
 * the callers), because what is left in a backend's buffer is also written
 * while its transaction aborts and when the backend exits.
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/xlog.h"
#include "common/file_perm.h"
#include "common/file_utils.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "utils/guc.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#include "compat.h"
#include "audit/spool.h"

#define ROOM_MADE (1024 * 1024)	/* zeros written ahead, so that a sync seldom has to record a new file size */

AuditShared *audit_shared = NULL;

int			audit_durability = AUDIT_FLUSHED;
char	   *audit_databases;
char	   *audit_directory;
int			audit_spool_limit;
int			audit_segment_size;
int			audit_root_period;
char	   *audit_root_file;

/* this backend's descriptor of a segment */
static int	my_fd = -1;
static uint64 my_segment = 0;

static const AuditFailure fine = {AUDIT_FINE};

static AuditFailure
io_failure(const char *doing)
{
	AuditFailure f = {AUDIT_IO, errno ? errno : ENOSPC, doing};

	return f;
}

static void
advance(pg_atomic_uint64 *place, uint64 value)
{
	uint64		old = pg_atomic_read_u64(place);

	while (old < value && !pg_atomic_compare_exchange_u64(place, &old, value))
		 /* old was refreshed */ ;
}

void
audit_path(char *path, Oid database, uint64 segment)
{
	if (segment == 0)
		snprintf(path, MAXPGPATH, "%s/%u", audit_directory, database);
	else
		snprintf(path, MAXPGPATH, "%s/%u/%016llx.spool", audit_directory, database, (unsigned long long) segment);
}

/* ------------------------------------------------------------------ shared memory */

static Size
shared_size(void)
{
	return add_size(offsetof(AuditShared, current), mul_size(MaxBackends, sizeof(pg_atomic_uint64)));
}

void
audit_spool_shmem_request(void)
{
	RequestAddinShmemSpace(shared_size());
	RequestNamedLWLockTranche("ehr_audit", 1 + 2 * AUDIT_MAX_DATABASES);
}

void
audit_spool_shmem_startup(void)
{
	bool		found;

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	audit_shared = ShmemInitStruct("ehr audit", shared_size(), &found);
	if (!found)
	{
		LWLockPadded *locks = GetNamedLWLockTranche("ehr_audit");

		memset(audit_shared, 0, shared_size());
		audit_shared->control = &locks[0].lock;
		pg_atomic_init_u64(&audit_shared->next, (uint64) GetCurrentTimestamp());
		for (int i = 0; i < AUDIT_MAX_DATABASES; i++)
		{
			AuditSlot  *slot = &audit_shared->slots[i];

			slot->append = &locks[1 + 2 * i].lock;
			slot->sync = &locks[2 + 2 * i].lock;
			pg_atomic_init_u64(&slot->written, 0);
			pg_atomic_init_u64(&slot->flushed, 0);
			pg_atomic_init_u64(&slot->lost, 0);
			pg_atomic_init_u64(&slot->imported, 0);
			pg_atomic_init_u64(&slot->bytes, 0);
			pg_atomic_init_u32(&slot->worker, AUDIT_WORKER_NONE);
			pg_atomic_init_u64(&slot->root_due, 0);
			pg_atomic_init_u64(&slot->export_due, 0);
			ConditionVariableInit(&slot->moved);
		}
		audit_shared->n_current = MaxBackends;
		for (int i = 0; i < MaxBackends; i++)
			pg_atomic_init_u64(&audit_shared->current[i], 0);
		if (MakePGDirectory(audit_directory) < 0 && errno != EEXIST)
			ereport(LOG,
					(errcode_for_file_access(),
					 errmsg("could not create directory \"%s\": %m", audit_directory),
					 errhint("Reads of health records are refused until ehr.audit_directory names a folder that can be written.")));
	}
	LWLockRelease(AddinShmemInitLock);
}

/*
 * number_after: numbers given from now on are greater than those of a segment
 * n and of its entries.  They start at the time of day, so this matters only
 * when the clock was set back.
 */
static void
number_after(uint64 n)
{
	if (n >= pg_atomic_read_u64(&audit_shared->next))
		advance(&audit_shared->next, n + (UINT64CONST(1) << 24));
}

/*
 * survey reads a spool's folder: the greatest segment number, and bytes.
 * A folder that is not there yet is an empty spool.
 */
static uint64
survey(Oid database, uint64 *bytes)
{
	char		path[MAXPGPATH];
	DIR		   *dir;
	struct dirent *de;
	uint64		last = 0;

	*bytes = 0;
	audit_path(path, database, 0);
	dir = AllocateDir(path);
	if (dir == NULL)
		return 0;
	while ((de = ReadDirExtended(dir, path, LOG)) != NULL)
	{
		unsigned long long number;
		char		tail[8];
		char		file[MAXPGPATH];
		struct stat st;

		if (sscanf(de->d_name, "%16llx%7s", &number, tail) != 2 || strcmp(tail, ".spool") != 0)
			continue;
		last = Max(last, number);
		audit_path(file, database, number);
		if (stat(file, &st) == 0)
			*bytes += st.st_size;
	}
	FreeDir(dir);
	return last;
}

static AuditSlot *
find_slot(Oid database)
{
	for (int i = 0; i < AUDIT_MAX_DATABASES; i++)
	{
		if (audit_shared->slots[i].database == database)
			return &audit_shared->slots[i];
	}
	return NULL;
}

AuditSlot *
audit_slot(Oid database, AuditFailure *failure)
{
	AuditSlot  *slot;

	*failure = fine;
	if (audit_shared == NULL)
	{
		failure->reason = AUDIT_NOT_PRELOADED;
		return NULL;
	}
	slot = find_slot(database);
	if (slot != NULL)
		return slot;

	LWLockAcquire(audit_shared->control, LW_EXCLUSIVE);
	slot = find_slot(database);
	if (slot == NULL && (slot = find_slot(InvalidOid)) != NULL)
	{
		uint64		bytes;

		number_after(survey(database, &bytes));
		slot->segment = slot->first = 0;
		slot->broken = false;
		slot->all_seen = false;
		slot->no_store = false;
		pg_atomic_write_u64(&slot->bytes, bytes);
		/* what a dropped database left in the slot concerns nobody */
		pg_atomic_write_u64(&slot->flushed, pg_atomic_read_u64(&slot->written));
		pg_atomic_write_u64(&slot->imported, pg_atomic_read_u64(&slot->written));
		pg_atomic_write_u32(&slot->worker, AUDIT_WORKER_NONE);
		pg_atomic_write_u64(&slot->root_due, 0);
		pg_atomic_write_u64(&slot->export_due, 0);
		pg_write_barrier();
		slot->database = database;
	}
	LWLockRelease(audit_shared->control);
	if (slot == NULL)
		failure->reason = AUDIT_TOO_MANY_DATABASES;
	return slot;
}

bool
audit_serves(const char *database)
{
	char	   *list;
	List	   *names = NIL;
	ListCell   *lc;
	bool		found = false;

	if (strcmp(audit_databases, "*") == 0)
		return true;
	list = pstrdup(audit_databases);
	if (SplitGUCList(list, ',', &names))
	{
		foreach(lc, names)
			found |= strcmp(lfirst(lc), database) == 0;
	}
	list_free(names);
	pfree(list);
	return found;
}

/* ------------------------------------------------------------------ segments */

static void
close_mine(void)
{
	if (my_fd >= 0)
	{
		close(my_fd);
		ReleaseExternalFD();
	}
	my_fd = -1;
	my_segment = 0;
}

static bool
open_file(const char *path, int flags, uint64 segment)
{
	close_mine();
	my_fd = BasicOpenFile(path, O_RDWR | PG_BINARY | flags);
	if (my_fd < 0)
		return false;
	ReserveExternalFD();
	my_segment = segment;
	return true;
}

static bool
open_current(AuditSlot *slot)
{
	char		path[MAXPGPATH];

	if (my_fd >= 0 && my_segment == slot->segment)
		return true;
	audit_path(path, slot->database, slot->segment);
	return open_file(path, 0, slot->segment);
}

static bool
write_all(const void *data, size_t size, uint64 offset)
{
	const char *p = data;

	while (size > 0)
	{
		ssize_t		n;

		errno = 0;
		n = pg_pwrite(my_fd, p, size, (off_t) offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		offset += (uint64) n;
		size -= (size_t) n;
	}
	return true;
}

static bool
make_room(AuditSlot *slot, uint64 upto)
{
	static const char zeros[65536];

	if (upto <= slot->allocated)
		return true;
	for (int i = 0; i < ROOM_MADE / (int) sizeof(zeros); i++)
	{
		if (!write_all(zeros, sizeof(zeros), slot->allocated + (uint64) i * sizeof(zeros)))
			return false;
	}
	slot->allocated += ROOM_MADE;
	return true;
}

/* the current segment gets no more frames: everything in it is made durable */
static void
finish_segment(AuditSlot *slot)
{
	uint64		total = pg_atomic_read_u64(&slot->written);

	if (slot->segment == 0)
		return;
	if (slot->broken || !open_current(slot) || ftruncate(my_fd, (off_t) slot->offset) != 0 || pg_fdatasync(my_fd) != 0)
		advance(&slot->lost, total);
	advance(&slot->flushed, total);
}

/*
 * start_segment makes the next file.  The slot changes last: whatever fails
 * before leaves the spool as it was, to be tried again.
 */
static AuditFailure
start_segment(AuditSlot *slot)
{
	char		path[MAXPGPATH];
	AuditSegment header;
	uint8		bytes[AUDIT_SEGMENT_HEADER];
	uint64		ignored;

	/* somebody else's folder may have been put in place of ours: look again */
	header.previous = slot->segment != 0 ? slot->segment : survey(slot->database, &ignored);
	header.number = pg_atomic_fetch_add_u64(&audit_shared->next, 1);
	header.system = GetSystemIdentifier();
	header.database = slot->database;

	audit_path(path, slot->database, 0);
	if (MakePGDirectory(audit_directory) == 0)
		(void) fsync_fname_ext(".", true, true, LOG);
	if (MakePGDirectory(path) == 0)
		(void) fsync_fname_ext(audit_directory, true, true, LOG);
	else if (errno != EEXIST)
		return io_failure("create the folder of");
	finish_segment(slot);

	audit_path(path, slot->database, header.number);
	if (!open_file(path, O_CREAT | O_EXCL, header.number))
		return io_failure("create");
	audit_segment_header(&header, bytes);
	if (!write_all(bytes, sizeof(bytes), 0) || pg_fsync(my_fd) != 0)
	{
		AuditFailure f = io_failure("write");

		close_mine();
		unlink(path);
		return f;
	}
	audit_path(path, slot->database, 0);
	(void) fsync_fname_ext(path, true, true, LOG);

	if (slot->first == 0)
		slot->first = header.number;
	slot->segment = header.number;
	slot->offset = slot->allocated = sizeof(bytes);
	slot->base = pg_atomic_read_u64(&slot->written) - sizeof(bytes);
	slot->broken = false;
	pg_atomic_fetch_add_u64(&slot->bytes, sizeof(bytes));
	return fine;
}

AuditFailure
audit_append(AuditSlot *slot, uint8 *frame, uint32 length, uint64 *total)
{
	uint32		size = AUDIT_FRAME_HEADER + length;
	AuditFailure failure = fine;

	LWLockAcquire(slot->append, LW_EXCLUSIVE);
	if (slot->segment == 0 || slot->broken || slot->offset + size > (uint64) audit_segment_size * 1024)
		failure = start_segment(slot);
	if (failure.reason == AUDIT_FINE && !open_current(slot))
	{
		/* the file was taken away: go on in a new one, which names the missing one as its previous */
		slot->broken = true;
		failure = start_segment(slot);
	}
	if (failure.reason == AUDIT_FINE)
	{
		audit_frame_seal(frame, length, slot->segment, slot->offset);
		if (!make_room(slot, slot->offset + size) || !write_all(frame, size, slot->offset))
			failure = io_failure("write");
	}
	if (failure.reason == AUDIT_FINE)
	{
		slot->offset += size;
		pg_atomic_fetch_add_u64(&slot->bytes, size);
		*total = pg_atomic_add_fetch_u64(&slot->written, size);
	}
	LWLockRelease(slot->append);

	if (failure.reason == AUDIT_FINE && !slot->no_store && pg_atomic_read_u32(&slot->worker) == AUDIT_WORKER_NONE)
		audit_wake(slot);
	return failure;
}

/*
 * sync_now makes everything appended so far durable, for all.  After a failed
 * sync the kernel may have dropped the data and would call the next one a
 * success, so what it covered counts as lost and the file gets no more frames.
 */
static AuditFailure
sync_now(AuditSlot *slot)
{
	uint64		target;
	bool		opened;
	AuditFailure failure = fine;

	LWLockAcquire(slot->append, LW_SHARED);
	target = pg_atomic_read_u64(&slot->written);
	opened = open_current(slot);
	LWLockRelease(slot->append);

	if (!opened || pg_fdatasync(my_fd) != 0)
	{
		failure = io_failure(opened ? "sync" : "open");
		advance(&slot->lost, target);
		LWLockAcquire(slot->append, LW_EXCLUSIVE);
		slot->broken |= !opened || my_segment == slot->segment;
		LWLockRelease(slot->append);
	}
	advance(&slot->flushed, target);
	return failure;
}

AuditFailure
audit_sync(AuditSlot *slot, uint64 total)
{
	AuditFailure failure = fine;

	while (pg_atomic_read_u64(&slot->flushed) < total && failure.reason == AUDIT_FINE)
	{
		/* either this backend syncs for all who wait, or one that does has just finished */
		if (!LWLockAcquireOrWait(slot->sync, LW_EXCLUSIVE))
			continue;
		if (pg_atomic_read_u64(&slot->flushed) < total)
			failure = sync_now(slot);
		LWLockRelease(slot->sync);
	}
	if (failure.reason == AUDIT_FINE && pg_atomic_read_u64(&slot->lost) >= total)
	{
		errno = EIO;
		failure = io_failure("sync");
	}
	return failure;
}

void
audit_wake(AuditSlot *slot)
{
	uint32		state = AUDIT_WORKER_NONE;

	if (pg_atomic_compare_exchange_u32(&slot->worker, &state, AUDIT_WORKER_WANTED) || state == AUDIT_WORKER_WANTED)
	{
		if (audit_shared->launcher_latch != NULL)
			SetLatch(audit_shared->launcher_latch);
	}
	else if (slot->worker_latch != NULL)
		SetLatch(slot->worker_latch);
}

static int
compare_numbers(const void *a, const void *b)
{
	uint64		x = *(const uint64 *) a;
	uint64		y = *(const uint64 *) b;

	return (x > y) - (x < y);
}

void
audit_segments(AuditSlot *slot, AuditSegments *segments)
{
	char		path[MAXPGPATH];
	DIR		   *dir;
	struct dirent *de;
	int			room = 16;

	segments->number = palloc(room * sizeof(uint64));
	segments->n = 0;
	audit_path(path, slot->database, 0);

	/* under the lock, so that no file is seen that is being made */
	LWLockAcquire(slot->append, LW_SHARED);
	segments->first = slot->first;
	segments->current = slot->segment;
	segments->offset = slot->offset;
	segments->base = slot->base;
	dir = AllocateDir(path);
	while (dir != NULL && (de = ReadDirExtended(dir, path, LOG)) != NULL)
	{
		unsigned long long number;
		char		tail[8];

		if (sscanf(de->d_name, "%16llx%7s", &number, tail) != 2 || strcmp(tail, ".spool") != 0)
			continue;
		if (segments->n == room)
			segments->number = repalloc(segments->number, (room *= 2) * sizeof(uint64));
		segments->number[segments->n++] = number;
	}
	LWLockRelease(slot->append);
	if (dir != NULL)
		FreeDir(dir);
	qsort(segments->number, segments->n, sizeof(uint64), compare_numbers);
}

void
audit_remove_before(AuditSlot *slot, uint64 segment)
{
	AuditSegments all;

	audit_segments(slot, &all);
	/* the last file always stays: it keeps the numbers growing */
	for (int i = 0; i < all.n - 1 && all.number[i] < segment; i++)
	{
		char		path[MAXPGPATH];
		struct stat st;

		if (all.number[i] == all.current)
			break;
		audit_path(path, slot->database, all.number[i]);
		if (stat(path, &st) == 0 && unlink(path) == 0)
			pg_atomic_fetch_sub_u64(&slot->bytes, Min((uint64) st.st_size, pg_atomic_read_u64(&slot->bytes)));
	}
	pfree(all.number);
}

/* ------------------------------------------------------------------ settings and errors */

void
audit_fail(const AuditFailure *failure)
{
	switch (failure->reason)
	{
		case AUDIT_NOT_PRELOADED:
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("the access cannot be recorded: ehr is not preloaded"),
					 errhint("Add ehr to shared_preload_libraries and restart the server.")));
			break;
		case AUDIT_STANDBY:
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("the access cannot be recorded: this server is a standby"),
					 errhint("Read health records on the primary server.")));
			break;
		case AUDIT_NOT_SERVED:
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("the access cannot be recorded: no audit writer serves this database"),
					 errhint("Add the database to ehr.database, or set it to '*', and restart the server.")));
			break;
		case AUDIT_TOO_MANY_DATABASES:
			ereport(ERROR,
					(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
					 errmsg("the access cannot be recorded: more than %d databases are audited", AUDIT_MAX_DATABASES),
					 errhint("Name fewer databases in ehr.database and restart the server.")));
			break;
		case AUDIT_SPOOL_FULL:
			ereport(ERROR,
					(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
					 errmsg("the access cannot be recorded: the audit spool has reached ehr.audit_spool_limit"),
					 errdetail("Entries are not imported as fast as they come, or not at all."),
					 errhint("SELECT * FROM ehr.self_check() tells why, and the server log; or raise ehr.audit_spool_limit.")));
			break;
		default:
			errno = failure->error;
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("the access cannot be recorded: could not %s the audit spool: %m", failure->doing),
					 errhint("Reads are refused until the folder of ehr.audit_directory, \"%s\", can be written.", audit_directory)));
	}
	pg_unreachable();
}

void
audit_spool_init(void)
{
	static const struct config_enum_entry durabilities[] = {
		{"flushed", AUDIT_FLUSHED, false},
		{"written", AUDIT_WRITTEN, false},
		{NULL, 0, false}
	};

	DefineCustomEnumVariable("ehr.audit_durability",
							 "What an audit entry has to survive before the read that it records goes on.",
							 "flushed: the loss of power; written: the kill of every process, not that of the machine.",
							 &audit_durability, AUDIT_FLUSHED, durabilities, PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("ehr.database",
							   "Databases whose health records are served and audited.",
							   "A comma-separated list, or * for all. Reads of health records in any other database are refused.",
							   &audit_databases, "*", PGC_POSTMASTER, GUC_LIST_INPUT, NULL, NULL, NULL);
	DefineCustomStringVariable("ehr.audit_directory",
							   "Folder of the audit spool, absolute or inside the data directory.",
							   NULL,
							   &audit_directory, "ehr_audit", PGC_POSTMASTER, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
	DefineCustomIntVariable("ehr.audit_spool_limit",
							"Size of a database's audit spool above which reads are refused.",
							NULL,
							&audit_spool_limit, 1024, 16, 1024 * 1024, PGC_SIGHUP, GUC_UNIT_MB, NULL, NULL, NULL);
	DefineCustomIntVariable("ehr.audit_segment_size",
							"Size at which a new file of the audit spool is begun.",
							NULL,
							&audit_segment_size, 8192, 64, 64 * 1024, PGC_SIGHUP, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("ehr.audit_root_period",
							"Time after which what was added to the audit log is covered by a signed root.",
							"0 makes none but those that ehr.audit_root() asks for.",
							&audit_root_period, 300, 0, 86400, PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomStringVariable("ehr.audit_root_file",
							   "File to which each signed root of the audit log is appended, as a line.",
							   "It should lie on storage that the server's administrators cannot rewrite.",
							   &audit_root_file, "", PGC_SIGHUP, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
}
