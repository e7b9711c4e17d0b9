// Options of the command line that need more than commander's own checks.

import { NdconvError } from '../errors.ts';
import { nearestName } from '../pipeline/nearest.ts';
import { backendNames } from '../pipeline/schema.ts';

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
