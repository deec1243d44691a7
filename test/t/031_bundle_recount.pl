# The receipts of Bundles and of vaccination rows, recounted from what was sent by another program: jq, and this script.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $top = $ENV{EHR_TOP};
my $build = $ENV{EHR_BUILD};
my $dir = $PostgreSQL::Test::Utils::tmp_check;
plan(skip_all => 'no jq here') if system('jq --version >/dev/null 2>&1') != 0;

my $node = PostgreSQL::Test::Cluster->new('recount');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'ehr'\nfsync = off");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION ehr; SELECT ehr.create_store();');

# ---- Bundles: ours, and one with a fault in each kind of Bundle ----

system("python3 $top/test/data/bundles.py --patients 6 --seed 3 > $dir/bundles.ndjson") == 0 or die;
open(my $more, '>>', "$dir/bundles.ndjson") or die;
for my $type ('transaction', 'batch')
{
	print $more qq({"resourceType":"Bundle","type":"$type","entry":[{"resource":{"resourceType":"Patient","active":true,"name":[{"text":"A","given":["b","c"]}]},)
	  . qq("request":{"method":"POST","url":"Patient"}},{"resource":{"resourceType":"Patient","gender":"wrong","active":false},"request":{"method":"POST","url":"Patient"}}]}\n);
}
close $more;
if (-r "$top/../shared/suites/synthea-r4/cases/bundles.ndjson.gz")
{
	system("gzip -dc $top/../shared/suites/synthea-r4/cases/bundles.ndjson.gz 2>/dev/null | head -3 >> $dir/bundles.ndjson");
}
else { note('no Synthea bundles here'); }

my $scalars = '[paths(type != "object" and type != "array")] | length';
my @sent = split /\n/, `jq -c '$scalars' $dir/bundles.ndjson`;
my @resources = split /\n/, `jq -c '[.entry[].resource | $scalars] | add' $dir/bundles.ndjson`;
my @receipts = split /\n/, $node->safe_psql('postgres', <<"SQL");
CREATE TEMPORARY TABLE sent (n int GENERATED ALWAYS AS IDENTITY, line text);
\\copy sent (line) FROM '$dir/bundles.ndjson' WITH (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')
SELECT concat_ws(' ', r ->> 'sent', r ->> 'mapped', r ->> 'kept', r ->> 'quarantined') FROM (SELECT n, ehr.ingest_bundle(line::jsonb, 'recount') AS r FROM sent) AS s ORDER BY n;
SQL
is(scalar(@receipts), scalar(@sent), 'a receipt for each Bundle');
for my $i (0 .. $#receipts)
{
	my ($sent, $mapped, $kept, $quarantined) = split / /, $receipts[$i];
	is($sent, $sent[$i], "Bundle $i: elements sent, as jq counts them");
	is($mapped + $kept + $quarantined, $sent, "Bundle $i: sent = mapped + kept + quarantined");
	is($kept, $sent[$i] - $resources[$i], "Bundle $i: kept is the envelope");
}
like($receipts[6], qr/^\S+ 0 /, 'of a transaction with a fault nothing is mapped');
like($receipts[7], qr/^\S+ 5 \S+ 3$/, 'of a batch with a fault the rest is');

# ---- vaccination rows: cells that are not empty ----

SKIP:
{
	skip('no generator here', 3) if system("$top/test/data/build $dir/bin >/dev/null 2>&1") != 0;
	system("$dir/bin/vaccinations --rows 3000 --seed 5 --out $dir/rows.csv --truth $dir/truth.csv >/dev/null") == 0 or die;
	open(my $csv, '<', "$dir/rows.csv") or die;
	my $header = <$csv>;
	chomp $header;
	my $cells = 0;
	while (my $line = <$csv>)
	{
		chomp $line;
		$line =~ s/"(?:[^"]|"")*"/x/g;
		$cells += grep { length } split(/,/, $line, -1);
	}
	(my $columns = $header) =~ s/,/ text, /g;
	my $receipt = $node->safe_psql('postgres', <<"SQL");
CREATE TABLE staged ($columns text);
\\copy staged FROM '$dir/rows.csv' WITH (FORMAT csv, HEADER)
SELECT concat_ws(' ', r ->> 'rows', r ->> 'sent', r ->> 'mapped', r ->> 'kept', r ->> 'quarantined') FROM ehr.ingest_immunizations('staged', 'recount') AS r;
SQL
	my ($rows, $sent, $mapped, $kept, $quarantined) = split / /, $receipt;
	is($rows, 3000, 'rows of the receipt');
	is($sent, $cells, 'elements sent are the cells that are not empty');
	is($mapped + $kept + $quarantined, $sent, 'and sent = mapped + kept + quarantined');
}
$node->stop;
done_testing();
