// WebGPU in Node: puts the `webgpu` package's implementation where gpu.js looks for it (`navigator.gpu`), and says which
// adapter answers and whether it is hardware.

/** What answers for WebGPU here. */
export interface WebGpuProbe {
  /** The adapter in words; undefined where none answers. */
  readonly adapter?: string;
  /** It computes on the processor (SwiftShader, llvmpipe, WARP), so nothing is gained by it. */
  readonly software: boolean;
  /** Why there is no adapter. */
  readonly reason?: string;
}

interface AdapterInfo {
  vendor?: string;
  architecture?: string;
  device?: string;
  description?: string;
  isFallbackAdapter?: boolean;
}

interface Gpu {
  requestAdapter(): Promise<{ info?: AdapterInfo; isFallbackAdapter?: boolean } | null>;
}

let failure: unknown;

/** Sets `navigator.gpu` where the engine has none; false where the package does not load. */
export async function installWebGpu(): Promise<boolean> {
  const scope = globalThis as { navigator?: { gpu?: Gpu } };
  if (scope.navigator?.gpu) return true;
  try {
    const { create, globals } = await import('webgpu');
    Object.assign(globalThis, globals);
    const gpu = create([]);
    // Node before 21 has no navigator.
    if (!scope.navigator) Object.defineProperty(globalThis, 'navigator', { value: {}, configurable: true });
    Object.defineProperty(scope.navigator, 'gpu', { value: gpu, configurable: true });
    return true;
  } catch (error) {
    failure = error;
    return false;
  }
}

/** Asks for an adapter; never throws. */
export async function probeWebGpu(): Promise<WebGpuProbe> {
  if (!(await installWebGpu())) {
    const message = failure instanceof Error ? failure.message.split('\n')[0] : String(failure);
    return { software: false, reason: `the package 'webgpu' did not load (${message})` };
  }
  try {
    const adapter = await (navigator as unknown as { gpu: Gpu }).gpu.requestAdapter();
    if (!adapter) return { software: false, reason: 'WebGPU is there, but no adapter answers' };
    const info = adapter.info ?? {};
    const words = [info.description, info.device, info.vendor, info.architecture].filter(Boolean) as string[];
    const software =
      info.isFallbackAdapter === true ||
      adapter.isFallbackAdapter === true ||
      /swiftshader|llvmpipe|lavapipe|softpipe|basic render|\bwarp\b|software/i.test(words.join(' '));
    return { adapter: [...new Set(words)].join(', ') || 'an unnamed adapter', software };
  } catch (error) {
    return { software: false, reason: `asking for an adapter failed (${(error as Error).message})` };
  }
}
