/*
 * references.c
 *		Resolving the temporary names of a transaction Bundle.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "compat.h"

/*
 * renamed returns the value that stands in names for a string, or NULL.
 */
static JsonbValue *
renamed(JsonbContainer *names, const JsonbValue *value)
{
	JsonbValue	key;

	if (value->type != jbvString)
		return NULL;
	key.type = jbvString;
	key.val.string = value->val.string;
	return findJsonbValueFromContainer(names, JB_FOBJECT, &key);
}

PG_FUNCTION_INFO_V1(ehr_rename_references);

/*
 * ehr_internal.rename_references(resource jsonb, names jsonb) → jsonb, IMMUTABLE STRICT:
 * every string of the resource that is a key of the object names is replaced by its
 * value there, wherever it stands: Reference.reference, but also uri elements and
 * attachments, as FHIR's transaction rules ask (R4 http.html#trules).
 */
Datum
ehr_rename_references(PG_FUNCTION_ARGS)
{
	Jsonb	   *resource = PG_GETARG_JSONB_P(0);
	Jsonb	   *names = PG_GETARG_JSONB_P(1);
	JsonbIterator *it = JsonbIteratorInit(&resource->root);
	JsonbParseState *state = NULL;
	JsonbValue *result = NULL;
	JsonbValue	value;
	JsonbIteratorToken token;

	if (!JB_ROOT_IS_OBJECT(names) || !JB_ROOT_IS_OBJECT(resource))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("resource and names must be JSON objects")));

	while ((token = JsonbIteratorNext(&it, &value, false)) != WJB_DONE)
	{
		JsonbValue *other = NULL;

		if (token == WJB_VALUE || token == WJB_ELEM)
			other = renamed(&names->root, &value);
		if (token == WJB_BEGIN_ARRAY || token == WJB_BEGIN_OBJECT ||
			token == WJB_END_ARRAY || token == WJB_END_OBJECT)
			result = pushJsonbValue(&state, token, NULL);
		else
			result = pushJsonbValue(&state, token, other ? other : &value);
	}
	PG_RETURN_JSONB_P(JsonbValueToJsonb(result));
}
