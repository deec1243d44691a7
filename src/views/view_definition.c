/*
 * view_definition.c
 *		Reads a ViewDefinition (SQL on FHIR v2) and makes it ready to run.
 *
 * What is refused is refused with 22023 and the path of the fault.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "core/fhir_model.h"
#include "core/fhirpath_program.h"

#include "compat.h"
#include "fhir/fhir_tree.h"
#include "view.h"

/* Where the reader stands */
typedef struct Reader
{
	View	   *view;
	StringInfoData path;		/* ViewDefinition.select[0]… */
	int			depth;
	bool		repeating;		/* columns of a second branch of unionAll: they must be those of the first */
} Reader;

/*
 * Types by name: FHIR's primitives as a column holds them (SQL on FHIR, "type
 * conversion"), then those that the tag ansi/type may ask for.  Dates of FHIR
 * may be partial, so they are text unless a tag says otherwise.
 */
static const struct
{
	const char *name;
	ViewType	type;
}			types[] = {
	{"base64Binary", {"text", TEXTOID, TEXTARRAYOID}},
	{"boolean", {"boolean", BOOLOID, BOOLARRAYOID}},
	{"canonical", {"text", TEXTOID, TEXTARRAYOID}},
	{"code", {"text", TEXTOID, TEXTARRAYOID}},
	{"date", {"text", TEXTOID, TEXTARRAYOID}},
	{"dateTime", {"text", TEXTOID, TEXTARRAYOID}},
	{"decimal", {"numeric", NUMERICOID, NUMERICARRAYOID}},
	{"id", {"text", TEXTOID, TEXTARRAYOID}},
	{"instant", {"timestamp with time zone", TIMESTAMPTZOID, TIMESTAMPTZARRAYOID}},
	{"integer", {"integer", INT4OID, INT4ARRAYOID}},
	{"integer64", {"bigint", INT8OID, INT8ARRAYOID}},
	{"markdown", {"text", TEXTOID, TEXTARRAYOID}},
	{"oid", {"text", TEXTOID, TEXTARRAYOID}},
	{"positiveInt", {"integer", INT4OID, INT4ARRAYOID}},
	{"string", {"text", TEXTOID, TEXTARRAYOID}},
	{"time", {"text", TEXTOID, TEXTARRAYOID}},
	{"unsignedInt", {"integer", INT4OID, INT4ARRAYOID}},
	{"uri", {"text", TEXTOID, TEXTARRAYOID}},
	{"url", {"text", TEXTOID, TEXTARRAYOID}},
	{"uuid", {"text", TEXTOID, TEXTARRAYOID}},
	{NULL}
},			ansi_types[] =
{
	{"BOOLEAN", {"boolean", BOOLOID, BOOLARRAYOID}},
	{"SMALLINT", {"integer", INT4OID, INT4ARRAYOID}},
	{"INTEGER", {"integer", INT4OID, INT4ARRAYOID}},
	{"INT", {"integer", INT4OID, INT4ARRAYOID}},
	{"BIGINT", {"bigint", INT8OID, INT8ARRAYOID}},
	{"DECIMAL", {"numeric", NUMERICOID, NUMERICARRAYOID}},
	{"NUMERIC", {"numeric", NUMERICOID, NUMERICARRAYOID}},
	{"DOUBLE PRECISION", {"double precision", FLOAT8OID, FLOAT8ARRAYOID}},
	{"CHARACTER VARYING", {"text", TEXTOID, TEXTARRAYOID}},
	{"VARCHAR", {"text", TEXTOID, TEXTARRAYOID}},
	{"TEXT", {"text", TEXTOID, TEXTARRAYOID}},
	{"DATE", {"date", DATEOID, DATEARRAYOID}},
	{"TIME", {"time without time zone", TIMEOID, TIMEARRAYOID}},
	{"TIMESTAMP", {"timestamp without time zone", TIMESTAMPOID, TIMESTAMPARRAYOID}},
	{"TIMESTAMP WITH TIME ZONE", {"timestamp with time zone", TIMESTAMPTZOID, TIMESTAMPTZARRAYOID}},
	{NULL}
};

/* what is no primitive, and what no type is given for */
static const ViewType any_type = {"jsonb", JSONBOID, JSONBARRAYOID};
static const ViewType text_type = {"text", TEXTOID, TEXTARRAYOID};

/* ---- errors and places ---- */

pg_noreturn static void
refuse(const Reader *r, const char *rule)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid ViewDefinition"),
			 errdetail("%s: %s.", r->path.data, rule)));
}

/* Steps into an element; returns what leave() needs to step out. */
static int
enter(Reader *r, const char *name, int index)
{
	int			before = r->path.len;

	appendStringInfo(&r->path, ".%s", name);
	if (index >= 0)
		appendStringInfo(&r->path, "[%d]", index);
	return before;
}

static void
leave(Reader *r, int before)
{
	r->path.len = before;
	r->path.data[before] = '\0';
}

/* ---- reading JSON ---- */

static JsonbValue *
element(JsonbContainer *object, const char *name)
{
	return getKeyJsonValueFromContainer(object, name, strlen(name), NULL);
}

/* A text of an element, NULL where it is absent. */
static char *
text_of(Reader *r, JsonbContainer *object, const char *name)
{
	JsonbValue *v = element(object, name);
	int			before;

	if (v == NULL || v->type == jbvNull)
		return NULL;
	before = enter(r, name, -1);
	if (v->type != jbvString || v->val.string.len == 0)
		refuse(r, "a text is due here");
	leave(r, before);
	return pnstrdup(v->val.string.val, v->val.string.len);
}

static bool
boolean_of(Reader *r, JsonbContainer *object, const char *name)
{
	JsonbValue *v = element(object, name);

	if (v == NULL || v->type == jbvNull)
		return false;
	if (v->type != jbvBool)
	{
		enter(r, name, -1);
		refuse(r, "true or false is due here");
	}
	return v->val.boolean;
}

/* An array element, NULL where it is absent. */
static JsonbContainer *
array_of(Reader *r, JsonbContainer *object, const char *name)
{
	JsonbValue *v = element(object, name);

	if (v == NULL || v->type == jbvNull)
		return NULL;
	if (v->type != jbvBinary || !JsonContainerIsArray(v->val.binary.data) || JsonContainerSize(v->val.binary.data) == 0)
	{
		enter(r, name, -1);
		refuse(r, "an array that is not empty is due here");
	}
	return v->val.binary.data;
}

static JsonbContainer *
object_at(Reader *r, JsonbContainer *array, int index)
{
	JsonbValue *v = getIthJsonbValueFromContainer(array, index);

	if (v->type != jbvBinary || !JsonContainerIsObject(v->val.binary.data))
		refuse(r, "an object is due here");
	return v->val.binary.data;
}

/* ---- expressions ---- */

static bool
is_constant(const Reader *r, const char *name, size_t len)
{
	static const char *const known[] = {"context", "resource", "rootResource", "ucum", "sct", "loinc"};

	for (int i = 0; i < r->view->variable_count; i++)
		if (r->view->variables[i].len == len && memcmp(r->view->variables[i].name, name, len) == 0)
			return true;
	for (int i = 0; i < lengthof(known); i++)
		if (strlen(known[i]) == len && memcmp(known[i], name, len) == 0)
			return true;
	return (len > 3 && memcmp(name, "vs-", 3) == 0) || (len > 4 && memcmp(name, "ext-", 4) == 0);
}

/* Variables that nobody defines are found here rather than at the first row. */
static void
check_variables(Reader *r, const FhirPath *path)
{
	for (uint32_t i = 1; i <= path->node_count; i++)
	{
		const FpNode *node = fp_node(path, i);

		if (node->op == FP_OP_CALL && node->text_len == strlen("defineVariable") &&
			memcmp(fp_text(path, node), "defineVariable", node->text_len) == 0)
			return;
	}
	for (uint32_t i = 1; i <= path->node_count; i++)
	{
		const FpNode *node = fp_node(path, i);

		if (node->op == FP_OP_VARIABLE && !is_constant(r, fp_text(path, node), node->text_len))
			refuse(r, psprintf("no constant %%%.*s is defined", (int) node->text_len, fp_text(path, node)));
	}
}

static FhirPathPlan *
prepare_path(Reader *r, const char *text)
{
	const CoreContext *cx = fhir_core_context();
	FhirPath   *path;
	FhirPathPlan *plan;
	FhirPathError error;
	CoreStatus	status = fhirpath_parse(cx, text, strlen(text), &path, &error);

	if (status == CORE_OK)
	{
		check_variables(r, path);
		r->view->needs |= fhirpath_needs(path);
		status = fhirpath_plan(cx, path, &plan, &error);
	}
	if (status == CORE_INVALID || status == CORE_TOO_LARGE || status == CORE_TOO_DEEP)
		refuse(r, psprintf("the FHIRPath expression cannot be used: %s", error.text));
	if (status != CORE_OK)
		fhir_raise_core(status);
	return plan;
}

/* Of an element that holds an expression; NULL where it is absent. */
static FhirPathPlan *
path_of(Reader *r, JsonbContainer *object, const char *name)
{
	char	   *text = text_of(r, object, name);
	FhirPathPlan *plan;
	int			before;

	if (text == NULL)
		return NULL;
	before = enter(r, name, -1);
	plan = prepare_path(r, text);
	leave(r, before);
	return plan;
}

/* ---- columns ---- */

static bool
plain_name(const char *name)
{
	if (!((*name >= 'A' && *name <= 'Z') || (*name >= 'a' && *name <= 'z')))
		return false;
	for (; *name; name++)
		if (!((*name >= 'A' && *name <= 'Z') || (*name >= 'a' && *name <= 'z') || (*name >= '0' && *name <= '9') || *name == '_'))
			return false;
	return true;
}

static const ViewType *
type_of(Reader *r, JsonbContainer *column)
{
	JsonbContainer *tags = array_of(r, column, "tag");
	char	   *name;

	for (int i = 0; tags != NULL && i < JsonContainerSize(tags); i++)
	{
		int			before = enter(r, "tag", i);
		JsonbContainer *tag = object_at(r, tags, i);
		char	   *key = text_of(r, tag, "name");
		char	   *value = text_of(r, tag, "value");

		if (key != NULL && value != NULL && strcmp(key, "ansi/type") == 0)
		{
			for (int k = 0; ansi_types[k].name != NULL; k++)
				if (pg_strcasecmp(ansi_types[k].name, value) == 0)
					return &ansi_types[k].type;
			refuse(r, "the type is not one that a column can have");
		}
		leave(r, before);
	}
	name = text_of(r, column, "type");
	if (name == NULL)
		return &text_type;
	/* a canonical of a StructureDefinition will do, too */
	if (strrchr(name, '/') != NULL)
		name = strrchr(name, '/') + 1;
	for (int k = 0; types[k].name != NULL; k++)
		if (strcmp(types[k].name, name) == 0)
			return &types[k].type;
	if (fhir_type_find(name, strlen(name)) <= 0)
	{
		enter(r, "type", -1);
		refuse(r, "there is no such type in R4");
	}
	return &any_type;
}

/* A slot for a column: the next one, or that of the first branch of a unionAll, which must be the same. */
static void
put_column(Reader *r, int slot, ViewColumn column)
{
	View	   *view = r->view;

	if (r->repeating)
	{
		const ViewColumn *first = slot < view->column_count ? &view->columns[slot] : NULL;

		if (first == NULL || strcmp(first->name, column.name) != 0)
			refuse(r, "the branches of unionAll must have the same columns in the same order");
		if (first->type->oid != column.type->oid || first->collection != column.collection)
			refuse(r, "the branches of unionAll must have columns of the same types");
		return;
	}
	for (int i = 0; i < view->column_count; i++)
		if (strcmp(view->columns[i].name, column.name) == 0)
			refuse(r, "another column has this name");
	if (view->column_count >= VIEW_COLUMNS)
		refuse(r, psprintf("a view can have %d columns", VIEW_COLUMNS));
	view->columns[view->column_count++] = column;
}

static void
read_column(Reader *r, JsonbContainer *object, int slot, ViewCell *cell)
{
	ViewColumn	column;
	char	   *path = text_of(r, object, "path");

	column.name = text_of(r, object, "name");
	if (column.name == NULL)
		refuse(r, "a column needs a name");
	if (!plain_name(column.name) || strlen(column.name) >= NAMEDATALEN)
		refuse(r, "the name must be letters, digits and underscores, begin with a letter and have at most 63 of them");
	if (path == NULL)
		refuse(r, "a column needs a path");
	column.description = text_of(r, object, "description");
	column.collection = boolean_of(r, object, "collection");
	column.type = type_of(r, object);
	put_column(r, slot, column);
	cell->slot = slot;
	cell->plan = path_of(r, object, "path");
	cell->row_index = strcmp(path, "%rowIndex") == 0;
}

/* ---- selects ---- */

static ViewSelect *read_select(Reader *r, JsonbContainer *object, int first);

/* forEach, forEachOrNull or repeat: at most one of them. */
static void
read_iteration(Reader *r, JsonbContainer *object, ViewSelect *select)
{
	FhirPathPlan *each = path_of(r, object, "forEach");
	FhirPathPlan *or_null = path_of(r, object, "forEachOrNull");
	JsonbContainer *repeat = array_of(r, object, "repeat");

	if ((each != NULL) + (or_null != NULL) + (repeat != NULL) > 1)
		refuse(r, "only one of forEach, forEachOrNull and repeat can stand here");
	select->how = each != NULL ? VIEW_FOR_EACH : or_null != NULL ? VIEW_FOR_EACH_OR_NULL :
		repeat != NULL ? VIEW_REPEAT : VIEW_ONCE;
	select->path_count = repeat != NULL ? JsonContainerSize(repeat) : select->how != VIEW_ONCE;
	select->paths = palloc0(sizeof(FhirPathPlan *) * Max(select->path_count, 1));
	if (repeat == NULL)
	{
		select->paths[0] = each != NULL ? each : or_null;
		return;
	}
	for (int i = 0; i < select->path_count; i++)
	{
		int			before = enter(r, "repeat", i);
		JsonbValue *v = getIthJsonbValueFromContainer(repeat, i);

		if (v->type != jbvString || v->val.string.len == 0)
			refuse(r, "a text is due here");
		select->paths[i] = prepare_path(r, pnstrdup(v->val.string.val, v->val.string.len));
		leave(r, before);
	}
}

/* The branches of a unionAll begin at the same slot. */
static void
read_union(Reader *r, JsonbContainer *branches, ViewSelect *select)
{
	bool		repeating = r->repeating;
	int			first = select->last;

	select->branch_count = JsonContainerSize(branches);
	select->branches = palloc(sizeof(ViewSelect *) * select->branch_count);
	for (int i = 0; i < select->branch_count; i++)
	{
		int			before = enter(r, "unionAll", i);

		r->repeating = repeating || i > 0;
		select->branches[i] = read_select(r, object_at(r, branches, i), first);
		if (i > 0 && select->branches[i]->last != select->branches[0]->last)
			refuse(r, "the branches of unionAll must have the same columns in the same order");
		leave(r, before);
	}
	r->repeating = repeating;
	select->last = select->branches[0]->last;
}

static void
read_nested(Reader *r, JsonbContainer *nested, ViewSelect *select)
{
	select->nested_count = JsonContainerSize(nested);
	select->nested = palloc(sizeof(ViewSelect *) * select->nested_count);
	for (int i = 0; i < select->nested_count; i++)
	{
		int			before = enter(r, "select", i);

		select->nested[i] = read_select(r, object_at(r, nested, i), select->last);
		select->last = select->nested[i]->last;
		leave(r, before);
	}
}

static ViewSelect *
read_select(Reader *r, JsonbContainer *object, int first)
{
	ViewSelect *select = palloc0(sizeof(ViewSelect));
	JsonbContainer *columns = array_of(r, object, "column");
	JsonbContainer *nested = array_of(r, object, "select");
	JsonbContainer *branches = array_of(r, object, "unionAll");

	check_stack_depth();
	if (++r->depth > VIEW_DEPTH)
		refuse(r, psprintf("selects can be nested %d deep", VIEW_DEPTH));
	if (columns == NULL && nested == NULL && branches == NULL)
		refuse(r, "a select needs column, select or unionAll");
	select->first = select->last = first;
	read_iteration(r, object, select);

	select->cell_count = columns == NULL ? 0 : JsonContainerSize(columns);
	select->cells = palloc(sizeof(ViewCell) * Max(select->cell_count, 1));
	for (int i = 0; i < select->cell_count; i++)
	{
		int			before = enter(r, "column", i);

		read_column(r, object_at(r, columns, i), select->last++, &select->cells[i]);
		leave(r, before);
	}
	if (nested != NULL)
		read_nested(r, nested, select);
	if (branches != NULL)
		read_union(r, branches, select);
	r->depth--;
	return select;
}

/* Puts the cells of a nested select that is evaluated once, and what is nested in it, where the select itself stands. */
static void
hoist(ViewSelect *select)
{
	ViewSelect **nested;
	int			room = select->nested_count;
	int			count = 0;

	for (int i = 0; i < select->nested_count; i++)
	{
		hoist(select->nested[i]);
		room += select->nested[i]->nested_count;
	}
	nested = palloc(sizeof(ViewSelect *) * Max(room, 1));
	for (int i = 0; i < select->nested_count; i++)
	{
		ViewSelect *inner = select->nested[i];

		if (inner->how != VIEW_ONCE || inner->branch_count > 0)
		{
			nested[count++] = inner;
			continue;
		}
		if (inner->cell_count > 0)
		{
			ViewCell   *cells = palloc(sizeof(ViewCell) * (select->cell_count + inner->cell_count));

			if (select->cell_count > 0)
				memcpy(cells, select->cells, sizeof(ViewCell) * select->cell_count);
			memcpy(cells + select->cell_count, inner->cells, sizeof(ViewCell) * inner->cell_count);
			select->cells = cells;
			select->cell_count += inner->cell_count;
		}
		for (int k = 0; k < inner->nested_count; k++)
			nested[count++] = inner->nested[k];
	}
	for (int i = 0; i < select->branch_count; i++)
		hoist(select->branches[i]);
	select->nested = nested;
	select->nested_count = count;
}

/* ---- the definition ---- */

/* value[x] of a constant as an item: a place in the definition, of its FHIR type. */
static bool
read_constant_value(JsonbContainer *object, FpItem *item)
{
	const JbContainer *c = (const JbContainer *) object;

	for (uint32_t i = 0; i < jb_count(c); i++)
	{
		uint32_t	len;
		const char *key = jb_key(c, i, &len);
		JbValue		value;
		char		name[NAMEDATALEN];
		int			type;

		if (len <= 5 || len - 5 >= sizeof(name) || memcmp(key, "value", 5) != 0)
			continue;
		/* valueString is of type string, and so on: a primitive's name begins with a small letter */
		memcpy(name, key + 5, len - 5);
		name[0] = pg_tolower((unsigned char) name[0]);
		type = fhir_type_find(name, len - 5);
		jb_value(c, jb_count(c) * 2, jb_count(c) + i, &value);
		if (type <= 0 || value.type == JB_T_CONTAINER || value.type == JB_T_NULL)
			continue;
		*item = (FpItem) {.kind = FP_NODE,.json = value.type,.type = type,.len = value.len,.u.text = value.ptr};
		return true;
	}
	return false;
}

static void
read_constants(Reader *r, JsonbContainer *root)
{
	JsonbContainer *constants = array_of(r, root, "constant");
	View	   *view = r->view;
	int			count = constants == NULL ? 0 : JsonContainerSize(constants);

	view->variables = palloc0(sizeof(FhirPathVariable) * (count + 1));
	for (int i = 0; i < count; i++)
	{
		int			before = enter(r, "constant", i);
		JsonbContainer *object = object_at(r, constants, i);
		char	   *name = text_of(r, object, "name");
		FpItem	   *item = palloc(sizeof(FpItem));

		if (name == NULL || !plain_name(name))
			refuse(r, "a constant needs a name of letters, digits and underscores");
		if (!read_constant_value(object, item))
			refuse(r, "a constant needs one value of a primitive type");
		view->variables[view->variable_count++] = (FhirPathVariable) {name, strlen(name), item, 1};
		leave(r, before);
	}
	view->variables[view->variable_count++] = (FhirPathVariable) {"rowIndex", strlen("rowIndex"), palloc0(sizeof(FpItem)), 1};
}

static void
read_where(Reader *r, JsonbContainer *root)
{
	JsonbContainer *where = array_of(r, root, "where");
	View	   *view = r->view;

	view->where_count = where == NULL ? 0 : JsonContainerSize(where);
	view->where = palloc(sizeof(FhirPathPlan *) * Max(view->where_count, 1));
	for (int i = 0; i < view->where_count; i++)
	{
		int			before = enter(r, "where", i);

		view->where[i] = path_of(r, object_at(r, where, i), "path");
		if (view->where[i] == NULL)
			refuse(r, "a condition needs a path");
		leave(r, before);
	}
}

View *
view_prepare(Jsonb *definition)
{
	Reader		r = {0};
	JsonbContainer *root = &definition->root;
	JsonbContainer *selects;
	char	   *resource;

	r.view = palloc0(sizeof(View));
	initStringInfo(&r.path);
	appendStringInfoString(&r.path, "ViewDefinition");
	if (!JsonContainerIsObject(root))
		refuse(&r, "an object is due here");
	resource = text_of(&r, root, "resource");
	if (resource == NULL)
		refuse(&r, "a view needs a resource");
	r.view->resource = fhir_resource_number(resource, strlen(resource));
	if (r.view->resource <= 0)
	{
		enter(&r, "resource", -1);
		refuse(&r, "there is no such resource in R4");
	}
	selects = array_of(&r, root, "select");
	if (selects == NULL)
		refuse(&r, "a view needs a select");
	r.view->columns = palloc(sizeof(ViewColumn) * VIEW_COLUMNS);
	read_constants(&r, root);
	read_where(&r, root);
	/* the definition is itself a select, with nothing but nested ones */
	r.view->root = palloc0(sizeof(ViewSelect));
	read_nested(&r, selects, r.view->root);
	if (r.view->column_count == 0)
		refuse(&r, "a view needs a column");
	hoist(r.view->root);
	return r.view;
}
