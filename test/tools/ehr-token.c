/*
 * ehr-token.c
 *		Makes the keys and tokens of demo, tests and tours.
 *
 *	ehr-token keygen                          a new Ed25519 key pair as a private JWK
 *	ehr-token public --key FILE               its public half, for ehr.add_session_key
 *	ehr-token sign --key FILE [--kid K] [--ttl SECONDS] [claim=value ...]
 *	ehr-token speed N                         µs that one Ed25519 verification takes, of N
 *
 * FILE holds a private OKP/Ed25519 JWK or an oct JWK; "-" is standard input.
 * sign fills in iat, exp (now + ttl, 300 by default) and a random jti where
 * they are not given.  A value of digits becomes a number, claim:=JSON is
 * taken as JSON, everything else is text.  alg follows from the key; --alg
 * overrides what the header says, for tests of refusals.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>
#include <sodium.h>

#define VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING

static void
fail(const char *what)
{
	fprintf(stderr, "ehr-token: %s\n", what);
	exit(1);
}

static char *
base64url(const unsigned char *bytes, size_t len)
{
	size_t		cap = sodium_base64_encoded_len(len, VARIANT);
	char	   *out = malloc(cap);

	if (out == NULL)
		fail("out of memory");
	return sodium_bin2base64(out, cap, bytes, len, VARIANT);
}

static json_t *
read_key(const char *path)
{
	json_t	   *key;

	if (path == NULL)
		fail("--key FILE is missing");
	key = strcmp(path, "-") == 0 ? json_loadf(stdin, JSON_REJECT_DUPLICATES, NULL)
		: json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(key))
		fail("the key file holds no JWK");
	return key;
}

/* Decodes one member of the JWK; its length is returned. */
static size_t
key_bytes(const json_t *key, const char *member, unsigned char *out, size_t cap)
{
	const char *text = json_string_value(json_object_get(key, member));
	size_t		len = 0;

	if (text == NULL ||
		sodium_base642bin(out, cap, text, strlen(text), NULL, &len, NULL, VARIANT) != 0)
		fail("the JWK has no usable key");
	return len;
}

static void
print_json(const json_t *value)
{
	char	   *text = json_dumps(value, JSON_COMPACT);

	puts(text);
	free(text);
}

static void
keygen(void)
{
	unsigned char pk[crypto_sign_PUBLICKEYBYTES];
	unsigned char sk[crypto_sign_SECRETKEYBYTES];

	crypto_sign_keypair(pk, sk);
	print_json(json_pack("{s:s,s:s,s:s,s:s}", "kty", "OKP", "crv", "Ed25519",
						 "d", base64url(sk, crypto_sign_SEEDBYTES),
						 "x", base64url(pk, sizeof(pk))));
}

static void
print_public(json_t *key)
{
	json_object_del(key, "d");
	print_json(key);
}

/* claim=value and claim:=JSON */
static void
add_claim(json_t *claims, char *argument)
{
	char	   *equals = strchr(argument, '=');
	json_t	   *value;

	if (equals == NULL || equals == argument)
		fail("a claim is NAME=VALUE or NAME:=JSON");
	*equals = '\0';
	if (equals[-1] == ':')
	{
		equals[-1] = '\0';
		value = json_loads(equals + 1, JSON_DECODE_ANY, NULL);
	}
	else if (equals[1] != '\0' && strspn(equals + 1, "0123456789") == strlen(equals + 1) &&
			 strlen(equals + 1) < 16 &&
			 (strcmp(argument, "exp") == 0 || strcmp(argument, "nbf") == 0 || strcmp(argument, "iat") == 0))
		value = json_integer(atoll(equals + 1));
	else
		value = json_string(equals + 1);
	if (value == NULL || json_object_set_new(claims, argument, value) != 0)
		fail("a claim's value is no JSON or no UTF-8");
}

static void
default_claims(json_t *claims, long ttl)
{
	unsigned char random[16];
	time_t		now = time(NULL);

	randombytes_buf(random, sizeof(random));
	if (json_object_get(claims, "iat") == NULL)
		json_object_set_new(claims, "iat", json_integer(now));
	if (json_object_get(claims, "exp") == NULL)
		json_object_set_new(claims, "exp", json_integer(now + ttl));
	if (json_object_get(claims, "jti") == NULL)
		json_object_set_new(claims, "jti", json_string(base64url(random, sizeof(random))));
}

static void
sign(const json_t *key, const char *kid, const char *alg, json_t *claims)
{
	const char *kty = json_string_value(json_object_get(key, "kty"));
	bool		hmac = kty != NULL && strcmp(kty, "oct") == 0;
	json_t	   *header = json_pack("{s:s}", "alg", alg ? alg : hmac ? "HS256" : "EdDSA");
	char	   *h;
	char	   *p;
	char	   *input;
	unsigned char signature[64];
	size_t		len;

	if (kid != NULL)
		json_object_set_new(header, "kid", json_string(kid));
	h = json_dumps(header, JSON_COMPACT);
	p = json_dumps(claims, JSON_COMPACT);
	h = base64url((unsigned char *) h, strlen(h));
	p = base64url((unsigned char *) p, strlen(p));
	input = malloc(strlen(h) + strlen(p) + 2);
	if (input == NULL)
		fail("out of memory");
	sprintf(input, "%s.%s", h, p);
	if (hmac)
	{
		unsigned char secret[512];
		crypto_auth_hmacsha256_state state;

		len = key_bytes(key, "k", secret, sizeof(secret));
		crypto_auth_hmacsha256_init(&state, secret, len);
		crypto_auth_hmacsha256_update(&state, (unsigned char *) input, strlen(input));
		crypto_auth_hmacsha256_final(&state, signature);
		len = crypto_auth_hmacsha256_BYTES;
	}
	else
	{
		unsigned char seed[crypto_sign_SEEDBYTES];
		unsigned char pk[crypto_sign_PUBLICKEYBYTES];
		unsigned char sk[crypto_sign_SECRETKEYBYTES];

		if (key_bytes(key, "d", seed, sizeof(seed)) != sizeof(seed))
			fail("the JWK is no private Ed25519 key");
		crypto_sign_seed_keypair(pk, sk, seed);
		crypto_sign_detached(signature, NULL, (unsigned char *) input, strlen(input), sk);
		len = crypto_sign_BYTES;
	}
	printf("%s.%s\n", input, base64url(signature, len));
}

/* µs of CPU time that one Ed25519 verification of a token's length takes */
static void
speed(long n)
{
	unsigned char pk[crypto_sign_PUBLICKEYBYTES];
	unsigned char sk[crypto_sign_SECRETKEYBYTES];
	unsigned char signature[crypto_sign_BYTES];
	unsigned char message[400] = {0};
	clock_t		start;

	crypto_sign_keypair(pk, sk);
	crypto_sign_detached(signature, NULL, message, sizeof(message), sk);
	start = clock();
	for (long i = 0; i < n; i++)
		if (crypto_sign_verify_detached(signature, message, sizeof(message), pk) != 0)
			fail("a signature does not hold");
	printf("%.1f\n", (double) (clock() - start) * 1e6 / CLOCKS_PER_SEC / n);
}

int
main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	const char *key = NULL;
	const char *kid = NULL;
	const char *alg = NULL;
	long		ttl = 300;
	json_t	   *claims = json_pack("{}");

	if (sodium_init() < 0)
		fail("libsodium does not start");
	for (int i = 2; i < argc && strcmp(verb, "speed") != 0; i++)
	{
		if (i + 1 < argc && strcmp(argv[i], "--key") == 0)
			key = argv[++i];
		else if (i + 1 < argc && strcmp(argv[i], "--kid") == 0)
			kid = argv[++i];
		else if (i + 1 < argc && strcmp(argv[i], "--alg") == 0)
			alg = argv[++i];
		else if (i + 1 < argc && strcmp(argv[i], "--ttl") == 0)
			ttl = atol(argv[++i]);
		else
			add_claim(claims, argv[i]);
	}
	if (strcmp(verb, "keygen") == 0)
		keygen();
	else if (strcmp(verb, "public") == 0)
		print_public(read_key(key));
	else if (strcmp(verb, "sign") == 0)
	{
		default_claims(claims, ttl);
		sign(read_key(key), kid, alg, claims);
	}
	else if (strcmp(verb, "speed") == 0 && argc > 2 && atol(argv[2]) > 0)
		speed(atol(argv[2]));
	else
	{
		fprintf(stderr, "usage: ehr-token keygen | public --key FILE | sign --key FILE [--kid K] [--ttl SECONDS] [claim=value ...] | speed N\n");
		return 2;
	}
	json_decref(claims);
	return 0;
}
