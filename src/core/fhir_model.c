/*
 * fhir_model.c
 *		Lookups in the generated model of FHIR R4.
 *
 * All of them are binary or short linear searches in constant tables: no
 * state, no allocation, no failure besides "there is none".
 */
#include "fhir_model.h"

#include <string.h>

/* Case is folded for ASCII only: resource names have no other letters. */
static int
compare_names(const char *a, size_t a_len, const char *b, size_t b_len, bool folded)
{
	size_t		n = a_len < b_len ? a_len : b_len;

	for (size_t i = 0; i < n; i++)
	{
		unsigned char x = (unsigned char) a[i];
		unsigned char y = (unsigned char) b[i];

		if (folded && x >= 'A' && x <= 'Z')
			x += 'a' - 'A';
		if (folded && y >= 'A' && y <= 'Z')
			y += 'a' - 'A';
		if (x != y)
			return x < y ? -1 : 1;
	}
	return a_len < b_len ? -1 : a_len > b_len;
}

int
fhir_resource_number(const char *name, size_t len)
{
	int			low = 1,
				high = FHIR_RESOURCE_TYPES;

	while (low <= high)
	{
		int			mid = (low + high) / 2;
		uint16_t	candidate = fhir_types[FHIR_RESOURCE_BASE + mid].name;
		int			c = compare_names(name, len, fhir_string(candidate), fhir_string_len(candidate), false);

		if (c == 0)
			return mid;
		if (c < 0)
			high = mid - 1;
		else
			low = mid + 1;
	}
	return 0;
}

/* The list is alphabetical by bytes, not by folded letters: searched one by one. */
int
fhir_resource_number_folded(const char *name, size_t len)
{
	for (int number = 1; number <= FHIR_RESOURCE_TYPES; number++)
	{
		uint16_t	candidate = fhir_types[FHIR_RESOURCE_BASE + number].name;

		if (compare_names(name, len, fhir_string(candidate), fhir_string_len(candidate), true) == 0)
			return number;
	}
	return 0;
}

const char *
fhir_resource_name(int number)
{
	if (number < 1 || number > FHIR_RESOURCE_TYPES)
		return NULL;
	return fhir_string(fhir_types[FHIR_RESOURCE_BASE + number].name);
}

bool
fhir_resource_concrete(int number)
{
	return number >= 1 && number <= FHIR_RESOURCE_TYPES &&
		(fhir_types[FHIR_RESOURCE_BASE + number].kind & FHIR_KIND_ABSTRACT) == 0;
}

int
fhir_type_find(const char *name, size_t len)
{
	int			number = fhir_resource_number(name, len);

	if (number > 0)
		return FHIR_RESOURCE_BASE + number;
	for (int type = 1; type < fhir_first_backbone; type++)
	{
		uint16_t	candidate = fhir_types[type].name;

		if (candidate != 0 && (size_t) fhir_string_len(candidate) == len &&
			memcmp(fhir_string(candidate), name, len) == 0)
			return type;
	}
	return 0;
}

const FhirElement *
fhir_element_find(int type, const char *key, size_t len)
{
	const FhirElement *elements = fhir_elements + fhir_types[type].first;
	int			low = 0,
				high = fhir_types[type].count - 1;

	while (low <= high)
	{
		int			mid = (low + high) / 2;
		int			c = fhir_compare(key, len, fhir_string(elements[mid].name), elements[mid].name_len);

		if (c == 0)
			return &elements[mid];
		if (c < 0)
			high = mid - 1;
		else
			low = mid + 1;
	}
	return NULL;
}

const FhirElement *
fhir_element_find_base(int type, const char *base, size_t len)
{
	const FhirElement *elements = fhir_elements + fhir_types[type].first;

	for (int i = 0; i < fhir_types[type].count; i++)
	{
		if (elements[i].base_len == len && (elements[i].flags & FHIR_SIBLING) == 0 &&
			memcmp(fhir_string(elements[i].name), base, len) == 0)
			return &elements[i];
	}
	return NULL;
}

bool
fhir_type_is(int type, int ancestor)
{
	while (type != 0 && type != ancestor)
		type = fhir_types[type].base;
	return type == ancestor;
}

static bool
system_matches(const FhirCodeSet *set, int position, const char *system, size_t system_len)
{
	uint16_t	known;

	if (system == NULL || set->systems == 0)
		return true;
	known = fhir_codes[set->systems + position];
	return fhir_compare(system, system_len, fhir_string(known), fhir_string_len(known)) == 0;
}

bool
fhir_code_in_set(const FhirCodeSet *set, const char *code, size_t len, const char *system, size_t system_len)
{
	int			low = 0,
				high = set->count;

	/* the first position whose code is not below: a code may stand there once per system */
	while (low < high)
	{
		int			mid = (low + high) / 2;
		uint16_t	known = fhir_codes[set->first + mid];

		if (fhir_compare(fhir_string(known), fhir_string_len(known), code, len) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < set->count; low++)
	{
		uint16_t	known = fhir_codes[set->first + low];

		if (fhir_compare(fhir_string(known), fhir_string_len(known), code, len) != 0)
			return false;
		if (system_matches(set, low, system, system_len))
			return true;
	}
	return false;
}

bool
fhir_target_allowed(uint16_t targets, int number)
{
	if (targets == 0)
		return true;
	for (int i = 1; i <= fhir_targets[targets]; i++)
	{
		if (fhir_targets[targets + i] == number)
			return true;
	}
	return false;
}

const FhirValueSet *
fhir_value_set_find(const char *url, size_t len)
{
	int			low = 0,
				high = fhir_value_set_count - 1;

	while (low <= high)
	{
		int			mid = (low + high) / 2;
		const char *name = fhir_value_set_names + fhir_value_sets[mid].url;
		int			c = compare_names(url, len, name, strlen(name), false);

		if (c == 0)
			return &fhir_value_sets[mid];
		if (c < 0)
			high = mid - 1;
		else
			low = mid + 1;
	}
	return NULL;
}

bool
fhir_value_set_has(const FhirValueSet *set, const char *code, size_t len, const char *system, size_t system_len)
{
	const FhirCodeSet *codes = &fhir_code_sets[set->codes];

	if (set->system != 0 && system != NULL)
	{
		const char *own = fhir_value_set_names + set->system;

		if (compare_names(system, system_len, own, strlen(own), false) != 0)
			return false;
		system = NULL;
	}
	return codes->kind != FHIR_SET_CODES ? len > 0 : fhir_code_in_set(codes, code, len, system, system_len);
}

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
