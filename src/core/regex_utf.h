/*
 * regex_utf.h
 *		Regular expressions for FHIRPath's matches, matchesFull, replaceMatches.
 *
 * PCRE2 behind a contract: UTF-8, "." matches line ends (N1 5.6.8: single line
 * mode), no \C, no callouts, no just-in-time code.  Compiling and matching
 * have limits on length, nesting, steps and heap that are constants of this file, so
 * that a hostile pattern ends with a status soon and in the same way everywhere.
 *
 * (Not called regex.h: that is a header of the C library, which -Isrc/core would hide.)
 */
#ifndef EHR_REGEX_UTF_H
#define EHR_REGEX_UTF_H

#include "core.h"

#define REGEX_PATTERN_MAX	8192	/* bytes of a pattern */
#define REGEX_NESTING_MAX	100 /* parentheses in each other */
#define REGEX_HEAP_MAX		8192	/* kibibytes for one match */
#define REGEX_STEPS			1000000 /* backtracking steps of a call, and ... */
#define REGEX_STEPS_BYTE	4	/* ... so many more for each byte of the subject */

typedef struct Regex Regex;

/*
 * Compiles; memory comes from cx, which must live as long as the result.  flags are letters:
 * i (ignore case), m (^ and $ at line ends as well); any other is CORE_INVALID.
 * CORE_INVALID: not a pattern, or not UTF-8; *position (where not NULL) is the byte, message (where not NULL,
 * of message_size) says what is wrong and holds nothing of the pattern.
 * CORE_TOO_LARGE, CORE_TOO_DEEP: above the limits.  CORE_NO_MEMORY.
 */
extern CoreStatus regex_compile(const CoreContext *cx, const char *pattern, size_t len,
								const char *flags, size_t flags_len, Regex **regex,
								size_t *position, char *message, size_t message_size);
extern void regex_free(Regex *regex);

/*
 * Whether some part of the subject (matches) or all of it (matches_full) is matched.
 * CORE_TOO_LARGE: out of steps or heap.  CORE_INVALID: the subject is not UTF-8.
 */
extern CoreStatus regex_matches(const Regex *regex, const char *subject, size_t len, bool *result);
extern CoreStatus regex_matches_full(const Regex *regex, const char *subject, size_t len, bool *result);

/*
 * Replaces every match, from left to right; after an empty one the search goes on behind the next
 * character.  In the substitution $1 to $99, ${1}, ${name} and $0 ($&) are groups, $$ is a dollar; a group
 * that did not take part is empty; one that the pattern does not have stays as it is written.
 * *out is allocated from the context (with a NUL behind it) and freed by the caller.
 * CORE_TOO_LARGE also for results above max_len, and when all matches together take too many steps;
 * CORE_INTERRUPTED between matches.
 */
extern CoreStatus regex_replace(const Regex *regex, const char *subject, size_t len,
								const char *substitution, size_t substitution_len, size_t max_len,
								char **out, size_t *out_len);

#endif							/* EHR_REGEX_UTF_H */
