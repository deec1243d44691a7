/*
 * fhirpath_program.h
 *		The stored form of a FHIRPath expression: shared by the files of the engine.
 *
 * Flat, without pointers, aligned to 4 bytes, so that it is the body of a
 * varlena as it stands:
 *
 *	FhirPath header | FpNode nodes[node_count] | char text[text_size]
 *
 * Nodes are numbered from 1 in the order in which they were completed: every
 * operand comes before its operator and the root is the last one.  Names of elements,
 * functions and types are kept as text, so that a later model or function
 * table does not break a stored expression.  The numbers of FpOp are
 * append-only.
 */
#ifndef EHR_FHIRPATH_PROGRAM_H
#define EHR_FHIRPATH_PROGRAM_H

#include "fhirpath.h"

#define FHIRPATH_VERSION 1

typedef enum FpOp
{
	FP_OP_EMPTY = 1,			/* {} */
	FP_OP_BOOLEAN = 2,			/* aux: 0 or 1 */
	FP_OP_STRING = 3,			/* text, decoded */
	FP_OP_INTEGER = 4,			/* text as written; also below */
	FP_OP_LONG = 5,
	FP_OP_DECIMAL = 6,
	FP_OP_DATE = 7,				/* without @ */
	FP_OP_DATETIME = 8,
	FP_OP_TIME = 9,				/* without @T */
	FP_OP_QUANTITY = 10,		/* text: the number; operand: FP_OP_STRING, its aux 1 for a calendar word */
	FP_OP_THIS = 11,
	FP_OP_INDEX = 12,
	FP_OP_TOTAL = 13,
	FP_OP_VARIABLE = 14,		/* text: name */
	FP_OP_CHILD = 15,			/* text: name; operand or none: of the focus */
	FP_OP_CALL = 16,			/* text: name; aux: 1 where the first operand is what it is called on */
	FP_OP_INDEXER = 17,
	FP_OP_NEGATE = 18,
	FP_OP_POSITIVE = 19,
	FP_OP_MULTIPLY = 20,
	FP_OP_DIVIDE = 21,
	FP_OP_DIV = 22,
	FP_OP_MOD = 23,
	FP_OP_ADD = 24,
	FP_OP_SUBTRACT = 25,
	FP_OP_JOIN = 26,			/* & */
	FP_OP_IS = 27,				/* text: type specifier */
	FP_OP_AS = 28,
	FP_OP_UNION = 29,
	FP_OP_LESS = 30,
	FP_OP_LESS_EQUAL = 31,
	FP_OP_GREATER = 32,
	FP_OP_GREATER_EQUAL = 33,
	FP_OP_EQUAL = 34,
	FP_OP_EQUIVALENT = 35,
	FP_OP_NOT_EQUAL = 36,
	FP_OP_NOT_EQUIVALENT = 37,
	FP_OP_IN = 38,
	FP_OP_CONTAINS = 39,
	FP_OP_AND = 40,
	FP_OP_OR = 41,
	FP_OP_XOR = 42,
	FP_OP_IMPLIES = 43,
	FP_OP_DESCENDING = 44,		/* of an argument of sort(): expression desc */
	FP_OP_ASCENDING = 45
} FpOp;

typedef struct FpNode
{
	uint8_t		op;
	uint8_t		aux;
	uint16_t	operands;
	uint32_t	text;			/* offset in the text */
	uint32_t	text_len;
	uint32_t	first;			/* first operand, 0: none */
	uint32_t	next;			/* the following operand of the same operator, 0: none */
} FpNode;

struct FhirPath
{
	uint8_t		version;
	uint8_t		reserved[3];
	uint32_t	needs;			/* FHIRPATH_NEEDS_… */
	uint32_t	node_count;
	uint32_t	text_size;
	FpNode		nodes[];
};

static inline const FpNode *
fp_node(const FhirPath *path, uint32_t number)
{
	return &path->nodes[number - 1];
}

static inline const FpNode *
fp_root(const FhirPath *path)
{
	return fp_node(path, path->node_count);
}

static inline const char *
fp_text(const FhirPath *path, const FpNode *node)
{
	return (const char *) &path->nodes[path->node_count] + node->text;
}

/* An operator as it is written and how strongly it binds; 0 where it is none */
typedef struct FpOperator
{
	const char *name;
	uint8_t		op;
	uint8_t		binds;			/* more: tighter */
	bool		word;
} FpOperator;

#define FP_BINDS_UNARY	12
#define FP_BINDS_TYPE	9		/* is, as */

extern const FpOperator fp_operators[];
extern const FpOperator *fp_operator_of(int op);

/* -- lexer ---------------------------------------------------------------- */

typedef enum FpTokenKind
{
	FP_T_END,
	FP_T_NAME,					/* text */
	FP_T_QUOTED_NAME,			/* `…`: text, decoded */
	FP_T_STRING,				/* text, decoded */
	FP_T_INTEGER,
	FP_T_LONG,
	FP_T_DECIMAL,
	FP_T_DATE,
	FP_T_DATETIME,
	FP_T_TIME,
	FP_T_SYMBOL,				/* text: . ( [ <= … */
	FP_T_DOLLAR,				/* $this, $index, $total: text without $ */
	FP_T_BAD					/* fault and at say what */
} FpTokenKind;

typedef struct FpToken
{
	FpTokenKind kind;
	size_t		at;
	const char *text;
	size_t		len;
} FpToken;

typedef struct FpLexer
{
	const char *source;
	size_t		len;
	size_t		at;
	char	   *decoded;		/* room for all decoded texts: as long as the source */
	size_t		decoded_len;
	const char *fault;			/* what was expected */
	size_t		fault_at;
} FpLexer;

extern void fp_lex(FpLexer *lexer, FpToken *token);

#endif							/* EHR_FHIRPATH_PROGRAM_H */
