// Backends by name. One asked for by name never falls back: it works, or the run stops with the reason. 'auto' takes
// WebGPU only where a hardware adapter answers, else wasm.

import { existsSync } from 'node:fs';
import { debugLevel } from '../debug.ts';
import { NdconvError } from '../errors.ts';
import type { Backend, BackendOptions } from './backend.ts';
import { createReferenceBackend } from './reference.ts';

/** What may be asked for. */
export const BACKENDS = [
  'auto',
  'reference',
  'wasm',
  'gpujs',
  'gpujs:webgpu',
  'gpujs:webgl2',
  'gpujs:headlessgl',
  'gpujs:webasm',
  'gpujs:cpu',
] as const;

export type BackendName = (typeof BACKENDS)[number];

/** What 'auto' takes on this machine, and why. */
export async function decideAuto(): Promise<{ name: 'gpujs:webgpu' | 'wasm'; reason: string }> {
  // Looking for adapters takes time and prints the driver's complaints: without a device there is nothing to look for.
  if (process.platform === 'linux' && !['/dev/dri', '/dev/nvidia0', '/dev/dxg'].some(d => existsSync(d)))
    return { name: 'wasm', reason: 'this machine has no graphics device' };
  const { probeWebGpu } = await import('./gpujs.ts');
  const { adapter, software, reason } = await probeWebGpu();
  if (adapter === undefined)
    return { name: 'wasm', reason: `no WebGPU adapter (${reason ?? 'none answers'})` };
  if (software) return { name: 'wasm', reason: `the WebGPU adapter ${adapter} computes on the processor` };
  return { name: 'gpujs:webgpu', reason: `WebGPU on ${adapter}` };
}

/** Creates a backend. `threads`, `wide` and `winograd` apply to wasm: 'auto' passes them on only there. Throws BackendError. */
export async function chooseBackend(name: string, given: BackendOptions): Promise<Backend> {
  const options = debugLevel() >= 2 ? { ...given, measure: true } : given;
  if (!(BACKENDS as readonly string[]).includes(name))
    throw new NdconvError('BackendError', `there is no backend '${name}'; there are ${BACKENDS.join(', ')}`);
  const { threads, wide, winograd, ...common } = options;
  if (name === 'auto') {
    const { name: found } = await decideAuto();
    return chooseBackend(found, found === 'wasm' ? options : common);
  }
  if (name === 'wasm') return (await import('./wasm/backend.ts')).createWasmBackend(options);
  if (threads !== undefined)
    throw new NdconvError(
      'BackendError',
      `backend ${name}: threads apply to the wasm backend alone; leave them out or choose wasm`,
    );
  if (name === 'reference') return createReferenceBackend();
  const mode = (name.split(':')[1] ?? 'webgpu') as 'webgpu' | 'webgl2' | 'headlessgl' | 'webasm' | 'cpu';
  return (await import('./gpujs.ts')).createGpujsBackend({ ...common, mode });
}
