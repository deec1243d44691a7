/*
 * libFuzzer target: the readers of what comes from outside the vault and the audit log: a line of an exported log with its proof,
 * an entry, a frame of the spool, a sealed value, a key file.
 *
 * test/fuzz/run builds and runs it.
 */
#include <stdlib.h>
#include <string.h>

#include "audit_root.h"
#include "seal.h"

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_line(const uint8_t *data, size_t size)
{
	static AuditLine line;
	static char text[AUDIT_LINE_MAX + 1];
	static const uint8_t leaf[MERKLE_HASH] = {1};

	if (audit_line_read((const char *) data, size, &line) != CORE_OK)
		return;
	/* what was read is written back as it was */
	if (audit_line_write(&line, text) != size || memcmp(text, data, size) != 0)
		abort();
	if (line.kind == AUDIT_LINE_INCLUSION)
		(void) merkle_inclusion_holds(leaf, line.seq, line.size, &line.path, leaf);
	else if (line.kind == AUDIT_LINE_CONSISTENCY)
		(void) merkle_consistency_holds(line.seq, leaf, line.size, leaf, &line.path);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static AuditEntry entry;
	static const uint8_t key[SECRET_KEY] = {1};
	uint8_t		keys[3][SECRET_KEY];
	const uint8_t *payload;
	uint32_t	length;
	SealHeader	header;
	int			n;

	read_line(data, size);
	(void) secret_keys_read((const char *) data, size, keys, 3, &n);
	if (audit_entry_decode(data, size, &entry) == CORE_OK)
	{
		uint8_t    *again = malloc(size);

		if (audit_entry_size(&entry) != size)
			abort();
		audit_entry_encode(&entry, again);
		if (memcmp(again, data, size) != 0)
			abort();
		free(again);
	}
	(void) audit_frame_read(data, size, 1, 44, &payload, &length);
	(void) audit_frame_next(data, size, 1, 44);
	if (seal_read(data, size, &header) == CORE_OK)
	{
		uint8_t    *plain = malloc(size);

		if (seal_open(key, "p", 1, data, size, plain) == CORE_OK)
			abort();
		free(plain);
	}
	return 0;
}
