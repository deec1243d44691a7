---------------------------------------------------------------------------------------------------
-- identity: linking in bulk (doc/identity.md)
---------------------------------------------------------------------------------------------------

CREATE FUNCTION ehr_internal.match_bulk(OUT kind int2, OUT a bigint, OUT b bigint, OUT bits real, OUT data bytea) RETURNS SETOF record
	LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 1000000
	AS 'MODULE_PATHNAME', 'ehr_match_bulk';
COMMENT ON FUNCTION ehr_internal.match_bulk() IS 'links all feature rows: 1 subject and cluster, 2 pair for review, 3 model, 4 frequency, 5 figure';

-- 1: compare all and form clusters
CREATE FUNCTION ehr_internal.link_cluster() RETURNS jsonb
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	TRUNCATE ehr_store.link_work;
	INSERT INTO ehr_store.link_work SELECT * FROM ehr_internal.match_bulk();
	RETURN (SELECT jsonb_object_agg(name, w.b)
		FROM ehr_store.link_work w JOIN (VALUES (1, 'candidates'), (2, 'linked'), (3, 'vetoed'), (4, 'refused')) AS v (a, name) ON v.a = w.a
		WHERE w.kind = 5)
		|| jsonb_build_object(
			'refined', (SELECT coalesce(sum(w.b), 0) FROM ehr_store.link_work w WHERE w.kind = 5 AND w.a BETWEEN 100 AND 199),
			'windowed', (SELECT coalesce(sum(w.b), 0) FROM ehr_store.link_work w WHERE w.kind = 5 AND w.a BETWEEN 200 AND 299),
			'subjects', (SELECT count(*) FROM ehr_store.link_work w WHERE w.kind = 1),
			'persons', (SELECT count(DISTINCT w.b) FROM ehr_store.link_work w WHERE w.kind = 1));
END
$$;
COMMENT ON FUNCTION ehr_internal.link_cluster() IS 'first step of link_all: clusters into ehr_store.link_work';

-- 2: persons for clusters
CREATE FUNCTION ehr_internal.link_persons() RETURNS jsonb
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	several record;
	merged int := 0;
	created int;
	linked int;
BEGIN
	-- clusters that join persons known before
	FOR several IN
		SELECT array_agg(DISTINCT l.person) AS persons
		FROM ehr_store.link_work w JOIN ehr_store.person_link l ON l.subject = w.a
		WHERE w.kind = 1 GROUP BY w.b HAVING count(DISTINCT l.person) > 1
	LOOP
		merged := merged + (SELECT count(ehr_internal.redirect_person(several.persons[1], p, 'linked in bulk', 'matcher'))
			FROM unnest(several.persons[2:]) AS p);
	END LOOP;

	WITH fresh AS (
		SELECT w.b AS cluster
		FROM ehr_store.link_work w LEFT JOIN ehr_store.person_link l ON l.subject = w.a
		WHERE w.kind = 1 GROUP BY w.b HAVING count(l.person) = 0
		ORDER BY 1)
	INSERT INTO ehr_store.person (founder) SELECT f.cluster FROM fresh f;
	GET DIAGNOSTICS created = ROW_COUNT;

	WITH known AS (
		SELECT w.b AS cluster, min(l.person) AS person
		FROM ehr_store.link_work w JOIN ehr_store.person_link l ON l.subject = w.a
		WHERE w.kind = 1 GROUP BY w.b),
	made AS (
		-- just made: founded by the cluster's first subject, and nobody's yet
		SELECT p.founder AS cluster, p.key AS person FROM ehr_store.person p
		WHERE p.founder IS NOT NULL AND NOT EXISTS (SELECT FROM ehr_store.person_link l WHERE l.person = p.key)
			AND NOT EXISTS (SELECT FROM ehr_store.person_link l WHERE l.subject = p.founder)),
	cluster_person AS (SELECT k.cluster, k.person FROM known k UNION ALL SELECT m.cluster, m.person FROM made m)
	INSERT INTO ehr_store.person_link (subject, person, method, score)
	SELECT w.a, c.person, CASE WHEN w.bits > '-Infinity' THEN 'bulk' ELSE 'new' END, nullif(w.bits, '-Infinity')
	FROM ehr_store.link_work w JOIN cluster_person c ON c.cluster = w.b
	WHERE w.kind = 1 AND NOT EXISTS (SELECT FROM ehr_store.person_link l WHERE l.subject = w.a);
	GET DIAGNOSTICS linked = ROW_COUNT;
	RETURN jsonb_build_object('persons_created', created, 'persons_merged', merged, 'subjects_linked', linked);
END
$$;
COMMENT ON FUNCTION ehr_internal.link_persons() IS 'second step of link_all: persons and links';

-- 3: what was learnt, and what a clerk should see
CREATE FUNCTION ehr_internal.link_learn() RETURNS jsonb
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	reviews int;
BEGIN
	INSERT INTO ehr_store.match_model AS m (model, rows) SELECT w.data, w.a FROM ehr_store.link_work w WHERE w.kind = 3
	ON CONFLICT (one) DO UPDATE SET model = excluded.model, rows = excluded.rows, trained = now();
	DELETE FROM ehr_store.match_frequency;
	INSERT INTO ehr_store.match_frequency (kind, value, rows) SELECT w.a, w.b, w.bits FROM ehr_store.link_work w WHERE w.kind = 4;
	UPDATE ehr_store.match_review r SET state = 'moot', decided = now(), decided_by = 'matcher'
	FROM ehr_store.link_work x, ehr_store.link_work y
	WHERE r.state = 'open' AND x.kind = 1 AND y.kind = 1 AND x.a = r.a AND y.a = r.b AND x.b = y.b;
	INSERT INTO ehr_store.match_review (a, b, score)
	SELECT least(w.a, w.b), greatest(w.a, w.b), max(w.bits) FROM ehr_store.link_work w
	WHERE w.kind = 2
	GROUP BY 1, 2
	ON CONFLICT (a, b) DO NOTHING;
	GET DIAGNOSTICS reviews = ROW_COUNT;
	TRUNCATE ehr_store.link_work;
	RETURN jsonb_build_object('reviews_opened', reviews);
END
$$;
COMMENT ON FUNCTION ehr_internal.link_learn() IS 'last step of link_all: model, frequencies, review queue';

CREATE FUNCTION ehr.link_step() RETURNS int
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.link_step() IS 'does the next step of linking in bulk: begins a run, or goes on where one stopped; returns the step done, 0 when the run is complete';

CREATE FUNCTION ehr_internal.link_step() RETURNS int
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	r record;
	did jsonb;
BEGIN
	PERFORM ehr_internal.lock_blocks(array_fill(0::bigint, ARRAY[51]));
	SELECT * INTO r FROM ehr_store.link_run q WHERE q.finished IS NULL ORDER BY q.run DESC LIMIT 1 FOR UPDATE;
	IF NOT FOUND THEN
		INSERT INTO ehr_store.link_run AS q DEFAULT VALUES RETURNING q.* INTO r;
	END IF;
	-- the work table does not survive a crash: then the run begins again
	IF r.step > 0 AND NOT EXISTS (SELECT FROM ehr_store.link_work) THEN
		r.step := 0;
	END IF;
	did := CASE r.step WHEN 0 THEN ehr_internal.link_cluster() WHEN 1 THEN ehr_internal.link_persons() ELSE ehr_internal.link_learn() END;
	UPDATE ehr_store.link_run q SET step = r.step + 1, figures = q.figures || did, finished = CASE WHEN r.step = 2 THEN clock_timestamp() END
	WHERE q.run = r.run;
	RETURN CASE WHEN r.step < 2 THEN r.step + 1 ELSE 0 END;
END
$$;
COMMENT ON FUNCTION ehr_internal.link_step() IS 'implementation of ehr.link_step';

CREATE PROCEDURE ehr.link_all()
	LANGUAGE plpgsql
AS $$
BEGIN
	-- for this transaction; each of the following begins with the caller's own again
	PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
	LOOP
		EXIT WHEN ehr.link_step() OPERATOR(pg_catalog.=) 0;
		COMMIT;
	END LOOP;
END
$$;
COMMENT ON PROCEDURE ehr.link_all() IS 'links all source patients in bulk, in steps of a transaction each; goes on where it was stopped';

REVOKE EXECUTE ON FUNCTION ehr.link_step() FROM PUBLIC;
REVOKE EXECUTE ON PROCEDURE ehr.link_all() FROM PUBLIC;
