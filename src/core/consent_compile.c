/*
 * consent_compile.c
 *		From a FHIR R4 Consent to its compact form (consent_tree.h).
 */
#include "consent_tree.h"

#include <stdio.h>
#include <string.h>

#include "fhir_model.h"
#include "fhir_primitive.h"

#define SECOND		INT64_C(1000000)
#define DAY			(86400 * SECOND)
#define TEXT_MAX_LEN	65535

static const char RESOURCE_TYPES[] = "http://hl7.org/fhir/resource-types";

typedef struct Out
{
	const CoreContext *cx;
	uint8_t    *bytes;
	size_t		len;
	size_t		size;
	CoreStatus	status;			/* the first that went wrong */
} Out;

typedef struct Compiler
{
	Out			out;
	const JsonNode *vocabulary;
	ConsentFault *fault;
	char		path[160];
	int			nodes;
	bool		all_unknown;	/* a modifier at the top makes every provision one that is not understood */
} Compiler;

/* -- bytes ---------------------------------------------------------------- */

static bool
reserve(Out *out, size_t more)
{
	uint8_t    *grown;
	size_t		size;

	if (out->status != CORE_OK)
		return false;
	if (out->size - out->len >= more)
		return true;
	size = (out->size + more) * 2 + 64;
	grown = out->cx->alloc(out->cx->arg, size);
	if (grown == NULL)
	{
		out->status = CORE_NO_MEMORY;
		return false;
	}
	if (out->bytes != NULL)
	{
		memcpy(grown, out->bytes, out->len);
		out->cx->free(out->cx->arg, out->bytes);
	}
	out->bytes = grown;
	out->size = size;
	return true;
}

static void
put_at(Out *out, size_t at, uint64_t value, int bytes)
{
	for (int i = bytes - 1; i >= 0; i--, value >>= 8)
		out->bytes[at + (size_t) i] = (uint8_t) value;
}

static void
put(Out *out, uint64_t value, int bytes)
{
	if (!reserve(out, (size_t) bytes))
		return;
	put_at(out, out->len, value, bytes);
	out->len += (size_t) bytes;
}

/* A text of two parts with a bar between them, or of one. */
static void
put_text(Out *out, const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t		len = b == NULL ? a_len : a_len + 1 + b_len;

	if (a_len > TEXT_MAX_LEN || b_len > TEXT_MAX_LEN || len > TEXT_MAX_LEN)
	{
		out->status = CORE_TOO_LARGE;
		return;
	}
	put(out, len, 2);
	if (!reserve(out, len))
		return;
	memcpy(out->bytes + out->len, a, a_len);
	if (b != NULL)
	{
		out->bytes[out->len + a_len] = '|';
		memcpy(out->bytes + out->len + a_len + 1, b, b_len);
	}
	out->len += len;
}

/* -- JSON ----------------------------------------------------------------- */

static const JsonNode *
child(const JsonNode *node, const char *key)
{
	return node == NULL ? NULL : json_child(node, key, strlen(key));
}

static const JsonNode *
string_child(const JsonNode *node, const char *key)
{
	const JsonNode *c = child(node, key);

	return c != NULL && c->kind == NODE_STRING && c->len > 0 ? c : NULL;
}

static bool
is_text(const JsonNode *node, const char *text)
{
	return node != NULL && node->kind == NODE_STRING && node->len == strlen(text) && memcmp(node->u.text, text, node->len) == 0;
}

static bool
key_is(const JsonNode *node, const char *key)
{
	return node->key_len == strlen(key) && memcmp(node->key, key, node->key_len) == 0;
}

/* -- moments -------------------------------------------------------------- */

/* Days since 1970-01-01 in the Gregorian calendar. */
static int64_t
days_since_1970(int64_t year, int month, int day)
{
	int64_t		y = month <= 2 ? year - 1 : year;
	int64_t		era = (y >= 0 ? y : y - 399) / 400;
	int64_t		of_era = y - era * 400;
	int64_t		of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

bool
consent_moment(const char *text, size_t len, int64_t *from, int64_t *to)
{
	FhirDateTime d;
	int64_t		zone;

	if (!fhir_datetime_parse(FHIR_DATETIME, text, len, &d))
		return false;
	zone = (d.precision >= FHIR_PRECISION_SECOND ? d.zone : CONSENT_ZONE_MINUTES) * 60 * SECOND;
	*from = days_since_1970(d.year, d.month, d.day) * DAY - zone;
	switch (d.precision)
	{
		case FHIR_PRECISION_YEAR:
			*to = days_since_1970(d.year + 1, 1, 1) * DAY - zone;
			break;
		case FHIR_PRECISION_MONTH:
			*to = days_since_1970(d.month == 12 ? d.year + 1 : d.year, d.month == 12 ? 1 : d.month + 1, 1) * DAY - zone;
			break;
		case FHIR_PRECISION_DAY:
			*to = *from + DAY;
			break;
		default:
			*from += ((int64_t) d.hour * 3600 + d.minute * 60 + d.second) * SECOND + d.nanosecond / 1000;
			*to = *from + (d.precision == FHIR_PRECISION_SECOND ? SECOND : 1);
			break;
	}
	return true;
}

/* -- faults --------------------------------------------------------------- */

static CoreStatus
refuse(Compiler *c, const char *element, const char *rule)
{
	snprintf(c->fault->path, sizeof(c->fault->path), "%s%s", c->path, element);
	c->fault->rule = rule;
	return CORE_INVALID;
}

/* -- criteria ------------------------------------------------------------- */

/* What the vocabulary says a coding means; NULL: not understood. */
static const JsonNode *
meaning(const Compiler *c, const char *list, const JsonNode *coding)
{
	const JsonNode *system = string_child(coding, "system");
	const JsonNode *code = string_child(coding, "code");
	const JsonNode *words = child(c->vocabulary, list);
	char		key[512];
	size_t		len;

	if (system == NULL || code == NULL || words == NULL || words->kind != NODE_OBJECT)
		return NULL;
	len = (size_t) system->len + 1 + code->len;
	if (len > sizeof(key))
		return NULL;
	memcpy(key, system->u.text, system->len);
	key[system->len] = '|';
	memcpy(key + system->len + 1, code->u.text, code->len);
	words = json_child(words, key, len);
	return words != NULL && words->kind == NODE_STRING && words->len > 0 ? words : NULL;
}

/*
 * A list whose entries are written one by one: begun with its place, ended
 * with what was counted.
 */
typedef struct List
{
	size_t		at;
	uint32_t	count;
	bool		unknown;
} List;

static void
begin_list(Compiler *c, List *list)
{
	list->at = c->out.len;
	list->count = 0;
	list->unknown = false;
	put(&c->out, 0, 3);
}

static void
end_list(Compiler *c, const List *list)
{
	if (c->out.status != CORE_OK)
		return;
	if (list->count > TEXT_MAX_LEN)
	{
		c->out.status = CORE_TOO_LARGE;
		return;
	}
	c->out.bytes[list->at] = list->unknown;
	put_at(&c->out, list->at + 1, list->count, 2);
}

/* Calls entry for each coding of a list of Codings or CodeableConcepts. */
static void
each_coding(Compiler *c, List *list, const JsonNode *array, bool concepts,
			void (*entry) (Compiler *c, List *list, const JsonNode *coding))
{
	if (array->kind != NODE_ARRAY || array->len == 0)
	{
		list->unknown = true;
		return;
	}
	for (uint32_t i = 0; i < array->len; i++)
	{
		const JsonNode *item = &array->u.children[i];
		const JsonNode *codings = concepts ? child(item, "coding") : NULL;

		if (!concepts)
			entry(c, list, item);
		else if (codings == NULL || codings->kind != NODE_ARRAY || codings->len == 0)
			list->unknown = true;	/* text alone */
		else
			for (uint32_t j = 0; j < codings->len; j++)
				entry(c, list, &codings->u.children[j]);
	}
}

static void
put_word(Compiler *c, List *list, const JsonNode *word)
{
	if (word == NULL)
		list->unknown = true;
	else
	{
		put_text(&c->out, word->u.text, word->len, NULL, 0);
		list->count++;
	}
}

static void
action_entry(Compiler *c, List *list, const JsonNode *coding)
{
	put_word(c, list, meaning(c, "action", coding));
}

static void
purpose_entry(Compiler *c, List *list, const JsonNode *coding)
{
	put_word(c, list, meaning(c, "purpose", coding));
}

static void
class_entry(Compiler *c, List *list, const JsonNode *coding)
{
	const JsonNode *system = string_child(coding, "system");
	const JsonNode *code = string_child(coding, "code");
	int			number = code != NULL && is_text(system, RESOURCE_TYPES) ? fhir_resource_number(code->u.text, code->len) : 0;

	if (number == 0)
		list->unknown = true;
	else
	{
		put(&c->out, (uint64_t) number, 2);
		list->count++;
	}
}

static void
code_entry(Compiler *c, List *list, const JsonNode *coding)
{
	const JsonNode *system = string_child(coding, "system");
	const JsonNode *code = string_child(coding, "code");

	if (system == NULL || code == NULL)
		list->unknown = true;
	else
	{
		put_text(&c->out, system->u.text, system->len, code->u.text, code->len);
		list->count++;
	}
}

static void
compile_list(Compiler *c, const JsonNode *array, bool concepts, void (*entry) (Compiler *, List *, const JsonNode *))
{
	List		list;

	begin_list(c, &list);
	each_coding(c, &list, array, concepts, entry);
	end_list(c, &list);
}

/* The mask grows while the entries are read, and is written behind them. */
static void
compile_labels(Compiler *c, const JsonNode *array)
{
	uint32_t	mask = 0;
	uint8_t		flags = 0;

	if (array->kind != NODE_ARRAY || array->len == 0)
		flags |= 1;
	else
		for (uint32_t i = 0; i < array->len; i++)
		{
			const JsonNode *word = meaning(c, "securityLabel", &array->u.children[i]);

			if (is_text(word, "normal"))
				flags |= 2;
			else if (is_text(word, "*"))
				mask = UINT32_MAX;
			else if (word != NULL && word->len <= 2 && word->u.text[0] >= '0' && word->u.text[0] <= '9' &&
					 (word->len == 1 || (word->u.text[1] >= '0' && word->u.text[1] <= '9')))
			{
				int			bit = word->len == 1 ? word->u.text[0] - '0' : (word->u.text[0] - '0') * 10 + word->u.text[1] - '0';

				if (bit < 32)
					mask |= UINT32_C(1) << bit;
				else
					flags |= 1;
			}
			else
				flags |= 1;
		}
	put(&c->out, mask, 4);
	put(&c->out, flags, 1);
}

/*
 * The name in a Reference: Type/id on this server, without a version.  NULL:
 * not understood (a logical, contained or foreign reference).
 */
static const JsonNode *
reference_name(const JsonNode *reference, size_t *len)
{
	const JsonNode *text = string_child(reference, "reference");
	const char *slash;
	const char *id;
	size_t		type_len;
	size_t		id_len;

	if (text == NULL)
		return NULL;
	slash = memchr(text->u.text, '/', text->len);
	if (slash == NULL)
		return NULL;
	type_len = (size_t) (slash - text->u.text);
	id = slash + 1;
	id_len = text->len - type_len - 1;
	slash = memchr(id, '/', id_len);
	if (slash != NULL)
	{
		size_t		rest = id_len - (size_t) (slash - id);

		if (rest < 11 || memcmp(slash, "/_history/", 10) != 0 || !fhir_id_valid(slash + 10, rest - 10))
			return NULL;
		id_len = (size_t) (slash - id);
	}
	if (fhir_resource_number(text->u.text, type_len) == 0 || !fhir_id_valid(id, id_len))
		return NULL;
	*len = type_len + 1 + id_len;
	return text;
}

/* A session has the names of a practitioner, an organization or a patient; of groups, devices ... nobody knows who they are. */
static bool
may_ask(const JsonNode *name)
{
	static const char *const types[] = {"Practitioner/", "Organization/", "Patient/"};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (name->len > strlen(types[i]) && memcmp(name->u.text, types[i], strlen(types[i])) == 0)
			return true;
	return false;
}

/* The role of an actor; NULL: not understood. */
static const JsonNode *
actor_role(const Compiler *c, const JsonNode *actor)
{
	const JsonNode *codings = child(child(actor, "role"), "coding");
	const JsonNode *found = NULL;

	if (codings == NULL || codings->kind != NODE_ARRAY)
		return NULL;
	for (uint32_t i = 0; i < codings->len; i++)
	{
		const JsonNode *word = meaning(c, "role", &codings->u.children[i]);

		if (word == NULL)
			continue;
		/* two codings that mean different things are none */
		if (found != NULL && (found->len != word->len || memcmp(found->u.text, word->u.text, word->len) != 0))
			return NULL;
		found = word;
	}
	return found;
}

/*
 * Actors who receive, or authors of the data: the ones or the others of the
 * same list.  What is not understood counts among those who receive.  Returns
 * whether there is anything to write.
 */
static bool
compile_actors(Compiler *c, const JsonNode *array, bool authors)
{
	List		list;
	size_t		start = c->out.len;

	begin_list(c, &list);
	if (array->kind != NODE_ARRAY || array->len == 0)
		list.unknown = !authors;
	else
		for (uint32_t i = 0; i < array->len; i++)
		{
			const JsonNode *actor = &array->u.children[i];
			const JsonNode *role = actor_role(c, actor);
			bool		is_author = is_text(role, "author");
			size_t		len = 0;
			const JsonNode *name = reference_name(child(actor, "reference"), &len);

			if (is_author != authors)
				continue;
			if (role == NULL || name == NULL || (!authors && !may_ask(name)))
			{
				list.unknown = true;
				continue;
			}
			if (!authors)
				put_text(&c->out, role->u.text, is_text(role, "recipient") ? 0 : role->len, NULL, 0);
			put_text(&c->out, name->u.text, len, NULL, 0);
			list.count++;
		}
	end_list(c, &list);
	if (list.count == 0 && !list.unknown)
	{
		c->out.len = start;
		return false;
	}
	return true;
}

static void
compile_data(Compiler *c, const JsonNode *array)
{
	static const struct
	{
		const char *name;
		ConsentMeaning meaning;
	}			meanings[] = {
		{"instance", CONSENT_INSTANCE}, {"related", CONSENT_RELATED}, {"dependents", CONSENT_DEPENDENTS}, {"authoredby", CONSENT_AUTHORED_BY}
	};
	List		list;

	begin_list(c, &list);
	if (array->kind != NODE_ARRAY || array->len == 0)
		list.unknown = true;
	else
		for (uint32_t i = 0; i < array->len; i++)
		{
			const JsonNode *item = &array->u.children[i];
			const JsonNode *word = string_child(item, "meaning");
			size_t		len = 0;
			const JsonNode *name = reference_name(child(item, "reference"), &len);
			int			m = 0;

			for (size_t k = 0; k < sizeof(meanings) / sizeof(meanings[0]); k++)
				if (is_text(word, meanings[k].name))
					m = meanings[k].meaning;
			if (m == 0 || name == NULL)
			{
				list.unknown = true;
				continue;
			}
			put(&c->out, (uint64_t) m, 1);
			put_text(&c->out, name->u.text, len, NULL, 0);
			list.count++;
		}
	end_list(c, &list);
}

/* A Period; sets *unknown for what cannot be read, which then is no criterion. */
static CoreStatus
compile_period(Compiler *c, const JsonNode *period, const char *element, bool *written, bool *unknown)
{
	int64_t		from = CONSENT_EVER;
	int64_t		to = CONSENT_NEVER;
	int64_t		ignored;

	*written = false;
	if (period->kind != NODE_OBJECT)
	{
		*unknown = true;
		return CORE_OK;
	}
	for (uint32_t i = 0; i < period->len; i++)
	{
		const JsonNode *item = &period->u.children[i];
		bool		start = key_is(item, "start");

		if (key_is(item, "id") || key_is(item, "extension"))
			continue;
		if ((!start && !key_is(item, "end")) || item->kind != NODE_STRING ||
			!consent_moment(item->u.text, item->len, start ? &from : &ignored, start ? &ignored : &to))
		{
			*unknown = true;
			return CORE_OK;
		}
	}
	if (from >= to)
		return refuse(c, element, "a period ends before it begins");
	put(&c->out, (uint64_t) from, 8);
	put(&c->out, (uint64_t) to, 8);
	*written = true;
	return CORE_OK;
}

/* -- nodes ---------------------------------------------------------------- */

/* The criteria of a provision behind its head, in the order of their bits. */
static CoreStatus
compile_criteria(Compiler *c, const JsonNode *provision, unsigned *parts)
{
	static const struct
	{
		const char *key;
		unsigned	bit;
	}			order[] = {
		{"period", CONSENT_HAS_PERIOD}, {"actor", CONSENT_HAS_RECIPIENT}, {"action", CONSENT_HAS_ACTION},
		{"purpose", CONSENT_HAS_PURPOSE}, {"securityLabel", CONSENT_HAS_LABELS}, {"class", CONSENT_HAS_CLASS},
		{"actor", CONSENT_HAS_AUTHOR}, {"code", CONSENT_HAS_CODE}, {"dataPeriod", CONSENT_HAS_DATA_PERIOD},
		{"data", CONSENT_HAS_DATA}
	};

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
	{
		const JsonNode *value = child(provision, order[i].key);
		bool		written = true;
		bool		unknown = false;
		CoreStatus	status = CORE_OK;

		if (value == NULL)
			continue;
		switch (order[i].bit)
		{
			case CONSENT_HAS_PERIOD:
				status = compile_period(c, value, ".period", &written, &unknown);
				break;
			case CONSENT_HAS_DATA_PERIOD:
				status = compile_period(c, value, ".dataPeriod", &written, &unknown);
				break;
			case CONSENT_HAS_RECIPIENT:
				written = compile_actors(c, value, false);
				break;
			case CONSENT_HAS_AUTHOR:
				written = compile_actors(c, value, true);
				break;
			case CONSENT_HAS_ACTION:
				compile_list(c, value, true, action_entry);
				break;
			case CONSENT_HAS_PURPOSE:
				compile_list(c, value, false, purpose_entry);
				break;
			case CONSENT_HAS_LABELS:
				compile_labels(c, value);
				break;
			case CONSENT_HAS_CLASS:
				compile_list(c, value, false, class_entry);
				break;
			case CONSENT_HAS_CODE:
				compile_list(c, value, true, code_entry);
				break;
			default:
				compile_data(c, value);
		}
		if (status != CORE_OK)
			return status;
		if (written)
			*parts |= order[i].bit;
		if (unknown)
			*parts |= CONSENT_HAS_UNKNOWN;
	}
	return c->out.status;
}

static bool
understood(const JsonNode *provision)
{
	static const char *const known[] = {
		"id", "extension", "type", "period", "actor", "action", "securityLabel", "purpose", "class", "code", "dataPeriod",
		"data", "provision"
	};

	for (uint32_t i = 0; i < provision->len; i++)
	{
		const JsonNode *item = &provision->u.children[i];
		bool		found = false;

		for (size_t k = 0; k < sizeof(known) / sizeof(known[0]) && !found; k++)
			found = key_is(item, known[k]);
		/* a key that stands twice says two things */
		if (!found || (i > 0 && item->key_len == item[-1].key_len && memcmp(item->key, item[-1].key, item->key_len) == 0))
			return false;
	}
	return true;
}

static CoreStatus compile_node(Compiler *c, const JsonNode *provision, ConsentDecision around, int depth);

static CoreStatus
compile_below(Compiler *c, const JsonNode *provision, ConsentDecision decision, int depth)
{
	const JsonNode *below = child(provision, "provision");
	size_t		path_len = strlen(c->path);

	if (below == NULL)
		return CORE_OK;
	if (below->kind != NODE_ARRAY)
		return refuse(c, ".provision", "provisions are a list");
	if (core_interrupted(c->out.cx))
		return CORE_INTERRUPTED;
	for (uint32_t i = 0; i < below->len; i++)
	{
		CoreStatus	status;

		snprintf(c->path + path_len, sizeof(c->path) - path_len, ".provision[%u]", i);
		status = compile_node(c, &below->u.children[i], decision, depth + 1);
		c->path[path_len] = '\0';
		if (status != CORE_OK)
			return status;
	}
	return CORE_OK;
}

/* around: the decision of the provision around it, CONSENT_NONE for the root. */
static CoreStatus
compile_node(Compiler *c, const JsonNode *provision, ConsentDecision around, int depth)
{
	const JsonNode *type = child(provision, "type");
	ConsentDecision decision;
	size_t		head = c->out.len;
	int			place = c->nodes;
	unsigned	parts = 0;
	CoreStatus	status;

	if (provision->kind != NODE_OBJECT)
		return refuse(c, "", "a provision is an object");
	if (depth > CONSENT_DEPTH_MAX)
		return refuse(c, "", "provisions are nested more than 8 deep");
	if (++c->nodes > CONSENT_NODE_MAX)
		return refuse(c, "", "there are more than 256 provisions");
	if (is_text(type, "permit"))
		decision = CONSENT_PERMIT;
	else if (is_text(type, "deny") || (type == NULL && around == CONSENT_NONE))
		decision = CONSENT_DENY;
	else
		return refuse(c, ".type", type == NULL ? "a provision within another needs a type" : "the type is neither permit nor deny");
	if (decision == around)
		return refuse(c, ".type", "a provision is an exception to the one around it and decides otherwise");

	put(&c->out, 0, 6);
	put(&c->out, decision, 1);
	put(&c->out, 0, 2);
	if (c->all_unknown || !understood(provision))
		parts |= CONSENT_HAS_UNKNOWN;
	status = compile_criteria(c, provision, &parts);
	if (status != CORE_OK)
		return status;
	put_at(&c->out, head, c->out.len - head, 4);
	put_at(&c->out, head + 7, parts, 2);
	status = compile_below(c, provision, decision, depth);
	if (status == CORE_OK && c->out.status == CORE_OK)
		put_at(&c->out, head + 4, (uint64_t) (c->nodes - place - 1), 2);
	return status == CORE_OK ? c->out.status : status;
}

/* -- the document --------------------------------------------------------- */

static bool
concept_is(const JsonNode *concept, const char *system, const char *code)
{
	const JsonNode *codings = child(concept, "coding");

	if (codings == NULL || codings->kind != NODE_ARRAY)
		return false;
	for (uint32_t i = 0; i < codings->len; i++)
		if (is_text(child(&codings->u.children[i], "system"), system) && is_text(child(&codings->u.children[i], "code"), code))
			return true;
	return false;
}

/* Without provisions the policy decides alone, and only by closing. */
static void
compile_policy(Compiler *c, const JsonNode *consent)
{
	const JsonNode *codings = child(child(consent, "policyRule"), "coding");

	if (codings == NULL || codings->kind != NODE_ARRAY)
		return;
	for (uint32_t i = 0; i < codings->len; i++)
		if (is_text(meaning(c, "policy", &codings->u.children[i]), "deny"))
		{
			put(&c->out, 9, 4);
			put(&c->out, 0, 2);
			put(&c->out, CONSENT_DENY, 1);
			put(&c->out, 0, 2);
			c->nodes = 1;
			return;
		}
}

CoreStatus
consent_compile(const CoreContext *cx, const JsonNode *consent, const JsonNode *vocabulary,
				ConsentForm *form, ConsentFault *fault)
{
	Compiler	c = {.out.cx = cx,.vocabulary = vocabulary,.fault = fault,.path = "Consent.provision"};
	const JsonNode *provision = child(consent, "provision");
	CoreStatus	status = CORE_OK;

	memset(form, 0, sizeof(*form));
	memset(fault, 0, sizeof(*fault));
	c.all_unknown = child(consent, "modifierExtension") != NULL || child(consent, "implicitRules") != NULL;
	put(&c.out, CONSENT_FORM, 1);
	put(&c.out, 0, 2);
	/* only what is in force and about privacy decides anything */
	if (is_text(child(consent, "status"), "active") &&
		concept_is(child(consent, "scope"), "http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy"))
	{
		if (provision != NULL)
			status = compile_node(&c, provision, CONSENT_NONE, 1);
		else
			compile_policy(&c, consent);
	}
	if (status == CORE_OK)
		status = c.out.status;
	if (status == CORE_OK)
	{
		put_at(&c.out, 1, (uint64_t) c.nodes, 2);
		form->bytes = c.out.bytes;
		form->len = c.out.len;
	}
	else if (c.out.bytes != NULL)
		cx->free(cx->arg, c.out.bytes);
	return status;
}
