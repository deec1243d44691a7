/*
 * conformance.c
 *		What R4 says in words about extensions and about resources that define things.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "fhir/fhir_tree.h"
#include "validate/validate.h"

#define R4_EXTENSION	"http://hl7.org/fhir/StructureDefinition/"
#define R4_PARAMETER	"http://hl7.org/fhir/SearchParameter/"

static const FhirKnown *
known(const FhirKnown *table, int count, const JsonNode *url, const char *prefix)
{
	size_t		skip = strlen(prefix);

	if (url == NULL || url->kind != NODE_STRING || url->len <= skip || memcmp(url->u.text, prefix, skip) != 0)
		return NULL;
	return fhir_known_find(table, count, url->u.text + skip, url->len - skip);
}

/* Whether a word stands in a list of words between spaces */
static bool
has_word(const char *list, const char *word, size_t len)
{
	while (*list != '\0')
	{
		size_t		next = strcspn(list, " ");

		if (next == len && memcmp(list, word, len) == 0)
			return true;
		list += next;
		list += *list == ' ';
	}
	return false;
}

/* R4 extensibility.html: the value is of a type that the extension's definition allows */
void
check_known_extension(Validation *v, const FhirVisit *visit)
{
	const FhirKnown *definition = known(fhir_known_extensions, fhir_known_extension_count, child_of(visit->node, "url"), R4_EXTENSION);
	char		path[FHIR_PATH_SIZE];

	if (definition == NULL)
		return;
	for (uint32 i = 0; i < visit->node->len; i++)
	{
		const JsonNode *child = &visit->node->u.children[i];
		const FhirElement *element;
		uint16_t	type;

		if (child->key_len <= 5 || memcmp(child->key, "value", 5) != 0)
			continue;
		element = fhir_element_find(visit->type, child->key, child->key_len);
		if (element == NULL)
			continue;
		type = fhir_types[element->type].name;
		if (has_word(definition->type, fhir_string(type), fhir_string_len(type)))
			continue;
		fhir_place_path(visit->place, "value", -1, path);
		add_issue(v, SEVERITY_ERROR, "structure", "extension-type",
				  definition->type[0] == '\0' ? "the extension's definition allows no value" :
				  "the extension's definition does not allow this type of value",
				  definition->type[0] == '\0' ? NULL : psprintf("Allowed: %s.", definition->type), path);
		return;
	}
}

/* -- SearchParameter ------------------------------------------------------ */

static void
check_search_parameter(Validation *v, const FhirVisit *visit)
{
	const JsonNode *type = child_of(visit->node, "type");
	const JsonNode *derived = child_of(visit->node, "derivedFrom");
	const FhirKnown *base = known(fhir_known_parameters, fhir_known_parameter_count, derived, R4_PARAMETER);
	char		path[FHIR_PATH_SIZE];

	/* search.html#combining: a composite parameter joins several */
	if (text_is(type, "composite") && items_of(child_of(visit->node, "component")) < 2)
	{
		fhir_place_path(visit->place, "component", -1, path);
		add_issue(v, SEVERITY_ERROR, "business-rule", "composite-parameter", "a composite search parameter has at least two components", NULL, path);
	}
	/* SearchParameter.derivedFrom: the definition is "copied from the source", which leaves the type as it is */
	if (base != NULL && type != NULL && type->kind == NODE_STRING && !text_is(type, base->type))
	{
		fhir_place_path(visit->place, "type", -1, path);
		add_issue(v, SEVERITY_ERROR, "business-rule", "derived-parameter", "the type is another than that of the parameter it derives from", NULL, path);
	}
}

/* -- CodeSystem ----------------------------------------------------------- */

typedef struct PropertyTable
{
	JsonNode   *codes;			/* key: the code; len: place in CodeSystem.property; sorted */
	int			count;
	const JsonNode *properties;
} PropertyTable;

static const JsonNode *
find_property(const PropertyTable *table, const JsonNode *code)
{
	int			low = 0,
				high = table->count - 1;

	while (low <= high)
	{
		int			mid = (low + high) / 2;
		int			order = fhir_compare(code->u.text, code->len, table->codes[mid].key, table->codes[mid].key_len);

		if (order == 0)
			return &table->properties->u.children[table->codes[mid].len];
		if (order < 0)
			high = mid - 1;
		else
			low = mid + 1;
	}
	return NULL;
}

/* value keys of concept.property by the property's type (codesystem.html, property.type) */
static const char *const property_values[][2] = {
	{"code", "valueCode"}, {"Coding", "valueCoding"}, {"string", "valueString"}, {"integer", "valueInteger"},
	{"boolean", "valueBoolean"}, {"dateTime", "valueDateTime"}, {"decimal", "valueDecimal"},
};

static void
check_concept_properties(Validation *v, const JsonNode *concepts, const PropertyTable *table, const FhirVisit *visit,
						 const char *at, int depth)
{
	for (int i = 0; i < items_of(concepts) && depth < FHIR_DEPTH_MAX && !v->full; i++)
	{
		const JsonNode *concept = item_of(concepts, i);
		const JsonNode *properties = child_of(concept, "property");
		const JsonNode *below = child_of(concept, "concept");
		char	   *here = psprintf("%s.concept[%d]", at, i);

		for (int p = 0; p < items_of(properties); p++)
		{
			const JsonNode *property = item_of(properties, p);
			const JsonNode *code = child_of(property, "code");
			const JsonNode *definition;
			const char *problem = NULL;

			if (code == NULL || code->kind != NODE_STRING)
				continue;
			definition = find_property(table, code);
			if (definition == NULL)
				problem = "the code is none of CodeSystem.property";
			else
			{
				for (size_t k = 0; k < lengthof(property_values); k++)
				{
					if (text_is(child_of(definition, "type"), property_values[k][0]) &&
						child_of(property, property_values[k][1]) == NULL)
						problem = "the value is not of the type that the property is defined with";
				}
			}
			if (problem != NULL)
			{
				char		path[FHIR_PATH_SIZE];

				fhir_place_path(visit->place, psprintf("%s.property[%d]", here + 1, p), -1, path);
				add_issue(v, SEVERITY_ERROR, "business-rule", "concept-property", problem, NULL, path);
			}
		}
		if (below != NULL)
			check_concept_properties(v, below, table, visit, here, depth + 1);
		pfree(here);
	}
}

/* codesystem.html#supplements: a system that supplements another has the content "supplement", and the codes of the other. */
static void
check_supplement(Validation *v, const FhirVisit *visit)
{
	const JsonNode *supplements = child_of(visit->node, "supplements");
	const JsonNode *concepts = child_of(visit->node, "concept");
	bool		supplement = text_is(child_of(visit->node, "content"), "supplement");
	char		path[FHIR_PATH_SIZE];
	int			base_len;

	if (supplement == (supplements != NULL))
	{
		if (!supplement || supplements->kind != NODE_STRING)
			return;
		base_len = (int) strcspn(pnstrdup(supplements->u.text, supplements->len), "|");
		for (int i = 0; i < items_of(concepts) && !v->full; i++)
		{
			const JsonNode *code = child_of(item_of(concepts, i), "code");

			CHECK_FOR_INTERRUPTS();
			if (code == NULL || code->kind != NODE_STRING || code_system_has(supplements->u.text, base_len, code->u.text, (int) code->len) != 0)
				continue;
			fhir_place_path(visit->place, psprintf("concept[%d].code", i), -1, path);
			add_issue(v, SEVERITY_ERROR, "business-rule", "supplement-code", "the code system that is supplemented does not have the code", NULL, path);
		}
		return;
	}
	fhir_place_path(visit->place, "content", -1, path);
	add_issue(v, SEVERITY_ERROR, "business-rule", "supplement-content",
			  supplement ? "a supplement names the code system that it supplements" : "what supplements another code system has the content \"supplement\"",
			  NULL, path);
}

/* CodeSystem.property.code identifies a property; concept.property.code is "a reference to CodeSystem.property.code" */
static void
check_code_system(Validation *v, const FhirVisit *visit)
{
	const JsonNode *properties = child_of(visit->node, "property");
	PropertyTable table = {NULL, 0, properties};

	check_supplement(v, visit);
	if (properties != NULL && properties->kind != NODE_ARRAY)
		return;
	table.codes = palloc((items_of(properties) + 1) * sizeof(JsonNode));
	for (int i = 0; i < items_of(properties); i++)
	{
		const JsonNode *code = child_of(item_of(properties, i), "code");

		if (code == NULL || code->kind != NODE_STRING)
			continue;
		table.codes[table.count].key = code->u.text;
		table.codes[table.count].key_len = code->len;
		table.codes[table.count++].len = i;
	}
	json_sort_nodes(table.codes, table.count);
	for (int i = 1; i < table.count; i++)
	{
		char		path[FHIR_PATH_SIZE];

		if (fhir_compare(table.codes[i - 1].key, table.codes[i - 1].key_len, table.codes[i].key, table.codes[i].key_len) != 0)
			continue;
		fhir_place_path(visit->place, "property", Max(table.codes[i - 1].len, table.codes[i].len), path);
		add_issue(v, SEVERITY_ERROR, "business-rule", "property-twice", "another property has the same code", NULL, path);
	}
	check_concept_properties(v, child_of(visit->node, "concept"), &table, visit, "", 0);
	pfree(table.codes);
}

/* -- ConceptMap ----------------------------------------------------------- */

/*
 * ConceptMap.source[x] is "the value set that contains the concepts that are
 * being mapped": where it is loaded, the mapped codes are in it.  Codes of
 * target[x] that are not in it are warned of.
 */
static void
check_mapped(Validation *v, const FhirVisit *visit, const JsonNode *code, const JsonNode *system, const char *value_set,
			 bool source, const char *child)
{
	char		path[FHIR_PATH_SIZE];

	if (code == NULL || code->kind != NODE_STRING || system == NULL || system->kind != NODE_STRING ||
		value_set_has(value_set, system->u.text, system->len, code->u.text, code->len) != 0)
		return;
	fhir_place_path(visit->place, child, -1, path);
	add_issue(v, source ? SEVERITY_ERROR : SEVERITY_WARNING, "code-invalid", source ? "map-source" : "map-target",
			  source ? "the mapped code is not in the value set that is the map's source" :
			  "the code that is mapped to is not in the value set that is the map's target", NULL, path);
}

/*
 * The value set that a map's source or target is; NULL: none is named, or it is not loaded.  Of the compiled ones only the
 * codes that documents may use are known, while R4's own maps also map those that group others.
 */
static const char *
mapped_set(const JsonNode *map, const char *uri, const char *canonical)
{
	const JsonNode *url = child_of(map, canonical) != NULL ? child_of(map, canonical) : child_of(map, uri);
	char	   *text;

	if (url == NULL || url->kind != NODE_STRING)
		return NULL;
	text = pnstrdup(url->u.text, url->len);
	return value_set_loaded(text, (int) strcspn(text, "|")) ? text : NULL;
}

static void
check_concept_map(Validation *v, const FhirVisit *visit)
{
	const JsonNode *groups = child_of(visit->node, "group");
	const char *source = mapped_set(visit->node, "sourceUri", "sourceCanonical");
	const char *target = mapped_set(visit->node, "targetUri", "targetCanonical");

	if (source == NULL && target == NULL)
		return;
	for (int g = 0; g < items_of(groups); g++)
	{
		const JsonNode *group = item_of(groups, g);
		const JsonNode *elements = child_of(group, "element");

		for (int e = 0; e < items_of(elements) && !v->full; e++)
		{
			const JsonNode *element = item_of(elements, e);
			const JsonNode *targets = child_of(element, "target");

			CHECK_FOR_INTERRUPTS();
			if (source != NULL)
				check_mapped(v, visit, child_of(element, "code"), child_of(group, "source"), source, true,
							 psprintf("group[%d].element[%d].code", g, e));
			for (int t = 0; target != NULL && t < items_of(targets); t++)
				check_mapped(v, visit, child_of(item_of(targets, t), "code"), child_of(group, "target"), target, false,
							 psprintf("group[%d].element[%d].target[%d].code", g, e, t));
		}
	}
}

void
check_conformance_resource(Validation *v, const FhirVisit *visit)
{
	static struct
	{
		const char *name;
		void		(*check) (Validation *v, const FhirVisit *visit);
		int			type;		/* 0: not looked up yet */
	}			checks[] = {
		{"ValueSet", check_value_set}, {"CodeSystem", check_code_system}, {"SearchParameter", check_search_parameter},
		{"ConceptMap", check_concept_map}, {"StructureDefinition", check_structure_definition},
	};

	for (size_t i = 0; i < lengthof(checks); i++)
	{
		if (checks[i].type == 0)
			checks[i].type = fhir_type_find(checks[i].name, strlen(checks[i].name));
		if (visit->type == checks[i].type)
			checks[i].check(v, visit);
	}
}
