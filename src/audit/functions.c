/*
 * functions.c
 *		The audit room's SQL functions in C (all in schema ehr_internal).
 */
#include "postgres.h"

#include <unistd.h>

#include "access/htup_details.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/proc.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "compat.h"
#include "ehr.h"
#include "audit/audit.h"
#include "audit/spool.h"

/* subjects of an array argument; nulls are refused */
static int64 *
int8_array(ArrayType *array, int *n)
{
	Datum	   *datums;
	int64	   *out;

	if (array_contains_nulls(array))
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("a subject must not be null")));
	deconstruct_array(array, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &datums, NULL, n);
	out = palloc(Max(*n, 1) * sizeof(int64));
	for (int i = 0; i < *n; i++)
		out[i] = DatumGetInt64(datums[i]);
	return out;
}

static char *
text_arg(FunctionCallInfo fcinfo, int i)
{
	return PG_ARGISNULL(i) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(i));
}

PG_FUNCTION_INFO_V1(ehr_audit_note);

/*
 * ehr_internal.audit_note(kind text, detail text, subjects bigint[]): an
 * event for the rooms that are written in SQL; see audit_event_of
 */
Datum
ehr_audit_note(PG_FUNCTION_ARGS)
{
	AuditIntent who = {text_arg(fcinfo, 0)};
	int64	   *subjects = NULL;
	int			n = 0;

	if (who.kind == NULL)
		ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("an audit event needs a kind")));
	if (!PG_ARGISNULL(2))
		subjects = int8_array(PG_GETARG_ARRAYTYPE_P(2), &n);
	if (audit_principal != NULL)
		audit_principal(&who);
	audit_event_of(&who, text_arg(fcinfo, 1), subjects, n);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(ehr_audit_entry);

/*
 * ehr_internal.audit_entry(at timestamptz, kind text, intent int8, query_id int8, sub, org, purpose, sid, role, relations,
 * detail, name text, subjects bigint[]) → bytea: the canonical form, null for a row that cannot be an entry
 */
Datum
ehr_audit_entry(PG_FUNCTION_ARGS)
{
	static const enum AuditString order[] = {AUDIT_SUB, AUDIT_ORG, AUDIT_PURPOSE, AUDIT_SID, AUDIT_ROLE, AUDIT_RELATIONS, AUDIT_DETAIL, AUDIT_NAME};
	AuditEntry *entry = palloc0(sizeof(AuditEntry));
	bytea	   *result;
	size_t		size;

	for (int i = 0; i < 4; i++)
	{
		if (PG_ARGISNULL(i))
			PG_RETURN_NULL();
	}
	entry->at = PG_GETARG_TIMESTAMPTZ(0);
	entry->intent = (uint64) PG_GETARG_INT64(2);
	entry->query_id = (uint64) PG_GETARG_INT64(3);
	for (int i = 0; i < AUDIT_STRINGS; i++)
	{
		int			argument = i == 0 ? 1 : 3 + i;
		AuditText  *target = &entry->text[i == 0 ? AUDIT_KIND : order[i - 1]];
		text	   *value;

		if (PG_ARGISNULL(argument))
			continue;
		value = PG_GETARG_TEXT_PP(argument);
		target->data = VARDATA_ANY(value);
		target->length = VARSIZE_ANY_EXHDR(value);
	}
	if (!PG_ARGISNULL(12))
	{
		int			n;
		int64	   *subjects = int8_array(PG_GETARG_ARRAYTYPE_P(12), &n);

		/* more than an entry can hold is a changed row: no hash fits it */
		if (n > AUDIT_MAX_SUBJECTS)
			PG_RETURN_NULL();
		memcpy(entry->subjects, subjects, n * sizeof(int64));
		entry->n_subjects = n;
	}
	size = audit_entry_size(entry);
	if (size == 0)
		PG_RETURN_NULL();
	result = palloc(VARHDRSZ + size);
	SET_VARSIZE(result, VARHDRSZ + size);
	audit_entry_encode(entry, (uint8 *) VARDATA(result));
	pfree(entry);
	PG_RETURN_BYTEA_P(result);
}

PG_FUNCTION_INFO_V1(ehr_audit_hash);

/* ehr_internal.audit_hash(previous bytea, chain int2, seq int8, entry bytea) → bytea: the chain's next hash */
Datum
ehr_audit_hash(PG_FUNCTION_ARGS)
{
	bytea	   *previous = PG_GETARG_BYTEA_PP(0);
	bytea	   *entry = PG_GETARG_BYTEA_PP(3);
	uint8		leaf[AUDIT_HASH_SIZE];
	bytea	   *result;

	if (VARSIZE_ANY_EXHDR(previous) != AUDIT_HASH_SIZE)
		PG_RETURN_NULL();
	audit_leaf_hash((uint16) PG_GETARG_INT16(1), (uint64) PG_GETARG_INT64(2), (uint8 *) VARDATA_ANY(entry), VARSIZE_ANY_EXHDR(entry), leaf);
	result = palloc(VARHDRSZ + AUDIT_HASH_SIZE);
	SET_VARSIZE(result, VARHDRSZ + AUDIT_HASH_SIZE);
	audit_chain_hash((uint8 *) VARDATA_ANY(previous), leaf, (uint8 *) VARDATA(result));
	PG_RETURN_BYTEA_P(result);
}

/* waits until the worker has imported everything up to target, or that long; true when it has */
static bool
wait_imported(AuditSlot *slot, uint64 target, int milliseconds)
{
	TimestampTz end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), milliseconds);
	bool		done;

	ConditionVariablePrepareToSleep(&slot->moved);
	for (;;)
	{
		long		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), end);

		done = slot->all_seen && pg_atomic_read_u64(&slot->imported) >= target;
		if (done || left <= 0)
			break;
		audit_wake(slot);
		ConditionVariableTimedSleep(&slot->moved, Min(left, 100), PG_WAIT_EXTENSION);
	}
	ConditionVariableCancelSleep();
	return done;
}

PG_FUNCTION_INFO_V1(ehr_audit_catch_up);

/*
 * ehr_internal.audit_catch_up(milliseconds int): returns when everything that
 * was recorded before the call is in ehr_store.audit_event.  Waits for the
 * worker as long as told, then imports in this transaction.
 */
Datum
ehr_audit_catch_up(PG_FUNCTION_ARGS)
{
	AuditFailure failure;
	AuditSlot  *slot;

	audit_flush();
	slot = audit_slot(MyDatabaseId, &failure);
	if (slot == NULL)
		audit_fail(&failure);
	if (wait_imported(slot, pg_atomic_read_u64(&slot->written), PG_GETARG_INT32(0)))
		PG_RETURN_VOID();

	if (XactReadOnly)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the audit log is behind, and a read-only transaction cannot bring it up to date"),
				 errhint("SELECT * FROM ehr.self_check() tells why the audit writer does not work.")));
	for (;;)
	{
		AuditImport import = audit_import_batch(slot);

		if (import.no_store || import.all_seen || import.entries == 0)
			PG_RETURN_VOID();
		CHECK_FOR_INTERRUPTS();
	}
}

PG_FUNCTION_INFO_V1(ehr_audit_exports);

/* ehr_internal.audit_exports() → bool: is ehr.audit_root_file set? */
Datum
ehr_audit_exports(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(audit_root_file != NULL && audit_root_file[0] != '\0');
}

PG_FUNCTION_INFO_V1(ehr_audit_status);

/*
 * ehr.audit_status() → (preloaded, served, launcher, worker, durability, directory, writable, waiting,
 * spool_bytes, spool_limit): what self_check() looks at.  Gives the worker two seconds
 * to import what is there; raises no error
 */
Datum
ehr_audit_status(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	Datum		values[10];
	bool		nulls[10] = {0};
	AuditFailure failure;
	AuditSlot  *slot = audit_slot(MyDatabaseId, &failure);
	char		path[MAXPGPATH];

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	desc = BlessTupleDesc(desc);
	values[0] = BoolGetDatum(ehr_preloaded);
	if (slot == NULL)
		memset(nulls + 1, true, 9);
	else
	{
		uint64		target = pg_atomic_read_u64(&slot->written);

		audit_notice_store(slot);
		audit_path(path, MyDatabaseId, 0);
		if (access(path, F_OK) != 0)
			strlcpy(path, audit_directory, sizeof(path));
		values[1] = BoolGetDatum(audit_serves(get_database_name(MyDatabaseId)));
		values[2] = Int32GetDatum(audit_shared->launcher_pid);
		nulls[2] = audit_shared->launcher_pid == 0;
		values[3] = Int32GetDatum(slot->worker_pid);
		nulls[3] = slot->worker_pid == 0;
		values[4] = CStringGetTextDatum(audit_durability == AUDIT_FLUSHED ? "flushed" : "written");
		values[5] = CStringGetTextDatum(audit_directory);
		values[6] = BoolGetDatum(access(path, W_OK | X_OK) == 0);
		values[7] = Int64GetDatum(slot->no_store || wait_imported(slot, target, 2000) ? 0 :
								  Max((int64) (target - pg_atomic_read_u64(&slot->imported)), 1));
		values[8] = Int64GetDatum((int64) pg_atomic_read_u64(&slot->bytes));
		values[9] = Int64GetDatum((int64) audit_spool_limit * 1024 * 1024);
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}
