#!/usr/bin/env python3
"""Writes ehr_units_2025_06.tsv, _2025_07.tsv and _2026_04.tsv from the domain tables in a folder.

	sql/data/make_units.py DIR

Columns: level (P province, D district, C commune), code, parent's code, name, code of the unit of the next list
into which it went.  A commune that was split, or whose name several communes of the province bear, goes where the
text of the reform puts all or most of it; where that cannot be told, the column stays empty and only the province
is known.
"""
import collections
import csv
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def rows(name):
	with open(os.path.join(sys.argv[1], name), encoding='utf-8', newline='') as f:
		return list(csv.DictReader(f, delimiter='\t', quoting=csv.QUOTE_NONE))


old_provinces = rows('provinces_old63.tsv')
new_provinces = rows('provinces_new34.tsv')
districts = {r['gso_code']: (r['name_vi'], r['old_province_code']) for r in rows('districts_old.tsv')}
old = {r['gso_code']: r for r in rows('wards_old_v241.tsv')}
new = {r['gso_code']: r for r in rows('wards_new_2025.tsv')}
province_into = {r['gso_code']: r['new_gso_code_2025'] for r in old_provinces}
for r in old.values():
	districts.setdefault(r['district_code'], (r['district'], r['province_code']))


def candidates(piece):
	"""The old communes that a piece of a new one can be: of its province, by name."""
	return [c for c in piece['candidate_old_codes'].replace(';', ',').split(',')
			if c in old and province_into[old[c]['province_code']] == piece['new_province']]


def goes_into():
	pieces = collections.defaultdict(list)
	for r in rows('ward_merge_candidates.tsv'):
		pieces[r['new_code']].append((r['part'], candidates(r)))
	into = collections.defaultdict(lambda: collections.defaultdict(set))
	for code, parts in pieces.items():
		# of several of one name, the one in the district of the rest
		around = {old[c[0]]['district_code'] for _, c in parts if len(c) == 1}
		if code in old:
			around.add(old[code]['district_code'])
		for part, c in parts:
			if len(c) > 1:
				c = [x for x in c if x == code] or [x for x in c if old[x]['district_code'] in around]
			if len(c) == 1:
				into[c[0]][code].add(part)
	result = {}
	for code, r in old.items():
		to = into.get(code, {})
		whole = [n for n, parts in to.items() if 'whole' in parts]
		if len(to) == 1:
			result[code] = next(iter(to))
		elif len(whole) == 1:
			result[code] = whole[0]
		elif code in to or (not to and code in new and new[code]['province_code'] == province_into[r['province_code']]):
			result[code] = code
	return result


def write(name, lines):
	with open(os.path.join(HERE, name), 'w', encoding='utf-8', newline='\n') as f:
		for line in sorted(lines, key=lambda x: (len(x[1]), x[1])):
			f.write('\t'.join(line).rstrip('\t') + '\n')


into = goes_into()
write('ehr_units_2025_06.tsv',
	  [('P', r['gso_code'], '', r['full_name_vi'], r['new_gso_code_2025']) for r in old_provinces] +
	  [('D', code, r[1], r[0], '') for code, r in districts.items()] +
	  [('C', code, r['district_code'], r['full_name_vi'], into.get(code, '')) for code, r in old.items()])
# a province became a centrally run city later than the list began
LATER = {'75': ('Tỉnh Đồng Nai', '2026_04')}
write('ehr_units_2025_07.tsv',
	  [('P', r['gso_code'], '', LATER.get(r['gso_code'], (r['full_name_vi'],))[0], '') for r in new_provinces] +
	  [('C', code, r['province_code'], r['full_name_vi'], '') for code, r in new.items()])
write('ehr_units_2026_04.tsv', [('P', r['gso_code'], '', r['full_name_vi'], '') for r in new_provinces if r['gso_code'] in LATER])
print('%d of %d communes have a successor' % (len(into), len(old)))
