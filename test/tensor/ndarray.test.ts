import ndarray from 'ndarray';
import test from 'tape';
import {
  compute,
  computeGradients,
  NdconvError,
  operations,
  packNdarray,
  toNdarray,
} from '../../src/index.ts';

test('ndarrays of any strides, order and offset are packed row by row', t => {
  const base = ndarray(
    Float64Array.from({ length: 24 }, (_, i) => i),
    [2, 3, 4],
  );
  t.deepEqual([...packNdarray(base).data], [...base.data], 'row-major');
  const turned = base.transpose(2, 0, 1);
  const packed = packNdarray(turned);
  t.deepEqual(packed.shape, [4, 2, 3]);
  t.equal(packed.data[1 * 6 + 1 * 3 + 2], turned.get(1, 1, 2), 'transposed');
  const part = packNdarray(base.lo(1, 1, 1).hi(1, 2, 3).step(1, -1, 2));
  t.deepEqual(
    part,
    { shape: [1, 2, 2], data: Float32Array.of(21, 23, 17, 19) },
    'a part, backwards, every second',
  );
  t.throws(() => packNdarray(ndarray(new Float32Array(0), [0, 3])), NdconvError, 'an empty one is refused');
  t.equal(toNdarray(packed).get(2, 0, 1), packed.data[2 * 6 + 1], 'and back');
  t.end();
});

test('ndarrays through operations and gradients', async t => {
  const x = ndarray(
    Float32Array.from({ length: 10 }, (_, i) => i),
    [1, 10, 1],
  );
  const w = ndarray(Float32Array.of(1, 2, 3), [3, 1, 1]);
  for (const backend of ['reference', 'wasm']) {
    const { y } = await compute({ x, w }, v => ({ y: operations.convolution(v.x, v.w) }), { backend });
    t.deepEqual(y.shape, [1, 8, 1], `${backend}: shape`);
    t.deepEqual(
      [...y.data],
      Array.from({ length: 8 }, (_, i) => 6 * i + 8),
      `${backend}: values`,
    );
    const { loss, gradients } = await computeGradients(
      { x, w },
      v => operations.sum(operations.convolution(v.x, v.w)),
      {
        backend,
      },
    );
    t.equal(loss, 232, `${backend}: loss`);
    t.deepEqual([...gradients.w.data], [28, 36, 44], `${backend}: gradient of the weights`);
    t.deepEqual([...gradients.x.data], [1, 3, 6, 6, 6, 6, 6, 6, 5, 3], `${backend}: gradient of the input`);
  }
  try {
    await computeGradients({ x }, v => v.x, { backend: 'reference' });
    t.fail('a loss of ten elements passed');
  } catch (error) {
    t.match(String(error), /one element.*\[1,10,1\]/, 'a loss has one element');
  }
});
