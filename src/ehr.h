/*
 * ehr.h
 *		What the rooms share: start-up functions and settings.
 */
#ifndef EHR_H
#define EHR_H

/* true when the library was loaded by shared_preload_libraries */
extern bool ehr_preloaded;

#endif							/* EHR_H */
