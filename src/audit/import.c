/*
 * import.c
 *		From the spool into ehr_store.audit_event.
 *
 * One row of ehr_store.audit_position says how far the spool is imported and
 * where the chain stands.  It is locked, read and moved on in the transaction
 * that inserts the rows, so that an entry is there once, whoever imports and
 * whenever he is killed.  Files are only removed once that is durable.
 *
 * What cannot be read is never passed over in silence: a torn end (a process
 * or the machine died while writing), a damaged stretch and a missing file
 * each become an entry of their own.
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "audit/spool.h"
#include "audit/tree.h"
#include "as_owner.h"

#define BATCH 5000				/* entries a transaction */
#define COLUMNS 17

/* where the import stands; chain 0 is the only one while one worker writes */
typedef struct Position
{
	uint64		segment;
	uint64		offset;
	int64		seq;
	uint8		hash[AUDIT_HASH_SIZE];
	int			part;			/* month of the last entry: yyyymm */
	MerkleStack tree;
	bool		ours;			/* false: the row comes from another cluster or database (a restored dump) */
} Position;

typedef struct Import
{
	AuditSlot  *slot;
	AuditSegments segments;
	Position	at;
	AuditImport result;
} Import;

static const char insert_sql[] =
"INSERT INTO ehr_store.audit_event (chain, seq, at, kind, intent, query_id, sub, org, purpose, sid, role, relations, detail, name, subjects, hash, part)"
" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";
static const Oid insert_types[COLUMNS] = {
	INT2OID, INT8OID, TIMESTAMPTZOID, TEXTOID, INT8OID, INT8OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
	TEXTOID, TEXTOID, TEXTOID, INT8ARRAYOID, BYTEAOID, INT4OID
};

/* ------------------------------------------------------------------ rows */

static bytea *
bytes_of(const void *data, size_t size)
{
	bytea	   *b = palloc(VARHDRSZ + size);

	SET_VARSIZE(b, VARHDRSZ + size);
	memcpy(VARDATA(b), data, size);
	return b;
}

/* bytes that are not text of this database would stop every later entry: keep their length, not their value */
static void
make_valid(AuditText *text)
{
	char	   *copy;

	if (text->data == NULL ||
		(memchr(text->data, 0, text->length) == NULL && pg_verifymbstr(text->data, text->length, true)))
		return;
	copy = palloc(text->length + 1);
	for (uint32 i = 0; i < text->length; i++)
		copy[i] = text->data[i] > 0 && !IS_HIGHBIT_SET(text->data[i]) ? text->data[i] : '?';
	text->data = copy;
}

static ArrayType *
subjects_of(const AuditEntry *entry)
{
	Datum		datums[AUDIT_MAX_SUBJECTS];

	for (uint32 i = 0; i < entry->n_subjects; i++)
		datums[i] = Int64GetDatum(entry->subjects[i]);
	return construct_array(datums, entry->n_subjects, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
}

/* keeps the nodes of the tree that proofs start from */
static void
keep_node(void *arg, int level, uint64_t index, const uint8_t hash[MERKLE_HASH])
{
	Oid			types[3] = {INT2OID, INT8OID, BYTEAOID};
	Datum		values[3];

	if (level == 0 || level % AUDIT_TREE_STEP != 0)
		return;
	values[0] = Int16GetDatum(level);
	values[1] = Int64GetDatum((int64) index);
	values[2] = PointerGetDatum(bytes_of(hash, MERKLE_HASH));
	if (SPI_execute_with_args("INSERT INTO ehr_store.audit_tree (level, index, hash) VALUES ($1, $2, $3)"
							  " ON CONFLICT ON CONSTRAINT audit_tree_pkey DO UPDATE SET hash = excluded.hash",
							  3, types, values, NULL, false, 0) != SPI_OK_INSERT)
		elog(ERROR, "could not keep a node of the audit log's tree");
}

/* the month of an entry; never one before that of the entry before it, though clocks are set back */
static int
part_of(Import *import, TimestampTz at)
{
	struct pg_tm tm;
	fsec_t		fsec;
	Position   *to = &import->at;

	if (timestamp2tm(at, NULL, &tm, &fsec, NULL, NULL) == 0 && tm.tm_year * 100 + tm.tm_mon > to->part)
	{
		Oid			types[1] = {INT4OID};
		Datum		values[1];

		to->part = tm.tm_year * 100 + tm.tm_mon;
		values[0] = Int32GetDatum(to->part);
		if (SPI_execute_with_args("SELECT ehr_internal.audit_partition($1)", 1, types, values, NULL, false, 0) != SPI_OK_SELECT)
			elog(ERROR, "could not make a part of the audit log");
	}
	return to->part;
}

/* inserts one entry as the next link of the chain */
static void
insert_entry(Import *import, AuditEntry *entry)
{
	static SPIPlanPtr plan = NULL;
	static const enum AuditString order[] = {AUDIT_SUB, AUDIT_ORG, AUDIT_PURPOSE, AUDIT_SID, AUDIT_ROLE, AUDIT_RELATIONS, AUDIT_DETAIL, AUDIT_NAME};
	Datum		values[COLUMNS];
	char		nulls[COLUMNS];
	uint8		canonical[AUDIT_MAX_PAYLOAD];
	uint8		leaf[AUDIT_HASH_SIZE];
	Position   *at = &import->at;

	if (plan == NULL)
	{
		plan = SPI_prepare(insert_sql, COLUMNS, (Oid *) insert_types);
		if (plan == NULL)
			elog(ERROR, "could not prepare the import of audit entries: %s", SPI_result_code_string(SPI_result));
		SPI_keepplan(plan);
	}
	for (int i = 0; i < AUDIT_STRINGS; i++)
		make_valid(&entry->text[i]);
	audit_entry_encode(entry, canonical);
	at->seq++;
	audit_leaf_hash(0, at->seq, canonical, audit_entry_size(entry), leaf);
	audit_chain_hash(at->hash, leaf, at->hash);
	merkle_append(&at->tree, leaf, keep_node, import);

	memset(nulls, ' ', sizeof(nulls));
	values[0] = Int16GetDatum(0);
	values[1] = Int64GetDatum(at->seq);
	values[2] = TimestampTzGetDatum(entry->at);
	values[3] = PointerGetDatum(cstring_to_text_with_len(entry->text[AUDIT_KIND].data ? entry->text[AUDIT_KIND].data : "",
														 entry->text[AUDIT_KIND].length));
	values[4] = Int64GetDatum((int64) entry->intent);
	values[5] = Int64GetDatum((int64) entry->query_id);
	for (int i = 0; i < lengthof(order); i++)
	{
		const AuditText *text = &entry->text[order[i]];

		if (text->data == NULL)
			nulls[6 + i] = 'n';
		else
			values[6 + i] = PointerGetDatum(cstring_to_text_with_len(text->data, text->length));
	}
	values[14] = PointerGetDatum(subjects_of(entry));
	values[15] = PointerGetDatum(bytes_of(at->hash, AUDIT_HASH_SIZE));
	values[16] = Int32GetDatum(part_of(import, entry->at));
	if (SPI_execute_plan(plan, values, nulls, false, 0) != SPI_OK_INSERT)
		elog(ERROR, "could not import an audit entry");
	import->result.entries++;
}

/* an entry about the spool itself */
static void
insert_finding(Import *import, const char *kind, const char *detail)
{
	AuditEntry *entry = palloc0(sizeof(AuditEntry));

	ereport(LOG, (errmsg("audit spool of database %u: %s: %s", MyDatabaseId, kind, detail)));
	entry->at = GetCurrentTimestamp();
	entry->intent = pg_atomic_fetch_add_u64(&audit_shared->next, 1);
	entry->text[AUDIT_KIND] = (AuditText) {kind, strlen(kind)};
	entry->text[AUDIT_DETAIL] = (AuditText) {detail, strlen(detail)};
	insert_entry(import, entry);
}

static char *
spool_name(void)
{
	return psprintf(UINT64_FORMAT "/%u", GetSystemIdentifier(), MyDatabaseId);
}

static void
lock_position(Import *import)
{
	Position   *at = &import->at;
	bool		null;
	HeapTuple	row;
	TupleDesc	desc;
	bytea	   *hash;
	char	   *spool;

	if (SPI_execute("SELECT segment, place, seq, hash, spool, tree, part FROM ehr_store.audit_position WHERE chain OPERATOR(pg_catalog.=) 0 FOR UPDATE",
					false, 1) != SPI_OK_SELECT || SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the position of the audit import is missing from ehr_store.audit_position"),
				 errhint("SELECT ehr.create_store() makes it again, at the end of the chain.")));
	row = SPI_tuptable->vals[0];
	desc = SPI_tuptable->tupdesc;
	at->segment = (uint64) DatumGetInt64(SPI_getbinval(row, desc, 1, &null));
	at->offset = (uint64) DatumGetInt64(SPI_getbinval(row, desc, 2, &null));
	at->seq = DatumGetInt64(SPI_getbinval(row, desc, 3, &null));
	hash = DatumGetByteaPP(SPI_getbinval(row, desc, 4, &null));
	if (VARSIZE_ANY_EXHDR(hash) != AUDIT_HASH_SIZE)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the audit chain's head in ehr_store.audit_position is damaged")));
	memcpy(at->hash, VARDATA_ANY(hash), AUDIT_HASH_SIZE);
	if (!audit_stack_load(DatumGetByteaPP(SPI_getbinval(row, desc, 6, &null)), (uint64) at->seq, &at->tree))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the tree of the audit log in ehr_store.audit_position is damaged")));
	at->part = DatumGetInt32(SPI_getbinval(row, desc, 7, &null));
	spool = SPI_getvalue(row, desc, 5);
	at->ours = spool != NULL && strcmp(spool, spool_name()) == 0;
	if (!at->ours)
		at->segment = at->offset = 0;
}

static void
store_position(Import *import)
{
	Position   *at = &import->at;
	Oid			types[7] = {INT8OID, INT8OID, INT8OID, BYTEAOID, TEXTOID, BYTEAOID, INT4OID};
	Datum		values[7];

	values[0] = Int64GetDatum((int64) at->segment);
	values[1] = Int64GetDatum((int64) at->offset);
	values[2] = Int64GetDatum(at->seq);
	values[3] = PointerGetDatum(bytes_of(at->hash, AUDIT_HASH_SIZE));
	values[4] = CStringGetTextDatum(spool_name());
	values[5] = PointerGetDatum(audit_stack_store(&at->tree));
	values[6] = Int32GetDatum(at->part);
	if (SPI_execute_with_args("UPDATE ehr_store.audit_position SET segment = $1, place = $2, seq = $3, hash = $4, spool = $5, tree = $6, part = $7"
							  " WHERE chain OPERATOR(pg_catalog.=) 0",
							  7, types, values, NULL, false, 0) != SPI_OK_UPDATE)
		elog(ERROR, "could not move the position of the audit import");
}

/* ------------------------------------------------------------------ segments */

/* a second name for a damaged file keeps it for those who look into it */
static void
keep_damaged(Import *import)
{
	char		path[MAXPGPATH];
	char		kept[MAXPGPATH];

	audit_path(path, import->slot->database, import->at.segment);
	snprintf(kept, sizeof(kept), "%s.damaged", path);
	if (link(path, kept) != 0 && errno != EEXIST)
		ereport(LOG, (errcode_for_file_access(), errmsg("could not link \"%s\": %m", kept)));
}

/* the bytes of a segment from `from` up to `upto` (0: its end); NULL when the file is gone */
static uint8 *
read_segment(Import *import, uint64 number, uint64 from, uint64 upto, size_t *size)
{
	char		path[MAXPGPATH];
	int			fd;
	struct stat st;
	uint8	   *data;
	size_t		got = 0;

	*size = 0;
	audit_path(path, import->slot->database, number);
	fd = OpenTransientFile(path, O_RDONLY | PG_BINARY);
	if (fd < 0 || fstat(fd, &st) != 0)
		ereport(ERROR, (errcode_for_file_access(), errmsg("could not open file \"%s\": %m", path)));
	if (upto == 0 || upto > (uint64) st.st_size)
		upto = (uint64) st.st_size;
	if (from >= upto)
	{
		CloseTransientFile(fd);
		return palloc(1);
	}
	data = MemoryContextAllocHuge(CurrentMemoryContext, upto - from);
	while (got < upto - from)
	{
		ssize_t		n = pg_pread(fd, data + got, upto - from - got, (off_t) (from + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			ereport(ERROR, (errcode_for_file_access(), errmsg("could not read file \"%s\": %m", path)));
		if (n == 0)
			break;
		got += n;
	}
	CloseTransientFile(fd);
	*size = got;
	return data;
}

/* moves on to a segment: its header must be whole, ours, and name the segment before */
static void
enter_segment(Import *import, uint64 number)
{
	size_t		size;
	uint8	   *data = read_segment(import, number, 0, AUDIT_SEGMENT_HEADER, &size);
	uint64		before = import->at.segment;
	AuditSegment header;

	import->at.segment = number;
	import->at.offset = AUDIT_SEGMENT_HEADER;
	if (size < AUDIT_SEGMENT_HEADER)
		/* a process died while it made the file: no frame was ever put into it */
		insert_finding(import, "spool_torn", psprintf("segment %016llx: header", (unsigned long long) number));
	else if (audit_segment_read(data, size, &header) != CORE_OK || header.number != number)
	{
		keep_damaged(import);
		insert_finding(import, "spool_damage", psprintf("segment %016llx: header", (unsigned long long) number));
	}
	else if (header.system != GetSystemIdentifier() || header.database != MyDatabaseId)
	{
		keep_damaged(import);
		insert_finding(import, "spool_foreign", psprintf("segment %016llx is of another cluster or database", (unsigned long long) number));
		import->at.offset = PG_INT64_MAX;	/* nothing of it is ours */
	}
	else if (before != 0 && header.previous != before)
		insert_finding(import, "spool_gap", psprintf("segment %016llx follows %016llx, not %016llx", (unsigned long long) number,
													 (unsigned long long) header.previous, (unsigned long long) before));
	pfree(data);
}

/*
 * read_frames imports what the position's segment holds, at most a batch.
 * Returns true when nothing is left in it.
 */
static bool
read_frames(Import *import)
{
	Position   *at = &import->at;
	bool		live = at->segment == import->segments.current;
	size_t		size;
	uint8	   *data;
	size_t		p = 0;
	AuditEntry *entry = palloc(sizeof(AuditEntry));
	bool		done = false;

	if (at->offset == PG_INT64_MAX)
		return true;
	data = read_segment(import, at->segment, at->offset, live ? import->segments.offset : 0, &size);
	while (!done && import->result.entries < BATCH)
	{
		const uint8 *payload;
		uint32		length;
		size_t		next;

		CHECK_FOR_INTERRUPTS();
		switch (audit_frame_read(data + p, size - p, at->segment, at->offset + p, &payload, &length))
		{
			case AUDIT_FRAME_OK:
				p += AUDIT_FRAME_HEADER + length;
				if (audit_entry_decode(payload, length, entry) == CORE_OK)
					insert_entry(import, entry);
				else
					insert_finding(import, "spool_damage", psprintf("segment %016llx: entry that ends at byte %llu", (unsigned long long) at->segment,
																	(unsigned long long) (at->offset + p)));
				break;
			case AUDIT_FRAME_END:
				done = true;
				break;
			case AUDIT_FRAME_BAD:
				next = audit_frame_next(data + p, size - p, at->segment, at->offset + p);
				if (next < size - p || live)
					keep_damaged(import);
				insert_finding(import, next < size - p || live ? "spool_damage" : "spool_torn",
							   psprintf("segment %016llx: bytes %llu to %llu", (unsigned long long) at->segment,
										(unsigned long long) (at->offset + p), (unsigned long long) (at->offset + p + next)));
				p += next;
				break;
		}
	}
	at->offset += p;
	pfree(data);
	pfree(entry);
	return done;
}

bool
audit_store_exists(void)
{
	Oid			nspid = get_namespace_oid("ehr_store", true);

	return OidIsValid(nspid) && OidIsValid(get_relname_relid("audit_event", nspid)) &&
		OidIsValid(get_relname_relid("audit_position", nspid));
}

static void
import_all(Import *import)
{
	AuditSegments *segments = &import->segments;
	uint64		segment = import->at.segment;
	uint64		offset = import->at.offset;
	int64		seq = import->at.seq;

	/* all files were taken away and the clock was set back: what this run of the server wrote is not imported */
	if (segments->current != 0 && import->at.segment > segments->current)
	{
		insert_finding(import, "spool_gap", psprintf("segment %016llx is gone, and a new spool begun", (unsigned long long) import->at.segment));
		import->at.segment = segments->first - 1;
		import->at.offset = 0;
	}
	for (int i = 0; i < segments->n && import->result.entries < BATCH; i++)
	{
		if (segments->number[i] < import->at.segment)
			continue;				/* imported, and soon removed */
		if (segments->number[i] > import->at.segment)
			enter_segment(import, segments->number[i]);
		if (!read_frames(import))
			break;
		/* the last one read to its end: that is all there is */
		import->result.all_seen = i == segments->n - 1;
	}
	if (segments->n == 0)
		import->result.all_seen = true;
	if (import->at.segment != segment || import->at.offset != offset || import->at.seq != seq)
		store_position(import);
}

AuditImport
audit_import_batch(AuditSlot *slot)
{
	Import		import = {slot};
	EhrRoleSwitch saved;
	bool		missing;

	if (!audit_store_exists())
	{
		import.result.no_store = true;
		return import.result;
	}
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	ehr_become_owner(&saved, EHR_AS_SYSTEM);
	/* the lock first: whoever else imports has then moved the position */
	lock_position(&import);
	audit_segments(slot, &import.segments);
	import_all(&import);
	ehr_become_caller(&saved);
	SPI_finish();

	import.result.segment = import.at.segment;
	missing = import.segments.current != 0 &&
		(import.segments.n == 0 || import.segments.number[import.segments.n - 1] != import.segments.current);
	if (import.at.segment == import.segments.current && import.at.segment != 0)
		import.result.total = import.segments.base + import.at.offset;
	else if (missing)
	{
		/* somebody removed the file that is being written: let the next entry begin another, which will name it */
		LWLockAcquire(slot->append, LW_EXCLUSIVE);
		slot->broken |= slot->segment == import.segments.current;
		LWLockRelease(slot->append);
		import.result.total = import.segments.base + import.segments.offset;
	}
	return import.result;
}
