#!/usr/bin/env python3
"""FHIR transaction bundles of made-up patients, one a line, the same for the same seed.

    bundles.py [--patients 50] [--seed 1] > bundles.ndjson

Used by the demo where no other bundles are at hand.  Standard library only.
"""
import argparse
import json
import random
import uuid

ICD = "http://hl7.org/fhir/sid/icd-10"
LOINC = "http://loinc.org"
SURNAMES = ["Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Huỳnh", "Phan", "Vũ", "Võ", "Đặng", "Bùi", "Đỗ", "Hồ", "Ngô", "Dương", "Lý"]
GIVEN = {"male": ["Minh", "Hùng", "Tuấn", "Dũng", "Khoa", "Long", "Phúc", "Quân", "Sơn", "Thành"],
         "female": ["Lan", "Hương", "Mai", "Ngọc", "Thảo", "Trang", "Vy", "Yến", "Hà", "Linh"]}
MIDDLE = {"male": ["Văn", "Đức", "Hữu", "Quốc"], "female": ["Thị", "Thị Kim", "Ngọc", "Thu"]}
CONDITIONS = [("I10", "Tăng huyết áp"), ("E11.9", "Đái tháo đường típ 2"), ("J45.9", "Hen"), ("K29.7", "Viêm dạ dày"), ("J06.9", "Viêm hô hấp trên")]
VITALS = [("8480-6", "mm[Hg]", 100, 160), ("8462-4", "mm[Hg]", 60, 100), ("8867-4", "/min", 55, 100), ("29463-7", "kg", 40, 90)]
VACCINES = [("208", "COVID-19"), ("88", "Cúm"), ("08", "Viêm gan B"), ("03", "Sởi, quai bị, rubella")]


def urn(rng):
    return "urn:uuid:" + str(uuid.UUID(int=rng.getrandbits(128), version=4))


def entry(rng, resource):
    return {"fullUrl": urn(rng), "resource": resource, "request": {"method": "POST", "url": resource["resourceType"]}}


def patient(rng):
    sex = rng.choice(["male", "female"])
    year, month, day = rng.randint(1940, 2022), rng.randint(1, 12), rng.randint(1, 28)
    digit = (0 if year < 2000 else 2) + (0 if sex == "male" else 1)
    number = "079%d%02d%06d" % (digit, year % 100, rng.randrange(10 ** 6))
    surname, middle, given = rng.choice(SURNAMES), rng.choice(MIDDLE[sex]), rng.choice(GIVEN[sex])
    return {
        "resourceType": "Patient",
        "identifier": [{"system": "https://moh.gov.vn/cccd", "value": number}],
        "name": [{"use": "official", "text": f"{surname} {middle} {given}", "family": surname, "given": middle.split() + [given]}],
        "telecom": [{"system": "phone", "value": "09%08d" % rng.randrange(10 ** 8)}],
        "gender": sex, "birthDate": f"{year:04d}-{month:02d}-{day:02d}",
        "address": [{"text": f"{rng.randint(1, 300)} đường số {rng.randint(1, 40)}", "city": "Hồ Chí Minh", "country": "VN"}],
    }


def bundle(rng):
    entries = [entry(rng, patient(rng))]
    who = {"reference": entries[0]["fullUrl"]}
    for _ in range(rng.randint(1, 4)):
        day = f"{rng.randint(2022, 2026):04d}-{rng.randint(1, 9):02d}-{rng.randint(1, 28):02d}"
        visit = entry(rng, {
            "resourceType": "Encounter", "status": "finished", "subject": who,
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
            "period": {"start": day + "T08:00:00+07:00", "end": day + "T09:00:00+07:00"}})
        entries.append(visit)
        where = {"reference": visit["fullUrl"]}
        code, text = rng.choice(CONDITIONS)
        entries.append(entry(rng, {
            "resourceType": "Condition", "subject": who, "encounter": where, "recordedDate": day,
            "clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]},
            "code": {"coding": [{"system": ICD, "code": code}], "text": text}}))
        for loinc, unit, low, high in VITALS:
            entries.append(entry(rng, {
                "resourceType": "Observation", "status": "final", "subject": who, "encounter": where,
                "code": {"coding": [{"system": LOINC, "code": loinc}]}, "effectiveDateTime": day + "T08:15:00+07:00",
                "valueQuantity": {"value": rng.randint(low, high), "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}}))
    for cvx, text in rng.sample(VACCINES, rng.randint(1, 3)):
        entries.append(entry(rng, {
            "resourceType": "Immunization", "status": "completed", "patient": who,
            "vaccineCode": {"coding": [{"system": "http://hl7.org/fhir/sid/cvx", "code": cvx}], "text": text},
            "occurrenceDateTime": f"{rng.randint(2021, 2025):04d}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"}))
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--patients", type=int, default=50)
    args.add_argument("--seed", type=int, default=1)
    args = args.parse_args()
    rng = random.Random(args.seed)
    for _ in range(args.patients):
        print(json.dumps(bundle(rng), ensure_ascii=False, separators=(",", ":")))


if __name__ == "__main__":
    main()
