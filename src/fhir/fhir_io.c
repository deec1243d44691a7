/*
 * fhir_io.c
 *		Input and output of type fhir.
 *
 * A value is stored as a jsonb and printed as one.  Binary format (send/recv):
 * one version byte, 1, then JSON text; the same as jsonb's.
 */
#include "postgres.h"

#include "fmgr.h"
#include "libpq/pqformat.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"

#include "compat.h"
#include "fhir.h"
#include "quiet.h"

#define BINARY_VERSION 1

PG_FUNCTION_INFO_V1(fhir_in);
PG_FUNCTION_INFO_V1(fhir_recv);

Datum
fhir_in(PG_FUNCTION_ARGS)
{
	char	   *text = PG_GETARG_CSTRING(0);
	Jsonb	   *doc = fhir_from_text(text, strlen(text), PG_GETARG_INT32(2), fcinfo->context);

	if (doc == NULL)
		PG_RETURN_NULL();
	PG_RETURN_JSONB_P(doc);
}

Datum
fhir_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	int			version = pq_getmsgint(buf, 1);
	char	   *text;
	int			len;

	if (version != BINARY_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("unsupported version of the binary format of type fhir: %d", version)));
	text = pq_getmsgtext(buf, buf->len - buf->cursor, &len);
	PG_RETURN_JSONB_P(fhir_from_text(text, len, PG_GETARG_INT32(2), fcinfo->context));
}
