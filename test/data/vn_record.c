/*-------------------------------------------------------------------------
 *
 * vn_record.c
 *		One vaccination row as a facility wrote it down, mistakes included.
 *
 * All rates of mistakes stand in the table below.  They are assumptions, set so
 * that true pairs agree as often as the specification asks (README.md).
 *
 *-------------------------------------------------------------------------
 */
#include "vn_record.h"

#include <stdio.h>
#include <string.h>

/* Cases in a million rows (or of those rows that the name tells of). */
static const struct
{
	/* names */
	uint32_t	marks_lost,
				wrong_tone,
				mistyped,
				middle_dropped,
				abbreviated,
				words_swapped,
				like_surname,
				i_for_y,
				newborn_name;
	/* birth date */
	uint32_t	year_only_old,
				year_only,
				first_of_january,
				day_month_swapped,
				year_off,
				date_digit,
				date_missing;
	/* sex */
	uint32_t	sex_missing,
				sex_wrong;
	/* phone */
	uint32_t	phone_missing,
				phone_relative,
				phone_clinic,
				phone_digit,
				phone_zero_lost,
				phone_old_form_late;
	/* identity number */
	uint32_t	id_missing,
				id_missing_child,
				id_of_parent,
				id_junk,
				id_digit,
				id_zero_lost,
				id_card_still_old;
	/* insurance */
	uint32_t	insured,
				insurance_written,
				insurance_short,
				insurance_digit;
	/* address */
	uint32_t	address_other,
				address_missing,
				house_number_wrong,
				unit_missing;
	uint32_t	at_own_station;
}			rate = {
	.marks_lost = 40000,
	.wrong_tone = 25000,
	.mistyped = 19000,
	.middle_dropped = 9000,
	.abbreviated = 7000,
	.words_swapped = 4000,
	.like_surname = 8000,
	.i_for_y = 60000,
	.newborn_name = 800000,
	.year_only_old = 70000,
	.year_only = 28000,
	.first_of_january = 15000,
	.day_month_swapped = 28000,
	.year_off = 14000,
	.date_digit = 11000,
	.date_missing = 4000,
	.sex_missing = 15000,
	.sex_wrong = 8000,
	.phone_missing = 104000,
	.phone_relative = 30000,
	.phone_clinic = 8000,
	.phone_digit = 12000,
	.phone_zero_lost = 10000,
	.phone_old_form_late = 30000,
	.id_missing = 130000,
	.id_missing_child = 300000,
	.id_of_parent = 50000,
	.id_junk = 10000,
	.id_digit = 15000,
	.id_zero_lost = 10000,
	.id_card_still_old = 50000,
	.insured = 880000,
	.insurance_written = 450000,
	.insurance_short = 300000,
	.insurance_digit = 8000,
	.address_other = 30000,
	.address_missing = 30000,
	.house_number_wrong = 25000,
	.unit_missing = 30000,
	.at_own_station = 650000,
};

/* Of a thousand facilities. */
static const struct
{
	int			capitals_plain,
				plain,
				capitals,
				decomposed,
				tone_on_second,
				swaps_y,
				loses_zeros,
				local_codes,
				year_zeros,
				year_first_of_january;
	int			phones[5];		/* by PhoneStyle */
	int			addresses[ADDRESS_STYLES];
}			style = {
	.capitals_plain = 80,
	.plain = 30,
	.capitals = 350,
	.decomposed = 25,
	.tone_on_second = 400,
	.swaps_y = 20,
	.loses_zeros = 20,
	.local_codes = 200,
	.year_zeros = 250,
	.year_first_of_january = 250,
	.phones = {700, 90, 90, 70, 50},
	.addresses = {300, 250, 150, 100, 200},
};

#define BIG_FACILITIES 40

/* The days between which anything happens, and those that changed the formats. */
#define LAST_DAY day_number(2026, 6, 30)
#define PHONES_SHORT day_number(2018, 9, 15)
#define UNITS_NEW day_number(2025, 7, 1)

/* Kinds of random streams, apart from those of vn_people.c. */
enum
{
	S_FACILITY = 100, S_FACILITY_CODE, S_PROGRAMME, S_DAYS, S_PLACE, S_WRITE_NAME, S_WRITE_DATE, S_WRITE_PHONE,
	S_WRITE_ID, S_WRITE_INSURANCE, S_WRITE_ADDRESS, S_WRITE_VACCINE, S_CONTACT
};

static const char *const placeholders[] = {
	"0", "000000000", "000000000000", "111111111", "123456789", "123456789012", "999999999999", "KHONG CO", "0123456789",
};

/* Surnames taken for one another. */
static const char *const like_surnames[][2] = {
	{"Hoàng", "Huỳnh"}, {"Vũ", "Võ"}, {"Đặng", "Đăng"}, {"Phan", "Phạm"}, {"Trương", "Trường"}, {"Lý", "Lê"},
};

/*
 * The facilities in an order of their own for each style, cut at the shares:
 * so many of a thousand have it, whatever the seed.
 */
static int
place_of(const City *city, uint32_t facility, int which)
{
	uint64_t	key = hash3(city->world.seed, S_FACILITY, (uint64_t) which);

	return (int) (permute(key, city->n_facilities, facility) * 1000 / city->n_facilities);
}

static int
pick(const int *shares, int n, int place)
{
	int			i = 0;

	while (i < n - 1 && place >= shares[i])
		place -= shares[i++];
	return i;
}

static void
facility_make(City *city, uint32_t number)
{
	Facility   *f = &city->facilities[number];
	int			place = place_of(city, number, 0);

	snprintf(f->code, sizeof f->code, "79%03u",
			 (unsigned) permute(hash3(city->world.seed, S_FACILITY_CODE, 0), city->n_facilities, number) % 999 + 1);
	f->letters = LETTERS_AS_THEY_ARE;
	if (place < style.capitals_plain)
		f->letters = LETTERS_CAPITAL_PLAIN;
	else if (place < style.capitals_plain + style.plain)
		f->letters = LETTERS_PLAIN;
	else if (place < style.capitals_plain + style.plain + style.capitals)
		f->letters = LETTERS_CAPITAL;
	f->decomposed = place_of(city, number, 1) < style.decomposed;
	f->tone_on_second = place_of(city, number, 2) < style.tone_on_second;
	f->swaps_y = place_of(city, number, 3) < style.swaps_y;
	f->loses_zeros = place_of(city, number, 4) < style.loses_zeros;
	f->local_codes = place_of(city, number, 5) < style.local_codes;
	place = place_of(city, number, 6);
	f->years = place < style.year_zeros ? YEAR_ZEROS :
		place < style.year_zeros + style.year_first_of_january ? YEAR_FIRST_OF_JANUARY : YEAR_BARE;
	f->phones = (PhoneStyle) pick(style.phones, 5, place_of(city, number, 7));
	f->addresses = (AddressStyle) pick(style.addresses, ADDRESS_STYLES, place_of(city, number, 8));
	f->new_units_from = UNITS_NEW + place_of(city, number, 9) * 150 / 1000;
}

void
city_make(City *city, const char *folder, uint64_t seed, uint32_t persons)
{
	memset(city, 0, sizeof *city);
	world_make(&city->world, folder, seed, persons);
	city->n_facilities = city->world.tables.n_wards + BIG_FACILITIES;
	city->facilities = need(city->n_facilities * sizeof(Facility));
	for (uint32_t i = 0; i < city->n_facilities; i++)
		facility_make(city, i);
}

static const Programme *
programme_of(const City *city, const Person *person)
{
	const Tables *t = &city->world.tables;
	Rng			rng = rng_start(city->world.seed, S_PROGRAMME, person->index);
	const Programme *fits[32];
	uint32_t	total = 0,
				draw;
	int			n = 0;

	for (int i = 0; i < t->n_programmes && n < 32; i++)
	{
		const Programme *p = &t->programmes[i];

		if (person->born_year < p->born_from || person->born_year > p->born_to ||
			(p->sex != '*' && p->sex != (person->female ? 'F' : 'M')))
			continue;
		fits[n++] = p;
		total += p->weight;
	}
	if (n == 0)
		return &t->programmes[t->n_programmes - 1];
	draw = rng_below(&rng, total);
	for (n = 0; draw >= fits[n]->weight; n++)
		draw -= fits[n]->weight;
	return fits[n];
}

int
row_day(const City *city, const Person *person, int k)
{
	const Programme *p = programme_of(city, person);
	Rng			rng = rng_start(city->world.seed, S_DAYS, person->index);
	int			day = rng_range(&rng, p->first_from, p->first_to) + (p->from_birth ? person->born : 0);

	for (int i = 0;; i++)
	{
		int			wait = rng_range(&rng, p->dose[i].days_from, p->dose[i].days_to);
		int			late = rng_range(&rng, 0, 40);

		if (day + wait <= LAST_DAY)
			day += wait;
		else if (day < LAST_DAY - late)
			day = LAST_DAY - late;
		if (i == k)
			return day;
	}
}

static uint32_t
facility_of(const City *city, const Person *person, int k, uint32_t ward)
{
	Rng			rng = rng_start(city->world.seed, S_PLACE, (uint64_t) person->index * 4 + (uint64_t) k);

	if (rng_chance(&rng, rate.at_own_station))
		return ward;
	return city->world.tables.n_wards + rng_below(&rng, BIG_FACILITIES);
}

/* Appends without a NUL; returns the new end. */
static char *
add(char *to, const char *text)
{
	size_t		len = strlen(text);

	memcpy(to, text, len);
	return to + len;
}

static char *
add_number(char *to, int number)
{
	if (number >= 10)
		to = add_number(to, number / 10);
	*to = (char) ('0' + number % 10);
	return to + 1;
}

/* A name on its way to the paper. */
typedef struct Name
{
	int			n;
	Word		word[8];
} Name;

static void
name_read(const City *city, const Person *person, Name *name)
{
	name->n = person->n_words;
	for (int i = 0; i < person->n_words; i++)
		name->word[i] = city->world.tables.words[person->word[i]];
}

static bool
word_is(const Word *word, const char *text)
{
	Word		other;

	word_read(&other, text, strlen(text));
	return other.len == word->len && memcmp(other.cp, word->cp, word->len * sizeof(uint16_t)) == 0;
}

static void
name_remove(Name *name, int at)
{
	memmove(&name->word[at], &name->word[at + 1], (size_t) (name->n - at - 1) * sizeof(Word));
	name->n--;
}

static void
mistake_surname(Name *name)
{
	for (size_t i = 0; i < sizeof like_surnames / sizeof like_surnames[0]; i++)
		for (int side = 0; side < 2; side++)
			if (word_is(&name->word[0], like_surnames[i][side]))
			{
				const char *other = like_surnames[i][1 - side];

				word_read(&name->word[0], other, strlen(other));
				return;
			}
}

static void
abbreviate(Name *name, Rng *rng)
{
	int			kind = (int) rng_below(rng, 3);

	/* T. for Thị, Ng. for Nguyễn, or all but the given name */
	for (int i = 0; i < name->n - 1; i++)
	{
		Word	   *w = &name->word[i];
		bool		nguyen = i == 0 && word_is(w, "Nguyễn");

		if ((kind == 0 && i == 0) || (kind == 1 && i > 0))
			continue;
		w->len = nguyen ? 3 : 2;
		w->cp[1] = 'g';
		w->cp[w->len - 1] = '.';
	}
}

static void
reorder(Name *name, Rng *rng)
{
	Word		given = name->word[name->n - 1];

	if (name->n > 3 && rng_chance(rng, 400000))
	{
		name->word[name->n - 1] = name->word[1];	/* the middle names change places */
		name->word[1] = name->word[2];
		name->word[2] = name->word[name->n - 1];
		name->word[name->n - 1] = given;
		return;
	}
	memmove(&name->word[1], &name->word[0], (size_t) (name->n - 1) * sizeof(Word));
	name->word[0] = given;
}

static void
name_spoil(Name *name, Rng *rng)
{
	if (rng_chance(rng, rate.wrong_tone))
		word_wrong_tone(&name->word[rng_below(rng, (uint32_t) name->n)], rng);
	if (rng_chance(rng, rate.like_surname))
		mistake_surname(name);
	if (rng_chance(rng, rate.mistyped))
		word_mistype(&name->word[rng_below(rng, (uint32_t) name->n)], rng);
	if (rng_chance(rng, rate.middle_dropped) && name->n > 2)
		name_remove(name, 1 + (int) rng_below(rng, (uint32_t) name->n - 2));
	if (rng_chance(rng, rate.abbreviated))
		abbreviate(name, rng);
	if (rng_chance(rng, rate.words_swapped) && name->n > 2)
		reorder(name, rng);
}

/*
 * A newborn has no name yet: "CB NGUYEN THI LAN" is the child of that mother;
 * twins are told apart by a number.
 */
static bool
name_of_newborn(const City *city, const Person *person, Rng *rng, Name *name, char **to)
{
	uint32_t	index;
	Person		mother;

	if (!parent_of(person, MOTHER, &index) || !rng_chance(rng, rate.newborn_name))
		return false;
	person_make(&city->world, index, &mother);
	person_name(&city->world, &mother);
	name_read(city, &mother, name);
	if (person->twin)
		*to = add(*to, person->birth_order % 2 ? "CB2 " : "CB1 ");
	else
		*to = add(*to, rng_chance(rng, 600000) ? "CB " : "CON BÀ ");
	return true;
}

static void
write_name(const City *city, const Person *person, const Facility *facility, Rng rng, int age_days, char *to)
{
	char		raw[sizeof((Row *) 0)->full_name / 3];
	char	   *at = raw;
	Letters		letters = facility->letters;
	Name		name;

	if (age_days > 28 || !name_of_newborn(city, person, &rng, &name, &at))
		name_read(city, person, &name);
	name_spoil(&name, &rng);
	for (int i = 0; i < name.n; i++)
	{
		word_place_tone(&name.word[i], facility->tone_on_second);
		if (facility->swaps_y || rng_chance(&rng, rate.i_for_y))
			word_swap_y(&name.word[i]);
		if (i > 0)
			*at++ = ' ';
		at = word_write(at, &name.word[i], LETTERS_AS_THEY_ARE, false);
	}
	*at = '\0';
	if (rng_chance(&rng, rate.marks_lost))
		letters = letters == LETTERS_CAPITAL ? LETTERS_CAPITAL_PLAIN : letters == LETTERS_AS_THEY_ARE ? LETTERS_PLAIN : letters;
	*text_write(to, raw, letters, facility->decomposed) = '\0';
}

static void
write_day(char *to, int year, int month, int day)
{
	to[0] = (char) ('0' + year / 1000 % 10);
	to[1] = (char) ('0' + year / 100 % 10);
	to[2] = (char) ('0' + year / 10 % 10);
	to[3] = (char) ('0' + year % 10);
	to[4] = to[7] = '-';
	to[5] = (char) ('0' + month / 10);
	to[6] = (char) ('0' + month % 10);
	to[8] = (char) ('0' + day / 10);
	to[9] = (char) ('0' + day % 10);
	to[10] = '\0';
}

static int
days_in_month(int year, int month)
{
	return day_number(year + month / 12, month % 12 + 1, 1) - day_number(year, month, 1);
}

static void
write_birth_date(const Person *person, const Facility *facility, Rng rng, int on, char *to)
{
	int			year,
				month,
				day;
	bool		old = on - person->born > 60 * 365;
	bool		unknown = person->year_only;

	day_split(person->born, &year, &month, &day);
	if (rng_chance(&rng, rate.date_missing))
	{
		*to = '\0';
		return;
	}
	if (rng_chance(&rng, rate.year_off) && on - person->born > 800)
		year += rng_chance(&rng, 500000) ? 1 : -1;
	if (rng_chance(&rng, old ? rate.year_only_old : rate.year_only) && on - person->born > 400)
		unknown = true;
	if (unknown)
	{
		write_day(to, year, 0, 0);
		if (facility->years == YEAR_FIRST_OF_JANUARY)
			write_day(to, year, 1, 1);
		else if (facility->years == YEAR_BARE)
			to[4] = '\0';
		return;
	}
	if (rng_chance(&rng, rate.first_of_january))
		month = day = 1;
	else if (rng_chance(&rng, rate.day_month_swapped) && day <= 12)
	{
		int			keep = day;

		day = month;
		month = keep;
	}
	else if (rng_chance(&rng, rate.date_digit))
	{
		/* a day or month misread; the result is still a date */
		if (rng_chance(&rng, 600000))
			day = 1 + (day + 9 * (1 + (int) rng_below(&rng, 2))) % 28;
		else
			month = 1 + (month + (int) rng_below(&rng, 10)) % 12;
	}
	if (day > days_in_month(year, month))
		day = 28;
	/* a program refuses a birth after the vaccination, so the clerk looked again */
	if (day_number(year, month, day) > on)
		day_split(person->born, &year, &month, &day);
	write_day(to, year, month, day);
}

static void
write_sex(const Person *person, Rng *rng, char *to)
{
	bool		female = person->female;

	*to = '\0';
	if (rng_chance(rng, rate.sex_missing))
		return;
	if (rng_chance(rng, rate.sex_wrong))
		female = !female;
	strcpy(to, female ? "female" : "male");
}

/* One digit becomes another. */
static void
spoil_digit(char *text, Rng *rng)
{
	size_t		len = strlen(text);
	char	   *at = text + rng_below(rng, (uint32_t) len);

	if (*at >= '0' && *at <= '9')
		*at = (char) ('0' + (*at - '0' + 1 + (int) rng_below(rng, 9)) % 10);
}

static void
drop_first(char *text)
{
	memmove(text, text + 1, strlen(text));
}

/* Whose phone is given for a person: children and many of the old have none of their own. */
static uint32_t
contact_of(const City *city, const Person *person, int on)
{
	Rng			rng = rng_start(city->world.seed, S_CONTACT, person->index);
	int			age = (on - person->born) / 365;
	bool		mother = rng_chance(&rng, 650000);
	bool		shares = rng_chance(&rng, 450000);
	uint32_t	parent;

	if (age < 16 && parent_of(person, mother ? MOTHER : FATHER, &parent))
		return parent;
	if (age < 16 && parent_of(person, MOTHER, &parent))
		return parent;
	if ((person->role == GRANDMOTHER || person->role == GRANDFATHER) && shares)
		return person->house.first + mother;
	/* an old couple has one phone */
	if (age >= 70 && person->role == MOTHER && shares)
		return person->house.first;
	return person->index;
}

static void
format_phone(char *to, const char *digits, PhoneStyle phones)
{
	const char *gap = phones == PHONE_DOTS ? "." : " ";

	if (phones == PHONE_PLUS84 || phones == PHONE_84)
		*add(add(to, phones == PHONE_PLUS84 ? "+84" : "84"), digits + 1) = '\0';
	else if (phones == PHONE_DIGITS)
		strcpy(to, digits);
	else
		sprintf(to, "%.4s%s%.3s%s%s", digits, gap, digits + 4, gap, digits + 7);
}

static void
write_phone(const City *city, const Person *person, uint32_t facility, Rng rng, int on, char *to)
{
	const World *w = &city->world;
	uint32_t	owner = contact_of(city, person, on);
	uint32_t	number;
	char		digits[12];
	bool		old_form = on < PHONES_SHORT || (on < PHONES_SHORT + 600 && rng_chance(&rng, rate.phone_old_form_late));

	*to = '\0';
	if (rng_chance(&rng, rate.phone_missing))
		return;
	if (rng_chance(&rng, rate.phone_relative))
	{
		owner = person->house.first + rng_below(&rng, (uint32_t) person->house.size);
		if (person->house.size == 1 || person->role == SINGLE)
			owner = rng_below(&rng, w->persons);
	}
	number = phone_number(w, owner, on);
	if (rng_chance(&rng, rate.phone_clinic))
		number = phone_of_clinic(w, facility * 4 + rng_below(&rng, 4));
	phone_write(w, number, old_form, digits);
	if (rng_chance(&rng, rate.phone_digit))
		spoil_digit(digits + 3, &rng);
	format_phone(to, digits, city->facilities[facility].phones);
	if (*to == '0' && (city->facilities[facility].loses_zeros || rng_chance(&rng, rate.phone_zero_lost)))
		drop_first(to);
}

/* The number that a person shows on a day: none, the old card's or the twelve digits. */
static void
id_shown(const World *world, const Person *person, Rng *rng, int on, char *to)
{
	int			corrected = cccd_corrected(world, person);

	*to = '\0';
	if (on < cccd_since(world, person) || (person->born_year <= 2006 && rng_chance(rng, rate.id_card_still_old)))
	{
		if (on - person->born >= 14 * 365 && person->born_year <= 2006)
			cmnd_write(world, person, to);
	}
	else
		cccd_write(world, person, corrected && on < corrected, to);
}

static void
write_id(const City *city, const Person *person, const Facility *facility, Rng rng, int on, char *to)
{
	const World *w = &city->world;
	bool		child = on - person->born < 14 * 365;
	bool		of_father = rng_chance(&rng, 500000);
	uint32_t	parent;

	*to = '\0';
	if (on - person->born <= 28)
		return;					/* no number before the birth is registered */
	if (rng_chance(&rng, rate.id_junk))
	{
		strcpy(to, placeholders[rng_below(&rng, sizeof placeholders / sizeof placeholders[0])]);
		return;
	}
	if (child && rng_chance(&rng, rate.id_of_parent) &&
		(parent_of(person, of_father ? FATHER : MOTHER, &parent) || parent_of(person, MOTHER, &parent)))
	{
		Person		other;

		person_make(w, parent, &other);
		id_shown(w, &other, &rng, on, to);
	}
	else if (!rng_chance(&rng, child ? rate.id_missing_child : rate.id_missing))
		id_shown(w, person, &rng, on, to);
	if (*to && rng_chance(&rng, rate.id_digit))
		spoil_digit(to, &rng);
	if (*to == '0' && (facility->loses_zeros || rng_chance(&rng, rate.id_zero_lost)))
		drop_first(to);
}

static void
write_insurance(const City *city, const Person *person, Rng rng, int on, char *to)
{
	static const char *const adult[] = {"DN4", "DN4", "GD4", "GD4", "HC4", "BT2", "HT3"};
	Rng			own = rng_start(city->world.seed, S_WRITE_INSURANCE, ((uint64_t) 1 << 40) + person->index);
	int			age = (on - person->born) / 365;
	bool		insured = rng_chance(&own, rate.insured);
	const char *group = adult[rng_below(&own, sizeof adult / sizeof adult[0])];

	*to = '\0';
	if (!insured || on - person->born <= 28 || !rng_chance(&rng, rate.insurance_written))
		return;
	if (!rng_chance(&rng, rate.insurance_short))
		to = add(add(to, age < 6 ? "TE1" : age < 18 ? "HS4" : age >= 80 ? "BT2" : age >= 60 ? "HT3" : group), "79");
	insurance_write(&city->world, person, to);
	if (rng_chance(&rng, rate.insurance_digit))
		spoil_digit(to, &rng);
}

/* "Phường 3" as P.3 or P3, "Xã Bình Hưng" as X.Bình Hưng */
static char *
add_unit(char *to, const char *unit, bool brief, const char *dot)
{
	static const char *const kinds[][2] = {
		{"Phường ", "P"}, {"Xã ", "X"}, {"Thị trấn ", "TT"}, {"Quận ", "Q"}, {"Huyện ", "H"}, {"Thành phố ", "TP"}, {"Đặc khu ", "ĐK"},
	};

	for (size_t i = 0; brief && i < sizeof kinds / sizeof kinds[0]; i++)
	{
		size_t		len = strlen(kinds[i][0]);

		if (strncmp(unit, kinds[i][0], len) == 0)
			return add(add(add(to, kinds[i][1]), dot), unit + len);
	}
	return add(to, unit);
}

static void
write_address(const City *city, const Home *home, const Facility *facility, bool new_units, char *to)
{
	static const char *const city_names[ADDRESS_STYLES] = {
		", TP Hồ Chí Minh", ", TP.HCM", ", Thành phố Hồ Chí Minh", "", "",
	};
	const Ward *ward = &city->world.tables.wards[home->ward];
	AddressStyle how = facility->addresses;
	bool		brief = how == ADDRESS_SHORT || how == ADDRESS_QUARTER;
	const char *dot = how == ADDRESS_SHORT ? "." : "";
	char		raw[sizeof((Row *) 0)->address / 3];
	char	   *at = raw;

	at = add_number(add(at, how == ADDRESS_WORDY ? "Số " : ""), home->number);
	if (home->alley)
		at = add_number(add(at, "/"), home->alley);
	at = add(add(at, how == ADDRESS_WORDY ? " đường " : " "), city->world.tables.streets[home->street]);
	if (how == ADDRESS_QUARTER)
		at = add_number(add(at, strncmp(ward->name, "Xã", strlen("Xã")) == 0 ? ", ấp " : ", KP"), home->quarter);
	if (how != ADDRESS_STREET)
	{
		at = add_unit(add(at, ", "), new_units ? ward->new_name : ward->name, brief, dot);
		if (!new_units)
			at = add_unit(add(at, ", "), ward->district, brief, dot);
	}
	*add(at, city_names[how]) = '\0';
	*text_write(to, raw, facility->letters, facility->decomposed) = '\0';
}

static void
write_place(const City *city, const Home *lives, const Facility *facility, Rng rng, int on, Row *row)
{
	Home		home = *lives;
	bool		new_units = on >= facility->new_units_from;
	const Ward *ward;

	if (rng_chance(&rng, rate.address_other))
		home_draw(&city->world, &rng, &home);
	if (rng_chance(&rng, rate.house_number_wrong))
		home.number = 1 + (home.number + (int) rng_below(&rng, 90)) % 900;
	if (rng_chance(&rng, rate.house_number_wrong))
		home.alley = 0;
	*row->address = '\0';
	if (!rng_chance(&rng, rate.address_missing))
		write_address(city, &home, facility, new_units, row->address);
	ward = &city->world.tables.wards[home.ward];
	strcpy(row->province_code, "79");
	*row->ward_code = *row->district_code = '\0';
	if (!new_units)
		strcpy(row->district_code, ward->district_code);
	if (!rng_chance(&rng, rate.unit_missing))
		strcpy(row->ward_code, new_units ? ward->new_code : ward->code);
}

static void
write_vaccine(const City *city, const Person *person, int k, const Facility *facility, Rng rng, int on, Row *row)
{
	const Dose *dose = &programme_of(city, person)->dose[k];
	const Vaccine *v = &city->world.tables.vaccines[dose->vaccine[rng_below(&rng, (uint32_t) dose->n_vaccines)]];
	int			year,
				month,
				day;

	day_split(on, &year, &month, &day);
	strcpy(row->vaccine_code, facility->local_codes ? v->code : v->cvx);
	strcpy(row->vaccine_name, v->name);
	*add_number(row->dose_number, dose->number) = '\0';
	write_day(row->vaccinated_on, year, month, day);
	row->lot[0] = v->code[0];
	row->lot[1] = (char) ('A' + (strlen(v->code) + (size_t) month) % 26);
	*add_number(row->lot + 2, year % 100 * 1000 + month * 10 + (int) rng_below(&rng, 4)) = '\0';
	strcpy(row->facility_code, facility->code);
	strcpy(row->disease, v->diseases);
}

void
row_make(const City *city, uint32_t index, int k, Row *row)
{
	uint64_t	seed = city->world.seed;
	uint64_t	number = (uint64_t) index * 4 + (uint64_t) k;
	Rng			rng;
	Person		person;
	Home		home;
	uint32_t	where;
	const Facility *facility;
	int			on;

	person_make(&city->world, index, &person);
	person_name(&city->world, &person);
	on = row_day(city, &person, k);
	home_on(&city->world, &person.house, on, &home);
	where = facility_of(city, &person, k, home.ward);
	facility = &city->facilities[where];

	write_name(city, &person, facility, rng_start(seed, S_WRITE_NAME, number), on - person.born, row->full_name);
	rng = rng_start(seed, S_WRITE_DATE, number);
	write_sex(&person, &rng, row->sex);
	write_birth_date(&person, facility, rng, on, row->birth_date);
	write_phone(city, &person, where, rng_start(seed, S_WRITE_PHONE, number), on, row->phone);
	write_id(city, &person, facility, rng_start(seed, S_WRITE_ID, number), on, row->citizen_number);
	write_insurance(city, &person, rng_start(seed, S_WRITE_INSURANCE, number), on, row->insurance_number);
	write_place(city, &home, facility, rng_start(seed, S_WRITE_ADDRESS, number), on, row);
	write_vaccine(city, &person, k, facility, rng_start(seed, S_WRITE_VACCINE, number), on, row);
}
