/** `tidegate signal` */

import type { Input } from '@tidegate/api'
import { signalKinds } from '@tidegate/core'
import type { SignalField, SignalName } from '@tidegate/core'
import { defineCommand } from '../command.ts'
import { Failure } from '../failure.ts'
import { counted } from '../output.ts'
import { connectToServer, retrying } from '../server.ts'
import type { Pair } from '../values.ts'
import { duration, pair, signalName, text } from '../values.ts'
import { when } from '../words/times.ts'

type Value = Input<'putSignal'>['value']

export const signal = defineCommand({
  name: ['signal'],
  summary: 'Say a fact about a principal or a ticket; grants that rest on it are asked about again',
  details: ['For services that the configuration names as a source of the signal.'],
  arguments: {
    name: { value: signalName, about: `What kind of fact: ${Object.keys(signalKinds).join(', ')}.` },
    subject: { value: text('SUBJECT'), about: 'Whose: user:alice, service:ci, ticket:OPS-17.' },
    value: { value: pair, about: 'The fact.', many: true },
  },
  options: { validFor: { about: 'For how long it holds; less than its kind allows.', value: duration } },
  examples: [
    { line: 'tidegate signal device user:alice compliant=true managed=true', about: 'Her laptop is in order' },
    { line: 'tidegate signal ticket ticket:OPS-17 open=false', about: 'The ticket is closed' },
  ],
  run: async (invocation, { name, subject, value, validFor }) => {
    const client = await connectToServer(invocation)
    const fact = { name, subject, value: readValue(name, value), validFor: validFor?.text }
    const answer = await retrying(invocation, () => client.putSignal(fact))
    invocation.out.result(answer, () => [
      `Noted: ${name} of ${subject}, until ${when(invocation, answer.staleAt)}.`,
      `${counted(answer.grantsAskedAgain, 'grant was', 'grants were')} asked about again, ${answer.grantsEnded} ended.`,
    ])
    return 'ok'
  },
})

/** Reads each field as its kind says it is, so that `country=49` stays text and `open=yes` is refused. */
function readValue(name: SignalName, pairs: readonly Pair[]): Value {
  const fields: Readonly<Record<string, SignalField>> = signalKinds[name].fields
  return Object.fromEntries(
    pairs.map(({ key, value }) => {
      const kind = Object.hasOwn(fields, key) ? fields[key] : undefined
      if (kind === undefined) {
        throw new Failure('usage', `A ${name} signal has no field ${key}.`, {
          remedy: `It has ${Object.keys(fields).join(', ')}.`,
        })
      }
      return [key, readField(key, kind, value)]
    }),
  )
}

function readField(key: string, kind: SignalField, value: string): boolean | string | number {
  switch (kind) {
    case 'string':
      return value
    case 'boolean':
      if (value === 'true' || value === 'false') return value === 'true'
      throw new Failure('usage', `The field ${key} is true or false.`)
    case 'long':
      if (/^-?\d{1,15}$/.test(value)) return Number(value)
      throw new Failure('usage', `The field ${key} is a whole number.`)
  }
}
