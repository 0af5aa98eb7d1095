import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../../', import.meta.url))

export interface Page {
  /** From the root of the repository. */
  readonly path: string
  readonly text: string
  /** Inline code and the lines of code blocks. */
  readonly code: readonly string[]
}

/** The README and everything below docs. */
export function readPages(): readonly Page[] {
  const below = readdirSync(`${ROOT}docs`, { recursive: true, encoding: 'utf8' })
  const paths = ['README.md', ...below.filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)]
  return paths.map((path) => {
    const text = readFileSync(ROOT + path, 'utf8')
    return { path, text, code: codeOf(text) }
  })
}

const BLOCK = /^```[^\n]*\n(.*?)^```/gms

function codeOf(text: string): string[] {
  const lines = [...text.matchAll(BLOCK)].flatMap(([, block]) => block!.split('\n'))
  const spans = [...text.replace(BLOCK, '').matchAll(/`([^`]+)`/g)].map(([, span]) => span!)
  return [...lines, ...spans].filter((one) => one.trim() !== '')
}

/** The code blocks of one language. */
export function blocksOf(page: Page, language: string): string[] {
  return [...page.text.matchAll(BLOCK)]
    .filter(([whole]) => whole.startsWith(`\`\`\`${language}\n`))
    .map(([, block]) => block!)
}

/** The anchors of a page's headings, as GitHub makes them. */
export function anchorsOf(page: Page): ReadonlySet<string> {
  const headings = page.text.replace(BLOCK, '').matchAll(/^#+ (.+)$/gm)
  return new Set(
    [...headings].map(([, heading]) =>
      heading!
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .trim()
        .replace(/ /g, '-'),
    ),
  )
}
