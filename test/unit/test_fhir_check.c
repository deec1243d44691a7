/*
 * The validator's walk: where it stops, what it does without memory or when
 * interrupted, and that no document makes it misbehave (the sanitizers look).
 * Which fault is found where: test/sql/fhir_faults.sql.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "fhir_check.h"
#include "fhir_unit.h"

typedef struct Found
{
	int			count;
	int			stop_at;
	FhirRule	rule;
	char		path[FHIR_PATH_MAX + 16];
} Found;

static bool
note(void *arg, const FhirFault *fault)
{
	Found	   *found = arg;

	found->count++;
	found->rule = fault->rule;
	assert_true(strlen(fault->path) < sizeof(found->path));
	strcpy(found->path, fault->path);
	return found->count != found->stop_at;
}

static CoreStatus
check(const CoreContext *cx, const char *text, size_t len, Found *found)
{
	JsonTree	tree;
	CoreStatus	status;

	json_tree_init(&tree, cx);
	status = json_tree_parse(&tree, text, len);
	if (status == CORE_OK)
		status = fhir_check_resource(cx, tree.root, true, note, found);
	json_tree_free(&tree);
	return status;
}

static const char *const samples[] = {
	"{\"resourceType\":\"Patient\",\"id\":\"a\",\"contained\":[{\"resourceType\":\"Organization\",\"id\":\"o1\"},{\"resourceType\":\"Organization\",\"id\":\"o2\"}],"
	"\"name\":[{\"given\":[\"a\",null],\"_given\":[null,{\"extension\":[{\"url\":\"u\",\"valueCode\":\"c\"}]}]}],\"birthDate\":\"1990-02-28\","
	"\"_birthDate\":{\"extension\":[{\"url\":\"u\",\"valueString\":\"x\"}]},\"multipleBirthInteger\":2,\"link\":[{\"other\":{\"reference\":\"Patient/1/_history/2\"},\"type\":\"refer\"}],"
	"\"text\":{\"status\":\"empty\",\"div\":\"<div xmlns=\\\"http://www.w3.org/1999/xhtml\\\">x</div>\"}}",
	"{\"resourceType\":\"Bundle\",\"type\":\"batch\",\"entry\":[{\"resource\":{\"resourceType\":\"Observation\",\"status\":\"final\",\"code\":{\"text\":\"x\"},"
	"\"valueQuantity\":{\"value\":1.5},\"subject\":{\"reference\":\"urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7\"}}}]}",
	"{\"resourceType\":\"Condition\",\"subject\":{\"reference\":\"http://a/Patient/1\",\"type\":\"Patient\"},\"clinicalStatus\":{\"coding\":[{\"system\":"
	"\"http://terminology.hl7.org/CodeSystem/condition-clinical\",\"code\":\"active\"}]}}",
};

static void
test_stops(void **state)
{
	TestMemory	memory = {-1};
	CoreContext cx = TEST_CONTEXT(&memory);
	const char *text = "{\"resourceType\":\"Patient\",\"a\":1,\"b\":2,\"c\":3,\"name\":[{\"d\":4}]}";

	for (int stop = 1; stop <= 5; stop++)
	{
		Found		found = {0, stop};

		assert_int_equal(check(&cx, text, strlen(text), &found), CORE_INVALID);
		assert_int_equal(found.count, stop > 4 ? 4 : stop);
		assert_string_equal(found.path, stop == 1 ? "Patient.a" : stop == 2 ? "Patient.b" : stop == 3 ? "Patient.c" : "Patient.name[0].d");
	}
	for (size_t i = 0; i < 3; i++)
	{
		Found		found = {0};

		assert_int_equal(check(&cx, samples[i], strlen(samples[i]), &found), CORE_OK);
		assert_int_equal(found.count, 0);
	}
}

/* A path that is too long ends in dots. */
static void
test_long_path(void **state)
{
	TestMemory	memory = {-1};
	CoreContext cx = TEST_CONTEXT(&memory);
	Found		found = {0};
	char		text[8000] = "{\"resourceType\":\"Basic\",\"code\":{\"text\":\"x\"},\"modifierExtension\":[";

	for (int i = 0; i < 100; i++)
		strcat(text, "{\"url\":\"a\",\"extension\":[");
	strcat(text, "{}");
	for (int i = 0; i < 100; i++)
		strcat(text, "]}");
	strcat(text, "]}");
	assert_int_equal(check(&cx, text, strlen(text), &found), CORE_INVALID);
	assert_int_equal(found.rule, FHIR_RULE_DEPTH);
	assert_string_equal(found.path + strlen(found.path) - 3, "...");
	assert_true(strlen(found.path) <= FHIR_PATH_MAX + 3);
}

static void
test_no_memory(void **state)
{
	bool		done = false;

	for (long n = 0; !done; n++)
	{
		TestMemory	memory = {n};
		CoreContext cx = TEST_CONTEXT(&memory);
		Found		found = {0};
		CoreStatus	status = check(&cx, samples[0], strlen(samples[0]), &found);

		done = memory.count <= n;
		assert_int_equal(status, done ? CORE_OK : CORE_NO_MEMORY);
	}
}

static void
test_interrupt(void **state)
{
	TestMemory	memory = {-1};
	CoreContext cx = TEST_CONTEXT(&memory);
	JsonTree	tree;
	Found		found = {0};
	char		text[20000] = "{\"resourceType\":\"Patient\",\"name\":[{\"text\":\"x\"}";

	for (int i = 0; i < 600; i++)
		strcat(text, ",{\"text\":\"x\"}");
	strcat(text, "]}");
	json_tree_init(&tree, &cx);
	assert_int_equal(json_tree_parse(&tree, text, strlen(text)), CORE_OK);
	memory.interrupt = true;
	assert_int_equal(fhir_check_resource(&cx, tree.root, false, note, &found), CORE_INTERRUPTED);
	json_tree_free(&tree);
}

static void
test_mutations(void **state)
{
	TestMemory	memory = {-1};
	CoreContext cx = TEST_CONTEXT(&memory);
	unsigned	seed = 99;
	int			valid = 0,
				invalid = 0;

	for (int round = 0; round < 100000; round++)
	{
		char	   *text = malloc(2048);	/* its own block, so that reading beyond is seen */
		char	   *exact;
		size_t		len;
		Found		found = {0};
		CoreStatus	status;

		strcpy(text, samples[rand_r(&seed) % 3]);
		len = strlen(text);
		mutate(text, &len, 2048, "{}[]\",:_/#?.-0129azATnul|<>&= ", &seed);
		exact = malloc(len);
		memcpy(exact, text, len);
		status = check(&cx, exact, len, &found);
		if (found.count > 0)
			assert_int_equal(status, CORE_INVALID);
		valid += status == CORE_OK;
		invalid += found.count > 0;
		free(exact);
		free(text);
	}
	assert_true(valid > 1000 && invalid > 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stops),
		cmocka_unit_test(test_long_path),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_interrupt),
		cmocka_unit_test(test_mutations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
