/** Gateways that wait for news: one call of each of their processes, and while there is any, something is done every so often. */

import type { Instant } from '@tidegate/core'
import type { GatewayRef } from '../identity/identity.ts'

type Outcome = 'told' | 'put-out'
/** A process of a gateway. */
export type Asker = { readonly gateway: GatewayRef; readonly worker?: number | undefined }

type Waiter = { readonly gateway: GatewayRef; readonly leave: (outcome: Outcome) => void }

type Config = { readonly everyMs: number; readonly meanwhile: () => void }

export function createWaiting({ everyMs, meanwhile }: Config) {
  const waiters = new Map<string, Waiter>()
  let stopped = false
  let timer: NodeJS.Timeout | undefined

  const tick = (): void => {
    timer = undefined
    if (waiters.size === 0) return
    meanwhile()
    begin()
  }
  const begin = (): void => void (timer ??= setTimeout(tick, everyMs))

  const release = (wanted: (gateway: GatewayRef) => boolean): void => {
    for (const { gateway, leave } of waiters.values()) if (wanted(gateway)) leave('told')
  }
  const releaseAll = (): void => release(() => true)

  return {
    release,
    releaseAll,
    /** Resolves when it is released, or when its time is up. Of two calls of one process the first is over at once. */
    wait({ gateway, worker = 0 }: Asker, waitMs: number): Promise<Outcome> {
      if (stopped) return Promise.resolve('told')
      const name = `${gateway.id} ${worker}`
      waiters.get(name)?.leave('told')
      begin()
      return new Promise((resolve) => {
        const over = setTimeout(() => leave('told'), waitMs)
        const leave = (outcome: Outcome): void => {
          clearTimeout(over)
          if (waiters.get(name) === waiter) waiters.delete(name)
          resolve(outcome)
        }
        const waiter: Waiter = { gateway, leave }
        waiters.set(name, waiter)
      })
    },
    /** By gateway, when it enrolled: whoever is not among them hears nothing more. */
    keepOnly(enrolments: ReadonlyMap<string, Instant>): void {
      for (const { gateway, leave } of waiters.values())
        if (enrolments.get(gateway.id) !== gateway.enrolledAt) leave('put-out')
    },
    stop(): void {
      stopped = true
      clearTimeout(timer)
      releaseAll()
    },
  }
}
