/*
 * mac.c
 *		Keyed MACs: see mac.h.
 */
#include "mac.h"

#include <string.h>

#include <sodium.h>

void
mac_make(const unsigned char key[MAC_KEY_BYTES], const char *domain,
		 const void *data, size_t len, unsigned char out[MAC_BYTES])
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, key, MAC_KEY_BYTES, MAC_BYTES);
	/* the domain's NUL ends it: no domain is another's prefix */
	crypto_generichash_update(&state, (const unsigned char *) domain, strlen(domain) + 1);
	crypto_generichash_update(&state, data, len);
	crypto_generichash_final(&state, out, MAC_BYTES);
}

bool
mac_holds(const unsigned char key[MAC_KEY_BYTES], const char *domain,
		  const void *data, size_t len, const unsigned char mac[MAC_BYTES])
{
	unsigned char expected[MAC_BYTES];

	mac_make(key, domain, data, len, expected);
	return sodium_memcmp(expected, mac, MAC_BYTES) == 0;
}
