/*
 * test_fhir_expr.c
 *		The subset of FHIRPath: what expressions give, what is refused, hostile input.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "fhir_expr.h"
#include "fhir_invariants.h"
#include "fhir_model.h"
#include "fhir_schedule.h"
#include "json_tree.h"

#include "fhir_unit.h"

static const char document[] =
"{\"resourceType\":\"Patient\",\"active\":true,\"birthDate\":\"1990-05\",\"multipleBirthInteger\":2,"
"\"_gender\":{\"extension\":[{\"url\":\"http://x\",\"valueCode\":\"x\"}]},"
"\"name\":[{\"family\":\"A\",\"given\":[\"b\",null,\"c\"],\"_given\":[null,{\"id\":\"g\"},null],\"period\":{\"start\":\"2020-01-01\",\"end\":\"2020\"}},{\"family\":\"B\"}],"
"\"contained\":[{\"resourceType\":\"Organization\",\"id\":\"o\",\"name\":\"x\"}],\"managingOrganization\":{\"reference\":\"#o\"}}";

/* T, F, E ({} that cannot be decided), U (undecided) */
static const struct
{
	const char *text;
	char		truth;
}			cases[] = {
	{"active", 'T'}, {"active.not()", 'F'}, {"active = true", 'T'}, {"active != true", 'F'},
	{"name.count() = 2", 'T'}, {"name.given.count()=3", 'T'}, {"name.family.isDistinct()", 'T'}, {"name.where(family = 'A').exists()", 'T'},
	{"name.exists(family = 'C')", 'F'}, {"name.all(family.exists())", 'T'}, {"name.all(given.exists())", 'F'}, {"name.first().family = 'A'", 'T'},
	{"name.tail().family = 'B'", 'T'}, {"gender.exists()", 'T'}, {"gender.hasValue()", 'F'}, {"gender.extension.value = 'x'", 'T'},
	{"multipleBirth = 2", 'T'}, {"multipleBirth is integer", 'T'}, {"multipleBirth is boolean", 'F'}, {"(multipleBirth as integer) <= 2", 'T'},
	{"multipleBirth > 10", 'F'}, {"multipleBirth < 2.5 and 1.5 < multipleBirth", 'T'},
	{"photo.empty()", 'T'}, {"photo.url = 'x'", 'F'}, {"photo.url.startsWith('x')", 'E'}, {"photo.url.contains('x') implies active", 'T'},
	{"name.period.all(start <= end)", 'F'}, {"name[0].family", 'x'}, {"name.first().period.start <= name.first().period.end", 'E'},
	{"birthDate < birthDate", 'F'}, {"birthDate = '1990-05'", 'T'}, {"{} = 1", 'F'}, {"{} or true", 'T'}, {"true and {}", 'F'}, {"{}.empty()", 'T'},
	{"true xor true", 'F'}, {"false implies {}", 'T'}, {"true implies false", 'F'}, {"'b' in name.given", 'T'}, {"name.given contains 'z'", 'F'},
	{"(name.family | name.family).count() = 2", 'T'}, {"name.family.combine(name.family).count() = 4", 'T'}, {"name.family.intersect(name.given).empty()", 'T'},
	{"name.select(family & 'x').first() = 'Ax'", 'T'}, {"'1'.toInteger() + 1 = 2", 'T'}, {"1.toString() = '1'", 'T'}, {"'abc'.substring(1) = 'bc'", 'T'},
	{"'a.b'.replaceMatches('\\\\..*','') = 'a'", 'T'}, {"iif(active, 'a', 'b') = 'a'", 'T'}, {"iif(photo.empty(), true)", 'T'},
	{"contained.id = 'o'", 'T'}, {"%resource.contained.is(Organization)", 'T'}, {"managingOrganization.resolve().name = 'x'", 'T'},
	{"Patient.active", 'T'}, {"Group.active", 'F'}, {"descendants().count() > 10", 'T'}, {"children().ofType(HumanName).count() = 2", 'T'},
	{"contained.descendants().where($this = 'x').exists()", 'T'}, {"name.trace('n').count() = %context.name.count()", 'T'},
	{"`active`", 'T'}, {"name.given = 'b'", 'F'}, {"name.family", 'U'}, {"name.family <= 'x'", 'U'},
	/* refused */
	{"", 'x'}, {"name.", 'x'}, {"name.lower()", 'x'}, {"now()", 'x'}, {"a b", 'x'}, {"(a", 'x'}, {"a)", 'x'}, {"'x", 'x'}, {"$index", 'x'}, {"%other", 'x'},
	{"name.matches('.*')", 'x'}, {"name.matches(family)", 'x'}, {"a is Nothing", 'x'}, {"1 / 2", 'x'}, {"@2020", 'x'}, {"name.where()", 'x'}, {"name.empty(1)", 'x'},
	{"iif(true)", 'x'}, {"'\\q'", 'x'}, {"a.b..c", 'x'}, {"-1", 'x'}, {"name.repeat(given)", 'x'},
};

static CoreStatus
ask(const CoreContext *cx, const JsonNode *root, const char *text, size_t len, FhirTruth *truth)
{
	FhirExpr   *expr;
	FhirScope	scope = {root, fhir_node_resource_type(root), root, fhir_node_resource_type(root)};
	FhirFocus	focus = {root, NULL, scope.resource_type};
	size_t		at;
	CoreStatus	status = fhir_expr_parse(cx, text, len, &expr, &at);

	if (status != CORE_OK)
	{
		assert_true(status != CORE_INVALID || at <= len);
		return status;
	}
	status = fhir_expr_test(cx, expr, &scope, &focus, truth);
	fhir_expr_free(cx, expr);
	return status;
}

static void
test_cases(void **state)
{
	TestMemory	memory = {-1, 0, false};
	CoreContext cx = TEST_CONTEXT(&memory);
	JsonTree	tree;

	json_tree_init(&tree, &cx);
	assert_int_equal(json_tree_parse(&tree, document, strlen(document)), CORE_OK);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		FhirTruth	truth = FHIR_TRUTH_UNDECIDED;
		CoreStatus	status = ask(&cx, tree.root, cases[i].text, strlen(cases[i].text), &truth);
		char		got = status == CORE_INVALID ? 'x' : "FTEU"[truth];

		if (got != cases[i].truth)
			fail_msg("%s: %c, not %c", cases[i].text, got, cases[i].truth);
	}
	json_tree_free(&tree);
}

/* All of R4's invariants are in the subset, and each is asked of some type; so are the bindings. */
static void
test_invariants(void **state)
{
	TestMemory	memory = {-1, 0, false};
	CoreContext cx = TEST_CONTEXT(&memory);
	bool		asked[1000] = {false},
				bound[1000] = {false};

	for (int i = 0; i < fhir_invariant_count; i++)
	{
		FhirInvariantPlan plan = {NULL, false};

		assert_int_equal(fhir_invariant_parse(&cx, i, &plan), CORE_OK);
		assert_non_null(plan.expr);
		fhir_expr_free(&cx, plan.expr);
	}
	for (int i = 0; i < fhir_first_asked[fhir_type_count]; i++)
		asked[fhir_asked[i].invariant] = true;
	for (int i = 0; i < fhir_first_bound[fhir_type_count]; i++)
		bound[fhir_bound[i].binding] = true;
	for (int i = 0; i < fhir_invariant_count; i++)
		assert_true(asked[i]);
	/* those of the abstract types' own elements stand at the types that have them */
	for (int i = 0; i < fhir_binding_count; i++)
		assert_true(bound[i]);
}

/* Changed expressions over changed documents: no crash, no leak, also where memory ends. */
static void
test_hostile(void **state)
{
	TestMemory	memory = {-1, 0, false};
	CoreContext cx = TEST_CONTEXT(&memory);
	unsigned	seed = 7;

	for (int round = 0; round < 20000; round++)
	{
		char		text[4096];
		char		doc[4096];
		const char *source = round % 2 ? fhir_invariants[rand_r(&seed) % fhir_invariant_count].expression :
			cases[rand_r(&seed) % (sizeof(cases) / sizeof(cases[0]))].text;
		size_t		len = strlen(source);
		size_t		doc_len = strlen(document);
		JsonTree	tree;
		FhirTruth	truth;

		if (len > 2000)
			continue;
		memcpy(text, source, len);
		memcpy(doc, document, doc_len);
		mutate(text, &len, sizeof(text), "().'=<>|&%$ abcx01,{}`\\", &seed);
		if (round % 3 == 0)
			mutate(doc, &doc_len, sizeof(doc), "\"{}[]:,ax01.#", &seed);
		memory.fail_at = -1;
		json_tree_init(&tree, &cx);
		if (json_tree_parse(&tree, doc, doc_len) == CORE_OK)
		{
			memory.count = 0;
			memory.fail_at = round % 5 == 0 ? (long) (rand_r(&seed) % 4) : -1;
			(void) ask(&cx, tree.root, text, len, &truth);
			memory.fail_at = -1;
		}
		json_tree_free(&tree);
	}
}

static void
test_limits(void **state)
{
	TestMemory	memory = {-1, 0, false};
	CoreContext cx = TEST_CONTEXT(&memory);
	char		deep[2000];
	JsonTree	tree;
	FhirTruth	truth;

	json_tree_init(&tree, &cx);
	assert_int_equal(json_tree_parse(&tree, document, strlen(document)), CORE_OK);
	memset(deep, '(', 1000);
	assert_int_equal(ask(&cx, tree.root, deep, 1000, &truth), CORE_INVALID);
	/* a path that doubles what it has at every step is given up, not followed */
	{
		char		text[4000] = "name";

		for (int i = 0; i < 60; i++)
			strcat(text, ".combine(descendants()).select($this.combine($this))");
		strcat(text, ".count() > 0");
		assert_int_equal(ask(&cx, tree.root, text, strlen(text), &truth), CORE_OK);
		assert_int_equal(truth, FHIR_TRUTH_UNDECIDED);
		memory.interrupt = true;
		assert_int_equal(ask(&cx, tree.root, text, strlen(text), &truth), CORE_INTERRUPTED);
	}
	json_tree_free(&tree);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_invariants),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
