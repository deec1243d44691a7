/*
 * test_merkle.c
 *		core/merkle: the published test leaves of RFC 6962's reference
 *		implementation, every proof of every tree up to 67 leaves against
 *		another implementation, and proofs that were tampered with.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "merkle.h"

#define MOST 67

static void
hex(const uint8_t *bytes, size_t size, char *out)
{
	sodium_bin2hex(out, 2 * size + 1, bytes, size);
}

static void
assert_hash(const uint8_t hash[MERKLE_HASH], const char *expected)
{
	char		text[2 * MERKLE_HASH + 1];

	hex(hash, MERKLE_HASH, text);
	assert_string_equal(text, expected);
}

/* the eight leaves of certificate-transparency's tests and their roots, computed anew with Python's hashlib */
static void
test_published(void **state)
{
	static const char *leaves[8] = {"", "00", "10", "2021", "3031", "40414243", "5051525354555657",
	"606162636465666768696a6b6c6d6e6f"};
	static const char *roots[9] = {
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
	};
	MerkleStack stack = {0};
	uint8_t		root[MERKLE_HASH];

	for (int i = 0; i <= 8; i++)
	{
		uint8_t		data[16];
		uint8_t		leaf[MERKLE_HASH];
		size_t		n;

		merkle_root(&stack, root);
		assert_hash(root, roots[i]);
		if (i == 8)
			break;
		assert_int_equal(sodium_hex2bin(data, sizeof(data), leaves[i], strlen(leaves[i]), NULL, &n, NULL), 0);
		merkle_leaf(data, n, leaf);
		merkle_append(&stack, leaf, NULL, NULL);
	}
}

/* a tree of leaves 0, 1, 2 ... of one byte each; every whole node is kept */
typedef struct Tree
{
	MerkleStack stack;
	uint8_t		node[8][MOST][MERKLE_HASH];
	int			refuse_level;	/* -1: none */
} Tree;

static void
keep(void *arg, int level, uint64_t index, const uint8_t hash[MERKLE_HASH])
{
	memcpy(((Tree *) arg)->node[level][index], hash, MERKLE_HASH);
}

static bool
fetch(void *arg, int level, uint64_t index, uint8_t hash[MERKLE_HASH])
{
	Tree	   *tree = arg;

	assert_true(level >= 0 && level < 8 && ((index + 1) << level) <= tree->stack.size);
	memcpy(hash, tree->node[level][index], MERKLE_HASH);
	return level != tree->refuse_level;
}

static Tree *
grown(int size)
{
	Tree	   *tree = calloc(1, sizeof(Tree));

	tree->refuse_level = -1;
	for (int i = 0; i < size; i++)
	{
		uint8_t		data = (uint8_t) i;
		uint8_t		leaf[MERKLE_HASH];

		merkle_leaf(&data, 1, leaf);
		merkle_append(&tree->stack, leaf, keep, tree);
	}
	return tree;
}

/* all paths and proofs of all trees, hashed together; the figure comes from a direct transcription of the RFC in Python */
static void
test_all_proofs(void **state)
{
	crypto_hash_sha256_state all;
	uint8_t		sum[MERKLE_HASH];
	static uint8_t roots[MOST + 1][MERKLE_HASH];

	crypto_hash_sha256_init(&all);
	for (int n = 1; n <= MOST; n++)
	{
		Tree	   *tree = grown(n);
		MerklePath	path;
		uint8_t		again[MERKLE_HASH];

		merkle_root(&tree->stack, roots[n]);
		assert_int_equal(merkle_root_of((uint64_t) n, fetch, tree, again), CORE_OK);
		assert_memory_equal(again, roots[n], MERKLE_HASH);
		for (int m = 0; m < n; m++)
		{
			assert_int_equal(merkle_inclusion((uint64_t) m, (uint64_t) n, fetch, tree, &path), CORE_OK);
			crypto_hash_sha256_update(&all, (uint8_t *) path.hash, (size_t) path.n * MERKLE_HASH);
			assert_true(merkle_inclusion_holds(tree->node[0][m], (uint64_t) m, (uint64_t) n, &path, roots[n]));
		}
		for (int m = 1; m <= n; m++)
		{
			assert_int_equal(merkle_consistency((uint64_t) m, (uint64_t) n, fetch, tree, &path), CORE_OK);
			crypto_hash_sha256_update(&all, (uint8_t *) path.hash, (size_t) path.n * MERKLE_HASH);
			assert_true(merkle_consistency_holds((uint64_t) m, roots[m], (uint64_t) n, roots[n], &path));
		}
		free(tree);
	}
	crypto_hash_sha256_final(&all, sum);
	assert_hash(sum, "1b8bbceee735b6f3a9b7b76b74a0bb3c428514c0b581fed925157eb9922c767b");
}

/* no other leaf, place, size or root, and no changed, longer or shorter path */
static void
test_tampered(void **state)
{
	static const int sizes[] = {1, 2, 3, 5, 7, 8, 13, 31, 64};
	uint8_t		roots[MOST + 1][MERKLE_HASH];

	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
	{
		uint64_t	n = (uint64_t) sizes[s];
		Tree	   *tree = grown((int) n);

		for (uint64_t m = 1; m <= n; m++)
			assert_int_equal(merkle_root_of(m, fetch, tree, roots[m]), CORE_OK);
		for (uint64_t m = 0; m < n; m++)
		{
			MerklePath	path;

			assert_int_equal(merkle_inclusion(m, n, fetch, tree, &path), CORE_OK);
			for (uint64_t other = 0; other <= n + 1; other++)
				assert_int_equal(merkle_inclusion_holds(tree->node[0][m], other, n, &path, roots[n]), other == m);
			for (int bit = 0; bit < path.n * MERKLE_HASH * 8; bit += 7)
			{
				((uint8_t *) path.hash)[bit / 8] ^= (uint8_t) (1 << bit % 8);
				assert_false(merkle_inclusion_holds(tree->node[0][m], m, n, &path, roots[n]));
				((uint8_t *) path.hash)[bit / 8] ^= (uint8_t) (1 << bit % 8);
			}
			path.n++;
			assert_false(merkle_inclusion_holds(tree->node[0][m], m, n, &path, roots[n]));
			path.n -= 2;
			if (path.n >= 0)
				assert_false(merkle_inclusion_holds(tree->node[0][m], m, n, &path, roots[n]));
		}
		for (uint64_t m = 1; m < n; m++)
		{
			MerklePath	path;

			assert_int_equal(merkle_consistency(m, n, fetch, tree, &path), CORE_OK);
			for (uint64_t other = 1; other <= n; other++)
				assert_int_equal(merkle_consistency_holds(other, roots[other], n, roots[n], &path), other == m);
			for (int bit = 0; bit < path.n * MERKLE_HASH * 8; bit += 7)
			{
				((uint8_t *) path.hash)[bit / 8] ^= (uint8_t) (1 << bit % 8);
				assert_false(merkle_consistency_holds(m, roots[m], n, roots[n], &path));
				((uint8_t *) path.hash)[bit / 8] ^= (uint8_t) (1 << bit % 8);
			}
			path.n++;
			assert_false(merkle_consistency_holds(m, roots[m], n, roots[n], &path));
			path.n -= 2;
			if (path.n >= 0)
				assert_false(merkle_consistency_holds(m, roots[m], n, roots[n], &path));
		}
		free(tree);
	}
}

static void
test_refused(void **state)
{
	Tree	   *tree = grown(7);
	MerklePath	path;
	uint8_t		root[MERKLE_HASH];

	assert_int_equal(merkle_inclusion(7, 7, fetch, tree, &path), CORE_INVALID);
	assert_int_equal(merkle_inclusion(0, 0, fetch, tree, &path), CORE_INVALID);
	assert_int_equal(merkle_inclusion(0, UINT64_MAX, fetch, tree, &path), CORE_INVALID);
	assert_int_equal(merkle_consistency(0, 7, fetch, tree, &path), CORE_INVALID);
	assert_int_equal(merkle_consistency(8, 7, fetch, tree, &path), CORE_INVALID);
	/* sizes and places of a proof are somebody else's word */
	path.n = 0;
	assert_false(merkle_inclusion_holds(tree->node[0][0], 0, 0, &path, tree->node[0][0]));
	assert_false(merkle_inclusion_holds(tree->node[0][0], UINT64_MAX, UINT64_MAX, &path, tree->node[0][0]));
	assert_false(merkle_consistency_holds(0, tree->node[0][0], 0, tree->node[0][0], &path));
	assert_false(merkle_consistency_holds(UINT64_MAX, tree->node[0][0], 1, tree->node[0][0], &path));
	path.n = MERKLE_MAX_PATH + 1;
	assert_false(merkle_inclusion_holds(tree->node[0][0], 0, 7, &path, tree->node[0][0]));
	/* a node that cannot be had ends the making */
	tree->refuse_level = 1;
	assert_int_equal(merkle_inclusion(0, 7, fetch, tree, &path), CORE_INVALID);
	assert_int_equal(merkle_consistency(3, 7, fetch, tree, &path), CORE_INVALID);
	assert_int_equal(merkle_root_of(7, fetch, tree, root), CORE_INVALID);
	free(tree);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published),
		cmocka_unit_test(test_all_proofs),
		cmocka_unit_test(test_tampered),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
