/*
 * claims_value.h
 *		Values of claims XML elements, from the form sent to the form kept.
 *
 * Facilities break the format in known ways (decimal commas, two-digit
 * provinces, old identity cards ...).  Such a value is read and the deviation
 * named, which is a finding; only a value that cannot be read is a problem.
 */
#ifndef EHR_CLAIMS_VALUE_H
#define EHR_CLAIMS_VALUE_H

#include "core.h"

typedef struct ClaimsValue
{
	char	   *json;			/* the value as JSON text, to be freed with cx->free; NULL with a problem */
	const char *finding;		/* how it deviates, or NULL; a constant name such as "decimal-comma" */
	const char *problem;		/* why it cannot be read, or NULL; a constant name such as "not-a-date" */
} ClaimsValue;

/*
 * claims_value reads text (UTF-8) as a value of the named type:
 *
 *	text			"..." without white space around it
 *	text_list		["...", null, ...] of a ';' list (an empty item is null)
 *	code, code_list	as text, with single spaces only, as FHIR wants codes
 *	integer			12
 *	decimal			12.50; a comma is taken for the point
 *	date			"2026-08-05" of 20260805
 *	date_list		["2026-08-05", ...]
 *	datetime		"2026-08-05T07:30:00+07:00" of 202608050730
 *	birth			{"date": "1960"} of 196000000000; with "time" when hour and minute are given
 *	icd				"E11.9" of e119, E11.9†
 *	icd_list		["E11.9", ...]
 *	personal_id		{"cccd": ...} 12 digits | {"cmnd": ...} 9 digits | {"passport": ...} | {"other": ...}
 *	card_list		[{"value": ..., "card": ..., "number": ...}, ...] of a card of 15 characters,
 *					{"value", "number"} of 10 digits, {"value", "personal"} of 12
 *	province		"01" of 001 or 01
 *	ward			"00004"
 *	result			{"number": 7.2} or {"string": "âm tính"}
 *
 * CORE_OK sets either json or problem.  CORE_INVALID: no such type.
 */
extern CoreStatus claims_value(const CoreContext *cx, const char *type,
							   const char *text, size_t len, ClaimsValue *value);

/*
 * claims_value_mask writes the value's class, that is its shape without its
 * content, as a string of at most size - 1 bytes: digits become 9, letters A
 * or a, runs of more than 15 alike are cut, other ASCII signs stay.
 */
extern void claims_value_mask(const char *text, size_t len, char *mask, size_t size);

#endif							/* EHR_CLAIMS_VALUE_H */
