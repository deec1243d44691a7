/*
 * fhir_search.c
 *		Lookups in the generated search parameters and compartments of FHIR R4.
 */
#include "fhir_search.h"

#include <string.h>

#include "fhir_model.h"

const char *
fhir_search_type_name(FhirSearchType type)
{
	static const char *const names[] = {
		"number", "date", "string", "token", "reference", "composite", "quantity", "uri", "special"
	};

	return names[type];
}

static const FhirSearchParameter *
find_own(int resource, const char *code, size_t len)
{
	int			low = fhir_first_search[resource],
				high = fhir_first_search[resource + 1] - 1;

	while (low <= high)
	{
		int			mid = (low + high) / 2;
		const char *known = fhir_search_string(fhir_search_parameters[mid].code);
		int			order = fhir_compare(code, len, known, strlen(known));

		if (order == 0)
			return &fhir_search_parameters[mid];
		if (order < 0)
			high = mid - 1;
		else
			low = mid + 1;
	}
	return NULL;
}

const FhirSearchParameter *
fhir_search_find(int resource, const char *code, size_t len)
{
	if (!fhir_resource_concrete(resource))
		return NULL;
	/* the resource, DomainResource, Resource */
	for (int type = FHIR_RESOURCE_BASE + resource; type != 0; type = fhir_types[type].base)
	{
		const FhirSearchParameter *found = find_own(type - FHIR_RESOURCE_BASE, code, len);

		if (found != NULL)
			return found;
	}
	return NULL;
}

const FhirCompartmentEntry *
fhir_compartment_find(int compartment, int resource)
{
	int			low = 0,
				high = fhir_compartment_count - 1;

	while (low <= high)
	{
		int			mid = (low + high) / 2;
		const FhirCompartmentEntry *entry = &fhir_compartments[mid];
		int			order = entry->compartment != compartment ? compartment - entry->compartment : resource - entry->resource;

		if (order == 0)
			return entry;
		if (order < 0)
			high = mid - 1;
		else
			low = mid + 1;
	}
	return NULL;
}
