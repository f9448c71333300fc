/**
 * Reading from a socket that a server has accepted into memory of ours. Node documents `onread` for sockets that connect,
 * and has no word for those that come. What it does for the first is done here for the second, by the names that it has
 * inside of Node: three fields of a socket, and a method of its handle. Where one of them is missing, or is not as it is
 * in a new socket, nothing is touched and the socket reads as Node has it.
 *
 * It is worth that because it is a seventh of what a bare relay costs for each chunk: memory for 64 KiB is made, cut and
 * collected for every message otherwise.
 */

import type { OnReadOpts, Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

/** Of a socket that reads as Node has it, each is there and is null. */
const fields = ['kBuffer', 'kBufferGen', 'kBufferCb'] as const

type Inside = { _handle?: unknown; [field: symbol]: unknown }
type Handle = { readonly useUserBuffer: (memory: Uint8Array) => void }

/** From here on what comes is the callback's. False: it cannot be had, and what comes is in the stream. */
export function readAccepted(socket: Socket, onread: OnReadOpts): boolean {
  const { buffer } = onread
  const inside = socket as unknown as Inside
  const { _handle: handle } = inside
  const [memory, makes, calls] = fields.map((field) => symbolOf(inside, field))
  // What is encrypted has another way through Node, which has to make memory for it.
  if (socket instanceof TLSSocket || !takesMemory(handle)) return false
  if (memory === undefined || makes === undefined || calls === undefined || typeof buffer !== 'function') return false
  const first = buffer()
  inside[memory] = first
  inside[makes] = buffer
  inside[calls] = (sizeBytes: number, into: Uint8Array) => onread.callback(sizeBytes, into)
  handle.useUserBuffer(first)
  return true
}

const symbolOf = (inside: Inside, field: string): symbol | undefined =>
  Object.getOwnPropertySymbols(inside).find((symbol) => symbol.description === field && inside[symbol] === null)

const takesMemory = (handle: unknown): handle is Handle =>
  typeof handle === 'object' &&
  handle !== null &&
  'useUserBuffer' in handle &&
  typeof handle.useUserBuffer === 'function'
