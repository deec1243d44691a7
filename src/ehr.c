/*
 * ehr.c
 *		The module: magic block, start-up, version.
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "compat.h"
#include "api/api.h"
#include "audit/audit.h"
#include "consent/session.h"
#include "fhirpath/fhirpath.h"
#include "ehr.h"
#include "identity/identity.h"
#include "progress.h"
#include "validate/validate.h"
#include "vault/vault.h"
#include "views/view_run.h"

PG_MODULE_MAGIC;

bool		ehr_preloaded = false;

void		_PG_init(void);

/*
 * _PG_init runs once in the postmaster when the library is preloaded, else
 * once in each backend that first calls one of its functions.  Types,
 * validation, merge and matching work either way; sessions, consent and audit
 * need shared memory and refuse to work when not preloaded.
 */
void
_PG_init(void)
{
	ehr_preloaded = process_shared_preload_libraries_in_progress;
	audit_init();
	fhirpath_init();
	validate_init();
	resolve_init();
	ehr_match_init();
	view_scan_init();
	if (ehr_preloaded)
	{
		vault_init();
		session_init();
		executor_init();
		progress_init();
		support_init();
		/* after the last setting: SET ehr.anything_else is an error from here on */
		MarkGUCPrefixReserved("ehr");
	}
}

PG_FUNCTION_INFO_V1(ehr_version);

/* ehr.version() → text: the version of the loaded library */
Datum
ehr_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(EHR_VERSION));
}
