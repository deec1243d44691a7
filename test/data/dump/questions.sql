-- What a restored fixture answers; text that depends on no setting and no version.
SELECT id, ehr.resource_type(any_type), md5(any_type::text), md5(p::text), md5(g::text), md5(b::text), md5(l::text), md5(d::text), status FROM public.kept ORDER BY id;
SELECT id, any_type FROM public.kept WHERE id > 100 ORDER BY id;
SELECT count(*), count(DISTINCT any_type) FROM public.kept;
SELECT attname, pg_catalog.format_type(atttypid, atttypmod) FROM pg_catalog.pg_attribute WHERE attrelid IN ('public.kept'::regclass, 'public.codes'::regclass) AND attnum > 0 ORDER BY attrelid::regclass::text, attnum;
SELECT * FROM public.patients ORDER BY id;
SELECT citizen, card, disease, citizen::text, ehr.same_card(card, '7900000001') FROM public.codes ORDER BY disease;
SELECT indexrelid::regclass, indisvalid FROM pg_catalog.pg_index WHERE indrelid IN ('public.kept'::regclass, 'public.codes'::regclass) ORDER BY indexrelid::regclass::text COLLATE "C";
SELECT kind, url, version FROM ehr.definition ORDER BY 1, 2;
SELECT * FROM ehr.canonical_alias;
SELECT code FROM ehr.expand('http://example.vn/vs') ORDER BY 1;
SELECT k.id, i ->> 'severity', i #>> '{details,coding,0,code}', i #>> '{expression,0}'
FROM public.kept k, LATERAL pg_catalog.jsonb_array_elements(ehr.validate(k.any_type, CASE WHEN k.p IS NOT NULL THEN 'http://other.vn/patient' END) -> 'issue') AS i
WHERE i #>> '{details,coding,0,code}' ~ '^(profile|binding)' ORDER BY 1, 4, 3;
