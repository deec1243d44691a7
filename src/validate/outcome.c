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

JsonNode
text_node(const char *key, const char *text)
{
	JsonNode	node = {.key = key, .key_len = key == NULL ? 0 : strlen(key), .kind = NODE_STRING};

	node.u.text = text;
	node.len = strlen(text);
	return node;
}

JsonNode
object_node(const char *key, const JsonNode *children, int count)
{
	JsonNode	node = {.key = key, .key_len = key == NULL ? 0 : strlen(key), .kind = NODE_OBJECT, .len = count};
	JsonNode   *copy = palloc(count * sizeof(JsonNode));

	memcpy(copy, children, count * sizeof(JsonNode));
	json_sort_nodes(copy, count);
	node.u.children = copy;
	return node;
}

JsonNode
array_node(const char *key, const JsonNode *children, int count)
{
	JsonNode	node = {.key = key, .key_len = key == NULL ? 0 : strlen(key), .kind = NODE_ARRAY, .len = count};
	JsonNode   *copy = palloc(count * sizeof(JsonNode));

	memcpy(copy, children, count * sizeof(JsonNode));
	node.u.children = copy;
	return node;
}

void
add_issue(Validation *v, Severity severity, const char *code, const char *rule, const char *text, const char *hint,
		  const char *path)
{
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
		v->issues = v->issues == NULL ? palloc(v->size * sizeof(Issue)) :
			repalloc(v->issues, v->size * sizeof(Issue));
	}
	v->issues[v->count++] = (Issue) {severity, code, rule, text, hint, path == NULL ? NULL : pstrdup(path)};
}

static JsonNode
issue_node(const Issue *from)
{
	static const char *const severities[] = {"fatal", "error", "warning", "information"};
	JsonNode	details[2];
	JsonNode	issue[5];
	int			n = 0;

	details[n++] = text_node("text", from->text);
	if (from->rule != NULL)
	{
		JsonNode	rule_code = text_node("code", from->rule);
		JsonNode	coding = object_node(NULL, &rule_code, 1);

		details[n++] = array_node("coding", &coding, 1);
	}
	issue[0] = text_node("severity", severities[from->severity]);
	issue[1] = text_node("code", from->code);
	issue[2] = object_node("details", details, n);
	n = 3;
	if (from->hint != NULL)
		issue[n++] = text_node("diagnostics", from->hint);
	if (from->path != NULL)
	{
		JsonNode	expression = text_node(NULL, from->path);

		issue[n++] = array_node("expression", &expression, 1);
	}
	return object_node(NULL, issue, n);
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

/* What is asked of a resource besides what is asked of every object */
static void
visit_resource(Validation *v, const FhirVisit *at)
{
	static int	bundle = 0,
				response = 0,
				report = 0;

	if (bundle == 0)
	{
		response = FHIR_RESOURCE_BASE + fhir_resource_number("QuestionnaireResponse", 21);
		report = FHIR_RESOURCE_BASE + fhir_resource_number("MeasureReport", 13);
		bundle = FHIR_RESOURCE_BASE + fhir_resource_number("Bundle", 6);
	}
	check_contained_used(v, at);
	check_conformance_resource(v, at);
	check_declared_profiles(v, at);
	if (at->outermost && at->type == bundle)
		check_bundle(v, at);
	else if (at->type == response)
		check_questionnaire_response(v, at);
	else if (at->type == report)
		check_measure_report(v, at);
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
	if (at->type == fhir_coding_type)
		check_coding(v, at);
	else if (at->type == fhir_reference_type)
		check_contained_reference(v, at);
	else if (at->type == fhir_extension_type)
	{
		check_known_extension(v, at);
		check_extension_context(v, at);
		if (any_extension_loaded())
			check_loaded_extension(v, at);
	}
	else if (at->node == at->resource)
		visit_resource(v, at);
}

static Jsonb *
write_outcome(const Issue *issues, int count)
{
	JsonNode	parts[2];
	JsonNode	root;
	JsonNode   *nodes = palloc(count * sizeof(JsonNode));

	for (int i = 0; i < count; i++)
		nodes[i] = issue_node(&issues[i]);
	parts[0] = text_node("resourceType", "OperationOutcome");
	parts[1] = array_node("issue", nodes, count);
	root = object_node(NULL, parts, 2);
	return fhir_tree_to_jsonb(&root);
}

/*
 * Outcomes of one issue, kept: most documents have no fault or all the same
 * one, as "a resource should have narrative" (dom-6) at their root.
 */
#define KEPT_OUTCOMES	64
#define KEPT_SIZE		1024

typedef struct KeptOutcome
{
	Issue		issue;			/* pointers are into `texts`; code NULL: nothing is kept here */
	char		texts[KEPT_SIZE];
	Jsonb	   *outcome;
} KeptOutcome;

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool
same_issue(const Issue *a, const Issue *b)
{
	return a->severity == b->severity && same_text(a->path, b->path) && same_text(a->rule, b->rule) &&
		same_text(a->code, b->code) && same_text(a->text, b->text) && same_text(a->hint, b->hint);
}

static uint32
add_hash(uint32 hash, const char *text)
{
	/* FNV-1a */
	for (; text != NULL && *text != '\0'; text++)
		hash = (hash ^ (unsigned char) *text) * 16777619;
	return hash;
}

/* A copy in the texts of a kept outcome; false: there is no room. */
static bool
keep_text(KeptOutcome *kept, size_t *used, const char **text)
{
	size_t		len;

	if (*text == NULL)
		return true;
	len = strlen(*text) + 1;
	if (*used + len > KEPT_SIZE)
		return false;
	*text = memcpy(kept->texts + *used, *text, len);
	*used += len;
	return true;
}

static void
keep_outcome(KeptOutcome *kept, const Issue *issue, const Jsonb *outcome)
{
	Issue		copy = *issue;
	size_t		used = 0;

	kept->issue.code = NULL;
	if (kept->outcome != NULL)
		pfree(kept->outcome);
	kept->outcome = NULL;
	if (!keep_text(kept, &used, &copy.code) || !keep_text(kept, &used, &copy.rule) || !keep_text(kept, &used, &copy.text) ||
		!keep_text(kept, &used, &copy.hint) || !keep_text(kept, &used, &copy.path))
		return;
	kept->outcome = MemoryContextAlloc(TopMemoryContext, VARSIZE(outcome));
	memcpy(kept->outcome, outcome, VARSIZE(outcome));
	kept->issue = copy;
}

static Jsonb *
outcome_of_one(const Issue *issue)
{
	static KeptOutcome *all = NULL;
	KeptOutcome *kept;
	Jsonb	   *outcome;

	if (all == NULL)
		all = MemoryContextAllocZero(TopMemoryContext, KEPT_OUTCOMES * sizeof(KeptOutcome));
	kept = &all[add_hash(add_hash(2166136261u, issue->rule), issue->path) % KEPT_OUTCOMES];
	if (kept->issue.code != NULL && same_issue(&kept->issue, issue))
	{
		outcome = palloc(VARSIZE(kept->outcome));
		memcpy(outcome, kept->outcome, VARSIZE(kept->outcome));
		return outcome;
	}
	outcome = write_outcome(issue, 1);
	keep_outcome(kept, issue, outcome);
	return outcome;
}

static Jsonb *
finish(Validation *v)
{
	if (v->count == 0)
		add_issue(v, SEVERITY_INFORMATION, "informational", NULL, "no fault found", NULL, NULL);
	return v->count == 1 ? outcome_of_one(v->issues) : write_outcome(v->issues, v->count);
}

static void
run_validation(Validation *v, const JsonTree *tree, Jsonb *jsonb, const char *profile)
{
	CoreStatus	status;

	definitions_refresh();
	do
	{
		memset(v, 0, sizeof(*v));
		v->document = tree->root;
		v->jsonb = jsonb;
		status = fhir_check_and_visit(tree->cx, tree->root, collect, visit, v);
		fhir_raise_core(status);
	} while (status == CORE_INTERRUPTED);
	if (profile != NULL)
		check_asked_profile(v, profile);
}

static Jsonb *
validate_tree(const JsonTree *tree, Jsonb *jsonb, const char *profile)
{
	Validation	v;

	run_validation(&v, tree, jsonb, profile);
	return finish(&v);
}

bool
conforms_to_profile(Jsonb *doc, const char *profile)
{
	JsonTree	tree;
	Validation	v;

	json_tree_init(&tree, fhir_core_context());
	fhir_tree_or_error(&tree, doc);
	run_validation(&v, &tree, doc, profile);
	for (int i = 0; i < v.count; i++)
	{
		if (v.issues[i].severity <= SEVERITY_ERROR)
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
	Jsonb	   *doc;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	doc = PG_GETARG_JSONB_P(0);
	json_tree_init(&tree, fhir_core_context());
	fhir_tree_or_error(&tree, doc);
	PG_RETURN_JSONB_P(validate_tree(&tree, doc, PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1))));
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
		PG_RETURN_JSONB_P(validate_tree(&tree, NULL, NULL));
	add_issue(&v, SEVERITY_FATAL, "invalid", "json",
			  psprintf("the text %s (byte %zu)", json_fault_text(tree.fault), tree.fault_at + 1), NULL, NULL);
	PG_RETURN_JSONB_P(finish(&v));
}

/* ehr_internal.invariants() → setof (type, key, severity, human, expression, checked): those of R4 that are asked as expressions */
Datum
fhir_invariants_list(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result;

	InitMaterializedSRF(fcinfo, 0);
	result = (ReturnSetInfo *) fcinfo->resultinfo;
	for (int i = 0; i < fhir_invariant_count; i++)
	{
		const FhirInvariant *invariant = &fhir_invariants[i];
		bool		nulls[6] = {false};
		Datum		row[6];

		row[0] = CStringGetTextDatum(invariant->child[0] == '\0' ? invariant->type :
									 psprintf("%s.%s", invariant->type, invariant->child));
		row[1] = CStringGetTextDatum(invariant->key);
		row[2] = CStringGetTextDatum(invariant->error ? "error" : "warning");
		row[3] = CStringGetTextDatum(invariant->human);
		row[4] = CStringGetTextDatum(invariant->expression);
		row[5] = BoolGetDatum(invariant_constraint(i)->plan != NULL);
		tuplestore_putvalues(result->setResult, result->setDesc, row, nulls);
	}
	return (Datum) 0;
}
