/*
 * match_table.h
 *		Linking the rows of any table: a comparison definition instead of the
 *		fixed fields of match_row.h.
 *
 * For other countries' registers and public data sets: some fields of a few
 * kinds, up to some hundred thousand rows, large clusters.  All parameters are
 * learnt from the rows themselves (expectation-maximization over candidate and
 * random pairs):
 *
 * - each field ends in one level, each level has m and u; equal values weigh by
 *	 how rare the very value is;
 * - fields that go together among strangers (suburb and postcode, surname and
 *	 address) are found by counting and not believed twice: a tree of pairs of
 *	 fields, as C. Chow and C. Liu, Approximating Discrete Probability
 *	 Distributions with Dependence Trees (1968), for values that are equal;
 * - fields that change together among matches (street, town and postcode of
 *	 who has moved) are found by counting too: with some probability all of
 *	 such a group are as they are to strangers, which is said once;
 * - relatives and neighbours, who agree in all but what makes a person, are a
 *	 class of their own beside matches and strangers, where the rows show one:
 *	 latent classes as P. Lazarsfeld and N. Henry (1968);
 * - the threshold is the one with the best expected F1 under the model;
 * - clusters join along the best pairs first while their members agree on the
 *	 whole.
 */
#ifndef EHR_CORE_MATCH_TABLE_H
#define EHR_CORE_MATCH_TABLE_H

#include "core.h"
#include "match_cluster.h"

#define TABLE_FIELDS_MAX 24
#define TABLE_LEVELS 6
#define TABLE_RULES_MAX 32
#define TABLE_MISSING 0xff

typedef enum TableKind
{
	TABLE_NAME,					/* a name or part of one */
	TABLE_TEXT,					/* several words: an address */
	TABLE_DATE,					/* yyyy-mm-dd, yyyymmdd, dd/mm/yyyy */
	TABLE_NUMBER,				/* a small number: a year, a day */
	TABLE_ID,					/* identifies somebody */
	TABLE_CODE,					/* a postcode, a code of a list */
	TABLE_EXACT,				/* equal or not: the sex */
	TABLE_KINDS
} TableKind;

extern const char *const table_kind_names[TABLE_KINDS];

typedef struct TableField
{
	TableKind	kind;
	int			swap;			/* another field that this one may change places with; -1 = none */
	int			cuts;			/* levels by Jaro-Winkler similarity instead of the kind's own: */
	double		cut[TABLE_LEVELS - 2];	/* at least so similar, from most to least */
} TableField;

/* Level 0 is equal, the last level of a field is "other". */
extern int	table_levels(const TableField *field);
extern const char *table_level_name(const TableField *field, int level);

typedef struct TableModel
{
	int			fields;
	double		m[TABLE_FIELDS_MAX][TABLE_LEVELS];
	double		u[TABLE_FIELDS_MAX][TABLE_LEVELS];
	double		h[TABLE_FIELDS_MAX][TABLE_LEVELS];	/* of relatives */
	double		relatives;		/* share of pairs of relatives; 0 = there are none */
	int			parent[TABLE_FIELDS_MAX];	/* field that this one goes with; -1 = none */
	double		with_parent[TABLE_FIELDS_MAX];	/* bits when both are equal */
	int			group[TABLE_FIELDS_MAX];	/* of fields that change together: its first field; -1 = none */
	double		changed[TABLE_FIELDS_MAX];	/* of a group, by its first field: share of matches that have all changed */
	double		prior;			/* share of true pairs among all pairs */
	double		threshold;		/* in bits: best expected F1 */
} TableModel;

typedef struct TableText
{
	const char *s;				/* normal form; NULL = missing */
	uint32_t	n;
} TableText;

typedef struct MatchTable
{
	const CoreContext *cx;
	TableField	field[TABLE_FIELDS_MAX];
	int			fields;
	uint32_t	rule[TABLE_RULES_MAX];	/* fields that must be equal, a bit each: blocking rules; none = automatic */
	int			rules;
	double		threshold;		/* in bits; NaN = the model's, which is learnt for the best expected F1 */
	uint32_t	n;
	uint32_t	room;
	TableText  *value;			/* n rows of fields */
	uint32_t   *source;			/* of each row; rows of one source are never linked; 0 = any */
	struct TableArena *arena;
	/* figures */
	uint64_t	candidates;
	uint32_t	skipped;		/* blocks that were too large: other rules find their pairs */
	uint32_t	refused;		/* links that would have joined clusters which do not agree */
} MatchTable;

extern CoreStatus match_table_start(MatchTable *t, const CoreContext *cx, const TableField *field, int fields);

/* One row: its values as text (NULL or empty = missing) and its source (0 = may be linked with any). */
extern CoreStatus match_table_add(MatchTable *t, const char *const *value, uint32_t source);

typedef struct TablePair
{
	uint32_t	a,
				b;
	float		bits;
} TablePair;

typedef struct TableOutcome
{
	TableModel	model;
	TablePair  *pair;			/* candidates from `least` bits on, best first */
	size_t		npairs;
	MatchForest forest;			/* over the rows */
	float	   *best;			/* a row's best link; -INFINITY when alone */
} TableOutcome;

/*
 * Finds candidates, trains (where model is NULL) and forms clusters.  The
 * outcome depends on the rows only, and not on chance.  The caller frees it.
 */
extern CoreStatus match_table_link(MatchTable *t, const TableModel *model, TableOutcome *out);
extern void match_table_free_outcome(MatchTable *t, TableOutcome *out);

/* Normal form of a value of a kind: out has room for 2 * len + 16 bytes; returns its length, 0 = missing. */
extern size_t table_normal(TableKind kind, const char *in, size_t len, char *out);

/* How two values of a field compare: a level. */
extern uint8_t table_compare(const TableField *field, const char *a, size_t a_len, const char *b, size_t b_len);

#endif							/* EHR_CORE_MATCH_TABLE_H */
