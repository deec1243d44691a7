/*
 * rows.c
 *		Rows of ehr_store.audit_event, put into the table many at a time: see rows.h.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/copy.h"
#include "mb/pg_wchar.h"
#include "nodes/makefuncs.h"
#include "parser/parse_node.h"
#include "parser/parse_relation.h"
#include "port/pg_bswap.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "audit/rows.h"

#define STORE_AT (4 * 1024 * 1024)	/* bytes of rows that are kept in memory at most */

static const char *const columns[] = {
	"chain", "seq", "at", "kind", "intent", "query_id", "sub", "org", "purpose", "sid", "role", "relations", "detail", "name",
	"subjects", "hash", "part"
};

/* what the running COPY reads; its callback has no argument */
static struct
{
	const char *data;
	size_t		left;
}			source;

/* ------------------------------------------------------------------ COPY's binary form */

static inline void
put16(StringInfo out, uint16 value)
{
	value = pg_hton16(value);
	appendBinaryStringInfoNT(out, (char *) &value, sizeof(value));
}

static inline void
put32(StringInfo out, uint32 value)
{
	value = pg_hton32(value);
	appendBinaryStringInfoNT(out, (char *) &value, sizeof(value));
}

static inline void
put64(StringInfo out, uint64 value)
{
	value = pg_hton64(value);
	appendBinaryStringInfoNT(out, (char *) &value, sizeof(value));
}

/* a column of type bigint or timestamptz */
static inline void
put_int8(StringInfo out, uint64 value)
{
	put32(out, sizeof(uint64));
	put64(out, value);
}

static inline void
put_bytes(StringInfo out, const void *data, size_t size)
{
	put32(out, (uint32) size);
	appendBinaryStringInfoNT(out, data, (int) size);
}

static void
put_subjects(StringInfo out, const AuditEntry *entry)
{
	bool		any = entry->n_subjects > 0;

	put32(out, 3 * sizeof(int32) + (any ? 2 * sizeof(int32) + entry->n_subjects * (sizeof(int32) + sizeof(int64)) : 0));
	put32(out, any ? 1 : 0);	/* dimensions */
	put32(out, 0);				/* no nulls */
	put32(out, INT8OID);
	if (!any)
		return;
	put32(out, entry->n_subjects);
	put32(out, 1);				/* lower bound */
	for (uint32 i = 0; i < entry->n_subjects; i++)
		put_int8(out, (uint64) entry->subjects[i]);
}

void
audit_rows_begin(AuditRows *rows)
{
	static const char header[] = "PGCOPY\n\377\r\n\0";

	initStringInfo(&rows->data);
	appendBinaryStringInfo(&rows->data, header, 11);
	put32(&rows->data, 0);		/* flags */
	put32(&rows->data, 0);		/* of the header's extension */
	rows->n = 0;
}

void
audit_rows_add(AuditRows *rows, int64 seq, const AuditEntry *entry, const uint8 *canonical, size_t size,
			   const uint8 hash[AUDIT_HASH_SIZE], int part)
{
	StringInfo	out = &rows->data;
	size_t		others = 3 * sizeof(uint64) + sizeof(uint32) + entry->text[AUDIT_KIND].length;
	size_t		end = size - sizeof(uint32) - entry->n_subjects * sizeof(int64);

	put16(out, lengthof(columns));
	put32(out, sizeof(int16));
	put16(out, 0);
	put_int8(out, (uint64) seq);
	put_int8(out, (uint64) entry->at);
	put_bytes(out, entry->text[AUDIT_KIND].data ? entry->text[AUDIT_KIND].data : "", entry->text[AUDIT_KIND].length);
	put_int8(out, entry->intent);
	put_int8(out, entry->query_id);
	/* sub to name: length, or -1 for null, and bytes, as they stand in the canonical form */
	appendBinaryStringInfoNT(out, (const char *) canonical + others, (int) (end - others));
	put_subjects(out, entry);
	put_bytes(out, hash, AUDIT_HASH_SIZE);
	put32(out, sizeof(int32));
	put32(out, (uint32) part);
	rows->n++;
	if (out->len >= STORE_AT)
		audit_rows_store(rows);
}

/* ------------------------------------------------------------------ into the table */

static int
read_source(void *out, int least, int most)
{
	int			n = (int) Min((size_t) most, source.left);

	memcpy(out, source.data, n);
	source.data += n;
	source.left -= n;
	return n;
}

static void
copy_source(void)
{
	Relation	rel = table_open(get_relname_relid("audit_event", get_namespace_oid("ehr_store", false)), RowExclusiveLock);
	ParseState *pstate = make_parsestate(NULL);
	List	   *names = NIL;
	CopyFromState copy;

	for (int i = 0; i < lengthof(columns); i++)
		names = lappend(names, makeString((char *) columns[i]));
	(void) addRangeTableEntryForRelation(pstate, rel, RowExclusiveLock, NULL, false, false);
	copy = BeginCopyFrom(pstate, rel, NULL, NULL, false, read_source, names,
						 list_make1(makeDefElem("format", (Node *) makeString("binary"), -1)));
	(void) CopyFrom(copy);
	EndCopyFrom(copy);
	free_parsestate(pstate);
	table_close(rel, NoLock);
	CommandCounterIncrement();
}

/* A constraint that refuses an entry quotes its row, and this session may be anybody's: the error goes on without it. */
static void
copy_unquoted(void)
{
	MemoryContext cxt = CurrentMemoryContext;

	PG_TRY();
	{
		copy_source();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(cxt);
		error = CopyErrorData();
		FlushErrorState();
		error->detail = error->detail_log = NULL;
		ReThrowError(error);
	}
	PG_END_TRY();
}

void
audit_rows_store(AuditRows *rows)
{
	int			nest = NewGUCNestLevel();

	if (rows->n > 0)
	{
		/* the bytes are in the database's encoding, whatever the client of this session has */
		(void) set_config_option("client_encoding", GetDatabaseEncodingName(), PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
		put16(&rows->data, (uint16) -1);
		source.data = rows->data.data;
		source.left = rows->data.len;
		copy_unquoted();
	}
	AtEOXact_GUC(true, nest);
	pfree(rows->data.data);
	audit_rows_begin(rows);
}
