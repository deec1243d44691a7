/*
 * test_numbers.c
 *		Citizen and insurance numbers, ICD-10 codes, telephone numbers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "citizen_id.h"
#include "icd10.h"
#include "insurance_no.h"
#include "phone.h"

#define BIT(problem) (1u << (problem))

static int64_t
citizen(const char *text)
{
	int64_t		id;

	assert_int_equal(citizen_id_parse(text, strlen(text), &id), CORE_OK);
	return id;
}

static void
test_citizen_form(void **state)
{
	static const char *const bad[] = {"", "07909000123", "0790900012345", "07909000123x", "+79090001234", " 79090001234"};
	char		out[12];
	int64_t		id;
	size_t		i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(citizen_id_parse(bad[i], strlen(bad[i]), &id), CORE_INVALID);
	citizen_id_print(citizen("000000000001"), out);
	assert_memory_equal(out, "000000000001", 12);
	citizen_id_print(citizen("999999999999"), out);
	assert_memory_equal(out, "999999999999", 12);
}

/* Digits taken from the printed form, not from the number. */
static void
test_citizen_parts(void **state)
{
	int			round;

	srand(1);
	for (round = 0; round < 20000; round++)
	{
		char		text[13];
		int64_t		id;
		int			century;
		int			i;

		for (i = 0; i < 12; i++)
			text[i] = (char) ('0' + rand() % 10);
		text[12] = '\0';
		id = citizen(text);
		century = text[3] - '0';
		assert_int_equal(citizen_id_prefix(id), (text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0'));
		assert_int_equal(citizen_id_female(id), century & 1);
		assert_int_equal(citizen_id_birth_year(id), 1900 + century / 2 * 100 + (text[4] - '0') * 10 + (text[5] - '0'));
		assert_true(citizen_id_agrees(id, century & 1 ? CITIZEN_ID_FEMALE : CITIZEN_ID_MALE, citizen_id_birth_year(id)));
		assert_false(citizen_id_agrees(id, century & 1 ? CITIZEN_ID_MALE : CITIZEN_ID_FEMALE, 0));
		assert_false(citizen_id_agrees(id, CITIZEN_ID_ANY_SEX, citizen_id_birth_year(id) + 100));
		assert_true(citizen_id_agrees(id, CITIZEN_ID_ANY_SEX, 0));
	}
}

static void
test_citizen_problems(void **state)
{
	static const struct
	{
		const char *text;
		int			year;
		unsigned	want;
	}			cases[] = {
		{"079090001234", 2026, 0},
		{"", 2026, BIT(CITIZEN_ID_EMPTY)},
		{"123456789", 2026, BIT(CITIZEN_ID_OLD_CARD)},
		{"0790900012", 2026, BIT(CITIZEN_ID_LENGTH)},
		{"B1234567", 2026, BIT(CITIZEN_ID_NOT_DIGITS) | BIT(CITIZEN_ID_LENGTH)},
		{"07909000123A", 2026, BIT(CITIZEN_ID_NOT_DIGITS)},
		{"003090001234", 2026, BIT(CITIZEN_ID_PREFIX_UNKNOWN)},
		{"079227001234", 2026, BIT(CITIZEN_ID_YEAR_FUTURE)},
		{"079227001234", 2027, 0},
		{"079427001234", 2026, BIT(CITIZEN_ID_CENTURY_FUTURE)},
		{"079000001234", 2026, BIT(CITIZEN_ID_AGE)},
		{"079001001234", 2026, 0},
		{"111111111111", 2026, BIT(CITIZEN_ID_PLACEHOLDER) | BIT(CITIZEN_ID_PREFIX_UNKNOWN)},
		{"012345678901", 2026, BIT(CITIZEN_ID_PLACEHOLDER) | BIT(CITIZEN_ID_YEAR_FUTURE)},
		{"000000000000", 2026, BIT(CITIZEN_ID_PLACEHOLDER) | BIT(CITIZEN_ID_PREFIX_UNKNOWN) | BIT(CITIZEN_ID_AGE)},
	};
	size_t		i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(citizen_id_problems(cases[i].text, strlen(cases[i].text), cases[i].year), cases[i].want);
	for (i = 0; i < CITIZEN_ID_NPROBLEMS; i++)
		assert_non_null(citizen_id_problem_name((CitizenIdProblem) i));
}

static void
test_provinces(void **state)
{
	int			code;
	int			old_names = 0;
	int			new_codes[100] = {0};
	int			n_new = 0;
	int			i;

	for (i = 0; i < 1000; i++)
	{
		if (citizen_id_province(i, 0, NULL) == NULL)
		{
			assert_null(citizen_id_province(i, 20260101, NULL));
			continue;
		}
		old_names++;
		assert_string_equal(citizen_id_province(i, 0, NULL), citizen_id_province(i, 20250630, &code));
		assert_int_equal(code, i);
		assert_non_null(citizen_id_province(i, 20250701, &code));
		n_new += new_codes[code]++ == 0;
	}
	assert_int_equal(old_names, 63);
	assert_int_equal(n_new, 34);
	/* old 10 and new 15 are both Lào Cai, old 15 was Yên Bái */
	assert_string_equal(citizen_id_province(10, 0, NULL), "Lào Cai");
	assert_string_equal(citizen_id_province(15, 20250630, NULL), "Yên Bái");
	assert_string_equal(citizen_id_province(10, 20250701, &code), "Lào Cai");
	assert_int_equal(code, 15);
	assert_string_equal(citizen_id_province(15, 20250701, &code), "Lào Cai");
	assert_string_equal(citizen_id_province(77, 20300101, &code), "Hồ Chí Minh");
}

static int64_t
insurance(const char *text)
{
	int64_t		no;
	InsuranceNoFault fault;

	assert_int_equal(insurance_no_parse(text, strlen(text), &no, &fault), CORE_OK);
	assert_true(insurance_no_is_valid(no));
	return no;
}

static void
test_insurance(void **state)
{
	static const struct
	{
		const char *text;
		InsuranceNoFault fault;
	}			bad[] = {
		{"", INSURANCE_NO_LENGTH}, {"DN47912345678", INSURANCE_NO_LENGTH}, {"DN47912345678901", INSURANCE_NO_LENGTH},
		{"D4479123456789X", INSURANCE_NO_OBJECT}, {"DNX791234567890", INSURANCE_NO_DIGITS},
		{"DN479123456789X", INSURANCE_NO_DIGITS}, {"12345678X0", INSURANCE_NO_DIGITS}, {"ĐN4791234567890", INSURANCE_NO_LENGTH},
	};
	int64_t		card = insurance("DN4791234567890");
	int64_t		id;
	InsuranceNoFault fault;
	char		out[INSURANCE_NO_SIZE];
	size_t		i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
	{
		assert_int_equal(insurance_no_parse(bad[i].text, strlen(bad[i].text), &id, &fault), CORE_INVALID);
		assert_int_equal(fault, bad[i].fault);
	}
	assert_int_equal(insurance_no_compare(card, insurance("GD 4-01 1234567890")), 0);
	assert_int_equal(insurance_no_compare(card, insurance("1234567890")), 0);
	assert_int_not_equal(insurance_no_compare(card, insurance("1234567891")), 0);
	assert_int_not_equal(insurance_no_compare(card, insurance("001234567890")), 0);
	assert_true(card == insurance("dn 4 79 12345 67890"));
	assert_false(insurance_no_citizen_id(card, &id));
	assert_true(insurance_no_citizen_id(insurance("079090001234"), &id));
	assert_int_equal(id, INT64_C(79090001234));
	assert_true(insurance_no_identifies(card));
	assert_true(insurance_no_identifies(insurance("1234567890")));
	assert_false(insurance_no_identifies(insurance("TE1791234567890")));
	assert_true(insurance_no_identifies(insurance("TE2791234567890")));
	assert_false(insurance_no_identifies(insurance("0000000000")));
	assert_false(insurance_no_is_valid(-1));
	assert_false(insurance_no_is_valid(INT64_C(1) << 60));
	assert_false(insurance_no_is_valid((INT64_C(1) << 62) + 1));
	assert_false(insurance_no_is_valid(676001));
	assert_int_equal(insurance_no_print(card, out), 15);
	assert_memory_equal(out, "DN4791234567890", 15);
}

/* Print and read again gives the same; order is that of the ten digits, then of the twelve. */
static void
test_insurance_laws(void **state)
{
	char		texts[300][32];
	int64_t		nos[300];
	int			i;
	int			k;

	srand(2);
	for (i = 0; i < 300; i++)
	{
		char		out[INSURANCE_NO_SIZE];
		long long	number = rand() % 5 == 0 ? rand() % 4 : (long long) rand() * 4 + rand() % 4;

		switch (rand() % 3)
		{
			case 0:
				snprintf(texts[i], 32, "%c%c%03d%010lld", 'A' + rand() % 26, 'A' + rand() % 26, rand() % 1000, number);
				break;
			case 1:
				snprintf(texts[i], 32, "%010lld", number);
				break;
			default:
				snprintf(texts[i], 32, "%012lld", number * 97);
		}
		nos[i] = insurance(texts[i]);
		assert_int_equal(insurance_no_print(nos[i], out), strlen(texts[i]));
		assert_memory_equal(out, texts[i], strlen(texts[i]));
	}
	for (i = 0; i < 300; i++)
		for (k = 0; k < 300; k++)
		{
			bool		a12 = strlen(texts[i]) == 12;
			bool		b12 = strlen(texts[k]) == 12;
			int			want = a12 != b12 ? (a12 ? 1 : -1) :
				strcmp(texts[i] + (a12 ? 0 : strlen(texts[i]) - 10), texts[k] + (b12 ? 0 : strlen(texts[k]) - 10));
			int			got = insurance_no_compare(nos[i], nos[k]);

			assert_true((want < 0) == (got < 0) && (want > 0) == (got > 0));
		}
}

static int64_t
icd(const char *text)
{
	int64_t		code;

	assert_int_equal(icd10_parse(text, strlen(text), &code), CORE_OK);
	assert_true(icd10_is_valid(code));
	return code;
}

static void
test_icd10(void **state)
{
	static const char *const forms[] = {"E119", "e11.9", "E11.9†", "E11.9*", " E11.9 ", "E11.9+", "e119*†"};
	static const char *const bad[] = {"", "E1", "11.9", "EE1", "E11..9", "E1.19", "E11.9 x", "E11.99999", "U13/9", "Ễ11", ".E11", "E11,9"};
	static const char *const order[] = {"A00", "A00.0", "A00.00", "A00.1", "A01", "E11", "E11.0", "E11.9", "E12", "M10.01", "Z99.9"};
	int64_t		code;
	char		out[ICD10_SIZE];
	char		block[ICD10_BLOCK_SIZE];
	char		chapter[ICD10_CHAPTER_SIZE];
	size_t		i;

	for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
	{
		assert_int_equal(icd10_print(icd(forms[i]), out), 5);
		assert_memory_equal(out, "E11.9", 5);
	}
	assert_int_equal(icd10_print(icd("E11.-"), out), 3);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(icd10_parse(bad[i], strlen(bad[i]), &code), CORE_INVALID);
	for (i = 1; i < sizeof(order) / sizeof(order[0]); i++)
		assert_true(icd(order[i - 1]) < icd(order[i]));
	assert_true(icd10_within(icd("E11.9"), icd("E11")));
	assert_true(icd10_within(icd("E11"), icd("E11")));
	assert_true(icd10_within(icd("E11.91"), icd("E11.9")));
	assert_false(icd10_within(icd("E11"), icd("E11.9")));
	assert_false(icd10_within(icd("E12"), icd("E11")));
	assert_true(icd10_category(icd("E11.91")) == icd("E11"));
	assert_true(icd10_block(icd("E11.9"), block, chapter));
	assert_string_equal(block, "E10-E14");
	assert_string_equal(chapter, "IV");
	assert_true(icd10_block(icd("C50.1"), block, chapter));
	assert_string_equal(block, "C50");
	assert_false(icd10_block(icd("U60"), block, chapter));
	assert_false(icd10_is_valid(0));
	assert_false(icd10_is_valid(-1));
	assert_false(icd10_is_valid(icd("E11") | 'x'));
	assert_false(icd10_is_valid(icd("E11") | (int64_t) '1' << 16));
}

static void
test_icd10_ranges(void **state)
{
	Icd10Range	r[ICD10_MAX_RANGES];
	char		many[200] = "A00";
	int			n;
	int			i;

	assert_int_equal(icd10_parse_ranges("F00-F03,G30", 11, r, &n), CORE_OK);
	assert_int_equal(n, 2);
	assert_true(icd10_in_range(icd("F03.9"), &r[0]));
	assert_true(icd10_in_range(icd("F00"), &r[0]));
	assert_false(icd10_in_range(icd("F04"), &r[0]));
	assert_true(icd10_in_range(icd("G30.1"), &r[1]));
	assert_int_equal(icd10_parse_ranges("I15-I10", 7, r, &n), CORE_INVALID);
	assert_int_equal(icd10_parse_ranges("I10-", 4, r, &n), CORE_INVALID);
	assert_int_equal(icd10_parse_ranges("", 0, r, &n), CORE_INVALID);
	assert_int_equal(icd10_parse_ranges("I10,", 4, r, &n), CORE_INVALID);
	for (i = 0; i < ICD10_MAX_RANGES; i++)
		strcat(many, ",A00");
	assert_int_equal(icd10_parse_ranges(many, strlen(many), r, &n), CORE_TOO_LARGE);
}

static void
test_phone(void **state)
{
	static const char *const cases[][2] = {
		{"0903123456", "0903123456"}, {"+84 903 123 456", "0903123456"}, {"84903123456", "0903123456"},
		{"0084903123456", "0903123456"}, {"+84(0)903.123.456", "0903123456"}, {"903123456", "0903123456"},
		{"01681234567", "0381234567"}, {"+841681234567", "0381234567"}, {"1681234567", "0381234567"},
		{"0120.123.4567", "0701234567"}, {"0199 1234567", "0591234567"}, {"(028) 3812 3456", "02838123456"},
		{"abc / 0909 111 222", "0909111222"}, {"0909111222;0909111333", "0909111222"}, {"+1 555 123 4567", "+15551234567"},
		{"0903\xC2\xA0" "123456", "0903123456"}, {"849031234", "0849031234"},
		{"", NULL}, {"0", NULL}, {"+", NULL}, {"0123456789", NULL}, {"0000000000", NULL}, {"090312345", NULL},
		{"09031234567", NULL}, {"0903 12 34 5a", NULL}, {"+0903123456", NULL}, {"12345678901234567890123", NULL},
		{"01101234567", NULL}, {"không có", NULL}, {"+84", NULL}, {"+840", NULL}, {"/", NULL},
	};
	size_t		i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		char		out[PHONE_SIZE];
		char		again[PHONE_SIZE];
		size_t		n;
		size_t		m;
		CoreStatus	status = phone_normalize(cases[i][0], strlen(cases[i][0]), out, &n);

		assert_int_equal(status, cases[i][1] == NULL ? CORE_INVALID : CORE_OK);
		if (cases[i][1] == NULL)
			continue;
		assert_int_equal(n, strlen(cases[i][1]));
		assert_memory_equal(out, cases[i][1], n);
		assert_int_equal(phone_normalize(out, n, again, &m), CORE_OK);
		assert_int_equal(m, n);
		assert_memory_equal(again, out, n);
	}
}

/* Anything at all in: no read or write beyond, and what comes out is a fixed point. */
static void
test_noise(void **state)
{
	static const char alphabet[] = "0123456789+84 .-/;,()AETEeI\xC3\xC2\xA0\xE2\x80\xA0*";
	int			round;

	srand(3);
	for (round = 0; round < 300000; round++)
	{
		int			len = rand() % 24;
		char	   *text = malloc(len > 0 ? len : 1);
		char		out[PHONE_SIZE];
		char		again[PHONE_SIZE];
		int64_t		a;
		int64_t		b;
		InsuranceNoFault fault;
		size_t		n;
		size_t		m;
		int			i;

		for (i = 0; i < len; i++)
			text[i] = rand() % 40 == 0 ? (char) rand() : alphabet[rand() % (sizeof(alphabet) - 1)];
		if (phone_normalize(text, len, out, &n) == CORE_OK)
		{
			assert_int_equal(phone_normalize(out, n, again, &m), CORE_OK);
			assert_true(n == m && memcmp(out, again, n) == 0);
		}
		if (icd10_parse(text, len, &a) == CORE_OK)
		{
			assert_int_equal(icd10_parse(out, icd10_print(a, out), &b), CORE_OK);
			assert_true(a == b);
		}
		if (insurance_no_parse(text, len, &a, &fault) == CORE_OK)
		{
			assert_int_equal(insurance_no_parse(out, insurance_no_print(a, out), &b, &fault), CORE_OK);
			assert_true(a == b);
		}
		(void) citizen_id_problems(text, len, 2026);
		free(text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_citizen_form),
		cmocka_unit_test(test_citizen_parts),
		cmocka_unit_test(test_citizen_problems),
		cmocka_unit_test(test_provinces),
		cmocka_unit_test(test_insurance),
		cmocka_unit_test(test_insurance_laws),
		cmocka_unit_test(test_icd10),
		cmocka_unit_test(test_icd10_ranges),
		cmocka_unit_test(test_phone),
		cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
