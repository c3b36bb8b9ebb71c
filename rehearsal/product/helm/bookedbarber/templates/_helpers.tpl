{{- define "labels" -}}
app.kubernetes.io/name: {{ .component }}
app.kubernetes.io/part-of: bookedbarber
{{- end }}

{{- define "selector" -}}
app.kubernetes.io/name: {{ .component }}
{{- end }}

{{- define "podSecurity" -}}
automountServiceAccountToken: false
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .user }}
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{- define "spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: topology.kubernetes.io/zone
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "selector" . | nindent 8 }}
{{- end }}
