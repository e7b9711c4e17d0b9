// The face recognition network against the same network in TensorFlow.js, which the package that brings the weights runs.

import { join } from 'node:path';
import test from 'tape';
import { createWasmBackend } from '../../src/backends/wasm/backend.ts';
import { loadKnownNetwork } from '../../src/networks/architectures.ts';
import { evaluateNetwork } from '../../src/networks/evaluate.ts';
import { readTensors } from '../../src/networks/readers/index.ts';
import { relativeError } from '../conformance/evaluate.ts';
import { faceApiFolder, loadFaceApi } from '../tfjs.ts';

const manifest = join(faceApiFolder, 'model/face_recognition_model-weights_manifest.json');

test('face recognition gives what TensorFlow.js gives', async t => {
  const { tf, FaceRecognitionNet } = await loadFaceApi();
  const tensors = await readTensors(manifest);
  const theirs = new FaceRecognitionNet();
  theirs.loadFromWeightMap(
    Object.fromEntries([...tensors].map(([name, { shape, data }]) => [name, tf.tensor(data, shape)])),
  );
  const network = await loadKnownNetwork('face-api', manifest);
  const backend = await createWasmBackend({ threads: 1 });
  // 150 is the usual size; 138 has other remainders where grids are halved.
  for (const size of [150, 138]) {
    const shape = [size, size, 3];
    const data = Float32Array.from({ length: size * size * 3 }, (_, i) => (Math.sin(i * 0.011) + 1) / 2);
    const batch = tf.tensor(
      data.map(v => v * 255),
      [1, ...shape],
    );
    const expected: Float32Array = await theirs.forwardInput({ toBatchTensor: () => batch }).data();
    const found = await evaluateNetwork(network, { shape, data }, ['descriptor'], backend);
    const error = relativeError(found.get('descriptor')!.data, expected);
    t.equal(expected.length, 128);
    t.ok(error < 1e-4, `${size}×${size}: differs by ${error.toExponential(1)} of the largest value`);
  }
  await backend.close();
});
