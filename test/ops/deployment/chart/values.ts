import { readFileSync } from 'node:fs'
import { ROOT } from './render.ts'

/** The demo's declaration: three subscribers, critical and standard entities. */
export const DECLARATION = readFileSync(`${ROOT}tributary.yaml`, 'utf8')

const rule = (cidr: string, port: number) => [{ to: [{ ipBlock: { cidr } }], ports: [{ protocol: 'TCP', port }] }]

/** Everything that can be switched on, and something of everything that can be given. */
export const FULL = {
  declaration: DECLARATION,
  files: { 'transforms.ts': 'export const upper = (text: string) => text.toUpperCase()\n' },
  image: { repository: 'registry.example/tributary', tag: '0.1.0', pullPolicy: 'Always', command: ['node', 'main.ts'] },
  imagePullSecrets: [{ name: 'pull' }],
  env: { TRIBUTARY_KAFKA_BROKERS: 'kafka-0:9092,kafka-1:9092', TRIBUTARY_KAFKA_REPLICATION: 3 },
  secrets: ['tributary'],
  secretFiles: [
    { variable: 'ERP_URL', secret: 'erp', key: 'url' },
    { variable: 'WAREHOUSE_URL', secret: 'warehouse', key: 'url' },
  ],
  volumes: [{ name: 'blobs', persistentVolumeClaim: { claimName: 'blobs' } }],
  volumeMounts: [{ name: 'blobs', mountPath: '/blobs' }],
  logLevel: 'debug',
  port: 9999,
  serviceAccountName: 'tributary',
  podLabels: { team: 'integration' },
  podAnnotations: { 'sidecar.example/inject': 'false' },
  nodeSelector: { 'kubernetes.io/os': 'linux' },
  tolerations: [{ key: 'batch', operator: 'Exists' }],
  affinity: { nodeAffinity: {} },
  priorityClassName: 'high',
  sources: { erp: { replicas: 2, resources: { limits: { memory: '1Gi' } } } },
  subscribers: { crm: { replicas: 3, maxReplicas: 100 }, store: { replicas: 50 } },
  networkPolicy: {
    metricsFrom: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }],
    egress: {
      enabled: true,
      kafka: rule('10.0.1.0/24', 9092),
      registry: rule('10.0.2.0/24', 8081),
      redis: rule('10.0.3.0/24', 6379),
      sources: { erp: rule('10.0.4.0/24', 5432) },
      subscribers: {
        warehouse: rule('10.0.5.0/24', 5432),
        crm: rule('10.0.6.0/24', 443),
        store: rule('10.0.7.0/24', 443),
      },
    },
  },
  monitoring: { podMonitor: { enabled: true, labels: { release: 'prometheus' } }, rules: { enabled: true } },
  keda: { enabled: true, bootstrapServers: 'kafka-0:9092', authenticationRef: 'kafka' },
}
