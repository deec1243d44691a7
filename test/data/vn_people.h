/*-------------------------------------------------------------------------
 *
 * vn_people.h
 *		Who lives in the made-up city: households, their members, their numbers.
 *
 * A person is a number 0 .. persons-1.  Everything about it follows from the
 * seed and that number; what depends on others (the twelve digits must be
 * given out once only) depends on lower numbers alone.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VN_PEOPLE_H
#define VN_PEOPLE_H

#include "vn_tables.h"

#define NEVER INT32_MAX

typedef struct World
{
	Tables		tables;
	uint64_t	seed;
	uint32_t	persons;
	uint32_t   *cccd_rank;		/* how many with the same first six digits came before */
	uint32_t   *cmnd_rank;		/* the same for the old card's block */
	uint64_t	phone_unit;		/* see phone_number() */
	uint64_t	phone_space;
} World;

typedef enum HouseKind
{
	NUCLEAR, COUPLE, THREE_GENERATIONS, LONE_MOTHER, ALONE, FLATMATES
} HouseKind;

typedef enum Role
{
	FATHER, MOTHER, GRANDMOTHER, GRANDFATHER, CHILD, SINGLE
} Role;

/* Where somebody lives. */
typedef struct Home
{
	uint32_t	ward;
	uint32_t	street;
	int			number,
				alley,			/* 0 = none */
				quarter;
} Home;

typedef struct Household
{
	uint32_t	first;			/* its first person */
	int			size;
	HouseKind	kind;
	bool		grandfather;
	int			father_born,
				mother_born;
	uint16_t	surname;		/* the father's, an index into words */
} Household;

typedef struct Person
{
	uint32_t	index;
	Household	house;
	Role		role;
	bool		female;
	bool		twin;			/* born with the child before or after */
	int			birth_order;	/* of a child: 0, 1, … */
	int			born_year,
				born;			/* day number */
	bool		year_only;		/* the authorities know no more than the year */
	uint32_t	province;
	/* filled by person_names() */
	int			n_words;
	uint16_t	word[5];
} Person;

/* Loads the tables and gives out the numbers of all persons. */
extern void world_make(World *world, const char *folder, uint64_t seed, uint32_t persons);

/* All but the name. */
extern void person_make(const World *world, uint32_t index, Person *person);

/* Adds the name, given name last. */
extern void person_name(const World *world, Person *person);

/* The household's mother or father among the persons; false if there is none. */
extern bool parent_of(const Person *person, Role parent, uint32_t *index);

/* The address of the household on a day. */
extern void home_on(const World *world, const Household *house, int day, Home *home);

extern void home_draw(const World *world, Rng *rng, Home *home);

/* 12 digits; `earlier` = the number before a correction of the year of birth. */
extern void cccd_write(const World *world, const Person *person, bool earlier, char to[13]);

/* 9 digits. */
extern void cmnd_write(const World *world, const Person *person, char to[10]);

/* The day from which a person shows the 12-digit number, NEVER if at no time. */
extern int	cccd_since(const World *world, const Person *person);

/* The day on which the number was corrected; 0 for nearly everybody. */
extern int	cccd_corrected(const World *world, const Person *person);

/* 10 digits, the insurance number. */
extern void insurance_write(const World *world, const Person *person, char to[11]);

/* Mobile number of a person on a day (people change it): number for phone_write(). */
extern uint32_t phone_number(const World *world, uint32_t index, int day);

/* A number that belongs to no person: a clinic's. */
extern uint32_t phone_of_clinic(const World *world, uint32_t facility);

/* 10 digits, or 11 in the form before September 2018 where the prefix had one. */
extern void phone_write(const World *world, uint32_t number, bool old_form, char to[12]);

#endif							/* VN_PEOPLE_H */
