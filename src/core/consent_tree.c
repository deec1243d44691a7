/*
 * consent_tree.c
 *		What a compiled Consent decides (consent_tree.h; doc/consent.md).
 *
 * The bytes may come from anywhere: every read is checked against their end.
 */
#include "consent_tree.h"

#include <string.h>

#define NODE_HEAD 9

typedef enum Answer
{
	NO,
	UNKNOWN,
	YES
} Answer;

typedef struct Reader
{
	const uint8_t *at;
	const uint8_t *end;
	bool		bad;
} Reader;

typedef struct Node
{
	ConsentDecision decision;
	unsigned	parts;
	int			below;			/* nodes below it */
	const uint8_t *start;
	Reader		criteria;
} Node;

typedef struct Decider
{
	ConsentRequest *request;
	bool		document_asked;
	Reader		in;
	int			place;			/* of the next node */
} Decider;

/* -- bytes ---------------------------------------------------------------- */

static uint64_t
take(Reader *r, int bytes)
{
	uint64_t	value = 0;

	if (r->bad || r->end - r->at < bytes)
	{
		r->bad = true;
		return 0;
	}
	for (int i = 0; i < bytes; i++)
		value = value << 8 | *r->at++;
	return value;
}

static ConsentText
take_text(Reader *r)
{
	ConsentText t = {"", 0};
	size_t		len = (size_t) take(r, 2);

	if (r->bad || (size_t) (r->end - r->at) < len)
	{
		r->bad = true;
		return t;
	}
	t.text = (const char *) r->at;
	t.len = len;
	r->at += len;
	return t;
}

static void
take_node(Reader *in, Node *node)
{
	size_t		size;

	node->start = in->at;
	size = (size_t) take(in, 4);
	node->below = (int) take(in, 2);
	node->decision = (ConsentDecision) take(in, 1);
	node->parts = (unsigned) take(in, 2);
	if (in->bad || size < NODE_HEAD || (size_t) (in->end - node->start) < size ||
		(node->decision != CONSENT_PERMIT && node->decision != CONSENT_DENY) || node->parts >= CONSENT_HAS_DATA * 2)
	{
		in->bad = true;
		return;
	}
	node->criteria.at = in->at;
	node->criteria.end = node->start + size;
	node->criteria.bad = false;
	in->at = node->criteria.end;
}

/* -- single criteria ------------------------------------------------------ */

static bool
same(ConsentText a, ConsentText b)
{
	return a.len == b.len && memcmp(a.text, b.text, a.len) == 0;
}

static Answer
is_in(ConsentText text, const ConsentTexts *list)
{
	if (!list->known)
		return UNKNOWN;
	for (size_t i = 0; i < list->count; i++)
		if (same(text, list->item[i]))
			return YES;
	return NO;
}

/* Alternatives: the best answer of them. */
static Answer
either(Answer a, Answer b)
{
	return a > b ? a : b;
}

/* The document is asked for only when nothing else can tell. */
static void
need_document(Decider *d)
{
	if (d->document_asked)
		return;
	d->document_asked = true;
	if (d->request->need_document != NULL)
		d->request->need_document(d->request);
}

static Answer
ask_period(Decider *d, Reader *r)
{
	int64_t		from = (int64_t) take(r, 8);
	int64_t		to = (int64_t) take(r, 8);

	return d->request->now >= from && d->request->now < to ? YES : NO;
}

static Answer
ask_recipients(Decider *d, Reader *r)
{
	Answer		answer = take(r, 1) != 0 ? UNKNOWN : NO;
	unsigned	count = (unsigned) take(r, 2);

	for (; count > 0 && !r->bad; count--)
	{
		ConsentText kind = take_text(r);
		Answer		named = is_in(take_text(r), &d->request->actors);

		if (named != NO && kind.len > 0)
		{
			Answer		is_kind = is_in(kind, &d->request->kinds);

			named = is_kind < named ? is_kind : named;
		}
		answer = either(answer, named);
	}
	return answer;
}

static Answer
ask_word(Reader *r, ConsentText word)
{
	Answer		answer = take(r, 1) != 0 ? UNKNOWN : NO;
	unsigned	count = (unsigned) take(r, 2);

	for (; count > 0 && !r->bad; count--)
	{
		ConsentText listed = take_text(r);

		answer = either(answer, word.text == NULL ? UNKNOWN : same(listed, word) ? YES : NO);
	}
	return answer;
}

/*
 * Does the row carry one of the labels?  Whether a permit names all of them is
 * another question (covers).
 */
static Answer
ask_labels(Decider *d, Reader *r)
{
	uint32_t	mask = (uint32_t) take(r, 4);
	unsigned	flags = (unsigned) take(r, 1);
	uint32_t	labels = (uint32_t) d->request->labels;

	if (!d->request->labels_known)
		return UNKNOWN;
	if (labels == 0 ? (flags & 2) != 0 : (labels & mask) != 0)
		return YES;
	return (flags & 1) != 0 ? UNKNOWN : NO;
}

static Answer
ask_class(Decider *d, Reader *r)
{
	Answer		answer = take(r, 1) != 0 ? UNKNOWN : NO;
	unsigned	count = (unsigned) take(r, 2);

	for (; count > 0 && !r->bad; count--)
	{
		int			type = (int) take(r, 2);

		answer = either(answer, d->request->type == 0 ? UNKNOWN : type == d->request->type ? YES : NO);
	}
	return answer;
}

static Answer
is_author(Decider *d, ConsentText name)
{
	if (d->request->author.text != NULL && same(name, d->request->author))
		return YES;
	need_document(d);
	return is_in(name, &d->request->authors);
}

static Answer
ask_authors(Decider *d, Reader *r)
{
	Answer		answer = take(r, 1) != 0 ? UNKNOWN : NO;
	unsigned	count = (unsigned) take(r, 2);

	for (; count > 0 && !r->bad; count--)
		answer = either(answer, is_author(d, take_text(r)));
	return answer;
}

static Answer
ask_codes(Decider *d, Reader *r)
{
	Answer		answer = take(r, 1) != 0 ? UNKNOWN : NO;
	unsigned	count = (unsigned) take(r, 2);

	need_document(d);
	for (; count > 0 && !r->bad; count--)
		answer = either(answer, is_in(take_text(r), &d->request->codes));
	return answer;
}

/* A permit is for data that lies wholly within the period, a denial for data any of which does. */
static Answer
ask_data_period(Decider *d, Reader *r, ConsentDecision decision)
{
	int64_t		from = (int64_t) take(r, 8);
	int64_t		to = (int64_t) take(r, 8);
	int64_t		data_from;
	int64_t		data_to;

	need_document(d);
	data_from = d->request->data_from;
	data_to = d->request->data_to;
	if (data_from >= data_to)
		return UNKNOWN;
	if (decision == CONSENT_PERMIT)
		return data_from >= from && data_to <= to ? YES : NO;
	return data_from < to && data_to > from ? YES : NO;
}

static Answer
ask_data(Decider *d, Reader *r)
{
	Answer		answer = take(r, 1) != 0 ? UNKNOWN : NO;
	unsigned	count = (unsigned) take(r, 2);

	need_document(d);
	for (; count > 0 && !r->bad; count--)
	{
		unsigned	meaning = (unsigned) take(r, 1);
		ConsentText name = take_text(r);
		Answer		self = d->request->self.text == NULL ? UNKNOWN : same(name, d->request->self) ? YES : NO;

		switch (meaning)
		{
			case CONSENT_INSTANCE:
				break;
			case CONSENT_RELATED:
				self = either(self, is_in(name, &d->request->referred_by));
				break;
			case CONSENT_DEPENDENTS:
				self = either(self, is_in(name, &d->request->refers));
				break;
			case CONSENT_AUTHORED_BY:
				self = is_author(d, name);
				break;
			default:
				r->bad = true;
		}
		answer = either(answer, self);
	}
	return answer;
}

/* One criterion, read over in any case. */
static Answer
ask(Decider *d, const Node *node, unsigned part, Reader *r)
{
	switch (part)
	{
		case CONSENT_HAS_UNKNOWN:
			return UNKNOWN;
		case CONSENT_HAS_PERIOD:
			return ask_period(d, r);
		case CONSENT_HAS_RECIPIENT:
			return ask_recipients(d, r);
		case CONSENT_HAS_ACTION:
			return ask_word(r, d->request->action);
		case CONSENT_HAS_PURPOSE:
			return ask_word(r, d->request->purpose);
		case CONSENT_HAS_LABELS:
			return ask_labels(d, r);
		case CONSENT_HAS_CLASS:
			return ask_class(d, r);
		case CONSENT_HAS_AUTHOR:
			return ask_authors(d, r);
		case CONSENT_HAS_CODE:
			return ask_codes(d, r);
		case CONSENT_HAS_DATA_PERIOD:
			return ask_data_period(d, r, node->decision);
		default:
			return ask_data(d, r);
	}
}

/* Reads a criterion over without asking it. */
static void
skip(unsigned part, Reader *r)
{
	unsigned	count;

	switch (part)
	{
		case CONSENT_HAS_UNKNOWN:
			return;
		case CONSENT_HAS_PERIOD:
		case CONSENT_HAS_DATA_PERIOD:
			(void) take(r, 8);
			(void) take(r, 8);
			return;
		case CONSENT_HAS_LABELS:
			(void) take(r, 5);
			return;
		default:
			break;
	}
	(void) take(r, 1);
	for (count = (unsigned) take(r, 2); count > 0 && !r->bad; count--)
	{
		if (part == CONSENT_HAS_CLASS)
			(void) take(r, 2);
		else
		{
			if (part == CONSENT_HAS_RECIPIENT)
				(void) take_text(r);
			if (part == CONSENT_HAS_DATA)
				(void) take(r, 1);
			(void) take_text(r);
		}
	}
}

/* -- nodes ---------------------------------------------------------------- */

#define ABOUT_ALL	(2 * CONSENT_HAS_DATA - 1)
#define ABOUT_ROW	(CONSENT_HAS_LABELS | CONSENT_HAS_CLASS | CONSENT_HAS_AUTHOR | CONSENT_HAS_CODE | \
					 CONSENT_HAS_DATA_PERIOD | CONSENT_HAS_DATA)


static inline bool
rules_out(ConsentDecision decision, Answer answer)
{
	return answer == NO || (answer == UNKNOWN && decision == CONSENT_PERMIT);
}

static bool
matches(Decider *d, const Node *node, unsigned about)
{
	Reader		r = node->criteria;

	for (unsigned part = CONSENT_HAS_UNKNOWN; part <= CONSENT_HAS_DATA; part <<= 1)
		if ((node->parts & part) != 0)
		{
			Answer		answer;

			if ((about & part) != 0)
				answer = ask(d, node, part, &r);
			else
			{
				skip(part, &r);
				answer = YES;
			}
			if (r.bad)
			{
				d->in.bad = true;
				return false;
			}
			if (rules_out(node->decision, answer))
				return false;
		}
	return true;
}

/*
 * A permit opens only data of which it names every label; one that names none,
 * only data without labels.
 */
static bool
covers(const Decider *d, const Node *node)
{
	Reader		r = node->criteria;
	uint32_t	mask = 0;

	if (node->decision != CONSENT_PERMIT)
		return true;
	for (unsigned part = CONSENT_HAS_UNKNOWN; part < CONSENT_HAS_LABELS; part <<= 1)
		if ((node->parts & part) != 0)
			skip(part, &r);
	if ((node->parts & CONSENT_HAS_LABELS) != 0)
		mask = (uint32_t) take(&r, 4);
	return d->request->labels_known && ((uint32_t) d->request->labels & ~mask) == 0;
}

static void
skip_nodes(Decider *d, int count)
{
	Node		node;

	d->place += count;
	while (count-- > 0 && !d->in.bad)
		take_node(&d->in, &node);
}

/* The deepest that matches decides, of two as deep the denial. */
static void
consider(ConsentVerdict *verdict, const Node *node, int place, int depth)
{
	if (depth > verdict->depth || (depth == verdict->depth && node->decision > verdict->decision))
	{
		verdict->decision = node->decision;
		verdict->node = place;
		verdict->depth = depth;
	}
}

/* most: how many nodes there are at most, which guards against damaged bytes. */
static void
decide_node(Decider *d, int depth, int most, ConsentVerdict *verdict)
{
	Node		node;
	int			place = d->place++;
	int			end;

	take_node(&d->in, &node);
	if (d->in.bad || depth > CONSENT_DEPTH_MAX || node.below > most - 1)
	{
		d->in.bad = true;
		return;
	}
	end = d->place + node.below;
	if (!matches(d, &node, ABOUT_ALL))
	{
		skip_nodes(d, node.below);
		return;
	}
	if (covers(d, &node))
		consider(verdict, &node, place, depth);
	while (d->place < end && !d->in.bad)
		decide_node(d, depth + 1, end - d->place, verdict);
}

/* Opens a form; returns how many nodes it has, -1 when it is none. */
static int
open_form(const uint8_t *form, size_t len, Reader *in)
{
	int			nodes;

	in->at = form;
	in->end = form + len;
	in->bad = false;
	if (take(in, 1) != CONSENT_FORM)
		return -1;
	nodes = (int) take(in, 2);
	return in->bad || nodes > CONSENT_NODE_MAX ? -1 : nodes;
}

CoreStatus
consent_decide(const uint8_t *form, size_t len, ConsentRequest *request, ConsentVerdict *verdict)
{
	Decider		d = {.request = request};
	int			nodes = open_form(form, len, &d.in);

	verdict->decision = CONSENT_NONE;
	verdict->node = -1;
	verdict->depth = 0;
	if (nodes > 0)
		decide_node(&d, 1, nodes, verdict);
	if (nodes < 0 || d.in.bad || d.in.at != d.in.end || d.place != nodes)
	{
		verdict->decision = CONSENT_DENY;
		verdict->node = -1;
		return CORE_INVALID;
	}
	return CORE_OK;
}

/* -- single provisions ---------------------------------------------------- */

CoreStatus
consent_covers_row(const uint8_t *form, size_t len, int node, ConsentRequest *request, bool *result)
{
	Decider		d = {.request = request};
	Node		at;
	int			nodes = open_form(form, len, &d.in);
	bool		matching = true;

	*result = false;
	if (node < 0 || node >= nodes)
		return CORE_INVALID;
	/* the way from the root: nodes whose descendants reach up to this one */
	for (int place = 0; place <= node; place++)
	{
		take_node(&d.in, &at);
		if (d.in.bad)
			return CORE_INVALID;
		if (place + at.below >= node && matching)
			matching = matches(&d, &at, ABOUT_ROW);
	}
	*result = matching && covers(&d, &at);
	return d.in.bad ? CORE_INVALID : CORE_OK;
}

CoreStatus
consent_provisions(const uint8_t *form, size_t len, void (*found) (void *arg, const ConsentProvision *provision), void *arg)
{
	Reader		in;
	int			nodes = open_form(form, len, &in);
	int			end[CONSENT_DEPTH_MAX + 1];
	int			depth = 0;

	if (nodes < 0)
		return CORE_INVALID;
	for (int place = 0; place < nodes; place++)
	{
		ConsentProvision p = {.node = place};
		Node		node;

		take_node(&in, &node);
		while (depth > 0 && end[depth] < place)
			depth--;
		if (in.bad || depth == CONSENT_DEPTH_MAX || place + node.below >= nodes)
			return CORE_INVALID;
		end[++depth] = place + node.below;
		p.depth = depth;
		p.decision = node.decision;
		p.parts = node.parts;
		p.criteria = (const uint8_t *) node.criteria.at;
		p.criteria_len = (size_t) (node.criteria.end - node.criteria.at);
		found(arg, &p);
	}
	return in.at == in.end ? CORE_OK : CORE_INVALID;
}

bool
consent_next_part(ConsentPart *part)
{
	Reader		r = {part->at, part->end, false};
	unsigned	bit = part->part == 0 ? 1 : part->part << 1;
	unsigned	flags;

	while (bit <= CONSENT_HAS_DATA && (part->parts & bit) == 0)
		bit <<= 1;
	if (bit > CONSENT_HAS_DATA)
		return false;
	part->part = bit;
	part->unknown = bit == CONSENT_HAS_UNKNOWN;
	part->left = 0;
	switch (bit)
	{
		case CONSENT_HAS_UNKNOWN:
			break;
		case CONSENT_HAS_PERIOD:
		case CONSENT_HAS_DATA_PERIOD:
			part->from = (int64_t) take(&r, 8);
			part->to = (int64_t) take(&r, 8);
			break;
		case CONSENT_HAS_LABELS:
			part->labels = (uint32_t) take(&r, 4);
			flags = (unsigned) take(&r, 1);
			part->unknown = (flags & 1) != 0;
			part->normal = (flags & 2) != 0;
			break;
		default:
			part->unknown = take(&r, 1) != 0;
			part->left = (unsigned) take(&r, 2);
	}
	part->at = r.at;
	return !r.bad;
}

bool
consent_next_entry(ConsentPart *part, ConsentEntry *entry)
{
	Reader		r = {part->at, part->end, false};

	memset(entry, 0, sizeof(*entry));
	if (part->left == 0)
		return false;
	part->left--;
	if (part->part == CONSENT_HAS_CLASS)
		entry->number = (int) take(&r, 2);
	else
	{
		if (part->part == CONSENT_HAS_RECIPIENT)
			entry->kind = take_text(&r);
		if (part->part == CONSENT_HAS_DATA)
			entry->number = (int) take(&r, 1);
		entry->text = take_text(&r);
	}
	part->at = r.at;
	return !r.bad;
}
