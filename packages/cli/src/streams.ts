/** The standard streams, as far as the command line uses them. */

import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'

export type Sink = Writable & { readonly isTTY?: boolean }
export type Source = Readable & { readonly isTTY?: boolean; setRawMode?(raw: boolean): unknown }

/** For more than should wait in memory for a slow reader. Resolves also when nobody reads any more. */
export async function writeAll(sink: Sink, text: string): Promise<void> {
  if (sink.write(text) || sink.destroyed) return
  await Promise.race([once(sink, 'drain'), once(sink, 'close')])
}
