---------------------------------------------------------------------------------------------------
-- identity: linking any table by a comparison definition (doc/identity.md)
-- These read the table with the caller's own rights, store nothing and need no store.
---------------------------------------------------------------------------------------------------

CREATE FUNCTION ehr.link_table(rows regclass, definition jsonb) RETURNS TABLE (id text, cluster text, probability float8)
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 1000000 ROWS 10000
	AS 'MODULE_PATHNAME', 'ehr_link_table';
COMMENT ON FUNCTION ehr.link_table(regclass, jsonb) IS
	'links the rows of a table by a comparison definition, trained on the rows unless it holds a model; rows of one person have one cluster';

CREATE FUNCTION ehr.match_pairs(rows regclass, definition jsonb, threshold float8 DEFAULT 0.5) RETURNS TABLE (a text, b text, probability float8)
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 1000000 ROWS 10000
	AS 'MODULE_PATHNAME', 'ehr_match_pairs';
COMMENT ON FUNCTION ehr.match_pairs(regclass, jsonb, float8) IS 'pairs of rows of a table that a comparison definition finds alike, best first';

CREATE FUNCTION ehr.train_table(rows regclass, definition jsonb) RETURNS jsonb
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 1000000
	AS 'MODULE_PATHNAME', 'ehr_train_table';
COMMENT ON FUNCTION ehr.train_table(regclass, jsonb) IS 'the model of a comparison definition, learnt from the rows of a table';

-- One entry for both: the patients of the store, or a table.
CREATE FUNCTION ehr.train_matcher(rows regclass DEFAULT NULL, definition jsonb DEFAULT NULL) RETURNS jsonb
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF rows IS NULL THEN
		RETURN ehr.train_persons();
	END IF;
	IF definition IS NULL THEN
		RAISE null_value_not_allowed USING MESSAGE = 'a table is trained with a comparison definition',
			HINT = 'Call ehr.train_matcher() for the patients of the store, or ehr.train_matcher(table, definition).';
	END IF;
	RETURN definition || jsonb_build_object('model', ehr.train_table(rows, definition));
END
$$;
COMMENT ON FUNCTION ehr.train_matcher(regclass, jsonb) IS
	'learns, without labelled pairs: the model of the store''s patients, or of a table, whose definition comes back with the model in it';
