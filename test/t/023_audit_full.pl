# The audit log fails closed: the disk is full, a sync fails, a write is cut short; and nothing that was acknowledged is lost.
# A small library in front of libc lets the calls on the spool's files fail as asked.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use EhrTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $dir = PostgreSQL::Test::Utils::tempdir_short();
open my $code, '>', "$dir/fail.c" or die $!;
print $code <<'C';
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static int asked(int fd, const char *what)
{
	char path[4096], file[4096];
	ssize_t n;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	n = readlink(path, file, sizeof file - 1);
	if (n <= 0)
		return 0;
	file[n] = 0;
	if (strstr(file, "/ehr_audit/") == NULL)
		return 0;
	snprintf(path, sizeof path, "%s/%s", getenv("FAIL_DIR"), what);
	return access(path, F_OK) == 0;
}
#define REAL(type, name) ((type) dlsym(RTLD_NEXT, name))
typedef ssize_t (*writer) (int, const void *, size_t, off_t);
static ssize_t write_at(const char *name, int fd, const void *b, size_t n, off_t o)
{
	if (asked(fd, "full")) { errno = ENOSPC; return -1; }
	if (asked(fd, "half"))
	{
		if (n < 2) { errno = ENOSPC; return -1; }
		return REAL(writer, name)(fd, b, n / 2, o);
	}
	return REAL(writer, name)(fd, b, n, o);
}
ssize_t pwrite(int fd, const void *b, size_t n, off_t o) { return write_at("pwrite", fd, b, n, o); }
ssize_t pwrite64(int fd, const void *b, size_t n, off_t o) { return write_at("pwrite64", fd, b, n, o); }
int fdatasync(int fd) { if (asked(fd, "nosync")) { errno = EIO; return -1; } return REAL(int (*)(int), "fdatasync")(fd); }
int fsync(int fd) { if (asked(fd, "nosync")) { errno = EIO; return -1; } return REAL(int (*)(int), "fsync")(fd); }
C
close $code;
plan skip_all => 'no C compiler' if system("cc -shared -fPIC -O1 -o $dir/fail.so $dir/fail.c -ldl 2>$dir/cc.log") != 0;
$ENV{FAIL_DIR} = $dir;

my $node = PostgreSQL::Test::Cluster->new('full');
$node->init;
# fsync is on here: under flushed, a sync that fails is what counts
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'ehr'\nfsync = on\nehr.audit_segment_size = 1024\n");
{
	local $ENV{LD_PRELOAD} = "$dir/fail.so";
	$node->start;
}
my $db = 'postgres';
sub sql { return $node->safe_psql($db, $_[0]); }
sub refusal { my ($ret, $out, $err) = $node->psql($db, $_[0], extra_params => [ '-v', 'VERBOSITY=verbose' ]); return $ret == 0 ? "no error: $out" : $err; }
sub now_fails { open my $f, '>', "$dir/$_[0]" or die $!; return; }
sub works_again { unlink "$dir/$_[0]" or die $!; return; }
sub count_of { my ($kind) = @_; sql('SELECT ehr_internal.audit_catch_up()'); return sql(qq{SELECT count(*) FROM ehr_store.audit_event WHERE kind = '$kind'}); }
sub problems { return sql(q{SELECT ehr_internal.audit_catch_up(); SELECT problem FROM ehr_internal.audit_verify()}) =~ s/^\n//r; }
sql(q{CREATE EXTENSION ehr; SELECT ehr.create_store(); SELECT ehr_internal.store_write('{"resourceType": "Patient", "id": "p"}', 'D1')});

for my $case ([ 'full', qr/53100|ENOSPC|No space left/, 'the disk is full' ], [ 'half', qr/53100|No space left/, 'a write is cut short' ], [ 'nosync', qr/58030|Input\/output error/, 'a sync fails' ])
{
	my ($failure, $expect, $name) = @$case;
	sql("SELECT ehr_internal.audit_note('before $failure') FROM generate_series(1, 20)");
	now_fails($failure);
	for my $durability ('flushed', 'written')
	{
		next if $failure eq 'nosync' && $durability eq 'written';
		$node->append_conf('postgresql.conf', "ehr.audit_durability = $durability");
		$node->reload;
		usleep(200_000);
		my $error = refusal(qq{SELECT ehr_internal.audit_note('refused $failure')});
		like($error, $expect, "$name: nothing is acknowledged under $durability");
		like($error, qr/ehr\.audit_directory/, '  and the error names the setting');
		# a read, by a superuser: the statement stops before its first row
		my ($ret, $out, $err) = $node->psql($db, 'SELECT id FROM ehr_store.resource');
		isnt($ret, 0, '  no record is read');
		is($out, '', '  not a row of it');
	}
	works_again($failure);
	sql("SELECT ehr_internal.audit_note('after $failure') FROM generate_series(1, 20)");
	is(count_of("before $failure"), 20, "$name: what was acknowledged before is there");
	is(count_of("after $failure"), 20, '  and what comes after');
	unlike(problems(), qr/missing|changed|end of the chain|spool_gap/, '  and the chain is whole');
}

# bounded: clients that try again and again leave nothing behind
now_fails('full');
my $bytes = sql('SELECT spool_bytes FROM ehr.audit_status()');
refusal(q{SELECT ehr_internal.audit_note('again')}) for 1 .. 20;
works_again('full');
sql(q{SELECT ehr_internal.audit_note('once more')});
cmp_ok(sql('SELECT spool_bytes FROM ehr.audit_status()'), '<', $bytes + 2 * 1024 * 1024, 'a full disk is not filled further by those who try');
is(count_of('again'), 0, 'a refused entry is not there');
is(count_of('once more'), 1, 'an acknowledged one is');
# the table refuses: the import fails again and again, the spool keeps what comes, and self_check() tells; then it goes on
sql(q{ALTER TABLE ehr_store.audit_event ADD CONSTRAINT stop CHECK (kind <> 'stopped')});
sql(q{SELECT ehr_internal.audit_note('stopped'); SELECT ehr_internal.audit_note('behind it')});
for (1 .. 100) { last if slurp_file($node->logfile) =~ /violates check constraint "stop"/; usleep(100_000); }
like(slurp_file($node->logfile), qr/violates check constraint "stop"/, 'the server log has what stops the import');
unlike(slurp_file($node->logfile), qr/Failing row contains/, 'but not what is in the entry');
my $told = refusal(q{SELECT ehr_internal.audit_catch_up(0)});
like($told, qr/violates check constraint "stop"/, 'a session that imports is told the constraint');
unlike($told, qr/Failing row/, '  and no entry');
is(sql(q{SELECT count(*) FROM ehr_store.audit_event WHERE kind IN ('stopped', 'behind it')}), 0, 'what the table refuses is not passed over');
is(sql(q{SELECT ok FROM ehr.self_check() WHERE check_name = 'audit import'}), 'f', 'self_check() tells that the import stands');
is(sql(q{SELECT count(*) FROM ehr_store.resource WHERE id = 'p'}), 1, 'reads go on while the spool has room');
sql(q{ALTER TABLE ehr_store.audit_event DROP CONSTRAINT stop});
ok($node->poll_query_until($db, q{SELECT count(*) = 2 FROM ehr_store.audit_event WHERE kind IN ('stopped', 'behind it')}), 'it goes on by itself, each entry once');
unlike(problems(), qr/missing|changed|end of the chain|spool_gap/, '  and the chain is whole');
my ($pid) = split /\n/, slurp_file($node->data_dir . '/postmaster.pid');
ok(kill(0, $pid), 'the server lived through all of it');
$node->stop;
done_testing();
