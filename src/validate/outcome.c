/*
 * outcome.c
 *		ehr.validate: all issues of a document as an OperationOutcome.
 *
 * The outcome is put together as a tree, like a parsed one, and written by the
 * same code.  It holds no value of the document.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "compat.h"
#include "fhir/fhir.h"
#include "fhir/fhir_tree.h"
#include "quiet.h"
#include "validate/definitions.h"

PG_FUNCTION_INFO_V1(fhir_validate);
PG_FUNCTION_INFO_V1(fhir_validate_text);
PG_FUNCTION_INFO_V1(fhir_invariants_list);

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

void
add_issue(Validation *v, Severity severity, const char *code, const char *rule, const char *text, const char *hint,
		  const char *path)
{
	static const char *const severities[] = {"fatal", "error", "warning", "information"};
	JsonNode	details[2];
	JsonNode	issue[5];
	int			n = 0;

	if (v->full)
		return;
	if (v->count == ISSUES_MAX)
	{
		v->full = true;
		severity = SEVERITY_INFORMATION;
		code = "incomplete";
		rule = hint = path = NULL;
		text = "further issues are left out";
	}
	if (v->count == v->size)
	{
		v->size = v->size == 0 ? 8 : v->size * 2;
		v->issues = v->issues == NULL ? palloc(v->size * sizeof(JsonNode)) :
			repalloc(v->issues, v->size * sizeof(JsonNode));
	}
	details[n++] = text_node("text", text);
	if (rule != NULL)
	{
		JsonNode	rule_code = text_node("code", rule);
		JsonNode	coding = object_node(NULL, &rule_code, 1);

		details[n++] = array_node("coding", &coding, 1);
	}
	issue[0] = text_node("severity", severities[severity]);
	issue[1] = text_node("code", code);
	issue[2] = object_node("details", details, n);
	n = 3;
	if (hint != NULL)
		issue[n++] = text_node("diagnostics", hint);
	if (path != NULL)
	{
		JsonNode	expression = text_node(NULL, pstrdup(path));

		issue[n++] = array_node("expression", &expression, 1);
	}
	v->issues[v->count++] = object_node(NULL, issue, n);
}

static bool
collect(void *arg, const FhirFault *fault)
{
	Validation *v = arg;
	const FhirRuleText *rule = &fhir_rule_texts[fault->rule];

	add_issue(v, SEVERITY_ERROR, rule->issue, rule->key, fhir_fault_text(fault->rule, fault->what), fault->hint,
			  fault->path);
	return !v->full;
}

/* What is asked of every object once its structure was looked at */
static void
visit(void *arg, const FhirVisit *at)
{
	Validation *v = arg;

	if (v->full)
		return;
	check_invariants(v, at);
	check_bindings(v, at);
	if (at->type == fhir_reference_type)
		check_contained_reference(v, at);
	else if (at->type == fhir_extension_type)
	{
		check_known_extension(v, at);
		if (v->extensions)
			check_loaded_extension(v, at);
	}
	else if (at->node == at->resource)
	{
		check_contained_used(v, at);
		check_conformance_resource(v, at);
		check_declared_profiles(v, at);
		if (at->outermost && text_is(child_of(at->node, "resourceType"), "Bundle"))
			check_bundle(v, at);
		else if (text_is(child_of(at->node, "resourceType"), "QuestionnaireResponse"))
			check_questionnaire_response(v, at);
	}
}

static Jsonb *
finish(Validation *v)
{
	JsonNode	parts[2];
	JsonNode	root;

	if (v->count == 0)
		add_issue(v, SEVERITY_INFORMATION, "informational", NULL, "no fault found", NULL, NULL);
	parts[0] = text_node("resourceType", "OperationOutcome");
	parts[1] = array_node("issue", v->issues, v->count);
	root = object_node(NULL, parts, 2);
	return fhir_tree_to_jsonb(&root);
}

/* The invariants by type: made at a backend's first validation, kept for its life */
static const FhirInvariantPlans *
invariant_plans(MemoryContext *plans_memory)
{
	static FhirInvariantPlans plans;
	static MemoryContext memory = NULL;
	static bool ready = false;

	if (!ready)
	{
		MemoryContext caller = CurrentMemoryContext;

		if (memory == NULL)
			memory = AllocSetContextCreate(TopMemoryContext, "ehr invariants", ALLOCSET_DEFAULT_SIZES);
		MemoryContextSwitchTo(memory);
		fhir_raise_core(fhir_invariants_prepare(fhir_core_context(), &plans));
		MemoryContextSwitchTo(caller);
		ready = true;
	}
	*plans_memory = memory;
	return &plans;
}

static void
run_validation(Validation *v, const JsonTree *tree, const char *profile)
{
	CoreStatus	status;

	definitions_refresh();
	do
	{
		memset(v, 0, sizeof(*v));
		v->document = tree->root;
		v->plans = invariant_plans(&v->plans_memory);
		v->extensions = any_extension_loaded();
		status = fhir_check_and_visit(tree->cx, tree->root, collect, visit, v);
		fhir_raise_core(status);
	} while (status == CORE_INTERRUPTED);
	if (profile != NULL)
		check_asked_profile(v, profile);
}

static Jsonb *
validate_tree(const JsonTree *tree, const char *profile)
{
	Validation	v;

	run_validation(&v, tree, profile);
	return finish(&v);
}

bool
conforms_to_profile(Jsonb *doc, const char *profile)
{
	JsonTree	tree;
	Validation	v;

	json_tree_init(&tree, fhir_core_context());
	fhir_tree_or_error(&tree, doc);
	run_validation(&v, &tree, profile);
	for (int i = 0; i < v.count; i++)
	{
		const JsonNode *severity = child_of(&v.issues[i], "severity");

		if (text_is(severity, "error") || text_is(severity, "fatal"))
			return false;
	}
	return true;
}

/*
 * ehr.validate(jsonb, profile text) → fhir: an OperationOutcome with every
 * issue.  A profile that is not loaded is an issue too.
 */
Datum
fhir_validate(PG_FUNCTION_ARGS)
{
	JsonTree	tree;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	json_tree_init(&tree, fhir_core_context());
	fhir_tree_or_error(&tree, PG_GETARG_JSONB_P(0));
	PG_RETURN_JSONB_P(validate_tree(&tree, PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1))));
}

/*
 * ehr.validate(text) → fhir: the same of a document as it was sent, in which
 * keys may stand twice; what is not JSON is an issue too.
 */
Datum
fhir_validate_text(PG_FUNCTION_ARGS)
{
	text	   *doc = PG_GETARG_TEXT_PP(0);
	JsonTree	tree;
	Validation	v = {0};

	json_tree_init(&tree, fhir_core_context());
	if (fhir_parse_or_fault(&tree, VARDATA_ANY(doc), VARSIZE_ANY_EXHDR(doc), NULL) == CORE_OK)
		PG_RETURN_JSONB_P(validate_tree(&tree, NULL));
	add_issue(&v, SEVERITY_FATAL, "invalid", "json",
			  psprintf("the text %s (byte %zu)", json_fault_text(tree.fault), tree.fault_at + 1), NULL, NULL);
	PG_RETURN_JSONB_P(finish(&v));
}

/* ehr_internal.invariants() → setof (type, key, severity, human, expression, checked): those of R4 that are asked as expressions */
Datum
fhir_invariants_list(PG_FUNCTION_ARGS)
{
	MemoryContext memory;
	const FhirInvariantPlans *plans = invariant_plans(&memory);
	ReturnSetInfo *result;

	InitMaterializedSRF(fcinfo, 0);
	result = (ReturnSetInfo *) fcinfo->resultinfo;
	for (int i = 0; i < plans->first[fhir_type_count]; i++)
	{
		const FhirInvariant *invariant = plans->plans[i].invariant;
		MemoryContext caller = MemoryContextSwitchTo(memory);
		bool		nulls[6] = {false};
		Datum		row[6];

		fhir_raise_core(fhir_invariant_parse(fhir_core_context(), &plans->plans[i]));
		MemoryContextSwitchTo(caller);

		row[0] = CStringGetTextDatum(invariant->child[0] == '\0' ? invariant->type :
									 psprintf("%s.%s", invariant->type, invariant->child));
		row[1] = CStringGetTextDatum(invariant->key);
		row[2] = CStringGetTextDatum(invariant->error ? "error" : "warning");
		row[3] = CStringGetTextDatum(invariant->human);
		row[4] = CStringGetTextDatum(invariant->expression);
		row[5] = BoolGetDatum(plans->plans[i].expr != NULL);
		tuplestore_putvalues(result->setResult, result->setDesc, row, nulls);
	}
	return (Datum) 0;
}
