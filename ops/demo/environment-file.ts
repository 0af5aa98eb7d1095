/**
 * The addresses of a running demo, in its data folder: `. .tributary/demo/environment` in a shell, and every command works on the demo.
 * It holds passwords, so only its owner may read it.
 */
export const ENVIRONMENT_FILE = 'environment'

export function formatEnvironment(variables: Readonly<Record<string, string>>): string {
  return Object.entries(variables)
    .map(([name, value]) => `export ${name}='${value}'\n`)
    .join('')
}
