/*
 * merge.h
 *		Merging FHIR documents element by element.
 *
 * A document is taken apart into elements: one for every element of the
 * resource that occurs once, one for every item of those that repeat.  Each
 * carries the origin of the statement.  Elements compete in groups (same slot,
 * same key), and the greatest of a total order survives.  Taking apart, joining
 * the sets and keeping the greatest of each group is commutative, associative
 * and idempotent; putting together loses nothing that a later merge needs.
 *
 * Normal form, as it lies in the document:
 *
 *	{
 *	  "resourceType": "Patient",
 *	  "id": the smallest of all ids,
 *	  "meta": {
 *		"extension": [..., {"url": "urn:ehr:origin",		   the document's origin:
 *							"valueString": "2024-05-01T00:00:00Z 50 0 urn:a"}],  the greatest
 *		"lastUpdated", "source": those of the document's origin
 *		"profile", "security", "tag": union, sorted; versionId: none
 *	  },
 *	  "gender": "female",							no mark: the document's origin
 *	  "birthDate": "1980-02-03",
 *	  "_birthDate": {"extension": [
 *		{"url": "urn:ehr:origin", "valueString": "2021-01-01T00:00:00Z 50 0 urn:b"},
 *		{"url": "urn:ehr:alternative", "extension": [	a statement that may yet win (dates only)
 *		  {"url": "origin", "valueString": "2023-01-01T00:00:00Z 0 0 urn:c"},
 *		  {"url": "value", "valueDate": "1981"}]}]},
 *	  "telecom": [									newest first, then as the source had them;
 *		{"system": "phone", "value": "0901"},		no mark: the document's origin and
 *		{"system": "phone", "value": "0902",		this place in the array
 *		 "extension": [{"url": "urn:ehr:origin", "valueString": "2021-01-01T00:00:00Z 50 0 urn:b"}]}]
 *	}
 *
 * An element is marked only where its origin (or its place) differs from what
 * the reader would assume.  The mark is an extension of the element; of the
 * _name sibling for a primitive; of the value for an Extension (which may not
 * have a value and extensions both); of meta for a contained resource.
 */
#ifndef EHR_MERGE_H
#define EHR_MERGE_H

#include "utils/jsonb.h"

#include "core/origin.h"

#define ORIGIN_URL		"urn:ehr:origin"
#define ALTERNATIVE_URL	"urn:ehr:alternative"
#define RANK_SYSTEM		"urn:ehr:source-rank"

/* A piece of text that lies somewhere else. */
typedef struct MergeText
{
	const char *data;
	int			len;
} MergeText;

typedef enum MergeKind
{
	MERGE_ONE,					/* occurs once: the greatest survives */
	MERGE_DATE,					/* as ONE, but a fuller date refines the greatest */
	MERGE_EACH,					/* repeats: union of the items by key */
	MERGE_WHOLE,				/* repeats, but only makes sense as a whole */
	MERGE_GROUP					/* repeats: the items of one url as a whole */
} MergeKind;

/* Where an element's mark is put. */
typedef enum MergePlace
{
	PLACE_ELEMENT,				/* its own extension */
	PLACE_VALUE,				/* an Extension: in its value */
	PLACE_META					/* a contained resource: in its meta */
} MergePlace;

/* A value that must not be lost to a newer statement of a lower class. */
typedef struct MergeClass
{
	const char *name;			/* JSON name (of a choice), NULL: any */
	const char *value;			/* the primitive or one of the codes, NULL: any */
	int			class;			/* others are 0 */
} MergeClass;

/* What makes one statement better than a newer one. */
typedef enum MergePrefer
{
	PREFER_NOTHING,
	PREFER_FULLEST,				/* the one that says most */
	PREFER_MARKED				/* a name with Vietnamese marks over one without */
} MergePrefer;

/* A field that tells the items of a list apart. */
typedef struct MergeKey
{
	const char *name;
	const char *otherwise;		/* its value where it is absent; NULL: none */
} MergeKey;

typedef struct MergeRule
{
	const char *type;			/* NULL: any resource type */
	const char *element;		/* for a choice, without its type */
	int			len;			/* of element */
	bool		choice;
	MergeKind	kind;
	const MergeKey *keys;		/* EACH: the fields that identify an item, ended by a name NULL;
								 * none: the content */
	const char *const *content_keys;	/* EACH: first the field, then those of its values
										 * for which the content is the key after all */
	const char *date_name;		/* DATE: valueDate or valueDateTime */
	const MergeClass *classes;	/* ended by class 0; of a DATE, the first is that of dates */
	MergePrefer prefer;			/* what comes before the date, where there are no classes */
	MergePlace	place;
} MergeRule;

typedef struct MergeElement
{
	const MergeRule *rule;
	MergeText	slot;			/* the element, without the type of a choice */
	uint64		slot_start;		/* its first bytes, in their order */
	MergeText	name;			/* its JSON name */
	MergeText	key;			/* which item of the slot; empty where there is one */
	Origin		origin;
	int32		place;			/* in its array, as the source had it */
	int			class;
	bool		has_value;
	bool		has_extra;
	JsonbValue	value;			/* without marks */
	JsonbValue	extra;			/* the _name sibling, without marks */
	bool		alternative;	/* a date that may yet win */
	int			leaves;			/* completeness; -1: not counted yet */
	MergeText	bytes;			/* canonical bytes; data NULL: not made yet */
} MergeElement;

typedef struct MergeDoc
{
	MergeText	type;
	int			model;			/* the type's index in the model, 0: none */
	MergeText	id;				/* data NULL: none */
	bool		marked;			/* it carried its origin */
	Origin		origin;
	int			nmeta;			/* meta's profiles, tags, labels and extensions */
	MergeElement **meta;
	int			nelements;		/* not sorted, with what does not survive, until merge_doc_reduce */
	MergeElement **elements;
} MergeDoc;

/* What is put on an element. */
typedef struct MergeMarks
{
	const Origin *origin;		/* NULL: none */
	int32		place;
	const JsonbValue *alternatives;
	int			nalternatives;
} MergeMarks;

/* Whom to hold for a document's source, whatever the document says. */
typedef struct MergeStatedBy
{
	MergeText	source;			/* data NULL: what the document says */
	int32		rank;			/* -1: what the document says */
} MergeStatedBy;

/* rules.c */
extern const MergeRule *merge_rule(MergeText type, int model, MergeText name, bool repeats, MergeText *slot);
extern int	merge_class(const MergeRule *rule, MergeElement *element);
extern const MergeRule *merge_each_rule(void);
extern const MergeRule *merge_meta_rule(MergeText name);
extern int	merge_nrules(void);
extern const MergeRule *merge_rule_at(int i);

/* json.c */
extern bool json_field(const JsonbValue *object, const char *name, JsonbValue *field);
extern bool json_field_named(const JsonbValue *object, MergeText name, JsonbValue *field);
extern bool json_field_text(const JsonbValue *object, const char *name, MergeText *text);
extern bool json_is_object(const JsonbValue *value);
extern bool json_is_array(const JsonbValue *value);
extern int	json_items(const JsonbValue *array, JsonbValue **items);
extern int	json_leaves(const JsonbValue *value);
extern MergeText json_bytes(const JsonbValue *value);
extern void json_binary(JsonbValue *value);
extern void json_push_key(JsonbParseState **state, const char *key, int len);
extern void json_push_text(JsonbParseState **state, JsonbIteratorToken token, const char *text, int len);
extern bool json_read_mark(const JsonbValue *object, MergePlace place, Origin *origin, int32 *at);
extern int	json_strip(JsonbValue *object, MergePlace place, JsonbValue **alternatives);
extern bool json_has_marks(const JsonbValue *value);
extern bool json_empty(const JsonbValue *object);
extern void json_push_origin(JsonbParseState **state, const char *url, const Origin *origin, int32 at);
extern JsonbValue *json_push_extended(JsonbParseState **state, const JsonbValue *object, const MergeMarks *marks);
extern JsonbValue *json_push_marked(JsonbParseState **state, const JsonbValue *object, MergePlace place,
									const MergeMarks *marks);

/* document.c */
extern MergeText merge_doc_type(Jsonb *jb);
extern MergeDoc *merge_doc_read(Jsonb *jb, const MergeStatedBy *by);
extern void merge_doc_reduce(MergeDoc *doc);
extern Jsonb *merge_doc_write(const MergeDoc *doc);

/* survive.c */
extern int	merge_text_compare(MergeText a, MergeText b);
extern bool merge_text_equal(MergeText a, MergeText b);
extern int	merge_leaves(MergeElement *element);
extern int	merge_compare(MergeElement *a, MergeElement *b);
extern bool merge_refines(const MergeElement *a, const MergeElement *b);
extern void merge_sort(MergeElement **elements, int n);
extern int	merge_group_end(MergeElement **sorted, int n, int start);
extern int	merge_survivors(MergeElement **group, int n);
extern int	merge_keep_survivors(MergeElement **elements, int n);
extern void merge_check_types(Jsonb *a, Jsonb *b);
extern MergeDoc *merge_many(Jsonb **docs, int n);

#endif							/* EHR_MERGE_H */
