/*-------------------------------------------------------------------------
 *
 * vn_random.h
 *		Random numbers for the test data: integers only, the same on every machine.
 *
 * Nothing is drawn from one long stream.  Each thing (a household, a person, a
 * row) starts a stream of its own from (seed, kind, number), so it can be made
 * again at any time and in any order.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VN_RANDOM_H
#define VN_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

typedef struct Rng
{
	uint64_t	state;
} Rng;

/* Vigna's splitmix64 finalizer (public domain): a bijection of 64 bits. */
static inline uint64_t
mix64(uint64_t z)
{
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static inline uint64_t
hash3(uint64_t seed, uint64_t kind, uint64_t number)
{
	return mix64(mix64(mix64(seed + UINT64_C(0x9e3779b97f4a7c15)) + kind) ^ (number * UINT64_C(0x9e3779b97f4a7c15)));
}

static inline Rng
rng_start(uint64_t seed, uint64_t kind, uint64_t number)
{
	Rng			r = {hash3(seed, kind, number)};

	return r;
}

static inline uint64_t
rng_next(Rng *r)
{
	r->state += UINT64_C(0x9e3779b97f4a7c15);
	return mix64(r->state);
}

/* Uniform in 0 .. n-1; the bias is below n / 2^32. */
static inline uint32_t
rng_below(Rng *r, uint32_t n)
{
	return (uint32_t) (((rng_next(r) >> 32) * n) >> 32);
}

/* Uniform in from .. to, both included. */
static inline int
rng_range(Rng *r, int from, int to)
{
	return from + (int) rng_below(r, (uint32_t) (to - from + 1));
}

/* True in ppm of a million cases. */
static inline bool
rng_chance(Rng *r, uint32_t ppm)
{
	return rng_below(r, 1000000) < ppm;
}

/*
 * A keyed bijection of 0 .. n-1 (n up to 2^40): four Feistel rounds on the next
 * even number of bits, walked until the value falls below n.  Gives distinct
 * numbers without a table of those given out.
 */
static inline uint64_t
permute(uint64_t key, uint64_t n, uint64_t i)
{
	int			half = 1;
	uint64_t	mask;

	while ((UINT64_C(1) << (2 * half)) < n)
		half++;
	mask = (UINT64_C(1) << half) - 1;
	do
	{
		uint64_t	left = i >> half;
		uint64_t	right = i & mask;

		for (int round = 0; round < 4; round++)
		{
			uint64_t	next = left ^ (hash3(key, (uint64_t) round, right) & mask);

			left = right;
			right = next;
		}
		i = left << half | right;
	} while (i >= n);
	return i;
}

#endif							/* VN_RANDOM_H */
