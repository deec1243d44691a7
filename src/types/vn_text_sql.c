/*
 * vn_text_sql.c
 *		Vietnamese text in SQL: what core/vn_text.h and core/phone.h offer.
 */
#include "postgres.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "compat.h"
#include "core/phone.h"
#include "core/vn_text.h"

PG_FUNCTION_INFO_V1(ehr_fold_text);
PG_FUNCTION_INFO_V1(ehr_fold_name);
PG_FUNCTION_INFO_V1(ehr_exact_name);
PG_FUNCTION_INFO_V1(ehr_name_key);
PG_FUNCTION_INFO_V1(ehr_name_kind);
PG_FUNCTION_INFO_V1(ehr_normalize_phone);

typedef CoreStatus (*Fold) (const char *in, size_t len, char *out, size_t *out_len);

/*
 * Runs a fold over an argument; *out_len gets the length of the palloc'd result.  NULL for more
 * words than fit.  Databases in other encodings are read by way of UTF-8.
 */
static char *
run_fold(Fold fold, text *arg, size_t *out_len)
{
	int			len = VARSIZE_ANY_EXHDR(arg);
	const char *in = pg_server_to_any(VARDATA_ANY(arg), len, PG_UTF8);
	char	   *out;
	CoreStatus	status;

	if (in != VARDATA_ANY(arg))
		len = strlen(in);
	/* a text has less than 1 GB, so that its normal form may not fit one allocation: palloc refuses then */
	out = palloc(FOLD_NORMAL_SIZE((size_t) len) + 1);
	status = fold(in, len, out, out_len);
	if (status == CORE_TOO_LARGE)
		return NULL;
	if (status != CORE_OK)
		ereport(ERROR,
				(errcode(ERRCODE_CHARACTER_NOT_IN_REPERTOIRE),
				 errmsg("text is not valid UTF-8")));
	return out;
}

/* fold_text(text) → text: unmarked capitals and digits */
Datum
ehr_fold_text(PG_FUNCTION_ARGS)
{
	size_t		len;
	char	   *out = run_fold(fold_text, PG_GETARG_TEXT_PP(0), &len);

	PG_RETURN_TEXT_P(cstring_to_text_with_len(out, len));
}

/* fold_name(text) → text: a person's name in unmarked capitals, without titles, i/y one way */
Datum
ehr_fold_name(PG_FUNCTION_ARGS)
{
	size_t		len;
	char	   *out = run_fold(fold_name, PG_GETARG_TEXT_PP(0), &len);

	PG_RETURN_TEXT_P(cstring_to_text_with_len(out, len));
}

/* exact_name(text) → text: a name in capitals with marks, in the one normal form */
Datum
ehr_exact_name(PG_FUNCTION_ARGS)
{
	size_t		len;
	char	   *out = run_fold(fold_normal, PG_GETARG_TEXT_PP(0), &len);

	if (out == NULL)
		elog(ERROR, "normal form does not fit");
	if (GetDatabaseEncoding() != PG_UTF8)
	{
		out[len] = '\0';
		PG_RETURN_TEXT_P(cstring_to_text(pg_any_to_server(out, len, PG_UTF8)));
	}
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out, len));
}

/* name_key(text) → text: fold_name with the words in order; null for an empty name and for over 64 words */
Datum
ehr_name_key(PG_FUNCTION_ARGS)
{
	size_t		len;
	char	   *out = run_fold(fold_name_key, PG_GETARG_TEXT_PP(0), &len);

	if (out == NULL || len == 0)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out, len));
}

/* name_kind(text) → text: person, newborn (named after the mother) or none (no name given) */
Datum
ehr_name_kind(PG_FUNCTION_ARGS)
{
	static const char *const kinds[] = {
		[FOLD_NAME_PERSON] = "person",
		[FOLD_NAME_NEWBORN] = "newborn",
		[FOLD_NAME_NONE] = "none",
	};
	size_t		len;
	size_t		mother_at;
	char	   *out = run_fold(fold_name, PG_GETARG_TEXT_PP(0), &len);

	PG_RETURN_TEXT_P(cstring_to_text(kinds[fold_name_kind(out, len, &mother_at)]));
}

/* normalize_phone(text) → text: one form of a number, null for what is none */
Datum
ehr_normalize_phone(PG_FUNCTION_ARGS)
{
	text	   *arg = PG_GETARG_TEXT_PP(0);
	char		out[PHONE_SIZE];
	size_t		len;

	if (phone_normalize(VARDATA_ANY(arg), VARSIZE_ANY_EXHDR(arg), out, &len) != CORE_OK)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text_with_len(out, len));
}
