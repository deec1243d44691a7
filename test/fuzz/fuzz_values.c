/*
 * libFuzzer target: decimals, dates and times, units and regular expressions from any bytes.
 *
 * The first byte chooses a part, a zero byte parts operands. Beside what the sanitizers see, laws must hold:
 * what is printed reads back the same, comparison is antisymmetric, nothing leaves its limits.
 */
#include <stdlib.h>
#include <string.h>

#include "decimal.h"
#include "regex_utf.h"
#include "temporal.h"
#include "ucum.h"

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(law)	do { if (!(law)) abort(); } while (0)

typedef struct Operands
{
	const char *text[3];
	size_t		len[3];
} Operands;

static void *
fuzz_alloc(void *arg, size_t size)
{
	(void) arg;
	return malloc(size);
}

static void
fuzz_free(void *arg, void *ptr)
{
	(void) arg;
	free(ptr);
}

static const CoreContext cx = {fuzz_alloc, fuzz_free, NULL, NULL, 100};

static void
check_decimal(const Decimal *d)
{
	char		text[DECIMAL_PRINT_SIZE];
	unsigned char payload[DECIMAL_NUMERIC_SIZE];
	size_t		len = decimal_print(d, text);
	Decimal		again;

	REQUIRE(len < DECIMAL_PRINT_SIZE && d->scale >= 0 && d->scale <= DECIMAL_DIGITS && d->unused == 0);
	REQUIRE(decimal_parse(text, len, &again) == CORE_OK && memcmp(d, &again, sizeof(again)) == 0);
	len = decimal_to_numeric(d, payload);
	REQUIRE(decimal_from_numeric(payload, len, &again) == CORE_OK && memcmp(d, &again, sizeof(again)) == 0);
}

static void
fuzz_decimal(const Operands *o)
{
	static CoreStatus (*const binary[]) (const Decimal *, const Decimal *, Decimal *) = {
		decimal_add, decimal_sub, decimal_mul, decimal_div, decimal_div_whole, decimal_mod, decimal_power, decimal_log
	};
	static CoreStatus (*const unary[]) (const Decimal *, Decimal *) = {decimal_sqrt, decimal_ln, decimal_exp};
	static Decimal (*const simple[]) (const Decimal *) = {
		decimal_strip, decimal_negate, decimal_abs, decimal_ceiling, decimal_floor, decimal_truncate
	};
	Decimal		a,
				b,
				r;
	int64_t		n;

	if (decimal_from_numeric(o->text[0], o->len[0], &r) == CORE_OK)
		check_decimal(&r);
	if (decimal_parse(o->text[0], o->len[0], &a) != CORE_OK)
		return;
	check_decimal(&a);
	(void) decimal_to_double(&a);
	(void) decimal_to_int64(&a, &n);
	for (size_t i = 0; i < sizeof(unary) / sizeof(unary[0]); i++)
	{
		if (unary[i] (&a, &r) == CORE_OK)
			check_decimal(&r);
	}
	for (size_t i = 0; i < sizeof(simple) / sizeof(simple[0]); i++)
	{
		r = simple[i] (&a);
		check_decimal(&r);
	}
	for (int digits = -1; digits < 40; digits++)
	{
		if (decimal_round(&a, digits, &r) == CORE_OK)
			check_decimal(&r);
		if (decimal_low_boundary(&a, digits, &r) == CORE_OK)
			REQUIRE(decimal_compare(&r, &a) <= 0);
		if (decimal_high_boundary(&a, digits, &r) == CORE_OK)
			REQUIRE(decimal_compare(&r, &a) >= 0);
	}
	if (decimal_parse(o->text[1], o->len[1], &b) != CORE_OK)
		return;
	REQUIRE(decimal_compare(&a, &b) == -decimal_compare(&b, &a));
	REQUIRE(decimal_equivalent(&a, &b) == decimal_equivalent(&b, &a));
	REQUIRE(decimal_compare(&a, &b) != 0 || decimal_equivalent(&a, &b));
	for (size_t i = 0; i < sizeof(binary) / sizeof(binary[0]); i++)
	{
		if (binary[i] (&a, &b, &r) == CORE_OK)
			check_decimal(&r);
	}
}

static void
check_temporal(const Temporal *t)
{
	char		text[TEMPORAL_PRINT_SIZE];
	size_t		len = temporal_print(t, true, text);
	Temporal	again;
	int64_t		first,
				behind;

	REQUIRE(len < TEMPORAL_PRINT_SIZE);
	REQUIRE(temporal_parse((TemporalKind) t->kind, text, len, &again) == CORE_OK);
	REQUIRE(temporal_compare(t, &again) == ORDER_EQUAL);
	temporal_interval(t, 0, &first, &behind);
	REQUIRE(first < behind);
}

static void
fuzz_temporal(const Operands *o)
{
	for (int kind = TEMPORAL_DATE; kind <= TEMPORAL_TIME; kind++)
	{
		Temporal	a,
					b,
					r;
		Decimal		amount;
		int64_t		n;
		CoreOrder	order;

		if (temporal_parse((TemporalKind) kind, o->text[0], o->len[0], &a) != CORE_OK)
			continue;
		check_temporal(&a);
		for (int precision = 0; precision < 19; precision++)
		{
			if (temporal_low_boundary(&a, precision, &r) == CORE_OK)
				check_temporal(&r);
			if (temporal_high_boundary(&a, precision, &r) == CORE_OK)
				check_temporal(&r);
		}
		if (temporal_to_date(&a, &r))
			check_temporal(&r);
		if (temporal_to_time(&a, &r))
			check_temporal(&r);
		for (int unit = CALENDAR_YEAR; unit <= CALENDAR_MILLISECOND; unit++)
		{
			if (decimal_parse(o->text[1], o->len[1], &amount) == CORE_OK &&
				temporal_add(&a, &amount, (CalendarUnit) unit, &r) == CORE_OK)
				check_temporal(&r);
		}
		if (temporal_parse(TEMPORAL_DATETIME, o->text[1], o->len[1], &b) != CORE_OK &&
			temporal_parse(TEMPORAL_TIME, o->text[1], o->len[1], &b) != CORE_OK)
			continue;
		order = temporal_compare(&a, &b);
		REQUIRE(temporal_compare(&b, &a) == (order == ORDER_UNKNOWN ? ORDER_UNKNOWN : (CoreOrder) -order));
		for (int unit = CALENDAR_NONE; unit <= CALENDAR_MILLISECOND; unit++)
		{
			(void) temporal_duration(&a, &b, (CalendarUnit) unit, &n);
			(void) temporal_difference(&a, &b, (CalendarUnit) unit, &n);
		}
	}
}

static void
fuzz_ucum(const Operands *o)
{
	UcumUnit	a,
				b;
	Decimal		value,
				result;
	char		out[UCUM_TERM_MAX + 1];
	size_t		len;
	int			order,
				back;

	if (ucum_parse(o->text[0], o->len[0], &a, &len) != CORE_OK)
	{
		REQUIRE(len <= o->len[0]);
		return;
	}
	if (ucum_print_canonical(&a, out, &len) == CORE_OK && ucum_parse(out, len, &b, NULL) == CORE_OK)
		REQUIRE(ucum_commensurable(&a, &b));
	if (ucum_parse(o->text[1], o->len[1], &b, NULL) != CORE_OK)
		return;
	if (ucum_multiply(o->text[0], o->len[0], o->text[1], o->len[1], out, &len) == CORE_OK)
		REQUIRE(len <= UCUM_TERM_MAX && out[len] == '\0');
	if (ucum_divide(o->text[0], o->len[0], o->text[1], o->len[1], out, &len) == CORE_OK)
		REQUIRE(len <= UCUM_TERM_MAX && out[len] == '\0');
	if (decimal_parse(o->text[2], o->len[2], &value) != CORE_OK || !ucum_commensurable(&a, &b))
		return;
	if (ucum_convert(&value, &a, &b, &result, NULL) == CORE_OK)
		check_decimal(&result);
	if (ucum_compare(&value, &a, &value, &b, &order) == CORE_OK && ucum_compare(&value, &b, &value, &a, &back) == CORE_OK)
		REQUIRE(order == -back);
	(void) ucum_compare_size(&a, &b);
}

static void
fuzz_regex(const Operands *o)
{
	Regex	   *r;
	char		message[200];
	size_t		position,
				len;
	bool		part,
				whole;
	char	   *out;

	if (regex_compile(&cx, o->text[0], o->len[0], "i", o->len[2] & 1, &r, &position, message, sizeof(message)) != CORE_OK)
	{
		REQUIRE(position <= o->len[0]);
		return;
	}
	(void) regex_matches(r, o->text[1], o->len[1], &part);
	(void) regex_matches_full(r, o->text[1], o->len[1], &whole);
	if (regex_replace(r, o->text[1], o->len[1], o->text[2], o->len[2], 100000, &out, &len) == CORE_OK)
	{
		REQUIRE(len <= 100000 && out[len] == '\0');
		free(out);
	}
	regex_free(r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const parts[]) (const Operands *) = {fuzz_decimal, fuzz_temporal, fuzz_ucum, fuzz_regex};
	Operands	o;
	char	   *copy[3];
	size_t		at = 1;

	if (size == 0)
		return 0;
	/* each operand in a block of its own, so that a step beyond its end is seen */
	for (int i = 0; i < 3; i++)
	{
		const uint8_t *zero = at < size && i < 2 ? memchr(data + at, 0, size - at) : NULL;
		size_t		len = at >= size ? 0 : zero != NULL ? (size_t) (zero - data) - at : size - at;

		copy[i] = malloc(len > 0 ? len : 1);
		if (len > 0)
			memcpy(copy[i], data + at, len);
		o.text[i] = copy[i];
		o.len[i] = len;
		at += len + 1;
	}
	parts[data[0] % (sizeof(parts) / sizeof(parts[0]))] (&o);
	for (int i = 0; i < 3; i++)
		free(copy[i]);
	return 0;
}
