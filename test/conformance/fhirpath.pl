# FHIRPath: HL7's R4 suite and the cases of fhirpath.js beside the project; run by test/conformance/run, or alone with
# EHR_FHIRPATH_VERBOSE=1 to see every case that differs.
use strict;
use warnings;
use Encode ();
use JSON::PP;

my ($folder, $exceptions) = @ARGV;
my $failed = 0;
binmode(STDOUT, ":encoding(UTF-8)");
my $json = JSON::PP->new->allow_nonref->canonical->utf8;
my $text_json = JSON::PP->new->allow_nonref->canonical;

sub slurp
{
	my ($name) = @_;
	open(my $file, '<:raw', $name) or die "$name: $!\n";
	local $/;
	return scalar <$file>;
}

# Runs statements through psql; one line of output a case
sub run_sql
{
	my ($sql) = @_;
	my $name = "/tmp/fhirpath_conformance.$$.sql";
	open(my $file, '>:raw', $name) or die $!;
	print $file $sql;
	close($file);
	my @lines = `psql -X -q -A -t -d conformance -v ON_ERROR_STOP=1 -f $name`;
	unlink $name;
	chomp(@lines);
	return @lines;
}

sub quoted { my ($text) = @_; $text =~ s/'/''/g; return "'$text'"; }

# The items of an expression as {"r": [...]}, or {"e": "SQLSTATE message"}
sub prepare
{
	run_sql(q{
		CREATE TABLE IF NOT EXISTS document (name text PRIMARY KEY, doc jsonb);
		CREATE OR REPLACE FUNCTION run_case(file text, expression text, vars jsonb, context text, strict boolean) RETURNS text LANGUAGE plpgsql AS $$
		DECLARE state text; message text;
			doc jsonb := coalesce((SELECT d.doc FROM document AS d WHERE name = file), 'null');
		BEGIN
			IF strict AND doc ? 'resourceType' AND ehr.fhirpath_problem(expression::ehr.fhirpath, doc ->> 'resourceType') IS NOT NULL THEN
				RETURN jsonb_build_object('e', ehr.fhirpath_problem(expression::ehr.fhirpath, doc ->> 'resourceType'));
			END IF;
			IF context IS NOT NULL THEN
				vars := vars || jsonb_build_object('context', ehr.fhirpath_query_array(doc, context::ehr.fhirpath, vars));
			END IF;
			RETURN jsonb_build_object('r', ehr.fhirpath_query_array(doc, expression::ehr.fhirpath, vars));
		EXCEPTION WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS state = returned_sqlstate, message = message_text;
			RETURN jsonb_build_object('e', state || ' ' || message);
		END $$;
	});
}

sub load_documents
{
	my (@files) = @_;
	my $sql = "TRUNCATE document;\n";
	for my $file (@files) {
		my $doc = slurp($file);
		$sql .= "INSERT INTO document VALUES (" . quoted($file) . ", " . quoted($doc) . ");\n";
	}
	run_sql($sql);
}

# Cases → results: the numbers are kept as they are written
sub results
{
	my (@calls) = @_;
	my $sql = "SET standard_conforming_strings = on;\n";
	$sql .= "SELECT run_case($_->{file}, $_->{expression}, $_->{vars}, $_->{context}, $_->{strict});\n" for @calls;
	my @lines = run_sql($sql);
	die "not every case has an answer: " . @lines . ' of ' . @calls . "\n" unless @lines == @calls;
	return @lines;
}

# A JSON value as text for comparison: scalars by their text, so that 1 and "1" (a Long of JavaScript) are alike
sub plain
{
	my ($v) = @_;
	return 'null' unless defined $v;
	return '{' . join(',', map { "$_:" . plain($v->{$_}) } sort keys %$v) . '}' if ref $v eq 'HASH';
	return '[' . join(',', map { plain($_) } @$v) . ']' if ref $v eq 'ARRAY';
	return $v ? 'true' : 'false' if JSON::PP::is_bool($v);
	my $t = "$v";
	$t =~ s/\.0+\z// if $t =~ /\A-?\d+\.0+\z/;
	$t =~ s/(\.\d*?)0+\z/$1/ if $t =~ /\A-?\d+\.\d+\z/;
	return $t;
}

# One line of run_case() taken apart; numbers stay texts
sub decoded
{
	my ($line) = @_;
	$line =~ s/(?<=[\[:, ])(-?\d+(?:\.\d+)?)(?=[\],}])/"$1"/g unless $line =~ /"e":/ || $line =~ /"[^"]*[\[:, ]-?\d+[\],}]/;
	return $json->decode($line);
}

sub known_exceptions
{
	my ($suite) = @_;
	my %known;
	open(my $file, '<', "$exceptions/$suite.tsv") or return %known;
	while (<$file>) {
		chomp;
		my ($case, $reason, $clause) = split /\t/;
		next if $. == 1;
		die "$suite.tsv: $case has no clause\n" unless defined $clause && length $clause;
		$known{$case} = 1;
	}
	return %known;
}

sub line { printf "%-44s %7s %9s %9s %10s  %s\n", @_; }

sub report
{
	my ($what, $required, $cases, $good, $excepted, $bad, $met) = @_;
	$failed++ unless $met;
	line($what, $cases, $good, $excepted, scalar @$bad, "$required: " . ($met ? 'met' : 'MISSED'));
	if (@$bad && (!$met || $ENV{EHR_FHIRPATH_VERBOSE})) { print "    $_\n" for @$bad; }
}

prepare();
line('suite', 'cases', 'as asked', 'excepted', 'otherwise', 'requirement');

if (-d "$folder/fhirpath-r4")
{
	my $dir = "$folder/fhirpath-r4";
	my $cases = $json->decode(slurp("$dir/cases.json"));
	my %known = known_exceptions('fhirpath-r4');
	load_documents(glob("$dir/inputs/*.json"));
	my @lines = results(map { {
		file => $_->{inputfile} ? quoted("$dir/inputs/$_->{inputfile}") : 'NULL',
		expression => quoted(Encode::encode('UTF-8', $_->{expression})), vars => "'{}'",
		context => 'NULL', strict => ($_->{mode} // '') eq 'strict' || ($_->{invalid} // '') eq 'semantic' ? 'true' : 'false' } } @$cases);
	my %count;
	my %bad = (0 => [], 1 => []);
	for my $i (0 .. $#$cases) {
		my $case = $cases->[$i];
		my $apart = $case->{disabledInFhirpathJs} ? 1 : 0;
		my $got = $json->decode($lines[$i]);
		my ($right, $seen);
		$count{$apart}{all}++;
		if (exists $got->{e}) {
			$seen = $got->{e};
			$right = defined $case->{invalid};
		} else {
			my @items = map { my $v = $_; ref $v eq 'HASH' || ref $v eq 'ARRAY' ? '(object)' : JSON::PP::is_bool($v) ? ($v ? 'true' : 'false') : "$v" } @{ $got->{r} };
			# the text of numbers as PostgreSQL prints them
			my ($list) = $lines[$i] =~ /"r": \[(.*)\]\}\z/s;
			if (defined $list && $list =~ /\A-?[\d.]+(?:, -?[\d.]+)*\z/) { @items = split /, /, $list; }
			my @expected = map { my $e = $_->{value}; $e =~ s/\A\@T?//; $e } @{ $case->{expect} };
			if ($case->{predicate} && @expected == 1 && $expected[0] =~ /\A(?:true|false)\z/) {
				@items = (@items == 0 ? 'false' : @items == 1 && $items[0] =~ /\A(?:true|false)\z/ ? $items[0] : 'true');
			}
			$seen = '[' . join(', ', @items) . ']';
			if (defined $case->{ordered} && !$case->{ordered}) { @items = sort @items; @expected = sort @expected; }
			$right = (!defined $case->{invalid} || @expected > 0) && join("\0", @items) eq join("\0", @expected);
		}
		if ($right) { $count{$apart}{good}++; }
		elsif (!$apart && $known{ $case->{name} }) { $count{$apart}{known}++; }
		else { push @{ $bad{$apart} }, "$case->{name}: $case->{expression} gives $seen, not [" . join(', ', map { $_->{value} } @{ $case->{expect} }) . ']' . ($case->{invalid} ? " ($case->{invalid})" : ''); }
	}
	report('fhirpath-r4', '100 %', $count{0}{all}, $count{0}{good}, $count{0}{known} // 0, $bad{0}, @{ $bad{0} } == 0);
	report('fhirpath-r4: disabled in fhirpath.js', '>= 50 %', $count{1}{all}, $count{1}{good} // 0, 0, $bad{1}, ($count{1}{good} // 0) * 2 >= $count{1}{all});
}
else { line('fhirpath-r4', '-', '-', '-', '-', 'suite absent'); }

if (-d "$folder/fhirpath-js")
{
	my $dir = "$folder/fhirpath-js";
	my $cases = $json->decode(slurp("$dir/cases.json"));
	my %known = known_exceptions('fhirpath-js');
	load_documents(glob("$dir/inputs/*.json"), glob("$dir/subjects/*.json"));
	my @run = grep { !$_->{disabled} } @$cases;
	my @lines = results(map {
		my $case = $_;
		my %vars = %{ $case->{variables} // {} };
		$vars{'%model'} = 'none' unless $case->{model};
		$vars{'%type'} = $case->{base} if $case->{base};
		my $file = $case->{inputfile} // $case->{subject};
		{ file => $file ? quoted("$dir/$file") : 'NULL', expression => quoted(Encode::encode('UTF-8', $case->{expression})),
			vars => quoted($json->encode(\%vars)),
			context => defined $case->{context} ? quoted($case->{context}) : 'NULL', strict => 'false' } } @run);
	my ($good, $excepted, @bad) = (0, 0);
	for my $i (0 .. $#run) {
		my $case = $run[$i];
		my $got = $json->decode($lines[$i]);
		my $seen = exists $got->{e} ? $got->{e} : plain($got->{r});
		my $right = exists $got->{e} ? $case->{error} : !$case->{error} && plain($got->{r}) eq plain($case->{result});
		if (!$right && !exists $got->{e} && ref $case->{result} eq 'ARRAY' && $case->{expression} =~ /\b(?:children|descendants)\(\)/) {
			# N1 5.8: "the order of the children is undefined"
			$right = plain([ sort map { plain($_) } @{ $got->{r} } ]) eq plain([ sort map { plain($_) } @{ $case->{result} } ]);
		}
		if ($right) { $good++; }
		elsif ($known{ $case->{name} }) { $excepted++; }
		else { push @bad, "$case->{name}: $case->{expression} gives " . substr($seen, 0, 200) . ', not ' . ($case->{error} ? 'an error' : substr(plain($case->{result}), 0, 200)); }
	}
	report('fhirpath-js: not disabled', '>= 98 %, each other with its clause', scalar @run, $good, $excepted, \@bad, @bad == 0 && $good >= 0.98 * @run);
}
else { line('fhirpath-js', '-', '-', '-', '-', 'suite absent'); }

print $failed ? "$failed requirements missed\n" : "all requirements met\n";
exit($failed ? 1 : 0);
