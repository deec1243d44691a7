/*
 * seal.c
 *		Sealed values, blind indexes, boxes: see seal.h.
 */
#include "seal.h"

#include <string.h>

#include <sodium.h>

static size_t
associated(const uint8_t *sealed, const void *context, size_t context_length, uint8_t *out)
{
	memcpy(out, sealed, SEAL_HEADER);
	if (context_length > 0)
		memcpy(out + SEAL_HEADER, context, context_length);
	return SEAL_HEADER + context_length;
}

void
seal_raw_close(const uint8_t key[SECRET_KEY], const uint8_t nonce[SEAL_NONCE], const void *ad, size_t ad_length,
			   const void *plain, size_t length, uint8_t *out)
{
	crypto_aead_xchacha20poly1305_ietf_encrypt(out, NULL, plain, length, ad, ad_length, NULL, nonce, key);
}

CoreStatus
seal_raw_open(const uint8_t key[SECRET_KEY], const uint8_t nonce[SEAL_NONCE], const void *ad,
			  size_t ad_length, const uint8_t *cipher, size_t length, uint8_t *out)
{
	return crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, cipher, length, ad, ad_length, nonce, key) == 0
		? CORE_OK : CORE_INVALID;
}

CoreStatus
seal_close(const uint8_t key[SECRET_KEY], const uint8_t *drawn, const SealHeader *header, const void *context,
		   size_t context_length, const void *plain, size_t length, uint8_t *out)
{
	uint8_t		ad[SEAL_HEADER + SEAL_MAX_CONTEXT];
	uint8_t    *nonce = out + SEAL_HEADER;

	if (context_length > SEAL_MAX_CONTEXT)
		return CORE_TOO_LARGE;
	out[0] = SEAL_VERSION;
	out[1] = header->kind;
	for (int i = 0; i < 8; i++)
		out[2 + i] = (uint8_t) (header->key_id >> (56 - 8 * i));
	if (drawn != NULL)
		memcpy(nonce, drawn, SEAL_NONCE);
	else
		randombytes_buf(nonce, SEAL_NONCE);
	seal_raw_close(key, nonce, ad, associated(out, context, context_length, ad), plain, length, nonce + SEAL_NONCE);
	return CORE_OK;
}

CoreStatus
seal_read(const uint8_t *sealed, size_t length, SealHeader *header)
{
	if (length < SEAL_OVERHEAD || sealed[0] != SEAL_VERSION ||
		(sealed[1] != SEAL_KIND_BYTES && sealed[1] != SEAL_KIND_TEXT && sealed[1] != SEAL_KIND_KEY))
		return CORE_INVALID;
	header->kind = sealed[1];
	header->key_id = 0;
	for (int i = 0; i < 8; i++)
		header->key_id = header->key_id << 8 | sealed[2 + i];
	return CORE_OK;
}

CoreStatus
seal_open(const uint8_t key[SECRET_KEY], const void *context, size_t context_length,
		  const uint8_t *sealed, size_t length, uint8_t *out)
{
	uint8_t		ad[SEAL_HEADER + SEAL_MAX_CONTEXT];
	const uint8_t *nonce = sealed + SEAL_HEADER;

	if (length < SEAL_OVERHEAD || context_length > SEAL_MAX_CONTEXT)
		return CORE_INVALID;
	return seal_raw_open(key, nonce, ad, associated(sealed, context, context_length, ad), nonce + SEAL_NONCE,
						 length - SEAL_HEADER - SEAL_NONCE, out);
}

void
blind_index(const uint8_t key[SECRET_KEY], const void *value, size_t length, uint8_t out[BLIND_BYTES])
{
	crypto_generichash(out, BLIND_BYTES, value, length, key, SECRET_KEY);
}

bool
box_key_usable(const uint8_t public_key[BOX_KEY])
{
	static const uint8_t scalar[BOX_KEY] = {8};
	uint8_t		shared[crypto_scalarmult_BYTES];

	/* a point of small order gives everybody the same key; libsodium refuses it here */
	return crypto_scalarmult(shared, scalar, public_key) == 0;
}

CoreStatus
box_close(const uint8_t public_key[BOX_KEY], const void *plain, size_t length, uint8_t *out)
{
	return crypto_box_seal(out, plain, length, public_key) == 0 ? CORE_OK : CORE_INVALID;
}

CoreStatus
box_open(const uint8_t public_key[BOX_KEY], const uint8_t secret_key[BOX_KEY],
		 const uint8_t *sealed, size_t length, uint8_t *out)
{
	return length >= BOX_OVERHEAD && crypto_box_seal_open(out, sealed, length, public_key, secret_key) == 0
		? CORE_OK : CORE_INVALID;
}
