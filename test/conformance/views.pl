# SQL on FHIR v2's own tests; run by test/conformance/run on a cluster of its own.
use strict;
use warnings;
use JSON::PP;

my ($folder, $exceptions) = @ARGV;
my @files = sort glob("$folder/sql-on-fhir-v2/cases/*.json");
my $json = JSON::PP->new->canonical->utf8;

unless (@files) { printf "%-44s suite absent\n", 'sql-on-fhir-v2'; exit 0; }

# One statement a test: t, or what is wrong
sub verdict
{
	my ($test, $resources) = @_;
	my %part = (view => $test->{view}, resources => $resources, expect => $test->{expect}, columns => $test->{expectColumns});
	my $statement = 'SELECT view_verdict(' . join(', ', map { defined $part{$_} ? quoted($json->encode($part{$_})) : 'NULL' } qw(view resources expect columns))
		. ', ' . ($test->{expectCount} // 'NULL') . ', ' . ($test->{expectError} ? 'true' : 'false') . ')';
	open(my $psql, '|-', "psql -X -q -A -t -v ON_ERROR_STOP=1 -d conformance >'$ENV{TMPDIR}/verdict' 2>&1") or die $!;
	print $psql $statement;
	close($psql);
	open(my $out, '<', "$ENV{TMPDIR}/verdict") or die $!;
	local $/;
	my $said = <$out>;
	chomp $said;
	return $said;
}

sub quoted { my ($text) = @_; $text =~ s/'/''/g; return "'$text'"; }

$ENV{TMPDIR} = "/tmp/ehr-views-$$";
mkdir $ENV{TMPDIR} or die $!;
system('psql', '-X', '-q', '-d', 'conformance', '-v', 'ON_ERROR_STOP=1', '-c', q{
	-- rows are compared as a set: a column that is null may as well be absent
	CREATE FUNCTION view_verdict(view jsonb, resources jsonb, expect jsonb, expect_columns jsonb, expect_count int, expect_error bool)
	RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		got jsonb;
		columns jsonb;
	BEGIN
		BEGIN
			SELECT jsonb_agg(c.name) INTO columns FROM ehr.view_columns(view) AS c;
			SELECT coalesce(jsonb_agg(jsonb_strip_nulls(v) ORDER BY jsonb_strip_nulls(v)), '[]') INTO got
			FROM jsonb_array_elements(resources) AS r, ehr.view_rows(view, r) AS v;
		EXCEPTION WHEN internal_error THEN RETURN 'internal error ' || SQLERRM;
		WHEN OTHERS THEN
			RETURN CASE WHEN expect_error THEN 't' ELSE SQLSTATE || ' ' || SQLERRM END;
		END;
		IF expect_error THEN RETURN 'no error'; END IF;
		IF expect_columns IS NOT NULL AND columns <> expect_columns THEN RETURN format('columns %s', columns); END IF;
		IF expect_count IS NOT NULL AND jsonb_array_length(got) <> expect_count THEN RETURN format('%s rows', jsonb_array_length(got)); END IF;
		IF expect IS NOT NULL AND got <> (SELECT coalesce(jsonb_agg(jsonb_strip_nulls(e) ORDER BY jsonb_strip_nulls(e)), '[]') FROM jsonb_array_elements(expect) AS e)
		THEN RETURN format('rows %s', got); END IF;
		RETURN 't';
	END $$
}) == 0 or die "psql failed\n";

my ($cases, @bad) = (0);
for my $file (@files)
{
	open(my $in, '<', $file) or die $!;
	local $/;
	my $suite = $json->decode(<$in>);
	for my $test (@{ $suite->{tests} })
	{
		my $said = verdict($test, $suite->{resources});
		$cases++;
		push @bad, "$suite->{title}: $test->{title}: " . substr($said, 0, 300) if $said ne 't';
	}
}
printf "%-44s %7s %9s %9s %10s  %s\n", 'suite', 'cases', 'as asked', 'excepted', 'otherwise', 'requirement';
printf "%-44s %7d %9d %9d %10d  %s\n", 'sql-on-fhir-v2', $cases, $cases - @bad, 0, scalar @bad, '100 %: ' . (@bad ? 'MISSED' : 'met');
print "    $_\n" for @bad;
unlink "$ENV{TMPDIR}/verdict";
rmdir $ENV{TMPDIR};
exit(@bad ? 1 : 0);
