#!/usr/bin/env python3
"""Claims XML (QD 130/4750 with the reported 3176 changes) of invented patients.

    claims.py --out DIR [--dossiers 240] [--seed 1]

Writes into DIR the claims files of several facilities, in the order in which
they are to be sent (NNN_FACILITY.xml), and

    manifest.tsv    every fault planted: file, dossier, kind, record, element,
                    fault, and the rule that must name it
    truth.tsv       which person each patient number of a facility is

Each facility exports in its own style, with the deviations seen in real files:
decimal commas, byte order marks, two-digit provinces, old identity cards,
elements missing, empty, unknown, CDATA. The same seed gives the same bytes.
"""
import argparse
import base64
import datetime
import os
import random
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def table(name):
    """Rows of tables/claims_NAME.tsv as dicts."""
    with open(os.path.join(HERE, "tables", "claims_%s.tsv" % name), encoding="utf-8") as f:
        lines = [line.rstrip("\n").split("\t") for line in f]
    return [dict(zip(lines[0], row)) for row in lines[1:]]


class Dice:
    """Random choices built on random() alone, whose sequence Python promises to keep."""

    def __init__(self, seed):
        self.random = random.Random(seed).random

    def below(self, n):
        return int(self.random() * n)

    def between(self, low, high):
        return low + self.below(high - low + 1)

    def chance(self, p):
        return self.random() < p

    def one(self, items):
        return items[self.below(len(items))]

    def weighted(self, rows):
        total = sum(int(r["weight"]) for r in rows)
        at = self.random() * total
        for r in rows:
            at -= int(r["weight"])
            if at < 0:
                return r["word"]
        return rows[-1]["word"]

    def digits(self, n):
        return "".join(str(self.below(10)) for _ in range(n))


MARKLESS = str.maketrans(
    "ÀÁẢÃẠĂẰẮẲẴẶÂẦẤẨẪẬÈÉẺẼẸÊỀẾỂỄỆÌÍỈĨỊÒÓỎÕỌÔỒỐỔỖỘƠỜỚỞỠỢÙÚỦŨỤƯỪỨỬỮỰỲÝỶỸỴĐ",
    "AAAAAAAAAAAAAAAAAEEEEEEEEEEEIIIIIOOOOOOOOOOOOOOOOOUUUUUUUUUUUYYYYYD")


class Person:
    def __init__(self, number, dice, names, wards):
        def words(part, sex):
            return [n for n in names if n["part"] == part and n["sex"] in ("", sex)]

        self.number = number
        self.sex = "M" if dice.chance(0.46) else "F"
        age = dice.below(90)
        self.birth = datetime.date(2026, 1, 1) - datetime.timedelta(days=age * 365 + dice.below(365))
        self.year_only = age > 60 and dice.chance(0.15)
        self.name = " ".join([dice.weighted(words("surname", "")), dice.weighted(words("middle", self.sex)),
                              dice.weighted(words("given", self.sex))])
        # most live in a few wards, so that some counts of a commune are large enough to be told
        self.ward = wards[int(dice.random() ** 4 * len(wards))]
        century = {19: 0, 20: 2}[self.birth.year // 100] + (self.sex == "F")
        self.cccd = "0%s%d%02d%s" % (dice.one(["01", "79", "48", "31", "92", "38", "66", "91"]), century,
                                     self.birth.year % 100, dice.digits(6))
        self.cmnd = "1" + dice.digits(8)
        self.phone = "09" + dice.digits(8)
        self.insurance = "%s%s%08d" % (self.ward["province"], "", 20000000 + number * 37)
        self.house = dice.between(1, 399)
        self.weight = 3.2 if age == 0 else min(12 + age * 3.2, 48 + dice.below(30))


class Facility:
    def __init__(self, row):
        self.code = row["code"]
        self.style = row["style"]
        self.per_file = int(row["dossiers_per_file"])
        self.patients = {}
        self.count = 0

    def patient_number(self, person):
        return self.patients.setdefault(person.number, "%s%05d" % (self.code[:2], len(self.patients) + 1))

    # ---- how this facility writes values ----

    def decimal(self, value, places):
        text = "%.*f" % (places, value)
        return text.replace(".", ",") if self.style == "old-export" else text

    def province(self, code):
        return code if self.style in ("old-export", "station") else "0" + code

    def doctor(self, n):
        return "%06d/%s-CCHN" % (1200 + n, "SYT") if self.style == "old-export" else "SYN%05d" % (400 + n)


def minute(t):
    return t.strftime("%Y%m%d%H%M")


def escaped(text, style):
    if style in ("exact", "many") and not text.isascii() and "]]>" not in text:
        return "<![CDATA[%s]]>" % text
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class Record:
    """The elements of one record, in the order of the form; what is not set is empty."""

    def __init__(self, form, **values):
        self.form = form
        self.values = values
        self.dropped = set()
        self.extra = []         # (name, text) of elements that no form knows

    def xml(self, style, indent):
        lines = []
        for name in self.form["elements"].split():
            text = self.values.get(name, "")
            if name in self.dropped:
                continue
            if text == "":
                lines.append("%s<%s%s" % (indent, name, "/>" if style != "unknown-elements" else "></%s>" % name))
            else:
                lines.append("%s<%s>%s</%s>" % (indent, name, escaped(str(text), style), name))
        for name, text in self.extra:
            lines.append("%s<%s>%s</%s>" % (indent, name, escaped(text, style), name))
        return lines


class Dossier:
    def __init__(self, facility, person, ma_lk):
        self.facility = facility
        self.person = person
        self.ma_lk = ma_lk
        self.files = {}         # kind -> [Record]
        self.raw = {}           # kind -> bytes of the inner file, in place of the records
        self.base64 = {}        # kind -> text of NOIDUNGFILE, in place of both

    def inner(self, kind, forms):
        if kind in self.raw:
            return self.raw[kind]
        form = forms[kind]
        style = self.facility.style
        lines = ['<?xml version="1.0" encoding="utf-8"?>', "<%s>" % form["root"]]
        if form["record"]:
            lines.append("  <%s>" % form["list"])
            for r in self.files[kind]:
                lines += ["    <%s>" % form["record"]] + r.xml(style, "      ") + ["    </%s>" % form["record"]]
            lines.append("  </%s>" % form["list"])
        else:
            for r in self.files[kind]:
                lines += r.xml(style, "  ")
        lines.append("</%s>" % form["root"])
        bom = b"\xef\xbb\xbf" if style == "bom" else b""
        return bom + "\n".join(lines).encode("utf-8") + b"\n"

    def xml(self, forms):
        lines = ["      <HOSO>"]
        for kind in sorted(set(self.files) | set(self.raw) | set(self.base64), key=lambda k: int(k[3:])):
            text = self.base64.get(kind)
            if text is None:
                text = base64.b64encode(self.inner(kind, forms)).decode("ascii")
            lines += ["        <FILEHOSO>", "          <LOAIHOSO>%s</LOAIHOSO>" % kind,
                      "          <NOIDUNGFILE>%s</NOIDUNGFILE>" % text, "        </FILEHOSO>"]
        return lines + ["      </HOSO>"]


class Maker:
    def __init__(self, seed):
        self.dice = Dice(seed)
        self.forms = {f["kind"]: f for f in table("forms")}
        self.wards = table("wards")
        self.names = table("names")
        self.drugs = {d["name"]: d for d in table("drugs")}
        self.tests = {t["name"]: t for t in table("tests")}
        self.diagnoses = table("diagnoses")
        self.facilities = [Facility(r) for r in table("facilities")]

    # ---- one dossier ----

    def dossier(self, facility, person):
        dice = self.dice
        facility.count += 1
        d = Dossier(facility, person, "HS.2026.%s%05d" % (facility.code, facility.count))
        fitting = [x for x in self.diagnoses
                   if not (x["code"][0] in "OZ" and (person.sex != "F" or not 1975 < person.birth.year < 2006))
                   and not (facility.style == "station" and x["inpatient"] == "1")]
        main = dice.one(fitting)
        others = [x for x in (dice.one(self.diagnoses[:12]) for _ in range(dice.below(3))) if x is not main]
        inpatient = main["inpatient"] == "1"
        start = datetime.datetime(2025, 9, 1, 7, 0) + datetime.timedelta(minutes=dice.below(400 * 24 * 60))
        end = start + (datetime.timedelta(days=dice.between(2, 8), hours=3) if inpatient
                       else datetime.timedelta(minutes=dice.between(60, 260)))
        visit = {"main": main, "others": others, "inpatient": inpatient, "start": start, "end": end}
        self.drug_rows(d, visit)
        self.service_rows(d, visit)
        if inpatient or dice.chance(0.3):
            self.notes(d, visit)
        d.files["XML1"] = [self.summary(d, visit)]
        if inpatient and dice.chance(0.5):
            d.files["XML7"] = [Record(self.forms["XML7"], MA_LK=d.ma_lk, NGAY_VAO=minute(start), NGAY_RA=minute(end),
                                      CHAN_DOAN_RV=main["text"], MA_KHOA_RV="K03", NGAY_CT=minute(end)[:8])]
        if inpatient and facility.style == "exact" and dice.chance(0.25):
            self.transfer(d, visit)
        return d

    def money(self, facility, quantity, price, share):
        total = round(quantity * price, 2)
        paid = round(total * share / 100, 2)
        return {"THANH_TIEN_BV": facility.decimal(total, 2), "THANH_TIEN_BH": facility.decimal(total, 2),
                "T_BNCCT": facility.decimal(total - paid, 2), "T_BHTT": facility.decimal(paid, 2),
                "T_BNTT": facility.decimal(0, 2), "T_NGUONKHAC": facility.decimal(0, 2),
                "T_NGUONKHAC_NSNN": "0", "T_NGUONKHAC_VTNN": "0", "T_NGUONKHAC_VTTN": "0", "T_NGUONKHAC_CL": "0",
                "TYLE_TT_BH": "100", "MUC_HUONG": share, "MA_PTTT": "1", "PHAM_VI": "1"}, total

    def drug_rows(self, d, visit):
        rows = []
        visit["drug_total"] = 0
        names = visit["main"]["drugs"].split() + [n for o in visit["others"] for n in o["drugs"].split()]
        for n, name in enumerate(dict.fromkeys(names), 1):
            drug = self.drugs[name]
            quantity = self.dice.one([10, 14, 20, 30, 60])
            money, total = self.money(d.facility, quantity, float(drug["price"]), 80)
            visit["drug_total"] += total
            rows.append(Record(
                self.forms["XML2"], MA_LK=d.ma_lk, STT=n, MA_THUOC=drug["code"], MA_NHOM="4", TEN_THUOC=drug["text"],
                DON_VI_TINH=drug["unit"], HAM_LUONG=drug["strength"], DUONG_DUNG=drug["route"],
                DANG_BAO_CHE="" if d.facility.style == "old-export" else drug["form"], LIEU_DUNG=drug["dose"],
                CACH_DUNG="" if self.dice.chance(0.6) else "Uống sau ăn", SO_DANG_KY=drug["registration"],
                TT_THAU="12/QĐ-MAU;G1;N4;2025", SO_LUONG=d.facility.decimal(quantity, 3),
                DON_GIA=d.facility.decimal(float(drug["price"]), 3), MA_KHOA="K01",
                MA_BAC_SI=d.facility.doctor(n % 3), NGAY_YL=minute(visit["start"] + datetime.timedelta(minutes=50)),
                NGAY_TH_YL=minute(visit["start"] + datetime.timedelta(minutes=55)), NGUON_CTRA="1", **money))
        if rows:
            d.files["XML2"] = rows

    def service(self, d, visit, stt, code, text, group, price, at, quantity=1, unit="Lần", **more):
        money, total = self.money(d.facility, quantity, float(price), 80)
        visit["service_total"] += total
        values = dict(MA_LK=d.ma_lk, STT=stt, MA_DICH_VU=code, MA_NHOM=group, TEN_DICH_VU=text, DON_VI_TINH=unit,
                      SO_LUONG=quantity if d.facility.style == "old-export" else "%.3f" % quantity,
                      DON_GIA_BV=d.facility.decimal(float(price), 3), DON_GIA_BH=d.facility.decimal(float(price), 3),
                      TYLE_TT_DV="100", MA_KHOA="K01", MA_BAC_SI=d.facility.doctor(1),
                      NGUOI_THUC_HIEN=d.facility.doctor(2) + (";" + d.facility.doctor(4) if group == "2" else ""),
                      MA_BENH=visit["main"]["code"], NGAY_YL=minute(at),
                      NGAY_TH_YL=minute(at + datetime.timedelta(minutes=5)),
                      NGAY_KQ=minute(at + datetime.timedelta(minutes=65)) if group in "12" else "", **money)
        values.update(more)
        return Record(self.forms["XML3"], **values)

    def service_rows(self, d, visit):
        visit["service_total"] = 0
        visit["supply_total"] = 0
        at = visit["start"] + datetime.timedelta(minutes=5)
        rows = [self.service(d, visit, 1, "01.0001", "Khám bệnh", "13", 42100, at)]
        results = []
        names = visit["main"]["tests"].split() + [n for o in visit["others"] for n in o["tests"].split()]
        for name in dict.fromkeys(names):
            test = self.tests[name]
            rows.append(self.service(d, visit, len(rows) + 1, test["service"], test["text"], test["group"], test["price"], at,
                                     MA_MAY="XN.1.%s.M%02d" % (d.facility.code, len(rows))))
            self.results(d, visit, test, results)
        if visit["inpatient"]:
            days = (visit["end"] - visit["start"]).days
            rows.append(self.service(d, visit, len(rows) + 1, "K03.1912", "Giường nội khoa", "15", 187100, at, days, "Ngày",
                                     MA_GIUONG="H%03d" % self.dice.between(1, 40), NGAY_KQ=minute(visit["end"])))
            supply = self.service(d, visit, len(rows) + 1, "", "", "10", 3150, at, 4, "Cái",
                                  MA_VAT_TU="N03.02.070.0%03d" % self.dice.below(999), TEN_VAT_TU="Kim luồn tĩnh mạch", TT_THAU="7/QĐ-MAU;G2;N1;2025")
            visit["supply_total"] += 4 * 3150
            rows.append(supply)
        d.files["XML3"] = rows
        if results:
            d.files["XML4"] = results

    def results(self, d, visit, test, rows):
        for one in test["results"].split(";"):
            code, text, unit, low, high = one.split("|")
            values = dict(MA_LK=d.ma_lk, STT=len(rows) + 1, MA_DICH_VU=test["service"], TEN_CHI_SO=text,
                          MA_CHI_SO="" if self.dice.chance(0.15) else code, DON_VI_DO=unit,
                          NGAY_KQ=minute(visit["start"] + datetime.timedelta(minutes=70)), MA_BS_DOC_KQ=d.facility.doctor(2))
            if low == "image":
                values.update(MO_TA="Phổi hai bên sáng đều, bóng tim không to", KET_LUAN="Chưa thấy bất thường")
            elif low == "text":
                values["GIA_TRI"] = self.dice.one(["âm tính", "1+", "< 0,1"])
            else:
                value = float(low) + (float(high) - float(low)) * self.dice.random()
                values["GIA_TRI"] = d.facility.decimal(value, 1)
            rows.append(Record(self.forms["XML4"], **values))

    def notes(self, d, visit):
        days = max(1, min(4, (visit["end"] - visit["start"]).days))
        texts = ["Tỉnh, tiếp xúc tốt, %s" % visit["main"]["text"].lower(), "Đỡ hơn, ăn uống được", "Huyết áp ổn định, không sốt", "Ổn định, cho ra viện"]
        d.files["XML5"] = [
            Record(self.forms["XML5"], MA_LK=d.ma_lk, STT=n + 1, DIEN_BIEN_LS="" if self.dice.chance(0.04) else texts[n],
                   HOI_CHAN="Hội chẩn khoa: tiếp tục phác đồ" if self.dice.chance(0.1) else "",
                   THOI_DIEM_DBLS=minute(visit["start"] + datetime.timedelta(days=n, minutes=40)),
                   NGUOI_THUC_HIEN=d.facility.doctor(1))
            for n in range(days)]

    def identity(self, d):
        """The patient's own elements, as this facility knows and writes them."""
        p, f, dice = d.person, d.facility, self.dice
        name = p.name.upper()
        if f.style == "station" and dice.chance(0.4):
            name = name.translate(MARKLESS)
        if f.style == "old-export":
            number = p.cmnd if dice.chance(0.3) and p.birth.year < 2005 else ""
        else:
            number = p.cccd if dice.chance(0.85) else ""
        if p.number % 61 == 7:
            number = "FRA-2026-%08d-RESIDENCE" % p.number       # longer than the 15 that 4750 allows
        ward = p.ward
        prefix = {True: "TE1", False: dice.one(["GD4", "DN4", "HT3", "CN3"])}[p.birth.year >= 2020]
        return dict(
            MA_BN=f.patient_number(p), HO_TEN=name, SO_CCCD=number,
            NGAY_SINH=p.birth.strftime("%Y") + "00000000" if p.year_only else p.birth.strftime("%Y%m%d") + "0000",
            GIOI_TINH="1" if p.sex == "M" else "2", MA_QUOCTICH="000", MA_DANTOC="01", MA_NGHE_NGHIEP="00000",
            DIA_CHI="Số %d, %s, %s" % (p.house, ward["name"], ward["province_name"]),
            MATINH_CU_TRU=f.province(ward["province"]),
            MAHUYEN_CU_TRU=ward["old_district"] if f.style in ("districts", "old-export") else "",
            MAXA_CU_TRU=ward["ward"], DIEN_THOAI="" if f.style == "old-export" and dice.chance(0.8) else p.phone,
            MA_THE_BHYT=prefix + p.insurance[:2] + p.insurance, MA_DKBD=f.code, GT_THE_TU="20260101", GT_THE_DEN="20261231")

    def summary(self, d, visit):
        f, dice = d.facility, self.dice
        total = visit["drug_total"] + visit["service_total"]
        values = self.identity(d)
        codes = list(dict.fromkeys(o["code"] for o in visit["others"]))
        values.update(
            MA_LK=d.ma_lk, STT=f.count, LY_DO_VV=visit["main"]["reason"], CHAN_DOAN_VAO="Theo dõi " + visit["main"]["text"].lower(),
            CHAN_DOAN_RV="; ".join([visit["main"]["text"]] + [o["text"] for o in visit["others"]]),
            MA_BENH_CHINH=visit["main"]["code"].replace(".", "") if f.style == "station" else visit["main"]["code"],
            MA_BENH_KT=";".join(codes), MA_DOITUONG_KCB=dice.one(["1.1", "1.3", "2"]),
            MA_TAI_NAN="1" if visit["main"]["code"][0] == "S" else "0", NGAY_VAO=minute(visit["start"]), NGAY_RA=minute(visit["end"]),
            SO_NGAY_DTRI=(visit["end"] - visit["start"]).days + 1 if visit["inpatient"] else 0, PP_DIEU_TRI="Thuốc",
            KET_QUA_DTRI="2", MA_LOAI_RV="1", GHI_CHU="Uống thuốc theo đơn", NGAY_TTOAN=minute(visit["end"]),
            T_THUOC=f.decimal(visit["drug_total"], 2), T_VTYT=f.decimal(visit["supply_total"], 2),
            T_TONGCHI_BV=f.decimal(total, 2), T_TONGCHI_BH=f.decimal(total, 2), T_BNTT=f.decimal(0, 2),
            T_BNCCT=f.decimal(total * 0.2, 2), T_BHTT=f.decimal(total * 0.8, 2), T_NGUONKHAC=f.decimal(0, 2), T_BHTT_GDV="0",
            NAM_QT=visit["end"].year, THANG_QT=visit["end"].month,
            MA_LOAI_KCB="03" if visit["inpatient"] else "05" if visit["main"]["code"][:3] in ("I10", "E11") else "01",
            MA_KHOA="K03" if visit["inpatient"] else "K01", MA_CSKCB=f.code, CAN_NANG="%.2f" % d.person.weight,
            NGAY_TAI_KHAM=(visit["end"] + datetime.timedelta(days=28)).strftime("%Y%m%d"), MA_HSBA=d.ma_lk)
        if f.style != "old-export":
            values["MA_TTDV"] = "SYN-GPHN-%s-000001" % f.code     # 3176: the licence of the signer
        if visit["inpatient"]:
            values.update(NGAY_VAO_NOI_TRU=minute(visit["start"] + datetime.timedelta(minutes=50)), LY_DO_VNT=visit["main"]["reason"])
        if f.style == "many" and dice.chance(0.1):
            # the card changed during the encounter: parallel lists
            second = "HT3" + values["MA_THE_BHYT"][3:]
            values.update(MA_THE_BHYT=values["MA_THE_BHYT"] + ";" + second, MA_DKBD=f.code + ";" + f.code,
                          GT_THE_TU="20260101;20260701", GT_THE_DEN="20260630;20261231")
        record = Record(self.forms["XML1"], **values)
        if f.style == "bom":
            record.dropped.add("MA_DOITUONG_KCB")
        if f.style == "unknown-elements":
            record.extra.append(("MA_VONG_TAY", "VT%05d" % d.person.number))
        return record

    def transfer(self, d, visit):
        one = self.identity(d)
        d.files["XML13"] = [Record(
            self.forms["XML13"], MA_LK=d.ma_lk, SO_HOSO=d.ma_lk, MA_CSKCB=d.facility.code, MA_CSKCB_DI=d.facility.code,
            MA_CSKCB_DEN="01001", HO_TEN=one["HO_TEN"], NGAY_SINH=one["NGAY_SINH"], GIOI_TINH=one["GIOI_TINH"],
            NGAY_VAO=minute(visit["start"]), NGAY_RA=minute(visit["end"]), TINH_TRANG_CT="Tỉnh, mạch ổn định",
            MA_LOAI_RV="2", MA_LYDO_CT="1", PHUONGTIEN_VC="Xe cứu thương")]


# ---- faults, each with the rule that must name it ----

def break_value(d, kind, element, text):
    record = d.files[kind][-1]
    record.values[element] = text
    return kind, len(d.files[kind]), element


def break_service_date(d):
    return break_value(d, "XML3", "NGAY_YL", "202613450730")


def break_end(d):
    return break_value(d, "XML1", "NGAY_RA", "20261345")


def break_sex(d):
    return break_value(d, "XML1", "GIOI_TINH", "9")


def break_number(d):
    return break_value(d, "XML1", "SO_CCCD", "000000000000")


def break_quantity(d):
    return break_value(d, "XML3", "SO_LUONG", "mười")


def break_key(d):
    return break_value(d, "XML3", "MA_LK", "")


def break_foreign_row(d):
    return break_value(d, "XML3", "MA_LK", "HS.2020.0000000")


def break_facility(d):
    return break_value(d, "XML1", "MA_CSKCB", "99999")


def break_start(d):
    return break_value(d, "XML1", "NGAY_VAO", "202602300730")


def break_base64(d):
    d.base64["XML3"] = "@@@ this is not base64 @@@"
    return "XML3", 0, ""


def break_xml(d, forms):
    whole = d.inner("XML3", forms)
    d.raw["XML3"] = whole[:len(whole) * 2 // 3]
    return "XML3", 0, ""


def break_doctype(d, forms):
    d.raw["XML3"] = (b'<!DOCTYPE a [<!ENTITY b "cc"><!ENTITY d "&b;&b;&b;">]>\n<CHITIEU_CHITIET_DVKT_VTYT>&d;'
                     b"</CHITIEU_CHITIET_DVKT_VTYT>")
    return "XML3", 0, ""


def break_summary(d):
    del d.files["XML1"]
    return "XML1", 0, ""


FAULTS = [
    (break_service_date, "not-a-date", "element"), (break_end, "not-a-date", "element"),
    (break_sex, "not-in-list", "element"), (break_number, "placeholder", "element"),
    (break_quantity, "not-a-number", "element"), (break_key, "required-missing", "record"),
    (break_foreign_row, "another-dossier", "record"), (break_facility, "another-facility", "dossier"),
    (break_start, "not-a-date", "dossier"), (break_base64, "not-base64", "dossier"),
    (break_xml, "not-well-formed", "dossier"), (break_doctype, "doctype", "dossier"),
    (break_summary, "required-missing", "dossier"),
]


def plant(dossiers, maker):
    """Plants each fault once for every hundred dossiers; returns rows of the manifest without their file."""
    planted = []
    step = max(1, len(dossiers) // (len(FAULTS) * max(1, len(dossiers) // 100)))
    for n, at in enumerate(range(step // 2, len(dossiers), step)):
        breaker, rule, scope = FAULTS[n % len(FAULTS)]
        d = dossiers[at]
        kind, record, element = breaker(d, maker.forms) if breaker in (break_xml, break_doctype) else breaker(d)
        planted.append((d, kind, record, element, scope, rule))
    return planted


# ---- files ----

def write_file(path, facility_code, dossiers, forms, day):
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<GIAMDINHHS>", "  <THONGTINDONVI>",
             "    <MACSKCB>%s</MACSKCB>" % facility_code, "  </THONGTINDONVI>", "  <THONGTINHOSO>",
             "    <NGAYLAP>%s</NGAYLAP>" % day, "    <SOLUONGHOSO>%d</SOLUONGHOSO>" % len(dossiers), "    <DANHSACHHOSO>"]
    for d in dossiers:
        lines += d.xml(forms)
    lines += ["    </DANHSACHHOSO>", "  </THONGTINHOSO>", "  <CHUKYDONVI/>", "</GIAMDINHHS>"]
    with open(path, "wb") as f:
        f.write("\n".join(lines).encode("utf-8") + b"\n")


def resent(d, maker):
    """The same dossier again, corrected: another outcome, its last drug or service withdrawn."""
    again = Dossier(d.facility, d.person, d.ma_lk)
    again.files = {kind: list(records) for kind, records in d.files.items()}
    first = d.files["XML1"][0]
    again.files["XML1"] = [Record(first.form, **dict(first.values, KET_QUA_DTRI="1"))]
    again.files["XML1"][0].dropped = first.dropped
    rows = "XML2" if len(d.files.get("XML2", [])) > 1 else "XML3"
    again.files[rows] = d.files[rows][:-1]
    return again


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", required=True)
    options.add_argument("--dossiers", type=int, default=240)
    options.add_argument("--seed", type=int, default=1)
    args = options.parse_args()

    maker = Maker(args.seed)
    dice = maker.dice
    people = [Person(n, dice, maker.names, maker.wards) for n in range(1, max(2, args.dossiers * 6 // 10) + 1)]
    dossiers = []
    for n in range(args.dossiers):
        facility = maker.facilities[n % len(maker.facilities)]
        dossiers.append(maker.dossier(facility, dice.one(people)))
    planted = plant(dossiers, maker)
    broken = {id(row[0]) for row in planted}

    os.makedirs(args.out, exist_ok=True)
    files = []                  # (facility code, [dossier])
    for facility in maker.facilities:
        own = [d for d in dossiers if d.facility is facility]
        for at in range(0, len(own), facility.per_file):
            files.append((facility.code, own[at:at + facility.per_file]))
    again = next(d for d in dossiers if id(d) not in broken and len(d.files["XML3"]) > 1)
    files.append((again.facility.code, [resent(again, maker)]))

    places = {}
    for n, (code, group) in enumerate(files, 1):
        name = "%03d_%s.xml" % (n, code)
        write_file(os.path.join(args.out, name), code, group, maker.forms, "20261101")
        for at, d in enumerate(group, 1):
            places[id(d)] = (name, at)
    with open(os.path.join(args.out, "manifest.tsv"), "w", encoding="utf-8") as f:
        f.write("file\tdossier\tkind\trecord\telement\tscope\trule\n")
        for d, kind, record, element, scope, rule in planted:
            f.write("%s\t%d\t%s\t%d\t%s\t%s\t%s\n" % (*places[id(d)], kind, record, element, scope, rule))
        f.write("%s\t1\t\t0\t\tdossier\tresent\n" % name)
    with open(os.path.join(args.out, "truth.tsv"), "w", encoding="utf-8") as f:
        f.write("facility\tpatient\tperson\n")
        for facility in maker.facilities:
            for person, patient in sorted(facility.patients.items()):
                f.write("%s\t%s\t%d\n" % (facility.code, patient, person))
    print("%d dossiers of %d facilities in %d files, %d faults planted, 1 dossier resent" %
          (len(dossiers) + 1, len(maker.facilities), len(files), len(planted)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
