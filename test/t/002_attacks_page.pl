# doc/attacks.md, the tests and test/mutants name the same attacks: every id of the list that the project was given stands on the page
# with a test that is named by it, or with the reason why it cannot apply; every test that is named by an id is on the page; and
# what has a defence of ours has a mutant that takes it out.
use strict;
use utf8;
use warnings;

use Test::More;

my $top = $ENV{EHR_TOP} // '.';
sub slurp { my ($file) = @_; open my $f, '<:encoding(UTF-8)', $file or return; local $/; return scalar <$f>; }

my %given = (A => '01 03 04 05 06 07 09 12 16 17 19', B => '02 05 06 07 08 09 11 12 13 14 15 16 18 19 21 24', C => '01 02 03 04 06 10 13 14 15 16 17',
	D => '01 03 05 07 08 10 11', E => '01 02 03 05 06 09 10 11 12', F => '01 03', G => '01 02 03 04 08 09 10');
my @given = map { my $group = $_; map { "$group$_" } split / /, $given{$group} } sort keys %given;

my (%row, @twice);
for my $line (split /\n/, slurp("$top/doc/attacks.md"))
{
	next unless $line =~ /^\| ([A-GX]\d\d) \|/;
	my $id = $1;
	my @cells = map { s/^\s+|\s+$//gr } (split /(?<!\\)\|/, $line)[ 1 .. 5 ];
	push @twice, $id if $row{$id};
	$row{$id} = { attack => $cells[1], expected => $cells[2], test => $cells[3], defence => $cells[4] };
}
is_deeply(\@twice, [], 'no attack stands on the page twice');
is_deeply([ grep { !$row{$_} } @given ], [], scalar(@given) . ' attacks of the list are on the page');
is_deeply([ grep { my $r = $row{$_}; grep { !length($r->{$_} // '') } keys %$r } sort keys %row ], [], 'each with what is expected, its test and its defence');

# --- tests that are named by ids
my %tests;
for my $file (glob("$top/test/t/*.pl"), glob("$top/test/unit/test_*.c"))
{
	my $place = $file =~ s{^\Q$top\E/test/(.*)\.\w+$}{$1}r;
	next if $place eq 't/002_attacks_page';
	my $text = slurp($file);
	$tests{$_}{$place}++ for $text =~ /^attack ([A-Z]\d\d) =>/mg, $text =~ /["']([A-GX]\d\d): /g, map { uc } $text =~ /^([a-gx]\d\d)_\w+\(void/mg;
}
my (@untested, %apply);
for my $id (sort keys %row)
{
	my ($place) = $row{$id}{test} =~ /^`([\w\/]+)`/;
	if (!$place) { push @untested, $id unless $row{$id}{test} =~ /^cannot apply: \S+ /; next; }
	$apply{$id} = $place;
	push @untested, "$id: $place" unless $tests{$id}{$place} || ($place =~ m{^fuzz/(\w+)$} && -e "$top/test/fuzz/fuzz_$1.c");
}
is_deeply(\@untested, [], 'each has a test that is named by its id, or says why it cannot apply');
is_deeply([ grep { !$row{$_} } sort keys %tests ], [], 'every test that is named by an id is on the page');

# --- mutants
my ($list) = slurp("$top/test/mutants") =~ /mutants=\$\(cat <<'END'\n(.*?)\nEND\n/s;
my (%mutant, @elsewhere);
for my $line (split /\n/, $list)
{
	my ($id, $place) = $line =~ /^([A-Z]\d\d)(?:@(\S+))?\t/ or die $line;
	$mutant{$id}++;
	push @elsewhere, $id if $place && ($apply{$id} // '') ne $place;
}
is_deeply(\@elsewhere, [], 'mutants run the test that the page names');
is_deeply([ grep { !$mutant{$_} && $row{$_}{defence} !~ /^(–|cannot be closed)/ } sort keys %apply ], [], 'what has a defence of ours has a mutant');
is_deeply([ grep { !$apply{$_} } sort keys %mutant ], [], 'every mutant is of an attack with a test');
cmp_ok(scalar(keys %mutant), '>=', 60, scalar(keys %mutant) . ' defences');
done_testing();
