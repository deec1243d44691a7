/*
 * view.h
 *		SQL on FHIR v2: a ViewDefinition made ready to run (room views).
 *
 * A view is a tree of selects.  Each gives rows for a focus: its own columns
 * once, times the rows of each nested select, times the rows of its unionAll.
 * Every column has a place (slot) in the row of the whole view; the branches of
 * a unionAll share their slots.
 */
#ifndef EHR_VIEW_H
#define EHR_VIEW_H

#include "lib/stringinfo.h"
#include "utils/jsonb.h"

#include "core/fhirpath.h"
#include "core/fhirpath_columns.h"

/* Deepest nesting of selects; most columns of a view (PostgreSQL's own limit) */
#define VIEW_DEPTH		32
#define VIEW_COLUMNS	1600

typedef enum ViewIterate
{
	VIEW_ONCE,
	VIEW_FOR_EACH,
	VIEW_FOR_EACH_OR_NULL,
	VIEW_REPEAT
} ViewIterate;

/* How a FHIR type, or the tag ansi/type, becomes a column of PostgreSQL: the table is in view_definition.c */
typedef struct ViewType
{
	const char *name;
	Oid			oid;
	Oid			array;
} ViewType;

typedef struct ViewColumn
{
	char	   *name;
	char	   *description;	/* or NULL */
	const ViewType *type;
	bool		collection;
} ViewColumn;

/* What a select puts into a slot */
typedef struct ViewCell
{
	int			slot;
	FhirPathPlan *plan;
	bool		row_index;		/* the path is %rowIndex and nothing else */
} ViewCell;

typedef struct ViewSelect
{
	ViewIterate how;
	FhirPathPlan **paths;		/* of forEach: one, of repeat: any */
	int			path_count;
	ViewCell   *cells;
	int			cell_count;
	struct ViewSelect **nested;
	int			nested_count;
	struct ViewSelect **branches;	/* of unionAll */
	int			branch_count;
	FhirPathColumns *columns;	/* the plain paths among the cells, for foci of columns_type; NULL: none */
	int			columns_type;	/* 0: not made yet */
	int			columns_made;	/* how often */
	int			first;			/* slots [first, last) are this select's and what is below it */
	int			last;
} ViewSelect;

typedef struct View
{
	int			resource;		/* number of the resource type */
	uint32		needs;			/* FHIRPATH_NEEDS_… of all expressions */
	FhirPathPlan **where;
	int			where_count;
	ViewColumn *columns;		/* by slot */
	int			column_count;
	FhirPathVariable *variables;	/* the constants, and %rowIndex as the last one */
	int			variable_count;
	ViewSelect *root;
} View;

/*
 * Makes a ViewDefinition ready, in the current memory context; the definition
 * must live as long.  Raises 22023 with the path of the first fault.
 */
extern View *view_prepare(Jsonb *definition);

#endif							/* EHR_VIEW_H */
