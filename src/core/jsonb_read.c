/*
 * jsonb_read.c
 *		Keys of jsonb objects and digits of numerics: see jsonb_read.h.
 */
#include "jsonb_read.h"

#include "bytes.h"

/*
 * Objects of resources are small and their keys sorted by length, so one walk
 * over the entries, which holds the offset at hand, beats a binary search that
 * must find each offset anew.  Large objects are searched by halves.
 */
#define LINEAR_LIMIT 48

static int
find_linear(const JbContainer *object, uint32_t count, const char *key, uint32_t len)
{
	const char *data = jb_data(object, count * 2);
	uint32_t	offset = 0;

	for (uint32_t i = 0; i < count; i++)
	{
		uint32_t	entry = object->entries[i];
		uint32_t	end = (entry & JB_HAS_OFF) ? (entry & JB_LEN_MASK) : offset + (entry & JB_LEN_MASK);
		uint32_t	own = end - offset;

		if (own >= len)
		{
			if (own > len)
				return -1;
			if (bytes_same(data + offset, key, len))
				return (int) i;
		}
		offset = end;
	}
	return -1;
}

int
jb_find(const JbContainer *object, const char *key, uint32_t len)
{
	uint32_t	count = jb_count(object);
	uint32_t	low = 0,
				high = count;

	if (count <= LINEAR_LIMIT)
		return find_linear(object, count, key, len);
	while (low < high)
	{
		uint32_t	mid = low + (high - low) / 2;
		uint32_t	own_len;
		const char *own = jb_key(object, mid, &own_len);
		int			c = own_len == len ? memcmp(own, key, len) : own_len < len ? -1 : 1;

		if (c == 0)
			return (int) mid;
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return -1;
}

bool
jb_get(const JbContainer *object, const char *key, uint32_t len, JbValue *value)
{
	int			place = jb_find(object, key, len);
	uint32_t	count = jb_count(object);

	if (place < 0)
		return false;
	jb_value(object, count * 2, count + (uint32_t) place, value);
	return true;
}

void
jb_root(const JbContainer *root, uint32_t len, JbValue *value)
{
	if ((root->header & JB_SCALAR) != 0)
	{
		jb_value(root, 1, 0, value);
		return;
	}
	value->type = JB_T_CONTAINER;
	value->ptr = (const char *) root;
	value->len = len;
}

/* -- numbers -------------------------------------------------------------- */

#define NUM_SIGN_MASK	0xC000
#define NUM_NEGATIVE	0x4000
#define NUM_SHORT		0x8000
#define NUM_SPECIAL		0xC000

/* Size of a varlena's header and of the whole: a short one has its mark in the byte that comes first. */
static void
varlena_size(const char *p, size_t *header, size_t *size)
{
	uint32_t	word;

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	if ((p[0] & 0x80) != 0)
	{
		*header = 1;
		*size = (unsigned char) p[0] & 0x7F;
		return;
	}
	memcpy(&word, p, 4);
	*size = word & 0x3FFFFFFF;
#else
	if ((p[0] & 1) != 0)
	{
		*header = 1;
		*size = ((unsigned char) p[0] >> 1) & 0x7F;
		return;
	}
	memcpy(&word, p, 4);
	*size = word >> 2;
#endif
	*header = 4;
}

bool
jb_numeric_fits(const char *numeric, size_t len)
{
	size_t		header,
				size;
	uint16_t	word;

	if (len < 4)
		return false;
	varlena_size(numeric, &header, &size);
	if (size > len || size < header + 2)
		return false;
	/* a header of its own: two bytes, or four */
	memcpy(&word, numeric + header, 2);
	return (word & NUM_SHORT) != 0 || size >= header + 4;
}

void
jb_number(const char *numeric, JbNumber *number)
{
	size_t		header,
				size;
	uint16_t	word;

	varlena_size(numeric, &header, &size);
	memcpy(&word, numeric + header, 2);
	number->kind = JB_NUMBER_FINITE;
	if ((word & NUM_SIGN_MASK) == NUM_SPECIAL)
	{
		number->kind = JB_NUMBER_NAN;
		number->count = number->weight = number->scale = 0;
		number->negative = false;
		number->digits = numeric;
		return;
	}
	if ((word & NUM_SHORT) != 0)
	{
		number->negative = (word & 0x2000) != 0;
		number->scale = (word & 0x1F80) >> 7;
		number->weight = (word & 0x0040) ? (int) (word & 0x003F) - 64 : (int) (word & 0x003F);
		header += 2;
	}
	else
	{
		int16_t		weight;

		memcpy(&weight, numeric + header + 2, 2);
		number->negative = (word & NUM_SIGN_MASK) == NUM_NEGATIVE;
		number->scale = word & 0x3FFF;
		number->weight = weight;
		header += 4;
	}
	number->digits = numeric + header;
	number->count = (int) ((size - header) / 2);
}

bool
jb_number_int64(const JbNumber *number, int64_t *result)
{
	int64_t		value = 0;

	if (number->kind != JB_NUMBER_FINITE || number->scale != 0 || number->weight > 3)
		return false;
	for (int i = 0; i <= number->weight; i++)
		value = value * 10000 + jb_number_digit(number, i);
	*result = number->negative ? -value : value;
	return value < INT64_C(100000000000000000);
}

size_t
jb_number_text_size(const JbNumber *number)
{
	return 8 + 4 * (size_t) (number->weight > 0 ? number->weight : 0) + (size_t) number->scale + 8;
}

size_t
jb_number_text(const JbNumber *number, char *buffer)
{
	char	   *at = buffer;
	int			place = 0;

	if (number->kind != JB_NUMBER_FINITE)
	{
		memcpy(buffer, "NaN", 3);
		return 3;
	}
	if (number->negative)
		*at++ = '-';
	if (number->weight < 0)
		*at++ = '0';
	else
	{
		for (; place <= number->weight; place++)
		{
			int			digit = jb_number_digit(number, place);
			bool		started = place > 0;

			for (int unit = 1000; unit > 0; unit /= 10)
			{
				int			d = digit / unit % 10;

				if (d != 0 || started || unit == 1)
				{
					*at++ = (char) ('0' + d);
					started = true;
				}
			}
		}
	}
	if (number->scale > 0)
	{
		int			written = 0;

		*at++ = '.';
		for (place = 0; written < number->scale; place++)
		{
			int			digit = jb_number_digit(number, number->weight + 1 + place);

			for (int unit = 1000; unit > 0 && written < number->scale; unit /= 10, written++)
				*at++ = (char) ('0' + digit / unit % 10);
		}
	}
	return (size_t) (at - buffer);
}
