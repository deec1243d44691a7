-- Content of the fixture; base(name, doc) has one sound document of each of 31 resource types.
CREATE DOMAIN public.patient AS ehr.fhir(Patient);
CREATE TABLE public.kept (
	id int PRIMARY KEY,
	any_type ehr.fhir NOT NULL,
	p ehr.fhir(Patient),
	g ehr.fhir('Group'),
	b ehr.fhir('Binary') COMPRESSION lz4,
	l ehr.fhir('List')[],
	d public.patient,
	status text GENERATED ALWAYS AS ((any_type)::jsonb ->> 'status') STORED,
	CHECK (ehr.resource_type(any_type) <> 'Parameters' OR id > 0)
);
INSERT INTO public.kept (id, any_type, p, g, b, d)
SELECT row_number() OVER (ORDER BY name COLLATE "C"), doc, CASE name WHEN 'Patient' THEN doc END, CASE name WHEN 'Group' THEN doc END,
	CASE name WHEN 'Binary' THEN doc END, CASE name WHEN 'Patient' THEN doc END
FROM base;
UPDATE public.kept SET l = ARRAY['{"resourceType":"List","status":"current","mode":"working"}', NULL]::ehr.fhir('List')[] WHERE id = 1;
-- what text can hold at its edges: precision, escapes, other scripts, extensions of primitives, large numbers
INSERT INTO public.kept (id, any_type) VALUES
(101, '{"resourceType":"Observation","status":"final","code":{"text":"\u0110\u1eb7ng \"\\\n\t\u00a0"},"valueQuantity":{"value":1.500}}'),
(102, '{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":123456789012345678.123456789}}'),
(103, '{"resourceType":"Patient","_birthDate":{"extension":[{"url":"http://example.org/e","valueCode":"unknown"}]},"name":[{"given":["a",null],"_given":[null,{"extension":[{"url":"http://example.org/e","valueDecimal":0.10}]}]}]}');
CREATE INDEX ON public.kept ((any_type ->> 'id'));
CREATE INDEX ON public.kept USING gin ((any_type::jsonb) jsonb_path_ops);
CREATE INDEX ON public.kept USING hash (any_type);
CREATE UNIQUE INDEX ON public.kept (any_type);
CREATE VIEW public.patients AS SELECT id, p ->> 'birthDate' AS birth_date, ehr.resource_id(p) FROM public.kept WHERE p IS NOT NULL;

CREATE TABLE public.codes (citizen ehr.citizen_id, card ehr.insurance_no, disease ehr.icd10);
INSERT INTO public.codes VALUES
('079090000001', 'HS4797900000001', 'E11.9'), ('001190000002', '7900000001', 'I10'), (NULL, '079090000001', 'J45'), ('079999999999', NULL, 'Z99.9');
CREATE INDEX ON public.codes USING btree (citizen);
CREATE INDEX ON public.codes USING hash (citizen);
CREATE INDEX ON public.codes USING brin (citizen);
CREATE INDEX ON public.codes USING btree (card);
CREATE INDEX ON public.codes USING hash (card);
CREATE INDEX ON public.codes USING btree (disease);
CREATE INDEX ON public.codes USING brin (disease);

-- definitions and terminology: none of them changes what the types take
SELECT ehr.load_definition('{"resourceType":"StructureDefinition","url":"http://example.vn/patient","version":"1","name":"P","status":"active","kind":"resource","abstract":false,
	"type":"Patient","baseDefinition":"http://hl7.org/fhir/StructureDefinition/Patient","derivation":"constraint",
	"differential":{"element":[{"id":"Patient","path":"Patient"},{"id":"Patient.birthDate","path":"Patient.birthDate","min":1},{"id":"Patient.photo","path":"Patient.photo","max":"0"}]}}') \g /dev/null
SELECT ehr.load_definition('{"resourceType":"StructureDefinition","url":"http://example.org/e","name":"E","status":"active","kind":"complex-type","abstract":false,
	"context":[{"type":"element","expression":"Element"}],
	"type":"Extension","baseDefinition":"http://hl7.org/fhir/StructureDefinition/Extension","derivation":"constraint",
	"differential":{"element":[{"id":"Extension","path":"Extension"},{"id":"Extension.value[x]","path":"Extension.value[x]","type":[{"code":"integer"}]}]}}') \g /dev/null
SELECT ehr.load_definition('{"resourceType":"CodeSystem","url":"http://example.vn/cs","status":"active","content":"complete","concept":[{"code":"a","display":"A","concept":[{"code":"b"}]}]}') \g /dev/null
SELECT ehr.load_definition('{"resourceType":"ValueSet","url":"http://example.vn/vs","status":"active","compose":{"include":[{"system":"http://example.vn/cs","filter":[{"property":"concept","op":"is-a","value":"a"}]}]}}') \g /dev/null
SELECT ehr.load_definition('{"resourceType":"ValueSet","url":"http://hl7.org/fhir/ValueSet/observation-category","status":"active","compose":{"include":[{"system":"http://example.vn/cs"}]}}') \g /dev/null
INSERT INTO ehr.canonical_alias VALUES ('http://other.vn/patient', 'http://example.vn/patient');
