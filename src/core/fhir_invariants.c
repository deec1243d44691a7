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
	int			next = 0;
	int			next_binding = 0;

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
	for (size_t type = 0; type < types; type++)
	{
		plans->first[type] = (uint16_t) next;
		plans->first_binding[type] = (uint16_t) next_binding;
		if (type == 0)
			continue;
		for (int i = 0; i < fhir_invariant_count; i++)
		{
			FhirInvariantPlan *plan = &plans->plans[next];
			const char *text = fhir_invariants[i].expression;
			size_t		at;

			if (type_of[i] != type)
				continue;
			plan->invariant = &fhir_invariants[i];
			if (fhir_expr_parse(cx, text, strlen(text), &plan->expr, &at) == CORE_NO_MEMORY)
				return CORE_NO_MEMORY;
			plans->unknown += plan->expr == NULL;
			next++;
		}
		for (int i = 0; i < fhir_binding_count; i++)
		{
			if (type_of[fhir_invariant_count + i] == type)
				plans->bindings[next_binding++] = &fhir_bindings[i];
		}
	}
	cx->free(cx->arg, type_of);
	return CORE_OK;
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
