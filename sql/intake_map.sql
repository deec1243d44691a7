-- Room intake, continued: what the elements of claims XML (QD 130/4750/3176) are in FHIR R4. All of it is data: see
-- ehr_internal.fill for the language of the templates and doc/intake.md for the table of what goes where.

INSERT INTO ehr_internal.claims_form (kind, root, record) VALUES
	('XML0', 'CHI_TIEU_TRANG_THAI_KCB', 'TRANG_THAI_KCB'),
	('XML1', 'TONG_HOP', 'TONG_HOP'),
	('XML2', 'CHITIEU_CHITIET_THUOC', 'CHI_TIET_THUOC'),
	('XML3', 'CHITIEU_CHITIET_DVKT_VTYT', 'CHI_TIET_DVKT'),
	('XML4', 'CHITIEU_CHITIET_DICHVUCANLAMSANG', 'CHI_TIET_CLS'),
	('XML5', 'CHITIEU_CHITIET_DIENBIENLAMSANG', 'CHI_TIET_DIEN_BIEN_BENH'),
	('XML6', 'CHI_TIEU_HO_SO_BENH_AN_CHAM_SOC_VA_DIEU_TRI_HIV_AIDS', 'HO_SO_BENH_AN_CHAM_SOC_VA_DIEU_TRI_HIV_AIDS'),
	('XML7', 'CHI_TIEU_DU_LIEU_GIAY_RA_VIEN', 'CHI_TIEU_DU_LIEU_GIAY_RA_VIEN'),
	('XML8', 'CHI_TIEU_DU_LIEU_TOM_TAT_HO_SO_BENH_AN', 'CHI_TIEU_DU_LIEU_TOM_TAT_HO_SO_BENH_AN'),
	('XML9', 'CHI_TIEU_DU_LIEU_GIAY_CHUNG_SINH', 'DU_LIEU_GIAY_CHUNG_SINH'),
	('XML10', 'CHI_TIEU_DU_LIEU_GIAY_NGHI_DUONG_THAI', 'CHI_TIEU_DU_LIEU_GIAY_NGHI_DUONG_THAI'),
	('XML11', 'CHI_TIEU_DU_LIEU_GIAY_CHUNG_NHAN_NGHI_VIEC_HUONG_BAO_HIEM_XA_HOI', 'CHI_TIEU_DU_LIEU_GIAY_CHUNG_NHAN_NGHI_VIEC_HUONG_BAO_HIEM_XA_HOI'),
	('XML13', 'CHI_TIEU_GIAYCHUYENTUYEN', 'CHI_TIEU_GIAYCHUYENTUYEN'),
	('XML14', 'CHI_TIEU_GIAYHEN_KHAMLAI', 'CHI_TIEU_GIAYHEN_KHAMLAI'),
	('XML15', 'CHI_TIEU_DIEUTRI_BENHLAO', 'CHITIET_DIEUTRI_BENHLAO');

-- There is no official national list of system URIs: those that public Vietnamese profiles use where there is one,
-- else a URN of our own. A DBA sets others with a row of a later valid_from.
INSERT INTO ehr_internal.identifier_system (name, uri, version, valid_from, valid_to, shipped) VALUES
	('cccd', 'https://moh.gov.vn/cccd', NULL, '-infinity', 'infinity', true),
	('cmnd', 'urn:ehr:vn:cmnd', NULL, '-infinity', 'infinity', true),
	('passport', 'http://moh.gov.vn/fhir/core/sid/passport_number', NULL, '-infinity', 'infinity', true),
	('other-document', 'urn:ehr:vn:identity-document', NULL, '-infinity', 'infinity', true),
	('patient', 'https://moh.gov.vn/pid', NULL, '-infinity', 'infinity', true),
	('insurance-card', 'urn:ehr:vn:bhyt-card', NULL, '-infinity', 'infinity', true),
	('insurance-number', 'urn:ehr:vn:bhxh-number', NULL, '-infinity', 'infinity', true),
	('insurer', 'urn:ehr:vn:insurer', NULL, '-infinity', 'infinity', true),
	('facility', 'https://moh.gov.vn/cskcb', NULL, '-infinity', 'infinity', true),
	('practitioner', 'http://moh.gov.vn/fhir/core/sid/healthworker-license-number', NULL, '-infinity', 'infinity', true),
	('dossier', 'urn:ehr:vn:ma-lk', NULL, '-infinity', 'infinity', true),
	('dossier-row', 'urn:ehr:vn:ma-lk-row', NULL, '-infinity', 'infinity', true),
	('record-number', 'urn:ehr:vn:ma-hsba', NULL, '-infinity', 'infinity', true),
	('transfer-paper', 'urn:ehr:vn:transfer-paper', NULL, '-infinity', 'infinity', true),
	('icd-10', 'http://hl7.org/fhir/sid/icd-10', 'QD 4469/2020', '-infinity', '2026-07-01', true),
	('icd-10', 'http://hl7.org/fhir/sid/icd-10', 'TT 06/2026', '2026-07-01', 'infinity', true),
	('icd-9-cm', 'http://hl7.org/fhir/sid/icd-9-cm', NULL, '-infinity', 'infinity', true),
	('traditional-diagnosis', 'https://moh.gov.vn/yhct', NULL, '-infinity', 'infinity', true),
	('drug', 'urn:ehr:vn:ma-thuoc', NULL, '-infinity', 'infinity', true),
	('drug-registration', 'urn:ehr:vn:so-dang-ky', NULL, '-infinity', 'infinity', true),
	('route', 'urn:ehr:vn:duong-dung', NULL, '-infinity', 'infinity', true),
	('service', 'urn:ehr:vn:ma-dich-vu', NULL, '-infinity', 'infinity', true),
	('supply', 'urn:ehr:vn:ma-vat-tu', NULL, '-infinity', 'infinity', true),
	('cost-group', 'urn:ehr:vn:ma-nhom', NULL, '-infinity', 'infinity', true),
	('machine', 'urn:ehr:vn:ma-may', NULL, '-infinity', 'infinity', true),
	('body-site', 'urn:ehr:vn:vi-tri-th-dvkt', NULL, '-infinity', 'infinity', true),
	('lab-index', 'urn:ehr:vn:ma-chi-so', NULL, '-infinity', 'infinity', true),
	('department', 'urn:ehr:vn:ma-khoa', NULL, '-infinity', 'infinity', true),
	('encounter-kind', 'urn:ehr:vn:ma-loai-kcb', NULL, '-infinity', 'infinity', true),
	('visit-object', 'urn:ehr:vn:ma-doituong-kcb', NULL, '-infinity', 'infinity', true),
	('discharge', 'urn:ehr:vn:ma-loai-rv', NULL, '-infinity', 'infinity', true),
	('outcome', 'urn:ehr:vn:ket-qua-dtri', NULL, '-infinity', 'infinity', true),
	('accident', 'urn:ehr:vn:ma-tai-nan', NULL, '-infinity', 'infinity', true),
	('province', 'urn:ehr:vn:province', NULL, '-infinity', 'infinity', true),
	('district', 'urn:ehr:vn:district', NULL, '-infinity', '2025-07-01', true),
	('ward', 'urn:ehr:vn:ward', NULL, '-infinity', 'infinity', true),
	('region', 'urn:ehr:vn:ma-khuvuc', NULL, '-infinity', 'infinity', true),
	('ethnicity', 'urn:ehr:vn:ma-dantoc', NULL, '-infinity', 'infinity', true),
	('occupation', 'urn:ehr:vn:ma-nghe-nghiep', NULL, '-infinity', 'infinity', true),
	('nationality', 'urn:ehr:vn:ma-quoctich', NULL, '-infinity', 'infinity', true),
	('ext-administrative-unit', 'urn:ehr:extension:administrative-unit', NULL, '-infinity', 'infinity', true),
	('ext-ethnicity', 'urn:ehr:extension:ethnicity', NULL, '-infinity', 'infinity', true),
	('ext-occupation', 'urn:ehr:extension:occupation', NULL, '-infinity', 'infinity', true),
	('ext-outcome', 'urn:ehr:extension:treatment-outcome', NULL, '-infinity', 'infinity', true),
	('ext-accident', 'urn:ehr:extension:accident', NULL, '-infinity', 'infinity', true),
	('ext-region', 'urn:ehr:extension:region', NULL, '-infinity', 'infinity', true),
	('ext-first-facility', 'urn:ehr:extension:registered-facility', NULL, '-infinity', 'infinity', true);

INSERT INTO ehr_internal.claims_code (list, code, target, shipped)
SELECT list, code, target, true FROM (VALUES
	('GIOI_TINH', '1', '"male"'::jsonb), ('GIOI_TINH', '2', '"female"'), ('GIOI_TINH', '3', '"unknown"'),
	('MA_LOAI_RV', '1', '"home"'), ('MA_LOAI_RV', '2', '"other-hcf"'), ('MA_LOAI_RV', '3', '"aadvice"'),
	('MA_LOAI_RV', '4', '"aadvice"'), ('MA_LOAI_RV', '5', '"other-hcf"'),
	('KET_QUA_DTRI', '1', NULL), ('KET_QUA_DTRI', '2', NULL), ('KET_QUA_DTRI', '3', NULL), ('KET_QUA_DTRI', '4', NULL),
	('KET_QUA_DTRI', '5', NULL), ('KET_QUA_DTRI', '6', NULL), ('KET_QUA_DTRI', '7', NULL), ('KET_QUA_DTRI', '8', NULL),
	('MA_LOAI_KCB', '01', '"AMB"'), ('MA_LOAI_KCB', '02', '"AMB"'), ('MA_LOAI_KCB', '03', '"IMP"'),
	('MA_LOAI_KCB', '04', '"SS"'), ('MA_LOAI_KCB', '05', '"AMB"'), ('MA_LOAI_KCB', '06', '"IMP"'),
	('MA_LOAI_KCB', '07', '"AMB"'), ('MA_LOAI_KCB', '08', '"AMB"'), ('MA_LOAI_KCB', '09', '"IMP"'),
	('MA_LOAI_KCB', '10', '"AMB"'),
	-- cost groups: the part of the list that templates ask for
	('MA_NHOM', '1', '"laboratory"'), ('MA_NHOM', '2', '"imaging"'), ('MA_NHOM', '3', '"function-test"'),
	('MA_NHOM', '4', '"drug"'), ('MA_NHOM', '5', '"drug"'), ('MA_NHOM', '6', '"drug"'), ('MA_NHOM', '7', '"blood"'),
	('MA_NHOM', '8', '"surgery"'), ('MA_NHOM', '9', '"service"'), ('MA_NHOM', '10', '"supply"'),
	('MA_NHOM', '11', '"supply"'), ('MA_NHOM', '12', '"transport"'), ('MA_NHOM', '13', '"examination"'),
	('MA_NHOM', '14', '"bed"'), ('MA_NHOM', '15', '"bed"'), ('MA_NHOM', '16', '"bed"'), ('MA_NHOM', '17', '"blood"'),
	('MA_NHOM', '18', '"procedure"'), ('MA_NHOM', '19', '"other"')) v(list, code, target);

-- QD 1804/2026 added these forms of care on 1 August 2026
INSERT INTO ehr_internal.claims_code (list, code, target, valid_from, shipped) VALUES
	('MA_LOAI_KCB', '11', '"FLD"', '2026-08-01', true), ('MA_LOAI_KCB', '12', '"HH"', '2026-08-01', true),
	('MA_LOAI_KCB', '13', '"AMB"', '2026-08-01', true), ('MA_LOAI_KCB', '14', '"VR"', '2026-08-01', true),
	('MA_LOAI_KCB', '15', '"AMB"', '2026-08-01', true), ('MA_LOAI_KCB', '16', '"AMB"', '2026-08-01', true);

-- XML1: the patient, the encounter, its diagnoses, the insurance cards, the weight
INSERT INTO ehr_internal.claims_template (name, ordinal, kind, type, key, shared, defaults, shipped, template) VALUES
('patient', 1, 'XML1', 'Patient', '${MA_BN}', true, '{}', true, $json${
	"resourceType": "Patient", "id": "$@id",
	"extension": [
		{"url": "$@ext-ethnicity", "valueCoding": {"system": "$@ethnicity", "code": "$MA_DANTOC"}},
		{"url": "$@ext-occupation", "valueCoding": {"system": "$@occupation", "code": "$MA_NGHE_NGHIEP"}},
		{"url": "http://hl7.org/fhir/StructureDefinition/patient-nationality", "extension": [
			{"url": "code", "valueCodeableConcept": {"coding": [{"system": "$@nationality", "code": "$MA_QUOCTICH"}]}}]}
	],
	"identifier": [
		{"use": "usual", "system": "$@patient", "value": "${MA_CSKCB}/${MA_BN}",
			"assigner": {"identifier": {"system": "$@facility", "value": "$MA_CSKCB"}}},
		{"use": "official", "system": "$@cccd", "value": "$SO_CCCD.cccd"},
		{"use": "old", "system": "$@cmnd", "value": "$SO_CCCD.cmnd"},
		{"use": "official", "system": "$@passport", "value": "$SO_CCCD.passport"},
		{"use": "secondary", "system": "$@other-document", "value": "$SO_CCCD.other"},
		{"$each": "MA_THE_BHYT", "use": "secondary", "system": "$@insurance-card", "value": "$.card"},
		{"$each": "MA_THE_BHYT", "use": "secondary", "system": "$@insurance-number", "value": "$.number"},
		{"$each": "MA_THE_BHYT", "use": "secondary", "system": "$@insurance-card", "value": "$.personal"}
	],
	"name": [{"use": "official", "text": "$HO_TEN"}],
	"telecom": [{"system": "phone", "value": "$DIEN_THOAI"}],
	"gender": "$GIOI_TINH.target",
	"birthDate": "$NGAY_SINH.date",
	"_birthDate": {"extension": [
		{"url": "http://hl7.org/fhir/StructureDefinition/patient-birthTime", "valueDateTime": "$NGAY_SINH.time"}]},
	"address": [{
		"use": "home", "text": "$DIA_CHI", "country": "VN",
		"extension": [
			{"url": "$@ext-administrative-unit", "valueCoding": {"system": "$@province", "code": "$MATINH_CU_TRU"}},
			{"url": "$@ext-administrative-unit", "valueCoding": {"$needs": "@district", "system": "$@district", "code": "$MAHUYEN_CU_TRU"}},
			{"url": "$@ext-administrative-unit", "valueCoding": {"system": "$@ward", "code": "$MAXA_CU_TRU"}}
		]}],
	"managingOrganization": {"identifier": {"system": "$@facility", "value": "$MA_CSKCB"}}
}$json$),

('encounter', 20, 'XML1', 'Encounter', '${MA_LK}', false, '{"MA_LOAI_KCB": {"target": "AMB"}}', true, $json${
	"resourceType": "Encounter", "id": "$@id",
	"extension": [
		{"url": "$@ext-outcome", "valueCoding": {"system": "$@outcome", "code": "$KET_QUA_DTRI.code"}},
		{"url": "$@ext-accident", "valueCoding": {"system": "$@accident", "code": "$MA_TAI_NAN"}}
	],
	"identifier": [
		{"use": "official", "system": "$@dossier", "value": "${MA_CSKCB}/${MA_LK}"},
		{"use": "usual", "system": "$@record-number", "value": "${MA_CSKCB}/${MA_HSBA}"}
	],
	"status": "finished",
	"class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "$MA_LOAI_KCB.target"},
	"type": [
		{"coding": [{"system": "$@encounter-kind", "code": "$MA_LOAI_KCB.code"}]},
		{"coding": [{"system": "$@visit-object", "code": "$MA_DOITUONG_KCB"}]}
	],
	"serviceType": {"coding": [{"system": "$@department", "code": "$MA_KHOA"}]},
	"subject": {"reference": "$@ref:patient"},
	"period": {"start": "$NGAY_VAO", "end": "$NGAY_RA"},
	"length": {"value": "$SO_NGAY_DTRI", "unit": "ngày", "system": "http://unitsofmeasure.org", "code": "d"},
	"reasonCode": [{"text": "$LY_DO_VV"}, {"text": "$LY_DO_VNT"}],
	"diagnosis": [
		{"$needs": "@ref:condition-main", "condition": {"reference": "$@ref:condition-main"}, "rank": 1,
			"use": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/diagnosis-role", "code": "DD"}]}},
		{"$needs": "@ref:condition-text", "condition": {"reference": "$@ref:condition-text"}, "rank": 1,
			"use": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/diagnosis-role", "code": "DD"}]}},
		{"$each": "@ref:condition-other", "condition": {"reference": "$."},
			"use": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/diagnosis-role", "code": "CM"}]}},
		{"$needs": "@ref:condition-admission", "condition": {"reference": "$@ref:condition-admission"},
			"use": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/diagnosis-role", "code": "AD"}]}}
	],
	"hospitalization": {
		"preAdmissionIdentifier": {"system": "$@transfer-paper", "value": "$GIAY_CHUYEN_TUYEN"},
		"origin": {"identifier": {"system": "$@facility", "value": "$MA_NOI_DI"}},
		"destination": {"identifier": {"system": "$@facility", "value": "$MA_NOI_DEN"}},
		"dischargeDisposition": {"coding": [
			{"system": "$@discharge", "code": "$MA_LOAI_RV.code"},
			{"system": "http://terminology.hl7.org/CodeSystem/discharge-disposition", "code": "$MA_LOAI_RV.target"}]}
	},
	"serviceProvider": {"identifier": {"system": "$@facility", "value": "$MA_CSKCB"}}
}$json$),

('weight', 30, 'XML1', 'Observation', '${MA_LK}:weight', false, '{}', true, $json${
	"$needs": "CAN_NANG",
	"resourceType": "Observation", "id": "$@id",
	"status": "final",
	"category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}]}],
	"code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
	"subject": {"reference": "$@ref:patient"},
	"encounter": {"reference": "$@ref:encounter"},
	"effectiveDateTime": "$NGAY_VAO",
	"valueQuantity": {"value": "$CAN_NANG", "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"}
}$json$);


INSERT INTO ehr_internal.claims_template (name, ordinal, kind, type, key, needs, lacks, each, shared, shipped, template) VALUES
('condition-main', 10, 'XML1', 'Condition', '${MA_LK}:main', '{MA_BENH_CHINH}', '{}', '{}', false, true, $json${
	"resourceType": "Condition", "id": "$@id",
	"verificationStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": "confirmed"}]},
	"category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-category", "code": "encounter-diagnosis"}]}],
	"code": {
		"coding": [
			{"system": "$@icd-10", "version": "$@icd-10-version", "code": "$MA_BENH_CHINH"},
			{"system": "$@traditional-diagnosis", "code": "$MA_BENH_YHCT"}],
		"text": "$CHAN_DOAN_RV"},
	"subject": {"reference": "$@ref:patient"},
	"encounter": {"reference": "$@ref:encounter"},
	"recordedDate": "$NGAY_RA"
}$json$),

('condition-text', 11, 'XML1', 'Condition', '${MA_LK}:main', '{CHAN_DOAN_RV}', '{MA_BENH_CHINH}', '{}', false, true, $json${
	"resourceType": "Condition", "id": "$@id",
	"verificationStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": "confirmed"}]},
	"category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-category", "code": "encounter-diagnosis"}]}],
	"code": {"coding": [{"system": "$@traditional-diagnosis", "code": "$MA_BENH_YHCT"}], "text": "$CHAN_DOAN_RV"},
	"subject": {"reference": "$@ref:patient"},
	"encounter": {"reference": "$@ref:encounter"},
	"recordedDate": "$NGAY_RA"
}$json$),

('condition-other', 12, 'XML1', 'Condition', '${MA_LK}:${MA_BENH_KT}', '{MA_BENH_KT}', '{}', '{MA_BENH_KT}', false, true, $json${
	"resourceType": "Condition", "id": "$@id",
	"verificationStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": "confirmed"}]},
	"category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-category", "code": "encounter-diagnosis"}]}],
	"code": {"coding": [{"system": "$@icd-10", "version": "$@icd-10-version", "code": "$MA_BENH_KT"}]},
	"subject": {"reference": "$@ref:patient"},
	"encounter": {"reference": "$@ref:encounter"},
	"recordedDate": "$NGAY_RA"
}$json$),

('condition-admission', 13, 'XML1', 'Condition', '${MA_LK}:admission', '{CHAN_DOAN_VAO}', '{}', '{}', false, true, $json${
	"resourceType": "Condition", "id": "$@id",
	"verificationStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": "provisional"}]},
	"category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-category", "code": "encounter-diagnosis"}]}],
	"code": {"text": "$CHAN_DOAN_VAO"},
	"subject": {"reference": "$@ref:patient"},
	"encounter": {"reference": "$@ref:encounter"},
	"recordedDate": "$NGAY_VAO"
}$json$),

('coverage', 15, 'XML1', 'Coverage', '${MA_BN}:${MA_THE_BHYT.value}', '{MA_THE_BHYT}', '{}',
	'{MA_THE_BHYT,MA_DKBD,GT_THE_TU,GT_THE_DEN}', true, true, $json${
	"resourceType": "Coverage", "id": "$@id",
	"extension": [
		{"url": "$@ext-first-facility", "valueIdentifier": {"system": "$@facility", "value": "$MA_DKBD"}},
		{"url": "$@ext-region", "valueCoding": {"system": "$@region", "code": "$MA_KHUVUC"}}
	],
	"identifier": [{"system": "$@insurance-card", "value": "$MA_THE_BHYT.value"}],
	"status": "active",
	"subscriberId": "$MA_THE_BHYT.number",
	"beneficiary": {"reference": "$@ref:patient"},
	"period": {"start": "$GT_THE_TU", "end": "$GT_THE_DEN"},
	"payor": [{"identifier": {"system": "$@insurer", "value": "BHXH"}}]
}$json$);

-- XML2: drugs
INSERT INTO ehr_internal.claims_template (name, ordinal, kind, type, key, shipped, template) VALUES
('drug', 1, 'XML2', 'MedicationRequest', '${MA_LK}:XML2:${@stt}', true, $json${
	"resourceType": "MedicationRequest", "id": "$@id",
	"identifier": [{"system": "$@dossier-row", "value": "${@sender}/${MA_LK}/XML2/${STT}"}],
	"status": "completed",
	"intent": "order",
	"category": [{"coding": [{"system": "$@cost-group", "code": "$MA_NHOM.code"}]}],
	"medicationCodeableConcept": {
		"coding": [
			{"$needs": "MA_THUOC", "system": "$@drug", "code": "$MA_THUOC", "display": "${TEN_THUOC} ${HAM_LUONG}"},
			{"system": "$@drug-registration", "code": "$SO_DANG_KY"}],
		"text": "$TEN_THUOC"},
	"subject": {"reference": "$@ref:patient"},
	"encounter": {"reference": "$@ref:encounter"},
	"authoredOn": "$NGAY_YL",
	"requester": {"identifier": {"system": "$@practitioner", "value": "$MA_BAC_SI"}},
	"dosageInstruction": [{
		"text": "$LIEU_DUNG",
		"patientInstruction": "$CACH_DUNG",
		"route": {"coding": [{"system": "$@route", "code": "$DUONG_DUNG"}]}
	}],
	"dispenseRequest": {"quantity": {"$needs": "SO_LUONG", "value": "$SO_LUONG", "unit": "$DON_VI_TINH"}}
}$json$);

-- XML3: services, beds, supplies. The order and its execution are two resources, as they have two authors and two times.
INSERT INTO ehr_internal.claims_template (name, ordinal, kind, type, key, needs, lacks, unless, shipped, template) VALUES
('service-order', 1, 'XML3', 'ServiceRequest', '${MA_LK}:XML3:${@stt}', '{NGAY_YL}', '{MA_VAT_TU}', '{"MA_NHOM": {"target": "bed"}}', true, $json${
	"resourceType": "ServiceRequest", "id": "$@id",
	"identifier": [{"system": "$@dossier-row", "value": "${@sender}/${MA_LK}/XML3/${STT}"}],
	"status": "completed",
	"intent": "order",
	"code": {"coding": [{"system": "$@service", "code": "$MA_DICH_VU"}], "text": "$TEN_DICH_VU"},
	"quantityQuantity": {"$needs": "SO_LUONG", "value": "$SO_LUONG", "unit": "$DON_VI_TINH"},
	"subject": {"reference": "$@ref:patient"},
	"encounter": {"reference": "$@ref:encounter"},
	"authoredOn": "$NGAY_YL",
	"requester": {"identifier": {"system": "$@practitioner", "value": "$MA_BAC_SI"}},
	"reasonCode": [{"$each": "MA_BENH", "coding": [{"system": "$@icd-10", "version": "$@icd-10-version", "code": "$."}]}]
}$json$),

('service', 2, 'XML3', 'Procedure', '${MA_LK}:XML3:${@stt}', '{}', '{MA_VAT_TU}', '{"MA_NHOM": {"target": "bed"}}', true, $json${
	"resourceType": "Procedure", "id": "$@id",
	"identifier": [{"system": "$@dossier-row", "value": "${@sender}/${MA_LK}/XML3/${STT}"}],
	"basedOn": [{"reference": "$@ref:service-order"}],
	"status": "completed",
	"category": {"coding": [{"system": "$@cost-group", "code": "$MA_NHOM.code"}]},
	"code": {
		"coding": [
			{"system": "$@service", "code": "$MA_DICH_VU"},
			{"$each": "MA_PTTT_QT", "system": "$@icd-9-cm", "code": "$."}],
		"text": "$TEN_DICH_VU"},
	"subject": {"reference": "$@ref:patient"},
	"encounter": {"reference": "$@ref:encounter"},
	"performedPeriod": {"start": "$NGAY_TH_YL", "end": "$NGAY_KQ"},
	"performer": [{"$each": "NGUOI_THUC_HIEN", "actor": {"identifier": {"system": "$@practitioner", "value": "$."}}}],
	"bodySite": [{"coding": [{"system": "$@body-site", "code": "$VI_TRI_TH_DVKT"}]}],
	"usedCode": [{"$each": "MA_MAY", "coding": [{"system": "$@machine", "code": "$."}]}]
}$json$);

INSERT INTO ehr_internal.claims_template (name, ordinal, kind, type, key, needs, lacks, only_if, shipped, template) VALUES
('bed', 3, 'XML3', 'ChargeItem', '${MA_LK}:XML3:${@stt}', '{MA_DICH_VU}', '{MA_VAT_TU}', '{"MA_NHOM": {"target": "bed"}}', true, $json${
	"resourceType": "ChargeItem", "id": "$@id",
	"identifier": [{"system": "$@dossier-row", "value": "${@sender}/${MA_LK}/XML3/${STT}"}],
	"status": "billable",
	"code": {
		"coding": [{"system": "$@service", "code": "$MA_DICH_VU"}, {"system": "$@cost-group", "code": "$MA_NHOM.code"}],
		"text": "$TEN_DICH_VU"},
	"subject": {"reference": "$@ref:patient"},
	"context": {"reference": "$@ref:encounter"},
	"occurrencePeriod": {"start": "$NGAY_TH_YL", "end": "$NGAY_KQ"},
	"quantity": {"$needs": "SO_LUONG", "value": "$SO_LUONG", "unit": "$DON_VI_TINH"},
	"enteredDate": "$NGAY_YL",
	"enterer": {"identifier": {"system": "$@practitioner", "value": "$MA_BAC_SI"}}
}$json$),

('supply', 4, 'XML3', 'SupplyDelivery', '${MA_LK}:XML3:${@stt}', '{MA_VAT_TU}', '{}', '{}', true, $json${
	"resourceType": "SupplyDelivery", "id": "$@id",
	"identifier": [{"system": "$@dossier-row", "value": "${@sender}/${MA_LK}/XML3/${STT}"}],
	"status": "completed",
	"patient": {"reference": "$@ref:patient"},
	"type": {"coding": [
		{"system": "http://terminology.hl7.org/CodeSystem/supply-item-type", "code": "device"},
		{"system": "$@cost-group", "code": "$MA_NHOM.code"}]},
	"suppliedItem": {
		"quantity": {"$needs": "SO_LUONG", "value": "$SO_LUONG", "unit": "$DON_VI_TINH"},
		"itemCodeableConcept": {"coding": [{"system": "$@supply", "code": "$MA_VAT_TU"}], "text": "$TEN_VAT_TU"}},
	"occurrenceDateTime": "$NGAY_TH_YL"
}$json$);

-- XML4: results
INSERT INTO ehr_internal.claims_template (name, ordinal, kind, type, key, shipped, template) VALUES
('result', 1, 'XML4', 'Observation', '${MA_LK}:XML4:${@stt}', true, $json${
	"resourceType": "Observation", "id": "$@id",
	"identifier": [{"system": "$@dossier-row", "value": "${@sender}/${MA_LK}/XML4/${STT}"}],
	"status": "final",
	"category": [
		{"$needs": "GIA_TRI", "coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}]}],
	"code": {
		"coding": [{"system": "$@lab-index", "code": "$MA_CHI_SO"}, {"system": "$@service", "code": "$MA_DICH_VU"}],
		"text": "$TEN_CHI_SO"},
	"subject": {"reference": "$@ref:patient"},
	"encounter": {"reference": "$@ref:encounter"},
	"effectiveDateTime": "$NGAY_KQ",
	"performer": [{"identifier": {"system": "$@practitioner", "value": "$MA_BS_DOC_KQ"}}],
	"valueQuantity": {"$needs": "GIA_TRI.number", "value": "$GIA_TRI.number", "unit": "$DON_VI_DO"},
	"valueString": "$GIA_TRI.string",
	"interpretation": [{"text": "$KET_LUAN"}],
	"note": [{"text": "$MO_TA"}]
}$json$);

-- XML5: progress notes
INSERT INTO ehr_internal.claims_template (name, ordinal, kind, type, key, shipped, template) VALUES
('progress', 1, 'XML5', 'ClinicalImpression', '${MA_LK}:XML5:${@stt}', true, $json${
	"resourceType": "ClinicalImpression", "id": "$@id",
	"identifier": [{"system": "$@dossier-row", "value": "${@sender}/${MA_LK}/XML5/${STT}"}],
	"status": "completed",
	"subject": {"reference": "$@ref:patient"},
	"encounter": {"reference": "$@ref:encounter"},
	"effectiveDateTime": "$THOI_DIEM_DBLS",
	"assessor": {"identifier": {"system": "$@practitioner", "value": "$NGUOI_THUC_HIEN"}},
	"description": "$GIAI_DOAN_BENH",
	"summary": "$DIEN_BIEN_LS",
	"note": [{"text": "$HOI_CHAN"}, {"text": "$PHAU_THUAT"}]
}$json$);
