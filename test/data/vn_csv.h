/*-------------------------------------------------------------------------
 *
 * vn_csv.h
 *		Reads CSV files (RFC 4180, UTF-8, with a header line).
 *
 *-------------------------------------------------------------------------
 */
#ifndef VN_CSV_H
#define VN_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CSV_MAX_COLUMNS 64

typedef struct Csv
{
	const char *path;
	char	   *text,			/* the whole file, cut into cells as it is read */
			   *at,
			   *end;
	int			columns;
	char	   *header[CSV_MAX_COLUMNS];
	char	   *cell[CSV_MAX_COLUMNS];	/* of the line read last */
	uint64_t	line;
} Csv;

/* Ends the program with a message if the file cannot be read or a line is malformed. */
extern void csv_open(Csv *csv, const char *path);

/* The next line; false at the end. */
extern bool csv_next(Csv *csv);

/* Where a column of this name stands; ends the program if there is none. */
extern int	csv_column(const Csv *csv, const char *name);

/* Texts numbered in the order in which they first come: 0, 1, … */
typedef struct Names
{
	uint32_t	n,
				slots;			/* a power of two */
	uint32_t   *slot;			/* number + 1, 0 = free */
	const char **text;			/* by number; not copied */
	uint64_t   *hash;
} Names;

extern void names_start(Names *names);
extern uint32_t names_add(Names *names, const char *text);
extern bool names_find(const Names *names, const char *text, uint32_t *number);

#endif							/* VN_CSV_H */
