/*
 * crc32c.h
 *		CRC-32C (Castagnoli, reflected): finds bytes that were damaged or cut, no more.
 */
#ifndef EHR_CORE_CRC32C_H
#define EHR_CORE_CRC32C_H

#include "core.h"

/* crc32c goes on from the value for what came before, at first 0.  By the processor's instruction where it has one. */
extern uint32_t crc32c(uint32_t crc, const uint8_t *p, size_t n);

/* the same on any processor */
extern uint32_t crc32c_portable(uint32_t crc, const uint8_t *p, size_t n);

#endif							/* EHR_CORE_CRC32C_H */
