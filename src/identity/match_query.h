/*
 * match_query.h
 *		The queries of matching one patient: plans kept for the session.
 *
 * All are generic plans over indexes; SPI must be connected.  They are made for
 * the owner of the store without row security (ehr_as_system).
 */
#ifndef EHR_MATCH_QUERY_H
#define EHR_MATCH_QUERY_H

#include "executor/spi.h"

#include "core/match_block.h"

typedef enum MatchQuery
{
	QUERY_MODEL,				/* → model, rows */
	QUERY_COUNTS,				/* values bigint[] → kind, rows */
	QUERY_BLOCK,				/* key → subject, features; the first of MATCH_RULES */
	QUERY_LINK = QUERY_BLOCK + MATCH_RULES, /* subject → person, merged_into */
	QUERY_ROOT,					/* person → merged_into */
	QUERY_BELOW,				/* person → persons merged into it */
	QUERY_MEMBERS,				/* person → subject, features */
	QUERY_DECIDED,				/* subject → other subject, same?: what somebody decided */
	QUERY_BY_HAND,				/* person (root) → true where somebody decided what it is */
	QUERY_KNOWN,				/* subject → features, person: NULL where it has none; one row */
	QUERY_PATIENT,				/* subject → doc, author */
	QUERY_SYSTEMS,				/* systems text[] → system, feature */
	QUERY_PUT_FEATURES,
	QUERY_HAS_IDENTIFIERS,		/* subject → a row when it has some */
	QUERY_ADD_IDENTIFIER,
	QUERY_SYNC_IDENTIFIERS,
	QUERY_NEW_PERSON,			/* founder → key */
	QUERY_ADD_LINK,
	QUERY_ADD_REVIEW,
	QUERY_RENEW,
	QUERY_REDIRECT,				/* person, person, reason */
	QUERY_TAKE_APART,			/* subject, reason → person */
	MATCH_QUERIES
} MatchQuery;

/* Of a very frequent key so many rows are looked at; other keys find the pair. */
#define MATCH_BLOCK_ROWS 400

/* What a query returned, until match_asked; queries may be run meanwhile. */
typedef struct MatchResult
{
	SPITupleTable *table;
	uint64		n;
} MatchResult;

/* most: 0 = all rows.  For commands the rows that they return. */
extern MatchResult match_ask(MatchQuery which, Datum *values, const char *nulls, long most);
extern void match_asked(MatchResult *result);

/* A column (from 1) of a row (from 0) */
extern Datum match_cell(const MatchResult *result, uint64 row, int column, bool *isnull);
extern int64 match_int(const MatchResult *result, uint64 row, int column);

#endif							/* EHR_MATCH_QUERY_H */
