/*
 * access.h
 *		What the attached session may read, compiled, as the executor hook and
 *		the row security functions share it.
 */
#ifndef EHR_ACCESS_H
#define EHR_ACCESS_H

#include "consent/session.h"

/*
 * access_refresh makes the compiled rights those of the attached session and
 * of the latest committed consent, and returns the session's principal, or
 * NULL.  Cheap when nothing moved.  In parallel mode nothing can be loaded:
 * what the statement began with stays, and a first load raises 0A000; a
 * parallel worker takes what its leader published (of the principal only sid).
 */
extern const Principal *access_refresh(void);

/* The next decision looks whether session or consent moved. */
extern void access_recheck(void);

/*
 * Counts, in this backend, how often a refresh found that something may no
 * longer be read that could be read before, or that the session is another.
 */
extern uint64 access_losses(void);

/* The transaction that changed consent has ended: what was loaded in it is no longer certain. */
extern void access_forget_own_changes(bool committed);

/* The intent under which rows are shown now; 0 for none. */
extern uint64 access_intent;

/* The intent of this statement, in a parallel worker that of its leader; 0 for none yet. */
extern uint64 access_current_intent(void);

/* Is this relation one of the store under row security? */
extern bool executor_protects(Oid relid);

#endif							/* EHR_ACCESS_H */
