import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { limits } from '@tidegate/api'
import { describe, expect, it, onTestFinished } from 'vitest'
import { collectFiles } from './collect.ts'

async function directoryOf(files: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), 'tidegate-collect-'))
  onTestFinished(async () => rm(parent, { recursive: true }))
  const root = join(parent, 'access')
  await mkdir(root)
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), content)
  }
  return root
}

const pathsOf = async (...named: string[]) => (await collectFiles(named)).map(({ path }) => path)

describe('the files of a directory', () => {
  it('are its YAML and Cedar files by relative path, sorted, without hidden ones', async () => {
    const root = await directoryOf({
      'z.yaml': 'z',
      'policies/b.cedar': 'b',
      'a.yml': 'a',
      'README.md': 'no',
      '.git/config.yaml': 'no',
      '.hidden.yaml': 'no',
      'Policies.cedar': 'P',
    })
    expect(await collectFiles([root])).toEqual([
      { path: 'Policies.cedar', text: 'P' },
      { path: 'a.yml', text: 'a' },
      { path: 'policies/b.cedar', text: 'b' },
      { path: 'z.yaml', text: 'z' },
    ])
  })

  it('add up with files that are named one by one', async () => {
    const root = await directoryOf({ 'a/one.yaml': '', 'b/two.cedar': '' })
    expect(await pathsOf(join(root, 'a'), join(root, 'b/two.cedar'))).toEqual(['one.yaml', 'two.cedar'])
  })

  it('may be links to files in the directory, as mounted volumes have them', async () => {
    const root = await directoryOf({ '..data/a.yaml': 'mounted' })
    await symlink('..data/a.yaml', join(root, 'a.yaml'))
    expect(await collectFiles([root])).toEqual([{ path: 'a.yaml', text: 'mounted' }])
  })

  it('are found through a directory that is itself named by a link', async () => {
    const root = await directoryOf({ 'a.yaml': 'a' })
    await symlink(root, `${root}-link`)
    expect(await pathsOf(`${root}-link`)).toEqual(['a.yaml'])
  })
})

describe('what cannot be sent is refused by name', () => {
  it('a link that leads out of the directory', async () => {
    const root = await directoryOf({ 'a.yaml': '' })
    await writeFile(join(root, '../secret.yaml'), 'secret')
    await symlink('../secret.yaml', join(root, 'b.yaml'))
    await expect(collectFiles([root])).rejects.toThrow(/b\.yaml is a link to something outside/)
  })

  it('a link into a directory whose name begins alike', async () => {
    const root = await directoryOf({ 'a.yaml': '' })
    await mkdir(`${root}-other`)
    await writeFile(`${root}-other/x.yaml`, 'x')
    await symlink(`${root}-other/x.yaml`, join(root, 'b.yaml'))
    await expect(collectFiles([root])).rejects.toThrow(/outside/)
  })

  it('a link to nothing, and one to a directory', async () => {
    const root = await directoryOf({ 'd/a.yaml': '' })
    await symlink('nowhere', join(root, 'b.yaml'))
    await expect(collectFiles([root])).rejects.toThrow(/link to nothing/)
    await rm(join(root, 'b.yaml'))
    await symlink('d', join(root, 'b.yaml'))
    await expect(collectFiles([root])).rejects.toThrow(/not a file/)
  })

  it('a directory with nothing in it: that would remove everything', async () => {
    await expect(collectFiles([await directoryOf({ 'README.md': '' })])).rejects.toThrow(/no \*\.yaml/)
  })

  it('two files of one path', async () => {
    const root = await directoryOf({ 'a/x.yaml': '', 'b/x.yaml': '' })
    await expect(collectFiles([join(root, 'a'), join(root, 'b')])).rejects.toThrow(/both be called x\.yaml/)
  })

  it('what is not there, and what is something else', async () => {
    const root = await directoryOf({ 'a.txt': '' })
    await expect(collectFiles([join(root, 'none')])).rejects.toThrow(/does not exist/)
    await expect(collectFiles([join(root, 'a.txt')])).rejects.toThrow(/is not a directory and not/)
  })

  it('text that is not UTF-8', async () => {
    const root = await directoryOf({ 'a.yaml': Uint8Array.of(0xff, 0xfe) })
    await expect(collectFiles([root])).rejects.toThrow(/a\.yaml is not UTF-8/)
  })

  it('more than the server takes', async () => {
    const half = 'x'.repeat(limits.bodyBytes / 2 + 1)
    const root = await directoryOf({ 'a.yaml': half, 'b.yaml': half })
    await expect(collectFiles([root])).rejects.toThrow(/bytes together, at b\.yaml/)
  })

  it('directories without end', async () => {
    const root = await directoryOf({ [`${'d/'.repeat(20)}a.yaml`]: '' })
    await expect(collectFiles([root])).rejects.toThrow(/nested deeper/)
  })
})
