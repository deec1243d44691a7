/*
 * test_fhir_search.c
 *		The compiled search parameters and compartments.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "fhir_model.h"
#include "fhir_search.h"

static int
number(const char *name)
{
	int			n = fhir_resource_number(name, strlen(name));

	assert_int_not_equal(n, 0);
	return n;
}

static const FhirSearchParameter *
find(const char *resource, const char *code)
{
	return fhir_search_find(number(resource), code, strlen(code));
}

static void
test_parameters(void **state)
{
	static const struct
	{
		const char *resource,
				   *code,
				   *name,
				   *type,
				   *expression;
	}			cases[] = {
		{"Patient", "birthdate", "individual-birthdate", "date", "Patient.birthDate"},
		{"Person", "birthdate", "individual-birthdate", "date", "Person.birthDate"},
		{"Patient", "_id", "Resource-id", "token", "Resource.id"},
		{"Bundle", "_lastUpdated", "Resource-lastUpdated", "date", "Resource.meta.lastUpdated"},
		{"Patient", "_text", "DomainResource-text", "string", NULL},
		{"Observation", "code", "clinical-code", "token", "Observation.code"},
		{"Observation", "value-quantity", "Observation-value-quantity", "quantity", "(Observation.value as Quantity) | (Observation.value as SampledData)"},
		{"Condition", "subject", "Condition-subject", "reference", "Condition.subject"},
	};

	(void) state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		const FhirSearchParameter *p = find(cases[i].resource, cases[i].code);

		assert_non_null(p);
		assert_string_equal(fhir_search_string(p->code), cases[i].code);
		assert_string_equal(fhir_search_string(p->name), cases[i].name);
		assert_string_equal(fhir_search_type_name(p->type), cases[i].type);
		if (cases[i].expression == NULL)
			assert_null(fhir_search_string(p->expression));
		else
			assert_string_equal(fhir_search_string(p->expression), cases[i].expression);
	}
	assert_null(find("Patient", "nothing"));
	assert_null(find("Patient", ""));
	assert_null(find("Bundle", "_text"));	/* no DomainResource */
	assert_null(fhir_search_find(0, "_id", 3));
	assert_null(fhir_search_find(number("DomainResource"), "_id", 3));
	assert_null(fhir_search_find(149, "_id", 3));
}

static void
test_composite_and_targets(void **state)
{
	const FhirSearchParameter *p = find("Observation", "code-value-quantity");
	const uint8_t *targets;

	(void) state;
	assert_int_equal(p->type, FHIR_SEARCH_COMPOSITE);
	assert_int_equal(p->components, 2);
	assert_string_equal(fhir_search_string(fhir_search_components[p->component].expression), "code");
	p = find("Observation", "subject");
	targets = fhir_search_targets + p->targets;
	assert_int_equal(targets[0], 4);	/* Group, Device, Patient, Location */
	for (int i = 1; i < targets[0]; i++)
		assert_true(targets[i] < targets[i + 1]);
}

/* Every entry can be found by its code, names a type and is sorted; R4 has 1,719 with the three examples. */
static void
test_all(void **state)
{
	int			all = 0;

	(void) state;
	for (int resource = 1; resource <= FHIR_RESOURCE_TYPES; resource++)
	{
		for (int i = fhir_first_search[resource]; i < fhir_first_search[resource + 1]; i++, all++)
		{
			const FhirSearchParameter *p = &fhir_search_parameters[i];
			const char *code = fhir_search_string(p->code);

			if (fhir_resource_concrete(resource))
				assert_ptr_equal(fhir_search_find(resource, code, strlen(code)), p);
			if (p->type == FHIR_SEARCH_COMPOSITE)
				assert_true(p->components >= 2);
		}
	}
	assert_int_equal(all, 1718);
}

static void
test_compartments(void **state)
{
	const FhirCompartmentEntry *entry = fhir_compartment_find(number("Patient"), number("Observation"));

	(void) state;
	assert_non_null(entry);
	assert_int_equal(entry->count, 2);
	assert_string_equal(fhir_search_string(fhir_compartment_codes[entry->first]), "subject");
	assert_string_equal(fhir_search_string(fhir_compartment_codes[entry->first + 1]), "performer");
	assert_null(fhir_compartment_find(number("Patient"), number("Medication")));
	assert_null(fhir_compartment_find(number("Group"), number("Observation")));
	/* what compartments name are parameters of the resource */
	for (int i = 0; i < fhir_compartment_count; i++)
	{
		for (int k = 0; k < fhir_compartments[i].count; k++)
		{
			const char *code = fhir_search_string(fhir_compartment_codes[fhir_compartments[i].first + k]);

			if (strcmp(code, "{def}") != 0)
				assert_non_null(fhir_search_find(fhir_compartments[i].resource, code, strlen(code)));
		}
		assert_ptr_equal(fhir_compartment_find(fhir_compartments[i].compartment, fhir_compartments[i].resource), &fhir_compartments[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_composite_and_targets),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_compartments),
	};

	return cmocka_run_group_tests_name("fhir_search", tests, NULL, NULL);
}
