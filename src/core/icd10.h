/*
 * icd10.h
 *		Codes of ICD-10, packed into 8 bytes.
 *
 * A code is a letter, a digit, a digit or letter, and up to four more digits or
 * letters after a dot: E11, E11.9, M10.01.  The first character stands in the
 * highest byte, so that codes sort as numbers the way they sort in the book
 * (E11 < E11.0 < E11.9 < E12), and a code contains another when its characters
 * begin it:
 *
 *	byte	7    6    5    4    3    2    1    0
 *			'E'  '1'  '1'  '9'  0    0    0    0		E11.9
 *
 * Which codes exist is a matter of the loaded code system, not of the type.
 */
#ifndef EHR_ICD10_H
#define EHR_ICD10_H

#include "core.h"

#define ICD10_SIZE	8			/* the longest printed form: X99.9999 */

/* What a list of ranges may hold (icd10_parse_ranges). */
#define ICD10_MAX_RANGES	32

typedef struct Icd10Range
{
	int64_t		first;
	int64_t		last;			/* this one and all within it belong to the range */
} Icd10Range;

/*
 * Reads a code: capitals or small letters, with or without dot, dagger, asterisk
 * or a closing "-" (E11.-); blanks around it do not matter.
 * CORE_INVALID for anything else.
 */
extern CoreStatus icd10_parse(const char *text, size_t len, int64_t *code);

/* Writes the canonical form (capitals, dot), no terminating zero; returns its length. */
extern int	icd10_print(int64_t code, char out[ICD10_SIZE]);

/* Whether eight bytes from outside are a value that icd10_parse could have made. */
extern bool icd10_is_valid(int64_t code);

/* The largest value within a code: E11 contains all c with E11 <= c <= icd10_last_within(E11). */
extern int64_t icd10_last_within(int64_t code);

/* Whether inner is outer or one of its subdivisions. */
static inline bool
icd10_within(int64_t inner, int64_t outer)
{
	return inner >= outer && inner <= icd10_last_within(outer);
}

/* The three-character category of a code. */
static inline int64_t
icd10_category(int64_t code)
{
	return code & (int64_t) UINT64_C(0xFFFFFF0000000000);
}

/*
 * Reads "I10-I15", "F00-F03,G30", "J44": codes and ranges, separated by commas or
 * semicolons.  CORE_INVALID when an element is no code, or its last code is before
 * its first; CORE_TOO_LARGE for more than ICD10_MAX_RANGES.
 */
extern CoreStatus icd10_parse_ranges(const char *text, size_t len, Icd10Range ranges[ICD10_MAX_RANGES], int *n);

static inline bool
icd10_in_range(int64_t code, const Icd10Range *range)
{
	return code >= range->first && code <= icd10_last_within(range->last);
}

/*
 * The block of a code, "E10-E14" ("C50" for a block of one category), and the
 * Roman number of its chapter; false when it is in none (WHO ICD-10, 2019).
 */
#define ICD10_BLOCK_SIZE	8
#define ICD10_CHAPTER_SIZE	6
extern bool icd10_block(int64_t code, char block[ICD10_BLOCK_SIZE], char chapter[ICD10_CHAPTER_SIZE]);

#endif							/* EHR_ICD10_H */
