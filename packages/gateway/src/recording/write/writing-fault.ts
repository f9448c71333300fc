/** Why a recording cannot be written, in words. */

const reasons: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk of recordings is full',
  EDQUOT: 'the disk quota of recordings is used up',
  EIO: 'the disk of recordings failed',
  EROFS: 'the file system of recordings can only be read',
  EACCES: 'there is no permission to write recordings',
  EPERM: 'there is no permission to write recordings',
  ENOENT: 'the folder of recordings is not there',
  ENOTDIR: 'something that is no folder is where a folder of recordings should be',
  EEXIST: 'there is a recording of that session',
  EMFILE: 'this process has too many files open',
  ENFILE: 'the system has too many files open',
  EFBIG: 'the file would be larger than is allowed',
}

/** A clause, as it goes into what a client is told: without paths. */
export function writingFault(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (!('code' in error)) return error.message
  const code = String(error.code)
  const reason = reasons[code]
  return reason === undefined ? `the system says ${code}` : `${reason} (${code})`
}
