/*
 * fhir_validate.c
 *		From text or jsonb to a valid FHIR resource.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"

#include "compat.h"
#include "fhir.h"
#include "quiet.h"

bool
fhir_validate_jsonb(Jsonb *doc)
{
	return fhir_resource_concrete(fhir_document_type(doc));
}

bool
fhir_check(Jsonb *doc, int32 typmod, Node *escontext)
{
	if (!fhir_validate_jsonb(doc))
	{
		ehr_quiet(escontext);
		ehr_ereturn(escontext, false,
					(errcode(ERRCODE_CHECK_VIOLATION),
					 errmsg("invalid FHIR resource"),
					 errdetail("The document has no resourceType that FHIR R4 knows."),
					 ehr_quiet_context()));
	}
	return fhir_check_typmod(doc, typmod, escontext);
}

Jsonb *
fhir_from_text(const char *text, int len, int32 typmod, Node *escontext)
{
	Jsonb	   *doc = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(pnstrdup(text, len))));

	return fhir_check(doc, typmod, escontext) ? doc : NULL;
}

PG_FUNCTION_INFO_V1(fhir_is_valid);

/* ehr.is_valid(jsonb) → boolean */
Datum
fhir_is_valid(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(fhir_validate_jsonb(PG_GETARG_JSONB_P(0)));
}
