/*
 * audit_root.h
 *		Signed roots of the audit log, and the log as lines of text: what is
 *		exported and what ehr_verify reads.
 *
 * What is signed (Ed25519), 153 bytes, numbers big-endian:
 *
 *	 0                 17     33       41     49    57     89         121
 *	+-----------------+------+--------+------+----+------+----------+-----+
 *	|ehr audit root v1| log  | number | size | at | root | previous | key |
 *	+-----------------+------+--------+------+----+------+----------+-----+
 *
 * log: 16 random bytes that name the log; at: PostgreSQL's timestamptz; root:
 * RFC 6962 tree over the first `size` entries, leaf as in audit_spool.h;
 * previous: SHA-256 of what was signed last and its signature, zeros for the
 * first; key: the public key.
 *
 * A line is a word, blanks, and hexadecimal or decimal fields:
 *
 *	root LOG NUMBER SIZE AT ROOT PREVIOUS KEY SIGNATURE
 *	entry SEQ BYTES							the entry in its canonical form
 *	inclusion SEQ SIZE HASH...				audit path of entry SEQ in the tree of SIZE
 *	consistency OLD SIZE HASH...			from the tree of OLD to that of SIZE
 *	start SEQ CHAINHASH HASH...				a log begins behind entry SEQ: the chain's hash
 *											and the tree's whole subtrees there; SEQ 0 for
 *											a log from its first entry
 *
 * Entries are numbered from 1; leaf SEQ - 1 of the tree.
 */
#ifndef EHR_CORE_AUDIT_ROOT_H
#define EHR_CORE_AUDIT_ROOT_H

#include "audit_spool.h"
#include "merkle.h"

#define AUDIT_LOG_ID 16
#define AUDIT_PUBLIC_KEY 32
#define AUDIT_SEED 32
#define AUDIT_SIGNATURE 64
#define AUDIT_ROOT_MESSAGE 153
#define AUDIT_LINE_MAX (2 * AUDIT_MAX_PAYLOAD + 64)		/* characters of the longest line */

typedef struct AuditRoot
{
	uint8_t		log[AUDIT_LOG_ID];
	uint64_t	number;			/* from 1 */
	uint64_t	size;
	int64_t		at;
	uint8_t		root[MERKLE_HASH];
	uint8_t		previous[MERKLE_HASH];
	uint8_t		key[AUDIT_PUBLIC_KEY];
	uint8_t		signature[AUDIT_SIGNATURE];
} AuditRoot;

extern void audit_root_message(const AuditRoot *root, uint8_t message[AUDIT_ROOT_MESSAGE]);

/* fills in key and signature */
extern void audit_root_sign(AuditRoot *root, const uint8_t seed[AUDIT_SEED]);
extern bool audit_root_holds(const AuditRoot *root);

/* what the next root names as previous */
extern void audit_root_hash(const AuditRoot *root, uint8_t hash[MERKLE_HASH]);

typedef enum AuditLineKind
{
	AUDIT_LINE_ROOT, AUDIT_LINE_ENTRY, AUDIT_LINE_INCLUSION, AUDIT_LINE_CONSISTENCY, AUDIT_LINE_START
} AuditLineKind;

typedef struct AuditLine
{
	AuditLineKind kind;
	AuditRoot	root;			/* of a root */
	uint64_t	seq;			/* of entry, inclusion, start; old size of consistency */
	uint64_t	size;			/* of inclusion, consistency */
	uint8_t		chain[AUDIT_HASH_SIZE];	/* of start */
	MerklePath	path;			/* of proofs; of start, the stack from the left */
	size_t		length;			/* of an entry's bytes */
	uint8_t		entry[AUDIT_MAX_PAYLOAD];
} AuditLine;

/*
 * audit_line_write gives the length without the NUL that it adds; out has
 * AUDIT_LINE_MAX + 1 bytes.  audit_line_read: CORE_INVALID unless every
 * character of the line (without its end) is accounted for.
 */
extern size_t audit_line_write(const AuditLine *line, char *out);
extern CoreStatus audit_line_read(const char *text, size_t length, AuditLine *line);

#endif							/* EHR_CORE_AUDIT_ROOT_H */
