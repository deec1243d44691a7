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
#include "audit/rows.h"
#include "audit/spool.h"
#include "audit/tree.h"
#include "as_owner.h"

#define BATCH 5000				/* entries a transaction */
#define READ_MOST (1024 * 1024) /* bytes of a segment that are read at once */

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
	AuditRows	rows;
	AuditImport result;
} Import;

/* ------------------------------------------------------------------ rows */

static bytea *
bytes_of(const void *data, size_t size)
{
	bytea	   *b = palloc(VARHDRSZ + size);

	SET_VARSIZE(b, VARHDRSZ + size);
	memcpy(VARDATA(b), data, size);
	return b;
}

/*
 * Bytes that are not text of this database would stop every later entry: keeps
 * their length, not their value.  True when that was needed.
 */
static bool
make_valid(AuditText *text)
{
	char	   *copy;

	if (text->data == NULL ||
		(memchr(text->data, 0, text->length) == NULL && pg_verifymbstr(text->data, text->length, true)))
		return false;
	copy = palloc(text->length + 1);
	for (uint32 i = 0; i < text->length; i++)
		copy[i] = text->data[i] > 0 && !IS_HIGHBIT_SET(text->data[i]) ? text->data[i] : '?';
	text->data = copy;
	return true;
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

/* inserts one entry, whose canonical form is given where it is known, as the next link of the chain */
static void
insert_entry(Import *import, AuditEntry *entry, const uint8 *canonical)
{
	uint8		made[AUDIT_MAX_PAYLOAD];
	uint8		leaf[AUDIT_HASH_SIZE];
	size_t		size;
	Position   *at = &import->at;

	for (int i = 0; i < AUDIT_STRINGS; i++)
	{
		if (make_valid(&entry->text[i]))
			canonical = NULL;
	}
	size = audit_entry_size(entry);
	if (canonical == NULL)
	{
		audit_entry_encode(entry, made);
		canonical = made;
	}
	at->seq++;
	audit_leaf_hash(0, at->seq, canonical, size, leaf);
	audit_chain_hash(at->hash, leaf, at->hash);
	merkle_append(&at->tree, leaf, keep_node, import);
	audit_rows_add(&import->rows, at->seq, entry, canonical, size, at->hash, part_of(import, entry->at));
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
	insert_entry(import, entry, NULL);
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

/*
 * The bytes of a segment from `from` up to `upto` (0: its end), `most` of them (0: all); *more tells, where
 * it is asked for, whether that left some out.
 */
static uint8 *
read_segment(Import *import, uint64 number, uint64 from, uint64 upto, size_t most, size_t *size, bool *more)
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
	if (more != NULL)
		*more = most != 0 && from + most < upto;
	if (most != 0)
		upto = Min(upto, from + most);
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
	uint8	   *data = read_segment(import, number, 0, 0, AUDIT_SEGMENT_HEADER, &size, NULL);
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
	uint64		upto = live ? import->segments.offset : 0;
	size_t		size;
	bool		more;
	uint8	   *data;
	size_t		p = 0;
	AuditEntry *entry = palloc(sizeof(AuditEntry));
	bool		done = false;

	if (at->offset == PG_INT64_MAX)
		return true;
	data = read_segment(import, at->segment, at->offset, upto, READ_MOST, &size, &more);
	while (!done && import->result.entries < BATCH)
	{
		const uint8 *payload;
		uint32		length;
		size_t		next;
		AuditFrameState state = audit_frame_read(data + p, size - p, at->segment, at->offset + p, &payload, &length);

		CHECK_FOR_INTERRUPTS();
		if (state != AUDIT_FRAME_OK && more)
		{
			/* cut by what was read; if it cannot be that, what is damaged is looked at whole */
			bool		cut = size - p < AUDIT_FRAME_HEADER + AUDIT_MAX_PAYLOAD;

			at->offset += p;
			p = 0;
			pfree(data);
			data = read_segment(import, at->segment, at->offset, upto, cut ? READ_MOST : 0, &size, &more);
			continue;
		}
		switch (state)
		{
			case AUDIT_FRAME_OK:
				p += AUDIT_FRAME_HEADER + length;
				if (audit_entry_decode(payload, length, entry) == CORE_OK)
					insert_entry(import, entry, payload);
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
	audit_rows_store(&import->rows);
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
	audit_rows_begin(&import.rows);
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
