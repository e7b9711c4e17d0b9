// `ndconv init`: writes a commented pipeline to start from. It never overwrites a file.

import { rm, writeFile } from 'node:fs/promises';
import { NdconvError } from '../../errors.ts';
import { nearestName } from '../../pipeline/nearest.ts';
import { type StarterKind, starterKinds, starterText } from '../starters.ts';
import { printLine } from '../streams.ts';

/** Other words for the kinds. */
const alsoCalled: Record<string, StarterKind> = {
  audio: 'sound',
  music: 'sound',
  photo: 'image',
  picture: 'image',
  scan: 'volume',
  signal: 'ecg',
};

export async function init(kind: string, file = `${kind}.yaml`): Promise<void> {
  const known = starterKinds.find(name => name === kind);
  if (!known) throw unknownKind(kind);
  if (!/\.ya?ml$/i.test(file)) {
    throw new NdconvError('PipelineError', `${file} is not named as a pipeline; name it ${file}.yaml`, {
      file,
    });
  }
  try {
    await writeFile(file, starterText(known, file), { flag: 'wx' });
  } catch (error) {
    throw await explainWrite(error as NodeJS.ErrnoException, kind, file);
  }
  printLine(`wrote ${file}; it runs as it is:  ndconv run ${file}`);
  printLine('Then put a file of your own into the line marked with ←.');
}

function unknownKind(kind: string): NdconvError {
  const kinds = starterKinds.join(', ');
  if (/\.ya?ml$/i.test(kind)) {
    return new NdconvError(
      'PipelineError',
      `say what ${kind} is for, one of ${kinds}: ndconv init image ${kind}`,
    );
  }
  const near = alsoCalled[kind.toLowerCase()] ?? nearestName(kind, starterKinds);
  const hint = near ? `did you mean ${near}?` : `there are ${kinds}`;
  return new NdconvError('PipelineError', `there is no starter called ${kind}; ${hint}`, { kind });
}

async function explainWrite(error: NodeJS.ErrnoException, kind: string, file: string): Promise<NdconvError> {
  const { code } = error;
  // A disk that filled up leaves part of a file that was not there before.
  if (code === 'ENOSPC') await rm(file, { force: true });
  const message =
    code === 'EEXIST'
      ? `${file} exists already and is left as it is; name another: ndconv init ${kind} my-${kind}.yaml`
      : code === 'ENOENT'
        ? `${file} cannot be written: its folder does not exist; make it first`
        : `${file} cannot be written (${code}); choose another place`;
  return new NdconvError('PipelineError', message, { file, code }, error);
}
