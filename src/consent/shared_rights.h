/*
 * shared_rights.h
 *		Compiled rights, handed from one connection to the next.
 */
#ifndef EHR_SHARED_RIGHTS_H
#define EHR_SHARED_RIGHTS_H

#include "consent/rights.h"

extern void shared_rights_init(void);
extern Size shared_rights_shmem_size(void);
extern void shared_rights_shmem_init(void);

/*
 * Copies into new, empty rights what some connection has loaded for the same
 * kind, sub, org and purpose; changes behind its position are yet to be looked
 * at.  False: there is nothing.
 */
extern bool shared_rights_take(const Principal *p, Rights *r);

/* Lets others take these, which were just loaded; not when they may hold what is not committed. */
extern void shared_rights_offer(const Principal *p, const Rights *r);

#endif							/* EHR_SHARED_RIGHTS_H */
