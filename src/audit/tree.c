/*
 * tree.c
 *		The Merkle tree over the log: nodes, proofs, signed roots.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "compat.h"
#include "as_owner.h"
#include "audit/audit.h"
#include "audit/spool.h"
#include "audit/tree.h"
#include "vault/vault.h"

static bytea *
bytes_of(const void *data, size_t size)
{
	bytea	   *b = palloc(VARHDRSZ + size);

	SET_VARSIZE(b, VARHDRSZ + size);
	memcpy(VARDATA(b), data, size);
	return b;
}

/* ------------------------------------------------------------------ nodes */

/* n hashes of a stored level, or of leaves, from `first` on; false when one is missing */
static bool
fetch_row_of(int level, uint64 first, int n, uint8 (*out)[MERKLE_HASH])
{
	static const char nodes[] = "SELECT t.index, t.hash FROM ehr_store.audit_tree t WHERE t.level OPERATOR(pg_catalog.=) $1"
		" AND t.index OPERATOR(pg_catalog.>=) $2 AND t.index OPERATOR(pg_catalog.<) $3";
	/* entries that are there, and leaves of those that are retired */
	static const char leaves[] = "SELECT e.seq OPERATOR(pg_catalog.-) 1, ehr_internal.audit_leaf(e.seq, " AUDIT_ROW_ENTRY ")"
		" FROM ehr_store.audit_event e WHERE e.chain OPERATOR(pg_catalog.=) $1 AND e.seq OPERATOR(pg_catalog.>) $2 AND e.seq OPERATOR(pg_catalog.<=) $3"
		" UNION ALL SELECT t.index, t.hash FROM ehr_store.audit_tree t WHERE t.level OPERATOR(pg_catalog.=) 0"
		" AND t.index OPERATOR(pg_catalog.>=) $2 AND t.index OPERATOR(pg_catalog.<) $3";
	Oid			types[3] = {INT2OID, INT8OID, INT8OID};
	Datum		values[3] = {Int16GetDatum(level), Int64GetDatum((int64) first), Int64GetDatum((int64) first + n)};
	bool	   *seen = palloc0(n);
	int			found = 0;

	if (SPI_execute_with_args(level == 0 ? leaves : nodes, 3, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the tree of the audit log");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		null;
		int64		at = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &null)) - (int64) first;
		Datum		value = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2, &null);
		bytea	   *hash;

		if (null || at < 0 || at >= n)
			continue;
		hash = DatumGetByteaPP(value);
		if (VARSIZE_ANY_EXHDR(hash) != MERKLE_HASH)
			continue;
		memcpy(out[at], VARDATA_ANY(hash), MERKLE_HASH);
		found += !seen[at];
		seen[at] = true;
	}
	SPI_freetuptable(SPI_tuptable);
	pfree(seen);
	return found == n;
}

bool
audit_tree_fetch(void *arg, int level, uint64_t index, uint8_t hash[MERKLE_HASH])
{
	int			stored = level - level % AUDIT_TREE_STEP;
	int			n = 1 << (level - stored);
	uint8		(*part)[MERKLE_HASH] = palloc((size_t) n * MERKLE_HASH);
	bool		there;

	CHECK_FOR_INTERRUPTS();
	there = fetch_row_of(stored, index << (level - stored), n, part);
	for (; there && n > 1; n /= 2)
	{
		for (int i = 0; i < n / 2; i++)
			merkle_node(part[2 * i], part[2 * i + 1], part[i]);
	}
	memcpy(hash, part[0], MERKLE_HASH);
	pfree(part);
	return there;
}

bytea *
audit_stack_store(const MerkleStack *stack)
{
	return bytes_of(stack->hash, (size_t) merkle_stack_hashes(stack->size) * MERKLE_HASH);
}

bool
audit_stack_load(bytea *stored, uint64 size, MerkleStack *stack)
{
	if (size >> MERKLE_LEVELS || VARSIZE_ANY_EXHDR(stored) != (size_t) merkle_stack_hashes(size) * MERKLE_HASH)
		return false;
	stack->size = size;
	memcpy(stack->hash, VARDATA_ANY(stored), VARSIZE_ANY_EXHDR(stored));
	return true;
}

PG_FUNCTION_INFO_V1(ehr_audit_stack);

/* ehr_internal.audit_stack(size int8) → bytea: whole subtrees of the first entries; null when some are missing */
Datum
ehr_audit_stack(PG_FUNCTION_ARGS)
{
	int64		size = PG_GETARG_INT64(0);
	MerkleStack *stack = palloc0(sizeof(MerkleStack));
	MemoryContext cxt = CurrentMemoryContext;
	MemoryContext old;
	bytea	   *stored;
	bool		there = true;
	uint64		start = 0;
	int			n = 0;

	if (size < 0)
		PG_RETURN_NULL();
	stack->size = (uint64) size;
	SPI_connect();
	for (int level = MERKLE_LEVELS - 1; there && level >= 0; level--)
	{
		if (((uint64) size >> level & 1) == 0)
			continue;
		there = audit_tree_fetch(NULL, level, start >> level, stack->hash[n++]);
		start += UINT64CONST(1) << level;
	}
	old = MemoryContextSwitchTo(cxt);
	stored = audit_stack_store(stack);
	MemoryContextSwitchTo(old);
	SPI_finish();
	if (!there)
		PG_RETURN_NULL();
	PG_RETURN_BYTEA_P(stored);
}

PG_FUNCTION_INFO_V1(ehr_audit_leaf);

/* ehr_internal.audit_leaf(seq int8, entry bytea) → bytea */
Datum
ehr_audit_leaf(PG_FUNCTION_ARGS)
{
	bytea	   *entry = PG_GETARG_BYTEA_PP(1);
	uint8		leaf[AUDIT_HASH_SIZE];

	audit_leaf_hash(0, (uint64) PG_GETARG_INT64(0), (uint8 *) VARDATA_ANY(entry), VARSIZE_ANY_EXHDR(entry), leaf);
	PG_RETURN_BYTEA_P(bytes_of(leaf, sizeof(leaf)));
}

/* ------------------------------------------------------------------ proofs */

static Datum
proof_line(AuditLineKind kind, int64 first, int64 size)
{
	AuditLine  *line = palloc0(sizeof(AuditLine));
	MemoryContext cxt = CurrentMemoryContext;
	char	   *out = palloc(AUDIT_LINE_MAX + 1);
	CoreStatus	status;

	line->kind = kind;
	line->seq = (uint64) first;
	line->size = (uint64) size;
	SPI_connect();
	if (first <= 0 || size <= 0)
		status = CORE_INVALID;
	else if (kind == AUDIT_LINE_INCLUSION)
		status = merkle_inclusion((uint64) first - 1, (uint64) size, audit_tree_fetch, NULL, &line->path);
	else
		status = merkle_consistency((uint64) first, (uint64) size, audit_tree_fetch, NULL, &line->path);
	SPI_finish();
	MemoryContextSwitchTo(cxt);
	if (status != CORE_OK)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("entries or nodes that the proof needs are missing from the audit log"),
				 errhint("SELECT * FROM ehr.audit_verify() tells which.")));
	(void) audit_line_write(line, out);
	return CStringGetTextDatum(out);
}

PG_FUNCTION_INFO_V1(ehr_audit_inclusion);

/* ehr_internal.audit_inclusion(seq int8, size int8) → text */
Datum
ehr_audit_inclusion(PG_FUNCTION_ARGS)
{
	return proof_line(AUDIT_LINE_INCLUSION, PG_GETARG_INT64(0), PG_GETARG_INT64(1));
}

PG_FUNCTION_INFO_V1(ehr_audit_consistency_line);

/* ehr_internal.audit_consistency_line(old_size int8, size int8) → text */
Datum
ehr_audit_consistency_line(PG_FUNCTION_ARGS)
{
	return proof_line(AUDIT_LINE_CONSISTENCY, PG_GETARG_INT64(0), PG_GETARG_INT64(1));
}

/* ------------------------------------------------------------------ signed roots */

static Datum
only_row(const char *sql, int column)
{
	bool		null;

	if (SPI_execute(sql, false, 1) < 0 || SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("a row of the audit log's own tables is missing"),
				 errhint("SELECT ehr.create_store() makes it again.")));
	return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, column, &null);
}

/* the last root, with its exact bytes */
static bool
last_root(AuditRoot *root)
{
	bool		null;
	HeapTuple	row;
	TupleDesc	desc;
	uint8	   *parts[4] = {root->root, root->previous, root->key, root->signature};
	static const size_t sizes[4] = {MERKLE_HASH, MERKLE_HASH, AUDIT_PUBLIC_KEY, AUDIT_SIGNATURE};

	if (SPI_execute("SELECT number, size, at, root, previous, key, signature FROM ehr_store.audit_root ORDER BY number DESC", false, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read the roots of the audit log");
	if (SPI_processed == 0)
		return false;
	row = SPI_tuptable->vals[0];
	desc = SPI_tuptable->tupdesc;
	root->number = (uint64) DatumGetInt64(SPI_getbinval(row, desc, 1, &null));
	root->size = (uint64) DatumGetInt64(SPI_getbinval(row, desc, 2, &null));
	root->at = DatumGetTimestampTz(SPI_getbinval(row, desc, 3, &null));
	for (int i = 0; i < 4; i++)
	{
		bytea	   *value = DatumGetByteaPP(SPI_getbinval(row, desc, 4 + i, &null));

		if (VARSIZE_ANY_EXHDR(value) == sizes[i])
			memcpy(parts[i], VARDATA_ANY(value), sizes[i]);
	}
	return true;
}

static void
insert_root(const AuditRoot *root)
{
	Oid			types[7] = {INT8OID, INT8OID, TIMESTAMPTZOID, BYTEAOID, BYTEAOID, BYTEAOID, BYTEAOID};
	Datum		values[7];

	values[0] = Int64GetDatum((int64) root->number);
	values[1] = Int64GetDatum((int64) root->size);
	values[2] = TimestampTzGetDatum(root->at);
	values[3] = PointerGetDatum(bytes_of(root->root, MERKLE_HASH));
	values[4] = PointerGetDatum(bytes_of(root->previous, MERKLE_HASH));
	values[5] = PointerGetDatum(bytes_of(root->key, AUDIT_PUBLIC_KEY));
	values[6] = PointerGetDatum(bytes_of(root->signature, AUDIT_SIGNATURE));
	if (SPI_execute_with_args("INSERT INTO ehr_store.audit_root (number, size, at, root, previous, key, signature)"
							  " VALUES ($1, $2, $3, $4, $5, $6, $7)", 7, types, values, NULL, false, 0) != SPI_OK_INSERT)
		elog(ERROR, "could not write a root of the audit log");
}

static bool signed_here = false;

static void
at_transaction_end(XactEvent event, void *arg)
{
	AuditFailure failure;
	AuditSlot  *slot;

	if (!signed_here || (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE))
		return;
	signed_here = false;
	if (event == XACT_EVENT_ABORT || (slot = audit_slot(MyDatabaseId, &failure)) == NULL)
		return;
	pg_atomic_write_u64(&slot->export_due, (uint64) GetCurrentTimestamp());
	if (!audit_is_writer())
		audit_wake(slot);
}

static void
export_at_commit(void)
{
	static bool registered = false;

	if (!registered)
		RegisterXactCallback(at_transaction_end, NULL);
	registered = true;
	signed_here = true;
	ForceSyncCommit();
}

/* signs what the position's tree holds; 0 for an empty log */
static int64
seal_position(void)
{
	MerkleStack *stack = palloc0(sizeof(MerkleStack));
	AuditRoot	last = {{0}};
	AuditRoot	root = {{0}};
	uint8		seed[SECRET_KEY];
	int64		size;

	/* the position's lock: nothing is imported meanwhile, and roots are made one after the other */
	size = DatumGetInt64(only_row("SELECT seq, tree FROM ehr_store.audit_position WHERE chain OPERATOR(pg_catalog.=) 0 FOR UPDATE", 1));
	if (!audit_stack_load(DatumGetByteaPP(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &(bool) {false})),
						  (uint64) size, stack))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the tree of the audit log in ehr_store.audit_position is damaged")));
	if (size == 0)
		return 0;
	if (last_root(&last) && last.size >= (uint64) size)
		return (int64) last.number;
	memcpy(root.log, DatumGetUUIDP(only_row("SELECT id FROM ehr_store.audit_log", 1))->data, AUDIT_LOG_ID);
	if (last.number > 0)
	{
		memcpy(last.log, root.log, AUDIT_LOG_ID);
		audit_root_hash(&last, root.previous);
	}
	root.number = last.number + 1;
	root.size = (uint64) size;
	root.at = GetCurrentTimestamp();
	merkle_root(stack, root.root);
	vault_signing_seed(seed, true);
	audit_root_sign(&root, seed);
	secret_zero(seed, sizeof(seed));
	insert_root(&root);
	export_at_commit();
	return (int64) root.number;
}

int64
audit_seal_log(void)
{
	EhrRoleSwitch saved;
	int64		number;

	vault_require();
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	ehr_become_owner(&saved, EHR_AS_SYSTEM);
	number = seal_position();
	ehr_become_caller(&saved);
	SPI_finish();
	return number;
}

PG_FUNCTION_INFO_V1(ehr_audit_seal);

/* ehr_internal.audit_seal() → int8: number of the root over all that is imported; null for an empty log */
Datum
ehr_audit_seal(PG_FUNCTION_ARGS)
{
	int64		number = audit_seal_log();

	if (number == 0)
		PG_RETURN_NULL();
	PG_RETURN_INT64(number);
}
