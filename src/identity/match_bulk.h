/*
 * match_bulk.h
 *		Linking in bulk: what its files share.
 *
 * match_bulk.c		the run: rows in, the phases, results out
 * match_parallel.c	finding blocks and scoring pairs in several processes
 * match_files.c	big arrays in temporary files
 * match_store.c	persons and links into their tables
 */
#ifndef EHR_MATCH_BULK_H
#define EHR_MATCH_BULK_H

#include "storage/fileset.h"

#include "core/match_block.h"
#include "core/match_count.h"
#include "core/match_link.h"

/* ehr.match_memory, in kilobytes */
extern int	ehr_match_memory;

/* ---- match_files.c ---- */

/*
 * An array in a temporary file, mapped into memory: several processes see it,
 * and the system can write it out where memory is short.  Disk space is taken
 * when it is made, so that a full disk is an error and no crash.
 */
typedef struct MatchMap
{
	char		name[24];
	void	   *base;
	size_t		size;
} MatchMap;

extern void match_map_create(FileSet *files, MatchMap *map, const char *name, size_t size);
extern void match_map_grow(FileSet *files, MatchMap *map, size_t size);
extern void match_map_open(FileSet *files, MatchMap *map, const char *name, size_t size);
extern void match_map_close(MatchMap *map);

/*
 * Memory for core/: palloc up to a limit for the sum of all, above it arrays in
 * temporary files.  Everything goes with match_memory_end.
 */
typedef struct MatchMemory
{
	MemoryContext cxt;
	FileSet    *files;
	Size		used;
	Size		limit;
	struct MatchBlob *blobs;
	int			numbered;
} MatchMemory;

extern void match_memory_start(MatchMemory *memory, MemoryContext cxt, FileSet *files, Size limit);
extern CoreContext match_memory_core(MatchMemory *memory);
extern void match_memory_end(MatchMemory *memory);

/* ---- match_parallel.c ---- */

/* What all processes of a run share. */
typedef struct MatchJob
{
	FileSet    *files;
	MatchRow   *rows;
	uint32		n;
	uint16	   *state;
	MatchModel	model;
	double		link_bits;
	double		review_bits;
	Size		memory;			/* of all processes together */
	uint32		pieces[MATCH_RULES];	/* files of blocks that each rule has */
	double		home_pairs;
	MatchBlockStats stats;
	uint64		candidates;
	uint64		vetoed;
	uint64		linked;
	int			workers;		/* that came at most */
} MatchJob;

/* Meanwhile the leader does this. */
typedef void (*MatchMeanwhile) (void *arg);

/* Finds the blocks of all rules; values that many rows share come out of match_job_values. */
extern void match_job_find(MatchJob *job, MatchMeanwhile meanwhile, void *arg);

/* Reads a file of blocks into memory: number of rows, rows, number of rows, … */
extern uint32 *match_job_blocks(FileSet *files, int rule, uint32 piece, size_t *words);

/* Scores all pairs; edges come out of match_job_edges. */
extern void match_job_score(MatchJob *job);
extern void match_job_edges(MatchJob *job, MatchEdgeFn fn, void *arg);
extern void match_job_values(MatchJob *job, MatchValueFn fn, void *arg);

/* Raises what a core function came back with. */
extern void match_check(CoreStatus status);

#endif							/* EHR_MATCH_BULK_H */
