/*
 * fhirpath_factory.c
 *		%factory: elements made by an expression (R4's FHIRPath page as of R6, "Type Factory API").
 *
 * What is made is jsonb in the evaluator's memory, so that everything else
 * works on it as on a document's elements.
 */
#include "fhirpath_eval.h"

#include <stdio.h>

#include "fhir_primitive.h"
#include "jsonb_write.h"

/* An element being made: a value, perhaps none, and the object of extensions and id beside it */
typedef struct Made
{
	int			type;
	JbValue		value;
	const JbContainer *twin;
} Made;

static bool
push_made(FhirPathEval *ev, const Made *made, FpSink *sink)
{
	FpItem		item = {.kind = FP_NODE, .json = (uint8_t) made->value.type, .type = (uint16_t) made->type, .len = made->value.len};

	item.u.text = made->value.ptr;
	item.twin = made->twin;
	return sink->push(ev, sink, &item);
}

/* Room for one part more than the count, all empty */
static JbPart *
alloc_parts(FhirPathEval *ev, size_t count)
{
	JbPart	   *parts = fp_alloc(ev, (count + 1) * sizeof(JbPart));

	if (parts != NULL)
		memset(parts, 0, (count + 1) * sizeof(JbPart));
	return parts;
}

static const JbContainer *
build(FhirPathEval *ev, JbPart *parts, size_t count, bool object, uint32_t *len)
{
	void	   *buffer = fp_alloc(ev, jb_build_size(parts, count));

	if (buffer == NULL)
		return NULL;
	*len = (uint32_t) jb_build(parts, count, object, buffer);
	return buffer;
}

static bool
build_value(FhirPathEval *ev, JbPart *parts, size_t count, bool object, JbValue *value)
{
	value->type = JB_T_CONTAINER;
	value->ptr = (const char *) build(ev, parts, count, object, &value->len);
	return value->ptr != NULL;
}

static JbPart
string_part(const char *key, const char *text, uint32_t len)
{
	JbPart		part = {key, (uint32_t) strlen(key), {text, len, JB_T_STRING}};

	return part;
}

static bool
number_value(FhirPathEval *ev, const Decimal *d, JbValue *value)
{
	char	   *buffer = fp_alloc(ev, JB_NUMERIC_SIZE);

	if (buffer == NULL)
		return false;
	value->type = JB_T_NUMBER;
	value->ptr = buffer;
	value->len = (uint32_t) jb_build_numeric(d, buffer);
	return true;
}

static bool
not_a_value(FhirPathEval *ev, int type)
{
	char		text[80];

	snprintf(text, sizeof(text), "not a value of type %s", fhir_string(fhir_types[type].name));
	return fp_fail(ev, FHIRPATH_VALUE, text);
}

/* As in a document, but with the partial times of FHIRPath */
static bool
valid_text(int type, const char *text, uint32_t len)
{
	Temporal	t;

	if (type == FHIR_TIME || type == FHIR_DATETIME)
		return temporal_parse(type == FHIR_TIME ? TEMPORAL_TIME : TEMPORAL_DATETIME, text, len, &t) == CORE_OK;
	return fhir_primitive_valid((FhirPrimitive) type, text, len);
}

/* The JSON of a primitive out of an item: strings of strings, numbers and booleans also of their texts */
static bool
primitive_value(FhirPathEval *ev, int type, const FpItem *item, JbValue *result)
{
	FhirJsonKind kind = fhir_primitive_json_kind((FhirPrimitive) type);
	FpValue		value;
	Decimal		d;
	const char *text;
	uint32_t	len;
	bool		may_be_empty = type == FHIR_URI || type == FHIR_URL || type == FHIR_CANONICAL;

	fp_value(item, &value);
	if (value.kind < 0 || value.kind == FP_QUANTITY || !fp_value_print(ev, &value, &text, &len))
		return ev->status == CORE_OK && not_a_value(ev, type);
	if (kind == FHIR_JSON_STRING && (value.kind == FP_INTEGER || value.kind == FP_LONG || value.kind == FP_DECIMAL ||
									 value.kind == FP_BOOLEAN))
		return not_a_value(ev, type);
	if (!(len == 0 && may_be_empty) && !valid_text(type, text, len))
		return not_a_value(ev, type);
	if (kind == FHIR_JSON_NUMBER)
		return decimal_parse(text, len, &d) == CORE_OK ? number_value(ev, &d, result) : not_a_value(ev, type);
	result->type = kind == FHIR_JSON_STRING ? JB_T_STRING : len == 4 ? JB_T_TRUE : JB_T_FALSE;
	result->ptr = text;
	result->len = kind == FHIR_JSON_STRING ? len : 0;
	return true;
}

/* {"extension": [...]}, of the items that are extensions */
static bool
extension_twin(FhirPathEval *ev, const FpList *extensions, const JbContainer **twin)
{
	JbPart	   *parts = alloc_parts(ev, extensions->count);
	JbPart		whole = {"extension", 9, {NULL, 0, JB_T_NULL}};
	uint32_t	len;

	if (parts == NULL)
		return false;
	for (size_t i = 0; i < extensions->count; i++)
	{
		const FpItem *e = &extensions->items[i];

		if (e->kind != FP_NODE || e->json != JB_T_CONTAINER || e->type != fhir_extension_type)
			return fp_fail(ev, FHIRPATH_TYPE, "an extension must be of type Extension");
		parts[i].value = (JbValue) {e->u.text, e->len, JB_T_CONTAINER};
	}
	if (!build_value(ev, parts, extensions->count, false, &whole.value))
		return false;
	*twin = build(ev, &whole, extensions->count > 0, true, &len);
	return *twin != NULL;
}

/* %factory.TYPE(value, extensions) of a primitive type */
static bool
run_primitive(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	Made		made = {fhir_type_find(x->text, x->len), {NULL, 0, JB_T_NULL}, NULL};
	FpItem		item;
	FpList		extensions = {NULL};
	int			n = fp_single(ev, x->args[0], &item, x->function->name);

	if (n == FP_FAILED || (n == 1 && !primitive_value(ev, made.type, &item, &made.value)))
		return false;
	if (x->count > 1 && !fp_collect(ev, x->args[1], &extensions))
		return false;
	if ((extensions.count > 0 || n == 0) && !extension_twin(ev, &extensions, &made.twin))
		return false;
	return push_made(ev, &made, sink);
}

/* An item as the JSON of an element of this type */
static bool
element_value(FhirPathEval *ev, int type, const FpItem *item, JbValue *value)
{
	if (type != 0 && type <= FHIR_XHTML)
		return primitive_value(ev, type, item, value);
	if (item->kind != FP_NODE || item->json != JB_T_CONTAINER || (item->type != 0 && !fhir_type_is(item->type, type)))
		return not_a_value(ev, type);
	*value = (JbValue) {item->u.text, item->len, JB_T_CONTAINER};
	return true;
}

/* The items of an argument as the value of an element; *given false for {} */
static bool
property_value(FhirPathEval *ev, const FhirElement *element, const FpExec *argument, JbValue *value, bool *given)
{
	FpList		list;
	JbPart	   *parts;

	if (!fp_collect(ev, argument, &list))
		return false;
	*given = list.count > 0;
	if (list.count == 0)
		return true;
	if ((element->flags & FHIR_ARRAY) == 0)
	{
		if (list.count > 1)
			return fp_fail(ev, FHIRPATH_SINGLE, "the element does not repeat");
		return element_value(ev, element->type, &list.items[0], value);
	}
	parts = alloc_parts(ev, list.count);
	if (parts == NULL)
		return false;
	for (size_t i = 0; i < list.count; i++)
	{
		if (!element_value(ev, element->type, &list.items[i], &parts[i].value))
			return false;
	}
	return build_value(ev, parts, list.count, false, value);
}

/* The elements that the arguments of a function stand for, in their order */
static const struct
{
	const char *type;
	const char *elements[FP_ARGUMENTS_MAX];
}			signatures[] = {
	{"Identifier", {"system", "value", "use", "type"}},
	{"HumanName", {"family", "given", "prefix", "suffix", "text", "use"}},
	{"ContactPoint", {"system", "value", "use"}},
	{"Address", {"line", "city", "state", "postalCode", "country", "use", "type"}},
	{"Quantity", {"system", "code", "value", "unit"}},
	{"Coding", {"system", "code", "display", "version"}},
	{"CodeableConcept", {"coding", "text"}}
};

static bool
run_complex(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	Made		made = {fhir_type_find(x->text, x->len), {NULL, 0, JB_T_NULL}, NULL};
	JbPart		parts[FP_ARGUMENTS_MAX];
	size_t		count = 0,
				s = 0;

	while (strcmp(signatures[s].type, x->function->name) != 0)
		s++;
	for (int i = 0; i < x->count; i++)
	{
		const char *name = signatures[s].elements[i];
		const FhirElement *element = fhir_element_find(made.type, name, strlen(name));
		bool		given;

		if (!property_value(ev, element, x->args[i], &parts[count].value, &given))
			return false;
		parts[count].key = name;
		parts[count].key_len = (uint32_t) strlen(name);
		count += given;
	}
	return build_value(ev, parts, count, true, &made.value) && push_made(ev, &made, sink);
}

/* {"url", "valueX"}: X is the type that the item has, or that its System type is in FHIR */
static bool
make_extension(FhirPathEval *ev, const FpExec *url_argument, const FpExec *value_argument, JbValue *result)
{
	FpItem		url,
				item;
	JbPart		parts[2];
	const char *text;
	uint32_t	len;
	size_t		name_len;
	const char *name;
	char	   *key;
	int			type;
	int			n = fp_single(ev, url_argument, &url, "an extension");
	int			m = n == FP_FAILED ? n : fp_single(ev, value_argument, &item, "an extension");

	if (n == FP_FAILED || m == FP_FAILED)
		return false;
	if (n == 0 || !fp_text_of(&url, &text, &len))
		return fp_fail(ev, FHIRPATH_TYPE, "an extension has a URL");
	parts[0] = string_part("url", text, len);
	if (m == 0)
		return build_value(ev, parts, 1, true, result);
	name = fhirpath_item_type(&item, &name_len);
	key = fp_alloc(ev, name_len + 6);
	if (name == NULL || key == NULL)
		return fp_fail(ev, FHIRPATH_TYPE, "a value of unknown type");
	memcpy(key, "value", 5);
	memcpy(key + 5, name, name_len + 1);
	if (key[5] >= 'a' && key[5] <= 'z')
		key[5] = (char) (key[5] - 'a' + 'A');
	{
		const FhirElement *element = fhir_element_find(fhir_extension_type, key, name_len + 5);

		if (element == NULL)
			return fp_fail(ev, FHIRPATH_TYPE, "an extension cannot have a value of this type");
		type = element->type;
	}
	parts[1].key = key;
	parts[1].key_len = (uint32_t) name_len + 5;
	return element_value(ev, type, &item, &parts[1].value) && build_value(ev, parts, 2, true, result);
}

static bool
run_extension(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	Made		made = {fhir_extension_type, {NULL, 0, JB_T_NULL}, NULL};

	return make_extension(ev, x->args[0], x->args[1], &made.value) && push_made(ev, &made, sink);
}

/* create(type): without elements */
static bool
run_create(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	Made		made = {x->type.type, {NULL, 0, JB_T_NULL}, NULL};
	JbValue		empty;

	if (made.type == 0)
		return fp_fail(ev, FHIRPATH_TYPE, "create makes FHIR types only");
	if (!build_value(ev, NULL, 0, true, &empty))
		return false;
	if (made.type <= FHIR_XHTML)
		made.twin = (const JbContainer *) empty.ptr;
	else
		made.value = empty;
	return push_made(ev, &made, sink);
}

/* An object with one more key, or another value of a key it has; appended to what an array has, where told so */
static bool
with_key(FhirPathEval *ev, const JbContainer *object, const JbPart *added, bool append, JbValue *result)
{
	uint32_t	count = object == NULL ? 0 : jb_count(object);
	JbPart	   *parts = alloc_parts(ev, count);
	size_t		n = 0;
	JbPart		own = *added;

	if (parts == NULL)
		return false;
	for (uint32_t i = 0; i < count; i++)
	{
		JbPart	   *part = &parts[n];

		part->key = jb_key(object, i, &part->key_len);
		jb_value(object, count * 2, count + i, &part->value);
		if (part->key_len != added->key_len || memcmp(part->key, added->key, added->key_len) != 0)
			n++;
		else if (append && part->value.type == JB_T_CONTAINER)
		{
			uint32_t	size = jb_count((const JbContainer *) part->value.ptr);
			JbPart	   *list = alloc_parts(ev, size);
			JbIter		it;
			uint32_t	k = 0;

			if (list == NULL)
				return false;
			jb_iter_start(&it, (const JbContainer *) part->value.ptr);
			while (k < size && jb_iter_next(&it, &list[k].value))
				k++;
			jb_iter_start(&it, (const JbContainer *) added->value.ptr);
			(void) jb_iter_next(&it, &list[k++].value);
			if (!build_value(ev, list, k, false, &own.value))
				return false;
		}
	}
	parts[n++] = own;
	return build_value(ev, parts, n, true, result);
}

/* The instance with a key more: of a primitive, in its twin */
static bool
push_with_key(FhirPathEval *ev, const FpItem *item, const JbPart *added, bool append, FpSink *sink)
{
	Made		made = {item->type, {item->u.text, item->len, (JbType) item->json}, item->twin};
	JbValue		object;

	if (item->kind != FP_NODE || item->type == 0)
		return fp_fail(ev, FHIRPATH_TYPE, "only elements of FHIR types can be added to");
	if (item->json == JB_T_CONTAINER)
		return with_key(ev, (const JbContainer *) item->u.text, added, append, &made.value) && push_made(ev, &made, sink);
	if (!with_key(ev, item->twin, added, append, &object))
		return false;
	made.twin = (const JbContainer *) object.ptr;
	return push_made(ev, &made, sink);
}

static bool
run_with_extension(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	FpItem		item;
	JbPart		one = {NULL, 0, {NULL, 0, JB_T_NULL}},
				added = {"extension", 9, {NULL, 0, JB_T_NULL}};
	int			n = fp_single(ev, x->args[0], &item, "withExtension");

	if (n <= 0)
		return n == 0;
	return make_extension(ev, x->args[1], x->args[2], &one.value) && build_value(ev, &one, 1, false, &added.value) &&
		push_with_key(ev, &item, &added, true, sink);
}

static bool
run_with_property(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	FpItem		item,
				name;
	JbPart		added;
	const FhirElement *element;
	const char *text;
	uint32_t	len;
	bool		given;
	int			n = fp_single(ev, x->args[0], &item, "withProperty");
	int			m = n == FP_FAILED ? n : fp_single(ev, x->args[1], &name, "withProperty");

	if (n <= 0 || m <= 0)
		return n != FP_FAILED && m != FP_FAILED;
	if (!fp_text_of(&name, &text, &len) || item.kind != FP_NODE || item.type == 0)
		return fp_fail(ev, FHIRPATH_TYPE, "withProperty takes an element and the name of a property");
	element = fhir_element_find(item.type <= FHIR_XHTML ? fhir_element_type : item.type, text, len);
	if (element == NULL || (element->flags & FHIR_SIBLING) != 0)
		return fp_fail(ev, FHIRPATH_VALUE, "the type has no such property");
	if (!property_value(ev, element, x->args[2], &added.value, &given))
		return false;
	if (!given)
		return sink->push(ev, sink, &item);
	added.key = text;
	added.key_len = len;
	return push_with_key(ev, &item, &added, false, sink);
}

#define PRIMITIVE(name) {name, 1, 2, 0, 0, run_primitive, NULL}

const FpFunction fp_factory_functions[] = {
	PRIMITIVE("base64Binary"), PRIMITIVE("boolean"), PRIMITIVE("canonical"), PRIMITIVE("code"), PRIMITIVE("date"),
	PRIMITIVE("dateTime"), PRIMITIVE("decimal"), PRIMITIVE("id"), PRIMITIVE("instant"), PRIMITIVE("integer"),
	PRIMITIVE("markdown"), PRIMITIVE("oid"), PRIMITIVE("positiveInt"), PRIMITIVE("string"), PRIMITIVE("time"),
	PRIMITIVE("unsignedInt"), PRIMITIVE("uri"), PRIMITIVE("url"), PRIMITIVE("uuid"),
	{"Extension", 2, 2, 0, 0, run_extension, NULL},
	{"Identifier", 1, 4, 0, 0, run_complex, NULL},
	{"HumanName", 1, 6, 0, 0, run_complex, NULL},
	{"ContactPoint", 1, 3, 0, 0, run_complex, NULL},
	{"Address", 1, 7, 0, 0, run_complex, NULL},
	{"Quantity", 1, 4, 0, 0, run_complex, NULL},
	{"Coding", 1, 4, 0, 0, run_complex, NULL},
	{"CodeableConcept", 1, 2, 0, 0, run_complex, NULL},
	{"create", 1, 1, FP_F_TYPE, 0, run_create, NULL},
	{"withExtension", 3, 3, 0, 0, run_with_extension, NULL},
	{"withProperty", 3, 3, 0, 0, run_with_property, NULL},
	{NULL, 0, 0, 0, 0, NULL, NULL}
};
