// `calibrate`: from embeddings whose labels are known to a verifier, a distance with its threshold and probabilities.

import type { Embeddings } from '../../embeddings/embeddings.ts';
import { calibrate as calibrateVerifier } from '../../verification/calibrate.ts';
import type { Comparison } from '../../verification/comparison.ts';
import type { DistanceName } from '../../verification/distances.ts';
import { choosePairs } from '../../verification/pairs.ts';
import { describeVerifier } from '../../verification/verifier.ts';
import type { Step } from '../step.ts';
import {
  type CalibrationParameters,
  calibrationSchema,
  checkEmbeddings,
  choiceOf,
  distanceSchema,
  openVerifier,
  planVerifier,
  verifierRows,
  verifierSchema,
} from './verification/parameters.ts';
import { checkJsonPath, saveVerifier } from './verification/save-verifier.ts';

interface Parameters extends CalibrationParameters {
  embeddings: string;
  distance?: DistanceName;
  verifier?: string;
  path?: string;
}

export const calibrate: Step<Parameters> = {
  name: 'calibrate',
  summary: 'a verifier from embeddings whose labels are known: a threshold and probabilities for a distance',
  schema: {
    required: ['embeddings'],
    properties: {
      embeddings: {
        reference: ['embeddings'],
        description: 'what to calibrate on: at least two labels, and two samples of some',
      },
      distance: distanceSchema(
        'how embeddings are compared; squared-euclidean where neither it nor verifier is given',
      ),
      verifier: {
        ...verifierSchema,
        description: 'instead of a distance: a verifier to calibrate anew, trained elsewhere perhaps',
      },
      ...calibrationSchema,
      path: { path: 'write', description: 'a .json to keep the verifier in' },
    },
  },
  outputs: { value: 'verifier' },
  effect: true,
  async check(context) {
    const { params: p, problem } = context;
    const plan = checkEmbeddings(context, 'embeddings', p.embeddings);
    if (p.distance !== undefined && p.verifier !== undefined)
      problem({
        at: ['distance'],
        message: 'has no effect beside verifier, which compares in its own way; remove one',
      });
    if (p.verifier !== undefined) await planVerifier(context, ['verifier'], p.verifier, plan);
    checkJsonPath(context, p.path);
    return { outputs: { value: { kind: 'verifier', embedder: plan.embedder } } };
  },
  async run(context) {
    const { params: p, valueOf, note, report, seed } = context;
    const embeddings = valueOf<Embeddings>(p.embeddings);
    const before = p.verifier === undefined ? undefined : await openVerifier(context, p.verifier);
    const comparison: Comparison = before?.comparison ?? {
      kind: 'distance',
      distance: p.distance ?? 'squared-euclidean',
    };
    const { pairs } = choosePairs(embeddings.items, { kind: 'all', seed });
    const verifier = calibrateVerifier(
      { comparison, ...(before?.embedder ? { embedder: before.embedder } : {}) },
      embeddings,
      pairs,
      choiceOf(p),
    );
    note(describeVerifier(verifier));
    report({
      title: 'Calibration',
      blocks: [{ type: 'table', columns: ['', ''], rows: verifierRows(verifier) }],
    });
    await saveVerifier(context, verifier, p.path);
    return { value: verifier };
  },
};
