/*
 * json.c
 *		Reading and building the jsonb of elements, and the marks on them.
 */
#include "postgres.h"

#include "compat.h"
#include "merge/merge.h"
#include "miscadmin.h"

bool
json_is_object(const JsonbValue *value)
{
	return value->type == jbvBinary && JsonContainerIsObject(value->val.binary.data);
}

bool
json_is_array(const JsonbValue *value)
{
	return value->type == jbvBinary && JsonContainerIsArray(value->val.binary.data);
}

bool
json_field(const JsonbValue *object, const char *name, JsonbValue *field)
{
	return getKeyJsonValueFromContainer(object->val.binary.data, name, strlen(name), field) != NULL;
}

bool
json_field_named(const JsonbValue *object, MergeText name, JsonbValue *field)
{
	return getKeyJsonValueFromContainer(object->val.binary.data, name.data, name.len, field) != NULL;
}

bool
json_field_text(const JsonbValue *object, const char *name, MergeText *text)
{
	JsonbValue	field;

	if (!json_field(object, name, &field) || field.type != jbvString)
		return false;
	text->data = field.val.string.val;
	text->len = field.val.string.len;
	return true;
}

/* json_items gives the items of an array, or the one value where it is none. */
int
json_items(const JsonbValue *array, JsonbValue **items)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	value;
	int			n = 0;

	if (!json_is_array(array))
	{
		*items = palloc(sizeof(JsonbValue));
		**items = *array;
		return 1;
	}
	*items = palloc(sizeof(JsonbValue) * (JsonContainerSize(array->val.binary.data) + 1));
	it = JsonbIteratorInit(array->val.binary.data);
	token = JsonbIteratorNext(&it, &value, true);
	while ((token = JsonbIteratorNext(&it, &value, true)) == WJB_ELEM)
		(*items)[n++] = value;
	return n;
}

/* json_leaves counts the scalars in a value: how complete it is. */
int
json_leaves(const JsonbValue *value)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	item;
	int			n = 0;

	if (value->type != jbvBinary)
		return 1;
	it = JsonbIteratorInit(value->val.binary.data);
	while ((token = JsonbIteratorNext(&it, &item, false)) != WJB_DONE)
		n += token == WJB_VALUE || token == WJB_ELEM;
	return n;
}

/* json_has_marks: is there a letter beyond ASCII in any text of a value? */
bool
json_has_marks(const JsonbValue *value)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	item = *value;

	it = value->type == jbvBinary ? JsonbIteratorInit(value->val.binary.data) : NULL;
	do
	{
		token = it != NULL ? JsonbIteratorNext(&it, &item, false) : WJB_VALUE;
		if ((token == WJB_VALUE || token == WJB_ELEM) && item.type == jbvString)
			for (int i = 0; i < item.val.string.len; i++)
				if ((unsigned char) item.val.string.val[i] >= 0x80)
					return true;
	} while (it != NULL && token != WJB_DONE);
	return false;
}

/* json_bytes gives the canonical bytes of a value: jsonb's text form. */
MergeText
json_bytes(const JsonbValue *value)
{
	MergeText	bytes;

	if (value->type == jbvBinary)
		bytes.data = JsonbToCString(NULL, value->val.binary.data, value->val.binary.len);
	else
	{
		JsonbValue	copy = *value;
		Jsonb	   *jb = JsonbValueToJsonb(&copy);

		bytes.data = JsonbToCString(NULL, &jb->root, VARSIZE(jb));
	}
	bytes.len = strlen(bytes.data);
	return bytes;
}

/* json_binary turns what was just built into the form in which it can be read. */
void
json_binary(JsonbValue *value)
{
	Jsonb	   *jb = JsonbValueToJsonb(value);

	value->type = jbvBinary;
	value->val.binary.data = &jb->root;
	value->val.binary.len = VARSIZE_ANY_EXHDR(jb);
}

static void
push_string(JsonbParseState **state, JsonbIteratorToken token, const char *text, int len)
{
	JsonbValue	value;

	value.type = jbvString;
	value.val.string.val = (char *) text;
	value.val.string.len = len;
	pushJsonbValue(state, token, &value);
}

void
json_push_key(JsonbParseState **state, const char *key, int len)
{
	push_string(state, WJB_KEY, key, len);
}

void
json_push_text(JsonbParseState **state, JsonbIteratorToken token, const char *text, int len)
{
	push_string(state, token, text, len);
}

/* Does an item of an extension array have this url? */
static bool
has_url(const JsonbValue *item, const char *url)
{
	MergeText	text;

	return json_is_object(item) && json_field_text(item, "url", &text) &&
		text.len == (int) strlen(url) && memcmp(text.data, url, text.len) == 0;
}

static bool
is_mark(const JsonbValue *item)
{
	return has_url(item, ORIGIN_URL) || has_url(item, ALTERNATIVE_URL);
}

/*
 * The child of an element that carries its mark; NULL: the element itself.
 * An Extension may not have both a value and extensions, so its mark goes to
 * the value; a contained resource that is no DomainResource has only meta.
 */
static const char *
mark_child(const JsonbValue *object, MergePlace place)
{
	JsonbIterator *it;
	JsonbValue	key;

	if (place == PLACE_META)
		return "meta";
	if (place == PLACE_ELEMENT)
		return NULL;
	it = JsonbIteratorInit(object->val.binary.data);
	JsonbIteratorNext(&it, &key, true);
	while (JsonbIteratorNext(&it, &key, true) == WJB_KEY)
	{
		JsonbValue	value;
		const char *name = key.val.string.val;
		int			len = key.val.string.len;
		bool		sibling = len > 0 && name[0] == '_';

		JsonbIteratorNext(&it, &value, true);
		if (len - sibling > 5 && memcmp(name + sibling, "value", 5) == 0)
			return value.type == jbvBinary ? pnstrdup(name, len) : psprintf("_%.*s", len, name);
	}
	return NULL;
}

/* The extension array that holds an element's mark; false where there is none. */
static bool
mark_extensions(const JsonbValue *object, MergePlace place, JsonbValue *extensions)
{
	const char *child;
	JsonbValue	holder = *object;

	if (!json_is_object(object))
		return false;
	child = mark_child(object, place);
	if (child != NULL && (!json_field(object, child, &holder) || !json_is_object(&holder)))
		return false;
	return json_field(&holder, "extension", extensions) && json_is_array(extensions);
}

/* json_read_mark reads the origin of an element and its place; false: not marked. */
bool
json_read_mark(const JsonbValue *object, MergePlace place, Origin *origin, int32 *at)
{
	JsonbValue	extensions;
	JsonbValue *items;
	MergeText	text;
	int			n;

	if (!mark_extensions(object, place, &extensions))
		return false;
	n = json_items(&extensions, &items);
	for (int i = 0; i < n; i++)
		if (has_url(&items[i], ORIGIN_URL) && json_field_text(&items[i], "valueString", &text) &&
			origin_read(text.data, text.len, origin, at))
			return true;
	return false;
}

bool
json_empty(const JsonbValue *object)
{
	return object->type == jbvBinary && JsonContainerSize(object->val.binary.data) == 0;
}

/* json_push_origin pushes {"url": url, "valueString": origin}. */
void
json_push_origin(JsonbParseState **state, const char *url, const Origin *origin, int32 at)
{
	char	   *text = palloc(origin_size(origin));
	int			len = origin_print(origin, at, text);

	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	json_push_key(state, "url", 3);
	push_string(state, WJB_VALUE, url, strlen(url));
	json_push_key(state, "valueString", 11);
	push_string(state, WJB_VALUE, text, len);
	pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

/* Pushes the old extensions that are no marks, and the new marks. */
static void
push_extensions(JsonbParseState **state, const JsonbValue *old, const MergeMarks *marks)
{
	JsonbValue *items = NULL;
	int			n = old != NULL ? json_items(old, &items) : 0;
	int			kept = 0;

	for (int i = 0; i < n; i++)
		if (!is_mark(&items[i]))
			items[kept++] = items[i];
	if (kept == 0 && (marks == NULL || (marks->origin == NULL && marks->nalternatives == 0)))
		return;
	json_push_key(state, "extension", 9);
	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < kept; i++)
		pushJsonbValue(state, WJB_ELEM, &items[i]);
	if (marks != NULL && marks->origin != NULL)
		json_push_origin(state, ORIGIN_URL, marks->origin, marks->place);
	for (int i = 0; marks != NULL && i < marks->nalternatives; i++)
	{
		JsonbValue	item = marks->alternatives[i];

		pushJsonbValue(state, WJB_ELEM, &item);
	}
	pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

/* Pushes the members of an object but one. */
static void
push_members_but(JsonbParseState **state, const JsonbValue *object, const char *but)
{
	JsonbIterator *it = JsonbIteratorInit(object->val.binary.data);
	int			but_len = strlen(but);
	JsonbValue	key;
	JsonbValue	value;

	JsonbIteratorNext(&it, &key, true);
	while (JsonbIteratorNext(&it, &key, true) == WJB_KEY)
	{
		JsonbIteratorNext(&it, &value, true);
		if (key.val.string.len == but_len && memcmp(key.val.string.val, but, but_len) == 0)
			continue;
		pushJsonbValue(state, WJB_KEY, &key);
		pushJsonbValue(state, WJB_VALUE, &value);
	}
}

/* Would nothing be left of an object when its marks are taken off? */
static bool
only_marks(const JsonbValue *object)
{
	JsonbValue	extensions;
	JsonbValue *items;
	int			n;

	if (object == NULL)
		return true;
	if (JsonContainerSize(object->val.binary.data) != 1 || !json_field(object, "extension", &extensions))
		return json_empty(object);
	n = json_items(&extensions, &items);
	for (int i = 0; i < n; i++)
		if (!is_mark(&items[i]))
			return false;
	return true;
}

/*
 * json_push_extended pushes an object (NULL: an empty one) without the marks it
 * had, and with these (NULL: none).
 */
JsonbValue *
json_push_extended(JsonbParseState **state, const JsonbValue *object, const MergeMarks *marks)
{
	JsonbValue	extensions;
	bool		had = object != NULL && json_field(object, "extension", &extensions);

	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	if (object != NULL)
		push_members_but(state, object, "extension");
	push_extensions(state, had ? &extensions : NULL, marks);
	return pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

/* json_push_marked does the same with the marks in the place where they belong. */
JsonbValue *
json_push_marked(JsonbParseState **state, const JsonbValue *object, MergePlace place, const MergeMarks *marks)
{
	const char *child = mark_child(object, place);
	JsonbValue	old;
	bool		had;

	if (child == NULL)
		return json_push_extended(state, object, marks);
	had = json_field(object, child, &old) && json_is_object(&old);
	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	push_members_but(state, object, child);
	if (marks != NULL || !only_marks(had ? &old : NULL))
	{
		json_push_key(state, child, strlen(child));
		(void) json_push_extended(state, had ? &old : NULL, marks);
	}
	return pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

/*
 * json_strip takes the marks off an element; gives the alternatives that were
 * among them.
 */
int
json_strip(JsonbValue *object, MergePlace place, JsonbValue **alternatives)
{
	JsonbParseState *state = NULL;
	JsonbValue	extensions;
	JsonbValue *items;
	int			n;
	int			marks = 0;
	int			found = 0;

	*alternatives = NULL;
	if (!mark_extensions(object, place, &extensions))
		return 0;
	n = json_items(&extensions, &items);
	for (int i = 0; i < n; i++)
	{
		if (!is_mark(&items[i]))
			continue;
		marks++;
		if (has_url(&items[i], ALTERNATIVE_URL))
			items[found++] = items[i];
	}
	if (marks > 0)
	{
		*object = *json_push_marked(&state, object, place, NULL);
		json_binary(object);
	}
	*alternatives = items;
	return found;
}
