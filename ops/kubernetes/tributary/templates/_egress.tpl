{{/*
What the pods of a component may reach, as JSON: { "rules": […] }
Takes (dict "root" $ "component" "capture-erp" "reaches" (list "kafka" …) "source" a name or "" "subscriber" a name or "").
*/}}
{{- define "tributary.egress" -}}
{{- $egress := .root.Values.networkPolicy.egress -}}
{{- $rules := $egress.dns -}}
{{- range .reaches -}}
{{- if and (not (get $egress .)) (ne . "blobs") -}}
{{- fail (printf "networkPolicy.egress.%s is empty, and %s could not reach it" . $.component) -}}
{{- end -}}
{{- $rules = concat $rules (get $egress .) -}}
{{- end -}}
{{- range .sources -}}
{{- if not (get $egress.sources .) -}}{{- fail (printf "networkPolicy.egress.sources.%s is empty, and %s could not reach it" . $.component) -}}{{- end -}}
{{- $rules = concat $rules (get $egress.sources .) -}}
{{- end -}}
{{- range .subscribers -}}
{{- if not (get $egress.subscribers .) -}}{{- fail (printf "networkPolicy.egress.subscribers.%s is empty, and %s could not reach it" . $.component) -}}{{- end -}}
{{- $rules = concat $rules (get $egress.subscribers .) -}}
{{- end -}}
{{- toJson (dict "rules" $rules) -}}
{{- end -}}

{{/*
The NetworkPolicy of a component.
Takes what "tributary.egress" does, "serves" whether it serves metrics, and "annotations".
*/}}
{{- define "tributary.networkPolicy" -}}
{{- $policy := .root.Values.networkPolicy -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "tributary.componentName" . }}
  labels: {{- include "tributary.labels" . | nindent 4 }}
  {{- with .annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  podSelector:
    matchLabels: {{- include "tributary.selector" . | nindent 6 }}
  policyTypes: {{ ternary (list "Ingress" "Egress") (list "Ingress") $policy.egress.enabled | toJson }}
  {{- if .serves }}
  ingress:
    - ports:
        - { protocol: TCP, port: metrics }
      {{- with $policy.metricsFrom }}
      from: {{- toYaml . | nindent 8 }}
      {{- end }}
  {{- else }}
  ingress: []
  {{- end }}
  {{- if $policy.egress.enabled }}
  egress: {{- toYaml (fromJson (include "tributary.egress" .)).rules | nindent 4 }}
  {{- end }}
{{- end -}}
