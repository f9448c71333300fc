/** Targets in memory, behind a connector that keeps its contract and a network that does not. */

import type { Connector, ConnectorKind } from '@tidegate/connectors'
import type { Faults } from '@tidegate/connectors/faults'
import type { MemoryConfig, MemoryPrivileges, MemoryTarget } from '@tidegate/connectors/memory'
import { createMemoryKind, createMemoryTarget } from '@tidegate/connectors/memory'
import type { GrantId } from '@tidegate/core'
import type { FaultKind, Struck } from './strands.ts'
import { maybeStrand, pass } from './strands.ts'

export type SimulatedTarget = {
  readonly name: string
  readonly memory: MemoryTarget
  down: boolean
  /** Logins that may be there without a live grant, until the target is next tended undisturbed. And why. */
  readonly excused: Map<GrantId, string>
  /** All that were ever without one: nothing else may be reported as an orphan. */
  readonly everOrphan: Set<string>
  /** Logins that something else than Tidegate removed. */
  readonly removed: Set<GrantId>
}

export type SimulatedTargets = {
  readonly kind: ConnectorKind
  readonly all: () => readonly SimulatedTarget[]
  readonly named: (name: string) => SimulatedTarget
  /** What a fault has held up on its way to a target, and that arrives after all. */
  readonly ghosts: (() => Promise<void>)[]
  readonly reset: () => void
}

/** A planted bug may stand between the server and its connector. */
export type Disguise = (connector: Connector, target: SimulatedTarget) => Connector

type Config = { readonly names: readonly string[]; readonly disguise: () => Disguise | undefined }

const lost = (): Error => Object.assign(new Error('the connection was lost'), { code: 'ECONNRESET' })
const unreachable = {
  outcome: 'failed',
  notDone: true,
  cause: 'unreachable',
  message: 'the target does not answer',
} as const

export function createTargets({ names, disguise }: Config): SimulatedTargets {
  const ghosts: (() => Promise<void>)[] = []
  const targets = new Map<string, SimulatedTarget>()
  const reset = (): void => {
    ghosts.length = 0
    for (const name of names) {
      const memory = createMemoryTarget()
      targets.set(name, { name, memory, down: false, excused: new Map(), everOrphan: new Set(), removed: new Set() })
    }
  }
  reset()
  const named = (name: string): SimulatedTarget => {
    const target = targets.get(name)
    if (!target) throw new Error(`The simulation has no target ${name}.`)
    return target
  }

  const faultsOf = (target: SimulatedTarget): Faults => ({
    arm: () => undefined,
    struck: () => false,
    send<T>(work: () => Promise<T>): Promise<T> {
      const strand = maybeStrand()
      /** Does it, and tells what it made. Logins are replaced whole, never changed in their parts but one. */
      const doIt = async (why: string | undefined): Promise<T> => {
        const before = new Map(target.memory.logins)
        const result = await work()
        for (const [grant, login] of target.memory.logins) {
          if (before.get(grant) === login) continue
          target.removed.delete(grant)
          if (why !== undefined) target.excused.set(grant, why)
        }
        return result
      }
      const run = async (): Promise<T> => {
        if (target.down) throw lost()
        // Without its transaction it holds no lock, and may come after whoever closed.
        return doIt(strand && strand.struck.length > 0 ? 'its opener had lost its transaction' : undefined)
      }
      const strike = async (how: FaultKind): Promise<Struck> => {
        if (how === 'crash-before' || how === 'crash-after') return { as: 'crash' }
        if (how === 'late') {
          ghosts.push(async () => {
            if (!target.down) await doIt('it arrived late').catch(() => undefined)
          })
        }
        return { as: 'throw', error: lost() }
      }
      return pass<T>({ label: `${target.name}: send`, run, strike })
    },
  })

  /** The first contact of a verb: here a target that is down is known to have done nothing, or the connector breaks its word. */
  const contact = (target: SimulatedTarget, verb: string): Promise<'reached' | 'refused'> =>
    pass({
      label: `${target.name}: ${verb}`,
      run: async () => (target.down ? 'refused' : 'reached'),
      strike: async (how): Promise<Struck> => {
        if (how === 'crash-before' || how === 'crash-after') return { as: 'crash' }
        if (how === 'refused') return { as: 'value', value: 'refused' }
        return { as: 'throw', error: new Error('the connector has a bug') }
      },
    })

  const behindContact = (connector: Connector, target: SimulatedTarget): Connector => ({
    ...connector,
    open: async (lease) => ((await contact(target, 'open')) === 'refused' ? unreachable : connector.open(lease)),
    moveEnd: async (lease) =>
      (await contact(target, 'move the end')) === 'refused' ? unreachable : connector.moveEnd(lease),
    close: async (grant) => ((await contact(target, 'close')) === 'refused' ? unreachable : connector.close(grant)),
    align: async () => ((await contact(target, 'align')) === 'refused' ? unreachable : connector.align()),
  })

  const memoryKind = createMemoryKind(createMemoryTarget(), faultsOf(named(names[0] as string)))
  const kind: ConnectorKind<MemoryConfig, MemoryPrivileges> = {
    ...memoryKind,
    connect(wanted) {
      const target = named(wanted.config.name)
      const connector = createMemoryKind(target.memory, faultsOf(target)).connect(wanted)
      return disguise()?.(behindContact(connector, target), target) ?? behindContact(connector, target)
    },
  }
  return { kind, all: () => [...targets.values()], named, ghosts, reset }
}
