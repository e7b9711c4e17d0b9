#!/usr/bin/env node
// The program `ndconv`. What it does is in program.ts; here it is given the arguments and its exit code is set.

import { runCommandLine } from './program.ts';

process.exitCode = await runCommandLine(process.argv.slice(2));
