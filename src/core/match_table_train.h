/*
 * match_table_train.h
 *		Between match_table.c and match_table_train.c.
 */
#ifndef EHR_CORE_MATCH_TABLE_TRAIN_H
#define EHR_CORE_MATCH_TABLE_TRAIN_H

#include "match_table.h"

/* Candidates with the levels of their fields. */
typedef struct TablePairs
{
	uint64_t   *pair;			/* a << 32 | b */
	size_t		n;
	uint8_t    *level;			/* fields each */
} TablePairs;

/* A model and, of the rows at hand, how many share each value. */
typedef struct TableTrained
{
	TableModel	model;
	uint32_t   *rows;			/* row * fields + f: rows with that value */
	uint32_t   *joint;			/* the same: rows with that value and that of the field's parent */
	double		least[TABLE_FIELDS_MAX];	/* rows that a value stands for beside the pair's own two */
	double		least_joint[TABLE_FIELDS_MAX];
	double		matches;		/* expected true pairs among the candidates */
} TableTrained;

extern CoreStatus table_train(const MatchTable *t, const TablePairs *pairs, const TableModel *given, TableTrained *out);
extern void table_free_trained(const MatchTable *t, TableTrained *trained);

/* What a pair is, beside its odds. */
typedef struct TableKinship
{
	double		relatives;		/* probability that they are relatives */
	double		changed[TABLE_FIELDS_MAX];	/* if they are one: that the fields of a group have changed, by its first field */
} TableKinship;

/* log2 of the odds that the two rows are one; kin may be NULL. */
extern double table_score(const MatchTable *t, const TableTrained *trained, uint32_t a, uint32_t b, const uint8_t *level,
						  TableKinship *kin);

/* Sets the threshold with the best expected F1 over scored pairs, best first. */
extern void table_choose_threshold(TableTrained *trained, const TableOutcome *out);

extern void table_compare_rows(const MatchTable *t, uint32_t a, uint32_t b, uint8_t *level);
extern void *table_alloc(const MatchTable *t, size_t n, size_t size);
extern void table_free(const MatchTable *t, void *p);

#endif							/* EHR_CORE_MATCH_TABLE_TRAIN_H */
