-- Sealed values, blind indexes, keys and their rotation, boxes. The cluster has a root key (test/cluster).
\set VERBOSITY terse
SELECT configured, usable, root_keys, problem FROM ehr.vault_status();

-- a literal is never ambiguous: a text
SELECT pg_typeof(ehr.seal('x', 'vt-a/1')) AS sealed, ehr.unseal(ehr.seal('một giá trị', 'vt-a/1'), 'vt-a/1') AS text,
	ehr.unseal_bytes(ehr.seal('\x00ff00'::bytea, 'vt-a/1'), 'vt-a/1') AS bytes, ehr.unseal(ehr.seal('', 'vt-a/1'), 'vt-a/1') = '' AS empty;
SELECT ehr.seal(NULL::text, 'vt-a/1') IS NULL AS no_value, ehr.seal('x', NULL) IS NULL AS no_context, ehr.unseal(NULL, 'vt-a/1') IS NULL AS nothing;
SELECT ehr.unseal(ehr.seal('\x00'::bytea, 'vt-a/1'), 'vt-a/1');
SELECT ehr.unseal_bytes(ehr.seal('x', 'vt-a/1'), 'vt-a/1');
-- each call draws a nonce: the same value in many rows never looks the same, also when it is a constant
SELECT count(DISTINCT s) AS different FROM (SELECT ehr.seal('same', 'vt-a/1') AS s FROM generate_series(1, 1000)) AS v;
CREATE TEMP TABLE vt_sealed AS SELECT g AS id, ehr.seal('value ' || g, 'vt-b/' || g) AS s FROM generate_series(1, 100) AS g;
SELECT count(*) AS opened FROM vt_sealed WHERE ehr.unseal(s, 'vt-b/' || id) = 'value ' || id;
-- a value belongs to its place
SELECT ehr.unseal(s, 'vt-b/2') FROM vt_sealed WHERE id = 1;
SELECT ehr.unseal(s, 'vt-a/1') FROM vt_sealed WHERE id = 1;
SELECT ehr.unseal(s, 'vt-b/1/') FROM vt_sealed WHERE id = 1;
-- every bit, every length: opens to the value or is refused, with one error
CREATE FUNCTION ehr_test.open_or_state(s bytea, context text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN ehr.unseal(s, context);
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE;
END $$;
SELECT ehr_test.open_or_state(set_bit(s, bit, 1 - get_bit(s, bit)), 'vt-b/7') AS answer, count(*) = length(max(s::text)) * 4 - 8 AS all_bits
FROM vt_sealed, generate_series(0, length(s) * 8 - 1) AS bit WHERE id = 7 GROUP BY 1;
SELECT ehr_test.open_or_state(substr(s || s, 1, n), 'vt-b/7') AS answer, count(*) FROM vt_sealed, generate_series(0, length(s) * 2) AS n WHERE id = 7 GROUP BY 1 ORDER BY 1;
-- large values, and values out of a TOAST table, compressed and short
CREATE TEMP TABLE vt_large (id int, plain text, sealed bytea);
INSERT INTO vt_large SELECT n, repeat('x', n), ehr.seal(repeat('x', n), 'vt-c/' || n) FROM unnest('{0,1,100,126,127,2000,100000,3000000}'::int[]) AS n;
SELECT count(*) AS opened FROM vt_large WHERE ehr.unseal(sealed, 'vt-c/' || id) = plain;
SELECT length(ehr.seal(plain, 'vt-c/x')) - length(plain) AS overhead, count(*) FROM vt_large GROUP BY 1;
-- contexts that are none
SELECT ehr.seal('x', '');
SELECT ehr.seal('x', '/1');
SELECT ehr.seal('x', repeat('p', 64) || '/1');
SELECT ehr.seal('x', 'p/' || repeat('1', 1000));

-- under a person's key
SELECT ehr.seal('of a person', 'vt-d/1', 'dddddddd-1111-4000-8000-000000000001') AS d1, ehr.seal('of another', 'vt-d/2', 'dddddddd-1111-4000-8000-000000000002') AS d2 \gset
SELECT ehr.unseal(:'d1', 'vt-d/1') AS d1, ehr.unseal(:'d2', 'vt-d/2') AS d2;
SELECT ehr_internal.destroy_person_keys('{dddddddd-1111-4000-8000-000000000001}', 'test') AS destroyed;
SELECT ehr.unseal(:'d1', 'vt-d/1');
SELECT ehr.unseal(:'d2', 'vt-d/2') AS d2;
SELECT wrapped IS NULL AS gone, destroyed IS NOT NULL AS destroyed, basis FROM ehr_store.vault_key WHERE person = 'dddddddd-1111-4000-8000-000000000001';
-- a key that is rolled back is not used any more
BEGIN;
SELECT ehr.seal('x', 'vt-rolled-back/1') IS NOT NULL AS sealed;
ROLLBACK;
SELECT ehr.seal('x', 'vt-rolled-back/1') AS again \gset
SELECT ehr_internal.sealed_key(:'again') = (SELECT id FROM ehr_store.vault_key WHERE purpose = 'vt-rolled-back') AS kept;
BEGIN;
SAVEPOINT s;
SELECT ehr.seal('x', 'vt-savepoint/1') IS NOT NULL AS sealed;
ROLLBACK TO s;
SELECT ehr.unseal(ehr.seal('after', 'vt-savepoint/1'), 'vt-savepoint/1');
COMMIT;
SELECT count(*) FROM ehr_store.vault_key WHERE purpose = 'vt-savepoint';

-- blind indexes: equal for equal values of a purpose; stable, so that they find by an index
SELECT ehr.blind_index('079185123457', 'cccd') = ehr.blind_index('079185123457', 'cccd') AS same, ehr.blind_index('079185123457', 'cccd') = ehr.blind_index('079185123457', 'bhyt') AS other_purpose,
	ehr.blind_index('079185123457', 'cccd') = ehr.blind_index('079185123458', 'cccd') AS other_value, length(ehr.blind_index('', 'cccd')) AS bytes, ehr.blind_index(NULL, 'cccd') IS NULL AS of_null;
SELECT ehr.blind_index('x', '');
CREATE TEMP TABLE vt_blind AS SELECT g AS id, ehr.blind_index(g::text, 'cccd') AS b FROM generate_series(1, 10000) AS g;
CREATE INDEX ON vt_blind (b);
ANALYZE vt_blind;
SELECT count(DISTINCT b) FROM vt_blind;
EXPLAIN (COSTS OFF) SELECT id FROM vt_blind WHERE b = ehr.blind_index('77', 'cccd');
SELECT id FROM vt_blind WHERE b = ehr.blind_index('77', 'cccd');
SELECT ehr.blind_index('77', 'cccd') AS before \gset

-- rotation: step by step, then at once; everything opens at every moment, and indexes stay
SELECT ehr_internal.sealed_key(s) AS old_key FROM vt_sealed WHERE id = 1 \gset
SELECT remaining FROM ehr.rotate_keys(1);
SELECT * FROM ehr.rotate_keys();
SELECT count(*) AS opened FROM vt_sealed WHERE ehr.unseal(s, 'vt-b/' || id) = 'value ' || id;
SELECT ehr_internal.sealed_key(ehr.seal('x', 'vt-b/1')) > :old_key AS new_key, ehr.blind_index('77', 'cccd') = :'before' AS same_index;
SELECT count(*) FILTER (WHERE finished IS NULL) AS unfinished FROM ehr_store.key_rotation;
SELECT ehr.rotate_keys(0);

-- boxes
SELECT ehr.seal_for('VT1', 'for you alone');
SELECT ehr.add_facility_key('VT1', '\x0000000000000000000000000000000000000000000000000000000000000000');
SELECT ehr.add_facility_key('VT1', '\x0900');
SELECT ehr.add_facility_key('VT1', '\x8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a');
SELECT length(ehr.seal_for('VT1', 'for you alone')) AS bytes, ehr.seal_for('VT1', 'for you alone') = ehr.seal_for('VT1', 'for you alone') AS same, length(ehr.seal_for('VT1', '\x00'::bytea)) AS of_bytes;
SELECT ehr.add_facility_key('VT1', '\x8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a', '[2000-01-01,2001-01-01)');
SELECT ehr.seal_for('VT1', 'for you alone');

-- who may
SET ROLE regress_ehr_app;
SELECT ehr.seal('x', 'vt-a/1') IS NOT NULL AS sealed;
SELECT ehr.unseal('\x', 'vt-a/1');
SELECT ehr.blind_index('x', 'cccd');
SELECT * FROM ehr.rotate_keys();
SELECT count(*) FROM ehr_store.vault_key;
SET ROLE regress_ehr_query;
SELECT count(*) FROM ehr_store.vault_key;
RESET ROLE;
-- what the catalog says of them
SELECT proname, pg_get_function_identity_arguments(oid) AS arguments, provolatile, proparallel FROM pg_proc
WHERE pronamespace = 'ehr'::regnamespace AND proname IN ('seal', 'unseal', 'unseal_bytes', 'blind_index', 'seal_for') ORDER BY 1, 2;

DELETE FROM ehr_store.vault_key WHERE purpose LIKE 'vt-%' OR person::text LIKE 'dddddddd-1111%';
DELETE FROM ehr_store.facility_key WHERE facility = 'VT1';
DROP FUNCTION ehr_test.open_or_state(bytea, text);
