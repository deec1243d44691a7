/*
 * fhirpath_prefix.c
 *		Answers of an expression from the first bytes of a document: see fhirpath_prefix.h.
 */
#include "fhirpath_prefix.h"

#include "fhirpath_eval.h"

/* -- which expressions ------------------------------------------------------ */

#define TYPES_MAX 2048

/* Which types can stand where a path has come to: the document's own type is not known. */
typedef struct Possible
{
	bool		types[TYPES_MAX];	/* by type index; 0: one that the model does not know */
} Possible;

/* Lengths of names of resource types are told apart by a bit; longer ones than that are not. */
#define LENGTHS 32

/*
 * One step on.  Of the document itself, types for which the name is a choice
 * are noted by the length of their names, which a prefix tells where it does not hold the name; elsewhere they end it.
 */
static bool
step_on(FhirPathPrefix *prefix, Possible *now, const char *name, uint32_t len)
{
	Possible	next;

	memset(&next, 0, sizeof(next));
	next.types[0] = now->types[0];
	for (int type = 1; type < fhir_type_count; type++)
	{
		const FhirElement *e;

		if (!now->types[type])
			continue;
		e = fhir_element_find(type, name, len);
		if (e != NULL && (e->flags & FHIR_SIBLING) == 0)
		{
			next.types[e->type] = true;
			continue;
		}
		next.types[0] = true;
		e = fhir_element_find_base(type, name, len);
		if (e == NULL || (e->flags & FHIR_CHOICE) == 0)
			continue;
		if (prefix->count > 0 || fhir_string_len(fhir_types[type].name) >= LENGTHS)
			return false;
		prefix->unclear |= UINT32_C(1) << fhir_string_len(fhir_types[type].name);
	}
	*now = next;
	return true;
}

static bool
add_steps(const FpExec *x, FhirPathPrefix *prefix, Possible *possible)
{
	for (int i = 0; i < x->step_count; i++)
	{
		const FpStep *step = &x->steps[i];

		if (step->only != NULL || step->twin[1] < 'a' || step->twin[1] > 'z' || prefix->count == FHIRPATH_PREFIX_STEPS ||
			!step_on(prefix, possible, step->twin + 1, step->len))
			return false;
		prefix->steps[prefix->count].key = step->twin + 1;
		prefix->steps[prefix->count].len = step->len;
		prefix->steps[prefix->count++].pick = -1;
	}
	return true;
}

static bool
add_pick(FhirPathPrefix *prefix, int64_t pick)
{
	if (prefix->count == 0 || prefix->steps[prefix->count - 1].pick >= 0 || pick < 0)
		return false;
	prefix->steps[prefix->count - 1].pick = pick;
	return true;
}

static bool
add_exec(const FpExec *x, FhirPathPrefix *prefix, Possible *possible)
{
	int64_t		pick;

	if (x->run == fp_walk)
		return (x->input == NULL || add_exec(x->input, prefix, possible)) && add_steps(x, prefix, possible);
	if (fp_is_first(x))
		return x->input != NULL && add_exec(x->input, prefix, possible) && add_pick(prefix, 0);
	return fp_is_index(x, &pick) && add_exec(x->args[0], prefix, possible) && add_pick(prefix, pick);
}

bool
fhirpath_prefix_plan(const FhirPathPlan *plan, FhirPathPrefix *prefix)
{
	Possible	possible;

	memset(prefix, 0, sizeof(*prefix));
	if (plan->slots > 0 || fhir_type_count > TYPES_MAX)
		return false;
	memset(&possible, 0, sizeof(possible));
	possible.types[0] = true;
	for (int i = 1; i <= FHIR_RESOURCE_TYPES; i++)
		possible.types[FHIR_RESOURCE_BASE + i] = true;
	return add_exec(plan->root, prefix, &possible) && prefix->count > 0;
}

/* -- looking ---------------------------------------------------------------- */

typedef struct Look
{
	const FhirPathPrefix *prefix;
	const char *base;
	size_t		have;
	size_t		total;
	size_t		need;			/* not 0: more bytes are needed */
	bool		whole;			/* not to be said from here */
	bool		existence;
	int			count;
	FpItem	   *item;
	int64_t		seen[FHIRPATH_PREFIX_STEPS];
} Look;

/* A value that has a place, though its bytes may not be there */
typedef struct Place
{
	size_t		at;				/* from the base */
	size_t		len;
	JbType		type;
} Place;

static bool look_object(Look *l, int level, const Place *object);

static bool
whole(Look *l)
{
	l->whole = true;
	return false;
}

/* Are these bytes there? */
static bool
there(Look *l, size_t at, size_t len)
{
	if (at > l->total || len > l->total - at)
		return whole(l);
	if (at + len <= l->have)
		return true;
	l->need = at + len;
	return false;
}

/* Header and entries of a container; false: not there, or not as a container must be. */
static bool
open_container(Look *l, const Place *place, const JbContainer **c, uint32_t *entries)
{
	if (place->len < sizeof(uint32_t) || (place->at & 3) != 0)
		return whole(l);
	if (!there(l, place->at, sizeof(uint32_t)))
		return false;
	*c = (const JbContainer *) (l->base + place->at);
	*entries = jb_count(*c) * (jb_is_object(*c) ? 2 : 1);
	if (jb_count(*c) > JB_LEN_MASK / 2 || (place->len - sizeof(uint32_t)) / sizeof(uint32_t) < *entries)
		return whole(l);
	return there(l, place->at + sizeof(uint32_t), *entries * sizeof(uint32_t));
}

/* The place of an entry, which must lie in its container. */
static bool
entry_place(Look *l, const Place *outer, const JbContainer *c, uint32_t entries, uint32_t index, size_t offset, Place *place)
{
	size_t		data = sizeof(uint32_t) * (1 + (size_t) entries);
	uint32_t	entry = c->entries[index];
	size_t		end = (entry & JB_HAS_OFF) ? (entry & JB_LEN_MASK) : offset + (entry & JB_LEN_MASK);

	place->type = JB_ENTRY_TYPE(entry);
	if (place->type > JB_T_CONTAINER)
		return whole(l);
	if (place->type == JB_T_NUMBER || place->type == JB_T_CONTAINER)
		offset = (offset + 3) & ~(size_t) 3;
	if (end < offset || end > outer->len - data)
		return whole(l);
	place->at = outer->at + data + offset;
	place->len = end - offset;
	return true;
}

static bool
look_leaf(Look *l, const Place *place)
{
	if (l->existence)
	{
		l->count++;
		return false;
	}
	/* what an object is as a value depends on its type */
	if (place->type == JB_T_CONTAINER)
		return whole(l);
	if (!there(l, place->at, place->len))
		return false;
	if (place->type == JB_T_NUMBER && !jb_numeric_fits(l->base + place->at, place->len))
		return whole(l);
	*l->item = (FpItem) {.kind = FP_NODE, .json = (uint8_t) place->type, .len = (uint32_t) place->len};
	l->item->u.text = l->base + place->at;
	return ++l->count < 2;
}

/* One item of a step */
static bool
look_item(Look *l, int level, const Place *place)
{
	const JbContainer *c;

	if (place->type == JB_T_NULL)
		return true;
	if (l->prefix->steps[level].pick >= 0 && l->seen[level]++ != l->prefix->steps[level].pick)
		return true;
	if (level + 1 == l->prefix->count)
		return look_leaf(l, place);
	if (place->type != JB_T_CONTAINER)
		return true;
	if (!there(l, place->at, sizeof(uint32_t)) || place->len < sizeof(uint32_t))
		return l->need != 0 ? false : whole(l);
	c = (const JbContainer *) (l->base + place->at);
	return jb_is_object(c) ? look_object(l, level + 1, place) : true;
}

static bool
look_value(Look *l, int level, const Place *place)
{
	const JbContainer *c;
	uint32_t	entries;
	size_t		offset = 0;

	if (place->type != JB_T_CONTAINER)
		return look_item(l, level, place);
	if (!open_container(l, place, &c, &entries))
		return false;
	if (!jb_is_array(c))
		return look_item(l, level, place);
	for (uint32_t i = 0; i < entries; i++)
	{
		Place		one;

		if (!entry_place(l, place, c, entries, i, offset, &one))
			return false;
		if (!look_item(l, level, &one))
			return false;
		offset = one.at + one.len - place->at - sizeof(uint32_t) * (1 + (size_t) entries);
	}
	return true;
}

#define TYPE_KEY "resourceType"
#define TYPE_KEY_LEN 12

/*
 * An object that says which resource it is: inside of a document, of a type
 * that was not reckoned with; the document itself, perhaps of one for which the first name is a choice.
 */
static bool
look_type(Look *l, int level, const Place *object, const JbContainer *c, uint32_t entries, uint32_t key)
{
	Place		place;

	if (level > 0)
		return whole(l);
	if (!entry_place(l, object, c, entries, entries / 2 + key, jb_offset(c, entries / 2 + key), &place))
		return false;
	return place.type != JB_T_STRING || place.len >= LENGTHS || (l->prefix->unclear & UINT32_C(1) << place.len) == 0 || whole(l);
}

/* The value of a step's key */
static bool
look_object(Look *l, int level, const Place *object)
{
	uint32_t	len = l->prefix->steps[level].len;
	const char *name = l->prefix->steps[level].key;
	const JbContainer *c;
	uint32_t	entries;
	size_t		offset = 0;
	int64_t		found = -1;
	Place		place;

	if (!open_container(l, object, &c, &entries))
		return false;
	for (uint32_t i = 0; i < entries / 2; i++)
	{
		const char *key = l->base;

		if (!entry_place(l, object, c, entries, i, offset, &place))
			return false;
		offset += place.len;
		key += place.at;
		if (place.len != len && place.len != (size_t) len + 1 && place.len != TYPE_KEY_LEN)
			continue;
		if (!there(l, place.at, place.len))
			return false;
		if (place.len == len && memcmp(key, name, len) == 0)
			found = i;
		/* siblings are for the evaluator */
		else if (place.len == (size_t) len + 1 && key[0] == '_' && memcmp(key + 1, name, len) == 0)
			return whole(l);
		if (place.len == TYPE_KEY_LEN && memcmp(key, TYPE_KEY, TYPE_KEY_LEN) == 0 && !look_type(l, level, object, c, entries, i))
			return false;
	}
	if (found < 0)
		return true;
	if (!entry_place(l, object, c, entries, entries / 2 + (uint32_t) found, jb_offset(c, entries / 2 + (uint32_t) found), &place))
		return false;
	return look_value(l, level, &place);
}

FhirPathPrefixAnswer
fhirpath_prefix_find(const FhirPathPrefix *prefix, const void *root, size_t have, size_t total, bool existence,
					 FpItem *item, size_t *need)
{
	Look		l = {.prefix = prefix, .base = root, .have = have, .total = total, .existence = existence, .item = item};
	Place		place = {0, total, JB_T_CONTAINER};
	const JbContainer *c = root;

	if (have < sizeof(uint32_t) || total < have || !jb_is_object(c))
		return FHIRPATH_PREFIX_WHOLE;
	(void) look_object(&l, 0, &place);
	if (l.whole)
		return FHIRPATH_PREFIX_WHOLE;
	if (l.need != 0)
	{
		*need = l.need;
		return FHIRPATH_PREFIX_MORE;
	}
	return l.count == 0 ? FHIRPATH_PREFIX_NONE : l.count == 1 ? FHIRPATH_PREFIX_ONE : FHIRPATH_PREFIX_SEVERAL;
}
