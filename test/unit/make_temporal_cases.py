#!/usr/bin/env python3
"""Writes temporal_cases.tsv: operation, kind, operands, result.

The oracle for test_temporal: Python's datetime and calendar, fractions for amounts. A value is a tuple of its parts;
nothing is shared with the C code.
"""
import calendar
import os
import random
from datetime import datetime, timedelta
from fractions import Fraction

random.seed(61)
UNITS = ['year', 'month', 'week', 'day', 'hour', 'minute', 'second', 'millisecond']
SECONDS = {'week': 604800, 'day': 86400, 'hour': 3600, 'minute': 60, 'second': 1}
LENGTHS = {1: 365 * 86400, 2: 30 * 86400, 3: 86400, 4: 3600, 5: 60, 6: 1}


class Value:
	"""parts: year, month, day, hour, minute, second as far as known; fraction: digits as text; zone: minutes or None"""

	def __init__(self, kind, parts, fraction='', zone=None):
		self.kind, self.parts, self.fraction, self.zone = kind, list(parts), fraction, zone

	def precision(self):
		return len(self.parts) + (3 if self.kind == 'time' else 0)

	def text(self):
		p = self.parts
		date, time = ([], p) if self.kind == 'time' else (p[:3], p[3:])
		text = '-'.join(f'{x:04}' if i == 0 else f'{x:02}' for i, x in enumerate(date))
		if time:
			text += ('' if self.kind == 'time' else 'T') + ':'.join(f'{x:02}' for x in time)
			text += '.' + self.fraction if self.fraction else ''
		if self.zone is not None:
			text += 'Z' if self.zone == 0 else f"{'-' if self.zone < 0 else '+'}{abs(self.zone) // 60:02}:{abs(self.zone) % 60:02}"
		return text

	def full(self):
		p = self.parts if self.kind != 'time' else [2000, 1, 1] + self.parts
		return datetime(*(p + [1, 1, 1, 0, 0, 0][len(p):]))

	def span(self):
		"""First instant and the length, in seconds; in UTC where the zone is known"""
		start = self.full()
		zone = self.zone or 0
		first = Fraction((start - datetime(1, 1, 1)) // timedelta(seconds=1) - zone * 60)
		if self.fraction:
			first += Fraction(int(self.fraction), 10 ** len(self.fraction))
		length = {1: lambda: (366 if calendar.isleap(start.year) else 365) * 86400,
				  2: lambda: calendar.monthrange(start.year, start.month)[1] * 86400,
				  3: lambda: 86400, 4: lambda: 3600, 5: lambda: 60, 6: lambda: 0}[self.precision()]()
		return first, length


def value(kind=None):
	kind = kind or random.choice(['date', 'datetime', 'datetime', 'time'])
	year = random.choice([2015, 2016, 2016, 2018, random.randint(1, 9999)])
	month = random.randint(1, 12)
	day = random.choice([1, 28, random.randint(1, calendar.monthrange(year, month)[1]), calendar.monthrange(year, month)[1]])
	clock = [random.choice([0, 23, random.randint(0, 23)]), random.choice([0, 59, random.randint(0, 59)]), random.choice([0, 59, random.randint(0, 59)])]
	if kind == 'date':
		return Value(kind, [year, month, day][:random.randint(1, 3)])
	if kind == 'time':
		parts = clock[:random.randint(1, 3)]
	else:
		parts = ([year, month, day] + clock)[:random.choice([1, 2, 3, 4, 5, 6, 6, 6])]
	v = Value(kind, parts)
	if v.precision() == 6 and random.random() < 0.5:
		v.fraction = random.choice(['0', '5', '12', '123', '000', '999', '1234', '000000001'])
	if kind == 'datetime' and v.precision() >= 4 and random.random() < 0.6:
		v.zone = random.choice([0, 60, 420, -300, 330, -570, 840, -720])
	return v


def trunc(x):
	return abs(x.numerator) // x.denominator * (1 if x >= 0 else -1)


def shift_months(v, n):
	total = (v.parts[0] - 1) * 12 + (v.parts[1] - 1 if len(v.parts) > 1 else 0) + n
	if not 0 <= total < 9999 * 12:
		return 'large'
	year, month = total // 12 + 1, total % 12 + 1
	parts = [year, month] + v.parts[2:]
	if len(parts) > 2:
		parts[2] = min(parts[2], calendar.monthrange(year, month)[1])
	return Value(v.kind, parts[:len(v.parts)], v.fraction, v.zone).text()


def add(v, amount, unit):
	amount = Fraction(amount)
	if v.kind == 'time' and unit in UNITS[:4]:
		return 'invalid'
	if unit not in ('second', 'millisecond'):
		amount = Fraction(trunc(amount))
	p = v.precision()
	if unit == 'year':
		return shift_months(v, int(amount) * 12)
	if unit == 'month':
		return shift_months(v, trunc(amount / 12) * 12 if p == 1 else int(amount))
	seconds = amount / 1000 if unit == 'millisecond' else amount * SECONDS[unit]
	if p < 6:
		steps = trunc(Fraction(trunc(seconds)) / LENGTHS[p])
		if p == 1:
			return shift_months(v, steps * 12)
		if p == 2:
			return shift_months(v, steps)
		seconds = Fraction(steps * LENGTHS[p])
	fraction = Fraction(int(v.fraction or 0), 10 ** len(v.fraction))
	exact = fraction + Fraction(trunc(seconds)) + Fraction(trunc((seconds - trunc(seconds)) * 10 ** 9), 10 ** 9)
	whole = exact.numerator // exact.denominator
	try:
		d = v.full() + timedelta(seconds=whole % 86400 if v.kind == 'time' else whole)
	except OverflowError:
		return 'large'
	nano = f'{int((exact - whole) * 10 ** 9):09}'
	needed = len(nano.rstrip('0'))
	digits = len(v.fraction) if needed <= len(v.fraction) else max(needed, 3)
	parts = [d.year, d.month, d.day, d.hour, d.minute, d.second]
	parts = parts[3:][:len(v.parts)] if v.kind == 'time' else parts[:len(v.parts)]
	return Value(v.kind, parts, nano[:digits] if p == 6 else '', v.zone).text()


def compare(a, b):
	if (a.kind == 'time') != (b.kind == 'time'):
		return '?'
	(f, n), (g, m) = a.span(), b.span()
	l, o = f + n, g + m
	mixed = (a.zone is None) != (b.zone is None)
	if mixed and a.zone is None:
		f, l = f - 14 * 3600, l + 12 * 3600
	if mixed and b.zone is None:
		g, o = g - 14 * 3600, o + 12 * 3600
	before = lambda end, length, start: end < start or (end == start and length > 0)
	if before(l, n, g):
		return '<'
	if before(o, m, f):
		return '>'
	return '=' if not mixed and (f, n) == (g, m) else '?'


DIGITS = {'date': {4: 1, 6: 2, 8: 3, 0: 3}, 'datetime': {4: 1, 6: 2, 8: 3, 10: 4, 12: 5, 14: 6, 17: 7, 0: 7}, 'time': {2: 4, 4: 5, 6: 6, 9: 7, 0: 7}}


def boundary(v, digits, high):
	if digits not in DIGITS[v.kind]:
		return 'invalid'
	p = DIGITS[v.kind][digits]
	parts = ([0, 0, 0] if v.kind == 'time' else []) + v.parts
	while len(parts) < min(p, 6):
		n = len(parts)
		parts.append([0, 12, calendar.monthrange(parts[0], parts[1])[1] if n == 2 else 0, 23, 59, 59][n] if high else [0, 1, 1, 0, 0, 0][n])
	parts = parts[:min(p, 6)]
	fraction = (v.fraction + ('999' if high else '000'))[:3] if p == 7 else ''
	zone = v.zone if p >= 4 else None
	if v.kind == 'datetime' and p >= 4 and zone is None:
		zone = -720 if high else 840
	return Value(v.kind, parts[3:] if v.kind == 'time' else parts, fraction, zone).text()


rows = []
for _ in range(2500):
	v, unit = value(), random.choice(UNITS)
	amount = random.choice(['1', '-1', '7', '7.7', '-12', '12', '29', '30', '364', '365', '-365', '366', '24', '47', '59', '60', '1.5', '-1.5', '0', '0.1', '0.0005',
							'100000', '-100000', '999999999', str(random.randint(-5000, 5000)), f'{random.uniform(-99, 99):.3f}'])
	rows.append(('add', v.kind, v.text(), amount, unit, add(v, amount, unit)))
for _ in range(3000):
	a, b = value(), value()
	if random.random() < 0.5 and a.kind != 'time':
		b = Value('datetime', a.parts, a.fraction, random.choice([a.zone, None, 0, 60]) if len(a.parts) > 3 else None)
		b.parts = b.parts[:random.randint(1, len(b.parts))]
		if len(b.parts) < 6:
			b.fraction = ''
		if len(b.parts) < 4:
			b.zone = None
		if len(b.parts) == 6 and random.random() < 0.3:
			b.parts[5] = (b.parts[5] + 1) % 60
	rows.append(('compare', a.kind, a.text(), b.kind, b.text(), compare(a, b)))
for _ in range(1000):
	v, digits = value(), random.choice([0, 0, 2, 4, 5, 6, 8, 9, 10, 12, 14, 17, 18])
	for op in ('low', 'high'):
		rows.append((op, v.kind, v.text(), str(digits), '', boundary(v, digits, op == 'high')))
for _ in range(800):
	kind = random.choice(['date', 'datetime', 'time'])
	a, b = value(kind), value(kind)
	if a.precision() != b.precision() or (a.zone is None) != (b.zone is None):
		continue
	for unit in UNITS[2:]:
		if a.precision() >= {'week': 3, 'day': 3, 'hour': 4, 'minute': 5}.get(unit, 6) and (kind != 'time' or unit not in UNITS[:4]):
			step = Fraction(1, 1000) if unit == 'millisecond' else SECONDS[unit]
			rows.append(('duration', a.kind, a.text(), unit, b.text(), str(trunc((b.span()[0] - a.span()[0]) / step))))
for text in ('2015', '2015-02', '2015-02-04', '2015-02-04T14', '2015-02-04T14:34', '2015-02-04T14:34:28', '2015-02-04T14:34:28.123', '2015-02-04T14:34:28Z',
			 '2015-02-04T14+05:30', '2015-02-04T14:34-14:00', '2016-02-29', '2024-01-31T23:59:60+14:00', '2015-02-04T14:34:28.123456789Z'):
	rows.append(('parse', 'datetime', text, '', '', text))
for kind, text in (('datetime', '2015T'), ('datetime', '2015-02T'), ('datetime', '2015-02-04T')):
	rows.append(('parse', kind, text, '', '', text[:-1]))
for kind, text, want in (('time', 'T14:34', '14:34'), ('time', '14', '14'), ('time', '23:59:60', '23:59:60'), ('time', '14:34:28.5', '14:34:28.5')):
	rows.append(('parse', kind, text, '', '', want))
for kind, text in (('date', ''), ('date', '201'), ('date', '2015-2'), ('date', '2015-13'), ('date', '2015-02-29'), ('date', '2015-02-04T'), ('date', '0000'),
				   ('datetime', '2015T14'), ('datetime', '2015-02T14:00'), ('datetime', '2015-02-04T24'), ('datetime', '2015-02-04T14:60'), ('datetime', '2015-02-04T14:00:61'),
				   ('datetime', '2015-02-04T14:00:00.'), ('datetime', '2015-02-04T14:00+14:01'), ('datetime', '2015-02-04T14:00z'), ('datetime', '2015-02-04Z'),
				   ('time', ''), ('time', 'T'), ('time', '25:00'), ('time', '14:34Z'), ('time', '14:3'), ('time', '14:34:28+01:00'), ('time', '2015')):
	rows.append(('parse', kind, text, '', '', 'invalid'))

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'temporal_cases.tsv'), 'w') as f:
	f.write('\n'.join('\t'.join(r) for r in rows) + '\n')
print(len(rows))
