// What `style-transfer` is given in a pipeline, and what of it the transfer takes as it is.

import { OPTIMISERS, type OptimiserSettings } from '../../../optim/settings.ts';

export interface Part {
  input: string;
  layers?: Record<string, number>;
}

export interface Parameters {
  network: string;
  content: Part;
  styles: (Part & { weight: number })[];
  contentWeight: number;
  styleWeight: number;
  totalVariation: number;
  losses: 'relative' | 'plain';
  start: string;
  optimiser: keyof typeof OPTIMISERS;
  rate?: number;
  momentum?: number;
  beta1?: number;
  beta2?: number;
  epsilon?: number;
  history?: number;
  iterations: number;
  snapshots?: { every: number; folder: string };
}

/** Every number of every optimiser. */
export const optimiserKeys = ['rate', 'momentum', 'beta1', 'beta2', 'epsilon', 'history'] as const;

/** The parts of the problem that are numbers. */
export function weightsOf(p: Parameters) {
  const { contentWeight, styleWeight, totalVariation, losses, iterations } = p;
  const known: OptimiserSettings = OPTIMISERS[p.optimiser];
  const given = Object.entries(p).filter(
    ([key, value]) => key !== 'name' && key in known && value !== undefined,
  );
  const optimiser = { ...known, ...Object.fromEntries(given) } as OptimiserSettings;
  return { contentWeight, styleWeight, totalVariation, losses, iterations, optimiser };
}
