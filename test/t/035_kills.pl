# kill -9 at any moment, over and over: a withdrawal that was answered stays, a token that was taken is used up, and the log is whole.
use strict;
use warnings;

use EhrTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

plan skip_all => 'no ehr-token (make tools)' unless -x (($ENV{EHR_BUILD} // 'build') . '/bin/ehr-token');
my $rounds = $ENV{EHR_KILLS} // 5;
my $node = ehr_node('kills', 'restart_after_crash = on', 'max_connections = 40');
my $db = 'postgres';
$node->safe_psql($db, "CREATE EXTENSION ehr; SELECT ehr.create_store(); SELECT ehr.add_session_key('test', '" . issuer() . "'); CREATE ROLE app LOGIN IN ROLE ehr_query, ehr_app");
my $person = 'aaaaaaaa-0000-4000-8000-000000000001';
$node->safe_psql($db, qq{
	INSERT INTO ehr_store.person (key, id) OVERRIDING SYSTEM VALUE VALUES (900001, '$person');
	SELECT ehr_internal.store_write('{"resourceType": "Patient", "id": "p1"}', '79001');
	INSERT INTO ehr_store.person_link (subject, person, method) SELECT key, 900001, 'new' FROM ehr_store.resource_key WHERE id = 'p1'});
my @doctor = ('clinician', 'dr-1', ehr_org => '79009', ehr_purpose => 'TREAT');
my $count = 'SELECT count(*) FROM ehr_store.resource';
my (@taken, $given, $looks);
for my $round (1 .. $rounds)
{
	# a doctor who reads all the time, and a citizen who grants and withdraws
	my $t = token(@doctor);
	my ($ret, $handle) = $node->psql($db, "SELECT ehr.login('$t')", extra_params => [ '-U', 'app' ]);
	push @taken, $t if $ret == 0 && length $handle;
	append_to_file(my $script = scratch() . "/read$round.sql", "BEGIN;\nSELECT ehr.attach('$handle');\n$count;\nCOMMIT;\n");
	my ($o, $e) = ('', '');
	my $readers = IPC::Run::start([ 'pgbench', '-n', '-h', $node->host, '-p', $node->port, '-U', 'app', '-c', '4', '-T', '20', '-f', $script, $db ], '>', \$o, '2>', \$e);
	my ($granted, $open) = (0, '');
	for (1 .. 4 + $round)
	{
		my ($r, $id) = $node->psql($db, "BEGIN; SELECT FROM ehr.login('" . token('citizen', $person) . "') \\gset\n"
			. ($open ? "SELECT ehr.withdraw_consent('$open')" : "SELECT ehr.grant_consent('$person', 'practitioner:dr-1')") . ";\nCOMMIT;", extra_params => [ '-U', 'app' ]);
		last if $r != 0;
		$open = $open ? '' : $id;
	}
	$given = $open ? 1 : 0;
	if ($round % 2)
	{
		my ($pid) = $node->safe_psql($db, "SELECT pid FROM pg_stat_activity WHERE usename = 'app' LIMIT 1") =~ /(\d+)/;
		kill 'KILL', $pid // die 'no reader';
		usleep(300_000);
		$node->poll_query_until($db, 'SELECT true') or die;
	}
	else
	{
		$node->stop('immediate');
		$node->start;
	}
	$readers->kill_kill;
	is(as_session($node, $db, 'app', \@doctor, $count), $given, "round $round: what was answered holds (" . ($given ? 'granted' : 'withdrawn') . ')');
	like(($node->psql($db, "SELECT ehr.attach('$handle')", extra_params => [ '-U', 'app' ]))[2], qr/session handle refused/, 'sessions are gone');
	is(scalar(grep { ($node->psql($db, "SELECT ehr.login('$_')", extra_params => [ '-U', 'app' ]))[2] =~ /token refused/ } @taken), scalar(@taken), 'X08: every token that was taken is used up');
	is($node->safe_psql($db, 'SELECT ehr_internal.audit_catch_up(); SELECT * FROM ehr_internal.audit_verify()') =~ s/^\n*//r, '', 'the log is whole');
	my $now = $node->safe_psql($db, q{SELECT count(*) FROM ehr_store.audit_event WHERE kind = 'read' AND sub = 'dr-1'});
	cmp_ok($now, '>', $looks // 0, "and has grown to $now");
	$looks = $now;
	if ($given) { $node->safe_psql($db, "UPDATE ehr_store.consent SET status = 'withdrawn', withdrawn = now() WHERE status = 'active'"); }
}
$node->stop;
done_testing();
