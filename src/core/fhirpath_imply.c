/*
 * fhirpath_imply.c
 *		What a document must contain for an expression to find anything in it: Patient.name.where(use = 'official')
 *		needs {"resourceType": "Patient", "name": [{"use": "official"}]}.
 *
 * Only equality with strings, booleans and days is told, on elements of a
 * known resource type, and only what lies in a conjunction: what is not
 * understood implies nothing, so the result is never too much.  It holds for
 * documents whose structure is valid.
 */
#include "fhirpath_eval.h"

#include "fhir_primitive.h"
#include "jsonb_write.h"

/* An object that must be there, or a value */
typedef struct Want
{
	struct Want *next;			/* of the same parent */
	struct Want *children;
	const char *key;
	uint32_t	key_len;
	bool		array;			/* stands in an array: beside others of its key */
	bool		leaf;
	JbValue		value;			/* of a leaf */
	int			type;
} Want;

typedef struct Implier
{
	FhirPathEval *ev;
	const FhirPath *path;
	Want	   *root;
	int			leaves;
} Implier;

static Want *resolve(Implier *m, uint32_t number, Want *focus);

/* The element of a key; one that does not repeat is one object, whoever asks for it. */
static Want *
want_child(Implier *m, Want *of, const char *key, uint32_t len, bool array, int type)
{
	Want	   *child;

	for (child = of->children; child != NULL && !array; child = child->next)
	{
		if (child->key_len == len && memcmp(child->key, key, len) == 0)
			return child;
	}
	child = fp_alloc(m->ev, sizeof(Want));
	if (child == NULL)
		return NULL;
	memset(child, 0, sizeof(*child));
	child->key = key;
	child->key_len = len;
	child->array = array;
	child->type = type;
	child->next = of->children;
	of->children = child;
	return child;
}

static void
want_value(Implier *m, Want *of, JbType type, const char *text, uint32_t len)
{
	if (of->leaf || of->children != NULL)
		return;
	of->leaf = true;
	of->value = (JbValue) {text, len, type};
	m->leaves++;
}

static Want *
resolve_child(Implier *m, const FpNode *node, Want *of)
{
	const char *name = fp_text(m->path, node);
	const FhirElement *element;

	if (of == m->root && of->type == 0)
	{
		int			number = fhir_resource_number(name, node->text_len);
		Want	   *type;

		/* the type must be named, in front */
		if (node->first != 0 || !fhir_resource_concrete(number))
			return NULL;
		of->type = FHIR_RESOURCE_BASE + number;
		type = want_child(m, of, "resourceType", 12, false, 0);
		if (type != NULL)
			want_value(m, type, JB_T_STRING, name, node->text_len);
		m->leaves = 0;
		return of;
	}
	if (of->type == 0)
		return NULL;
	if (node->first == 0 && name[0] >= 'A' && name[0] <= 'Z')
		return of == m->root && fhir_resource_number(name, node->text_len) + FHIR_RESOURCE_BASE == of->type ? of : NULL;
	element = fhir_element_find(of->type, name, node->text_len);
	if (element == NULL || (element->flags & (FHIR_SIBLING | FHIR_CHOICE | FHIR_RESOURCE_TYPE)) != 0)
		return NULL;
	return want_child(m, of, fhir_string(element->name), element->name_len, (element->flags & FHIR_ARRAY) != 0, element->type);
}

/* name.ofType(T): the key of that choice */
static Want *
resolve_choice(Implier *m, const FpNode *call, Want *focus)
{
	const FpNode *child = fp_node(m->path, call->first);
	const FpNode *type = fp_node(m->path, child->next);
	const FhirElement *elements,
			   *base;
	Want	   *of;
	int			wanted;

	if (child->op != FP_OP_CHILD || type->first != 0)
		return NULL;
	of = child->first == 0 ? focus : resolve(m, child->first, focus);
	wanted = fhir_type_find(fp_text(m->path, type), type->text_len);
	if (of == NULL || of->type == 0 || wanted == 0)
		return NULL;
	base = fhir_element_find_base(of->type, fp_text(m->path, child), child->text_len);
	if (base == NULL || (base->flags & FHIR_CHOICE) == 0)
		return NULL;
	elements = fhir_elements + fhir_types[of->type].first;
	for (int i = 0; i < fhir_types[of->type].count; i++)
	{
		const FhirElement *e = &elements[i];

		if (e->slot == base->slot && (e->flags & FHIR_SIBLING) == 0 && e->type == wanted)
			return want_child(m, of, fhir_string(e->name), e->name_len, false, e->type);
	}
	return NULL;
}

static bool
is_call(const Implier *m, const FpNode *node, const char *name)
{
	return node->op == FP_OP_CALL && node->text_len == strlen(name) && memcmp(fp_text(m->path, node), name, node->text_len) == 0;
}

/* Whether equality with a literal is equality of the JSON, and if so, it is wanted */
static void
want_literal(Implier *m, Want *of, const FpNode *literal)
{
	const char *text = fp_text(m->path, literal);
	bool		string_type = of->type == FHIR_STRING || of->type == FHIR_CODE || of->type == FHIR_ID || of->type == FHIR_URI ||
		of->type == FHIR_URL || of->type == FHIR_CANONICAL || of->type == FHIR_OID || of->type == FHIR_UUID || of->type == FHIR_MARKDOWN;

	if (literal->op == FP_OP_STRING && string_type)
		want_value(m, of, JB_T_STRING, text, literal->text_len);
	else if (literal->op == FP_OP_DATE && of->type == FHIR_DATE && literal->text_len == 10)
		want_value(m, of, JB_T_STRING, text, literal->text_len);
	else if (literal->op == FP_OP_BOOLEAN && of->type == FHIR_BOOLEAN)
		want_value(m, of, literal->aux != 0 ? JB_T_TRUE : JB_T_FALSE, NULL, 0);
}

/* A criterion that holds for an object */
static void
want_criterion(Implier *m, uint32_t number, Want *focus)
{
	const FpNode *node = fp_node(m->path, number);
	const FpNode *left = node->first == 0 ? NULL : fp_node(m->path, node->first);

	if (node->op == FP_OP_AND)
	{
		want_criterion(m, node->first, focus);
		want_criterion(m, left->next, focus);
	}
	else if (node->op == FP_OP_EQUAL)
	{
		Want	   *of = resolve(m, node->first, focus);

		if (of != NULL && of != focus)
			want_literal(m, of, fp_node(m->path, left->next));
	}
	else if (is_call(m, node, "exists") && node->aux != 0)
	{
		Want	   *of = resolve(m, node->first, focus);

		if (of != NULL && left->next != 0)
			want_criterion(m, left->next, of);
	}
}

/* The object in which the items of a node are, NULL where that is not known */
static Want *
resolve(Implier *m, uint32_t number, Want *focus)
{
	const FpNode *node = fp_node(m->path, number);
	Want	   *of;

	switch ((FpOp) node->op)
	{
		case FP_OP_THIS:
			return focus;
		case FP_OP_CHILD:
			of = node->first == 0 ? focus : resolve(m, node->first, focus);
			return of == NULL ? NULL : resolve_child(m, node, of);
		case FP_OP_INDEXER:
			return resolve(m, node->first, focus);
		case FP_OP_CALL:
			break;
		default:
			return NULL;
	}
	if (node->aux == 0)
		return NULL;
	if (is_call(m, node, "ofType"))
		return resolve_choice(m, node, focus);
	if (is_call(m, node, "first") || is_call(m, node, "last") || is_call(m, node, "tail") || is_call(m, node, "distinct"))
		return resolve(m, node->first, focus);
	if (!is_call(m, node, "where") || (of = resolve(m, node->first, focus)) == NULL)
		return NULL;
	want_criterion(m, fp_node(m->path, node->first)->next, of);
	return of;
}

/* -- as jsonb --------------------------------------------------------------- */

static bool
has_leaf(const Want *want)
{
	if (want->leaf)
		return true;
	for (const Want *child = want->children; child != NULL; child = child->next)
	{
		if (has_leaf(child))
			return true;
	}
	return false;
}

static bool
build(Implier *m, JbPart *parts, size_t count, bool object, JbValue *value)
{
	void	   *buffer = fp_alloc(m->ev, jb_build_size(parts, count));

	if (buffer == NULL)
		return false;
	value->type = JB_T_CONTAINER;
	value->len = (uint32_t) jb_build(parts, count, object, buffer);
	value->ptr = buffer;
	return true;
}

static bool build_want(Implier *m, const Want *want, JbValue *value);

/* The elements of one key as an array */
static bool
build_list(Implier *m, const Want *first, JbValue *value)
{
	size_t		count = 0;
	JbPart	   *parts;

	for (const Want *w = first; w != NULL; w = w->next)
		count++;
	parts = fp_alloc(m->ev, count * sizeof(JbPart));
	if (parts == NULL)
		return false;
	memset(parts, 0, count * sizeof(JbPart));
	count = 0;
	for (const Want *w = first; w != NULL; w = w->next)
	{
		if (w->key_len == first->key_len && memcmp(w->key, first->key, w->key_len) == 0 && has_leaf(w) &&
			!build_want(m, w, &parts[count++].value))
			return false;
	}
	return build(m, parts, count, false, value);
}

static bool
build_want(Implier *m, const Want *want, JbValue *value)
{
	size_t		count = 0;
	JbPart	   *parts;

	if (want->leaf)
	{
		*value = want->value;
		return true;
	}
	for (const Want *child = want->children; child != NULL; child = child->next)
		count++;
	parts = fp_alloc(m->ev, (count + 1) * sizeof(JbPart));
	if (parts == NULL)
		return false;
	count = 0;
	for (const Want *child = want->children; child != NULL; child = child->next)
	{
		bool		done = !has_leaf(child);

		for (size_t i = 0; i < count && !done; i++)
			done = parts[i].key_len == child->key_len && memcmp(parts[i].key, child->key, child->key_len) == 0;
		if (done)
			continue;
		parts[count].key = child->key;
		parts[count].key_len = child->key_len;
		if (!(child->array ? build_list(m, child, &parts[count].value) : build_want(m, child, &parts[count].value)))
			return false;
		count++;
	}
	return build(m, parts, count, true, value);
}

const JbContainer *
fhirpath_implied(FhirPathEval *ev, const FhirPath *path, uint32_t *size)
{
	Implier		m = {ev, path, NULL, 0};
	JbValue		value;

	ev->status = CORE_OK;
	m.root = fp_alloc(ev, sizeof(Want));
	if (m.root == NULL)
		return NULL;
	memset(m.root, 0, sizeof(Want));
	if (resolve(&m, path->node_count, m.root) == NULL || m.leaves == 0 || !build_want(&m, m.root, &value))
		return NULL;
	*size = value.len;
	return (const JbContainer *) value.ptr;
}
