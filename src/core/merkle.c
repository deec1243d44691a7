/*
 * merkle.c
 *		The Merkle tree of RFC 6962: see merkle.h.
 */
#include "merkle.h"

#include <string.h>

#include <sodium.h>

/* greatest power of two below n (n > 1), as its exponent */
static int
split_level(uint64_t n)
{
	int			level = 0;

	for (n--; n > 1; n >>= 1)
		level++;
	return level;
}

void
merkle_leaf(const void *data, size_t length, uint8_t hash[MERKLE_HASH])
{
	crypto_hash_sha256_state state;
	static const uint8_t prefix = 0x00;

	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(&state, &prefix, 1);
	crypto_hash_sha256_update(&state, data, length);
	crypto_hash_sha256_final(&state, hash);
}

void
merkle_node(const uint8_t left[MERKLE_HASH], const uint8_t right[MERKLE_HASH], uint8_t hash[MERKLE_HASH])
{
	uint8_t		input[1 + 2 * MERKLE_HASH];

	input[0] = 0x01;
	memcpy(input + 1, left, MERKLE_HASH);
	memcpy(input + 1 + MERKLE_HASH, right, MERKLE_HASH);
	crypto_hash_sha256(hash, input, sizeof(input));
}

int
merkle_stack_hashes(uint64_t size)
{
	int			n = 0;

	for (; size != 0; size &= size - 1)
		n++;
	return n;
}

void
merkle_append(MerkleStack *stack, const uint8_t leaf[MERKLE_HASH], MerkleWhole whole, void *arg)
{
	int			n = merkle_stack_hashes(stack->size);
	uint64_t	index = stack->size;
	int			level = 0;
	uint8_t		hash[MERKLE_HASH];

	memcpy(hash, leaf, MERKLE_HASH);
	if (whole != NULL)
		whole(arg, 0, index, hash);
	/* each bit that carries joins two subtrees of one size */
	for (uint64_t bits = stack->size; bits & 1; bits >>= 1)
	{
		merkle_node(stack->hash[--n], hash, hash);
		level++;
		index >>= 1;
		if (whole != NULL)
			whole(arg, level, index, hash);
	}
	memcpy(stack->hash[n], hash, MERKLE_HASH);
	stack->size++;
}

void
merkle_root(const MerkleStack *stack, uint8_t root[MERKLE_HASH])
{
	int			n = merkle_stack_hashes(stack->size);

	if (n == 0)
	{
		crypto_hash_sha256(root, (const unsigned char *) "", 0);
		return;
	}
	memcpy(root, stack->hash[--n], MERKLE_HASH);
	while (n > 0)
		merkle_node(stack->hash[--n], root, root);
}

/* MTH of the n leaves from start on; start is a multiple of the power of two that n fits into */
static CoreStatus
range_root(uint64_t start, uint64_t n, MerkleFetch node, void *arg, uint8_t root[MERKLE_HASH])
{
	uint8_t		part[MERKLE_LEVELS][MERKLE_HASH];
	int			parts = 0;

	if (n == 0)
		return CORE_INVALID;
	/* the whole subtrees from the left */
	do
	{
		int			level = MERKLE_LEVELS - 1;

		while (((uint64_t) 1 << level) > n)
			level--;
		if (!node(arg, level, start >> level, part[parts++]))
			return CORE_INVALID;
		start += (uint64_t) 1 << level;
		n -= (uint64_t) 1 << level;
	} while (n > 0);
	memcpy(root, part[--parts], MERKLE_HASH);
	while (parts > 0)
		merkle_node(part[--parts], root, root);
	return CORE_OK;
}

CoreStatus
merkle_root_of(uint64_t size, MerkleFetch node, void *arg, uint8_t root[MERKLE_HASH])
{
	if (size >> MERKLE_LEVELS)
		return CORE_INVALID;
	if (size == 0)
	{
		crypto_hash_sha256(root, (const unsigned char *) "", 0);
		return CORE_OK;
	}
	return range_root(0, size, node, arg, root);
}

/* the path as it is found from the root down; proofs are written from the leaf up */
static void
turn_round(MerklePath *path)
{
	for (int i = 0, j = path->n - 1; i < j; i++, j--)
	{
		uint8_t		swap[MERKLE_HASH];

		memcpy(swap, path->hash[i], MERKLE_HASH);
		memcpy(path->hash[i], path->hash[j], MERKLE_HASH);
		memcpy(path->hash[j], swap, MERKLE_HASH);
	}
}

CoreStatus
merkle_inclusion(uint64_t index, uint64_t size, MerkleFetch node, void *arg, MerklePath *path)
{
	uint64_t	start = 0;

	path->n = 0;
	if (index >= size || size >> MERKLE_LEVELS)
		return CORE_INVALID;
	while (size > 1)
	{
		uint64_t	half = (uint64_t) 1 << split_level(size);
		CoreStatus	status;

		if (index < half)
		{
			status = range_root(start + half, size - half, node, arg, path->hash[path->n++]);
			size = half;
		}
		else
		{
			status = range_root(start, half, node, arg, path->hash[path->n++]);
			start += half;
			index -= half;
			size -= half;
		}
		if (status != CORE_OK)
			return status;
	}
	turn_round(path);
	return CORE_OK;
}

CoreStatus
merkle_consistency(uint64_t old, uint64_t size, MerkleFetch node, void *arg, MerklePath *path)
{
	uint64_t	start = 0;
	bool		known = true;	/* the old tree is a subtree whose root the reader has */

	path->n = 0;
	if (old == 0 || old > size || size >> MERKLE_LEVELS)
		return CORE_INVALID;
	while (old != size)
	{
		uint64_t	half = (uint64_t) 1 << split_level(size);
		CoreStatus	status;

		if (old <= half)
		{
			status = range_root(start + half, size - half, node, arg, path->hash[path->n++]);
			size = half;
		}
		else
		{
			status = range_root(start, half, node, arg, path->hash[path->n++]);
			start += half;
			old -= half;
			size -= half;
			known = false;
		}
		if (status != CORE_OK)
			return status;
	}
	if (!known && range_root(start, size, node, arg, path->hash[path->n++]) != CORE_OK)
		return CORE_INVALID;
	turn_round(path);
	return CORE_OK;
}

/* RFC 9162, 2.1.3.2 (the algorithm; the trees are those of RFC 6962) */
bool
merkle_inclusion_holds(const uint8_t leaf[MERKLE_HASH], uint64_t index, uint64_t size,
					   const MerklePath *path, const uint8_t root[MERKLE_HASH])
{
	uint8_t		hash[MERKLE_HASH];
	uint64_t	fn = index;
	uint64_t	sn = size - 1;

	if (index >= size || path->n < 0 || path->n > MERKLE_MAX_PATH)
		return false;
	memcpy(hash, leaf, MERKLE_HASH);
	for (int i = 0; i < path->n; i++)
	{
		if (sn == 0)
			return false;
		if ((fn & 1) || fn == sn)
		{
			merkle_node(path->hash[i], hash, hash);
			while (!(fn & 1) && fn != 0)
			{
				fn >>= 1;
				sn >>= 1;
			}
		}
		else
			merkle_node(hash, path->hash[i], hash);
		fn >>= 1;
		sn >>= 1;
	}
	return sn == 0 && sodium_memcmp(hash, root, MERKLE_HASH) == 0;
}

/* RFC 9162, 2.1.4.2 */
bool
merkle_consistency_holds(uint64_t old_size, const uint8_t old_root[MERKLE_HASH],
						 uint64_t new_size, const uint8_t new_root[MERKLE_HASH], const MerklePath *path)
{
	uint8_t		fr[MERKLE_HASH];
	uint8_t		sr[MERKLE_HASH];
	uint64_t	fn = old_size - 1;
	uint64_t	sn = new_size - 1;
	int			i = 0;

	if (old_size == 0 || old_size > new_size || path->n < 0 || path->n > MERKLE_MAX_PATH)
		return false;
	if (old_size == new_size)
		return path->n == 0 && sodium_memcmp(old_root, new_root, MERKLE_HASH) == 0;
	if (path->n == 0)
		return false;
	/* an old tree that is a whole subtree has its root as the first node */
	if ((old_size & (old_size - 1)) == 0)
		memcpy(fr, old_root, MERKLE_HASH);
	else
		memcpy(fr, path->hash[i++], MERKLE_HASH);
	memcpy(sr, fr, MERKLE_HASH);
	while (fn & 1)
	{
		fn >>= 1;
		sn >>= 1;
	}
	for (; i < path->n; i++)
	{
		if (sn == 0)
			return false;
		if ((fn & 1) || fn == sn)
		{
			merkle_node(path->hash[i], fr, fr);
			merkle_node(path->hash[i], sr, sr);
			while (!(fn & 1) && fn != 0)
			{
				fn >>= 1;
				sn >>= 1;
			}
		}
		else
			merkle_node(sr, path->hash[i], sr);
		fn >>= 1;
		sn >>= 1;
	}
	return sn == 0 && sodium_memcmp(fr, old_root, MERKLE_HASH) == 0 && sodium_memcmp(sr, new_root, MERKLE_HASH) == 0;
}
