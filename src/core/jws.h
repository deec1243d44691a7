/*
 * jws.h
 *		Signed tokens: compact JWS (RFC 7515) with Ed25519 (RFC 8037) or
 *		HMAC-SHA-256 (RFC 7518), its keys (JWK, RFC 7517) and the claims of a
 *		session token (RFC 7519).
 *
 * The order of use is jws_parse (form and header only), look-up of the key by
 * the header's kid, jws_verify, jws_claims.  The payload is not looked into
 * before its signature holds.  The key decides the algorithm: the header's alg
 * must agree with it and can never choose it.
 *
 * Callers answer every failure with one and the same message; the reasons
 * exist for tests.  None of these functions allocates from the caller's
 * context; what jansson allocates inside is freed before they return.
 */
#ifndef EHR_JWS_H
#define EHR_JWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JWS_MAX_TOKEN	8192	/* bytes of a compact token */
#define JWS_MAX_JWK		4096	/* bytes of a JWK's text */
#define JWS_MAX_SECRET	512		/* bytes of a shared secret */
#define JWS_MIN_SECRET	32		/* RFC 7518 3.2: at least the hash's length */

typedef enum JwsReason
{
	JWS_OK = 0,
	JWS_TOO_LARGE,				/* token or JWK above its limit */
	JWS_FORM,					/* not three parts of strict base64url */
	JWS_JSON,					/* not one JSON object, or a name twice in it */
	JWS_HEADER,					/* alg or kid missing, or crit, b64, zip present */
	JWS_ALG,					/* the header's alg is not the key's */
	JWS_SIGNATURE,				/* the signature does not hold */
	JWS_CLAIMS,					/* a claim is missing or has a wrong type or form */
	JWS_ISSUER,
	JWS_AUDIENCE,
	JWS_EXPIRED,
	JWS_NOT_YET,
	JWS_KEY_JSON,				/* the JWK is not one JSON object */
	JWS_KEY_TYPE,				/* neither OKP with Ed25519 nor oct */
	JWS_KEY_VALUE,				/* a key of wrong length or a weak point */
	JWS_KEY_USE,				/* use, key_ops or alg forbid verifying with it */
	JWS_KEY_PRIVATE				/* a private key where a public one belongs */
} JwsReason;

typedef enum JwkKind
{
	JWK_ED25519 = 1,
	JWK_HS256
} JwkKind;

typedef struct Jwk
{
	JwkKind		kind;
	size_t		len;
	unsigned char bytes[JWS_MAX_SECRET];	/* public key, or shared secret */
} Jwk;

typedef struct JwsToken
{
	char		alg[16];
	char		kid[129];
	const char *signed_part;	/* points into the caller's token */
	size_t		signed_len;
	size_t		signature_len;
	unsigned char signature[64];
	size_t		payload_len;
	unsigned char payload[JWS_MAX_TOKEN];
} JwsToken;

/* What this server asks of a token. Times are seconds since 1970. */
typedef struct JwsExpect
{
	const char *issuer;
	const char *audience;
	int64_t		now;
	int64_t		leeway;			/* seconds that clocks may differ */
	int64_t		max_lifetime;	/* longest exp - now that is accepted */
} JwsExpect;

typedef struct JwsClaims
{
	char		issuer[257];
	char		subject[65];
	char		token_id[129];	/* jti */
	char		kind[17];		/* ehr_kind */
	char		org[33];		/* ehr_org; may be empty */
	char		purpose[33];	/* ehr_purpose; may be empty */
	char		name[129];		/* name, for the citizen's log; may be empty */
	int64_t		issued;
	int64_t		expires;
} JwsClaims;

/*
 * Reads a JWK. A private Ed25519 key is JWS_KEY_PRIVATE: what a server stores
 * must not be able to sign.  Points of small order are JWS_KEY_VALUE.
 */
extern JwsReason jwk_parse(const char *text, size_t len, Jwk *key);

/* Splits and decodes a token; reads its header and nothing of its payload. */
extern JwsReason jws_parse(const char *token, size_t len, JwsToken *out);

/* Does the signature hold under this key? */
extern JwsReason jws_verify(const JwsToken *token, const Jwk *key);

/* Reads and checks the claims; to be called only after jws_verify. */
extern JwsReason jws_claims(const JwsToken *token, const JwsExpect *expect,
							JwsClaims *claims);

#endif							/* EHR_JWS_H */
