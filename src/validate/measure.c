/*
 * measure.c
 *		A MeasureReport against its Measure, contained or loaded.
 *
 * R4 measurereport.html: a report has "the results of the calculation, one for
 * each population group in the measure", of a group the populations "one for
 * each type of population appropriate for the measure" and "a stratifier group
 * for each stratifier defined by the measure".  What the report names, the
 * measure defines; what the measure defines, a complete report has.  A report
 * that exchanges data has no groups (mrp-1, an invariant of the model).
 */
#include "postgres.h"

#include "miscadmin.h"

#include "fhir/fhir_tree.h"
#include "validate/validate.h"

#define SCORING_SYSTEM	"http://terminology.hl7.org/CodeSystem/measure-scoring"

typedef struct MeasureRun
{
	Validation *v;
	const FhirVisit *visit;
	const char *scoring;		/* code of Measure.scoring, "" where it is none of R4's */
	bool		complete;		/* what the measure defines has to be there */
} MeasureRun;

typedef struct Level Level;
typedef void (*LevelCheck) (MeasureRun *run, const JsonNode *definition, const JsonNode *result, const char *path);

/* One list of a measure and the results in the report that belong to its items by code */
struct Level
{
	const char *list;
	const char *unknown;
	const char *twice;
	const char *missing;
	LevelCheck	check;
};

static void
say(MeasureRun *run, Severity severity, const char *rule, const char *text, const char *hint, const char *place)
{
	char		path[FHIR_PATH_SIZE];

	fhir_place_path(run->visit->place, place, -1, path);
	add_issue(run->v, severity, "business-rule", rule, text, hint, path);
}

/* -- codes ---------------------------------------------------------------- */

/* Whether one of the codings is one of the other's; without codings, whether the texts are the same */
static bool
same_concept(const JsonNode *a, const JsonNode *b)
{
	const JsonNode *ours = child_of(a, "coding");
	const JsonNode *theirs = child_of(b, "coding");

	if (items_of(ours) == 0 || items_of(theirs) == 0)
		return same_string(child_of(a, "text"), child_of(b, "text"));
	for (int i = 0; i < items_of(ours); i++)
	{
		for (int k = 0; k < items_of(theirs); k++)
		{
			const JsonNode *one = item_of(ours, i);
			const JsonNode *other = item_of(theirs, k);
			const JsonNode *system = child_of(one, "system");
			const JsonNode *other_system = child_of(other, "system");

			if (same_string(child_of(one, "code"), child_of(other, "code")) &&
				(system == other_system || same_string(system, other_system)))
				return true;
		}
	}
	return false;
}

/* code is one CodeableConcept in a Measure, of a report's stratifier it is a list */
static bool
names(const JsonNode *result, const JsonNode *definition)
{
	const JsonNode *codes = child_of(result, "code");
	const JsonNode *code = child_of(definition, "code");

	for (int i = 0; code != NULL && i < items_of(codes); i++)
	{
		if (same_concept(item_of(codes, i), code))
			return true;
	}
	return false;
}

/*
 * The definition that a result belongs to, -1 if there is none: the one of its
 * code; where one of the two has no code, the only one, or the one at its place.
 */
static int
belongs_to(const JsonNode *definitions, const JsonNode *result, int place)
{
	bool		coded = child_of(result, "code") != NULL;

	for (int i = 0; i < items_of(definitions); i++)
	{
		if (names(result, item_of(definitions, i)))
			return i;
	}
	if (items_of(definitions) == 1 && (!coded || child_of(item_of(definitions, 0), "code") == NULL))
		return 0;
	if (place < items_of(definitions) && child_of(item_of(definitions, place), "code") == NULL)
		return place;
	return -1;
}

/* -- levels --------------------------------------------------------------- */

static void
check_level(MeasureRun *run, const Level *level, const JsonNode *definition, const JsonNode *result, const char *path)
{
	const JsonNode *definitions = child_of(definition, level->list);
	const JsonNode *results = child_of(result, level->list);
	bool	   *seen = palloc0(items_of(definitions) + 1);

	CHECK_FOR_INTERRUPTS();
	for (int i = 0; i < items_of(results) && !run->v->full; i++)
	{
		const JsonNode *one = item_of(results, i);
		char	   *here = psprintf("%s%s[%d]", path, level->list, i);
		int			place = belongs_to(definitions, one, i);

		if (place < 0)
			say(run, SEVERITY_ERROR, "measure-unknown", level->unknown, NULL, here);
		else
		{
			if (seen[place])
				say(run, SEVERITY_ERROR, "measure-twice", level->twice, NULL, here);
			seen[place] = true;
			if (level->check != NULL)
				level->check(run, item_of(definitions, place), one, psprintf("%s.", here));
		}
	}
	for (int i = 0; run->complete && i < items_of(definitions) && !run->v->full; i++)
	{
		if (!seen[i])
			say(run, SEVERITY_ERROR, "measure-missing", level->missing, NULL, psprintf("%s%s", path, level->list));
	}
	pfree(seen);
}

/* Measure.scoring: a cohort has no score; a proportion's is one. */
static void
check_score(MeasureRun *run, const JsonNode *result, const char *path)
{
	const JsonNode *score = child_of(result, "measureScore");
	const JsonNode *value = child_of(score, "value");
	char	   *place = psprintf("%smeasureScore", path);

	if (score == NULL)
		return;
	if (strcmp(run->scoring, "cohort") == 0)
		say(run, SEVERITY_ERROR, "measure-score", "a measure that only counts a cohort has no score", NULL, place);
	else if (strcmp(run->scoring, "proportion") == 0 && value != NULL && value->kind == NODE_NUMBER && child_of(score, "unit") == NULL &&
			 child_of(score, "code") == NULL)
	{
		double		number = strtod(pnstrdup(value->u.text, value->len), NULL);

		if (number < 0 || number > 1)
			say(run, SEVERITY_ERROR, "measure-score", "a proportion lies between 0 and 1", "A percentage has its unit: %.", place);
	}
}

/* -- stratifiers ---------------------------------------------------------- */

/* A stratum says of each component of its stratifier which value it is for. */
static void
check_stratum(MeasureRun *run, const JsonNode *stratifier, const JsonNode *group, const JsonNode *stratum, const char *path)
{
	static const Level components = {
		"component", "the measure's stratifier has no component of this code", "the component stands twice",
		"a component of the measure's stratifier is missing", NULL
	};
	static const Level populations = {
		"population", "the measure's group has no population of this code", "the population stands twice",
		"a population of the measure's group is missing", NULL
	};

	check_level(run, &components, stratifier, stratum, path);
	if (child_of(stratum, "population") != NULL)
		check_level(run, &populations, group, stratum, path);
}

static void
check_strata(MeasureRun *run, const JsonNode *group, const JsonNode *definition, const JsonNode *result, const char *path)
{
	const JsonNode *strata = child_of(result, "stratum");

	for (int i = 0; i < items_of(strata) && !run->v->full; i++)
		check_stratum(run, definition, group, item_of(strata, i), psprintf("%sstratum[%d].", path, i));
}

static void
check_stratifiers(MeasureRun *run, const JsonNode *definition, const JsonNode *result, const char *path)
{
	static const Level stratifiers = {
		"stratifier", "the measure's group has no stratifier of this code", "the stratifier stands twice",
		"a stratifier of the measure's group is missing", NULL
	};
	const JsonNode *definitions = child_of(definition, "stratifier");
	const JsonNode *results = child_of(result, "stratifier");

	check_level(run, &stratifiers, definition, result, path);
	for (int i = 0; i < items_of(results) && !run->v->full; i++)
	{
		int			place = belongs_to(definitions, item_of(results, i), i);

		if (place >= 0)
			check_strata(run, definition, item_of(definitions, place), item_of(results, i), psprintf("%sstratifier[%d].", path, i));
	}
}

static void
check_group(MeasureRun *run, const JsonNode *definition, const JsonNode *result, const char *path)
{
	static const Level populations = {
		"population", "the measure's group has no population of this code", "the population stands twice",
		"a population of the measure's group is missing", NULL
	};

	check_score(run, result, path);
	check_level(run, &populations, definition, result, path);
	check_stratifiers(run, definition, result, path);
}

/* -- ways in -------------------------------------------------------------- */

/* Measure.scoring as R4's code, "" where it has none */
static const char *
scoring_of(const JsonNode *measure)
{
	const JsonNode *codings = child_of(child_of(measure, "scoring"), "coding");

	for (int i = 0; i < items_of(codings); i++)
	{
		const JsonNode *code = child_of(item_of(codings, i), "code");

		if (text_is(child_of(item_of(codings, i), "system"), SCORING_SYSTEM) && code != NULL && code->kind == NODE_STRING)
			return pnstrdup(code->u.text, code->len);
	}
	return "";
}

void
check_measure_report(Validation *v, const FhirVisit *visit)
{
	static const Level groups = {
		"group", "the measure has no group of this code", "the group stands twice", "a group of the measure is missing", check_group
	};
	const JsonNode *measure = definition_of(v, visit, child_of(visit->node, "measure"), "Measure");
	MeasureRun	run = {v, visit, "", false};

	if (measure == NULL)
		check_canonical(v, visit, "measure", "Measure");
	if (measure == NULL || text_is(child_of(visit->node, "type"), "data-collection"))
		return;
	run.scoring = scoring_of(measure);
	run.complete = text_is(child_of(visit->node, "status"), "complete");
	check_level(&run, &groups, measure, visit->node, "");
}
