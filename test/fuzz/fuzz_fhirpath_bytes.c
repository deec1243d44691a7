/*
 * libFuzzer target: bytes as a FHIRPath expression, and behind a NUL as a JSON document.
 *
 * test/fuzz/run builds and runs it.
 */
#include "fhirpath_run.h"
#include "utf8.h"

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char patient[] =
	"{\"resourceType\": \"Patient\", \"id\": \"p\", \"name\": [{\"given\": [\"A\", null], \"_given\": [null, {\"id\": \"i\"}], \"family\": \"N\"}],"
	" \"birthDate\": \"1990-02\", \"_birthDate\": {\"extension\": [{\"url\": \"u\", \"valueInteger\": 7}]},"
	" \"deceasedBoolean\": false, \"contained\": [{\"resourceType\": \"Observation\", \"id\": \"o\", \"status\": \"final\","
	" \"valueQuantity\": {\"value\": 1.50, \"system\": \"http://unitsofmeasure.org\", \"code\": \"mg\"}}],"
	" \"generalPractitioner\": [{\"reference\": \"#o\"}]}";

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, 0, size);
	size_t		len = end == NULL ? size : (size_t) (end - data);
	JbContainer *doc = NULL;
	uint32_t	doc_size = 0;

	for (size_t at = 0; at < size;)
	{
		uint32_t	c;
		int			n = utf8_decode((const char *) data + at, size - at, &c);

		if (n == 0)
			return 0;
		at += (size_t) n;
	}
	if (end != NULL)
		doc = jsonb_make(&fuzz_cx, (const char *) end + 1, size - len - 1, &doc_size);
	if (doc == NULL)
		doc = jsonb_make(&fuzz_cx, patient, sizeof(patient) - 1, &doc_size);
	run_expression((const char *) data, len, doc, doc_size, (size & 1) != 0);
	free(doc);
	return 0;
}
