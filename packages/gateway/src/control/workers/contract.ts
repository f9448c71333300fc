/** What the process that was started and its workers ask of one another. All of it is JSON, but for connections. */

import type { Share } from '../../share.ts'
import type { SignedIn } from '../control-plane.ts'
import type { GatewayOptions } from '../settings.ts'

/** Of the protocol, with its key in base64. */
export type Cancel = { readonly processId: number; readonly key: string }

export type Start = {
  /** `listen`: where others do for it. */
  readonly options: Omit<GatewayOptions, 'log' | 'fetch' | 'clock' | 'enrolmentToken'>
  readonly gateway: string
  readonly share: Share
  /** In base64. */
  readonly mockSecret: string
}

/** What a worker is asked. */
export type OfWorker = {
  /** @throws GatewayRefusal */
  readonly start: (start: Start) => Promise<void>
  readonly cancel: (cancel: Cancel) => Promise<void>
  readonly stop: (nothing: null) => Promise<void>
}

/** What a connection is handed on with. */
export type Client = { readonly is: 'client'; readonly number: number }

/** What a worker asks. */
export type OfPrimary = {
  /** It listens: what is said to a process before that is lost. */
  readonly ready: (nothing: null) => void
  /** The connection that was handed on with this number is at the worker, or had gone before. */
  readonly taken: (number: number) => void
  /** @throws PutOut */
  readonly signIn: (asked: { readonly now: number }) => Promise<SignedIn>
  readonly cancel: (cancel: Cancel) => Promise<void>
  readonly log: (line: readonly [event: string, facts: Readonly<Record<string, unknown>>]) => void
  readonly lost: (why: string) => void
}
