/*
 * fhir_cast.c
 *		Casts of fhir, and what stands at the top of a document.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "compat.h"
#include "fhir.h"

PG_FUNCTION_INFO_V1(fhir_from_jsonb);
PG_FUNCTION_INFO_V1(fhir_coerce);
PG_FUNCTION_INFO_V1(fhir_to_json);
PG_FUNCTION_INFO_V1(fhir_resource_type);
PG_FUNCTION_INFO_V1(fhir_resource_id);
PG_FUNCTION_INFO_V1(fhir_number_of_type);
PG_FUNCTION_INFO_V1(fhir_name_of_type);

/*
 * Assignment cast jsonb → fhir: validates.  The modifier is checked here too,
 * since PostgreSQL gives it to a cast function that takes it.
 */
Datum
fhir_from_jsonb(PG_FUNCTION_ARGS)
{
	Jsonb	   *doc = PG_GETARG_JSONB_P(0);

	if (!fhir_check(doc, PG_GETARG_INT32(1), fcinfo->context))
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(doc);
}

/* Cast fhir → fhir(T): the document is valid already, only its type is looked at. */
Datum
fhir_coerce(PG_FUNCTION_ARGS)
{
	Jsonb	   *doc = PG_GETARG_JSONB_P(0);

	if (!fhir_check_typmod(doc, PG_GETARG_INT32(1), fcinfo->context))
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(doc);
}

/* Cast fhir → json: to_jsonb(row) and json_agg nest a value only where such a function exists. */
Datum
fhir_to_json(PG_FUNCTION_ARGS)
{
	Jsonb	   *doc = PG_GETARG_JSONB_P(0);
	StringInfoData text;

	initStringInfo(&text);
	JsonbToCString(&text, &doc->root, VARSIZE(doc));
	PG_RETURN_TEXT_P(cstring_to_text_with_len(text.data, text.len));
}

const char *
fhir_top_string(const Jsonb *doc, const char *key, int *len)
{
	JsonbContainer *root = (JsonbContainer *) &doc->root;
	JsonbValue	buffer;

	if (!JsonContainerIsObject(root) ||
		getKeyJsonValueFromContainer(root, key, strlen(key), &buffer) == NULL ||
		buffer.type != jbvString)
		return NULL;
	*len = buffer.val.string.len;
	return buffer.val.string.val;
}

int
fhir_document_type(const Jsonb *doc)
{
	int			len;
	const char *name = fhir_top_string(doc, "resourceType", &len);

	return name == NULL ? 0 : fhir_resource_number(name, len);
}

static Datum
top_text(FunctionCallInfo fcinfo, const char *key)
{
	Jsonb	   *doc = PG_GETARG_JSONB_P(0);
	int			len;
	const char *value = fhir_top_string(doc, key, &len);

	if (value == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text_with_len(value, len));
}

/* ehr.resource_type(fhir) → text */
Datum
fhir_resource_type(PG_FUNCTION_ARGS)
{
	return top_text(fcinfo, "resourceType");
}

/* ehr.resource_id(fhir) → text, NULL where the resource has none */
Datum
fhir_resource_id(PG_FUNCTION_ARGS)
{
	return top_text(fcinfo, "id");
}

/* ehr_internal.type_number(text) → int2: NULL for what is no resource type */
Datum
fhir_number_of_type(PG_FUNCTION_ARGS)
{
	text	   *name = PG_GETARG_TEXT_PP(0);
	int			number = fhir_resource_number(VARDATA_ANY(name), VARSIZE_ANY_EXHDR(name));

	if (number == 0)
		PG_RETURN_NULL();
	PG_RETURN_INT16(number);
}

/* ehr_internal.type_name(int2) → text: NULL for what is no number of a resource type */
Datum
fhir_name_of_type(PG_FUNCTION_ARGS)
{
	const char *name = fhir_resource_name(PG_GETARG_INT16(0));

	if (name == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(name));
}
