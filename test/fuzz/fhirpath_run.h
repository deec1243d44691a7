/*
 * fhirpath_run.h
 *		What both FHIRPath fuzzers do with an expression and a document.
 */
#ifndef EHR_FHIRPATH_RUN_H
#define EHR_FHIRPATH_RUN_H

#include <stdio.h>
#include <stdlib.h>

#include "../unit/jsonb_make.h"
#include "fhir_model.h"
#include "fhirpath.h"

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

static const CoreContext fuzz_cx = {fuzz_alloc, fuzz_free, NULL, NULL, JSON_DEPTH_MAX};

typedef struct FuzzRun
{
	FhirPathEval *ev;
	size_t		sum;
} FuzzRun;

/* Reads every byte that an item carries. */
static bool
read_item(void *arg, const FpItem *item)
{
	FuzzRun    *run = arg;
	const char *text;
	uint32_t	len;
	size_t		name_len;
	const char *name = fhirpath_item_type(item, &name_len);

	run->sum += name == NULL ? 0 : name_len;
	if (fhirpath_item_text(run->ev, item, &text, &len))
	{
		for (uint32_t i = 0; i < len; i++)
			run->sum += (unsigned char) text[i];
	}
	return true;
}

/* Printing is canonical: what is printed parses, and prints the same again. */
static void
print_again(const FhirPath *path)
{
	FhirPathError error;
	FhirPath   *again;
	char	   *first,
			   *second;
	size_t		first_len,
				second_len;

	if (fhirpath_print(&fuzz_cx, path, &first, &first_len) != CORE_OK)
		return;
	if (fhirpath_parse(&fuzz_cx, first, first_len, &again, &error) != CORE_OK)
	{
		fprintf(stderr, "printed, but not parsed (%s): %s\n", error.text, first);
		abort();
	}
	if (fhirpath_print(&fuzz_cx, again, &second, &second_len) != CORE_OK || first_len != second_len ||
		memcmp(first, second, first_len) != 0)
	{
		fprintf(stderr, "printed differently: %s\n", first);
		abort();
	}
	free(first);
	free(second);
	free(again);
}

/* What is known of an expression without a document: strict mode, and what documents must hold. */
static void
know_beforehand(const FhirPath *path)
{
	static const char *const types[] = {"Patient", "Observation", "Bundle", "Quantity", "Patient.contact"};
	FhirPathEval *ev = fhirpath_eval_create(&fuzz_cx);
	FhirPathError error;
	const JbContainer *implied;
	uint32_t	size;
	uint64_t	sum = 0;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		(void) fhirpath_check(path, fhir_type_find_path(types[i]), &error);
	implied = fhirpath_implied(ev, path, &size);
	for (uint32_t i = 0; implied != NULL && i < size; i++)
		sum += ((const unsigned char *) implied)[i];
	if (implied != NULL && (sum == 0 || !jb_is_object(implied)))
		abort();
	fhirpath_eval_free(ev);
}

static void
run_expression(const char *text, size_t len, const JbContainer *doc, uint32_t size, bool no_model)
{
	FhirPathError error;
	FhirPath   *path;
	FhirPathPlan *plan;
	FuzzRun		run = {NULL, 0};
	FhirPathInput input = {.doc = doc, .size = size, .no_model = no_model, .step_limit = 20000};
	bool		exists;
	int			truth;

	if (fhirpath_parse(&fuzz_cx, text, len, &path, &error) != CORE_OK)
		return;
	if (!fhirpath_valid(path, fhirpath_size(path)))
		abort();
	print_again(path);
	know_beforehand(path);
	if (fhirpath_plan(&fuzz_cx, path, &plan, &error) == CORE_OK)
	{
		run.ev = fhirpath_eval_create(&fuzz_cx);
		fhirpath_begin(run.ev, &input);
		(void) fhirpath_each(run.ev, plan, NULL, read_item, &run);
		(void) fhirpath_exists(run.ev, plan, NULL, &exists);
		(void) fhirpath_test(run.ev, plan, NULL, &truth);
		fhirpath_eval_free(run.ev);
		fhirpath_plan_free(plan);
	}
	free(path);
}

#endif							/* EHR_FHIRPATH_RUN_H */
