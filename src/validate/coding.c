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

/* Whether a URL is that of a value set: in HL7's own name spaces by its form, else where it is loaded and no code system is */
static bool
names_value_set(const JsonNode *system)
{
	static const char r4[] = "http://hl7.org/fhir/ValueSet/";
	static const char terminology[] = "http://terminology.hl7.org/ValueSet/";
	char	   *url;
	bool		known;

	if (begins(system, r4, sizeof(r4) - 1) || begins(system, terminology, sizeof(terminology) - 1))
		return true;
	if (definition_table_empty(TABLE_VALUE_SET))
		return false;
	url = pnstrdup(system->u.text, system->len);
	known = value_set_known(url) && !code_system_known(url);
	pfree(url);
	return known;
}

void
check_coding(Validation *v, const FhirVisit *visit)
{
	const JsonNode *system = child_of(visit->node, "system");
	const JsonNode *code = child_of(visit->node, "code");

	if (system == NULL || system->kind != NODE_STRING || system->len == 0)
		return;
	if (memchr(system->u.text, ':', system->len) == NULL)
	{
		say(v, visit, "invalid", "coding-system", "the code system's URI is not absolute", "Name a code system by its canonical URL.", "system");
		return;
	}
	if (names_value_set(system))
	{
		say(v, visit, "invalid", "coding-system", "the URL of a value set stands where that of a code system has to",
			"A value set lists codes of code systems: name the system that defines the code.", "system");
		return;
	}
	if (is_supplement(system))
		say(v, visit, "not-found", "coding-system", "the code system is a supplement, which defines no codes",
			"Name the code system that it supplements.", "system");
	else if (code == NULL || code->kind != NODE_STRING)
		return;
	else if (!code_form_valid(system->u.text, system->len, code->u.text, code->len))
		say(v, visit, "code-invalid", "coding-form", "the code does not have the form of the system's codes",
			"Look for a mistyped digit: the last one checks the others.", "code");
	else if (code_system_has(system->u.text, (int) system->len, code->u.text, (int) code->len) == 0)
		say(v, visit, "code-invalid", "coding-unknown", "the code system does not have the code", NULL, "code");
}
