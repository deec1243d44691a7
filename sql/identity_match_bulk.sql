---------------------------------------------------------------------------------------------------
-- identity: linking in bulk (doc/identity.md)
---------------------------------------------------------------------------------------------------

CREATE FUNCTION ehr_internal.match_bulk(run bigint, step text, OUT figure text, OUT value bigint) RETURNS SETOF record
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 1000000 ROWS 20
	AS 'MODULE_PATHNAME', 'ehr_match_bulk';
COMMENT ON FUNCTION ehr_internal.match_bulk(bigint, text) IS 'does a step of a run of link_all: train, score, cluster, store, learn; returns its figures';

CREATE FUNCTION ehr_internal.match_work(run bigint, what text, OUT a bigint, OUT b bigint, OUT bits real) RETURNS SETOF record
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 10000 ROWS 100000
	AS 'MODULE_PATHNAME', 'ehr_match_work';
COMMENT ON FUNCTION ehr_internal.match_work(bigint, text) IS 'what a run of link_all keeps on its way: clusters (subject, cluster, bits of its best link) or reviews (two subjects, bits)';

-- Persons for clusters some of whose source patients are somebody already.
CREATE FUNCTION ehr_internal.link_known(run bigint) RETURNS jsonb
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
		FROM ehr_internal.match_work(run, 'clusters') AS w JOIN ehr_store.person_link l ON l.subject = w.a
		GROUP BY w.b HAVING count(DISTINCT l.person) > 1
	LOOP
		merged := merged + (SELECT count(ehr_internal.redirect_person(several.persons[1], p, 'linked in bulk', 'matcher'))
			FROM unnest(several.persons[2:]) AS p);
	END LOOP;

	WITH fresh AS (
		SELECT w.b AS cluster
		FROM ehr_internal.match_work(run, 'clusters') AS w LEFT JOIN ehr_store.person_link l ON l.subject = w.a
		GROUP BY w.b HAVING count(l.person) = 0
		ORDER BY 1)
	INSERT INTO ehr_store.person (founder) SELECT f.cluster FROM fresh f;
	GET DIAGNOSTICS created = ROW_COUNT;

	WITH work AS MATERIALIZED (SELECT * FROM ehr_internal.match_work(run, 'clusters')),
	known AS (
		SELECT w.b AS cluster, min(l.person) AS person
		FROM work w JOIN ehr_store.person_link l ON l.subject = w.a GROUP BY w.b),
	made AS (
		-- just made: founded by the cluster's first subject, and nobody's yet
		SELECT p.founder AS cluster, p.key AS person FROM ehr_store.person p
		WHERE p.founder IS NOT NULL AND NOT EXISTS (SELECT FROM ehr_store.person_link l WHERE l.person = p.key)
			AND NOT EXISTS (SELECT FROM ehr_store.person_link l WHERE l.subject = p.founder)),
	cluster_person AS (SELECT k.cluster, k.person FROM known k UNION ALL SELECT m.cluster, m.person FROM made m)
	INSERT INTO ehr_store.person_link (subject, person, method, score)
	SELECT w.a, c.person, CASE WHEN w.bits IS NULL THEN 'new' ELSE 'bulk' END, w.bits
	FROM work w JOIN cluster_person c ON c.cluster = w.b
	WHERE NOT EXISTS (SELECT FROM ehr_store.person_link l WHERE l.subject = w.a);
	GET DIAGNOSTICS linked = ROW_COUNT;
	RETURN jsonb_build_object('persons_created', created, 'persons_merged', merged, 'subjects_linked', linked);
END
$$;
COMMENT ON FUNCTION ehr_internal.link_known(bigint) IS 'persons and links of a run of link_all where some of its source patients are linked already';

CREATE FUNCTION ehr_internal.link_learn(run bigint) RETURNS jsonb
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	reviews int;
	learnt jsonb;
BEGIN
	INSERT INTO ehr_store.match_model AS m (model, rows)
	SELECT w.data, (r.figures ->> 'subjects')::bigint
	FROM ehr_store.link_work w JOIN ehr_store.link_run r ON r.run = w.run WHERE w.run = link_learn.run AND w.kind = 3
	ON CONFLICT (one) DO UPDATE SET model = excluded.model, rows = excluded.rows, trained = now();
	DELETE FROM ehr_store.match_frequency;
	SELECT jsonb_object_agg(f.figure, f.value) INTO learnt FROM ehr_internal.match_bulk(run, 'learn') AS f;
	UPDATE ehr_store.match_review r SET state = 'moot', decided = now(), decided_by = 'matcher'
	FROM ehr_store.person_link x, ehr_store.person_link y
	WHERE r.state = 'open' AND x.subject = r.a AND y.subject = r.b
		AND ehr_internal.person_root(x.person) = ehr_internal.person_root(y.person);
	INSERT INTO ehr_store.match_review (a, b, score)
	SELECT least(w.a, w.b), greatest(w.a, w.b), max(w.bits) FROM ehr_internal.match_work(run, 'reviews') AS w
	GROUP BY 1, 2
	ON CONFLICT (a, b) DO NOTHING;
	GET DIAGNOSTICS reviews = ROW_COUNT;
	DELETE FROM ehr_store.link_work w WHERE w.run <= link_learn.run;
	RETURN learnt || jsonb_build_object('reviews_opened', reviews);
END
$$;
COMMENT ON FUNCTION ehr_internal.link_learn(bigint) IS 'last step of link_all: model, frequencies, review queue';

CREATE FUNCTION ehr.train_persons() RETURNS jsonb
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.train_persons() IS 'learns the model of the store''s patients anew, and how frequent their values are, without linking anybody; returns the model';

CREATE FUNCTION ehr_internal.train_persons() RETURNS jsonb
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	-- no run of link_all has this number
	training CONSTANT bigint := 0;
	subjects bigint;
BEGIN
	PERFORM ehr_internal.require_registrar('{admin}');
	PERFORM ehr_internal.lock_blocks(array_fill(0::bigint, ARRAY[51]));
	DELETE FROM ehr_store.link_work w WHERE w.run = training;
	SELECT f.value INTO subjects FROM ehr_internal.match_bulk(training, 'train') AS f WHERE f.figure = 'subjects';
	INSERT INTO ehr_store.match_model AS m (model, rows)
	SELECT w.data, subjects FROM ehr_store.link_work w WHERE w.run = training AND w.kind = 3
	ON CONFLICT (one) DO UPDATE SET model = excluded.model, rows = excluded.rows, trained = now();
	DELETE FROM ehr_store.match_frequency;
	PERFORM ehr_internal.match_bulk(training, 'learn');
	PERFORM ehr_internal.match_bulk(training, 'drop');
	DELETE FROM ehr_store.link_work w WHERE w.run = training;
	RETURN (SELECT ehr_internal.match_model_json(m.model) || jsonb_build_object('rows', m.rows) FROM ehr_store.match_model m);
END
$$;
COMMENT ON FUNCTION ehr_internal.train_persons() IS 'implementation of ehr.train_persons';

CREATE FUNCTION ehr.link_step() RETURNS int
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.link_step() IS 'does the next step of linking in bulk: begins a run, or goes on where one stopped; returns the step done, 0 when the run is complete';

CREATE FUNCTION ehr_internal.link_step() RETURNS int
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	steps CONSTANT text[] := '{train,score,cluster,store,learn}';
	r record;
	began timestamptz;
	did jsonb;
BEGIN
	PERFORM ehr_internal.lock_blocks(array_fill(0::bigint, ARRAY[51]));
	SELECT * INTO r FROM ehr_store.link_run q WHERE q.finished IS NULL ORDER BY q.run DESC LIMIT 1 FOR UPDATE;
	IF NOT FOUND THEN
		INSERT INTO ehr_store.link_run AS q DEFAULT VALUES RETURNING q.* INTO r;
	END IF;
	began := clock_timestamp();
	did := CASE
		WHEN r.step = 4 THEN ehr_internal.link_learn(r.run)
		WHEN r.step = 3 AND EXISTS (SELECT FROM ehr_store.person_link) AND EXISTS (
			SELECT FROM ehr_internal.match_work(r.run, 'clusters') AS w JOIN ehr_store.person_link l ON l.subject = w.a)
			THEN ehr_internal.link_known(r.run)
		ELSE (SELECT jsonb_object_agg(f.figure, f.value)
			FROM (SELECT g.figure, sum(g.value) AS value FROM ehr_internal.match_bulk(r.run, steps[r.step + 1]) AS g GROUP BY g.figure) AS f)
		END;
	UPDATE ehr_store.link_run q SET step = r.step + 1, finished = CASE WHEN r.step = 4 THEN clock_timestamp() END,
		figures = q.figures || did || jsonb_build_object(steps[r.step + 1] || '_ms', round(extract(epoch FROM clock_timestamp() - began) * 1000))
	WHERE q.run = r.run;
	RETURN CASE WHEN r.step < 4 THEN r.step + 1 ELSE 0 END;
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

REVOKE EXECUTE ON FUNCTION ehr.link_step(), ehr.train_persons() FROM PUBLIC;
REVOKE EXECUTE ON PROCEDURE ehr.link_all() FROM PUBLIC;
