// The gpu.js backend: programs on the GPU (WebGPU, WebGL2, headless GL) and in gpu.js's two processor modes. Each kernel
// call becomes the passes its family renders (kernels/gpujs.ts); tensors stay where gpu.js computes between calls.
// Nothing else of ndconv imports gpu.js. It never falls back from one mode to another.

import gpujs from 'gpu.js';
import { NdconvError } from '../errors.ts';
import type { Backend, BackendOptions } from './backend.ts';
import { GpujsExecutable } from './gpujs/executable.ts';
import type { GpujsMode, Memory } from './gpujs/memory.ts';
import { DeviceMemory, HostMemory } from './gpujs/memory.ts';
import { installWebGpu, probeWebGpu } from './gpujs/webgpu.ts';

export type { GpujsMode } from './gpujs/memory.ts';
export { probeWebGpu };

/**
 * A backend named `gpujs:<mode>`; `webgpu` where no mode is given. Throws a BackendError where the mode is not
 * available here, or where an option does not apply to gpu.js (`threads`, `wide`).
 */
export async function createGpujsBackend(options: BackendOptions & { mode?: GpujsMode }): Promise<Backend> {
  const mode = options.mode ?? 'webgpu';
  for (const name of ['threads', 'wide'] as const)
    if (options[name] !== undefined)
      throw new NdconvError(
        'BackendError',
        `backend gpujs:${mode}: the option '${name}' applies to the wasm backend alone; leave it out or choose backend: wasm`,
        { mode, option: name },
      );
  const description = await requireMode(mode);
  const gpu = new gpujs.GPU({ mode });
  const memory: Memory = mode === 'webgpu' ? await DeviceMemory.acquire() : new HostMemory();
  return {
    name: `gpujs:${mode}`,
    description,
    compile: async plan => new GpujsExecutable(plan, gpu, mode, memory, options.measure === true),
    close: async () => {
      await gpu.destroy();
      await memory.close();
    },
  };
}

// Says what a mode runs on, or throws with the reason and the remedy.
async function requireMode(mode: GpujsMode): Promise<string> {
  const { GPU } = gpujs;
  const refuse = (reason: string, remedy: string): never => {
    throw new NdconvError('BackendError', `backend gpujs:${mode} is not available: ${reason}; ${remedy}`, {
      mode,
      reason,
    });
  };
  const elsewhere = 'use backend: wasm, which runs everywhere';
  switch (mode) {
    case 'webgpu': {
      await installWebGpu();
      const { adapter, software, reason } = await probeWebGpu();
      if (adapter === undefined)
        return refuse(
          reason ?? 'no adapter',
          `install a Vulkan, Metal or Direct3D 12 driver, or ${elsewhere}`,
        );
      return `WebGPU by gpu.js on ${adapter}${software ? ' (software)' : ''}`;
    }
    case 'webgl2':
      if (!GPU.isWebGL2Supported)
        return refuse('there is no WebGL2 context (it exists in browsers)', elsewhere);
      return 'WebGL2 by gpu.js';
    case 'headlessgl':
      if (!GPU.isHeadlessGLSupported)
        return refuse(
          "the package 'gl' did not load or found no display",
          `install it with its system libraries, or ${elsewhere}`,
        );
      return 'headless GL by gpu.js';
    case 'webasm':
      if (!GPU.isWebAssemblySupported) return refuse('this engine has no WebAssembly', 'use mode cpu');
      return 'WebAssembly by gpu.js, one thread';
    case 'cpu':
      return 'plain JavaScript by gpu.js, one thread';
    default:
      return refuse('there is no such mode', 'modes are webgpu, webgl2, headlessgl, webasm and cpu');
  }
}
