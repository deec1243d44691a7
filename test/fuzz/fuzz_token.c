/*
 * libFuzzer target: tokens, keys of issuers and ciphertexts from any bytes.
 *
 * The first byte chooses a part.  Beside what the sanitizers see, nothing that is not signed with the key may hold, nothing
 * that is not sealed with the key may open, and what is read stays within its limits.
 */
#include <stdlib.h>
#include <string.h>

#include "jws.h"
#include "seal.h"

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(law)	do { if (!(law)) abort(); } while (0)

static const JwsExpect expect = {"https://id.example.vn", "ehr", 1800000000, 10, 86400};

static void
token(const char *text, size_t size)
{
	static const char public_key[] = "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}";
	JwsToken	parsed;
	Jwk			key;

	if (jws_parse(text, size, &parsed) != JWS_OK)
		return;
	REQUIRE(parsed.payload_len <= sizeof(parsed.payload) && parsed.signature_len <= sizeof(parsed.signature));
	REQUIRE(memchr(parsed.alg, 0, sizeof(parsed.alg)) != NULL && memchr(parsed.kid, 0, sizeof(parsed.kid)) != NULL);
	REQUIRE(jwk_parse(public_key, strlen(public_key), &key) == JWS_OK);
	REQUIRE(jws_verify(&parsed, &key) != JWS_OK);
}

static void
claims(const char *text, size_t size)
{
	JwsToken	parsed = {.payload_len = size};
	JwsClaims	read;

	if (size > sizeof(parsed.payload))
		return;
	memcpy(parsed.payload, text, size);
	if (jws_claims(&parsed, &expect, &read) != JWS_OK)
		return;
	REQUIRE(strcmp(read.issuer, expect.issuer) == 0 && read.subject[0] != '\0' && read.token_id[0] != '\0');
	REQUIRE(memchr(read.name, 0, sizeof(read.name)) != NULL && strpbrk(read.name, "\n\r\t\x7f") == NULL);
	REQUIRE(read.expires + expect.leeway > expect.now);
}

static void
ciphertext(const uint8_t *data, size_t size)
{
	static const uint8_t key[SECRET_KEY] = {7};
	SealHeader	header;
	uint8_t    *out;

	/* of exactly its size, so that the sanitizer sees a byte too many */
	out = malloc(size + 1);
	(void) seal_read(data, size, &header);
	REQUIRE(seal_open(key, "p/1", 3, data, size, out) != CORE_OK);
	REQUIRE(box_open(key, key, data, size, out) != CORE_OK);
	free(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Jwk			key;

	if (size == 0)
		return 0;
	switch (data[0] % 4)
	{
		case 0:
			token((const char *) data + 1, size - 1);
			break;
		case 1:
			claims((const char *) data + 1, size - 1);
			break;
		case 2:
			ciphertext(data + 1, size - 1);
			break;
		default:
			(void) jwk_parse((const char *) data + 1, size - 1, &key);
			break;
	}
	return 0;
}
