# The audit log in copies of a database: dump and restore, standby, promotion, base backup; and files put where they do not belong.
use strict;
use warnings;

use File::Copy;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('primary');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'ehr'\nfsync = off\nmax_connections = 30\n");
$node->start;
$node->safe_psql('postgres', q{CREATE EXTENSION ehr; SELECT ehr.create_store()});

sub note { my ($n, $db, $kind, $count) = @_; $n->safe_psql($db, qq{SELECT ehr_internal.audit_note('$kind', 'n ' || i) FROM generate_series(1, $count) AS i}); return; }

sub count_of
{
	my ($n, $db, $kind) = @_;
	$n->safe_psql($db, q{SELECT ehr_internal.audit_catch_up()});
	return $n->safe_psql($db, qq{SELECT count(*) FROM ehr_store.audit_event WHERE kind = '$kind'});
}

sub problems { my ($n, $db) = @_; return $n->safe_psql($db, q{SELECT problem FROM ehr_internal.audit_verify()}); }

# --- dump and restore into another database of the cluster
note($node, 'postgres', 'before_dump', 30);
is(count_of($node, 'postgres', 'before_dump'), 30, 'entries are there');
my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, $node->connstr('postgres') ], 'pg_dump');
is(count_of($node, 'postgres', 'read unbound') > 0 ? 'logged' : 'not logged', 'logged', 'the dump itself is in the log');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, $node->connstr('restored') ], 'restore');
is(count_of($node, 'restored', 'before_dump'), 30, 'the restored log has the entries');
note($node, 'restored', 'after_restore', 5);
is(count_of($node, 'restored', 'after_restore'), 5, 'and goes on');
is(problems($node, 'restored'), '', 'as one chain');
is(count_of($node, 'postgres', 'after_restore'), 0, 'the two are apart');

# --- a spool file of another database is not imported
my $oid = $node->safe_psql('postgres', q{SELECT oid FROM pg_database WHERE datname = 'postgres'});
my $restored = $node->safe_psql('postgres', q{SELECT oid FROM pg_database WHERE datname = 'restored'});
$node->stop;
my $spool = $node->data_dir . '/ehr_audit';
my ($file) = sort grep { /\.spool$/ } slurp_dir("$spool/$restored");
copy("$spool/$restored/$file", "$spool/$oid/$file");
$node->start;
note($node, 'postgres', 'after_foreign', 3);
is(count_of($node, 'postgres', 'after_foreign'), 3, 'entries behind a foreign file are imported');
is(count_of($node, 'postgres', 'after_restore'), 0, 'those in it are not');
like(problems($node, 'postgres'), qr/spool_foreign/, 'and it is reported');
my $known = problems($node, 'postgres');

# --- standby
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
note($node, 'postgres', 'replicated', 20);
is(count_of($node, 'postgres', 'replicated'), 20, 'on the primary');
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
my ($ret, $out, $err) = $standby->psql('postgres', q{SELECT count(*) FROM ehr_store.resource});
isnt($ret, 0, 'a standby refuses to read');
like($err, qr/standby/, 'and says why');
($ret, $out, $err) = $standby->psql('postgres', q{SELECT ehr_internal.audit_note('on_standby')});
isnt($ret, 0, 'nor can an event be recorded there');

# --- promotion: what the base backup brought of the old spool is imported once, and the chain goes on
$node->stop('immediate');
$standby->promote;
note($standby, 'postgres', 'promoted', 10);
is(count_of($standby, 'postgres', 'promoted'), 10, 'the promoted standby records');
is(count_of($standby, 'postgres', 'replicated'), 20, 'entries that came by replication are there once');
is($standby->safe_psql('postgres', q{SELECT problem FROM ehr_internal.audit_verify() WHERE problem !~ 'spool_(gap|foreign)'}), '', 'the chain is whole');

$standby->stop;
done_testing();
