/*
 * test_seal.c
 *		core/seal and core/secret: round trips, every bit of a sealed value,
 *		truncation at every byte, contexts, boxes, key files, and Wycheproof's
 *		vectors where they are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <sodium.h>

#include "jws.h"
#include "seal.h"

static const uint8_t key[SECRET_KEY] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
static const uint8_t other_key[SECRET_KEY] = {9};
static const char context[] = "phone/person.phone/42";
static const char plain[] = "0918273645";
#define PLAIN (sizeof(plain) - 1)
#define SEALED (PLAIN + SEAL_OVERHEAD)

static void
close_one(uint8_t *sealed)
{
	SealHeader	header = {SEAL_KIND_TEXT, 0x0102030405060708};

	assert_int_equal(seal_close(key, NULL, &header, context, strlen(context), plain, PLAIN, sealed), CORE_OK);
}

/* an exact copy on the heap, so that the address sanitizer sees one byte too far */
static CoreStatus
open_copy(const uint8_t *k, const char *c, const uint8_t *sealed, size_t length)
{
	uint8_t    *copy = malloc(length ? length : 1);
	uint8_t    *out = malloc(length > SEAL_OVERHEAD ? length - SEAL_OVERHEAD : 1);
	CoreStatus	status;

	memcpy(copy, sealed, length);
	status = seal_open(k, c, strlen(c), copy, length, out);
	if (status == CORE_OK && length == SEALED)
		assert_memory_equal(out, plain, PLAIN);
	free(copy);
	free(out);
	return status;
}

static void
test_round_trip(void **state)
{
	uint8_t		sealed[SEALED];
	uint8_t		again[SEALED];
	SealHeader	header;

	close_one(sealed);
	assert_int_equal(seal_read(sealed, SEALED, &header), CORE_OK);
	assert_int_equal(header.kind, SEAL_KIND_TEXT);
	assert_true(header.key_id == 0x0102030405060708);
	assert_int_equal(open_copy(key, context, sealed, SEALED), CORE_OK);
	assert_int_equal(open_copy(other_key, context, sealed, SEALED), CORE_INVALID);
	assert_int_equal(open_copy(key, "phone/person.phone/43", sealed, SEALED), CORE_INVALID);
	assert_int_equal(open_copy(key, "", sealed, SEALED), CORE_INVALID);
	close_one(again);
	/* the same value never looks the same */
	assert_memory_not_equal(sealed, again, SEALED);
}

static void
test_every_bit(void **state)
{
	uint8_t		sealed[SEALED];

	close_one(sealed);
	for (size_t bit = 0; bit < SEALED * 8; bit++)
	{
		sealed[bit / 8] ^= (uint8_t) (1 << bit % 8);
		assert_int_equal(open_copy(key, context, sealed, SEALED), CORE_INVALID);
		sealed[bit / 8] ^= (uint8_t) (1 << bit % 8);
	}
	assert_int_equal(open_copy(key, context, sealed, SEALED), CORE_OK);
}

static void
test_cut_and_grown(void **state)
{
	uint8_t		sealed[SEALED + 64] = {0};
	SealHeader	header;

	close_one(sealed);
	for (size_t length = 0; length < SEALED + 64; length++)
	{
		if (length == SEALED)
			continue;
		assert_int_equal(open_copy(key, context, sealed, length), CORE_INVALID);
		assert_int_equal(seal_read(sealed, length, &header), length < SEAL_OVERHEAD ? CORE_INVALID : CORE_OK);
	}
}

static void
test_sizes(void **state)
{
	static char long_context[SEAL_MAX_CONTEXT + 2];
	SealHeader	header = {SEAL_KIND_BYTES, 1};
	uint8_t		empty[SEAL_OVERHEAD];
	uint8_t		out[1];

	assert_int_equal(seal_close(key, NULL, &header, NULL, 0, "", 0, empty), CORE_OK);
	assert_int_equal(seal_open(key, NULL, 0, empty, SEAL_OVERHEAD, out), CORE_OK);
	memset(long_context, 'c', sizeof(long_context) - 1);
	assert_int_equal(seal_close(key, NULL, &header, long_context, SEAL_MAX_CONTEXT, "", 0, empty), CORE_OK);
	assert_int_equal(seal_close(key, NULL, &header, long_context, SEAL_MAX_CONTEXT + 1, "", 0, empty), CORE_TOO_LARGE);
	assert_int_equal(seal_open(key, long_context, SEAL_MAX_CONTEXT + 1, empty, SEAL_OVERHEAD, out), CORE_INVALID);
}

static void
test_blind(void **state)
{
	uint8_t		a[BLIND_BYTES];
	uint8_t		b[BLIND_BYTES];
	uint8_t		sub[2][SECRET_KEY];

	blind_index(key, plain, PLAIN, a);
	blind_index(key, plain, PLAIN, b);
	assert_memory_equal(a, b, BLIND_BYTES);
	blind_index(key, plain, PLAIN - 1, b);
	assert_memory_not_equal(a, b, BLIND_BYTES);
	blind_index(other_key, plain, PLAIN, b);
	assert_memory_not_equal(a, b, BLIND_BYTES);
	/* a domain's end is part of it */
	secret_derive(key, "a", "bc", 2, sub[0]);
	secret_derive(key, "ab", "c", 1, sub[1]);
	assert_memory_not_equal(sub[0], sub[1], SECRET_KEY);
	secret_derive(key, "a", "bc", 2, sub[1]);
	assert_memory_equal(sub[0], sub[1], SECRET_KEY);
}

static void
test_box(void **state)
{
	static const uint8_t zero[BOX_KEY] = {0};
	static const uint8_t one[BOX_KEY] = {1};
	uint8_t		pk[BOX_KEY];
	uint8_t		sk[BOX_KEY];
	uint8_t		sealed[PLAIN + BOX_OVERHEAD];
	uint8_t		out[PLAIN];

	crypto_box_keypair(pk, sk);
	assert_true(box_key_usable(pk));
	assert_false(box_key_usable(zero));
	assert_false(box_key_usable(one));
	assert_int_equal(box_close(pk, plain, PLAIN, sealed), CORE_OK);
	assert_int_equal(box_open(pk, sk, sealed, sizeof(sealed), out), CORE_OK);
	assert_memory_equal(out, plain, PLAIN);
	for (size_t bit = 0; bit < sizeof(sealed) * 8; bit++)
	{
		sealed[bit / 8] ^= (uint8_t) (1 << bit % 8);
		/* X25519 ignores the top bit of a point, but the nonce is made of the point's bytes */
		assert_int_equal(box_open(pk, sk, sealed, sizeof(sealed), out), CORE_INVALID);
		sealed[bit / 8] ^= (uint8_t) (1 << bit % 8);
	}
	for (size_t n = 0; n < sizeof(sealed); n++)
		assert_int_equal(box_open(pk, sk, sealed, n, out), CORE_INVALID);
}

static void
test_key_text(void **state)
{
	uint8_t		keys[3][SECRET_KEY];
	char		hex[65];
	char		text[300];
	int			n;

	memset(hex, 'a', 64);
	hex[64] = '\0';
	assert_int_equal(secret_keys_read(hex, 64, keys, 3, &n), CORE_OK);
	assert_int_equal(n, 1);
	assert_int_equal(keys[0][31], 0xaa);
	sprintf(text, "%s\n%s\r\n%s\n", hex, hex, hex);
	assert_int_equal(secret_keys_read(text, strlen(text), keys, 3, &n), CORE_OK);
	assert_int_equal(n, 3);
	assert_int_equal(secret_keys_read(text, strlen(text), keys, 2, &n), CORE_TOO_LARGE);
	for (size_t cut = 0; cut < 64; cut++)
		assert_int_equal(secret_keys_read(hex, cut, keys, 3, &n), CORE_INVALID);
	sprintf(text, "%s\n\n%s", hex, hex);
	assert_int_equal(secret_keys_read(text, strlen(text), keys, 3, &n), CORE_INVALID);
	sprintf(text, "%sa", hex);
	assert_int_equal(secret_keys_read(text, strlen(text), keys, 3, &n), CORE_INVALID);
	sprintf(text, " %s", hex);
	assert_int_equal(secret_keys_read(text, strlen(text), keys, 3, &n), CORE_INVALID);
	sprintf(text, "%s", hex);
	text[10] = 'g';
	assert_int_equal(secret_keys_read(text, 64, keys, 3, &n), CORE_INVALID);
}

static void
test_secret_memory(void **state)
{
	bool		locked;
	uint8_t    *memory = secret_alloc(4096, &locked);

	assert_non_null(memory);
	for (int i = 0; i < 4096; i++)
		assert_int_equal(memory[i], 0);
	secret_random(memory, 4096);
	assert_false(secret_equal(memory, memory + 32, 32));
	secret_zero(memory, 4096);
	assert_true(secret_equal(memory, memory + 32, 32));
	secret_free(memory);
}

/* ---- Wycheproof: files that nobody here wrote ---- */

static json_t *
wycheproof(const char *name)
{
	const char *dir = getenv("EHR_SUITES");
	char		path[1024];
	json_t	   *file;

	snprintf(path, sizeof(path), "%s/crypto/wycheproof/cases/%s", dir ? dir : "../shared/suites", name);
	file = json_load_file(path, 0, NULL);
	if (file == NULL)
		printf("# left out, not there: %s\n", path);
	return file;
}

static size_t
unhex(const json_t *test, const char *member, uint8_t *out, size_t room)
{
	const char *text = json_string_value(json_object_get(test, member));
	size_t		n;

	assert_int_equal(sodium_hex2bin(out, room, text, strlen(text), NULL, &n, NULL), 0);
	return n;
}

static void
wycheproof_xchacha(void **state)
{
	static uint8_t k[256], nonce[256], ad[4096], message[8192], cipher[8192 + SEAL_TAG], out[8192 + SEAL_TAG];
	json_t	   *file = wycheproof("xchacha20_poly1305_test.json");
	json_t	   *group;
	json_t	   *test;
	size_t		g;
	size_t		t;
	int			run = 0;
	int			not_ours = 0;

	if (file == NULL)
		skip();
	json_array_foreach(json_object_get(file, "testGroups"), g, group)
	{
		json_array_foreach(json_object_get(group, "tests"), t, test)
		{
			bool		valid = strcmp(json_string_value(json_object_get(test, "result")), "valid") == 0;
			int			id = (int) json_integer_value(json_object_get(test, "tcId"));
			size_t		n = unhex(test, "msg", message, sizeof(message));
			size_t		ad_n = unhex(test, "aad", ad, sizeof(ad));
			size_t		c = unhex(test, "ct", cipher, sizeof(cipher) - SEAL_TAG);

			/* the lengths of key and nonce are fixed in our format */
			if (unhex(test, "key", k, sizeof(k)) != SECRET_KEY || unhex(test, "iv", nonce, sizeof(nonce)) != SEAL_NONCE)
			{
				assert_false(valid);
				not_ours++;
				continue;
			}
			c += unhex(test, "tag", cipher + c, SEAL_TAG);
			if ((seal_raw_open(k, nonce, ad, ad_n, cipher, c, out) == CORE_OK) != valid)
				fail_msg("xchacha20_poly1305 %d", id);
			if (valid)
			{
				assert_memory_equal(out, message, n);
				seal_raw_close(k, nonce, ad, ad_n, message, n, out);
				assert_memory_equal(out, cipher, c);
			}
			run++;
		}
	}
	printf("# wycheproof xchacha20_poly1305: %d run, %d of lengths that cannot occur here\n", run, not_ours);
	json_decref(file);
}

static void
wycheproof_hmac(void **state)
{
	json_t	   *file = wycheproof("hmac_sha256_test.json");
	json_t	   *group;
	json_t	   *test;
	size_t		g;
	size_t		t;
	int			run = 0;
	int			truncated = 0;

	if (file == NULL)
		skip();
	json_array_foreach(json_object_get(file, "testGroups"), g, group)
	{
		json_array_foreach(json_object_get(group, "tests"), t, test)
		{
			static uint8_t message[8192];
			static JwsToken token;
			Jwk			k = {JWK_HS256};
			bool		valid = strcmp(json_string_value(json_object_get(test, "result")), "valid") == 0;

			memset(&token, 0, sizeof(token));
			strcpy(token.alg, "HS256");
			k.len = unhex(test, "key", k.bytes, sizeof(k.bytes));
			token.signed_part = (char *) message;
			token.signed_len = unhex(test, "msg", message, sizeof(message));
			token.signature_len = unhex(test, "tag", token.signature, sizeof(token.signature));
			/* a shortened tag is no HS256: all of them are refused */
			if (token.signature_len != 32)
			{
				assert_int_not_equal(jws_verify(&token, &k), JWS_OK);
				truncated++;
				continue;
			}
			if ((jws_verify(&token, &k) == JWS_OK) != valid)
				fail_msg("hmac_sha256 %d", (int) json_integer_value(json_object_get(test, "tcId")));
			run++;
		}
	}
	printf("# wycheproof hmac_sha256: %d run, %d shortened tags refused\n", run, truncated);
	json_decref(file);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_every_bit),
		cmocka_unit_test(test_cut_and_grown),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_blind),
		cmocka_unit_test(test_box),
		cmocka_unit_test(test_key_text),
		cmocka_unit_test(test_secret_memory),
		cmocka_unit_test(wycheproof_xchacha),
		cmocka_unit_test(wycheproof_hmac),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
