/*
 * derivation.c
 *		A profile against the loaded profile that it derives from: it may narrow, not widen.
 *
 * R4 profiling.html: "constraints on elements are always cumulative": what the
 * base fixes stays fixed, and cardinality only gets narrower.  What core types
 * say is not looked at.
 */
#include "postgres.h"

#include <limits.h>

#include "miscadmin.h"

#include "validate/definitions.h"

/* The element of an id in a profile's tree, NULL if it says nothing of it */
static ProfileElement *
find_element(ProfileElement *root, const JsonNode *id)
{
	const char *text = memchr(id->u.text, '.', id->len);
	const char *end = id->u.text + id->len;
	ProfileElement *at = root;

	while (text != NULL && at != NULL)
	{
		const char *step = text + 1;
		const char *dot = memchr(step, '.', end - step);
		int			len = (int) ((dot == NULL ? end : dot) - step);
		const char *colon = memchr(step, ':', len);
		int			name_len = colon == NULL ? len : (int) (colon - step);
		int			slice_len = len - name_len - 1;
		ProfileElement *slice = NULL;

		if (name_len > 3 && memcmp(step + name_len - 3, "[x]", 3) == 0)
			name_len -= 3;
		at = element_child(at, step, name_len);
		for (int i = 0; colon != NULL && at != NULL && i < at->slice_count && slice == NULL; i++)
		{
			if (at->slices[i]->slice_len == slice_len && memcmp(at->slices[i]->slice, colon + 1, slice_len) == 0)
				slice = at->slices[i];
		}
		if (colon != NULL)
			at = slice;
		text = dot;
	}
	return at;
}

/* Cardinality as a number; * is the largest, what is not said is `unsaid` */
static long
cardinality(const JsonNode *node, long unsaid)
{
	if (text_is(node, "*"))
		return LONG_MAX;
	if (node == NULL || (node->kind != NODE_NUMBER && node->kind != NODE_STRING))
		return unsaid;
	return strtol(pnstrdup(node->u.text, node->len), NULL, 10);
}

static const char *
widened(const ProfileElement *base, const JsonNode *definition, const char **rule)
{
	const JsonNode *fixed = element_property_like(base, "fixed");
	long		base_min = cardinality(element_property(base, "min"), 0);
	long		base_max = cardinality(element_property(base, "max"), LONG_MAX);

	*rule = "profile-derived-fixed";
	for (uint32 i = 0; fixed != NULL && i < definition->len; i++)
	{
		const JsonNode *own = &definition->u.children[i];

		if (own->key_len > 5 && memcmp(own->key, "fixed", 5) == 0 && !pattern_holds(fixed, own, true))
			return "fixes another value than the profile it derives from";
	}
	*rule = "profile-derived-cardinality";
	if (cardinality(child_of(definition, "min"), base_min) < base_min)
		return "asks for less than the profile it derives from";
	if (cardinality(child_of(definition, "max"), base_max) > base_max)
		return "allows more than the profile it derives from";
	return NULL;
}

void
check_derivation(Validation *v, const FhirVisit *visit)
{
	const JsonNode *base = child_of(visit->node, "baseDefinition");
	const JsonNode *elements = child_of(child_of(visit->node, "differential"), "element");
	Profile    *profile;

	if (base == NULL || base->kind != NODE_STRING || !text_is(child_of(visit->node, "derivation"), "constraint"))
		return;
	profile = find_profile(base->u.text, base->len);
	if (profile->root == NULL || profile->broken)
		return;
	for (int i = 0; i < items_of(elements) && !v->full; i++)
	{
		const JsonNode *definition = item_of(elements, i);
		const JsonNode *id = child_of(definition, "id");
		ProfileElement *in_base;
		const char *problem;
		const char *rule;
		char		path[FHIR_PATH_SIZE];

		CHECK_FOR_INTERRUPTS();
		if (id == NULL || id->kind != NODE_STRING)
			continue;
		in_base = find_element(profile->root, plain_element_id(profile->type, elements, id));
		problem = in_base == NULL ? NULL : widened(in_base, definition, &rule);
		if (problem == NULL)
			continue;
		fhir_place_path(visit->place, psprintf("differential.element[%d]", i), -1, path);
		add_issue(v, SEVERITY_ERROR, "business-rule", rule, problem, "A profile may narrow what the one it derives from says, not widen it.", path);
	}
}
