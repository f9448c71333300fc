/** A change of the configuration, as the person who applies or approves it sees it. */

import type { Output } from '@tidegate/api'
import type { Context } from '../context.ts'
import type { Line, Style } from '../output.ts'
import { bold, command, dim, styled } from '../output.ts'
import { when } from './times.ts'

export type Plan = Output<'planConfig'>
export type Change = Output<'getChange'>

type Action = Plan['items'][number]['action']

const actions: Readonly<Record<Action, { readonly sign: string; readonly style: Style }>> = {
  create: { sign: '+', style: 'green' },
  change: { sign: '~', style: 'yellow' },
  remove: { sign: '-', style: 'red' },
}

export function planLines({ base, items, effects, needsSecondPerson }: Plan): readonly Line[] {
  if (items.length === 0) return [`Nothing to change: version ${base} is what the files say.`]
  return [
    bold(`On version ${base}: ${summary(items)}.`),
    ...items.flatMap(({ action, kind, id, details, sensitive }): readonly Line[] => [
      [
        styled(actions[action].style, `  ${actions[action].sign} ${action} ${kind} ${id}`),
        sensitive ? dim('  (who may do what)') : '',
      ],
      ...details.map((detail): Line => ['      ', detail]),
    ]),
    ...(effects.length === 0
      ? ['No effect on live access.']
      : [bold('On live access:'), ...effects.map((effect): Line => [styled('yellow', '  ! '), effect])]),
    ...(needsSecondPerson ? ['It takes a second administrator to come into force.'] : []),
  ]
}

const summary = (items: Plan['items']): string =>
  Object.keys(actions)
    .map((action) => [action, items.filter((item) => item.action === action).length] as const)
    .filter(([, count]) => count > 0)
    .map(([action, count]) => `${count} to ${action}`)
    .join(', ')

export function changeOutcome({ id, status, version, author }: Change): readonly Line[] {
  switch (status) {
    case 'applied':
      return [[styled('green', 'Applied'), version === undefined ? '.' : ` as version ${version}.`]]
    case 'pending':
      return [
        [
          styled('yellow', 'Waiting'),
          ` for a second administrator, someone other than ${author}. They look and answer with:`,
        ],
        ['  ', command(`tidegate changes show ${id}`)],
        ['  ', command(`tidegate changes approve ${id}`), ' or ', command(`tidegate changes reject ${id}`)],
      ]
    case 'rejected':
      return [[styled('red', 'Rejected'), `: change ${id}.`]]
    case 'stale':
      return [[styled('red', 'Stale'), `: the configuration has changed since ${id} was made. Apply the files again.`]]
  }
}

export const changeLines = (clock: Pick<Context, 'now' | 'timeZone'>, change: Change): readonly Line[] => [
  `Change ${change.id} by ${change.author}, ${when(clock, change.at)}`,
  ...(change.settledBy === undefined ? [] : [`Settled by ${change.settledBy}, ${when(clock, change.settledAt)}`]),
  ...planLines(change.plan),
  ...changeOutcome(change),
]
