/*
 * rights.h
 *		The compiled rights of a session: rights.c loads them, access.c decides
 *		by them.
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
