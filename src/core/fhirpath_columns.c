/*
 * fhirpath_columns.c
 *		Many plain paths of one focus in one walk: see fhirpath_columns.h.
 */
#include "fhirpath_columns.h"

#include "fhir_primitive.h"
#include "fhirpath_eval.h"

#define PICK_ALL	(-1)

/* One key below its parent; nodes stand in the order of their parents, the children of one by key. */
typedef struct ColumnNode
{
	const char *key;
	uint64_t	head;			/* see head_of */
	uint32_t	len;
	uint16_t	type;			/* of what it finds, 0: not known */
	int64_t		pick;			/* which of all that it finds, PICK_ALL: all */
	int			children;		/* the first of them */
	int			child_count;
	int			paths;			/* the first path that ends here, -1: none; see next_path */
	uint32_t	longest;		/* key of a child */
} ColumnNode;

struct FhirPathColumns
{
	CoreContext cx;
	int			path_count;
	int			node_count;
	bool		picks;			/* some node picks */
	ColumnNode *nodes;			/* the first is the focus */
	int64_t    *seen;			/* by node, of those that pick: what this walk has found */
	int		   *next_path;		/* by path: another one that ends at the same node, -1: none; -2: not in the tree */
};

/*
 * The first eight bytes of a key as a number, so that numbers of keys of one
 * length stand in their order; last: eight bytes can be read up to there.
 */
static inline uint64_t
head_of(const char *key, uint32_t len, const char *last)
{
	uint64_t	word = 0;

	if (key <= last)
		word = bytes_load(key);
	else if (len > 0)
		memcpy(&word, key, len < 8 ? len : 8);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	return len >= 8 ? word : len == 0 ? 0 : word & (UINT64_MAX << (64 - 8 * len));
}

/* -- making ----------------------------------------------------------------- */

/* A path taken apart: steps from the focus, of which some are followed by a pick */
typedef struct PlainStep
{
	const char *key;
	uint32_t	len;
	uint16_t	type;
	int64_t		pick;
} PlainStep;

#define PLAIN_STEPS 32

typedef struct Plain
{
	int			count;
	int			type;			/* of the items so far */
	PlainStep	steps[PLAIN_STEPS];
} Plain;

static bool
add_step(Plain *plain, const FpStep *planned)
{
	FpStep		step = *planned;
	PlainStep  *mine = &plain->steps[plain->count];

	/* what the model does not know, or only the document says, is found by the evaluator */
	if (plain->type == 0 || (fhir_types[plain->type].kind & FHIR_KIND_ABSTRACT) != 0 || plain->type <= FHIR_XHTML)
		return false;
	fp_step_look_up(&step, plain->type);
	if (step.is_type)
		return true;
	if (step.how != FP_STEP_PLAIN || step.filter || plain->count == PLAIN_STEPS || step.key_len == 0 || step.key_twin[1] == '_')
		return false;
	*mine = (PlainStep) {step.key_twin + 1, step.key_len, step.type, PICK_ALL};
	plain->type = step.type;
	plain->count++;
	return true;
}

static bool
add_pick(Plain *plain, int64_t pick)
{
	PlainStep  *last = plain->count == 0 ? NULL : &plain->steps[plain->count - 1];

	if (last == NULL || last->pick != PICK_ALL || pick < 0)
		return false;
	last->pick = pick;
	return true;
}

static bool
take_apart(const FpExec *x, Plain *plain)
{
	int64_t		pick;

	if (x->run == fp_walk)
	{
		if (x->input != NULL && !take_apart(x->input, plain))
			return false;
		for (int i = 0; i < x->step_count; i++)
		{
			if (!add_step(plain, &x->steps[i]))
				return false;
		}
		return true;
	}
	if (fp_is_first(x))
		return x->input != NULL && take_apart(x->input, plain) && add_pick(plain, 0);
	return fp_is_index(x, &pick) && take_apart(x->args[0], plain) && add_pick(plain, pick);
}

static int
compare_steps(const PlainStep *a, const PlainStep *b)
{
	int			c = bytes_key_order(a->key, a->len, b->key, b->len);

	return c != 0 ? c : (a->pick > b->pick) - (a->pick < b->pick);
}

/* Paths in the order of their steps, a shorter one before those that go on */
static int
compare_plain(const Plain *a, const Plain *b)
{
	for (int i = 0; i < a->count && i < b->count; i++)
	{
		int			c = compare_steps(&a->steps[i], &b->steps[i]);

		if (c != 0)
			return c;
	}
	return (a->count > b->count) - (a->count < b->count);
}

/* How many steps two paths begin with in common */
static int
common_steps(const Plain *a, const Plain *b)
{
	int			n = 0;

	while (n < a->count && n < b->count && compare_steps(&a->steps[n], &b->steps[n]) == 0)
		n++;
	return n;
}

/*
 * The nodes of one level below each node of the level before: the paths stand
 * sorted, so those of a parent stand together and so do its children.
 */
static void
make_level(FhirPathColumns *c, const Plain *plain, const int *order, int count, int level, int *at)
{
	const Plain *before = NULL;

	for (int i = 0; i < count; i++)
	{
		const Plain *p = &plain[order[i]];
		const PlainStep *step = &p->steps[level];
		ColumnNode *parent,
				   *node;

		if (p->count <= level)
			continue;
		if (before == NULL || common_steps(before, p) <= level)
		{
			parent = &c->nodes[at[order[i]]];
			if (parent->child_count++ == 0)
				parent->children = c->node_count;
			if (step->len > parent->longest)
				parent->longest = step->len;
			node = &c->nodes[c->node_count++];
			*node = (ColumnNode) {.key = step->key, .head = head_of(step->key, step->len, NULL), .len = step->len, .type = step->type, .pick = step->pick, .paths = -1};
			c->picks = c->picks || step->pick != PICK_ALL;
		}
		before = p;
		at[order[i]] = c->node_count - 1;
		if (p->count == level + 1)
		{
			node = &c->nodes[c->node_count - 1];
			c->next_path[order[i]] = node->paths;
			node->paths = order[i];
		}
	}
}

static void
make_tree(FhirPathColumns *c, const Plain *plain, int *order, int *at)
{
	int			count = 0;
	int			levels = 0;

	for (int i = 0; i < c->path_count; i++)
	{
		int			place = count;

		at[i] = 0;
		if (plain[i].count == 0)
			continue;
		for (; place > 0 && compare_plain(&plain[order[place - 1]], &plain[i]) > 0; place--)
			order[place] = order[place - 1];
		order[place] = i;
		count++;
		if (plain[i].count > levels)
			levels = plain[i].count;
	}
	c->nodes[0] = (ColumnNode) {.paths = -1, .pick = PICK_ALL};
	c->node_count = 1;
	for (int level = 0; level < levels; level++)
		make_level(c, plain, order, count, level, at);
}

static bool
make_room(FhirPathColumns *c, int nodes)
{
	c->nodes = c->cx.alloc(c->cx.arg, sizeof(ColumnNode) * (size_t) nodes);
	c->seen = c->cx.alloc(c->cx.arg, sizeof(int64_t) * (size_t) nodes);
	c->next_path = c->cx.alloc(c->cx.arg, sizeof(int) * ((size_t) c->path_count + 1));
	return c->nodes != NULL && c->seen != NULL && c->next_path != NULL;
}

static void
free_one(const CoreContext *cx, void *ptr)
{
	if (ptr != NULL)
		cx->free(cx->arg, ptr);
}

void
fhirpath_columns_free(FhirPathColumns *c)
{
	free_one(&c->cx, c->nodes);
	free_one(&c->cx, c->seen);
	free_one(&c->cx, c->next_path);
	c->cx.free(c->cx.arg, c);
}

CoreStatus
fhirpath_columns(const CoreContext *cx, const FhirPathPlan *const *plans, int count, int type, FhirPathColumns **columns)
{
	FhirPathColumns *c = cx->alloc(cx->arg, sizeof(FhirPathColumns));
	Plain	   *plain = cx->alloc(cx->arg, sizeof(Plain) * ((size_t) count + 1));
	int		   *order = cx->alloc(cx->arg, sizeof(int) * 2 * ((size_t) count + 1));
	int			steps = 1;
	CoreStatus	status = CORE_NO_MEMORY;

	*columns = NULL;
	if (c != NULL)
		*c = (FhirPathColumns) {.cx = *cx, .path_count = count};
	if (c == NULL || plain == NULL || order == NULL)
		goto done;
	for (int i = 0; i < count; i++)
	{
		plain[i].count = 0;
		plain[i].type = type;
		if (plans[i] == NULL || plans[i]->slots > 0 || !take_apart(plans[i]->root, &plain[i]))
			plain[i].count = 0;
		steps += plain[i].count;
	}
	if (!make_room(c, steps))
		goto done;
	for (int i = 0; i < count; i++)
		c->next_path[i] = plain[i].count == 0 ? -2 : -1;
	make_tree(c, plain, order, order + count + 1);
	status = CORE_OK;
	if (c->node_count > 1)
	{
		*columns = c;
		c = NULL;
	}
done:
	if (c != NULL)
		fhirpath_columns_free(c);
	free_one(cx, plain);
	free_one(cx, order);
	return status;
}

bool
fhirpath_columns_has(const FhirPathColumns *c, int path)
{
	return c->next_path[path] != -2;
}

/* -- walking ---------------------------------------------------------------- */

typedef struct Walk
{
	FhirPathColumns *c;
	FhirPathFound *found;
	FhirPathMore more;
	void	   *arg;
	const char *last;			/* of the document: eight bytes can be read from here */
} Walk;

static bool walk_object(Walk *w, const ColumnNode *node, const JbContainer *object);

static bool
take_item(Walk *w, const ColumnNode *node, const JbValue *value)
{
	/* null holds its place in an array beside siblings only, and there are none */
	if (value->type == JB_T_NULL)
		return true;
	if (node->pick != PICK_ALL && w->c->seen[node - w->c->nodes]++ != node->pick)
		return true;
	for (int path = node->paths; path >= 0; path = w->c->next_path[path])
	{
		FhirPathFound *found = &w->found[path];
		FpItem		another;
		FpItem	   *item = found->count++ == 0 ? &found->item : &another;

		/* member by member where it stays: a copy of what was just written would have to wait for it */
		item->kind = FP_NODE;
		item->json = (uint8_t) value->type;
		item->type = node->type;
		item->len = value->len;
		item->u.text = value->ptr;
		item->twin = NULL;
		if (item == &another && !w->more(w->arg, path, item))
			return false;
	}
	if (node->child_count > 0 && value->type == JB_T_CONTAINER && jb_is_object((const JbContainer *) value->ptr))
		return walk_object(w, node, (const JbContainer *) value->ptr);
	return true;
}

static bool
take_value(Walk *w, const ColumnNode *node, const JbValue *value)
{
	JbIter		it;
	JbValue		one;

	if (value->type != JB_T_CONTAINER || !jb_is_array((const JbContainer *) value->ptr))
		return take_item(w, node, value);
	jb_iter_start(&it, (const JbContainer *) value->ptr);
	while (jb_iter_next(&it, &one))
	{
		if (!take_item(w, node, &one))
			return false;
		/* what it picks comes once in a walk */
		if (node->pick != PICK_ALL && w->c->seen[node - w->c->nodes] > node->pick)
			break;
	}
	return true;
}

/* The order of a wanted key and one of the object of the same length */
static inline int
key_order(const ColumnNode *wanted, uint64_t head, const char *key, uint32_t len)
{
	if (wanted->head != head)
		return wanted->head < head ? -1 : 1;
	return len <= 8 || bytes_same(wanted->key + 8, key + 8, len - 8) ? 0 : memcmp(wanted->key + 8, key + 8, len - 8);
}

/* Merges the wanted keys with the object's; those of siblings are looked for as far as there can be one that matters. */
static bool
walk_object(Walk *w, const ColumnNode *node, const JbContainer *object)
{
	const ColumnNode *child = &w->c->nodes[node->children];
	const ColumnNode *end = child + node->child_count;
	uint32_t	count = jb_count(object);
	const char *data = jb_data(object, count * 2);
	uint32_t	offset = 0;
	uint32_t	longest = node->longest + 1;

	for (uint32_t i = 0; i < count; i++)
	{
		uint32_t	entry = object->entries[i];
		uint32_t	next = (entry & JB_HAS_OFF) ? (entry & JB_LEN_MASK) : offset + (entry & JB_LEN_MASK);
		uint32_t	len = next - offset;
		const char *key = data + offset;
		JbValue		value;
		uint64_t	head;
		int			order = 1;

		offset = next;
		if (len > longest)
			break;
		if (len > 0 && key[0] == '_')
			return false;
		while (child < end && child->len < len)
			child++;
		if (child == end || child->len > len)
			continue;
		head = head_of(key, len, w->last);
		while (child < end && child->len == len && (order = key_order(child, head, key, len)) < 0)
			child++;
		if (order != 0)
			continue;
		jb_value(object, count * 2, count + i, &value);
		do
		{
			if (!take_value(w, child, &value))
				return false;
			child++;
		} while (child < end && child->len == len && key_order(child, head, key, len) == 0);
	}
	return true;
}

bool
fhirpath_columns_walk(FhirPathColumns *c, const JbContainer *focus, uint32_t size, FhirPathFound *found,
					  FhirPathMore more, void *arg)
{
	Walk		w = {c, found, more, arg, (const char *) focus + size - 8};

	for (int i = 0; i < c->path_count; i++)
		found[i].count = 0;
	if (c->picks)
		memset(c->seen, 0, sizeof(int64_t) * (size_t) c->node_count);
	return walk_object(&w, c->nodes, focus);
}
