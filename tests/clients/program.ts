/** Clients that are programs: they say what they have done in lines of JSON. */

import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Client, Way } from './errands.ts'

/** As libpq takes it, and our programs of other drivers too. No password stands in a list of processes. */
export const environmentOf = ({ credential, caFile }: Way): NodeJS.ProcessEnv => ({
  ...process.env,
  PGHOST: credential.host,
  PGPORT: String(credential.port),
  PGUSER: credential.user,
  PGPASSWORD: credential.secret,
  PGDATABASE: credential.databases[0],
  PGSSLMODE: caFile === undefined ? 'disable' : 'verify-full',
  ...(caFile !== undefined && { PGSSLROOTCERT: caFile, PGCHANNELBINDING: 'require' }),
})

type Line = { readonly errand: string; readonly value: unknown }

export const programClient =
  (program: string, argv: readonly string[], env: NodeJS.ProcessEnv = {}): Client =>
  async (mission, way, cues) => {
    const child = spawn(program, [...argv, mission], { env: { ...environmentOf(way), ...env } })
    const exited = new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve))
    const errors: string[] = []
    child.stderr.on('data', (chunk: Buffer) => errors.push(chunk.toString()))
    const told: Record<string, unknown> = {}
    for await (const text of createInterface({ input: child.stdout })) {
      const { errand, value } = JSON.parse(text) as Line
      if (errand === 'waiting') cues.waiting()
      else if (errand === 'asleep') void cues.asleep().then(() => child.stdin.write('\n'))
      else told[errand] = value
    }
    const code = await exited
    if (code !== 0) throw new Error(`${program} ended with ${code}: ${errors.join('')}`)
    return told
  }
