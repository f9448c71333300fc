/** What has to be told to the JavaScript engine before anything is decided. */

import { setFlagsFromString } from 'node:v8'

/**
 * V8 draws calls into WebAssembly, which policies are evaluated with, into the code that makes them. When it gives that
 * code up in the middle of such a call, it comes to a place in itself that it takes for unreachable, and ends the
 * process (`Deoptimizer::DoComputeBuiltinContinuation`; seen with Node 20.20 under load, after minutes). Not drawn in,
 * a call takes a few nanoseconds more.
 */
export function keepEngineSteady(): void {
  setFlagsFromString('--no-turbo-inline-js-wasm-calls')
}
