/*
 * core.h
 *		What every file of core/ is built on.
 *
 * core/ is plain C11: no postgres.h, no global state, no longjmp across it.
 * Memory comes from the caller's context, whose alloc may return NULL; every
 * function that can fail returns a CoreStatus and leaves the caller's objects
 * as they were.  Loops over input ask core_interrupted() now and then.
 */
#ifndef EHR_CORE_H
#define EHR_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum CoreStatus
{
	CORE_OK = 0,
	CORE_INVALID,				/* the input breaks a rule; the callee says which */
	CORE_NO_MEMORY,				/* alloc returned NULL */
	CORE_INTERRUPTED,			/* interrupted() said so */
	CORE_TOO_DEEP,				/* nesting above depth_limit */
	CORE_TOO_LARGE				/* a size above a fixed limit */
} CoreStatus;

typedef struct CoreContext
{
	void	   *(*alloc) (void *arg, size_t size);	/* NULL when out of memory */
	void		(*free) (void *arg, void *ptr);
	bool		(*interrupted) (void *arg); /* only tests a flag; may be NULL */
	void	   *arg;
	int			depth_limit;
} CoreContext;

static inline bool
core_interrupted(const CoreContext *cx)
{
	return cx->interrupted != NULL && cx->interrupted(cx->arg);
}

#endif							/* EHR_CORE_H */
