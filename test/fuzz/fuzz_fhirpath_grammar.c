/*
 * libFuzzer target: expressions after the grammar, each byte a choice of a production, on documents made likewise.
 *
 * test/fuzz/run builds and runs it.
 */
#include "fhirpath_run.h"

int			LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Maker
{
	const uint8_t *data;
	size_t		left;
	char		text[16384];
	size_t		len;
	int			depth;
} Maker;

static unsigned
choice(Maker *m, unsigned among)
{
	if (m->left == 0)
		return 0;
	m->left--;
	return *m->data++ % among;
}

static void
put(Maker *m, const char *text)
{
	size_t		len = strlen(text);

	if (m->len + len < sizeof(m->text))
	{
		memcpy(m->text + m->len, text, len);
		m->len += len;
	}
}

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))
#define PICK(m, list) put(m, list[choice(m, COUNT(list))])

static const char *const names[] = {
	"name", "given", "family", "value", "birthDate", "Patient", "Observation", "component", "code", "coding", "system",
	"extension", "url", "contained", "id", "item", "`od d`", "active", "valueQuantity", "deceased", "reference", "subject"
};

static const char *const literals[] = {
	"1", "0", "2147483647", "2147483648L", "1.50", "0.0000001", "99999999999999999999999999999999999999", "'a'", "''",
	"'\\u00e9\\'x'", "'2015-02-04'", "'1.5 \\'mg\\''", "true", "false", "{}", "@2015", "@2015-02-29T", "@2016-02-29",
	"@2015-02-04T14:34:28.123+09:00", "@T14:34", "4 days", "1.5 'mg'", "3 'Cel'", "1 year", "2 'kg/m2'", "$this", "$index",
	"$total", "%context", "%resource", "%ucum", "%`vs-x`", "%unknown", "'(a+)+$'", "'\\\\p{Lu}'", "'base64'", "'hex'", "'html'"
};

static const char *const operators[] = {
	" + ", " - ", " * ", " / ", " div ", " mod ", " & ", " | ", " = ", " != ", " ~ ", " !~ ", " < ", " <= ", " > ", " >= ",
	" and ", " or ", " xor ", " implies ", " in ", " contains "
};

static const char *const types[] = {
	"Patient", "FHIR.Quantity", "System.String", "Integer", "Quantity", "System.Any", "string", "code", "Resource", "Element", "DateTime"
};

/* Functions by their number of arguments; three: arguments beyond the first are more expressions */
static const char *const functions[][64] = {
	{"exists", "empty", "not", "allTrue", "anyFalse", "count", "distinct", "isDistinct", "first", "last", "tail", "single",
		"children", "descendants", "upper", "lower", "length", "toChars", "trim", "toString", "toInteger", "toDecimal", "toDate",
		"toDateTime", "toTime", "toQuantity", "toBoolean", "toLong", "convertsToQuantity", "abs", "ceiling", "floor", "round",
		"sqrt", "exp", "ln", "truncate", "lowBoundary", "highBoundary", "precision", "now", "today", "yearOf", "millisecondOf",
		"timezoneOffsetOf", "dateOf", "timeOf", "type", "hasValue", "getValue", "resolve", "htmlChecks", "sum", "avg", "min",
		"max", "sort", "getResourceKey", "getReferenceKey", "join", NULL},
	{"exists", "where", "select", "all", "repeat", "repeatAll", "skip", "take", "intersect", "exclude", "union", "combine",
		"subsetOf", "supersetOf", "indexOf", "lastIndexOf", "substring", "startsWith", "endsWith", "contains", "matches",
		"matchesFull", "split", "join", "encode", "decode", "escape", "unescape", "toQuantity", "round", "log", "power",
		"lowBoundary", "highBoundary", "comparable", "extension", "trace", "aggregate", "sort", "coalesce", "memberOf",
		"conformsTo", NULL},
	{"iif", "substring", "replace", "replaceMatches", "matches", "trace", "aggregate", "sort", "coalesce", "duration",
		"difference", NULL},
	{"iif", "replaceMatches", "coalesce", "sort", NULL}
};

static void make_expression(Maker *m);

static void
make_call(Maker *m)
{
	unsigned	arguments = choice(m, 4);
	unsigned	n = 0;

	if (choice(m, 8) == 0)
	{
		static const char *const typed[] = {"ofType(", "is(", "as("};

		PICK(m, typed);
		PICK(m, types);
		put(m, ")");
		return;
	}
	if (choice(m, 16) == 0)
	{
		put(m, "defineVariable('v', ");
		make_expression(m);
		put(m, ").select(%v)");
		return;
	}
	while (functions[arguments][n] != NULL)
		n++;
	put(m, functions[arguments][choice(m, n)]);
	put(m, "(");
	for (unsigned i = 0; i < arguments; i++)
	{
		if (i > 0)
			put(m, ", ");
		make_expression(m);
	}
	put(m, ")");
}

static void
make_factory(Maker *m)
{
	static const char *const made[] = {
		"string('a')", "Extension('u', 1)", "integer(5)", "Coding('s', 'c')", "CodeableConcept(%factory.Coding('s', 'c'), 't')",
		"create(Patient)", "withExtension(%factory.string('a'), 'u', true)", "withProperty(%factory.create(HumanName), 'family', 'x')",
		"Quantity('http://unitsofmeasure.org', 'mg', 5)", "date('2020')"
	};

	put(m, "%factory.");
	PICK(m, made);
}

static void
make_term(Maker *m)
{
	switch (choice(m, 6))
	{
		case 0:
			PICK(m, literals);
			break;
		case 1:
			make_call(m);
			break;
		case 2:
			put(m, "(");
			make_expression(m);
			put(m, ")");
			break;
		case 3:
			if (choice(m, 4) == 0)
				make_factory(m);
			else
				PICK(m, literals);
			break;
		default:
			PICK(m, names);
	}
}

static void
make_expression(Maker *m)
{
	if (++m->depth > 12)
	{
		PICK(m, names);
		m->depth--;
		return;
	}
	if (choice(m, 12) == 0)
		put(m, "-");
	make_term(m);
	for (unsigned n = choice(m, 4); n > 0; n--)
	{
		switch (choice(m, 5))
		{
			case 0:
				PICK(m, operators);
				make_term(m);
				break;
			case 1:
				put(m, "[");
				make_expression(m);
				put(m, "]");
				break;
			case 2:
				put(m, choice(m, 2) == 0 ? " is " : " as ");
				PICK(m, types);
				break;
			case 3:
				put(m, ".");
				PICK(m, names);
				break;
			default:
				put(m, ".");
				make_call(m);
		}
	}
	m->depth--;
}

static void
make_json(Maker *m, int depth)
{
	static const char *const keys[] = {
		"\"name\"", "\"given\"", "\"_given\"", "\"family\"", "\"valueQuantity\"", "\"valueString\"", "\"_valueString\"", "\"birthDate\"",
		"\"_birthDate\"", "\"resourceType\"", "\"contained\"", "\"extension\"", "\"url\"", "\"id\"", "\"component\"", "\"code\"", "\"coding\"",
		"\"value\"", "\"unit\"", "\"system\"", "\"reference\"", "\"item\"", "\"entry\"", "\"resource\"", "\"fullUrl\"", "\"_\""
	};
	static const char *const values[] = {
		"null", "true", "false", "0", "1.50", "-12345678901234567890.123", "\"Patient\"", "\"Observation\"", "\"Bundle\"", "\"2015-02\"",
		"\"2015-02-04T14:34:28Z\"", "\"#x\"", "\"x\"", "\"http://unitsofmeasure.org\"", "\"mg\"", "\"\"", "\"\\u00e9\"", "{}", "[]"
	};

	switch (depth > 5 ? 2 : choice(m, 3))
	{
		case 0:
			put(m, "{");
			for (unsigned n = choice(m, 6), i = 0; i < n; i++)
			{
				put(m, i > 0 ? "," : "");
				PICK(m, keys);
				put(m, ":");
				make_json(m, depth + 1);
			}
			put(m, "}");
			break;
		case 1:
			put(m, "[");
			for (unsigned n = choice(m, 5), i = 0; i < n; i++)
			{
				put(m, i > 0 ? "," : "");
				make_json(m, depth + 1);
			}
			put(m, "]");
			break;
		default:
			PICK(m, values);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static Maker expression,
				document;
	JbContainer *doc;
	uint32_t	doc_size = 0;

	document.data = data;
	document.left = size / 2;
	document.len = 0;
	put(&document, "{\"resourceType\":\"");
	put(&document, choice(&document, 2) == 0 ? "Patient" : "Observation");
	put(&document, "\",\"name\":");
	make_json(&document, 0);
	put(&document, ",\"component\":");
	make_json(&document, 0);
	put(&document, ",\"contained\":[");
	make_json(&document, 0);
	put(&document, "]}");
	expression.data = data + size / 2;
	expression.left = size - size / 2;
	expression.len = 0;
	expression.depth = 0;
	make_expression(&expression);
	doc = jsonb_make(&fuzz_cx, document.text, document.len, &doc_size);
	run_expression(expression.text, expression.len, doc, doc_size, (size & 1) != 0);
	free(doc);
	return 0;
}
