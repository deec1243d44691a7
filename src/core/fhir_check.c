/*
 * fhir_check.c
 *		Structural validation of a FHIR R4 resource: one merge walk.
 *
 * Clauses: R4 json.html (objects, arrays, null, _name), datatypes.html
 * (formats), element.html (ele-1), extensibility.html (ext-1), references.html
 * (reference forms, contained: dom-2), terminologies.html (required bindings),
 * narrative.html (txt-1, txt-2).
 */
#include "fhir_check.h"

#include <stdio.h>
#include <string.h>

#include "fhir_model.h"
#include "fhir_primitive.h"
#include "fhir_xhtml.h"

#define INTERRUPT_EVERY 256
#define UCUM "http://unitsofmeasure.org"

const FhirRuleText fhir_rule_texts[FHIR_RULES] = {
	[FHIR_RULE_NO_OBJECT] = {"no-object", "structure", "a resource must be a JSON object", NULL},
	[FHIR_RULE_NO_RESOURCE_TYPE] = {"no-resource-type", "required", "resourceType is missing", "Every resource names its type in \"resourceType\"."},
	[FHIR_RULE_UNKNOWN_RESOURCE_TYPE] = {"unknown-resource-type", "structure", "resourceType is no resource type of FHIR R4", "Names are case-sensitive: \"Patient\"."},
	[FHIR_RULE_UNKNOWN_ELEMENT] = {"unknown-element", "structure", "unknown element of %s", "Look for a misspelt name, or for an element that belongs elsewhere or to another FHIR release than R4."},
	[FHIR_RULE_DUPLICATE_KEY] = {"duplicate-key", "structure", "the key stands twice in its object", "Elements that repeat are written as one array."},
	[FHIR_RULE_JSON_TYPE] = {"json-type", "structure", "must be a JSON %s", NULL},
	[FHIR_RULE_NOT_ARRAY] = {"not-array", "structure", "may repeat and must be a JSON array", "Write [ ] also around a single value."},
	[FHIR_RULE_ARRAY] = {"array", "structure", "may not repeat and must not be a JSON array", "Write the value without [ ]."},
	[FHIR_RULE_EMPTY_ARRAY] = {"empty-array", "structure", "the array is empty", "Leave out what has no value."},
	[FHIR_RULE_EMPTY_OBJECT] = {"empty-object", "structure", "the object is empty", "Leave out what has no value."},
	[FHIR_RULE_EMPTY_STRING] = {"empty-string", "value", "the string is empty", "Leave out what has no value."},
	[FHIR_RULE_NULL] = {"null", "structure", "null may only stand in an array of primitives, beside an extension or id in its _ twin", "Leave out what has no value."},
	[FHIR_RULE_REQUIRED] = {"required", "required", "the element is required", NULL},
	[FHIR_RULE_CHOICE] = {"choice", "structure", "only one type of this element may be given", "Choose one of the keys that begin with this name."},
	[FHIR_RULE_FORMAT] = {"format", "value", "not a valid %s", NULL},
	[FHIR_RULE_CODE] = {"code", "code-invalid", "the code is not in the required value set", "Required bindings allow the codes of their value set only; upper and lower case matter."},
	[FHIR_RULE_CONCEPT] = {"concept", "code-invalid", "no coding is in the required value set", "Give at least one coding with system and code of the value set that the element is bound to."},
	[FHIR_RULE_SIBLING] = {"sibling", "structure", "does not match its _ twin", "Both arrays must be of one length, with null where one has nothing and never null in both."},
	[FHIR_RULE_ONLY_ID] = {"only-id", "invariant", "the element has an id and nothing else (ele-1)", "Give a value, children or an extension."},
	[FHIR_RULE_EXTENSION_BOTH] = {"extension-both", "invariant", "the extension has a value and extensions (ext-1)", "Put the value into an extension of its own."},
	[FHIR_RULE_EXTENSION_NONE] = {"extension-none", "invariant", "the extension has neither value nor extensions (ext-1)", NULL},
	[FHIR_RULE_REFERENCE_FORM] = {"reference-form", "value", "not a reference", "Write Type/id, #id, an absolute URL or urn:uuid: and a UUID."},
	[FHIR_RULE_REFERENCE_TARGET] = {"reference-target", "structure", "the reference leads to a type that is not allowed here", NULL},
	[FHIR_RULE_CONTAINED_NESTED] = {"contained-nested", "invariant", "a contained resource contains resources (dom-2)", "Contain all of them in the outermost resource."},
	[FHIR_RULE_CONTAINED_ID] = {"contained-id", "required", "a contained resource has no id", "Without an id nothing can refer to it."},
	[FHIR_RULE_CONTAINED_TWICE] = {"contained-twice", "duplicate", "another contained resource has the same id", NULL},
	[FHIR_RULE_XHTML_MALFORMED] = {"xhtml-malformed", "value", "the narrative is not well-formed XHTML", "Close every tag, quote attributes, write characters instead of HTML entities."},
	[FHIR_RULE_XHTML_ROOT] = {"xhtml-root", "value", "the narrative is not a <div> of XHTML", "Begin with <div xmlns=\"http://www.w3.org/1999/xhtml\">."},
	[FHIR_RULE_XHTML_ELEMENT] = {"xhtml-element", "invariant", "the narrative has an element or attribute that does more than formatting (txt-1)", NULL},
	[FHIR_RULE_XHTML_SCRIPT] = {"xhtml-script", "security", "the narrative has active content (txt-1)", "Scripts, event attributes and script URLs are not allowed."},
	[FHIR_RULE_XHTML_EMPTY] = {"xhtml-empty", "invariant", "the narrative has no content (txt-2)", NULL, true},
	[FHIR_RULE_URN] = {"urn", "value", "a urn:uuid: or urn:oid: is not followed by a UUID in small letters or an OID", NULL, true},
	[FHIR_RULE_DEPTH] = {"depth", "too-long", "the resource is nested too deeply", NULL},
};

/* One step of the way from the resource to the element at hand; steps live on the C stack. */
typedef struct FhirPlace Step;

struct FhirPlace
{
	const struct FhirPlace *up;
	const char *name;
	int			name_len;
	int			index;			/* in an array, -1 outside */
	const FhirElement *choice;	/* where the name is a choice's: its entry */
};

typedef struct Check
{
	const CoreContext *cx;
	FhirReport	report;
	void	   *arg;
	CoreStatus	status;			/* what stopped the walk, CORE_OK while it goes on */
	bool		all_rules;
	bool		faults;
	bool		contained;		/* inside a contained resource */
	int			depth;
	unsigned	objects;
	FhirVisitor visitor;		/* or NULL */
	FhirVisit	visit;			/* of the nearest resource */
} Check;

static void check_object(Check *c, const JsonNode *node, int type, const Step *at);
static void check_resource(Check *c, const JsonNode *node, const Step *at);

/* -- reports ------------------------------------------------------------ */

typedef struct PathBuffer
{
	char		text[FHIR_PATH_MAX + 4];
	int			len;
	bool		full;
} PathBuffer;

static void
path_add(PathBuffer *b, const char *text, int len)
{
	if (b->full)
		return;
	if (b->len + len > FHIR_PATH_MAX)
	{
		b->full = true;
		text = "...";
		len = 3;
	}
	memcpy(b->text + b->len, text, len);
	b->len += len;
}

static void
path_write(PathBuffer *b, const Step *step)
{
	char		number[32];

	if (step->up != NULL)
	{
		path_write(b, step->up);
		path_add(b, ".", 1);
	}
	path_add(b, step->name, step->name_len);
	if (step->index >= 0)
		path_add(b, number, snprintf(number, sizeof(number), "[%d]", step->index));
	if (step->choice != NULL)
	{
		const FhirType *type = &fhir_types[step->choice->type];

		path_add(b, ".ofType(", 8);
		path_add(b, fhir_string(type->name), fhir_string_len(type->name));
		path_add(b, ")", 1);
	}
}

void
fhir_place_path(const FhirPlace *place, const char *child, int index, char *path)
{
	Step		step = {place, child, child == NULL ? 0 : (int) strlen(child), index, NULL};
	PathBuffer	buffer;

	buffer.len = 0;
	buffer.full = false;
	path_write(&buffer, child == NULL ? place : &step);
	memcpy(path, buffer.text, buffer.len);
	path[buffer.len] = '\0';
}

static void
fault(Check *c, FhirRule rule, const Step *at, const char *what, const char *hint)
{
	PathBuffer	path;
	FhirFault	f;

	if (c->status != CORE_OK || (fhir_rule_texts[rule].later && !c->all_rules))
		return;
	path.len = 0;
	path.full = false;
	path_write(&path, at);
	path.text[path.len] = '\0';
	f.rule = rule;
	f.path = path.text;
	f.what = what;
	f.hint = hint != NULL ? hint : fhir_rule_texts[rule].hint;
	c->faults = true;
	if (!c->report(c->arg, &f))
		c->status = CORE_INVALID;
}

/* A fault of a child that has no step of its own yet */
static void
fault_below(Check *c, FhirRule rule, const Step *at, const char *name, int len, const char *what)
{
	Step		step = {at, name, len, -1, NULL};

	fault(c, rule, &step, what, NULL);
}

static const char *
type_name(int type)
{
	return fhir_string(fhir_types[type].name);
}

/* -- primitives --------------------------------------------------------- */

static void
check_xhtml(Check *c, const JsonNode *node, const Step *at)
{
	static const FhirRule rules[] = {
		[FHIR_XHTML_MALFORMED] = FHIR_RULE_XHTML_MALFORMED,
		[FHIR_XHTML_ROOT] = FHIR_RULE_XHTML_ROOT,
		[FHIR_XHTML_ELEMENT] = FHIR_RULE_XHTML_ELEMENT,
		[FHIR_XHTML_ATTRIBUTE] = FHIR_RULE_XHTML_ELEMENT,
		[FHIR_XHTML_SCRIPT] = FHIR_RULE_XHTML_SCRIPT,
		[FHIR_XHTML_EMPTY] = FHIR_RULE_XHTML_EMPTY,
		[FHIR_XHTML_DEEP] = FHIR_RULE_XHTML_MALFORMED,
	};
	FhirXhtmlFault found = fhir_xhtml_check(node->u.text, node->len);

	if (found != FHIR_XHTML_FINE)
		fault(c, rules[found], at, NULL, NULL);
}

/* type/subtype with parameters (BCP 13), and the short names that R4 allows for formats */
static bool
is_media_type(const char *text, size_t len)
{
	static const char *const formats[] = {"json", "xml", "ttl"};
	const char *slash = memchr(text, '/', len);

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
	{
		if (len == strlen(formats[i]) && memcmp(text, formats[i], len) == 0)
			return true;
	}
	if (slash == NULL || slash == text || slash == text + len - 1)
		return false;
	for (size_t i = 0; i < len; i++)
	{
		unsigned char ch = (unsigned char) text[i];

		if (ch == ';')
			return i > (size_t) (slash - text) + 1;
		if (ch <= ' ' || ch >= 0x7F || strchr("()<>@,\\\"[]?=:", ch) != NULL || (ch == '/' && text + i != slash))
			return false;
	}
	return true;
}

static void
check_code(Check *c, const JsonNode *node, const FhirElement *element, const Step *at)
{
	const FhirCodeSet *set = &fhir_code_sets[element->codes];
	bool		known;

	if (set->kind == FHIR_SET_MIME)
		known = is_media_type(node->u.text, node->len);
	else
		known = set->kind != FHIR_SET_CODES || fhir_code_in_set(set, node->u.text, node->len, NULL, 0);
	if (!known)
		fault(c, FHIR_RULE_CODE, at, NULL, NULL);
}

static bool
is_uri(FhirPrimitive type)
{
	return type == FHIR_URI || type == FHIR_URL || type == FHIR_CANONICAL;
}

/* datatypes.html#uri: "for UUID (urn:uuid:...) use all lowercase"; a fragment or a version may follow. */
static bool
urn_valid(const char *text, size_t len)
{
	size_t		end = 0;

	while (end < len && text[end] != '#' && text[end] != '|' && text[end] != '?')
		end++;
	if (len > 9 && memcmp(text, "urn:uuid:", 9) == 0)
		return fhir_primitive_valid(FHIR_UUID, text, end);
	if (len > 8 && memcmp(text, "urn:oid:", 8) == 0)
		return fhir_primitive_valid(FHIR_OID, text, end);
	return true;
}

static void
check_primitive(Check *c, const JsonNode *node, const FhirElement *element, const Step *at)
{
	static const char *const names[] = {
		[FHIR_JSON_STRING] = "string", [FHIR_JSON_NUMBER] = "number", [FHIR_JSON_BOOLEAN] = "boolean"
	};
	FhirPrimitive type = (FhirPrimitive) element->type;
	FhirJsonKind due = fhir_primitive_json_kind(type);
	bool		fits = due == FHIR_JSON_STRING ? node->kind == NODE_STRING :
		due == FHIR_JSON_NUMBER ? node->kind == NODE_NUMBER :
		node->kind == NODE_TRUE || node->kind == NODE_FALSE;

	if (!fits)
		fault(c, FHIR_RULE_JSON_TYPE, at, names[due], NULL);
	else if (due == FHIR_JSON_BOOLEAN)
		return;
	else if (node->kind == NODE_STRING && node->len == 0)
		fault(c, FHIR_RULE_EMPTY_STRING, at, NULL, NULL);
	else if (type == FHIR_XHTML)
		check_xhtml(c, node, at);
	else if (!fhir_primitive_valid(type, node->u.text, node->len))
		fault(c, FHIR_RULE_FORMAT, at, type_name(type), fhir_primitive_hint(type));
	else if (element->codes != 0)
		check_code(c, node, element, at);
	else if (c->all_rules && node->len > 0 && node->u.text[0] == 'u' && is_uri(type) && !urn_valid(node->u.text, node->len))
		fault(c, FHIR_RULE_URN, at, NULL, NULL);
}

/* -- references --------------------------------------------------------- */

typedef struct Part
{
	const char *text;
	size_t		len;
} Part;

/* Cuts the last step off a path at its slash; false if there is none. */
static bool
last_part(Part *rest, Part *part)
{
	size_t		i = rest->len;

	while (i > 0 && rest->text[i - 1] != '/')
		i--;
	if (i == 0)
		return false;
	part->text = rest->text + i;
	part->len = rest->len - i;
	rest->len = i - 1;
	return true;
}

/*
 * Type and id at the end of .../Type/id or .../Type/id/_history/version; 0: it
 * ends otherwise.  *alone: nothing stands before them.
 */
static int
literal_type(Part rest, bool *alone)
{
	Part		id,
				type;
	int			number;

	if (!last_part(&rest, &id))
		return 0;
	if (!last_part(&rest, &type))
		type = rest;
	if (type.len == 8 && memcmp(type.text, "_history", 8) == 0)
	{
		/* the version's number is an id too */
		if (!fhir_id_valid(id.text, id.len) || !last_part(&rest, &id))
			return 0;
		if (!last_part(&rest, &type))
			type = rest;
	}
	number = fhir_resource_number(type.text, type.len);
	*alone = type.text == rest.text;
	return fhir_resource_concrete(number) && fhir_id_valid(id.text, id.len) ? number : 0;
}

/* Length of scheme: at the text's beginning, 0 if there is none */
static size_t
scheme_len(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
	{
		char		ch = text[i];
		bool		letter = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z');

		if (ch == ':')
			return i;
		if (!letter && (i == 0 || !((ch >= '0' && ch <= '9') || ch == '+' || ch == '-' || ch == '.')))
			return 0;
	}
	return 0;
}

/*
 * The form of a literal reference and the type it names (0: it names none).
 * Conditional references (Patient?identifier=...) stand in transaction bundles.
 */
static bool
judge_reference(const char *text, size_t len, int *number)
{
	const char *query = memchr(text, '?', len);
	size_t		scheme = scheme_len(text, len);
	bool		alone = false;
	Part		whole = {text, len};

	*number = 0;
	if (text[0] == '#')
		return len == 1 || fhir_id_valid(text + 1, len - 1);
	if (len > 9 && memcmp(text, "urn:uuid:", 9) == 0)
		return fhir_primitive_valid(FHIR_UUID, text, len);
	if (len > 8 && memcmp(text, "urn:oid:", 8) == 0)
		return fhir_primitive_valid(FHIR_OID, text, len);
	if (query != NULL && scheme == 0)
	{
		*number = fhir_resource_number(text, query - text);
		return fhir_resource_concrete(*number);
	}
	if (scheme > 0)
	{
		if (query == NULL && scheme >= 4 && memcmp(text, "http", 4) == 0)
			*number = literal_type(whole, &alone);
		return true;
	}
	*number = literal_type(whole, &alone);
	return *number != 0 && alone;
}

static void
check_reference(Check *c, const JsonNode *node, const FhirElement *element, const Step *at)
{
	const JsonNode *reference = json_child(node, "reference", 9);
	const JsonNode *type = json_child(node, "type", 4);
	int			number = 0;

	if (reference != NULL && reference->kind == NODE_STRING && reference->len > 0)
	{
		if (!judge_reference(reference->u.text, reference->len, &number))
			fault_below(c, FHIR_RULE_REFERENCE_FORM, at, "reference", 9, NULL);
		else if (number > 0 && !fhir_target_allowed(element->targets, number))
			fault_below(c, FHIR_RULE_REFERENCE_TARGET, at, "reference", 9, NULL);
	}
	if (type != NULL && type->kind == NODE_STRING)
	{
		number = fhir_resource_number(type->u.text, type->len);
		/* an absolute URL names a type of somebody else's */
		if (number > 0 && !fhir_target_allowed(element->targets, number))
			fault_below(c, FHIR_RULE_REFERENCE_TARGET, at, "type", 4, NULL);
	}
}

/* -- data types with rules of their own --------------------------------- */

static bool
coding_in_set(const JsonNode *coding, const FhirCodeSet *set)
{
	const JsonNode *system = json_child(coding, "system", 6);
	const JsonNode *code = json_child(coding, "code", 4);

	if (system == NULL || code == NULL || system->kind != NODE_STRING || code->kind != NODE_STRING)
		return false;
	if (set->kind == FHIR_SET_UCUM)
		return system->len == strlen(UCUM) && memcmp(system->u.text, UCUM, system->len) == 0;
	return fhir_code_in_set(set, code->u.text, code->len, system->u.text, system->len);
}

/* A concept that only says why it is missing (an extension) is let through. */
static void
check_concept(Check *c, const JsonNode *node, const FhirElement *element, const Step *at)
{
	const JsonNode *codings = json_child(node, "coding", 6);

	if (codings == NULL && json_child(node, "text", 4) == NULL)
		return;
	for (uint32_t i = 0; codings != NULL && codings->kind == NODE_ARRAY && i < codings->len; i++)
	{
		if (coding_in_set(&codings->u.children[i], &fhir_code_sets[element->codes]))
			return;
	}
	fault(c, FHIR_RULE_CONCEPT, at, NULL, NULL);
}

/* ext-1: a value or extensions, not both */
static void
check_extension(Check *c, const JsonNode *node, const Step *at)
{
	bool		has_value = false;

	for (uint32_t i = 0; i < node->len; i++)
	{
		const JsonNode *child = &node->u.children[i];
		uint32_t	skip = child->key_len > 0 && child->key[0] == '_';

		has_value |= child->key_len >= 5 + skip && memcmp(child->key + skip, "value", 5) == 0;
	}
	if (json_child(node, "extension", 9) != NULL)
	{
		if (has_value)
			fault(c, FHIR_RULE_EXTENSION_BOTH, at, NULL, NULL);
	}
	else if (!has_value)
		fault(c, FHIR_RULE_EXTENSION_NONE, at, NULL, NULL);
}

static bool
only_id(const JsonNode *node)
{
	return node->kind == NODE_OBJECT && node->len == 1 &&
		node->u.children[0].key_len == 2 && memcmp(node->u.children[0].key, "id", 2) == 0;
}

static void
check_complex(Check *c, const JsonNode *node, const FhirElement *element, const Step *at)
{
	int			type = element->type;

	if (node->kind != NODE_OBJECT)
	{
		fault(c, FHIR_RULE_JSON_TYPE, at, "object", NULL);
		return;
	}
	if (node->len == 0)
	{
		fault(c, FHIR_RULE_EMPTY_OBJECT, at, NULL, NULL);
		return;
	}
	check_object(c, node, type, at);
	if (type == fhir_extension_type)
		check_extension(c, node, at);
	else if (type == fhir_reference_type)
		check_reference(c, node, element, at);
	else if (element->codes != 0)
		check_concept(c, node, element, at);
	if (only_id(node) && (element->flags & FHIR_SIBLING) == 0)
		fault(c, FHIR_RULE_ONLY_ID, at, NULL, NULL);
}

/* -- elements ----------------------------------------------------------- */

static void
check_value(Check *c, const JsonNode *node, const FhirElement *element, const Step *at)
{
	if (element->type < FHIR_RESOURCE_BASE)
		check_primitive(c, node, element, at);
	else if (element->type <= FHIR_RESOURCE_BASE + FHIR_RESOURCE_TYPES)
		check_resource(c, node, at);
	else
		check_complex(c, node, element, at);
}

static bool
is_contained(const FhirElement *element)
{
	return element->name_len == 9 && memcmp(fhir_string(element->name), "contained", 9) == 0 &&
		element->type > FHIR_RESOURCE_BASE && element->type <= FHIR_RESOURCE_BASE + FHIR_RESOURCE_TYPES;
}

/* The ids of contained resources must differ: sorted in a list of their own. */
static void
check_contained_ids(Check *c, const JsonNode *array, Step *at)
{
	JsonNode   *ids = c->cx->alloc(c->cx->arg, array->len * sizeof(JsonNode));
	size_t		count = 0;

	if (ids == NULL)
	{
		c->status = CORE_NO_MEMORY;
		return;
	}
	for (uint32_t i = 0; i < array->len; i++)
	{
		const JsonNode *id = json_child(&array->u.children[i], "id", 2);

		if (id == NULL)
		{
			at->index = (int) i;
			fault(c, FHIR_RULE_CONTAINED_ID, at, NULL, NULL);
		}
		else if (id->kind == NODE_STRING)
		{
			ids[count].key = id->u.text;
			ids[count].key_len = id->len;
			ids[count++].len = i;
		}
	}
	json_sort_nodes(ids, count);
	for (size_t i = 1; i < count; i++)
	{
		if (fhir_compare(ids[i - 1].key, ids[i - 1].key_len, ids[i].key, ids[i].key_len) == 0)
		{
			at->index = (int) (ids[i].len > ids[i - 1].len ? ids[i].len : ids[i - 1].len);
			fault(c, FHIR_RULE_CONTAINED_TWICE, at, NULL, NULL);
		}
	}
	at->index = -1;
	c->cx->free(c->cx->arg, ids);
}

static void
check_contained(Check *c, const JsonNode *array, Step *at, const FhirElement *element)
{
	if (c->contained)
	{
		fault(c, FHIR_RULE_CONTAINED_NESTED, at, NULL, NULL);
		return;
	}
	c->contained = true;
	for (uint32_t i = 0; i < array->len && c->status == CORE_OK; i++)
	{
		at->index = (int) i;
		check_value(c, &array->u.children[i], element, at);
	}
	at->index = -1;
	c->contained = false;
	if (c->status == CORE_OK)
		check_contained_ids(c, array, at);
}

/*
 * Whether an item of the array `name` (or `_name`: `sibling`) may be null: the
 * same place of its twin has something that makes an element (ele-1).
 */
static bool
null_allowed(const JsonNode *parent, const JsonNode *array, bool sibling, uint32_t index)
{
	char		name[260];
	const JsonNode *twin;

	if (sibling)
		twin = json_child(parent, array->key + 1, array->key_len - 1);
	else
	{
		name[0] = '_';
		memcpy(name + 1, array->key, array->key_len);
		twin = json_child(parent, name, array->key_len + 1);
	}
	return twin != NULL && twin->kind == NODE_ARRAY && index < twin->len &&
		twin->u.children[index].kind != NODE_NULL && !only_id(&twin->u.children[index]);
}

static void
check_array(Check *c, const JsonNode *parent, const JsonNode *array, const FhirElement *element, Step *at)
{
	bool		primitive = element->type < FHIR_RESOURCE_BASE;
	bool		sibling = (element->flags & FHIR_SIBLING) != 0;

	if (array->len == 0)
	{
		fault(c, FHIR_RULE_EMPTY_ARRAY, at, NULL, NULL);
		return;
	}
	if (is_contained(element))
	{
		check_contained(c, array, at, element);
		return;
	}
	for (uint32_t i = 0; i < array->len && c->status == CORE_OK; i++)
	{
		const JsonNode *item = &array->u.children[i];

		at->index = (int) i;
		if (item->kind != NODE_NULL)
			check_value(c, item, element, at);
		else if (!(primitive || sibling) || !null_allowed(parent, array, sibling, i))
			fault(c, FHIR_RULE_NULL, at, NULL, NULL);
	}
	at->index = -1;
	if (sibling)
	{
		const JsonNode *twin = json_child(parent, array->key + 1, array->key_len - 1);

		if (twin != NULL && twin->kind == NODE_ARRAY && twin->len != array->len)
			fault(c, FHIR_RULE_SIBLING, at, NULL, NULL);
	}
}

/* An object that only has an id is no element where its primitive is absent (ele-1). */
static void
check_sibling_alone(Check *c, const JsonNode *parent, const JsonNode *node, const Step *at)
{
	if (only_id(node) && json_child(parent, node->key + 1, node->key_len - 1) == NULL)
		fault(c, FHIR_RULE_ONLY_ID, at, NULL, NULL);
}

static void
check_element(Check *c, const JsonNode *parent, const JsonNode *node, const FhirElement *element,
			  const FhirElement *main, const Step *up)
{
	bool		sibling = element != main;
	Step		at = {up, fhir_string(main->name), main->base_len, -1, NULL};

	if (main->flags & FHIR_CHOICE)
		at.choice = main;
	if (node->kind == NODE_NULL)
		fault(c, FHIR_RULE_NULL, &at, NULL, NULL);
	else if (element->flags & FHIR_ARRAY)
	{
		if (node->kind == NODE_ARRAY)
			check_array(c, parent, node, element, &at);
		else
			fault(c, FHIR_RULE_NOT_ARRAY, &at, NULL, NULL);
	}
	else if (node->kind == NODE_ARRAY)
		fault(c, FHIR_RULE_ARRAY, &at, NULL, NULL);
	else
	{
		check_value(c, node, element, &at);
		if (sibling)
			check_sibling_alone(c, parent, node, &at);
	}
}

/* -- objects ------------------------------------------------------------ */

/* A name may be printed when no value can hide in it. */
static bool
printable_name(const char *name, size_t len)
{
	if (len < 1 || len > 64)
		return false;
	for (size_t i = 0; i < len; i++)
	{
		char		ch = name[i];

		if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || ch == '_'))
			return false;
	}
	return true;
}

static void
unknown_element(Check *c, const JsonNode *child, int type, const Step *at)
{
	if (printable_name(child->key, child->key_len))
		fault_below(c, FHIR_RULE_UNKNOWN_ELEMENT, at, child->key, (int) child->key_len, type_name(type));
	else
		fault(c, FHIR_RULE_UNKNOWN_ELEMENT, at, type_name(type), NULL);
}

static void
missing_elements(Check *c, int type, uint64_t missing, const Step *at)
{
	const FhirType *t = &fhir_types[type];

	for (int i = 0; i < t->count && missing != 0; i++)
	{
		const FhirElement *element = &fhir_elements[t->first + i];
		uint64_t	bit = UINT64_C(1) << element->slot;

		if ((missing & bit) != 0 && (element->flags & FHIR_SIBLING) == 0)
		{
			fault_below(c, FHIR_RULE_REQUIRED, at, fhir_string(element->name), element->base_len, NULL);
			missing &= ~bit;
		}
	}
}

/*
 * The merge: children and elements are sorted alike, so one pass over both
 * finds what is unknown, what stands twice and what is missing.  Returns the
 * slots that are filled.
 */
static uint64_t
merge_children(Check *c, const JsonNode *node, int type, const Step *at)
{
	const FhirType *t = &fhir_types[type];
	const FhirElement *first = fhir_elements + t->first;
	const FhirElement *element = first;
	const FhirElement *end = first + t->count;
	uint64_t	seen = 0;
	uint16_t	chosen[64];		/* of a choice's slot: the key that was met; valid where seen */

	for (uint32_t i = 0; i < node->len && c->status == CORE_OK; i++)
	{
		const JsonNode *child = &node->u.children[i];
		int			order = -1;
		uint64_t	bit;

		if (i > 0 && fhir_compare(child[-1].key, child[-1].key_len, child->key, child->key_len) == 0)
		{
			if (printable_name(child->key, child->key_len))
				fault_below(c, FHIR_RULE_DUPLICATE_KEY, at, child->key, (int) child->key_len, NULL);
			else
				fault(c, FHIR_RULE_DUPLICATE_KEY, at, NULL, NULL);
			continue;
		}
		while (element < end &&
			   (order = fhir_compare(fhir_string(element->name), element->name_len, child->key, child->key_len)) < 0)
			element++;
		if (element == end || order != 0)
		{
			unknown_element(c, child, type, at);
			continue;
		}
		if (element->flags & FHIR_RESOURCE_TYPE)
			continue;
		bit = UINT64_C(1) << element->slot;
		if (element->flags & FHIR_CHOICE)
		{
			if ((seen & bit) != 0 && chosen[element->slot] != element->main)
				fault_below(c, FHIR_RULE_CHOICE, at, fhir_string(first[element->main].name), element->base_len, NULL);
			chosen[element->slot] = element->main;
		}
		seen |= bit;
		check_element(c, node, child, element, first + element->main, at);
	}
	if (c->status == CORE_OK && (t->required & ~seen) != 0)
		missing_elements(c, type, t->required & ~seen, at);
	return seen;
}

static void
check_object(Check *c, const JsonNode *node, int type, const Step *at)
{
	uint64_t	seen;

	if (c->depth >= FHIR_DEPTH_MAX)
	{
		fault(c, FHIR_RULE_DEPTH, at, NULL, NULL);
		return;
	}
	if (++c->objects % INTERRUPT_EVERY == 0 && core_interrupted(c->cx))
	{
		c->status = CORE_INTERRUPTED;
		return;
	}
	c->depth++;
	seen = merge_children(c, node, type, at);
	c->depth--;
	if (c->visitor != NULL && c->status == CORE_OK)
	{
		FhirVisit	visit = c->visit;

		visit.node = node;
		visit.type = type;
		visit.place = at;
		visit.seen = seen;
		visit.clean = !c->faults;
		visit.outermost = c->depth == 0;
		c->visitor(c->arg, &visit);
	}
}

/* A resource at `at`, or the outermost one (at NULL), whose path begins with its type's name. */
static void
check_resource(Check *c, const JsonNode *node, const Step *at)
{
	const JsonNode *type = NULL;
	Step		root = {NULL, "Resource", 8, -1, NULL};
	FhirVisit	outer;
	int			number = 0;

	if (at == NULL)
		at = &root;
	if (node->kind != NODE_OBJECT)
	{
		fault(c, FHIR_RULE_NO_OBJECT, at, NULL, NULL);
		return;
	}
	type = json_child(node, "resourceType", 12);
	if (type != NULL && type->kind == NODE_STRING)
		number = fhir_resource_number(type->u.text, type->len);
	if (!fhir_resource_concrete(number))
	{
		fault(c, type == NULL ? FHIR_RULE_NO_RESOURCE_TYPE : FHIR_RULE_UNKNOWN_RESOURCE_TYPE, at, NULL, NULL);
		return;
	}
	if (at == &root)
	{
		root.name = fhir_resource_name(number);
		root.name_len = (int) strlen(root.name);
	}
	outer = c->visit;
	c->visit.resource = node;
	c->visit.resource_type = FHIR_RESOURCE_BASE + number;
	if (!c->contained || outer.root == NULL)
	{
		c->visit.root = node;
		c->visit.root_type = FHIR_RESOURCE_BASE + number;
	}
	check_object(c, node, FHIR_RESOURCE_BASE + number, at);
	c->visit = outer;
}

CoreStatus
fhir_check_resource(const CoreContext *cx, const JsonNode *root, bool all_rules, FhirReport report, void *arg)
{
	Check		c = {.cx = cx, .all_rules = all_rules, .report = report, .arg = arg, .status = CORE_OK};

	check_resource(&c, root, NULL);
	if (c.status == CORE_OK && c.faults)
		return CORE_INVALID;
	return c.status;
}

CoreStatus
fhir_check_and_visit(const CoreContext *cx, const JsonNode *root, FhirReport report, FhirVisitor visitor, void *arg)
{
	Check		c = {.cx = cx, .all_rules = true, .report = report, .arg = arg, .status = CORE_OK, .visitor = visitor};

	check_resource(&c, root, NULL);
	if (c.status == CORE_OK && c.faults)
		return CORE_INVALID;
	return c.status;
}
