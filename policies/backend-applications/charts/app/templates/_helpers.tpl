{{- define "app.selector" -}}
app.kubernetes.io/name: {{ .Values.name }}
{{- end }}

{{- define "app.labels" -}}
{{ include "app.selector" . }}
app.kubernetes.io/part-of: {{ .Values.partOf }}
team: {{ .Values.team }}
{{- end }}

{{- define "app.metadata" -}}
name: {{ .Values.name }}
namespace: {{ .Values.namespace }}
labels:
  {{- include "app.labels" . | nindent 2 }}
{{- end }}
