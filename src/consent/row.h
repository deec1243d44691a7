/*
 * row.h
 *		The first look at a row, and the noting of whom a shown row is about:
 *		what access.c does for one row and scan.c for a page of them.
 */
#ifndef EHR_ROW_H
#define EHR_ROW_H

#include "access/htup_details.h"
#include "storage/bufpage.h"

#include "audit/audit.h"
#include "consent/access.h"
#include "consent/rights.h"

static inline bool
author_is(const text *author, const char *name, size_t len)
{
	/* codes of facilities differ in their last character rather than in their first */
	return VARSIZE_ANY_EXHDR(author) == len && (len == 0 || VARDATA_ANY(author)[len - 1] == name[len - 1]) &&
		memcmp(VARDATA_ANY(author), name, len) == 0;
}

/* Did the session's own facility write it, and does it read what it wrote? NULL: not known who wrote it. */
static inline bool
own_facility(const text *author)
{
	return rights_now->author != NULL && author != NULL &&
		author_is(author, VARDATA(rights_now->author), VARSIZE(rights_now->author) - VARHDRSZ);
}

typedef enum FirstLook
{
	LOOK_HIDDEN,
	LOOK_SHOWN,					/* to be noted */
	LOOK_CLOSER					/* ehr.may_read_row() decides */
} FirstLook;

/*
 * What the cell of a row's subject decides.  plain: the row is about no other
 * subject, and is known to have no label; own: the own facility wrote it.
 */
static inline FirstLook
first_look(uint64 cell, bool plain, bool own)
{
	unsigned	state = cell_state(&rights_now->cells, cell);

	if (state == CELL_OPEN && plain)
		return LOOK_SHOWN;
	return state == CELL_NONE && !own ? LOOK_HIDDEN : LOOK_CLOSER;
}

/*
 * Asks memory for all rows of a page.  A hint and nothing more: the line
 * pointers are looked at without a lock, perhaps without a pin, and may say anything.
 */
static inline void
fetch_rows(const char *page)
{
	const PageHeaderData *header = (const PageHeaderData *) page;
	int			n = Min(PageGetMaxOffsetNumber((Page) page), MaxHeapTuplesPerPage);

	for (int i = 0; i < n; i++)
	{
		const char *tuple = page + header->pd_linp[i].lp_off % BLCKSZ;

		__builtin_prefetch(tuple);
		__builtin_prefetch(tuple + PG_CACHE_LINE_SIZE / 2);
	}
}

/* Makes sure that there is an intent, and that the noted bits are its own. */
extern void access_begin_showing(void);
extern void access_begin_noting(void);

/* Notes that a row of this subject is shown, once a statement; its bit is number i. */
static inline void
note_bit(int64 subject, uint64 i)
{
	uint64	   *word = &rights_now->noted[i / 64];
	uint64		bit = UINT64CONST(1) << (i % 64);

	if (unlikely(access_intent == 0))
		access_begin_showing();
	if (unlikely(access_intent != rights_now->noted_intent))
		access_begin_noting();
	if ((*word & bit) != 0)
		return;
	audit_admit(access_intent, subject);
	*word |= bit;
}

/* ehr.may_read_row(), for a caller that has a row's columns at hand. */
extern Datum ehr_may_read_row(PG_FUNCTION_ARGS);

#endif							/* EHR_ROW_H */
