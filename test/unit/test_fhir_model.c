/*
 * The generated model: in the order that its searches rely on, and whole.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "fhir_model.h"
#include "fhir_primitive.h"

static int
type_of(const char *name)
{
	return fhir_type_find(name, strlen(name));
}

static const FhirElement *
element(const char *type, const char *key)
{
	return fhir_element_find(type_of(type), key, strlen(key));
}

static void
test_order(void **state)
{
	for (int t = 1; t < fhir_type_count; t++)
	{
		const FhirType *type = &fhir_types[t];
		uint64_t	required = 0;

		for (int i = 0; i < type->count; i++)
		{
			const FhirElement *e = &fhir_elements[type->first + i];
			const FhirElement *main = &fhir_elements[type->first + e->main];

			if (i > 0)
				assert_true(fhir_compare(fhir_string(e[-1].name), e[-1].name_len, fhir_string(e->name), e->name_len) < 0);
			assert_int_equal(strlen(fhir_string(e->name)), e->name_len);
			assert_int_equal(fhir_string_len(e->name), e->name_len);
			assert_true(e->type > 0 && e->type < fhir_type_count && fhir_types[e->type].name != 0);
			assert_true(e->codes < fhir_code_set_count && e->slot < 64);
			assert_int_equal(main->slot, e->slot);
			assert_true((e->flags & FHIR_SIBLING) ? main != e && main->type < FHIR_RESOURCE_BASE : main == e);
			if (e->flags & FHIR_SIBLING)
				assert_int_equal(fhir_string(e->name)[0], '_');
			if (e->flags & FHIR_REQUIRED)
				required |= UINT64_C(1) << e->slot;
			assert_ptr_equal(fhir_element_find(t, fhir_string(e->name), e->name_len), e);
		}
		assert_true(required == type->required);
	}
}

static void
test_code_sets(void **state)
{
	for (int s = 1; s < fhir_code_set_count; s++)
	{
		const FhirCodeSet *set = &fhir_code_sets[s];

		for (int i = 0; i < set->count; i++)
		{
			uint16_t	code = fhir_codes[set->first + i];

			if (i > 0)
				assert_true(fhir_compare(fhir_string(code), fhir_string_len(code),
										 fhir_string(fhir_codes[set->first + i - 1]), fhir_string_len(fhir_codes[set->first + i - 1])) >= 0);
			assert_true(fhir_code_in_set(set, fhir_string(code), fhir_string_len(code), NULL, 0));
		}
		assert_false(set->kind == FHIR_SET_CODES && fhir_code_in_set(set, "no such code", 12, NULL, 0));
	}
}

static void
test_resources(void **state)
{
	assert_string_equal(fhir_resource_name(1), "Account");
	assert_string_equal(fhir_resource_name(104), "Patient");
	assert_string_equal(fhir_resource_name(148), "VisionPrescription");
	assert_null(fhir_resource_name(0));
	assert_null(fhir_resource_name(149));
	for (int n = 1; n <= FHIR_RESOURCE_TYPES; n++)
	{
		const char *name = fhir_resource_name(n);
		char		folded[64];

		if (n > 1)
			assert_true(strcmp(fhir_resource_name(n - 1), name) < 0);
		assert_int_equal(fhir_resource_number(name, strlen(name)), n);
		for (size_t i = 0; i <= strlen(name); i++)
			folded[i] = (char) (name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 32 : name[i]);
		assert_int_equal(fhir_resource_number_folded(folded, strlen(folded)), n);
		assert_int_equal(fhir_resource_number(folded, strlen(folded)), 0);
		assert_int_equal(fhir_resource_concrete(n), strcmp(name, "Resource") != 0 && strcmp(name, "DomainResource") != 0);
	}
	assert_int_equal(fhir_resource_number("", 0), 0);
	assert_int_equal(fhir_resource_number("Patien", 6), 0);
	assert_int_equal(fhir_resource_number("Patients", 8), 0);
}

/* Facts of the specification, looked up by hand */
static void
test_facts(void **state)
{
	const FhirElement *e;

	assert_int_equal(element("Patient", "birthDate")->type, FHIR_DATE);
	assert_int_equal(element("Patient", "id")->type, FHIR_ID);
	assert_int_equal(element("HumanName", "id")->type, FHIR_STRING);
	assert_int_equal(element("Extension", "url")->type, FHIR_URI);
	assert_null(element("Patient", "_id"));
	assert_non_null(element("Patient", "_birthDate"));
	assert_null(element("Patient", "value"));
	assert_true(element("Patient", "name")->flags & FHIR_ARRAY);
	assert_false(element("Patient", "gender")->flags & FHIR_ARRAY);
	assert_int_equal(element("Patient", "name")->type, type_of("HumanName"));
	e = element("Observation", "valueQuantity");
	assert_int_equal(e->base_len, 5);
	assert_true(e->flags & FHIR_CHOICE);
	assert_int_equal(e->type, type_of("Quantity"));
	assert_int_equal(e->slot, element("Observation", "_valueString")->slot);
	assert_non_null(fhir_element_find_base(type_of("Observation"), "value", 5));
	assert_null(fhir_element_find_base(type_of("Observation"), "val", 3));
	assert_true(element("Observation", "status")->flags & FHIR_REQUIRED);
	assert_true(element("MedicationRequest", "medicationReference")->flags & FHIR_REQUIRED);
	/* content references lead to the inner type */
	e = element("Bundle", "link");
	assert_int_equal(fhir_element_find(element("Bundle", "entry")->type, "link", 4)->type, e->type);
	assert_string_equal(fhir_string(fhir_types[e->type].name), "link");
	assert_int_equal(fhir_types[e->type].owner, type_of("Bundle"));
	/* bases */
	assert_true(fhir_type_is(type_of("Patient"), type_of("Resource")));
	assert_true(fhir_type_is(type_of("Age"), type_of("Quantity")));
	assert_true(fhir_type_is(FHIR_CODE, FHIR_STRING));
	assert_false(fhir_type_is(type_of("Bundle"), type_of("DomainResource")));
	assert_true(fhir_type_is(element("Patient", "contact")->type, type_of("BackboneElement")));
	/* codes and targets */
	e = element("Patient", "gender");
	assert_true(fhir_code_in_set(&fhir_code_sets[e->codes], "female", 6, NULL, 0));
	assert_false(fhir_code_in_set(&fhir_code_sets[e->codes], "Female", 6, NULL, 0));
	e = element("Condition", "clinicalStatus");
	assert_true(fhir_code_in_set(&fhir_code_sets[e->codes], "active", 6, "http://terminology.hl7.org/CodeSystem/condition-clinical", 56));
	assert_false(fhir_code_in_set(&fhir_code_sets[e->codes], "active", 6, "x", 1));
	e = element("Money", "currency");
	assert_true(fhir_code_in_set(&fhir_code_sets[e->codes], "VND", 3, NULL, 0));
	e = element("Patient", "generalPractitioner");
	assert_true(fhir_target_allowed(e->targets, fhir_resource_number("Practitioner", 12)));
	assert_false(fhir_target_allowed(e->targets, fhir_resource_number("Patient", 7)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_code_sets),
		cmocka_unit_test(test_resources),
		cmocka_unit_test(test_facts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
