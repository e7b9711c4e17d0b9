// The matrices of F(m, k) compute correlations, exactly where they can, and map a unit vector to ones.

import tape from 'tape';
import { extentOf, phasedTransform, phasesFit } from '../../kernels/tap-conv/winograd/phases.ts';
import { LARGEST, transformOf } from '../../kernels/tap-conv/winograd/transforms.ts';

const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, v, i) => sum + v * b[i], 0);

tape('winograd transforms: every F(m, k) is a correlation', t => {
  for (let k = 1; k <= 7; k++)
    for (let m = 1; m + k - 1 <= LARGEST; m++) {
      if (k === 1 && m > 1) continue;
      const { A, B, G, n } = transformOf(m, k);
      const weights = Array.from({ length: k }, (_, i) => Math.sin(3 * i + m));
      const inputs = Array.from({ length: n }, (_, i) => Math.cos(5 * i + k));
      const points = G.map((row, j) => dot(row, weights) * dot(B[j], inputs));
      const worst = A.map((row, i) => Math.abs(dot(row, points) - dot(weights, inputs.slice(i, i + k))));
      if (!(Math.max(...worst) < 1e-12)) t.fail(`F(${m}, ${k}) differs by ${Math.max(...worst)}`);
    }
  t.pass('up to seven taps');
  t.throws(() => transformOf(LARGEST, 2), RangeError, 'no more than there are points');
  t.end();
});

tape('winograd transforms: A and B are exact in float32', t => {
  for (let m = 1; m <= 6; m++)
    for (const row of [...transformOf(m, 3).A, ...transformOf(m, 3).B])
      for (const v of row) if (Math.fround(v) !== v) t.fail(`F(${m}, 3) has ${v}`);
  t.pass('F(1…6, 3)');
  t.end();
});

tape('winograd transforms: the unit vector that A maps to ones', t => {
  for (const [m, k] of [
    [1, 1],
    [2, 2],
    [2, 3],
    [4, 3],
    [6, 3],
    [5, 5],
  ]) {
    const { A, unit } = transformOf(m, k);
    t.ok(
      A.every(row => row[unit] === 1),
      `F(${m}, ${k})`,
    );
  }
  t.end();
});

tape('winograd transforms: strides and input dilations', t => {
  let tried = 0;
  for (const [stride, inputDilation] of [
    [1, 1],
    [2, 1],
    [3, 1],
    [1, 2],
    [1, 3],
  ])
    for (const k of [2, 3, 4, 5, 7, 9])
      for (const padLow of [0, 1, 2, -1])
        for (const m of [2, 3]) {
          const axis = { k, stride, inputDilation, padLow };
          if (!phasesFit(axis) || m + Math.ceil(k / (stride * inputDilation)) - 1 > LARGEST) continue;
          const { A, B, G, n, inputs, outputs, step, low, units } = phasedTransform(m, axis);
          const x = Array.from({ length: inputs }, (_, i) => Math.cos(5 * i + k));
          const weights = Array.from({ length: k }, (_, i) => Math.sin(3 * i + m));
          const points = G.map((row, j) => dot(row, weights) * dot(B[j], x));
          // By the definition in taps.ts, the first input of the tile being number `low`.
          const wanted = Array.from({ length: outputs }, (_, p) =>
            weights.reduce((sum, w, tap) => {
              const q = stride * p + tap - padLow;
              return q % inputDilation ? sum : sum + w * x[q / inputDilation - low];
            }, 0),
          );
          const name = `F(${m}, ${k}), stride ${stride}, input dilation ${inputDilation}, padding ${padLow}`;
          const worst = Math.max(...A.map((row, i) => Math.abs(dot(row, points) - wanted[i])));
          if (!(worst < 1e-12)) t.fail(`${name} differs by ${worst}`);
          const ones = Array.from({ length: n }, (_, p) => Number(units.includes(p)));
          if (!A.every(row => dot(row, ones) === 1)) t.fail(`${name}: the units do not give ones`);
          const extent = extentOf(m, axis);
          t.ok(
            extent.points === n && extent.outputs === outputs && extent.step === step,
            `${name} extends as was counted`,
          );
          if (![0, 1].includes(inputs - extent.inputs)) t.fail(`${name}: ${inputs} inputs`);
          tried++;
        }
  t.ok(tried > 100, `${tried} transforms`);
  t.end();
});
