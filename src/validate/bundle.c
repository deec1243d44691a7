/*
 * bundle.c
 *		References between the entries of a Bundle, in linear time but for one sort.
 *
 * R4 bundle.html#references: what a reference leads to is looked for among the
 * fullUrls; a relative one counts from the referring entry's fullUrl where
 * that is a RESTful URL.  A urn: exists nowhere but in its Bundle.
 */
#include "postgres.h"

#include "core/fhir_primitive.h"
#include "fhir/fhir_tree.h"
#include "miscadmin.h"
#include "validate/validate.h"

typedef struct BundleWalk
{
	Validation *v;
	Severity	unresolved_urn;
	bool		document;		/* relative references should resolve too */
	int			entry;
	const char *entry_type;
} BundleWalk;

static bool
begins(const JsonNode *text, const char *prefix)
{
	size_t		len = strlen(prefix);

	return text != NULL && text->kind == NODE_STRING && text->len >= len && memcmp(text->u.text, prefix, len) == 0;
}

/*
 * Cuts `Type/id` off the end of a RESTful URL: its type's number, 0 if it is
 * none; *type_at is where the type begins.
 */
static int
restful_type(const char *url, size_t len, size_t *type_at, size_t *type_len)
{
	size_t		id_at = len;
	size_t		at;

	while (id_at > 0 && url[id_at - 1] != '/')
		id_at--;
	if (id_at < 2)
		return 0;
	at = id_at - 1;
	while (at > 0 && url[at - 1] != '/')
		at--;
	*type_at = at;
	*type_len = id_at - 1 - at;
	return fhir_id_valid(url + id_at, len - id_at) ? fhir_resource_number(url + at, *type_len) : 0;
}

/* Where the part of a reference ends that names the resource: before a fragment, or a version */
static size_t
versionless(const char *reference, size_t len)
{
	static const char history[] = "/_history/";
	const char *hash = memchr(reference, '#', len);

	if (hash != NULL)
		len = hash - reference;
	for (size_t i = 0; i + sizeof(history) - 1 < len; i++)
	{
		if (memcmp(reference + i, history, sizeof(history) - 1) == 0)
			return i;
	}
	return len;
}

/* Sorts the fullUrls once a validation. */
static const BundleUrls *
bundle_urls(Validation *v)
{
	const JsonNode *entries = child_of(v->document, "entry");
	BundleUrls *all = &v->bundle;

	if (all->ready)
		return all;
	all->ready = true;
	if (entries == NULL || entries->kind != NODE_ARRAY || !text_is(child_of(v->document, "resourceType"), "Bundle"))
		return all;
	all->urls = palloc((entries->len * 2 + 1) * sizeof(JsonNode));
	for (uint32 i = 0; i < entries->len; i++)
	{
		const JsonNode *url = child_of(&entries->u.children[i], "fullUrl");
		size_t		type_at,
					type_len;

		if (url == NULL || url->kind != NODE_STRING)
			continue;
		all->urls[all->count].key = url->u.text;
		all->urls[all->count].key_len = url->len;
		all->urls[all->count++].len = i;
		if (restful_type(url->u.text, url->len, &type_at, &type_len) != 0)
		{
			all->urls[all->count].key = url->u.text + type_at;
			all->urls[all->count].key_len = url->len - type_at;
			all->urls[all->count++].len = i;
		}
	}
	json_sort_nodes(all->urls, all->count);
	return all;
}

/* The entry of a URL, or of Type/id; -1: none */
static int
find_entry(Validation *v, const char *url, size_t len)
{
	const BundleUrls *all = bundle_urls(v);
	int			low = 0,
				high = all->count - 1;

	while (low <= high)
	{
		int			mid = (low + high) / 2;
		int			order = fhir_compare(url, len, all->urls[mid].key, all->urls[mid].key_len);

		if (order == 0)
			return (int) all->urls[mid].len;
		if (order < 0)
			high = mid - 1;
		else
			low = mid + 1;
	}
	return -1;
}

const JsonNode *
bundle_resource(Validation *v, const char *reference, size_t len)
{
	int			entry = find_entry(v, reference, versionless(reference, len));

	return entry < 0 ? NULL : child_of(item_of(child_of(v->document, "entry"), entry), "resource");
}

/* bundle.html: "fullUrl SHALL NOT disagree with the id in the resource" */
static void
check_full_url(Validation *v, const JsonNode *entry, int index)
{
	const JsonNode *url = child_of(entry, "fullUrl");
	const JsonNode *resource = child_of(entry, "resource");
	const JsonNode *id = child_of(resource, "id");
	size_t		type_at,
				type_len;
	int			type;
	const char *problem = NULL;

	if (url == NULL || url->kind != NODE_STRING)
		return;
	if (!begins(url, "http:") && !begins(url, "https:") && !begins(url, "urn:"))
		problem = memchr(url->u.text, ':', url->len) == NULL ? "fullUrl is not absolute" : NULL;
	else if (resource != NULL && id != NULL && id->kind == NODE_STRING && !begins(url, "urn:"))
	{
		type = restful_type(url->u.text, url->len, &type_at, &type_len);
		if (type != 0 && (FHIR_RESOURCE_BASE + type != fhir_node_resource_type(resource) ||
						  url->len - type_at - type_len - 1 != id->len ||
						  memcmp(url->u.text + type_at + type_len + 1, id->u.text, id->len) != 0))
			problem = "fullUrl disagrees with type and id of the resource";
	}
	if (problem != NULL)
		add_issue(v, SEVERITY_ERROR, "invalid", "bundle-full-url", problem, NULL, psprintf("Bundle.entry[%d].fullUrl", index));
}

static void
check_one(BundleWalk *w, const JsonNode *reference)
{
	bool		urn = begins(reference, "urn:uuid:") || begins(reference, "urn:oid:");
	size_t		type_at,
				type_len;
	size_t		len = versionless(reference->u.text, reference->len);

	if (len == 0 || find_entry(w->v, reference->u.text, len) >= 0)
		return;
	if (urn)
		add_issue(w->v, w->unresolved_urn, "not-found", "bundle-reference", "no entry of the Bundle has the fullUrl that a urn: reference names",
				  "A urn: is known only inside its Bundle.", psprintf("Bundle.entry[%d].resource", w->entry));
	else if (w->document && restful_type(reference->u.text, len, &type_at, &type_len) != 0 && type_at == 0)
		add_issue(w->v, SEVERITY_INFORMATION, "not-found", "bundle-reference", "the document does not hold what a reference leads to",
				  NULL, psprintf("Bundle.entry[%d].resource", w->entry));
}

/* search.html#entry-mode, http.html#read: what a search finds has an id, what it says of itself is an OperationOutcome. */
static void
check_found(Validation *v, const JsonNode *entry, int index)
{
	const JsonNode *resource = child_of(entry, "resource");
	const JsonNode *mode = child_of(child_of(entry, "search"), "mode");
	bool		outcome = text_is(child_of(resource, "resourceType"), "OperationOutcome");

	if (resource == NULL)
		return;
	if (text_is(mode, "outcome") && !outcome)
		add_issue(v, SEVERITY_ERROR, "invalid", "bundle-search", "what a search says of itself is an OperationOutcome", NULL,
				  psprintf("Bundle.entry[%d].search.mode", index));
	else if (!outcome && child_of(resource, "id") == NULL)
		add_issue(v, SEVERITY_ERROR, "invalid", "bundle-search", "what a search finds has an id", NULL, psprintf("Bundle.entry[%d].resource", index));
}

/* Every "reference" string of a resource; entries' resources hold no Bundles that would count */
static void
walk(BundleWalk *w, const JsonNode *node)
{
	CHECK_FOR_INTERRUPTS();
	if (node->kind != NODE_ARRAY && node->kind != NODE_OBJECT)
		return;
	for (uint32 i = 0; i < node->len && !w->v->full; i++)
	{
		const JsonNode *child = &node->u.children[i];

		if (child->kind == NODE_STRING && child->key_len == 9 && memcmp(child->key, "reference", 9) == 0)
			check_one(w, child);
		else
			walk(w, child);
	}
}

void
check_bundle(Validation *v, const FhirVisit *visit)
{
	static const char *const closed[] = {"document", "message", "transaction", "batch"};
	const JsonNode *entries = child_of(visit->node, "entry");
	const JsonNode *type = child_of(visit->node, "type");
	BundleWalk	w = {v, SEVERITY_WARNING, text_is(type, "document")};

	if (entries == NULL || entries->kind != NODE_ARRAY)
		return;
	for (uint32 i = 0; i < entries->len && !v->full; i++)
	{
		check_full_url(v, &entries->u.children[i], (int) i);
		if (text_is(type, "searchset"))
			check_found(v, &entries->u.children[i], (int) i);
	}
	for (size_t i = 0; i < lengthof(closed); i++)
	{
		if (text_is(type, closed[i]))
			w.unresolved_urn = SEVERITY_ERROR;
	}
	for (uint32 i = 0; i < entries->len && !v->full; i++)
	{
		const JsonNode *resource = child_of(&entries->u.children[i], "resource");

		w.entry = (int) i;
		if (resource != NULL)
			walk(&w, resource);
	}
}
