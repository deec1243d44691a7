/*
 * bytes.h
 *		Short strings compared and scanned without a call: keys and codes are mostly shorter than 16 bytes.
 */
#ifndef EHR_BYTES_H
#define EHR_BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Eight bytes from anywhere */
static inline uint64_t
bytes_load(const char *text)
{
	uint64_t	word;

	memcpy(&word, text, sizeof(word));
	return word;
}

static inline uint32_t
bytes_load_half(const char *text)
{
	uint32_t	word;

	memcpy(&word, text, sizeof(word));
	return word;
}

static inline bool
bytes_same(const char *a, const char *b, size_t len)
{
	if (len > 16)
		return memcmp(a, b, len) == 0;
	/* the two words overlap where len is below 16, the two halves where it is below 8 */
	if (len >= 8)
		return bytes_load(a) == bytes_load(b) && bytes_load(a + len - 8) == bytes_load(b + len - 8);
	if (len >= 4)
		return bytes_load_half(a) == bytes_load_half(b) && bytes_load_half(a + len - 4) == bytes_load_half(b + len - 4);
	for (size_t i = 0; i < len; i++)
	{
		if (a[i] != b[i])
			return false;
	}
	return true;
}

/* The order of jsonb's keys: by length, then by bytes. Negative, 0 or positive. */
static inline int
bytes_key_order(const char *a, size_t a_len, const char *b, size_t b_len)
{
	if (a_len != b_len)
		return a_len < b_len ? -1 : 1;
	return bytes_same(a, b, a_len) ? 0 : memcmp(a, b, a_len);
}

#define BYTES_ONES	UINT64_C(0x0101010101010101)
#define BYTES_HIGH	UINT64_C(0x8080808080808080)

/* Whether one of a word's eight bytes is below n (1..128) */
static inline bool
bytes_any_below(uint64_t word, unsigned n)
{
	return ((word - BYTES_ONES * n) & ~word & BYTES_HIGH) != 0;
}

#endif							/* EHR_BYTES_H */
