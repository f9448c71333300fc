import type { Frame } from '../wire/client-messages.ts'

/** A message as a framer finds it: whole, or the first part of one that is streamed. */
export type Message = Frame & {
  /** The type byte. */
  readonly type: number
  /** Of the whole message on the wire, the type byte counted. */
  readonly length: number
}
