// Networks joined give what each gives by itself, side by side; a residual network of one cell still tells inputs apart.

import test from 'tape';
import { createReferenceBackend } from '../../src/backends/reference.ts';
import { evaluateNetwork } from '../../src/networks/evaluate.ts';
import { joinNetworks } from '../../src/networks/joined.ts';
import type { Network } from '../../src/networks/network.ts';
import { residualNetwork } from '../../src/networks/residual.ts';
import { createRandom } from '../../src/random.ts';

const small = { channels: 1, widths: [3, 4], kernel: 3, strides: 1, size: 5 };
const backend = await createReferenceBackend();

async function rowOf(network: Network, data: Float32Array, shape: number[]): Promise<number[]> {
  const last = network.layers[network.layers.length - 1].name;
  return [...(await evaluateNetwork(network, { shape, data }, [last], backend)).get(last)!.data];
}

for (const rank of [1, 2, 3])
  test(`networks of rank ${rank} joined`, async t => {
    const networks = [1, 2].map(seed => residualNetwork({ ...small, rank, cells: 2, seed }));
    const shape = [...new Array<number>(rank).fill(6), 1];
    const random = createRandom(3, 'input');
    const data = Float32Array.from({ length: 6 ** rank }, () => random.normal());
    const apart = (await Promise.all(networks.map(network => rowOf(network, data, shape)))).flat();
    const joined = await rowOf(joinNetworks(networks), data, shape);
    t.equal(joined.length, 10);
    t.ok(
      joined.every((v, i) => Math.abs(v - apart[i]) < 1e-6),
      'the rows of both',
    );
  });

test('one cell', async t => {
  const network = residualNetwork({ ...small, rank: 1, cells: 1, seed: 1 });
  const rows = await Promise.all(
    [1, -1].map(sign => rowOf(network, Float32Array.of(0, sign, 2, -sign, 0, 1), [6, 1])),
  );
  t.ok(
    rows[0].some((v, i) => Math.abs(v - rows[1][i]) > 1e-3),
    'two inputs, two rows',
  );
});

test('what cannot be joined', t => {
  const one = residualNetwork({ ...small, rank: 1, cells: 2, seed: 1 });
  const two = residualNetwork({ ...small, rank: 2, cells: 2, seed: 1 });
  t.throws(() => joinNetworks([one, two]), /1 channels in rank 1.*1 in rank 2.*same input/);
  t.throws(() => joinNetworks([one, { ...one, specialise: () => one.layers }]), /depend on the size/);
  t.equal(joinNetworks([one]), one, 'one alone stays');
  t.end();
});
