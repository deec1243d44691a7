#!/usr/bin/env python3
"""Writes ucum_cases.tsv: conversions of units, value, from, to, result, exact.

The oracle for test_ucum: what one unit is in another as handbooks give it (SI brochure, NIST SP 811), and random
products of units worked out with fractions. Nothing is read from the project's own table.
"""
import os
import random
from decimal import Decimal, getcontext
from fractions import Fraction

getcontext().prec = 60
random.seed(9)

# One of the first is so many of the second.
FACTS = '''
[in_i] 2.54 cm|[ft_i] 30.48 cm|[yd_i] 0.9144 m|[mi_i] 1609.344 m|[nmi_i] 1.852 km|[fth_i] 1.8288 m|[mil_i] 25.4 um|[hd_i] 10.16 cm
[sft_i] 0.09290304 m2|[sin_i] 6.4516 cm2|[cin_i] 16.387064 mL|[cft_i] 28.316846592 L|[cyd_i] 0.764554857984 m3|[bf_i] 2.359737216 L
[lb_av] 453.59237 g|[lb_av] 0.45359237 kg|[oz_av] 28.349523125 g|[gr] 64.79891 mg|[stone_av] 6.35029318 kg|[ston_av] 907.18474 kg|[lton_av] 1016.0469088 kg
[dr_av] 1.7718451953125 g|[scwt_av] 45.359237 kg|[lcwt_av] 50.80234544 kg|[oz_tr] 31.1034768 g|[lb_tr] 373.2417216 g|[pwt_tr] 1.55517384 g
[sc_ap] 1.2959782 g|[dr_ap] 3.8879346 g|[oz_ap] 31.1034768 g|[lb_ap] 373.2417216 g|[car_m] 200 mg|t 1000 kg|[oz_m] 28 g
[gal_us] 3.785411784 L|[qt_us] 0.946352946 L|[pt_us] 473.176473 mL|[foz_us] 29.5735295625 mL|[cup_us] 236.5882365 mL|[tbs_us] 14.78676478125 mL
[tsp_us] 4.92892159375 mL|[fdr_us] 3.6966911953125 mL|[gil_us] 118.29411825 mL|[bbl_us] 158.987294928 L|[bu_us] 35.23907016688 L|[pk_us] 8.80976754172 L
[gal_br] 4.54609 L|[qt_br] 1.1365225 L|[pt_br] 568.26125 mL|[foz_br] 28.4130625 mL|[gil_br] 142.0653125 mL|[cup_m] 240 mL|[tsp_m] 5 mL|[tbs_m] 15 mL|[foz_m] 30 mL
min 60 s|h 3600 s|d 86400 s|wk 604800 s|a 31557600 s|a 365.25 d|a_g 365.2425 d|a_t 365.24219 d|mo 30.4375 d|mo_s 29.53059 d|a 12 mo|wk 7 d|d 24 h
atm 101325 Pa|bar 100000 Pa|mm[Hg] 133.322 Pa|cm[H2O] 98.0665 Pa|[in_i'Hg] 3386.3788 Pa|att 98066.5 Pa|kgf 9.80665 N|[lbf_av] 4.4482216152605 N
cal_IT 4.1868 J|cal_th 4.184 J|cal 4.184 J|[Cal] 4184 J|[Btu_IT] 1055.05585262 J|kW.h 3600000 J|erg 0.0000001 J|dyn 0.00001 N|eV 0.0000000000000000001602176634 J
P 0.1 Pa.s|St 0.0001 m2/s|Gal 0.01 m/s2|G 0.0001 T|Mx 0.00000001 Wb|Ci 37000000000 Bq|R 0.000258 C/kg|RAD 0.01 Gy|REM 0.01 Sv|Gy 1 J/kg|mCi 37 MBq
Ao 0.1 nm|b 0.0000000000000000000000000001 m2|ar 100 m2|har 10000 m2|[ly] 9460730472580800 m|AU 149597870700 m|[c] 299792458 m/s|[g] 9.80665 m/s2|[kn_i] 1852 m/h
J 1 kg.m2/s2|W 1 kg.m2/s3|V 1 kg.m2/s2/C|Ohm 1 V/A|S 1 A/V|F 1 C/V|T 1 Wb/m2|H 1 Wb/A|lm 1 cd.sr|lx 1 cd.sr/m2|Hz 1 /s|Pa 1 kg/m/s2|N 1000 g.m/s2|kat 1 mol/s
U 1 umol/min|kat 60000000 U|eq 1 mol|osm 1 mol|g% 1 g/dL|g/dL 10 g/L|mg/dL 0.01 g/L|% 0.01 1|[ppm] 0.000001 1|[ppth] 0.001 1|[ppb] 0.000000001 1|10*3 1000 1|10^6 1000000 1
10*3/uL 1000000000 /L|10*9/L 1000 /uL|10*6/uL 1 10*12/L|/mm3 1000000 /L|mmol/L 1 mol/m3|L/min 1000 mL/min|mL/min/kg 60 mL/h/kg|meq/L 1 mmol/L|mosm/kg 1 mmol/kg
[iU]/L 0.001 [iU]/mL|m[iU]/mL 1 [iU]/L|k[IU]/L 1 [iU]/mL|[USP'U]/mL 1000 [USP'U]/L|u[iU]/mL 1 m[iU]/L|[CFU]/mL 1000 [CFU]/L|{cells}/uL 1000 {cells}/mL
[drp] 0.05 mL|[diop] 1 /m|[MET] 3.5 mL/kg/min|[wood'U] 7999320 Pa.s/m3|[HPF] 1 1|[Ch] 0.3333333333333333333333333333333333 mm|[pnt] 0.3527777777777777777777777777777778 mm
By 8 bit|KiBy 1024 By|MiBy 1048576 By|kBy 1000 By|tex 1 g/km|st 1 m3|circ 4 [pi].rad/2|deg 60 '|' 60 ''|deg 3600 ''|gon 0.9 deg|[smoot] 1.7018 m|[nmi_br] 1853.1825408 m
kg.m/s2 1 N|kg.kg-1 1 1|s.s-1 1 1|kg/m2 0.1 g/cm2|mm[Hg].min/L 1 [wood'U]|(kg.m)/(s2) 1 N|m2/(kg/m) 1 m3/kg|/(m/s) 1 s/m|m+2 1 m2|2.m 200 cm|5.mg/(2.dL) 0.025 g/L|daL 10 L|dm3 1 L
'''
# value, from, value, to: through the functions of special units
SPECIAL = '''
37 Cel 310.15 K exact|23 Cel 73.4 [degF] exact|98.6 [degF] 37 Cel exact|0 Cel 32 [degF] exact|-40 [degF] -40 Cel exact|0 K -273.15 Cel exact|0 K -459.67 [degF] exact
100 Cel 80 [degRe] exact|80 [degRe] 212 [degF] exact|491.67 [degR] 0 Cel exact|1000 mCel 1 Cel exact|36.6 Cel{ear} 97.88 [degF] exact|1 K -272.15 Cel exact
7 [pH] 0.0001 mmol/L -|7 [pH] 0.0000001 mol/L -|1 mol/L 0 [pH] -|2 B 100 1 -|20 dB 100 1 -|1000 1 30 dB -|6 B[V] 1000 V -|1 V 0 dB[V] -|1 kW 3 B[W] -|8 1 3 bit_s -|3 [hp'_X] 0.001 1 -|2 [hp'_C] 0.0001 1 -
100 %[slope] 0.785398163397448 rad -
'''
# Atoms in base units: factor, powers of m s g K C mol
ATOMS = {'m': (1, (1, 0, 0, 0, 0, 0)), 'g': (1, (0, 0, 1, 0, 0, 0)), 's': (1, (0, 1, 0, 0, 0, 0)), 'K': (1, (0, 0, 0, 1, 0, 0)), 'C': (1, (0, 0, 0, 0, 1, 0)),
		 'L': ('0.001', (3, 0, 0, 0, 0, 0)), 'l': ('0.001', (3, 0, 0, 0, 0, 0)), 'N': (1000, (1, -2, 1, 0, 0, 0)), 'Pa': (1000, (-1, -2, 1, 0, 0, 0)),
		 'J': (1000, (2, -2, 1, 0, 0, 0)), 'W': (1000, (2, -3, 1, 0, 0, 0)), 'A': (1, (0, -1, 0, 0, 1, 0)), 'V': (1000, (2, -2, 1, 0, -1, 0)), 'mol': (1, (0, 0, 0, 0, 0, 1)),
		 'bar': (10 ** 8, (-1, -2, 1, 0, 0, 0)), 't': (10 ** 6, (0, 0, 1, 0, 0, 0)), 'Hz': (1, (0, -1, 0, 0, 0, 0)), 'cal': (4184, (2, -2, 1, 0, 0, 0))}
PLAIN = {'min': (60, (0, 1, 0, 0, 0, 0)), 'h': (3600, (0, 1, 0, 0, 0, 0)), 'd': (86400, (0, 1, 0, 0, 0, 0)), '[in_i]': ('0.0254', (1, 0, 0, 0, 0, 0)),
		 '[lb_av]': ('453.59237', (0, 0, 1, 0, 0, 0)), '[ft_us]': ('1200/3937', (1, 0, 0, 0, 0, 0)), '[gal_us]': ('0.003785411784', (3, 0, 0, 0, 0, 0)), '%': ('0.01', (0,) * 6),
		 '[degR]': ('5/9', (0, 0, 0, 1, 0, 0)), '10*3': (1000, (0,) * 6), '[Ch]': ('1/3000', (1, 0, 0, 0, 0, 0))}
PREFIXES = {'': 0, 'k': 3, 'm': -3, 'u': -6, 'd': -1, 'c': -2, 'n': -9, 'M': 6, 'da': 1, 'h': 2, 'G': 9, 'p': -12, 'Y': 24, 'y': -24}


def component():
	if random.random() < 0.25:
		code = random.choice(list(PLAIN))
		factor, dim = PLAIN[code]
		exponent = 1 if code[-1].isdigit() else random.choice([1, 1, 1, 2, -1])
		return code + (str(exponent) if exponent != 1 else ''), Fraction(factor) ** exponent, [d * exponent for d in dim]
	code = random.choice(list(ATOMS))
	prefix = random.choice(list(PREFIXES) + [''] * 8)
	factor, dim = ATOMS[code]
	exponent = random.choice([1, 1, 1, 1, 2, 3, -1, -2])
	return prefix + code + (str(exponent) if exponent != 1 else ''), (Fraction(factor) * Fraction(10) ** PREFIXES[prefix]) ** exponent, [d * exponent for d in dim]


def term(n):
	text, factor, dim = component()
	for _ in range(n - 1):
		op = random.choice('./')
		t, f, d = component()
		sign = 1 if op == '.' else -1
		text, factor, dim = text + op + t, factor * f ** sign, [a + sign * b for a, b in zip(dim, d)]
	return text, factor, dim


def show(value):
	"""Exactly where it ends within 38 digits, else 34 significant digits; None where it does not fit"""
	for places in range(39):
		if (value * 10 ** places).denominator == 1:
			n = abs(value.numerator * 10 ** places // value.denominator)
			return (format(Decimal(int(value * 10 ** places)).scaleb(-places), 'f'), 'exact') if n < 10 ** 38 else (None, '')
	if abs(value) < Fraction(1, 10 ** 3) or abs(value) >= 10 ** 33:
		return None, ''
	getcontext().prec = 34
	d = Decimal(value.numerator) / Decimal(value.denominator)
	getcontext().prec = 60
	return format(d, 'f'), '-'


rows = []
for fact in FACTS.replace('\n', '|').split('|'):
	if not fact:
		continue
	a, n, b = fact.split(' ', 2)
	exact = '-' if '3333333333' in n or '777777777' in n else 'exact'
	rows.append(('1', a, b, n, exact))
	if exact == 'exact':
		rows.append((n, b, a, '1', exact))
		x = Fraction(random.randint(1, 10 ** 6), 1000)
		text, kind = show(x * Fraction(n))
		if text:
			rows.append((format(Decimal(x.numerator) / Decimal(x.denominator), 'f'), a, b, text, kind))
for case in SPECIAL.replace('\n', '|').split('|'):
	if case:
		x, a, y, b, exact = case.split(' ')
		rows.append((x, a, b, y, exact))
pool = [term(random.choice([1, 1, 2, 2, 3])) for _ in range(6000)]
by_dimension = {}
for t in pool:
	by_dimension.setdefault(tuple(t[2]), []).append(t)
for dim, terms in by_dimension.items():
	for _ in range(min(len(terms), 60)):
		(a, f, _), (b, g, _) = random.choice(terms), random.choice(terms)
		x = Fraction(random.randint(-10 ** 6, 10 ** 6), 10 ** random.randint(0, 6))
		text, kind = show(x * f / g)
		if text and a != b and len(rows) < 4000:
			rows.append((format(Decimal(x.numerator) / Decimal(x.denominator), 'f'), a, b, text, kind))

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'ucum_cases.tsv'), 'w') as f:
	f.write('\n'.join('\t'.join(r) for r in rows) + '\n')
print(len(rows))
