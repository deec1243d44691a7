/*
 * merkle.h
 *		The Merkle tree of RFC 6962 (Certificate Transparency), section 2.1:
 *		growing it, its root, and proofs that an entry is in it and that it
 *		only ever grew.
 *
 *		leaf = SHA-256(0x00 ‖ data)		node = SHA-256(0x01 ‖ left ‖ right)
 *
 * A tree is named by its number of leaves.  Node (level, index) covers the
 * 2^level leaves from index * 2^level on; only whole nodes are ever kept, the
 * ragged right edge is folded anew.  Nothing here allocates; a path has at
 * most MERKLE_MAX_PATH hashes.
 */
#ifndef EHR_CORE_MERKLE_H
#define EHR_CORE_MERKLE_H

#include "core.h"

#define MERKLE_HASH 32
#define MERKLE_LEVELS 63		/* leaves are numbered in 63 bits: they come from a bigint */
#define MERKLE_MAX_PATH (2 * MERKLE_LEVELS)

/*
 * A growing tree as its whole subtrees, from the widest at the left to the
 * narrowest: one for each bit that is set in size.
 */
typedef struct MerkleStack
{
	uint64_t	size;
	uint8_t		hash[MERKLE_LEVELS][MERKLE_HASH];
} MerkleStack;

typedef struct MerklePath
{
	int			n;
	uint8_t		hash[MERKLE_MAX_PATH][MERKLE_HASH];
} MerklePath;

extern void merkle_leaf(const void *data, size_t length, uint8_t hash[MERKLE_HASH]);
extern void merkle_node(const uint8_t left[MERKLE_HASH], const uint8_t right[MERKLE_HASH], uint8_t hash[MERKLE_HASH]);

/* number of hashes that a stack of this size holds */
extern int	merkle_stack_hashes(uint64_t size);

/*
 * merkle_append adds a leaf.  whole, when given, is told of every node that
 * becomes whole by it, the leaf itself (level 0) first.
 */
typedef void (*MerkleWhole) (void *arg, int level, uint64_t index, const uint8_t hash[MERKLE_HASH]);
extern void merkle_append(MerkleStack *stack, const uint8_t leaf[MERKLE_HASH], MerkleWhole whole, void *arg);

/* the root; of the empty tree SHA-256 of nothing */
extern void merkle_root(const MerkleStack *stack, uint8_t root[MERKLE_HASH]);

/*
 * Making proofs.  node gives a whole node's hash, or false when it is not to
 * be had, which ends the making with CORE_INVALID.
 *
 * merkle_inclusion: the audit path of leaf `index` in the tree of `size`
 * (PATH, 2.1.1); index < size.  merkle_consistency: from the tree of `old` to
 * that of `size` (PROOF, 2.1.2); 0 < old <= size.
 */
typedef bool (*MerkleFetch) (void *arg, int level, uint64_t index, uint8_t hash[MERKLE_HASH]);
extern CoreStatus merkle_inclusion(uint64_t index, uint64_t size, MerkleFetch node, void *arg, MerklePath *path);
extern CoreStatus merkle_consistency(uint64_t old, uint64_t size, MerkleFetch node, void *arg, MerklePath *path);

/* root of the tree of any size <= what node can give: folds the whole nodes */
extern CoreStatus merkle_root_of(uint64_t size, MerkleFetch node, void *arg, uint8_t root[MERKLE_HASH]);

/*
 * Checking proofs: true when path leads from the leaf to the root, or when the
 * tree of new_size and new_root is the one of old_size and old_root, grown.
 * They trust none of their arguments.
 */
extern bool merkle_inclusion_holds(const uint8_t leaf[MERKLE_HASH], uint64_t index, uint64_t size,
								   const MerklePath *path, const uint8_t root[MERKLE_HASH]);
extern bool merkle_consistency_holds(uint64_t old_size, const uint8_t old_root[MERKLE_HASH],
									 uint64_t new_size, const uint8_t new_root[MERKLE_HASH],
									 const MerklePath *path);

#endif							/* EHR_CORE_MERKLE_H */
