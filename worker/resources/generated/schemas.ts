// Made by worker/resources/generate/main.ts; do not edit. How to read a line: worker/resources/schemas.ts.
/** Of the table below: what depends on it alone has this for its version. */
export const TABLE_DIGEST = 'D2CFF61AC9B70982E35C555B5DBDEF7CAE3C9AAC5FFF145E642BB1D60727A09E';
/** Every message of the Kubernetes API: fields, wire numbers, types, required marks and merge rules. */
export const TABLE = `! map=atomic
! list=map keys=name patch=merge mergeKey=name
! list=set
! list=map keys=type
! list=map keys=type patch=merge mergeKey=type
! patch=retainKeys
! list=atomic patch=merge mergeKey=type
! list=map keys=containerPort,protocol patch=merge mergeKey=containerPort
! list=map keys=mountPath patch=merge mergeKey=mountPath
! list=map keys=devicePath patch=merge mergeKey=devicePath
! list=set patch=merge
! map=granular
! list=map keys=name patch=merge,retainKeys mergeKey=name
! list=map keys=ip patch=merge mergeKey=ip
! list=map keys=topologyKey,whenUnsatisfiable patch=merge mergeKey=topologyKey
! list=atomic patch=merge mergeKey=ip
! list=map keys=name
! list=map keys=resourceID
! list=map keys=port,protocol patch=merge mergeKey=port
! patch=replace
! list=map keys=uid patch=merge mergeKey=uid
! list=map keys=driver,device,pool,shareID
! list=map keys=rule patch=merge mergeKey=rule
# io.k8s.api.admission.v1 -
AdmissionRequest uid:1s kind:2apimachinery.pkg.apis.meta.v1.GroupVersionKind resource:3apimachinery.pkg.apis.meta.v1.GroupVersionResource subResource:4s name:5s namespace:6s operation:7s userInfo:8api.authentication.v1.UserInfo object:9apimachinery.pkg.runtime.RawExtension oldObject:10apimachinery.pkg.runtime.RawExtension dryRun:11b options:12apimachinery.pkg.runtime.RawExtension requestKind:13apimachinery.pkg.apis.meta.v1.GroupVersionKind requestResource:14apimachinery.pkg.apis.meta.v1.GroupVersionResource requestSubResource:15s
AdmissionResponse uid:1s allowed:2b status:3apimachinery.pkg.apis.meta.v1.Status patch:4y patchType:5s auditAnnotations:6s{} warnings:7s[]
AdmissionReview request:1AdmissionRequest response:2AdmissionResponse
# io.k8s.api.admissionregistration.v1 admissionregistration.k8s.io/v1
ApplyConfiguration expression:1s
AuditAnnotation key:1s! valueExpression:2s!
ExpressionWarning fieldRef:2s! warning:3s!
JSONPatch expression:1s
MatchCondition name:1s! expression:2s!
MatchResources@0 namespaceSelector:1apimachinery.pkg.apis.meta.v1.LabelSelector objectSelector:2apimachinery.pkg.apis.meta.v1.LabelSelector resourceRules:3NamedRuleWithOperations[] excludeResourceRules:4NamedRuleWithOperations[] matchPolicy:7s
MutatingAdmissionPolicy* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2MutatingAdmissionPolicySpec
MutatingAdmissionPolicyBinding* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2MutatingAdmissionPolicyBindingSpec
MutatingAdmissionPolicyBindingList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2MutatingAdmissionPolicyBinding[]!
MutatingAdmissionPolicyBindingSpec policyName:1s paramRef:2ParamRef matchResources:3MatchResources
MutatingAdmissionPolicyList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2MutatingAdmissionPolicy[]!
MutatingAdmissionPolicySpec paramKind:1ParamKind matchConstraints:2MatchResources variables:3Variable[] mutations:4Mutation[] failurePolicy:5s matchConditions:6MatchCondition[]@1 reinvocationPolicy:7s
MutatingWebhook name:1s! clientConfig:2WebhookClientConfig! rules:3RuleWithOperations[] failurePolicy:4s namespaceSelector:5apimachinery.pkg.apis.meta.v1.LabelSelector sideEffects:6s! timeoutSeconds:7i admissionReviewVersions:8s[]! matchPolicy:9s reinvocationPolicy:10s objectSelector:11apimachinery.pkg.apis.meta.v1.LabelSelector matchConditions:12MatchCondition[]@1
MutatingWebhookConfiguration* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta webhooks:2MutatingWebhook[]@1
MutatingWebhookConfigurationList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2MutatingWebhookConfiguration[]!
Mutation patchType:2s! applyConfiguration:3ApplyConfiguration jsonPatch:4JSONPatch
NamedRuleWithOperations@0 resourceNames:1s[] ruleWithOperations:2RuleWithOperations~
ParamKind@0 apiVersion:1s kind:2s
ParamRef@0 name:1s namespace:2s selector:3apimachinery.pkg.apis.meta.v1.LabelSelector parameterNotFoundAction:4s
Rule apiGroups:1s[] apiVersions:2s[] resources:3s[] scope:4s
RuleWithOperations operations:1s[] rule:2Rule~
ServiceReference namespace:1s! name:2s! path:3s port:4i
TypeChecking expressionWarnings:1ExpressionWarning[]
ValidatingAdmissionPolicy* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2ValidatingAdmissionPolicySpec status:3ValidatingAdmissionPolicyStatus
ValidatingAdmissionPolicyBinding* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2ValidatingAdmissionPolicyBindingSpec!
ValidatingAdmissionPolicyBindingList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2ValidatingAdmissionPolicyBinding[]!
ValidatingAdmissionPolicyBindingSpec policyName:1s! paramRef:2ParamRef matchResources:3MatchResources validationActions:4s[]!@2
ValidatingAdmissionPolicyList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2ValidatingAdmissionPolicy[]!
ValidatingAdmissionPolicySpec paramKind:1ParamKind matchConstraints:2MatchResources validations:3Validation[] failurePolicy:4s auditAnnotations:5AuditAnnotation[] matchConditions:6MatchCondition[]@1 variables:7Variable[]@1
ValidatingAdmissionPolicyStatus observedGeneration:1l typeChecking:2TypeChecking conditions:3apimachinery.pkg.apis.meta.v1.Condition[]@3
ValidatingWebhook name:1s! clientConfig:2WebhookClientConfig! rules:3RuleWithOperations[] failurePolicy:4s namespaceSelector:5apimachinery.pkg.apis.meta.v1.LabelSelector sideEffects:6s! timeoutSeconds:7i admissionReviewVersions:8s[]! matchPolicy:9s objectSelector:10apimachinery.pkg.apis.meta.v1.LabelSelector matchConditions:11MatchCondition[]@1
ValidatingWebhookConfiguration* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta webhooks:2ValidatingWebhook[]@1
ValidatingWebhookConfigurationList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2ValidatingWebhookConfiguration[]!
Validation expression:1s! message:2s reason:3s messageExpression:4s
Variable@0 name:1s! expression:2s!
WebhookClientConfig service:1ServiceReference caBundle:2y url:3s
# io.k8s.api.apps.v1 apps/v1
ControllerRevision* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta data:2apimachinery.pkg.runtime.RawExtension revision:3l!
ControllerRevisionList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2ControllerRevision[]!
DaemonSet* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2DaemonSetSpec status:3DaemonSetStatus
DaemonSetCondition type:1s! status:2s! lastTransitionTime:3apimachinery.pkg.apis.meta.v1.Time reason:4s message:5s
DaemonSetList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2DaemonSet[]!
DaemonSetSpec selector:1apimachinery.pkg.apis.meta.v1.LabelSelector! template:2api.core.v1.PodTemplateSpec! updateStrategy:3DaemonSetUpdateStrategy minReadySeconds:4i revisionHistoryLimit:6i
DaemonSetStatus currentNumberScheduled:1i! numberMisscheduled:2i! desiredNumberScheduled:3i! numberReady:4i! observedGeneration:5l updatedNumberScheduled:6i numberAvailable:7i numberUnavailable:8i collisionCount:9i conditions:10DaemonSetCondition[]@4
DaemonSetUpdateStrategy type:1s rollingUpdate:2RollingUpdateDaemonSet
Deployment* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2DeploymentSpec status:3DeploymentStatus
DeploymentCondition type:1s! status:2s! reason:4s message:5s lastUpdateTime:6apimachinery.pkg.apis.meta.v1.Time lastTransitionTime:7apimachinery.pkg.apis.meta.v1.Time
DeploymentList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2Deployment[]!
DeploymentSpec replicas:1i selector:2apimachinery.pkg.apis.meta.v1.LabelSelector! template:3api.core.v1.PodTemplateSpec! strategy:4DeploymentStrategy@5 minReadySeconds:5i revisionHistoryLimit:6i paused:7b progressDeadlineSeconds:9i
DeploymentStatus observedGeneration:1l replicas:2i updatedReplicas:3i availableReplicas:4i unavailableReplicas:5i conditions:6DeploymentCondition[]@4 readyReplicas:7i collisionCount:8i terminatingReplicas:9i
DeploymentStrategy type:1s rollingUpdate:2RollingUpdateDeployment
ReplicaSet* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2ReplicaSetSpec status:3ReplicaSetStatus
ReplicaSetCondition type:1s! status:2s! lastTransitionTime:3apimachinery.pkg.apis.meta.v1.Time reason:4s message:5s
ReplicaSetList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2ReplicaSet[]!
ReplicaSetSpec replicas:1i selector:2apimachinery.pkg.apis.meta.v1.LabelSelector! template:3api.core.v1.PodTemplateSpec minReadySeconds:4i
ReplicaSetStatus replicas:1i! fullyLabeledReplicas:2i observedGeneration:3l readyReplicas:4i availableReplicas:5i conditions:6ReplicaSetCondition[]@4 terminatingReplicas:7i
RollingUpdateDaemonSet maxUnavailable:1apimachinery.pkg.util.intstr.IntOrString maxSurge:2apimachinery.pkg.util.intstr.IntOrString
RollingUpdateDeployment maxUnavailable:1apimachinery.pkg.util.intstr.IntOrString maxSurge:2apimachinery.pkg.util.intstr.IntOrString
RollingUpdateStatefulSetStrategy partition:1i maxUnavailable:2apimachinery.pkg.util.intstr.IntOrString
StatefulSet* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2StatefulSetSpec status:3StatefulSetStatus
StatefulSetCondition type:1s! status:2s! lastTransitionTime:3apimachinery.pkg.apis.meta.v1.Time reason:4s message:5s
StatefulSetList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2StatefulSet[]!
StatefulSetOrdinals start:1i
StatefulSetPersistentVolumeClaimRetentionPolicy whenDeleted:1s whenScaled:2s
StatefulSetSpec replicas:1i selector:2apimachinery.pkg.apis.meta.v1.LabelSelector! template:3api.core.v1.PodTemplateSpec! volumeClaimTemplates:4api.core.v1.PersistentVolumeClaim[] serviceName:5s podManagementPolicy:6s updateStrategy:7StatefulSetUpdateStrategy revisionHistoryLimit:8i minReadySeconds:9i persistentVolumeClaimRetentionPolicy:10StatefulSetPersistentVolumeClaimRetentionPolicy ordinals:11StatefulSetOrdinals
StatefulSetStatus observedGeneration:1l replicas:2i! readyReplicas:3i currentReplicas:4i updatedReplicas:5i currentRevision:6s updateRevision:7s collisionCount:9i conditions:10StatefulSetCondition[]@4 availableReplicas:11i
StatefulSetUpdateStrategy type:1s rollingUpdate:2RollingUpdateStatefulSetStrategy
# io.k8s.api.authentication.v1 authentication.k8s.io/v1
BoundObjectReference kind:1s apiVersion:2s name:3s uid:4s
ExtraValue items:1s[]
SelfSubjectReview* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta status:2SelfSubjectReviewStatus
SelfSubjectReviewStatus userInfo:1UserInfo
TokenRequest* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2TokenRequestSpec status:3TokenRequestStatus
TokenRequestSpec audiences:1s[] boundObjectRef:3BoundObjectReference expirationSeconds:4l
TokenRequestStatus token:1s expirationTimestamp:2apimachinery.pkg.apis.meta.v1.Time
TokenReview* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2TokenReviewSpec! status:3TokenReviewStatus
TokenReviewSpec token:1s! audiences:2s[]
TokenReviewStatus authenticated:1b user:2UserInfo error:3s audiences:4s[]
UserInfo username:1s uid:2s groups:3s[] extra:4ExtraValue{}
# io.k8s.api.authorization.v1 authorization.k8s.io/v1
ExtraValue items:1s[]
FieldSelectorAttributes rawSelector:1s requirements:2apimachinery.pkg.apis.meta.v1.FieldSelectorRequirement[]
LabelSelectorAttributes rawSelector:1s requirements:2apimachinery.pkg.apis.meta.v1.LabelSelectorRequirement[]
LocalSubjectAccessReview* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2SubjectAccessReviewSpec! status:3SubjectAccessReviewStatus
NonResourceAttributes path:1s verb:2s
NonResourceRule verbs:1s[]! nonResourceURLs:2s[]
ResourceAttributes namespace:1s verb:2s group:3s version:4s resource:5s subresource:6s name:7s fieldSelector:8FieldSelectorAttributes labelSelector:9LabelSelectorAttributes
ResourceRule verbs:1s[]! apiGroups:2s[] resources:3s[] resourceNames:4s[]
SelfSubjectAccessReview* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2SelfSubjectAccessReviewSpec! status:3SubjectAccessReviewStatus
SelfSubjectAccessReviewSpec resourceAttributes:1ResourceAttributes nonResourceAttributes:2NonResourceAttributes
SelfSubjectRulesReview* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2SelfSubjectRulesReviewSpec! status:3SubjectRulesReviewStatus
SelfSubjectRulesReviewSpec namespace:1s
SubjectAccessReview* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2SubjectAccessReviewSpec! status:3SubjectAccessReviewStatus
SubjectAccessReviewSpec resourceAttributes:1ResourceAttributes nonResourceAttributes:2NonResourceAttributes user:3s groups:4s[] extra:5ExtraValue{} uid:6s
SubjectAccessReviewStatus allowed:1b! reason:2s evaluationError:3s denied:4b
SubjectRulesReviewStatus resourceRules:1ResourceRule[]! nonResourceRules:2NonResourceRule[]! incomplete:3b! evaluationError:4s
# io.k8s.api.autoscaling.v1 autoscaling/v1
ContainerResourceMetricSource name:1s targetAverageUtilization:2i targetAverageValue:3apimachinery.pkg.api.resource.Quantity container:5s
ContainerResourceMetricStatus name:1s currentAverageUtilization:2i currentAverageValue:3apimachinery.pkg.api.resource.Quantity container:4s
CrossVersionObjectReference@0 kind:1s! name:2s! apiVersion:3s
ExternalMetricSource metricName:1s metricSelector:2apimachinery.pkg.apis.meta.v1.LabelSelector targetValue:3apimachinery.pkg.api.resource.Quantity targetAverageValue:4apimachinery.pkg.api.resource.Quantity
ExternalMetricStatus metricName:1s metricSelector:2apimachinery.pkg.apis.meta.v1.LabelSelector currentValue:3apimachinery.pkg.api.resource.Quantity currentAverageValue:4apimachinery.pkg.api.resource.Quantity
HorizontalPodAutoscaler* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2HorizontalPodAutoscalerSpec! status:3HorizontalPodAutoscalerStatus
HorizontalPodAutoscalerCondition type:1s status:2s lastTransitionTime:3apimachinery.pkg.apis.meta.v1.Time reason:4s message:5s
HorizontalPodAutoscalerList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2HorizontalPodAutoscaler[]!
HorizontalPodAutoscalerSpec scaleTargetRef:1CrossVersionObjectReference! minReplicas:2i maxReplicas:3i! targetCPUUtilizationPercentage:4i
HorizontalPodAutoscalerStatus observedGeneration:1l lastScaleTime:2apimachinery.pkg.apis.meta.v1.Time currentReplicas:3i! desiredReplicas:4i! currentCPUUtilizationPercentage:5i
MetricSpec type:1s object:2ObjectMetricSource pods:3PodsMetricSource resource:4ResourceMetricSource external:5ExternalMetricSource containerResource:7ContainerResourceMetricSource
MetricStatus type:1s object:2ObjectMetricStatus pods:3PodsMetricStatus resource:4ResourceMetricStatus external:5ExternalMetricStatus containerResource:7ContainerResourceMetricStatus
ObjectMetricSource target:1CrossVersionObjectReference metricName:2s targetValue:3apimachinery.pkg.api.resource.Quantity selector:4apimachinery.pkg.apis.meta.v1.LabelSelector averageValue:5apimachinery.pkg.api.resource.Quantity
ObjectMetricStatus target:1CrossVersionObjectReference metricName:2s currentValue:3apimachinery.pkg.api.resource.Quantity selector:4apimachinery.pkg.apis.meta.v1.LabelSelector averageValue:5apimachinery.pkg.api.resource.Quantity
PodsMetricSource metricName:1s targetAverageValue:2apimachinery.pkg.api.resource.Quantity selector:3apimachinery.pkg.apis.meta.v1.LabelSelector
PodsMetricStatus metricName:1s currentAverageValue:2apimachinery.pkg.api.resource.Quantity selector:3apimachinery.pkg.apis.meta.v1.LabelSelector
ResourceMetricSource name:1s targetAverageUtilization:2i targetAverageValue:3apimachinery.pkg.api.resource.Quantity
ResourceMetricStatus name:1s currentAverageUtilization:2i currentAverageValue:3apimachinery.pkg.api.resource.Quantity
Scale* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2ScaleSpec status:3ScaleStatus
ScaleSpec replicas:1i
ScaleStatus replicas:1i! selector:2s
# io.k8s.api.autoscaling.v2 autoscaling/v2
ContainerResourceMetricSource name:1s! target:2MetricTarget! container:3s!
ContainerResourceMetricStatus name:1s! current:2MetricValueStatus! container:3s!
CrossVersionObjectReference kind:1s! name:2s! apiVersion:3s
ExternalMetricSource metric:1MetricIdentifier! target:2MetricTarget!
ExternalMetricStatus metric:1MetricIdentifier! current:2MetricValueStatus!
HPAScalingPolicy type:1s! value:2i! periodSeconds:3i!
HPAScalingRules selectPolicy:1s policies:2HPAScalingPolicy[] stabilizationWindowSeconds:3i tolerance:4apimachinery.pkg.api.resource.Quantity
HorizontalPodAutoscaler* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2HorizontalPodAutoscalerSpec! status:3HorizontalPodAutoscalerStatus
HorizontalPodAutoscalerBehavior scaleUp:1HPAScalingRules scaleDown:2HPAScalingRules
HorizontalPodAutoscalerCondition type:1s! status:2s! lastTransitionTime:3apimachinery.pkg.apis.meta.v1.Time reason:4s message:5s
HorizontalPodAutoscalerList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2HorizontalPodAutoscaler[]!
HorizontalPodAutoscalerSpec scaleTargetRef:1CrossVersionObjectReference! minReplicas:2i maxReplicas:3i! metrics:4MetricSpec[] behavior:5HorizontalPodAutoscalerBehavior
HorizontalPodAutoscalerStatus observedGeneration:1l lastScaleTime:2apimachinery.pkg.apis.meta.v1.Time currentReplicas:3i desiredReplicas:4i! currentMetrics:5MetricStatus[] conditions:6HorizontalPodAutoscalerCondition[]@4
MetricIdentifier name:1s! selector:2apimachinery.pkg.apis.meta.v1.LabelSelector
MetricSpec type:1s! object:2ObjectMetricSource pods:3PodsMetricSource resource:4ResourceMetricSource external:5ExternalMetricSource containerResource:7ContainerResourceMetricSource
MetricStatus type:1s! object:2ObjectMetricStatus pods:3PodsMetricStatus resource:4ResourceMetricStatus external:5ExternalMetricStatus containerResource:7ContainerResourceMetricStatus
MetricTarget type:1s! value:2apimachinery.pkg.api.resource.Quantity averageValue:3apimachinery.pkg.api.resource.Quantity averageUtilization:4i
MetricValueStatus value:1apimachinery.pkg.api.resource.Quantity averageValue:2apimachinery.pkg.api.resource.Quantity averageUtilization:3i
ObjectMetricSource describedObject:1CrossVersionObjectReference! target:2MetricTarget! metric:3MetricIdentifier!
ObjectMetricStatus metric:1MetricIdentifier! current:2MetricValueStatus! describedObject:3CrossVersionObjectReference!
PodsMetricSource metric:1MetricIdentifier! target:2MetricTarget!
PodsMetricStatus metric:1MetricIdentifier! current:2MetricValueStatus!
ResourceMetricSource name:1s! target:2MetricTarget!
ResourceMetricStatus name:1s! current:2MetricValueStatus!
# io.k8s.api.batch.v1 batch/v1
CronJob* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2CronJobSpec! status:3CronJobStatus
CronJobList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2CronJob[]!
CronJobSpec schedule:1s! startingDeadlineSeconds:2l concurrencyPolicy:3s suspend:4b jobTemplate:5JobTemplateSpec! successfulJobsHistoryLimit:6i failedJobsHistoryLimit:7i timeZone:8s
CronJobStatus active:1api.core.v1.ObjectReference[] lastScheduleTime:4apimachinery.pkg.apis.meta.v1.Time lastSuccessfulTime:5apimachinery.pkg.apis.meta.v1.Time
Job* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2JobSpec status:3JobStatus
JobCondition type:1s! status:2s! lastProbeTime:3apimachinery.pkg.apis.meta.v1.Time lastTransitionTime:4apimachinery.pkg.apis.meta.v1.Time reason:5s message:6s
JobList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2Job[]!
JobSpec parallelism:1i completions:2i activeDeadlineSeconds:3l selector:4apimachinery.pkg.apis.meta.v1.LabelSelector manualSelector:5b template:6api.core.v1.PodTemplateSpec! backoffLimit:7i ttlSecondsAfterFinished:8i completionMode:9s suspend:10b podFailurePolicy:11PodFailurePolicy backoffLimitPerIndex:12i maxFailedIndexes:13i podReplacementPolicy:14s managedBy:15s successPolicy:16SuccessPolicy
JobStatus conditions:1JobCondition[]@6 startTime:2apimachinery.pkg.apis.meta.v1.Time completionTime:3apimachinery.pkg.apis.meta.v1.Time active:4i succeeded:5i failed:6i completedIndexes:7s uncountedTerminatedPods:8UncountedTerminatedPods ready:9i failedIndexes:10s terminating:11i
JobTemplateSpec metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2JobSpec
PodFailurePolicy rules:1PodFailurePolicyRule[]!
PodFailurePolicyOnExitCodesRequirement containerName:1s operator:2s! values:3i[]!@2
PodFailurePolicyOnPodConditionsPattern type:1s! status:2s
PodFailurePolicyRule action:1s! onExitCodes:2PodFailurePolicyOnExitCodesRequirement onPodConditions:3PodFailurePolicyOnPodConditionsPattern[]
SuccessPolicy rules:1SuccessPolicyRule[]!
SuccessPolicyRule succeededIndexes:1s succeededCount:2i
UncountedTerminatedPods succeeded:1s[]@2 failed:2s[]@2
# io.k8s.api.certificates.v1 certificates.k8s.io/v1
CertificateSigningRequest* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2CertificateSigningRequestSpec! status:3CertificateSigningRequestStatus
CertificateSigningRequestCondition type:1s! reason:2s message:3s lastUpdateTime:4apimachinery.pkg.apis.meta.v1.Time lastTransitionTime:5apimachinery.pkg.apis.meta.v1.Time status:6s!
CertificateSigningRequestList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2CertificateSigningRequest[]!
CertificateSigningRequestSpec request:1y! username:2s uid:3s groups:4s[] usages:5s[] extra:6ExtraValue{} signerName:7s! expirationSeconds:8i
CertificateSigningRequestStatus conditions:1CertificateSigningRequestCondition[]@3 certificate:2y
ExtraValue items:1s[]
# io.k8s.api.coordination.v1 coordination.k8s.io/v1
Lease* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2LeaseSpec
LeaseList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2Lease[]!
LeaseSpec holderIdentity:1s leaseDurationSeconds:2i acquireTime:3apimachinery.pkg.apis.meta.v1.MicroTime renewTime:4apimachinery.pkg.apis.meta.v1.MicroTime leaseTransitions:5i strategy:6s preferredHolder:7s
# io.k8s.api.core.v1 v1
AWSElasticBlockStoreVolumeSource volumeID:1s! fsType:2s partition:3i readOnly:4b
Affinity nodeAffinity:1NodeAffinity podAffinity:2PodAffinity podAntiAffinity:3PodAntiAffinity
AppArmorProfile type:1s! localhostProfile:2s
AttachedVolume name:1s! devicePath:2s!
AvoidPods preferAvoidPods:1PreferAvoidPodsEntry[]
AzureDiskVolumeSource diskName:1s! diskURI:2s! cachingMode:3s fsType:4s readOnly:5b kind:6s
AzureFilePersistentVolumeSource secretName:1s! shareName:2s! readOnly:3b secretNamespace:4s
AzureFileVolumeSource secretName:1s! shareName:2s! readOnly:3b
Binding* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta target:2ObjectReference!
CSIPersistentVolumeSource driver:1s! volumeHandle:2s! readOnly:3b fsType:4s volumeAttributes:5s{} controllerPublishSecretRef:6SecretReference nodeStageSecretRef:7SecretReference nodePublishSecretRef:8SecretReference controllerExpandSecretRef:9SecretReference nodeExpandSecretRef:10SecretReference
CSIVolumeSource driver:1s! readOnly:2b fsType:3s volumeAttributes:4s{} nodePublishSecretRef:5LocalObjectReference
Capabilities add:1s[] drop:2s[]
CephFSPersistentVolumeSource monitors:1s[]! path:2s user:3s secretFile:4s secretRef:5SecretReference readOnly:6b
CephFSVolumeSource monitors:1s[]! path:2s user:3s secretFile:4s secretRef:5LocalObjectReference readOnly:6b
CinderPersistentVolumeSource volumeID:1s! fsType:2s readOnly:3b secretRef:4SecretReference
CinderVolumeSource volumeID:1s! fsType:2s readOnly:3b secretRef:4LocalObjectReference
ClientIPConfig timeoutSeconds:1i
ClusterTrustBundleProjection name:1s signerName:2s labelSelector:3apimachinery.pkg.apis.meta.v1.LabelSelector path:4s! optional:5b
ComponentCondition type:1s! status:2s! message:3s error:4s
ComponentStatus* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta conditions:2ComponentCondition[]@4
ComponentStatusList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2ComponentStatus[]!
ConfigMap* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta data:2s{} binaryData:3y{} immutable:4b
ConfigMapEnvSource localObjectReference:1LocalObjectReference~ optional:2b
ConfigMapKeySelector@0 localObjectReference:1LocalObjectReference~ key:2s! optional:3b
ConfigMapList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2ConfigMap[]!
ConfigMapNodeConfigSource namespace:1s! name:2s! uid:3s resourceVersion:4s kubeletConfigKey:5s!
ConfigMapProjection localObjectReference:1LocalObjectReference~ items:2KeyToPath[] optional:4b
ConfigMapVolumeSource localObjectReference:1LocalObjectReference~ items:2KeyToPath[] defaultMode:3i optional:4b
Container name:1s! image:2s command:3s[] args:4s[] workingDir:5s ports:6ContainerPort[]@7 env:7EnvVar[]@1 resources:8ResourceRequirements volumeMounts:9VolumeMount[]@8 livenessProbe:10Probe readinessProbe:11Probe lifecycle:12Lifecycle terminationMessagePath:13s imagePullPolicy:14s securityContext:15SecurityContext stdin:16b stdinOnce:17b tty:18b envFrom:19EnvFromSource[] terminationMessagePolicy:20s volumeDevices:21VolumeDevice[]@9 startupProbe:22Probe resizePolicy:23ContainerResizePolicy[] restartPolicy:24s restartPolicyRules:25ContainerRestartRule[]
ContainerExtendedResourceRequest containerName:1s! resourceName:2s! requestName:3s!
ContainerImage names:1s[] sizeBytes:2l
ContainerPort name:1s hostPort:2i containerPort:3i! protocol:4s hostIP:5s
ContainerResizePolicy resourceName:1s! restartPolicy:2s!
ContainerRestartRule action:1s! exitCodes:2ContainerRestartRuleOnExitCodes
ContainerRestartRuleOnExitCodes operator:1s! values:2i[]@2
ContainerState waiting:1ContainerStateWaiting running:2ContainerStateRunning terminated:3ContainerStateTerminated
ContainerStateRunning startedAt:1apimachinery.pkg.apis.meta.v1.Time
ContainerStateTerminated exitCode:1i! signal:2i reason:3s message:4s startedAt:5apimachinery.pkg.apis.meta.v1.Time finishedAt:6apimachinery.pkg.apis.meta.v1.Time containerID:7s
ContainerStateWaiting reason:1s message:2s
ContainerStatus name:1s! state:2ContainerState lastState:3ContainerState ready:4b! restartCount:5i! image:6s! imageID:7s! containerID:8s started:9b allocatedResources:10apimachinery.pkg.api.resource.Quantity{} resources:11ResourceRequirements volumeMounts:12VolumeMountStatus[]@8 user:13ContainerUser allocatedResourcesStatus:14ResourceStatus[]@1 stopSignal:15s
ContainerUser linux:1LinuxContainerUser
DaemonEndpoint Port:1i!
DownwardAPIProjection items:1DownwardAPIVolumeFile[]
DownwardAPIVolumeFile path:1s! fieldRef:2ObjectFieldSelector resourceFieldRef:3ResourceFieldSelector mode:4i
DownwardAPIVolumeSource items:1DownwardAPIVolumeFile[] defaultMode:2i
EmptyDirVolumeSource medium:1s sizeLimit:2apimachinery.pkg.api.resource.Quantity
EndpointAddress@0 ip:1s! targetRef:2ObjectReference hostname:3s nodeName:4s
EndpointPort@0 name:1s port:2i! protocol:3s appProtocol:4s
EndpointSubset addresses:1EndpointAddress[] notReadyAddresses:2EndpointAddress[] ports:3EndpointPort[]
Endpoints* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta subsets:2EndpointSubset[]
EndpointsList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2Endpoints[]!
EnvFromSource prefix:1s configMapRef:2ConfigMapEnvSource secretRef:3SecretEnvSource
EnvVar name:1s! value:2s valueFrom:3EnvVarSource
EnvVarSource fieldRef:1ObjectFieldSelector resourceFieldRef:2ResourceFieldSelector configMapKeyRef:3ConfigMapKeySelector secretKeyRef:4SecretKeySelector fileKeyRef:5FileKeySelector
EphemeralContainer ephemeralContainerCommon:1EphemeralContainerCommon~ targetContainerName:2s
EphemeralContainerCommon name:1s! image:2s command:3s[] args:4s[] workingDir:5s ports:6ContainerPort[]@7 env:7EnvVar[]@1 resources:8ResourceRequirements volumeMounts:9VolumeMount[]@8 livenessProbe:10Probe readinessProbe:11Probe lifecycle:12Lifecycle terminationMessagePath:13s imagePullPolicy:14s securityContext:15SecurityContext stdin:16b stdinOnce:17b tty:18b envFrom:19EnvFromSource[] terminationMessagePolicy:20s volumeDevices:21VolumeDevice[]@9 startupProbe:22Probe resizePolicy:23ContainerResizePolicy[] restartPolicy:24s restartPolicyRules:25ContainerRestartRule[]
EphemeralVolumeSource volumeClaimTemplate:1PersistentVolumeClaimTemplate
Event* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta! involvedObject:2ObjectReference! reason:3s message:4s source:5EventSource firstTimestamp:6apimachinery.pkg.apis.meta.v1.Time lastTimestamp:7apimachinery.pkg.apis.meta.v1.Time count:8i type:9s eventTime:10apimachinery.pkg.apis.meta.v1.MicroTime series:11EventSeries action:12s related:13ObjectReference reportingComponent:14s reportingInstance:15s
EventList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2Event[]!
EventSeries count:1i lastObservedTime:2apimachinery.pkg.apis.meta.v1.MicroTime
EventSource component:1s host:2s
ExecAction command:1s[]
FCVolumeSource targetWWNs:1s[] lun:2i fsType:3s readOnly:4b wwids:5s[]
FileKeySelector@0 volumeName:1s! path:2s! key:3s! optional:4b
FlexPersistentVolumeSource driver:1s! fsType:2s secretRef:3SecretReference readOnly:4b options:5s{}
FlexVolumeSource driver:1s! fsType:2s secretRef:3LocalObjectReference readOnly:4b options:5s{}
FlockerVolumeSource datasetName:1s datasetUUID:2s
GCEPersistentDiskVolumeSource pdName:1s! fsType:2s partition:3i readOnly:4b
GRPCAction port:1i! service:2s
GitRepoVolumeSource repository:1s! revision:2s directory:3s
GlusterfsPersistentVolumeSource endpoints:1s! path:2s! readOnly:3b endpointsNamespace:4s
GlusterfsVolumeSource endpoints:1s! path:2s! readOnly:3b
HTTPGetAction path:1s port:2apimachinery.pkg.util.intstr.IntOrString! host:3s scheme:4s httpHeaders:5HTTPHeader[]
HTTPHeader name:1s! value:2s!
HostAlias ip:1s! hostnames:2s[]
HostIP ip:1s!
HostPathVolumeSource path:1s! type:2s
ISCSIPersistentVolumeSource targetPortal:1s! iqn:2s! lun:3i! iscsiInterface:4s fsType:5s readOnly:6b portals:7s[] chapAuthDiscovery:8b secretRef:10SecretReference chapAuthSession:11b initiatorName:12s
ISCSIVolumeSource targetPortal:1s! iqn:2s! lun:3i! iscsiInterface:4s fsType:5s readOnly:6b portals:7s[] chapAuthDiscovery:8b secretRef:10LocalObjectReference chapAuthSession:11b initiatorName:12s
ImageVolumeSource reference:1s pullPolicy:2s
ImageVolumeStatus imageRef:1s!
KeyToPath key:1s! path:2s! mode:3i
Lifecycle postStart:1LifecycleHandler preStop:2LifecycleHandler stopSignal:3s
LifecycleHandler exec:1ExecAction httpGet:2HTTPGetAction tcpSocket:3TCPSocketAction sleep:4SleepAction
LimitRange* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2LimitRangeSpec
LimitRangeItem type:1s! max:2apimachinery.pkg.api.resource.Quantity{} min:3apimachinery.pkg.api.resource.Quantity{} default:4apimachinery.pkg.api.resource.Quantity{} defaultRequest:5apimachinery.pkg.api.resource.Quantity{} maxLimitRequestRatio:6apimachinery.pkg.api.resource.Quantity{}
LimitRangeList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2LimitRange[]!
LimitRangeSpec limits:1LimitRangeItem[]!
LinuxContainerUser uid:1l! gid:2l! supplementalGroups:3l[]
List metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2apimachinery.pkg.runtime.RawExtension[]
LoadBalancerIngress ip:1s hostname:2s ipMode:3s ports:4PortStatus[]
LoadBalancerStatus ingress:1LoadBalancerIngress[]
LocalObjectReference@0 name:1s
LocalVolumeSource path:1s! fsType:2s
ModifyVolumeStatus targetVolumeAttributesClassName:1s status:2s!
NFSVolumeSource server:1s! path:2s! readOnly:3b
Namespace* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2NamespaceSpec status:3NamespaceStatus
NamespaceCondition type:1s! status:2s! lastTransitionTime:4apimachinery.pkg.apis.meta.v1.Time reason:5s message:6s
NamespaceList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2Namespace[]!
NamespaceSpec finalizers:1s[]
NamespaceStatus phase:1s conditions:2NamespaceCondition[]@4
Node* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2NodeSpec status:3NodeStatus
NodeAddress type:1s! address:2s!
NodeAffinity requiredDuringSchedulingIgnoredDuringExecution:1NodeSelector preferredDuringSchedulingIgnoredDuringExecution:2PreferredSchedulingTerm[]
NodeAllocatableResourceClaimStatus resourceClaimName:1s! containers:2s[]@2 resources:3apimachinery.pkg.api.resource.Quantity{}!
NodeCondition type:1s! status:2s! lastHeartbeatTime:3apimachinery.pkg.apis.meta.v1.Time lastTransitionTime:4apimachinery.pkg.apis.meta.v1.Time reason:5s message:6s
NodeConfigSource configMap:2ConfigMapNodeConfigSource
NodeConfigStatus assigned:1NodeConfigSource active:2NodeConfigSource lastKnownGood:3NodeConfigSource error:4s
NodeDaemonEndpoints kubeletEndpoint:1DaemonEndpoint
NodeFeatures supplementalGroupsPolicy:1b
NodeList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2Node[]!
NodeProxyOptions path:1s
NodeRuntimeHandler name:1s features:2NodeRuntimeHandlerFeatures
NodeRuntimeHandlerFeatures recursiveReadOnlyMounts:1b userNamespaces:2b
NodeSelector@0 nodeSelectorTerms:1NodeSelectorTerm[]!
NodeSelectorRequirement key:1s! operator:2s! values:3s[]
NodeSelectorTerm@0 matchExpressions:1NodeSelectorRequirement[] matchFields:2NodeSelectorRequirement[]
NodeSpec podCIDR:1s externalID:2s providerID:3s unschedulable:4b taints:5Taint[] configSource:6NodeConfigSource podCIDRs:7s[]@10
NodeStatus capacity:1apimachinery.pkg.api.resource.Quantity{} allocatable:2apimachinery.pkg.api.resource.Quantity{} phase:3s conditions:4NodeCondition[]@4 addresses:5NodeAddress[]@4 daemonEndpoints:6NodeDaemonEndpoints nodeInfo:7NodeSystemInfo images:8ContainerImage[] volumesInUse:9s[] volumesAttached:10AttachedVolume[] config:11NodeConfigStatus runtimeHandlers:12NodeRuntimeHandler[] features:13NodeFeatures declaredFeatures:14s[]
NodeSwapStatus capacity:1l
NodeSystemInfo machineID:1s! systemUUID:2s! bootID:3s! kernelVersion:4s! osImage:5s! containerRuntimeVersion:6s! kubeletVersion:7s! kubeProxyVersion:8s! operatingSystem:9s! architecture:10s! swap:11NodeSwapStatus
ObjectFieldSelector@0 apiVersion:1s fieldPath:2s!
ObjectReference@0 kind:1s namespace:2s name:3s uid:4s apiVersion:5s resourceVersion:6s fieldPath:7s
PersistentVolume* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2PersistentVolumeSpec status:3PersistentVolumeStatus
PersistentVolumeClaim* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2PersistentVolumeClaimSpec status:3PersistentVolumeClaimStatus
PersistentVolumeClaimCondition type:1s! status:2s! lastProbeTime:3apimachinery.pkg.apis.meta.v1.Time lastTransitionTime:4apimachinery.pkg.apis.meta.v1.Time reason:5s message:6s
PersistentVolumeClaimList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2PersistentVolumeClaim[]!
PersistentVolumeClaimSpec accessModes:1s[] resources:2VolumeResourceRequirements volumeName:3s selector:4apimachinery.pkg.apis.meta.v1.LabelSelector storageClassName:5s volumeMode:6s dataSource:7TypedLocalObjectReference dataSourceRef:8TypedObjectReference volumeAttributesClassName:9s
PersistentVolumeClaimStatus phase:1s accessModes:2s[] capacity:3apimachinery.pkg.api.resource.Quantity{} conditions:4PersistentVolumeClaimCondition[]@4 allocatedResources:5apimachinery.pkg.api.resource.Quantity{} allocatedResourceStatuses:7s{}@11 currentVolumeAttributesClassName:8s modifyVolumeStatus:9ModifyVolumeStatus
PersistentVolumeClaimTemplate metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2PersistentVolumeClaimSpec!
PersistentVolumeClaimVolumeSource claimName:1s! readOnly:2b
PersistentVolumeList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2PersistentVolume[]!
PersistentVolumeSource gcePersistentDisk:1GCEPersistentDiskVolumeSource awsElasticBlockStore:2AWSElasticBlockStoreVolumeSource hostPath:3HostPathVolumeSource glusterfs:4GlusterfsPersistentVolumeSource nfs:5NFSVolumeSource rbd:6RBDPersistentVolumeSource iscsi:7ISCSIPersistentVolumeSource cinder:8CinderPersistentVolumeSource cephfs:9CephFSPersistentVolumeSource fc:10FCVolumeSource flocker:11FlockerVolumeSource flexVolume:12FlexPersistentVolumeSource azureFile:13AzureFilePersistentVolumeSource vsphereVolume:14VsphereVirtualDiskVolumeSource quobyte:15QuobyteVolumeSource azureDisk:16AzureDiskVolumeSource photonPersistentDisk:17PhotonPersistentDiskVolumeSource portworxVolume:18PortworxVolumeSource scaleIO:19ScaleIOPersistentVolumeSource local:20LocalVolumeSource storageos:21StorageOSPersistentVolumeSource csi:22CSIPersistentVolumeSource
PersistentVolumeSpec capacity:1apimachinery.pkg.api.resource.Quantity{} persistentVolumeSource:2PersistentVolumeSource~ accessModes:3s[] claimRef:4ObjectReference@11 persistentVolumeReclaimPolicy:5s storageClassName:6s mountOptions:7s[] volumeMode:8s nodeAffinity:9VolumeNodeAffinity volumeAttributesClassName:10s
PersistentVolumeStatus phase:1s message:2s reason:3s lastPhaseTransitionTime:4apimachinery.pkg.apis.meta.v1.Time
PhotonPersistentDiskVolumeSource pdID:1s! fsType:2s
Pod* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2PodSpec status:3PodStatus
PodAffinity requiredDuringSchedulingIgnoredDuringExecution:1PodAffinityTerm[] preferredDuringSchedulingIgnoredDuringExecution:2WeightedPodAffinityTerm[]
PodAffinityTerm labelSelector:1apimachinery.pkg.apis.meta.v1.LabelSelector namespaces:2s[] topologyKey:3s! namespaceSelector:4apimachinery.pkg.apis.meta.v1.LabelSelector matchLabelKeys:5s[] mismatchLabelKeys:6s[]
PodAntiAffinity requiredDuringSchedulingIgnoredDuringExecution:1PodAffinityTerm[] preferredDuringSchedulingIgnoredDuringExecution:2WeightedPodAffinityTerm[]
PodAttachOptions stdin:1b stdout:2b stderr:3b tty:4b container:5s
PodCertificateProjection signerName:1s! keyType:2s! maxExpirationSeconds:3i credentialBundlePath:4s keyPath:5s certificateChainPath:6s userAnnotations:7s{}
PodCondition type:1s! status:2s! lastProbeTime:3apimachinery.pkg.apis.meta.v1.Time lastTransitionTime:4apimachinery.pkg.apis.meta.v1.Time reason:5s message:6s observedGeneration:7l
PodDNSConfig nameservers:1s[] searches:2s[] options:3PodDNSConfigOption[]
PodDNSConfigOption name:1s value:2s
PodExecOptions stdin:1b stdout:2b stderr:3b tty:4b container:5s command:6s[]
PodExtendedResourceClaimStatus requestMappings:1ContainerExtendedResourceRequest[]! resourceClaimName:2s!
PodIP ip:1s!
PodList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2Pod[]!
PodLogOptions container:1s follow:2b previous:3b sinceSeconds:4l sinceTime:5apimachinery.pkg.apis.meta.v1.Time timestamps:6b tailLines:7l limitBytes:8l insecureSkipTLSVerifyBackend:9b stream:10s
PodOS name:1s!
PodPortForwardOptions ports:1i[]
PodProxyOptions path:1s
PodReadinessGate conditionType:1s!
PodResourceClaim name:1s! resourceClaimName:3s resourceClaimTemplateName:4s
PodResourceClaimStatus name:1s! resourceClaimName:2s
PodSchedulingGate name:1s!
PodSchedulingGroup podGroupName:1s
PodSecurityContext seLinuxOptions:1SELinuxOptions runAsUser:2l runAsNonRoot:3b supplementalGroups:4l[] fsGroup:5l runAsGroup:6l sysctls:7Sysctl[] windowsOptions:8WindowsSecurityContextOptions fsGroupChangePolicy:9s seccompProfile:10SeccompProfile appArmorProfile:11AppArmorProfile supplementalGroupsPolicy:12s seLinuxChangePolicy:13s
PodSignature podController:1apimachinery.pkg.apis.meta.v1.OwnerReference
PodSpec volumes:1Volume[]@12 containers:2Container[]!@1 restartPolicy:3s terminationGracePeriodSeconds:4l activeDeadlineSeconds:5l dnsPolicy:6s nodeSelector:7s{}@0 serviceAccountName:8s serviceAccount:9s nodeName:10s hostNetwork:11b hostPID:12b hostIPC:13b securityContext:14PodSecurityContext imagePullSecrets:15LocalObjectReference[]@1 hostname:16s subdomain:17s affinity:18Affinity schedulerName:19s initContainers:20Container[]@1 automountServiceAccountToken:21b tolerations:22Toleration[] hostAliases:23HostAlias[]@13 priorityClassName:24s priority:25i dnsConfig:26PodDNSConfig shareProcessNamespace:27b readinessGates:28PodReadinessGate[] runtimeClassName:29s enableServiceLinks:30b preemptionPolicy:31s overhead:32apimachinery.pkg.api.resource.Quantity{} topologySpreadConstraints:33TopologySpreadConstraint[]@14 ephemeralContainers:34EphemeralContainer[]@1 setHostnameAsFQDN:35b os:36PodOS hostUsers:37b schedulingGates:38PodSchedulingGate[]@1 resourceClaims:39PodResourceClaim[]@12 resources:40ResourceRequirements hostnameOverride:41s schedulingGroup:43PodSchedulingGroup
PodStatus phase:1s conditions:2PodCondition[]@4 message:3s reason:4s hostIP:5s podIP:6s startTime:7apimachinery.pkg.apis.meta.v1.Time containerStatuses:8ContainerStatus[] qosClass:9s initContainerStatuses:10ContainerStatus[] nominatedNodeName:11s podIPs:12PodIP[]@13 ephemeralContainerStatuses:13ContainerStatus[] resize:14s resourceClaimStatuses:15PodResourceClaimStatus[]@12 hostIPs:16HostIP[]@15 observedGeneration:17l extendedResourceClaimStatus:18PodExtendedResourceClaimStatus allocatedResources:19apimachinery.pkg.api.resource.Quantity{} resources:20ResourceRequirements nodeAllocatableResourceClaimStatuses:21NodeAllocatableResourceClaimStatus[]
PodStatusResult metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta status:2PodStatus
PodTemplate* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta template:2PodTemplateSpec
PodTemplateList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2PodTemplate[]!
PodTemplateSpec metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2PodSpec
PortStatus port:1i! protocol:2s! error:3s
PortworxVolumeSource volumeID:1s! fsType:2s readOnly:3b
Preconditions uid:1s
PreferAvoidPodsEntry podSignature:1PodSignature evictionTime:2apimachinery.pkg.apis.meta.v1.Time reason:3s message:4s
PreferredSchedulingTerm weight:1i! preference:2NodeSelectorTerm!
Probe handler:1ProbeHandler~ initialDelaySeconds:2i timeoutSeconds:3i periodSeconds:4i successThreshold:5i failureThreshold:6i terminationGracePeriodSeconds:7l
ProbeHandler exec:1ExecAction httpGet:2HTTPGetAction tcpSocket:3TCPSocketAction grpc:4GRPCAction
ProjectedVolumeSource sources:1VolumeProjection[] defaultMode:2i
QuobyteVolumeSource registry:1s! volume:2s! readOnly:3b user:4s group:5s tenant:6s
RBDPersistentVolumeSource monitors:1s[]! image:2s! fsType:3s pool:4s user:5s keyring:6s secretRef:7SecretReference readOnly:8b
RBDVolumeSource monitors:1s[]! image:2s! fsType:3s pool:4s user:5s keyring:6s secretRef:7LocalObjectReference readOnly:8b
RangeAllocation metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta range:2s data:3y
ReplicationController* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2ReplicationControllerSpec status:3ReplicationControllerStatus
ReplicationControllerCondition type:1s! status:2s! lastTransitionTime:3apimachinery.pkg.apis.meta.v1.Time reason:4s message:5s
ReplicationControllerList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2ReplicationController[]!
ReplicationControllerSpec replicas:1i selector:2s{}@0 template:3PodTemplateSpec minReadySeconds:4i
ReplicationControllerStatus replicas:1i! fullyLabeledReplicas:2i observedGeneration:3l readyReplicas:4i availableReplicas:5i conditions:6ReplicationControllerCondition[]@4
ResourceClaim name:1s! request:2s
ResourceFieldSelector@0 containerName:1s resource:2s! divisor:3apimachinery.pkg.api.resource.Quantity
ResourceHealth resourceID:1s! health:2s message:6s
ResourceQuota* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2ResourceQuotaSpec status:3ResourceQuotaStatus
ResourceQuotaList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2ResourceQuota[]!
ResourceQuotaSpec hard:1apimachinery.pkg.api.resource.Quantity{} scopes:2s[] scopeSelector:3ScopeSelector
ResourceQuotaStatus hard:1apimachinery.pkg.api.resource.Quantity{} used:2apimachinery.pkg.api.resource.Quantity{}
ResourceRequirements limits:1apimachinery.pkg.api.resource.Quantity{} requests:2apimachinery.pkg.api.resource.Quantity{} claims:3ResourceClaim[]@16
ResourceStatus name:1s! resources:2ResourceHealth[]@17
SELinuxOptions user:1s role:2s type:3s level:4s
ScaleIOPersistentVolumeSource gateway:1s! system:2s! secretRef:3SecretReference! sslEnabled:4b protectionDomain:5s storagePool:6s storageMode:7s volumeName:8s fsType:9s readOnly:10b
ScaleIOVolumeSource gateway:1s! system:2s! secretRef:3LocalObjectReference! sslEnabled:4b protectionDomain:5s storagePool:6s storageMode:7s volumeName:8s fsType:9s readOnly:10b
ScopeSelector@0 matchExpressions:1ScopedResourceSelectorRequirement[]
ScopedResourceSelectorRequirement scopeName:1s! operator:2s! values:3s[]
SeccompProfile type:1s! localhostProfile:2s
Secret* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta data:2y{} type:3s stringData:4s{} immutable:5b
SecretEnvSource localObjectReference:1LocalObjectReference~ optional:2b
SecretKeySelector@0 localObjectReference:1LocalObjectReference~ key:2s! optional:3b
SecretList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2Secret[]!
SecretProjection localObjectReference:1LocalObjectReference~ items:2KeyToPath[] optional:4b
SecretReference@0 name:1s namespace:2s
SecretVolumeSource secretName:1s items:2KeyToPath[] defaultMode:3i optional:4b
SecurityContext capabilities:1Capabilities privileged:2b seLinuxOptions:3SELinuxOptions runAsUser:4l runAsNonRoot:5b readOnlyRootFilesystem:6b allowPrivilegeEscalation:7b runAsGroup:8l procMount:9s windowsOptions:10WindowsSecurityContextOptions seccompProfile:11SeccompProfile appArmorProfile:12AppArmorProfile
SerializedReference reference:1ObjectReference
Service* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2ServiceSpec status:3ServiceStatus
ServiceAccount* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta secrets:2ObjectReference[]@1 imagePullSecrets:3LocalObjectReference[] automountServiceAccountToken:4b
ServiceAccountList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2ServiceAccount[]!
ServiceAccountTokenProjection audience:1s expirationSeconds:2l path:3s!
ServiceList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2Service[]!
ServicePort name:1s protocol:2s port:3i! targetPort:4apimachinery.pkg.util.intstr.IntOrString nodePort:5i appProtocol:6s
ServiceProxyOptions path:1s
ServiceSpec ports:1ServicePort[]@18 selector:2s{}@0 clusterIP:3s type:4s externalIPs:5s[] sessionAffinity:7s loadBalancerIP:8s loadBalancerSourceRanges:9s[] externalName:10s externalTrafficPolicy:11s healthCheckNodePort:12i publishNotReadyAddresses:13b sessionAffinityConfig:14SessionAffinityConfig ipFamilyPolicy:17s clusterIPs:18s[] ipFamilies:19s[] allocateLoadBalancerNodePorts:20b loadBalancerClass:21s internalTrafficPolicy:22s trafficDistribution:23s
ServiceStatus loadBalancer:1LoadBalancerStatus conditions:2apimachinery.pkg.apis.meta.v1.Condition[]@4
SessionAffinityConfig clientIP:1ClientIPConfig
SleepAction seconds:1l!
StorageOSPersistentVolumeSource volumeName:1s volumeNamespace:2s fsType:3s readOnly:4b secretRef:5ObjectReference
StorageOSVolumeSource volumeName:1s volumeNamespace:2s fsType:3s readOnly:4b secretRef:5LocalObjectReference
Sysctl name:1s! value:2s!
TCPSocketAction port:1apimachinery.pkg.util.intstr.IntOrString! host:2s
Taint key:1s! value:2s effect:3s! timeAdded:4apimachinery.pkg.apis.meta.v1.Time
Toleration key:1s operator:2s value:3s effect:4s tolerationSeconds:5l
TopologySelectorLabelRequirement key:1s! values:2s[]!
TopologySelectorTerm@0 matchLabelExpressions:1TopologySelectorLabelRequirement[]
TopologySpreadConstraint maxSkew:1i! topologyKey:2s! whenUnsatisfiable:3s! labelSelector:4apimachinery.pkg.apis.meta.v1.LabelSelector minDomains:5i nodeAffinityPolicy:6s nodeTaintsPolicy:7s matchLabelKeys:8s[]
TypedLocalObjectReference@0 apiGroup:1s kind:2s! name:3s!
TypedObjectReference apiGroup:1s kind:2s! name:3s! namespace:4s
Volume name:1s! volumeSource:2VolumeSource~
VolumeDevice name:1s! devicePath:2s!
VolumeMount name:1s! readOnly:2b mountPath:3s! subPath:4s mountPropagation:5s subPathExpr:6s recursiveReadOnly:7s
VolumeMountStatus name:1s! mountPath:2s! readOnly:3b recursiveReadOnly:4s volumeStatus:5VolumeStatus
VolumeNodeAffinity required:1NodeSelector
VolumeProjection secret:1SecretProjection downwardAPI:2DownwardAPIProjection configMap:3ConfigMapProjection serviceAccountToken:4ServiceAccountTokenProjection clusterTrustBundle:5ClusterTrustBundleProjection podCertificate:6PodCertificateProjection
VolumeResourceRequirements limits:1apimachinery.pkg.api.resource.Quantity{} requests:2apimachinery.pkg.api.resource.Quantity{}
VolumeSource hostPath:1HostPathVolumeSource emptyDir:2EmptyDirVolumeSource gcePersistentDisk:3GCEPersistentDiskVolumeSource awsElasticBlockStore:4AWSElasticBlockStoreVolumeSource gitRepo:5GitRepoVolumeSource secret:6SecretVolumeSource nfs:7NFSVolumeSource iscsi:8ISCSIVolumeSource glusterfs:9GlusterfsVolumeSource persistentVolumeClaim:10PersistentVolumeClaimVolumeSource rbd:11RBDVolumeSource flexVolume:12FlexVolumeSource cinder:13CinderVolumeSource cephfs:14CephFSVolumeSource flocker:15FlockerVolumeSource downwardAPI:16DownwardAPIVolumeSource fc:17FCVolumeSource azureFile:18AzureFileVolumeSource configMap:19ConfigMapVolumeSource vsphereVolume:20VsphereVirtualDiskVolumeSource quobyte:21QuobyteVolumeSource azureDisk:22AzureDiskVolumeSource photonPersistentDisk:23PhotonPersistentDiskVolumeSource portworxVolume:24PortworxVolumeSource scaleIO:25ScaleIOVolumeSource projected:26ProjectedVolumeSource storageos:27StorageOSVolumeSource csi:28CSIVolumeSource ephemeral:29EphemeralVolumeSource image:30ImageVolumeSource
VolumeStatus image:1ImageVolumeStatus
VsphereVirtualDiskVolumeSource volumePath:1s! fsType:2s storagePolicyName:3s storagePolicyID:4s
WeightedPodAffinityTerm weight:1i! podAffinityTerm:2PodAffinityTerm!
WindowsSecurityContextOptions gmsaCredentialSpecName:1s gmsaCredentialSpec:2s runAsUserName:3s hostProcess:4b
# io.k8s.api.discovery.v1 discovery.k8s.io/v1
Endpoint addresses:1s[]!@2 conditions:2EndpointConditions hostname:3s targetRef:4api.core.v1.ObjectReference deprecatedTopology:5s{} nodeName:6s zone:7s hints:8EndpointHints
EndpointConditions ready:1b serving:2b terminating:3b
EndpointHints forZones:1ForZone[] forNodes:2ForNode[]
EndpointPort@0 name:1s protocol:2s port:3i appProtocol:4s
EndpointSlice* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta endpoints:2Endpoint[] ports:3EndpointPort[] addressType:4s!
EndpointSliceList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2EndpointSlice[]!
ForNode name:1s!
ForZone name:1s!
# io.k8s.api.events.v1 events.k8s.io/v1
Event* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta eventTime:2apimachinery.pkg.apis.meta.v1.MicroTime! series:3EventSeries reportingController:4s reportingInstance:5s action:6s reason:7s regarding:8api.core.v1.ObjectReference related:9api.core.v1.ObjectReference note:10s type:11s deprecatedSource:12api.core.v1.EventSource deprecatedFirstTimestamp:13apimachinery.pkg.apis.meta.v1.Time deprecatedLastTimestamp:14apimachinery.pkg.apis.meta.v1.Time deprecatedCount:15i
EventList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2Event[]!
EventSeries count:1i! lastObservedTime:2apimachinery.pkg.apis.meta.v1.MicroTime!
# io.k8s.api.flowcontrol.v1 flowcontrol.apiserver.k8s.io/v1
ExemptPriorityLevelConfiguration nominalConcurrencyShares:1i lendablePercent:2i
FlowDistinguisherMethod type:1s!
FlowSchema* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2FlowSchemaSpec status:3FlowSchemaStatus
FlowSchemaCondition type:1s status:2s lastTransitionTime:3apimachinery.pkg.apis.meta.v1.Time reason:4s message:5s
FlowSchemaList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2FlowSchema[]!
FlowSchemaSpec priorityLevelConfiguration:1PriorityLevelConfigurationReference! matchingPrecedence:2i distinguisherMethod:3FlowDistinguisherMethod rules:4PolicyRulesWithSubjects[]
FlowSchemaStatus conditions:1FlowSchemaCondition[]@4
GroupSubject name:1s!
LimitResponse type:1s! queuing:2QueuingConfiguration
LimitedPriorityLevelConfiguration nominalConcurrencyShares:1i limitResponse:2LimitResponse lendablePercent:3i borrowingLimitPercent:4i
NonResourcePolicyRule verbs:1s[]!@2 nonResourceURLs:6s[]!@2
PolicyRulesWithSubjects subjects:1Subject[]! resourceRules:2ResourcePolicyRule[] nonResourceRules:3NonResourcePolicyRule[]
PriorityLevelConfiguration* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2PriorityLevelConfigurationSpec status:3PriorityLevelConfigurationStatus
PriorityLevelConfigurationCondition type:1s status:2s lastTransitionTime:3apimachinery.pkg.apis.meta.v1.Time reason:4s message:5s
PriorityLevelConfigurationList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2PriorityLevelConfiguration[]!
PriorityLevelConfigurationReference name:1s!
PriorityLevelConfigurationSpec type:1s! limited:2LimitedPriorityLevelConfiguration exempt:3ExemptPriorityLevelConfiguration
PriorityLevelConfigurationStatus conditions:1PriorityLevelConfigurationCondition[]@4
QueuingConfiguration queues:1i handSize:2i queueLengthLimit:3i
ResourcePolicyRule verbs:1s[]!@2 apiGroups:2s[]!@2 resources:3s[]!@2 clusterScope:4b namespaces:5s[]@2
ServiceAccountSubject namespace:1s! name:2s!
Subject kind:1s! user:2UserSubject group:3GroupSubject serviceAccount:4ServiceAccountSubject
UserSubject name:1s!
# io.k8s.api.networking.v1 networking.k8s.io/v1
HTTPIngressPath path:1s backend:2IngressBackend! pathType:3s!
HTTPIngressRuleValue paths:1HTTPIngressPath[]!
IPAddress* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2IPAddressSpec!
IPAddressList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2IPAddress[]!
IPAddressSpec parentRef:1ParentReference!
IPBlock cidr:1s! except:2s[]
Ingress* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2IngressSpec status:3IngressStatus
IngressBackend resource:3api.core.v1.TypedLocalObjectReference service:4IngressServiceBackend
IngressClass* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2IngressClassSpec
IngressClassList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2IngressClass[]!
IngressClassParametersReference apiGroup:1s kind:2s! name:3s! scope:4s namespace:5s
IngressClassSpec controller:1s parameters:2IngressClassParametersReference
IngressList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2Ingress[]!
IngressLoadBalancerIngress ip:1s hostname:2s ports:4IngressPortStatus[]
IngressLoadBalancerStatus ingress:1IngressLoadBalancerIngress[]
IngressPortStatus port:1i! protocol:2s! error:3s
IngressRule host:1s ingressRuleValue:2IngressRuleValue~
IngressRuleValue http:1HTTPIngressRuleValue
IngressServiceBackend name:1s! port:2ServiceBackendPort
IngressSpec defaultBackend:1IngressBackend tls:2IngressTLS[] rules:3IngressRule[] ingressClassName:4s
IngressStatus loadBalancer:1IngressLoadBalancerStatus
IngressTLS hosts:1s[] secretName:2s
NetworkPolicy* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2NetworkPolicySpec
NetworkPolicyEgressRule ports:1NetworkPolicyPort[] to:2NetworkPolicyPeer[]
NetworkPolicyIngressRule ports:1NetworkPolicyPort[] from:2NetworkPolicyPeer[]
NetworkPolicyList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2NetworkPolicy[]!
NetworkPolicyPeer podSelector:1apimachinery.pkg.apis.meta.v1.LabelSelector namespaceSelector:2apimachinery.pkg.apis.meta.v1.LabelSelector ipBlock:3IPBlock
NetworkPolicyPort protocol:1s port:2apimachinery.pkg.util.intstr.IntOrString endPort:3i
NetworkPolicySpec podSelector:1apimachinery.pkg.apis.meta.v1.LabelSelector ingress:2NetworkPolicyIngressRule[] egress:3NetworkPolicyEgressRule[] policyTypes:4s[]
ParentReference group:1s resource:2s! namespace:3s name:4s!
ServiceBackendPort@0 name:1s number:2i
ServiceCIDR* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2ServiceCIDRSpec status:3ServiceCIDRStatus
ServiceCIDRList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2ServiceCIDR[]!
ServiceCIDRSpec cidrs:1s[]
ServiceCIDRStatus conditions:1apimachinery.pkg.apis.meta.v1.Condition[]@4
# io.k8s.api.node.v1 node.k8s.io/v1
Overhead podFixed:1apimachinery.pkg.api.resource.Quantity{}
RuntimeClass* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta handler:2s! overhead:3Overhead scheduling:4Scheduling
RuntimeClassList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2RuntimeClass[]!
Scheduling nodeSelector:1s{}@0 tolerations:2api.core.v1.Toleration[]
# io.k8s.api.policy.v1 policy/v1
Eviction* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta deleteOptions:2apimachinery.pkg.apis.meta.v1.DeleteOptions
PodDisruptionBudget* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2PodDisruptionBudgetSpec status:3PodDisruptionBudgetStatus
PodDisruptionBudgetList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2PodDisruptionBudget[]!
PodDisruptionBudgetSpec minAvailable:1apimachinery.pkg.util.intstr.IntOrString selector:2apimachinery.pkg.apis.meta.v1.LabelSelector@19 maxUnavailable:3apimachinery.pkg.util.intstr.IntOrString unhealthyPodEvictionPolicy:4s
PodDisruptionBudgetStatus observedGeneration:1l disruptedPods:2apimachinery.pkg.apis.meta.v1.Time{} disruptionsAllowed:3i currentHealthy:4i desiredHealthy:5i expectedPods:6i conditions:7apimachinery.pkg.apis.meta.v1.Condition[]@4
# io.k8s.api.rbac.v1 rbac.authorization.k8s.io/v1
AggregationRule clusterRoleSelectors:1apimachinery.pkg.apis.meta.v1.LabelSelector[]
ClusterRole* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta rules:2PolicyRule[] aggregationRule:3AggregationRule
ClusterRoleBinding* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta subjects:2Subject[] roleRef:3RoleRef!
ClusterRoleBindingList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2ClusterRoleBinding[]!
ClusterRoleList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2ClusterRole[]!
PolicyRule verbs:1s[]! apiGroups:2s[] resources:3s[] resourceNames:4s[] nonResourceURLs:5s[]
Role* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta rules:2PolicyRule[]
RoleBinding* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta subjects:2Subject[] roleRef:3RoleRef!
RoleBindingList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2RoleBinding[]!
RoleList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2Role[]!
RoleRef@0 apiGroup:1s kind:2s! name:3s!
Subject@0 kind:1s! apiGroup:2s name:3s! namespace:4s
# io.k8s.api.resource.v1 resource.k8s.io/v1
AllocatedDeviceStatus driver:1s! pool:2s! device:3s! conditions:4apimachinery.pkg.apis.meta.v1.Condition[]@3 data:5apimachinery.pkg.runtime.RawExtension networkData:6NetworkDeviceData shareID:7s
AllocationResult devices:1DeviceAllocationResult nodeSelector:3api.core.v1.NodeSelector allocationTimestamp:5apimachinery.pkg.apis.meta.v1.Time
CELDeviceSelector expression:1s!
CapacityRequestPolicy default:1apimachinery.pkg.api.resource.Quantity validValues:3apimachinery.pkg.api.resource.Quantity[] validRange:4CapacityRequestPolicyRange
CapacityRequestPolicyRange min:1apimachinery.pkg.api.resource.Quantity! max:2apimachinery.pkg.api.resource.Quantity step:3apimachinery.pkg.api.resource.Quantity
CapacityRequirements requests:1apimachinery.pkg.api.resource.Quantity{}
Counter value:1apimachinery.pkg.api.resource.Quantity!
CounterSet name:1s! counters:2Counter{}!
Device name:1s! attributes:2DeviceAttribute{} capacity:3DeviceCapacity{} consumesCounters:4DeviceCounterConsumption[] nodeName:5s nodeSelector:6api.core.v1.NodeSelector allNodes:7b taints:8DeviceTaint[] bindsToNode:9b bindingConditions:10s[] bindingFailureConditions:11s[] allowMultipleAllocations:12b nodeAllocatableResourceMappings:13NodeAllocatableResourceMapping{}
DeviceAllocationConfiguration source:1s! requests:2s[] deviceConfiguration:3DeviceConfiguration~
DeviceAllocationResult results:1DeviceRequestAllocationResult[] config:2DeviceAllocationConfiguration[]
DeviceAttribute int:2l bool:3b string:4s version:5s ints:6l[] bools:7b[] strings:8s[] versions:9s[]
DeviceCapacity value:1apimachinery.pkg.api.resource.Quantity! requestPolicy:2CapacityRequestPolicy
DeviceClaim requests:1DeviceRequest[] constraints:2DeviceConstraint[] config:3DeviceClaimConfiguration[]
DeviceClaimConfiguration requests:1s[] deviceConfiguration:2DeviceConfiguration~
DeviceClass* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2DeviceClassSpec!
DeviceClassConfiguration deviceConfiguration:1DeviceConfiguration~
DeviceClassList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2DeviceClass[]!
DeviceClassSpec selectors:1DeviceSelector[] config:2DeviceClassConfiguration[] extendedResourceName:4s
DeviceConfiguration opaque:1OpaqueDeviceConfiguration
DeviceConstraint requests:1s[] matchAttribute:2s distinctAttribute:3s
DeviceCounterConsumption counterSet:1s! counters:2Counter{}!
DeviceRequest name:1s! exactly:2ExactDeviceRequest firstAvailable:3DeviceSubRequest[]
DeviceRequestAllocationResult request:1s! driver:2s! pool:3s! device:4s! adminAccess:5b tolerations:6DeviceToleration[] bindingConditions:7s[] bindingFailureConditions:8s[] shareID:9s consumedCapacity:10apimachinery.pkg.api.resource.Quantity{}
DeviceSelector cel:1CELDeviceSelector
DeviceSubRequest name:1s! deviceClassName:2s! selectors:3DeviceSelector[] allocationMode:4s count:5l tolerations:6DeviceToleration[] capacity:7CapacityRequirements
DeviceTaint key:1s! value:2s effect:3s! timeAdded:4apimachinery.pkg.apis.meta.v1.Time
DeviceToleration key:1s operator:2s value:3s effect:4s tolerationSeconds:5l
ExactDeviceRequest deviceClassName:1s! selectors:2DeviceSelector[] allocationMode:3s count:4l adminAccess:5b tolerations:6DeviceToleration[] capacity:7CapacityRequirements
NetworkDeviceData interfaceName:1s ips:2s[] hardwareAddress:3s
NodeAllocatableResourceMapping capacityKey:1s allocationMultiplier:2apimachinery.pkg.api.resource.Quantity
OpaqueDeviceConfiguration driver:1s! parameters:2apimachinery.pkg.runtime.RawExtension!
ResourceClaim* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2ResourceClaimSpec! status:3ResourceClaimStatus
ResourceClaimConsumerReference apiGroup:1s resource:3s! name:4s! uid:5s!
ResourceClaimList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2ResourceClaim[]!
ResourceClaimSpec devices:1DeviceClaim
ResourceClaimStatus allocation:1AllocationResult reservedFor:2ResourceClaimConsumerReference[]@20 devices:4AllocatedDeviceStatus[]@21
ResourceClaimTemplate* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2ResourceClaimTemplateSpec!
ResourceClaimTemplateList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2ResourceClaimTemplate[]!
ResourceClaimTemplateSpec metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2ResourceClaimSpec!
ResourcePool name:1s! generation:2l! resourceSliceCount:3l!
ResourceSlice* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2ResourceSliceSpec!
ResourceSliceList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2ResourceSlice[]!
ResourceSliceSpec driver:1s! pool:2ResourcePool! nodeName:3s nodeSelector:4api.core.v1.NodeSelector allNodes:5b devices:6Device[] perDeviceNodeSelection:7b sharedCounters:8CounterSet[]
# io.k8s.api.scheduling.v1 scheduling.k8s.io/v1
PriorityClass* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta value:2i globalDefault:3b description:4s preemptionPolicy:5s
PriorityClassList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2PriorityClass[]!
# io.k8s.api.storage.v1 storage.k8s.io/v1
CSIDriver* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2CSIDriverSpec!
CSIDriverList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2CSIDriver[]!
CSIDriverSpec attachRequired:1b podInfoOnMount:2b volumeLifecycleModes:3s[]@2 storageCapacity:4b fsGroupPolicy:5s tokenRequests:6TokenRequest[] requiresRepublish:7b seLinuxMount:8b nodeAllocatableUpdatePeriodSeconds:9l serviceAccountTokenInSecrets:10b preventPodSchedulingIfMissing:11b
CSINode* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2CSINodeSpec!
CSINodeDriver name:1s! nodeID:2s! topologyKeys:3s[] allocatable:4VolumeNodeResources
CSINodeList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2CSINode[]!
CSINodeSpec drivers:1CSINodeDriver[]!@1
CSIStorageCapacity* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta nodeTopology:2apimachinery.pkg.apis.meta.v1.LabelSelector storageClassName:3s! capacity:4apimachinery.pkg.api.resource.Quantity maximumVolumeSize:5apimachinery.pkg.api.resource.Quantity
CSIStorageCapacityList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2CSIStorageCapacity[]!
StorageClass* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta provisioner:2s! parameters:3s{} reclaimPolicy:4s mountOptions:5s[] allowVolumeExpansion:6b volumeBindingMode:7s allowedTopologies:8api.core.v1.TopologySelectorTerm[]
StorageClassList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2StorageClass[]!
TokenRequest audience:1s! expirationSeconds:2l
VolumeAttachment* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2VolumeAttachmentSpec! status:3VolumeAttachmentStatus
VolumeAttachmentList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2VolumeAttachment[]!
VolumeAttachmentSource persistentVolumeName:1s inlineVolumeSpec:2api.core.v1.PersistentVolumeSpec
VolumeAttachmentSpec attacher:1s! source:2VolumeAttachmentSource! nodeName:3s!
VolumeAttachmentStatus attached:1b! attachmentMetadata:2s{} attachError:3VolumeError detachError:4VolumeError
VolumeAttributesClass* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta driverName:2s! parameters:3s{}
VolumeAttributesClassList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2VolumeAttributesClass[]!
VolumeError time:1apimachinery.pkg.apis.meta.v1.Time message:2s errorCode:3i
VolumeNodeResources count:1i
# io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1 apiextensions.k8s.io/v1
ConversionRequest uid:1s desiredAPIVersion:2s objects:3apimachinery.pkg.runtime.RawExtension[]
ConversionResponse uid:1s convertedObjects:2apimachinery.pkg.runtime.RawExtension[] result:3apimachinery.pkg.apis.meta.v1.Status
ConversionReview request:1ConversionRequest response:2ConversionResponse
CustomResourceColumnDefinition name:1s! type:2s! format:3s description:4s priority:5i jsonPath:6s!
CustomResourceConversion strategy:1s! webhook:2WebhookConversion
CustomResourceDefinition* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2CustomResourceDefinitionSpec! status:3CustomResourceDefinitionStatus
CustomResourceDefinitionCondition type:1s! status:2s! lastTransitionTime:3apimachinery.pkg.apis.meta.v1.Time reason:4s message:5s observedGeneration:6l
CustomResourceDefinitionList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2CustomResourceDefinition[]!
CustomResourceDefinitionNames plural:1s! singular:2s shortNames:3s[] kind:4s! listKind:5s categories:6s[]
CustomResourceDefinitionSpec group:1s! names:3CustomResourceDefinitionNames! scope:4s! versions:7CustomResourceDefinitionVersion[]! conversion:9CustomResourceConversion preserveUnknownFields:10b
CustomResourceDefinitionStatus conditions:1CustomResourceDefinitionCondition[]@3 acceptedNames:2CustomResourceDefinitionNames storedVersions:3s[] observedGeneration:4l
CustomResourceDefinitionVersion name:1s! served:2b! storage:3b! schema:4CustomResourceValidation subresources:5CustomResourceSubresources additionalPrinterColumns:6CustomResourceColumnDefinition[] deprecated:7b deprecationWarning:8s selectableFields:9SelectableField[]
CustomResourceSubresourceScale specReplicasPath:1s! statusReplicasPath:2s! labelSelectorPath:3s
CustomResourceSubresourceStatus
CustomResourceSubresources status:1CustomResourceSubresourceStatus scale:2CustomResourceSubresourceScale
CustomResourceValidation openAPIV3Schema:1JSONSchemaProps
ExternalDocumentation description:1s url:2s
JSON raw:1y
JSONSchemaProps id:1s $schema:2s $ref:3s description:4s type:5s format:6s title:7s default:8JSON maximum:9d exclusiveMaximum:10b minimum:11d exclusiveMinimum:12b maxLength:13l minLength:14l pattern:15s maxItems:16l minItems:17l uniqueItems:18b multipleOf:19d enum:20JSON[] maxProperties:21l minProperties:22l required:23s[] items:24JSONSchemaPropsOrArray allOf:25JSONSchemaProps[] oneOf:26JSONSchemaProps[] anyOf:27JSONSchemaProps[] not:28JSONSchemaProps properties:29JSONSchemaProps{} additionalProperties:30JSONSchemaPropsOrBool patternProperties:31JSONSchemaProps{} dependencies:32JSONSchemaPropsOrStringArray{} additionalItems:33JSONSchemaPropsOrBool definitions:34JSONSchemaProps{} externalDocs:35ExternalDocumentation example:36JSON nullable:37b x-kubernetes-preserve-unknown-fields:38b x-kubernetes-embedded-resource:39b x-kubernetes-int-or-string:40b x-kubernetes-list-map-keys:41s[] x-kubernetes-list-type:42s x-kubernetes-map-type:43s x-kubernetes-validations:44ValidationRule[]@22
JSONSchemaPropsOrArray schema:1JSONSchemaProps jSONSchemas:2JSONSchemaProps[]
JSONSchemaPropsOrBool allows:1b schema:2JSONSchemaProps
JSONSchemaPropsOrStringArray schema:1JSONSchemaProps property:2s[]
SelectableField jsonPath:1s!
ServiceReference namespace:1s! name:2s! path:3s port:4i
ValidationRule rule:1s! message:2s messageExpression:3s reason:4s fieldPath:5s optionalOldSelf:6b
WebhookClientConfig service:1ServiceReference caBundle:2y url:3s
WebhookConversion clientConfig:2WebhookClientConfig conversionReviewVersions:3s[]!
# io.k8s.apimachinery.pkg.api.resource -
Quantity string:1s
QuantityValue string:1s
# io.k8s.apimachinery.pkg.apis.meta.v1 -
APIGroup name:1s! versions:2GroupVersionForDiscovery[]! preferredVersion:3GroupVersionForDiscovery serverAddressByClientCIDRs:4ServerAddressByClientCIDR[]
APIGroupList groups:1APIGroup[]!
APIResource name:1s! namespaced:2b! kind:3s! verbs:4Verbs! shortNames:5s[] singularName:6s! categories:7s[] group:8s version:9s storageVersionHash:10s
APIResourceList groupVersion:1s! resources:2APIResource[]!
APIVersions versions:1s[]! serverAddressByClientCIDRs:2ServerAddressByClientCIDR[]!
ApplyOptions dryRun:1s[] force:2b fieldManager:3s
Condition type:1s! status:2s! observedGeneration:3l lastTransitionTime:4Time! reason:5s! message:6s!
CreateOptions dryRun:1s[] fieldManager:3s fieldValidation:4s
DeleteOptions gracePeriodSeconds:1l preconditions:2Preconditions orphanDependents:3b propagationPolicy:4s dryRun:5s[] ignoreStoreReadErrorWithClusterBreakingPotential:6b
Duration duration:1l
FieldSelectorRequirement key:1s! operator:2s! values:3s[]
FieldsV1 Raw:1y
GetOptions resourceVersion:1s
GroupKind group:1s kind:2s
GroupResource group:1s resource:2s
GroupVersion group:1s version:2s
GroupVersionForDiscovery groupVersion:1s! version:2s!
GroupVersionKind group:1s version:2s kind:3s
GroupVersionResource group:1s version:2s resource:3s
LabelSelector@0 matchLabels:1s{} matchExpressions:2LabelSelectorRequirement[]
LabelSelectorRequirement key:1s! operator:2s! values:3s[]
List metadata:1ListMeta items:2apimachinery.pkg.runtime.RawExtension[]
ListMeta selfLink:1s resourceVersion:2s continue:3s remainingItemCount:4l shardInfo:5ShardInfo
ListOptions labelSelector:1s fieldSelector:2s watch:3b resourceVersion:4s timeoutSeconds:5l limit:7l continue:8s allowWatchBookmarks:9b resourceVersionMatch:10s sendInitialEvents:11b shardSelector:15s
ManagedFieldsEntry manager:1s operation:2s apiVersion:3s time:4Time fieldsType:6s fieldsV1:7FieldsV1 subresource:8s
MicroTime seconds:1l nanos:2i
ObjectMeta name:1s generateName:2s namespace:3s selfLink:4s uid:5s resourceVersion:6s generation:7l creationTimestamp:8Time deletionTimestamp:9Time deletionGracePeriodSeconds:10l labels:11s{} annotations:12s{} ownerReferences:13OwnerReference[]@20 finalizers:14s[]@10 managedFields:17ManagedFieldsEntry[]
OwnerReference@0 kind:1s! name:3s! uid:4s! apiVersion:5s! controller:6b blockOwnerDeletion:7b
PartialObjectMetadata metadata:1ObjectMeta
PartialObjectMetadataList metadata:1ListMeta items:2PartialObjectMetadata[]
Patch
PatchOptions dryRun:1s[] force:2b fieldManager:3s fieldValidation:4s
Preconditions uid:1s resourceVersion:2s
RootPaths paths:1s[]
ServerAddressByClientCIDR clientCIDR:1s! serverAddress:2s!
ShardInfo selector:1s!
Status metadata:1ListMeta status:2s message:3s reason:4s details:5StatusDetails code:6i
StatusCause reason:1s message:2s field:3s
StatusDetails name:1s group:2s kind:3s causes:4StatusCause[] retryAfterSeconds:5i uid:6s
TableOptions includeObject:1s
Time seconds:1l nanos:2i
Timestamp seconds:1l nanos:2i
TypeMeta kind:1s apiVersion:2s
UpdateOptions dryRun:1s[] fieldManager:2s fieldValidation:3s
Verbs items:1s[]
WatchEvent type:1s! object:2apimachinery.pkg.runtime.RawExtension!
# io.k8s.apimachinery.pkg.runtime -
RawExtension raw:1y
TypeMeta apiVersion:1s kind:2s
Unknown typeMeta:1TypeMeta raw:2y contentEncoding:3s contentType:4s
# io.k8s.apimachinery.pkg.util.intstr -
IntOrString type:1l intVal:2i strVal:3s
# io.k8s.kube-aggregator.pkg.apis.apiregistration.v1 apiregistration.k8s.io/v1
APIService* metadata:1apimachinery.pkg.apis.meta.v1.ObjectMeta spec:2APIServiceSpec status:3APIServiceStatus
APIServiceCondition type:1s! status:2s! lastTransitionTime:3apimachinery.pkg.apis.meta.v1.Time reason:4s message:5s
APIServiceList* metadata:1apimachinery.pkg.apis.meta.v1.ListMeta items:2APIService[]!
APIServiceSpec service:1ServiceReference group:2s version:3s insecureSkipTLSVerify:4b caBundle:5y groupPriorityMinimum:7i! versionPriority:8i!
APIServiceStatus conditions:1APIServiceCondition[]@4
ServiceReference namespace:1s name:2s port:3i
`;
