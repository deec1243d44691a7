/*
 * The FHIRPath engine without a server: laziness, limits, memory, the reader of jsonb.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fhir_invariants.h"
#include "fhirpath_columns.h"
#include "fhirpath_eval.h"
#include "fhirpath_prefix.h"
#include "jsonb_make.h"

/* Memory that gives out after so many allocations (-1: never) and counts what is not freed */
static long left_allocations = -1;
static long held = 0;

static void *
unit_alloc(void *arg, size_t size)
{
	(void) arg;
	if (left_allocations == 0)
		return NULL;
	if (left_allocations > 0)
		left_allocations--;
	held++;
	return malloc(size);
}

static void
unit_free(void *arg, void *ptr)
{
	(void) arg;
	held--;
	free(ptr);
}

static bool interrupt = false;

static bool
unit_interrupted(void *arg)
{
	(void) arg;
	return interrupt;
}

static const CoreContext cx = {unit_alloc, unit_free, unit_interrupted, NULL, JSON_DEPTH_MAX};

typedef struct Result
{
	FhirPathEval *ev;
	char		text[4096];
	size_t		len;
	int			count;
	int			stop_after;
} Result;

static bool
note(void *arg, const FpItem *item)
{
	Result	   *r = arg;
	const char *text;
	uint32_t	len;

	if (!fhirpath_item_text(r->ev, item, &text, &len))
	{
		text = item->json == JB_T_NULL ? "-" : "{}";
		len = (uint32_t) strlen(text);
	}
	r->len += (size_t) snprintf(r->text + r->len, sizeof(r->text) - r->len, "%s%.*s", r->count > 0 ? "," : "", (int) len, text);
	return ++r->count != r->stop_after;
}

/* The items of an expression, between commas; "!" and the message for an error */
static const char *
run_limited(const char *json, const char *expression, int64_t steps, int stop_after)
{
	static Result r;
	FhirPathError error;
	FhirPath   *path;
	FhirPathPlan *plan;
	uint32_t	size = 0;
	JbContainer *doc = jsonb_make(&cx, json, strlen(json), &size);
	FhirPathInput input = {.doc = doc, .size = size, .step_limit = steps};
	CoreStatus	status;

	assert_non_null(doc);
	memset(&r, 0, sizeof(r));
	r.stop_after = stop_after;
	status = fhirpath_parse(&cx, expression, strlen(expression), &path, &error);
	if (status == CORE_OK)
	{
		assert_true(fhirpath_valid(path, fhirpath_size(path)));
		status = fhirpath_plan(&cx, path, &plan, &error);
		if (status == CORE_OK)
		{
			r.ev = fhirpath_eval_create(&cx);
			assert_non_null(r.ev);
			fhirpath_begin(r.ev, &input);
			status = fhirpath_each(r.ev, plan, NULL, note, &r);
			error = *fhirpath_error(r.ev);
			fhirpath_eval_free(r.ev);
			fhirpath_plan_free(plan);
		}
		cx.free(cx.arg, path);
	}
	if (status == CORE_INVALID)
		snprintf(r.text, sizeof(r.text), "!%s", error.text);
	else if (status != CORE_OK)
		snprintf(r.text, sizeof(r.text), "!status %d", (int) status);
	free(doc);
	return r.text;
}

static const char *
run(const char *json, const char *expression)
{
	return run_limited(json, expression, 0, 0);
}

static const char patient[] =
	"{\"resourceType\": \"Patient\", \"id\": \"p\", \"birthDate\": \"1980-05-17\", \"_birthDate\": {\"extension\": [{\"url\": \"u\", \"valueInteger\": 7}]},"
	" \"name\": [{\"use\": \"official\", \"given\": [\"A\", null, \"B\"], \"_given\": [null, {\"id\": \"g\"}]}, {\"given\": [\"C\"]}],"
	" \"multipleBirthInteger\": 2, \"contained\": [{\"resourceType\": \"Observation\", \"id\": \"o\", \"valueQuantity\": {\"value\": 0.10}}]}";

static void
test_paths(void **state)
{
	(void) state;
	assert_string_equal(run(patient, "name.given"), "A,-,B,C");
	assert_string_equal(run(patient, "Patient.name[0].given[2]"), "B");
	assert_string_equal(run(patient, "name.given.id"), "g");
	assert_string_equal(run(patient, "multipleBirth"), "2");
	assert_string_equal(run(patient, "multipleBirth is integer"), "true");
	assert_string_equal(run(patient, "birthDate.extension.value"), "7");
	assert_string_equal(run(patient, "contained.value.value"), "0.10");
	assert_string_equal(run(patient, "contained.value.ofType(Quantity).value"), "0.10");
	assert_string_equal(run(patient, "contained.value.ofType(string)"), "");
	assert_string_equal(run(patient, "Observation.value"), "");
	assert_string_equal(run("\"text\"", "$this & '!'"), "text!");
	assert_string_equal(run("null", "$this"), "");
	assert_string_equal(run("null", "1 + 1"), "2");
}

/* What is behind the answer is not looked at: an error there does not happen. */
static void
test_lazy(void **state)
{
	(void) state;
	assert_string_equal(run("{\"a\": [1, \"x\"]}", "a.select($this + 1).first()"), "2");
	assert_string_equal(run("{\"a\": [1, \"x\"]}", "a.exists($this + 1 = 2)"), "true");
	assert_string_equal(run("{\"a\": [1, \"x\"]}", "a.all($this + 1 = 3)"), "false");
	assert_string_equal(run("{\"a\": [1, \"x\"]}", "a.where($this + 1 = 2).take(1)"), "1");
	assert_string_equal(run("{\"a\": [1, \"x\"]}", "a.select($this + 1)"), "!the operator is not defined for operands of these types");
	assert_string_equal(run_limited("{\"a\": [1, \"x\"]}", "a.select($this + 1)", 0, 1), "2");
}

static void
test_scopes(void **state)
{
	(void) state;
	assert_string_equal(run("{\"a\": [1, 2], \"b\": 5}", "a.select(%context.b + $this + $index)"), "6,8");
	assert_string_equal(run("{\"a\": [1, 2]}", "a.where($this > 1).select($this + $index)"), "2");
	assert_string_equal(run("{\"a\": [1, 2]}", "defineVariable('s', a.sum()).a.select($this + %s)"), "4,5");
	assert_string_equal(run("{\"a\": [1, 2]}", "a.defineVariable('x', $this).count() + 1"), "3");
	assert_string_equal(run("{\"a\": 1}", "a.select(defineVariable('x')).select(%x)"), "!variable %x is not defined");
	assert_string_equal(run("{\"a\": 1}", "defineVariable('x').defineVariable('x')"), "!a variable of this name is defined already");
	assert_string_equal(run("{\"a\": [1, 2, 3]}", "a.aggregate($total + $this, 0)"), "6");
	/* constants are computed when planned; what fails does so only where it is reached */
	assert_string_equal(run("{\"a\": [-5, 2]}", "a.where($this = -5) | (1 + 2) * 2 | 'x' & 'y' | @2020-01-31 + 1 month | -(1 'mg' + 1 'g')"), "-5,6,xy,2020-02-29,-1001 'mg'");
	assert_string_equal(run("{\"a\": 1}", "iif(a = 1, 'yes', 1 + 'a')"), "yes");
	assert_string_equal(run("{\"a\": [1, 2]}", "a.sort(1 desc, -$this)"), "2,1");
}

static void
test_limits(void **state)
{
	char	   *deep = malloc(8001);
	char		doc[200] = "{\"a\": [";

	(void) state;
	for (int i = 0; i < 60; i++)
		strcat(doc, i > 0 ? ",1" : "1");
	strcat(doc, "]}");
	assert_string_equal(run_limited(doc, "a.select(%context.a).select(%context.a).count()", 5000, 0), "!the expression takes too many steps");
	assert_string_equal(run(doc, "a.aggregate($total + $total, 'xxxxxxxx')"), "!the expression takes too much memory");
	memset(deep, '(', 1000);
	deep[1000] = '1';
	memset(deep + 1001, ')', 1000);
	deep[2001] = '\0';
	assert_string_equal(run("{}", deep), "!status 4");
	memset(deep, '-', 5000);
	strcpy(deep + 5000, "1");
	assert_string_equal(run("{}", deep), "!status 4");
	for (int i = 0; i < 1000; i++)
		memcpy(deep + 2 * i, "1+", 2);
	strcpy(deep + 2000, "1");
	assert_string_equal(run("{}", deep), "!status 4");
	interrupt = true;
	assert_string_equal(run_limited(doc, "a.select(%context.a).select(%context.a).count()", 0, 0), "!status 3");
	interrupt = false;
	free(deep);
}

/* Whichever allocation fails, nothing is lost and nothing crashes. */
static void
test_no_memory(void **state)
{
	static const char *const expressions[] = {
		"name.given", "name.where(given = 'C').given.first()", "(1 | 2 | 2).distinct().count() + 1.5", "name.given.join(',').upper().replace('A', 'xyz')",
		"birthDate + 1 month", "'1.5 \\'mg\\''.toQuantity() * 2", "descendants().ofType(string).where(matches('A+'))", "%factory.Coding('s', 'c').code",
		"defineVariable('x', name).select(%x.given)", "name.sort(use desc).given", "'ab'.matches('(?<x>a)b')"
	};

	(void) state;
	for (size_t e = 0; e < sizeof(expressions) / sizeof(expressions[0]); e++)
	{
		uint32_t	size;
		JbContainer *doc = jsonb_make(&cx, patient, strlen(patient), &size);
		FhirPathInput input = {.doc = doc, .size = size};
		long		before = held;
		CoreStatus	status = CORE_NO_MEMORY;

		for (long n = 0; status == CORE_NO_MEMORY && n < 200; n++)
		{
			FhirPathError error;
			FhirPath   *path = NULL;
			FhirPathPlan *plan = NULL;
			Result		r = {0};

			left_allocations = n;
			status = fhirpath_parse(&cx, expressions[e], strlen(expressions[e]), &path, &error);
			if (status == CORE_OK && (status = fhirpath_plan(&cx, path, &plan, &error)) == CORE_OK)
			{
				r.ev = fhirpath_eval_create(&cx);
				if (r.ev == NULL)
					status = CORE_NO_MEMORY;
				else
				{
					fhirpath_begin(r.ev, &input);
					status = fhirpath_each(r.ev, plan, NULL, note, &r);
					fhirpath_eval_free(r.ev);
				}
				fhirpath_plan_free(plan);
			}
			if (path != NULL)
				cx.free(cx.arg, path);
			left_allocations = -1;
			assert_int_equal(held, before);
		}
		if (status != CORE_OK)
			print_error("%s: %d\n", expressions[e], (int) status);
		assert_int_equal(status, CORE_OK);
		free(doc);
	}
}

/* R4's own expressions are all taken, and strict mode finds fault with none but cid-0, which is wrong in R4. */
static void
test_invariants(void **state)
{
	(void) state;
	for (int i = 0; i < fhir_invariant_count; i++)
	{
		const FhirInvariant *invariant = &fhir_invariants[i];
		FhirPathError error;
		FhirPath   *path;
		FhirPathPlan *plan;
		int			type = fhir_type_find_path(invariant->type);

		if (fhirpath_parse(&cx, invariant->expression, strlen(invariant->expression), &path, &error) != CORE_OK)
			fail_msg("%s: %s", invariant->key, error.text);
		if (fhirpath_plan(&cx, path, &plan, &error) != CORE_OK)
			fail_msg("%s: %s", invariant->key, error.text);
		if (invariant->child[0] == '\0' && strcmp(invariant->key, "cid-0") != 0 && fhirpath_check(path, type, &error) != CORE_OK)
			fail_msg("%s: %s", invariant->key, error.text);
		fhirpath_plan_free(plan);
		cx.free(cx.arg, path);
	}
}

/* Strict mode, over expressions that touch the edges of the stored form. */
static void
test_strict(void **state)
{
	static const struct
	{
		const char *expression;
		bool		fine;
	}			cases[] = {
		{"name.given", true}, {"Patient.name", true}, {"name.where(use = 'official').family", true}, {"deceased.ofType(boolean)", true},
		{"``", false}, {"name.``", false}, {"Observation.status", false}, {"nam", false}, {"deceasedBoolean", false}, {"children()[0]", false}
	};

	(void) state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		FhirPathError error;
		FhirPath   *path;

		assert_int_equal(fhirpath_parse(&cx, cases[i].expression, strlen(cases[i].expression), &path, &error), CORE_OK);
		if ((fhirpath_check(path, fhir_type_find_path("Patient"), &error) == CORE_OK) != cases[i].fine)
			fail_msg("%s: %s", cases[i].expression, error.text);
		cx.free(cx.arg, path);
	}
}

/*
 * Collections without n²: lists of all kinds of items, long enough for an index, give what the walk over short ones gives.
 * The oracle asks each pair with `=`.
 */
static void
test_sets(void **state)
{
	static const char *const values[] = {
		"\"a\"", "\"b\"", "\"a \"", "1", "1.0", "1.5", "1.50", "100", "true", "false", "{\"x\": 1}", "{\"x\": 1.0}", "{\"x\": [1, \"a\"]}", "{\"y\": 1}",
		"{\"x\": {\"x\": {\"x\": {\"x\": {\"x\": {\"x\": {\"x\": {\"x\": {\"x\": {\"x\": 1}}}}}}}}}}",
		"{\"x\": {\"x\": {\"x\": {\"x\": {\"x\": {\"x\": {\"x\": {\"x\": {\"x\": {\"x\": 2}}}}}}}}}}"
	};
	/* what each of the collections holds, of $this */
	static const char *const items[] = {
		"$this", "$this.toString() & 'x'", "iif($this is Integer, $this * 1 'g', $this)", "iif($this is Integer, $this * 1000 'mg', iif($this is Decimal, $this * 1 'g', $this))",
		"iif($index < 20, $this, iif($index mod 3 = 0, @2024-03-01T10:00:00Z, iif($index mod 3 = 1, @2024-03-01T17:00:00+07:00, @2024-03-01T10:00)))",
		"iif($index < 20, $this, iif($index mod 3 = 0, @2024-03-01, iif($index mod 3 = 1, @2024-03, @T10:30)))", "iif($index < 20, $this, iif($index mod 2 = 0, 1 '1', 1))", "iif($index < 20, $this, iif($index mod 2 = 0, 1 year, 1 'a'))", "iif($index < 20, $this, $this.type())",
		"$index mod 23 * 0.10"
	};
	char		json[8000],
				expression[4000];

	(void) state;
	strcpy(json, "{\"resourceType\": \"Basic\", \"v\": [");
	/* so many others first that there is an index */
	for (int i = 0; i < 20; i++)
		sprintf(json + strlen(json), "\"other %d\",", i);
	for (int i = 0; i < 60; i++)
		sprintf(json + strlen(json), "%s%s", i > 0 ? "," : "", values[i * 7 % (int) (sizeof(values) / sizeof(values[0]))]);
	strcat(json, "]}");
	for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++)
	{
		/* those that equal none before them, one by one */
		sprintf(expression, "v.select(%s).count() = 80 and "
				"defineVariable('all', v.select(%s)).select(%%all.distinct().count() = "
				"%%all.select(defineVariable('i', $index).defineVariable('me').select(iif(%%all.take(%%i).exists($this = %%me), {}, 1))).count())", items[i], items[i]);
		if (strcmp(run(json, expression), "true") != 0)
			fail_msg("%s: %s", items[i], run(json, expression));
		/* and every way to ask for them agrees */
		sprintf(expression, "defineVariable('all', v.select(%s)).defineVariable('some', %%all.distinct()).select((%%all | %%all).count() = %%some.count() and "
				"%%all.union(%%some).count() = %%some.count() and %%some.isDistinct() and %%all.isDistinct().not() and %%all.intersect(%%some).count() = %%some.count() and "
				"%%all.exclude(%%some).empty() and %%all.subsetOf(%%some) and %%some.supersetOf(%%all))", items[i]);
		if (strcmp(run(json, expression), "true") != 0)
			fail_msg("%s: %s", items[i], run(json, expression));
	}
}

/* Numbers of a document beside integers, as they are beside the same number as a decimal */
static void
test_order(void **state)
{
	static const char *const numbers[] = {
		"0", "0.5", "-0.5", "1", "-1", "1.0", "1.00000001", "-1.00000001", "0.00000001", "9999", "10000", "10000.0001", "-10000.5", "100000000", "99999999.99999999", "2147483647", "-2147483648",
		"12345678901234567", "99999999999999999999", "-99999999999999999999", "0.9999", "1e4"
	};
	static const char *const integers[] = {"0", "1", "(-1)", "9999", "10000", "(-10000)", "100000000", "2147483647", "(-2147483648)"};
	char		json[200],
				expression[400];

	(void) state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
	{
		for (size_t k = 0; k < sizeof(integers) / sizeof(integers[0]); k++)
		{
			sprintf(json, "{\"v\": %s}", numbers[i]);
			sprintf(expression, "(v < %s) = (v < %s + 0.0) and (v <= %s) = (v <= %s + 0.0) and (v > %s) = (v > %s + 0.0) and (v >= %s) = (v >= %s + 0.0)", integers[k], integers[k],
					integers[k], integers[k], integers[k], integers[k], integers[k], integers[k]);
			if (strcmp(run(json, expression), "true") != 0)
				fail_msg("%s %s: %s", numbers[i], integers[k], run(json, expression));
		}
	}
}

/* Ten thousand items need as many steps times a few. */
static void
test_large_sets(void **state)
{
	char	   *json = malloc(10000 * 16 + 200);
	size_t		len;

	(void) state;
	len = (size_t) sprintf(json, "{\"resourceType\": \"Basic\", \"v\": [");
	for (int i = 0; i < 10000; i++)
		len += (size_t) sprintf(json + len, "%s\"v%d\"", i > 0 ? "," : "", i);
	strcpy(json + len, "]}");
	assert_string_equal(run_limited(json, "v.distinct().count()", 200000, 0), "10000");
	assert_string_equal(run_limited(json, "(v | v).count()", 200000, 0), "10000");
	assert_string_equal(run_limited(json, "v.select($this & 'x').union(v).count()", 400000, 0), "20000");
	assert_string_equal(run_limited(json, "v.select(length()).distinct().count()", 200000, 0), "4");
	assert_string_equal(run_limited(json, "v.select($index).isDistinct()", 200000, 0), "true");
	assert_string_equal(run_limited(json, "v.intersect(v).count()", 200000, 0), "10000");
	assert_string_equal(run_limited(json, "v.exclude(v).count()", 200000, 0), "0");
	assert_string_equal(run_limited(json, "v.subsetOf(v)", 200000, 0), "true");
	free(json);
}

/* -- many paths in one walk ------------------------------------------------- */

#define COLUMNS 40

/* What a walk found of each path, in the way that note() writes it */
typedef struct Columns
{
	Result		results[COLUMNS];
	FhirPathEval *ev;
} Columns;

static bool
note_more(void *arg, int path, const FpItem *item)
{
	Columns    *c = arg;

	return note(&c->results[path], item);
}

/* The walk's answers are those of each path alone; *plain: how many paths the tree took, *refused: walks that said no. */
static void
compare_columns(const char *json, const char *const *paths, int count, int *plain, int *refused)
{
	FhirPathPlan *plans[COLUMNS];
	FhirPath   *parsed[COLUMNS];
	FhirPathFound found[COLUMNS];
	FhirPathError error;
	FhirPathColumns *columns;
	Columns    *c = calloc(1, sizeof(Columns));
	FhirPathEval *ev = fhirpath_eval_create(&cx);
	uint32_t	size = 0;
	JbContainer *doc = jsonb_make(&cx, json, strlen(json), &size);
	FhirPathInput input = {.doc = doc, .size = size};
	FpItem		focus;

	assert_true(count <= COLUMNS);
	for (int i = 0; i < count; i++)
	{
		assert_int_equal(fhirpath_parse(&cx, paths[i], strlen(paths[i]), &parsed[i], &error), CORE_OK);
		assert_int_equal(fhirpath_plan(&cx, parsed[i], &plans[i], &error), CORE_OK);
		c->results[i].ev = ev;
	}
	fhirpath_begin(ev, &input);
	focus = fhirpath_document(ev);
	assert_int_equal(fhirpath_columns(&cx, (const FhirPathPlan *const *) plans, count, focus.type, &columns), CORE_OK);
	if (columns != NULL && fhirpath_columns_walk(columns, doc, size, found, note_more, c))
	{
		for (int i = 0; i < count; i++)
		{
			static Result alone,
						walked;

			if (!fhirpath_columns_has(columns, i))
				continue;
			(*plain)++;
			memset(&alone, 0, sizeof(alone));
			memset(&walked, 0, sizeof(walked));
			alone.ev = walked.ev = ev;
			assert_int_equal(fhirpath_each(ev, plans[i], NULL, note, &alone), CORE_OK);
			if (found[i].count > 0)
				(void) note(&walked, &found[i].item);
			if (c->results[i].count > 0)
				sprintf(walked.text + strlen(walked.text), ",%s", c->results[i].text);
			if (strcmp(walked.text, alone.text) != 0 || (int) found[i].count != alone.count)
				fail_msg("%s of %s: %s, not %s", paths[i], json, walked.text, alone.text);
		}
	}
	else
		(*refused)++;
	if (columns != NULL)
		fhirpath_columns_free(columns);
	for (int i = 0; i < count; i++)
	{
		fhirpath_plan_free(plans[i]);
		cx.free(cx.arg, parsed[i]);
	}
	fhirpath_eval_free(ev);
	free(doc);
	free(c);
}

/* A piece of JSON by chance, of the keys that the paths below ask for: often of the wrong kind */
static void
append_chance(char *json, unsigned *seed, int depth, bool siblings)
{
	static const char *const keys[] = {
		"id", "code", "text", "coding", "system", "display", "category", "status", "value", "valueQuantity", "valueString", "unit", "subject", "reference", "component",
		"effectiveDateTime", "issued", "note", "extension", "identifier", "use"
	};
	unsigned	kind = (*seed = *seed * 1103515245u + 12345u) >> 16;
	int			n = (int) (kind >> 8) % 4;

	json += strlen(json);
	switch (depth > 4 ? kind % 4 : kind % 8)
	{
		case 0:
			sprintf(json, "\"t%u\"", kind);
			break;
		case 1:
			sprintf(json, "%u.%02u", kind % 50, kind % 100);
			break;
		case 2:
			strcpy(json, kind & 16 ? "null" : "true");
			break;
		case 3:
			strcpy(json, "\"\"");
			break;
		case 4:
		case 5:
			strcpy(json, "[");
			for (int i = 0; i < n; i++)
			{
				strcat(json, i > 0 ? "," : "");
				append_chance(json, seed, depth + 1, siblings);
			}
			strcat(json, "]");
			break;
		default:
			strcpy(json, "{");
			for (int i = 0; i < n + 3; i++)
			{
				unsigned	which = (*seed = *seed * 1103515245u + 12345u) >> 16;

				sprintf(json + strlen(json), "%s\"%s%s\":", i > 0 ? "," : "", siblings && which % 13 == 0 ? "_" : "", keys[which % (sizeof(keys) / sizeof(keys[0]))]);
				append_chance(json, seed, depth + 1, siblings);
			}
			strcat(json, "}");
	}
}

static void
test_columns(void **state)
{
	static const char *const paths[] = {
		"id", "status", "Observation.status", "category", "category.first().coding.first().code", "category.coding.first().code", "category.coding.code", "category[1].text",
		"category.coding[2].system", "category.first().text", "category.coding.first()", "code.coding.first().system", "code.coding.first().code", "code.coding.code", "code.text",
		"code", "subject.reference", "subject.identifier.value", "effective.ofType(dateTime)", "issued", "value.ofType(Quantity).value", "value.ofType(Quantity).unit",
		"value.ofType(string)", "component.value.ofType(Quantity).value", "component.code.coding.first().display", "component[0].code.coding[0].display", "component.code.coding.display",
		"note.text", "note.first().text", "identifier.where(use = 'x').value", "value", "id.extension.url", "component.first().code.coding.display", "extension.url", "category[0]"
	};
	const int	count = sizeof(paths) / sizeof(paths[0]);
	unsigned	seed = 4711;
	int			plain = 0,
				refused = 0;

	(void) state;
	for (int i = 0; i < 3000; i++)
	{
		char	   *json = calloc(1, 2000000);
		bool		siblings = i % 4 == 0;

		do
		{
			strcpy(json, "");
			append_chance(json, &seed, 0, siblings);
		} while (json[0] != '{');
		/* what it is stands behind the other keys */
		strcpy(json + strlen(json) - 1, ",\"resourceType\":\"Observation\"}");
		compare_columns(json, paths, count, &plain, &refused);
		free(json);
	}
	/* most of the paths are plain, and siblings were met */
	assert_true(plain > 3000 * 20);
	assert_true(refused > 20 && refused < 1000);
	plain = refused = 0;
	compare_columns("{\"resourceType\": \"Observation\"}", paths, count, &plain, &refused);
	assert_int_equal(refused, 0);
	assert_int_equal(plain, count - 3);
	/* of a type that is not known there is no tree */
	compare_columns("{\"status\": 1}", paths, count, &plain, &refused);
	assert_int_equal(refused, 1);
	assert_int_equal(held, 0);
}

/* -- answers from a prefix --------------------------------------------------- */

static const char *const prefix_paths[] = {
	"id", "status", "code", "code.text", "code.coding.code", "code.coding.first().code", "code.coding.first().code.first()", "category.first().coding[1].system", "subject.reference", "component.code.coding.display", "note[0].text",
	"extension.url", "identifier.use", "issued", "unit", "subject", "value", "effective"
};

#define PREFIX_PATHS (sizeof(prefix_paths) / sizeof(prefix_paths[0]))

/* The answer from a prefix, in memory of just its size, must be the evaluator's; *from_less: answers without the whole. */
static void
compare_prefixes(const FhirPathPlan *const *plans, const JbContainer *doc, uint32_t size, size_t have, int *from_less)
{
	FhirPathInput input = {.doc = doc, .size = size};
	FhirPathEval *ev = fhirpath_eval_create(&cx);
	char	   *start = malloc(have);

	memcpy(start, doc, have);
	fhirpath_begin(ev, &input);
	for (size_t i = 0; i < PREFIX_PATHS; i++)
	{
		static Result alone,
					mine;
		FhirPathPrefix prefix;
		FpItem		item;
		size_t		need = 0;
		bool		exists;
		FhirPathPrefixAnswer answer;

		assert_true(fhirpath_prefix_plan(plans[i], &prefix));
		memset(&alone, 0, sizeof(alone));
		memset(&mine, 0, sizeof(mine));
		alone.ev = mine.ev = ev;
		assert_int_equal(fhirpath_each(ev, plans[i], NULL, note, &alone), CORE_OK);
		answer = fhirpath_prefix_find(&prefix, start, have, size, false, &item, &need);
		if (answer == FHIRPATH_PREFIX_MORE)
			assert_true(have < need && need <= size);
		else if (answer == FHIRPATH_PREFIX_ONE)
		{
			(void) note(&mine, &item);
			assert_int_equal(alone.count, 1);
			assert_string_equal(mine.text, alone.text);
		}
		else if (answer != FHIRPATH_PREFIX_WHOLE)
			assert_int_equal(answer == FHIRPATH_PREFIX_NONE ? 0 : 2, alone.count > 2 ? 2 : alone.count);
		*from_less += answer <= FHIRPATH_PREFIX_SEVERAL && have < size;
		answer = fhirpath_prefix_find(&prefix, start, have, size, true, NULL, &need);
		assert_int_equal(fhirpath_exists(ev, plans[i], NULL, &exists), CORE_OK);
		if (answer <= FHIRPATH_PREFIX_SEVERAL)
			assert_int_equal(answer != FHIRPATH_PREFIX_NONE, exists);
	}
	fhirpath_eval_free(ev);
	free(start);
}

static void
test_prefixes(void **state)
{
	static const char *const refused[] = {"Patient.id", "extension.value", "note.author", "id.upper()", "code.ofType(CodeableConcept)", "$this", "%context.id", "name[0][0]", "now()"};
	const FhirPathPlan *plans[PREFIX_PATHS];
	FhirPath   *parsed[PREFIX_PATHS];
	FhirPathError error;
	unsigned	seed = 815;
	int			from_less = 0;

	(void) state;
	for (size_t i = 0; i < PREFIX_PATHS; i++)
	{
		assert_int_equal(fhirpath_parse(&cx, prefix_paths[i], strlen(prefix_paths[i]), &parsed[i], &error), CORE_OK);
		assert_int_equal(fhirpath_plan(&cx, parsed[i], (FhirPathPlan **) &plans[i], &error), CORE_OK);
	}
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
	{
		FhirPath   *path;
		FhirPathPlan *plan;
		FhirPathPrefix prefix;

		assert_int_equal(fhirpath_parse(&cx, refused[i], strlen(refused[i]), &path, &error), CORE_OK);
		assert_int_equal(fhirpath_plan(&cx, path, &plan, &error), CORE_OK);
		if (fhirpath_prefix_plan(plan, &prefix))
			fail_msg("%s", refused[i]);
		fhirpath_plan_free(plan);
		cx.free(cx.arg, path);
	}
	for (int i = 0; i < 400; i++)
	{
		char	   *json = calloc(1, 2000000);
		uint32_t	size;
		JbContainer *doc;

		append_chance(json, &seed, 0, i % 4 == 0);
		if (json[0] == '{' && i % 2 == 0)
			sprintf(json + strlen(json) - 1, ",\"resourceType\":\"%s\"}", i % 3 == 0 ? "Observation" : i % 3 == 1 ? "DeviceRequest" : "Basic");
		if (json[0] == '{' || json[0] == '[')
		{
			doc = jsonb_make(&cx, json, strlen(json), &size);
			for (size_t have = 0; have < size; have += 1 + size / 50)
				compare_prefixes(plans, doc, size, have, &from_less);
			compare_prefixes(plans, doc, size, size, &from_less);
			/* and whatever the bytes say, nothing is read that is not there */
			for (int k = 0; k < 60; k++)
			{
				size_t		have = (seed = seed * 1103515245u + 12345u) % (size + 1);
				char	   *start = malloc(have);

				memcpy(start, doc, have);
				for (int n = 0; n <= k % 4 && have > 0; n++)
				{
					seed = seed * 1103515245u + 12345u;
					start[(seed >> 8) % (have < 200 || k % 3 == 0 ? have : 200)] = (char) (seed >> 20);
				}
				for (size_t p = 0; p < PREFIX_PATHS; p++)
				{
					FhirPathPrefix prefix;
					FpItem		item;
					size_t		need = 0;
					FhirPathPrefixAnswer answer;

					(void) fhirpath_prefix_plan(plans[p], &prefix);
					answer = fhirpath_prefix_find(&prefix, start, have, size, p % 2 == 0, &item, &need);
					if (answer == FHIRPATH_PREFIX_MORE)
						assert_true(have < need && need <= size);
					else if (answer == FHIRPATH_PREFIX_ONE && p % 2 == 1)
					{
						Result	   *shown = calloc(1, sizeof(Result));

						shown->ev = fhirpath_eval_create(&cx);
						if (item.len < 1000)
							(void) note(shown, &item);
						fhirpath_eval_free(shown->ev);
						free(shown);
					}
				}
				free(start);
			}
			free(doc);
		}
		free(json);
	}
	assert_true(from_less > 5000);
	for (size_t i = 0; i < PREFIX_PATHS; i++)
	{
		fhirpath_plan_free((FhirPathPlan *) plans[i]);
		cx.free(cx.arg, parsed[i]);
	}
	assert_int_equal(held, 0);
}

/* The reader finds every key of objects of all sizes, and no other. */
static void
test_reader(void **state)
{
	(void) state;
	for (int n = 0; n < 120; n++)
	{
		char		json[8000] = "{";
		uint32_t	size;
		JbContainer *doc;

		for (int i = 0; i < n; i++)
			sprintf(json + strlen(json), "%s\"k%d\": %s%d.%02d%s", i > 0 ? "," : "", i * 7 % 1000, i % 3 == 0 ? "[\"x\", " : "", i, i % 100, i % 3 == 0 ? "]" : "");
		strcat(json, "}");
		doc = jsonb_make(&cx, json, strlen(json), &size);
		assert_int_equal(jb_count(doc), n);
		for (int i = 0; i < 1000; i++)
		{
			char		key[16];
			JbValue		value;
			bool		there = i % 7 == 0 && i / 7 < n;

			sprintf(key, "k%d", i);
			assert_int_equal(jb_get(doc, key, (uint32_t) strlen(key), &value), there);
			if (there)
			{
				JbNumber	number;
				char		text[64],
							expected[64];

				if (value.type == JB_T_CONTAINER)
				{
					JbValue		array = value;

					jb_value((const JbContainer *) array.ptr, 2, 1, &value);
				}
				assert_int_equal(value.type, JB_T_NUMBER);
				jb_number(value.ptr, &number);
				assert_true(jb_number_text_size(&number) < sizeof(text));
				text[jb_number_text(&number, text)] = '\0';
				sprintf(expected, "%d.%02d", i / 7, i / 7 % 100);
				assert_string_equal(text, expected);
			}
		}
		free(doc);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths), cmocka_unit_test(test_lazy), cmocka_unit_test(test_scopes), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_no_memory), cmocka_unit_test(test_invariants), cmocka_unit_test(test_sets), cmocka_unit_test(test_large_sets), cmocka_unit_test(test_order), cmocka_unit_test(test_columns), cmocka_unit_test(test_prefixes), cmocka_unit_test(test_strict), cmocka_unit_test(test_reader)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
