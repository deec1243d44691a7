/*
 * scan.h
 *		Sequential scans of the store, judged page by page.
 */
#ifndef EHR_SCAN_H
#define EHR_SCAN_H

#include "executor/execdesc.h"

/* Lets the sequential scans of a statement that has just been started judge page by page. */
extern void scan_by_page(QueryDesc *query, int eflags);

#endif							/* EHR_SCAN_H */
