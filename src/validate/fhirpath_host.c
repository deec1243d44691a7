/*
 * fhirpath_host.c
 *		What room validate tells FHIRPath: memberOf() over loaded value sets, conformsTo() over loaded profiles.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"

#include "fhirpath/fhirpath.h"
#include "validate/validate.h"

static int
has_code(const char *url, const JbValue *system, const JbValue *code)
{
	if (code->type != JB_T_STRING || (system != NULL && system->type != JB_T_STRING))
		return -1;
	return value_set_has(url, system == NULL ? NULL : system->ptr, system == NULL ? 0 : system->len, code->ptr, code->len);
}

static int
has_coding(const char *url, const JbContainer *coding)
{
	JbValue		system,
				code;

	if (!jb_get(coding, "code", 4, &code))
		return -1;
	if (!jb_get(coding, "system", 6, &system))
		return 0;
	return has_code(url, &system, &code);
}

/* A code, a Coding, or a CodeableConcept with a coding that is a member */
static int
member_of(void *arg, const char *value_set, size_t len, const FpItem *item)
{
	char	   *url = pnstrdup(value_set, len);
	const JbContainer *object;
	JbValue		codings,
				one;
	JbIter		it;
	int			answer = 0;

	if (!value_set_known(url))
	{
		constraint_asked_unknown = true;
		return -1;
	}
	if (item->kind == FP_STRING || (item->kind == FP_NODE && item->json == JB_T_STRING))
	{
		one = (JbValue) {item->u.text, item->len, JB_T_STRING};
		return has_code(url, NULL, &one);
	}
	if (item->kind != FP_NODE || item->json != JB_T_CONTAINER || !jb_is_object((const JbContainer *) item->u.text))
		return -1;
	object = (const JbContainer *) item->u.text;
	if (!jb_get(object, "coding", 6, &codings))
		return has_coding(url, object);
	if (codings.type != JB_T_CONTAINER)
		return -1;
	jb_iter_start(&it, (const JbContainer *) codings.ptr);
	while (answer != 1 && jb_iter_next(&it, &one))
	{
		int			has = one.type == JB_T_CONTAINER ? has_coding(url, (const JbContainer *) one.ptr) : -1;

		answer = has == 1 ? 1 : Min(answer, has);
	}
	return answer;
}

static int
conforms_to(void *arg, const char *profile, size_t len, const FpItem *item)
{
	Jsonb	   *doc;

	if (loaded_definition("StructureDefinition", profile, len) == NULL)
	{
		constraint_asked_unknown = true;
		return -1;
	}
	if (item->kind != FP_NODE || item->json != JB_T_CONTAINER)
		return 0;
	doc = palloc(VARHDRSZ + item->len);
	SET_VARSIZE(doc, VARHDRSZ + item->len);
	memcpy(VARDATA(doc), item->u.text, item->len);
	return conforms_to_profile(doc, pnstrdup(profile, len));
}

void
validate_init(void)
{
	fhirpath_host.member_of = member_of;
	fhirpath_host.conforms_to = conforms_to;
	/* prepared by the postmaster, all backends have them at hand; else each prepares what it asks */
	for (int i = 0; process_shared_preload_libraries_in_progress && i < fhir_invariant_count; i++)
		(void) invariant_constraint(i);
}
