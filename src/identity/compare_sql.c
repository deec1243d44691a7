/*
 * compare_sql.c
 *		The comparators of core/compare_text.h and the levels of the matching model
 *		as SQL functions.  All are immutable and strict.
 */
#include "postgres.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "compat.h"
#include "core/compare_text.h"
#include "core/match_model.h"
#include "core/vn_text.h"
#include "identity/identity.h"

/* A text as one byte a letter, so that letters of several bytes count once. */
typedef struct Letters
{
	const char *s;
	size_t		n;
	char		byte[COMPARE_MAX];
} Letters;

static bool
plain(const char *s, size_t n)
{
	size_t		i;

	for (i = 0; i < n; i++)
		if (IS_HIGHBIT_SET(s[i]))
			return false;
	return true;
}

/* Letters get numbers as they turn up in either text; equal letters get the same. */
static void
number_letters(text *t, Letters *out, pg_wchar *known, int *nknown)
{
	const char *s = VARDATA_ANY(t);
	int			len = VARSIZE_ANY_EXHDR(t);

	out->s = out->byte;
	out->n = 0;
	while (len > 0 && out->n < COMPARE_MAX)
	{
		int			width = pg_mblen(s);
		pg_wchar	letter[8];
		int			k;

		pg_mb2wchar_with_len(s, letter, width);
		for (k = 0; k < *nknown && known[k] != letter[0]; k++)
			;
		/* beyond 254 different letters all others are alike */
		if (k == *nknown && *nknown < 255)
			known[(*nknown)++] = letter[0];
		out->byte[out->n++] = (char) (k < 255 ? k + 1 : 0);
		s += width;
		len -= width;
	}
}

static void
take_letters(FunctionCallInfo fcinfo, Letters *a, Letters *b)
{
	text	   *x = PG_GETARG_TEXT_PP(0);
	text	   *y = PG_GETARG_TEXT_PP(1);
	pg_wchar	known[255];
	int			nknown = 0;

	a->s = VARDATA_ANY(x);
	a->n = VARSIZE_ANY_EXHDR(x);
	b->s = VARDATA_ANY(y);
	b->n = VARSIZE_ANY_EXHDR(y);
	if (plain(a->s, a->n) && plain(b->s, b->n))
		return;
	number_letters(x, a, known, &nknown);
	number_letters(y, b, known, &nknown);
}

PG_FUNCTION_INFO_V1(ehr_jaro_winkler);

/* ehr.jaro_winkler(text, text) → float8 */
Datum
ehr_jaro_winkler(PG_FUNCTION_ARGS)
{
	Letters		a,
				b;

	take_letters(fcinfo, &a, &b);
	PG_RETURN_FLOAT8(compare_jaro_winkler(a.s, a.n, b.s, b.n));
}

PG_FUNCTION_INFO_V1(ehr_edit_distance);

/* ehr.edit_distance(text, text) → int: insertions, deletions, substitutions, swaps of neighbours */
Datum
ehr_edit_distance(PG_FUNCTION_ARGS)
{
	Letters		a,
				b;

	take_letters(fcinfo, &a, &b);
	PG_RETURN_INT32(compare_edits(a.s, a.n, b.s, b.n, COMPARE_MAX));
}

typedef CoreStatus (*Fold) (const char *in, size_t len, char *out, size_t *out_len);

/* A name in a form of core/vn_text.h; as UTF-8 whatever the database's encoding. */
static char *
folded(text *t, Fold fold, size_t *len)
{
	size_t		n = Min(VARSIZE_ANY_EXHDR(t), 4 * COMPARE_MAX);
	char	   *in;
	char	   *out;

	n = pg_mbcliplen(VARDATA_ANY(t), VARSIZE_ANY_EXHDR(t), n);
	in = pg_server_to_any(VARDATA_ANY(t), n, PG_UTF8);
	if (in != VARDATA_ANY(t))
		n = strlen(in);
	out = palloc(FOLD_NORMAL_SIZE(n) + 1);
	if (fold(in, n, out, len) != CORE_OK)
		ereport(ERROR,
				(errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
				 errmsg("text is not valid UTF-8")));
	return out;
}

PG_FUNCTION_INFO_V1(ehr_typing_distance);

/* ehr.typing_distance(text, text) → float8: core/compare_text.h, compare_typing */
Datum
ehr_typing_distance(PG_FUNCTION_ARGS)
{
	size_t		n,
				m;
	char	   *a = folded(PG_GETARG_TEXT_PP(0), fold_normal, &n);
	char	   *b = folded(PG_GETARG_TEXT_PP(1), fold_normal, &m);

	PG_RETURN_FLOAT8(compare_typing(a, n, b, m));
}

PG_FUNCTION_INFO_V1(ehr_name_similarity);

/* ehr.name_similarity(text, text) → float8: core/compare_text.h, compare_words of the folded names */
Datum
ehr_name_similarity(PG_FUNCTION_ARGS)
{
	size_t		n,
				m;
	char	   *a = folded(PG_GETARG_TEXT_PP(0), fold_name, &n);
	char	   *b = folded(PG_GETARG_TEXT_PP(1), fold_name, &m);

	PG_RETURN_FLOAT8(compare_words(a, n, b, m));
}

/* ---- levels of the model ---- */

static char *
utf8_argument(FunctionCallInfo fcinfo, int n)
{
	text	   *t = PG_GETARG_TEXT_PP(n);
	char	   *s = text_to_cstring(t);

	return pg_server_to_any(s, strlen(s), PG_UTF8);
}

static Datum
level_of(FunctionCallInfo fcinfo, MatchField field, size_t offset)
{
	MatchInput	in[2] = {{0}};
	MatchRow	row[2];
	MatchVector v;
	int			i;

	for (i = 0; i < 2; i++)
	{
		*(const char **) ((char *) &in[i] + offset) = utf8_argument(fcinfo, i);
		match_row_make(&row[i], &in[i]);
	}
	match_compare(&row[0], &row[1], &v);
	if (v.level[field] == LEVEL_MISSING)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(match_fields[field].level[v.level[field]].name));
}

PG_FUNCTION_INFO_V1(ehr_compare_names);

/* ehr.compare_names(text, text) → text: the level of two names; NULL when one is none */
Datum
ehr_compare_names(PG_FUNCTION_ARGS)
{
	return level_of(fcinfo, FIELD_NAME, offsetof(MatchInput, name));
}

PG_FUNCTION_INFO_V1(ehr_compare_birth_dates);

/* ehr.compare_birth_dates(text, text) → text: the level of two birth dates; NULL when one is none */
Datum
ehr_compare_birth_dates(PG_FUNCTION_ARGS)
{
	return level_of(fcinfo, FIELD_BIRTH, offsetof(MatchInput, birth));
}

PG_FUNCTION_INFO_V1(ehr_compare_numbers);

/* ehr.compare_numbers(text, text) → text: the level of two identity numbers; NULL when they cannot be compared */
Datum
ehr_compare_numbers(PG_FUNCTION_ARGS)
{
	return level_of(fcinfo, FIELD_NUMBER, offsetof(MatchInput, number));
}
