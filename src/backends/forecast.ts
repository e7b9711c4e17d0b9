// What programs will take on a backend, before there is one: bytes exactly as the wasm backend will place them, seconds
// from the prices of its kernels, and how the heaviest of them will be computed. Nothing is compiled or allocated.

import { availableParallelism } from 'node:os';
import { bytesOf, flopsOf } from '../../kernels/cost.ts';
import { explainTapConv } from '../../kernels/tap-conv/render.ts';
import { explainTapCorrelate } from '../../kernels/tap-correlate/render.ts';
import type { WasmTarget } from '../../kernels/wasm.ts';
import { channelsOf, elementCount } from '../tensor/layout.ts';
import type { BackendOptions, PlannedCall, ProgramPlan } from './backend.ts';
import { decideAuto } from './choose.ts';
import { expectedSeconds, workOf } from './cost.ts';
import { hasRelaxed, mayWiden } from './wasm/features.ts';
import { programBytes } from './wasm/rendered.ts';

/** What is known of programs beforehand. */
export interface Forecast {
  /** Bytes that a program takes, also where that is more than the backend can ever give. */
  bytes(plan: ProgramPlan): number;
  /** Seconds of one run; undefined for a backend whose speed is not known (a GPU). */
  seconds(plan: ProgramPlan): number | undefined;
  /** The calls that take longest, one line each: shapes, method, expected time and rate. */
  heaviest(plan: ProgramPlan, count: number): string[];
}

/** What of the options bears on a forecast. */
export interface TargetOptions extends Partial<Pick<BackendOptions, 'threads' | 'wide' | 'winograd'>> {
  /** Small programs are taken to need what their tensors do, which is known without rendering their kernels. */
  rough?: boolean;
}

/** A forecast for a backend by the name it is asked for. */
export async function forecastFor(backend: string, options: TargetOptions = {}): Promise<Forecast> {
  const name = backend === 'auto' ? (await decideAuto()).name : backend;
  if (name !== 'wasm')
    return {
      bytes: plan => plan.bytes,
      seconds: plan => expectedSeconds(workOf(plan), name),
      heaviest: () => [],
    };
  const { threads = availableParallelism(), wide = false, winograd = true, rough } = options;
  return forecastWasm({ relaxed: hasRelaxed(), wide: wide && mayWiden(), threads, winograd }, rough);
}

/** What convolutions and correlations take in a program, by what they take alone: caches and memory are shared with all else. */
const SHARED = 1.5;
/** Bytes a second of everything else; more threads gain little. */
const TRAFFIC = 12e9;
/** Seconds of a call that does next to nothing: a barrier for all threads. */
const CALL = 1e-5;

/** Bytes that WebAssembly addresses: of a program whose tensors alone are more, nothing else need be known. */
const ADDRESSABLE = 2 ** 32;
/** Bytes of the tensors but the constants, of which some are prepared from and not kept. */
const tensorBytes = ({ tensors, bytes }: ProgramPlan): number =>
  tensors.reduce(
    (rest, { role, layout }) => (role === 'constant' ? rest - 4 * elementCount(layout) : rest),
    bytes,
  );

/** Bytes of tensors up to which a program is small: the rest then matters to no limit. */
const SMALL = 2 ** 28;

/** A forecast for the wasm backend. */
export function forecastWasm(target: WasmTarget, rough = false): Forecast {
  const explain = ({ call, inputs }: PlannedCall, plan: ProgramPlan): { method: string; seconds: number } => {
    const { family } = call.kernel;
    if (family === 'tap-conv') {
      const constants = inputs.map(i => plan.tensors[i].role === 'constant');
      const { method, seconds } = explainTapConv(call, target, constants);
      return { method, seconds: SHARED * seconds };
    }
    if (family === 'tap-correlate') {
      const { method, seconds } = explainTapCorrelate(call, target);
      return { method, seconds: SHARED * seconds };
    }
    return { method: 'by memory', seconds: bytesOf(call) / TRAFFIC };
  };
  return {
    bytes: plan =>
      tensorBytes(plan) > ADDRESSABLE || (rough && plan.bytes < SMALL)
        ? plan.bytes
        : programBytes(plan, target),
    seconds: plan => plan.calls.reduce((sum, call) => sum + CALL + explain(call, plan).seconds, 0),
    heaviest: (plan, count) => {
      // Equal calls are one line.
      const lines = new Map<string, { seconds: number; flops: number; times: number }>();
      for (const planned of plan.calls) {
        const flops = flopsOf(planned.call);
        if (flops === 0) continue;
        const { method, seconds } = explain(planned, plan);
        const text = `${describe(planned)}: ${method}`;
        const { times } = lines.get(text) ?? { times: 0 };
        lines.set(text, { seconds, flops, times: times + 1 });
      }
      return [...lines]
        .sort(([, a], [, b]) => b.seconds * b.times - a.seconds * a.times)
        .slice(0, count)
        .map(([text, { seconds, flops, times }]) => {
          const rate = `${(seconds * 1000).toPrecision(2)} ms, ${(flops / seconds / 1e9).toFixed(0)} GFLOP/s`;
          return `${times > 1 ? `${times} × ` : ''}${text}, ${rate}`;
        });
    },
  };
}

// `convolution 3×3, 64→64 on 256×256`; gradients and Gram matrices alike.
function describe({ call, label }: PlannedCall): string {
  const { kernel, inputs, output } = call;
  const size = (shape: readonly number[]) => shape.slice(1, -1).join('×') || '1';
  if (kernel.family === 'tap-conv') {
    const taps = kernel.kernelShape.join('×') || '1';
    const what = label.startsWith('gradient') ? 'gradient of convolution' : 'convolution';
    return `${what} ${taps}, ${channelsOf(inputs[0])}→${channelsOf(output)} on ${size(output.shape)}`;
  }
  return `correlation ${output.shape.slice(-2).join('×')} on ${size(inputs[0].shape)}`;
}
