/** `tidegate audit verify` */

import { directorySource, verifyLog } from '@tidegate/audit'
import { defineCommand } from '../command.ts'
import type { Invocation } from '../context.ts'
import type { Exit } from '../exit-codes.ts'
import { Failure } from '../failure.ts'
import { readRemembered } from '../log/remembered.ts'
import type { Trust } from '../log/trust.ts'
import { checkKey, logSource, logUrl, rememberVerified, trustFor } from '../log/trust.ts'
import { printVerdict } from '../log/verdict.ts'
import { text } from '../values.ts'

export const auditVerify = defineCommand({
  name: ['audit', 'verify'],
  summary: 'Read a whole audit log and recompute it: every entry, every tile, the root and its signature',
  details: [
    'Believes nothing but the verifier key. Where none is given, it is the one remembered for this log, or the first time, the one that the log publishes.',
    'What was verified is remembered by the address of the log, in ~/.local/state/tidegate/log: a log that was cut, rewritten or signed by someone else since is refused. Where it changed its key by itself (`tidegate audit rotate-key`), it is shown through which keys it went.',
    'A copy in a directory is held against the key alone: it may be older than what was verified last.',
  ],
  options: {
    log: {
      about: 'A log published somewhere else than at its server, such as a mirror.',
      value: text('URL'),
      conflicts: ['dir'],
    },
    dir: { about: 'A copy in a directory, as `tidegate audit export` makes it.', value: text('DIR') },
    key: { about: 'The verifier key.', value: text('VKEY') },
  },
  examples: [
    { line: 'tidegate audit verify', about: 'The log of the server' },
    { line: 'tidegate audit verify --dir ./log-copy --key "$(cat log.vkey)"', about: 'A copy, with no network' },
  ],
  run: (invocation, { log, dir, key }) =>
    dir === undefined ? verifyPublished(invocation, { log, key }) : verifyCopy(invocation, { dir, key }),
})

type Published = { readonly log: string | undefined; readonly key: string | undefined }

async function verifyPublished(invocation: Invocation, { log, key }: Published): Promise<Exit> {
  const url = await logUrl(invocation, log)
  const trust = await trustFor(invocation, { url, given: key })
  const verdict = await verifyLog({ source: logSource(invocation, url), ...trust })
  if (verdict.ok) await rememberVerified(invocation, { url, trust, verdict })
  return printVerdict(invocation, { verdict, trust, where: url })
}

type Copy = { readonly dir: string; readonly key: string | undefined }

async function verifyCopy(invocation: Invocation, { dir, key }: Copy): Promise<Exit> {
  const trust: Trust =
    key === undefined
      ? { vkey: await rememberedKey(invocation), from: 'remembered' }
      : { vkey: checkKey(key), from: 'given' }
  const verdict = await verifyLog({ source: directorySource(dir), vkey: trust.vkey })
  return printVerdict(invocation, { verdict, trust, where: dir })
}

/** A copy does not vouch for itself: its key comes from elsewhere. The first one, since it may be older than the others. */
async function rememberedKey(invocation: Invocation): Promise<string> {
  const url = await logUrl(invocation, undefined)
  const known = await readRemembered(invocation, url)
  if (known !== undefined) return known.earlierKeys?.[0] ?? known.key
  throw new Failure('usage', 'There is no key to verify the copy with.', {
    remedy: `Give it with --key, or verify ${url} first: its key is remembered then.`,
  })
}
