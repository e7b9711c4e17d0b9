// Members of a zip file, unpacked by fflate behind checks that its directory cannot be lying: as many members as it has
// room for, each no larger than its bytes could inflate to, and together no larger either.

import type { UnzipFileInfo } from 'fflate';
import { expectInflatable } from './bytes.ts';
import { decoding, formatError } from './format.ts';

/** Bytes that one member takes at least in the directory of a zip. */
const smallestEntry = 46;

/**
 * The members of a zip by name, only those that `keep` asks for. `format` is what the file is, for errors.
 * Errors: FormatError naming `path`.
 */
export async function unzip(
  path: string,
  bytes: Uint8Array,
  format: string,
  keep: (name: string) => boolean = () => true,
): Promise<Map<string, Uint8Array>> {
  const { unzipSync } = await import('fflate');
  let members = 0;
  let total = 0;
  const filter = ({ name, size, originalSize, compression }: UnzipFileInfo): boolean => {
    if (++members > bytes.length / smallestEntry)
      throw formatError(
        path,
        'its directory is said to list more members than fit into the file',
        'copy or export it again',
      );
    if (compression === 8) expectInflatable(path, originalSize, size, name);
    else if (originalSize > bytes.length)
      throw formatError(
        path,
        `${name} is said to hold ${originalSize} bytes, more than the file`,
        'copy or export it again',
      );
    if (!keep(name)) return false;
    total += originalSize;
    expectInflatable(path, total, bytes.length, 'all its members together');
    return true;
  };
  return new Map(Object.entries(await decoding(path, format, () => unzipSync(bytes, { filter }))));
}
