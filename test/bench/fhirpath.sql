-- FHIRPath beside jsonpath: the same expressions on the same documents, which lie in memory uncompressed, so that no
-- detoasting is measured. Takes :source (resources, one a line), :expressions (their JSON), :rounds.
SET jit = off;
SET work_mem = '400MB';
SET search_path = public, ehr;
CREATE UNLOGGED TABLE resource (doc jsonb);
SELECT format('COPY resource FROM %L (FORMAT csv, DELIMITER E''\x02'', QUOTE E''\x01'')', :'source') \gexec
CREATE TABLE documents AS
	SELECT 'Patient' AS set, doc FROM (SELECT doc FROM resource WHERE doc ->> 'resourceType' = 'Patient' LIMIT 1000) AS p
	UNION ALL SELECT 'Observation', doc FROM (SELECT doc FROM resource WHERE doc ->> 'resourceType' = 'Observation' LIMIT 2000) AS o
	UNION ALL SELECT 'BP', doc FROM (SELECT doc FROM resource WHERE doc ->> 'resourceType' = 'Observation' AND doc ? 'component' LIMIT 1000) AS b;
CREATE TABLE expression AS
	SELECT ordinality - 1 AS number, e ->> 'set' AS set, e ->> 'fhirpath' AS fhirpath, e ->> 'jsonpath' AS jsonpath
	FROM jsonb_array_elements(pg_read_file(:'expressions')::jsonb) WITH ORDINALITY AS t(e, ordinality);
ANALYZE;

-- Each expression on each document so often that there are about 40,000 evaluations
CREATE PROCEDURE measure_paths(rounds int) LANGUAGE plpgsql AS $$
DECLARE
	e expression;
	documents text;
	again int;
	set_of text := '%s: WITH d AS MATERIALIZED (%s) SELECT count(x) FROM (SELECT %s AS x FROM d, generate_series(1, %s)) AS s';
BEGIN
	FOR e IN SELECT * FROM expression ORDER BY number LOOP
		documents := format('SELECT doc || ''{}'' AS doc FROM documents WHERE set = %L', e.set);
		again := ceil(40000.0 / (SELECT count(*) FROM documents AS d WHERE d.set = e.set));
		CALL measure('path' || e.number, rounds,
			format(set_of, 'nothing', documents, 'doc', again),
			format(set_of, 'jsonpath', documents, format('jsonb_path_query(doc, %L)', e.jsonpath), again),
			format(set_of, 'fhirpath', documents, format('fhirpath_query(doc, %L)', e.fhirpath), again),
			format(set_of, 'exists', documents, format('fhirpath_exists(doc, %L)', e.fhirpath), again));
	END LOOP;
END $$;
CALL measure_paths(:rounds);

-- Several expressions to one stored row: detoasted once
CREATE UNLOGGED TABLE stored AS SELECT doc FROM resource WHERE doc ->> 'resourceType' = 'Patient' LIMIT 1000;
ALTER TABLE stored ALTER doc SET COMPRESSION pglz;
INSERT INTO stored SELECT doc FROM stored, generate_series(1, 4);
CALL measure('stored', :rounds,
	'one: SELECT count(fhirpath_text(doc, ''Patient.birthDate'')) FROM stored',
	'five: SELECT count(fhirpath_text(doc, ''Patient.birthDate'')), count(fhirpath_text(doc, ''Patient.gender'')), count(fhirpath_text(doc, ''Patient.id'')), count(fhirpath_text(doc, ''Patient.name.family.first()'')), count(fhirpath_text(doc, ''Patient.telecom.value.first()'')) FROM stored',
	'five jsonpath: SELECT count(jsonb_path_query_first(doc, ''$.birthDate'')), count(jsonb_path_query_first(doc, ''$.gender'')), count(jsonb_path_query_first(doc, ''$.id'')), count(jsonb_path_query_first(doc, ''$.name[*].family'')), count(jsonb_path_query_first(doc, ''$.telecom[*].value'')) FROM stored');
CREATE VIEW per_evaluation AS
	SELECT e.number, e.fhirpath AS expression, f.what, round(((f.ms - n.ms) * 1000 / (c.count * ceil(40000.0 / c.count)))::numeric, 3) AS us
	FROM expression AS e JOIN (SELECT set, count(*) FROM documents GROUP BY set) AS c USING (set)
		JOIN median AS f ON f.part = 'path' || e.number JOIN median AS n ON n.part = f.part AND n.what = 'nothing' WHERE f.what <> 'nothing';
