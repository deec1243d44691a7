# What several TAP tests share: a server with ehr, tokens of an issuer of their own, and a small load of each kind of payload.
package EhrTest;
use strict;
use warnings;

use Exporter 'import';
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

our @EXPORT = qw(ehr_node issuer token as_session load_payloads build_generators scratch);

my ($jwk, $public);

sub top { return $ENV{EHR_TOP} // '.'; }
# a folder that this user may write to
sub scratch { return $ENV{TESTDATADIR} // tempdir_short(); }

# Standard output of a command that must succeed
sub captured
{
	my @command = @_;
	my $out;
	IPC::Run::run(\@command, '>', \$out) or die "@command failed";
	chomp $out;
	return $out;
}

# The public key of the test's issuer, made with its private one on the first call.
sub issuer
{
	my $tool = ($ENV{EHR_BUILD} // 'build') . '/bin/ehr-token';
	return $public if $public;
	$jwk = scratch() . '/issuer.jwk';
	my $key = captured($tool, 'keygen');
	open my $file, '>', $jwk or die $!;
	print $file $key;
	close $file;
	return $public = captured($tool, 'public', '--key', $jwk);
}

# token(KIND, SUB, claim => value ...): a signed token with a jti of its own
sub token
{
	my ($kind, $sub, %claims) = @_;
	issuer();
	return captured(($ENV{EHR_BUILD} // 'build') . '/bin/ehr-token', 'sign', '--key', $jwk, '--kid', 'test', 'iss=https://id.example.vn', 'aud=ehr',
		"ehr_kind=$kind", "sub=$sub", map { "$_=$claims{$_}" } sort keys %claims);
}

sub ehr_node
{
	my ($name, @settings) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init;
	$node->append_conf('postgresql.conf', join "\n", "shared_preload_libraries = 'ehr'", "ehr.token_issuer = 'https://id.example.vn'",
		"ehr.token_audience = 'ehr'", "timezone = 'Asia/Ho_Chi_Minh'", 'fsync = off',
		# the server's own defaults, where tests have others
		'log_statement = none', 'log_line_prefix = \'%m [%p] \'', @settings, '');
	$node->start;
	return $node;
}

# as_session(NODE, DATABASE, ROLE, [KIND, SUB, claims], SQL): the output of SQL in a transaction of that session; nobody's without claims
sub as_session
{
	my ($node, $db, $role, $who, $sql) = @_;
	my $login = $who ? 'SELECT FROM ehr.login(\'' . token(@$who) . "') \\gset\n" : '';
	return $node->safe_psql($db, "BEGIN;\n$login$sql;\nCOMMIT;", extra_params => ['-U', $role]);
}

sub build_generators
{
	my $bin = scratch() . '/bin';
	system(top() . '/test/data/build', $bin) == 0 or die 'the generators do not build';
	return $bin;
}

# A file's content as a psql variable, quoted by psql
sub from_files
{
	my ($node, $db, $role, $call, @files) = @_;
	my $script = join '', map { "\\set content `cat '$_'`\nSELECT $call;\n" } @files;
	return map { decode_json($_) } grep { length } split /\n/, $node->safe_psql($db, $script, extra_params => ['-U', $role]);
}

# Payloads of each kind, made once: claims files, bundles, and a table of vaccination rows with its truth.
sub make_payloads
{
	my (%n) = @_;
	my ($dir, $bin) = (scratch() . '/load', build_generators());
	return $dir if -d $dir;
	mkdir $dir;
	captured('python3', '-B', top() . '/test/data/claims.py', '--out', "$dir/claims", '--dossiers', $n{dossiers});
	my $i = 0;
	for my $line (split /\n/, captured('python3', '-B', top() . '/test/data/bundles.py', '--patients', $n{patients}))
	{
		append_to_file(sprintf('%s/bundle%03d.json', $dir, $i++), $line);
	}
	captured("$bin/vaccinations", '--rows', $n{rows}, '--seed', 1, '--out', "$dir/rows.csv", '--truth', "$dir/truth.csv");
	return $dir;
}

# load_payloads(NODE, DATABASE, ROLE, dossiers => n, patients => n, rows => n) → receipts by kind
sub load_payloads
{
	my ($node, $db, $role, %n) = @_;
	my $dir = make_payloads(%n);
	my ($header) = split /\n/, slurp_file("$dir/rows.csv");
	my $columns = join ', ', map { "$_ text" } split /,/, $header;
	$node->safe_psql($db, "CREATE TABLE IF NOT EXISTS public.vaccination_rows ($columns); GRANT SELECT ON public.vaccination_rows TO $role; TRUNCATE public.vaccination_rows;
\\copy public.vaccination_rows FROM '$dir/rows.csv' WITH (FORMAT csv, HEADER)");
	return {
		claims => [ from_files($node, $db, $role, q{ehr.ingest_claims(:'content'::text, 'portal')}, sort glob("$dir/claims/*.xml")) ],
		bundles => [ from_files($node, $db, $role, q{ehr.ingest_bundle(:'content'::jsonb, 'bundle-feed')}, sort glob("$dir/bundle*.json")) ],
		immunizations => [ decode_json($node->safe_psql($db, q{SELECT ehr.ingest_immunizations('public.vaccination_rows', 'vaccinations')}, extra_params => [ '-U', $role ])) ] };
}

1;
