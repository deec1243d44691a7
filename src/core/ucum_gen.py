#!/usr/bin/env python3
"""Writes ucum_data.c: the units of ucum_units.tsv, each with its factor to the base units.

make units
"""
import os
import re
from fractions import Fraction

HERE = os.path.dirname(os.path.abspath(__file__))
BASE = ['m', 's', 'g', 'rad', 'K', 'C', 'cd']
PREFIXES = [('Y', 'yotta', 24), ('Z', 'zetta', 21), ('E', 'exa', 18), ('P', 'peta', 15), ('T', 'tera', 12), ('G', 'giga', 9), ('M', 'mega', 6),
			('k', 'kilo', 3), ('h', 'hecto', 2), ('da', 'deka', 1), ('d', 'deci', -1), ('c', 'centi', -2), ('m', 'milli', -3), ('u', 'micro', -6),
			('n', 'nano', -9), ('p', 'pico', -12), ('f', 'femto', -15), ('a', 'atto', -18), ('z', 'zepto', -21), ('y', 'yocto', -24)]
BINARY = [('Ki', 'kibi', 10), ('Mi', 'mebi', 20), ('Gi', 'gibi', 30), ('Ti', 'tebi', 40)]


class Unit:
	"""factor * pi^pi * base units ^ dimension; arbitrary: its code"""

	def __init__(self, factor=Fraction(1), pi=0, dimension=(0,) * 7, arbitrary=None):
		self.factor, self.pi, self.dimension, self.arbitrary = factor, pi, dimension, arbitrary

	def times(self, other, exponent):
		return Unit(self.factor * other.factor ** exponent, self.pi + other.pi * exponent,
					tuple(a + b * exponent for a, b in zip(self.dimension, other.dimension)), self.arbitrary or other.arbitrary)


rows = {}
for line in open(os.path.join(HERE, 'ucum_units.tsv')):
	if not line.startswith('#'):
		code, name, flags, value, unit = line.rstrip('\n').split('\t')
		assert code not in rows, code
		rows[code] = (name, flags, value, unit)
cache = {}


def atom(code):
	if code in cache:
		return cache[code]
	name, flags, value, unit = rows[code]
	if code in BASE:
		u = Unit(dimension=tuple(int(code == b) for b in BASE))
	elif value == 'pi':
		u = Unit(pi=1)
	else:
		u = Unit(Fraction(value)).times(term(unit), 1)
	if 'a' in flags and '=' not in flags:
		u.arbitrary = code
	cache[code] = u
	return u


def component(text):
	if text.isdigit():
		return Unit(Fraction(int(text)))
	symbol, exponent = re.fullmatch(r'(10[*^]|(?:\[[^]]*\]|[^0-9+[-])+)([+-]?\d+)?', text).groups()
	exponent = int(exponent or 1)
	if symbol in rows:
		return Unit().times(atom(symbol), exponent)
	for prefix, _, power in PREFIXES:
		rest = symbol[len(prefix):]
		if symbol.startswith(prefix) and rest in rows and 'm' in rows[rest][1].split('=')[0]:
			return Unit().times(Unit(Fraction(10) ** power), exponent).times(atom(rest), exponent)
	raise ValueError(text)


def term(text):
	u = Unit()
	for slash, part in re.findall(r'([./]?)((?:\[[^]]*\]|[^./[])+)', text):
		u = u.times(component(part), -1 if slash == '/' else 1)
	return u


def number(n):
	assert n < 10 ** 38
	return '{UINT64_C(%d), %d, 0, 0}' % (n & (2 ** 64 - 1), n >> 64)


def split(factor):
	"""num / den * 10^exponent without tens"""
	num, den, exponent = factor.numerator, factor.denominator, 0
	while num % 10 == 0:
		num, exponent = num // 10, exponent + 1
	while den % 10 == 0:
		den, exponent = den // 10, exponent - 1
	# fives and twos of the denominator are decimals
	for p, q in ((2, 5), (5, 2)):
		while den % p == 0:
			den, num, exponent = den // p, num * q, exponent - 1
	while num % 10 == 0:
		num, exponent = num // 10, exponent + 1
	return num, den, exponent


order = sorted(rows, key=lambda c: c.encode())
place = {code: i + 1 for i, code in enumerate(order)}
out = ['''/*
 * ucum_data.c
 *		The units of UCUM with their factors to the base units, sorted by code.
 *
 * Generated from ucum_units.tsv by ucum_gen.py (make units): do not edit.
 */
#include "ucum_data.h"

const UcumPrefix ucum_prefixes[] = {''']
for code, name, power in PREFIXES:
	out.append('\t{"%s", "%s", %d, 0},' % (code, name, power))
for code, name, power in BINARY:
	out.append('\t{"%s", "%s", 0, %d},' % (code, name, power))
out.append('''};

const int	ucum_nprefixes = %d;

const UcumAtom ucum_atoms[] = {''' % (len(PREFIXES) + len(BINARY)))
for code in order:
	name, flags, value, unit = rows[code]
	u = atom(code)
	num, den, exponent = split(u.factor)
	special = re.search(r's=(\w+)', flags)
	kind = flags.split('=')[0]
	out.append('\t{"%s", "%s", %s, %s, {%s, %s, %d, %d, true}, {%s}, %d},' % (
		code, name, 'true' if 'm' in kind else 'false', 'UCUM_' + special.group(1).upper() if special else 'UCUM_PROPER',
		number(num), number(den), exponent, u.pi, ', '.join(map(str, u.dimension)), place[u.arbitrary] if u.arbitrary else 0))
out.append('''};

const int	ucum_natoms = %d;''' % len(order))
with open(os.path.join(HERE, 'ucum_data.c'), 'w') as f:
	f.write('\n'.join(out) + '\n')
print(len(order), 'units')
