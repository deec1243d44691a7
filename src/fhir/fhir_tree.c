/*
 * fhir_tree.c
 *		Between jsonb and the core's JSON tree.
 *
 * The layout of a jsonb container (utils/jsonb.h):
 *
 *	header (count, kind) | one JEntry per element, or per key and then per value | data
 *
 * A JEntry holds the length of its datum, every JB_OFFSET_STRIDE-th its end
 * offset instead.  Numbers and containers are aligned to 4 bytes, the padding
 * counted to the datum.  Reading and writing it here, without JsonbValue in
 * between, is what makes fhir's input faster than jsonb's.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

#include "compat.h"
#include "fhir_tree.h"

/* -- context ------------------------------------------------------------ */

static void *
core_alloc(void *arg, size_t size)
{
	if (!AllocHugeSizeIsValid(size))
		return NULL;
	return palloc_extended(size, MCXT_ALLOC_NO_OOM | MCXT_ALLOC_HUGE);
}

static void
core_free(void *arg, void *ptr)
{
	pfree(ptr);
}

/* Only what can be acted upon now: the caller acts and begins again. */
static bool
core_is_interrupted(void *arg)
{
	return unlikely(INTERRUPTS_PENDING_CONDITION()) && INTERRUPTS_CAN_BE_PROCESSED();
}

const CoreContext *
fhir_core_context(void)
{
	static const CoreContext context = {
		.alloc = core_alloc,
		.free = core_free,
		.interrupted = core_is_interrupted,
		.depth_limit = JSON_DEPTH_MAX
	};

	return &context;
}

/* -- jsonb → tree ------------------------------------------------------- */

static CoreStatus read_container(JsonTree *tree, const char *root, const JsonbContainer *container, JsonNode *node, int depth);

static CoreStatus
read_number(JsonTree *tree, Numeric number, JsonNode *node)
{
	char	   *text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(number)));
	size_t		len = strlen(text);
	char	   *copy = json_tree_alloc(tree, len + 1);

	if (copy == NULL)
		return CORE_NO_MEMORY;
	memcpy(copy, text, len + 1);
	pfree(text);
	node->kind = NODE_NUMBER;
	node->u.text = copy;
	node->len = (uint32_t) len;
	return CORE_OK;
}

/* Length of the datum of an entry that begins at `offset` */
static inline uint32
entry_length(JEntry entry, uint32 offset)
{
	return JBE_HAS_OFF(entry) ? JBE_OFFLENFLD(entry) - offset : JBE_OFFLENFLD(entry);
}

/* Of all but strings */
static CoreStatus
read_value(JsonTree *tree, const char *root, JEntry entry, const char *base, uint32 offset, JsonNode *node, int depth)
{
	if (JBE_ISCONTAINER(entry))
		return read_container(tree, root, (const JsonbContainer *) (base + INTALIGN(offset)), node, depth + 1);
	node->at = (uint32_t) (base + INTALIGN(offset) - root);
	if (JBE_ISNUMERIC(entry))
		return read_number(tree, (Numeric) (base + INTALIGN(offset)), node);
	node->kind = JBE_ISBOOL_TRUE(entry) ? NODE_TRUE : JBE_ISBOOL_FALSE(entry) ? NODE_FALSE : NODE_NULL;
	node->len = 0;
	return CORE_OK;
}

static CoreStatus
read_container(JsonTree *tree, const char *root, const JsonbContainer *container, JsonNode *node, int depth)
{
	bool		object = JsonContainerIsObject(container);
	uint32		count = JsonContainerSize(container);
	const char *base = (const char *) &container->children[object ? count * 2 : count];
	JsonNode   *children = NULL;
	uint32		offset = 0;
	uint32		i;

	if (depth >= JSON_DEPTH_MAX)
		return CORE_TOO_DEEP;
	if (core_is_interrupted(NULL))
		return CORE_INTERRUPTED;
	if (count > 0)
	{
		children = json_tree_alloc(tree, count * sizeof(JsonNode));
		if (children == NULL)
			return CORE_NO_MEMORY;
	}
	for (i = 0; i < count; i++)
	{
		children[i].key = object ? base + offset : NULL;
		children[i].key_len = object ? entry_length(container->children[i], offset) : 0;
		offset += children[i].key_len;
	}
	for (i = 0; i < count; i++)
	{
		JEntry		entry = container->children[object ? count + i : i];
		uint32		len = entry_length(entry, offset);

		if (JBE_ISSTRING(entry))
		{
			children[i].kind = NODE_STRING;
			children[i].u.text = base + offset;
			children[i].len = len;
			children[i].at = (uint32_t) (base + offset - root);
		}
		else
		{
			CoreStatus	status = read_value(tree, root, entry, base, offset, &children[i], depth);

			if (status != CORE_OK)
				return status;
		}
		offset += len;
	}
	node->kind = object ? NODE_OBJECT : NODE_ARRAY;
	node->u.children = children;
	node->len = count;
	node->at = (uint32_t) ((const char *) container - root);
	return CORE_OK;
}

CoreStatus
fhir_tree_from_jsonb(JsonTree *tree, Jsonb *doc)
{
	JsonNode   *root = json_tree_alloc(tree, sizeof(JsonNode));
	CoreStatus	status;

	if (root == NULL)
		return CORE_NO_MEMORY;
	root->key = NULL;
	root->key_len = 0;
	status = read_container(tree, (const char *) &doc->root, &doc->root, root, 0);
	if (status == CORE_OK && JsonContainerIsScalar(&doc->root))
		*root = root->u.children[0];
	tree->root = root;
	return status;
}

/* -- tree → jsonb ------------------------------------------------------- */

static bool write_container(StringInfo out, const JsonNode *node, JEntry *entry);

static void
write_padding(StringInfo out)
{
	int			padding = INTALIGN(out->len) - out->len;

	while (padding-- > 0)
		appendStringInfoCharMacro(out, '\0');
}

/*
 * The numeric of a JSON number.  Up to 18 digits, which is what FHIR asks
 * servers to hold, it is made from an integer and a scale.
 */
static Numeric
number_to_numeric(const JsonNode *node)
{
	int64		value = 0;
	int			digits = 0,
				scale = 0;
	bool		negative = node->u.text[0] == '-';
	bool		point = false;
	uint32		i;

	for (i = negative; i < node->len; i++)
	{
		char		c = node->u.text[i];

		if (c == '.')
			point = true;
		else if (c >= '0' && c <= '9' && ++digits <= 18)
		{
			value = value * 10 + (c - '0');
			scale += point;
		}
		else
			return DatumGetNumeric(DirectFunctionCall3(numeric_in,
													   CStringGetDatum(pnstrdup(node->u.text, node->len)),
													   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
	}
	if (negative)
		value = -value;
	return scale == 0 ? int64_to_numeric(value) : int64_div_fast_to_numeric(value, scale);
}

static bool
write_value(StringInfo out, const JsonNode *node, JEntry *entry)
{
	int			start = out->len;
	Numeric		number;

	switch (node->kind)
	{
		case NODE_NULL:
			*entry = JENTRY_ISNULL;
			return true;
		case NODE_FALSE:
			*entry = JENTRY_ISBOOL_FALSE;
			return true;
		case NODE_TRUE:
			*entry = JENTRY_ISBOOL_TRUE;
			return true;
		case NODE_STRING:
			if (node->len > JENTRY_OFFLENMASK)
				return false;
			appendBinaryStringInfo(out, node->u.text, node->len);
			*entry = JENTRY_ISSTRING | node->len;
			return true;
		case NODE_NUMBER:
			write_padding(out);
			number = number_to_numeric(node);
			appendBinaryStringInfo(out, (char *) number, VARSIZE_ANY(number));
			pfree(number);
			*entry = JENTRY_ISNUMERIC | (out->len - start);
			return true;
		default:
			return write_container(out, node, entry);
	}
}

/* Writes entry `index` of the container whose entries begin at `entries`; false: the container is too large */
static bool
set_entry(StringInfo out, int entries, uint32 index, JEntry entry, uint32 *total)
{
	*total += JBE_OFFLENFLD(entry);
	if (*total > JENTRY_OFFLENMASK)
		return false;
	if (index % JB_OFFSET_STRIDE == 0)
		entry = (entry & JENTRY_TYPEMASK) | *total | JENTRY_HAS_OFF;
	memcpy(out->data + entries + index * sizeof(JEntry), &entry, sizeof(JEntry));
	return true;
}

static bool
write_container(StringInfo out, const JsonNode *node, JEntry *entry)
{
	int			start = out->len;
	bool		object = node->kind == NODE_OBJECT;
	uint32		header = node->len | (object ? JB_FOBJECT : JB_FARRAY);
	uint32		count = node->len;
	uint32		total = 0;
	int			entries;
	uint32		i;

	if (count > JB_CMASK / 2)
		return false;
	write_padding(out);
	appendBinaryStringInfo(out, (char *) &header, sizeof(header));
	entries = out->len;
	enlargeStringInfo(out, (object ? 2 : 1) * count * sizeof(JEntry));
	out->len += (object ? 2 : 1) * count * sizeof(JEntry);
	for (i = 0; object && i < count; i++)
	{
		const JsonNode *child = &node->u.children[i];

		appendBinaryStringInfo(out, child->key, child->key_len);
		if (!set_entry(out, entries, i, JENTRY_ISSTRING | child->key_len, &total))
			return false;
	}
	for (i = 0; i < count; i++)
	{
		JEntry		child;

		if (!write_value(out, &node->u.children[i], &child) ||
			!set_entry(out, entries, (object ? count : 0) + i, child, &total))
			return false;
	}
	if (out->len - start > JENTRY_OFFLENMASK)
		return false;
	*entry = JENTRY_ISCONTAINER | (out->len - start);
	return true;
}

Jsonb *
fhir_tree_to_jsonb(const JsonNode *root)
{
	StringInfoData out;
	JEntry		entry;

	Assert(root->kind == NODE_OBJECT);
	initStringInfo(&out);
	appendStringInfoSpaces(&out, VARHDRSZ);
	if (!write_container(&out, root, &entry))
		return NULL;
	SET_VARSIZE(out.data, out.len);
	return (Jsonb *) out.data;
}

/* -- a written tree's places -------------------------------------------- */

/* The tree and the container have the same children in the same order. */
static void
place_children(JsonNode *node, const char *root, const JsonbContainer *container)
{
	bool		object = JsonContainerIsObject(container);
	uint32		count = JsonContainerSize(container);
	uint32		entries = object ? count * 2 : count;
	const char *base = (const char *) &container->children[entries];
	uint32		offset = getJsonbOffset(container, object ? count : 0);

	node->at = (uint32_t) ((const char *) container - root);
	for (uint32 i = 0; i < count; i++)
	{
		JsonNode   *child = (JsonNode *) &node->u.children[i];
		JEntry		entry = container->children[entries - count + i];

		if (JBE_ISCONTAINER(entry))
			place_children(child, root, (const JsonbContainer *) (base + INTALIGN(offset)));
		else
			child->at = (uint32_t) (base + (JBE_ISNUMERIC(entry) ? INTALIGN(offset) : offset) - root);
		offset += entry_length(entry, offset);
	}
}

Jsonb *
fhir_tree_place(const JsonNode *root)
{
	MemoryContext caller = CurrentMemoryContext;
	Jsonb	   *volatile doc = NULL;

	PG_TRY();
	{
		doc = fhir_tree_to_jsonb(root);
	}
	PG_CATCH();
	{
		/* numeric's limits: the number is no fault of the document */
		if (geterrcode() != ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE)
			PG_RE_THROW();
		MemoryContextSwitchTo(caller);
		FlushErrorState();
	}
	PG_END_TRY();
	/* the nodes are the tree's own, which nobody else changes */
	if (doc != NULL)
		place_children((JsonNode *) root, (const char *) &doc->root, &doc->root);
	return doc;
}
