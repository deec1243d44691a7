/*
 * consent_tree.h
 *		A FHIR R4 Consent in a compact form, and the decision that it makes about
 *		a request (doc/consent.md, "FHIR Consent": the algorithm in words).
 *
 * Each criterion of a provision is answered with yes, no or unknown.  A permit
 * matches when all its criteria say yes; a denial matches unless one says no:
 * what is not known closes, whichever way.  Of the provisions that match, with
 * all around them, the deepest decides; of two as deep, the denial.
 *
 * The form, integers big-endian:
 *
 *   form      version 1 byte (CONSENT_FORM) | nodes 2 bytes | node...
 *   node      size 4 bytes: of the node without those below it
 *             below 2 bytes: how many nodes below it follow (preorder)
 *             decision 1 byte: ConsentDecision
 *             parts 2 bytes: which of the criteria follow, bits CONSENT_HAS_...
 *             criterion... in the order of the bits
 *   period    from 8 bytes | to 8 bytes: microseconds since 1970 UTC, half open
 *   list      unknown 1 byte: whether there were entries that are not understood
 *             count 2 bytes | entry...
 *   recipient kind text | name text		kind: empty for any kind of principal
 *   author    name text
 *   action, purpose    text
 *   labels    mask 4 bytes | flags 1 byte: 1 unknown entries, 2 also rows without labels
 *   class     list of type numbers, 2 bytes each
 *   code      list of text: system|code
 *   data      list of: meaning 1 byte | name text
 *   text      length 2 bytes | bytes
 */
#ifndef EHR_CONSENT_TREE_H
#define EHR_CONSENT_TREE_H

#include "core.h"
#include "json_tree.h"

#define CONSENT_FORM		1
#define CONSENT_DEPTH_MAX	8	/* provisions within one another */
#define CONSENT_NODE_MAX	256
#define CONSENT_HEADER		3	/* bytes before the first node */

/* A day or month without zone is one in Vietnam, which has had no other time since 1975. */
#define CONSENT_ZONE_MINUTES	420

#define CONSENT_NEVER		INT64_MAX
#define CONSENT_EVER		INT64_MIN

typedef enum ConsentDecision
{
	CONSENT_NONE = 0,			/* the document says nothing about the request */
	CONSENT_PERMIT = 1,
	CONSENT_DENY = 2
} ConsentDecision;

enum
{
	CONSENT_HAS_UNKNOWN = 1,	/* elements that are not understood; no bytes */
	CONSENT_HAS_PERIOD = 2,
	CONSENT_HAS_RECIPIENT = 4,
	CONSENT_HAS_ACTION = 8,
	CONSENT_HAS_PURPOSE = 16,
	/* these say something about the row, those above about who asks and when */
	CONSENT_HAS_LABELS = 32,
	CONSENT_HAS_CLASS = 64,
	CONSENT_HAS_AUTHOR = 128,
	/* and these about what stands in its document */
	CONSENT_HAS_CODE = 256,
	CONSENT_HAS_DATA_PERIOD = 512,
	CONSENT_HAS_DATA = 1024
};

typedef enum ConsentMeaning
{
	CONSENT_INSTANCE = 1,		/* that resource */
	CONSENT_RELATED,			/* and those that it refers to */
	CONSENT_DEPENDENTS,			/* and those that refer to it */
	CONSENT_AUTHORED_BY			/* those by that author */
} ConsentMeaning;

typedef struct ConsentText
{
	const char *text;
	size_t		len;
} ConsentText;

typedef struct ConsentTexts
{
	const ConsentText *item;
	size_t		count;
	bool		known;			/* false: nobody can say what they are */
} ConsentTexts;

/*
 * A request.  Whatever is not known is left zero.  need_document is called at
 * most once, before the first look at what only the document tells (below it
 * in the struct); it may fill that in.
 */
typedef struct ConsentRequest
{
	int64_t		now;			/* microseconds since 1970 UTC */
	ConsentTexts actors;		/* names of who asks: Practitioner/x, Organization/y and all above it */
	ConsentTexts kinds;			/* kinds of principal */
	ConsentText action;			/* text NULL: not known */
	ConsentText purpose;
	int32_t		labels;			/* sensitivity labels of the data */
	bool		labels_known;
	int			type;			/* number of the resource type, 0: not known */
	ConsentText author;			/* one author of the data that is known without the document */
	void		(*need_document) (struct ConsentRequest *request);
	void	   *arg;
	/* what the document tells */
	ConsentText self;			/* Type/id */
	ConsentTexts codes;			/* system|code */
	ConsentTexts authors;
	ConsentTexts refers;		/* what it refers to */
	ConsentTexts referred_by;
	int64_t		data_from;		/* when the data is from: known if before data_to */
	int64_t		data_to;
} ConsentRequest;

/*
 * Reads a request from an object: now (microseconds, a number), actors, kinds,
 * codes, authors, refers, referred_by (lists of strings), action, purpose,
 * type, self (strings), labels (a number), data (an object of start and end,
 * FHIR dates).  What is absent or of another kind is not known.  The lists are
 * the tree's memory.
 */
extern CoreStatus consent_request_read(JsonTree *tree, const JsonNode *object, ConsentRequest *request);

typedef struct ConsentVerdict
{
	ConsentDecision decision;
	int			node;			/* place of the provision that decided, in preorder from 0; -1: none */
	int			depth;			/* 1 for the root */
} ConsentVerdict;

/* Why a Consent was refused */
typedef struct ConsentFault
{
	char		path[160];		/* Consent.provision.provision[2] */
	const char *rule;
} ConsentFault;

typedef struct ConsentForm
{
	uint8_t    *bytes;
	size_t		len;
} ConsentForm;

/*
 * Compiles a Consent.  `vocabulary` says which codes are understood and what
 * they mean: an object of the objects role, action, purpose, securityLabel and
 * policy, whose keys are system|code, and whose values are, as strings: of a
 * role `recipient`, `author` or a kind of principal; of an action or purpose
 * its canonical name; of a label the number of its bit, `*` for all or `normal`
 * for data without labels; of a policy `deny`.
 *
 * CORE_INVALID: the tree breaks a rule, see fault.  CORE_TOO_LARGE: a text or
 * list above 65,535.  The form is the caller's to free by cx.
 */
extern CoreStatus consent_compile(const CoreContext *cx, const JsonNode *consent, const JsonNode *vocabulary,
								  ConsentForm *form, ConsentFault *fault);

/*
 * What the Consent decides.  CORE_INVALID: the bytes are no form of this
 * version (nothing outside of them is read), and the verdict is a denial.
 */
extern CoreStatus consent_decide(const uint8_t *form, size_t len, ConsentRequest *request, ConsentVerdict *verdict);

/*
 * Whether one provision bears on a row: what it and those around it say about
 * rows and their documents, with everything about who asks and when taken as
 * given.  CORE_INVALID: no form, or no such node.
 */
extern CoreStatus consent_covers_row(const uint8_t *form, size_t len, int node, ConsentRequest *request, bool *result);

/* A provision as it stands in a form; its criteria are read with ConsentPart. */
typedef struct ConsentProvision
{
	int			node;
	int			depth;			/* 1 for the root */
	ConsentDecision decision;
	unsigned	parts;
	const uint8_t *criteria;
	size_t		criteria_len;
} ConsentProvision;

/* All provisions in preorder. */
extern CoreStatus consent_provisions(const uint8_t *form, size_t len,
									 void (*found) (void *arg, const ConsentProvision *provision), void *arg);

/*
 * To read the criteria one after the other: set parts, at and end from a
 * provision, the rest to zero.  All entries of a list must be read before the
 * next part is asked for.
 */
typedef struct ConsentPart
{
	unsigned	parts;
	const uint8_t *at;
	const uint8_t *end;
	unsigned	part;			/* CONSENT_HAS_... */
	bool		unknown;		/* with entries that are not understood */
	unsigned	left;			/* entries still to be read */
	int64_t		from;
	int64_t		to;
	uint32_t	labels;
	bool		normal;			/* also rows without labels */
} ConsentPart;

typedef struct ConsentEntry
{
	ConsentText kind;			/* of a recipient */
	ConsentText text;
	int			number;			/* type, meaning */
} ConsentEntry;

extern bool consent_next_part(ConsentPart *part);
extern bool consent_next_entry(ConsentPart *part, ConsentEntry *entry);

/*
 * First and last moment (half open) of a FHIR date or dateTime; false if it is
 * none.  The last one is as long as what was given: a day, a second.
 */
extern bool consent_moment(const char *text, size_t len, int64_t *from, int64_t *to);

#endif							/* EHR_CONSENT_TREE_H */
