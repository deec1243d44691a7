/*
 * fhir_xhtml.h
 *		Narrative: well-formed XHTML that only formats (R4 narrative.html, txt-1 and txt-2).
 */
#ifndef EHR_FHIR_XHTML_H
#define EHR_FHIR_XHTML_H

#include "core.h"

/* Deepest nesting of elements */
#define FHIR_XHTML_DEPTH_MAX 128

typedef enum FhirXhtmlFault
{
	FHIR_XHTML_FINE = 0,
	FHIR_XHTML_MALFORMED,		/* not well-formed XML, or with a DOCTYPE or a processing instruction */
	FHIR_XHTML_ROOT,			/* the root is not <div> of namespace http://www.w3.org/1999/xhtml */
	FHIR_XHTML_ELEMENT,			/* an element that does not only format */
	FHIR_XHTML_ATTRIBUTE,		/* the same of an attribute */
	FHIR_XHTML_SCRIPT,			/* script: element, event attribute or URL */
	FHIR_XHTML_EMPTY,			/* no text and no image */
	FHIR_XHTML_DEEP
} FhirXhtmlFault;

/*
 * Checks a narrative's div.  No allocation; entities other than XML's five are
 * not defined in FHIR and so not well-formed.
 */
extern FhirXhtmlFault fhir_xhtml_check(const char *text, size_t len);

#endif							/* EHR_FHIR_XHTML_H */
