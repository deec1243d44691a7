# Bad input: what is refused leaves nothing half-stored and stands in quarantine with place and rule, never with a value; what was
# receipted is there after a crash.
use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../perl";
use EhrTest;
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = ehr_node('quarantine', 'fsync = on', 'restart_after_crash = on');
my $db = 'postgres';
my $mark = 'Zzqxmark';
sub sql { return $node->safe_psql($db, $_[0]); }
sql(q{CREATE EXTENSION ehr; SELECT ehr.create_store(); CREATE ROLE feed LOGIN IN ROLE ehr_ingest});

sub quoted { my ($text) = @_; return "'" . $text =~ s/'/''/gr . "'"; }
my $n = 0;
sub entry
{
	my ($resource, %more) = @_;
	return { fullUrl => sprintf('urn:uuid:00000000-0000-4000-8000-%012d', ++$n), resource => $resource, request => { method => 'POST', url => $resource->{resourceType} }, %more };
}
sub bundle { my ($type, @entries) = @_; return JSON::PP->new->canonical->encode({ resourceType => 'Bundle', type => $type, entry => \@entries }); }
sub person { my ($number, %more) = @_; return { resourceType => 'Patient', identifier => [ { system => 'https://moh.gov.vn/cccd', value => $number } ], name => [ { text => "Trần $mark $number" } ], birthDate => '1985-03-02', %more }; }
sub observation { my ($of, %more) = @_; return { resourceType => 'Observation', status => 'final', code => { text => $mark }, subject => { reference => $of->{fullUrl} }, %more }; }

# a call as the feed → (receipt or undef, SQLSTATE, everything that was said)
sub call
{
	my ($sql) = @_;
	my ($ret, $out, $err) = $node->psql($db, $sql, extra_params => [ '-U', 'feed', '-v', 'VERBOSITY=verbose', '-v', 'SHOW_CONTEXT=always' ]);
	my ($state) = $err =~ /ERROR:  (\w{5}):/;
	return ($ret == 0 && $out ? decode_json($out) : undef, $state // '', $err);
}
sub ingest { my ($bundle, $source) = @_; return call('SELECT ehr.ingest_bundle(' . quoted($bundle) . ", '" . ($source // 'tap') . "')"); }
# all that payloads become: every table but those of the intake and the log
sub stored
{
	return sql(join ' UNION ALL ', map { "SELECT '$_', count(*), md5(string_agg(t::text, E'\\n' ORDER BY t::text COLLATE \"C\")) FROM $_ t" } split /\n/,
		sql(q{SELECT oid::regclass FROM pg_class WHERE relnamespace = 'ehr_store'::regnamespace AND relkind = 'r' AND relname !~ '^(audit_|payload|quarantine|claims_dossier|fact_)' ORDER BY 1}));
}
sub quarantine { my ($payload) = @_; return sql("SELECT element, rule, elements FROM ehr_store.quarantine WHERE payload = $payload AND state = 'open' ORDER BY quarantine"); }
sub adds_up { my ($r) = @_; return $r && $r->{sent} == $r->{mapped} + $r->{kept} + $r->{quarantined}; }

# --- a transaction with one bad entry, whatever is bad about it
my $first = entry(person('079185000001'));
my ($good) = ingest(bundle('transaction', $first, entry(observation($first))));
ok(adds_up($good), 'a good bundle');
is($good->{resources}, 2, 'is stored');
my $before = stored();
my %bad = (
	'a date that is none' => { birthDate => "$mark-02-31" }, 'a text where an object belongs' => { name => $mark }, 'an element that FHIR does not have' => { colour => $mark },
	'a code outside of its value set' => { gender => $mark }, 'an empty array' => { name => [] }, 'a null' => { birthDate => undef },
	'a number where a text belongs' => { language => 1 }, 'an unknown type' => { resourceType => $mark }, 'a type of another kind' => { resourceType => 'Quantity' },
	'contained without end' => { contained => [ { resourceType => 'Patient', contained => [ { resourceType => 'Patient' } ] } ] });
for my $fault (sort keys %bad)
{
	my $p = entry(person('079185000002'));
	my ($r, $state, $said) = ingest(bundle('transaction', $p, entry(observation($p)), entry(person('079185000003', %{ $bad{$fault} }))), $fault);
	ok(adds_up($r) && $r->{resources} == 0 && $r->{quarantined} > 0, "$fault: quarantined, and the figures add up") or diag($said);
	is(stored(), $before, "$fault: nothing of the transaction is stored");
	my $rows = $r ? quarantine($r->{payload}) : '';
	like($rows, qr/^Bundle\.entry\[2\]/, "$fault: the place is told") or diag($rows);
	like($rows, qr/^[^|]*\|[^|]{5,}\|\d+$/, "$fault: and the rule");
	unlike($rows, qr/$mark|079185/i, "$fault: but no value");
}

# --- sent again, replayed
my $p = entry(person('079185000004'));
my $refused = bundle('transaction', $p, entry(observation($p, status => $mark)));
my ($r) = ingest($refused);
my $count = q{SELECT (SELECT count(*) FROM ehr_store.payload), (SELECT count(*) FROM ehr_store.quarantine), (SELECT count(*) FROM ehr_store.quarantine WHERE state = 'open')};
my $counts = sql($count);
is_deeply((ingest($refused))[0], $r, 'a refused bundle sent again: the same receipt');
is(sql($count), $counts, 'and nothing new in quarantine');
is_deeply((ingest($refused, 'somebody else'))[0]{quarantined}, $r->{quarantined}, 'from another source it is another payload');
my $row = sql("SELECT min(quarantine) FROM ehr_store.quarantine WHERE payload = $r->{payload} AND state = 'open'");
my $rows = quarantine($r->{payload});
is_deeply((call("SELECT ehr.replay($row)"))[0], $r, 'a replay with nothing mended: the same receipt');
is(quarantine($r->{payload}), $rows, 'the same rows open');
is(stored(), $before, 'and nothing stored');
is((call("SELECT ehr.replay(-1)"))[1], 'P0002', 'a replay of what there is not');

# --- other kinds of bundle: entry by entry
my ($one, $two) = (entry(person('079185000005')), entry(person('079185000006', birthDate => "$mark")));
my $batch = bundle('batch', $one, entry(observation($one)), $two, entry(person('079185000007')));
($r) = ingest($batch);
ok(adds_up($r), 'a batch with a bad entry adds up');
is($r->{resources}, 3, 'its good entries are stored');
like(quarantine($r->{payload}), qr/^Bundle\.entry\[2\][^\n]*$/, 'the bad one is in quarantine, alone');
my $after = stored();
isnt($after, $before, '(the comparison sees that)');
is_deeply((ingest($batch))[0], $r, 'sent again: the same receipt');
$row = sql("SELECT min(quarantine) FROM ehr_store.quarantine WHERE payload = $r->{payload} AND state = 'open'");
is_deeply((call("SELECT ehr.replay($row)"))[0], $r, 'replayed: the same receipt');
is(stored(), $after, 'and no version more');

# --- what is no bundle is refused to the sender's face
for my $case (
	[ '22P02', '{"resourceType": "Bundle", "entry": [' . $mark ], [ '22P02', '' ], [ '22P02', '{"a": 1} {}' ], [ '22P02', '{"resourceType": "Bundle", "entry": ["\u0000"]}' ],
	[ '22023', '{}' ], [ '22023', '[]' ], [ '22023', "\"$mark\"" ], [ '22023', '{"resourceType": "Patient"}' ], [ '22023', "{\"resourceType\": \"Bundle\", \"entry\": \"$mark\"}" ],
	[ '54001', '[' x 100000 ])
{
	my ($state, $text) = @$case;
	my $short = length $text > 50 ? substr($text, 0, 20) . '…' : $text;
	open my $file, '>', scratch() . '/bad.json' or die; print $file $text; close $file;
	my $path = scratch() . '/bad.json';
	my (undef, $got, $said) = call("\\set content `cat '$path'`\nSELECT ehr.ingest_bundle(:'content', 'bad')");
	is($got, $state, "refused: $short");
	unlike($said =~ s/^LINE \d+: .*$//mgr, qr/$mark/, '  and nothing of it is told') if $text =~ /$mark/;
}
# odd entries: an answer that is an error of the sender's, or quarantine; never a fault of ours
my $whole = stored();
my $payloads = sql('SELECT count(*) FROM ehr_store.payload');
for my $odd ('null', '1', '"x"', '[]', '{}', '{"resource": null}', '{"resource": "x"}', '{"resource": []}', '{"resource": {}}', '{"resource": {"resourceType": 1}}', '{"resource": {"resourceType": null}}',
	'{"request": {"method": "GET", "url": "Patient/1"}}', '{"request": "x"}', '{"request": {"method": "DELETE"}}', '{"request": {"method": "DELETE", "url": "Bogus/1"}}',
	'{"request": {"method": 7, "url": {}}, "resource": {"resourceType": "Patient"}}', '{"request": {"method": "PUT", "url": "Patient/"}, "resource": {"resourceType": "Patient"}}',
	'{"request": {"method": "PUT", "url": "Observation/a"}, "resource": {"resourceType": "Patient", "id": "a"}}', '{"request": {"method": "PUT", "url": "Patient/a", "ifMatch": "W/\"99\""}, "resource": {"resourceType": "Patient", "id": "a"}}',
	'{"request": {"method": "POST", "url": "Patient", "ifNoneExist": "name=x"}, "resource": {"resourceType": "Patient"}}', '{"resource": {"resourceType": "Bundle", "type": "batch", "entry": [{"resource": "x"}]}}',
	'{"fullUrl": {"a": 1}, "resource": {"resourceType": "Patient"}, "x": 1e400}')
{
	for my $type ('transaction', 'batch', 'x')
	{
		my ($r, $state, $said) = ingest("{\"resourceType\": \"Bundle\", \"type\": \"$type\", \"entry\": [$odd]}", 'odd');
		ok($r ? adds_up($r) : $state =~ /^(22|23|0A000|21000|40001)/, "$type of $odd: " . ($r ? "quarantined $r->{quarantined} of $r->{sent}" : "refused with $state")) or diag($said);
	}
}

# --- vaccination rows
my $line = qq{{"record_id": "r1", "full_name": "Trần $mark", "birth_date": "1985-03-02", "sex": "female", "vaccine_code": "43", "vaccine_name": "V", "dose_number": "1", "vaccinated_on": "2020-01-01"}};
my $bad_day = $line =~ s/2020-01-01/2020-02-31 $mark/r =~ s/r1/r2/r;
my $no_name = $line =~ s/Trần $mark//r =~ s/r1/r3/r;
($r, my $state, my $said) = call('SELECT ehr.ingest_immunization_lines(' . quoted("$line\n$bad_day\n$no_name") . ", 'rows')");
ok(adds_up($r), 'vaccination rows with bad ones add up') or diag($said);
cmp_ok($r->{quarantined}, '>=', 1, "of which $r->{quarantined} elements are in quarantine");
unlike(quarantine($r->{payload}), qr/$mark/, 'without a value');
for my $text ("{\"full_name\": \"$mark", "\"$mark\"", "{\"record_id\": {\"a\": \"$mark\"}}", "[1]")
{
	($r, $state, $said) = call('SELECT ehr.ingest_immunization_lines(' . quoted($text) . ", 'rows')");
	ok($r ? adds_up($r) : $state =~ /^22/, "vaccination row $text: " . ($r ? 'quarantined' : "refused with $state")) or diag($said);
	unlike($said =~ s/^LINE \d+: .*$//mr, qr/$mark/, '  without a value');
}

# --- nothing of a value in quarantine or in the log
is(sql(qq{SELECT count(*) FROM ehr_store.quarantine q WHERE q::text ~* '$mark|079185'}), '0', 'no value in quarantine');
is_deeply([ grep { /$mark/i && !/ STATEMENT:  / && !/^\t/ } split /\n/, slurp_file($node->logfile) ], [], 'nor in the log beyond the statement itself');

# --- kill -9 in the middle: what was receipted is there whole, the rest not at all
my $size = 40;
sub big { my ($i) = @_; my $p = entry(person(sprintf '0791860%05d', $i)); return bundle('transaction', $p, map { entry(observation($p, valueInteger => $_)) } 1 .. $size - 1); }
my $next = 0;
my %acknowledged;
for my $round (1 .. 3)
{
	my $feed = '';
	$feed .= "SELECT ehr.ingest_bundle(" . quoted(big($_)) . ", 'feed-$_') ->> 'resources', $_;\n" for map { $next++ } 1 .. 200;
	my ($out, $err) = ('', '');
	my $script = scratch() . "/feed$round.sql";
	append_to_file($script, "SELECT 'pid', pg_backend_pid();\n$feed");
	my $run = IPC::Run::start([ 'psql', '-XAtq', '-h', $node->host, '-p', $node->port, '-U', 'feed', '-d', $db, '-f', $script ], '>', \$out, '2>', \$err);
	my ($pid, $enough) = (undef, 5 + 3 * $round);
	for (1 .. 1000)
	{
		$run->pump_nb;
		($pid) = $out =~ /^pid\|(\d+)/m;
		last if $pid && ($out =~ tr/\n//) > $enough;
		usleep(20_000);
	}
	usleep(rand 30_000);
	kill 'KILL', $pid;
	$run->finish;
	usleep(300_000);
	$node->poll_query_until($db, 'SELECT true') or die 'the server did not come up again';
	my @receipts = $out =~ /^(\d+\|\d+)$/mg;
	$acknowledged{ (split /\|/)[1] } = (split /\|/)[0] for @receipts;
	cmp_ok(scalar @receipts, '<', 200, "round $round: killed after @{[scalar @receipts]} receipts");
}
my %there = map { split /\|/ } split /\n/, sql(q{SELECT substring(doc::jsonb #>> '{meta,source}' FROM 'feed-(\d+)$'), count(*) FROM ehr_store.resource WHERE doc::jsonb #>> '{meta,source}' ~ 'feed-\d+$' GROUP BY 1});
is_deeply([ grep { ($there{$_} // 0) != $size || $acknowledged{$_} != $size } sort keys %acknowledged ], [], scalar(keys %acknowledged) . ' bundles were receipted, and each is there whole');
is_deeply([ grep { $there{$_} != $size } sort keys %there ], [], 'no other is there in part');
is(sql(q{SELECT count(*) FROM ehr_store.payload WHERE source ~ '^feed-' AND (receipt ->> 'resources')::int IS DISTINCT FROM 40}), '0', 'every payload has its receipt');
is(sql(q{SELECT count(*) FROM ehr_store.payload WHERE source ~ '^feed-'}), scalar keys %there, 'as many as bundles that are there');
is(sql(q{SELECT count(*) FROM ehr_store.resource r WHERE r.type = ehr_internal.type_number('Patient') AND r.doc::jsonb #>> '{meta,source}' ~ 'feed-' AND NOT EXISTS (SELECT FROM ehr_store.person_link l WHERE l.subject = r.key)}), '0', 'every patient is somebody');
is(sql(q{SELECT * FROM ehr_store.resource_key k WHERE NOT EXISTS (SELECT FROM ehr_store.resource r WHERE r.key = k.key)}), '', 'no name of a resource without one');
is(sql(q{SELECT * FROM ehr_internal.audit_verify()}), '', 'and the audit log is whole');

$node->stop;
done_testing();
