// Parameters that the steps of verification share: what a calibration is to give, and which verifier to use.

import type { Embedder } from '../../../embeddings/embeddings.ts';
import { NdconvError } from '../../../errors.ts';
import { type CalibrationChoice, probabilityNames } from '../../../verification/calibrate.ts';
import { type DistanceName, distanceNames } from '../../../verification/distances.ts';
import {
  describeVerifier,
  givenVerifier,
  publishedThresholds,
  type Verifier,
} from '../../../verification/verifier.ts';
import { readVerifier } from '../../../verification/verifier-file.ts';
import type { CheckContext, RunContext, Schema, ValuePlan } from '../../step.ts';

/** As written in YAML. */
export interface CalibrationParameters {
  threshold: 'equal-error-rate' | 'best-accuracy' | { far: number };
  probability: CalibrationChoice['probability'];
  prior: number;
}

export const calibrationSchema: Record<string, Schema> = {
  threshold: {
    oneOf: [
      { enum: ['equal-error-rate', 'best-accuracy'] },
      {
        type: 'object',
        required: ['far'],
        properties: {
          far: {
            type: 'number',
            exclusiveMinimum: 0,
            exclusiveMaximum: 1,
            description: 'share of different pairs that may be accepted, 0.001 say',
          },
        },
      },
    ],
    default: 'equal-error-rate',
    description:
      'below which distance two are the same: where both kinds of error are equal, where accuracy is best, or far: a wished false accept rate',
  },
  probability: {
    enum: probabilityNames,
    default: 'platt',
    description: 'how distances become probabilities: a logistic curve, falling steps, or not at all',
  },
  prior: {
    type: 'number',
    exclusiveMinimum: 0,
    exclusiveMaximum: 1,
    default: 0.5,
    description: 'share of same pairs among those that will be asked about; probabilities hold for it',
  },
};

export const choiceOf = ({ threshold, probability, prior }: CalibrationParameters): CalibrationChoice => ({
  threshold: typeof threshold === 'string' ? { at: threshold } : { at: 'far', far: threshold.far },
  probability,
  prior,
});

export const isReference = (text: string): boolean => text.startsWith('@');

export const verifierSchema: Schema = {
  oneOf: [{ reference: ['verifier'] }, { path: 'read' }],
  description: 'a step calibrate or train-verifier, or the .json that one wrote',
};

/** Reports embeddings that cannot be paired, as far as their plan tells. */
export function checkEmbeddings(
  { planOf, problem }: Pick<CheckContext<unknown>, 'planOf' | 'problem'>,
  at: string,
  reference: string,
): ValuePlan {
  const plan = planOf(reference);
  if (plan.labels === 1)
    problem({
      at: [at],
      message:
        'all items are of one label: there are no different ones to tell apart; give at least two identities',
    });
  return plan;
}

/** The plan of a verifier given by reference or file; what is wrong with a file, or a network that is another, is reported. */
export async function planVerifier(
  { planOf, problem }: Pick<CheckContext<unknown>, 'planOf' | 'problem'>,
  at: (string | number)[],
  verifier: string,
  embeddings: ValuePlan,
): Promise<ValuePlan> {
  let plan: ValuePlan;
  if (isReference(verifier)) plan = planOf(verifier);
  else {
    try {
      plan = { kind: 'verifier', embedder: (await readVerifier(verifier)).embedder?.name };
    } catch (error) {
      if (!(error instanceof NdconvError)) throw error;
      problem({ at, message: error.message });
      return { kind: 'verifier' };
    }
  }
  if (
    plan.embedder !== undefined &&
    embeddings.embedder !== undefined &&
    plan.embedder !== embeddings.embedder
  )
    problem({
      at,
      message: `the verifier is for embeddings by ${plan.embedder} and these are by ${embeddings.embedder}: their distances mean something else; calibrate one on these`,
    });
  return plan;
}

/** The verifier behind a parameter. */
export const openVerifier = async (
  { valueOf }: Pick<RunContext<unknown>, 'valueOf'>,
  verifier: string,
): Promise<Verifier> => (isReference(verifier) ? valueOf<Verifier>(verifier) : readVerifier(verifier));

/** A plain distance with the published threshold of the network, where there is one. */
export function publishedVerifier(distance: DistanceName, { name }: Embedder): Verifier | undefined {
  const threshold = name === 'face-api' ? publishedThresholds[distance] : undefined;
  return threshold === undefined
    ? undefined
    : givenVerifier(distance, threshold, 'published for face-api, not calibrated on these embeddings');
}

export const distanceSchema = (description: string): Schema => ({ enum: distanceNames, description });

/** Rows of a table on a verifier. */
export function verifierRows(verifier: Verifier): (string | number)[][] {
  const { calibration, embedder, probability } = verifier;
  return [
    ['verifier', describeVerifier(verifier)],
    ['threshold', verifier.threshold],
    ...(embedder ? [['for embeddings by', `${embedder.name} (${embedder.sha256.slice(0, 12)}…)`]] : []),
    ...(calibration
      ? [
          [
            'calibrated on',
            `${calibration.samePairs} same and ${calibration.differentPairs} different pairs of ${calibration.identities} identities (${calibration.items} items)`,
          ],
          ['EER there', `${(100 * calibration.equalErrorRate).toFixed(2)} %`],
          [
            'probability',
            probability ? `${probability.kind}, for a share of ${calibration.prior} same pairs` : 'none',
          ],
        ]
      : [['probability', 'none: it is not calibrated on data']]),
  ];
}
