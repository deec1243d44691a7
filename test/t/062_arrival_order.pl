# Who is one person does not depend on who came first: the same patients, registered one by one in random orders, by one
# session and by several at once, are the persons that link_all makes of them. The patients are made so that guards refuse
# everywhere: households whose members share names, dates, phones and numbers but for a letter or a digit. And what
# somebody decided stands, whatever comes later.
use strict;
use warnings;

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $rows = $ENV{EHR_ORDER_ROWS} // 4000;
my $orders = $ENV{EHR_ORDER_ORDERS} // 3;
my $sessions = 4;

my $node = PostgreSQL::Test::Cluster->new('order');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'ehr'\nfsync = off\njit = off\ndeadlock_timeout = 100ms");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION ehr; SELECT ehr.create_store()');
$node->safe_psql('postgres', q{
	CREATE FUNCTION draw(i int, k int) RETURNS float8 LANGUAGE sql IMMUTABLE RETURN (hashint8extended(i, k) & 65535) / 65536.0::float8;
	CREATE FUNCTION pick(list text[], draw float8) RETURNS text LANGUAGE sql IMMUTABLE RETURN list[1 + floor(draw * cardinality(list))::int];
	CREATE TABLE hard (subject bigint PRIMARY KEY, features bytea);
	-- home: who live together; one: a member of it; two: two members, who share what is drawn for both
	CREATE PROCEDURE make(n int) LANGUAGE plpgsql AS $$ BEGIN
		INSERT INTO hard
		SELECT i, ehr_internal.match_row(
			CASE WHEN who = 3 AND draw(i, 2) < 0.6 THEN pick('{"CB ","CB1 ","CB2 "}', draw(i, 3)) ELSE '' END
				|| pick('{Nguyễn,Trần,Lê,Phạm,Hoàng,Vũ,Đặng,Bùi,Đỗ,Hồ}', draw(home, 4)) || ' '
				|| pick('{Thị,Văn,Ngọc,Minh,Thu}', draw(CASE WHEN draw(i, 5) < 0.3 THEN i ELSE one END, 6)) || ' '
				|| pick('{Hòa,Hoa,Hải,Lan,Lam,Minh,Linh,Ninh,Nam,Nga,Tâm,Tầm,Sơn,Hùng,Hưng,Dung,Dũng,Thảo,Thao,Thơ}',
					(draw(CASE WHEN draw(home, 7) < 0.5 THEN one ELSE two END, 8) + CASE WHEN draw(i, 9) < 0.1 THEN 0.05 ELSE 0 END)::numeric % 1),
			CASE WHEN draw(i, 10) < 0.1 THEN '19' || 50 + floor(draw(two, 11) * 40)
				WHEN who = 3 THEN '2020-0' || 1 + floor(draw(one, 12) * 8) || '-1' || floor(draw(i, 13) * 1.5)
				ELSE '19' || 50 + floor(draw(CASE WHEN draw(home, 14) < 0.5 THEN one ELSE two END, 11) * 40) || '-0' || 1 + floor(draw(two, 15) * 8)
					|| '-1' || (floor(draw(two, 16) * 8)::int + CASE WHEN draw(i, 17) < 0.1 THEN 1 ELSE 0 END) END,
			pick('{male,female,NULL}', draw(CASE WHEN draw(i, 18) < 0.9 THEN one ELSE i END, 19)),
			CASE WHEN draw(i, 20) < 0.4 THEN '02' || lpad((floor(draw(home, 21) * 1e6) * 10 + CASE WHEN draw(i, 22) < 0.15 THEN floor(draw(i, 23) * 4) ELSE who END)::text, 7, '3') END,
			CASE WHEN draw(i, 24) < 0.3 THEN 'DN479' || lpad((floor(draw(home, 25) * 1e8) * 10 + CASE WHEN draw(i, 26) < 0.15 THEN floor(draw(i, 27) * 4) ELSE who END)::text, 10, '7') END,
			CASE WHEN draw(i, 28) < 0.8 THEN '0903' || lpad((floor(draw(home, 29) * 1e5) * 10 + floor(draw(i, 30) * 1.6))::text, 6, '4') END,
			(27000 + home % 300)::text, (760 + home % 20)::text, CASE WHEN draw(i, 31) < 0.7 THEN (home % 90) || ' Lê Lợi' END)
		FROM (SELECT *, home * 4 + who AS one, home * 4 + who / 2 * 2 AS two
			FROM (SELECT i, i % (n * 3 / 10) AS home, floor(draw(i, 1) * 4)::int AS who FROM generate_series(1, n) AS i) x) y;
	END $$;
	-- as ingest does: the feature row is there, the person is looked for
	CREATE FUNCTION register(s bigint) RETURNS int LANGUAGE plpgsql AS $$ BEGIN
		INSERT INTO ehr_store.match_feature
		SELECT h.subject, h.features, k[1], k[2], k[3], k[4], k[5], k[6], k[7] FROM hard h, ehr_internal.match_keys(h.features) AS k WHERE h.subject = s
		ON CONFLICT DO NOTHING;
		RETURN ehr_internal.link_subjects(ARRAY[s]);
	END $$;
	CREATE PROCEDURE forget() LANGUAGE plpgsql AS $$ BEGIN
		TRUNCATE ehr_store.person_link, ehr_store.match_review, ehr_store.person_merge, ehr_store.person_link_history, ehr_store.person, ehr_store.match_feature CASCADE;
	END $$;
	CREATE PROCEDURE register_all(seed float8) LANGUAGE plpgsql AS $$
	DECLARE
		s bigint;
	BEGIN
		PERFORM setseed(seed);
		FOR s IN SELECT h.subject FROM hard h WHERE NOT EXISTS (SELECT FROM ehr_store.person_link l WHERE l.subject = h.subject) ORDER BY random() LOOP
			PERFORM register(s);
			COMMIT;
		END LOOP;
	END $$;
	CREATE VIEW cluster AS
	SELECT l.subject, array_agg(l.subject) OVER (PARTITION BY ehr_internal.person_root(l.person) ORDER BY l.subject ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS members
	FROM ehr_store.person_link l;
});
$node->safe_psql('postgres', "CALL make($rows)");
$node->safe_psql('postgres', q{INSERT INTO ehr_store.resource_key (key, type, id) OVERRIDING SYSTEM VALUE SELECT subject, ehr_internal.type_number('Patient'), 'p' || subject FROM hard});

sub ask { return $node->safe_psql('postgres', $_[0]); }
sub different { return ask('SELECT count(*) FROM whole w FULL JOIN cluster c USING (subject) WHERE w.members IS DISTINCT FROM c.members'); }

# in bulk: who is one person, and the model that holds from then on
ask('INSERT INTO ehr_store.match_feature SELECT h.subject, h.features, k[1], k[2], k[3], k[4], k[5], k[6], k[7] FROM hard h, ehr_internal.match_keys(h.features) AS k');
ask('CALL ehr.link_all()');
ask('CREATE TABLE whole AS SELECT * FROM cluster');
my $refused = ask(q{SELECT figures ->> 'refused' FROM ehr_store.link_run});
cmp_ok($refused, '>', $rows / 10, "$rows patients: guards refuse $refused pairs");
cmp_ok(ask('SELECT count(DISTINCT members) FROM whole'), '<', $rows * 0.9, 'many of them are one person');
cmp_ok(ask(q{SELECT figures ->> 'refined' FROM ehr_store.link_run}), '==', 0, 'no block is cut');

for my $order (1 .. $orders)
{
	ask('CALL forget()');
	ask('CALL register_all(' . $order / ($orders + 1) . ')');
	is(different(), 0, "order $order: one by one they are the same persons");
	is(ask('SELECT problem FROM ehr_internal.person_problems()'), '', "order $order: invariants hold");
	note('parted for a later record: ' . ask('SELECT count(*) FROM ehr_store.person_link_history') . ', merged: ' . ask('SELECT count(*) FROM ehr_store.person_merge'));
}

# several sessions at once; who was ended as a victim of a deadlock is registered again, as a client would
ask('CALL forget()');
my @subject = sort { ($a * 2654435761) % 4294967296 <=> ($b * 2654435761) % 4294967296 } 1 .. $rows;
my (@run, @err);
for my $k (0 .. $sessions - 1)
{
	my $script = join('', map { "SELECT register($subject[$_]);\n" } grep { $_ % $sessions == $k } 0 .. $#subject);
	push @run, IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') ], '<', \$script, '>', '/dev/null', '2>', \$err[$k]);
}
$_->finish for @run;
my @other = grep { /ERROR/ && !/deadlock detected/ } map { split /\n/, $_ // '' } @err;
is("@other", '', 'no other error than a deadlock');
my $again = ask('SELECT count(*) FROM hard h WHERE NOT EXISTS (SELECT FROM ehr_store.person_link l WHERE l.subject = h.subject)');
cmp_ok($again, '<', $rows / 100, "$sessions sessions at once; registered again after a deadlock: $again");
ask('CALL register_all(0.5)');
is(different(), 0, 'several sessions at once make the same persons');
is(ask('SELECT problem FROM ehr_internal.person_problems()'), '', 'several sessions at once: invariants hold');

# what somebody decided when half of them were there stands at the end, and so does every person's id
ask('CALL forget()');
my $half = int($rows / 2);
ask("SELECT register(subject) FROM hard WHERE subject <= $half");
ask('CREATE TABLE ids AS SELECT id FROM ehr_store.person');
ask(q{SELECT ehr.decide_match(review, false, 'test') FROM (SELECT review FROM ehr_store.match_review WHERE state = 'open' ORDER BY review LIMIT 60) x});
ask(q{SELECT ehr.decide_match(review, true, 'test') FROM (SELECT r.review FROM ehr_store.match_review r JOIN cluster c ON c.subject = r.a
	WHERE r.state = 'open' AND NOT EXISTS (SELECT FROM ehr_store.match_review d WHERE d.state = 'different' AND (d.a = ANY (c.members) OR d.b = ANY (c.members))) ORDER BY review LIMIT 30) x});
ask('CREATE TABLE decided AS SELECT a, b, state FROM ehr_store.match_review WHERE state IN (\'same\', \'different\')');
ask('CALL register_all(0.25)');
is(ask(q{SELECT count(*) FROM decided d JOIN cluster c ON c.subject = d.a WHERE (d.b = ANY (c.members)) <> (d.state = 'same')}), 0, 'decisions stand: ' . ask('SELECT count(*) FROM decided'));
is(ask('SELECT count(*) FROM ids WHERE ehr_internal.person_key(id) IS NULL'), 0, 'every person id still resolves');
is(ask('SELECT problem FROM ehr_internal.person_problems()'), '', 'decisions: invariants hold');

$node->stop;
done_testing();
