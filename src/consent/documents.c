/*
 * documents.c
 *		FHIR Consent resources for SQL: compiling them, what they decide, and
 *		their provisions one by one, of which sql/consent_documents.sql makes the
 *		rows that sessions load (consent/rights.h).
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "core/consent_tree.h"
#include "core/fhir_model.h"
#include "fhir/fhir_tree.h"

#define MICROSECONDS_TO_2000 INT64CONST(946684800000000)

PG_FUNCTION_INFO_V1(ehr_consent_compile);
PG_FUNCTION_INFO_V1(ehr_consent_decide);
PG_FUNCTION_INFO_V1(ehr_consent_covers_row);
PG_FUNCTION_INFO_V1(ehr_consent_provisions);

static void
damaged(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("a compiled consent is damaged or of another version"),
			 errhint("Run SELECT ehr_internal.recompile_consents().")));
}

/*
 * ehr_internal.consent_compile(consent jsonb, vocabulary jsonb) → bytea
 *
 * 23514: the tree breaks a rule of doc/consent.md.
 */
Datum
ehr_consent_compile(PG_FUNCTION_ARGS)
{
	JsonTree	consent;
	JsonTree	vocabulary;
	ConsentForm form;
	ConsentFault fault;
	CoreStatus	status;
	bytea	   *result;

	json_tree_init(&consent, fhir_core_context());
	json_tree_init(&vocabulary, fhir_core_context());
	fhir_tree_or_error(&consent, PG_GETARG_JSONB_P(0));
	fhir_tree_or_error(&vocabulary, PG_GETARG_JSONB_P(1));
	status = consent_compile(fhir_core_context(), consent.root, vocabulary.root, &form, &fault);
	if (status == CORE_INVALID)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("a Consent's provisions cannot be decided by"),
				 errdetail("%s: %s.", fault.path, fault.rule)));
	if (status == CORE_TOO_LARGE)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a Consent has a text or list that is too long")));
	if (status != CORE_OK)
		fhir_raise_core(status);
	result = palloc(VARHDRSZ + form.len);
	SET_VARSIZE(result, VARHDRSZ + form.len);
	memcpy(VARDATA(result), form.bytes, form.len);
	json_tree_free(&consent);
	json_tree_free(&vocabulary);
	PG_RETURN_BYTEA_P(result);
}

static void
read_request(JsonTree *tree, Jsonb *doc, ConsentRequest *request)
{
	CoreStatus	status;

	json_tree_init(tree, fhir_core_context());
	fhir_tree_or_error(tree, doc);
	status = consent_request_read(tree, tree->root, request);
	if (status != CORE_OK)
		fhir_raise_core(status);
}

static void
push_member(JsonbParseState **state, const char *key, JsonbValue *value)
{
	JsonbValue	name;

	name.type = jbvString;
	name.val.string.val = unconstify(char *, key);
	name.val.string.len = strlen(key);
	(void) pushJsonbValue(state, WJB_KEY, &name);
	(void) pushJsonbValue(state, WJB_VALUE, value);
}

static void
push_number(JsonbParseState **state, const char *key, int number)
{
	JsonbValue	value;

	value.type = jbvNumeric;
	value.val.numeric = int64_to_numeric(number);
	push_member(state, key, &value);
}

/*
 * ehr_internal.consent_decide(form bytea, request jsonb) → jsonb
 *
 * decision permit, deny or none; node and depth of the provision that decided.
 */
Datum
ehr_consent_decide(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {"none", "permit", "deny"};
	bytea	   *form = PG_GETARG_BYTEA_PP(0);
	JsonTree	tree;
	ConsentRequest request;
	ConsentVerdict verdict;
	JsonbParseState *state = NULL;
	JsonbValue	value;

	read_request(&tree, PG_GETARG_JSONB_P(1), &request);
	if (consent_decide((const uint8_t *) VARDATA_ANY(form), VARSIZE_ANY_EXHDR(form), &request, &verdict) != CORE_OK)
		damaged();
	json_tree_free(&tree);
	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	value.type = jbvString;
	value.val.string.val = unconstify(char *, names[verdict.decision]);
	value.val.string.len = strlen(names[verdict.decision]);
	push_member(&state, "decision", &value);
	push_number(&state, "node", verdict.node);
	push_number(&state, "depth", verdict.depth);
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

/* ehr_internal.consent_covers_row(form bytea, node int, facts jsonb) → bool */
Datum
ehr_consent_covers_row(PG_FUNCTION_ARGS)
{
	bytea	   *form = PG_GETARG_BYTEA_PP(0);
	JsonTree	tree;
	ConsentRequest request;
	bool		result;

	read_request(&tree, PG_GETARG_JSONB_P(2), &request);
	if (consent_covers_row((const uint8_t *) VARDATA_ANY(form), VARSIZE_ANY_EXHDR(form), PG_GETARG_INT32(1), &request, &result) != CORE_OK)
		damaged();
	json_tree_free(&tree);
	PG_RETURN_BOOL(result);
}

/* -- the provisions as rows ------------------------------------------------ */

enum ProvisionColumn
{
	COL_NODE, COL_DEPTH, COL_DENY, COL_UNCERTAIN, COL_STARTS, COL_ENDS, COL_RECIPIENTS, COL_ACTIONS, COL_PURPOSES,
	COL_LABELS, COL_NORMAL, COL_TYPES, COL_AUTHORS, COL_FINER, PROVISION_COLUMNS
};

typedef struct Rows
{
	ReturnSetInfo *rsinfo;
	Datum		values[PROVISION_COLUMNS];
	bool		nulls[PROVISION_COLUMNS];
} Rows;

static Timestamp
moment(int64_t microseconds)
{
	if (microseconds == CONSENT_EVER)
		return DT_NOBEGIN;
	return microseconds == CONSENT_NEVER ? DT_NOEND : microseconds - MICROSECONDS_TO_2000;
}

/*
 * The entries of a list; null when one that is not understood may mean any: in
 * a denial.  In a permit it just is none.
 */
static void
list_column(Rows *rows, int column, ConsentPart *part, bool deny)
{
	Datum	   *items = palloc(sizeof(Datum) * Max(part->left, 1));
	ConsentEntry entry;
	int			n = 0;
	bool		numbers = column == COL_TYPES;

	while (consent_next_entry(part, &entry))
	{
		if (numbers)
			items[n++] = Int16GetDatum(entry.number);
		else if (entry.kind.len > 0)
			items[n++] = PointerGetDatum(cstring_to_text(psprintf("%.*s@%.*s", (int) entry.kind.len, entry.kind.text,
																  (int) entry.text.len, entry.text.text)));
		else
			items[n++] = PointerGetDatum(cstring_to_text_with_len(entry.text.text, entry.text.len));
	}
	rows->nulls[column] = part->unknown && deny;
	if (!rows->nulls[column])
		rows->values[column] = PointerGetDatum(numbers
											   ? construct_array(items, n, INT2OID, sizeof(int16), true, TYPALIGN_SHORT)
											   : construct_array(items, n, TEXTOID, -1, false, TYPALIGN_INT));
}

static void
skip_entries(ConsentPart *part)
{
	ConsentEntry entry;

	while (consent_next_entry(part, &entry))
		;
}

static void
part_columns(Rows *rows, ConsentPart *part, bool deny)
{
	switch (part->part)
	{
		case CONSENT_HAS_UNKNOWN:
			rows->values[COL_UNCERTAIN] = BoolGetDatum(true);
			break;
		case CONSENT_HAS_PERIOD:
			rows->values[COL_STARTS] = TimestampTzGetDatum(moment(part->from));
			rows->values[COL_ENDS] = TimestampTzGetDatum(moment(part->to));
			break;
		case CONSENT_HAS_RECIPIENT:
			list_column(rows, COL_RECIPIENTS, part, deny);
			break;
		case CONSENT_HAS_ACTION:
			list_column(rows, COL_ACTIONS, part, deny);
			break;
		case CONSENT_HAS_PURPOSE:
			list_column(rows, COL_PURPOSES, part, deny);
			break;
		case CONSENT_HAS_LABELS:
			rows->nulls[COL_LABELS] = part->unknown && deny;
			rows->values[COL_LABELS] = Int32GetDatum((int32) part->labels);
			rows->values[COL_NORMAL] = BoolGetDatum(part->normal);
			break;
		case CONSENT_HAS_CLASS:
			list_column(rows, COL_TYPES, part, deny);
			break;
		case CONSENT_HAS_AUTHOR:
			list_column(rows, COL_AUTHORS, part, deny);
			break;
		default:
			rows->values[COL_FINER] = BoolGetDatum(true);
			skip_entries(part);
	}
}

static void
put_provision(void *arg, const ConsentProvision *provision)
{
	Rows	   *rows = arg;
	bool		deny = provision->decision == CONSENT_DENY;
	ConsentPart part = {provision->parts, provision->criteria, provision->criteria + provision->criteria_len};

	memset(rows->values, 0, sizeof(rows->values));
	for (int i = 0; i < PROVISION_COLUMNS; i++)
		rows->nulls[i] = i >= COL_RECIPIENTS && i != COL_NORMAL && i != COL_FINER;
	rows->values[COL_NODE] = Int32GetDatum(provision->node);
	rows->values[COL_DEPTH] = Int16GetDatum(provision->depth);
	rows->values[COL_DENY] = BoolGetDatum(deny);
	rows->values[COL_STARTS] = TimestampTzGetDatum(DT_NOBEGIN);
	rows->values[COL_ENDS] = TimestampTzGetDatum(DT_NOEND);
	while (consent_next_part(&part))
	{
		rows->nulls[COL_LABELS] = rows->nulls[COL_LABELS] && part.part != CONSENT_HAS_LABELS;
		part_columns(rows, &part, deny);
	}
	tuplestore_putvalues(rows->rsinfo->setResult, rows->rsinfo->setDesc, rows->values, rows->nulls);
}

/*
 * ehr_internal.consent_provisions(form bytea) → setof record
 *
 * In preorder.  A criterion is null when it is absent, or when a denial has one
 * that is not understood, so that it excludes nothing.
 */
Datum
ehr_consent_provisions(PG_FUNCTION_ARGS)
{
	Rows		rows = {0};
	bytea	   *form;

	InitMaterializedSRF(fcinfo, 0);
	form = PG_GETARG_BYTEA_PP(0);
	rows.rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	if (consent_provisions((const uint8_t *) VARDATA_ANY(form), VARSIZE_ANY_EXHDR(form), put_provision, &rows) != CORE_OK)
		damaged();
	PG_RETURN_NULL();
}
