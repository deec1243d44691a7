/*
 * vault_peers.c
 *		What the vault is measured beside: functions that do nothing, called as its own are, and loops over libsodium alone.
 */
#include "postgres.h"

#include "fmgr.h"

#include <sodium.h>

PG_MODULE_MAGIC;

static Datum
bytes(size_t n)
{
	bytea	   *b = palloc(VARHDRSZ + n);

	SET_VARSIZE(b, VARHDRSZ + n);
	memset(VARDATA(b), 1, n);
	return PointerGetDatum(b);
}

PG_FUNCTION_INFO_V1(noop_index);
Datum
noop_index(PG_FUNCTION_ARGS)
{
	(void) PG_GETARG_TEXT_PP(0);
	(void) PG_GETARG_TEXT_PP(1);
	return bytes(16);
}

PG_FUNCTION_INFO_V1(noop_seal);
Datum
noop_seal(PG_FUNCTION_ARGS)
{
	text	   *value = PG_GETARG_TEXT_PP(0);

	(void) PG_GETARG_TEXT_PP(1);
	return bytes(VARSIZE_ANY_EXHDR(value) + 50);
}

PG_FUNCTION_INFO_V1(sodium_index);
Datum
sodium_index(PG_FUNCTION_ARGS)
{
	unsigned char key[32] = {1};
	unsigned char out[16];
	unsigned char value[12] = "079185123457";

	if (sodium_init() < 0)
		PG_RETURN_NULL();
	for (int32 i = PG_GETARG_INT32(0); i > 0; i--)
	{
		value[i % 12] = (unsigned char) ('0' + i % 10);
		crypto_generichash(out, sizeof(out), value, sizeof(value), key, sizeof(key));
	}
	PG_RETURN_INT32(out[0]);
}

PG_FUNCTION_INFO_V1(sodium_seal);
Datum
sodium_seal(PG_FUNCTION_ARGS)
{
	unsigned char key[32] = {1};
	unsigned char nonce[24] = {2};
	unsigned char ad[20] = {3};
	static unsigned char plain[1024];
	static unsigned char out[1024 + 16];

	if (sodium_init() < 0)
		PG_RETURN_NULL();
	for (int32 i = PG_GETARG_INT32(0); i > 0; i--)
	{
		plain[i % 1024] = (unsigned char) i;
		nonce[i % 24]++;
		crypto_aead_xchacha20poly1305_ietf_encrypt(out, NULL, plain, sizeof(plain), ad, sizeof(ad), NULL, nonce, key);
	}
	PG_RETURN_INT32(out[0]);
}
