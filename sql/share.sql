---------------------------------------------------------------------------------------------------
-- share: the golden record and the citizen's health book (doc/share.md)
---------------------------------------------------------------------------------------------------

-- ---- what the book consists of: data ----

CREATE TABLE ehr_internal.book_section (
	name text PRIMARY KEY,
	ordinal int NOT NULL UNIQUE,
	title text NOT NULL,
	loinc text
);
COMMENT ON TABLE ehr_internal.book_section IS 'sections of the health book, in order (groups of QD 831/2017 and QD 31/2026 art. 2)';

INSERT INTO ehr_internal.book_section (ordinal, name, loinc, title) VALUES
	(1, 'demographics', NULL, 'Thông tin hành chính'),
	(2, 'allergies', '48765-2', 'Tiền sử dị ứng'),
	(3, 'problems', '11450-4', 'Bệnh tật và chẩn đoán'),
	(4, 'family', '10157-6', 'Tiền sử gia đình'),
	(5, 'medications', '10160-0', 'Thuốc'),
	(6, 'immunizations', '11369-6', 'Tiêm chủng'),
	(7, 'vital-signs', '8716-3', 'Chỉ số cơ thể và dấu hiệu sinh tồn'),
	(8, 'results', '30954-2', 'Cận lâm sàng'),
	(9, 'procedures', '47519-4', 'Phẫu thuật, thủ thuật, dịch vụ kỹ thuật'),
	(10, 'encounters', '46240-8', 'Các lần khám, chữa bệnh'),
	(11, 'documents', NULL, 'Tóm tắt và giấy tờ');

-- Which resources stand in which section. test: what they must have; of several rows the first fits.
-- day: where their date is. fact: when all of it is there and equal, two reports tell the same fact.
CREATE TABLE ehr_internal.book_part (
	type int2 NOT NULL,
	ordinal int NOT NULL,
	section text NOT NULL REFERENCES ehr_internal.book_section,
	test jsonpath,
	day jsonpath[] NOT NULL,
	fact jsonpath[],
	PRIMARY KEY (type, ordinal)
);
COMMENT ON TABLE ehr_internal.book_part IS 'resources of the health book: section, date, and what makes two reports the same fact';

INSERT INTO ehr_internal.book_part (type, ordinal, section, test, day, fact)
SELECT ehr_internal.type_number(v.type), v.ordinal, v.section, v.test::jsonpath, string_to_array(v.day, ', ')::jsonpath[], string_to_array(v.fact, ', ')::jsonpath[] FROM (VALUES
	('RelatedPerson', 1, 'demographics', NULL, '$.period.start', NULL),
	('Coverage', 1, 'demographics', NULL, '$.period.start', '$.subscriberId, $.identifier[0].value, $.period'),
	('AllergyIntolerance', 1, 'allergies', NULL, '$.recordedDate', '$.code'),
	('Condition', 1, 'problems', NULL, '$.recordedDate, $.onsetDateTime', NULL),
	('FamilyMemberHistory', 1, 'family', NULL, '$.date', NULL),
	('MedicationRequest', 1, 'medications', NULL, '$.authoredOn', NULL),
	('MedicationStatement', 1, 'medications', NULL, '$.effectiveDateTime, $.effectivePeriod.start, $.dateAsserted', NULL),
	('MedicationDispense', 1, 'medications', NULL, '$.whenHandedOver, $.whenPrepared', NULL),
	('MedicationAdministration', 1, 'medications', NULL, '$.effectiveDateTime, $.effectivePeriod.start', NULL),
	('Immunization', 1, 'immunizations', '$.status ? (@ == "completed")', '$.occurrenceDateTime', '$.vaccineCode.coding[0].code, $.vaccineCode.coding[0].system, $.occurrenceDateTime'),
	('Immunization', 2, 'immunizations', NULL, '$.occurrenceDateTime', NULL),
	('Observation', 1, 'vital-signs', '$.category[*].coding[*].code ? (@ == "vital-signs")', '$.effectiveDateTime, $.effectivePeriod.start, $.effectiveInstant, $.issued', NULL),
	('Observation', 2, 'results', NULL, '$.effectiveDateTime, $.effectivePeriod.start, $.effectiveInstant, $.issued', NULL),
	('DiagnosticReport', 1, 'results', NULL, '$.effectiveDateTime, $.effectivePeriod.start, $.issued', NULL),
	('Procedure', 1, 'procedures', NULL, '$.performedDateTime, $.performedPeriod.start', NULL),
	('Encounter', 1, 'encounters', NULL, '$.period.start', NULL),
	('ClinicalImpression', 1, 'documents', NULL, '$.effectiveDateTime, $.effectivePeriod.start, $.date', NULL),
	('CarePlan', 1, 'documents', NULL, '$.created, $.period.start', NULL),
	('ServiceRequest', 1, 'documents', NULL, '$.authoredOn', NULL),
	('QuestionnaireResponse', 1, 'documents', NULL, '$.authored', NULL),
	('DocumentReference', 1, 'documents', NULL, '$.date', NULL),
	('Composition', 1, 'documents', NULL, '$.date', NULL)) AS v (type, ordinal, section, test, day, fact);

-- What the entries of these types are read for, one step: a drug's name, a facility, a doctor.
CREATE TABLE ehr_internal.book_reference (
	type int2 PRIMARY KEY
);
COMMENT ON TABLE ehr_internal.book_reference IS 'types that are taken into the health book when an entry refers to them';
INSERT INTO ehr_internal.book_reference SELECT ehr_internal.type_number(t)
FROM unnest('{Organization,Location,Practitioner,PractitionerRole,Medication,Device}'::text[]) AS t;

-- The line that tells a resource to its reader: these fields, in order.
CREATE TABLE ehr_internal.book_field (
	type int2 NOT NULL,
	ordinal int NOT NULL,
	label text NOT NULL,
	path jsonpath[] NOT NULL,
	PRIMARY KEY (type, ordinal)
);
COMMENT ON TABLE ehr_internal.book_field IS 'fields that the health book shows of a resource, with Vietnamese labels';

INSERT INTO ehr_internal.book_field (type, ordinal, label, path)
SELECT ehr_internal.type_number(v.type), row_number() OVER (PARTITION BY v.type ORDER BY v.n), v.label, string_to_array(v.path, ', ')::jsonpath[] FROM (VALUES
	('Patient', 1, 'Họ và tên', '$.name[*] ? (!(exists (@.use)) || @.use == "official" || @.use == "usual")'),
	('Patient', 2, 'Ngày sinh', '$.birthDate'),
	('Patient', 3, 'Giới tính', '$.gender'),
	('Patient', 4, 'Giấy tờ', '$.identifier[*]'),
	('Patient', 5, 'Điện thoại', '$.telecom[*] ? (@.system == "phone" || @.system == "sms")'),
	('Patient', 6, 'Email', '$.telecom[*] ? (@.system == "email")'),
	('Patient', 7, 'Địa chỉ', '$.address[*]'),
	('Patient', 8, 'Dân tộc', '$.extension[*] ? (@.url == "urn:ehr:extension:ethnicity").valueCoding'),
	('Patient', 9, 'Nghề nghiệp', '$.extension[*] ? (@.url == "urn:ehr:extension:occupation").valueCoding'),
	('Patient', 10, 'Quốc tịch', '$.extension[*] ? (@.url == "http://hl7.org/fhir/StructureDefinition/patient-nationality").extension[*].valueCodeableConcept'),
	('Patient', 11, 'Người liên hệ', '$.contact[*].name'),
	('Patient', 12, 'Đã mất', '$.deceasedDateTime'),
	('Patient', 13, 'Đã mất', '$.deceasedBoolean ? (@ == true)'),
	('RelatedPerson', 1, 'Người đại diện', '$.name'),
	('RelatedPerson', 2, 'Quan hệ', '$.relationship'),
	('RelatedPerson', 3, 'Điện thoại', '$.telecom[*]'),
	('Coverage', 1, 'Thẻ BHYT', '$.identifier[*].value'),
	('Coverage', 2, 'Mã số BHXH', '$.subscriberId'),
	('Coverage', 3, 'Giá trị', '$.period'),
	('AllergyIntolerance', 1, '', '$.code'),
	('AllergyIntolerance', 2, 'Mức độ', '$.criticality'),
	('AllergyIntolerance', 3, 'Phản ứng', '$.reaction[*].manifestation[*]'),
	('AllergyIntolerance', 4, 'Tình trạng', '$.clinicalStatus'),
	('Condition', 1, '', '$.code'),
	('Condition', 2, 'Tình trạng', '$.clinicalStatus'),
	('Condition', 3, 'Mức độ chắc chắn', '$.verificationStatus ? (@.coding[*].code != "confirmed")'),
	('FamilyMemberHistory', 1, 'Người mắc', '$.relationship'),
	('FamilyMemberHistory', 2, 'Bệnh', '$.condition[*].code'),
	('MedicationRequest', 1, '', '$.medicationCodeableConcept, $.medicationReference'),
	('MedicationRequest', 2, 'Cách dùng', '$.dosageInstruction[*].text, $.dosageInstruction[*].patientInstruction'),
	('MedicationRequest', 3, 'Số lượng', '$.dispenseRequest.quantity'),
	('MedicationStatement', 1, '', '$.medicationCodeableConcept, $.medicationReference'),
	('MedicationStatement', 2, 'Cách dùng', '$.dosage[*].text'),
	('MedicationDispense', 1, '', '$.medicationCodeableConcept, $.medicationReference'),
	('MedicationDispense', 2, 'Cách dùng', '$.dosageInstruction[*].text'),
	('MedicationDispense', 3, 'Số lượng', '$.quantity'),
	('MedicationAdministration', 1, '', '$.medicationCodeableConcept, $.medicationReference'),
	('MedicationAdministration', 2, 'Liều', '$.dosage.text, $.dosage.dose'),
	('Immunization', 1, '', '$.vaccineCode'),
	('Immunization', 2, 'Mũi', '$.protocolApplied[*].doseNumberPositiveInt, $.protocolApplied[*].doseNumberString'),
	('Immunization', 3, 'Lô', '$.lotNumber'),
	('Immunization', 4, 'Nơi tiêm', '$.performer[*].actor, $.location'),
	('Immunization', 5, 'Phản ứng', '$.reaction[*].detail'),
	('Immunization', 6, 'Trạng thái', '$.status ? (@ != "completed")'),
	('Observation', 1, '', '$.code'),
	('Observation', 2, 'Kết quả', '$.valueQuantity, $.valueString, $.valueCodeableConcept, $.valueInteger, $.valueBoolean, $.valueDateTime, $.valueRange, $.valueRatio'),
	('Observation', 3, 'Thành phần', '$.component[*]'),
	('Observation', 4, 'Đánh giá', '$.interpretation'),
	('Observation', 5, 'Tham chiếu', '$.referenceRange[*].text'),
	('DiagnosticReport', 1, '', '$.code'),
	('DiagnosticReport', 2, 'Kết luận', '$.conclusion'),
	('Procedure', 1, '', '$.code'),
	('Procedure', 2, 'Kết quả', '$.outcome'),
	('Encounter', 1, 'Hình thức', '$.class, $.type[*].coding[*] ? (@.system == "urn:ehr:vn:ma-loai-kcb")'),
	('Encounter', 2, 'Thời gian', '$.period'),
	('Encounter', 3, 'Nơi khám', '$.serviceProvider'),
	('Encounter', 4, 'Lý do', '$.reasonCode'),
	('Encounter', 5, 'Ra viện', '$.hospitalization.dischargeDisposition'),
	('Encounter', 6, 'Kết quả', '$.extension[*] ? (@.url == "urn:ehr:extension:treatment-outcome").valueCoding'),
	('ClinicalImpression', 1, '', '$.description'),
	('ClinicalImpression', 2, 'Tóm tắt', '$.summary'),
	('CarePlan', 1, '', '$.title'),
	('CarePlan', 2, 'Nội dung', '$.description'),
	('ServiceRequest', 1, '', '$.code'),
	('ServiceRequest', 2, 'Ghi chú', '$.note[*].text'),
	('QuestionnaireResponse', 1, '', '$.questionnaire'),
	('DocumentReference', 1, '', '$.description'),
	('DocumentReference', 2, 'Loại', '$.type'),
	('Composition', 1, '', '$.title'),
	('Composition', 2, 'Loại', '$.type')) AS v (type, n, label, path);

-- Codes that a reader should not have to know.
CREATE TABLE ehr_internal.book_term (
	system text NOT NULL DEFAULT '',
	code text NOT NULL,
	term text NOT NULL,
	PRIMARY KEY (system, code)
);
COMMENT ON TABLE ehr_internal.book_term IS 'Vietnamese words for codes, for the readable parts of the health book: of FHIR (system empty), or of a system by its name in identifier_system';

INSERT INTO ehr_internal.book_term (code, term) VALUES
	('male', 'Nam'), ('female', 'Nữ'), ('other', 'Khác'), ('unknown', 'Chưa xác định'),
	('true', 'Có'), ('false', 'Không'),
	('high', 'Cao'), ('low', 'Thấp'), ('unable-to-assess', 'Chưa đánh giá được'),
	('active', 'Đang hoạt động'), ('inactive', 'Không hoạt động'), ('resolved', 'Đã khỏi'), ('recurrence', 'Tái phát'), ('remission', 'Thuyên giảm'),
	('confirmed', 'Đã xác định'), ('provisional', 'Sơ bộ'), ('refuted', 'Đã loại trừ'), ('entered-in-error', 'Ghi nhầm'),
	('not-done', 'Không thực hiện'), ('completed', 'Đã hoàn thành'),
	('AMB', 'Ngoại trú'), ('IMP', 'Nội trú'), ('EMER', 'Cấp cứu'), ('SS', 'Lưu dưới 24 giờ'), ('HH', 'Tại nhà'), ('VR', 'Từ xa'), ('FLD', 'Tại cộng đồng'),
	('home', 'Về nhà'), ('other-hcf', 'Chuyển cơ sở khác'), ('aadvice', 'Xin về'), ('exp', 'Tử vong');
-- those of Vietnamese lists: sql/data/share.book_term.tsv

-- Identifiers by the names that ehr_internal.identifier_system gives their systems.
CREATE TABLE ehr_internal.book_identifier (
	name text PRIMARY KEY,
	term text NOT NULL
);
COMMENT ON TABLE ehr_internal.book_identifier IS 'Vietnamese words for identifier systems, for the readable parts of the health book';

INSERT INTO ehr_internal.book_identifier (name, term) VALUES
	('cccd', 'Số định danh cá nhân'), ('cmnd', 'CMND'), ('passport', 'Hộ chiếu'), ('other-document', 'Giấy tờ khác'),
	('patient', 'Mã người bệnh'), ('insurance-card', 'Thẻ BHYT'), ('insurance-number', 'Mã số BHXH');

-- ---- reading a value aloud ----

CREATE FUNCTION ehr_internal.book_date(value text) RETURNS text
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	RETURN CASE
		WHEN value ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d' THEN format('%s/%s/%s %s', substr(value, 9, 2), substr(value, 6, 2), left(value, 4), substr(value, 12, 5))
		WHEN value ~ '^\d{4}-\d\d-\d\d$' THEN format('%s/%s/%s', substr(value, 9, 2), substr(value, 6, 2), left(value, 4))
		WHEN value ~ '^\d{4}-\d\d$' THEN format('%s/%s', substr(value, 6, 2), left(value, 4))
		ELSE value END;
COMMENT ON FUNCTION ehr_internal.book_date(text) IS 'a FHIR date as Vietnamese write it; anything else as it is';

-- A FHIR value is known by its shape: every data type that the fields above can meet.
CREATE FUNCTION ehr_internal.book_value(item jsonb) RETURNS text
	LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	codes text;
	plain text;
BEGIN
	CASE jsonb_typeof(item)
	WHEN 'string', 'boolean' THEN
		plain := item #>> '{}';
		RETURN coalesce((SELECT t.term FROM ehr_internal.book_term t WHERE t.system = '' AND t.code = plain), ehr_internal.book_date(plain));
	WHEN 'number' THEN
		-- 30.000 would be read as thirty thousand
		RETURN trim_scale(round((item #>> '{}')::numeric, 3))::text;
	WHEN 'array' THEN
		RETURN (SELECT string_agg(ehr_internal.book_value(v), ', ' ORDER BY n) FROM jsonb_array_elements(item) WITH ORDINALITY AS a (v, n));
	WHEN 'object' THEN
		RETURN CASE
			WHEN jsonb_typeof(item -> 'coding') = 'array' THEN concat_ws(' ', item ->> 'text', (
				SELECT CASE WHEN item ? 'text' THEN '(' || string_agg(c ->> 'code', ', ') || ')'
					ELSE string_agg(coalesce(ehr_internal.book_value(c), ''), ', ') END
				FROM jsonb_array_elements(item -> 'coding') AS c WHERE c ? 'code'))
			WHEN item ? 'text' AND jsonb_typeof(item -> 'text') = 'string' THEN item ->> 'text'
			WHEN item ? 'family' OR item ? 'given' THEN concat_ws(' ', ehr_internal.book_value(item -> 'prefix'), item ->> 'family',
				(SELECT string_agg(g, ' ') FROM jsonb_array_elements_text(item -> 'given') AS g))
			WHEN item ? 'line' OR item ? 'city' THEN concat_ws(', ', ehr_internal.book_value(item -> 'line'), item ->> 'district', item ->> 'city', item ->> 'state')
			WHEN item ? 'start' OR item ? 'end' THEN concat_ws(' – ', coalesce(ehr_internal.book_date(item ->> 'start'), '…'), ehr_internal.book_date(item ->> 'end'))
			WHEN item ? 'low' OR item ? 'high' THEN concat_ws(' – ', ehr_internal.book_value(item -> 'low'), ehr_internal.book_value(item -> 'high'))
			WHEN item ? 'numerator' THEN concat_ws(' / ', ehr_internal.book_value(item -> 'numerator'), ehr_internal.book_value(item -> 'denominator'))
			WHEN item ? 'display' THEN concat_ws(' ', item ->> 'display', '(' || (item ->> 'code') || ')')
			-- a reference that the book has put a name for
			WHEN item ? 'reference' AND item ->> 'reference' !~ '^([A-Z][A-Za-z]+/|[a-z]+:|#)' THEN item ->> 'reference'
			WHEN item ? 'identifier' THEN ehr_internal.book_value(item -> 'identifier')
			WHEN item ? 'system' AND jsonb_typeof(item -> 'value') = 'string' THEN concat_ws(' ', (
				SELECT min(b.term) FROM ehr_internal.identifier_system s JOIN ehr_internal.book_identifier b USING (name) WHERE s.uri = item ->> 'system'), item ->> 'value')
			WHEN item ? 'value' THEN concat_ws(' ', item ->> 'comparator', ehr_internal.book_value(item -> 'value'), coalesce(item ->> 'unit', item ->> 'code'))
			WHEN item ? 'code' AND jsonb_typeof(item -> 'code') = 'string' THEN coalesce(
				(SELECT min(t.term) FROM ehr_internal.identifier_system s JOIN ehr_internal.book_term t ON t.system = s.name
					WHERE s.uri = item ->> 'system' AND t.code = item ->> 'code'),
				(SELECT t.term FROM ehr_internal.book_term t WHERE t.system = '' AND t.code = item ->> 'code'), item ->> 'code')
			WHEN item ? 'code' THEN concat_ws(' ', ehr_internal.book_value(item -> 'code'), (
				SELECT string_agg(ehr_internal.book_value(v), ' ') FROM jsonb_each(item) AS e (k, v) WHERE k LIKE 'value%'))
			END;
	ELSE
		RETURN NULL;
	END CASE;
END
$$;
COMMENT ON FUNCTION ehr_internal.book_value(jsonb) IS 'a FHIR value in words';

CREATE FUNCTION ehr_internal.book_line(resource jsonb) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT string_agg(CASE WHEN f.label = '' THEN said ELSE f.label || ': ' || said END, ' · ' ORDER BY f.ordinal)
	FROM ehr_internal.book_field f, LATERAL (
		SELECT string_agg(DISTINCT ehr_internal.book_value(v), '; ') AS said
		FROM unnest(f.path) AS p, jsonb_path_query(resource, p) AS v) AS s
	WHERE f.type = ehr_internal.type_number(resource ->> 'resourceType') AND said <> ''
$$;
COMMENT ON FUNCTION ehr_internal.book_line(jsonb) IS 'a resource in one line of Vietnamese';

-- ---- the document ----

CREATE FUNCTION ehr_internal.name_uuid(name text) RETURNS text
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
	-- version 8 (RFC 9562: by a hash of one's own choice)
	SELECT format('urn:uuid:%s-%s-8%s-%s%s-%s', left(h, 8), substr(h, 9, 4), substr(h, 14, 3),
		substr('89ab', 1 + get_byte(sha256(convert_to(name, 'UTF8')), 8) % 4, 1), substr(h, 18, 3), substr(h, 21, 12))
	FROM encode(sha256(convert_to(name, 'UTF8')), 'hex') AS h
$$;
COMMENT ON FUNCTION ehr_internal.name_uuid(text) IS 'the same URN for the same name, always';

CREATE FUNCTION ehr_internal.xml_text(plain text) RETURNS text
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	RETURN replace(replace(replace(replace(regexp_replace(plain, '[\x01-\x08\x0b\x0c\x0e-\x1f]', ' ', 'g'),
		'&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;');
COMMENT ON FUNCTION ehr_internal.xml_text(text) IS 'plain text as the content of an XML element';

CREATE FUNCTION ehr_internal.narrative(lines text[]) RETURNS jsonb
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	RETURN jsonb_build_object('status', 'generated', 'div', '<div xmlns="http://www.w3.org/1999/xhtml">'
		|| coalesce((SELECT '<ul>' || string_agg('<li>' || ehr_internal.xml_text(l) || '</li>', '' ORDER BY n) || '</ul>'
			FROM unnest(lines) WITH ORDINALITY AS u (l, n)), '<p>Chưa có thông tin.</p>') || '</div>');
COMMENT ON FUNCTION ehr_internal.narrative(text[]) IS 'FHIR narrative of a list of lines';

-- What the book says of one fact: its reports (n of them) as one resource, under the URN that the book gives it.
CREATE TYPE ehr_internal.book_entry AS (section text, day text, url text, names text[], authors text[], doc jsonb);
COMMENT ON TYPE ehr_internal.book_entry IS 'a fact in the health book: where it stands, the resources that report it, who wrote them';

-- reports: an array of {"author", "doc"}. known: a name in the store ("Patient/x") to its URN in the book.
CREATE FUNCTION ehr_internal.book_entries(person uuid, reports jsonb, known jsonb) RETURNS SETOF ehr_internal.book_entry
	LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
	WITH report AS (
		SELECT part.section, d.day, r ->> 'author' AS author, ehr_internal.rename_references(r -> 'doc', known) AS doc,
			(r #>> '{doc,resourceType}') || '/' || (r #>> '{doc,id}') AS name,
			(SELECT CASE WHEN bool_and(v IS NOT NULL) THEN jsonb_agg(CASE WHEN v #>> '{}' ~ '^\d{4}-\d\d-\d\dT' THEN to_jsonb(left(v #>> '{}', 10)) ELSE v END ORDER BY n) END
				FROM unnest(part.fact) WITH ORDINALITY AS u (f, n), LATERAL (SELECT jsonb_path_query_first(r -> 'doc', f) AS v) AS q) AS fact
		FROM jsonb_array_elements(reports) AS r,
			LATERAL (SELECT p.* FROM ehr_internal.book_part p
				WHERE p.type = ehr_internal.type_number(r #>> '{doc,resourceType}')
					AND (p.test IS NULL OR jsonb_path_query_first(r -> 'doc', p.test) IS NOT NULL)
				ORDER BY p.ordinal LIMIT 1) AS part,
			LATERAL (SELECT (SELECT v #>> '{}' FROM unnest(part.day) WITH ORDINALITY AS u (p, n), jsonb_path_query(r -> 'doc', p) AS v ORDER BY n LIMIT 1) AS day) AS d
	)
	SELECT section, min(day) AS day, ehr_internal.name_uuid(person || ' ' || min(name COLLATE "C")),
		array_agg(name ORDER BY name COLLATE "C"), array_agg(DISTINCT author ORDER BY author),
		CASE WHEN count(*) = 1 THEN (array_agg(doc))[1] ELSE ehr.merge(doc::ehr.fhir)::jsonb END
	FROM report
	GROUP BY section, coalesce(split_part(name, '/', 1) || fact::text, name)
$$;
COMMENT ON FUNCTION ehr_internal.book_entries(uuid, jsonb, jsonb) IS 'the facts that reports tell, each once';

-- The book out of its parts. patient: the golden record. reports: an array of {"author", "doc"}; referred: an array of
-- resources that the reports name. subjects: names ("Patient/x") of the person's patients.
CREATE FUNCTION ehr_internal.book_bundle(person uuid, patient jsonb, reports jsonb, referred jsonb, subjects text[], at timestamptz) RETURNS jsonb
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	SET timezone = 'Asia/Ho_Chi_Minh'
AS $$
DECLARE
	patient_url text := ehr_internal.name_uuid(person || ' Patient');
	device_url text := ehr_internal.name_uuid(person || ' Device');
	stamp text := to_char(at, 'YYYY-MM-DD"T"HH24:MI:SS.MSTZH:TZM');
	urls jsonb;
	labels jsonb;
	book ehr_internal.book_entry[];
	sections jsonb;
	documents jsonb;
	content jsonb;
BEGIN
	patient := jsonb_set(patient - 'link', '{id}', to_jsonb(person::text));
	urls := coalesce((SELECT jsonb_object_agg(s, patient_url) FROM unnest(subjects) AS s), '{}')
		|| coalesce((SELECT jsonb_object_agg(n, ehr_internal.name_uuid(person || ' ' || n))
			FROM (SELECT (d ->> 'resourceType') || '/' || (d ->> 'id') AS n FROM jsonb_array_elements(referred) AS d) AS q), '{}');
	book := ARRAY(SELECT e FROM ehr_internal.book_entries(person, reports, urls) AS e
		ORDER BY (SELECT s.ordinal FROM ehr_internal.book_section s WHERE s.name = e.section), e.day DESC NULLS LAST, e.url);
	urls := urls || coalesce((SELECT jsonb_object_agg(n, e.url) FROM unnest(book) AS e, unnest(e.names) AS n), '{}');

	-- names in place of references, for the lines
	SELECT coalesce(jsonb_object_agg(ehr_internal.name_uuid(person || ' ' || (d ->> 'resourceType') || '/' || (d ->> 'id')), label), '{}') INTO labels
	FROM jsonb_array_elements(referred) AS d, ehr_internal.book_value(coalesce(d -> 'name', d -> 'code')) AS label
	WHERE label <> '';

	SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object('title', s.title,
			'code', jsonb_build_object('coding', jsonb_build_array(
				CASE WHEN s.loinc IS NULL THEN jsonb_build_object('system', 'urn:ehr:book-section', 'code', s.name)
					ELSE jsonb_build_object('system', 'http://loinc.org', 'code', s.loinc) END)),
			'text', ehr_internal.narrative(l.lines),
			'entry', l.entries,
			'emptyReason', CASE WHEN l.entries IS NULL THEN jsonb_build_object('coding', jsonb_build_array(jsonb_build_object(
				'system', 'http://terminology.hl7.org/CodeSystem/list-empty-reason', 'code', 'unavailable'))) END)) ORDER BY s.ordinal) INTO sections
	FROM ehr_internal.book_section s, LATERAL (
		SELECT array_agg(line ORDER BY n) AS lines, jsonb_agg(jsonb_build_object('reference', url) ORDER BY n) AS entries
		FROM (SELECT 0 AS n, patient_url AS url, ehr_internal.book_line(patient) AS line WHERE s.name = 'demographics'
			UNION ALL
			SELECT n, e.url, concat_ws(' · ', ehr_internal.book_date(left(e.day, 10)), ehr_internal.book_line(ehr_internal.rename_references(e.doc, labels)), 'Nguồn: ' || array_to_string(e.authors, ', '))
			FROM unnest(book) WITH ORDINALITY AS e (section, day, url, names, authors, doc, n) WHERE e.section = s.name) AS q) AS l;

	SELECT jsonb_agg(jsonb_build_object('fullUrl', e.url, 'resource', ehr_internal.rename_references(
			jsonb_set(e.doc, '{extension}', coalesce(e.doc -> 'extension', '[]') || (SELECT jsonb_agg(jsonb_build_object(
				'url', 'urn:ehr:reported-by', 'valueString', a)) FROM unnest(e.authors) AS a)), urls)) ORDER BY n) INTO documents
	FROM unnest(book) WITH ORDINALITY AS e (section, day, url, names, authors, doc, n);

	content := jsonb_build_array(
			jsonb_build_object('fullUrl', patient_url, 'resource', ehr_internal.rename_references(patient, urls)),
			jsonb_build_object('fullUrl', device_url, 'resource', jsonb_build_object('resourceType', 'Device', 'id', 'ehr',
				'deviceName', jsonb_build_array(jsonb_build_object('name', 'ehr', 'type', 'model-name')),
				'version', jsonb_build_array(jsonb_build_object('value', ehr.version())))))
		|| coalesce(documents, '[]')
		|| coalesce((SELECT jsonb_agg(jsonb_build_object('fullUrl', ehr_internal.name_uuid(person || ' ' || n), 'resource', ehr_internal.rename_references(d, urls)) ORDER BY n COLLATE "C")
			FROM (SELECT d, (d ->> 'resourceType') || '/' || (d ->> 'id') AS n FROM jsonb_array_elements(referred) AS d) AS q), '[]');

	RETURN jsonb_build_object('resourceType', 'Bundle', 'type', 'document', 'timestamp', stamp,
		-- the same content has the same name
		'identifier', jsonb_build_object('system', 'urn:ietf:rfc:3986', 'value', ehr_internal.name_uuid(sections::text || content::text)),
		'entry', jsonb_build_array(jsonb_build_object('fullUrl', ehr_internal.name_uuid(person || ' Composition'), 'resource',
			jsonb_build_object('resourceType', 'Composition', 'id', 'health-book', 'language', 'vi', 'status', 'final',
				'type', jsonb_build_object('coding', jsonb_build_array(jsonb_build_object('system', 'http://loinc.org', 'code', '11503-0')), 'text', 'Sổ sức khỏe điện tử'),
				'title', 'Sổ sức khỏe điện tử', 'subject', jsonb_build_object('reference', patient_url), 'date', stamp,
				'author', jsonb_build_array(jsonb_build_object('reference', device_url)),
				'text', ehr_internal.narrative(ARRAY[ehr_internal.book_line(patient)]),
				'section', sections))) || content);
END
$$;
COMMENT ON FUNCTION ehr_internal.book_bundle(uuid, jsonb, jsonb, jsonb, text[], timestamptz) IS 'a health book as a FHIR document, out of the resources that go into it';

-- ---- what applications call ----

-- Which patients are one person: for the functions below, which then read under row security. Nobody else may call it.
CREATE FUNCTION ehr.subject_names(person ehr.person) RETURNS TABLE (subject bigint, name text)
	LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE ROWS 3
	AS 'MODULE_PATHNAME', 'ehr_as_system';
COMMENT ON FUNCTION ehr.subject_names(ehr.person) IS 'keys and names of the source patients of a person (internal use of room share)';
REVOKE EXECUTE ON FUNCTION ehr.subject_names(ehr.person) FROM PUBLIC;

CREATE FUNCTION ehr_internal.subject_names(person ehr.person) RETURNS TABLE (subject bigint, name text)
	LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE ROWS 3
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY SELECT k.key, 'Patient/' || k.id FROM ehr_store.resource_key k
		WHERE k.key = ANY (ehr_internal.subjects_of_person(subject_names.person::uuid));
END
$$;
COMMENT ON FUNCTION ehr_internal.subject_names(ehr.person) IS 'implementation of ehr.subject_names';

CREATE FUNCTION ehr.golden(person ehr.person) RETURNS ehr.fhir
	LANGUAGE c STABLE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'ehr_as_owner';
COMMENT ON FUNCTION ehr.golden(ehr.person) IS 'one Patient out of what the sources that the caller may see say of a person, with the origin of each element; null when there is none';
REVOKE EXECUTE ON FUNCTION ehr.golden(ehr.person) FROM PUBLIC;

CREATE FUNCTION ehr_internal.golden(person ehr.person) RETURNS ehr.fhir
	LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	merged jsonb;
	sources jsonb;
BEGIN
	SELECT ehr.merge(ehr.fhir_normalize(ehr_internal.with_version(r.doc::jsonb, r.version, r.recorded)::ehr.fhir, s.source, coalesce(k.rank, 0))),
		jsonb_agg(jsonb_build_object('type', 'seealso', 'other', jsonb_build_object('reference', 'Patient/' || r.id)) ORDER BY r.id COLLATE "C")
	INTO merged, sources
	FROM ehr.subject_names(golden.person) AS p JOIN ehr_store.resource r ON r.key = p.subject,
		LATERAL (SELECT coalesce(r.doc::jsonb #>> '{meta,source}', 'urn:ehr:author:' || replace(r.author, ' ', '')) AS source) AS s
		LEFT JOIN ehr_store.source_rank k ON k.source = s.source
	WHERE NOT r.deleted;
	RETURN CASE WHEN merged IS NOT NULL THEN (merged || jsonb_build_object('id', golden.person::text, 'link', sources))::ehr.fhir END;
END
$$;
COMMENT ON FUNCTION ehr_internal.golden(ehr.person) IS 'implementation of ehr.golden';

CREATE FUNCTION ehr.phr(person ehr.person) RETURNS ehr.fhir
	LANGUAGE c STABLE STRICT PARALLEL UNSAFE COST 10000
	AS 'MODULE_PATHNAME', 'ehr_as_owner';
COMMENT ON FUNCTION ehr.phr(ehr.person) IS 'the health book of a person as a FHIR document: what the caller may see of it; null when that is nothing';
REVOKE EXECUTE ON FUNCTION ehr.phr(ehr.person) FROM PUBLIC;

CREATE FUNCTION ehr_internal.phr(person ehr.person) RETURNS ehr.fhir
	LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE COST 10000
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	patient jsonb := ehr_internal.golden(person);
	reports jsonb;
	referred jsonb;
BEGIN
	IF patient IS NULL THEN
		RETURN NULL;
	END IF;
	SELECT coalesce(jsonb_agg(jsonb_build_object('author', r.author, 'doc', ehr_internal.with_version(r.doc::jsonb, r.version, r.recorded))), '[]') INTO reports
	FROM ehr_store.resource r
	WHERE r.subject = ANY (ARRAY(SELECT p.subject FROM ehr.subject_names(phr.person) AS p))
		AND r.type = ANY (ARRAY(SELECT p.type FROM ehr_internal.book_part p)) AND NOT r.deleted;

	SELECT coalesce(jsonb_agg(ehr_internal.with_version(r.doc::jsonb, r.version, r.recorded)), '[]') INTO referred
	FROM (SELECT DISTINCT string_to_array(v #>> '{}', '/') AS name
		FROM jsonb_path_query(reports || jsonb_build_array(jsonb_build_object('doc', patient)), '$.**.reference') AS v
		WHERE v #>> '{}' ~ '^[A-Z][A-Za-z]*/[A-Za-z0-9.-]{1,64}$') AS named
		JOIN ehr_internal.book_reference b ON b.type = ehr_internal.type_number(named.name[1])
		JOIN ehr_store.resource r ON r.type = b.type AND r.id = named.name[2]
	WHERE NOT r.deleted;

	RETURN ehr_internal.book_bundle(person, patient, reports, referred, ARRAY(SELECT p.name FROM ehr.subject_names(phr.person) AS p), now());
END
$$;
COMMENT ON FUNCTION ehr_internal.phr(ehr.person) IS 'implementation of ehr.phr';

-- The lines of a book are those of its sections' narratives.
CREATE FUNCTION ehr_internal.book_text(bundle jsonb) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT concat_ws(E'\n\n', upper(c ->> 'title') || E'\nLập ngày ' || ehr_internal.book_date(c ->> 'date'),
		(SELECT string_agg(n || '. ' || (s ->> 'title') || coalesce(l.lines, E'\n   Chưa có thông tin.'), E'\n\n' ORDER BY n)
			FROM jsonb_array_elements(c -> 'section') WITH ORDINALITY AS a (s, n), LATERAL (
				SELECT string_agg(E'\n   - ' || replace(replace(replace(replace(m[1], '&quot;', '"'), '&gt;', '>'), '&lt;', '<'), '&amp;', '&'), '' ORDER BY o) AS lines
				FROM regexp_matches(s #>> '{text,div}', '<li>([^<]*)</li>', 'g') WITH ORDINALITY AS x (m, o)) AS l))
	FROM (SELECT bundle #> '{entry,0,resource}') AS q (c)
$$;
COMMENT ON FUNCTION ehr_internal.book_text(jsonb) IS 'a health book as plain text';

CREATE FUNCTION ehr.phr_text(person ehr.person) RETURNS text
	LANGUAGE c STABLE STRICT PARALLEL UNSAFE COST 10000
	AS 'MODULE_PATHNAME', 'ehr_as_owner';
COMMENT ON FUNCTION ehr.phr_text(ehr.person) IS 'the health book of a person as Vietnamese text: what the caller may see of it';
REVOKE EXECUTE ON FUNCTION ehr.phr_text(ehr.person) FROM PUBLIC;

CREATE FUNCTION ehr_internal.phr_text(person ehr.person) RETURNS text
	LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE COST 10000
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN ehr_internal.book_text(ehr_internal.phr(person));
END
$$;
COMMENT ON FUNCTION ehr_internal.phr_text(ehr.person) IS 'implementation of ehr.phr_text';

CREATE FUNCTION ehr_internal.create_share() RETURNS void
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CREATE TABLE IF NOT EXISTS ehr_store.source_rank (
		source text PRIMARY KEY,
		rank int NOT NULL CHECK (rank >= 0)
	);
	COMMENT ON TABLE ehr_store.source_rank IS 'how far a source is trusted when two state something at the same time: meta.source, or urn:ehr:author:FACILITY; 0 where absent';
	IF NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = 'ehr_store.source_rank'::regclass) THEN
		CREATE POLICY anybody ON ehr_store.source_rank FOR SELECT USING (true);
	END IF;
	GRANT EXECUTE ON FUNCTION ehr.golden(ehr.person), ehr.phr(ehr.person), ehr.phr_text(ehr.person) TO ehr_app, ehr_query;
END
$$;
COMMENT ON FUNCTION ehr_internal.create_share() IS 'what room share keeps';
