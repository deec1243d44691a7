/*
 * test_fhir_schedule.c
 *		What presence answers is what FHIRPath answers: both are asked of random valid resources of every type.
 *		And all of R4's invariants are FHIRPath, each asked of some type.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "fhir_check.h"
#include "fhir_invariants.h"
#include "fhir_model.h"
#include "fhir_schedule.h"
#include "fhirpath.h"
#include "json_tree.h"

#include "fhir_unit.h"
#include "jsonb_make.h"

#define ROUNDS	60
#define DEPTH	5

static const char *const values[] = {
	[1] = "\"QQ==\"", "true", "\"http://x\"", "\"x\"", "\"2020-01-02\"", "\"2020-01-02\"", "1.5", "\"x\"", "\"2020-01-02T10:00:00Z\"",
	"1", "\"x\"", "\"urn:oid:1.2.3\"", "1", "\"x\"", "\"10:00:00\"", "1", "\"http://x\"", "\"http://x\"",
	"\"urn:uuid:c757873d-ec9a-4326-a141-556f43239520\"", "\"<div xmlns=\\\"http://www.w3.org/1999/xhtml\\\">x</div>\""
};

typedef struct Text
{
	char	   *text;
	size_t		len;
	size_t		size;
} Text;

static void
add(Text *t, const char *text)
{
	size_t		len = strlen(text);

	if (t->len + len + 1 > t->size)
	{
		t->size = (t->len + len + 1) * 2;
		t->text = realloc(t->text, t->size);
	}
	memcpy(t->text + t->len, text, len + 1);
	t->len += len;
}

static void add_object(Text *t, int type, int depth, unsigned *seed);

static void
add_quoted(Text *t, const char *text)
{
	add(t, "\"");
	add(t, text);
	add(t, "\"");
}

static void
add_value(Text *t, const FhirElement *e, int depth, unsigned *seed)
{
	const FhirCodeSet *set = &fhir_code_sets[e->codes];

	if (e->type < FHIR_RESOURCE_BASE)
	{
		if (e->codes != 0 && set->kind == FHIR_SET_CODES)
			add_quoted(t, fhir_string(fhir_codes[set->first + rand_r(seed) % set->count]));
		else
			add(t, e->codes != 0 && set->kind == FHIR_SET_MIME ? "\"text/plain\"" : values[e->type]);
	}
	else if (e->type <= FHIR_RESOURCE_BASE + FHIR_RESOURCE_TYPES)
		add(t, "{\"resourceType\":\"Basic\",\"id\":\"b\",\"code\":{\"text\":\"x\"}}");
	else if (e->type == fhir_extension_type)
		add(t, "{\"url\":\"http://x\",\"valueString\":\"x\"}");
	else if (e->type == fhir_reference_type)
		add(t, "{\"display\":\"x\"}");
	else if (e->type == fhir_codeable_concept_type && e->codes != 0 && set->kind == FHIR_SET_CODES && set->systems != 0)
	{
		int			i = rand_r(seed) % set->count;

		add(t, "{\"coding\":[{\"system\":");
		add_quoted(t, fhir_string(fhir_codes[set->systems + i]));
		add(t, ",\"code\":");
		add_quoted(t, fhir_string(fhir_codes[set->first + i]));
		add(t, "}]}");
	}
	else
		add_object(t, e->type, depth - 1, seed);
}

/* Required elements, and a random half or tenth of the others */
static void
add_object(Text *t, int type, int depth, unsigned *seed)
{
	const FhirElement *first = fhir_elements + fhir_types[type].first;
	uint64_t	filled = 0;
	int			often = rand_r(seed) % 2 ? 2 : 10;
	const char *comma = "";

	add(t, "{");
	for (int round = 0; round < 2 && (round == 0 || filled == 0); round++)
	{
		for (int i = 0; i < fhir_types[type].count; i++)
		{
			const FhirElement *e = &first[i];
			uint64_t	bit = UINT64_C(1) << e->slot;

			if ((e->flags & (FHIR_SIBLING | FHIR_RESOURCE_TYPE)) != 0 || (filled & bit) != 0)
				continue;
			/* an object with nothing required and no luck gets its first value, which is not its id */
			if ((e->flags & FHIR_REQUIRED) == 0 &&
				(round == 0 ? depth < 1 || rand_r(seed) % often != 0 :
				 e->name_len == 2 || (e->type >= FHIR_RESOURCE_BASE && e->type != fhir_extension_type)))
				continue;
			add(t, comma);
			comma = ",";
			filled |= bit;
			add_quoted(t, fhir_string(e->name));
			add(t, (e->flags & FHIR_ARRAY) ? ":[" : ":");
			add_value(t, e, depth, seed);
			if (e->flags & FHIR_ARRAY)
				add(t, "]");
			if (round == 1)
				break;
		}
	}
	if (type <= FHIR_RESOURCE_BASE + FHIR_RESOURCE_TYPES)
	{
		add(t, comma);
		add(t, "\"resourceType\":");
		add_quoted(t, fhir_resource_name(type - FHIR_RESOURCE_BASE));
	}
	add(t, "}");
}

typedef struct Seen
{
	FhirPathPlan **plans;
	FhirPathEval *ev;
	FhirPathInput input;
	const JsonNode *root;
	const char *text;
	int			answered;
	int			broken;
	bool		ever[1000];
} Seen;

static bool
go_on(void *arg, const FhirFault *fault)
{
	(void) arg;
	(void) fault;
	return true;
}

static FhirPathPlan *
plan_of(const CoreContext *cx, int invariant)
{
	const char *text = fhir_invariants[invariant].expression;
	FhirPath   *path;
	FhirPathPlan *plan;
	FhirPathError error;

	if (fhirpath_parse(cx, text, strlen(text), &path, &error) != CORE_OK)
		fail_msg("%s: %s", fhir_invariants[invariant].key, error.text);
	if (fhirpath_plan(cx, path, &plan, &error) != CORE_OK)
		fail_msg("%s: %s", fhir_invariants[invariant].key, error.text);
	cx->free(cx->arg, path);
	return plan;
}

/* The container of a node of the tree, whose children stand in the same order */
static const JbContainer *
container_of(const JsonNode *wanted, const JsonNode *node, const JbContainer *container, uint32_t *size)
{
	JbIter		it;
	JbValue		value;

	if (node == wanted)
		return container;
	jb_iter_start(&it, container);
	for (uint32_t i = 0; jb_iter_next(&it, &value); i++)
	{
		const JbContainer *found;

		if (value.type != JB_T_CONTAINER)
			continue;
		*size = value.len;
		found = container_of(wanted, &node->u.children[i], (const JbContainer *) value.ptr, size);
		if (found != NULL)
			return found;
	}
	return NULL;
}

static FpItem
item_of(const Seen *s, const JsonNode *node, int type)
{
	FpItem		item = {.kind = FP_NODE, .json = JB_T_CONTAINER, .type = (uint16_t) type, .len = s->input.size};

	item.u.text = (const char *) container_of(node, s->root, s->input.doc, &item.len);
	assert_non_null(item.u.text);
	return item;
}

static void
visit(void *arg, const FhirVisit *at)
{
	Seen	   *s = arg;
	FpItem		resource,
				root,
				focus;
	FhirPathVariable variables[] = {{"resource", 8, &resource, 1}, {"rootResource", 12, &root, 1}};

	if (!at->clean)
		return;
	resource = item_of(s, at->resource, at->resource_type);
	root = item_of(s, at->root, at->root_type);
	focus = item_of(s, at->node, at->type);
	s->input.variables = variables;
	s->input.variable_count = 2;
	for (int i = fhir_first_asked[at->type]; i < fhir_first_asked[at->type + 1]; i++)
	{
		int			number = fhir_asked[i].invariant;
		FhirAnswer	answer = fhir_schedule_answer(&fhir_asked[i], at->seen);
		int			truth;

		if (answer == FHIR_ANSWER_UNKNOWN)
			continue;
		s->answered++;
		s->broken += answer == FHIR_ANSWER_BROKEN;
		s->ever[number] = true;
		if (fhir_invariants[number].child[0] != '\0')
			continue;			/* nothing to ask where the child is not there */
		fhirpath_begin(s->ev, &s->input);
		assert_int_equal(fhirpath_test(s->ev, s->plans[number], &focus, &truth), CORE_OK);
		if (truth != (answer == FHIR_ANSWER_HOLDS))
			fail_msg("%s: presence says %s, FHIRPath %d: %s", fhir_invariants[number].key,
					 answer == FHIR_ANSWER_HOLDS ? "it holds" : "it is broken", truth, s->text);
	}
}

static void
test_presence(void **state)
{
	TestMemory	memory = {-1, 0, false};
	CoreContext cx = TEST_CONTEXT(&memory);
	FhirPathPlan *plans[1000];
	Seen		seen = {.plans = plans};
	unsigned	seed = 11;
	int			asked = 0;

	(void) state;
	seen.ev = fhirpath_eval_create(&cx);
	for (int i = 0; i < fhir_invariant_count; i++)
		plans[i] = plan_of(&cx, i);
	for (int number = 1; number <= FHIR_RESOURCE_TYPES; number++)
	{
		for (int round = 0; fhir_resource_concrete(number) && round < ROUNDS; round++)
		{
			Text		text = {NULL, 0, 0};
			JsonTree	tree;

			add_object(&text, FHIR_RESOURCE_BASE + number, round % DEPTH, &seed);
			seen.text = text.text;
			json_tree_init(&tree, &cx);
			if (json_tree_parse(&tree, text.text, text.len) != CORE_OK)
				fail_msg("%s", text.text);
			seen.root = tree.root;
			seen.input.doc = jsonb_make(&cx, text.text, text.len, &seen.input.size);
			(void) fhir_check_and_visit(&cx, tree.root, go_on, visit, &seen);
			json_tree_free(&tree);
			free((void *) seen.input.doc);
			free(text.text);
		}
	}
	for (int i = 0; i < fhir_invariant_count; i++)
	{
		asked += seen.ever[i];
		fhirpath_plan_free(plans[i]);
	}
	fhirpath_eval_free(seen.ev);
	print_message("# %d answers by presence, %d of them broken, of %d invariants\n", seen.answered, seen.broken, asked);
	assert_true(seen.answered > 20000);
	assert_true(seen.broken > 500);
	assert_true(asked > 150);
}

/* Every mask names slots that the type has, and no two answers contradict each other. */
static void
test_tables(void **state)
{
	(void) state;
	for (int type = 1; type < fhir_type_count; type++)
	{
		uint64_t	known = 0;

		for (int i = 0; i < fhir_types[type].count; i++)
			known |= UINT64_C(1) << fhir_elements[fhir_types[type].first + i].slot;
		for (int i = fhir_first_asked[type]; i < fhir_first_asked[type + 1]; i++)
		{
			const FhirSlots *slots = fhir_schedule_slots + fhir_asked[i].slots;

			for (int a = 0; a < fhir_asked[i].holds + fhir_asked[i].breaks; a++)
			{
				assert_int_equal((slots[a].there | slots[a].absent) & ~known, 0);
				assert_int_equal(slots[a].there & slots[a].absent, 0);
				for (int b = fhir_asked[i].holds; a < fhir_asked[i].holds && b < fhir_asked[i].holds + fhir_asked[i].breaks; b++)
					assert_true((slots[a].there & slots[b].absent) != 0 || (slots[a].absent & slots[b].there) != 0);
			}
		}
		for (int i = fhir_first_bound[type]; i < fhir_first_bound[type + 1]; i++)
			assert_int_equal(fhir_bound[i].slot & ~known, 0);
	}
}

/* Each invariant is asked of some type; so are the bindings. */
static void
test_invariants(void **state)
{
	bool		asked[1000] = {false},
				bound[1000] = {false};

	(void) state;
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_invariants),
		cmocka_unit_test(test_presence),
	};

	return cmocka_run_group_tests_name("fhir_schedule", tests, NULL, NULL);
}
