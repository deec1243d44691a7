/*
 * test_audit_spool.c
 *		The spool's format: round trips, truncation at every byte, flipped bits,
 *		moved frames, gaps, hostile payloads, and the chain against known hashes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "audit_spool.h"

#define SEGMENT 0x0005A1B2C3D4E5F6u

typedef struct Spool
{
	uint8_t		bytes[16384];
	size_t		size;
	size_t		start[64];		/* of each frame, and the end of the last */
	int			count;
} Spool;

static AuditText
text(const char *s)
{
	AuditText	t = {s, s ? (uint32_t) strlen(s) : 0};

	return t;
}

static AuditEntry
sample(int i)
{
	AuditEntry	e = {0};

	e.at = 1000000 + i;
	e.intent = 42 + (uint64_t) i;
	e.query_id = UINT64_MAX - (uint64_t) i;
	e.text[AUDIT_KIND] = text("read");
	e.text[AUDIT_SUB] = text(i % 2 ? "pract-1" : NULL);
	e.text[AUDIT_ORG] = text("");
	e.text[AUDIT_RELATIONS] = text("ehr_store.resource");
	e.n_subjects = (uint32_t) (i % 5);
	for (uint32_t s = 0; s < e.n_subjects; s++)
		e.subjects[s] = s == 0 ? INT64_MIN : (int64_t) s * i;
	return e;
}

static void
append(Spool *spool, const AuditEntry *entry)
{
	size_t		length = audit_entry_size(entry);
	uint8_t    *frame = spool->bytes + spool->size;

	assert_true(length > 0);
	assert_true(spool->size + AUDIT_FRAME_HEADER + length <= sizeof(spool->bytes));
	audit_entry_encode(entry, frame + AUDIT_FRAME_HEADER);
	audit_frame_seal(frame, (uint32_t) length, SEGMENT, spool->size);
	spool->start[spool->count++] = spool->size;
	spool->size += AUDIT_FRAME_HEADER + length;
	spool->start[spool->count] = spool->size;
}

static void
fill(Spool *spool, int n)
{
	AuditSegment s = {SEGMENT, 99, 7, 12345};

	memset(spool, 0, sizeof(*spool));
	audit_segment_header(&s, spool->bytes);
	spool->size = AUDIT_SEGMENT_HEADER;
	for (int i = 0; i < n; i++)
	{
		AuditEntry	e = sample(i);

		append(spool, &e);
	}
}

/* reads on from the header with the importer's rules; returns the frames seen and how the reading ended */
static int
frames(const uint8_t *bytes, size_t size, AuditFrameState *ended)
{
	size_t		at = AUDIT_SEGMENT_HEADER;
	int			n = 0;

	for (;;)
	{
		const uint8_t *payload;
		uint32_t	length;

		*ended = audit_frame_read(bytes + at, size - at, SEGMENT, at, &payload, &length);
		if (*ended != AUDIT_FRAME_OK)
			return n;
		at += AUDIT_FRAME_HEADER + length;
		n++;
	}
}

/* an exact copy on the heap, so that the address sanitizer sees one byte too far */
static uint8_t *
exact(const uint8_t *bytes, size_t size)
{
	uint8_t    *copy = malloc(size ? size : 1);

	if (size)
		memcpy(copy, bytes, size);
	return copy;
}

static void
test_round_trip(void **state)
{
	for (int i = 0; i < 20; i++)
	{
		AuditEntry	e = sample(i);
		AuditEntry	back;
		size_t		size = audit_entry_size(&e);
		uint8_t    *bytes = malloc(size);

		audit_entry_encode(&e, bytes);
		assert_int_equal(audit_entry_decode(bytes, size, &back), CORE_OK);
		assert_int_equal(back.at, e.at);
		assert_true(back.intent == e.intent && back.query_id == e.query_id);
		for (int t = 0; t < AUDIT_STRINGS; t++)
		{
			assert_int_equal(back.text[t].data == NULL, e.text[t].data == NULL);
			assert_int_equal(back.text[t].length, e.text[t].length);
			if (e.text[t].length)
				assert_memory_equal(back.text[t].data, e.text[t].data, e.text[t].length);
		}
		assert_int_equal(back.n_subjects, e.n_subjects);
		assert_memory_equal(back.subjects, e.subjects, e.n_subjects * sizeof(int64_t));
		free(bytes);
	}
}

static void
test_limits(void **state)
{
	static char long_text[AUDIT_MAX_STRING + 1];
	AuditEntry	e = sample(0);

	e.text[AUDIT_DETAIL].data = long_text;
	e.text[AUDIT_DETAIL].length = AUDIT_MAX_STRING;
	for (int i = 0; i < AUDIT_STRINGS; i++)
		e.text[i] = e.text[AUDIT_DETAIL];
	e.n_subjects = AUDIT_MAX_SUBJECTS;
	assert_true(audit_entry_size(&e) > 0 && audit_entry_size(&e) <= AUDIT_MAX_PAYLOAD);
	e.text[AUDIT_SUB].length = AUDIT_MAX_STRING + 1;
	assert_int_equal(audit_entry_size(&e), 0);
	e = sample(0);
	e.n_subjects = AUDIT_MAX_SUBJECTS + 1;
	assert_int_equal(audit_entry_size(&e), 0);
}

/* a payload that is cut anywhere, or longer than it says, is refused */
static void
test_payload_cut(void **state)
{
	AuditEntry	e = sample(4);
	AuditEntry	back;
	size_t		size = audit_entry_size(&e);
	uint8_t    *bytes = calloc(1, size + 1);

	audit_entry_encode(&e, bytes);
	for (size_t cut = 0; cut < size; cut++)
	{
		uint8_t    *copy = exact(bytes, cut);

		assert_int_equal(audit_entry_decode(copy, cut, &back), CORE_INVALID);
		free(copy);
	}
	assert_int_equal(audit_entry_decode(bytes, size + 1, &back), CORE_INVALID);
	free(bytes);
}

/* random bytes and random changes never read outside the payload (the sanitizer watches) */
static void
test_payload_hostile(void **state)
{
	AuditEntry	e = sample(4);
	AuditEntry	back;
	size_t		size = audit_entry_size(&e);

	srand(1);
	for (int round = 0; round < 20000; round++)
	{
		uint8_t    *bytes = malloc(size);

		audit_entry_encode(&e, bytes);
		for (int i = 0; i < 1 + round % 8; i++)
			bytes[(size_t) rand() % size] = (uint8_t) rand();
		(void) audit_entry_decode(bytes, size, &back);
		free(bytes);
	}
}

/* a file cut at any byte gives exactly the frames that are whole, and says whether bytes hang over */
static void
test_truncation(void **state)
{
	Spool		spool;

	fill(&spool, 12);
	for (size_t cut = AUDIT_SEGMENT_HEADER; cut <= spool.size; cut++)
	{
		uint8_t    *copy = exact(spool.bytes, cut);
		AuditFrameState ended;
		int			whole = 0;

		while (whole < spool.count && spool.start[whole + 1] <= cut)
			whole++;
		assert_int_equal(frames(copy, cut, &ended), whole);
		assert_int_equal(ended, spool.start[whole] == cut ? AUDIT_FRAME_END : AUDIT_FRAME_BAD);
		if (ended == AUDIT_FRAME_BAD)
			assert_int_equal(audit_frame_next(copy + spool.start[whole], cut - spool.start[whole], SEGMENT,
											  spool.start[whole]), cut - spool.start[whole]);
		free(copy);
	}
}

static void
test_header(void **state)
{
	Spool		spool;
	AuditSegment s;

	fill(&spool, 0);
	assert_int_equal(audit_segment_read(spool.bytes, AUDIT_SEGMENT_HEADER, &s), CORE_OK);
	assert_true(s.number == SEGMENT && s.previous == 99 && s.system == 7 && s.database == 12345);
	for (size_t cut = 0; cut < AUDIT_SEGMENT_HEADER; cut++)
		assert_int_equal(audit_segment_read(spool.bytes, cut, &s), CORE_INVALID);
	for (int bit = 0; bit < AUDIT_SEGMENT_HEADER * 8; bit++)
	{
		spool.bytes[bit / 8] ^= (uint8_t) (1 << bit % 8);
		/* the reserved bytes are covered by the CRC like all others */
		assert_int_equal(audit_segment_read(spool.bytes, AUDIT_SEGMENT_HEADER, &s), CORE_INVALID);
		spool.bytes[bit / 8] ^= (uint8_t) (1 << bit % 8);
	}
}

/* any flipped bit spoils exactly its own frame, and the reader finds the next one */
static void
test_flipped_bits(void **state)
{
	Spool		spool;

	fill(&spool, 3);
	for (size_t bit = spool.start[1] * 8; bit < spool.start[2] * 8; bit++)
	{
		AuditFrameState ended;

		spool.bytes[bit / 8] ^= (uint8_t) (1 << bit % 8);
		assert_int_equal(frames(spool.bytes, spool.size, &ended), 1);
		assert_int_equal(ended, AUDIT_FRAME_BAD);
		assert_int_equal(audit_frame_next(spool.bytes + spool.start[1], spool.size - spool.start[1], SEGMENT,
										  spool.start[1]), spool.start[2] - spool.start[1]);
		spool.bytes[bit / 8] ^= (uint8_t) (1 << bit % 8);
	}
}

static void
test_misplaced(void **state)
{
	Spool		spool;
	const uint8_t *payload;
	uint32_t	length;
	size_t		size;

	fill(&spool, 3);
	size = spool.start[1] - spool.start[0];
	/* the first frame again, behind the last */
	memcpy(spool.bytes + spool.size, spool.bytes + spool.start[0], size);
	assert_int_equal(audit_frame_read(spool.bytes + spool.size, size, SEGMENT, spool.size, &payload, &length),
					 AUDIT_FRAME_BAD);
	/* in its place, but of another segment */
	assert_int_equal(audit_frame_read(spool.bytes + spool.start[0], size, SEGMENT + 1, spool.start[0], &payload,
									  &length), AUDIT_FRAME_BAD);
}

/* space made in advance is the end; zeros between frames are damage */
static void
test_zeros(void **state)
{
	Spool		spool;
	AuditFrameState ended;

	fill(&spool, 3);
	assert_int_equal(frames(spool.bytes, sizeof(spool.bytes), &ended), 3);
	assert_int_equal(ended, AUDIT_FRAME_END);
	memset(spool.bytes + spool.start[1], 0, spool.start[2] - spool.start[1]);
	assert_int_equal(frames(spool.bytes, sizeof(spool.bytes), &ended), 1);
	assert_int_equal(ended, AUDIT_FRAME_BAD);
}

/* the hashes were computed with Python's hashlib */
static void
test_chain(void **state)
{
	static const uint8_t entry[5] = {1, 2, 3, 4, 5};
	static const uint8_t want_leaf[8] = {0xEF, 0x21, 0x1F, 0x8A, 0xEB, 0x5F, 0x9B, 0x00};
	static const uint8_t want_hash[8] = {0x22, 0xA7, 0x86, 0xBF, 0xFE, 0x9C, 0x2A, 0x42};
	uint8_t		zero[AUDIT_HASH_SIZE] = {0};
	uint8_t		leaf[AUDIT_HASH_SIZE];
	uint8_t		hash[AUDIT_HASH_SIZE];

	audit_leaf_hash(258, 7, entry, sizeof(entry), leaf);
	assert_memory_equal(leaf, want_leaf, sizeof(want_leaf));
	audit_chain_hash(zero, leaf, hash);
	assert_memory_equal(hash, want_hash, sizeof(want_hash));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_payload_cut),
		cmocka_unit_test(test_payload_hostile),
		cmocka_unit_test(test_truncation),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_flipped_bits),
		cmocka_unit_test(test_misplaced),
		cmocka_unit_test(test_zeros),
		cmocka_unit_test(test_chain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
