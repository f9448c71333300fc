#!/usr/bin/env node
/** `tidegate`: the outermost line. Everything real is handed in here, and only here does the process exit. */

import { runCommandLine } from './run.ts'
import { systemContext } from './system.ts'

const code = await runCommandLine(await systemContext(), process.argv.slice(2))
// What was printed may still be on its way into a pipe.
await Promise.all([process.stdout, process.stderr].map((stream) => new Promise((sent) => stream.write('', sent))))
process.exit(code)
