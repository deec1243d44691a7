/*
 * value_sets.c
 *		Membership of codes in value sets and code systems, asked of the terminology functions.
 *
 * Most value sets that documents are bound to are loaded by nobody.  Which are
 * is kept until a table of terminology changes; a code is asked for in those only.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "compat.h"
#include "core/fhir_terms.h"
#include "validate/definitions.h"

/* A value set, or a code system */
typedef struct KnownSet
{
	char		url[512];		/* hash key, cut off */
	bool		known;
} KnownSet;

/* URLs of what is loaded, sorted */
typedef struct UrlList
{
	bool		ready;
	JsonNode   *urls;			/* key: the URL */
	int			count;
} UrlList;

/* Dropped with the loaded definitions */
static struct
{
	uint64		generation;
	HTAB	   *sets;
	UrlList		set_urls;
	UrlList		system_urls;
	int8	   *bindings;		/* 0: not asked yet, 1: known, -1: not */
	int			any;			/* some value set is loaded; -1: not asked yet */
} kept;

static void
refresh(void)
{
	HASHCTL		control = {.keysize = sizeof(((KnownSet *) NULL)->url), .entrysize = sizeof(KnownSet)};

	if (kept.generation == definitions_generation())
		return;
	control.hcxt = definitions_memory();
	kept.sets = hash_create("ehr value sets", 64, &control, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
	memset(&kept.set_urls, 0, sizeof(kept.set_urls));
	memset(&kept.system_urls, 0, sizeof(kept.system_urls));
	kept.bindings = MemoryContextAllocZero(control.hcxt, fhir_binding_count);
	kept.any = -1;
	kept.generation = definitions_generation();
}

/* The answer of a query that gives one boolean; *null where it is null (NULL: null is false) */
static bool
ask_query_null(SPIPlanPtr *plan, const char *query, int nargs, Datum *values, bool *null)
{
	Oid			types[2] = {TEXTOID, TEXTOID};
	bool		isnull = true;
	bool		result;

	SPI_connect();
	if (*plan == NULL)
	{
		*plan = SPI_prepare(query, nargs, types);
		if (*plan == NULL || SPI_keepplan(*plan) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("could not prepare the query for value sets")));
	}
	if (SPI_execute_plan(*plan, values, NULL, true, 1) != SPI_OK_SELECT || SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not read value sets")));
	result = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull)) && !isnull;
	SPI_finish();
	if (null != NULL)
		*null = isnull;
	return result;
}

static bool
ask_query(SPIPlanPtr *plan, const char *query, int nargs, Datum *values)
{
	return ask_query_null(plan, query, nargs, values, NULL);
}

static bool
any_loaded(void)
{
	static SPIPlanPtr plan = NULL;

	if (kept.any < 0)
	{
		/* both are looked at, so that changes of either are noticed */
		bool		no_value_set = definition_table_empty(TABLE_VALUE_SET);
		bool		no_code_system = definition_table_empty(TABLE_CODE_SYSTEM);

		kept.any = !(no_value_set && no_code_system) &&
			ask_query(&plan, "SELECT EXISTS (SELECT FROM ehr.value_set) OR"
					  " EXISTS (SELECT FROM ehr.code_system s WHERE s.value_set IS NOT NULL)", 0, NULL);
	}
	return kept.any != 0;
}

/* Whether a value set is loaded, or is one of R4's required bindings */
static bool
loaded_or_required(const char *url)
{
	static SPIPlanPtr plan = NULL;
	KnownSet	key;
	KnownSet   *set;
	bool		found;
	size_t		plain = strcspn(url, "|");
	Datum		value;

	refresh();
	if (fhir_value_set_find(url, plain) != NULL)
		return true;
	if (!any_loaded())
		return false;
	memset(&key, 0, sizeof(key));
	strlcpy(key.url, url, sizeof(key.url));
	set = hash_search(kept.sets, &key, HASH_FIND, NULL);
	if (set == NULL)
	{
		value = CStringGetTextDatum(url);
		key.known = ask_query(&plan, "SELECT ehr.value_set_at($1) IS NOT NULL OR EXISTS (SELECT FROM ehr.code_system s"
							  " WHERE s.value_set OPERATOR(pg_catalog.=) pg_catalog.split_part($1, '|', 1))", 1, &value);
		set = hash_search(kept.sets, &key, HASH_ENTER, &found);
		set->known = key.known;
	}
	return set->known;
}

bool
value_set_known(const char *url)
{
	size_t		len = strcspn(url, "|");

	return loaded_or_required(url) || fhir_terms_value_set(url, len) != NULL || fhir_terms_open_set(url, len) != NULL;
}

bool
binding_known(int binding)
{
	refresh();
	if (kept.bindings[binding] == 0)
	{
		bool		known = loaded_or_required(fhir_bindings[binding].value_set);

		kept.bindings[binding] = known ? 1 : -1;
	}
	return kept.bindings[binding] > 0;
}

/* -- answers of this command ---------------------------------------------- */

#define ANSWERS_MAX		4096
#define QUESTION_MAX	256

typedef struct Answer
{
	char		question[QUESTION_MAX];
	int8		answer;
} Answer;

/*
 * Where the answer to a question is kept while the command lasts: documents
 * ask for the same few codes again and again.  NULL: it is not there; entered
 * unless it is too long to be kept.
 */
static Answer *
find_answer(HASHACTION action, const char *url, const char *system, int system_len, const char *code, int code_len)
{
	static HTAB *answers = NULL;
	static TimestampTz statement;
	static CommandId command;
	static uint64 generation;
	HASHCTL		control = {.keysize = QUESTION_MAX, .entrysize = sizeof(Answer)};
	char		question[QUESTION_MAX];
	size_t		url_len = strlen(url);

	/* the parts are divided by line ends, which no valid one has; no system is not the empty one */
	if (url_len + system_len + code_len + 4 > QUESTION_MAX)
		return NULL;
	if (answers != NULL &&
		(statement != GetCurrentStatementStartTimestamp() || command != GetCurrentCommandId(false) ||
		 generation != kept.generation || hash_get_num_entries(answers) >= ANSWERS_MAX))
	{
		hash_destroy(answers);
		answers = NULL;
	}
	if (answers == NULL)
	{
		answers = hash_create("ehr codes of value sets", 256, &control, HASH_ELEM | HASH_STRINGS);
		statement = GetCurrentStatementStartTimestamp();
		command = GetCurrentCommandId(false);
		generation = kept.generation;
	}
	memset(question, 0, sizeof(question));
	snprintf(question, sizeof(question), "%s\n%s%.*s\n%.*s", url, system == NULL ? "" : "\r", system_len, system == NULL ? "" : system,
			 code_len, code);
	return hash_search(answers, question, action, NULL);
}

/*
 * Asks ehr.value_set_has(url, system, code, at), which keeps its plans; it is
 * looked up once a transaction.
 */
static int
ask_value_set(const char *url, const char *system, int system_len, const char *code, int code_len)
{
	static FmgrInfo function;
	static MemoryContext memory = NULL;
	static TimestampTz transaction;
	static DateADT today;
	LOCAL_FCINFO(call, 4);
	Datum		result;

	if (memory == NULL || transaction != GetCurrentTransactionStartTimestamp())
	{
		Oid			types[4] = {TEXTOID, TEXTOID, TEXTOID, DATEOID};
		List	   *name = list_make2(makeString("ehr"), makeString("value_set_has"));

		if (memory == NULL)
			memory = AllocSetContextCreate(TopMemoryContext, "ehr value set question", ALLOCSET_SMALL_SIZES);
		MemoryContextReset(memory);
		fmgr_info_cxt(LookupFuncName(name, 4, types, false), &function, memory);
		today = GetSQLCurrentDate();
		transaction = GetCurrentTransactionStartTimestamp();
	}
	InitFunctionCallInfoData(*call, &function, 4, C_COLLATION_OID, NULL, NULL);
	call->args[0].value = CStringGetTextDatum(url);
	call->args[0].isnull = false;
	call->args[1].isnull = system == NULL;
	call->args[1].value = system == NULL ? (Datum) 0 : PointerGetDatum(cstring_to_text_with_len(system, system_len));
	call->args[2].value = PointerGetDatum(cstring_to_text_with_len(code, code_len));
	call->args[2].isnull = false;
	call->args[3].value = DateADTGetDatum(today);
	call->args[3].isnull = false;
	result = FunctionCallInvoke(call);
	if (call->isnull)
		return -1;
	return DatumGetBool(result) ? 1 : 0;
}

/* R4's own value sets besides those of required bindings; of some only the code systems are known */
static int
compiled_has(const char *url, const char *system, int system_len, const char *code, int code_len)
{
	size_t		len = strcspn(url, "|");
	const FhirTerms *terms = fhir_terms_value_set(url, len);

	if (terms != NULL)
		return fhir_terms_have(terms, code, code_len, system, system_len);
	terms = system == NULL ? NULL : fhir_terms_open_set(url, len);
	return terms == NULL || fhir_terms_have(terms, system, system_len, NULL, 0) ? -1 : 0;
}

int
value_set_has(const char *url, const char *system, int system_len, const char *code, int code_len)
{
	Answer	   *kept_answer;
	int			answer;

	if (!loaded_or_required(url))
		return compiled_has(url, system, system_len, code, code_len);
	kept_answer = find_answer(HASH_FIND, url, system, system_len, code, code_len);
	if (kept_answer != NULL)
		return kept_answer->answer;
	answer = ask_value_set(url, system, system_len, code, code_len);
	kept_answer = find_answer(HASH_ENTER, url, system, system_len, code, code_len);
	if (kept_answer != NULL)
		kept_answer->answer = (int8) answer;
	return answer;
}

/* -- code systems --------------------------------------------------------- */

/* Reads a query's URLs once; every Coding asks for its system among them. */
static const UrlList *
read_urls(UrlList *list, const char *query)
{
	MemoryContext memory = definitions_memory();

	SPI_connect();
	if (SPI_execute(query, true, 0) != SPI_OK_SELECT)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not read value sets")));
	list->urls = MemoryContextAllocZero(memory, (SPI_processed + 1) * sizeof(JsonNode));
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		char	   *url = MemoryContextStrdup(memory, SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1));

		list->urls[i].key = url;
		list->urls[i].key_len = strlen(url);
	}
	list->count = (int) SPI_processed;
	SPI_finish();
	json_sort_nodes(list->urls, list->count);
	list->ready = true;
	return list;
}

static bool
has_url(const UrlList *list, const char *url, size_t len)
{
	int			low = 0,
				high = list->count - 1;

	while (low <= high)
	{
		int			mid = (low + high) / 2;
		int			order = fhir_compare(url, len, list->urls[mid].key, list->urls[mid].key_len);

		if (order == 0)
			return true;
		if (order < 0)
			high = mid - 1;
		else
			low = mid + 1;
	}
	return false;
}

bool
code_system_loaded(const char *url, int len)
{
	if (definition_table_empty(TABLE_CODE_SYSTEM))
		return false;
	refresh();
	if (!kept.system_urls.ready)
		(void) read_urls(&kept.system_urls, "SELECT DISTINCT s.url FROM ehr.code_system s");
	return has_url(&kept.system_urls, url, len);
}

bool
value_set_loaded(const char *url, int len)
{
	if (definition_table_empty(TABLE_VALUE_SET))
		return false;
	refresh();
	if (!kept.set_urls.ready)
		(void) read_urls(&kept.set_urls, "SELECT DISTINCT v.url FROM ehr.value_set v");
	return has_url(&kept.set_urls, url, len);
}

/* Of several versions any may be meant: a document may be older than the one that counts today. */
int
code_system_has(const char *system, int system_len, const char *code, int code_len)
{
	static SPIPlanPtr plan = NULL;
	static const char question[] = "code system";
	const FhirTerms *terms;
	Answer	   *kept_answer;
	Datum		values[2];
	bool		null;
	bool		has;
	int			answer = -1;

	if (code_system_loaded(system, system_len))
	{
		kept_answer = find_answer(HASH_FIND, question, system, system_len, code, code_len);
		if (kept_answer != NULL)
			return kept_answer->answer;
		values[0] = PointerGetDatum(cstring_to_text_with_len(system, system_len));
		values[1] = PointerGetDatum(cstring_to_text_with_len(code, code_len));
		has = ask_query_null(&plan, "SELECT CASE WHEN pg_catalog.bool_or(EXISTS (SELECT FROM ehr.concept c WHERE c.system OPERATOR(pg_catalog.=) s.id"
							 " AND c.key OPERATOR(pg_catalog.=) ehr.concept_key(s.hierarchy, s.case_sensitive, $2))) THEN true"
							 " WHEN pg_catalog.bool_and(s.content OPERATOR(pg_catalog.=) 'complete') THEN false END"
							 " FROM ehr.code_system s WHERE s.url OPERATOR(pg_catalog.=) $1", 2, values, &null);
		answer = null ? -1 : has;
		kept_answer = find_answer(HASH_ENTER, question, system, system_len, code, code_len);
		if (kept_answer != NULL)
			kept_answer->answer = (int8) answer;
		return answer;
	}
	terms = fhir_terms_code_system(system, system_len);
	return terms == NULL ? -1 : fhir_terms_have(terms, code, code_len, NULL, 0);
}

/* -- contained value sets -------------------------------------------------- */

/* Whether a list of concepts (expansion.contains, include.concept) has a code */
static bool
list_has(const JsonNode *list, const JsonNode *list_system, const JsonNode *system, const JsonNode *code)
{
	check_stack_depth();
	for (int i = 0; i < items_of(list); i++)
	{
		const JsonNode *one = item_of(list, i);
		const JsonNode *own = child_of(one, "system") != NULL ? child_of(one, "system") : list_system;

		if ((same_string(child_of(one, "code"), code) && (system == NULL || own == NULL || same_string(own, system))) ||
			list_has(child_of(one, "contains"), list_system, system, code))
			return true;
	}
	return false;
}

/* What an include says of a code; -1: it cannot be told */
static int
include_has(const JsonNode *include, const JsonNode *system, const JsonNode *code)
{
	const JsonNode *own = child_of(include, "system");

	if (own == NULL || child_of(include, "valueSet") != NULL)
		return -1;
	if (system != NULL && !same_string(own, system))
		return 0;
	if (child_of(include, "concept") != NULL)
		return list_has(child_of(include, "concept"), own, system, code);
	if (child_of(include, "filter") != NULL || own->kind != NODE_STRING)
		return -1;
	return code_system_has(own->u.text, (int) own->len, code->u.text, (int) code->len);
}

int
contained_set_has(const JsonNode *contained, const JsonNode *reference, const JsonNode *system, const JsonNode *code)
{
	const JsonNode *set = NULL;
	const JsonNode *includes;
	const JsonNode *expansion;
	int			answer = 0;

	for (int i = 0; i < items_of(contained); i++)
	{
		const JsonNode *id = child_of(item_of(contained, i), "id");

		if (id != NULL && id->kind == NODE_STRING && id->len == reference->len - 1 && memcmp(id->u.text, reference->u.text + 1, id->len) == 0)
			set = item_of(contained, i);
	}
	if (set == NULL)
		return -1;
	expansion = child_of(set, "expansion");
	if (expansion != NULL)
		return list_has(child_of(expansion, "contains"), NULL, system, code);
	includes = child_of(child_of(set, "compose"), "include");
	if (child_of(child_of(set, "compose"), "exclude") != NULL)
		return -1;
	for (int i = 0; i < items_of(includes) && answer != 1; i++)
	{
		int			one = include_has(item_of(includes, i), system, code);

		answer = one == 1 ? 1 : Min(answer, one);
	}
	return answer;
}
