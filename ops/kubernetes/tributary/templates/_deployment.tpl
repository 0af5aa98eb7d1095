{{/*
The Deployment of a component.
Takes (dict "root" $ "component" "capture-erp" "command" (list …) "replicas" a number, or null where others set it "strategy" {…} "readiness"
a path "resources" {…}).
*/}}
{{- define "tributary.deployment" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "tributary.componentName" . }}
  labels: {{- include "tributary.labels" . | nindent 4 }}
spec:
  {{- if not (kindIs "invalid" .replicas) }}
  replicas: {{ .replicas }}
  {{- end }}
  revisionHistoryLimit: 3
  strategy: {{- toYaml .strategy | nindent 4 }}
  selector:
    matchLabels: {{- include "tributary.selector" . | nindent 6 }}
  template:
    metadata:
      labels:
        # No version: an upgrade of the chart alone starts nothing again.
        {{- include "tributary.selector" . | nindent 8 }}
        {{- with .root.Values.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      annotations:
        # A process reads its declaration once, so another one starts it again.
        checksum/declaration: {{ printf "%s%s" .root.Values.declaration (toJson .root.Values.files) | sha256sum }}
        {{- with .root.Values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      {{- $args := fromJsonArray (include "tributary.args" .) -}}
      {{- $declaration := include "tributary.componentName" (dict "root" .root "component" "declaration") -}}
      {{- include "tributary.podSpec" (merge (dict "args" $args "declaration" $declaration "serves" true "restartPolicy" "Always") .) | nindent 6 }}
{{- end -}}
