/*
 * terminology.c
 *		The value sets that R4's required bindings name, out of the compiled model.
 *
 * All else of terminology is data in tables: sql/validate_terminology.sql.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"

#include "compat.h"
#include "fhir/fhir.h"

PG_FUNCTION_INFO_V1(ehr_r4_value_set_has);
PG_FUNCTION_INFO_V1(ehr_r4_value_set);

static const FhirValueSet *
find_value_set(text *url)
{
	return fhir_value_set_find(VARDATA_ANY(url), VARSIZE_ANY_EXHDR(url));
}

/*
 * r4_value_set_has(url text, system text, code text) → bool: whether a value
 * set of a required binding has a code; null for other value sets, a null
 * system stands for any.
 */
Datum
ehr_r4_value_set_has(PG_FUNCTION_ARGS)
{
	const FhirValueSet *set = PG_ARGISNULL(0) ? NULL : find_value_set(PG_GETARG_TEXT_PP(0));
	text	   *system = PG_ARGISNULL(1) ? NULL : PG_GETARG_TEXT_PP(1);
	text	   *code;

	if (set == NULL || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	code = PG_GETARG_TEXT_PP(2);
	PG_RETURN_BOOL(fhir_value_set_has(set, VARDATA_ANY(code), VARSIZE_ANY_EXHDR(code),
									  system == NULL ? NULL : VARDATA_ANY(system),
									  system == NULL ? 0 : VARSIZE_ANY_EXHDR(system)));
}

/*
 * r4_value_set(url text) → setof (system text, code text): its codes; nothing
 * for other value sets and for those that are given by a grammar (units, media types).
 */
Datum
ehr_r4_value_set(PG_FUNCTION_ARGS)
{
	FuncCallContext *cx;
	const FhirValueSet *set;
	const FhirCodeSet *codes;
	const char *system;
	Datum		values[2];
	bool		nulls[2] = {false, false};
	int			i;

	if (SRF_IS_FIRSTCALL())
	{
		TupleDesc	desc;
		MemoryContext old;

		cx = SRF_FIRSTCALL_INIT();
		old = MemoryContextSwitchTo(cx->multi_call_memory_ctx);
		if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
			elog(ERROR, "return type must be a row type");
		cx->tuple_desc = BlessTupleDesc(desc);
		set = find_value_set(PG_GETARG_TEXT_PP(0));
		cx->user_fctx = (void *) set;
		cx->max_calls = set == NULL ? 0 : fhir_code_sets[set->codes].count;
		MemoryContextSwitchTo(old);
	}
	cx = SRF_PERCALL_SETUP();
	if (cx->call_cntr >= cx->max_calls)
		SRF_RETURN_DONE(cx);
	set = cx->user_fctx;
	codes = &fhir_code_sets[set->codes];
	i = (int) cx->call_cntr;
	system = set->system != 0 ? fhir_value_set_names + set->system : fhir_string(fhir_codes[codes->systems + i]);
	values[0] = CStringGetTextDatum(system);
	values[1] = CStringGetTextDatum(fhir_string(fhir_codes[codes->first + i]));
	SRF_RETURN_NEXT(cx, HeapTupleGetDatum(heap_form_tuple(cx->tuple_desc, values, nulls)));
}
