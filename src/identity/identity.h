/*
 * identity.h
 *		What the files of room identity share.
 */
#ifndef EHR_IDENTITY_H
#define EHR_IDENTITY_H

#include "core/match_model.h"

/* The shipped thresholds: from these probabilities on rows are linked, and shown to a clerk. */
#define EHR_MATCH_LINK 0.9
#define EHR_MATCH_REVIEW 0.5

/* Read stored forms or raise XX001.  A NULL model is the shipped one for that many rows. */
extern void ehr_match_row_load(MatchRow *row, const bytea *stored);
extern void ehr_match_model_load(MatchModel *model, const bytea *stored, double rows);

/* Defines ehr.match_memory. */
extern void ehr_match_init(void);

extern bytea *ehr_bytes(const uint8_t *bytes, size_t len);

#endif							/* EHR_IDENTITY_H */
