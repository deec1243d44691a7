-- Type fhirpath: input, canonical output, binary form, errors.
SET search_path = public, ehr;

-- canonical: fewest parentheses, one space around operators
SELECT e::fhirpath FROM (VALUES
	('name . given'), ('(1+2)*3'), ('1+(2*3)'), ('1-(2-3)'), ('(1-2)-3'), ('-(-5)'), ('(-5).abs()'), ('-5.abs()'), ('a.b[ 0 ].c'),
	('a and (b or c)'), ('(a and b) or c'), ('a implies (b implies c)'), ('(a | b).c'), ('a | b.c'), ('x is System . String'),
	('(x as Quantity).value'), ('x.ofType(FHIR.Quantity)'), ('`a b`.`div`.text'), ('''a\''b\\c\u00e9'''), ('@2015T'), ('@T10:30'),
	('@2015-02-04T14:34:28.123+09:00'), ('4 days'), ('1.50 ''mg'''), ('10L'), ('%`vs-x`.a'), ('%''a b'''), ('{}'), ('$this.a'),
	('iif(a,1,2)'), ('a.sort(-b, c desc)'), ('a // comment'), ('a /* b */ .c'), ('where(a=1 and b in (1|2)).exists()')) AS t(e);

-- binary: a version byte, then the text
SELECT ehr_internal.fhirpath_send('name.given') = '\x01'::bytea || convert_to('name.given', 'UTF8') AS sent;

-- errors say where and what was expected
DO $$
DECLARE
	e text;
	state text;
	message text;
	detail text;
BEGIN
	FOREACH e IN ARRAY ARRAY['', 'a.', 'a b', '(a', 'a[1', 'f()', 'a.where()', 'a.where(b, c)', '''abc', '`abc', '/* x', '@2015-13', '@T25:00',
		'"a"', '{a}', 'a +', '2147483649', '1 2', '$that', '%', 'a is', 'a.is(1)', 'é', 'a = é', '''\ud800''', 'name.ofType(Nothing)']
	LOOP
		BEGIN
			PERFORM e::ehr.fhirpath;
			PERFORM ehr.fhirpath_query('{}', e::ehr.fhirpath);
			RAISE NOTICE '%: taken', e;
		EXCEPTION WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
			RAISE NOTICE '% | % % %', e, state, message, detail;
		END;
	END LOOP;
END $$;

-- columns of the type, TOAST included
BEGIN;
CREATE TABLE path_kept (id int, p fhirpath);
INSERT INTO path_kept VALUES (1, 'name.given'), (2, ('''' || repeat('long ', 50000) || ''' = a')::fhirpath);
SELECT id, length(p::text), fhirpath_query_array('{"a": 1, "name": {"given": ["x"]}}', p) FROM path_kept ORDER BY id;
ROLLBACK;
-- strict mode
SELECT e AS expression, ehr.fhirpath_problem(e::ehr.fhirpath, 'Patient') AS problem FROM (VALUES
	('name.given'), ('name.given1'), ('Encounter.status'), ('name.where(use1 = ''a'')'), ('contact.name.family.substring(1)'), ('name.substring(1)'),
	('deceasedBoolean'), ('deceased'), ('(deceased as Period).unit'), ('deceased.ofType(Nothing)'), ('contained.anything'), ('children().skip(1)'),
	('children()[0]'), ('@2024-01-01 + 7'), ('extension.value'), ('extension.valu'), ('name.select(given.first() & famly)'), ('Resource.id'), ('name.is(HumanName)')) AS t(e);
SELECT ehr.fhirpath_problem('name.family', 'Patient.contact'), ehr.fhirpath_problem('birthDate', 'Patient.contact');
SELECT ehr.fhirpath_problem('name', 'Nothing');
-- and as a type modifier, by every way into a column
BEGIN;
CREATE TEMPORARY TABLE strict (n int, p ehr.fhirpath(Patient), g ehr.fhirpath('Group'));
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'strict'::regclass AND attnum > 1 ORDER BY attnum;
INSERT INTO strict VALUES (1, 'Patient.name.given', 'member.entity');
SAVEPOINT s;
INSERT INTO strict VALUES (2, 'nam.given'); \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
INSERT INTO strict SELECT 2, e::ehr.fhirpath FROM (VALUES ('name.givn')) AS t(e); \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
INSERT INTO strict (g) SELECT p FROM strict; \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
UPDATE strict SET p = 'Encounter.status'; \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
COPY strict (p) FROM stdin;
deceased.ofType(Nothing)
\.
\echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
ALTER TABLE strict ALTER p TYPE ehr.fhirpath(Encounter); \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
SELECT 'status'::ehr.fhirpath(Encounter), 'name'::ehr.fhirpath(Nothing); \echo :LAST_ERROR_SQLSTATE
ROLLBACK TO s;
COPY strict TO stdout;
ROLLBACK;

RESET search_path;
