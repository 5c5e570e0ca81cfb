/** What the YAML reader refuses: its message is upstream's where upstream has one, with go-yaml's `yaml: ` in front. */
export class YamlError extends Error {}
