// Where tensors of the gpu.js backend live: buffers of the device shared with gpu.js under WebGPU, else typed arrays or
// whatever handle the mode's kernels return. Handles are counted, so that one value can be held under two names (an
// output and the variable it updates) and a long run can be checked for leaks.

import gpujs from 'gpu.js';
import { NdconvError } from '../../errors.ts';

export type GpujsMode = 'webgpu' | 'webgl2' | 'headlessgl' | 'webasm' | 'cpu';

/** A tensor: what gpu.js takes as an argument. */
export type Handle = unknown;

/** Uploads, reads and frees tensors. */
export interface Memory {
  upload(values: Float32Array): Handle;
  /** The handle of a kernel's result of `count` elements. */
  adopt(result: unknown, count: number): Handle;
  /** What a kernel is called with. */
  argument(handle: Handle): unknown;
  download(handle: Handle, count: number): Promise<Float32Array>;
  /** A second hold on the same values. */
  share(handle: Handle): Handle;
  release(handle: Handle): void;
  /** Waits until all kernels have run. */
  finish(): Promise<void>;
  close(): Promise<void>;
  /** Handles held at this moment. */
  readonly held: number;
}

interface Texture {
  toArray(): unknown;
  delete(): void;
  clone(): Texture;
}

const isTexture = (handle: Handle): handle is Texture =>
  typeof (handle as { toArray?: unknown }).toArray === 'function';

/** Typed arrays, and the textures that GL kernels return. */
export class HostMemory implements Memory {
  held = 0;

  upload(values: Float32Array): Handle {
    this.held++;
    return values;
  }

  adopt(result: unknown, count: number): Handle {
    this.held++;
    return isTexture(result) ? result : flatten(result, count);
  }

  argument(handle: Handle): unknown {
    return isTexture(handle)
      ? handle
      : new gpujs.Input(handle as unknown as number[], [(handle as Float32Array).length]);
  }

  async download(handle: Handle, count: number): Promise<Float32Array> {
    return isTexture(handle) ? flatten(handle.toArray(), count).slice() : (handle as Float32Array).slice();
  }

  share(handle: Handle): Handle {
    this.held++;
    return isTexture(handle) ? handle.clone() : handle;
  }

  release(handle: Handle): void {
    this.held--;
    if (isTexture(handle)) handle.delete();
  }

  async finish(): Promise<void> {}

  async close(): Promise<void> {}
}

// gpu.js returns rows; where they are views of one buffer that buffer is the result.
function flatten(result: unknown, count: number): Float32Array {
  if (result instanceof Float32Array) return result;
  const rows = result as Float32Array[];
  const { buffer } = rows[0];
  if (rows[0].byteOffset === 0 && buffer.byteLength === count * 4) return new Float32Array(buffer);
  const flat = new Float32Array(count);
  rows.forEach((row, i) => flat.set(row, i * row.length));
  return flat;
}

interface Buffer {
  readonly size: number;
  destroy(): void;
  mapAsync(mode: number): Promise<void>;
  getMappedRange(): ArrayBuffer;
  unmap(): void;
}

interface Device {
  readonly limits: { maxBufferSize: number; maxStorageBufferBindingSize: number };
  onuncapturederror: ((event: { error: Error }) => void) | null;
  readonly queue: {
    writeBuffer(buffer: Buffer, offset: number, data: Float32Array): void;
    submit(commands: unknown[]): void;
    onSubmittedWorkDone(): Promise<void>;
  };
  createBuffer(settings: { size: number; usage: number }): Buffer;
  createCommandEncoder(): {
    copyBufferToBuffer(from: Buffer, a: number, to: Buffer, b: number, bytes: number): void;
    finish(): unknown;
  };
}

interface BufferResult {
  readonly buffer: Buffer & { _refs: number };
  readonly kernel: { outputBuffer: Buffer | null };
  clone(): BufferResult;
  delete(): void;
}

interface DeviceContext {
  readonly device: Device;
}

// What gpu.js exports for sharing its device; its type declarations leave these two out.
const { WebGPUContext, WebGPUBufferResult } = gpujs as unknown as {
  WebGPUContext: { acquire(): Promise<DeviceContext>; destroy(): Promise<void> };
  WebGPUBufferResult: new (settings: object) => BufferResult;
};

// Bits of GPUBufferUsage and GPUMapMode, fixed by the standard.
const MAP_READ = 0x1;
const COPY_SRC = 0x4;
const COPY_DST = 0x8;
const STORAGE = 0x80;

/** Buffers on the WebGPU device that gpu.js uses. */
export class DeviceMemory implements Memory {
  /** Memories open on the one device; it is destroyed with the last. */
  private static readonly open = new Set<DeviceMemory>();
  held = 0;
  private readonly context: DeviceContext;
  /** The first error the device reported by itself: it computes on without, and results would be silently wrong. */
  private failure: Error | undefined;

  private constructor(context: DeviceContext) {
    this.context = context;
  }

  static async acquire(): Promise<DeviceMemory> {
    const context = await WebGPUContext.acquire();
    const memory = new DeviceMemory(context);
    DeviceMemory.open.add(memory);
    context.device.onuncapturederror = ({ error }) => {
      for (const m of DeviceMemory.open) m.failure ??= error;
    };
    return memory;
  }

  upload(values: Float32Array): Handle {
    const { device } = this.context;
    const { maxBufferSize, maxStorageBufferBindingSize } = device.limits;
    const most = Math.min(maxBufferSize, maxStorageBufferBindingSize);
    if (values.byteLength > most)
      throw new NdconvError(
        'MemoryError',
        `gpujs:webgpu: a tensor of ${values.byteLength} bytes is above the ${most} this device binds; use smaller data or backend: wasm`,
        { needed: values.byteLength, limit: most },
      );
    const buffer = device.createBuffer({
      size: Math.max(4, values.byteLength),
      usage: STORAGE | COPY_SRC | COPY_DST,
    });
    device.queue.writeBuffer(buffer, 0, values);
    this.held++;
    return new WebGPUBufferResult({ buffer, output: [values.length], context: this.context, kernel: null });
  }

  // An immutable kernel of gpu.js holds on to its latest result until it runs again, which would keep every
  // intermediate value of a program alive at once; here the handle becomes the only owner.
  adopt(result: unknown): Handle {
    this.held++;
    const { buffer, kernel } = result as BufferResult;
    if (kernel.outputBuffer === buffer && buffer._refs > 1) {
      buffer._refs--;
      kernel.outputBuffer = null;
    }
    return result;
  }

  argument(handle: Handle): unknown {
    return handle;
  }

  async download(handle: Handle, count: number): Promise<Float32Array> {
    const { device } = this.context;
    const staging = device.createBuffer({ size: count * 4, usage: MAP_READ | COPY_DST });
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer((handle as BufferResult).buffer, 0, staging, 0, count * 4);
    device.queue.submit([encoder.finish()]);
    try {
      await staging.mapAsync(MAP_READ);
    } catch (error) {
      this.failure ??= error as Error;
    }
    this.check();
    const values = new Float32Array(staging.getMappedRange().slice(0));
    staging.unmap();
    staging.destroy();
    return values;
  }

  share(handle: Handle): Handle {
    this.held++;
    return (handle as BufferResult).clone();
  }

  release(handle: Handle): void {
    this.held--;
    (handle as BufferResult).delete();
  }

  async finish(): Promise<void> {
    await this.context.device.queue.onSubmittedWorkDone();
    this.check();
  }

  private check(): void {
    if (this.failure === undefined) return;
    throw new NdconvError(
      'BackendError',
      `gpujs:webgpu: the device reported an error: ${this.failure.message}; use smaller data or backend: wasm`,
      {},
      this.failure,
    );
  }

  async close(): Promise<void> {
    DeviceMemory.open.delete(this);
    if (DeviceMemory.open.size === 0) await WebGPUContext.destroy();
  }
}
