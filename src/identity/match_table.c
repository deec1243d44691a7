/*
 * match_table.c
 *		Linking any table by a comparison definition: ehr.link_table,
 *		ehr.match_pairs, ehr.train_table.
 *
 * The functions read the table with the caller's own rights and store nothing.
 *
 *	{"id": column, "source": column,
 *	 "fields": [{"column": c, "type": t, "swap": column, "levels": [0.95, 0.88]}, …],
 *	 "blocking": [[column, column], …],
 *	 "threshold": probability,
 *	 "model": what train_table learnt}
 */
#include "postgres.h"

#include <math.h>

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/rel.h"

#include "compat.h"
#include "core/match_model.h"
#include "core/match_table.h"
#include "identity/identity.h"

#define FETCH_ROWS 1000
#define ROWS_MAX 2000000

typedef struct Definition
{
	char	   *id;
	char	   *source;			/* NULL = none */
	char	   *column[TABLE_FIELDS_MAX];
	TableField	field[TABLE_FIELDS_MAX];
	int			fields;
	uint32		rule[TABLE_RULES_MAX];
	int			rules;
	double		threshold;		/* in bits; NaN = the model's */
	bool		trained;
	TableModel	model;
} Definition;

/* ---- core/ on palloc ---- */

static void *
table_palloc(void *arg, size_t size)
{
	return MemoryContextAllocExtended((MemoryContext) arg, size, MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
}

static void
table_pfree(void *arg, void *p)
{
	pfree(p);
}

static bool
table_interrupted(void *arg)
{
	return QueryCancelPending || ProcDiePending;
}

static void
check(CoreStatus status)
{
	CHECK_FOR_INTERRUPTS();
	if (status == CORE_NO_MEMORY)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory while linking a table")));
	if (status != CORE_OK)
		elog(ERROR, "linking a table failed with status %d", (int) status);
}

/* ---- reading the definition ---- */

pg_noreturn static void refuse(const char *detail);

static void
refuse(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("not a comparison definition"),
			 errdetail("%s", detail),
			 errhint("doc/identity.md tells what one holds.")));
}

static JsonbValue *
member(JsonbContainer *object, const char *key)
{
	JsonbValue	k;

	k.type = jbvString;
	k.val.string.val = unconstify(char *, key);
	k.val.string.len = strlen(key);
	return findJsonbValueFromContainer(object, JB_FOBJECT, &k);
}

static char *
text_member(JsonbContainer *object, const char *key)
{
	JsonbValue *v = member(object, key);

	if (v == NULL || v->type == jbvNull)
		return NULL;
	if (v->type != jbvString)
		refuse("A name of a column or type must be a string.");
	return pnstrdup(v->val.string.val, v->val.string.len);
}

static double
number_of(const JsonbValue *v)
{
	if (v == NULL || v->type != jbvNumeric)
		refuse("A number is missing, or is none.");
	return DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, NumericGetDatum(v->val.numeric)));
}

/* The array of that name, NULL when it is not there. */
static JsonbContainer *
array_member(JsonbContainer *object, const char *key, int most)
{
	JsonbValue *v = member(object, key);

	if (v == NULL || v->type == jbvNull)
		return NULL;
	if (v->type != jbvBinary || !JsonContainerIsArray(v->val.binary.data) || JsonContainerIsScalar(v->val.binary.data))
		refuse("\"fields\", \"blocking\" and \"levels\" are arrays.");
	if (JsonContainerSize(v->val.binary.data) > most)
		refuse("An array has too many members.");
	return v->val.binary.data;
}

static int
field_named(const Definition *d, const char *column)
{
	int			f;

	for (f = 0; f < d->fields; f++)
		if (strcmp(d->column[f], column) == 0)
			return f;
	refuse("\"swap\" and \"blocking\" name columns of \"fields\".");
}

static void
read_cuts(TableField *field, JsonbContainer *cuts)
{
	int			n = cuts == NULL ? 0 : JsonContainerSize(cuts);
	int			i;

	for (i = 0; i < n; i++)
	{
		field->cut[i] = number_of(getIthJsonbValueFromContainer(cuts, i));
		if (field->cut[i] <= 0 || field->cut[i] >= 1 || (i > 0 && field->cut[i] >= field->cut[i - 1]))
			refuse("\"levels\" are similarities between 1 and 0 that fall.");
	}
	field->cuts = n;
}

static void
read_fields(Definition *d, JsonbContainer *fields)
{
	JsonbContainer *object[TABLE_FIELDS_MAX];
	int			n = fields == NULL ? 0 : JsonContainerSize(fields);
	int			i;

	if (n == 0)
		refuse("It has no \"fields\".");
	for (i = 0; i < n; i++)
	{
		JsonbValue *v = getIthJsonbValueFromContainer(fields, i);
		TableField *field = &d->field[i];
		char	   *type;
		int			kind = 0;

		if (v->type != jbvBinary || !JsonContainerIsObject(v->val.binary.data))
			refuse("Each of \"fields\" is an object.");
		object[i] = v->val.binary.data;
		d->column[i] = text_member(object[i], "column");
		type = text_member(object[i], "type");
		if (d->column[i] == NULL || type == NULL)
			refuse("Each field has \"column\" and \"type\".");
		while (kind < TABLE_KINDS && strcmp(type, table_kind_names[kind]) != 0)
			kind++;
		if (kind == TABLE_KINDS)
			refuse("The types are name, text, date, number, id, code and exact.");
		field->kind = kind;
		field->swap = -1;
		read_cuts(field, array_member(object[i], "levels", TABLE_LEVELS - 2));
	}
	d->fields = n;
	for (i = 0; i < n; i++)
	{
		char	   *swap = text_member(object[i], "swap");

		if (swap != NULL)
			d->field[i].swap = field_named(d, swap);
	}
}

static void
read_rules(Definition *d, JsonbContainer *rules)
{
	int			n = rules == NULL ? 0 : JsonContainerSize(rules);
	int			i;
	uint32		k;

	for (i = 0; i < n; i++)
	{
		JsonbValue *v = getIthJsonbValueFromContainer(rules, i);

		if (v->type != jbvBinary || !JsonContainerIsArray(v->val.binary.data) || JsonContainerSize(v->val.binary.data) == 0)
			refuse("Each of \"blocking\" is an array of columns.");
		for (k = 0; k < JsonContainerSize(v->val.binary.data); k++)
		{
			JsonbValue *c = getIthJsonbValueFromContainer(v->val.binary.data, k);

			if (c->type != jbvString)
				refuse("Each of \"blocking\" is an array of columns.");
			d->rule[i] |= 1u << field_named(d, pnstrdup(c->val.string.val, c->val.string.len));
		}
	}
	d->rules = n;
}

/*
 * {"prior", "relatives", "threshold", "fields":
 *	[{"m": [], "u": [], "h": [], "goes_with": column, "bits": , "changes_with": column, "changed": }]}
 */
static void
read_levels(double *to, JsonbContainer *object, const char *key, int levels)
{
	JsonbContainer *array = array_member(object, key, TABLE_LEVELS);
	int			l;

	if (array == NULL || JsonContainerSize(array) != levels)
		refuse("\"model\" does not fit \"fields\".");
	for (l = 0; l < levels; l++)
	{
		to[l] = number_of(getIthJsonbValueFromContainer(array, l));
		if (!(to[l] > 0 && to[l] <= 1))
			refuse("A rate of \"model\" is not between 0 and 1.");
	}
}

/* A group is told by each of its fields, its share by the first. */
static void
read_group(Definition *d, JsonbContainer *object, int f)
{
	TableModel *m = &d->model;
	char	   *first = text_member(object, "changes_with");

	m->group[f] = first == NULL ? -1 : field_named(d, first);
	m->changed[f] = m->group[f] == f ? number_of(member(object, "changed")) : 0;
	if (!(m->changed[f] >= 0 && m->changed[f] < 1))
		refuse("A rate of \"model\" is not between 0 and 1.");
}

/* Following parents must come to an end, and a group has a first field. */
static void
require_tree(const TableModel *m)
{
	int			f;

	for (f = 0; f < m->fields; f++)
	{
		int			up = f;
		int			steps = 0;

		while (up >= 0 && steps++ <= m->fields)
			up = m->parent[up];
		if (up >= 0)
			refuse("Fields of \"model\" go with each other in a ring.");
		if (m->group[f] >= 0 && m->group[m->group[f]] != m->group[f])
			refuse("Fields of \"model\" change with one that changes with another.");
	}
}

static void
read_model(Definition *d, JsonbValue *v)
{
	TableModel *m = &d->model;
	JsonbContainer *model,
			   *fields;
	int			f;

	if (v->type != jbvBinary || !JsonContainerIsObject(v->val.binary.data))
		refuse("\"model\" is what ehr.train_matcher returned.");
	model = v->val.binary.data;
	m->fields = d->fields;
	m->prior = number_of(member(model, "prior"));
	m->relatives = number_of(member(model, "relatives"));
	m->threshold = number_of(member(model, "threshold"));
	if (!(m->prior > 0 && m->relatives >= 0 && m->prior + m->relatives < 1))
		refuse("A rate of \"model\" is not between 0 and 1.");
	fields = array_member(model, "fields", TABLE_FIELDS_MAX);
	if (fields == NULL || JsonContainerSize(fields) != d->fields)
		refuse("\"model\" does not fit \"fields\".");
	for (f = 0; f < d->fields; f++)
	{
		JsonbValue *one = getIthJsonbValueFromContainer(fields, f);
		int			levels = table_levels(&d->field[f]);
		char	   *with;

		if (one->type != jbvBinary || !JsonContainerIsObject(one->val.binary.data))
			refuse("\"model\" does not fit \"fields\".");
		read_levels(m->m[f], one->val.binary.data, "m", levels);
		read_levels(m->u[f], one->val.binary.data, "u", levels);
		read_levels(m->h[f], one->val.binary.data, "h", levels);
		with = text_member(one->val.binary.data, "goes_with");
		m->parent[f] = with == NULL ? -1 : field_named(d, with);
		m->with_parent[f] = with == NULL ? 0 : number_of(member(one->val.binary.data, "bits"));
		read_group(d, one->val.binary.data, f);
	}
	require_tree(m);
	d->trained = true;
}

static void
read_definition(Definition *d, Jsonb *json)
{
	JsonbValue *v;

	memset(d, 0, sizeof *d);
	if (!JB_ROOT_IS_OBJECT(json))
		refuse("It is not an object.");
	d->id = text_member(&json->root, "id");
	if (d->id == NULL)
		refuse("\"id\" names the column that tells rows apart.");
	d->source = text_member(&json->root, "source");
	read_fields(d, array_member(&json->root, "fields", TABLE_FIELDS_MAX));
	read_rules(d, array_member(&json->root, "blocking", TABLE_RULES_MAX));
	d->threshold = NAN;
	v = member(&json->root, "threshold");
	if (v != NULL && v->type != jbvNull)
	{
		double		p = number_of(v);

		if (!(p > 0 && p < 1))
			refuse("\"threshold\" is a probability.");
		d->threshold = match_bits(p);
	}
	v = member(&json->root, "model");
	if (v != NULL && v->type != jbvNull)
		read_model(d, v);
}

/* ---- reading the table ---- */

typedef struct Linking
{
	Definition	d;
	CoreContext core;
	MatchTable	table;
	TableOutcome out;
	char	  **id;
} Linking;

static char *
rows_query(const Definition *d, Oid relid)
{
	StringInfoData s;
	Relation	rel = relation_open(relid, AccessShareLock);
	int			f;

	initStringInfo(&s);
	appendStringInfo(&s, "SELECT %s::pg_catalog.text", quote_identifier(d->id));
	if (d->source != NULL)
		appendStringInfo(&s, ", %s::pg_catalog.text", quote_identifier(d->source));
	for (f = 0; f < d->fields; f++)
		appendStringInfo(&s, ", %s::pg_catalog.text", quote_identifier(d->column[f]));
	appendStringInfo(&s, " FROM %s ORDER BY 1",
					 quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)), RelationGetRelationName(rel)));
	relation_close(rel, NoLock);
	return s.data;
}

/* Sources by the order in which they turn up, from 1. */
static uint32
source_number(const char *name, List **known)
{
	ListCell   *cell;
	uint32		n = 0;

	if (name == NULL)
		return 0;
	foreach(cell, *known)
	{
		n++;
		if (strcmp(lfirst(cell), name) == 0)
			return n;
	}
	*known = lappend(*known, pstrdup(name));
	return n + 1;
}

static void
read_table(Linking *l, Oid relid)
{
	Definition *d = &l->d;
	Portal		portal = SPI_cursor_open_with_args(NULL, rows_query(d, relid), 0, NULL, NULL, NULL, true, 0);
	int			first = d->source == NULL ? 2 : 3;
	uint32		room = 1024;
	List	   *sources = NIL;

	l->id = palloc(room * sizeof *l->id);
	do
	{
		uint64		i;

		SPI_cursor_fetch(portal, true, FETCH_ROWS);
		for (i = 0; i < SPI_processed; i++)
		{
			const char *value[TABLE_FIELDS_MAX];
			HeapTuple	tuple = SPI_tuptable->vals[i];
			TupleDesc	desc = SPI_tuptable->tupdesc;
			int			f;

			if (l->table.n == ROWS_MAX)
				ereport(ERROR,
						(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						 errmsg("too many rows to link by a comparison definition"),
						 errdetail("At most %d rows can be.", ROWS_MAX)));
			if (l->table.n == room)
			{
				room *= 2;
				l->id = repalloc_huge(l->id, room * sizeof *l->id);
			}
			l->id[l->table.n] = SPI_getvalue(tuple, desc, 1);
			for (f = 0; f < d->fields; f++)
				value[f] = SPI_getvalue(tuple, desc, first + f);
			check(match_table_add(&l->table, value, d->source == NULL ? 0 : source_number(SPI_getvalue(tuple, desc, 2), &sources)));
			for (f = 0; f < d->fields; f++)
				if (value[f] != NULL)
					pfree(unconstify(char *, value[f]));
		}
		SPI_freetuptable(SPI_tuptable);
		CHECK_FOR_INTERRUPTS();
	} while (SPI_processed > 0);
	SPI_cursor_close(portal);
}

/* Everything lives in the memory context of the call. */
static void
link_rows(Linking *l, Oid relid, Jsonb *json, bool train)
{
	int			r;

	read_definition(&l->d, json);
	l->core.alloc = table_palloc;
	l->core.free = table_pfree;
	l->core.interrupted = table_interrupted;
	l->core.arg = CurrentMemoryContext;
	l->core.depth_limit = 100;
	check(match_table_start(&l->table, &l->core, l->d.field, l->d.fields));
	for (r = 0; r < l->d.rules; r++)
		l->table.rule[r] = l->d.rule[r];
	l->table.rules = l->d.rules;
	read_table(l, relid);
	l->table.threshold = l->d.threshold;
	check(match_table_link(&l->table, l->d.trained && !train ? &l->d.model : NULL, &l->out));
}

/* ---- for SQL ---- */

PG_FUNCTION_INFO_V1(ehr_link_table);

/*
 * ehr.link_table(rows regclass, definition jsonb) → setof (id text, cluster
 * text, probability float8): rows that are one person's have one cluster, the
 * id of its first row.  VOLATILE STRICT; errors 22023, and what reading raises.
 */
Datum
ehr_link_table(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Linking		l = {{NULL}};
	uint32	   *first;
	uint32		i;

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	link_rows(&l, PG_GETARG_OID(0), PG_GETARG_JSONB_P(1), false);
	first = MemoryContextAllocHuge(CurrentMemoryContext, ((Size) l.table.n + 1) * sizeof *first);
	memset(first, 0xff, ((Size) l.table.n + 1) * sizeof *first);
	for (i = 0; i < l.table.n; i++)
	{
		uint32		root = match_forest_root(&l.out.forest, i);
		Datum		values[3];
		bool		nulls[3] = {l.id[i] == NULL, false, isinf(l.out.best[i]) != 0};

		if (first[root] == PG_UINT32_MAX)
			first[root] = i;
		nulls[1] = l.id[first[root]] == NULL;
		values[0] = nulls[0] ? (Datum) 0 : CStringGetTextDatum(l.id[i]);
		values[1] = nulls[1] ? (Datum) 0 : CStringGetTextDatum(l.id[first[root]]);
		values[2] = Float8GetDatum(match_probability(l.out.best[i]));
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	SPI_finish();
	PG_RETURN_NULL();
}

PG_FUNCTION_INFO_V1(ehr_match_pairs);

/*
 * ehr.match_pairs(rows regclass, definition jsonb, threshold float8) → setof
 * (a text, b text, probability float8): the pairs themselves, best first.
 * VOLATILE STRICT.
 */
Datum
ehr_match_pairs(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	double		least = match_bits(PG_GETARG_FLOAT8(2));
	Linking		l = {{NULL}};
	size_t		i;

	InitMaterializedSRF(fcinfo, 0);
	SPI_connect();
	link_rows(&l, PG_GETARG_OID(0), PG_GETARG_JSONB_P(1), false);
	for (i = 0; i < l.out.npairs && l.out.pair[i].bits >= least; i++)
	{
		char	   *a = l.id[l.out.pair[i].a];
		char	   *b = l.id[l.out.pair[i].b];
		Datum		values[3] = {0, 0, Float8GetDatum(match_probability(l.out.pair[i].bits))};
		bool		nulls[3] = {a == NULL, b == NULL, false};

		values[0] = a == NULL ? (Datum) 0 : CStringGetTextDatum(a);
		values[1] = b == NULL ? (Datum) 0 : CStringGetTextDatum(b);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	SPI_finish();
	PG_RETURN_NULL();
}

/* a column's name, or null */
static void
append_column(StringInfo s, const char *name, const Definition *d, int f)
{
	appendStringInfo(s, "\"%s\": ", name);
	if (f >= 0)
		escape_json(s, d->column[f]);
	else
		appendStringInfoString(s, "null");
}

static void
append_rates(StringInfo s, const char *name, const double *rate, int levels)
{
	int			l;

	appendStringInfo(s, "\"%s\": [", name);
	for (l = 0; l < levels; l++)
		appendStringInfo(s, "%s%.6g", l > 0 ? ", " : "", rate[l]);
	appendStringInfoString(s, "], ");
}

PG_FUNCTION_INFO_V1(ehr_train_table);

/*
 * ehr.train_table(rows regclass, definition jsonb) → jsonb: the definition's
 * model, learnt from the rows, for "model" of a definition.  VOLATILE STRICT.
 */
Datum
ehr_train_table(PG_FUNCTION_ARGS)
{
	Linking		l = {{NULL}};
	MemoryContext caller = CurrentMemoryContext;
	TableModel *m = &l.out.model;
	StringInfoData s;
	int			f,
				n;

	SPI_connect();
	link_rows(&l, PG_GETARG_OID(0), PG_GETARG_JSONB_P(1), true);
	MemoryContextSwitchTo(caller);
	initStringInfo(&s);
	appendStringInfo(&s, "{\"rows\": %u, \"candidates\": " UINT64_FORMAT ", \"large_blocks\": %u, \"prior\": %.6g, \"relatives\": %.6g, \"threshold\": %.6g, \"fields\": [",
					 l.table.n, l.table.candidates, l.table.skipped, m->prior, m->relatives, m->threshold);
	for (f = 0; f < l.d.fields; f++)
	{
		int			levels = table_levels(&l.d.field[f]);

		appendStringInfo(&s, "%s{\"column\": ", f > 0 ? ", " : "");
		escape_json(&s, l.d.column[f]);
		appendStringInfoString(&s, ", \"levels\": [");
		for (n = 0; n < levels; n++)
			appendStringInfo(&s, "%s\"%s\"", n > 0 ? ", " : "", table_level_name(&l.d.field[f], n));
		appendStringInfoString(&s, "], ");
		append_rates(&s, "m", m->m[f], levels);
		append_rates(&s, "u", m->u[f], levels);
		append_rates(&s, "h", m->h[f], levels);
		append_column(&s, "goes_with", &l.d, m->parent[f]);
		appendStringInfo(&s, ", \"bits\": %.6g, ", m->with_parent[f]);
		append_column(&s, "changes_with", &l.d, m->group[f]);
		if (m->group[f] == f)
			appendStringInfo(&s, ", \"changed\": %.6g", m->changed[f]);
		appendStringInfoChar(&s, '}');
	}
	appendStringInfoString(&s, "]}");
	SPI_finish();
	PG_RETURN_DATUM(DirectFunctionCall1(jsonb_in, CStringGetDatum(s.data)));
}
