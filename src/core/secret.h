/*
 * secret.h
 *		Memory for keys: locked into RAM, left out of core dumps, between guard
 *		pages, and zeroed when it is given back (libsodium).
 */
#ifndef EHR_CORE_SECRET_H
#define EHR_CORE_SECRET_H

#include "core.h"

#define SECRET_KEY 32			/* bytes of every symmetric key */

/*
 * secret_alloc: NULL when there is no memory.  *locked tells whether the
 * system let it be locked (RLIMIT_MEMLOCK); it can be used either way.
 */
extern void *secret_alloc(size_t size, bool *locked);
extern void secret_free(void *memory);

extern void secret_zero(void *memory, size_t size);
extern void secret_random(void *memory, size_t size);
extern bool secret_equal(const void *a, const void *b, size_t size);

/*
 * secret_derive makes a key for one use out of a key: keyed BLAKE2b over the
 * domain, its NUL, and the data.  No domain is another's prefix.
 */
extern void secret_derive(const uint8_t key[SECRET_KEY], const char *domain, const void *data, size_t length,
						  uint8_t out[SECRET_KEY]);

/*
 * secret_keys_read reads keys as text: one of 64 hexadecimal digits a line,
 * the last line end optional.  CORE_INVALID when anything else is there or
 * nothing at all, CORE_TOO_LARGE for more than max keys.
 */
extern CoreStatus secret_keys_read(const char *text, size_t length, uint8_t keys[][SECRET_KEY], int max, int *n);

#endif							/* EHR_CORE_SECRET_H */
