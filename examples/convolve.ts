// One convolution in 1, 2, 3 and 4 dimensions, with its gradient: node examples/convolve.ts

import ndarray from 'ndarray';
import { compute, computeGradients, operations } from '../src/index.ts';

for (const rank of [1, 2, 3, 4]) {
  const size = new Array<number>(rank).fill(8);
  const x = ndarray(
    Float32Array.from({ length: 8 ** rank * 2 }, (_, i) => Math.sin(i)),
    [1, ...size, 2],
  );
  const w = ndarray(
    Float32Array.from({ length: 3 ** rank * 2 * 4 }, (_, i) => Math.cos(i)),
    [...size.map(() => 3), 2, 4],
  );

  const { y } = await compute({ x, w }, inputs => ({
    y: operations.relu(operations.convolution(inputs.x, inputs.w, undefined, { padding: 1 })),
  }));
  const { loss, gradients } = await computeGradients({ x, w }, inputs =>
    operations.mean(operations.convolution(inputs.x, inputs.w, undefined, { strides: 2 })),
  );
  console.log(
    `rank ${rank}: [${x.shape}] * [${w.shape}] -> [${y.shape}]; mean ${loss.toPrecision(4)}, dw[0] ${gradients.w.data[0].toPrecision(4)}`,
  );
}
