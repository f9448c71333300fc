/**
 * Writing to a socket by its handle, past its stream. What the kernel takes at once, which is nearly everything, needs
 * none of what a stream does for the rest: an object for each write, and a callback a turn later. What it does not take
 * is the handle's to finish, in its order, whoever writes next.
 *
 * Node documents none of it. A handle is asked for by the names that it has inside of Node, and what it wants along with
 * the bytes, an object of a class that Node gives to nobody, is made by the class of one that Node itself has passed to
 * it. Where any of that is missing or other than it was, everything is written as Node has it.
 */

import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

export type DirectWrites = {
  /** False: nothing was done, and the bytes are still to be written. */
  readonly write: (bytes: Buffer) => boolean
  /** Bytes that were written here are not yet the kernel's: they have to stay as they are. */
  readonly isWaiting: () => boolean
}

type Handle = { writeBuffer: (request: Request, bytes: Uint8Array) => number }
type Request = {
  oncomplete?: (status: number) => void
  bytes?: Uint8Array
  /** Above zero from when the handle has it. */
  readonly getAsyncId: () => number
}

/** Of what Node passes along with bytes. Known once it has written something by itself. */
let RequestOfNode: (new () => Request) | undefined

/**
 * @param relieved called when nothing waits any more
 * @returns `undefined` where it cannot be had, as for what is encrypted: the handle takes one write at a time there
 */
export function directWrites(socket: Socket, relieved: () => void): DirectWrites | undefined {
  const { _handle: handle } = socket as unknown as { readonly _handle?: unknown }
  if (socket instanceof TLSSocket || !isHandle(handle)) return undefined
  if (RequestOfNode === undefined) learnFrom(handle)
  return new HandleWrites({ socket, handle, relieved })
}

type Writing = { readonly socket: Socket; readonly handle: Handle; readonly relieved: () => void }

class HandleWrites implements DirectWrites {
  private readonly socket: Socket
  private readonly handle: Handle
  private readonly relieved: () => void
  private request: Request | undefined = undefined
  private waiting = 0

  constructor({ socket, handle, relieved }: Writing) {
    this.socket = socket
    this.handle = handle
    this.relieved = relieved
  }

  write(bytes: Buffer): boolean {
    const { socket } = this
    if (RequestOfNode === undefined || !socket.writable || socket.writableLength > 0) return false
    const request = (this.request ??= new RequestOfNode())
    // What failed fails for Node in the same way, which then says so to everyone.
    if (this.handle.writeBuffer(request, bytes) !== 0) return false
    // To give it to the handle twice would end the process. That nothing waits any more does not say that the handle
    // is done with it: the kernel may have taken the rest at its second try, and the callback is still to come.
    if (request.getAsyncId() > 0) this.wait(request, bytes)
    return true
  }

  isWaiting(): boolean {
    return this.waiting > 0
  }

  /** The handle has the request until then. */
  private wait(taken: Request, bytes: Buffer): void {
    this.request = undefined
    this.waiting += 1
    taken.bytes = bytes
    taken.oncomplete = (status) => {
      this.waiting -= 1
      if (status < 0) this.socket.destroy()
      else if (this.waiting === 0) this.relieved()
    }
  }
}

const isHandle = (handle: unknown): handle is Handle =>
  typeof handle === 'object' && handle !== null && 'writeBuffer' in handle && typeof handle.writeBuffer === 'function'

/** Looks on while Node writes to it for the next time. */
function learnFrom(handle: Handle): void {
  const { writeBuffer } = handle
  handle.writeBuffer = (request, bytes) => {
    Reflect.deleteProperty(handle, 'writeBuffer')
    const { constructor, getAsyncId } = Object.getPrototypeOf(request) as {
      [K in keyof Request | 'constructor']: unknown
    }
    const isKnown = typeof constructor === 'function' && constructor.name === 'WriteWrap'
    if (isKnown && typeof getAsyncId === 'function') RequestOfNode = constructor as new () => Request
    return writeBuffer.call(handle, request, bytes)
  }
}
