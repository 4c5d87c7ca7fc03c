// One instruction at a time, of every instruction set: its length, whether and where it leads, and
// the literal that it loads. The encodings are an assembler's.
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "format/firmware/flow.h"

enum { FLOW_CODE = 0x10000 };

struct flow_case {
    const struct ref_isa *isa;
    const char *hex, *text;
    enum flow_kind kind;
    int32_t target, literal; // from the instruction on
    unsigned shadow;
    unsigned size; // 0 = all of it
    bool none;     // taken for no instruction
};

static const struct flow_case cases[] = {
    // thumb
    {&ref_thumb, "0120", "movs r0, #1", .kind = FLOW_NEXT},
    {&ref_thumb, "10b5", "push {r4, lr}", .kind = FLOW_NEXT},
    {&ref_thumb, "024b", "ldr r3, [pc, #8]", .kind = FLOW_NEXT, .literal = 12},
    {&ref_thumb, "fed0", "beq #-4", .kind = FLOW_BRANCH, .target = 0},
    {&ref_thumb, "01de", "udf #1", .kind = FLOW_END},
    {&ref_thumb, "01df", "svc #1", .kind = FLOW_NEXT},
    {&ref_thumb, "03e0", "b #6", .kind = FLOW_JUMP, .target = 10},
    {&ref_thumb, "80e7", "b #-256", .kind = FLOW_JUMP, .target = -252},
    {&ref_thumb, "51b1", "cbz r1, #20", .kind = FLOW_BRANCH, .target = 24},
    {&ref_thumb, "ffbb", "cbnz r7, #126", .kind = FLOW_BRANCH, .target = 130},
    {&ref_thumb, "7047", "bx lr", .kind = FLOW_END},
    {&ref_thumb, "10bd", "pop {r4, pc}", .kind = FLOW_END},
    {&ref_thumb, "9f46", "mov pc, r3", .kind = FLOW_END},
    {&ref_thumb, "9847", "blx r3", .kind = FLOW_CALL},
    {&ref_thumb, "08bf", "it eq", .kind = FLOW_NEXT, .shadow = 1},
    {&ref_thumb, "1cbf", "itt ne", .kind = FLOW_NEXT, .shadow = 2},
    {&ref_thumb, "06bf", "itte eq", .kind = FLOW_NEXT, .shadow = 3},
    {&ref_thumb, "cbbf", "itete gt", .kind = FLOW_NEXT, .shadow = 4},
    {&ref_thumb, "00bf", "nop", .kind = FLOW_NEXT},
    {&ref_thumb, "00f000fa", "bl #1024", .kind = FLOW_CALL, .target = 1028},
    {&ref_thumb, "00f700f8", "bl #-1048576", .kind = FLOW_CALL, .target = -1048572},
    {&ref_thumb, "10f000b8", "b.w #65536", .kind = FLOW_JUMP, .target = 65540},
    {&ref_thumb, "01f000e8", "blx #4096", .kind = FLOW_CALL, .target = 4100},
    {&ref_thumb, "7ff400ac", "bne.w #-2048", .kind = FLOW_BRANCH, .target = -2044},
    {&ref_thumb, "00f00088", "beq.w #524288", .kind = FLOW_BRANCH, .target = 524292},
    {&ref_thumb, "f0f700a0", "udf.w #0", .kind = FLOW_END},
    {&ref_thumb, "bff34f8f", "dsb sy", .kind = FLOW_NEXT},
    {&ref_thumb, "eff31080", "mrs r0, primask", .kind = FLOW_NEXT},
    {&ref_thumb, "bde81081", "pop.w {r4, r8, pc}", .kind = FLOW_END},
    {&ref_thumb, "5df804fb", "ldr pc, [sp], #4", .kind = FLOW_END},
    {&ref_thumb, "51f822f0", "ldr pc, [r1, r2, lsl #2]", .kind = FLOW_END},
    {&ref_thumb, "dfe803f0", "tbb [pc, r3]", .kind = FLOW_END},
    {&ref_thumb, "dfe810f0", "tbh [pc, r0, lsl #1]", .kind = FLOW_END},
    {&ref_thumb, "dff81080", "ldr.w r8, [pc, #16]", .kind = FLOW_NEXT, .literal = 20},
    {&ref_thumb, "5ff81020", "ldr.w r2, [pc, #-16]", .kind = FLOW_NEXT, .literal = -12},
    {&ref_thumb, "01eb0200", "add.w r0, r1, r2", .kind = FLOW_NEXT},
    // arm
    {&ref_arm, "0100a0e1", "mov r0, r1", .kind = FLOW_NEXT},
    {&ref_arm, "08309fe5", "ldr r3, [pc, #8]", .kind = FLOW_NEXT, .literal = 16},
    {&ref_arm, "40301fe5", "ldr r3, [pc, #-64]", .kind = FLOW_NEXT, .literal = -56},
    {&ref_arm, "100000ea", "b #64", .kind = FLOW_JUMP, .target = 72},
    {&ref_arm, "00fcffea", "b #-4096", .kind = FLOW_JUMP, .target = -4088},
    {&ref_arm, "0400000a", "beq #16", .kind = FLOW_BRANCH, .target = 24},
    {&ref_arm, "000100eb", "bl #1024", .kind = FLOW_CALL, .target = 1032},
    {&ref_arm, "0001000b", "bleq #1024", .kind = FLOW_CALL, .target = 1032},
    {&ref_arm, "33ff2fe1", "blx r3", .kind = FLOW_CALL},
    {&ref_arm, "000200fa", "blx #2048", .kind = FLOW_CALL},
    {&ref_arm, "1eff2fe1", "bx lr", .kind = FLOW_END},
    {&ref_arm, "1eff2f01", "bxeq lr", .kind = FLOW_NEXT},
    {&ref_arm, "1080bde8", "pop {r4, pc}", .kind = FLOW_END},
    {&ref_arm, "1080bd18", "popne {r4, pc}", .kind = FLOW_NEXT},
    {&ref_arm, "02f191e7", "ldr pc, [r1, r2, lsl #2]", .kind = FLOW_END},
    {&ref_arm, "02f19f97", "ldrls pc, [pc, r2, lsl #2]", .kind = FLOW_NEXT},
    {&ref_arm, "02f0a0e1", "mov pc, r2", .kind = FLOW_END},
    {&ref_arm, "03f08fe0", "add pc, pc, r3", .kind = FLOW_END},
    {&ref_arm, "040081e5", "str r0, [r1, #4]", .kind = FLOW_NEXT},
    {&ref_arm, "060090e8", "ldm r0, {r1, r2}", .kind = FLOW_NEXT},
    // aarch64
    {&ref_aarch64, "e00301aa", "mov x0, x1", .kind = FLOW_NEXT},
    {&ref_aarch64, "00010014", "b #1024", .kind = FLOW_JUMP, .target = 1024},
    {&ref_aarch64, "ffffff17", "b #-4", .kind = FLOW_JUMP, .target = -4},
    {&ref_aarch64, "00040094", "bl #4096", .kind = FLOW_CALL, .target = 4096},
    {&ref_aarch64, "00fcff97", "bl #-4096", .kind = FLOW_CALL, .target = -4096},
    {&ref_aarch64, "01020054", "b.ne #64", .kind = FLOW_BRANCH, .target = 64},
    {&ref_aarch64, "00feffb4", "cbz x0, #-64", .kind = FLOW_BRANCH, .target = -64},
    {&ref_aarch64, "03040035", "cbnz w3, #128", .kind = FLOW_BRANCH, .target = 128},
    {&ref_aarch64, "01081836", "tbz w1, #3, #256", .kind = FLOW_BRANCH, .target = 256},
    {&ref_aarch64, "02f847b7", "tbnz x2, #40, #-256", .kind = FLOW_BRANCH, .target = -256},
    {&ref_aarch64, "60003fd6", "blr x3", .kind = FLOW_CALL},
    {&ref_aarch64, "80001fd6", "br x4", .kind = FLOW_END},
    {&ref_aarch64, "c0035fd6", "ret", .kind = FLOW_END},
    {&ref_aarch64, "ff0b5fd6", "retaa", .kind = FLOW_END},
    {&ref_aarch64, "200020d4", "brk #1", .kind = FLOW_END},
    {&ref_aarch64, "00000000", "udf #0", .kind = FLOW_END},
    {&ref_aarch64, "010000d4", "svc #0", .kind = FLOW_NEXT},
    {&ref_aarch64, "200440f9", "ldr x0, [x1, #8]", .kind = FLOW_NEXT},
    // rv32
    {&ref_rv32, "13850501", "addi a0, a1, 16", .kind = FLOW_NEXT},
    {&ref_rv32, "0121", "jal ra, 1024", .kind = FLOW_CALL, .target = 1024},
    {&ref_rv32, "01b0", "jal zero, -2048", .kind = FLOW_JUMP, .target = -2048},
    {&ref_rv32, "6300b510", "beq a0, a1, 256", .kind = FLOW_BRANCH, .target = 256},
    {&ref_rv32, "e310b5f0", "bne a0, a1, -256", .kind = FLOW_BRANCH, .target = -256},
    {&ref_rv32, "e7004500", "jalr ra, a0, 4", .kind = FLOW_CALL},
    {&ref_rv32, "67808700", "jalr zero, a5, 8", .kind = FLOW_END},
    {&ref_rv32, "4165", "lui a0, 16", .kind = FLOW_NEXT},
    {&ref_rv32, "0290", "ebreak", .kind = FLOW_END},
    {&ref_rv32, "81a0", "c.j 64", .kind = FLOW_JUMP, .target = 64},
    {&ref_rv32, "fdbf", "c.j -2", .kind = FLOW_JUMP, .target = -2},
    {&ref_rv32, "0122", "c.jal 256", .kind = FLOW_CALL, .target = 256},
    {&ref_rv32, "05c1", "c.beqz a0, 32", .kind = FLOW_BRANCH, .target = 32},
    {&ref_rv32, "e5f1", "c.bnez a1, -32", .kind = FLOW_BRANCH, .target = -32},
    {&ref_rv32, "8280", "c.jr ra", .kind = FLOW_END},
    {&ref_rv32, "8297", "c.jalr a5", .kind = FLOW_CALL},
    {&ref_rv32, "0290", "c.ebreak", .kind = FLOW_END},
    {&ref_rv32, "2e85", "c.mv a0, a1", .kind = FLOW_NEXT},
    {&ref_rv32, "2e95", "c.add a0, a1", .kind = FLOW_NEXT},
    {&ref_rv32, "0545", "c.li a0, 1", .kind = FLOW_NEXT},
    {&ref_rv32, "0100", "c.nop", .kind = FLOW_NEXT},
    {&ref_rv32, "97000100e780c0ff", "auipc ra, 16; jalr ra, ra, -4", .kind = FLOW_CALL,
     .target = 65532},
    {&ref_rv32, "1713000067008300", "auipc t1, 1; jalr zero, t1, 8", .kind = FLOW_JUMP,
     .target = 4104},
    {&ref_rv32, "171500002105", "auipc a0, 1; addi a0, a0, 8", .kind = FLOW_NEXT, .size = 4},
    {&ref_rv32, "17130000e7028300", "auipc t1, 1; jalr t0, t1, 8", .kind = FLOW_NEXT, .size = 4},
    {&ref_rv32, "17130000e7008500", "auipc t1, 1; jalr ra, a0, 8", .kind = FLOW_NEXT, .size = 4},
    {&ref_rv32, "0000", ".insn 0 (no instruction)", .kind = FLOW_END},
    // rv64
    {&ref_rv64, "0525", "c.addiw a0, 1", .kind = FLOW_NEXT},
    {&ref_rv64, "eff01fc0", "jal ra, -1024", .kind = FLOW_CALL, .target = -1024},
    {&ref_rv64, "81a0", "c.j 64", .kind = FLOW_JUMP, .target = 64},
    // x64
    {&ref_x64, "90", "nop", .kind = FLOW_NEXT},
    {&ref_x64, "c3", "ret", .kind = FLOW_END},
    {&ref_x64, "c20800", "ret 8", .kind = FLOW_END},
    {&ref_x64, "cc", "int3", .kind = FLOW_END},
    {&ref_x64, "f4", "hlt", .kind = FLOW_END},
    {&ref_x64, "0f0b", "ud2", .kind = FLOW_END},
    {&ref_x64, "eb12", "jmp .+20", .kind = FLOW_JUMP, .target = 20},
    {&ref_x64, "e9cffeffff", "jmp .-300", .kind = FLOW_JUMP, .target = -300},
    {&ref_x64, "e8e3030000", "call .+1000", .kind = FLOW_CALL, .target = 1000},
    {&ref_x64, "7408", "je .+10", .kind = FLOW_BRANCH, .target = 10},
    {&ref_x64, "0f83ee010000", "jae .+500", .kind = FLOW_BRANCH, .target = 500},
    {&ref_x64, "e2fb", "loop .-3", .kind = FLOW_BRANCH, .target = -3},
    {&ref_x64, "ffd0", "call *%rax", .kind = FLOW_CALL},
    {&ref_x64, "ffe0", "jmp *%rax", .kind = FLOW_END},
    {&ref_x64, "50", "push %rax", .kind = FLOW_NEXT},
    {&ref_x64, "ff00", "incl (%rax)", .kind = FLOW_NEXT},
    {&ref_x64, "b801000000", "mov $1, %eax", .kind = FLOW_NEXT},
    {&ref_x64, "66b83412", "mov $0x1234, %ax", .kind = FLOW_NEXT},
    {&ref_x64, "b001", "mov $1, %al", .kind = FLOW_NEXT},
    {&ref_x64, "81c178563412", "addl $0x12345678, %ecx", .kind = FLOW_NEXT},
    {&ref_x64, "6681c13412", "addw $0x1234, %cx", .kind = FLOW_NEXT},
    {&ref_x64, "83c101", "addl $1, %ecx", .kind = FLOW_NEXT},
    {&ref_x64, "c7400405000000", "movl $5, 4(%rax)", .kind = FLOW_NEXT},
    {&ref_x64, "c6800004000005", "movb $5, 0x400(%rax)", .kind = FLOW_NEXT},
    {&ref_x64, "66c7003412", "movw $0x1234, (%rax)", .kind = FLOW_NEXT},
    {&ref_x64, "f60001", "testb $1, (%rax)", .kind = FLOW_NEXT},
    {&ref_x64, "f7c100000100", "testl $0x10000, %ecx", .kind = FLOW_NEXT},
    {&ref_x64, "66f7c10010", "testw $0x1000, %cx", .kind = FLOW_NEXT},
    {&ref_x64, "f7d1", "notl %ecx", .kind = FLOW_NEXT},
    {&ref_x64, "f6d9", "negb %cl", .kind = FLOW_NEXT},
    {&ref_x64, "6bc803", "imul $3, %eax, %ecx", .kind = FLOW_NEXT},
    {&ref_x64, "69c82c010000", "imul $300, %eax, %ecx", .kind = FLOW_NEXT},
    {&ref_x64, "8d448004", "lea 4(%rax,%rax,4), %eax", .kind = FLOW_NEXT},
    {&ref_x64, "8d04c500100000", "lea 0x1000(,%rax,8), %eax", .kind = FLOW_NEXT},
    {&ref_x64, "0fb600", "movzbl (%rax), %eax", .kind = FLOW_NEXT},
    {&ref_x64, "0f45c1", "cmovne %ecx, %eax", .kind = FLOW_NEXT},
    {&ref_x64, "0f94c0", "sete %al", .kind = FLOW_NEXT},
    {&ref_x64, "0fa4c103", "shld $3, %eax, %ecx", .kind = FLOW_NEXT},
    {&ref_x64, "0fbae003", "bt $3, %eax", .kind = FLOW_NEXT},
    {&ref_x64, "660f70c801", "pshufd $1, %xmm0, %xmm1", .kind = FLOW_NEXT},
    {&ref_x64, "660f3800c8", "pshufb %xmm0, %xmm1", .kind = FLOW_NEXT},
    {&ref_x64, "660f3a0fc803", "palignr $3, %xmm0, %xmm1", .kind = FLOW_NEXT},
    {&ref_x64, "f20f2ac0", "cvtsi2sd %eax, %xmm0", .kind = FLOW_NEXT},
    {&ref_x64, "0f2808", "movaps (%rax), %xmm1", .kind = FLOW_NEXT},
    {&ref_x64, "0fc8", "bswap %eax", .kind = FLOW_NEXT},
    {&ref_x64, "0fa2", "cpuid", .kind = FLOW_NEXT},
    {&ref_x64, "0f77", "emms", .kind = FLOW_NEXT},
    {&ref_x64, "0f31", "rdtsc", .kind = FLOW_NEXT},
    {&ref_x64, "c8100001", "enter $16, $1", .kind = FLOW_NEXT},
    {&ref_x64, "cd80", "int $0x80", .kind = FLOW_NEXT},
    {&ref_x64, "6878563412", "push $0x12345678", .kind = FLOW_NEXT},
    {&ref_x64, "6a01", "push $1", .kind = FLOW_NEXT},
    {&ref_x64, "f3a4", "rep movsb", .kind = FLOW_NEXT},
    {&ref_x64, "f0ff00", "lock incl (%rax)", .kind = FLOW_NEXT},
    {&ref_x64, "91", "xchg %eax, %ecx", .kind = FLOW_NEXT},
    {&ref_x64, "c1e003", "shl $3, %eax", .kind = FLOW_NEXT},
    {&ref_x64, "d1e0", "shl %eax", .kind = FLOW_NEXT},
    {&ref_x64, "dd00", "fldl (%rax)", .kind = FLOW_NEXT},
    {&ref_x64, "c9", "leave", .kind = FLOW_NEXT},
    {&ref_x64, "e403", "in $3, %al", .kind = FLOW_NEXT},
    {&ref_x64, "a25634120000000000", "movabs %al, 0x123456", .kind = FLOW_NEXT},
    {&ref_x64, "c5f058d0", "vaddps %xmm0, %xmm1, %xmm2", .kind = FLOW_NEXT},
    {&ref_x64, "c4e2710010", "vpshufb (%rax), %xmm1, %xmm2", .kind = FLOW_NEXT},
    {&ref_x64, "c4e3710fd003", "vpalignr $3, %xmm0, %xmm1, %xmm2", .kind = FLOW_NEXT},
    {&ref_x64, "c5f970c801", "vpshufd $1, %xmm0, %xmm1", .kind = FLOW_NEXT},
    {&ref_x64, "c5fc2900", "vmovaps %ymm0, (%rax)", .kind = FLOW_NEXT},
    {&ref_x64, "48b9f0debc9a78563412", "movabs $0x123456789abcdef0, %rcx", .kind = FLOW_NEXT},
    {&ref_x64, "48c7c105000000", "movq $5, %rcx", .kind = FLOW_NEXT},
    {&ref_x64, "488d0d00100000", "lea 0x1000(%rip), %rcx", .kind = FLOW_NEXT},
    {&ref_x64, "803d0010000000", "cmpb $0, 0x1000(%rip)", .kind = FLOW_NEXT},
    {&ref_x64, "4d89c1", "mov %r8, %r9", .kind = FLOW_NEXT},
    {&ref_x64, "6641c704243412", "movw $0x1234, (%r12)", .kind = FLOW_NEXT},
    {&ref_x64, "ff1500100000", "call *0x1000(%rip)", .kind = FLOW_CALL},
    {&ref_x64, "ff2500100000", "jmp *0x1000(%rip)", .kind = FLOW_END},
    {&ref_x64, "4d896d04", "movq %r13, 4(%r13)", .kind = FLOW_NEXT},
    {&ref_x64, "c44131fe11", "vpaddd (%r9), %xmm9, %xmm10", .kind = FLOW_NEXT},
    {&ref_x64, "f30f1efa", "endbr64", .kind = FLOW_NEXT},
    // x86
    {&ref_x86, "90", "nop", .kind = FLOW_NEXT},
    {&ref_x86, "c3", "ret", .kind = FLOW_END},
    {&ref_x86, "c20800", "ret 8", .kind = FLOW_END},
    {&ref_x86, "cc", "int3", .kind = FLOW_END},
    {&ref_x86, "f4", "hlt", .kind = FLOW_END},
    {&ref_x86, "0f0b", "ud2", .kind = FLOW_END},
    {&ref_x86, "eb12", "jmp .+20", .kind = FLOW_JUMP, .target = 20},
    {&ref_x86, "e9cffeffff", "jmp .-300", .kind = FLOW_JUMP, .target = -300},
    {&ref_x86, "e8e3030000", "call .+1000", .kind = FLOW_CALL, .target = 1000},
    {&ref_x86, "e800000000", "call .+5", .kind = FLOW_NEXT, .target = 5},
    {&ref_x86, "7408", "je .+10", .kind = FLOW_BRANCH, .target = 10},
    {&ref_x86, "0f83ee010000", "jae .+500", .kind = FLOW_BRANCH, .target = 500},
    {&ref_x86, "e2fb", "loop .-3", .kind = FLOW_BRANCH, .target = -3},
    {&ref_x86, "ffd0", "call *%eax", .kind = FLOW_CALL},
    {&ref_x86, "ffe0", "jmp *%eax", .kind = FLOW_END},
    {&ref_x86, "50", "push %eax", .kind = FLOW_NEXT},
    {&ref_x86, "ff00", "incl (%eax)", .kind = FLOW_NEXT},
    {&ref_x86, "b801000000", "mov $1, %eax", .kind = FLOW_NEXT},
    {&ref_x86, "66b83412", "mov $0x1234, %ax", .kind = FLOW_NEXT},
    {&ref_x86, "b001", "mov $1, %al", .kind = FLOW_NEXT},
    {&ref_x86, "81c178563412", "addl $0x12345678, %ecx", .kind = FLOW_NEXT},
    {&ref_x86, "6681c13412", "addw $0x1234, %cx", .kind = FLOW_NEXT},
    {&ref_x86, "83c101", "addl $1, %ecx", .kind = FLOW_NEXT},
    {&ref_x86, "c7400405000000", "movl $5, 4(%eax)", .kind = FLOW_NEXT},
    {&ref_x86, "c6800004000005", "movb $5, 0x400(%eax)", .kind = FLOW_NEXT},
    {&ref_x86, "66c7003412", "movw $0x1234, (%eax)", .kind = FLOW_NEXT},
    {&ref_x86, "f60001", "testb $1, (%eax)", .kind = FLOW_NEXT},
    {&ref_x86, "f7c100000100", "testl $0x10000, %ecx", .kind = FLOW_NEXT},
    {&ref_x86, "66f7c10010", "testw $0x1000, %cx", .kind = FLOW_NEXT},
    {&ref_x86, "f7d1", "notl %ecx", .kind = FLOW_NEXT},
    {&ref_x86, "f6d9", "negb %cl", .kind = FLOW_NEXT},
    {&ref_x86, "6bc803", "imul $3, %eax, %ecx", .kind = FLOW_NEXT},
    {&ref_x86, "69c82c010000", "imul $300, %eax, %ecx", .kind = FLOW_NEXT},
    {&ref_x86, "8d448004", "lea 4(%eax,%eax,4), %eax", .kind = FLOW_NEXT},
    {&ref_x86, "8d04c500100000", "lea 0x1000(,%eax,8), %eax", .kind = FLOW_NEXT},
    {&ref_x86, "0fb600", "movzbl (%eax), %eax", .kind = FLOW_NEXT},
    {&ref_x86, "0f45c1", "cmovne %ecx, %eax", .kind = FLOW_NEXT},
    {&ref_x86, "0f94c0", "sete %al", .kind = FLOW_NEXT},
    {&ref_x86, "0fa4c103", "shld $3, %eax, %ecx", .kind = FLOW_NEXT},
    {&ref_x86, "0fbae003", "bt $3, %eax", .kind = FLOW_NEXT},
    {&ref_x86, "660f70c801", "pshufd $1, %xmm0, %xmm1", .kind = FLOW_NEXT},
    {&ref_x86, "660f3800c8", "pshufb %xmm0, %xmm1", .kind = FLOW_NEXT},
    {&ref_x86, "660f3a0fc803", "palignr $3, %xmm0, %xmm1", .kind = FLOW_NEXT},
    {&ref_x86, "f20f2ac0", "cvtsi2sd %eax, %xmm0", .kind = FLOW_NEXT},
    {&ref_x86, "0f2808", "movaps (%eax), %xmm1", .kind = FLOW_NEXT},
    {&ref_x86, "0fc8", "bswap %eax", .kind = FLOW_NEXT},
    {&ref_x86, "0fa2", "cpuid", .kind = FLOW_NEXT},
    {&ref_x86, "0f77", "emms", .kind = FLOW_NEXT},
    {&ref_x86, "0f31", "rdtsc", .kind = FLOW_NEXT},
    {&ref_x86, "c8100001", "enter $16, $1", .kind = FLOW_NEXT},
    {&ref_x86, "cd80", "int $0x80", .kind = FLOW_NEXT},
    {&ref_x86, "6878563412", "push $0x12345678", .kind = FLOW_NEXT},
    {&ref_x86, "6a01", "push $1", .kind = FLOW_NEXT},
    {&ref_x86, "f3a4", "rep movsb", .kind = FLOW_NEXT},
    {&ref_x86, "f0ff00", "lock incl (%eax)", .kind = FLOW_NEXT},
    {&ref_x86, "91", "xchg %eax, %ecx", .kind = FLOW_NEXT},
    {&ref_x86, "c1e003", "shl $3, %eax", .kind = FLOW_NEXT},
    {&ref_x86, "d1e0", "shl %eax", .kind = FLOW_NEXT},
    {&ref_x86, "dd00", "fldl (%eax)", .kind = FLOW_NEXT},
    {&ref_x86, "c9", "leave", .kind = FLOW_NEXT},
    {&ref_x86, "e403", "in $3, %al", .kind = FLOW_NEXT},
    {&ref_x86, "c5f058d0", "vaddps %xmm0, %xmm1, %xmm2", .kind = FLOW_NEXT},
    {&ref_x86, "c4e2710010", "vpshufb (%eax), %xmm1, %xmm2", .kind = FLOW_NEXT},
    {&ref_x86, "c4e3710fd003", "vpalignr $3, %xmm0, %xmm1, %xmm2", .kind = FLOW_NEXT},
    {&ref_x86, "c5f970c801", "vpshufd $1, %xmm0, %xmm1", .kind = FLOW_NEXT},
    {&ref_x86, "c5fc2900", "vmovaps %ymm0, (%eax)", .kind = FLOW_NEXT},
    {&ref_x86, "40", "inc %eax", .kind = FLOW_NEXT},
    {&ref_x86, "4e", "dec %esi", .kind = FLOW_NEXT},
    {&ref_x86, "60", "pusha", .kind = FLOW_NEXT},
    {&ref_x86, "c408", "les (%eax), %ecx", .kind = FLOW_NEXT, .none = true},
    {&ref_x86, "c508", "lds (%eax), %ecx", .kind = FLOW_NEXT, .none = true},
    {&ref_x86, "6201", "bound %eax, (%ecx)", .kind = FLOW_NEXT, .none = true},
    {&ref_x86, "a378563412", "mov %eax, 0x12345678", .kind = FLOW_NEXT},
    {&ref_x86, "37", "aaa", .kind = FLOW_NEXT},
    {&ref_x86, "9a785634120100", "lcall $1, $0x12345678", .kind = FLOW_NEXT, .none = true},
    {&ref_x86, "e98beefeff", "jmp .-70000", .kind = FLOW_JUMP, .target = -70000},
    {&ref_x86, "a256341200", "mov %al, 0x123456", .kind = FLOW_NEXT},
};
enum { CASES = sizeof cases / sizeof *cases };

static unsigned flow_bytes(const struct flow_case *c, uint8_t *bytes)
{
    unsigned n = 0, byte;
    for (const char *p = c->hex; sscanf(p, "%2x", &byte) == 1; p += 2) {
        bytes[n++] = (uint8_t)byte;
    }
    return n;
}

// The code alone in memory of its own, so that a sanitizer sees what is read beyond it.
static bool flow_step_of(const struct flow_case *c, unsigned n, struct flow_step *s)
{
    struct image img = {.name = "code"};
    uint8_t bytes[16], *code = malloc(n);
    struct view_span span = {FLOW_CODE, n, code, 0, IMAGE_R | IMAGE_X};
    bool wide = c->isa == &ref_x64 || c->isa == &ref_aarch64 || c->isa == &ref_rv64;
    struct view v = {.image = &img,
                     .n = 1,
                     .spans = &span,
                     .ptr = wide ? 8 : 4,
                     .low = FLOW_CODE,
                     .high = FLOW_CODE + n,
                     .total = n};
    cr_assert_not_null(code);
    cr_assert_leq(n, flow_bytes(c, bytes));
    memcpy(code, bytes, n);
    *s = (struct flow_step){0, 0, 0, 0, FLOW_NEXT};
    bool is = c->isa->step(&v, FLOW_CODE, s);
    free(code);
    return is && s->size;
}

static unsigned flow_size(const struct flow_case *c)
{
    return (unsigned)strlen(c->hex) / 2;
}

static uint64_t flow_address(const struct flow_case *c, int32_t offset)
{
    uint64_t to = FLOW_CODE + (uint64_t)(int64_t)offset;
    return c->isa == &ref_x86 ? (uint32_t)to : to;
}

Test(firmware_flow, every_instruction)
{
    for (unsigned i = 0; i < CASES; i++) {
        const struct flow_case *c = &cases[i];
        struct flow_step s;
        bool is = flow_step_of(c, flow_size(c), &s);
        cr_expect_neq(is, c->none, "%s %s", fw_isa_name(c->isa->isa), c->text);
        if (!is) {
            continue;
        }
        cr_expect_eq(s.size, c->size ? c->size : flow_size(c), "%s: %u bytes", c->text, s.size);
        cr_expect_eq(s.kind, c->kind, "%s: kind %d", c->text, s.kind);
        cr_expect_eq(s.shadow, c->shadow, "%s: %u conditional", c->text, s.shadow);
        cr_expect_eq(s.literal, c->literal ? flow_address(c, c->literal) : 0, "%s", c->text);
        if (s.kind != FLOW_NEXT && s.kind != FLOW_END) {
            bool known = c->target || c->kind == FLOW_BRANCH;
            cr_expect_eq(s.target, known ? flow_address(c, c->target) : 0, "%s: to 0x%llx", c->text,
                         (unsigned long long)s.target);
        }
    }
}

// What is cut off is no instruction, or a shorter one (two that are one call); nothing behind the
// end is read.
Test(firmware_flow, instructions_cut_short)
{
    for (unsigned i = 0; i < CASES; i++) {
        for (unsigned n = 1; n < flow_size(&cases[i]); n++) {
            struct flow_step s;
            bool is = flow_step_of(&cases[i], n, &s);
            cr_expect(!is || s.size <= n, "%s cut to %u: %u bytes", cases[i].text, n, s.size);
            cr_expect(!is || (n >= 4 && s.kind == FLOW_NEXT), "%s cut to %u", cases[i].text, n);
        }
    }
}

Test(firmware_flow, no_instruction_begins_at_odd_places_or_outside)
{
    static const struct ref_isa *const isas[] = {&ref_thumb, &ref_arm, &ref_aarch64,
                                                 &ref_rv32,  &ref_x86, &ref_x64};
    uint8_t code[16] = {0};
    for (unsigned i = 0; i < sizeof isas / sizeof *isas; i++) {
        struct view_span span = {FLOW_CODE, sizeof code, code, 0, IMAGE_R | IMAGE_X};
        struct view v = {
            .n = 1, .spans = &span, .ptr = 4, .low = FLOW_CODE, .high = FLOW_CODE + sizeof code};
        struct flow_step s = {0, 0, 0, 0, FLOW_NEXT};
        for (uint64_t at = 1; at < isas[i]->align; at++) {
            cr_expect_not(isas[i]->step(&v, FLOW_CODE + at, &s) && s.size, "%u", i);
        }
        cr_expect_not(isas[i]->step(&v, FLOW_CODE + sizeof code, &s) && s.size, "%u", i);
        cr_expect_not(isas[i]->step(&v, FLOW_CODE - isas[i]->align, &s) && s.size, "%u", i);
    }
}

// Those of the variable-length sets are looked for byte by byte; a Thumb blx calls no Thumb code.
Test(firmware_flow, calls_are_found_at_their_places)
{
    for (unsigned i = 0; i < CASES; i++) {
        uint8_t code[40] = {0};
        const struct flow_case *c = &cases[i];
        if (c->kind != FLOW_CALL || !c->target || c->isa == &ref_x86 || c->isa == &ref_x64 ||
            strncmp(c->text, "blx", 3) == 0) {
            continue;
        }
        (void)flow_bytes(c, code + 8);
        cr_expect_eq(c->isa->next_call(code, 0, sizeof code), 8, "%s", c->text);
        cr_expect_geq(c->isa->next_call(code, 8 + c->isa->align, sizeof code), sizeof code, "%s",
                      c->text);
    }
}
