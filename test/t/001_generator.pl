# The generator of vaccination rows and the scorer: same bytes for the same seed, exact counts, the
# difficulty that was asked for, and scores that an oracle of its own agrees with.
use strict;
use warnings;
use utf8;
use Cwd qw(abs_path);
use Digest::MD5;
use File::Basename qw(basename dirname);
use File::Temp qw(tempdir);
use Test::More;
use Unicode::Normalize qw(NFD);

binmode Test::More->builder->$_, ':utf8' for qw(output failure_output todo_output);

my $top = abs_path(dirname(__FILE__) . '/../..');
# the runner hands over a folder that this user may write to
my $bin = ($ENV{TESTDATADIR} // "$top/build") . '/bin';
my $dir = tempdir(CLEANUP => 1);

is(system("CFLAGS='-O2' '$top/test/data/build' '$bin'"), 0, 'the programs build') or BAIL_OUT('no programs');

sub run
{
	my ($program, @args) = @_;
	open(my $out, '-|:utf8', "$bin/$program", @args) or die "$program: $!";
	my @lines = <$out>;
	close($out);
	return (join('', @lines), $? >> 8);
}

sub md5
{
	open(my $file, '<:raw', shift) or die $!;
	return Digest::MD5->new->addfile($file)->hexdigest;
}

# A CSV reader of the test's own; fields hold no line breaks.
sub read_csv
{
	my ($path) = @_;
	open(my $file, '<:utf8', $path) or die $!;
	my @rows;
	while (my $line = <$file>)
	{
		chomp $line;
		my @cells;
		while ($line =~ /\G(?:"((?:[^"]|"")*)"|([^,]*))(,|$)/g)
		{
			my ($cell, $more) = ($1 // $2, $3);
			$cell =~ s/""/"/g;
			push @cells, $cell;
			last if $more eq '';
		}
		push @rows, \@cells;
	}
	my $header = shift @rows;
	return ($header, map { my %row; @row{@$header} = @$_; $row{columns} = @$_; \%row } @rows);
}

SKIP:
{
	my $domain = $ENV{EHR_DOMAIN} // "$top/../shared/domain";
	skip('the folder that the tables come from is not here', 2) unless -d $domain;
	skip('no Python', 2) if system("python3 -c '' 2>/dev/null") != 0;
	system("python3 '$top/test/data/make_tables.py' '$domain' '$dir/tables'");
	# the folder also holds tables that come from elsewhere
	my @made = map { basename($_) } glob("$dir/tables/*.tsv");
	cmp_ok(scalar(@made), '>=', 5, 'the script makes the tables');
	is(join(' ', grep { system("cmp -s '$dir/tables/$_' '$top/test/data/tables/$_'") != 0 } @made), '', 'and they are the ones here');
}

# ---- the same bytes, and exact counts ----

run('vaccinations', '--rows', 20000, '--seed', 7, '--out', "$dir/a.csv", '--truth', "$dir/a_truth.csv");
run('vaccinations', '--rows', 20000, '--seed', 7, '--out', "$dir/b.csv", '--truth', "$dir/b_truth.csv");
run('vaccinations', '--rows', 20000, '--seed', 8, '--out', "$dir/c.csv", '--truth', "$dir/c_truth.csv");
is(md5("$dir/a.csv"), md5("$dir/b.csv"), 'the same seed gives the same rows');
is(md5("$dir/a_truth.csv"), md5("$dir/b_truth.csv"), 'and the same truth');
isnt(md5("$dir/a.csv"), md5("$dir/c.csv"), 'another seed gives other rows');
# a change of these bytes must be a decision: scores of before and after cannot be compared
is(md5("$dir/a.csv"), '214ec8068e8b35574fac0efe890e19d3', 'the rows of seed 7 are those of every machine');
is(md5("$dir/a_truth.csv"), '6bbde9841a571665997196f109a6dc73', 'their truth too');

my ($header, @rows) = read_csv("$dir/a.csv");
my ($truth_header, @truth) = read_csv("$dir/a_truth.csv");
is(join(',', @$header),
	'record_id,full_name,birth_date,sex,phone,citizen_number,insurance_number,address,ward_code,district_code,'
	  . 'province_code,vaccine_code,vaccine_name,dose_number,vaccinated_on,lot,facility_code,disease',
	'columns of the rows');
is(join(',', @$truth_header), 'record_id,person_id', 'columns of the truth');
is(scalar(@rows), 20000, 'so many rows as asked for');
is(scalar(grep { $_->{columns} != 18 } @rows), 0, 'all with 18 columns');
is(join(' ', map { $_->{record_id} } @rows), join(' ', 1 .. 20000), 'numbered in their order');
is(join(' ', map { $_->{record_id} } @truth), join(' ', 1 .. 20000), 'the truth in the same order');

my (%per_person, $out_of_order);
$per_person{ $_->{person_id} }++ for @truth;
is(scalar(keys %per_person), int(20000 * 6593186 / 9148769 + 0.5), 'so many people as the proportion gives');
is(scalar(grep { $_ < 1 || $_ > 4 } values %per_person), 0, 'each with one to four rows');
$out_of_order += $rows[$_]{vaccinated_on} lt $rows[ $_ - 1 ]{vaccinated_on} for 1 .. $#rows;
is($out_of_order, 0, 'in the order of vaccination');
for my $n (1, 2, 3, 5, 10, 137, 1000)
{
	run('vaccinations', '--rows', $n, '--seed', 1, '--out', "$dir/n.csv", '--truth', "$dir/n_truth.csv");
	my (undef, @small) = read_csv("$dir/n_truth.csv");
	my %people = map { $_->{person_id} => 1 } @small;
	is(@small . ' of ' . keys %people, "$n of " . (int($n * 6593186 / 9148769 + 0.5) || 1), "$n rows");
}

# ---- what must be in the rows ----

sub share
{
	my ($test) = @_;
	return scalar(grep { $test->() } @rows) / @rows;
}

is(scalar(grep { $_->{birth_date} !~ /^(\d{4}(-00-00|-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01]))?)?$/ } @rows),
	0, 'birth dates have one of the three forms, or are missing');
is(scalar(grep { $_->{birth_date} gt $_->{vaccinated_on} } @rows), 0, 'and lie before the vaccination');
is(scalar(grep { $_->{sex} !~ /^(male|female|)$/ } @rows), 0, 'sex is male, female or missing');
is(scalar(grep { $_->{vaccinated_on} !~ /^20\d\d-\d\d-\d\d$/ } @rows), 0, 'vaccination dates are dates');
is(scalar(grep { $_->{ward_code} !~ /^(\d{5}|)$/ || $_->{facility_code} !~ /^79\d{3}$/ } @rows), 0, 'codes have their length');

my %seen = (
	'names in capitals without marks' => sub { $_->{full_name} =~ /^[A-Z .0-9]+$/ },
	'names in NFD'                    => sub { $_->{full_name} =~ /\p{Mn}/ },
	'names without marks'             => sub { $_->{full_name} =~ /^[A-Z][a-z]+( [A-Z][a-z]+)+$/ && $_->{full_name} !~ /^CB/ },
	'newborn names'                   => sub { $_->{full_name} =~ /^(CB|CON B)/ },
	'new tone placement'              => sub { $_->{full_name} =~ /(oà|oá|uý|uỳ|uỷ)(?= |$)/i },
	'old tone placement'              => sub { $_->{full_name} =~ /(òa|óa|úy|ùy|ủy)(?= |$)/i },
	'bare years'                      => sub { $_->{birth_date} =~ /^\d{4}$/ },
	'years with zeros'                => sub { $_->{birth_date} =~ /-00-00$/ },
	'first of January'                => sub { $_->{birth_date} =~ /-01-01$/ },
	'12-digit numbers'                => sub { $_->{citizen_number} =~ /^0\d{11}$/ },
	'9-digit numbers'                 => sub { $_->{citizen_number} =~ /^\d{9}$/ },
	'lost leading zeros'              => sub { $_->{citizen_number} =~ /^[1-9]\d{10}$/ },
	'placeholders'                    => sub { $_->{citizen_number} =~ /^(0+|1+|123456789.*|KHONG CO)$/ },
	'missing numbers'                 => sub { $_->{citizen_number} eq '' },
	'15-character cards'              => sub { $_->{insurance_number} =~ /^[A-Z]{2}[1-5]79\d{10}$/ },
	'10-digit insurance numbers'      => sub { $_->{insurance_number} =~ /^\d{10}$/ },
	'11-digit phones'                 => sub { $_->{phone} =~ /^01\d{9}$/ },
	'10-digit phones'                 => sub { $_->{phone} =~ /^0[35789]\d{8}$/ },
	'phones with +84'                 => sub { $_->{phone} =~ /^\+84/ },
	'phones with dots'                => sub { $_->{phone} =~ /\./ },
	'missing phones'                  => sub { $_->{phone} eq '' },
	'old units (a district)'          => sub { $_->{district_code} ne '' },
	'new units (no district)'         => sub { $_->{district_code} eq '' && $_->{vaccinated_on} gt '2025-07-01' },
	'short addresses'                 => sub { $_->{address} =~ /, P\./ },
);
cmp_ok(share($seen{$_}), '>', 0.0004, "there are $_") for sort keys %seen;
is(scalar(grep { $_->{district_code} eq '' && $_->{vaccinated_on} lt '2025-07-01' } @rows), 0, 'no new unit before its day');
is(scalar(grep { $_->{phone} =~ /^01/ && $_->{vaccinated_on} gt '2020-06-01' } @rows), 0, 'no 11-digit phone long after 2018');

# The twelve digits agree with sex and year of the same row nearly always (mistakes are made on purpose).
my ($twelve, $agree) = (0, 0);
for my $row (grep { $_->{citizen_number} =~ /^0\d{11}$/ && $_->{sex} ne '' && $_->{birth_date} =~ /^(19|20)/ } @rows)
{
	my $first = ($row->{birth_date} ge '2000' ? 2 : 0) + ($row->{sex} eq 'female');
	$twelve++;
	$agree++ if substr($row->{citizen_number}, 3, 3) eq $first . substr($row->{birth_date}, 2, 2);
}
cmp_ok($agree / $twelve, '>', 0.92, 'digits 4 to 6 tell century, sex and year');
cmp_ok($agree / $twelve, '<', 0.99, 'but not always');

# ---- the difficulty ----

my %limits = (
	'ID'                  => 56,
	'phone'               => 73,
	'full birth date'     => 82,
	'name without marks'  => 90,
	'name and birth date' => 73,
);
for my $seed (1, 2, 3)
{
	my ($text) = run('vaccinations', '--rows', 1000000, '--seed', $seed, '--figures');
	like($text, qr/^rows\t1000000\npersons\t720664\n/, "seed $seed: 1,000,000 rows of 720,664 people");
	for my $what (sort keys %limits)
	{
		my ($percent) = $text =~ /^\Q$what\E\tagree ([\d.]+) %/m;
		cmp_ok(abs($percent - $limits{$what}), '<=', 2, "seed $seed: $what agrees in $percent % of the true pairs");
	}
	my ($precision) = $text =~ /^name and birth date\t.*\tprecision alone ([\d.]+)/m;
	cmp_ok($precision, '<=', 0.97, "seed $seed: name and birth date alone has precision $precision");
	cmp_ok($precision, '>=', 0.93, "seed $seed: which is not worse than meant");
}

# ---- the figures, counted again another way ----

sub fold
{
	my $name = NFD(shift);
	$name =~ s/\p{Mn}//g;
	$name =~ tr/đĐ/dD/;
	$name = lc $name;
	$name =~ s/[^a-z0-9]+/ /g;
	$name =~ s/^ | $//g;
	return $name;
}

my %person_of = map { $_->{record_id} => $_->{person_id} } @truth;

# Every pair of rows looked at, for as many rows as that takes no time.
sub brute_force
{
	my ($same, @some) = @_;
	my ($found, $right, $true) = (0, 0, 0);
	for my $i (0 .. $#some)
	{
		for my $j (0 .. $i - 1)
		{
			my $truly = $person_of{ $some[$i]{record_id} } eq $person_of{ $some[$j]{record_id} };
			my $said = $same->($some[$i], $some[$j]);
			$true++ if $truly;
			$found++ if $said;
			$right++ if $truly && $said;
		}
	}
	my $p = $found ? $right / $found : 1;
	my $r = $true ? $right / $true : 1;
	return sprintf('%.4f %.4f %.4f', $p, $r, $found + $true ? 2 * $right / ($found + $true) : 1);
}

sub write_file
{
	my ($path, @lines) = @_;
	open(my $file, '>:utf8', $path) or die $!;
	print $file "$_\n" for @lines;
	close($file);
}

sub score_of
{
	my ($rule, $text) = @_;
	return $text =~ /^\Q$rule\E +(\S+) +(\S+) +(\S+) +(\d+) +(\d+)$/m ? "$1 $2 $3" : "no line for $rule";
}

# whole families of rows: people whose number is small live together
my @some = grep { $person_of{ $_->{record_id} } <= 400 } @rows;
my @lines = do { open(my $f, '<:utf8', "$dir/a.csv") or die $!; <$f> };
chomp @lines;
write_file("$dir/some.csv", $lines[0], map { $lines[ $_->{record_id} ] } @some);
write_file("$dir/some_truth.csv", 'record_id,person_id', map { "$_->{record_id},$person_of{$_->{record_id}}" } @some);
$_->{fold} = fold($_->{full_name}) for @some;
$_->{digits} = $_->{citizen_number} =~ s/\D//gr for @some;
$_->{digits} = '' for grep { length $_->{digits} < 9 || $_->{digits} =~ /^(\d)\1*$/ || $_->{digits} =~ /^0?123456789/ } @some;

# a bad grouping: by phone, so that there is something to count
my %cluster;
write_file("$dir/found.csv", 'cluster,record_id',
	map { $cluster{ $_->{record_id} } = $_->{phone} || "r$_->{record_id}"; "\"$cluster{$_->{record_id}}\",$_->{record_id}" } @some);
my ($text, $exit) = run('score_pairs', '--truth', "$dir/some_truth.csv", '--found', "$dir/found.csv", '--rows', "$dir/some.csv");
is($exit, 0, 'the scorer runs');
is(score_of('found', $text), brute_force(sub { $cluster{ $_[0]{record_id} } eq $cluster{ $_[1]{record_id} } }, @some),
	'found clusters: as the oracle counts');
is(score_of('same ID', $text), brute_force(sub { $_[0]{digits} ne '' && $_[0]{digits} eq $_[1]{digits} }, @some),
	'same ID: as the oracle counts');
is(score_of('same name and birth date', $text),
	brute_force(sub { $_[0]{birth_date} =~ /^\d{4}-(?!00)/ && $_[0]{birth_date} eq $_[1]{birth_date} && $_[0]{fold} eq $_[1]{fold} }, @some),
	'same name and birth date: as the oracle counts');
my %groups = map { $_ => 1 } values %cluster;
my %people = map { $person_of{ $_->{record_id} } => 1 } @some;
like($text, qr/^found .* +${\scalar keys %groups} +${\scalar keys %people}$/m, 'clusters and people are counted');

# The generator's own figures and the scorer's naive rules come to the same.
($text) = run('vaccinations', '--rows', 20000, '--seed', 7, '--figures');
my ($naive) = run('score_pairs', '--truth', "$dir/a_truth.csv", '--rows', "$dir/a.csv");
for (['ID', 'same ID'], ['name and birth date', 'same name and birth date'])
{
	my ($recall, $precision) = $text =~ /^$_->[0]\tagree ([\d.]+) %\tprecision alone ([\d.]+)/m;
	my @score = split / /, score_of($_->[1], $naive);
	is($score[0], $precision, "$_->[1]: the same precision");
	cmp_ok(abs($score[1] * 100 - $recall), '<', 0.011, "$_->[1]: the same recall");
}

# ---- hostile input to the scorer ----

write_file("$dir/truth.csv", 'record_id,person_id', '1,a', '2,a', '3,b', '4,b');
my @cases = (
	['perfect', '1.0000 1.0000 1.0000', 'record_id,cluster', '1,x', '2,x', '3,y', '4,y'],
	['all apart', '1.0000 0.0000 0.0000', 'record_id,cluster', '1,p', '2,q', '3,r', '4,s'],
	['all in one', '0.3333 1.0000 0.5000', 'record_id,cluster', '1,p', '2,p', '3,p', '4,p'],
	['one missing', '1.0000 0.5000 0.6667', 'record_id,cluster', '1,p', '2,p', '3,q'],
	['CRLF and quotes', '1.0000 1.0000 1.0000', "cluster,record_id\r", "\"a\"\"b\",1\r", "\"a\"\"b\",\"2\"\r", "\"c,d\",3\r", "\"c,d\",4\r"],
);
for (@cases)
{
	my ($name, $score, @file) = @$_;
	write_file("$dir/case.csv", @file);
	($text) = run('score_pairs', '--truth', "$dir/truth.csv", '--found', "$dir/case.csv");
	is(score_of('found', $text), $score, "scorer: $name");
}
like($text = (run('score_pairs', '--truth', "$dir/truth.csv", '--found', do { write_file("$dir/case.csv", 'record_id,cluster', '1,p'); "$dir/case.csv" }))[0],
	qr/^3 records have no cluster/m, 'scorer: missing records are reported');
open(my $stderr, '>&', \*STDERR) or die $!;
open(STDERR, '>', '/dev/null') or die $!;
for (['an unknown record', 'record_id,cluster', '9,p'],
	['a record twice', 'record_id,cluster', '1,p', '1,q'],
	['a short line', 'record_id,cluster', '1'],
	['a missing column', 'record_id,clusters', '1,p'],
	['an empty file'])
{
	my ($name, @file) = @$_;
	write_file("$dir/case.csv", @file);
	is((run('score_pairs', '--truth', "$dir/truth.csv", '--found', "$dir/case.csv"))[1], 1, "scorer refuses $name");
}
is((run('vaccinations', '--rows', 0, '--seed', 1))[1], 1, 'the generator refuses no rows');
is((run('vaccinations', '--rows', 10))[1], 1, 'and a missing seed');
open(STDERR, '>&', $stderr) or die $!;

done_testing();
