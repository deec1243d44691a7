# Random sequences of merging, unmerging, unlinking, relinking and registering keep every invariant of persons: each source
# patient has one person, each person has a patient, no redirect goes in a ring, every person id ever given out resolves;
# unmerging restores the state to the bit. A second implementation (below, in Perl) follows the log of what was done: it knows
# persons, patients and merges only, and says what the redirects must be after every step.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $steps = $ENV{EHR_PERSON_STEPS} // 2500;
my $patients = 40;

my $node = PostgreSQL::Test::Cluster->new('persons');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'ehr'\nfsync = off\njit = off");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION ehr; SELECT ehr.create_store()');
$node->safe_psql('postgres', qq{
	INSERT INTO ehr_store.resource_key (key, type, id) OVERRIDING SYSTEM VALUE SELECT i, ehr_internal.type_number('Patient'), 'p' || i FROM generate_series(1, $patients) AS i;
	INSERT INTO ehr_store.person (founder) SELECT i FROM generate_series(1, $patients, 2) AS i;
	-- some share their person with another from the start
	INSERT INTO ehr_store.person_link (subject, person, method) SELECT i, (i + 1) / 2, 'match' FROM generate_series(1, $patients) AS i;
	SELECT setval('ehr_store.resource_key_key_seq', 1000);
});
$node->safe_psql('postgres', q{
	CREATE TABLE log (step int, op text, x bigint, y bigint, result bigint, merges bigint[], redirects text, links text);
	CREATE TABLE ids AS SELECT id FROM ehr_store.person;
	CREATE FUNCTION redirects() RETURNS text LANGUAGE sql AS $$ SELECT string_agg(key || '>' || coalesce(merged_into::text, ''), ' ' ORDER BY key) FROM ehr_store.person $$;
	CREATE FUNCTION links() RETURNS text LANGUAGE sql AS $$ SELECT string_agg(subject || '>' || person, ' ' ORDER BY subject) FROM ehr_store.person_link $$;
	CREATE FUNCTION state_hash() RETURNS text LANGUAGE sql AS $$ SELECT md5(redirects() || '|' || links()) $$;
	CREATE FUNCTION person_id(k bigint) RETURNS ehr.person LANGUAGE sql AS $$ SELECT id FROM ehr_store.person WHERE key = k $$;
	CREATE FUNCTION any_person() RETURNS bigint LANGUAGE sql VOLATILE AS $$ SELECT key FROM ehr_store.person ORDER BY key OFFSET floor(random() * (SELECT count(*) FROM ehr_store.person)) LIMIT 1 $$;
	CREATE FUNCTION any_patient() RETURNS bigint LANGUAGE sql VOLATILE AS $$ SELECT subject FROM ehr_store.person_link ORDER BY subject OFFSET floor(random() * (SELECT count(*) FROM ehr_store.person_link)) LIMIT 1 $$;
	CREATE FUNCTION any_merge() RETURNS bigint LANGUAGE sql VOLATILE AS $$ SELECT merge FROM ehr_store.person_merge WHERE undone IS NULL ORDER BY merge OFFSET floor(random() * (SELECT count(*) FROM ehr_store.person_merge WHERE undone IS NULL)) LIMIT 1 $$;
	CREATE PROCEDURE go(steps int, patients int) LANGUAGE plpgsql AS $$
	DECLARE
		op text; x bigint; y bigint; result bigint; got uuid; born bigint := patients;
	BEGIN
		FOR i IN 1 .. steps LOOP
			op := (ARRAY['merge', 'merge', 'merge', 'unmerge', 'unmerge', 'unlink', 'relink', 'register'])[1 + floor(random() * 8)];
			x := NULL; y := NULL; result := NULL;
			IF op = 'merge' THEN
				x := any_person(); y := any_person();
				result := ehr.merge_persons(person_id(x), person_id(y), 'test');
			ELSIF op = 'unmerge' THEN
				x := any_merge();
				CONTINUE WHEN x IS NULL;
				result := ehr.unmerge(x)::int;
			ELSIF op = 'unlink' THEN
				x := any_patient();
				got := ehr.unlink('p' || x, 'test');
				result := (SELECT key FROM ehr_store.person WHERE id = got);
			ELSIF op = 'relink' THEN
				x := any_patient(); y := any_person();
				got := ehr.relink('p' || x, person_id(y), 'test');
				result := (SELECT key FROM ehr_store.person WHERE id = got);
			ELSE
				CONTINUE WHEN random() < 0.8;
				-- as link_one does: beside a patient that is known, or a person of its own
				born := born + 1;
				x := born; y := any_patient();
				INSERT INTO ehr_store.resource_key (key, type, id) OVERRIDING SYSTEM VALUE VALUES (x, ehr_internal.type_number('Patient'), 'p' || x);
				IF random() < 0.5 THEN
					y := NULL;
					INSERT INTO ehr_store.person (founder) VALUES (x) RETURNING key INTO result;
				ELSE
					result := ehr_internal.person_beside(y);
				END IF;
				INSERT INTO ehr_store.person_link (subject, person, method) VALUES (x, result, 'match');
			END IF;
			INSERT INTO log VALUES (i, op, x, y, result, ARRAY(SELECT merge FROM ehr_store.person_merge WHERE undone IS NULL ORDER BY merge), redirects(), links());
			INSERT INTO ids SELECT id FROM ehr_store.person EXCEPT SELECT id FROM ids;
			IF i % 50 = 0 THEN
				IF EXISTS (SELECT FROM ehr_internal.person_problems()) THEN
					RAISE 'step %: %', i, (SELECT string_agg(p::text, '; ') FROM ehr_internal.person_problems() AS p);
				END IF;
				COMMIT;
			END IF;
		END LOOP;
	END $$;
	CREATE PROCEDURE there_and_back(rounds int) LANGUAGE plpgsql AS $$
	DECLARE
		before text; merges bigint[]; m bigint;
	BEGIN
		FOR i IN 1 .. rounds LOOP
			before := state_hash();
			merges := '{}';
			FOR k IN 1 .. 1 + floor(random() * 8) LOOP
				m := ehr.merge_persons(person_id(any_person()), person_id(any_person()), 'there');
				IF m IS NOT NULL THEN merges := merges || m; END IF;
			END LOOP;
			-- back: the last first, or in any order
			FOR m IN SELECT u FROM unnest(merges) AS u ORDER BY CASE WHEN i % 2 = 0 THEN -u ELSE random() END LOOP
				IF NOT ehr.unmerge(m) OR ehr.unmerge(m) THEN RAISE 'round %: unmerge', i; END IF;
			END LOOP;
			IF state_hash() <> before THEN RAISE 'round %: the state is another', i; END IF;
		END LOOP;
	END $$;
});
my $seed = $ENV{EHR_PERSON_SEED} // 0.42;
$node->safe_psql('postgres', "SELECT setseed($seed); CALL go($steps, $patients)");
my $all = $node->safe_psql('postgres', 'SELECT count(*) FROM log');
cmp_ok($all, '>', $steps / 2, "$all steps were taken, and no invariant broke in any fiftieth of them");
$node->safe_psql('postgres', 'SELECT setseed(0.7); CALL there_and_back(300)');
is($node->safe_psql('postgres', 'SELECT count(*) FROM ehr_internal.person_problems()'), '0', '300 times there and back in any order: the state hash is that of before');
is($node->safe_psql('postgres', 'SELECT count(*) FROM ids WHERE ehr_internal.person_key(id) IS NULL'), '0', 'every person id that was ever there resolves');
is($node->safe_psql('postgres', q{SELECT count(*) FROM ehr_store.person p WHERE p.merged_into IS NULL AND NOT EXISTS (SELECT FROM ehr_internal.subjects_of_person(p.key))}),
	'0', 'every person that stands has a patient');

# ---- the other implementation ----

my (%person_of, %person, %merge, @wrong);    # patient => person; persons; merge => [a, b]
%person = map { $_ => 1 } 1 .. $patients / 2;
%person_of = map { $_ => int(($_ + 1) / 2) } 1 .. $patients;

sub component    # persons that are one with this one by the merges that stand
{
	my ($start) = @_;
	my %seen = ($start => 1);
	my @todo = ($start);
	while (defined(my $p = shift @todo))
	{
		for my $m (values %merge)
		{
			my ($other) = $m->[0] == $p ? $m->[1] : $m->[1] == $p ? $m->[0] : next;
			push @todo, $other unless $seen{$other}++;
		}
	}
	return \%seen;
}

sub redirects    # the younger of two points to the older, merge by merge
{
	my %up;
	my $root = sub { my ($p) = @_; $p = $up{$p} while defined $up{$p}; return $p; };
	for my $m (sort { $a <=> $b } keys %merge)
	{
		my ($x, $y) = sort { $a <=> $b } map { $root->($_) } @{ $merge{$m} };
		$up{$y} = $x if $x != $y;
	}
	return join ' ', map { "$_>" . ($up{$_} // '') } sort { $a <=> $b } keys %person;
}

my %merged_as;    # merge => [a, b], as the database has it
for my $line (split /\n/, $node->safe_psql('postgres', 'SELECT merge, a, b FROM ehr_store.person_merge')) { my ($m, $x, $y) = split /\|/, $line; $merged_as{$m} = [ $x, $y ]; }
sub apart    # takes a patient out of its person
{
	my ($patient, $fresh) = @_;
	my $p = $person_of{$patient};
	return $p unless grep { $_ != $patient && component($p)->{ $person_of{$_} } } keys %person_of;
	if (grep { $_ != $patient && $person_of{$_} == $p } keys %person_of)
	{
		$person{$fresh} = 1;
		return $person_of{$patient} = $fresh;
	}
	my @edges = sort { $a <=> $b } grep { $merge{$_}[0] == $p || $merge{$_}[1] == $p } keys %merge;
	delete @merge{@edges};
	return $p;
}
my $count = 0;
for my $line (split /\n/, $node->safe_psql('postgres', q{SELECT step, op, x, y, result, array_to_string(merges, ','), redirects, links FROM log ORDER BY step}))
{
	my ($step, $op, $x, $y, $result, $merges, $redirects, $links) = split /\|/, $line, -1;
	my @stand = split /,/, $merges;
	my $expect_null = $op eq 'merge' && component($x)->{$y};
	if ($op eq 'merge') { $merge{$result} = [ $x, $y ] unless $expect_null; push @wrong, "$step: merge of what is one" if ($expect_null xor $result eq ''); }
	elsif ($op eq 'unmerge') { delete $merge{$x}; }
	elsif ($op eq 'register') { $person{$result} = 1; $person_of{$x} = $result; }
	else
	{
		my ($there) = " $links " =~ / $x>(\d+) /;
		my $was = component($person_of{$x});
		my $stays = $op eq 'relink' && $was->{$y};
		my $p = $stays ? $person_of{$x} : apart($x, $there);
		# those that were one through it stay one: by whatever merges
		for my $m (grep { !$merge{$_} } @stand) { $merge{$m} = $merged_as{$m}; }
		if ($op eq 'unlink')
		{
			push @wrong, "$step: not alone" if keys %{ component($p) } > 1 || $result != $p || grep { $_ != $x && $person_of{$_} == $p } keys %person_of;
			my @rest = grep { $_ != $p } keys %$was;
			push @wrong, "$step: the others are parted" if @rest && grep { !component($rest[0])->{$_} } @rest;
		}
		else { push @wrong, "$step: not there" unless component($person_of{$x})->{$y}; }
	}
	push @wrong, "$step $op: merges" if join(',', sort { $a <=> $b } keys %merge) ne $merges;
	push @wrong, "$step $op: redirects" if redirects() ne $redirects;
	push @wrong, "$step $op: links" if join(' ', map { "$_>$person_of{$_}" } sort { $a <=> $b } keys %person_of) ne $links;
	$count++;
	last if @wrong > 5;
}
is_deeply([ @wrong[ 0 .. ($#wrong < 4 ? $#wrong : 4) ] ], [], "$count steps: merges, redirects and links are those of the second implementation");
note $node->safe_psql('postgres', q{SELECT string_agg(op || ' ' || n, ', ') FROM (SELECT op, count(*) n FROM log GROUP BY 1 ORDER BY 1) s});
note $node->safe_psql('postgres', q{SELECT 'largest person: ' || max(n) FROM (SELECT count(*) n FROM ehr_store.person_link GROUP BY ehr_internal.person_root(person)) s});

$node->stop;
done_testing();
