/*
 * fhir_outcome.c
 *		ehr.validate: all faults of a document as an OperationOutcome.
 *
 * The outcome is put together as a tree, like a parsed one, and written by the
 * same code.  It holds no value of the document.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "compat.h"
#include "fhir.h"
#include "fhir_tree.h"
#include "quiet.h"

/* A document with more faults than this is not worth a longer list. */
#define ISSUES_MAX 1000

PG_FUNCTION_INFO_V1(fhir_validate);
PG_FUNCTION_INFO_V1(fhir_validate_text);

typedef struct Outcome
{
	JsonNode	issues[ISSUES_MAX + 1];
	int			count;
} Outcome;

static JsonNode
text_node(const char *key, const char *text)
{
	JsonNode	node = {.key = key, .key_len = key == NULL ? 0 : strlen(key), .kind = NODE_STRING};

	node.u.text = text;
	node.len = strlen(text);
	return node;
}

/* Copies the children, sorted as keys are. */
static JsonNode
object_node(const char *key, const JsonNode *children, int count)
{
	JsonNode	node = {.key = key, .key_len = key == NULL ? 0 : strlen(key), .kind = NODE_OBJECT, .len = count};
	JsonNode   *copy = palloc(count * sizeof(JsonNode));

	memcpy(copy, children, count * sizeof(JsonNode));
	json_sort_nodes(copy, count);
	node.u.children = copy;
	return node;
}

static JsonNode
array_node(const char *key, const JsonNode *children, int count)
{
	JsonNode	node = {.key = key, .key_len = strlen(key), .kind = NODE_ARRAY, .len = count};
	JsonNode   *copy = palloc(count * sizeof(JsonNode));

	memcpy(copy, children, count * sizeof(JsonNode));
	node.u.children = copy;
	return node;
}

static void
add_issue(Outcome *o, const char *severity, const char *code, const char *rule, const char *text,
		  const char *hint, const char *path)
{
	JsonNode	details[2];
	JsonNode	issue[5];
	int			n = 0;

	details[n++] = text_node("text", text);
	if (rule != NULL)
	{
		JsonNode	rule_code = text_node("code", rule);
		JsonNode	coding = object_node(NULL, &rule_code, 1);

		details[n++] = array_node("coding", &coding, 1);
	}
	issue[0] = text_node("severity", severity);
	issue[1] = text_node("code", code);
	issue[2] = object_node("details", details, n);
	n = 3;
	if (hint != NULL)
		issue[n++] = text_node("diagnostics", hint);
	if (path != NULL)
	{
		JsonNode	expression = text_node(NULL, path);

		issue[n++] = array_node("expression", &expression, 1);
	}
	o->issues[o->count++] = object_node(NULL, issue, n);
}

static bool
collect(void *arg, const FhirFault *fault)
{
	Outcome    *o = arg;
	const FhirRuleText *rule = &fhir_rule_texts[fault->rule];

	if (o->count == ISSUES_MAX)
	{
		add_issue(o, "information", "incomplete", NULL, "further faults are left out", NULL, NULL);
		return false;
	}
	add_issue(o, "error", rule->issue, rule->key, fhir_fault_text(fault->rule, fault->what), fault->hint,
			  pstrdup(fault->path));
	return true;
}

static Jsonb *
finish(Outcome *o)
{
	JsonNode	parts[2];
	JsonNode	root;

	if (o->count == 0)
		add_issue(o, "information", "informational", NULL, "no fault found", NULL, NULL);
	parts[0] = text_node("resourceType", "OperationOutcome");
	parts[1] = array_node("issue", o->issues, o->count);
	root = object_node(NULL, parts, 2);
	return fhir_tree_to_jsonb(&root);
}

static void
check_all(Outcome *o, const JsonTree *tree)
{
	CoreStatus	status;

	do
	{
		o->count = 0;
		status = fhir_check_resource(tree->cx, tree->root, true, collect, o);
		fhir_raise_core(status);
	} while (status == CORE_INTERRUPTED);
}

/*
 * ehr.validate(jsonb, profile text) → fhir: an OperationOutcome with every
 * structural fault.  Raises 0A000 when a profile is asked for: none can be
 * loaded yet.
 */
Datum
fhir_validate(PG_FUNCTION_ARGS)
{
	Outcome    *o;
	JsonTree	tree;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	if (!PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("validation against a profile is not implemented"),
				 errhint("Call ehr.validate with one argument: it checks the structure that FHIR R4 itself demands.")));
	o = palloc(sizeof(Outcome));
	json_tree_init(&tree, fhir_core_context());
	fhir_tree_or_error(&tree, PG_GETARG_JSONB_P(0));
	check_all(o, &tree);
	PG_RETURN_JSONB_P(finish(o));
}

/*
 * ehr.validate(text) → fhir: the same of a document as it was sent, in which
 * keys may stand twice; what is not JSON is an issue too.
 */
Datum
fhir_validate_text(PG_FUNCTION_ARGS)
{
	text	   *doc = PG_GETARG_TEXT_PP(0);
	Outcome    *o = palloc(sizeof(Outcome));
	JsonTree	tree;

	o->count = 0;
	json_tree_init(&tree, fhir_core_context());
	if (fhir_parse_or_fault(&tree, VARDATA_ANY(doc), VARSIZE_ANY_EXHDR(doc), NULL) == CORE_OK)
		check_all(o, &tree);
	else
		add_issue(o, "fatal", "invalid", "json",
				  psprintf("the text %s (byte %zu)", json_fault_text(tree.fault), tree.fault_at + 1), NULL, NULL);
	PG_RETURN_JSONB_P(finish(o));
}
