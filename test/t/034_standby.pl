# A hot standby: reads of health records are refused there, and after its promotion they are held to the same rules.
use strict;
use warnings;

use EhrTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'no ehr-token (make tools)' unless -x (($ENV{EHR_BUILD} // 'build') . '/bin/ehr-token');
my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1);
$primary->append_conf('postgresql.conf', "shared_preload_libraries = 'ehr'\nehr.token_issuer = 'https://id.example.vn'\nehr.token_audience = 'ehr'\nfsync = off\n");
$primary->start;
$primary->safe_psql('postgres', "CREATE EXTENSION ehr; SELECT ehr.create_store(); SELECT ehr.add_session_key('test', '" . issuer() . "'); CREATE ROLE app LOGIN IN ROLE ehr_query, ehr_app");
my $person = 'aaaaaaaa-0000-4000-8000-000000000001';
$primary->safe_psql('postgres', qq{
	INSERT INTO ehr_store.person (key, id) OVERRIDING SYSTEM VALUE VALUES (900001, '$person');
	SELECT ehr_internal.store_write('{"resourceType": "Patient", "id": "p1"}', '79001');
	INSERT INTO ehr_store.person_link (subject, person, method) SELECT key, 900001, 'new' FROM ehr_store.resource_key WHERE id = 'p1'});
my @doctor = ('clinician', 'dr-1', ehr_org => '79009', ehr_purpose => 'TREAT');
my $count = 'SELECT count(*) FROM ehr_store.resource';
my $consent = as_session($primary, 'postgres', 'app', [ 'citizen', $person ], "SELECT ehr.grant_consent('$person', 'practitioner:dr-1')");
is(as_session($primary, 'postgres', 'app', \@doctor, $count), '1', 'the doctor reads on the primary');

$primary->backup('b');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'b', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
# as an application, or as the superuser, whatever his name is
sub says { my ($sql, $superuser) = @_; my ($ret, $out, $err) = $standby->psql('postgres', $sql, extra_params => $superuser ? [] : [ '-U', 'app' ], on_error_stop => 0); return ($out, $err); }

like((says("SELECT ehr.login('" . token(@doctor) . "')"))[1], qr/no sessions on a standby server/, 'X07: no login on the standby');
my $handle = as_session($primary, 'postgres', 'app', undef, "SELECT ehr.login('" . token(@doctor) . "')");
like((says("SELECT ehr.attach('$handle')"))[1], qr/no sessions on a standby server/, 'X07: no handle of the primary either');
is((says($count))[0], '0', 'nobody reads nothing there');
is((says("SELECT ehr.get('Patient', 'p1') IS NULL"))[0], 't', 'by functions too');
my ($out, $err) = says($count, 1);
like($err, qr/cannot be recorded: this server is a standby/, 'a superuser\'s read cannot be recorded, so it is refused');
is($out, '', 'and shows nothing');
like((says('COPY ehr_store.resource TO STDOUT', 1))[1], qr/cannot be recorded/, 'nor COPY');

# a withdrawal on the primary, then the standby takes over
as_session($primary, 'postgres', 'app', [ 'citizen', $person ], "SELECT ehr.withdraw_consent('$consent')");
my $spent = token(@doctor);
as_session($primary, 'postgres', 'app', undef, "SELECT ehr.login('$spent')");
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
$primary->stop('immediate');
$standby->promote;
is(as_session($standby, 'postgres', 'app', \@doctor, $count), '0', 'after the promotion the consent is withdrawn');
is(as_session($standby, 'postgres', 'app', [ 'citizen', $person ], $count), '1', 'the citizen reads');
like((says("SELECT ehr.attach('$handle')"))[1], qr/session handle refused/, 'handles of the old primary are void');
is((says($count, 1))[0], '1', 'a superuser reads');
is($standby->safe_psql('postgres', q{SELECT ehr_internal.audit_catch_up(); SELECT count(*) FROM ehr_store.audit_event WHERE kind = 'read unbound' AND relations = 'resource'}) =~ s/^\n//r, '1', 'and is logged');
$standby->stop;
done_testing();
