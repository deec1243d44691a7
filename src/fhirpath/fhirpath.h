/*
 * fhirpath.h
 *		What room fhirpath gives to the other rooms: the SQL type, and running its values from C.
 *
 * A value of type fhirpath is a varlena of
 *
 *	varlena header (4) | FhirPath (core/fhirpath_program.h)
 *
 * The first byte of FhirPath is the version of the form (1); names of
 * elements, functions and types stand in it as text, so that another version
 * of the model reads it.
 */
#ifndef EHR_FHIRPATH_ROOM_H
#define EHR_FHIRPATH_ROOM_H

#include "fmgr.h"
#include "utils/jsonb.h"

#include "core/fhirpath.h"

/* Steps of an expression in the stable functions (setting ehr.fhirpath_step_limit) */
extern int	fhirpath_step_limit;

/* Declares the setting; called once by _PG_init. */
extern void fhirpath_init(void);

/*
 * A parsed expression out of text, in the current memory context.  Raises
 * 42601 (syntax), 42883 (no such function), 42704 (no such type) and so on, see
 * doc/fhirpath.md.
 */
extern FhirPath *fhirpath_from_text(const char *text, size_t len, Node *escontext);

/* The body of a Datum of type fhirpath, detoasted. */
extern const FhirPath *fhirpath_of_datum(Datum datum);

/* A plan in the current memory context; raises what only shows when it is bound. */
extern FhirPathPlan *fhirpath_plan_or_error(const FhirPath *path);

/* Raises what fhirpath_each and its kin returned; returns for CORE_OK. False where it was CORE_INTERRUPTED and served: begin again. */
extern bool fhirpath_check_status(FhirPathEval *ev, CoreStatus status);

/*
 * The root container of a jsonb Datum.  A compressed or external value is
 * detoasted once, however many expressions ask for it one after the other:
 * the last one is kept until the transaction ends.  The result lives until the
 * next call, so its items must be copied before that.
 */
extern const JsonbContainer *fhirpath_document_of(Datum datum, uint32 *size);

/*
 * At least the first `want` bytes of the root container of a jsonb Datum that
 * is compressed or external, and kept as fhirpath_document_of keeps it; all
 * that is there: *have of *total bytes.  NULL where the whole is as cheap:
 * where it lies open, is small, or was detoasted just before.
 */
extern const void *fhirpath_document_prefix(Datum datum, Size want, Size *have, Size *total);

/* Items as Datums in the current memory context; NULL where an item has no value of that kind. */
extern Jsonb *fhirpath_item_jsonb(FhirPathEval *ev, const FpItem *item);
extern text *fhirpath_item_pg_text(FhirPathEval *ev, const FpItem *item);
extern bool fhirpath_item_numeric(const FpItem *item, Datum *result);
extern bool fhirpath_item_boolean(const FpItem *item, bool *result);
extern bool fhirpath_item_date(const FpItem *item, Datum *result);
extern bool fhirpath_item_timestamptz(const FpItem *item, Datum *result);

/* The `vars` argument as variables of an evaluation, in the current memory context. */
extern void fhirpath_read_variables(const Jsonb *vars, FhirPathInput *input);

/*
 * What other rooms know: memberOf, conformsTo (room validate) and resolve
 * (room store), set when the library is loaded.  A NULL is not offered.
 */
extern FhirPathHost fhirpath_host;

/* fhirpath_host as one caller offers it to the core */
typedef struct FhirPathAsk
{
	FhirPathHost host;
	MemoryContext memory;		/* for an error that waits */
	ErrorData  *raised;
} FhirPathAsk;

/* Lets evaluations with this input ask other rooms; `ask` is all zero at first and lives as long as the input. */
extern void fhirpath_offer_rooms(FhirPathAsk *ask, FhirPathInput *input, MemoryContext memory);

/* After each evaluation: raises what another room raised in it. */
extern void fhirpath_raise_rooms(FhirPathAsk *ask);

/* now() of this input: the transaction's time in the session's zone. */
extern void fhirpath_set_clock(FhirPathInput *input);

#endif							/* EHR_FHIRPATH_ROOM_H */
