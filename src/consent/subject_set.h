/*
 * subject_set.h
 *		The subjects that a session's rights are about.
 *
 * What a row costs is the cache miss here, so the first look goes to cells of
 * two bits:
 *
 *		exact		one cell for each key from the lowest subject to the highest
 *					(where they lie close enough): 0 none, 1 look into the slots,
 *					3 everything without labels is open
 *		not exact	a cell for each of some hash values: 0 none, 1 look into the
 *					slots
 *
 * The slots are an open-addressed hash of 16 bytes each, at most half of them
 * used.  A slot says whether everything is open, and with which labels; what
 * else is known stands in the array that `more` points into.
 */
#ifndef EHR_SUBJECT_SET_H
#define EHR_SUBJECT_SET_H

#define SUBJECT_OPEN	0x80000000u /* in more: all rows with no other than open_labels are open */
#define SUBJECT_INDEX	0x7fffffffu

typedef struct SubjectSlot
{
	int64		subject;		/* 0: free; keys begin at 1 */
	uint32		more;
	int32		open_labels;
} SubjectSlot;

/* as many slots as n subjects need; a power of two */
static inline uint32
subject_slots(uint32 n)
{
	uint32		slots = 16;

	while (slots / 2 < n)
		slots *= 2;
	return slots;
}

#define CELL_NONE	0
#define CELL_LOOK	1
#define CELL_OPEN	3

typedef struct SubjectCells
{
	uint64	   *words;			/* 32 cells each */
	int64		lowest;			/* exact: the key of cell 0 */
	uint64		n;
	bool		exact;
} SubjectCells;

static inline uint32
subject_hash(int64 subject)
{
	return (uint32) (((uint64) subject * UINT64CONST(0x9E3779B97F4A7C15)) >> 32);
}

/* The subject's slot, or the free one where it would go. */
static inline uint32
subject_place(const SubjectSlot *slots, uint32 mask, int64 subject)
{
	uint32		i = subject_hash(subject) & mask;

	while (slots[i].subject != subject && slots[i].subject != 0)
		i = (i + 1) & mask;
	return i;
}

static inline const SubjectSlot *
subject_find(const SubjectSlot *slots, uint32 mask, int64 subject)
{
	const SubjectSlot *slot = &slots[subject_place(slots, mask, subject)];

	return slot->subject == subject && subject != 0 ? slot : NULL;
}

/* The subject's cell, or n where it can have none. */
static inline uint64
subject_cell(const SubjectCells *cells, int64 subject)
{
	if (cells->exact)
		return Min((uint64) subject - (uint64) cells->lowest, cells->n);
	return subject_hash(subject) & (cells->n - 1);
}

/* What a cell says; the one behind the last says none. */
static inline unsigned
cell_state(const SubjectCells *cells, uint64 cell)
{
	return cells->words[cell / 32] >> (cell % 32 * 2) & 3;
}

#endif							/* EHR_SUBJECT_SET_H */
