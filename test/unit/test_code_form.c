/*
 * test_code_form.c
 *		Check digits of SNOMED CT and LOINC.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "code_form.h"

static void
test_sct(void **state)
{
	static const char *const good[] = {
		"138875005", "22298006", "404684003", "1481000119100", "900000000000207008", "16217661000119109",
		"71341001:272741003=7771000", "249943000:363698007=72098002,260868000=6934004",
		"71388002 |Procedure| : { 405815000 |Procedure device| = 122456005 |Laser device| }", "27658006:411116001=385049006,{127489000=372687004,111116=#500}",
	};
	static const char *const bad[] = {
		"", "1", "2", "138875006", "13887500", "0138875005", "276885007x", "34552-0", "abc", "1388750051388750055", "71341001:272741003=7771001", "|term|", " ",
		"\"text\"",
	};

	(void) state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]) - 1; i++)
		assert_true(sct_code_valid(good[i], strlen(good[i])));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(sct_code_valid(bad[i], strlen(bad[i])));
	/* the last of the good has an id that is too short */
	assert_false(sct_code_valid(good[9], strlen(good[9])));
	/* an embedded NUL is no operator */
	assert_false(sct_code_valid("138875005\0", 10));
}

/* Every change of one digit, and every swap of two neighbours, is noticed. */
static void
test_sct_changes(void **state)
{
	const char *id = "900000000000207008";
	char		other[20];

	(void) state;
	for (size_t i = 0; i < strlen(id); i++)
	{
		for (char ch = '0'; ch <= '9'; ch++)
		{
			strcpy(other, id);
			other[i] = ch;
			assert_int_equal(sct_id_valid(other, strlen(other)), ch == id[i]);
		}
		if (i > 0 && id[i] != id[i - 1])
		{
			strcpy(other, id);
			other[i] = id[i - 1];
			other[i - 1] = id[i];
			assert_false(sct_id_valid(other, strlen(other)));
		}
	}
}

static void
test_loinc(void **state)
{
	static const char *const good[] = {"8480-6", "8462-4", "85354-9", "3151-8", "104207-6", "LA25391-6", "LP32067-8", "LA32-8", "76534-7"};
	static const char *const bad[] = {"", "8480", "8480-7", "8480-", "-6", "8480-66", "LX8480-6", "84806", "8480_6", "x480-6", "4880-6"};

	(void) state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(loinc_code_valid(good[i], strlen(good[i])));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(loinc_code_valid(bad[i], strlen(bad[i])));
}

static void
test_systems(void **state)
{
	(void) state;
	assert_true(code_form_valid("http://loinc.org", 16, "8480-6", 6));
	assert_false(code_form_valid("http://loinc.org", 16, "8480-5", 6));
	assert_false(code_form_valid("http://snomed.info/sct", 22, "1", 1));
	assert_true(code_form_valid("http://example.vn/x", 19, "1", 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sct), cmocka_unit_test(test_sct_changes), cmocka_unit_test(test_loinc), cmocka_unit_test(test_systems),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
