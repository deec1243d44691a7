/*
 * match_files.c
 *		Big arrays in temporary files, for linking in bulk.
 */
#include "postgres.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/memutils.h"

#include "compat.h"
#include "identity/match_bulk.h"

/* From this size on an array may go into a file. */
#define BLOB_LEAST ((Size) 1024 * 1024)

static void
map_file(MatchMap *map, File file, size_t size)
{
	map->base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, FileGetRawDesc(file), 0);
	if (map->base == MAP_FAILED)
	{
		map->base = NULL;
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not map a temporary file into memory: %m")));
	}
	map->size = size;
}

static void
take_space(File file, size_t size)
{
	int			failed = posix_fallocate(FileGetRawDesc(file), 0, (off_t) size);

	if (failed != 0)
	{
		errno = failed;
		ereport(ERROR,
				(errcode(ERRCODE_DISK_FULL),
				 errmsg("could not take disk space for linking: %m"),
				 errhint("The folder of temporary files needs about 200 bytes a patient.")));
	}
}

void
match_map_create(FileSet *files, MatchMap *map, const char *name, size_t size)
{
	File		file;

	map->base = NULL;
	map->size = 0;
	strlcpy(map->name, name, sizeof map->name);
	file = FileSetCreate(files, name);
	size = size == 0 ? 1 : size;
	take_space(file, size);
	map_file(map, file, size);
	/* the mapping stays */
	FileClose(file);
}

void
match_map_grow(FileSet *files, MatchMap *map, size_t size)
{
	File		file = FileSetOpen(files, map->name, O_RDWR);

	match_map_close(map);
	take_space(file, size);
	map_file(map, file, size);
	FileClose(file);
}

void
match_map_open(FileSet *files, MatchMap *map, const char *name, size_t size)
{
	File		file = FileSetOpen(files, name, O_RDWR);

	strlcpy(map->name, name, sizeof map->name);
	map_file(map, file, size == 0 ? 1 : size);
	FileClose(file);
}

void
match_map_close(MatchMap *map)
{
	if (map->base != NULL)
		munmap(map->base, map->size);
	map->base = NULL;
	map->size = 0;
}

/* ---- memory for core/ ---- */

typedef struct MatchBlob
{
	void	   *base;
	MatchMap	map;			/* base NULL: palloc'ed */
	Size		size;
	struct MatchBlob *next;
} MatchBlob;

static void *
memory_alloc(void *arg, size_t size)
{
	MatchMemory *m = arg;
	MatchBlob  *blob;

	if (size < BLOB_LEAST)
		return MemoryContextAllocExtended(m->cxt, size, MCXT_ALLOC_NO_OOM);
	blob = MemoryContextAllocZero(m->cxt, sizeof *blob);
	if (m->used + size <= m->limit)
		blob->base = MemoryContextAllocExtended(m->cxt, size, MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
	if (blob->base == NULL)
	{
		char		name[24];

		snprintf(name, sizeof name, "m%d", m->numbered++);
		match_map_create(m->files, &blob->map, name, size);
		blob->base = blob->map.base;
	}
	else
	{
		blob->size = size;
		m->used += size;
	}
	blob->next = m->blobs;
	m->blobs = blob;
	return blob->base;
}

static void
release(MatchMemory *m, MatchBlob *blob)
{
	if (blob->map.base == NULL)
		pfree(blob->base);
	else
	{
		match_map_close(&blob->map);
		FileSetDelete(m->files, blob->map.name, false);
	}
	m->used -= blob->size;
	pfree(blob);
}

static void
memory_free(void *arg, void *p)
{
	MatchMemory *m = arg;
	MatchBlob **at;

	for (at = &m->blobs; *at != NULL; at = &(*at)->next)
		if ((*at)->base == p)
		{
			MatchBlob  *blob = *at;

			*at = blob->next;
			release(m, blob);
			return;
		}
	pfree(p);
}

static bool
memory_interrupted(void *arg)
{
	/* other interrupts, such as messages of workers, wait for match_check */
	return QueryCancelPending || ProcDiePending;
}

void
match_memory_start(MatchMemory *memory, MemoryContext cxt, FileSet *files, Size limit)
{
	memset(memory, 0, sizeof *memory);
	memory->cxt = cxt;
	memory->files = files;
	memory->limit = limit;
}

CoreContext
match_memory_core(MatchMemory *memory)
{
	CoreContext core = {memory_alloc, memory_free, memory_interrupted, memory, 100};

	return core;
}

void
match_memory_end(MatchMemory *memory)
{
	while (memory->blobs != NULL)
	{
		MatchBlob  *blob = memory->blobs;

		memory->blobs = blob->next;
		release(memory, blob);
	}
}
