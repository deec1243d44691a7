/*
 * test_audit_root.c
 *		core/audit_root: signatures over every bit, lines there and back, and
 *		lines that are none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "audit_root.h"

static AuditRoot
sample(void)
{
	static const uint8_t seed[AUDIT_SEED] = {7};
	AuditRoot	root = {{1, 2, 3}, 5, 1234, 800000000000000, {4}, {5}, {0}, {0}};

	audit_root_sign(&root, seed);
	return root;
}

static void
test_signature(void **state)
{
	AuditRoot	root = sample();
	uint8_t		hash[MERKLE_HASH];
	uint8_t		other[MERKLE_HASH];

	assert_true(audit_root_holds(&root));
	audit_root_hash(&root, hash);
	/* every bit of what is signed, and of the signature (the struct's padding apart) */
#define EACH_BIT(member) \
	for (size_t bit = 0; bit < sizeof(root.member) * 8; bit++) \
	{ \
		((uint8_t *) &root.member)[bit / 8] ^= (uint8_t) (1 << bit % 8); \
		assert_false(audit_root_holds(&root)); \
		audit_root_hash(&root, other); \
		assert_memory_not_equal(hash, other, MERKLE_HASH); \
		((uint8_t *) &root.member)[bit / 8] ^= (uint8_t) (1 << bit % 8); \
	}
	EACH_BIT(log);
	EACH_BIT(number);
	EACH_BIT(size);
	EACH_BIT(at);
	EACH_BIT(root);
	EACH_BIT(previous);
	EACH_BIT(key);
	EACH_BIT(signature);
	assert_true(audit_root_holds(&root));
}

static char text[AUDIT_LINE_MAX + 1];
static AuditLine line;
static AuditLine back;

/* written, read and written again: the same; and no prefix, no changed character reads as the same line */
static void
there_and_back(void)
{
	static char again[AUDIT_LINE_MAX + 1];
	size_t		length = audit_line_write(&line, text);

	assert_int_equal(strlen(text), length);
	assert_int_equal(audit_line_read(text, length, &back), CORE_OK);
	assert_int_equal(back.kind, line.kind);
	assert_int_equal(audit_line_write(&back, again), length);
	assert_string_equal(again, text);
	for (size_t cut = 0; cut < length; cut++)
	{
		char	   *copy = malloc(cut ? cut : 1);

		memcpy(copy, text, cut);
		/* what can be cut off is a whole hash of a path, or digits of a number at the end */
		if (audit_line_read(copy, cut, &back) == CORE_OK)
		{
			assert_int_equal(audit_line_write(&back, again), cut);
			assert_memory_equal(again, text, cut);
		}
		free(copy);
	}
	for (size_t i = 0; i < length; i++)
	{
		char		was = text[i];

		text[i] = was == 'A' ? ' ' : 'A';
		if (audit_line_read(text, length, &back) == CORE_OK)
			fail_msg("a changed character at %zu of: %s", i, text);
		text[i] = was;
	}
}

static void
test_lines(void **state)
{
	memset(&line, 0, sizeof(line));
	line.kind = AUDIT_LINE_ROOT;
	line.root = sample();
	there_and_back();
	assert_int_equal(audit_line_read(text, strlen(text), &back), CORE_OK);
	assert_true(audit_root_holds(&back.root));

	line.kind = AUDIT_LINE_ENTRY;
	line.seq = 9223372036854775807;
	line.length = 300;
	randombytes_buf(line.entry, line.length);
	there_and_back();
	/* the longest entry fits a line */
	line.length = AUDIT_MAX_PAYLOAD;
	assert_true(audit_line_write(&line, text) <= AUDIT_LINE_MAX);
	assert_int_equal(audit_line_read(text, strlen(text), &back), CORE_OK);

	line.kind = AUDIT_LINE_INCLUSION;
	line.seq = 10;
	line.size = 77;
	line.path.n = 3;
	randombytes_buf(line.path.hash, sizeof(line.path.hash));
	there_and_back();
	line.kind = AUDIT_LINE_CONSISTENCY;
	there_and_back();
	line.path.n = 0;
	assert_int_equal(audit_line_read(text, audit_line_write(&line, text), &back), CORE_OK);
	line.kind = AUDIT_LINE_START;
	line.seq = 7;
	line.path.n = 3;
	there_and_back();
	/* a start needs exactly the whole subtrees of its size */
	line.path.n = 2;
	assert_int_equal(audit_line_read(text, audit_line_write(&line, text), &back), CORE_INVALID);
}

static void
test_no_lines(void **state)
{
	static const char *const bad[] = {"", " ", "root", "root ", "entry 1", "entry x 00", "entry 01 00", "entry 1 0", "entry 1 0G",
		"entry 1 AA", "entry  1 00", "entry 1  00", "entry 1 00 ", "entry -1 00", "entry 9223372036854775808 00",
		"entry 99999999999999999999 00", "inclusion 1", "inclusion 1 2 ", "inclusion 1 2 00", "consistency 1", "start 0",
	"Entry 1 00", "entries 1 00"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
	{
		char	   *copy = malloc(strlen(bad[i]) + 1);

		memcpy(copy, bad[i], strlen(bad[i]));
		if (audit_line_read(copy, strlen(bad[i]), &back) != CORE_INVALID)
			fail_msg("read as a line: %s", bad[i]);
		free(copy);
	}
	srand(1);
	for (int round = 0; round < 50000; round++)
	{
		char		noise[64];
		size_t		n = (size_t) (rand() % 64);
		size_t		word = round % 2 ? (size_t) sprintf(noise, "start 3 ") : 0;

		for (size_t i = word; i < n; i++)
			noise[i] = "0123456789abcdef rtyin"[rand() % 22];
		(void) audit_line_read(noise, n, &back);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signature),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_no_lines),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
