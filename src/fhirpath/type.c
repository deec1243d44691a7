/*
 * type.c
 *		Type fhirpath: input, output, binary form.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "compat.h"
#include "core/fhir_model.h"
#include "fhir/fhir_tree.h"
#include "fhirpath.h"

PG_FUNCTION_INFO_V1(fhirpath_in);
PG_FUNCTION_INFO_V1(fhirpath_coerce);
PG_FUNCTION_INFO_V1(fhirpath_out);
PG_FUNCTION_INFO_V1(fhirpath_recv);
PG_FUNCTION_INFO_V1(fhirpath_send);
PG_FUNCTION_INFO_V1(fhirpath_problem);

#define BINARY_VERSION 1

static int
fault_sqlstate(FhirPathFault fault)
{
	switch (fault)
	{
		case FHIRPATH_UNKNOWN:
			return ERRCODE_UNDEFINED_OBJECT;
		case FHIRPATH_ARGUMENTS:
			return ERRCODE_INVALID_PARAMETER_VALUE;
		case FHIRPATH_SINGLE:
			return ERRCODE_SINGLETON_SQL_JSON_ITEM_REQUIRED;
		case FHIRPATH_TYPE:
			return ERRCODE_DATATYPE_MISMATCH;
		case FHIRPATH_VALUE:
			return ERRCODE_INVALID_PARAMETER_VALUE;
		case FHIRPATH_UNSUPPORTED:
			return ERRCODE_FEATURE_NOT_SUPPORTED;
		case FHIRPATH_STEP_LIMIT:
			return ERRCODE_STATEMENT_TOO_COMPLEX;
		default:
			return ERRCODE_SYNTAX_ERROR;
	}
}

/* Place of a byte of the text, counted in characters from 1 */
static int
character_place(const char *text, size_t len, size_t at)
{
	int			n = 1;

	for (size_t i = 0; i < at && i < len; i++)
		n += ((unsigned char) text[i] & 0xC0) != 0x80;
	return n;
}

FhirPath *
fhirpath_from_text(const char *text, size_t len, Node *escontext)
{
	FhirPathError error;
	FhirPath   *path = NULL;
	CoreStatus	status;

	for (;;)
	{
		status = fhirpath_parse(fhir_core_context(), text, len, &path, &error);
		if (status != CORE_INTERRUPTED)
			break;
		CHECK_FOR_INTERRUPTS();
	}
	switch (status)
	{
		case CORE_OK:
			return path;
		case CORE_TOO_LARGE:
		case CORE_TOO_DEEP:
			ehr_ereturn(escontext, NULL,
						(errcode(ERRCODE_STATEMENT_TOO_COMPLEX),
						 errmsg("%s", error.text),
						 errdetail("At most %d bytes and %d levels are taken.", FHIRPATH_TEXT_MAX, FHIRPATH_DEPTH)));
		case CORE_INVALID:
			ehr_ereturn(escontext, NULL,
						(errcode(fault_sqlstate(error.fault)),
						 errmsg("invalid FHIRPath expression: %s", error.text),
						 errdetail("At character %d.", character_place(text, len, error.at))));
		default:
			fhir_raise_core(status);
	}
	return NULL;
}

static Datum
path_datum(FhirPath *path)
{
	size_t		size = fhirpath_size(path);
	char	   *result = palloc(VARHDRSZ + size);

	SET_VARSIZE(result, VARHDRSZ + size);
	memcpy(VARDATA(result), path, size);
	pfree(path);
	return PointerGetDatum(result);
}

const FhirPath *
fhirpath_of_datum(Datum datum)
{
	struct varlena *value = PG_DETOAST_DATUM(datum);

	if (!fhirpath_valid(VARDATA(value), VARSIZE(value) - VARHDRSZ))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("stored FHIRPath expression of an unknown form"),
				 errhint("It was written by a later version of this extension, or is damaged.")));
	return (const FhirPath *) VARDATA(value);
}

bool
fhirpath_check_status(FhirPathEval *ev, CoreStatus status)
{
	const FhirPathError *error = fhirpath_error(ev);

	if (status == CORE_OK)
		return true;
	if (status == CORE_INTERRUPTED)
	{
		CHECK_FOR_INTERRUPTS();
		return false;
	}
	if (status == CORE_TOO_DEEP)
		ereport(ERROR,
				(errcode(ERRCODE_STATEMENT_TOO_COMPLEX),
				 errmsg("the document is nested too deeply for a FHIRPath expression")));
	if (status == CORE_INVALID)
		ereport(ERROR,
				(errcode(fault_sqlstate(error->fault)),
				 errmsg("FHIRPath: %s", error->text),
				 error->fault == FHIRPATH_STEP_LIMIT ?
				 errhint("The setting ehr.fhirpath_step_limit allows more.") : 0));
	fhir_raise_core(status);
	return false;
}

FhirPathPlan *
fhirpath_plan_or_error(const FhirPath *path)
{
	FhirPathError error;
	FhirPathPlan *plan;
	CoreStatus	status = fhirpath_plan(fhir_core_context(), path, &plan, &error);

	if (status == CORE_INVALID)
		ereport(ERROR,
				(errcode(fault_sqlstate(error.fault)),
				 errmsg("invalid FHIRPath expression: %s", error.text)));
	if (status != CORE_OK)
		fhir_raise_core(status);
	return plan;
}

/*
 * Strict mode: fhirpath(Patient) takes no expression that is wrong with every
 * Patient.  False after a soft error.
 */
static bool
check_typmod(const FhirPath *path, int32 typmod, Node *escontext)
{
	FhirPathError error;
	CoreStatus	status;

	if (typmod < 0)
		return true;
	status = fhirpath_check(path, FHIR_RESOURCE_BASE + typmod, &error);
	if (status == CORE_INVALID)
		ehr_ereturn(escontext, false,
					(errcode(fault_sqlstate(error.fault)),
					 errmsg("invalid FHIRPath expression for %s: %s", fhir_resource_name(typmod), error.text)));
	if (status != CORE_OK)
		fhir_raise_core(status);
	return true;
}

Datum
fhirpath_in(PG_FUNCTION_ARGS)
{
	char	   *text = PG_GETARG_CSTRING(0);
	FhirPath   *path = fhirpath_from_text(text, strlen(text), fcinfo->context);

	if (path == NULL || !check_typmod(path, PG_GETARG_INT32(2), fcinfo->context))
		PG_RETURN_NULL();
	return path_datum(path);
}

/* Cast fhirpath → fhirpath(T) */
Datum
fhirpath_coerce(PG_FUNCTION_ARGS)
{
	if (!check_typmod(fhirpath_of_datum(PG_GETARG_DATUM(0)), PG_GETARG_INT32(1), fcinfo->context))
		PG_RETURN_NULL();
	return PG_GETARG_DATUM(0);
}

/* The canonical text of a value, in the current memory context */
static char *
print_path(Datum datum, size_t *len)
{
	const FhirPath *path = fhirpath_of_datum(datum);
	char	   *text;
	CoreStatus	status = fhirpath_print(fhir_core_context(), path, &text, len);

	if (status != CORE_OK)
		fhir_raise_core(status);
	return text;
}

Datum
fhirpath_out(PG_FUNCTION_ARGS)
{
	size_t		len;

	PG_RETURN_CSTRING(print_path(PG_GETARG_DATUM(0), &len));
}

/* Binary form: a version byte, then the canonical text */
Datum
fhirpath_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buffer = (StringInfo) PG_GETARG_POINTER(0);
	int			version = pq_getmsgbyte(buffer);
	int			len;
	char	   *text;
	FhirPath   *path;

	if (version != BINARY_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("unknown version of fhirpath's binary form: %d", version)));
	text = pq_getmsgtext(buffer, buffer->len - buffer->cursor, &len);
	path = fhirpath_from_text(text, len, NULL);
	(void) check_typmod(path, PG_GETARG_INT32(2), NULL);
	return path_datum(path);
}

Datum
fhirpath_send(PG_FUNCTION_ARGS)
{
	StringInfoData buffer;
	size_t		len;
	char	   *text = print_path(PG_GETARG_DATUM(0), &len);

	pq_begintypsend(&buffer);
	pq_sendbyte(&buffer, BINARY_VERSION);
	pq_sendtext(&buffer, text, (int) len);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buffer));
}

/* ehr.fhirpath_problem(path, type text) → text: what is wrong with it for every document of a type, NULL for nothing */
Datum
fhirpath_problem(PG_FUNCTION_ARGS)
{
	const FhirPath *path = fhirpath_of_datum(PG_GETARG_DATUM(0));
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(1));
	int			type = fhir_type_find_path(name);
	FhirPathError error;
	FhirPathPlan *plan;
	CoreStatus	status;

	if (type == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no such FHIR type: \"%s\"", name),
				 errhint("Contexts are types of FHIR R4 and their inner types, such as Patient, Quantity or Patient.contact.")));
	status = fhirpath_check(path, type, &error);
	if (status == CORE_OK)
	{
		status = fhirpath_plan(fhir_core_context(), path, &plan, &error);
		if (status == CORE_OK)
			PG_RETURN_NULL();
	}
	if (status != CORE_INVALID)
		fhir_raise_core(status);
	PG_RETURN_TEXT_P(cstring_to_text(error.text));
}
