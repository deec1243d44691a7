/*
 * match_store.h
 *		Many rows into a table of schema ehr_store.
 */
#ifndef EHR_MATCH_STORE_H
#define EHR_MATCH_STORE_H

#include "nodes/pg_list.h"

/* So much is inserted at a time; no row is longer than MATCH_COPY_ROW. */
#define MATCH_COPY_BYTES ((Size) 8 * 1024 * 1024)
#define MATCH_COPY_ROW 256

typedef struct MatchCopy
{
	Oid			relid;
	List	   *columns;
	int			ncolumns;
	char	   *buffer;
	Size		len;
	uint64		rows;			/* not inserted yet */
} MatchCopy;

/*
 * Rows go in with match_copy_row and then a value for each column; they are
 * stored when enough are together, at flush and at end.
 */
extern void match_copy_begin(MatchCopy *copy, const char *table, const char *const *columns, int ncolumns);
extern void match_copy_row(MatchCopy *copy);
extern void match_copy_int(MatchCopy *copy, int64 value, int bytes);
extern void match_copy_bytes(MatchCopy *copy, const void *bytes, int len);
extern void match_copy_null(MatchCopy *copy);
extern void match_copy_flush(MatchCopy *copy);
extern void match_copy_end(MatchCopy *copy);

#endif							/* EHR_MATCH_STORE_H */
