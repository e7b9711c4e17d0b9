// What NDCONV_DEBUG=1…5 shows on stderr, each level with those before it: 1 programs and their backend, 2 time and rate
// of every kernel, 3 shapes, 4 sources of kernels, 5 the graph. Nothing is computed where nobody looks.

/** The level asked for; 0 where none is. */
export const debugLevel = (): number => Number(process.env.NDCONV_DEBUG) || 0;

/** Shows what `lines` gives, where at least this level is asked for. */
export function debug(level: number, lines: () => readonly string[]): void {
  if (debugLevel() >= level) for (const line of lines()) process.stderr.write(`${line}\n`);
}
