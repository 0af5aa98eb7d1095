import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { checkDeclaration, type Declaration } from '../../../ops/declaration/declaration.ts'
import { groupsOf } from '../../../ops/process/delivery.ts'
import { DRAIN_MS_MAX } from '../../../ops/process/signals.ts'
import { commandTree } from '../../docs/command-tree.ts'
import { ENVIRONMENT, PIPELINE } from '../declaration/pipelines.ts'
import { CHART, HELM, helm, isHook, podsOf, type Rendered, ROOT, render, selects } from './chart/render.ts'
import { DECLARATION, FULL } from './chart/values.ts'

const DEMO_ENVIRONMENT = {
  TRIBUTARY_KAFKA_BROKERS: 'kafka:9092',
  TRIBUTARY_REGISTRY_URL: 'http://registry:8081',
  TRIBUTARY_REDIS_URL: 'redis://redis:6379',
  TRIBUTARY_FINGERPRINT_KEY: 'at least thirty-two characters long',
  ERP_URL: 'postgres://erp/erp',
  WAREHOUSE_URL: 'postgres://warehouse/warehouse',
  CRM_URL: 'http://crm:8080',
  CRM_TOKEN_URL: 'http://crm:8080/token',
  CRM_CLIENT_ID: 'id',
  CRM_CLIENT_SECRET: 'secret',
  STORE_URL: 'http://store:8080',
  STORE_TOKEN: 'token',
}

/** What each is rendered with, and what its declaration says. */
const CASES: readonly (readonly [title: string, values: object, text: string, environment: object])[] = [
  ['with a declaration and nothing else', { declaration: PIPELINE }, PIPELINE, ENVIRONMENT],
  ['with everything switched on', FULL, DECLARATION, DEMO_ENVIRONMENT],
]

describe.skipIf(HELM === undefined)('the chart, by Helm (needs helm on the PATH)', () => {
  test('without a declaration it says how to give one, and a name that is not declared is refused', () => {
    expect(() => render({})).toThrow('--set-file declaration=tributary.yaml')
    expect(() => render({ declaration: 'name: [' })).toThrow('The declaration is no YAML')
    const values = { declaration: PIPELINE, sources: { crm: {} } }
    expect(() => render(values)).toThrow('the declaration has no source of that name')
    expect(() => render({ declaration: PIPELINE, replica: 1 })).toThrow('replica')
  })

  test('what could not be reached is told, not cut off', () => {
    const values = { declaration: PIPELINE, networkPolicy: { egress: { enabled: true } } }
    expect(() => render(values)).toThrow('networkPolicy.egress.kafka is empty')
  })

  describe.each(CASES)('%s', (_title, values, text, environment) => {
    let objects: readonly Rendered[]
    let declaration: Declaration
    const program = commandTree()

    beforeAll(() => {
      objects = render(values)
      const checked = checkDeclaration(text, 'tributary.yaml', environment as Record<string, string>)
      expect(checked.problems).toEqual([])
      declaration = checked.declaration!
    })

    const of = (kind: string) => objects.filter((one) => one.kind === kind)
    const container = (spec: { containers: readonly Rendered['spec'][] }) => spec.containers[0]

    test('Helm has nothing to say against it', () => {
      expect(helm(['lint', '--strict', CHART], values)).toContain('0 chart(s) failed')
    })

    test('every object is of a kind and version that is known, and its name is its own and valid', () => {
      const versions = {
        ConfigMap: 'v1',
        Deployment: 'apps/v1',
        Job: 'batch/v1',
        PodDisruptionBudget: 'policy/v1',
        NetworkPolicy: 'networking.k8s.io/v1',
        PodMonitor: 'monitoring.coreos.com/v1',
        PrometheusRule: 'monitoring.coreos.com/v1',
        ScaledObject: 'keda.sh/v1alpha1',
      } as Readonly<Record<string, string>>
      for (const { kind, apiVersion, metadata } of objects) {
        expect([kind, apiVersion]).toEqual([kind, versions[kind]])
        expect(metadata.name).toMatch(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/)
        for (const label of Object.values(metadata.labels!))
          expect(label).toMatch(/^[A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?$/)
      }
      expect(new Set(objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).size).toBe(objects.length)
    })

    test('each source, each subscriber and the exporter has its Deployment, and provision its Job', () => {
      const wanted = [
        ...[...declaration.sources.keys()].map((source) => ['capture', source]),
        ...[...declaration.subscribers.keys()].map((subscriber) => ['deliver', subscriber]),
        ['exporter'],
        ['provision'],
      ]
      const started = podsOf(objects).map(({ spec }) => container(spec).args as string[])
      expect(started.map((args) => args.slice(0, args.indexOf('--file'))).sort()).toEqual(wanted.sort())
    })

    test('every process is started with flags that its command has', () => {
      for (const { spec } of podsOf(objects)) {
        const [name, ...rest] = container(spec).args as string[]
        const flags = program.commands.find((command) => command.name === name)?.flags
        expect(rest.every((word) => typeof word === 'string')).toBe(true)
        expect(rest.filter((word) => word.startsWith('--') && !flags?.includes(word))).toEqual([])
      }
    })

    test('every process reads the declaration as it was given, byte for byte, and the files beside it', () => {
      const files = (values as { files?: object }).files ?? {}
      for (const { owner, spec } of podsOf(objects)) {
        const args = container(spec).args as string[]
        const folder = container(spec).volumeMounts.find(
          ({ name }: { name: string }) => name === 'declaration',
        ).mountPath
        expect(args[args.indexOf('--file') + 1]).toBe(`${folder}/tributary.yaml`)
        const volume = spec.volumes.find(({ name }: { name: string }) => name === 'declaration')
        const config = of('ConfigMap').find(({ metadata }) => metadata.name === volume.configMap.name)!
        expect(config.data).toEqual({ 'tributary.yaml': text, ...files })
        // What a hook needs is there before it runs.
        expect(isHook(config)).toBe(isHook(owner))
      }
    })

    test('every variable that is set is one that the declaration refers to, and no value is a secret of ours', () => {
      const referred = [...text.matchAll(/\$\{([A-Z_]+)/g)].map(([, name]) => name!)
      for (const { spec } of podsOf(objects))
        for (const { name } of container(spec).env ?? []) expect(referred).toContain(name.replace(/_FILE$/, ''))
      expect(of('Secret')).toEqual([])
    })

    test('a secret that is a file is where its variable says', () => {
      for (const { spec } of podsOf(objects)) {
        const files = (container(spec).env ?? []).filter(({ name }: { name: string }) => name.endsWith('_FILE'))
        const volume = spec.volumes.find(({ name }: { name: string }) => name === 'secrets')
        const paths = (volume?.projected.sources ?? []).map(
          ({ secret }: { secret: { items: readonly { path: string }[] } }) =>
            `/etc/tributary-secrets/${secret.items[0]!.path}`,
        )
        expect(files.map(({ value }: { value: string }) => value)).toEqual(paths)
      }
    })

    test('no pod can do more than it has to', () => {
      for (const { spec } of podsOf(objects)) {
        expect(spec).toMatchObject({ automountServiceAccountToken: false, enableServiceLinks: false })
        expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } })
        expect(spec.securityContext.runAsUser).toBeGreaterThan(0)
        expect(spec.containers).toHaveLength(1)
        expect(container(spec).securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        })
        expect(container(spec).resources).toMatchObject({
          requests: { cpu: expect.any(String), memory: expect.any(String) },
          limits: { memory: expect.any(String) },
        })
        for (const { name } of container(spec).volumeMounts)
          expect(spec.volumes.map((one: { name: string }) => one.name)).toContain(name)
      }
    })

    test('a process has longer to end than it takes', () => {
      for (const { spec } of podsOf(objects))
        expect(spec.terminationGracePeriodSeconds * 1_000).toBeGreaterThan(DRAIN_MS_MAX)
    })

    test('only a process that is dead is started again: what it waits for is nobody’s reason to', () => {
      for (const { owner, spec } of podsOf(objects)) {
        const { livenessProbe, startupProbe, readinessProbe, ports, args } = container(spec)
        if (owner.kind === 'Job') {
          expect([livenessProbe, startupProbe, readinessProbe, ports]).toEqual([
            undefined,
            undefined,
            undefined,
            undefined,
          ])
          continue
        }
        expect(ports).toEqual([{ name: 'metrics', containerPort: Number(args[args.indexOf('--port') + 1]) }])
        expect(args[args.indexOf('--host') + 1]).toBe('0.0.0.0')
        for (const probe of [livenessProbe, startupProbe])
          expect(probe.httpGet).toEqual({ path: '/healthz', port: 'metrics' })
        expect(startupProbe.failureThreshold * startupProbe.periodSeconds).toBeGreaterThanOrEqual(60)
      }
    })

    test('a rollout never waits for a capture that waits for the slot', () => {
      for (const { owner, spec } of podsOf(objects)) {
        const [command] = container(spec).args
        const { strategy, replicas } = owner.spec
        const { path } = container(spec).readinessProbe?.httpGet ?? {}
        if (command === 'capture' && replicas > 1) {
          expect([strategy.rollingUpdate, path]).toEqual([{ maxSurge: 0, maxUnavailable: 1 }, '/healthz'])
        } else if (command === 'capture') expect([strategy, path]).toEqual([{ type: 'Recreate' }, '/readyz'])
        if (command === 'deliver')
          expect([strategy.rollingUpdate, path]).toEqual([{ maxSurge: 1, maxUnavailable: 0 }, '/readyz'])
      }
    })

    test('a selector finds the pods of its own component and no others', () => {
      const pods = podsOf(objects)
      for (const deployment of of('Deployment'))
        expect(
          pods.filter(({ labels }) => selects(deployment.spec.selector, labels)).map(({ owner }) => owner),
        ).toEqual([deployment])
      for (const { spec } of pods)
        for (const { labelSelector } of spec.topologySpreadConstraints ?? [])
          expect(pods.filter(({ labels }) => selects(labelSelector, labels)).map((one) => one.spec)).toEqual([spec])
    })

    test('a node can be drained: each Deployment has a budget of one pod, and what does not work may go', () => {
      for (const deployment of of('Deployment')) {
        const { labels } = deployment.spec.template.metadata
        const budgets = of('PodDisruptionBudget').filter(({ spec }) => selects(spec.selector, labels))
        expect(
          budgets.map(({ spec }) => [spec.maxUnavailable, spec.minAvailable, spec.unhealthyPodEvictionPolicy]),
        ).toEqual([[1, undefined, 'AlwaysAllow']])
      }
      expect(of('PodDisruptionBudget')).toHaveLength(of('Deployment').length)
    })

    test('nobody talks to a pod but for its metrics', () => {
      for (const { owner, labels } of podsOf(objects)) {
        const [policy, ...others] = of('NetworkPolicy').filter(({ spec }) => selects(spec.podSelector, labels))
        expect(others).toEqual([])
        expect(policy!.spec.policyTypes).toContain('Ingress')
        const ports = policy!.spec.ingress.flatMap((rule: { ports: object[] }) => rule.ports)
        expect(ports).toEqual(owner.kind === 'Job' ? [] : [{ protocol: 'TCP', port: 'metrics' }])
        expect(isHook(policy!)).toBe(isHook(owner))
      }
    })

    test('what a hook needs comes before it, and all of it goes with it', () => {
      const weight = ({ metadata }: Rendered) => Number(metadata.annotations!['helm.sh/hook-weight'])
      const hooks = objects.filter(isHook)
      const jobs = hooks.filter(({ kind }) => kind === 'Job')
      expect(jobs).toHaveLength(1)
      for (const one of hooks) {
        expect(one.metadata.annotations!['helm.sh/hook']).toBe('pre-install,pre-upgrade')
        expect(one.metadata.annotations!['helm.sh/hook-delete-policy']).toBe('before-hook-creation,hook-succeeded')
        if (one.kind !== 'Job') expect(weight(one)).toBeLessThan(weight(jobs[0]!))
      }
    })
  })
})

describe.skipIf(HELM === undefined)('what is switched on (needs helm on the PATH)', () => {
  let objects: readonly Rendered[]
  const of = (kind: string) => objects.filter((one) => one.kind === kind)
  const declaration = () => checkDeclaration(DECLARATION, 'tributary.yaml', DEMO_ENVIRONMENT).declaration!

  beforeAll(() => {
    objects = render(FULL)
  })

  test('each part reaches what it works with, and nothing of the others', () => {
    const cidrs = (component: string) => {
      const policy = of('NetworkPolicy').find(({ metadata }) => metadata.name === `shop-${component}`)!
      expect(policy.spec.policyTypes).toEqual(['Ingress', 'Egress'])
      const [dns, ...rules] = policy.spec.egress
      expect(dns.ports.map(({ port }: { port: number }) => port)).toEqual([53, 53])
      return rules.map((rule: Rendered['spec']) => Number(/^10\.0\.(\d)/.exec(rule.to[0].ipBlock.cidr)![1]))
    }
    expect(cidrs('capture-erp')).toEqual([1, 2, 4])
    expect(cidrs('deliver-warehouse')).toEqual([1, 2, 3, 5])
    expect(cidrs('deliver-crm')).toEqual([1, 2, 3, 6])
    expect(cidrs('deliver-store')).toEqual([1, 2, 3, 7])
    expect(cidrs('exporter')).toEqual([1, 2, 3])
    expect(cidrs('provision')).toEqual([1, 2, 4, 6, 7, 5])
  })

  test('KEDA looks at every topic of every group, by the names that the deliveries use', () => {
    for (const subscriber of declaration().subscribers.values()) {
      const { spec } = of('ScaledObject').find(({ metadata }) => metadata.name === `shop-deliver-${subscriber.name}`)!
      const wanted = groupsOf(declaration(), subscriber).flatMap(({ groupId, routes }) =>
        routes.map(({ topic }) => `${groupId} ${topic}`),
      )
      const triggers = spec.triggers.map(
        ({ metadata }: Rendered['spec']) => `${metadata.consumerGroup} ${metadata.topic}`,
      )
      expect(triggers.sort()).toEqual(wanted.sort())
    }
    expect(of('ScaledObject')).toHaveLength(declaration().subscribers.size)
  })

  test('KEDA never scales to zero, nor beyond the partitions, and is never undone by an upgrade', () => {
    for (const { spec } of of('ScaledObject')) {
      const deployment = of('Deployment').find(({ metadata }) => metadata.name === spec.scaleTargetRef.name)!
      const subscriber = declaration().subscribers.get(deployment.spec.template.spec.containers[0].args[1])!
      const partitions = subscriber.mappings.map(({ entity }) => declaration().entities.get(entity.name)!.partitions)
      expect(deployment.spec.replicas).toBeUndefined()
      expect(spec.minReplicaCount).toBeGreaterThanOrEqual(1)
      expect(spec.maxReplicaCount).toBeGreaterThanOrEqual(spec.minReplicaCount)
      expect(spec.maxReplicaCount).toBeLessThanOrEqual(Math.max(...partitions))
      expect(spec.fallback.replicas).toBeGreaterThanOrEqual(spec.minReplicaCount)
      expect(spec.idleReplicaCount).toBeUndefined()
    }
    const limits = of('ScaledObject').map(({ spec }) => [spec.minReplicaCount, spec.maxReplicaCount])
    expect(limits.sort()).toEqual([
      [1, 6],
      [3, 6],
      [6, 6],
    ])
  })

  test('KEDA counts what a new subscriber has before it, and nothing that more processes would not help with', () => {
    for (const { metadata, authenticationRef } of of('ScaledObject').flatMap(({ spec }) => spec.triggers)) {
      expect(metadata).toMatchObject({
        bootstrapServers: 'kafka-0:9092',
        offsetResetPolicy: 'earliest',
        allowIdleConsumers: 'false',
        limitToPartitionsWithLag: 'true',
        excludePersistentLag: 'true',
      })
      expect(metadata.scaleToZeroOnInvalidOffset).toBeUndefined()
      for (const value of Object.values(metadata)) expect(value).toEqual(expect.any(String))
      expect(Number.parseInt(metadata.version, 10)).toBeGreaterThanOrEqual(3)
      expect(authenticationRef).toEqual({ name: 'kafka' })
    }
  })

  test('Prometheus finds every pod that serves metrics, under the job that the rules ask for, and has the rules', () => {
    const [monitor] = of('PodMonitor')
    const served = podsOf(objects).filter(({ owner }) => owner.kind === 'Deployment')
    for (const { labels } of served) {
      expect(selects(monitor!.spec.selector, labels)).toBe(true)
      expect(labels[monitor!.spec.jobLabel]).toBe('tributary')
    }
    const rules = parse(readFileSync(`${ROOT}ops/prometheus/rules.yml`, 'utf8')) as { groups: object[] }
    expect(of('PrometheusRule').map(({ spec }) => spec)).toEqual([rules])
    expect(JSON.stringify(rules)).toContain('job=\\"tributary\\"')
  })

  test('a name that Kubernetes would not take becomes one of its own', () => {
    const long = `erp-${'x'.repeat(56)}`
    const values = {
      declaration: PIPELINE.replaceAll(/\berp\b(?=:\n)/g, long).replaceAll('source: erp', `source: ${long}`),
    }
    const names = render(values).map(({ metadata }) => metadata.name)
    for (const name of names) expect(name).toMatch(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/)
    expect(names.some((name) => name.startsWith('shop-capture-erp-xxx'))).toBe(true)
  })
})
