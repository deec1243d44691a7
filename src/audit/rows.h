/*
 * rows.h
 *		Inside the audit room: rows of ehr_store.audit_event on their way into the table.
 *
 * An INSERT a row was half of what an entry costs; COPY puts hundreds of them
 * on a page under one record of the WAL, and its binary form is nearly the canonical
 * form of an entry.  Partitions, constraints and triggers that a DBA has
 * added are respected as with any COPY.
 */
#ifndef EHR_AUDIT_ROWS_H
#define EHR_AUDIT_ROWS_H

#include "lib/stringinfo.h"

#include "core/audit_spool.h"

typedef struct AuditRows
{
	StringInfoData data;		/* what COPY reads */
	int			n;
} AuditRows;

extern void audit_rows_begin(AuditRows *rows);

/*
 * audit_rows_add takes an entry of chain 0 in its canonical form, whose texts
 * must be valid in this database.  From time to time it stores what it has.
 */
extern void audit_rows_add(AuditRows *rows, int64 seq, const AuditEntry *entry, const uint8 *canonical, size_t size,
						   const uint8 hash[AUDIT_HASH_SIZE], int part);

/* audit_rows_store puts what was added into the table, and forgets it; as the store's owner, with an active snapshot. */
extern void audit_rows_store(AuditRows *rows);

#endif							/* EHR_AUDIT_ROWS_H */
