/*
 * match_online.h
 *		Matching one patient: what its files share.
 *
 * match_query.c		the queries
 * match_patient.c		from a Patient to its feature row and identifiers
 * match_online.c		candidates of a feature row, and the persons they are
 * match_register.c		a source patient that comes in finds or founds its person
 * match_settle.c		clusters of a neighbourhood anew, where guards refuse
 */
#ifndef EHR_MATCH_ONLINE_H
#define EHR_MATCH_ONLINE_H

#include "core/match_block.h"
#include "core/match_count.h"
#include "core/match_model.h"

/* ---- match_online.c ---- */

typedef struct MatchFound
{
	int64		subject;
	int64		leaf;			/* the person that it is linked to */
	int64		person;			/* what that is now, after merges */
	double		bits;
	bool		same_number;	/* found by the citizen number */
} MatchFound;

typedef struct MatchSearch
{
	MatchModel	model;
	double		rows;
	bool		counted;		/* frequencies are known */
	MatchRow	own;
	int64		own_subject;	/* 0 = not stored */
	MatchFound *found;			/* linked candidates, the likeliest first */
	uint32		n;
} MatchSearch;

/* Reads the model in use. */
extern void match_search_start(MatchSearch *s);

/*
 * Fills found with the rows that share a block key with this one, have a person
 * and score at least so many bits (-INFINITY where they cannot be one person);
 * those with the same number whatever they score.  Sets own's shares.
 */
extern void match_search(MatchSearch *s, const MatchRow *own, int64 own_subject, double least);

/* What a person is now, after merges; 0 when there is none. */
extern int64 match_root(int64 person);

/* A source patient among others of its person */
typedef struct MatchMember
{
	MatchRow	row;			/* row.subject is set */
	int64		person;			/* root */
} MatchMember;

typedef struct MatchMembers
{
	MatchMember *member;
	uint32		n;
	uint32		room;
} MatchMembers;

/* Adds the source patients of a person and of all that were merged into it. */
extern void match_add_members(MatchMembers *list, int64 root);
extern MatchMember *match_add_member(MatchMembers *list);

/* Do two rows speak against each other, whatever they score? */
extern bool match_rows_refuse(const MatchRow *a, const MatchRow *b);

/* ---- match_register.c ---- */

/*
 * Locks a key of a kind until the end of the transaction; false when that was
 * ours already.
 */
typedef enum MatchLock
{
	MATCH_LOCK_BLOCK = 1,		/* a block key: what pg_advisory_xact_lock(bigint) takes */
	MATCH_LOCK_PERSON = 3		/* registrations of a person; no SQL function takes these */
} MatchLock;

extern bool match_lock(MatchLock kind, int64 key, bool shared);
extern void match_add_review(int64 a, int64 b, double bits);

/* ---- match_settle.c ---- */

/*
 * The row's neighbourhood as linking in bulk would form it: takes apart and
 * joins what is linked, where a later record fits better.  Returns false, and
 * changes nothing, when the neighbourhood is too large.  *beside is a source
 * patient that the row is one person with then, 0 when it is somebody new; bits
 * the score of that pair.
 */
extern bool match_settle(MatchSearch *s, const MatchRow *own, int64 own_subject, int64 *beside, double *bits);

/* ---- match_patient.c ---- */

typedef struct MatchIdentifier
{
	const char *system;			/* "" where there is none */
	const char *value;
	const char *start;			/* NULL = not said */
	const char *end;
	bool		ended;			/* of use old, or with an end */
	const char *feature;		/* what match_system says of it; NULL */
} MatchIdentifier;

typedef struct MatchPatient
{
	MatchInput	in;
	MatchIdentifier *identifier;
	int			nidentifiers;
} MatchPatient;

struct JsonbContainer;

/* Reads a FHIR Patient; whatever is not there or is something else than expected is missing. */
extern void match_patient_read(struct JsonbContainer *doc, uint32 len, MatchPatient *patient);

#endif							/* EHR_MATCH_ONLINE_H */
