# The fhir type against data that nobody here wrote, through dump and restore, and in the server's log.
# The suites lie beside the project (or where EHR_SUITES says); their parts are skipped where they are absent.
use strict;
use warnings;

use File::Compare qw(compare);
use File::Temp qw(tempdir);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use EhrSuites;

my $top = $ENV{EHR_TOP};
my $suites = $ENV{EHR_SUITES} // "$top/../shared/suites";
my $absent = "the suites are not there: $suites";

my $node = PostgreSQL::Test::Cluster->new('fhir');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'ehr'\nfsync = off\nlog_statement = 'none'\n");
$node->start;
my $db = 'postgres';
$node->safe_psql($db, 'CREATE EXTENSION ehr');

sub sql { return $node->safe_psql($db, $_[0]); }

my $runner = EhrSuites->new($suites, "$top/test/conformance/exceptions", \&sql);

SKIP: {
	skip $absent, 2 unless -d "$suites/r4-examples";
	my ($count, $refused) = $runner->refusals('r4-examples/cases');
	my @exceptions = $runner->exceptions('r4-examples');
	note("r4-examples: $count, refused: " . keys %$refused);
	note("  $_: $refused->{$_}") for sort keys %$refused;
	is_deeply([ sort keys %$refused ], [ sort @exceptions ], 'r4-examples: refused are those of the exception list, each with its clause');
	cmp_ok(1 - keys(%$refused) / $count, '>=', 0.99, 'r4-examples: at least 99 % accepted');
}

SKIP: {
	skip $absent, 3 unless -e "$suites/synthea-r4/cases/bundles.ndjson.gz";
	my ($bundles, $bad_bundles, $count, $bad) = $runner->synthea;
	is("$bad_bundles of $bundles", '0 of 391', 'Synthea: bundles refused');
	note("Synthea: $count resources, refused: $bad");
	is($bad, 0, 'Synthea: every resource accepted');
	is(sql(q{
		SELECT count(*) FROM resource
		WHERE doc::ehr.fhir::jsonb::text <> doc::jsonb::text OR pg_column_size(doc::ehr.fhir) <> pg_column_size(doc::jsonb)
			OR NOT ehr.is_valid(doc::jsonb)}), 0, 'Synthea: stored as jsonb is, and valid again');
}

SKIP: {
	skip $absent, 2 unless -d "$suites/json-parsing";
	my $p = $runner->json_parsing;
	is_deeply($p->{let_in}, [], "json-parsing: all $p->{reject} cases to reject are rejected as JSON");
	is_deeply($p->{kept_out}, [], "json-parsing: all $p->{accept} cases to accept are read, and refused as not FHIR only");
}

SKIP: {
	skip $absent, 1 unless -d "$suites/r4-examples-extra";
	my ($count, $refused) = $runner->refusals('r4-examples-extra/cases');
	note("r4-examples-extra: $count, refused: " . keys %$refused);
	is(sql('SELECT 1'), 1, 'r4-examples-extra: no crash');
}

SKIP: {
	skip $absent, 4 unless -d "$suites/fhir-r4-core";
	local $ENV{PYTHONDONTWRITEBYTECODE} = 1;
	for my $table (qw(model invariants schedule search))
	{
		my $out = tempdir(CLEANUP => 1) . "/$table.c";
		system_or_bail('python3', "$top/src/core/fhir_${table}_gen.py", '--suite', "$suites/fhir-r4-core", '--out', $out);
		is(compare($out, "$top/src/core/fhir_${table}_generated.c"), 0, "fhir_$table: what its generator makes of the definitions, byte for byte");
	}
}

# -- dump and restore, binary copy
sql(q{
	CREATE TABLE kept (id int PRIMARY KEY, p ehr.fhir('Patient'), g ehr.fhir('Group'), b ehr.fhir('Binary'), l ehr.fhir('List')[], any_type ehr.fhir);
	INSERT INTO kept VALUES (1, '{"resourceType":"Patient","name":[{"given":["a",null],"_given":[null,{"extension":[{"url":"u","valueDecimal":1.50}]}]}]}',
		'{"resourceType":"Group","type":"person","actual":true}', '{"resourceType":"Binary","contentType":"text/plain"}',
		ARRAY['{"resourceType":"List","status":"current","mode":"working"}']::ehr.fhir('List')[], '{"resourceType":"Basic","code":{"text":"\u0110\n\"\\\\"}}');
	CREATE INDEX ON kept ((p ->> 'id'));
	CREATE TABLE copied (LIKE kept);
});
my $dump = tempdir(CLEANUP => 1) . '/dump.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, '-t', 'kept', $db ], 'pg_dump');
like(slurp_file($dump), qr/g ehr\.fhir\('Group'\)/, 'a modifier is dumped quoted');
$node->safe_psql($db, 'CREATE DATABASE other');
$node->safe_psql('other', 'CREATE EXTENSION ehr');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', 'other', '-f', $dump ], 'restore');
is($node->safe_psql('other', 'SELECT * FROM kept'), sql('SELECT * FROM kept'), 'restored as it was');
my $binary = $node->basedir . '/binary';
sql("COPY kept TO '$binary' (FORMAT binary); COPY copied FROM '$binary' (FORMAT binary)");
is(sql('SELECT count(*) FROM kept JOIN copied USING (id, p, g, b, l, any_type)'), 1, 'binary COPY gives back the same');
my ($status, $stdout, $stderr) = $node->psql($db, "CREATE TABLE groups (id int, p ehr.fhir('Group')); COPY kept (id, p) TO '$binary' (FORMAT binary); COPY groups FROM '$binary' (FORMAT binary)");
like($stderr, qr/FHIR resource of the wrong type/, 'binary COPY obeys the modifier');

# the version byte: 1 is read, another is not, and a fault in the text is told as in text, without a value
my %version = map { my ($version, $json) = @$_;
	my ($r, $o, $e) = $node->psql($db, "COPY (SELECT 7, decode('$version', 'hex') || convert_to('$json', 'UTF8')) TO '$binary' (FORMAT binary);
		BEGIN; COPY copied (id, p) FROM '$binary' (FORMAT binary); ROLLBACK", on_error_stop => 1);
	("$version $json" => $r == 0 ? 'taken' : $e =~ s/.*?ERROR:  ([^\n]*)(?:\nDETAIL:  ([^\n]*))?.*/$1 . (defined $2 ? " $2" : '')/ser)
} [ '01', '{"resourceType":"Patient"}' ], [ '02', '{"resourceType":"Patient"}' ], [ '7b', '{"resourceType":"Patient"}' ], [ '01', '{"resourceType":"Patient","gender":"secret"}' ], [ '01', '{"resourceType":' ];
is_deeply(\%version, {
	'01 {"resourceType":"Patient"}' => 'taken',
	'02 {"resourceType":"Patient"}' => 'unsupported version of the binary format of type fhir: 2',
	'7b {"resourceType":"Patient"}' => 'unsupported version of the binary format of type fhir: 123',
	'01 {"resourceType":"Patient","gender":"secret"}' => 'invalid FHIR resource Patient.gender: the code is not in the required value set.',
	'01 {"resourceType":' => 'invalid JSON in a FHIR resource The text ends too early (byte 17).' }, 'binary format: version byte');

# -- soft errors
SKIP: {
	my $server = sql('SHOW server_version_num');
	skip "PostgreSQL $server has no pg_input_is_valid (16 and later have)", 2 if $server < 160000;
	is(sql(q~SELECT string_agg(pg_input_is_valid(t, y)::text, ' ') FROM (VALUES ('{"resourceType":"Patient"}', 'ehr.fhir'), ('{"resourceType":"Patient","naem":1}', 'ehr.fhir'),
		('{"resourceType":"Patient"', 'ehr.fhir'), ('{"resourceType":"Patient"}', 'ehr.fhir(Patient)'), ('{"resourceType":"Basic","code":{"text":"x"}}', 'ehr.fhir(Patient)'),
		('{"resourceType":"Patient","birthDate":"1990-02-30"}', 'ehr.fhir'), ('{"resourceType":"Patient","active":true,"active":true}', 'ehr.fhir'), ('x', 'ehr.fhir'),
		('{"resourceType":"Patient","name":[{"family":"\u0000"}]}', 'ehr.fhir'), ('07909000000', 'ehr.citizen_id'), ('079090000001', 'ehr.citizen_id'), ('x', 'ehr.insurance_no'), ('7900000001', 'ehr.insurance_no'),
		('E119', 'ehr.icd10'), ('1', 'ehr.icd10')) v(t, y)~),
		'true false false true false false false false false false true false true true false', 'pg_input_is_valid');
	is(sql(q~SELECT string_agg(concat_ws(' ', sql_error_code, message, detail, hint), '; ') FROM (VALUES ('{"resourceType":"Patient","birthDate":"1990-02-30"}'), ('{"resourceType":"Patient"')) v(t), pg_input_error_info(t, 'ehr.fhir')~),
		'23514 invalid FHIR resource Patient.birthDate: not a valid date. Write YYYY, YYYY-MM or YYYY-MM-DD, a day that the calendar has.; 22P02 invalid JSON in a FHIR resource The text ends too early (byte 26).',
		'pg_input_error_info: place, rule and hint');
}

# -- nothing personal in a client's or the server's log, by any way in
my $secret = 'Nguyễn Bí Mật 079090000001';
my @bad = (
	qq({"resourceType":"Patient","birthDate":"$secret"}), qq({"resourceType":"Patient","$secret":1}), qq({"resourceType":"Patient","gender":"$secret"),
	qq({"resourceType":"Patient","name":[{"family":"$secret","use":"x"}]}), qq({"resourceType":"$secret"}), qq("$secret"),
	qq({"resourceType":"Patient","id":"$secret"}), qq({"resourceType":"Patient","text":{"status":"generated","div":"<p>$secret"}}),
	qq({"resourceType":"Basic","code":{"text":"$secret"}}), qq({"resourceType":"Patient","name":[{"family":"$secret\\q"}]}));
$node->safe_psql($db, q{
	CREATE DOMAIN patient AS ehr.fhir('Patient') CHECK (VALUE IS NOT NULL);
	CREATE FUNCTION take(doc ehr.fhir) RETURNS void LANGUAGE plpgsql AS 'BEGIN INSERT INTO kept (id, p) VALUES (2, doc); END';
	CREATE FUNCTION take_text(doc text) RETURNS ehr.fhir LANGUAGE sql AS $$SELECT doc::ehr.fhir('Patient')$$;
	CREATE TABLE texts (t text);
});
my @ways = (
	sub { "INSERT INTO kept (p) VALUES ('$_[0]')" },
	sub { "COPY kept (p) FROM stdin;\n" . $_[0] =~ s/\\/\\\\/gr . "\n\\.\n" },
	sub { "DO \$\$ BEGIN INSERT INTO kept (p) VALUES ('$_[0]'); END \$\$" },
	sub { "DO \$\$ DECLARE v ehr.fhir('Patient'); BEGIN v := '$_[0]'; END \$\$" },
	sub { "PREPARE i(ehr.fhir('Patient')) AS INSERT INTO kept (p) VALUES (\$1); EXECUTE i('$_[0]')" },
	sub { "COPY kept (p) FROM stdin (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02');\n$_[0]\n\\.\n" },
	sub { "UPDATE kept SET p = '$_[0]'" },
	sub { "INSERT INTO kept (id, p) VALUES (1, '$_[0]') ON CONFLICT (id) DO UPDATE SET p = excluded.p" },
	sub { "INSERT INTO kept (p) SELECT t::ehr.fhir('Patient') FROM (VALUES ('$_[0]'::text)) v(t)" },
	sub { "SELECT (ARRAY['$_[0]']::text[])::ehr.fhir('Patient')[]" },
	sub { "INSERT INTO kept (l) VALUES (ARRAY['$_[0]']::ehr.fhir('List')[])" },
	sub { "CREATE TEMP TABLE made AS SELECT '$_[0]'::ehr.fhir('Patient') AS p" },
	sub { "SELECT '$_[0]'::patient" },
	sub { "SELECT take('$_[0]')" },
	sub { "SELECT take_text('$_[0]')" },
	sub { "INSERT INTO texts VALUES ('$_[0]'); ALTER TABLE texts ALTER t TYPE ehr.fhir('Patient') USING t::ehr.fhir" },
	sub { "DO \$\$ BEGIN EXECUTE 'INSERT INTO kept (p) SELECT \$1::ehr.fhir' USING '$_[0]'::text; END \$\$" },
	sub { "MERGE INTO kept USING (SELECT '$_[0]'::ehr.fhir AS d) s ON id = 1 WHEN MATCHED THEN UPDATE SET p = s.d" },
	sub { "WITH w AS (SELECT '$_[0]'::ehr.fhir('Patient') AS d) SELECT w.d ->> 'id' FROM w" },
	sub { "CREATE TEMP TABLE d (p ehr.fhir('Patient') DEFAULT '$_[0]'); INSERT INTO d DEFAULT VALUES" },
);
my $out = '';
my $refused = 0;
for my $way (@ways)
{
	for my $doc (@bad)
	{
		my ($ret, $o, $e) = $node->psql($db, $way->($doc), on_error_stop => 1);
		$refused++ if $ret != 0;
		$out .= "$o\n$e\n";
	}
}
is($refused, @ways * @bad, "every bad document is refused by every way in: $refused loads");
unlike($out, qr/Nguy|079090/, 'the client is told no value');
# log_statement is off; what PostgreSQL writes about failed statements is switched off by the error itself
unlike(slurp_file($node->logfile), qr/Nguy|079090/, 'the server logs no value');

# -- statistics
sql('ANALYZE kept; ANALYZE copied');
is(sql(q{SELECT count(*) FROM pg_stats WHERE tablename = 'kept' AND attname IN ('p', 'g', 'b', 'any_type')
	AND (most_common_vals IS NOT NULL OR histogram_bounds IS NOT NULL OR most_common_elems IS NOT NULL)}), 0, 'ANALYZE keeps no document');

# -- no leak: a million bytes of documents a round, the same memory after a hundred rounds
is(sql(q{
	DO $$
	DECLARE before bigint; after bigint;
	BEGIN
		FOR i IN 1..300 LOOP
			PERFORM refusal('{"resourceType":"Patient","name":[' || repeat('{"family":"\u0041"},', 1000) || '{"family":' || CASE WHEN i % 2 = 0 THEN '1' ELSE '"x"' END || '}]}');
			IF i = 100 THEN SELECT sum(used_bytes) INTO before FROM pg_backend_memory_contexts; END IF;
		END LOOP;
		SELECT sum(used_bytes) INTO after FROM pg_backend_memory_contexts;
		PERFORM set_config('test.growth', (after - before)::text, false);
	END $$;
	SELECT current_setting('test.growth')::bigint < 100000}), 't', 'validation leaves no memory behind');

$node->stop;
done_testing();
