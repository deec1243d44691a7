/*
 * fhir_tree.h
 *		Between jsonb and the core's JSON tree; only used inside room fhir.
 */
#ifndef EHR_FHIR_TREE_H
#define EHR_FHIR_TREE_H

#include "nodes/nodes.h"
#include "utils/jsonb.h"

#include "core/fhir_check.h"
#include "core/json_tree.h"

/* The core's context on PostgreSQL's memory (of the current context) and interrupts. */
extern const CoreContext *fhir_core_context(void);

/*
 * A jsonb as a tree; strings point into the jsonb, which must live as long.
 * CORE_NO_MEMORY, CORE_INTERRUPTED; CORE_TOO_DEEP above JSON_DEPTH_MAX.
 */
extern CoreStatus fhir_tree_from_jsonb(JsonTree *tree, Jsonb *doc);

/*
 * A tree as a jsonb, byte for byte what jsonb_in makes of the same text where
 * no key stands twice (those must have been refused).  NULL: larger than jsonb can be.
 */
extern Jsonb *fhir_tree_to_jsonb(const JsonNode *root);

/*
 * The same of a parsed text, whose nodes are given their places in it (JsonNode.at).
 * NULL also for numbers that a numeric cannot hold.
 */
extern Jsonb *fhir_tree_place(const JsonNode *root);

/*
 * Parses a text.  CORE_INVALID: it is not JSON, see tree->fault.  CORE_TOO_LARGE:
 * a soft error was reported; everything else is raised.
 */
extern CoreStatus fhir_parse_or_fault(JsonTree *tree, const char *text, int len, Node *escontext);

/* Raises what keeps core from a verdict: no memory; an interrupt is served and comes back. */
extern void fhir_raise_core(CoreStatus status);

/* fhir_tree_from_jsonb, raising what goes wrong. */
extern void fhir_tree_or_error(JsonTree *tree, Jsonb *doc);

/* What a fault says, in the current memory context. */
extern char *fhir_fault_text(FhirRule rule, const char *what);

#endif							/* EHR_FHIR_TREE_H */
