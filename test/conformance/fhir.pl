# One table over the suites beside the project; run by test/conformance/run on a cluster of its own.
use strict;
use warnings;
use EhrSuites;

my ($folder, $exceptions) = @ARGV;
my $failed = 0;

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

# A row, and below it what is not as asked: each with its reason where something is required, else by name
sub row
{
	my ($suite, $what, $cases, $good, $excepted, $required, @bad) = @_;
	my $met = $required eq '' ? '' : (@bad == 0 ? 'met' : 'MISSED');
	$failed++ if $met eq 'MISSED';
	line("$suite: $what", $cases, $good, $excepted, scalar @bad, $required eq '' ? 'reported' : "$required: $met");
	if ($required ne '') { print "    $_\n" for @bad; }
	elsif (@bad) { print '    ', join(', ', map { s/:.*//r } @bad), "\n"; }
}

my $suites = EhrSuites->new($folder, $exceptions, \&sql);
line('suite', 'cases', 'as asked', 'excepted', 'otherwise', 'requirement');

if ($suites->there('r4-examples'))
{
	my %known = map { $_ => 1 } $suites->exceptions('r4-examples');
	my ($count, $refused) = $suites->refusals('r4-examples/cases');
	my @bad = grep { !$known{$_} } sort keys %$refused;
	row('r4-examples', 'accepted', $count, $count - keys %$refused, (scalar keys %$refused) - @bad, '>= 99 %, each refusal with its clause',
		(map { "$_: $refused->{$_}" } @bad), keys(%$refused) > $count / 100 ? ('more than 1 % refused') : ());
}
else { line('r4-examples', '-', '-', '-', '-', 'suite absent'); }

if (-e "$folder/synthea-r4/cases/bundles.ndjson.gz")
{
	my ($bundles, $bad_bundles, $resources, $bad) = $suites->synthea;
	row('synthea-r4', 'bundles accepted', $bundles, $bundles - $bad_bundles, 0, 'all', $bad_bundles ? ("$bad_bundles bundles refused") : ());
	row('synthea-r4', 'resources accepted', $resources, $resources - $bad, 0, 'all', $bad ? ("$bad resources refused") : ());
}
else { line('synthea-r4', '-', '-', '-', '-', 'suite absent'); }

if ($suites->there('json-parsing'))
{
	my $p = $suites->json_parsing;
	row('json-parsing', 'rejected as JSON', $p->{reject}, $p->{reject} - @{ $p->{let_in} }, 0, 'all', @{ $p->{let_in} });
	row('json-parsing', 'read, refused as not FHIR only', $p->{accept}, $p->{accept} - @{ $p->{kept_out} }, 0, 'all', @{ $p->{kept_out} });
}
else { line('json-parsing', '-', '-', '-', '-', 'suite absent'); }

if ($suites->there('validator-r4'))
{
	my %known = map { $_ => 1 } $suites->exceptions('validator-r4');
	for my $tier (1, 2, 3)
	{
		my @rows = $suites->verdicts($tier);
		my @differ = grep { $_->[1] != ($_->[2] eq '') || $_->[2] =~ /^raises / } @rows;
		my @bad = grep { !$known{ $_->[0] } } @differ;
		my $required = ('', 'all, others by clause', '>= 90 %', '')[$tier];
		if ($tier == 2 && @bad <= @rows / 10)
		{
			row('validator-r4', 'tier 2 verdicts', scalar @rows, @rows - @differ, @bad + 0, $required);
			next;
		}
		row('validator-r4', "tier $tier verdicts", scalar @rows, @rows - @differ, @differ - @bad, $required,
			map { sprintf('%s: %s', $_->[0], $_->[1] ? 'valid there, here: ' . substr($_->[2], 0, 160) : ($_->[2] =~ /^raises/ ? $_->[2] : 'invalid there, no error here')) } @bad);
	}
}
else { line('validator-r4', '-', '-', '-', '-', 'suite absent'); }

if ($suites->there('r4-examples-extra'))
{
	my ($count, $refused) = $suites->refusals('r4-examples-extra/cases');
	row('r4-examples-extra', 'no crash', $count, $count, 0, 'all', sql('SELECT 1') eq '1' ? () : ('the server is gone'));
	printf "    %d accepted, %d refused\n", $count - keys %$refused, scalar keys %$refused;
}
else { line('r4-examples-extra', '-', '-', '-', '-', 'suite absent'); }

print $failed ? "$failed requirements missed\n" : "all requirements met\n";
exit($failed ? 1 : 0);
