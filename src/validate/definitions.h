/*
 * definitions.h
 *		Loaded definitions, as this backend keeps them: profiles made ready to check with.
 *
 * Kept until ehr.definition, ehr.canonical_alias, ehr.value_set or
 * ehr.code_system change (relation cache invalidation, which statement triggers
 * of these tables send).
 */
#ifndef EHR_VALIDATE_DEFINITIONS_H
#define EHR_VALIDATE_DEFINITIONS_H

#include "validate/validate.h"

/* Longest chain of profiles that derive from each other */
#define PROFILE_CHAIN_MAX 32

/* An element that profiles constrain, or one of its slices */
typedef struct ProfileElement
{
	const char *name;			/* without [x] */
	int			name_len;
	const char *slice;			/* NULL: the element itself */
	int			slice_len;
	bool		choice;			/* was written with [x] */
	const JsonNode **definitions;	/* ElementDefinitions, base first */
	int			definition_count;
	struct ProfileElement **children;
	int			child_count;
	struct ProfileElement **slices;
	int			slice_count;
	FhirConstraint *constraints;	/* prepared at first use, in the order of the definitions; NULL: not yet */
	const JsonNode *narrowed_by;	/* the last differential that names types of this choice */
	JsonNode   *narrowed;		/* the definition that is made of it */
} ProfileElement;

typedef struct Profile
{
	char		url[1024];		/* hash key, cut off */
	bool		ready;
	bool		broken;			/* its base is missing or it derives from itself */
	const JsonNode *document;	/* NULL: there is none of this URL */
	int			type;			/* type index that it constrains */
	ProfileElement *root;
} Profile;

/* At the beginning of a validation: drops what is stale. Nothing is dropped while one runs. */
extern void definitions_refresh(void);

/* The profile of a canonical URL (with or without |version; aliases are followed); document NULL: not loaded. */
extern Profile *find_profile(const char *url, int len);

/* A profile that every resource of a type is to conform to */
typedef struct GlobalProfile
{
	int			type;			/* type index */
	const char *url;
} GlobalProfile;

/* Those of all loaded implementation guides; their number */
extern int	global_profiles(const GlobalProfile **profiles);

/* Whether a code system that is loaded supplements another, and so defines no codes */
extern bool is_supplement(const JsonNode *system);

/* Whether any Extension is loaded, so that extensions need looking up */
extern bool any_extension_loaded(void);

typedef enum DefinitionTable
{
	TABLE_DEFINITION,
	TABLE_CANONICAL_ALIAS,
	TABLE_VALUE_SET,
	TABLE_CODE_SYSTEM
} DefinitionTable;

/* Whether the table has never had a row, as far as its file tells: much cheaper than a query. False: it may have some. */
extern bool definition_table_empty(DefinitionTable table);

/* The same of all of these tables */
extern bool definitions_none(void);

/* Memory that the loaded definitions live in, and all that is kept with them */
extern MemoryContext definitions_memory(void);

/* Another number whenever they were dropped */
extern uint64 definitions_generation(void);

/* A property of an element: of the most derived definition that has it, or NULL */
extern const JsonNode *element_property(const ProfileElement *element, const char *key);

/* The same by the beginning of its key (fixed, pattern) */
extern const JsonNode *element_property_like(const ProfileElement *element, const char *prefix);

/* Whether a value has all that a pattern has; `whole`: and nothing else (fixed values) */
extern bool pattern_holds(const JsonNode *pattern, const JsonNode *node, bool whole);

/*
 * The id of an element of a profile for `type` as its tree has it: one type of
 * a choice (Observation.valueQuantity) as its slice
 * (Observation.value[x]:valueQuantity), within a slice where `elements` name no
 * other type as the choice itself.
 */
extern const JsonNode *plain_element_id(int type, const JsonNode *elements, const JsonNode *id);

/* One entry of ElementDefinition.type, as R4 has it of the element */
extern JsonNode type_definition(const FhirElement *element);

extern ProfileElement *element_child(const ProfileElement *element, const char *name, int len);

#endif							/* EHR_VALIDATE_DEFINITIONS_H */
