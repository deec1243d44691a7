/*
 * jsonb_make.h
 *		JSON text as a binary jsonb document, made without a server: for unit tests and fuzzers.
 */
#ifndef EHR_JSONB_MAKE_H
#define EHR_JSONB_MAKE_H

#include <stdlib.h>
#include <string.h>

#include "json_tree.h"
#include "jsonb_write.h"

static JbValue
jsonb_make_node(const JsonNode *node)
{
	JbValue		value = {NULL, 0, JB_T_NULL};
	JbPart	   *parts;
	Decimal		number;
	size_t		n = 0;
	char	   *buffer;

	switch (node->kind)
	{
		case NODE_NULL:
			return value;
		case NODE_FALSE:
		case NODE_TRUE:
			value.type = node->kind == NODE_TRUE ? JB_T_TRUE : JB_T_FALSE;
			return value;
		case NODE_STRING:
			value.type = JB_T_STRING;
			value.ptr = node->u.text;
			value.len = node->len;
			return value;
		case NODE_NUMBER:
			if (decimal_parse(node->u.text, node->len, &number) != CORE_OK)
				number = decimal_from_int64(0);
			buffer = malloc(JB_NUMERIC_SIZE);
			value.type = JB_T_NUMBER;
			value.ptr = buffer;
			value.len = (uint32_t) jb_build_numeric(&number, buffer);
			return value;
		default:
			break;
	}
	parts = calloc(node->len + 1, sizeof(JbPart));
	for (uint32_t i = 0; i < node->len; i++)
	{
		const JsonNode *child = &node->u.children[i];

		/* the children of an object are sorted: a key that stands twice is left out */
		if (node->kind == NODE_OBJECT && n > 0 && parts[n - 1].key_len == child->key_len &&
			memcmp(parts[n - 1].key, child->key, child->key_len) == 0)
			continue;
		parts[n].key = child->key;
		parts[n].key_len = node->kind == NODE_OBJECT ? child->key_len : 0;
		parts[n++].value = jsonb_make_node(child);
	}
	buffer = malloc(jb_build_size(parts, n));
	value.type = JB_T_CONTAINER;
	value.len = (uint32_t) jb_build(parts, n, node->kind == NODE_OBJECT, buffer);
	value.ptr = buffer;
	for (size_t i = 0; i < n; i++)
	{
		if (parts[i].value.type == JB_T_NUMBER || parts[i].value.type == JB_T_CONTAINER)
			free((void *) parts[i].value.ptr);
	}
	free(parts);
	return value;
}

/* The root container of a document (a scalar is wrapped), to be freed; NULL: it is no JSON. */
static JbContainer *
jsonb_make(const CoreContext *cx, const char *text, size_t len, uint32_t *size)
{
	JsonTree	tree;
	JbContainer *result = NULL;

	json_tree_init(&tree, cx);
	if (json_tree_parse(&tree, text, len) == CORE_OK)
	{
		JbPart		part = {NULL, 0, {NULL, 0, JB_T_NULL}};

		part.value = jsonb_make_node(tree.root);
		if (part.value.type == JB_T_CONTAINER)
		{
			result = (JbContainer *) part.value.ptr;
			*size = part.value.len;
		}
		else
		{
			result = malloc(jb_build_size(&part, 1));
			*size = (uint32_t) jb_build(&part, 1, false, result);
			result->header |= JB_SCALAR;
			if (part.value.type == JB_T_NUMBER)
				free((void *) part.value.ptr);
		}
	}
	json_tree_free(&tree);
	return result;
}

#endif							/* EHR_JSONB_MAKE_H */
