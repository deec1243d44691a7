-- Claims XML: values, templates, a dossier's way in, its way in again, refusals, quarantine and replay.
-- Everything is in one transaction that is rolled back.
\set SHOW_CONTEXT never
\pset null '-'

-- ---- values: the whole table of cases is in test/unit/test_claims_value.c ----
SELECT t.type, t.sent, v.* FROM (VALUES
	('decimal', '123456,00'), ('decimal', '12.5'), ('decimal', 'mười'), ('datetime', '202608050730'), ('date', '20261345'),
	('birth', '196000000000'), ('personal_id', '123456789'), ('icd_list', 'I10;e119'), ('result', 'âm tính'),
	('card_list', 'GD4010000000001'), ('province', '01')) t(type, sent),
	ehr_internal.claims_value(t.type, t.sent) v;
SELECT ehr_internal.claims_value('no such type', '1');
SELECT ehr_internal.value_class(v) FROM unnest(ARRAY['20261345', 'Nguyễn Văn A', '079060000002', E'a\nb', '']) v;

-- ---- templates ----
\set vars '{"A": "a", "N": 1.50, "L": ["x", null, "y"], "O": [{"k": 1}, {"j": 2}], "M": {"k": "m"}, "NULL": null, "@s": "urn:s"}'
SELECT t, f.* FROM unnest(ARRAY[
	'{"const": 1, "a": "$A", "n": "$N", "missing": "$B", "null": "$NULL"}',
	'{"a": "$M.k", "b": "$M.none", "c": "$A.k"}',
	'{"text": "${A}/${N}", "half": "${A}/${B}"}',
	'{"keep": [{"system": "$@s", "value": "$A"}], "drop": [{"system": "$@s", "value": "$B"}]}',
	'{"list": [{"$each": "L", "v": "$."}], "objects": [{"$each": "O", "v": "$.k"}], "none": [{"$each": "B", "v": "$."}]}',
	'{"$needs": "N", "v": "$A"}', '{"x": {"$needs": "B", "v": "$A"}}',
	'{"only": "constants"}', '{"deep": {"deep": [{"deep": "$B"}]}}', '{"whole": "$M", "list": "$L"}']) t,
	ehr_internal.fill(t::jsonb, :'vars') f;
SELECT ehr_internal.fill_text('x-${A}', :'vars'), ehr_internal.fill_text('${B}', :'vars'), ehr_internal.fill_text('$A', :'vars');
SELECT ehr_internal.fill('[]', '{}');
SELECT ehr_internal.fill('{"a": "${A"}', :'vars');
SELECT ehr_internal.fill('{"a": "${L}"}', :'vars');

BEGIN;

-- ---- payloads made here ----
CREATE FUNCTION pg_temp.elements(VARIADIC pairs text[]) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(format('<%s>%s</%1$s>', pairs[i], pairs[i + 1]), E'\n' ORDER BY i)
	FROM generate_series(1, cardinality(pairs), 2) i $$;
CREATE FUNCTION pg_temp.file(kind text, inner_xml text) RETURNS text LANGUAGE sql AS $$
	SELECT format('<FILEHOSO><LOAIHOSO>%s</LOAIHOSO><NOIDUNGFILE>%s</NOIDUNGFILE></FILEHOSO>', kind,
		encode(convert_to(inner_xml, 'UTF8'), 'base64')) $$;
CREATE FUNCTION pg_temp.envelope(VARIADIC dossiers text[]) RETURNS text LANGUAGE sql AS $$
	SELECT '<?xml version="1.0" encoding="utf-8"?><GIAMDINHHS><THONGTINDONVI><MACSKCB>97001</MACSKCB></THONGTINDONVI>'
		|| '<THONGTINHOSO><NGAYLAP>20260810</NGAYLAP><SOLUONGHOSO>' || cardinality(dossiers) || '</SOLUONGHOSO><DANHSACHHOSO>'
		|| (SELECT string_agg('<HOSO>' || d || '</HOSO>', '') FROM unnest(dossiers) d)
		|| '</DANHSACHHOSO></THONGTINHOSO><CHUKYDONVI/></GIAMDINHHS>' $$;
CREATE FUNCTION pg_temp.summary(ma_lk text, ma_bn text, VARIADIC more text[] DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
	SELECT pg_temp.file('XML1', '<TONG_HOP>' || pg_temp.elements(VARIADIC ARRAY['MA_LK', ma_lk, 'MA_BN', ma_bn, 'MA_CSKCB', '97001',
		'HO_TEN', 'NGUYỄN THỊ MẪU', 'NGAY_SINH', '198503150000', 'GIOI_TINH', '2', 'NGAY_VAO', '202608050730',
		'NGAY_RA', '202608051015', 'MA_LOAI_KCB', '01', 'MA_BENH_CHINH', 'I10', 'CHAN_DOAN_RV', 'Tăng huyết áp'] || more)
		|| '</TONG_HOP>') $$;
CREATE FUNCTION pg_temp.drugs(ma_lk text, VARIADIC names text[]) RETURNS text LANGUAGE sql AS $$
	SELECT pg_temp.file('XML2', '<CHITIEU_CHITIET_THUOC><DSACH_CHI_TIET_THUOC>' || string_agg('<CHI_TIET_THUOC>'
		|| pg_temp.elements('MA_LK', ma_lk, 'STT', n::text, 'TEN_THUOC', name, 'SO_LUONG', '30,000', 'DON_VI_TINH', 'Viên',
			'NGAY_YL', '202608050950', 'MA_THUOC', '40.' || n, 'HAM_LUONG', '5mg') || '</CHI_TIET_THUOC>', '') || '</DSACH_CHI_TIET_THUOC></CHITIEU_CHITIET_THUOC>')
	FROM unnest(names) WITH ORDINALITY x(name, n) $$;
CREATE FUNCTION pg_temp.quarantine() RETURNS TABLE (dossier int, kind text, record int, line int, element text, rule text,
	value_class text, elements int, state text, attempts int) LANGUAGE sql AS $$
	SELECT q.dossier, q.kind, q.record, q.line, q.element, q.rule, q.value_class, q.elements, q.state, q.attempts
	FROM ehr_store.quarantine q JOIN ehr_store.payload p USING (payload) WHERE p.source = 'regress'
	ORDER BY q.payload, q.dossier, q.file, q.record, q.line, q.element, q.quarantine $$;
CREATE FUNCTION pg_temp.resources() RETURNS TABLE (type text, versions bigint, current_version int, deleted bool) LANGUAGE sql AS $$
	SELECT ehr_internal.type_name(r.type), count(h.*) + 1, r.version, r.deleted
	FROM ehr_store.resource r LEFT JOIN ehr_store.resource_history h USING (key)
	WHERE r.author = '97001' GROUP BY r.key, r.type, r.version, r.deleted ORDER BY 1, 2, 4 $$;

-- ---- one dossier ----
CREATE TEMP TABLE receipt AS SELECT 'first' AS name, ehr.ingest_claims(pg_temp.envelope(
	pg_temp.summary('HS.1', 'BN1', 'SO_CCCD', '001185000001', 'MA_THE_BHYT', 'GD4010000000001', 'MATINH_CU_TRU', '01',
		'MA_BENH_KT', 'E11.9;E78.5', 'CAN_NANG', '56,50', 'T_THUOC', '15000,00', 'VONG_TAY', 'x', 'DIEN_THOAI', '  ')
	|| pg_temp.drugs('HS.1', 'Amlodipin', 'Metformin')), 'regress') AS r;
SELECT name, r - 'payload' FROM receipt;
SELECT * FROM pg_temp.resources();
SELECT e.kind, record, elements FROM ehr_store.payload_element e JOIN ehr_store.payload p USING (payload) WHERE p.source = 'regress';
SELECT jsonb_pretty(doc::jsonb - '{meta,extension}'::text[]) FROM ehr_store.resource
WHERE author = '97001' AND type IN (ehr_internal.type_number('Patient'), ehr_internal.type_number('Encounter')) ORDER BY type DESC;
SELECT doc::jsonb - '{meta,id,subject,encounter}'::text[] FROM ehr_store.resource
WHERE author = '97001' AND type IN (ehr_internal.type_number('MedicationRequest'), ehr_internal.type_number('Condition'))
ORDER BY type, doc::jsonb -> 'identifier', doc::jsonb -> 'code';

-- the same payload again: the same receipt, nothing written
SELECT ehr.ingest_claims(convert_from(body, 'UTF8'), 'regress') = r AS same_receipt FROM ehr_store.payload p, receipt
WHERE p.source = 'regress' AND p.payload = (r ->> 'payload')::bigint;
SELECT ehr.ingest_claims(body, 'regress') = r AS same_receipt FROM ehr_store.payload p, receipt
WHERE p.source = 'regress' AND p.payload = (r ->> 'payload')::bigint;
SELECT count(*) FROM ehr_store.payload WHERE source = 'regress';
SELECT type, versions FROM pg_temp.resources() WHERE versions > 1;

-- ---- the same dossier, corrected: one drug less, one diagnosis less, another end ----
SELECT ehr.ingest_claims(pg_temp.envelope(
	pg_temp.summary('HS.1', 'BN1', 'SO_CCCD', '001185000001', 'MA_THE_BHYT', 'GD4010000000001', 'MATINH_CU_TRU', '01',
		'MA_BENH_KT', 'E11.9', 'CAN_NANG', '56,50', 'KET_QUA_DTRI', '1')
	|| pg_temp.drugs('HS.1', 'Amlodipin')), 'regress') - 'payload' AS second;
SELECT * FROM pg_temp.resources() WHERE versions > 1;
SELECT d.ma_lk, d.state FROM ehr_store.claims_dossier d WHERE facility = '97001' ORDER BY payload;

-- an earlier encounter sent later does not take the patient's data back
SELECT ehr.ingest_claims(pg_temp.envelope(pg_temp.file('XML1', '<TONG_HOP>' || pg_temp.elements('MA_LK', 'HS.0', 'MA_BN', 'BN1',
	'MA_CSKCB', '97001', 'NGAY_VAO', '202501010730') || '</TONG_HOP>')), 'regress') -> 'refused' AS refused;
SELECT jsonb_path_exists(doc::jsonb, '$.identifier[*] ? (@.value == "001185000001")') AS newer
FROM ehr_store.resource WHERE author = '97001' AND type = ehr_internal.type_number('Patient');

-- ---- what is broken, and how far it reaches ----
WITH sent AS (
	SELECT ehr.ingest_claims(pg_temp.envelope(
		-- 1: two values, and a record of another dossier
		pg_temp.summary('HS.2', 'BN2', 'KET_QUA_DTRI', '77', 'MAXA_CU_TRU', 'Phú') || pg_temp.drugs('HS.99', 'Amlodipin'),
		-- 2: begins on no day
		pg_temp.file('XML1', '<TONG_HOP>' || pg_temp.elements('MA_LK', 'HS.3', 'MA_BN', 'BN3', 'MA_CSKCB', '97001',
			'NGAY_VAO', '202602300730') || '</TONG_HOP>') || pg_temp.drugs('HS.3', 'Amlodipin'),
		-- 3: not base64
		pg_temp.summary('HS.4', 'BN4') || '<FILEHOSO><LOAIHOSO>XML2</LOAIHOSO><NOIDUNGFILE>%%%</NOIDUNGFILE></FILEHOSO>',
		-- 4: half of a file
		pg_temp.summary('HS.5', 'BN5') || pg_temp.file('XML2', '<CHITIEU_CHITIET_THUOC><DSACH>'),
		-- 5: an entity bomb
		pg_temp.summary('HS.6', 'BN6') || pg_temp.file('XML2', '<!DOCTYPE a [<!ENTITY b "x"><!ENTITY c "&b;&b;">]><a>&c;</a>'),
		-- 6: nothing in it; 7: no summary; 8: two; 9: somebody else's
		'', pg_temp.drugs('HS.7', 'Amlodipin'), pg_temp.summary('HS.8', 'BN8') || pg_temp.summary('HS.8', 'BN8'),
		pg_temp.file('XML1', '<TONG_HOP><MA_LK>HS.9</MA_LK><MA_BN>BN9</MA_BN><NGAY_VAO>202608050730</NGAY_VAO><MA_CSKCB>97002</MA_CSKCB></TONG_HOP>'),
		-- 10: a name twice, and the forms of file that nothing is made of
		pg_temp.summary('HS.10', 'BN10', 'HO_TEN', 'NGUYỄN THỊ KHÁC') || pg_temp.file('XML14', '<CHI_TIEU_GIAYHEN_KHAMLAI><MA_LK>HS.10</MA_LK><NGAY_HEN_KL>20260904</NGAY_HEN_KL></CHI_TIEU_GIAYHEN_KHAMLAI>')
			|| pg_temp.file('XML99', '<X><Y>z</Y></X>')), 'regress') r)
INSERT INTO receipt SELECT 'broken', r FROM sent;
SELECT r - 'payload' - 'persons' AS broken FROM receipt WHERE name = 'broken';
SELECT (r ->> 'sent')::int = (r ->> 'mapped')::int + (r ->> 'kept')::int + (r ->> 'quarantined')::int AS adds_up FROM receipt;
SELECT * FROM pg_temp.quarantine();
SELECT dossier, ma_lk, state, sent, mapped, kept, quarantined FROM ehr_store.claims_dossier d, receipt
WHERE name = 'broken' AND d.payload = (r ->> 'payload')::bigint ORDER BY dossier;
-- a refused dossier has left nothing
SELECT count(*) FROM ehr_store.resource_key k WHERE k.id IN (SELECT ehr_internal.claims_id('97001', 'Patient', p)
	FROM unnest('{BN3,BN4,BN5,BN6,BN8,BN9}'::text[]) p);
-- where in the payload a refused dossier stands
SELECT q.dossier, left(convert_from(substr(p.body, q.from_byte::int + 1, (q.to_byte - q.from_byte)::int), 'UTF8'), 6) AS starts,
	right(convert_from(substr(p.body, q.from_byte::int + 1, (q.to_byte - q.from_byte)::int), 'UTF8'), 7) AS ends
FROM ehr_store.quarantine q JOIN ehr_store.payload p USING (payload) WHERE p.source = 'regress' AND q.dossier = 4;

-- ---- replay ----
-- nothing was mended: it stays, and has been tried once more
SELECT ehr.replay(quarantine) - 'payload' = r - 'payload' AS same FROM ehr_store.quarantine, receipt WHERE rule = 'not-in-list' AND name = 'broken';
SELECT * FROM pg_temp.quarantine() WHERE dossier = 1;
-- the list gets the code: the element is taken in, and the receipt follows
INSERT INTO ehr_internal.claims_code (list, code) VALUES ('KET_QUA_DTRI', '77');
SELECT n ->> 'mapped' AS mapped, n ->> 'quarantined' AS quarantined, r ->> 'mapped' AS mapped_before, r ->> 'quarantined' AS quarantined_before
FROM (SELECT ehr.replay(quarantine) AS n, r FROM ehr_store.quarantine, receipt WHERE rule = 'not-in-list' AND name = 'broken') x;
SELECT * FROM pg_temp.quarantine() WHERE dossier = 1;
SELECT (receipt ->> 'sent')::int = (receipt ->> 'mapped')::int + (receipt ->> 'kept')::int + (receipt ->> 'quarantined')::int AS adds_up
FROM ehr_store.payload WHERE source = 'regress';
-- replaying what is settled changes nothing
SELECT ehr.replay(quarantine) = p.receipt AS same FROM ehr_store.quarantine JOIN ehr_store.payload p USING (payload) WHERE state = 'replayed' AND rule = 'not-in-list';
-- a dossier sent again, whole, settles what was left of the broken one
SELECT ehr.ingest_claims(pg_temp.envelope(pg_temp.summary('HS.2', 'BN2') || pg_temp.drugs('HS.2', 'Amlodipin')), 'regress') -> 'quarantined' AS quarantined;
SELECT * FROM pg_temp.quarantine() WHERE dossier = 1;

-- a template of the DBA's that makes no FHIR: the dossier is refused with the place, and taken in when it is mended
INSERT INTO ehr_internal.claims_template (name, ordinal, kind, type, key, valid_from, template)
SELECT name, ordinal, kind, type, key, '2020-01-01', template || '{"status": "eaten"}' FROM ehr_internal.claims_template WHERE name = 'drug';
SELECT ehr.ingest_claims(pg_temp.envelope(pg_temp.summary('HS.11', 'BN11') || pg_temp.drugs('HS.11', 'Amlodipin')), 'regress') -> 'refused' AS refused;
SELECT rule, element, elements FROM pg_temp.quarantine() WHERE rule LIKE 'sqlstate%';
SELECT count(*) AS half_stored FROM ehr_store.resource_key WHERE id = ehr_internal.claims_id('97001', 'Patient', 'BN11');
DELETE FROM ehr_internal.claims_template WHERE name = 'drug' AND NOT shipped;
SELECT n -> 'refused' AS refused, n -> 'quarantined' AS quarantined
FROM (SELECT ehr.replay(quarantine) AS n FROM ehr_store.quarantine WHERE rule LIKE 'sqlstate%' OFFSET 0) x;
SELECT rule, state FROM pg_temp.quarantine() WHERE rule LIKE 'sqlstate%';

-- ---- refused to the sender's face: nothing stored, no value told ----
SELECT count(*) AS payloads FROM ehr_store.payload WHERE source = 'regress' \gset
CREATE FUNCTION pg_temp.refusal(call text) RETURNS TABLE (state text, message text, detail text, hint text, context_tells_it bool)
	LANGUAGE plpgsql AS $$
DECLARE
	context text;
BEGIN
	EXECUTE call;
	state := 'none';
	RETURN NEXT;
EXCEPTION WHEN OTHERS THEN
	state := SQLSTATE;
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
	context_tells_it := split_part(context, 'SQL statement', 1) ~ 'Nguyễn|0791';
	RETURN NEXT;
END $$;
SELECT r.* FROM unnest(ARRAY['Nguyễn Văn A', E'<GIAMDINHHS><HOSO>\n\n<A>0791', '<!DOCTYPE a [<!ENTITY b "c">]><GIAMDINHHS>&b;</GIAMDINHHS>',
	'<BENHNHAN><HO_TEN>Nguyễn Văn A</HO_TEN></BENHNHAN>', repeat('<A>', 100), '']) WITH ORDINALITY p(payload, n),
	pg_temp.refusal(format('SELECT ehr.ingest_claims(%L, %L)', payload, 'regress')) r ORDER BY n;
SELECT r.* FROM unnest(ARRAY[$$SELECT ehr.ingest_claims('<GIAMDINHHS/>', NULL)$$, $$SELECT ehr.ingest_claims('<GIAMDINHHS/>', ' ')$$,
	$$SELECT ehr.ingest_claims(NULL::text, 'regress')$$, 'SELECT ehr.replay(-1)']) WITH ORDINALITY c(call, n), pg_temp.refusal(call) r ORDER BY n;
SELECT count(*) = :payloads AS nothing_stored FROM ehr_store.payload WHERE source = 'regress';
SELECT ehr.ingest_claims('<GIAMDINHHS/>', 'regress') - 'payload' AS empty_envelope;

-- ---- who may ----
SAVEPOINT s;
SET LOCAL ROLE ehr_app;
SELECT ehr.ingest_claims('<GIAMDINHHS/>', 'regress');
ROLLBACK TO s;
SET LOCAL ROLE ehr_ingest;
SELECT ehr.ingest_claims('<GIAMDINHHS/>', 'regress') ->> 'sent' AS sent;
SELECT count(*) > 5 AS sees_quarantine FROM ehr_store.quarantine;
SELECT count(*) FROM ehr_store.payload;
ROLLBACK;
