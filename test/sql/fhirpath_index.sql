-- Planner support of fhirpath_exists and ?~: a GIN index on a column of type fhir serves what asks for equality.
SET search_path = public, ehr;
CREATE TABLE path_fhir (id int, doc fhir);
INSERT INTO path_fhir SELECT i, jsonb_build_object('resourceType', 'Patient', 'id', 'p' || i, 'gender', (ARRAY['male', 'female', 'other'])[1 + i % 3], 'active', i % 2 = 0,
	'birthDate', date '1950-01-01' + i * 7, 'identifier', jsonb_build_array(jsonb_build_object('system', 'urn:a', 'value', 'v' || i), jsonb_build_object('system', 'urn:b', 'value', 'v' || i + 1)),
	'name', jsonb_build_array(jsonb_build_object('use', 'official', 'family', 'F' || i % 50, 'given', jsonb_build_array('G' || i % 7, 'H' || i % 5))))
FROM generate_series(1, 3000) AS i;
INSERT INTO path_fhir SELECT i, jsonb_build_object('resourceType', 'Observation', 'status', 'final', 'code', jsonb_build_object('coding', jsonb_build_array(jsonb_build_object('system', 'http://loinc.org', 'code', 'c' || i % 40))),
	'valueQuantity', jsonb_build_object('value', i, 'code', 'u' || i % 30, 'system', 'http://unitsofmeasure.org')) FROM generate_series(3001, 4000) AS i;
CREATE INDEX path_fhir_doc ON path_fhir USING gin (doc jsonb_path_ops);
ANALYZE path_fhir;

CREATE FUNCTION pg_temp.condition(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE plan jsonb;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT json, COSTS off) ' || query INTO plan;
	RETURN coalesce(jsonb_path_query_first(plan, '$.**."Index Cond"') #>> '{}', 'no index');
END $$;

-- what is implied, and that the index finds what the scan finds
CREATE TABLE path_asked (e text);
INSERT INTO path_asked VALUES ('Patient.identifier.where(system = ''urn:a'' and value = ''v77'')'), ('Patient.where(birthDate = @1951-01-07)'), ('Patient.where(active = true and gender = ''other'').name.given'),
	('Patient.name.where(family = ''F7'').where(given = ''G3'')'), ('Patient.name.where(family = ''F7'' and given contains ''G3'')'), ('Patient.identifier.where(value = ''v5'').first().system'),
	('Patient.where(identifier.exists(system = ''urn:a'' and value = ''v8'') and identifier.exists(system = ''urn:b'' and value = ''v9''))'), ('Observation.code.coding.where(code = ''c3'')'),
	('Observation.value.ofType(Quantity).where(code = ''u4'')'), ('Observation.where(code.coding.exists(code = ''c3'') and value.ofType(Quantity).code = ''u23'')'),
	-- nothing is implied
	('Patient.gender = ''male'''), ('name.where(family = ''F7'')'), ('Patient.name'), ('Patient.where(gender = ''male'' or gender = ''other'')'), ('Patient.where(birthDate = @1951)'),
	('Patient.name.where(family ~ ''f7'')'), ('Patient.name.where(family = ''F7'').count()'), ('Resource.where(id = ''p1'')');
DO $$
DECLARE
	a text;
	condition text;
	by_index int[];
	by_scan int[];
BEGIN
	FOR a IN SELECT e FROM path_asked LOOP
		SET LOCAL enable_seqscan = off;
		condition := pg_temp.condition(format('SELECT id FROM path_fhir WHERE fhirpath_exists(doc, %L)', a));
		IF condition <> pg_temp.condition(format('SELECT id FROM path_fhir WHERE doc ?~ %L', a)) THEN
			RAISE NOTICE 'the operator''s condition differs: %', a;
		END IF;
		EXECUTE format('SELECT array_agg(id ORDER BY id) FROM path_fhir WHERE fhirpath_exists(doc, %L)', a) INTO by_index;
		SET LOCAL enable_seqscan = on;
		SET LOCAL enable_bitmapscan = off;
		EXECUTE format('SELECT array_agg(id ORDER BY id) FROM path_fhir WHERE doc ?~ %L', a) INTO by_scan;
		SET LOCAL enable_bitmapscan = on;
		RAISE NOTICE '% | % | % rows%', a, condition, coalesce(array_length(by_scan, 1), 0), CASE WHEN by_scan IS DISTINCT FROM by_index THEN ', by the index others' ELSE '' END;
	END LOOP;
END $$;

-- documents of type jsonb may have any structure: no index there
CREATE TABLE path_jsonb AS SELECT id, doc::jsonb AS doc FROM path_fhir;
CREATE INDEX ON path_jsonb USING gin (doc jsonb_path_ops);
SET enable_seqscan = off;
SELECT pg_temp.condition($$SELECT id FROM path_jsonb WHERE doc ?~ 'Patient.name.where(family = ''F7'')'$$) AS jsonb,
	pg_temp.condition($$SELECT id FROM path_fhir WHERE fhirpath_exists(doc, 'Patient.name.where(family = ''F7'')', '{"%model": "none"}')$$) AS no_model;
RESET enable_seqscan;
DROP TABLE path_fhir, path_jsonb, path_asked;
RESET search_path;
