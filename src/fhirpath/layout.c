/*
 * layout.c
 *		core/jsonb_read.h knows jsonb's and numeric's layout by heart: here it is held against PostgreSQL's own.
 */
#include "postgres.h"

#include "utils/jsonb.h"

#include "core/jsonb_read.h"

StaticAssertDecl(JB_COUNT_MASK == JB_CMASK, "jsonb layout");
StaticAssertDecl(JB_SCALAR == JB_FSCALAR, "jsonb layout");
StaticAssertDecl(JB_OBJECT == JB_FOBJECT, "jsonb layout");
StaticAssertDecl(JB_ARRAY == JB_FARRAY, "jsonb layout");
StaticAssertDecl(JB_LEN_MASK == JENTRY_OFFLENMASK, "jsonb layout");
StaticAssertDecl(JB_TYPE_MASK == JENTRY_TYPEMASK, "jsonb layout");
StaticAssertDecl(JB_HAS_OFF == JENTRY_HAS_OFF, "jsonb layout");
StaticAssertDecl(JB_STRIDE == JB_OFFSET_STRIDE, "jsonb layout");
StaticAssertDecl(JB_T_STRING == JENTRY_ISSTRING >> 28, "jsonb layout");
StaticAssertDecl(JB_T_NUMBER == JENTRY_ISNUMERIC >> 28, "jsonb layout");
StaticAssertDecl(JB_T_FALSE == JENTRY_ISBOOL_FALSE >> 28, "jsonb layout");
StaticAssertDecl(JB_T_TRUE == JENTRY_ISBOOL_TRUE >> 28, "jsonb layout");
StaticAssertDecl(JB_T_NULL == JENTRY_ISNULL >> 28, "jsonb layout");
StaticAssertDecl(JB_T_CONTAINER == JENTRY_ISCONTAINER >> 28, "jsonb layout");
StaticAssertDecl(sizeof(JbContainer) == offsetof(JsonbContainer, children), "jsonb layout");
StaticAssertDecl(ALIGNOF_INT == 4, "jsonb layout: numbers and containers begin at multiples of 4");
