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
#include "validate/profile.h"

/* -- reports -------------------------------------------------------------- */

void
profile_report(Run *r, Severity severity, const char *code, const char *rule, const char *text, const char *hint)
{
	if (severity <= SEVERITY_ERROR)
		r->errors++;
	if (!r->trial)
		add_issue(r->v, severity, code, rule, text, hint, r->path.data);
}

int
profile_push(Run *r, const ProfileElement *element, int index)
{
	int			length = r->path.len;

	if (r->trial)
		return length;
	appendStringInfo(&r->path, ".%.*s", element->name_len, element->name);
	if (index >= 0)
		appendStringInfo(&r->path, "[%d]", index);
	return length;
}

void
profile_pop(Run *r, int length)
{
	r->path.len = length;
	r->path.data[length] = '\0';
}

/* -- values --------------------------------------------------------------- */

bool
profile_add_value(void *arg, const FhirFocus *focus, int index)
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
Values
profile_values(const FhirFocus *focus, const char *name, int len)
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
			(void) profile_add_value(&values, &one, -1);
	}
	else
		(void) fhir_each_element(object, type, name, len, profile_add_value, &values);
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
bool
profile_type_allows(const JsonNode *code, int type)
{
	int			wanted;

	if (code == NULL || code->kind != NODE_STRING)
		return true;
	wanted = fhir_type_find(code->u.text, code->len);
	return wanted == 0 || type == 0 || type == wanted || fhir_type_is(type, wanted);
}

bool
profile_is_core(const JsonNode *url)
{
	size_t		len = strlen(CORE_DEFINITION);

	return url->len > len && memcmp(url->u.text, CORE_DEFINITION, len) == 0;
}

static bool
is_contained(const JsonNode *container, const JsonNode *node)
{
	const JsonNode *contained = child_of(container, "contained");

	return contained != NULL && contained->kind == NODE_ARRAY && node >= contained->u.children && node < contained->u.children + contained->len;
}

/* What is asked below a resource has it as %resource; what is contained stays in its container, an entry of a Bundle is its own. */
static void
enter_resource(Run *r, const FhirFocus *focus)
{
	if (focus->type > FHIR_RESOURCE_BASE && focus->type <= FHIR_RESOURCE_BASE + FHIR_RESOURCE_TYPES)
	{
		if (focus->node != r->scope.resource && !is_contained(r->scope.root, focus->node))
		{
			r->scope.root = focus->node;
			r->scope.root_type = focus->type;
		}
		r->scope.resource = focus->node;
		r->scope.resource_type = focus->type;
	}
}

/* Runs a loaded profile on a value; false: it is not loaded. */
bool
profile_run(Run *r, const JsonNode *url, const FhirFocus *focus)
{
	Profile    *profile = find_profile(url->u.text, url->len);
	FhirScope	outer = r->scope;

	if (profile->document == NULL || profile->root == NULL)
		return false;
	if (r->depth >= PROFILE_DEPTH_MAX)
	{
		profile_report(r, SEVERITY_INFORMATION, "incomplete", "profile-depth", "profiles are nested too deeply to be followed", NULL);
		return true;
	}
	if (profile->broken)
		profile_report(r, SEVERITY_WARNING, "not-found", "profile-base", "the profile derives from one that is not loaded, or from itself", NULL);
	r->depth++;
	if (profile->type != 0 && focus->type != 0 && !fhir_type_is(focus->type, profile->type))
		profile_report(r, SEVERITY_ERROR, "structure", "profile-resource-type", "the profile is for another type", NULL);
	else
	{
		enter_resource(r, focus);
		profile_check_value(r, profile->root, focus);
		r->scope = outer;
	}
	r->depth--;
	return true;
}

/* Whether a value conforms to an element, without a report */
bool
profile_element_tries(Run *r, ProfileElement *element, const FhirFocus *focus)
{
	Run			trial = *r;

	trial.trial = true;
	trial.errors = 0;
	trial.depth++;
	if (trial.depth < PROFILE_DEPTH_MAX)
		profile_check_value(&trial, element, focus);
	return trial.errors == 0;
}

bool
profile_url_tries(Run *r, const JsonNode *url, const FhirFocus *focus, bool *loaded)
{
	Run			trial = *r;

	trial.trial = true;
	trial.errors = 0;
	*loaded = profile_run(&trial, url, focus);
	return trial.errors == 0;
}

static void
check_type_profiles(Run *r, const JsonNode *profiles, const FhirFocus *focus)
{
	bool		loaded = false;

	if (items_of(profiles) == 1)
	{
		const JsonNode *url = string_item(profiles, 0);

		/* core's own (SimpleQuantity and the like) are invariants of the model */
		if (url != NULL && !profile_run(r, url, focus) && !profile_is_core(url))
			profile_report(r, SEVERITY_INFORMATION, "not-found", "profile-unknown", "the profile of the element's type is not loaded", NULL);
		return;
	}
	for (int i = 0; i < items_of(profiles); i++)
	{
		const JsonNode *url = string_item(profiles, i);
		bool		known;

		if (url == NULL)
			continue;
		if (profile_url_tries(r, url, focus, &known) || !known)
			return;
		loaded = true;
	}
	if (loaded)
		profile_report(r, SEVERITY_ERROR, "structure", "profile-type-profile", "conforms to none of the profiles of the element's type", NULL);
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

		if (!profile_type_allows(child_of(type, "code"), focus->type))
			continue;
		code = true;
		if (focus->type == fhir_reference_type &&
			(!profile_target_allows(r, child_of(type, "targetProfile"), focus) ||
			 !profile_aggregation_allows(r, child_of(type, "aggregation"), focus)))
			continue;
		target = true;
		if (child_of(type, "profile") != NULL)
			check_type_profiles(r, child_of(type, "profile"), focus);
		break;
	}
	if (!code)
		profile_report(r, SEVERITY_ERROR, "structure", "profile-type", "the profile does not allow this type", NULL);
	else if (!target)
		profile_report(r, SEVERITY_ERROR, "structure", "profile-target", "the profile does not allow a reference to this resource",
					   "Neither the type nor, where the document holds it, the content is what the profile asks of it.");
}

static void
check_fixed(Run *r, ProfileElement *element, const FhirFocus *focus)
{
	const JsonNode *fixed = element_property_like(element, "fixed");
	const JsonNode *pattern = element_property_like(element, "pattern");

	if (fixed != NULL && !pattern_holds(fixed, focus->node, true))
		profile_report(r, SEVERITY_ERROR, "value", "profile-fixed", "not the value that the profile fixes", NULL);
	if (pattern != NULL && !pattern_holds(pattern, focus->node, false))
		profile_report(r, SEVERITY_ERROR, "value", "profile-pattern", "lacks what the profile's pattern asks for", NULL);
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
		profile_report(r, SEVERITY_ERROR, "too-long", "profile-length", "longer than the profile allows", NULL);
}

static void
check_bounds(Run *r, ProfileElement *element, const FhirFocus *focus)
{
	const JsonNode *min = element_property_like(element, "minValue");
	const JsonNode *max = element_property_like(element, "maxValue");

	if (min != NULL && value_order(focus->node, min) == -1)
		profile_report(r, SEVERITY_ERROR, "value", "profile-min-value", "below the least value that the profile allows", NULL);
	if (max != NULL && value_order(focus->node, max) == 1)
		profile_report(r, SEVERITY_ERROR, "value", "profile-max-value", "above the greatest value that the profile allows", NULL);
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

char *
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
		profile_report(r, SEVERITY_ERROR, "code-invalid", "profile-binding", "no code of the value set that the profile requires", NULL);
	else
		profile_report(r, SEVERITY_WARNING, "code-invalid", "profile-binding",
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
		profile_report(r, text_is(child_of(definition, "severity"), "warning") ? SEVERITY_WARNING : SEVERITY_ERROR, "invariant", name, text, NULL);
	else if (verdict == VERDICT_UNDECIDED)
		profile_report(r, SEVERITY_INFORMATION, "incomplete", name, "the profile's constraint could not be decided", NULL);
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

/* -- elements ------------------------------------------------------------- */

/* At the element's (or slice's) path */
void
profile_check_count(Run *r, const ProfileElement *element, int count)
{
	const JsonNode *min = element_property(element, "min");
	const JsonNode *max = element_property(element, "max");
	const JsonNode *must_support = element_property(element, "mustSupport");
	long		least = min != NULL && min->kind == NODE_NUMBER ? strtol(pnstrdup(min->u.text, min->len), NULL, 10) : 0;
	bool		star = max == NULL || max->kind != NODE_STRING || text_is(max, "*");

	if (count < least)
		profile_report(r, SEVERITY_ERROR, "required", "profile-min", "stands less often than the profile asks for",
			   psprintf("At least %ld.", least));
	else if (count == 0 && must_support != NULL && must_support->kind == NODE_TRUE)
		profile_report(r, SEVERITY_INFORMATION, "informational", "profile-must-support", "must be supported and is not there", NULL);
	if (!star && count > strtol(pnstrdup(max->u.text, max->len), NULL, 10))
		profile_report(r, SEVERITY_ERROR, "structure", "profile-max", "stands more often than the profile allows",
			   psprintf("At most %ld.", strtol(pnstrdup(max->u.text, max->len), NULL, 10)));
}

static void
check_child(Run *r, ProfileElement *child, const FhirFocus *focus)
{
	Values		values = profile_values(focus, child->name, child->name_len);
	int			length = profile_push(r, child, -1);

	profile_check_count(r, child, values.count);
	profile_pop(r, length);
	for (int i = 0; i < values.count && !r->v->full; i++)
	{
		length = profile_push(r, child, values.values[i].index);
		profile_check_value(r, child, &values.values[i].focus);
		profile_pop(r, length);
	}
	if (child->slice_count > 0)
		profile_check_slices(r, child, &values);
	if (values.values != NULL)
		pfree(values.values);
}

void
profile_check_value(Run *r, ProfileElement *element, const FhirFocus *focus)
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
	if (!profile_run(&r, url, focus))
		profile_report(&r, asked ? SEVERITY_ERROR : SEVERITY_INFORMATION, "not-found", "profile-unknown", "the profile is not loaded",
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
		if (url != NULL && !(profile_is_core(url) && profile_target_type(url) == visit->type - FHIR_RESOURCE_BASE))
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
