/*
 * fhir_xhtml.c
 *		A scanner for narratives: well-formed, only formatting, no script.
 *
 * A scanner of its own because expat has no way to be given a context for its
 * memory, and because most resources carry a narrative.  The unit test holds
 * it against expat.
 */
#include "fhir_xhtml.h"

#include <string.h>

#define XHTML_NAMESPACE "http://www.w3.org/1999/xhtml"
#define ATTRIBUTES_MAX	32
#define WINDOW			16		/* longest text that is looked for in attributes */

/* HTML 4.0 chapters 7-11 (without 9.4) and 15 (txt-1), sorted */
static const char *const elements[] = {
	"a", "abbr", "acronym", "address", "area", "b", "bdo", "big", "blockquote", "br", "caption", "center",
	"cite", "code", "col", "colgroup", "dd", "dfn", "div", "dl", "dt", "em", "font", "h1", "h2", "h3",
	"h4", "h5", "h6", "hr", "i", "img", "kbd", "li", "map", "ol", "p", "pre", "q", "s", "samp",
	"small", "span", "strike", "strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr",
	"tt", "u", "ul", "var"
};

static const char *const attributes[] = {
	"abbr", "accesskey", "align", "alt", "axis", "bgcolor", "border", "cellpadding", "cellspacing", "char",
	"charoff", "charset", "cite", "class", "clear", "color", "cols", "colspan", "compact", "coords",
	"dir", "face", "frame", "headers", "height", "href", "hreflang", "hspace", "id", "idref", "ismap",
	"lang", "longdesc", "name", "noshade", "nowrap", "rel", "rev", "rowspan", "rules", "scope", "shape",
	"size", "span", "src", "start", "style", "summary", "tabindex", "target", "title", "type", "usemap",
	"valign", "value", "vspace", "width", "xml:lang", "xml:space"
};

/* What makes an attribute's value run something, in lower case and without spaces */
static const char *const harmful[] = {
	"javascript:", "vbscript:", "expression(", "-moz-binding", "behavior:", "@import", "data:text/html"
};

#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))

typedef struct Tag
{
	const char *name;
	size_t		len;
} Tag;

typedef struct Scanner
{
	const char *at;
	const char *end;
	bool		content;		/* text or an image was seen */
	int			depth;
	Tag			open[FHIR_XHTML_DEPTH_MAX];
} Scanner;

static bool
listed(const char *const *list, size_t count, const char *name, size_t len)
{
	size_t		low = 0,
				high = count;

	while (low < high)
	{
		size_t		mid = (low + high) / 2;
		size_t		known_len = strlen(list[mid]);
		int			c = memcmp(name, list[mid], len < known_len ? len : known_len);

		if (c == 0)
			c = len < known_len ? -1 : len > known_len;
		if (c == 0)
			return true;
		if (c < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return false;
}

static bool
is(const char *name, size_t len, const char *word)
{
	return len == strlen(word) && memcmp(name, word, len) == 0;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool
skip_space(Scanner *s)
{
	const char *start = s->at;

	while (s->at < s->end && is_space(*s->at))
		s->at++;
	return s->at > start;
}

static bool
starts(const Scanner *s, const char *text)
{
	size_t		len = strlen(text);

	return (size_t) (s->end - s->at) >= len && memcmp(s->at, text, len) == 0;
}

/* Goes behind the next `text`; false if there is none. */
static bool
skip_behind(Scanner *s, const char *text)
{
	for (; s->at < s->end; s->at++)
	{
		if (starts(s, text))
		{
			s->at += strlen(text);
			return true;
		}
	}
	return false;
}

static bool
is_name_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':' || (unsigned char) c >= 0x80;
}

static size_t
scan_name(Scanner *s)
{
	const char *start = s->at;

	if (s->at >= s->end || !is_name_start(*s->at))
		return 0;
	while (s->at < s->end && (is_name_start(*s->at) || (*s->at >= '0' && *s->at <= '9') || *s->at == '-' || *s->at == '.'))
		s->at++;
	return s->at - start;
}

/* XML 1.0, production Char */
static bool
is_xml_character(uint32_t c)
{
	return c == '\t' || c == '\n' || c == '\r' || (c >= 0x20 && c <= 0xD7FF) ||
		(c >= 0xE000 && c <= 0xFFFD) || (c >= 0x10000 && c <= 0x10FFFF);
}

static bool
numeric_reference(Scanner *s, uint32_t *character)
{
	uint32_t	base = 10,
				value = 0;
	int			digits = 0;

	if (s->at < s->end && *s->at == 'x')
	{
		base = 16;
		s->at++;
	}
	for (; s->at < s->end && *s->at != ';'; s->at++, digits++)
	{
		char		c = *s->at;
		uint32_t	digit = c >= '0' && c <= '9' ? (uint32_t) (c - '0') :
			c >= 'a' && c <= 'f' ? (uint32_t) (c - 'a' + 10) :
			c >= 'A' && c <= 'F' ? (uint32_t) (c - 'A' + 10) : 16;

		if (digit >= base)
			return false;
		value = value * base + digit;
		if (value > 0x10FFFF)
			return false;
	}
	if (s->at >= s->end || digits == 0 || !is_xml_character(value))
		return false;
	s->at++;
	*character = value;
	return true;
}

/* At the character behind `&`; gives the character that is meant. */
static bool
reference(Scanner *s, uint32_t *character)
{
	static const struct
	{
		const char *name;
		char		character;
	}			known[] = {{"amp;", '&'}, {"lt;", '<'}, {"gt;", '>'}, {"quot;", '"'}, {"apos;", '\''}};

	if (s->at < s->end && *s->at == '#')
	{
		s->at++;
		return numeric_reference(s, character);
	}
	for (size_t i = 0; i < LENGTH(known); i++)
	{
		if (starts(s, known[i].name))
		{
			s->at += strlen(known[i].name);
			*character = (unsigned char) known[i].character;
			return true;
		}
	}
	return false;
}

/* One character of text or attribute; false if no XML can have it here. */
static inline bool
character(Scanner *s, uint32_t *result)
{
	unsigned char c = (unsigned char) *s->at++;

	*result = c;
	if (c == '&')
		return reference(s, result);
	if (c < ' ')
		return is_space((char) c);

	/* U+FFFE and U+FFFF are the only ones above that XML does not have */
	if (c == 0xEF && s->end - s->at >= 2 && (unsigned char) s->at[0] == 0xBF && (unsigned char) s->at[1] >= 0xBE)
		return false;
	return true;
}

/* -- attributes --------------------------------------------------------- */

/* The last characters of an attribute's value, folded, spaces and controls left out */
typedef struct Window
{
	char		text[WINDOW];
	int			len;
} Window;

static bool
window_harmful(Window *w, uint32_t c)
{
	if (c <= ' ' || c > 0x7F)
		return false;
	if (w->len == WINDOW)
	{
		memmove(w->text, w->text + 1, WINDOW - 1);
		w->len--;
	}
	w->text[w->len++] = (char) (c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
	for (size_t i = 0; i < LENGTH(harmful); i++)
	{
		int			len = (int) strlen(harmful[i]);

		if (w->len >= len && memcmp(w->text + w->len - len, harmful[i], len) == 0)
			return true;
	}
	return false;
}

/* A quoted value, at the quote; `style` takes no escapes, which could hide something. */
static FhirXhtmlFault
attribute_value(Scanner *s, bool style, Tag *value)
{
	Window		window;
	FhirXhtmlFault fault = FHIR_XHTML_FINE;
	char		quote;

	window.len = 0;
	if (s->at >= s->end || (*s->at != '"' && *s->at != '\''))
		return FHIR_XHTML_MALFORMED;
	quote = *s->at++;
	value->name = s->at;
	while (s->at < s->end && *s->at != quote)
	{
		uint32_t	c;

		if (*s->at == '<' || !character(s, &c))
			return FHIR_XHTML_MALFORMED;
		if (window_harmful(&window, c) || (style && c == '\\'))
			fault = FHIR_XHTML_SCRIPT;
	}
	if (s->at >= s->end)
		return FHIR_XHTML_MALFORMED;
	value->len = s->at - value->name;
	s->at++;
	return fault;
}

static FhirXhtmlFault
judge_attribute(const Tag *name, const Tag *value, bool *has_namespace)
{
	if (is(name->name, name->len, "xmlns"))
	{
		*has_namespace = is(value->name, value->len, XHTML_NAMESPACE);
		return *has_namespace ? FHIR_XHTML_FINE : FHIR_XHTML_ROOT;
	}
	if (name->len > 2 && (name->name[0] | 0x20) == 'o' && (name->name[1] | 0x20) == 'n')
		return FHIR_XHTML_SCRIPT;
	return listed(attributes, LENGTH(attributes), name->name, name->len) ? FHIR_XHTML_FINE : FHIR_XHTML_ATTRIBUTE;
}

/* The attributes of a start tag, up to its end, which is left to be read. */
static FhirXhtmlFault
scan_attributes(Scanner *s, bool *has_namespace)
{
	Tag			seen[ATTRIBUTES_MAX];
	int			count = 0;
	FhirXhtmlFault worst = FHIR_XHTML_FINE;

	while (skip_space(s) && s->at < s->end && *s->at != '>' && *s->at != '/')
	{
		Tag			name = {s->at, 0};
		Tag			value = {NULL, 0};
		FhirXhtmlFault fault;

		name.len = scan_name(s);
		if (name.len == 0)
			return FHIR_XHTML_MALFORMED;
		(void) skip_space(s);
		if (s->at >= s->end || *s->at++ != '=')
			return FHIR_XHTML_MALFORMED;
		(void) skip_space(s);
		fault = attribute_value(s, is(name.name, name.len, "style"), &value);
		if (fault == FHIR_XHTML_MALFORMED)
			return fault;
		for (int i = 0; i < count; i++)
		{
			if (seen[i].len == name.len && memcmp(seen[i].name, name.name, name.len) == 0)
				return FHIR_XHTML_MALFORMED;
		}
		if (count == ATTRIBUTES_MAX)
			return FHIR_XHTML_ATTRIBUTE;
		seen[count++] = name;
		if (fault == FHIR_XHTML_FINE)
			fault = judge_attribute(&name, &value, has_namespace);
		if (worst == FHIR_XHTML_FINE)
			worst = fault;
	}
	return worst;
}

/* -- markup ------------------------------------------------------------- */

static FhirXhtmlFault
start_tag(Scanner *s)
{
	Tag			tag = {s->at, 0};
	bool		has_namespace = false;
	FhirXhtmlFault fault;

	tag.len = scan_name(s);
	if (tag.len == 0)
		return FHIR_XHTML_MALFORMED;
	fault = scan_attributes(s, &has_namespace);
	if (fault != FHIR_XHTML_FINE)
		return fault;
	if (is(tag.name, tag.len, "script"))
		return FHIR_XHTML_SCRIPT;
	if (s->depth == 0 && (!is(tag.name, tag.len, "div") || !has_namespace))
		return FHIR_XHTML_ROOT;
	if (!listed(elements, LENGTH(elements), tag.name, tag.len))
		return FHIR_XHTML_ELEMENT;
	if (is(tag.name, tag.len, "img"))
		s->content = true;
	if (s->at < s->end && *s->at == '/')
		s->at++;
	else
	{
		if (s->depth == FHIR_XHTML_DEPTH_MAX)
			return FHIR_XHTML_DEEP;
		s->open[s->depth++] = tag;
	}
	return s->at < s->end && *s->at++ == '>' ? FHIR_XHTML_FINE : FHIR_XHTML_MALFORMED;
}

static FhirXhtmlFault
end_tag(Scanner *s)
{
	Tag			tag = {s->at, 0};
	const Tag  *open;

	tag.len = scan_name(s);
	(void) skip_space(s);
	if (s->depth == 0 || s->at >= s->end || *s->at++ != '>')
		return FHIR_XHTML_MALFORMED;
	open = &s->open[--s->depth];
	return open->len == tag.len && memcmp(open->name, tag.name, tag.len) == 0 ? FHIR_XHTML_FINE : FHIR_XHTML_MALFORMED;
}

/* Characters that comments and CDATA may hold */
static bool
plain_characters(const char *from, const char *to)
{
	for (; from < to; from++)
	{
		if ((unsigned char) *from < ' ' && !is_space(*from))
			return false;
		if ((unsigned char) *from == 0xEF && to - from > 2 &&
			(unsigned char) from[1] == 0xBF && (unsigned char) from[2] >= 0xBE)
			return false;
	}
	return true;
}

/* Behind `<!`: a comment or CDATA; a DOCTYPE is refused. */
static FhirXhtmlFault
declaration(Scanner *s)
{
	const char *start = s->at;

	if (starts(s, "--"))
	{
		s->at += 2;
		start = s->at;
		/* two dashes may only stand at the end */
		if (!skip_behind(s, "--") || s->at >= s->end || *s->at++ != '>')
			return FHIR_XHTML_MALFORMED;
		return plain_characters(start, s->at) ? FHIR_XHTML_FINE : FHIR_XHTML_MALFORMED;
	}
	if (!starts(s, "[CDATA[") || s->depth == 0)
		return FHIR_XHTML_MALFORMED;
	s->at += 7;
	start = s->at;
	if (!skip_behind(s, "]]>") || !plain_characters(start, s->at))
		return FHIR_XHTML_MALFORMED;
	for (; start < s->at - 3; start++)
		s->content |= !is_space(*start);
	return FHIR_XHTML_FINE;
}

static FhirXhtmlFault
markup(Scanner *s)
{
	s->at++;
	if (s->at >= s->end || *s->at == '?')
		return FHIR_XHTML_MALFORMED;
	if (*s->at == '/')
	{
		s->at++;
		return end_tag(s);
	}
	if (*s->at == '!')
	{
		s->at++;
		return declaration(s);
	}
	return start_tag(s);
}

static FhirXhtmlFault
char_data(Scanner *s)
{
	while (s->at < s->end && *s->at != '<')
	{
		uint32_t	c;

		/* references only stand in elements */
		if (starts(s, "]]>") || (*s->at == '&' && s->depth == 0) || !character(s, &c))
			return FHIR_XHTML_MALFORMED;
		if (c > ' ')
		{
			/* text belongs into the root */
			if (s->depth == 0)
				return FHIR_XHTML_MALFORMED;
			s->content = true;
		}
	}
	return FHIR_XHTML_FINE;
}

FhirXhtmlFault
fhir_xhtml_check(const char *text, size_t len)
{
	Scanner		s;
	bool		closed = false;

	s.at = text;
	s.end = text + len;
	s.content = false;
	s.depth = 0;
	while (s.at < s.end)
	{
		FhirXhtmlFault fault;

		if (*s.at != '<')
			fault = char_data(&s);
		else
		{
			bool		tag = s.end - s.at > 1 && s.at[1] != '!';

			/* one root, and nothing but comments and space around it */
			if (closed && tag)
				return FHIR_XHTML_MALFORMED;
			fault = markup(&s);
			if (tag)
				closed = s.depth == 0;
		}
		if (fault != FHIR_XHTML_FINE)
			return fault;
	}
	if (s.depth > 0)
		return FHIR_XHTML_MALFORMED;
	if (!closed && !s.content)
		return len == 0 ? FHIR_XHTML_EMPTY : FHIR_XHTML_MALFORMED;
	return s.content ? FHIR_XHTML_FINE : FHIR_XHTML_EMPTY;
}
