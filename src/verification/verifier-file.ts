// Verifiers as JSON files: everything that comparing needs, the network they are for included, so that a calibration is
// made once and used wherever embeddings of that network are.

import type { Embedder } from '../embeddings/embeddings.ts';
import { readWhole } from '../formats/bytes.ts';
import { formatError, reasonOf } from '../formats/format.ts';
import { unitNames } from './comparison.ts';
import { distanceNames } from './distances.ts';
import type { Verifier } from './verifier.ts';

/** Version of the layout of a file. */
const version = 1;

/** The text of a verifier's file. */
export const verifierToJson = (verifier: Verifier): string =>
  `${JSON.stringify({ 'ndconv-verifier': version, ...verifier }, undefined, 1).replace(/\n {3,}(?=-?[\d.])/g, ' ')}\n`;

const isNumbers = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every(entry => typeof entry === 'number' && Number.isFinite(entry));

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What is wrong with a comparison; undefined where nothing is. */
function faultOfComparison(value: unknown): string | undefined {
  if (!isRecord(value)) return 'comparison is missing';
  if (value.kind === 'distance')
    return distanceNames.includes(value.distance as never)
      ? undefined
      : `comparison.distance is ${JSON.stringify(value.distance)}`;
  if (value.kind !== 'learned') return `comparison.kind is ${JSON.stringify(value.kind)}`;
  if (!unitNames.includes(value.unit as never)) return `comparison.unit is ${JSON.stringify(value.unit)}`;
  const { weights, typical, bias, adaptation } = value;
  if (!isNumbers(weights) || !isNumbers(typical) || typical.length !== weights.length || !isNumbers([bias]))
    return 'the weights are no numbers, or not as many as there are components';
  if (adaptation === undefined) return undefined;
  const size = weights.length;
  const { mean, matrix } = isRecord(adaptation) ? adaptation : { mean: undefined, matrix: undefined };
  const fits =
    isNumbers(mean) &&
    mean.length === size &&
    (matrix === undefined || (isNumbers(matrix) && matrix.length === size * size));
  return fits ? undefined : 'its adaptation does not fit its weights';
}

function faultOfProbability(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (isRecord(value) && value.kind === 'platt' && isNumbers([value.slope, value.offset])) return undefined;
  if (isRecord(value) && value.kind === 'isotonic') {
    const { distances, probabilities } = value;
    if (isNumbers(distances) && isNumbers(probabilities) && distances.length === probabilities.length)
      return undefined;
  }
  return 'its probability curve is incomplete';
}

const isEmbedder = (value: unknown): value is Embedder =>
  isRecord(value) && typeof value.name === 'string' && typeof value.sha256 === 'string';

/** The verifier in the text of a file. Errors: FormatError naming `path`. */
export function verifierFromJson(text: string, path: string): Verifier {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch (cause) {
    throw formatError(
      path,
      `is no JSON (${reasonOf(cause)})`,
      'give a file that train-verifier or calibrate wrote',
      {},
      cause,
    );
  }
  if (!isRecord(found) || found['ndconv-verifier'] === undefined)
    throw formatError(path, 'is no verifier', 'give a file that train-verifier or calibrate wrote');
  const { 'ndconv-verifier': made, ...verifier } = found;
  if (made !== version)
    throw formatError(
      path,
      `is a verifier of version ${made}, this ndconv reads ${version}`,
      'make it again',
    );
  const fault =
    faultOfComparison(verifier.comparison) ??
    faultOfProbability(verifier.probability) ??
    (isNumbers([verifier.threshold]) && isRecord(verifier.rule) ? undefined : 'its threshold is missing') ??
    (verifier.embedder === undefined || isEmbedder(verifier.embedder)
      ? undefined
      : 'its embedder is incomplete');
  if (fault) throw formatError(path, `${fault}: the file is damaged`, 'make it again');
  return verifier as unknown as Verifier;
}

/** Reads a verifier. Errors: FormatError. */
export const readVerifier = async (path: string): Promise<Verifier> =>
  verifierFromJson(Buffer.from(await readWhole(path)).toString('utf8'), path);
