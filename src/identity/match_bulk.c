/*
 * match_bulk.c
 *		Bulk linking: all feature rows through core/match_link.c.
 */
#include "postgres.h"

#include <math.h>

#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "compat.h"
#include "core/match_count.h"
#include "core/match_link.h"
#include "identity/identity.h"

#define FETCH_ROWS 10000
#define COUNT_LEAST 3			/* rarer values need no row in the table of frequencies */

/* What a row of the result is; ehr_internal.link_cluster reads these. */
enum BulkKind
{
	BULK_LINK = 1,				/* a: subject, b: its cluster, bits: its best link */
	BULK_REVIEW,				/* a, b: subjects, bits: their score */
	BULK_MODEL,					/* data: the model */
	BULK_COUNT,					/* a: kind, b: value, bits: rows */
	BULK_FIGURE					/* a: which, b: the figure */
};

/* ---- core/ on palloc ---- */

static void *
bulk_alloc(void *arg, size_t size)
{
	return MemoryContextAllocExtended((MemoryContext) arg, size, MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
}

static void
bulk_free(void *arg, void *p)
{
	pfree(p);
}

static bool
bulk_interrupted(void *arg)
{
	return INTERRUPTS_PENDING_CONDITION();
}

static void
check_status(CoreStatus status)
{
	CHECK_FOR_INTERRUPTS();
	if (status == CORE_NO_MEMORY)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory while linking"),
				 errdetail("Linking needs about 300 bytes a patient.")));
	if (status == CORE_INTERRUPTED)
		ereport(ERROR, (errcode(ERRCODE_QUERY_CANCELED), errmsg("linking was interrupted")));
	if (status != CORE_OK)
		elog(ERROR, "linking failed with status %d", (int) status);
}

/* ---- rows in ---- */

static const char bulk_query[] =
"SELECT f.subject, f.features, CASE WHEN p.merged_into IS NULL THEN p.key ELSE ehr_internal.person_root(p.key) END"
" FROM ehr_store.match_feature f LEFT JOIN ehr_store.person_link l ON l.subject OPERATOR(pg_catalog.=) f.subject"
" LEFT JOIN ehr_store.person p ON p.key OPERATOR(pg_catalog.=) l.person";

static const char apart_query[] =
"SELECT LEAST(r.a, r.b), GREATEST(r.a, r.b) FROM ehr_store.match_review r WHERE r.state OPERATOR(pg_catalog.=) 'different' ORDER BY 1, 2";

static MatchRow *
read_rows(MemoryContext cxt, uint32 *nrows)
{
	Portal		portal = SPI_cursor_open_with_args(NULL, bulk_query, 0, NULL, NULL, NULL, true, 0);
	size_t		room = FETCH_ROWS;
	size_t		n = 0;
	MatchRow   *rows = MemoryContextAllocHuge(cxt, room * sizeof(MatchRow));

	for (;;)
	{
		uint64		i;

		SPI_cursor_fetch(portal, true, FETCH_ROWS);
		if (SPI_processed == 0)
			break;
		if (n + SPI_processed > room)
		{
			room += room / 2 + SPI_processed;
			if (room > PG_UINT32_MAX / 4)
				ereport(ERROR,
						(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						 errmsg("too many patients to link at once")));
			rows = repalloc_huge(rows, room * sizeof(MatchRow));
		}
		for (i = 0; i < SPI_processed; i++)
		{
			HeapTuple	tuple = SPI_tuptable->vals[i];
			bool		isnull;
			Datum		person;
			int64		subject = DatumGetInt64(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 1, &isnull));
			bytea	   *features = DatumGetByteaPP(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 2, &isnull));

			ehr_match_row_load(&rows[n], features);
			person = SPI_getbinval(tuple, SPI_tuptable->tupdesc, 3, &isnull);
			rows[n].subject = subject;
			rows[n].person = isnull ? 0 : DatumGetInt64(person);
			n++;
		}
		SPI_freetuptable(SPI_tuptable);
		CHECK_FOR_INTERRUPTS();
	}
	SPI_cursor_close(portal);
	*nrows = (uint32) n;
	return rows;
}

static void
read_apart(MemoryContext cxt, MatchOptions *options)
{
	int64_t		(*apart)[2];
	uint64		i;

	if (SPI_execute(apart_query, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the decisions");
	apart = MemoryContextAllocHuge(cxt, (SPI_processed + 1) * sizeof *apart);
	for (i = 0; i < SPI_processed; i++)
	{
		bool		isnull;

		apart[i][0] = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull));
		apart[i][1] = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2, &isnull));
	}
	options->apart = (const int64_t (*)[2]) apart;
	options->napart = SPI_processed;
	SPI_freetuptable(SPI_tuptable);
}

/* ---- result out ---- */

static void
put_row(ReturnSetInfo *rsinfo, int kind, int64 a, int64 b, double bits, bytea *data)
{
	Datum		values[5];
	bool		nulls[5] = {false, false, false, false, data == NULL};

	values[0] = Int16GetDatum(kind);
	values[1] = Int64GetDatum(a);
	values[2] = Int64GetDatum(b);
	values[3] = Float4GetDatum((float4) bits);
	values[4] = PointerGetDatum(data);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

static CoreStatus
put_count(void *arg, MatchCountKind kind, uint64_t value, uint32_t rows)
{
	put_row((ReturnSetInfo *) arg, BULK_COUNT, kind, (int64) value, rows, NULL);
	return CORE_OK;
}

/* A cluster goes by its least subject. */
static void
put_links(ReturnSetInfo *rsinfo, const MatchRow *rows, uint32 n, MatchOutcome *out, int64 *least)
{
	uint32		i;

	for (i = 0; i < n; i++)
		least[i] = PG_INT64_MAX;
	for (i = 0; i < n; i++)
	{
		uint32		root = match_forest_root(&out->forest, i);

		if (rows[i].subject < least[root])
			least[root] = rows[i].subject;
	}
	for (i = 0; i < n; i++)
		put_row(rsinfo, BULK_LINK, rows[i].subject, least[match_forest_root(&out->forest, i)], out->best[i], NULL);
}

PG_FUNCTION_INFO_V1(ehr_match_bulk);

/*
 * ehr_internal.match_bulk(OUT kind int2, OUT a int8, OUT b int8, OUT bits real,
 * OUT data bytea) → setof record: links all of ehr_store.match_feature, keeping
 * what is linked and what was decided.  VOLATILE; called in system mode.
 */
Datum
ehr_match_bulk(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext, "ehr bulk linking", ALLOCSET_DEFAULT_SIZES);
	CoreContext core = {bulk_alloc, bulk_free, bulk_interrupted, cxt, 100};
	MatchOptions options = match_options_default;
	MatchOutcome out;
	MatchRow   *rows;
	uint8_t		model[MATCH_MODEL_STORED];
	uint32		n;
	size_t		i;

	InitMaterializedSRF(fcinfo, 0);
	options.link = EHR_MATCH_LINK;
	options.review = EHR_MATCH_REVIEW;

	SPI_connect();
	rows = read_rows(cxt, &n);
	read_apart(cxt, &options);
	SPI_finish();

	check_status(match_link(&core, rows, n, &options, &out));
	put_links(rsinfo, rows, n, &out, MemoryContextAllocHuge(cxt, ((Size) n + 1) * sizeof(int64)));
	for (i = 0; i < out.nreview; i++)
		put_row(rsinfo, BULK_REVIEW, rows[out.review[i].a].subject, rows[out.review[i].b].subject, out.review[i].bits, NULL);
	match_model_store(&out.model, model);
	put_row(rsinfo, BULK_MODEL, n, 0, 0, ehr_bytes(model, sizeof model));
	check_status(match_count_values(&core, rows, n, COUNT_LEAST, put_count, rsinfo));
	put_row(rsinfo, BULK_FIGURE, 1, (int64) out.candidates, 0, NULL);
	put_row(rsinfo, BULK_FIGURE, 2, (int64) out.linked, 0, NULL);
	put_row(rsinfo, BULK_FIGURE, 3, (int64) out.vetoed, 0, NULL);
	put_row(rsinfo, BULK_FIGURE, 4, (int64) out.refused, 0, NULL);
	for (i = 0; i < MATCH_RULES; i++)
	{
		put_row(rsinfo, BULK_FIGURE, 100 + (int64) i, (int64) out.blocks.refined[i], 0, NULL);
		put_row(rsinfo, BULK_FIGURE, 200 + (int64) i, (int64) out.blocks.windowed[i], 0, NULL);
	}
	MemoryContextDelete(cxt);
	PG_RETURN_NULL();
}
