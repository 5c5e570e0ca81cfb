/** As much of an error as anybody reads; names and values in it may be as long as the body. */
const MOST_CHARACTERS = 1000;

/** What the YAML reader refuses: its message is upstream's where upstream has one, with go-yaml's `yaml: ` in front. */
export class YamlError extends Error {
  constructor(message: string) {
    super(message.length > MOST_CHARACTERS ? `${message.slice(0, MOST_CHARACTERS)}...` : message);
  }
}
