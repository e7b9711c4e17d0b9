// Every operation and its gradients against values computed by PyTorch (test/golden/generate.py), ranks 1 to 3.

import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import tape from 'tape';
import { createReferenceBackend } from '../../src/backends/reference.ts';
import { readNpz } from '../../src/formats/npz.ts';
import { once, relativeError } from '../conformance/evaluate.ts';
import { goldenCases } from './golden-cases.ts';

const folder = fileURLToPath(new URL('../golden/data/', import.meta.url));
const files = readdirSync(folder).map(name => name.replace('.npz', ''));

tape('golden files and cases belong together', t => {
  t.deepEqual(Object.keys(goldenCases).sort(), files.sort(), 'one file a case');
  t.end();
});

for (const [name, build] of Object.entries(goldenCases))
  tape(`golden: ${name}`, async t => {
    const arrays = await readNpz(readFileSync(`${folder}${name}.npz`), name);
    const get = (key: string) => {
      const array = arrays.get(key)!;
      return { shape: [...array.shape], data: Float32Array.from(array.data) };
    };
    const inputs = [...arrays.keys()]
      .filter(key => key.startsWith('i'))
      .sort()
      .map(get);
    const shapes = inputs.map(i => i.shape);
    const values = inputs.map(i => i.data);
    const { y, shape, gradients } = await once(await createReferenceBackend(), shapes, values, build, {
      probe: get('dy').data,
    });
    t.deepEqual(shape, get('y').shape, `shape [${shape}]`);
    const error = relativeError(y, get('y').data);
    t.ok(error < 1e-5, `result differs by ${error.toExponential(1)}`);
    for (const [i, gradient] of gradients.entries()) {
      const off = relativeError(gradient, get(`g${i}`).data);
      t.ok(off < 1e-4, `gradient ${i} differs by ${off.toExponential(1)}`);
    }
  });
