/*
 * match_cluster.h
 *		From linked pairs to persons: union-find that can say no.
 */
#ifndef EHR_CORE_MATCH_CLUSTER_H
#define EHR_CORE_MATCH_CLUSTER_H

#include "core.h"

typedef struct MatchEdge
{
	uint32_t	a,
				b;
	float		bits;			/* score */
} MatchEdge;

/* May two members of different clusters be of one person? */
typedef bool (*MatchJoinFn) (void *arg, uint32_t a, uint32_t b);

/* At most so many pairs of members are asked about before two clusters join. */
#define MATCH_JOIN_ASKED 4096

typedef struct MatchForest
{
	uint32_t   *parent;
	uint32_t   *next;			/* members of a cluster, a ring */
	uint32_t   *size;
	uint32_t	n;
} MatchForest;

/* n clusters of one; CORE_NO_MEMORY. */
extern CoreStatus match_forest_make(const CoreContext *cx, MatchForest *forest, uint32_t n);
extern void match_forest_free(const CoreContext *cx, MatchForest *forest);

/* The cluster of x, named by one of its members. */
extern uint32_t match_forest_root(MatchForest *forest, uint32_t x);

/* Joins the clusters of a and b without asking; false when they are one already. */
extern bool match_forest_join(MatchForest *forest, uint32_t a, uint32_t b);

/*
 * Joins along the edges, best first, ties by row; clusters join only when no
 * pair of their members may not.  The result depends on the set of edges, not
 * on their order.  *refused counts the edges that were not followed.
 */
extern CoreStatus match_cluster(const CoreContext *cx, MatchForest *forest, MatchEdge *edges, size_t nedges,
								MatchJoinFn may_join, void *arg, uint64_t *refused);

#endif							/* EHR_CORE_MATCH_CLUSTER_H */
