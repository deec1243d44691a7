/*
 * fhir_invariants.c
 *		Invariants of R4 by type index, parsed.
 */
#include "fhir_invariants.h"

#include <string.h>

#include "fhir_model.h"

int
fhir_type_find_path(const char *path)
{
	size_t		len = strcspn(path, ".");
	int			type = fhir_type_find(path, len);

	while (type != 0 && path[len] == '.')
	{
		const FhirElement *element;

		path += len + 1;
		len = strcspn(path, ".");
		element = fhir_element_find(type, path, len);
		type = element == NULL ? 0 : element->type;
	}
	return type;
}

CoreStatus
fhir_invariants_prepare(const CoreContext *cx, FhirInvariantPlans *plans)
{
	size_t		types = (size_t) fhir_type_count + 1;
	uint16_t   *type_of = cx->alloc(cx->arg, (fhir_invariant_count + fhir_binding_count) * sizeof(uint16_t));

	memset(plans, 0, sizeof(*plans));
	plans->plans = cx->alloc(cx->arg, fhir_invariant_count * sizeof(FhirInvariantPlan));
	plans->first = cx->alloc(cx->arg, types * sizeof(uint16_t));
	plans->bindings = cx->alloc(cx->arg, fhir_binding_count * sizeof(*plans->bindings));
	plans->first_binding = cx->alloc(cx->arg, types * sizeof(uint16_t));
	if (type_of == NULL || plans->plans == NULL || plans->first == NULL || plans->bindings == NULL ||
		plans->first_binding == NULL)
		return CORE_NO_MEMORY;
	for (int i = 0; i < fhir_invariant_count; i++)
		type_of[i] = (uint16_t) fhir_type_find_path(fhir_invariants[i].type);
	for (int i = 0; i < fhir_binding_count; i++)
		type_of[fhir_invariant_count + i] = (uint16_t) fhir_type_find_path(fhir_bindings[i].type);
	memset(plans->first, 0, types * sizeof(uint16_t));
	memset(plans->first_binding, 0, types * sizeof(uint16_t));
	/* sorted by counting: first how many of each type there are, one place further on; then where each begins */
	for (int i = 0; i < fhir_invariant_count; i++)
		plans->first[type_of[i] + 1]++;
	for (int i = 0; i < fhir_binding_count; i++)
		plans->first_binding[type_of[fhir_invariant_count + i] + 1]++;
	for (size_t type = 1; type < types; type++)
	{
		plans->first[type] += plans->first[type - 1];
		plans->first_binding[type] += plans->first_binding[type - 1];
	}
	/* filling moves each type's beginning to its end, which is the next one's beginning: moved back afterwards */
	for (int i = 0; i < fhir_invariant_count; i++)
		plans->plans[plans->first[type_of[i]]++] = (FhirInvariantPlan) {&fhir_invariants[i], NULL, false};
	for (int i = 0; i < fhir_binding_count; i++)
		plans->bindings[plans->first_binding[type_of[fhir_invariant_count + i]]++] = &fhir_bindings[i];
	memmove(plans->first + 1, plans->first, (types - 1) * sizeof(uint16_t));
	memmove(plans->first_binding + 1, plans->first_binding, (types - 1) * sizeof(uint16_t));
	plans->first[0] = plans->first_binding[0] = 0;
	cx->free(cx->arg, type_of);
	return CORE_OK;
}

CoreStatus
fhir_invariant_parse(const CoreContext *cx, FhirInvariantPlan *plan)
{
	const char *text = plan->invariant->expression;
	size_t		at;
	CoreStatus	status = CORE_OK;

	if (!plan->parsed)
	{
		status = fhir_expr_parse(cx, text, strlen(text), &plan->expr, &at);
		plan->parsed = status != CORE_NO_MEMORY;
	}
	return status == CORE_NO_MEMORY ? status : CORE_OK;
}

const FhirKnown *
fhir_known_find(const FhirKnown *table, int count, const char *name, size_t len)
{
	int			low = 0,
				high = count - 1;

	while (low <= high)
	{
		int			mid = (low + high) / 2;
		size_t		known = strlen(table[mid].name);
		int			order = memcmp(name, table[mid].name, len < known ? len : known);

		if (order == 0)
			order = len < known ? -1 : len > known;
		if (order == 0)
			return &table[mid];
		if (order < 0)
			high = mid - 1;
		else
			low = mid + 1;
	}
	return NULL;
}
