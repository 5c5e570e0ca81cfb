/**
 * ImageLocality: a node that has the pod's images already is better, the more of them it has in bytes.
 * Source: k8s.io/kubernetes/pkg/scheduler/framework/plugins/imagelocality
 */
import { MAX_SCORE, type SchedulingPlugin } from './plugin.ts';

const MB = 1024 * 1024;
const LEAST_BYTES = 23 * MB;
const MOST_BYTES_EACH = 1000 * MB;

export const imageLocality: SchedulingPlugin = {
  name: 'ImageLocality',
  prepare({ spec }) {
    const names = [...spec.containers, ...(spec.initContainers ?? [])].map((each) => normalisedImage(each.image ?? ''));
    const most = MOST_BYTES_EACH * names.length;
    return {
      score: {
        weight: 1,
        of({ images }) {
          if (images.size === 0) return 0;
          let present = 0;
          for (const name of names) present += images.get(name) ?? 0;
          const clamped = Math.min(Math.max(present, LEAST_BYTES), most);
          return Math.floor((MAX_SCORE * (clamped - LEAST_BYTES)) / (most - LEAST_BYTES));
        },
      },
    };
  },
};

/** `nginx` means `nginx:latest`. */
function normalisedImage(image: string): string {
  const lastPart = image.slice(image.lastIndexOf('/') + 1);
  return lastPart.includes(':') || lastPart.includes('@') ? image : `${image}:latest`;
}
