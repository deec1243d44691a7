/*
 * audit.h
 *		The audit trail as the other rooms use it.
 *
 * An entry does not ride in the caller's transaction: it goes to a spool file
 * of this database (audit_spool.c) and from there into ehr_store.audit_event
 * by a background worker (audit_worker.c).  So it survives ROLLBACK, may be
 * written in a READ ONLY transaction and in a parallel worker, and is there
 * after the kill of any process.  Entries hold names and keys, never documents.
 */
#ifndef EHR_AUDIT_H
#define EHR_AUDIT_H

/* Who does what.  Any string may be NULL; role NULL means the session's user. */
typedef struct AuditIntent
{
	const char *kind;			/* read, copy, dump, ... : a short word */
	const char *sub;			/* who: person or practitioner */
	const char *name;			/* the human's name, for the citizen's log */
	const char *org;			/* facility code */
	const char *purpose;
	const char *sid;			/* session id */
	const char *role;			/* database role */
	uint64		query_id;
	const char *relations;		/* the protected relations, comma separated */
} AuditIntent;

/*
 * audit_intent records that a statement is about to read protected relations
 * and returns the entry's number.  On return the entry is durable as
 * ehr.audit_durability asks; if that cannot be had, it raises an error that
 * names the setting to mend (55000, 53400, 53100, 58030, 42501), so that nothing is
 * read unrecorded.  Persons still to be written from before go out first.
 */
extern uint64 audit_intent(const AuditIntent *intent);

/*
 * audit_admit notes that a row of this subject was shown under the intent.
 * Buffered and free of duplicates; cheap enough for every row.  May raise the
 * same errors as audit_intent when the buffer is full.
 */
extern void audit_admit(uint64 intent, int64 subject);

/* audit_flush writes what audit_admit holds; to be called at the end of a statement. */
extern void audit_flush(void);

/*
 * audit_event records something else than a read (login, grant, withdraw,
 * break-glass ...), durable on return as audit_intent is.  The principal comes
 * from audit_principal where that is set.  audit_event_of also names whom it
 * concerns, so that these persons find it in their access log.
 */
extern void audit_event(const char *kind, const char *detail);
extern void audit_event_of(const AuditIntent *who, const char *detail, const int64 *subjects, int n);

/*
 * The session's room sets this: it fills sub, name, org, purpose and sid with
 * strings that live until the end of the statement, or leaves them NULL.
 */
extern void (*audit_principal) (AuditIntent *who);

/*
 * A statement's intent, as its parallel workers need it: the leader sets it
 * (0 at the end of the statement); audit_current gives the own one, or in a
 * parallel worker that of the leader.
 */
extern void audit_set_current(uint64 intent);
extern uint64 audit_current(void);

/* true in the worker that imports entries: its own statements are not reads of a person's record */
extern bool audit_is_writer(void);

/* from _PG_init: settings, shared memory, workers */
extern void audit_init(void);

#endif							/* EHR_AUDIT_H */
