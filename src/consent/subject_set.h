/*
 * subject_set.h
 *		The subjects that a session's rights are about: an open-addressed hash
 *		of 16-byte slots, because what a row costs is the cache miss here.
 *
 * A slot says in itself what decides almost every row: whether everything but
 * sensitive rows is open.  What else is known about the subject stands in the
 * array that `more` points into.
 */
#ifndef EHR_SUBJECT_SET_H
#define EHR_SUBJECT_SET_H

#define SUBJECT_OPEN	0x80000000u /* in more: rows without labels are open */
#define SUBJECT_INDEX	0x7fffffffu

typedef struct SubjectSlot
{
	int64		subject;		/* 0: free; keys begin at 1 */
	uint32		more;
	uint32		noted;			/* number of the statement that noted it for the audit log */
} SubjectSlot;

typedef struct SubjectSet
{
	SubjectSlot *slots;
	uint32		mask;			/* number of slots - 1; they are a power of two */
	uint32		members;
	MemoryContext context;
} SubjectSet;

static inline uint32
subject_hash(int64 subject)
{
	return (uint32) (((uint64) subject * UINT64CONST(0x9E3779B97F4A7C15)) >> 32);
}

/* The subject's slot, or the free one where it would go. */
static inline SubjectSlot *
subject_slot(const SubjectSet *set, int64 subject)
{
	uint32		i = subject_hash(subject) & set->mask;

	while (set->slots[i].subject != subject && set->slots[i].subject != 0)
		i = (i + 1) & set->mask;
	return &set->slots[i];
}

static inline SubjectSlot *
subject_find(const SubjectSet *set, int64 subject)
{
	SubjectSlot *slot = subject_slot(set, subject);

	return slot->subject == subject && subject != 0 ? slot : NULL;
}

static inline void
subject_set_init(SubjectSet *set, MemoryContext context)
{
	set->context = context;
	set->mask = 63;
	set->members = 0;
	set->slots = MemoryContextAllocZero(context, sizeof(SubjectSlot) * 64);
}

static inline void
subject_set_grow(SubjectSet *set)
{
	SubjectSlot *old = set->slots;
	uint32		old_size = set->mask + 1;

	if (set->mask >= SUBJECT_INDEX / 2)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a session has rights on too many patients")));
	set->mask = 2 * old_size - 1;
	set->slots = MemoryContextAllocExtended(set->context, sizeof(SubjectSlot) * ((Size) set->mask + 1),
											MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (uint32 i = 0; i < old_size; i++)
		if (old[i].subject != 0)
			*subject_slot(set, old[i].subject) = old[i];
	pfree(old);
}

/* Adds a subject that is not in the set. Half of the slots at most are used. */
static inline void
subject_add(SubjectSet *set, int64 subject, uint32 more)
{
	SubjectSlot *slot;

	if (set->members >= (set->mask + 1) / 2)
		subject_set_grow(set);
	slot = subject_slot(set, subject);
	slot->subject = subject;
	slot->more = more;
	slot->noted = 0;
	set->members++;
}

#endif							/* EHR_SUBJECT_SET_H */
