/*
 * structure_definition.c
 *		What R4 says in words about the elements of a StructureDefinition.
 *
 * profiling.html#discriminator: a discriminator's path leads from the element
 * that is sliced to one below it.  elementdefinition.html: constraints are
 * FHIRPath.  Only definitions of types that the model knows are looked at.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "core/fhirpath.h"
#include "fhir/fhir_tree.h"
#include "validate/validate.h"

/* Where a path stands that may lead anywhere: behind resolve(), a choice, or a type that is not known */
#define ANY_TYPE	0
#define NO_ELEMENT	(-1)

/* The type of a child of a type; a choice, and what a reference leads to, is ANY_TYPE. */
static int
child_type(int type, const char *name, size_t len)
{
	const FhirElement *element;

	if (type < FHIR_RESOURCE_BASE)
	{
		/* primitives have ids and extensions */
		if (type == ANY_TYPE)
			return ANY_TYPE;
		type = fhir_element_type;
	}
	if (len > 3 && memcmp(name + len - 3, "[x]", 3) == 0)
		len -= 3;
	element = fhir_element_find(type, name, len);
	if (element != NULL)
		return element->type;
	for (int i = fhir_types[type].first; i < fhir_types[type].first + fhir_types[type].count; i++)
	{
		if ((fhir_elements[i].flags & FHIR_CHOICE) != 0 && fhir_elements[i].base_len == len &&
			memcmp(fhir_string(fhir_elements[i].name), name, len) == 0)
			return ANY_TYPE;
	}
	return NO_ELEMENT;
}

/* The type of the element that a path of a definition (Patient.name.given) leads to; slices do not stand in paths. */
static int
path_type(int type, const JsonNode *path)
{
	const char *end = path->u.text + path->len;
	const char *dot = memchr(path->u.text, '.', path->len);

	while (dot != NULL && type != NO_ELEMENT && type != ANY_TYPE)
	{
		const char *step = dot + 1;

		dot = memchr(step, '.', end - step);
		type = child_type(type, step, (dot == NULL ? end : dot) - step);
	}
	return type;
}

/* -- discriminators -------------------------------------------------------- */

/* Whether a step is `name(argument)`; gives the argument without quotes */
static bool
is_call(const char *step, size_t len, const char *name, const char **argument, size_t *argument_len)
{
	size_t		name_len = strlen(name);

	if (len < name_len + 2 || memcmp(step, name, name_len) != 0 || step[name_len] != '(' || step[len - 1] != ')')
		return false;
	*argument = step + name_len + 1;
	*argument_len = len - name_len - 2;
	return true;
}

/* Length of the next step of a discriminator's path: to a dot outside parentheses */
static size_t
step_length(const char *path, size_t len)
{
	int			depth = 0;

	for (size_t i = 0; i < len; i++)
	{
		if (path[i] == '.' && depth == 0)
			return i;
		depth += (path[i] == '(') - (path[i] == ')');
	}
	return len;
}

static bool
discriminator_leads(int type, const JsonNode *path)
{
	const char *at = path->u.text;
	size_t		left = path->len;

	while (left > 0 && type != NO_ELEMENT)
	{
		size_t		len = step_length(at, left);
		const char *argument;
		size_t		argument_len;

		if (len == 5 && memcmp(at, "$this", 5) == 0)
			;
		else if (is_call(at, len, "resolve", &argument, &argument_len))
			type = ANY_TYPE;
		else if (is_call(at, len, "extension", &argument, &argument_len))
			type = fhir_extension_type;
		else if (is_call(at, len, "ofType", &argument, &argument_len))
			type = fhir_type_find(argument, argument_len);
		else
			type = child_type(type, at, len);
		at += len;
		left -= len;
		if (left > 0)
		{
			at++;
			left--;
		}
	}
	return type != NO_ELEMENT;
}

static void
check_slicing(Validation *v, const FhirVisit *visit, int type, const JsonNode *definition, const char *place)
{
	const JsonNode *discriminators = child_of(child_of(definition, "slicing"), "discriminator");

	for (int i = 0; i < items_of(discriminators) && !v->full; i++)
	{
		const JsonNode *path = child_of(item_of(discriminators, i), "path");
		char		at[FHIR_PATH_SIZE];

		if (path == NULL || path->kind != NODE_STRING || discriminator_leads(type, path))
			continue;
		fhir_place_path(visit->place, psprintf("%s.slicing.discriminator[%d].path", place, i), -1, at);
		add_issue(v, SEVERITY_ERROR, "invalid", "discriminator-path", "the sliced element has nothing at the discriminator's path",
				  "A path names elements below the one that is sliced, or $this; also allowed are extension(url), ofType(type) and resolve().", at);
	}
}

/* -- constraints ----------------------------------------------------------- */

static bool
is_fhirpath(const JsonNode *expression)
{
	FhirPath   *parsed = NULL;
	FhirPathError error;
	CoreStatus	status;

	do
	{
		status = fhirpath_parse(fhir_core_context(), expression->u.text, expression->len, &parsed, &error);
		if (status != CORE_INVALID && status != CORE_TOO_LARGE && status != CORE_TOO_DEEP)
			fhir_raise_core(status);
	} while (status == CORE_INTERRUPTED);
	if (parsed != NULL)
		pfree(parsed);
	return status == CORE_OK;
}

static void
check_expressions(Validation *v, const FhirVisit *visit, const JsonNode *definition, const char *place)
{
	const JsonNode *constraints = child_of(definition, "constraint");

	for (int i = 0; i < items_of(constraints) && !v->full; i++)
	{
		const JsonNode *expression = child_of(item_of(constraints, i), "expression");
		char		at[FHIR_PATH_SIZE];

		if (expression == NULL || expression->kind != NODE_STRING || is_fhirpath(expression))
			continue;
		fhir_place_path(visit->place, psprintf("%s.constraint[%d].expression", place, i), -1, at);
		add_issue(v, SEVERITY_ERROR, "invalid", "constraint-expression", "the constraint's expression is no FHIRPath", NULL, at);
	}
}

/* -- elements -------------------------------------------------------------- */

void
check_structure_definition(Validation *v, const FhirVisit *visit)
{
	const JsonNode *elements = child_of(child_of(visit->node, "differential"), "element");
	const JsonNode *name = child_of(visit->node, "type");
	int			root = name == NULL || name->kind != NODE_STRING ? 0 : fhir_type_find(name->u.text, name->len);

	/* types of others are defined here, not constrained */
	if (!text_is(child_of(visit->node, "derivation"), "constraint") || text_is(child_of(visit->node, "kind"), "logical"))
		return;
	for (int i = 0; i < items_of(elements) && !v->full; i++)
	{
		const JsonNode *definition = item_of(elements, i);
		const JsonNode *path = child_of(definition, "path");
		char	   *place = psprintf("differential.element[%d]", i);
		int			type;
		char		at[FHIR_PATH_SIZE];

		CHECK_FOR_INTERRUPTS();
		check_expressions(v, visit, definition, place);
		if (root < FHIR_RESOURCE_BASE || path == NULL || path->kind != NODE_STRING)
			continue;
		type = path_type(root, path);
		if (type == NO_ELEMENT)
		{
			fhir_place_path(visit->place, psprintf("%s.path", place), -1, at);
			add_issue(v, SEVERITY_ERROR, "invalid", "element-path", "the type has no element of this path", NULL, at);
		}
		else
			check_slicing(v, visit, type, definition, place);
	}
	check_derivation(v, visit);
}
