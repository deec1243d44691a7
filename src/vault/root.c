/*
 * root.c
 *		The root key: read once when the server starts, from a file or from the
 *		output of a command, into locked memory that every backend inherits.
 *
 * What is wrong with it does not keep the server from starting: records that
 * are not sealed are needed at the bedside.  But nothing is sealed or opened
 * until it is mended, and each refusal says why.
 */
#include "postgres.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "miscadmin.h"
#include "utils/guc.h"

#include "compat.h"
#include "ehr.h"
#include "vault/vault.h"

#define KEY_TEXT ((VAULT_MAX_ROOTS + 1) * (2 * SECRET_KEY + 2))	/* one more than can be taken, to tell */

typedef struct RootMemory
{
	uint8		key[VAULT_MAX_ROOTS][SECRET_KEY];
	char		text[KEY_TEXT];
} RootMemory;

static char *key_file;
static char *key_command;
static RootMemory *roots;		/* of the postmaster; backends have it by fork */
static VaultRootState state;

/* ------------------------------------------------------------------ reading it */

static size_t
read_all(int fd, char *text)
{
	size_t		got = 0;

	while (got < KEY_TEXT)
	{
		ssize_t		n = read(fd, text + got, KEY_TEXT - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		got += n;
	}
	return got;
}

/* is a resolved path in a folder? */
static bool
lies_in(const char *path, const char *folder)
{
	char		real[PATH_MAX];
	size_t		n;

	if (realpath(folder, real) == NULL)
		return false;
	n = strlen(real);
	return strncmp(path, real, n) == 0 && (path[n] == '/' || n == 1);
}

/* what is wrong with the file; NULL when it is open and may be trusted */
static const char *
open_key_file(int *fd)
{
	char		path[PATH_MAX];
	struct stat st;

	*fd = -1;
	if (key_file[0] != '/')
		return "The path in ehr.vault_key_file is not absolute.";
	if (realpath(key_file, path) == NULL)
		return errno == ENOENT ? "The file that ehr.vault_key_file names does not exist."
			: "The file that ehr.vault_key_file names cannot be reached.";
	if (lies_in(path, DataDir))
		return "The file that ehr.vault_key_file names lies in the data directory, and so in every base backup.";
	*fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
	if (*fd < 0 || fstat(*fd, &st) != 0)
		return "The file that ehr.vault_key_file names cannot be opened.";
	if (!S_ISREG(st.st_mode))
		return "What ehr.vault_key_file names is no regular file.";
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return "The file that ehr.vault_key_file names belongs neither to the server's user nor to root.";
	/* as for the server's TLS key: root may give it to the server by its group */
	if (st.st_mode & (st.st_uid == 0 && geteuid() != 0 ? (S_IWGRP | S_IXGRP | S_IRWXO) : (S_IRWXG | S_IRWXO)))
		return "The file that ehr.vault_key_file names can be read by others: its mode must be 0600 or less, or 0640 when root owns it.";
	return NULL;
}

static const char *
from_file(size_t *length)
{
	int			fd;
	const char *problem = open_key_file(&fd);

	if (problem == NULL)
		*length = read_all(fd, roots->text);
	if (fd >= 0)
		close(fd);
	return problem;
}

static const char *
from_command(size_t *length)
{
	FILE	   *pipe;
	int			status;

	fflush(NULL);
	pipe = popen(key_command, "r");
	if (pipe == NULL)
		return "The command of ehr.vault_key_command cannot be started.";
	*length = read_all(fileno(pipe), roots->text);
	status = pclose(pipe);
	return *length < KEY_TEXT && status != 0 ? "The command of ehr.vault_key_command failed." : NULL;
}

static const char *
read_root(void)
{
	const char *problem;
	size_t		length = 0;
	bool		file = key_file[0] != '\0';

	if (file && key_command[0] != '\0')
		return "Both ehr.vault_key_file and ehr.vault_key_command are set.";
	problem = file ? from_file(&length) : from_command(&length);
	if (problem != NULL)
		return problem;
	switch (secret_keys_read(roots->text, length, roots->key, VAULT_MAX_ROOTS, &state.n))
	{
		case CORE_OK:
			return NULL;
		case CORE_TOO_LARGE:
			return "There are more than 8 keys.";
		default:
			return "A key is 64 hexadecimal digits, one key a line, the current one first.";
	}
}

static void
load_root(void)
{
	state.configured = key_file[0] != '\0' || key_command[0] != '\0';
	if (!state.configured)
		return;
	roots = secret_alloc(sizeof(RootMemory), &state.locked);
	state.problem = roots == NULL ? "There is no memory for the key." : read_root();
	if (roots != NULL)
		secret_zero(roots->text, sizeof(roots->text));
	if (state.problem == NULL)
	{
		if (!state.locked)
			ereport(LOG,
					(errmsg("the memory of the vault's root key could not be locked"),
					 errhint("Raise the limit on locked memory (ulimit -l) of the server's user.")));
		return;
	}
	state.n = 0;
	ereport(LOG,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 errmsg("the vault's root key cannot be used"),
			 errdetail("%s", state.problem),
			 errhint("Nothing is sealed or opened until it is mended and the server started again.")));
	if (roots != NULL)
		secret_zero(roots, sizeof(RootMemory));
}

void
vault_init(void)
{
	DefineCustomStringVariable("ehr.vault_key_file",
							   "File with the vault's root key.",
							   "64 hexadecimal digits; former keys in further lines. Outside the data directory, of mode 0600.",
							   &key_file, "", PGC_POSTMASTER, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
	DefineCustomStringVariable("ehr.vault_key_command",
							   "Command that writes the vault's root key to its standard output when the server starts.",
							   NULL,
							   &key_command, "", PGC_POSTMASTER, GUC_SUPERUSER_ONLY, NULL, NULL, NULL);
	load_root();
}

/* ------------------------------------------------------------------ using it */

const VaultRootState *
vault_root_state(void)
{
	return &state;
}

bool
vault_available(void)
{
	return ehr_preloaded && state.n > 0;
}

void
vault_require(void)
{
	if (likely(vault_available()))
		return;
	if (!ehr_preloaded)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the vault has no root key: ehr is not preloaded"),
				 errhint("Add ehr to shared_preload_libraries and restart the server.")));
	if (!state.configured)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the vault has no root key"),
				 errhint("Set ehr.vault_key_file or ehr.vault_key_command and restart the server.")));
	ereport(ERROR,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 errmsg("the vault's root key cannot be used"),
			 errdetail("%s", state.problem),
			 errhint("Mend what ehr.vault_key_file or ehr.vault_key_command names and restart the server.")));
}

uint64
vault_root_id(int i)
{
	uint8		derived[SECRET_KEY];
	uint64		id = 0;

	secret_derive(roots->key[i], "ehr vault root id", "", 0, derived);
	for (int b = 0; b < 8; b++)
		id = id << 8 | derived[b];
	return id;
}

bool
vault_wrapping_key(uint64 root, uint8 key[SECRET_KEY])
{
	for (int i = 0; i < state.n; i++)
	{
		if (vault_root_id(i) == root)
		{
			secret_derive(roots->key[i], "ehr vault wrapping key", "", 0, key);
			return true;
		}
	}
	return false;
}
