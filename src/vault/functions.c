/*
 * functions.c
 *		The vault's SQL functions.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/rel.h"

#include "compat.h"
#include "vault/vault.h"

/* the part of a context before its first slash is the purpose, which chooses the key */
static size_t
purpose_of(const text *context)
{
	const char *data = VARDATA_ANY(context);
	size_t		length = VARSIZE_ANY_EXHDR(context);
	const char *slash = memchr(data, '/', length);
	size_t		n = slash ? (size_t) (slash - data) : length;

	if (n == 0 || n > VAULT_MAX_PURPOSE || length > SEAL_MAX_CONTEXT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the context of a sealed value names no purpose"),
				 errdetail("A context is a purpose of 1 to %d bytes, a slash, and where the value belongs, %d bytes in all.",
						   VAULT_MAX_PURPOSE, SEAL_MAX_CONTEXT)));
	return n;
}

/*
 * Random bytes for nonces, drawn for many at once: a draw is a call of the
 * system, and would be a third of what a short value costs.  Each is given
 * out once, and never to another process.
 */
#define NONCES 128

static const uint8 *
next_nonce(void)
{
	static uint8 nonces[NONCES][SEAL_NONCE];
	static int	used = NONCES;
	static int	owner = 0;

	if (used == NONCES || owner != MyProcPid)
	{
		secret_random(nonces, sizeof(nonces));
		used = 0;
		owner = MyProcPid;
	}
	return nonces[used++];
}

/*
 * seal: (value, context text, person uuid or null) → bytea.  Volatile: each
 * call draws a nonce, and the first one of a purpose makes its key.
 */
static Datum
seal(FunctionCallInfo fcinfo, uint8 kind)
{
	struct varlena *value;
	text	   *context;
	size_t		purpose;
	size_t		length;
	VaultKey	key;
	SealHeader	header = {kind};
	bytea	   *sealed;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	value = PG_GETARG_VARLENA_PP(0);
	context = PG_GETARG_TEXT_PP(1);
	purpose = purpose_of(context);
	key = vault_current(PG_ARGISNULL(2) ? VAULT_PURPOSE : VAULT_PERSON, VARDATA_ANY(context), purpose,
						PG_ARGISNULL(2) ? NULL : PG_GETARG_UUID_P(2), true);
	header.key_id = key.id;
	length = VARSIZE_ANY_EXHDR(value);
	/* palloc refuses what would be too large; no sum here can pass a size_t */
	sealed = palloc(VARHDRSZ + length + SEAL_OVERHEAD);
	SET_VARSIZE(sealed, VARHDRSZ + length + SEAL_OVERHEAD);
	(void) seal_close(key.key, next_nonce(), &header, VARDATA_ANY(context), VARSIZE_ANY_EXHDR(context), VARDATA_ANY(value), length,
					  (uint8 *) VARDATA(sealed));
	PG_RETURN_BYTEA_P(sealed);
}

PG_FUNCTION_INFO_V1(ehr_seal_text);
PG_FUNCTION_INFO_V1(ehr_seal_bytes);

/* ehr.seal(text, context text, person uuid) → bytea */
Datum
ehr_seal_text(PG_FUNCTION_ARGS)
{
	return seal(fcinfo, SEAL_KIND_TEXT);
}

/* ehr.seal(bytea, context text, person uuid) → bytea */
Datum
ehr_seal_bytes(PG_FUNCTION_ARGS)
{
	return seal(fcinfo, SEAL_KIND_BYTES);
}

pg_noreturn static void
cannot_open(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("the sealed value cannot be opened"),
			 errdetail("It was changed, it belongs to another context, or it was never sealed here.")));
	pg_unreachable();
}

/* the plain value of a sealed one, with its kind */
static struct varlena *
open_value(bytea *sealed, text *context, uint8 *kind)
{
	const uint8 *bytes = (const uint8 *) VARDATA_ANY(sealed);
	size_t		length = VARSIZE_ANY_EXHDR(sealed);
	size_t		purpose = purpose_of(context);
	SealHeader	header;
	VaultKey	key;
	struct varlena *value;

	vault_require();
	if (seal_read(bytes, length, &header) != CORE_OK || header.kind == SEAL_KIND_KEY ||
		!vault_by_id(header.key_id, VARDATA_ANY(context), purpose, &key))
		cannot_open();
	value = palloc(VARHDRSZ + length - SEAL_OVERHEAD);
	SET_VARSIZE(value, VARHDRSZ + length - SEAL_OVERHEAD);
	if (seal_open(key.key, VARDATA_ANY(context), VARSIZE_ANY_EXHDR(context), bytes, length, (uint8 *) VARDATA(value)) != CORE_OK)
		cannot_open();
	*kind = header.kind;
	return value;
}

static struct varlena *
open_as(FunctionCallInfo fcinfo, uint8 wanted, const char *other)
{
	uint8		kind;
	struct varlena *value = open_value(PG_GETARG_BYTEA_PP(0), PG_GETARG_TEXT_PP(1), &kind);

	if (kind != wanted)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the sealed value is of another type"),
				 errhint("Use %s.", other)));
	return value;
}

PG_FUNCTION_INFO_V1(ehr_unseal_text);
PG_FUNCTION_INFO_V1(ehr_unseal_bytes);

/* ehr.unseal(bytea, context text) → text */
Datum
ehr_unseal_text(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(open_as(fcinfo, SEAL_KIND_TEXT, "ehr.unseal_bytes"));
}

/* ehr.unseal_bytes(bytea, context text) → bytea */
Datum
ehr_unseal_bytes(PG_FUNCTION_ARGS)
{
	PG_RETURN_BYTEA_P(open_as(fcinfo, SEAL_KIND_BYTES, "ehr.unseal"));
}

PG_FUNCTION_INFO_V1(ehr_sealed_key);

/* ehr_internal.sealed_key(bytea) → int8: id of the key that a value is sealed with; null when it is no sealed value */
Datum
ehr_sealed_key(PG_FUNCTION_ARGS)
{
	bytea	   *sealed = PG_GETARG_BYTEA_PP(0);
	SealHeader	header;

	if (seal_read((const uint8 *) VARDATA_ANY(sealed), VARSIZE_ANY_EXHDR(sealed), &header) != CORE_OK)
		PG_RETURN_NULL();
	PG_RETURN_INT64((int64) header.key_id);
}

PG_FUNCTION_INFO_V1(ehr_reseal);

/* ehr_internal.reseal(bytea, context text, person uuid) → bytea: the same value, of the same type, under today's key */
Datum
ehr_reseal(PG_FUNCTION_ARGS)
{
	LOCAL_FCINFO(inner, 3);
	uint8		kind;
	struct varlena *value;
	Datum		sealed;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	value = open_value(PG_GETARG_BYTEA_PP(0), PG_GETARG_TEXT_PP(1), &kind);
	InitFunctionCallInfoData(*inner, NULL, 3, InvalidOid, NULL, NULL);
	inner->args[0] = (NullableDatum) {PointerGetDatum(value), false};
	inner->args[1] = fcinfo->args[1];
	inner->args[2] = fcinfo->args[2];
	sealed = seal(inner, kind);
	secret_zero(VARDATA(value), VARSIZE(value) - VARHDRSZ);
	return sealed;
}

PG_FUNCTION_INFO_V1(ehr_blind_index);

/*
 * ehr.blind_index(value text, purpose text) → bytea, 16 bytes.  Stable: the key
 * is looked up, and stays the same for ever; it is made by rotate_keys().
 */
Datum
ehr_blind_index(PG_FUNCTION_ARGS)
{
	text	   *value = PG_GETARG_TEXT_PP(0);
	text	   *purpose = PG_GETARG_TEXT_PP(1);
	size_t		length = VARSIZE_ANY_EXHDR(purpose);
	bytea	   *index;
	VaultKey	key;

	if (length == 0 || length > VAULT_MAX_PURPOSE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a blind index needs a purpose of 1 to %d bytes", VAULT_MAX_PURPOSE)));
	key = vault_current(VAULT_INDEX, VARDATA_ANY(purpose), length, NULL, false);
	index = palloc(VARHDRSZ + BLIND_BYTES);
	SET_VARSIZE(index, VARHDRSZ + BLIND_BYTES);
	blind_index(key.key, VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), (uint8 *) VARDATA(index));
	PG_RETURN_BYTEA_P(index);
}

PG_FUNCTION_INFO_V1(ehr_vault_prepare);

/* ehr_internal.vault_prepare(): makes the keys that every vault has, where they are not there yet */
Datum
ehr_vault_prepare(PG_FUNCTION_ARGS)
{
	(void) vault_current(VAULT_INDEX, "-", 1, NULL, true);
	(void) vault_current(VAULT_SIGN, "", 0, NULL, true);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(ehr_vault_rewrap);

/* ehr_internal.vault_rewrap(id int8) → bool: wraps a key under the current root; false when there is nothing to do */
Datum
ehr_vault_rewrap(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(vault_rewrap((uint64) PG_GETARG_INT64(0)));
}

PG_FUNCTION_INFO_V1(ehr_vault_root);

/* ehr_internal.vault_root() → int8: id of the current root key; null without one, since the planner calls it, too */
Datum
ehr_vault_root(PG_FUNCTION_ARGS)
{
	if (!vault_available())
		PG_RETURN_NULL();
	PG_RETURN_INT64((int64) vault_root_id(0));
}

PG_FUNCTION_INFO_V1(ehr_vault_status);

/* ehr.vault_status() → (configured bool, usable bool, locked bool, keys int, problem text); raises no error */
Datum
ehr_vault_status(PG_FUNCTION_ARGS)
{
	const VaultRootState *state = vault_root_state();
	TupleDesc	desc;
	Datum		values[5];
	bool		nulls[5] = {0};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	desc = BlessTupleDesc(desc);
	values[0] = BoolGetDatum(state->configured);
	values[1] = BoolGetDatum(vault_available());
	values[2] = BoolGetDatum(state->locked);
	values[3] = Int32GetDatum(state->n);
	nulls[4] = state->problem == NULL;
	values[4] = state->problem ? CStringGetTextDatum(state->problem) : (Datum) 0;
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}

PG_FUNCTION_INFO_V1(ehr_vault_changed_trigger);

/* statement trigger on ehr_store.vault_key: every backend forgets the keys that it holds */
Datum
ehr_vault_changed_trigger(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("ehr_internal.vault_changed_trigger can only be used as a trigger")));
	CacheInvalidateRelcache(((TriggerData *) fcinfo->context)->tg_relation);
	PG_RETURN_POINTER(NULL);
}

/* ------------------------------------------------------------------ boxes for facilities */

PG_FUNCTION_INFO_V1(ehr_box_key_usable);

/* ehr_internal.box_key_usable(bytea) → bool: 32 bytes that are a X25519 public key and no point of small order */
Datum
ehr_box_key_usable(PG_FUNCTION_ARGS)
{
	bytea	   *key = PG_GETARG_BYTEA_PP(0);

	PG_RETURN_BOOL(VARSIZE_ANY_EXHDR(key) == BOX_KEY && box_key_usable((const uint8 *) VARDATA_ANY(key)));
}

PG_FUNCTION_INFO_V1(ehr_box);

/* ehr_internal.box(value bytea, public_key bytea) → bytea: only the holder of the secret key opens it */
Datum
ehr_box(PG_FUNCTION_ARGS)
{
	bytea	   *value = PG_GETARG_BYTEA_PP(0);
	bytea	   *key = PG_GETARG_BYTEA_PP(1);
	size_t		length = VARSIZE_ANY_EXHDR(value);
	bytea	   *sealed;

	if (VARSIZE_ANY_EXHDR(key) != BOX_KEY)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a facility's key has %d bytes", BOX_KEY)));
	sealed = palloc(VARHDRSZ + length + BOX_OVERHEAD);
	SET_VARSIZE(sealed, VARHDRSZ + length + BOX_OVERHEAD);
	if (box_close((const uint8 *) VARDATA_ANY(key), VARDATA_ANY(value), length, (uint8 *) VARDATA(sealed)) != CORE_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the facility's key cannot be used")));
	PG_RETURN_BYTEA_P(sealed);
}
