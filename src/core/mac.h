/*
 * mac.h
 *		Keyed 128-bit MACs (BLAKE2b) with domain separation, for values that
 *		leave the server and come back: session handles, the sealed setting.
 */
#ifndef EHR_MAC_H
#define EHR_MAC_H

#include <stdbool.h>
#include <stddef.h>

#define MAC_KEY_BYTES	32
#define MAC_BYTES		16

/*
 * mac_make writes the MAC of data under key.  Two domains (short constant
 * texts) never give the same MAC for the same data.
 */
extern void mac_make(const unsigned char key[MAC_KEY_BYTES], const char *domain,
					 const void *data, size_t len, unsigned char out[MAC_BYTES]);

/* Does mac belong to data?  Takes the same time whatever the answer. */
extern bool mac_holds(const unsigned char key[MAC_KEY_BYTES], const char *domain,
					  const void *data, size_t len, const unsigned char mac[MAC_BYTES]);

#endif							/* EHR_MAC_H */
