/*
 * executor.c
 *		Watching statements: the audit intent before a protected row is read,
 *		fresh consent at every start and every FETCH, and the refusal of what
 *		would outlive a session or tell of hidden rows.
 *
 * A relation is protected when it lies in schema ehr_store and has row
 * security.  A statement that reads one, directly or in a function that it
 * calls, is guarded: before each further run the session must be the same and
 * must have lost nothing since the statement began, else it yields no more
 * rows.  That is what makes an open cursor of a withdrawn reader end.
 *
 * Calls in system mode (bookkeeping as the owner of the store) are not reads
 * for a caller and pass unseen.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "executor/executor.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "parser/parsetree.h"
#include "tcop/pquery.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "audit/audit.h"
#include "compat.h"
#include "consent/access.h"
#include "consent/rights.h"
#include "consent/scan.h"
#include "consent/session.h"
#include "as_owner.h"

/* What a statement that reads protected relations must still fulfil at its next run. */
typedef struct Guard
{
	dlist_node	node;
	QueryDesc  *query;
	MemoryContextCallback callback;
	uint64		intent;
	bool		privileged;		/* row security does not bind its role: only logged */
	uint64		started;		/* number of its start among all that the executor does */
	TimestampTz message;		/* when the client's message came in which it started */
	const char *keeper;			/* what keeps its rows beyond the session, or NULL */
	char		sid[17];		/* empty: nobody */
	uint64		losses;
} Guard;

/* The statements that are being run now, the innermost first. */
typedef struct Frame
{
	struct Frame *outer;
	QueryDesc  *query;			/* NULL for a utility statement */
	bool		explain;
	const char *keeper;			/* what would keep its rows beyond the session, or NULL */
} Frame;

static const char elsewhere[] = "A table outside of the store";

static dlist_head guards = DLIST_STATIC_INIT(guards);
static Frame *frames = NULL;
static uint64 events = 0;		/* starts and runs of statements, counted */
static bool shown = false;		/* the utility statement that runs now may have shown rows */
static uint64 statement_intent = 0; /* of the top-level statement that runs now */
static char statement_sid[17];

static ExecutorStart_hook_type prev_start = NULL;
static ExecutorRun_hook_type prev_run = NULL;
static ExecutorFinish_hook_type prev_finish = NULL;
static ExecutorEnd_hook_type prev_end = NULL;
static ProcessUtility_hook_type prev_utility = NULL;

/* ---- protected relations ---- */

typedef struct RelationEntry
{
	Oid			relid;
	bool		protected;
} RelationEntry;

static HTAB *relations = NULL;

static void
forget_relation(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS scan;
	RelationEntry *entry;

	if (relations == NULL)
		return;
	if (OidIsValid(relid))
	{
		hash_search(relations, &relid, HASH_REMOVE, NULL);
		return;
	}
	hash_seq_init(&scan, relations);
	while ((entry = hash_seq_search(&scan)) != NULL)
		hash_search(relations, &entry->relid, HASH_REMOVE, NULL);
}

static bool
look_up_protected(Oid relid)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Form_pg_class form;
	bool		result;

	if (!HeapTupleIsValid(tuple))
		return false;
	form = (Form_pg_class) GETSTRUCT(tuple);
	result = form->relrowsecurity && form->relnamespace == get_namespace_oid("ehr_store", true);
	ReleaseSysCache(tuple);
	return result;
}

bool
executor_protects(Oid relid)
{
	RelationEntry *entry;
	bool		found;
	bool		answer;

	if (relations == NULL)
	{
		HASHCTL		info = {.keysize = sizeof(Oid),.entrysize = sizeof(RelationEntry)};

		relations = hash_create("ehr protected relations", 256, &info, HASH_ELEM | HASH_BLOBS);
		CacheRegisterRelcacheCallback(forget_relation, (Datum) 0);
	}
	entry = hash_search(relations, &relid, HASH_FIND, NULL);
	if (entry != NULL)
		return entry->protected;
	/* the look-up may take invalidations in, so the entry is made after it */
	answer = look_up_protected(relid);
	entry = hash_search(relations, &relid, HASH_ENTER, &found);
	entry->protected = answer;
	return answer;
}

/* has_bypassrls_privilege(), remembered for the role that asked last. */
static Oid	known_role = InvalidOid;
static bool known_role_bypasses;

static void
forget_role(Datum arg, int cache, uint32 hash)
{
	known_role = InvalidOid;
}

static bool
bypasses(Oid role)
{
	static bool registered = false;

	if (!registered)
	{
		CacheRegisterSyscacheCallback(AUTHOID, forget_role, (Datum) 0);
		registered = true;
	}
	if (role != known_role)
	{
		bool		answer = has_bypassrls_privilege(role);

		known_role_bypasses = answer;
		known_role = role;
	}
	return known_role_bypasses;
}

/* What a plan does with protected relations. */
typedef struct PlanReads
{
	bool		reads;			/* rows of one are looked at */
	bool		bypassed;		/* by a role that row security does not bind ... */
	bool		lent;			/* ... whose rights a view or function lends to one that it binds */
	bool		writes_elsewhere;	/* and a table outside of the store is written */
} PlanReads;

static void
inspect_plan(const PlannedStmt *plan, PlanReads *out)
{
	ListCell   *lc;

	memset(out, 0, sizeof(*out));
	foreach(lc, plan->rtable)
	{
		RangeTblEntry *rte = lfirst_node(RangeTblEntry, lc);
		Oid			checked_as;

		if (rte->rtekind != RTE_RELATION || !ehr_rte_selects(plan, rte, &checked_as) ||
			!executor_protects(rte->relid))
			continue;
		out->reads = true;
		if (bypasses(OidIsValid(checked_as) ? checked_as : GetUserId()))
		{
			out->bypassed = true;
			out->lent |= !bypasses(GetOuterUserId());
		}
	}
	foreach(lc, plan->resultRelations)
	{
		RangeTblEntry *rte = rt_fetch(lfirst_int(lc), plan->rtable);

		if (!executor_protects(rte->relid))
			out->writes_elsewhere = plan->commandType != CMD_DELETE;
	}
}

static int
compare_names(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

/* Those that a plan reads, each once and in order: what the log says must not hang on the planner's order. */
static const char *
names_in_order(const PlannedStmt *plan)
{
	StringInfoData out;
	List	   *names = NIL;
	const char *last = NULL;
	ListCell   *lc;
	Oid			checked_as;

	foreach(lc, plan->rtable)
	{
		RangeTblEntry *rte = lfirst_node(RangeTblEntry, lc);

		if (rte->rtekind == RTE_RELATION && ehr_rte_selects(plan, rte, &checked_as) && executor_protects(rte->relid))
			names = lappend(names, get_rel_name(rte->relid));
	}
	initStringInfo(&out);
	list_sort(names, compare_names);
	foreach(lc, names)
	{
		if (last != NULL && strcmp(last, lfirst(lc)) == 0)
			continue;
		appendStringInfo(&out, "%s%s", last != NULL ? ", " : "", (char *) lfirst(lc));
		last = lfirst(lc);
	}
	return out.data;
}

uint64
access_current_intent(void)
{
	return IsParallelWorker() ? audit_current() : 0;
}

/* ---- guards ---- */

static void
drop_guard(void *arg)
{
	dlist_delete(&((Guard *) arg)->node);
}

static Guard *
find_guard(const QueryDesc *query)
{
	dlist_iter	iter;

	dlist_foreach(iter, &guards)
	{
		Guard	   *g = dlist_container(Guard, node, iter.cur);

		if (g->query == query)
			return g;
	}
	return NULL;
}

/* The guard lives in the statement's own memory and goes with it, on errors too. */
static Guard *
make_guard(QueryDesc *query, const Principal *p)
{
	MemoryContext context = query->estate->es_query_cxt;
	Guard	   *g = MemoryContextAllocZero(context, sizeof(Guard));

	g->query = query;
	g->losses = access_losses();
	g->started = events;
	g->message = GetCurrentStatementStartTimestamp();
	g->privileged = p == NULL;
	if (p != NULL)
		strlcpy(g->sid, p->sid, sizeof(g->sid));
	g->callback.func = drop_guard;
	g->callback.arg = g;
	dlist_push_head(&guards, &g->node);
	MemoryContextRegisterResetCallback(context, &g->callback);
	return g;
}

static bool
guard_holds(const Guard *g)
{
	const Principal *p;

	/* it has just been started: what it began with is what there is */
	if (g->privileged || (g->started == events && g->message == GetCurrentStatementStartTimestamp()))
		return true;
	p = access_refresh();
	return p != NULL && strcmp(p->sid, g->sid) == 0 && access_losses() == g->losses;
}

/* ---- before a read ---- */

static uint64
write_intent(bool bypassed, uint64 query_id, const char *names)
{
	AuditIntent intent = {bypassed ? "read unbound" : "read"};

	audit_principal(&intent);
	intent.query_id = query_id;
	intent.relations = names;
	return audit_intent(&intent);
}

static void
refuse_copy(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("health records cannot be kept beyond the session"),
			 errdetail("%s would hold rows that a withdrawn consent no longer allows to read.", what),
			 errhint("Read the rows where they are needed, or export them with the functions made for it.")));
}

/* A view without security_invoker, or a SECURITY DEFINER function, of a superuser. */
static void
refuse_lent(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("health records cannot be read with the rights of a role that row security does not bind"),
			 errdetail("A view or a function would show its owner's sight of them to its caller."),
			 errhint("Make the view WITH (security_invoker), the function SECURITY INVOKER.")));
}

static void
refuse_explain(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("EXPLAIN is not allowed on health records"),
			 errdetail("Its estimates and counts tell of rows that are hidden."),
			 errhint("Explain the statement as a role with BYPASSRLS, on a copy without personal data if possible.")));
}

/*
 * before_read is called before a statement that reads protected relations
 * starts.  Returns false when it can show nothing, so that there is nothing to
 * log or guard.
 */
static bool
before_read(const QueryDesc *query, int eflags, PlanReads *plan, const Principal **principal)
{
	const Principal *p;

	if (!plan->bypassed)
	{
		if (frames != NULL && frames->explain)
			refuse_explain();
		if (plan->writes_elsewhere)
			refuse_copy(elsewhere);
		for (Frame *f = frames; f != NULL; f = f->outer)
			if (f->keeper != NULL)
				refuse_copy(f->keeper);
	}
	else if (plan->lent)
		refuse_lent();
	else if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return false;

	p = access_refresh();
	*principal = plan->bypassed ? NULL : p;
	if (p == NULL && !plan->bypassed)
		return false;
	if (IsParallelWorker() && !plan->bypassed)
		statement_intent = audit_current();
	else if (statement_intent == 0 || strcmp(statement_sid, p ? p->sid : "") != 0)
	{
		statement_intent = write_intent(plan->bypassed, query->plannedstmt->queryId, names_in_order(query->plannedstmt));
		strlcpy(statement_sid, p ? p->sid : "", sizeof(statement_sid));
	}
	return true;
}

/* The statements around a guarded one hand on what it shows, so they are guarded too. */
static void
guard_outer_statements(const Principal *p)
{
	for (Frame *f = frames; f != NULL; f = f->outer)
		if (f->query != NULL && find_guard(f->query) == NULL)
		{
			Guard	   *g = make_guard(f->query, p);

			g->intent = statement_intent;
			g->started = 0;
		}
}

/* ---- results that lie in a portal ---- */

/*
 * The result of EXECUTE, FETCH or RETURNING lies whole in its portal, from
 * where a client may take it in pieces (extended protocol, a row limit in
 * Execute) without any statement being started or run.  What is left after the
 * first piece can no longer be held to the consent of the moment, so the portal
 * is made useless: the next piece is an error, never a silent end.
 */
typedef struct Rest
{
	MemoryContextCallback callback;
	char		name[NAMEDATALEN];
	TimestampTz made;
} Rest;

/* Called when the next message of the client is about to be read. */
static void
close_rest(void *arg)
{
	Rest	   *rest = arg;
	Portal		portal = GetPortalByName(rest->name);

	if (PortalIsValid(portal) && portal->creation_time == rest->made && portal->status == PORTAL_READY && !portal->atEnd)
		MarkPortalFailed(portal);
}

static void
watch_rest(Portal portal)
{
	Rest	   *rest;

	/* portals of the simple protocol are not visible, and run to their end */
	if (!PortalIsValid(portal) || !portal->visible || portal->strategy == PORTAL_ONE_SELECT ||
		portal->strategy == PORTAL_MULTI_QUERY || strlen(portal->name) >= NAMEDATALEN)
		return;
	rest = MemoryContextAllocZero(MessageContext, sizeof(Rest));
	strlcpy(rest->name, portal->name, sizeof(rest->name));
	rest->made = portal->creation_time;
	rest->callback.func = close_rest;
	rest->callback.arg = rest;
	MemoryContextRegisterResetCallback(MessageContext, &rest->callback);
}

/* ---- hooks ---- */

static inline bool
at_top(void)
{
	return frames == NULL;
}

/* A new statement of the client begins, or one has ended. */
static void
statement_boundary(void)
{
	statement_intent = 0;
	access_intent = 0;
	audit_set_current(0);
	audit_flush();
}

static void
watch_start(QueryDesc *query, int eflags)
{
	PlanReads	plan = {0};
	const Principal *principal = NULL;
	bool		shows = false;

	/* a parallel worker runs a part of a statement that its leader has announced */
	bool		watched = !ehr_in_system_call() && !audit_is_writer() &&
		!(IsParallelWorker() && at_top());

	events++;
	if (at_top() && !IsParallelWorker() && statement_intent != 0)
		statement_boundary();
	if (watched)
	{
		access_recheck();
		inspect_plan(query->plannedstmt, &plan);
		if (plan.reads)
			shows = before_read(query, eflags, &plan, &principal);
		else if (query->plannedstmt->parallelModeNeeded && session_attached())
			(void) access_refresh();	/* cannot be done once parallel mode is on */
		if (query->plannedstmt->parallelModeNeeded && session_attached())
			rights_publish();
	}

	if (prev_start)
		prev_start(query, eflags);
	else
		standard_ExecutorStart(query, eflags);

	if ((shows && principal != NULL) || (IsParallelWorker() && at_top()))
		scan_by_page(query, eflags);
	if (shows)
	{
		make_guard(query, principal)->intent = statement_intent;
		if (principal != NULL)
			guard_outer_statements(principal);
	}
	/* the rows of a cursor WITH HOLD are fetched at COMMIT, outside of its DECLARE */
	if (watched && frames != NULL && frames->keeper != NULL && session_attached())
	{
		Guard	   *g = find_guard(query);

		if (g == NULL)
		{
			g = make_guard(query, NULL);
			g->intent = 0;
		}
		g->keeper = frames->keeper;
	}
}

/* Ends a run at once: the receiver is started and shut down, no row in between. */
static void
send_nothing(QueryDesc *query)
{
	query->estate->es_processed = 0;
	if (query->operation == CMD_SELECT || query->plannedstmt->hasReturning)
	{
		query->dest->rStartup(query->dest, query->operation, query->tupDesc);
		query->dest->rShutdown(query->dest);
	}
}

static void
watch_run(EHR_EXECUTOR_RUN_ARGS)
{
	Guard	   *g = dlist_is_empty(&guards) ? NULL : find_guard(query);
	Frame		frame = {frames, query};
	Portal volatile portal = at_top() ? ActivePortal : NULL;
	uint64		outer_intent = access_intent;

	if (g != NULL && !guard_holds(g))
	{
		send_nothing(query);
		return;
	}
	events++;
	if (g != NULL)
	{
		shown = true;
		frame.keeper = g->keeper;
		access_intent = g->intent;
		audit_set_current(g->intent);
	}
	else if (query->plannedstmt->resultRelations != NIL && session_attached() && !ehr_in_system_call())
	{
		PlanReads	plan;

		/* a function in it may read; what it returns must not go into a table elsewhere */
		inspect_plan(query->plannedstmt, &plan);
		if (plan.writes_elsewhere && !bypasses(GetUserId()))
			frame.keeper = elsewhere;
	}
	frames = &frame;
	PG_TRY();
	{
		if (prev_run)
			prev_run(EHR_EXECUTOR_RUN_PASS);
		else
			standard_ExecutorRun(EHR_EXECUTOR_RUN_PASS);
	}
	PG_FINALLY();
	{
		frames = frame.outer;
		access_intent = outer_intent;
		audit_set_current(outer_intent);
	}
	PG_END_TRY();
	if (portal != NULL && find_guard(query) != NULL)
		watch_rest(portal);
	/* a client that takes its rows in pieces has this one: whose it was must not wait for the next */
	if (count > 0 && at_top() && !IsParallelWorker() && find_guard(query) != NULL)
		audit_flush();
}

static void
watch_finish(QueryDesc *query)
{
	Frame		frame = {frames, query};

	frames = &frame;
	PG_TRY();
	{
		if (prev_finish)
			prev_finish(query);
		else
			standard_ExecutorFinish(query);
	}
	PG_FINALLY();
	{
		frames = frame.outer;
	}
	PG_END_TRY();
}

static void
watch_end(QueryDesc *query)
{
	if (prev_end)
		prev_end(query);
	else
		standard_ExecutorEnd(query);
	if (at_top() && statement_intent != 0 && !IsParallelWorker())
		statement_boundary();
}

/* COPY table TO by a role that row security does not bind reads without the executor: so does pg_dump. */
static void
watch_copy(const CopyStmt *copy)
{
	Oid			relid;

	if (copy->relation == NULL || copy->is_from || ehr_in_system_call())
		return;
	relid = RangeVarGetRelid(copy->relation, NoLock, true);
	if (OidIsValid(relid) && executor_protects(relid) && bypasses(GetUserId()))
		(void) write_intent(true, 0, copy->relation->relname);
}

/* Does the statement keep what it reads, and in what? */
static const char *
keeper_of(Node *statement)
{
	switch (nodeTag(statement))
	{
		case T_CreateTableAsStmt:
			return "The new table or materialized view";
		case T_RefreshMatViewStmt:
			return "A materialized view";
		case T_DeclareCursorStmt:
			return ((DeclareCursorStmt *) statement)->options & CURSOR_OPT_HOLD ? "A cursor WITH HOLD" : NULL;
		default:
			return NULL;
	}
}

static void
watch_utility(PlannedStmt *pstmt, const char *query_string, bool read_only_tree, ProcessUtilityContext context,
			  ParamListInfo params, QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *completion)
{
	Frame		frame = {frames, NULL};
	bool		top = at_top();
	Portal volatile portal = ActivePortal;

	if (top)
		shown = false;
	frame.explain = IsA(pstmt->utilityStmt, ExplainStmt);
	if (!bypasses(GetUserId()))
		frame.keeper = keeper_of(pstmt->utilityStmt);
	if (top && statement_intent != 0)
		statement_boundary();
	if (IsA(pstmt->utilityStmt, CopyStmt))
		watch_copy((CopyStmt *) pstmt->utilityStmt);

	frames = &frame;
	PG_TRY();
	{
		if (prev_utility)
			prev_utility(pstmt, query_string, read_only_tree, context, params, environment, dest, completion);
		else
			standard_ProcessUtility(pstmt, query_string, read_only_tree, context, params, environment, dest, completion);
	}
	PG_FINALLY();
	{
		frames = frame.outer;
	}
	PG_END_TRY();
	if (top && shown)
		watch_rest(portal);
	/* FETCH shows under the intent of its cursor */
	if (top && (statement_intent != 0 || shown))
		statement_boundary();
}

/* After an error nothing runs any more. */
static void
watch_xact(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT || event == XACT_EVENT_COMMIT)
	{
		statement_intent = 0;
		if (!IsParallelWorker())
			audit_set_current(0);
	}
}

void
executor_init(void)
{
	prev_start = ExecutorStart_hook;
	ExecutorStart_hook = watch_start;
	prev_run = ExecutorRun_hook;
	ExecutorRun_hook = watch_run;
	prev_finish = ExecutorFinish_hook;
	ExecutorFinish_hook = watch_finish;
	prev_end = ExecutorEnd_hook;
	ExecutorEnd_hook = watch_end;
	prev_utility = ProcessUtility_hook;
	ProcessUtility_hook = watch_utility;
	RegisterXactCallback(watch_xact, NULL);
}
