/**
 * What a command is: one declarative entry. Parsing, help and the reference page are made from it, and the types of
 * what `run` is given follow from what the entry declares.
 */

import type { Invocation } from './context.ts'
import type { Exit } from './exit-codes.ts'
import type { ValueKind } from './values.ts'

export type ArgumentEntry = {
  readonly value: ValueKind<unknown>
  readonly about: string
  readonly optional?: true
  /** Takes all that is left, at least one; last of its command. */
  readonly many?: true
}

export type OptionEntry = {
  readonly about: string
  readonly short?: `-${string}`
  /** Absent: a switch. */
  readonly value?: ValueKind<unknown>
  readonly required?: true
  /** May be given several times. */
  readonly many?: true
  /** What it is where it is not given, as it would be written. */
  readonly default?: string
  /** Names of options it cannot be given with. */
  readonly conflicts?: readonly string[]
}

export type Example = { readonly line: string; readonly about: string }

/** A command with its types forgotten, as the table keeps it. */
export type CommandEntry = {
  /** The words it is called by. */
  readonly name: readonly [string, ...string[]]
  readonly summary: string
  /** Paragraphs for help and reference. */
  readonly details: readonly string[]
  /** In the order they are written; the key is the name. */
  readonly arguments: Readonly<Record<string, ArgumentEntry>>
  /** `awaitingMe` is written `--awaiting-me`. */
  readonly options: Readonly<Record<string, OptionEntry>>
  readonly examples: readonly Example[]
  readonly run: (invocation: Invocation, input: Readonly<Record<string, unknown>>) => Promise<Exit>
}

type Read<E> = E extends { readonly value: ValueKind<infer T> } ? T : boolean

type ArgumentValue<E> = E extends { readonly many: true }
  ? readonly Read<E>[]
  : E extends { readonly optional: true }
    ? Read<E> | undefined
    : Read<E>

type OptionValue<E> = E extends { readonly many: true }
  ? readonly Read<E>[]
  : E extends { readonly value: ValueKind<unknown> }
    ? E extends { readonly required: true } | { readonly default: string }
      ? Read<E>
      : Read<E> | undefined
    : boolean

export type CommandInput<A, O> = { readonly [K in keyof A]: ArgumentValue<A[K]> } & {
  readonly [K in keyof O]: OptionValue<O[K]>
}

type Definition<A, O> = Omit<CommandEntry, 'arguments' | 'options' | 'details' | 'run'> & {
  readonly details?: readonly string[]
  readonly arguments?: A
  readonly options?: O
  readonly run: (invocation: Invocation, input: CommandInput<A, O>) => Promise<Exit>
}

export function defineCommand<
  const A extends Readonly<Record<string, ArgumentEntry>> = Record<never, never>,
  const O extends Readonly<Record<string, OptionEntry>> = Record<never, never>,
>(definition: Definition<A, O>): CommandEntry {
  return {
    details: [],
    arguments: {},
    options: {},
    ...definition,
    // The parser gives exactly what the entry declares: `parse.test.ts` holds the two together.
    run: (invocation, input) => definition.run(invocation, input as CommandInput<A, O>),
  }
}

/** `awaitingMe` → `--awaiting-me`. */
export const flagOf = (name: string): string => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`

/** As in a usage line: `--for DURATION`, `-f, --file PATH`. */
export const optionUsage = (name: string, { short, value }: OptionEntry): string =>
  [short, `${flagOf(name)}${value === undefined ? '' : ` ${value.placeholder}`}`].filter(Boolean).join(', ')

/** As in a usage line: `ROLE`, `[GRANT]`, `CMD…`. */
export const argumentUsage = ({ value, optional, many }: ArgumentEntry): string => {
  const word = `${value.placeholder}${many === true ? '…' : ''}`
  return optional === true ? `[${word}]` : word
}
