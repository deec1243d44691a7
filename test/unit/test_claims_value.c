/* Unit tests of core/claims_value.c: each type's readings, deviations and refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "claims_value.h"

static void *
take(void *arg, size_t size)
{
	int		   *left = arg;

	if (*left == 0)
		return NULL;
	if (*left > 0)
		--*left;
	return malloc(size);
}

static void
give(void *arg, void *ptr)
{
	free(ptr);
}

static int	left = -1;

static const CoreContext cx = {take, give, NULL, &left, 0};

typedef struct Case
{
	const char *type,
			   *text,
			   *json,
			   *finding,
			   *problem;
} Case;

/* made by hand from the format's own text (QD 4750) and the masks of real files */
static const Case cases[] = {
	{"text", " Nguyễn  Văn \n", "\"Nguyễn  Văn\""},
	{"text", "a\"b\\c\td", "\"a\\\"b\\\\c\\u0009d\""},
	{"text_list", "a; b ;;c", "[\"a\",\"b\",null,\"c\"]"},
	{"text_list", ";", "[null,null]"},
	{"code", "K01", "\"K01\""},
	{"code", " K01 \t02\n03 ", "\"K01 02 03\"", "spaces-in-code"},
	{"code", "A B", "\"A B\""},
	{"code_list", "00.13;99.5", "[\"00.13\",\"99.5\"]"},
	{"integer", "007", "7"},
	{"integer", "0", "0"},
	{"integer", "1,5", NULL, NULL, "not-an-integer"},
	{"integer", "-1", NULL, NULL, "not-an-integer"},
	{"decimal", "123456,00", "123456.00", "decimal-comma"},
	{"decimal", "56.50", "56.50"},
	{"decimal", "0", "0"},
	{"decimal", "-0,5", "-0.5", "decimal-comma"},
	{"decimal", "0012.3", "12.3"},
	{"decimal", "1.234.567", NULL, NULL, "not-a-number"},
	{"decimal", "1,234.5", NULL, NULL, "not-a-number"},
	{"decimal", "12.", NULL, NULL, "not-a-number"},
	{"decimal", ".5", NULL, NULL, "not-a-number"},
	{"decimal", "1e9", NULL, NULL, "not-a-number"},
	{"decimal", "NaN", NULL, NULL, "not-a-number"},
	{"decimal", "-", NULL, NULL, "not-a-number"},
	{"decimal", "1111111111111111111111111111111", NULL, NULL, "not-a-number"},
	{"date", "20260805", "\"2026-08-05\""},
	{"date", "202608051015", "\"2026-08-05\"", "time-with-date"},
	{"date", "20240229", "\"2024-02-29\""},
	{"date", "20250229", NULL, NULL, "not-a-date"},
	{"date", "20261345", NULL, NULL, "not-a-date"},
	{"date", "2026-08-05", NULL, NULL, "not-a-date"},
	{"date", "00000000", NULL, NULL, "not-a-date"},
	{"date_list", "20260101;20260701", "[\"2026-01-01\",\"2026-07-01\"]"},
	{"date_list", "20260101;x", NULL, NULL, "not-a-date"},
	{"datetime", "202608050730", "\"2026-08-05T07:30:00+07:00\""},
	{"datetime", "20260805", "\"2026-08-05\"", "date-without-time"},
	{"datetime", "202608052400", NULL, NULL, "not-a-date"},
	{"datetime", "202608050760", NULL, NULL, "not-a-date"},
	{"datetime", "2026080507", NULL, NULL, "not-a-date"},
	{"datetime", "20260805073000", NULL, NULL, "not-a-date"},
	{"birth", "196000000000", "{\"date\":\"1960\"}"},
	{"birth", "196005000000", "{\"date\":\"1960-05\"}"},
	{"birth", "198503150000", "{\"date\":\"1985-03-15\"}"},
	{"birth", "202608010910", "{\"date\":\"2026-08-01\",\"time\":\"2026-08-01T09:10:00+07:00\"}"},
	{"birth", "19850315", "{\"date\":\"1985-03-15\"}", "birth-date-length"},
	{"birth", "1985", "{\"date\":\"1985\"}", "birth-date-length"},
	{"birth", "198500150000", NULL, NULL, "not-a-date"},
	{"birth", "198513000000", NULL, NULL, "not-a-date"},
	{"birth", "15/03/1985", NULL, NULL, "not-a-date"},
	{"icd", "E11.9", "\"E11.9\""},
	{"icd", "I10", "\"I10\""},
	{"icd", "e119", "\"E11.9\"", "icd-spelling"},
	{"icd", "A17.0\xE2\x80\xA0", "\"A17.0\""},
	{"icd", "G01*", "\"G01\""},
	{"icd", "M62.89", "\"M62.89\""},
	{"icd", "E1", NULL, NULL, "not-an-icd-code"},
	{"icd", "E11.", NULL, NULL, "not-an-icd-code"},
	{"icd", "E11..9", NULL, NULL, "not-an-icd-code"},
	{"icd", "U13/9", NULL, NULL, "not-an-icd-code"},
	{"icd", "M62.8999999", NULL, NULL, "not-an-icd-code"},
	{"icd", "11.9", NULL, NULL, "not-an-icd-code"},
	{"icd_list", "I10;E11.9", "[\"I10\",\"E11.9\"]"},
	{"icd_list", "I10;?", NULL, NULL, "not-an-icd-code"},
	{"personal_id", "001185000001", "{\"cccd\":\"001185000001\"}"},
	{"personal_id", "123456789", "{\"cmnd\":\"123456789\"}", "old-identity-card"},
	{"personal_id", "B1234567", "{\"passport\":\"B1234567\"}"},
	{"personal_id", "FRA-2026-00000007-RESIDENCE", "{\"other\":\"FRA-2026-00000007-RESIDENCE\"}", "unknown-identity-document"},
	{"personal_id", "000000000000", NULL, NULL, "placeholder"},
	{"card_list", "GD4010000000001", "[{\"value\":\"GD4010000000001\",\"card\":\"GD4010000000001\",\"number\":\"0000000001\"}]"},
	{"card_list", "0123456789", "[{\"value\":\"0123456789\",\"number\":\"0123456789\"}]"},
	{"card_list", "001185000001", "[{\"value\":\"001185000001\",\"personal\":\"001185000001\"}]"},
	{"card_list", "TE1010000000001", "[{\"value\":\"TE1010000000001\",\"card\":\"TE1010000000001\"}]", "child-card"},
	{"card_list", "GD4010000000000", "[{\"value\":\"GD4010000000000\",\"card\":\"GD4010000000000\"}]", "placeholder"},
	{"card_list", "GD6010000000001", NULL, NULL, "not-a-card"},
	{"card_list", "0000000000", NULL, NULL, "placeholder"},
	{"card_list", "GD40100000000A1", NULL, NULL, "not-a-card"},
	{"province", "001", "\"01\""},
	{"province", "79", "\"79\"", "province-two-digits"},
	{"province", "179", NULL, NULL, "not-a-province-code"},
	{"ward", "00004", "\"00004\""},
	{"ward", "4", NULL, NULL, "not-a-ward-code"},
	{"result", "7.2", "{\"number\":7.2}"},
	{"result", "7,2", "{\"number\":7.2}", "decimal-comma"},
	{"result", "âm tính", "{\"string\":\"âm tính\"}"},
	{"result", "< 0,5", "{\"string\":\"< 0,5\"}"},
};

static void
each_case(void **state)
{
	size_t		i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		const Case *c = &cases[i];
		ClaimsValue v;

		print_message("# %s %s\n", c->type, c->text);
		assert_int_equal(claims_value(&cx, c->type, c->text, strlen(c->text), &v), CORE_OK);
		if (c->json != NULL)
			assert_string_equal(v.json, c->json);
		else
			assert_null(v.json);
		if (c->finding != NULL)
			assert_string_equal(v.finding, c->finding);
		else
			assert_null(v.finding);
		if (c->problem != NULL)
			assert_string_equal(v.problem, c->problem);
		else
			assert_null(v.problem);
		free(v.json);
	}
}

static void
no_such_type(void **state)
{
	ClaimsValue v;

	assert_int_equal(claims_value(&cx, "number", "1", 1, &v), CORE_INVALID);
	assert_int_equal(claims_value(&cx, "", "1", 1, &v), CORE_INVALID);
}

static void
no_memory(void **state)
{
	ClaimsValue v;

	for (left = 0; left < 1; left++)
		assert_int_equal(claims_value(&cx, "text", "a text that needs room", 22, &v), CORE_NO_MEMORY);
	left = 1;
	assert_int_equal(claims_value(&cx, "text_list",
								  "a long list;of many items;that does not fit into;the first allocation;of sixty-four bytes",
								  88, &v), CORE_NO_MEMORY);
	left = -1;
}

/* any bytes are read by any type without harm, and the text given is not needed to end in a zero */
static void
any_bytes(void **state)
{
	static const char alphabet[] = "0123456789AEZae.,;-/ \t\"\\\xC4\x90\xE2\x80\xA0*";
	unsigned	seed = 3;
	int			round;

	for (round = 0; round < 50000; round++)
	{
		size_t		len = (size_t) round % 20;
		char	   *text = malloc(len + (len == 0));
		ClaimsValue v;
		size_t		i;

		for (i = 0; i < len; i++)
		{
			seed = seed * 1103515245 + 12345;
			text[i] = alphabet[(seed >> 16) % (sizeof(alphabet) - 1)];
		}
		assert_int_equal(claims_value(&cx, cases[(size_t) round % (sizeof(cases) / sizeof(cases[0]))].type, text, len, &v), CORE_OK);
		assert_true((v.json == NULL) != (v.problem == NULL));
		free(v.json);
		free(text);
	}
}

static void
masks(void **state)
{
	char		mask[41];

	claims_value_mask("20261345", 8, mask, sizeof(mask));
	assert_string_equal(mask, "99999999");
	claims_value_mask("001185000001", 12, mask, sizeof(mask));
	assert_string_equal(mask, "999999999999");
	claims_value_mask("Nguyễn Thị B", strlen("Nguyễn Thị B"), mask, sizeof(mask));
	assert_string_equal(mask, "Aaaaaa Aaa A");
	claims_value_mask("a\nb\t1", 5, mask, sizeof(mask));
	assert_string_equal(mask, "a a 9");
	claims_value_mask("11111111111111111111x", 21, mask, sizeof(mask));
	assert_string_equal(mask, "999999999999999a");
	claims_value_mask("abc", 3, mask, 3);
	assert_string_equal(mask, "aa");
	claims_value_mask("", 0, mask, sizeof(mask));
	assert_string_equal(mask, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_case), cmocka_unit_test(no_such_type), cmocka_unit_test(no_memory),
		cmocka_unit_test(any_bytes), cmocka_unit_test(masks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
