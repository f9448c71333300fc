/** The certificate of the API, from its files: another one takes its place there without a restart. */

import { readFile } from 'node:fs/promises'
import type { Server } from 'node:tls'
import { createSecureContext } from 'node:tls'
import type { Logger } from 'pino'

export type CertificateFiles = { readonly certFile: string; readonly keyFile: string }
export type Certificate = { readonly cert: string; readonly key: string }

export const oldestTls = 'TLSv1.2'

export async function readCertificate({ certFile, keyFile }: CertificateFiles): Promise<Certificate> {
  const [cert, key] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')])
  return { cert, key }
}

type Renewing = { readonly files: CertificateFiles; readonly now: Certificate; readonly log: Logger }

/**
 * For new connections, what the files hold by now. While they cannot be read, or do not go together, as between two
 * writes, what was there before stays.
 */
export function createRenewal(server: Server, { files, now, log }: Renewing): () => Promise<void> {
  let present = now
  return async () => {
    try {
      const next = await readCertificate(files)
      if (next.cert === present.cert && next.key === present.key) return
      createSecureContext({ ...next, minVersion: oldestTls })
      server.setSecureContext({ ...next, minVersion: oldestTls })
      present = next
      log.info(`The certificate in ${files.certFile} is another now, and taken.`)
    } catch (error) {
      log.error({ err: error }, `the certificate in ${files.certFile} cannot be taken; the one before stays`)
    }
  }
}
