/*
 * progress.h
 *		What long work is at: shown to others while its transaction still runs.
 */
#ifndef EHR_PROGRESS_H
#define EHR_PROGRESS_H

/* Takes shared memory; from _PG_init when the library is preloaded. */
extern void progress_init(void);

/*
 * Begins a phase of this process's work, or says how far it is.  Names are
 * literals without personal data.  Costs nothing worth counting; without
 * preloading nobody sees it.  An error or the end of the process ends it too.
 */
extern void progress_begin(const char *work, const char *phase, int64 total);
extern void progress_at(int64 done);
extern void progress_end(void);

#endif							/* EHR_PROGRESS_H */
