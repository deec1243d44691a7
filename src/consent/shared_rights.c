/*
 * shared_rights.c
 *		Compiled rights, handed from one connection to the next.
 *
 * A pooler gives a session's transactions to many connections, and those of
 * many sessions to each.  What one connection has loaded is put into shared
 * memory; the next one copies it, an image having no pointers, and catches up
 * with the log of changes (changes.c) from where it stands.  Rights follow from
 * kind, sub, org and purpose alone, so they are kept under these: a second
 * session of the same principal finds them, too.
 *
 * Nothing is put there that others must not know of: rights that were loaded
 * in a transaction that has written may hold what is never committed.  What
 * follows from the day's date alone (which units there are) is in no log; so
 * after KEPT_FOR all is loaded again.
 *
 * One piece of shared memory, ehr.rights_cache of it, is divided by PostgreSQL's
 * dsa, which never asks the system for more.  For each entry:
 *
 *		image | KnownPersons | its persons
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "miscadmin.h"
#include "port/atomics.h"
#include "lib/ilist.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "utils/dsa.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "compat.h"
#include "consent/shared_rights.h"

#define KEPT_FOR		(10 * 60)	/* seconds */
#define MOST_ENTRIES	4096

/* All bytes count: to be cleared before it is filled in. */
typedef struct SharedKey
{
	Oid			database;
	Oid			store;			/* a table of it: one that is made anew is another store */
	char		kind[sizeof(((Principal *) NULL)->kind)];
	char		sub[sizeof(((Principal *) NULL)->sub)];
	char		org[sizeof(((Principal *) NULL)->org)];
	char		purpose[sizeof(((Principal *) NULL)->purpose)];
} SharedKey;

typedef struct SharedEntry
{
	SharedKey	key;
	dsa_pointer at;
	Size		image_size;
	uint64		position;
	TimestampTz loaded;
	pg_atomic_uint32 taken;		/* since it was last looked at for its place */
	dlist_node	link;
} SharedEntry;

typedef struct SharedEntries
{
	dlist_head	list;			/* what goes first at its end */
} SharedEntries;

static int	cache_size = 128;	/* MB */
static HTAB *table = NULL;
static SharedEntries *entries = NULL;
static void *place = NULL;

static Size
area_size(void)
{
	return mul_size(cache_size, 1024 * 1024);
}

void
shared_rights_init(void)
{
	DefineCustomIntVariable("ehr.rights_cache", "Shared memory for the rights of sessions that several connections serve.",
							"0: each connection loads them itself.",
							&cache_size, 128, 0, 65536, PGC_POSTMASTER, GUC_UNIT_MB, NULL, NULL, NULL);
}

Size
shared_rights_shmem_size(void)
{
	if (cache_size == 0)
		return 0;
	return add_size(add_size(MAXALIGN(sizeof(SharedEntries)), area_size()), hash_estimate_size(MOST_ENTRIES, sizeof(SharedEntry)));
}

void
shared_rights_shmem_init(void)
{
	HASHCTL		info = {.keysize = sizeof(SharedKey), .entrysize = sizeof(SharedEntry)};
	bool		found;

	if (cache_size == 0)
		return;
	table = ShmemInitHash("ehr shared rights", MOST_ENTRIES, MOST_ENTRIES, &info, HASH_ELEM | HASH_BLOBS);
	entries = ShmemInitStruct("ehr list of shared rights", sizeof(SharedEntries), &found);
	if (!found)
		dlist_init(&entries->list);
	place = ShmemInitStruct("ehr memory of shared rights", area_size(), &found);
	if (!found)
	{
		dsa_area   *area = dsa_create_in_place(place, area_size(), consent_shared->rights_lock->tranche, NULL);

		dsa_pin(area);
		dsa_set_size_limit(area, area_size());
		dsa_detach(area);
	}
}

static dsa_area *
my_area(void)
{
	static dsa_area *area = NULL;

	if (area == NULL && place != NULL)
	{
		MemoryContext caller = MemoryContextSwitchTo(TopMemoryContext);

		area = dsa_attach_in_place(place, NULL);
		dsa_pin_mapping(area);
		on_shmem_exit(dsa_on_shmem_exit_release_in_place, PointerGetDatum(place));
		MemoryContextSwitchTo(caller);
	}
	return area;
}

static SharedKey
key_of(const Principal *p)
{
	SharedKey	key;

	memset(&key, 0, sizeof(key));
	key.database = MyDatabaseId;
	key.store = get_relname_relid("compiled_right", get_namespace_oid("ehr_store", false));
	strlcpy(key.kind, p->kind, sizeof(key.kind));
	strlcpy(key.sub, p->sub, sizeof(key.sub));
	strlcpy(key.org, p->org, sizeof(key.org));
	strlcpy(key.purpose, p->purpose, sizeof(key.purpose));
	return key;
}

static bool
is_recent(const SharedEntry *entry, TimestampTz now)
{
	return entry->loaded <= now && !TimestampDifferenceExceeds(entry->loaded, now, KEPT_FOR * 1000);
}

static Size
persons_size(const KnownPersons *known)
{
	return mul_size(sizeof(int64), (Size) known->mask + 1);
}

bool
shared_rights_take(const Principal *p, Rights *r)
{
	dsa_area   *area = my_area();
	SharedKey	key;
	SharedEntry *entry;
	bool		taken;

	if (area == NULL)
		return false;
	key = key_of(p);
	LWLockAcquire(consent_shared->rights_lock, LW_SHARED);
	entry = hash_search(table, &key, HASH_FIND, NULL);
	taken = entry != NULL && is_recent(entry, GetCurrentTimestamp());
	if (taken)
	{
		const char *from = dsa_get_address(area, entry->at);
		const KnownPersons *known = (const KnownPersons *) (from + MAXALIGN(entry->image_size));
		RightsImage *image = MemoryContextAllocHuge(r->context, entry->image_size);

		memcpy(image, from, entry->image_size);
		strlcpy(image->sid, p->sid, sizeof(image->sid));
		rights_attach(r, image);
		r->known = MemoryContextAlloc(r->context, sizeof(KnownPersons));
		*r->known = *known;
		r->known->persons = MemoryContextAllocHuge(r->context, persons_size(known));
		memcpy(r->known->persons, known + 1, persons_size(known));
		r->position = entry->position;
		r->loaded = entry->loaded;
		pg_atomic_write_u32(&entry->taken, 1);
	}
	LWLockRelease(consent_shared->rights_lock);
	return taken;
}

static void
drop_entry(dsa_area *area, SharedEntry *entry)
{
	dsa_free(area, entry->at);
	dlist_delete(&entry->link);
	(void) hash_search(table, &entry->key, HASH_REMOVE, NULL);
}

/* Drops an entry that nobody has taken for long; false: there is none left. */
static bool
make_room(dsa_area *area)
{
	while (!dlist_is_empty(&entries->list))
	{
		SharedEntry *last = dlist_tail_element(SharedEntry, link, &entries->list);

		if (pg_atomic_exchange_u32(&last->taken, 0) == 0)
		{
			drop_entry(area, last);
			return true;
		}
		dlist_move_head(&entries->list, &last->link);
	}
	return false;
}

static void
put(dsa_area *area, const SharedKey *key, const Rights *r, Size size)
{
	Size		image_size = r->image->size;
	dsa_pointer at;
	SharedEntry *entry;
	char	   *to;

	while ((at = dsa_allocate_extended(area, size, DSA_ALLOC_NO_OOM | DSA_ALLOC_HUGE)) == InvalidDsaPointer)
		if (!make_room(area))
			return;
	while (hash_get_num_entries(table) >= MOST_ENTRIES && make_room(area))
		;
	to = dsa_get_address(area, at);
	memcpy(to, r->image, image_size);
	to += MAXALIGN(image_size);
	memcpy(to, r->known, sizeof(KnownPersons));
	memcpy(to + sizeof(KnownPersons), r->known->persons, persons_size(r->known));

	entry = hash_search(table, key, HASH_ENTER, NULL);
	entry->at = at;
	entry->image_size = image_size;
	entry->position = r->position;
	entry->loaded = r->loaded;
	pg_atomic_init_u32(&entry->taken, 0);
	dlist_push_head(&entries->list, &entry->link);
}

void
shared_rights_offer(const Principal *p, const Rights *r)
{
	dsa_area   *area = my_area();
	Size		size = add_size(add_size(MAXALIGN(r->image->size), sizeof(KnownPersons)), persons_size(r->known));
	SharedKey	key;
	SharedEntry *entry;

	if (area == NULL || size > area_size() / 2 || r->own_changes != 0 || TransactionIdIsValid(GetTopTransactionIdIfAny()))
		return;
	key = key_of(p);
	LWLockAcquire(consent_shared->rights_lock, LW_EXCLUSIVE);
	entry = hash_search(table, &key, HASH_FIND, NULL);
	if (entry == NULL || entry->position < r->position || entry->loaded < r->loaded)
	{
		if (entry != NULL)
			drop_entry(area, entry);
		put(area, &key, r, size);
	}
	LWLockRelease(consent_shared->rights_lock);
}
