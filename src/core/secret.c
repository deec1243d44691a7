/*
 * secret.c
 *		Memory for keys: see secret.h.
 */
#include "secret.h"

#include <string.h>

#include <sodium.h>

void *
secret_alloc(size_t size, bool *locked)
{
	void	   *memory;

	*locked = false;
	if (sodium_init() < 0 || (memory = sodium_malloc(size)) == NULL)
		return NULL;
	/* sodium_malloc tries, too, but does not tell how it went */
	*locked = sodium_mlock(memory, size) == 0;
	memset(memory, 0, size);
	return memory;
}

void
secret_free(void *memory)
{
	sodium_free(memory);
}

void
secret_zero(void *memory, size_t size)
{
	sodium_memzero(memory, size);
}

void
secret_random(void *memory, size_t size)
{
	randombytes_buf(memory, size);
}

bool
secret_equal(const void *a, const void *b, size_t size)
{
	return sodium_memcmp(a, b, size) == 0;
}

void
secret_derive(const uint8_t key[SECRET_KEY], const char *domain, const void *data, size_t length,
			  uint8_t out[SECRET_KEY])
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, key, SECRET_KEY, SECRET_KEY);
	crypto_generichash_update(&state, (const unsigned char *) domain, strlen(domain) + 1);
	crypto_generichash_update(&state, data, length);
	crypto_generichash_final(&state, out, SECRET_KEY);
	sodium_memzero(&state, sizeof(state));
}

CoreStatus
secret_keys_read(const char *text, size_t length, uint8_t keys[][SECRET_KEY], int max, int *n)
{
	const size_t digits = 2 * SECRET_KEY;

	*n = 0;
	while (length > 0)
	{
		size_t		got;

		if (length < digits)
			return CORE_INVALID;
		if (*n == max)
			return CORE_TOO_LARGE;
		if (sodium_hex2bin(keys[*n], SECRET_KEY, text, digits, NULL, &got, NULL) != 0 || got != SECRET_KEY)
			return CORE_INVALID;
		(*n)++;
		text += digits;
		length -= digits;
		if (length > 0 && *text == '\r')
			text++, length--;
		if (length > 0 && (text[0] != '\n'))
			return CORE_INVALID;
		if (length > 0)
			text++, length--;
	}
	return *n > 0 ? CORE_OK : CORE_INVALID;
}
