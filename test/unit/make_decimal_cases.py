#!/usr/bin/env python3
"""Writes decimal_cases.tsv: operation, operands, result.

The oracle for test_decimal: Python's fractions for what is exact, its decimal module with 80 digits for roots,
logarithms and powers. Nothing is shared with the C code but the rounding rules that decimal.h states.
"""
import os
import random
from decimal import Decimal, getcontext, localcontext, ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_FLOOR, ROUND_CEILING, ROUND_DOWN
from fractions import Fraction

getcontext().prec = 120
random.seed(38)
DIGITS, QUOTIENT = 38, 34
INVALID, LARGE = 'invalid', 'large'


def plain(d):
	return format(d.copy_abs() if d == 0 else d, 'f')


def scale(d):
	return max(0, -d.as_tuple().exponent)


def strip(d):
	d = d.normalize()
	return d.quantize(Decimal(1)) if d.as_tuple().exponent > 0 else d


def at(value, places, mode=ROUND_HALF_EVEN):
	"""A fraction at so many decimals."""
	scaled = value * 10 ** places
	whole, rest = divmod(abs(scaled.numerator), scaled.denominator)
	twice = 2 * rest - scaled.denominator
	if mode == ROUND_HALF_EVEN and (twice > 0 or (twice == 0 and whole % 2)) or mode == ROUND_HALF_UP and rest and twice >= 0:
		whole += 1
	if mode == ROUND_FLOOR and value < 0 and rest or mode == ROUND_CEILING and value > 0 and rest:
		whole += 1
	return Decimal(whole if value >= 0 else -whole).scaleb(-places)


def digits_of(d):
	return len(str(abs(int(d.scaleb(scale(d))))))


def fit(value, places, digits=DIGITS):
	"""To at most so many significant digits, digits before the point are kept or refused."""
	places = min(places, DIGITS)
	while True:
		d = at(value, places)
		if abs(int(d.scaleb(places))) < 10 ** digits or places == 0:
			break
		places -= 1
	return plain(d) if abs(int(d.scaleb(places))) < 10 ** DIGITS else LARGE


def divide(a, b):
	if b == 0:
		return INVALID
	value = Fraction(a) / Fraction(b)
	for places in range(max(0, scale(a) - scale(b)), DIGITS + 1):
		scaled = value * 10 ** places
		if scaled.denominator == 1:
			if abs(scaled.numerator) < 10 ** DIGITS:
				return plain(Decimal(scaled.numerator).scaleb(-places))
			break
	return fit(value, DIGITS, QUOTIENT)


def rounded(d):
	"""What a function of 80 good digits gives."""
	text = fit(Fraction(d), DIGITS, QUOTIENT)
	return text if text == LARGE else plain(strip(Decimal(text)))


def power(a, b):
	if b == 0:
		return '1'
	if a == 0:
		return INVALID if b < 0 else '0'
	whole = b == b.to_integral_value()
	if a < 0 and not whole:
		return INVALID
	if whole and abs(b) <= 400:
		exact = Fraction(a) ** int(b)
		positive = Fraction(a) ** abs(int(b))
		for places in range(DIGITS + 1):
			if (positive * 10 ** places).denominator == 1:
				if abs(positive * 10 ** places) < 10 ** DIGITS:
					if b > 0:
						return plain(Decimal(int(positive * 10 ** places)).scaleb(-places))
					return divide(Decimal(1), Decimal(int(positive * 10 ** places)).scaleb(-places))
				break
		return rounded_fraction(exact)
	y = b * abs(a).ln()
	if y > 90:
		return LARGE
	d = y.exp() if y > -100 else Decimal(0)
	return rounded(-d if a < 0 and int(b) % 2 else d)


def rounded_fraction(value):
	text = fit(value, DIGITS, QUOTIENT)
	return text if text == LARGE else plain(strip(Decimal(text)))


def boundary(d, precision, low):
	if not 0 <= precision <= 31:
		return INVALID
	half = Fraction(1, 2 * 10 ** scale(d))
	r = at(Fraction(d) + (-half if low else half), precision, ROUND_FLOOR if low else ROUND_CEILING)
	return plain(r) if abs(int(r.scaleb(precision))) < 10 ** DIGITS else LARGE


def equivalent(a, b):
	a, b = strip(a), strip(b)
	places = min(scale(a), scale(b))
	return str(int(at(Fraction(a), places, ROUND_HALF_UP) == at(Fraction(b), places, ROUND_HALF_UP)))


def number(most=DIGITS):
	n = random.choice([1, 1, 2, 3, 5, 8, 17, 18, 19, 20, 30, most, random.randint(1, most)])
	n = min(n, most)
	kind = random.random()
	text = ''.join(random.choice('0123456789') for _ in range(n))
	if kind < 0.2:
		text = '9' * n
	elif kind < 0.4:
		text = random.choice('123456789') + '0' * (n - 1)
	places = random.choice([0, 0, 1, 2, random.randint(0, most)])
	return Decimal(random.choice(['', '-']) + text).scaleb(-min(places, DIGITS))


def trunc(value):
	return abs(value.numerator) // value.denominator * (1 if value >= 0 else -1)


OPS = {
	'add': lambda a, b: fit(Fraction(a) + Fraction(b), max(scale(a), scale(b))),
	'sub': lambda a, b: fit(Fraction(a) - Fraction(b), max(scale(a), scale(b))),
	'mul': lambda a, b: fit(Fraction(a) * Fraction(b), scale(a) + scale(b)),
	'div': divide,
	'whole': lambda a, b: INVALID if b == 0 else fit(Fraction(trunc(Fraction(a) / Fraction(b))), 0),
	'compare': lambda a, b: str((a > b) - (a < b)),
	'equivalent': equivalent,
}


def mod(a, b):
	if b == 0:
		return INVALID
	r = Fraction(a) - Fraction(b) * trunc(Fraction(a) / Fraction(b))
	places = max(scale(a), scale(b))
	return plain(at(r, places)) if abs(r * 10 ** places) < 10 ** DIGITS else LARGE


OPS['mod'] = mod

rows = []


def add(op, a, b, want):
	rows.append('\t'.join((op, plain(a) if isinstance(a, Decimal) else a, plain(b) if isinstance(b, Decimal) else str(b), want)))


for op, f in OPS.items():
	for _ in range(350):
		a, b = number(), number()
		if random.random() < 0.3:
			b = number(4)
		if random.random() < 0.1:
			b = a + number(3)
			if scale(b) > DIGITS or digits_of(b) > DIGITS:
				continue
		add(op, a, b, f(a, b))
for a, b in (('99.27', '3'), ('7.315', '0.7'), ('1.2', '1.8'), ('10.50', '2'), ('4.0', '2.0'), ('1', '3'), ('2', '3'), ('0', '5')):
	add('div', Decimal(a), Decimal(b), divide(Decimal(a), Decimal(b)))
for _ in range(300):
	d, n = number(), random.randint(-1, 12)
	add('round', d, n, INVALID if n < 0 else plain(at(Fraction(d), n, ROUND_HALF_UP)) if n < scale(d) else plain(d))
	for name, mode in (('ceiling', ROUND_CEILING), ('floor', ROUND_FLOOR), ('truncate', ROUND_DOWN)):
		add(name, d, 0, plain(at(Fraction(d), 0, mode)))
	add('strip', d, 0, plain(strip(d)))
	for name, low in (('low', True), ('high', False)):
		precision = random.choice([-1, 0, 1, 2, 6, 8, 31, 32, scale(d)])
		add(name, d, precision, boundary(d, precision, low))
for _ in range(250):
	d = number()
	add('sqrt', d, 0, INVALID if d < 0 else rounded(d.sqrt()))
	add('ln', d, 0, INVALID if d <= 0 else rounded(d.ln()))
	e = number(12)
	add('exp', e, 0, LARGE if e > 90 else rounded(e.exp()) if e > -100 else '0')
	base = number(3)
	add('log', d, base, INVALID if d <= 0 or base <= 0 or base == 1 else rounded(d.ln() / base.ln()))
	a, b = number(random.choice([2, 6, 20])), number(random.choice([1, 2, 3]))
	add('power', a, b, power(a, b))
for n in range(1, 30):
	add('sqrt', Decimal(n * n), 0, str(n))
	add('log', Decimal(3 ** n), Decimal(3), str(n))
	add('power', Decimal(n * n), Decimal('0.5'), str(n))
	add('ln', 1 - Decimal(10) ** -n, 0, rounded((1 - Decimal(10) ** -n).ln()))
for text, want in (('1', '1'), ('+1.50', '1.50'), ('-0', '0'), ('-0.00', '0.00'), ('1e3', '1000'), ('1.5E-3', '0.0015'), ('12.50e1', '125.0'),
				   ('1e38', LARGE), ('9' * 38, '9' * 38), ('9' * 39, LARGE), ('1' + '0' * 40 + 'e-10', '1' + '0' * 30 + '.' + '0' * 7),
				   ('0.' + '0' * 37 + '1', '0.' + '0' * 37 + '1'), ('1e-39', LARGE), ('10e-39', '0.' + '0' * 37 + '1'), ('0e999999999999', '0'),
				   ('1e999999999999', LARGE), ('1e-999999999999', LARGE), ('', INVALID), ('-', INVALID), ('.5', INVALID), ('5.', INVALID),
				   ('1e', INVALID), ('1e+', INVALID), ('1 ', INVALID), ('NaN', INVALID), ('0x10', INVALID), ('1.2.3', INVALID),
				   ('9' * 50 + 'x', INVALID), ('1.' + '0' * 60, '1.' + '0' * 37), ('000000000000000000000000000000000000000000001.5', '1.5')):
	add('parse', text, '0', want)

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'decimal_cases.tsv'), 'w') as f:
	f.write('\n'.join(rows) + '\n')
print(len(rows))
