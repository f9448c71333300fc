/** `tidegate audit verify-receipt` */

import { open } from 'node:fs/promises'
import type { ReceiptFacts } from '@tidegate/audit'
import { verifyReceipt } from '@tidegate/audit'
import { defineCommand } from '../command.ts'
import { Failure } from '../failure.ts'
import { limits } from '../limits.ts'
import { checkKey } from '../log/trust.ts'
import type { Line } from '../output.ts'
import { bold, styled } from '../output.ts'
import { isMissing } from '../private-file.ts'
import { text } from '../values.ts'
import { entryLine } from '../words/entry.ts'

export const auditVerifyReceipt = defineCommand({
  name: ['audit', 'verify-receipt'],
  summary: 'Verify a receipt, offline',
  details: [
    'It shows that the log signed a tree with this entry in it. That the tree is the one that everyone sees is shown by `tidegate audit verify`.',
  ],
  arguments: { file: { value: text('FILE'), about: 'What `tidegate audit receipt` wrote.' } },
  options: {
    key: {
      about: 'The verifier key of the log, from elsewhere than the receipt.',
      value: text('VKEY'),
      required: true,
    },
  },
  examples: [{ line: 'tidegate audit verify-receipt grant.tlog-proof --key "$(cat log.vkey)"', about: 'Verify it' }],
  run: async (invocation, { file, key }) => {
    const receipt = verifyReceipt(await readBoundedFile(file), checkKey(key))
    if (!receipt.ok) {
      invocation.out.result(receipt, () => [[styled('red', 'Does not verify'), `: ${file}: ${receipt.detail}.`]])
      return 'verification-failed'
    }
    const { index, size, entry, disclosures, checkpoint } = receipt
    invocation.out.result({ ok: true, origin: checkpoint.origin, index, size, entry, disclosures }, () => [
      [styled('green', 'Verified'), `: entry ${index} of the ${size} of ${checkpoint.origin}.`],
      entryLine(invocation, asEntry(receipt)),
      ...disclosures.map(({ path, value }): Line => ['  ', bold(path), ` ${JSON.stringify(value)}`]),
    ])
    return 'ok'
  },
})

const asEntry = ({ entry, index, disclosures }: ReceiptFacts): Parameters<typeof entryLine>[1] => ({
  id: entry.id,
  type: entry.type,
  at: entry.at,
  index,
  entry,
  disclosed: Object.fromEntries(disclosures.map(({ path, value }) => [path, value])),
})

async function readBoundedFile(file: string): Promise<string> {
  const handle = await open(file).catch((cause: unknown) => {
    if (isMissing(cause)) throw new Failure('usage', `${file} does not exist.`, { cause })
    throw cause
  })
  try {
    const { size } = await handle.stat()
    if (size > limits.receiptBytes) throw new Failure('usage', `${file} is larger than a receipt can be.`)
    return await handle.readFile('utf8')
  } finally {
    await handle.close()
  }
}
