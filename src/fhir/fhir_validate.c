/*
 * fhir_validate.c
 *		From text or jsonb to a valid FHIR resource, or to a list of its faults.
 *
 * The walk itself is core/fhir_check.c; here are the ways into it and the
 * errors that PostgreSQL's callers see.
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "core/fhir_check.h"

#include "compat.h"
#include "fhir.h"
#include "fhir_tree.h"
#include "quiet.h"

/* Largest text that is taken, since jsonb holds offsets of 28 bits */
#define FHIR_TEXT_MAX	(255 * 1024 * 1024)

PG_FUNCTION_INFO_V1(fhir_is_valid);

/* The first fault of a document, kept beyond the walk */
typedef struct FirstFault
{
	FhirRule	rule;
	char	   *path;
	const char *what;
	const char *hint;
} FirstFault;

static bool
keep_first(void *arg, const FhirFault *fault)
{
	FirstFault *first = arg;

	first->rule = fault->rule;
	first->path = pstrdup(fault->path);
	first->what = fault->what;
	first->hint = fault->hint;
	return false;
}

static bool
only_stop(void *arg, const FhirFault *fault)
{
	return false;
}

char *
fhir_fault_text(FhirRule rule, const char *what)
{
	StringInfoData text;

	initStringInfo(&text);
	/* the only %s of a rule's text is its `what` */
	appendStringInfo(&text, fhir_rule_texts[rule].text, what == NULL ? "" : what);
	return text.data;
}

static bool
raise_fault(const FirstFault *first, Node *escontext)
{
	ehr_quiet(escontext);
	ehr_ereturn(escontext, false,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("invalid FHIR resource"),
				 errdetail("%s: %s.", first->path, fhir_fault_text(first->rule, first->what)),
				 first->hint != NULL ? errhint("%s", first->hint) : 0,
				 ehr_quiet_context()));
}

/* Faults of the text itself; the byte where it was found is all that is said about it. */
static bool
raise_json_fault(const JsonTree *tree, Node *escontext)
{
	ehr_quiet(escontext);
	if (tree->fault == JSON_NUL)
		ehr_ereturn(escontext, false,
					(errcode(ERRCODE_UNTRANSLATABLE_CHARACTER),
					 errmsg("unsupported Unicode escape sequence"),
					 errdetail("The text %s (byte %zu).", json_fault_text(tree->fault), tree->fault_at + 1),
					 ehr_quiet_context()));
	if (tree->fault == JSON_DEEP)
		ehr_ereturn(escontext, false,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("FHIR resource too deep"),
					 errdetail("Arrays and objects may be nested %d times.", JSON_DEPTH_MAX),
					 ehr_quiet_context()));
	ehr_ereturn(escontext, false,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("invalid JSON in a FHIR resource"),
				 errdetail("The text %s (byte %zu).", json_fault_text(tree->fault), tree->fault_at + 1),
				 ehr_quiet_context()));
}

static bool
raise_too_large(Node *escontext)
{
	ehr_quiet(escontext);
	ehr_ereturn(escontext, false,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("FHIR resource too large or too deep"),
				 errdetail("A resource may have %d MB, nested %d times.", FHIR_TEXT_MAX / (1024 * 1024), JSON_DEPTH_MAX),
				 ehr_quiet_context()));
}

void
fhir_raise_core(CoreStatus status)
{
	if (status == CORE_NO_MEMORY)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory while validating a FHIR resource")));
	if (status == CORE_INTERRUPTED)
		CHECK_FOR_INTERRUPTS();
}

void
fhir_tree_or_error(JsonTree *tree, Jsonb *doc)
{
	CoreStatus	status;

	check_stack_depth();
	do
	{
		json_tree_free(tree);
		status = fhir_tree_from_jsonb(tree, doc);
		fhir_raise_core(status);
	} while (status == CORE_INTERRUPTED);
	if (status == CORE_TOO_DEEP)
		(void) raise_too_large(NULL);
}

bool
fhir_validate_jsonb(Jsonb *doc)
{
	JsonTree	tree;
	CoreStatus	status;
	bool		valid;

	json_tree_init(&tree, fhir_core_context());
	fhir_tree_or_error(&tree, doc);
	do
	{
		status = fhir_check_resource(tree.cx, tree.root, false, only_stop, NULL);
		fhir_raise_core(status);
	} while (status == CORE_INTERRUPTED);
	valid = status == CORE_OK;
	json_tree_free(&tree);
	return valid;
}

/* Validates a tree, raising what is first found */
static bool
check_tree(JsonTree *tree, Node *escontext)
{
	FirstFault	first;
	CoreStatus	status;

	do
	{
		status = fhir_check_resource(tree->cx, tree->root, false, keep_first, &first);
		fhir_raise_core(status);
	} while (status == CORE_INTERRUPTED);
	return status == CORE_OK || raise_fault(&first, escontext);
}

bool
fhir_check(Jsonb *doc, int32 typmod, Node *escontext)
{
	JsonTree	tree;
	bool		valid;

	json_tree_init(&tree, fhir_core_context());
	fhir_tree_or_error(&tree, doc);
	valid = check_tree(&tree, escontext);
	json_tree_free(&tree);
	return valid && fhir_check_typmod(doc, typmod, escontext);
}

CoreStatus
fhir_parse_or_fault(JsonTree *tree, const char *text, int len, Node *escontext)
{
	CoreStatus	status;

	if (GetDatabaseEncoding() != PG_UTF8)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("type fhir needs a database in UTF-8"),
				 errhint("Create the database with ENCODING 'UTF8'.")));
	if (len > FHIR_TEXT_MAX)
	{
		(void) raise_too_large(escontext);
		return CORE_TOO_LARGE;
	}
	do
	{
		json_tree_free(tree);
		status = json_tree_parse(tree, text, len);
		fhir_raise_core(status);
	} while (status == CORE_INTERRUPTED);
	return status;
}

Jsonb *
fhir_from_text(const char *text, int len, int32 typmod, Node *escontext)
{
	JsonTree	tree;
	Jsonb	   *doc = NULL;
	CoreStatus	status;

	json_tree_init(&tree, fhir_core_context());
	status = fhir_parse_or_fault(&tree, text, len, escontext);
	if (status == CORE_INVALID)
		(void) raise_json_fault(&tree, escontext);
	else if (status == CORE_OK && check_tree(&tree, escontext))
	{
		doc = fhir_tree_to_jsonb(tree.root);
		if (doc == NULL)
			(void) raise_too_large(escontext);
	}
	json_tree_free(&tree);
	if (doc != NULL && !fhir_check_typmod(doc, typmod, escontext))
		doc = NULL;
	return doc;
}

/* ehr.is_valid(jsonb) → boolean */
Datum
fhir_is_valid(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(fhir_validate_jsonb(PG_GETARG_JSONB_P(0)));
}
