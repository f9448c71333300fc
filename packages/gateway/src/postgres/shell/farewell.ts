/** How a client is let go of. */

import type { Socket } from 'node:net'
import { postgresLimits as limits } from '../limits.ts'
import { errorResponse, type Report } from '../wire/write.ts'
import type { Relay } from './relay.ts'

type Farewell = {
  readonly client: Socket
  readonly relay: Relay
  /** Absent: the target has said it already. */
  readonly report: Report | undefined
}

/**
 * A reason can only be given between two messages. One that is half sent may be finished, for a moment. Calls back when
 * the client is seen to, and nothing more is wanted of the target.
 */
export function sayFarewell({ client, relay, report }: Farewell, done: () => void): void {
  let isSeenTo = false
  let unfinished: NodeJS.Timeout | undefined = undefined
  const close = (): void => {
    isSeenTo = true
    clearTimeout(unfinished)
    relay.close()
    done()
  }
  relay.atBoundary(() => {
    closeSoon(client, report && errorResponse(report))
    close()
  })
  if (isSeenTo) return
  unfinished = setTimeout(() => {
    client.destroy()
    close()
  }, limits.unfinishedMs)
}

/** Sends the last bytes and closes; whoever does not take them is not waited for. */
export function closeSoon(socket: Socket, last: Buffer | undefined): void {
  if (socket.destroyed) return
  const late = setTimeout(() => socket.destroy(), limits.farewellMs)
  socket.once('close', () => clearTimeout(late))
  if (socket.writableEnded) return
  if (last === undefined) socket.end()
  else socket.end(last)
}
