/*
 * match_store.c
 *		Results of linking in bulk into their tables, by COPY's machinery.
 *
 * CopyFrom inserts many rows at a time and obeys whatever the tables carry:
 * defaults, constraints, indexes, triggers.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "commands/copy.h"
#include "commands/defrem.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "nodes/makefuncs.h"
#include "parser/parse_relation.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "compat.h"
#include "identity/match_store.h"

/* signature, flags, no extension: what follows the signature is zeros */
static const char copy_header[19] = "PGCOPY\n\377\r\n";

/* What the callback hands out: COPY has no argument for it. */
static struct
{
	const char *data;
	size_t		len;
	size_t		at;
}			source;

static int
read_source(void *outbuf, int minread, int maxread)
{
	size_t		n = Min((size_t) maxread, source.len - source.at);

	memcpy(outbuf, source.data + source.at, n);
	source.at += n;
	return (int) n;
}

void
match_copy_begin(MatchCopy *copy, const char *table, const char *const *columns, int ncolumns)
{
	int			i;

	copy->relid = get_relname_relid(table, get_namespace_oid("ehr_store", false));
	if (!OidIsValid(copy->relid))
		elog(ERROR, "there is no table ehr_store.%s", table);
	copy->columns = NIL;
	for (i = 0; i < ncolumns; i++)
		copy->columns = lappend(copy->columns, makeString(pstrdup(columns[i])));
	copy->ncolumns = ncolumns;
	copy->rows = 0;
	copy->buffer = MemoryContextAllocHuge(CurrentMemoryContext, MATCH_COPY_BYTES);
	memcpy(copy->buffer, copy_header, sizeof copy_header);
	copy->len = sizeof copy_header;
}

void
match_copy_flush(MatchCopy *copy)
{
	Relation	rel;
	ParseState *pstate;
	CopyFromState cstate;

	if (copy->rows == 0)
		return;
	/* the trailer: a row of -1 columns */
	memset(copy->buffer + copy->len, 0xff, 2);
	source.data = copy->buffer;
	source.len = copy->len + 2;
	source.at = 0;
	rel = table_open(copy->relid, RowExclusiveLock);
	pstate = make_parsestate(NULL);
	addRangeTableEntryForRelation(pstate, rel, RowExclusiveLock, NULL, false, false);
	cstate = BeginCopyFrom(pstate, rel, NULL, NULL, false, read_source, list_copy(copy->columns),
						   list_make1(makeDefElem("format", (Node *) makeString("binary"), -1)));
	CopyFrom(cstate);
	EndCopyFrom(cstate);
	free_parsestate(pstate);
	table_close(rel, NoLock);
	CommandCounterIncrement();
	copy->rows = 0;
	copy->len = sizeof copy_header;
}

static char *
put_int(char *p, uint64 v, int bytes)
{
	while (bytes-- > 0)
		*p++ = (char) (v >> 8 * bytes);
	return p;
}

void
match_copy_row(MatchCopy *copy)
{
	if (copy->len + MATCH_COPY_ROW > MATCH_COPY_BYTES)
		match_copy_flush(copy);
	put_int(copy->buffer + copy->len, copy->ncolumns, 2);
	copy->len += 2;
	copy->rows++;
}

void
match_copy_int(MatchCopy *copy, int64 value, int bytes)
{
	put_int(copy->buffer + copy->len, bytes, 4);
	put_int(copy->buffer + copy->len + 4, (uint64) value, bytes);
	copy->len += 4 + bytes;
}

void
match_copy_bytes(MatchCopy *copy, const void *bytes, int len)
{
	put_int(copy->buffer + copy->len, len, 4);
	memcpy(copy->buffer + copy->len + 4, bytes, len);
	copy->len += 4 + len;
}

void
match_copy_null(MatchCopy *copy)
{
	memset(copy->buffer + copy->len, 0xff, 4);
	copy->len += 4;
}

void
match_copy_end(MatchCopy *copy)
{
	match_copy_flush(copy);
	pfree(copy->buffer);
	list_free_deep(copy->columns);
}
