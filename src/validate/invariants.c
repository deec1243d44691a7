/*
 * invariants.c
 *		The invariants of an object's type and of the types that it derives from.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "fhir/fhir_tree.h"
#include "validate/validate.h"

typedef struct Asked
{
	Validation *v;
	const FhirVisit *visit;
	const FhirInvariant *invariant;
	const FhirConstraint *constraint;
} Asked;

/* They live as long as the backend. */
const FhirConstraint *
invariant_constraint(int invariant)
{
	static FhirConstraint *constraints = NULL;
	const char *text = fhir_invariants[invariant].expression;

	if (constraints == NULL)
		constraints = MemoryContextAllocZero(TopMemoryContext, fhir_invariant_count * sizeof(FhirConstraint));
	(void) constraint_prepare(&constraints[invariant], text, strlen(text), TopMemoryContext);
	return &constraints[invariant];
}

static void
add_broken(const Asked *a, int index)
{
	const FhirInvariant *invariant = a->invariant;
	char		path[FHIR_PATH_SIZE];

	fhir_place_path(a->visit->place, invariant->child[0] == '\0' ? NULL : invariant->child, index, path);
	add_issue(a->v, invariant->error ? SEVERITY_ERROR : SEVERITY_WARNING, "invariant", invariant->key,
			  invariant->human, NULL, path);
}

static bool
ask(void *arg, const FhirFocus *focus, int index)
{
	Asked	   *a = arg;
	const FhirInvariant *invariant = a->invariant;
	FhirScope	scope = {a->visit->resource, a->visit->resource_type, a->visit->root, a->visit->root_type};
	char		path[FHIR_PATH_SIZE];
	Verdict		verdict = constraint_verdict(a->v, a->constraint, &scope, focus);

	if (verdict == VERDICT_HOLDS)
		return true;
	if (verdict == VERDICT_BROKEN)
		add_broken(a, index);
	else if (a->visit->clean)
	{
		/* after a fault in the structure it may be that which cannot be decided on: a date that is none */
		fhir_place_path(a->visit->place, invariant->child[0] == '\0' ? NULL : invariant->child, index, path);
		add_issue(a->v, SEVERITY_INFORMATION, "incomplete", invariant->key, "the invariant could not be decided", NULL, path);
	}
	return !a->v->full;
}

/*
 * What the object's elements answer by being there is not evaluated; after a
 * fault in the structure everything is.
 */
void
check_invariants(Validation *v, const FhirVisit *visit)
{
	for (int i = fhir_first_asked[visit->type]; i < fhir_first_asked[visit->type + 1]; i++)
	{
		const FhirAsked *asked = &fhir_asked[i];
		FhirAnswer	answer = visit->clean ? fhir_schedule_answer(asked, visit->seen) : FHIR_ANSWER_UNKNOWN;
		const FhirInvariant *invariant = &fhir_invariants[asked->invariant];
		Asked		a = {v, visit, invariant, NULL};
		FhirFocus	focus = {visit->node, NULL, visit->type};

		if (answer == FHIR_ANSWER_HOLDS || v->full)
			continue;
		if (answer == FHIR_ANSWER_BROKEN)
		{
			add_broken(&a, -1);
			continue;
		}
		a.constraint = invariant_constraint(asked->invariant);
		if (invariant->child[0] == '\0')
			(void) ask(&a, &focus, -1);
		else
			(void) fhir_each_element(visit->node, visit->type, invariant->child, strlen(invariant->child), ask, &a);
	}
}

/* -- contained resources -------------------------------------------------- */

static void
load_contained_ids(Validation *v, const JsonNode *root)
{
	const JsonNode *contained = child_of(root, "contained");
	ContainedIds *c = &v->contained;

	if (c->root == root)
		return;
	c->root = root;
	c->count = 0;
	if (contained == NULL || contained->kind != NODE_ARRAY)
		return;
	c->ids = palloc((contained->len + 1) * sizeof(JsonNode));
	for (uint32 i = 0; i < contained->len; i++)
	{
		const JsonNode *id = child_of(&contained->u.children[i], "id");

		if (id == NULL || id->kind != NODE_STRING)
			continue;
		c->ids[c->count].key = id->u.text;
		c->ids[c->count].key_len = id->len;
		c->ids[c->count++].len = i;
	}
	json_sort_nodes(c->ids, c->count);
}

/* Place of a contained resource in its array, -1 if there is none of this id */
static int
contained_place(const ContainedIds *c, const char *id, size_t len)
{
	int			low = 0,
				high = c->count - 1;

	while (low <= high)
	{
		int			mid = (low + high) / 2;
		int			order = fhir_compare(id, len, c->ids[mid].key, c->ids[mid].key_len);

		if (order == 0)
			return mid;
		if (order < 0)
			high = mid - 1;
		else
			low = mid + 1;
	}
	return -1;
}

/*
 * ref-1: "SHALL have a contained resource if a local reference is provided".
 * Inside a contained resource, "#" alone is the one that contains it (R4
 * references.html#contained).
 */
void
check_contained_reference(Validation *v, const FhirVisit *visit)
{
	const JsonNode *reference = child_of(visit->node, "reference");
	char		path[FHIR_PATH_SIZE];

	if (reference == NULL || reference->kind != NODE_STRING || reference->len == 0 || reference->u.text[0] != '#')
		return;
	load_contained_ids(v, visit->root);
	if (reference->len == 1 ? visit->resource != visit->root :
		contained_place(&v->contained, reference->u.text + 1, reference->len - 1) >= 0)
		return;
	fhir_place_path(visit->place, "reference", -1, path);
	add_issue(v, SEVERITY_ERROR, "invariant", "ref-1", "no contained resource has this id",
			  "A reference that begins with # leads to a resource in \"contained\".", path);
}

/*
 * Notes which contained resources some string below leads to.  Every string
 * "#id" counts: references, canonicals and URIs are what begins so.
 */
static void
note_uses(const ContainedIds *c, const JsonNode *node, bool *used, int inside)
{
	if (node->kind == NODE_STRING)
	{
		int			place;

		if (node->len == 0 || node->u.text[0] != '#')
			return;
		/* a contained resource that leads to its container belongs to it */
		place = node->len == 1 ? inside : contained_place(c, node->u.text + 1, node->len - 1);
		if (place >= 0)
			used[place] = true;
	}
	else if (node->kind == NODE_ARRAY || node->kind == NODE_OBJECT)
	{
		for (uint32 i = 0; i < node->len; i++)
			note_uses(c, &node->u.children[i], used, inside);
	}
}

/* dom-3: every contained resource is referred to, or refers to its container; one pass over the resource */
void
check_contained_used(Validation *v, const FhirVisit *visit)
{
	const JsonNode *contained = child_of(visit->node, "contained");
	bool	   *used;

	if (contained == NULL || contained->kind != NODE_ARRAY || visit->resource != visit->root)
		return;
	load_contained_ids(v, visit->root);
	used = palloc0(v->contained.count + 1);
	for (uint32 i = 0; i < visit->node->len; i++)
	{
		const JsonNode *child = &visit->node->u.children[i];

		if (child != contained)
			note_uses(&v->contained, child, used, -1);
	}
	for (uint32 i = 0; i < contained->len; i++)
	{
		const JsonNode *id = child_of(&contained->u.children[i], "id");

		if (id != NULL && id->kind == NODE_STRING)
			note_uses(&v->contained, &contained->u.children[i], used, contained_place(&v->contained, id->u.text, id->len));
	}
	for (int i = 0; i < v->contained.count && !v->full; i++)
	{
		char		path[FHIR_PATH_SIZE];

		if (used[i])
			continue;
		fhir_place_path(visit->place, "contained", (int) v->contained.ids[i].len, path);
		add_issue(v, SEVERITY_ERROR, "invariant", "dom-3", "nothing in the resource refers to this contained resource",
				  "A contained resource exists only for the one that contains it: refer to it as #id, or leave it out.", path);
	}
	pfree(used);
}
