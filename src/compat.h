/*
 * compat.h
 *		Every difference between PostgreSQL versions that ehr has to know.
 *
 * PG_VERSION_NUM is tested here and nowhere else.
 */
#ifndef EHR_COMPAT_H
#define EHR_COMPAT_H

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#include "nodes/miscnodes.h"
#endif

/*
 * ehr_ereturn reports a bad input value: softly where the caller asked for it
 * (16 and later, pg_input_is_valid), as an ordinary error elsewhere.
 */
#if PG_VERSION_NUM >= 160000
#define ehr_ereturn(context, dummy, ...) ereturn(context, dummy, __VA_ARGS__)
#else
#define ehr_ereturn(context, dummy, ...) \
	do { (void) (context); ereport(ERROR, __VA_ARGS__); return dummy; } while (0)
#endif

/* whether an error reported to this context will be soft */
#if PG_VERSION_NUM >= 160000
#define ehr_error_is_soft(context) ((context) != NULL && IsA(context, ErrorSaveContext))
#else
#define ehr_error_is_soft(context) ((void) (context), false)
#endif

/* a function that does not return: before the whole declaration, as 18 has it */
#if PG_VERSION_NUM < 180000
#define pg_noreturn __attribute__((noreturn))
#endif

/* may a role call a function?  To be included after utils/acl.h */
#if PG_VERSION_NUM >= 160000
#define ehr_may_execute(function, role) object_aclcheck(ProcedureRelationId, function, role, ACL_EXECUTE)
#else
#define ehr_may_execute(function, role) pg_proc_aclcheck(function, role, ACL_EXECUTE)
#endif

/* ANALYZE's pause, to be included after commands/vacuum.h */
#if PG_VERSION_NUM >= 180000
#define ehr_vacuum_delay_point() vacuum_delay_point(true)
#else
#define ehr_vacuum_delay_point() vacuum_delay_point()
#endif

/*
 * ehr_rte_selects: does the plan look at rows of this relation, and as which
 * role are its rights checked (InvalidOid: as the caller)?  Permissions moved
 * out of the range table in 16.
 */
#ifdef PLANNODES_H
#if PG_VERSION_NUM >= 160000
#include "parser/parse_relation.h"
static inline bool
ehr_rte_selects(const PlannedStmt *plan, RangeTblEntry *rte, Oid *checked_as)
{
	RTEPermissionInfo *info;

	if (rte->perminfoindex == 0)
		return false;
	info = getRTEPermissionInfo(plan->permInfos, rte);
	*checked_as = info->checkAsUser;
	return (info->requiredPerms & ACL_SELECT) != 0;
}
#else
static inline bool
ehr_rte_selects(const PlannedStmt *plan, RangeTblEntry *rte, Oid *checked_as)
{
	*checked_as = rte->checkAsUser;
	return (rte->requiredPerms & ACL_SELECT) != 0;
}
#endif
#endif							/* PLANNODES_H */

/* Parameters of an ExecutorRun hook, and how it hands them on; 18 has one less. */
#if PG_VERSION_NUM >= 180000
#define EHR_EXECUTOR_RUN_ARGS QueryDesc *query, ScanDirection direction, uint64 count
#define EHR_EXECUTOR_RUN_PASS query, direction, count
#else
#define EHR_EXECUTOR_RUN_ARGS QueryDesc *query, ScanDirection direction, uint64 count, bool execute_once
#define EHR_EXECUTOR_RUN_PASS query, direction, count, execute_once
#endif

/* Blocks of the file of a table of this database that is not temporary. To be included after storage/smgr.h. */
#ifdef SMGR_H
#include "miscadmin.h"
static inline BlockNumber
ehr_file_blocks(Oid tablespace, Oid file)
{
#if PG_VERSION_NUM >= 160000
	RelFileLocator locator = {tablespace, MyDatabaseId, file};
#else
	RelFileNode locator = {tablespace, MyDatabaseId, file};
#endif
#if PG_VERSION_NUM >= 170000
	SMgrRelation relation = smgropen(locator, INVALID_PROC_NUMBER);
#else
	SMgrRelation relation = smgropen(locator, InvalidBackendId);
#endif

	return smgrnblocks(relation, MAIN_FORKNUM);
}
#endif							/* SMGR_H */

/* What a check hook of a setting hands to its assign hook: 16 frees it its own way. To be included after utils/guc.h. */
#ifdef GUC_H
#if PG_VERSION_NUM >= 160000
#define ehr_guc_malloc(size) guc_malloc(LOG, size)
#else
#define ehr_guc_malloc(size) malloc(size)
#endif
#endif							/* GUC_H */

/*
 * Up to 16 a heap scan asks for each block when it comes to it; later ones ask
 * for many ahead, and cannot be told that one has been read.
 */
#if PG_VERSION_NUM < 170000
#define EHR_HEAP_SCANS_BLOCK_BY_BLOCK
#if PG_VERSION_NUM >= 160000
#define ehr_relation_locator(rel) ((rel)->rd_locator)
#else
#define ehr_relation_locator(rel) ((rel)->rd_node)
#endif
#endif

#endif							/* EHR_COMPAT_H */
