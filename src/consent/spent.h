/*
 * spent.h
 *		Tokens that were used: each is good for one login, also after a restart.
 */
#ifndef EHR_SPENT_H
#define EHR_SPENT_H

#include "utils/timestamp.h"

#define SPENT_KEY_BYTES 16

typedef enum SpentResult
{
	SPENT_NOW,					/* it was not used before, and is noted now */
	SPENT_BEFORE,
	SPENT_FULL,					/* no room: nothing is noted */
	SPENT_NOT_WRITTEN			/* the file cannot be written (errno): nothing is noted */
} SpentResult;

/* shared memory that capacity tokens need, and making it; the postmaster reads the file then */
extern Size spent_shmem_size(long capacity);
extern void spent_shmem_init(long capacity);

/*
 * spent_note notes that a token is used and must be refused until then.  The
 * caller holds the lock of sessions exclusively.  Not undone by ROLLBACK.
 */
extern SpentResult spent_note(const unsigned char key[SPENT_KEY_BYTES], TimestampTz until);

#endif							/* EHR_SPENT_H */
