---------------------------------------------------------------------------------------------------
-- identity: merging and unmerging persons, taking source patients apart, identifiers in time (doc/identity.md)
---------------------------------------------------------------------------------------------------

-- A merge says that two persons are one. The merges that stand (undone is null) make a forest over the persons, for a
-- merge of two that are one already is not written; ehr_store.person.merged_into is that forest as redirects. It follows
-- from the merges alone: taken in the order of their numbers, each lets the younger of its two persons (as they are then)
-- point to the older. So taking one back leaves exactly what the others say, whichever it was.
CREATE FUNCTION ehr_internal.create_identity_persons() RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE TABLE IF NOT EXISTS ehr_store.person_merge (
		merge bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		a bigint NOT NULL REFERENCES ehr_store.person,
		b bigint NOT NULL REFERENCES ehr_store.person,
		kept bigint,
		gone bigint,
		reason text,
		by text,
		at timestamptz NOT NULL DEFAULT clock_timestamp(),
		undone timestamptz,
		undone_by text,
		undone_reason text,
		CHECK (kept < gone)
	);
	CREATE INDEX IF NOT EXISTS person_merge_a ON ehr_store.person_merge (a) WHERE undone IS NULL;
	CREATE INDEX IF NOT EXISTS person_merge_b ON ehr_store.person_merge (b) WHERE undone IS NULL;
	CREATE UNIQUE INDEX IF NOT EXISTS person_merge_gone ON ehr_store.person_merge (gone) WHERE undone IS NULL;
	COMMENT ON TABLE ehr_store.person_merge IS 'history of merges of persons, those that were taken back too';
	COMMENT ON COLUMN ehr_store.person_merge.a IS 'the persons that were said to be one, as they were named';
	COMMENT ON COLUMN ehr_store.person_merge.gone IS 'the person that points to kept because of this merge';

	CREATE TABLE IF NOT EXISTS ehr_store.person_link_history (
		subject bigint NOT NULL,
		person bigint NOT NULL REFERENCES ehr_store.person,
		method text NOT NULL,
		score real,
		at timestamptz NOT NULL,
		until timestamptz NOT NULL DEFAULT clock_timestamp(),
		by text,
		reason text,
		PRIMARY KEY (subject, until)
	);
	COMMENT ON TABLE ehr_store.person_link_history IS 'links of source patients that no longer hold: person_link as it was';

	GRANT EXECUTE ON FUNCTION ehr.merge_persons(ehr.person, ehr.person, text), ehr.unmerge(bigint),
		ehr.unlink(text, text), ehr.relink(text, ehr.person, text) TO ehr_app;
END
$$;
COMMENT ON FUNCTION ehr_internal.create_identity_persons() IS 'tables and grants of merging persons';

---------------------------------------------------------------------------------------------------
-- Merging: one redirect
---------------------------------------------------------------------------------------------------

-- Whoever changes what a person is holds the row of the one that it is now (its root) until the end of the transaction,
-- and has looked again after getting it. Two roots are locked in the order of their keys. Readers and registrations,
-- which refer to persons by foreign key, do not wait. The root is written with every change: in REPEATABLE READ and stricter,
-- who has not seen the change then gets 40001 instead of the lock.
CREATE FUNCTION ehr_internal.lock_person(person bigint) RETURNS bigint
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	root bigint;
BEGIN
	LOOP
		root := ehr_internal.person_root(person);
		PERFORM FROM ehr_store.person p WHERE p.key = root FOR NO KEY UPDATE;
		IF root IS NULL OR ehr_internal.person_root(person) = root THEN
			RETURN root;
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION ehr_internal.lock_person(bigint) IS 'the person that this one is now; nobody else can change that before the end of the transaction';

-- a and b are persons as somebody names them, perhaps merged before. Returns the merge, null when both are one already.
CREATE FUNCTION ehr_internal.redirect_person(a bigint, b bigint, reason text, by text) RETURNS bigint
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	a_root bigint;
	b_root bigint;
	merge_no bigint;
BEGIN
	LOOP
		a_root := ehr_internal.person_root(a);
		b_root := ehr_internal.person_root(b);
		IF a_root = b_root THEN RETURN NULL; END IF;
		PERFORM FROM ehr_store.person p WHERE p.key IN (a_root, b_root) ORDER BY p.key FOR NO KEY UPDATE;
		EXIT WHEN ehr_internal.person_root(a) = a_root AND ehr_internal.person_root(b) = b_root;
	END LOOP;
	UPDATE ehr_store.person p SET merged_into = CASE p.key WHEN greatest(a_root, b_root) THEN least(a_root, b_root) END WHERE p.key IN (a_root, b_root);
	INSERT INTO ehr_store.person_merge AS m (a, b, kept, gone, reason, by)
	VALUES (redirect_person.a, redirect_person.b, least(a_root, b_root), greatest(a_root, b_root), redirect_person.reason, redirect_person.by)
	RETURNING m.merge INTO merge_no;
	RETURN merge_no;
END
$$;
COMMENT ON FUNCTION ehr_internal.redirect_person(bigint, bigint, text, text) IS 'makes two persons one: the younger points to the older';

-- The redirects of later merges between the same persons may rest on this one: they are taken off and put again.
CREATE FUNCTION ehr_internal.undo_merge(merge_id bigint, by text, reason text) RETURNS bool
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	merged record;
	later record;
	a_root bigint;
	b_root bigint;
	again bigint[];
	loose bigint[];
BEGIN
	SELECT m.a, m.undone INTO merged FROM ehr_store.person_merge m WHERE m.merge = merge_id;
	IF NOT FOUND THEN
		RAISE no_data_found USING MESSAGE = 'there is no such merge of persons';
	END IF;
	a_root := ehr_internal.lock_person(merged.a);
	SELECT m.* INTO merged FROM ehr_store.person_merge m WHERE m.merge = merge_id;
	IF merged.undone IS NOT NULL THEN RETURN false; END IF;

	SELECT array_agg(m.merge ORDER BY m.merge), array_agg(m.gone) INTO again, loose
	FROM ehr_internal.persons_merged_into(a_root) AS p JOIN ehr_store.person_merge m ON m.gone = p AND m.undone IS NULL
	WHERE m.merge > merge_id;
	UPDATE ehr_store.person p SET merged_into = NULL WHERE p.key = ANY (a_root || (merged.gone || loose));
	UPDATE ehr_store.person_merge m SET undone = clock_timestamp(), undone_by = undo_merge.by, undone_reason = undo_merge.reason WHERE m.merge = merge_id;
	IF cardinality(again) > 0 THEN
		UPDATE ehr_store.person_merge m SET kept = NULL, gone = NULL WHERE m.merge = ANY (again);
		FOR later IN SELECT m.merge, m.a, m.b FROM ehr_store.person_merge m WHERE m.merge = ANY (again) ORDER BY m.merge
		LOOP
			a_root := ehr_internal.person_root(later.a);
			b_root := ehr_internal.person_root(later.b);
			UPDATE ehr_store.person p SET merged_into = least(a_root, b_root) WHERE p.key = greatest(a_root, b_root);
			UPDATE ehr_store.person_merge m SET kept = least(a_root, b_root), gone = greatest(a_root, b_root) WHERE m.merge = later.merge;
		END LOOP;
	END IF;
	RETURN true;
END
$$;
COMMENT ON FUNCTION ehr_internal.undo_merge(bigint, text, text) IS 'takes a merge back; false when it was already';

CREATE FUNCTION ehr_internal.require_person(person uuid) RETURNS bigint
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	key bigint := (SELECT p.key FROM ehr_store.person p WHERE p.id = person);
BEGIN
	IF key IS NULL THEN
		RAISE no_data_found USING MESSAGE = 'there is no such person';
	END IF;
	RETURN key;
END
$$;
COMMENT ON FUNCTION ehr_internal.require_person(uuid) IS 'key of a person as it was named, merged or not, or error P0002';

-- What was decided of pairs between two sides, by index.
CREATE FUNCTION ehr_internal.reviews_between(a_subjects bigint[], b_subjects bigint[]) RETURNS SETOF bigint
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	SELECT r.review FROM unnest(a_subjects) AS s JOIN ehr_store.match_review r ON r.a = s WHERE r.b = ANY (b_subjects)
	UNION ALL
	SELECT r.review FROM unnest(a_subjects) AS s JOIN ehr_store.match_review r ON r.b = s WHERE r.a = ANY (b_subjects);
END
$$;
COMMENT ON FUNCTION ehr_internal.reviews_between(bigint[], bigint[]) IS 'reviews of a source patient of one side with one of the other';

CREATE FUNCTION ehr_internal.call_same(a_subjects bigint[], b_subjects bigint[], by text, reason text) RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	UPDATE ehr_store.match_review r SET state = 'same', decided = now(), decided_by = by, reason = call_same.reason
	WHERE r.state IN ('open', 'different') AND r.review IN (SELECT ehr_internal.reviews_between(a_subjects, b_subjects));
END
$$;
COMMENT ON FUNCTION ehr_internal.call_same(bigint[], bigint[], text, text) IS 'what somebody joins is no longer held apart by an earlier decision';

-- One pair that is held apart holds its persons apart; pairs: how many to write, for when a side is divided later.
CREATE FUNCTION ehr_internal.call_different(a_subjects bigint[], b_subjects bigint[], by text, reason text, pairs int) RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	UPDATE ehr_store.match_review r SET state = 'different', decided = now(), decided_by = by, reason = call_different.reason
	WHERE r.state IN ('open', 'same') AND r.review IN (SELECT ehr_internal.reviews_between(a_subjects, b_subjects));
	INSERT INTO ehr_store.match_review AS r (a, b, state, decided, decided_by, reason)
	SELECT least(x, y), greatest(x, y), 'different', now(), by, call_different.reason
	FROM (SELECT q FROM unnest(a_subjects) AS q ORDER BY q LIMIT pairs) AS a (x), (SELECT q FROM unnest(b_subjects) AS q ORDER BY q LIMIT pairs) AS b (y)
	LIMIT pairs
	ON CONFLICT (a, b) DO UPDATE SET state = 'different', decided = excluded.decided, decided_by = excluded.decided_by, reason = excluded.reason
	WHERE r.state <> 'different';
END
$$;
COMMENT ON FUNCTION ehr_internal.call_different(bigint[], bigint[], text, text, int) IS 'what somebody takes apart is not joined again by matching';

CREATE FUNCTION ehr.merge_persons(a ehr.person, b ehr.person, reason text) RETURNS bigint
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.merge_persons(ehr.person, ehr.person, text) IS 'makes two persons one; returns the merge, for ehr.unmerge, or null when they are one already';

CREATE FUNCTION ehr_internal.merge_persons(a ehr.person, b ehr.person, reason text) RETURNS bigint
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	caller text := ehr_internal.require_registrar('{facility,department,admin}');
	a_key bigint := ehr_internal.require_person(a);
	b_key bigint := ehr_internal.require_person(b);
BEGIN
	PERFORM ehr_internal.require_own_patients(ehr_internal.subjects_of_person(a::uuid) || ehr_internal.subjects_of_person(b::uuid));
	PERFORM ehr_internal.call_same(ehr_internal.subjects_of_person(a::uuid), ehr_internal.subjects_of_person(b::uuid), caller, reason);
	RETURN ehr_internal.redirect_person(a_key, b_key, reason, caller);
END
$$;
COMMENT ON FUNCTION ehr_internal.merge_persons(ehr.person, ehr.person, text) IS 'implementation of ehr.merge_persons';

CREATE FUNCTION ehr.unmerge(merge_id bigint) RETURNS bool
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.unmerge(bigint) IS 'takes a merge of persons back, exactly; false when it was already; matching will not make them one again';

CREATE FUNCTION ehr_internal.unmerge(merge_id bigint) RETURNS bool
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	caller text := ehr_internal.require_registrar('{facility,department,admin}');
BEGIN
	PERFORM ehr_internal.require_own_patients(ARRAY(SELECT ehr_internal.subjects_of_person(ehr_internal.person_root(m.kept)) FROM ehr_store.person_merge m WHERE m.merge = merge_id));
	IF NOT ehr_internal.undo_merge(merge_id, caller, 'unmerged') THEN RETURN false; END IF;
	PERFORM ehr_internal.call_different(ARRAY(SELECT ehr_internal.subjects_of_person(ehr_internal.person_root(m.a))),
		ARRAY(SELECT ehr_internal.subjects_of_person(ehr_internal.person_root(m.b))), caller, 'unmerged', 1)
	FROM ehr_store.person_merge m WHERE m.merge = merge_id;
	RETURN true;
END
$$;
COMMENT ON FUNCTION ehr_internal.unmerge(bigint) IS 'implementation of ehr.unmerge';

---------------------------------------------------------------------------------------------------
-- Source patients: taken out of a person, given to another. No person is ever left without one.
---------------------------------------------------------------------------------------------------

CREATE FUNCTION ehr_internal.require_patient(patient text) RETURNS bigint
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	subject bigint := (SELECT l.subject FROM ehr_store.resource_key k JOIN ehr_store.person_link l ON l.subject = k.key
		WHERE k.type = ehr_internal.type_number('Patient') AND k.id = patient);
BEGIN
	IF subject IS NULL THEN
		RAISE no_data_found USING MESSAGE = 'there is no such patient';
	END IF;
	RETURN subject;
END
$$;
COMMENT ON FUNCTION ehr_internal.require_patient(text) IS 'subject of a source Patient that has a person, or error P0002';

-- Returns the person that the source patient is then, which nobody else is. It has no other patients: where it shared its
-- person with others, it gets a new one; where it was the person's only patient, the person itself is taken out of the
-- merges, and those that were merged through it stay together.
CREATE FUNCTION ehr_internal.take_apart(own_subject bigint, by text, reason text) RETURNS bigint
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	link record;
	root bigint;
	fresh bigint;
	neighbours bigint[];
	merges bigint[];
BEGIN
	LOOP
		SELECT l.* INTO link FROM ehr_store.person_link l WHERE l.subject = own_subject;
		root := ehr_internal.lock_person(link.person);
		EXIT WHEN (SELECT l.person FROM ehr_store.person_link l WHERE l.subject = own_subject) = link.person;
	END LOOP;
	IF NOT EXISTS (SELECT FROM ehr_internal.subjects_of_person(root) AS s WHERE s <> own_subject) THEN
		RETURN link.person;
	END IF;
	IF EXISTS (SELECT FROM ehr_store.person_link l WHERE l.person = link.person AND l.subject <> own_subject) THEN
		INSERT INTO ehr_store.person AS p (founder) VALUES (own_subject) RETURNING p.key INTO fresh;
		INSERT INTO ehr_store.person_link_history (subject, person, method, score, at, by, reason)
		VALUES (link.subject, link.person, link.method, link.score, link.at, take_apart.by, take_apart.reason);
		UPDATE ehr_store.person_link l SET person = fresh, method = CASE take_apart.by WHEN 'matcher' THEN 'new' ELSE 'manual' END, score = NULL, at = clock_timestamp()
		WHERE l.subject = own_subject;
		RETURN fresh;
	END IF;
	SELECT array_agg(m.merge ORDER BY m.merge), array_agg(CASE WHEN m.a = link.person THEN m.b ELSE m.a END ORDER BY m.merge) INTO merges, neighbours
	FROM ehr_store.person_merge m WHERE link.person IN (m.a, m.b) AND m.undone IS NULL;
	PERFORM ehr_internal.undo_merge(m, take_apart.by, take_apart.reason) FROM unnest(merges) AS m;
	PERFORM ehr_internal.redirect_person(neighbours[1], n, take_apart.reason, take_apart.by) FROM unnest(neighbours[2:]) AS n;
	RETURN link.person;
END
$$;
COMMENT ON FUNCTION ehr_internal.take_apart(bigint, text, text) IS 'makes a source patient a person of its own';

CREATE FUNCTION ehr.unlink(patient text, reason text) RETURNS ehr.person
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.unlink(text, text) IS 'takes a source Patient out of its person: returns the person that it is then, and nobody else; matching will not join them again';

CREATE FUNCTION ehr_internal.unlink(patient text, reason text) RETURNS ehr.person
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	caller text := ehr_internal.require_registrar('{facility,department,admin}');
	own_subject bigint := ehr_internal.require_patient(patient);
	apart bigint;
	others bigint[];
BEGIN
	PERFORM ehr_internal.require_own_patients(ARRAY[own_subject]);
	PERFORM ehr_internal.lock_blocks(ARRAY[own_subject]);
	others := ARRAY(SELECT s FROM ehr_store.person_link l, ehr_internal.subjects_of_person(ehr_internal.person_root(l.person)) AS s
		WHERE l.subject = own_subject AND s <> own_subject ORDER BY s);
	apart := ehr_internal.take_apart(own_subject, caller, reason);
	PERFORM ehr_internal.call_different(ARRAY[own_subject], others, caller, reason, 100);
	RETURN (SELECT p.id FROM ehr_store.person p WHERE p.key = apart);
END
$$;
COMMENT ON FUNCTION ehr_internal.unlink(text, text) IS 'implementation of ehr.unlink';

CREATE FUNCTION ehr.relink(patient text, person ehr.person, reason text) RETURNS ehr.person
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.relink(text, ehr.person, text) IS 'says whose a source Patient is: takes it out of the person it was and makes it this one; returns the person';

CREATE FUNCTION ehr_internal.relink(patient text, person ehr.person, reason text) RETURNS ehr.person
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	caller text := ehr_internal.require_registrar('{facility,department,admin}');
	own_subject bigint := ehr_internal.require_patient(patient);
	target bigint := ehr_internal.require_person(person);
BEGIN
	PERFORM ehr_internal.require_own_patients(ARRAY[own_subject]);
	PERFORM ehr_internal.lock_blocks(ARRAY[own_subject]);
	PERFORM ehr_internal.link_manually(own_subject, target, caller, reason);
	RETURN (SELECT p.id FROM ehr_store.person p WHERE p.key = ehr_internal.person_root(target));
END
$$;
COMMENT ON FUNCTION ehr_internal.relink(text, ehr.person, text) IS 'implementation of ehr.relink';

CREATE FUNCTION ehr_internal.link_manually(own_subject bigint, target bigint, by text, reason text) RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	apart bigint := (SELECT l.person FROM ehr_store.person_link l WHERE l.subject = own_subject);
BEGIN
	IF ehr_internal.person_root(apart) <> ehr_internal.person_root(target) THEN
		apart := ehr_internal.take_apart(own_subject, by, reason);
		PERFORM ehr_internal.call_same(ARRAY[own_subject], ARRAY(SELECT ehr_internal.subjects_of_person(ehr_internal.person_root(target))), by, reason);
		PERFORM ehr_internal.redirect_person(apart, target, reason, by);
	END IF;
	UPDATE ehr_store.person_link l SET method = 'manual' WHERE l.subject = own_subject AND l.method <> 'manual';
END
$$;
COMMENT ON FUNCTION ehr_internal.link_manually(bigint, bigint, text, text) IS 'makes a source patient this person, as somebody says';

---------------------------------------------------------------------------------------------------
-- Links of patients whose data have changed
---------------------------------------------------------------------------------------------------

-- What a machine linked, a machine may take apart or link anew when the patient says something else than before; what
-- somebody decided it leaves to a clerk. own_subject has its new features already.
CREATE FUNCTION ehr_internal.renew_link(own_subject bigint, link_from float8, review_from float8) RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	own_features bytea := (SELECT f.features FROM ehr_store.match_feature f WHERE f.subject = own_subject);
	link record;
	best record;
	found_one record;
	root bigint;
BEGIN
	SELECT l.* INTO link FROM ehr_store.person_link l WHERE l.subject = own_subject;
	IF NOT FOUND OR own_features IS NULL THEN RETURN; END IF;
	root := ehr_internal.person_root(link.person);

	-- does it still belong to the others of its person?
	SELECT bool_or(c.bits = '-Infinity') AS impossible, max(ehr_internal.match_probability(c.bits)) AS probability,
		(array_agg(c.subject ORDER BY c.bits, c.subject))[1] AS worst
	INTO best FROM ehr_internal.match_against(own_features, ARRAY(SELECT s FROM ehr_internal.subjects_of_person(root) AS s WHERE s <> own_subject)) AS c;
	IF best.impossible OR best.probability < review_from THEN
		IF link.method = 'manual' OR EXISTS (SELECT FROM ehr_internal.persons_merged_into(root) AS p
				JOIN ehr_store.person_merge m ON m.gone = p AND m.undone IS NULL WHERE m.by <> 'matcher') THEN
			INSERT INTO ehr_store.match_review AS r (a, b, score) VALUES (least(own_subject, best.worst), greatest(own_subject, best.worst), NULL)
			ON CONFLICT (a, b) DO UPDATE SET state = 'open' WHERE r.state = 'moot';
			RETURN;
		END IF;
		root := ehr_internal.person_root(ehr_internal.take_apart(own_subject, 'matcher', 'its data have changed'));
	ELSIF best.probability < link_from THEN
		INSERT INTO ehr_store.match_review AS r (a, b, score) VALUES (least(own_subject, best.worst), greatest(own_subject, best.worst), NULL)
		ON CONFLICT (a, b) DO UPDATE SET state = 'open' WHERE r.state = 'moot';
	END IF;

	-- is it somebody else as well, or now?
	FOR found_one IN SELECT m.* FROM ehr_internal.match_persons(own_features, own_subject) AS m
	LOOP
		CONTINUE WHEN found_one.person = root;
		IF ehr_internal.match_probability(found_one.bits) >= link_from AND ehr_internal.may_be_one(root, found_one.person) THEN
			PERFORM ehr_internal.redirect_person(ehr_internal.person_beside(own_subject), ehr_internal.person_beside(found_one.subject),
				'matched after its data have changed', 'matcher');
			root := ehr_internal.person_root(root);
		ELSIF ehr_internal.match_probability(found_one.bits) >= review_from THEN
			INSERT INTO ehr_store.match_review (a, b, score)
			VALUES (least(own_subject, found_one.subject), greatest(own_subject, found_one.subject), found_one.bits)
			ON CONFLICT (a, b) DO NOTHING;
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION ehr_internal.renew_link(bigint, float8, float8) IS 'looks again whose a source patient is that says something else than before';

CREATE FUNCTION ehr_internal.person_beside(subject bigint) RETURNS bigint
	LANGUAGE plpgsql STABLE STRICT PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (SELECT l.person FROM ehr_store.person_link l WHERE l.subject = person_beside.subject);
END
$$;
COMMENT ON FUNCTION ehr_internal.person_beside(bigint) IS 'the person that a source patient was linked to, as it was then: what joins it stays with it when persons are unmerged';

CREATE FUNCTION ehr_internal.match_against(features bytea, subjects bigint[]) RETURNS TABLE (subject bigint, bits float8)
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 3
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	m record;
	counts int[];
BEGIN
	SELECT q.model, q.rows::float8 AS rows INTO m FROM ehr_store.match_model q;
	counts := ehr_internal.match_counts(features, m.rows);
	RETURN QUERY
	SELECT f.subject, ehr_internal.match_bits(m.model, m.rows, match_against.features, counts, f.features, ehr_internal.match_counts(f.features, m.rows))
	FROM ehr_store.match_feature f WHERE f.subject = ANY (subjects);
END
$$;
COMMENT ON FUNCTION ehr_internal.match_against(bytea, bigint[]) IS 'how a feature row compares with each of some source patients';

---------------------------------------------------------------------------------------------------
-- Identifiers in time
---------------------------------------------------------------------------------------------------

-- History, not replacement: a number that a patient no longer has ended today, and one that comes in its place began
-- today, unless the patient says when. Numbers are re-issued when sex or birth year are corrected.
CREATE FUNCTION ehr_internal.refresh_identifiers(subjects bigint[]) RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	WITH said AS MATERIALIZED (
		SELECT DISTINCT ON (1, 2, 3) r.key AS subject, coalesce(x ->> 'system', '') AS system, x ->> 'value' AS value,
			ehr_internal.day_of(x #>> '{period,start}') AS valid_from, ehr_internal.day_of(x #>> '{period,end}') AS valid_to, r.author,
			-- a number of before may contradict what was corrected since
			s.feature IS DISTINCT FROM 'citizen' OR x ->> 'use' IS NOT DISTINCT FROM 'old' OR x #> '{period,end}' IS NOT NULL
				OR coalesce(x ->> 'value' = lpad(ehr_internal.match_number(f.features)::text, 12, '0'), false) AS own
		FROM ehr_store.resource r
			JOIN ehr_store.match_feature f ON f.subject = r.key
			CROSS JOIN jsonb_path_query(r.doc::jsonb, 'lax $.identifier[*] ? (exists (@.value))') AS x
			LEFT JOIN ehr_internal.match_system s ON s.system = x ->> 'system'
		WHERE r.key = ANY (subjects) AND NOT r.deleted AND r.type = ehr_internal.type_number('Patient')
		ORDER BY 1, 2, 3, x #>> '{period,start}'),
	ended AS (
		UPDATE ehr_store.person_identifier i SET valid_to = current_date
		WHERE i.subject = ANY (subjects) AND i.valid_to IS NULL
			AND NOT EXISTS (SELECT FROM said d WHERE d.subject = i.subject AND d.system = i.system AND d.value = i.value)
		RETURNING i.subject, i.system)
	INSERT INTO ehr_store.person_identifier AS i (system, value, subject, valid_from, valid_to, source, own)
	SELECT d.system, d.value, d.subject,
		coalesce(d.valid_from, CASE WHEN EXISTS (SELECT FROM ended e WHERE e.subject = d.subject AND e.system = d.system)
			AND NOT EXISTS (SELECT FROM ehr_store.person_identifier k WHERE k.subject = d.subject AND k.system = d.system AND k.value = d.value)
			THEN current_date END),
		d.valid_to, d.author, d.own
	FROM said d
	ON CONFLICT (system, value, subject) DO UPDATE SET valid_from = coalesce(excluded.valid_from, i.valid_from), valid_to = excluded.valid_to,
		own = excluded.own AND i.disowned IS NULL
	WHERE (i.valid_from, i.valid_to, i.own) IS DISTINCT FROM
		(coalesce(excluded.valid_from, i.valid_from), excluded.valid_to, excluded.own AND i.disowned IS NULL);
END
$$;
COMMENT ON FUNCTION ehr_internal.refresh_identifiers(bigint[]) IS 'identifiers of Patients as they say them now; those of before with their end';

---------------------------------------------------------------------------------------------------
-- Consent of merged persons: what room consent asks
---------------------------------------------------------------------------------------------------

-- Consent of a merged person is the stricter of both. A decision is stored with the identity it was made under. A denial
-- holds for all identities that are the same person now. A grant holds for those that were the same person already when
-- it was given: nobody reads more because two persons were merged, and what the citizen decides for the merged record
-- covers it. One row for each identity (one) that is the same person as one of persons, since when they are.
CREATE FUNCTION ehr_internal.consent_reach(persons bigint[]) RETURNS TABLE (person bigint, one bigint, since timestamptz)
	LANGUAGE plpgsql STABLE STRICT PARALLEL RESTRICTED ROWS 100
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- the merges that stand are a forest: one way from each to each, and never back over the merge one came by
	RETURN QUERY
	WITH RECURSIVE walk (start, here, since, came_by) AS (
		SELECT s, s, '-infinity'::timestamptz, NULL::bigint FROM unnest(persons) AS s
		UNION ALL
		SELECT w.start, n.next, greatest(w.since, n.at), n.merge
		FROM walk w CROSS JOIN LATERAL (
			SELECT m.merge, m.b AS next, m.at FROM ehr_store.person_merge m WHERE m.a = w.here AND m.undone IS NULL
			UNION ALL
			SELECT m.merge, m.a, m.at FROM ehr_store.person_merge m WHERE m.b = w.here AND m.undone IS NULL) AS n
		WHERE n.merge IS DISTINCT FROM w.came_by)
	SELECT w.start, w.here, w.since FROM walk w;
END
$$;
COMMENT ON FUNCTION ehr_internal.consent_reach(bigint[]) IS 'identities that are the same person now, and since when: a denial of one holds for all, a grant for those since before it was given';

CREATE FUNCTION ehr_internal.persons_reached(person bigint, deny bool, given timestamptz) RETURNS bigint[]
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN ARRAY(SELECT r.one FROM ehr_internal.consent_reach(ARRAY[person]) AS r WHERE deny OR r.since <= given);
END
$$;
COMMENT ON FUNCTION ehr_internal.persons_reached(bigint, bool, timestamptz) IS 'identities that one decision reaches, after merges: ehr_internal.consent_reach for one';

---------------------------------------------------------------------------------------------------
-- What must always hold
---------------------------------------------------------------------------------------------------

-- No foreign keys watch over links (they cost more than all else of linking millions), and none could watch over all of
-- this: so the first thing that reads everything is self_check(). Of each problem the first hundred keys.
CREATE FUNCTION ehr_internal.person_problems() RETURNS TABLE (problem text, found bigint, keys bigint[])
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED COST 1000000 ROWS 1
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	-- a ring must go up somewhere; whoever walks it never comes to an end
	ring CONSTANT bool := EXISTS (SELECT FROM ehr_store.person p WHERE p.merged_into >= p.key);
BEGIN
	RETURN QUERY
	WITH broken (problem, key) AS (
		SELECT 'a person is merged into itself or a younger one, perhaps in a ring', p.key
		FROM ehr_store.person p WHERE p.merged_into >= p.key
		UNION ALL
		SELECT 'a person is merged into one that is not there', p.key
		FROM ehr_store.person p WHERE p.merged_into IS NOT NULL AND NOT EXISTS (SELECT FROM ehr_store.person q WHERE q.key = p.merged_into)
		UNION ALL
		SELECT 'a redirect without its merge, or a merge without its redirect', coalesce(p.key, m.gone)
		FROM (SELECT q.key, q.merged_into FROM ehr_store.person q WHERE q.merged_into IS NOT NULL) AS p
			FULL JOIN (SELECT n.gone, n.kept FROM ehr_store.person_merge n WHERE n.undone IS NULL) AS m ON m.gone = p.key AND m.kept = p.merged_into
		WHERE p.key IS NULL OR m.gone IS NULL
		UNION ALL
		SELECT 'a merge whose persons are not one', m.merge
		FROM ehr_store.person_merge m
		WHERE m.undone IS NULL AND NOT ring AND ehr_internal.person_root(m.a) IS DISTINCT FROM ehr_internal.person_root(m.b)
		UNION ALL
		SELECT 'a person without a source patient', p.key
		FROM ehr_store.person p WHERE NOT EXISTS (SELECT FROM ehr_store.person_link l WHERE l.person = p.key)
		UNION ALL
		SELECT 'a source patient without a person', f.subject
		FROM ehr_store.match_feature f WHERE NOT EXISTS (SELECT FROM ehr_store.person_link l WHERE l.subject = f.subject)
		UNION ALL
		SELECT 'a link to a person that is not there', l.subject
		FROM ehr_store.person_link l WHERE NOT EXISTS (SELECT FROM ehr_store.person p WHERE p.key = l.person)
		UNION ALL
		SELECT 'a link of a source patient that is not there', l.subject
		FROM ehr_store.person_link l WHERE NOT EXISTS (SELECT FROM ehr_store.resource_key k WHERE k.key = l.subject)
		UNION ALL
		SELECT 'an identifier of a source patient that has no person', i.subject
		FROM ehr_store.person_identifier i WHERE NOT EXISTS (SELECT FROM ehr_store.person_link l WHERE l.subject = i.subject))
	SELECT b.problem, count(*), array_agg(b.key ORDER BY b.key) FILTER (WHERE b.place <= 100)
	FROM (SELECT x.problem, x.key, row_number() OVER (PARTITION BY x.problem ORDER BY x.key) AS place FROM broken x) AS b
	GROUP BY b.problem ORDER BY b.problem;
END
$$;
COMMENT ON FUNCTION ehr_internal.person_problems() IS 'invariants of persons that are broken: how often, and the first hundred keys concerned; nothing when all is well; part of ehr.self_check()';

REVOKE EXECUTE ON FUNCTION ehr.merge_persons(ehr.person, ehr.person, text), ehr.unmerge(bigint), ehr.unlink(text, text),
	ehr.relink(text, ehr.person, text) FROM PUBLIC;
