/**
 * Services and their EndpointSlices in memory, by the Service's name: a change of one among thousands is followed without
 * reading the others.
 */
import type { Service } from '../../shared/api/core.ts';
import { type EndpointSlice, SERVICE_NAME_LABEL } from '../../shared/api/discovery.ts';

/** What is known of one Service. */
export interface ServiceParts {
  service: Service | undefined;
  /** In the order of their names. */
  slices: readonly EndpointSlice[];
}

type Names = { namespace?: string; name: string };

const nameOf = ({ namespace, name }: Names): string => `${namespace ?? ''}/${name}`;

function serviceOf({ metadata }: EndpointSlice): string | undefined {
  const name = metadata.labels?.[SERVICE_NAME_LABEL];
  return name === undefined ? undefined : nameOf({ ...metadata, name });
}

export class ServiceObjects {
  readonly #services = new Map<string, Service>();
  /** Service → slice → itself. */
  readonly #slices = new Map<string, Map<string, EndpointSlice>>();
  /** Slice → its Service. */
  readonly #owners = new Map<string, string>();

  get services(): Service[] {
    return [...this.#services.values()];
  }

  /** `namespace/name` of all that are known, or have slices. */
  get names(): string[] {
    return [...new Set([...this.#services.keys(), ...this.#slices.keys()])];
  }

  partsOf(name: string): ServiceParts {
    const slices = this.#slices.get(name);
    return {
      service: this.#services.get(name),
      slices: slices === undefined ? [] : [...slices].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, slice]) => slice),
    };
  }

  /** @returns the Services that this changes. */
  put(object: Service | EndpointSlice): string[] {
    const name = nameOf(object.metadata);
    if (object.kind === 'Service') {
      this.#services.set(name, object as Service);
      return [name];
    }
    const slice = object as EndpointSlice;
    const left = this.removeSlice(slice.metadata);
    const owner = serviceOf(slice);
    if (owner === undefined) return left;
    const slices = this.#slices.get(owner) ?? new Map<string, EndpointSlice>();
    this.#slices.set(owner, slices.set(name, slice));
    this.#owners.set(name, owner);
    return [...left, owner];
  }

  /** @returns the Services that this changes. */
  removeService(names: Names): string[] {
    return this.#services.delete(nameOf(names)) ? [nameOf(names)] : [];
  }

  /** @returns the Services that this changes. */
  removeSlice(names: Names): string[] {
    const name = nameOf(names);
    const owner = this.#owners.get(name);
    if (owner === undefined) return [];
    this.#owners.delete(name);
    const slices = this.#slices.get(owner);
    slices?.delete(name);
    if (slices?.size === 0) this.#slices.delete(owner);
    return [owner];
  }
}
