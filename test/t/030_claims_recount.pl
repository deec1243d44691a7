# Claims XML of the generator, taken in whole: what the receipts say is counted again with other tools (libxml2's xmllint,
# and base64 decoding of Perl's own), and every fault that the generator planted must be found in quarantine.
use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use JSON::PP;
use MIME::Base64;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $generator = "$ENV{EHR_TOP}/test/data/claims.py";
my $tmp = PostgreSQL::Test::Utils::tempdir;

sub generate
{
	my ($dir, @options) = @_;
	system('python3', '-B', $generator, '--out', $dir, @options) == 0 or die 'generator failed';
	return map { my $f = $_; $f =~ s{.*/}{}; $f } sort glob("$dir/*.xml");
}

sub fingerprint { my ($dir) = @_; return sha256_hex(join '', map { slurp_file($_) } sort glob("$dir/*")); }

# ---- the generator ----
my @files = generate("$tmp/claims");
generate("$tmp/again");
generate("$tmp/other", '--seed', 2);
is(fingerprint("$tmp/again"), fingerprint("$tmp/claims"), 'the same seed gives the same bytes');
isnt(fingerprint("$tmp/other"), fingerprint("$tmp/claims"), 'another seed gives others');
chmod 0755, $tmp;

# ---- counting again: elements with text and no child element; a file that cannot be read is one ----
my %seen;      # deviations that were really in the files
my %facility;
my @names;

sub is_base64 { my ($t) = @_; $t =~ s/\s+//g; return length($t) % 4 == 0 && $t =~ m{^[A-Za-z0-9+/]*={0,2}$}; }

sub look
{
	my ($kind, $xml) = @_;
	$seen{$kind}++;
	$seen{bom}++ if $xml =~ s/^\xEF\xBB\xBF//;
	$seen{cdata}++ if $xml =~ /<!\[CDATA\[/;
	$seen{'decimal comma'}++ if $xml =~ m{<T_THUOC>\d+,\d\d</};
	$seen{'two-digit province'}++ if $xml =~ m{<MATINH_CU_TRU>\d\d</};
	$seen{'empty identity number'}++ if $xml =~ m{<SO_CCCD\s*/>|<SO_CCCD></};
	$seen{'nine-digit identity number'}++ if $xml =~ m{<SO_CCCD>\d{9}</};
	$seen{'missing element'}++ if $kind eq 'XML1' && $xml !~ /MA_DOITUONG_KCB/;
	$seen{'unknown element'}++ if $xml =~ /MA_VONG_TAY/;
	push @names, $1 if $kind eq 'XML1' && $xml =~ m{<HO_TEN>(?:<!\[CDATA\[)?([^<\]]+)};
	return $xml;
}

sub recount
{
	my ($file) = @_;
	my $envelope = slurp_file("$tmp/claims/$file");
	my $dossiers = () = $envelope =~ /<HOSO>/g;
	my ($sent, @readable) = (0);
	$facility{$1}++ if $envelope =~ m{<MACSKCB>(.*?)</};
	while ($envelope =~ m{<LOAIHOSO>(.*?)</LOAIHOSO>\s*<NOIDUNGFILE>(.*?)</NOIDUNGFILE>}gs)
	{
		my ($kind, $content) = ($1, $2);
		if (!is_base64($content)) { $sent++; next; }
		my $path = sprintf('%s/inner%04d.xml', $tmp, scalar @readable);
		my $xml = look($kind, decode_base64($content));
		append_to_file($path, '') unless -e $path;
		open my $out, '>:raw', $path or die; print $out $xml; close $out;
		# xmllint would read a file with entities; it must not be
		if ($xml =~ /<!DOCTYPE/ || system("xmllint --nonet --noout $path 2>/dev/null") != 0) { $sent++; next; }
		$xml =~ s/^<\?xml.*?\?>//;
		push @readable, $xml;
	}
	open my $out, '>:raw', "$tmp/all.xml" or die;
	print $out "<all>@readable</all>";
	close $out;
	my $leaves = `xmllint --nonet --xpath 'count(//*[not(*)][normalize-space(.) != ""])' $tmp/all.xml`;
	return ($dossiers, $sent + $leaves);
}

# ---- taking it in ----
my $node = PostgreSQL::Test::Cluster->new('claims');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'ehr'\nfsync = off\n");
$node->start;
my $db = 'postgres';
sub sql { return $node->safe_psql($db, $_[0]); }
sub ingest { my ($f) = @_; return qq{ehr.ingest_claims(pg_read_binary_file('$tmp/claims/$f'), 'tap')}; }

sql(q{CREATE EXTENSION ehr; SELECT ehr.create_store()});
my (%receipt, %total, @wrong);
for my $file (@files)
{
	my $r = decode_json(sql('SELECT ' . ingest($file)));
	my ($dossiers, $sent) = recount($file);
	$receipt{$file} = $r;
	push @wrong, "$file: $r->{dossiers} dossiers, counted $dossiers" if $r->{dossiers} != $dossiers;
	push @wrong, "$file: sent $r->{sent}, counted $sent" if $r->{sent} != $sent;
	push @wrong, "$file: does not add up" if $r->{sent} != $r->{mapped} + $r->{kept} + $r->{quarantined};
	$total{$_} += $r->{$_} for qw(dossiers sent mapped kept quarantined resources refused);
}
is_deeply(\@wrong, [], "what was sent is what xmllint counts, and sent = mapped + kept + quarantined, in each of @{[scalar @files]} payloads");
note join ', ', map { "$_ $total{$_}" } sort keys %total;
cmp_ok($total{dossiers}, '>=', 200, 'at least 200 dossiers');
cmp_ok(scalar(keys %facility), '>=', 6, 'of at least 6 facilities');
is_deeply([grep { !$seen{$_} } 'XML1', 'XML2', 'XML3', 'XML4', 'XML5', 'bom', 'cdata', 'decimal comma', 'two-digit province',
	'empty identity number', 'nine-digit identity number', 'missing element', 'unknown element'], [], 'with the deviations of real files');

# ---- the receipts against the tables ----
is(sql(q{SELECT sum(elements) FROM ehr_store.quarantine}), $total{quarantined}, 'quarantined: what the rows of the quarantine stand for');
is(sql(q{SELECT count(*) FROM ehr_store.payload_element, jsonb_object_keys(elements)}), $total{kept}, 'kept: what is stored unmapped');
is(sql(q{SELECT count(*) FROM ehr_store.payload WHERE sha256 = sha256(body)}), scalar @files, 'each payload is kept as it came');
is(sql(q{SELECT count(*) FROM (SELECT unnest(resources) FROM ehr_store.claims_dossier WHERE state = 'current' EXCEPT
	SELECT ehr_internal.type_name(type) || '/' || id FROM ehr_store.resource WHERE NOT deleted) x}), 0, 'each resource that a dossier made is there');
is(sql(q{SELECT count(*) FROM (SELECT ehr_internal.type_name(type) || '/' || id FROM ehr_store.resource WHERE NOT deleted EXCEPT
	SELECT unnest(resources) FROM ehr_store.claims_dossier WHERE state = 'current') x}), 0, 'and no other');
is(sql(q{SELECT count(*) FROM ehr_store.resource WHERE NOT deleted AND ehr_internal.fill_text('${x}', jsonb_build_object('x', doc::jsonb::text)) ~ '\$@?[A-Z]'}),
	0, 'no name of a template is left in one');

# ---- what was planted ----
my (%planted, $resent);
for my $line ((split /\n/, slurp_file("$tmp/claims/manifest.tsv"))[1 .. 9999])
{
	last unless defined $line;
	my ($file, $dossier, $kind, $record, $element, $scope, $rule) = split /\t/, $line;
	if ($rule eq 'resent') { $resent = $file; next; }
	my $at = $rule =~ /another-dossier|required-missing/ && $scope eq 'record' ? 'MA_LK' : $element;
	$planted{"$receipt{$file}{payload}.$dossier $kind.$record $at $rule"} = 1;
}
my %found = map { $_ => 1 } split /\n/, sql(q{SELECT format('%s.%s %s.%s %s %s', payload, dossier, kind, record, element, rule) FROM ehr_store.quarantine});
is_deeply(\%found, \%planted, scalar(keys %planted) . ' planted faults are in quarantine, each with its place and rule, and nothing else is');
is(sql(q{SELECT string_agg(DISTINCT value_class, ' ') FROM ehr_store.quarantine WHERE value_class ~ '[1-8B-Zb-z]'}), '', 'with the shape of the value, not the value');
is(sql(qq{SELECT string_agg(state, ' ' ORDER BY payload) FROM ehr_store.claims_dossier WHERE ma_lk =
	(SELECT ma_lk FROM ehr_store.claims_dossier WHERE payload = $receipt{$resent}{payload})}), 'replaced current', 'the dossier sent again has replaced the first');
cmp_ok(sql(q{SELECT count(*) FROM ehr_store.resource WHERE deleted}), '>=', 1, 'and what it no longer holds is removed');

# ---- again: nothing changes ----
my $state = q{SELECT (SELECT count(*) FROM ehr_store.resource), (SELECT count(*) FROM ehr_store.resource_history),
	(SELECT count(*) FROM ehr_store.payload), (SELECT count(*) FROM ehr_store.quarantine)};
my $before = sql($state);
is_deeply([map { decode_json(sql('SELECT ' . ingest($_))) } @files], [map { $receipt{$_} } @files], 'the same payloads again: the same receipts');
is(sql($state), $before, 'and nothing written');

# a replay of all that is open, with nothing mended, changes nothing either
sql(q{DO $$ BEGIN PERFORM ehr.replay(quarantine) FROM (SELECT quarantine FROM ehr_store.quarantine ORDER BY 1) q; END $$});
is(sql($state), $before, 'a replay with nothing mended writes nothing');
is_deeply([map { decode_json($_) } split /\n/, sql(q{SELECT receipt FROM ehr_store.payload ORDER BY payload})], [map { $receipt{$_} } @files], 'and leaves the receipts');

# ---- half of an envelope ----
my $half = slurp_file("$tmp/claims/$files[0]");
my $name = (grep { length > 8 } @names)[0];
append_to_file("$tmp/claims/half.bin", substr($half, 0, length($half) / 2) . $name);
my ($ret, $out, $err) = $node->psql($db, 'SELECT ' . ingest('half.bin'));
isnt($ret, 0, 'half of an envelope is refused');
like($err, qr/Rule "not-well-formed" is broken in line \d+/, 'with rule and line');
is(sql($state), $before, 'and leaves nothing');

# ---- after a crash ----
$node->stop('immediate');
$node->start;
is(sql($state), $before, 'after a crash all that was receipted is there');

my $log = slurp_file($node->logfile);
is_deeply([grep { index($log, $_) >= 0 || index($err, $_) >= 0 } @names], [], 'no name of a patient is in the log or in an error');

done_testing();
