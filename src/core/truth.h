/*
 * truth.h
 *		Answers of the three-valued comparisons of FHIRPath (N1 clauses 6.1, 6.2).
 *
 * "Unknown" is FHIRPath's empty collection.
 */
#ifndef EHR_TRUTH_H
#define EHR_TRUTH_H

typedef enum CoreTruth
{
	TRUTH_FALSE = 0,
	TRUTH_TRUE = 1,
	TRUTH_UNKNOWN = 2
} CoreTruth;

typedef enum CoreOrder
{
	ORDER_LESS = -1,
	ORDER_EQUAL = 0,
	ORDER_GREATER = 1,
	ORDER_UNKNOWN = 2
} CoreOrder;

#endif							/* EHR_TRUTH_H */
