// Started by gallery-steps.test.ts to be killed: enrols two lots of embeddings in turn, each in place of the other, and
// says when it has begun.

import { runPipeline } from '../../src/pipeline/index.ts';

const [folder] = process.argv.slice(2);
process.send!('begun');
for (;;) for (const lot of ['a', 'b']) await runPipeline(`${folder}/enrol-${lot}.yaml`, { out: folder });
