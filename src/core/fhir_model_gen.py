#!/usr/bin/env python3
"""Writes src/core/fhir_model_generated.c from HL7's definitions of FHIR R4 (4.0.1).

    fhir_model_gen.py [--suite DIR] [--out FILE]

DIR is the folder with hl7.fhir.r4.core-4.0.1.tgz, hl7.fhir.r4.expansions.tgz and
required-bindings.json.  The output depends on nothing else: the same definitions
give the same file byte for byte.  What the tables mean: fhir_model.h.
"""
import argparse
import json
import os
import sys
import tarfile

HERE = os.path.dirname(os.path.abspath(__file__))
SD = 'http://hl7.org/fhir/StructureDefinition/'
FHIR_TYPE = SD + 'structuredefinition-fhir-type'

# Frozen: the alphabetical list of R4's primitive types and of its 148 resource types.
PRIMITIVES = ['base64Binary', 'boolean', 'canonical', 'code', 'date', 'dateTime', 'decimal', 'id', 'instant',
              'integer', 'markdown', 'oid', 'positiveInt', 'string', 'time', 'unsignedInt', 'uri', 'url',
              'uuid', 'xhtml']
RESOURCE_BASE = 32              # type index of resource number 0, which does not exist
RESOURCES = 148

ARRAY, CHOICE, SIBLING, REQUIRED, RESOURCE_TYPE = 1, 2, 4, 8, 16
KIND_PRIMITIVE, KIND_RESOURCE, KIND_DATATYPE, KIND_BACKBONE = 0, 1, 2, 3
KIND_ABSTRACT = 16

SET_CODES, SET_MIME, SET_UCUM = 0, 1, 2
# Value sets that no package expands: these two are checked by their grammar, the third not at all.
GRAMMAR_SETS = {'http://hl7.org/fhir/ValueSet/mimetypes': SET_MIME,
                'http://hl7.org/fhir/ValueSet/ucum-units': SET_UCUM}
GRAMMAR_SETS_SYSTEM = {'http://hl7.org/fhir/ValueSet/mimetypes': 'urn:ietf:bcp:13',
                       'http://hl7.org/fhir/ValueSet/ucum-units': 'http://unitsofmeasure.org'}
UNKNOWN_SETS = {'http://loinc.org/vs/LL379-9'}


def read_package(path, prefix):
    with tarfile.open(path) as tar:
        for member in sorted(tar.getmembers(), key=lambda m: m.name):
            name = os.path.basename(member.name)
            if name.startswith(prefix) and name.endswith('.json'):
                yield json.load(tar.extractfile(member))


def jsonb_order(name):
    """The order in which jsonb keeps the keys of an object: length, then bytes."""
    raw = name.encode()
    return (len(raw), raw)


class Pool:
    """Strings, each once, preceded by its length and followed by NUL; an offset points at the first byte."""

    def __init__(self):
        self.offsets = {}
        self.strings = []
        self.size = 0

    def add(self, text):
        if text not in self.offsets:
            length = len(text.encode())
            assert 0 < length < 256, text
            self.offsets[text] = self.size + 1
            self.strings.append(text)
            self.size += length + 2
        return self.offsets[text]

    def lines(self):
        for text in self.strings:
            raw = ''.join(chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else '\\%03o' % b for b in text.encode())
            yield '\t"\\%03o" "%s\\000"' % (len(text.encode()), raw)


class Model:
    def __init__(self, suite):
        core = os.path.join(suite, 'hl7.fhir.r4.core-4.0.1.tgz')
        self.definitions = {}
        for d in read_package(core, 'StructureDefinition-'):
            if d['kind'] in ('resource', 'complex-type', 'primitive-type') and d.get('derivation') != 'constraint':
                self.definitions[d['type']] = d
        self.expansions = {d['url']: d for d in
                           read_package(os.path.join(suite, 'hl7.fhir.r4.expansions.tgz'), 'ValueSet-')}
        with open(os.path.join(suite, 'required-bindings.json')) as f:
            self.expected_codes = {b['valueSet']: b['codes'] for b in json.load(f)}
        self.pool = Pool()
        self.types = []             # [name, kind, base name, elements]
        self.type_index = {}
        self.sets = [(SET_CODES, 0, 0, 0)]      # set 0: no binding
        self.set_index = {}
        self.codes = []
        self.targets = [0]
        self.target_index = {}
        self.name_types()

    def name_types(self):
        """Gives every type its index: primitives, resources, data types, then their inner (backbone) types."""
        kinds = {}
        for name, d in self.definitions.items():
            kinds.setdefault(d['kind'], []).append(name)
        assert sorted(kinds['primitive-type']) == PRIMITIVES
        self.resources = sorted(kinds['resource'])
        assert len(self.resources) == RESOURCES
        inner = []
        for name in self.resources + sorted(kinds['complex-type']):
            elements = self.definitions[name]['snapshot']['element']
            parents = {e['path'].rsplit('.', 1)[0] for e in elements[1:]}
            inner += sorted(p for p in parents if '.' in p)
        names = [None] + PRIMITIVES
        names += [None] * (RESOURCE_BASE + 1 - len(names)) + self.resources
        names += sorted(kinds['complex-type']) + inner
        for index, name in enumerate(names):
            if name:
                self.type_index[name] = index
        self.names = names
        self.first_backbone = len(names) - len(inner)
        self.first_datatype = RESOURCE_BASE + 1 + RESOURCES

    # -- code sets and reference targets ------------------------------------------------------

    def expand(self, url):
        def flatten(contains):
            for c in contains:
                if 'code' in c and not c.get('abstract'):
                    yield (c.get('system', ''), c['code'])
                yield from flatten(c.get('contains', []))
        codes = sorted(set(flatten(self.expansions[url]['expansion'].get('contains', []))))
        expected = self.expected_codes[url]
        # item-type counts its abstract code 'question', which may not be used; currencies is not expanded there
        assert expected in (None, len(codes), len(codes) + 1), (url, expected, len(codes))
        return codes

    def code_set(self, url, with_systems):
        url = url.split('|')[0]
        key = (url, with_systems)
        if key not in self.set_index:
            if url in UNKNOWN_SETS:
                self.set_index[key] = 0
                return 0
            if url in GRAMMAR_SETS:
                self.sets.append((GRAMMAR_SETS[url], 0, 0, 0))
            else:
                pairs = sorted(self.expand(url), key=lambda p: (jsonb_order(p[1]), p[0]))
                if not with_systems:
                    pairs = [('', c) for c in sorted({c for s, c in pairs}, key=jsonb_order)]
                first = len(self.codes)
                self.codes += [self.pool.add(c) for s, c in pairs]
                systems = 0
                if with_systems:
                    systems = len(self.codes)
                    self.codes += [self.pool.add(s) for s, c in pairs]
                self.sets.append((SET_CODES, first, len(pairs), systems))
            self.set_index[key] = len(self.sets) - 1
        return self.set_index[key]

    def target_set(self, profiles):
        numbers = []
        for p in profiles:
            name = p[len(SD):]
            if name == 'Resource':
                return 0
            numbers.append(self.resources.index(name) + 1)
        numbers = tuple(sorted(set(numbers)))
        if not numbers:
            return 0
        if numbers not in self.target_index:
            self.target_index[numbers] = len(self.targets)
            self.targets += [len(numbers)] + list(numbers)
        return self.target_index[numbers]

    # -- elements -----------------------------------------------------------------------------

    def primitive_of(self, element):
        """The FHIR type of an element that the definitions type as a FHIRPath string (ids, urls)."""
        if element['path'].endswith('.id') and element.get('base', {}).get('path') == 'Resource.id':
            return 'id'
        for ext in element['type'][0].get('extension', []):
            if ext['url'] == FHIR_TYPE:
                return ext['valueUrl']
        raise AssertionError(element['path'])

    def element_rows(self, type_name):
        """The rows of one type: [key, base length, type name, flags, slot, binding, targets, main key]."""
        root = type_name.split('.')[0]
        depth = type_name.count('.') + 1
        elements = [e for e in self.definitions[root]['snapshot']['element']
                    if e['path'].startswith(type_name + '.') and e['path'].count('.') == depth]
        rows = []
        for slot, e in enumerate(elements):
            last = e['path'].rsplit('.', 1)[1]
            choice = last.endswith('[x]')
            base = last[:-3] if choice else last
            flags = (ARRAY if e['max'] == '*' else 0) | (CHOICE if choice else 0) | (REQUIRED if e['min'] else 0)
            assert e['max'] in ('1', '*') and e['min'] in (0, 1), e['path']
            binding = e.get('binding', {})
            required = binding.get('valueSet') if binding.get('strength') == 'required' else None
            if 'contentReference' in e:
                rows.append([base, len(base), e['contentReference'][1:], flags, slot, 0, 0, base])
                continue
            for t in e['type']:
                code = t['code']
                sibling = True
                if code.startswith('http://hl7.org/fhirpath/'):
                    code, sibling = self.primitive_of(e), False
                if code in ('BackboneElement', 'Element') and e['path'] in self.type_index:
                    code = e['path']
                key = base + code[0].upper() + code[1:] if choice else base
                bound = self.code_set(required, code == 'CodeableConcept') \
                    if required and code in ('code', 'CodeableConcept') else 0
                targets = self.target_set(t.get('targetProfile', [])) if code == 'Reference' else 0
                rows.append([key, len(base), code, flags, slot, bound, targets, key])
                if code in PRIMITIVES and code != 'xhtml' and sibling:
                    rows.append(['_' + key, len(base), 'Element', flags | SIBLING, slot, 0, 0, key])
        if root == type_name and root in self.resources:
            rows.append(['resourceType', 12, 'code', RESOURCE_TYPE, len(elements), 0, 0, 'resourceType'])
        assert len(elements) < 64, type_name
        rows.sort(key=lambda r: jsonb_order(r[0]))
        assert len({r[0] for r in rows}) == len(rows), type_name
        return rows

    def base_of(self, name):
        if '.' in name:
            element = next(e for e in self.definitions[name.split('.')[0]]['snapshot']['element']
                           if e['path'] == name)
            return element['type'][0]['code']
        base = self.definitions[name].get('baseDefinition')
        return base[len(SD):] if base else None

    def kind_of(self, index, name):
        if '.' in name:
            return KIND_BACKBONE
        d = self.definitions[name]
        kind = {'primitive-type': KIND_PRIMITIVE, 'resource': KIND_RESOURCE, 'complex-type': KIND_DATATYPE}[d['kind']]
        return kind | (KIND_ABSTRACT if d['abstract'] else 0)

    def build(self):
        # element names first: their offsets then fit 16 bits whatever the code lists grow to
        tables = []
        for name in self.names:
            if name:
                self.pool.add(name.rsplit('.', 1)[-1])
        for name in self.names:
            rows = []
            if name and name not in PRIMITIVES:
                rows = self.element_rows(name)
            tables.append(rows)
        for rows in tables:
            for r in rows:
                self.pool.add(r[0])
        self.elements = []
        self.type_rows = []
        for index, (name, rows) in enumerate(zip(self.names, tables)):
            if not name:
                self.type_rows.append((0, 0, 0, 0, 0, 0, 0, ''))
                continue
            keys = [r[0] for r in rows]
            required = 0
            first = len(self.elements)
            for key, base_len, code, flags, slot, bound, targets, main in rows:
                if flags & REQUIRED:
                    required |= 1 << slot
                self.elements.append((self.pool.add(key), self.type_index[code], bound, targets, keys.index(main),
                                      len(key), base_len, flags, slot, key))
            base = self.base_of(name)
            owner = self.type_index[name.rsplit('.', 1)[0]] if '.' in name else 0
            self.type_rows.append((self.pool.add(name.rsplit('.', 1)[-1]), first, len(rows),
                                   self.type_index.get(base, 0), owner, self.kind_of(index, name), required, name))
        self.name_value_sets()
        assert self.pool.size < 65536 and len(self.elements) < 65536 and len(self.targets) < 65536
        assert len(self.codes) < 65536 and self.names_pool.size < 65536

    def name_value_sets(self):
        """The value sets by name, for terminology: [url, system or 0 where each code has its own, code set]."""
        self.names_pool = Pool()
        self.value_sets = []
        for url in sorted({url for url, with_systems in self.set_index} - UNKNOWN_SETS):
            systems = sorted({s for s, c in self.expand(url)}) if url not in GRAMMAR_SETS else [GRAMMAR_SETS_SYSTEM[url]]
            with_systems = (url, False) not in self.set_index or len(systems) > 1
            self.value_sets.append((self.names_pool.add(url), 0 if len(systems) > 1 else self.names_pool.add(systems[0]),
                                    self.code_set(url, with_systems), url))

    # -- output -------------------------------------------------------------------------------

    def size(self):
        return (self.pool.size + 16 * len(self.elements) + 24 * len(self.type_rows) + 2 * len(self.codes) +
                8 * len(self.sets) + len(self.targets) + self.names_pool.size + 6 * len(self.value_sets))

    def write(self, out):
        w = lambda line='': out.write(line + '\n')
        w('/*')
        w(' * fhir_model_generated.c')
        w(' *\t\tThe model of FHIR R4 (4.0.1).  GENERATED by fhir_model_gen.py (`make model`): do not edit.')
        w(' *')
        w(' * %d types, %d elements, %d code sets with %d codes; %d bytes of read-only tables.' % (
            len(self.type_index), len(self.elements), len(self.sets) - 1, len(self.codes), self.size()))
        w(' */')
        w('#include "fhir_model.h"')
        w()
        w('const uint16_t fhir_type_count = %d;' % len(self.type_rows))
        w('const uint16_t fhir_first_datatype = %d;' % self.first_datatype)
        w('const uint16_t fhir_first_backbone = %d;' % self.first_backbone)
        w('const uint16_t fhir_element_count = %d;' % len(self.elements))
        w('const uint16_t fhir_code_set_count = %d;' % len(self.sets))
        w('const uint16_t fhir_extension_type = %d;' % self.type_index['Extension'])
        w('const uint16_t fhir_reference_type = %d;' % self.type_index['Reference'])
        w('const uint16_t fhir_coding_type = %d;' % self.type_index['Coding'])
        w('const uint16_t fhir_codeable_concept_type = %d;' % self.type_index['CodeableConcept'])
        w('const uint16_t fhir_element_type = %d;' % self.type_index['Element'])
        w()
        w('const char fhir_pool[] =')
        for line in self.pool.lines():
            w(line)
        w(';')
        w()
        w('/* name, first element, elements, base, owner, kind, required slots */')
        w('const FhirType fhir_types[] = {')
        for i, (name, first, count, base, owner, kind, required, label) in enumerate(self.type_rows):
            w('\t{%d, %d, %d, %d, %d, %d, UINT64_C(0x%x)},\t/* %d %s */' % (
                name, first, count, base, owner, kind, required, i, label))
        w('};')
        w()
        w('/* name, type, code set, targets, main entry, lengths of name and base name, flags, slot */')
        w('const FhirElement fhir_elements[] = {')
        for name, type_, bound, targets, main, name_len, base_len, flags, slot, key in self.elements:
            w('\t{%d, %d, %d, %d, %d, %d, %d, %d, %d},\t/* %s */' % (
                name, type_, bound, targets, main, name_len, base_len, flags, slot, key))
        w('};')
        w()
        w('/* kind, first code, codes, first system */')
        w('const FhirCodeSet fhir_code_sets[] = {')
        urls = {i: url for (url, s), i in self.set_index.items()}
        for i, s in enumerate(self.sets):
            w('\t{%d, %d, %d, %d},\t/* %d %s */' % (s + (i, urls[i] if i else 'none')))
        w('};')
        w()
        w('const uint16_t fhir_codes[] = {')
        for i in range(0, len(self.codes), 16):
            w('\t' + ', '.join('%d' % c for c in self.codes[i:i + 16]) + ',')
        w('};')
        w()
        w('const char fhir_value_set_names[] =')
        for line in self.names_pool.lines():
            w(line)
        w(';')
        w()
        w('/* url and system in fhir_value_set_names, code set */')
        w('const uint16_t fhir_value_set_count = %d;' % len(self.value_sets))
        w('const FhirValueSet fhir_value_sets[] = {')
        for url, system, index, label in self.value_sets:
            w('\t{%d, %d, %d},\t/* %s */' % (url, system, index, label))
        w('};')
        w()
        w('const uint8_t fhir_targets[] = {')
        for i in range(0, len(self.targets), 24):
            w('\t' + ', '.join('%d' % c for c in self.targets[i:i + 24]) + ',')
        w('};')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--suite', default=os.path.join(HERE, '../../../shared/suites/fhir-r4-core'))
    parser.add_argument('--out', default=os.path.join(HERE, 'fhir_model_generated.c'))
    args = parser.parse_args()
    model = Model(args.suite)
    model.build()
    with open(args.out, 'w', encoding='ascii', newline='\n') as out:
        model.write(out)
    print('%s: %d bytes of tables' % (args.out, model.size()), file=sys.stderr)


if __name__ == '__main__':
    main()
