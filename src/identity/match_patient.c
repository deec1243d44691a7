/*
 * match_patient.c
 *		From a FHIR Patient to what matching knows of it.
 *
 * Reads the document where it lies.  Elements that are not there, or are
 * something else than FHIR has them, are missing: ehr.match() takes anything.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"

#include "compat.h"
#include "core/jsonb_read.h"
#include "identity/identity.h"
#include "identity/match_online.h"
#include "identity/match_query.h"

/* ---- walking ---- */

static bool
member(const JbValue *object, const char *key, JbValue *value)
{
	const JbContainer *c = (const JbContainer *) object->ptr;

	return object->type == JB_T_CONTAINER && jb_is_object(c) && jb_get(c, key, strlen(key), value);
}

/* A scalar as text; NULL for what is none. */
static const char *
text_of(const JbValue *value)
{
	switch (value->type)
	{
		case JB_T_STRING:
			return pnstrdup(value->ptr, value->len);
		case JB_T_NUMBER:
			return DatumGetCString(DirectFunctionCall1(numeric_out, PointerGetDatum(value->ptr)));
		case JB_T_TRUE:
			return "true";
		case JB_T_FALSE:
			return "false";
		default:
			return NULL;
	}
}

static const char *
member_text(const JbValue *object, const char *key)
{
	JbValue		value;

	return member(object, key, &value) ? text_of(&value) : NULL;
}

static bool
member_is(const JbValue *object, const char *key, const char *text)
{
	JbValue		value;

	return member(object, key, &value) && value.type == JB_T_STRING &&
		value.len == strlen(text) && memcmp(value.ptr, text, value.len) == 0;
}

/* The elements of a member: an array's, or the member itself where it is none.  Returns their number. */
static uint32
elements(const JbValue *object, const char *key, JbValue **out)
{
	JbValue		value;
	JbIter		it;
	uint32		n = 0;

	if (!member(object, key, &value))
		return 0;
	if (value.type != JB_T_CONTAINER || !jb_is_array((const JbContainer *) value.ptr))
	{
		*out = palloc(sizeof **out);
		(*out)[0] = value;
		return 1;
	}
	*out = palloc((jb_count((const JbContainer *) value.ptr) + 1) * sizeof **out);
	jb_iter_start(&it, (const JbContainer *) value.ptr);
	while (jb_iter_next(&it, &(*out)[n]))
		n++;
	return n;
}

/* Texts of the elements of a member, one blank between them, after `begin`; NULL when there are none. */
static const char *
joined(const char *begin, const JbValue *object, const char *key)
{
	JbValue    *part;
	uint32		n = elements(object, key, &part);
	StringInfoData s;
	bool		any = begin != NULL;
	uint32		i;

	initStringInfo(&s);
	if (begin != NULL)
		appendStringInfoString(&s, begin);
	for (i = 0; i < n; i++)
	{
		const char *text = text_of(&part[i]);

		if (text == NULL)
			continue;
		if (any)
			appendStringInfoChar(&s, ' ');
		appendStringInfoString(&s, text);
		any = true;
	}
	return any ? s.data : NULL;
}

/* ---- which systems mean what ---- */

typedef struct Systems
{
	const char **system;
	const char **feature;
	int			n;
	int			room;
} Systems;

static void
ask_for(Systems *s, const char *system)
{
	if (system == NULL)
		return;
	if (s->n == s->room)
	{
		s->room = s->room == 0 ? 8 : 2 * s->room;
		s->system = s->system == NULL ? palloc(s->room * sizeof *s->system) : repalloc(s->system, s->room * sizeof *s->system);
	}
	s->system[s->n++] = system;
}

static void
look_up(Systems *s)
{
	Datum	   *value = palloc((s->n + 1) * sizeof *value);
	Datum		array;
	MatchResult known;
	bool		isnull;
	int			i;

	s->feature = palloc0((s->n + 1) * sizeof *s->feature);
	if (s->n == 0)
		return;
	for (i = 0; i < s->n; i++)
		value[i] = CStringGetTextDatum(s->system[i]);
	array = PointerGetDatum(construct_array(value, s->n, TEXTOID, -1, false, TYPALIGN_INT));
	known = match_ask(QUERY_SYSTEMS, &array, NULL, 0);
	while (known.n-- > 0)
	{
		char	   *system = TextDatumGetCString(match_cell(&known, known.n, 1, &isnull));
		char	   *feature = TextDatumGetCString(match_cell(&known, known.n, 2, &isnull));

		for (i = 0; i < s->n; i++)
			if (strcmp(s->system[i], system) == 0)
				s->feature[i] = feature;
	}
	match_asked(&known);
}

static const char *
feature_of(const Systems *s, const char *system)
{
	int			i;

	for (i = 0; system != NULL && i < s->n; i++)
		if (strcmp(s->system[i], system) == 0)
			return s->feature[i];
	return NULL;
}

static bool
is_feature(const char *feature, const char *wanted)
{
	return feature != NULL && strcmp(feature, wanted) == 0;
}

/* ---- the elements ---- */

/* The official name, else the usual one, else the first that is not of before. */
static const char *
name_of(const JbValue *patient)
{
	static const char *const uses[] = {"official", "usual"};
	JbValue    *name;
	uint32		n = elements(patient, "name", &name);
	int			best_rank = 0;
	uint32		best = n;
	uint32		i;
	const char *text;

	for (i = 0; i < n; i++)
	{
		int			rank = 0;

		while (rank < (int) lengthof(uses) && !member_is(&name[i], "use", uses[rank]))
			rank++;
		if (rank == (int) lengthof(uses) && member_is(&name[i], "use", "old"))
			rank++;
		if (best == n || rank < best_rank)
		{
			best = i;
			best_rank = rank;
		}
	}
	if (best == n)
		return NULL;
	text = member_text(&name[best], "text");
	return text != NULL ? text : joined(member_text(&name[best], "family"), &name[best], "given");
}

/* Where the patient lives: not of before, and rather of use home. */
static bool
address_of(const JbValue *patient, JbValue *address)
{
	JbValue    *all;
	uint32		n = elements(patient, "address", &all);
	int			best_rank = 0;
	uint32		i;

	for (i = 0; i < n; i++)
	{
		int			rank = member_is(&all[i], "use", "old") ? 2 : member_is(&all[i], "use", "home") ? 0 : 1;

		if (i == 0 || rank < best_rank)
		{
			*address = all[i];
			best_rank = rank;
		}
	}
	return n > 0;
}

static const char *
phone_of(const JbValue *patient)
{
	JbValue    *all;
	uint32		n = elements(patient, "telecom", &all);
	const char *old = NULL;
	bool		any_old = false;
	uint32		i;

	for (i = 0; i < n; i++)
	{
		if (!member_is(&all[i], "system", "phone") && !member_is(&all[i], "system", "sms"))
			continue;
		if (!member_is(&all[i], "use", "old"))
			return member_text(&all[i], "value");
		if (!any_old)
			old = member_text(&all[i], "value");
		any_old = true;
	}
	return old;
}

static MatchSex
sex_of(const JbValue *patient)
{
	return member_is(patient, "gender", "male") ? SEX_MALE : member_is(patient, "gender", "female") ? SEX_FEMALE : SEX_MISSING;
}

static void
read_identifiers(const JbValue *patient, MatchPatient *p, Systems *systems)
{
	JbValue    *all;
	uint32		n = elements(patient, "identifier", &all);
	uint32		i;

	p->identifier = palloc((n + 1) * sizeof *p->identifier);
	p->nidentifiers = 0;
	for (i = 0; i < n; i++)
	{
		MatchIdentifier *id = &p->identifier[p->nidentifiers];
		const char *system = member_text(&all[i], "system");
		JbValue		period;
		JbValue		end;

		memset(id, 0, sizeof *id);
		id->value = member_text(&all[i], "value");
		if (id->value == NULL)
			continue;
		id->system = system == NULL ? "" : system;
		id->ended = member_is(&all[i], "use", "old");
		if (member(&all[i], "period", &period))
		{
			id->start = member_text(&period, "start");
			id->end = member_text(&period, "end");
			id->ended |= member(&period, "end", &end);
		}
		ask_for(systems, system);
		p->nidentifiers++;
	}
}

/* The first value of an identifier that means this. */
static const char *
identifier_of(const MatchPatient *p, const char *feature)
{
	int			i;

	for (i = 0; i < p->nidentifiers; i++)
		if (is_feature(p->identifier[i].feature, feature))
			return p->identifier[i].value;
	return NULL;
}

/* The first code of an administrative unit of the address. */
static const char *
unit_of(const JbValue *extension, uint32 n, const Systems *systems, const char *feature)
{
	uint32		i;
	JbValue		coding;

	for (i = 0; i < n; i++)
		if (member(&extension[i], "valueCoding", &coding) && is_feature(feature_of(systems, member_text(&coding, "system")), feature))
			return member_text(&coding, "code");
	return NULL;
}

void
match_patient_read(struct JsonbContainer *doc, uint32 len, MatchPatient *p)
{
	Systems		systems = {NULL, NULL, 0, 0};
	JbValue		patient;
	JbValue		address = {NULL, 0, JB_T_NULL};
	JbValue		coding;
	JbValue    *extension = NULL;
	uint32		extensions;
	bool		lives;
	uint32		i;

	memset(p, 0, sizeof *p);
	jb_root((const JbContainer *) doc, len, &patient);
	lives = address_of(&patient, &address);
	extensions = lives ? elements(&address, "extension", &extension) : 0;
	read_identifiers(&patient, p, &systems);
	for (i = 0; i < extensions; i++)
		if (member(&extension[i], "valueCoding", &coding))
			ask_for(&systems, member_text(&coding, "system"));
	look_up(&systems);
	for (i = 0; i < (uint32) p->nidentifiers; i++)
		p->identifier[i].feature = feature_of(&systems, p->identifier[i].system);

	p->in.name = name_of(&patient);
	p->in.birth = member_text(&patient, "birthDate");
	p->in.sex = sex_of(&patient);
	p->in.number = identifier_of(p, "citizen");
	if (p->in.number == NULL)
		p->in.number = identifier_of(p, "old");
	if (p->in.number == NULL)
		p->in.number = identifier_of(p, "other");
	p->in.insurance = identifier_of(p, "insurance");
	p->in.phone = phone_of(&patient);
	p->in.commune = unit_of(extension, extensions, &systems, "ward");
	p->in.district = unit_of(extension, extensions, &systems, "district");
	if (!lives)
		return;
	if (p->in.commune == NULL)
		p->in.commune = member_text(&address, "city");
	if (p->in.district == NULL)
		p->in.district = member_text(&address, "district");
	p->in.address = member_text(&address, "text");
	if (p->in.address == NULL)
		p->in.address = joined(NULL, &address, "line");
}

PG_FUNCTION_INFO_V1(ehr_patient_features);

/* ehr_internal.patient_features(jsonb) → bytea: feature row of a FHIR Patient.  STABLE STRICT: reads match_system. */
Datum
ehr_patient_features(PG_FUNCTION_ARGS)
{
	Jsonb	   *doc = PG_GETARG_JSONB_P(0);
	MatchPatient patient;
	MatchRow	row;
	uint8_t		stored[MATCH_STORED_MAX];
	size_t		len;

	SPI_connect();
	match_patient_read(&doc->root, VARSIZE(doc) - VARHDRSZ, &patient);
	match_row_make(&row, &patient.in);
	len = match_row_store(&row, stored);
	SPI_finish();
	PG_RETURN_BYTEA_P(ehr_bytes(stored, len));
}
