/*
 * targets.c
 *		What references lead to inside their document, and whether profiles allow it.
 *
 * R4 references.html#contained, bundle.html#references.  A target that the
 * document holds is judged by its content (ElementDefinition.type
 * .targetProfile), any other by the type that the reference names.
 */
#include "postgres.h"

#include "fhir/fhir_tree.h"
#include "miscadmin.h"
#include "utils/hsearch.h"
#include "validate/profile.h"

/* -- resolving ------------------------------------------------------------- */

static const JsonNode *
contained_resource(const JsonNode *container, const char *id, size_t len)
{
	const JsonNode *contained = child_of(container, "contained");

	for (int i = 0; i < items_of(contained); i++)
	{
		const JsonNode *own = child_of(item_of(contained, i), "id");

		if (own != NULL && own->kind == NODE_STRING && own->len == len && memcmp(own->u.text, id, len) == 0)
			return item_of(contained, i);
	}
	return NULL;
}

/* Whether a reference leads to a contained resource, or to the container */
static bool
is_local(const FhirFocus *reference)
{
	const JsonNode *text = child_of(reference->node, "reference");

	return text != NULL && text->kind == NODE_STRING && text->len > 0 && text->u.text[0] == '#';
}

FhirFocus
profile_target(Run *r, const FhirFocus *reference)
{
	const JsonNode *text = child_of(reference->node, "reference");
	FhirFocus	target = {NULL, NULL, 0};

	if (text == NULL || text->kind != NODE_STRING || text->len == 0)
		return target;
	if (text->u.text[0] != '#')
		target.node = bundle_resource(r->v, text->u.text, text->len);
	else if (text->len == 1)
		target.node = r->scope.root;
	else
		target.node = contained_resource(r->scope.root, text->u.text + 1, text->len - 1);
	if (target.node != NULL)
		target.type = fhir_node_resource_type(target.node);
	return target;
}

/* -- types ----------------------------------------------------------------- */

/* Resource number of the type that a literal reference names (Type/id at its end, without a version); 0: none */
static int
literal_type(const JsonNode *reference)
{
	const char *text = reference->u.text;
	int			end = (int) reference->len;
	int			begin;

	for (int part = 0; part < 2; part++)
	{
		for (; end > 0 && text[end - 1] != '/'; end--)
			;
		if (end < 2)
			return 0;
		for (begin = --end; begin > 0 && text[begin - 1] != '/'; begin--)
			;
		if (end - begin != 8 || memcmp(text + begin, "_history", 8) != 0)
			return fhir_resource_number(text + begin, end - begin);
		end = begin == 0 ? 0 : begin - 1;
	}
	return 0;
}

int
profile_reference_type(Run *r, const FhirFocus *reference)
{
	const JsonNode *text = child_of(reference->node, "reference");
	const JsonNode *type = child_of(reference->node, "type");
	FhirFocus	target;

	if (type != NULL && type->kind == NODE_STRING)
		return fhir_resource_number(type->u.text, type->len);
	if (text == NULL || text->kind != NODE_STRING)
		return 0;
	target = profile_target(r, reference);
	return target.node != NULL && target.type > FHIR_RESOURCE_BASE ? target.type - FHIR_RESOURCE_BASE : literal_type(text);
}

int
profile_target_type(const JsonNode *url)
{
	Profile    *profile;

	if (profile_is_core(url))
	{
		size_t		skip = strlen(CORE_DEFINITION);
		int			number = fhir_resource_number(url->u.text + skip, url->len - skip);

		if (number > 0)
			return number;
	}
	profile = find_profile(url->u.text, url->len);
	return profile->type > FHIR_RESOURCE_BASE && profile->type <= FHIR_RESOURCE_BASE + FHIR_RESOURCE_TYPES ?
		profile->type - FHIR_RESOURCE_BASE : 0;
}

/* -- content --------------------------------------------------------------- */

typedef struct TargetAnswer
{
	struct
	{
		const JsonNode *node;
		const JsonNode *profile;
	}			question;		/* hash key */
	bool		conforms;
} TargetAnswer;

/*
 * Whether a resource of the document conforms to a profile.  Asked once for
 * each pair: while the answer is being looked for, it is taken to be yes, so
 * that resources that refer to each other end.  `bundled`: an entry of the Bundle; others are
 * in the container that the run is in.
 */
static bool
target_conforms(Run *r, const JsonNode *url, const FhirFocus *target, bool bundled)
{
	HASHCTL		control = {.keysize = sizeof(((TargetAnswer *) NULL)->question), .entrysize = sizeof(TargetAnswer), .hcxt = CurrentMemoryContext};
	Profile    *profile = find_profile(url->u.text, url->len);
	TargetAnswer key = {{target->node, profile->document}, true};
	TargetAnswer *answer;
	Run			trial = *r;
	bool		found;
	bool		loaded;

	if (profile->document == NULL || profile->root == NULL)
		return true;
	if (r->v->targets == NULL)
		r->v->targets = hash_create("ehr targets of references", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	answer = hash_search(r->v->targets, &key.question, HASH_ENTER, &found);
	if (found)
		return answer->conforms;
	answer->conforms = true;
	trial.scope.resource = target->node;
	trial.scope.resource_type = target->type;
	if (bundled)
	{
		trial.scope.root = target->node;
		trial.scope.root_type = target->type;
	}
	found = profile_url_tries(&trial, url, target, &loaded);
	answer = hash_search(r->v->targets, &key.question, HASH_FIND, NULL);
	answer->conforms = found;
	return found;
}

bool
profile_target_allows(Run *r, const JsonNode *targets, const FhirFocus *reference)
{
	FhirFocus	target;
	int			number;

	if (targets == NULL || items_of(targets) == 0 || reference->node == NULL)
		return true;
	target = profile_target(r, reference);
	number = profile_reference_type(r, reference);
	if (number == 0)
		return true;
	for (int i = 0; i < items_of(targets); i++)
	{
		const JsonNode *url = string_item(targets, i);
		int			type = url == NULL ? 0 : profile_target_type(url);

		if (type == 0)
			return true;
		if ((type == number || fhir_type_is(FHIR_RESOURCE_BASE + number, FHIR_RESOURCE_BASE + type)) &&
			(target.node == NULL || target_conforms(r, url, &target, !is_local(reference))))
			return true;
	}
	return false;
}

/* R4 elementdefinition.html: contained, referenced (a resource of its own), bundled (of the same Bundle) */
bool
profile_aggregation_allows(Run *r, const JsonNode *aggregations, const FhirFocus *reference)
{
	const JsonNode *text = child_of(reference->node, "reference");
	bool		local = is_local(reference);

	if (items_of(aggregations) == 0 || text == NULL || text->kind != NODE_STRING)
		return true;
	for (int i = 0; i < items_of(aggregations); i++)
	{
		const JsonNode *one = item_of(aggregations, i);

		if (text_is(one, "contained") ? local : text_is(one, "referenced") ? !local :
			!local && (!text_is(child_of(r->v->document, "resourceType"), "Bundle") || profile_target(r, reference).node != NULL))
			return true;
	}
	return false;
}
