/*-------------------------------------------------------------------------
 *
 * vn_csv.c
 *		Reads CSV files, and numbers texts.
 *
 *-------------------------------------------------------------------------
 */
#include "vn_csv.h"

#include "vn_figures.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
csv_open(Csv *csv, const char *path)
{
	FILE	   *f = fopen(path, "rb");
	long		size = -1;

	memset(csv, 0, sizeof *csv);
	csv->path = path;
	if (f && fseek(f, 0, SEEK_END) == 0)
		size = ftell(f);
	if (size < 0)
		die("cannot read %s: %s", path, strerror(errno));
	rewind(f);
	csv->text = csv->at = need((size_t) size + 1);
	if (fread(csv->text, 1, (size_t) size, f) != (size_t) size)
		die("cannot read %s", path);
	fclose(f);
	csv->end = csv->text + size;
	if (!csv_next(csv))
		die("%s is empty", path);
	memcpy(csv->header, csv->cell, sizeof csv->header);
}

/* Reads one cell in place and returns what ended it: a comma, a line feed or 0 (the end). */
static char
read_cell(Csv *csv, char **cell)
{
	char	   *to = csv->at;
	bool		quoted = csv->at < csv->end && *csv->at == '"';
	char		stop;

	*cell = to;
	for (csv->at += quoted; csv->at < csv->end; csv->at++)
	{
		if (quoted && *csv->at == '"')
		{
			if (csv->at + 1 < csv->end && csv->at[1] == '"')
				csv->at++;
			else
			{
				csv->at++;
				break;
			}
		}
		else if (!quoted && (*csv->at == ',' || *csv->at == '\n'))
			break;
		*to++ = *csv->at;
	}
	if (!quoted && to > *cell && to[-1] == '\r')
		to--;
	else if (quoted && csv->at < csv->end && *csv->at == '\r')
		csv->at++;
	if (csv->at < csv->end && *csv->at != ',' && *csv->at != '\n')
		die("%s, line %llu: text after a closing quote", csv->path, (unsigned long long) csv->line);
	stop = csv->at < csv->end ? *csv->at : '\0';
	csv->at += csv->at < csv->end;
	*to = '\0';
	return stop;
}

bool
csv_next(Csv *csv)
{
	int			n = 0;
	char		stop;

	if (csv->at >= csv->end)
		return false;
	csv->line++;
	do
	{
		if (n == CSV_MAX_COLUMNS)
			die("%s, line %llu: too many columns", csv->path, (unsigned long long) csv->line);
		stop = read_cell(csv, &csv->cell[n++]);
	} while (stop == ',');
	if (csv->columns && n != csv->columns)
		die("%s, line %llu: %d columns instead of %d", csv->path, (unsigned long long) csv->line, n, csv->columns);
	csv->columns = n;
	return true;
}

int
csv_column(const Csv *csv, const char *name)
{
	for (int i = 0; i < csv->columns; i++)
		if (strcmp(csv->header[i], name) == 0)
			return i;
	die("%s has no column %s", csv->path, name);
}

void
names_start(Names *names)
{
	names->n = 0;
	names->slots = 1024;
	names->slot = need(names->slots * sizeof(uint32_t));
	names->text = need(names->slots / 2 * sizeof(char *));
	names->hash = need(names->slots / 2 * sizeof(uint64_t));
}

/* The slot that holds the text, or the free one where it belongs. */
static uint32_t *
find_slot(const Names *names, uint64_t hash, const char *text)
{
	uint32_t	i = (uint32_t) hash & (names->slots - 1);

	while (names->slot[i] && (names->hash[names->slot[i] - 1] != hash || strcmp(names->text[names->slot[i] - 1], text) != 0))
		i = (i + 1) & (names->slots - 1);
	return &names->slot[i];
}

static void
grow(Names *names)
{
	uint32_t	n = names->n;

	names->slots *= 2;
	free(names->slot);
	names->slot = need(names->slots * sizeof(uint32_t));
	names->text = realloc(names->text, names->slots / 2 * sizeof(char *));
	names->hash = realloc(names->hash, names->slots / 2 * sizeof(uint64_t));
	if (!names->text || !names->hash)
		die("out of memory");
	for (uint32_t k = 0; k < n; k++)
		*find_slot(names, names->hash[k], names->text[k]) = k + 1;
}

uint32_t
names_add(Names *names, const char *text)
{
	uint64_t	hash = text_key(text);
	uint32_t   *slot = find_slot(names, hash, text);

	if (*slot)
		return *slot - 1;
	if (names->n == names->slots / 2)
	{
		grow(names);
		slot = find_slot(names, hash, text);
	}
	names->text[names->n] = text;
	names->hash[names->n] = hash;
	*slot = ++names->n;
	return names->n - 1;
}

bool
names_find(const Names *names, const char *text, uint32_t *number)
{
	uint32_t	slot = *find_slot(names, text_key(text), text);

	*number = slot - 1;
	return slot != 0;
}
