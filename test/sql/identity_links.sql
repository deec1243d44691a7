-- Links: renewed when a patient's data change, taken apart and given by a person; numbers in time; people without a number.
-- Nothing stays behind.
\pset null '-'
\set VERBOSITY terse
SET search_path = pg_catalog, pg_temp;
BEGIN;
CREATE FUNCTION pg_temp.register(id text, name text, birth text, sex text DEFAULT NULL, number text DEFAULT NULL, phone text DEFAULT NULL, source text DEFAULT '79001',
	passport text DEFAULT NULL, card text DEFAULT NULL) RETURNS bool LANGUAGE sql AS $$
	SELECT ehr_internal.write_and_link(jsonb_strip_nulls(jsonb_build_object('resourceType', 'Patient', 'id', id, 'name', jsonb_build_array(jsonb_build_object('text', name)),
		'birthDate', birth, 'gender', sex, 'identifier', (SELECT jsonb_agg(jsonb_build_object('system', s, 'value', v)) FROM (VALUES ('https://moh.gov.vn/cccd', number),
			('http://moh.gov.vn/fhir/core/sid/passport_number', passport), ('urn:ehr:vn:bhyt-card', card)) AS i (s, v) WHERE v IS NOT NULL),
		'telecom', CASE WHEN phone IS NOT NULL THEN jsonb_build_array(jsonb_build_object('system', 'phone', 'value', phone)) END)), source) > 0 $$;
CREATE FUNCTION pg_temp.person(id text) RETURNS uuid LANGUAGE sql AS $$
	SELECT ehr_internal.person_of_subject(k.key) FROM ehr_store.resource_key k WHERE k.id = 'il-' || $1 $$;
CREATE FUNCTION pg_temp.persons() RETURNS TABLE (patients text) LANGUAGE sql AS $$
	SELECT string_agg(substr(k.id, 4), ' ' ORDER BY k.id) FROM ehr_store.resource_key k JOIN ehr_store.person_link l ON l.subject = k.key
	WHERE k.id LIKE 'il-%' GROUP BY ehr_internal.person_root(l.person) ORDER BY 1 $$;
CREATE FUNCTION pg_temp.reviews() RETURNS TABLE (pair text, state text, reason text) LANGUAGE sql AS $$
	SELECT substr(x.id, 4) || ' ' || substr(y.id, 4), r.state, r.reason FROM ehr_store.match_review r JOIN ehr_store.resource_key x ON x.key = r.a JOIN ehr_store.resource_key y ON y.key = r.b
	WHERE x.id LIKE 'il-%' AND y.id LIKE 'il-%' ORDER BY 1 $$;

-- one woman at two places, and a man
SELECT pg_temp.register('il-hoa-1', 'Nguyễn Thị Hòa', '1980-05-17', 'female', '079180001234', '0903123456'), pg_temp.register('il-hoa-2', 'NGUYEN THI HOA', '1980-05-17', 'female', NULL, '0903123456', '79002'),
	pg_temp.register('il-nam', 'Trần Văn Nam', '1975-11-30', 'male', '079075001111', '0912000111');
SELECT * FROM pg_temp.persons();
SELECT pg_temp.person('hoa-1') AS hoa, pg_temp.person('nam') AS nam \gset
-- a change that says the same person keeps the link
SELECT pg_temp.register('il-hoa-2', 'Nguyễn Thị Hoà', '1980-05-17', 'female', NULL, '0903123999', '79002');
SELECT * FROM pg_temp.persons();
-- the second turns out to be the man: the wrong record was opened at that place. A machine linked it, a machine parts it
SELECT pg_temp.register('il-hoa-2', 'Trần Văn Nam', '1975-11-30', 'male', '079075001111', '0912000111', '79002');
SELECT * FROM pg_temp.persons();
SELECT pg_temp.person('hoa-1') = :'hoa' AS hers, pg_temp.person('hoa-2') = :'nam' AS his;
-- two strangers turn out to be one when a number is added: merged, both ids resolve
SELECT pg_temp.register('il-lan-1', 'Đỗ Thị Lan', '1990-09-09', 'female', '079190003333', NULL), pg_temp.register('il-lan-2', 'Do T Lan', '1990', NULL, NULL, NULL, '79002');
SELECT pg_temp.person('lan-2') AS lan_2 \gset
SELECT * FROM pg_temp.persons();
SELECT pg_temp.register('il-lan-2', 'Do Thi Lan', '1990-09-09', 'female', '079190003333', NULL, '79002');
SELECT * FROM pg_temp.persons();
SELECT ehr_internal.person_key(:'lan_2') = ehr_internal.person_key(pg_temp.person('lan-1')) AS resolves;

-- what a person joined, a change of the data does not part: a clerk is asked
SELECT ehr.merge_persons(pg_temp.person('lan-1'), :'hoa', 'shown one card') AS m \gset
SELECT pg_temp.register('il-lan-2', 'Phạm Quốc Bảo', '2001-01-01', 'male', '079201005555', NULL, '79002');
SELECT * FROM pg_temp.persons();
SELECT * FROM pg_temp.reviews() WHERE state = 'open';
SELECT ehr.unmerge(:m);
SELECT pg_temp.register('il-lan-2', 'Do Thi Lan', '1990-09-09', 'female', '079190003333', NULL, '79002');
SELECT * FROM pg_temp.persons();

-- taken apart by a person: a new person for the patient where others have the same, and matching does not join them again
SELECT ehr.unlink('il-hoa-2', 'not him') <> :'nam' AS another;
SELECT * FROM pg_temp.persons();
SELECT pg_temp.register('il-hoa-2', 'Trần Văn Nam', '1975-11-30', 'male', '079075001111', '0912000112', '79002');
SELECT * FROM pg_temp.persons();
SELECT * FROM pg_temp.reviews() WHERE state = 'different';
SELECT h.method, h.by IS NOT NULL AS by_somebody, h.reason, l.method AS now FROM ehr_store.person_link_history h JOIN ehr_store.resource_key k ON k.key = h.subject
	JOIN ehr_store.person_link l ON l.subject = h.subject WHERE k.id = 'il-hoa-2' ORDER BY h.until DESC LIMIT 1;
-- given back by a person
SELECT ehr.relink('il-hoa-2', :'nam', 'it is him') = :'nam' AS his, ehr.relink('il-hoa-2', :'nam', 'again') = :'nam' AS again;
SELECT * FROM pg_temp.persons();
-- the only patient of a person is taken out of merges, and keeps its person; the others stay together
SELECT pg_temp.register('il-a', 'Võ Hoàng Long', '1990-07-07', 'male'), pg_temp.register('il-b', 'Lý Thu Thảo', '1960-01-31', 'female'), pg_temp.register('il-c', 'Đặng Gia Hân', '2010-10-10', 'female');
SELECT pg_temp.person('a') AS a, pg_temp.person('b') AS b, pg_temp.person('c') AS c \gset
SELECT ehr.merge_persons(:'a', :'b', 'x') IS NOT NULL AS ab, ehr.merge_persons(:'b', :'c', 'x') IS NOT NULL AS bc;
SELECT ehr.unlink('il-b', 'not her') = :'b' AS itself, pg_temp.person('a') = pg_temp.person('c') AS others_together;
SELECT ehr.unlink('il-b', 'alone already') = :'b' AS itself;
-- moved to another: its old person id follows
SELECT ehr.relink('il-b', :'hoa', 'her') = :'hoa' AS moved;
SELECT ehr_internal.person_key(:'b') = ehr_internal.person_key(:'hoa') AS id_follows;
SELECT * FROM ehr_internal.person_problems();

-- a number re-issued: history, not replacement; the date is that of the change where nobody says another
SELECT pg_temp.register('il-nam', 'Trần Văn Nam', '1974-11-30', 'male', '079074001111', '0912000111');
SELECT i.value, i.valid_from = current_date AS began_today, i.valid_to = current_date AS ended_today, i.own FROM ehr_store.person_identifier i JOIN ehr_store.resource_key k ON k.key = i.subject
WHERE k.id = 'il-nam' ORDER BY i.value;
SELECT ehr.person_of('079074001111'::ehr.citizen_id) = :'nam' AS new_number, ehr.person_of('079075001111'::ehr.citizen_id) = :'nam' AS old_number;
-- said with its periods
SELECT ehr_internal.write_and_link('{"resourceType": "Patient", "id": "il-periods", "name": [{"text": "Mai Phương Thúy"}], "birthDate": "1988-08-08", "gender": "female", "identifier": [
	{"system": "https://moh.gov.vn/cccd", "value": "079188007777", "period": {"start": "2021-03-04"}}, {"system": "urn:ehr:vn:cmnd", "use": "old", "value": "021234567", "period": {"start": "2004", "end": "2021-03-04"}}]}', '79001') > 0 AS ok;
SELECT pg_temp.person('periods') AS thuy \gset
SET ROLE regress_ehr_query;
SELECT count(ehr_test.login('citizen', :'thuy'));
SELECT value, valid_from, valid_to FROM ehr.identifiers(:'thuy');
RESET ROLE;
SELECT ehr.detach();

-- people without a number are persons: a newborn, later with one; a foreigner by passport; a temporary card identifies nobody
SELECT pg_temp.register('il-baby', 'CB Nguyễn Thị Hòa', '2026-02-02', 'female', NULL, '0903123456', '79001', NULL, 'TE1797912345678'),
	pg_temp.register('il-foreign', 'John Smith', '1970-03-03', 'male', NULL, NULL, '79001', 'AB1234567'), pg_temp.register('il-foreign-2', 'SMITH JOHN', '1970-03-03', 'male', NULL, NULL, '79002', 'AB1234567'),
	pg_temp.register('il-unknown', 'Không rõ', NULL);
SELECT pg_temp.person('baby') AS baby \gset
SELECT pg_temp.person('baby') <> :'hoa' AS not_the_mother, pg_temp.person('foreign') = pg_temp.person('foreign-2') AS one_foreigner, pg_temp.person('unknown') IS NOT NULL AS unknown_is_somebody;
SELECT pg_temp.register('il-baby', 'Lê Bảo Ngọc', '2026-02-02', 'female', '079326001234', '0903123456');
SELECT pg_temp.person('baby') = :'baby' AS same_person, ehr.person_of('079326001234'::ehr.citizen_id) = :'baby' AS by_number;
SELECT * FROM ehr_internal.person_problems();
SAVEPOINT s;
SELECT ehr.unlink('il-nobody', 'x');
ROLLBACK TO s;
SELECT ehr.relink('il-a', '00000000-0000-4000-8000-000000000000', 'x');
ROLLBACK TO s;
SET LOCAL ROLE regress_ehr_app;
SELECT ehr.unlink('il-a', 'x');
ROLLBACK TO s;
ROLLBACK;
