# The algebra of merge, on generated documents: commutative, associative, idempotent, the same in any order, by any
# tree and by any parallel plan; the result is valid FHIR; and what survives is what an independent reading of
# doc/merge.md says (computed here from the set of all statements, never by merging two).
use strict;
use warnings;

use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::Local qw(timegm);

my $documents = 1200;
my $triples = 4000;
my $trees = 10000;    # each of its own documents; EHR_MERGE_TREES for more
$trees = $ENV{EHR_MERGE_TREES} if $ENV{EHR_MERGE_TREES};
my $seen = $trees / 10;    # of these the oracle looks at what survives

# ---- a deterministic generator ----

my $seed = 20260501;

sub draw    # a number below $n
{
	my ($n) = @_;
	$seed = ($seed * 1103515245 + 12345) % 2147483648;
	return int($seed / 65536) % $n;
}
sub one_of { return $_[ draw(scalar @_) ]; }
sub maybe { my ($percent) = @_; return draw(100) < $percent; }

my @times = (
	'2024-05-01T07:00:00+07:00', '2024-05-01T00:00:00Z',    # the same instant
	'2024-05-01T00:00:00.5Z', '2023-12-31T23:30:00-01:00', '2022-01-01T00:00:00.000Z',
	'2025-02-28T23:59:59.123456Z', '2021-06-01T08:00:00+07:00');
my @sources = ('urn:hospital:79001', 'urn:hospital:01002', 'urn:vaccination', 'urn:citizen');
my @dates = ('1980', '1980-02', '1980-02-03', '1980-02-04', '1990', '1990-01-01', '1981-12', '1981');

sub extension
{
	return { url => 'http://example.org/nationality', valueCodeableConcept => { text => one_of('VN', 'US', 'LA') } } if maybe(40);
	return { url => 'http://example.org/note', valueString => one_of('a', 'b', 'c') } if maybe(50);
	return { url => 'http://example.org/nested', extension => [ { url => 'x', valueInteger => draw(3) } ] };
}

sub name
{
	my %name;
	$name{use} = one_of('official', 'official', 'old', 'nickname', 'usual') if maybe(60);
	$name{family} = one_of('Nguyễn', 'NGUYEN', 'Trần') if maybe(80);
	$name{given} = [ one_of('Văn', 'Thị'), one_of('An', 'Bình') ] if maybe(70);
	$name{text} = one_of('Nguyễn Văn An', 'NGUYEN VAN AN') if maybe(50) || !%name;
	$name{period} = { start => one_of('2000', '2010-01-01') } if maybe(20);
	return \%name;
}

sub meta
{
	my ($now) = @_;
	my %meta;
	$meta{lastUpdated} = one_of(@times) if maybe(90);
	$meta{source} = one_of(@sources) if maybe(85);
	$meta{versionId} = '' . draw(9) if maybe(30);
	push @{ $meta{tag} }, { system => 'urn:ehr:source-rank', code => '' . one_of(0, 10, 50) } if maybe(60);
	push @{ $meta{tag} }, { system => 'urn:t', code => one_of('x', 'y', 'z') } for 1 .. draw(3);
	push @{ $meta{security} }, { system => 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code => one_of('HIV', 'PSY') } if maybe(30);
	push @{ $meta{profile} }, one_of('http://example.org/p1', 'http://example.org/p2') if maybe(30);
	return \%meta;
}

sub patient
{
	my %doc = (resourceType => 'Patient');
	my $meta = meta();
	$doc{meta} = $meta if %$meta;
	$doc{id} = one_of('p1', 'p2', 'p3', 'p10') if maybe(90);
	$doc{active} = one_of(JSON::PP::true, JSON::PP::false) if maybe(40);
	$doc{gender} = one_of('male', 'female', 'unknown') if maybe(80);
	$doc{_gender} = { extension => [ { url => 'http://example.org/how', valueCode => one_of('seen', 'told') } ] } if maybe(15);
	$doc{birthDate} = one_of(@dates) if maybe(80);
	$doc{_birthDate} = { extension => [ { url => 'http://example.org/birthTime', valueDateTime => one_of('1980-02-03T05:00:00+07:00', '1980') } ] } if maybe(15);
	if (maybe(30)) { $doc{deceasedBoolean} = one_of(JSON::PP::true, JSON::PP::false); }
	elsif (maybe(30)) { $doc{deceasedDateTime} = one_of('2020', '2020-05', '2020-05-06', '2021', '2020-05-06T10:00:00+07:00'); }
	if (maybe(20)) { $doc{multipleBirthBoolean} = JSON::PP::true; }
	elsif (maybe(20)) { $doc{multipleBirthInteger} = 1 + draw(3); }
	$doc{maritalStatus} = { text => one_of('M', 'S'), maybe(50) ? (coding => [ { code => 'M', system => 'urn:m' } ]) : () } if maybe(50);
	push @{ $doc{identifier} }, { system => one_of('urn:cccd', 'urn:bhyt'), value => one_of('1', '2', '3'), maybe(30) ? (use => 'official') : () } for 1 .. draw(4);
	push @{ $doc{telecom} }, { system => one_of('phone', 'email'), value => one_of('0901', '0902', 'a@b'), maybe(30) ? (use => one_of('home', 'mobile')) : (),
		maybe(15) ? (period => { start => one_of('2015', '2020-01-01') }) : () } for 1 .. draw(4);
	push @{ $doc{address} }, { maybe(70) ? (line => [ one_of('1 Lê Lợi', '2 Lê Lai') ]) : (text => one_of('Q1', 'Q3')), city => one_of('HCM', 'HN') } for 1 .. draw(3);
	push @{ $doc{name} }, name() for 1 .. draw(4);
	push @{ $doc{contact} }, { name => name(), maybe(40) ? (gender => 'male') : () } for 1 .. draw(2);
	push @{ $doc{communication} }, { language => { text => one_of('vi', 'en') }, maybe(50) ? (preferred => JSON::PP::true) : () } for 1 .. draw(3);
	push @{ $doc{extension} }, extension() for 1 .. draw(4);
	push @{ $doc{modifierExtension} }, { url => 'http://example.org/m', valueBoolean => one_of(JSON::PP::true, JSON::PP::false) } if maybe(10);
	if (maybe(15))
	{
		push @{ $doc{contained} }, { resourceType => 'Organization', id => one_of('o1', 'o2'), name => one_of('Clinic A', 'Clinic B') };
		$doc{managingOrganization} = { reference => "#$doc{contained}[0]{id}" };
	}
	return \%doc;
}

sub allergy
{
	my %doc = (resourceType => 'AllergyIntolerance', patient => { reference => 'Patient/p' . draw(2) });
	my $meta = meta();
	$doc{meta} = $meta if %$meta;
	$doc{id} = 'a' . draw(3) if maybe(80);
	$doc{criticality} = one_of('high', 'low', 'unable-to-assess') if maybe(70);
	$doc{category} = [ map { one_of('food', 'medication', 'biologic') } 0 .. draw(2) ] if maybe(50);
	$doc{_category} = [ { extension => [ { url => 'http://example.org/c', valueString => one_of('q', 'r') } ] }, map { undef } 2 .. @{ $doc{category} } ]
		if $doc{category} && maybe(30);
	$doc{clinicalStatus} = { coding => [ { system => 'http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical', code => one_of('active', 'inactive', 'resolved') } ] } if maybe(70);
	if (maybe(30)) { $doc{onsetDateTime} = one_of(@dates); }
	elsif (maybe(30)) { $doc{onsetString} = one_of('child', 'adult'); }
	push @{ $doc{reaction} }, { manifestation => [ { text => one_of('rash', 'shock') } ], maybe(50) ? (severity => one_of('mild', 'severe')) : () } for 1 .. draw(3);
	push @{ $doc{note} }, { text => one_of('n1', 'n2') } if maybe(30);
	return \%doc;
}

sub request
{
	my %doc = (resourceType => 'MedicationRequest', status => one_of('active', 'stopped'), intent => 'order',
		subject => { reference => 'Patient/p1' }, medicationCodeableConcept => { text => one_of('A', 'B') });
	my $meta = meta();
	$doc{meta} = $meta if %$meta;
	push @{ $doc{dosageInstruction} }, { text => one_of('1 a day', '2 a day', 'after meals') } for 1 .. draw(4);
	return \%doc;
}

sub immunization
{
	my %doc = (resourceType => 'Immunization', status => 'completed', patient => { reference => 'Patient/p1' },
		vaccineCode => { maybe(60) ? (coding => [ { system => 'urn:v', code => one_of('MR', 'BCG') } ]) : (text => 'MR'), maybe(30) ? (text => 'MR') : () });
	my $meta = meta();
	$doc{meta} = $meta if %$meta;
	if (maybe(80)) { $doc{occurrenceDateTime} = one_of(@dates, '1980-02-03T08:00:00+07:00'); } else { $doc{occurrenceString} = one_of('1980', 'child'); }
	$doc{lotNumber} = one_of('A', 'B') if maybe(50);
	return \%doc;
}

# Every other type that is told twice: what is required, what may be there and in how many of a hundred documents.
sub concept { return { text => one_of(@_), maybe(40) ? (coding => [ { system => 'urn:c', code => one_of('x1', 'x2', 'x3') } ]) : () }; }
sub coded { my ($system, @codes) = @_; return { coding => [ { system => "http://terminology.hl7.org/CodeSystem/$system", code => one_of(@codes) } ] }; }
sub reference { my ($type) = @_; return { reference => "$type/" . one_of('r1', 'r2', 'r3') }; }
sub some { my ($sub, $most) = @_; return [ map { $sub->() } 1 .. 1 + draw($most) ]; }
sub identifiers { return some(sub { { system => one_of('urn:a', 'urn:b'), value => one_of('1', '2', '3') } }, 3); }
sub period { my %p = (start => one_of('2020', '2020-01-01')); $p{end} = one_of('2021', '2021-06-01') if maybe(50); return \%p; }
sub amount { my ($unit) = @_; return { value => 1 + draw(5), unit => $unit }; }
my $subject = sub { { reference => 'Patient/p1' } };
my $notes = sub { some(sub { { text => one_of('n1', 'n2', 'n3') } }, 2) };
my %other = (
	Observation => [ { status => sub { one_of('final', 'amended', 'corrected') }, code => sub { concept('BP', 'HR') }, subject => $subject },
		identifier => \&identifiers, 60, category => sub { some(sub { concept('vital-signs', 'laboratory') }, 2) }, 40, effectiveDateTime => sub { one_of('2024-01-01', '2024-01-02', '2024') }, 50,
		valueQuantity => sub { amount('mmHg') }, 30, valueString => sub { one_of('high', 'low') }, 0, interpretation => sub { some(sub { concept('H', 'L') }, 2) }, 30, note => $notes, 30,
		referenceRange => sub { some(sub { { text => one_of('0-9', '5-10') } }, 2) }, 30,
		component => sub { some(sub { { code => concept('SBP', 'DBP'), valueQuantity => amount('mmHg') } }, 3) }, 40 ],
	Condition => [ { subject => $subject, code => sub { concept('E11', 'I10') } }, clinicalStatus => sub { coded('condition-clinical', 'active', 'recurrence') }, 60, onsetDateTime => sub { one_of(@dates) }, 40,
		onsetString => sub { one_of('child', 'adult') }, 0, severity => sub { concept('mild', 'severe') }, 40, recordedDate => sub { one_of(@dates) }, 40, bodySite => sub { some(sub { concept('arm', 'leg') }, 2) }, 30, note => $notes, 30,
		stage => sub { some(sub { { summary => concept('I', 'II') } }, 2) }, 20 ],
	Encounter => [ { status => sub { one_of('planned', 'finished') }, class => sub { { system => 'http://terminology.hl7.org/CodeSystem/v3-ActCode', code => one_of('AMB', 'IMP') } } },
		identifier => \&identifiers, 60, subject => $subject, 90, period => \&period, 60, reasonCode => sub { some(sub { concept('a', 'b') }, 2) }, 40, diagnosis => sub { some(sub { { condition => reference('Condition') } }, 2) }, 40,
		location => sub { some(sub { { location => reference('Location') } }, 2) }, 30, length => sub { amount('min') }, 20 ],
	Procedure => [ { status => sub { one_of('completed', 'stopped') }, subject => $subject }, code => sub { concept('p', 'q') }, 70, performedDateTime => sub { one_of(@dates) }, 40, performedPeriod => \&period, 0,
		note => $notes, 30, complication => sub { some(sub { concept('a', 'b') }, 2) }, 30, usedCode => sub { some(sub { concept('a', 'b') }, 2) }, 20 ],
	DiagnosticReport => [ { status => sub { one_of('final', 'amended') }, code => sub { concept('X-ray', 'CT') } }, subject => $subject, 90, result => sub { some(sub { reference('Observation') }, 3) }, 60, conclusion => sub { one_of('a', 'b') }, 50,
		_conclusion => sub { { extension => [ { url => 'http://example.org/by', valueString => one_of('x', 'y') } ] } }, 20, conclusionCode => sub { some(sub { concept('a', 'b') }, 2) }, 30 ],
	MedicationStatement => [ { status => sub { one_of('active', 'stopped') }, medicationCodeableConcept => sub { concept('A', 'B') }, subject => $subject }, dosage => sub { some(sub { { text => one_of('1', '2', '3') } }, 3) }, 60,
		effectivePeriod => \&period, 40, effectiveDateTime => sub { one_of(@dates) }, 0, reasonCode => sub { some(sub { concept('a', 'b') }, 2) }, 30, note => $notes, 30 ],
	Coverage => [ { status => sub { one_of('active', 'cancelled') }, beneficiary => $subject, payor => sub { some(sub { reference('Organization') }, 2) } }, identifier => \&identifiers, 60, period => \&period, 60, subscriberId => sub { one_of('1', '2') }, 50,
		class => sub { some(sub { { type => concept('group', 'plan'), value => one_of('1', '2') } }, 2) }, 30, order => sub { 1 + draw(3) }, 30 ],
	RelatedPerson => [ { patient => $subject }, identifier => \&identifiers, 50, name => sub { some(\&name, 2) }, 80, telecom => sub { some(sub { { system => 'phone', value => one_of('1', '2'), maybe(40) ? (period => period()) : () } }, 3) }, 60,
		gender => sub { one_of('male', 'female') }, 60, birthDate => sub { one_of(@dates) }, 60, relationship => sub { some(sub { concept('mother', 'guardian') }, 2) }, 60, active => sub { one_of(JSON::PP::true, JSON::PP::false) }, 30 ],
	Practitioner => [ {}, identifier => \&identifiers, 80, name => sub { some(\&name, 3) }, 80, gender => sub { one_of('male', 'female') }, 60, birthDate => sub { one_of(@dates) }, 30, qualification => sub { some(sub { { code => concept('MD', 'RN') } }, 2) }, 50,
		active => sub { one_of(JSON::PP::true, JSON::PP::false) }, 30 ],
	Organization => [ { name => sub { one_of('Clinic A', 'Clinic Á', 'Clinic B') } }, identifier => \&identifiers, 60, alias => sub { some(sub { one_of('a', 'b', 'c') }, 3) }, 50, type => sub { some(sub { concept('h', 'c') }, 2) }, 40,
		telecom => sub { some(sub { { system => 'phone', value => one_of('1', '2') } }, 2) }, 50, address => sub { some(sub { { city => one_of('HCM', 'HN') } }, 2) }, 40 ],
	Flag => [ { status => sub { one_of('active', 'inactive', 'entered-in-error') }, code => sub { concept('fall', 'allergy') }, subject => $subject }, category => sub { some(sub { concept('s', 'd') }, 2) }, 40, period => \&period, 40 ],
	DetectedIssue => [ { status => sub { one_of('final', 'preliminary') } }, patient => $subject, 90, severity => sub { one_of('high', 'moderate', 'low') }, 80, code => sub { concept('DRG', 'DUP') }, 60, detail => sub { one_of('d1', 'd2') }, 50,
		mitigation => sub { some(sub { { action => concept('a', 'b') } }, 2) }, 40, evidence => sub { some(sub { { code => [ concept('a', 'b') ] } }, 2) }, 30 ],
	FamilyMemberHistory => [ { status => sub { one_of('partial', 'completed') }, patient => $subject, relationship => sub { concept('mother', 'father') } }, sex => sub { concept('male', 'female') }, 40,
		deceasedBoolean => sub { one_of(JSON::PP::true, JSON::PP::false) }, 40, deceasedDate => sub { one_of('2020', '2020-05', '2021') }, 0, deceasedString => sub { one_of('young', 'old') }, 0,
		condition => sub { some(sub { { code => concept('E11', 'I10') } }, 3) }, 70, note => $notes, 30 ],
	QuestionnaireResponse => [ { status => sub { one_of('completed', 'amended') } }, subject => $subject, 90, authored => sub { one_of('2024', '2024-01-01') }, 50, item => sub { some(sub { { linkId => one_of('1', '2', '3'), text => one_of('a', 'b') } }, 1) }, 80 ],
	CarePlan => [ { status => sub { one_of('active', 'completed') }, intent => sub { 'plan' }, subject => $subject }, title => sub { one_of('t1', 't2') }, 50, description => sub { one_of('d1', 'd2') }, 50, goal => sub { some(sub { reference('Goal') }, 3) }, 50,
		category => sub { some(sub { concept('a', 'b') }, 2) }, 40, note => $notes, 40, period => \&period, 40 ],
	Goal => [ { lifecycleStatus => sub { one_of('active', 'completed') }, description => sub { concept('a', 'b') }, subject => $subject }, startDate => sub { one_of(@dates) }, 50, outcomeCode => sub { some(sub { concept('a', 'b') }, 2) }, 40, note => $notes, 40 ],
	ServiceRequest => [ { status => sub { one_of('active', 'completed') }, intent => sub { 'order' }, subject => $subject }, code => sub { concept('a', 'b') }, 70, occurrenceDateTime => sub { one_of(@dates) }, 50, occurrencePeriod => \&period, 0,
		asNeededBoolean => sub { one_of(JSON::PP::true, JSON::PP::false) }, 30, asNeededCodeableConcept => sub { concept('a', 'b') }, 0, note => $notes, 40, quantityQuantity => sub { amount('x') }, 20 ],
	Specimen => [ {}, identifier => \&identifiers, 60, type => sub { concept('blood', 'urine') }, 60, subject => $subject, 90, receivedTime => sub { one_of('2024', '2024-01-01') }, 40, note => $notes, 40,
		condition => sub { some(sub { concept('a', 'b') }, 2) }, 40 ],
	Device => [ {}, identifier => \&identifiers, 60, lotNumber => sub { one_of('A', 'B') }, 50, deviceName => sub { some(sub { { name => one_of('n1', 'n2'), type => 'user-friendly-name' } }, 2) }, 50, patient => $subject, 60, note => $notes, 30 ],
	DocumentReference => [ { status => sub { one_of('current', 'superseded') }, content => sub { some(sub { { attachment => { title => one_of('t1', 't2') } } }, 2) } }, description => sub { one_of('d1', 'd2') }, 50, category => sub { some(sub { concept('a', 'b') }, 2) }, 40,
		date => sub { one_of(map { s/\.5Z$/Z/r } @times) }, 50, subject => $subject, 90 ]);

# Elements of percentage 0 are of the choice before them, and there where that is not.
sub other
{
	my ($type) = @_;
	my ($required, @may) = @{ $other{$type} };
	my %doc = (resourceType => $type);
	my $meta = meta();
	$doc{meta} = $meta if %$meta;
	$doc{id} = lc($type) . one_of(1, 2, 10) if maybe(80);
	for my $element (sort keys %$required) { $doc{$element} = $required->{$element}->(); }
	my $before = 1;
	while (my ($element, $make, $percent) = splice @may, 0, 3)
	{
		my $there = $percent == 0 ? !$before && maybe(50) : maybe($percent);
		$doc{$element} = $make->() if $there;
		$before = $percent == 0 ? $before || $there : $there;
	}
	push @{ $doc{extension} }, extension() if maybe(30);
	push @{ $doc{modifierExtension} }, { url => 'http://example.org/m', valueBoolean => one_of(JSON::PP::true, JSON::PP::false) } if maybe(5);
	return \%doc;
}

my $json = JSON::PP->new->canonical->utf8;
my @docs;
push @docs, patient() for 1 .. $documents;
push @docs, allergy() for 1 .. $documents / 4;
push @docs, request() for 1 .. $documents / 4;
push @docs, immunization() for 1 .. $documents / 4;
for my $type (sort keys %other) { push @docs, other($type) for 1 .. 60; }
my @types = sort +(keys %other, qw(AllergyIntolerance Immunization MedicationRequest));

# ---- the database ----

my $node = PostgreSQL::Test::Cluster->new('merge');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'ehr'\nfsync = off\njit = off");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION ehr');

my $file = PostgreSQL::Test::Utils::tempdir() . '/docs';
open my $out, '>', $file or die;
print $out join('', map { my $line = $json->encode($_); $line =~ s/\\/\\\\/g; "$line\n" } @docs);
close $out;
$node->safe_psql('postgres', qq{
	CREATE TABLE doc (id serial PRIMARY KEY, d ehr.fhir, type text GENERATED ALWAYS AS ((d::jsonb) ->> 'resourceType') STORED);
	COPY doc (d) FROM '$file';
	CREATE INDEX ON doc (type, id);
	ANALYZE doc;
	CREATE TABLE norm AS SELECT id, type, ehr.fhir_normalize(d) AS d FROM doc;
	ALTER TABLE norm ADD PRIMARY KEY (id);
	SELECT setseed(0.25);
	CREATE TABLE triple AS
		SELECT a.id AS a, a.type, a.id AS b, a.id AS c FROM generate_series(1, $triples) i
			JOIN doc a ON a.id = 1 + (i * 7919) % (SELECT count(*) FROM doc);
	UPDATE triple t SET
		b = (SELECT min(id) + (random() * (count(*) - 1))::int FROM doc WHERE type = t.type),
		c = (SELECT min(id) + (random() * (count(*) - 1))::int FROM doc WHERE type = t.type);
});

sub holds
{
	my ($name, $query, $least) = @_;
	my ($n, $bad) = split /\|/, $node->safe_psql('postgres', $query);
	ok($bad == 0 && $n >= $least, "$name ($n cases)") or diag("$bad of $n fail");
	return;
}

# ---- the algebra ----

my $three = 'FROM triple t JOIN doc a ON a.id = t.a JOIN doc b ON b.id = t.b JOIN doc c ON c.id = t.c';
holds('a + b = b + a',
	"SELECT count(*), count(*) FILTER (WHERE a.d OPERATOR(ehr.+) b.d <> b.d OPERATOR(ehr.+) a.d) $three", $triples);
holds('(a + b) + c = a + (b + c)',
	"SELECT count(*), count(*) FILTER (WHERE (a.d OPERATOR(ehr.+) b.d) OPERATOR(ehr.+) c.d <> a.d OPERATOR(ehr.+) (b.d OPERATOR(ehr.+) c.d)) $three", $triples);
holds('(a + b) + b = a + b, and a + a is the normal form of a',
	"SELECT count(*), count(*) FILTER (WHERE (a.d OPERATOR(ehr.+) b.d) OPERATOR(ehr.+) b.d <> a.d OPERATOR(ehr.+) b.d
		OR a.d OPERATOR(ehr.+) a.d <> n.d) $three JOIN norm n ON n.id = a.id", $triples);
holds('the normal form is one: normalizing again changes nothing, nor does merging normal forms',
	"SELECT count(*), count(*) FILTER (WHERE ehr.fhir_normalize(n.d) <> n.d OR n.d OPERATOR(ehr.+) m.d <> a.d OPERATOR(ehr.+) b.d)
		$three JOIN norm n ON n.id = a.id JOIN norm m ON m.id = b.id", $triples);
holds('a merge is in normal form',
	"SELECT count(*), count(*) FILTER (WHERE ehr.fhir_normalize(a.d OPERATOR(ehr.+) b.d) <> a.d OPERATOR(ehr.+) b.d) $three", $triples);
holds('a merge is valid FHIR',
	"SELECT count(*), count(*) FILTER (WHERE NOT ehr.is_valid(a.d OPERATOR(ehr.+) b.d OPERATOR(ehr.+) c.d)) $three", $triples);
holds('what is merged into is not in conflict with the result', q{
	SELECT count(*), count(*) FILTER (WHERE ehr.merge_conflicts(a.d, b.d) <> '[]' AND a.d OPERATOR(ehr.+) b.d = ehr.fhir_normalize(a.d)
		AND a.d OPERATOR(ehr.+) b.d = ehr.fhir_normalize(b.d)) } . $three, $triples);

# ---- any tree, any order, any plan ----

$node->safe_psql('postgres', q{
	CREATE FUNCTION by_tree(docs ehr.fhir[]) RETURNS ehr.fhir LANGUAGE plpgsql AS $$
	DECLARE i int; j int; d ehr.fhir;
	BEGIN
		WHILE cardinality(docs) > 1 LOOP
			i := 1 + floor(random() * cardinality(docs));
			d := docs[i];
			docs := docs[:i - 1] || docs[i + 1:];
			j := 1 + floor(random() * cardinality(docs));
			docs[j] := CASE WHEN random() < 0.5 THEN docs[j] OPERATOR(ehr.+) d ELSE d OPERATOR(ehr.+) docs[j] END;
			IF random() < 0.2 THEN	-- a document may come twice
				docs[j] := docs[j] OPERATOR(ehr.+) d;
			END IF;
		END LOOP;
		RETURN docs[1];
	END $$;
	SELECT setseed(0.5);
} . qq{
	CREATE TABLE groups AS
		SELECT g, (array_agg(id ORDER BY random()))[:2 + g % 9] AS ids
		FROM generate_series(1, $trees) g JOIN LATERAL (
			SELECT id FROM doc WHERE type = CASE WHEN g % 3 = 0 THEN 'Patient' ELSE ('{@{[join ',', @types]}}'::text[])[1 + g % @{[scalar @types]}] END
				AND (id + g * 7) % 20 < 8) d ON true
		GROUP BY g;
	CREATE TABLE member AS SELECT g, id FROM groups, unnest(ids) id;
	CREATE TABLE merged AS SELECT g, ehr.merge(d ORDER BY hashint4(id)) AS d FROM member JOIN doc USING (id) GROUP BY g;
	ALTER TABLE merged ADD PRIMARY KEY (g);
});
# the bytes: of the stored value and of its text
my $differs = 'x.d::text IS DISTINCT FROM m.d::text OR record_image_ne(ROW(x.d), ROW(m.d))';
is($node->safe_psql('postgres', 'SELECT count(DISTINCT type) FROM doc'), 4 + keys %other, 'documents of ' . (4 + keys %other) . ' types');
holds('any tree of merges gives the bytes of merge()', qq{
	SELECT count(*), count(*) FILTER (WHERE $differs)
	FROM (SELECT g, by_tree(array_agg(d.d ORDER BY random())) AS d FROM member JOIN doc d USING (id) GROUP BY g) x JOIN merged m USING (g)}, $trees);
holds('merge() in shuffled orders', qq{
	SELECT count(*), count(*) FILTER (WHERE $differs) FROM generate_series(1, 2) i
		CROSS JOIN LATERAL (SELECT g, ehr.merge(d ORDER BY hashint4(id * 31 + i)) d FROM member JOIN doc USING (id) GROUP BY g) x JOIN merged m USING (g)}, 2 * $trees);
holds('every merge is valid FHIR', qq{SELECT count(*), count(*) FILTER (WHERE NOT ehr.is_valid(d)) FROM merged WHERE g <= $trees / 4}, $trees / 4);

# Parallel plans: rows in random places, so that the documents of a group meet in any worker and any order.
my $parallel = q{SET max_parallel_workers_per_gather = 4; SET min_parallel_table_scan_size = 0; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;};
for my $workers (1, 2, 4)
{
	$node->safe_psql('postgres', "DROP TABLE IF EXISTS flat; CREATE TABLE flat AS SELECT g, d FROM member JOIN doc USING (id) ORDER BY random(); ALTER TABLE flat SET (parallel_workers = $workers); ANALYZE flat");
	for my $how ($workers == 2 ? ('SET enable_sort = off', 'SET enable_hashagg = off', 'SET parallel_leader_participation = off') : ('SET enable_sort = off'))
	{
		my $plan = $node->safe_psql('postgres', "$parallel $how; EXPLAIN (COSTS OFF) SELECT g, ehr.merge(d) FROM flat GROUP BY g");
		like($plan, qr/Workers Planned: $workers/, "$workers workers, $how: the plan is parallel");
		like($plan, qr/Partial .*Aggregate/, 'and merges in the workers');
		holds("merge() by that plan",
			"$parallel $how; SELECT count(*), count(*) FILTER (WHERE $differs) FROM (SELECT g, ehr.merge(d) d FROM flat GROUP BY g) x JOIN merged m USING (g)", $trees);
	}
}
is($node->safe_psql('postgres', "SELECT ehr.merge(d) IS NULL FROM doc WHERE false"), 't', 'merge() of nothing is NULL');
is($node->safe_psql('postgres', "SELECT ehr.merge(x) = ehr.fhir_normalize((SELECT d FROM doc WHERE id = 1)) FROM (VALUES (NULL::ehr.fhir), ((SELECT d FROM doc WHERE id = 1)), (NULL)) v (x)"),
	't', 'merge() leaves NULLs out');

# ---- the oracle ----

sub instant    # comparable text of an instant; '' when unknown
{
	my ($text) = @_;
	return '' unless defined $text;
	my ($y, $m, $d, $hh, $mm, $ss, $f, $zone) = $text =~ /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/ or return '';
	my $t = timegm($ss, $mm, $hh, $d, $m - 1, $y);
	$t -= ($1 eq '-' ? -1 : 1) * ($2 * 3600 + $3 * 60) if $zone =~ /([+-])(\d\d):(\d\d)/;
	return sprintf('%015d.%-9s', $t, $f // '') =~ tr/ /0/r;
}

# A document's statement of one element: [class, instant, rank, leaves, source, json name, value, extra]
sub leaves { my ($v) = @_; return ref $v eq 'HASH' ? sum(map { leaves($_) } values %$v) : ref $v eq 'ARRAY' ? sum(map { leaves($_) } @$v) : 1; }
sub sum { my $n = 0; $n += $_ for @_; return $n; }

sub jsonb    # the text of jsonb: keys by length, then by bytes
{
	my ($v) = @_;
	return '{' . join(', ', map { '"' . $_ . '": ' . jsonb($v->{$_}) } sort { length $a <=> length $b || $a cmp $b } keys %$v) . '}' if ref $v eq 'HASH';
	return '[' . join(', ', map { jsonb($_) } @$v) . ']' if ref $v eq 'ARRAY';
	return JSON::PP->new->utf8->allow_nonref->encode($v);
}

sub statements
{
	my ($docs, %classes) = @_;    # name => sub { class }
	my @all;
	for my $doc (@$docs)
	{
		my $rank = 0;
		for my $tag (@{ $doc->{meta}{tag} // [] }) { $rank = $tag->{code} if $tag->{system} eq 'urn:ehr:source-rank'; }
		for my $name (keys %classes)
		{
			my ($value, $extra) = ($doc->{$name}, $doc->{"_$name"});
			next unless defined $value || defined $extra;
			push @all, { class => $classes{$name}->($value), time => instant($doc->{meta}{lastUpdated}), rank => $rank,
				leaves => (defined $value ? leaves($value) : 0) + (defined $extra ? leaves($extra) : 0),
				source => $doc->{meta}{source} // '', value => $value,
				bytes => "$name\n" . (defined $value ? jsonb($value) : '') . "\n" . (defined $extra ? jsonb($extra) : '') };
		}
	}
	return sort by_rank @all;
}

sub by_rank
{
	return $b->{class} <=> $a->{class} || $b->{time} cmp $a->{time} || $b->{rank} <=> $a->{rank} ||
			$b->{leaves} <=> $a->{leaves} || $b->{source} cmp $a->{source} || $b->{bytes} cmp $a->{bytes};
}

sub fullest    # the greatest statement, then the greatest that says its date more fully, and so on
{
	my @sorted = grep { $_->{class} == $_[0]{class} } @_;
	my $best = $sorted[0] or return undef;
	while (1)
	{
		my $text = $best->{value} // '';
		my ($fuller) = grep { my $v = $_->{value} // ''; length $v > length $text && index($v, $text) == 0 } @sorted;
		return $best unless $fuller;
		$best = $fuller;
	}
}

my $none = sub { 0 };
my $bool = sub { my ($v) = @_; return defined $v && $v ? 2 : defined $v ? 1 : 0 };
my %criticality = (high => 3, 'unable-to-assess' => 2, low => 1);
my %oracle = (
	gender => sub { my ($s) = statements($_[0], gender => $none); return $s && $s->{bytes} },
	active => sub { my ($s) = statements($_[0], active => $none); return $s && $s->{bytes} },
	maritalStatus => sub { my ($s) = statements($_[0], maritalStatus => $none); return $s && $s->{bytes} },
	multipleBirth => sub { my ($s) = statements($_[0], multipleBirthBoolean => $none, multipleBirthInteger => $none); return $s && $s->{bytes} },
	birthDate => sub { my $s = fullest(statements($_[0], birthDate => $none)); return $s && $s->{bytes} },
	deceased => sub {
		if ($_[0][0]{resourceType} eq 'FamilyMemberHistory')
		{
			my ($s) = statements($_[0], deceasedBoolean => $bool, deceasedDate => sub { 6 }, deceasedString => sub { 3 });
			return $s && $s->{bytes};
		}
		my @s = statements($_[0], deceasedBoolean => $bool, deceasedDateTime => sub { 3 });
		my $s = @s && $s[0]{class} < 3 ? $s[0] : fullest(@s);
		return $s && $s->{bytes};
	},
	criticality => sub { my ($s) = statements($_[0], criticality => sub { my ($v) = @_; return defined $v ? $criticality{$v} // 0 : 0 }); return $s && $s->{bytes} });
my $code_class = sub { my %classes = @_; return sub { my ($v) = @_; my @c = ref $v ? map { $_->{code} } @{ $v->{coding} // [] } : $v // (); return (sort { $b <=> $a } map { $classes{ $_ // '' } // 0 } @c)[0] // 0; } };
my $of = sub { my ($type, $element, $class) = @_; return sub { my ($docs) = @_; my ($s) = statements($docs, $element => $docs->[0]{resourceType} eq $type ? $class : $none); return $s && $s->{bytes} } };
$oracle{status} = $of->('Flag', status => $code_class->(active => 3, inactive => 2, 'entered-in-error' => 1));
$oracle{severity} = $of->('DetectedIssue', severity => $code_class->(high => 3, moderate => 2, low => 1));
$oracle{clinicalStatus} = $of->('AllergyIntolerance', clinicalStatus => $code_class->(active => 3, inactive => 2, resolved => 1));
$oracle{onset} = sub { my ($s) = statements($_[0], onsetDateTime => $none, onsetString => $none); return $s && $s->{bytes} };
for my $element (qw(title subscriberId lotNumber lifecycleStatus period sex conclusion)) { $oracle{$element} = $of->('', $element => $none); }
$oracle{vaccineCode} = sub { my ($s) = statements($_[0], vaccineCode => sub { leaves($_[0]) }); return $s && $s->{bytes} };
$oracle{occurrence} = sub {
	if ($_[0][0]{resourceType} ne 'Immunization')
	{
		my ($s) = statements($_[0], occurrenceDateTime => $none, occurrencePeriod => $none);
		return $s && $s->{bytes};
	}
	my @s = statements($_[0], occurrenceString => sub { 1 }, occurrenceDateTime => sub { 2 });
	my $s = @s && $s[0]{class} < 2 ? $s[0] : fullest(@s);
	return $s && $s->{bytes};
};
my %names = (occurrence => [qw(occurrenceString occurrenceDateTime occurrencePeriod)], multipleBirth => [qw(multipleBirthBoolean multipleBirthInteger)], deceased => [qw(deceasedBoolean deceasedDateTime deceasedDate deceasedString)],
	onset => [qw(onsetDateTime onsetString)]);

# What a merged document says, without the marks of merge.
sub stated
{
	my ($doc, $element) = @_;
	for my $name (@{ $names{$element} // [$element] })
	{
		my ($value, $extra) = ($doc->{$name}, $doc->{"_$name"});
		next unless defined $value || defined $extra;
		for my $holder (grep { ref $_ eq 'HASH' } $value, $extra)
		{
			my @kept = grep { $_->{url} !~ /^urn:ehr:/ } @{ $holder->{extension} // [] };
			if (@kept) { $holder->{extension} = \@kept; } else { delete $holder->{extension}; }
		}
		$extra = undef if defined $extra && !%$extra;
		return "$name\n" . (defined $value ? jsonb($value) : '') . "\n" . (defined $extra ? jsonb($extra) : '');
	}
	return undef;
}

# Names: of each use (none is official) and period the best, marks before dates; of some uses every one.
sub names
{
	my ($docs) = @_;
	my (%best, %all);
	for my $doc (@$docs)
	{
		for my $name (ref $doc->{name} ? @{ $doc->{name} } : ())    # an organization's is a text
		{
			my ($s) = statements([ { meta => $doc->{meta}, name => $name } ], name => sub { jsonb($_[0]) =~ /[\x80-\xff]/ ? 1 : 0 });
			my $key = ($name->{use} // 'official') =~ /^(old|maiden|nickname|temp|anonymous)$/ ? jsonb($name)
			  : ($name->{use} // 'official') . '|' . (defined $name->{period} ? jsonb($name->{period}) : '');
			my @both = sort by_rank grep { defined } $best{$key}, $s;
			$best{$key} = $both[0];
		}
	}
	return join "\n", sort map { $_->{bytes} } values %best;
}

my ($right, $wrong) = (0, 0);
my ($unions, $lost) = (0, 0);
for my $line (split /\n/, $node->safe_psql('postgres', q{
	SELECT g, string_agg(id::text, ','), (SELECT d FROM merged m WHERE m.g = member.g) FROM member WHERE g <= } . $seen . q{ GROUP BY g ORDER BY g}))
{
	my ($g, $ids, $text) = split /\|/, $line, 3;
	my @of = map { $json->decode($json->encode($docs[ $_ - 1 ])) } split /,/, $ids;
	my $merged = $json->decode($text);
	for my $element (sort keys %oracle)
	{
		my $expected = $oracle{$element}->(\@of);
		my $got = stated($merged, $element);
		next unless defined $expected || defined $got;
		if (($expected // '') eq ($got // '')) { $right++; next; }
		$wrong++;
		diag("group $g, $element:\n  expected " . ($expected // 'nothing') . "\n  got " . ($got // 'nothing')) if $wrong <= 5;
	}
	my $expected = names(\@of);
	for my $name (ref $merged->{name} ? @{ $merged->{name} } : ())
	{
		my @kept = grep { $_->{url} !~ /^urn:ehr:/ } @{ $name->{extension} // [] };
		if (@kept) { $name->{extension} = \@kept; } else { delete $name->{extension}; }
	}
	my $got = join "\n", sort map { "name\n" . jsonb($_) . "\n" } ref $merged->{name} ? @{ $merged->{name} } : ();
	if ($expected eq $got) { $right++; } else { $wrong++; diag("group $g, names:\n$expected\n---\n$got") if $wrong <= 5; }

	# no identifier, phone, address line or extension url is lost
	for my $list ([ identifier => qw(system value) ], [ telecom => qw(system value period) ], [ address => qw(line text) ], [ extension => 'url' ], [ modifierExtension => qw(url valueBoolean) ])
	{
		my ($element, @key) = @$list;
		my $keys = sub { my %k = map { my $i = $_; (join("\n", map { defined $i->{$_} ? jsonb($i->{$_}) : '' } @key) => 1) } map { ref $_->{$element} eq 'ARRAY' ? @{ $_->{$element} } : () } @_; return join '|', sort keys %k };
		$unions++;
		$lost++ if $keys->(@of) ne $keys->($merged);
	}
}
ok($wrong == 0 && $right > 1000, "what survives is what the rules say ($right elements)");
ok($lost == 0 && $unions == 5 * $seen, "unions lose nothing and invent nothing ($unions lists)");

# ---- nothing personal in errors ----

my ($ret, $stdout, $stderr) = $node->psql('postgres', q{SELECT '{"resourceType":"Patient","birthDate":"1980-02-03"}'::ehr.fhir OPERATOR(ehr.+) '{"resourceType":"Basic","code":{"text":"secret"}}'::ehr.fhir});
like($stderr, qr/cannot merge resources of different types/, 'different types are refused');
unlike($stderr, qr/1980|secret/, 'without values');

$node->stop;
done_testing();
