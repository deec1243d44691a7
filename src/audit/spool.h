/*
 * spool.h
 *		Inside the audit room: the spool's shared state, and who moves what.
 *
 *	  backends --append--> DIR/DATABASE/SEGMENT.spool --import--> ehr_store.audit_event
 *			  (spool.c, log.c)                  (import.c, run by worker.c)
 *
 * Each database has a spool of its own, a folder named by its OID, because a
 * worker can only write to one database and must be free to remove what it has
 * imported.  A new segment begins when the current one is full and after every
 * start of the server, so that nothing is ever appended behind a torn frame.
 */
#ifndef EHR_AUDIT_SPOOL_H
#define EHR_AUDIT_SPOOL_H

#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/latch.h"
#include "storage/lwlock.h"

#include "core/audit_spool.h"

#define AUDIT_MAX_DATABASES 64

/* what the worker of a spool is doing */
enum AuditWorkerState
{
	AUDIT_WORKER_NONE,			/* the next append asks the launcher for one */
	AUDIT_WORKER_WANTED,		/* the launcher has been asked */
	AUDIT_WORKER_RUNNING
};

/*
 * One database's spool.  `total` positions count the bytes appended since the
 * server started, over all segments; they only ever grow.
 */
typedef struct AuditSlot
{
	Oid			database;		/* InvalidOid: free */
	LWLock	   *append;			/* guards the next block; held for one write() */
	LWLock	   *sync;			/* held by the one backend that syncs for all */

	uint64		segment;		/* number of the current segment; 0: none since the start */
	uint64		first;			/* number of the first one since the start */
	uint64		offset;			/* where the next frame goes */
	uint64		allocated;		/* the file is filled with zeros up to here */
	uint64		base;			/* total at the segment's first byte */
	bool		broken;			/* begin a new segment with the next frame */

	pg_atomic_uint64 written;	/* total appended */
	pg_atomic_uint64 flushed;	/* total on disk */
	pg_atomic_uint64 lost;		/* a failed sync covers everything up to this total */
	pg_atomic_uint64 imported;	/* total imported and committed */
	pg_atomic_uint64 bytes;		/* in files, imported or not */

	pg_atomic_uint32 worker;	/* AuditWorkerState */
	pid_t		worker_pid;
	Latch	   *worker_latch;
	bool		all_seen;		/* segments of earlier runs are imported */
	bool		no_store;		/* the worker found no tables to import into */
	pg_atomic_uint64 root_due;	/* when the next root is to be signed; 0: nothing new to be signed */
	pg_atomic_uint64 export_due;	/* when roots are to be written to ehr.audit_root_file; 0: there are no new ones */
	ConditionVariable moved;	/* broadcast when imported advances */
} AuditSlot;

typedef struct AuditShared
{
	LWLock	   *control;		/* guards the making of slots */
	pid_t		launcher_pid;
	Latch	   *launcher_latch;
	pg_atomic_uint64 next;		/* numbers of intents and segments: microseconds at the start, then counted */
	AuditSlot	slots[AUDIT_MAX_DATABASES];
	int			n_current;
	pg_atomic_uint64 current[FLEXIBLE_ARRAY_MEMBER];	/* intent of each backend's statement */
} AuditShared;

/* NULL when the library was not preloaded */
extern AuditShared *audit_shared;

/* settings */
enum AuditDurability
{
	AUDIT_WRITTEN, AUDIT_FLUSHED
};
extern int	audit_durability;
extern char *audit_databases;
extern char *audit_directory;
extern int	audit_spool_limit;	/* MB */
extern int	audit_segment_size; /* kB */
extern int	audit_root_period;	/* s; 0: none are made */
extern char *audit_root_file;	/* empty: none */

/* Why something could not be recorded; nothing in spool.c raises errors, so that it can run while a transaction aborts. */
typedef struct AuditFailure
{
	enum
	{
		AUDIT_FINE, AUDIT_NOT_PRELOADED, AUDIT_STANDBY, AUDIT_NOT_SERVED, AUDIT_TOO_MANY_DATABASES, AUDIT_SPOOL_FULL, AUDIT_IO
	}			reason;
	int			error;			/* errno of AUDIT_IO */
	const char *doing;			/* "write", "sync", ... of AUDIT_IO */
} AuditFailure;

extern void audit_spool_shmem_request(void);
extern void audit_spool_shmem_startup(void);
extern void audit_spool_init(void);

/* true when ehr.database names this database ('*' names all) */
extern bool audit_serves(const char *database);

/* the spool of a database, made on first use; NULL and a reason when there cannot be one */
extern AuditSlot *audit_slot(Oid database, AuditFailure *failure);

/*
 * audit_append writes a frame (header space, then the payload of `length`
 * bytes) and gives the total after it.  audit_sync returns when everything
 * up to a total is on disk; concurrent callers share one sync.
 */
extern AuditFailure audit_append(AuditSlot *slot, uint8 *frame, uint32 length, uint64 *total);
extern AuditFailure audit_sync(AuditSlot *slot, uint64 total);

/* raises a cannot-record error for a failure */
pg_noreturn extern void audit_fail(const AuditFailure *failure);

/* asks for the worker of this spool */
extern void audit_wake(AuditSlot *slot);

/* DIR/DATABASE/SEGMENT.spool; segment 0: the folder */
extern void audit_path(char *path, Oid database, uint64 segment);

/* The segments of a spool in order, and at the same moment how far the current one is filled. */
typedef struct AuditSegments
{
	uint64	   *number;			/* palloc'd, ascending */
	int			n;
	uint64		first;			/* since the start of the server; 0: none */
	uint64		current;		/* 0: none */
	uint64		offset;
	uint64		base;
} AuditSegments;

extern void audit_segments(AuditSlot *slot, AuditSegments *segments);

/* import.c: one transaction's worth, in the caller's transaction and as the store's owner */
typedef struct AuditImport
{
	int			entries;
	bool		no_store;		/* there are no tables to import into */
	bool		all_seen;		/* nothing more was there */
	uint64		segment;		/* position reached: the caller may remove earlier segments once this is durable */
	uint64		total;			/* the same, when it lies in the current segment; else 0 */
} AuditImport;

/* are there tables to import into? needs a transaction */
extern bool audit_store_exists(void);
extern void audit_notice_store(AuditSlot *slot);
extern AuditImport audit_import_batch(AuditSlot *slot);
extern void audit_remove_before(AuditSlot *slot, uint64 segment);

/* worker.c */
extern void audit_worker_init(void);

#endif							/* EHR_AUDIT_SPOOL_H */
