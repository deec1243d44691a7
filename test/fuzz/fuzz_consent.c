/*
 * libFuzzer target: a Consent (text before the first NUL) compiled and asked a request (behind it); the same bytes as a
 * compiled form, which may come damaged from a disk.
 *
 * test/fuzz/run builds and runs it.
 */
#include <stdlib.h>
#include <string.h>

#include "consent_tree.h"

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char words[] =
"{\"role\":{\"http://terminology.hl7.org/CodeSystem/v3-ParticipationType|PRCP\":\"recipient\",\"http://terminology.hl7.org/CodeSystem/v3-ParticipationType|CST\":\"author\"},"
"\"action\":{\"http://terminology.hl7.org/CodeSystem/consentaction|access\":\"access\"},\"securityLabel\":{\"l|0\":\"0\",\"l|n\":\"normal\",\"l|a\":\"*\"},"
"\"policy\":{\"http://terminology.hl7.org/CodeSystem/v3-ActCode|OPTOUT\":\"deny\"}}";

static void *
fuzz_alloc(void *arg, size_t size)
{
	(void) arg;
	return malloc(size);
}

static void
fuzz_free(void *arg, void *ptr)
{
	(void) arg;
	free(ptr);
}

static const CoreContext cx = {fuzz_alloc, fuzz_free, NULL, NULL, JSON_DEPTH_MAX};

/* Reads every byte of a provision. */
static void
read_provision(void *arg, const ConsentProvision *p)
{
	size_t	   *sum = arg;
	ConsentPart part = {p->parts, p->criteria, p->criteria + p->criteria_len};
	ConsentEntry entry;

	while (consent_next_part(&part))
		while (consent_next_entry(&part, &entry))
			for (size_t i = 0; i < entry.text.len; i++)
				*sum += (unsigned char) entry.text.text[i];
}

static void
ask(const uint8_t *form, size_t len, ConsentRequest *request)
{
	ConsentVerdict verdict;
	bool		covered;
	size_t		sum = 0;

	(void) consent_decide(form, len, request, &verdict);
	(void) consent_provisions(form, len, read_provision, &sum);
	for (int node = 0; node < 4; node++)
		(void) consent_covers_row(form, len, node, request, &covered);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size > 0 ? memchr(data, 0, size) : NULL;
	size_t		len = nul != NULL ? (size_t) (nul - data) : size;
	JsonTree	consent;
	JsonTree	asked;
	JsonTree	vocabulary;
	ConsentRequest request = {0};
	ConsentForm form;
	ConsentFault fault;

	json_tree_init(&consent, &cx);
	json_tree_init(&asked, &cx);
	json_tree_init(&vocabulary, &cx);
	if (json_tree_parse(&vocabulary, words, strlen(words)) != CORE_OK)
		abort();
	if (nul != NULL && json_tree_parse(&asked, (const char *) nul + 1, size - len - 1) == CORE_OK)
		(void) consent_request_read(&asked, asked.root, &request);
	if (json_tree_parse(&consent, (const char *) data, len) == CORE_OK &&
		consent_compile(&cx, consent.root, vocabulary.root, &form, &fault) == CORE_OK)
	{
		ConsentVerdict verdict;

		/* what was compiled is whole */
		if (consent_decide(form.bytes, form.len, &request, &verdict) != CORE_OK)
			abort();
		ask(form.bytes, form.len, &request);
		free(form.bytes);
	}
	ask(data, size, &request);
	json_tree_free(&consent);
	json_tree_free(&asked);
	json_tree_free(&vocabulary);
	return 0;
}
