import { BOLD, GREEN, INDENT, type Look, paint, RED, WIDTH_MAX, wrap, YELLOW } from './terminal-text.ts'

/** What the system of a subscriber says of the mappings. */
export interface SubscriberExamination {
  readonly name: string
  readonly type: string
  /** Why it could not be asked; null when it was. */
  readonly unreachable: string | null
  /** What is missing there, or does not fit. */
  readonly findings: readonly string[]
}

/** What each subscriber said: that it fits, that it was not asked, or what does not fit. */
export function formatSubscribers(examinations: readonly SubscriberExamination[], look: Look): string {
  return examinations
    .map(({ name, type, unreachable, findings }) => {
      const head = `\n${paint(look, BOLD, `subscriber ${name}`)} (${type})\n`
      if (unreachable !== null) return head + line('!', YELLOW, `not checked: ${unreachable}`, look)
      if (findings.length === 0) return head + line('✓', GREEN, 'every mapping fits what is there', look)
      return head + findings.map((finding) => line('✗', RED, finding, look)).join('')
    })
    .join('')
}

function line(mark: string, style: string, text: string, look: Look): string {
  return wrap(text.replaceAll(/\s+/g, ' '), WIDTH_MAX - INDENT.length - 2)
    .map((part, index) => `${INDENT}${index === 0 ? paint(look, style, mark) : ' '} ${part}\n`)
    .join('')
}
