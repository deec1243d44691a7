/*
 * fhirpath_set.c
 *		Whether a list has an item, without asking all of it: for distinct(), union and their kin.
 *
 * A list that is asked often gets an index: open addressing over hashes that
 * are the same for whatever `=` finds equal.  Quantities of one unit go by their
 * number; as soon as there are several units, or numbers beside quantities,
 * which may be equal after a conversion, all of them share one hash.  What
 * somebody made to collide costs steps, as the walk over the list does.
 */
#include "fhirpath_eval.h"

#define INDEX_FROM 16			/* items of a list that is worth an index */
#define HASH_DEPTH 8			/* levels of an object that are looked at */

struct FpIndex
{
	uint32_t   *slots;			/* 1 + place in the list, 0: free */
	uint32_t   *hashes;			/* by place in the list */
	size_t		size;			/* of slots, a power of 2 */
	size_t		covered;		/* items of the list that stand in it */
	bool		numbers;		/* there was a number */
	bool		mixed;			/* numbers and quantities share one hash */
	FpQuantity	unit;			/* of the quantities, its unit NULL: there was none yet */
};

enum
{
	CLASS_TEXT = 1, CLASS_BOOLEAN, CLASS_NUMBER, CLASS_TIME, CLASS_PLACE, CLASS_TYPE
};

static uint32_t
mix(uint32_t hash, uint64_t value)
{
	uint64_t	h = (hash ^ value) * UINT64_C(0x9E3779B97F4A7C15);

	return (uint32_t) (h ^ (h >> 32));
}

static uint32_t
hash_bytes(uint32_t hash, const char *text, uint32_t len)
{
	uint64_t	word;

	hash = mix(hash, len);
	for (; len >= 8; text += 8, len -= 8)
		hash = mix(hash, bytes_load(text));
	word = 0;
	if (len > 0)
		memcpy(&word, text, len);
	return mix(hash, word);
}

static uint32_t
hash_decimal(uint32_t hash, const Decimal *d)
{
	Decimal		stripped = decimal_strip(d);

	return mix(mix(mix(hash, stripped.low), (uint64_t) stripped.high), (uint64_t) stripped.scale);
}

static uint32_t
hash_json(uint32_t hash, const JbValue *value, int depth)
{
	const JbContainer *c = (const JbContainer *) value->ptr;
	FpItem		item = {.kind = FP_NODE, .json = (uint8_t) value->type, .len = value->len};
	FpValue		number;
	Decimal		d;
	JbIter		it;
	JbValue		one;

	hash = mix(hash, value->type);
	switch (value->type)
	{
		case JB_T_STRING:
			return hash_bytes(hash, value->ptr, value->len);
		case JB_T_NUMBER:
			item.u.text = value->ptr;
			fp_value(&item, &number);
			return fp_number_of(&number, &d) ? hash_decimal(hash, &d) : hash_bytes(hash, value->ptr, value->len);
		case JB_T_CONTAINER:
			hash = mix(hash, c->header);
			if (depth == HASH_DEPTH)
				return hash;
			for (uint32_t i = 0; jb_is_object(c) && i < jb_count(c); i++)
			{
				uint32_t	len;
				const char *key = jb_key(c, i, &len);

				hash = hash_bytes(hash, key, len);
			}
			jb_iter_start(&it, c);
			while (jb_iter_next(&it, &one))
				hash = hash_json(hash, &one, depth + 1);
			return hash;
		default:
			return hash;
	}
}

/* Notes what kind of number comes into the index; false where what stands in it must be hashed anew. */
static bool
note_number(struct FpIndex *index, const FpValue *value)
{
	bool		before = index->mixed;
	const FpQuantity *q = &value->u.quantity;

	if (value->kind != FP_QUANTITY)
	{
		index->numbers = true;
		index->mixed = before || index->unit.unit != NULL;
	}
	else if (index->unit.unit == NULL)
	{
		index->unit = *q;
		index->mixed = before || index->numbers;
	}
	else
		index->mixed = before || index->unit.calendar != q->calendar || index->unit.both != q->both ||
			index->unit.unit_len != q->unit_len || memcmp(index->unit.unit, q->unit, q->unit_len) != 0;
	return index->mixed == before;
}

/* *anew: the index must be made anew before this hash means anything. */
static uint32_t
hash_item(struct FpIndex *index, const FpItem *item, bool *anew)
{
	FpValue		value;
	Decimal		d;
	JbValue		place = {(const char *) item->twin, 0, JB_T_CONTAINER};
	int64_t		first,
				behind;

	fp_value(item, &value);
	switch (value.kind)
	{
		case FP_STRING:
			return hash_bytes(CLASS_TEXT, value.u.text, value.len);
		case FP_BOOLEAN:
			return mix(CLASS_BOOLEAN, value.u.boolean);
		case FP_DATE:
		case FP_DATETIME:
		case FP_TIME:
			temporal_interval(&value.u.temporal, 0, &first, &behind);
			return mix(CLASS_TIME, (uint64_t) first);
		case FP_INTEGER:
		case FP_LONG:
		case FP_DECIMAL:
			(void) fp_number_of(&value, &d);
			break;
		case FP_QUANTITY:
			d = value.u.quantity.value;
			break;
		default:
			if (item->kind == FP_TYPE)
				return hash_bytes(CLASS_TYPE, item->u.text, item->len);
			if (item->json == JB_T_NULL && item->twin == NULL)
				return CLASS_PLACE;
			if (item->json != JB_T_NULL)
				place = (JbValue) {item->u.text, item->len, (JbType) item->json};
			return hash_json(CLASS_PLACE, &place, 0);
	}
	*anew = !note_number(index, &value);
	return index->mixed ? CLASS_NUMBER : hash_decimal(CLASS_NUMBER, &d);
}

static void
put(struct FpIndex *index, uint32_t place)
{
	size_t		slot = index->hashes[place] & (index->size - 1);

	while (index->slots[slot] != 0)
		slot = (slot + 1) & (index->size - 1);
	index->slots[slot] = place + 1;
}

/* Room for twice as many items as the list has */
static bool
grow(FhirPathEval *ev, struct FpIndex *index, const FpList *list)
{
	size_t		size = 4 * INDEX_FROM;
	uint32_t   *hashes;

	while (size < 4 * list->count)
		size *= 2;
	hashes = fp_alloc(ev, size / 2 * sizeof(uint32_t));
	index->slots = fp_alloc(ev, size * sizeof(uint32_t));
	if (hashes == NULL || index->slots == NULL)
		return false;
	memset(index->slots, 0, size * sizeof(uint32_t));
	if (index->covered > 0)
		memcpy(hashes, index->hashes, index->covered * sizeof(uint32_t));
	index->hashes = hashes;
	index->size = size;
	for (size_t i = 0; i < index->covered; i++)
		put(index, (uint32_t) i);
	return true;
}

static void
forget(struct FpIndex *index)
{
	memset(index->slots, 0, index->size * sizeof(uint32_t));
	index->covered = 0;
}

/* What the list got since the last time */
static bool
cover(FhirPathEval *ev, struct FpIndex *index, const FpList *list)
{
	if (list->count > index->size / 2 && !grow(ev, index, list))
		return false;
	while (index->covered < list->count)
	{
		const FpItem *item = &list->items[index->covered];
		bool		anew = false;

		if (!fp_step(ev) || !fp_charge(ev, item->len))
			return false;
		index->hashes[index->covered] = hash_item(index, item, &anew);
		if (anew)
		{
			/* happens once: mixed stays */
			forget(index);
			continue;
		}
		put(index, (uint32_t) index->covered++);
	}
	return true;
}

static int
find(FhirPathEval *ev, FpList *list, const FpItem *item)
{
	struct FpIndex *index = list->index;
	uint32_t	hash;
	size_t		slot;
	bool		anew = false;

	if (!fp_step(ev) || !fp_charge(ev, item->len))
		return FP_FAILED;
	/* first the list, whose items may change what this hash is */
	if (!cover(ev, index, list))
		return FP_FAILED;
	hash = hash_item(index, item, &anew);
	if (anew)
	{
		forget(index);
		if (!cover(ev, index, list))
			return FP_FAILED;
	}
	for (slot = hash & (index->size - 1); index->slots[slot] != 0; slot = (slot + 1) & (index->size - 1))
	{
		uint32_t	place = index->slots[slot] - 1;
		int			same;

		if (!fp_step(ev))
			return FP_FAILED;
		if (index->hashes[place] != hash)
			continue;
		same = fp_equal(ev, &list->items[place], item);
		if (same == 1 || same == FP_FAILED)
			return same;
	}
	return 0;
}

int
fp_list_has(FhirPathEval *ev, const FpList *list, const FpItem *item)
{
	for (size_t i = 0; i < list->count; i++)
	{
		int			same = fp_equal(ev, &list->items[i], item);

		if (same == 1 || same == FP_FAILED)
			return same;
	}
	return 0;
}

int
fp_list_find(FhirPathEval *ev, FpList *list, const FpItem *item)
{
	if (list->count < INDEX_FROM)
		return fp_list_has(ev, list, item);
	if (list->index == NULL)
	{
		struct FpIndex *index = fp_alloc(ev, sizeof(struct FpIndex));

		if (index == NULL)
			return FP_FAILED;
		memset(index, 0, sizeof(*index));
		list->index = index;
	}
	return find(ev, list, item);
}

bool
fp_list_add_distinct(FhirPathEval *ev, FpList *list, const FpItem *item)
{
	int			has = fp_list_find(ev, list, item);

	if (has == FP_FAILED)
		return false;
	return has == 1 || fp_list_add(ev, list, item);
}
