/** What has to be asked for of a person, where several rules or guards ask for it at once. */

import type { Asked } from './checks.ts'
import { limits } from './limits.ts'
import type { Asking, Use } from './ruling.ts'

const owners = ['owner']

/** A person who may answer for each of the rules: texts are not to be put together so that a lesser approver is asked. */
export function askingFor(asked: readonly [Asked, ...Asked[]], uses: readonly Use[]): Asking {
  const [{ what }] = asked
  const rules = asked.flatMap((one) => one.rules)
  return {
    ruling: 'ask',
    rule: 'ask',
    message: `${what} needs the approval of a person`,
    uses,
    approvers: distinct(rules.map(({ approvers = owners }) => approvers)),
    withinMs: Math.min(...rules.map(({ within = limits.askMs }) => within)),
  }
}

/** Both guards ask about the same text. */
export const bothAsk = (one: Asking, other: Asking): Asking => ({
  ...one,
  approvers: distinct([...approversOf(one), ...approversOf(other)]),
  withinMs: Math.min(withinOf(one), withinOf(other)),
})

export const approversOf = ({ approvers = [owners] }: Pick<Asking, 'approvers'>): readonly (readonly string[])[] =>
  approvers

export const withinOf = ({ withinMs = limits.askMs }: Pick<Asking, 'withinMs'>): number => withinMs

function distinct(lists: readonly (readonly string[])[]): readonly (readonly string[])[] {
  const keys = lists.map((list) => JSON.stringify(list.toSorted()))
  return lists.filter((_, index) => keys.indexOf(keys[index] ?? '') === index)
}
