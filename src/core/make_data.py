#!/usr/bin/env python3
"""Writes the C tables of core/ from sql/data/*.tsv and the Unicode character database.

	src/core/make_data.py            writes src/core/*_data.h
	src/core/make_data.py --tsv DIR  first makes sql/data/*.tsv anew from the domain tables in DIR

The output is committed; running this again must change nothing (the Unicode
part only holds letters that have been stable since Unicode 3.0).
"""
import csv
import os
import sys
import unicodedata

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DATA = os.path.join(TOP, 'sql', 'data')
OUT = os.path.join(TOP, 'src', 'core')

REFORM = '2025-07-01'			# 63 provinces became 34


def rows(path):
	with open(path, encoding='utf-8', newline='') as f:
		return list(csv.DictReader(f, delimiter='\t', quoting=csv.QUOTE_NONE))


def write_tsv(name, header, lines):
	with open(os.path.join(DATA, name), 'w', encoding='utf-8', newline='\n') as f:
		for line in [header] + lines:
			f.write('\t'.join(line) + '\n')


def make_tsv(domain):
	old = rows(os.path.join(domain, 'provinces_old63.tsv'))
	new = rows(os.path.join(domain, 'provinces_new34.tsv'))
	write_tsv('provinces.tsv', ['code', 'name', 'valid_from', 'valid_to', 'successor'],
			  [[r['gso_code'], r['name_vi'], '', REFORM, r['new_gso_code_2025']] for r in old] +
			  [[r['gso_code'], r['name_vi'], REFORM, '', ''] for r in new])
	write_tsv('phone_prefixes.tsv', ['old_prefix', 'new_prefix', 'changed_on'],
			  sorted([r['old_prefix_11digit'], r['new_prefix_10digit'], '2018-09-15']
					 for r in rows(os.path.join(domain, 'phone_prefix_2018.tsv'))))
	names = {r['surname'] for r in rows(os.path.join(domain, 'surnames.tsv'))}
	write_tsv('surnames.tsv', ['surname'],
			  [[n] for n in sorted(names) if len(n) > 1 and 'ø' not in n])


def c_string(s):
	return '"' + ''.join(ch if ch.isascii() and ch not in '"\\' else ''.join('\\%03o' % b for b in ch.encode())
						 for ch in s) + '"'


class Header:
	def __init__(self, name, what):
		self.path = os.path.join(OUT, name)
		self.lines = ['/*', ' * %s' % name, ' *\t\t%s' % what, ' *',
					  ' * Written by src/core/make_data.py.  Do not edit.', ' */']

	def table(self, decl, items, per_line=1):
		self.lines.append('')
		self.lines.append('static const %s = {' % decl)
		for i in range(0, len(items), per_line):
			self.lines.append('\t' + ', '.join(items[i:i + per_line]) + (',' if i + per_line < len(items) else ''))
		self.lines.append('};')

	def write(self):
		with open(self.path, 'w', newline='\n') as f:
			f.write('\n'.join(self.lines) + '\n')


# Letters without a canonical decomposition that are written with ASCII letters all the same.
# Eth and African D look like the Vietnamese D with stroke and are typed for it.
ASCII_FORM = {'Đ': 'D', 'Ð': 'D', 'Ɖ': 'D', 'Ø': 'O', 'Ł': 'L', 'Ħ': 'H', 'Ŧ': 'T', 'Æ': 'AE', 'Œ': 'OE',
			  'ß': 'SS', 'ẞ': 'SS', 'Þ': 'TH', 'Ŋ': 'NG', 'Ƀ': 'B', 'Ɓ': 'B', 'Ɗ': 'D', 'Ƒ': 'F', 'Ɨ': 'I',
			  'Ɵ': 'O', 'Ʉ': 'U', 'Ƶ': 'Z', 'Ŀ': 'L', 'ĸ': 'K', 'ŉ': 'N', 'Ɖ': 'D'}
# Capitals to take instead: Đ for its look-alikes, and no apostrophe out of a single letter.
SAME_LETTER = {'Ð': 'Đ', 'Ɖ': 'Đ', 'ʼN': 'N', 'Aʾ': 'A'}
RANGES = [(0xC0, 0x370), (0x1E00, 0x1F00)]


def upper(ch):
	up = ch.upper()
	return SAME_LETTER.get(up, up)


def ascii_form(ch):
	out = ''
	for c in unicodedata.normalize('NFKD', ch if ch in ASCII_FORM else upper(ch)):
		if unicodedata.category(c) == 'Mn':
			continue
		out += ASCII_FORM.get(c, c)
	out = ''.join(c for c in out if c.isascii() and c.isalnum()).upper()
	return out if len(out) <= len(ch.encode()) else ''


def make_text():
	h = Header('vn_text_data.h', 'Latin letters: ASCII form, capital and canonical decomposition, composition.')
	for n, (lo, hi) in enumerate(RANGES):
		forms = [ascii_form(chr(c)) for c in range(lo, hi)]
		h.lines.append('')
		h.lines.append('#define LATIN%d_FIRST 0x%04X' % (n, lo))
		h.lines.append('#define LATIN%d_END 0x%04X' % (n, hi))
		assert max(map(len, forms)) < 4
		h.table('char latin%d_ascii[][4]' % n, ['"%s"' % f for f in forms], 16)
		dec = []
		for c in range(lo, hi):
			seq = unicodedata.normalize('NFD', upper(chr(c)))
			assert len(seq) <= 3, hex(c)
			dec.append('{%s}' % ', '.join('0x%X' % ord(x) for x in seq))
		h.table('uint16_t latin%d_capital[][3]' % n, dec, 6)
	h.lines += ['', '#define MARK_FIRST 0x0300', '#define MARK_END 0x0370']
	h.table('uint8_t mark_class[]', ['%d' % unicodedata.combining(chr(c)) for c in range(0x300, 0x370)], 16)
	pairs = []
	for lo, hi in RANGES:
		for c in range(lo, hi):
			ch = chr(c)
			d = unicodedata.decomposition(ch).split()
			if len(d) != 2 or d[0].startswith('<') or unicodedata.normalize('NFC', ch) != ch or ch.upper() != ch:
				continue
			pairs.append((int(d[0], 16), int(d[1], 16), c))
	pairs.sort()
	h.table('struct { uint16_t first, mark, whole; } latin_pairs[]', ['{0x%X, 0x%X, 0x%X}' % p for p in pairs], 5)
	fold = lambda s: ''.join(ascii_form(c) or c for c in s).upper()
	names = sorted({fold(r['surname']) for r in rows(os.path.join(DATA, 'surnames.tsv'))})
	h.table('char *const surnames_ascii[]', ['"%s"' % n for n in names], 10)
	h.write()


def make_provinces():
	h = Header('provinces_data.h', 'Provinces by number, with the time for which a name held (sql/data/provinces.tsv).')
	num = lambda s, absent: s.replace('-', '') or absent
	items = ['{%d, %s, %s, %d, %s}' % (int(r['code']), num(r['valid_from'], '0'), num(r['valid_to'], '99999999'),
									  int(r['successor'] or 0), c_string(r['name']))
			 for r in sorted(rows(os.path.join(DATA, 'provinces.tsv')), key=lambda r: (r['valid_from'], r['code']))]
	h.table('Province provinces[]', items)
	h.write()


def make_phone():
	h = Header('phone_data.h', 'Mobile prefixes that went from 11 to 10 digits (sql/data/phone_prefixes.tsv).')
	h.table('struct { char old_prefix[5], new_prefix[4]; } phone_prefixes[]',
			['{"%s", "%s"}' % (r['old_prefix'], r['new_prefix']) for r in rows(os.path.join(DATA, 'phone_prefixes.tsv'))], 4)
	h.write()


def make_icd10():
	h = Header('icd10_data.h', 'Chapters and blocks of ICD-10 (sql/data/icd10_blocks.tsv).')
	blocks = rows(os.path.join(DATA, 'icd10_blocks.tsv'))
	h.table('struct { char chapter[6], first[4], last[4]; } icd10_blocks[]',
			['{"%s", "%s", "%s"}' % (r['chapter'], r['first'], r['last']) for r in blocks], 4)
	h.write()


if len(sys.argv) == 3 and sys.argv[1] == '--tsv':
	make_tsv(sys.argv[2])
make_text()
make_provinces()
make_phone()
make_icd10()
