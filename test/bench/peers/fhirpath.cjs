// npm fhirpath with compiled expressions and its R4 model: node fhirpath.cjs MODULES EXPRESSIONS.json PATIENTS OBSERVATIONS BP ROUNDS
// Prints one line an expression: number, items found, microseconds of CPU for an evaluation (median of the rounds).
// Parsing the JSON is not counted. CPU time is that of the main thread.
const fs = require('fs');
const path = require('path');
const { createRequire } = require('module');

const [modules, list, patients, observations, bp, rounds] = process.argv.slice(2);
const load = createRequire(path.join(fs.realpathSync(modules), 'x.js'));
const fhirpath = load('fhirpath');
const r4 = load('fhirpath/fhir-context/r4');
const read = (name) => fs.readFileSync(name, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
const sets = { Patient: read(patients), Observation: read(observations), BP: read(bp) };
const cpu = () => Number(fs.readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]);

JSON.parse(fs.readFileSync(list, 'utf8')).forEach((expression, number) => {
	const docs = sets[expression.set];
	const compiled = fhirpath.compile(expression.fhirpath, r4);
	const times = [];
	const repeat = Math.max(1, Math.ceil(4000 / docs.length));
	let items = 0;
	for (let round = 0; round <= rounds; round++) {
		const start = cpu();
		for (let i = 0; i < repeat; i++) {
			items = 0;
			for (const doc of docs) items += compiled(doc).length;
		}
		if (round > 0) times.push((cpu() - start) / 1000 / docs.length / repeat);	// the first warms up
	}
	times.sort((a, b) => a - b);
	console.log([number, items, times[Math.floor(times.length / 2)].toFixed(3)].join('\t'));
});
