/**
 * Connections that are not sessions yet. Their number is bounded, and a full room turns nobody away: the one that got
 * least far in the longest time makes place, so that sockets that say nothing cannot keep out one that does.
 */

import type { Socket } from 'node:net'
import type { SessionLimits } from './ports.ts'

/** `silent`, then `speaking` once it has said what it wants, then `proved` with the right password. */
export type Progress = 0 | 1 | 2

export type Visitor = {
  readonly address: string
  readonly socket: Socket
  progress: Progress
  /** The first to leave. */
  readonly leave: () => void
}

export type WaitingRoom = {
  readonly enter: (socket: Socket) => Visitor
  readonly size: () => number
  /** Sends everybody away. */
  readonly close: () => void
}

export function createWaitingRoom(limits: SessionLimits): WaitingRoom {
  const visitors = new Set<Visitor>()
  const perAddress = new Map<string, Set<Visitor>>()

  const makePlace = (among: ReadonlySet<Visitor>): void => {
    // In the order in which they came, so that the first of the least progress has waited longest.
    let last: Visitor | undefined
    for (const visitor of among) if (last === undefined || visitor.progress < last.progress) last = visitor
    last?.socket.destroy()
    last?.leave()
  }

  return {
    enter(socket) {
      const address = socket.remoteAddress ?? ''
      const neighbours = perAddress.get(address) ?? new Set()
      if (neighbours.size >= limits.handshakesPerAddress) makePlace(neighbours)
      if (visitors.size >= limits.handshakes) makePlace(visitors)
      const visitor: Visitor = {
        address,
        socket,
        progress: 0,
        leave() {
          visitors.delete(visitor)
          neighbours.delete(visitor)
          if (neighbours.size === 0 && perAddress.get(address) === neighbours) perAddress.delete(address)
        },
      }
      visitors.add(visitor)
      neighbours.add(visitor)
      perAddress.set(address, neighbours)
      return visitor
    },
    size: () => visitors.size,
    close() {
      for (const { socket } of visitors) socket.destroy()
    },
  }
}
