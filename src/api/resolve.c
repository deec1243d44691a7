/*
 * resolve.c
 *		What the store tells FHIRPath: resolve() of a reference to another resource.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "compat.h"
#include "api/api.h"
#include "fhir/fhir.h"
#include "fhirpath/fhirpath.h"

typedef struct Reference
{
	text	   *type;
	text	   *id;
	int			version;		/* 0: the current one */
} Reference;

/*
 * Type/id or Type/id/_history/version (R4 references.html#literal); false for
 * everything else: other servers' URLs, urn:uuid, canonicals.
 */
static bool
read_reference(const char *text, size_t len, Reference *reference)
{
	static const char history[] = "/_history/";
	const char *end = text + len;
	const char *id = memchr(text, '/', len);
	const char *id_end;

	if (id == NULL || fhir_type_number(text, (int) (id - text)) == 0)
		return false;
	reference->type = cstring_to_text_with_len(text, (int) (id - text));
	id++;
	id_end = memchr(id, '/', end - id);
	reference->version = 0;
	if (id_end != NULL)
	{
		const char *c = id_end + sizeof(history) - 1;

		if (end <= c || end > c + 9 || memcmp(id_end, history, sizeof(history) - 1) != 0)
			return false;
		for (; c < end; c++)
		{
			if (*c < '0' || *c > '9')
				return false;
			reference->version = reference->version * 10 + (*c - '0');
		}
	}
	reference->id = cstring_to_text_with_len(id, (int) ((id_end != NULL ? id_end : end) - id));
	return id < end && id_end != id;
}

/* May this user ask the store at all?  Where there is none, nobody can. */
static bool
may_ask(void)
{
	Oid			types[] = {TEXTOID, TEXTOID, INT4OID};
	Oid			function;

	if (!OidIsValid(get_namespace_oid("ehr_store", true)))
		return false;
	function = LookupFuncName(list_make2(makeString("ehr"), makeString("get")), lengthof(types), types, true);
	return OidIsValid(function) && ehr_may_execute(function, GetUserId()) == ACLCHECK_OK;
}

/* ehr.get() as the caller: row security and the audit log see it as they see him. */
static Jsonb *
get_resource(const Reference *reference)
{
	static SPIPlanPtr plan = NULL;
	MemoryContext caller = CurrentMemoryContext;
	Datum		values[] = {PointerGetDatum(reference->type), PointerGetDatum(reference->id), Int32GetDatum(reference->version)};
	char		nulls[] = {' ', ' ', reference->version == 0 ? 'n' : ' '};
	Jsonb	   *found = NULL;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	if (plan == NULL)
	{
		Oid			types[] = {TEXTOID, TEXTOID, INT4OID};

		plan = SPI_prepare("SELECT ehr.get($1, $2, $3)::pg_catalog.jsonb", lengthof(types), types);
		if (plan == NULL || SPI_keepplan(plan) != 0)
			elog(ERROR, "could not prepare to resolve references");
	}
	if (SPI_execute_plan(plan, values, nulls, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not resolve a reference");
	if (SPI_processed > 0)
	{
		bool		null;
		Datum		value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null);

		if (!null)
		{
			MemoryContext spi = MemoryContextSwitchTo(caller);

			found = (Jsonb *) PG_DETOAST_DATUM_COPY(value);
			MemoryContextSwitchTo(spi);
		}
	}
	SPI_finish();
	return found;
}

/* FhirPathHost.resolve: what cannot be resolved, or may not be read, is no item (FHIR fhirpath.html#functions). */
static const JbContainer *
resolve_in_store(void *arg, const char *text, size_t len, uint32_t *size)
{
	Reference	reference;
	Jsonb	   *found;

	if (!read_reference(text, len, &reference) || !may_ask())
		return NULL;
	found = get_resource(&reference);
	if (found == NULL)
		return NULL;
	*size = VARSIZE(found) - VARHDRSZ;
	return (const JbContainer *) &found->root;
}

void
resolve_init(void)
{
	fhirpath_host.resolve = resolve_in_store;
}
