/** Small edits of configuration files, as someone makes them in an editor. */

import type { Files, World } from './tidegate.ts'

/** @throws where there is nothing to replace, so that an edit never silently does nothing */
export function edited(files: Files, path: string, [from, to]: readonly [string, string]): Files {
  const found = files.find((file) => file.path === path)
  if (!found?.text.includes(from)) throw new Error(`${path} does not say: ${from}`)
  return files.map((file) => (file === found ? { path, text: file.text.replace(from, () => to) } : file))
}

export const withFile = (files: Files, path: string, text: string): Files => [
  ...files.filter((file) => file.path !== path),
  { path, text },
]

/** Applies the world's files with an edit. */
export const applyEdited = (world: World, path: string, edit: readonly [string, string]): Promise<unknown> =>
  world.admin.applyConfig({ files: edited(world.files, path, edit) })
