/*
 * audit_root.c
 *		Signed roots and the log as text: see audit_root.h.
 */
#include "audit_root.h"

#include <stdio.h>
#include <string.h>

#include <sodium.h>

static const char magic[] = "ehr audit root v1";	/* without its NUL */

static uint8_t *
put64(uint8_t *p, uint64_t value)
{
	for (int i = 7; i >= 0; i--, value >>= 8)
		p[i] = (uint8_t) value;
	return p + 8;
}

static uint8_t *
put(uint8_t *p, const void *bytes, size_t size)
{
	memcpy(p, bytes, size);
	return p + size;
}

void
audit_root_message(const AuditRoot *root, uint8_t message[AUDIT_ROOT_MESSAGE])
{
	uint8_t    *p = message;

	p = put(p, magic, sizeof(magic) - 1);
	p = put(p, root->log, AUDIT_LOG_ID);
	p = put64(p, root->number);
	p = put64(p, root->size);
	p = put64(p, (uint64_t) root->at);
	p = put(p, root->root, MERKLE_HASH);
	p = put(p, root->previous, MERKLE_HASH);
	put(p, root->key, AUDIT_PUBLIC_KEY);
}

void
audit_root_sign(AuditRoot *root, const uint8_t seed[AUDIT_SEED])
{
	uint8_t		secret[crypto_sign_SECRETKEYBYTES];
	uint8_t		message[AUDIT_ROOT_MESSAGE];

	crypto_sign_seed_keypair(root->key, secret, seed);
	audit_root_message(root, message);
	crypto_sign_detached(root->signature, NULL, message, sizeof(message), secret);
	sodium_memzero(secret, sizeof(secret));
}

bool
audit_root_holds(const AuditRoot *root)
{
	uint8_t		message[AUDIT_ROOT_MESSAGE];

	audit_root_message(root, message);
	return crypto_sign_verify_detached(root->signature, message, sizeof(message), root->key) == 0;
}

void
audit_root_hash(const AuditRoot *root, uint8_t hash[MERKLE_HASH])
{
	uint8_t		signed_root[AUDIT_ROOT_MESSAGE + AUDIT_SIGNATURE];

	audit_root_message(root, signed_root);
	memcpy(signed_root + AUDIT_ROOT_MESSAGE, root->signature, AUDIT_SIGNATURE);
	crypto_hash_sha256(hash, signed_root, sizeof(signed_root));
}

/* ------------------------------------------------------------------ lines */

static const char *const words[] = {"root", "entry", "inclusion", "consistency", "start"};

static char *
write_hex(char *p, const void *bytes, size_t size)
{
	*p++ = ' ';
	sodium_bin2hex(p, 2 * size + 1, bytes, size);
	return p + 2 * size;
}

static char *
write_path(char *p, const MerklePath *path)
{
	for (int i = 0; i < path->n; i++)
		p = write_hex(p, path->hash[i], MERKLE_HASH);
	return p;
}

size_t
audit_line_write(const AuditLine *line, char *out)
{
	const AuditRoot *root = &line->root;
	char	   *p = out + sprintf(out, "%s", words[line->kind]);

	switch (line->kind)
	{
		case AUDIT_LINE_ROOT:
			p = write_hex(p, root->log, AUDIT_LOG_ID);
			p += sprintf(p, " %llu %llu %lld", (unsigned long long) root->number, (unsigned long long) root->size,
						 (long long) root->at);
			p = write_hex(p, root->root, MERKLE_HASH);
			p = write_hex(p, root->previous, MERKLE_HASH);
			p = write_hex(p, root->key, AUDIT_PUBLIC_KEY);
			p = write_hex(p, root->signature, AUDIT_SIGNATURE);
			break;
		case AUDIT_LINE_ENTRY:
			p += sprintf(p, " %llu", (unsigned long long) line->seq);
			p = write_hex(p, line->entry, line->length);
			break;
		case AUDIT_LINE_INCLUSION:
		case AUDIT_LINE_CONSISTENCY:
			p += sprintf(p, " %llu %llu", (unsigned long long) line->seq, (unsigned long long) line->size);
			p = write_path(p, &line->path);
			break;
		case AUDIT_LINE_START:
			p += sprintf(p, " %llu", (unsigned long long) line->seq);
			p = write_hex(p, line->chain, AUDIT_HASH_SIZE);
			p = write_path(p, &line->path);
			break;
	}
	*p = '\0';
	return (size_t) (p - out);
}

/* what is left of a line */
typedef struct Rest
{
	const char *at;
	const char *end;
} Rest;

/* the next field, without the blank before it; false at the end or where no single blank is */
static bool
next_field(Rest *rest, Rest *field)
{
	if (rest->at == rest->end || *rest->at != ' ')
		return false;
	field->at = ++rest->at;
	while (rest->at < rest->end && *rest->at != ' ')
		rest->at++;
	field->end = rest->at;
	return field->at < field->end;
}

static bool
read_number(Rest *rest, uint64_t *value)
{
	Rest		field;

	if (!next_field(rest, &field) || field.end - field.at > 19 || (*field.at == '0' && field.end - field.at > 1))
		return false;
	*value = 0;
	for (; field.at < field.end; field.at++)
	{
		if (*field.at < '0' || *field.at > '9')
			return false;
		*value = *value * 10 + (uint64_t) (*field.at - '0');
	}
	return *value >> 63 == 0;
}

/* times before 2000 do not occur in a log */
static bool
read_time(Rest *rest, int64_t *value)
{
	uint64_t	amount;

	if (!read_number(rest, &amount))
		return false;
	*value = (int64_t) amount;
	return true;
}

/* exactly size bytes of lower-case digits, so that a line has one spelling */
static bool
read_hex(Rest *rest, void *bytes, size_t size)
{
	Rest		field;

	if (!next_field(rest, &field) || (size_t) (field.end - field.at) != 2 * size)
		return false;
	for (size_t i = 0; i < 2 * size; i++)
	{
		char		c = field.at[i];
		int			digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
		uint8_t    *byte = (uint8_t *) bytes + i / 2;

		if (digit < 0)
			return false;
		*byte = (uint8_t) (i % 2 ? *byte | digit : digit << 4);
	}
	return true;
}

static bool
read_path(Rest *rest, MerklePath *path)
{
	path->n = 0;
	while (rest->at < rest->end)
	{
		if (path->n == MERKLE_MAX_PATH || !read_hex(rest, path->hash[path->n++], MERKLE_HASH))
			return false;
	}
	return true;
}

static bool
read_entry(Rest *rest, AuditLine *line)
{
	size_t		digits = rest->at < rest->end ? (size_t) (rest->end - rest->at) - 1 : 0;

	if (digits % 2 || digits / 2 > AUDIT_MAX_PAYLOAD)
		return false;
	line->length = digits / 2;
	return read_hex(rest, line->entry, line->length);
}

static bool
read_fields(Rest *rest, AuditLine *line)
{
	AuditRoot  *root = &line->root;

	switch (line->kind)
	{
		case AUDIT_LINE_ROOT:
			return read_hex(rest, root->log, AUDIT_LOG_ID) && read_number(rest, &root->number) &&
				read_number(rest, &root->size) && read_time(rest, &root->at) &&
				read_hex(rest, root->root, MERKLE_HASH) && read_hex(rest, root->previous, MERKLE_HASH) &&
				read_hex(rest, root->key, AUDIT_PUBLIC_KEY) && read_hex(rest, root->signature, AUDIT_SIGNATURE);
		case AUDIT_LINE_ENTRY:
			return read_number(rest, &line->seq) && read_entry(rest, line);
		case AUDIT_LINE_INCLUSION:
		case AUDIT_LINE_CONSISTENCY:
			return read_number(rest, &line->seq) && read_number(rest, &line->size) && read_path(rest, &line->path);
		case AUDIT_LINE_START:
			return read_number(rest, &line->seq) && read_hex(rest, line->chain, AUDIT_HASH_SIZE) &&
				read_path(rest, &line->path) && line->path.n == merkle_stack_hashes(line->seq);
	}
	return false;
}

CoreStatus
audit_line_read(const char *text, size_t length, AuditLine *line)
{
	Rest		rest = {text, text + length};

	for (int kind = 0; kind <= AUDIT_LINE_START; kind++)
	{
		size_t		n = strlen(words[kind]);

		if (length > n && memcmp(text, words[kind], n) == 0 && text[n] == ' ')
		{
			line->kind = (AuditLineKind) kind;
			rest.at += n;
			return read_fields(&rest, line) && rest.at == rest.end ? CORE_OK : CORE_INVALID;
		}
	}
	return CORE_INVALID;
}
