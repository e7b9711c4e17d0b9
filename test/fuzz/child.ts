// A process that fuzzes one kind of file for main.ts, which ends it when it hangs: `child.ts FOLDER KIND SEED FROM TO`.

import { fuzzKinds } from './kinds.ts';
import { fuzz } from './run.ts';

const [folder, name, seed, from, to] = process.argv.slice(2);
const kind = (await fuzzKinds(folder)).find(one => one.name === name)!;
process.send!({ ready: true });
const result = await fuzz(kind, Number(seed), Number(from), Number(to), at => process.send!({ at }));
// Memory of the process at its most, in MB.
process.send!({ result: { ...result, megabytes: process.resourceUsage().maxRSS / 1024 } }, () =>
  process.exit(0),
);
