/*
 * compose.c
 *		ValueSet.compose: which codes and filters may stand there.
 *
 * R4 valueset.html.  What a code system defines is known where it is loaded
 * with ehr.load_definition; of others only what their own rules say of the
 * form of codes.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "core/code_form.h"
#include "fhir/fhir_tree.h"
#include "validate/validate.h"

/* An include or exclude */
typedef struct Compose
{
	Validation *v;
	const FhirVisit *visit;
	const JsonNode *system;		/* its URL */
	const JsonNode *definition; /* the CodeSystem, NULL: not loaded */
} Compose;

static void
say(const Compose *c, const char *code, const char *rule, const char *text, const char *hint, const char *place)
{
	char		path[FHIR_PATH_SIZE];

	fhir_place_path(c->visit->place, place, -1, path);
	add_issue(c->v, SEVERITY_ERROR, code, rule, text, hint, path);
}

/* -- filters --------------------------------------------------------------- */

/*
 * Codes of properties and filters that any code system has without defining
 * them (codesystem.html#defined-props, and the concept itself)
 */
static const char *const common_properties[] = {
	"code", "concept", "display", "inactive", "deprecated", "deprecationDate", "notSelectable", "status", "parent", "child", "itemWeight",
};

/* The item of a list (property, filter) that has a code */
static const JsonNode *
coded_item(const JsonNode *list, const JsonNode *code)
{
	for (int i = 0; i < items_of(list); i++)
	{
		if (same_string(child_of(item_of(list, i), "code"), code))
			return item_of(list, i);
	}
	return NULL;
}

static bool
is_common(const JsonNode *code)
{
	for (size_t i = 0; i < lengthof(common_properties); i++)
	{
		if (text_is(code, common_properties[i]))
			return true;
	}
	return false;
}

/* Whether a system can have a code, by the form of its codes and by what is loaded */
static bool
code_possible(const char *system, int system_len, const char *code, int code_len)
{
	return code_form_valid(system, system_len, code, code_len) && code_system_has(system, system_len, code, code_len) != 0;
}

/* A Coding as a filter's value names it, system#code or system|code; without a system it is one of `system` */
static bool
coding_known(const JsonNode *system, const char *text, int len)
{
	const char *mark = memchr(text, '#', len);

	if (mark == NULL)
		mark = memchr(text, '|', len);
	if (mark == NULL)
		return code_possible(system->u.text, (int) system->len, text, len);
	return code_possible(text, (int) (mark - text), mark + 1, (int) (text + len - mark - 1));
}

static bool
is_boolean(const char *text, int len)
{
	return (len == 4 && memcmp(text, "true", 4) == 0) || (len == 5 && memcmp(text, "false", 5) == 0);
}

/* What a value of a property's type has to be; the list of `in` and `not-in` is asked piece by piece. */
static const char *
value_problem(const Compose *c, const char *type, const char *text, int len)
{
	if (strcmp(type, "boolean") == 0 && !is_boolean(text, len))
		return "the property is true or false";
	if ((strcmp(type, "code") == 0 || strcmp(type, "Coding") == 0) && !coding_known(c->system, text, len))
		return "the value is no code of the system";
	return NULL;
}

static const char *
each_value_problem(const Compose *c, const char *type, const JsonNode *op, const JsonNode *value)
{
	bool		list = text_is(op, "in") || text_is(op, "not-in");
	const char *at = value->u.text;
	const char *end = at + value->len;
	const char *problem = NULL;

	while (at <= end && problem == NULL)
	{
		const char *comma = list ? memchr(at, ',', end - at) : NULL;
		const char *stop = comma == NULL ? end : comma;

		problem = value_problem(c, type, at, (int) (stop - at));
		at = stop + 1;
	}
	return problem;
}

/* Type of the values of a property: what the system defines, or what is common */
static const char *
property_type(const JsonNode *code, const JsonNode *property)
{
	const JsonNode *type = child_of(property, "type");

	if (type != NULL && type->kind == NODE_STRING)
		return pnstrdup(type->u.text, type->len);
	if (text_is(code, "notSelectable") || text_is(code, "inactive"))
		return "boolean";
	if (text_is(code, "concept") || text_is(code, "code") || text_is(code, "parent") || text_is(code, "child"))
		return "code";
	return "";
}

static bool
operator_allowed(const JsonNode *filter, const JsonNode *op)
{
	const JsonNode *operators = child_of(filter, "operator");

	for (int i = 0; i < items_of(operators); i++)
	{
		if (same_string(item_of(operators, i), op))
			return true;
	}
	return items_of(operators) == 0;
}

/* Operators whose value is a concept of the system, whatever the property */
static bool
asks_hierarchy(const JsonNode *op)
{
	return text_is(op, "is-a") || text_is(op, "is-not-a") || text_is(op, "descendent-of") || text_is(op, "generalizes");
}

static void
check_filter(const Compose *c, const JsonNode *filter, const char *place)
{
	const JsonNode *code = child_of(filter, "property");
	const JsonNode *op = child_of(filter, "op");
	const JsonNode *value = child_of(filter, "value");
	const JsonNode *property = coded_item(child_of(c->definition, "property"), code);
	const JsonNode *defined = coded_item(child_of(c->definition, "filter"), code);
	const char *problem;

	if (code == NULL || code->kind != NODE_STRING || op == NULL || op->kind != NODE_STRING)
		return;
	if (c->definition != NULL && property == NULL && defined == NULL && !is_common(code) &&
		text_is(child_of(c->definition, "content"), "complete"))
	{
		say(c, "invalid", "filter-property", "the code system defines no such property or filter", NULL, psprintf("%s.property", place));
		return;
	}
	if (defined != NULL && property == NULL && !operator_allowed(defined, op))
		say(c, "invalid", "filter-operator", "the code system's filter does not have this operator", NULL, psprintf("%s.op", place));
	if (value == NULL || value->kind != NODE_STRING || text_is(op, "regex"))
		return;
	if (text_is(op, "exists"))
		problem = is_boolean(value->u.text, (int) value->len) ? NULL : "exists is asked with true or false";
	else if (asks_hierarchy(op))
		problem = value_problem(c, "code", value->u.text, (int) value->len);
	else if (defined != NULL)
		problem = NULL;			/* what a filter takes is told in words only */
	else
		problem = each_value_problem(c, property_type(code, property), op, value);
	if (problem != NULL)
		say(c, "invalid", "filter-value", problem, NULL, psprintf("%s.value", place));
}

/* -- rules ----------------------------------------------------------------- */

static void
check_rule(Compose *c, const JsonNode *rule, const char *place)
{
	const JsonNode *filters = child_of(rule, "filter");
	const JsonNode *concepts = child_of(rule, "concept");

	c->system = child_of(rule, "system");
	if (c->system == NULL || c->system->kind != NODE_STRING)
		return;
	/* ValueSet.compose.include.system: "An absolute URI which is the code system" */
	if (memchr(c->system->u.text, ':', c->system->len) == NULL)
	{
		say(c, "value", "absolute-system", "the code system's URI is not absolute",
			"Name a code system by its canonical URL; a contained one is named by extension valueset-system.", psprintf("%s.system", place));
		return;
	}
	c->definition = definition_of(c->v, c->visit, c->system, "CodeSystem");
	for (int i = 0; i < items_of(filters) && !c->v->full; i++)
		check_filter(c, item_of(filters, i), psprintf("%s.filter[%d]", place, i));
	for (int i = 0; i < items_of(concepts) && !c->v->full; i++)
	{
		const JsonNode *code = child_of(item_of(concepts, i), "code");

		CHECK_FOR_INTERRUPTS();
		if (code != NULL && code->kind == NODE_STRING &&
			!code_possible(c->system->u.text, (int) c->system->len, code->u.text, (int) code->len))
			say(c, "business-rule", "concept-unknown", "the code system does not have the code", NULL, psprintf("%s.concept[%d].code", place, i));
	}
}

void
check_value_set(Validation *v, const FhirVisit *visit)
{
	static const char *const lists[] = {"include", "exclude"};
	const JsonNode *compose = child_of(visit->node, "compose");

	for (size_t l = 0; l < lengthof(lists); l++)
	{
		const JsonNode *list = child_of(compose, lists[l]);

		for (int i = 0; i < items_of(list) && !v->full; i++)
		{
			Compose		c = {v, visit, NULL, NULL};

			check_rule(&c, item_of(list, i), psprintf("compose.%s[%d]", lists[l], i));
		}
	}
}
