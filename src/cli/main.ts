#!/usr/bin/env node
// The command line. Exit codes: 0 done, 1 the run failed or was stopped, 2 the file or the arguments are wrong.

import { Command, CommanderError } from 'commander';
import { NdconvError } from '../errors.ts';
import { isRunning } from './phase.ts';

interface RunFlags {
  set: string[];
  out?: string;
  backend?: string;
  seed?: number;
  wide: boolean;
  quiet?: boolean;
  json?: boolean;
}

const collect = (value: string, before: string[]) => [...before, value];
const program = new Command('ndconv')
  .description('N-dimensional convolution: style transfer for sounds, images and volumes')
  .exitOverride();

const common = (command: Command) =>
  command
    .option(
      '--set <name=value>',
      'change a parameter (name=value) or a key of a step (step.key=value)',
      collect,
      [],
    )
    .option('--backend <name>', 'auto, wasm or reference')
    .option('--seed <n>', 'the seed of everything random', Number);

common(program.command('run <file>').description('run a pipeline'))
  .option('--out <folder>', 'output folder (default: out/<name>)')
  .option('--no-wide', 'do not widen vectors')
  .option('--quiet', 'print nothing but errors')
  .option('--json', 'print events as JSON, one a line')
  .action(async (file: string, flags: RunFlags) => (await import('./commands/run.ts')).run(file, flags));

common(program.command('check <file>').description('check a pipeline without running it')).action(
  async (file: string, flags: RunFlags) => (await import('./commands/check.ts')).check(file, flags),
);

common(program.command('plan <file>').description('print the steps, shapes and memory of a pipeline')).action(
  async (file: string, flags: RunFlags) => (await import('./commands/check.ts')).plan(file, flags),
);

program
  .command('schema')
  .description('print the JSON schema of pipeline files')
  .option('--write <file>', 'write it to a file')
  .action(async (flags: { write?: string }) => (await import('./commands/schema.ts')).schema(flags.write));

program
  .command('formats')
  .description('list the file formats')
  .action(async () => (await import('./commands/formats.ts')).formats());

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else if (error instanceof NdconvError) {
    console.error(error.message);
    process.exitCode = isRunning() ? 1 : 2;
  } else {
    console.error(error);
    console.error('This is a defect of ndconv; please report it with the text above.');
    process.exitCode = 1;
  }
}
