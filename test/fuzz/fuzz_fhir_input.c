/*
 * libFuzzer target: text → tree → validation, the pure-C part of fhir's input.
 *
 * test/fuzz/run builds and runs it.
 */
#include <stdlib.h>
#include <string.h>

#include "fhir_check.h"

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

/* Reads every byte that a fault carries. */
static bool
note(void *arg, const FhirFault *fault)
{
	size_t	   *sum = arg;

	*sum += strlen(fault->path) + (fault->what ? strlen(fault->what) : 0) + (fault->hint ? strlen(fault->hint) : 0);
	return *sum < 100000;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const CoreContext cx = {fuzz_alloc, fuzz_free, NULL, NULL, JSON_DEPTH_MAX};
	JsonTree	tree;
	size_t		sum = 0;

	json_tree_init(&tree, &cx);
	if (json_tree_parse(&tree, (const char *) data, size) == CORE_OK)
		(void) fhir_check_resource(&cx, tree.root, (size & 1) != 0, note, &sum);
	json_tree_free(&tree);
	return 0;
}
