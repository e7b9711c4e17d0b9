// The steps that can be written under `uses:`.

import type { Step } from '../step.ts';
import { generate } from './generate.ts';
import { load } from './load.ts';
import { network } from './network.ts';
import { save } from './save.ts';
import { styleTransfer } from './style-transfer.ts';

export const steps = {
  load,
  generate,
  save,
  network,
  'style-transfer': styleTransfer,
} satisfies Record<string, Step>;
