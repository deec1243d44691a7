-- merge(fhir) against the same survivorship in PL/pgSQL: 100,000 Patients of 10,000 persons.
-- Run by test/bench/parts/merge: lines of what, figure and requirement.
-- The PL/pgSQL side is the least that does the job: recency, rank, source; union of identifier, telecom, address and
-- name by key. It has neither alternatives, nor safety classes, nor extensions, nor marks that a next merge could read.
\set QUIET on
\pset format unaligned
\pset tuples_only on
CREATE SCHEMA bench_merge;
SET search_path = bench_merge, ehr, public;
CREATE TABLE doc AS SELECT i / 10 AS person, jsonb_build_object('resourceType', 'Patient', 'id', 'p' || i,
	'meta', jsonb_build_object('lastUpdated', to_char(timestamp '2020-01-01' + i * 7919 % 997 * interval '1 day', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'source', 'urn:h' || i % 7),
	'name', jsonb_build_array(jsonb_build_object('use', 'official', 'text', 'Nguyen Van ' || i % 3)), 'gender', CASE WHEN i % 2 = 0 THEN 'male' ELSE 'female' END,
	'birthDate', '1980-01-0' || 1 + i % 9, 'identifier', jsonb_build_array(jsonb_build_object('system', 'urn:cccd', 'value', (i / 10)::text), jsonb_build_object('system', 'urn:pid', 'value', i::text)),
	'telecom', jsonb_build_array(jsonb_build_object('system', 'phone', 'value', '09' || i % 5)), 'address', jsonb_build_array(jsonb_build_object('text', 'Street ' || i % 4, 'city', 'HCM')))::fhir AS d
FROM generate_series(0, 99999) AS i;
ANALYZE doc;
SET max_parallel_workers_per_gather = 0;
SET work_mem = '256MB';

-- state: {slot: {key: {"o": origin, "v": value}}}
CREATE FUNCTION plain_step(state jsonb, doc jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	origin text := concat_ws(' ', doc #>> '{meta,lastUpdated}', doc #>> '{meta,source}');
	slot text;
	value jsonb;
	item jsonb;
	key text;
BEGIN
	FOR slot, value IN SELECT * FROM jsonb_each(doc) LOOP
		CONTINUE WHEN slot IN ('meta', 'resourceType', 'id');
		IF NOT state ? slot THEN
			state := jsonb_set(state, ARRAY[slot], '{}');
		END IF;
		FOR item IN SELECT jsonb_array_elements(CASE jsonb_typeof(value) WHEN 'array' THEN value ELSE jsonb_build_array(value) END) LOOP
			key := CASE WHEN slot IN ('identifier', 'telecom') THEN concat_ws('|', item ->> 'system', item ->> 'value')
				WHEN slot = 'address' THEN concat_ws('|', item ->> 'line', item ->> 'text', item ->> 'period')
				WHEN slot = 'name' THEN concat_ws('|', item ->> 'use', item ->> 'period') ELSE '' END;
			IF state #>> ARRAY[slot, key, 'o'] IS NULL OR state #>> ARRAY[slot, key, 'o'] < origin THEN
				state := jsonb_set(state, ARRAY[slot, key], jsonb_build_object('o', origin, 'v', item));
			END IF;
		END LOOP;
	END LOOP;
	RETURN state;
END $$;
-- the document again, each element with its origin
CREATE FUNCTION plain_final(state jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	doc jsonb := '{"resourceType": "Patient"}';
	slot text;
	entries jsonb;
BEGIN
	FOR slot, entries IN SELECT * FROM jsonb_each(state) LOOP
		IF entries ? '' THEN
			doc := doc || jsonb_build_object(slot, entries #> '{"",v}',
				'_' || slot, jsonb_build_object('extension', jsonb_build_array(jsonb_build_object('url', 'urn:ehr:origin', 'valueString', entries #> '{"",o}'))));
		ELSE
			doc := doc || jsonb_build_object(slot, (SELECT jsonb_agg(e -> 'v' || jsonb_build_object('extension', jsonb_build_array(jsonb_build_object('url', 'urn:ehr:origin', 'valueString', e -> 'o'))) ORDER BY e ->> 'o' DESC)
				FROM jsonb_each(entries) AS x (k, e)));
		END IF;
	END LOOP;
	RETURN doc;
END $$;
CREATE AGGREGATE plain_merge(jsonb) (SFUNC = plain_step, STYPE = jsonb, FINALFUNC = plain_final, INITCOND = '{}');

-- Best of three, CPU time in ms
CREATE FUNCTION ms(query text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
	best numeric;
	started numeric;
BEGIN
	FOR i IN 1..3 LOOP
		started := public.cpu() / 1e6;
		EXECUTE query;
		best := least(best, public.cpu() / 1e6 - started);
	END LOOP;
	RETURN best;
END $$;
CREATE TEMP TABLE result AS SELECT
	ms('SELECT sum(pg_column_size(m)) FROM (SELECT ehr.merge(d) AS m FROM doc GROUP BY person) AS s') AS ours,
	ms('SELECT sum(pg_column_size(m)) FROM (SELECT plain_merge(d) AS m FROM doc GROUP BY person) AS s') AS plain,
	ms('SELECT sum(pg_column_size(m)) FROM (SELECT jsonb_agg(d::jsonb) AS m FROM doc GROUP BY person) AS s') AS floor;
SELECT concat_ws(E'\t', what, figure, required) FROM result,
	LATERAL (VALUES ('100,000 documents of 10,000 persons: merge(fhir), ms of CPU', round(ours), NULL),
		('  the same in PL/pgSQL, ms', round(plain), NULL),
		('  jsonb_agg alone, ms', round(floor), NULL),
		('documents per second: merge(fhir) / PL/pgSQL', round(plain / ours, 1), 5),
		('one group of 3,000 documents: merge(fhir), ms', round(ms('SELECT pg_column_size(ehr.merge(d)) FROM doc WHERE person < 300')), NULL)) AS line (what, figure, required);
