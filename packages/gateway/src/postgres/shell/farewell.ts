/** How both sides are let go of. */

import type { Socket } from 'node:net'
import { postgresLimits as limits } from '../limits.ts'
import { errorResponse, type Report, terminate } from '../wire/write.ts'
import type { TargetLogin } from './ports.ts'
import type { Relay } from './relay.ts'
import { cancelAtTarget, type OpenTarget } from './target.ts'

type Farewell = {
  readonly client: Socket
  readonly relay: Relay
  /** Absent: the target has said it already. */
  readonly report: Report | undefined
}

/**
 * A reason can only be given between two messages. One that is half sent may be finished, for a moment. Calls back when
 * nothing more is wanted of the target.
 */
export function sayFarewell({ client, relay, report }: Farewell, done: () => void): void {
  const close = (): void => {
    clearTimeout(unfinished)
    relay.close()
    done()
  }
  const unfinished = setTimeout(() => {
    client.destroy()
    close()
  }, limits.unfinishedMs)
  relay.atBoundary(() => {
    close()
    closeSoon(client, report && errorResponse(report))
  })
}

/** Sends the last bytes and closes; whoever does not take them is not waited for. */
function closeSoon(socket: Socket, last: Buffer | undefined): void {
  if (socket.destroyed) return
  const late = setTimeout(() => socket.destroy(), limits.farewellMs)
  socket.once('close', () => clearTimeout(late))
  if (socket.writableEnded) return
  if (last === undefined) socket.end()
  else socket.end(last)
}

type LettingGo = {
  readonly target: OpenTarget
  readonly login: TargetLogin
  readonly isBusy: boolean
}

/**
 * A target with nothing to do is told. One that works is cut off and then cancelled, in this order: what it has received
 * and not begun would be next once the statement under way is cancelled, but for the connection being gone.
 */
export function letTargetGo({ target, login, isBusy }: LettingGo): void {
  if (!isBusy) {
    closeSoon(target.socket, terminate())
    return
  }
  const isGone = target.socket.destroyed || target.socket.readableEnded
  target.reset()
  if (isGone) return
  const { key } = target
  if (key === undefined) return
  void cancelAtTarget(login, key)
  // Once more: a statement that was on its way when the first came had not begun, and could not be cancelled.
  setTimeout(() => void cancelAtTarget(login, key), limits.farewellMs)
}
