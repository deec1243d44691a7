# ehr: a PostgreSQL extension.
#
#   make, make install, make installcheck   for DBAs, as any PGXS extension (PG_CONFIG=...)
#   make demo, make demo-stop, make test,   for newcomers: these set up all they need themselves
#   make bench, make conformance, make fuzz
#
# The second group must work on a machine without pg_config, so PGXS is read
# only when a goal of the first group is asked for.

NEWCOMER_GOALS = demo demo-stop test bench conformance fuzz

.PHONY: $(NEWCOMER_GOALS)

ifneq ($(filter-out $(NEWCOMER_GOALS),$(or $(MAKECMDGOALS),all)),)
include src/pgxs.mk
endif

demo:
	@test/setup demo
demo-stop:
	@test/setup demo-stop
test:
	@test/setup test
bench:
	@test/setup bench
conformance:
	@test/setup conformance
fuzz:
	@test/setup fuzz
