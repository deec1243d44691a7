#!/usr/bin/env python3
"""Makes fhir_schedule_generated.c: which invariants and bindings are asked of the objects of each type, and when an
invariant is known to hold or to be broken from the elements alone that an object has.

An expression is evaluated here over what is known of an object when only the presence of its elements is: each
sub-expression is empty, true, false, something, or unknown.  Done for every combination of the elements that the
expression names, that gives the combinations in which the answer is certain; they are written as pairs of bit masks over
the slots of the type (fhir_model.h).  All else is for the evaluator.  `make model` runs it.
"""
import argparse
import itertools
import os
import re
import sys

import fhir_invariants_gen as invariants
import fhir_model_gen as model_gen

HERE = os.path.dirname(os.path.abspath(__file__))
MOST_SLOTS = 10                 # expressions that name more elements are left to the evaluator

TOKEN = re.compile(r"\s*(?:(?P<string>'(?:[^'\\]|\\.)*')|(?P<number>\d+(?:\.\d+)?)|(?P<name>`[^`]+`|[$%]?[A-Za-z_][A-Za-z0-9_]*)"
                   r"|(?P<op><=|>=|!=|[-.,()={}|&<>+*/\[\]]))")
BINARY = [{'implies'}, {'or', 'xor'}, {'and'}, {'in', 'contains'}, {'=', '!='}, {'<', '>', '<=', '>='}, {'|'}, {'is', 'as'},
          {'+', '-', '&'}]


class Parser:
    """FHIRPath into tuples; enough of it for R4's invariants."""

    def __init__(self, text):
        self.tokens, at = [], 0
        text = text.strip()
        while at < len(text):
            m = TOKEN.match(text, at)
            assert m, text[at:]
            self.tokens.append((m.lastgroup, m.group(m.lastgroup)))
            at = m.end()
        self.at = 0

    def peek(self):
        return self.tokens[self.at] if self.at < len(self.tokens) else (None, None)

    def take(self, text=None):
        token = self.peek()
        assert text is None or token[1] == text, (text, self.tokens[self.at:])
        self.at += 1
        return token

    def expression(self, level=0):
        if level == len(BINARY):
            return self.path()
        left = self.expression(level + 1)
        while self.peek()[0] in ('op', 'name') and self.peek()[1] in BINARY[level]:
            op = self.take()[1]
            left = (op, left, self.expression(level + 1))
        return left

    def call(self, focus, name):
        self.take('(')
        arguments = []
        while self.peek()[1] != ')':
            arguments.append(self.expression())
            if self.peek()[1] == ',':
                self.take()
        self.take(')')
        return ('call', name, focus, arguments)

    def step(self, focus):
        name = self.take()[1].strip('`')
        return self.call(focus, name) if self.peek()[1] == '(' else ('child', name, focus)

    def path(self):
        kind, text = self.peek()
        if kind in ('string', 'number'):
            self.take()
            node = (kind, text)
        elif text == '(':
            self.take()
            node = self.expression()
            self.take(')')
        elif text == '{':
            self.take()
            self.take('}')
            node = ('empty',)
        elif text == '-':
            self.take()
            node = ('other', self.path())
        elif text in ('true', 'false'):
            self.take()
            node = ('boolean', text == 'true')
        elif kind == 'name' and text[0] in '$%':
            self.take()
            node = ('variable', text)
        else:
            assert kind == 'name', text
            node = self.step(None)
        while self.peek()[1] in ('.', '['):
            if self.take()[1] == '.':
                node = self.step(node)
            else:
                node = ('other', node, self.expression())
                self.take(']')
        return node


# What is known of a collection: nothing in it, one true, one false, something of a type (None: of any), a number, anything
EMPTY, TRUE, FALSE, ANY = ('empty',), ('true',), ('false',), ('any',)
SELF = ('self',)


def some(type_name):
    return ('some', type_name)


def truth(condition):
    return TRUE if condition else FALSE


class Known:
    """Evaluation of one invariant of one type, given which elements are there."""

    # of nothing they make nothing
    EMPTY_OF_EMPTY = {'where', 'select', 'first', 'tail', 'children', 'descendants', 'ofType', 'as', 'resolve', 'trace'}

    def __init__(self, model, type_name, slots):
        self.model = model
        self.type_name = type_name
        self.slots = slots      # base name → (slot, {types}, required) of the type
        self.asked = set()
        self.present = {}

    def child_of(self, focus, name):
        if focus == EMPTY:
            return EMPTY
        if focus == SELF:
            if name not in self.slots:
                return ANY
            self.asked.add(name)
            types = self.slots[name][1]
            return some(next(iter(types)) if len(types) == 1 else None) if self.present.get(name) else EMPTY
        if focus[0] == 'some' and focus[1] in self.model.slots_of and name in self.model.slots_of[focus[1]]:
            slot, types, required = self.model.slots_of[focus[1]][name]
            if required:
                return some(next(iter(types)) if len(types) == 1 else None)
        return ANY

    def value(self, node, focus):
        kind = node[0]
        if kind == 'child':
            if node[2] is None and focus == SELF and node[1] == self.type_name and node[1] not in self.slots:
                return SELF
            return self.child_of(focus if node[2] is None else self.value(node[2], focus), node[1])
        if kind == 'call':
            return self.call(node[1], focus if node[2] is None else self.value(node[2], focus), node[3], focus)
        if kind == 'variable':
            if node[1] == '$this':
                return focus
            return SELF if node[1] == '%resource' and self.type_name in self.model.resources else ANY
        if kind == 'boolean':
            return truth(node[1])
        if kind == 'empty':
            return EMPTY
        if kind == 'number':
            return ('number', float(node[1]))
        if kind == 'string':
            return some(None)
        if kind in ('and', 'or', 'xor', 'implies', '=', '!=', '<', '>', '<=', '>=', '|', 'in'):
            return self.binary(kind, self.value(node[1], focus), self.value(node[2], focus))
        return ANY

    def binary(self, op, a, b):
        if op == '|':
            return EMPTY if a == b == EMPTY else some(None) if ANY not in (a, b) else ANY
        if op in ('and', 'or'):
            strong = FALSE if op == 'and' else TRUE
            weak = TRUE if op == 'and' else FALSE
            if strong in (a, b):
                return strong
            if a == b == weak:
                return weak
            return EMPTY if {a, b} <= {EMPTY, weak} else ANY
        if op == 'implies':
            if b == TRUE or a == FALSE:
                return TRUE
            if a == TRUE and b in (FALSE, EMPTY):
                return b
            return EMPTY if a == EMPTY and b in (FALSE, EMPTY) else ANY
        if op == 'in':
            return EMPTY if a == EMPTY else ANY
        if EMPTY in (a, b) and op != 'xor':
            return EMPTY
        if {a, b} <= {TRUE, FALSE}:
            return truth((a == b) == (op == '=')) if op in ('=', '!=', 'xor') else ANY
        if a[0] == b[0] == 'number':
            return truth({'=': a[1] == b[1], '!=': a[1] != b[1], '<': a[1] < b[1], '>': a[1] > b[1],
                          '<=': a[1] <= b[1], '>=': a[1] >= b[1]}[op]) if op != 'xor' else ANY
        return ANY

    def call(self, name, on, arguments, focus):
        there = on not in (EMPTY, ANY)
        if name in ('exists', 'empty') and not arguments:
            return ANY if on == ANY else truth(there == (name == 'exists'))
        if name in ('exists', 'hasValue') and on == EMPTY:
            return FALSE
        if name == 'all' and on == EMPTY:
            return TRUE
        if name == 'not':
            return {TRUE: FALSE, FALSE: TRUE, EMPTY: EMPTY}.get(on, ANY)
        if name == 'count' and on == EMPTY:
            return ('number', 0.0)
        if name in self.EMPTY_OF_EMPTY and on == EMPTY:
            return EMPTY
        if name == 'iif':
            condition = self.value(arguments[0], focus)
            if condition == TRUE:
                return self.value(arguments[1], focus)
            if condition in (FALSE, EMPTY) and len(arguments) == 3:
                return self.value(arguments[2], focus)
        return ANY

    def answers(self, expression):
        """{True, False, None}, by the tuple of presences in the order of self.names"""
        names = []
        while True:             # what is asked can depend on what is there
            self.asked = set(names)
            table = {}
            for there in itertools.product((False, True), repeat=len(names)):
                self.present = dict(zip(names, there))
                table[there] = {TRUE: True, FALSE: False}.get(self.value(expression, SELF))
            if self.asked == set(names):
                return names, table
            names = sorted(self.asked)
            if len(names) > MOST_SLOTS:
                return [], {(): None}


def cubes(names, table, wanted):
    """A cover of the combinations with this answer: (names that are there, names that are not)."""
    todo = [k for k, v in table.items() if v is wanted]
    found = []
    while todo:
        cube = list(todo[0])
        for i in range(len(names)):
            tried = cube[:i] + [None] + cube[i + 1:]
            if all(table[k] is wanted for k in table if all(c is None or c == x for c, x in zip(tried, k))):
                cube = tried
        found.append(cube)
        todo = [k for k in todo if not all(c is None or c == x for c, x in zip(cube, k))]
    return [([n for n, c in zip(names, cube) if c is True], [n for n, c in zip(names, cube) if c is False]) for cube in found]


def slots_of(model, name):
    slots = {}
    for key, base_len, code, flags, slot, bound, targets, main in model.element_rows(name):
        if not flags & (model_gen.SIBLING | model_gen.RESOURCE_TYPE):
            entry = slots.setdefault(key[:base_len], (slot, set(), bool(flags & model_gen.REQUIRED)))
            entry[1].add(code)
    return slots


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--suite', default=os.path.join(HERE, '../../../shared/suites/fhir-r4-core'))
    parser.add_argument('--out', default=os.path.join(HERE, 'fhir_schedule_generated.c'))
    args = parser.parse_args()
    rows, bindings, by_hand = invariants.read(os.path.join(args.suite, 'hl7.fhir.r4.core-4.0.1.tgz'))
    model = model_gen.Model(args.suite)
    model.build()
    names = [n for n in model.names if n and n not in model_gen.PRIMITIVES]
    model.slots_of = {n: slots_of(model, n) for n in names}
    parsed = [Parser(row[5]).expression() for row in rows]
    by_type, bound_by_type = {}, {}
    for i, row in enumerate(rows):
        assert row[0] in model.type_index, row[0]
        by_type.setdefault(row[0], []).append(i)
    for i, row in enumerate(bindings):
        bound_by_type.setdefault(row[0], []).append(i)

    masks, mask_index = [], {}
    asked, bound = [], []
    first_asked, first_bound = [], []

    def mask_list(pairs):
        pairs = tuple(pairs)
        if pairs not in mask_index:
            mask_index[pairs] = len(masks)
            masks.extend(pairs)
        return mask_index[pairs]

    for name in model.names:
        first_asked.append(len(asked))
        first_bound.append(len(bound))
        if not name or name in model_gen.PRIMITIVES:
            continue
        slots = model.slots_of[name]
        bits = lambda ns: sum(1 << slots[n][0] for n in ns)
        ancestor, bound_children = name, set()
        while ancestor:
            for i in by_type.get(ancestor, []):
                child = rows[i][1]
                if child:
                    holds, breaks = [([], [child])], []
                else:
                    used, table = Known(model, name, slots).answers(parsed[i])
                    holds, breaks = cubes(used, table, True), cubes(used, table, False)
                both = [(bits(there), bits(absent)) for there, absent in holds + breaks]
                asked.append((i, mask_list(both), len(holds), len(breaks), '%s %s' % (name, rows[i][2])))
            for i in bound_by_type.get(ancestor, []):
                child = bindings[i][1]
                if child not in bound_children:
                    bound_children.add(child)
                    bound.append((1 << slots[child][0], i, '%s.%s' % (name, child)))
            base = model.base_of(ancestor)
            ancestor = base if base in model.type_index else None
    first_asked.append(len(asked))
    first_bound.append(len(bound))
    assert len(masks) < 65536 and len(asked) < 65536

    with open(args.out, 'w', encoding='ascii', newline='\n') as out:
        w = lambda line='': out.write(line + '\n')
        w('/*\n * fhir_schedule_generated.c\n *\t\tWhich invariants and bindings are asked of which type, and when their elements answer them.'
          '  GENERATED by fhir_schedule_gen.py (`make model`): do not edit.\n */')
        w('#include "fhir_schedule.h"')
        w()
        w('/* slots that are there, slots that are not */')
        w('const FhirSlots fhir_schedule_slots[] = {')
        for there, absent in masks:
            w('\t{UINT64_C(0x%x), UINT64_C(0x%x)},' % (there, absent))
        w('};')
        w()
        w('/* invariant, first of fhir_schedule_slots, how many with which it holds, how many with which it is broken */')
        w('const FhirAsked fhir_asked[] = {')
        for i, first, holds, breaks, label in asked:
            w('\t{%d, %d, %d, %d},\t/* %s */' % (i, first, holds, breaks, label))
        w('};')
        w()
        w('/* slot, binding */')
        w('const FhirBound fhir_bound[] = {')
        for slot, i, label in bound:
            w('\t{UINT64_C(0x%x), %d},\t/* %s */' % (slot, i, label))
        w('};')
        for table, values in (('asked', first_asked), ('bound', first_bound)):
            w()
            w('const uint16_t fhir_first_%s[] = {' % table)
            for i in range(0, len(values), 16):
                w('\t' + ', '.join('%d' % v for v in values[i:i + 16]) + ',')
            w('};')
    certain = sum(1 for a in asked if a[2] + a[3])
    print('%s: %d invariants of types, %d of them sometimes answered by presence; %d bindings' % (args.out, len(asked), certain, len(bound)),
          file=sys.stderr)


if __name__ == '__main__':
    main()
