/**
 * Hearing what a socket's handle has read, past its stream. Node asks the stream of each chunk whether it has a timer to
 * set back, whose it is and what to read into next: for what is carried from socket to socket none of that is needed.
 *
 * Node documents none of it, as of writing by a handle. What a handle calls and how much it has read are looked at first,
 * and where one is other than expected, what comes takes the way through the stream.
 */

import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

type Handle = {
  /** Called for each chunk, and for the end. What it returns is what is read into next, if it is anything. */
  onread: (chunk: unknown) => unknown
  readonly bytesRead: number
}

export type Reader = {
  /** So many bytes lie in the memory. False: they are the stream's to take. */
  readonly take: (socket: Socket, sizeBytes: number) => boolean
  readonly memory: () => Uint8Array
}

/** For a socket that reads into memory of ours. */
export function readDirectly(socket: Socket, reader: Reader): void {
  const { _handle: handle } = socket as unknown as { readonly _handle?: unknown }
  if (socket instanceof TLSSocket || !isHandle(handle)) return
  const { onread: onreadOfNode } = handle
  let room = reader.memory()
  let readBytes = handle.bytesRead
  handle.onread = (chunk) => {
    const sizeBytes = handle.bytesRead - readBytes
    readBytes += sizeBytes
    // It has read nothing where it has come to the end, or failed.
    const isTaken = sizeBytes > 0 && reader.take(socket, sizeBytes)
    const next = isTaken ? reader.memory() : onreadOfNode.call(handle, chunk)
    const before = room
    room = reader.memory()
    return isTaken && next === before ? undefined : next
  }
}

const isHandle = (handle: unknown): handle is Handle =>
  typeof handle === 'object' &&
  handle !== null &&
  'onread' in handle &&
  typeof handle.onread === 'function' &&
  'bytesRead' in handle &&
  typeof handle.bytesRead === 'number'
