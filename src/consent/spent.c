/*
 * spent.c
 *		Tokens that were used: a hash table in shared memory, and a file that
 *		brings it over a restart.
 *
 * The file, ehr_spent_tokens in the data directory, is a sequence of records
 *
 *		key (16) | until (8, microseconds since 2000) | check (8)
 *
 * in the machine's byte order; check is the start of a MAC under a fixed key,
 * so that a torn record is noticed and skipped.  A login appends one before
 * its session exists.  It is written but not synced: it survives the kill of
 * any process, not the loss of power.  The postmaster reads it at its start
 * and after a crash of a backend, and writes it anew without what has expired.
 */
#include "postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include "core/mac.h"
#include "consent/spent.h"
#include "storage/fd.h"
#include "storage/shmem.h"
#include "utils/hsearch.h"

#define SPENT_FILE	"ehr_spent_tokens"
#define SPENT_TEMP	"ehr_spent_tokens.new"

typedef struct SpentEntry
{
	unsigned char key[SPENT_KEY_BYTES]; /* must be first */
	TimestampTz until;
} SpentEntry;

typedef struct SpentRecord
{
	unsigned char key[SPENT_KEY_BYTES];
	TimestampTz until;
	unsigned char check[8];
} SpentRecord;

StaticAssertDecl(sizeof(SpentRecord) == 32, "records have no padding");

typedef struct SpentShared
{
	long		capacity;
	long		records;		/* in the file, since it was written anew */
} SpentShared;

static SpentShared *shared = NULL;
static HTAB *entries = NULL;

static void
make_check(const SpentRecord *record, unsigned char check[8])
{
	static const unsigned char fixed[MAC_KEY_BYTES] = {0};
	unsigned char mac[MAC_BYTES];

	mac_make(fixed, "ehr spent token", record, offsetof(SpentRecord, check), mac);
	memcpy(check, mac, 8);
}

static void
make_record(const SpentEntry *entry, SpentRecord *record)
{
	memcpy(record->key, entry->key, SPENT_KEY_BYTES);
	record->until = entry->until;
	make_check(record, record->check);
}

/* Reads what the file still says; a damaged record is skipped, an absent file is empty. */
static void
read_file(void)
{
	FILE	   *file = AllocateFile(SPENT_FILE, PG_BINARY_R);
	TimestampTz now = GetCurrentTimestamp();
	SpentRecord record;

	if (file == NULL)
	{
		if (errno != ENOENT)
			ereport(FATAL,
					(errcode_for_file_access(),
					 errmsg("could not open file \"%s\": %m", SPENT_FILE)));
		return;
	}
	while (fread(&record, sizeof(record), 1, file) == 1)
	{
		unsigned char check[8];
		SpentEntry *entry;

		make_check(&record, check);
		if (memcmp(check, record.check, sizeof(check)) != 0 || record.until <= now)
			continue;
		entry = hash_search(entries, record.key, HASH_ENTER_NULL, NULL);
		if (entry == NULL)
			ereport(FATAL,
					(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
					 errmsg("too many used tokens for ehr.max_sessions"),
					 errhint("Raise ehr.max_sessions to what it was before.")));
		entry->until = record.until;
	}
	FreeFile(file);
}

/* Writes the file anew from the table. False, with errno, when that fails: the old file stays. */
static bool
write_file(void)
{
	FILE	   *file = AllocateFile(SPENT_TEMP, PG_BINARY_W);
	HASH_SEQ_STATUS scan;
	SpentEntry *entry;
	SpentRecord record;
	bool		good = true;

	if (file == NULL)
		return false;
	hash_seq_init(&scan, entries);
	while ((entry = hash_seq_search(&scan)) != NULL)
	{
		make_record(entry, &record);
		good = good && fwrite(&record, sizeof(record), 1, file) == 1;
	}
	good = fflush(file) == 0 && good;
	if (FreeFile(file) != 0 || !good)
		return false;
	if (durable_rename(SPENT_TEMP, SPENT_FILE, LOG) != 0)
		return false;
	shared->records = hash_get_num_entries(entries);
	return true;
}

static bool
append_record(const SpentEntry *entry)
{
	SpentRecord record;
	int			fd = OpenTransientFile(SPENT_FILE, O_WRONLY | O_APPEND | O_CREAT | PG_BINARY);
	ssize_t		written;

	if (fd < 0)
		return false;
	make_record(entry, &record);
	errno = 0;
	written = write(fd, &record, sizeof(record));
	if (written != sizeof(record) && errno == 0)
		errno = ENOSPC;
	CloseTransientFile(fd);
	return written == sizeof(record);
}

static void
sweep(void)
{
	HASH_SEQ_STATUS scan;
	SpentEntry *entry;
	TimestampTz now = GetCurrentTimestamp();

	hash_seq_init(&scan, entries);
	while ((entry = hash_seq_search(&scan)) != NULL)
		if (entry->until <= now)
			hash_search(entries, entry->key, HASH_REMOVE, NULL);
}

Size
spent_shmem_size(long capacity)
{
	return add_size(MAXALIGN(sizeof(SpentShared)), hash_estimate_size(capacity, sizeof(SpentEntry)));
}

void
spent_shmem_init(long capacity)
{
	HASHCTL		info = {.keysize = SPENT_KEY_BYTES,.entrysize = sizeof(SpentEntry)};
	bool		found;

	shared = ShmemInitStruct("ehr spent", sizeof(SpentShared), &found);
	entries = ShmemInitHash("ehr spent tokens", capacity, capacity, &info, HASH_ELEM | HASH_BLOBS);
	if (found)
		return;
	shared->capacity = capacity;
	read_file();
	if (!write_file())
		ereport(LOG,
				(errcode_for_file_access(),
				 errmsg("could not write file \"%s\": %m", SPENT_FILE)));
}

SpentResult
spent_note(const unsigned char key[SPENT_KEY_BYTES], TimestampTz until)
{
	SpentEntry	entry;
	SpentEntry *kept;

	if (hash_search(entries, key, HASH_FIND, NULL) != NULL)
		return SPENT_BEFORE;
	if (hash_get_num_entries(entries) >= shared->capacity || shared->records >= 4 * shared->capacity)
	{
		sweep();
		if (hash_get_num_entries(entries) >= shared->capacity)
			return SPENT_FULL;
		(void) write_file();
	}
	memcpy(entry.key, key, SPENT_KEY_BYTES);
	entry.until = until;
	if (!append_record(&entry))
		return SPENT_NOT_WRITTEN;
	shared->records++;
	kept = hash_search(entries, key, HASH_ENTER, NULL);
	kept->until = until;
	return SPENT_NOW;
}
