/*
 * vault.h
 *		Keys: the root key that the server is started with, and the data keys
 *		that it wraps.
 *
 *	  root key (file or command, in the postmaster's locked memory)
 *		 └─ wraps ─► ehr_store.vault_key: one key a purpose, one a person,
 *					 one for blind indexes, one that signs audit roots
 *						└─ BLAKE2b ─► the key of one purpose, in this backend's locked memory
 *
 * A data key is random and never changes; what wraps it can (rotation), and
 * it can be destroyed (erasure), after which nothing sealed under it opens.
 */
#ifndef EHR_VAULT_H
#define EHR_VAULT_H

#include "utils/uuid.h"

#include "core/seal.h"

#define VAULT_MAX_ROOTS 8		/* keys in a key file: the current one and former ones */
#define VAULT_MAX_PURPOSE 63	/* bytes */

/* from _PG_init, when preloaded: settings, and the root key */
extern void vault_init(void);

/*
 * vault_require raises an error that names the setting to mend unless there is
 * a root key: 55000 when none is set, F0000 when the one that is set cannot be
 * used.  vault_available only asks.
 */
extern void vault_require(void);
extern bool vault_available(void);

/* root.c, for the rest of the room */
typedef struct VaultRootState
{
	int			n;				/* keys; 0: none */
	bool		configured;
	bool		locked;			/* the system let their memory be locked */
	const char *problem;		/* why the configured one cannot be used; NULL: it can */
} VaultRootState;

extern const VaultRootState *vault_root_state(void);

/* id of root key i (0: the current one); the key that wraps data keys under the root of an id, false when it is not there */
extern uint64 vault_root_id(int i);
extern bool vault_wrapping_key(uint64 root, uint8 key[SECRET_KEY]);

typedef enum VaultKind
{
	VAULT_PURPOSE = 'p',		/* values of a purpose */
	VAULT_PERSON = 'o',			/* values of a person, of whatever purpose */
	VAULT_INDEX = 'i',			/* blind indexes */
	VAULT_SIGN = 's'			/* roots of the audit log */
} VaultKind;

/* A data key made fit for one use; good until the next call into the vault. */
typedef struct VaultKey
{
	uint64		id;
	const uint8 *key;
} VaultKey;

/*
 * vault_current finds the key that values of a purpose (and person, or NULL)
 * are sealed with now.  make: makes it when there is none yet, which writes;
 * otherwise 55000.  vault_by_id finds the key that sealed a value; false when
 * it is unknown, P0002 when it was destroyed.
 */
extern VaultKey vault_current(VaultKind kind, const char *purpose, size_t length, const pg_uuid_t *person, bool make);
extern bool vault_by_id(uint64 id, const char *purpose, size_t length, VaultKey *key);

/* wraps a data key anew under the current root; false when it was so already or is destroyed */
extern bool vault_rewrap(uint64 id);

/* the seed that signs audit roots; the caller zeroes it. make as above */
extern void vault_signing_seed(uint8 seed[SECRET_KEY], bool make);

#endif							/* EHR_VAULT_H */
