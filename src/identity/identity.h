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

/* Values that fewer rows have are not in the table of frequencies. */
#define EHR_MATCH_VALUE_LEAST 3

/* Of so many rows the shares of values are taken, when the model was learnt from this many. */
extern double ehr_match_rows(double learnt_from);

/*
 * Fills a row's shares from stored frequencies, 0 where there is none: these
 * count as on two rows, as they are when two rows that have them are compared.
 */
extern void ehr_match_set_shares(MatchRow *row, const uint32_t *known, double rows);

extern bytea *ehr_bytes(const uint8_t *bytes, size_t len);

#endif							/* EHR_IDENTITY_H */
