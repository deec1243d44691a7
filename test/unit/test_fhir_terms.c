/*
 * test_fhir_terms.c
 *		The tables of code systems and value sets: sorted, and found again.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "fhir_terms.h"

#define R4	"http://hl7.org/fhir/"

static const FhirTerms *
find(const char *url, int set)
{
	return set == 2 ? fhir_terms_open_set(url, strlen(url)) : set == 1 ? fhir_terms_value_set(url, strlen(url)) : fhir_terms_code_system(url, strlen(url));
}

static int
has(const FhirTerms *terms, const char *code, const char *system)
{
	return fhir_terms_have(terms, code, strlen(code), system, system == NULL ? 0 : strlen(system));
}

/* Everything in the tables is found by its own name; nothing with a letter more. */
static void
test_all(void **state)
{
	(void) state;
	assert_true(fhir_terms_systems > 200 && fhir_terms_count > fhir_terms_systems + 300);
	for (uint32_t i = 0; i < fhir_terms_count; i++)
	{
		const FhirTerms *terms = &fhir_terms[i];
		char		more[300];

		assert_ptr_equal(find(fhir_terms_pool + terms->url, (i >= fhir_terms_systems) + (i >= fhir_terms_whole)), terms);
		for (uint32_t k = 0; k < terms->count; k++)
		{
			const char *code = fhir_terms_pool + fhir_terms_codes[terms->first + k];
			const char *system = fhir_terms_pool + (terms->system != 0 ? terms->system : fhir_terms_codes[terms->first + terms->count + k]);

			assert_int_equal(has(terms, code, system), 1);
			assert_int_equal(has(terms, code, NULL), 1);
			assert_int_equal(has(terms, code, "http://example.vn"), 0);
			strcpy(more, code);
			strcat(more, "\x7f");
			assert_int_equal(has(terms, more, NULL), 0);
		}
	}
}

static void
test_some(void **state)
{
	(void) state;
	assert_null(find("http://example.vn/x", 0));
	assert_null(find("", 0));
	assert_null(find(R4 "ValueSet/age-units", 0));
	assert_non_null(find(R4 "contract-legalstate", 0));
	assert_int_equal(has(find(R4 "contract-legalstate", 0), "executed", R4 "contract-legalstate"), 1);
	assert_int_equal(has(find(R4 "contract-legalstate", 0), "invalid", NULL), 0);
	assert_int_equal(has(find(R4 "ValueSet/age-units", 1), "a", "http://unitsofmeasure.org"), 1);
	assert_int_equal(has(find(R4 "ValueSet/age-units", 1), "m", "http://unitsofmeasure.org"), 0);
	assert_int_equal(has(find(R4 "ValueSet/jurisdiction", 2), "urn:iso:std:iso:3166", NULL), 1);
	assert_int_equal(has(find(R4 "ValueSet/jurisdiction", 2), "http://unitsofmeasure.org", NULL), 0);
	assert_null(find(R4 "ValueSet/jurisdiction", 1));
	/* an abstract code is one of the system, and may not be used */
	assert_int_equal(has(find(R4 "item-type", 0), "question", NULL), 1);
	assert_int_equal(has(find(R4 "ValueSet/item-type", 1), "question", NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_all), cmocka_unit_test(test_some)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
