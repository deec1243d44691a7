-- What one would write by hand for a table of another schema: pairs that are equal in two fields, a score of points
-- (equal 2, alike by pg_trgm 1, different -1), linked from the threshold that the truth likes best. Clusters are not
-- formed: that would only lower it. plain_f1(table, columns) works on "table"(id, cluster, columns), all text.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE OR REPLACE FUNCTION plain_f1(rows regclass, names text[], source text DEFAULT NULL, OUT f1 numeric, OUT threshold int) LANGUAGE plpgsql AS $$
DECLARE
	apart text := CASE WHEN source IS NULL THEN '' ELSE format(' AND x.%1$I <> y.%1$I', source) END;
	x text; y text; points text;
	-- a block of more than this is nobody's
	most CONSTANT int := 300;
BEGIN
	DROP TABLE IF EXISTS plain_pair, plain_scored;
	CREATE UNLOGGED TABLE plain_pair (a text, b text);
	FOREACH x IN ARRAY names LOOP
		FOREACH y IN ARRAY names LOOP
			CONTINUE WHEN x >= y;
			EXECUTE format('INSERT INTO plain_pair WITH block AS (SELECT %1$I AS p, %2$I AS q FROM %3$s WHERE %1$I <> '''' AND %2$I <> '''' GROUP BY 1, 2 HAVING count(*) BETWEEN 2 AND %5$s)
				SELECT x.id, y.id FROM block JOIN %3$s x ON x.%1$I = p AND x.%2$I = q JOIN %3$s y ON y.%1$I = p AND y.%2$I = q AND x.id < y.id%4$s', x, y, rows, apart, most);
		END LOOP;
	END LOOP;
	SELECT string_agg(format('CASE WHEN coalesce(x.%1$I, '''') = '''' OR coalesce(y.%1$I, '''') = '''' THEN 0 WHEN x.%1$I = y.%1$I THEN 2 WHEN similarity(x.%1$I, y.%1$I) >= 0.5 THEN 1 ELSE -1 END', n), ' + ')
	INTO points FROM unnest(names) AS n;
	EXECUTE format('CREATE UNLOGGED TABLE plain_scored AS SELECT x.cluster = y.cluster AS same, %s AS points
		FROM (SELECT DISTINCT a, b FROM plain_pair) AS p JOIN %2$s x ON x.id = p.a JOIN %2$s y ON y.id = p.b', points, rows);
	EXECUTE format('SELECT round(max(2.0 * same / (said + (SELECT sum(n * (n - 1) / 2) FROM (SELECT count(*) AS n FROM %s GROUP BY cluster) AS c))), 4),
			(array_agg(points ORDER BY 2.0 * same / (said + (SELECT sum(n * (n - 1) / 2) FROM (SELECT count(*) AS n FROM %1$s GROUP BY cluster) AS c)) DESC))[1]
		FROM (SELECT points, sum(count(*)) OVER later AS said, sum(count(*) FILTER (WHERE same)) OVER later AS same FROM plain_scored GROUP BY points WINDOW later AS (ORDER BY points DESC)) AS t', rows)
	INTO f1, threshold;
	DROP TABLE plain_pair, plain_scored;
END $$;
