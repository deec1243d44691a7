/*
 * survive.c
 *		Which statement survives: the total order and the groups.
 */
#include "postgres.h"

#include "merge/merge.h"
#include "miscadmin.h"

int
merge_text_compare(MergeText a, MergeText b)
{
	int			cmp = a.len > 0 && b.len > 0 ? memcmp(a.data, b.data, Min(a.len, b.len)) : 0;

	return cmp != 0 ? cmp : (a.len > b.len) - (a.len < b.len);
}

bool
merge_text_equal(MergeText a, MergeText b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* merge_leaves counts the values in an element: how complete it is. */
int
merge_leaves(MergeElement *element)
{
	if (element->leaves < 0)
		element->leaves = (element->has_value ? json_leaves(&element->value) : 0) +
			(element->has_extra ? json_leaves(&element->extra) : 0);
	return element->leaves;
}

/* The canonical bytes of an element: its JSON name, value and sibling, one a line. */
static MergeText
bytes(MergeElement *element)
{
	if (element->bytes.data == NULL)
	{
		StringInfoData buf;

		initStringInfo(&buf);
		appendBinaryStringInfo(&buf, element->name.data, element->name.len);
		appendStringInfoChar(&buf, '\n');
		if (element->has_value)
			appendStringInfoString(&buf, json_bytes(&element->value).data);
		appendStringInfoChar(&buf, '\n');
		if (element->has_extra)
			appendStringInfoString(&buf, json_bytes(&element->extra).data);
		element->bytes.data = buf.data;
		element->bytes.len = buf.len;
	}
	return element->bytes;
}

/*
 * merge_compare is the total order of survivorship, positive when a is
 * greater: safety class, recency, rank of the source, completeness, source,
 * canonical bytes, and of equal statements the one that stood first.
 */
int
merge_compare(MergeElement *a, MergeElement *b)
{
	int			cmp;

	if (a->class != b->class)
		return a->class > b->class ? 1 : -1;
	if ((cmp = origin_compare_when(&a->origin, &b->origin)) != 0)
		return cmp;
	if (merge_leaves(a) != merge_leaves(b))
		return merge_leaves(a) > merge_leaves(b) ? 1 : -1;
	if ((cmp = origin_compare_source(&a->origin, &b->origin)) != 0)
		return cmp;
	if ((cmp = merge_text_compare(bytes(a), bytes(b))) != 0)
		return cmp;
	return (a->place < b->place) - (a->place > b->place);
}

/* By slot and key; within a group the greatest first. */
static int
compare_groups(const MergeElement *a, const MergeElement *b)
{
	int			cmp;

	if (a->slot_start != b->slot_start)
		return a->slot_start < b->slot_start ? -1 : 1;
	cmp = a->slot.data == b->slot.data ? (a->slot.len > b->slot.len) - (a->slot.len < b->slot.len)
		: merge_text_compare(a->slot, b->slot);
	return cmp != 0 ? cmp : merge_text_compare(a->key, b->key);
}

static int
compare_sorted(const void *pa, const void *pb)
{
	MergeElement *a = *(MergeElement *const *) pa;
	MergeElement *b = *(MergeElement *const *) pb;
	int			cmp = compare_groups(a, b);

	return cmp != 0 ? cmp : merge_compare(b, a);
}

void
merge_sort(MergeElement **elements, int n)
{
	CHECK_FOR_INTERRUPTS();
	qsort(elements, n, sizeof(MergeElement *), compare_sorted);
}

int
merge_group_end(MergeElement **sorted, int n, int start)
{
	int			end = start + 1;

	while (end < n && compare_groups(sorted[start], sorted[end]) == 0)
		end++;
	return end;
}

/* The text of a date; empty where the element has no date, which any date refines. */
static MergeText
date_text(const MergeElement *element)
{
	MergeText	text = {"", 0};

	bool		date = element->rule->classes == NULL || element->class == element->rule->classes[0].class;

	if (date && element->has_value && element->value.type == jbvString)
	{
		text.data = element->value.val.string.val;
		text.len = element->value.val.string.len;
	}
	return text;
}

/* merge_refines: is a's date b's date, told more fully (2001-02 of 2001) or equally so? */
bool
merge_refines(const MergeElement *a, const MergeElement *b)
{
	MergeText	fuller = date_text(a);
	MergeText	date = date_text(b);

	return fuller.len >= date.len && memcmp(fuller.data, date.data, date.len) == 0;
}

/*
 * Dates.  The greatest statement counts, but a compatible fuller one, however
 * old, says more.  Taking that pairwise would depend on the order of merging
 * (the fuller date of an older source may come before the year that it
 * refines), so a date that could yet win is kept: a statement is dropped only
 * when a greater one is at least as full and compatible, or of a higher class.
 */
static int
date_survivors(MergeElement **group, int n)
{
	int			kept = 0;
	int			chosen = 0;

	for (int i = 0; i < n; i++)
	{
		bool		dropped = false;

		for (int k = 0; k < kept && !dropped; k++)
			dropped = group[k]->class > group[i]->class || merge_refines(group[k], group[i]);
		if (!dropped)
			group[kept++] = group[i];
	}
	for (int i = 0; i < kept; i++)
	{
		if (i != chosen && merge_refines(group[i], group[chosen]))
		{
			chosen = i;
			i = -1;				/* perhaps there is one that is fuller still */
		}
	}
	if (chosen > 0)
	{
		MergeElement *first = group[chosen];

		memmove(group + 1, group, sizeof(MergeElement *) * chosen);
		group[0] = first;
	}
	for (int i = 0; i < kept; i++)
		group[i]->alternative = i > 0;
	return kept;
}

/*
 * merge_survivors keeps what survives of a group (sorted, the greatest first)
 * at its start, the statement that counts before its alternatives.
 */
int
merge_survivors(MergeElement **group, int n)
{
	if (group[0]->rule->kind == MERGE_DATE)
		return date_survivors(group, n);
	return 1;
}

/* merge_keep_survivors sorts and keeps the survivors of every group. */
int
merge_keep_survivors(MergeElement **elements, int n)
{
	int			kept = 0;
	int			end;

	merge_sort(elements, n);
	for (int start = 0; start < n; start = end)
	{
		int			survivors;

		end = merge_group_end(elements, n, start);
		survivors = merge_survivors(elements + start, end - start);
		memmove(elements + kept, elements + start, sizeof(MergeElement *) * survivors);
		kept += survivors;
	}
	return kept;
}

/*
 * merge_check_types raises 22023 unless both are resources of one type.  A
 * document in normal form has been checked before.
 */
static void
check_types(MergeText a, MergeText b)
{
	if (!merge_text_equal(a, b))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cannot merge resources of different types"),
				 errdetail("Only resources of one type can state the same thing.")));
}

void
merge_check_types(Jsonb *a, Jsonb *b)
{
	check_types(merge_doc_type(a), merge_doc_type(b));
}

/* Adds what another document says of itself: the smallest id, the greatest origin. */
static void
join_head(MergeDoc *doc, const MergeDoc *other)
{
	if (doc->id.data == NULL || (other->id.data != NULL && merge_text_compare(other->id, doc->id) < 0))
		doc->id = other->id;
	if (origin_compare(&other->origin, &doc->origin) > 0)
		doc->origin = other->origin;
}

/*
 * merge_many merges documents: the union of their elements, and what survives
 * of it.  The result points into them.
 *
 * 22023 when they are of different types, or one is no resource.
 */
MergeDoc *
merge_many(Jsonb **docs, int n)
{
	MergeDoc  **read = palloc(sizeof(MergeDoc *) * n);
	MergeDoc   *doc = palloc0(sizeof(MergeDoc));
	int			nmeta = 0;
	int			nelements = 0;

	for (int i = 0; i < n; i++)
	{
		read[i] = merge_doc_read(docs[i], NULL);
		check_types(read[0]->type, read[i]->type);
		nmeta += read[i]->nmeta;
		nelements += read[i]->nelements;
	}
	*doc = *read[0];
	doc->nmeta = doc->nelements = 0;
	doc->meta = palloc(sizeof(MergeElement *) * (nmeta + 1));
	doc->elements = palloc(sizeof(MergeElement *) * (nelements + 1));
	for (int i = 0; i < n; i++)
	{
		join_head(doc, read[i]);
		memcpy(doc->meta + doc->nmeta, read[i]->meta, sizeof(MergeElement *) * read[i]->nmeta);
		doc->nmeta += read[i]->nmeta;
		memcpy(doc->elements + doc->nelements, read[i]->elements, sizeof(MergeElement *) * read[i]->nelements);
		doc->nelements += read[i]->nelements;
	}
	merge_doc_reduce(doc);
	return doc;
}
