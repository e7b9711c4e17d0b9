// The command line: options, commands and exit codes. Exit codes: 0 done, 1 the run failed or was stopped, 2 the file or
// the arguments are wrong, 3 done, but inputs that could not be used were left out. What a command does lies in
// commands/, loaded when it is called, so that help is quick.

import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { NdconvError } from '../errors.ts';
import { nearestName } from '../pipeline/nearest.ts';
import type { StepTable } from '../pipeline/schema.ts';
import { readVersion } from '../version.ts';
import { argumentEvent, explainDefect, explainFailure } from './failure.ts';
import type { PipelineFlags, RunFlags } from './flags.ts';
import { printLine, tolerateClosedPipes } from './streams.ts';

/** What a program that embeds the command line may add. */
export interface CommandLineOptions {
  /** More steps, by the name under `uses:`. */
  steps?: StepTable;
}

const collect = (value: string, before: string[]): string[] => [...before, value];

/** A whole number of at least `least`. */
const wholeNumber =
  (least: number) =>
  (text: string): number => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${least}.`);
  };

function addPipelineOptions(command: Command): Command {
  return command
    .argument('<file>', 'the pipeline (.yaml)')
    .option(
      '-s, --set <name=value>',
      'change a parameter (size=96) or a key of a step (content.size=96)',
      collect,
      [],
    )
    .option('-b, --backend <name>', 'auto, reference, wasm, gpujs or gpujs:mode')
    .option('--seed <n>', 'what everything random comes from', wholeNumber(0))
    .option('--json', 'print JSON for programs');
}

function addNetworkCommands(program: Command): void {
  const commands = () => import('./commands/network.ts');
  const network = program.command('network').description('list, download and inspect networks');
  const json = ['--json', 'print JSON for programs'] as const;
  network
    .command('list')
    .description('list the networks by name, and which of them are here')
    .option(...json)
    .action(async flags => (await commands()).list(flags));
  network
    .command('show')
    .description('print where a network comes from, its licence, its preprocessing and whom to cite')
    .argument('<name>', 'the network')
    .option(...json)
    .action(async (name: string, flags) => (await commands()).show(name, flags));
  network
    .command('get')
    .description('download the weights of a network; what broke off goes on, what is here is checked')
    .argument('<name>', 'the network')
    .option('--offline', 'download nothing: check what is here, or fail')
    .option(...json)
    .action(async (name: string, flags) => (await commands()).get(name, flags));
  network
    .command('add')
    .description('keep a file of your own: a network that describes itself, or the weights of a known one')
    .argument('<file>', '.onnx or model.json; with --as any file of weights')
    .option('--as <name>', 'the known network whose weights these are')
    .option('--name <name>', 'how to call the network (default: the name of the file)')
    .option(...json)
    .action(async (file: string, flags) => (await commands()).add(file, flags));
  network
    .command('inspect')
    .description(
      'print the layers: shapes, parameters, receptive field (size, stride, start) and multiply-adds',
    )
    .argument('<network>', 'a file of a network or of weights, or a name')
    .option('-i, --input <sizes>', 'size of the input for shapes and cost: 224x224')
    .option('--dot', 'print the graph in the DOT language')
    .option(...json)
    .action(async (which: string, flags) => (await commands()).inspect(which, flags));
}

/** Builds the commands; `finish` is told the exit code. */
export function createProgram(
  options: CommandLineOptions = {},
  finish: (code: number) => void = () => {},
): Command {
  const { steps = {} } = options;
  const program = new Command('ndconv')
    .description('Convolutional networks over signals, images and volumes, driven by pipeline files.')
    .exitOverride()
    .helpCommand(true)
    .showHelpAfterError('(`ndconv --help` lists the commands, `ndconv run --help` the options of one)')
    .addHelpText(
      'after',
      `
Examples:
  ndconv init image my.yaml             write a pipeline to start from
  ndconv check my.yaml                  find what is wrong with it
  ndconv run my.yaml --set size=128     run it with another parameter
  ndconv doctor                         see which backends there are`,
    );
  program.option('-V, --version', 'print the version').action(async (flags: { version?: boolean }) => {
    if (!flags.version) {
      program.outputHelp({ error: true });
      return finish(2);
    }
    process.stdout.write(`${readVersion()}\n`);
  });

  addPipelineOptions(program.command('run').description('run a pipeline'))
    .option('-o, --out <folder>', 'where results go (default: out/<name of the pipeline>)')
    .option('--threads <n>', 'threads of the wasm backend (default: one for each core)', wholeNumber(1))
    .addOption(new Option('--no-wide', 'wasm backend: do without widened vectors'))
    .addOption(
      new Option('--no-winograd', 'wasm backend: direct convolution alone, slower and a little more exact'),
    )
    .option('-q, --quiet', 'print nothing but errors')
    .action(async (file: string, flags: RunFlags) => {
      finish(await (await import('./commands/run.ts')).run(file, flags, steps));
    });
  addPipelineOptions(program.command('check').description('check a pipeline without running it')).action(
    async (file: string, flags: PipelineFlags) => {
      await (await import('./commands/check.ts')).check(file, flags, steps);
    },
  );
  addPipelineOptions(
    program.command('plan').description('print the steps, shapes, memory and time of a pipeline'),
  ).action(async (file: string, flags: PipelineFlags) => {
    await (await import('./commands/plan.ts')).plan(file, flags, steps);
  });
  program
    .command('init')
    .description('write a commented pipeline to start from')
    .argument('[kind]', 'sound, image, volume or ecg', 'image')
    .argument('[file]', 'where to write it (default: <kind>.yaml)')
    .action(async (kind: string, file?: string) => {
      await (await import('./commands/init.ts')).init(kind, file);
    });
  program
    .command('schema')
    .description('print the JSON schema of pipeline files, for editors')
    .option('--write <file>', 'write it to a file')
    .action(async (flags: { write?: string }) => {
      await (await import('./commands/schema.ts')).schema(flags.write, steps);
    });
  program
    .command('formats')
    .description('list the file formats')
    .option('--json', 'print JSON for programs')
    .action(async (flags: { json?: boolean }) => (await import('./commands/formats.ts')).formats(flags));
  addNetworkCommands(program);
  program
    .command('doctor')
    .description('compare every backend with the reference, and say which one auto takes')
    .addOption(new Option('--no-wide', 'wasm backend: do without widened vectors'))
    .option('--json', 'print JSON for programs')
    .action(async (flags: { json?: boolean; wide: boolean }) => {
      finish(await (await import('./commands/doctor.ts')).doctor(flags));
    });
  return program;
}

/**
 * Runs a command line and returns its exit code. What is wrong is printed on stderr; with `--json` it is also the last
 * event on stdout.
 */
export async function runCommandLine(
  args: readonly string[],
  options: CommandLineOptions = {},
): Promise<number> {
  tolerateClosedPipes();
  let code = 0;
  const program = createProgram(options, value => {
    code = value;
  });
  try {
    await program.parseAsync(expectCommand(args, program), { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0;
      if (args.includes('--json')) printLine(JSON.stringify(argumentEvent(error)));
      return 2;
    }
    // What fails inside a run is told by the command itself; here nothing ran yet.
    if (error instanceof NdconvError) explainFailure(error, { json: args.includes('--json') });
    else explainDefect(error);
    return error instanceof NdconvError ? 2 : 1;
  }
}

/** Refuses a first word that is no command; `ndconv my.yaml` is meant as `ndconv run my.yaml`. */
function expectCommand(args: readonly string[], program: Command): readonly string[] {
  const [first] = args;
  const names = [...program.commands.map(command => command.name()), 'help'];
  if (first === undefined || first.startsWith('-') || names.includes(first)) return args;
  const near = nearestName(first, names);
  const message = /\.ya?ml$/i.test(first)
    ? `${first} is a file, not a command; to run it: ndconv run ${args.join(' ')}`
    : `there is no command ${first}; ${near ? `did you mean ${near}?` : `there are ${names.join(', ')}`}`;
  throw new NdconvError('PipelineError', message, { command: first });
}
