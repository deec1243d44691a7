/*
 * log.c
 *		What the other rooms call: intents, events, and the persons admitted.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "commands/dbcommands.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/proc.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "ehr.h"
#include "audit/audit.h"
#include "audit/spool.h"

void		(*audit_principal) (AuditIntent *who) = NULL;

#ifdef EHR_MEASURE_AUDIT		/* never in what is installed: test/bench/parts/audit measures what entries cost by leaving them out in some sessions */
static bool
left_out(void)
{
	static int	out = -1;

	if (out < 0)
	{
		const char *setting = GetConfigOption("ehr_measure.audit", true, false);

		out = setting != NULL && strcmp(setting, "off") == 0;
	}
	return out != 0;
}
#else
#define left_out() false
#endif

/* a frame being made; static, because it is also needed while a transaction aborts */
static uint8 frame[AUDIT_FRAME_HEADER + AUDIT_MAX_PAYLOAD];
static AuditEntry entry;

/*
 * The persons admitted by the running statement: the set knows who was noted
 * (open addressing, 0 = free), pending holds those that are not written yet.
 */
#define SEEN_START 64
#define SEEN_KEPT 1024			/* a greater one is not kept for the next statement, which would have to empty it */
#define SEEN_MAX (1024 * 1024)	/* then it is emptied: a person may be named twice from there on */

static struct
{
	uint64		intent;
	int64	   *seen;
	uint32		size;			/* a power of two */
	uint32		used;
	int64		last;
	int			pending;
	int64		subject[AUDIT_MAX_SUBJECTS];
	bool		registered;
}			admitted;

/* ------------------------------------------------------------------ writing */

static AuditText
text_of(const char *s)
{
	AuditText	t = {s, 0};

	if (s != NULL)
	{
		size_t		n = strlen(s);

		t.length = n <= AUDIT_MAX_STRING ? n : pg_mbcliplen(s, n, AUDIT_MAX_STRING);
	}
	return t;
}

/*
 * A worker that found no tables does not come back by itself: whoever sees
 * that there are some now says so.
 */
void
audit_notice_store(AuditSlot *slot)
{
	if (slot->no_store && IsTransactionState() && audit_store_exists())
		slot->no_store = false;
}

/* this database's spool, once it is known that entries for it are served */
static AuditSlot *
my_slot(AuditFailure *failure)
{
	static AuditSlot *slot = NULL;

	*failure = (AuditFailure) {AUDIT_FINE};
	if (slot != NULL && slot->database == MyDatabaseId)
	{
		audit_notice_store(slot);
		return slot;
	}
	if (!ehr_preloaded)
		failure->reason = AUDIT_NOT_PRELOADED;
	else if (RecoveryInProgress())
		failure->reason = AUDIT_STANDBY;
	else if (!IsTransactionState())
		failure->reason = AUDIT_NOT_SERVED; /* cannot happen: the first entry is never that of an abort */
	else if (!audit_serves(get_database_name(MyDatabaseId)))
		failure->reason = AUDIT_NOT_SERVED;
	else
		slot = audit_slot(MyDatabaseId, failure);
	return failure->reason == AUDIT_FINE ? slot : NULL;
}

/* writes `entry`; with durable, waits as ehr.audit_durability asks and respects the spool's limit */
static AuditFailure
write_entry(bool durable)
{
	AuditFailure failure;
	AuditSlot  *slot = my_slot(&failure);
	uint32		length;
	uint64		total;

	if (slot == NULL)
		return failure;
	if (durable && pg_atomic_read_u64(&slot->bytes) >= (uint64) audit_spool_limit * 1024 * 1024)
	{
		audit_wake(slot);
		failure.reason = AUDIT_SPOOL_FULL;
		return failure;
	}
	entry.at = GetCurrentTimestamp();
	length = (uint32) audit_entry_size(&entry);
	Assert(length > 0);
	audit_entry_encode(&entry, frame + AUDIT_FRAME_HEADER);
	failure = audit_append(slot, frame, length, &total);
	if (failure.reason == AUDIT_FINE && durable && audit_durability == AUDIT_FLUSHED)
		failure = audit_sync(slot, total);
	return failure;
}

static void
start_entry(uint64 intent)
{
	memset(&entry, 0, offsetof(AuditEntry, subjects));
	entry.intent = intent;
}

/* the number of a new entry that others may refer to */
static uint64
record(const AuditIntent *who, const char *detail, const int64 *subjects, int n)
{
	AuditFailure failure;
	uint64		number;

	if (left_out())
		return 1;
	audit_flush();
	if (my_slot(&failure) == NULL)
		audit_fail(&failure);
	number = pg_atomic_fetch_add_u64(&audit_shared->next, 1);
	do
	{
		int			now = Min(n, AUDIT_MAX_SUBJECTS);

		start_entry(number);
		entry.query_id = who->query_id;
		entry.text[AUDIT_KIND] = text_of(who->kind);
		entry.text[AUDIT_SUB] = text_of(who->sub);
		entry.text[AUDIT_ORG] = text_of(who->org);
		entry.text[AUDIT_PURPOSE] = text_of(who->purpose);
		entry.text[AUDIT_SID] = text_of(who->sid);
		entry.text[AUDIT_ROLE] = text_of(who->role ? who->role : GetUserNameFromId(GetSessionUserId(), true));
		entry.text[AUDIT_RELATIONS] = text_of(who->relations);
		entry.text[AUDIT_DETAIL] = text_of(detail);
		entry.text[AUDIT_NAME] = text_of(who->name);
		if (now > 0)
			memcpy(entry.subjects, subjects, now * sizeof(int64));
		entry.n_subjects = now;
		failure = write_entry(true);
		if (failure.reason != AUDIT_FINE)
			audit_fail(&failure);
		subjects += now;
		n -= now;
	} while (n > 0);
	return number;
}

uint64
audit_intent(const AuditIntent *intent)
{
	return record(intent, NULL, NULL, 0);
}

void
audit_event_of(const AuditIntent *who, const char *detail, const int64 *subjects, int n)
{
	(void) record(who, detail, subjects, n);
}

void
audit_event(const char *kind, const char *detail)
{
	AuditIntent who = {kind};

	if (audit_principal != NULL)
		audit_principal(&who);
	audit_event_of(&who, detail, NULL, 0);
}

/* ------------------------------------------------------------------ persons admitted */

/* writes what is pending; on failure it stays pending, and the next intent tries again before anything is read */
static AuditFailure
write_pending(void)
{
	AuditFailure failure = {AUDIT_FINE};

	if (admitted.pending == 0)
		return failure;
	start_entry(admitted.intent);
	entry.text[AUDIT_KIND] = text_of("admit");
	entry.n_subjects = admitted.pending;
	memcpy(entry.subjects, admitted.subject, admitted.pending * sizeof(int64));
	failure = write_entry(false);
	if (failure.reason == AUDIT_FINE)
		admitted.pending = 0;
	return failure;
}

static void
forget_seen(void)
{
	if (admitted.size > SEEN_KEPT)
	{
		pfree(admitted.seen);
		admitted.seen = NULL;
		admitted.size = 0;
	}
	else if (admitted.used > 0)
		memset(admitted.seen, 0, admitted.size * sizeof(int64));
	admitted.used = 0;
	admitted.last = 0;
}

void
audit_flush(void)
{
	AuditFailure failure = write_pending();

	if (failure.reason != AUDIT_FINE)
		audit_fail(&failure);
	forget_seen();
}

/* as audit_flush, where no error may be raised any more */
static void
flush_quietly(void)
{
	AuditFailure failure = write_pending();

	if (failure.reason == AUDIT_FINE)
		forget_seen();
	else
		ereport(WARNING,
				(errmsg("the persons whose records were read are not yet in the audit log"),
				 errhint("This session reads nothing more until ehr.audit_directory can be written.")));
}

static void
at_transaction_event(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
		case XACT_EVENT_PARALLEL_PRE_COMMIT:
			audit_flush();
			break;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PARALLEL_ABORT:
			flush_quietly();
			break;
		default:
			break;
	}
}

static void
at_exit(int code, Datum arg)
{
	if (admitted.pending > 0)
		flush_quietly();
}

/* slot of the set where the subject is, or where it would go */
static int64 *
place_of(int64 subject)
{
	uint64		h = (uint64) subject * UINT64CONST(0x9E3779B97F4A7C15);
	uint32		i = (uint32) (h >> 32) & (admitted.size - 1);

	while (admitted.seen[i] != 0 && admitted.seen[i] != subject)
		i = (i + 1) & (admitted.size - 1);
	return &admitted.seen[i];
}

static void
grow_seen(void)
{
	int64	   *old = admitted.seen;
	uint32		size = admitted.size;

	if (size >= SEEN_MAX)
	{
		forget_seen();
		old = NULL;
		size = 0;
	}
	admitted.seen = MemoryContextAllocZero(TopMemoryContext, (size ? size * 2 : SEEN_START) * sizeof(int64));
	admitted.size = size ? size * 2 : SEEN_START;
	for (uint32 i = 0; i < size; i++)
	{
		if (old[i] != 0)
			*place_of(old[i]) = old[i];
	}
	if (old != NULL)
		pfree(old);
}

void
audit_admit(uint64 intent, int64 subject)
{
	int64	   *place;

	if (left_out())
		return;
	if (subject == admitted.last && intent == admitted.intent && subject != 0)
		return;
	if (!admitted.registered)
	{
		RegisterXactCallback(at_transaction_event, NULL);
		before_shmem_exit(at_exit, (Datum) 0);
		admitted.registered = true;
	}
	if (intent != admitted.intent)
	{
		audit_flush();
		admitted.intent = intent;
	}
	if (admitted.used >= admitted.size / 2)
		grow_seen();
	place = place_of(subject);
	admitted.last = subject;
	if (*place == subject || subject == 0)
		return;
	if (admitted.pending == AUDIT_MAX_SUBJECTS)
	{
		AuditFailure failure = write_pending();

		if (failure.reason != AUDIT_FINE)
			audit_fail(&failure);
	}
	*place = subject;
	admitted.used++;
	admitted.subject[admitted.pending++] = subject;
}

/* ------------------------------------------------------------------ parallel workers */

static pg_atomic_uint64 *
current_of(PGPROC *proc)
{
	int			i = (int) (proc - ProcGlobal->allProcs);

	return audit_shared != NULL && i >= 0 && i < audit_shared->n_current ? &audit_shared->current[i] : NULL;
}

void
audit_set_current(uint64 intent)
{
	pg_atomic_uint64 *current = current_of(MyProc);

	if (current != NULL && !IsParallelWorker())
		pg_atomic_write_u64(current, intent);
}

uint64
audit_current(void)
{
	PGPROC	   *proc = IsParallelWorker() && MyProc->lockGroupLeader ? MyProc->lockGroupLeader : MyProc;
	pg_atomic_uint64 *current = current_of(proc);

	return current != NULL ? pg_atomic_read_u64(current) : 0;
}
