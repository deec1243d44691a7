/*
 * api.h
 *		What room api offers rooms below it.
 */
#ifndef EHR_API_H
#define EHR_API_H

/* At start-up: FHIRPath's resolve() asks the store. */
extern void resolve_init(void);

#endif							/* EHR_API_H */
