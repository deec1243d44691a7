/*
 * audit_spool.h
 *		The audit spool's file format, and the canonical form of an entry.
 *
 * A segment is one file of the spool.  All numbers are big-endian.
 *
 *	 0        8   9      12         16        24         32          40    44
 *	+--------+---+------+----------+---------+----------+-----------+-----+
 *	|EHRSPOOL| v | 0 0 0| database | segment | previous | system id | crc |  header, 44 bytes
 *	+--------+---+------+----------+---------+----------+-----------+-----+
 *
 * (previous: the segment before this one, so that a file taken away is noticed;)
 *
 * then frames, one after the other, then nothing or zeros (space made in advance):
 *
 *	 0      4        8     12  13     16                  16 + length
 *	+------+--------+-----+---+------+-------------------+
 *	| EHRa | length | crc | v | 0 0 0| payload: an entry |
 *	+------+--------+-----+---+------+-------------------+
 *
 * The CRC-32C of a frame covers the segment's number and the frame's offset,
 * then length, v, the zeros and the payload: a frame copied to another place
 * is not valid there.
 *
 * A payload is an entry in its canonical form, which is also what the chain
 * of ehr_store.audit_event hashes:
 *
 *	 +----+--------+----------+------+-----+-----+-----+-----+------+-----------+--------+------+-------+----------+
 *	 | at | intent | query id | kind | sub | org | pur | sid | role | relations | detail | name | count | subjects |
 *	 +----+--------+----------+------+-----+-----+-----+-----+------+-----------+--------+------+-------+----------+
 *	   8      8         8       string (4 bytes length, 0xFFFFFFFF = null; bytes) each             4      8 each
 *
 * at is PostgreSQL's timestamptz (microseconds since 2000-01-01 UTC).
 */
#ifndef EHR_CORE_AUDIT_SPOOL_H
#define EHR_CORE_AUDIT_SPOOL_H

#include "core.h"

#define AUDIT_FORMAT_VERSION 1
#define AUDIT_SEGMENT_HEADER 44
#define AUDIT_FRAME_HEADER 16
#define AUDIT_MAX_PAYLOAD 32768
#define AUDIT_MAX_SUBJECTS 512
#define AUDIT_MAX_STRING 2000	/* bytes; longer strings are the caller's to cut */
#define AUDIT_HASH_SIZE 32

enum AuditString
{
	AUDIT_KIND, AUDIT_SUB, AUDIT_ORG, AUDIT_PURPOSE, AUDIT_SID, AUDIT_ROLE,
	AUDIT_RELATIONS, AUDIT_DETAIL, AUDIT_NAME, AUDIT_STRINGS
};

typedef struct AuditText
{
	const char *data;			/* NULL: no value; not terminated by a NUL */
	uint32_t	length;
} AuditText;

typedef struct AuditEntry
{
	int64_t		at;
	uint64_t	intent;			/* this entry's own number, or for persons admitted that of their intent */
	uint64_t	query_id;
	AuditText	text[AUDIT_STRINGS];
	uint32_t	n_subjects;
	int64_t		subjects[AUDIT_MAX_SUBJECTS];
} AuditEntry;

/*
 * audit_entry_size: bytes of the canonical form, or 0 when a limit is passed.
 * audit_entry_encode writes exactly that many.  audit_entry_decode reads a
 * whole payload (CORE_INVALID unless every byte is accounted for); its texts
 * point into the payload.
 */
extern size_t audit_entry_size(const AuditEntry *entry);
extern void audit_entry_encode(const AuditEntry *entry, uint8_t *out);
extern CoreStatus audit_entry_decode(const uint8_t *payload, size_t length, AuditEntry *entry);

/*
 * The chain: leaf = SHA-256(0x00 ‖ chain, 2 bytes ‖ seq, 8 bytes ‖ canonical entry), as an RFC 6962 leaf;
 * hash = SHA-256(0x02 ‖ previous hash ‖ leaf).  The first entry's previous hash is 32 zero bytes.
 */
extern void audit_leaf_hash(uint16_t chain, uint64_t seq, const uint8_t *entry, size_t length,
							uint8_t leaf[AUDIT_HASH_SIZE]);
extern void audit_chain_hash(const uint8_t previous[AUDIT_HASH_SIZE], const uint8_t leaf[AUDIT_HASH_SIZE],
							 uint8_t hash[AUDIT_HASH_SIZE]);

typedef struct AuditSegment
{
	uint64_t	number;
	uint64_t	previous;		/* 0: there was none */
	uint64_t	system;			/* the cluster's system identifier */
	uint32_t	database;		/* OID */
} AuditSegment;

extern void audit_segment_header(const AuditSegment *segment, uint8_t out[AUDIT_SEGMENT_HEADER]);

/* audit_segment_read: CORE_INVALID unless these are the bytes of a whole, undamaged header */
extern CoreStatus audit_segment_read(const uint8_t *data, size_t size, AuditSegment *segment);

/*
 * audit_frame_seal fills in the header of a frame whose payload of `length`
 * bytes lies at frame + AUDIT_FRAME_HEADER already.
 */
extern void audit_frame_seal(uint8_t *frame, uint32_t length, uint64_t segment, uint64_t offset);

typedef enum AuditFrameState
{
	AUDIT_FRAME_OK,				/* *payload and *length are set */
	AUDIT_FRAME_END,			/* nothing but zeros (or nothing) follows */
	AUDIT_FRAME_BAD				/* incomplete or damaged */
} AuditFrameState;

/* audit_frame_read looks at the frame that starts at data; size is what is left of the file from there. */
extern AuditFrameState audit_frame_read(const uint8_t *data, size_t size, uint64_t segment, uint64_t offset,
										const uint8_t **payload, uint32_t *length);

/*
 * audit_frame_next finds the first valid frame at or after data and returns
 * its distance, or size when none follows.  offset is data's place in the file.
 */
extern size_t audit_frame_next(const uint8_t *data, size_t size, uint64_t segment, uint64_t offset);

#endif							/* EHR_CORE_AUDIT_SPOOL_H */
