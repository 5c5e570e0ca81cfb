/** The beginning of a body in an error, as Go's summarizeData prints it: text where it may be JSON, else hexadecimal. */
const MOST_BYTES = 30;

export function summaryOf(bytes: Uint8Array): string {
  if (bytes.length === 0) return '<empty>';
  const head = bytes.subarray(0, MOST_BYTES);
  const shown =
    bytes[0] === 0x7b
      ? new TextDecoder().decode(head)
      : [...head].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return bytes.length > MOST_BYTES ? `${shown} ...` : shown;
}
