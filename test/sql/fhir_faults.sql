-- One fault at a time: each mutation of a valid resource is caught, by the right rule and at the right place.
BEGIN;
CREATE TEMP TABLE base (name text PRIMARY KEY, doc jsonb);
INSERT INTO base VALUES
('Patient', '{"resourceType":"Patient","id":"p1","meta":{"versionId":"1","lastUpdated":"2024-02-29T08:00:00.123+07:00","profile":["http://example.org/p|1"]},
	"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p class=\"a\">x &amp; y</p></div>"},
	"contained":[{"resourceType":"Organization","id":"o1","name":"x"},{"resourceType":"Organization","id":"o2","name":"y"}],
	"extension":[{"url":"http://example.org/e","valueString":"x"},{"url":"http://example.org/f","extension":[{"url":"g","valueCode":"h"}]}],
	"identifier":[{"use":"official","system":"http://example.org/id","value":"1","period":{"start":"2020","end":"2021-05"}}],
	"active":true,"name":[{"use":"official","family":"x","given":["a",null,"c"],"_given":[null,{"extension":[{"url":"http://example.org/e","valueCode":"x"}]},{"id":"n3"}]}],
	"telecom":[{"system":"phone","value":"1","rank":1}],"gender":"male","birthDate":"1990-02-28","_birthDate":{"extension":[{"url":"http://example.org/t","valueDateTime":"1990-02-28T01:02:03Z"}]},
	"deceasedBoolean":false,"address":[{"line":["x"]}],"multipleBirthInteger":2,"photo":[{"contentType":"image/png","data":"aGVsbG8=","size":5}],
	"contact":[{"name":{"text":"x"},"organization":{"reference":"#o1"}}],"communication":[{"language":{"text":"vi"},"preferred":true}],
	"generalPractitioner":[{"reference":"Practitioner/7","type":"Practitioner"},{"reference":"#o2"}],"managingOrganization":{"reference":"http://example.org/fhir/Organization/1"},
	"link":[{"other":{"reference":"RelatedPerson/1/_history/2"},"type":"seealso"}]}'),
('Observation', '{"resourceType":"Observation","id":"o","status":"final","category":[{"coding":[{"system":"http://example.org/c","code":"x y"}]}],
	"code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]},"subject":{"reference":"Patient/1"},"effectiveDateTime":"2024-01-31T23:59:59+07:00","issued":"2024-01-31T23:59:60Z",
	"valueQuantity":{"value":1.50,"comparator":"<","unit":"mg","system":"http://unitsofmeasure.org","code":"mg"},
	"referenceRange":[{"low":{"value":1}}],"component":[{"code":{"text":"x"},"valueRatio":{"numerator":{"value":1},"denominator":{"value":2}},"referenceRange":[{"text":"x"}]}]}'),
('Condition', '{"resourceType":"Condition","clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}]},
	"code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10","code":"E11.9"}]},"subject":{"reference":"urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7"},
	"onsetAge":{"value":50,"unit":"a","system":"http://unitsofmeasure.org","code":"a"},"stage":[{"summary":{"text":"x"}}]}'),
('Encounter', '{"resourceType":"Encounter","status":"finished","class":{"code":"AMB"},"statusHistory":[{"status":"arrived","period":{"start":"2024-01-01T00:00:00Z"}}],
	"participant":[{"individual":{"reference":"Practitioner?identifier=a|b"}}],"length":{"value":5,"unit":"min"},"diagnosis":[{"condition":{"reference":"Condition/1"},"rank":1}]}'),
('MedicationRequest', '{"resourceType":"MedicationRequest","status":"active","intent":"order","medicationCodeableConcept":{"text":"x"},"subject":{"display":"x"},
	"dosageInstruction":[{"sequence":1,"timing":{"repeat":{"frequency":1,"period":1.0,"periodUnit":"d","timeOfDay":["08:00:00"],"dayOfWeek":["mon"]}},"asNeededBoolean":true,
	"doseAndRate":[{"doseQuantity":{"value":1}}]}],"dispenseRequest":{"numberOfRepeatsAllowed":0}}'),
('Bundle', '{"resourceType":"Bundle","type":"transaction","timestamp":"2024-01-01T00:00:00Z","link":[{"relation":"self","url":"http://example.org"}],
	"entry":[{"fullUrl":"urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7","resource":{"resourceType":"Patient","id":"a","contained":[{"resourceType":"Basic","id":"b","code":{"text":"x"}}],
	"extension":[{"url":"http://example.org/r","valueReference":{"reference":"#b"}}]},"request":{"method":"POST","url":"Patient"}},{"link":[{"relation":"x","url":"http://example.org"}],"request":{"method":"DELETE","url":"Patient/1"}}]}'),
('Questionnaire', '{"resourceType":"Questionnaire","status":"draft","item":[{"linkId":"1","type":"group","item":[{"linkId":"1.1","type":"choice","answerOption":[{"valueTime":"12:00:00"}],
	"enableWhen":[{"question":"1","operator":"=","answerBoolean":true}]}]}]}'),
('ValueSet', '{"resourceType":"ValueSet","url":"http://example.org/v","status":"active","compose":{"include":[{"system":"http://example.org","concept":[{"code":"a","designation":[{"value":"x"}]}]}],
	"exclude":[{"system":"http://example.org","filter":[{"property":"p","op":"is-a","value":"v"}]}]},"expansion":{"timestamp":"2024-01-01","total":1,"contains":[{"system":"http://example.org","code":"a","contains":[{"system":"http://example.org","code":"b"}]}]}}'),
('Parameters', '{"resourceType":"Parameters","parameter":[{"name":"a","valueUuid":"urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7"},{"name":"b","valueOid":"urn:oid:1.2.840.10004"},
	{"name":"c","resource":{"resourceType":"Patient"}},{"name":"d","part":[{"name":"e","valueUnsignedInt":0},{"name":"f","valuePositiveInt":1},{"name":"g","valueInstant":"2024-01-01T00:00:00.5-05:00"}]}]}'),
('Immunization', '{"resourceType":"Immunization","status":"completed","vaccineCode":{"text":"x"},"patient":{"reference":"Patient/1"},"occurrenceString":"x","protocolApplied":[{"doseNumberPositiveInt":1}]}'),
('Binary', '{"resourceType":"Binary","contentType":"text/plain;charset=utf-8","data":"aGVsbG8gd29ybGQ="}'),
('Claim', '{"resourceType":"Claim","status":"active","type":{"text":"x"},"use":"claim","patient":{"reference":"Patient/1"},"created":"2024-05","provider":{"reference":"Organization/1"},
	"priority":{"text":"x"},"insurance":[{"sequence":1,"focal":true,"coverage":{"reference":"Coverage/1"}}],"item":[{"sequence":1,"productOrService":{"text":"x"},"net":{"value":10.5,"currency":"VND"},
	"detail":[{"sequence":1,"productOrService":{"text":"x"},"subDetail":[{"sequence":1,"productOrService":{"text":"x"}}]}]}],"total":{"value":1,"currency":"USD"}}'),
('StructureDefinition', '{"resourceType":"StructureDefinition","url":"http://example.org/s","name":"S","status":"draft","kind":"resource","abstract":false,"type":"Patient","baseDefinition":"http://hl7.org/fhir/StructureDefinition/Patient","derivation":"constraint",
	"differential":{"element":[{"id":"Patient","path":"Patient","min":0,"max":"*"},{"id":"Patient.language","path":"Patient.language","fixedCode":"a"},
	{"id":"Patient.managingOrganization","path":"Patient.managingOrganization","type":[{"code":"Reference","targetProfile":["http://hl7.org/fhir/StructureDefinition/Group"]}]}]}}'),
('CapabilityStatement', '{"resourceType":"CapabilityStatement","status":"active","date":"2024","kind":"instance","implementation":{"description":"x"},"fhirVersion":"4.0.1","format":["json"],
	"rest":[{"mode":"server","resource":[{"type":"Patient","interaction":[{"code":"read"}],"searchParam":[{"name":"a","type":"token"}]}],"searchParam":[{"name":"b","type":"date"}]}]}'),
('Provenance', '{"resourceType":"Provenance","target":[{"reference":"Patient/1"}],"recorded":"2024-01-01T00:00:00Z","agent":[{"who":{"display":"x"}}],"signature":[{"type":[{"code":"x"}],"when":"2024-01-01T00:00:00Z","who":{"display":"x"}}]}'),
('Group', '{"resourceType":"Group","type":"person","actual":true,"characteristic":[{"code":{"text":"x"},"valueRange":{"low":{"value":1}},"exclude":false}]}'),
('AllergyIntolerance', '{"resourceType":"AllergyIntolerance","clinicalStatus":{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical","code":"active"}]},"category":["food"],"patient":{"reference":"Patient/1"},"reaction":[{"manifestation":[{"text":"x"}]}]}'),
('Procedure', '{"resourceType":"Procedure","status":"completed","subject":{"reference":"Patient/1"},"performedPeriod":{"start":"2024-01-01"},"performer":[{"actor":{"reference":"Practitioner/1"}}]}'),
('DiagnosticReport', '{"resourceType":"DiagnosticReport","status":"final","code":{"text":"x"},"effectivePeriod":{"start":"2024"},"presentedForm":[{"contentType":"application/pdf"}],"media":[{"link":{"reference":"Media/1"}}]}'),
('Appointment', '{"resourceType":"Appointment","status":"booked","start":"2024-01-01T00:00:00Z","end":"2024-01-01T00:05:00Z","minutesDuration":5,"participant":[{"status":"accepted","actor":{"reference":"Patient/1"}}]}'),
('CarePlan', '{"resourceType":"CarePlan","status":"active","intent":"plan","subject":{"reference":"Patient/1"},"activity":[{"detail":{"status":"scheduled","scheduledString":"x"}}]}'),
('Composition', '{"resourceType":"Composition","status":"final","type":{"text":"x"},"date":"2024-01-01","author":[{"reference":"Practitioner/1"}],"title":"x","section":[{"title":"x","section":[{"title":"y","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"}}]}]}'),
('Consent', '{"resourceType":"Consent","status":"active","scope":{"text":"x"},"category":[{"text":"x"}],"policyRule":{"text":"x"},"provision":{"type":"permit","provision":[{"type":"deny","period":{"end":"2024"}}]}}'),
('Location', '{"resourceType":"Location","status":"active","position":{"longitude":106.7,"latitude":10.8},"hoursOfOperation":[{"daysOfWeek":["mon"],"openingTime":"07:00:00"}]}'),
('Organization', '{"resourceType":"Organization","alias":["x"],"name":"x","partOf":{"reference":"Organization/1"}}'),
('Practitioner', '{"resourceType":"Practitioner","qualification":[{"code":{"text":"x"},"issuer":{"reference":"Organization/1"}}]}'),
('Task', '{"resourceType":"Task","status":"requested","intent":"order","input":[{"type":{"text":"x"},"valueMarkdown":"*x*"}],"restriction":{"repetitions":1}}'),
('Coverage', '{"resourceType":"Coverage","status":"active","beneficiary":{"reference":"Patient/1"},"payor":[{"reference":"Organization/1"}],"order":1}'),
('ServiceRequest', '{"resourceType":"ServiceRequest","status":"active","intent":"order","subject":{"reference":"Patient/1"},"quantityQuantity":{"value":1}}'),
('Specimen', '{"resourceType":"Specimen","status":"available","collection":{"collectedDateTime":"2024-01-01","quantity":{"value":1}}}'),
('Goal', '{"resourceType":"Goal","lifecycleStatus":"active","description":{"text":"x"},"subject":{"reference":"Patient/1"},"target":[{"measure":{"text":"x"},"detailQuantity":{"value":1},"dueDate":"2024-01-01"}]}'),
('Basic', '{"resourceType":"Basic","code":{"text":"x"}}'),
('Device', '{"resourceType":"Device","status":"active","udiCarrier":[{"carrierAIDC":"aGVsbG8="}],"deviceName":[{"name":"x","type":"user-friendly-name"}]}');

SELECT count(*) AS resource_types FROM base;
SELECT name, ehr.validate(doc)::jsonb -> 'issue' AS not_valid FROM base
WHERE NOT ehr.is_valid(doc) OR ehr.validate(doc) @? '$.issue[*] ? (@.severity == "error" || @.severity == "fatal")';

-- op: set (jsonb_set at a path, made where absent), cut (removed), or a whole document
CREATE TEMP TABLE mutation (n int GENERATED ALWAYS AS IDENTITY, name text, op text, path text[], value jsonb, rule text, place text);
INSERT INTO mutation (name, op, path, value, rule, place) VALUES
-- elements that are unknown or elsewhere
('Patient','set','{naem}','[]','unknown-element','Patient.naem'),
('Patient','set','{Name}','[]','unknown-element','Patient.Name'),
('Patient','set','{birth date}','"x"','unknown-element','Patient'),
('Patient','set','{name,0,first}','"x"','unknown-element','Patient.name[0].first'),
('Patient','set','{name,0,resourceType}','"HumanName"','unknown-element','Patient.name[0].resourceType'),
('Patient','set','{deceased}','true','unknown-element','Patient.deceased'),
('Patient','set','{deceasedString}','"x"','unknown-element','Patient.deceasedString'),
('Patient','set','{_id}','{"id":"x"}','unknown-element','Patient._id'),
('Patient','set','{_name}','[{"id":"x"}]','unknown-element','Patient._name'),
('Observation','set','{birthDate}','"2020"','unknown-element','Observation.birthDate'),
('Observation','set','{valueAge}','{"value":1}','unknown-element','Observation.valueAge'),
('Bundle','set','{text}','{}','unknown-element','Bundle.text'),
('Bundle','set','{entry,0,resource,foo}','1','unknown-element','Bundle.entry[0].resource.foo'),
('Organization','set','{fhir_comments}','["x"]','unknown-element','Organization.fhir_comments'),
-- wrong JSON types
('Patient','set','{active}','"true"','json-type','Patient.active'),
('Patient','set','{birthDate}','1990','json-type','Patient.birthDate'),
('Patient','set','{birthDate}','{"x":1}','json-type','Patient.birthDate'),
('Patient','set','{name,0}','"x"','json-type','Patient.name[0]'),
('Patient','set','{multipleBirthInteger}','"2"','json-type','Patient.multipleBirth.ofType(integer)'),
('Patient','set','{meta}','"x"','json-type','Patient.meta'),
('Patient','set','{_birthDate}','"x"','json-type','Patient.birthDate'),
('Observation','set','{valueQuantity,value}','"1.5"','json-type','Observation.value.ofType(Quantity).value'),
('Observation','set','{code}','"x"','json-type','Observation.code'),
('Encounter','set','{diagnosis,0,rank}','true','json-type','Encounter.diagnosis[0].rank'),
('Bundle','set','{entry,0,resource}','"x"','no-object','Bundle.entry[0].resource'),
('Bundle','set','{entry,0,resource,resourceType}','"Pateint"','unknown-resource-type','Bundle.entry[0].resource'),
('Bundle','cut','{entry,0,resource,resourceType}',NULL,'no-resource-type','Bundle.entry[0].resource'),
('Parameters','set','{parameter,2,resource,resourceType}','"Resource"','unknown-resource-type','Parameters.parameter[2].resource'),
-- arrays where none may be, and none where one must be
('Patient','set','{name}','{"family":"x"}','not-array','Patient.name'),
('Patient','set','{address,0,line}','"x"','not-array','Patient.address[0].line'),
('Patient','set','{birthDate}','["1990"]','array','Patient.birthDate'),
('Patient','set','{gender}','["male"]','array','Patient.gender'),
('Patient','set','{name,0,family}','["x"]','array','Patient.name[0].family'),
('Patient','set','{_birthDate}','[{"id":"x"}]','array','Patient.birthDate'),
('Observation','set','{code}','[{"text":"x"}]','array','Observation.code'),
('Claim','set','{item,0,detail}','{"sequence":1}','not-array','Claim.item[0].detail'),
('Organization','set','{alias}','"x"','not-array','Organization.alias'),
-- empty
('Patient','set','{name}','[]','empty-array','Patient.name'),
('Patient','set','{name,0}','{}','empty-object','Patient.name[0]'),
('Patient','set','{address,0,line}','[]','empty-array','Patient.address[0].line'),
('Patient','set','{name,0,family}','""','empty-string','Patient.name[0].family'),
('Patient','set','{maritalStatus}','{}','empty-object','Patient.maritalStatus'),
('Patient','set','{_gender}','{}','empty-object','Patient.gender'),
('Patient','set','{contained}','[]','empty-array','Patient.contained'),
('Observation','set','{referenceRange,0}','{}','empty-object','Observation.referenceRange[0]'),
('Binary','set','{data}','""','empty-string','Binary.data'),
('Goal','set','{target}','[]','empty-array','Goal.target'),
-- null
('Patient','set','{birthDate}','null','null','Patient.birthDate'),
('Patient','set','{name}','null','null','Patient.name'),
('Patient','set','{name,0}','null','null','Patient.name[0]'),
('Patient','set','{name,0,given}','["a",null,null]','null','Patient.name[0].given[2]'),
('Patient','set','{address,0,line}','["a",null]','null','Patient.address[0].line[1]'),
('Practitioner','set','{qualification}','[null]','null','Practitioner.qualification[0]'),
-- _name beside name
('Patient','set','{name,0,_given}','[null,{"extension":[{"url":"a","valueCode":"x"}]}]','sibling','Patient.name[0].given'),
('Patient','set','{name,0,_given}','[null,{"extension":[{"url":"a","valueCode":"x"}]},null,{"extension":[{"url":"a","valueCode":"x"}]}]','sibling','Patient.name[0].given'),
('Patient','set','{name,0,_family}','{"value":"x"}','unknown-element','Patient.name[0].family.value'),
('Patient','set','{_birthDate,extension,0,url}','1','json-type','Patient.birthDate.extension[0].url'),
('Patient','cut','{birthDate}',NULL,NULL,NULL),
('Patient','set','{_active}','{"id":"a1"}',NULL,NULL),
('Patient','set','{_language}','{"id":"a1"}','only-id','Patient.language'),
('Organization','set','{_alias}','{"id":"a1"}','not-array','Organization.alias'),
-- missing
('Observation','cut','{status}',NULL,'required','Observation.status'),
('Observation','cut','{code}',NULL,'required','Observation.code'),
('Observation','cut','{component,0,code}',NULL,'required','Observation.component[0].code'),
('Condition','cut','{subject}',NULL,'required','Condition.subject'),
('Encounter','cut','{class}',NULL,'required','Encounter.class'),
('Encounter','cut','{statusHistory,0,period}',NULL,'required','Encounter.statusHistory[0].period'),
('MedicationRequest','cut','{medicationCodeableConcept}',NULL,'required','MedicationRequest.medication'),
('Immunization','cut','{occurrenceString}',NULL,'required','Immunization.occurrence'),
('Immunization','cut','{protocolApplied,0,doseNumberPositiveInt}',NULL,'empty-object','Immunization.protocolApplied[0]'),
('Bundle','cut','{type}',NULL,'required','Bundle.type'),
('Bundle','cut','{entry,0,request,method}',NULL,'required','Bundle.entry[0].request.method'),
('Questionnaire','cut','{item,0,item,0,linkId}',NULL,'required','Questionnaire.item[0].item[0].linkId'),
('Claim','cut','{item,0,detail,0,subDetail,0,productOrService}',NULL,'required','Claim.item[0].detail[0].subDetail[0].productOrService'),
('Provenance','cut','{agent}',NULL,'required','Provenance.agent'),
('Composition','cut','{author}',NULL,'required','Composition.author'),
('Patient','cut','{text,div}',NULL,'required','Patient.text.div'),
('Patient','cut','{communication,0,language}',NULL,'required','Patient.communication[0].language'),
('StructureDefinition','cut','{differential,element,0,path}',NULL,'required','StructureDefinition.differential.element[0].path'),
('Coverage','cut','{payor}',NULL,'required','Coverage.payor'),
('Consent','cut','{scope}',NULL,'required','Consent.scope'),
('Procedure','cut','{performer,0,actor}',NULL,'empty-object','Procedure.performer[0]'),
-- two of one choice
('Patient','set','{deceasedDateTime}','"2020"','choice','Patient.deceased'),
('Patient','set','{_deceasedDateTime}','{"extension":[{"url":"http://example.org/e","valueCode":"x"}]}','choice','Patient.deceased'),
('Patient','set','{multipleBirthBoolean}','true','choice','Patient.multipleBirth'),
('Observation','set','{valueString}','"x"','choice','Observation.value'),
('Observation','set','{effectivePeriod}','{"start":"2024"}','choice','Observation.effective'),
('Observation','set','{component,0,valueBoolean}','true','choice','Observation.component[0].value'),
('Condition','set','{onsetString}','"x"','choice','Condition.onset'),
('MedicationRequest','set','{medicationReference}','{"reference":"Medication/1"}','choice','MedicationRequest.medication'),
('Immunization','set','{occurrenceDateTime}','"2020"','choice','Immunization.occurrence'),
('Group','set','{characteristic,0,valueBoolean}','true','choice','Group.characteristic[0].value'),
('Patient','set','{extension,0,valueCode}','"x"','choice','Patient.extension[0].value'),
('ServiceRequest','set','{quantityRange}','{"low":{"value":1}}','choice','ServiceRequest.quantity'),
-- formats
('Patient','set','{birthDate}','"1990-02-30"','format','Patient.birthDate'),
('Patient','set','{birthDate}','"2023-02-29"','format','Patient.birthDate'),
('Patient','set','{birthDate}','"1900-02-29"','format','Patient.birthDate'),
('Patient','set','{birthDate}','"1990-04-31"','format','Patient.birthDate'),
('Patient','set','{birthDate}','"1990-13"','format','Patient.birthDate'),
('Patient','set','{birthDate}','"1990-2-3"','format','Patient.birthDate'),
('Patient','set','{birthDate}','"01/02/1990"','format','Patient.birthDate'),
('Patient','set','{birthDate}','"0000"','format','Patient.birthDate'),
('Patient','set','{birthDate}','"1990-01-01T00:00:00Z"','format','Patient.birthDate'),
('Patient','set','{id}','"a_b"','format','Patient.id'),
('Patient','set','{id}',to_jsonb(repeat('a', 65)),'format','Patient.id'),
('Patient','set','{meta,lastUpdated}','"2024-02-29"','format','Patient.meta.lastUpdated'),
('Patient','set','{meta,lastUpdated}','"2024-02-29T08:00:00"','format','Patient.meta.lastUpdated'),
('Patient','set','{meta,profile,0}','"http://a b"','format','Patient.meta.profile[0]'),
('Patient','set','{telecom,0,rank}','0','format','Patient.telecom[0].rank'),
('Patient','set','{telecom,0,rank}','2147483648','format','Patient.telecom[0].rank'),
('Patient','set','{telecom,0,rank}','1.0','format','Patient.telecom[0].rank'),
('Patient','set','{photo,0,size}','-1','format','Patient.photo[0].size'),
('Patient','set','{photo,0,data}','"aGVsbG8"','format','Patient.photo[0].data'),
('Patient','set','{multipleBirthInteger}','1.5','format','Patient.multipleBirth.ofType(integer)'),
('Patient','set','{multipleBirthInteger}','-2147483649','format','Patient.multipleBirth.ofType(integer)'),
('Patient','set','{name,0,family}','"a\u0001b"','format','Patient.name[0].family'),
('Patient','set','{language}','" vi"','format','Patient.language'),
('Observation','set','{effectiveDateTime}','"2024-01-31T23:59"','format','Observation.effective.ofType(dateTime)'),
('Observation','set','{effectiveDateTime}','"2024-01-31T24:00:00Z"','format','Observation.effective.ofType(dateTime)'),
('Observation','set','{effectiveDateTime}','"2024-01-31T23:59:59"','format','Observation.effective.ofType(dateTime)'),
('Observation','set','{effectiveDateTime}','"2024-01-31T23:59:59+15:00"','format','Observation.effective.ofType(dateTime)'),
('Observation','set','{issued}','"2024-01-31 23:59:59Z"','format','Observation.issued'),
('Observation','set','{category,0,coding,0,code}','"x  y"','format','Observation.category[0].coding[0].code'),
('Parameters','set','{parameter,0,valueUuid}','"urn:uuid:53FEFA32-fcbb-4ff8-8a92-55ee120877b7"','format','Parameters.parameter[0].value.ofType(uuid)'),
('Parameters','set','{parameter,1,valueOid}','"urn:oid:1.02"','format','Parameters.parameter[1].value.ofType(oid)'),
('Parameters','set','{parameter,3,part,0,valueUnsignedInt}','-1','format','Parameters.parameter[3].part[0].value.ofType(unsignedInt)'),
('Questionnaire','set','{item,0,item,0,answerOption,0,valueTime}','"24:00:00"','format','Questionnaire.item[0].item[0].answerOption[0].value.ofType(time)'),
('Location','set','{hoursOfOperation,0,openingTime}','"7:00:00"','format','Location.hoursOfOperation[0].openingTime'),
('Binary','set','{data}','"a=bc"','format','Binary.data'),
('Appointment','set','{minutesDuration}','0','format','Appointment.minutesDuration'),
('Device','set','{udiCarrier,0,carrierAIDC}','"%%%%"','format','Device.udiCarrier[0].carrierAIDC'),
-- required codes
('Patient','set','{gender}','"Male"','code','Patient.gender'),
('Patient','set','{gender}','"M"','code','Patient.gender'),
('Patient','set','{name,0,use}','"offical"','code','Patient.name[0].use'),
('Patient','set','{link,0,type}','"same"','code','Patient.link[0].type'),
('Patient','set','{text,status}','"ok"','code','Patient.text.status'),
('Patient','set','{photo,0,contentType}','"png"','code','Patient.photo[0].contentType'),
('Observation','set','{status}','"done"','code','Observation.status'),
('Observation','set','{valueQuantity,comparator}','"=="','code','Observation.value.ofType(Quantity).comparator'),
('Condition','set','{clinicalStatus,coding,0,code}','"ill"','concept','Condition.clinicalStatus'),
('Condition','set','{clinicalStatus,coding,0,system}','"http://example.org"','concept','Condition.clinicalStatus'),
('Condition','set','{clinicalStatus}','{"text":"active"}','concept','Condition.clinicalStatus'),
('AllergyIntolerance','set','{category,0}','"foods"','code','AllergyIntolerance.category[0]'),
('AllergyIntolerance','set','{clinicalStatus,coding,0,code}','"x"','concept','AllergyIntolerance.clinicalStatus'),
('Claim','set','{use}','"bill"','code','Claim.use'),
('Claim','set','{item,0,net,currency}','"VNĐ"','code','Claim.item[0].net.currency'),
('Bundle','set','{entry,1,request,method}','"delete"','code','Bundle.entry[1].request.method'),
('MedicationRequest','set','{dosageInstruction,0,timing,repeat,periodUnit}','"day"','code','MedicationRequest.dosageInstruction[0].timing.repeat.periodUnit'),
('MedicationRequest','set','{dosageInstruction,0,timing,repeat,dayOfWeek,0}','"monday"','code','MedicationRequest.dosageInstruction[0].timing.repeat.dayOfWeek[0]'),
('CapabilityStatement','set','{rest,0,resource,0,type}','"Pat"','code','CapabilityStatement.rest[0].resource[0].type'),
('CapabilityStatement','set','{rest,0,searchParam,0,type}','"text"','code','CapabilityStatement.rest[0].searchParam[0].type'),
('Questionnaire','set','{item,0,type}','"question"','code','Questionnaire.item[0].type'),
('Task','set','{intent}','"wish"','code','Task.intent'),
('Specimen','set','{status}','"there"','code','Specimen.status'),
('Device','set','{deviceName,0,type}','"nick"','code','Device.deviceName[0].type'),
('Consent','set','{provision,provision,0,type}','"maybe"','code','Consent.provision.provision[0].type'),
('ValueSet','set','{compose,exclude,0,filter,0,op}','"isa"','code','ValueSet.compose.exclude[0].filter[0].op'),
-- extensions
('Patient','cut','{extension,0,url}',NULL,'required','Patient.extension[0].url'),
('Patient','cut','{extension,0,valueString}',NULL,'extension-none','Patient.extension[0]'),
('Patient','set','{extension,1,valueString}','"x"','extension-both','Patient.extension[1]'),
('Patient','set','{extension,0,value}','"x"','unknown-element','Patient.extension[0].value'),
('Patient','set','{extension,1,extension,0,valueFoo}','"x"','unknown-element','Patient.extension[1].extension[0].valueFoo'),
('Organization','set','{extension}','[{"url":"a"}]','extension-none','Organization.extension[0]'),
('Goal','set','{modifierExtension}','[{"valueCode":"a"}]','required','Goal.modifierExtension[0].url'),
('Patient','set','{maritalStatus}','{"id":"x"}','only-id','Patient.maritalStatus'),
-- references
('Patient','set','{generalPractitioner,0,reference}','"Patient/1"','reference-target','Patient.generalPractitioner[0].reference'),
('Patient','set','{generalPractitioner,0,type}','"Patient"','reference-target','Patient.generalPractitioner[0].type'),
('Patient','set','{managingOrganization,reference}','"http://example.org/fhir/Patient/1"','reference-target','Patient.managingOrganization.reference'),
('Patient','set','{managingOrganization,reference}','"1"','reference-form','Patient.managingOrganization.reference'),
('Patient','set','{managingOrganization,reference}','"organization/1"','reference-form','Patient.managingOrganization.reference'),
('Observation','set','{subject,reference}','"Patient/a_b"','reference-form','Observation.subject.reference'),
('Observation','set','{subject,reference}','"Patient/"','reference-form','Observation.subject.reference'),
('Observation','set','{subject,reference}','"/Patient/1"','reference-form','Observation.subject.reference'),
('Observation','set','{subject,reference}','"Medication/1"','reference-target','Observation.subject.reference'),
('Observation','set','{subject,reference}','"urn:uuid:1"','reference-form','Observation.subject.reference'),
('Encounter','set','{participant,0,individual,reference}','"Group?identifier=1"','reference-target','Encounter.participant[0].individual.reference'),
('Coverage','set','{beneficiary,reference}','"Group/1"','reference-target','Coverage.beneficiary.reference'),
('DiagnosticReport','set','{media,0,link,reference}','"Binary/1"','reference-target','DiagnosticReport.media[0].link.reference'),
-- contained
('Patient','set','{contained,1,id}','"o1"','contained-twice','Patient.contained[1]'),
('Patient','cut','{contained,1,id}',NULL,'contained-id','Patient.contained[1]'),
('Patient','set','{contained,0,contained}','[{"resourceType":"Basic","id":"q","code":{"text":"x"}}]','contained-nested','Patient.contained[0].contained'),
('Patient','set','{contained,0,name}','1','json-type','Patient.contained[0].name'),
('Bundle','set','{entry,0,resource,contained,0,contained}','[{"resourceType":"Patient"}]','contained-nested','Bundle.entry[0].resource.contained[0].contained'),
-- the edges of formats and limits: each of these is right
('Patient','set','{birthDate}','"2000-02-29"',NULL,NULL),
('Patient','set','{birthDate}','"1990-02"',NULL,NULL),
('Patient','set','{meta,lastUpdated}','"2016-12-31T23:59:60Z"',NULL,NULL),
('Patient','set','{telecom,0,rank}','2147483647',NULL,NULL),
('Patient','set','{multipleBirthInteger}','-2147483648',NULL,NULL),
('Patient','set','{photo,0,size}','0',NULL,NULL),
('Patient','set','{id}',to_jsonb(repeat('a', 64)),NULL,NULL),
('Binary','set','{data}','"aGVs bG8="',NULL,NULL),
-- and these are not
('Patient','set','{telecom,0,rank}','-1','format','Patient.telecom[0].rank'),
('Patient','set','{photo,0,size}','2147483648','format','Patient.photo[0].size'),
('Patient','set','{multipleBirthInteger}','2147483648','format','Patient.multipleBirth.ofType(integer)'),
('Patient','set','{meta,lastUpdated}','"2023-02-29T08:00:00Z"','format','Patient.meta.lastUpdated'),
('Patient','set','{meta,lastUpdated}','"2024-01-01T08:60:00Z"','format','Patient.meta.lastUpdated'),
('Observation','set','{category,0,coding,0,code}','" x"','format','Observation.category[0].coding[0].code'),
('Observation','set','{category,0,coding,0,code}','"x "','format','Observation.category[0].coding[0].code'),
('Observation','set','{category,0,coding,0,system}','"http://example.org/c d"','format','Observation.category[0].coding[0].system'),
('Observation','set','{effectiveDateTime}','"2024-02-30"','format','Observation.effective.ofType(dateTime)'),
('Parameters','set','{parameter,0,valueUuid}','"53fefa32-fcbb-4ff8-8a92-55ee120877b7"','format','Parameters.parameter[0].value.ofType(uuid)'),
('Parameters','set','{parameter,1,valueOid}','"1.2.840.10004"','format','Parameters.parameter[1].value.ofType(oid)'),
('Parameters','set','{parameter,1,valueOid}','"urn:oid:3.1"','format','Parameters.parameter[1].value.ofType(oid)'),
('Parameters','set','{parameter,3,part,1,valuePositiveInt}','0','format','Parameters.parameter[3].part[1].value.ofType(positiveInt)'),
('Parameters','set','{parameter,3,part,2,valueInstant}','"2024-01-01T00:00Z"','format','Parameters.parameter[3].part[2].value.ofType(instant)'),
('Basic','set','{code,text}',to_jsonb(repeat('a', 1048577)),'format','Basic.code.text'),
('Basic','set','{code,text}',to_jsonb(repeat('a', 1048576)),NULL,NULL),
-- ids of elements are ids too, and of contained resources unique across all of them
('Patient','set','{name,0,id}','""','empty-string','Patient.name[0].id'),
('Patient','set','{contained,2}','{"resourceType":"Practitioner","id":"o1"}','contained-twice','Patient.contained[2]'),
('Patient','set','{contained,0,id}','"o 1"','format','Patient.contained[0].id'),
('Patient','set','{contained,0,resourceType}','"Organisation"','unknown-resource-type','Patient.contained[0]'),
('Patient','set','{contained}','{"resourceType":"Organization","id":"o1"}','not-array','Patient.contained'),
('Patient','set','{text,div}','"<div xmlns=\"http://www.w3.org/1999/xhtml\"><img src=\"javascript:x\"/></div>"','xhtml-script','Patient.text.div'),
('Patient','set','{text,div}','"<div xmlns=\"http://www.w3.org/1999/xhtml\"><form>y</form></div>"','xhtml-element','Patient.text.div'),
('Patient','set','{managingOrganization,reference}','"urn:oid:1.02"','reference-form','Patient.managingOrganization.reference'),
-- narrative
('Patient','set','{text,div}','"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>x</div>"','xhtml-malformed','Patient.text.div'),
('Patient','set','{text,div}','"<div xmlns=\"http://www.w3.org/1999/xhtml\">a &nbsp; b</div>"','xhtml-malformed','Patient.text.div'),
('Patient','set','{text,div}','"<div>x</div>"','xhtml-root','Patient.text.div'),
('Patient','set','{text,div}','"<p xmlns=\"http://www.w3.org/1999/xhtml\">x</p>"','xhtml-root','Patient.text.div'),
('Patient','set','{text,div}','"x"','xhtml-malformed','Patient.text.div'),
('Patient','set','{text,div}','"<div xmlns=\"http://www.w3.org/1999/xhtml\"><script>x</script></div>"','xhtml-script','Patient.text.div'),
('Patient','set','{text,div}','"<div xmlns=\"http://www.w3.org/1999/xhtml\" onclick=\"x\">y</div>"','xhtml-script','Patient.text.div'),
('Patient','set','{text,div}','"<div xmlns=\"http://www.w3.org/1999/xhtml\"><a href=\"java&#115;cript:x\">y</a></div>"','xhtml-script','Patient.text.div'),
('Patient','set','{text,div}','"<div xmlns=\"http://www.w3.org/1999/xhtml\"><iframe src=\"x\">y</iframe></div>"','xhtml-element','Patient.text.div'),
('Composition','set','{section,0,section,0,text,div}','"<div xmlns=\"http://www.w3.org/1999/xhtml\"> </div>"','xhtml-empty','Composition.section[0].section[0].text.div');

-- R4's invariants (dom-6 and the like), which are validate's own, are left out: validate_invariants has them
CREATE TEMP VIEW verdict AS
SELECT n, m.name, m.path, m.rule, m.place, d.doc, jsonb_path_query_array(ehr.validate(d.doc),
	'$.issue[*] ? (@.severity == "error" && !(@.details.coding[0].code like_regex "^[a-z]+-[0-9]+[a-z]?$"))') AS issues
FROM mutation m JOIN base b USING (name),
	LATERAL (SELECT CASE op WHEN 'cut' THEN b.doc #- path ELSE jsonb_set(b.doc, path, value) END AS doc) d;

SELECT count(*) AS mutations, count(DISTINCT name) AS types FROM mutation;
SELECT rule, count(*) FROM mutation GROUP BY rule ORDER BY rule;

-- every fault is named with its rule and place, as the only one
SELECT n, name, path, rule, place, issues FROM verdict
WHERE rule IS NOT NULL AND (jsonb_array_length(issues) <> 1 OR issues #>> '{0,severity}' <> 'error'
	OR issues #>> '{0,details,coding,0,code}' IS DISTINCT FROM rule OR issues #>> '{0,expression,0}' IS DISTINCT FROM place);
-- what is no fault is none
SELECT n, name, path, issues FROM verdict WHERE rule IS NULL AND issues #>> '{0,severity}' <> 'information';
-- the type refuses the same; txt-2 is only a matter of validate()
SELECT n, name, path, rule FROM verdict WHERE (rule IS NULL OR rule = 'xhtml-empty') <> ehr.is_valid(doc);

CREATE FUNCTION pg_temp.refusal(d jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE state text; detail text;
BEGIN
	PERFORM d::text::ehr.fhir;
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = returned_sqlstate, detail = pg_exception_detail;
	RETURN state || ' ' || split_part(detail, ': ', 1);
END $$;
SELECT n, name, path, rule, pg_temp.refusal(doc) FROM verdict
WHERE pg_temp.refusal(doc) <> CASE WHEN rule IS NULL OR rule = 'xhtml-empty' THEN 'accepted' ELSE '23514 ' || place END;

-- What jsonb would swallow or cannot hold: sent as text. The type and validate(text) name the same rule and place.
CREATE FUNCTION pg_temp.found(t text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(i #>> '{details,coding,0,code}' || ' ' || (i #>> '{expression,0}'), ', ' ORDER BY n)
	FROM jsonb_array_elements(ehr.validate(t)::jsonb -> 'issue') WITH ORDINALITY AS x(i, n) WHERE i ->> 'severity' IN ('fatal', 'error')
$$;
CREATE FUNCTION pg_temp.refusal_of(t text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE detail text;
BEGIN
	PERFORM t::ehr.fhir;
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = pg_exception_detail;
	RETURN SQLSTATE || ' ' || detail;
END $$;
CREATE TEMP TABLE sent (t text, rule text, place text);
INSERT INTO sent VALUES
('{"resourceType":"Patient","active":true,"active":false}', 'duplicate-key', 'Patient.active'),
('{"resourceType":"Patient","active":true,"active":true}', 'duplicate-key', 'Patient.active'),
('{"resourceType":"Patient","resourceType":"Patient"}', 'duplicate-key', 'Patient.resourceType'),
('{"resourceType":"Patient","name":[{"family":"a"},{"family":"b","use":"usual","family":"c"}]}', 'duplicate-key', 'Patient.name[1].family'),
('{"resourceType":"Patient","id":"a","\u0069d":"b"}', 'duplicate-key', 'Patient.id'),
('{"resourceType":"Patient","contained":[{"resourceType":"Organization","id":"o","name":"x","name":"x"}],"managingOrganization":{"reference":"#o"}}', 'duplicate-key', 'Patient.contained[0].name'),
('{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient","gender":"male","gender":"female"}}]}', 'duplicate-key', 'Bundle.entry[0].resource.gender'),
('{"resourceType":"Patient","extension":[{"url":"http://example.org/e","valueString":"x","valueString":"y"}]}', 'duplicate-key', 'Patient.extension[0].valueString'),
('{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":1,"value":1.0}}', 'duplicate-key', 'Observation.value.ofType(Quantity).value'),
('{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":1e1000}}', 'format', 'Observation.value.ofType(Quantity).value'),
('{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueInteger":1e0}', 'format', 'Observation.value.ofType(integer)'),
('{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueInteger":-0.0}', 'format', 'Observation.value.ofType(integer)'),
('{"resourceType":"Basic","code":{"text":"x"},"extension":[' || repeat('{"url":"a","extension":[', 70) || '{"url":"a","valueBoolean":true}' || repeat(']}', 70) || ']}', 'depth',
	'Basic' || repeat('.extension[0]', 58) || '....');
SELECT rule, place, pg_temp.found(t), pg_temp.refusal_of(t) FROM sent
WHERE pg_temp.found(t) <> rule || ' ' || place OR starts_with(pg_temp.refusal_of(t), '23514 ' || place || ': ') IS NOT TRUE;
SELECT rule, count(*) AS sent FROM sent GROUP BY rule ORDER BY rule;

-- R4's invariants: validate() finds each, and nothing else but dom-2 where contained-nested says the same. Those that are rules of
-- structure the type refuses, the others it takes.
CREATE TEMP TABLE broken (name text, path text[], value jsonb, rule text, place text, refused boolean);
INSERT INTO broken VALUES
('Patient','{identifier,0,period}','{"start":"2021","end":"2020"}','per-1','Patient.identifier[0].period',false),
('Condition','{onsetAge,value}','-1','age-1','Condition.onset.ofType(Age)',false),
('Observation','{valueQuantity,system}',NULL,'qty-3','Observation.value.ofType(Quantity)',false),
('Patient','{telecom,0,system}',NULL,'cpt-2','Patient.telecom[0]',false),
('Observation','{component,0,code}','{"coding":[{"system":"http://loinc.org","code":"8480-6"}]}','obs-7','Observation',false),
('Observation','{dataAbsentReason}','{"text":"x"}','obs-6','Observation',false),
('Observation','{referenceRange,0}','{"appliesTo":[{"text":"x"}]}','obs-3','Observation.referenceRange[0]',false),
('Patient','{contact,0,organization,reference}','"Organization/2"','dom-3','Patient.contained[0]',false),
('Patient','{managingOrganization,reference}','"#o9"','ref-1','Patient.managingOrganization.reference',false),
('Patient','{contained,0,meta}','{"versionId":"1"}','dom-4','Patient',false),
('Patient','{contained,0,meta}','{"security":[{"code":"R"}]}','dom-5','Patient',false),
('Patient','{contact,1}','{"gender":"male"}','pat-1','Patient.contact[1]',false),
('Patient','{photo,0,contentType}',NULL,'att-1','Patient.photo[0]',false),
('MedicationRequest','{dosageInstruction,0,timing,repeat,periodUnit}',NULL,'tim-2','MedicationRequest.dosageInstruction[0].timing.repeat',false),
('Bundle','{entry,0,request}',NULL,'bdl-3','Bundle',false),
('Patient','{extension,0,extension}','[{"url":"g","valueCode":"h"}]','extension-both','Patient.extension[0]',true),
('Patient','{extension,0,valueString}',NULL,'extension-none','Patient.extension[0]',true),
('Patient','{maritalStatus}','{"id":"x"}','only-id','Patient.maritalStatus',true),
('Patient','{contained,0,contained}','[{"resourceType":"Basic","id":"q","code":{"text":"x"}}]','contained-nested','Patient.contained[0].contained',true),
('Patient','{text,div}','"<div xmlns=\"http://www.w3.org/1999/xhtml\"><script>x</script></div>"','xhtml-script','Patient.text.div',true),
('Composition','{section,0,section,0,text,div}','"<div xmlns=\"http://www.w3.org/1999/xhtml\"> </div>"','xhtml-empty','Composition.section[0].section[0].text.div',false);
SELECT name, rule, pg_temp.found(doc::text), pg_temp.refusal(doc) FROM (
	SELECT b.*, CASE WHEN value IS NULL THEN doc #- path ELSE jsonb_set(doc, path, value) END AS doc FROM broken b JOIN base USING (name)) AS x
WHERE replace(pg_temp.found(doc::text), ', dom-2 Patient', '') IS DISTINCT FROM rule || ' ' || place OR (pg_temp.refusal(doc) <> 'accepted') <> refused;
SELECT count(*) AS invariants FROM broken;

-- no rule of the walk is untested
SELECT r AS untested FROM unnest('{no-object,no-resource-type,unknown-resource-type,unknown-element,json-type,not-array,array,empty-array,
	empty-object,empty-string,null,required,choice,format,code,concept,sibling,only-id,extension-both,extension-none,reference-form,
	reference-target,contained-nested,contained-id,contained-twice,xhtml-malformed,xhtml-root,xhtml-element,xhtml-script,xhtml-empty,duplicate-key,depth}'::text[]) r
WHERE r NOT IN (SELECT rule FROM mutation WHERE rule IS NOT NULL UNION SELECT rule FROM sent);

-- many faults: each is listed
SELECT i #>> '{details,coding,0,code}' AS rule, i #>> '{expression,0}' AS place, i ->> 'severity' AS severity, i ->> 'code' AS code,
	i #>> '{details,text}' AS text, i ->> 'diagnostics' AS hint
FROM jsonb_array_elements(ehr.validate('{"resourceType":"Patient","naem":1,"gender":"m","name":[{"family":1},{"given":[]}],"birthDate":"x","link":[{"type":"x"}]}'::jsonb)::jsonb -> 'issue') i;
SELECT ehr.resource_type(ehr.validate('{"resourceType":"Patient"}'::jsonb)), ehr.validate('{"resourceType":"Patient"}'::jsonb);
SELECT ehr.validate(NULL::jsonb) IS NULL AS null_in_null_out;
-- an outcome is a valid resource, also a long one; no more than 1000 faults are listed
SELECT jsonb_array_length(o::jsonb -> 'issue') AS issues, o::jsonb #> '{issue,1000}' AS last, ehr.is_valid(o) AS valid
FROM (SELECT ehr.validate(jsonb_build_object('resourceType', 'Patient', 'name', (SELECT jsonb_agg('{}'::jsonb) FROM generate_series(1, 5000)))) AS o) x;
-- as text: what jsonb would have swallowed
SELECT ehr.validate('{"resourceType":"Patient","active":true,"active":false}');
SELECT ehr.validate('{"resourceType":"Patient",');
SAVEPOINT s;
SELECT ehr.validate('{"resourceType":"Patient"}'::jsonb, 'http://example.org/profile');
ROLLBACK;
