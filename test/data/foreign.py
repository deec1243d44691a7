#!/usr/bin/env python3
"""Registers of made-up countries with known truth, for linking by a comparison definition.

    foreign.py SCHEMA ROWS SEED > rows.csv

Columns: id, the fields of the schema, and cluster, which is the truth. The same arguments give the same bytes.

register   people of a town with address, postcode and a number; up to five slightly damaged copies of some
parish     persons of a historical file: name, dates, place, trade; about ten entries each, many with missing
           fields, short names, other spellings, a changed surname or trade
roll       names and dates of birth in parts; one row in ten is another's copy with one mistake
two        register taken twice: each person once in source a and, damaged, in source b

Harsher, each in clusters of up to ten and with up to three slips in a field:
clinic     patients: a fifth of each field missing, given and family name swapped, families, removals
electors   names, age, party, address: three in ten rows live elsewhere, one in ten has another surname
chronicle  persons of history, 2 to 20 entries: other names, other places, years for dates, half of the trades missing
census     one column for the name, its words in any order; date or year of birth, town and sex

Names, places and streets are syllables drawn with shares that fall as one over the rank: no real list was used.
"""
import csv
import random
import sys

VOWELS = "aeiou"
ONSETS = ["b", "br", "c", "d", "f", "g", "gr", "h", "j", "k", "l", "m", "n", "p", "r", "s", "st", "t", "th", "v", "w"]
CODAS = ["", "", "n", "r", "l", "s", "t", "m", "ck", "nd"]
KEYS = ["qwertyuiop", "asdfghjkl", "zxcvbnm"]


def lists(rng):
    def word(least, most):
        return "".join(rng.choice(ONSETS) + rng.choice(VOWELS) + (rng.choice(CODAS) if rng.random() < 0.6 else "")
                       for _ in range(rng.randint(least, most)))

    def many(n, least, most):
        seen = []
        known = set()
        while len(seen) < n:
            w = word(least, most)
            if len(w) > 2 and w not in known:
                known.add(w)
                seen.append(w)
        return seen

    return {"given": many(500, 1, 3), "surname": many(4000, 2, 3), "street": many(1500, 2, 3), "suburb": many(600, 2, 4),
            "place": many(400, 2, 3), "trade": many(120, 2, 4)}


def zipf(rng, values, power=0.8, _cache={}):
    key = (id(values), power)
    if key not in _cache:
        total = 0.0
        sums = []
        for rank in range(1, len(values) + 1):
            total += 1.0 / rank ** power
            sums.append(total)
        _cache[key] = sums
    return rng.choices(values, cum_weights=_cache[key])[0]


def slip(rng, text, digits=False):
    """One typing mistake."""
    if not text:
        return text
    at = rng.randrange(len(text))
    kind = rng.random()
    if kind < 0.4:
        c = text[at]
        row = next((r for r in KEYS if c in r), None)
        near = row[max(0, row.index(c) - 1):row.index(c) + 2].replace(c, "") if row else "0123456789".replace(c, "")
        return text[:at] + rng.choice(near or "e") + text[at + 1:]
    if kind < 0.6 and not digits:
        return text[:at] + text[at + 1:]
    if kind < 0.8 and not digits:
        return text[:at] + rng.choice("aeinrst") + text[at:]
    if at + 1 < len(text):
        return text[:at] + text[at + 1] + text[at] + text[at + 2:]
    return text[:at] + rng.choice("0123456789" if digits else "aeinrst")


def day(rng, first, last):
    return "%04d-%02d-%02d" % (rng.randint(first, last), rng.randint(1, 12), rng.randint(1, 28))


REGISTER = ["given_name", "surname", "street_number", "address_1", "address_2", "suburb", "postcode", "state", "date_of_birth", "soc_sec_id"]


def town(rng, words):
    postcode = {s: "%04d" % rng.randint(1000, 8999) for s in words["suburb"]}
    state = {s: rng.choice(["nsw", "vic", "qld", "wa", "sa"]) for s in words["suburb"]}

    def person():
        suburb = zipf(rng, words["suburb"])
        return {"given_name": zipf(rng, words["given"]), "surname": zipf(rng, words["surname"]),
                "street_number": str(rng.randint(1, 200)), "address_1": zipf(rng, words["street"]) + " " + rng.choice(["street", "place", "crescent", "circuit"]),
                "address_2": zipf(rng, words["street"]) + " " + rng.choice(["village", "estate", "park"]) if rng.random() < 0.6 else "",
                "suburb": suburb, "postcode": postcode[suburb], "state": state[suburb],
                "date_of_birth": day(rng, 1900, 1999).replace("-", "") if rng.random() < 0.95 else "", "soc_sec_id": str(rng.randint(1000000, 9999999))}
    return person


def family(rng, person, other):
    """Shares house and surname with another."""
    for field in ("surname", "street_number", "address_1", "address_2", "suburb", "postcode", "state"):
        person[field] = other[field]
    return person


def damaged(rng, person, words, mistakes):
    copy = dict(person)
    for _ in range(mistakes):
        field = rng.choice(REGISTER)
        kind = rng.random()
        if kind < 0.12:
            copy[field] = ""
        elif kind < 0.2:
            copy["given_name"], copy["surname"] = copy["surname"], copy["given_name"]
        elif kind < 0.25:
            copy["address_1"], copy["address_2"] = copy["address_2"], copy["address_1"]
        elif kind < 0.32:
            copy["suburb"] = zipf(rng, words["suburb"])
        elif kind < 0.36:
            copy["surname"] = zipf(rng, words["surname"])
        else:
            copy[field] = slip(rng, copy[field], field in ("postcode", "date_of_birth", "soc_sec_id", "street_number"))
    return copy


def register(rng, words, rows):
    person = town(rng, words)
    out = []
    cluster = 0
    last = None
    while len(out) < rows:
        one = person()
        if last is not None and rng.random() < 0.15:
            family(rng, one, last)
        last = one
        out.append((one, cluster))
        if rng.random() < 0.4:
            for _ in range(rng.choice([1, 1, 1, 2, 2, 3, 5])):
                out.append((damaged(rng, one, words, rng.randint(1, 6)), cluster))
        cluster += 1
    return REGISTER, out[:rows]


def two(rng, words, rows):
    person = town(rng, words)
    out = []
    for cluster in range(rows // 2):
        one = person()
        out.append((dict(one, source="a"), cluster))
        out.append((dict(damaged(rng, one, words, rng.randint(1, 5)), source="b"), cluster))
    return ["source"] + REGISTER, out


PARISH = ["first_name", "surname", "dob", "birth_place", "postcode", "sex", "occupation"]


def parish(rng, words, rows):
    out = []
    cluster = 0
    short = {g: g[:rng.randint(2, 4)] + rng.choice(["", "ie", "y"]) for g in words["given"]}
    while len(out) < rows:
        first = [zipf(rng, words["given"]) for _ in range(rng.choice([1, 1, 2, 2, 3]))]
        surname = zipf(rng, words["surname"])
        married = zipf(rng, words["surname"]) if rng.random() < 0.15 else surname
        dob = day(rng, 1820, 1900)
        place = zipf(rng, words["place"])
        codes = ["%s%d %d%s" % (place[:2], rng.randint(1, 12), rng.randint(1, 9), rng.choice(["ab", "cd", "ef", "gh"])) for _ in range(2)]
        trades = [zipf(rng, words["trade"]) for _ in range(2)]
        sex = rng.choice("mf")
        for _ in range(max(1, int(rng.expovariate(1 / 10.0)))):
            name = list(first) if rng.random() < 0.6 else first[:1]
            if rng.random() < 0.12:
                name[0] = short[name[0]]
            row = {"first_name": " ".join(name), "surname": married if rng.random() < 0.25 else surname, "dob": dob, "birth_place": place,
                   "postcode": codes[rng.random() < 0.3], "sex": sex, "occupation": trades[rng.random() < 0.3]}
            if rng.random() < 0.15:
                row["first_name"] = slip(rng, row["first_name"])
            if rng.random() < 0.15:
                row["surname"] = slip(rng, row["surname"])
            if rng.random() < 0.10:
                row["dob"] = slip(rng, dob, True) if rng.random() < 0.5 else dob[:4] + "-01-01"
            if rng.random() < 0.08:
                row["birth_place"] = zipf(rng, words["place"])
            for field, share in (("first_name", 0.03), ("surname", 0.03), ("dob", 0.15), ("birth_place", 0.2), ("postcode", 0.25), ("sex", 0.05), ("occupation", 0.4)):
                if rng.random() < share:
                    row[field] = ""
            out.append((row, cluster))
        cluster += 1
    return PARISH, out[:rows]


def slips(rng, text, most, digits=False):
    for _ in range(rng.randint(1, most)):
        text = slip(rng, text, digits)
    return text


def blank(rng, row, shares):
    for field, share in shares.items():
        if rng.random() < share:
            row[field] = ""
    return row


CLINIC = ["given", "surname", "birth", "street", "house", "town", "zip", "phone", "email", "id_no"]


def home(person):
    return {"street": person["address_1"], "house": person["street_number"], "town": person["suburb"], "zip": person["postcode"]}


def clinic(rng, words, rows):
    person = town(rng, words)
    out = []
    cluster = 0
    last = None
    while len(out) < rows:
        p = person()
        if last is not None and rng.random() < 0.2:
            family(rng, p, last)
        last = p
        born = day(rng, 1920, 2015)
        one = dict(home(p), given=p["given_name"], surname=p["surname"], birth="%s/%s/%s" % (born[8:], born[5:7], born[:4]),
                   phone="0%09d" % rng.randint(0, 999999999), id_no="%08d" % rng.randint(0, 99999999),
                   email=p["given_name"][:1] + p["surname"] + str(rng.randint(1, 99)) + "@mail.test" if rng.random() < 0.5 else "")
        for _ in range(rng.choice([1, 1, 1, 2, 2, 3, 4, 6, 8, 10])):
            row = dict(one)
            for field in CLINIC:
                if rng.random() < 0.15:
                    row[field] = slips(rng, row[field], 3, field in ("birth", "house", "zip", "phone", "id_no"))
            if rng.random() < 0.08:
                row["given"], row["surname"] = row["surname"], row["given"]
            if rng.random() < 0.05:
                row["phone"] = "0%09d" % rng.randint(0, 999999999)
            if rng.random() < 0.06:
                row.update(home(person()))
            out.append((blank(rng, row, dict.fromkeys(CLINIC, 0.2)), cluster))
        cluster += 1
    return CLINIC, out[:rows]


ELECTORS = ["first", "middle", "last", "age", "party", "street", "city", "zip", "registered"]


def electors(rng, words, rows):
    person = town(rng, words)
    parties = ["red", "green", "blue", "none"]

    def lives(p):
        return {"street": p["street_number"] + " " + p["address_1"], "city": p["suburb"], "zip": p["postcode"]}

    out = []
    cluster = 0
    while len(out) < rows:
        p = person()
        age = rng.randint(20, 90)
        one = dict(lives(p), first=p["given_name"], middle=zipf(rng, words["given"]) if rng.random() < 0.8 else "", last=p["surname"],
                   age=str(age), party=rng.choice(parties), registered=day(rng, 1980, 2019))
        for _ in range(rng.choice([1, 1, 1, 1, 2, 2, 3, 5, 10])):
            row = dict(one)
            if rng.random() < 0.2:
                row["middle"] = row["middle"][:1]
            if rng.random() < 0.1:
                row["last"] = zipf(rng, words["surname"])
            if rng.random() < 0.3:
                row.update(lives(person()))
            if rng.random() < 0.15:
                row["age"] = str(age + rng.choice([-1, 1, 1, 2]))
            if rng.random() < 0.1:
                row["party"] = rng.choice(parties)
            if rng.random() < 0.05:
                row["registered"] = day(rng, 1980, 2019)
            for field in ELECTORS:
                if rng.random() < 0.1:
                    row[field] = slips(rng, row[field], 3, field in ("age", "zip", "registered"))
            out.append((blank(rng, row, dict.fromkeys(ELECTORS, 0.1)), cluster))
        cluster += 1
    return ELECTORS, out[:rows]


def chronicle(rng, words, rows):
    out = []
    cluster = 0
    while len(out) < rows:
        firsts = [zipf(rng, words["given"], 1.1) for _ in range(rng.choice([1, 1, 1, 2, 2, 3]))]
        surnames = [zipf(rng, words["surname"], 0.9) for _ in range(rng.choice([1, 1, 2, 3]))]
        trades = [zipf(rng, words["trade"], 1.2) for _ in range(rng.choice([1, 1, 2]))]
        dob = day(rng, 1600, 1900)
        place = zipf(rng, words["place"], 1.0)
        codes = ["%s%d %d%s" % (place[:2], rng.randint(1, 5), rng.randint(1, 9), rng.choice(["ab", "cd", "ef", "gh"])) for _ in range(4)]
        sex = rng.choice("mmf")
        for _ in range(rng.randint(2, 20)):
            row = {"first_name": rng.choice(firsts) if rng.random() < 0.35 else firsts[0], "surname": rng.choice(surnames) if rng.random() < 0.35 else surnames[0],
                   "dob": dob, "birth_place": place, "postcode": rng.choice(codes), "sex": sex, "occupation": rng.choice(trades)}
            if rng.random() < 0.12:
                row["first_name"] = row["first_name"][:rng.randint(2, 4)]
            for field in ("first_name", "surname", "birth_place"):
                if rng.random() < 0.15:
                    row[field] = slips(rng, row[field], 3)
            kind = rng.random()
            if kind < 0.1:
                row["dob"] = slips(rng, dob, 2, True)
            elif kind < 0.22:
                row["dob"] = dob[:4] + "-01-01"
            elif kind < 0.27:
                row["dob"] = day(rng, 1600, 1900)
            if rng.random() < 0.1:
                row["birth_place"] = zipf(rng, words["place"], 1.0)
            out.append((blank(rng, row, {"first_name": 0.05, "surname": 0.05, "dob": 0.25, "birth_place": 0.3, "postcode": 0.3, "sex": 0.3, "occupation": 0.5}), cluster))
        cluster += 1
    return PARISH, out[:rows]


CENSUS = ["name", "birth", "town", "sex"]


def census(rng, words, rows):
    out = []
    cluster = 0
    while len(out) < rows:
        born = day(rng, 1930, 2005)
        names = [zipf(rng, words["given"]) for _ in range(rng.choice([1, 2]))] + [zipf(rng, words["surname"])]
        one = {"birth": born if rng.random() > 0.15 else born[:4], "town": zipf(rng, words["suburb"]), "sex": rng.choice("MF")}
        for _ in range(rng.choice([1, 1, 2, 3, 4, 6])):
            row = dict(one)
            written = list(names)
            kind = rng.random()
            if kind < 0.08:
                written = written[-1:] + written[:-1]
            elif kind < 0.14:
                written = [written[0], written[-1]]
            elif kind < 0.2:
                written[0] = written[0][0] + "."
            row["name"] = " ".join(written)
            if rng.random() < 0.2:
                row["name"] = slips(rng, row["name"], 3)
            if rng.random() < 0.1:
                row["birth"] = slips(rng, row["birth"], 2, True)
            if rng.random() < 0.05 and len(row["birth"]) == 10:
                row["birth"] = row["birth"][:5] + row["birth"][8:] + "-" + row["birth"][5:7]
            if rng.random() < 0.1:
                row["town"] = zipf(rng, words["suburb"])
            out.append((blank(rng, row, {"birth": 0.1, "town": 0.15, "sex": 0.1}), cluster))
        cluster += 1
    return CENSUS, out[:rows]


ROLL = ["fname", "lname", "by", "bm", "bd"]


def roll(rng, words, rows):
    out = []
    first = words["given"][:150]
    last = words["surname"][:900]
    for cluster in range(rows - rows // 10):
        born = day(rng, 1920, 2000)
        out.append(({"fname": zipf(rng, first, 1.0), "lname": zipf(rng, last, 1.0), "by": born[:4], "bm": str(int(born[5:7])), "bd": str(int(born[8:]))}, cluster))
    for original in rng.sample(range(len(out)), rows // 10):
        copy = dict(out[original][0])
        field = rng.choice(ROLL)
        copy[field] = slip(rng, copy[field], field in ("by", "bm", "bd"))
        out.append((copy, original))
    return ROLL, out


def main():
    schema, rows, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    rng = random.Random(seed)
    fields, out = {"register": register, "two": two, "parish": parish, "roll": roll,
                   "clinic": clinic, "electors": electors, "chronicle": chronicle, "census": census}[schema](rng, lists(rng), rows)
    rng.shuffle(out)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["id"] + fields + ["cluster"])
    for number, (row, cluster) in enumerate(out):
        writer.writerow(["r%d" % number] + [row[f] for f in fields] + [cluster])


main()
