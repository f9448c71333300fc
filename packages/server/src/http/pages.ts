/** The few pages of signing in: plain HTML, without scripts, from nowhere but here. */

import { createHash } from 'node:crypto'
import type { FastifyReply } from 'fastify'
import { style } from './page-style.ts'

/** Text that is safe to stand in a page. Made by `html` alone. */
export type Html = { readonly html: string }

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

const escape = (text: string): string => text.replace(/[&<>"']/g, (sign) => entities[sign] as string)

type Part = string | Html | readonly Html[]

/** What is put in is text, unless it is HTML already. */
export const html = (texts: TemplateStringsArray, ...parts: readonly Part[]): Html => ({
  html: texts.map((text, index) => text + partText(parts[index] ?? '')).join(''),
})

function partText(part: Part): string {
  if (typeof part === 'string') return escape(part)
  return 'html' in part ? part.html : part.map((one) => one.html).join('')
}

const styleHash = createHash('sha256').update(style).digest('base64')

const policy = ({ leadsTo, scripted }: Omit<Page, 'title' | 'body'>): string =>
  [
    "default-src 'none'",
    ...(scripted ? ["script-src 'self'"] : []),
    `style-src 'sha256-${styleHash}'`,
    `form-action 'self'${leadsTo === undefined ? '' : ` ${leadsTo}`}`,
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ].join('; ')

export type Page = {
  readonly title: string
  readonly body: Html
  /** Where its form may lead by way of us, as browsers want to know. Absent: nowhere else. */
  readonly leadsTo?: string
  /** With the one script there is: browsers talk to authenticators through a script alone. */
  readonly scripted?: true
}

export const scriptPath = '/assets/ceremonies.js'

export const sendPage = (reply: FastifyReply, title: string, body: Html): FastifyReply => send(reply, { title, body })

export const sendScriptedPage = (reply: FastifyReply, title: string, body: Html): FastifyReply =>
  send(reply, { title, body, scripted: true })

export function send(reply: FastifyReply, { title, body, ...rest }: Page): FastifyReply {
  const script = rest.scripted ? `<script src="${scriptPath}" defer></script>` : ''
  const head = `<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escape(title)}</title>${script}`
  return (
    reply
      .type('text/html; charset=utf-8')
      .header('content-security-policy', policy(rest))
      // Forms say where they come from, to this server alone.
      .header('referrer-policy', 'same-origin')
      .send(
        `<!doctype html><html lang="en"><head>${head}<style>${style}</style></head><body><header>Tidegate</header><main>${body.html}</main></body></html>`,
      )
  )
}
