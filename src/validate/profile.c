/*
 * profile.c
 *		A document against loaded profiles: cardinality, types, fixed and
 *		pattern values, bindings, constraints, slicing.
 *
 * R4 profiling.html.  A profile only narrows what the core type allows, which
 * the structure's walk has checked: here nothing is said about what the
 * profile does not speak of.  Slices are found by trying: a trial runs the
 * same checks with a counter in place of the list of issues.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"

#include "fhir/fhir_tree.h"
#include "validate/definitions.h"

/* Deepest nesting of profiles in profiles and of slices in slices */
#define PROFILE_DEPTH_MAX 48

#define CORE_DEFINITION "http://hl7.org/fhir/StructureDefinition/"

typedef struct Run
{
	Validation *v;
	bool		trial;			/* only count */
	int			errors;
	int			depth;
	StringInfoData path;
	FhirScope	scope;
} Run;

typedef struct Value
{
	FhirFocus	focus;
	int			index;
} Value;

typedef struct Values
{
	Value	   *values;
	int			count;
	int			size;
} Values;

static void check_value(Run *r, ProfileElement *element, const FhirFocus *focus);

/* -- reports -------------------------------------------------------------- */

static void
report(Run *r, Severity severity, const char *code, const char *rule, const char *text, const char *hint)
{
	if (severity <= SEVERITY_ERROR)
		r->errors++;
	if (!r->trial)
		add_issue(r->v, severity, code, rule, text, hint, r->path.data);
}

/* Lengthens the path by one step; returns what to cut it back to. */
static int
path_push(Run *r, const ProfileElement *element, int index)
{
	int			length = r->path.len;

	if (r->trial)
		return length;
	appendStringInfo(&r->path, ".%.*s", element->name_len, element->name);
	if (index >= 0)
		appendStringInfo(&r->path, "[%d]", index);
	return length;
}

static void
path_pop(Run *r, int length)
{
	r->path.len = length;
	r->path.data[length] = '\0';
}

/* -- values --------------------------------------------------------------- */

static bool
add_value(void *arg, const FhirFocus *focus, int index)
{
	Values	   *v = arg;

	if (v->count == v->size)
	{
		v->size = v->size == 0 ? 8 : v->size * 2;
		v->values = v->values == NULL ? palloc(v->size * sizeof(Value)) : repalloc(v->values, v->size * sizeof(Value));
	}
	v->values[v->count].focus = *focus;
	v->values[v->count++].index = index;
	return true;
}

/* The values of a child, also where it names one type of a choice (valueQuantity) */
static Values
child_values(const FhirFocus *focus, const char *name, int len)
{
	Values		values = {NULL, 0, 0};
	const JsonNode *object = focus->node;
	int			type = focus->type;
	const FhirElement *element;

	if (type < FHIR_RESOURCE_BASE)
	{
		object = focus->twin;
		type = fhir_element_type;
	}
	if (object == NULL || object->kind != NODE_OBJECT)
		return values;
	element = fhir_element_find(type, name, len);
	if (element != NULL && (element->flags & FHIR_CHOICE) != 0)
	{
		FhirFocus	one = {json_child(object, name, len), NULL, element->type};

		if (one.node != NULL)
			(void) add_value(&values, &one, -1);
	}
	else
		(void) fhir_each_element(object, type, name, len, add_value, &values);
	return values;
}

static bool
same_number(const JsonNode *a, const JsonNode *b)
{
	char		x[64],
				y[64];

	if (a->len >= sizeof(x) || b->len >= sizeof(y))
		return a->len == b->len && memcmp(a->u.text, b->u.text, a->len) == 0;
	memcpy(x, a->u.text, a->len);
	x[a->len] = '\0';
	memcpy(y, b->u.text, b->len);
	y[b->len] = '\0';
	return strtold(x, NULL) == strtold(y, NULL);
}

/* Every item of the pattern's array is matched by some item (whole: the same array) */
static bool
pattern_array(const JsonNode *pattern, const JsonNode *node, bool whole)
{
	if (whole && pattern->len != node->len)
		return false;
	for (uint32 i = 0; i < pattern->len; i++)
	{
		bool		found = false;

		for (uint32 k = 0; k < node->len && !found; k++)
			found = (!whole || k == i) && pattern_holds(&pattern->u.children[i], &node->u.children[k], whole);
		if (!found)
			return false;
	}
	return true;
}

/* pattern[x]: what it has the value has; fixed[x] (whole): the value is the same */
bool
pattern_holds(const JsonNode *pattern, const JsonNode *node, bool whole)
{
	CHECK_FOR_INTERRUPTS();
	if (node == NULL || pattern->kind != node->kind)
		return false;
	switch (pattern->kind)
	{
		case NODE_STRING:
			return same_string(pattern, node);
		case NODE_NUMBER:
			return same_number(pattern, node);
		case NODE_ARRAY:
			return pattern_array(pattern, node, whole);
		case NODE_OBJECT:
			if (whole && pattern->len != node->len)
				return false;
			for (uint32 i = 0; i < pattern->len; i++)
			{
				const JsonNode *child = &pattern->u.children[i];

				if (!pattern_holds(child, json_child(node, child->key, child->key_len), whole))
					return false;
			}
			return true;
		default:
			return true;
	}
}

/* -- one value ------------------------------------------------------------ */

static const char *
type_text(int type)
{
	return fhir_string(fhir_types[type].name);
}

/* Whether a value is of the type that a profile's type.code names; codes that are no FHIR type allow all */
static bool
type_allows(const JsonNode *code, int type)
{
	int			wanted;

	if (code == NULL || code->kind != NODE_STRING)
		return true;
	wanted = fhir_type_find(code->u.text, code->len);
	return wanted == 0 || type == 0 || type == wanted || fhir_type_is(type, wanted);
}

static const JsonNode *
string_item(const JsonNode *list, int i)
{
	const JsonNode *item = item_of(list, i);

	return item->kind == NODE_STRING ? item : NULL;
}

static bool
is_core(const JsonNode *url)
{
	size_t		len = strlen(CORE_DEFINITION);

	return url->len > len && memcmp(url->u.text, CORE_DEFINITION, len) == 0;
}

/* What is asked below a resource has it as %resource. */
static void
enter_resource(Run *r, const FhirFocus *focus)
{
	if (focus->type > FHIR_RESOURCE_BASE && focus->type <= FHIR_RESOURCE_BASE + FHIR_RESOURCE_TYPES)
	{
		r->scope.resource = focus->node;
		r->scope.resource_type = focus->type;
	}
}

/* Runs a loaded profile on a value; false: it is not loaded. */
static bool
run_profile(Run *r, const JsonNode *url, const FhirFocus *focus)
{
	Profile    *profile = find_profile(url->u.text, url->len);
	FhirScope	outer = r->scope;

	if (profile->document == NULL || profile->root == NULL)
		return false;
	if (r->depth >= PROFILE_DEPTH_MAX)
	{
		report(r, SEVERITY_INFORMATION, "incomplete", "profile-depth", "profiles are nested too deeply to be followed", NULL);
		return true;
	}
	if (profile->broken)
		report(r, SEVERITY_WARNING, "not-found", "profile-base", "the profile derives from one that is not loaded, or from itself", NULL);
	r->depth++;
	if (profile->type != 0 && focus->type != 0 && !fhir_type_is(focus->type, profile->type))
		report(r, SEVERITY_ERROR, "structure", "profile-resource-type", "the profile is for another type", NULL);
	else
	{
		enter_resource(r, focus);
		check_value(r, profile->root, focus);
		r->scope = outer;
	}
	r->depth--;
	return true;
}

/* Whether a value conforms to an element, without a report */
static bool
tries(Run *r, ProfileElement *element, const FhirFocus *focus)
{
	Run			trial = *r;

	trial.trial = true;
	trial.errors = 0;
	trial.depth++;
	if (trial.depth < PROFILE_DEPTH_MAX)
		check_value(&trial, element, focus);
	return trial.errors == 0;
}

static bool
profile_tries(Run *r, const JsonNode *url, const FhirFocus *focus, bool *loaded)
{
	Run			trial = *r;

	trial.trial = true;
	trial.errors = 0;
	*loaded = run_profile(&trial, url, focus);
	return trial.errors == 0;
}

/* Resource number of a literal reference's type, or of Reference.type; 0: not said */
static int
reference_type(const JsonNode *node)
{
	const JsonNode *reference = child_of(node, "reference");
	const JsonNode *type = child_of(node, "type");
	const char *text;
	int			end,
				begin;

	if (type != NULL && type->kind == NODE_STRING)
		return fhir_resource_number(type->u.text, type->len);
	if (reference == NULL || reference->kind != NODE_STRING)
		return 0;
	text = reference->u.text;
	for (end = (int) reference->len; end > 0 && text[end - 1] != '/'; end--)
		;
	if (end < 2)
		return 0;
	for (begin = --end; begin > 0 && text[begin - 1] != '/'; begin--)
		;
	return fhir_resource_number(text + begin, end - begin);
}

/* Resource number that a target profile is for; 0: not known here */
static int
target_type(const JsonNode *url)
{
	Profile    *profile;

	if (is_core(url))
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

/* Whether a reference may lead to one of the target profiles, as far as its type says */
static bool
target_allows(const JsonNode *targets, const FhirFocus *focus)
{
	int			number = focus->node == NULL ? 0 : reference_type(focus->node);

	if (targets == NULL || number == 0 || items_of(targets) == 0)
		return true;
	for (int i = 0; i < items_of(targets); i++)
	{
		const JsonNode *url = string_item(targets, i);
		int			target = url == NULL ? 0 : target_type(url);

		if (target == 0 || target == number || fhir_type_is(FHIR_RESOURCE_BASE + number, FHIR_RESOURCE_BASE + target))
			return true;
	}
	return false;
}

static void
check_type_profiles(Run *r, const JsonNode *profiles, const FhirFocus *focus)
{
	bool		loaded = false;

	if (items_of(profiles) == 1)
	{
		const JsonNode *url = string_item(profiles, 0);

		/* core's own (SimpleQuantity and the like) are invariants of the model */
		if (url != NULL && !run_profile(r, url, focus) && !is_core(url))
			report(r, SEVERITY_INFORMATION, "not-found", "profile-unknown", "the profile of the element's type is not loaded", NULL);
		return;
	}
	for (int i = 0; i < items_of(profiles); i++)
	{
		const JsonNode *url = string_item(profiles, i);
		bool		known;

		if (url == NULL)
			continue;
		if (profile_tries(r, url, focus, &known) || !known)
			return;
		loaded = true;
	}
	if (loaded)
		report(r, SEVERITY_ERROR, "structure", "profile-type-profile", "conforms to none of the profiles of the element's type", NULL);
}

static void
check_types(Run *r, ProfileElement *element, const FhirFocus *focus)
{
	const JsonNode *types = element_property(element, "type");
	bool		code = false;
	bool		target = false;

	if (types == NULL)
		return;
	for (int i = 0; i < items_of(types); i++)
	{
		const JsonNode *type = item_of(types, i);

		if (!type_allows(child_of(type, "code"), focus->type))
			continue;
		code = true;
		if (focus->type == fhir_reference_type && !target_allows(child_of(type, "targetProfile"), focus))
			continue;
		target = true;
		if (child_of(type, "profile") != NULL)
			check_type_profiles(r, child_of(type, "profile"), focus);
		break;
	}
	if (!code)
		report(r, SEVERITY_ERROR, "structure", "profile-type", "the profile does not allow this type", NULL);
	else if (!target)
		report(r, SEVERITY_ERROR, "structure", "profile-target", "the profile does not allow a reference to this type", NULL);
}

static void
check_fixed(Run *r, ProfileElement *element, const FhirFocus *focus)
{
	const JsonNode *fixed = element_property_like(element, "fixed");
	const JsonNode *pattern = element_property_like(element, "pattern");

	if (fixed != NULL && !pattern_holds(fixed, focus->node, true))
		report(r, SEVERITY_ERROR, "value", "profile-fixed", "not the value that the profile fixes", NULL);
	if (pattern != NULL && !pattern_holds(pattern, focus->node, false))
		report(r, SEVERITY_ERROR, "value", "profile-pattern", "lacks what the profile's pattern asks for", NULL);
}

static void
check_length(Run *r, ProfileElement *element, const FhirFocus *focus)
{
	const JsonNode *max = element_property(element, "maxLength");
	long		characters = 0;

	if (max == NULL || max->kind != NODE_NUMBER || focus->node == NULL || focus->node->kind != NODE_STRING)
		return;
	for (uint32 i = 0; i < focus->node->len; i++)
		characters += ((unsigned char) focus->node->u.text[i] & 0xC0) != 0x80;
	if (characters > strtol(pnstrdup(max->u.text, max->len), NULL, 10))
		report(r, SEVERITY_ERROR, "too-long", "profile-length", "longer than the profile allows", NULL);
}

/*
 * Order of a value and a bound (minValue[x], maxValue[x]): -1, 0, 1; 2: they
 * do not compare. Dates compare as far as both go; quantities of one unit.
 */
static int
bound_order(const JsonNode *value, const JsonNode *bound)
{
	if (value == NULL || value->kind != bound->kind)
		return 2;
	if (value->kind == NODE_NUMBER)
	{
		long double a = strtold(pnstrdup(value->u.text, value->len), NULL);
		long double b = strtold(pnstrdup(bound->u.text, bound->len), NULL);

		return a < b ? -1 : a > b;
	}
	if (value->kind == NODE_STRING)
	{
		int			order = memcmp(value->u.text, bound->u.text, Min(Min(value->len, bound->len), 10));

		return order < 0 ? -1 : order > 0;
	}
	if (value->kind == NODE_OBJECT && same_string(child_of(value, "code"), child_of(bound, "code")) && child_of(bound, "value") != NULL)
		return bound_order(child_of(value, "value"), child_of(bound, "value"));
	return 2;
}

static void
check_bounds(Run *r, ProfileElement *element, const FhirFocus *focus)
{
	const JsonNode *min = element_property_like(element, "minValue");
	const JsonNode *max = element_property_like(element, "maxValue");

	if (min != NULL && bound_order(focus->node, min) == -1)
		report(r, SEVERITY_ERROR, "value", "profile-min-value", "below the least value that the profile allows", NULL);
	if (max != NULL && bound_order(focus->node, max) == 1)
		report(r, SEVERITY_ERROR, "value", "profile-max-value", "above the greatest value that the profile allows", NULL);
}

/* -- bindings and constraints --------------------------------------------- */

/* Whether a coded value is in a value set: 1, 0, -1 not known */
static int
coded_in(const JsonNode *node, int type, const char *url)
{
	const JsonNode *codings = child_of(node, "coding");
	int			answer = 0;

	if (node == NULL)
		return -1;
	if (node->kind == NODE_STRING)
		return value_set_has(url, NULL, 0, node->u.text, node->len);
	if (type == fhir_codeable_concept_type)
	{
		if (codings == NULL || codings->kind != NODE_ARRAY)
			return child_of(node, "text") != NULL ? 0 : -1;
		for (uint32 i = 0; i < codings->len && answer != 1; i++)
		{
			int			one = coded_in(&codings->u.children[i], 0, url);

			answer = one == 1 ? 1 : Min(answer, one);
		}
		return answer;
	}
	{
		const JsonNode *system = child_of(node, "system");
		const JsonNode *code = child_of(node, "code");

		if (code == NULL || code->kind != NODE_STRING)
			return -1;
		if (system == NULL || system->kind != NODE_STRING)
			return 0;
		return value_set_has(url, system->u.text, system->len, code->u.text, code->len);
	}
}

static char *
plain_url(const JsonNode *url)
{
	const char *bar = memchr(url->u.text, '|', url->len);

	return pnstrdup(url->u.text, bar == NULL ? url->len : (size_t) (bar - url->u.text));
}

static void
check_binding(Run *r, ProfileElement *element, const FhirFocus *focus)
{
	const JsonNode *binding = element_property(element, "binding");
	const JsonNode *strength = child_of(binding, "strength");
	const JsonNode *url = child_of(binding, "valueSet");

	if (url == NULL || url->kind != NODE_STRING || focus->node == NULL || text_is(strength, "example"))
		return;
	if (coded_in(focus->node, focus->type, plain_url(url)) != 0)
		return;
	if (text_is(strength, "required"))
		report(r, SEVERITY_ERROR, "code-invalid", "profile-binding", "no code of the value set that the profile requires", NULL);
	else
		report(r, SEVERITY_WARNING, "code-invalid", "profile-binding",
			   text_is(strength, "extensible") ? "no code of the value set that is to be used where it fits" :
			   "no code of the preferred value set", NULL);
}

/* Constraints of R4's own definitions, which snapshots repeat */
static bool
is_core_invariant(const JsonNode *key)
{
	static const char *const by_hand[] = {"ele-1", "ext-1", "dom-3", "ref-1", "txt-1", "txt-2"};

	for (size_t i = 0; i < lengthof(by_hand); i++)
	{
		if (text_is(key, by_hand[i]))
			return true;
	}
	for (int i = 0; i < fhir_invariant_count; i++)
	{
		if (text_is(key, fhir_invariants[i].key))
			return true;
	}
	return false;
}

/* The n-th constraint of an element, prepared once for as long as the definitions are kept */
static const FhirConstraint *
prepared_constraint(ProfileElement *element, int number, int count, const JsonNode *definition)
{
	const JsonNode *text = child_of(definition, "expression");

	if (element->constraints == NULL)
		element->constraints = MemoryContextAllocZero(definitions_memory(), count * sizeof(FhirConstraint));
	if (text != NULL && text->kind == NODE_STRING)
		(void) constraint_prepare(&element->constraints[number], text->u.text, text->len, definitions_memory());
	return &element->constraints[number];
}

static void
check_constraint(Run *r, const FhirConstraint *constraint, const JsonNode *definition, const FhirFocus *focus)
{
	const JsonNode *human = child_of(definition, "human");
	const JsonNode *key = child_of(definition, "key");
	const char *name = key != NULL && key->kind == NODE_STRING ? pnstrdup(key->u.text, key->len) : "constraint";
	const char *text = human != NULL && human->kind == NODE_STRING ? pnstrdup(human->u.text, human->len) : "a constraint of the profile";
	Verdict		verdict = constraint_verdict(r->v, constraint, &r->scope, focus);

	if (verdict == VERDICT_BROKEN)
		report(r, text_is(child_of(definition, "severity"), "warning") ? SEVERITY_WARNING : SEVERITY_ERROR, "invariant", name, text, NULL);
	else if (verdict == VERDICT_UNDECIDED)
		report(r, SEVERITY_INFORMATION, "incomplete", name, "the profile's constraint could not be decided", NULL);
}

static void
check_constraints(Run *r, ProfileElement *element, const FhirFocus *focus)
{
	int			count = 0;
	int			number = 0;

	for (int i = 0; i < element->definition_count; i++)
		count += items_of(child_of(element->definitions[i], "constraint"));
	for (int i = 0; i < element->definition_count; i++)
	{
		const JsonNode *constraints = child_of(element->definitions[i], "constraint");

		for (int k = 0; k < items_of(constraints); k++, number++)
		{
			const JsonNode *constraint = item_of(constraints, k);
			const JsonNode *key = child_of(constraint, "key");

			if (key == NULL || !is_core_invariant(key))
				check_constraint(r, prepared_constraint(element, number, count, constraint), constraint, focus);
		}
	}
}

/* -- slices --------------------------------------------------------------- */

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

static bool
discriminates(Run *r, ProfileElement *element, DiscriminatorKind kind, const FhirFocus *focus, bool through_reference)
{
	const JsonNode *types = element_property(element, "type");

	if (kind == BY_TYPE)
	{
		for (int i = 0; i < items_of(types); i++)
		{
			const JsonNode *type = item_of(types, i);

			if (through_reference ? target_allows(child_of(type, "targetProfile"), focus) && reference_type(focus->node) != 0 :
				type_allows(child_of(type, "code"), focus->type))
				return true;
		}
		return false;
	}
	if (kind == BY_PROFILE)
	{
		for (int i = 0; i < items_of(types); i++)
		{
			const JsonNode *type = item_of(types, i);
			const JsonNode *profiles = child_of(type, "profile");
			bool		loaded;

			if (through_reference)
				return target_allows(child_of(type, "targetProfile"), focus) && reference_type(focus->node) != 0;
			for (int p = 0; p < items_of(profiles); p++)
			{
				const JsonNode *url = string_item(profiles, p);

				if (url != NULL && profile_tries(r, url, focus, &loaded) && loaded)
					return true;
			}
		}
		return false;
	}
	return says_value(element, 0) && tries(r, element, focus);
}

/* The root of the one profile that an element's type names, for discriminators that lead into it */
static ProfileElement *
type_profile_root(const ProfileElement *element)
{
	const JsonNode *types = element_property(element, "type");

	for (int i = 0; i < items_of(types); i++)
	{
		const JsonNode *profiles = child_of(item_of(types, i), "profile");
		const JsonNode *url = items_of(profiles) == 1 ? string_item(profiles, 0) : NULL;
		Profile    *profile = url == NULL ? NULL : find_profile(url->u.text, url->len);

		if (profile != NULL && profile->root != NULL)
			return profile->root;
	}
	return NULL;
}

/* Whether an extension's url is the one that a slice's type profile is for */
static bool
extension_profile_matches(const ProfileElement *slice, const FhirFocus *focus)
{
	const JsonNode *types = element_property(slice, "type");
	const JsonNode *url = child_of(focus->node, "url");

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

/* The value that the step leads to, for extension('url') */
static Values
extension_values(const FhirFocus *focus, const char *url, int len)
{
	Values		all = child_values(focus, "extension", 9);
	Values		found = {NULL, 0, 0};

	for (int i = 0; i < all.count; i++)
	{
		const JsonNode *have = child_of(all.values[i].focus.node, "url");

		if (have != NULL && have->kind == NODE_STRING && have->len == len && memcmp(have->u.text, url, len) == 0)
			(void) add_value(&found, &all.values[i].focus, all.values[i].index);
	}
	return found;
}

/* Follows a discriminator's path (a restricted FHIRPath) through profile and value at once. */
static bool
follows(Run *r, ProfileElement *element, DiscriminatorKind kind, const char *path, int len, const FhirFocus *focus, bool through_reference)
{
	const char *end = path + len;
	const char *step = path;
	int			step_len;
	Values		values;
	ProfileElement *child = NULL;

	check_stack_depth();
	while (len >= 5 && memcmp(step, "$this", 5) == 0)
	{
		step += 5;
		step += step < end && *step == '.';
		len = end - step;
	}
	if (step >= end)
		return discriminates(r, element, kind, focus, through_reference);
	if (*step == '.')
		step++;
	step_len = 0;
	while (step + step_len < end && (step[step_len] != '.' || memchr(step, '(', step_len) != NULL))
	{
		step_len++;
		if (step[step_len - 1] == ')')
			break;
	}
	path = step + step_len;
	path += path < end && *path == '.';
	if (step_len == 9 && memcmp(step, "resolve()", 9) == 0)
		return follows(r, element, kind, path, end - path, focus, true);
	if (step_len > 7 && memcmp(step, "ofType(", 7) == 0)
	{
		int			type = fhir_type_find(step + 7, step_len - 8);

		return type != 0 && fhir_type_is(focus->type, type) && follows(r, element, kind, path, end - path, focus, through_reference);
	}
	if (step_len > 13 && memcmp(step, "extension('", 11) == 0)
	{
		ProfileElement *extension = element_child(element, "extension", 9);

		values = extension_values(focus, step + 11, step_len - 13);
		for (int i = 0; extension != NULL && i < extension->slice_count && values.count > 0; i++)
		{
			if (extension_profile_matches(extension->slices[i], &values.values[0].focus))
				child = extension->slices[i];
		}
	}
	else
	{
		values = child_values(focus, step, step_len);
		child = element_child(element, step, step_len);
	}
	if (kind == BY_EXISTS && path >= end)
	{
		const JsonNode *min = child == NULL ? NULL : element_property(child, "min");
		const JsonNode *max = child == NULL ? NULL : element_property(child, "max");

		if (text_is(max, "0"))
			return values.count == 0;
		return min != NULL && min->kind == NODE_NUMBER && min->u.text[0] != '0' && values.count > 0;
	}
	if (child == NULL)
	{
		ProfileElement *root;

		/* a value of the whole, of which the path names a part */
		if (kind == BY_VALUE && (element_property_like(element, "fixed") != NULL || element_property_like(element, "pattern") != NULL))
			return tries(r, element, focus);
		if (step_len == 3 && memcmp(step, "url", 3) == 0 && focus->type == fhir_extension_type &&
			extension_profile_matches(element, focus))
			return true;
		root = type_profile_root(element);
		return root != NULL && r->depth < PROFILE_DEPTH_MAX && element_child(root, step, step_len) != NULL &&
			follows(r, root, kind, step, end - step, focus, through_reference);
	}
	for (int i = 0; i < values.count; i++)
	{
		if (follows(r, child, kind, path, end - path, &values.values[i].focus, through_reference))
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
		type_profile_root(slice) != NULL || (len == 3 && memcmp(path->u.text, "url", 3) == 0);
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
	bool		said = false;

	if (items_of(discriminators) == 0)
	{
		if (strcmp(implied, "url") == 0)
			return follows(r, slice, BY_VALUE, "url", 3, focus, false);
		if (strcmp(implied, "type") == 0)
			return discriminates(r, slice, BY_TYPE, focus, false);
		return tries(r, slice, focus);
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
				takes = follows(r, slice, kinds[k].kind, path->u.text, path->len, focus, false);
		}
		if (!takes)
			return false;
	}
	return said;
}

static void check_count(Run *r, const ProfileElement *element, int count);

static void
check_slices(Run *r, ProfileElement *element, const Values *values)
{
	const JsonNode *slicing = element_property(element, "slicing");
	const JsonNode *discriminators = child_of(slicing, "discriminator");
	const JsonNode *rules = child_of(slicing, "rules");
	bool		ordered = child_of(slicing, "ordered") != NULL && child_of(slicing, "ordered")->kind == NODE_TRUE;
	bool		extension = (element->name_len == 9 && memcmp(element->name, "extension", 9) == 0) ||
		(element->name_len == 17 && memcmp(element->name, "modifierExtension", 17) == 0);
	const char *implied = extension ? "url" : element->choice ? "type" : "";
	int		   *counts = palloc0(sizeof(int) * element->slice_count);
	int			highest = -1;
	bool		unmatched = false;

	for (int i = 0; i < values->count; i++)
	{
		const FhirFocus *focus = &values->values[i].focus;
		int			length = path_push(r, element, values->values[i].index);
		int			taken = -1;

		CHECK_FOR_INTERRUPTS();
		for (int s = 0; s < element->slice_count && taken < 0; s++)
		{
			if (slice_takes(r, discriminators, implied, element->slices[s], focus))
				taken = s;
		}
		if (taken < 0)
		{
			unmatched = true;
			if (text_is(rules, "closed"))
				report(r, SEVERITY_ERROR, "structure", "profile-slice-closed", "belongs to none of the slices, and the slicing is closed", NULL);
		}
		else
		{
			counts[taken]++;
			if (unmatched && text_is(rules, "openAtEnd"))
				report(r, SEVERITY_ERROR, "structure", "profile-slice-end", "what belongs to no slice must stand at the end", NULL);
			if (ordered && taken < highest)
				report(r, SEVERITY_ERROR, "structure", "profile-slice-order", "the slices are not in their order", NULL);
			highest = Max(highest, taken);
			check_value(r, element->slices[taken], focus);
		}
		path_pop(r, length);
	}
	for (int s = 0; s < element->slice_count; s++)
	{
		int			length = path_push(r, element, -1);

		if (!r->trial)
			appendStringInfo(&r->path, ":%.*s", element->slices[s]->slice_len, element->slices[s]->slice);
		check_count(r, element->slices[s], counts[s]);
		path_pop(r, length);
	}
	pfree(counts);
}

/* -- elements ------------------------------------------------------------- */

/* At the element's (or slice's) path */
static void
check_count(Run *r, const ProfileElement *element, int count)
{
	const JsonNode *min = element_property(element, "min");
	const JsonNode *max = element_property(element, "max");
	const JsonNode *must_support = element_property(element, "mustSupport");
	long		least = min != NULL && min->kind == NODE_NUMBER ? strtol(pnstrdup(min->u.text, min->len), NULL, 10) : 0;
	bool		star = max == NULL || max->kind != NODE_STRING || text_is(max, "*");

	if (count < least)
		report(r, SEVERITY_ERROR, "required", "profile-min", "stands less often than the profile asks for",
			   psprintf("At least %ld.", least));
	else if (count == 0 && must_support != NULL && must_support->kind == NODE_TRUE)
		report(r, SEVERITY_INFORMATION, "informational", "profile-must-support", "must be supported and is not there", NULL);
	if (!star && count > strtol(pnstrdup(max->u.text, max->len), NULL, 10))
		report(r, SEVERITY_ERROR, "structure", "profile-max", "stands more often than the profile allows",
			   psprintf("At most %ld.", strtol(pnstrdup(max->u.text, max->len), NULL, 10)));
}

static void
check_child(Run *r, ProfileElement *child, const FhirFocus *focus)
{
	Values		values = child_values(focus, child->name, child->name_len);
	int			length = path_push(r, child, -1);

	check_count(r, child, values.count);
	path_pop(r, length);
	for (int i = 0; i < values.count && !r->v->full; i++)
	{
		length = path_push(r, child, values.values[i].index);
		check_value(r, child, &values.values[i].focus);
		path_pop(r, length);
	}
	if (child->slice_count > 0)
		check_slices(r, child, &values);
	if (values.values != NULL)
		pfree(values.values);
}

static void
check_value(Run *r, ProfileElement *element, const FhirFocus *focus)
{
	FhirScope	outer = r->scope;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	/* a trial is over with its first error */
	if (r->trial && r->errors > 0)
		return;
	check_types(r, element, focus);
	check_fixed(r, element, focus);
	check_length(r, element, focus);
	check_bounds(r, element, focus);
	check_binding(r, element, focus);
	/* of an element that holds a resource (Bundle.entry.resource), %resource is the one that it stands in */
	check_constraints(r, element, focus);
	enter_resource(r, focus);
	for (int i = 0; i < element->child_count && !r->v->full; i++)
		check_child(r, element->children[i], focus);
	r->scope = outer;
}

/* -- ways in -------------------------------------------------------------- */

static void
start(Validation *v, const JsonNode *url, const FhirFocus *focus, const FhirScope *scope, const char *path, bool asked)
{
	Run			r = {.v = v, .scope = *scope};

	initStringInfo(&r.path);
	appendStringInfoString(&r.path, path);
	if (!run_profile(&r, url, focus))
		report(&r, asked ? SEVERITY_ERROR : SEVERITY_INFORMATION, "not-found", "profile-unknown", "the profile is not loaded",
			   "Load its StructureDefinition with ehr.load_definition.");
	pfree(r.path.data);
}

void
check_asked_profile(Validation *v, const char *profile)
{
	JsonNode	url = {.kind = NODE_STRING, .len = strlen(profile)};
	FhirFocus	focus = {v->document, NULL, 0};
	FhirScope	scope;

	url.u.text = profile;
	if (v->document->kind != NODE_OBJECT)
		return;
	focus.type = fhir_node_resource_type(v->document);
	if (focus.type == 0)
		return;					/* the structure's walk has said so */
	scope = (FhirScope) {v->document, focus.type, v->document, focus.type};
	start(v, &url, &focus, &scope, type_text(focus.type), true);
}

static bool
declares(const JsonNode *profiles, const char *url)
{
	for (int i = 0; i < items_of(profiles); i++)
	{
		if (text_is(item_of(profiles, i), url))
			return true;
	}
	return false;
}

void
check_declared_profiles(Validation *v, const FhirVisit *visit)
{
	const JsonNode *profiles = child_of(child_of(visit->node, "meta"), "profile");
	FhirFocus	focus = {visit->node, NULL, visit->type};
	FhirScope	scope = {visit->resource, visit->resource_type, visit->root, visit->root_type};
	const GlobalProfile *globals;
	int			count = global_profiles(&globals);
	char		path[FHIR_PATH_SIZE];

	for (int i = 0; i < count && !v->full; i++)
	{
		JsonNode	url = {.kind = NODE_STRING, .len = strlen(globals[i].url)};

		if (globals[i].type != visit->type || declares(profiles, globals[i].url))
			continue;
		url.u.text = globals[i].url;
		fhir_place_path(visit->place, NULL, -1, path);
		start(v, &url, &focus, &scope, path, false);
	}
	if (profiles == NULL || profiles->kind != NODE_ARRAY)
		return;
	fhir_place_path(visit->place, NULL, -1, path);
	for (uint32 i = 0; i < profiles->len && !v->full; i++)
	{
		const JsonNode *url = string_item(profiles, i);

		/* that of the type itself says nothing */
		if (url != NULL && !(is_core(url) && target_type(url) == visit->type - FHIR_RESOURCE_BASE))
			start(v, url, &focus, &scope, path, false);
	}
}

void
check_loaded_extension(Validation *v, const FhirVisit *visit)
{
	const JsonNode *url = child_of(visit->node, "url");
	FhirFocus	focus = {visit->node, NULL, visit->type};
	FhirScope	scope = {visit->resource, visit->resource_type, visit->root, visit->root_type};
	char		path[FHIR_PATH_SIZE];

	if (url == NULL || url->kind != NODE_STRING || find_profile(url->u.text, url->len)->document == NULL)
		return;
	fhir_place_path(visit->place, NULL, -1, path);
	start(v, url, &focus, &scope, path, true);
}

/* -- bindings of R4 itself that are not required -------------------------- */

typedef struct BoundValue
{
	Validation *v;
	const FhirVisit *visit;
	const FhirBinding *binding;
} BoundValue;

static bool
check_bound(void *arg, const FhirFocus *focus, int index)
{
	BoundValue *b = arg;
	char		path[FHIR_PATH_SIZE];

	if (focus->node == NULL || coded_in(focus->node, focus->type, b->binding->value_set) != 0)
		return true;
	fhir_place_path(b->visit->place, b->binding->child, index, path);
	add_issue(b->v, SEVERITY_WARNING, "code-invalid", b->binding->extensible ? "binding-extensible" : "binding-preferred",
			  b->binding->extensible ? "no code of the value set that is to be used where it fits" :
			  "no code of the preferred value set", NULL, path);
	return !b->v->full;
}

void
check_bindings(Validation *v, const FhirVisit *visit)
{
	for (int i = fhir_first_bound[visit->type]; i < fhir_first_bound[visit->type + 1]; i++)
	{
		BoundValue	b = {v, visit, &fhir_bindings[fhir_bound[i].binding]};

		if ((visit->seen & fhir_bound[i].slot) != 0 && binding_known(fhir_bound[i].binding))
			(void) fhir_each_element(visit->node, visit->type, b.binding->child, strlen(b.binding->child), check_bound, &b);
	}
}
