/*
 * changes.h
 *		Whom a change of consent concerns, told from session to session: a log
 *		in shared memory.
 */
#ifndef EHR_CHANGES_H
#define EHR_CHANGES_H

/*
 * One change, as its transaction saw it: decisions of this person for this
 * grantee, or (grantee 0) the person's patients or merges; person 0: the
 * rules, so everybody.
 */
typedef struct Change
{
	Oid			database;
	uint32		grantee;		/* change_name() of it */
	int64		person;
} Change;

extern Size changes_shmem_size(void);
extern void changes_shmem_init(void);
extern void changes_init(void);

/* Where the log ends now; moves when a transaction that changed something has committed. */
extern uint64 changes_end(void);

/*
 * Calls concern(change, arg) for each change of this database since the
 * position `from`, and returns the new one.  *all is set when what there was
 * is no longer known, or was about everybody.
 */
extern uint64 changes_since(uint64 from, void (*concern) (const Change *change, void *arg), void *arg, bool *all);

/* The same for what this transaction has changed so far; false: nothing. */
extern bool changes_here(void (*concern) (const Change *change, void *arg), void *arg, bool *all);

/* Counts how often this transaction changed something. */
extern uint64 changes_here_count(void);

/* a name of a grantee as the log has it; never 0 */
extern uint32 change_name(const char *grantee, Size len);

#endif							/* EHR_CHANGES_H */
