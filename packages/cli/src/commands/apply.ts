/** `tidegate apply` */

import type { Client, Input } from '@tidegate/api'
import { defineCommand } from '../command.ts'
import type { ConfigFile } from '../configuration/collect.ts'
import { collectFiles } from '../configuration/collect.ts'
import type { Invocation } from '../context.ts'
import { isInteractive } from '../context.ts'
import type { Exit } from '../exit-codes.ts'
import { Failure } from '../failure.ts'
import { confirm } from '../prompt.ts'
import { connectToServer, idempotencyKey, retrying } from '../server.ts'
import { text, wholeNumber } from '../values.ts'
import type { Change } from '../words/plan.ts'
import { changeOutcome, planLines } from '../words/plan.ts'

export const apply = defineCommand({
  name: ['apply'],
  summary: 'Make these files, as a whole, the configuration',
  details: [
    'Takes *.yaml, *.yml and *.cedar files, directories with what is in them, hidden files left out. What they leave out is gone: absence means deny.',
    'Shows what would change and what that would do to live access, and asks. What is applied is what was shown: if someone changed the configuration in between, nothing is applied.',
    'Where changes need a second person, the change waits for one, and the command exits with 4.',
  ],
  options: {
    file: {
      about: 'A file or a directory; may be given several times.',
      short: '-f',
      value: text('PATH'),
      many: true,
      required: true,
    },
    plan: { about: 'Show what would change, and change nothing.', conflicts: ['yes'] },
    yes: { about: 'Do not ask. Needed where there is no terminal.' },
    base: {
      about: 'Only if this is the present version.',
      value: wholeNumber('VERSION', { min: 0, max: Number.MAX_SAFE_INTEGER }),
    },
  },
  examples: [
    { line: 'tidegate apply -f ./access --plan', about: 'What would change' },
    { line: 'tidegate apply -f ./access', about: 'See it, and apply it' },
    { line: 'tidegate apply -f ./access --yes -o json', about: 'From a pipeline' },
  ],
  run: async (invocation, { file, plan: planOnly, yes, base }) => {
    const { out } = invocation
    const mayAsk = isInteractive(invocation) && out.format === 'human'
    if (!planOnly && !yes && !mayAsk) {
      throw new Failure('usage', 'Applying needs a yes, and there is no one to ask.', {
        remedy: 'Add --yes to apply, or --plan to see what would change.',
      })
    }
    const files = [...(await collectFiles(file))]
    const client = await connectToServer(invocation)
    const plan = await retrying(invocation, () => client.planConfig({ files }))
    refuseOtherBase(base, plan.base)
    if (planOnly || plan.items.length === 0) {
      out.result(plan, () => planLines(plan))
      return 'ok'
    }
    out.note(...planLines(plan))
    if (!yes && !(await confirm(invocation, 'Apply this?', { byDefault: false }))) {
      out.note('Nothing was applied.')
      return 'refused'
    }
    return applyFiles(invocation, client, { files, base: plan.base })
  },
})

function refuseOtherBase(wanted: number | undefined, present: number): void {
  if (wanted === undefined || wanted === present) return
  throw new Failure('refused', `The present version is ${present}, not ${wanted}.`, {
    remedy: 'Look at what changed with `tidegate changes`, and plan again.',
  })
}

const exitOfChange = {
  applied: 'ok',
  pending: 'waiting',
  rejected: 'refused',
  stale: 'refused',
} as const satisfies Record<Change['status'], Exit>

type Files = Input<'applyConfig'> & { readonly files: readonly ConfigFile[] }

async function applyFiles(invocation: Invocation, client: Client, input: Files): Promise<Exit> {
  const key = idempotencyKey(invocation)
  const change = await retrying(invocation, () => client.applyConfig(input, { idempotencyKey: key }))
  invocation.out.result(change, () => changeOutcome(change))
  return exitOfChange[change.status]
}
