/*
 * fhir_typmod.c
 *		Type modifier of fhir: fhir(Patient) holds Patients only; and of fhirpath.
 *
 * The modifier is the resource type's number (frozen, see fhir_model.h).  The
 * bits above the lowest byte are reserved for the FHIR release and are 0: R4.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "compat.h"
#include "fhir.h"
#include "quiet.h"

PG_FUNCTION_INFO_V1(fhir_typmod_in);
PG_FUNCTION_INFO_V1(fhir_typmod_out);

/*
 * SQL folds an identifier to lower case before it gets here, so that case is
 * ignored.  Names that are keywords must be quoted: fhir('Group').
 */
Datum
fhir_typmod_in(PG_FUNCTION_ARGS)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(0);
	Datum	   *elements;
	int			n;
	int			number;
	const char *name;

	deconstruct_array(array, CSTRINGOID, -2, false, TYPALIGN_CHAR, &elements, NULL, &n);
	if (n != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the type modifier is the name of one resource type")));
	name = DatumGetCString(elements[0]);
	number = fhir_resource_number_folded(name, strlen(name));
	if (!fhir_resource_concrete(number))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no such FHIR resource type: \"%s\"", name),
				 errhint("Type modifiers are the resource types of FHIR R4 (4.0.1), such as (Patient) or ('Group').")));
	PG_RETURN_INT32(number);
}

Datum
fhir_typmod_out(PG_FUNCTION_ARGS)
{
	const char *name = fhir_resource_name(PG_GETARG_INT32(0));

	PG_RETURN_CSTRING(name == NULL ? pstrdup("") : psprintf("('%s')", name));
}

bool
fhir_check_typmod(const Jsonb *doc, int32 typmod, Node *escontext)
{
	int			number;

	if (typmod < 0)
		return true;
	number = fhir_document_type(doc);
	if (number == typmod)
		return true;
	ehr_quiet(escontext);
	ehr_ereturn(escontext, false,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("FHIR resource of the wrong type"),
				 errdetail("The resource is of type %s, only %s is allowed.",
						   number == 0 ? "unknown" : fhir_resource_name(number),
						   fhir_resource_name(typmod)),
				 ehr_quiet_context()));
}
