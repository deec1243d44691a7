/*
 * The JSON parser: held against jansson on mutated texts, against memory that
 * ends at every place, and its tree against what was written.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "fhir_unit.h"
#include "json_tree.h"

static const char *const samples[] = {
	"{\"resourceType\":\"Patient\",\"a\":[1,-2.5e3,0,true,false,null,\"x\\u0041\\n\"],\"bb\":{},\"ccc\":[]}",
	" [ { \"k\" : [ [ ] , { } ] } , \"\\ud83d\\ude00\\\"\\\\\\/\\b\\f\\r\\t\" , 1E+10 ] ",
	"{\"b\":1,\"a\":2,\"aa\":3,\"\":4,\"A\":5,\"long key that is long\":\"long text without any escape in it\"}",
	"\"only a string\"", "-0.0", "null", "[[[[[[[[1]]]]]]]]",
};

static void
test_tree(void **state)
{
	TestMemory	memory = {-1};
	CoreContext cx = TEST_CONTEXT(&memory);
	JsonTree	tree;
	const char *text = "{\"bb\":[1,\"\\u0110\\u1ec9\\ud83d\\ude00\"],\"a\":null,\"c\":{\"x\":true},\"B\":-1.50,\"bb\":2}";
	const JsonNode *n;

	json_tree_init(&tree, &cx);
	assert_int_equal(json_tree_parse(&tree, text, strlen(text)), CORE_OK);
	assert_int_equal(tree.root->kind, NODE_OBJECT);
	assert_int_equal(tree.root->len, 5);
	/* by length, then bytes; both of a key that stands twice */
	assert_memory_equal(tree.root->u.children[0].key, "B", 1);
	assert_memory_equal(tree.root->u.children[1].key, "a", 1);
	assert_memory_equal(tree.root->u.children[2].key, "c", 1);
	assert_memory_equal(tree.root->u.children[3].key, "bb", 2);
	assert_memory_equal(tree.root->u.children[4].key, "bb", 2);
	n = json_child(tree.root, "B", 1);
	assert_int_equal(n->kind, NODE_NUMBER);
	assert_int_equal(n->len, 5);
	assert_memory_equal(n->u.text, "-1.50", 5);
	assert_int_equal(json_child(json_child(tree.root, "c", 1), "x", 1)->kind, NODE_TRUE);
	assert_null(json_child(tree.root, "z", 1));
	n = json_child(tree.root, "bb", 2);
	if (n->kind != NODE_ARRAY)
		n++;
	assert_int_equal(n->u.children[1].len, 2 + 3 + 4);
	assert_memory_equal(n->u.children[1].u.text, "Đỉ😀", 9);
	json_tree_free(&tree);
}

/* Every text that both can judge is judged alike. */
static void
test_against_jansson(void **state)
{
	TestMemory	memory = {-1};
	CoreContext cx = TEST_CONTEXT(&memory);
	unsigned	seed = 1;
	int			good = 0,
				bad = 0;

	for (int round = 0; round < 60000; round++)
	{
		char		text[512];
		size_t		len;
		JsonTree	tree;
		json_error_t error;
		json_t	   *oracle;
		CoreStatus	status;

		strcpy(text, samples[rand_r(&seed) % (sizeof(samples) / sizeof(samples[0]))]);
		len = strlen(text);
		if (round >= (int) (sizeof(samples) / sizeof(samples[0])))
			mutate(text, &len, sizeof(text), "{}[]\",:\\u0019afdtnr-+.eE \n\001", &seed);
		json_tree_init(&tree, &cx);
		status = json_tree_parse(&tree, text, len);
		oracle = json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
		/* jansson keeps \u0000 and refuses numbers that no double can hold */
		if (!(status == CORE_INVALID && tree.fault == JSON_NUL) &&
			!(status == CORE_OK && oracle == NULL && json_error_code(&error) == json_error_numeric_overflow))
		{
			if ((status == CORE_OK) != (oracle != NULL))
				fail_msg("%d against %s: %.*s", status, oracle ? "fine" : error.text, (int) len, text);
		}
		good += status == CORE_OK;
		bad += status != CORE_OK;
		if (status != CORE_OK)
			assert_true(tree.fault_at <= len);
		json_decref(oracle);
		json_tree_free(&tree);
	}
	assert_true(good > 1000 && bad > 1000);
}

/* Memory that ends at the first, second, ... allocation: a status, no leak (the sanitizer looks). */
static void
test_no_memory(void **state)
{
	char		text[40000];
	size_t		len = 0;
	bool		done = false;

	len += sprintf(text, "{\"a\":\"\\n\"");
	for (int i = 0; i < 1500; i++)
		len += sprintf(text + len, ",\"k%d\":[\"\\u0041\",{}]", i);
	text[len++] = '}';
	for (long n = 0; !done; n++)
	{
		TestMemory	memory = {n};
		CoreContext cx = TEST_CONTEXT(&memory);
		JsonTree	tree;
		CoreStatus	status;

		json_tree_init(&tree, &cx);
		status = json_tree_parse(&tree, text, len);
		done = memory.count <= n;
		assert_int_equal(status, done ? CORE_OK : CORE_NO_MEMORY);
		json_tree_free(&tree);
	}
}

static void
test_interrupt(void **state)
{
	TestMemory	memory = {-1, 0, true};
	CoreContext cx = TEST_CONTEXT(&memory);
	JsonTree	tree;
	char	   *text = malloc(20002);

	memset(text, '0', 20002);
	text[0] = '[';
	for (int i = 2; i < 20001; i += 2)
		text[i] = ',';
	text[20000] = ']';
	json_tree_init(&tree, &cx);
	assert_int_equal(json_tree_parse(&tree, text, 20001), CORE_INTERRUPTED);
	json_tree_free(&tree);
	free(text);
}

/* Sorting: against qsort, for sizes of both algorithms */
static int
compare_nodes(const void *a, const void *b)
{
	const JsonNode *x = a,
			   *y = b;

	if (x->key_len != y->key_len)
		return x->key_len < y->key_len ? -1 : 1;
	return memcmp(x->key, y->key, x->key_len);
}

static void
test_sort(void **state)
{
	unsigned	seed = 7;
	char		keys[300][8];

	for (int n = 0; n < 300; n++)
	{
		JsonNode	ours[300],
					theirs[300];

		for (int i = 0; i < n; i++)
		{
			memset(&ours[i], 0, sizeof(JsonNode));
			ours[i].key_len = snprintf(keys[i], sizeof(keys[i]), "%d", rand_r(&seed) % (n + 1));
			ours[i].key = keys[i];
		}
		memcpy(theirs, ours, sizeof(ours));
		json_sort_nodes(ours, n);
		qsort(theirs, n, sizeof(JsonNode), compare_nodes);
		for (int i = 0; i < n; i++)
			assert_int_equal(compare_nodes(&ours[i], &theirs[i]), 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree),
		cmocka_unit_test(test_against_jansson),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_interrupt),
		cmocka_unit_test(test_sort),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
