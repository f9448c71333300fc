import { readFileSync } from 'node:fs'

/** Of this package, and so of Tidegate: all packages have one version. */
export const version = (
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
).version
