// Options of the command line, and what of them needs more than commander's own checks.

import { decideAuto } from '../backends/choose.ts';
import { NdconvError } from '../errors.ts';
import { nearestName } from '../pipeline/nearest.ts';
import { backendNames } from '../pipeline/schema.ts';

/** Options that every command with a pipeline has. */
export interface PipelineFlags {
  set: string[];
  backend?: string;
  seed?: number;
  json?: boolean;
}

/** Options of `ndconv run`. */
export interface RunFlags extends PipelineFlags {
  out?: string;
  threads?: number;
  wide: boolean;
  winograd: boolean;
  quiet?: boolean;
}

/** The backend asked for; undefined where none is. */
export function backendOf({ backend }: { backend?: string }): string | undefined {
  if (backend === undefined || backendNames.some(name => name === backend)) return backend;
  const near = nearestName(backend, backendNames);
  throw new NdconvError(
    'PipelineError',
    `--backend ${backend}: there is no such backend; ${near ? `did you mean ${near}?` : `use ${backendNames.join(', ')}`}`,
    { backend },
  );
}

/** Options that only the wasm backend has. */
export interface WasmFlags {
  threads?: number;
  wide: boolean;
  winograd: boolean;
}

/** Refuses options of the wasm backend where another one runs, so that none silently does nothing. */
export async function expectWasm(backend: string, flags: WasmFlags): Promise<void> {
  const options = [
    ...(flags.threads === undefined ? [] : ['--threads']),
    ...(flags.wide ? [] : ['--no-wide']),
    ...(flags.winograd ? [] : ['--no-winograd']),
  ];
  if (options.length === 0 || backend === 'wasm') return;
  const auto = backend === 'auto' ? await decideAuto() : undefined;
  if (auto?.name === 'wasm') return;
  const runs = auto ? `auto takes ${auto.name} here (${auto.reason})` : `the backend is ${backend}`;
  throw new NdconvError(
    'PipelineError',
    `${options.join(' and ')}: only the wasm backend has this option, and ${runs}; leave it out, or add --backend wasm`,
    { backend, options },
  );
}
