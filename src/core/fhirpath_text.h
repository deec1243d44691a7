/*
 * fhirpath_text.h
 *		Letters of any script for upper(), lower() and ~, without a locale.
 */
#ifndef EHR_FHIRPATH_TEXT_H
#define EHR_FHIRPATH_TEXT_H

#include "core.h"

/* The other case of a character by simple mapping (Latin, Greek, Cyrillic, Armenian), else itself */
extern uint32_t fp_lower(uint32_t c);
extern uint32_t fp_upper(uint32_t c);

/* Reads one character of UTF-8; *at moves on. Bytes that are no UTF-8 are read one by one. */
extern uint32_t fp_next_char(const char *text, size_t len, size_t *at);

/* Number of characters */
extern size_t fp_char_count(const char *text, size_t len);

/* Byte offset of a character's place, at most len */
extern size_t fp_char_offset(const char *text, size_t len, size_t chars);

/* Texts alike for ~: case does not count, any white space is a space (N1 6.1.2) */
extern bool fp_text_equivalent(const char *a, size_t a_len, const char *b, size_t b_len);

#endif							/* EHR_FHIRPATH_TEXT_H */
