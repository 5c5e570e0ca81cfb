/**
 * Bridge, VXLAN device and veths: what to tell `ip -batch`, given what is there. Pure. Pods are reached at layer 3 only:
 * a pod has no route to its neighbours but through the bridge's address, so every packet between two pods of one node
 * passes the host's packet rules, whether or not the kernel filters bridged traffic.
 */
import { DEFAULTS } from '../../shared/defaults.ts';
import { formatIPv4, gatewayOf, macOf, parseCidr } from './addresses.ts';
import type { NetworkNames } from './names.ts';
import type { NetworkSettings, PodAttachment } from './network.ts';

/** An interface as `ip -d -j addr show` prints it. */
export interface ObservedLink {
  ifname: string;
  mtu: number;
  address?: string;
  master?: string;
  flags?: string[];
  linkinfo?: {
    info_kind?: string;
    info_data?: { id?: number; port?: number; local?: string; learning?: boolean };
  };
  addr_info?: { family: string; local?: string; prefixlen?: number }[];
}

/** What carries the overlay. */
export interface Underlay {
  device: string;
  /** Source address, when the public one is the machine's own. */
  local?: string;
  mtu: number;
}

export interface LinksInput {
  names: NetworkNames;
  settings: NetworkSettings;
  underlay: Underlay;
  vtepMac: string;
  links: readonly ObservedLink[];
  /** Host ends of the pods that should be on the bridge, if they are there at all. */
  pods: readonly string[];
}

/** Outer Ethernet, IP, UDP and VXLAN headers. */
export const VXLAN_OVERHEAD_BYTES = 50;

/** @throws when another VXLAN device has the id and port, which the kernel gives out once per namespace. */
export function planLinks({ names, settings, underlay, vtepMac, links, pods }: LinksInput): string[] {
  const cidr = parseCidr(settings.nodeCIDR);
  const gateway = gatewayOf(cidr);
  const mtu = underlay.mtu - VXLAN_OVERHEAD_BYTES;
  const bridge = links.find((link) => link.ifname === names.bridge);
  const lines: string[] = [];

  if (bridge === undefined) lines.push(`link add ${names.bridge} address ${macOf(gateway)} type bridge`);
  lines.push(
    ...planDevice(names.bridge, bridge, macOf(gateway), mtu),
    ...planAddresses(names.bridge, bridge, [
      `${gateway}/${cidr.prefix}`,
      ...settings.localAddresses.map((ip) => `${ip}/32`),
    ]),
  );

  let vxlan = links.find((link) => link.ifname === names.vxlan);
  const rival = links.find((link) => link.ifname !== names.vxlan && isOverlay(link));
  if (rival !== undefined) {
    throw new Error(
      `${rival.ifname} already uses VXLAN id ${DEFAULTS.vxlan.id} on port ${DEFAULTS.vxlan.port}: ` +
        'another agent or flanneld runs in this network namespace',
    );
  }
  if (vxlan !== undefined && !(isOverlay(vxlan) && vxlan.linkinfo?.info_data?.local === underlay.local)) {
    lines.push(`link del ${names.vxlan}`);
    vxlan = undefined;
  }
  if (vxlan === undefined) {
    const local = underlay.local === undefined ? '' : `local ${underlay.local} `;
    lines.push(
      `link add ${names.vxlan} address ${vtepMac} type vxlan id ${DEFAULTS.vxlan.id} ${local}dev ${underlay.device} ` +
        `dstport ${DEFAULTS.vxlan.port} nolearning`,
    );
  }
  lines.push(
    ...planDevice(names.vxlan, vxlan, vtepMac, mtu),
    ...planAddresses(names.vxlan, vxlan, [`${formatIPv4(cidr.base)}/32`]),
  );

  for (const link of links) {
    if (pods.includes(link.ifname) && link.master !== names.bridge) lines.push(...planPort(names.bridge, link.ifname));
  }
  return lines;
}

const isOverlay = (link: ObservedLink): boolean =>
  link.linkinfo?.info_kind === 'vxlan' &&
  link.linkinfo.info_data?.id === DEFAULTS.vxlan.id &&
  link.linkinfo.info_data.port === DEFAULTS.vxlan.port;

function planDevice(name: string, current: ObservedLink | undefined, mac: string, mtu: number): string[] {
  return [
    ...(current !== undefined && current.address !== mac ? [`link set ${name} address ${mac}`] : []),
    ...(current?.mtu !== mtu ? [`link set ${name} mtu ${mtu}`] : []),
    ...(current?.flags?.includes('UP') ? [] : [`link set ${name} up`]),
  ];
}

function planAddresses(name: string, current: ObservedLink | undefined, desired: string[]): string[] {
  const present = (current?.addr_info ?? [])
    .filter((address) => address.family === 'inet')
    .map((address) => `${address.local}/${address.prefixlen}`);
  return [
    ...present.filter((address) => !desired.includes(address)).map((address) => `addr del ${address} dev ${name}`),
    ...desired.filter((address) => !present.includes(address)).map((address) => `addr add ${address} dev ${name}`),
  ];
}

/** Hairpin: where bridged traffic is filtered, the kernel may turn a packet round at the port that it came from. */
function planPort(bridge: string, veth: string): string[] {
  return [`link set ${veth} master ${bridge} up`, `link set ${veth} type bridge_slave hairpin on`];
}

/** On the host: the veth whose other end appears in the pod as eth0. */
export function planAttach(input: {
  bridge: string;
  veth: string;
  pid: number;
  mtu: number;
  attachment: PodAttachment;
}): string[] {
  const { bridge, veth, pid, mtu, attachment } = input;
  return [
    `link add ${veth} mtu ${mtu} type veth peer name eth0 address ${attachment.mac} mtu ${mtu} netns ${pid}`,
    ...planPort(bridge, veth),
  ];
}

/** Inside the pod. The gateway's MAC follows from its address, so no first packet waits for ARP. */
export function planPodEnd(attachment: PodAttachment, prefix: number): string[] {
  const { ip, gateway } = attachment;
  return [
    'link set lo up',
    `addr add ${ip}/${prefix} dev eth0 noprefixroute`,
    'link set eth0 up',
    `neigh replace ${gateway} lladdr ${macOf(gateway)} dev eth0 nud permanent`,
    `route add ${gateway} dev eth0 scope link`,
    `route add default via ${gateway} dev eth0`,
  ];
}

/**
 * A shell line, because /proc/sys/net shows the namespace of whoever opens it. Redirects would teach pods a way past the
 * host, and use up the kernel's allowance of ICMP errors towards them. An interface sends them when its own setting or the
 * one for all says so, and its own is on from the start: so switching off `all` changes nothing but the bridge.
 */
export const planSysctls = (names: NetworkNames): string =>
  [
    'echo 1 > /proc/sys/net/ipv4/ip_forward',
    'echo 0 > /proc/sys/net/ipv4/conf/all/send_redirects',
    `echo 0 > /proc/sys/net/ipv4/conf/${names.bridge}/send_redirects`,
    `echo 0 > /proc/sys/net/ipv4/conf/${names.bridge}/rp_filter`,
  ].join(' && ');
