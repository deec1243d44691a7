/*
 * merge.c
 *		The SQL functions of room merge.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "fhir/fhir.h"
#include "merge/merge.h"

PG_FUNCTION_INFO_V1(ehr_fhir_merge);
PG_FUNCTION_INFO_V1(ehr_fhir_normalize);
PG_FUNCTION_INFO_V1(ehr_merge_conflicts);
PG_FUNCTION_INFO_V1(ehr_merge_origins);

/* ehr.fhir_merge(fhir, fhir) → fhir, the operator +. */
Datum
ehr_fhir_merge(PG_FUNCTION_ARGS)
{
	Jsonb	   *docs[] = {PG_GETARG_FHIR_P(0), PG_GETARG_FHIR_P(1)};

	PG_RETURN_FHIR_P(merge_doc_write(merge_many(docs, 2)));
}

/*
 * ehr.fhir_normalize(fhir, source text, rank int) → fhir
 *
 * 22023 for a negative rank, or a source that is empty or has a blank in it.
 */
Datum
ehr_fhir_normalize(PG_FUNCTION_ARGS)
{
	MergeStatedBy by = {{NULL, 0}, -1};
	bool		stated = false;
	MergeDoc   *doc;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	if (!PG_ARGISNULL(1))
	{
		by.source.data = text_to_cstring(PG_GETARG_TEXT_PP(1));
		by.source.len = strlen(by.source.data);
		stated = true;
		if (by.source.len == 0 || strpbrk(by.source.data, " \t\r\n\v\f") != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("not a source id"),
					 errdetail("A source id is a URI: not empty and without blanks.")));
	}
	if (!PG_ARGISNULL(2))
	{
		by.rank = PG_GETARG_INT32(2);
		stated = true;
		if (by.rank < 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("rank of a source must not be negative")));
	}
	doc = merge_doc_read(PG_GETARG_FHIR_P(0), stated ? &by : NULL);
	merge_doc_reduce(doc);
	PG_RETURN_FHIR_P(merge_doc_write(doc));
}

/* ---- conflicts and origins ---- */

static void
push_member(JsonbParseState **state, const char *key, const JsonbValue *value)
{
	JsonbValue	copy = *value;

	json_push_key(state, key, strlen(key));
	pushJsonbValue(state, WJB_VALUE, &copy);
}

static void
push_text_member(JsonbParseState **state, const char *key, const char *text, int len)
{
	json_push_key(state, key, strlen(key));
	json_push_text(state, WJB_VALUE, text, len);
}

/* Who stated an element, when, and what. */
static void
push_statement(JsonbParseState **state, const MergeElement *element)
{
	JsonbValue	rank;

	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	push_text_member(state, "name", element->name.data, element->name.len);
	if (element->has_value)
		push_member(state, "value", &element->value);
	if (element->has_extra)
		push_member(state, "extra", &element->extra);
	if (element->origin.time[0] != '\0')
	{
		char	   *time = psprintf("%sZ", element->origin.time);

		push_text_member(state, "recorded", time, strlen(time));
	}
	rank.type = jbvNumeric;
	rank.val.numeric = int64_to_numeric(element->origin.rank);
	push_member(state, "rank", &rank);
	if (element->origin.source_len > 0)
		push_text_member(state, "source", element->origin.source, element->origin.source_len);
	pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

static void
push_element_name(JsonbParseState **state, const MergeDoc *doc, const MergeElement *element)
{
	char	   *path = psprintf("%.*s.%.*s", doc->type.len, doc->type.data, element->slot.len, element->slot.data);

	push_text_member(state, "element", path, strlen(path));
}

/* Why the first was kept and not the second. */
static const char *
reason(MergeElement *kept, MergeElement *other)
{
	if (kept->class != other->class)
		return kept->rule->prefer != PREFER_NOTHING ? "completeness" : "safety";
	if (kept->rule->kind == MERGE_DATE && merge_compare(kept, other) < 0)
		return "fuller date";
	if (strcmp(kept->origin.time, other->origin.time) != 0)
		return "recency";
	if (kept->origin.rank != other->origin.rank)
		return "rank";
	if (kept->leaves != other->leaves)
		return "completeness";
	if (origin_compare_source(&kept->origin, &other->origin) != 0)
		return "source";
	return "bytes";
}

static bool
same_statement(const MergeElement *a, const MergeElement *b)
{
	return merge_text_equal(a->name, b->name) &&
		a->has_value == b->has_value && a->has_extra == b->has_extra &&
		(!a->has_value || merge_text_equal(json_bytes(&a->value), json_bytes(&b->value))) &&
		(!a->has_extra || merge_text_equal(json_bytes(&a->extra), json_bytes(&b->extra)));
}

/* The statements of one group that say something else than the one that is kept. */
static void
push_conflicts(JsonbParseState **state, const MergeDoc *doc, MergeElement **group, int n)
{
	MergeElement **others = palloc(sizeof(MergeElement *) * n);
	MergeElement *kept;

	memcpy(others, group, sizeof(MergeElement *) * n);
	merge_survivors(others, n);
	kept = others[0];
	for (int i = 0; i < n; i++)
	{
		if (group[i] == kept || same_statement(group[i], kept))
			continue;
		(void) merge_compare(kept, group[i]);	/* counts the leaves where they decide */
		pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
		push_element_name(state, doc, kept);
		json_push_key(state, "kept", 4);
		push_statement(state, kept);
		json_push_key(state, "other", 5);
		push_statement(state, group[i]);
		push_text_member(state, "reason", reason(kept, group[i]), strlen(reason(kept, group[i])));
		pushJsonbValue(state, WJB_END_OBJECT, NULL);
	}
}

/* ehr.merge_conflicts(jsonb, jsonb) → jsonb: an array, empty where a + b loses no statement. */
Datum
ehr_merge_conflicts(PG_FUNCTION_ARGS)
{
	Jsonb	   *docs[] = {PG_GETARG_JSONB_P(0), PG_GETARG_JSONB_P(1)};
	MergeDoc   *a = merge_doc_read(docs[0], NULL);
	MergeDoc   *b = merge_doc_read(docs[1], NULL);
	int			n = a->nelements + b->nelements;
	MergeElement **both = palloc(sizeof(MergeElement *) * (n + 1));
	JsonbParseState *state = NULL;
	int			end;

	merge_check_types(docs[0], docs[1]);
	merge_doc_reduce(a);
	merge_doc_reduce(b);
	n = a->nelements + b->nelements;
	memcpy(both, a->elements, sizeof(MergeElement *) * a->nelements);
	memcpy(both + a->nelements, b->elements, sizeof(MergeElement *) * b->nelements);
	merge_sort(both, n);
	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (int start = 0; start < n; start = end)
	{
		end = merge_group_end(both, n, start);
		push_conflicts(&state, a, both + start, end - start);
	}
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL)));
}

/* ehr.merge_origins(jsonb) → jsonb: every element with its origin. */
Datum
ehr_merge_origins(PG_FUNCTION_ARGS)
{
	MergeDoc   *doc = merge_doc_read(PG_GETARG_JSONB_P(0), NULL);
	JsonbParseState *state = NULL;

	merge_doc_reduce(doc);
	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < doc->nelements; i++)
	{
		JsonbValue	yes = {.type = jbvBool, .val.boolean = true};

		pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
		push_element_name(&state, doc, doc->elements[i]);
		if (doc->elements[i]->alternative)
			push_member(&state, "alternative", &yes);
		json_push_key(&state, "stated", 6);
		push_statement(&state, doc->elements[i]);
		pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	}
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL)));
}

/* ---- the rules themselves ---- */

static void
push_key_fields(JsonbParseState **state, const MergeRule *rule)
{
	json_push_key(state, "key", 3);
	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	for (const MergeKey *key = rule->keys; key->name != NULL; key++)
		json_push_text(state, WJB_ELEM, key->name, strlen(key->name));
	pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

/* The values of a safety class, the highest first, as "name=value" or one of both. */
static void
push_classes(JsonbParseState **state, const MergeRule *rule)
{
	json_push_key(state, "safety", 6);
	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	for (const MergeClass *class = rule->classes; class->class > 0; class++)
	{
		char	   *text = psprintf("%s%s%s", class->name ? class->name : "",
									class->name && class->value ? "=" : "", class->value ? class->value : "");

		json_push_text(state, WJB_ELEM, text, strlen(text));
	}
	pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

static void
push_rule(JsonbParseState **state, const MergeRule *rule)
{
	static const char *const kinds[] = {"greatest", "fullest date", "union", "whole list", "whole list of a url"};
	static const char *const prefers[] = {NULL, "completeness", "Vietnamese marks"};
	char	   *element = psprintf("%s%s", rule->element, rule->choice ? "[x]" : "");

	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	push_text_member(state, "type", rule->type ? rule->type : "*", strlen(rule->type ? rule->type : "*"));
	push_text_member(state, "element", element, strlen(element));
	push_text_member(state, "rule", kinds[rule->kind], strlen(kinds[rule->kind]));
	if (rule->keys != NULL)
		push_key_fields(state, rule);
	if (rule->classes != NULL)
		push_classes(state, rule);
	if (prefers[rule->prefer] != NULL)
		push_text_member(state, "prefers", prefers[rule->prefer], strlen(prefers[rule->prefer]));
	pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

PG_FUNCTION_INFO_V1(ehr_merge_rules);

/* ehr.merge_rules() → jsonb: the table of rules.c. */
Datum
ehr_merge_rules(PG_FUNCTION_ARGS)
{
	JsonbParseState *state = NULL;

	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < merge_nrules(); i++)
		push_rule(&state, merge_rule_at(i));
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL)));
}
