/** Plays the story on a stage of its own, says how it went, and stays up until it is told to stop. */

import type { Invocation } from '../context.ts'
import type { Exit } from '../exit-codes.ts'
import { exitOfSignal } from '../exit-codes.ts'
import { bold, command, dim, styled, table } from '../output.ts'
import { runCommandLine } from '../run.ts'
import { stopRequested } from '../stop-requested.ts'
import { createNarrator, formatMs } from './narrator.ts'
import type { Stage } from './stage.ts'
import { setStage } from './stage.ts'
import type { Play } from './story.ts'
import { story } from './story.ts'

type Figure = { readonly what: string; readonly ms: number }

export async function playDemo(invocation: Invocation, { once }: { readonly once: boolean }): Promise<Exit> {
  const stop = stopRequested(invocation)
  const begun = performance.now()
  const starting = 'Starting two PostgreSQL servers and Tidegate on this machine …'
  invocation.out.note('', bold('Tidegate: nothing stands open.'), dim(starting))
  // The demo plays with the command line that it is a command of.
  const stage = await setStage(invocation, runCommandLine)
  try {
    const played = await Promise.race([playAll(invocation, stage), stop])
    if (played === undefined) return exitOfSignal('SIGINT')
    summarise(invocation, played, performance.now() - begun)
    if (!once) {
      inviteToTry(invocation, stage)
      await stop
    }
    return played.failures.length === 0 ? 'ok' : 'failure'
  } finally {
    await stage.close()
  }
}

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

function summarise({ out }: Invocation, { figures, failures }: Played, ms: number): void {
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
