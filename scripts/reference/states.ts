/** docs/reference/states.md */

import {
  endMoves,
  endReasons,
  grantStates,
  grantTransitions,
  requestStatuses,
  requestTransitions,
  statementStatuses,
  statementTransitions,
} from '@tidegate/core'
import { code, generatedFrom, page, table } from './markdown.ts'

type Transition = { readonly from: string; readonly to: string; readonly when: string }

type Machine = {
  readonly title: string
  readonly states: readonly string[]
  readonly transitions: readonly Transition[]
  /** Where one begins, and when. */
  readonly starts: readonly { readonly at: string; readonly when: string }[]
}

const request: Machine = {
  title: 'Requests',
  states: requestStatuses,
  transitions: requestTransitions,
  starts: [{ at: 'pending', when: 'it is filed' }],
}

const grant: Machine = {
  title: 'Grants',
  states: grantStates,
  transitions: grantTransitions,
  starts: [
    { at: 'scheduled', when: 'its request is approved and names a start time to come' },
    { at: 'ready', when: 'its request is approved' },
  ],
}

const statement: Machine = {
  title: 'Statements that a person has to approve',
  states: statementStatuses,
  transitions: statementTransitions,
  starts: [{ at: 'pending', when: 'its gateway asks about it' }],
}

export const statesPage = (): string =>
  page(
    generatedFrom('packages/core/src/{request,grant,statement}/transitions.ts'),
    '# States',
    'What a request, a grant and a statement can be, and how they get there. The database refuses every step that is not listed.',
    ...machineParts(request),
    ...machineParts(grant),
    '## How the end of an open grant moves',
    table(
      ['entry', 'to', 'when'],
      endMoves.map(({ entry, to, when }) => [code(entry), to, when]),
    ),
    ...machineParts(statement),
    '## Why grants end',
    table(
      ['reason', 'meaning'],
      Object.entries(endReasons).map(([reason, meaning]) => [code(reason), meaning]),
    ),
  )

const machineParts = (machine: Machine): string[] => [
  `## ${machine.title}`,
  diagram(machine),
  table(
    ['from', 'to', 'when'],
    [
      ...machine.starts.map(({ at, when }) => ['', code(at), when]),
      ...machine.transitions.map(({ from, to, when }) => [code(from), code(to), when]),
    ],
  ),
]

function diagram({ states, transitions, starts }: Machine): string {
  const left = new Set(transitions.map(({ from }) => from))
  return [
    '```mermaid',
    'stateDiagram-v2',
    ...starts.map(({ at }) => `  [*] --> ${at}`),
    ...transitions.map(({ from, to, when }) => `  ${from} --> ${to}: ${label(when)}`),
    ...states.filter((state) => !left.has(state)).map((state) => `  ${state} --> [*]`),
    '```',
  ].join('\n')
}

/** Mermaid ends a statement at a semicolon. */
const label = (when: string): string => when.replaceAll(';', ',')
