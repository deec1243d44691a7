/*
 * tree.h
 *		Inside the audit room: the Merkle tree over the log.
 *
 * Leaf i is entry i + 1 of chain 0.  Whole nodes of levels 8, 16, 24 ... stand
 * in ehr_store.audit_tree; those between are made of them, and those below of
 * up to 256 entries.  So a proof costs two or three small reads, and the
 * entries of a removed month are not missed.
 */
#ifndef EHR_AUDIT_TREE_H
#define EHR_AUDIT_TREE_H

#include "core/audit_root.h"

#define AUDIT_TREE_STEP 8

/* canonical form of row e of ehr_store.audit_event */
#define AUDIT_ROW_ENTRY "ehr_internal.audit_entry(e.at, e.kind, e.intent, e.query_id, e.sub, e.org, e.purpose, e.sid, e.role," \
	" e.relations, e.detail, e.name, e.subjects)"

/* MerkleFetch over the tables; needs SPI, and the owner's sight */
extern bool audit_tree_fetch(void *arg, int level, uint64_t index, uint8_t hash[MERKLE_HASH]);

/* a stack's hashes as they are stored: one behind the other; false when these are not those of this size */
extern bytea *audit_stack_store(const MerkleStack *stack);
extern bool audit_stack_load(bytea *stored, uint64 size, MerkleStack *stack);

/*
 * audit_seal_log signs a root over what is imported, unless the last one
 * covers it, in the caller's transaction; returns its number, 0 for an empty
 * log.  Raises the vault's errors without a key.  When that transaction has
 * committed (which is then on disk, whatever synchronous_commit says: what is
 * written outside must not be undone here), the worker is told to export it.
 */
extern int64 audit_seal_log(void);

#endif							/* EHR_AUDIT_TREE_H */
