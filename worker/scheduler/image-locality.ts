/**
 * ImageLocality: a node that has the pod's images already is better, the more of them it has in bytes.
 * Source: k8s.io/kubernetes/pkg/scheduler/framework/plugins/imagelocality
 */
import { type Candidate, MAX_SCORE, type SchedulingPlugin } from './plugin.ts';

const MB = 1024 * 1024;
const LEAST_BYTES = 23 * MB;
const MOST_BYTES_EACH = 1000 * MB;

export const imageLocality: SchedulingPlugin = {
  name: 'ImageLocality',
  score: {
    weight: 1,
    of(pod, candidate) {
      const images = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].map((each) => each.image ?? '');
      const present = images.reduce((total, image) => total + sizeOnNode(image, candidate), 0);
      const most = MOST_BYTES_EACH * images.length;
      const clamped = Math.min(Math.max(present, LEAST_BYTES), most);
      return Math.floor((MAX_SCORE * (clamped - LEAST_BYTES)) / (most - LEAST_BYTES));
    },
  },
};

function sizeOnNode(image: string, { node }: Candidate): number {
  const name = normalisedImage(image);
  return node.status?.images?.find((each) => each.names?.includes(name))?.sizeBytes ?? 0;
}

/** `nginx` means `nginx:latest`. */
function normalisedImage(image: string): string {
  const lastPart = image.slice(image.lastIndexOf('/') + 1);
  return lastPart.includes(':') || lastPart.includes('@') ? image : `${image}:latest`;
}
