/*
 * code_form.h
 *		The form of codes of systems that check themselves: SNOMED CT, LOINC.
 *
 * Pure functions, no allocation.  Whether a code of the right form exists is
 * another question.
 */
#ifndef EHR_CODE_FORM_H
#define EHR_CODE_FORM_H

#include <stdbool.h>
#include <stddef.h>

/* An SCTID: 6 to 18 digits without a leading zero, the last a Verhoeff check digit (SNOMED CT Release File Specifications, 5.5) */
extern bool sct_id_valid(const char *text, size_t len);

/*
 * A code of http://snomed.info/sct (R4 snomedct.html: concept ids and
 * expressions): one SCTID, or an expression all of whose ids are SCTIDs; terms
 * between bars are not looked at.
 */
extern bool sct_code_valid(const char *text, size_t len);

/*
 * A code of http://loinc.org: digits-check (Luhn, LOINC Users' Guide).  Of parts (LP), answers (LA), lists (LL) and
 * groups (LG) only that they are digits-digit: their check digit is made otherwise.
 */
extern bool loinc_code_valid(const char *text, size_t len);

/*
 * Whether the code of a system may have this form: always true of systems
 * whose codes say nothing of themselves.
 */
extern bool code_form_valid(const char *system, size_t system_len, const char *code, size_t code_len);

#endif							/* EHR_CODE_FORM_H */
