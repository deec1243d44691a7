/*
 * value_sets.c
 *		Membership of codes in loaded value sets, asked of the terminology functions.
 *
 * ehr_internal.value_set_has(url, system, code) answers null for a value set
 * that nobody loaded; which those are is remembered until the next command,
 * since most value sets are not loaded and every resource asks for them.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"


#include "compat.h"
#include "validate/validate.h"

typedef struct UnknownSet
{
	char		url[256];		/* hash key, cut off */
} UnknownSet;

static struct
{
	HTAB	   *unknown;
	MemoryContext memory;
	TimestampTz statement;
	CommandId	command;
	FmgrInfo	function;
	bool		present;
} kept;

static void
refresh(void)
{
	HASHCTL		control = {.keysize = sizeof(UnknownSet), .entrysize = sizeof(UnknownSet)};
	Oid			types[3] = {TEXTOID, TEXTOID, TEXTOID};
	Oid			function;
	List	   *name;

	if (kept.memory != NULL && kept.statement == GetCurrentStatementStartTimestamp() &&
		kept.command == GetCurrentCommandId(false))
		return;
	if (kept.memory != NULL)
		MemoryContextDelete(kept.memory);
	kept.memory = AllocSetContextCreate(TopMemoryContext, "ehr value sets", ALLOCSET_SMALL_SIZES);
	control.hcxt = kept.memory;
	kept.unknown = hash_create("ehr unknown value sets", 64, &control, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	name = list_make2(makeString("ehr_internal"), makeString("value_set_has"));
	function = LookupFuncName(name, 3, types, true);
	kept.present = OidIsValid(function);
	if (kept.present)
		fmgr_info_cxt(function, &kept.function, kept.memory);
	kept.statement = GetCurrentStatementStartTimestamp();
	kept.command = GetCurrentCommandId(false);
}

/* `code` NULL: only whether it may be known (0 or -1) */
int
value_set_has(Validation *v, const char *url, const char *system, int system_len, const char *code, int code_len)
{
	LOCAL_FCINFO(call, 3);
	UnknownSet	key;
	Datum		result;

	refresh();
	if (!kept.present)
		return -1;
	memset(&key, 0, sizeof(key));
	strlcpy(key.url, url, sizeof(key.url));
	if (hash_search(kept.unknown, &key, HASH_FIND, NULL) != NULL)
		return -1;
	if (code == NULL)
		return 0;
	InitFunctionCallInfoData(*call, &kept.function, 3, C_COLLATION_OID, NULL, NULL);
	call->args[0].value = CStringGetTextDatum(url);
	call->args[0].isnull = false;
	call->args[1].isnull = system == NULL;
	call->args[1].value = system == NULL ? (Datum) 0 : PointerGetDatum(cstring_to_text_with_len(system, system_len));
	call->args[2].value = PointerGetDatum(cstring_to_text_with_len(code, code_len));
	call->args[2].isnull = false;
	result = FunctionCallInvoke(call);
	if (call->isnull)
	{
		(void) hash_search(kept.unknown, &key, HASH_ENTER, NULL);
		return -1;
	}
	return DatumGetBool(result) ? 1 : 0;
}
