# FHIRPath Patch and JSON Patch: every case of patch-r4; run by test/conformance/run on a cluster of its own.
use strict;
use warnings;
use JSON::PP;

my ($folder, $exceptions) = @ARGV;
my $json = JSON::PP->new->canonical->allow_nonref->utf8;

sub read_json { my ($path) = @_; open(my $file, '<', $path) or die "$path: $!"; local $/; return $json->decode(<$file>); }

# A literal of jsonb, whatever the text holds
sub literal { my ($value) = @_; my $text = $json->encode($value); $text =~ s/'/''/g; return "'$text'::jsonb"; }

sub sql
{
	my ($statement) = @_;
	open(my $psql, '-|', 'psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-d', 'conformance', '-c', $statement) or die $!;
	local $/;
	my $out = <$psql> // '';
	close($psql) or die "psql failed\n";
	$out =~ s/\n\z//;
	return $out;
}

sub line { printf "%-44s %7s %9s %9s %10s  %s\n", @_; }

unless (-d "$folder/patch-r4")
{
	line('patch-r4', '-', '-', '-', '-', 'suite absent');
	exit 0;
}
sql(q{
	CREATE OR REPLACE FUNCTION patched(kind text, doc jsonb, patch jsonb, expected jsonb) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE result jsonb; state text; detail text;
	BEGIN
		result := CASE kind WHEN 'json' THEN ehr.json_patch(doc, patch) ELSE ehr.fhirpath_patch(doc, patch) END;
		RETURN CASE WHEN expected IS NULL THEN 'no error' WHEN result = expected THEN 'ok' ELSE 'another result' END;
	EXCEPTION WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS state = returned_sqlstate, detail = pg_exception_detail;
		RETURN CASE WHEN expected IS NULL AND state ~ '^(22|55)' THEN 'ok' ELSE 'error ' || state || ' ' || SQLERRM || ' ' || coalesce(detail, '') END;
	END $$});
my $failed = 0;
line('suite', 'cases', 'as asked', 'excepted', 'otherwise', 'requirement');
for my $table ([ 'FHIRPath Patch', 'fhirpath', 'fhirpath-patch.json' ], [ 'JSON Patch', 'json', 'json-patch.json' ])
{
	my ($what, $kind, $file) = @$table;
	my (@bad, $cases);
	for my $case (@{ read_json("$folder/patch-r4/$file") })
	{
		my ($doc, $patch, $expected) = $kind eq 'json' ? @$case{qw(doc patch expected)} : @$case{qw(input diff output)};
		my $verdict = sql(sprintf(q{SELECT patched('%s', %s, %s, %s)}, $kind, literal($doc), literal($patch), exists $case->{error} ? 'NULL' : literal($expected)));
		$cases++;
		push @bad, ($case->{name} // $case->{comment}) . ": $verdict" unless $verdict eq 'ok';
	}
	line("patch-r4: $what", $cases, $cases - @bad, 0, scalar @bad, 'all: ' . (@bad ? 'MISSED' : 'met'));
	print "    $_\n" for @bad;
	$failed += @bad;
}
exit($failed ? 1 : 0);
