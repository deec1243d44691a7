/*
 * compare_text.h
 *		How alike are two short strings?  For names folded to plain letters.
 *
 * The comparators work on bytes, allocate nothing and never fail.  Strings
 * longer than COMPARE_MAX bytes are compared by their first COMPARE_MAX bytes.
 */
#ifndef EHR_CORE_COMPARE_TEXT_H
#define EHR_CORE_COMPARE_TEXT_H

#include <stddef.h>

#define COMPARE_MAX 255

/*
 * Jaro's similarity with Winkler's bonus for a common prefix (up to four
 * letters, 0.1 each, only where Jaro's is above 0.7): 0 … 1, symmetric,
 * 1 exactly for equal strings.  Two empty strings are equal.
 * W. E. Winkler, String Comparator Metrics and Enhanced Decision Rules, 1990.
 */
extern double compare_jaro_winkler(const char *a, size_t a_len, const char *b, size_t b_len);

/* Jaro's similarity alone */
extern double compare_jaro(const char *a, size_t a_len, const char *b, size_t b_len);

/*
 * The least number of insertions, deletions, substitutions and swaps of
 * neighbours that turn a into b, no substring being edited twice (optimal
 * string alignment).  Above limit the answer is limit + 1 and comes sooner.
 */
extern int	compare_edits(const char *a, size_t a_len, const char *b, size_t b_len, int limit);

/* What one digit string is to another. */
typedef enum CompareEdit
{
	EDIT_NONE,					/* equal */
	EDIT_SUBSTITUTED,			/* one letter differs */
	EDIT_SWAPPED,				/* two neighbours changed places */
	EDIT_DROPPED,				/* one letter too many or too few */
	EDIT_OTHER
} CompareEdit;

/* Classifies in linear time whether a and b are at most one edit apart. */
extern CompareEdit compare_one_edit(const char *a, size_t a_len, const char *b, size_t b_len);

/*
 * How much it takes to type one Vietnamese name for another: the least cost of
 * turning a into b, both in normal form (fold_normal, UTF-8), where a wrong mark
 * costs 1/4, I for Y 1/4, a key beside the right one 1/2, a blank 1/2, swapped
 * neighbours 3/4 and any other letter 1.  Names longer than COMPARE_LETTERS
 * letters are compared by their beginnings.
 */
#define COMPARE_LETTERS 96
extern double compare_typing(const char *a, size_t a_len, const char *b, size_t b_len);

/*
 * How far the words of two folded names are the same, whatever their order:
 * 0 … 1.  A word counts 1 when it is equal, 0.8 as an initial of one or two
 * letters or with one slip in four letters and more; sums are set against the
 * number of words of both.  Words beyond the 16th do not count.
 */
extern double compare_words(const char *a, size_t a_len, const char *b, size_t b_len);

#endif							/* EHR_CORE_COMPARE_TEXT_H */
