/*
 * fill.c
 *		Templates: a FHIR resource with holes, filled from named values.
 *
 * What of a payload goes where in FHIR is data, not code: a template is jsonb
 * in which a string names a value to stand in its place:
 *
 *		"$NAME", "$NAME.member"		the value NAME (any jsonb), or a member of it
 *		"${NAME}/${OTHER}"			text put together; all of its names must have a value
 *		{"$each": "NAME", ...}		in an array: once for each item of the array
 *									NAME, which is "$." or "$.member" inside
 *		{"$needs": "NAME", ...}		only when NAME has a value
 *
 * A missing value (or null) takes the smallest thing with it that makes no
 * sense alone: an object or array in which there are names, none of them with
 * a value, is left out with its constants.  So {"system": "$@cccd-uri",
 * "value": "$SO_CCCD"} goes as a whole, if names that begin with '@' (the
 * caller's own, not the payload's) do not count as values, which they do not.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "compat.h"

typedef struct Fill
{
	JsonbContainer *vars;
	JsonbValue *item;			/* of the innermost $each, or NULL */
	const char *item_name;		/* the name it came from */
	int			item_name_len;
	char	  **used;			/* names of the payload that found their place */
	int			nused;
	int			used_size;
} Fill;

/* what a part of a template holds once it is filled */
typedef struct Found
{
	bool		names;			/* there are names of the payload in it */
	bool		values;			/* one of them has a value */
	bool		missing;		/* it is itself a name without a value, or was left out */
} Found;

static JsonbValue fill_value(Fill *f, JsonbValue *t, Found *found);

/* ---- names ---- */

static void
mark_used(Fill *f, const char *name, int len)
{
	int			i;

	if (len == 0)				/* "$." counts for the name behind $each */
	{
		name = f->item_name;
		len = f->item_name_len;
	}
	if (len == 0 || name[0] == '@')
		return;
	for (i = 0; i < f->nused; i++)
		if (strncmp(f->used[i], name, len) == 0 && f->used[i][len] == '\0')
			return;
	if (f->nused == f->used_size)
	{
		f->used_size = f->used_size == 0 ? 16 : f->used_size * 2;
		f->used = f->used == NULL ? palloc(f->used_size * sizeof(char *)) :
			repalloc(f->used, f->used_size * sizeof(char *));
	}
	f->used[f->nused++] = pnstrdup(name, len);
}

static JsonbValue *
member(JsonbValue *v, const char *key, int len)
{
	if (v == NULL || v->type != jbvBinary || !JsonContainerIsObject(v->val.binary.data))
		return NULL;
	return getKeyJsonValueFromContainer(v->val.binary.data, key, len, NULL);
}

/* look_up finds the value of "NAME" or "NAME.member"; NULL when missing or null */
static JsonbValue *
look_up(Fill *f, const char *name, int len, Found *found)
{
	const char *dot = memchr(name, '.', len);
	int			head = dot == NULL ? len : dot - name;
	bool		own = head > 0 && name[0] == '@';
	JsonbValue *v;

	v = head == 0 ? f->item : getKeyJsonValueFromContainer(f->vars, name, head, NULL);
	if (dot != NULL && len > head + 1)
		v = member(v, dot + 1, len - head - 1);
	if (v != NULL && v->type == jbvNull)
		v = NULL;
	if (!own)
	{
		found->names = true;
		if (v != NULL)
		{
			found->values = true;
			mark_used(f, name, head);
		}
	}
	return v;
}

/* ---- strings ---- */

static void
append_scalar(StringInfo s, JsonbValue *v)
{
	switch (v->type)
	{
		case jbvString:
			appendBinaryStringInfo(s, v->val.string.val, v->val.string.len);
			break;
		case jbvNumeric:
			appendStringInfoString(s, DatumGetCString(DirectFunctionCall1(numeric_out,
																		  NumericGetDatum(v->val.numeric))));
			break;
		case jbvBool:
			appendStringInfoString(s, v->val.boolean ? "true" : "false");
			break;
		default:
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("template puts an array or object into a text")));
	}
}

/* interpolate fills "${A}/${B}"; missing when one of its names is */
static JsonbValue
interpolate(Fill *f, const char *t, int len, Found *found)
{
	JsonbValue	result = {.type = jbvNull};
	StringInfoData s;
	int			used_before = f->nused;
	int			i = 0;

	initStringInfo(&s);
	while (i < len)
	{
		const char *end;
		JsonbValue *v;

		if (t[i] != '$' || i + 1 == len || t[i + 1] != '{')
		{
			appendStringInfoChar(&s, t[i++]);
			continue;
		}
		end = memchr(t + i, '}', len - i);
		if (end == NULL)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("template has a name without an end")));
		v = look_up(f, t + i + 2, end - t - i - 2, found);
		if (v == NULL)
		{
			found->missing = true;
			found->values = false;
			f->nused = used_before;
			return result;
		}
		append_scalar(&s, v);
		i = end - t + 1;
	}
	result.type = jbvString;
	result.val.string.val = s.data;
	result.val.string.len = s.len;
	return result;
}

static JsonbValue
fill_string(Fill *f, JsonbValue *t, Found *found)
{
	const char *s = t->val.string.val;
	int			len = t->val.string.len;
	JsonbValue *v;

	if (len < 2 || s[0] != '$' || s[1] == '{')
	{
		int			i;

		for (i = 0; i + 1 < len; i++)
			if (s[i] == '$' && s[i + 1] == '{')
				return interpolate(f, s, len, found);
		return *t;
	}
	v = look_up(f, s + 1, len - 1, found);
	if (v == NULL)
	{
		JsonbValue	none = {.type = jbvNull};

		found->missing = true;
		return none;
	}
	return *v;
}

/* ---- objects and arrays ---- */

static void
add_found(Found *whole, const Found *part)
{
	whole->names |= part->names;
	whole->values |= part->values;
}

/* settle decides whether an object or array stays */
static void
settle(Found *found, int n)
{
	found->missing = n == 0 || (found->names && !found->values);
}

/* is_directive tells whether a key is one of ours rather than FHIR's */
static bool
is_directive(JsonbValue *key)
{
	return key->val.string.len > 0 && key->val.string.val[0] == '$';
}

/* lacks_need: does the object name a value that it needs and that is missing? */
static bool
lacks_need(Fill *f, JsonbContainer *c, Found *found)
{
	JsonbValue *need = getKeyJsonValueFromContainer(c, "$needs", 6, NULL);
	JsonbValue *v;
	int			used_before = f->nused;
	Found		asked = {0};

	if (need == NULL)
		return false;
	v = look_up(f, need->val.string.val, need->val.string.len, &asked);
	f->nused = used_before;
	if (v != NULL)
		return false;
	found->names = true;
	found->missing = true;
	return true;
}

static JsonbValue
fill_object(Fill *f, JsonbContainer *c, Found *found)
{
	JsonbIterator *it = JsonbIteratorInit(c);
	JsonbValue	result = {.type = jbvObject};
	JsonbValue	v;
	JsonbIteratorToken tok;
	JsonbPair  *pair;

	result.val.object.nPairs = 0;
	result.val.object.pairs = palloc(sizeof(JsonbPair) * Max(1, JsonContainerSize(c)));
	pair = result.val.object.pairs;
	if (lacks_need(f, c, found))
		return result;
	while ((tok = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		Found		part = {0};

		if (tok == WJB_KEY)
			pair->key = v;
		if (tok != WJB_VALUE)
			continue;
		if (is_directive(&pair->key))
			continue;
		pair->value = fill_value(f, &v, &part);
		add_found(found, &part);
		if (part.missing)
			continue;
		pair->order = result.val.object.nPairs;
		pair++;
		result.val.object.nPairs++;
	}
	settle(found, result.val.object.nPairs);
	return result;
}

typedef struct Elements
{
	JsonbValue *elems;
	int			n;
	int			size;
} Elements;

static void
add_element(Elements *e, JsonbValue v)
{
	if (e->n == e->size)
	{
		e->size = e->size == 0 ? 8 : e->size * 2;
		e->elems = e->elems == NULL ? palloc(e->size * sizeof(JsonbValue)) :
			repalloc(e->elems, e->size * sizeof(JsonbValue));
	}
	e->elems[e->n++] = v;
}

/* fill_each fills one element template once for each item of the named array */
static void
fill_each(Fill *f, JsonbValue *t, JsonbValue *name, Elements *out, Found *found)
{
	Fill		outer = *f;
	Found		list_found = {0};
	JsonbValue *list;
	JsonbIterator *it;
	JsonbValue	item;
	JsonbIteratorToken tok;

	found->names |= name->val.string.val[0] != '@';
	list = getKeyJsonValueFromContainer(f->vars, name->val.string.val, name->val.string.len, NULL);
	if (list == NULL || list->type != jbvBinary || !JsonContainerIsArray(list->val.binary.data))
		return;
	it = JsonbIteratorInit(list->val.binary.data);
	while ((tok = JsonbIteratorNext(&it, &item, true)) != WJB_DONE)
	{
		Found		part = {0};
		JsonbValue	v;

		if (tok != WJB_ELEM || item.type == jbvNull)
			continue;
		f->item = &item;
		f->item_name = name->val.string.val;
		f->item_name_len = name->val.string.len;
		v = fill_value(f, t, &part);
		add_found(&list_found, &part);
		if (!part.missing)
			add_element(out, v);
	}
	add_found(found, &list_found);
	f->item = outer.item;
	f->item_name = outer.item_name;
	f->item_name_len = outer.item_name_len;
}

static JsonbValue
fill_array(Fill *f, JsonbContainer *c, Found *found)
{
	JsonbIterator *it = JsonbIteratorInit(c);
	JsonbValue	result = {.type = jbvArray};
	Elements	out = {0};
	JsonbValue	v;
	JsonbIteratorToken tok;

	while ((tok = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		Found		part = {0};
		JsonbValue *each;
		JsonbValue	one;

		if (tok != WJB_ELEM)
			continue;
		each = member(&v, "$each", 5);
		if (each != NULL && each->type == jbvString)
		{
			fill_each(f, &v, each, &out, found);
			continue;
		}
		one = fill_value(f, &v, &part);
		add_found(found, &part);
		if (!part.missing)
			add_element(&out, one);
	}
	result.val.array.rawScalar = false;
	result.val.array.nElems = out.n;
	result.val.array.elems = out.elems;
	settle(found, out.n);
	return result;
}

static JsonbValue
fill_value(Fill *f, JsonbValue *t, Found *found)
{
	check_stack_depth();
	if (t->type == jbvString)
		return fill_string(f, t, found);
	if (t->type == jbvBinary)
		return JsonContainerIsObject(t->val.binary.data) ?
			fill_object(f, t->val.binary.data, found) :
			fill_array(f, t->val.binary.data, found);
	return *t;
}

/* ---- SQL ---- */

/* pushed builds the filled tree; nested values of the vars are still binary, which pushing unpacks */
static Jsonb *
pushed(JsonbValue *object)
{
	JsonbParseState *state = NULL;
	JsonbValue *result;
	int			i;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (i = 0; i < object->val.object.nPairs; i++)
	{
		JsonbPair  *p = &object->val.object.pairs[i];

		pushJsonbValue(&state, WJB_KEY, &p->key);
		pushJsonbValue(&state, WJB_VALUE, &p->value);
	}
	result = pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	return JsonbValueToJsonb(result);
}

PG_FUNCTION_INFO_V1(ehr_fill);

/*
 * ehr_internal.fill(template jsonb, vars jsonb) → (filled jsonb, used text[])
 *
 * Immutable.  filled is NULL when nothing of the payload found a place; used
 * are the names of vars that did.  Raises 22023 for a template that cannot be.
 */
Datum
ehr_fill(PG_FUNCTION_ARGS)
{
	Jsonb	   *template = PG_GETARG_JSONB_P(0);
	Jsonb	   *vars = PG_GETARG_JSONB_P(1);
	Fill		f = {.vars = &vars->root};
	Found		found = {0};
	TupleDesc	desc;
	Datum		values[2];
	bool		nulls[2] = {false, false};
	Datum	   *names;
	JsonbValue	filled;
	int			i;

	if (!JB_ROOT_IS_OBJECT(template) || !JB_ROOT_IS_OBJECT(vars))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("template and values must be objects")));
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	filled = fill_object(&f, &template->root, &found);
	nulls[0] = found.missing;
	if (!found.missing)
		values[0] = JsonbPGetDatum(pushed(&filled));
	names = palloc(sizeof(Datum) * Max(1, f.nused));
	for (i = 0; i < f.nused; i++)
		names[i] = CStringGetTextDatum(f.used[i]);
	values[1] = PointerGetDatum(construct_array(names, f.nused, TEXTOID, -1, false, TYPALIGN_INT));
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

PG_FUNCTION_INFO_V1(ehr_fill_text);

/* ehr_internal.fill_text(template text, vars jsonb) → text: "${A}/${B}" filled; NULL when one is missing */
Datum
ehr_fill_text(PG_FUNCTION_ARGS)
{
	text	   *template = PG_GETARG_TEXT_PP(0);
	Jsonb	   *vars = PG_GETARG_JSONB_P(1);
	Fill		f = {.vars = &vars->root};
	Found		found = {0};
	JsonbValue	v;

	if (!JB_ROOT_IS_OBJECT(vars))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("template and values must be objects")));
	v = interpolate(&f, VARDATA_ANY(template), VARSIZE_ANY_EXHDR(template), &found);
	if (found.missing)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text_with_len(v.val.string.val, v.val.string.len));
}
