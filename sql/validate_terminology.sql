-- Terminology: code systems, value sets and concept maps that a database administrator loads, and the questions of
-- FHIR R4's terminology service over them (https://hl7.org/fhir/R4/terminology-service.html).
--
-- The tables hold no personal data and may be read by everybody; who may load is a matter of GRANT. They are dumped
-- with the database. Validity: a version counts in [valid_from, valid_to).

CREATE TABLE ehr.code_system (
	id int PRIMARY KEY,
	url text NOT NULL,
	version text NOT NULL DEFAULT '',
	valid_from date NOT NULL DEFAULT '-infinity',
	valid_to date NOT NULL DEFAULT 'infinity' CHECK (valid_to > valid_from),
	content text NOT NULL CHECK (content IN ('complete', 'fragment', 'example', 'not-present')),
	hierarchy text NOT NULL DEFAULT 'listed' CHECK (hierarchy IN ('listed', 'icd10')),
	case_sensitive boolean NOT NULL DEFAULT true,
	value_set text,
	definition jsonb NOT NULL DEFAULT '{}',
	UNIQUE (url, version)
);
COMMENT ON TABLE ehr.code_system IS 'versions of code systems; a version counts in [valid_from, valid_to)';
COMMENT ON COLUMN ehr.code_system.content IS 'complete: a code that is not there does not exist; otherwise nobody can tell';
COMMENT ON COLUMN ehr.code_system.hierarchy IS 'listed: parents as loaded; icd10: besides, a code lies below the codes that begin it, its block and its chapter';
COMMENT ON COLUMN ehr.code_system.value_set IS 'URL of the value set that has all codes of this system';
CREATE INDEX ON ehr.code_system (value_set);

CREATE TABLE ehr.concept (
	system int NOT NULL REFERENCES ehr.code_system ON DELETE CASCADE,
	key text NOT NULL,
	code text NOT NULL,
	display text,
	position int NOT NULL,
	abstract boolean NOT NULL DEFAULT false,
	inactive boolean NOT NULL DEFAULT false,
	valid_from date NOT NULL DEFAULT '-infinity',
	valid_to date NOT NULL DEFAULT 'infinity',
	property jsonb NOT NULL DEFAULT '[]',
	designation jsonb NOT NULL DEFAULT '[]',
	PRIMARY KEY (system, key)
);
COMMENT ON TABLE ehr.concept IS 'concepts of code systems';
COMMENT ON COLUMN ehr.concept.key IS 'the code as it is compared: small letters where case does not count, type icd10''s form in ICD-10';
COMMENT ON COLUMN ehr.concept.abstract IS 'for grouping only, not to be used in data';

CREATE TABLE ehr.concept_ancestor (
	system int NOT NULL,
	key text NOT NULL,
	ancestor text NOT NULL,
	direct boolean NOT NULL,
	PRIMARY KEY (system, ancestor, key),
	FOREIGN KEY (system, key) REFERENCES ehr.concept ON DELETE CASCADE,
	FOREIGN KEY (system, ancestor) REFERENCES ehr.concept ON DELETE CASCADE
);
COMMENT ON TABLE ehr.concept_ancestor IS 'transitive closure of the hierarchy of each code system, made when it is loaded';
COMMENT ON COLUMN ehr.concept_ancestor.direct IS 'a parent, not only an ancestor';
CREATE INDEX ON ehr.concept_ancestor (system, key);

CREATE TABLE ehr.value_set (
	id int PRIMARY KEY,
	url text NOT NULL,
	version text NOT NULL DEFAULT '',
	expanded boolean NOT NULL,
	definition jsonb NOT NULL DEFAULT '{}',
	UNIQUE (url, version)
);
COMMENT ON TABLE ehr.value_set IS 'value sets';
COMMENT ON COLUMN ehr.value_set.expanded IS 'came with an expansion: used where its rules cannot be followed';

CREATE TABLE ehr.value_set_rule (
	value_set int NOT NULL REFERENCES ehr.value_set ON DELETE CASCADE,
	rule int NOT NULL,
	exclude boolean NOT NULL,
	place text NOT NULL,
	system text,
	version text,
	listed boolean NOT NULL,
	filters jsonb NOT NULL DEFAULT '[]',
	imports text[] NOT NULL DEFAULT '{}',
	PRIMARY KEY (value_set, rule)
);
COMMENT ON TABLE ehr.value_set_rule IS 'includes and excludes of value sets';
COMMENT ON COLUMN ehr.value_set_rule.place IS 'FHIRPath of the rule';
COMMENT ON COLUMN ehr.value_set_rule.listed IS 'the codes are those of value_set_code';

CREATE TABLE ehr.value_set_code (
	value_set int NOT NULL REFERENCES ehr.value_set ON DELETE CASCADE,
	rule int NOT NULL,
	system text NOT NULL,
	code text NOT NULL,
	position int NOT NULL,
	display text,
	PRIMARY KEY (value_set, rule, code, system)
);
COMMENT ON TABLE ehr.value_set_code IS 'codes that value sets list, by rule; rule 0: the expansion that came with the value set';

CREATE INDEX ON ehr.value_set_code (value_set, code);

CREATE TABLE ehr.concept_map (
	id int PRIMARY KEY,
	url text NOT NULL,
	version text NOT NULL DEFAULT '',
	definition jsonb NOT NULL DEFAULT '{}',
	UNIQUE (url, version)
);
COMMENT ON TABLE ehr.concept_map IS 'concept maps';

CREATE TABLE ehr.concept_map_group (
	concept_map int NOT NULL REFERENCES ehr.concept_map ON DELETE CASCADE,
	map_group int NOT NULL,
	source text,
	target text,
	unmapped jsonb,
	PRIMARY KEY (concept_map, map_group)
);
COMMENT ON TABLE ehr.concept_map_group IS 'groups of concept maps: from which code system into which';

CREATE TABLE ehr.concept_map_entry (
	concept_map int NOT NULL,
	map_group int NOT NULL,
	position int NOT NULL,
	source_code text NOT NULL,
	equivalence text NOT NULL,
	target_code text,
	target_display text,
	detail jsonb NOT NULL DEFAULT '{}',
	PRIMARY KEY (concept_map, map_group, position),
	FOREIGN KEY (concept_map, map_group) REFERENCES ehr.concept_map_group ON DELETE CASCADE
);
COMMENT ON TABLE ehr.concept_map_entry IS 'what a code of a group''s source is in its target; detail: dependsOn and product';
CREATE INDEX ON ehr.concept_map_entry (concept_map, source_code);

GRANT SELECT ON ehr.code_system, ehr.concept, ehr.concept_ancestor, ehr.value_set, ehr.value_set_rule, ehr.value_set_code,
	ehr.concept_map, ehr.concept_map_group, ehr.concept_map_entry TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('ehr.code_system', '');
SELECT pg_catalog.pg_extension_config_dump('ehr.concept', '');
SELECT pg_catalog.pg_extension_config_dump('ehr.concept_ancestor', '');
SELECT pg_catalog.pg_extension_config_dump('ehr.value_set', '');
SELECT pg_catalog.pg_extension_config_dump('ehr.value_set_rule', '');
SELECT pg_catalog.pg_extension_config_dump('ehr.value_set_code', '');
SELECT pg_catalog.pg_extension_config_dump('ehr.concept_map', '');
SELECT pg_catalog.pg_extension_config_dump('ehr.concept_map_group', '');
SELECT pg_catalog.pg_extension_config_dump('ehr.concept_map_entry', '');

-- validate() remembers which value sets are loaded.
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON ehr.value_set
	FOR EACH STATEMENT EXECUTE FUNCTION ehr_internal.definition_changed();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON ehr.code_system
	FOR EACH STATEMENT EXECUTE FUNCTION ehr_internal.definition_changed();

-- The value sets of R4's required bindings are compiled in.

CREATE FUNCTION ehr.r4_value_set_has(url text, system text, code text) RETURNS boolean
	LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'ehr_r4_value_set_has';
COMMENT ON FUNCTION ehr.r4_value_set_has(text, text, text) IS 'whether a value set of an R4 required binding has a code; null for other value sets';

CREATE FUNCTION ehr.r4_value_set(url text) RETURNS TABLE (system text, code text)
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 20
	AS 'MODULE_PATHNAME', 'ehr_r4_value_set';
COMMENT ON FUNCTION ehr.r4_value_set(text) IS 'codes of a value set of an R4 required binding';

-- Versions and codes. PL/pgSQL, although each is one expression: it keeps its plans from call to call, which SQL functions do not.

CREATE FUNCTION ehr.version_order(version text) RETURNS int[]
	LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
#variable_conflict use_column
BEGIN
	RETURN (SELECT CASE WHEN $1 ~ '^[0-9]{1,9}([.-][0-9]{1,9})*$' THEN string_to_array(translate($1, '-', '.'), '.')::int[] ELSE '{}' END);
END $$;
COMMENT ON FUNCTION ehr.version_order(text) IS 'order of version labels: 4.0.10 after 4.0.9; labels that are no numbers come before';

CREATE FUNCTION ehr.code_system_at(canonical text, at date DEFAULT current_date) RETURNS int
	LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
#variable_conflict use_column
BEGIN
	RETURN (SELECT id FROM ehr.code_system
	WHERE url = split_part(canonical, '|', 1)
		AND CASE WHEN canonical ~ '[|].' THEN version = split_part(canonical, '|', 2) ELSE valid_from <= at AND at < valid_to END
	ORDER BY valid_from DESC, ehr.version_order(version) DESC, version COLLATE "C" DESC
	LIMIT 1);
END $$;
COMMENT ON FUNCTION ehr.code_system_at(text, date) IS 'key of the version of a code system that counts on a day, or of the version named as url|version; null when there is none';

CREATE FUNCTION ehr.value_set_at(canonical text) RETURNS int
	LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
#variable_conflict use_column
BEGIN
	RETURN (SELECT id FROM ehr.value_set
	WHERE url = split_part(canonical, '|', 1) AND (canonical !~ '[|].' OR version = split_part(canonical, '|', 2))
	ORDER BY ehr.version_order(version) DESC, version COLLATE "C" DESC
	LIMIT 1);
END $$;
COMMENT ON FUNCTION ehr.value_set_at(text) IS 'key of the latest version of a value set, or of the version named as url|version; null when there is none';

CREATE FUNCTION ehr.concept_key(hierarchy text, case_sensitive boolean, code text) RETURNS text
	LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
#variable_conflict use_column
BEGIN
	RETURN (SELECT CASE WHEN hierarchy = 'icd10' AND code ~ '^ *[A-Za-z][0-9][0-9A-Za-z]([.]?[0-9A-Za-z]{1,4}|[.]-)?[*†+]? *$' THEN translate(code, '+', '')::ehr.icd10::text
		WHEN case_sensitive THEN code ELSE lower(code) END);
END $$;
COMMENT ON FUNCTION ehr.concept_key(text, boolean, text) IS 'a code as it is compared in its system';

-- The property of a concept as text, for the filters of value sets. OFFSET 0: one look-up in the index, not a hash of the whole hierarchy.
CREATE FUNCTION ehr.concept_passes(system int, key text, filters jsonb) RETURNS boolean
	LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
#variable_conflict use_column
BEGIN
	RETURN (SELECT NOT EXISTS (
		SELECT FROM ehr.concept c, ehr.code_system s,
			jsonb_to_recordset(filters) AS f (property text, op text, value text),
			LATERAL (SELECT ehr.concept_key(s.hierarchy, s.case_sensitive, f.value) OFFSET 0) AS k (value),
			-- what is compared: the code, or the values of a property
			LATERAL (SELECT ARRAY(
				SELECT c.code WHERE f.property IN ('code', 'concept')
				UNION ALL SELECT c.display WHERE f.property = 'display'
				UNION ALL SELECT c.inactive::text WHERE f.property = 'inactive'
				UNION ALL SELECT a.ancestor FROM ehr.concept_ancestor a WHERE f.property = 'parent' AND a.system = c.system AND a.key = c.key AND a.direct
				UNION ALL SELECT a.key FROM ehr.concept_ancestor a WHERE f.property = 'child' AND a.system = c.system AND a.ancestor = c.key AND a.direct
				UNION ALL SELECT CASE jsonb_typeof(v.value) WHEN 'object' THEN v.value ->> 'code' ELSE v.value #>> '{}' END
				FROM jsonb_array_elements(c.property) AS p, jsonb_each(p - 'code') AS v
				WHERE p ->> 'code' = f.property AND f.property NOT IN ('parent', 'child', 'inactive')) OFFSET 0) AS got (value)
		WHERE s.id = $1 AND c.system = $1 AND c.key = $2 AND NOT coalesce(CASE f.op
			WHEN '=' THEN f.value = ANY (got.value) OR (f.property IN ('code', 'concept') AND k.value = c.key) OR (f.property IN ('parent', 'child') AND k.value = ANY (got.value))
			WHEN 'in' THEN got.value && string_to_array(f.value, ',')
			WHEN 'not-in' THEN NOT got.value && string_to_array(f.value, ',')
			WHEN 'exists' THEN (got.value <> '{}') = (f.value = 'true')
			WHEN 'regex' THEN EXISTS (SELECT FROM unnest(got.value) AS u WHERE u ~ ('^(?:' || f.value || ')$'))
			WHEN 'is-a' THEN c.key = k.value OR EXISTS (SELECT FROM ehr.concept_ancestor a WHERE a.system = c.system AND a.key = c.key AND a.ancestor = k.value OFFSET 0)
			WHEN 'descendent-of' THEN EXISTS (SELECT FROM ehr.concept_ancestor a WHERE a.system = c.system AND a.key = c.key AND a.ancestor = k.value OFFSET 0)
			WHEN 'is-not-a' THEN c.key <> k.value AND NOT EXISTS (SELECT FROM ehr.concept_ancestor a WHERE a.system = c.system AND a.key = c.key AND a.ancestor = k.value OFFSET 0)
			WHEN 'generalizes' THEN c.key = k.value OR EXISTS (SELECT FROM ehr.concept_ancestor a WHERE a.system = c.system AND a.key = k.value AND a.ancestor = c.key OFFSET 0)
		END, false)));
END $$;
COMMENT ON FUNCTION ehr.concept_passes(int, text, jsonb) IS 'whether a concept passes all filters of a ValueSet.compose.include';

-- Membership. Null: cannot be told, because a code system or value set is not loaded or not complete.

CREATE FUNCTION ehr.value_set_rule_has(r ehr.value_set_rule, system text, code text, at date) RETURNS boolean
	LANGUAGE plpgsql STABLE PARALLEL SAFE COST 500
	SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	result boolean := true;
	member boolean;
	import text;
	s ehr.code_system;
	c ehr.concept;
BEGIN
	IF r.system <> system THEN
		RETURN false;
	END IF;
	IF r.listed THEN
		result := EXISTS (SELECT FROM ehr.value_set_code v WHERE v.value_set = r.value_set AND v.rule = r.rule AND v.code = $3);
	ELSIF r.system IS NOT NULL THEN
		SELECT * INTO s FROM ehr.code_system WHERE id = ehr.code_system_at(r.system || coalesce('|' || r.version, ''), at);
		IF NOT FOUND THEN
			result := NULL;
		ELSE
			SELECT * INTO c FROM ehr.concept k WHERE k.system = s.id AND k.key = ehr.concept_key(s.hierarchy, s.case_sensitive, $3)
				AND k.valid_from <= at AND at < k.valid_to;
			IF FOUND THEN
				result := NOT c.abstract AND (r.filters = '[]' OR ehr.concept_passes(s.id, c.key, r.filters));
			ELSE
				result := CASE WHEN s.content = 'complete' THEN false END;
			END IF;
		END IF;
	END IF;
	FOREACH import IN ARRAY r.imports LOOP
		EXIT WHEN NOT result;
		member := ehr.value_set_has(import, system, code, at);
		result := result AND member;
	END LOOP;
	RETURN result;
END $$;
COMMENT ON FUNCTION ehr.value_set_rule_has(ehr.value_set_rule, text, text, date) IS 'whether an include or exclude of a value set has a code; null: cannot be told';

CREATE FUNCTION ehr.value_set_has(url text, system text, code text, at date DEFAULT current_date) RETURNS boolean
	LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000
	SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	v ehr.value_set;
	r ehr.value_set_rule;
	member boolean;
	result boolean := false;
BEGIN
	SELECT * INTO v FROM ehr.value_set WHERE id = ehr.value_set_at(value_set_has.url);
	IF NOT FOUND THEN
		member := ehr.r4_value_set_has(split_part(url, '|', 1), system, code);
		IF member IS NULL THEN
			SELECT ehr.value_set_rule_has(ROW(NULL, 1, false, '', s.url, NULL, false, '[]', '{}')::ehr.value_set_rule, system, code, at) INTO member
			FROM ehr.code_system s WHERE s.value_set = split_part(value_set_has.url, '|', 1) LIMIT 1;
		END IF;
		RETURN member;
	END IF;
	-- excludes come last: they overrule
	FOR r IN SELECT * FROM ehr.value_set_rule x WHERE x.value_set = v.id ORDER BY x.exclude, x.rule LOOP
		CONTINUE WHEN r.exclude <> result;
		member := ehr.value_set_rule_has(r, system, code, at);
		IF r.exclude THEN
			result := result AND NOT member;
		ELSE
			result := result OR member;
		END IF;
	END LOOP;
	IF v.expanded AND (result IS NULL OR NOT EXISTS (SELECT FROM ehr.value_set_rule x WHERE x.value_set = v.id)) THEN
		result := EXISTS (SELECT FROM ehr.value_set_code c WHERE c.value_set = v.id AND c.rule = 0 AND c.code = $3 AND c.system = coalesce($2, c.system));
	END IF;
	RETURN result;
END $$;
COMMENT ON FUNCTION ehr.value_set_has(text, text, text, date) IS
	'whether a value set has a code on a day; a null system stands for any; null: the value set is not known, or it cannot be told';

-- Expansion

CREATE FUNCTION ehr.value_set_concepts(url text, at date DEFAULT current_date)
	RETURNS TABLE (system text, version text, code text, display text, inactive boolean, rule int, "position" int)
	LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000
	SET search_path = pg_catalog, pg_temp
	AS $$
#variable_conflict use_column
DECLARE
	v ehr.value_set;
	r ehr.value_set_rule;
	s ehr.code_system;
	missing text;
	hierarchic jsonb;
	root text;
BEGIN
	SELECT * INTO v FROM ehr.value_set WHERE id = ehr.value_set_at($1);
	IF NOT FOUND THEN
		RETURN QUERY SELECT c.system, '4.0.1', c.code, NULL, false, 1, c.n::int
			FROM ehr.r4_value_set(split_part($1, '|', 1)) WITH ORDINALITY AS c (system, code, n);
		IF FOUND THEN
			RETURN;
		END IF;
		SELECT x.* INTO s FROM ehr.code_system x WHERE x.id = (SELECT ehr.code_system_at(y.url, $2) FROM ehr.code_system y WHERE y.value_set = split_part($1, '|', 1) LIMIT 1);
		IF NOT FOUND THEN
			RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = 'value set is not known',
				HINT = 'Load it with ehr.load_value_set. Value sets that are given by a grammar (units, media types) cannot be expanded.';
		END IF;
		RETURN QUERY SELECT s.url, s.version, c.code, c.display, c.inactive, 1, c.position
			FROM ehr.concept c WHERE c.system = s.id AND NOT c.abstract AND c.valid_from <= $2 AND $2 < c.valid_to;
		RETURN;
	END IF;
	SELECT x.place || '.system' INTO missing FROM ehr.value_set_rule x
	WHERE x.value_set = v.id AND NOT x.listed AND x.system IS NOT NULL
		AND NOT EXISTS (SELECT FROM ehr.code_system y WHERE y.id = ehr.code_system_at(x.system || coalesce('|' || x.version, ''), $2) AND y.content <> 'not-present')
	ORDER BY x.rule LIMIT 1;
	IF v.expanded AND (missing IS NOT NULL OR NOT EXISTS (SELECT FROM ehr.value_set_rule x WHERE x.value_set = v.id)) THEN
		RETURN QUERY SELECT c.system, NULL, c.code, c.display, false, 0, c.position FROM ehr.value_set_code c WHERE c.value_set = v.id AND c.rule = 0;
		RETURN;
	ELSIF missing IS NOT NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = 'code system of a value set is not loaded', DETAIL = missing,
			HINT = 'Load it with ehr.load_code_system.';
	END IF;
	FOR r IN SELECT * FROM ehr.value_set_rule x WHERE x.value_set = v.id AND NOT x.exclude ORDER BY x.rule LOOP
		SELECT * INTO s FROM ehr.code_system x WHERE x.id = ehr.code_system_at(r.system || coalesce('|' || r.version, ''), $2);
		-- a filter by the hierarchy, where there is one, names the candidates
		hierarchic := (SELECT f FROM jsonb_array_elements(r.filters) AS f WHERE f ->> 'op' IN ('is-a', 'descendent-of') LIMIT 1);
		root := ehr.concept_key(s.hierarchy, s.case_sensitive, hierarchic ->> 'value');
		r.filters := (SELECT coalesce(jsonb_agg(f), '[]') FROM jsonb_array_elements(r.filters) AS f WHERE f IS DISTINCT FROM hierarchic);
		RETURN QUERY
		WITH candidate (system, version, code, display, inactive, "position") AS (
			SELECT c.system, s.version, c.code, coalesce(c.display, k.display), coalesce(k.inactive, false), c.position
			FROM ehr.value_set_code c LEFT JOIN ehr.concept k ON k.system = s.id AND k.key = ehr.concept_key(s.hierarchy, s.case_sensitive, c.code)
			WHERE c.value_set = v.id AND r.listed AND c.rule = r.rule
			UNION ALL
			SELECT s.url, s.version, k.code, k.display, k.inactive, k.position
			FROM ehr.concept k
			WHERE NOT r.listed AND root IS NULL AND k.system = s.id AND NOT k.abstract AND k.valid_from <= $2 AND $2 < k.valid_to
				AND (r.filters = '[]' OR ehr.concept_passes(s.id, k.key, r.filters))
			UNION ALL
			SELECT s.url, s.version, k.code, k.display, k.inactive, k.position
			FROM (SELECT c.* FROM (SELECT root WHERE hierarchic ->> 'op' = 'is-a' UNION ALL SELECT a.key FROM ehr.concept_ancestor a WHERE a.system = s.id AND a.ancestor = root) AS below (key)
				JOIN ehr.concept c ON c.system = s.id AND c.key = below.key
				WHERE NOT c.abstract AND c.valid_from <= $2 AND $2 < c.valid_to OFFSET 0) AS k
			WHERE NOT r.listed AND root IS NOT NULL AND (r.filters = '[]' OR ehr.concept_passes(s.id, k.key, r.filters))
			UNION ALL
			SELECT i.system, i.version, i.code, i.display, i.inactive, row_number() OVER (ORDER BY i.rule, i.position)::int
			FROM ehr.value_set_concepts(r.imports[1], $2) AS i
			WHERE r.system IS NULL
		)
		SELECT c.system, c.version, c.code, c.display, c.inactive, r.rule, c.position
		FROM candidate c
		WHERE NOT EXISTS (SELECT FROM unnest(r.imports) AS i (url) WHERE NOT ehr.value_set_has(i.url, c.system, c.code, $2))
			AND NOT EXISTS (SELECT FROM ehr.value_set_rule x WHERE x.value_set = v.id AND x.exclude AND ehr.value_set_rule_has(x, c.system, c.code, $2));
	END LOOP;
END $$;
COMMENT ON FUNCTION ehr.value_set_concepts(text, date) IS 'codes of a value set, rule by rule; a code can come twice';

CREATE FUNCTION ehr.expand(url text, filter text DEFAULT NULL, max_rows int DEFAULT NULL, at date DEFAULT current_date)
	RETURNS TABLE (system text, version text, code text, display text, inactive boolean)
	LANGUAGE sql STABLE PARALLEL SAFE COST 1000
	SET search_path = pg_catalog, pg_temp
	AS $$
	SELECT u.system, u.version, u.code, u.display, u.inactive
	FROM (SELECT DISTINCT ON (c.system, c.code) c.* FROM ehr.value_set_concepts($1, $4) AS c
		WHERE $2 IS NULL OR starts_with(upper(c.code), upper($2)) OR strpos(' ' || ehr.fold_text(c.display), ' ' || ehr.fold_text($2)) > 0
		ORDER BY c.system, c.code, c.rule, c.position) AS u
	ORDER BY u.rule, u.position
	LIMIT $3
	$$;
COMMENT ON FUNCTION ehr.expand(text, text, int, date) IS
	'$expand: codes of a value set; filter: beginning of a code, or of a word of the display with marks ignored';

-- Questions about one code

CREATE FUNCTION ehr.lookup(system text, code text, at date DEFAULT current_date) RETURNS jsonb
	LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100
	SET search_path = pg_catalog, pg_temp
	AS $$
#variable_conflict use_column
DECLARE
	s ehr.code_system;
	c ehr.concept;
BEGIN
	IF $1 IS NULL OR $2 IS NULL OR $3 IS NULL THEN
		RETURN NULL;
	END IF;
	SELECT * INTO s FROM ehr.code_system WHERE id = ehr.code_system_at($1, $3);
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = 'code system is not loaded, or no version of it is valid on that day',
			HINT = 'Load it with ehr.load_code_system.';
	END IF;
	SELECT * INTO c FROM ehr.concept k WHERE k.system = s.id AND k.key = ehr.concept_key(s.hierarchy, s.case_sensitive, $2);
	IF NOT FOUND THEN
		RETURN NULL;
	END IF;
	RETURN jsonb_strip_nulls(jsonb_build_object('name', s.definition ->> 'name', 'version', nullif(s.version, ''), 'code', c.code, 'display', c.display,
		'abstract', c.abstract, 'inactive', c.inactive OR NOT (c.valid_from <= $3 AND $3 < c.valid_to),
		'designation', nullif(c.designation, '[]'),
		'property', nullif((SELECT coalesce(jsonb_agg(p ORDER BY n, p ->> 'valueCode' COLLATE "C"), '[]') FROM (
			SELECT jsonb_build_object('code', 'parent', 'valueCode', k.code), -2 AS n
			FROM ehr.concept_ancestor a JOIN ehr.concept k ON k.system = a.system AND k.key = a.ancestor WHERE a.system = s.id AND a.key = c.key AND a.direct
			UNION ALL
			SELECT jsonb_build_object('code', 'child', 'valueCode', k.code), -1
			FROM ehr.concept_ancestor a JOIN ehr.concept k ON k.system = a.system AND k.key = a.key WHERE a.system = s.id AND a.ancestor = c.key AND a.direct
			UNION ALL
			SELECT p, n FROM jsonb_array_elements(c.property) WITH ORDINALITY AS e (p, n) WHERE p ->> 'code' NOT IN ('parent', 'child')) AS all_of (p, n)), '[]')));
END $$;
COMMENT ON FUNCTION ehr.lookup(text, text, date) IS '$lookup: what a code system says of a code on a day; null: it does not have the code';

CREATE FUNCTION ehr.subsumes(system text, a text, b text, at date DEFAULT current_date) RETURNS text
	LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100
	SET search_path = pg_catalog, pg_temp
	AS $$
#variable_conflict use_column
DECLARE
	s ehr.code_system;
	keys text[];
BEGIN
	IF $1 IS NULL OR $2 IS NULL OR $3 IS NULL OR $4 IS NULL THEN
		RETURN NULL;
	END IF;
	SELECT * INTO s FROM ehr.code_system WHERE id = ehr.code_system_at($1, $4);
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = 'code system is not loaded, or no version of it is valid on that day',
			HINT = 'Load it with ehr.load_code_system.';
	END IF;
	keys := ARRAY[ehr.concept_key(s.hierarchy, s.case_sensitive, $2), ehr.concept_key(s.hierarchy, s.case_sensitive, $3)];
	RETURN CASE
		WHEN (SELECT count(*) FROM ehr.concept k WHERE k.system = s.id AND k.key = ANY (keys)) <> CASE WHEN keys[1] = keys[2] THEN 1 ELSE 2 END THEN NULL
		WHEN keys[1] = keys[2] THEN 'equivalent'
		WHEN EXISTS (SELECT FROM ehr.concept_ancestor x WHERE x.system = s.id AND x.ancestor = keys[1] AND x.key = keys[2]) THEN 'subsumes'
		WHEN EXISTS (SELECT FROM ehr.concept_ancestor x WHERE x.system = s.id AND x.ancestor = keys[2] AND x.key = keys[1]) THEN 'subsumed-by'
		ELSE 'not-subsumed' END;
END $$;
COMMENT ON FUNCTION ehr.subsumes(text, text, text, date) IS '$subsumes: equivalent, subsumes, subsumed-by or not-subsumed; null: the system does not have both codes';

CREATE FUNCTION ehr.validate_code(url text, system text, code text, display text DEFAULT NULL, at date DEFAULT current_date) RETURNS jsonb
	LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000
	SET search_path = pg_catalog, pg_temp
	AS $$
#variable_conflict use_column
DECLARE
	s ehr.code_system;
	c ehr.concept;
	known text;
	member boolean;
	message text;
	displays text[];
BEGIN
	IF $3 IS NULL OR ($1 IS NULL AND $2 IS NULL) THEN
		RETURN NULL;
	END IF;
	SELECT * INTO s FROM ehr.code_system WHERE id = ehr.code_system_at($2, $5);
	SELECT * INTO c FROM ehr.concept k WHERE k.system = s.id AND k.key = ehr.concept_key(s.hierarchy, s.case_sensitive, $3) AND k.valid_from <= $5 AND $5 < k.valid_to;
	IF $1 IS NULL THEN
		member := CASE WHEN c.key IS NOT NULL THEN true WHEN s.content = 'complete' THEN false END;
		message := CASE WHEN s.id IS NULL THEN 'the code system is not loaded, or no version of it is valid on that day'
			WHEN member IS NULL THEN 'the code system is loaded in part, and not with this code' ELSE 'the code system does not have the code on that day' END;
	ELSE
		member := ehr.value_set_has($1, $2, $3, $5);
		message := CASE WHEN NOT member THEN 'the value set does not have the code'
			WHEN ehr.value_set_at($1) IS NULL THEN 'the value set is not known' ELSE 'a code system or value set that the value set is made of is not loaded' END;
	END IF;
	IF NOT coalesce(member, false) THEN
		RETURN jsonb_build_object('result', member, 'message', message);
	END IF;
	known := coalesce(c.display, (SELECT v.display FROM ehr.value_set_code v WHERE v.value_set = ehr.value_set_at($1) AND v.code = $3 AND v.system = coalesce($2, v.system) AND v.display IS NOT NULL LIMIT 1));
	displays := known || ARRAY(SELECT d ->> 'value' FROM jsonb_array_elements(c.designation) AS d);
	IF known IS NOT NULL AND NOT EXISTS (SELECT FROM unnest(displays) AS d WHERE ehr.exact_name(d) = ehr.exact_name($4)) AND $4 IS NOT NULL THEN
		RETURN jsonb_build_object('result', false, 'display', known, 'message', 'the display is none of the code''s');
	END IF;
	RETURN jsonb_strip_nulls(jsonb_build_object('result', true, 'display', known));
END $$;
COMMENT ON FUNCTION ehr.validate_code(text, text, text, text, date) IS
	'$validate-code: whether a value set, or without one a code system, has a code: result (null: cannot be told), message, display';

CREATE FUNCTION ehr.translate(map text, system text, code text) RETURNS jsonb
	LANGUAGE plpgsql STABLE PARALLEL SAFE COST 200
	SET search_path = pg_catalog, pg_temp
	AS $$
#variable_conflict use_column
DECLARE
	m ehr.concept_map;
	g ehr.concept_map_group;
	mapped jsonb;
	matches jsonb := '[]';
BEGIN
	IF $1 IS NULL OR $2 IS NULL OR $3 IS NULL THEN
		RETURN NULL;
	END IF;
	SELECT * INTO m FROM ehr.concept_map x
	WHERE x.url = split_part($1, '|', 1) AND ($1 !~ '[|].' OR x.version = split_part($1, '|', 2))
	ORDER BY ehr.version_order(x.version) DESC, x.version COLLATE "C" DESC LIMIT 1;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = 'concept map is not loaded', HINT = 'Load it with ehr.load_concept_map.';
	END IF;
	FOR g IN SELECT * FROM ehr.concept_map_group x WHERE x.concept_map = m.id AND coalesce(x.source, $2) = $2 ORDER BY x.map_group LOOP
		SELECT jsonb_agg(e.detail || jsonb_strip_nulls(jsonb_build_object('equivalence', e.equivalence, 'source', m.url,
			'concept', CASE WHEN e.target_code IS NOT NULL THEN jsonb_build_object('system', g.target, 'code', e.target_code, 'display', e.target_display) END)) ORDER BY e.position)
		INTO mapped FROM ehr.concept_map_entry e WHERE e.concept_map = m.id AND e.map_group = g.map_group AND e.source_code = $3;
		IF mapped IS NULL THEN
			mapped := CASE g.unmapped ->> 'mode'
				WHEN 'provided' THEN jsonb_build_array(jsonb_build_object('equivalence', 'equal', 'source', m.url, 'concept', jsonb_build_object('system', g.target, 'code', $3)))
				WHEN 'fixed' THEN jsonb_build_array(jsonb_build_object('equivalence', 'inexact', 'source', m.url,
					'concept', jsonb_strip_nulls(jsonb_build_object('system', g.target, 'code', g.unmapped ->> 'code', 'display', g.unmapped ->> 'display'))))
				WHEN 'other-map' THEN ehr.translate(g.unmapped ->> 'url', $2, $3) -> 'match'
			END;
		END IF;
		matches := matches || coalesce(mapped, '[]');
	END LOOP;
	RETURN jsonb_build_object('result', EXISTS (SELECT FROM jsonb_array_elements(matches) AS x WHERE x ->> 'equivalence' NOT IN ('unmatched', 'disjoint')), 'match', matches);
END $$;
COMMENT ON FUNCTION ehr.translate(text, text, text) IS '$translate: what a code is in the target of a concept map: result, match; must be called as ehr.translate, since pg_catalog has a function of the same arguments';

-- Loading. What is loaded again under the same url and version replaces what was there.

CREATE FUNCTION ehr.next_terminology_id(kind regclass) RETURNS int
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	id int;
BEGIN
	EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', kind);
	EXECUTE format('SELECT coalesce(max(id), 0) + 1 FROM %s', kind) INTO id;
	RETURN id;
END $$;
COMMENT ON FUNCTION ehr.next_terminology_id(regclass) IS 'key for a new row; one loader at a time';

-- The concepts of a CodeSystem, flat, with the place of each.
CREATE FUNCTION ehr.code_system_concepts(codes jsonb) RETURNS TABLE (place text, code text, parent text, doc jsonb, "position" int)
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 1000
	SET search_path = pg_catalog, pg_temp
	AS $$
	WITH RECURSIVE concept (place, doc, parent, path) AS (
		SELECT format('CodeSystem.concept[%s]', n - 1), e, NULL::text, ARRAY[n] FROM jsonb_array_elements(codes -> 'concept') WITH ORDINALITY AS c (e, n)
		UNION ALL
		SELECT format('%s.concept[%s]', concept.place, n - 1), e, concept.doc ->> 'code', path || n
		FROM concept, jsonb_array_elements(concept.doc -> 'concept') WITH ORDINALITY AS c (e, n)
	)
	SELECT place, doc ->> 'code', parent, doc - 'concept', row_number() OVER (ORDER BY path)::int FROM concept
	$$;
COMMENT ON FUNCTION ehr.code_system_concepts(jsonb) IS 'concepts of a CodeSystem resource with FHIRPath and parent';

-- Makes the closure out of direct parents.
CREATE FUNCTION ehr.close_hierarchy(code_system int, parents jsonb) RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
DECLARE
	bad text;
BEGIN
	SELECT p.place INTO bad FROM jsonb_to_recordset(parents) AS p (place text, key text, parent text)
	WHERE NOT EXISTS (SELECT FROM ehr.concept c WHERE c.system = code_system AND c.key = p.parent) LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'foreign_key_violation', MESSAGE = 'parent of a concept is no concept of the code system', DETAIL = bad;
	END IF;
	INSERT INTO ehr.concept_ancestor (system, key, ancestor, direct)
	SELECT DISTINCT code_system, p.key, p.parent, true FROM jsonb_to_recordset(parents) AS p (key text, parent text);
	-- ICD-10: below the longest code that begins it, else its block, else its chapter
	INSERT INTO ehr.concept_ancestor (system, key, ancestor, direct)
	SELECT DISTINCT ON (c.key) code_system, c.key, k.key, true
	FROM ehr.code_system s
		JOIN ehr.concept c ON c.system = s.id,
		LATERAL (SELECT CASE WHEN c.key ~ '^[A-Z][0-9][0-9A-Z]' THEN left(c.key, 3)::ehr.icd10 END OFFSET 0) AS i (category),
		LATERAL (
			SELECT rtrim(left(c.key, n), '.'), n FROM generate_series(3, length(c.key) - 1) AS n WHERE c.key ~ '^[A-Z][0-9][0-9A-Z]([.].*)?$'
			UNION ALL SELECT ehr.block(i.category), 2
			UNION ALL SELECT ehr.chapter(i.category), 1) AS u (key, n)
		JOIN ehr.concept k ON k.key = u.key
	WHERE s.id = code_system AND s.hierarchy = 'icd10' AND k.system = code_system AND k.key <> c.key
		AND NOT EXISTS (SELECT FROM ehr.concept_ancestor a WHERE a.system = s.id AND a.key = c.key)
	ORDER BY c.key, u.n DESC
	ON CONFLICT DO NOTHING;
	INSERT INTO ehr.concept_ancestor (system, key, ancestor, direct)
	WITH RECURSIVE up (key, ancestor) AS (
		SELECT a.key, a.ancestor FROM ehr.concept_ancestor a WHERE a.system = code_system
		UNION
		SELECT up.key, a.ancestor FROM up JOIN ehr.concept_ancestor a ON a.system = code_system AND a.key = up.ancestor
	)
	SELECT code_system, up.key, up.ancestor, false FROM up
	ON CONFLICT DO NOTHING;
	SELECT coalesce((SELECT p.place FROM jsonb_to_recordset(parents) AS p (place text, key text) WHERE p.key = a.key LIMIT 1), 'concept ' || a.key) INTO bad
	FROM ehr.concept_ancestor a WHERE a.system = code_system AND a.key = a.ancestor ORDER BY 1 LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'check_violation', MESSAGE = 'concept is its own ancestor', DETAIL = bad;
	END IF;
	-- plans made on empty tables are no good for a large system; only the owner may analyze
	IF (SELECT count(*) FROM ehr.concept c WHERE c.system = code_system) > 1000
		AND (SELECT pg_has_role(t.relowner, 'USAGE') FROM pg_class t WHERE t.oid = 'ehr.concept'::regclass) THEN
		ANALYZE ehr.concept, ehr.concept_ancestor;
	END IF;
END $$;
COMMENT ON FUNCTION ehr.close_hierarchy(int, jsonb) IS 'writes parents (key, parent, place) and all ancestors of a code system; refuses circles';

CREATE FUNCTION ehr.load_code_system(codes jsonb, valid_from date DEFAULT '-infinity', valid_to date DEFAULT 'infinity') RETURNS int
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
#variable_conflict use_column
DECLARE
	s ehr.code_system;
	bad text;
	n int;
BEGIN
	PERFORM codes::ehr.fhir('CodeSystem');
	IF codes ->> 'url' IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'not_null_violation', MESSAGE = 'code system has no url', DETAIL = 'CodeSystem.url';
	ELSIF codes ->> 'content' = 'supplement' THEN
		RAISE EXCEPTION USING ERRCODE = 'feature_not_supported', MESSAGE = 'supplements of code systems are not supported', DETAIL = 'CodeSystem.content';
	END IF;
	s := ROW(ehr.next_terminology_id('ehr.code_system'), codes ->> 'url', coalesce(codes ->> 'version', ''), $2, $3, codes ->> 'content', 'listed',
		coalesce((codes ->> 'caseSensitive')::boolean, true), codes ->> 'valueSet', codes - 'concept');
	SELECT d.place INTO bad FROM (
		SELECT c.place, c.position, row_number() OVER (PARTITION BY ehr.concept_key(s.hierarchy, s.case_sensitive, c.code) ORDER BY c.position) AS nth FROM ehr.code_system_concepts(codes) AS c) AS d
	WHERE d.nth > 1 ORDER BY d.position LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'unique_violation', MESSAGE = 'code stands twice in the code system', DETAIL = bad || '.code';
	END IF;
	DELETE FROM ehr.code_system x WHERE x.url = s.url AND x.version = s.version;
	INSERT INTO ehr.code_system SELECT s.*;
	INSERT INTO ehr.concept (system, key, code, display, position, abstract, inactive, property, designation)
	SELECT s.id, ehr.concept_key(s.hierarchy, s.case_sensitive, c.code), c.code, c.doc ->> 'display', c.position,
		coalesce(c.doc -> 'property' @> '[{"code": "notSelectable", "valueBoolean": true}]', false),
		coalesce(c.doc -> 'property' @> '[{"code": "inactive", "valueBoolean": true}]' OR c.doc -> 'property' @> '[{"code": "status", "valueCode": "retired"}]', false),
		coalesce(c.doc -> 'property', '[]'), coalesce(c.doc -> 'designation', '[]')
	FROM ehr.code_system_concepts(codes) AS c;
	GET DIAGNOSTICS n = ROW_COUNT;
	PERFORM ehr.close_hierarchy(s.id, (
		SELECT coalesce(jsonb_agg(jsonb_build_object('place', x.place, 'key', ehr.concept_key(s.hierarchy, s.case_sensitive, x.key),
			'parent', ehr.concept_key(s.hierarchy, s.case_sensitive, x.parent))), '[]')
		FROM (
			SELECT c.place, c.code, c.parent FROM ehr.code_system_concepts(codes) AS c WHERE c.parent IS NOT NULL
			UNION ALL
			SELECT format('%s.property[%s]', c.place, p.n - 1), CASE p.e ->> 'code' WHEN 'parent' THEN c.code ELSE p.e ->> 'valueCode' END,
				CASE p.e ->> 'code' WHEN 'parent' THEN p.e ->> 'valueCode' ELSE c.code END
			FROM ehr.code_system_concepts(codes) AS c, jsonb_array_elements(c.doc -> 'property') WITH ORDINALITY AS p (e, n)
			WHERE p.e ->> 'code' IN ('parent', 'child') AND p.e ? 'valueCode') AS x (place, key, parent)));
	RETURN n;
END $$;
COMMENT ON FUNCTION ehr.load_code_system(jsonb, date, date) IS 'loads a CodeSystem resource that counts in [valid_from, valid_to), in place of the same version; gives the number of concepts';

CREATE FUNCTION ehr.load_code_system(system text, version text, valid_from date, valid_to date, rows regclass, hierarchy text DEFAULT 'listed') RETURNS int
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
#variable_conflict use_column
DECLARE
	s ehr.code_system;
	columns text[] := ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = rows AND a.attnum > 0 AND NOT a.attisdropped);
	bad text;
	parents jsonb := '[]';
	n int;
BEGIN
	IF system IS NULL OR rows IS NULL OR version IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'system, version and table of a code system must be given';
	ELSIF NOT 'code' = ANY (columns) THEN
		RAISE EXCEPTION USING ERRCODE = 'undefined_column', MESSAGE = format('table %s has no column "code"', rows),
			HINT = 'Columns that are read: code, display, parent, abstract, inactive, valid_from, valid_to, property.';
	END IF;
	s := ROW(ehr.next_terminology_id('ehr.code_system'), system, version, coalesce($3, '-infinity'), coalesce($4, 'infinity'), 'complete', coalesce($6, 'listed'), true, NULL, '{}');
	DELETE FROM ehr.code_system x WHERE x.url = s.url AND x.version = s.version;
	INSERT INTO ehr.code_system SELECT s.*;
	EXECUTE format('SELECT r.code::text FROM %s AS r GROUP BY ehr.concept_key($1, true, r.code::text), r.code::text HAVING r.code IS NULL
		UNION ALL SELECT min(r.code::text) FROM %1$s AS r GROUP BY ehr.concept_key($1, true, r.code::text) HAVING count(*) > 1 LIMIT 1', rows) INTO bad USING s.hierarchy;
	GET DIAGNOSTICS n = ROW_COUNT;
	IF n > 0 THEN
		RAISE EXCEPTION USING ERRCODE = CASE WHEN bad IS NULL THEN 'not_null_violation' ELSE 'unique_violation' END,
			MESSAGE = CASE WHEN bad IS NULL THEN 'a row has no code' ELSE 'code stands twice in the code system' END, DETAIL = coalesce('code ' || bad, format('table %s', rows));
	END IF;
	-- columns that are not there are read as absent
	EXECUTE format('INSERT INTO ehr.concept (system, key, code, display, position, abstract, inactive, valid_from, valid_to, property)
		SELECT $1, k.key, CASE WHEN $2 = ''icd10'' THEN k.key ELSE r.code::text END, %s, row_number() OVER (ORDER BY k.key COLLATE "C"), coalesce(%s, false), coalesce(%s, false),
			coalesce(%s, ''-infinity''::date), coalesce(%s, ''infinity''::date), coalesce(%s, ''[]''::jsonb)
		FROM %s AS r, LATERAL (SELECT ehr.concept_key($2, true, r.code::text)) AS k (key)',
		CASE WHEN 'display' = ANY (columns) THEN 'r.display::text' ELSE 'NULL' END,
		CASE WHEN 'abstract' = ANY (columns) THEN 'r.abstract::boolean' ELSE 'NULL' END,
		CASE WHEN 'inactive' = ANY (columns) THEN 'r.inactive::boolean' ELSE 'NULL' END,
		CASE WHEN 'valid_from' = ANY (columns) THEN 'r.valid_from::date' ELSE 'NULL' END,
		CASE WHEN 'valid_to' = ANY (columns) THEN 'r.valid_to::date' ELSE 'NULL' END,
		CASE WHEN 'property' = ANY (columns) THEN 'r.property::jsonb' ELSE 'NULL' END, rows) USING s.id, s.hierarchy;
	GET DIAGNOSTICS n = ROW_COUNT;
	IF 'parent' = ANY (columns) THEN
		EXECUTE format('SELECT coalesce(jsonb_agg(jsonb_build_object(''place'', ''code '' || r.code::text, ''key'', ehr.concept_key($1, true, r.code::text),
			''parent'', ehr.concept_key($1, true, r.parent::text))), ''[]'') FROM %s AS r WHERE r.parent IS NOT NULL', rows) INTO parents USING s.hierarchy;
	END IF;
	PERFORM ehr.close_hierarchy(s.id, parents);
	RETURN n;
END $$;
COMMENT ON FUNCTION ehr.load_code_system(text, text, date, date, regclass, text) IS
	'loads a code system from a table with columns code, and where they are there display, parent, abstract, inactive, valid_from, valid_to, property; hierarchy icd10 for ICD-10';

CREATE FUNCTION ehr.load_value_set(value_set jsonb) RETURNS int
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
#variable_conflict use_column
DECLARE
	v ehr.value_set;
	bad text;
BEGIN
	PERFORM $1::ehr.fhir('ValueSet');
	IF $1 ->> 'url' IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'not_null_violation', MESSAGE = 'value set has no url', DETAIL = 'ValueSet.url';
	END IF;
	v := ROW(ehr.next_terminology_id('ehr.value_set'), $1 ->> 'url', coalesce($1 ->> 'version', ''), $1 ? 'expansion', $1 #- '{compose}' #- '{expansion}');
	DELETE FROM ehr.value_set x WHERE x.url = v.url AND x.version = v.version;
	INSERT INTO ehr.value_set SELECT v.*;
	INSERT INTO ehr.value_set_rule (value_set, rule, exclude, place, system, version, listed, filters, imports)
	SELECT v.id, row_number() OVER (ORDER BY k.exclude, r.n), k.exclude, format('ValueSet.compose.%s[%s]', k.key, r.n - 1), r.e ->> 'system', r.e ->> 'version',
		r.e ? 'concept', coalesce(r.e -> 'filter', '[]'), ARRAY(SELECT jsonb_array_elements_text(r.e -> 'valueSet'))
	FROM (VALUES ('include', false), ('exclude', true)) AS k (key, exclude), jsonb_array_elements($1 -> 'compose' -> k.key) WITH ORDINALITY AS r (e, n);

	-- vsd-1, vsd-2, vsd-3 of R4
	SELECT r.place INTO bad FROM ehr.value_set_rule r WHERE r.value_set = v.id
		AND ((r.system IS NULL AND (r.imports = '{}' OR r.listed OR r.filters <> '[]')) OR (r.listed AND r.filters <> '[]')) ORDER BY r.rule LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'check_violation', MESSAGE = 'rule of a value set has neither system nor value set, or both concepts and filters, or these without a system', DETAIL = bad;
	END IF;
	SELECT format('%s.filter[%s]', r.place, f.n - 1) INTO bad FROM ehr.value_set_rule r, jsonb_array_elements(r.filters) WITH ORDINALITY AS f (e, n)
	WHERE r.value_set = v.id AND f.e ->> 'op' = 'regex' AND NOT ehr.is_regex(f.e ->> 'value') LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'invalid_regular_expression', MESSAGE = 'filter of a value set is no regular expression', DETAIL = bad;
	END IF;

	INSERT INTO ehr.value_set_code (value_set, rule, system, code, position, display)
	SELECT v.id, r.rule, r.system, c.e ->> 'code', c.n, c.e ->> 'display'
	FROM ehr.value_set_rule r,
		jsonb_array_elements($1 -> 'compose' -> CASE WHEN r.exclude THEN 'exclude' ELSE 'include' END -> (regexp_match(r.place, '[0-9]+'))[1]::int -> 'concept') WITH ORDINALITY AS c (e, n)
	WHERE r.value_set = v.id AND r.listed
	ON CONFLICT DO NOTHING;
	WITH RECURSIVE c (e, path) AS (
		SELECT x.e, ARRAY[x.n] FROM jsonb_array_elements($1 #> '{expansion,contains}') WITH ORDINALITY AS x (e, n)
		UNION ALL
		SELECT x.e, c.path || x.n FROM c, jsonb_array_elements(c.e -> 'contains') WITH ORDINALITY AS x (e, n)
	)
	INSERT INTO ehr.value_set_code (value_set, rule, system, code, position, display)
	SELECT v.id, 0, coalesce(c.e ->> 'system', ''), c.e ->> 'code', row_number() OVER (ORDER BY c.path), c.e ->> 'display'
	FROM c WHERE c.e ? 'code' AND NOT coalesce((c.e ->> 'abstract')::boolean, false)
	ON CONFLICT DO NOTHING;

	-- a value set that imports itself by any way
	WITH RECURSIVE reach (place, url) AS (
		SELECT format('%s.valueSet[%s]', r.place, i.n - 1), split_part(i.url, '|', 1) FROM ehr.value_set_rule r, unnest(r.imports) WITH ORDINALITY AS i (url, n) WHERE r.value_set = v.id
		UNION
		SELECT reach.place, split_part(i.url, '|', 1) FROM reach, ehr.value_set x, ehr.value_set_rule r, unnest(r.imports) AS i (url) WHERE x.url = reach.url AND r.value_set = x.id
	)
	SELECT reach.place INTO bad FROM reach WHERE reach.url = v.url ORDER BY 1 LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'check_violation', MESSAGE = 'value set is made of itself', DETAIL = bad;
	END IF;
	RETURN (SELECT count(*) FROM ehr.value_set_rule r WHERE r.value_set = v.id);
END $$;
COMMENT ON FUNCTION ehr.load_value_set(jsonb) IS 'loads a ValueSet resource in place of the same version; gives the number of its rules';

CREATE FUNCTION ehr.is_regex(pattern text) RETURNS boolean
	LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
BEGIN
	PERFORM '' ~ ('^(?:' || pattern || ')$');
	RETURN true;
EXCEPTION WHEN invalid_regular_expression THEN
	RETURN false;
END $$;
COMMENT ON FUNCTION ehr.is_regex(text) IS 'whether a text is a regular expression';

CREATE FUNCTION ehr.load_concept_map(map jsonb) RETURNS int
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	AS $$
#variable_conflict use_column
DECLARE
	m ehr.concept_map;
	bad text;
	n int;
BEGIN
	PERFORM map::ehr.fhir('ConceptMap');
	IF map ->> 'url' IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = 'not_null_violation', MESSAGE = 'concept map has no url', DETAIL = 'ConceptMap.url';
	END IF;
	m := ROW(ehr.next_terminology_id('ehr.concept_map'), map ->> 'url', coalesce(map ->> 'version', ''), map - 'group');
	DELETE FROM ehr.concept_map x WHERE x.url = m.url AND x.version = m.version;
	INSERT INTO ehr.concept_map SELECT m.*;
	INSERT INTO ehr.concept_map_group (concept_map, map_group, source, target, unmapped)
	SELECT m.id, g.n, g.e ->> 'source', g.e ->> 'target', g.e -> 'unmapped' FROM jsonb_array_elements(map -> 'group') WITH ORDINALITY AS g (e, n);
	INSERT INTO ehr.concept_map_entry (concept_map, map_group, position, source_code, equivalence, target_code, target_display, detail)
	SELECT m.id, g.n, row_number() OVER (PARTITION BY g.n ORDER BY e.n, t.n), e.e ->> 'code', t.e ->> 'equivalence', t.e ->> 'code', t.e ->> 'display',
		jsonb_strip_nulls(jsonb_build_object('dependsOn', t.e -> 'dependsOn', 'product', t.e -> 'product'))
	FROM jsonb_array_elements(map -> 'group') WITH ORDINALITY AS g (e, n), jsonb_array_elements(g.e -> 'element') WITH ORDINALITY AS e (e, n),
		jsonb_array_elements(e.e -> 'target') WITH ORDINALITY AS t (e, n)
	WHERE e.e ? 'code';
	GET DIAGNOSTICS n = ROW_COUNT;
	WITH RECURSIVE reach (place, url) AS (
		SELECT format('ConceptMap.group[%s].unmapped.url', g.map_group - 1), split_part(g.unmapped ->> 'url', '|', 1) FROM ehr.concept_map_group g WHERE g.concept_map = m.id AND g.unmapped ? 'url'
		UNION
		SELECT reach.place, split_part(g.unmapped ->> 'url', '|', 1) FROM reach, ehr.concept_map x, ehr.concept_map_group g WHERE x.url = reach.url AND g.concept_map = x.id AND g.unmapped ? 'url'
	)
	SELECT reach.place INTO bad FROM reach WHERE reach.url = m.url ORDER BY 1 LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION USING ERRCODE = 'check_violation', MESSAGE = 'concept map leads back to itself', DETAIL = bad;
	END IF;
	RETURN n;
END $$;
COMMENT ON FUNCTION ehr.load_concept_map(jsonb) IS 'loads a ConceptMap resource in place of the same version; gives the number of its targets';
