/*
 * fhirpath_functions_fhir.c
 *		Types (N1, 6.3 and 10.2) and what R4 adds (its page fhirpath.html), and the keys of SQL on FHIR.
 */
#include "fhirpath_eval.h"

#include <stdio.h>

#include "fhir_xhtml.h"

/* -- types ------------------------------------------------------------------ */

typedef struct TypeSink
{
	FpSink		sink;
	FpSink	   *outer;
	const FpTypeSpec *type;
} TypeSink;

static bool
of_type_push(FhirPathEval *ev, FpSink *sink, const FpItem *item)
{
	TypeSink   *s = (TypeSink *) sink;

	return !fp_item_is(item, s->type) || s->outer->push(ev, s->outer, item);
}

static bool
run_of_type(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	TypeSink	s = {{of_type_push}, sink, &x->type};

	return fp_run_input(ev, x, &s.sink);
}

static bool
run_as(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	FpItem		item;
	int			n = fp_single_input(ev, x, &item);

	if (n <= 0)
		return n == 0;
	return !fp_item_is(&item, &x->type) || sink->push(ev, sink, &item);
}

static int
truth_is(FhirPathEval *ev, const FpExec *x)
{
	FpItem		item;
	int			n = fp_single_input(ev, x, &item);

	return n <= 0 ? (n == 0 ? FP_UNKNOWN : n) : fp_item_is(&item, &x->type);
}

/* Inner types have no name of their own: they are what they derive from. */
static const char *
type_name(const FpItem *item, size_t *len)
{
	int			type = item->type;

	if (item->kind == FP_NODE && type != 0)
	{
		while ((fhir_types[type].kind & ~FHIR_KIND_ABSTRACT) == FHIR_KIND_BACKBONE && fhir_types[type].base != 0)
			type = fhir_types[type].base;
		*len = (size_t) fhir_string_len(fhir_types[type].name);
		return fhir_string(fhir_types[type].name);
	}
	return fhirpath_item_type(item, len);
}

static bool
type_push(FhirPathEval *ev, FpSink *sink, const FpItem *item)
{
	TypeSink   *s = (TypeSink *) sink;
	bool		fhir = item->kind == FP_NODE && item->type != 0;
	const char *space = fhir ? "FHIR." : "System.";
	size_t		len;
	const char *name = type_name(item, &len);
	FpItem		type = {.kind = FP_TYPE};
	char	   *text;

	if (name == NULL)
	{
		name = "Any";
		len = 3;
	}
	text = fp_alloc(ev, strlen(space) + len);
	if (text == NULL)
		return false;
	memcpy(text, space, strlen(space));
	memcpy(text + strlen(space), name, len);
	type.u.text = text;
	type.len = (uint32_t) (strlen(space) + len);
	return s->outer->push(ev, s->outer, &type);
}

static bool
run_type(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	TypeSink	s = {{type_push}, sink, NULL};

	return fp_run_input(ev, x, &s.sink);
}

/* -- elements --------------------------------------------------------------- */

typedef struct ExtensionSink
{
	FpSink		sink;
	FpSink	   *outer;
	const char *url;
	uint32_t	len;
} ExtensionSink;

static bool
extension_push(FhirPathEval *ev, FpSink *sink, const FpItem *item)
{
	ExtensionSink *s = (ExtensionSink *) sink;
	JbValue		list,
				one,
				url;
	JbIter		it;

	if (!fp_step(ev))
		return false;
	if (item->kind != FP_NODE)
		return true;
	if (item->json != JB_T_CONTAINER)
	{
		if (item->twin == NULL || !jb_get(item->twin, "extension", 9, &list))
			return true;
	}
	else if (!fp_item_get(item, "extension", &list))
		return true;
	if (list.type != JB_T_CONTAINER || !jb_is_array((const JbContainer *) list.ptr))
		return true;
	jb_iter_start(&it, (const JbContainer *) list.ptr);
	while (jb_iter_next(&it, &one))
	{
		FpItem		extension = {.kind = FP_NODE, .json = JB_T_CONTAINER, .len = one.len};

		if (one.type != JB_T_CONTAINER || !jb_is_object((const JbContainer *) one.ptr) ||
			!jb_get((const JbContainer *) one.ptr, "url", 3, &url) || url.type != JB_T_STRING || url.len != s->len ||
			memcmp(url.ptr, s->url, s->len) != 0)
			continue;
		extension.u.text = one.ptr;
		extension.type = ev->input->no_model ? 0 : fhir_extension_type;
		if (!s->outer->push(ev, s->outer, &extension))
			return false;
	}
	return true;
}

static bool
run_extension(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	ExtensionSink s = {{extension_push}, sink, NULL, 0};
	FpItem		url;
	int			n = fp_single(ev, x->args[0], &url, "extension");

	if (n <= 0)
		return n == 0;
	if (!fp_text_of(&url, &s.url, &s.len))
		return fp_fail(ev, FHIRPATH_TYPE, "extension takes a URL");
	return fp_run_input(ev, x, &s.sink);
}

static bool
has_value(const FpItem *item)
{
	return item->kind == FP_NODE ? item->json != JB_T_CONTAINER && item->json != JB_T_NULL : item->kind != FP_TYPE;
}

static int
truth_has_value(FhirPathEval *ev, const FpExec *x)
{
	FpList		list;

	if (!fp_collect_input(ev, x, &list))
		return FP_FAILED;
	return list.count == 1 && has_value(&list.items[0]);
}

/* The System value of one primitive */
static bool
run_get_value(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	FpList		list;
	FpValue		value;

	if (!fp_collect_input(ev, x, &list))
		return false;
	if (list.count != 1 || !has_value(&list.items[0]))
		return true;
	fp_value(&list.items[0], &value);
	return value.kind < 0 || fp_push_value(ev, &value, sink);
}

/* -- references ------------------------------------------------------------- */

/* The resource of this id among those contained in a resource */
static bool
find_contained(const JbContainer *resource, const char *id, uint32_t len, JbValue *found)
{
	JbValue		list,
				own;
	JbIter		it;

	if (!jb_get(resource, "contained", 9, &list) || list.type != JB_T_CONTAINER || !jb_is_array((const JbContainer *) list.ptr))
		return false;
	jb_iter_start(&it, (const JbContainer *) list.ptr);
	while (jb_iter_next(&it, found))
	{
		if (found->type == JB_T_CONTAINER && jb_is_object((const JbContainer *) found->ptr) &&
			jb_get((const JbContainer *) found->ptr, "id", 2, &own) && own.type == JB_T_STRING && own.len == len &&
			memcmp(own.ptr, id, len) == 0)
			return true;
	}
	return false;
}

/* Whether an entry is meant by a reference: its fullUrl, or Type/id */
static bool
entry_is(const JbContainer *entry, const JbContainer *resource, const char *reference, uint32_t len)
{
	JbValue		url,
				type,
				id;

	if (jb_get(entry, "fullUrl", 7, &url) && url.type == JB_T_STRING)
	{
		if (url.len == len && memcmp(url.ptr, reference, len) == 0)
			return true;
		if (url.len > len && url.ptr[url.len - len - 1] == '/' && memchr(reference, ':', len) == NULL &&
			memcmp(url.ptr + url.len - len, reference, len) == 0)
			return true;
	}
	return jb_get(resource, "resourceType", 12, &type) && type.type == JB_T_STRING && jb_get(resource, "id", 2, &id) &&
		id.type == JB_T_STRING && type.len + 1 + id.len == len && memcmp(reference, type.ptr, type.len) == 0 &&
		reference[type.len] == '/' && memcmp(reference + type.len + 1, id.ptr, id.len) == 0;
}

/*
 * In the Bundle that the document is: the resource of an entry, or (local)
 * what is contained in the entry in which the reference stands.
 */
static bool
find_in_bundle(FhirPathEval *ev, const FpItem *from, const char *reference, uint32_t len, JbValue *found)
{
	JbValue		list,
				entry;
	JbIter		it;

	if (!fp_item_get(&ev->document, "entry", &list) || list.type != JB_T_CONTAINER || !jb_is_array((const JbContainer *) list.ptr))
		return false;
	jb_iter_start(&it, (const JbContainer *) list.ptr);
	while (jb_iter_next(&it, &entry))
	{
		if (entry.type != JB_T_CONTAINER || !jb_is_object((const JbContainer *) entry.ptr) ||
			!jb_get((const JbContainer *) entry.ptr, "resource", 8, found) || found->type != JB_T_CONTAINER ||
			!jb_is_object((const JbContainer *) found->ptr))
			continue;
		if (reference[0] == '#')
		{
			if (from->u.text >= found->ptr && from->u.text < found->ptr + found->len)
				return len == 1 || find_contained((const JbContainer *) found->ptr, reference + 1, len - 1, found);
		}
		else if (entry_is((const JbContainer *) entry.ptr, (const JbContainer *) found->ptr, reference, len))
			return true;
	}
	return false;
}

static bool
resolve_push(FhirPathEval *ev, FpSink *sink, const FpItem *item)
{
	TypeSink   *s = (TypeSink *) sink;
	const FhirPathHost *host = ev->input->host;
	const char *reference;
	uint32_t	len,
				size;
	JbValue		value;
	FpItem		found;
	const JbContainer *root;

	if (!fp_step(ev))
		return false;
	if (!fp_text_of(item, &reference, &len))
	{
		if (!fp_item_get(item, "reference", &value) || value.type != JB_T_STRING)
			return true;
		reference = value.ptr;
		len = value.len;
	}
	if (len == 0)
		return true;
	if (ev->document.json == JB_T_CONTAINER && jb_is_object((const JbContainer *) ev->document.u.text))
	{
		if (reference[0] == '#' && len == 1 && !fp_item_get(&ev->document, "entry", &value))
			return s->outer->push(ev, s->outer, &ev->document);
		if ((reference[0] == '#' && find_contained((const JbContainer *) ev->document.u.text, reference + 1, len - 1, &value)) ||
			find_in_bundle(ev, item, reference, len, &value))
		{
			found = fp_document_item((const JbContainer *) value.ptr, value.len, ev->input->no_model, 0);
			return s->outer->push(ev, s->outer, &found);
		}
	}
	if (reference[0] == '#' || host == NULL || host->resolve == NULL)
		return true;
	root = host->resolve(host->arg, reference, len, &size);
	if (root == NULL)
		return true;
	found = fp_document_item(root, size, ev->input->no_model, 0);
	return s->outer->push(ev, s->outer, &found);
}

static bool
run_resolve(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	TypeSink	s = {{resolve_push}, sink, NULL};

	return fp_run_input(ev, x, &s.sink);
}

/* -- questions to the caller ------------------------------------------------ */

static int
answer(FhirPathEval *ev, const FpExec *x, int said)
{
	char		text[120];

	if (said != -2)
		return said < 0 ? FP_UNKNOWN : said != 0;
	snprintf(text, sizeof(text), "%s: the caller could not tell", x->function->name);
	(void) fp_fail(ev, FHIRPATH_VALUE, text);
	return FP_FAILED;
}

/* A type of R4 by the URL of its definition, 0 if it is none */
static int
defined_type(const char *url, uint32_t len)
{
	static const char base[] = "http://hl7.org/fhir/StructureDefinition/";

	if (len < sizeof(base) || memcmp(url, base, sizeof(base) - 1) != 0)
		return 0;
	return fhir_type_find(url + sizeof(base) - 1, len - (sizeof(base) - 1));
}

static int
truth_member(FhirPathEval *ev, const FpExec *x)
{
	const FhirPathHost *host = ev->input->host;
	bool		profile = x->text[0] == 'c';
	FpItem		item,
				url;
	const char *text;
	uint32_t	len;
	int			n = fp_single_input(ev, x, &item);
	int			m = n == FP_FAILED ? n : fp_single(ev, x->args[0], &url, x->function->name);

	if (n == FP_FAILED || m == FP_FAILED)
		return FP_FAILED;
	if (n == 0 || m == 0)
		return FP_UNKNOWN;
	if (!fp_text_of(&url, &text, &len))
	{
		(void) fp_fail(ev, FHIRPATH_TYPE, profile ? "conformsTo takes a URL" : "memberOf takes a URL");
		return FP_FAILED;
	}
	/* R4's own types, by type */
	if (profile && defined_type(text, len) != 0)
		return item.kind == FP_NODE && item.type != 0 && fhir_type_is(item.type, defined_type(text, len));
	if (profile && host != NULL && host->conforms_to != NULL)
		return answer(ev, x, host->conforms_to(host->arg, text, len, &item));
	if (!profile && host != NULL && host->member_of != NULL)
		return answer(ev, x, host->member_of(host->arg, text, len, &item));
	(void) fp_fail(ev, FHIRPATH_UNSUPPORTED, profile ? "conformsTo knows no profiles here" : "memberOf knows no value sets here");
	return FP_FAILED;
}

static int
truth_html(FhirPathEval *ev, const FpExec *x)
{
	FpItem		item;
	const char *text;
	uint32_t	len;
	int			n = fp_single_input(ev, x, &item);

	if (n <= 0)
		return n == 0 ? FP_UNKNOWN : n;
	return fp_text_of(&item, &text, &len) && fhir_xhtml_check(text, len) == FHIR_XHTML_FINE;
}

/* -- keys of SQL on FHIR ---------------------------------------------------- */

/* getResourceKey(): Type/id, what getReferenceKey() gives for a reference to it */
static bool
resource_key_push(FhirPathEval *ev, FpSink *sink, const FpItem *item)
{
	TypeSink   *s = (TypeSink *) sink;
	JbValue		type,
				id;
	char	   *key;

	if (!fp_item_get(item, "resourceType", &type) || type.type != JB_T_STRING || !fp_item_get(item, "id", &id) ||
		id.type != JB_T_STRING)
		return true;
	key = fp_alloc(ev, (size_t) type.len + id.len + 1);
	if (key == NULL)
		return false;
	memcpy(key, type.ptr, type.len);
	key[type.len] = '/';
	memcpy(key + type.len + 1, id.ptr, id.len);
	return fp_push_string(ev, key, (size_t) type.len + id.len + 1, s->outer);
}

static bool
run_resource_key(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	TypeSink	s = {{resource_key_push}, sink, NULL};

	return fp_run_input(ev, x, &s.sink);
}

/* The last two parts of a reference, Type/id, without a version; {} for another type than is asked for */
static bool
reference_key_push(FhirPathEval *ev, FpSink *sink, const FpItem *item)
{
	TypeSink   *s = (TypeSink *) sink;
	JbValue		reference;
	const char *text,
			   *slash;
	uint32_t	len,
				begin;
	int			number;

	if (!fp_item_get(item, "reference", &reference) || reference.type != JB_T_STRING)
		return true;
	text = reference.ptr;
	len = reference.len;
	for (uint32_t i = 0; i + 10 <= len; i++)
	{
		if (memcmp(text + i, "/_history/", 10) == 0)
			len = i;
	}
	begin = len;
	while (begin > 0 && text[begin - 1] != '/')
		begin--;
	if (begin == 0)
		return true;
	slash = text + begin - 1;
	begin--;
	while (begin > 0 && text[begin - 1] != '/')
		begin--;
	number = fhir_resource_number(text + begin, (size_t) (slash - text) - begin);
	if (number == 0 || (s->type != NULL && s->type->type != 0 && s->type->type != FHIR_RESOURCE_BASE + number))
		return true;
	return fp_push_string(ev, text + begin, len - begin, s->outer);
}

static bool
run_reference_key(FhirPathEval *ev, const FpExec *x, FpSink *sink)
{
	TypeSink	s = {{reference_key_push}, sink, &x->type};

	return fp_run_input(ev, x, &s.sink);
}

const FpFunction fp_fhir_functions[] = {
	{"ofType", 1, 1, FP_F_TYPE, 0, run_of_type, NULL},
	{"as", 1, 1, FP_F_TYPE, 0, run_as, NULL},
	{"is", 1, 1, FP_F_TYPE, 0, NULL, truth_is},
	{"type", 0, 0, 0, 0, run_type, NULL},
	{"extension", 1, 1, 0, 0, run_extension, NULL},
	{"hasValue", 0, 0, 0, 0, NULL, truth_has_value},
	{"getValue", 0, 0, 0, 0, run_get_value, NULL},
	{"resolve", 0, 0, 0, FHIRPATH_NEEDS_RESOURCES, run_resolve, NULL},
	{"memberOf", 1, 1, 0, FHIRPATH_NEEDS_TERMINOLOGY, NULL, truth_member},
	{"conformsTo", 1, 1, 0, FHIRPATH_NEEDS_PROFILES, NULL, truth_member},
	{"htmlChecks", 0, 0, 0, 0, NULL, truth_html},
	{"htmlChecks2", 0, 0, 0, 0, NULL, truth_html},
	{"getResourceKey", 0, 0, 0, 0, run_resource_key, NULL},
	{"getReferenceKey", 0, 1, FP_F_TYPE, 0, run_reference_key, NULL},
	{NULL, 0, 0, 0, 0, NULL, NULL}
};
