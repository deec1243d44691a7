/*
 * consent_request.c
 *		A request to a Consent, read from JSON (consent_tree.h).
 */
#include "consent_tree.h"

#include <string.h>

#include "fhir_model.h"

static const JsonNode *
member(const JsonNode *object, const char *key)
{
	return json_child(object, key, strlen(key));
}

static void
read_text(const JsonNode *object, const char *key, ConsentText *text)
{
	const JsonNode *node = member(object, key);

	if (node != NULL && node->kind == NODE_STRING && node->len > 0)
	{
		text->text = node->u.text;
		text->len = node->len;
	}
}

/* An element that is no string makes the whole list unknown. */
static CoreStatus
read_texts(JsonTree *tree, const JsonNode *object, const char *key, ConsentTexts *texts)
{
	const JsonNode *node = member(object, key);
	ConsentText *item;

	if (node == NULL || node->kind != NODE_ARRAY)
		return CORE_OK;
	item = json_tree_alloc(tree, sizeof(ConsentText) * ((size_t) node->len + 1));
	if (item == NULL)
		return CORE_NO_MEMORY;
	for (uint32_t i = 0; i < node->len; i++)
	{
		const JsonNode *child = &node->u.children[i];

		if (child->kind != NODE_STRING)
			return CORE_OK;
		item[i].text = child->u.text;
		item[i].len = child->len;
	}
	texts->item = item;
	texts->count = node->len;
	texts->known = true;
	return CORE_OK;
}

/* A whole number of at most 18 digits. */
static bool
read_number(const JsonNode *object, const char *key, int64_t *number)
{
	const JsonNode *node = member(object, key);
	bool		negative;
	int64_t		value = 0;

	if (node == NULL || node->kind != NODE_NUMBER)
		return false;
	negative = node->u.text[0] == '-';
	if (node->len - negative > 18)
		return false;
	for (uint32_t i = negative; i < node->len; i++)
	{
		if (node->u.text[i] < '0' || node->u.text[i] > '9')
			return false;
		value = value * 10 + (node->u.text[i] - '0');
	}
	*number = negative ? -value : value;
	return true;
}

static void
read_data(const JsonNode *object, ConsentRequest *request)
{
	const JsonNode *data = member(object, "data");
	const JsonNode *start = data == NULL ? NULL : member(data, "start");
	const JsonNode *end = data == NULL ? NULL : member(data, "end");
	int64_t		from;
	int64_t		to;
	int64_t		ignored;

	if (start == NULL || end == NULL || start->kind != NODE_STRING || end->kind != NODE_STRING ||
		!consent_moment(start->u.text, start->len, &from, &ignored) || !consent_moment(end->u.text, end->len, &ignored, &to))
		return;
	request->data_from = from;
	request->data_to = to;
}

CoreStatus
consent_request_read(JsonTree *tree, const JsonNode *object, ConsentRequest *request)
{
	const JsonNode *type;
	int64_t		number;
	CoreStatus	status;

	memset(request, 0, sizeof(*request));
	if (object == NULL || object->kind != NODE_OBJECT)
		return CORE_OK;
	if (read_number(object, "now", &number))
		request->now = number;
	if (read_number(object, "labels", &number) && number >= INT32_MIN && number <= INT32_MAX)
	{
		request->labels = (int32_t) number;
		request->labels_known = true;
	}
	type = member(object, "type");
	if (type != NULL && type->kind == NODE_STRING)
		request->type = fhir_resource_number(type->u.text, type->len);
	read_text(object, "action", &request->action);
	read_text(object, "purpose", &request->purpose);
	read_text(object, "self", &request->self);
	read_data(object, request);
	if ((status = read_texts(tree, object, "actors", &request->actors)) != CORE_OK ||
		(status = read_texts(tree, object, "kinds", &request->kinds)) != CORE_OK ||
		(status = read_texts(tree, object, "codes", &request->codes)) != CORE_OK ||
		(status = read_texts(tree, object, "authors", &request->authors)) != CORE_OK ||
		(status = read_texts(tree, object, "refers", &request->refers)) != CORE_OK)
		return status;
	return read_texts(tree, object, "referred_by", &request->referred_by);
}
