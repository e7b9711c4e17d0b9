// Small convolutions and correlations whose shapes take every kind of register tile, compared with the reference: run
// before results of kernels compiled in an experimental mode of the engine are trusted.

import type { Kernel } from '../../../kernels/kernel.ts';
import type { MapKernel } from '../../../kernels/map/spec.ts';
import { runReference } from '../../../kernels/reference.ts';
import * as tapConv from '../../../kernels/tap-conv/spec.ts';
import * as tapCorrelate from '../../../kernels/tap-correlate/spec.ts';
import { createRandom } from '../../random.ts';
import { elementCount, type Layout, layoutOf, product } from '../../tensor/layout.ts';
import type { Packed } from '../../tensor/packed.ts';
import type { Executable, PlannedTensor, ProgramPlan } from '../backend.ts';

/** Largest difference accepted, relative to the largest value of the result; for Winograd's convolution the second. */
const TOLERANCE = 1e-5;
const WINOGRAD_TOLERANCE = 1e-4;

/** A program of one call, its inputs written before a run; the output is the last tensor. */
export function planCall(
  kernel: Kernel,
  shapes: readonly (readonly number[])[],
  output: readonly number[],
): ProgramPlan {
  const margins =
    kernel.family === 'tap-conv'
      ? tapConv.marginsOf(kernel, shapes, output)
      : kernel.family === 'tap-correlate'
        ? tapCorrelate.marginsOf(kernel, shapes)
        : shapes.map(() => undefined);
  const layouts: Layout[] = [...shapes.map((shape, i) => layoutOf(shape, margins[i])), layoutOf(output)];
  let bytes = 0;
  const tensors = layouts.map((layout, i): PlannedTensor => {
    const offset = bytes;
    bytes += Math.ceil((elementCount(layout) * 4 + 256) / 64) * 64;
    return { layout, offset, role: i < shapes.length ? 'input' : 'output', label: `tensor ${i}` };
  });
  const inputs = shapes.map((_, i) => i);
  const call = { kernel, inputs: layouts.slice(0, -1), output: layouts[shapes.length] };
  return {
    tensors,
    bytes,
    calls: [{ call, inputs, output: shapes.length, label: kernel.family }],
    updates: [],
  };
}

// The same program with a map of its result and its first input behind it, which runs as one kernel with the call.
function withMap(plan: ProgramPlan, kernel: MapKernel): ProgramPlan {
  const sum = plan.tensors.length - 1;
  const { layout, offset } = plan.tensors[sum];
  const output = { layout, offset: plan.bytes, role: 'output' as const, label: 'mapped' };
  const call = { kernel, inputs: [layout, plan.tensors[0].layout], output: layout };
  return {
    ...plan,
    tensors: [...plan.tensors.slice(0, -1), { layout, offset, role: 'temporary', label: 'sum' }, output],
    calls: [...plan.calls, { call, inputs: [sum, 0], output: sum + 1, label: 'map' }],
    bytes: 2 * plan.bytes,
  };
}

/**
 * Whether programs compiled by `compile` compute what the reference does; false as well where they fail. It is told
 * where Winograd's convolution is allowed: in cases where it is fast.
 */
export async function selfCheck(
  compile: (plan: ProgramPlan, winograd: boolean) => Promise<Executable>,
): Promise<boolean> {
  const random = createRandom(1, 'self-check');
  for (const { kernel, shapes, output, winograd = false, behind } of cases()) {
    const inputs = shapes.map((shape): Packed => {
      const data = new Float32Array(product(shape));
      for (let i = 0; i < data.length; i++) data[i] = random.uniform() - 0.5;
      return { shape, data };
    });
    const alone = runReference(kernel, inputs, output);
    const wanted = behind
      ? runReference(behind, [{ shape: output, data: Float32Array.from(alone) }, inputs[0]], output)
      : alone;
    const call = planCall(kernel, shapes, output);
    const plan = behind ? withMap(call, behind) : call;
    const frozen = plan.tensors.map((t, i) =>
      kernel.family === 'tap-conv' && i > 0 && i < shapes.length
        ? { ...t, role: 'constant' as const, data: inputs[i].data }
        : t,
    );
    const executable = await compile({ ...plan, tensors: frozen }, winograd);
    for (const [i, { role }] of frozen.entries())
      if (role === 'input') await executable.write(i, inputs[i].data);
    await executable.run();
    const got = await executable.read(plan.tensors.length - 1);
    await executable.dispose();
    const scale = wanted.reduce((a, v) => Math.max(a, Math.abs(v)), 0);
    const most = scale * (winograd ? WINOGRAD_TOLERANCE : TOLERANCE);
    if (!wanted.every((v, i) => Math.abs(v - got[i]) <= most)) return false;
  }
  return true;
}

/** The plan of the first call checked, of a kernel as they all are. */
export function samplePlan(): ProgramPlan {
  const [{ kernel, shapes, output }] = cases();
  return planCall(kernel, shapes, output);
}

interface Case {
  kernel: Kernel;
  shapes: number[][];
  output: number[];
  winograd?: boolean;
  behind?: MapKernel;
}

function cases(): Case[] {
  // Cells 6 and 1 to 5 of a tail; channels in full and partial blocks; depths of every unrolling; groups; few filters.
  const found: Case[] = [];
  for (const [cells, depth, width, groups] of [
    [17, 4, 16, 1],
    [16, 6, 21, 1],
    [15, 5, 7, 1],
    [14, 3, 34, 1],
    [13, 8, 12, 2],
    [13, 16, 3, 1],
    [15, 12, 1, 1],
    [9, 1, 1, 19],
  ]) {
    const taps = {
      kernelShape: [2, 3],
      strides: [1, 1],
      dilations: [1, 1],
      padLow: [0, 1],
      inputDilations: [1, 1],
    };
    const x = [1, 3, cells, depth * groups];
    const y = [1, 2, cells, width * groups];
    const w = [2, 3, depth, width * groups];
    found.push({
      kernel: {
        family: 'tap-conv',
        ...taps,
        groups,
        flip: false,
        transpose: false,
        bias: true,
        activation: 'relu',
      },
      shapes: [x, w, [width * groups]],
      output: y,
    });
    found.push({
      kernel: { family: 'tap-correlate', ...taps, groups, symmetric: false },
      shapes: [x, y],
      output: w,
    });
  }
  const plain = {
    kernelShape: [1],
    strides: [1],
    dilations: [1],
    padLow: [0],
    inputDilations: [1],
    groups: 1,
    flip: false,
    transpose: false,
  };
  const mapped: Case = {
    kernel: { family: 'tap-conv', ...plain, bias: true, activation: 'none' },
    shapes: [[1, 17, 20], [1, 20, 20], [20]],
    output: [1, 17, 20],
    behind: { family: 'map', expr: ['mul', 'x0', ['step', 'x1']] },
  };
  const transposed: Case = {
    kernel: { family: 'gather', concatAxis: 0, permutation: [0, 2, 1], maps: [null, null, null] },
    shapes: [[1, 37, 35]],
    output: [1, 35, 37],
  };
  return [...found, mapped, transposed, ...winogradCases(), ...longCorrelations()];
}

// Maps of several sizes, segments, blocks that end outside, channels that fill vectors or do not, strides, and a gradient
// that shares the weights of its convolution.
const winogradCases = (): Case[] =>
  [
    { size: [20, 21], taps: 3, channels: 16, filters: 24 },
    { size: [15, 18], taps: 3, channels: 15, filters: 23 },
    { size: [6, 7, 8], taps: 3, channels: 16, filters: 16 },
    { size: [110], taps: 9, channels: 16, filters: 16 },
    { size: [300], taps: 9, channels: 32, filters: 32, stride: 2 },
    { size: [8, 4], taps: 3, channels: 256, filters: 256, gradient: true },
  ].map(({ size, taps, channels, filters, stride = 1, gradient = false }) => {
    const same = (n: number) => size.map(() => n);
    return {
      kernel: {
        family: 'tap-conv',
        kernelShape: same(taps),
        strides: same(stride),
        dilations: same(1),
        padLow: same((taps - 1) / 2),
        inputDilations: same(1),
        groups: 1,
        flip: gradient,
        transpose: gradient,
        bias: true,
        activation: 'relu',
      },
      shapes: [
        [1, ...size, channels],
        [...same(taps), ...(gradient ? [filters, channels] : [channels, filters])],
        [filters],
      ],
      output: [1, ...size.map(n => Math.ceil(n / stride)), filters],
      winograd: true,
    };
  });

// Sums over cells or tiles in several parts, with rows of register tiles of two heights, channels that fill vectors or do
// not, and so many that blocks are packed.
const longCorrelations = (): Case[] =>
  [
    { batch: 1, size: [1100], channels: 13, filters: 23, winograd: false },
    { batch: 1, size: [60], channels: 67, filters: 256, winograd: false },
    { batch: 2, size: [800], channels: 23, filters: 31, winograd: true },
    { batch: 4, size: [500], channels: 24, filters: 32, winograd: true },
    { batch: 2, size: [48, 48], channels: 7, filters: 8, winograd: true },
  ].map(({ batch, size, channels, filters, winograd }) => {
    const same = (n: number) => size.map(() => n);
    return {
      kernel: {
        family: 'tap-correlate',
        kernelShape: same(3),
        strides: same(1),
        dilations: same(1),
        padLow: same(1),
        inputDilations: same(1),
        groups: 1,
        symmetric: false,
      },
      shapes: [
        [batch, ...size, channels],
        [batch, ...size, filters],
      ],
      output: [...same(3), channels, filters],
      winograd,
    };
  });
