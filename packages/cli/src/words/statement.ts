/** A statement that a person has to approve, in people's words. */

import type { Output } from '@tidegate/api'
import type { Context } from '../context.ts'
import type { Line, Part } from '../output.ts'
import { bold, command, counted, dim, listed, styled } from '../output.ts'
import { visible } from '../terminal-text.ts'
import { when } from './times.ts'

export type Statement = Output<'getStatement'>

type Clock = Pick<Context, 'now' | 'timeZone'>

/** Who can answer: in one of each list. */
export const askedOf = ({ approvers }: Pick<Statement, 'approvers'>): string =>
  listed(
    approvers.map((list) => listed(list.map(approverWord), 'or')),
    'and',
  )

const approverWord = (approver: string): string => (approver === 'owner' ? 'the resource’s owner' : approver)

const states: Record<Statement['status'], Part> = {
  pending: styled('yellow', 'waiting'),
  approved: styled('green', 'approved; its gateway is told'),
  denied: styled('red', 'denied'),
  expired: dim('nobody answered in time'),
  abandoned: dim('abandoned'),
  run: styled('green', 'approved, and run'),
}

export const statePart = ({ status, because }: Statement): readonly Part[] =>
  because === undefined ? [states[status]] : [states[status], `: ${because}`]

/** Everything an approver should see before answering. What it says comes last, and all of it. */
export function statementLines(clock: Clock, statement: Statement): readonly Line[] {
  const { answer, settledAt } = statement
  const fields: readonly (readonly [string, readonly Part[] | undefined])[] = [
    ['statement', [statement.id]],
    ['who', [statement.principal]],
    ['role', [statement.role]],
    ['database', [statement.database]],
    ['session', [`${statement.session}, statement ${statement.number}`]],
    ['grant', [statement.grant]],
    ['rule', [`${statement.rule}: ${statement.about}`]],
    ['asked', [when(clock, statement.askedAt)]],
    ['until', settledAt === undefined ? [when(clock, statement.pendingUntil)] : undefined],
    ['approver', [askedOf(statement)]],
    ['state', statePart(statement)],
    ['answer', answer && [answerWords(clock, answer)]],
  ]
  return [
    ...fields.flatMap(([name, value]): readonly Line[] =>
      value === undefined ? [] : [[bold(name.padEnd(10)), ...value]],
    ),
    ...saidLines(statement),
  ]
}

const answerWords = (clock: Clock, { approver, as, comment, at }: NonNullable<Statement['answer']>): string =>
  `${approver} (${listed(as.map(approverWord), 'and')})${comment === undefined ? '' : `, “${comment}”`}, ${when(clock, at)}`

/** Numbered, so that nothing in it passes for a line of ours. */
function saidLines({ text, parameters = [] }: Statement): readonly Line[] {
  if (text === undefined) return []
  const lines = text.split('\n')
  const width = String(lines.length).length
  const bound = parameters.flatMap((parameter, index): readonly Line[] => [
    [bold(`$${index + 1}`.padEnd(10)), ...parameterParts(parameter)],
  ])
  return [
    '',
    ...lines.map((line, index): Line => [dim(`${String(index + 1).padStart(width)} | `), ...visibleParts(line)]),
    '',
    ...bound,
    countLine(text, { lines: lines.length, parameters: parameters.length }),
  ]
}

function parameterParts(parameter: NonNullable<Statement['parameters']>[number]): readonly Part[] {
  if (parameter === null) return [dim('null')]
  if ('bytes' in parameter) return [dim('binary, in base64: '), parameter.bytes]
  return ['“', ...visibleParts(parameter.text), '”']
}

const visibleParts = (line: string): readonly Part[] =>
  visible(line).map(({ text, isNamed }) => (isNamed ? styled('red', text) : text))

/** At the end, where whoever has scrolled past the beginning sees how much there was. */
const countLine = (text: string, { lines, parameters }: { lines: number; parameters: number }): Line =>
  dim(
    `That is all of it: ${counted(lines, 'line', 'lines')}, ${counted([...text].length, 'character', 'characters')}` +
      `${parameters === 0 ? '' : `, ${counted(parameters, 'parameter', 'parameters')}`}.`,
  )

export const answerLines = ({ id }: Statement): readonly Line[] => [
  ['  Answer with: ', command(`tidegate statements approve ${id}`), ' or ', command(`tidegate statements deny ${id}`)],
]
