# doc/views.md: every example gives what the page says; a dump takes views along, and both kinds show a session the same.
use strict;
use warnings;
use Encode ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use lib ($ENV{EHR_TOP} // '.') . '/test/perl';
use EhrTest;

my $node = ehr_node('views');
$node->safe_psql('postgres', 'CREATE EXTENSION ehr; SELECT ehr.create_store()');

open(my $file, '<:encoding(UTF-8)', ($ENV{EHR_TOP} // '.') . '/doc/views.md') or die $!;
my $page = do { local $/; <$file> };
my $examples = 0;
while ($page =~ /```sql\n(.*?)```\n```text\n(.*?)```/sg)
{
	my ($statements, $expected) = ($1, $2);
	$examples++;
	is(Encode::decode('UTF-8', $node->safe_psql('postgres', Encode::encode('UTF-8', $statements))) . "\n", $expected, "example $examples of the page");
}
ok($examples >= 3, 'the page has its examples');
for my $function (split /\n/, $node->safe_psql('postgres', q{
	SELECT p.proname FROM pg_proc p WHERE p.pronamespace = 'ehr'::regnamespace AND p.proname ~ '(^view_|_view$)'}))
{
	like($page, qr/^[^|\n]*ehr\.$function\(/m, "the page shows $function");
}

# 300 patients of three facilities, some changed, some removed: refreshed step by step, the table is what the view is
my $definition = q{'{"resource": "Patient", "select": [{"column": [{"name": "id", "path": "id"}, {"name": "gender", "path": "gender"}]}, {"forEachOrNull": "name", "column": [{"name": "family", "path": "family"}]}]}'};
$node->safe_psql('postgres', qq{SELECT ehr.create_view('plain', $definition), ehr.create_view('kept', $definition, true)});
for my $step (1 .. 5)
{
	$node->safe_psql('postgres', qq{
		SELECT count(ehr_internal.store_write(jsonb_build_object('resourceType', 'Patient', 'id', 'p' || n, 'gender', CASE (n + $step) % 2 WHEN 0 THEN 'female' ELSE 'male' END,
			'name', (SELECT jsonb_agg(jsonb_build_object('family', 'F' || i)) FROM generate_series(0, (n + $step) % 3) AS i)), 'F' || n % 3))
		FROM generate_series($step * 50, $step * 50 + 60) AS n;
		SELECT ehr.refresh_view('kept')});
	is($node->safe_psql('postgres', q{
		SELECT (SELECT count(*) FROM (TABLE ehr_store.plain EXCEPT ALL SELECT id, gender, family FROM ehr_store.kept) AS d)
			+ (SELECT count(*) FROM (SELECT id, gender, family FROM ehr_store.kept EXCEPT ALL TABLE ehr_store.plain) AS d)}), '0', "refreshed after step $step");
}
# what a transaction that still runs writes comes with a later refresh
my $writer = $node->background_psql('postgres');
$writer->query_safe(q{BEGIN; SELECT ehr_internal.store_write('{"resourceType": "Patient", "id": "late", "gender": "other"}', 'F0')});
$node->safe_psql('postgres', q{SELECT ehr_internal.store_write('{"resourceType": "Patient", "id": "soon", "gender": "other"}', 'F0'); SELECT ehr.refresh_view()});
$writer->query_safe('COMMIT');
$writer->quit;
is($node->safe_psql('postgres', q{SELECT count(*) FROM ehr_store.kept WHERE id IN ('late', 'soon')}), '1', 'an unfinished transaction is not in the table');
$node->safe_psql('postgres', 'SELECT ehr.refresh_view()');
is($node->safe_psql('postgres', q{SELECT string_agg(id, ' ' ORDER BY id) FROM ehr_store.kept WHERE id IN ('late', 'soon')}), 'late soon', 'it is after the next refresh');

# a dump and its restore
my $dump = scratch() . '/views.sql';
command_ok([ 'pg_dump', '-h', $node->host, '-p', $node->port, '-f', $dump, 'postgres' ], 'dumped');
$node->safe_psql('postgres', 'CREATE DATABASE again');
command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-h', $node->host, '-p', $node->port, '-d', 'again', '-f', $dump ], 'restored');
is($node->safe_psql('again', q{SELECT (SELECT count(*) FROM ehr_store.plain) = (SELECT count(*) FROM ehr_store.kept), (SELECT count(*) > 300 FROM ehr_store.plain),
	(SELECT relforcerowsecurity FROM pg_class WHERE oid = 'ehr_store.kept'::regclass)}), 't|t|t', 'views and their row security are as they were');
$node->safe_psql('again', q{SELECT ehr_internal.store_write('{"resourceType": "Patient", "id": "p50", "gender": "unknown"}', 'F2'); SELECT ehr.refresh_view()});
is($node->safe_psql('again', q{SELECT DISTINCT gender FROM ehr_store.kept WHERE id = 'p50'}), 'unknown', 'and are kept fresh');

done_testing();
