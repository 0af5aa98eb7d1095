{{/*
The pod of a component.
Takes (dict "root" $ "component" "capture-erp" "args" (list …) "resources" {…} "declaration" its ConfigMap "serves" whether it serves HTTP
"readiness" the path that tells whether it is ready "restartPolicy").
*/}}
{{- define "tributary.podSpec" -}}
{{- $values := .root.Values -}}
automountServiceAccountToken: false
# Kubernetes would set TRIBUTARY_KAFKA_PORT and the like for Services that happen to be called so.
enableServiceLinks: false
restartPolicy: {{ .restartPolicy }}
terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
{{- with $values.serviceAccountName }}
serviceAccountName: {{ . }}
{{- end }}
{{- with $values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- if .serves }}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "tributary.selector" $ | nindent 8 }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ $values.runAsUser }}
  runAsGroup: {{ $values.runAsGroup }}
  fsGroup: {{ $values.runAsGroup }}
  seccompProfile: { type: RuntimeDefault }
containers:
  - name: tributary
    image: {{ include "tributary.image" .root | quote }}
    imagePullPolicy: {{ $values.image.pullPolicy }}
    {{- with $values.image.command }}
    command: {{- toYaml . | nindent 6 }}
    {{- end }}
    args: {{- toYaml .args | nindent 6 }}
    {{- if or $values.env $values.secretFiles }}
    env:
      {{- range $name, $value := $values.env }}
      - { name: {{ $name }}, value: {{ $value | quote }} }
      {{- end }}
      {{- range $values.secretFiles }}
      - { name: {{ .variable }}_FILE, value: /etc/tributary-secrets/{{ .variable }} }
      {{- end }}
    {{- end }}
    {{- with $values.secrets }}
    envFrom:
      {{- range . }}
      - secretRef: { name: {{ . }} }
      {{- end }}
    {{- end }}
    {{- if .serves }}
    ports:
      - { name: metrics, containerPort: {{ $values.port }} }
    # A minute for a slow node. A first snapshot, a sweep or a subscriber that is away may last for hours: they do not count here.
    startupProbe:
      httpGet: { path: /healthz, port: metrics }
      periodSeconds: 2
      failureThreshold: 30
    # Only whether the process lives. Were it /readyz, an outage of Kafka would have every pod restarted over and over.
    livenessProbe:
      httpGet: { path: /healthz, port: metrics }
      periodSeconds: 10
      timeoutSeconds: 5
      failureThreshold: 6
    # No Service leads here: it only tells a rollout and a disruption budget how many work.
    readinessProbe:
      httpGet: { path: {{ .readiness }}, port: metrics }
      periodSeconds: 5
      timeoutSeconds: 5
      failureThreshold: 2
    {{- end }}
    resources: {{- toYaml .resources | nindent 6 }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: { drop: [ALL] }
    volumeMounts:
      - { name: declaration, mountPath: /etc/tributary, readOnly: true }
      {{- if $values.secretFiles }}
      - { name: secrets, mountPath: /etc/tributary-secrets, readOnly: true }
      {{- end }}
      {{- with $values.volumeMounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
volumes:
  - name: declaration
    configMap: { name: {{ .declaration }} }
  {{- if $values.secretFiles }}
  - name: secrets
    projected:
      defaultMode: 0440
      sources:
        {{- range $values.secretFiles }}
        - secret:
            name: {{ .secret }}
            items:
              - { key: {{ .key }}, path: {{ .variable }} }
        {{- end }}
  {{- end }}
  {{- with $values.volumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* What every process that goes on is started with. Takes (dict "root" $ "command" (list "capture" "erp")). */}}
{{- define "tributary.args" -}}
{{- $values := .root.Values -}}
{{- $flags := list "--file" "/etc/tributary/tributary.yaml" "--host" "0.0.0.0" "--port" (toString $values.port) "--log-level" $values.logLevel -}}
{{- toJson (concat .command $flags) -}}
{{- end -}}
