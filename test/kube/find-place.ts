import { KubeHere } from './kube-here.ts';
import { Kubeconfig } from './kubeconfig.ts';
import type { Found } from './place.ts';

/**
 * Whoever names an image that a cluster can pull (ENC_KUBE_IMAGE) means the cluster of KUBECONFIG; nobody else's is touched.
 * Else it is the cluster of ../shared/kube (ENC_KUBE for another folder). `quick`: only if nothing has to be built first.
 */
export function findPlace(env: NodeJS.ProcessEnv, quick: boolean, signal: AbortSignal): Promise<Found> {
  const image = env['ENC_KUBE_IMAGE'];
  return image ? Kubeconfig.find(env, image) : KubeHere.find(env, quick, signal);
}
