/*
 * utf8.h
 *		Reading and writing UTF-8 (RFC 3629).
 */
#ifndef EHR_UTF8_H
#define EHR_UTF8_H

#include "core.h"

/*
 * utf8_decode reads one code point from the len bytes at s and returns how
 * many bytes it took; 0 when they are no UTF-8 (overlong forms, surrogates,
 * values above U+10FFFF, cut sequences) or len is 0.
 */
extern int	utf8_decode(const char *s, size_t len, uint32_t *codepoint);

/* utf8_encode writes a valid code point to out (up to 4 bytes) and returns its length. */
extern int	utf8_encode(uint32_t codepoint, char *out);

#endif							/* EHR_UTF8_H */
