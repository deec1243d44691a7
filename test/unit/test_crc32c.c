/*
 * test_crc32c.c
 *		CRC-32C against the vectors of RFC 3720 (B.4), the catalogue's check value, and a bit-by-bit computation.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crc32c.h"

static uint32_t
bit_by_bit(const uint8_t *p, size_t n)
{
	uint32_t	crc = UINT32_MAX;

	while (n-- > 0)
	{
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ ((crc & 1) ? 0x82F63B78 : 0);
	}
	return ~crc;
}

static void
test_vectors(void **state)
{
	uint8_t		bytes[32];

	assert_int_equal(crc32c(0, (const uint8_t *) "123456789", 9), 0xE3069283);
	assert_int_equal(crc32c_portable(0, (const uint8_t *) "123456789", 9), 0xE3069283);
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x8A9136AA);
	memset(bytes, 0xFF, sizeof(bytes));
	assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x62A8AB43);
	for (int i = 0; i < 32; i++)
		bytes[i] = (uint8_t) i;
	assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x46DD794E);
	for (int i = 0; i < 32; i++)
		bytes[i] = (uint8_t) (31 - i);
	assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x113FDB5C);
	assert_int_equal(crc32c(0, bytes, 0), 0);
}

/* every length and alignment, whole and in two parts */
static void
test_both_ways(void **state)
{
	uint8_t		bytes[300];

	srand(1);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t) rand();
	for (size_t start = 0; start < 9; start++)
	{
		for (size_t n = 0; n + start <= sizeof(bytes); n++)
		{
			uint32_t	want = bit_by_bit(bytes + start, n);

			assert_int_equal(crc32c(0, bytes + start, n), want);
			assert_int_equal(crc32c_portable(0, bytes + start, n), want);
			assert_int_equal(crc32c(crc32c(0, bytes + start, n / 3), bytes + start + n / 3, n - n / 3), want);
			assert_int_equal(crc32c_portable(crc32c(0, bytes + start, n / 3), bytes + start + n / 3, n - n / 3), want);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
