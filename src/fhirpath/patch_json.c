/*
 * patch_json.c
 *		ehr.json_patch: JSON Patch (RFC 6902) with JSON Pointers (RFC 6901).
 *
 * All or nothing: an operation that cannot be carried out ends the patch with an
 * error that tells its number, its name and the step of the pointer, and no
 * value of patch or document.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "compat.h"
#include "fhirpath/patch.h"

PG_FUNCTION_INFO_V1(ehr_json_patch);

typedef struct JsonPointer
{
	const char *member;			/* of the operation: path or from */
	int			n;
	PatchText  *steps;
} JsonPointer;

typedef struct Patch
{
	PatchNode  *root;			/* of the document */
	int64		allowance;		/* nodes that may be copied */
	int			number;			/* of the operation, from 1 */
	const char *op;
} Patch;

typedef void (*Apply) (Patch *patch, const JsonPointer *path, const JsonPointer *from, PatchNode *value);

/* -- errors ------------------------------------------------------------- */

pg_noreturn static void
malformed(const Patch *patch, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid JSON Patch"),
			 patch->number > 0 ? errdetail("Operation %d %s.", patch->number, what) : errdetail("The patch %s.", what)));
}

pg_noreturn static void
not_there(const Patch *patch, const JsonPointer *pointer, int step)
{
	ereport(ERROR,
			(errcode(ERRCODE_SQL_JSON_MEMBER_NOT_FOUND),
			 errmsg("JSON Patch points to what is not there"),
			 errdetail("Operation %d (%s), step %d of \"%s\".", patch->number, patch->op, step + 1, pointer->member)));
}

pg_noreturn static void
bad_index(const Patch *patch, const JsonPointer *pointer, int step)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_SQL_JSON_SUBSCRIPT),
			 errmsg("JSON Patch points beyond an array"),
			 errdetail("Operation %d (%s), step %d of \"%s\" is no index of the array.", patch->number, patch->op, step + 1, pointer->member)));
}

/* -- pointers ----------------------------------------------------------- */

/* One step with ~1 and ~0 turned back; false for any other ~ */
static bool
unescape(const char *text, int len, PatchText *step)
{
	char	   *out = palloc(len + 1);

	step->data = out;
	for (int i = 0; i < len; i++)
	{
		if (text[i] != '~')
			*out++ = text[i];
		else if (i + 1 < len && (text[i + 1] == '0' || text[i + 1] == '1'))
			*out++ = text[++i] == '0' ? '~' : '/';
		else
			return false;
	}
	step->len = (int) (out - step->data);
	return true;
}

/* RFC 6901: nothing, or steps that each begin with a slash */
static void
read_pointer(const Patch *patch, const char *member, const JsonbValue *text, JsonPointer *pointer)
{
	const char *at = text->val.string.val;
	const char *end = at + text->val.string.len;
	int			n = 0;

	for (const char *c = at; c < end; c++)
		n += *c == '/';
	pointer->member = member;
	pointer->n = 0;
	pointer->steps = palloc((n + 1) * sizeof(PatchText));
	if (at < end && *at != '/')
		malformed(patch, "has a pointer that does not begin with a slash");
	while (at < end)
	{
		const char *next = memchr(at + 1, '/', end - at - 1);

		if (next == NULL)
			next = end;
		if (!unescape(at + 1, (int) (next - at - 1), &pointer->steps[pointer->n++]))
			malformed(patch, "has a pointer with a ~ that is neither ~0 nor ~1");
		at = next;
	}
}

/* An index of an array: no sign, no zero in front; -1 for what is none, and beyond any array */
static int
read_index(PatchText step)
{
	int64		index = 0;

	if (step.len < 1 || step.len > 9 || (step.len > 1 && step.data[0] == '0'))
		return -1;
	for (int i = 0; i < step.len; i++)
	{
		if (step.data[i] < '0' || step.data[i] > '9')
			return -1;
		index = index * 10 + (step.data[i] - '0');
	}
	return (int) index;
}

/* The place of a step in its container; 2203A or 22033 where there is none. */
static int
place_of(const Patch *patch, const PatchNode *container, const JsonPointer *pointer, int step)
{
	int			place;

	if (container->kind == PATCH_OBJECT)
	{
		place = patch_find(container, pointer->steps[step]);
		if (place < 0)
			not_there(patch, pointer, step);
		return place;
	}
	if (container->kind == PATCH_SCALAR)
		not_there(patch, pointer, step);
	place = read_index(pointer->steps[step]);
	if (place < 0 || place >= container->n)
		bad_index(patch, pointer, step);
	return place;
}

/* What stands at the first so many steps */
static PatchNode *
walk(const Patch *patch, const JsonPointer *pointer, int steps)
{
	PatchNode  *node = patch->root;

	for (int i = 0; i < steps; i++)
		node = node->items[place_of(patch, node, pointer, i)];
	return node;
}

/* -- operations --------------------------------------------------------- */

static void
add_value(Patch *patch, const JsonPointer *path, const JsonPointer *from, PatchNode *value)
{
	int			last = path->n - 1;
	PatchNode  *container;
	int			place;

	if (path->n == 0)
	{
		patch->root = value;
		return;
	}
	container = walk(patch, path, last);
	if (container->kind == PATCH_OBJECT)
		patch_set(container, path->steps[last], value);
	else if (container->kind == PATCH_SCALAR)
		not_there(patch, path, last);
	else
	{
		place = patch_text_is(path->steps[last], "-") ? container->n : read_index(path->steps[last]);
		if (place < 0 || place > container->n)
			bad_index(patch, path, last);
		patch_insert(container, place, value);
	}
}

static PatchNode *
take_value(Patch *patch, const JsonPointer *path)
{
	PatchNode  *container;

	if (path->n == 0)
		malformed(patch, "would leave no document");
	container = walk(patch, path, path->n - 1);
	return patch_take(container, place_of(patch, container, path, path->n - 1));
}

static void
remove_value(Patch *patch, const JsonPointer *path, const JsonPointer *from, PatchNode *value)
{
	(void) take_value(patch, path);
}

static void
replace_value(Patch *patch, const JsonPointer *path, const JsonPointer *from, PatchNode *value)
{
	PatchNode  *container;

	if (path->n == 0)
	{
		patch->root = value;
		return;
	}
	container = walk(patch, path, path->n - 1);
	container->items[place_of(patch, container, path, path->n - 1)] = value;
}

/* Whether one pointer is the beginning of another, or the same */
static bool
leads_to(const JsonPointer *a, const JsonPointer *b)
{
	if (a->n > b->n)
		return false;
	for (int i = 0; i < a->n; i++)
	{
		if (a->steps[i].len != b->steps[i].len || memcmp(a->steps[i].data, b->steps[i].data, a->steps[i].len) != 0)
			return false;
	}
	return true;
}

static void
move_value(Patch *patch, const JsonPointer *path, const JsonPointer *from, PatchNode *value)
{
	PatchNode  *moved = walk(patch, from, from->n);

	if (leads_to(from, path))
	{
		/* RFC 6902 4.4: not into itself; to where it is, is nothing */
		if (from->n < path->n)
			malformed(patch, "moves a value into itself");
		return;
	}
	moved = take_value(patch, from);
	add_value(patch, path, NULL, moved);
}

static void
copy_value(Patch *patch, const JsonPointer *path, const JsonPointer *from, PatchNode *value)
{
	add_value(patch, path, NULL, patch_copy(walk(patch, from, from->n), &patch->allowance));
}

static void
test_value(Patch *patch, const JsonPointer *path, const JsonPointer *from, PatchNode *value)
{
	if (!patch_equal(walk(patch, path, path->n), value))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("a test of the JSON Patch does not hold"),
				 errdetail("Operation %d found another value.", patch->number)));
}

static const struct
{
	const char *name;
	Apply		apply;
	bool		value;			/* has a member "value" */
	bool		from;			/* has a member "from" */
}			operations[] = {
	{"add", add_value, true, false},
	{"remove", remove_value, false, false},
	{"replace", replace_value, true, false},
	{"move", move_value, false, true},
	{"copy", copy_value, false, true},
	{"test", test_value, true, false},
};

/* -- the patch ---------------------------------------------------------- */

static bool
member(const JsonbValue *operation, const char *name, JsonbValue *value)
{
	return getKeyJsonValueFromContainer(operation->val.binary.data, name, strlen(name), value) != NULL;
}

static void
read_member_pointer(const Patch *patch, const JsonbValue *operation, const char *name, JsonPointer *pointer)
{
	JsonbValue	text;

	if (!member(operation, name, &text) || text.type != jbvString)
		malformed(patch, strcmp(name, "path") == 0 ? "has no string \"path\"" : "has no string \"from\"");
	read_pointer(patch, name, &text, pointer);
}

static void
apply_operation(Patch *patch, const JsonbValue *operation)
{
	JsonbValue	value;
	JsonPointer		path,
				from;
	PatchNode  *node = NULL;
	int			which = 0;

	if (operation->type != jbvBinary || !JsonContainerIsObject(operation->val.binary.data))
		malformed(patch, "is no object");
	if (!member(operation, "op", &value) || value.type != jbvString)
		malformed(patch, "has no string \"op\"");
	while (which < lengthof(operations) && (strlen(operations[which].name) != value.val.string.len ||
											 memcmp(operations[which].name, value.val.string.val, value.val.string.len) != 0))
		which++;
	if (which == lengthof(operations))
		malformed(patch, "has an \"op\" that is none of add, remove, replace, move, copy, test");
	patch->op = operations[which].name;
	read_member_pointer(patch, operation, "path", &path);
	if (operations[which].from)
		read_member_pointer(patch, operation, "from", &from);
	if (operations[which].value)
	{
		if (!member(operation, "value", &value))
			malformed(patch, "has no \"value\"");
		node = patch_read_value(&value);
	}
	operations[which].apply(patch, &path, operations[which].from ? &from : NULL, node);
}

/* ehr.json_patch(target jsonb, patch jsonb) → jsonb */
Datum
ehr_json_patch(PG_FUNCTION_ARGS)
{
	Jsonb	   *target = PG_GETARG_JSONB_P(0);
	Jsonb	   *operations_doc = PG_GETARG_JSONB_P(1);
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "JSON Patch", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(memory);
	Patch		patch = {NULL, PATCH_COPY_MAX, 0, NULL};
	JsonbIterator *it;
	JsonbValue	operation;
	Jsonb	   *result;
	Jsonb	   *kept;

	if (!JB_ROOT_IS_ARRAY(operations_doc) || JB_ROOT_IS_SCALAR(operations_doc))
		malformed(&patch, "is no array of operations");
	patch.root = patch_read(target);
	it = JsonbIteratorInit(&operations_doc->root);
	(void) JsonbIteratorNext(&it, &operation, true);
	while (JsonbIteratorNext(&it, &operation, true) == WJB_ELEM)
	{
		CHECK_FOR_INTERRUPTS();
		patch.number++;
		apply_operation(&patch, &operation);
	}
	result = patch_write(patch.root);
	MemoryContextSwitchTo(caller);
	kept = palloc(VARSIZE(result));
	memcpy(kept, result, VARSIZE(result));
	MemoryContextDelete(memory);
	PG_RETURN_JSONB_P(kept);
}
