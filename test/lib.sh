# Sourced by test/setup, test/cluster, test/run and test/demo: where things are, and who runs what.
# A private copy of PostgreSQL's programs lies under build/pg, so that the extension is installed
# there and no file or cluster of the machine is touched.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$top"
build=${EHR_BUILD:-$top/build}

say() { printf '%s\n' "$*"; }
die() { printf '%s\n' "$*" >&2; exit 1; }

# The newest PostgreSQL with a server and its headers, or what PG_CONFIG names.
find_pg_config() {
	if [ -n "${PG_CONFIG:-}" ]; then say "$PG_CONFIG"; return; fi
	local c
	for c in $(printf '%s\n' /usr/lib/postgresql/*/bin/pg_config | sort -rV) /usr/local/pgsql/bin/pg_config; do
		if [ -x "$c" ] && [ -x "${c%pg_config}postgres" ] && [ -e "$("$c" --pgxs)" ]; then say "$c"; return; fi
	done
	return 1
}

# PostgreSQL does not run as root: root hands its programs to an unprivileged user.
if [ "$(id -u)" = 0 ]; then
	runner=postgres
	id "$runner" >/dev/null 2>&1 || runner=nobody
	as_runner() { setpriv --reuid="$runner" --regid="$(id -gn "$runner")" --init-groups env -C "$top" HOME="$build/run" LANG=C.UTF-8 PATH="${bin:-/usr/bin}:/usr/local/bin:/usr/bin:/bin" "$@"; }
else
	runner=$(id -un)
	as_runner() { "$@"; }
fi

# That user must be able to read the checkout. Where it cannot (a checkout in /root), a copy of it under /var/tmp is used,
# and build/ becomes a link to the copy's. "$@" is the command to go on with there.
reachable_checkout() {
	[ "$(id -u)" = 0 ] || return 0
	! setpriv --reuid="$runner" --regid="$(id -gn "$runner")" --init-groups test -r "$top/Makefile" 2>/dev/null || return 0
	local away
	away=/var/tmp/ehr-$(printf %s "$top" | cksum | cut -d' ' -f1)
	mkdir -p "$away/ehr"
	find "$away/ehr" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} +
	tar -C "$top" --exclude=./build --exclude=./.git -cf - . | tar -C "$away/ehr" -xf -
	if [ -d "$top/../shared" ] && [ ! -e "$away/shared" ]; then
		cp -al "$top/../shared" "$away/shared" 2>/dev/null || cp -a "$top/../shared" "$away/shared"
	fi
	chmod 755 "$away"; mkdir -p "$away/ehr/build"
	[ -e "$top/build" ] || ln -s "$away/ehr/build" "$top/build"
	cd "$away/ehr"
	exec "$@"
}

make_build() {
	mkdir -p "$build/run"
	chown "$runner" "$build/run"
	build=$(readlink -f "$build")
	export PGHOST=$build/run PGUSER=postgres PGDATABASE=postgres
	# a socket's path has at most 107 characters
	if [ ${#PGHOST} -gt 80 ]; then
		PGHOST=/tmp/ehr-$(printf %s "$build" | cksum | cut -d' ' -f1)
		mkdir -p "$PGHOST"; chown "$runner" "$PGHOST"
	fi
}

# private_postgres copies PostgreSQL's programs and links all else under build/pg.  The programs find
# their own share and lib folders relative to where they lie, which makes the copy independent.
private_postgres() {
	local pgc; pgc=$(find_pg_config) || die "no PostgreSQL with server headers found"
	local kind
	if [ "$(cat "$build/pg/.from" 2>/dev/null)" != "$pgc $("$pgc" --version)" ]; then
		rm -rf "$build/pg"
		for kind in bindir pkglibdir sharedir; do
			mkdir -p "$build/pg$("$pgc" --$kind)"
		done
		cp -aL "$("$pgc" --bindir)/." "$build/pg$("$pgc" --bindir)/"
		cp -as "$("$pgc" --pkglibdir)/." "$build/pg$("$pgc" --pkglibdir)/"
		cp -as "$("$pgc" --sharedir)/." "$build/pg$("$pgc" --sharedir)/"
		find "$build/pg" -name 'ehr*' -delete
		say "$pgc $("$pgc" --version)" >"$build/pg/.from"
	fi
	bin=$build/pg$("$pgc" --bindir)
	pg_config=$bin/pg_config
	pg_major=$("$pgc" --version | sed 's/^PostgreSQL \([0-9]*\).*/\1/')
	export PATH=$bin:$PATH
}

# Builds the extension and installs it into the private copy.
build_extension() {
	local pgc; pgc=$(find_pg_config)
	{ make -s -j"$(nproc)" all tools PG_CONFIG="$pgc" WERROR="${WERROR:-}" &&
		make -s install PG_CONFIG="$pgc" DESTDIR="$build/pg"; } >"$build/make.log" 2>&1 ||
		{ tail -40 "$build/make.log" >&2; die "the build failed: $build/make.log"; }
}
