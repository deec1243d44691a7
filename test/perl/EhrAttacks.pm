# What the tests of doc/attacks.md share: a store with a patient whom doctor dr-1 may see (P1) and one whom nobody may (P2), and
# attack(), which runs a subtest named by its id. EHR_ATTACK=ID runs one of a file alone; test/mutants runs each against a build
# or store whose defence is switched off, where it must fail.
package EhrAttacks;
use strict;
use warnings;

use EhrTest;
use Exporter 'import';
use IPC::Run;
use MIME::Base64 qw(decode_base64url);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw($node $db $count $p1 $p2 @doctor $tool attacks_node su app doctor refused handle login_refused parts tool_token attack no_such_attack);

our $tool = ($ENV{EHR_BUILD} // 'build') . '/bin/ehr-token';
our $db = 'city';
# P1 gave dr-1 consent, P2 nobody; what hospital 79001 wrote
our ($p1, $p2) = ('aaaaaaaa-0000-4000-8000-000000000001', 'bbbbbbbb-0000-4000-8000-000000000002');
our @doctor = ('clinician', 'dr-1', ehr_org => '79009', ehr_purpose => 'TREAT', name => 'Dr One');
our $count = 'SELECT count(*) FROM ehr_store.resource';
our $node;

sub su { return $node->safe_psql($db, $_[0]); }

# attacks_node(NAME, settings): the server and the store
sub attacks_node
{
	my ($name, @settings) = @_;
	$node = ehr_node($name, @settings);
	$node->safe_psql('postgres', "CREATE DATABASE $db");
	su('CREATE EXTENSION ehr; SELECT ehr.create_store()');
	su("SELECT ehr.add_session_key('test', '" . issuer() . "')");
	su('CREATE ROLE app LOGIN IN ROLE ehr_query, ehr_app; CREATE ROLE peer LOGIN IN ROLE ehr_query, ehr_app; CREATE SCHEMA free; GRANT ALL ON SCHEMA free TO PUBLIC');
	su(qq{
		INSERT INTO ehr_store.person (key, id) OVERRIDING SYSTEM VALUE VALUES (900001, '$p1'), (900002, '$p2');
		SELECT ehr_internal.store_write(jsonb_build_object('resourceType', 'Patient', 'id', p), '79001') FROM unnest('{p1,p2}'::text[]) AS p;
		INSERT INTO ehr_store.person_link (subject, person, method) SELECT key, CASE id WHEN 'p1' THEN 900001 ELSE 900002 END, 'new' FROM ehr_store.resource_key WHERE id IN ('p1', 'p2');
		SELECT ehr_internal.store_write(jsonb_build_object('resourceType', 'Observation', 'id', p || '-o' || i, 'status', 'final',
			'code', jsonb_build_object('text', 'HIDDENWORD'), 'subject', jsonb_build_object('reference', 'Patient/' || p)), '79001')
		FROM unnest('{p1,p2}'::text[]) AS p, generate_series(1, 9) AS i;
		INSERT INTO ehr_store.consent (person, deny, grantee, scope, labels, purpose, valid, given_by) VALUES (900001, false, 'practitioner:dr-1', 'all', -1, 'TREAT', '[2025-01-01,)', 'test');
		ANALYZE;
	});
	# what a mutant does to the store
	su($ENV{EHR_UNDEFENDED}) if $ENV{EHR_UNDEFENDED};
	return $node;
}

# app(SQL, role): what it prints and what it says, in one connection without a session
sub app
{
	my ($sql, $role) = @_;
	my ($ret, $out, $err) = $node->psql($db, $sql, extra_params => [ '-U', $role // 'app' ], on_error_stop => 0);
	return ($out, $err);
}
# as doctor dr-1, until the end of the connection
sub doctor { my ($sql) = @_; return app("SELECT FROM ehr.login('" . token(@doctor) . "', 'session') \\gset\n$sql"); }
sub refused { my ($sql, $state, $what) = @_; my ($out, $err) = doctor("\\set VERBOSITY verbose\n$sql"); like($err, qr/ERROR:  $state/, $what // $sql); unlike($out . $err, qr/HIDDENWORD|p2-o/, '... and shows nothing'); return; }
sub handle { my ($who, $role) = @_; my ($out) = app("SELECT ehr.login('" . token(@$who) . "')", $role); return $out; }
sub login_refused { my ($token, $what) = @_; my ($out, $err) = app("SELECT ehr.login(\$t\$$token\$t\$)"); ok($out eq '' && $err =~ /token refused/, $what); return; }
# header and payload of a good token, its parts decoded
sub parts { my ($t) = @_; my ($h, $p, $s) = split /\./, $t; return (decode_base64url($h), decode_base64url($p), decode_base64url($s)); }
sub tool_token { my ($alg, @claims) = @_; issuer(); return EhrTest::captured($tool, 'sign', '--key', scratch() . '/issuer.jwk', '--kid', 'test', '--alg', $alg, 'iss=https://id.example.vn', 'aud=ehr', 'ehr_kind=clinician', 'sub=dr-1', @claims); }

my %ran;
sub attack
{
	my ($id, $title, $test) = @_;
	return if $ENV{EHR_ATTACK} && $ENV{EHR_ATTACK} ne $id;
	$ran{$id}++;
	subtest "$id $title" => $test;
	return;
}
# to be called at the end: the one that was asked for did run
sub no_such_attack { is($ran{ $ENV{EHR_ATTACK} }, 1, "there is an attack $ENV{EHR_ATTACK}") if $ENV{EHR_ATTACK}; return; }

1;
