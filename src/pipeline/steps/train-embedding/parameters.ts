// What `train-embedding` is given in a pipeline, and the settings of the training that follow.

import { type AdamSettings, OPTIMISERS, type SgdSettings } from '../../../optim/settings.ts';
import type {
  CollapseAction,
  LossName,
  Miner,
  Schedule,
  TrainingSettings,
} from '../../../training/settings.ts';

export interface Parameters {
  dataset: string;
  validation?: string;
  network: string | string[];
  loss: LossName;
  margin?: number;
  miner?: Miner;
  batch: { identities: number; samples: number };
  steps: number;
  freeze?: string[];
  optimiser: 'adam' | 'sgd';
  rate?: number;
  momentum?: number;
  beta1?: number;
  beta2?: number;
  epsilon?: number;
  schedule: Schedule;
  average: number;
  validateEvery?: number;
  normalise: boolean;
  onCollapse: CollapseAction;
  checkpoints?: { every: number; path: string };
  resume?: boolean;
  path?: string;
}

/** References to the networks to train. */
export const networksOf = ({ network }: Pick<Parameters, 'network'>): string[] =>
  typeof network === 'string' ? [network] : network;

/** Numbers of the optimisers. */
export const optimiserKeys = ['rate', 'momentum', 'beta1', 'beta2', 'epsilon'] as const;

/** Learning rates that suit small networks trained from scratch. */
const rates = { adam: 0.001, sgd: 0.01 };
/** Where absent: usual for embeddings of length 1, whose squared distances reach 4. */
export const standard = { margin: 0.2, miner: 'semi-hard', validateEvery: 25 } as const;

export function settingsOf(p: Parameters, seed: number): TrainingSettings {
  const { loss, steps, schedule, average, onCollapse } = p;
  const { margin = standard.margin, miner = standard.miner, validateEvery = standard.validateEvery } = p;
  const known = { ...OPTIMISERS[p.optimiser], rate: rates[p.optimiser] };
  const given = optimiserKeys.flatMap(key => (key in known && p[key] !== undefined ? [[key, p[key]]] : []));
  const optimiser = { ...known, ...Object.fromEntries(given) } as SgdSettings | AdamSettings;
  const { identities, samples } = p.batch;
  return {
    loss,
    margin,
    miner,
    identities,
    samples,
    steps,
    freeze: p.freeze ?? [],
    optimiser,
    schedule,
    average,
    validateEvery,
    onCollapse,
    seed,
  };
}
