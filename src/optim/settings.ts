// Which optimiser, with which numbers: plain data that a pipeline can hold.

/** Stochastic gradient descent with momentum (Polyak 1964; PyTorch's form v ← μv + g, x ← x − ηv). */
export interface SgdSettings {
  name: 'sgd';
  /** Learning rate η. */
  rate: number;
  momentum: number;
}

/** Adam (Kingma & Ba 2015). */
export interface AdamSettings {
  name: 'adam';
  /** Learning rate. */
  rate: number;
  beta1: number;
  beta2: number;
  epsilon: number;
}

/** Limited-memory BFGS with a strong-Wolfe line search (Nocedal & Wright 2006, algorithms 3.5, 3.6 and 7.4). */
export interface LbfgsSettings {
  name: 'lbfgs';
  /** Number of (step, gradient change) pairs remembered. */
  history: number;
}

export type OptimiserSettings = SgdSettings | AdamSettings | LbfgsSettings;

/** Usual numbers for each. */
export const OPTIMISERS = {
  sgd: { name: 'sgd', rate: 0.01, momentum: 0.9 },
  adam: { name: 'adam', rate: 0.02, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
  lbfgs: { name: 'lbfgs', history: 10 },
} as const satisfies Record<string, OptimiserSettings>;

/**
 * Why minimising ended: all steps done; asked to stop; no further fall that single precision can tell (L-BFGS); or no lower
 * point found although there should be one (L-BFGS: a gradient that does not fit the loss, or values that are not finite
 * all around).
 */
export type Ending = 'iterations' | 'stopped' | 'converged' | 'stalled';
