# What takes the place of the vDSO's functions for the time of day (x86-64).
#
# Position-independent: the bytes are copied to the end of the vDSO of a program. Data in front of
# the code tell how to change a time. A time is changed to
#     shown + (time - reference) * rate / 2^32
# in nanoseconds since 1970. There are two sets of these numbers. The lowest bit of the turn says
# which set holds. A writer fills the other set and then counts the turn on, so a reader that finds
# the turn unchanged has read a whole set.
#
# Registers are used as the System V ABI for x86-64 has it: only those change that any call may
# change.

    .pushsection .rodata.snowglobe_clock_stub, "a"
    .balign 16
    .globl snowglobe_clock_stub
    .globl snowglobe_clock_stub_gettime
    .globl snowglobe_clock_stub_timeofday
    .globl snowglobe_clock_stub_time
    .globl snowglobe_clock_stub_end
    .hidden snowglobe_clock_stub
    .hidden snowglobe_clock_stub_gettime
    .hidden snowglobe_clock_stub_timeofday
    .hidden snowglobe_clock_stub_time
    .hidden snowglobe_clock_stub_end

snowglobe_clock_stub:
    .quad 0x6b636f6c635f6773        # known by this: "sg_clock"
3:  .quad 0                         # the turn
4:  .quad 0, 0, 0x100000000         # reference, shown, rate
    .quad 0, 0, 0x100000000         # the same once more
5:  .quad 0                         # offset of the vDSO's own clock_gettime from here, or 0

# int clock_gettime(clockid_t edi, struct timespec *rsi)
snowglobe_clock_stub_gettime:
    cmp     edi, 0                  # CLOCK_REALTIME
    je      20f
    cmp     edi, 5                  # CLOCK_REALTIME_COARSE
    je      20f
    # Any other clock is read as ever.
    mov     rcx, [rip + 5b]
    test    rcx, rcx
    jz      22f
    lea     rax, [rip + snowglobe_clock_stub]
    add     rax, rcx
    jmp     rax
22: mov     eax, 228                # SYS_clock_gettime
    syscall
    ret
20: push    rsi
    call    30f
    pop     rsi
    jc      21f
    mov     [rsi], rax
    mov     [rsi + 8], rdx
    xor     eax, eax
21: ret

# Returns seconds in rax and nanoseconds in rdx of the clock edi; with the carry flag, an errno.
30: sub     rsp, 24
    mov     rsi, rsp
    mov     rcx, [rip + 5b]
    test    rcx, rcx
    jz      31f
    lea     rax, [rip + snowglobe_clock_stub]
    add     rax, rcx
    call    rax
    jmp     32f
31: mov     r9d, 0x5e0c10c          # tells the filter that this call is ours
    mov     eax, 228
    syscall
32: mov     rdi, [rsp]
    mov     rsi, [rsp + 8]
    add     rsp, 24
    test    eax, eax
    jz      33f
    cdqe
    stc
    ret
33: imul    rdi, rdi, 1000000000
    add     rdi, rsi
34: movzx   ecx, byte ptr [rip + 3b]
    mov     edx, ecx
    and     edx, 1
    imul    edx, edx, 24
    lea     r8, [rip + 4b]
    add     r8, rdx
    mov     r9, [r8]
    mov     r10, [r8 + 8]
    mov     r11, [r8 + 16]
    cmp     cl, byte ptr [rip + 3b]
    jne     34b
    mov     rax, rdi
    sub     rax, r9
    imul    r11
    shrd    rax, rdx, 32
    add     rax, r10
    jns     35f
    xor     eax, eax                # no time before 1970
35: xor     edx, edx
    mov     ecx, 1000000000
    div     rcx
    clc
    ret

# int gettimeofday(struct timeval *rdi, struct timezone *rsi)
snowglobe_clock_stub_timeofday:
    push    rdi
    test    rsi, rsi
    jz      40f
    xor     edi, edi                # the time zone alone
    mov     r9d, 0x5e0c10c
    mov     eax, 96                 # SYS_gettimeofday
    syscall
40: cmp     qword ptr [rsp], 0
    je      42f
    xor     edi, edi
    call    30b
    pop     rdi
    jc      41f
    mov     [rdi], rax
    mov     eax, edx
    xor     edx, edx
    mov     ecx, 1000
    div     ecx
    mov     [rdi + 8], rax
    xor     eax, eax
41: ret
42: pop     rdi
    xor     eax, eax
    ret

# time_t time(time_t *rdi)
snowglobe_clock_stub_time:
    push    rdi
    xor     edi, edi
    call    30b
    pop     rdi
    jc      50f
    test    rdi, rdi
    jz      50f
    mov     [rdi], rax
50: ret
snowglobe_clock_stub_end:
    .popsection
