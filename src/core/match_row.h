/*
 * match_row.h
 *		What matching knows of one source patient: a packed feature row.
 *
 * A row is made once, when the patient is written, and kept beside it, so that
 * matching never opens a document.  All comparing is done on rows.
 *
 * Stored form (version 1), little-endian, no padding:
 *
 *		byte  0		version = 1
 *		byte  1		sex (MatchSex)
 *		byte  2		number kind (MatchNumberKind)
 *		byte  3		flags (MATCH_…)
 *		byte  4		letters in name (n)
 *		byte  5		words in name (w)
 *		byte  6..7	house number, hashed
 *		byte  8..11	birth date yyyymmdd; mm = dd = 0 where only the year is known; 0 = missing
 *		byte 12..15	commune		byte 16..19 district	(hashes of their codes; 0 = missing)
 *		byte 20..27	number		byte 28..35 insurance number		byte 36..43 phone
 *		byte 44..51	words of the address, one bit a hashed word
 *		byte 52..59	name with marks, hashed; 0 where it came without marks
 *		byte 60..60+w-1	where each word of the name ends
 *		then n bytes	folded name, words joined by one blank
 */
#ifndef EHR_CORE_MATCH_ROW_H
#define EHR_CORE_MATCH_ROW_H

#include "core.h"

#define MATCH_ROW_VERSION 1
#define MATCH_NAME_MAX 47
#define MATCH_WORDS_MAX 8
#define MATCH_STORED_MAX (60 + MATCH_WORDS_MAX + MATCH_NAME_MAX)

typedef enum MatchSex
{
	SEX_MISSING = 0, SEX_MALE = 1, SEX_FEMALE = 2
} MatchSex;

typedef enum MatchNumberKind
{
	NUMBER_NONE = 0,
	NUMBER_CITIZEN,				/* 12 digits: carries century, sex and birth year */
	NUMBER_OLD,					/* 9 digits (CMND) */
	NUMBER_OTHER				/* passport and what else identifies */
} MatchNumberKind;

/* flags */
#define MATCH_NUMBER_DOUBTFUL	1	/* the number contradicts birth year or sex by what a slip could explain */
#define MATCH_NEWBORN			2	/* named after the mother ("CB …"): the name in the row is hers */
#define MATCH_NUMBER_ALIEN		4	/* a number was given, but it must be someone else's: dropped */
#define MATCH_BIRTH_ORDER(flags)	((flags) >> 4 & 7)	/* "CB2 …": the second of one birth; 0 = not said */

typedef struct MatchRow
{
	int64_t		subject;		/* the caller's name for the row; not stored */
	int64_t		person;			/* rows with the same stay together, 0 = free; not stored */
	uint64_t	name;			/* hash of the folded name; 0 = missing */
	uint64_t	marked;			/* hash of the name with marks; 0 = came without */
	uint64_t	number;			/* digits as a number, other kinds hashed; 0 = missing */
	uint64_t	insurance;		/* ten-digit number + 1; 0 = missing */
	uint64_t	phone;			/* national digits; 0 = missing */
	uint64_t	street;			/* words of the address, one bit each; 0 = missing */
	uint64_t	content;		/* hash of the stored form: the row's place in canonical order */
	uint32_t	surname;		/* hash of the first word */
	uint32_t	given;			/* hash of the last word */
	uint32_t	middle;			/* hash of all between; 0 = none */
	uint32_t	commune;
	uint32_t	district;
	int32_t		birth;			/* yyyymmdd, yyyy0000, 0 */
	uint16_t	house;
	uint8_t		sex;
	uint8_t		number_kind;
	uint8_t		flags;
	uint8_t		letters_len;
	uint8_t		words;
	uint8_t		word_end[MATCH_WORDS_MAX];
	char		letters[MATCH_NAME_MAX];

	/*
	 * How frequent the row's values are, as shares of all rows (log2).  Filled
	 * by match_count_rows or from the stored frequencies; not stored.
	 */
	float		name_share;
	float		parts_share;	/* surname and given name, as if independent */
	float		birth_share;
	float		year_share;
	uint16_t	phone_rows;		/* rows with this phone, at most 65,535 */
	uint16_t	number_rows;
} MatchRow;

/* What a row is made of; NULL or empty = missing.  Text is UTF-8 in any normal form. */
typedef struct MatchInput
{
	const char *name;
	const char *birth;			/* yyyy, yyyy-mm or yyyy-mm-dd */
	const char *number;			/* citizen number, old number or passport, as written */
	const char *insurance;		/* card or ten-digit number */
	const char *phone;
	const char *commune;		/* code, or name where there is no code */
	const char *district;
	const char *address;
	MatchSex	sex;
} MatchInput;

/*
 * Makes a row.  Never fails: what cannot be read is missing.  A number that
 * contradicts the birth year by more than a slip of the pen, or an old number
 * on somebody too young to have been given one, is a relative's and dropped.
 */
extern void match_row_make(MatchRow *row, const MatchInput *in);

/* Writes the stored form (MATCH_STORED_MAX bytes at most); returns its length. */
extern size_t match_row_store(const MatchRow *row, uint8_t *out);

/* CORE_INVALID when the bytes are no row of a version that this code knows. */
extern CoreStatus match_row_load(MatchRow *row, const uint8_t *in, size_t len);

/* The hash that all features use: stable for ever, since rows are stored. Never 0. */
extern uint64_t match_hash(const char *s, size_t len);

static inline int
match_year(const MatchRow *row)
{
	return row->birth / 10000;
}

static inline int
match_month_day(const MatchRow *row)
{
	return row->birth % 10000;
}

#endif							/* EHR_CORE_MATCH_ROW_H */
