/*
 * definitions.c
 *		Loaded definitions: read from ehr.definition, profiles overlaid on their base.
 *
 * A profile's elements become a tree.  Of a profile that derives from a loaded
 * one, every element of the tree holds the ElementDefinitions of all of the
 * chain: what the snapshot of the profile would say is what the most derived
 * of them says.  Core types need no definitions: the structure's walk has
 * checked them.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/smgr.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "compat.h"
#include "fhir/fhir_tree.h"
#include "validate/definitions.h"

PG_FUNCTION_INFO_V1(ehr_definition_changed);

#define CORE_DEFINITION	"http://hl7.org/fhir/StructureDefinition/"

/* Tables of schema ehr whose changes are told to all backends, in the order of DefinitionTable */
static const char *const relation_names[] = {"definition", "canonical_alias", "value_set", "code_system"};

/* Everything that this backend knows of loaded definitions; dropped as a whole */
static struct
{
	MemoryContext memory;		/* NULL: nothing is kept */
	HTAB	   *profiles;
	bool		stale;
	bool		registered;
	int			extensions;		/* -1: not counted yet */
	GlobalProfile *globals;
	int			global_count;	/* -1: not read yet */
	char	  **supplements;	/* URLs of code systems */
	int			supplement_count;	/* -1: not read yet */
	uint64		generation;
	Oid			relations[lengthof(relation_names)];	/* InvalidOid: not read yet */
	int8		none;			/* all of them are empty: as below */
	int8		empty[lengthof(relation_names)];	/* 0: not looked yet, 1: yes, -1: not for sure */

	/*
	 * What was read by a statement whose snapshot may be older than the last
	 * change is dropped once more, when that snapshot is gone.
	 */
	bool		unsettled;
	TimestampTz statement;
	TimestampTz transaction;
} kept = {.extensions = -1};

/* -- invalidation --------------------------------------------------------- */

static void
relation_changed(Datum arg, Oid relation)
{
	for (size_t i = 0; i < lengthof(kept.relations); i++)
	{
		if (relation == InvalidOid || relation == kept.relations[i])
			kept.stale = true;
	}
}

/*
 * Statement trigger of the tables of definitions: tells all backends to
 * forget what they keep of them.
 */
Datum
ehr_definition_changed(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function must be called as a trigger")));
	CacheInvalidateRelcache(((TriggerData *) fcinfo->context)->tg_relation);
	PG_RETURN_POINTER(NULL);
}

/* Whether a snapshot taken now may be newer than the one that the kept things were read with */
static bool
snapshot_moved(void)
{
	return kept.transaction != GetCurrentTransactionStartTimestamp() ||
		(!IsolationUsesXactSnapshot() && kept.statement != GetCurrentStatementStartTimestamp());
}

void
definitions_refresh(void)
{
	if (kept.memory == NULL || !(kept.stale || (kept.unsettled && snapshot_moved())))
		return;
	MemoryContextDelete(kept.memory);
	kept.memory = NULL;
	if (!kept.stale)
		kept.unsettled = false;
}

/* Makes ready to keep things, before the first of them is read: validations that need none pay nothing. */
MemoryContext
definitions_memory(void)
{
	HASHCTL		control = {.keysize = sizeof(((Profile *) NULL)->url), .entrysize = sizeof(Profile)};

	if (kept.memory != NULL)
		return kept.memory;
	if (!kept.registered)
		CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
	if (!kept.registered || kept.stale)
	{
		/* looked up anew: the extension may have been made anew */
		memset(kept.relations, 0, sizeof(kept.relations));
		kept.registered = true;
		kept.unsettled = true;
		kept.stale = false;
	}
	kept.statement = GetCurrentStatementStartTimestamp();
	kept.transaction = GetCurrentTransactionStartTimestamp();
	kept.extensions = -1;
	kept.global_count = -1;
	kept.supplement_count = -1;
	memset(kept.empty, 0, sizeof(kept.empty));
	kept.none = 0;
	kept.memory = AllocSetContextCreate(TopMemoryContext, "ehr definitions", ALLOCSET_DEFAULT_SIZES);
	control.hcxt = kept.memory;
	kept.profiles = hash_create("ehr profiles", 64, &control, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	kept.generation++;
	return kept.memory;
}

uint64
definitions_generation(void)
{
	(void) definitions_memory();
	return kept.generation;
}

/* Before a table is read for the first time: from then on its changes are noticed. */
static Oid
watched(DefinitionTable table)
{
	if (!OidIsValid(kept.relations[table]))
		kept.relations[table] = get_relname_relid(relation_names[table], get_namespace_oid("ehr", false));
	return kept.relations[table];
}

/*
 * Whether a table's file has no block.  Told by the catalog and the file: to
 * open the relation would take a fresh backend longer than all else that it validates.
 */
static bool
file_is_empty(Oid table)
{
	HeapTuple	tuple;
	Form_pg_class class;
	bool		empty;

	LockRelationOid(table, AccessShareLock);
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for relation %u", table);
	class = (Form_pg_class) GETSTRUCT(tuple);
	empty = ehr_file_blocks(OidIsValid(class->reltablespace) ? class->reltablespace : MyDatabaseTableSpace, class->relfilenode) == 0;
	ReleaseSysCache(tuple);
	UnlockRelationOid(table, AccessShareLock);
	return empty;
}

bool
definition_table_empty(DefinitionTable table)
{
	(void) definitions_memory();
	if (kept.empty[table] == 0)
		kept.empty[table] = file_is_empty(watched(table)) ? 1 : -1;
	return kept.empty[table] > 0;
}

bool
definitions_none(void)
{
	bool		none = true;

	if (kept.memory != NULL && kept.none != 0)
		return kept.none > 0;
	/* all are looked at, so that changes of any are noticed */
	for (DefinitionTable table = TABLE_DEFINITION; table <= TABLE_CODE_SYSTEM; table++)
		none &= definition_table_empty(table);
	kept.none = none ? 1 : -1;
	return none;
}

/* -- reading -------------------------------------------------------------- */

/* The document of a kind and URL as a tree in `memory`; NULL: there is none. */
static const JsonNode *
read_definition(const char *kind, const char *url, int len, MemoryContext memory)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[2] = {TEXTOID, TEXTOID};
	Datum		values[2];
	const JsonNode *root = NULL;

	if (definition_table_empty(TABLE_DEFINITION))
		return NULL;
	(void) watched(TABLE_CANONICAL_ALIAS);
	values[0] = CStringGetTextDatum(kind);
	values[1] = PointerGetDatum(cstring_to_text_with_len(url, len));
	SPI_connect();
	if (plan == NULL)
	{
		plan = SPI_prepare("SELECT d.doc FROM ehr.definition d"
						   " WHERE d.kind OPERATOR(pg_catalog.=) $1"
						   " AND d.url OPERATOR(pg_catalog.=) coalesce("
						   "(SELECT a.url FROM ehr.canonical_alias a WHERE a.alias OPERATOR(pg_catalog.=) pg_catalog.split_part($2, '|', 1)),"
						   " pg_catalog.split_part($2, '|', 1))"
						   " ORDER BY d.version OPERATOR(pg_catalog.=) pg_catalog.split_part($2, '|', 2) DESC, d.loaded DESC, d.version DESC LIMIT 1",
						   2, types);
		if (plan == NULL || SPI_keepplan(plan) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("could not prepare the query for definitions")));
	}
	if (SPI_execute_plan(plan, values, NULL, true, 1) != SPI_OK_SELECT)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not read definitions")));
	if (SPI_processed == 1)
	{
		bool		isnull;
		Datum		doc = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
		MemoryContext caller = MemoryContextSwitchTo(memory);
		JsonTree   *tree = palloc(sizeof(JsonTree));
		Jsonb	   *copy = (Jsonb *) PG_DETOAST_DATUM_COPY(doc);

		json_tree_init(tree, fhir_core_context());
		fhir_tree_or_error(tree, copy);
		root = tree->root;
		MemoryContextSwitchTo(caller);
	}
	SPI_finish();
	return root;
}

const JsonNode *
loaded_definition(const char *kind, const char *url, int len)
{
	return read_definition(kind, url, len, CurrentMemoryContext);
}

/* The kind that a definition of a URL is loaded as, NULL: none is */
static char *
loaded_kind(const JsonNode *canonical)
{
	static SPIPlanPtr plan = NULL;
	Oid			types[1] = {TEXTOID};
	Datum		value = PointerGetDatum(cstring_to_text_with_len(canonical->u.text, canonical->len));
	MemoryContext caller = CurrentMemoryContext;
	char	   *kind = NULL;

	if (definition_table_empty(TABLE_DEFINITION))
		return NULL;
	SPI_connect();
	if (plan == NULL)
	{
		plan = SPI_prepare("SELECT d.kind FROM ehr.definition d WHERE d.url OPERATOR(pg_catalog.=) pg_catalog.split_part($1, '|', 1) LIMIT 1", 1, types);
		if (plan == NULL || SPI_keepplan(plan) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("could not prepare the query for definitions")));
	}
	if (SPI_execute_plan(plan, &value, NULL, true, 1) != SPI_OK_SELECT)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not read definitions")));
	if (SPI_processed == 1)
		kind = MemoryContextStrdup(caller, SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1));
	SPI_finish();
	return kind;
}

/* The type of resource that stands in a canonical of R4's own (http://hl7.org/fhir/Type/id), NULL: none does */
static char *
r4_kind(const JsonNode *canonical)
{
	static const char prefix[] = "http://hl7.org/fhir/";
	size_t		skip = sizeof(prefix) - 1;
	const char *type = canonical->u.text + skip;
	const char *slash;

	if (canonical->len <= skip || memcmp(canonical->u.text, prefix, skip) != 0)
		return NULL;
	slash = memchr(type, '/', canonical->len - skip);
	return slash != NULL && fhir_resource_number(type, slash - type) > 0 ? pnstrdup(type, slash - type) : NULL;
}

void
check_canonical(Validation *v, const FhirVisit *visit, const char *child, const char *kind)
{
	const JsonNode *canonical = child_of(visit->node, child);
	char	   *found;
	char		path[FHIR_PATH_SIZE];

	if (canonical == NULL || canonical->kind != NODE_STRING || canonical->len == 0 || canonical->u.text[0] == '#')
		return;
	found = r4_kind(canonical);
	if (found == NULL)
		found = loaded_kind(canonical);
	if (found == NULL || strcmp(found, kind) == 0)
		return;
	fhir_place_path(visit->place, child, -1, path);
	add_issue(v, SEVERITY_ERROR, "invalid", "canonical-type", "the canonical URL is that of another type of resource", psprintf("Write the URL of a %s.", kind), path);
}

/* Whether a resource of a Bundle or of "contained" is the one of a canonical URL (without its version) */
static bool
is_definition(const JsonNode *resource, const char *kind, const char *url, size_t len)
{
	const JsonNode *own = child_of(resource, "url");

	return own != NULL && own->kind == NODE_STRING && own->len == len && memcmp(own->u.text, url, len) == 0 &&
		text_is(child_of(resource, "resourceType"), kind);
}

const JsonNode *
definition_of(const Validation *v, const FhirVisit *visit, const JsonNode *canonical, const char *kind)
{
	const JsonNode *contained = child_of(visit->root, "contained");
	const JsonNode *entries = child_of(v->document, "entry");
	const char *url;
	size_t		len;

	if (canonical == NULL || canonical->kind != NODE_STRING || canonical->len < 2)
		return NULL;
	url = canonical->u.text;
	for (int i = 0; url[0] == '#' && i < items_of(contained); i++)
	{
		const JsonNode *id = child_of(item_of(contained, i), "id");

		if (id != NULL && id->kind == NODE_STRING && id->len == canonical->len - 1 && memcmp(id->u.text, url + 1, id->len) == 0 &&
			text_is(child_of(item_of(contained, i), "resourceType"), kind))
			return item_of(contained, i);
	}
	if (url[0] == '#')
		return NULL;
	len = memchr(url, '|', canonical->len) == NULL ? canonical->len : (size_t) ((const char *) memchr(url, '|', canonical->len) - url);
	for (int i = 0; v->document != visit->root && i < items_of(entries); i++)
	{
		const JsonNode *resource = child_of(item_of(entries, i), "resource");

		if (is_definition(resource, kind, url, len))
			return resource;
	}
	return loaded_definition(kind, url, (int) canonical->len);
}

bool
any_extension_loaded(void)
{
	if (definition_table_empty(TABLE_DEFINITION))
		return false;
	if (kept.extensions < 0)
	{
		int			found;

		SPI_connect();
		if (SPI_execute("SELECT 1 FROM ehr.definition d WHERE d.kind OPERATOR(pg_catalog.=) 'StructureDefinition'"
						" AND d.doc OPERATOR(pg_catalog.->>) 'type' OPERATOR(pg_catalog.=) 'Extension' LIMIT 1", true, 1) != SPI_OK_SELECT)
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("could not read definitions")));
		found = (int) SPI_processed;
		SPI_finish();
		kept.extensions = found;
	}
	return kept.extensions > 0;
}

/*
 * R4 ImplementationGuide.global: "profiles that all resources covered by this
 * implementation guide must conform to".  Those of all loaded guides.
 */
int
global_profiles(const GlobalProfile **profiles)
{
	*profiles = NULL;
	if (definition_table_empty(TABLE_DEFINITION))
		return 0;
	if (kept.global_count < 0)
	{
		SPI_connect();
		if (SPI_execute("SELECT g.value OPERATOR(pg_catalog.->>) 'type', g.value OPERATOR(pg_catalog.->>) 'profile'"
						" FROM ehr.definition d, pg_catalog.jsonb_array_elements(d.doc OPERATOR(pg_catalog.->) 'global') AS g"
						" WHERE d.kind OPERATOR(pg_catalog.=) 'ImplementationGuide'", true, 0) != SPI_OK_SELECT)
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("could not read definitions")));
		kept.globals = MemoryContextAlloc(kept.memory, (SPI_processed + 1) * sizeof(GlobalProfile));
		kept.global_count = 0;
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			char	   *type = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
			char	   *url = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2);

			if (type == NULL || url == NULL)
				continue;
			kept.globals[kept.global_count].type = fhir_type_find(type, strlen(type));
			kept.globals[kept.global_count++].url = MemoryContextStrdup(kept.memory, url);
		}
		SPI_finish();
	}
	*profiles = kept.globals;
	return kept.global_count;
}

/* R4 codesystem.html#supplements: a supplement adds to another system's codes and defines none. */
bool
is_supplement(const JsonNode *system)
{
	if (definition_table_empty(TABLE_DEFINITION))
		return false;
	if (kept.supplement_count < 0)
	{
		SPI_connect();
		if (SPI_execute("SELECT d.url FROM ehr.definition d WHERE d.kind OPERATOR(pg_catalog.=) 'CodeSystem'"
						" AND (d.doc OPERATOR(pg_catalog.?) 'supplements' OR d.doc OPERATOR(pg_catalog.->>) 'content' OPERATOR(pg_catalog.=) 'supplement')",
						true, 0) != SPI_OK_SELECT)
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("could not read definitions")));
		kept.supplements = MemoryContextAlloc(kept.memory, (SPI_processed + 1) * sizeof(char *));
		for (uint64 i = 0; i < SPI_processed; i++)
			kept.supplements[i] = MemoryContextStrdup(kept.memory, SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1));
		kept.supplement_count = (int) SPI_processed;
		SPI_finish();
	}
	for (int i = 0; i < kept.supplement_count; i++)
	{
		if (text_is(system, kept.supplements[i]))
			return true;
	}
	return false;
}

/* -- elements ------------------------------------------------------------- */

const JsonNode *
element_property(const ProfileElement *element, const char *key)
{
	for (int i = element->definition_count - 1; i >= 0; i--)
	{
		const JsonNode *found = child_of(element->definitions[i], key);

		if (found != NULL)
			return found;
	}
	return NULL;
}

const JsonNode *
element_property_like(const ProfileElement *element, const char *prefix)
{
	size_t		len = strlen(prefix);

	for (int i = element->definition_count - 1; i >= 0; i--)
	{
		const JsonNode *definition = element->definitions[i];

		for (uint32 k = 0; k < definition->len; k++)
		{
			const JsonNode *child = &definition->u.children[k];

			if (child->key_len > len && memcmp(child->key, prefix, len) == 0 &&
				child->key[len] >= 'A' && child->key[len] <= 'Z')
				return child;
		}
	}
	return NULL;
}

ProfileElement *
element_child(const ProfileElement *element, const char *name, int len)
{
	for (int i = 0; i < element->child_count; i++)
	{
		if (element->children[i]->name_len == len && memcmp(element->children[i]->name, name, len) == 0)
			return element->children[i];
	}
	return NULL;
}

static ProfileElement *
new_element(const char *name, int name_len, const char *slice, int slice_len)
{
	ProfileElement *element = palloc0(sizeof(ProfileElement));

	element->name = name;
	element->name_len = name_len;
	element->slice = slice;
	element->slice_len = slice_len;
	if (name_len > 3 && memcmp(name + name_len - 3, "[x]", 3) == 0)
	{
		element->name_len -= 3;
		element->choice = true;
	}
	return element;
}

static void
append_element(ProfileElement ***list, int *count, ProfileElement *element)
{
	/* doubled at powers of two */
	if (*count == 0)
		*list = palloc(sizeof(ProfileElement *));
	else if ((*count & (*count - 1)) == 0)
		*list = repalloc(*list, sizeof(ProfileElement *) * *count * 2);
	(*list)[(*count)++] = element;
}

/* The child `name:slice` of an element, made where it is missing */
static ProfileElement *
reach(ProfileElement *parent, const char *step, int len)
{
	const char *colon = memchr(step, ':', len);
	int			name_len = colon == NULL ? len : (int) (colon - step);
	int			plain_len = name_len > 3 && memcmp(step + name_len - 3, "[x]", 3) == 0 ? name_len - 3 : name_len;
	ProfileElement *element = element_child(parent, step, plain_len);

	if (element == NULL)
	{
		element = new_element(step, name_len, NULL, 0);
		append_element(&parent->children, &parent->child_count, element);
	}
	if (colon != NULL)
	{
		const char *slice = colon + 1;
		int			slice_len = len - name_len - 1;

		for (int i = 0; i < element->slice_count; i++)
		{
			if (element->slices[i]->slice_len == slice_len && memcmp(element->slices[i]->slice, slice, slice_len) == 0)
				return element->slices[i];
		}
		append_element(&element->slices, &element->slice_count, new_element(step, name_len, slice, slice_len));
		element = element->slices[element->slice_count - 1];
	}
	return element;
}

/* The element of an id (Patient.identifier:mrn.system); the first step is the root. */
static ProfileElement *
reach_id(ProfileElement *root, const JsonNode *id)
{
	const char *text = id->u.text;
	const char *end = text + id->len;
	ProfileElement *at = root;
	bool		first = true;

	while (text < end)
	{
		const char *dot = memchr(text, '.', end - text);
		int			len = dot == NULL ? (int) (end - text) : (int) (dot - text);

		if (!first)
			at = reach(at, text, len);
		first = false;
		text += len + 1;
	}
	return at;
}

/* An element's id; where it has none, made of path and slice name: enough for slices without children. */
static const JsonNode *
element_id(const JsonNode *definition)
{
	const JsonNode *id = child_of(definition, "id");
	const JsonNode *path = child_of(definition, "path");
	const JsonNode *slice = child_of(definition, "sliceName");
	JsonNode   *made;

	if (id != NULL && id->kind == NODE_STRING)
		return id;
	if (path == NULL || path->kind != NODE_STRING)
		return NULL;
	if (slice == NULL || slice->kind != NODE_STRING)
		return path;
	made = palloc0(sizeof(JsonNode));
	made->kind = NODE_STRING;
	made->u.text = psprintf("%.*s:%.*s", (int) path->len, path->u.text, (int) slice->len, slice->u.text);
	made->len = path->len + slice->len + 1;
	return made;
}

/* -- types of a choice ---------------------------------------------------- */

/*
 * A differential may name one type of a choice by its key (valueQuantity).
 * R4's published snapshots make a slice of that type of it, and leave the
 * choice no other types than those that are so named; within a slice, where
 * one type alone is named, they narrow the choice itself.  The tree and
 * snapshot() have it as they have.
 */
typedef struct Step
{
	const char *text;			/* in the id as it is written */
	int			name_len;
	int			len;			/* with the slice's name */
	const FhirElement *named;	/* the one type of a choice that it names, NULL: none */
} Step;

static const FhirElement *
named_type(int type, const char *name, int len)
{
	const FhirElement *element = type < FHIR_RESOURCE_BASE ? NULL : fhir_element_find(type, name, len);

	return element == NULL || (element->flags & FHIR_CHOICE) == 0 || (element->flags & FHIR_SIBLING) != 0 ? NULL : element;
}

/* Takes the step at `text`; the type that it leads to, 0: not known. */
static int
take_step(Step *step, int type, const char *text, const char *end)
{
	const char *dot = memchr(text, '.', end - text);
	const char *colon;
	const FhirElement *element;

	step->text = text;
	step->len = (int) ((dot == NULL ? end : dot) - text);
	colon = memchr(text, ':', step->len);
	step->name_len = colon == NULL ? step->len : (int) (colon - text);
	step->named = named_type(type, text, step->name_len);
	if (step->named != NULL)
		return step->named->type;
	if (type >= FHIR_RESOURCE_BASE && step->name_len > 3 && memcmp(text + step->name_len - 3, "[x]", 3) == 0)
	{
		element = colon == NULL ? NULL : named_type(type, colon + 1, step->len - step->name_len - 1);
		return element == NULL ? 0 : element->type;
	}
	element = type < FHIR_RESOURCE_BASE ? NULL : fhir_element_find(type, text, step->name_len);
	return element == NULL ? 0 : element->type;
}

/* Whether a differential speaks of the whole choice (`whole`), or of another of its types, where it names one */
static bool
speaks_of_choice(const JsonNode *elements, const JsonNode *id, const Step *step, int type, bool whole)
{
	size_t		prefix = step->text - id->u.text;

	for (uint32 i = 0; i < elements->len; i++)
	{
		const JsonNode *other = element_id(&elements->u.children[i]);
		const FhirElement *named;
		Step		next;

		if (other == NULL || other->len <= prefix || memcmp(other->u.text, id->u.text, prefix) != 0)
			continue;
		(void) take_step(&next, type, other->u.text + prefix, other->u.text + other->len);
		named = next.named;
		if (whole ? next.len == step->named->base_len + 3 && memcmp(next.text, step->text, step->named->base_len) == 0 &&
			memcmp(next.text + next.len - 3, "[x]", 3) == 0 && prefix + next.len == other->len :
			named != NULL && named != step->named && named->slot == step->named->slot)
			return true;
	}
	return false;
}

const JsonNode *
plain_element_id(int type, const JsonNode *elements, const JsonNode *id)
{
	const char *end = id->u.text + id->len;
	const char *text = memchr(id->u.text, '.', id->len);
	bool		in_slice = false;
	StringInfoData plain;
	JsonNode   *made;

	if (text == NULL)
		return id;
	initStringInfo(&plain);
	appendBinaryStringInfo(&plain, id->u.text, text - id->u.text);
	while (text != NULL)
	{
		Step		step;
		int			from = type;

		type = take_step(&step, from, text + 1, end);
		appendStringInfoChar(&plain, '.');
		if (step.named == NULL)
			appendBinaryStringInfo(&plain, step.text, step.len);
		else
		{
			appendStringInfo(&plain, "%.*s[x]", step.named->base_len, step.text);
			if (step.len > step.name_len)
				appendBinaryStringInfo(&plain, step.text + step.name_len, step.len - step.name_len);
			else if (!in_slice || speaks_of_choice(elements, id, &step, from, false))
				appendStringInfo(&plain, ":%.*s", step.name_len, step.text);
		}
		in_slice |= step.len > step.name_len;
		text = step.text + step.len < end ? step.text + step.len : NULL;
	}
	made = palloc0(sizeof(JsonNode));
	made->kind = NODE_STRING;
	made->u.text = plain.data;
	made->len = plain.len;
	return made;
}

static void
add_definition(ProfileElement *element, const JsonNode *definition)
{
	/* one of each profile of the chain, and one that names types */
	if (element->definition_count == 0)
		element->definitions = palloc(sizeof(JsonNode *) * 2 * (PROFILE_CHAIN_MAX + 1));
	if (element->definition_count < 2 * (PROFILE_CHAIN_MAX + 1))
		element->definitions[element->definition_count++] = definition;
}

/* Leaves the choice the types that the differential `elements` names, of which `type` is one. */
static void
narrow_choice(ProfileElement *choice, const JsonNode *elements, const JsonNode *type)
{
	JsonNode	by[2] = {text_node("type", "type"), text_node("path", "$this")};
	JsonNode	discriminator = object_node(NULL, by, 2);
	JsonNode	slicing[3] = {array_node("discriminator", &discriminator, 1), {.key = "ordered", .key_len = 7, .kind = NODE_FALSE}, text_node("rules", "closed")};
	JsonNode	parts[2] = {object_node("slicing", slicing, 3)};
	JsonNode	types[64];
	int			count = 0;

	if (choice->narrowed_by == elements)
	{
		const JsonNode *before = child_of(choice->narrowed, "type");

		for (uint32 i = 0; i < before->len && count < (int) lengthof(types) - 1; i++)
		{
			if (same_string(child_of(&before->u.children[i], "code"), child_of(type, "code")))
				return;
			types[count++] = before->u.children[i];
		}
	}
	else
	{
		choice->narrowed_by = elements;
		choice->narrowed = palloc(sizeof(JsonNode));
		add_definition(choice, choice->narrowed);
	}
	types[count++] = *type;
	parts[1] = array_node("type", types, count);
	*choice->narrowed = object_node(NULL, parts, 2);
}

/* Of every type of a choice that an element's id names: what the tree is to have of the choice and of its slice */
static void
name_types(ProfileElement *root, int type, const JsonNode *elements, const JsonNode *id, const JsonNode *plain)
{
	const char *end = id->u.text + id->len;
	const char *plain_end = plain->u.text + plain->len;
	const char *text = memchr(id->u.text, '.', id->len);
	const char *to = memchr(plain->u.text, '.', plain->len);
	ProfileElement *at = root;

	while (text != NULL && to != NULL)
	{
		ProfileElement *parent = at;
		Step		step;
		Step		made;
		const FhirElement *named;
		int			from = type;

		type = take_step(&step, from, text + 1, end);
		(void) take_step(&made, from, to + 1, plain_end);
		at = reach(parent, made.text, made.len);
		named = step.named;
		if (named != NULL)
		{
			JsonNode	node = type_definition(named);
			JsonNode	types = array_node("type", &node, 1);
			JsonNode   *definition = palloc(sizeof(JsonNode));

			*definition = object_node(NULL, &types, 1);
			if (made.len == made.name_len)
			{
				/* within a slice: the choice itself */
				if (at->narrowed_by != elements)
					add_definition(at, definition);
				at->narrowed_by = elements;
				at->narrowed = definition;
			}
			else
			{
				if (element_property(at, "type") == NULL)
					add_definition(at, definition);
				if (!speaks_of_choice(elements, id, &step, from, true))
					narrow_choice(reach(parent, made.text, made.name_len), elements, &node);
			}
		}
		text = step.text + step.len < end ? step.text + step.len : NULL;
		to = made.text + made.len < plain_end ? made.text + made.len : NULL;
	}
}

/*
 * The id with the choice as its step (value[x]:valueQuantity) where only the
 * path names the type: nothing but the path tells the short form from a slice
 * of a choice that stays open.
 */
static const JsonNode *
id_by_path(const JsonNode *definition, const JsonNode *id)
{
	const JsonNode *path = child_of(definition, "path");
	const char *last = id->u.text + id->len;
	const char *key;
	JsonNode   *made;
	int			name_len;
	const char *colon;

	if (path == NULL || path->kind != NODE_STRING)
		return id;
	while (last > id->u.text && last[-1] != '.')
		last--;
	colon = memchr(last, ':', id->u.text + id->len - last);
	name_len = colon == NULL ? 0 : (int) (colon - last);
	if (name_len <= 3 || memcmp(colon - 3, "[x]", 3) != 0)
		return id;
	for (key = path->u.text + path->len; key > path->u.text && key[-1] != '.';)
		key--;
	if (path->len >= 3 && memcmp(path->u.text + path->len - 3, "[x]", 3) == 0)
		return id;
	made = palloc0(sizeof(JsonNode));
	made->kind = NODE_STRING;
	made->u.text = psprintf("%.*s%.*s%.*s", (int) (last - id->u.text), id->u.text, (int) (path->u.text + path->len - key), key,
							(int) (id->u.text + id->len - colon), colon);
	made->len = strlen(made->u.text);
	return made;
}

static void
overlay(ProfileElement *root, int type, const JsonNode *elements)
{
	if (elements == NULL || elements->kind != NODE_ARRAY)
		return;
	for (uint32 i = 0; i < elements->len; i++)
	{
		const JsonNode *id = element_id(&elements->u.children[i]);
		const JsonNode *plain;

		CHECK_FOR_INTERRUPTS();
		if (id == NULL || elements->u.children[i].kind != NODE_OBJECT)
			continue;
		id = id_by_path(&elements->u.children[i], id);
		plain = plain_element_id(type, elements, id);
		name_types(root, type, elements, id, plain);
		add_definition(reach_id(root, plain), &elements->u.children[i]);
	}
}

/* -- profiles ------------------------------------------------------------- */

/*
 * Lays a profile's chain on `root`, base first.  A profile that brings a
 * snapshot and no differential stands for itself.
 */
static bool
overlay_chain(ProfileElement *root, int type, const JsonNode *document, int depth)
{
	const JsonNode *base = child_of(document, "baseDefinition");
	const JsonNode *differential = child_of(child_of(document, "differential"), "element");
	const JsonNode *snapshot = child_of(child_of(document, "snapshot"), "element");
	const JsonNode *base_document = NULL;
	size_t		core = strlen(CORE_DEFINITION);

	if (depth > PROFILE_CHAIN_MAX)
		return false;
	if (base != NULL && base->kind == NODE_STRING)
	{
		base_document = read_definition("StructureDefinition", base->u.text, base->len, kept.memory);
		if (base_document == NULL && snapshot == NULL &&
			(base->len <= core || memcmp(base->u.text, CORE_DEFINITION, core) != 0 ||
			 fhir_type_find(base->u.text + core, base->len - core) == 0))
			return false;
	}
	if (base_document != NULL && differential != NULL)
	{
		if (!overlay_chain(root, type, base_document, depth + 1))
			return false;
		overlay(root, type, differential);
	}
	else
		overlay(root, type, snapshot != NULL ? snapshot : differential);
	return true;
}

Profile *
find_profile(const char *url, int len)
{
	char		key[sizeof(((Profile *) NULL)->url)];
	Profile    *profile;
	bool		found;

	(void) definitions_memory();
	len = Min(len, (int) sizeof(key) - 1);
	memset(key, 0, sizeof(key));
	memcpy(key, url, len);
	profile = hash_search(kept.profiles, key, HASH_ENTER, &found);
	if (!found)
		profile->ready = false;
	if (!profile->ready)
	{
		MemoryContext caller = MemoryContextSwitchTo(kept.memory);
		const JsonNode *type;

		check_stack_depth();
		profile->broken = false;
		profile->root = NULL;
		profile->type = 0;
		profile->document = read_definition("StructureDefinition", key, len, kept.memory);
		type = child_of(profile->document, "type");
		if (type != NULL && type->kind == NODE_STRING)
		{
			profile->type = fhir_type_find(type->u.text, type->len);
			profile->root = new_element(type->u.text, type->len, NULL, 0);
			profile->broken = !overlay_chain(profile->root, profile->type, profile->document, 0);
		}
		profile->ready = true;
		MemoryContextSwitchTo(caller);
	}
	return profile;
}
