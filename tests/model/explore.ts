/**
 * Every state that can be reached, the nearest first, so that the first one in which something is wrong is at the end of
 * a shortest way there.
 */

import type { LateCause, World } from './world.ts'
import { beginnings, isClean, keyOf } from './world.ts'
import { createEdges } from './graph.ts'
import type { InvariantName, Step, Window } from './invariants.ts'
import { invariants, windowOf } from './invariants.ts'
import { next } from './surroundings.ts'
import type { By, Rules, Transition } from './transition.ts'

export type Exploration = Rules & {
  /** How something may come to be on the target after it was read back. Absent: as `product` lets it. */
  readonly mayBeLate?: readonly LateCause[]
  /** What does not happen. Absent: everything may. */
  readonly without?: readonly By[]
  /** Worlds to find the shortest way to. They are no violations. */
  readonly lookFor?: readonly Sight[]
}

export type Sight = { readonly name: string; readonly is: (world: World) => boolean }

export type Trace = { readonly start: World; readonly steps: readonly Transition[] }

export type Violation = { readonly invariant: InvariantName; readonly problem: string; readonly trace: Trace }

export type Explored = {
  readonly states: number
  readonly transitions: number
  /** Of the shortest way to the state that is furthest away. */
  readonly depth: number
  readonly violation?: Violation
  readonly seen: ReadonlyMap<string, Trace>
  /** How often the holder was let in, and why. */
  readonly windows: ReadonlyMap<Window, number>
  /** How something came to be on the target of a grant that had ended, in how many states it was there. */
  readonly orphans: ReadonlyMap<LateCause, number>
}

type Ways = { readonly from: number[]; readonly choice: number[]; readonly starts: readonly World[] }

export function explore(exploration: Exploration): Explored {
  const { bounds, mayBeLate = ['opener lost'], lookFor = [] } = exploration
  const starts = beginnings(bounds)
  const ways: Ways = { from: [], choice: [], starts }
  const ids = new Map<string, number>()
  const alone = createEdges()
  const clean: number[] = []
  const seen = new Map<string, Trace>()
  const windows = new Map<Window, number>()
  const orphans = new Map<LateCause, number>()
  let frontier: { id: number; world: World }[] = []
  let transitions = 0
  let depth = 0

  const enter = (world: World, from: number, choice: number): number => {
    const key = keyOf(world, bounds)
    const before = ids.get(key)
    if (before !== undefined) return before
    const id = ids.size
    ids.set(key, id)
    ways.from.push(from)
    ways.choice.push(choice)
    frontier.push({ id, world })
    if (isClean(world)) clean.push(id)
    const late = world.grant.state === 'ended' ? world.login?.late : undefined
    if (late) orphans.set(late, (orphans.get(late) ?? 0) + 1)
    for (const { name, is } of lookFor) if (!seen.has(name) && is(world)) seen.set(name, wayTo(id, ways, exploration))
    return id
  }
  const results = (violation?: Violation): Explored => ({
    states: ids.size,
    transitions,
    depth,
    ...(violation && { violation }),
    seen,
    windows,
    orphans,
  })

  starts.forEach((world, choice) => enter(world, -1, choice))
  for (; frontier.length > 0; depth++) {
    const level = frontier
    frontier = []
    for (const { id, world } of level) {
      const all = nextOf(world, exploration)
      for (const [choice, transition] of all.entries()) {
        transitions++
        if (transition.deed?.is === 'login') count(windows, windowOf(world))
        const wrong = firstWrong({ before: world, transition, bounds, mayBeLate })
        if (wrong) {
          const { start, steps } = wayTo(id, ways, exploration)
          return results({ ...wrong, trace: { start, steps: [...steps, transition] } })
        }
        const to = enter(transition.to, id, choice)
        if (transition.by === 'server') alone.add(id, to)
      }
    }
  }
  return results(stuck(alone.reaching(clean, ids.size), ways, exploration))
}

const nextOf = (world: World, { without = [], ...rules }: Exploration): Transition[] => {
  const all = next(world, rules)
  return without.length === 0 ? all : all.filter(({ by }) => !without.includes(by))
}

const count = (counts: Map<Window, number>, window: Window | undefined): void => {
  if (window) counts.set(window, (counts.get(window) ?? 0) + 1)
}

const named = Object.entries(invariants) as [keyof typeof invariants, (step: Step) => string | undefined][]

function firstWrong(step: Step): Omit<Violation, 'trace'> | undefined {
  for (const [invariant, check] of named) {
    const problem = check(step)
    if (problem !== undefined) return { invariant, problem }
  }
  return undefined
}

/** The nearest state from which servers and time alone do not arrive at an end with nothing left. */
function stuck(arrives: Uint8Array, ways: Ways, exploration: Exploration): Violation | undefined {
  const id = arrives.indexOf(0)
  if (id === -1) return undefined
  const problem = 'From here on servers alone never arrive at an end with nothing left on the target.'
  return { invariant: 'nothing stays open', problem, trace: wayTo(id, ways, exploration) }
}

/** Gone again from its start, choice by choice: worlds are not kept. */
function wayTo(id: number, { from, choice, starts }: Ways, exploration: Exploration): Trace {
  const choices: number[] = []
  for (let at = id; at !== -1; at = from[at]!) choices.unshift(choice[at]!)
  const [first, ...rest] = choices
  const start = starts[first!]!
  let world = start
  const steps = rest.map((one) => {
    const transition = nextOf(world, exploration)[one]!
    world = transition.to
    return transition
  })
  return { start, steps }
}
