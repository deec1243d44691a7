/* FHIR Consent: what is refused, moments, decisions at their edges, damaged forms, no memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "consent_tree.h"

#define DOCUMENT(provision) "{\"status\":\"active\",\"scope\":{\"coding\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/consentscope\"," \
	"\"code\":\"patient-privacy\"}]},\"provision\":" provision "}"
#define ACTOR(role, name) "{\"role\":{\"coding\":[{\"system\":\"r\",\"code\":\"" role "\"}]},\"reference\":{\"reference\":\"" name "\"}}"

static const char words[] =
"{\"role\":{\"r|to\":\"recipient\",\"r|by\":\"author\",\"r|doc\":\"clinician\"},\"action\":{\"a|access\":\"access\"},\"purpose\":{\"p|TREAT\":\"TREAT\"},"
"\"securityLabel\":{\"l|HIV\":\"0\",\"l|PSY\":\"31\",\"l|N\":\"normal\",\"l|all\":\"*\",\"l|bad\":\"32\"},\"policy\":{\"y|OPTOUT\":\"deny\"}}";

static long left = -1;			/* allocations until there is no memory; negative: never */

static void *
count_alloc(void *arg, size_t size)
{
	(void) arg;
	if (left == 0)
		return NULL;
	if (left > 0)
		left--;
	return malloc(size);
}

static void
count_free(void *arg, void *ptr)
{
	(void) arg;
	free(ptr);
}

static const CoreContext cx = {count_alloc, count_free, NULL, NULL, JSON_DEPTH_MAX};

static CoreStatus
compile(const char *document, ConsentForm *form, ConsentFault *fault)
{
	JsonTree	consent;
	JsonTree	vocabulary;
	CoreStatus	status;
	long		limit = left;

	left = -1;
	json_tree_init(&consent, &cx);
	json_tree_init(&vocabulary, &cx);
	assert_int_equal(json_tree_parse(&consent, document, strlen(document)), CORE_OK);
	assert_int_equal(json_tree_parse(&vocabulary, words, strlen(words)), CORE_OK);
	left = limit;
	status = consent_compile(&cx, consent.root, vocabulary.root, form, fault);
	left = -1;
	json_tree_free(&consent);
	json_tree_free(&vocabulary);
	return status;
}

/* "permit 1": decision and place of the provision that decides */
static const char *
decision(const char *document, const char *request)
{
	static const char *const names[] = {"none", "permit", "deny"};
	static char answer[200];
	ConsentForm form;
	ConsentFault fault;
	ConsentRequest asked;
	ConsentVerdict verdict;
	JsonTree	tree;

	if (compile(document, &form, &fault) != CORE_OK)
	{
		snprintf(answer, sizeof(answer), "%s: %s", fault.path, fault.rule);
		return answer;
	}
	json_tree_init(&tree, &cx);
	assert_int_equal(json_tree_parse(&tree, request, strlen(request)), CORE_OK);
	assert_int_equal(consent_request_read(&tree, tree.root, &asked), CORE_OK);
	assert_int_equal(consent_decide(form.bytes, form.len, &asked, &verdict), CORE_OK);
	snprintf(answer, sizeof(answer), "%s %d", names[verdict.decision], verdict.node);
	json_tree_free(&tree);
	free(form.bytes);
	return answer;
}

static void
test_moments(void **state)
{
	static const struct
	{
		const char *text;
		int64_t		from;
		int64_t		to;
	}			good[] = {
		{"1970-01-01T00:00:00Z", 0, 1000000},
		{"1970-01-01", -25200000000, 61200000000},
		{"1970", -25200000000, 31510800000000},
		{"1970-02", 2653200000000, 5072400000000},
		{"2024-02", 1706720400000000, 1709226000000000},
		{"1969-12-31T23:59:59.5Z", -500000, -499999},
		{"1970-01-01T00:00:00.1234567Z", 123456, 123457},
		{"1970-01-01T07:00:00+07:00", 0, 1000000},
		{"2000-02-29", 951757200000000, 951843600000000},
		{"1970-12", 28832400000000, 31510800000000}
	};
	static const char *const bad[] = {"", "x", "1970-13", "1970-02-30", "1970-01-01T00:00:00", "1970-1-1", "19700101"};
	int64_t		from;
	int64_t		to;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
	{
		assert_true(consent_moment(good[i].text, strlen(good[i].text), &from, &to));
		assert_int_equal(from, good[i].from);
		assert_int_equal(to, good[i].to);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(consent_moment(bad[i], strlen(bad[i]), &from, &to));
}

static void
test_refused(void **state)
{
	char		deep[4000] = "";
	char		wide[20000] = "";
	char		document[24000];

	assert_string_equal(decision(DOCUMENT("{\"type\":\"permit\",\"provision\":[{\"type\":\"deny\"},{\"type\":\"permit\"}]}"), "{}"),
						"Consent.provision.provision[1].type: a provision is an exception to the one around it and decides otherwise");
	assert_string_equal(decision(DOCUMENT("{\"type\":\"permit\",\"provision\":[{\"id\":\"x\"}]}"), "{}"),
						"Consent.provision.provision[0].type: a provision within another needs a type");
	assert_string_equal(decision(DOCUMENT("{\"type\":\"maybe\"}"), "{}"), "Consent.provision.type: the type is neither permit nor deny");
	assert_string_equal(decision(DOCUMENT("{\"period\":{\"start\":\"2025\",\"end\":\"2024\"}}"), "{}"), "Consent.provision.period: a period ends before it begins");
	assert_string_equal(decision(DOCUMENT("{\"provision\":{}}"), "{}"), "Consent.provision.provision: provisions are a list");
	assert_string_equal(decision(DOCUMENT("[]"), "{}"), "Consent.provision: a provision is an object");
	for (int depth = 8; depth <= 9; depth++)
	{
		deep[0] = '\0';
		for (int i = 0; i < depth; i++)
			sprintf(deep + strlen(deep), "%s{\"type\":\"%s\"", i > 0 ? ",\"provision\":[" : "", i % 2 == 0 ? "permit" : "deny");
		for (int i = 0; i < depth; i++)
			strcat(deep, i < depth - 1 ? "}]" : "}");
		snprintf(document, sizeof(document), DOCUMENT("%s"), deep);
		assert_true((strstr(decision(document, "{\"labels\":0}"), "nested more than 8 deep") != NULL) == (depth == 9));
	}
	for (int nodes = 256; nodes <= 257; nodes++)
	{
		strcpy(wide, "{\"type\":\"permit\",\"provision\":[");
		for (int i = 1; i < nodes; i++)
			strcat(wide, i > 1 ? ",{\"type\":\"deny\"}" : "{\"type\":\"deny\"}");
		strcat(wide, "]}");
		snprintf(document, sizeof(document), DOCUMENT("%s"), wide);
		assert_true((strstr(decision(document, "{\"labels\":0}"), "more than 256") != NULL) == (nodes == 257));
	}
}

static void
test_decisions(void **state)
{
	/* half open: the first moment is in, the last is not */
	static const char period[] = DOCUMENT("{\"type\":\"permit\",\"period\":{\"start\":\"1970-01-02\",\"end\":\"1970-01-02\"}}");

	assert_string_equal(decision(period, "{\"labels\":0,\"now\":61199999999}"), "none -1");
	assert_string_equal(decision(period, "{\"labels\":0,\"now\":61200000000}"), "permit 0");
	assert_string_equal(decision(period, "{\"labels\":0,\"now\":147599999999}"), "permit 0");
	assert_string_equal(decision(period, "{\"labels\":0,\"now\":147600000000}"), "none -1");
	/* labels: none known, all of them named, 31 is a bit as any other, 32 is none */
	assert_string_equal(decision(DOCUMENT("{\"type\":\"permit\"}"), "{}"), "none -1");
	assert_string_equal(decision(DOCUMENT("{\"type\":\"permit\"}"), "{\"labels\":1}"), "none -1");
	assert_string_equal(decision(DOCUMENT("{\"type\":\"permit\",\"securityLabel\":[{\"system\":\"l\",\"code\":\"PSY\"}]}"), "{\"labels\":-2147483648}"), "permit 0");
	assert_string_equal(decision(DOCUMENT("{\"type\":\"permit\",\"securityLabel\":[{\"system\":\"l\",\"code\":\"PSY\"}]}"), "{\"labels\":-2147483647}"), "none -1");
	assert_string_equal(decision(DOCUMENT("{\"type\":\"permit\",\"securityLabel\":[{\"system\":\"l\",\"code\":\"all\"}]}"), "{\"labels\":-1}"), "permit 0");
	assert_string_equal(decision(DOCUMENT("{\"type\":\"permit\",\"securityLabel\":[{\"system\":\"l\",\"code\":\"all\"}]}"), "{\"labels\":0}"), "none -1");
	assert_string_equal(decision(DOCUMENT("{\"type\":\"permit\",\"securityLabel\":[{\"system\":\"l\",\"code\":\"N\"}]}"), "{\"labels\":0}"), "permit 0");
	assert_string_equal(decision(DOCUMENT("{\"type\":\"deny\",\"securityLabel\":[{\"system\":\"l\",\"code\":\"bad\"}]}"), "{\"labels\":0}"), "deny 0");
	assert_string_equal(decision(DOCUMENT("{\"type\":\"deny\",\"securityLabel\":[{\"system\":\"l\",\"code\":\"HIV\"}]}"), "{}"), "deny 0");
	/* an exception counts although the permit around it does not cover the row */
	assert_string_equal(decision(DOCUMENT("{\"type\":\"permit\",\"provision\":[{\"type\":\"deny\",\"securityLabel\":[{\"system\":\"l\",\"code\":\"HIV\"}]}]}"), "{\"labels\":1}"), "deny 1");
	/* the deepest decides, of two as deep the denial: three branches */
	assert_string_equal(decision(DOCUMENT("{\"provision\":[{\"type\":\"permit\",\"provision\":[{\"type\":\"deny\",\"class\":[{\"system\":\"http://hl7.org/fhir/resource-types\",\"code\":\"Patient\"}]}]},{\"type\":\"permit\"}]}"),
								 "{\"labels\":0,\"type\":\"Patient\"}"), "deny 2");
	assert_string_equal(decision(DOCUMENT("{\"provision\":[{\"type\":\"permit\",\"provision\":[{\"type\":\"deny\",\"class\":[{\"system\":\"http://hl7.org/fhir/resource-types\",\"code\":\"Patient\"}]}]},{\"type\":\"permit\"}]}"),
								 "{\"labels\":0,\"type\":\"Group\"}"), "permit 1");
	/* who asks */
	assert_string_equal(decision(DOCUMENT("{\"type\":\"permit\",\"actor\":[" ACTOR("to", "Practitioner/a/_history/3") "]}"), "{\"labels\":0,\"actors\":[\"Practitioner/a\"]}"), "permit 0");
	assert_string_equal(decision(DOCUMENT("{\"type\":\"permit\",\"actor\":[" ACTOR("to", "Practitioner/a") "]}"), "{\"labels\":0,\"actors\":[\"Practitioner/ab\"]}"), "none -1");
	assert_string_equal(decision(DOCUMENT("{\"type\":\"permit\",\"actor\":[" ACTOR("doc", "Organization/a") "]}"), "{\"labels\":0,\"actors\":[\"Organization/a\"],\"kinds\":[\"station\"]}"), "none -1");
	assert_string_equal(decision(DOCUMENT("{\"type\":\"permit\",\"actor\":[" ACTOR("doc", "Organization/a") "]}"), "{\"labels\":0,\"actors\":[\"Organization/a\"],\"kinds\":[\"clinician\"]}"), "permit 0");
	assert_string_equal(decision(DOCUMENT("{\"type\":\"deny\",\"actor\":[" ACTOR("to", "Group/a") "]}"), "{\"actors\":[\"Organization/a\"]}"), "deny 0");
	assert_string_equal(decision(DOCUMENT("{\"type\":\"permit\",\"actor\":[" ACTOR("to", "Organization/a") "," ACTOR("by", "Organization/b") "]}"),
								 "{\"labels\":0,\"actors\":[\"Organization/a\"],\"authors\":[\"Organization/b\"]}"), "permit 0");
	assert_string_equal(decision(DOCUMENT("{\"type\":\"permit\",\"actor\":[" ACTOR("to", "Organization/a") "," ACTOR("by", "Organization/b") "]}"),
								 "{\"labels\":0,\"actors\":[\"Organization/a\",\"Organization/b\"],\"authors\":[\"Organization/a\"]}"), "none -1");
	/* the policy alone, and a document that is not in force */
	assert_string_equal(decision("{\"status\":\"active\",\"scope\":{\"coding\":[{\"system\":\"http://terminology.hl7.org/CodeSystem/consentscope\",\"code\":\"patient-privacy\"}]},"
								 "\"policyRule\":{\"coding\":[{\"system\":\"y\",\"code\":\"OPTOUT\"}]}}", "{}"), "deny 0");
	assert_string_equal(decision("{\"status\":\"draft\",\"provision\":{\"type\":\"nonsense\"}}", "{}"), "none -1");
	assert_string_equal(decision("{}", "{}"), "none -1");
	assert_string_equal(decision("[]", "{}"), "none -1");
}

/* A form of which bytes are missing or changed is refused or decides something; nothing outside is read. */
static void
test_damaged(void **state)
{
	ConsentForm form;
	ConsentFault fault;
	ConsentRequest request = {.labels_known = true};
	ConsentVerdict verdict;

	assert_int_equal(compile(DOCUMENT("{\"type\":\"permit\",\"period\":{\"start\":\"2024\"},\"actor\":[" ACTOR("to", "Practitioner/a") "," ACTOR("by", "Organization/b") "],"
									  "\"securityLabel\":[{\"system\":\"l\",\"code\":\"HIV\"}],\"code\":[{\"coding\":[{\"system\":\"s\",\"code\":\"c\"}]}],"
									  "\"data\":[{\"meaning\":\"related\",\"reference\":{\"reference\":\"Patient/x\"}}],\"provision\":[{\"type\":\"deny\",\"dataPeriod\":{\"end\":\"2020\"}}]}"), &form, &fault), CORE_OK);
	for (size_t len = 0; len < form.len; len++)
	{
		uint8_t    *exact = malloc(len + 1);

		memcpy(exact, form.bytes, len);
		assert_int_equal(consent_decide(exact, len, &request, &verdict), CORE_INVALID);
		assert_int_equal(verdict.decision, CONSENT_DENY);
		free(exact);
	}
	for (size_t i = 0; i < form.len; i++)
		for (int bit = 0; bit < 8; bit++)
		{
			uint8_t    *exact = malloc(form.len);
			bool		covered;

			memcpy(exact, form.bytes, form.len);
			exact[i] ^= (uint8_t) (1 << bit);
			(void) consent_decide(exact, form.len, &request, &verdict);
			(void) consent_covers_row(exact, form.len, 1, &request, &covered);
			free(exact);
		}
	free(form.bytes);
}

static void
test_no_memory(void **state)
{
	ConsentForm form;
	ConsentFault fault;
	CoreStatus	status = CORE_NO_MEMORY;

	for (long n = 0; status != CORE_OK; n++)
	{
		left = n;
		status = compile(DOCUMENT("{\"type\":\"permit\",\"actor\":[" ACTOR("to", "Practitioner/a") "," ACTOR("by", "Organization/b") "],\"code\":[{\"coding\":[{\"system\":\"s\",\"code\":\"c\"}]}],"
								  "\"provision\":[{\"type\":\"deny\",\"class\":[{\"system\":\"x\",\"code\":\"y\"}]}]}"), &form, &fault);
		assert_true(status == CORE_OK || status == CORE_NO_MEMORY);
		assert_true(n < 1000);
	}
	free(form.bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_moments),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_decisions),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
