/*
 * test_vn_text.c
 *		Vietnamese text against cases made with Python's unicodedata, and its laws on random text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "utf8.h"
#include "vn_text.h"

typedef CoreStatus (*Fold) (const char *in, size_t len, char *out, size_t *out_len);

/* Runs a fold into a heap block of exactly the promised size, so that a write beyond it is caught. */
static char *
run(Fold fold, const char *in, size_t len, CoreStatus *status)
{
	size_t		size = fold == fold_normal ? FOLD_NORMAL_SIZE(len) : len;
	char	   *in_copy = malloc(len + 1);
	char	   *out = malloc(size + 1);
	char	   *exact = malloc(size > 0 ? size : 1);
	size_t		n = 0;

	memcpy(in_copy, in, len);
	*status = fold(in_copy, len, exact, &n);
	assert_true(n <= size || *status != CORE_OK);
	if (*status != CORE_OK)
		n = 0;
	memcpy(out, exact, n);
	out[n] = '\0';
	free(exact);
	free(in_copy);
	return out;
}

static void
check(Fold fold, const char *in, const char *want)
{
	CoreStatus	status;
	char	   *out = run(fold, in, strlen(in), &status);

	assert_int_equal(status, CORE_OK);
	assert_string_equal(out, want);
	free(out);
}

static void
test_cases(void **state)
{
	FILE	   *f = fopen("test/unit/vn_text_cases.tsv", "r");
	char		line[400];
	int			n = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL)
	{
		char	   *kept = strchr(line, '\t');
		char	   *folded;

		*kept++ = '\0';
		folded = strchr(kept, '\t');
		*folded++ = '\0';
		folded[strcspn(folded, "\n")] = '\0';
		check(fold_normal, line, kept);
		check(fold_name, line, folded);
		check(fold_name, kept, folded);
		check(fold_normal, kept, kept);
		n++;
	}
	fclose(f);
	assert_true(n > 1500);
}

static void
test_names(void **state)
{
	check(fold_text, "  12/3 Đường Lê Lợi,  P.5 ", "12 3 DUONG LE LOI P 5");
	check(fold_text, "Lí", "LI");
	check(fold_text, "", "");
	check(fold_text, "...", "");
	check(fold_text, "王 Li", "LI");
	check(fold_name, "BS. Nguyễn Văn Lí", "NGUYEN VAN LY");
	check(fold_name, "PGS.TS. Trần Thị Mĩ", "TRAN THI MY");
	check(fold_name, "Ông Ích Khiêm", "ONG ICH KHIEM");
	check(fold_name, "Anh Thư", "ANH THU");
	check(fold_name, "Chị Nguyễn", "CHI NGUYEN");
	check(fold_name, "ông Nguyễn An", "NGUYEN AN");
	check(fold_name, "Châu Văn An", "CHAU VAN AN");
	check(fold_normal, "nguyễn văn a", "NGUYỄN VĂN A");
	check(fold_name_key, "Nguyễn Thị Lí", "LY NGUYEN THI");
	check(fold_name_key, "lý THỊ  nguyên", "LY NGUYEN THI");
	check(fold_name_key, "b a b a", "A A B B");
	check(fold_name_key, "AB A", "A AB");
	check(fold_name_key, "", "");
}

/* Different legal names must not become the same. */
static void
test_apart(void **state)
{
	static const char *const pairs[][2] = {
		{"Hoàng", "Huỳnh"}, {"Vũ", "Võ"}, {"Phước", "Phúc"}, {"Thái", "Thới"}, {"Thi", "Thy"}, {"Tài", "Tày"},
		{"Thúi", "Thúy"}, {"Cam", "Kam"}, {"Lệ", "Lễ"}, {"Hòa", "Hóa"}, {"Ân", "Ấn"},
	};
	size_t		i;

	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
	{
		CoreStatus	status;
		char	   *a = run(i < 8 ? fold_name : fold_normal, pairs[i][0], strlen(pairs[i][0]), &status);
		char	   *b = run(i < 8 ? fold_name : fold_normal, pairs[i][1], strlen(pairs[i][1]), &status);

		assert_string_not_equal(a, b);
		free(a);
		free(b);
	}
}

static void
check_kind(const char *name, FoldNameKind want, const char *mother)
{
	char		out[200];
	size_t		n;
	size_t		at;

	assert_int_equal(fold_name(name, strlen(name), out, &n), CORE_OK);
	out[n] = '\0';
	assert_int_equal(fold_name_kind(out, n, &at), want);
	if (mother != NULL)
		assert_string_equal(out + at, mother);
	else
		assert_int_equal(at, 0);
}

static void
test_kinds(void **state)
{
	check_kind("Nguyễn Văn A", FOLD_NAME_PERSON, NULL);
	check_kind("Nguyễn Thị Bé", FOLD_NAME_PERSON, NULL);
	check_kind("Bé Ba", FOLD_NAME_PERSON, NULL);
	check_kind("CB NGUYỄN THI A", FOLD_NAME_NEWBORN, "NGUYEN THI A");
	check_kind("CB2 NGUYỄN THI A", FOLD_NAME_NEWBORN, "NGUYEN THI A");
	check_kind("Con bà Trần Thị Lí", FOLD_NAME_NEWBORN, "TRAN THI LY");
	check_kind("C/b Trần", FOLD_NAME_PERSON, NULL);
	check_kind("C/B Trần Thị Lí", FOLD_NAME_NEWBORN, "TRAN THI LY");
	check_kind("CB. Trần Thị Lí", FOLD_NAME_NEWBORN, "TRAN THI LY");
	check_kind("Bé gái con bà Trần Thị Lí", FOLD_NAME_NEWBORN, "TRAN THI LY");
	check_kind("BE TRAI CON SAN PHU LE THI A", FOLD_NAME_NEWBORN, "LE THI A");
	check_kind("Con mẹ Lê Thị A", FOLD_NAME_NEWBORN, "LE THI A");
	check_kind("Bé của chị Lê Thị A", FOLD_NAME_NEWBORN, "LE THI A");
	check_kind("Trẻ sơ sinh con bà Lê Thị A", FOLD_NAME_NEWBORN, "LE THI A");
	check_kind("Con gái", FOLD_NAME_NEWBORN, "");
	check_kind("Con bà Ba", FOLD_NAME_NEWBORN, "BA");
	check_kind("Con Lê", FOLD_NAME_NEWBORN, "LE");
	check_kind("Trần Văn Con", FOLD_NAME_PERSON, NULL);
	check_kind("Cao Bá Quát", FOLD_NAME_PERSON, NULL);
	check_kind("Con của chị Lê Hoa", FOLD_NAME_NEWBORN, "LE HOA");
	check_kind("BÉ Lê An", FOLD_NAME_NEWBORN, "LE AN");
	check_kind("bé gái", FOLD_NAME_NEWBORN, "");
	check_kind("Trẻ sơ sinh", FOLD_NAME_NEWBORN, "");
	check_kind("Vô danh 3", FOLD_NAME_NONE, NULL);
	check_kind("không rõ", FOLD_NAME_NONE, NULL);
	check_kind("--", FOLD_NAME_NONE, NULL);
}

static void
test_not_utf8(void **state)
{
	static const char *const bad[] = {
		"\x80", "\xC3", "\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF8\x88\x80\x80\x80",
		"Nguy\xE1\xBB", "\xC3(", "a\xFF",
	};
	static const Fold folds[] = {fold_text, fold_name, fold_name_key, fold_normal};
	size_t		i;
	size_t		k;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		for (k = 0; k < 4; k++)
		{
			CoreStatus	status;

			free(run(folds[k], bad[i], strlen(bad[i]), &status));
			assert_int_equal(status, CORE_INVALID);
		}
}

/* Text out of letters that the rules look at, and of any other code points. */
static size_t
random_text(char *out)
{
	static const char letters[] = "aeiouyAEIOUYghklmnqstvcpdQUIEL  .-";
	static const uint32_t marks[] = {0x300, 0x301, 0x303, 0x309, 0x323, 0x302, 0x306, 0x31B, 0x308, 0x344};
	size_t		n = 0;
	int			len = rand() % 50;
	int			i;

	for (i = 0; i < len; i++)
	{
		uint32_t	c;

		switch (rand() % 8)
		{
			case 0:
				c = marks[rand() % 10];
				break;
			case 1:
				c = 0x1EA0 + rand() % 0x5A;
				break;
			case 2:
				c = rand() % 10 == 0 ? (uint32_t) (rand() % 0x11000) + 0x10000 * (rand() % 3) : 0xC0 + (uint32_t) rand() % 0x190;
				break;
			default:
				c = (unsigned char) letters[rand() % (sizeof(letters) - 1)];
		}
		if (c >= 0xD800 && c < 0xE000)
			continue;
		if (c == 0)
			c = 'q';
		n += (size_t) utf8_encode(c, out + n);
	}
	out[n] = '\0';
	return n;
}

/* key holds the words of name, each not before the one that precedes it. */
static void
check_sorted_words(const char *key, const char *name)
{
	char		before[256] = "";
	char		copy[256];
	char		rest[256];
	char	   *word;

	snprintf(rest, sizeof(rest), *name == '\0' ? " " : " %s ", name);
	snprintf(copy, sizeof(copy), "%s", key);
	for (word = strtok(copy, " "); word != NULL; word = strtok(NULL, " "))
	{
		char		sought[256];
		char	   *at;

		assert_true(strcmp(before, word) <= 0);
		snprintf(before, sizeof(before), "%s", word);
		snprintf(sought, sizeof(sought), " %s ", word);
		at = strstr(rest, sought);
		assert_non_null(at);
		memmove(at, at + strlen(word) + 1, strlen(at + strlen(word) + 1) + 1);
	}
	assert_string_equal(rest, " ");
}

static void
test_laws(void **state)
{
	int			round;

	srand(4711);
	for (round = 0; round < 200000; round++)
	{
		char		text[256];
		size_t		len = random_text(text);
		CoreStatus	status;
		char	   *normal = run(fold_normal, text, len, &status);
		char	   *name;
		char	   *p;
		size_t		words = 1;

		assert_int_equal(status, CORE_OK);
		name = run(fold_name, text, len, &status);
		assert_int_equal(status, CORE_OK);
		for (p = name; *p != '\0'; p++)
		{
			assert_true((*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || (*p == ' ' && p[1] != ' '));
			words += *p == ' ';
		}
		assert_true(name[0] != ' ' && (p == name || p[-1] != ' '));
		check(fold_normal, normal, normal);
		check(fold_name, normal, name);
		check(fold_name, name, name);
		if (words <= FOLD_MAX_WORDS)
		{
			char	   *key = run(fold_name_key, text, len, &status);

			assert_int_equal(status, CORE_OK);
			assert_int_equal(strlen(key), strlen(name));
			check_sorted_words(key, name);
			free(key);
		}
		free(name);
		free(normal);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_apart),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_not_utf8),
		cmocka_unit_test(test_laws),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
