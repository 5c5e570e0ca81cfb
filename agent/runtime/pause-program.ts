/**
 * The program of the pause image as a static ELF file, put together here so that no compiler, package or registry is
 * needed to hold a pod's namespaces. As process 1 it blocks every signal and waits for one: SIGTERM and SIGINT end it at
 * once, anything else (SIGCHLD among it) makes it reap the children it has inherited, which matters when a pod shares its
 * process namespace. `pause-image.ts` makes an image of it.
 */

export type Architecture = 'x64' | 'arm64';

const LOAD_ADDRESS = 0x400000;
const HEADERS_BYTES = 64 + 56;
/** The signal set of rt_sigprocmask and rt_sigtimedwait: all 64. */
const EVERY_SIGNAL = Array.from({ length: 8 }, () => 0xff);

/** x86-64; system calls: 14 rt_sigprocmask, 128 rt_sigtimedwait, 61 wait4, 60 exit. Offsets are from the first byte. */
const X64_CODE = [
  // 00 start: rt_sigprocmask(SIG_BLOCK, &mask, NULL, 8)
  ...[0xb8, 14, 0, 0, 0], //               mov eax, 14
  ...[0x31, 0xff], //                      xor edi, edi
  ...[0x48, 0x8d, 0x35, 0x53, 0, 0, 0], // lea rsi, [rip + 0x53]   -> 61
  ...[0x31, 0xd2], //                      xor edx, edx
  ...[0x41, 0xba, 8, 0, 0, 0], //          mov r10d, 8
  ...[0x0f, 0x05], //                      syscall
  // 18 wait: eax = rt_sigtimedwait(&mask, NULL, NULL, 8)
  ...[0xb8, 128, 0, 0, 0], //              mov eax, 128
  ...[0x48, 0x8d, 0x3d, 0x3d, 0, 0, 0], // lea rdi, [rip + 0x3d]   -> 61
  ...[0x31, 0xf6], //                      xor esi, esi
  ...[0x31, 0xd2], //                      xor edx, edx
  ...[0x41, 0xba, 8, 0, 0, 0], //          mov r10d, 8
  ...[0x0f, 0x05], //                      syscall
  ...[0x83, 0xf8, 15], //                  cmp eax, 15 (SIGTERM)
  ...[0x74, 0x23], //                      je  exit
  ...[0x83, 0xf8, 2], //                   cmp eax, 2 (SIGINT)
  ...[0x74, 0x1e], //                      je  exit
  // 3a reap: eax = wait4(-1, NULL, WNOHANG, NULL)
  ...[0xb8, 61, 0, 0, 0], //               mov eax, 61
  ...[0x48, 0xc7, 0xc7, 0xff, 0xff, 0xff, 0xff], // mov rdi, -1
  ...[0x31, 0xf6], //                      xor esi, esi
  ...[0xba, 1, 0, 0, 0], //                mov edx, 1
  ...[0x45, 0x31, 0xd2], //                xor r10d, r10d
  ...[0x0f, 0x05], //                      syscall
  ...[0x85, 0xc0], //                      test eax, eax
  ...[0x7f, 0xe4], //                      jg  reap
  ...[0xeb, 0xc0], //                      jmp wait
  // 58 exit: exit(0)
  ...[0xb8, 60, 0, 0, 0], //               mov eax, 60
  ...[0x31, 0xff], //                      xor edi, edi
  ...[0x0f, 0x05], //                      syscall
  // 61 mask
  ...EVERY_SIGNAL,
];

const movz = (register: number, value: number) => 0xd2800000 + value * 32 + register;
const MOVN_X0 = 0x92800000; // mov x0, #-1
const SVC = 0xd4000001;
const adr = (register: number, words: number) => 0x10000000 + words * 32 + register;
const cmpX0 = (value: number) => 0xf100001f + value * 1024;
const branchEqual = (words: number) => 0x54000000 + words * 32;
const branchGreater = (words: number) => 0x54000000 + (words & 0x7ffff) * 32 + 0xc;
const branch = (words: number) => 0x14000000 + (words & 0x3ffffff);

/** AArch64; system calls: 135 rt_sigprocmask, 137 rt_sigtimedwait, 260 wait4, 93 exit. Distances are in words. */
const ARM64_WORDS = [
  // 0 start: rt_sigprocmask(SIG_BLOCK, &mask, NULL, 8)
  movz(0, 0),
  adr(1, 28 - 1),
  movz(2, 0),
  movz(3, 8),
  movz(8, 135),
  SVC,
  // 6 wait: x0 = rt_sigtimedwait(&mask, NULL, NULL, 8)
  adr(0, 28 - 6),
  movz(1, 0),
  movz(2, 0),
  movz(3, 8),
  movz(8, 137),
  SVC,
  cmpX0(15), // SIGTERM
  branchEqual(25 - 13),
  cmpX0(2), // SIGINT
  branchEqual(25 - 15),
  // 16 reap: x0 = wait4(-1, NULL, WNOHANG, NULL)
  MOVN_X0,
  movz(1, 0),
  movz(2, 1),
  movz(3, 0),
  movz(8, 260),
  SVC,
  cmpX0(0),
  branchGreater(16 - 23),
  branch(6 - 24),
  // 25 exit: exit(0)
  movz(0, 0),
  movz(8, 93),
  SVC,
  // 28 mask
];

const CODE: Record<Architecture, { machine: number; bytes: number[] }> = {
  x64: { machine: 62, bytes: X64_CODE },
  arm64: { machine: 183, bytes: [...ARM64_WORDS.flatMap(littleEndian), ...EVERY_SIGNAL] },
};

function littleEndian(word: number): number[] {
  return [word & 0xff, (word >>> 8) & 0xff, (word >>> 16) & 0xff, (word >>> 24) & 0xff];
}

/** An ELF64 executable with one read-and-execute segment that holds the whole file. */
export function pauseProgram(architecture: Architecture): Buffer {
  const { machine, bytes } = CODE[architecture];
  const size = HEADERS_BYTES + bytes.length;
  const file = Buffer.alloc(size);
  file.write('\x7fELF', 'latin1');
  file.set([2, 1, 1], 4); // 64 bits, little-endian, version 1
  file.writeUInt16LE(2, 16); // executable
  file.writeUInt16LE(machine, 18);
  file.writeUInt32LE(1, 20); // version
  file.writeBigUInt64LE(BigInt(LOAD_ADDRESS + HEADERS_BYTES), 24); // entry
  file.writeBigUInt64LE(64n, 32); // program headers follow
  file.writeUInt16LE(64, 52); // size of this header
  file.writeUInt16LE(56, 54); // size of a program header
  file.writeUInt16LE(1, 56); // how many
  file.writeUInt32LE(1, 64); // PT_LOAD
  file.writeUInt32LE(5, 68); // readable, executable
  file.writeBigUInt64LE(BigInt(LOAD_ADDRESS), 80); // virtual address
  file.writeBigUInt64LE(BigInt(LOAD_ADDRESS), 88); // physical address
  file.writeBigUInt64LE(BigInt(size), 96); // in the file
  file.writeBigUInt64LE(BigInt(size), 104); // in memory
  file.writeBigUInt64LE(0x10000n, 112); // alignment: the largest page of either machine
  file.set(bytes, HEADERS_BYTES);
  return file;
}
