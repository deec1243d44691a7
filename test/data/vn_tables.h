/*-------------------------------------------------------------------------
 *
 * vn_tables.h
 *		The tables that the vaccination rows are drawn from (tables/ *.tsv).
 *
 *-------------------------------------------------------------------------
 */
#ifndef VN_TABLES_H
#define VN_TABLES_H

#include "vn_text.h"

/* Weighted choice in constant time (Walker's aliases, in integers). */
typedef struct Choice
{
	uint32_t	n;
	uint32_t   *keep;			/* of 2^32: how often slot i stands for i itself */
	uint32_t   *other;			/* what it stands for else */
} Choice;

extern Choice choice_make(const uint64_t *weights, uint32_t n);
extern uint32_t choice_draw(const Choice *choice, Rng *rng);

/* Names of one sex or cohort: indexes into Tables.words. */
typedef struct NameList
{
	uint16_t   *word;
	Choice		choice;
} NameList;

typedef struct Ward
{
	const char *code,
			   *name,
			   *district_code,
			   *district,
			   *new_code,
			   *new_name;
} Ward;

typedef struct Prefix
{
	const char *now,
			   *before_2018;	/* NULL: had ten digits before */
	uint32_t	weight;
} Prefix;

typedef struct Province
{
	const char *cccd,
			   *cmnd;
} Province;

typedef struct Vaccine
{
	const char *code,
			   *cvx,
			   *name,
			   *diseases;
} Vaccine;

#define MAX_DOSES 4

typedef struct Dose
{
	int			n_vaccines;
	int			vaccine[4];
	int			number;
	int			days_from,
				days_to;
} Dose;

typedef struct Programme
{
	const char *name;
	int			born_from,
				born_to;
	char		sex;			/* M, F or * */
	uint32_t	weight;
	bool		from_birth;		/* first_* are days after birth, else day numbers */
	int			first_from,
				first_to;
	int			n_doses;
	Dose		dose[MAX_DOSES];
} Programme;

#define COHORTS 3

typedef struct Tables
{
	Word	   *words;
	int			n_words;
	NameList	surnames;
	NameList	given[2][COHORTS];	/* female = 1 */
	NameList	middle[2];
	uint16_t	thi,
				van;
	const char **streets;
	uint32_t	n_streets;
	Ward	   *wards;
	uint32_t	n_wards;
	Choice		ward_choice;
	Prefix	   *prefixes;
	uint32_t	n_prefixes;
	Province   *provinces;
	uint32_t	n_provinces;
	Choice		province_choice;
	uint32_t	city_province;	/* the city's own, 079 */
	Vaccine    *vaccines;
	int			n_vaccines;
	Programme  *programmes;
	int			n_programmes;
} Tables;

/* Reads the folder; a table that is missing or malformed ends the program with a message. */
extern void tables_load(Tables *tables, const char *folder);

/* Which column of Tables.given belongs to a year of birth. */
extern int	name_cohort(int born);

/* Days since 1970-01-01 of the proleptic Gregorian calendar, and back. */
extern int	day_number(int year, int month, int day);
extern void day_split(int number, int *year, int *month, int *day);

/* Memory or the end. */
extern void *need(size_t bytes);
extern void die(const char *format,...) __attribute__((format(printf, 1, 2), noreturn));

#endif							/* VN_TABLES_H */
