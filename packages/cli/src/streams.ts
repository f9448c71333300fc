/** The standard streams, as far as the command line uses them. */

import type { Readable, Writable } from 'node:stream'

export type Sink = Writable & { readonly isTTY?: boolean }
export type Source = Readable & { readonly isTTY?: boolean; setRawMode?(raw: boolean): unknown }
