---------------------------------------------------------------------------------------------------
-- vault: keys, sealed values, blind indexes, erasure by destroying keys (doc/vault.md)
---------------------------------------------------------------------------------------------------

-- Values -------------------------------------------------------------------------------------------

CREATE FUNCTION ehr.seal(value text, context text, person uuid DEFAULT NULL) RETURNS bytea
	LANGUAGE c VOLATILE PARALLEL UNSAFE COST 5
	AS 'MODULE_PATHNAME', 'ehr_seal_text';
COMMENT ON FUNCTION ehr.seal(text, text, uuid) IS 'encrypts a value for one place: context is PURPOSE/WHERE; with a person under that person''s key, which ehr.erase_person destroys';

CREATE FUNCTION ehr.seal(value bytea, context text, person uuid DEFAULT NULL) RETURNS bytea
	LANGUAGE c VOLATILE PARALLEL UNSAFE COST 5
	AS 'MODULE_PATHNAME', 'ehr_seal_bytes';
COMMENT ON FUNCTION ehr.seal(bytea, text, uuid) IS 'encrypts bytes for one place, as ehr.seal(text, ...) does a text';

CREATE FUNCTION ehr.unseal(sealed bytea, context text) RETURNS text
	LANGUAGE c STABLE STRICT PARALLEL RESTRICTED COST 5
	AS 'MODULE_PATHNAME', 'ehr_unseal_text';
COMMENT ON FUNCTION ehr.unseal(bytea, text) IS 'opens a sealed text; error 22023 when it was changed or belongs to another context';

CREATE FUNCTION ehr.unseal_bytes(sealed bytea, context text) RETURNS bytea
	LANGUAGE c STABLE STRICT PARALLEL RESTRICTED COST 5
	AS 'MODULE_PATHNAME', 'ehr_unseal_bytes';
COMMENT ON FUNCTION ehr.unseal_bytes(bytea, text) IS 'opens sealed bytes; error 22023 when they were changed or belong to another context';

CREATE FUNCTION ehr.blind_index(value text, purpose text) RETURNS bytea
	LANGUAGE c STABLE STRICT PARALLEL RESTRICTED COST 2
	AS 'MODULE_PATHNAME', 'ehr_blind_index';
COMMENT ON FUNCTION ehr.blind_index(text, text) IS '16 bytes that equal values of one purpose share and that tell nothing without the vault''s key: for looking up sealed values';

-- Whoever may call these may try values out or open what is sealed: create_vault() grants sealing alone.
REVOKE EXECUTE ON FUNCTION ehr.seal(text, text, uuid), ehr.seal(bytea, text, uuid), ehr.unseal(bytea, text), ehr.unseal_bytes(bytea, text),
	ehr.blind_index(text, text) FROM PUBLIC;

CREATE FUNCTION ehr_internal.sealed_key(sealed bytea) RETURNS bigint
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_sealed_key';
COMMENT ON FUNCTION ehr_internal.sealed_key(bytea) IS 'id of the key that a value is sealed with; null when it is no sealed value';

CREATE FUNCTION ehr_internal.reseal(sealed bytea, context text, person uuid) RETURNS bytea
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_reseal';
COMMENT ON FUNCTION ehr_internal.reseal(bytea, text, uuid) IS 'the same value sealed with the key that is used now';

-- Keys ---------------------------------------------------------------------------------------------

CREATE FUNCTION ehr.vault_status(OUT configured bool, OUT usable bool, OUT locked bool, OUT root_keys int, OUT problem text)
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_vault_status';
COMMENT ON FUNCTION ehr.vault_status() IS 'state of the vault''s root key: whether one is set and can be used, whether its memory is locked, how many there are, and what is wrong';
REVOKE EXECUTE ON FUNCTION ehr.vault_status() FROM PUBLIC;

CREATE FUNCTION ehr_internal.vault_root() RETURNS bigint
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_vault_root';
COMMENT ON FUNCTION ehr_internal.vault_root() IS 'id of the current root key; null without one';

CREATE FUNCTION ehr_internal.vault_prepare() RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_vault_prepare';
COMMENT ON FUNCTION ehr_internal.vault_prepare() IS 'makes the key of blind indexes and the one that signs audit roots, where they are not there yet';

CREATE FUNCTION ehr_internal.vault_rewrap(id bigint) RETURNS bool
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_vault_rewrap';
COMMENT ON FUNCTION ehr_internal.vault_rewrap(bigint) IS 'wraps a key anew under the current root key; false when it was so already or is destroyed';

CREATE FUNCTION ehr_internal.vault_changed_trigger() RETURNS trigger
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_vault_changed_trigger';
COMMENT ON FUNCTION ehr_internal.vault_changed_trigger() IS 'statement trigger on ehr_store.vault_key: every connection forgets the keys that it holds';

CREATE FUNCTION ehr_internal.box_key_usable(public_key bytea) RETURNS bool
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_box_key_usable';
COMMENT ON FUNCTION ehr_internal.box_key_usable(bytea) IS 'are these the 32 bytes of a X25519 public key that keeps secrets?';

CREATE FUNCTION ehr_internal.box(value bytea, public_key bytea) RETURNS bytea
	LANGUAGE c VOLATILE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_box';
COMMENT ON FUNCTION ehr_internal.box(bytea, bytea) IS 'the value, to be opened by the holder of the secret key alone (crypto_box_seal)';

CREATE FUNCTION ehr_internal.create_vault() RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE TABLE IF NOT EXISTS ehr_store.vault_key (
		id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
		kind "char" NOT NULL CHECK (kind IN ('p', 'o', 'i', 's')),
		purpose text NOT NULL,
		person uuid,
		root bigint NOT NULL,
		wrapped bytea,
		made timestamptz NOT NULL DEFAULT now(),
		retired timestamptz,
		destroyed timestamptz,
		basis text,
		CHECK ((kind = 'p') = (purpose <> '')),
		CHECK ((kind = 'o') = (person IS NOT NULL)),
		CHECK ((wrapped IS NULL) = (destroyed IS NOT NULL AND basis IS NOT NULL))
	);
	COMMENT ON TABLE ehr_store.vault_key IS 'data keys of the vault, wrapped by its root key';
	COMMENT ON COLUMN ehr_store.vault_key.kind IS 'p: of a purpose, o: of a person, i: of blind indexes, s: signs audit roots';
	COMMENT ON COLUMN ehr_store.vault_key.root IS 'id of the root key that wraps it';
	COMMENT ON COLUMN ehr_store.vault_key.wrapped IS 'the key, sealed; null when it was destroyed';
	COMMENT ON COLUMN ehr_store.vault_key.retired IS 'since when nothing new is sealed with it';
	-- one key of each kind is current
	CREATE UNIQUE INDEX IF NOT EXISTS vault_key_purpose ON ehr_store.vault_key (kind, purpose) WHERE person IS NULL AND retired IS NULL AND wrapped IS NOT NULL;
	CREATE UNIQUE INDEX IF NOT EXISTS vault_key_person ON ehr_store.vault_key (person) WHERE person IS NOT NULL AND retired IS NULL AND wrapped IS NOT NULL;
	CREATE INDEX IF NOT EXISTS vault_key_of ON ehr_store.vault_key (person) WHERE person IS NOT NULL;
	IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = 'ehr_store.vault_key'::regclass AND tgname = 'vault_changed') THEN
		CREATE TRIGGER vault_changed AFTER UPDATE OR DELETE OR TRUNCATE ON ehr_store.vault_key
			FOR EACH STATEMENT EXECUTE FUNCTION ehr_internal.vault_changed_trigger();
	END IF;

	CREATE TABLE IF NOT EXISTS ehr_store.sealed_column (
		relation text NOT NULL,
		name text NOT NULL,
		key text NOT NULL,
		person text,
		PRIMARY KEY (relation, name)
	);
	COMMENT ON TABLE ehr_store.sealed_column IS 'columns of the store with sealed values, which rotate_keys() seals anew; the context is RELATION.NAME/KEY';
	COMMENT ON COLUMN ehr_store.sealed_column.key IS 'column that names the row';
	COMMENT ON COLUMN ehr_store.sealed_column.person IS 'column with the uuid of the person whose key is used; null for the key of the purpose';

	CREATE TABLE IF NOT EXISTS ehr_store.key_rotation (
		id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		up_to bigint NOT NULL,
		root bigint NOT NULL,
		started timestamptz NOT NULL DEFAULT now(),
		finished timestamptz,
		rewrapped bigint NOT NULL DEFAULT 0,
		resealed bigint NOT NULL DEFAULT 0
	);
	COMMENT ON TABLE ehr_store.key_rotation IS 'rotations of the vault''s keys; one that is not finished goes on with the next call of rotate_keys()';
	COMMENT ON COLUMN ehr_store.key_rotation.up_to IS 'keys up to this id are replaced';
	CREATE UNIQUE INDEX IF NOT EXISTS key_rotation_one ON ehr_store.key_rotation ((true)) WHERE finished IS NULL;

	CREATE TABLE IF NOT EXISTS ehr_store.facility_key (
		facility text NOT NULL,
		public_key bytea NOT NULL CHECK (ehr_internal.box_key_usable(public_key)),
		valid tstzrange NOT NULL,
		added timestamptz NOT NULL DEFAULT now(),
		added_by text NOT NULL DEFAULT session_user,
		PRIMARY KEY (facility, public_key)
	);
	COMMENT ON TABLE ehr_store.facility_key IS 'public keys (X25519) of facilities, for what is sealed to them';

	GRANT EXECUTE ON FUNCTION ehr.seal(text, text, uuid), ehr.seal(bytea, text, uuid) TO ehr_app, ehr_ingest;
	GRANT EXECUTE ON FUNCTION ehr.seal_for(text, bytea), ehr.seal_for(text, text) TO ehr_app, ehr_ingest;
	GRANT EXECUTE ON FUNCTION ehr.vault_status(), ehr.rotate_keys(int), ehr.add_facility_key(text, bytea, tstzrange) TO ehr_admin;
END
$$;
COMMENT ON FUNCTION ehr_internal.create_vault() IS 'tables of room vault';

-- Rotation -----------------------------------------------------------------------------------------

-- Seals anew up to max_rows values of one column that are under a key up to the given one; returns how many.
CREATE FUNCTION ehr_internal.reseal_column(relation text, name text, key text, person text, up_to bigint, max_rows bigint) RETURNS bigint
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	done bigint;
BEGIN
	EXECUTE format('UPDATE ehr_store.%1$I SET %2$I = ehr_internal.reseal(%2$I, %3$L || %4$I::text, %5$s)
		WHERE ctid = ANY (ARRAY(SELECT ctid FROM ehr_store.%1$I WHERE ehr_internal.sealed_key(%2$I) <= $1
			AND NOT EXISTS (SELECT FROM ehr_store.vault_key k WHERE k.id = ehr_internal.sealed_key(%2$I) AND k.wrapped IS NULL)
			LIMIT $2 FOR UPDATE SKIP LOCKED))',
		relation, name, relation || '.' || name || '/', key, CASE WHEN person IS NULL THEN 'NULL' ELSE quote_ident(person) END)
	USING up_to, max_rows;
	GET DIAGNOSTICS done = ROW_COUNT;
	RETURN done;
END
$$;
COMMENT ON FUNCTION ehr_internal.reseal_column(text, text, text, text, bigint, bigint) IS 'seals values of a column of the store under the keys that are used now';

CREATE FUNCTION ehr_internal.count_sealed(relation text, name text, up_to bigint) RETURNS bigint
	LANGUAGE plpgsql STABLE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	n bigint;
BEGIN
	EXECUTE format('SELECT count(*) FROM ehr_store.%1$I WHERE ehr_internal.sealed_key(%2$I) <= $1
		AND NOT EXISTS (SELECT FROM ehr_store.vault_key k WHERE k.id = ehr_internal.sealed_key(%2$I) AND k.wrapped IS NULL)', relation, name)
	INTO n USING up_to;
	RETURN n;
END
$$;
COMMENT ON FUNCTION ehr_internal.count_sealed(text, text, bigint) IS 'values of a column that are sealed under keys up to this one and can be opened';

CREATE FUNCTION ehr.rotate_keys(max_rows int DEFAULT NULL) RETURNS TABLE (rewrapped bigint, resealed bigint, remaining bigint)
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.rotate_keys(int) IS 'gives the vault new keys, wraps the old ones under the current root key and seals the store''s values anew; at most max_rows of each a call, the next call goes on';
REVOKE EXECUTE ON FUNCTION ehr.rotate_keys(int) FROM PUBLIC;

CREATE FUNCTION ehr_internal.rotate_keys(max_rows int) RETURNS TABLE (rewrapped bigint, resealed bigint, remaining bigint)
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	batch bigint := coalesce(max_rows, 9223372036854775807);
	root_now bigint := ehr_internal.vault_root();
	rotation ehr_store.key_rotation;
	c record;
	n bigint;
BEGIN
	IF batch <= 0 THEN
		RAISE invalid_parameter_value USING MESSAGE = 'a rotation must be allowed at least one row a call';
	END IF;
	PERFORM ehr_internal.vault_prepare();
	-- whoever else rotates waits here, and goes on with what is then left
	LOCK TABLE ehr_store.key_rotation IN SHARE ROW EXCLUSIVE MODE;
	SELECT * INTO rotation FROM ehr_store.key_rotation r WHERE r.finished IS NULL;
	IF NOT FOUND THEN
		INSERT INTO ehr_store.key_rotation (up_to, root) SELECT coalesce(max(k.id), 0), root_now FROM ehr_store.vault_key k
		RETURNING * INTO rotation;
		-- new values get new keys from here on; the key of blind indexes stays, or every index would have to be made anew
		UPDATE ehr_store.vault_key k SET retired = clock_timestamp()
		WHERE k.id <= rotation.up_to AND k.kind IN ('p', 'o') AND k.retired IS NULL AND k.wrapped IS NOT NULL;
	END IF;

	rewrapped := (SELECT count(*) FILTER (WHERE ehr_internal.vault_rewrap(k.id))
		FROM (SELECT id FROM ehr_store.vault_key WHERE root <> root_now AND wrapped IS NOT NULL ORDER BY id LIMIT batch) AS k);
	resealed := 0;
	FOR c IN SELECT * FROM ehr_store.sealed_column ORDER BY relation, name
	LOOP
		EXIT WHEN resealed >= batch;
		resealed := resealed + ehr_internal.reseal_column(c.relation, c.name, c.key, c.person, rotation.up_to, batch - resealed);
	END LOOP;

	remaining := (SELECT count(*) FROM ehr_store.vault_key k WHERE k.root <> root_now AND k.wrapped IS NOT NULL);
	FOR c IN SELECT * FROM ehr_store.sealed_column
	LOOP
		remaining := remaining + ehr_internal.count_sealed(c.relation, c.name, rotation.up_to);
	END LOOP;
	n := rotate_keys.rewrapped;
	UPDATE ehr_store.key_rotation AS r SET rewrapped = r.rewrapped + n, resealed = r.resealed + rotate_keys.resealed,
		finished = CASE WHEN rotate_keys.remaining = 0 THEN clock_timestamp() END
	WHERE r.id = rotation.id;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION ehr_internal.rotate_keys(int) IS 'implementation of ehr.rotate_keys';

-- Erasure: nothing sealed under a person's keys can be opened again. Who may, and whether the law lets it, is asked before
-- (ehr.erase_person, room api).
CREATE FUNCTION ehr_internal.destroy_person_keys(persons uuid[], basis text) RETURNS bigint
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	n bigint;
BEGIN
	UPDATE ehr_store.vault_key k SET wrapped = NULL, destroyed = clock_timestamp(), retired = coalesce(k.retired, clock_timestamp()),
		basis = destroy_person_keys.basis
	WHERE k.person = ANY (persons) AND k.wrapped IS NOT NULL;
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN n;
END
$$;
COMMENT ON FUNCTION ehr_internal.destroy_person_keys(uuid[], text) IS 'destroys the keys of these persons; returns how many there were';

-- Facilities ---------------------------------------------------------------------------------------

CREATE FUNCTION ehr.add_facility_key(facility text, public_key bytea, valid tstzrange DEFAULT NULL) RETURNS void
	LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.add_facility_key(text, bytea, tstzrange) IS 'takes the public key (X25519, 32 bytes) of a facility, to which data are sealed while valid (default: from now on)';
REVOKE EXECUTE ON FUNCTION ehr.add_facility_key(text, bytea, tstzrange) FROM PUBLIC;

CREATE FUNCTION ehr_internal.add_facility_key(facility text, public_key bytea, valid tstzrange) RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF facility IS NULL OR facility !~ '^[!-~]{1,32}$' OR ehr_internal.box_key_usable(public_key) IS NOT TRUE THEN
		RAISE invalid_parameter_value USING MESSAGE = 'the key of a facility cannot be used',
			DETAIL = 'A facility has a code of 1 to 32 printable ASCII characters, and its public key (X25519) 32 bytes.';
	END IF;
	INSERT INTO ehr_store.facility_key AS k (facility, public_key, valid)
	VALUES (facility, public_key, coalesce(valid, tstzrange(clock_timestamp(), NULL)))
	ON CONFLICT ON CONSTRAINT facility_key_pkey DO UPDATE SET valid = excluded.valid;
END
$$;
COMMENT ON FUNCTION ehr_internal.add_facility_key(text, bytea, tstzrange) IS 'implementation of ehr.add_facility_key';

CREATE FUNCTION ehr.seal_for(facility text, value bytea) RETURNS bytea
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.seal_for(text, bytea) IS 'a box that only this facility can open, with the secret key of its newest valid public one (libsodium''s crypto_box_seal); the vault''s own keys are not needed';

CREATE FUNCTION ehr.seal_for(facility text, value text) RETURNS bytea
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.seal_for(text, text) IS 'ehr.seal_for of a text, in UTF-8';
REVOKE EXECUTE ON FUNCTION ehr.seal_for(text, bytea), ehr.seal_for(text, text) FROM PUBLIC;

CREATE FUNCTION ehr_internal.seal_for(facility text, value bytea) RETURNS bytea
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	k bytea := (SELECT f.public_key FROM ehr_store.facility_key f WHERE f.facility = seal_for.facility AND f.valid @> clock_timestamp()
		ORDER BY lower(f.valid) DESC, f.added DESC LIMIT 1);
BEGIN
	IF k IS NULL THEN
		RAISE undefined_object USING MESSAGE = 'there is no valid key of this facility',
			HINT = 'SELECT ehr.add_facility_key(facility, public_key) takes it.';
	END IF;
	RETURN ehr_internal.box(value, k);
END
$$;
COMMENT ON FUNCTION ehr_internal.seal_for(text, bytea) IS 'implementation of ehr.seal_for';

CREATE FUNCTION ehr_internal.seal_for(facility text, value text) RETURNS bytea
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN ehr_internal.seal_for(facility, convert_to(value, 'UTF8'));
END
$$;
COMMENT ON FUNCTION ehr_internal.seal_for(text, text) IS 'implementation of ehr.seal_for';
