/*-------------------------------------------------------------------------
 *
 * vn_record.h
 *		One vaccination row as a facility wrote it down, mistakes included.
 *
 *-------------------------------------------------------------------------
 */
#ifndef VN_RECORD_H
#define VN_RECORD_H

#include "vn_people.h"

/* The columns of the file after record_id, in their order; empty = NULL. */
typedef struct Row
{
	char		full_name[256];
	char		birth_date[16];
	char		sex[8];
	char		phone[24];
	char		citizen_number[24];
	char		insurance_number[24];
	char		address[512];
	char		ward_code[8];
	char		district_code[8];
	char		province_code[8];
	char		vaccine_code[24];
	char		vaccine_name[32];
	char		dose_number[4];
	char		vaccinated_on[16];
	char		lot[16];
	char		facility_code[8];
	char		disease[64];
} Row;

typedef enum YearStyle
{
	YEAR_BARE,					/* 1957 */
	YEAR_ZEROS,					/* 1957-00-00 */
	YEAR_FIRST_OF_JANUARY		/* 1957-01-01 */
} YearStyle;

typedef enum PhoneStyle
{
	PHONE_DIGITS, PHONE_DOTS, PHONE_BLANKS, PHONE_PLUS84, PHONE_84
} PhoneStyle;

typedef enum AddressStyle
{
	ADDRESS_FULL, ADDRESS_SHORT, ADDRESS_WORDY, ADDRESS_STREET, ADDRESS_QUARTER, ADDRESS_STYLES
} AddressStyle;

/* What a facility does to all its rows. */
typedef struct Facility
{
	char		code[8];
	Letters		letters;
	bool		decomposed;		/* its program writes NFD */
	bool		tone_on_second; /* hoà, not hòa */
	bool		swaps_y;		/* Lí, Mĩ */
	bool		loses_zeros;	/* its rows went through a spreadsheet */
	bool		local_codes;	/* vaccine codes of its own instead of CVX */
	YearStyle	years;
	PhoneStyle	phones;
	AddressStyle addresses;
	int			new_units_from; /* day on which it began to use the units of July 2025 */
} Facility;

typedef struct City
{
	World		world;
	uint32_t	n_facilities;	/* one a ward, then the big ones */
	Facility   *facilities;
} City;

extern void city_make(City *city, const char *folder, uint64_t seed, uint32_t persons);

/* The day of the k-th row (0 ..) of a person. */
extern int	row_day(const City *city, const Person *person, int k);

/* The row itself; depends on the seed, the person and k alone. */
extern void row_make(const City *city, uint32_t person, int k, Row *row);

#endif							/* VN_RECORD_H */
