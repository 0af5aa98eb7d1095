import { TributaryError } from '../../../schemas/errors.ts'
import { expand, readSecretFile } from '../../declaration/yaml/environment.ts'

/**
 * The address of one of the demo's databases, found as tributary.yaml finds it: in the variable, or in the file that its `_FILE` names.
 * @throws TributaryError `environment-missing`
 */
export function address(variable: 'ERP_URL' | 'WAREHOUSE_URL', env: NodeJS.ProcessEnv): string {
  const { text, faults } = expand(`\${${variable}}`, env, readSecretFile)
  const [fault] = faults
  if (fault === undefined) return text
  throw new TributaryError('environment-missing', `The demo's database is not known: ${fault.message}.`)
}
