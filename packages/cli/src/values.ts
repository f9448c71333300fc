/** What arguments and options may be: one entry per kind of value. */

import { schemas } from '@tidegate/api'
import { parseDuration, parseInstant, signalKinds } from '@tidegate/core'
import type { Instant, Millis, SignalName } from '@tidegate/core'

export type ValueKind<T> = {
  /** As it is shown in usage lines. */
  readonly placeholder: string
  /** What to write instead, for whoever wrote something else. */
  readonly expects: string
  /** `undefined` for what is not one. */
  readonly read: (text: string) => T | undefined
}

export const text = (placeholder: string): ValueKind<string> => ({
  placeholder,
  expects: 'Write something; blank does not count.',
  read: (value) => (value.trim() === '' ? undefined : value),
})

/** An argument of a command that is run: passed on as it is, empty ones too. */
export const verbatim = (placeholder: string): ValueKind<string> => ({
  placeholder,
  expects: '',
  read: (value) => value,
})

export const choice = <T extends string>(placeholder: string, choices: readonly T[]): ValueKind<T> => ({
  placeholder,
  expects: `Write one of ${choices.join(', ')}.`,
  read: (value) => choices.find((one) => one === value),
})

export const role: ValueKind<string> = {
  placeholder: 'ROLE',
  expects: 'Write a role as RESOURCE/ROLE, such as orders-db/readonly.',
  read: (value) => schemas.roleText.safeParse(value).data,
}

export type Duration = {
  /** As it was written, for the server to read. */
  readonly text: string
  readonly length: Millis
}

export const duration: ValueKind<Duration> = {
  placeholder: 'DURATION',
  expects: 'Write a positive duration: 90s, 30m, 2h, or ISO 8601 such as PT30M.',
  read: (value) => {
    const length = parseDuration(value)
    return length === undefined ? undefined : { text: value, length }
  },
}

export type Time = {
  readonly text: string
  readonly at: Instant
}

export const time: ValueKind<Time> = {
  placeholder: 'TIME',
  expects: 'Write an RFC 3339 time with its offset, such as 2026-11-21T09:00:00Z.',
  read: (value) => {
    const at = parseInstant(value)
    return at === undefined ? undefined : { text: value, at }
  },
}

export const wholeNumber = (placeholder: string, { min, max }: { min: number; max: number }): ValueKind<number> => ({
  placeholder,
  expects: `Write a whole number from ${min} to ${max}.`,
  read: (value) => {
    const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN
    return number >= min && number <= max ? number : undefined
  },
})

export type HostPort = { readonly host: string; readonly port: number }

/** An IPv6 address stands in brackets. Port 0: any that is free. */
export const hostPort: ValueKind<HostPort> = {
  placeholder: 'HOST:PORT',
  expects: 'Write HOST:PORT, such as 127.0.0.1:7432 or [::1]:7432.',
  read: (value) => {
    const [, address, name, digits] = /^(?:\[([0-9a-fA-F:]+)\]|([^:\s[\]]+)):(\d{1,5})$/.exec(value) ?? []
    const host = address ?? name
    const port = Number(digits)
    return host === undefined || port > 65_535 ? undefined : { host, port }
  },
}

/** As it is read. */
export const hostPortText = ({ host, port }: HostPort): string => `${host.includes(':') ? `[${host}]` : host}:${port}`

export const signalName = choice<SignalName>('NAME', Object.keys(signalKinds) as SignalName[])

export type Pair = { readonly key: string; readonly value: string }

export const pair: ValueKind<Pair> = {
  placeholder: 'KEY=VALUE',
  expects: 'Write KEY=VALUE, such as compliant=true.',
  read: (value) => {
    const [, key, rest] = /^([^=]+)=(.*)$/s.exec(value) ?? []
    return key === undefined || rest === undefined ? undefined : { key, value: rest }
  },
}
