/** The little Markdown that the generated pages need. */

/** Says on the page itself that an edit there would be lost. */
export const generatedFrom = (source: string): string =>
  `<!-- Made from ${source} by \`npm run generate\`; change it there. -->`

export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n')

const row = (cells: readonly string[]): string => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`

export const code = (text: string): string => `\`${text}\``

/** Parts of a page, a blank line between them. */
export const page = (...parts: readonly string[]): string => `${parts.join('\n\n')}\n`
