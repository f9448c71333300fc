/** Certificates made for one run of a test file. */

import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export type Certificates = {
  readonly folder: string
  readonly ca: string
  readonly otherCa: string
  /** For `localhost`, and no address. */
  readonly server: { readonly key: string; readonly cert: string }
  readonly remove: () => Promise<void>
}

export async function makeCertificates(): Promise<Certificates> {
  const folder = await mkdtemp(join(tmpdir(), 'tidegate-gateway-tls-'))
  const openssl = (...words: readonly string[]) => run('openssl', [...words], { cwd: folder })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1']
  for (const ca of ['ca', 'other-ca']) {
    await openssl('req', '-x509', ...key, '-subj', `/CN=${ca}`, '-keyout', `${ca}.key`, '-out', `${ca}.crt`)
  }
  const names = ['-addext', 'subjectAltName=DNS:localhost', '-subj', '/CN=localhost', '-sha384']
  const signed = ['-CA', 'ca.crt', '-CAkey', 'ca.key', ...names]
  await openssl('req', '-x509', ...key, ...signed, '-keyout', 'server.key', '-out', 'server.crt')
  const read = (name: string): Promise<string> => readFile(join(folder, name), 'utf8')
  return {
    folder,
    ca: await read('ca.crt'),
    otherCa: await read('other-ca.crt'),
    server: { key: await read('server.key'), cert: await read('server.crt') },
    remove: () => rm(folder, { recursive: true }),
  }
}
