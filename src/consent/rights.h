/*
 * rights.h
 *		What a session may read, compiled, and how it is fed.
 *
 * rights.c loads it from ehr_internal.compiled_rights() and knows when it is no
 * longer that of now; access.c decides by it.
 *
 * How consents feed it.  Whoever compiles decisions (consents, delegations,
 * referrals, break-glass ...) writes rows of
 *
 *		ehr_store.compiled_right (consent uuid, line int, relation text,
 *			grantee text, person bigint, deny bool, depth int2,
 *			purposes text[], types int2[], labels int, facilities text[],
 *			documents bigint[], data daterange, valid tstzrange,
 *			evidenced bool, basis text)
 *
 * in the transaction that makes the decision, and takes them away (or ends
 * `valid`) in the one that withdraws it.  A trigger tells the sessions which
 * it concerns; nothing else is to be called.  A row is one provision as it bears
 * on one grantee ("practitioner:ID", "facility:CODE", "insurer:CODE",
 * "person:UUID", "anybody") and the identity of a person under which it was given;
 * here it is spread over the subjects of that person, after merges.
 *
 *		consent, line	the decision, and the provision's number in it
 *		relation		the rule of ehr_store.access_rule (kind, relation, 'read') that
 *						must admit it for the session's kind and is then its basis; a
 *						new relation is a new row there, no code.  Denials
 *						load under any relation that a rule admits
 *		deny, depth		see "Deciding"
 *		purposes		null: any (a permit of "any purpose" must be meant so)
 *		types			null: any
 *		labels			permit: the labels that it opens (-1 all); deny: those that
 *						it is about (0: any row)
 *		facilities		authors of rows; null: any
 *		documents		keys of single rows; null: any
 *		data			when what the row tells of happened (column `happened`)
 *		valid			when the provision is in force
 *		evidenced		there is a written request; a rule may ask for it
 *
 * A condition that no column here can say (a code, an encounter) is compiled to
 * `documents` in a permit, or left out in a denial (which then denies more).
 * One that cannot be understood makes no row in a permit and no condition in
 * a denial.
 *
 * Deciding, for a row of a table and each of its subjects:
 *
 * 1. A permit matches when it covers the row in every respect; what is not
 *	  known about the row (null) is not covered.  A denial matches unless the
 *	  row is known to lie outside of it.
 * 2. In one consent the matching provision of the greatest depth decides; of
 *	  two of the same depth the denial.  (FHIR: a nested provision is an
 *	  exception to the one around it.  A base denial is a row of depth 0 for
 *	  "anybody" that names nothing.)
 * 3. A consent that decides "deny" closes the row, else one that decides
 *	  "permit" opens it, else it stays closed.
 *
 * Own rights (relation own) and what the own facility wrote are not subject to it.
 */
#ifndef EHR_RIGHTS_H
#define EHR_RIGHTS_H

#include "consent/session.h"
#include "consent/subject_set.h"

#define TYPE_WORDS	4			/* 256 FHIR type numbers; R4 has 148 */

/* One grant or denial as it bears on one subject. */
typedef struct Right
{
	bool		deny;
	bool		all_types;
	uint64		types[TYPE_WORDS];
	int32		labels;			/* grant: labels it covers; denial: labels it is about, 0 all rows */
	int64		document;		/* resource key, 0 for any */
	const char *author;			/* facility, NULL for any */
} Right;

/* What bears on one subject. */
typedef struct Subject
{
	int64		subject;
	uint32		first;			/* rights[first .. first + count) */
	uint32		count;
	bool		granted;		/* there is a grant among them */
	bool		open;			/* there is a grant of everything and no denial */
	int32		open_labels;	/* labels which that grant covers */
} Subject;

typedef struct Rights
{
	MemoryContext context;
	char		sid[17];
	uint64		last_used;
	uint64		losses;			/* changes when something was lost */
	uint64		generation;
	TimestampTz next_change;	/* when a period begins or ends */
	bool		authored;		/* reads what its own facility wrote */
	char		org[33];
	size_t		org_len;
	text	   *author;			/* org as a text value; NULL unless authored */
	bool		shared;			/* reads what is about no patient, of ... */
	uint64		shared_types[TYPE_WORDS];
	SubjectSet	set;			/* subject -> place in subjects */
	Subject    *subjects;		/* ascending */
	uint32		n_subjects;
	uint32		max_subjects;
	Right	   *rights;
	uint32		n_rights;
	uint32		max_rights;
} Rights;

/* The rights that this statement goes by; NULL: no session. Valid after rights_ready(). */
extern Rights *rights_now;
extern bool rights_checked;

static inline bool
has_type(const uint64 types[TYPE_WORDS], int16 type)
{
	return type >= 0 && type < TYPE_WORDS * 64 && (types[type / 64] >> (type % 64) & 1) != 0;
}

/* Makes sure that the rights are those of now; false when there is no session. */
static inline bool
rights_ready(void)
{
	if (unlikely(!rights_checked))
		(void) access_refresh();
	return rights_now != NULL;
}

#endif							/* EHR_RIGHTS_H */
