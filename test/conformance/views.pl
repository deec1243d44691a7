# SQL on FHIR v2's own tests; run by test/conformance/run on a cluster of its own.
use strict;
use warnings;

my ($folder, $exceptions) = @ARGV;
my @files = sort glob("$folder/sql-on-fhir-v2/cases/*.json");
unless (@files) { printf "%-44s suite absent\n", 'sql-on-fhir-v2'; exit 0; }

# Files go to the server as they are: a JSON module of Perl's would make 1 of 1.0.
my $statements = q{
	-- rows are compared as a set: a column that is null may as well be absent
	CREATE FUNCTION sorted(rows jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS
		$$ SELECT coalesce(jsonb_agg(r ORDER BY r), '[]') FROM (SELECT jsonb_strip_nulls(e) AS r FROM jsonb_array_elements(rows) AS e) AS s $$;
	CREATE FUNCTION verdict(resources jsonb, test jsonb) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		got jsonb;
		columns jsonb;
	BEGIN
		BEGIN
			SELECT jsonb_agg(c.name) INTO columns FROM ehr.view_columns(test -> 'view') AS c;
			SELECT jsonb_agg(v) INTO got FROM jsonb_array_elements(resources) AS r, ehr.view_rows(test -> 'view', r) AS v;
		EXCEPTION WHEN internal_error THEN RETURN 'internal error ' || SQLERRM;
		WHEN OTHERS THEN
			RETURN CASE WHEN (test ->> 'expectError')::bool THEN 'ok' ELSE SQLSTATE || ' ' || SQLERRM END;
		END;
		got := sorted(coalesce(got, '[]'));
		RETURN CASE WHEN (test ->> 'expectError')::bool THEN 'no error'
			WHEN columns <> test -> 'expectColumns' THEN format('columns %s', columns)
			WHEN jsonb_array_length(got) <> (test ->> 'expectCount')::int THEN format('%s rows', jsonb_array_length(got))
			WHEN got <> sorted(test -> 'expect') THEN format('rows %s', got)
			ELSE 'ok' END;
	END $$;
	CREATE TABLE suite (doc jsonb);
};
for my $file (@files)
{
	open(my $in, '<', $file) or die $!;
	local $/;
	my $text = <$in>;
	$text =~ s/'/''/g;
	$statements .= "INSERT INTO suite VALUES ('$text');\n";
}
$statements .= q{
	SELECT concat_ws(': ', doc ->> 'title', t ->> 'title', verdict(doc -> 'resources', t)) FROM suite, jsonb_array_elements(doc -> 'tests') AS t;
	DROP TABLE suite;
	DROP FUNCTION verdict(jsonb, jsonb), sorted(jsonb);
};
my $said = "/tmp/ehr-views-$$";
open(my $psql, '|-', "psql -X -q -A -t -v ON_ERROR_STOP=1 -d conformance >$said") or die $!;
print $psql $statements;
close($psql) or die "psql failed\n";
open(my $verdicts, '<', $said) or die $!;
unlink $said;

my @cases = map { s/\n\z//r } <$verdicts>;
my @bad = grep { !/: ok\z/ } @cases;
printf "%-44s %7s %9s %9s %10s  %s\n", 'suite', 'cases', 'as asked', 'excepted', 'otherwise', 'requirement';
printf "%-44s %7d %9d %9d %10d  %s\n", 'sql-on-fhir-v2', scalar @cases, @cases - @bad, 0, scalar @bad, '100 %: ' . (@bad ? 'MISSED' : 'met');
print '    ', substr($_, 0, 300), "\n" for @bad;
exit(@bad ? 1 : 0);
