/*
 * quiet.h
 *		Errors that take no personal data with them.
 */
#ifndef EHR_QUIET_H
#define EHR_QUIET_H

#include "nodes/nodes.h"

/*
 * Call before raising an error about a value that came from outside.  The
 * lines that PostgreSQL adds to an error (CONTEXT of COPY, of a PL/pgSQL
 * statement, of bound parameters; the excerpt of the statement with a caret)
 * would print the value: they are left out of this error.  COPY's line number
 * is kept: ehr_quiet_context() prints it.  Does nothing where the error will
 * be soft (escontext), since nothing is printed then.
 *
 * Used as
 *		ehr_quiet(escontext);
 *		ehr_ereturn(escontext, NULL, (errcode(...), errmsg(...), ehr_quiet_context()));
 */
extern void ehr_quiet(Node *escontext);

/* For the argument list of ereport: hides the statement and names COPY's line. */
extern int	ehr_quiet_context(void);

#endif							/* EHR_QUIET_H */
