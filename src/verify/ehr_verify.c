/*
 * ehr_verify.c
 *		Checks an exported audit log, its signed roots and proofs: without the
 *		database, without PostgreSQL, and without trusting either.
 *
 *	ehr_verify --key HEX [--key HEX ...] [--log ID] [FILE ...]
 *
 * FILE (standard input without one) holds lines as ehr.audit_export(),
 * ehr.audit_proof(), ehr.audit_consistency() and ehr.audit_root_file give
 * them; src/core/audit_root.h draws them.  Several files are read as one: a
 * file of roots that was kept elsewhere, first, and then the log.
 *
 * The chain of hashes is not needed here: the tree covers every entry and its place.
 *
 * With --log, roots of other logs (several databases share one file of roots)
 * are passed over.
 *
 * What is checked: every signature, by one of the keys given; that roots
 * follow each other and never fork; that entries follow each other without a
 * gap; that each root is the one over the entries before it; every proof.
 * Exit status 0: all holds; 1: something does not; 2: it cannot be read.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "../core/audit_root.h"

#define MAX_KEYS 64

typedef struct Verifier
{
	uint8_t		keys[MAX_KEYS][AUDIT_PUBLIC_KEY];
	int			n_keys;
	uint8_t		log[AUDIT_LOG_ID];	/* the only one of interest */
	bool		one_log;
	const char *file;
	unsigned long number;		/* of the line */
	int			problems;

	/* the log as it was read */
	bool		started;
	uint64_t	begun;			/* entries before the first one, taken from the start line */
	uint64_t	seq;
	MerkleStack tree;
	unsigned long entries;

	/* what was met, to be compared in the end and by proofs */
	AuditRoot  *roots;
	size_t		n_roots;
	uint64_t	next_size;		/* of the next root to be met */
	unsigned long covered;		/* roots that were compared with the entries */
	uint64_t	proof_seq;		/* the last entry and inclusion line, which belong together */
	uint8_t		proof_leaf[MERKLE_HASH];
	bool		have_leaf;
	AuditLine  *proofs;
	size_t		n_proofs;
	uint8_t		(*leaves)[MERKLE_HASH];
} Verifier;

static void problem(Verifier *v, const char *format,...) __attribute__((format(printf, 2, 3)));

static void
problem(Verifier *v, const char *format, ...)
{
	va_list		args;

	v->problems++;
	printf("%s:%lu: ", v->file, v->number);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

static void *
grown(void *memory, size_t n, size_t size)
{
	/* doubled at each power of two */
	void	   *more = (n & (n - 1)) == 0 ? realloc(memory, (n ? 2 * n : 1) * size) : memory;

	if (more == NULL)
	{
		fprintf(stderr, "ehr_verify: out of memory\n");
		exit(2);
	}
	return more;
}

/* ------------------------------------------------------------------ lines */

static bool
key_is_trusted(const Verifier *v, const uint8_t key[AUDIT_PUBLIC_KEY])
{
	for (int i = 0; i < v->n_keys; i++)
	{
		if (memcmp(v->keys[i], key, AUDIT_PUBLIC_KEY) == 0)
			return true;
	}
	return false;
}

/* neighbours in the order of their numbers: one and the same root, or one that follows the other */
static void
compare_roots(Verifier *v, const AuditRoot *a, const AuditRoot *b)
{
	uint8_t		hash[MERKLE_HASH];

	if (memcmp(a->log, b->log, AUDIT_LOG_ID) != 0)
		problem(v, "root %llu is of another log than root %llu", (unsigned long long) b->number, (unsigned long long) a->number);
	else if (a->number == b->number)
	{
		if (a->size != b->size || a->at != b->at || memcmp(a->root, b->root, MERKLE_HASH) != 0)
			problem(v, "root %llu was signed twice, differently: the log was forked", (unsigned long long) b->number);
	}
	else if (b->size < a->size)
		problem(v, "root %llu covers fewer entries than root %llu", (unsigned long long) b->number, (unsigned long long) a->number);
	else if (b->size == a->size && memcmp(a->root, b->root, MERKLE_HASH) != 0)
		problem(v, "roots %llu and %llu differ over the same number of entries: the log was forked",
				(unsigned long long) a->number, (unsigned long long) b->number);
	else if (a->number + 1 == b->number)
	{
		audit_root_hash(a, hash);
		if (memcmp(hash, b->previous, MERKLE_HASH) != 0)
			problem(v, "root %llu does not follow root %llu: the log was forked", (unsigned long long) b->number,
					(unsigned long long) a->number);
	}
}

static int
by_number(const void *a, const void *b)
{
	const AuditRoot *x = a;
	const AuditRoot *y = b;

	return x->number != y->number ? (x->number < y->number ? -1 : 1) : memcmp(x->root, y->root, MERKLE_HASH);
}

static void
compare_tree(Verifier *v, const AuditRoot *root)
{
	uint8_t		now[MERKLE_HASH];

	merkle_root(&v->tree, now);
	v->covered++;
	if (memcmp(now, root->root, MERKLE_HASH) != 0)
		problem(v, "root %llu does not belong to these entries", (unsigned long long) root->number);
}

/* whatever roots end here, kept elsewhere or in the export, must be over these entries */
static void
compare_trees(Verifier *v)
{
	if (v->tree.size != v->next_size)
		return;
	v->next_size = UINT64_MAX;
	for (size_t i = 0; i < v->n_roots; i++)
	{
		if (v->roots[i].size == v->tree.size)
			compare_tree(v, &v->roots[i]);
		else if (v->roots[i].size > v->tree.size && v->roots[i].size < v->next_size)
			v->next_size = v->roots[i].size;
	}
}

/* was this very root met before, in its place? */
static bool
is_known(const Verifier *v, const AuditRoot *root)
{
	for (size_t i = 0; i < v->n_roots; i++)
	{
		if (v->roots[i].number == root->number && memcmp(v->roots[i].root, root->root, MERKLE_HASH) == 0)
			return true;
	}
	return false;
}

static void
read_root(Verifier *v, const AuditRoot *root)
{
	if (v->one_log && memcmp(v->log, root->log, AUDIT_LOG_ID) != 0)
		return;
	if (!key_is_trusted(v, root->key))
		problem(v, "root %llu is signed with a key that was not given", (unsigned long long) root->number);
	if (!audit_root_holds(root))
	{
		problem(v, "the signature of root %llu does not hold", (unsigned long long) root->number);
		return;
	}
	if (v->started && root->size == v->tree.size)
		compare_tree(v, root);
	else if (root->size > v->tree.size && root->size < v->next_size)
		v->next_size = root->size;
	else if (v->started && root->size > v->begun && root->size < v->tree.size && !is_known(v, root))
		problem(v, "root %llu stands behind the entry that it ends with, %llu", (unsigned long long) root->number,
				(unsigned long long) root->size);
	v->roots = grown(v->roots, v->n_roots, sizeof(AuditRoot));
	v->roots[v->n_roots++] = *root;
}

static void
read_start(Verifier *v, const AuditLine *line)
{
	if (v->started)
	{
		problem(v, "a start behind entries");
		return;
	}
	v->started = true;
	v->begun = v->seq = line->seq;
	v->tree.size = line->seq;
	memcpy(v->tree.hash, line->path.hash, (size_t) line->path.n * MERKLE_HASH);
	compare_trees(v);
}

static void
read_entry(Verifier *v, const AuditLine *line, bool in_log)
{
	AuditEntry *entry = malloc(sizeof(AuditEntry));

	if (entry == NULL || audit_entry_decode(line->entry, line->length, entry) != CORE_OK)
		problem(v, "entry %llu cannot be read", (unsigned long long) line->seq);
	free(entry);
	audit_leaf_hash(0, line->seq, line->entry, line->length, v->proof_leaf);
	v->proof_seq = line->seq;
	v->have_leaf = true;
	if (!in_log)
		return;
	if (line->seq != v->seq + 1)
		problem(v, "entry %llu follows entry %llu", (unsigned long long) line->seq, (unsigned long long) v->seq);
	v->seq = line->seq;
	merkle_append(&v->tree, v->proof_leaf, NULL, NULL);
	v->entries++;
	compare_trees(v);
}

/* proofs are looked at in the end, when all roots are known */
static void
keep_proof(Verifier *v, const AuditLine *line)
{
	if (line->kind == AUDIT_LINE_INCLUSION && !(v->have_leaf && v->proof_seq == line->seq))
	{
		problem(v, "the proof of entry %llu does not stand behind that entry", (unsigned long long) line->seq);
		return;
	}
	v->proofs = grown(v->proofs, v->n_proofs, sizeof(AuditLine));
	v->leaves = grown(v->leaves, v->n_proofs, MERKLE_HASH);
	v->proofs[v->n_proofs] = *line;
	memcpy(v->leaves[v->n_proofs], v->proof_leaf, MERKLE_HASH);
	v->n_proofs++;
}

static const AuditRoot *
root_of_size(const Verifier *v, uint64_t size)
{
	for (size_t i = 0; i < v->n_roots; i++)
	{
		if (v->roots[i].size == size)
			return &v->roots[i];
	}
	return NULL;
}

static void
check_proof(Verifier *v, const AuditLine *line, const uint8_t leaf[MERKLE_HASH])
{
	const AuditRoot *root = root_of_size(v, line->size);
	const AuditRoot *old = root_of_size(v, line->seq);

	if (root == NULL || (line->kind == AUDIT_LINE_CONSISTENCY && old == NULL))
		problem(v, "there is no signed root for a proof of size %llu", (unsigned long long) line->size);
	else if (line->kind == AUDIT_LINE_INCLUSION)
	{
		if (line->seq == 0 || !merkle_inclusion_holds(leaf, line->seq - 1, line->size, &line->path, root->root))
			problem(v, "the proof of entry %llu does not hold", (unsigned long long) line->seq);
	}
	else if (!merkle_consistency_holds(line->seq, old->root, line->size, root->root, &line->path))
		problem(v, "the log of root %llu did not grow into that of root %llu", (unsigned long long) old->number,
				(unsigned long long) root->number);
}

/* ------------------------------------------------------------------ files */

/* a start line begins the log; entries before one stand alone, for proofs */
static void
read_file(Verifier *v, FILE *in)
{
	char	   *text = NULL;
	size_t		room = 0;
	ssize_t		n;
	AuditLine  *line = malloc(sizeof(AuditLine));
	bool		in_log = false;

	if (line == NULL)
		exit(2);
	v->number = 0;
	v->have_leaf = false;
	while ((n = getline(&text, &room, in)) >= 0)
	{
		v->number++;
		while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
			n--;
		if (n == 0)
			continue;
		if (audit_line_read(text, (size_t) n, line) != CORE_OK)
		{
			problem(v, "not a line of an audit log");
			continue;
		}
		switch (line->kind)
		{
			case AUDIT_LINE_ROOT:
				read_root(v, &line->root);
				break;
			case AUDIT_LINE_START:
				in_log = true;
				read_start(v, line);
				break;
			case AUDIT_LINE_ENTRY:
				read_entry(v, line, in_log);
				break;
			case AUDIT_LINE_INCLUSION:
			case AUDIT_LINE_CONSISTENCY:
				keep_proof(v, line);
				break;
		}
	}
	free(line);
	free(text);
}

static void
read_argument(const char *name, const char *hex, uint8_t *out, size_t size)
{
	size_t		n;

	if (strlen(hex) != 2 * size || sodium_hex2bin(out, size, hex, strlen(hex), NULL, &n, NULL) != 0 || n != size)
	{
		fprintf(stderr, "ehr_verify: %s needs %zu hexadecimal digits\n", name, 2 * size);
		exit(2);
	}
}

static void
usage(void)
{
	fprintf(stderr, "usage: ehr_verify --key PUBLIC_KEY [--key ...] [--log ID] [FILE ...]\n"
			"Checks the audit log, roots and proofs that ehr.audit_export, ehr.audit_proof, ehr.audit_consistency\n"
			"and ehr.audit_root_file give. The key comes from whoever runs the log, not from the file.\n");
	exit(2);
}

static void
summary(const Verifier *v)
{
	uint64_t	last = 0;

	for (size_t i = 0; i < v->n_roots; i++)
		last = v->roots[i].size > last ? v->roots[i].size : last;
	printf("%lu entries, %zu roots, %lu of them compared with entries, %zu proofs: %s\n", v->entries, v->n_roots, v->covered, v->n_proofs,
		   v->problems == 0 ? "all hold" : "there are problems");
	if (v->begun > 0)
		printf("The log begins behind entry %llu; what was before is vouched for by the roots alone.\n",
			   (unsigned long long) v->begun);
	if (v->entries > 0 && last < v->seq)
		printf("No root covers the entries after %llu yet.\n", (unsigned long long) last);
}

int
main(int argc, char **argv)
{
	Verifier   *v = calloc(1, sizeof(Verifier));
	int			files = 0;

	if (v == NULL || sodium_init() < 0)
		return 2;
	for (int i = 1; i < argc; i++)
	{
		if (strcmp(argv[i], "--key") == 0 && i + 1 < argc && v->n_keys < MAX_KEYS)
			read_argument("--key", argv[++i], v->keys[v->n_keys++], AUDIT_PUBLIC_KEY);
		else if (strcmp(argv[i], "--log") == 0 && i + 1 < argc)
		{
			read_argument("--log", argv[++i], v->log, AUDIT_LOG_ID);
			v->one_log = true;
		}
		else if (argv[i][0] == '-' && argv[i][1] != '\0')
			usage();
	}
	if (v->n_keys == 0)
		usage();
	v->next_size = UINT64_MAX;
	for (int i = 1; i < argc; i++)
	{
		FILE	   *in;

		if (strcmp(argv[i], "--key") == 0 || strcmp(argv[i], "--log") == 0)
		{
			i++;
			continue;
		}
		files++;
		v->file = argv[i];
		in = strcmp(argv[i], "-") == 0 ? stdin : fopen(argv[i], "r");
		if (in == NULL)
		{
			fprintf(stderr, "ehr_verify: cannot open %s\n", argv[i]);
			return 2;
		}
		read_file(v, in);
		if (in != stdin)
			fclose(in);
	}
	if (files == 0)
	{
		v->file = "-";
		read_file(v, stdin);
	}
	qsort(v->roots, v->n_roots, sizeof(AuditRoot), by_number);
	v->file = "roots";
	for (size_t i = 1; i < v->n_roots; i++)
	{
		v->number = i + 1;
		compare_roots(v, &v->roots[i - 1], &v->roots[i]);
	}
	v->file = "proofs";
	for (size_t i = 0; i < v->n_proofs; i++)
	{
		v->number = i + 1;
		check_proof(v, &v->proofs[i], v->leaves[i]);
	}
	/* nothing to check is nothing that holds */
	if (v->entries == 0 && v->n_roots == 0)
	{
		printf("There is nothing to check.\n");
		return 2;
	}
	v->file = "log";
	v->number = v->entries;
	if (v->entries > 0 && v->covered == 0)
		problem(v, "no signed root covers any of these entries");
	summary(v);
	return v->problems == 0 ? 0 : 1;
}
