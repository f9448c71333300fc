/** Everything a command touches that is not its arguments, so that tests can hand it something else. */

import type { SpawnOptions, ChildProcess } from 'node:child_process'
import type { Client, ClientConfig } from '@tidegate/api'
import type { Instant } from '@tidegate/core'
import type { Output } from './output.ts'
import type { Sink, Source } from './streams.ts'

export type Environment = Readonly<Record<string, string | undefined>>

export type Context = {
  readonly version: string
  readonly env: Environment
  readonly home: string
  /** The name of this machine. */
  readonly host: string
  readonly platform: NodeJS.Platform
  /** Where short-lived files go. */
  readonly temporary: string
  readonly stdin: Source
  readonly stdout: Sink
  readonly stderr: Sink
  /** What programs that are run get as their own streams. */
  readonly childStdio: 'inherit' | 'ignore'
  readonly fetch: typeof fetch
  readonly createClient: (config: ClientConfig) => Client
  readonly spawn: (file: string, args: readonly string[], options: SpawnOptions) => ChildProcess
  readonly now: () => Instant
  /** IANA name; the zone that times are shown in. */
  readonly timeZone: string
  /** Returns early, without a throw, when the signal aborts. */
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>
  /** Cryptographically random bytes. */
  readonly random: (count: number) => Uint8Array
  /** Calls back instead of dying of the signal, until what it returns is called. */
  readonly onSignal: (signal: NodeJS.Signals, listener: () => void) => () => void
}

/** A context for one command, with the options that every command takes. */
export type Invocation = Context & {
  readonly out: Output
  /** `--url`, as it was written. */
  readonly urlOption: string | undefined
  /** Where a stronger sign-in is needed, someone is there to prove it. */
  readonly stepsUp: boolean
}

/** Someone is there to answer a question. */
export const isInteractive = ({ stdin, stderr }: Pick<Context, 'stdin' | 'stderr'>): boolean =>
  stdin.isTTY === true && stderr.isTTY === true
