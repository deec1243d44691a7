/*
 * fhirpath_walk.c
 *		From an item to its elements.
 *
 * A step remembers what its name means for the type that it was last asked
 * of; documents of one kind follow each other, so it is looked up once.
 */
#include "fhirpath_eval.h"

#include "fhir_primitive.h"

static bool walk_from(FhirPathEval *ev, const FpExec *x, int next, const FpItem *item, FpSink *sink);

static inline bool
emit(FhirPathEval *ev, const FpExec *x, int next, const FpItem *item, FpSink *sink)
{
	if (x != NULL && next < x->step_count)
		return walk_from(ev, x, next, item, sink);
	return sink->push(ev, sink, item);
}

static inline bool
is_object(const FpItem *item)
{
	return item->kind == FP_NODE && item->json == JB_T_CONTAINER && jb_is_object((const JbContainer *) item->u.text);
}

/* Type index of a resource by its resourceType, 0 if there is none; likely is what the last one was. */
static int
resource_type(const JbContainer *object, int likely)
{
	JbValue		value;
	int			number;

	if (!jb_is_object(object) || !jb_get(object, "resourceType", 12, &value) || value.type != JB_T_STRING)
		return 0;
	if (likely > FHIR_RESOURCE_BASE && likely <= FHIR_RESOURCE_BASE + FHIR_RESOURCE_TYPES &&
		value.len == (uint32_t) fhir_string_len(fhir_types[likely].name) &&
		bytes_same(value.ptr, fhir_string(fhir_types[likely].name), value.len))
		return likely;
	number = fhir_resource_number(value.ptr, value.len);
	return number == 0 ? 0 : FHIR_RESOURCE_BASE + number;
}

static bool
is_abstract(int type)
{
	return (fhir_types[type].kind & FHIR_KIND_ABSTRACT) != 0;
}

static inline void
set_node(FpItem *item, const JbValue *value, const JbContainer *twin, int type)
{
	item->kind = FP_NODE;
	item->json = (uint8_t) value->type;
	item->len = value->len;
	item->u.text = value->ptr;
	item->twin = twin;
	item->type = (uint16_t) type;
}

/* A resource says itself of which type it is. */
static inline void
set_resource_type(FpItem *item, bool no_model, int likely)
{
	if (item->json == JB_T_CONTAINER && !no_model && (item->type == 0 || is_abstract(item->type)))
	{
		int			type = resource_type((const JbContainer *) item->u.text, likely);

		if (type != 0)
			item->type = (uint16_t) type;
	}
}

FpItem
fp_document_item(const JbContainer *root, uint32_t size, bool no_model, int likely)
{
	JbValue		value;
	FpItem		item;

	jb_root(root, size, &value);
	set_node(&item, &value, NULL, 0);
	set_resource_type(&item, no_model, likely);
	return item;
}

FpItem
fp_value_node(const JbValue *value, bool no_model)
{
	FpItem		item;

	set_node(&item, value, NULL, 0);
	set_resource_type(&item, no_model, 0);
	return item;
}

bool
fp_item_get(const FpItem *item, const char *key, JbValue *value)
{
	return is_object(item) && jb_get((const JbContainer *) item->u.text, key, (uint32_t) strlen(key), value);
}

/* -- what a step means for a type ------------------------------------------- */

/* R4 types Element.id, Resource.id and Extension.url as System.String: no type of the model. */
static int
type_of_element(int type, const FhirElement *element)
{
	if ((element->name_len == 2 && memcmp(fhir_string(element->name), "id", 2) == 0) ||
		(type == fhir_extension_type && element->name_len == 3 && memcmp(fhir_string(element->name), "url", 3) == 0))
		return 0;
	return element->type;
}

/* The one key of a choice that `only` allows, NULL if there are none or several */
static const FhirElement *
only_choice(int type, const FhirElement *base, const FpTypeSpec *only)
{
	const FhirElement *elements = fhir_elements + fhir_types[type].first;
	const FhirElement *found = NULL;

	if (only->type == 0)
		return NULL;
	for (int i = 0; i < fhir_types[type].count; i++)
	{
		const FhirElement *e = &elements[i];

		if (e->slot != base->slot || (e->flags & FHIR_SIBLING) != 0 || (e->flags & FHIR_CHOICE) == 0 ||
			!fhir_type_is(e->type, only->type))
			continue;
		if (found != NULL)
			return NULL;
		found = e;
	}
	return found;
}

/* The `_name` key of an element: its sibling's name, where the model has one */
static const char *
twin_key(int type, const FhirElement *element)
{
	const FhirElement *elements = fhir_elements + fhir_types[type].first;

	for (int i = 0; i < fhir_types[type].count; i++)
	{
		if ((elements[i].flags & FHIR_SIBLING) != 0 && &elements[elements[i].main] == element)
			return fhir_string(elements[i].name);
	}
	return NULL;
}

void
fp_step_look_up(FpStep *step, int type)
{
	const char *name = step->twin + 1;
	const FhirElement *element;

	step->cached = true;
	step->for_type = (uint16_t) type;
	step->how = FP_STEP_PLAIN;
	step->filter = step->only != NULL;
	step->type = 0;
	step->key_twin = step->twin;
	step->key_len = step->len;
	step->is_type = false;
	if (type == 0)
		return;
	if (step->leading)
	{
		int			named = fhir_type_find(name, step->len);

		if (named != 0 && fhir_type_is(type, named))
		{
			step->is_type = true;
			return;
		}
	}
	element = fhir_element_find(type, name, step->len);
	if (element != NULL && (element->flags & FHIR_SIBLING) == 0)
	{
		step->type = (uint16_t) type_of_element(type, element);
		if (step->only != NULL && step->only->type != 0 && step->type != 0 && !is_abstract(step->type) &&
			fhir_type_is(step->type, step->only->type))
			step->filter = false;
		return;
	}
	element = fhir_element_find_base(type, name, step->len);
	if (element == NULL || (element->flags & FHIR_CHOICE) == 0)
		return;
	step->how = FP_STEP_CHOICE;
	if (step->only != NULL)
	{
		const FhirElement *chosen = only_choice(type, element, step->only);
		const char *twin = chosen == NULL ? NULL : twin_key(type, chosen);

		if (chosen == NULL)
			return;
		step->how = FP_STEP_PLAIN;
		step->filter = false;
		step->type = chosen->type;
		step->key_len = chosen->name_len;
		/* the byte before a name in the pool is its length: good enough where there is no twin */
		step->key_twin = twin != NULL ? twin : fhir_string(chosen->name) - 1;
	}
}

/* -- elements of an object -------------------------------------------------- */

/* Offers one value of a name; its twin is the object of `_name`, or NULL. */
static inline bool
offer(FhirPathEval *ev, const FpStep *step, int type, const JbValue *value, const JbContainer *twin, const FpExec *x,
	  int next, FpSink *sink)
{
	FpItem		item;

	if (value->type == JB_T_NULL && twin == NULL)
		return true;
	if (!fp_step(ev))
		return false;
	set_node(&item, value, twin, type);
	set_resource_type(&item, ev->input->no_model, 0);
	if (step != NULL && step->filter && !fp_item_is(&item, step->only))
		return true;
	return emit(ev, x, next, &item, sink);
}

static const JbContainer *
as_object(const JbValue *value)
{
	if (value->type != JB_T_CONTAINER || !jb_is_object((const JbContainer *) value->ptr))
		return NULL;
	return (const JbContainer *) value->ptr;
}

static inline bool
is_list(const JbValue *value)
{
	return value->type == JB_T_CONTAINER && jb_is_array((const JbContainer *) value->ptr);
}

/* A value, or each one of an array, beside its twins. value or twins may be NULL, not both. */
static bool
offer_all(FhirPathEval *ev, const FpStep *step, int type, const JbValue *value, const JbValue *twins, const FpExec *x,
		  int next, FpSink *sink)
{
	static const JbValue nothing = {NULL, 0, JB_T_NULL};
	JbIter		values,
				others;
	JbValue		one,
				other;
	bool		has_value,
				has_other;

	if ((value == NULL || !is_list(value)) && (twins == NULL || !is_list(twins)))
		return offer(ev, step, type, value == NULL ? &nothing : value, twins == NULL ? NULL : as_object(twins), x, next, sink);
	if (twins == NULL || !is_list(twins))
	{
		jb_iter_start(&values, (const JbContainer *) value->ptr);
		while (jb_iter_next(&values, &one))
		{
			if (!offer(ev, step, type, &one, NULL, x, next, sink))
				return false;
		}
		return true;
	}
	jb_iter_start(&others, (const JbContainer *) twins->ptr);
	if (value != NULL && is_list(value))
		jb_iter_start(&values, (const JbContainer *) value->ptr);
	else
		values = (JbIter) {0};
	for (;;)
	{
		has_value = jb_iter_next(&values, &one);
		has_other = jb_iter_next(&others, &other);
		if (!has_value && !has_other)
			return true;
		if (!offer(ev, step, type, has_value ? &one : &nothing, has_other ? as_object(&other) : NULL, x, next, sink))
			return false;
	}
}

/*
 * The value of a key and the one of its `_` twin, in one walk over the keys:
 * the twin's is one byte longer and so stands behind.
 */
static void
find_pair(const JbContainer *object, const char *key_twin, uint32_t len, bool with_twin, JbValue *value, bool *has_value,
		  JbValue *twin, bool *has_twin)
{
	uint32_t	count = jb_count(object);
	const char *data = jb_data(object, count * 2);
	uint32_t	offset = 0;
	uint32_t	i;

	*has_value = *has_twin = false;
	if (count > 48)
	{
		*has_value = jb_get(object, key_twin + 1, len, value);
		*has_twin = with_twin && jb_get(object, key_twin, len + 1, twin);
		return;
	}
	for (i = 0; i < count; i++)
	{
		uint32_t	entry = object->entries[i];
		uint32_t	end = (entry & JB_HAS_OFF) ? (entry & JB_LEN_MASK) : offset + (entry & JB_LEN_MASK);
		uint32_t	own = end - offset;

		if (own == len)
		{
			if (!*has_value && bytes_same(data + offset, key_twin + 1, len))
			{
				jb_value_at(data, object->entries[count + i], jb_offset(object, count + i), value);
				*has_value = true;
				if (!with_twin)
					return;
			}
		}
		else if (own > len)
		{
			if (own > len + 1 || !with_twin)
				return;
			if (data[offset] == '_' && bytes_same(data + offset, key_twin, len + 1))
			{
				jb_value_at(data, object->entries[count + i], jb_offset(object, count + i), twin);
				*has_twin = true;
				return;
			}
			if (data[offset] > '_')
				return;
		}
		offset = end;
	}
}

static bool
offer_key(FhirPathEval *ev, const FpStep *step, const JbContainer *object, const char *key_twin, uint32_t len, int type,
		  const FpExec *x, int next, FpSink *sink)
{
	JbValue		value,
				twin;
	bool		has_value,
				has_twin;

	/* only primitives, and what is not known, have twins */
	find_pair(object, key_twin, len, type <= FHIR_XHTML, &value, &has_value, &twin, &has_twin);
	if (!has_value && !has_twin)
		return true;
	return offer_all(ev, step, type, has_value ? &value : NULL, has_twin ? &twin : NULL, x, next, sink);
}

/* A choice: whichever of its keys is there, or only its twin */
static bool
offer_choice(FhirPathEval *ev, const FpStep *step, const JbContainer *object, int type, const FpExec *x, int next,
			 FpSink *sink)
{
	uint32_t	count = jb_count(object);
	const char *data = jb_data(object, count * 2);
	const char *name = step->twin + 1;
	uint32_t	offset = 0;

	for (uint32_t i = 0; i < count; i++)
	{
		uint32_t	entry = object->entries[i];
		uint32_t	end = (entry & JB_HAS_OFF) ? (entry & JB_LEN_MASK) : offset + (entry & JB_LEN_MASK);
		uint32_t	own = end - offset;
		const char *key = data + offset;
		const FhirElement *element;
		bool		is_twin;

		offset = end;
		is_twin = own > step->len + 1 && key[0] == '_';
		if (own <= step->len || memcmp(key + is_twin, name, step->len) != 0)
			continue;
		element = fhir_element_find(type, key + is_twin, own - is_twin);
		if (element == NULL || (element->flags & FHIR_CHOICE) == 0 || element->base_len != step->len)
			continue;
		{
			JbValue		value,
						twin;
			bool		has_value = true,
						has_twin = false;

			if (is_twin)
			{
				/* with its value it was found before, the key being shorter */
				if (jb_find(object, key + 1, own - 1) >= 0)
					continue;
				has_value = false;
				has_twin = true;
				jb_value(object, count * 2, count + i, &twin);
			}
			else
			{
				char		twin_name[64];

				jb_value(object, count * 2, count + i, &value);
				if (element->type <= FHIR_XHTML && own < sizeof(twin_name))
				{
					twin_name[0] = '_';
					memcpy(twin_name + 1, key, own);
					has_twin = jb_get(object, twin_name, own + 1, &twin);
				}
			}
			if (!offer_all(ev, step, element->type, has_value ? &value : NULL, has_twin ? &twin : NULL, x, next, sink))
				return false;
		}
	}
	return true;
}

/* The object in which an item's elements stand: of a primitive, its twin */
static inline const JbContainer *
object_of(const FpItem *item)
{
	if (item->kind != FP_NODE)
		return NULL;
	if (item->json == JB_T_CONTAINER)
		return jb_is_object((const JbContainer *) item->u.text) ? (const JbContainer *) item->u.text : NULL;
	return item->twin;
}

/* Without a model a document may still name its kind, as in Functions.attr */
static bool
named_so(const FpItem *item, const FpStep *step)
{
	JbValue		value;

	return step->twin[1] >= 'A' && step->twin[1] <= 'Z' && fp_item_get(item, "resourceType", &value) &&
		value.type == JB_T_STRING && value.len == step->len && memcmp(value.ptr, step->twin + 1, step->len) == 0;
}

/* Elements of values that are no places: of a Quantity, and of what type() gives */
static bool
value_element(FhirPathEval *ev, const FpStep *step, const FpItem *item, const FpExec *x, int next, FpSink *sink)
{
	const char *name = step->twin + 1;
	FpItem		part;

	if (item->kind == FP_QUANTITY && step->len == 5 && memcmp(name, "value", 5) == 0)
	{
		part = (FpItem) {.kind = FP_DECIMAL};
		part.u.decimal = &item->u.quantity->value;
		return emit(ev, x, next, &part, sink);
	}
	if (item->kind == FP_QUANTITY && ((step->len == 4 && memcmp(name, "unit", 4) == 0) ||
									  (step->len == 4 && memcmp(name, "code", 4) == 0 && item->u.quantity->calendar == 0)))
	{
		part = fp_string(item->u.quantity->unit, item->u.quantity->unit_len);
		return emit(ev, x, next, &part, sink);
	}
	if (item->kind == FP_TYPE)
	{
		const char *dot = memchr(item->u.text, '.', item->len);
		size_t		space = dot == NULL ? 0 : (size_t) (dot - item->u.text);

		if (step->len == 9 && memcmp(name, "namespace", 9) == 0)
			part = fp_string(item->u.text, space);
		else if (step->len == 4 && memcmp(name, "name", 4) == 0)
			part = fp_string(item->u.text + (dot == NULL ? 0 : space + 1), item->len - (dot == NULL ? 0 : space + 1));
		else
			return true;
		return emit(ev, x, next, &part, sink);
	}
	return true;
}

static bool
walk_step(FhirPathEval *ev, FpStep *step, const FpItem *item, const FpExec *x, int next, FpSink *sink)
{
	const JbContainer *object = object_of(item);
	int			type = item->type;

	if (!fp_step(ev))
		return false;
	if (object == NULL)
		return item->kind == FP_NODE || value_element(ev, step, item, x, next, sink);
	if (object == item->twin)
		type = type == 0 ? 0 : fhir_element_type;
	if (!step->cached || step->for_type != type)
		fp_step_look_up(step, type);
	if (step->is_type || (step->leading && type == 0 && named_so(item, step)))
		return emit(ev, x, next, item, sink);
	if (step->how == FP_STEP_CHOICE)
		return offer_choice(ev, step, object, type, x, next, sink);
	return offer_key(ev, step, object, step->key_twin, step->key_len, step->type, x, next, sink);
}

static bool
walk_from(FhirPathEval *ev, const FpExec *x, int next, const FpItem *item, FpSink *sink)
{
	return walk_step(ev, &x->steps[next], item, x, next + 1, sink);
}

/* Walks a path from each item of an input that is no path itself */
typedef struct WalkSink
{
	FpSink		sink;
	const FpExec *x;
	FpSink	   *outer;
} WalkSink;

static bool
walk_push(FhirPathEval *ev, FpSink *sink, const FpItem *item)
{
	WalkSink   *s = (WalkSink *) sink;

	return walk_from(ev, s->x, 0, item, s->outer);
}

bool
fp_walk(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	WalkSink	s = {{walk_push}, x, sink};

	if (x->input != NULL)
		return fp_run(ev, x->input, &s.sink);
	return ev->focus.item == NULL || walk_from(ev, x, 0, ev->focus.item, sink);
}

/* -- all elements ----------------------------------------------------------- */

/* Type of what stands at a key, whatever it is called */
static int
type_at_key(int type, const char *key, uint32_t len)
{
	const FhirElement *element = type == 0 ? NULL : fhir_element_find(type, key, len);

	return element == NULL ? 0 : type_of_element(type, element);
}

static bool
children_of(FhirPathEval *ev, const JbContainer *object, int type, FpSink *sink)
{
	uint32_t	count = jb_count(object);

	for (uint32_t i = 0; i < count; i++)
	{
		uint32_t	len;
		const char *key = jb_key(object, i, &len);
		JbValue		value,
					twin;
		bool		has_twin = false;
		char		twin_name[128];

		jb_value(object, count * 2, count + i, &value);
		if (len == 12 && type != 0 && memcmp(key, "resourceType", 12) == 0)
			continue;
		if (len > 1 && key[0] == '_')
		{
			if (jb_find(object, key + 1, len - 1) >= 0)
				continue;
			if (!offer_all(ev, NULL, type_at_key(type, key + 1, len - 1), NULL, &value, NULL, 0, sink))
				return false;
			continue;
		}
		if (len + 1 < sizeof(twin_name))
		{
			twin_name[0] = '_';
			memcpy(twin_name + 1, key, len);
			has_twin = jb_get(object, twin_name, len + 1, &twin);
		}
		if (!offer_all(ev, NULL, type_at_key(type, key, len), &value, has_twin ? &twin : NULL, NULL, 0, sink))
			return false;
	}
	return true;
}

bool
fp_children(FhirPathEval *ev, const FpItem *item, FpSink *sink)
{
	const JbContainer *object = object_of(item);

	if (!fp_step(ev))
		return false;
	if (object == NULL)
		return true;
	return children_of(ev, object, object == item->twin ? (item->type == 0 ? 0 : fhir_element_type) : item->type, sink);
}
