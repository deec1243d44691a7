-- Persons: from source patients to one person, merging, taking back, asking. Nothing stays behind.
\set SHOW_CONTEXT never
\pset null '-'
SET search_path = pg_catalog, pg_temp;
BEGIN;
-- a patient as registers write one; the order of arguments is that of the columns of a register
CREATE FUNCTION pg_temp.patient(id text, name text, birth text, sex text DEFAULT NULL, number text DEFAULT NULL, phone text DEFAULT NULL,
	ward text DEFAULT NULL, address text DEFAULT NULL, card text DEFAULT NULL) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_strip_nulls(jsonb_build_object('resourceType', 'Patient', 'id', $1, 'name', jsonb_build_array(jsonb_build_object('text', $2)),
		'birthDate', $3, 'gender', $4,
		'identifier', nullif(CASE WHEN $5 IS NULL THEN '[]' ELSE jsonb_build_array(jsonb_build_object('system', 'https://moh.gov.vn/cccd', 'value', $5)) END
			|| CASE WHEN $9 IS NULL THEN '[]' ELSE jsonb_build_array(jsonb_build_object('system', 'urn:ehr:vn:bhyt-card', 'value', $9)) END, '[]'),
		'telecom', CASE WHEN $6 IS NOT NULL THEN jsonb_build_array(jsonb_build_object('system', 'phone', 'value', $6)) END,
		'address', CASE WHEN coalesce($7, $8) IS NOT NULL THEN jsonb_build_array(jsonb_build_object('text', $8, 'extension',
			jsonb_build_array(jsonb_build_object('url', 'urn:ehr:extension:administrative-unit', 'valueCoding', jsonb_build_object('system', 'urn:ehr:vn:ward', 'code', $7))))) END)) $$;
CREATE FUNCTION pg_temp.register(patient jsonb, source text DEFAULT '79001') RETURNS bigint LANGUAGE sql AS $$
	SELECT ehr_internal.write_and_link($1, $2) $$;
-- which of the test's patients are one person
CREATE FUNCTION pg_temp.persons() RETURNS TABLE (patients text) LANGUAGE sql AS $$
	SELECT string_agg(k.id, ' ' ORDER BY k.id) FROM ehr_store.resource_key k JOIN ehr_store.person_link l ON l.subject = k.key
	WHERE k.id LIKE 'ip-%' GROUP BY ehr_internal.person_root(l.person) ORDER BY 1 $$;
CREATE FUNCTION pg_temp.person(id text) RETURNS uuid LANGUAGE sql AS $$
	SELECT ehr_internal.person_of_subject(k.key) FROM ehr_store.resource_key k WHERE k.id = $1 $$;
CREATE FUNCTION pg_temp.subject(id text) RETURNS bigint LANGUAGE sql AS $$ SELECT k.key FROM ehr_store.resource_key k WHERE k.id = $1 $$;

-- one woman at three places: with everything, without marks and number, with her name in another order and the year alone
SELECT pg_temp.register(pg_temp.patient('ip-hoa-1', 'Nguyễn Thị Hòa', '1980-05-17', 'female', '079180001234', '0903 123 456', '27088', '12/3 Lê Lợi, P. 5, Q. 3')) > 0 AS ok;
SELECT pg_temp.register(pg_temp.patient('ip-hoa-2', 'NGUYEN THI HOA', '1980-05-17', 'female', NULL, '+84903123456')) > 0 AS ok;
SELECT pg_temp.register(pg_temp.patient('ip-hoa-3', 'Hoà Nguyễn Thị', '1980', NULL, NULL, '0903.123.456', '27088', 'Số 12/3 đường LÊ LỢI')) > 0 AS ok;
-- her son with her phone, address and number; her twins; her namesake
SELECT pg_temp.register(pg_temp.patient('ip-son', 'Trần Gia Bảo', '2012-03-09', 'male', '079180001234', '0903123456', '27088', '12/3 Lê Lợi')) > 0 AS ok;
SELECT pg_temp.register(pg_temp.patient('ip-twin-a', 'Trần Gia An', '2016-08-01', 'male', NULL, '0903123456', '27088', '12/3 Lê Lợi')) > 0 AS ok;
SELECT pg_temp.register(pg_temp.patient('ip-twin-b', 'Trần Minh Khôi', '2016-08-01', 'male', NULL, '0903123456', '27088', '12/3 Lê Lợi')) > 0 AS ok;
SELECT pg_temp.register(pg_temp.patient('ip-namesake', 'Nguyễn Thị Hòa', '1980-05-17', 'female', '079180009999', '0987654321', '26740', '7 Trường Chinh')) > 0 AS ok;
SELECT * FROM pg_temp.persons();

-- a re-issued number (sex digit corrected) is hers; another card of the same insurance number too
SELECT pg_temp.register(pg_temp.patient('ip-hoa-4', 'Nguyễn Thị Hòa', '1980-05-17', NULL, '079080001234', '0903123456')) > 0 AS ok;
SELECT pg_temp.register(pg_temp.patient('ip-card-1', 'Phạm Văn Nam', '1975-11-30', 'male', NULL, NULL, NULL, NULL, 'DN4797912345678')) > 0 AS ok;
SELECT pg_temp.register(pg_temp.patient('ip-card-2', 'Phạm Văn Nam', '1975', 'male', NULL, NULL, NULL, NULL, 'HT2797912345678')) > 0 AS ok;
-- newborns go by the mother's name: the same day, the same mother, one child; the mother is somebody else
SELECT pg_temp.register(pg_temp.patient('ip-newborn', 'CB Nguyễn Thị Hòa', '2020-02-02', 'female', NULL, '0903123456', '27088', '12/3 Lê Lợi')) > 0 AS ok;
SELECT * FROM pg_temp.persons();

-- the second of twins, and the next child of the same mother; a year later the first has a name
SELECT pg_temp.register(pg_temp.patient('ip-newborn-2', 'CB2 Nguyen Thi Hoa', '2020-02-02', 'female', NULL, '0903123456')) > 0 AS ok;
SELECT pg_temp.register(pg_temp.patient('ip-newborn-3', 'Con bà NGUYỄN THỊ HOÀ', '2022-05-02', 'female', NULL, '0903123456', '27088', '12/3 Lê Lợi')) > 0 AS ok;
-- (the first fits CB1, of its address, better than CB2: as in bulk, which comes first does not matter)
SELECT pg_temp.register(pg_temp.patient('ip-newborn-4', 'CB1 Nguyễn Thị Hòa', '2020-02-02', 'female', NULL, '0903123456', '27088', '12/3 Lê Lợi')) > 0 AS ok;
SELECT * FROM pg_temp.persons() WHERE patients ~ 'newborn';

-- a version that changes nothing, and one that does, leave the person as it is
SELECT pg_temp.register(pg_temp.patient('ip-hoa-2', 'NGUYEN THI HOA', '1980-05-17', 'female', NULL, '0912000000')) > 0 AS ok;
SELECT count(*) FROM pg_temp.persons();

-- by number: never the son, though he came with it
SELECT ehr.person_of('https://moh.gov.vn/cccd', '079180001234') = pg_temp.person('ip-hoa-1') AS hers, ehr.person_of('079180001234'::ehr.citizen_id) = pg_temp.person('ip-hoa-1') AS hers,
	ehr.person_of('079180000000'::ehr.citizen_id) AS nobody, ehr.person_of('7912345678'::ehr.insurance_no) = pg_temp.person('ip-card-1') AS his;
SELECT i.value, i.own, k.id FROM ehr_store.person_identifier i JOIN ehr_store.resource_key k ON k.key = i.subject WHERE k.id LIKE 'ip-%' ORDER BY k.id, i.value;

-- what a clerk is told
SELECT round(m.score::numeric, 3) AS score, m.grade, m.person = pg_temp.person('ip-hoa-1') AS hers, m.why ->> 'sentence' AS sentence
FROM ehr.match(pg_temp.patient('x', 'Ng. T. Hòa', '1980-05', NULL, '079180001234', '0903123456', '27088')) AS m;
SELECT e ->> 'sentence' AS sentence, e -> 'score' AS score, f ->> 'field' AS field, f ->> 'level' AS level, f -> 'weight' AS weight
FROM ehr.explain_match(pg_temp.patient('x', 'Trần Gia An', '2016-08-01', 'male', NULL, '0903123456'), pg_temp.patient('y', 'Trần Minh Khôi', '2016-08-01', 'male', NULL, '0903123456')) AS e,
	jsonb_array_elements(e -> 'fields') AS f;
SELECT ehr.explain_match('{}', '{"name": 5, "identifier": "x", "birthDate": []}') ->> 'sentence' AS nothing_known;

-- two persons with one number are an error, not a guess, and a clerk is to see it
SELECT pg_temp.register(pg_temp.patient('ip-other', 'Lê Văn Tám', '1980-01-01', 'female', '079180001234')) > 0 AS ok;
SELECT k.id AS number_also_on FROM ehr_store.match_review r JOIN ehr_store.resource_key k ON k.key IN (r.a, r.b) AND k.id <> 'ip-other'
WHERE pg_temp.subject('ip-other') IN (r.a, r.b) AND r.state = 'open' ORDER BY 1;
SAVEPOINT s;
SELECT ehr.person_of('079180001234'::ehr.citizen_id);
ROLLBACK TO s;

-- merge: a redirect; unmerge: its exact inverse, in any order, and matching does not join them again
CREATE TEMPORARY TABLE before AS SELECT p.key, p.merged_into, l.subject FROM ehr_store.person p LEFT JOIN ehr_store.person_link l ON l.person = p.key;
SELECT pg_temp.person('ip-hoa-1') AS hoa, pg_temp.person('ip-namesake') AS namesake, pg_temp.person('ip-other') AS other \gset
SELECT ehr.merge_persons(:'hoa', :'namesake', 'same card shown') AS m1 \gset
SELECT ehr.merge_persons(:'namesake', :'other', 'same card shown') AS m2 \gset
SELECT ehr.merge_persons(:'other', :'hoa', 'again') AS one_already;
SELECT * FROM pg_temp.persons();
SELECT ehr_internal.person_key(:'namesake') = ehr_internal.person_key(:'hoa') AS old_id_resolves, cardinality(ehr_internal.subjects_of_person(:'other'::uuid)) AS subjects;
SELECT ehr.unmerge(:m1) AS first, ehr.unmerge(:m1) AS again;
SELECT ehr.unmerge(:m2) AS second;
SELECT count(*) AS differences FROM ((TABLE before EXCEPT SELECT p.key, p.merged_into, l.subject FROM ehr_store.person p LEFT JOIN ehr_store.person_link l ON l.person = p.key)
	UNION ALL (SELECT p.key, p.merged_into, l.subject FROM ehr_store.person p LEFT JOIN ehr_store.person_link l ON l.person = p.key EXCEPT TABLE before)) AS d;
SELECT state, decided_by IS NOT NULL AS by_somebody, reason FROM ehr_store.match_review WHERE reason = 'unmerged';
SAVEPOINT s;
SELECT ehr.unmerge(-1);
ROLLBACK TO s;
SELECT ehr.merge_persons(:'hoa', '00000000-0000-4000-8000-000000000000', 'nobody');
ROLLBACK TO s;

-- a decision outlives matching: two registrations of one man, held apart
SELECT pg_temp.register(pg_temp.patient('ip-a', 'Võ Hoàng Long', '1990-07-07', 'male', NULL, '0935111222', '27088', '5 Hai Bà Trưng')) > 0 AS ok;
SELECT pg_temp.register(pg_temp.patient('ip-b', 'Võ Hoàng Lân', '1990-07-17', 'male', NULL, '0935111222')) > 0 AS ok;
SELECT * FROM pg_temp.persons() WHERE patients ~ 'ip-[ab]';
INSERT INTO ehr_store.match_review (a, b, score) SELECT least(x, y), greatest(x, y), 1 FROM pg_temp.subject('ip-a') x, pg_temp.subject('ip-son') y
ON CONFLICT (a, b) DO NOTHING;
SELECT r.a <> r.b AS pair, why ->> 'sentence' AS sentence, ehr.decide_match(r.review, false, 'seen both') AS merge
FROM ehr.open_reviews() AS r WHERE r.a IN (pg_temp.person('ip-a'), pg_temp.person('ip-son')) AND r.b IN (pg_temp.person('ip-a'), pg_temp.person('ip-son'));
SELECT state, reason FROM ehr_store.match_review WHERE pg_temp.subject('ip-son') IN (a, b) AND pg_temp.subject('ip-a') IN (a, b);

-- in bulk: what is linked stays, free rows find the same persons as one by one
CREATE TEMPORARY TABLE one_by_one AS SELECT * FROM pg_temp.persons();
CREATE TEMPORARY TABLE ids AS SELECT k.id, pg_temp.person(k.id) AS person FROM ehr_store.resource_key k WHERE k.id LIKE 'ip-%';
SELECT ehr.link_step(), ehr.link_step(), ehr.link_step(), ehr.link_step(), ehr.link_step();
SELECT count(*) AS changed FROM ids WHERE person <> pg_temp.person(id);
SELECT figures -> 'persons_created' AS created, figures -> 'subjects_linked' AS linked FROM ehr_store.link_run ORDER BY run DESC LIMIT 1;

-- every subject has one person, no person points round in a circle, no feature row without a subject
SELECT count(*) AS without_person FROM ehr_store.match_feature f WHERE NOT EXISTS (SELECT FROM ehr_store.person_link l WHERE l.subject = f.subject);
SELECT count(*) AS without_key FROM ehr_store.match_feature f WHERE NOT EXISTS (SELECT FROM ehr_store.resource_key k WHERE k.key = f.subject);

-- who may ask
SET LOCAL ROLE regress_ehr_app;
SAVEPOINT s;
SELECT count(*) FROM ehr.match('{"resourceType": "Patient"}');
ROLLBACK TO s;
SELECT ehr.link_step();
ROLLBACK TO s;
SELECT ehr_internal.link_subjects('{1}');
ROLLBACK TO s;
SELECT count(*) FROM ehr_store.person;
ROLLBACK TO s;
RESET ROLE;
ROLLBACK;
