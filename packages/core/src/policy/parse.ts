/** One file into policies that Cedar reads, each with its place; or what is wrong with it. */

import type { DetailedError, PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'
import { policySetTextToParts, policyToJson } from '@cedar-policy/cedar-wasm/nodejs'
import { policyLimits as limits } from './limits.ts'
import type { Fault, PolicyFile } from './problem.ts'
import type { PolicySource } from './source.ts'
import { offsetOfByte, scanPolicies, sizeInBytes } from './source.ts'
import { asSentence } from './words.ts'

export type ParsedPolicy = {
  readonly file: PolicyFile
  readonly source: PolicySource
  readonly json: PolicyJson
  /** What its `@id` says, well-formed or not. */
  readonly id?: string
}

export type ParsedFile = {
  readonly file: PolicyFile
  readonly policies: readonly ParsedPolicy[]
  readonly faults: readonly Fault[]
}

export function parseFile(file: PolicyFile): ParsedFile {
  if (sizeInBytes(file.text) > limits.fileSizeBytes) return { file, policies: [], faults: [tooLarge] }
  const sources = scanPolicies(file.text)
  const faults = [...halfCharacters(file.text), ...hiddenText(file.text), ...sources.flatMap(tooDeep)]
  // Cedar cannot be trusted with such text; see the limits.
  if (faults.length > 0) return { file, policies: [], faults }
  const parsed = parseText(file.text, sources)
  if (parsed.length > 0) return { file, policies: [], faults: parsed }
  const read = sources.map((source) => readPolicy(file, source))
  return {
    file,
    policies: read.flatMap((one) => ('json' in one ? [one] : [])),
    faults: read.flatMap((one) => ('json' in one ? [] : [one])),
  }
}

const tooLarge: Fault = {
  at: 0,
  message: `The file is larger than ${limits.fileSizeBytes} bytes.`,
  remedy: 'Divide it into several files.',
}

const bidirectional = /[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/gu

/** Signs that change the order in which text is shown, so that reviewers read something else than what holds. */
const hiddenText = (text: string): Fault[] =>
  [...text.matchAll(bidirectional)].map(({ index }) => ({
    at: index,
    message: 'The text has an invisible sign that changes its reading direction.',
    remedy: 'Remove the sign; in a string, write it as an escape such as \\u{200E}.',
  }))

const halfCharacter = /\p{Surrogate}/gu

/** Cedar's own reader fails on it, instead of saying so. */
const halfCharacters = (text: string): Fault[] =>
  [...text.matchAll(halfCharacter)].map(({ index }) => ({
    at: index,
    message: 'The text has half a character in it, which is no Unicode.',
    remedy: 'Remove it, or write the whole character.',
  }))

function tooDeep({ start, operators, nesting }: PolicySource): Fault[] {
  if (operators <= limits.operators && nesting <= limits.nesting) return []
  return [
    {
      at: start,
      message: `The policy is too complex: at most ${limits.operators} operators, and brackets ${limits.nesting} deep.`,
      remedy: 'Divide it into several policies, or close the bracket that is open.',
    },
  ]
}

function parseText(text: string, sources: readonly PolicySource[]): Fault[] {
  const answer = policySetTextToParts(text)
  if (answer.type === 'failure') return answer.errors.flatMap((error) => syntaxFaults(text, error))
  if (answer.policies.length + answer.policy_templates.length === sources.length) return []
  return [{ at: 0, message: 'The policies in the file could not be told apart.', remedy: 'End each with a semicolon.' }]
}

function syntaxFaults(text: string, error: DetailedError): Fault[] {
  const [place] = error.sourceLocations ?? []
  return [
    {
      at: offsetOfByte(text, place?.start ?? 0),
      message: asSentence(error.message.replace(/^failed to parse policies from string: /, '')),
      remedy: asSentence(error.help ?? place?.label ?? 'correct the syntax'),
    },
    ...(error.related ?? []).flatMap((related) => syntaxFaults(text, related)),
  ]
}

function readPolicy(file: PolicyFile, source: PolicySource): ParsedPolicy | Fault {
  if (source.hasSlots) return template(source)
  const answer = policyToJson(source.text)
  if (answer.type === 'failure') {
    const messages = answer.errors.map((error) => error.message).join('; ')
    return { at: source.start, message: asSentence(messages), remedy: 'Correct the policy.' }
  }
  const id = (answer.json.annotations as Record<string, string | null> | undefined)?.['id']
  return { file, source, json: answer.json, ...(id && { id }) }
}

const template = (source: PolicySource): Fault => ({
  at: source.head,
  message: 'The policy is a template (it has ?principal or ?resource).',
  remedy: 'Name the principal and the resource in the policy itself.',
})
