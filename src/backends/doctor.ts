// Looks at what is there: every backend is created, computes small cases of every kernel family, and is compared with
// the reference.

import { selectMap } from '../../kernels/gather/spec.ts';
import type { Kernel } from '../../kernels/kernel.ts';
import { runReference } from '../../kernels/reference.ts';
import { createRandom } from '../random.ts';
import { product } from '../tensor/layout.ts';
import type { Packed } from '../tensor/packed.ts';
import type { Backend } from './backend.ts';
import { BACKENDS, chooseBackend, decideAuto } from './choose.ts';
import { mayWiden } from './wasm/features.ts';
import { planCall } from './wasm/self-check.ts';
import { enableWide } from './wasm/wide.ts';
import { circumstances, recall, recordPath } from './wasm/wide-record.ts';

/** One backend: what it is, or why it is not there, and its largest difference from the reference. */
export interface DoctorRow {
  name: string;
  available: boolean;
  /** Description, or the reason it is absent. */
  detail: string;
  /** Largest difference over all cases, relative to the largest value. */
  error?: number;
}

/** Whether the wasm backend works with widened vectors, and why or why not. */
export interface WideDiagnosis {
  used: boolean;
  reason: string;
  /** The file that remembers where their check passed, and when it did by that file, before it was repeated here. */
  file?: string;
  remembered?: string;
}

export interface Diagnosis {
  rows: DoctorRow[];
  auto: { name: string; reason: string };
  wide: WideDiagnosis;
}

/** Examines every backend; `wide` as for a run. */
export async function doctor(wide: boolean): Promise<Diagnosis> {
  // Before the wasm backend, which would go by what is remembered.
  const widened = await examineWide(wide);
  const rows: DoctorRow[] = [];
  for (const name of BACKENDS) {
    if (name === 'auto' || name === 'gpujs') continue;
    let backend: Backend | undefined;
    try {
      backend = await chooseBackend(name, name === 'wasm' ? { wide } : {});
      rows.push({ name, available: true, detail: backend.description, error: await compare(backend) });
    } catch (error) {
      rows.push({
        name,
        available: false,
        detail: (error as Error).message.replace(`backend ${name} is not available: `, ''),
      });
    } finally {
      await backend?.close();
    }
  }
  return { rows, auto: await decideAuto(), wide: widened };
}

async function examineWide(wanted: boolean): Promise<WideDiagnosis> {
  if (!wanted) return { used: false, reason: 'switched off by --no-wide' };
  if (!mayWiden())
    return {
      used: false,
      reason: 'there from Node 24 on, on x64 processors; kernels run at about half the speed',
    };
  const [file, now] = [recordPath(), circumstances()];
  const remembered = file !== undefined && now !== undefined ? await recall(file, now) : undefined;
  const used = await enableWide(true);
  const reason = used
    ? 'its kernels passed the check against the reference; --no-wide does without'
    : 'this engine lacks it, or its kernels differ from the reference';
  return { used, reason, file, remembered };
}

async function compare(backend: Backend): Promise<number> {
  const random = createRandom(3, 'doctor');
  let worst = 0;
  for (const { kernel, shapes, output } of cases()) {
    const inputs = shapes.map(
      (shape): Packed => ({
        shape,
        data: Float32Array.from({ length: product(shape) }, () => random.uniform() - 0.5),
      }),
    );
    const wanted = runReference(kernel, inputs, output);
    const executable = await backend.compile(planCall(kernel, shapes, output));
    for (const [i, { data }] of inputs.entries()) await executable.write(i, data);
    await executable.run();
    const got = await executable.read(shapes.length);
    await executable.dispose();
    const scale = wanted.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
    wanted.forEach((v, i) => {
      // NaN must not pass for a small difference.
      const difference = Math.abs(v - got[i]) / scale;
      worst = difference <= worst ? worst : Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
    });
  }
  return worst;
}

function cases(): { kernel: Kernel; shapes: number[][]; output: number[] }[] {
  const ones = [1, 1];
  const taps = { kernelShape: [3, 3], strides: ones, dilations: ones, padLow: ones, inputDilations: ones };
  const x = [1, 6, 7, 5];
  return [
    {
      kernel: {
        family: 'tap-conv',
        ...taps,
        groups: 1,
        flip: false,
        transpose: false,
        bias: true,
        activation: 'relu',
      },
      shapes: [x, [3, 3, 5, 9], [9]],
      output: [1, 6, 7, 9],
    },
    {
      kernel: { family: 'tap-correlate', ...taps, groups: 1, symmetric: false },
      shapes: [x, [1, 6, 7, 4]],
      output: [3, 3, 5, 4],
    },
    {
      kernel: {
        family: 'window',
        kind: 'max',
        ...taps,
        kernelShape: [2, 2],
        strides: [2, 2],
        padLow: [0, 0],
      },
      shapes: [x],
      output: [1, 3, 3, 5],
    },
    {
      kernel: { family: 'map', expr: ['add', ['tanh', 'x0'], ['exp', 'x1']] },
      shapes: [x, [1, 1, 1, 5]],
      output: x,
    },
    {
      kernel: { family: 'reduce', kind: 'sum', expr: ['mul', 'x0', 'x0'] },
      shapes: [x],
      output: [1, 1, 1, 5],
    },
    {
      kernel: {
        family: 'gather',
        concatAxis: 0,
        permutation: [0, 1, 2, 3],
        maps: [null, selectMap(7, p => Math.abs(p - 1)), null, null],
      },
      shapes: [x],
      output: [1, 7, 7, 5],
    },
  ];
}
