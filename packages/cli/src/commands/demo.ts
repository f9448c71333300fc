/** `tidegate demo` */

import { defineCommand } from '../command.ts'
import type { Invocation } from '../context.ts'
import { createNarrator, formatMs } from '../demo/narrator.ts'
import type { Stage } from '../demo/stage.ts'
import { setStage } from '../demo/stage.ts'
import type { Play } from '../demo/story.ts'
import { story } from '../demo/story.ts'
import { bold, command, dim, styled, table } from '../output.ts'
import { stopRequested } from '../stop-requested.ts'

type Figure = { readonly what: string; readonly ms: number }

export const demo = defineCommand({
  name: ['demo'],
  summary: 'Play the main job for real, on databases of its own',
  details: [
    'Starts Tidegate and a separate PostgreSQL as the target, both on this machine only, and plays a day in a minute: ' +
      'asked, approved, used, ended, proved. Then it stays up for you to try, and leaves nothing behind.',
  ],
  options: { once: { about: 'End after the last step. The exit code says whether every step was as it should be.' } },
  examples: [{ line: 'tidegate demo --once', about: 'Play it and end' }],
  run: async (invocation, { once }) => {
    const stop = stopRequested(invocation)
    const begun = performance.now()
    // The command line that the demo plays with is the one it is a command of.
    const { runCommandLine } = await import('../run.ts')
    invocation.out.note(
      '',
      bold('Tidegate: nothing stands open.'),
      dim('Starting two PostgreSQL servers and Tidegate on this machine …'),
    )
    const stage = await setStage(invocation, runCommandLine)
    try {
      const { figures, failures } = await playAll(invocation, stage)
      summarise(invocation, figures, failures, performance.now() - begun)
      if (!once) {
        inviteToTry(invocation, stage)
        await stop
      }
      return failures.length === 0 ? 'ok' : 'failure'
    } finally {
      await stage.close()
    }
  },
})

type Played = { readonly figures: readonly Figure[]; readonly failures: readonly string[] }

async function playAll(invocation: Invocation, stage: Stage): Promise<Played> {
  const narrator = createNarrator(invocation)
  const figures: Figure[] = []
  const failures: string[] = []
  const figure: Play['figure'] = (what, ms) => {
    narrator.took(what, ms)
    figures.push({ what, ms })
  }
  const timed: Play['timed'] = async (what, work) => {
    const begun = performance.now()
    const result = await work()
    figure(what, performance.now() - begun)
    return result
  }
  for (const [index, { title, play }] of story.entries()) {
    narrator.heading(index + 1, title)
    try {
      await play({ stage, narrator, timed, figure })
    } catch (error) {
      const message = error instanceof Error ? error.message : 'something unknown was thrown'
      narrator.failed(message)
      failures.push(`${index + 1}. ${title}: ${message}`)
    }
  }
  return { figures, failures }
}

function summarise({ out }: Invocation, figures: readonly Figure[], failures: readonly string[], ms: number): void {
  const took = figures.map(({ what, ms: each }) => ({ what, milliseconds: Math.round(each * 10) / 10 }))
  out.result({ steps: story.length, failures, figures: took, milliseconds: Math.round(ms) }, () => [
    '',
    ...table(
      ['WHAT', 'TOOK'],
      figures.map(({ what, ms: each }) => [what, formatMs(each)]),
    ),
    '',
    failures.length === 0
      ? [styled('green', '✓ '), `${story.length} of ${story.length} steps as they should be, in ${formatMs(ms)}.`]
      : [styled('red', '✗ '), `${failures.length} of ${story.length} steps are not as they should be:`],
    ...failures.map((failure) => `  ${failure}`),
  ])
}

function inviteToTry({ out }: Invocation, stage: Stage): void {
  const of = (actor: Parameters<Stage['client']>[0]): string => stage.tokens.get(actor) ?? ''
  out.note(
    '',
    bold('It stays up. In another terminal:'),
    '',
    command(`  export TIDEGATE_URL=${stage.url}`),
    [command(`  export TIDEGATE_TOKEN=${of('alice')}`), dim('   # alice, an engineer')],
    command('  npx tidegate connect orders-db/readonly --reason "Having a look"'),
    command(
      '  npx tidegate exec orders-db/writer --reason "One correction" --wait -- psql -c "select count(*) from shop.orders"',
    ),
    '',
    [command(`  TIDEGATE_TOKEN=${of('carol')} npx tidegate requests --awaiting-me`), dim('   # carol, a team lead')],
    [command(`  TIDEGATE_TOKEN=${of('sam')} npx tidegate audit tail`), dim('   # sam, an auditor')],
    [
      command(`  TIDEGATE_TOKEN=${of('admin')} npx tidegate apply -f ${stage.configuration} --plan`),
      dim('   # the first administrator'),
    ],
    '',
    dim('These tokens live as long as this demo. Ctrl-C ends it and leaves nothing behind.'),
  )
}
