/*
 * fhirpath_compare.c
 *		= ~ and order of items and collections (N1, 6.1 and 6.2).
 */
#include "fhirpath_eval.h"

#include "fhir_primitive.h"
#include "fhirpath_text.h"

static int equal_json(FhirPathEval *ev, const JbValue *a, const JbValue *b, bool loose, int depth);

/* -- parts of documents ------------------------------------------------------ */

static int
equal_numbers(const char *a, uint32_t a_len, const char *b, uint32_t b_len, bool loose)
{
	FpItem		x = {.kind = FP_NODE, .json = JB_T_NUMBER, .len = a_len},
				y = {.kind = FP_NODE, .json = JB_T_NUMBER, .len = b_len};
	FpValue		u,
				v;
	Decimal		m,
				n;

	x.u.text = a;
	y.u.text = b;
	fp_value(&x, &u);
	fp_value(&y, &v);
	if (!fp_number_of(&u, &m) || !fp_number_of(&v, &n))
		return a_len == b_len && memcmp(a, b, a_len) == 0;
	return loose ? decimal_equivalent(&m, &n) : decimal_compare(&m, &n) == 0;
}

/* Arrays: in order; for ~ each element has a partner. */
static int
equal_arrays(FhirPathEval *ev, const JbContainer *a, const JbContainer *b, bool loose, int depth)
{
	uint32_t	count = jb_count(a);
	JbIter		it,
				other;
	JbValue		x,
				y;

	jb_iter_start(&it, a);
	jb_iter_start(&other, b);
	if (!loose)
	{
		while (jb_iter_next(&it, &x) && jb_iter_next(&other, &y))
		{
			int			same = equal_json(ev, &x, &y, false, depth + 1);

			if (same != 1)
				return same;
		}
		return 1;
	}
	{
		bool	   *taken = fp_alloc(ev, count + 1);

		if (taken == NULL)
			return FP_FAILED;
		memset(taken, 0, count + 1);
		while (jb_iter_next(&it, &x))
		{
			uint32_t	i;
			int			same = 0;

			jb_iter_start(&other, b);
			for (i = 0; jb_iter_next(&other, &y) && same == 0; i++)
			{
				if (taken[i])
					continue;
				same = equal_json(ev, &x, &y, true, depth + 1);
				if (same == 1)
					taken[i] = true;
			}
			if (same != 1)
				return same;
		}
	}
	return 1;
}

static int
equal_objects(FhirPathEval *ev, const JbContainer *a, const JbContainer *b, bool loose, int depth)
{
	uint32_t	count = jb_count(a);

	for (uint32_t i = 0; i < count; i++)
	{
		uint32_t	len,
					other_len;
		const char *key = jb_key(a, i, &len);
		const char *other = jb_key(b, i, &other_len);
		JbValue		x,
					y;
		int			same;

		if (len != other_len || memcmp(key, other, len) != 0)
			return 0;
		jb_value(a, count * 2, count + i, &x);
		jb_value(b, count * 2, count + i, &y);
		same = equal_json(ev, &x, &y, loose, depth + 1);
		if (same != 1)
			return same;
	}
	return 1;
}

static int
equal_json(FhirPathEval *ev, const JbValue *a, const JbValue *b, bool loose, int depth)
{
	const JbContainer *x = (const JbContainer *) a->ptr;
	const JbContainer *y = (const JbContainer *) b->ptr;

	if (!fp_step(ev))
		return FP_FAILED;
	if (depth > FHIRPATH_DOCUMENT_DEPTH)
	{
		(void) fp_fail_status(ev, CORE_TOO_DEEP);
		return FP_FAILED;
	}
	if (a->type != b->type)
		return 0;
	switch (a->type)
	{
		case JB_T_STRING:
			if (loose)
				return fp_text_equivalent(a->ptr, a->len, b->ptr, b->len);
			return a->len == b->len && memcmp(a->ptr, b->ptr, a->len) == 0;
		case JB_T_NUMBER:
			return equal_numbers(a->ptr, a->len, b->ptr, b->len, loose);
		case JB_T_CONTAINER:
			if (jb_is_object(x) != jb_is_object(y) || jb_count(x) != jb_count(y))
				return 0;
			return jb_is_object(x) ? equal_objects(ev, x, y, loose, depth) : equal_arrays(ev, x, y, loose, depth);
		default:
			return 1;
	}
}

static void
container_value(const JbContainer *c, uint32_t len, JbValue *value)
{
	value->type = JB_T_CONTAINER;
	value->ptr = (const char *) c;
	value->len = len;
}

/* Two items of which neither has a System value: objects, or primitives with nothing but extensions */
static int
equal_places(FhirPathEval *ev, const FpItem *a, const FpItem *b, bool loose)
{
	JbValue		x,
				y;

	if (a->kind == FP_TYPE || b->kind == FP_TYPE)
		return a->kind == b->kind && a->len == b->len && memcmp(a->u.text, b->u.text, a->len) == 0;
	if (a->kind != FP_NODE || b->kind != FP_NODE || a->json != b->json)
		return 0;
	if (a->json == JB_T_NULL)
	{
		if (loose)
			return 1;
		container_value(a->twin, 0, &x);
		container_value(b->twin, 0, &y);
	}
	else
	{
		if (a->u.text == b->u.text)
			return 1;
		x.type = (JbType) a->json;
		x.ptr = a->u.text;
		x.len = a->len;
		y.type = (JbType) b->json;
		y.ptr = b->u.text;
		y.len = b->len;
	}
	return equal_json(ev, &x, &y, loose, 0);
}

/* -- items ------------------------------------------------------------------ */

static bool
is_temporal(int kind)
{
	return kind == FP_DATE || kind == FP_DATETIME || kind == FP_TIME;
}

static bool
is_number(int kind)
{
	return kind == FP_INTEGER || kind == FP_LONG || kind == FP_DECIMAL;
}

static int
truth_of(CoreTruth truth)
{
	return truth == TRUTH_UNKNOWN ? FP_UNKNOWN : truth == TRUTH_TRUE;
}

/* Quantities, and numbers beside them */
static int
equal_quantities(FhirPathEval *ev, const FpValue *a, const FpValue *b, bool loose)
{
	FpQuantity	p,
				q;
	Decimal		m,
				n;

	if (!fp_quantity_of(a, &p) || !fp_quantity_of(b, &q))
		return 0;
	if (!fp_charge_units(ev, &p, &q))
		return FP_FAILED;
	if (!fp_quantity_convert(&p, &q, loose, &m, &n))
		return loose ? 0 : FP_UNKNOWN;
	return loose ? decimal_equivalent(&m, &n) : decimal_compare(&m, &n) == 0;
}

static int
equal_values(FhirPathEval *ev, const FpItem *a, const FpItem *b, bool loose)
{
	FpValue		u,
				v;

	fp_value(a, &u);
	fp_value(b, &v);
	if (u.kind < 0 || v.kind < 0)
		return u.kind == v.kind ? equal_places(ev, a, b, loose) : 0;
	if (u.kind == FP_STRING && v.kind == FP_STRING)
	{
		if (loose)
			return fp_text_equivalent(u.u.text, u.len, v.u.text, v.len);
		return u.len == v.len && memcmp(u.u.text, v.u.text, u.len) == 0;
	}
	if (u.kind == FP_BOOLEAN && v.kind == FP_BOOLEAN)
		return u.u.boolean == v.u.boolean;
	if (is_number(u.kind) && is_number(v.kind))
	{
		Decimal		m,
					n;

		if (u.kind != FP_DECIMAL && v.kind != FP_DECIMAL)
			return u.u.number == v.u.number;
		(void) fp_number_of(&u, &m);
		(void) fp_number_of(&v, &n);
		return loose ? decimal_equivalent(&m, &n) : decimal_compare(&m, &n) == 0;
	}
	if (is_temporal(u.kind) && is_temporal(v.kind))
		return loose ? temporal_equivalent(&u.u.temporal, &v.u.temporal) :
			truth_of(temporal_equal(&u.u.temporal, &v.u.temporal));
	if ((u.kind == FP_QUANTITY || v.kind == FP_QUANTITY) && !is_temporal(u.kind) && !is_temporal(v.kind))
		return equal_quantities(ev, &u, &v, loose);
	return 0;
}

/* Both texts: the common case, before anything is taken apart */
static inline bool
plain_text(const FpItem *item)
{
	return item->kind == FP_STRING ||
		(item->kind == FP_NODE && item->json == JB_T_STRING && (item->type == 0 || item->type == FHIR_STRING || item->type == FHIR_CODE || item->type == FHIR_URI));
}

int
fp_equal(FhirPathEval *ev, const FpItem *a, const FpItem *b)
{
	if (!fp_step(ev))
		return FP_FAILED;
	if (plain_text(a) && plain_text(b))
		return a->len == b->len && memcmp(a->u.text, b->u.text, a->len) == 0;
	return equal_values(ev, a, b, false);
}

int
fp_equivalent(FhirPathEval *ev, const FpItem *a, const FpItem *b)
{
	if (!fp_step(ev))
		return FP_FAILED;
	return equal_values(ev, a, b, true);
}

/* Whether two objects say the same at a key, or both nothing */
static bool
same_part(const FpItem *a, const FpItem *b, const char *key)
{
	JbValue		x,
				y;
	bool		has = fp_item_get(a, key, &x);

	if (has != fp_item_get(b, key, &y))
		return false;
	return !has || (x.type == y.type && x.len == y.len && memcmp(x.ptr, y.ptr, x.len) == 0);
}

/* The number that an object has at `value` */
static bool
own_number(const FpItem *item, Decimal *number)
{
	FpItem		x = {.kind = FP_NODE, .json = JB_T_NUMBER};
	FpValue		value;
	JbValue		found;

	if (!fp_item_get(item, "value", &found) || found.type != JB_T_NUMBER)
		return false;
	x.u.text = found.ptr;
	x.len = found.len;
	fp_value(&x, &value);
	return fp_number_of(&value, number);
}

/* Quantities in units of another system than UCUM compare where they are of the same unit. */
static CoreOrder
order_foreign(const FpItem *a, const FpItem *b)
{
	JbValue		part;
	Decimal		m,
				n;
	int			c;

	if (fp_item_get(a, "comparator", &part) || fp_item_get(b, "comparator", &part) || !fp_item_get(a, "code", &part) ||
		!same_part(a, b, "system") || !same_part(a, b, "code") || !own_number(a, &m) || !own_number(b, &n))
		return ORDER_UNKNOWN;
	c = decimal_compare(&m, &n);
	return c < 0 ? ORDER_LESS : c > 0 ? ORDER_GREATER : ORDER_EQUAL;
}

bool
fp_order(FhirPathEval *ev, const FpItem *a, const FpItem *b, CoreOrder *order)
{
	FpValue		u,
				v;
	int			c;

	fp_value(a, &u);
	fp_value(b, &v);
	*order = ORDER_UNKNOWN;
	if (u.kind == FP_V_NONE || v.kind == FP_V_NONE)
		return true;
	if (is_number(u.kind) && is_number(v.kind))
	{
		Decimal		m,
					n;

		if (u.kind != FP_DECIMAL && v.kind != FP_DECIMAL)
			c = u.u.number < v.u.number ? -1 : u.u.number > v.u.number;
		else
		{
			(void) fp_number_of(&u, &m);
			(void) fp_number_of(&v, &n);
			c = decimal_compare(&m, &n);
		}
	}
	else if (u.kind == FP_STRING && v.kind == FP_STRING)
	{
		c = memcmp(u.u.text, v.u.text, u.len < v.len ? u.len : v.len);
		if (c == 0)
			c = u.len < v.len ? -1 : u.len > v.len;
	}
	else if (is_temporal(u.kind) && is_temporal(v.kind) && (u.kind == FP_TIME) == (v.kind == FP_TIME))
	{
		*order = temporal_compare(&u.u.temporal, &v.u.temporal);
		return true;
	}
	else if ((u.kind == FP_QUANTITY || v.kind == FP_QUANTITY) && (u.kind == FP_QUANTITY || is_number(u.kind)) &&
			 (v.kind == FP_QUANTITY || is_number(v.kind)))
	{
		FpQuantity	p,
					q;
		Decimal		m,
					n;

		(void) fp_quantity_of(&u, &p);
		(void) fp_quantity_of(&v, &q);
		if (!fp_charge_units(ev, &p, &q))
			return false;
		if (!fp_quantity_convert(&p, &q, false, &m, &n))
			return true;
		c = decimal_compare(&m, &n);
	}
	else if (a->kind == FP_NODE && b->kind == FP_NODE && fp_is_quantity(a->type) && fp_is_quantity(b->type))
	{
		*order = order_foreign(a, b);
		return true;
	}
	else
		return fp_fail(ev, FHIRPATH_TYPE, "values of these types have no order");
	*order = c < 0 ? ORDER_LESS : c > 0 ? ORDER_GREATER : ORDER_EQUAL;
	return true;
}

/* -- collections ------------------------------------------------------------ */

int
fp_equal_lists(FhirPathEval *ev, const FpList *a, const FpList *b)
{
	bool		unknown = false;

	if (a->count == 0 || b->count == 0)
		return FP_UNKNOWN;
	if (a->count != b->count)
		return 0;
	for (size_t i = 0; i < a->count; i++)
	{
		int			same = fp_equal(ev, &a->items[i], &b->items[i]);

		if (same == 0 || same == FP_FAILED)
			return same;
		unknown = unknown || same == FP_UNKNOWN;
	}
	return unknown ? FP_UNKNOWN : 1;
}

int
fp_equivalent_lists(FhirPathEval *ev, const FpList *a, const FpList *b)
{
	bool	   *taken;

	if (a->count != b->count)
		return 0;
	taken = fp_alloc(ev, b->count + 1);
	if (taken == NULL)
		return FP_FAILED;
	memset(taken, 0, b->count + 1);
	for (size_t i = 0; i < a->count; i++)
	{
		size_t		j;

		for (j = 0; j < b->count; j++)
		{
			int			same;

			if (taken[j])
				continue;
			same = fp_equivalent(ev, &a->items[i], &b->items[j]);
			if (same == FP_FAILED)
				return same;
			if (same == 1)
				break;
		}
		if (j == b->count)
			return 0;
		taken[j] = true;
	}
	return 1;
}
