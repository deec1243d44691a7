#!/usr/bin/env python3
"""Writes vn_text_cases.tsv: texts with their exact and their unmarked form.

The oracle for test_vn_text: composition and decomposition are Python's unicodedata, the place of the
tone mark is written down by hand for each rhyme, and nothing is shared with the C code.
"""
import os
import random
import unicodedata

TONES = ['', '\u0300', '\u0301', '\u0303', '\u0309', '\u0323']
# rhyme, place of the tone (traditional), other places seen in the wild
RHYMES = '''a0 ă0 â0 e0 ê0 i0 o0 ô0 ơ0 u0 ư0 y0
ac0 ach0 ai0 am0 an0 ang0 anh0 ao0 ap0 at0 au0 ay0 ăc0 ăm0 ăn0 ăng0 ăp0 ăt0 âc0 âm0 ân0 âng0 âp0 ât0 âu0 ây0
ec0 em0 en0 eng0 eo0 ep0 et0 êch0 êm0 ên0 ênh0 êp0 êt0 êu0 ia0 ich0 iêc1 iêm1 iên1 iêng1 iêp1 iêt1 iêu1 im0 in0 inh0 ip0 it0 iu0
oa0,1 oac1,0 oach1,0 oai1 oan1,0 oang1,0 oanh1,0 oao1 oat1,0 oay1 oăc1 oăm1 oăn1 oăng1 oăt1 oc0 oe0,1 oen1,0 oeo1 oet1,0 oi0 om0 on0 ong0 op0 ot0
ôc0 ôi0 ôm0 ôn0 ông0 ôp0 ôt0 ơi0 ơm0 ơn0 ơp0 ơt0 ua0 uc0 ui0 um0 un0 ung0 up0 ut0
uân1 uâng1 uât1 uây1 uê1 uêch1 uênh1 uơ1 uôc1 uôi1 uôm1 uôn1 uông1 uôt1 uy0,1 uya1 uych1,0 uyên2 uyêt2 uynh1,0 uyt1,0 uyu1
ưa0 ưc0 ưi0 ưm0 ưn0 ưng0 ưt0 ươc1 ươi1 ươm1 ươn1 ương1 ươp1 ươt1 ươu1 ưu0'''.split()
ONSETS = ['b', 'ch', 'd', 'đ', 'kh', 'ng', 'nh', 'ph', 'th', 'tr', 'x', 'r', '']
# both written forms of one syllable: (variant, kept), tones by combining mark at the vowel |
TWINS = [('h i|', 'h y|'), ('k i|', 'k y|'), ('l i|', 'l y|'), ('m i|', 'm y|'), ('s i|', 's y|'), ('t i|', 't y|'),
		 ('v i|', 'v y|'), ('qu i|', 'qu y|'), ('qu i|nh', 'qu y|nh'), ('qu i|t', 'qu y|t'), ('iê|n', 'yê|n'),
		 ('iê|u', 'yê|u'), ('q u|y', 'qu y|'), ('b i|', 'b i|'), ('n i|', 'n i|'), ('th i|', 'th i|'), ('th y|', 'th y|'),
		 ('gi a|', 'gi a|'), ('g i|', 'g i|'), ('g i|n', 'g i|n'), ('gi ế|ng', 'gi ế|ng'), ('qu a|', 'qu a|')]


def fold(s):
	s = s.replace('đ', 'd').replace('Đ', 'D')
	s = ''.join(c for c in unicodedata.normalize('NFD', s) if not unicodedata.combining(c))
	return s.upper()


def nfc(s):
	return unicodedata.normalize('NFC', s)


random.seed(17)
cases = []
for item in RHYMES:
	rhyme = item.rstrip('0123456789,')
	places = [int(p) for p in item[len(rhyme):].split(',')]
	for tone in TONES:
		onset = random.choice(ONSETS)
		if onset == '' and rhyme in ('i',) or (onset == '' and rhyme.startswith('iê')):
			onset = 'b'
		word = lambda at: nfc(onset + rhyme[:at + 1] + tone + rhyme[at + 1:])
		kept = word(places[0]).upper()
		for at in places:
			for form in ('NFC', 'NFD'):
				cases.append((unicodedata.normalize(form, word(at)), kept, fold(kept)))
for variant, kept in TWINS:
	for tone in TONES:
		v, k = (nfc(x.replace(' ', '').replace('|', tone if not 'ế' in x else '')) for x in (variant, kept))
		cases.append((v.title(), k.upper(), fold(k)))
# marks in any order, whole names, odd letters
for text, kept in [('Nguye\u0302\u0303n', 'NGUYỄN'), ('Nguye\u0303\u0302n', 'NGUYỄN'), ('D\u031bu\u031bo\u031b\u0323c', None),
				   ('L\u0065\u0323\u0302', 'LỆ'), ('  Trần\u00a0Thị\u200b  Hoà ', 'TRẦN THỊ HÒA'), ('ÐẶNG VĂN ÐỨC', 'ĐẶNG VĂN ĐỨC'),
				   ("H'Hen Niê", 'H HEN NIÊ'), ('Čư̆ Ñê', None), ('ＬÊ', 'LÊ')]:
	if kept is None:
		kept = unicodedata.normalize('NFC', text).upper()
	cases.append((text, kept, fold(unicodedata.normalize('NFKC', kept))))
for c in list(range(0xC0, 0x180)) + list(range(0x1EA0, 0x1EFA)):
	ch = chr(c)
	if c in (0xD7, 0xF7, 0x149):
		continue
	up = unicodedata.normalize('NFC', ch.upper()).replace('Ð', 'Đ')
	low = {'Ø': 'O', 'Ł': 'L', 'Ħ': 'H', 'Ŧ': 'T', 'Æ': 'AE', 'Œ': 'OE', 'Þ': 'TH', 'Ŋ': 'NG', 'ĸ': 'K', 'ẞ': 'SS', 'Ĳ': 'IJ', 'Ŀ': 'L'}
	f = fold(up)
	f = low.get(f, f)
	cases.append(('x' + ch, 'X' + up, 'X' + f))
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'vn_text_cases.tsv'), 'w', encoding='utf-8', newline='\n') as out:
	for case in dict.fromkeys(cases):
		out.write('\t'.join(case) + '\n')
