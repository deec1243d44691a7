/*
 * audit_spool.c
 *		The audit spool's file format: see audit_spool.h for the drawings.
 *
 * Nothing here allocates, reads files or fails half-way: the callers own the
 * bytes.  Readers trust nothing that they read.
 */
#include <string.h>

#include <sodium.h>

#include "audit_spool.h"
#include "crc32c.h"

#define NULL_LENGTH UINT32_MAX
#define FIXED_SIZE (3 * 8 + AUDIT_STRINGS * 4 + 4)

static const uint8_t segment_magic[8] = {'E', 'H', 'R', 'S', 'P', 'O', 'O', 'L'};
static const uint8_t frame_magic[4] = {'E', 'H', 'R', 'a'};

static uint8_t *
put32(uint8_t *p, uint32_t value)
{
	for (int i = 3; i >= 0; i--, value >>= 8)
		p[i] = (uint8_t) value;
	return p + 4;
}

static uint8_t *
put64(uint8_t *p, uint64_t value)
{
	put32(p, (uint32_t) (value >> 32));
	return put32(p + 4, (uint32_t) value);
}

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16 | (uint32_t) p[2] << 8 | p[3];
}

static uint64_t
get64(const uint8_t *p)
{
	return (uint64_t) get32(p) << 32 | get32(p + 4);
}

size_t
audit_entry_size(const AuditEntry *entry)
{
	size_t		size = FIXED_SIZE;

	if (entry->n_subjects > AUDIT_MAX_SUBJECTS)
		return 0;
	for (int i = 0; i < AUDIT_STRINGS; i++)
	{
		if (entry->text[i].data == NULL)
			continue;
		if (entry->text[i].length > AUDIT_MAX_STRING)
			return 0;
		size += entry->text[i].length;
	}
	return size + (size_t) entry->n_subjects * 8;
}

void
audit_entry_encode(const AuditEntry *entry, uint8_t *out)
{
	out = put64(out, (uint64_t) entry->at);
	out = put64(out, entry->intent);
	out = put64(out, entry->query_id);
	for (int i = 0; i < AUDIT_STRINGS; i++)
	{
		const AuditText *text = &entry->text[i];

		out = put32(out, text->data == NULL ? NULL_LENGTH : text->length);
		if (text->data != NULL && text->length > 0)
		{
			memcpy(out, text->data, text->length);
			out += text->length;
		}
	}
	out = put32(out, entry->n_subjects);
	for (uint32_t i = 0; i < entry->n_subjects; i++)
		out = put64(out, (uint64_t) entry->subjects[i]);
}

CoreStatus
audit_entry_decode(const uint8_t *payload, size_t length, AuditEntry *entry)
{
	const uint8_t *p = payload;
	const uint8_t *end = payload + length;

	if (length < FIXED_SIZE)
		return CORE_INVALID;
	entry->at = (int64_t) get64(p);
	entry->intent = get64(p + 8);
	entry->query_id = get64(p + 16);
	p += 24;
	for (int i = 0; i < AUDIT_STRINGS; i++)
	{
		uint32_t	n;

		if (end - p < 4)
			return CORE_INVALID;
		n = get32(p);
		p += 4;
		entry->text[i].data = NULL;
		entry->text[i].length = 0;
		if (n == NULL_LENGTH)
			continue;
		if (n > AUDIT_MAX_STRING || (size_t) (end - p) < n)
			return CORE_INVALID;
		entry->text[i].data = (const char *) p;
		entry->text[i].length = n;
		p += n;
	}
	if (end - p < 4)
		return CORE_INVALID;
	entry->n_subjects = get32(p);
	p += 4;
	if (entry->n_subjects > AUDIT_MAX_SUBJECTS || (size_t) (end - p) != (size_t) entry->n_subjects * 8)
		return CORE_INVALID;
	for (uint32_t i = 0; i < entry->n_subjects; i++, p += 8)
		entry->subjects[i] = (int64_t) get64(p);
	return CORE_OK;
}

void
audit_leaf_hash(uint16_t chain, uint64_t seq, const uint8_t *entry, size_t length, uint8_t leaf[AUDIT_HASH_SIZE])
{
	crypto_hash_sha256_state state;
	uint8_t		head[11];

	head[0] = 0x00;
	head[1] = (uint8_t) (chain >> 8);
	head[2] = (uint8_t) chain;
	put64(head + 3, seq);
	crypto_hash_sha256_init(&state);
	crypto_hash_sha256_update(&state, head, sizeof(head));
	crypto_hash_sha256_update(&state, entry, length);
	crypto_hash_sha256_final(&state, leaf);
}

void
audit_chain_hash(const uint8_t previous[AUDIT_HASH_SIZE], const uint8_t leaf[AUDIT_HASH_SIZE],
				 uint8_t hash[AUDIT_HASH_SIZE])
{
	uint8_t		input[1 + 2 * AUDIT_HASH_SIZE];

	input[0] = 0x02;
	memcpy(input + 1, previous, AUDIT_HASH_SIZE);
	memcpy(input + 1 + AUDIT_HASH_SIZE, leaf, AUDIT_HASH_SIZE);
	crypto_hash_sha256(hash, input, sizeof(input));
}

void
audit_segment_header(const AuditSegment *segment, uint8_t out[AUDIT_SEGMENT_HEADER])
{
	memcpy(out, segment_magic, 8);
	out[8] = AUDIT_FORMAT_VERSION;
	memset(out + 9, 0, 3);
	put32(out + 12, segment->database);
	put64(out + 16, segment->number);
	put64(out + 24, segment->previous);
	put64(out + 32, segment->system);
	put32(out + 40, crc32c(0, out, 40));
}

CoreStatus
audit_segment_read(const uint8_t *data, size_t size, AuditSegment *segment)
{
	if (size < AUDIT_SEGMENT_HEADER || memcmp(data, segment_magic, 8) != 0 ||
		data[8] != AUDIT_FORMAT_VERSION || get32(data + 40) != crc32c(0, data, 40))
		return CORE_INVALID;
	segment->database = get32(data + 12);
	segment->number = get64(data + 16);
	segment->previous = get64(data + 24);
	segment->system = get64(data + 32);
	return CORE_OK;
}

static uint32_t
frame_crc(const uint8_t *frame, uint32_t length, uint64_t segment, uint64_t offset)
{
	uint8_t		place[16];
	uint32_t	crc;

	put64(put64(place, segment), offset);
	crc = crc32c(0, place, sizeof(place));
	crc = crc32c(crc, frame + 4, 4);
	return crc32c(crc, frame + 12, 4 + (size_t) length);
}

void
audit_frame_seal(uint8_t *frame, uint32_t length, uint64_t segment, uint64_t offset)
{
	memcpy(frame, frame_magic, 4);
	put32(frame + 4, length);
	frame[12] = AUDIT_FORMAT_VERSION;
	memset(frame + 13, 0, 3);
	put32(frame + 8, frame_crc(frame, length, segment, offset));
}

static bool
frame_valid(const uint8_t *data, size_t size, uint64_t segment, uint64_t offset)
{
	uint32_t	length;

	if (size < AUDIT_FRAME_HEADER || memcmp(data, frame_magic, 4) != 0 || data[12] != AUDIT_FORMAT_VERSION)
		return false;
	length = get32(data + 4);
	return length <= AUDIT_MAX_PAYLOAD && size - AUDIT_FRAME_HEADER >= length &&
		get32(data + 8) == frame_crc(data, length, segment, offset);
}

AuditFrameState
audit_frame_read(const uint8_t *data, size_t size, uint64_t segment, uint64_t offset,
				 const uint8_t **payload, uint32_t *length)
{
	if (frame_valid(data, size, segment, offset))
	{
		*payload = data + AUDIT_FRAME_HEADER;
		*length = get32(data + 4);
		return AUDIT_FRAME_OK;
	}
	for (size_t i = 0; i < size; i++)
	{
		if (data[i] != 0)
			return AUDIT_FRAME_BAD;
	}
	return AUDIT_FRAME_END;
}

size_t
audit_frame_next(const uint8_t *data, size_t size, uint64_t segment, uint64_t offset)
{
	for (size_t i = 0; i < size; i++)
	{
		if (data[i] == frame_magic[0] && frame_valid(data + i, size - i, segment, offset + i))
			return i;
	}
	return size;
}
