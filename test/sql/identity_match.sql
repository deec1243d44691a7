-- Matching: comparators, guards, explanations, tables by a definition. Nothing stays behind.
\pset null '-'
SET search_path = pg_catalog, pg_temp;
BEGIN;

-- comparators against figures from elsewhere: Jaro-Winkler's from Winkler's papers, distances worked out by hand
SELECT c.a, c.b, round(ehr.jaro_winkler(c.a, c.b)::numeric, 4) AS similarity, c.expected,
	abs(ehr.jaro_winkler(c.a, c.b) - c.expected) < 0.0005 AND ehr.jaro_winkler(c.a, c.b) = ehr.jaro_winkler(c.b, c.a) AS ok
FROM (VALUES ('MARTHA', 'MARHTA', 0.9611), ('DWAYNE', 'DUANE', 0.8400), ('DIXON', 'DICKSONX', 0.8133), ('JERALDINE', 'GERALDINE', 0.9259),
	('MICHELLE', 'MICHAEL', 0.9214), ('ABROMS', 'ABRAMS', 0.9222), ('JON', 'JAN', 0.8000), ('', '', 1), ('A', '', 0), ('ĐỖ', 'ĐỖ', 1), ('ĐĂNG', 'ĐĂGN', 0.9333)) AS c (a, b, expected);
SELECT c.a, c.b, ehr.edit_distance(c.a, c.b) AS distance, c.expected
FROM (VALUES ('kitten', 'sitting', 3), ('ca', 'ac', 1), ('ca', 'abc', 3), ('HOÀNG', 'HOÀGN', 1), ('Nguyễn', 'Nguyên', 1), ('', 'abc', 3)) AS c (a, b, expected)
WHERE ehr.edit_distance(c.a, c.b) <> c.expected;
SELECT c.a, c.b, ehr.typing_distance(c.a, c.b) AS distance, c.expected, c.why
FROM (VALUES ('Nguyễn Văn Hoà', 'NGUYỄN VĂN HÒA', 0, 'placement of the tone'), ('Hòa', 'Hoá', 0.25, 'another tone'), ('Nguyễn', 'Nguyen', 0.25, 'no mark'),
	('Đỗ', 'Do', 0.5, 'two marks'), ('Lí', 'Lý', 0, 'i and y'), ('Lan', 'Lam', 0.5, 'M beside N'), ('Lan', 'Lap', 1, 'P is far from N'), ('Minh', 'Mihn', 0.75, 'swapped'),
	('Anh Thư', 'AnhThư', 0.5, 'a blank'), ('Hùng', 'Hùg', 1, 'a letter less'), ('Hoàng', 'Huỳnh', 2.5, 'other names')) AS c (a, b, expected, why);
SELECT c.a, c.b, round(ehr.name_similarity(c.a, c.b)::numeric, 3) AS similarity
FROM (VALUES ('Nguyễn Văn An', 'An Nguyễn Văn'), ('N. V. An', 'Nguyễn Văn An'), ('Nguyễn Văn An', 'Nguyễn An'), ('Trần Thị Bích', 'Trần Thị Bịch'), ('Lê Minh', 'Phạm Tuấn'), ('', '')) AS c (a, b);
SELECT c.a, c.b, ehr.compare_names(c.a, c.b) AS level
FROM (VALUES ('Nguyễn Thị Hòa', 'Nguyễn Thị Hoà'), ('Nguyễn Thị Hòa', 'NGUYEN THI HOA'), ('Nguyễn Thị Hòa', 'Nguyễn Thị Hoa'), ('Nguyễn Thị Hòa', 'N. T. Hòa'), ('Nguyễn Thị Hòa', 'Nguyễn Thi Hòaa'),
	('Hoàng Văn Nam', 'Huỳnh Văn Nam'), ('Vũ Văn Nam', 'Võ Văn Nam'), ('Trần Gia An', 'Trần Minh Khôi'), ('Trần Gia An', 'Lê Thu Hà'), ('CB Nguyễn Thị Hòa', 'Nguyễn Thị Hòa'), ('', 'Lê Thu Hà')) AS c (a, b);
SELECT c.a, c.b, ehr.compare_birth_dates(c.a, c.b) AS level
FROM (VALUES ('1980-05-17', '1980-05-17'), ('1980-01-01', '1980-01-01'), ('1980', '1980-05-17'), ('1980-05-06', '1980-06-05'), ('1980-05-17', '1980-05-71'), ('1980-05-17', '1980-05-18'),
	('1980-05-17', '1982-05-17'), ('1980-05-17', '1980-11-30'), ('1980', '1981-03-04'), ('1980-05-17', '1990-11-30'), ('', '1980')) AS c (a, b);
SELECT c.a, c.b, ehr.compare_numbers(c.a, c.b) AS level
FROM (VALUES ('079180001234', '079180001234'), ('079180001234', '79180001234'), ('079180001234', '079180001235'), ('079180001234', '079180001243'), ('079180001234', '079080001234'), ('079180001234', '079295001234'),
	('079180001234', '001099004321'), ('023456789', '079180001234'), ('023456789', '23456789'), ('023456789', '023456780'), ('000000000', '023456789')) AS c (a, b);

-- guards: each as two patients and what is said of them
CREATE FUNCTION pg_temp.p(name text, birth text, sex text DEFAULT NULL, number text DEFAULT NULL, phone text DEFAULT NULL, ward text DEFAULT NULL, address text DEFAULT NULL) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_strip_nulls(jsonb_build_object('resourceType', 'Patient', 'name', jsonb_build_array(jsonb_build_object('text', $1)), 'birthDate', $2, 'gender', $3,
		'identifier', CASE WHEN $4 IS NOT NULL THEN jsonb_build_array(jsonb_build_object('system', CASE length($4) WHEN 9 THEN 'urn:ehr:vn:cmnd' ELSE 'https://moh.gov.vn/cccd' END, 'value', $4)) END,
		'telecom', CASE WHEN $5 IS NOT NULL THEN jsonb_build_array(jsonb_build_object('system', 'phone', 'value', $5)) END,
		'address', CASE WHEN coalesce($6, $7) IS NOT NULL THEN jsonb_build_array(jsonb_build_object('text', $7, 'extension',
			jsonb_build_array(jsonb_build_object('url', 'urn:ehr:extension:administrative-unit', 'valueCoding', jsonb_build_object('system', 'urn:ehr:vn:ward', 'code', $6))))) END)) $$;
SELECT c.what, e ->> 'veto' IS NOT NULL AS never, (e ->> 'probability')::float8 >= 0.9 AS linked, e ->> 'sentence' AS sentence,
	(SELECT string_agg(f ->> 'field' || ' ' || (f ->> 'level') || CASE WHEN (f ->> 'weight')::float8 > 0 THEN ' +' WHEN (f ->> 'weight')::float8 < 0 THEN ' -' ELSE '' END, ', ') FROM jsonb_array_elements(e -> 'fields') f) AS fields
FROM (VALUES
	('two valid numbers', pg_temp.p('Nguyễn Văn An', '1980-05-17', 'male', '079080001234', '0903123456', '27088', '12 Lê Lợi'), pg_temp.p('Nguyễn Văn An', '1980-05-17', 'male', '079080777777', '0903123456', '27088', '12 Lê Lợi')),
	('re-issued: sex digit', pg_temp.p('Nguyễn Văn An', '1980-05-17', 'male', '079080001234', '0903123456', '27088', '12 Lê Lợi'), pg_temp.p('Nguyễn Văn An', '1980-05-17', NULL, '079180001234', '0903123456', '27088', '12 Lê Lợi')),
	('re-issued: birth year', pg_temp.p('Nguyễn Văn An', '1980-05-17', 'male', '079080001234', '0903123456', '27088', '12 Lê Lợi'), pg_temp.p('Nguyễn Văn An', '1981-05-17', 'male', '079081001234', '0903123456', '27088', '12 Lê Lợi')),
	('one digit', pg_temp.p('Nguyễn Văn An', '1980-05-17', 'male', '079080001234', '0903123456'), pg_temp.p('Nguyễn Văn An', '1980-05-17', 'male', '079080001834')),
	('CMND and CCCD', pg_temp.p('Nguyễn Văn An', '1980-05-17', 'male', '023456781', '0903123456', '27088', '12 Lê Lợi'), pg_temp.p('Nguyễn Văn An', '1980-05-17', 'male', '079080001234', '0903123456', '27088', '12 Lê Lợi')),
	('a parent''s number on a child', pg_temp.p('Trần Thị Bình', '1985-02-03', 'female', '079185001234', '0903123456', '27088', '12 Lê Lợi'), pg_temp.p('Lê Gia Bảo', '2015-09-09', 'male', '079185001234', '0903123456', '27088', '12 Lê Lợi')),
	('the same child twice, once with the parent''s number', pg_temp.p('Lê Gia Bảo', '2015-09-09', 'male', '079215001234', '0903123456', '27088'), pg_temp.p('Lê Gia Bảo', '2015-09-09', 'male', '079185001234', '0903123456', '27088')),
	('two births of one mother', pg_temp.p('CB Trần Thị Bình', '2019-02-03', 'female', NULL, '0903123456', '27088', '12 Lê Lợi'), pg_temp.p('CB Trần Thị Bình', '2021-08-03', 'female', NULL, '0903123456', '27088', '12 Lê Lợi')),
	('first and second of a birth', pg_temp.p('CB1 Trần Thị Bình', '2019-02-03', 'female', NULL, '0903123456', '27088', '12 Lê Lợi'), pg_temp.p('CB2 Trần Thị Bình', '2019-02-03', 'female', NULL, '0903123456', '27088', '12 Lê Lợi')),
	('twins', pg_temp.p('Trần Gia An', '2016-08-01', 'male', NULL, '0903123456', '27088', '12 Lê Lợi'), pg_temp.p('Trần Minh Khôi', '2016-08-01', 'male', NULL, '0903123456', '27088', '12 Lê Lợi')),
	('father and son', pg_temp.p('Trần Văn An', '1960-08-01', 'male', NULL, '0903123456', '27088', '12 Lê Lợi'), pg_temp.p('Trần Văn Ân', '1990-03-12', 'male', NULL, '0903123456', '27088', '12 Lê Lợi')),
	('one number, two people', pg_temp.p('Trần Văn An', '1960-08-01', 'male', 'B1234567'), pg_temp.p('Lê Thị Hoa', '1991-03-12', 'female', 'B1234567')),
	('marks lost, year only, moved', pg_temp.p('Đặng Nguyễn Bảo Trâm', '1990-05-07', 'female', NULL, '0903123456', '27088'), pg_temp.p('DANG NGUYEN BAO TRAM', '1990', 'female', NULL, '84903123456', '26740'))
) AS c (what, a, b), ehr.explain_match(c.a, c.b) AS e;
-- no value of the patients is told
SELECT bool_or(e::text ~* 'nguyễn|0903|lê lợi|1980|079080') AS told FROM ehr.explain_match(pg_temp.p('Nguyễn Văn An', '1980-05-17', 'male', '079080001234', '0903123456', '27088', '12 Lê Lợi'), pg_temp.p('Nguyễn Văn An', '1980-05-17', 'male', '079080001234')) AS e;

-- a table of another country by a definition
CREATE TABLE public.im_voters (id int, first text, last text, born text, zip text, file text);
-- drawn by hash, so that nothing goes with anything; the earlier in a list the more frequent
CREATE FUNCTION pg_temp.draw(n int, what text, of int) RETURNS int LANGUAGE sql AS $$ SELECT ((hashtextextended(what || n, 42) & 1048575) * of >> 20)::int $$;
INSERT INTO public.im_voters
SELECT n, (ARRAY['Anna', 'Bernard', 'Clara', 'David', 'Elsa', 'Frank', 'Greta', 'Hugo', 'Ida', 'Jonas', 'Karin', 'Leo'])[1 + least(pg_temp.draw(n, 'first', 12), pg_temp.draw(n, 'again', 12))],
	(ARRAY['Ander', 'Berg', 'Carl', 'Dahl', 'Eng', 'Fors', 'Gran', 'Holm', 'Isak', 'Lind'])[1 + pg_temp.draw(n, 'last', 10)] || (ARRAY['sson', 'man', 'qvist', 'gren', 'lund', 'strom', 'vall'])[1 + pg_temp.draw(n, 'tail', 7)],
	to_char(date '1930-01-01' + pg_temp.draw(n, 'born', 25000), 'YYYY-MM-DD'), lpad((100 + pg_temp.draw(n, 'zip', 900))::text, 5, '0'), 'a'
FROM generate_series(1, 3000) AS n;
-- every third comes again: a letter changed, the names swapped, the date slipped, the zip code missing
INSERT INTO public.im_voters
SELECT v.id + 10000, CASE v.id % 4 WHEN 1 THEN v.last ELSE v.first END,
	CASE v.id % 4 WHEN 0 THEN overlay(v.last PLACING 'x' FROM 3 FOR 1) WHEN 1 THEN v.first ELSE v.last END,
	CASE v.id % 4 WHEN 2 THEN overlay(v.born PLACING ((substr(v.born, 4, 1)::int + 1) % 10)::text FROM 4 FOR 1) ELSE v.born END, CASE v.id % 4 WHEN 3 THEN NULL ELSE v.zip END, 'b'
FROM public.im_voters v WHERE v.id % 3 = 0;
CREATE TEMPORARY TABLE definition AS SELECT '{"id": "id", "fields": [{"column": "first", "type": "name", "swap": "last"}, {"column": "last", "type": "name"},
	{"column": "born", "type": "date"}, {"column": "zip", "type": "code"}]}'::jsonb AS d;
CREATE FUNCTION pg_temp.score(d jsonb) RETURNS TABLE (pairs bigint, right_ones bigint, missed bigint) LANGUAGE sql AS $$
	WITH found AS (SELECT id::int % 10000 AS truth, cluster FROM ehr.link_table('public.im_voters', d)),
	pair AS (SELECT count(*) AS n, count(DISTINCT truth) AS truths FROM found GROUP BY cluster)
	SELECT sum(n * (n - 1) / 2)::bigint, count(*) FILTER (WHERE n = 2 AND truths = 1), 1000 - count(*) FILTER (WHERE n = 2 AND truths = 1) FROM pair $$;
SELECT s.pairs BETWEEN 980 AND 1020 AS pairs, s.right_ones >= 980 AS right_ones FROM definition, pg_temp.score(d) AS s;
-- by its own blocking rules, with levels of its own, across files only; with the model learnt before, the same as when it is learnt on the way
SELECT s.pairs BETWEEN 980 AND 1020 AS pairs, s.right_ones >= 980 AS right_ones FROM definition, pg_temp.score(d || '{"source": "file", "blocking": [["born"], ["first", "last"], ["last", "born"], ["zip", "last"], ["zip", "first"]]}') AS s;
SELECT s.right_ones >= 900 AS right_ones FROM definition, pg_temp.score(jsonb_set(d, '{fields,1}', '{"column": "last", "type": "name", "levels": [0.95, 0.85, 0.7]}')) AS s;
SELECT t - 'model' = d AS same_definition, jsonb_typeof(t #> '{model,fields,0,m}') AS m, t #>> '{model,rows}' AS rows,
	NOT EXISTS (SELECT FROM ehr.link_table('public.im_voters', d) a JOIN ehr.link_table('public.im_voters', t) b USING (id) WHERE a.cluster <> b.cluster) AS same_clusters
FROM definition, ehr.train_matcher('public.im_voters', d) AS t;
SELECT count(*) > 900 AS pairs, min(p.probability) >= 0.99 AS above, count(*) FILTER (WHERE p.a = p.b) AS itself FROM definition, ehr.match_pairs('public.im_voters', d, 0.99) AS p;
-- a threshold of its own; an empty table; one row; all missing
SELECT count(DISTINCT cluster) > 3000 AS stricter FROM definition, ehr.link_table('public.im_voters', d || '{"threshold": 0.999999}');
CREATE TABLE public.im_few (id text, first text, last text, born text, zip text);
SELECT count(*) AS none FROM definition, ehr.link_table('public.im_few', d);
INSERT INTO public.im_few VALUES ('x', 'Anna', 'Berg', '1950-01-02', '12345');
SELECT l.* FROM definition, ehr.link_table('public.im_few', d) AS l;
INSERT INTO public.im_few VALUES ('y', NULL, NULL, NULL, NULL), (NULL, '', ' ', 'never', '--');
SELECT l.id, l.cluster, l.probability FROM definition, ehr.link_table('public.im_few', d) AS l ORDER BY 1;
-- definitions that are none
CREATE FUNCTION pg_temp.refused(d jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE said text;
BEGIN
	PERFORM ehr.link_table('public.im_few', d);
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS said = PG_EXCEPTION_DETAIL;
	RETURN SQLSTATE || ' ' || coalesce(nullif(said, ''), SQLERRM);
END $$;
SELECT pg_temp.refused(c) AS refused FROM (VALUES ('[]'::jsonb), ('{}'), ('{"id": "id"}'), ('{"id": "id", "fields": []}'), ('{"id": "id", "fields": [{"column": "first"}]}'), ('{"id": "id", "fields": [{"column": "first", "type": "soundex"}]}'),
	('{"id": "id", "fields": [{"column": "first", "type": "name", "swap": "nothing"}]}'), ('{"id": "id", "fields": [{"column": "first", "type": "name", "levels": [0.5, 0.9]}]}'),
	('{"id": "id", "fields": [{"column": "no_such", "type": "name"}]}'), ('{"id": "id", "threshold": 2, "fields": [{"column": "first", "type": "name"}]}'),
	('{"id": "id", "blocking": ["first"], "fields": [{"column": "first", "type": "name"}]}'), ('{"id": "id", "model": {}, "fields": [{"column": "first", "type": "name"}]}'),
	('{"id": "id", "model": {"prior": 0.1, "relatives": 0, "threshold": 0, "fields": [{"m": [1], "u": [1], "h": [1]}]}, "fields": [{"column": "first", "type": "exact"}]}')) AS v (c);
-- it is the caller's own table
CREATE ROLE im_reader;
SET LOCAL ROLE im_reader;
SAVEPOINT s;
SELECT count(*) FROM ehr.link_table('public.im_few', '{"id": "id", "fields": [{"column": "first", "type": "name"}]}');
ROLLBACK TO s;
RESET ROLE;
ROLLBACK;
