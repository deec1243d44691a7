/*
 * verify.c
 *		Hashes the log anew, from its rows: the chain, the tree, and every signed
 *		root at the entry where it ends.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "compat.h"
#include "audit/spool.h"
#include "audit/tree.h"

#define FETCH 1000				/* rows at a time */

typedef struct Check
{
	ReturnSetInfo *result;
	int64		seq;			/* of the entry before */
	uint8		hash[AUDIT_HASH_SIZE];	/* as it is stored there */
	MerkleStack tree;
	bool		tree_whole;		/* no entry was missing so far, and none was no entry */
	Portal		roots;
	AuditRoot	root;			/* the next one to be met */
	bool		root_there;
	uint8		previous[MERKLE_HASH];	/* what it has to name */
	uint8		log[AUDIT_LOG_ID];
} Check;

static void
report(Check *check, int64 seq, const char *problem)
{
	Datum		values[3] = {Int16GetDatum(0), Int64GetDatum(seq), CStringGetTextDatum(problem)};
	bool		nulls[3] = {false};

	tuplestore_putvalues(check->result->setResult, check->result->setDesc, values, nulls);
}

/* a column of a fetched row that must be this many bytes; else zeros, which then do not fit */
static void
copy_bytes(HeapTuple row, TupleDesc desc, int column, void *out, size_t size)
{
	bool		null;
	Datum		value = SPI_getbinval(row, desc, column, &null);
	bytea	   *bytes = null ? NULL : DatumGetByteaPP(value);

	memset(out, 0, size);
	if (bytes != NULL && VARSIZE_ANY_EXHDR(bytes) == size)
		memcpy(out, VARDATA_ANY(bytes), size);
}

static int64
number_of(HeapTuple row, TupleDesc desc, int column)
{
	bool		null;

	return DatumGetInt64(SPI_getbinval(row, desc, column, &null));
}

/* ------------------------------------------------------------------ roots */

static void
next_root(Check *check)
{
	AuditRoot  *root = &check->root;
	HeapTuple	row;
	TupleDesc	desc;

	SPI_cursor_fetch(check->roots, true, 1);
	check->root_there = SPI_processed == 1;
	if (!check->root_there)
		return;
	row = SPI_tuptable->vals[0];
	desc = SPI_tuptable->tupdesc;
	memcpy(root->log, check->log, AUDIT_LOG_ID);
	root->number = (uint64) number_of(row, desc, 1);
	root->size = (uint64) number_of(row, desc, 2);
	root->at = number_of(row, desc, 3);
	copy_bytes(row, desc, 4, root->root, MERKLE_HASH);
	copy_bytes(row, desc, 5, root->previous, MERKLE_HASH);
	copy_bytes(row, desc, 6, root->key, AUDIT_PUBLIC_KEY);
	copy_bytes(row, desc, 7, root->signature, AUDIT_SIGNATURE);
	SPI_freetuptable(SPI_tuptable);
}

/* the roots that end at the last entry seen */
static void
check_roots(Check *check)
{
	while (check->root_there && check->root.size <= (uint64) check->seq)
	{
		AuditRoot  *root = &check->root;
		uint8		now[MERKLE_HASH];

		if (!audit_root_holds(root))
			report(check, check->seq, psprintf("the signature of root " UINT64_FORMAT " does not hold", root->number));
		if (memcmp(root->previous, check->previous, MERKLE_HASH) != 0)
			report(check, check->seq, psprintf("root " UINT64_FORMAT " does not follow the one before it", root->number));
		/* of what is retired, the signature alone is left */
		if (root->size == (uint64) check->seq && check->tree_whole)
		{
			merkle_root(&check->tree, now);
			if (memcmp(root->root, now, MERKLE_HASH) != 0)
				report(check, check->seq, psprintf("root " UINT64_FORMAT " does not belong to these entries", root->number));
		}
		audit_root_hash(root, check->previous);
		next_root(check);
	}
}

/* ------------------------------------------------------------------ entries */

/* stored nodes that became whole must be there and be these */
static void
check_node(void *arg, int level, uint64_t index, const uint8_t hash[MERKLE_HASH])
{
	Check	   *check = arg;
	uint8		stored[MERKLE_HASH];

	if (level == 0 || level % AUDIT_TREE_STEP != 0)
		return;
	if (!audit_tree_fetch(NULL, level, index, stored) || memcmp(stored, hash, MERKLE_HASH) != 0)
		report(check, check->seq, psprintf("node " UINT64_FORMAT " of level %d of the tree was changed", (uint64) index, level));
}

static void
check_entry(Check *check, HeapTuple row, TupleDesc desc)
{
	int64		seq = number_of(row, desc, 1);
	uint8		stored[AUDIT_HASH_SIZE];
	uint8		expected[AUDIT_HASH_SIZE];
	uint8		leaf[AUDIT_HASH_SIZE];
	bool		null;
	Datum		value = SPI_getbinval(row, desc, 3, &null);
	bytea	   *entry = null ? NULL : DatumGetByteaPP(value);

	copy_bytes(row, desc, 2, stored, AUDIT_HASH_SIZE);
	if (seq != check->seq + 1)
	{
		report(check, seq, psprintf("entries " INT64_FORMAT " to " INT64_FORMAT " are missing", check->seq + 1, seq - 1));
		check->tree_whole = false;
	}
	if (entry != NULL)
	{
		audit_leaf_hash(0, (uint64) seq, (uint8 *) VARDATA_ANY(entry), VARSIZE_ANY_EXHDR(entry), leaf);
		audit_chain_hash(check->hash, leaf, expected);
	}
	if (entry == NULL || memcmp(stored, expected, AUDIT_HASH_SIZE) != 0)
	{
		report(check, seq, "the entry or the one before it was changed");
		check->tree_whole &= entry != NULL;
	}
	check->seq = seq;
	memcpy(check->hash, stored, AUDIT_HASH_SIZE);
	if (check->tree_whole)
		merkle_append(&check->tree, leaf, check_node, check);
	check_roots(check);
}

/* where the log begins: at nothing, or behind what is retired */
static void
begin(Check *check)
{
	check->tree_whole = true;
	if (SPI_execute("SELECT last_seq, hash, tree FROM ehr_store.audit_retired ORDER BY last_seq DESC", true, 1) == SPI_OK_SELECT && SPI_processed == 1)
	{
		HeapTuple	row = SPI_tuptable->vals[0];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		null;

		check->seq = number_of(row, desc, 1);
		copy_bytes(row, desc, 2, check->hash, AUDIT_HASH_SIZE);
		check->tree_whole = audit_stack_load(DatumGetByteaPP(SPI_getbinval(row, desc, 3, &null)), (uint64) check->seq, &check->tree);
	}
	if (SPI_execute("SELECT id FROM ehr_store.audit_log", true, 1) == SPI_OK_SELECT && SPI_processed == 1)
	{
		bool		null;

		memcpy(check->log, DatumGetUUIDP(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null))->data, AUDIT_LOG_ID);
	}
}

/* the head that the import keeps must be the last row's */
static void
check_end(Check *check)
{
	HeapTuple	row;
	TupleDesc	desc;
	uint8		hash[AUDIT_HASH_SIZE];
	MerkleStack *stack = palloc0(sizeof(MerkleStack));
	bool		null;

	if (SPI_execute("SELECT seq, hash, tree FROM ehr_store.audit_position WHERE chain OPERATOR(pg_catalog.=) 0", true, 1) != SPI_OK_SELECT ||
		SPI_processed != 1)
	{
		report(check, check->seq, "the row of ehr_store.audit_position is missing");
		return;
	}
	row = SPI_tuptable->vals[0];
	desc = SPI_tuptable->tupdesc;
	copy_bytes(row, desc, 2, hash, AUDIT_HASH_SIZE);
	if (number_of(row, desc, 1) != check->seq || memcmp(hash, check->hash, AUDIT_HASH_SIZE) != 0)
		report(check, number_of(row, desc, 1), "the end of the chain is not the entry that was written last");
	else if (check->tree_whole &&
			 (!audit_stack_load(DatumGetByteaPP(SPI_getbinval(row, desc, 3, &null)), (uint64) check->seq, stack) ||
			  memcmp(stack->hash, check->tree.hash, (size_t) merkle_stack_hashes(stack->size) * MERKLE_HASH) != 0))
		report(check, check->seq, "the tree of the position is not that of the entries");
	for (; check->root_there; next_root(check))
		report(check, check->seq, psprintf("root " UINT64_FORMAT " covers entries that are missing", check->root.number));
}

PG_FUNCTION_INFO_V1(ehr_audit_check);

/* ehr_internal.audit_check() → setof (chain int2, seq int8, problem text) */
Datum
ehr_audit_check(PG_FUNCTION_ARGS)
{
	Check	   *check;
	Portal		entries;
	SPIPlanPtr	plan;

	InitMaterializedSRF(fcinfo, 0);
	check = palloc0(sizeof(Check));
	check->result = (ReturnSetInfo *) fcinfo->resultinfo;
	SPI_connect();
	begin(check);
	plan = SPI_prepare("SELECT number, size, at, root, previous, key, signature FROM ehr_store.audit_root ORDER BY number", 0, NULL);
	check->roots = SPI_cursor_open(NULL, plan, NULL, NULL, true);
	next_root(check);
	check_roots(check);
	plan = SPI_prepare("SELECT e.seq, e.hash, " AUDIT_ROW_ENTRY " FROM ehr_store.audit_event e"
					   " WHERE e.chain OPERATOR(pg_catalog.=) 0 ORDER BY e.seq", 0, NULL);
	entries = SPI_cursor_open(NULL, plan, NULL, NULL, true);
	for (;;)
	{
		SPITupleTable *table;
		uint64		n;

		SPI_cursor_fetch(entries, true, FETCH);
		table = SPI_tuptable;
		n = SPI_processed;
		if (n == 0)
			break;
		for (uint64 i = 0; i < n; i++)
		{
			CHECK_FOR_INTERRUPTS();
			check_entry(check, table->vals[i], table->tupdesc);
		}
		SPI_freetuptable(table);
	}
	check_end(check);
	if (SPI_execute("SELECT FROM ehr_store.audit_event e WHERE e.chain OPERATOR(pg_catalog.<>) 0", true, 1) == SPI_OK_SELECT && SPI_processed > 0)
		report(check, 0, "there are entries of a chain that nobody writes");
	SPI_finish();
	return (Datum) 0;
}
