/*
 * jsonb_write.c
 *		Building binary jsonb containers: see jsonb_write.h.
 */
#include "jsonb_write.h"

size_t
jb_build_size(const JbPart *parts, size_t count)
{
	size_t		size = sizeof(JbContainer) + count * 2 * sizeof(uint32_t);

	for (size_t i = 0; i < count; i++)
		size += (size_t) parts[i].key_len + parts[i].value.len + 8;
	return size;
}

static int
compare_keys(const JbPart *a, const JbPart *b)
{
	if (a->key_len != b->key_len)
		return a->key_len < b->key_len ? -1 : 1;
	return memcmp(a->key, b->key, a->key_len);
}

/* Objects made by an expression have few keys: by insertion. */
static void
sort_parts(JbPart *parts, size_t count)
{
	for (size_t i = 1; i < count; i++)
	{
		JbPart		part = parts[i];
		size_t		at = i;

		while (at > 0 && compare_keys(&part, &parts[at - 1]) < 0)
		{
			parts[at] = parts[at - 1];
			at--;
		}
		parts[at] = part;
	}
}

/* Length of a datum, or at every 32nd place the offset of its end */
static uint32_t
entry_of(JbType type, size_t index, uint32_t len, uint32_t end)
{
	uint32_t	kind = (uint32_t) type << 28;

	return index % JB_STRIDE == 0 ? kind | end | JB_HAS_OFF : kind | len;
}

static uint32_t
write_value(const JbValue *value, char *data, uint32_t at)
{
	uint32_t	end = at;

	if (value->type == JB_T_NUMBER || value->type == JB_T_CONTAINER)
	{
		while (end % 4 != 0)
			data[end++] = 0;
	}
	if (value->type == JB_T_STRING || value->type == JB_T_NUMBER || value->type == JB_T_CONTAINER)
	{
		if (value->len > 0)
			memcpy(data + end, value->ptr, value->len);
		end += value->len;
	}
	return end;
}

size_t
jb_build(JbPart *parts, size_t count, bool object, void *buffer)
{
	JbContainer *c = buffer;
	size_t		entries = object ? count * 2 : count;
	char	   *data = (char *) (c->entries + entries);
	uint32_t	at = 0;

	c->header = (uint32_t) count | (object ? JB_OBJECT : JB_ARRAY);
	if (object)
	{
		sort_parts(parts, count);
		for (size_t i = 0; i < count; i++)
		{
			memcpy(data + at, parts[i].key, parts[i].key_len);
			at += parts[i].key_len;
			c->entries[i] = entry_of(JB_T_STRING, i, parts[i].key_len, at);
		}
	}
	for (size_t i = 0; i < count; i++)
	{
		size_t		index = object ? count + i : i;
		uint32_t	end = write_value(&parts[i].value, data, at);

		c->entries[index] = entry_of(parts[i].value.type, index, end - at, end);
		at = end;
	}
	return (size_t) (data - (char *) buffer) + at;
}

size_t
jb_build_numeric(const Decimal *d, void *buffer)
{
	unsigned char *out = buffer;
	size_t		size = 4 + decimal_to_numeric(d, out + 4);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	uint32_t	header = (uint32_t) size;
#else
	uint32_t	header = (uint32_t) size << 2;
#endif

	memcpy(out, &header, 4);
	return size;
}
