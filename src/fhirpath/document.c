/*
 * document.c
 *		Documents and variables as the engine reads them; settings; what other rooms offer.
 */
#include "postgres.h"

#include <limits.h>

#include "access/detoast.h"
#include "access/xact.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "compat.h"
#include "core/fhir_model.h"
#include "core/fhirpath_eval.h"
#include "fhirpath.h"

int			fhirpath_step_limit = FHIRPATH_STEPS;
FhirPathHost fhirpath_host;

void
fhirpath_init(void)
{
	DefineCustomIntVariable("ehr.fhirpath_step_limit",
							"Steps that a FHIRPath expression may take for one document.",
							"Bounds hostile expressions in the stable functions; the immutable ones have a fixed limit.",
							&fhirpath_step_limit, FHIRPATH_STEPS, 1000, INT_MAX, PGC_USERSET, 0, NULL, NULL, NULL);
}

/* -- documents -------------------------------------------------------------- */

/*
 * The value that was detoasted last.  An external one is known by its toast
 * pointer, as long as the statement lasts (no vacuum can give its number to
 * another value before); a compressed one by its bytes.
 */
typedef struct LastDocument
{
	MemoryContext memory;		/* below the transaction's; NULL: none */
	struct varlena *value;		/* NULL: only its prefix, if any */
	struct varlena *prefix;		/* as far as it was asked for; NULL: none */
	char	   *key;
	Size		key_size;
	TimestampTz statement;
	MemoryContextCallback gone;
} LastDocument;

static LastDocument *last_document = NULL;

static void
forget(void *arg)
{
	last_document = NULL;
}

static void
prepare_memory(void)
{
	MemoryContext memory = AllocSetContextCreate(TopTransactionContext, "last document of FHIRPath", ALLOCSET_DEFAULT_SIZES);
	LastDocument *last = MemoryContextAllocZero(TopTransactionContext, sizeof(LastDocument));

	last->memory = memory;
	last->gone.func = forget;
	MemoryContextRegisterResetCallback(TopTransactionContext, &last->gone);
	last_document = last;
}

/* Is it the value that was asked for last? */
static bool
is_last(const struct varlena *attr, Size size, bool external)
{
	return last_document != NULL && last_document->key != NULL && last_document->key_size == size &&
		memcmp(last_document->key, attr, size) == 0 &&
		(!external || last_document->statement == GetCurrentStatementStartTimestamp());
}

/* Makes it the last one, nothing of it being there yet. */
static void
become_last(const struct varlena *attr, Size size)
{
	LastDocument *last;

	if (last_document == NULL)
		prepare_memory();
	last = last_document;
	last->value = last->prefix = NULL;
	last->key = NULL;
	MemoryContextReset(last->memory);
	last->key = MemoryContextAlloc(last->memory, size);
	memcpy(last->key, attr, size);
	last->key_size = size;
	last->statement = GetCurrentStatementStartTimestamp();
}

static inline Size
stored_size(const struct varlena *attr, bool external)
{
	return external ? VARSIZE_EXTERNAL(attr) : VARSIZE(attr);
}

/*
 * Smaller values are detoasted as a whole: finding the pieces of an external
 * value costs 2 µs, decompressing 10 kB one or two.
 */
#define PREFIX_FROM 16384

/*
 * Prefixes of this statement, and those of which the whole was wanted after
 * all: where other expressions need it, a prefix is for nothing.
 */
static TimestampTz prefix_statement = 0;
static int	prefixes = 0;
static int	regrets = 0;

static bool
prefix_pays(void)
{
	if (prefix_statement != GetCurrentStatementStartTimestamp())
	{
		prefix_statement = GetCurrentStatementStartTimestamp();
		prefixes = regrets = 0;
	}
	return prefixes < 4 || regrets < prefixes / 2;
}

static struct varlena *
detoast_once(struct varlena *attr)
{
	bool		external = VARATT_IS_EXTERNAL_ONDISK(attr);
	Size		size = stored_size(attr, external);
	MemoryContext caller;

	if (!is_last(attr, size, external))
		become_last(attr, size);
	if (last_document->value == NULL)
	{
		regrets += last_document->prefix != NULL;
		caller = MemoryContextSwitchTo(last_document->memory);
		last_document->value = detoast_attr(attr);
		MemoryContextSwitchTo(caller);
	}
	return last_document->value;
}

const void *
fhirpath_document_prefix(Datum datum, Size want, Size *have, Size *total)
{
	struct varlena *attr = (struct varlena *) DatumGetPointer(datum);
	bool		external = VARATT_IS_EXTERNAL_ONDISK(attr);
	Size		size;
	MemoryContext caller;

	if (!external && !VARATT_IS_COMPRESSED(attr))
		return NULL;
	size = stored_size(attr, external);
	*total = toast_raw_datum_size(datum) - VARHDRSZ;
	if (*total < PREFIX_FROM)
		return NULL;
	if (!is_last(attr, size, external))
		become_last(attr, size);
	if (last_document->value != NULL || (last_document->prefix == NULL && !prefix_pays()))
		return NULL;
	prefixes += last_document->prefix == NULL;
	if (last_document->prefix == NULL || VARSIZE(last_document->prefix) - VARHDRSZ < want)
	{
		caller = MemoryContextSwitchTo(last_document->memory);
		if (last_document->prefix != NULL)
			pfree(last_document->prefix);
		last_document->prefix = NULL;
		last_document->prefix = detoast_attr_slice(attr, 0, want);
		MemoryContextSwitchTo(caller);
	}
	*have = Min(VARSIZE(last_document->prefix) - VARHDRSZ, *total);
	return VARDATA(last_document->prefix);
}

const JsonbContainer *
fhirpath_document_of(Datum datum, uint32 *size)
{
	struct varlena *value = (struct varlena *) DatumGetPointer(datum);

	if (VARATT_IS_EXTERNAL_ONDISK(value) || VARATT_IS_COMPRESSED(value))
		value = detoast_once(value);
	else if (VARATT_IS_EXTENDED(value))
		value = detoast_attr(value);
	*size = VARSIZE(value) - VARHDRSZ;
	return &((Jsonb *) value)->root;
}

/* -- variables -------------------------------------------------------------- */

static void
read_variable(const JbContainer *object, uint32 place, FhirPathVariable *variable, bool no_model)
{
	uint32_t	count = jb_count(object);
	uint32_t	len;
	const char *name = jb_key(object, place, &len);
	JbValue		value,
				one;
	FpItem	   *items;
	uint32_t	n = 0;

	if (len > 0 && name[0] == '%')
	{
		name++;
		len--;
	}
	jb_value(object, count * 2, count + place, &value);
	if (value.type == JB_T_CONTAINER && jb_is_array((const JbContainer *) value.ptr))
	{
		const JbContainer *array = (const JbContainer *) value.ptr;
		JbIter		it;

		items = palloc((jb_count(array) + 1) * sizeof(FpItem));
		jb_iter_start(&it, array);
		while (jb_iter_next(&it, &one))
		{
			if (one.type != JB_T_NULL)
				items[n++] = fp_value_node(&one, no_model);
		}
	}
	else
	{
		items = palloc(sizeof(FpItem));
		if (value.type != JB_T_NULL)
			items[n++] = fp_value_node(&value, no_model);
	}
	variable->name = name;
	variable->len = len;
	variable->items = items;
	variable->count = n;
}

/*
 * "%model": "none" takes documents as plain JSON, "%type": "Patient.contact"
 * says what a document that is no resource is; everything else is a variable.
 */
void
fhirpath_read_variables(const Jsonb *vars, FhirPathInput *input)
{
	const JbContainer *object = (const JbContainer *) &vars->root;
	FhirPathVariable *variables;
	uint32_t	count;
	JbValue		model,
				type;

	if (!jb_is_object(object))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"vars\" argument is not an object"),
				 errdetail("FHIRPath variables are the keys of a JSON object.")));
	count = jb_count(object);
	if (count == 0)
		return;
	input->no_model = jb_get(object, "%model", 6, &model) && model.type == JB_T_STRING && model.len == 4 &&
		memcmp(model.ptr, "none", 4) == 0;
	if (jb_get(object, "%type", 5, &type) && type.type == JB_T_STRING)
		input->type = fhir_type_find_path(pnstrdup(type.ptr, type.len));
	variables = palloc(count * sizeof(FhirPathVariable));
	for (uint32_t i = 0; i < count; i++)
		read_variable(object, i, &variables[i], input->no_model);
	input->variables = variables;
	input->variable_count = count;
}
