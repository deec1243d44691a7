# The build proper, read by the Makefile at the top when a PGXS goal is asked for.

EXTENSION    = ehr
EXTVERSION   = $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" ehr.control)
MODULE_big   = ehr
SCRIPT       = $(EXTENSION)--$(EXTVERSION).sql
DATA_built   = $(SCRIPT)
# The verifier of exported audit logs, beside the server's programs (INSTALL_SCRIPT, since PGXS builds one program of OBJS only).
SCRIPTS_built = src/verify/ehr_verify
DATA         = $(wildcard sql/upgrade/*--*--*.sql) $(wildcard sql/data/ehr_*.tsv)

# The rooms, in the order in which they may use each other: doc/architecture.md.
ROOMS        = types fhir fhirpath validate merge vault audit store identity consent api views intake share report
# A room's parts: its SQL, the tables of data that it ships, further SQL (ROOM_*.sql).
SQL_FILES    = sql/ehr.sql $(foreach room,$(ROOMS),$(wildcard sql/$(room).sql) $(sort $(wildcard sql/data/$(room).*.tsv)) $(sort $(wildcard sql/$(room)_*.sql)))

CORE_OBJS    = $(patsubst %.c,%.o,$(wildcard src/core/*.c))
OBJS         = $(patsubst %.c,%.o,$(wildcard src/*.c) $(foreach room,$(ROOMS),$(wildcard src/$(room)/*.c))) $(CORE_OBJS)
ROOM_HEADERS  = $(wildcard src/*.h src/*/*.h)

PG_CFLAGS   += -Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers -Wno-sign-compare $(WERROR)
PG_CPPFLAGS += -Isrc -DEHR_VERSION='"$(EXTVERSION)"'
SHLIB_LINK  += -ljansson -lsodium -lexpat -lpcre2-8 -lm

# No bitcode: nothing in the extension gains from inlining by the JIT, and clang is not needed to build.
override with_llvm = no

REGRESS        = $(patsubst test/sql/%.sql,%,$(sort $(wildcard test/sql/*.sql)))
# Output elsewhere than here: pg_regress would take sql/NAME.sql of the output folder for a test.
REGRESS_OPTS   = --inputdir=test --outputdir=build/installcheck
REGRESS_PREP   = build/installcheck
ISOLATION      = $(patsubst test/isolation/specs/%.spec,%,$(sort $(wildcard test/isolation/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test/isolation --outputdir=build/installcheck

EXTRA_CLEAN  = $(SCRIPT) $(CORE_LIB) src/core/*.o src/*/*.o src/verify/ehr_verify

PG_CONFIG   ?= pg_config
PGXS        := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

$(SCRIPT): $(SQL_FILES) ehr.control sql/data/insert.awk
	for f in $(SQL_FILES); do \
		case $$f in *.tsv) LC_ALL=C awk -f sql/data/insert.awk $$f ;; *) cat $$f ;; esac || exit; \
	done > $@.tmp && mv $@.tmp $@

$(OBJS): $(ROOM_HEADERS)

# The FHIR model anew, out of HL7's definitions (doc/fhir.md).
.PHONY: model
model:
	python3 src/core/fhir_model_gen.py
	python3 src/core/fhir_invariants_gen.py
	python3 src/core/fhir_schedule_gen.py
	python3 src/core/fhir_search_gen.py
	python3 src/core/fhir_terms_gen.py
	python3 src/core/fhir_extensions_gen.py

# The table of units anew, out of src/core/ucum_units.tsv.
.PHONY: units
units:
	python3 src/core/ucum_gen.py

build/installcheck:
	mkdir -p $@

# The pure C part alone, as a static library (unit tests and fuzzers build it with flags of their own).
CORE_LIB     = src/core/libehr_core.a
.PHONY: core
core: $(CORE_LIB)
$(CORE_LIB): $(CORE_OBJS)
	rm -f $@
	$(AR) $(AROPT) $@ $^

VERIFY_CORE  = $(patsubst %,src/core/%.o,audit_root audit_spool crc32c merkle)
src/verify/ehr_verify: src/verify/ehr_verify.c $(VERIFY_CORE) $(ROOM_HEADERS)
	$(CC) $(CFLAGS) $(CPPFLAGS) $< $(VERIFY_CORE) $(LDFLAGS) -lsodium -o $@

# Programs of tests and demo
.PHONY: tools
TOOLS_DIR = $(or $(EHR_BUILD),build)/bin
tools: $(TOOLS_DIR)/ehr-token
$(TOOLS_DIR)/ehr-token: test/tools/ehr-token.c
	mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -Wall -Wextra $(WERROR) $< -o $@ -ljansson -lsodium
