/*
 * rights.h
 *		What a session may read, compiled: one flat image, and how it is fed.
 *
 * rights.c loads it from ehr_internal.compiled_rights() and knows when it is no
 * longer that of now; image.c builds it; shared_rights.c hands it from one
 * connection to the next; access.c decides by it.
 *
 * How consents feed it.  Whoever compiles decisions (consents, delegations,
 * referrals, break-glass ...) writes rows of
 *
 *		ehr_store.compiled_right (consent uuid, line int, relation text,
 *			grantee text, person bigint, deny bool, depth int2,
 *			purposes text[], types int2[], labels int, facilities text[],
 *			documents bigint[], data daterange, valid tstzrange,
 *			evidenced bool, basis text, given timestamptz)
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
 *		given			when it was decided; null: when valid begins
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

#include "consent/access.h"
#include "consent/session.h"
#include "consent/subject_set.h"

#define TYPE_WORDS	4			/* 256 FHIR type numbers; R4 has 148 */

typedef struct TypeSet
{
	uint64		words[TYPE_WORDS];
} TypeSet;

/* days as PostgreSQL counts them; the ends of an open range are the ends of int32 */
typedef struct Right
{
	TimestampTz starts;			/* in force from ... */
	TimestampTz ends;			/* ... up to, not including */
	int64		document;		/* resource key; 0 any */
	int32		labels;
	int32		data_from;		/* day the data is about; PG_INT32_MIN any */
	int32		data_until;		/* first day behind it; PG_INT32_MAX any */
	uint32		types;			/* number of a type set + 1; 0 any */
	uint32		author;			/* place in texts + 1; 0 any */
	uint32		consent;		/* of one subject those of one consent stand together under one number */
	uint16		depth;
	bool		deny;
} Right;

/* What bears on one subject. */
typedef struct Subject
{
	int64		subject;
	int64		person;			/* the identity it belongs to; 0: own */
	uint32		first;			/* rights[first .. first + count), perhaps those of others, too */
	uint32		count;
	int32		open_labels;	/* labels which the grant of everything covers */
	bool		granted;		/* a grant among them is in force */
	bool		open;			/* a grant of everything is, and no denial */
} Subject;

/*
 * The image:
 *
 *		RightsImage | cells | slots | subjects | rights | type sets | texts
 *
 * Offsets count from its first byte, so that it can lie anywhere: a parallel
 * worker maps the leader's and never loads one.  Nobody changes an image that
 * others may look at.
 */
typedef struct RightsImage
{
	Size		size;
	char		sid[17];
	bool		authored;		/* reads what its own facility wrote */
	bool		shared;			/* reads what is about no patient, of ... */
	char		org[33];
	uint32		org_len;
	TypeSet		shared_types;
	TimestampTz as_of;			/* when periods were looked at */
	TimestampTz next_change;	/* when the next one begins or ends */
	TimestampTz reload_at;		/* when that of a rule without a subject does */
	int64		lowest;			/* subject of the first cell, where cells are exact */
	uint64		n_cells;
	bool		exact;
	uint32		mask;			/* slots - 1 */
	uint32		n_subjects;
	uint32		n_rights;
	uint32		n_type_sets;
	uint32		n_texts;		/* bytes */
	Size		at_cells;
	Size		at_slots;
	Size		at_subjects;
	Size		at_rights;
	Size		at_type_sets;
	Size		at_texts;
} RightsImage;

#define MOST_GRANTEES 64

/* Whom a change may concern a session by: its persons, and the names it goes by. */
typedef struct KnownPersons
{
	uint32		grantee[MOST_GRANTEES];
	int			n_grantees;		/* above MOST_GRANTEES: it goes by more, so all concerns it */
	int64	   *persons;		/* open addressing, 0: free */
	uint32		mask;
	uint32		n;
} KnownPersons;

/* An image and where its parts are in this process. */
typedef struct Rights
{
	RightsImage *image;
	SubjectCells cells;
	SubjectSlot *slots;
	uint32		mask;
	Subject    *subjects;		/* ascending */
	Right	   *rights;
	TypeSet    *type_sets;
	char	   *texts;
	text	   *author;			/* the own facility as a text value; NULL unless authored */
	uint64	   *noted;			/* a bit for each subject (by cell where exact) that the running intent has noted */
	uint64		n_noted;		/* words */
	uint64		noted_intent;	/* of which intent the bits are */
	MemoryContext context;		/* all of the above; the image too, unless it is mapped */
	uint64		last_used;
	uint64		losses;			/* changes when something was lost */
	uint64		position;		/* in the log of changes (changes.h) up to which they are known; 0: load all again */
	uint64		own_changes;	/* of this transaction that are in it */
	TimestampTz loaded;			/* when all of it was loaded last */
	bool		personal;		/* some of it is of the session's sub, not of all of its organisation */
	KnownPersons *known;
	struct dsm_segment *published;	/* a copy of the image for parallel workers */
} Rights;

/* ---- image.c ---- */

/* One row of ehr_internal.compiled_rights(). */
typedef struct RightRow
{
	const char *relation;
	int64		person;			/* 0: none */
	int64		subject;		/* 0: none */
	const char *consent;		/* 16 bytes; NULL: none */
	const TypeSet *types;		/* NULL: any */
	const char *author;			/* NULL: any */
	int32		labels;
	int64		document;		/* 0: any */
	int32		data_from;
	int32		data_until;
	TimestampTz starts;
	TimestampTz ends;
	int16		depth;
	bool		deny;
} RightRow;

typedef struct RightsLoading RightsLoading;

/* Begins an image in the current memory context, with nothing in it. */
extern RightsLoading *rights_loading(const char *sid, const char *org);

/* Takes over what an older image says of subjects of other persons than these (ascending). Before rights_add(). */
extern void rights_keep(RightsLoading *l, const Rights *old, const int64 *persons, int n);

/* Adds a row; rows must come by ascending subject, those of one consent together. */
extern void rights_add(RightsLoading *l, const RightRow *row, TimestampTz now);

/* The image, allocated in context, with periods looked at now. */
extern RightsImage *rights_finish(RightsLoading *l, MemoryContext context, TimestampTz now);

/* Looks at periods again. True when something ended. */
extern bool rights_look_at_periods(RightsImage *image, TimestampTz now);

/* Sets the pointers of r to an image. */
extern void rights_attach(Rights *r, RightsImage *image);

/*
 * Could the old rights show a row that the new ones do not?  May answer yes
 * where the change is subtle and took nothing: then an open cursor ends early.
 */
extern bool rights_lost(const Rights *old, const Rights *new);

/* ---- rights.c ---- */

/* The rights that this statement goes by; NULL: no session. Valid after rights_ready(). */
extern Rights *rights_now;
extern bool rights_checked;

/* Changes whenever rights_now may mean something else than before, though it may still be the same pointer. */
extern uint64 rights_generation;

/* The rights of a parallel worker. */
extern const Principal *rights_of_leader(void);

/* Lets parallel workers of this backend see rights_now; to be called before parallel mode begins. */
extern void rights_publish(void);

static inline bool
right_in_force(const Right *right, TimestampTz now)
{
	return right->starts <= now && now < right->ends;
}

static inline bool
has_type(const TypeSet *set, int16 type)
{
	return type >= 0 && type < TYPE_WORDS * 64 && (set->words[type / 64] >> (type % 64) & 1) != 0;
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
