/*
 * slicing.c
 *		Which slice of a profile a value belongs to, and what the slices ask.
 *
 * R4 profiling.html#slicing.  A discriminator's path is followed through the
 * slice and the value at once; slices are found by trying.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "fhir/fhir_tree.h"
#include "validate/profile.h"

typedef enum DiscriminatorKind
{
	BY_VALUE,					/* and pattern, which R4 made the same */
	BY_EXISTS,
	BY_TYPE,
	BY_PROFILE
} DiscriminatorKind;

/* Whether an element says what its value is: fixed, pattern, required binding, here or below */
static bool
says_value(const ProfileElement *element, int depth)
{
	if (element_property_like(element, "fixed") != NULL || element_property_like(element, "pattern") != NULL ||
		text_is(child_of(element_property(element, "binding"), "strength"), "required"))
		return true;
	for (int i = 0; i < element->child_count && depth < PROFILE_DEPTH_MAX; i++)
	{
		if (says_value(element->children[i], depth + 1))
			return true;
	}
	return false;
}

/* Whether the profile of one of the element's types (of the references' targets: `targets`) is kept, or the type where it names no profile */
static bool
profile_kept(Run *r, const ProfileElement *element, const FhirFocus *focus)
{
	const JsonNode *types = element_property(element, "type");

	for (int i = 0; i < items_of(types); i++)
	{
		const JsonNode *type = item_of(types, i);
		const JsonNode *profiles = child_of(type, "profile");
		bool		loaded;

		if (items_of(profiles) == 0 && child_of(type, "code") != NULL && profile_type_allows(child_of(type, "code"), focus->type))
			return true;
		for (int p = 0; p < items_of(profiles); p++)
		{
			const JsonNode *url = string_item(profiles, p);

			if (url != NULL && profile_url_tries(r, url, focus, &loaded) && loaded)
				return true;
		}
	}
	return false;
}

static bool
type_kept(const ProfileElement *element, const FhirFocus *focus)
{
	const JsonNode *types = element_property(element, "type");

	for (int i = 0; i < items_of(types); i++)
	{
		if (profile_type_allows(child_of(item_of(types, i), "code"), focus->type))
			return true;
	}
	return false;
}

/* By type or profile of what a reference leads to, where nothing of the profile follows resolve() */
static bool
target_discriminates(Run *r, const ProfileElement *element, const FhirFocus *reference)
{
	const JsonNode *types = element_property(element, "type");

	for (int i = 0; i < items_of(types) && profile_reference_type(r, reference) != 0; i++)
	{
		const JsonNode *targets = child_of(item_of(types, i), "targetProfile");

		if (items_of(targets) > 0 && profile_target_allows(r, targets, reference))
			return true;
	}
	return false;
}

/* The value that a discriminator's path ends at */
static bool
discriminates(Run *r, ProfileElement *element, DiscriminatorKind kind, const FhirFocus *focus)
{
	switch (kind)
	{
		case BY_TYPE:
			return type_kept(element, focus);
		case BY_PROFILE:
			return profile_kept(r, element, focus);
		case BY_EXISTS:
			return true;
		default:
			return says_value(element, 0) && profile_element_tries(r, element, focus);
	}
}

/* The root of the one profile that an element's type names (`key` profile, or targetProfile), for discriminators that lead into it */
static ProfileElement *
type_profile_root(const ProfileElement *element, const char *key)
{
	const JsonNode *types = element_property(element, "type");

	for (int i = 0; i < items_of(types); i++)
	{
		const JsonNode *profiles = child_of(item_of(types, i), key);
		const JsonNode *url = items_of(profiles) == 1 ? string_item(profiles, 0) : NULL;
		Profile    *profile = url == NULL ? NULL : find_profile(url->u.text, url->len);

		if (profile != NULL && profile->root != NULL)
			return profile->root;
	}
	return NULL;
}

/* Whether a slice's type profile is the extension of a url */
static bool
extension_profile_is(const ProfileElement *slice, const JsonNode *url)
{
	const JsonNode *types = element_property(slice, "type");

	for (int i = 0; i < items_of(types); i++)
	{
		const JsonNode *profiles = child_of(item_of(types, i), "profile");

		for (int p = 0; p < items_of(profiles); p++)
		{
			const JsonNode *profile = string_item(profiles, p);
			char	   *plain = profile == NULL ? NULL : plain_url(profile);

			if (plain != NULL && text_is(url, plain))
				return true;
		}
	}
	return false;
}

static bool
extension_profile_matches(const ProfileElement *slice, const FhirFocus *focus)
{
	return extension_profile_is(slice, child_of(focus->node, "url"));
}

/* The value that the step leads to, for extension('url') */
static Values
extension_values(const FhirFocus *focus, const char *url, int len)
{
	Values		all = profile_values(focus, "extension", 9);
	Values		found = {NULL, 0, 0};

	for (int i = 0; i < all.count; i++)
	{
		const JsonNode *have = child_of(all.values[i].focus.node, "url");

		if (have != NULL && have->kind == NODE_STRING && have->len == len && memcmp(have->u.text, url, len) == 0)
			(void) profile_add_value(&found, &all.values[i].focus, all.values[i].index);
	}
	return found;
}

/* One step of a discriminator's path: a name, extension('url'), ofType(Type), resolve() or $this */
typedef struct Step
{
	const char *name;
	int			name_len;
	const char *argument;		/* between the parentheses, without quotes; NULL: no function */
	int			argument_len;
	const char *rest;			/* the path behind it */
} Step;

static Step
next_step(const char *path, const char *end)
{
	Step		step = {path, 0, NULL, 0, end};
	const char *at = path;
	const char *close;

	while (at < end && *at != '.' && *at != '(')
		at++;
	step.name_len = (int) (at - path);
	if (at < end && *at == '(')
	{
		close = memchr(at, ')', end - at);
		if (close == NULL)
			return step;
		step.argument = at + 1;
		step.argument_len = (int) (close - at - 1);
		if (step.argument_len >= 2 && step.argument[0] == '\'')
		{
			step.argument++;
			step.argument_len -= 2;
		}
		at = close + 1;
	}
	step.rest = at < end && *at == '.' ? at + 1 : at;
	return step;
}

static bool
step_is(const Step *step, const char *name)
{
	return step->name_len == strlen(name) && memcmp(step->name, name, step->name_len) == 0;
}

static bool follows(Run *r, ProfileElement *element, DiscriminatorKind kind, const char *path, const char *end, const FhirFocus *focus);

/* The slice of a choice that is for a type, the choice itself where there is none */
static ProfileElement *
type_slice(ProfileElement *element, int type)
{
	for (int i = 0; i < element->slice_count; i++)
	{
		FhirFocus	focus = {NULL, NULL, type};

		if (element_property(element->slices[i], "type") != NULL && type_kept(element->slices[i], &focus))
			return element->slices[i];
	}
	return element;
}

static bool
follows_target(Run *r, ProfileElement *element, DiscriminatorKind kind, const Step *step, const char *end, const FhirFocus *focus)
{
	ProfileElement *root;
	FhirFocus	target;

	if (step->rest >= end && (kind == BY_TYPE || kind == BY_PROFILE))
		return target_discriminates(r, element, focus);
	target = profile_target(r, focus);
	root = type_profile_root(element, "targetProfile");
	return target.node != NULL && root != NULL && r->depth < PROFILE_DEPTH_MAX && follows(r, root, kind, step->rest, end, &target);
}

/* The slice of extension that a step extension('url') leads to; NULL: the profile does not speak of it */
static ProfileElement *
extension_slice(const ProfileElement *element, const Step *step, const Values *values)
{
	ProfileElement *extension = element_child(element, "extension", 9);
	JsonNode	url = {.kind = NODE_STRING, .len = step->argument_len};

	url.u.text = step->argument;
	for (int i = 0; extension != NULL && i < extension->slice_count; i++)
	{
		ProfileElement *slice = extension->slices[i];
		ProfileElement *slice_url = element_child(slice, "url", 3);
		const JsonNode *fixed = slice_url == NULL ? NULL : element_property_like(slice_url, "fixed");

		if ((fixed != NULL && same_string(fixed, &url)) ||
			(values->count > 0 && extension_profile_matches(slice, &values->values[0].focus)) || extension_profile_is(slice, &url))
			return slice;
	}
	return NULL;
}

/* Whether the place is there as the slice asks: at least once, or never */
static bool
exists_as_asked(const ProfileElement *child, const Values *values)
{
	const JsonNode *min = child == NULL ? NULL : element_property(child, "min");
	const JsonNode *max = child == NULL ? NULL : element_property(child, "max");

	if (text_is(max, "0"))
		return values->count == 0;
	return min != NULL && min->kind == NODE_NUMBER && min->u.text[0] != '0' && values->count > 0;
}

/* Follows a discriminator's path (R4 profiling.html#discriminator: a restricted FHIRPath) through profile and value at once. */
static bool
follows(Run *r, ProfileElement *element, DiscriminatorKind kind, const char *path, const char *end, const FhirFocus *focus)
{
	Step		step;
	Values		values;
	ProfileElement *child;
	ProfileElement *root;

	check_stack_depth();
	if (path >= end)
		return discriminates(r, element, kind, focus);
	step = next_step(path, end);
	if (step_is(&step, "$this"))
		return follows(r, element, kind, step.rest, end, focus);
	if (step.argument != NULL && step_is(&step, "resolve"))
		return follows_target(r, element, kind, &step, end, focus);
	if (step.argument != NULL && step_is(&step, "ofType"))
	{
		int			type = fhir_type_find(step.argument, step.argument_len);

		return type != 0 && fhir_type_is(focus->type, type) && follows(r, type_slice(element, type), kind, step.rest, end, focus);
	}
	if (step.argument != NULL && step_is(&step, "extension"))
	{
		values = extension_values(focus, step.argument, step.argument_len);
		child = extension_slice(element, &step, &values);
	}
	else
	{
		values = profile_values(focus, step.name, step.name_len);
		child = element_child(element, step.name, step.name_len);
	}
	if (kind == BY_EXISTS && step.rest >= end)
		return exists_as_asked(child, &values);
	if (child == NULL)
	{
		/* a value of the whole, of which the path names a part */
		if (kind == BY_VALUE && (element_property_like(element, "fixed") != NULL || element_property_like(element, "pattern") != NULL))
			return profile_element_tries(r, element, focus);
		if (step_is(&step, "url") && focus->type == fhir_extension_type && extension_profile_matches(element, focus))
			return true;
		root = type_profile_root(element, "profile");
		return root != NULL && root != element && r->depth < PROFILE_DEPTH_MAX && follows(r, root, kind, path, end, focus);
	}
	for (int i = 0; i < values.count; i++)
	{
		ProfileElement *of_type = child->choice && values.values[i].focus.type != 0 ? type_slice(child, values.values[i].focus.type) : child;

		if (follows(r, child, kind, step.rest, end, &values.values[i].focus) ||
			(of_type != child && follows(r, of_type, kind, step.rest, end, &values.values[i].focus)))
			return true;
	}
	return false;
}

/* Whether a slice says anything about where a discriminator's path begins; what it leaves out, other discriminators decide */
static bool
speaks_of(const ProfileElement *slice, const JsonNode *path)
{
	int			len = 0;

	while (len < path->len && path->u.text[len] != '.' && path->u.text[len] != '(')
		len++;
	return path->u.text[0] == '$' || (len < path->len && path->u.text[len] == '(') ||
		element_child(slice, path->u.text, len) != NULL ||
		element_property_like(slice, "fixed") != NULL || element_property_like(slice, "pattern") != NULL ||
		type_profile_root(slice, "profile") != NULL || (len == 3 && memcmp(path->u.text, "url", 3) == 0);
}

static bool
slice_takes(Run *r, const JsonNode *discriminators, const char *implied, ProfileElement *slice, const FhirFocus *focus)
{
	static const struct
	{
		const char *name;
		DiscriminatorKind kind;
	}			kinds[] = {
		{"value", BY_VALUE}, {"pattern", BY_VALUE}, {"exists", BY_EXISTS}, {"type", BY_TYPE}, {"profile", BY_PROFILE},
	};
	static const char url[] = "url";
	bool		said = false;

	if (items_of(discriminators) == 0)
	{
		if (strcmp(implied, "url") == 0)
			return follows(r, slice, BY_VALUE, url, url + 3, focus);
		if (strcmp(implied, "type") == 0)
			return discriminates(r, slice, BY_TYPE, focus);
		return profile_element_tries(r, slice, focus);
	}
	for (int i = 0; i < items_of(discriminators); i++)
	{
		const JsonNode *type = child_of(item_of(discriminators, i), "type");
		const JsonNode *path = child_of(item_of(discriminators, i), "path");
		bool		takes = false;

		if (path == NULL || path->kind != NODE_STRING || path->len == 0)
			return false;
		if (!speaks_of(slice, path) && items_of(discriminators) > 1)
			continue;
		said = true;
		for (size_t k = 0; k < lengthof(kinds); k++)
		{
			if (text_is(type, kinds[k].name))
				takes = follows(r, slice, kinds[k].kind, path->u.text, path->u.text + path->len, focus);
		}
		if (!takes)
			return false;
	}
	return said;
}

/* R4 profiling.html#reslicing: slice a/b is a slice of slice a. */
static bool
is_slice_of(const ProfileElement *slice, const ProfileElement *parent)
{
	int			skip = parent == NULL ? 0 : parent->slice_len + 1;

	if (parent != NULL && (slice->slice_len <= skip || memcmp(slice->slice, parent->slice, parent->slice_len) != 0 ||
						   slice->slice[parent->slice_len] != '/'))
		return false;
	return memchr(slice->slice + skip, '/', slice->slice_len - skip) == NULL;
}

/* A slice a/b without a slice a is one of the element. */
static bool
has_parent(const ProfileElement *element, const ProfileElement *slice)
{
	for (int i = 0; i < element->slice_count; i++)
	{
		if (element->slices[i] != slice && is_slice_of(slice, element->slices[i]))
			return true;
	}
	return false;
}

/* The slices of an element, or those that one of its slices is sliced into once more */
typedef struct Slicing
{
	ProfileElement *element;
	ProfileElement *parent;		/* NULL: the element itself */
	ProfileElement **slices;
	int			count;
	const char *implied;		/* what slices without a discriminator are found by */
	const JsonNode *discriminators;
	const JsonNode *rules;
	bool		ordered;
} Slicing;

static Slicing
slicing_of(ProfileElement *element, ProfileElement *parent)
{
	const JsonNode *said = element_property(parent == NULL ? element : parent, "slicing");
	bool		extension = (element->name_len == 9 && memcmp(element->name, "extension", 9) == 0) ||
		(element->name_len == 17 && memcmp(element->name, "modifierExtension", 17) == 0);
	Slicing		slicing = {element, parent, palloc((element->slice_count + 1) * sizeof(ProfileElement *)), 0};

	/* a slice that does not say how it is sliced is as its element is */
	slicing.discriminators = child_of(said, "discriminator");
	if (items_of(slicing.discriminators) == 0 && parent != NULL)
		slicing.discriminators = child_of(element_property(element, "slicing"), "discriminator");
	slicing.rules = child_of(said, "rules");
	slicing.ordered = child_of(said, "ordered") != NULL && child_of(said, "ordered")->kind == NODE_TRUE;
	slicing.implied = extension ? "url" : element->choice ? "type" : "";
	for (int i = 0; i < element->slice_count; i++)
	{
		ProfileElement *slice = element->slices[i];

		if (parent == NULL ? !has_parent(element, slice) : is_slice_of(slice, parent))
			slicing.slices[slicing.count++] = slice;
	}
	return slicing;
}

static int
slice_taken(Run *r, const Slicing *slicing, const FhirFocus *focus)
{
	CHECK_FOR_INTERRUPTS();
	for (int s = 0; s < slicing->count; s++)
	{
		if (slice_takes(r, slicing->discriminators, slicing->implied, slicing->slices[s], focus))
			return s;
	}
	return -1;
}

static void
run_slicing(Run *r, const Slicing *slicing, const Values *values)
{
	Values	   *members = palloc0(sizeof(Values) * (slicing->count + 1));
	int			highest = -1;
	bool		unmatched = false;

	check_stack_depth();
	for (int i = 0; i < values->count; i++)
	{
		const FhirFocus *focus = &values->values[i].focus;
		int			length = profile_push(r, slicing->element, values->values[i].index);
		int			taken = slice_taken(r, slicing, focus);

		if (taken < 0)
		{
			unmatched = true;
			if (text_is(slicing->rules, "closed"))
				profile_report(r, SEVERITY_ERROR, "structure", "profile-slice-closed", "belongs to none of the slices, and the slicing is closed", NULL);
		}
		else
		{
			(void) profile_add_value(&members[taken], focus, values->values[i].index);
			if (unmatched && text_is(slicing->rules, "openAtEnd"))
				profile_report(r, SEVERITY_ERROR, "structure", "profile-slice-end", "what belongs to no slice must stand at the end", NULL);
			if (slicing->ordered && taken < highest)
				profile_report(r, SEVERITY_ERROR, "structure", "profile-slice-order", "the slices are not in their order", NULL);
			highest = Max(highest, taken);
			profile_check_value(r, slicing->slices[taken], focus);
		}
		profile_pop(r, length);
	}
	for (int s = 0; s < slicing->count; s++)
	{
		Slicing		again = slicing_of(slicing->element, slicing->slices[s]);
		int			length = profile_push(r, slicing->element, -1);

		if (!r->trial)
			appendStringInfo(&r->path, ":%.*s", slicing->slices[s]->slice_len, slicing->slices[s]->slice);
		profile_check_count(r, slicing->slices[s], members[s].count);
		profile_pop(r, length);
		if (again.count > 0 && members[s].count > 0)
			run_slicing(r, &again, &members[s]);
		pfree(again.slices);
	}
	pfree(members);
}

void
profile_check_slices(Run *r, ProfileElement *element, const Values *values)
{
	Slicing		slicing = slicing_of(element, NULL);

	run_slicing(r, &slicing, values);
	pfree(slicing.slices);
}
