/*
 * coding.c
 *		A Coding by itself: its system, and whether the system can have the code.
 *
 * R4 terminologies.html: "the system is an absolute URI" that names a code
 * system, not a value set (4.1.1), and the code is one that it defines.  Known
 * are the code systems that are loaded and the form of codes with check digits.
 * Every Coding comes here: what costs is asked only of systems that are known.
 */
#include "postgres.h"

#include "core/code_form.h"
#include "fhir/fhir_tree.h"
#include "validate/definitions.h"

static const char not_a_system[] = "the URL of a value set stands where that of a code system has to";
static const char name_the_system[] = "A value set lists codes of code systems: name the system that defines the code.";

static const char no_code[] = "the code system does not have the code";

static void
say(Validation *v, const FhirVisit *visit, const char *code, const char *rule, const char *text, const char *hint, const char *child)
{
	char		path[FHIR_PATH_SIZE];

	fhir_place_path(visit->place, child, -1, path);
	add_issue(v, SEVERITY_ERROR, code, rule, text, hint, path);
}

static bool
begins(const JsonNode *text, const char *prefix, size_t len)
{
	return text->len > len && memcmp(text->u.text, prefix, len) == 0;
}

/* A value set of HL7's own, by the name space that its URL is in */
static bool
is_hl7_value_set(const JsonNode *url)
{
	static const char r4[] = "http://hl7.org/fhir/ValueSet/";
	static const char terminology[] = "http://terminology.hl7.org/ValueSet/";

	/* most systems are told from both by the first letter that differs */
	if (url->len < sizeof(r4))
		return false;
	return url->u.text[7] == 'h' ? begins(url, r4, sizeof(r4) - 1) : url->u.text[7] == 't' && begins(url, terminology, sizeof(terminology) - 1);
}

/* A code system that R4 itself defines, as its URL has it; those of sid/ are others' */
static bool
is_own(const JsonNode *system)
{
	static const char prefix[] = "http://hl7.org/fhir/";
	size_t		skip = sizeof(prefix) - 1;

	return system->len > skip && system->u.text[7] == 'h' && memcmp(system->u.text, prefix, skip) == 0 && memcmp(system->u.text + skip, "sid/", Min(4, system->len - skip)) != 0;
}

static bool
lacks_code(const JsonNode *system, const JsonNode *code)
{
	return code_system_has(system->u.text, (int) system->len, code->u.text, (int) code->len) == 0;
}

/* What only definitions that are loaded tell of a system and its code; true: something was said */
static bool
check_loaded(Validation *v, const FhirVisit *visit, const JsonNode *system, const JsonNode *code)
{
	if (value_set_loaded(system->u.text, (int) system->len) && !code_system_loaded(system->u.text, (int) system->len))
		say(v, visit, "invalid", "coding-system", not_a_system, name_the_system, "system");
	else if (is_supplement(system))
		say(v, visit, "not-found", "coding-system", "the code system is a supplement, which defines no codes",
			"Name the code system that it supplements.", "system");
	else if (code != NULL && lacks_code(system, code))
		say(v, visit, "code-invalid", "coding-unknown", no_code, NULL, "code");
	else
		return false;
	return true;
}

void
check_coding(Validation *v, const FhirVisit *visit)
{
	const JsonNode *system = NULL;
	const JsonNode *code = NULL;

	/* shorter keys come first */
	for (uint32 i = 0; i < visit->node->len && visit->node->u.children[i].key_len <= 6; i++)
	{
		const JsonNode *child = &visit->node->u.children[i];

		if (child->kind != NODE_STRING)
			continue;
		if (child->key_len == 4 && memcmp(child->key, "code", 4) == 0)
			code = child;
		else if (child->key_len == 6 && memcmp(child->key, "system", 6) == 0)
			system = child;
	}
	if (system == NULL || system->len == 0)
		return;
	if (memchr(system->u.text, ':', system->len) == NULL)
		say(v, visit, "invalid", "coding-system", "the code system's URI is not absolute", "Name a code system by its canonical URL.", "system");
	else if (is_hl7_value_set(system))
		say(v, visit, "invalid", "coding-system", not_a_system, name_the_system, "system");
	else if (!definitions_none() && check_loaded(v, visit, system, code))
		return;
	else if (code != NULL && is_own(system) && lacks_code(system, code))
		say(v, visit, "code-invalid", "coding-unknown", no_code, NULL, "code");
	else if (code != NULL && !code_form_valid(system->u.text, system->len, code->u.text, code->len))
		say(v, visit, "code-invalid", "coding-form", "the code does not have the form of the system's codes",
			"Look for a mistyped digit: the last one checks the others.", "code");
}
