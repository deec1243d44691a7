/*
 * image.c
 *		Building the image of a session's rights (rights.h), whole or out of an
 *		older one and what has changed.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "compat.h"
#include "consent/rights.h"

/* An array that grows. */
typedef struct Growing
{
	void	   *items;
	uint32		n;
	uint32		max;
} Growing;

struct RightsLoading
{
	RightsImage head;
	Growing		kept;			/* Subject, taken over from an older image, ascending */
	Growing		fresh;			/* Subject, ascending */
	Growing		rights;			/* Right */
	Growing		type_sets;		/* TypeSet */
	Growing		texts;			/* char */
	char		last_consent[16];
	uint32		last_author;	/* place + 1 of the text added last */
};

static void *
push(Growing *g, uint32 n, Size size)
{
	if (g->n + n < g->n || g->n + n > SUBJECT_INDEX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a session has rights on too many patients")));
	if (g->n + n > g->max)
	{
		uint32		max = Max(Max(g->max * 2, g->n + n), 64);

		g->items = g->items == NULL ? MemoryContextAllocHuge(CurrentMemoryContext, (Size) max * size)
			: repalloc_huge(g->items, (Size) max * size);
		g->max = max;
	}
	g->n += n;
	return (char *) g->items + (Size) (g->n - n) * size;
}

RightsLoading *
rights_loading(const char *sid, const char *org)
{
	RightsLoading *l = palloc0(sizeof(RightsLoading));

	strlcpy(l->head.sid, sid, sizeof(l->head.sid));
	strlcpy(l->head.org, org, sizeof(l->head.org));
	l->head.org_len = strlen(l->head.org);
	l->head.reload_at = DT_NOEND;
	return l;
}

static bool
is_among(const int64 *sorted, int n, int64 wanted)
{
	int			low = 0;

	while (n > 0)
	{
		int			half = n / 2;

		if (sorted[low + half] < wanted)
		{
			low += half + 1;
			n -= half + 1;
		}
		else
			n = half;
	}
	return sorted[low] == wanted;
}

/* Neighbours often have the same rights, residents of a unit all of them: then the last subject's are the ones of the one before. */
static void
share_rights(RightsLoading *l, const Growing *run)
{
	Subject    *last = (Subject *) run->items + run->n - 1;
	const Right *rights = l->rights.items;

	if (run->n < 2 || last[-1].count != last->count ||
		memcmp(&rights[last[-1].first], &rights[last->first], last->count * sizeof(Right)) != 0)
		return;
	last->first = last[-1].first;
	l->rights.n -= last->count;
}

void
rights_keep(RightsLoading *l, const Rights *old, const int64 *persons, int n)
{
	const RightsImage *image = old->image;
	int64	   *sorted = palloc((n + 1) * sizeof(int64));

	memcpy(sorted, persons, n * sizeof(int64));
	sorted[n] = PG_INT64_MAX;	/* so that the search need not look where it ends */
	memcpy(push(&l->type_sets, image->n_type_sets, sizeof(TypeSet)), old->type_sets, image->n_type_sets * sizeof(TypeSet));
	memcpy(push(&l->texts, image->n_texts, 1), old->texts, image->n_texts);
	for (uint32 i = 0; i < image->n_subjects; i++)
	{
		const Subject *s = &old->subjects[i];
		Subject    *copy;

		if (is_among(sorted, n, s->person))
			continue;
		copy = push(&l->kept, 1, sizeof(Subject));
		*copy = *s;
		copy->first = l->rights.n;
		memcpy(push(&l->rights, s->count, sizeof(Right)), old->rights + s->first, s->count * sizeof(Right));
		share_rights(l, &l->kept);
	}
	pfree(sorted);
}

/* number of a type set + 1; few are different */
static uint32
add_types(RightsLoading *l, const TypeSet *types)
{
	TypeSet    *sets = l->type_sets.items;

	if (types == NULL)
		return 0;
	for (uint32 i = 0; i < Min(l->type_sets.n, 256); i++)
		if (memcmp(&sets[i], types, sizeof(TypeSet)) == 0)
			return i + 1;
	memcpy(push(&l->type_sets, 1, sizeof(TypeSet)), types, sizeof(TypeSet));
	return l->type_sets.n;
}

/* place of a text + 1; the same one often comes again at once */
static uint32
add_text(RightsLoading *l, const char *text)
{
	uint32		len;

	if (text == NULL)
		return 0;
	if (l->last_author != 0 && strcmp((char *) l->texts.items + l->last_author - 1, text) == 0)
		return l->last_author;
	len = strlen(text) + 1;
	memcpy(push(&l->texts, len, 1), text, len);
	l->last_author = l->texts.n - len + 1;
	return l->last_author;
}

static void
add_right(RightsLoading *l, const RightRow *row)
{
	Subject    *subjects = l->fresh.items;
	Subject    *s;
	Right	   *right;
	bool		again = l->fresh.n > 0 && subjects[l->fresh.n - 1].subject == row->subject;
	uint32		consent = 1;

	if (!again)
	{
		if (l->fresh.n > 0)
			share_rights(l, &l->fresh);
		s = push(&l->fresh, 1, sizeof(Subject));
		memset(s, 0, sizeof(Subject));
		s->subject = row->subject;
		s->person = row->person;
		s->first = l->rights.n;
	}
	else
	{
		s = &subjects[l->fresh.n - 1];
		consent = ((Right *) l->rights.items)[l->rights.n - 1].consent;
		if (row->consent == NULL || memcmp(l->last_consent, row->consent, 16) != 0)
			consent++;
	}
	if (row->consent != NULL)
		memcpy(l->last_consent, row->consent, 16);
	else
		memset(l->last_consent, 0, 16);
	s->count++;
	right = push(&l->rights, 1, sizeof(Right));
	memset(right, 0, sizeof(Right));
	right->starts = row->starts;
	right->ends = row->ends;
	right->document = row->document;
	right->labels = row->labels;
	right->data_from = row->data_from;
	right->data_until = row->data_until;
	right->types = add_types(l, row->types);
	right->author = add_text(l, row->author);
	right->consent = consent;
	right->depth = row->depth;
	right->deny = row->deny;
}

/* A rule without a subject has no Right that could hold its period: when that begins or ends, all is loaded again. */
static bool
rule_in_force(RightsLoading *l, const RightRow *row, TimestampTz now)
{
	if (row->starts > now)
		l->head.reload_at = Min(l->head.reload_at, row->starts);
	else if (row->ends > now)
		l->head.reload_at = Min(l->head.reload_at, row->ends);
	return row->starts <= now && now < row->ends;
}

void
rights_add(RightsLoading *l, const RightRow *row, TimestampTz now)
{
	if (strcmp(row->relation, "authored") == 0)
		l->head.authored |= rule_in_force(l, row, now) && l->head.org_len > 0;
	else if (strcmp(row->relation, "shared") == 0)
	{
		if (!rule_in_force(l, row, now))
			return;
		l->head.shared = true;
		if (row->types != NULL)
			l->head.shared_types = *row->types;
	}
	else if (row->subject != 0)
		add_right(l, row);
}

/* A grant or denial that asks nothing of a row but its labels. */
static bool
is_of_everything(const Right *right)
{
	return right->types == 0 && right->author == 0 && right->document == 0 &&
		right->data_from == PG_INT32_MIN && right->data_until == PG_INT32_MAX;
}

/*
 * What one look at a subject decides: is there a grant of everything and no
 * denial?  Labels of two grants do not add up to a grant of both, so one grant
 * is taken.  Returns whether a right ended since before.
 */
static bool
judge_subject(RightsImage *image, Subject *s, const Right *rights, TimestampTz before, TimestampTz now)
{
	bool		denied = false;
	bool		ended = false;

	s->granted = s->open = false;
	s->open_labels = 0;
	for (uint32 i = 0; i < s->count; i++)
	{
		const Right *right = &rights[s->first + i];

		if (right->starts > now)
			image->next_change = Min(image->next_change, right->starts);
		else if (right->ends > now)
			image->next_change = Min(image->next_change, right->ends);
		if (right_in_force(right, now) != right_in_force(right, before))
			ended |= right->deny == right_in_force(right, now);
		if (!right_in_force(right, now))
			continue;
		denied |= right->deny;
		s->granted |= !right->deny;
		if (!right->deny && is_of_everything(right) && (!s->open || (s->open_labels & ~right->labels) == 0))
		{
			s->open = true;
			s->open_labels = right->labels;
		}
	}
	s->open &= !denied;
	return ended;
}

static void
set_cell(SubjectCells *cells, const Subject *s)
{
	uint64		cell = subject_cell(cells, s->subject);
	uint64		state = s->open && cells->exact ? CELL_OPEN : CELL_LOOK;
	uint64	   *word = &cells->words[cell / 32];

	if (cells->exact)
		*word &= ~(UINT64CONST(3) << (cell % 32 * 2));
	*word |= state << (cell % 32 * 2);
}

bool
rights_look_at_periods(RightsImage *image, TimestampTz now)
{
	Rights		r;
	TimestampTz before = image->as_of;
	bool		ended = false;

	rights_attach(&r, image);
	image->as_of = now;
	image->next_change = DT_NOEND;
	for (uint32 i = 0; i < image->n_subjects; i++)
	{
		Subject    *s = &r.subjects[i];
		SubjectSlot *slot = &r.slots[subject_place(r.slots, r.mask, s->subject)];

		ended |= judge_subject(image, s, r.rights, before, now);
		slot->subject = s->subject;
		slot->more = i | (s->open ? SUBJECT_OPEN : 0);
		slot->open_labels = s->open_labels;
		set_cell(&r.cells, s);
	}
	return ended;
}

/* Both runs are ascending; where both know a subject the fresh one counts. */
static uint32
merge_subjects(const Growing *kept, const Growing *fresh, Subject *out)
{
	const Subject *a = kept->items;
	const Subject *b = fresh->items;
	uint32		i = 0;
	uint32		j = 0;
	uint32		n = 0;

	while (i < kept->n || j < fresh->n)
	{
		bool		take_fresh = i == kept->n || (j < fresh->n && b[j].subject <= a[i].subject);

		if (take_fresh && i < kept->n && b[j].subject == a[i].subject)
			i++;
		out[n++] = take_fresh ? b[j++] : a[i++];
	}
	return n;
}

/*
 * Cells are exact where they need no more room than the slots would, or
 * little; else there are 16 for each subject.
 */
static void
plan_cells(RightsImage *head, const RightsLoading *l)
{
	const Subject *runs[] = {l->kept.items, l->fresh.items};
	const uint32 n[] = {l->kept.n, l->fresh.n};
	int64		lowest = PG_INT64_MAX;
	int64		highest = 0;

	for (int i = 0; i < 2; i++)
	{
		if (n[i] == 0)
			continue;
		lowest = Min(lowest, runs[i][0].subject);
		highest = Max(highest, runs[i][n[i] - 1].subject);
	}
	head->lowest = lowest;
	if (highest == 0)
		lowest = 1;				/* nobody: no cell */
	head->exact = lowest > 0 && highest - lowest < Max(INT64CONST(128) * (n[0] + n[1]), INT64CONST(1) << 18);
	head->n_cells = head->exact ? highest - lowest + 1 : UINT64CONST(8) * subject_slots(n[0] + n[1]);
}

RightsImage *
rights_finish(RightsLoading *l, MemoryContext context, TimestampTz now)
{
	RightsImage head = l->head;
	RightsImage *image;
	Rights		r;
	uint32		most = l->kept.n + l->fresh.n;

	if (l->fresh.n > 0)
		share_rights(l, &l->fresh);
	head.mask = subject_slots(most) - 1;
	head.n_rights = l->rights.n;
	head.n_type_sets = l->type_sets.n;
	head.n_texts = l->texts.n;
	head.as_of = now;
	plan_cells(&head, l);
	head.at_cells = CACHELINEALIGN(sizeof(RightsImage));
	head.at_slots = add_size(head.at_cells, CACHELINEALIGN(mul_size(head.n_cells / 32 + 1, sizeof(uint64))));
	head.at_subjects = add_size(head.at_slots, mul_size(head.mask + (Size) 1, sizeof(SubjectSlot)));
	head.at_rights = add_size(head.at_subjects, mul_size(most, sizeof(Subject)));
	head.at_type_sets = add_size(head.at_rights, mul_size(head.n_rights, sizeof(Right)));
	head.at_texts = add_size(head.at_type_sets, mul_size(head.n_type_sets, sizeof(TypeSet)));
	head.size = add_size(head.at_texts, head.n_texts);

	image = MemoryContextAllocExtended(context, head.size, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	*image = head;
	rights_attach(&r, image);
	image->n_subjects = merge_subjects(&l->kept, &l->fresh, r.subjects);
	if (l->rights.n > 0)
		memcpy(r.rights, l->rights.items, l->rights.n * sizeof(Right));
	if (l->type_sets.n > 0)
		memcpy(r.type_sets, l->type_sets.items, l->type_sets.n * sizeof(TypeSet));
	if (l->texts.n > 0)
		memcpy(r.texts, l->texts.items, l->texts.n);
	(void) rights_look_at_periods(image, now);
	return image;
}

void
rights_attach(Rights *r, RightsImage *image)
{
	char	   *base = (char *) image;

	r->image = image;
	r->cells.words = (uint64 *) (base + image->at_cells);
	r->cells.lowest = image->lowest;
	r->cells.n = image->n_cells;
	r->cells.exact = image->exact;
	r->slots = (SubjectSlot *) (base + image->at_slots);
	r->mask = image->mask;
	r->subjects = (Subject *) (base + image->at_subjects);
	r->rights = (Right *) (base + image->at_rights);
	r->type_sets = (TypeSet *) (base + image->at_type_sets);
	r->texts = base + image->at_texts;
}

/* ---- comparing ---- */

static const char *
author_of(const Rights *r, const Right *right)
{
	return right->author == 0 ? "" : r->texts + right->author - 1;
}

static bool
same_rights(const Rights *a, const Subject *x, const Rights *b, const Subject *y)
{
	if (x->count != y->count)
		return false;
	for (uint32 i = 0; i < x->count; i++)
	{
		const Right *p = &a->rights[x->first + i];
		const Right *q = &b->rights[y->first + i];
		Right		r = *p;
		Right		s = *q;

		if (strcmp(author_of(a, p), author_of(b, q)) != 0 || (p->types == 0) != (q->types == 0) ||
			(i > 0 && (p->consent == p[-1].consent) != (q->consent == q[-1].consent)) ||
			(p->types != 0 && memcmp(&a->type_sets[p->types - 1], &b->type_sets[q->types - 1], sizeof(TypeSet)) != 0))
			return false;
		/* numbers differ between images; what they mean was compared */
		r.author = s.author = r.types = s.types = r.consent = s.consent = 0;
		if (memcmp(&r, &s, sizeof(Right)) != 0)
			return false;
	}
	return true;
}

bool
rights_lost(const Rights *old, const Rights *new)
{
	const RightsImage *a = old->image;
	const RightsImage *b = new->image;
	uint32		j = 0;

	if (strcmp(a->sid, b->sid) != 0 || (a->authored && !b->authored) ||
		memcmp(&a->shared_types, &b->shared_types, sizeof(TypeSet)) != 0)
		return true;
	for (uint32 i = 0; i < a->n_subjects; i++)
	{
		const Subject *before = &old->subjects[i];
		const Subject *after;

		if (!before->granted)
			continue;
		while (j < b->n_subjects && new->subjects[j].subject < before->subject)
			j++;
		if (j == b->n_subjects || new->subjects[j].subject != before->subject)
			return true;
		after = &new->subjects[j];
		if (!same_rights(old, before, new, after) && !(after->open && after->open_labels == -1))
			return true;
	}
	return false;
}
