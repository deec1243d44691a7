/*
 * document.c
 *		Taking a document apart into elements, and putting it together.
 */
#include "postgres.h"

#include "common/cryptohash.h"
#include "common/sha2.h"

#include "compat.h"
#include "core/fhir_model.h"
#include "merge/merge.h"
#include "miscadmin.h"

/* What is known while a document is read. */
typedef struct Reader
{
	MergeDoc   *doc;
	bool		ignore_marks;	/* the caller says whose document it is */
	bool		repeated;		/* two elements may say the same: places are not what they seem */
	int			size;			/* of doc->elements */
	MergeElement *fresh;		/* elements not yet used, zeroed */
	int			nfresh;
	StringInfoData key;			/* a buffer */
} Reader;

#define FRESH_ELEMENTS	16		/* made at a time */
#define COMPARED_ITEMS	8		/* of a longer list it is not looked whether two are the same */

static MergeText
text_of(const JsonbValue *string)
{
	MergeText	text;

	text.data = string->val.string.val;
	text.len = string->val.string.len;
	return text;
}

static bool
text_is(MergeText text, const char *other)
{
	return text.len == (int) strlen(other) && memcmp(text.data, other, text.len) == 0;
}

/* The first bytes of a text as a number of the same order. */
static uint64
text_start(MergeText text)
{
	uint64		start = 0;

	for (int i = 0; i < 8; i++)
		start = start << 8 | (i < text.len ? (unsigned char) text.data[i] : 0);
	return start;
}

static MergeElement *
new_element(Reader *reader, const MergeRule *rule, MergeText slot, MergeText name, const Origin *origin, int32 place)
{
	MergeElement *element;

	if (reader->nfresh == 0)
	{
		reader->fresh = palloc0(sizeof(MergeElement) * FRESH_ELEMENTS);
		reader->nfresh = FRESH_ELEMENTS;
	}
	element = &reader->fresh[--reader->nfresh];
	element->rule = rule;
	element->slot = slot;
	element->slot_start = text_start(slot);
	element->name = name;
	element->origin = *origin;
	element->place = place;
	element->leaves = -1;
	return element;
}

static void
set_value(MergeElement *element, const JsonbValue *value, const JsonbValue *extra)
{
	element->has_value = value != NULL && value->type != jbvNull;
	if (element->has_value)
		element->value = *value;
	element->has_extra = extra != NULL && json_is_object(extra) && !json_empty(extra);
	if (element->has_extra)
		element->extra = *extra;
}

static void
add_element(Reader *reader, MergeElement *element)
{
	MergeDoc   *doc = reader->doc;

	if (!element->has_value && !element->has_extra)
		return;
	element->class = merge_class(element->rule, element);
	if (doc->nelements == reader->size)
	{
		reader->size *= 2;
		doc->elements = repalloc(doc->elements, sizeof(MergeElement *) * reader->size);
	}
	doc->elements[doc->nelements++] = element;
}

/* ---- the key of an item ---- */

/* A string as it is, after its length: no other field reads the same. */
static void
add_key_text(StringInfo key, const char *text, int len)
{
	char		head[16];
	int			at = sizeof(head);
	int			rest = len;

	head[--at] = ':';
	do
		head[--at] = '0' + rest % 10;
	while ((rest /= 10) > 0);
	head[--at] = 's';
	appendBinaryStringInfo(key, head + at, sizeof(head) - at);
	appendBinaryStringInfo(key, text, len);
}

/* Adds one key field; was it there? */
static bool
add_key_field(StringInfo key, const JsonbValue *item, const MergeKey *field)
{
	JsonbValue	value;
	bool		found = json_field(item, field->name, &value);

	if (found && value.type == jbvString)
		add_key_text(key, value.val.string.val, value.val.string.len);
	else if (found)
		appendStringInfoString(key, json_bytes(&value).data);
	else if (field->otherwise != NULL)
		add_key_text(key, field->otherwise, strlen(field->otherwise));
	appendStringInfoChar(key, '\n');
	return found;
}

/* Is this one of the items for which the content is the key after all? */
static bool
content_is_key(const MergeRule *rule, const JsonbValue *item)
{
	MergeText	value;

	if (rule->content_keys == NULL || !json_field_text(item, rule->content_keys[0], &value))
		return false;
	for (const char *const *wanted = rule->content_keys + 1; *wanted != NULL; wanted++)
		if (text_is(value, *wanted))
			return true;
	return false;
}

/* What tells the items of a repeating element apart. */
static MergeText
item_key(Reader *reader, const MergeElement *element)
{
	const MergeRule *rule = element->rule;
	StringInfo	key = &reader->key;
	MergeText	text;
	bool		found = false;

	if (key->data == NULL)
		initStringInfo(key);
	resetStringInfo(key);
	if (rule->keys != NULL && element->has_value && json_is_object(&element->value) &&
		!content_is_key(rule, &element->value))
	{
		appendStringInfoChar(key, 'k');
		for (const MergeKey *field = rule->keys; field->name != NULL; field++)
			found = add_key_field(key, &element->value, field) || found || field->otherwise != NULL;
	}
	if (!found)
	{
		resetStringInfo(key);
		appendStringInfoChar(key, 'c');
		if (element->has_value)
			appendStringInfoString(key, json_bytes(&element->value).data);
		appendStringInfoChar(key, '\n');
		if (element->has_extra)
			appendStringInfoString(key, json_bytes(&element->extra).data);
	}
	text.data = memcpy(palloc(key->len), key->data, key->len);
	text.len = key->len;
	return text;
}

/* ---- reading ---- */

/*
 * Reads the mark of a value or of its sibling, and takes it off both.  A
 * primitive's mark is in the sibling.
 */
static int
take_mark(Reader *reader, MergeElement *element, JsonbValue *value, JsonbValue *extra,
		  JsonbValue **alternatives)
{
	bool		complex = value != NULL && value->type == jbvBinary;
	MergePlace	place = complex ? element->rule->place : PLACE_ELEMENT;
	JsonbValue *holder = complex ? value : extra;
	Origin		origin;
	int32		at;

	*alternatives = NULL;
	if (holder == NULL)
		return 0;
	if (!reader->ignore_marks && json_read_mark(holder, place, &origin, &at))
	{
		element->origin = origin;
		element->place = at;
	}
	return json_strip(holder, place, alternatives);
}

/* Reads the alternatives of a date. */
static void
add_alternatives(Reader *reader, const MergeElement *element, JsonbValue *alternatives, int n)
{
	const MergeRule *rule = element->rule;
	char	   *sibling = psprintf("_%s", rule->date_name);

	for (int i = 0; i < n; i++)
	{
		MergeElement *other = new_element(reader, rule, element->slot, element->name, &element->origin, 0);
		JsonbValue	parts;
		JsonbValue *items;
		JsonbValue	value;
		JsonbValue	extra;
		MergeText	url;
		MergeText	text;
		int			nitems;

		if (!json_field(&alternatives[i], "extension", &parts))
			continue;
		nitems = json_items(&parts, &items);
		for (int k = 0; k < nitems; k++)
		{
			if (!json_is_object(&items[k]) || !json_field_text(&items[k], "url", &url))
				continue;
			if (text_is(url, "origin") && json_field_text(&items[k], "valueString", &text))
			{
				if (!origin_read(text.data, text.len, &other->origin, &other->place))
					other->origin = element->origin;
			}
			else if (text_is(url, "value"))
			{
				bool		has_value = json_field(&items[k], rule->date_name, &value);
				bool		has_extra = json_field(&items[k], sibling, &extra);

				set_value(other, has_value ? &value : NULL, has_extra ? &extra : NULL);
			}
		}
		add_element(reader, other);
	}
}

static void
read_single(Reader *reader, const MergeRule *rule, MergeText slot, MergeText name,
			JsonbValue *value, JsonbValue *extra)
{
	MergeElement *element = new_element(reader, rule, slot, name, &reader->doc->origin, 0);
	JsonbValue *alternatives;
	int			n = take_mark(reader, element, value, extra, &alternatives);

	set_value(element, value, extra);
	add_element(reader, element);
	if (rule->kind == MERGE_DATE && !reader->ignore_marks)
		add_alternatives(reader, element, alternatives, n);
}

static void
read_each(Reader *reader, const MergeRule *rule, MergeText slot, MergeText name,
		  JsonbValue *values, int nvalues, JsonbValue *extras, int nextras)
{
	JsonbValue *alternatives;
	int			n = Max(nvalues, nextras);
	int			first = reader->doc->nelements;

	for (int i = 0; i < n; i++)
	{
		MergeElement *element = new_element(reader, rule, slot, name, &reader->doc->origin, i);
		JsonbValue *value = i < nvalues ? &values[i] : NULL;
		JsonbValue *extra = i < nextras ? &extras[i] : NULL;

		CHECK_FOR_INTERRUPTS();
		take_mark(reader, element, value, extra, &alternatives);
		set_value(element, value, extra);
		element->key = item_key(reader, element);
		for (int k = first; k < reader->doc->nelements && n <= COMPARED_ITEMS; k++)
			reader->repeated = reader->repeated || merge_text_equal(reader->doc->elements[k]->key, element->key);
		add_element(reader, element);
	}
	/* nulls leave gaps too */
	reader->repeated = reader->repeated || n > COMPARED_ITEMS || reader->doc->nelements != first + n;
}

/* Sets an element's value to the array of the items of one group, and reads their mark. */
static void
set_group(Reader *reader, MergeElement *element, JsonbValue *items, const int *groups, int group, int n)
{
	JsonbParseState *state = NULL;
	JsonbValue *alternatives;
	JsonbValue	array;

	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < n; i++)
	{
		if (groups[i] != group)
			continue;
		take_mark(reader, element, &items[i], NULL, &alternatives);
		pushJsonbValue(&state, WJB_ELEM, &items[i]);
	}
	array = *pushJsonbValue(&state, WJB_END_ARRAY, NULL);
	json_binary(&array);
	set_value(element, &array, NULL);
}

/* The items of one url (GROUP), or all items (WHOLE), are one element. */
static void
read_groups(Reader *reader, const MergeRule *rule, MergeText slot, MergeText name,
			JsonbValue *items, int n)
{
	int		   *groups = palloc0(sizeof(int) * (n + 1));
	MergeText  *urls = palloc0(sizeof(MergeText) * (n + 1));
	int			ngroups = rule->kind == MERGE_WHOLE ? 1 : 0;

	for (int i = 0; i < n && rule->kind == MERGE_GROUP; i++)
	{
		MergeText	url = {"", 0};

		CHECK_FOR_INTERRUPTS();
		if (json_is_object(&items[i]))
			json_field_text(&items[i], "url", &url);
		for (groups[i] = 0; groups[i] < ngroups && !merge_text_equal(urls[groups[i]], url); groups[i]++)
			;
		if (groups[i] == ngroups)
			urls[ngroups++] = url;
	}
	for (int group = 0; group < ngroups; group++)
	{
		MergeElement *element = new_element(reader, rule, slot, name, &reader->doc->origin, group);

		set_group(reader, element, items, groups, group, n);
		element->key = urls[group];
		add_element(reader, element);
	}
}

static bool
all_objects(const JsonbValue *items, int n)
{
	for (int i = 0; i < n; i++)
		if (!json_is_object(&items[i]))
			return false;
	return n > 0;
}

/* Reads one element of the resource, with its _name sibling. */
static void
read_element(Reader *reader, MergeText name, JsonbValue *value, JsonbValue *extra)
{
	bool		repeats = (value != NULL && json_is_array(value)) || (extra != NULL && json_is_array(extra));
	MergeText	slot;
	const MergeRule *rule = merge_rule(reader->doc->type, reader->doc->model, name, repeats, &slot);
	JsonbValue *values = NULL;
	JsonbValue *extras = NULL;
	int			nvalues;
	int			nextras;

	if (!repeats)
	{
		read_single(reader, rule, slot, name, value, extra);
		return;
	}
	nvalues = value != NULL ? json_items(value, &values) : 0;
	nextras = extra != NULL ? json_items(extra, &extras) : 0;
	if (rule->kind == MERGE_EACH)
		read_each(reader, rule, slot, name, values, nvalues, extras, nextras);
	else if (nextras == 0 && all_objects(values, nvalues))
		read_groups(reader, rule, slot, name, values, nvalues);
	else
		read_each(reader, merge_each_rule(), slot, name, values, nvalues, extras, nextras);
}

/* The rank that a document's tag gives to its source. */
static int32
rank_of_tags(const JsonbValue *meta)
{
	JsonbValue	tags;
	JsonbValue *items;
	MergeText	system;
	MergeText	code;
	Origin		origin;
	int32		rank;
	int			n;

	if (!json_field(meta, "tag", &tags))
		return 0;
	n = json_items(&tags, &items);
	for (int i = 0; i < n; i++)
		if (json_is_object(&items[i]) && json_field_text(&items[i], "system", &system) &&
			text_is(system, RANK_SYSTEM) && json_field_text(&items[i], "code", &code))
		{
			char	   *text = psprintf("- 0 %.*s", code.len, code.data);

			if (origin_read(text, strlen(text), &origin, &rank) && origin.source_len == 0)
				return rank;
		}
	return 0;
}

/* The document's own origin: its mark, or what its meta says, or what the caller says. */
static void
read_origin(MergeDoc *doc, const JsonbValue *meta, const MergeStatedBy *by)
{
	MergeText	text;
	int32		place;
	Origin		marked;

	doc->marked = meta != NULL && by == NULL && json_read_mark(meta, PLACE_ELEMENT, &marked, &place);
	if (doc->marked)
	{
		doc->origin = marked;
		return;
	}
	memset(&doc->origin, 0, sizeof(doc->origin));
	if (meta != NULL)
	{
		if (json_field_text(meta, "lastUpdated", &text))
			origin_time(text.data, text.len, doc->origin.time);
		doc->origin.rank = rank_of_tags(meta);
		if (json_field_text(meta, "source", &text))
		{
			doc->origin.source = text.data;
			doc->origin.source_len = text.len;
		}
	}
	if (by != NULL && by->rank >= 0)
		doc->origin.rank = by->rank;
	if (by != NULL && by->source.data != NULL)
	{
		doc->origin.source = by->source.data;
		doc->origin.source_len = by->source.len;
	}
}

/* Is this a part of meta that the normal form says in another way? */
static bool
told_by_origin(const JsonbValue *item)
{
	MergeText	text;

	if (!json_is_object(item))
		return false;
	return (json_field_text(item, "url", &text) && (text_is(text, ORIGIN_URL) || text_is(text, ALTERNATIVE_URL))) ||
		(json_field_text(item, "system", &text) && text_is(text, RANK_SYSTEM));
}

static void
read_meta(Reader *reader, const JsonbValue *meta)
{
	MergeDoc   *doc = reader->doc;
	static const Origin none;
	static const char *const names[] = {"extension", "profile", "security", "tag"};
	JsonbValue	values[lengthof(names)];
	JsonbValue *items[lengthof(names)];
	int			counts[lengthof(names)];
	int			n = 0;

	for (int i = 0; i < (int) lengthof(names); i++)
	{
		counts[i] = meta != NULL && json_field(meta, names[i], &values[i]) ? json_items(&values[i], &items[i]) : 0;
		n += counts[i];
	}
	doc->meta = palloc(sizeof(MergeElement *) * (n + 1));
	for (int i = 0; i < (int) lengthof(names); i++)
	{
		MergeText	name = {names[i], strlen(names[i])};

		for (int k = 0; k < counts[i]; k++)
		{
			MergeElement *element;

			if (told_by_origin(&items[i][k]))
				continue;
			element = new_element(reader, merge_meta_rule(name), name, name, &none, 0);
			set_value(element, &items[i][k], NULL);
			if (!element->has_value)
				continue;
			element->key = item_key(reader, element);
			doc->meta[doc->nmeta++] = element;
		}
	}
}

/*
 * Contained resources have names only within their document.  Before two
 * documents meet, the names are replaced by a hash of all that the document
 * contains and the old name, so that equal ones stay equal and others differ.
 */
static void
push_contained_name(JsonbParseState **state, MergeText contained, const char *prefix, MergeText name)
{
	pg_cryptohash_ctx *hash = pg_cryptohash_create(PG_SHA256);
	uint8		digest[PG_SHA256_DIGEST_LENGTH];
	char	   *id = palloc(strlen(prefix) + 1 + 2 * 8 + 1);
	int			len = sprintf(id, "%sc", prefix);

	if (hash == NULL || pg_cryptohash_init(hash) < 0 ||
		pg_cryptohash_update(hash, (const uint8 *) contained.data, contained.len) < 0 ||
		pg_cryptohash_update(hash, (const uint8 *) "\n", 1) < 0 ||
		pg_cryptohash_update(hash, (const uint8 *) name.data, name.len) < 0 ||
		pg_cryptohash_final(hash, digest, sizeof(digest)) < 0)
		elog(ERROR, "could not compute a SHA-256 hash");
	pg_cryptohash_free(hash);
	for (int i = 0; i < 8; i++)
		len += sprintf(id + len, "%02x", digest[i]);
	json_push_text(state, WJB_VALUE, id, len);
}

static Jsonb *
rename_contained(Jsonb *jb, const JsonbValue *contained)
{
	MergeText	all = json_bytes(contained);
	JsonbParseState *state = NULL;
	JsonbIterator *it = JsonbIteratorInit(&jb->root);
	JsonbIteratorToken token;
	JsonbValue	value;
	JsonbValue *result = NULL;
	MergeText	key = {"", 0};
	bool		inside = false;
	int			level = 0;

	while ((token = JsonbIteratorNext(&it, &value, false)) != WJB_DONE)
	{
		bool		text = token == WJB_VALUE && value.type == jbvString;

		level += (token == WJB_BEGIN_OBJECT || token == WJB_BEGIN_ARRAY) -
			(token == WJB_END_OBJECT || token == WJB_END_ARRAY);
		if (token == WJB_KEY)
		{
			key = text_of(&value);
			if (level == 1)
				inside = text_is(key, "contained");
		}
		if (text && text_is(key, "reference") && value.val.string.len > 1 && value.val.string.val[0] == '#')
		{
			MergeText	name = {value.val.string.val + 1, value.val.string.len - 1};

			push_contained_name(&state, all, "#", name);
		}
		else if (text && inside && level == 3 && text_is(key, "id"))
			push_contained_name(&state, all, "", text_of(&value));
		else
			result = pushJsonbValue(&state, token, token < WJB_BEGIN_ARRAY ? &value : NULL);
	}
	return JsonbValueToJsonb(result);
}

static void
root_value(Jsonb *jb, JsonbValue *root)
{
	root->type = jbvBinary;
	root->val.binary.data = &jb->root;
	root->val.binary.len = VARSIZE_ANY_EXHDR(jb);
}

static int
compare_place(const void *pa, const void *pb)
{
	const MergeElement *a = *(MergeElement *const *) pa;
	const MergeElement *b = *(MergeElement *const *) pb;
	int			cmp = merge_text_compare(a->slot, b->slot);

	if (cmp == 0)
		cmp = (a->place > b->place) - (a->place < b->place);
	return cmp != 0 ? cmp : merge_text_compare(a->key, b->key);
}

/* In a new document, the items that are left take the places of those that said the same again. */
static void
close_gaps(MergeDoc *doc)
{
	qsort(doc->elements, doc->nelements, sizeof(MergeElement *), compare_place);
	for (int i = 0; i < doc->nelements; i++)
	{
		bool		first = i == 0 || !merge_text_equal(doc->elements[i - 1]->slot, doc->elements[i]->slot);

		if (doc->elements[i]->rule->kind < MERGE_EACH)
			continue;
		doc->elements[i]->place = first ? 0 : doc->elements[i - 1]->place + 1;
	}
}

/* Does a document have any _name sibling?  Most have none, and then none is looked for. */
static bool
has_siblings(const JsonbValue *root)
{
	JsonbIterator *it = JsonbIteratorInit(root->val.binary.data);
	JsonbValue	key;
	JsonbValue	value;

	JsonbIteratorNext(&it, &key, true);
	while (JsonbIteratorNext(&it, &key, true) == WJB_KEY)
	{
		JsonbIteratorNext(&it, &value, true);
		if (key.val.string.len > 0 && key.val.string.val[0] == '_')
			return true;
	}
	return false;
}

/* Reads every element but those that stand for the document. */
static void
read_elements(Reader *reader, const JsonbValue *root)
{
	JsonbIterator *it = JsonbIteratorInit(root->val.binary.data);
	JsonbValue	key;
	JsonbValue	other;
	bool		siblings = has_siblings(root);

	JsonbIteratorNext(&it, &key, true);
	while (JsonbIteratorNext(&it, &key, true) == WJB_KEY)
	{
		JsonbValue	value;
		MergeText	name = text_of(&key);

		JsonbIteratorNext(&it, &value, true);
		if (text_is(name, "resourceType") || text_is(name, "id") || text_is(name, "meta"))
			continue;
		if (name.len > 1 && name.data[0] == '_')
		{
			MergeText	base = {name.data + 1, name.len - 1};

			if (!json_field_named(root, base, &other))
				read_element(reader, base, NULL, &value);
		}
		else if (siblings && json_field(root, psprintf("_%.*s", name.len, name.data), &other))
			read_element(reader, name, &value, &other);
		else
			read_element(reader, name, &value, NULL);
	}
}

/* merge_doc_type gives the type of a document; 22023 for what is no resource. */
MergeText
merge_doc_type(Jsonb *jb)
{
	JsonbValue	root;
	MergeText	type;

	root_value(jb, &root);
	if (!JB_ROOT_IS_OBJECT(jb) || !json_field_text(&root, "resourceType", &type))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("not a FHIR resource"),
				 errdetail("A resource is an object with a resourceType.")));
	return type;
}

/*
 * merge_doc_read takes a document apart.  With `by`, marks are not believed
 * and every element is held to be stated by that source.
 *
 * 22023 for what is no resource.  The result points into jb, and has all that
 * the document says: call merge_doc_reduce, or join it with others' and reduce
 * that.  In a document without marks the items that say the same again are
 * taken out here, since the places of the others count without them.
 */
MergeDoc *
merge_doc_read(Jsonb *jb, const MergeStatedBy *by)
{
	MergeDoc   *doc = palloc0(sizeof(MergeDoc));
	Reader		reader = {doc, by != NULL, false, 32};
	JsonbValue	root;
	JsonbValue	meta;
	JsonbValue	contained;
	bool		has_meta;

	root_value(jb, &root);
	doc->type = merge_doc_type(jb);
	doc->model = fhir_type_find(doc->type.data, doc->type.len);
	has_meta = json_field(&root, "meta", &meta) && json_is_object(&meta);
	read_origin(doc, has_meta ? &meta : NULL, by);
	if (!doc->marked && json_field(&root, "contained", &contained) && json_is_array(&contained))
	{
		root_value(rename_contained(jb, &contained), &root);
		has_meta = json_field(&root, "meta", &meta) && json_is_object(&meta);
	}
	read_meta(&reader, has_meta ? &meta : NULL);
	if (!json_field_text(&root, "id", &doc->id))
		doc->id.data = NULL;
	doc->elements = palloc(sizeof(MergeElement *) * reader.size);
	read_elements(&reader, &root);
	if (reader.repeated && !doc->marked)
	{
		doc->nelements = merge_keep_survivors(doc->elements, doc->nelements);
		close_gaps(doc);
	}
	return doc;
}

/* merge_doc_reduce leaves what survives within one document, sorted. */
void
merge_doc_reduce(MergeDoc *doc)
{
	doc->nmeta = merge_keep_survivors(doc->meta, doc->nmeta);
	doc->nelements = merge_keep_survivors(doc->elements, doc->nelements);
}

/* ---- writing ---- */

static void
push_name(JsonbParseState **state, const char *prefix, MergeText name)
{
	char	   *key;

	if (prefix[0] == '\0')
	{
		json_push_key(state, name.data, name.len);
		return;
	}
	key = psprintf("%s%.*s", prefix, name.len, name.data);
	json_push_key(state, key, strlen(key));
}

static void
push_copy(JsonbParseState **state, JsonbIteratorToken token, const JsonbValue *value)
{
	JsonbValue	copy = *value;

	pushJsonbValue(state, token, &copy);
}

/* An alternative: {"url": ..., "extension": [{origin}, {value}]}. */
static JsonbValue
alternative_extension(const MergeElement *element)
{
	JsonbParseState *state = NULL;
	const char *name = element->rule->date_name;
	JsonbValue	result;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	json_push_key(&state, "url", 3);
	json_push_text(&state, WJB_VALUE, ALTERNATIVE_URL, strlen(ALTERNATIVE_URL));
	json_push_key(&state, "extension", 9);
	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	json_push_origin(&state, "origin", &element->origin, 0);
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	json_push_key(&state, "url", 3);
	json_push_text(&state, WJB_VALUE, "value", 5);
	if (element->has_value)
	{
		json_push_key(&state, name, strlen(name));
		push_copy(&state, WJB_VALUE, &element->value);
	}
	if (element->has_extra)
	{
		MergeText	text = {name, strlen(name)};

		push_name(&state, "_", text);
		push_copy(&state, WJB_VALUE, &element->extra);
	}
	pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	pushJsonbValue(&state, WJB_END_ARRAY, NULL);
	result = *pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	json_binary(&result);
	return result;
}

/* Writes an element that occurs once, with its alternatives (n counts both). */
static void
write_single(JsonbParseState **state, const MergeDoc *doc, MergeElement **elements, int n)
{
	const MergeElement *element = elements[0];
	bool		marked = origin_compare(&element->origin, &doc->origin) != 0;
	bool		complex = element->has_value && element->value.type == jbvBinary;
	JsonbValue *alternatives = palloc(sizeof(JsonbValue) * n);
	MergeMarks	marks = {marked ? &element->origin : NULL, 0, alternatives, n - 1};

	if (element->has_value)
	{
		push_name(state, "", element->name);
		if (complex && marked)
			(void) json_push_marked(state, &element->value, element->rule->place, &marks);
		else
			push_copy(state, WJB_VALUE, &element->value);
	}
	if (complex)
		marks.origin = NULL;
	for (int i = 1; i < n; i++)
		alternatives[i - 1] = alternative_extension(elements[i]);
	if (element->has_extra || marks.origin != NULL || n > 1)
	{
		push_name(state, "_", element->name);
		(void) json_push_extended(state, element->has_extra ? &element->extra : NULL, &marks);
	}
}

/* Newest first, then as the sources had them. */
static int
compare_shown(const void *pa, const void *pb)
{
	const MergeElement *a = *(MergeElement *const *) pa;
	const MergeElement *b = *(MergeElement *const *) pb;
	int			cmp = origin_compare(&b->origin, &a->origin);

	if (cmp == 0)
		cmp = (a->place > b->place) - (a->place < b->place);
	return cmp != 0 ? cmp : merge_text_compare(a->key, b->key);
}

static bool
needs_mark(const MergeDoc *doc, const MergeElement *element, int at)
{
	return element->place != at || origin_compare(&element->origin, &doc->origin) != 0;
}

/* Writes the items' values; the marks of complex ones are in them. */
static void
write_values(JsonbParseState **state, const MergeDoc *doc, MergeElement **elements, int n)
{
	push_name(state, "", elements[0]->name);
	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < n; i++)
	{
		const MergeElement *element = elements[i];
		JsonbValue	null = {.type = jbvNull};

		if (!element->has_value)
			pushJsonbValue(state, WJB_ELEM, &null);
		else if (json_is_object(&element->value) && needs_mark(doc, element, i))
		{
			MergeMarks	marks = {&element->origin, element->place};

			(void) json_push_marked(state, &element->value, element->rule->place, &marks);
		}
		else
			push_copy(state, WJB_ELEM, &element->value);
	}
	pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

/* Writes the items' siblings; the marks of primitives are in them. */
static void
write_extras(JsonbParseState **state, const MergeDoc *doc, MergeElement **elements, int n)
{
	push_name(state, "_", elements[0]->name);
	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < n; i++)
	{
		const MergeElement *element = elements[i];
		bool		marked = !(element->has_value && json_is_object(&element->value)) &&
			needs_mark(doc, element, i);
		MergeMarks	marks = {&element->origin, element->place};
		JsonbValue	null = {.type = jbvNull};

		if (marked)
			(void) json_push_extended(state, element->has_extra ? &element->extra : NULL, &marks);
		else
			push_copy(state, WJB_ELEM, element->has_extra ? &element->extra : &null);
	}
	pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

static void
write_each(JsonbParseState **state, const MergeDoc *doc, MergeElement **elements, int n)
{
	bool		values = false;
	bool		extras = false;

	for (int i = 0; i < n; i++)
	{
		const MergeElement *element = elements[i];

		values = values || element->has_value;
		extras = extras || element->has_extra ||
			(!(element->has_value && json_is_object(&element->value)) && needs_mark(doc, element, i));
	}
	if (values)
		write_values(state, doc, elements, n);
	if (extras)
		write_extras(state, doc, elements, n);
}

static void
write_groups(JsonbParseState **state, const MergeDoc *doc, MergeElement **elements, int n)
{
	push_name(state, "", elements[0]->name);
	pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < n; i++)
	{
		const MergeElement *element = elements[i];
		bool		marked = needs_mark(doc, element, i);
		MergeMarks	marks = {&element->origin, element->place};
		JsonbValue *items;
		int			nitems = json_items(&element->value, &items);

		for (int k = 0; k < nitems; k++)
		{
			if (marked && json_is_object(&items[k]))
				(void) json_push_marked(state, &items[k], element->rule->place, &marks);
			else
				pushJsonbValue(state, WJB_ELEM, &items[k]);
		}
	}
	pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

/* Writes what survived of one slot. */
static void
write_slot(JsonbParseState **state, const MergeDoc *doc, MergeElement **elements, int n)
{
	MergeElement **shown;

	if (elements[0]->rule->kind < MERGE_EACH)
	{
		write_single(state, doc, elements, n);
		return;
	}
	shown = palloc(sizeof(MergeElement *) * n);
	memcpy(shown, elements, sizeof(MergeElement *) * n);
	qsort(shown, n, sizeof(MergeElement *), compare_shown);
	if (shown[0]->rule->kind == MERGE_EACH)
		write_each(state, doc, shown, n);
	else
		write_groups(state, doc, shown, n);
}

static int
slot_end(MergeElement **elements, int n, int start)
{
	int			end = start + 1;

	while (end < n && merge_text_equal(elements[start]->slot, elements[end]->slot))
		end++;
	return end;
}

static void
write_meta(JsonbParseState **state, const MergeDoc *doc)
{
	bool		extended = false;
	int			end;

	json_push_key(state, "meta", 4);
	pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	if (doc->origin.time[0] != '\0')
	{
		char	   *time = psprintf("%sZ", doc->origin.time);

		json_push_key(state, "lastUpdated", 11);
		json_push_text(state, WJB_VALUE, time, strlen(time));
	}
	if (doc->origin.source_len > 0)
	{
		json_push_key(state, "source", 6);
		json_push_text(state, WJB_VALUE, doc->origin.source, doc->origin.source_len);
	}
	for (int start = 0; start < doc->nmeta; start = end)
	{
		bool		extension = text_is(doc->meta[start]->slot, "extension");

		end = slot_end(doc->meta, doc->nmeta, start);
		push_name(state, "", doc->meta[start]->slot);
		pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
		for (int i = start; i < end; i++)
			push_copy(state, WJB_ELEM, &doc->meta[i]->value);
		if (extension)
			json_push_origin(state, ORIGIN_URL, &doc->origin, 0);
		pushJsonbValue(state, WJB_END_ARRAY, NULL);
		extended = extended || extension;
	}
	if (!extended)
	{
		json_push_key(state, "extension", 9);
		pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
		json_push_origin(state, ORIGIN_URL, &doc->origin, 0);
		pushJsonbValue(state, WJB_END_ARRAY, NULL);
	}
	pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

/* merge_doc_write puts a document together, in normal form. */
Jsonb *
merge_doc_write(const MergeDoc *doc)
{
	JsonbParseState *state = NULL;
	int			end;

	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	json_push_key(&state, "resourceType", 12);
	json_push_text(&state, WJB_VALUE, doc->type.data, doc->type.len);
	if (doc->id.data != NULL)
	{
		json_push_key(&state, "id", 2);
		json_push_text(&state, WJB_VALUE, doc->id.data, doc->id.len);
	}
	write_meta(&state, doc);
	for (int start = 0; start < doc->nelements; start = end)
	{
		end = slot_end(doc->elements, doc->nelements, start);
		write_slot(&state, doc, doc->elements + start, end - start);
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}
