// The steps that can be written under `uses:`.

import type { StepTable } from '../schema.ts';
import type { Step } from '../step.ts';
import { alignFaces } from './align-faces.ts';
import { calibrate } from './calibrate.ts';
import { classify } from './classify.ts';
import { dataset } from './dataset.ts';
import { detectFaces } from './detect-faces.ts';
import { embed } from './embed.ts';
import { enrol } from './enrol.ts';
import { evaluate } from './evaluate.ts';
import { features } from './features.ts';
import { generate } from './generate.ts';
import { identify } from './identify.ts';
import { load } from './load.ts';
import { loadEmbeddings } from './load-embeddings.ts';
import { maximise } from './maximise-activation.ts';
import { network } from './network.ts';
import { prepare } from './prepare.ts';
import { save } from './save.ts';
import { segment } from './segment.ts';
import { styleTransfer } from './style-transfer.ts';
import { trainEmbedding } from './train-embedding.ts';
import { trainVerifier } from './train-verifier.ts';

import { unitPatches } from './unit-patches.ts';
import { verify } from './verify.ts';
import { windows } from './windows.ts';

const table = {
  load,
  generate,
  prepare,
  dataset,
  windows,
  save,
  network,
  features,
  'detect-faces': detectFaces,
  'align-faces': alignFaces,
  embed,
  'load-embeddings': loadEmbeddings,
  classify,
  segment,
  'style-transfer': styleTransfer,
  verify,
  'train-verifier': trainVerifier,
  calibrate,
  evaluate,
  'train-embedding': trainEmbedding,
  enrol,
  identify,
  'unit-patches': unitPatches,
  'maximise-activation': maximise,
} satisfies Record<string, Step>;

export const steps: StepTable = table;
