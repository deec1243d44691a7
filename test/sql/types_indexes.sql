-- every type with every operator class it has: the index is used, gives what a sequential scan gives, and serves under row security
SET search_path = ehr, public;
BEGIN;
CREATE TABLE types_indexed AS
SELECT i AS n, lpad((i::bigint * 7919 * 104729 % 999999999989)::text, 12, '0')::citizen_id AS citizen_id,
	CASE i % 3 WHEN 0 THEN lpad((i % 4000)::text, 10, '0') WHEN 1 THEN 'GD479' || lpad((i % 4000)::text, 10, '0') ELSE lpad((i * 31)::text, 12, '0') END::insurance_no AS insurance_no,
	(chr(65 + i % 26) || lpad((i / 26 % 100)::text, 2, '0') || '.' || i % 7)::icd10 AS icd10
FROM generate_series(1, 20000) AS i ORDER BY i;
ANALYZE types_indexed;
CREATE ROLE regress_types_reader; GRANT SELECT ON types_indexed TO regress_types_reader; GRANT USAGE ON SCHEMA ehr TO regress_types_reader;
ALTER TABLE types_indexed ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON types_indexed USING (n::text !~ '7$');

-- For each type, access method and operator, under row security: is it an index condition, and does it give the same rows?
CREATE FUNCTION pg_temp.index_conditions(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE plan jsonb;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT json, COSTS OFF) ' || query INTO plan;
	RETURN (SELECT string_agg(c #>> '{}', '; ') FROM jsonb_path_query(plan, '$.**."Index Cond"') AS c);
END $$;
CREATE FUNCTION pg_temp.rows_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
	EXECUTE format('SELECT string_agg(n::text, '' '' ORDER BY n) FROM (%s) AS q', query) INTO result;
	RETURN result;
END $$;
CREATE FUNCTION pg_temp.tried() RETURNS TABLE (what text, method text, op text, condition text, visible int, same_rows boolean) LANGUAGE plpgsql AS $$
DECLARE v record; query text; expected text; number text := (SELECT x.citizen_id::text FROM types_indexed x WHERE x.n = 500);
BEGIN
	FOR v IN SELECT t.type, m.am, o.operator, t.value FROM (VALUES ('citizen_id', number),
			('insurance_no', '0000000501'), ('icd10', 'E11.6')) AS t (type, value),
		(VALUES ('btree', '{=,<,<=,>,>=}'::text[]), ('hash', '{=}'), ('brin', '{=,<,>=}')) AS m (am, ops), unnest(m.ops) AS o (operator)
	LOOP
		what := v.type; method := v.am; op := v.operator;
		query := format('SELECT n FROM types_indexed WHERE %I OPERATOR(ehr.%s) %L', v.type, v.operator, v.value);
		SET LOCAL ROLE regress_types_reader;
		SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_indexonlyscan = off; SET LOCAL enable_seqscan = on;
		expected := pg_temp.rows_of(query);
		RESET ROLE;
		EXECUTE format('CREATE INDEX types_index ON types_indexed USING %s (%I)', v.am, v.type);
		SET LOCAL enable_indexscan = on; SET LOCAL enable_bitmapscan = on; SET LOCAL enable_seqscan = off;
		SET LOCAL ROLE regress_types_reader;
		condition := pg_temp.index_conditions(query);
		same_rows := pg_temp.rows_of(query) IS NOT DISTINCT FROM expected;
		visible := coalesce(array_length(string_to_array(expected, ' '), 1), 0);
		RESET ROLE;
		DROP INDEX types_index;
		RETURN NEXT;
	END LOOP;
END $$;
SELECT what, method, op, condition IS NOT NULL AS by_index, visible, same_rows FROM pg_temp.tried();

-- GIN over arrays of them, by PostgreSQL's own array operators; ANALYZE keeps none of the numbers, also of arrays
CREATE TABLE types_listed AS SELECT n / 5 AS n, array_agg(citizen_id) AS citizen_id, array_agg(insurance_no) AS insurance_no, array_agg(icd10) AS icd10 FROM types_indexed GROUP BY n / 5;
ANALYZE types_listed;
CREATE INDEX ON types_listed USING gin (citizen_id); CREATE INDEX ON types_listed USING gin (insurance_no); CREATE INDEX ON types_listed USING gin (icd10);
SET LOCAL enable_seqscan = off;
SELECT what, pg_temp.index_conditions(q) IS NOT NULL AS by_index, pg_temp.rows_of(q) LIKE '%100%' AS found
FROM (SELECT what, format('SELECT n FROM types_listed WHERE %1$I OPERATOR(pg_catalog.@>) (SELECT ARRAY[%1$I] FROM types_indexed WHERE n = 500)', what) AS q FROM unnest('{citizen_id,insurance_no,icd10}'::text[]) AS what) v;
SELECT attname, most_common_vals IS NULL AND histogram_bounds IS NULL AND most_common_elems IS NULL AS no_values FROM pg_stats WHERE tablename = 'types_listed' AND attname <> 'n' ORDER BY 1;

-- what is leakproof: all comparisons and containment; support functions are not asked to be
SELECT t.typname, count(*) FILTER (WHERE p.proleakproof) AS leakproof, string_agg(o.oprname, ' ' ORDER BY o.oprname) FILTER (WHERE NOT p.proleakproof) AS not_leakproof
FROM pg_operator o JOIN pg_proc p ON p.oid = o.oprcode JOIN pg_type t ON t.oid = o.oprleft
WHERE t.typname IN ('citizen_id', 'insurance_no', 'icd10') AND t.typnamespace = 'ehr'::regnamespace GROUP BY 1 ORDER BY 1;
-- casts that exist besides those through text
SELECT castsource::regtype, casttarget::regtype, castcontext FROM pg_cast WHERE castsource IN ('citizen_id'::regtype, 'insurance_no'::regtype, 'icd10'::regtype) OR casttarget IN ('citizen_id'::regtype, 'insurance_no'::regtype, 'icd10'::regtype) ORDER BY 1, 2;
ROLLBACK;
