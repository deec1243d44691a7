/*
 * session.h
 *		Who is asking: verified sessions in shared memory, attached to a
 *		transaction or connection through a sealed setting.
 */
#ifndef EHR_SESSION_H
#define EHR_SESSION_H

#include "port/atomics.h"
#include "storage/lwlock.h"
#include "utils/timestamp.h"

/* Who a session acts for, as its token said. Empty texts: the token named none. */
typedef struct Principal
{
	char		kind[17];		/* citizen, clinician, facility, ... */
	char		sub[65];		/* person (uuid) of a citizen, else the practitioner's id */
	char		org[33];		/* facility code */
	char		purpose[33];	/* purpose of use */
	char		name[129];		/* the human's name, for the citizen's log */
	char		sid[17];		/* name of the session in logs; no secret */
	TimestampTz expires;
} Principal;

typedef struct ConsentShared
{
	LWLock	   *lock;			/* over both hash tables */
	unsigned char secret[32];	/* of this postmaster's life; seals handles and the setting */
	pg_atomic_uint64 ended;		/* counts sessions that ended before their time */
	LWLock	   *changes_lock;	/* over the log of changes */
	LWLock	   *rights_lock;	/* over the rights that connections share */
	int			n_published;
	pg_atomic_uint32 published[FLEXIBLE_ARRAY_MEMBER];	/* dsm_handle of each backend's rights, for its parallel workers */
} ConsentShared;

extern ConsentShared *consent_shared;

/* from _PG_init, when preloaded */
extern void session_init(void);
extern void executor_init(void);
extern void support_init(void);

/* Raises 55000, naming shared_preload_libraries, when the library was not preloaded. */
extern void session_require_preload(void);

/*
 * The attached session's principal, or NULL when there is none, it was ended
 * or its token has expired by the clock.  The pointer is good until the next
 * call.  Safe in parallel workers.
 */
extern const Principal *session_principal(void);

/* The same, by a clock that was just looked at. */
extern const Principal *session_principal_at(TimestampTz now);

/* Is a session attached, be it valid or not? */
extern bool session_attached(void);

#endif							/* EHR_SESSION_H */
