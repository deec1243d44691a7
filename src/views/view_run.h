/*
 * view_run.h
 *		Rows of a view: shared by the files of room views.
 */
#ifndef EHR_VIEW_RUN_H
#define EHR_VIEW_RUN_H

#include "access/tupdesc.h"

#include "fhirpath/fhirpath.h"
#include "view.h"

/* What a column holds in a row: places in the resource, or values of the evaluator */
typedef struct ViewValue
{
	FpItem	   *items;
	uint32		count;
} ViewValue;

typedef struct ViewRows
{
	ViewValue **rows;			/* each as wide as the view */
	int			count;
	int			room;
} ViewRows;

/* A view and the evaluator that runs it, kept for a whole query */
typedef struct ViewRun
{
	View	   *view;
	Jsonb	   *definition;		/* own copy */
	CoreContext core;			/* on cx */
	FhirPathEval *ev;
	FhirPathInput input;
	FhirPathAsk ask;			/* of other rooms */
	FpItem	   *row_index;		/* value of %rowIndex */
	const bool *needed;			/* by column: which are asked for; NULL: all */
	MemoryContext cx;
} ViewRun;

/*
 * The run of a definition, kept in *cache (a function's fn_extra) as long as
 * the definition stays the same.  Columns that are not needed stay empty; a
 * NULL needs all.
 */
extern ViewRun *view_run(void **cache, MemoryContext parent, Datum definition, const bool *needed);

/* Raises 42804 where a column definition list is not that of the view. */
extern void view_check_columns(const View *view, TupleDesc desc);

/* Offers a scan for view_record() to the planner; called once by _PG_init. */
extern void view_scan_init(void);

/*
 * Rows of a resource; none where it is of another type or does not meet the
 * conditions.  They live until the next call with this run.  Raises 21000 where
 * a column that is no collection has several values, 22023 where a condition
 * is no boolean or an expression fails.
 */
extern void view_rows_of(ViewRun *run, Jsonb *resource, ViewRows *rows);

/*
 * An item as a value of a column; *isnull where it has none, or its precision
 * does not reach.  In the current memory context, or where the rows are, or in
 * the resource.
 */
extern Datum view_datum(ViewRun *run, const ViewColumn *column, const ViewValue *value, bool *isnull);

#endif							/* EHR_VIEW_RUN_H */
