/*
 * jsonb_read.h
 *		Reads PostgreSQL's binary jsonb containers and numerics where they lie.
 *
 * The layout (PostgreSQL's utils/jsonb.h; src/fhirpath/layout.c asserts that
 * these constants are its own):
 *
 *	uint32 header: count (28 bits), kind | uint32 entries[] | data
 *
 * An object of n pairs has n entries of keys, sorted by length, then by bytes,
 * and then n entries of values.  An entry holds the length of its datum, every
 * 32nd its end offset instead.  Numbers and containers begin at a multiple of
 * 4; the padding counts to their length.  The outermost container of a scalar
 * document is an array of one with JB_SCALAR set.
 *
 * A stored jsonb is trusted, as PostgreSQL itself trusts it: nothing here
 * checks offsets.
 */
#ifndef EHR_JSONB_READ_H
#define EHR_JSONB_READ_H

#include <string.h>

#include "core.h"

#define JB_COUNT_MASK	0x0FFFFFFFu
#define JB_SCALAR		0x10000000u
#define JB_OBJECT		0x20000000u
#define JB_ARRAY		0x40000000u

#define JB_LEN_MASK		0x0FFFFFFFu
#define JB_TYPE_MASK	0x70000000u
#define JB_HAS_OFF		0x80000000u
#define JB_STRIDE		32

/* Types of an entry, shifted down */
typedef enum JbType
{
	JB_T_STRING = 0,
	JB_T_NUMBER = 1,
	JB_T_FALSE = 2,
	JB_T_TRUE = 3,
	JB_T_NULL = 4,
	JB_T_CONTAINER = 5
} JbType;

typedef struct JbContainer
{
	uint32_t	header;
	uint32_t	entries[];
} JbContainer;

/* A value inside a document: string bytes, numeric or container */
typedef struct JbValue
{
	const char *ptr;			/* JB_T_STRING, JB_T_NUMBER, JB_T_CONTAINER */
	uint32_t	len;			/* bytes at ptr */
	JbType		type;
} JbValue;

#define JB_ENTRY_TYPE(e)	((JbType) (((e) & JB_TYPE_MASK) >> 28))

static inline uint32_t
jb_count(const JbContainer *c)
{
	return c->header & JB_COUNT_MASK;
}

static inline bool
jb_is_object(const JbContainer *c)
{
	return (c->header & JB_OBJECT) != 0;
}

static inline bool
jb_is_array(const JbContainer *c)
{
	return (c->header & JB_ARRAY) != 0;
}

/* Where the data of a container with this many entries begins */
static inline const char *
jb_data(const JbContainer *c, uint32_t entries)
{
	return (const char *) (c->entries + entries);
}

/* Offset of an entry's datum: the ends of those before it, back to one that holds its end. */
static inline uint32_t
jb_offset(const JbContainer *c, uint32_t index)
{
	uint32_t	offset = 0;

	/* four at a time where none of them holds its end */
	while (index >= 4)
	{
		const uint32_t *e = &c->entries[index - 4];

		if (((e[0] | e[1] | e[2] | e[3]) & JB_HAS_OFF) != 0)
			break;
		offset += (e[0] & JB_LEN_MASK) + (e[1] & JB_LEN_MASK) + (e[2] & JB_LEN_MASK) + (e[3] & JB_LEN_MASK);
		index -= 4;
	}
	while (index > 0)
	{
		uint32_t	entry = c->entries[--index];

		offset += entry & JB_LEN_MASK;
		if (entry & JB_HAS_OFF)
			break;
	}
	return offset;
}

/* The datum of an entry that begins at this offset of the data */
static inline void
jb_value_at(const char *data, uint32_t entry, uint32_t offset, JbValue *value)
{
	uint32_t	len = entry & JB_LEN_MASK;

	if (entry & JB_HAS_OFF)
		len -= offset;
	value->type = JB_ENTRY_TYPE(entry);
	if (value->type == JB_T_NUMBER || value->type == JB_T_CONTAINER)
	{
		uint32_t	aligned = (offset + 3u) & ~3u;

		len -= aligned - offset;
		offset = aligned;
	}
	value->ptr = data + offset;
	value->len = len;
}

static inline void
jb_value(const JbContainer *c, uint32_t entries, uint32_t index, JbValue *value)
{
	jb_value_at(jb_data(c, entries), c->entries[index], jb_offset(c, index), value);
}

/* Walks over the values of a container in order; see jb_iter_next. */
typedef struct JbIter
{
	const JbContainer *c;
	const char *data;
	uint32_t	index;			/* in the entries */
	uint32_t	end;
	uint32_t	offset;
} JbIter;

/* Over the elements of an array, or over the values of an object */
static inline void
jb_iter_start(JbIter *it, const JbContainer *c)
{
	uint32_t	count = jb_count(c);

	it->c = c;
	it->index = jb_is_object(c) ? count : 0;
	it->end = it->index + count;
	it->data = jb_data(c, it->end);
	it->offset = it->index == 0 ? 0 : jb_offset(c, it->index);
}

static inline bool
jb_iter_next(JbIter *it, JbValue *value)
{
	uint32_t	entry;

	if (it->index >= it->end)
		return false;
	entry = it->c->entries[it->index++];
	jb_value_at(it->data, entry, it->offset, value);
	it->offset = (entry & JB_HAS_OFF) ? (entry & JB_LEN_MASK) : it->offset + (entry & JB_LEN_MASK);
	return true;
}

/* The key at a place of an object. */
static inline const char *
jb_key(const JbContainer *object, uint32_t index, uint32_t *len)
{
	uint32_t	offset = jb_offset(object, index);
	uint32_t	entry = object->entries[index];

	*len = entry & JB_LEN_MASK;
	if (entry & JB_HAS_OFF)
		*len -= offset;
	return jb_data(object, jb_count(object) * 2) + offset;
}

/* Place of a key of an object, -1 if it is not there. */
extern int	jb_find(const JbContainer *object, const char *key, uint32_t len);

/* The value of a key; false if it is not there. */
extern bool jb_get(const JbContainer *object, const char *key, uint32_t len, JbValue *value);

/* The document as a value: the container, or the scalar that it wraps. len: bytes of the root container. */
extern void jb_root(const JbContainer *root, uint32_t len, JbValue *value);

/* -- numbers -------------------------------------------------------------- */

typedef enum JbNumberKind
{
	JB_NUMBER_FINITE,
	JB_NUMBER_NAN				/* and the infinities: JSON has none, a numeric might */
} JbNumberKind;

/* A numeric taken apart: digits to base 10,000, the first of weight 10000^weight */
typedef struct JbNumber
{
	const char *digits;			/* uint16 each, perhaps not aligned */
	int			count;
	int			weight;
	int			scale;			/* decimal digits behind the point, as written */
	bool		negative;
	JbNumberKind kind;
} JbNumber;

/* Whether a numeric says itself that it is no longer than this. */
extern bool jb_numeric_fits(const char *numeric, size_t len);

extern void jb_number(const char *numeric, JbNumber *number);

static inline int
jb_number_digit(const JbNumber *number, int index)
{
	uint16_t	digit;

	if (index < 0 || index >= number->count)
		return 0;
	memcpy(&digit, number->digits + 2 * index, 2);
	return digit;
}

/* The number where it is an integer (its scale being 0) of at most 17 digits; else false. */
extern bool jb_number_int64(const JbNumber *number, int64_t *result);

/* Bytes that jb_number_text needs at most, without a NUL. */
extern size_t jb_number_text_size(const JbNumber *number);

/* Writes the number as PostgreSQL does, without a NUL; returns the length. */
extern size_t jb_number_text(const JbNumber *number, char *buffer);

#endif							/* EHR_JSONB_READ_H */
