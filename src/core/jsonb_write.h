/*
 * jsonb_write.h
 *		Builds binary jsonb containers, byte for byte as PostgreSQL does; see jsonb_read.h for the layout.
 */
#ifndef EHR_JSONB_WRITE_H
#define EHR_JSONB_WRITE_H

#include "decimal.h"
#include "jsonb_read.h"

/* A value with its key; keys are not looked at where an array is built. */
typedef struct JbPart
{
	const char *key;
	uint32_t	key_len;
	JbValue		value;
} JbPart;

/* Bytes of the container that jb_build makes, at most. */
extern size_t jb_build_size(const JbPart *parts, size_t count);

/*
 * Writes a container into a buffer that begins at a multiple of 4; its length.  The
 * parts of an object are sorted by key in place; no key may stand twice.
 */
extern size_t jb_build(JbPart *parts, size_t count, bool object, void *buffer);

/* A numeric with its varlena header */
#define JB_NUMERIC_SIZE (4 + DECIMAL_NUMERIC_SIZE)
extern size_t jb_build_numeric(const Decimal *d, void *buffer);

#endif							/* EHR_JSONB_WRITE_H */
