/*
 * seal.h
 *		Sealed values, blind indexes and boxes for other facilities.
 *
 * A sealed value is XChaCha20-Poly1305 under a random nonce:
 *
 *	 0   1      2        10      34               34 + n    50 + n
 *	+---+------+--------+-------+----------------+---------+
 *	| v | kind | key id | nonce | ciphertext, n  | tag, 16 |
 *	+---+------+--------+-------+----------------+---------+
 *
 * The associated data are the first ten bytes and then the context: where the
 * value belongs.  So no bit of it can change, and it opens in no other place.
 * Key ids are big-endian.
 */
#ifndef EHR_CORE_SEAL_H
#define EHR_CORE_SEAL_H

#include "core.h"
#include "secret.h"

#define SEAL_VERSION 1
#define SEAL_HEADER 10
#define SEAL_NONCE 24
#define SEAL_TAG 16
#define SEAL_OVERHEAD (SEAL_HEADER + SEAL_NONCE + SEAL_TAG)
#define SEAL_MAX_CONTEXT 1000	/* bytes */

#define SEAL_KIND_BYTES 'b'
#define SEAL_KIND_TEXT 't'
#define SEAL_KIND_KEY 'k'

typedef struct SealHeader
{
	uint8_t		kind;
	uint64_t	key_id;
} SealHeader;

/*
 * seal_close writes length + SEAL_OVERHEAD bytes; CORE_TOO_LARGE for a context
 * above its limit.  nonce: 24 random bytes that are used this once; NULL draws them.
 */
extern CoreStatus seal_close(const uint8_t key[SECRET_KEY], const uint8_t *nonce, const SealHeader *header, const void *context,
							 size_t context_length, const void *plain, size_t length, uint8_t *out);

/* CORE_INVALID unless these bytes begin as a sealed value does and are long enough */
extern CoreStatus seal_read(const uint8_t *sealed, size_t length, SealHeader *header);

/* writes length - SEAL_OVERHEAD bytes, or CORE_INVALID: another key, another context, or changed */
extern CoreStatus seal_open(const uint8_t key[SECRET_KEY], const void *context, size_t context_length,
							const uint8_t *sealed, size_t length, uint8_t *out);

/* The cipher alone, as published vectors test it: seal_close and seal_open are these with their own associated data. */
extern void seal_raw_close(const uint8_t key[SECRET_KEY], const uint8_t nonce[SEAL_NONCE], const void *ad, size_t ad_length,
						   const void *plain, size_t length, uint8_t *out);
extern CoreStatus seal_raw_open(const uint8_t key[SECRET_KEY], const uint8_t nonce[SEAL_NONCE], const void *ad,
								size_t ad_length, const uint8_t *cipher, size_t length, uint8_t *out);

/* the value's place in a keyed index: equal values have equal ones, and without the key they tell nothing */
#define BLIND_BYTES 16
extern void blind_index(const uint8_t key[SECRET_KEY], const void *value, size_t length, uint8_t out[BLIND_BYTES]);

/*
 * A box that only the holder of a X25519 secret key opens (libsodium's
 * crypto_box_seal).  It does not tell who closed it.
 */
#define BOX_KEY 32
#define BOX_OVERHEAD 48
extern bool box_key_usable(const uint8_t public_key[BOX_KEY]);
extern CoreStatus box_close(const uint8_t public_key[BOX_KEY], const void *plain, size_t length, uint8_t *out);
extern CoreStatus box_open(const uint8_t public_key[BOX_KEY], const uint8_t secret_key[BOX_KEY],
						   const uint8_t *sealed, size_t length, uint8_t *out);

#endif							/* EHR_CORE_SEAL_H */
