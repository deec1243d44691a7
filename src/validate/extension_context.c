/*
 * extension_context.c
 *		Whether an extension that R4 defines stands where its definition says that it may.
 *
 * R4 defining-extensions.html#context: "the extension SHALL only be used on
 * the elements" of its context: an element by its path, with all that repeats
 * its content, or a type and all that derive from it.  The way from the
 * document to the extension is read off its path; where it cannot be followed
 * nothing is said.
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "core/fhir_extensions.h"
#include "fhir/fhir_tree.h"
#include "validate/validate.h"

#define R4_EXTENSION	"http://hl7.org/fhir/StructureDefinition/"

/* An element on the way: all paths that name it, and what it is */
typedef struct Place
{
	const JsonNode *node;		/* NULL: a primitive */
	int			type;			/* 0: not known */
	char	   *full;			/* Patient.name.family */
	char	   *defined;		/* HumanName.family; NULL: a resource */
	char	   *inherited;		/* the same by the type that defines it (Element.id), or NULL */
} Place;

static char *
type_path(int type)
{
	const char *name = fhir_string(fhir_types[type].name);

	if ((fhir_types[type].kind & ~FHIR_KIND_ABSTRACT) != FHIR_KIND_BACKBONE)
		return pstrdup(name);
	return psprintf("%s.%s", type_path(fhir_types[type].owner), name);
}

/* One step of a path: name, or name.ofType(Type), and an index; moves *at behind it. */
typedef struct PathStep
{
	char	   *key;			/* in JSON: valueQuantity */
	char	   *name;			/* in definitions: value[x] */
	int			index;			/* -1: none */
} PathStep;

static PathStep
next_step(const char **at)
{
	PathStep	step = {NULL, NULL, -1};
	size_t		len = strcspn(*at, ".[");

	step.key = step.name = pnstrdup(*at, len);
	*at += len;
	if (strncmp(*at, ".ofType(", 8) == 0)
	{
		size_t		type_len = strcspn(*at + 8, ")");

		step.key = psprintf("%s%c%.*s", step.name, pg_toupper((unsigned char) (*at)[8]), (int) type_len - 1, *at + 9);
		step.name = psprintf("%s[x]", step.name);
		*at += 8 + type_len + ((*at)[8 + type_len] == ')');
	}
	if (**at == '[')
	{
		step.index = atoi(*at + 1);
		*at += strcspn(*at, "]");
		*at += **at == ']';
	}
	if (**at == '.')
		(*at)++;
	return step;
}

/* Goes one step down; false: the model does not know it. */
static bool
descend(Place *place, const PathStep *step)
{
	const FhirElement *element;
	const JsonNode *child;
	int			base;

	if (place->type < FHIR_RESOURCE_BASE || place->node == NULL)
		return false;
	element = fhir_element_find(place->type, step->key, strlen(step->key));
	if (element == NULL)
		return false;
	place->full = psprintf("%s.%s", place->full, step->name);
	place->defined = psprintf("%s.%s", type_path(place->type), step->name);
	base = fhir_types[place->type].base;
	place->inherited = NULL;
	while (base != 0 && fhir_element_find(base, step->key, strlen(step->key)) != NULL)
	{
		place->inherited = psprintf("%s.%s", type_path(base), step->name);
		base = fhir_types[base].base;
	}
	child = child_of(place->node, step->key);
	if (child != NULL && child->kind == NODE_ARRAY)
		child = step->index >= 0 && step->index < child->len ? &child->u.children[step->index] : NULL;
	place->node = child != NULL && child->kind == NODE_OBJECT ? child : NULL;
	place->type = element->type;
	if (place->node != NULL && child_of(place->node, "resourceType") != NULL)
	{
		place->type = fhir_node_resource_type(place->node);
		place->full = pstrdup(fhir_string(fhir_types[place->type].name));
		place->defined = NULL;
	}
	return place->type != 0;
}

/* -- contexts -------------------------------------------------------------- */

static bool
word_is(const char *word, size_t len, const char *text)
{
	return text != NULL && strlen(text) == len && memcmp(word, text, len) == 0;
}

static bool
context_is(const char *word, size_t len, const Place *place)
{
	if (word_is(word, len, place->full) || word_is(word, len, place->defined) || word_is(word, len, place->inherited))
		return true;
	/* every element is one, also those of primitive types */
	if (word_is(word, len, "Element"))
		return place->defined != NULL;
	if (place->type >= FHIR_RESOURCE_BASE && word_is(word, len, type_path(place->type)))
		return true;
	/* types: its own, and those that it derives from */
	for (int type = place->type; type != 0; type = fhir_types[type].base)
	{
		if ((fhir_types[type].kind & ~FHIR_KIND_ABSTRACT) != FHIR_KIND_BACKBONE && word_is(word, len, fhir_string(fhir_types[type].name)))
			return true;
	}
	return false;
}

static const FhirExtension *
known_extension(const JsonNode *url)
{
	size_t		skip = strlen(R4_EXTENSION);
	int			low = 0,
				high = fhir_extension_count - 1;
	char	   *name;

	if (url == NULL || url->kind != NODE_STRING || url->len <= skip || memcmp(url->u.text, R4_EXTENSION, skip) != 0)
		return NULL;
	name = pnstrdup(url->u.text + skip, url->len - skip);
	while (low <= high)
	{
		int			mid = (low + high) / 2;
		int			order = strcmp(name, fhir_extensions[mid].name);

		if (order == 0)
			return &fhir_extensions[mid];
		if (order < 0)
			high = mid - 1;
		else
			low = mid + 1;
	}
	return NULL;
}

void
check_extension_context(Validation *v, const FhirVisit *visit)
{
	const FhirExtension *extension = known_extension(child_of(visit->node, "url"));
	Place		place = {v->document, 0};
	char		path[FHIR_PATH_SIZE];
	const char *at = path;
	PathStep	step;

	if (extension == NULL || v->document->kind != NODE_OBJECT)
		return;
	fhir_place_path(visit->place, NULL, -1, path);
	if (strlen(path) >= FHIR_PATH_MAX)
		return;
	place.type = fhir_node_resource_type(v->document);
	if (place.type == 0)
		return;
	place.full = pstrdup(fhir_string(fhir_types[place.type].name));
	(void) next_step(&at);
	for (step = next_step(&at); *at != '\0'; step = next_step(&at))
	{
		if (!descend(&place, &step))
			return;
	}
	if (extension->modifier != (strcmp(step.name, "modifierExtension") == 0))
		add_issue(v, SEVERITY_ERROR, "structure", "extension-modifier",
				  extension->modifier ? "an extension that modifies stands in \"extension\"" : "an extension that does not modify stands in \"modifierExtension\"",
				  NULL, path);
	if (extension->contexts[0] == '\0')
		return;
	for (const char *word = extension->contexts; *word != '\0';)
	{
		size_t		len = strcspn(word, " ");

		if (context_is(word, len, &place))
			return;
		word += len;
		word += *word == ' ';
	}
	add_issue(v, SEVERITY_ERROR, "structure", "extension-context", "the extension's definition does not allow it on this element",
			  psprintf("Allowed on: %s.", extension->contexts), path);
}
