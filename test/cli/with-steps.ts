// The command line with steps for tests beside those of ndconv: one that is in the middle of a file for a minute and
// takes no notice of Ctrl-C, one that fails, one with a defect.

import { writeFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { runCommandLine } from '../../src/cli/program.ts';
import { NdconvError } from '../../src/errors.ts';
import type { Step } from '../../src/pipeline/index.ts';

const step = (name: string, run: Step['run']): Step => ({
  name,
  summary: name,
  schema: {},
  outputs: {},
  check: () => ({ outputs: {} }),
  run,
});

const steps = {
  slow: step('slow', async ({ write, note }) => {
    await write('deep/slow.txt', async temporary => {
      await writeFile(temporary, 'half of it');
      note('half of it is written');
      await setTimeout(60_000);
    });
    return {};
  }),
  failing: step('failing', async ({ write }) => {
    await write('first.txt', temporary => writeFile(temporary, 'whole'));
    await write('second.txt', async temporary => {
      await writeFile(temporary, 'half of it');
      throw new NdconvError('RunError', 'the loss became NaN; lower the rate');
    });
    return {};
  }),
  broken: step('broken', async () => {
    throw new TypeError('undefined is not a function');
  }),
};

process.exitCode = await runCommandLine(process.argv.slice(2), { steps });
