/** Programs for tests to run: they write down what they were given, and then do as they are told. */

import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export type Record = {
  readonly argv: readonly string[]
  readonly env: Readonly<{ [name: string]: string | undefined }>
  /** Of the file that PGSSLROOTCERT names, while the program runs. */
  readonly ca?: { readonly text: string; readonly mode: number }
  /** In the order they came. */
  readonly signals: readonly string[]
}

export type Program = {
  readonly directory: string
  readonly file: string
  readonly read: () => Promise<Record>
  /** Settles once the program runs. */
  readonly started: () => Promise<void>
}

/** @param body statements after the writing down; `record`, `save`, `fs` and `process` are at hand */
export async function writeProgram(home: string, name: string, body = ''): Promise<Program> {
  const directory = join(home, 'bin')
  const [file, log] = [join(directory, name), join(home, `${name}.json`)]
  await mkdir(directory, { recursive: true })
  await writeFile(
    file,
    `#!${process.execPath}
const fs = require('node:fs')
const { PGSSLROOTCERT: ca } = process.env
const record = { argv: process.argv.slice(2), env: process.env, signals: [] }
if (ca && fs.existsSync(ca)) record.ca = { text: fs.readFileSync(ca, 'utf8'), mode: fs.statSync(ca).mode & 0o777 }
const save = () => { fs.writeFileSync('${log}.new', JSON.stringify(record)); fs.renameSync('${log}.new', '${log}') }
const onSignal = (name, act) => process.on(name, () => { record.signals.push(name); save(); act() })
${body.includes('save()') ? body : `${body}\nsave()`}
`,
  )
  await chmod(file, 0o755)
  const read = async () => JSON.parse(await readFile(log, 'utf8')) as Record
  return {
    directory,
    file,
    read,
    started: async () => {
      for (;;) {
        if (await read().catch(() => undefined)) return
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    },
  }
}
