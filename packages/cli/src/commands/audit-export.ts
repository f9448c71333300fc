/** `tidegate audit export` */

import { directorySource, directoryWriter, exportLog, verifyLog } from '@tidegate/audit'
import { defineCommand } from '../command.ts'
import { logSource, logUrl, rememberVerified, trustFor } from '../log/trust.ts'
import { printVerdict } from '../log/verdict.ts'
import { command } from '../output.ts'
import { text } from '../values.ts'

export const auditExport = defineCommand({
  name: ['audit', 'export'],
  summary: 'Copy the audit log to a directory, and verify the copy',
  details: ['The copy is complete and needs no server: `tidegate audit verify --dir` verifies it with the key alone.'],
  arguments: {
    dir: { value: text('DIR'), about: 'Made where it is missing; an earlier copy in it is brought up to date.' },
  },
  options: {
    log: { about: 'A log published somewhere else than at its server, such as a mirror.', value: text('URL') },
    key: { about: 'The verifier key.', value: text('VKEY') },
  },
  examples: [{ line: 'tidegate audit export ./log-copy', about: 'Keep a copy' }],
  run: async (invocation, { dir, log, key }) => {
    const url = await logUrl(invocation, log)
    const trust = await trustFor(invocation, { url, given: key })
    const { vkey } = trust
    const copied = await exportLog({ source: logSource(invocation, url), writer: directoryWriter(dir), vkey })
    if (!copied.ok) return printVerdict(invocation, { verdict: copied, trust, where: url })
    const verdict = await verifyLog({ source: directorySource(dir), ...trust })
    if (verdict.ok) await rememberVerified(invocation, { url, trust, verdict })
    const exit = printVerdict(invocation, { verdict, trust, where: dir })
    invocation.out.note(['Verify it anywhere: ', command(`tidegate audit verify --dir ${dir} --key '${vkey}'`)])
    return exit
  },
})
