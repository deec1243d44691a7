/*
 * phone.h
 *		Vietnamese telephone numbers.
 */
#ifndef EHR_PHONE_H
#define EHR_PHONE_H

#include "core.h"

/* The longest result: "+" and 15 digits (ITU-T E.164). */
#define PHONE_SIZE	16

/*
 * phone_normalize writes one form of the number to out (PHONE_SIZE bytes, no
 * terminating zero): national digits with the leading 0 for Vietnam, "+..." for
 * other countries.  +84, 0084, 84 and a lost leading 0 are read; dots, dashes,
 * blanks and brackets do not matter; mobile prefixes of before 15 September
 * 2018 (11 digits) become today's (sql/data/phone_prefixes.tsv).  Of several
 * numbers (separated by / ; ,) the first good one counts.
 *
 * CORE_INVALID for what is no number that can be called: letters, wrong length, an
 * unknown prefix.
 */
extern CoreStatus phone_normalize(const char *in, size_t len, char *out, size_t *out_len);

#endif							/* EHR_PHONE_H */
