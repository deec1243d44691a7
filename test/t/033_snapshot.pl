# Snapshots that are generated, beside those that HL7 published; and the time that large Bundles take.
use strict;
use warnings;

use File::Temp qw(tempdir);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $suites = $ENV{EHR_SUITES} // "$ENV{EHR_TOP}/../shared/suites";
my $package = "$suites/fhir-r4-core/hl7.fhir.r4.core-4.0.1.tgz";

my $node = PostgreSQL::Test::Cluster->new('snapshot');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'ehr'\nfsync = off\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION ehr');

# id, cardinality, where it is defined, types and content reference of each element: what a snapshot is asked for
sub skeleton
{
	my ($type) = @_;
	return qq{
		SELECT string_agg(concat_ws(' ', e ->> 'id', e ->> 'path', e ->> 'min', e ->> 'max', e #>> '{base,path}', e ->> 'contentReference',
			(SELECT string_agg(CASE WHEN e ->> 'id' ~ '[.]id\$|[.]url\$' THEN 'text' ELSE t ->> 'code' END, ',' ORDER BY t ->> 'code' COLLATE "C") FROM jsonb_array_elements(e -> 'type') AS y(t)),
			(SELECT string_agg(DISTINCT p COLLATE "C", ',' ORDER BY p COLLATE "C") FROM jsonb_array_elements(e -> 'type') AS y(t), jsonb_array_elements_text(CASE WHEN t ->> 'code' = 'Reference' THEN t -> 'targetProfile' END) AS z(p)
				WHERE p NOT LIKE '%/Resource')), E'\\n' ORDER BY n)
		FROM jsonb_array_elements($type #> '{snapshot,element}') WITH ORDINALITY AS x(e, n)};
}

SKIP: {
	skip "HL7's package is not there: $package", 4 unless -e $package;
	my $dir = tempdir(CLEANUP => 1);
	chmod 0755, $dir;
	system_or_bail('tar', '-xzf', $package, '-C', $dir);
	my $load = "CREATE TABLE published (doc jsonb);\n";
	open my $all, '>', "$dir/all" or die;
	for my $file (sort glob("$dir/package/StructureDefinition-*.json"))
	{
		my $doc = slurp_file($file);
		print $all $doc =~ s/\s*\n\s*/ /gr, "\n";
	}
	close $all;
	chmod 0644, "$dir/all";
	$node->safe_psql('postgres', "$load COPY published FROM '$dir/all' (FORMAT csv, DELIMITER E'\\x02', QUOTE E'\\x01')");

	# why input cannot ask that element ids of a resource be unique (doc/fhir.md): in R4's own definitions they are not
	my $repeated = $node->safe_psql('postgres', q{SELECT count(*) FILTER (WHERE (SELECT count(i) > count(DISTINCT i) FROM jsonb_path_query(doc, '$.snapshot.element[*].id') AS i)
			OR (SELECT count(i) > count(DISTINCT i) FROM jsonb_path_query(doc, '$.differential.element[*].id') AS i)),
		count(*) FILTER (WHERE jsonb_path_query_array(doc, '$.snapshot.element[*].id') @> (jsonb_path_query_array(doc, '$.differential.element[*].id') -> 0)), count(*) FROM published});
	is($repeated, '0|652|658', 'element ids: not repeated within snapshot or differential, but between both, in 652 of 658 definitions');

	# a profile that says nothing has the snapshot of its type
	my $types = $node->safe_psql('postgres', q{
		SELECT count(ehr.load_definition(jsonb_build_object('resourceType', 'StructureDefinition', 'url', 'urn:of:' || (doc ->> 'type'), 'name', 'P', 'status', 'active',
			'kind', doc ->> 'kind', 'abstract', false, 'type', doc ->> 'type', 'baseDefinition', doc ->> 'url', 'derivation', 'constraint',
			'differential', jsonb_build_object('element', jsonb_build_array(jsonb_build_object('id', doc ->> 'type', 'path', doc ->> 'type'))))))
		FROM published WHERE doc ->> 'derivation' IS DISTINCT FROM 'constraint' AND doc ->> 'kind' IN ('resource', 'complex-type') AND doc ->> 'type' <> 'Extension'});
	cmp_ok($types, '>=', 148 + 40, "$types types");
	is($node->safe_psql('postgres', "SELECT doc ->> 'type' FROM published WHERE doc ->> 'derivation' IS DISTINCT FROM 'constraint'
		AND doc ->> 'kind' IN ('resource', 'complex-type') AND doc ->> 'type' <> 'Extension'
		AND (" . skeleton('doc') . ') IS DISTINCT FROM (' . skeleton(q{ehr.snapshot('urn:of:' || (doc ->> 'type'))}) . ')'), '', 'all elements of every type: as published, in their order');

	# HL7's own profiles, loaded without their snapshots
	my $out = $node->safe_psql('postgres', q{
		CREATE TABLE profile AS SELECT doc ->> 'url' AS url, doc FROM published WHERE doc ->> 'derivation' = 'constraint' AND doc ->> 'kind' = 'resource';
		INSERT INTO ehr.definition (kind, url, doc) SELECT 'StructureDefinition', url, doc - 'snapshot' FROM profile;
		SELECT count(*) FROM profile} . ";\n" . 'SELECT url FROM profile WHERE (' . skeleton('doc') . ') IS DISTINCT FROM (' . skeleton('ehr.snapshot(url)') . ') ORDER BY url');
	my ($count, @differ) = split /\n/, $out;
	note("profiles: $count, differing: " . @differ);
	for my $url (@differ)
	{
		my %lines;
		my ($old, $new) = map { my $of = $_; [ split /\n/, $node->safe_psql('postgres', skeleton($of eq 'old' ? "(SELECT doc FROM profile WHERE url = '$url')" : "ehr.snapshot('$url')")) ] } qw(old new);
		$lines{$_}++ for @$new;
		$lines{$_}-- for @$old;
		note(join "\n  ", $url, map { ($lines{$_} > 0 ? '+ ' : '- ') . $_ } grep { $lines{$_} } sort keys %lines);
	}
	# two published snapshots lack elements of their type, one names another element's content differently
	cmp_ok(@differ, '<=', 3, "$count published profiles, of which " . ($count - @differ) . ' have the very elements of their published snapshots');
}

# a Bundle twice as large takes twice as long: references, fullUrls and entries are sorted or walked once
$node->safe_psql('postgres', q{
	CREATE FUNCTION bundle(entries int) RETURNS jsonb LANGUAGE sql AS $$
		SELECT jsonb_build_object('resourceType', 'Bundle', 'type', 'collection', 'entry', jsonb_agg(jsonb_build_object('fullUrl', 'urn:uuid:53fefa32-fcbb-4ff8-8a92-' || lpad(to_hex(n), 12, '0'),
			'resource', jsonb_build_object('resourceType', 'Observation', 'status', 'final', 'code', jsonb_build_object('text', 'x'), 'text', '{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"}'::jsonb,
				'hasMember', jsonb_build_array(jsonb_build_object('reference', 'urn:uuid:53fefa32-fcbb-4ff8-8a92-' || lpad(to_hex(1 + n * 7919 % entries), 12, '0'))))))) FROM generate_series(1, entries) n
	$$;
	CREATE FUNCTION took(doc jsonb) RETURNS float LANGUAGE plpgsql AS $$
	DECLARE best float := 'infinity'; start timestamptz;
	BEGIN
		FOR i IN 1 .. 5 LOOP
			start := clock_timestamp();
			IF jsonb_array_length(ehr.validate(doc) -> 'issue') < 1 THEN RAISE EXCEPTION 'no issue'; END IF;
			best := least(best, extract(epoch FROM clock_timestamp() - start));
		END LOOP;
		RETURN best * 1000;
	END $$});
my ($small, $large) = split /\|/, $node->safe_psql('postgres', 'SELECT took(bundle(2000)), took(bundle(32000))');
note(sprintf('validate() of a Bundle of 2,000 entries %.1f ms, of 32,000 %.1f ms: %.1f times', $small, $large, $large / $small));
cmp_ok($large / $small, '<', 48, 'sixteen times the entries take less than three times sixteen times as long');

$node->stop;
done_testing();
