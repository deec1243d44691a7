/*
 * host.c
 *		What an evaluation may ask beside its document: other rooms, and the clock.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/datetime.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "fhirpath.h"

/* An error of another room must not jump across the core: it is kept, and raised once the core has returned. */
#define ASK_ROOM(ask, answer, question) \
	do { \
		MemoryContext core_memory = CurrentMemoryContext; \
		PG_TRY(); \
		{ \
			answer = question; \
		} \
		PG_CATCH(); \
		{ \
			MemoryContextSwitchTo((ask)->memory); \
			(ask)->raised = CopyErrorData(); \
			FlushErrorState(); \
		} \
		PG_END_TRY(); \
		MemoryContextSwitchTo(core_memory); \
	} while (0)

static int
ask_member_of(void *arg, const char *value_set, size_t len, const FpItem *item)
{
	volatile int answer = -2;

	ASK_ROOM((FhirPathAsk *) arg, answer, fhirpath_host.member_of(fhirpath_host.arg, value_set, len, item));
	return answer;
}

static int
ask_conforms_to(void *arg, const char *profile, size_t len, const FpItem *item)
{
	volatile int answer = -2;

	ASK_ROOM((FhirPathAsk *) arg, answer, fhirpath_host.conforms_to(fhirpath_host.arg, profile, len, item));
	return answer;
}

static const JbContainer *
ask_resolve(void *arg, const char *reference, size_t len, uint32_t *size)
{
	const JbContainer *volatile answer = NULL;

	ASK_ROOM((FhirPathAsk *) arg, answer, fhirpath_host.resolve(fhirpath_host.arg, reference, len, size));
	return answer;
}

void
fhirpath_offer_rooms(FhirPathAsk *ask, FhirPathInput *input, MemoryContext memory)
{
	ask->memory = memory;
	ask->host.arg = ask;
	ask->host.member_of = fhirpath_host.member_of == NULL ? NULL : ask_member_of;
	ask->host.conforms_to = fhirpath_host.conforms_to == NULL ? NULL : ask_conforms_to;
	ask->host.resolve = fhirpath_host.resolve == NULL ? NULL : ask_resolve;
	input->host = &ask->host;
}

void
fhirpath_raise_rooms(FhirPathAsk *ask)
{
	ErrorData  *raised = ask->raised;

	if (likely(raised == NULL))
		return;
	ask->raised = NULL;
	ReThrowError(raised);
}

void
fhirpath_set_clock(FhirPathInput *input)
{
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	struct pg_tm tm;
	fsec_t		fraction;
	int			zone = 0;

	input->now = now + (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
	if (timestamp2tm(now, &zone, &tm, &fraction, NULL, NULL) == 0)
		input->zone = -zone / 60;
}
