/*
 * quiet.c
 *		Errors that take no personal data with them (design rule 7).
 */
#include "postgres.h"

#include "commands/copy.h"
#include "commands/copyfrom_internal.h"
#include "utils/elog.h"

#include "compat.h"
#include "quiet.h"

/* where COPY stood when ehr_quiet was last called; 0: not in COPY */
static uint64 copy_line = 0;

void
ehr_quiet(Node *escontext)
{
	ErrorContextCallback *e;

	copy_line = 0;
	if (ehr_error_is_soft(escontext))
		return;
	for (e = error_context_stack; e != NULL; e = e->previous)
	{
		if (e->callback == CopyFromErrorCallback)
		{
			copy_line = ((CopyFromState) e->arg)->cur_lineno;
			break;
		}
	}

	/* whoever catches the error puts back the stack that was there at its PG_TRY */
	error_context_stack = NULL;
}

int
ehr_quiet_context(void)
{
	errhidestmt(true);
	if (copy_line > 0)
		errcontext("COPY, line " UINT64_FORMAT, copy_line);
	return 0;
}
