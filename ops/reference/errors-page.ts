import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { CATALOGUE, type CatalogueEntry, type Fate } from '../../schemas/errors.ts'

export const ERRORS_PAGE = new URL('../../docs/reference/errors.md', import.meta.url)

const FATES: Readonly<Record<Fate, string>> = {
  retry: 'it is tried again by itself',
  'dead-letter': 'this record is given up, others go on',
  stop: 'the process ends; a person has to act',
}

const HEAD = `# Errors

Generated from \`schemas/errors.ts\` by \`npx node ops/reference/errors-page.ts\`.

Every error that tributary raises on purpose has one of these codes. The exit code is that of a command which ends with it. Messages name
what is wrong and what to do; they never hold personal data or secrets.
`

/** The reference page of the catalogue, as it stands in the documentation. */
export function formatErrorsPage(): string {
  const entries = Object.entries(CATALOGUE) as [string, CatalogueEntry][]
  return [HEAD, ...entries.map(([code, entry]) => formatEntry(code, entry))].join('\n')
}

function formatEntry(code: string, { fate, exitCode, meaning, normalWhen, whatToDo }: CatalogueEntry): string {
  return [
    `## ${code}`,
    '',
    meaning,
    '',
    `- **Fate:** \`${fate}\`: ${FATES[fate]}. Exit code ${exitCode}.`,
    `- **Normal:** ${normalWhen}.`,
    `- **What to do:** ${whatToDo}`,
    '',
  ].join('\n')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(ERRORS_PAGE, formatErrorsPage())
