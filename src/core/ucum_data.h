/*
 * ucum_data.h
 *		The tables of UCUM: prefixes and units (ucum_data.c, generated).
 */
#ifndef EHR_UCUM_DATA_H
#define EHR_UCUM_DATA_H

#include "ucum.h"

/* What a special unit's value is of a quantity x in its proper unit */
typedef enum UcumFunction
{
	UCUM_PROPER,				/* not special */
	UCUM_CEL,					/* x - 273.15 */
	UCUM_DEGF,					/* x - 459.67, x in 5 K/9 */
	UCUM_DEGRE,					/* x - 218.52, x in 5 K/4 */
	UCUM_PH,					/* -lg x */
	UCUM_LN,					/* ln x */
	UCUM_LG,					/* lg x */
	UCUM_LG2,					/* 2 lg x */
	UCUM_LD,					/* log2 x */
	UCUM_SQRT,					/* square root */
	UCUM_TAN100,				/* 100 tan x */
	UCUM_HPX,					/* -lg x */
	UCUM_HPC,					/* -log100 x */
	UCUM_HPM,					/* -log1000 x */
	UCUM_HPQ					/* -log50000 x */
} UcumFunction;

typedef struct UcumPrefix
{
	const char *code;
	const char *name;
	int			tens;			/* power of 10 */
	int			twos;			/* power of 2 */
} UcumPrefix;

typedef struct UcumAtom
{
	const char *code;
	const char *name;
	bool		metric;			/* takes prefixes */
	UcumFunction function;
	UcumFactor	factor;			/* to base units; of a special unit, its proper unit's */
	int8_t		dimension[UCUM_DIMENSIONS];
	int16_t		arbitrary;		/* number of the arbitrary unit that it is, else 0 */
} UcumAtom;

extern const UcumPrefix ucum_prefixes[];
extern const int ucum_nprefixes;

/* Sorted by the bytes of their codes; atom number n is ucum_atoms[n - 1] */
extern const UcumAtom ucum_atoms[];
extern const int ucum_natoms;

#endif							/* EHR_UCUM_DATA_H */
