#!/usr/bin/env python3
"""An independent reading of doc/consent.md, "FHIR Consent": decides a request by a Consent document.

    consent_oracle.py generate N SEED   N lines of: consent <tab> request <tab> decision <tab> node <tab> depth
    consent_oracle.py decide            the decision of each line consent <tab> request on standard input

It works on the documents themselves and shares nothing with the extension but the page. `refused` is the decision of a
document that may not be written.
"""
import json
import random
import re
import sys

V3 = 'http://terminology.hl7.org/CodeSystem/'
YES, UNKNOWN, NO = 2, 1, 0

# what ehr_internal.consent_vocabulary() gives, for the test; the test passes the same words to the extension
VOCABULARY = {
    'role': {V3 + 'v3-ParticipationType|PRCP': 'recipient', V3 + 'v3-ParticipationType|IRCP': 'recipient', V3 + 'v3-ParticipationType|AUT': 'author',
             V3 + 'v3-ParticipationType|CST': 'author', 'urn:ehr:kind|clinician': 'clinician', 'urn:ehr:kind|station': 'station'},
    'action': {V3 + 'consentaction|access': 'access', V3 + 'consentaction|use': 'use', V3 + 'consentaction|correct': 'correct'},
    'purpose': {V3 + 'v3-ActReason|TREAT': 'TREAT', V3 + 'v3-ActReason|HRESCH': 'HRESCH', V3 + 'v3-ActReason|BTG': 'BTG'},
    'securityLabel': {V3 + 'v3-ActCode|HIV': '0', V3 + 'v3-ActCode|PSY': '1', V3 + 'v3-ActCode|SEX': '2', V3 + 'v3-Confidentiality|R': '5',
                      V3 + 'v3-Confidentiality|N': 'normal', 'urn:ehr:label|*': '*'},
    'policy': {V3 + 'v3-ActCode|OPTOUT': 'deny'},
}
TYPES = ['Patient', 'Observation', 'Condition', 'Immunization', 'Encounter', 'Practitioner', 'Organization', 'PractitionerRole', 'Group', 'Consent']
EVER, NEVER = -10 ** 30, 10 ** 30


class Refused(Exception):
    pass


# ---- time -----------------------------------------------------------------

def leap(y):
    return y % 4 == 0 and (y % 100 != 0 or y % 400 == 0)


def month_days(y, m):
    return [31, 29 if leap(y) else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][m - 1]


def day_number(y, m, d):
    """days since 1970-01-01, counted by years and months"""
    days = 365 * (y - 1970)
    days += sum(1 for x in range(1970, y) if leap(x)) if y >= 1970 else -sum(1 for x in range(y, 1970) if leap(x))
    return days + sum(month_days(y, i) for i in range(1, m)) + d - 1


DATE_TIME = re.compile(r'^(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d))?)?)?$')


def moments(text):
    """first and last moment in microseconds, None for what is no dateTime"""
    m = DATE_TIME.match(text) if isinstance(text, str) else None
    if not m:
        return None
    y, mo, d = int(m[1]), int(m[2] or 1), int(m[3] or 1)
    if y < 1 or not 1 <= mo <= 12 or not 1 <= d <= month_days(y, mo):
        return None
    if m[4] is None:
        start = day_number(y, mo, d)
        if m[3]:
            end = start + 1
        elif m[2]:
            end = start + month_days(y, mo)
        else:
            end = start + (366 if leap(y) else 365)
        return (start * 86400 - 7 * 3600) * 10 ** 6, (end * 86400 - 7 * 3600) * 10 ** 6
    h, mi, s = int(m[4]), int(m[5]), int(m[6])
    if h > 23 or mi > 59 or s > 60:
        return None
    zone = 0
    if m[8] != 'Z':
        zh, zm = int(m[8][1:3]), int(m[8][4:6])
        if zh > 14 or zm > 59 or (zh == 14 and zm):
            return None
        zone = (zh * 60 + zm) * 60 * (-1 if m[8][0] == '-' else 1)
    start = (day_number(y, mo, d) * 86400 + h * 3600 + mi * 60 + s - zone) * 10 ** 6
    if m[7]:
        start += int((m[7][1:] + '000000')[:6])
        return start, start + 1
    return start, start + 10 ** 6


def period(value):
    """(from, to), or None when it is not understood"""
    if not isinstance(value, dict) or set(value) - {'start', 'end', 'id', 'extension'}:
        return None
    start, end = EVER, NEVER
    if 'start' in value:
        m = moments(value['start'])
        if m is None:
            return None
        start = m[0]
    if 'end' in value:
        m = moments(value['end'])
        if m is None:
            return None
        end = m[1]
    if start >= end:
        raise Refused
    return start, end


# ---- words ----------------------------------------------------------------

def text(x):
    return isinstance(x, str) and x != ''


def means(words, coding):
    if isinstance(coding, dict) and text(coding.get('system')) and text(coding.get('code')):
        return VOCABULARY[words].get(coding['system'] + '|' + coding['code'])
    return None


REFERENCE = re.compile(r'^([A-Za-z]+)/([A-Za-z0-9.-]{1,64})(/_history/[A-Za-z0-9.-]{1,64})?$')


def name(reference):
    r = reference.get('reference') if isinstance(reference, dict) else None
    m = REFERENCE.match(r) if isinstance(r, str) else None
    return m[1] + '/' + m[2] if m and m[1] in TYPES else None


def codings(value, concepts):
    """every coding of a list, None for one that is not there"""
    if not isinstance(value, list) or not value:
        return [None]
    found = []
    for item in value:
        if not concepts:
            found.append(item)
            continue
        inner = item.get('coding') if isinstance(item, dict) else None
        found += inner if isinstance(inner, list) and inner else [None]
    return found


def among(x, known):
    if known is None:
        return UNKNOWN
    return YES if x in known else NO


# ---- criteria ---------------------------------------------------------------

def role(actor):
    concept = actor.get('role') if isinstance(actor, dict) else None
    inner = concept.get('coding') if isinstance(concept, dict) else None
    meant = {means('role', c) for c in inner} - {None} if isinstance(inner, list) else set()
    return meant.pop() if len(meant) == 1 else None


def answers(node, request, deny):
    """the answer of every criterion of a provision"""
    known = {'id', 'extension', 'type', 'period', 'actor', 'action', 'securityLabel', 'purpose', 'class', 'code', 'dataPeriod', 'data', 'provision'}
    if set(node) - known:
        yield UNKNOWN
    if 'period' in node:
        p = period(node['period'])
        yield UNKNOWN if p is None else YES if p[0] <= request.get('now', 0) < p[1] else NO
    if 'actor' in node:
        if not isinstance(node['actor'], list) or not node['actor']:
            yield UNKNOWN
        else:
            receive, wrote = [], []
            for actor in node['actor']:
                r = role(actor)
                n = name(actor.get('reference')) if isinstance(actor, dict) else None
                if r == 'author':
                    wrote.append(UNKNOWN if n is None else among(n, request.get('authors')))
                elif r is None or n is None or n.split('/')[0] not in ('Practitioner', 'Organization', 'Patient'):
                    receive.append(UNKNOWN)
                elif r == 'recipient':
                    receive.append(among(n, request.get('actors')))
                else:
                    receive.append(min(among(n, request.get('actors')), among(r, request.get('kinds'))))
            if receive:
                yield max(receive)
            if wrote:
                yield max(wrote)
    for element, words, concepts in (('action', 'action', True), ('purpose', 'purpose', False)):
        if element in node:
            asked = request.get(words)
            best = NO
            for c in codings(node[element], concepts):
                m = means(words, c)
                best = max(best, UNKNOWN if m is None or not asked else YES if m == asked else NO)
            yield best
    if 'securityLabel' in node:
        yield label_answer(node, request)
    if 'class' in node:
        best = NO
        for c in codings(node['class'], False):
            good = isinstance(c, dict) and c.get('system') == 'http://hl7.org/fhir/resource-types' and c.get('code') in TYPES
            best = max(best, UNKNOWN if not good or request.get('type') not in TYPES else YES if c['code'] == request['type'] else NO)
        yield best
    if 'code' in node:
        best = NO
        for c in codings(node['code'], True):
            good = isinstance(c, dict) and text(c.get('system')) and text(c.get('code'))
            best = max(best, among(c['system'] + '|' + c['code'], request.get('codes')) if good else UNKNOWN)
        yield best
    if 'dataPeriod' in node:
        p = period(node['dataPeriod'])
        t = data_time(request)
        if p is None or t is None:
            yield UNKNOWN
        elif deny:
            yield YES if t[0] < p[1] and t[1] > p[0] else NO
        else:
            yield YES if p[0] <= t[0] and t[1] <= p[1] else NO
    if 'data' in node:
        yield data_answer(node['data'], request)


def label_list(node):
    """listed labels, whether normal is listed, whether something is not understood"""
    bits, normal, strange = 0, False, False
    value = node['securityLabel']
    if not isinstance(value, list) or not value:
        return 0, False, True
    for c in value:
        m = means('securityLabel', c)
        if m is None:
            strange = True
        elif m == 'normal':
            normal = True
        elif m == '*':
            bits = 0xffffffff
        else:
            bits |= 1 << int(m)
    return bits, normal, strange


def label_answer(node, request):
    bits, normal, strange = label_list(node)
    labels = request.get('labels')
    if labels is None:
        return UNKNOWN
    if (normal if labels == 0 else labels & bits & 0xffffffff):
        return YES
    return UNKNOWN if strange else NO


def data_time(request):
    d = request.get('data')
    if not isinstance(d, dict):
        return None
    a, b = moments(d.get('start')), moments(d.get('end'))
    return (a[0], b[1]) if a and b and a[0] < b[1] else None


def data_answer(value, request):
    if not isinstance(value, list) or not value:
        return UNKNOWN
    best = NO
    for item in value:
        n = name(item.get('reference')) if isinstance(item, dict) else None
        meaning = item.get('meaning') if isinstance(item, dict) else None
        itself = UNKNOWN if not request.get('self') else YES if n == request['self'] else NO
        if n is None or meaning not in ('instance', 'related', 'dependents', 'authoredby'):
            a = UNKNOWN
        elif meaning == 'instance':
            a = itself
        elif meaning == 'related':
            a = max(itself, among(n, request.get('referred_by')))
        elif meaning == 'dependents':
            a = max(itself, among(n, request.get('refers')))
        else:
            a = among(n, request.get('authors'))
        best = max(best, a)
    return best


# ---- the document -----------------------------------------------------------

def check(node, around, depth, count):
    """refuses what may not be written"""
    if not isinstance(node, dict):
        raise Refused
    count[0] += 1
    if depth > 8 or count[0] > 256:
        raise Refused
    kind = node.get('type', 'deny' if around is None else None)
    if kind not in ('permit', 'deny') or kind == around:
        raise Refused
    for element in ('period', 'dataPeriod'):
        if element in node:
            period(node[element])
    if 'provision' in node:
        if not isinstance(node['provision'], list):
            raise Refused
        for inner in node['provision']:
            check(inner, kind, depth + 1, count)


def has_coding(concept, system, code):
    inner = concept.get('coding') if isinstance(concept, dict) else None
    return isinstance(inner, list) and any(isinstance(c, dict) and c.get('system') == system and c.get('code') == code for c in inner)


def decide(consent, request):
    """(decision, place of the provision in the order of the document, depth)"""
    if consent.get('status') != 'active' or not has_coding(consent.get('scope'), V3 + 'consentscope', 'patient-privacy'):
        return 'none', -1, 0
    if 'provision' not in consent:
        rule = consent.get('policyRule')
        inner = rule.get('coding') if isinstance(rule, dict) else None
        if isinstance(inner, list) and any(means('policy', c) == 'deny' for c in inner):
            return 'deny', 0, 1
        return 'none', -1, 0
    try:
        check(consent['provision'], None, 1, [0])
    except Refused:
        return 'refused', -1, 0
    modified = 'modifierExtension' in consent or 'implicitRules' in consent
    found = []
    place = [0]

    def walk(node, depth, reached):
        mine = place[0]
        place[0] += 1
        deny = node.get('type', 'deny') == 'deny'
        if reached:
            given = list(answers(node, request, deny)) + ([UNKNOWN] if modified else [])
            reached = (NO not in given) if deny else all(a == YES for a in given)
        if reached:
            covered = deny
            if not deny and request.get('labels') is not None:
                bits = label_list(node)[0] if 'securityLabel' in node else 0
                covered = request['labels'] & 0xffffffff & ~bits == 0
            if covered:
                found.append((depth, deny, -mine))
        for inner in node.get('provision', []):
            walk(inner, depth + 1, reached)

    walk(consent['provision'], 1, True)
    if not found:
        return 'none', -1, 0
    depth, deny, mine = max(found)
    return 'deny' if deny else 'permit', -mine, depth


# ---- random documents and requests -------------------------------------------

def some(rng, choices, most=2):
    return [rng.choice(choices) for _ in range(rng.randint(1, most))]


def coding(rng, words, strange=0.08):
    if rng.random() < strange:
        return rng.choice([{'system': 'urn:x', 'code': 'TREAT'}, {'code': 'access'}, {'system': V3 + 'v3-ActReason'}, {'display': 'x'}, 'x', None, {'system': V3 + 'v3-ActReason', 'code': 'NOSUCH'}])
    system, code = rng.choice(list(VOCABULARY[words])).split('|')
    return {'system': system, 'code': code}


NAMES = ['Practitioner/dr-1', 'Practitioner/dr-2', 'Organization/79001', 'Organization/79002', 'Organization/unit-79', 'Patient/p1']
STRANGE_NAMES = ['PractitionerRole/r', 'Group/g', '#p', 'https://x.vn/Practitioner/dr-1', 'Practitioner', 'Practitioner/', 'Nothing/x', 'Practitioner/dr-1/_history/', 'Practitioner/a b', '']
DATA_NAMES = ['Observation/o1', 'Condition/c1', 'Encounter/e1', 'Practitioner/dr-1', 'Organization/79001']
DAYS = ['2024', '2024-02', '2024-02-29', '2024-03-01', '2025-06-30', '2025-07-01', '2025-07-01T00:00:00+07:00', '2025-06-30T17:00:00Z', '2025-06-30T16:59:59.999999Z',
        '2026-01-01T00:00:00.5+07:00', '2025-12-31', '1969-12-31', '1900', '2000-02-29T23:59:60Z', '2026', '2400-02-29']
STRANGE_DAYS = ['2023-02-29', 'soon', '', '2025-13', '2025-01-01T00:00:00', 7, None]


def reference(rng, names):
    if rng.random() < 0.07:
        return rng.choice([{'reference': rng.choice(STRANGE_NAMES)}, {'identifier': {'value': 'x'}}, {}, 'x', None])
    n = rng.choice(names)
    return {'reference': n + '/_history/2' if rng.random() < 0.05 else n}


def random_period(rng):
    if rng.random() < 0.04:
        return rng.choice(['x', [], {'begin': '2024'}, {'start': '2024', '_start': {}}, {'start': rng.choice(STRANGE_DAYS)}])
    p = {}
    if rng.random() < 0.8:
        p['start'] = rng.choice(DAYS)
    if rng.random() < 0.8:
        p['end'] = rng.choice(DAYS)
    # mostly in order, sometimes not: that is refused
    if len(p) == 2 and moments(p['start'])[0] >= moments(p['end'])[1] and rng.random() < 0.93:
        p = {'start': p['end'], 'end': p['start']}
    if rng.random() < 0.03:
        p['id'] = 'x'
    return p


def random_node(rng, around, depth, budget, chance):
    node = {}
    if around is None:
        kind = rng.choice(['permit', 'deny', None])
        if kind:
            node['type'] = kind
        kind = kind or 'deny'
    else:
        kind = 'deny' if around == 'permit' else 'permit'
        node['type'] = kind
        if rng.random() < 0.002:
            node['type'] = rng.choice(['permit', 'deny', 'maybe'])
        if rng.random() < 0.001:
            del node['type']
    if rng.random() < chance * 0.7:
        node['period'] = random_period(rng)
    if rng.random() < chance:
        node['actor'] = [{'role': {'coding': [coding(rng, 'role') for _ in range(rng.choice([1, 1, 1, 2]))]}, 'reference': reference(rng, NAMES)}
                         for _ in range(rng.randint(1, 3))]
        if rng.random() < 0.04:
            node['actor'].append(rng.choice([{}, {'reference': {'reference': 'Practitioner/dr-1'}}, 'x']))
    if rng.random() < chance * 0.6:
        node['action'] = [{'coding': [coding(rng, 'action') for _ in range(rng.randint(1, 2))]} for _ in range(rng.randint(1, 2))]
        if rng.random() < 0.05:
            node['action'].append({'text': 'x'})
    if rng.random() < chance * 0.8:
        node['purpose'] = [coding(rng, 'purpose') for _ in range(rng.randint(1, 2))]
    if rng.random() < chance:
        node['securityLabel'] = [coding(rng, 'securityLabel') for _ in range(rng.randint(1, 3))]
    if rng.random() < chance:
        node['class'] = [{'system': 'http://hl7.org/fhir/resource-types', 'code': rng.choice(TYPES[:5])} if rng.random() > 0.06
                         else rng.choice([{'system': 'urn:ietf:bcp:13', 'code': 'x/y'}, {'code': 'Observation'}, {'system': 'http://hl7.org/fhir/resource-types', 'code': 'Nothing'}])
                         for _ in range(rng.randint(1, 3))]
    if rng.random() < chance * 0.6:
        node['code'] = [{'coding': [{'system': 'http://loinc.org', 'code': rng.choice(['1-1', '2-2', '3-3'])} if rng.random() > 0.05 else {'code': '1-1'}
                                    for _ in range(rng.randint(1, 2))]} for _ in range(rng.randint(1, 2))]
        if rng.random() < 0.05:
            node['code'].append({'text': 'x'})
    if rng.random() < chance * 0.5:
        node['dataPeriod'] = random_period(rng)
    if rng.random() < chance * 0.6:
        node['data'] = [{'meaning': rng.choice(['instance', 'related', 'dependents', 'authoredby', 'instance', 'neighbours' if rng.random() < 0.2 else 'related']),
                         'reference': reference(rng, DATA_NAMES)} for _ in range(rng.randint(1, 2))]
    if rng.random() < 0.015:
        node[rng.choice(['modifierExtension', '_type', 'mood', 'extension', 'id'])] = rng.choice(['x', [], {}])
    if rng.random() < 0.01 and node:
        node[rng.choice(['actor', 'action', 'purpose', 'securityLabel', 'class', 'code', 'data'])] = rng.choice([[], {}, 'x', None, 3])
    if depth < 9 and budget[0] > 0 and rng.random() < (0.75 if depth == 1 else 0.5):
        node['provision'] = []
        for _ in range(rng.randint(1, 3)):
            budget[0] -= 1
            node['provision'].append(random_node(rng, kind, depth + 1, budget, chance))
    return node


def random_consent(rng):
    consent = {'resourceType': 'Consent', 'status': 'active', 'scope': {'coding': [{'system': V3 + 'consentscope', 'code': 'patient-privacy'}]}}
    if rng.random() < 0.04:
        consent['status'] = rng.choice(['draft', 'proposed', 'rejected', 'inactive', 'entered-in-error'])
    if rng.random() < 0.02:
        consent['scope'] = {'coding': [{'system': V3 + 'consentscope', 'code': 'research'}]}
    if rng.random() < 0.2:
        consent['policyRule'] = {'coding': [{'system': V3 + 'v3-ActCode', 'code': rng.choice(['OPTIN', 'OPTOUT'])}]}
    if rng.random() < 0.02:
        consent[rng.choice(['modifierExtension', 'implicitRules'])] = 'x'
    if rng.random() > 0.03:
        consent['provision'] = random_node(rng, None, 1, [rng.choice([20, 400] if rng.random() < 0.005 else [1, 3, 9])], rng.choice([0.04, 0.1, 0.2, 0.3]))
    return consent


def maybe(rng, value, unknown=0.08):
    return None if rng.random() < unknown else value


def random_request(rng):
    days = [moments(d) for d in DAYS]
    edge = rng.choice(rng.choice(days))
    request = {
        'now': edge + rng.choice([-1, 0, 0, 1, 86400 * 10 ** 6]),
        'actors': maybe(rng, rng.sample(NAMES, rng.randint(1, 4))),
        'kinds': maybe(rng, [rng.choice(['clinician', 'station', 'citizen'])]),
        'action': maybe(rng, rng.choice(['access', 'access', 'access', 'use'])),
        'purpose': maybe(rng, rng.choice(['TREAT', 'TREAT', 'HRESCH', 'BTG'])),
        'labels': maybe(rng, rng.choice([0, 0, 0, 1, 2, 3, 4, 32, 33])),
        'type': maybe(rng, rng.choice(TYPES[:5])),
        'self': maybe(rng, rng.choice(DATA_NAMES[:3])),
        'codes': maybe(rng, ['http://loinc.org|' + c for c in rng.sample(['1-1', '2-2', '3-3', '4-4'], rng.randint(0, 2))]),
        'authors': maybe(rng, rng.sample(NAMES[:4], rng.randint(1, 2))),
        'refers': maybe(rng, rng.sample(DATA_NAMES, rng.randint(0, 3))),
        'referred_by': maybe(rng, rng.sample(DATA_NAMES, rng.randint(0, 2))),
        'data': maybe(rng, dict(zip(('start', 'end'), (lambda a, b: (a, b))(rng.choice(DAYS), rng.choice(DAYS))))),
    }
    return {k: v for k, v in request.items() if v is not None}


def main():
    if sys.argv[1:2] == ['generate']:
        n, seed = int(sys.argv[2]), int(sys.argv[3])
        rng = random.Random(seed)
        out = sys.stdout
        for i in range(n):
            consent = random_consent(rng)
            line = json.dumps(consent, separators=(',', ':'))
            request = random_request(rng)
            decision = decide(consent, request)
            out.write('%s\t%s\t%s\t%d\t%d\n' % ((line, json.dumps(request, separators=(',', ':'))) + decision))
    elif sys.argv[1:] == ['vocabulary']:
        print(json.dumps(VOCABULARY))
    else:
        for line in sys.stdin:
            consent, request = line.rstrip('\n').split('\t')[:2]
            print('%s\t%d\t%d' % decide(json.loads(consent), json.loads(request)))


if __name__ == '__main__':
    main()
