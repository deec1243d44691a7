/*
 * keys.c
 *		Data keys: wrapped in ehr_store.vault_key, and in this backend's locked
 *		memory while they are used.
 *
 * The memory is a table of places, each for one key made fit for one use; a
 * key that hashes to a taken place pushes the other out.  All of it is zeroed
 * when vault_key changes (by a relation-cache message, looked for at least
 * once a statement), when a transaction that made a key is rolled back, and
 * at the end of the backend.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "as_owner.h"
#include "vault/vault.h"

#define PLACES 512				/* 16 kB of keys */

typedef struct Place
{
	bool		used;
	bool		by_id;			/* found by id, else by what it is for */
	char		kind;			/* 0 for one found by id */
	bool		has_person;
	uint8		length;
	char		purpose[VAULT_MAX_PURPOSE];
	pg_uuid_t	person;
	uint64		id;
} Place;

static Place *places;
static uint8 (*secrets)[SECRET_KEY];
static bool stale;				/* what is in the places may be wrong */
static bool made_key;			/* this transaction made one */
static Oid	key_table = InvalidOid;
static TimestampTz looked;		/* start of the statement in which messages were last looked for */

/* ------------------------------------------------------------------ memory */

static void
forget(void)
{
	if (places != NULL)
	{
		secret_zero(secrets, PLACES * SECRET_KEY);
		memset(places, 0, PLACES * sizeof(Place));
	}
	stale = false;
}

static void
forget_at_exit(int code, Datum arg)
{
	forget();
}

static void
relation_changed(Datum arg, Oid relation)
{
	if (relation == InvalidOid || relation == key_table)
		stale = true;
}

static void
transaction_ended(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT && made_key)
		stale = true;
	if (event == XACT_EVENT_ABORT || event == XACT_EVENT_COMMIT)
		made_key = false;
}

static void
subtransaction_ended(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB && made_key)
		stale = true;
}

static void
make_memory(void)
{
	bool		locked;

	if (places != NULL)
		return;
	secrets = secret_alloc(PLACES * SECRET_KEY, &locked);
	if (secrets == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory"), errdetail("There is none for the vault's keys.")));
	places = MemoryContextAllocZero(TopMemoryContext, PLACES * sizeof(Place));
	before_shmem_exit(forget_at_exit, (Datum) 0);
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
	RegisterXactCallback(transaction_ended, NULL);
	RegisterSubXactCallback(subtransaction_ended, NULL);
}

/* to be called before any place is looked at */
static inline void
be_current(void)
{
	TimestampTz now = GetCurrentStatementStartTimestamp();

	vault_require();
	if (unlikely(places == NULL))
		make_memory();
	if (now != looked)
	{
		AcceptInvalidationMessages();
		looked = now;
	}
	if (unlikely(stale))
		forget();
}

static inline Place *
place_of(const Place *like)
{
	uint32		h = like->by_id ? murmurhash32((uint32) like->id) : 0;

	h = hash_combine(h, hash_bytes((const unsigned char *) like->purpose, like->length));
	if (like->has_person)
		h = hash_combine(h, hash_bytes(like->person.data, UUID_LEN));
	return &places[(h ^ (uint32) like->kind) % PLACES];
}

static inline bool
is_like(const Place *place, const Place *like)
{
	return place->used && place->by_id == like->by_id && place->length == like->length &&
		memcmp(place->purpose, like->purpose, like->length) == 0 &&
		(like->by_id ? place->id == like->id
		 : place->kind == like->kind && place->has_person == like->has_person &&
		 (!like->has_person || memcmp(&place->person, &like->person, sizeof(pg_uuid_t)) == 0));
}

static VaultKey
key_at(const Place *place)
{
	return (VaultKey) {place->id, secrets[place - places]};
}

/* the data key made fit for its use, in its place */
static VaultKey
keep(const Place *like, const uint8 data_key[SECRET_KEY])
{
	Place	   *place = place_of(like);
	const char *domain = like->kind == VAULT_INDEX ? "ehr blind index" : like->kind == VAULT_SIGN ? "ehr audit root" : "ehr seal";

	*place = *like;
	place->used = true;
	secret_derive(data_key, domain, like->purpose, like->length, secrets[place - places]);
	return key_at(place);
}

/* ------------------------------------------------------------------ the table */

typedef struct KeyRow
{
	uint64		id;
	char		kind;
	uint64		root;
	bytea	   *wrapped;		/* NULL: destroyed */
} KeyRow;

#define KEY_COLUMNS "id, kind, root, wrapped"

static int
row_context(char *out, size_t room, uint64 id, char kind)
{
	return snprintf(out, room, "vault_key/" UINT64_FORMAT "/%c", id, kind);
}

/* the result's only row, copied out of SPI's memory */
static bool
fetch_row(MemoryContext cxt, KeyRow *row)
{
	HeapTuple	tuple;
	TupleDesc	desc;
	bool		null;
	Datum		wrapped;

	if (SPI_processed == 0)
		return false;
	tuple = SPI_tuptable->vals[0];
	desc = SPI_tuptable->tupdesc;
	row->id = (uint64) DatumGetInt64(SPI_getbinval(tuple, desc, 1, &null));
	row->kind = DatumGetChar(SPI_getbinval(tuple, desc, 2, &null));
	row->root = (uint64) DatumGetInt64(SPI_getbinval(tuple, desc, 3, &null));
	wrapped = SPI_getbinval(tuple, desc, 4, &null);
	row->wrapped = null ? NULL : (bytea *) MemoryContextAlloc(cxt, VARSIZE_ANY(DatumGetPointer(wrapped)));
	if (!null)
		memcpy(row->wrapped, DatumGetPointer(wrapped), VARSIZE_ANY(DatumGetPointer(wrapped)));
	return true;
}

/*
 * Runs a statement over vault_key as the store's owner.  Reads see what is
 * committed now, whatever snapshot the transaction has: a key that was
 * destroyed is gone under REPEATABLE READ, too.  (In parallel mode no new
 * snapshot can be taken.)
 */
static bool
run(const char *sql, int n, Oid *types, Datum *values, const char *nulls, bool read_only, KeyRow *row)
{
	MemoryContext cxt = CurrentMemoryContext;
	EhrRoleSwitch saved;
	bool		found;
	bool		latest = read_only && !IsInParallelMode();
	int			code;

	ehr_become_owner(&saved, EHR_AS_SYSTEM);
	if (latest)
		PushActiveSnapshot(GetLatestSnapshot());
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	code = SPI_execute_with_args(sql, n, types, values, nulls, read_only, 0);
	if (code < 0)
		elog(ERROR, "could not read the vault's keys: %s", SPI_result_code_string(code));
	found = row != NULL && SPI_tuptable != NULL ? fetch_row(cxt, row) : SPI_processed > 0;
	SPI_finish();
	if (latest)
		PopActiveSnapshot();
	ehr_become_caller(&saved);
	if (!OidIsValid(key_table))
		key_table = get_relname_relid("vault_key", get_namespace_oid("ehr_store", false));
	return found;
}

static bool
row_by_id(uint64 id, KeyRow *row)
{
	Oid			types[1] = {INT8OID};
	Datum		values[1] = {Int64GetDatum((int64) id)};

	return run("SELECT " KEY_COLUMNS " FROM ehr_store.vault_key WHERE id OPERATOR(pg_catalog.=) $1", 1, types, values, NULL, true, row);
}

/* parameters (kind, purpose, person) of a statement */
static bool
run_for(const char *sql, const Place *like, bool read_only, KeyRow *row)
{
	Oid			types[3] = {CHAROID, TEXTOID, UUIDOID};
	Datum		values[3];
	char		nulls[3] = {' ', ' ', ' '};

	/* a person's key serves all purposes */
	values[0] = CharGetDatum(like->kind);
	values[1] = PointerGetDatum(cstring_to_text_with_len(like->purpose, like->kind == VAULT_PURPOSE ? like->length : 0));
	values[2] = UUIDPGetDatum(&like->person);
	if (!like->has_person)
		nulls[2] = 'n';
	return run(sql, 3, types, values, nulls, read_only, row);
}

static void
unwrap(const KeyRow *row, uint8 key[SECRET_KEY])
{
	uint8		wrapping[SECRET_KEY];
	char		context[64];
	CoreStatus	status;

	if (!vault_wrapping_key(row->root, wrapping))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the vault's keys were wrapped under another root key"),
				 errdetail("The root key that is needed is %016llx.", (unsigned long long) row->root),
				 errhint("Add that key to what ehr.vault_key_file or ehr.vault_key_command gives, behind the current one, and restart the server.")));
	if (VARSIZE_ANY_EXHDR(row->wrapped) != SECRET_KEY + SEAL_OVERHEAD)
		status = CORE_INVALID;
	else
		status = seal_open(wrapping, context, row_context(context, sizeof(context), row->id, row->kind),
						   (const uint8_t *) VARDATA_ANY(row->wrapped), SECRET_KEY + SEAL_OVERHEAD, key);
	secret_zero(wrapping, sizeof(wrapping));
	if (status != CORE_OK)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("a key of the vault is damaged"),
				 errdetail("Row " UINT64_FORMAT " of ehr_store.vault_key cannot be unwrapped.", row->id)));
}

static bytea *
wrap(uint64 id, char kind, const uint8 key[SECRET_KEY])
{
	uint8		wrapping[SECRET_KEY];
	SealHeader	header = {SEAL_KIND_KEY, vault_root_id(0)};
	bytea	   *wrapped = palloc(VARHDRSZ + SECRET_KEY + SEAL_OVERHEAD);
	char		context[64];

	SET_VARSIZE(wrapped, VARHDRSZ + SECRET_KEY + SEAL_OVERHEAD);
	(void) vault_wrapping_key(header.key_id, wrapping);
	(void) seal_close(wrapping, NULL, &header, context, row_context(context, sizeof(context), id, kind), key, SECRET_KEY,
					  (uint8_t *) VARDATA(wrapped));
	secret_zero(wrapping, sizeof(wrapping));
	return wrapped;
}

static uint64
next_id(void)
{
	KeyRow		row;

	(void) run("SELECT pg_catalog.nextval('ehr_store.vault_key_id_seq'), 'p'::\"char\", 0::int8, NULL::bytea", 0, NULL, NULL, NULL, false, &row);
	return row.id;
}

/* inserts a new key; somebody else's that is there by then counts as well */
static void
make_row(const Place *like)
{
	uint8		key[SECRET_KEY];
	uint64		id = next_id();
	Oid			types[6] = {INT8OID, CHAROID, TEXTOID, UUIDOID, INT8OID, BYTEAOID};
	Datum		values[6];
	char		nulls[6] = {' ', ' ', ' ', ' ', ' ', ' '};

	secret_random(key, sizeof(key));
	values[0] = Int64GetDatum((int64) id);
	values[1] = CharGetDatum(like->kind);
	values[2] = PointerGetDatum(cstring_to_text_with_len(like->purpose, like->kind == VAULT_PURPOSE ? like->length : 0));
	values[3] = UUIDPGetDatum(&like->person);
	if (!like->has_person)
		nulls[3] = 'n';
	values[4] = Int64GetDatum((int64) vault_root_id(0));
	values[5] = PointerGetDatum(wrap(id, like->kind, key));
	secret_zero(key, sizeof(key));
	made_key = true;
	(void) run("INSERT INTO ehr_store.vault_key (id, kind, purpose, person, root, wrapped) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
			   6, types, values, nulls, false, NULL);
}

static pg_noinline VaultKey
load_current(Place *like, bool make)
{
	static const char sql[] = "SELECT " KEY_COLUMNS " FROM ehr_store.vault_key WHERE kind OPERATOR(pg_catalog.=) $1"
		" AND purpose OPERATOR(pg_catalog.=) $2 AND person IS NOT DISTINCT FROM $3 AND retired IS NULL AND wrapped IS NOT NULL";
	uint8		key[SECRET_KEY];
	VaultKey	result;
	KeyRow		row;

	if (!run_for(sql, like, true, &row))
	{
		if (!make)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("the vault has no key for this yet"),
					 errhint("SELECT ehr.rotate_keys() makes the keys of the vault.")));
		make_row(like);
		if (!run_for(sql, like, true, &row))
			ereport(ERROR,
					(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
					 errmsg("another transaction has just made the same key of the vault"),
					 errhint("Repeat the transaction.")));
	}
	unwrap(&row, key);
	like->id = row.id;
	result = keep(like, key);
	/* a statement that opens what it has just sealed does not see the key's row yet */
	if (like->kind == VAULT_PURPOSE || like->kind == VAULT_PERSON)
	{
		Place		by_id = *like;

		by_id.by_id = true;
		by_id.kind = 0;
		by_id.has_person = false;
		memset(&by_id.person, 0, sizeof(by_id.person));
		(void) keep(&by_id, key);
		/* should both share a place */
		result = keep(like, key);
	}
	secret_zero(key, sizeof(key));
	return result;
}

VaultKey
vault_current(VaultKind kind, const char *purpose, size_t length, const pg_uuid_t *person, bool make)
{
	Place		like = {.kind = (char) kind, .length = (uint8) length};
	Place	   *place;

	Assert(length <= VAULT_MAX_PURPOSE);
	be_current();
	memcpy(like.purpose, purpose, length);
	if (person != NULL)
	{
		like.has_person = true;
		like.person = *person;
	}
	place = place_of(&like);
	return likely(is_like(place, &like)) ? key_at(place) : load_current(&like, make);
}

bool
vault_by_id(uint64 id, const char *purpose, size_t length, VaultKey *result)
{
	Place		like = {.by_id = true, .length = (uint8) length, .id = id};
	uint8		key[SECRET_KEY];
	Place	   *place;
	KeyRow		row;

	be_current();
	memcpy(like.purpose, purpose, length);
	place = place_of(&like);
	if (likely(is_like(place, &like)))
	{
		*result = key_at(place);
		return true;
	}
	if ((int64) id <= 0 || !row_by_id(id, &row) || (row.kind != VAULT_PURPOSE && row.kind != VAULT_PERSON))
		return false;
	if (row.wrapped == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("the key of this value has been destroyed"),
				 errdetail("The person's data were erased; what was sealed under the key cannot be opened by anybody.")));
	unwrap(&row, key);
	*result = keep(&like, key);
	secret_zero(key, sizeof(key));
	return true;
}

bool
vault_rewrap(uint64 id)
{
	uint8		key[SECRET_KEY];
	Oid			types[3] = {INT8OID, INT8OID, BYTEAOID};
	Datum		values[3];
	KeyRow		row;

	vault_require();
	if (!row_by_id(id, &row) || row.wrapped == NULL || row.root == vault_root_id(0))
		return false;
	unwrap(&row, key);
	values[0] = Int64GetDatum((int64) id);
	values[1] = Int64GetDatum((int64) vault_root_id(0));
	values[2] = PointerGetDatum(wrap(id, row.kind, key));
	secret_zero(key, sizeof(key));
	return run("UPDATE ehr_store.vault_key SET root = $2, wrapped = $3 WHERE id OPERATOR(pg_catalog.=) $1", 3, types, values, NULL, false, NULL);
}

void
vault_signing_seed(uint8 seed[SECRET_KEY], bool make)
{
	VaultKey	key = vault_current(VAULT_SIGN, "", 0, NULL, make);

	memcpy(seed, key.key, SECRET_KEY);
}
