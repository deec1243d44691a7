/*
 * fhir_invariants.c
 *		Lists of the names that R4 defines.
 */
#include "fhir_invariants.h"

#include <string.h>

const FhirKnown *
fhir_known_find(const FhirKnown *table, int count, const char *name, size_t len)
{
	int			low = 0,
				high = count - 1;

	while (low <= high)
	{
		int			mid = (low + high) / 2;
		int			order = strncmp(name, table[mid].name, len);

		/* strncmp stops where the known name ends; a NUL in `name` is none of its bytes */
		if (order == 0 && table[mid].name[len] != '\0')
			order = -1;
		if (order == 0)
			return &table[mid];
		if (order < 0)
			high = mid - 1;
		else
			low = mid + 1;
	}
	return NULL;
}
