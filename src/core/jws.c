/*
 * jws.c
 *		Signed tokens: see jws.h.
 */
#include "jws.h"

#include <math.h>
#include <string.h>

#include <jansson.h>
#include <sodium.h>

/*
 * Strict base64url: no padding, no character outside of the alphabet, and no
 * bit set after the last byte, so that one value has one spelling.  libsodium's
 * decoder takes some bytes above 0x7f for letters, hence one of our own.  It
 * branches on its input: nothing secret passes through it but JWKs at set-up.
 */
static bool
decode(const char *in, size_t len, unsigned char *out, size_t cap, size_t *out_len)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint32_t	bits = 0;
	int			held = 0;
	size_t		n = 0;

	for (size_t i = 0; i < len; i++)
	{
		const char *at = in[i] == '\0' ? NULL : strchr(alphabet, in[i]);

		if (at == NULL)
			return false;
		bits = (bits << 6 | (uint32_t) (at - alphabet)) & 0xffff;
		held += 6;
		if (held >= 8)
		{
			if (n == cap)
				return false;
			held -= 8;
			out[n++] = (unsigned char) (bits >> held);
		}
	}
	/* one left-over character, or bits of it that say something, are an error */
	if (held >= 6 || (bits & ((1U << held) - 1)) != 0)
		return false;
	*out_len = n;
	return true;
}

/* One JSON object without a repeated name, or NULL. */
static json_t *
parse_object(const char *text, size_t len)
{
	json_t	   *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);

	if (root != NULL && !json_is_object(root))
	{
		json_decref(root);
		root = NULL;
	}
	return root;
}

/*
 * Copies a text member of 1 to cap - 1 bytes without control characters.  What
 * is taken here later stands in logs, so nothing may break a line there.
 */
static bool
copy_text(const json_t *value, char *out, size_t cap)
{
	const char *s = json_string_value(value);
	size_t		len = json_string_length(value);

	if (s == NULL || len == 0 || len >= cap)
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char) s[i] < 0x20 || s[i] == 0x7f)
			return false;
	memcpy(out, s, len + 1);
	return true;
}

/* The same for a member that may be absent: then the result is empty. */
static bool
copy_optional(const json_t *value, char *out, size_t cap)
{
	out[0] = '\0';
	return value == NULL || copy_text(value, out, cap);
}

/* NumericDate (RFC 7519 2): a number of seconds, whole or not. */
static bool
copy_date(const json_t *value, int64_t *out)
{
	/* the year 9999 and far below what a double holds exactly */
	const double limit = 253402300800.0;
	double		seconds;

	if (!json_is_number(value))
		return false;
	seconds = json_number_value(value);
	if (!(seconds >= 0 && seconds < limit))
		return false;
	*out = (int64_t) floor(seconds);
	return true;
}

/* ---- keys ---- */

static const char *const key_alg[][2] = {
	[JWK_ED25519] = {"EdDSA", "Ed25519"},	/* RFC 8037, RFC 9864 */
	[JWK_HS256] = {"HS256", "HS256"},
};

static bool
alg_agrees(const char *alg, JwkKind kind)
{
	return alg != NULL &&
		(strcmp(alg, key_alg[kind][0]) == 0 || strcmp(alg, key_alg[kind][1]) == 0);
}

/* use, key_ops and alg may restrict a key; none may forbid verification. */
static bool
key_may_verify(const json_t *root, JwkKind kind)
{
	const json_t *use = json_object_get(root, "use");
	const json_t *ops = json_object_get(root, "key_ops");
	const json_t *alg = json_object_get(root, "alg");

	if (use != NULL && (!json_is_string(use) || strcmp(json_string_value(use), "sig") != 0))
		return false;
	if (alg != NULL && !alg_agrees(json_string_value(alg), kind))
		return false;
	if (ops != NULL)
	{
		size_t		i;
		const json_t *op;
		bool		found = false;

		if (!json_is_array(ops))
			return false;
		json_array_foreach(ops, i, op)
			if (json_is_string(op) && strcmp(json_string_value(op), "verify") == 0)
			found = true;
		return found;
	}
	return true;
}

static JwsReason
read_key(const json_t *root, Jwk *key)
{
	const char *kty = json_string_value(json_object_get(root, "kty"));
	const json_t *value;

	if (kty != NULL && strcmp(kty, "OKP") == 0)
	{
		const char *crv = json_string_value(json_object_get(root, "crv"));

		if (crv == NULL || strcmp(crv, "Ed25519") != 0)
			return JWS_KEY_TYPE;
		if (json_object_get(root, "d") != NULL)
			return JWS_KEY_PRIVATE;
		key->kind = JWK_ED25519;
		value = json_object_get(root, "x");
	}
	else if (kty != NULL && strcmp(kty, "oct") == 0)
	{
		key->kind = JWK_HS256;
		value = json_object_get(root, "k");
	}
	else
		return JWS_KEY_TYPE;

	if (!json_is_string(value) ||
		!decode(json_string_value(value), json_string_length(value),
				key->bytes, sizeof(key->bytes), &key->len))
		return JWS_KEY_VALUE;
	if (key->kind == JWK_ED25519 &&
		(key->len != crypto_sign_PUBLICKEYBYTES ||
		 !crypto_core_ed25519_is_valid_point(key->bytes)))
		return JWS_KEY_VALUE;
	if (key->kind == JWK_HS256 && key->len < JWS_MIN_SECRET)
		return JWS_KEY_VALUE;
	return key_may_verify(root, key->kind) ? JWS_OK : JWS_KEY_USE;
}

JwsReason
jwk_parse(const char *text, size_t len, Jwk *key)
{
	json_t	   *root;
	JwsReason	reason;

	memset(key, 0, sizeof(*key));
	if (len > JWS_MAX_JWK)
		return JWS_TOO_LARGE;
	if (sodium_init() < 0)
		return JWS_KEY_VALUE;
	root = parse_object(text, len);
	if (root == NULL)
		return JWS_KEY_JSON;
	reason = read_key(root, key);
	json_decref(root);
	if (reason != JWS_OK)
		sodium_memzero(key, sizeof(*key));
	return reason;
}

/* ---- tokens ---- */

/*
 * The header's members that would change what is signed or which key is meant
 * (crit, b64, zip) refuse the token; key material in it (jwk, jku, x5c …) is
 * never looked at.
 */
static JwsReason
read_header(const unsigned char *text, size_t len, JwsToken *out)
{
	static const char *const forbidden[] = {"crit", "b64", "zip"};
	json_t	   *root = parse_object((const char *) text, len);
	JwsReason	reason = JWS_OK;

	if (root == NULL)
		return JWS_JSON;
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
		if (json_object_get(root, forbidden[i]) != NULL)
			reason = JWS_HEADER;
	if (!copy_text(json_object_get(root, "alg"), out->alg, sizeof(out->alg)) ||
		!copy_optional(json_object_get(root, "kid"), out->kid, sizeof(out->kid)))
		reason = JWS_HEADER;
	json_decref(root);
	return reason;
}

JwsReason
jws_parse(const char *token, size_t len, JwsToken *out)
{
	unsigned char header[JWS_MAX_TOKEN];
	size_t		header_len;
	const char *dot1;
	const char *dot2;
	const char *end = token + len;

	memset(out, 0, sizeof(*out));
	if (len > JWS_MAX_TOKEN)
		return JWS_TOO_LARGE;
	dot1 = memchr(token, '.', len);
	dot2 = dot1 ? memchr(dot1 + 1, '.', end - dot1 - 1) : NULL;
	/* a third dot is no character of base64url: decoding refuses it */
	if (dot2 == NULL || dot1 == token || dot2 == dot1 + 1 || dot2 + 1 == end)
		return JWS_FORM;
	if (!decode(token, dot1 - token, header, sizeof(header), &header_len) ||
		!decode(dot1 + 1, dot2 - dot1 - 1, out->payload, sizeof(out->payload), &out->payload_len) ||
		!decode(dot2 + 1, end - dot2 - 1, out->signature, sizeof(out->signature), &out->signature_len))
		return JWS_FORM;
	out->signed_part = token;
	out->signed_len = dot2 - token;
	return read_header(header, header_len, out);
}

static bool
hmac_holds(const JwsToken *token, const Jwk *key)
{
	crypto_auth_hmacsha256_state state;
	unsigned char mac[crypto_auth_hmacsha256_BYTES];

	if (token->signature_len != sizeof(mac))
		return false;
	crypto_auth_hmacsha256_init(&state, key->bytes, key->len);
	crypto_auth_hmacsha256_update(&state, (const unsigned char *) token->signed_part, token->signed_len);
	crypto_auth_hmacsha256_final(&state, mac);
	sodium_memzero(&state, sizeof(state));
	return sodium_memcmp(mac, token->signature, sizeof(mac)) == 0;
}

JwsReason
jws_verify(const JwsToken *token, const Jwk *key)
{
	bool		holds = false;

	if (key->kind != JWK_ED25519 && key->kind != JWK_HS256)
		return JWS_ALG;
	if (!alg_agrees(token->alg, key->kind))
		return JWS_ALG;
	if (sodium_init() < 0)
		return JWS_SIGNATURE;
	if (key->kind == JWK_HS256)
		holds = hmac_holds(token, key);
	else if (token->signature_len == crypto_sign_BYTES)
		holds = crypto_sign_verify_detached(token->signature,
											(const unsigned char *) token->signed_part,
											token->signed_len, key->bytes) == 0;
	return holds ? JWS_OK : JWS_SIGNATURE;
}

/* ---- claims ---- */

/* aud is one text or an array of them (RFC 7519 4.1.3). */
static bool
audience_has(const json_t *aud, const char *wanted)
{
	size_t		i;
	const json_t *one;

	if (json_is_string(aud))
		return strcmp(json_string_value(aud), wanted) == 0;
	json_array_foreach(aud, i, one)
		if (json_is_string(one) && strcmp(json_string_value(one), wanted) == 0)
		return true;
	return false;
}

/*
 * A scope with a slash (SMART: patient/Observation.rs) allows a part of the data.  A session is not narrowed by it, so such a
 * token, which means less than the session would give, is not taken.
 */
static bool
scope_narrows(const json_t *scope)
{
	return scope != NULL && (!json_is_string(scope) || strchr(json_string_value(scope), '/') != NULL);
}

static JwsReason
read_claims(const json_t *root, const JwsExpect *expect, JwsClaims *claims)
{
	const json_t *nbf = json_object_get(root, "nbf");
	int64_t		not_before = 0;

	if (!copy_text(json_object_get(root, "iss"), claims->issuer, sizeof(claims->issuer)) ||
		!copy_text(json_object_get(root, "sub"), claims->subject, sizeof(claims->subject)) ||
		!copy_text(json_object_get(root, "jti"), claims->token_id, sizeof(claims->token_id)) ||
		!copy_text(json_object_get(root, "ehr_kind"), claims->kind, sizeof(claims->kind)) ||
		!copy_optional(json_object_get(root, "ehr_org"), claims->org, sizeof(claims->org)) ||
		!copy_optional(json_object_get(root, "ehr_purpose"), claims->purpose, sizeof(claims->purpose)) ||
		!copy_optional(json_object_get(root, "name"), claims->name, sizeof(claims->name)) ||
		!copy_date(json_object_get(root, "iat"), &claims->issued) ||
		!copy_date(json_object_get(root, "exp"), &claims->expires) ||
		(nbf != NULL && !copy_date(nbf, &not_before)) ||
		scope_narrows(json_object_get(root, "scope")))
		return JWS_CLAIMS;

	if (strcmp(claims->issuer, expect->issuer) != 0)
		return JWS_ISSUER;
	if (!audience_has(json_object_get(root, "aud"), expect->audience))
		return JWS_AUDIENCE;
	if (claims->expires + expect->leeway <= expect->now)
		return JWS_EXPIRED;
	if (not_before > expect->now + expect->leeway ||
		claims->issued > expect->now + expect->leeway)
		return JWS_NOT_YET;
	if (claims->expires > expect->now + expect->leeway + expect->max_lifetime)
		return JWS_CLAIMS;
	return JWS_OK;
}

JwsReason
jws_claims(const JwsToken *token, const JwsExpect *expect, JwsClaims *claims)
{
	json_t	   *root = parse_object((const char *) token->payload, token->payload_len);
	JwsReason	reason;

	memset(claims, 0, sizeof(*claims));
	if (root == NULL)
		return JWS_JSON;
	reason = read_claims(root, expect, claims);
	json_decref(root);
	if (reason != JWS_OK)
		memset(claims, 0, sizeof(*claims));
	return reason;
}
