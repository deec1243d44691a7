/*
 * private_stats.c
 *		ANALYZE for types whose values name persons.
 *
 * pg_stats would keep the commonest numbers and a hundred more as histogram
 * bounds.  Here they are computed and thrown away: what stays is the share of
 * nulls, the number of distinct values and the correlation, which is what
 * equality and index scans need.
 */
#include "postgres.h"

#include "catalog/pg_statistic.h"
#include "commands/vacuum.h"
#include "fmgr.h"

#include "compat.h"

PG_FUNCTION_INFO_V1(ehr_private_typanalyze);

/* what std_typanalyze prepared */
typedef struct PrivateStats
{
	AnalyzeAttrComputeStatsFunc compute;
	void	   *extra;
} PrivateStats;

static void
compute_private_stats(VacAttrStats *stats, AnalyzeAttrFetchFunc fetch, int samplerows, double totalrows)
{
	PrivateStats *saved = stats->extra_data;
	int			i;

	stats->extra_data = saved->extra;
	saved->compute(stats, fetch, samplerows, totalrows);
	for (i = 0; i < STATISTIC_NUM_SLOTS; i++)
	{
		if (stats->stakind[i] == STATISTIC_KIND_CORRELATION)
			continue;
		stats->stakind[i] = 0;
		stats->staop[i] = InvalidOid;
		stats->stacoll[i] = InvalidOid;
		stats->numnumbers[i] = 0;
		stats->stanumbers[i] = NULL;
		stats->numvalues[i] = 0;
		stats->stavalues[i] = NULL;
	}
}

Datum
ehr_private_typanalyze(PG_FUNCTION_ARGS)
{
	VacAttrStats *stats = (VacAttrStats *) PG_GETARG_POINTER(0);
	PrivateStats *saved;

	if (!std_typanalyze(stats))
		PG_RETURN_BOOL(false);
	saved = palloc(sizeof(PrivateStats));
	saved->compute = stats->compute_stats;
	saved->extra = stats->extra_data;
	stats->compute_stats = compute_private_stats;
	stats->extra_data = saved;
	PG_RETURN_BOOL(true);
}
