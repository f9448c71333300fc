/** `tidegate audit receipt` */

import { writeFile } from 'node:fs/promises'
import { verifyReceipt } from '@tidegate/audit'
import { defineCommand } from '../command.ts'
import { Failure } from '../failure.ts'
import { command } from '../output.ts'
import { errorCode } from '../private-file.ts'
import { connectToServer, retrying } from '../server.ts'
import { text } from '../values.ts'

export const auditReceipt = defineCommand({
  name: ['audit', 'receipt'],
  summary: 'Proof that something is in the audit log, to keep and to show',
  details: [
    'Of an entry, or of the latest entry of a grant or a request. It is verified before it is handed over, and holds the personal data that you may see in it.',
  ],
  arguments: { id: { value: text('ID'), about: 'The id of an entry, a grant or a request.' } },
  options: { out: { about: 'Write it to this new file instead of stdout.', value: text('FILE') } },
  examples: [
    { line: 'tidegate audit receipt grt_01j… --out grant.tlog-proof', about: 'Keep the proof of how a grant ended' },
  ],
  run: async (invocation, { id, out: file }) => {
    const client = await connectToServer(invocation)
    const receipt = await retrying(invocation, () => client.getReceipt({ id }))
    const checked = verifyReceipt(receipt.proof, receipt.verifierKey)
    if (!checked.ok)
      throw new Failure('verification-failed', `The server's receipt does not verify: ${checked.detail}.`)
    if (file !== undefined) await writeNew(file, receipt.proof)
    invocation.out.result(receipt, () =>
      file === undefined ? receipt.proof.trimEnd().split('\n') : [`Written to ${file}.`],
    )
    invocation.out.note([
      'Verify it anywhere: ',
      command(`tidegate audit verify-receipt ${file ?? 'FILE'} --key '${receipt.verifierKey}'`),
    ])
    return 'ok'
  },
})

/** A receipt is kept as evidence, so what is there is not replaced. It may hold personal data: its owner's alone. */
async function writeNew(file: string, content: string): Promise<void> {
  try {
    await writeFile(file, content, { flag: 'wx', mode: 0o600 })
  } catch (cause) {
    if (errorCode(cause) !== 'EEXIST') throw cause
    throw new Failure('usage', `${file} is there already.`, { remedy: 'Name another file.', cause })
  }
}
