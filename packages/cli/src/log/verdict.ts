/** What the verifier found, in people's words and as an exit code. */

import type { LogVerdict } from '@tidegate/audit'
import type { Invocation } from '../context.ts'
import type { Exit } from '../exit-codes.ts'
import type { Line } from '../output.ts'
import { counted, styled } from '../output.ts'
import type { Trust } from './trust.ts'

type Bad = Extract<LogVerdict, { readonly ok: false }>
type Verified = { readonly verdict: LogVerdict; readonly trust: Trust; readonly where: string }

/** Prints the verdict: it is what was asked for, so in JSON it goes to stdout, good or bad. */
export function printVerdict({ out }: Invocation, { verdict, trust, where }: Verified): Exit {
  if (!verdict.ok) {
    out.result({ ...verdict, where, key: trust.vkey }, () => badLines(verdict, trust, where))
    return verdict.reason === 'unreadable' ? 'unavailable' : 'verification-failed'
  }
  const { size, root, checkpoint, keys } = verdict
  const key = keys.at(-1) ?? trust.vkey
  const rootText = Buffer.from(root).toString('base64')
  out.result({ ok: true, size, root: rootText, checkpoint, where, key, keys }, () => [
    [styled('green', 'Verified'), `: ${where}, ${counted(size, 'entry', 'entries')}, root ${rootText}.`],
    `  Signed by ${key}`,
    ...keys.slice(0, -1).map((earlier) => `  to which it was handed over, after ${earlier}`),
    trust.earlier === undefined
      ? '  Held against itself; there was no earlier checkpoint to hold it against.'
      : '  It goes on from the checkpoint that was verified last.',
  ])
  if (trust.from === 'first-use') {
    out.warn(
      'This key came from the log itself, and is remembered from here on.',
      '  Compare it with what the operators of the log say it is.',
    )
  }
  return 'ok'
}

const badLines = (verdict: Bad, trust: Trust, where: string): readonly Line[] => [
  [styled('red', 'Does not verify'), `: ${where}: ${verdict.detail}.`],
  ...(verdict.index === undefined ? [] : [`  The first bad entry is number ${verdict.index}.`]),
  ...meaning(verdict, trust).map((line): Line => ['  ', line]),
]

function meaning({ reason }: Bad, { from }: Trust): readonly string[] {
  switch (reason) {
    case 'shrunk':
      return ['The log was cut: it has fewer entries than when it was verified last.']
    case 'forked':
      return ['The log was rewritten: it does not begin with the entries that were verified last.']
    case 'not-signed':
    case 'bad-signature':
    case 'wrong-origin':
      return from === 'remembered'
        ? [
            'The log is not signed by the key that is remembered for it, and that one let no other sign: it was replaced.',
          ]
        : ['The log is not signed by this key.']
    case 'bad-key-change':
    case 'not-handed-over':
      return ['Somebody signs this log whom the one before did not let.']
    case 'replaced-key':
      return ['The key was taken back. Whoever signs with it still is not this log.']
    case 'unreadable':
      return ['Nothing is said about what could not be read. Try again.']
    default:
      return []
  }
}
