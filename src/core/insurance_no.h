/*
 * insurance_no.h
 *		Health insurance numbers, packed into 8 bytes.
 *
 * Three forms are in use (Decision 1351/QD-BHXH 2015, 1666/QD-BHXH 2020, Decree
 * 188/2025/ND-CP):
 *
 *	card	15 characters	object (2 letters), benefit digit, province (2 digits), insurance number (10)
 *	number	10 digits		the insurance number alone, as newer cards print it
 *	citizen	12 digits		the citizen's personal number used as card number
 *
 *	bit		63 62      61 .. 60  59 .. 20            19 .. 0
 *			0  citizen 0         number, 10 or 12    card: 1 + object, benefit digit, province;
 *			   form				 digits				 else 0
 *
 * Card and number are equal when the last ten digits are, for the front of a
 * card changes over the years; the 12-digit form equals only itself.  So
 * equality and order look at bits 20 and up.
 */
#ifndef EHR_INSURANCE_NO_H
#define EHR_INSURANCE_NO_H

#include "core.h"

#define INSURANCE_NO_SIZE	15	/* the longest form */

/* Why a text is no insurance number. */
typedef enum InsuranceNoFault
{
	INSURANCE_NO_FINE,
	INSURANCE_NO_LENGTH,		/* neither 15 characters nor 10 or 12 digits */
	INSURANCE_NO_OBJECT,		/* a card that does not begin with two letters */
	INSURANCE_NO_DIGITS			/* anything but digits where digits belong */
} InsuranceNoFault;

/*
 * Reads any of the three forms; small letters are taken for capitals, blanks and
 * hyphens left out.  CORE_INVALID with *fault set otherwise.
 */
extern CoreStatus insurance_no_parse(const char *text, size_t len, int64_t *no, InsuranceNoFault *fault);

/* Writes 10, 12 or 15 characters, no terminating zero, and returns how many. */
extern int	insurance_no_print(int64_t no, char out[INSURANCE_NO_SIZE]);

/* Whether eight bytes from outside are a value that insurance_no_parse could have made. */
extern bool insurance_no_is_valid(int64_t no);

/* What equality, order and hash look at. */
static inline int64_t
insurance_no_key(int64_t no)
{
	return no >> 20;
}

static inline int
insurance_no_compare(int64_t a, int64_t b)
{
	int64_t		x = insurance_no_key(a);
	int64_t		y = insurance_no_key(b);

	return x < y ? -1 : x > y;
}


/* The citizen's personal number of the 12-digit form; false for the other forms. */
extern bool insurance_no_citizen_id(int64_t no, int64_t *citizen_id);

/*
 * Whether the number says who somebody is.  Not for cards of object TE with
 * benefit digit 1: hospitals make such up for newborns who have no card yet.
 * Not for a number of zeros only.
 */
extern bool insurance_no_identifies(int64_t no);

#endif							/* EHR_INSURANCE_NO_H */
