/*
 * fhir_stats.c
 *		What ANALYZE keeps of a fhir column: share of NULLs and mean width, no value.
 *
 * The usual statistics would hold whole documents of persons in pg_statistic
 * (design rule 7).
 */
#include "postgres.h"

#include "commands/vacuum.h"
#include "fmgr.h"

#include "compat.h"
#include "fhir.h"

PG_FUNCTION_INFO_V1(fhir_typanalyze);

static void
compute_stats(VacAttrStats *stats, AnalyzeAttrFetchFunc fetch, int sample_rows, double total_rows)
{
	int			nulls = 0;
	double		width = 0;
	int			i;

	for (i = 0; i < sample_rows; i++)
	{
		bool		isnull;
		Datum		value;

		ehr_vacuum_delay_point();
		value = fetch(stats, i, &isnull);
		if (isnull)
			nulls++;
		else
			width += VARSIZE_ANY(DatumGetPointer(value));	/* as stored, not detoasted */
	}
	if (sample_rows == 0)
		return;
	stats->stats_valid = true;
	stats->stanullfrac = (double) nulls / sample_rows;
	stats->stawidth = nulls == sample_rows ? 0 : (int32) (width / (sample_rows - nulls));

	/* documents are taken to be all different: they hold their id */
	stats->stadistinct = -1.0 * (1.0 - stats->stanullfrac);
}

Datum
fhir_typanalyze(PG_FUNCTION_ARGS)
{
	VacAttrStats *stats = (VacAttrStats *) PG_GETARG_POINTER(0);

	stats->compute_stats = compute_stats;
	stats->minrows = 300 * default_statistics_target;
	PG_RETURN_BOOL(true);
}
