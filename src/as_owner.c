/*
 * as_owner.c
 *		The way from the public functions to their implementations.
 *
 * ehr.NAME(args), written in SQL as a C function, runs ehr_internal.NAME(args)
 * as the owner of ehr_store.  What the caller may not see stays unseen: the
 * tables force row security on their owner, and the policies ask for the
 * session, not for the role.
 *
 * The two modes must never share an implementation: a plan made without row
 * security would be reused with it.  A catalog test checks that no function of
 * ehr_internal stands behind both.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

#include "compat.h"
#include "as_owner.h"

Oid
ehr_store_owner(void)
{
	Oid			nspid = get_namespace_oid("ehr_store", true);
	HeapTuple	tuple;
	Oid			owner;

	tuple = OidIsValid(nspid) ? SearchSysCache1(NAMESPACEOID, ObjectIdGetDatum(nspid)) : NULL;
	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_SCHEMA),
				 errmsg("there is no health record store in this database"),
				 errhint("A database administrator creates it with SELECT ehr.create_store().")));
	owner = ((Form_pg_namespace) GETSTRUCT(tuple))->nspowner;
	ReleaseSysCache(tuple);

	if (has_bypassrls_privilege(owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("the owner of the health record store is not bound by row security"),
				 errdetail("Role \"%s\" is a superuser or has BYPASSRLS.", GetUserNameFromId(owner, false)),
				 errhint("Run ALTER ROLE ... NOSUPERUSER NOBYPASSRLS, or give schema ehr_store and its tables to ehr_owner.")));
	return owner;
}

void
ehr_become_owner(EhrRoleSwitch *saved, EhrCallMode mode)
{
	Oid			owner = ehr_store_owner();
	int			sec_context;

	GetUserIdAndSecContext(&saved->userid, &saved->sec_context);
	/* a call in owner mode inside a system call must not keep the latter's sight */
	sec_context = (saved->sec_context & ~SECURITY_NOFORCE_RLS) | SECURITY_LOCAL_USERID_CHANGE;
	if (mode == EHR_AS_SYSTEM)
		sec_context |= SECURITY_NOFORCE_RLS;
	SetUserIdAndSecContext(owner, sec_context);
}

void
ehr_become_caller(const EhrRoleSwitch *saved)
{
	SetUserIdAndSecContext(saved->userid, saved->sec_context);
}

bool
ehr_in_system_call(void)
{
	return InNoForceRLSOperation();
}

/*
 * implementation_of finds ehr_internal.NAME with the argument types of the
 * called function and keeps it for the calls to come.
 */
static pg_noinline FmgrInfo *
implementation_of(FmgrInfo *called)
{
	HeapTuple	public_proc;
	HeapTuple	tuple;
	Form_pg_proc form;
	FmgrInfo   *impl;
	Oid			impl_oid;

	if (called->fn_extra != NULL)
		return (FmgrInfo *) called->fn_extra;

	public_proc = SearchSysCache1(PROCOID, ObjectIdGetDatum(called->fn_oid));
	if (!HeapTupleIsValid(public_proc))
		elog(ERROR, "cache lookup failed for function %u", called->fn_oid);
	form = (Form_pg_proc) GETSTRUCT(public_proc);

	tuple = SearchSysCache3(PROCNAMEARGSNSP,
							CStringGetDatum(NameStr(form->proname)),
							PointerGetDatum(&form->proargtypes),
							ObjectIdGetDatum(get_namespace_oid("ehr_internal", false)));
	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("function ehr.%s has no implementation in schema ehr_internal", NameStr(form->proname)),
				 errhint("The extension is damaged; reinstall it.")));
	impl_oid = ((Form_pg_proc) GETSTRUCT(tuple))->oid;
	ReleaseSysCache(tuple);
	ReleaseSysCache(public_proc);

	impl = MemoryContextAllocZero(called->fn_mcxt, sizeof(FmgrInfo));
	fmgr_info_cxt(impl_oid, impl, called->fn_mcxt);
	fmgr_info_set_expr(called->fn_expr, impl);
	called->fn_extra = impl;
	return impl;
}

/*
 * call_implementation runs it, with the caller's arguments and result
 * information as they are, under the given mode.
 */
static Datum
call_implementation(FunctionCallInfo fcinfo, EhrCallMode mode)
{
	FmgrInfo   *called = fcinfo->flinfo;
	fmNodePtr	context = fcinfo->context;
	FmgrInfo   *volatile impl = implementation_of(called);
	EhrRoleSwitch saved;
	Datum		result;

	ehr_become_owner(&saved, mode);
	PG_TRY();
	{
		fcinfo->flinfo = impl;
		/* a procedure cannot end the transaction while another role is current */
		fcinfo->context = NULL;
		result = FunctionCallInvoke(fcinfo);
	}
	PG_FINALLY();
	{
		fcinfo->flinfo = called;
		fcinfo->context = context;
	}
	PG_END_TRY();
	ehr_become_caller(&saved);
	return result;
}

PG_FUNCTION_INFO_V1(ehr_as_owner);
PG_FUNCTION_INFO_V1(ehr_as_system);

/* the function behind every public function that reads for its caller */
Datum
ehr_as_owner(PG_FUNCTION_ARGS)
{
	return call_implementation(fcinfo, EHR_AS_OWNER);
}

/* the function behind every public function that keeps the books; the implementation checks who may call */
Datum
ehr_as_system(PG_FUNCTION_ARGS)
{
	return call_implementation(fcinfo, EHR_AS_SYSTEM);
}
