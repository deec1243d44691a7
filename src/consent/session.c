/*
 * session.c
 *		Sessions: login, attach, logout, and the sealed setting that carries
 *		them.
 *
 * A login puts an entry into a hash table in shared memory and gives out a
 * handle: the entry's random key and a MAC over it.  What says that this
 * transaction (or connection) acts for a session is the setting ehr.session,
 * which holds the entry's key under a second MAC.  Being a setting, it follows
 * COMMIT, ROLLBACK, savepoints and DISCARD ALL by itself and reaches parallel
 * workers.  Nobody can set it: its check hook lets only this file's own calls
 * and the start of a parallel worker pass.  See doc/consent.md.
 */
#include "postgres.h"

#include <limits.h>

#include "access/parallel.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/dsm.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/jsonb.h"
#include "utils/snapmgr.h"

#include "audit/audit.h"
#include "compat.h"
#include "consent/access.h"
#include "consent/changes.h"
#include "consent/session.h"
#include "consent/shared_rights.h"
#include "consent/spent.h"
#include "core/jws.h"
#include "core/mac.h"
#include "ehr.h"
#include "as_owner.h"

#define SESSION_KEY_BYTES	16
#define SEALED_BYTES		(SESSION_KEY_BYTES + MAC_BYTES)
#define SEALED_TEXT			(2 * SEALED_BYTES)

static const char handle_domain[] = "ehr handle";
static const char setting_domain[] = "ehr setting";
static const char token_domain[] = "ehr token id";

typedef struct SessionKey
{
	unsigned char bytes[SESSION_KEY_BYTES];
} SessionKey;

typedef struct SessionEntry
{
	SessionKey	key;			/* must be first */
	Oid			database;
	Oid			role;			/* the login role; another one cannot attach */
	Principal	principal;
} SessionEntry;

ConsentShared *consent_shared = NULL;
static HTAB *sessions = NULL;

static char *token_issuer = NULL;
static char *token_audience = NULL;
static int	token_leeway = 10;
static int	token_max_lifetime = 86400;
static int	max_sessions = 10000;
static bool connection_scope = true;

static char *session_setting = NULL;
static bool sealing = false;	/* this file is setting ehr.session */

/* what the setting says, and what shared memory said about it last */
static bool attached = false;
static SessionKey attached_key;
static bool current_known = false;
static uint64 current_ended;
static Principal current;

static shmem_request_hook_type prev_shmem_request_hook = NULL;
static shmem_startup_hook_type prev_shmem_startup_hook = NULL;

/* ---- shared memory ---- */

static Size
consent_shmem_size(void)
{
	return add_size(offsetof(ConsentShared, published), mul_size(MaxBackends, sizeof(pg_atomic_uint32)));
}

static void
request_shmem(void)
{
	if (prev_shmem_request_hook)
		prev_shmem_request_hook();
	RequestAddinShmemSpace(consent_shmem_size());
	RequestAddinShmemSpace(changes_shmem_size());
	RequestAddinShmemSpace(hash_estimate_size(max_sessions, sizeof(SessionEntry)));
	RequestAddinShmemSpace(spent_shmem_size(2 * (long) max_sessions));
	RequestAddinShmemSpace(shared_rights_shmem_size());
	RequestNamedLWLockTranche("ehr_session", 3);
}

static void
startup_shmem(void)
{
	HASHCTL		info;
	bool		found;

	if (prev_shmem_startup_hook)
		prev_shmem_startup_hook();

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	consent_shared = ShmemInitStruct("ehr consent", consent_shmem_size(), &found);
	if (!found)
	{
		consent_shared->lock = &GetNamedLWLockTranche("ehr_session")->lock;
		pg_atomic_init_u64(&consent_shared->ended, 0);
		consent_shared->changes_lock = &GetNamedLWLockTranche("ehr_session")[1].lock;
		consent_shared->rights_lock = &GetNamedLWLockTranche("ehr_session")[2].lock;
		consent_shared->n_published = MaxBackends;
		for (int i = 0; i < consent_shared->n_published; i++)
			pg_atomic_init_u32(&consent_shared->published[i], DSM_HANDLE_INVALID);
		if (!pg_strong_random(consent_shared->secret, sizeof(consent_shared->secret)))
			ereport(FATAL,
					(errcode(ERRCODE_INTERNAL_ERROR),
					 errmsg("could not make the secret of sessions")));
	}
	info.keysize = sizeof(SessionKey);
	info.entrysize = sizeof(SessionEntry);
	sessions = ShmemInitHash("ehr sessions", max_sessions, max_sessions, &info, HASH_ELEM | HASH_BLOBS);
	spent_shmem_init(2 * (long) max_sessions);
	changes_shmem_init();
	shared_rights_shmem_init();
	LWLockRelease(AddinShmemInitLock);
}

void
session_require_preload(void)
{
	if (!ehr_preloaded || consent_shared == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("sessions and consent need ehr to be preloaded"),
				 errhint("Add ehr to shared_preload_libraries and restart the server.")));
}

/* ---- sealed texts: a session's key and a MAC over it, in hexadecimal ---- */

static void
seal(const SessionKey *key, const char *domain, char out[SEALED_TEXT + 1])
{
	unsigned char bytes[SEALED_BYTES];

	memcpy(bytes, key->bytes, SESSION_KEY_BYTES);
	mac_make(consent_shared->secret, domain, key->bytes, SESSION_KEY_BYTES, bytes + SESSION_KEY_BYTES);
	hex_encode((char *) bytes, SEALED_BYTES, out);
	out[SEALED_TEXT] = '\0';
}

static int
hex_value(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Opens a sealed text; false when it is none of this server's life. Never raises. */
static bool
unseal(const char *text, size_t len, const char *domain, SessionKey *key)
{
	unsigned char bytes[SEALED_BYTES];

	if (len != SEALED_TEXT || consent_shared == NULL)
		return false;
	for (int i = 0; i < SEALED_BYTES; i++)
	{
		int			high = hex_value(text[2 * i]);
		int			low = hex_value(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		bytes[i] = (unsigned char) (high << 4 | low);
	}
	memcpy(key->bytes, bytes, SESSION_KEY_BYTES);
	return mac_holds(consent_shared->secret, domain, key->bytes, SESSION_KEY_BYTES, bytes + SESSION_KEY_BYTES);
}

/* ---- the setting ---- */

/*
 * The setting's guard: the empty value (the default, RESET, DISCARD ALL), our
 * own calls, and the leader's value in a new parallel worker pass, the last
 * two only with a MAC that holds.  What is sealed goes on to assign_session(),
 * so that it is opened once.
 */
static bool
check_session(char **newval, void **extra, GucSource source)
{
	SessionKey	key;

	if (*newval == NULL || (*newval)[0] == '\0')
		return true;
	if ((sealing || InitializingParallelWorker) &&
		unseal(*newval, strlen(*newval), setting_domain, &key))
	{
		*extra = ehr_guc_malloc(sizeof(SessionKey));
		if (*extra == NULL)
			return false;
		memcpy(*extra, &key, sizeof(SessionKey));
		return true;
	}
	GUC_check_errcode(ERRCODE_INSUFFICIENT_PRIVILEGE);
	GUC_check_errmsg("a session cannot be set");
	GUC_check_errdetail("Only a verified token or handle makes a session.");
	GUC_check_errhint("Call ehr.login(token) or ehr.attach(handle).");
	return false;
}

/* Also runs while a transaction aborts: must not fail. */
static void
assign_session(const char *newval, void *extra)
{
	attached = extra != NULL;
	if (attached)
		memcpy(&attached_key, extra, sizeof(SessionKey));
	current_known = false;
	access_recheck();
}

static const char *
show_session(void)
{
	return attached ? "(sealed)" : "";
}

/* Attaches the session with this key, or none (NULL); local: until the transaction's end. */
static void
set_session(const SessionKey *key, bool local)
{
	char		value[SEALED_TEXT + 1] = "";

	if (key != NULL)
		seal(key, setting_domain, value);
	sealing = true;
	PG_TRY();
	{
		(void) set_config_option("ehr.session", value, PGC_SUSET, PGC_S_SESSION,
								 local ? GUC_ACTION_LOCAL : GUC_ACTION_SET, true, 0, false);
	}
	PG_FINALLY();
	{
		sealing = false;
	}
	PG_END_TRY();
}

/* Tells the audit log who acts. */
static void
fill_audit_principal(AuditIntent *who)
{
	const Principal *p = session_principal();

	if (p == NULL)
		return;
	who->sub = p->sub;
	who->name = p->name[0] ? p->name : NULL;
	who->org = p->org;
	who->purpose = p->purpose;
	who->sid = p->sid;
}

/* What would outlive the session together with its transaction is refused. */
static void
session_xact_callback(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_PRE_PREPARE && attached)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot PREPARE a transaction that has a session"),
				 errdetail("The session ends here; the prepared transaction would go on.")));
}

void
session_init(void)
{
	DefineCustomStringVariable("ehr.session", "The attached session; only ehr.login and ehr.attach set it.", NULL,
							   &session_setting, "", PGC_SUSET,
							   GUC_SUPERUSER_ONLY | GUC_NO_SHOW_ALL | GUC_DISALLOW_IN_FILE | GUC_NOT_IN_SAMPLE,
							   check_session, assign_session, show_session);
	DefineCustomStringVariable("ehr.token_issuer", "The iss that a token must name.", NULL,
							   &token_issuer, "", PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("ehr.token_audience", "The aud that a token must name.", NULL,
							   &token_audience, "", PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("ehr.token_leeway", "How far the clocks of the issuer and of this server may differ.", NULL,
							&token_leeway, 10, 0, 300, PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("ehr.token_max_lifetime", "The longest lifetime of a token.", NULL,
							&token_max_lifetime, 86400, 60, 31 * 86400, PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomBoolVariable("ehr.connection_sessions", "Whether a session may last beyond its transaction.",
							 "Off where a pooler gives the next transaction of a connection to another client.",
							 &connection_scope, true, PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("ehr.max_sessions", "How many sessions may be open at a time.", NULL,
							&max_sessions, 10000, 100, 1000000, PGC_POSTMASTER, 0, NULL, NULL, NULL);
	shared_rights_init();

	prev_shmem_request_hook = shmem_request_hook;
	shmem_request_hook = request_shmem;
	prev_shmem_startup_hook = shmem_startup_hook;
	shmem_startup_hook = startup_shmem;
	RegisterXactCallback(session_xact_callback, NULL);
	changes_init();
	audit_principal = fill_audit_principal;
}

/* ---- reading the session ---- */

bool
session_attached(void)
{
	return attached;
}

/* Copies the entry's principal; false when there is none for this database. */
static bool
find_session(const SessionKey *key, Oid *role, Principal *out)
{
	SessionEntry *entry;
	bool		found = false;

	LWLockAcquire(consent_shared->lock, LW_SHARED);
	entry = hash_search(sessions, key, HASH_FIND, NULL);
	if (entry != NULL && entry->database == MyDatabaseId)
	{
		found = true;
		*out = entry->principal;
		if (role != NULL)
			*role = entry->role;
	}
	LWLockRelease(consent_shared->lock);
	return found;
}

const Principal *
session_principal(void)
{
	return attached ? session_principal_at(GetCurrentTimestamp()) : NULL;
}

const Principal *
session_principal_at(TimestampTz now)
{
	uint64		ended;

	if (!attached)
		return NULL;
	ended = pg_atomic_read_u64(&consent_shared->ended);
	if (!current_known || ended != current_ended)
	{
		if (!find_session(&attached_key, NULL, &current))
			current.expires = DT_NOBEGIN;
		current_known = true;
		current_ended = ended;
	}
	return now < current.expires ? &current : NULL;
}

/* ---- tokens ---- */

pg_noreturn static void refuse_token(void);

/* One answer to every fault of a token, and nothing of it in the log. */
static void
refuse_token(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("token refused"),
			 errhidestmt(true),
			 errhidecontext(true)));
	pg_unreachable();
}

/*
 * Reads a JWK.  The last one is remembered: to see that a public key is a good
 * point of the curve takes as long as to verify a signature.
 */
static bool
read_key(const char *jwk, Jwk *key)
{
	static char last_jwk[JWS_MAX_JWK];
	static Jwk	last_key;
	size_t		len = strlen(jwk);

	if (len < sizeof(last_jwk) && last_jwk[0] != '\0' && strcmp(jwk, last_jwk) == 0)
	{
		*key = last_key;
		return true;
	}
	if (jwk_parse(jwk, len, key) != JWS_OK)
		return false;
	/* a shared secret is not kept */
	if (key->kind == JWK_ED25519 && len < sizeof(last_jwk))
	{
		memcpy(last_jwk, jwk, len + 1);
		last_key = *key;
	}
	return true;
}

/*
 * Fetches the key that kid names today.  Under the latest snapshot: a key that
 * was withdrawn is not accepted by an old transaction either.
 */
static bool
fetch_key(const char *kid, Jwk *key)
{
	static SPIPlanPtr plan = NULL;
	EhrRoleSwitch saved;
	Datum		values[1];
	bool		found = false;

	ehr_become_owner(&saved, EHR_AS_SYSTEM);
	PushActiveSnapshot(GetLatestSnapshot());
	SPI_connect();
	if (plan == NULL)
	{
		Oid			types[1] = {TEXTOID};
		SPIPlanPtr	p = SPI_prepare("SELECT k.jwk FROM ehr_store.session_key k "
									"WHERE k.kid OPERATOR(pg_catalog.=) $1 "
									"AND k.valid OPERATOR(pg_catalog.@>) pg_catalog.clock_timestamp()", 1, types);

		if (p == NULL || SPI_keepplan(p) != 0)
			elog(ERROR, "could not prepare the look-up of session keys");
		plan = p;
	}
	values[0] = CStringGetTextDatum(kid);
	if (SPI_execute_plan(plan, values, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not look up a session key");
	if (SPI_processed == 1)
	{
		char	   *jwk = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);

		found = jwk != NULL && read_key(jwk, key);
	}
	SPI_finish();
	PopActiveSnapshot();
	ehr_become_caller(&saved);
	return found;
}

/* Verifies a token in all its parts, or refuses it. */
static void
verify_token(const char *token, size_t len, JwsClaims *claims)
{
	JwsToken   *parsed = palloc(sizeof(JwsToken));
	JwsExpect	expect;
	Jwk			key;

	if (token_issuer[0] == '\0' || token_audience[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("no tokens are accepted yet"),
				 errhint("Set ehr.token_issuer and ehr.token_audience to the iss and aud of this server's tokens."),
				 errhidestmt(true)));
	expect.issuer = token_issuer;
	expect.audience = token_audience;
	expect.leeway = token_leeway;
	expect.max_lifetime = token_max_lifetime;
	expect.now = (int64) timestamptz_to_time_t(GetCurrentTimestamp());
	if (jws_parse(token, len, parsed) != JWS_OK || parsed->kid[0] == '\0' ||
		!fetch_key(parsed->kid, &key) ||
		jws_verify(parsed, &key) != JWS_OK ||
		jws_claims(parsed, &expect, claims) != JWS_OK)
		refuse_token();
	pfree(parsed);
}

/* ---- the table of sessions ---- */

/* Drops what has expired. The lock is held exclusively. */
static void
sweep_sessions(void)
{
	HASH_SEQ_STATUS scan;
	SessionEntry *session;
	TimestampTz now = GetCurrentTimestamp();

	hash_seq_init(&scan, sessions);
	while ((session = hash_seq_search(&scan)) != NULL)
		if (session->principal.expires <= now)
			hash_search(sessions, &session->key, HASH_REMOVE, NULL);
}

static void
fill_principal(Principal *p, const JwsClaims *claims, const unsigned char sid[8])
{
	memset(p, 0, sizeof(Principal));
	strlcpy(p->kind, claims->kind, sizeof(p->kind));
	strlcpy(p->sub, claims->subject, sizeof(p->sub));
	strlcpy(p->org, claims->org, sizeof(p->org));
	strlcpy(p->purpose, claims->purpose, sizeof(p->purpose));
	strlcpy(p->name, claims->name, sizeof(p->name));
	hex_encode((const char *) sid, 8, p->sid);
	p->expires = time_t_to_timestamptz((pg_time_t) claims->expires);
}

/* Reports what kept a token from being spent. */
static void
refuse_spending(SpentResult result, int saved_errno)
{
	if (result == SPENT_BEFORE)
		refuse_token();
	if (result == SPENT_FULL)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("too many sessions are open"),
				 errhint("Raise ehr.max_sessions and restart the server, or wait until sessions expire."),
				 errhidestmt(true)));
	errno = saved_errno;
	ereport(ERROR,
			(errcode_for_file_access(),
			 errmsg("the use of a token could not be recorded: %m"),
			 errhint("The server must be able to write to its data directory."),
			 errhidestmt(true)));
}

/*
 * Spends the token and opens its session, in one step.  Not undone by
 * ROLLBACK: a token is good for one login, whatever becomes of the
 * transaction, and its handle can be attached in the next.
 */
static void
open_session(const JwsClaims *claims, SessionKey *key)
{
	static const unsigned char no_key[MAC_KEY_BYTES] = {0};
	char	   *token_name = psprintf("%s\n%s", claims->issuer, claims->token_id);
	unsigned char token[MAC_BYTES];
	unsigned char sid[8];
	SpentResult result = SPENT_FULL;
	int			saved_errno;

	mac_make(no_key, token_domain, token_name, strlen(token_name), token);
	if (!pg_strong_random(key->bytes, sizeof(key->bytes)) || !pg_strong_random(sid, sizeof(sid)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not make a session key")));

	LWLockAcquire(consent_shared->lock, LW_EXCLUSIVE);
	if (hash_get_num_entries(sessions) >= max_sessions)
		sweep_sessions();
	if (hash_get_num_entries(sessions) < max_sessions)
		result = spent_note(token, time_t_to_timestamptz((pg_time_t) (claims->expires + token_leeway + 1)));
	saved_errno = errno;
	if (result == SPENT_NOW)
	{
		SessionEntry *entry = hash_search(sessions, key, HASH_ENTER, NULL);

		entry->database = MyDatabaseId;
		entry->role = GetSessionUserId();
		fill_principal(&entry->principal, claims, sid);
	}
	LWLockRelease(consent_shared->lock);
	if (result != SPENT_NOW)
		refuse_spending(result, saved_errno);
}

/* Ends sessions for good, on every connection. Returns how many. */
static int64
end_sessions(bool (*wanted) (const SessionEntry *, const void *), const void *arg)
{
	HASH_SEQ_STATUS scan;
	SessionEntry *entry;
	int64		n = 0;

	LWLockAcquire(consent_shared->lock, LW_EXCLUSIVE);
	hash_seq_init(&scan, sessions);
	while ((entry = hash_seq_search(&scan)) != NULL)
		if (entry->database == MyDatabaseId && wanted(entry, arg))
		{
			hash_search(sessions, &entry->key, HASH_REMOVE, NULL);
			n++;
		}
	LWLockRelease(consent_shared->lock);
	pg_atomic_fetch_add_u64(&consent_shared->ended, 1);
	return n;
}

/* ---- SQL functions ---- */

PG_FUNCTION_INFO_V1(ehr_login);
PG_FUNCTION_INFO_V1(ehr_attach);
PG_FUNCTION_INFO_V1(ehr_detach);
PG_FUNCTION_INFO_V1(ehr_logout);
PG_FUNCTION_INFO_V1(ehr_session);
PG_FUNCTION_INFO_V1(ehr_end_sessions);
PG_FUNCTION_INFO_V1(ehr_key_problem);

/* 'transaction' → true, 'session' → false */
static bool
is_local(text *scope)
{
	char	   *name = text_to_cstring(scope);

	if (strcmp(name, "transaction") == 0)
		return true;
	if (strcmp(name, "session") == 0)
	{
		if (!connection_scope)
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("a session ends with its transaction here"),
					 errdetail("ehr.connection_sessions is off: the connection may serve another client next."),
					 errhint("Leave out the scope, and attach in each transaction."),
					 errhidestmt(true)));
		return false;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown scope of a session"),
			 errdetail("A session lasts for the \"transaction\" or for the \"session\" of the database connection."),
			 errhidestmt(true)));
	pg_unreachable();
}

/* A standby can neither record a read nor learn of a logout elsewhere. */
static void
require_primary(void)
{
	session_require_preload();
	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("no sessions on a standby server"),
				 errhint("Connect to the primary server."),
				 errhidestmt(true)));
}

/* ehr.login(token text, scope text) → text */
Datum
ehr_login(PG_FUNCTION_ARGS)
{
	text	   *token = PG_GETARG_TEXT_PP(0);
	bool		local = is_local(PG_GETARG_TEXT_PP(1));
	JwsClaims	claims;
	SessionKey	key;
	char		handle[SEALED_TEXT + 1];

	/* other sessions of the same role may look at this one's current query */
	pgstat_report_activity(STATE_RUNNING, "<ehr.login>");
	require_primary();
	verify_token(VARDATA_ANY(token), VARSIZE_ANY_EXHDR(token), &claims);
	open_session(&claims, &key);
	set_session(&key, local);
	seal(&key, handle_domain, handle);
	PG_RETURN_TEXT_P(cstring_to_text(handle));
}

/* ehr.attach(handle text, scope text) → void */
Datum
ehr_attach(PG_FUNCTION_ARGS)
{
	text	   *handle = PG_GETARG_TEXT_PP(0);
	bool		local = is_local(PG_GETARG_TEXT_PP(1));
	Principal	principal;
	SessionKey	key;
	Oid			role;

	pgstat_report_activity(STATE_RUNNING, "<ehr.attach>");
	require_primary();
	if (!unseal(VARDATA_ANY(handle), VARSIZE_ANY_EXHDR(handle), handle_domain, &key) ||
		!find_session(&key, &role, &principal) ||
		role != GetSessionUserId() ||
		principal.expires <= GetCurrentTimestamp())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("session handle refused"),
				 errhint("Log in again with ehr.login(token)."),
				 errhidestmt(true),
				 errhidecontext(true)));
	set_session(&key, local);
	PG_RETURN_VOID();
}

/* ehr.detach() → void: this connection acts for nobody; the handle stays good */
Datum
ehr_detach(PG_FUNCTION_ARGS)
{
	session_require_preload();
	set_session(NULL, false);
	PG_RETURN_VOID();
}

static bool
has_key(const SessionEntry *entry, const void *key)
{
	return memcmp(&entry->key, key, sizeof(SessionKey)) == 0;
}

static bool
has_subject(const SessionEntry *entry, const void *sub)
{
	return strcmp(entry->principal.sub, sub) == 0;
}

/* ehr.logout() → void: ends the attached session, here and on every other connection */
Datum
ehr_logout(PG_FUNCTION_ARGS)
{
	session_require_preload();
	if (attached)
		end_sessions(has_key, &attached_key);
	set_session(NULL, false);
	PG_RETURN_VOID();
}

/* ehr.end_sessions(sub text) → bigint; for administrators */
Datum
ehr_end_sessions(PG_FUNCTION_ARGS)
{
	session_require_preload();
	PG_RETURN_INT64(end_sessions(has_subject, text_to_cstring(PG_GETARG_TEXT_PP(0))));
}

static void
push_member(JsonbParseState **state, const char *name, const char *value)
{
	JsonbValue	v;

	if (value[0] == '\0')
		return;
	v.type = jbvString;
	v.val.string.val = unconstify(char *, name);
	v.val.string.len = strlen(name);
	pushJsonbValue(state, WJB_KEY, &v);
	v.val.string.val = unconstify(char *, value);
	v.val.string.len = strlen(value);
	pushJsonbValue(state, WJB_VALUE, &v);
}

/* ehr.session() → jsonb: the own identity, or null */
Datum
ehr_session(PG_FUNCTION_ARGS)
{
	const Principal *p = session_principal();
	JsonbParseState *state = NULL;
	JsonbValue *result;

	if (p == NULL)
		PG_RETURN_NULL();
	pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	push_member(&state, "kind", p->kind);
	push_member(&state, "sub", p->sub);
	push_member(&state, "org", p->org);
	push_member(&state, "purpose", p->purpose);
	push_member(&state, "name", p->name);
	push_member(&state, "sid", p->sid);
	push_member(&state, "expires", timestamptz_to_str(p->expires));
	result = pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	PG_RETURN_JSONB_P(JsonbValueToJsonb(result));
}

/* ehr_internal.key_problem(jwk text) → text: null when the key can verify tokens */
Datum
ehr_key_problem(PG_FUNCTION_ARGS)
{
	static const struct
	{
		JwsReason	reason;
		const char *text;
	}			problems[] = {
		{JWS_TOO_LARGE, "The JWK is too long."},
		{JWS_KEY_JSON, "The JWK is no JSON object, or has a member twice."},
		{JWS_KEY_TYPE, "The JWK is neither kty OKP with crv Ed25519 nor kty oct."},
		{JWS_KEY_VALUE, "The key has a wrong length, or is a weak point of the curve."},
		{JWS_KEY_USE, "The JWK's use, key_ops or alg forbid verifying with it."},
		{JWS_KEY_PRIVATE, "The JWK has a private key; give its public half only."},
	};
	text	   *jwk = PG_GETARG_TEXT_PP(0);
	Jwk			key;
	JwsReason	reason = jwk_parse(VARDATA_ANY(jwk), VARSIZE_ANY_EXHDR(jwk), &key);

	for (size_t i = 0; i < lengthof(problems); i++)
		if (problems[i].reason == reason)
			PG_RETURN_TEXT_P(cstring_to_text(problems[i].text));
	PG_RETURN_NULL();
}
