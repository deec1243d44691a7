/*-------------------------------------------------------------------------
 *
 * vn_people.c
 *		Who lives in the made-up city: households, their members, their numbers.
 *
 * Shares and ages are assumptions (README.md): only surnames, given and middle
 * names, word counts and unit codes come from counted sources.
 *
 *-------------------------------------------------------------------------
 */
#include "vn_people.h"

#include <stdlib.h>
#include <string.h>

/* Households never cross a block of this many persons, so one is found without walking from the start. */
#define BLOCK 64

/* First digits of the personal number that are kept apart: province, sex, year. */
#define YEARS 200
#define CCCD_GROUPS(world) ((size_t) (world)->tables.n_provinces * 2 * YEARS)

/* Kinds of random streams. */
enum
{
	S_BLOCK = 1, S_HOUSE, S_CHILD, S_PERSON, S_NAME, S_HOME, S_MOVE, S_CARD, S_CCCD, S_CMND, S_INSURANCE, S_PHONE,
	S_PHONE_CHANGE
};

/* Per cent of the households, and of each size (1 to 6). */
static const struct
{
	int			percent;
	int			size[6];
}			house_kinds[] = {
	[NUCLEAR] = {40, {0, 0, 45, 42, 13, 0}},
	[COUPLE] = {12, {0, 100, 0, 0, 0, 0}},
	[THREE_GENERATIONS] = {13, {0, 0, 0, 35, 40, 25}},
	[LONE_MOTHER] = {7, {0, 70, 30, 0, 0, 0}},
	[ALONE] = {14, {100, 0, 0, 0, 0, 0}},
	[FLATMATES] = {14, {0, 40, 30, 20, 10, 0}},
};

/* How names are built: per mille by sex and cohort (before 1975, 1990, 2005, later). */
static const struct
{
	int			thi_or_van[4];	/* has Thị (women) or Văn (men) as first middle name */
	int			words2[4],
				words4[4],
				words5[4];		/* the rest has three words */
}			name_habits[2] = {
	{{350, 230, 130, 60}, {20, 12, 9, 9}, {60, 110, 190, 261}, {0, 1, 2, 2}},
	{{760, 600, 350, 120}, {12, 6, 3, 2}, {220, 330, 500, 645}, {1, 2, 4, 5}},
};

/* Ranges of the year of birth: with this per cent the first, else the second. */
typedef struct Born
{
	int			percent,
				from,
				to,
				else_from,
				else_to;
} Born;

static const Born head_born[] = {
	[NUCLEAR] = {35, 1945, 1966, 1967, 1995},
	[COUPLE] = {50, 1936, 1965, 1975, 2001},
	[THREE_GENERATIONS] = {100, 1968, 1995, 0, 0},
	[LONE_MOTHER] = {25, 1950, 1969, 1970, 1998},
	[ALONE] = {45, 1936, 1974, 1975, 2004},
	[FLATMATES] = {100, 1978, 2005, 0, 0},
};

static const int last_birth_year = 2026;

static int
draw_born(const Born *born, Rng *rng)
{
	if ((int) rng_below(rng, 100) < born->percent)
		return rng_range(rng, born->from, born->to);
	return rng_range(rng, born->else_from, born->else_to);
}

static void
house_find(const World *world, uint32_t index, Household *house)
{
	uint32_t	block = index / BLOCK;
	uint32_t	end = (block + 1) * BLOCK;
	uint32_t	next = block * BLOCK;
	Rng			rng = rng_start(world->seed, S_BLOCK, block);

	do
	{
		int			draw = (int) rng_below(&rng, 100);
		int			kind = 0,
					size = 0;

		while (draw >= house_kinds[kind].percent)
			draw -= house_kinds[kind++].percent;
		draw = (int) rng_below(&rng, 100);
		while (draw >= house_kinds[kind].size[size])
			draw -= house_kinds[kind].size[size++];
		house->kind = (HouseKind) kind;
		house->first = next;
		house->size = size + 1;
		if (next + (uint32_t) house->size > end)
			house->size = (int) (end - next);
		next += (uint32_t) house->size;
	} while (index >= next);

	rng = rng_start(world->seed, S_HOUSE, house->first);
	house->grandfather = rng_chance(&rng, 500000);
	house->father_born = draw_born(&head_born[house->kind], &rng);
	house->mother_born = house->kind == LONE_MOTHER ? house->father_born : house->father_born + rng_range(&rng, -2, 6);
	house->surname = world->tables.surnames.word[choice_draw(&world->tables.surnames.choice, &rng)];
}

static Role
role_of(const Household *house, int position)
{
	switch (house->kind)
	{
		case NUCLEAR:
		case COUPLE:
			return position == 0 ? FATHER : position == 1 ? MOTHER : CHILD;
		case THREE_GENERATIONS:
			if (position >= 2 && position <= 2 + (int) house->grandfather)
				return position == 2 ? GRANDMOTHER : GRANDFATHER;
			return position == 0 ? FATHER : position == 1 ? MOTHER : CHILD;
		case LONE_MOTHER:
			return position == 0 ? MOTHER : CHILD;
		default:
			return SINGLE;
	}
}

static int
first_child(const Household *house)
{
	return house->kind == LONE_MOTHER ? 1 : house->kind == THREE_GENERATIONS ? 3 + (int) house->grandfather : 2;
}

bool
parent_of(const Person *person, Role parent, uint32_t *index)
{
	if (person->role != CHILD || (parent == FATHER && person->house.kind == LONE_MOTHER))
		return false;
	*index = person->house.first + (parent == MOTHER && person->house.kind != LONE_MOTHER);
	return true;
}

static int
day_in_year(Rng *rng, int year)
{
	int			first = day_number(year, 1, 1);

	return first + (int) rng_below(rng, (uint32_t) (day_number(year + 1, 1, 1) - first));
}

/* Children are born one after the other; a child with the birthday of the one before is its twin. */
static void
child_born(const World *world, Person *person)
{
	int			order = (int) (person->index - person->house.first) - first_child(&person->house);
	int			last = day_number(last_birth_year, 3, 1);
	Rng			rng = rng_start(world->seed, S_CHILD, person->house.first);
	int			year = person->house.mother_born + rng_range(&rng, 21, 31);
	int			day = day_in_year(&rng, year);

	if (day > last)
		day = last - rng_range(&rng, 0, 3400);
	person->birth_order = order;
	for (int i = 1; i <= order + 1; i++)
	{
		bool		twin = rng_chance(&rng, 34000);
		int			gap = rng_range(&rng, 330, 2400);

		if (i == order + 1)
		{
			if (twin && person->index + 1 < person->house.first + (uint32_t) person->house.size)
				person->twin = true;
			break;
		}
		if (!twin)
			day += day + gap > last ? -gap : gap;	/* no room for a younger one */
		if (i == order)
			person->twin = twin;
	}
	person->born = day;
}

void
person_make(const World *world, uint32_t index, Person *person)
{
	Rng			rng = rng_start(world->seed, S_PERSON, index);
	int			month,
				day;
	int			home_born;		/* per cent born in the city */

	memset(person, 0, sizeof *person);
	person->index = index;
	house_find(world, index, &person->house);
	person->role = role_of(&person->house, (int) (index - person->house.first));
	person->female = person->role == MOTHER || person->role == GRANDMOTHER ||
		((person->role == CHILD || person->role == SINGLE) && rng_chance(&rng, 500000));
	if (person->role == CHILD)
		child_born(world, person);
	else
	{
		int			year = person->house.father_born;

		if (person->role == MOTHER)
			year = person->house.mother_born;
		else if (person->role == GRANDMOTHER || person->role == GRANDFATHER)
			year -= rng_range(&rng, 21, 32);
		else if (person->role == SINGLE)
			year = draw_born(&head_born[person->house.kind], &rng);
		person->born = day_in_year(&rng, year);
	}
	day_split(person->born, &person->born_year, &month, &day);
	if (person->born_year < 1958)
		person->year_only = rng_chance(&rng, 300000);
	/* people who did not know their birthday got the first of January */
	if (person->born_year < 1975 && rng_chance(&rng, 26000))
		person->born = day_number(person->born_year, 1, 1);

	home_born = person->role == CHILD ? 88 : person->house.kind == FLATMATES ? 12 : 56;
	if ((int) rng_below(&rng, 100) < home_born)
		person->province = world->tables.city_province;
	else
		person->province = choice_draw(&world->tables.province_choice, &rng);
}

static uint16_t
draw_middle(const World *world, const Person *person, Rng *rng)
{
	const NameList *list = &world->tables.middle[person->female];

	return list->word[choice_draw(&list->choice, rng)];
}

static uint16_t
draw_given(const World *world, const Person *person)
{
	const NameList *list = &world->tables.given[person->female][name_cohort(person->born_year)];
	Rng			rng = rng_start(world->seed, S_NAME, person->house.first);
	uint32_t	start;

	if (person->role != CHILD)
	{
		rng = rng_start(world->seed, S_NAME, ((uint64_t) 1 << 40) + person->index);
		return list->word[choice_draw(&list->choice, &rng)];
	}

	/*
	 * Sisters and brothers do not share a given name: each takes the n-th that
	 * the family comes upon, those come upon before left out.
	 */
	{
		uint32_t	seen[8];
		int			n = 0;

		while (n <= person->birth_order && n < 8)
		{
			start = choice_draw(&list->choice, &rng);
			for (int i = 0; i < n; i++)
				if (list->word[seen[i]] == list->word[start])
				{
					start = (start + 1) % list->choice.n;
					i = -1;
				}
			seen[n++] = start;
		}
		return list->word[seen[n - 1]];
	}
}

void
person_name(const World *world, Person *person)
{
	const Tables *t = &world->tables;
	Rng			rng = rng_start(world->seed, S_NAME, ((uint64_t) 2 << 40) + person->index);
	int			cohort = person->born_year < 1975 ? 0 : person->born_year < 1990 ? 1 : person->born_year < 2005 ? 2 : 3;
	int			words;
	bool		usual;
	bool		of_house = person->role == FATHER || person->role == GRANDFATHER ||
		(person->role == CHILD && !(person->house.kind == LONE_MOTHER && rng_chance(&rng, 200000)));
	uint16_t	given = draw_given(world, person);
	Rng			family = rng_start(world->seed, S_NAME, ((uint64_t) 3 << 40) + person->house.first);

	/* many families name their children alike but for the last word */
	if (person->role == CHILD && rng_chance(&family, 450000))
		rng = family;
	words = (int) rng_below(&rng, 1000);
	usual = (int) rng_below(&rng, 1000) < name_habits[person->female].thi_or_van[cohort];
	words -= name_habits[person->female].words2[cohort];
	if (words < 0)
		words = 2;
	else if ((words -= name_habits[person->female].words4[cohort]) < 0)
		words = 4;
	else
		words = words < name_habits[person->female].words5[cohort] ? 5 : 3;
	person->word[0] = of_house ? person->house.surname : t->surnames.word[choice_draw(&t->surnames.choice, &rng)];
	person->n_words = 1;
	while (person->n_words < words - 1)
	{
		uint16_t	middle;

		if (usual && person->n_words == 1)
			middle = person->female ? t->thi : t->van;
		else
		{
			const Word *w,
					   *before,
					   *last = &t->words[given];

			/* Nguyễn Ngọc Ngọc is nobody's name */
			do
			{
				middle = draw_middle(world, person, &rng);
				w = &t->words[middle];
				before = &t->words[person->word[person->n_words - 1]];
			} while (memcmp(w->cp, before->cp, sizeof w->cp) == 0 || memcmp(w->cp, last->cp, sizeof w->cp) == 0);
		}
		person->word[person->n_words++] = middle;
	}
	person->word[person->n_words++] = given;
}

void
home_draw(const World *world, Rng *rng, Home *home)
{
	home->ward = choice_draw(&world->tables.ward_choice, rng);
	home->street = rng_below(rng, world->tables.n_streets);
	home->number = 1 + (int) rng_below(rng, rng_chance(rng, 300000) ? 900 : 180);
	home->alley = rng_chance(rng, 450000) ? 1 + (int) rng_below(rng, 60) : 0;
	home->quarter = 1 + (int) rng_below(rng, 9);
}

void
home_on(const World *world, const Household *house, int day, Home *home)
{
	Rng			rng = rng_start(world->seed, S_MOVE, house->first);
	bool		moves = rng_chance(&rng, 110000);
	bool		moved = moves && day >= rng_range(&rng, day_number(2017, 1, 1), day_number(2025, 12, 31));

	rng = rng_start(world->seed, S_HOME, (uint64_t) house->first * 2 + moved);
	home_draw(world, &rng, home);
}

static uint32_t
cccd_group(const World *world, const Person *person)
{
	(void) world;
	return (person->province * 2 + person->female) * YEARS + (uint32_t) (person->born_year - 1900);
}

static char *
write_digits(char *to, uint64_t number, int digits)
{
	for (int i = digits - 1; i >= 0; i--, number /= 10)
		to[i] = (char) ('0' + number % 10);
	return to + digits;
}

void
cccd_write(const World *world, const Person *person, bool earlier, char to[13])
{
	uint32_t	group = cccd_group(world, person) + earlier;
	int			year = person->born_year + earlier;
	uint64_t	rank = world->cccd_rank[person->index] + (earlier ? 500000 : 0);

	memcpy(to, world->tables.provinces[person->province].cccd, 3);
	to[3] = (char) ('0' + (year / 100 - 19) * 2 + person->female);
	write_digits(to + 4, (uint64_t) (year % 100), 2);
	*write_digits(to + 6, permute(hash3(world->seed, S_CCCD, group), 1000000, rank), 6) = '\0';
}

void
cmnd_write(const World *world, const Person *person, char to[10])
{
	const char *block = world->tables.provinces[person->province].cmnd;
	uint64_t	key = hash3(world->seed, S_CMND, (uint64_t) block[0] << 8 | (uint64_t) block[1]);

	memcpy(to, block, 2);
	*write_digits(to + 2, permute(key, 10000000, world->cmnd_rank[person->index]), 7) = '\0';
}

int
cccd_since(const World *world, const Person *person)
{
	Rng			rng = rng_start(world->seed, S_CARD, person->index);
	int			when;

	if (person->born_year >= 2016)
		return person->born;	/* given at the registration of birth */
	when = (int) rng_below(&rng, 100);
	if (person->born_year >= 2008)
		return day_number(2021, 3, 1) + (int) rng_below(&rng, 900);
	if (when < 25)
		return day_number(2014, 1, 1) + (int) rng_below(&rng, 2500);
	if (when < 85)
		return day_number(2021, 1, 15) + (int) rng_below(&rng, 170);
	return day_number(2021, 9, 1) + (int) rng_below(&rng, 1000);
}

int
cccd_corrected(const World *world, const Person *person)
{
	Rng			rng = rng_start(world->seed, S_CARD, ((uint64_t) 1 << 40) + person->index);

	if (!rng_chance(&rng, 4000))
		return 0;
	return day_number(2020, 1, 1) + (int) rng_below(&rng, 2000);
}

void
insurance_write(const World *world, const Person *person, char to[11])
{
	memcpy(to, world->tables.provinces[person->province].cccd + 1, 2);
	*write_digits(to + 2, permute(hash3(world->seed, S_INSURANCE, 0), 100000000, person->index), 8) = '\0';
}

uint32_t
phone_number(const World *world, uint32_t index, int day)
{
	Rng			rng = rng_start(world->seed, S_PHONE_CHANGE, index);
	bool		changes = rng_chance(&rng, 120000);
	bool		changed = changes && day >= rng_range(&rng, day_number(2017, 1, 1), day_number(2025, 12, 31));

	return index * 2 + changed;
}

uint32_t
phone_of_clinic(const World *world, uint32_t facility)
{
	return world->persons * 2 + facility;
}

/*
 * Each prefix owns a stretch of the space as long as its weight; a number is a
 * place in the space, so no two share one and the prefixes have their shares.
 */
void
phone_write(const World *world, uint32_t number, bool old_form, char to[12])
{
	const Tables *t = &world->tables;
	uint64_t	place = permute(hash3(world->seed, S_PHONE, 0), world->phone_space, number);
	uint32_t	i = 0;
	const char *prefix;

	while (place >= t->prefixes[i].weight * world->phone_unit)
		place -= t->prefixes[i++].weight * world->phone_unit;
	prefix = old_form && t->prefixes[i].before_2018 ? t->prefixes[i].before_2018 : t->prefixes[i].now;
	memcpy(to, prefix, strlen(prefix));
	to += strlen(prefix);
	/* spread the stretch over the seven digits */
	*write_digits(to, place * (10000000 / (t->prefixes[i].weight * world->phone_unit)), 7) = '\0';
}

void
world_make(World *world, const char *folder, uint64_t seed, uint32_t persons)
{
	uint32_t   *given_out;
	uint32_t	blocks[100] = {0};
	uint32_t	heaviest = 1;

	tables_load(&world->tables, folder);
	world->seed = seed;
	world->persons = persons;
	for (uint32_t i = 0; i < world->tables.n_prefixes; i++)
	{
		world->phone_space += world->tables.prefixes[i].weight;
		if (world->tables.prefixes[i].weight > heaviest)
			heaviest = world->tables.prefixes[i].weight;
	}
	world->phone_unit = 10000000 / heaviest;
	world->phone_space *= world->phone_unit;
	if (world->phone_space < (uint64_t) persons * 2 + 10000)
		die("too many persons for the phone numbers");

	given_out = need(CCCD_GROUPS(world) * sizeof(uint32_t));
	world->cccd_rank = need(persons * sizeof(uint32_t));
	world->cmnd_rank = need(persons * sizeof(uint32_t));
	for (uint32_t i = 0; i < persons; i++)
	{
		Person		person;
		const char *block;

		person_make(world, i, &person);
		block = world->tables.provinces[person.province].cmnd;
		world->cccd_rank[i] = given_out[cccd_group(world, &person)]++;
		world->cmnd_rank[i] = blocks[(block[0] - '0') * 10 + block[1] - '0']++;
		if (world->cccd_rank[i] >= 500000 || world->cmnd_rank[i] >= 10000000)
			die("too many persons for the identity numbers");
	}
	free(given_out);
}
