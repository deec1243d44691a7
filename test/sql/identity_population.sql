-- Reconciling with the citizen database: what a batch says becomes tasks, tasks are decided with a reason. Nothing stays behind.
\set SHOW_CONTEXT never
\pset null '-'
SET search_path = pg_catalog, pg_temp;
BEGIN;
CREATE TEMPORARY TABLE batch (citizen_number text, full_name text, birth_date text, sex text, previous_number text, issued_on text, died_on text);
CREATE FUNCTION pg_temp.register(id text, name text, birth text, sex text, number text, source text DEFAULT '79001', phone text DEFAULT NULL) RETURNS bool LANGUAGE sql AS $$
	SELECT ehr_internal.write_and_link(jsonb_strip_nulls(jsonb_build_object('resourceType', 'Patient', 'id', id, 'name', jsonb_build_array(jsonb_build_object('text', name)),
		'birthDate', birth, 'gender', sex, 'identifier', CASE WHEN number IS NOT NULL THEN jsonb_build_array(jsonb_build_object('system', 'https://moh.gov.vn/cccd', 'value', number)) END,
		'telecom', CASE WHEN phone IS NOT NULL THEN jsonb_build_array(jsonb_build_object('system', 'phone', 'value', phone)) END)), source) > 0 $$;
CREATE FUNCTION pg_temp.person(id text) RETURNS uuid LANGUAGE sql AS $$
	SELECT ehr_internal.person_of_subject(k.key) FROM ehr_store.resource_key k WHERE k.id = $1 $$;
CREATE FUNCTION pg_temp.persons() RETURNS TABLE (patients text) LANGUAGE sql AS $$
	SELECT string_agg(CASE WHEN k.id LIKE 'pop-%' THEN k.id ELSE 'database' END, ' ' ORDER BY k.id LIKE 'pop-%' DESC, k.id)
	FROM ehr_store.resource_key k JOIN ehr_store.person_link l ON l.subject = k.key
	WHERE k.id LIKE 'pop-%' OR k.id = ANY (ARRAY(SELECT ehr_internal.scoped_id('citizens', 'population:' || b.citizen_number) FROM pg_temp.batch b))
	GROUP BY ehr_internal.person_root(l.person) ORDER BY 1 $$;

SELECT pg_temp.register('pop-agrees', 'Nguyễn Thị Hòa', '1980-05-17', 'female', '079180001234'), pg_temp.register('pop-agrees-2', 'NGUYEN THI HOA', '1980-05-17', 'female', '079180001234', '79002'),
	pg_temp.register('pop-vague', 'Trần Văn Nam', '1975', 'male', '079075001111'), pg_temp.register('pop-stranger', 'Lê Văn Tám', '1980-01-01', 'female', '079180005555'),
	pg_temp.register('pop-dead', 'Phạm Văn Ba', '1940-02-02', 'male', '079040002222'), pg_temp.register('pop-before', 'Đỗ Thị Lan', '1990-09-09', 'female', '079090003333'),
	pg_temp.register('pop-unnumbered', 'Vũ Hoàng Yến Nhi', '2001-01-23', 'female', NULL);
-- one man under two numbers that nothing but the database can tell to be one
SELECT pg_temp.register('pop-one', 'Bùi Quang Minh', '1966-06-06', 'male', '079066004444'), pg_temp.register('pop-other', 'Bùi Quang Minh', '1966-06-06', 'male', '001066009876', '01001');

INSERT INTO batch VALUES
	('079180001234', 'Nguyễn Thị Hòa', '17/05/1980', 'Nữ', NULL, NULL, NULL),
	('079075001111', 'Trần Văn Nam', '1975-11-30', 'nam', NULL, NULL, NULL),
	('079180005555', 'Hoàng Thị Mai', '1980-12-24', 'nữ', NULL, NULL, NULL),
	('079040002222', 'Phạm Văn Ba', '02/02/1940', 'Nam', NULL, NULL, '2024-03-01'),
	('079190003333', 'Đỗ Thị Lan', '1990-09-09', 'Nữ', '079090003333', '2023-02-01', NULL),
	('079301007777', 'Vũ Hoàng Yến Nhi', '2001-01-23', 'Nữ', NULL, NULL, NULL),
	('079066004444', 'Bùi Quang Minh', '1966-06-06', 'Nam', '001066009876', '2021-07-01', NULL),
	('079199998888', 'Không Ai Biết', '1999-01-01', 'Nam', NULL, NULL, NULL),
	('07918000123', 'Short Number', '1980-01-01', 'Nam', NULL, NULL, NULL),
	('079180001234x', 'Long Number', '1980-01-01', 'Nam', NULL, NULL, NULL),
	('079180001235', 'No Day', '31/02/1980', 'Nam', NULL, NULL, NULL),
	('079180001236', 'No Sex', '1980', 'khác', NULL, NULL, NULL),
	(NULL, 'No Number', '1980', 'Nam', NULL, NULL, NULL);
SELECT pg_temp.persons();
SELECT jsonb_pretty(ehr.reconcile_population('batch', 'citizens'));
SELECT t.kind, t.state, k.id, o.id AS other, t.fields, t.proposal - 'name' AS proposal FROM ehr_store.population_task t JOIN ehr_store.resource_key k ON k.key = t.subject
	LEFT JOIN ehr_store.resource_key o ON o.key = t.other WHERE t.source = 'citizens' ORDER BY 1, 3;
-- the same again: no new task; in another order of rows neither
SELECT ehr.reconcile_population('batch', 'citizens') -> 'new_tasks' AS again;
CREATE TEMPORARY TABLE shuffled AS SELECT * FROM batch ORDER BY md5(citizen_number);
SELECT r - 'refused' AS again, (SELECT count(*) FROM ehr_store.population_task WHERE source = 'citizens') AS tasks FROM ehr.reconcile_population('shuffled', 'citizens') AS r;

-- what a clerk sees: which fields, and no value
SELECT t.kind, t.patient, t.person = pg_temp.person(t.patient) AS person, t.other = pg_temp.person('pop-other') AS other, t.fields FROM ehr.population_tasks() AS t ORDER BY 1, 2;

-- accepted, a correction is a source of its own: the charts stay, the golden record says what the database says
CREATE FUNCTION pg_temp.decide(kind text, patient text, accept bool) RETURNS text LANGUAGE sql AS $$
	SELECT ehr.decide_population(t.task, $3, 'seen') FROM ehr.population_tasks() AS t WHERE t.kind = $1 AND t.patient = $2 $$;
CREATE TEMPORARY TABLE charts AS SELECT r.key, md5(r.doc::text) AS doc, r.version FROM ehr_store.resource r JOIN ehr_store.resource_key k ON k.key = r.key WHERE k.id LIKE 'pop-%';
SELECT pg_temp.decide('correct', 'pop-vague', true) AS birth, pg_temp.decide('correct', 'pop-before', true) AS reissued, pg_temp.decide('correct', 'pop-unnumbered', true) AS number,
	pg_temp.decide('death', 'pop-dead', true) AS death, pg_temp.decide('contradict', 'pop-stranger', true) AS stranger, pg_temp.decide('correct', 'pop-one', false) AS refused, pg_temp.decide('correct', 'pop-one', true) AS decided_before;
SELECT pg_temp.persons();
SELECT count(*) AS charts_touched FROM charts c JOIN ehr_store.resource r USING (key) WHERE (md5(r.doc::text), r.version) IS DISTINCT FROM (c.doc, c.version);
SELECT ehr.person_of('079190003333'::ehr.citizen_id) = pg_temp.person('pop-before') AS new_number, ehr.person_of('079090003333'::ehr.citizen_id) = pg_temp.person('pop-before') AS old_number,
	ehr.person_of('079301007777'::ehr.citizen_id) = pg_temp.person('pop-unnumbered') AS first_number, ehr.person_of('079180005555'::ehr.citizen_id) AS disowned;
-- the patient is written again: what was found out stays
SELECT pg_temp.register('pop-stranger', 'Lê Văn Tám', '1980-01-01', 'female', '079180005555', '79001', '0901234567');
SELECT ehr.person_of('079180005555'::ehr.citizen_id) AS still_disowned;

-- two numbers, one man: the database says so, a person decides
SELECT pg_temp.decide('merge', 'pop-one', true) AS merge, pg_temp.person('pop-one') = pg_temp.person('pop-other') AS one;
SELECT pg_temp.persons();
-- decided is decided: the same said again opens nothing; something else said does, and what is no longer said is moot
SELECT ehr.reconcile_population('batch', 'citizens') - 'refused' AS again;
UPDATE batch SET full_name = 'Trần Văn Năm', birth_date = '1975-12-01' WHERE citizen_number = '079075001111';
UPDATE batch SET died_on = '2024-03-02' WHERE citizen_number = '079040002222';
SELECT ehr.reconcile_population('batch', 'citizens') - 'refused' AS changed;
SELECT kind, patient, fields FROM ehr.population_tasks() ORDER BY 1, 2;
UPDATE batch SET died_on = NULL WHERE citizen_number = '079040002222';
SELECT ehr.reconcile_population('batch', 'citizens') -> 'moot' AS taken_back;
SELECT ehr.decide_population_all('citizens', 'correct', true, 'all seen', 100) AS in_bulk;
SELECT count(*) AS open FROM ehr.population_tasks();
-- a batch that begins to say when the number was issued is something else said
UPDATE batch SET issued_on = '2021-07-02' WHERE citizen_number = '079066004444';
SELECT ehr.reconcile_population('batch', 'citizens') -> 'new_tasks' AS new_tasks, pg_temp.decide('correct', 'pop-one', true) AS decided;
SELECT * FROM pg_temp.persons() WHERE patients ~ 'one';
SELECT * FROM ehr_internal.person_problems();

-- what the golden record and the list of identifiers say, under a session
SELECT pg_temp.person('pop-before') AS lan, pg_temp.person('pop-dead') AS ba, pg_temp.person('pop-vague') AS nam, pg_temp.person('pop-one') AS minh \gset
SET ROLE regress_ehr_query;
SELECT count(ehr_test.login('citizen', :'lan'));
SELECT value, valid_from, valid_to, source FROM ehr.identifiers(:'lan');
SELECT count(ehr_test.login('citizen', :'minh'));
SELECT value, valid_from, valid_to FROM ehr.identifiers(:'minh');
-- the dead do not log in; the register reads what it wrote
SELECT count(ehr_test.login('facility', 'register', 'citizens', 'TREAT'));
SELECT ehr.golden(:'ba')::jsonb ->> 'deceasedDateTime' AS died;
SELECT count(ehr_test.login('citizen', :'nam'));
SELECT ehr.golden(:'nam')::jsonb ->> 'birthDate' AS born;
RESET ROLE;
SELECT ehr.detach();

-- who may, and errors that hold no value
SAVEPOINT s;
SELECT ehr.reconcile_population('pg_class', 'citizens');
ROLLBACK TO s;
SELECT ehr.reconcile_population_lines(E'{"citizen_number": "079180001234"}\nNguyễn Thị Bí Mật', 'citizens');
ROLLBACK TO s;
SELECT ehr.reconcile_population_lines('{"citizen_number": {"secret": 1}, "birth_date": [1980]}', 'citizens') ->> 'refused';
ROLLBACK TO s;
SELECT ehr.decide_population(-1, true, 'none');
ROLLBACK TO s;
SET LOCAL ROLE regress_ehr_app;
SELECT ehr.reconcile_population_lines('', 'citizens');
ROLLBACK TO s;
SET LOCAL ROLE regress_ehr_app;
SELECT count(*) FROM ehr.population_tasks();
ROLLBACK TO s;
ROLLBACK;
