/*
 * fhir_terms.c
 *		Searches in the tables of code systems and value sets.
 */
#include "fhir_terms.h"

#include <string.h>

#include "bytes.h"

static const char *
string_at(uint32_t offset, size_t *len)
{
	*len = (unsigned char) fhir_terms_pool[offset - 1];
	return fhir_terms_pool + offset;
}

/* By bytes, as the tables are sorted by URL */
static int
url_order(const char *url, size_t len, uint32_t offset)
{
	size_t		other_len;
	const char *other = string_at(offset, &other_len);
	int			order = memcmp(url, other, len < other_len ? len : other_len);

	return order != 0 ? order : (len > other_len) - (len < other_len);
}

static const FhirTerms *
find(const char *url, size_t len, uint32_t low, uint32_t high)
{
	while (low < high)
	{
		uint32_t	mid = (low + high) / 2;
		int			order = url_order(url, len, fhir_terms[mid].url);

		if (order == 0)
			return &fhir_terms[mid];
		if (order < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

const FhirTerms *
fhir_terms_code_system(const char *url, size_t len)
{
	return find(url, len, 0, fhir_terms_systems);
}

const FhirTerms *
fhir_terms_value_set(const char *url, size_t len)
{
	return find(url, len, fhir_terms_systems, fhir_terms_whole);
}

const FhirTerms *
fhir_terms_open_set(const char *url, size_t len)
{
	return find(url, len, fhir_terms_whole, fhir_terms_count);
}

static int
code_order(const char *code, size_t len, uint32_t offset)
{
	size_t		other_len;
	const char *other = string_at(offset, &other_len);

	return bytes_key_order(code, len, other, other_len);
}

static int
is_string(const char *text, size_t len, uint32_t offset)
{
	size_t		other_len;
	const char *other = string_at(offset, &other_len);

	return len == other_len && memcmp(text, other, len) == 0;
}

int
fhir_terms_have(const FhirTerms *terms, const char *code, size_t len, const char *system, size_t system_len)
{
	const uint32_t *codes = fhir_terms_codes + terms->first;
	uint32_t	low = 0,
				high = terms->count;

	/* the first place that is not below the code: one code may stand there of several systems */
	while (low < high)
	{
		uint32_t	mid = (low + high) / 2;

		if (code_order(code, len, codes[mid]) > 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < terms->count && code_order(code, len, codes[low]) == 0; low++)
	{
		if (system == NULL || is_string(system, system_len, terms->system != 0 ? terms->system : codes[terms->count + low]))
			return 1;
	}
	return 0;
}
