--
-- PostgreSQL database dump
--


-- Dumped from database version 15.20 (Debian 15.20-0+deb12u1)
-- Dumped by pg_dump version 15.20 (Debian 15.20-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: ehr; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA ehr;


--
-- Name: ehr; Type: EXTENSION; Schema: -; Owner: -
--

CREATE EXTENSION IF NOT EXISTS ehr WITH SCHEMA ehr;


--
-- Name: EXTENSION ehr; Type: COMMENT; Schema: -; Owner: -
--

COMMENT ON EXTENSION ehr IS 'electronic health records: FHIR types, identity, consent and sharing inside the database';


--
-- Name: patient; Type: DOMAIN; Schema: public; Owner: -
--

CREATE DOMAIN public.patient AS ehr.fhir('Patient');


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: codes; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.codes (
    citizen ehr.citizen_id,
    card ehr.insurance_no,
    disease ehr.icd10
);


--
-- Name: kept; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.kept (
    id integer NOT NULL,
    any_type ehr.fhir NOT NULL,
    p ehr.fhir('Patient'),
    g ehr.fhir('Group'),
    b ehr.fhir('Binary'),
    l ehr.fhir('List')[],
    d public.patient,
    status text GENERATED ALWAYS AS (((any_type)::jsonb ->> 'status'::text)) STORED,
    CONSTRAINT kept_check CHECK (((ehr.resource_type(any_type) <> 'Parameters'::text) OR (id > 0)))
);
ALTER TABLE ONLY public.kept ALTER COLUMN b SET COMPRESSION lz4;


--
-- Name: patients; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.patients AS
 SELECT kept.id,
    ((kept.p)::jsonb ->> 'birthDate'::text) AS birth_date,
    ehr.resource_id(kept.p) AS resource_id
   FROM public.kept
  WHERE (kept.p IS NOT NULL);


--
-- Data for Name: canonical_alias; Type: TABLE DATA; Schema: ehr; Owner: -
--

COPY ehr.canonical_alias (alias, url) FROM stdin;
http://other.vn/patient	http://example.vn/patient
\.


--
-- Data for Name: code_system; Type: TABLE DATA; Schema: ehr; Owner: -
--

COPY ehr.code_system (id, url, version, valid_from, valid_to, content, hierarchy, case_sensitive, value_set, definition) FROM stdin;
1	http://example.vn/cs		-infinity	infinity	complete	listed	t	\N	{"url": "http://example.vn/cs", "status": "active", "content": "complete", "resourceType": "CodeSystem"}
\.


--
-- Data for Name: concept; Type: TABLE DATA; Schema: ehr; Owner: -
--

COPY ehr.concept (system, key, code, display, "position", abstract, inactive, valid_from, valid_to, property, designation) FROM stdin;
1	a	a	A	1	f	f	-infinity	infinity	[]	[]
1	b	b	\N	2	f	f	-infinity	infinity	[]	[]
\.


--
-- Data for Name: concept_ancestor; Type: TABLE DATA; Schema: ehr; Owner: -
--

COPY ehr.concept_ancestor (system, key, ancestor, direct) FROM stdin;
1	b	a	t
\.


--
-- Data for Name: concept_map; Type: TABLE DATA; Schema: ehr; Owner: -
--

COPY ehr.concept_map (id, url, version, definition) FROM stdin;
\.


--
-- Data for Name: concept_map_group; Type: TABLE DATA; Schema: ehr; Owner: -
--

COPY ehr.concept_map_group (concept_map, map_group, source, target, unmapped) FROM stdin;
\.


--
-- Data for Name: concept_map_entry; Type: TABLE DATA; Schema: ehr; Owner: -
--

COPY ehr.concept_map_entry (concept_map, map_group, "position", source_code, equivalence, target_code, target_display, detail) FROM stdin;
\.


--
-- Data for Name: definition; Type: TABLE DATA; Schema: ehr; Owner: -
--

COPY ehr.definition (kind, url, version, loaded, doc) FROM stdin;
StructureDefinition	http://example.vn/patient	1	2026-11-22 13:39:41.799036+07	{"url": "http://example.vn/patient", "kind": "resource", "name": "P", "type": "Patient", "status": "active", "version": "1", "abstract": false, "derivation": "constraint", "differential": {"element": [{"id": "Patient", "path": "Patient"}, {"id": "Patient.birthDate", "min": 1, "path": "Patient.birthDate"}, {"id": "Patient.photo", "max": "0", "path": "Patient.photo"}]}, "resourceType": "StructureDefinition", "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Patient"}
StructureDefinition	http://example.org/e		2026-11-22 13:39:41.802722+07	{"url": "http://example.org/e", "kind": "complex-type", "name": "E", "type": "Extension", "status": "active", "context": [{"type": "element", "expression": "Element"}], "abstract": false, "derivation": "constraint", "differential": {"element": [{"id": "Extension", "path": "Extension"}, {"id": "Extension.value[x]", "path": "Extension.value[x]", "type": [{"code": "integer"}]}]}, "resourceType": "StructureDefinition", "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Extension"}
CodeSystem	http://example.vn/cs		2026-11-22 13:39:41.803249+07	{"url": "http://example.vn/cs", "status": "active", "concept": [{"code": "a", "concept": [{"code": "b"}], "display": "A"}], "content": "complete", "resourceType": "CodeSystem"}
ValueSet	http://example.vn/vs		2026-11-22 13:39:41.822607+07	{"url": "http://example.vn/vs", "status": "active", "compose": {"include": [{"filter": [{"op": "is-a", "value": "a", "property": "concept"}], "system": "http://example.vn/cs"}]}, "resourceType": "ValueSet"}
ValueSet	http://hl7.org/fhir/ValueSet/observation-category		2026-11-22 13:39:41.829306+07	{"url": "http://hl7.org/fhir/ValueSet/observation-category", "status": "active", "compose": {"include": [{"system": "http://example.vn/cs"}]}, "resourceType": "ValueSet"}
\.


--
-- Data for Name: value_set; Type: TABLE DATA; Schema: ehr; Owner: -
--

COPY ehr.value_set (id, url, version, expanded, definition) FROM stdin;
1	http://example.vn/vs		f	{"url": "http://example.vn/vs", "status": "active", "resourceType": "ValueSet"}
2	http://hl7.org/fhir/ValueSet/observation-category		f	{"url": "http://hl7.org/fhir/ValueSet/observation-category", "status": "active", "resourceType": "ValueSet"}
\.


--
-- Data for Name: value_set_code; Type: TABLE DATA; Schema: ehr; Owner: -
--

COPY ehr.value_set_code (value_set, rule, system, code, "position", display) FROM stdin;
\.


--
-- Data for Name: value_set_rule; Type: TABLE DATA; Schema: ehr; Owner: -
--

COPY ehr.value_set_rule (value_set, rule, exclude, place, system, version, listed, filters, imports) FROM stdin;
1	1	f	ValueSet.compose.include[0]	http://example.vn/cs	\N	f	[{"op": "is-a", "value": "a", "property": "concept"}]	{}
2	1	f	ValueSet.compose.include[0]	http://example.vn/cs	\N	f	[]	{}
\.


--
-- Data for Name: claims_code; Type: TABLE DATA; Schema: ehr_internal; Owner: -
--

COPY ehr_internal.claims_code (list, code, target, valid_from, valid_to, shipped) FROM stdin;
\.


--
-- Data for Name: claims_field; Type: TABLE DATA; Schema: ehr_internal; Owner: -
--

COPY ehr_internal.claims_field (kind, element, type, list, need, max_length, valid_from, valid_to, shipped) FROM stdin;
\.


--
-- Data for Name: claims_template; Type: TABLE DATA; Schema: ehr_internal; Owner: -
--

COPY ehr_internal.claims_template (name, ordinal, kind, type, key, needs, lacks, only_if, unless, each, shared, defaults, template, valid_from, valid_to, shipped) FROM stdin;
\.


--
-- Data for Name: disease_group; Type: TABLE DATA; Schema: ehr_internal; Owner: -
--

COPY ehr_internal.disease_group (code, name, ranges, on_demand, basis, shipped) FROM stdin;
\.


--
-- Data for Name: identifier_system; Type: TABLE DATA; Schema: ehr_internal; Owner: -
--

COPY ehr_internal.identifier_system (name, uri, version, valid_from, valid_to, shipped) FROM stdin;
\.


--
-- Data for Name: match_system; Type: TABLE DATA; Schema: ehr_internal; Owner: -
--

COPY ehr_internal.match_system (system, feature, shipped) FROM stdin;
\.


--
-- Data for Name: sensitivity_label; Type: TABLE DATA; Schema: ehr_internal; Owner: -
--

COPY ehr_internal.sensitivity_label ("bit", name, code_system, first_code, last_code, basis, shipped) FROM stdin;
\.


--
-- Data for Name: unit_path; Type: TABLE DATA; Schema: ehr_internal; Owner: -
--

COPY ehr_internal.unit_path (ordinal, finds, path, shipped) FROM stdin;
\.


--
-- Data for Name: vaccine_disease; Type: TABLE DATA; Schema: ehr_internal; Owner: -
--

COPY ehr_internal.vaccine_disease (vaccine, disease, shipped) FROM stdin;
\.


--
-- Data for Name: codes; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.codes (citizen, card, disease) FROM stdin;
079090000001	HS4797900000001	E11.9
001190000002	7900000001	I10
\N	079090000001	J45
079999999999	\N	Z99.9
\.


--
-- Data for Name: kept; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.kept (id, any_type, p, g, b, l, d) FROM stdin;
2	{"start": "2024-01-01T00:00:00Z", "status": "booked", "participant": [{"actor": {"reference": "Patient/1"}, "status": "accepted"}], "resourceType": "Appointment", "minutesDuration": 5}	\N	\N	\N	\N	\N
3	{"data": "aGVsbG8gd29ybGQ=", "contentType": "text/plain;charset=utf-8", "resourceType": "Binary"}	\N	\N	{"data": "aGVsbG8gd29ybGQ=", "contentType": "text/plain;charset=utf-8", "resourceType": "Binary"}	\N	\N
4	{"link": [{"url": "http://example.org", "relation": "self"}], "type": "transaction", "entry": [{"fullUrl": "urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7", "request": {"url": "Patient", "method": "POST"}, "resource": {"id": "a", "contained": [{"id": "b", "code": {"text": "x"}, "resourceType": "Basic"}], "resourceType": "Patient"}}, {"link": [{"url": "http://example.org", "relation": "x"}], "request": {"url": "Patient/1", "method": "DELETE"}}], "timestamp": "2024-01-01T00:00:00Z", "resourceType": "Bundle"}	\N	\N	\N	\N	\N
5	{"date": "2024", "kind": "instance", "rest": [{"mode": "server", "resource": [{"type": "Patient", "interaction": [{"code": "read"}], "searchParam": [{"name": "a", "type": "token"}]}], "searchParam": [{"name": "b", "type": "date"}]}], "format": ["json"], "status": "active", "fhirVersion": "4.0.1", "resourceType": "CapabilityStatement"}	\N	\N	\N	\N	\N
6	{"intent": "plan", "status": "active", "subject": {"reference": "Patient/1"}, "activity": [{"detail": {"status": "scheduled", "scheduledString": "x"}}], "resourceType": "CarePlan"}	\N	\N	\N	\N	\N
7	{"use": "claim", "item": [{"net": {"value": 10.5, "currency": "VND"}, "detail": [{"sequence": 1, "subDetail": [{"sequence": 1, "productOrService": {"text": "x"}}], "productOrService": {"text": "x"}}], "sequence": 1, "productOrService": {"text": "x"}}], "type": {"text": "x"}, "total": {"value": 1, "currency": "USD"}, "status": "active", "created": "2024-05", "patient": {"reference": "Patient/1"}, "priority": {"text": "x"}, "provider": {"reference": "Organization/1"}, "insurance": [{"focal": true, "coverage": {"reference": "Coverage/1"}, "sequence": 1}], "resourceType": "Claim"}	\N	\N	\N	\N	\N
8	{"date": "2024-01-01", "type": {"text": "x"}, "title": "x", "author": [{"reference": "Practitioner/1"}], "status": "final", "section": [{"title": "x", "section": [{"text": {"div": "<div xmlns=\\"http://www.w3.org/1999/xhtml\\">x</div>", "status": "generated"}, "title": "y"}]}], "resourceType": "Composition"}	\N	\N	\N	\N	\N
9	{"code": {"coding": [{"code": "E11.9", "system": "http://hl7.org/fhir/sid/icd-10"}]}, "stage": [{"summary": {"text": "x"}}], "subject": {"reference": "urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7"}, "onsetAge": {"unit": "a", "value": 50}, "resourceType": "Condition", "clinicalStatus": {"coding": [{"code": "active", "system": "http://terminology.hl7.org/CodeSystem/condition-clinical"}]}}	\N	\N	\N	\N	\N
10	{"scope": {"text": "x"}, "status": "active", "category": [{"text": "x"}], "provision": {"type": "permit", "provision": [{"type": "deny", "period": {"end": "2024"}}]}, "resourceType": "Consent"}	\N	\N	\N	\N	\N
11	{"order": 1, "payor": [{"reference": "Organization/1"}], "status": "active", "beneficiary": {"reference": "Patient/1"}, "resourceType": "Coverage"}	\N	\N	\N	\N	\N
12	{"status": "active", "deviceName": [{"name": "x", "type": "user-friendly-name"}], "udiCarrier": [{"carrierAIDC": "aGVsbG8="}], "resourceType": "Device"}	\N	\N	\N	\N	\N
13	{"code": {"text": "x"}, "media": [{"link": {"reference": "Media/1"}}], "status": "final", "resourceType": "DiagnosticReport", "presentedForm": [{"contentType": "application/pdf"}], "effectivePeriod": {"start": "2024"}}	\N	\N	\N	\N	\N
14	{"class": {"code": "AMB"}, "length": {"unit": "min", "value": 5}, "status": "finished", "diagnosis": [{"rank": 1, "condition": {"reference": "Condition/1"}}], "participant": [{"individual": {"reference": "Practitioner?identifier=a|b"}}], "resourceType": "Encounter", "statusHistory": [{"period": {"start": "2024-01-01T00:00:00Z"}, "status": "arrived"}]}	\N	\N	\N	\N	\N
15	{"target": [{"dueDate": "2024-01-01", "detailQuantity": {"value": 1}}], "subject": {"reference": "Patient/1"}, "description": {"text": "x"}, "resourceType": "Goal", "lifecycleStatus": "active"}	\N	\N	\N	\N	\N
16	{"type": "person", "actual": true, "resourceType": "Group", "characteristic": [{"code": {"text": "x"}, "exclude": false, "valueRange": {"low": {"value": 1}}}]}	\N	{"type": "person", "actual": true, "resourceType": "Group", "characteristic": [{"code": {"text": "x"}, "exclude": false, "valueRange": {"low": {"value": 1}}}]}	\N	\N	\N
17	{"status": "completed", "patient": {"reference": "Patient/1"}, "vaccineCode": {"text": "x"}, "resourceType": "Immunization", "protocolApplied": [{"doseNumberPositiveInt": 1}], "occurrenceString": "x"}	\N	\N	\N	\N	\N
18	{"status": "active", "position": {"latitude": 10.8, "longitude": 106.7}, "resourceType": "Location", "hoursOfOperation": [{"daysOfWeek": ["mon"], "openingTime": "07:00:00"}]}	\N	\N	\N	\N	\N
19	{"intent": "order", "status": "active", "subject": {"display": "x"}, "resourceType": "MedicationRequest", "dispenseRequest": {"numberOfRepeatsAllowed": 0}, "dosageInstruction": [{"timing": {"repeat": {"period": 1.0, "dayOfWeek": ["mon"], "frequency": 1, "timeOfDay": ["08:00:00"], "periodUnit": "d"}}, "sequence": 1, "doseAndRate": [{"doseQuantity": {"value": 1}}], "asNeededBoolean": true}], "medicationCodeableConcept": {"text": "x"}}	\N	\N	\N	\N	\N
1	{"patient": {"reference": "Patient/1"}, "category": ["food"], "reaction": [{"manifestation": [{"text": "x"}]}], "resourceType": "AllergyIntolerance", "clinicalStatus": {"coding": [{"code": "active", "system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"}]}}	\N	\N	\N	{"{\\"mode\\": \\"working\\", \\"status\\": \\"current\\", \\"resourceType\\": \\"List\\"}",NULL}	\N
20	{"id": "o", "code": {"coding": [{"code": "8480-6", "system": "http://loinc.org"}]}, "issued": "2024-01-31T23:59:60Z", "status": "final", "subject": {"reference": "Patient/1"}, "category": [{"coding": [{"code": "x y", "system": "http://example.org/c"}]}], "component": [{"code": {"text": "x"}, "valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 2}}, "referenceRange": [{"text": "x"}]}], "resourceType": "Observation", "valueQuantity": {"code": "mg", "unit": "mg", "value": 1.50, "system": "http://unitsofmeasure.org", "comparator": "<"}, "referenceRange": [{"low": {"value": 1}}], "effectiveDateTime": "2024-01-31T23:59:59+07:00"}	\N	\N	\N	\N	\N
21	{"name": "x", "alias": ["x"], "partOf": {"reference": "Organization/1"}, "resourceType": "Organization"}	\N	\N	\N	\N	\N
22	{"parameter": [{"name": "a", "valueUuid": "urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7"}, {"name": "b", "valueOid": "urn:oid:1.2.840.10004"}, {"name": "c", "resource": {"resourceType": "Patient"}}, {"name": "d", "part": [{"name": "e", "valueUnsignedInt": 0}, {"name": "f", "valuePositiveInt": 1}, {"name": "g", "valueInstant": "2024-01-01T00:00:00.5-05:00"}]}], "resourceType": "Parameters"}	\N	\N	\N	\N	\N
23	{"id": "p1", "link": [{"type": "seealso", "other": {"reference": "RelatedPerson/1/_history/2"}}], "meta": {"profile": ["http://example.org/p|1"], "versionId": "1", "lastUpdated": "2024-02-29T08:00:00.123+07:00"}, "name": [{"use": "official", "given": ["a", null, "c"], "_given": [null, {"extension": [{"url": "http://example.org/e", "valueCode": "x"}]}, {"id": "n3"}], "family": "x"}], "text": {"div": "<div xmlns=\\"http://www.w3.org/1999/xhtml\\"><p class=\\"a\\">x &amp; y</p></div>", "status": "generated"}, "photo": [{"data": "aGVsbG8=", "size": 5, "contentType": "image/png"}], "active": true, "gender": "male", "address": [{"line": ["x"]}], "contact": [{"name": {"text": "x"}, "organization": {"reference": "#o1"}}], "telecom": [{"rank": 1, "value": "1", "system": "phone"}], "birthDate": "1990-02-28", "contained": [{"id": "o1", "name": "x", "resourceType": "Organization"}, {"id": "o2", "name": "y", "resourceType": "Organization"}], "extension": [{"url": "http://example.org/e", "valueString": "x"}, {"url": "http://example.org/f", "extension": [{"url": "g", "valueCode": "h"}]}], "_birthDate": {"extension": [{"url": "http://example.org/t", "valueDateTime": "1990-02-28T01:02:03Z"}]}, "identifier": [{"use": "official", "value": "1", "period": {"end": "2021-05", "start": "2020"}, "system": "http://example.org/id"}], "resourceType": "Patient", "communication": [{"language": {"text": "vi"}, "preferred": true}], "deceasedBoolean": false, "generalPractitioner": [{"type": "Practitioner", "reference": "Practitioner/7"}], "managingOrganization": {"reference": "http://example.org/fhir/Organization/1"}, "multipleBirthInteger": 2}	{"id": "p1", "link": [{"type": "seealso", "other": {"reference": "RelatedPerson/1/_history/2"}}], "meta": {"profile": ["http://example.org/p|1"], "versionId": "1", "lastUpdated": "2024-02-29T08:00:00.123+07:00"}, "name": [{"use": "official", "given": ["a", null, "c"], "_given": [null, {"extension": [{"url": "http://example.org/e", "valueCode": "x"}]}, {"id": "n3"}], "family": "x"}], "text": {"div": "<div xmlns=\\"http://www.w3.org/1999/xhtml\\"><p class=\\"a\\">x &amp; y</p></div>", "status": "generated"}, "photo": [{"data": "aGVsbG8=", "size": 5, "contentType": "image/png"}], "active": true, "gender": "male", "address": [{"line": ["x"]}], "contact": [{"name": {"text": "x"}, "organization": {"reference": "#o1"}}], "telecom": [{"rank": 1, "value": "1", "system": "phone"}], "birthDate": "1990-02-28", "contained": [{"id": "o1", "name": "x", "resourceType": "Organization"}, {"id": "o2", "name": "y", "resourceType": "Organization"}], "extension": [{"url": "http://example.org/e", "valueString": "x"}, {"url": "http://example.org/f", "extension": [{"url": "g", "valueCode": "h"}]}], "_birthDate": {"extension": [{"url": "http://example.org/t", "valueDateTime": "1990-02-28T01:02:03Z"}]}, "identifier": [{"use": "official", "value": "1", "period": {"end": "2021-05", "start": "2020"}, "system": "http://example.org/id"}], "resourceType": "Patient", "communication": [{"language": {"text": "vi"}, "preferred": true}], "deceasedBoolean": false, "generalPractitioner": [{"type": "Practitioner", "reference": "Practitioner/7"}], "managingOrganization": {"reference": "http://example.org/fhir/Organization/1"}, "multipleBirthInteger": 2}	\N	\N	\N	{"id": "p1", "link": [{"type": "seealso", "other": {"reference": "RelatedPerson/1/_history/2"}}], "meta": {"profile": ["http://example.org/p|1"], "versionId": "1", "lastUpdated": "2024-02-29T08:00:00.123+07:00"}, "name": [{"use": "official", "given": ["a", null, "c"], "_given": [null, {"extension": [{"url": "http://example.org/e", "valueCode": "x"}]}, {"id": "n3"}], "family": "x"}], "text": {"div": "<div xmlns=\\"http://www.w3.org/1999/xhtml\\"><p class=\\"a\\">x &amp; y</p></div>", "status": "generated"}, "photo": [{"data": "aGVsbG8=", "size": 5, "contentType": "image/png"}], "active": true, "gender": "male", "address": [{"line": ["x"]}], "contact": [{"name": {"text": "x"}, "organization": {"reference": "#o1"}}], "telecom": [{"rank": 1, "value": "1", "system": "phone"}], "birthDate": "1990-02-28", "contained": [{"id": "o1", "name": "x", "resourceType": "Organization"}, {"id": "o2", "name": "y", "resourceType": "Organization"}], "extension": [{"url": "http://example.org/e", "valueString": "x"}, {"url": "http://example.org/f", "extension": [{"url": "g", "valueCode": "h"}]}], "_birthDate": {"extension": [{"url": "http://example.org/t", "valueDateTime": "1990-02-28T01:02:03Z"}]}, "identifier": [{"use": "official", "value": "1", "period": {"end": "2021-05", "start": "2020"}, "system": "http://example.org/id"}], "resourceType": "Patient", "communication": [{"language": {"text": "vi"}, "preferred": true}], "deceasedBoolean": false, "generalPractitioner": [{"type": "Practitioner", "reference": "Practitioner/7"}], "managingOrganization": {"reference": "http://example.org/fhir/Organization/1"}, "multipleBirthInteger": 2}
24	{"resourceType": "Practitioner", "qualification": [{"code": {"text": "x"}, "issuer": {"reference": "Organization/1"}}]}	\N	\N	\N	\N	\N
25	{"status": "completed", "subject": {"reference": "Patient/1"}, "performer": [{"actor": {"reference": "Practitioner/1"}}], "resourceType": "Procedure", "performedPeriod": {"start": "2024-01-01"}}	\N	\N	\N	\N	\N
26	{"agent": [{"who": {"display": "x"}}], "target": [{"reference": "Patient/1"}], "recorded": "2024-01-01T00:00:00Z", "signature": [{"who": {"display": "x"}, "type": [{"code": "x"}], "when": "2024-01-01T00:00:00Z"}], "resourceType": "Provenance"}	\N	\N	\N	\N	\N
27	{"item": [{"item": [{"type": "choice", "linkId": "1.1", "enableWhen": [{"operator": "=", "question": "1", "answerBoolean": true}], "answerOption": [{"valueTime": "12:00:00"}]}], "type": "group", "linkId": "1"}], "status": "draft", "resourceType": "Questionnaire"}	\N	\N	\N	\N	\N
28	{"intent": "order", "status": "active", "subject": {"reference": "Patient/1"}, "resourceType": "ServiceRequest", "quantityQuantity": {"value": 1}}	\N	\N	\N	\N	\N
29	{"status": "available", "collection": {"quantity": {"value": 1}, "collectedDateTime": "2024-01-01"}, "resourceType": "Specimen"}	\N	\N	\N	\N	\N
30	{"url": "http://example.org/s", "kind": "resource", "name": "S", "type": "Patient", "status": "draft", "abstract": false, "differential": {"element": [{"id": "Patient", "max": "*", "min": 0, "path": "Patient", "type": [{"code": "Reference", "targetProfile": ["http://hl7.org/fhir/StructureDefinition/Group"]}], "fixedCode": "a"}]}, "resourceType": "StructureDefinition"}	\N	\N	\N	\N	\N
31	{"input": [{"type": {"text": "x"}, "valueMarkdown": "*x*"}], "intent": "order", "status": "requested", "restriction": {"repetitions": 1}, "resourceType": "Task"}	\N	\N	\N	\N	\N
32	{"url": "http://example.org/v", "status": "active", "compose": {"exclude": [{"filter": [{"op": "is-a", "value": "v", "property": "p"}], "system": "http://example.org"}], "include": [{"system": "http://example.org", "concept": [{"code": "a", "designation": [{"value": "x"}]}]}]}, "expansion": {"total": 1, "contains": [{"code": "a", "contains": [{"code": "b"}]}], "timestamp": "2024-01-01"}, "resourceType": "ValueSet"}	\N	\N	\N	\N	\N
101	{"code": {"text": "Đặng \\"\\\\\\n\\t "}, "status": "final", "resourceType": "Observation", "valueQuantity": {"value": 1.500}}	\N	\N	\N	\N	\N
102	{"code": {"text": "x"}, "status": "final", "resourceType": "Observation", "valueQuantity": {"value": 123456789012345678.123456789}}	\N	\N	\N	\N	\N
103	{"name": [{"given": ["a", null], "_given": [null, {"extension": [{"url": "http://example.org/e", "valueDecimal": 0.10}]}]}], "_birthDate": {"extension": [{"url": "http://example.org/e", "valueCode": "unknown"}]}, "resourceType": "Patient"}	\N	\N	\N	\N	\N
\.


--
-- Name: kept kept_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.kept
    ADD CONSTRAINT kept_pkey PRIMARY KEY (id);


--
-- Name: codes_card_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX codes_card_idx ON public.codes USING btree (card);


--
-- Name: codes_card_idx1; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX codes_card_idx1 ON public.codes USING hash (card);


--
-- Name: codes_citizen_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX codes_citizen_idx ON public.codes USING btree (citizen);


--
-- Name: codes_citizen_idx1; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX codes_citizen_idx1 ON public.codes USING hash (citizen);


--
-- Name: codes_citizen_idx2; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX codes_citizen_idx2 ON public.codes USING brin (citizen);


--
-- Name: codes_disease_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX codes_disease_idx ON public.codes USING btree (disease);


--
-- Name: codes_disease_idx1; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX codes_disease_idx1 ON public.codes USING brin (disease);


--
-- Name: kept_any_type_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX kept_any_type_idx ON public.kept USING gin (((any_type)::jsonb) jsonb_path_ops);


--
-- Name: kept_any_type_idx1; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX kept_any_type_idx1 ON public.kept USING hash (any_type);


--
-- Name: kept_any_type_idx2; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX kept_any_type_idx2 ON public.kept USING btree (any_type);


--
-- Name: kept_expr_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX kept_expr_idx ON public.kept USING btree ((((any_type)::jsonb ->> 'id'::text)));


--
-- PostgreSQL database dump complete
--


