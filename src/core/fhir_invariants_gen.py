#!/usr/bin/env python3
"""Makes fhir_invariants_generated.c: the invariants of FHIR R4 (4.0.1) by type, and its bindings that are not required.

Reads HL7's definitions (hl7.fhir.r4.core-4.0.1.tgz, CC0) from the suites beside the project. `make model` runs it.
"""
import argparse
import json
import os
import sys
import tarfile

HERE = os.path.dirname(os.path.abspath(__file__))
SD = 'http://hl7.org/fhir/StructureDefinition/'
# Written in C, where one pass does what the expression does per element; the structure's walk has ele-1, ext-1, txt-1, txt-2.
BY_HAND = {'dom-3', 'ref-1', 'ele-1', 'ext-1', 'txt-1', 'txt-2'}

# Where the published expression does not say what the invariant says, or leaves open ({}) what later releases say: that
# nothing is asked of an element that is not there.
CORRECTED = {
    # "If there are more than one enableWhen, enableBehavior must be specified"
    'que-12': [('enableWhen.count() > 2', 'enableWhen.count() > 1')],
    # the element is a FHIR boolean, not System.Boolean
    'que-7': [('(answer is Boolean)', '(answer is boolean)')],
    'bdl-8': [("fullUrl.contains('/_history/').not()", "fullUrl.hasValue() implies fullUrl.contains('/_history/').not()")],
    'ras-2': [('probability is decimal implies', 'probability.exists() and probability is decimal implies')],
    'eld-19': [('path.matches', 'path.hasValue().not() or path.matches')],
    'eld-20': [('path.matches', 'path.hasValue().not() or path.matches')],
}
# "Name should be usable as an identifier": some of these resources need no name
NAMED = ("name.matches('[A-Z]", "name.hasValue().not() or name.matches('[A-Z]")
# Patterns of R4 are of whole strings: FHIRPath's matches() finds a part.
WHOLE = ('matches(', 'matchesFull(')


def asked(key, expression):
    """The expression as it is asked."""
    for published, meant in CORRECTED.get(key, []) + [NAMED, WHOLE]:
        expression = expression.replace(published, meant)
    return expression


def c_string(text):
    out = ''
    for byte in text.encode('utf-8'):
        ch = chr(byte)
        out += '\\' + ch if ch in '"\\' else ch if 32 <= byte < 127 else '\\%03o' % byte
    return '"' + out.replace('??', '?\\?') + '"'


def definitions(path):
    with tarfile.open(path) as tar:
        for member in tar.getmembers():
            if os.path.basename(member.name).startswith('StructureDefinition-'):
                d = json.load(tar.extractfile(member))
                if d['kind'] in ('resource', 'complex-type', 'primitive-type') and d.get('derivation') != 'constraint':
                    yield d


def others(path, prefix):
    with tarfile.open(path) as tar:
        for member in tar.getmembers():
            if os.path.basename(member.name).startswith(prefix):
                yield json.load(tar.extractfile(member))


def known_extensions(path):
    """Extension definitions of R4: the last part of the URL, and the types that its value may have (none: it has none)."""
    for d in others(path, 'StructureDefinition-'):
        if d['type'] == 'Extension' and d.get('derivation') == 'constraint' and d['url'].startswith(SD):
            value = [e for e in d['snapshot']['element'] if e['path'] == 'Extension.value[x]' and ':' not in e['id'].replace(':value', '')]
            types = sorted({t['code'] for e in value if e['max'] != '0' for t in e.get('type', [])})
            yield d['url'][len(SD):], ' '.join(types)


def known_parameters(path):
    """Search parameters of R4: the last part of the URL, and the type."""
    for d in others(path, 'SearchParameter-'):
        yield d['url'].rsplit('/', 1)[1], d['type']


def read(package):
    """Rows of the tables: invariants (type, child, key, error, human, expression) and bindings, each sorted; keys written in C."""
    rows, bindings, by_hand = set(), set(), set()
    for d in definitions(package):
        elements = d['snapshot']['element']
        parents = {e['path'].rsplit('.', 1)[0] for e in elements if '.' in e['path']}
        for e in elements:
            path = e['path']
            owner, child = path, ''
            if '.' in path and path not in parents:
                owner, child = path.rsplit('.', 1)
            child = child.replace('[x]', '')
            for c in e.get('constraint', []):
                if c.get('source', SD + d['type']).split('/')[-1] != d['type']:
                    continue
                if c['key'] in BY_HAND:
                    by_hand.add(c['key'])
                else:
                    rows.add((owner, child, c['key'], c['severity'] == 'error', c['human'], asked(c['key'], c['expression'])))
            b = e.get('binding', {})
            if b.get('strength') in ('extensible', 'preferred') and 'valueSet' in b:
                kinds = {t['code'] for t in e.get('type', [])}
                if kinds & {'code', 'Coding', 'CodeableConcept', 'Quantity', 'string', 'uri'}:
                    o, n = path.rsplit('.', 1)
                    bindings.add((o, n.replace('[x]', ''), b['strength'] == 'extensible', b['valueSet'].split('|')[0]))
    return sorted(rows), sorted(bindings), by_hand


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--suite', default=os.path.join(HERE, '../../../shared/suites/fhir-r4-core'))
    parser.add_argument('--out', default=os.path.join(HERE, 'fhir_invariants_generated.c'))
    args = parser.parse_args()
    package = os.path.join(args.suite, 'hl7.fhir.r4.core-4.0.1.tgz')
    extensions, parameters = dict(known_extensions(package)), dict(known_parameters(package))
    rows, bindings, by_hand = read(package)
    with open(args.out, 'w', encoding='ascii', newline='\n') as out:
        out.write('/*\n * fhir_invariants_generated.c\n *\t\tInvariants and bindings of FHIR R4 (4.0.1), sorted by type.'
                  '  GENERATED by fhir_invariants_gen.py (`make model`): do not edit.\n */\n')
        out.write('#include "fhir_invariants.h"\n\nconst FhirInvariant fhir_invariants[] = {\n')
        for owner, child, key, error, human, expression in rows:
            out.write('\t{%s, %s, %s, %s,\n\t\t%s,\n\t%s},\n' % (c_string(owner), c_string(child), c_string(key),
                      'true' if error else 'false', c_string(human), c_string(expression)))
        out.write('};\n\nconst int fhir_invariant_count = %d;\n\nconst FhirBinding fhir_bindings[] = {\n' % len(rows))
        for owner, child, extensible, url in bindings:
            out.write('\t{%s, %s, %s, %s},\n' % (c_string(owner), c_string(child), 'true' if extensible else 'false', c_string(url)))
        out.write('};\n\nconst int fhir_binding_count = %d;\n' % len(bindings))
        for name, table in (('extension', extensions), ('parameter', parameters)):
            out.write('\nconst FhirKnown fhir_known_%ss[] = {\n' % name)
            for key in sorted(table, key=lambda k: k.encode()):
                out.write('\t{%s, %s},\n' % (c_string(key), c_string(table[key])))
            out.write('};\n\nconst int fhir_known_%s_count = %d;\n' % (name, len(table)))
    print('%s: %d invariants, %d by hand, %d bindings' % (args.out, len(rows), len(by_hand), len(bindings)), file=sys.stderr)


if __name__ == '__main__':
    main()
