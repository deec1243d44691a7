#!/usr/bin/env python3
"""Makes tables/*.tsv, which the vaccination row generator reads, out of the folder of domain facts.

    test/data/make_tables.py ../shared/domain test/data/tables

The output is committed: the project does not need the folder of facts to run.  Only the standard
library is used and the output depends on the input alone.  What no source gives (streets, where the
city's people come from, how many live in a district, when a programme vaccinates whom) is written
here and is an assumption; README.md says so.
"""
import csv
import os
import re
import sys

HCMC = '79'

# Thousands of inhabitants, rounded by hand; only the proportions matter.
DISTRICT_WEIGHT = {
    '760': 142, '761': 620, '764': 677, '765': 500, '766': 475, '767': 485, '768': 163, '769': 1170,
    '770': 190, '771': 235, '772': 210, '773': 175, '774': 160, '775': 233, '776': 425, '777': 785,
    '778': 360, '783': 465, '784': 542, '785': 706, '786': 206, '787': 72,
}

# Where the birth of the city's inhabitants was registered (per mille), the other provinces share the rest.
BIRTH_PROVINCE = {
    '79': 560, '80': 26, '82': 32, '83': 32, '72': 14, '74': 10, '75': 14, '52': 28, '51': 28, '49': 20,
    '38': 20, '40': 18, '36': 12, '34': 8, '87': 16, '89': 18, '92': 10, '86': 16, '84': 14, '94': 12,
    '91': 10, '66': 10, '60': 12, '46': 10, '42': 8, '01': 10,
}

# The first digits of the old nine-digit card; the rest of the provinces use the GSO code.
CMND_BLOCK = {'79': '02', '01': '01', '80': '30', '82': '31', '83': '32', '52': '21', '51': '21', '49': '20'}

# Mobile prefixes that had ten digits before 2018 already.
TEN_DIGITS = [('090', 130), ('093', 80), ('089', 30), ('091', 90), ('094', 60), ('088', 25), ('096', 70),
              ('097', 90), ('098', 90), ('086', 35), ('092', 15), ('099', 8)]
OPERATOR_WEIGHT = {'Viettel': 26, 'MobiFone': 22, 'VinaPhone': 20, 'Vietnamobile': 8, 'Gmobile': 3}

STREETS = """Nguyễn Trãi|Lê Lợi|Trần Hưng Đạo|Cách Mạng Tháng Tám|Điện Biên Phủ|Nguyễn Thị Minh Khai|Lê Văn Sỹ
Nguyễn Văn Cừ|Hai Bà Trưng|Võ Văn Tần|Nguyễn Đình Chiểu|Phan Đăng Lưu|Hoàng Văn Thụ|Trường Chinh|Cộng Hòa
Lạc Long Quân|Âu Cơ|Lũy Bán Bích|Hòa Bình|Tân Kỳ Tân Quý|Lê Trọng Tấn|Gò Dầu|Kinh Dương Vương|Hồng Bàng
Nguyễn Văn Luông|Hậu Giang|Phạm Thế Hiển|Tạ Quang Bửu|Dương Bá Trạc|Huỳnh Tấn Phát|Nguyễn Thị Thập
Lê Văn Lương|Nguyễn Hữu Thọ|Tôn Đản|Xóm Chiếu|Khánh Hội|Đoàn Văn Bơ|Bà Hạt|Sư Vạn Hạnh|Lý Thường Kiệt
Tô Hiến Thành|Thành Thái|Ngô Gia Tự|Nguyễn Chí Thanh|Lãnh Binh Thăng|Minh Phụng|Lê Đại Hành|Quang Trung
Nguyễn Oanh|Phan Văn Trị|Lê Đức Thọ|Thống Nhất|Phạm Văn Chiêu|Nguyễn Kiệm|Phan Xích Long|Hoàng Minh Giám
Bạch Đằng|Xô Viết Nghệ Tĩnh|Nơ Trang Long|Bùi Đình Túy|Chu Văn An|Nguyễn Xí|Kha Vạn Cân|Võ Văn Ngân
Đặng Văn Bi|Tô Ngọc Vân|Quốc lộ 13|Hiệp Bình|Lê Văn Việt|Man Thiện|Nguyễn Duy Trinh|Đỗ Xuân Hợp|Tây Hòa
Lê Văn Khương|Nguyễn Ảnh Thủ|Tô Ký|Hà Huy Giáp|Nguyễn Văn Quá|Trần Văn Giàu|Tỉnh lộ 10|Vành Đai Trong
Mã Lò|Hương Lộ 2|Bình Long|Tên Lửa|Quốc lộ 50|Đinh Đức Thiện|Nguyễn Văn Linh|Phạm Hùng|Tỉnh lộ 8
Nguyễn Văn Khạ|Phan Văn Hớn|Lê Thị Hà|Song Hành|Nguyễn Văn Bứa|Đào Sư Tích|Rừng Sác|Duyên Hải
Ba Tháng Hai|Lý Thái Tổ|Trần Quang Khải|Đinh Tiên Hoàng|Pasteur|Nam Kỳ Khởi Nghĩa|Trần Quốc Thảo""".replace('\n', '|').split('|')

# local code, CVX, vaccine, diseases ('-' = none).  CVX from domain/immunization_schedule.tsv and general knowledge.
VACCINES = """
HepB0|08|Gene-HBvax|hepatitis-b
BCG|19|BCG|tuberculosis
DPT-HepB-Hib|198|ComBE Five|diphtheria;tetanus;pertussis;hepatitis-b;hib
bOPV|178|bOPV|polio
IPV|10|IMOVAX Polio|polio
Rota|119|Rotavin-M1|rotavirus
PCV|133|Prevenar 13|pneumococcal
MCV1|05|MVVAC|measles
MR2|04|MRVAC|measles;rubella
DPT4|01|DPT|diphtheria;tetanus;pertussis
JE|39|JEVAX|japanese-encephalitis
Td|09|Td|tetanus;diphtheria
TT|35|VAT|tetanus
HPV|62|Gardasil|hpv
COVID-AZ|210|AstraZeneca|covid-19
COVID-PF|208|Comirnaty|covid-19
COVID-MO|207|Spikevax|covid-19
COVID-VC|510|Vero Cell|covid-19
FLU|141|Vaxigrip|influenza
HepB|43|Engerix-B 20 mcg|hepatitis-b
RAB|18|Verorab|rabies
"""

# programme | born from | born to | sex (M, F or *) | weight | first day from | to (offset from birth when '+')
PROGRAMMES = """
newborn|2016|2026|*|40|+0|+2
infant|2016|2026|*|34|+58|+80
toddler|2016|2025|*|26|+270|+600
school|2009|2015|*|45|2016-09-05|2024-05-31
school-covid|2009|2015|*|55|2022-04-16|2022-09-30
girls|2004|2012|F|12|2018-01-10|2025-12-20
covid-early|1930|2003|*|8|2021-03-08|2021-06-20
covid-wave|1930|2008|*|46|2021-06-21|2021-10-15
covid-late|1930|2008|*|12|2021-10-16|2022-06-30
flu|1930|2008|*|12|2016-01-04|2026-03-31
tetanus|1978|2005|F|10|2016-01-04|2025-10-31
hepatitis|1960|2008|*|8|2016-01-04|2025-06-30
rabies|1930|2008|*|10|2016-01-04|2026-05-31
"""

# programme | vaccine (several: one a person) | dose | days after the one before (the first: after the start)
SCHEDULE = """
newborn|HepB0|1|0|0
newborn|BCG|1|1|28
newborn|DPT-HepB-Hib|1|40|70
newborn|bOPV|1|0|35
infant|DPT-HepB-Hib|1|0|0
infant|DPT-HepB-Hib|2|28|45
infant|PCV|1|0|30
infant|MCV1|1|120|200
toddler|MCV1|1|0|0
toddler|JE|1|80|140
toddler|JE|2|7|16
toddler|MR2|2|90|200
school|MR2|2|0|0
school|Td|1|90|900
school|JE|3|0|500
school|FLU|1|200|500
school-covid|COVID-PF,COVID-MO|1|0|0
school-covid|COVID-PF,COVID-MO|2|28|60
school-covid|FLU|1|200|700
school-covid|Td|1|100|500
girls|HPV|1|0|0
girls|HPV|2|60|180
girls|HPV|3|120|200
girls|FLU|1|100|400
covid-early|COVID-AZ|1|0|0
covid-early|COVID-AZ|2|28|84
covid-early|COVID-PF,COVID-MO,COVID-AZ|3|90|180
covid-early|COVID-PF,COVID-MO|4|120|240
covid-wave|COVID-AZ,COVID-VC,COVID-MO,COVID-PF|1|0|0
covid-wave|COVID-AZ,COVID-VC,COVID-MO,COVID-PF|2|21|84
covid-wave|COVID-PF,COVID-MO,COVID-AZ|3|90|180
covid-wave|COVID-PF,COVID-MO|4|120|240
covid-late|COVID-PF,COVID-VC,COVID-AZ|1|0|0
covid-late|COVID-PF,COVID-VC,COVID-AZ|2|21|70
covid-late|COVID-PF,COVID-MO|3|90|200
covid-late|FLU|1|200|800
flu|FLU|1|0|0
flu|FLU|2|300|500
flu|FLU|3|300|500
flu|FLU|4|300|500
tetanus|TT|1|0|0
tetanus|TT|2|30|60
tetanus|TT|3|180|700
tetanus|TT|4|365|700
hepatitis|HepB|1|0|0
hepatitis|HepB|2|28|45
hepatitis|HepB|3|120|180
hepatitis|FLU|1|60|700
rabies|RAB|1|0|0
rabies|RAB|2|3|4
rabies|RAB|3|4|5
rabies|RAB|4|7|10
"""


def rows(folder, name):
    with open(os.path.join(folder, name), encoding='utf-8', newline='') as f:
        return list(csv.DictReader(f, delimiter='\t', quoting=csv.QUOTE_NONE))


def write(folder, name, header, lines):
    with open(os.path.join(folder, name), 'w', encoding='utf-8', newline='\n') as f:
        f.write('\t'.join(header) + '\n')
        for line in lines:
            f.write('\t'.join(str(c) for c in line) + '\n')


def vietnamese(word):
    """False for the remains of an old encoding (Buøi, Vieät) that the sources hold."""
    return not re.search('[øäåæÿ]', word)


def surnames(src, dst):
    write(dst, 'surnames.tsv', ('surname', 'weight'),
          [(r['surname'], round(float(r['weight_pct_synth']) * 10000))
           for r in rows(src, 'surnames.tsv') if vietnamese(r['surname'])])


def given_names(src, dst):
    years = {'<1985': (1900, 1984), '1991-2002': (1985, 2006), '2007-2011': (2007, 2099), '2007-2024': (2007, 2099)}
    write(dst, 'given_names.tsv', ('sex', 'born_from', 'born_to', 'name', 'weight'),
          [(r['sex'], *years[r['birth_cohort']], r['given_name'], round(float(r['weight_pct']) * 1000))
           for r in rows(src, 'given_names.tsv')])


def middle_names(src, dst):
    # Thị and Văn are drawn apart, by sex and year of birth
    write(dst, 'middle_names.tsv', ('name', 'sex', 'weight'),
          [(r['middle_token'], r['likely_sex'] or '*', r['count_uit']) for r in rows(src, 'middle_names.tsv')
           if r['middle_token'] not in ('Thị', 'Văn') and vietnamese(r['middle_token'])])


def wards(src, dst):
    old = [r for r in rows(src, 'wards_old_v241.tsv') if r['province_code'] == HCMC]
    district_of = {r['gso_code']: r['district_code'] for r in old}
    name_of_district = {r['district_code']: r['district'] for r in old}
    in_district = {}
    for r in old:
        in_district[r['district_code']] = in_district.get(r['district_code'], 0) + 1
    new_name = {r['gso_code']: r['full_name_vi'] for r in rows(src, 'wards_new_2025.tsv') if r['province_code'] == HCMC}
    # written Quy Đức in one list and Qui Đức in the other
    new_of = {o['gso_code']: n for o in old for n in new_name
              if o['name_vi'] == 'Quy Đức' and new_name[n] == 'Xã Hưng Long'}
    pieces = [r for r in rows(src, 'ward_merge_candidates.tsv') if r['new_province'] == HCMC]
    # first the pieces with one candidate, then those that the district of the new unit's own code settles
    for only_one in (True, False):
        for r in pieces:
            found = r['candidate_old_codes'].split(';')
            if not only_one and len(found) > 1:
                home = {district_of[o] for o, n in new_of.items() if n == r['new_code']}
                home.add(district_of.get(r['new_code']))
                found = [c for c in found if district_of.get(c) in home]
            if len(found) == 1 and found[0] in district_of:
                new_of.setdefault(found[0], r['new_code'])
    out = []
    for r in old:
        new = new_of.get(r['gso_code']) or (r['gso_code'] if r['gso_code'] in new_name else '')
        weight = round(1000 * DISTRICT_WEIGHT[r['district_code']] / in_district[r['district_code']])
        out.append((r['gso_code'], r['full_name_vi'], r['district_code'], name_of_district[r['district_code']],
                    new, new_name.get(new, ''), weight))
    lost = [o for o in out if not o[4]]
    if lost:
        print('no new unit:', ' '.join(o[0] + ' ' + o[1] for o in lost), file=sys.stderr)
    write(dst, 'wards.tsv', ('code', 'name', 'district_code', 'district', 'new_code', 'new_name', 'weight'),
          [o for o in out if o[4]])


def provinces(src, dst):
    all63 = rows(src, 'provinces_old63.tsv')
    rest = (1000 - sum(BIRTH_PROVINCE.values())) / (len(all63) - len(BIRTH_PROVINCE))
    write(dst, 'provinces.tsv', ('cccd_prefix', 'cmnd_block', 'weight'),
          [(r['cccd_prefix'], CMND_BLOCK.get(r['gso_code'], r['gso_code']),
            round(1000 * BIRTH_PROVINCE.get(r['gso_code'], rest))) for r in all63])


def phones(src, dst):
    out = [(r['new_prefix_10digit'], r['old_prefix_11digit'], OPERATOR_WEIGHT[r['operator']])
           for r in rows(src, 'phone_prefix_2018.tsv')]
    out += [(p, '-', w) for p, w in TEN_DIGITS]
    write(dst, 'phone_prefixes.tsv', ('prefix', 'before_2018', 'weight'), out)


def split(text):
    return [line.split('|') for line in text.strip().split('\n')]


def main(src, dst):
    os.makedirs(dst, exist_ok=True)
    for make in (surnames, given_names, middle_names, wards, provinces, phones):
        make(src, dst)
    write(dst, 'streets.tsv', ('street',), [(s,) for s in STREETS])
    write(dst, 'vaccines.tsv', ('code', 'cvx', 'name', 'diseases'), split(VACCINES))
    write(dst, 'programmes.tsv', ('programme', 'born_from', 'born_to', 'sex', 'weight', 'first_from', 'first_to'),
          split(PROGRAMMES))
    write(dst, 'schedule.tsv', ('programme', 'vaccines', 'dose', 'days_from', 'days_to'), split(SCHEDULE))


if __name__ == '__main__':
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
