/*
 * claims_xml.h
 *		Reading of claims XML (QD 130/4750/3176): well-formed, bounded, to leaves.
 *
 * A claims file is an envelope (GIAMDINHHS) of dossiers (HOSO) of inner files
 * (FILEHOSO), each a base64 text of another XML document.  Both levels are
 * read by the same function: it turns a document into its leaves, that is the
 * elements that carry text and no child element, in order, each with its line,
 * its path and the number of the group (dossier, file, record) it lies in.
 *
 * Input is hostile until shown otherwise: a DOCTYPE is refused, so no entity
 * can be declared; depth, names, texts and the number of leaves are limited;
 * nothing is ever fetched.
 */
#ifndef EHR_CLAIMS_XML_H
#define EHR_CLAIMS_XML_H

#include "core.h"

#define CLAIMS_XML_LEVELS		2	/* groups nest at most this deep */
#define CLAIMS_XML_MAX_DEPTH	32	/* elements nest at most this deep */
#define CLAIMS_XML_MAX_NAME		256 /* bytes of an element's name */
#define CLAIMS_XML_MAX_LEAVES	5000000
#define CLAIMS_XML_MAX_TEXT		(1024 * 1024)	/* bytes of one element of an inner file */
#define CLAIMS_XML_MAX_FILE		(64 * 1024 * 1024)	/* bytes of one inner file, base64 */

typedef enum ClaimsXmlRule
{
	CLAIMS_XML_FINE = 0,
	CLAIMS_XML_EMPTY,			/* nothing but white space */
	CLAIMS_XML_NOT_WELL_FORMED, /* bytes that are not UTF-8 too */
	CLAIMS_XML_ENCODING,		/* a declared encoding that is unknown or not that of the bytes */
	CLAIMS_XML_DOCTYPE,			/* a document type declaration */
	CLAIMS_XML_DEPTH,
	CLAIMS_XML_SIZE,			/* a name, a text or the number of leaves above its limit */
	CLAIMS_XML_NOT_BASE64
} ClaimsXmlRule;

typedef struct ClaimsXmlLeaf
{
	const char *path;			/* names below the innermost group (else the root), joined by '/' */
	const char *text;			/* UTF-8, NUL-terminated, never only white space */
	size_t		text_len;
	int			line;			/* of the start tag */
	int			group[CLAIMS_XML_LEVELS];	/* from 1; 0 = not in such a group */
} ClaimsXmlLeaf;

typedef struct ClaimsXmlGroup
{
	int			index[CLAIMS_XML_LEVELS];	/* as in the leaves inside; 0 below its own level */
	int			line;
	int64_t		from;			/* bytes of the document: [from, to) */
	int64_t		to;
} ClaimsXmlGroup;

typedef struct ClaimsXmlDoc
{
	/* what was read; valid after CORE_OK only */
	const char *root;
	ClaimsXmlLeaf *leaves;
	size_t		nleaves;
	ClaimsXmlGroup *groups;		/* in order of their end */
	size_t		ngroups;
	bool		bom;			/* the document began with a byte order mark */
	int			attributes;		/* attributes other than namespaces, which nothing reads */
	int			mixed;			/* texts beside child elements, which nothing reads */

	/* why not; valid after CORE_INVALID, CORE_TOO_DEEP, CORE_TOO_LARGE */
	ClaimsXmlRule rule;
	int			line;

	struct ClaimsXmlBlock *blocks;	/* memory of all of the above */
} ClaimsXmlDoc;

/*
 * claims_xml_read reads the document in data.  group_names (may hold NULLs)
 * names the elements that open a group: [0] anywhere, [1] inside of [0].
 * No text may be longer than max_text bytes.
 *
 * CORE_OK fills doc, to be released with claims_xml_free; any other status
 * leaves only rule and line in doc.  CORE_INVALID: not well-formed, a DOCTYPE,
 * bad bytes; CORE_TOO_DEEP and CORE_TOO_LARGE: the limits above.
 */
extern CoreStatus claims_xml_read(const CoreContext *cx, const char *data, size_t len,
								  const char *const group_names[CLAIMS_XML_LEVELS],
								  size_t max_text, ClaimsXmlDoc *doc);

extern void claims_xml_free(const CoreContext *cx, ClaimsXmlDoc *doc);

/*
 * claims_xml_base64 decodes text (white space in it is skipped) into *out,
 * which the caller frees with cx->free.  CORE_INVALID: not base64.
 */
extern CoreStatus claims_xml_base64(const CoreContext *cx, const char *text, size_t len,
									char **out, size_t *out_len);

/* the rule's name for people: "not-well-formed" */
extern const char *claims_xml_rule_name(ClaimsXmlRule rule);

#endif							/* EHR_CLAIMS_XML_H */
