/*
 * claims.c
 *		Claims XML for SQL: a payload as rows, a value as jsonb.
 *
 * The reading itself is core/claims_xml.c and core/claims_value.c; here their
 * results become tuples and their refusals SQLSTATEs.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "compat.h"
#include "core/claims_value.h"
#include "core/claims_xml.h"

/* an inner file whose form does not name its record element has the whole file as its record */
#define MAX_FORMS	64

/* columns of ehr_internal.claims_read */
enum
{
	COL_DOSSIER,
	COL_FILE,
	COL_KIND,
	COL_RECORD,
	COL_LINE,
	COL_ELEMENT,
	COL_VALUE,
	COL_PROBLEM,
	COL_FINDING,
	COL_FROM,
	COL_TO,
	NCOLS
};

/* which element is a record of which kind of file: ehr_internal.claims_form */
typedef struct Form
{
	char	   *kind;
	char	   *record;
} Form;

typedef struct ReadState
{
	CoreContext cx;
	ReturnSetInfo *rsinfo;
	Form		forms[MAX_FORMS];
	int			nforms;
} ReadState;

/* ---- core's memory, from the current context, never raising ---- */

static void *
core_alloc(void *arg, size_t size)
{
	return palloc_extended(size, MCXT_ALLOC_NO_OOM | MCXT_ALLOC_HUGE);
}

static void
core_free(void *arg, void *ptr)
{
	pfree(ptr);
}

static bool
core_is_interrupted(void *arg)
{
	return INTERRUPTS_PENDING_CONDITION();
}

static const CoreContext pg_core = {core_alloc, core_free, core_is_interrupted, NULL, CLAIMS_XML_MAX_DEPTH};

/* raise_core turns a status that no payload is to blame for into an error */
static void
raise_core(CoreStatus status)
{
	if (status == CORE_NO_MEMORY)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	if (status == CORE_INTERRUPTED)
	{
		CHECK_FOR_INTERRUPTS();
		ereport(ERROR, (errcode(ERRCODE_QUERY_CANCELED), errmsg("reading of claims XML was interrupted")));
	}
}

/* ---- rows ---- */

typedef struct Row
{
	Datum		values[NCOLS];
	bool		nulls[NCOLS];
} Row;

static void
set_row(Row *row, int col, Datum value)
{
	row->values[col] = value;
	row->nulls[col] = false;
}

static void
set_text(Row *row, int col, const char *s, size_t len)
{
	char	   *server = pg_any_to_server(s, (int) len, PG_UTF8);

	set_row(row, col, PointerGetDatum(cstring_to_text(server)));
	if (server != s)
		pfree(server);
}

/* start_row begins a row of a dossier's file; the caller adds what it knows and calls end_row */
static void
start_row(Row *row, int dossier, int file, const char *kind, int line)
{
	memset(row->nulls, true, sizeof(row->nulls));
	set_row(row, COL_DOSSIER, Int32GetDatum(dossier));
	set_row(row, COL_FILE, Int32GetDatum(file));
	set_row(row, COL_RECORD, Int32GetDatum(0));
	set_row(row, COL_LINE, Int32GetDatum(line));
	if (kind != NULL)
		set_text(row, COL_KIND, kind, strlen(kind));
}

static void
end_row(ReadState *s, Row *row)
{
	static const int by_reference[] = {COL_KIND, COL_ELEMENT, COL_VALUE, COL_PROBLEM, COL_FINDING};
	int			i;

	tuplestore_putvalues(s->rsinfo->setResult, s->rsinfo->setDesc, row->values, row->nulls);
	for (i = 0; i < lengthof(by_reference); i++)
		if (!row->nulls[by_reference[i]])
			pfree(DatumGetPointer(row->values[by_reference[i]]));
}

/* note writes a row about a file: what is wrong with it or merely unusual about it */
static void
note(ReadState *s, int dossier, int file, const char *kind, int line, int col, const char *what)
{
	Row			row;

	start_row(&row, dossier, file, kind, line);
	set_text(&row, col, what, strlen(what));
	end_row(s, &row);
}

static void
leaf_row(ReadState *s, int dossier, int file, const char *kind, int record, const ClaimsXmlLeaf *leaf)
{
	Row			row;

	start_row(&row, dossier, file, kind, leaf->line);
	set_row(&row, COL_RECORD, Int32GetDatum(record));
	set_text(&row, COL_ELEMENT, leaf->path, strlen(leaf->path));
	set_text(&row, COL_VALUE, leaf->text, leaf->text_len);
	end_row(s, &row);
}

/* ---- one inner file ---- */

static const char *
record_of(ReadState *s, const char *kind)
{
	int			i;

	for (i = 0; i < s->nforms; i++)
		if (strcmp(s->forms[i].kind, kind) == 0)
			return s->forms[i].record;
	return NULL;
}

static void
read_file(ReadState *s, int dossier, int file, const char *kind, const ClaimsXmlLeaf *content)
{
	const char *groups[CLAIMS_XML_LEVELS] = {record_of(s, kind)};
	ClaimsXmlDoc doc;
	CoreStatus	status;
	char	   *bytes;
	size_t		len,
				i;

	CHECK_FOR_INTERRUPTS();
	status = claims_xml_base64(&s->cx, content->text, content->text_len, &bytes, &len);
	raise_core(status);
	if (status != CORE_OK)
	{
		note(s, dossier, file, kind, content->line, COL_PROBLEM, claims_xml_rule_name(CLAIMS_XML_NOT_BASE64));
		return;
	}
	status = claims_xml_read(&s->cx, bytes, len, groups, CLAIMS_XML_MAX_TEXT, &doc);
	raise_core(status);
	if (status != CORE_OK)
	{
		note(s, dossier, file, kind, doc.line, COL_PROBLEM, claims_xml_rule_name(doc.rule));
		pfree(bytes);
		return;
	}
	if (doc.bom)
		note(s, dossier, file, kind, 1, COL_FINDING, "byte-order-mark");
	if (doc.attributes > 0)
		note(s, dossier, file, kind, 1, COL_FINDING, "attributes-not-read");
	if (doc.mixed > 0)
		note(s, dossier, file, kind, 1, COL_FINDING, "text-beside-elements");
	for (i = 0; i < doc.nleaves; i++)
		leaf_row(s, dossier, file, kind, doc.leaves[i].group[0], &doc.leaves[i]);
	claims_xml_free(&s->cx, &doc);
	pfree(bytes);
}

/* ---- the envelope ---- */

/* dossier_row tells a dossier's place in the payload, so that one without files is seen too */
static void
dossier_row(ReadState *s, const ClaimsXmlGroup *g)
{
	Row			row;

	start_row(&row, g->index[0], 0, NULL, g->line);
	set_row(&row, COL_FROM, Int64GetDatum(g->from));
	set_row(&row, COL_TO, Int64GetDatum(g->to));
	end_row(s, &row);
}

/*
 * read_envelope walks the leaves of the envelope in order.  A FILEHOSO's two
 * leaves may come in any order; the file is read when its content and its kind
 * are both there, or when the next file begins.
 */
static void
read_envelope(ReadState *s, const ClaimsXmlDoc *doc)
{
	const ClaimsXmlLeaf *kind = NULL;
	const ClaimsXmlLeaf *content = NULL;
	size_t		i;

	for (i = 0; i < doc->ngroups; i++)
		if (doc->groups[i].index[1] == 0)
			dossier_row(s, &doc->groups[i]);

	for (i = 0; i < doc->nleaves; i++)
	{
		const ClaimsXmlLeaf *leaf = &doc->leaves[i];
		bool		last_of_file = i + 1 == doc->nleaves ||
			doc->leaves[i + 1].group[0] != leaf->group[0] ||
			doc->leaves[i + 1].group[1] != leaf->group[1];

		if (leaf->group[1] == 0)
		{
			if (strncmp(leaf->path, "CHUKYDONVI", 10) != 0)
				leaf_row(s, leaf->group[0], 0, NULL, 0, leaf);
			continue;
		}
		if (strcmp(leaf->path, "LOAIHOSO") == 0 && kind == NULL)
			kind = leaf;
		else if (strcmp(leaf->path, "NOIDUNGFILE") == 0 && content == NULL)
			content = leaf;
		else
			note(s, leaf->group[0], leaf->group[1], NULL, leaf->line, COL_FINDING, "unknown-envelope-element");
		if (last_of_file)
		{
			if (content != NULL)
				read_file(s, leaf->group[0], leaf->group[1], kind != NULL ? kind->text : "?", content);
			else
				note(s, leaf->group[0], leaf->group[1], NULL, leaf->line, COL_FINDING, "file-without-content");
			kind = content = NULL;
		}
	}
}

/*
 * refuse raises the error that a payload gets which is no claims envelope.  It
 * names rule and line, never content.
 */
static void
refuse(CoreStatus status, const ClaimsXmlDoc *doc)
{
	raise_core(status);
	ereport(ERROR,
			(errcode(status == CORE_INVALID ? ERRCODE_INVALID_XML_DOCUMENT : ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("claims payload cannot be read"),
			 errdetail("Rule \"%s\" is broken in line %d.", claims_xml_rule_name(doc->rule), doc->line)));
}

/* the forms come as two text arrays of the same length; a NULL record means none */
static void
take_forms(ReadState *s, ArrayType *kinds, ArrayType *records)
{
	Datum	   *kind,
			   *record;
	bool	   *no_kind,
			   *no_record;
	int			nrecords,
				i;

	deconstruct_array(kinds, TEXTOID, -1, false, TYPALIGN_INT, &kind, &no_kind, &s->nforms);
	deconstruct_array(records, TEXTOID, -1, false, TYPALIGN_INT, &record, &no_record, &nrecords);
	if (nrecords != s->nforms || nrecords > MAX_FORMS)
		ereport(ERROR, (errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
						errmsg("kinds and records of claims files do not match")));
	for (i = 0; i < nrecords; i++)
	{
		s->forms[i].kind = no_kind[i] ? "" : TextDatumGetCString(kind[i]);
		s->forms[i].record = no_record[i] ? NULL : TextDatumGetCString(record[i]);
	}
}

PG_FUNCTION_INFO_V1(ehr_claims_read);

/*
 * ehr_internal.claims_read(payload bytea, kinds text[], records text[]) → setof …
 *
 * One row for each element that carries text, for each dossier, for each file
 * that cannot be read (problem) and for each file-wide oddity (finding); the
 * envelope's own elements are rows of dossier 0.  Raises 2200M when the
 * envelope is not well-formed XML or has a DOCTYPE, 2200N when it is no
 * GIAMDINHHS, 54000 above a limit.
 */
Datum
ehr_claims_read(PG_FUNCTION_ARGS)
{
	static const char *const groups[CLAIMS_XML_LEVELS] = {"HOSO", "FILEHOSO"};
	bytea	   *payload = PG_GETARG_BYTEA_PP(0);
	ReadState	state = {.cx = pg_core};
	ClaimsXmlDoc doc;
	CoreStatus	status;

	InitMaterializedSRF(fcinfo, 0);
	state.rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	take_forms(&state, PG_GETARG_ARRAYTYPE_P(1), PG_GETARG_ARRAYTYPE_P(2));

	status = claims_xml_read(&state.cx, VARDATA_ANY(payload), VARSIZE_ANY_EXHDR(payload),
							 groups, CLAIMS_XML_MAX_FILE, &doc);
	if (status != CORE_OK)
		refuse(status, &doc);
	if (strcmp(doc.root, "GIAMDINHHS") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_XML_CONTENT),
				 errmsg("claims payload is not a claims envelope"),
				 errdetail("Rule \"envelope\" is broken in line 1: the root element must be GIAMDINHHS.")));
	read_envelope(&state, &doc);
	claims_xml_free(&state.cx, &doc);
	PG_RETURN_NULL();
}

PG_FUNCTION_INFO_V1(ehr_claims_value);

/*
 * ehr_internal.claims_value(type text, sent text) → (value jsonb, finding text, problem text)
 *
 * Immutable.  Raises 22023 for a type that does not exist.
 */
Datum
ehr_claims_value(PG_FUNCTION_ARGS)
{
	text	   *sent = PG_GETARG_TEXT_PP(1);
	char	   *type = text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *utf8 = (char *) pg_server_to_any(VARDATA_ANY(sent), VARSIZE_ANY_EXHDR(sent), PG_UTF8);
	size_t		len = utf8 == VARDATA_ANY(sent) ? VARSIZE_ANY_EXHDR(sent) : strlen(utf8);
	ClaimsValue v;
	CoreStatus	status = claims_value(&pg_core, type, utf8, len, &v);
	TupleDesc	desc;
	Datum		values[3];
	bool		nulls[3];

	raise_core(status);
	if (status != CORE_OK)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("unknown type of claims element: \"%s\"", type)));
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	nulls[0] = v.json == NULL;
	nulls[1] = v.finding == NULL;
	nulls[2] = v.problem == NULL;
	if (v.json != NULL)
		values[0] = DirectFunctionCall1(jsonb_in,
										CStringGetDatum(pg_any_to_server(v.json, strlen(v.json), PG_UTF8)));
	if (v.finding != NULL)
		values[1] = CStringGetTextDatum(v.finding);
	if (v.problem != NULL)
		values[2] = CStringGetTextDatum(v.problem);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

PG_FUNCTION_INFO_V1(ehr_value_class);

/* ehr_internal.value_class(text) → text: the shape of a value without its content; immutable */
Datum
ehr_value_class(PG_FUNCTION_ARGS)
{
	text	   *t = PG_GETARG_TEXT_PP(0);
	char		mask[41];

	claims_value_mask(VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t), mask, sizeof(mask));
	PG_RETURN_TEXT_P(cstring_to_text(mask));
}
